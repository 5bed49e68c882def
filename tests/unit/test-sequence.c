/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The roll machine: what it does in the usual and in bad cases, and, over many random worlds, what it never
 * does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cluster/sequence.h"

#define S(n) ((n) *USEC_PER_SEC)

static const SeqOptions usual = {
        .soak_low_usec = S(10),
        .soak_high_usec = S(120),
        .good_usec = S(3),
        .patience_usec = S(60),
};

typedef struct World {
        Sequence *s;
        Usec now;
        char log[512]; /* what was decided: "S0 G0 C1 E" */
} World;

/* One pool of @n, each a step. */
static void world_new(World *w, size_t n, unsigned max_unavailable, const SeqOptions *options)
{
        SeqPool pool = { .max_unavailable = max_unavailable };
        SeqMember members[32] = { 0 };
        SeqStep steps[32] = { 0 };
        for (size_t i = 0; i < n; i++) {
                members[i] = (SeqMember){ .health = SEQ_UP };
                steps[i] = (SeqStep){ .members = { i }, .n_members = 1 };
        }
        *w = (World){ .now = S(1000) };
        assert_int_equal(seq_new(&w->s, options, &pool, 1, members, n, steps, n), 0);
}

/* Everything it wants right now. */
static const char *decided(World *w)
{
        size_t step = 0;
        w->log[0] = '\0';
        for (int i = 0; i < 100; i++) {
                SeqAction action = seq_next(w->s, w->now, &step);
                size_t len = strlen(w->log);
                if (action == SEQ_WAIT)
                        return w->log;
                if (action == SEQ_END) {
                        (void) snprintf(w->log + len, sizeof(w->log) - len, "%sE", len ? " " : "");
                        return w->log;
                }
                (void) snprintf(w->log + len, sizeof(w->log) - len, "%s%c%zu", len ? " " : "",
                                action == SEQ_START ? 'S'
                                : action == SEQ_GO  ? 'G'
                                                    : 'C',
                                step);
        }
        fail_msg("it never waits");
        return "";
}

/* Its whole job, well, from the word on. */
static void restarted(World *w, size_t step)
{
        seq_blocked(w->s, step);
        seq_stopped(w->s, step);
        w->now += S(7);
        seq_ended(w->s, step, RESULT_DONE, false, w->now);
}

static void one_after_another_with_the_next_one_waiting_in_front_of_its_block(void **state)
{
        World w;
        (void) state;
        world_new(&w, 3, 1, &usual);
        assert_string_equal(decided(&w), "S0");
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "G0");
        restarted(&w, 0);
        /* Back: the next one looks around while this one is watched, and waits for the word. */
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        assert_string_equal(decided(&w), "");
        assert_int_equal(seq_deadline(w.s, w.now), w.now + S(10));
        w.now += S(9);
        assert_string_equal(decided(&w), "");
        w.now += S(1);
        assert_string_equal(decided(&w), "G1");
        restarted(&w, 1);
        assert_string_equal(decided(&w), "S2");
        seq_ready(w.s, 2);
        w.now += S(10);
        assert_string_equal(decided(&w), "G2");
        restarted(&w, 2);
        assert_string_equal(decided(&w), "");
        w.now += S(10);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_DONE);
        (void) seq_free(w.s);
}

static void the_first_failure_stops_it_and_leaves_the_rest(void **state)
{
        static const Result bad[] = { RESULT_HELD,           RESULT_GAVE_BACK,
                                      RESULT_NOT_READMITTED, RESULT_AGENT_UNREACHABLE,
                                      RESULT_REFUSED,        RESULT_BUSY,
                                      RESULT_NO_CHECKER,     RESULT_FAILED };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                World w;
                world_new(&w, 3, 1, &usual);
                (void) decided(&w);
                seq_ready(w.s, 0);
                (void) decided(&w);
                seq_ended(w.s, 0, bad[i], true, w.now);
                assert_string_equal(decided(&w), "E");
                assert_int_equal(seq_result(w.s), bad[i]);
                assert_int_equal(seq_state(w.s, 0), SEQ_STEP_FAILED);
                assert_int_equal(seq_state(w.s, 1), SEQ_STEP_LEFT);
                assert_int_equal(seq_state(w.s, 2), SEQ_STEP_LEFT);
                (void) seq_free(w.s);
        }
}

