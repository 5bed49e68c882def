/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Jobs on fake agents, followed over everything that can come between. */

#include "agent/cluster/follow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/fake-agent.h"

#define ROLL "20261128T190000Z-1"

typedef struct World {
        sd_event *event;
        RemotePool *pool;
        FakeAgent *agent;
        Remote *remote;
        Follow *follow;
        uint64_t epoch;
        unsigned ups, downs;
        unsigned events, jobs, resumed, results, phases, ended, lost;
        char order[1024]; /* the phases that begun, as told */
        char result[64], text[300];
        bool answered;
        int answer;
        char error[96];
        const char *stop_at; /* free the follow at this phase */
        bool free_remote, free_at_end;
} World;

static void on_up(Remote *r, void *userdata)
{
        World *w = userdata;
        (void) r;
        w->ups++;
}

static void on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool again,
                    void *userdata)
{
        World *w = userdata;
        (void) r;
        (void) trouble;
        (void) text;
        (void) hint;
        (void) again;
        w->downs++;
}

static void world_free_follow(World *w)
{
        w->follow = follow_free(w->follow);
        if (w->free_remote)
                w->remote = remote_free(w->remote);
}

static void on_event(const char *json, void *userdata)
{
        World *w = userdata;
        cJSON *o = cJSON_Parse(json);
        assert_non_null(o);
        const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "event"));
        const char *phase = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "phase"));
        const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "state"));
        w->events++;
        if (strcmp(event, "job") == 0) {
                w->jobs++;
                w->resumed += cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "resumed"));
        } else if (strcmp(event, "result") == 0)
                w->results++;
        else if (strcmp(event, "phase") == 0 && strcmp(state, "begin") == 0) {
                size_t n = strlen(w->order);
                w->phases++;
                (void) snprintf(w->order + n, sizeof(w->order) - n, "%s ", phase);
        }
        bool stop = phase && w->stop_at && strcmp(phase, w->stop_at) == 0;
        cJSON_Delete(o);
        if (stop)
                world_free_follow(w);
}

static void on_ended(const cJSON *result, void *userdata)
{
        World *w = userdata;
        const char *r = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "result"));
        w->ended++;
        (void) snprintf(w->result, sizeof(w->result), "%s", r ? r : "?");
        if (w->free_at_end)
                world_free_follow(w);
}

static void on_lost(const char *text, void *userdata)
{
        World *w = userdata;
        w->lost++;
        (void) snprintf(w->text, sizeof(w->text), "%s", text);
}

static const FollowHandlers handlers = { .event = on_event, .ended = on_ended, .lost = on_lost };

static void on_answer(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        World *w = userdata;
        uint64_t now, ttl;
        w->answered = true;
        w->answer = r;
        (void) snprintf(w->error, sizeof(w->error), "%s", name);
        (void) snprintf(w->text, sizeof(w->text), "%s", text);
        if (r == 0 && strcmp(sd_bus_message_get_signature(m, true), "ttt") == 0)
                assert_true(sd_bus_message_read(m, "ttt", &w->epoch, &now, &ttl) > 0);
}

#define until(w, condition)                                                                        \
        do {                                                                                       \
                Usec _end = time_add(time_now(), 20 * USEC_PER_SEC);                               \
                while (!(condition)) {                                                             \
                        if (time_now() > _end)                                                     \
                                fail_msg("%s did not come; told: %s (%s)", #condition, (w)->order, \
                                         (w)->text);                                               \
                        assert_true(sd_event_run((w)->event, 100 * USEC_PER_MSEC) >= 0);           \
                }                                                                                  \
        } while (0)

static const FakeScript usual = {
        .name = "r1",
        .n_parts = 1,
        .parts = { { .component = "router",
                     .uuid = "u1",
                     .region = "dc-1",
                     .pod = "gateway",
                     .pool = "router/dc-1/gateway",
                     .address = "10.0.0.1",
                     .health_port = 15999 } },
};

static void world_make(World *w, const FakeScript *script)
{
        static const RemoteHandlers remote = { .up = on_up, .down = on_down };
        RemoteOptions o = { .retry_usec = 20 * USEC_PER_MSEC, .retry_max_usec = 50 * USEC_PER_MSEC };
        Err err = { 0 };
        *w = (World){ 0 };
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(remote_pool_new(&w->pool, w->event, &o, &err), 0);
        assert_int_equal(fake_agent_new(&w->agent, w->event, script), 0);
        RemoteDest dest = { .open = fake_agent_open, .open_userdata = w->agent };
        assert_int_equal(remote_new(&w->remote, w->pool, "r1", &dest, &remote, w, &err), 0);
        until(w, w->ups == 1);
}

