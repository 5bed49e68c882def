/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The whole coordinator, from the command line to its exit status, against simulated agents
 * (tests/lib/world.h) over socket pairs: real D-Bus, real leases, real journal.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/cluster/roll-record.h"
#include "tests/lib/standin.h"
#include "tests/lib/world.h"

/* ---- the usual ---- */

static void one_after_another_and_every_lease_is_given_back(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaaa");
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3,n4 --yes", RESULT_DONE);
        assert_string_equal(w.order, "n1 n2 n3 n4");
        assert_int_equal(w.out_most, 1);
        assert_int_equal(world_restarts(&w), 4);
        world_has_no_lease(&w);
        world_says(&w, "4 of 4");
        world_done(&w);
}

static void regions_follow_each_other_and_message_processors_come_first(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aabbAABB");
        world_ends(&w, "edge-roll restart all --nodes n[1:8] --yes", RESULT_DONE);
        assert_string_equal(w.order, "n5 n6 n1 n2 n7 n8 n3 n4");
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        world_done(&w);
}

static void the_plan_touches_nothing(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        world_ends(&w, "edge-roll plan restart router --nodes n1,n2", RESULT_DONE);
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --dry-run --json", RESULT_DONE);
        world_says(&w, "\"event\":\"plan\"");
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 0);
        assert_int_equal(fake_agent_calls(w.agent[0], "Restart"), 0);
        world_done(&w);
}

static void without_a_yes_nothing_is_begun(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        world_ends(&w, "edge-roll restart router --nodes n1,n2", RESULT_USAGE);
        world_says(&w, "--yes");
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 0);
        world_done(&w);
}

/* ---- failures ---- */

static void the_first_node_that_does_not_come_back_stops_it(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        FakeScript *s = fake_agent_script(w.agent[1]);
        s->fail_phase = PHASE_READY;
        s->result = "held";
        s->reason = "environment prod is missing";
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_HELD);
        world_says(&w, "environment prod is missing");
        world_says(&w, "resume");
        assert_string_equal(w.order, "n1 n2");
        assert_int_equal(fake_agent_restarts(w.agent[2]), 0);
        world_has_no_lease(&w);

        /* What is out counts, named or not: the agents know their pool from the roll before. */
        FakeMember all[3];
        for (size_t i = 0; i < 3; i++) {
                all[i] = (FakeMember){ .uuid = w.uuid[i], .name = w.name[i] };
                fake_agent_script(w.agent[i])->parts[0].members = all;
                fake_agent_script(w.agent[i])->parts[0].n_members = 3;
        }
        world_again(&w);
        world_ends(&w, "edge-roll restart router --nodes n1,n3 --yes", RESULT_REFUSED);
        world_says(&w, "degraded");
        assert_string_equal(w.order, "");
        /* ... but it may itself be restarted, and then the rest. */
        s->fail_phase = PHASE_NONE;
        s->result = NULL;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_DONE);
        assert_string_equal(w.order, "n2 n1 n3");
        assert_int_equal(w.out_most, 1);
        world_done(&w);
}

static void kill_another(World *w, size_t node, const char *member)
{
        (void) node;
        if (w->done_once || strcmp(member, "Go") != 0)
                return;
        w->done_once = true;
        fake_agent_script(w->agent[2])->parts[0].not_up = true;
        fake_agent_pulse(w->agent[2]);
}

static void another_one_that_dies_gives_back_the_one_that_is_blocked(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 2 * USEC_PER_SEC;
        w.on_call = kill_another;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_GAVE_BACK);
        world_says(&w, "others of its pool are missing");
        assert_int_equal(world_restarts(&w), 0);
        assert_int_equal(fake_agent_calls(w.agent[0], "CancelJob"), 1);
        world_has_no_lease(&w);
        world_done(&w);
}

/* They know no job by name, and no time when it is too late to take a lease. */
static void agents_of_the_release_before_are_rolled_and_told_to_go_back_all_the_same(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        for (size_t i = 0; i < w.n; i++)
                fake_agent_script(w.agent[i])->before = true;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 2);
        world_has_no_lease(&w);
        world_again(&w);
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 2 * USEC_PER_SEC;
        w.on_call = kill_another;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_GAVE_BACK);
        assert_int_equal(world_restarts(&w), 3);
        assert_int_equal(fake_agent_calls(w.agent[0], "CancelJob"), 1);
        assert_int_equal(fake_agent_calls(w.agent[0], "Cancel"), 1);
        world_has_no_lease(&w);
        world_done(&w);
}

static void every_refusal_has_its_own_end(void **state)
{
        static const struct {
                const char *result;
                Result end;
        } cases[] = { { "gave-back", RESULT_GAVE_BACK },
                      { "no-checker", RESULT_NO_CHECKER },
                      { "not-readmitted", RESULT_NOT_READMITTED },
                      { "refused", RESULT_REFUSED },
                      { "failed", RESULT_FAILED },
                      { "a word of a later version", RESULT_FAILED } };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                static World w;
                world_new(&w, "aa");
                fake_agent_script(w.agent[0])->fail_phase = PHASE_DRAIN;
                fake_agent_script(w.agent[0])->result = cases[i].result;
                world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes", cases[i].end);
                assert_int_equal(world_restarts(&w), 0);
                world_done(&w);
        }
}

static void nobody_who_cannot_be_reached_is_passed_over(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[1])->open_errno = ECONNREFUSED;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_AGENT_UNREACHABLE);
        assert_int_equal(world_restarts(&w), 0);
        world_says(&w, "n2");
        world_done(&w);
}

/* One of the pool is known to be out for long, and somebody has said that it is no matter. */
static void who_is_out_and_no_matter_does_not_keep_the_others_waiting(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaaa");
        fake_agent_script(w.agent[3])->parts[0].not_up = true;
        world_ends(&w, "edge-roll restart router --nodes n[1:4] --limit n1,n2 --yes", RESULT_REFUSED);
        world_says(&w, "degraded");
        world_again(&w);
        world_ends(
                &w,
                "edge-roll restart router --nodes n[1:4] --limit n1,n2 --yes --override degraded=being-rebuilt",
                RESULT_DONE);
        assert_string_equal(w.order, "n1 n2");
        assert_int_equal(w.out_most, 1);
        world_done(&w);
}

