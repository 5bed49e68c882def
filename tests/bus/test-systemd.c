/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/systemd*.c against a peer that does everything wrong that systemd and a bus can do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/systemd.h"
#include "tests/bus/fake-systemd1.h"
#include "tests/lib/bus.h"

#define UNIT "edge-router.service"
#define RUN  "edge-roll-run-test.service"

typedef struct Fixture {
        sd_event *event;
        FakeSystemd1 *fake;
        sd_bus *bus;
        Systemd *systemd;
        SystemdCall *call;

        unsigned called;
        JobResult result;
        int r; /* of a unit read; exit status of a command */
        UnitState state;
        char text[512];
        char output[SYSTEMD_OUTPUT_MAX + 1];
        bool free_all; /* the callback frees the Systemd */
} Fixture;

static void setup(Fixture *f)
{
        Err err = {};
        memset(f, 0, sizeof(*f));
        assert_true(sd_event_new(&f->event) >= 0);
        f->fake = fake_systemd1_new(f->event);
        f->bus = fake_systemd1_connect(f->fake);
        fake_systemd1_unit(f->fake, UNIT, "loaded", "inactive");
        assert_int_equal(systemd_new(&f->systemd, f->bus, f->event, &err), 0);
}

static void teardown(Fixture *f)
{
        f->systemd = systemd_free(f->systemd);
        sd_bus_close_unref(f->bus);
        fake_systemd1_free(f->fake);
        sd_event_unref(f->event);
}

/* A new connection in place of one that was lost. */
static void reconnect(Fixture *f)
{
        Err err = {};
        sd_bus *old = f->bus;
        f->bus = fake_systemd1_connect(f->fake);
        assert_int_equal(systemd_set_bus(f->systemd, f->bus, &err), 0);
        sd_bus_close_unref(old);
}

static void on_job(JobResult result, const char *text, void *userdata)
{
        Fixture *f = userdata;
        f->call = NULL;
        f->called++;
        f->result = result;
        (void) snprintf(f->text, sizeof(f->text), "%s", text);
        if (f->free_all)
                f->systemd = systemd_free(f->systemd);
}

static void on_unit(int r, const UnitState *state, const Err *err, void *userdata)
{
        Fixture *f = userdata;
        f->call = NULL;
        f->called++;
        f->r = r;
        if (r < 0)
                (void) snprintf(f->text, sizeof(f->text), "%s", err->text);
        else
                f->state = *state;
        assert_true((r < 0) == !state);
}

static void on_run(int exit_status, const char *output, const char *text, void *userdata)
{
        Fixture *f = userdata;
        f->call = NULL;
        f->called++;
        f->r = exit_status;
        (void) snprintf(f->output, sizeof(f->output), "%s", output);
        (void) snprintf(f->text, sizeof(f->text), "%s", text);
}

/* Turns the loop until @n callbacks have come, at most @limit. Return: how long it took. */
static Usec turn(Fixture *f, unsigned n, Usec limit)
{
        Usec begin = time_now();
        while (f->called < n && time_now() - begin < limit)
                assert_true(sd_event_run(f->event, 20 * USEC_PER_MSEC) >= 0);
        return time_now() - begin;
}

static void expect_call(Fixture *f, Usec limit)
{
        (void) turn(f, 1, limit);
        assert_int_equal(f->called, 1);
}

static void start_job(Fixture *f, UnitVerb verb)
{
        Err err = {};
        f->called = 0;
        assert_int_equal(systemd_job(f->systemd, verb, UNIT, on_job, f, &f->call, &err), 0);
        assert_int_equal(f->called, 0);
}

static JobResult job(Fixture *f, UnitVerb verb)
{
        start_job(f, verb);
        expect_call(f, 5 * USEC_PER_SEC);
        return f->result;
}

/* ---- names ---- */