static void world_done(World *w)
{
        (void) follow_free(w->follow);
        (void) remote_free(w->remote);
        (void) fake_agent_free(w->agent);
        (void) remote_pool_free(w->pool);
        (void) sd_event_unref(w->event);
}

static void lease(World *w)
{
        Err err = { 0 };
        w->answered = false;
        assert_int_equal(remote_call(w->remote, NULL, NULL, NULL, "LeaseTake", 0, on_answer, w, &err,
                                     "ssa(sss)a{sv}", "router", ROLL, 1, "u1", "r1", "10.0.0.1", 1,
                                     "accept-out", "b", 1),
                         0);
        until(w, w->answered);
        assert_int_equal(w->answer, 0);
}

static void begin(World *w, uint64_t step)
{
        Err err = { 0 };
        w->answered = false;
        assert_int_equal(remote_call(w->remote, NULL, NULL, NULL, "Restart", 0, on_answer, w, &err, "sa{sv}",
                                     "router", 4, "lease", "t", w->epoch, "step", "t", step, "expires", "t",
                                     time_boot() + 10 * USEC_PER_SEC, "roll", "s", ROLL),
                         0);
        until(w, w->answered);
        assert_int_equal(w->answer, 0);
}

static void follow(World *w, uint64_t step)
{
        Err err = { 0 };
        assert_int_equal(follow_new(&w->follow, w->remote, "router", ROLL, step, &handlers, w, &err), 0);
}

#define ALL "preflight discover watch place block notice drain gate stop start ready verify unblock return "

static void every_event_is_told_once_and_the_result_last(void **state)
{
        World w;
        FakeScript s = usual;
        (void) state;
        s.progress = 2;
        world_make(&w, &s);
        lease(&w);
        begin(&w, 1);
        follow(&w, 1);
        until(&w, w.ended);
        assert_string_equal(w.result, "done");
        assert_string_equal(w.order, ALL);
        assert_int_equal(w.jobs, 1);
        assert_int_equal(w.results, 1);
        /* job, result, and of each phase begin, two of progress, end */
        assert_int_equal(w.events, 2 + 14 * 4);
        assert_int_equal(fake_agent_restarts(w.agent), 1);
        world_done(&w);
}

static void what_signals_miss_is_fetched(void **state)
{
        World w;
        FakeScript s = usual;
        (void) state;
        s.all_phases_usec = 5 * USEC_PER_MSEC;
        world_make(&w, &s);
        lease(&w);
        begin(&w, 1);
        follow(&w, 1);
        until(&w, w.phases >= 3);
        /* Some of the middle, and nothing behind it shows the gap but the next signal. */
        fake_agent_script(w.agent)->no_signals = true;
        until(&w, strcmp(fake_agent_phase(w.agent), "stop") == 0);
        fake_agent_script(w.agent)->no_signals = false;
        until(&w, w.ended);
        assert_string_equal(w.order, ALL);
        assert_int_equal(w.events, 2 + 14 * 2);
        world_done(&w);
}

static void a_result_whose_signal_was_lost_is_found_all_the_same(void **state)
{
        World w;
        FakeScript s = usual;
        (void) state;
        s.phase_usec[PHASE_READY] = 30 * USEC_PER_MSEC;
        world_make(&w, &s);
        lease(&w);
        begin(&w, 1);
        follow(&w, 1);
        until(&w, strstr(w.order, "ready"));
        fake_agent_script(w.agent)->no_signals = true;
        until(&w, w.ended);
        assert_string_equal(w.result, "done");
        assert_string_equal(w.order, ALL);
        world_done(&w);
}

static void a_cut_in_the_middle_is_no_end(void **state)
{
        World w;
        FakeScript s = usual;
        (void) state;
        s.all_phases_usec = 10 * USEC_PER_MSEC;
        world_make(&w, &s);
        lease(&w);
        begin(&w, 1);
        follow(&w, 1);
        until(&w, strstr(w.order, "block"));
        fake_agent_cut(w.agent);
        until(&w, w.downs == 1);
        until(&w, strstr(w.order, "gate"));
        fake_agent_half(w.agent);
        until(&w, w.ended);
        assert_true(w.downs >= 2);
        assert_string_equal(w.result, "done");
        assert_string_equal(w.order, ALL);
        assert_int_equal(w.jobs, 1);
        assert_int_equal(w.events, 2 + 14 * 2);
        world_done(&w);
}

