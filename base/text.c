/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

typedef struct Text {
        char **text;
        size_t *size;
} Text;

static ssize_t text_write(void *cookie, const char *bytes, size_t n)
{
        const Text *t = cookie;
        char *more = realloc(*t->text, *t->size + n + 1);

        if (!more)
                return 0;
        memcpy(more + *t->size, bytes, n);
        *t->text = more;
        *t->size += n;
        more[*t->size] = '\0';
        return (ssize_t) n;
}

static int text_end(void *cookie)
{
        free(cookie);
        return 0;
}

FILE *text_open(char **text, size_t *size)
{
        const cookie_io_functions_t functions = { .write = text_write, .close = text_end };
        Text *t = malloc(sizeof(*t));
        char *empty = calloc(1, 1);
        FILE *f = t && empty ? fopencookie(t, "w", functions) : NULL;

        if (!f) {
                free(t);
                free(empty);
                return NULL;
        }
        *t = (Text){ .text = text, .size = size };
        *text = empty;
        *size = 0;
        return f;
}

int text_close(FILE *f, char **text)
{
        bool failed = fflush(f) != 0 || ferror(f) != 0;

        if (fclose(f) == 0 && !failed)
                return 0;
        free(*text);
        *text = NULL;
        return -ENOMEM;
}