/* Somebody may go on without it, but what was asked for is not done then. */
static void one_that_was_left_out_by_override_is_not_done(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[1])->open_errno = ECONNREFUSED;
        world_ends(
                &w,
                "edge-roll restart router --nodes n1,n2,n3 --yes --max-unavailable 2 --override unreachable=broken",
                RESULT_AGENT_UNREACHABLE);
        assert_string_equal(w.order, "n1 n3");
        world_says(&w, "2 of 2 restarted, and n2 was left out");
        world_says(&w, "edge-roll resume 2");
        world_again(&w);
        fake_agent_script(w.agent[1])->open_errno = 0;
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_string_equal(w.order, "n2");
        assert_int_equal(world_restarts(&w), 3);
        world_done(&w);
}

static void a_zookeeper_that_does_not_answer_is_told_before_anything_is_begun(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aabb");
        for (size_t i = 0; i < 4; i++)
                fake_agent_script(w.agent[i])->lock = "zookeeper";
        w.lock_says =
                "{\"lock\":\"zookeeper\",\"place\":null,\"place_error\":\"no server of zk1:2181 answers\"}";
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3,n4 --yes", RESULT_UNPROTECTED);
        world_says(&w, "no server of zk1:2181 answers");
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 0);
        /* One of each pool is asked. */
        assert_int_equal(fake_agent_calls(w.agent[0], "Lock") + fake_agent_calls(w.agent[1], "Lock"), 1);
        assert_int_equal(fake_agent_calls(w.agent[2], "Lock") + fake_agent_calls(w.agent[3], "Lock"), 1);
        world_again(&w);
        w.lock_says = "{\"lock\":\"zookeeper\",\"place\":{},\"place_error\":\"\"}";
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes", RESULT_DONE);
        world_done(&w);
}

static void who_may_change_nothing_is_told_before_anything_is_begun(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        fake_agent_script(w.agent[1])->may_not_change = true;
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes", RESULT_NO_PERMISSION);
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 0);
        world_done(&w);
}

/* ---- links ---- */

static void cut_once(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 0)
                return;
        w->done_once = true;
        fake_agent_cut(w->agent[0]);
}

static void a_link_that_is_cut_in_the_middle_is_made_again_and_the_job_found(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 300 * USEC_PER_MSEC;
        w.on_call = cut_once;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        assert_int_equal(w.out_most, 1);
        world_says(&w, "the link is gone");
        world_has_no_lease(&w);
        world_done(&w);
}

static void cut_for_good(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 0)
                return;
        w->done_once = true;
        fake_agent_script(w->agent[0])->open_errno = EHOSTUNREACH;
        fake_agent_cut(w->agent[0]);
}

static void unreachable_is_failed_and_never_done(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 300 * USEC_PER_MSEC;
        w.on_call = cut_for_good;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_AGENT_UNREACHABLE);
        /* Its agent has finished alone, and nobody else was touched. */
        world_pump(&w, 500 * USEC_PER_MSEC);
        assert_int_equal(fake_agent_restarts(w.agent[0]), 1);
        assert_int_equal(world_restarts(&w), 1);
        world_says(&w, "not reached again");
        /* Taken up again: its agent is asked, and what is done is not done twice. */
        world_again(&w);
        fake_agent_script(w.agent[0])->open_errno = 0;
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_int_equal(fake_agent_restarts(w.agent[0]), 1);
        assert_int_equal(world_restarts(&w), 3);
        world_done(&w);
}

static void die_once(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0)
                return;
        w->done_once = true;
        fake_agent_die(w->agent[node], 100 * USEC_PER_MSEC);
}

static void an_agent_that_dies_and_comes_back_goes_on(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 300 * USEC_PER_MSEC;
        w.on_call = die_once;
        (void) world_roll(&w, "edge-roll restart router --nodes n1,n2 --yes");
        /* The word may have been lost with it; then the node is as it was. Never is it called done when it is
         * not. */
        assert_true(w.status == 0 || world_restarts(&w) < 2);
        assert_int_equal(w.out_most, 1);
        world_done(&w);
}

static void lose_the_word(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 0)
                return;
        w->done_once = w->swallow = true;
        fake_agent_cut(w->agent[0]);
}

static void a_word_that_is_lost_with_its_link_is_given_again(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = lose_the_word;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_DONE);
        assert_string_equal(w.order, "n1 n1 n2 n3");
        assert_int_equal(world_restarts(&w), 3);
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        world_done(&w);
}

static void refuse_the_word(World *w, size_t node, const char *member)
{
        if (strcmp(member, "Go") == 0 && node == 0)
                w->refuse = "org.edgeroll.Error.Expired";
}

static void a_word_that_is_always_refused_ends_its_job(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = refuse_the_word;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_GAVE_BACK);
        world_says(&w, "too long on its way");
        assert_int_equal(world_restarts(&w), 0);
        assert_true(fake_agent_calls(w.agent[0], "Go") <= 5);
        world_has_no_lease(&w);
        world_done(&w);
}

static void lose_the_order_back(World *w, size_t node, const char *member)
{
        if (node != 0)
                return;
        if (strcmp(member, "Go") == 0) {
                fake_agent_script(w->agent[2])->parts[0].not_up = true;
                fake_agent_pulse(w->agent[2]);
        } else if (strcmp(member, "CancelJob") == 0 && !w->done_once) {
                w->done_once = w->swallow = true;
                fake_agent_cut(w->agent[0]);
        }
}

static void an_order_to_go_back_that_is_lost_is_given_again(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 8 * USEC_PER_SEC;
        w.on_call = lose_the_order_back;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_GAVE_BACK);
        assert_int_equal(world_restarts(&w), 0);
        assert_int_equal(fake_agent_calls(w.agent[0], "CancelJob"), 2);
        world_has_no_lease(&w);
        world_done(&w);
}

