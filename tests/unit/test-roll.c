/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The phase machine: the way of each kind, and every event sequence up to a length. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/roll.h"

#define DEPTH 16 /* events in a row that are tried, all combinations of those that lead on */

/* The recorder: what the machine did to the world, as a job would. */
typedef struct World {
        Roll *roll;
        Phase inside; /* entered and not left; PHASE_NONE between */
        unsigned entered[PHASE_COUNT];
        unsigned finished;
        Result result;
        bool blocked, monit_off, stopped, started_ok, held, recover, undo_failed;
        RollEvent answer; /* fed from within enter() when >= 0 */
} World;

static void on_enter(Phase phase, void *userdata)
{
        World *w = userdata;
        assert_int_equal(w->inside, PHASE_NONE);
        assert_int_equal(w->finished, 0);
        w->inside = phase;
        w->entered[phase]++;
        if (phase == PHASE_BLOCK)
                w->blocked = true;
        if (phase == PHASE_STOP_MONIT)
                w->monit_off = true;
        if (phase == PHASE_STOP || w->recover)
                w->stopped = true;
        if ((int) w->answer >= 0)
                assert_true(roll_feed(w->roll, w->answer, RESULT_INVALID, 1));
}

static void on_leave(Phase phase, RollEvent event, void *userdata)
{
        World *w = userdata;
        assert_int_equal(w->inside, phase);
        w->inside = PHASE_NONE;
        if (phase == PHASE_STOP && (event == ROLL_EV_BACK || event == ROLL_EV_REFUSED))
                w->stopped = false; /* the predecessor died before it called stop; or systemd did not do it */
        w->undo_failed = w->undo_failed || (phase == PHASE_UNDO && event != ROLL_EV_OK);
        if (event != ROLL_EV_OK)
                return;
        switch (phase) {
        case PHASE_UNDO:
                w->blocked = w->monit_off = false;
                break;
        case PHASE_HOLD:
                w->held = true;
                w->monit_off = false;
                break;
        case PHASE_VERIFY:
                w->started_ok = true;
                break;
        case PHASE_START_MONIT:
                w->monit_off = false;
                break;
        case PHASE_UNBLOCK:
                w->blocked = false;
                break;
        default:
                break;
        }
}

static void on_finished(Result result, void *userdata)
{
        World *w = userdata;
        assert_int_equal(w->inside, PHASE_NONE);
        w->finished++;
        w->result = result;
}

static const RollEffects effects = { .enter = on_enter, .leave = on_leave, .finished = on_finished };

static void world_begin(World *w, RollKind kind)
{
        Usec limits[PHASE_COUNT];
        for (int i = 0; i < PHASE_COUNT; i++)
                limits[i] = 10;
        *w = (World){ .answer = ROLL_EVENT_INVALID, .recover = kind == ROLL_RECOVER };
        assert_int_equal(roll_new(&w->roll, kind, &effects, limits, w), 0);
}

static void test_ways(void **state)
{
        static const char *const ways[ROLL_KIND_COUNT] = {
                [ROLL_RESTART] =
                        "preflight discover watch place block notice stop-monit drain gate stop start ready verify "
                        "start-monit unblock return ",
                [ROLL_RESTART_GRACEFUL] =
                        "preflight discover watch place stop-monit stop block start ready verify start-monit "
                        "unblock return ",
                [ROLL_RESTART_HELD] =
                        "preflight discover place block stop-monit drain gate stop start ready verify start-monit "
                        "unblock return ",
                [ROLL_RESTART_RMP] =
                        "preflight discover watch place block notice stop-monit drain partner gate stop start "
                        "ready verify start-monit unblock return ",
                [ROLL_RESTART_NOW] =
                        "preflight discover place block stop-monit gate stop start ready verify start-monit unblock "
                        "return ",
                [ROLL_START] =
                        "preflight discover place block stop-monit start ready verify start-monit unblock return ",
                [ROLL_DRAIN] = "preflight discover watch place block notice drain hold ",
                [ROLL_UNDRAIN] = "preflight discover unblock return ",
                [ROLL_DRY_RUN] = "preflight discover ",
                [ROLL_DOCTOR] = "preflight discover watch undo ",
                [ROLL_RECOVER] = "block start ready verify start-monit unblock return ",
        };
        (void) state;
        for (RollKind kind = 0; kind < ROLL_KIND_COUNT; kind++) {
                char seen[512] = "";
                for (Phase p = roll_next(kind, PHASE_NONE); p != PHASE_END; p = roll_next(kind, p)) {
                        (void) strcat(seen, phase_name(p));
                        (void) strcat(seen, " ");
                }
                assert_string_equal(seen, ways[kind]);
                assert_int_equal(roll_kind_from_name(roll_kind_name(kind)), kind);
        }
}

