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