static void a_node_that_falls_over_while_it_is_watched_stops_it(void **state)
{
        World w;
        (void) state;
        world_new(&w, 2, 1, &usual);
        (void) decided(&w);
        seq_ready(w.s, 0);
        (void) decided(&w);
        restarted(&w, 0);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        w.now += S(5);
        seq_member(w.s, 0, SEQ_DOWN, w.now);
        w.now += S(100);
        assert_string_equal(decided(&w), "");
        w.now += S(15);
        /* The one that waits goes back, untouched, and is not called failed. */
        assert_string_equal(decided(&w), "C1");
        seq_ended(w.s, 1, RESULT_GAVE_BACK, false, w.now);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_FAILED);
        assert_int_equal(seq_state(w.s, 1), SEQ_STEP_LEFT);
        (void) seq_free(w.s);
}

static void good_means_without_a_break(void **state)
{
        World w;
        (void) state;
        world_new(&w, 2, 1, &usual);
        (void) decided(&w);
        seq_ready(w.s, 0);
        (void) decided(&w);
        restarted(&w, 0);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        for (int i = 0; i < 10; i++) {
                w.now += S(2);
                seq_member(w.s, 0, i % 2 ? SEQ_UP : SEQ_DOWN, w.now);
                assert_string_equal(decided(&w), "");
        }
        assert_int_equal(seq_deadline(w.s, w.now), w.now + S(3));
        w.now += S(3);
        assert_string_equal(decided(&w), "G1");
        (void) seq_free(w.s);
}

static void another_one_that_dies_gives_back_what_can_be_given_back(void **state)
{
        World w;
        (void) state;
        world_new(&w, 4, 1, &usual);
        (void) decided(&w);
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "G0");
        seq_blocked(w.s, 0);
        seq_member(w.s, 3, SEQ_DOWN, w.now);
        assert_true(seq_short(w.s, 0));
        assert_string_equal(decided(&w), "C0");
        assert_string_equal(decided(&w), "");
        seq_ended(w.s, 0, RESULT_GAVE_BACK, false, w.now);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_GAVE_BACK);
        (void) seq_free(w.s);

        /* Past `stop` it is told, and finished. */
        world_new(&w, 4, 1, &usual);
        (void) decided(&w);
        seq_ready(w.s, 0);
        (void) decided(&w);
        seq_stopped(w.s, 0);
        seq_member(w.s, 3, SEQ_UNKNOWN, w.now);
        assert_true(seq_short(w.s, 0));
        assert_string_equal(decided(&w), "");
        restarted(&w, 0);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        w.now += S(10);
        /* The next one waits for it, and not for ever. */
        assert_string_equal(decided(&w), "");
        const char *const names[] = { "r1", "r2", "r3", "r4" };
        char text[200];
        assert_string_equal(seq_why(w.s, w.now, names, text, sizeof(text)),
                            "r2 waits: r4 must serve first, at most 1 m more");
        w.now = seq_deadline(w.s, w.now);
        assert_string_equal(decided(&w), "C1");
        seq_ended(w.s, 1, RESULT_GAVE_BACK, false, w.now);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_REFUSED);
        (void) seq_free(w.s);
}

static void who_asks_to_stop_gets_the_node_under_way_finished(void **state)
{
        World w;
        (void) state;
        world_new(&w, 3, 1, &usual);
        (void) decided(&w);
        seq_ready(w.s, 0);
        (void) decided(&w);
        seq_blocked(w.s, 0);
        seq_stop(w.s);
        assert_string_equal(decided(&w), "");
        restarted(&w, 0);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_INTERRUPTED);
        assert_int_equal(seq_state(w.s, 0), SEQ_STEP_DONE);
        (void) seq_free(w.s);

        /* In front of the block there is nothing to finish. */
        world_new(&w, 3, 1, &usual);
        (void) decided(&w);
        seq_stop(w.s);
        assert_string_equal(decided(&w), "C0");
        seq_ended(w.s, 0, RESULT_REFUSED, false, w.now);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_INTERRUPTED);
        assert_int_equal(seq_state(w.s, 0), SEQ_STEP_LEFT);
        (void) seq_free(w.s);
}