/* Until it has asked which job it is. */
static void refuse_the_order_back(World *w, size_t node, const char *member)
{
        if (node != 0)
                return;
        if (strcmp(member, "Go") == 0) {
                fake_agent_script(w->agent[2])->parts[0].not_up = true;
                fake_agent_pulse(w->agent[2]);
        } else if (strcmp(member, "CancelJob") == 0 && !w->done_once)
                w->refuse = "org.edgeroll.Error.Failed";
        else if (strcmp(member, "Look") == 0 && fake_agent_calls(w->agent[0], "CancelJob") > 0)
                w->done_once = true;
}

static void an_order_to_go_back_that_is_refused_under_the_lease_names_the_job(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 8 * USEC_PER_SEC;
        w.on_call = refuse_the_order_back;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_GAVE_BACK);
        world_says(&w, "others of its pool are missing");
        assert_int_equal(world_restarts(&w), 0);
        assert_int_equal(fake_agent_calls(w.agent[0], "CancelJob"), 2);
        world_done(&w);
}

/* It is neither renewed nor given again once its job is past `place`, and only then another one dies. */
static void lose_the_lease(World *w, size_t node, const char *member)
{
        bool renews = strcmp(member, "LeaseRenew") == 0;
        if (node == 0 && renews && strcmp(fake_agent_phase(w->agent[0]), "notice") == 0) {
                w->refuse = "org.edgeroll.Error.LeaseLost";
                w->done_once = true;
        } else if (node == 0 && strcmp(member, "LeaseTake") == 0 && w->done_once)
                w->refuse = "org.edgeroll.Error.Leased";
        else if (node == 2 && renews && w->done_once) {
                fake_agent_script(w->agent[2])->parts[0].not_up = true;
                fake_agent_pulse(w->agent[2]);
        }
}

static void a_node_whose_lease_is_lost_is_told_to_go_back_all_the_same(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 20 * USEC_PER_SEC;
        fake_agent_script(w.agent[0])->ttl_usec = 6 * USEC_PER_SEC;
        w.on_call = lose_the_lease;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_GAVE_BACK);
        assert_int_equal(world_restarts(&w), 0);
        assert_int_equal(fake_agent_calls(w.agent[0], "CancelJob"), 1);
        world_done(&w);
}

static void away_for_good(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 0)
                return;
        w->done_once = true;
        fake_agent_script(w->agent[2])->open_errno = EHOSTUNREACH;
        fake_agent_cut(w->agent[2]);
}

static void one_that_is_away_when_its_turn_comes_ends_the_roll(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aabb");
        /* Longer than the first tries to reach it again. */
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 4 * USEC_PER_SEC;
        w.on_call = away_for_good;
        world_ends(&w, "edge-roll restart router --nodes n[1:4] --yes", RESULT_AGENT_UNREACHABLE);
        world_says(&w, "n3: agent-unreachable");
        assert_string_equal(w.order, "n1 n2");
        assert_int_equal(fake_agent_restarts(w.agent[3]), 0);
        world_done(&w);
}

static void away_for_a_while(World *w, size_t node, const char *member)
{
        away_for_good(w, node, member);
        if (strcmp(member, "Go") == 0 && node == 1)
                fake_agent_script(w->agent[2])->open_errno = 0;
}

static void one_that_was_away_long_before_its_turn_is_reached_again(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aabb");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 4 * USEC_PER_SEC;
        fake_agent_script(w.agent[1])->phase_usec[PHASE_NOTICE] = 6 * USEC_PER_SEC;
        w.on_call = away_for_a_while;
        world_ends(&w, "edge-roll restart router --nodes n[1:4] --yes", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 4);
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        world_done(&w);
}

/* ---- leases ---- */

static int cut_off(sd_event_source *source, uint64_t usec, void *userdata)
{
        World *w = userdata;
        (void) source;
        (void) usec;
        fake_agent_script(w->agent[1])->open_errno = EHOSTUNREACH;
        fake_agent_cut(w->agent[1]);
        return 0;
}

static int lapsed(sd_event_source *source, uint64_t usec, void *userdata)
{
        World *w = userdata;
        (void) source;
        (void) usec;
        fake_agent_script(w->agent[1])->open_errno = 0;
        return 0;
}

static void in_a_while(World *w, Usec usec, sd_event_time_handler_t fn)
{
        w->timer = sd_event_source_unref(w->timer);
        assert_true(sd_event_add_time(w->event, &w->timer, CLOCK_MONOTONIC, time_now() + usec, 1, fn, w) >=
                    0);
}

/* n2 falls over, and its link is cut until its lease has lapsed. Then the link is there for one word: it
 * serves; but somebody else has the lease. */
static void back_for_one_word(World *w, size_t node, const char *member)
{
        FakeScript *s = fake_agent_script(w->agent[1]);
        Lease *lease = (Lease *) (uintptr_t) fake_agent_lease(w->agent[1], "router");
        if (strcmp(member, "LeaseTake") == 0 && node == 1 && !w->done_once)
                s->parts[0].not_up = true;
        else if (strcmp(member, "Restart") == 0 && node == 0) {
                w->done_once = true;
                (void) cut_off(NULL, 0, w);
                in_a_while(w, 2 * s->ttl_usec, lapsed);
        } else if (strcmp(member, "LeaseRenew") == 0 && node == 1 && w->done_once) {
                *lease = (Lease){ .epoch = lease->epoch + 1,
                                  .held = true,
                                  .holder = "another-roll",
                                  .by = "uid 0 (root)",
                                  .ttl_usec = 60 * USEC_PER_SEC,
                                  .until_usec = time_boot() + 60 * USEC_PER_SEC };
                w->swallow = true;
                s->parts[0].not_up = false;
                fake_agent_pulse(w->agent[1]);
                in_a_while(w, 100 * USEC_PER_MSEC, cut_off);
        }
}

static void a_word_from_where_the_lease_has_lapsed_is_not_believed(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        fake_agent_script(w.agent[1])->ttl_usec = USEC_PER_SEC;
        w.on_call = back_for_one_word;
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes", RESULT_REFUSED);
        assert_string_equal(fake_agent_lease(w.agent[1], "router")->holder, "another-roll");
        assert_string_equal(w.order, "");
        assert_int_equal(world_restarts(&w), 0);
        world_done(&w);
}

