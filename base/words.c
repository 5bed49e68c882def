/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/words.h"

#include <errno.h>
#include <string.h>

#define WORDS_SPACE " \t\n"

Words words_free(Words w)
{
        for (size_t i = 0; w && w[i]; i++)
                free(w[i]);
        free(w);
        return NULL;
}

int words_split(const char *text, Words *ret)
{
        _cleanup_(words_freep) Words w = calloc(strlen(text) / 2 + 2, sizeof(char *));
        if (!w)
                return -ENOMEM;
        size_t n = 0;
        for (const char *p = text + strspn(text, WORDS_SPACE); *p; p += strspn(p, WORDS_SPACE)) {
                size_t len = strcspn(p, WORDS_SPACE);
                w[n] = strndup(p, len);
                if (!w[n++])
                        return -ENOMEM;
                p += len;
        }
        *ret = TAKE_PTR(w);
        return 0;
}

void words_clean(char *text)
{
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
}

/* How many bytes follow the first one, and which range the second one is of. Return: -1: none begins so. */
static int utf8_rest(unsigned char first, unsigned char *low, unsigned char *high)
{
        *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (first < 0x80)
                return 0;
        if (first < 0xc2 || first > 0xf4)
                return -1;
        return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

bool words_utf8(const char *text)
{
        unsigned char low, high;
        for (const unsigned char *p = (const unsigned char *) text; *p; p++) {
                int rest = utf8_rest(*p, &low, &high);
                if (rest < 0)
                        return false;
                for (; rest > 0; rest--, low = 0x80, high = 0xbf)
                        if (*++p < low || *p > high)
                                return false;
        }
        return true;
}