static void no_orders_while_the_leases_are_old(void **state)
{
        World w;
        (void) state;
        world_new(&w, 2, 1, &usual);
        seq_fresh(w.s, false);
        assert_string_equal(decided(&w), "");
        seq_fresh(w.s, true);
        assert_string_equal(decided(&w), "S0");
        seq_ready(w.s, 0);
        seq_fresh(w.s, false);
        assert_string_equal(decided(&w), "");
        seq_fresh(w.s, true);
        assert_string_equal(decided(&w), "G0");
        (void) seq_free(w.s);
}

static void the_canary_goes_alone_and_then_as_many_as_are_allowed(void **state)
{
        SeqOptions o = usual;
        World w;
        (void) state;
        o.max_failures = 1;
        world_new(&w, 5, 2, &o);
        assert_string_equal(decided(&w), "S0");
        seq_ready(w.s, 0);
        (void) decided(&w);
        restarted(&w, 0);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        w.now += S(10);
        assert_string_equal(decided(&w), "G1 S2");
        seq_ready(w.s, 2);
        assert_string_equal(decided(&w), "G2");
        /* One that is held keeps its place: one at a time from now on. */
        seq_ended(w.s, 1, RESULT_HELD, true, w.now);
        assert_string_equal(decided(&w), "S3");
        seq_ready(w.s, 3);
        assert_string_equal(decided(&w), "");
        restarted(&w, 2);
        w.now += S(10);
        assert_string_equal(decided(&w), "G3 S4");
        seq_ready(w.s, 4);
        assert_string_equal(decided(&w), "");
        restarted(&w, 3);
        w.now += S(10);
        assert_string_equal(decided(&w), "G4");
        restarted(&w, 4);
        w.now += S(10);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_HELD);
        (void) seq_free(w.s);
}

static void a_sick_one_may_always_be_restarted_and_the_last_serving_one_never(void **state)
{
        SeqPool pool = { .max_unavailable = 1 };
        SeqMember members[] = { { .health = SEQ_UP }, { .health = SEQ_DOWN } };
        SeqStep steps[] = { { .members = { 1 }, .n_members = 1 }, { .members = { 0 }, .n_members = 1 } };
        World w = { .now = S(1000) };
        (void) state;
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 2, steps, 2), 0);
        assert_string_equal(decided(&w), "S0");
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "G0");
        restarted(&w, 0);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        w.now += S(10);
        assert_string_equal(decided(&w), "G1");
        (void) seq_free(w.s);

        /* A pool of one. */
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 1, steps + 1, 1), 0);
        (void) decided(&w);
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "");
        (void) seq_free(w.s);
        pool.allow_outage = true;
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 1, steps + 1, 1), 0);
        (void) decided(&w);
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "G0");
        (void) seq_free(w.s);
}

/* Two are down where one may be: restarting them takes nobody out. The one that serves waits for them. */
static void a_pool_with_several_sick_ones_can_be_cured(void **state)
{
        SeqPool pool = { .max_unavailable = 1 };
        SeqMember members[] = { { .health = SEQ_DOWN }, { .health = SEQ_DOWN }, { .health = SEQ_UP } };
        SeqStep steps[] = { { .members = { 0 }, .n_members = 1 },
                            { .members = { 1 }, .n_members = 1 },
                            { .members = { 2 }, .n_members = 1 } };
        World w = { .now = S(1000) };
        (void) state;
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 3, steps, 3), 0);
        for (size_t i = 0; i < 2; i++) {
                char start[8], go[8];
                (void) snprintf(start, sizeof(start), "S%zu", i);
                (void) snprintf(go, sizeof(go), "G%zu", i);
                assert_string_equal(decided(&w), start);
                seq_ready(w.s, i);
                assert_string_equal(decided(&w), go);
                /* ... and it is not called back for those that were missing before. */
                seq_blocked(w.s, i);
                assert_string_equal(decided(&w), "");
                restarted(&w, i);
                w.now += S(10);
        }
        assert_string_equal(decided(&w), "S2");
        seq_ready(w.s, 2);
        assert_string_equal(decided(&w), "G2");
        (void) seq_free(w.s);
}