/* As behind a suspend of this machine: n2's lease has lapsed, and what is known of its clock is of before. */
static void wrong_by_a_suspend(World *w, size_t node, const char *member)
{
        Lease *lease = (Lease *) (uintptr_t) fake_agent_lease(w->agent[1], "router");
        if (node != 1)
                return;
        if (strcmp(member, "LeaseRenew") == 0 && !w->done_once) {
                w->done_once = true;
                lease->until_usec = time_boot();
        } else if (strcmp(member, "LeaseTake") == 0 && w->done_once &&
                   fake_agent_calls(w->agent[1], "Look") == w->looks) {
                w->refuse = "org.edgeroll.Error.Expired";
                w->refuse_text = "the call was too long on its way";
        } else if (strcmp(member, "LeaseTake") == 0 && !w->done_once)
                w->looks = fake_agent_calls(w->agent[1], "Look");
}

static void a_lease_that_lapsed_in_a_suspend_is_taken_by_the_clock_of_now(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        fake_agent_script(w.agent[1])->ttl_usec = 12 * USEC_PER_SEC;
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 6 * USEC_PER_SEC;
        w.on_call = wrong_by_a_suspend;
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes", RESULT_DONE);
        assert_true(w.done_once);
        assert_true(fake_agent_calls(w.agent[1], "Look") > w.looks);
        assert_int_equal(world_restarts(&w), 2);
        world_has_no_lease(&w);
        world_done(&w);
}

static void overtake(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "LeaseTake") != 0 || node != 0)
                return;
        w->done_once = true;
        Lease *lease = (Lease *) (uintptr_t) fake_agent_lease(w->agent[1], "router");
        *lease = (Lease){ .epoch = 7,
                          .held = true,
                          .holder = "another-roll",
                          .by = "uid 0 (root)",
                          .ttl_usec = USEC_PER_SEC,
                          .until_usec = time_boot() + USEC_PER_SEC };
}

/* Between the look and the lease: the other one was quicker. */
static void a_lease_that_somebody_else_takes_first_is_named_and_waited_for(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = overtake;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_BUSY);
        world_says(&w, "another-roll");
        world_says(&w, "n2: router is leased");
        world_says(&w, "--wait");
        assert_int_equal(world_restarts(&w), 0);
        assert_false(lease_current(fake_agent_lease(w.agent[0], "router"), time_boot()));
        world_pump(&w, USEC_PER_SEC);
        world_again(&w);
        w.on_call = overtake;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes --wait=20s", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        world_done(&w);
}

static void somebody_elses_lease_is_respected_and_named(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        Lease *lease = (Lease *) (uintptr_t) fake_agent_lease(w.agent[1], "router");
        *lease = (Lease){ .epoch = 7,
                          .held = true,
                          .holder = "another-roll",
                          .by = "uid 0 (root)",
                          .ttl_usec = 30 * USEC_PER_SEC,
                          .until_usec = time_boot() + 30 * USEC_PER_SEC };
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_BUSY);
        world_says(&w, "another-roll");
        assert_int_equal(world_restarts(&w), 0);
        assert_false(lease_current(fake_agent_lease(w.agent[0], "router"), time_boot()));
        assert_string_equal(fake_agent_lease(w.agent[1], "router")->holder, "another-roll");
        /* With --wait it goes on when that is over. */
        world_again(&w);
        lease->until_usec = time_boot() + USEC_PER_SEC;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes --wait=20s", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        world_done(&w);
}

static void leased_once(World *w, size_t node, const char *member)
{
        (void) node;
        if (w->done_once || strcmp(member, "LeaseTake") != 0)
                return;
        w->done_once = true;
        for (size_t i = 0; i < 3; i++)
                *(Lease *) (uintptr_t) fake_agent_lease(w->agent[i], "router") =
                        (Lease){ .epoch = 7,
                                 .held = true,
                                 .holder = "another-roll",
                                 .by = "uid 0 (root)",
                                 .ttl_usec = 30 * USEC_PER_SEC,
                                 .until_usec = time_boot() + USEC_PER_SEC };
}

/* Somebody else is quicker, when this one has begun its journal already: that is no reason to wait for
 * oneself. */
static void one_that_came_too_late_for_the_lease_waits_and_goes_on(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = leased_once;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes --wait=20s", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        world_done(&w);
}

static void answer_nothing(World *w, size_t node, const char *member)
{
        w->swallow =
                node == 1 ? strcmp(member, "LeaseTake") == 0 : node == 0 && strcmp(member, "LeaseRenew") == 0;
        if (node != 0 || strcmp(member, "LeaseTake") != 0)
                return;
        /* Its lease has to be renewed after 8 s, before the other one is given up. */
        const char *component, *holder;
        Usec ttl = 24 * USEC_PER_SEC;
        Lease *lease = (Lease *) (uintptr_t) fake_agent_lease(w->agent[0], "router");
        assert_true(sd_bus_message_read(w->call, "ss", &component, &holder) >= 0);
        *lease = (Lease){ .epoch = 1,
                          .held = true,
                          .by = "uid 0 (root)",
                          .ttl_usec = ttl,
                          .until_usec = time_boot() + 2 * ttl };
        (void) snprintf(lease->holder, sizeof(lease->holder), "%s", holder);
        assert_true(sd_bus_reply_method_return(w->call, "ttt", (uint64_t) 1, time_boot(), ttl) >= 0);
        w->swallow = true;
}

/* The second never answers, and by then the renewal of the first is under way. */
static void a_lease_that_is_being_renewed_when_another_is_refused_is_given_back(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = answer_nothing;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_AGENT_UNREACHABLE);
        assert_int_equal(world_restarts(&w), 0);
        world_has_no_lease(&w);
        world_done(&w);
}

static void freeze_behind_the_look(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Look") != 0 || node != 2 ||
            !fake_agent_calls(w->agent[0], "Look"))
                return;
        w->done_once = true;
        fake_agent_freeze(w->agent[0], true);
}

