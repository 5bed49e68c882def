/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/put.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"

/* U+0080 to U+009F (c2 80 to c2 9f) are control characters for some terminals, too. */
static bool is_high_control(const unsigned char *p)
{
        return *p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
}

/* Of the first @n bytes. Without a copy: what is shown must not be less where there is no memory. */
static void clean_part(FILE *f, const char *text, size_t n)
{
        const unsigned char *p = (const unsigned char *) text, *end = p + n;
        for (; p < end; p++) {
                bool high = is_high_control(p);
                if (high)
                        p++;
                (void) fputc(high || *p < 0x20 || *p == 0x7f ? '?' : *p, f);
        }
}

void put_clean(FILE *f, const char *text)
{
        clean_part(f, text, strlen(text));
}

void put_seconds(FILE *f, double seconds)
{
        if (seconds < 1)
                (void) fprintf(f, "%.2f s", seconds < 0 ? 0 : seconds);
        else
                (void) fprintf(f, "%.1f s", seconds);
}

void put_wrapped(FILE *f, const char *text, unsigned column, unsigned indent, unsigned width)
{
        unsigned at = column;
        for (const char *p = text; *p;) {
                size_t word = strcspn(p, " ");
                if (width > indent + 20 && at > indent && at + word >= width) {
                        (void) fprintf(f, "\n%*s", (int) indent, "");
                        at = indent;
                }
                clean_part(f, p, word);
                at += (unsigned) word;
                p += word;
                size_t blanks = strspn(p, " ");
                if (blanks && p[blanks] &&
                    !(width > indent + 20 && at + 1 + strcspn(p + blanks, " ") >= width)) {
                        (void) fputc(' ', f);
                        at++;
                } else if (blanks && p[blanks])
                        at = width; /* the next word begins a line */
                p += blanks;
        }
}

void put_colour(FILE *f, bool on, Colour colour)
{
        static const char *const codes[COLOUR_COUNT] = {
                [COLOUR_NONE] = "",         [COLOUR_GOOD] = "\x1b[32m",  [COLOUR_BAD] = "\x1b[1;31m",
                [COLOUR_WARN] = "\x1b[33m", [COLOUR_STRONG] = "\x1b[1m", [COLOUR_DIM] = "\x1b[2m",
        };
        if (on)
                (void) fputs(codes[colour], f);
}

void put_plain(FILE *f, bool on)
{
        if (on)
                (void) fputs("\x1b[0m", f);
}

/* One character: its bytes (at least 1), and the columns that it takes at most. */
static size_t character(const char *text, size_t *ret_columns)
{
        const unsigned char *p = (const unsigned char *) text;
        size_t n = *p < 0x80             ? 1
                   : (*p & 0xe0) == 0xc0 ? 2
                   : (*p & 0xf0) == 0xe0 ? 3
                   : (*p & 0xf8) == 0xf0 ? 4
                                         : 0;
        *ret_columns = 1;
        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 1;
        /* Nothing below U+1100 is wide, nor are punctuation, arrows and operators. Source: Unicode,
         * EastAsianWidth.txt. */
        unsigned code = n == 3 ? (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU) : 0;
        if (n == 4 || (code >= 0x1100 && (code < 0x2000 || code >= 0x2300)))
                *ret_columns = 2;
        return n ? n : 1;
}

size_t put_columns(const char *text)
{
        size_t sum = 0, columns;
        while (*text) {
                text += character(text, &columns);
                sum += columns;
        }
        return sum;
}

/* How many bytes of @text fit, and how many columns those take. */
static size_t fitting(const char *text, size_t columns, size_t *ret_columns)
{
        size_t len = 0, sum = 0, one;
        while (text[len]) {
                size_t n = character(text + len, &one);
                if (sum + one > columns)
                        break;
                sum += one;
                len += n;
        }
        *ret_columns = sum;
        return len;
}

void put_cut(char *text, size_t columns)
{
        size_t taken;
        text[fitting(text, columns, &taken)] = '\0';
}

void put_field(FILE *f, const char *text, size_t columns)
{
        size_t taken;
        clean_part(f, text, fitting(text, columns, &taken));
        (void) fprintf(f, "%*s", (int) (columns - taken), "");
}

void put_word(FILE *f, const char *word)
{
        bool plain = *word;
        for (const char *p = word; *p; p++)
                plain = plain && (isalnum((unsigned char) *p) || strchr("-_.,@:/%+=", *p));
        if (plain) {
                (void) fputs(word, f);
                return;
        }
        (void) fputc('\'', f);
        for (const char *p = word; *p;) {
                size_t n = strcspn(p, "'");
                clean_part(f, p, n);
                p += n;
                if (*p == '\'') {
                        (void) fputs("'\\''", f);
                        p++;
                }
        }
        (void) fputc('\'', f);
}

void put_dest(FILE *f, const char *dest)
{
        const char *colon = strrchr(dest, ':'), *first = strchr(dest, ':');
        /* One colon, or one behind the bracket of an IPv6 address, and digits: a port. */
        bool port = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1) &&
                    (colon == first || (colon > dest && colon[-1] == ']'));
        (void) fputs(port ? "ssh://" : "", f);
        put_word(f, dest);
}
