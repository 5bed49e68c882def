/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/monit*.c against a systemd and a monit that are made up, and against the real monit where it is
 * there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/monit.h"
#include "tests/bus/fake-systemd1.h"
#include "tests/lib/origin.h"

#define UNIT "monit.service"

typedef struct Fixture {
        sd_event *event;
        FakeSystemd1 *fake;
        sd_bus *bus;
        Systemd *systemd;
        Http *http;
        Origin *origin;
        Monit *monit;
        Config config;
        Component component;
        char url[96];

        /* The monit that is made up. */
        char answer[1024];
        bool silent;  /* no HTTP at all */
        bool outside; /* does not end with the unit */
        bool has_check;
        int monitor, pending, obey; /* obey: the n-th command is obeyed */
        unsigned commands;
        char last_command[128];

        unsigned called;
        int r;
        MonitPrior prior;
        char text[640];
} Fixture;

static void answer(Fixture *f)
{
        char body[512], check[256] = "";
        if (f->has_check)
                (void) snprintf(check, sizeof(check),
                                "<service type=\"3\"><name>edge-router</name><monitor>%d</monitor>"
                                "<pendingaction>%d</pendingaction></service>",
                                f->monitor, f->pending);
        (void) snprintf(body, sizeof(body), "<?xml version=\"1.0\"?><monit><server/>%s</monit>", check);
        (void) snprintf(f->answer, sizeof(f->answer), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                        f->silent ? "503 Not now" : "200 OK", strlen(body), body);
}

static void on_unit_job(const char *method, const char *unit, void *userdata)
{
        Fixture *f = userdata;
        assert_string_equal(unit, UNIT);
        if (!f->outside)
                f->silent = strcmp(method, "StopUnit") == 0;
        answer(f);
}

static int on_command(char **argv, void *userdata)
{
        Fixture *f = userdata;
        assert_string_equal(argv[0], "/opt/monit");
        (void) snprintf(f->last_command, sizeof(f->last_command), "%s %s", argv[1], argv[2]);
        f->commands++;
        if ((int) f->commands >= f->obey) {
                f->monitor = strcmp(argv[1], "monitor") == 0 ? 2 : 0;
                f->pending = 0;
        }
        answer(f);
        return f->silent ? 1 : 0;
}

static char first_unit[] = "apigee-monit.service", second_unit[] = UNIT,
            *units[] = { first_unit, second_unit, NULL };

static void setup(Fixture *f)
{
        Err err = {};
        memset(f, 0, sizeof(*f));
        assert_true(sd_event_new(&f->event) >= 0);
        f->fake = fake_systemd1_new(f->event);
        f->bus = fake_systemd1_connect(f->fake);
        fake_systemd1_unit(f->fake, UNIT, "loaded", "active");
        fake_systemd1_on_job(f->fake, on_unit_job, f);
        fake_systemd1_on_run(f->fake, on_command, f);
        assert_int_equal(systemd_new(&f->systemd, f->bus, f->event, &err), 0);
        assert_int_equal(http_new(&f->http, f->event, &err), 0);
        f->origin = origin_new(f->event, ORIGIN_OPEN);
        f->has_check = true;
        f->monitor = 1;
        f->obey = 1;
        answer(f);
        origin_on(f->origin, "*", (OriginReply){ .text = f->answer });
        (void) snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/_status?format=xml",
                        origin_port(f->origin));
        f->config = (Config){ .monit_units = units,
                              .monit_status_url = f->url,
                              .monit_unmonitor = strdup("/opt/monit unmonitor {check}"),
                              .monit_monitor = strdup("/opt/monit monitor {check}") };
        f->component = (Component){ .name = strdup("router"), .monit_check = strdup("edge-router") };
        assert_int_equal(monit_new(&f->monit, f->systemd, f->http, f->event, &f->config, &err), 0);
}