/* Effects that answer at once must not nest: each phase is left before the next is entered. */
static void test_synchronous(void **state)
{
        (void) state;
        World w;
        world_begin(&w, ROLL_RESTART);
        w.answer = ROLL_EV_OK;
        roll_start(w.roll, PHASE_NONE, 0);
        assert_int_equal(w.finished, 1);
        assert_int_equal(w.result, RESULT_DONE);
        assert_true(roll_finished(w.roll));
        assert_false(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 1));
        roll_free(w.roll);
}

/* Where a kind leaves phases out, what leads back to them leads to what it has instead, never to a dead end.
 */
static void test_back_to_what_is_left_out(void **state)
{
        static const RollKind kinds[] = { ROLL_RESTART_HELD, ROLL_RESTART_NOW };
        (void) state;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
                World w;
                world_begin(&w, kinds[i]);
                roll_start(w.roll, PHASE_GATE, 0);
                assert_true(roll_feed(w.roll, ROLL_EV_LAPSED, RESULT_INVALID, 1));
                assert_int_equal(roll_phase(w.roll), PHASE_BLOCK);
                assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 2));
                assert_int_equal(roll_phase(w.roll), PHASE_STOP_MONIT);
                roll_free(w.roll);
        }
        World w;
        world_begin(&w, ROLL_RESTART_NOW);
        roll_start(w.roll, PHASE_GATE, 0);
        assert_false(roll_feed(w.roll, ROLL_EV_BACK, RESULT_INVALID, 1));
        roll_free(w.roll);
}

/* New connections behind the notice lead back to it, and the way is gone again from there; no kind that has
 * no notice is led to one. */
static void test_back_to_notice(void **state)
{
        (void) state;
        for (RollKind kind = 0; kind < ROLL_KIND_COUNT; kind++) {
                bool notice = roll_next(kind, PHASE_NOTICE) != PHASE_NONE;
                World w;
                if (roll_next(kind, PHASE_DRAIN) == PHASE_NONE)
                        continue;
                world_begin(&w, kind);
                roll_start(w.roll, PHASE_DRAIN, 0);
                assert_int_equal(roll_feed(w.roll, ROLL_EV_BACK, RESULT_INVALID, 1), notice);
                assert_int_equal(roll_phase(w.roll), notice ? PHASE_NOTICE : PHASE_DRAIN);
                if (notice && kind != ROLL_DRAIN) {
                        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 2));
                        assert_int_equal(roll_phase(w.roll), PHASE_STOP_MONIT);
                }
                roll_free(w.roll);
        }
}

/* What must hold at the end of any job. */
static void check_end(const World *w, RollKind kind)
{
        assert_int_equal(w->finished, 1);
        if (w->stopped || w->entered[PHASE_START]) {
                /* Past the point of no return: serving again only when proven, else held (or told as failed).
                 */
                if (!w->started_ok)
                        assert_true(w->held || w->result == RESULT_FAILED || w->result == RESULT_HELD);
                assert_int_equal(w->entered[PHASE_UNDO], 0);
                if (!w->blocked)
                        assert_true(w->started_ok);
        } else if (w->blocked)
                /* Still blocked on purpose (a drain by hand), or undo itself failed: never "done" or "gave
                 * back". */
                assert_true(w->held || w->entered[PHASE_UNDO] || w->entered[PHASE_HOLD]);
        if (w->result == RESULT_DONE && kind != ROLL_DRAIN)
                assert_false(w->blocked || w->monit_off);
        /* "The node is as it was" is only said when it is. */
        if (w->undo_failed)
                assert_int_equal(w->result, RESULT_FAILED);
        if (w->result == RESULT_GAVE_BACK)
                assert_int_equal(w->stopped, false);
        if (w->result == RESULT_REFUSED)
                assert_false(w->entered[PHASE_BLOCK] > 0);
        /* Every way out before `stop` works the list of changes backwards. */
        if (w->result != RESULT_DONE && !w->stopped && !w->entered[PHASE_START] &&
            !w->entered[PHASE_UNBLOCK] && !w->entered[PHASE_HOLD])
                assert_int_equal(w->entered[PHASE_UNDO], 1);
}

static unsigned long sequences, ends;