/* The node is frozen over it, and obeys what it is told when it wakes: by then nobody wants the lease. */
static void a_lease_that_is_asked_of_a_frozen_node_is_not_taken_when_it_wakes(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = freeze_behind_the_look;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_AGENT_UNREACHABLE);
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 0);
        world_pump(&w, 500 * USEC_PER_MSEC);
        fake_agent_freeze(w.agent[0], false);
        world_pump(&w, 100 * USEC_PER_MSEC);
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 1);
        world_has_no_lease(&w);
        world_done(&w);
}

static void fall_over_at_the_lease(World *w, size_t node, const char *member)
{
        if (strcmp(member, "LeaseTake") == 0 && node == 2)
                fake_agent_script(w->agent[2])->parts[0].not_up = true;
}

/* It is told with the first Pulse, while others are yet to be asked. */
static void one_that_falls_over_between_the_look_and_the_lease_is_missed_at_once(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = fall_over_at_the_lease;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_REFUSED);
        world_says(&w, "others of the pool did not serve in time");
        assert_int_equal(world_restarts(&w), 0);
        world_has_no_lease(&w);
        world_done(&w);
}

static void steal_once(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 0)
                return;
        w->done_once = true;
        Lease *lease = (Lease *) (uintptr_t) fake_agent_lease(w->agent[1], "router");
        *lease = (Lease){ .epoch = lease->epoch + 5,
                          .held = true,
                          .holder = "a-thief",
                          .by = "uid 0 (root)",
                          .ttl_usec = 60 * USEC_PER_SEC,
                          .until_usec = time_boot() + 60 * USEC_PER_SEC };
}

static void a_lease_that_is_taken_away_stops_the_roll_behind_its_node(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = steal_once;
        (void) world_roll(&w, "edge-roll restart router --nodes n1,n2,n3 --yes");
        assert_true(w.status != 0);
        assert_int_equal(fake_agent_restarts(w.agent[1]), 0);
        assert_string_equal(fake_agent_lease(w.agent[1], "router")->holder, "a-thief");
        world_done(&w);
}

static void fall_over(World *w, size_t node, const char *member)
{
        if (strcmp(member, "Go") == 0 && node == 0)
                fake_agent_script(w->agent[0])->parts[0].not_up = true;
}

static void one_that_falls_over_while_it_is_watched_is_called_failed(void **state)
{
        static World w;
        RollRecord *record = NULL;
        char dir[128], id[ROLL_ID_SIZE];
        Err err = { 0 };
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->pulse_usec = 50 * USEC_PER_MSEC;
        w.on_call = fall_over;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes --soak 1s-2s", RESULT_FAILED);
        world_says(&w, "n1: failed: ");
        world_says(&w, "was not seen to serve without a break");
        assert_string_equal(w.order, "n1");
        (void) snprintf(dir, sizeof(dir), "%s/rolls", w.dir);
        assert_int_equal(roll_log_find(dir, NULL, false, id, &err), 0);
        assert_int_equal(roll_log_read(dir, id, &record, &err), 0);
        assert_string_equal(roll_record_node(record, "n1", "router")->result, "failed");
        (void) roll_record_free(record);
        world_done(&w);
}

/* ---- the user ---- */

static void press(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 0)
                return;
        w->done_once = true;
        (void) kill(getpid(), SIGINT);
}

static void ctrl_c_finishes_the_node_and_resume_does_the_rest(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = press;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_INTERRUPTED);
        assert_string_equal(w.order, "n1");
        assert_int_equal(fake_agent_restarts(w.agent[0]), 1);
        world_has_no_lease(&w);
        world_again(&w);
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_string_equal(w.order, "n2 n3");
        assert_int_equal(world_restarts(&w), 3);
        /* What it has done itself is no warning: it is left alone. */
        assert_null(strstr(w.lines, "they are restarted again"));
        world_done(&w);
}

static void up_again(World *w, size_t node, const char *member)
{
        /* Nothing but its restart cures it. */
        if (strcmp(member, "Go") == 0 && node == 0)
                fake_agent_script(w->agent[0])->parts[0].not_up = false;
}

/* What was done is not done any more when it does not serve now: it comes first, and nothing else goes out
 * before. */
static void one_that_was_done_and_does_not_serve_any_more_is_restarted_again_in_a_resume(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = press;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_INTERRUPTED);
        world_again(&w);
        fake_agent_script(w.agent[0])->parts[0].not_up = true;
        w.on_call = up_again;
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        world_says(&w, "n1: was restarted by this roll and does not serve now");
        assert_string_equal(w.order, "n1 n2 n3");
        assert_int_equal(fake_agent_restarts(w.agent[0]), 2);
        assert_int_equal(world_restarts(&w), 4);
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        world_done(&w);
}

static void up_at_the_second_look(World *w, size_t node, const char *member)
{
        if (strcmp(member, "Look") == 0 && node == 0 && w->done_once)
                fake_agent_script(w->agent[0])->parts[0].not_up = false;
        w->done_once = w->done_once || (strcmp(member, "Look") == 0 && node == 0);
}

/* One answer that is late is no reason for that. */
static void one_that_was_done_and_is_only_slow_to_answer_is_left_alone(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        w.on_call = press;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_INTERRUPTED);
        world_again(&w);
        fake_agent_script(w.agent[0])->parts[0].not_up = true;
        w.on_call = up_at_the_second_look;
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_string_equal(w.order, "n2 n3");
        assert_int_equal(world_restarts(&w), 3);
        world_done(&w);
}

static void press_at_n2(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 1)
                return;
        w->done_once = true;
        (void) kill(getpid(), SIGINT);
}

/* What an earlier roll has done stays done when the one that said so is itself taken up again. */
static void what_since_leaves_out_stays_out_in_a_resume(void **state)
{
        static World w;
        char dir[128], id[ROLL_ID_SIZE], line[256];
        Err err = { 0 };
        (void) state;
        world_new(&w, "aaa");
        w.on_call = press;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_INTERRUPTED);
        (void) snprintf(dir, sizeof(dir), "%s/rolls", w.dir);
        assert_int_equal(roll_log_find(dir, NULL, false, id, &err), 0);
        world_again(&w);
        w.on_call = press_at_n2;
        (void) snprintf(line, sizeof(line), "edge-roll restart router --nodes n1,n2,n3 --yes --since %s", id);
        world_ends(&w, line, RESULT_INTERRUPTED);
        assert_string_equal(w.order, "n2");
        world_again(&w);
        /* The youngest: ids of one second are in no order. */
        const char *at = strstr(w.lines, "edge-roll resume 2");
        assert_non_null(at);
        (void) snprintf(line, sizeof(line), "%.*s --yes", (int) strcspn(at, "\n"), at);
        world_ends(&w, line, RESULT_DONE);
        assert_string_equal(w.order, "n3");
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(fake_agent_restarts(w.agent[i]), 1);
        world_done(&w);
}