/* Not heard of is not down: it may be the last one that serves. */
static void one_that_is_not_heard_of_may_be_the_last_that_serves(void **state)
{
        SeqPool pool = { .max_unavailable = 2 };
        SeqMember members[] = { { .health = SEQ_UNKNOWN }, { .health = SEQ_DOWN } };
        SeqStep steps[] = { { .members = { 0 }, .n_members = 1 } };
        World w = { .now = S(1000) };
        (void) state;
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 2, steps, 1), 0);
        assert_string_equal(decided(&w), "S0");
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "");
        seq_member(w.s, 0, SEQ_DOWN, w.now);
        assert_string_equal(decided(&w), "G0");
        (void) seq_free(w.s);
}

static void stages_follow_each_other_and_a_node_of_two_pools_counts_in_both(void **state)
{
        /* mp: 0 (alone), 1 (of the node with both); router: 2 (of that node), 3 */
        SeqPool pools[] = { { .max_unavailable = 1 }, { .max_unavailable = 1 } };
        SeqMember members[] = { { .pool = 0, .health = SEQ_UP },
                                { .pool = 0, .health = SEQ_UP },
                                { .pool = 1, .health = SEQ_UP },
                                { .pool = 1, .health = SEQ_UP } };
        SeqStep steps[] = { { .stage = 0, .members = { 0 }, .n_members = 1 },
                            { .stage = 1, .members = { 1, 2 }, .n_members = 2 },
                            { .stage = 2, .members = { 3 }, .n_members = 1 } };
        World w = { .now = S(1000) };
        (void) state;
        assert_int_equal(seq_new(&w.s, &usual, pools, 2, members, 4, steps, 3), 0);
        assert_string_equal(decided(&w), "S0");
        seq_ready(w.s, 0);
        assert_string_equal(decided(&w), "G0");
        restarted(&w, 0);
        w.now += S(10);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        seq_member(w.s, 3, SEQ_DOWN, w.now);
        assert_string_equal(decided(&w), "");
        seq_member(w.s, 3, SEQ_UP, w.now);
        seq_member(w.s, 0, SEQ_DOWN, w.now);
        assert_string_equal(decided(&w), "");
        seq_member(w.s, 0, SEQ_UP, w.now);
        assert_string_equal(decided(&w), "G1");
        (void) seq_free(w.s);
        steps[2].members[0] = 1;
        assert_int_equal(seq_new(&w.s, &usual, pools, 2, members, 4, steps, 3), -EINVAL);
}

static void what_was_not_needed_is_done_and_no_canary(void **state)
{
        World w;
        (void) state;
        world_new(&w, 3, 2, &usual);
        (void) decided(&w);
        seq_ended(w.s, 0, RESULT_NOT_NEEDED, false, w.now);
        assert_string_equal(decided(&w), "S1");
        seq_ready(w.s, 1);
        assert_string_equal(decided(&w), "G1");
        restarted(&w, 1);
        w.now += S(10);
        assert_string_equal(decided(&w), "S2");
        seq_ended(w.s, 2, RESULT_NOT_NEEDED, false, w.now);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_DONE);
        (void) seq_free(w.s);
        world_new(&w, 1, 1, &usual);
        (void) decided(&w);
        seq_ended(w.s, 0, RESULT_NOT_NEEDED, false, w.now);
        assert_string_equal(decided(&w), "E");
        assert_int_equal(seq_result(w.s), RESULT_NOT_NEEDED);
        (void) seq_free(w.s);
}