static void try_sequences(RollKind kind, const RollEvent *events, int n)
{
        World w;
        world_begin(&w, kind);
        roll_start(w.roll, PHASE_NONE, 0);
        Usec now = 0;
        for (int i = 0; i < n; i++)
                assert_true(roll_feed(w.roll, events[i], RESULT_INVALID, ++now));
        sequences++;
        if (roll_finished(w.roll)) {
                ends++;
                check_end(&w, kind);
                for (RollEvent e = 0; e < ROLL_EVENT_COUNT; e++)
                        assert_false(roll_feed(w.roll, e, RESULT_INVALID, now));
                assert_int_equal(w.finished, 1);
                roll_free(w.roll);
                return;
        }
        /* Whatever happened, the job ends within the sum of its limits by timeouts alone. */
        if (n == DEPTH) {
                for (int i = 0; i < 2 * PHASE_COUNT && !roll_finished(w.roll); i++)
                        (void) roll_feed(w.roll, ROLL_EV_TIMEOUT, RESULT_INVALID, ++now);
                assert_true(roll_finished(w.roll));
                check_end(&w, kind);
                roll_free(w.roll);
                return;
        }
        bool accepted[ROLL_EVENT_COUNT];
        Phase phase = roll_phase(w.roll);
        bool cancel = roll_can_cancel(w.roll);
        roll_free(w.roll);
        for (RollEvent e = 0; e < ROLL_EVENT_COUNT; e++) {
                World probe;
                world_begin(&probe, kind);
                roll_start(probe.roll, PHASE_NONE, 0);
                for (int i = 0; i < n; i++)
                        (void) roll_feed(probe.roll, events[i], RESULT_INVALID, 0);
                accepted[e] = roll_feed(probe.roll, e, RESULT_INVALID, 0);
                roll_free(probe.roll);
        }
        /* No dead end: each phase can be left by success and by time, and cancelled only before `stop`. */
        assert_true(accepted[ROLL_EV_TIMEOUT]);
        assert_true(accepted[ROLL_EV_FAIL]);
        assert_int_equal(accepted[ROLL_EV_CANCEL], cancel);
        if (phase >= PHASE_STOP && phase < PHASE_END)
                assert_false(cancel);
        for (RollEvent e = 0; e < ROLL_EVENT_COUNT; e++) {
                RollEvent longer[DEPTH];
                if (!accepted[e])
                        continue;
                memcpy(longer, events, (size_t) n * sizeof(*events));
                longer[n] = e;
                try_sequences(kind, longer, n + 1);
        }
}

static void test_every_sequence(void **state)
{
        RollEvent none[1] = { ROLL_EV_OK };
        (void) state;
        for (RollKind kind = 0; kind < ROLL_KIND_COUNT; kind++)
                try_sequences(kind, none, 0);
        print_message("%lu sequences, %lu of them to the end\n", sequences, ends);
        assert_true(ends > 100);
}

/* From every phase of every kind: timeouts alone end the job, in one of the three ends. */
static void test_from_every_phase(void **state)
{
        (void) state;
        for (RollKind kind = 0; kind < ROLL_KIND_COUNT; kind++)
                for (Phase p = roll_next(kind, PHASE_NONE); p != PHASE_END; p = roll_next(kind, p))
                        for (RollEvent e = 0; e < ROLL_EVENT_COUNT; e++) {
                                World w;
                                world_begin(&w, kind);
                                w.blocked = p > PHASE_BLOCK;
                                roll_start(w.roll, p, 0);
                                (void) roll_feed(w.roll, e, RESULT_INVALID, 1);
                                for (int i = 0; i < 2 * PHASE_COUNT && !roll_finished(w.roll); i++)
                                        (void) roll_feed(w.roll, ROLL_EV_TIMEOUT, RESULT_INVALID, 1);
                                assert_int_equal(w.finished, 1);
                                roll_free(w.roll);
                        }
}

static void test_limits_add_up(void **state)
{
        (void) state;
        World w;
        world_begin(&w, ROLL_RESTART);
        roll_start(w.roll, PHASE_DRAIN, 100);
        assert_int_equal(roll_deadline(w.roll), 110);
        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 104));
        assert_int_equal(roll_phase(w.roll), PHASE_GATE);
        assert_true(roll_feed(w.roll, ROLL_EV_BACK, RESULT_INVALID, 107));
        /* Four of its ten are gone: going back and forth does not outlast the limit. */
        assert_int_equal(roll_phase(w.roll), PHASE_DRAIN);
        assert_int_equal(roll_deadline(w.roll), 113);
        assert_int_equal(roll_elapsed(w.roll, PHASE_DRAIN, 109), 6);
        roll_free(w.roll);
}