#define DEPLOYED(status, type, n)                      \
        "{\"status\":\"" status "\",\"type\":[\"" type \
        "\"],\"uUID\":\"00000000-0000-0000-0000-00000000000" n "\"}"
#define LISTED(type, n)                                                            \
        "{\"uUID\":\"00000000-0000-0000-0000-00000000000" n "\",\"type\":[\"" type \
        "\"],\"pod\":\"gateway\",\"region\":\"dc-a\",\"internalIP\":\"10.0.0." n "\"}"

/* Edge of four nodes: n1 and n2 are routers, n3 and n4 message processors. */
static Standin *edge_of_four(const World *w, const char *deployed)
{
        char conf[512], edge[1200], more[700];
        (void) snprintf(
                edge, sizeof(edge),
                "{\"acme\":{\"prod\":{\"targetservers\":{\"shut\":{\"name\":\"shut\",\"host\":\"127.0.0.1\",\"port\":1,"
                "\"isEnabled\":true}},\"deployments\":[{\"proxy\":\"p\",\"revision\":\"1\",\"state\":\"deployed\","
                "\"server\":[%s]}]}}}",
                deployed);
        Standin *s =
                standin_new(edge, "[" LISTED("router", "1") "," LISTED("router", "2") "," LISTED(
                                          "message-processor", "3") "," LISTED("message-processor", "4") "]");
        (void) snprintf(more, sizeof(more), "%smanagement_url = %s\n", world_conf(w->dir, conf, sizeof(conf)),
                        standin_url(s));
        world_file(w, "conf", more);
        return s;
}

static void press_at_n4(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 3)
                return;
        w->done_once = true;
        (void) kill(getpid(), SIGINT);
}

static void a_roll_for_a_reason_is_about_what_the_reason_is_about(void **state)
{
        static World w;
        char line[256];
        (void) state;
        if (!standin_have())
                skip();
        world_new(&w, "aaAA");
        Standin *s = edge_of_four(&w, DEPLOYED("deployed", "message-processor",
                                               "3") "," DEPLOYED("error", "message-processor",
                                                                 "4") "," DEPLOYED("error", "router", "1"));
        world_ends(&w, "edge-roll plan restart --nodes n[1:4] --why --json", RESULT_DONE);
        world_says(&w, "\"event\":\"why\"");
        world_says(&w, "1 of 1 target servers do not answer from here: shut of acme/prod (connect)");
        assert_int_equal(world_restarts(&w), 0);
        world_ends(&w, "edge-roll restart message-processor --nodes n[1:4] --why --yes", RESULT_DONE);
        assert_string_equal(w.order, "n4");

        /* What is left of it when it is stopped is all that is taken up again. */
        world_again(&w);
        w.on_call = press_at_n4;
        world_ends(&w, "edge-roll restart --nodes n[1:4] --why --yes", RESULT_INTERRUPTED);
        assert_string_equal(w.order, "n4");
        /* By its id: those of one second are in no order. */
        const char *at = strstr(w.lines, "edge-roll resume 2");
        assert_non_null(at);
        (void) snprintf(line, sizeof(line), "%.*s --yes", (int) strcspn(at, "\n"), at);
        world_again(&w);
        world_ends(&w, line, RESULT_DONE);
        assert_string_equal(w.order, "n1");
        assert_int_equal(world_restarts(&w), 3);
        world_has_no_lease(&w);

        /* Nothing speaks for it; a reason that cannot be looked at is none. */
        world_again(&w);
        standin_write(s, "edge.json", "{\"acme\":{\"prod\":{}}}");
        world_ends(&w, "edge-roll restart --nodes n[1:4] --why --yes --json", RESULT_NOT_NEEDED);
        standin_write(s, "mode", "500 deployments");
        world_ends(&w, "edge-roll restart --nodes n[1:4] --why --yes", RESULT_PROBLEMS);
        world_says(&w, "not everything could be looked at");
        standin_write(s, "mode", "403");
        world_ends(&w, "edge-roll restart --nodes n[1:4] --why --yes", RESULT_REFUSED);
        world_ends(&w, "edge-roll restart other --nodes n[1:4] --why --yes", RESULT_USAGE);
        assert_int_equal(world_restarts(&w), 3);

        /* One that no node has. */
        standin_write(s, "mode", NULL);
        s = standin_free(s);
        s = edge_of_four(&w, DEPLOYED("error", "message-processor", "4"));
        world_ends(&w, "edge-roll restart --nodes n1,n2,n3 --why --yes", RESULT_REFUSED);
        world_says(&w, "10.0.0.4");
        assert_int_equal(world_restarts(&w), 3);
        (void) standin_free(s);
        world_done(&w);
}

static void nothing_to_take_up_and_no_such_roll_are_not_the_same(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aa");
        world_ends(&w, "edge-roll resume --yes", RESULT_NOT_NEEDED);
        world_ends(&w, "edge-roll resume 20200101T000000-router-0000 --yes", RESULT_USAGE);
        world_says(&w, "edge-roll history");
        world_done(&w);
}

static void press_again(World *w, size_t node, const char *member)
{
        if (strcmp(member, "Go") == 0 && node == 0)
                (void) kill(getpid(), SIGINT);
        else if (strcmp(member, "LeaseRenew") == 0)
                return;
        else if (w->done_once)
                return;
}