static void teardown(Fixture *f)
{
        monit_free(f->monit);
        http_free(f->http);
        systemd_free(f->systemd);
        sd_bus_close_unref(f->bus);
        fake_systemd1_free(f->fake);
        origin_free(f->origin);
        sd_event_unref(f->event);
        free(f->config.monit_unmonitor);
        free(f->config.monit_monitor);
        free(f->component.name);
        free(f->component.monit_check);
}

static void set_text(char **text, const char *to)
{
        free(*text);
        *text = strdup(to);
}

static void on_look(int r, const MonitPrior *prior, const char *text, const Err *err, void *userdata)
{
        Fixture *f = userdata;
        f->called++;
        f->r = r;
        assert_true((r < 0) == (prior == NULL));
        assert_true((r < 0) == (err != NULL));
        if (prior)
                f->prior = *prior;
        (void) snprintf(f->text, sizeof(f->text), "%s", text);
}

static void on_done(int r, const char *text, const Err *err, void *userdata)
{
        Fixture *f = userdata;
        f->called++;
        f->r = r;
        assert_true((r < 0) == (err != NULL));
        (void) snprintf(f->text, sizeof(f->text), "%s", text);
}

static Usec turn(Fixture *f, Usec limit)
{
        Usec begin = time_now();
        while (f->called == 0 && time_now() - begin < limit)
                assert_true(sd_event_run(f->event, 20 * USEC_PER_MSEC) >= 0);
        return time_now() - begin;
}

static void wait_end(Fixture *f)
{
        (void) turn(f, 12 * USEC_PER_SEC);
        assert_int_equal(f->called, 1);
}

static int look(Fixture *f)
{
        Err err = {};
        f->called = 0;
        assert_int_equal(monit_look(f->monit, &f->component, on_look, f, &err), 0);
        wait_end(f);
        return f->r;
}

typedef int (*Operation)(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata,
                         Err *err);

static void begin(Fixture *f, Operation operation)
{
        Err err = {};
        f->called = 0;
        assert_int_equal(operation(f->monit, &f->component, &f->prior, on_done, f, &err), 0);
        assert_int_equal(f->called, 0);
}

static int perform(Fixture *f, Operation operation)
{
        begin(f, operation);
        wait_end(f);
        return f->r;
}

static unsigned touched(const Fixture *f)
{
        return fake_systemd1_calls(f->fake, "StopUnit") + fake_systemd1_calls(f->fake, "StartUnit") +
               f->commands;
}

/* ---- look ---- */

static void test_look(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        assert_int_equal(look(&f), 0);
        assert_string_equal(f.prior.unit, UNIT);
        assert_true(f.prior.active);
        assert_int_equal(f.prior.check, MONIT_CHECK_MONITORED);
        assert_string_equal(f.text, "monit.service active, check edge-router monitored");

        fake_systemd1_unit(f.fake, UNIT, NULL, "failed");
        f.monitor = 0;
        answer(&f);
        assert_int_equal(look(&f), 0);
        assert_false(f.prior.active);
        assert_int_equal(f.prior.check, MONIT_CHECK_UNMONITORED);
        f.has_check = false;
        answer(&f);
        assert_int_equal(look(&f), 0);
        assert_int_equal(f.prior.check, MONIT_CHECK_ABSENT);
        f.silent = true;
        answer(&f);
        assert_int_equal(look(&f), 0);
        assert_int_equal(f.prior.check, MONIT_CHECK_UNKNOWN);
        assert_int_equal(touched(&f), 0);
        teardown(&f);
}

static void test_look_without_monit(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_unit(f.fake, UNIT, "not-found", "inactive");
        f.silent = true;
        answer(&f);
        assert_int_equal(look(&f), 0);
        assert_string_equal(f.prior.unit, "");
        assert_string_equal(f.text, "no monit on this node");
        assert_int_equal(perform(&f, monit_off), 0);
        assert_string_equal(f.text, "no monit on this node");
        assert_int_equal(perform(&f, monit_check_off), 0);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_int_equal(touched(&f), 0);
        teardown(&f);
}