static void a_job_that_ended_while_the_link_was_away_is_told_from_the_record(void **state)
{
        World w;
        (void) state;
        world_make(&w, &usual);
        lease(&w);
        fake_agent_script(w.agent)->phase_usec[PHASE_DRAIN] = USEC_INFINITY;
        begin(&w, 1);
        follow(&w, 1);
        until(&w, strstr(w.order, "drain"));
        fake_agent_script(w.agent)->open_errno = EHOSTUNREACH;
        fake_agent_cut(w.agent);
        until(&w, w.downs >= 2);
        /* It ends, and the agent is another process when the link is there again. */
        fake_agent_script(w.agent)->phase_usec[PHASE_DRAIN] = 0;
        fake_agent_finish(w.agent);
        until(&w, !*fake_agent_phase(w.agent));
        fake_agent_die(w.agent, 1);
        fake_agent_script(w.agent)->open_errno = 0;
        until(&w, w.ended);
        assert_string_equal(w.result, "done");
        assert_int_equal(w.lost, 0);
        world_done(&w);
}

static void an_agent_that_dies_goes_on_under_another_number(void **state)
{
        World w;
        FakeScript s = usual;
        (void) state;
        s.all_phases_usec = 5 * USEC_PER_MSEC;
        world_make(&w, &s);
        lease(&w);
        begin(&w, 1);
        follow(&w, 1);
        until(&w, strstr(w.order, "notice"));
        fake_agent_die(w.agent, 150 * USEC_PER_MSEC);
        until(&w, w.ended);
        assert_string_equal(w.result, "done");
        assert_int_equal(w.jobs, 2);
        assert_int_equal(w.resumed, 1);
        assert_int_equal(w.downs, 0);
        assert_int_equal(w.results, 1);
        world_done(&w);
}

static void a_bus_that_goes_away_is_waited_for(void **state)
{
        World w;
        FakeScript s = usual;
        (void) state;
        s.all_phases_usec = 5 * USEC_PER_MSEC;
        world_make(&w, &s);
        lease(&w);
        begin(&w, 1);
        follow(&w, 1);
        until(&w, strstr(w.order, "block"));
        fake_agent_no_bus(w.agent, "the system bus of this node is not there");
        until(&w, !*fake_agent_phase(w.agent));
        fake_agent_no_bus(w.agent, NULL);
        until(&w, w.ended);
        assert_string_equal(w.result, "done");
        assert_string_equal(w.order, ALL);
        assert_int_equal(w.jobs, 1);
        world_done(&w);
}

static bool leaving(FakeAgent *a, sd_bus_message *m, const char *member, void *userdata)
{
        unsigned *left = userdata;
        (void) a;
        (void) member;
        if (*left == 0)
                return false;
        (*left)--;
        assert_true(sd_bus_reply_method_errorf(m, "org.edgeroll.Error.Leaving", "call again") >= 0);
        return true;
}

static void an_agent_that_leaves_is_called_again(void **state)
{
        World w;
        unsigned left = 0;
        (void) state;
        world_make(&w, &usual);
        lease(&w);
        fake_agent_script(w.agent)->hook = leaving;
        fake_agent_script(w.agent)->userdata = &left;
        left = 3;
        begin(&w, 1);
        assert_int_equal(left, 0);
        assert_int_equal(fake_agent_calls(w.agent, "Restart"), 4);
        left = 2;
        follow(&w, 1);
        until(&w, w.ended);
        assert_string_equal(w.result, "done");
        assert_string_equal(w.order, ALL);
        world_done(&w);
}

static void what_the_agent_does_not_know_is_lost(void **state)
{
        World w;
        (void) state;
        world_make(&w, &usual);
        follow(&w, 7);
        until(&w, w.lost);
        assert_int_equal(w.ended, 0);
        assert_non_null(strstr(w.text, "step 7"));
        world_done(&w);

        /* Nor is another's job taken for it, while it runs and when it is over. */
        world_make(&w, &usual);
        lease(&w);
        fake_agent_script(w.agent)->phase_usec[PHASE_DRAIN] = USEC_INFINITY;
        begin(&w, 1);
        follow(&w, 2);
        until(&w, w.lost);
        w.follow = follow_free(w.follow);
        until(&w, strcmp(fake_agent_phase(w.agent), "drain") == 0);
        fake_agent_finish(w.agent);
        until(&w, !*fake_agent_phase(w.agent));
        follow(&w, 2);
        until(&w, w.lost == 2);
        assert_int_equal(w.events, 0);
        world_done(&w);

        /* An agent that died and forgot. */
        world_make(&w, &usual);
        lease(&w);
        fake_agent_script(w.agent)->phase_usec[PHASE_DRAIN] = USEC_INFINITY;
        fake_agent_script(w.agent)->forgets = true;
        begin(&w, 1);
        follow(&w, 1);
        until(&w, strstr(w.order, "drain"));
        fake_agent_die(w.agent, 20 * USEC_PER_MSEC);
        until(&w, w.lost);
        assert_int_equal(w.ended, 0);
        world_done(&w);
}

