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
        int origin[8];      /* which source's address it comes from; itself, unless several share one */
        Usec jitter, exact; /* lateness at random; the reader's clock: 0 for the grid of POLL */
        unsigned seed;
        Usec late[8];
        unsigned came[8]; /* checks of each, in this stage */
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
                .resolution_usec = POLL,
        };
        *s = (Sim){ .now = 1000 * SEC };
        assert_int_equal(checkers_new(&s->c, &config), 0);
}

/* As on a real kernel: the time of the last arrival is known to a tick. */
static void sim_begin_exact(Sim *s, unsigned seed, Usec watch_max)
{
        CheckersConfig config = {
                .fall = 3,
                .rise = 2,
                .watch_max_usec = watch_max,
                .resolution_usec = 12 * MS,
        };
        *s = (Sim){ .now = 1000 * SEC, .exact = 4 * MS, .jitter = 3 * MS, .seed = seed };
        assert_int_equal(checkers_new(&s->c, &config), 0);
}

static Usec sim_random(Sim *s, Usec below)
{
        return below ? (Usec) rand_r(&s->seed) % below : 0;
}

static size_t sim_source(Sim *s, const char *addr, Usec interval, Usec offset)
{
        s->origin[s->n] = (int) s->n;
        s->sources[s->n] = (BlockSource){ .addr = address(addr) };
        s->interval[s->n] = interval;
        s->next[s->n] = s->now + offset;
        return s->n++;
}

/* Another one behind the address of @first. */
static size_t sim_behind(Sim *s, size_t first, Usec interval, Usec offset)
{
        s->interval[s->n] = interval;
        s->next[s->n] = s->now + offset;
        s->origin[s->n] = (int) first;
        s->sources[s->n].addr = s->sources[first].addr;
        return s->n++;
}