static void test_names(void **state)
{
        (void) state;
        static const char *const good[] = { "a.service", "edge-component@edge-router.service", "x:y_z.scope",
                                            "dev-sda\\x2d1.device", "system.slice" };
        static const char *const bad[] = {
                "",           "a",           ".service",    "a.servic",   "a/b.service",
                "@a.service", "a b.service", "a.service\n", "a.service;", "../a.service",
                "a.conf"
        };
        char longest[300];

        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(systemd_unit_name_valid(good[i]));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(systemd_unit_name_valid(bad[i]));
        assert_false(systemd_unit_name_valid(NULL));
        memset(longest, 'a', sizeof(longest));
        strcpy(longest + 247, ".service");
        assert_true(systemd_unit_name_valid(longest));
        memset(longest, 'a', sizeof(longest));
        strcpy(longest + 248, ".service");
        assert_false(systemd_unit_name_valid(longest));
}

static void test_bad_names_never_reach_systemd(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        char *const argv[] = { (char[]){ "/bin/true" }, NULL };
        setup(&f);
        assert_int_equal(systemd_unit(f.systemd, "a/b.service", on_unit, &f, NULL, &err), -EINVAL);
        assert_int_equal(systemd_job(f.systemd, UNIT_STOP, "x", on_job, &f, NULL, &err), -EINVAL);
        assert_int_equal(systemd_run(f.systemd, "x y.service", argv, NULL, USEC_PER_SEC, on_run, &f, NULL,
                                     &err),
                         -EINVAL);
        (void) turn(&f, 1, 50 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        assert_int_equal(fake_systemd1_calls(f.fake, "LoadUnit") + fake_systemd1_calls(f.fake, "StopUnit"),
                         0);
        teardown(&f);
}

/* ---- units ---- */

static void read_unit(Fixture *f, const char *unit)
{
        Err err = {};
        f->called = 0;
        assert_int_equal(systemd_unit(f->systemd, unit, on_unit, f, &f->call, &err), 0);
        expect_call(f, 15 * USEC_PER_SEC);
}

static void test_unit_read(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_unit(f.fake, UNIT, NULL, "active");
        fake_systemd1_cgroup(f.fake, UNIT, "/system.slice/" UNIT, 4711);
        read_unit(&f, UNIT);
        assert_int_equal(f.r, 0);
        assert_true(f.state.loaded);
        assert_string_equal(f.state.unit, UNIT);
        assert_string_equal(f.state.active, "active");
        assert_string_equal(f.state.sub, "running");
        assert_string_equal(f.state.result, "success");
        assert_string_equal(f.state.type, "oneshot");
        assert_string_equal(f.state.invocation_id, "ab0100000000000000000000000000ff");
        assert_string_equal(f.state.control_group, "/system.slice/" UNIT);
        assert_int_equal(f.state.main_pid, 4711);
        assert_int_equal(f.state.n_restarts, 2);
        assert_true(f.state.remain_after_exit);
        assert_int_equal(f.state.timeout_stop_usec, 90 * USEC_PER_SEC);
        assert_int_equal(f.state.start_limit_interval_usec, 10 * USEC_PER_SEC);
        assert_int_equal(f.state.start_limit_burst, 5);
        assert_false(f.state.job_pending);

        fake_systemd1_jobs(f.fake, (FakeJob){ .after_usec = USEC_INFINITY });
        start_job(&f, UNIT_STOP);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        f.call = systemd_call_cancel(f.call);
        read_unit(&f, UNIT);
        assert_true(f.state.job_pending);
        teardown(&f);
}

static void test_unit_missing_and_masked_are_answers(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        read_unit(&f, "nothing.service");
        assert_int_equal(f.r, 0);
        assert_false(f.state.loaded);
        assert_string_equal(f.state.load, "not-found");
        assert_string_equal(f.state.invocation_id, "");
        fake_systemd1_unit(f.fake, "hidden.service", "masked", NULL);
        read_unit(&f, "hidden.service");
        assert_false(f.state.loaded);
        assert_string_equal(f.state.load, "masked");
        teardown(&f);
}

static void test_unit_never_answered(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_mute(f.fake, true);
        read_unit(&f, UNIT);
        assert_int_equal(f.r, -ETIMEDOUT);
        assert_non_null(strstr(f.text, UNIT));
        teardown(&f);
}

static void test_unit_waits_for_the_bus(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        setup(&f);
        assert_int_equal(systemd_set_bus(f.systemd, NULL, &err), 0);
        assert_int_equal(systemd_unit(f.systemd, UNIT, on_unit, &f, &f.call, &err), 0);
        (void) turn(&f, 1, 50 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        reconnect(&f);
        expect_call(&f, USEC_PER_SEC);
        assert_int_equal(f.r, 0);
        teardown(&f);
}

/* ---- jobs ---- */

static void test_every_result(void **state)
{
        (void) state;
        static const JobResult results[] = { JOB_DONE,    JOB_CANCELED,    JOB_TIMEOUT,  JOB_FAILED,
                                             JOB_SKIPPED, JOB_DEPENDENCY,  JOB_INVALID,  JOB_ASSERT,
                                             JOB_ONCE,    JOB_UNSUPPORTED, JOB_COLLECTED };
        Fixture f;
        setup(&f);
        for (size_t i = 0; i < ELEMENTS(results); i++) {
                fake_systemd1_jobs(f.fake, (FakeJob){ .result = job_result_name(results[i]) });
                assert_int_equal(job(&f, UNIT_START), results[i]);
                assert_non_null(strstr(f.text, job_result_name(results[i])));
        }
        fake_systemd1_jobs(f.fake, (FakeJob){ .result = "frozen" });
        assert_int_equal(job(&f, UNIT_START), JOB_UNKNOWN);
        assert_string_equal(job_result_name(JOB_RESULT_INVALID), "unknown");
        assert_true(fake_systemd1_calls(f.fake, "Subscribe") == 1);
        teardown(&f);
}

static void test_every_verb(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        assert_int_equal(job(&f, UNIT_START), JOB_DONE);
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "active");
        assert_int_equal(job(&f, UNIT_STOP), JOB_DONE);
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "inactive");
        assert_int_equal(job(&f, UNIT_RELOAD_OR_START), JOB_DONE);
        assert_int_equal(job(&f, UNIT_RESTART), JOB_DONE);
        fake_systemd1_unit(f.fake, UNIT, NULL, "failed");
        assert_int_equal(job(&f, UNIT_RESET_FAILED), JOB_DONE);
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "inactive");
        fake_systemd1_unit(f.fake, UNIT, "not-found", NULL);
        assert_int_equal(job(&f, UNIT_RESET_FAILED), JOB_DONE);
        assert_int_equal(fake_systemd1_calls(f.fake, "ReloadOrRestartUnit"), 1);
        assert_int_equal(fake_systemd1_calls(f.fake, "RestartUnit"), 1);
        teardown(&f);
}