static int on_second(sd_event_source *s, uint64_t usec, void *userdata)
{
        World *w = userdata;
        (void) usec;
        if (strcmp(fake_agent_phase(w->agent[0]), "notice") == 0) {
                (void) kill(getpid(), SIGINT);
                return 0;
        }
        (void) sd_event_source_set_time(s, time_now() + 20 * USEC_PER_MSEC);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void ctrl_c_twice_leaves_at_once_and_resume_finds_the_job(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        fake_agent_script(w.agent[0])->phase_usec[PHASE_NOTICE] = 500 * USEC_PER_MSEC;
        w.on_call = press_again;
        assert_true(sd_event_add_time(w.event, &w.timer, CLOCK_MONOTONIC, time_now(), 1000, on_second, &w) >=
                    0);
        assert_int_equal(world_roll(&w, "edge-roll restart router --nodes n1,n2,n3 --yes"), 128 + SIGINT);
        world_says(&w, "edge-roll resume");
        assert_int_equal(world_restarts(&w), 0);
        w.timer = sd_event_source_unref(w.timer);
        world_again(&w);

        /* A plain one is refused, and says how to go on. */
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_REFUSED);
        world_says(&w, "edge-roll resume");
        world_says(&w, "--give-up");
        world_again(&w);
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        world_done(&w);
}

/* ---- the journal ---- */

static void a_roll_that_cannot_be_remembered_is_not_begun(void **state)
{
        static World w;
        char path[128];
        (void) state;
        world_new(&w, "aa");
        /* A file where the directory should be. */
        world_file(&w, "rolls", "");
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes", RESULT_REFUSED);
        world_says(&w, "journal");
        assert_int_equal(fake_agent_calls(w.agent[0], "LeaseTake"), 0);
        (void) snprintf(path, sizeof(path), "%s/rolls", w.dir);
        (void) unlink(path);
        world_done(&w);
}

static void a_roll_whose_journal_is_full_is_not_taken_up_again(void **state)
{
        static World w;
        char path[256], id[ROLL_ID_SIZE];
        struct rlimit before, full;
        struct stat st;
        Err err = { 0 };
        (void) state;
        world_new(&w, "aaa");
        w.on_call = press;
        world_ends(&w, "edge-roll restart router --nodes n1,n2,n3 --yes", RESULT_INTERRUPTED);
        (void) snprintf(path, sizeof(path), "%s/rolls", w.dir);
        assert_int_equal(roll_log_find(path, NULL, false, id, &err), 0);
        (void) snprintf(path, sizeof(path), "%s/rolls/%s.jsonl", w.dir, id);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        full = (struct rlimit){ .rlim_cur = (rlim_t) st.st_size, .rlim_max = before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
        world_again(&w);
        int status = world_roll(&w, "edge-roll resume --yes");
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, result_exit_code(RESULT_REFUSED));
        world_says(&w, "cannot be written");
        assert_int_equal(world_restarts(&w), 1);
        /* With room again it goes on. */
        world_again(&w);
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_int_equal(world_restarts(&w), 3);
        world_done(&w);
}

static void full_at_the_second(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 1)
                return;
        w->done_once = true;
        (void) setrlimit(RLIMIT_FSIZE, &(struct rlimit){ .rlim_cur = 10, .rlim_max = w->files.rlim_max });
}

static void a_journal_that_is_full_in_the_middle_ends_the_roll_behind_its_node(void **state)
{
        static World w;
        (void) state;
        world_new(&w, "aaa");
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &w.files), 0);
        w.on_call = full_at_the_second;
        int status = world_roll(&w, "edge-roll restart router --nodes n1,n2,n3 --yes");
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &w.files), 0);
        assert_int_equal(status, result_exit_code(RESULT_FAILED));
        assert_string_equal(w.order, "n1 n2");
        assert_int_equal(world_restarts(&w), 2);
        world_has_no_lease(&w);
        world_again(&w);
        world_ends(&w, "edge-roll resume --yes", RESULT_DONE);
        assert_string_equal(w.order, "n3");
        world_done(&w);
}

static void the_journal_tells_the_whole_story(void **state)
{
        static World w;
        RollRecord *record = NULL;
        char dir[128], id[ROLL_ID_SIZE];
        Err err = { 0 };
        (void) state;
        world_new(&w, "aa");
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes --json", RESULT_DONE);
        world_says(&w, "\"event\":\"end\"");
        (void) snprintf(dir, sizeof(dir), "%s/rolls", w.dir);
        assert_int_equal(roll_log_find(dir, NULL, false, id, &err), 0);
        assert_int_equal(roll_log_read(dir, id, &record, &err), 0);
        assert_true(record->ended);
        assert_string_equal(record->result, "done");
        assert_int_equal(record->n_nodes, 2);
        assert_int_equal(record->counts.done, 2);
        assert_string_equal(roll_record_node(record, "n2", "router")->result, "done");
        assert_string_equal(roll_record_node(record, "n2", "router")->uuid, w.uuid[1]);
        (void) roll_record_free(record);
        world_done(&w);
}

/* One of them alone: its name, or a pattern, as an argument. */
/* ---- what a node says that is not ours any more ---- */

/* Sets a terminal's title, means something to printf, and tries to look like a line of ours. */
#define EVIL "\x1b]0;pwned\a\x1b[2J%s%n\nrouter: done; \x7f$(reboot)`reboot`"

static void only_plain_lines(const World *w, const char *line)
{
        for (const char *p = w->lines; *p; p++)
                /* In JSON that is a character like any other. */
                if (((unsigned char) *p < ' ' && *p != '\n') || (*p == 0x7f && !strstr(line, "--json")))
                        fail_msg("%s: byte 0x%02x in:\n%s", line, (unsigned char) *p, w->lines);
        if (strstr(w->lines, "\nrouter: done;"))
                fail_msg("%s: a line of a node's own:\n%s", line, w->lines);
}