static void test_look_waits_for_a_pending_action(void **state)
{
        (void) state;
        Fixture f;
        Err err = {};
        char text[1024];
        setup(&f);
        f.monitor = 0;
        f.pending = 4;
        answer(&f);
        assert_int_equal(monit_look(f.monit, &f.component, on_look, &f, &err), 0);
        (void) turn(&f, 500 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        assert_non_null(strstr(monit_waits_for(f.monit, text, sizeof(text)), "edge-router"));
        f.monitor = 1;
        f.pending = 0;
        answer(&f);
        wait_end(&f);
        assert_int_equal(f.prior.check, MONIT_CHECK_MONITORED);
        assert_string_equal(monit_waits_for(f.monit, text, sizeof(text)), "");
        teardown(&f);
}

static void test_component_without_check(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        set_text(&f.component.monit_check, "");
        assert_int_equal(look(&f), 0);
        assert_string_equal(f.text, "monit does not watch router");
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_int_equal(touched(&f) + fake_systemd1_calls(f.fake, "LoadUnit") + origin_requests(f.origin),
                         0);
        teardown(&f);
}

static void test_names(void **state)
{
        (void) state;
        static const char *const bad[] = { "a b", "-c", "a;b", "$(x)", "a/b", "{check}" };
        Fixture f;
        Err err = {};
        MonitPrior prior = { .unit = "../x.service", .active = true };
        setup(&f);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                set_text(&f.component.monit_check, bad[i]);
                assert_int_equal(monit_look(f.monit, &f.component, on_look, &f, &err), -EINVAL);
        }
        set_text(&f.component.monit_check, "edge-router");
        assert_int_equal(monit_off(f.monit, &f.component, &prior, on_done, &f, &err), -EINVAL);
        for (int i = 0; i < MONIT_CHECK_COUNT; i++)
                assert_int_equal(monit_check_state_from_name(monit_check_state_name(i)), i);
        assert_int_equal(monit_check_state_from_name("x"), MONIT_CHECK_INVALID);
        assert_int_equal(monit_check_state_from_name(NULL), MONIT_CHECK_INVALID);
        teardown(&f);
}

/* ---- off, still off, restored ---- */

static void test_there_and_back(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        f.config.monit_stop = MONIT_STOP_YES;
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_string_equal(f.last_command, "unmonitor edge-router");
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "inactive");
        assert_string_equal(
                f.text, "check edge-router is off (monitor 0, no pending action), monit.service is inactive");
        assert_int_equal(perform(&f, monit_check_off), 0);
        /* Again, as an agent does that died in between. */
        f.silent = false;
        answer(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(f.commands, 1);
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 1);

        f.silent = true;
        answer(&f);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_string_equal(f.last_command, "monitor edge-router");
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "active");
        assert_string_equal(f.text, "monit.service active, check edge-router monitored");
        assert_int_equal(f.commands, 2);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_int_equal(f.commands, 2);
        assert_int_equal(fake_systemd1_calls(f.fake, "StartUnit"), 1);
        teardown(&f);
}

static void test_a_unit_is_stopped_only_where_the_check_is_not_proven_off(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_string_equal(f.text,
                            "check edge-router is off (monitor 0, no pending action), monit.service goes on");
        assert_int_equal(perform(&f, monit_check_off), 0);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_string_equal(f.last_command, "monitor edge-router");
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 0);
        assert_int_equal(fake_systemd1_calls(f.fake, "StartUnit"), 0);

        /* Not proven: stopped, unless that is forbidden. */
        set_text(&f.config.monit_unmonitor, "");
        f.config.monit_stop = MONIT_STOP_NO;
        assert_int_equal(perform(&f, monit_off), -EBUSY);
        assert_non_null(strstr(f.text, "stop = no"));
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 0);
        f.config.monit_stop = MONIT_STOP_AUTO;
        f.silent = true;
        answer(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 1);
        teardown(&f);
}

