/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/frames.h"

#include <string.h>

#define AUTH_MAX 4096 /* a conversation of authentication is far shorter */

enum { STATE_FIRST, STATE_AUTH, STATE_MESSAGES, STATE_FOREIGN };

/* The very first bytes; our ends always speak ANONYMOUS, which is answered with OK and nothing before it. */
static const char client_first[] = "\0AUTH ";
static const char server_first[] = "OK ";

static const char *first_bytes(const Frames *f, size_t *ret_n)
{
        *ret_n = f->from_client ? sizeof(client_first) - 1 : sizeof(server_first) - 1;
        return f->from_client ? client_first : server_first;
}

static void line_put(Frames *f, uint8_t byte)
{
        if (f->n_line < FRAMES_LINE - 1)
                f->line[f->n_line++] = (char) byte;
}

/* A line is complete at its end, or when no more of it would be kept. Empty ones are left out. */
static FramesVerdict foreign_byte(Frames *f, uint8_t byte)
{
        if (byte == '\n' || byte == '\r')
                return f->n_line > 0 ? FRAMES_FOREIGN : FRAMES_DOUBT;
        line_put(f, byte);
        return f->n_line == FRAMES_LINE - 1 ? FRAMES_FOREIGN : FRAMES_DOUBT;
}

static FramesVerdict first_byte(Frames *f, uint8_t byte)
{
        size_t n;
        const char *expected = first_bytes(f, &n);
        if ((uint8_t) expected[f->n_line] != byte) {
                f->state = STATE_FOREIGN;
                return foreign_byte(f, byte);
        }
        line_put(f, byte);
        if (f->n_line == n)
                f->state = STATE_AUTH;
        return FRAMES_GOOD;
}

/*
 * The client's part ends with BEGIN. The server's are lines, none of which can begin as a message does (with
 * its byte order, l or B). @line holds the end of the present line's begin.
 */
static FramesVerdict auth_byte(Frames *f, uint8_t byte)
{
        if (++f->auth_bytes > AUTH_MAX)
                return FRAMES_BROKEN;
        if (!f->from_client && f->n_line == 0 && (byte == 'l' || byte == 'B')) {
                f->state = STATE_MESSAGES;
                f->head[f->n_head++] = byte;
                return FRAMES_GOOD;
        }
        if (byte == '\n') {
                bool begin = f->from_client && f->n_line == 6 && memcmp(f->line, "BEGIN\r", 6) == 0;
                if (begin)
                        f->state = STATE_MESSAGES;
                f->n_line = 0;
                return FRAMES_GOOD;
        }
        line_put(f, byte);
        return FRAMES_GOOD;
}

static uint32_t number(const uint8_t *p, bool little)
{
        return little ? (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24
                      : (uint32_t) p[3] | (uint32_t) p[2] << 8 | (uint32_t) p[1] << 16 |
                                (uint32_t) p[0] << 24;
}

static FramesVerdict head_complete(Frames *f)
{
        const uint8_t *h = f->head;
        if ((h[0] != 'l' && h[0] != 'B') || h[1] < 1 || h[1] > 4 || h[3] != 1)
                return FRAMES_BROKEN;
        uint64_t body = number(h + 4, h[0] == 'l'), fields = number(h + 12, h[0] == 'l');
        f->skip = ((fields + 7) & ~(uint64_t) 7) + body;
        f->n_head = 0;
        return f->skip + sizeof(f->head) > f->max_bytes ? FRAMES_TOO_BIG : FRAMES_GOOD;
}

FramesVerdict frames_feed(Frames *f, const void *bytes, size_t n)
{
        const uint8_t *p = bytes, *end = p + n;
        FramesVerdict v = FRAMES_GOOD;
        while (p < end) {
                if (f->state == STATE_MESSAGES && f->skip > 0) {
                        uint64_t step = (uint64_t) (end - p) < f->skip ? (uint64_t) (end - p) : f->skip;
                        f->skip -= step;
                        p += step;
                        continue;
                }
                uint8_t byte = *p++;
                switch (f->state) {
                case STATE_FIRST:
                        v = first_byte(f, byte);
                        break;
                case STATE_AUTH:
                        v = auth_byte(f, byte);
                        break;
                case STATE_FOREIGN:
                        v = foreign_byte(f, byte);
                        break;
                default:
                        f->head[f->n_head++] = byte;
                        if (f->n_head == sizeof(f->head))
                                v = head_complete(f);
                        break;
                }
                if (v != FRAMES_GOOD && v != FRAMES_DOUBT)
                        break;
        }
        if (v == FRAMES_FOREIGN)
                f->line[f->n_line] = '\0';
        for (unsigned i = 0; f->state == STATE_FOREIGN && i < f->n_line; i++)
                if ((uint8_t) f->line[i] < 0x20 || (uint8_t) f->line[i] > 0x7e)
                        f->line[i] = '?';
        return f->state == STATE_FOREIGN && v == FRAMES_GOOD ? FRAMES_DOUBT : v;
}

const char *frames_line(const Frames *f)
{
        return f->state == STATE_FOREIGN ? f->line : "";
}