static void test_signal_before_reply(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .order = FAKE_SIGNAL_FIRST, .result = "dependency" });
        start_job(&f, UNIT_START);
        assert_true(turn(&f, 1, 5 * USEC_PER_SEC) < 500 * USEC_PER_MSEC);
        assert_int_equal(f.result, JOB_DEPENDENCY);
        teardown(&f);
}

static void test_signal_lost(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .order = FAKE_SIGNAL_LOST, .after_usec = 100 * USEC_PER_MSEC });
        start_job(&f, UNIT_START);
        assert_true(turn(&f, 1, 5 * USEC_PER_SEC) < 3 * USEC_PER_SEC);
        assert_int_equal(f.result, JOB_UNKNOWN);
        assert_non_null(strstr(f.text, "active"));
        teardown(&f);
}

static void test_long_job_is_waited_for(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .after_usec = 1500 * USEC_PER_MSEC });
        start_job(&f, UNIT_START);
        assert_true(turn(&f, 1, 5 * USEC_PER_SEC) > USEC_PER_SEC);
        assert_int_equal(f.result, JOB_DONE);
        assert_int_equal(fake_systemd1_calls(f.fake, "StartUnit"), 1);
        teardown(&f);
}

static void test_two_calls_one_job(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .after_usec = 50 * USEC_PER_MSEC });
        assert_int_equal(systemd_job(f.systemd, UNIT_START, UNIT, on_job, &f, NULL, &err), 0);
        assert_int_equal(systemd_job(f.systemd, UNIT_START, UNIT, on_job, &f, NULL, &err), 0);
        assert_true(turn(&f, 2, 2 * USEC_PER_SEC) < USEC_PER_SEC);
        assert_int_equal(f.called, 2);
        teardown(&f);
}

