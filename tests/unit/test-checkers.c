/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Checkers: learned, awaited, dropped, noticed, back. Time is simulated: a world of sources with intervals.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/checkers.h"

#define MS   USEC_PER_MSEC
#define SEC  USEC_PER_SEC
#define POLL (50 * MS)

typedef struct Sim {
        Checkers *c;
        Usec now;
        BlockSource sources[8];
        Usec interval[8], next[8];
        size_t n;
        uint64_t connections;
        Usec connection_interval, next_connection; /* 0: none come */
} Sim;

static Addr address(const char *text)
{
        Addr a;
        assert_true(addr_parse(text, &a));
        return a;
}

static void sim_begin(Sim *s, Usec configured, bool mixed, Usec watch_max)
{
        CheckersConfig config = {
                .interval_usec = configured,
                .fall = 3,
                .rise = 2,
                .mixed = mixed,
                .watch_max_usec = watch_max,
        };
        *s = (Sim){ .now = 1000 * SEC };
        assert_int_equal(checkers_new(&s->c, &config), 0);
}

static size_t sim_source(Sim *s, const char *addr, Usec interval, Usec offset)
{
        s->sources[s->n] = (BlockSource){ .addr = address(addr) };
        s->interval[s->n] = interval;
        s->next[s->n] = s->now + offset;
        return s->n++;
}

static void sim_step(Sim *s)
{
        s->now += POLL;
        for (size_t i = 0; i < s->n; i++)
                while (s->interval[i] && s->next[i] <= s->now) {
                        s->sources[i].packets++;
                        s->next[i] += s->interval[i];
                }
        while (s->connection_interval && s->next_connection <= s->now) {
                s->connections++;
                s->next_connection += s->connection_interval;
        }
        checkers_feed(s->c, s->now, s->sources, s->n);
        checkers_new_connections(s->c, s->now, s->connections);
}

static Usec sim_watch(Sim *s)
{
        Usec begin = s->now;
        checkers_watch_begin(s->c, s->now, s->sources, s->n);
        while (!checkers_watched(s->c, s->now))
                sim_step(s);
        return s->now - begin;
}

/* Returns how long notice took, USEC_INFINITY when it did not come within @limit. */
static Usec sim_notice(Sim *s, Usec limit)
{
        Usec begin = s->now;
        checkers_block_begin(s->c, s->now, s->sources, s->n);
        while (s->now - begin < limit) {
                sim_step(s);
                if (checkers_noticed(s->c, s->now))
                        return s->now - begin;
        }
        return USEC_INFINITY;
}

static void test_one_checker(void **state)
{
        Sim s;
        CheckerInfo info;
        (void) state;
        sim_begin(&s, 0, false, 12 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 300 * MS);
        assert_int_equal(sim_watch(&s), 12 * SEC); /* nobody known: the whole time, another may be slower */
        assert_int_equal(checkers_count(s.c), 1);
        assert_true(checkers_get(s.c, 0, &info));
        assert_in_range(info.interval_usec, 950 * MS, 1050 * MS);
        Usec took = sim_notice(&s, 60 * SEC);
        /* Three refusals: between two and three intervals after the block, and a window of one. */
        assert_in_range(took, 2 * SEC, 3 * SEC + 2 * POLL);
        checkers_free(s.c);
}

static void test_learned_is_confirmed_early(void **state)
{
        Sim s;
        Addr a = address("10.0.0.5");
        (void) state;
        sim_begin(&s, 0, false, 12 * SEC);
        checkers_learned(s.c, &a, SEC);
        sim_source(&s, "10.0.0.5", SEC, 300 * MS);
        assert_in_range(sim_watch(&s), SEC, 2 * SEC);
        assert_int_equal(checkers_count(s.c), 1);
        checkers_free(s.c);
}

static void test_learned_but_gone(void **state)
{
        Sim s;
        Addr a = address("10.0.0.5");
        (void) state;
        sim_begin(&s, 0, false, 12 * SEC);
        checkers_learned(s.c, &a, SEC);
        assert_int_equal(sim_watch(&s), 12 * SEC);
        assert_int_equal(checkers_count(s.c), 0); /* known once proves nothing today */
        checkers_free(s.c);
}