static void what_a_node_says_never_reaches_the_terminal_as_more_than_text(void **state)
{
        static const char *const lines[] = {
                "edge-roll plan restart router --nodes n1,n2,n3",
                "edge-roll restart router --nodes n1,n2,n3 --yes",
                "edge-roll restart router --nodes n1,n2,n3 --yes --json",
        };
        static const FakeMember evil = { EVIL, EVIL, EVIL };
        enum { IDS, TEXTS, END, NO_BUS, KINDS };
        static World w;
        (void) state;
        for (int kind = 0; kind < KINDS; kind++)
                for (size_t i = 0; i < ELEMENTS(lines); i++) {
                        world_new(&w, "aaa");
                        FakeScript *s = fake_agent_script(w.agent[1]);
                        FakePart *p = &s->parts[0];
                        if (kind == IDS)
                                p->uuid = p->region = p->pod = p->pool = p->address = EVIL;
                        else if (kind == TEXTS) {
                                p->members_from = p->out_reason = p->blocked = p->router_retry = EVIL;
                                s->version = s->lock_text = EVIL;
                                p->members = &evil;
                                p->n_members = 1;
                        } else if (kind == END) {
                                s->reason = s->hint = EVIL;
                                s->fail_phase = PHASE_READY;
                                s->result = "held";
                        } else
                                s->no_bus = EVIL;
                        (void) world_roll(&w, lines[i]);
                        only_plain_lines(&w, lines[i]);
                        world_done(&w);
                }
}

/* An error of a call is a node's word, too: also of one whose name is odd. */
static void on_evil_refusal(World *w, size_t node, const char *member)
{
        if (node == 1 && strcmp(member, w->lock_says ? "LeaseTake" : "Look") == 0)
                w->refuse = "org.edgeroll.Error.Evil";
}

static void a_refusal_of_a_node_is_only_text(void **state)
{
        static World w;
        (void) state;
        for (int take = 0; take < 2; take++) {
                world_new(&w, "aaa");
                w.refuse_text = EVIL;
                w.lock_says = take ? "{}" : NULL;
                w.on_call = on_evil_refusal;
                (void) world_roll(&w, "edge-roll restart router --nodes n1,n2,n3 --yes");
                only_plain_lines(&w, "refused");
                world_says(&w, "pwned");
                world_done(&w);
        }
}

int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_after_another_and_every_lease_is_given_back),
                cmocka_unit_test(regions_follow_each_other_and_message_processors_come_first),
                cmocka_unit_test(the_plan_touches_nothing),
                cmocka_unit_test(without_a_yes_nothing_is_begun),
                cmocka_unit_test(the_first_node_that_does_not_come_back_stops_it),
                cmocka_unit_test(another_one_that_dies_gives_back_the_one_that_is_blocked),
                cmocka_unit_test(agents_of_the_release_before_are_rolled_and_told_to_go_back_all_the_same),
                cmocka_unit_test(every_refusal_has_its_own_end),
                cmocka_unit_test(nobody_who_cannot_be_reached_is_passed_over),
                cmocka_unit_test(who_is_out_and_no_matter_does_not_keep_the_others_waiting),
                cmocka_unit_test(one_that_was_left_out_by_override_is_not_done),
                cmocka_unit_test(a_zookeeper_that_does_not_answer_is_told_before_anything_is_begun),
                cmocka_unit_test(who_may_change_nothing_is_told_before_anything_is_begun),
                cmocka_unit_test(a_link_that_is_cut_in_the_middle_is_made_again_and_the_job_found),
                cmocka_unit_test(unreachable_is_failed_and_never_done),
                cmocka_unit_test(an_agent_that_dies_and_comes_back_goes_on),
                cmocka_unit_test(a_word_that_is_lost_with_its_link_is_given_again),
                cmocka_unit_test(a_word_that_is_always_refused_ends_its_job),
                cmocka_unit_test(an_order_to_go_back_that_is_lost_is_given_again),
                cmocka_unit_test(an_order_to_go_back_that_is_refused_under_the_lease_names_the_job),
                cmocka_unit_test(a_node_whose_lease_is_lost_is_told_to_go_back_all_the_same),
                cmocka_unit_test(one_that_is_away_when_its_turn_comes_ends_the_roll),
                cmocka_unit_test(one_that_was_away_long_before_its_turn_is_reached_again),
                cmocka_unit_test(a_lease_that_somebody_else_takes_first_is_named_and_waited_for),
                cmocka_unit_test(a_lease_that_is_being_renewed_when_another_is_refused_is_given_back),
                cmocka_unit_test(a_lease_that_is_asked_of_a_frozen_node_is_not_taken_when_it_wakes),
                cmocka_unit_test(one_that_falls_over_between_the_look_and_the_lease_is_missed_at_once),
                cmocka_unit_test(somebody_elses_lease_is_respected_and_named),
                cmocka_unit_test(a_word_from_where_the_lease_has_lapsed_is_not_believed),
                cmocka_unit_test(a_lease_that_lapsed_in_a_suspend_is_taken_by_the_clock_of_now),
                cmocka_unit_test(one_that_came_too_late_for_the_lease_waits_and_goes_on),
                cmocka_unit_test(a_lease_that_is_taken_away_stops_the_roll_behind_its_node),
                cmocka_unit_test(one_that_falls_over_while_it_is_watched_is_called_failed),
                cmocka_unit_test(ctrl_c_finishes_the_node_and_resume_does_the_rest),
                cmocka_unit_test(
                        one_that_was_done_and_does_not_serve_any_more_is_restarted_again_in_a_resume),
                cmocka_unit_test(one_that_was_done_and_is_only_slow_to_answer_is_left_alone),
                cmocka_unit_test(what_since_leaves_out_stays_out_in_a_resume),
                cmocka_unit_test(a_roll_for_a_reason_is_about_what_the_reason_is_about),
                cmocka_unit_test(nothing_to_take_up_and_no_such_roll_are_not_the_same),
                cmocka_unit_test(ctrl_c_twice_leaves_at_once_and_resume_finds_the_job),
                cmocka_unit_test(a_roll_that_cannot_be_remembered_is_not_begun),
                cmocka_unit_test(a_roll_whose_journal_is_full_is_not_taken_up_again),
                cmocka_unit_test(a_journal_that_is_full_in_the_middle_ends_the_roll_behind_its_node),
                cmocka_unit_test(the_journal_tells_the_whole_story),
                cmocka_unit_test(what_a_node_says_never_reaches_the_terminal_as_more_than_text),
                cmocka_unit_test(a_refusal_of_a_node_is_only_text),
        };
        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