static void a_bad_end_is_told_as_it_is(void **state)
{
        static const struct {
                Phase phase;
                const char *result;
        } ends[] = { { PHASE_PREFLIGHT, "refused" },
                     { PHASE_NOTICE, "gave-back" },
                     { PHASE_READY, "held" },
                     { PHASE_RETURN, "not-readmitted" },
                     { PHASE_STOP, "failed" } };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                World w;
                FakeScript s = usual;
                s.fail_phase = ends[i].phase;
                s.result = ends[i].result;
                world_make(&w, &s);
                lease(&w);
                begin(&w, 1);
                follow(&w, 1);
                until(&w, w.ended);
                assert_string_equal(w.result, ends[i].result);
                world_done(&w);
        }
}

/* Handlers may do what they like. */
static void a_handler_may_free_all_of_it(void **state)
{
        static const char *const at[] = { "preflight", "drain", "return" };
        (void) state;
        for (size_t i = 0; i < 2 * ELEMENTS(at); i++) {
                World w;
                world_make(&w, &usual);
                lease(&w);
                /* In the first round from within one answer that has all events. */
                begin(&w, 1);
                if (i < ELEMENTS(at))
                        until(&w, !*fake_agent_phase(w.agent));
                w.stop_at = at[i % ELEMENTS(at)];
                w.free_remote = i % 2;
                follow(&w, 1);
                until(&w, !w.follow);
                assert_int_equal(w.ended, 0);
                unsigned told = w.events;
                until(&w, !*fake_agent_phase(w.agent));
                for (int turns = 0; turns < 20; turns++)
                        assert_true(sd_event_run(w.event, USEC_PER_MSEC) >= 0);
                assert_int_equal(w.events, told);
                world_done(&w);
        }
        for (int i = 0; i < 2; i++) {
                World w;
                world_make(&w, &usual);
                lease(&w);
                begin(&w, 1);
                w.free_at_end = true;
                w.free_remote = i;
                follow(&w, 1);
                until(&w, w.ended);
                assert_null(w.follow);
                world_done(&w);
        }
}

static void many_are_followed_at_once(void **state)
{
        enum { N = 200 };
        static World w[N];
        static const RemoteHandlers remote = { .up = on_up, .down = on_down };
        sd_event *event = NULL;
        RemotePool *pool = NULL;
        Err err = { 0 };
        (void) state;
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(remote_pool_new(&pool, event, &(RemoteOptions){ .retry_usec = 20 * USEC_PER_MSEC },
                                         &err),
                         0);
        for (int i = 0; i < N; i++) {
                w[i] = (World){ .event = event };
                assert_int_equal(fake_agent_new(&w[i].agent, event, &usual), 0);
                RemoteDest dest = { .open = fake_agent_open, .open_userdata = w[i].agent };
                assert_int_equal(remote_new(&w[i].remote, pool, "r", &dest, &remote, &w[i], &err), 0);
        }
        for (int i = 0; i < N; i++) {
                until(&w[i], w[i].ups == 1);
                lease(&w[i]);
                begin(&w[i], 1);
                follow(&w[i], 1);
                /* Every third is cut somewhere. */
                if (i % 3 == 0)
                        fake_agent_cut(w[i].agent);
        }
        for (int i = 0; i < N; i++) {
                until(&w[i], w[i].ended);
                assert_string_equal(w[i].result, "done");
                assert_string_equal(w[i].order, ALL);
        }
        for (int i = 0; i < N; i++) {
                (void) follow_free(w[i].follow);
                (void) remote_free(w[i].remote);
                (void) fake_agent_free(w[i].agent);
        }
        (void) remote_pool_free(pool);
        (void) sd_event_unref(event);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_is_told_once_and_the_result_last),
                cmocka_unit_test(what_signals_miss_is_fetched),
                cmocka_unit_test(a_result_whose_signal_was_lost_is_found_all_the_same),
                cmocka_unit_test(a_cut_in_the_middle_is_no_end),
                cmocka_unit_test(a_job_that_ended_while_the_link_was_away_is_told_from_the_record),
                cmocka_unit_test(an_agent_that_dies_goes_on_under_another_number),
                cmocka_unit_test(a_bus_that_goes_away_is_waited_for),
                cmocka_unit_test(an_agent_that_leaves_is_called_again),
                cmocka_unit_test(what_the_agent_does_not_know_is_lost),
                cmocka_unit_test(a_bad_end_is_told_as_it_is),
                cmocka_unit_test(a_handler_may_free_all_of_it),
                cmocka_unit_test(many_are_followed_at_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