static void test_refused(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .error = "org.freedesktop.systemd1.UnitMasked" });
        assert_int_equal(job(&f, UNIT_START), JOB_CALL_FAILED);
        assert_non_null(strstr(f.text, "refused by the test"));
        fake_systemd1_jobs(f.fake, (FakeJob){ .error = SD_BUS_ERROR_ACCESS_DENIED });
        assert_int_equal(job(&f, UNIT_STOP), JOB_CALL_FAILED);
        teardown(&f);
}

static void test_cancel(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        start_job(&f, UNIT_START);
        f.call = systemd_call_cancel(f.call);
        start_job(&f, UNIT_START);
        (void) sd_event_run(f.event, 0);
        f.call = systemd_call_cancel(f.call);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        assert_null(systemd_call_cancel(NULL));
        teardown(&f);
}

static void test_freed_by_its_own_callback(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        setup(&f);
        f.free_all = true;
        assert_int_equal(systemd_job(f.systemd, UNIT_STOP, UNIT, on_job, &f, NULL, &err), 0);
        assert_int_equal(systemd_job(f.systemd, UNIT_STOP, UNIT, on_job, &f, NULL, &err), 0);
        (void) turn(&f, 2, 200 * USEC_PER_MSEC);
        assert_int_equal(f.called, 1);
        teardown(&f);
}

/* ---- the connection ---- */

static void test_stop_that_never_arrived_is_sent_again(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_unit(f.fake, UNIT, NULL, "active");
        fake_systemd1_jobs(f.fake, (FakeJob){ .order = FAKE_HANG_UP });
        start_job(&f, UNIT_STOP);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        fake_systemd1_jobs(f.fake, (FakeJob){});
        reconnect(&f);
        expect_call(&f, 2 * USEC_PER_SEC);
        assert_int_equal(f.result, JOB_DONE);
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 2);
        teardown(&f);
}

static void test_restart_that_may_have_arrived_is_not_sent_again(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .order = FAKE_HANG_UP });
        start_job(&f, UNIT_RESTART);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        reconnect(&f);
        expect_call(&f, 2 * USEC_PER_SEC);
        assert_int_equal(f.result, JOB_UNKNOWN);
        assert_int_equal(fake_systemd1_calls(f.fake, "RestartUnit"), 1);
        teardown(&f);
}

static void test_job_found_again(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .order = FAKE_HANG_UP_LATE,
                                              .result = "failed",
                                              .after_usec = 400 * USEC_PER_MSEC });
        start_job(&f, UNIT_START);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        reconnect(&f);
        expect_call(&f, 2 * USEC_PER_SEC);
        assert_int_equal(f.result, JOB_FAILED);
        assert_int_equal(fake_systemd1_calls(f.fake, "StartUnit"), 1);
        teardown(&f);
}

static void test_job_that_ended_while_the_bus_was_away(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .after_usec = 150 * USEC_PER_MSEC, .order = FAKE_SIGNAL_LOST });
        start_job(&f, UNIT_START);
        (void) turn(&f, 1, 50 * USEC_PER_MSEC);
        assert_int_equal(systemd_set_bus(f.systemd, NULL, &err), 0);
        (void) turn(&f, 1, 200 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        reconnect(&f);
        expect_call(&f, 500 * USEC_PER_MSEC);
        assert_int_equal(f.result, JOB_UNKNOWN);
        teardown(&f);
}

static void test_undelivered_is_sent_again(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .order = FAKE_NO_NAME });
        start_job(&f, UNIT_RESTART);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        fake_systemd1_jobs(f.fake, (FakeJob){});
        expect_call(&f, 3 * USEC_PER_SEC);
        assert_int_equal(f.result, JOB_DONE);
        teardown(&f);
}