static void a_roll_that_is_taken_up_again_finds_what_is_under_way(void **state)
{
        SeqPool pool = { .max_unavailable = 1 };
        SeqMember members[3] = { { .health = SEQ_UP }, { .health = SEQ_UP }, { .health = SEQ_UP } };
        SeqStep steps[3] = { { .members = { 0 }, .n_members = 1, .skip = true },
                             { .members = { 1 }, .n_members = 1 },
                             { .members = { 2 }, .n_members = 1 } };
        World w = { .now = S(1000) };
        (void) state;
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 3, steps, 3), 0);
        seq_stopped(w.s, 1);
        assert_string_equal(decided(&w), "");
        restarted(&w, 1);
        assert_string_equal(decided(&w), "S2");
        (void) seq_free(w.s);
        assert_int_equal(seq_new(&w.s, &usual, &pool, 1, members, 3, steps, 3), 0);
        seq_ready(w.s, 1);
        assert_string_equal(decided(&w), "G1");
        (void) seq_free(w.s);
}

/* ---- random worlds ---- */

typedef struct Truth {
        bool serves; /* by itself */
        bool out;    /* through us */
        bool asked;  /* its job waits for the word */
        bool past_stop;
} Truth;

/*
 * Nodes die and come back, jobs end in every way, the user stops, renewals are late. Checked at each word: of
 * what is known no more is out than allowed, and somebody else serves; no word behind a failure; and it ends.
 */