static void test_what_was_off_stays_off(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_unit(f.fake, UNIT, NULL, "inactive");
        f.monitor = 0;
        answer(&f);
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(perform(&f, monit_check_off), 0);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_int_equal(touched(&f), 0);
        teardown(&f);
}

static void test_off_waits_for_a_start_in_progress(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        (void) look(&f);
        f.monitor = 2;
        f.pending = 5;
        f.obey = 2; /* the first returns at once and does nothing */
        answer(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(f.commands, 2);
        teardown(&f);
}

static void test_off_without_an_answer(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        (void) look(&f);
        f.silent = true;
        answer(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_non_null(strstr(f.text, "cannot be shown"));
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "inactive");
        /* And where it never answered. */
        fake_systemd1_unit(f.fake, UNIT, NULL, "active");
        (void) look(&f);
        assert_int_equal(f.prior.check, MONIT_CHECK_UNKNOWN);
        f.commands = 0;
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(f.commands, 0);
        assert_int_equal(perform(&f, monit_check_off), 0);
        teardown(&f);
}

static void test_off_with_another_monit(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        (void) look(&f);
        set_text(&f.config.monit_unmonitor, "");
        f.outside = true;
        assert_int_equal(perform(&f, monit_off), -EBUSY);
        assert_non_null(strstr(f.text, "another monit"));
        /* No unit either: nothing can be done at all. */
        fake_systemd1_unit(f.fake, UNIT, "not-found", "inactive");
        (void) look(&f);
        assert_string_equal(f.prior.unit, "");
        assert_int_equal(perform(&f, monit_off), -EOPNOTSUPP);
        teardown(&f);
}

static void test_off_without_a_unit(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        fake_systemd1_unit(f.fake, UNIT, "not-found", "inactive");
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_string_equal(f.text, "check edge-router is off (monitor 0, no pending action)");
        assert_int_equal(perform(&f, monit_check_off), 0);
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_int_equal(f.monitor, 2);
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 0);
        teardown(&f);
}

static void test_off_spares_what_lives_in_the_unit(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        /* The whole tree: this test is in it, and is not monit. */
        fake_systemd1_cgroup(f.fake, UNIT, "/", 1);
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_non_null(strstr(f.text, "goes on"));
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "active");
        assert_int_equal(perform(&f, monit_check_off), 0);

        f.monitor = 1;
        answer(&f);
        set_text(&f.config.monit_unmonitor, "");
        assert_int_equal(perform(&f, monit_off), -EBUSY);
        assert_int_equal(fake_systemd1_calls(f.fake, "StopUnit"), 0);
        teardown(&f);
}

static void test_off_unit_does_not_stop(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        f.config.monit_stop = MONIT_STOP_YES;
        (void) look(&f);
        fake_systemd1_jobs(f.fake, (FakeJob){ .result = "timeout", .active = "active" });
        assert_int_equal(perform(&f, monit_off), -EIO);
        assert_non_null(strstr(f.text, "timeout"));
        teardown(&f);
}

static void test_back_again_is_seen(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        f.config.monit_stop = MONIT_STOP_YES;
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        /* Started by cron, with its check as it was left. */
        f.silent = false;
        answer(&f);
        assert_int_equal(perform(&f, monit_check_off), 0);
        f.pending = 1;
        answer(&f);
        assert_int_equal(perform(&f, monit_check_off), -EEXIST);
        f.pending = 0;
        f.monitor = 1;
        answer(&f);
        assert_int_equal(perform(&f, monit_check_off), -EEXIST);
        f.silent = true;
        answer(&f);
        assert_int_equal(perform(&f, monit_check_off), 0);
        fake_systemd1_unit(f.fake, UNIT, NULL, "active");
        assert_int_equal(perform(&f, monit_check_off), -EEXIST);
        assert_non_null(strstr(f.text, "active again"));
        teardown(&f);
}