static void test_visitor(void **state)
{
        Sim s;
        CheckerInfo info;
        (void) state;
        sim_begin(&s, 0, false, 12 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        size_t v = sim_source(&s, "10.0.0.99", 600 * SEC, 200 * MS);
        (void) sim_watch(&s);
        assert_int_equal(checkers_count(s.c), 1);
        assert_true(checkers_get(s.c, v, &info));
        assert_false(info.awaited);
        assert_true(sim_notice(&s, 60 * SEC) < 4 * SEC); /* not waited for */
        checkers_free(s.c);
}

/* A slow one, seen once while watching, shows itself during notice: then it is awaited. */
static void test_slow_one_is_awaited_when_it_comes_back(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", 2 * SEC, 100 * MS);
        sim_source(&s, "10.0.0.6", 3 * SEC, 2 * SEC);
        (void) sim_watch(&s);
        assert_int_equal(checkers_count(s.c), 1);
        Usec took = sim_notice(&s, 60 * SEC);
        assert_int_equal(checkers_count(s.c), 2);
        assert_in_range(took, 6 * SEC, 10 * SEC);
        checkers_free(s.c);
}

static void test_new_connections_keep_it_waiting(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        s.connection_interval = 100 * MS;
        s.next_connection = s.now;
        (void) sim_watch(&s);
        assert_int_equal(sim_notice(&s, 60 * SEC), USEC_INFINITY);
        s.connection_interval = 0;
        assert_true(sim_notice(&s, 60 * SEC) < 5 * SEC);
        checkers_free(s.c);
}

/* Few connections need a longer silence to mean something; the window says how long, and has a ceiling. */
static void test_window_follows_the_traffic(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 12 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        s.connection_interval = 1500 * MS;
        s.next_connection = s.now;
        (void) sim_watch(&s);
        s.connection_interval = 0;
        Usec took = sim_notice(&s, 60 * SEC);
        assert_in_range(checkers_window(s.c), 6 * SEC, 8 * SEC);
        assert_true(took >= checkers_window(s.c));
        checkers_free(s.c);

        sim_begin(&s, 0, false, 12 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        s.connection_interval = 6 * SEC;
        s.next_connection = s.now;
        (void) sim_watch(&s);
        s.connection_interval = 0;
        (void) sim_notice(&s, 60 * SEC);
        assert_int_equal(checkers_window(s.c), 10 * SEC);
        checkers_free(s.c);
}

static void test_dropped_when_it_stops(void **state)
{
        Sim s;
        CheckerInfo info;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        size_t gone = sim_source(&s, "10.0.0.6", SEC, 500 * MS);
        (void) sim_watch(&s);
        assert_int_equal(checkers_count(s.c), 2);
        s.interval[gone] = 0;
        Usec took = sim_notice(&s, 60 * SEC);
        assert_in_range(took, 3 * SEC, 5 * SEC);
        assert_true(checkers_get(s.c, gone, &info));
        assert_true(info.dropped);
        checkers_free(s.c);
}

/* When the only one stops coming, its silence is no proof. */
static void test_all_gone_is_not_noticed(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        (void) sim_watch(&s);
        s.interval[0] = 0;
        assert_int_equal(sim_notice(&s, 60 * SEC), USEC_INFINITY);
        checkers_free(s.c);
}

static void test_configured_without_anybody(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 2 * SEC, false, 4 * SEC);
        (void) sim_watch(&s);
        assert_int_equal(checkers_count(s.c), 0);
        assert_in_range(sim_notice(&s, 60 * SEC), 6 * SEC, 6 * SEC + POLL);
        checkers_free(s.c);
}

/* Requests and checks on one port: many refusals at once are no notice; a pace of checks for long enough is.
 */
static void test_mixed_port(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, SEC, true, 4 * SEC);
        size_t checks = sim_source(&s, "10.0.0.7", 20 * MS, 0);
        (void) sim_watch(&s);
        assert_int_equal(checkers_count(s.c), 1);
        assert_int_equal(sim_notice(&s, 20 * SEC), USEC_INFINITY); /* it goes on sending requests */

        s.interval[checks] = SEC; /* marked down: only checks now */
        Usec took = sim_notice(&s, 20 * SEC);
        assert_in_range(took, 3 * SEC, 5 * SEC);
        checkers_free(s.c);
}

static void test_return(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        sim_source(&s, "10.0.0.6", 2 * SEC, 0);
        (void) sim_watch(&s);
        (void) sim_notice(&s, 60 * SEC);
        checkers_return_begin(s.c, s.now, s.sources, s.n);
        Usec begin = s.now;
        assert_false(checkers_returned(s.c, s.now));
        while (!checkers_returned(s.c, s.now))
                sim_step(&s);
        assert_in_range(s.now - begin, 2 * SEC, 4 * SEC + POLL); /* two checks of the slower one */
        checkers_free(s.c);
}

/* The kernel forgets a source after an hour and counts it from zero again. */
static void test_counter_starts_again(void **state)
{
        Sim s;
        CheckerInfo info;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        s.sources[0].packets = 3600;
        (void) sim_watch(&s);
        checkers_block_begin(s.c, s.now, s.sources, s.n);
        s.sources[0].packets = 0;
        for (int i = 0; i < 40; i++)
                sim_step(&s);
        assert_true(checkers_get(s.c, 0, &info));
        assert_in_range(info.count, 1, 3);
        checkers_free(s.c);
}

static void test_many_sources(void **state)
{
        Sim s;
        BlockSource many[2 * CHECKERS_MAX];
        CheckerInfo info;
        char text[400];
        size_t n = 0;
        (void) state;
        sim_begin(&s, 0, false, SEC);
        for (size_t i = 0; i < ELEMENTS(many); i++) {
                uint8_t b[4] = { 10, 1, (uint8_t) (i >> 8), (uint8_t) i };
                many[i] = (BlockSource){ .addr = addr_from(AF_INET, b), .packets = 5 };
        }
        checkers_watch_begin(s.c, s.now, NULL, 0);
        checkers_feed(s.c, s.now + SEC, many, ELEMENTS(many));
        while (checkers_get(s.c, n, &info))
                n++;
        assert_int_equal(n, CHECKERS_MAX);
        (void) checkers_text(s.c, s.now + SEC, text, sizeof(text));
        assert_non_null(strstr(text, "more"));
        for (size_t size = 1; size < sizeof(text); size++)
                assert_true(strlen(checkers_text(s.c, s.now + SEC, text, size)) < size);
        checkers_free(s.c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_checker),
                cmocka_unit_test(test_learned_is_confirmed_early),
                cmocka_unit_test(test_learned_but_gone),
                cmocka_unit_test(test_visitor),
                cmocka_unit_test(test_slow_one_is_awaited_when_it_comes_back),
                cmocka_unit_test(test_new_connections_keep_it_waiting),
                cmocka_unit_test(test_window_follows_the_traffic),
                cmocka_unit_test(test_dropped_when_it_stops),
                cmocka_unit_test(test_all_gone_is_not_noticed),
                cmocka_unit_test(test_configured_without_anybody),
                cmocka_unit_test(test_mixed_port),
                cmocka_unit_test(test_return),
                cmocka_unit_test(test_counter_starts_again),
                cmocka_unit_test(test_many_sources),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