/* ---- commands ---- */

static int run(Fixture *f, char *const argv[], char *const env[], Usec limit)
{
        Err err = {};
        f->called = 0;
        assert_int_equal(systemd_run(f->systemd, RUN, argv, env, limit, on_run, f, &f->call, &err), 0);
        expect_call(f, 15 * USEC_PER_SEC);
        return f->r;
}

static int shell(Fixture *f, const char *script, Usec limit)
{
        char text[512];
        (void) snprintf(text, sizeof(text), "%s", script);
        char *const argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, text, NULL };
        return run(f, argv, NULL, limit);
}

static void test_run(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        assert_int_equal(shell(&f, "echo out; echo err >&2", USEC_INFINITY), 0);
        assert_string_equal(f.output, "out\nerr\n");
        assert_int_equal(shell(&f, "exit 3", USEC_INFINITY), 3);
        assert_string_equal(f.output, "");
        assert_non_null(strstr(f.text, "exit status 3"));
        assert_int_equal(shell(&f, "kill -9 $$", USEC_INFINITY), -EINTR);
        (void) turn(&f, 2, 50 * USEC_PER_MSEC);
        assert_int_equal(fake_systemd1_calls(f.fake, "UnrefUnit"), 3);
        teardown(&f);
}

static void test_run_arguments_are_not_expanded(void **state)
{
        (void) state;
        Fixture f;
        char *const argv[] = { (char[]){ "/bin/echo" }, (char[]){ "$HOME ${X} $$ a" }, (char[]){ "%n *" },
                               NULL };
        char *const echo_env[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, (char[]){ "echo $GREETING" },
                                   NULL };
        char *const env[] = { (char[]){ "GREETING=good day" }, NULL };
        setup(&f);
        assert_int_equal(run(&f, argv, NULL, USEC_INFINITY), 0);
        assert_string_equal(f.output, "$HOME ${X} $$ a %n *\n");
        assert_int_equal(run(&f, echo_env, env, USEC_INFINITY), 0);
        assert_string_equal(f.output, "good day\n");
        teardown(&f);
}

static void test_run_output_is_bounded(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        assert_int_equal(shell(&f, "head -c 3000000 /dev/zero | tr '\\0' x; exit 7", USEC_INFINITY), 7);
        assert_int_equal(strlen(f.output), SYSTEMD_OUTPUT_MAX);
        assert_int_equal(shell(&f, "printf 'a\\0b'", USEC_INFINITY), 0);
        assert_string_equal(f.output, "a?b");
        teardown(&f);
}

static void test_run_failures(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        char *const missing[] = { (char[]){ "/nonexistent/program" }, NULL };
        char *const relative[] = { (char[]){ "true" }, NULL };
        char *const no_env[] = { (char[]){ "NOVALUE" }, NULL };
        char *const true_argv[] = { (char[]){ "/bin/true" }, NULL };
        setup(&f);
        assert_int_equal(run(&f, missing, NULL, USEC_INFINITY), -ENOEXEC);
        assert_int_equal(shell(&f, "sleep 60", 200 * USEC_PER_MSEC), -ETIME);
        assert_int_equal(systemd_run(f.systemd, RUN, relative, NULL, USEC_PER_SEC, on_run, &f, NULL, &err),
                         -EINVAL);
        assert_int_equal(systemd_run(f.systemd, RUN, true_argv, no_env, USEC_PER_SEC, on_run, &f, NULL, &err),
                         -EINVAL);
        assert_int_equal(systemd_run(f.systemd, RUN, true_argv, NULL, 0, on_run, &f, NULL, &err), -EINVAL);
        fake_systemd1_jobs(f.fake, (FakeJob){ .error = SD_BUS_ERROR_ACCESS_DENIED });
        assert_int_equal(run(&f, true_argv, NULL, USEC_INFINITY), -EACCES);
        teardown(&f);
}