static void test_restore_until_it_sticks(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        f.config.monit_stop = MONIT_STOP_YES;
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        fake_systemd1_jobs(f.fake, (FakeJob){ .result = "failed", .active = "failed" });
        f.obey = 4; /* two more commands */
        begin(&f, monit_restore);
        (void) turn(&f, 1500 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        fake_systemd1_jobs(f.fake, (FakeJob){});
        (void) turn(&f, 12 * USEC_PER_SEC);
        assert_int_equal(f.called, 1);
        assert_int_equal(f.r, 0);
        assert_int_equal(f.monitor, 2);
        assert_true(fake_systemd1_calls(f.fake, "StartUnit") >= 2);
        teardown(&f);
}

static void test_restore_of_a_check_that_was_unmonitored(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        f.config.monit_stop = MONIT_STOP_YES;
        f.monitor = 0;
        answer(&f);
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        assert_int_equal(f.commands, 0);
        f.monitor = 1; /* a monit that takes its start for a reboot */
        assert_int_equal(perform(&f, monit_restore), 0);
        assert_string_equal(f.last_command, "unmonitor edge-router");
        assert_int_equal(f.monitor, 0);
        assert_string_equal(f.text, "monit.service active, check edge-router unmonitored");
        teardown(&f);
}

static void test_restore_of_a_check_that_is_gone(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        (void) look(&f);
        assert_int_equal(perform(&f, monit_off), 0);
        f.has_check = false;
        assert_int_equal(perform(&f, monit_restore), -ENOENT);
        assert_string_equal(fake_systemd1_active(f.fake, UNIT), "active");
        teardown(&f);
}

static void test_the_next_replaces_the_one_before(void **state)
{
        (void) state;
        Fixture f;
        setup(&f);
        (void) look(&f);
        f.obey = 1000;
        begin(&f, monit_off);
        (void) turn(&f, 300 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        f.obey = 0;
        assert_int_equal(perform(&f, monit_restore), 0);
        begin(&f, monit_off);
        (void) sd_event_run(f.event, 0);
        monit_cancel(f.monit);
        (void) turn(&f, 300 * USEC_PER_MSEC);
        assert_int_equal(f.called, 0);
        begin(&f, monit_off);
        (void) turn(&f, 50 * USEC_PER_MSEC);
        teardown(&f); /* in mid-work */
}

/* ---- the real one ---- */

typedef struct Real {
        Fixture f;
        char dir[64];
        char control[96];
        uint16_t port;
        pid_t pid;
} Real;

static void real_start(Real *real)
{
        real->pid = fork();
        assert_true(real->pid >= 0);
        if (real->pid == 0) {
                sigset_t none;
                (void) sigemptyset(&none);
                (void) sigprocmask(SIG_SETMASK, &none, NULL);
                /* A test that fails must not leave it behind. */
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) execl("/usr/bin/monit", "monit", "-I", "-c", real->control, (char *) NULL);
                _exit(127);
        }
}

static void real_stop(Real *real)
{
        if (real->pid > 0) {
                (void) kill(real->pid, SIGTERM);
                (void) waitpid(real->pid, NULL, 0);
        }
        real->pid = 0;
}

static void on_real_job(const char *method, const char *unit _unused_, void *userdata)
{
        Real *real = userdata;
        real_stop(real);
        if (strcmp(method, "StartUnit") == 0)
                real_start(real);
}

static uint16_t free_port(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &len), 0);
        (void) close(fd);
        return ntohs(address.sin_port);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static void real_setup(Real *real)
{
        char command[256];

        memset(real, 0, sizeof(*real));
        setup(&real->f);
        strcpy(real->dir, "/tmp/edge-roll-monit-XXXXXX");
        assert_non_null(mkdtemp(real->dir));
        real->port = free_port();
        (void) snprintf(real->control, sizeof(real->control), "%s/monitrc", real->dir);
        FILE *file = fopen(real->control, "we");
        assert_non_null(file);
        (void) fprintf(file,
                       "set daemon 1\nset onreboot laststate\nset log %s/log\nset pidfile %s/pid\n"
                       "set idfile %s/id\nset statefile %s/state\n"
                       "set httpd port %u and use address 127.0.0.1\n  allow 127.0.0.1\n"
                       "check file edge-router with path %s\n",
                       real->dir, real->dir, real->dir, real->dir, real->port, real->control);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(real->control, 0600), 0);

        (void) snprintf(real->f.url, sizeof(real->f.url), "http://127.0.0.1:%u/_status?format=xml",
                        real->port);
        (void) snprintf(command, sizeof(command), "/usr/bin/monit -c %s unmonitor {check}", real->control);
        set_text(&real->f.config.monit_unmonitor, command);
        (void) snprintf(command, sizeof(command), "/usr/bin/monit -c %s monitor {check}", real->control);
        set_text(&real->f.config.monit_monitor, command);
        real->f.config.monit_stop = MONIT_STOP_YES;
        fake_systemd1_on_run(real->f.fake, NULL, NULL);
        fake_systemd1_on_job(real->f.fake, on_real_job, real);
        real_start(real);
}