static void sim_step(Sim *s)
{
        Usec last[8] = { 0 };
        s->now += POLL;
        for (size_t i = 0; i < s->n; i++)
                while (s->interval[i] && s->next[i] <= s->now) {
                        s->sources[s->origin[i]].packets++;
                        s->came[i]++;
                        last[s->origin[i]] = MAX(last[s->origin[i]], s->next[i]);
                        s->next[i] += s->interval[i] - s->late[i];
                        s->late[i] = sim_random(s, s->jitter);
                        s->next[i] += s->late[i];
                }
        for (size_t i = 0; i < s->n; i++)
                s->sources[i].age_usec = s->exact && last[i] ? (s->now - last[i]) / s->exact * s->exact : 0;
        while (s->connection_interval && s->next_connection <= s->now) {
                s->connections++;
                s->next_connection += s->connection_interval;
        }
        /* Those behind another's address have none of their own. */
        BlockSource seen[8];
        size_t n = 0;
        for (size_t i = 0; i < s->n; i++)
                if (s->origin[i] == (int) i)
                        seen[n++] = s->sources[i];
        checkers_feed(s->c, s->now, seen, n);
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
        memset(s->came, 0, sizeof(s->came));
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
        checkers_learned(s.c, &a, SEC, 1);
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
        checkers_learned(s.c, &a, SEC, 1);
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

/* Behind TLS: the Management Server asks the same port, more often than the routers. */
static void test_only_routers_are_awaited(void **state)
{
        (void) state;
        Sim s;
        CheckerInfo info;
        sim_begin(&s, 0, false, 12 * SEC);
        sim_source(&s, "10.0.0.5", 5 * SEC, SEC);
        sim_source(&s, "10.0.0.9", SEC / 2, SEC / 4);
        checkers_watch_begin(s.c, s.now, NULL, 0);
        for (int i = 0; i < 100; i++)
                sim_step(&s);
        /* Who is a router turns out while he is watched: his interval is what was seen since the beginning.
         */
        const Addr router = address("10.0.0.5");
        checkers_only(s.c, &router, 1);
        while (!checkers_watched(s.c, s.now))
                sim_step(&s);
        for (size_t i = 0; checkers_get(s.c, i, &info); i++)
                if (!addr_equal(&info.addr, &router))
                        assert_true(info.count > 10);
        checkers_free(s.c);

        sim_begin(&s, 0, false, 12 * SEC);
        sim_source(&s, "10.0.0.5", 5 * SEC, SEC);
        sim_source(&s, "10.0.0.9", SEC / 2, SEC / 4);
        checkers_only(s.c, &router, 1);
        checkers_watch_begin(s.c, s.now, NULL, 0);
        while (!checkers_watched(s.c, s.now))
                sim_step(&s);
        assert_int_equal(checkers_count(s.c), 1);
        assert_in_range(checkers_slowest(s.c), 4 * SEC, 6 * SEC);
        char text[200];
        assert_non_null(strstr(checkers_text(s.c, s.now, text, sizeof(text)), "not awaited: 10.0.0.9"));
        /* Only he is refused, and only his return counts. */
        checkers_return_begin(s.c, s.now, s.sources, s.n);
        for (Usec until = s.now + 3 * SEC; s.now < until;)
                sim_step(&s);
        assert_false(checkers_returned(s.c, s.now));
        for (Usec until = s.now + 9 * SEC; s.now < until;)
                sim_step(&s);
        assert_true(checkers_returned(s.c, s.now));
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

/* One that died while it was refused does not keep the other from being enough; unless it comes again. */
static void test_return_without_the_dead_one(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        sim_source(&s, "10.0.0.6", SEC, 500 * MS);
        (void) sim_watch(&s);
        s.interval[0] = 0;
        assert_true(sim_notice(&s, 60 * SEC) != USEC_INFINITY);
        assert_int_equal(checkers_count(s.c), 1);
        checkers_return_begin(s.c, s.now, s.sources, s.n);
        Usec begin = s.now;
        while (!checkers_returned(s.c, s.now) && s.now - begin < 10 * SEC)
                sim_step(&s);
        assert_in_range(s.now - begin, SEC, 3 * SEC);
        checkers_return_begin(s.c, s.now, s.sources, s.n);
        s.sources[0].packets++;
        sim_step(&s);
        assert_int_equal(checkers_count(s.c), 2);
        checkers_free(s.c);
}

/* It died between the notice and the opening: passed over, but never the last one. */
static void test_return_while_one_is_silent(void **state)
{
        Sim s;
        (void) state;
        sim_begin(&s, 0, false, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 0);
        sim_source(&s, "10.0.0.6", SEC, 500 * MS);
        (void) sim_watch(&s);
        assert_true(sim_notice(&s, 60 * SEC) != USEC_INFINITY);
        for (int all = 0; all < 2; all++) {
                s.interval[0] = 0;
                s.interval[1] = all ? 0 : SEC;
                checkers_return_begin(s.c, s.now, s.sources, s.n);
                Usec begin = s.now;
                while (!checkers_returned(s.c, s.now) && s.now - begin < 30 * SEC)
                        sim_step(&s);
                assert_in_range(s.now - begin, all ? 30 * SEC : 3 * SEC, all ? 30 * SEC : 4 * SEC);
        }
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

/* ---- several behind one address ---- */

#define SEEDS 400

/* What @n of them had got when it was called noticed: all at least `fall` refusals. Return: how often not. */
static unsigned shared_run(unsigned n, const Usec *interval, Usec watch, bool grid, Usec *ret_mean)
{
        unsigned early = 0;
        Usec sum = 0;

        for (unsigned seed = 1; seed <= SEEDS; seed++) {
                Sim s;
                sim_begin_exact(&s, seed, watch);
                if (grid) {
                        checkers_free(s.c);
                        sim_begin(&s, 0, false, watch);
                        s.seed = seed;
                        s.jitter = 3 * MS;
                }
                size_t first = sim_source(&s, "10.0.0.5", interval[0], sim_random(&s, interval[0]));
                for (unsigned i = 1; i < n; i++)
                        (void) sim_behind(&s, first, interval[i], sim_random(&s, interval[i]));
                (void) sim_watch(&s);
                Usec took = sim_notice(&s, 300 * SEC);
                assert_true(took != USEC_INFINITY);
                sum += took;
                for (unsigned i = 0; i < n; i++)
                        if (s.came[i] < 3) {
                                early++;
                                break;
                        }
                /* And all are let in again before it is said. */
                memset(s.came, 0, sizeof(s.came));
                checkers_return_begin(s.c, s.now, s.sources, 1);
                while (!checkers_returned(s.c, s.now))
                        sim_step(&s);
                for (unsigned i = 0; i < n && interval[i] * 2 <= watch; i++)
                        if (s.came[i] < 2) {
                                early++;
                                break;
                        }
                checkers_free(s.c);
        }
        *ret_mean = sum / SEEDS;
        return early;
}

static void test_one_is_as_quick_as_ever(void **state)
{
        const Usec intervals[] = { 500 * MS, SEC, 1010 * MS, 1025 * MS, 2 * SEC, 5 * SEC };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(intervals); i++)
                for (int grid = 0; grid < 2; grid++) {
                        Usec mean;
                        unsigned early = shared_run(1, &intervals[i], 12 * SEC, grid, &mean);
                        print_message("one, every %.2f s%s: noticed after %.2f s\n", time_sec(intervals[i]),
                                      grid ? " (grid)" : "", time_sec(mean));
                        assert_int_equal(early, 0);
                        assert_true(mean <= intervals[i] * 5 / 2 + 300 * MS);
                }
}

static void test_several_behind_one_address(void **state)
{
        static const struct {
                unsigned n;
                Usec interval[4];
                Usec at_most; /* mean */
        } worlds[] = {
                { 2, { SEC, SEC }, 4 * SEC },           { 2, { 2 * SEC, 2 * SEC }, 8 * SEC },
                { 2, { 5 * SEC, 5 * SEC }, 20 * SEC },  { 3, { 2 * SEC, 2 * SEC, 2 * SEC }, 8 * SEC },
                { 2, { SEC, 3 * SEC }, 14 * SEC },      { 2, { SEC, 2 * SEC }, 12 * SEC },
                { 2, { 2 * SEC, 3 * SEC }, 19 * SEC },  { 2, { 500 * MS, 5 * SEC }, 20 * SEC },
                { 3, { SEC, SEC, 4 * SEC }, 19 * SEC },
        };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(worlds); i++)
                for (int grid = 0; grid < 2; grid++) {
                        Usec mean;
                        unsigned early = shared_run(worlds[i].n, worlds[i].interval, 12 * SEC, grid, &mean);
                        print_message(
                                "%u, the first two every %.1f and %.1f s%s: noticed after %.2f s, %u of %d early\n",
                                worlds[i].n, time_sec(worlds[i].interval[0]), time_sec(worlds[i].interval[1]),
                                grid ? " (grid)" : "", time_sec(mean), early, SEEDS);
                        assert_true(mean <= worlds[i].at_most);
                        /* Exactly between each other two look like one; the coarser the clock the oftener. */
                        assert_true(early <= (grid ? SEEDS / 5 : SEEDS / 25));
                }
}

/* Half a period apart they look like one; an earlier job has seen that they are two. */
static void test_learned_pair_is_not_taken_for_one(void **state)
{
        Sim s;
        CheckerInfo info;
        Addr a = address("10.0.0.5");
        (void) state;
        sim_begin_exact(&s, 1, 12 * SEC);
        checkers_learned(s.c, &a, 2 * SEC, 2);
        size_t first = sim_source(&s, "10.0.0.5", 2 * SEC, 300 * MS);
        (void) sim_behind(&s, first, 2 * SEC, 1300 * MS);
        (void) sim_watch(&s);
        assert_true(checkers_get(s.c, 0, &info));
        assert_int_equal(info.lanes, 2);
        assert_in_range(info.interval_usec, 1900 * MS, 2100 * MS);
        (void) sim_notice(&s, 60 * SEC);
        assert_true(s.came[0] >= 3 && s.came[1] >= 3);
        checkers_free(s.c);
}

/* One that comes more seldom than the watch lasts, and is known: it is waited for. */
static void test_learned_slow_one_is_waited_for(void **state)
{
        Sim s;
        Addr a = address("10.0.0.5");
        (void) state;
        sim_begin_exact(&s, 1, 12 * SEC);
        checkers_learned(s.c, &a, 30 * SEC, 1);
        sim_source(&s, "10.0.0.5", 30 * SEC, 29 * SEC);
        assert_in_range(checkers_watch_limit(s.c), 30 * SEC, 40 * SEC);
        assert_in_range(sim_watch(&s), 29 * SEC, 30 * SEC);
        assert_int_equal(checkers_count(s.c), 1);
        assert_in_range(sim_notice(&s, 200 * SEC), 89 * SEC, 91 * SEC);
        checkers_free(s.c);
}

/* One refusal is enough to await somebody who goes on sending; and what was refused before is not forgotten.
 */
static void test_connections_after_the_notice(void **state)
{
        Sim s;
        CheckerInfo info;
        Addr a = address("10.0.0.6");
        (void) state;
        sim_begin_exact(&s, 1, 4 * SEC);
        sim_source(&s, "10.0.0.5", SEC, 300 * MS);
        (void) sim_watch(&s);
        assert_true(sim_notice(&s, 20 * SEC) != USEC_INFINITY);
        size_t late = sim_source(&s, "10.0.0.6", SEC, 100 * MS);
        s.connections++;
        sim_step(&s);
        sim_step(&s);
        checkers_block_again(s.c, s.now);
        checkers_connecting(s.c, &a);
        assert_false(checkers_noticed(s.c, s.now));
        Usec begin = s.now;
        while (!checkers_noticed(s.c, s.now))
                sim_step(&s);
        assert_true(checkers_get(s.c, late, &info));
        assert_true(info.awaited);
        assert_true(s.came[late] >= 3);
        assert_in_range(s.now - begin, 19 * SEC / 10, 3 * SEC);
        checkers_free(s.c);
}

/* As many as fit have come once; one who comes again still finds a place. */
static void test_a_crowd_does_not_hide_a_checker(void **state)
{
        Sim s;
        BlockSource crowd[CHECKERS_MAX + 1];
        (void) state;
        sim_begin(&s, 0, false, 12 * SEC);
        for (size_t i = 0; i < CHECKERS_MAX; i++) {
                uint8_t b[4] = { 10, 1, (uint8_t) (i >> 8), (uint8_t) i };
                crowd[i] = (BlockSource){ .addr = addr_from(AF_INET, b), .packets = 1 };
        }
        crowd[CHECKERS_MAX] = (BlockSource){ .addr = address("10.9.9.9") };
        checkers_watch_begin(s.c, s.now, NULL, 0);
        for (int i = 1; i < 6; i++) {
                crowd[CHECKERS_MAX].packets++;
                s.now += SEC;
                checkers_feed(s.c, s.now, crowd, ELEMENTS(crowd));
        }
        assert_int_equal(checkers_count(s.c), 1);
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
                cmocka_unit_test(test_only_routers_are_awaited),
                cmocka_unit_test(test_return),
                cmocka_unit_test(test_return_without_the_dead_one),
                cmocka_unit_test(test_return_while_one_is_silent),
                cmocka_unit_test(test_counter_starts_again),
                cmocka_unit_test(test_one_is_as_quick_as_ever),
                cmocka_unit_test(test_several_behind_one_address),
                cmocka_unit_test(test_learned_pair_is_not_taken_for_one),
                cmocka_unit_test(test_learned_slow_one_is_waited_for),
                cmocka_unit_test(test_connections_after_the_notice),
                cmocka_unit_test(test_a_crowd_does_not_hide_a_checker),
                cmocka_unit_test(test_many_sources),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
