/* SPDX-License-Identifier: GPL-3.0-or-later */

/* drain/fate.c: what the stop does to connections that were idle by age only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>

#include "drain/fate.h"

static Sock sock(uint64_t cookie)
{
        return (Sock){ .cookie = cookie,
                       .state = TCP_ESTABLISHED,
                       .has_info = true,
                       .bytes_received = 100,
                       .bytes_acked = 200 };
}

static size_t lost(const Fate *f)
{
        const Sock *first;
        size_t n = fate_lost(f, &first);
        assert_int_equal(first != NULL, n > 0);
        return n;
}

static void an_orderly_close_is_no_loss(void **state)
{
        (void) state;
        static const uint8_t farewell[] = { TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT, TCP_CLOSING,
                                            TCP_LAST_ACK };
        for (size_t i = 0; i < ELEMENTS(farewell); i++) {
                Fate f;
                Sock s = sock(7), open[FATE_MAX];
                fate_begin(&f, &s, 1);
                assert_int_equal(fate_feed(&s, &f), 0);
                assert_int_equal(fate_open(&f, open), 1);
                s.state = farewell[i];
                s.bytes_received++; /* the FIN */
                assert_int_equal(fate_feed(&s, &f), 0);
                assert_int_equal(fate_open(&f, open), 0);
                fate_gone(7, &f);
                assert_int_equal(lost(&f), 0);
        }
}

static void a_reset_is(void **state)
{
        (void) state;
        Fate f;
        Sock s[2] = { sock(7), sock(8) }, open[FATE_MAX];
        const Sock *first;
        fate_begin(&f, s, 2);
        fate_gone(8, &f);
        fate_gone(9, &f); /* somebody else's */
        assert_int_equal(fate_lost(&f, &first), 1);
        assert_int_equal(first->cookie, 8);
        assert_int_equal(fate_open(&f, open), 1);
        assert_int_equal(open[0].cookie, 7);
}

static void bytes_that_move_are(void **state)
{
        (void) state;
        for (int out = 0; out < 2; out++) {
                Fate f;
                Sock s = sock(7);
                fate_begin(&f, &s, 1);
                if (out)
                        s.wqueue = 10;
                else
                        s.bytes_received += 10;
                assert_int_equal(fate_feed(&s, &f), 0);
                s.state = TCP_FIN_WAIT2;
                assert_int_equal(fate_feed(&s, &f), 0);
                assert_int_equal(lost(&f), 1);
        }
}

static void the_clients_own_farewell_is_not(void **state)
{
        (void) state;
        Fate f;
        Sock s = sock(7);
        s.state = TCP_CLOSE_WAIT;
        fate_begin(&f, &s, 1);
        fate_gone(7, &f);
        assert_int_equal(lost(&f), 0);

        s = sock(7);
        fate_begin(&f, &s, 1);
        s.state = TCP_CLOSE_WAIT;
        s.bytes_received++;
        assert_int_equal(fate_feed(&s, &f), 0);
        fate_gone(7, &f); /* behind LAST_ACK */
        assert_int_equal(lost(&f), 0);
}

static void many_are_followed_as_far_as_there_is_room(void **state)
{
        (void) state;
        static Sock s[FATE_MAX + 5];
        Sock open[FATE_MAX];
        Fate f;
        for (size_t i = 0; i < ELEMENTS(s); i++)
                s[i] = sock(i + 1);
        fate_begin(&f, s, ELEMENTS(s));
        assert_int_equal(fate_open(&f, open), FATE_MAX);
        fate_begin(&f, NULL, 0);
        assert_int_equal(fate_open(&f, open), 0);
        assert_int_equal(lost(&f), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_orderly_close_is_no_loss),
                cmocka_unit_test(a_reset_is),
                cmocka_unit_test(bytes_that_move_are),
                cmocka_unit_test(the_clients_own_farewell_is_not),
                cmocka_unit_test(many_are_followed_as_far_as_there_is_room),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