static void test_the_real_monit(void **state)
{
        (void) state;
        Real real;
        Fixture *f = &real.f;

        if (access("/usr/bin/monit", X_OK) < 0)
                skip();
        real_setup(&real);
        Usec start = time_now();
        do {
                assert_int_equal(look(f), 0);
                assert_true(time_now() - start < 10 * USEC_PER_SEC);
        } while (f->prior.check != MONIT_CHECK_MONITORED);

        assert_int_equal(perform(f, monit_off), 0);
        assert_non_null(strstr(f->text, "monitor 0"));
        assert_int_equal(real.pid, 0);
        assert_int_equal(perform(f, monit_check_off), 0);
        /* As cron does: the unit is not asked, and the check is still off. */
        real_start(&real);
        start = time_now();
        do {
                assert_int_equal(perform(f, monit_check_off), 0);
                assert_true(time_now() - start < 10 * USEC_PER_SEC);
        } while (!strstr(f->text, "monitor 0"));
        real_stop(&real);

        assert_int_equal(perform(f, monit_restore), 0);
        assert_true(real.pid > 0);
        assert_int_equal(perform(f, monit_check_off), -EEXIST);
        assert_int_equal(look(f), 0);
        assert_true(f->prior.active);
        assert_int_equal(f->prior.check, MONIT_CHECK_MONITORED);

        real_stop(&real);
        teardown(f);
        (void) nftw(real.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_look),
                cmocka_unit_test(test_look_without_monit),
                cmocka_unit_test(test_look_waits_for_a_pending_action),
                cmocka_unit_test(test_component_without_check),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_there_and_back),
                cmocka_unit_test(test_a_unit_is_stopped_only_where_the_check_is_not_proven_off),
                cmocka_unit_test(test_what_was_off_stays_off),
                cmocka_unit_test(test_off_waits_for_a_start_in_progress),
                cmocka_unit_test(test_off_without_an_answer),
                cmocka_unit_test(test_off_with_another_monit),
                cmocka_unit_test(test_off_without_a_unit),
                cmocka_unit_test(test_off_spares_what_lives_in_the_unit),
                cmocka_unit_test(test_off_unit_does_not_stop),
                cmocka_unit_test(test_back_again_is_seen),
                cmocka_unit_test(test_restore_until_it_sticks),
                cmocka_unit_test(test_restore_of_a_check_that_was_unmonitored),
                cmocka_unit_test(test_restore_of_a_check_that_is_gone),
                cmocka_unit_test(test_the_next_replaces_the_one_before),
                cmocka_unit_test(test_the_real_monit),
        };
        sigset_t child;

        /* sd-event takes the ends of the fake's commands from a blocked signal. */
        (void) sigemptyset(&child);
        (void) sigaddset(&child, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &child, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
