/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* The functions themselves. */
#undef err_set
#undef err_errno

static int err_code(int code)
{
        if (code == 0)
                return -EIO;
        return code > 0 ? -code : code;
}

static void err_clean(char *s)
{
        for (; *s; s++)
                if ((unsigned char) *s < 0x20 || (unsigned char) *s >= 0x7f)
                        *s = '?';
}

int err_set(Err *e, int code, const char *fmt, ...)
{
        code = err_code(code);
        if (!e)
                return code;

        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(e->text, sizeof(e->text), fmt, ap);
        va_end(ap);
        err_clean(e->text);
        e->code = code;
        return code;
}

int err_errno(Err *e, int code, const char *fmt, ...)
{
        code = err_code(code);
        if (!e)
                return code;

        char text[sizeof(e->text)];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        return err_set(e, code, "%.380s: %s", text, strerror(-code));
}

int err_prefix(Err *e, int code, const char *fmt, ...)
{
        if (!e)
                return code;

        char prefix[160], text[sizeof(e->text)];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(prefix, sizeof(prefix), fmt, ap);
        va_end(ap);
        memcpy(text, e->text, sizeof(text));
        (void) snprintf(e->text, sizeof(e->text), "%s: %.340s", prefix, text);
        err_clean(e->text);
        return code;
}