/* Where the block comes behind the stop there is no way back from it. */
static void test_graceful(void **state)
{
        (void) state;
        World w;
        world_begin(&w, ROLL_RESTART_GRACEFUL);
        roll_start(w.roll, PHASE_STOP_MONIT, 0);
        assert_true(roll_can_cancel(w.roll));
        assert_false(roll_feed(w.roll, ROLL_EV_LAPSED, RESULT_INVALID, 1)); /* nothing is blocked */
        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 1));
        assert_int_equal(roll_phase(w.roll), PHASE_STOP);
        assert_false(roll_can_cancel(w.roll));
        /* Found not to have been called: monit is looked at again first. */
        assert_true(roll_feed(w.roll, ROLL_EV_BACK, RESULT_INVALID, 1));
        assert_int_equal(roll_phase(w.roll), PHASE_STOP_MONIT);
        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 1));
        /* Also one that did not stop in time is not started in the open. */
        assert_true(roll_feed(w.roll, ROLL_EV_TIMEOUT, RESULT_INVALID, 1));
        assert_int_equal(roll_phase(w.roll), PHASE_BLOCK);
        assert_false(roll_can_cancel(w.roll));
        assert_false(roll_feed(w.roll, ROLL_EV_CANCEL, RESULT_INVALID, 1));
        assert_true(roll_feed(w.roll, ROLL_EV_FAIL, RESULT_REFUSED, 1));
        assert_int_equal(roll_phase(w.roll), PHASE_START);
        w.answer = ROLL_EV_OK;
        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 1));
        assert_int_equal(w.result, RESULT_DONE);
        assert_int_equal(w.entered[PHASE_UNDO], 0);
        roll_free(w.roll);

        /* systemd does not stop it: nothing has happened. */
        world_begin(&w, ROLL_RESTART_GRACEFUL);
        roll_start(w.roll, PHASE_STOP, 0);
        w.answer = ROLL_EV_OK;
        assert_true(roll_feed(w.roll, ROLL_EV_REFUSED, RESULT_INVALID, 1));
        assert_int_equal(w.result, RESULT_GAVE_BACK);
        assert_int_equal(w.entered[PHASE_BLOCK], 0);
        roll_free(w.roll);
}

static void test_first_result_stays(void **state)
{
        (void) state;
        World w;
        world_begin(&w, ROLL_RESTART);
        roll_start(w.roll, PHASE_NONE, 0);
        assert_true(roll_feed(w.roll, ROLL_EV_FAIL, RESULT_UNPROTECTED, 1));
        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 2));
        assert_int_equal(w.result, RESULT_UNPROTECTED);
        roll_free(w.roll);

        /* But an undo that fails is more than what led to it: the node is not as it was. */
        world_begin(&w, ROLL_RESTART);
        roll_start(w.roll, PHASE_NOTICE, 0);
        assert_true(roll_feed(w.roll, ROLL_EV_TIMEOUT, RESULT_INVALID, 1));
        assert_true(roll_feed(w.roll, ROLL_EV_FAIL, RESULT_INVALID, 2));
        assert_int_equal(w.result, RESULT_FAILED);
        roll_free(w.roll);

        /* Monit that does not come back is told, though the component serves. */
        world_begin(&w, ROLL_RESTART);
        roll_start(w.roll, PHASE_START_MONIT, 0);
        w.answer = ROLL_EV_OK;
        assert_true(roll_feed(w.roll, ROLL_EV_TIMEOUT, RESULT_INVALID, 1));
        assert_int_equal(w.entered[PHASE_RETURN], 1);
        assert_int_equal(w.result, RESULT_FAILED);
        roll_free(w.roll);

        /* Cancelled is not "no checker". */
        world_begin(&w, ROLL_RESTART);
        roll_start(w.roll, PHASE_WATCH, 0);
        w.answer = ROLL_EV_OK;
        assert_true(roll_feed(w.roll, ROLL_EV_CANCEL, RESULT_INVALID, 1));
        assert_int_equal(w.result, RESULT_REFUSED);
        roll_free(w.roll);

        /* What the other component's job ended with is what the whole ends with, once the router is back. */
        world_begin(&w, ROLL_RESTART_RMP);
        roll_start(w.roll, PHASE_PARTNER, 0);
        w.answer = ROLL_EV_OK;
        assert_true(roll_feed(w.roll, ROLL_EV_FAIL, RESULT_HELD, 1));
        assert_int_equal(w.entered[PHASE_UNDO], 1);
        assert_int_equal(w.entered[PHASE_GATE], 0);
        assert_int_equal(w.result, RESULT_HELD);
        roll_free(w.roll);

        /* A stop that failed is mended by a good start. */
        world_begin(&w, ROLL_RESTART);
        roll_start(w.roll, PHASE_STOP, 0);
        assert_true(roll_feed(w.roll, ROLL_EV_TIMEOUT, RESULT_INVALID, 1));
        w.answer = ROLL_EV_OK;
        assert_true(roll_feed(w.roll, ROLL_EV_OK, RESULT_INVALID, 1));
        assert_int_equal(w.result, RESULT_DONE);
        roll_free(w.roll);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ways),
                cmocka_unit_test(test_synchronous),
                cmocka_unit_test(test_every_sequence),
                cmocka_unit_test(test_from_every_phase),
                cmocka_unit_test(test_limits_add_up),
                cmocka_unit_test(test_first_result_stays),
                cmocka_unit_test(test_back_to_what_is_left_out),
                cmocka_unit_test(test_graceful),
                cmocka_unit_test(test_back_to_notice),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
