/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FIELD_MEMBER = 3, FIELD_ERROR = 4, FIELD_REPLY = 5 };

static uint32_t number_at(const uint8_t *p)
{
        uint32_t n;
        memcpy(&n, p, sizeof(n));
        return n;
}

static size_t align(size_t n, size_t to)
{
        return (n + to - 1) / to * to;
}

bool wire_head(const uint8_t *b, size_t n, WireHead *ret)
{
        *ret = (WireHead){ .size = n };
        if (n < 16 || b[0] != 'l')
                return false;
        size_t end = 16 + number_at(b + 12), pos = 16;
        ret->type = b[1];
        ret->serial = number_at(b + 8);
        ret->size = align(end, 8) + number_at(b + 4);
        if (end > n)
                return false;
        while (pos + 8 <= end) {
                uint8_t code = b[pos], type = b[pos + 2];
                size_t at = pos + 4;
                if (type == 'g')
                        pos = at + 2 + b[at];
                else if (type == 's' || type == 'o') {
                        const char *text = at + 4 < end ? (const char *) b + at + 4 : "";
                        if (code == FIELD_MEMBER)
                                (void) snprintf(ret->member, sizeof(ret->member), "%.39s", text);
                        else if (code == FIELD_ERROR)
                                (void) snprintf(ret->error, sizeof(ret->error), "%.79s", text);
                        pos = at + 4 + number_at(b + at) + 1;
                } else {
                        if (code == FIELD_REPLY)
                                ret->reply_to = number_at(b + at);
                        pos = at + 4;
                }
                pos = align(pos, 8);
        }
        return true;
}

bool wire_put(Wire *w, const uint8_t *bytes, size_t n)
{
        if (n > sizeof(w->bytes) - w->n)
                return false;
        (void) memcpy(w->bytes + w->n, bytes, n);
        w->n += n;
        return true;
}

static const char *call_of(const Wire *w, uint32_t serial)
{
        if (!w || w->calls[serial % WIRE_CALLS].serial != serial)
                return "";
        return w->calls[serial % WIRE_CALLS].member;
}

size_t wire_next(Wire *w, char *ret, size_t size)
{
        static const char *const types[] = { "", "call", "answer", "error", "signal" };
        WireHead h;
        if (w->n == 0)
                return 0;
        if (w->bytes[0] != 'l') {
                const uint8_t *end = memchr(w->bytes, '\n', w->n);
                (void) snprintf(ret, size, "auth");
                return end ? (size_t) (end - w->bytes) + 1 : 0;
        }
        if (!wire_head(w->bytes, w->n, &h) || h.size > w->n || h.type == 0 || h.type > 4)
                return 0;
        if (h.type == 1) {
                w->calls[h.serial % WIRE_CALLS].serial = h.serial;
                (void) snprintf(w->calls[h.serial % WIRE_CALLS].member, sizeof(w->calls[0].member), "%s",
                                h.member);
        }
        (void) snprintf(ret, size, "%s %s", types[h.type],
                        *h.member ? h.member : call_of(w->other, h.reply_to));
        return h.size;
}

void wire_take(Wire *w, size_t n)
{
        w->n -= n;
        (void) memmove(w->bytes, w->bytes + n, w->n);
}

void wire_names(Wire *w, const char *verb, const uint8_t *bytes, size_t n, char *buf, size_t size)
{
        char one[64];
        assert_true(wire_put(w, bytes, n));
        for (size_t length; (length = wire_next(w, one, sizeof(one))) > 0; wire_take(w, length)) {
                size_t at = strlen(buf);
                (void) snprintf(buf + at, size - at, "%s%s%s", at ? "+" : verb, at ? "" : " ", one);
        }
}