static void test_run_name_is_a_lock(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        SystemdCall *first;
        char *const slow[] = { (char[]){ "/bin/sleep" }, (char[]){ "0.4" }, NULL };
        setup(&f);
        assert_int_equal(systemd_run(f.systemd, RUN, slow, NULL, USEC_INFINITY, on_run, &f, &first, &err), 0);
        assert_int_equal(systemd_run(f.systemd, RUN, slow, NULL, USEC_INFINITY, on_run, &f, NULL, &err),
                         -EEXIST);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        /* Cancelled, it goes on; its name is free when it is over, not before. */
        (void) systemd_call_cancel(first);
        assert_int_equal(shell(&f, "true", USEC_INFINITY), -EEXIST);
        assert_non_null(strstr(f.text, "already"));
        (void) turn(&f, 2, 600 * USEC_PER_MSEC);
        assert_int_equal(shell(&f, "true", USEC_INFINITY), 0);
        teardown(&f);
}

/* What systemd keeps of a command that is over, for a connection that is no more, stands in nobody's way. */
static void test_run_name_that_nothing_runs_under(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_unit(f.fake, RUN, "loaded", "inactive");
        assert_int_equal(shell(&f, "exit 7", USEC_INFINITY), 7);
        fake_systemd1_unit(f.fake, RUN, "loaded", "activating");
        assert_int_equal(shell(&f, "true", USEC_INFINITY), -EEXIST);
        assert_non_null(strstr(f.text, "already"));
        teardown(&f);
        setup(&f);
        fake_systemd1_unit(f.fake, RUN, "loaded", "failed");
        fake_systemd1_unit(f.fake, "edge-roll-run-test-again1.service", "loaded", "inactive");
        assert_int_equal(shell(&f, "exit 8", USEC_INFINITY), 8);
        teardown(&f);
        setup(&f);
        fake_systemd1_unit(f.fake, RUN, "loaded", "inactive");
        fake_systemd1_unit(f.fake, "edge-roll-run-test-again1.service", "loaded", "activating");
        assert_int_equal(shell(&f, "true", USEC_INFINITY), -EEXIST);
        assert_non_null(strstr(f.text, "already"));
        teardown(&f);
}

static void test_run_bus_lost(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        char *const slow[] = { (char[]){ "/bin/sleep" }, (char[]){ "0.2" }, NULL };
        setup(&f);
        assert_int_equal(systemd_run(f.systemd, RUN, slow, NULL, USEC_INFINITY, on_run, &f, NULL, &err), 0);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        reconnect(&f);
        /* The job's end is seen over the new connection, and "done" is enough. */
        expect_call(&f, 3 * USEC_PER_SEC);
        assert_int_equal(f.r, 0);

        f.called = 0;
        assert_int_equal(systemd_run(f.systemd, RUN, slow, NULL, USEC_INFINITY, on_run, &f, NULL, &err), 0);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        assert_int_equal(systemd_set_bus(f.systemd, NULL, &err), 0);
        sd_bus_close(f.bus);
        sd_bus *new_bus = fake_systemd1_connect(f.fake);
        (void) turn(&f, 1, 400 * USEC_PER_MSEC);
        sd_bus_unref(f.bus);
        f.bus = new_bus;
        assert_int_equal(systemd_set_bus(f.systemd, f.bus, &err), 0);
        expect_call(&f, 3 * USEC_PER_SEC);
        assert_int_equal(f.r, -ENODATA);
        teardown(&f);
}

/* ---- a bus in between ---- */

static sd_bus *daemon_connect(const TestBus *d, sd_event *e)
{
        sd_bus *bus;
        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_address(bus, d->address) >= 0);
        assert_true(sd_bus_set_bus_client(bus, 1) >= 0);
        assert_true(sd_bus_negotiate_fds(bus, 1) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        assert_true(sd_bus_attach_event(bus, e, 0) >= 0);
        return bus;
}

