/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Checks on connections that stay open; and connections cut at the mark-down. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "agent/cuts.h"
#include "agent/kept-conns.h"

#define MS USEC_PER_MSEC

static Addr address(const char *text)
{
        Addr a;
        assert_true(addr_parse(text, &a));
        return a;
}

static Sock sock(const char *peer, uint64_t cookie, uint64_t bytes)
{
        return (Sock){
                .peer = address(peer),
                .local_port = 9001,
                .state = TCP_ESTABLISHED,
                .has_info = true,
                .cookie = cookie,
                .bytes_received = bytes,
        };
}

static void look(KeptConns *k, Usec now, const Sock *socks, size_t n)
{
        kept_conns_begin(k, now);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(kept_conns_feed(&socks[i], k), 0);
        kept_conns_end(k);
}

static void test_each_request_but_the_first_is_a_check(void **state)
{
        _cleanup_(kept_conns_freep) KeptConns *k = NULL;
        BlockSource counted = { .addr = address("10.0.0.5"), .packets = 1, .age_usec = 9000 * MS }, *all;
        size_t n;
        Usec now = 1000 * USEC_PER_SEC;
        (void) state;
        assert_int_equal(kept_conns_new(&k), 0);
        Sock s[] = { sock("10.0.0.5", 1, 0), sock("10.0.0.6", 2, 500), sock("127.0.0.1", 3, 10) };
        look(k, now, s, 3);
        for (int i = 0; i < 5; i++) {
                now += USEC_PER_SEC;
                for (size_t j = 0; j < 3; j++)
                        s[j].bytes_received += 80;
                look(k, now, s, 3);
                /* The rest of the same request. */
                now += 50 * MS;
                s[0].bytes_received += 10;
                look(k, now, s, 3);
        }
        assert_int_equal(kept_conns_sources(k, now, &counted, 1, &all, &n), 0);
        assert_int_equal(n, 2); /* nobody of this node */
        assert_int_equal(all[0].packets, 1 + 4);
        assert_int_equal(all[1].packets, 5);
        assert_int_equal(all[1].age_usec, 50 * MS);
        free(all);
        /* One that is gone and another with the same number of bytes is not the same. */
        look(k, now, NULL, 0);
        look(k, now, s, 3);
        assert_int_equal(kept_conns_sources(k, now, NULL, 0, &all, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(all[0].packets + all[1].packets, 5 + 4);
        free(all);
}

static CutsInfo info;

/* Of ten with a request in flight some die (the answered ones with an answer), some are closed by the peer.
 */
static bool cut(unsigned died, unsigned answered, unsigned closed, Usec apart)
{
        const uint16_t port = 9001;
        _cleanup_(cuts_freep) Cuts *c = NULL;
        Sock s[10];
        Usec now = USEC_PER_SEC;

        assert_int_equal(cuts_new(&c, &port, 1), 0);
        for (size_t i = 0; i < ELEMENTS(s); i++) {
                s[i] = sock("10.0.0.5", i + 1, 100);
                s[i].data_segs_out = 3;
                s[i].last_data_sent_ms = 900;
                s[i].last_data_recv_ms = 400;
        }
        cuts_look(c, now, s, ELEMENTS(s));
        for (unsigned i = 0; i < died; i++)
                cuts_died(c, now += apart, &s[i]);
        for (unsigned i = died; i < died + answered; i++) {
                s[i].last_data_sent_ms = 0;
                cuts_died(c, now += apart, &s[i]);
        }
        for (unsigned i = died + answered; i < died + answered + closed; i++)
                s[i].state = TCP_CLOSE_WAIT;
        /* Seen twice, counted once; and not again when it dies. */
        cuts_look(c, now, s, ELEMENTS(s));
        cuts_look(c, now, s, ELEMENTS(s));
        for (unsigned i = died + answered; i < died + answered + closed; i++)
                cuts_died(c, now, &s[i]);
        return cuts_get(c, &info);
}

static void test_what_is_a_cut(void **state)
{
        (void) state;
        assert_true(cut(10, 0, 0, MS));
        assert_int_equal(info.cut, 10);
        assert_int_equal(info.in_flight, 10);
        assert_true(cut(0, 0, 10, MS));
        assert_int_equal(info.cut, 10);
        assert_true(cut(3, 2, 3, MS));
        assert_int_equal(info.cut, 6);
        assert_false(cut(0, 10, 0, MS)); /* they ended in good order */
        assert_false(cut(4, 0, 0, MS));  /* less than half */
        assert_false(cut(1, 0, 0, MS));
        assert_false(cut(10, 0, 0, 2 * USEC_PER_SEC)); /* one now and then */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_request_but_the_first_is_a_check),
                cmocka_unit_test(test_what_is_a_cut),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
