/* SPDX-License-Identifier: GPL-3.0-or-later */

/* D-Bus streams and what is none, in pieces of every size. */

#include "agent/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MAX_BYTES 1000

/* A message of @fields and @body bytes behind its head. Return: its length. */
static size_t message(uint8_t *to, char order, uint32_t fields, uint32_t body)
{
        size_t n = 16 + ((fields + 7) & ~7U) + body;
        (void) memset(to, 0xaa, n);
        to[0] = (uint8_t) order;
        to[1] = 2;
        to[2] = 0;
        to[3] = 1;
        for (int i = 0; i < 4; i++) {
                int shift = order == 'l' ? 8 * i : 24 - 8 * i;
                to[4 + i] = (uint8_t) (body >> shift);
                to[12 + i] = (uint8_t) (fields >> shift);
        }
        return n;
}

/* Feeds it in pieces of @step. Return: the last verdict. */
static FramesVerdict feed(Frames *f, const void *bytes, size_t n, size_t step)
{
        FramesVerdict v = FRAMES_GOOD;
        for (size_t i = 0; i < n; i += step) {
                v = frames_feed(f, (const uint8_t *) bytes + i, n - i < step ? n - i : step);
                if (v != FRAMES_GOOD && v != FRAMES_DOUBT)
                        return v;
        }
        return v;
}

static const char client_auth[] = "\0AUTH ANONYMOUS 616e6f6e796d6f7573\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
static const char server_auth[] = "OK 0123456789abcdef0123456789abcdef\r\nERROR\r\n";

static void a_stream_of_messages_is_good_in_any_pieces(void **state)
{
        uint8_t bytes[4096];
        (void) state;
        for (int client = 0; client < 2; client++) {
                size_t n = client ? sizeof(client_auth) - 1 : sizeof(server_auth) - 1;
                (void) memcpy(bytes, client ? client_auth : server_auth, n);
                n += message(bytes + n, 'l', 13, 0);
                n += message(bytes + n, 'B', 16, 300);
                n += message(bytes + n, 'l', 0, 0);
                n += message(bytes + n, 'l', 1, MAX_BYTES - 24);
                for (size_t step = 1; step <= n; step++) {
                        Frames f = client ? FRAMES_FROM_CLIENT(MAX_BYTES) : FRAMES_FROM_SERVER(MAX_BYTES);
                        assert_int_equal(feed(&f, bytes, n, step), FRAMES_GOOD);
                        assert_string_equal(frames_line(&f), "");
                }
        }
}

static void a_message_too_big_is_seen_by_its_head(void **state)
{
        uint8_t bytes[4096];
        (void) state;
        static const struct {
                uint32_t fields, body;
        } big[] = { { 0, MAX_BYTES - 15 }, { MAX_BYTES, 0 }, { UINT32_MAX, UINT32_MAX }, { 0, UINT32_MAX } };
        for (size_t i = 0; i < sizeof(big) / sizeof(big[0]); i++)
                for (size_t step = 1; step < 64; step++) {
                        Frames f = FRAMES_FROM_SERVER(MAX_BYTES);
                        size_t n = sizeof(server_auth) - 1;
                        (void) memcpy(bytes, server_auth, n);
                        n += message(bytes + n, 'l', 8, 8);
                        uint8_t *head = bytes + n;
                        (void) message(head, 'l', 0, 0);
                        for (int b = 0; b < 4; b++) {
                                head[4 + b] = (uint8_t) (big[i].body >> 8 * b);
                                head[12 + b] = (uint8_t) (big[i].fields >> 8 * b);
                        }
                        assert_int_equal(feed(&f, bytes, n + 16, step), FRAMES_TOO_BIG);
                }
}

static void what_is_no_message_any_more_is_broken(void **state)
{
        uint8_t bytes[256];
        (void) state;
        static const struct {
                int at;
                uint8_t byte;
        } bad[] = { { 0, 'x' }, { 1, 0 }, { 1, 5 }, { 3, 2 } };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                Frames f = FRAMES_FROM_CLIENT(MAX_BYTES);
                size_t n = sizeof(client_auth) - 1;
                (void) memcpy(bytes, client_auth, n);
                (void) message(bytes + n, 'l', 0, 0);
                bytes[n + (size_t) bad[i].at] = bad[i].byte;
                assert_int_equal(feed(&f, bytes, n + 16, 7), FRAMES_BROKEN);
        }
        /* An authentication without an end. */
        Frames f = FRAMES_FROM_SERVER(MAX_BYTES);
        assert_int_equal(feed(&f, "OK ", 3, 3), FRAMES_GOOD);
        FramesVerdict v = FRAMES_GOOD;
        for (int i = 0; i < 100000 && v == FRAMES_GOOD; i++)
                v = frames_feed(&f, "x", 1);
        assert_int_equal(v, FRAMES_BROKEN);
}

static void what_is_no_dbus_is_quoted(void **state)
{
        static const struct {
                const char *text, *line;
        } foreign[] = {
                { "Welcome to r1\nOK 0123\n", "Welcome to r1" },
                { "\r\n\r\nHTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request" },
                { "OK, here we go\n", "OK, here we go" },
                { "O\n", "O" },
                { "\x1b[31mred\n", "?[31mred" },
                { "\xc3\xa9t\xc3\xa9\n", "??t??" },
                { "l\1\0\1 a message at once\n", "l" }, /* a message needs an OK before it */
        };
        (void) state;
        for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
                for (size_t step = 1; step < 20; step++) {
                        Frames f = FRAMES_FROM_SERVER(MAX_BYTES);
                        size_t n = i == 6 ? 23 : strlen(foreign[i].text);
                        assert_int_equal(feed(&f, foreign[i].text, n, step), FRAMES_FOREIGN);
                        assert_int_equal(strncmp(frames_line(&f), foreign[i].line, strlen(foreign[i].line)),
                                         0);
                }
        /* Part of a line is not yet all of it; what was not D-Bus never becomes it. */
        Frames f = FRAMES_FROM_SERVER(MAX_BYTES);
        assert_int_equal(frames_feed(&f, "O", 1), FRAMES_GOOD);
        assert_int_equal(frames_feed(&f, "h", 1), FRAMES_DOUBT);
        assert_int_equal(frames_feed(&f, "", 0), FRAMES_DOUBT);
        assert_string_equal(frames_line(&f), "Oh");
        /* A line without an end. */
        FramesVerdict v = FRAMES_DOUBT;
        int n = 0;
        for (; v == FRAMES_DOUBT; n++)
                v = frames_feed(&f, "y", 1);
        assert_int_equal(v, FRAMES_FOREIGN);
        assert_true(n < 2 * FRAMES_LINE && strlen(frames_line(&f)) < FRAMES_LINE);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_stream_of_messages_is_good_in_any_pieces),
                cmocka_unit_test(a_message_too_big_is_seen_by_its_head),
                cmocka_unit_test(what_is_no_message_any_more_is_broken),
                cmocka_unit_test(what_is_no_dbus_is_quoted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