static void never_more_out_than_allowed_in_any_world(void **state)
{
        static const Result ends[] = {
                RESULT_DONE, RESULT_DONE, RESULT_DONE,       RESULT_DONE,
                RESULT_DONE, RESULT_HELD, RESULT_GAVE_BACK,  RESULT_NOT_READMITTED,
                RESULT_DONE, RESULT_DONE, RESULT_NOT_NEEDED, RESULT_AGENT_UNREACHABLE
        };
        const char *given = getenv("SEED");
        unsigned seed = given ? (unsigned) strtoul(given, NULL, 10) : 20261128;
        unsigned words = 0, cancels = 0, finished = 0;
        (void) state;
        print_message("SEED=%u\n", seed);
        for (unsigned run = 0; run < 4000; run++) {
                srandom(seed + run);
                size_t n = 1 + (size_t) random() % 8;
                unsigned most = 1 + (unsigned) random() % 3, failures = 0;
                SeqOptions o = usual;
                o.max_failures = (unsigned) random() % most;
                World w;
                Truth truth[8] = { 0 };
                bool fresh = true, stopped = false;
                world_new(&w, n, most, &o);
                for (size_t i = 0; i < n; i++)
                        truth[i].serves = true;
                bool over = false;
                for (unsigned turn = 0; turn < 3000 && !over; turn++) {
                        size_t i = 0;
                        SeqAction action = seq_next(w.s, w.now, &i);
                        if (action == SEQ_END) {
                                over = true;
                                continue;
                        }
                        if (action == SEQ_START) {
                                assert_true(fresh && failures <= o.max_failures && !stopped);
                                truth[i].asked = true;
                                continue;
                        }
                        if (action == SEQ_GO) {
                                unsigned missing = 0, serving = 0;
                                words++;
                                assert_true(fresh && failures <= o.max_failures && !stopped);
                                for (size_t k = 0; k < n; k++) {
                                        bool bad = !truth[k].serves || truth[k].out;
                                        missing += k != i && bad;
                                        serving += k != i && !bad;
                                }
                                /* What is known to be down may always be restarted. */
                                assert_true(missing + 1 <= most || !truth[i].serves);
                                assert_true(serving > 0 || !truth[i].serves);
                                truth[i].out = true;
                                truth[i].asked = false;
                                continue;
                        }
                        if (action == SEQ_CANCEL) {
                                cancels++;
                                assert_false(truth[i].past_stop);
                                truth[i].out = truth[i].asked = false;
                                failures += seq_state(w.s, i) == SEQ_STEP_GOING;
                                seq_ended(w.s, i, RESULT_GAVE_BACK, false, w.now);
                                continue;
                        }
                        /* Something happens. */
                        w.now += (Usec) (1 + random() % 4) * USEC_PER_SEC;
                        i = (size_t) random() % n;
                        Truth *t = &truth[i];
                        switch (random() % 9) {
                        case 0:
                                if (!t->out && random() % 4 == 0) {
                                        t->serves = false;
                                        seq_member(w.s, i, random() % 2 ? SEQ_DOWN : SEQ_UNKNOWN, w.now);
                                }
                                break;
                        case 1:
                                if (!t->out && !t->serves) {
                                        t->serves = true;
                                        seq_member(w.s, i, SEQ_UP, w.now);
                                }
                                break;
                        case 2:
                        case 3:
                                if (t->asked)
                                        seq_ready(w.s, i);
                                break;
                        case 4:
                                if (t->out && !t->past_stop) {
                                        seq_stopped(w.s, i);
                                        t->past_stop = true;
                                }
                                break;
                        case 5:
                        case 6:
                                if (t->out || (t->asked && random() % 20 == 0)) {
                                        Result r = ends[(size_t) random() % ELEMENTS(ends)];
                                        bool bad = r == RESULT_HELD || r == RESULT_NOT_READMITTED ||
                                                   r == RESULT_AGENT_UNREACHABLE;
                                        if (t->asked && r == RESULT_DONE)
                                                r = RESULT_REFUSED;
                                        t->serves = r == RESULT_DONE || (!bad && t->serves);
                                        failures += r != RESULT_DONE && r != RESULT_NOT_NEEDED;
                                        t->out = t->asked = t->past_stop = false;
                                        seq_ended(w.s, i, r, !t->serves, w.now);
                                }
                                break;
                        case 7:
                                fresh = random() % 3 > 0;
                                seq_fresh(w.s, fresh);
                                break;
                        default:
                                if (random() % 200 == 0) {
                                        seq_stop(w.s);
                                        stopped = true;
                                }
                        }
                        /* A step that is watched may fail by itself. */
                        size_t done, failed, all;
                        seq_counts(w.s, &done, &failed, &all);
                        failures = MAX(failures, (unsigned) failed);
                }
                if (!over)
                        fail_msg("run %u does not end", run);
                for (size_t i = 0; i < n; i++)
                        assert_false(truth[i].out);
                finished += seq_result(w.s) == RESULT_DONE;
                (void) seq_free(w.s);
        }
        /* The worlds are not all alike. */
        print_message("%u words, %u cancels, %u of 4000 done\n", words, cancels, finished);
        assert_true(words > 4000 && cancels > 100 && finished > 100 && finished < 3900);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_after_another_with_the_next_one_waiting_in_front_of_its_block),
                cmocka_unit_test(the_first_failure_stops_it_and_leaves_the_rest),
                cmocka_unit_test(a_node_that_falls_over_while_it_is_watched_stops_it),
                cmocka_unit_test(good_means_without_a_break),
                cmocka_unit_test(another_one_that_dies_gives_back_what_can_be_given_back),
                cmocka_unit_test(who_asks_to_stop_gets_the_node_under_way_finished),
                cmocka_unit_test(no_orders_while_the_leases_are_old),
                cmocka_unit_test(the_canary_goes_alone_and_then_as_many_as_are_allowed),
                cmocka_unit_test(a_sick_one_may_always_be_restarted_and_the_last_serving_one_never),
                cmocka_unit_test(a_pool_with_several_sick_ones_can_be_cured),
                cmocka_unit_test(one_that_is_not_heard_of_may_be_the_last_that_serves),
                cmocka_unit_test(stages_follow_each_other_and_a_node_of_two_pools_counts_in_both),
                cmocka_unit_test(what_was_not_needed_is_done_and_no_canary),
                cmocka_unit_test(a_roll_that_is_taken_up_again_finds_what_is_under_way),
                cmocka_unit_test(never_more_out_than_allowed_in_any_world),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
