/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Text of others on a terminal: no control character comes through, and nothing is longer than it may be. */

#include "agent/bus.h"
#include "agent/put.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

typedef void (*PutFn)(FILE *f, const char *text, unsigned n);

static void clean(FILE *f, const char *text, unsigned n)
{
        (void) n;
        put_clean(f, text);
}

static void wrapped(FILE *f, const char *text, unsigned n)
{
        put_wrapped(f, text, n % 7, n % 5, n % 40);
}

static void field(FILE *f, const char *text, unsigned n)
{
        put_field(f, text, n);
}

static void word(FILE *f, const char *text, unsigned n)
{
        (void) n;
        put_word(f, text);
}

static void dest(FILE *f, const char *text, unsigned n)
{
        (void) n;
        put_dest(f, text);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        static const PutFn ways[] = { clean, wrapped, field, word, dest };
        Fuzz f = { data, size };
        unsigned n = fuzz_byte(&f);
        _cleanup_(freep) char *text = fuzz_text(&f, NULL);
        char buf[64];

        for (size_t i = 0; i < ELEMENTS(ways); i++) {
                char *out = NULL;
                size_t len = 0;
                FILE *stream = text_open(&out, &len);
                if (!stream)
                        return;
                ways[i](stream, text, n);
                if (text_close(stream, &out) == 0) {
                        fuzz_check(fuzz_is_clean(out, "\n"));
                        fuzz_check(ways[i] != field || put_columns(out) == n);
                }
                free(out);
        }
        bus_text(buf, sizeof(buf), text);
        fuzz_check(fuzz_is_ascii(buf));
        put_cut(text, n);
        fuzz_check(put_columns(text) <= n);
}