static void test_over_a_bus(void **state)
{
        (void) state;
        TestBus d;
        Fixture f;
        Err err = {};
        setup(&f);
        bus_make(&d);
        sd_bus *served = daemon_connect(&d, f.event), *forger = daemon_connect(&d, f.event);
        fake_systemd1_serve(f.fake, served);
        sd_bus *old = f.bus;
        f.bus = daemon_connect(&d, f.event);
        assert_int_equal(systemd_set_bus(f.systemd, f.bus, &err), 0);
        sd_bus_close_unref(old);

        assert_int_equal(job(&f, UNIT_START), JOB_DONE);
        assert_int_equal(shell(&f, "echo over a bus", USEC_INFINITY), 0);
        assert_string_equal(f.output, "over a bus\n");

        /* Anybody can send us a signal; it ends nothing. */
        const char *unique;
        fake_systemd1_jobs(f.fake, (FakeJob){ .result = "failed", .after_usec = 600 * USEC_PER_MSEC });
        start_job(&f, UNIT_STOP);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        assert_true(sd_bus_get_unique_name(f.bus, &unique) >= 0);
        for (uint32_t id = 1; id < 8; id++) {
                sd_bus_message *m;
                char path[64];
                (void) snprintf(path, sizeof(path), "/org/freedesktop/systemd1/job/%u", id);
                assert_true(sd_bus_message_new_signal(forger, &m, "/org/freedesktop/systemd1",
                                                      "org.freedesktop.systemd1.Manager", "JobRemoved") >= 0);
                assert_true(sd_bus_message_set_destination(m, unique) >= 0);
                assert_true(sd_bus_message_append(m, "uoss", id, path, UNIT, "done") >= 0);
                assert_true(sd_bus_send(forger, m, NULL) >= 0);
                sd_bus_message_unref(m);
        }
        assert_true(turn(&f, 1, 3 * USEC_PER_SEC) > 300 * USEC_PER_MSEC);
        assert_int_equal(f.result, JOB_FAILED);

        /* A systemd that is away from the bus for a moment. */
        fake_systemd1_jobs(f.fake, (FakeJob){});
        assert_true(sd_bus_release_name(served, "org.freedesktop.systemd1") >= 0);
        start_job(&f, UNIT_RESTART);
        (void) turn(&f, 1, 100 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        assert_true(sd_bus_request_name(served, "org.freedesktop.systemd1", 0) >= 0);
        expect_call(&f, 3 * USEC_PER_SEC);
        assert_int_equal(f.result, JOB_DONE);

        sd_bus_close_unref(forger);
        f.systemd = systemd_free(f.systemd);
        sd_bus_close(f.bus);
        teardown(&f);
        sd_bus_close_unref(served);
        bus_remove(&d);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_bad_names_never_reach_systemd),
                cmocka_unit_test(test_unit_read),
                cmocka_unit_test(test_unit_missing_and_masked_are_answers),
                cmocka_unit_test(test_unit_never_answered),
                cmocka_unit_test(test_unit_waits_for_the_bus),
                cmocka_unit_test(test_every_result),
                cmocka_unit_test(test_every_verb),
                cmocka_unit_test(test_signal_before_reply),
                cmocka_unit_test(test_signal_lost),
                cmocka_unit_test(test_long_job_is_waited_for),
                cmocka_unit_test(test_two_calls_one_job),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_cancel),
                cmocka_unit_test(test_freed_by_its_own_callback),
                cmocka_unit_test(test_stop_that_never_arrived_is_sent_again),
                cmocka_unit_test(test_restart_that_may_have_arrived_is_not_sent_again),
                cmocka_unit_test(test_job_found_again),
                cmocka_unit_test(test_job_that_ended_while_the_bus_was_away),
                cmocka_unit_test(test_undelivered_is_sent_again),
                cmocka_unit_test(test_run),
                cmocka_unit_test(test_run_arguments_are_not_expanded),
                cmocka_unit_test(test_run_output_is_bounded),
                cmocka_unit_test(test_run_failures),
                cmocka_unit_test(test_run_name_is_a_lock),
                cmocka_unit_test(test_run_name_that_nothing_runs_under),
                cmocka_unit_test(test_run_bus_lost),
                cmocka_unit_test(test_over_a_bus),
        };
        sigset_t child;

        /* sd-event takes the ends of the fake's commands from a blocked signal. */
        (void) sigemptyset(&child);
        (void) sigaddset(&child, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &child, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
