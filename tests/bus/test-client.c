/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The client against a fake agent on a bus of its own. The agent is a child process that plays one scenario:
 * answers, is slow, dies in the middle, leaves, refuses. The bus can be killed and started again on the same
 * address. Nothing here touches the machine's own bus.
 */

#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include <cmocka.h>

#include "base/result.h"

#define JOB_PATH "/org/edgeroll/Agent1/job/"

static char root[64];
static char address[96];
static pid_t bus_pid = -1;

/* The bus. */

static void bus_start(void)
{
        char config[96], option[128], line[256];
        int out[2];
        (void) snprintf(config, sizeof(config), "%s/bus.conf", root);
        (void) snprintf(option, sizeof(option), "--config-file=%s", config);
        assert_int_equal(pipe(out), 0);
        bus_pid = fork();
        assert_true(bus_pid >= 0);
        if (bus_pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) dup2(out[1], STDOUT_FILENO);
                /* It complains that it may not raise its own file limit. */
                if (!freopen("/dev/null", "w", stderr))
                        _exit(127);
                (void) execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile",
                              "--print-address", NULL);
                _exit(127);
        }
        (void) close(out[1]);
        /* The address is printed when it listens. */
        assert_true(read(out[0], line, sizeof(line)) > 0);
        (void) close(out[0]);
}

static void child_end(pid_t *pid)
{
        if (*pid > 0) {
                (void) kill(*pid, SIGKILL);
                (void) waitpid(*pid, NULL, 0);
        }
        *pid = -1;
}

static int group_setup(void **state)
{
        (void) state;
        char config[96];
        (void) snprintf(root, sizeof(root), "/tmp/edge-roll-bus-XXXXXX");
        assert_non_null(mkdtemp(root));
        (void) snprintf(config, sizeof(config), "%s/bus.conf", root);
        (void) snprintf(address, sizeof(address), "unix:path=%s/bus", root);
        FILE *f = fopen(config, "we");
        assert_non_null(f);
        (void) fprintf(
                f,
                "<busconfig><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>"
                "</policy></busconfig>",
                address);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        bus_start();
        return 0;
}

static int group_teardown(void **state)
{
        (void) state;
        char path[96];
        child_end(&bus_pid);
        (void) snprintf(path, sizeof(path), "%s/bus.conf", root);
        (void) unlink(path);
        (void) snprintf(path, sizeof(path), "%s/bus", root);
        (void) unlink(path);
        return rmdir(root);
}

/* The fake agent. */

typedef struct Script {
        const char *error;    /* every call is answered with this error */
        unsigned error_times; /* only so often; 0: always */
        unsigned job;         /* the number of its job */
        bool joined;
        bool running;       /* CurrentJob() knows the job from the start */
        unsigned first;     /* events that exist when the job begins */
        unsigned total;     /* events in all; the last is the result */
        Usec every_usec;    /* between two signals */
        unsigned skip;      /* this many signals behind `first` are never sent */
        unsigned twice;     /* the signal of this event is sent twice */
        unsigned die_at;    /* exit when this event is due */
        bool die_in_call;   /* exit in Restart() without answering */
        bool silent;        /* never answers Restart() */
        bool no_object;     /* the job's path is not known: only CurrentJob() */
        bool before;        /* of the release before: CancelJob() is not known */
        const char *result; /* name of the result */
        const char *last;   /* Status(): the array of last jobs */
        const char *unit;   /* ActiveState of the unit, played on the name of systemd, too */
        const char *load;   /* its LoadState; NULL: loaded */
        unsigned restarts;  /* NRestarts grows by so many with each question */
} Script;

typedef struct Fake {
        const Script *script;
        sd_bus *bus;
        unsigned sent;   /* events that exist */
        unsigned errors; /* answered so far */
        unsigned restarts;
        bool begun;
        Usec next;
        char options[256];
        Usec expires;
} Fake;

static void event_json(const Fake *f, unsigned i, char *buf, size_t size)
{
        const Script *s = f->script;
        if (i == 0)
                (void) snprintf(
                        buf, size,
                        "{\"event\":\"job\",\"job\":%u,\"component\":\"router\",\"kind\":\"restart\"}",
                        s->job);
        else if (i + 1 == s->total)
                (void) snprintf(
                        buf, size,
                        "{\"event\":\"result\",\"component\":\"router\",\"result\":\"%s\",\"reason\":\"%s\"}",
                        s->result ? s->result : "done", f->options);
        else
                (void) snprintf(buf, size, "{\"event\":\"warning\",\"text\":\"event %u\"}", i);
}

static bool fake_error(Fake *f)
{
        const Script *s = f->script;
        return s->error && (s->error_times == 0 || f->errors++ < s->error_times);
}

static int on_start(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *component, *key, *text, *type;
        char path[64];
        int flag;
        uint64_t usec;

        if (f->script->die_in_call)
                _exit(0);
        if (f->script->silent)
                return 1;
        if (fake_error(f))
                return sd_bus_error_set(error, f->script->error, "the reason");
        assert_true(sd_bus_message_read(m, "s", &component) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                size_t n = strlen(f->options);
                assert_true(sd_bus_message_read(m, "s", &key) > 0);
                assert_true(sd_bus_message_peek_type(m, NULL, &type) > 0);
                assert_true(sd_bus_message_enter_container(m, 'v', type) > 0);
                if (*type == 's') {
                        assert_true(sd_bus_message_read(m, "s", &text) > 0);
                        (void) snprintf(f->options + n, sizeof(f->options) - n, "%s=%s ", key, text);
                } else if (*type == 'b') {
                        assert_true(sd_bus_message_read(m, "b", &flag) > 0);
                        (void) snprintf(f->options + n, sizeof(f->options) - n, "%s ", key);
                } else {
                        assert_true(sd_bus_message_read(m, "t", &usec) > 0);
                        if (strcmp(key, "expires") == 0)
                                f->expires = usec;
                        else
                                (void) snprintf(f->options + n, sizeof(f->options) - n, "%s=%" PRIu64 " ",
                                                key, usec);
                }
                assert_true(sd_bus_message_exit_container(m) >= 0);
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        /* Nothing is begun for somebody who has given up. */
        if (f->expires <= time_boot() || f->expires > time_boot() + 5 * USEC_PER_SEC)
                return sd_bus_error_set(error, "org.edgeroll.Error.Failed",
                                        "no time is said when it is too late");
        f->begun = true;
        f->sent = f->script->first;
        f->next = time_add(time_now(), f->script->every_usec);
        (void) snprintf(path, sizeof(path), JOB_PATH "%u", f->script->job);
        return sd_bus_reply_method_return(m, "ob", path, f->script->joined);
}

static int on_current(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        char path[64];
        if (!f->begun && !f->script->running)
                return sd_bus_error_set(error, "org.edgeroll.Error.NoJob", "no job is running");
        (void) snprintf(path, sizeof(path), JOB_PATH "%u", f->script->job);
        return sd_bus_reply_method_return(m, "o", path);
}

static int on_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        if (fake_error(f))
                return sd_bus_error_set(error, f->script->error, "the reason");
        return sd_bus_reply_method_return(m, "");
}

/* Names the job, and says until when it is good. */
static int on_cancel_job(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *component, *reason, *key;
        uint64_t value, job = 0, expires = 0;
        if (f->script->before)
                return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method");
        assert_true(sd_bus_message_read(m, "ss", &component, &reason) > 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_read(m, "{sv}", &key, "t", &value) > 0)
                *(strcmp(key, "job") == 0 ? &job : &expires) = value;
        assert_true(job == f->script->job);
        assert_true(expires > time_boot() && expires < time_boot() + 60 * USEC_PER_SEC);
        return on_cancel(m, userdata, error);
}

static int on_status(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        char json[1024];
        if (fake_error(f))
                return sd_bus_error_set(error, f->script->error, "the reason");
        (void) snprintf(
                json, sizeof(json),
                "{\"agent\":{\"version\":\"1\",\"pid\":2},\"job\":null,\"last\":%s,\"components\":[{\"name\":"
                "\"router\",\"running\":true,\"blocked\":\"%s\",\"hold\":null}]}",
                f->script->last ? f->script->last : "[]", f->script->running ? "hold" : "no");
        return sd_bus_reply_method_return(m, "s", json);
}

static int on_discover(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) userdata;
        (void) error;
        return sd_bus_reply_method_return(m, "s", "{\"component\":\"router\",\"health_port\":15999}");
}

static int on_events(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        uint64_t from;
        sd_bus_message *reply = NULL;
        char path[64], json[512];

        (void) snprintf(path, sizeof(path), JOB_PATH "%u", f->script->job);
        if (f->script->no_object || strcmp(sd_bus_message_get_path(m), path) != 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "no such job");
        assert_true(sd_bus_message_read(m, "t", &from) > 0);
        assert_true(sd_bus_message_new_method_return(m, &reply) >= 0);
        assert_true(sd_bus_message_append(reply, "t", (uint64_t) f->sent) >= 0);
        assert_true(sd_bus_message_open_container(reply, 'a', "s") >= 0);
        for (uint64_t i = from; i < f->sent; i++) {
                event_json(f, (unsigned) i, json, sizeof(json));
                assert_true(sd_bus_message_append(reply, "s", json) >= 0);
        }
        assert_true(sd_bus_message_close_container(reply) >= 0);
        assert_true(sd_bus_send(f->bus, reply, NULL) >= 0);
        (void) sd_bus_message_unref(reply);
        return 1;
}

/* systemd's answer about the agent's unit. */
static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Fake *f = userdata;
        const char *interface, *name;
        (void) error;
        assert_true(sd_bus_message_read(m, "ss", &interface, &name) > 0);
        assert_string_equal(sd_bus_message_get_path(m),
                            "/org/freedesktop/systemd1/unit/edge_2droll_2dagent_2eservice");
        if (strcmp(name, "ActiveState") == 0)
                return sd_bus_reply_method_return(m, "v", "s", f->script->unit);
        if (strcmp(name, "LoadState") == 0)
                return sd_bus_reply_method_return(m, "v", "s", f->script->load ? f->script->load : "loaded");
        if (strcmp(name, "Result") == 0)
                return sd_bus_reply_method_return(m, "v", "s", "exit-code");
        assert_string_equal(name, "NRestarts");
        f->restarts += f->script->restarts;
        return sd_bus_reply_method_return(m, "v", "u", f->restarts);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        static const struct {
                const char *member;
                sd_bus_message_handler_t handler;
        } calls[] = {
                { "Restart", on_start },        { "Drain", on_start },        { "Undrain", on_start },
                { "Cancel", on_cancel },        { "CurrentJob", on_current }, { "Status", on_status },
                { "Discover", on_discover },    { "Events", on_events },      { "Get", on_get },
                { "CancelJob", on_cancel_job },
        };
        for (size_t i = 0; i < ELEMENTS(calls); i++)
                if (sd_bus_message_is_method_call(m, NULL, calls[i].member))
                        return calls[i].handler(m, userdata, error);
        return 0;
}

static void fake_due(Fake *f)
{
        const Script *s = f->script;
        char path[64], json[512];

        if (!f->begun || f->sent >= s->total || time_now() < f->next)
                return;
        if (s->die_at && f->sent == s->die_at)
                _exit(0);
        unsigned i = f->sent++;
        f->next = time_add(f->next, s->every_usec);
        (void) snprintf(path, sizeof(path), JOB_PATH "%u", s->job);
        event_json(f, i, json, sizeof(json));
        if (i >= s->first && i < s->first + s->skip)
                return;
        for (unsigned n = 0; n < (i == s->twice && i ? 2 : 1); n++)
                assert_true(sd_bus_emit_signal(f->bus, path, "org.edgeroll.Job1", "Event", "ts", (uint64_t) i,
                                               json) >= 0);
}

static sd_bus *fake_connect(Fake *f)
{
        sd_bus *bus = NULL;
        while (sd_bus_open_system(&bus) < 0 || sd_bus_request_name(bus, "org.edgeroll.Agent1", 0) < 0) {
                bus = sd_bus_unref(bus);
                (void) poll(NULL, 0, 10);
        }
        assert_true(sd_bus_add_filter(bus, NULL, on_message, f) >= 0);
        if (f->script->unit)
                assert_true(sd_bus_request_name(bus, "org.freedesktop.systemd1", 0) >= 0);
        return bus;
}

/* Plays until it is killed. @ready: told when the name is there. */
static void fake_run(const Script *s, int ready)
{
        Fake f = { .script = s,
                   .begun = s->running,
                   .sent = s->first,
                   .next = time_add(time_now(), s->every_usec) };
        f.bus = fake_connect(&f);
        (void) !write(ready, "x", 1);
        for (;;) {
                int r = sd_bus_process(f.bus, NULL);
                if (r < 0 || sd_bus_is_open(f.bus) <= 0) {
                        f.bus = sd_bus_unref(f.bus);
                        f.bus = fake_connect(&f);
                        continue;
                }
                fake_due(&f);
                if (r == 0)
                        (void) sd_bus_wait(f.bus, 5 * USEC_PER_MSEC);
        }
}

static pid_t fake_start(const Script *s)
{
        int ready[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) close(ready[0]);
                fake_run(s, ready[1]);
        }
        (void) close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        (void) close(ready[0]);
        return pid;
}

/* The second agent of a test comes by itself, some time after the first. */
static pid_t fake_later(const Script *s, Usec usec)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) poll(NULL, 0, (int) (usec / USEC_PER_MSEC));
                int null[2];
                if (pipe(null) == 0)
                        fake_run(s, null[1]);
                _exit(1);
        }
        return pid;
}

/* The client, in this process. */

typedef struct Shown {
        char *out, *err;
        int status;
} Shown;

static void shown_done(Shown *s)
{
        free(s->out);
        free(s->err);
}

static const ClientTimes quick = {
        .answer_usec = 3 * USEC_PER_SEC,
        .lost_usec = 3 * USEC_PER_SEC,
        .look_usec = 50 * USEC_PER_MSEC,
};

static Shown client(char *line, bool json)
{
        char *argv[16] = { NULL };
        int argc = 0;
        Shown s = { 0 };
        size_t n_out, n_err;
        CliRequest rq;
        Err err = { 0 };

        for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        assert_int_equal(cli_parse(argc, argv, &rq, &err), 0);
        ClientIo io = {
                .out = open_memstream(&s.out, &n_out),
                .err = open_memstream(&s.err, &n_err),
                .mode = { .json = json },
                .times = &quick,
        };
        s.status = client_run(&rq, rq.component, &io);
        assert_int_equal(fclose(io.out), 0);
        assert_int_equal(fclose(io.err), 0);
        return s;
}
#define CLIENT(text)      client((char[]){ "edge-roll " text }, false)
#define CLIENT_JSON(text) client((char[]){ "edge-roll " text }, true)

/* Every warning event from 1 to @n - 2 in order, none twice, and no other line with "event". */
static void all_events_once(const char *out, unsigned n)
{
        unsigned next = 1;
        for (const char *p = out; (p = strstr(p, "event ")); p++)
                assert_int_equal(strtoul(p + 6, NULL, 10), next++);
        assert_int_equal(next, n - 1);
}

static void has(const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

static void a_job_from_begin_to_end(void **state)
{
        (void) state;
        static const Script script = { .job = 5, .first = 2, .total = 40, .every_usec = USEC_PER_MSEC };
        pid_t agent = fake_start(&script);
        Shown s = CLIENT(
                "restart router --reason=why --start --unprotected=alone --persistent=wait --at-cap=go-on "
                "--mp-leave=block --router-retry=error --dry-run");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        assert_string_equal(s.err, "");
        has(s.out, "router: restart, job 5\n");
        has(s.out,
            "reason=why start unprotected=alone persistent=wait at-cap=go-on mp-leave=block router-retry=error dry-run ");
        all_events_once(s.out, 40);
        shown_done(&s);
}

static void json_is_passed_on(void **state)
{
        (void) state;
        static const Script script = {
                .job = 5, .total = 4, .every_usec = USEC_PER_MSEC, .result = "held", .joined = true
        };
        pid_t agent = fake_start(&script);
        Shown s = CLIENT_JSON("drain router --for 2h");
        child_end(&agent);
        assert_int_equal(s.status, 16);
        assert_string_equal(
                s.out,
                "{\"event\":\"client\",\"text\":\"Such a job is running already: joined it.\"}\n"
                "{\"event\":\"job\",\"job\":5,\"component\":\"router\",\"kind\":\"restart\"}\n"
                "{\"event\":\"warning\",\"text\":\"event 1\"}\n"
                "{\"event\":\"warning\",\"text\":\"event 2\"}\n"
                "{\"event\":\"result\",\"component\":\"router\",\"result\":\"held\",\"reason\":\"for=7200000000 "
                "\"}\n");
        shown_done(&s);
}

static void lost_and_doubled_signals(void **state)
{
        (void) state;
        static const Script script = {
                .job = 6, .first = 3, .total = 30, .every_usec = 2 * USEC_PER_MSEC, .skip = 9, .twice = 20
        };
        pid_t agent = fake_start(&script);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        all_events_once(s.out, 30);
        shown_done(&s);
}

static void thousands_of_events(void **state)
{
        (void) state;
        static const Script script = { .job = 6, .first = 3000, .total = 3300, .every_usec = 1 };
        pid_t agent = fake_start(&script);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        all_events_once(s.out, 3300);
        shown_done(&s);
}

static void no_wait_returns_with_the_job(void **state)
{
        (void) state;
        static const Script script = { .job = 7, .first = 1, .total = 100, .every_usec = USEC_PER_SEC };
        pid_t agent = fake_start(&script);
        Shown s = CLIENT_JSON("restart router --no-wait");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        assert_string_equal(
                s.out,
                "{\"event\":\"job\",\"job\":7,\"component\":\"router\",\"kind\":\"restart\",\"joined\":false}\n");
        shown_done(&s);
}

/* The next agent tells what it does from the beginning, whatever number the first had come to. */
static void comes_back(unsigned job, unsigned n_first, unsigned n_second)
{
        const Script first = { .job = 8, .first = 10, .total = 40, .every_usec = 5000, .die_at = n_first };
        const Script second = { .job = job,
                                .first = n_second - 4,
                                .total = n_second,
                                .every_usec = 20000,
                                .running = true,
                                .result = "gave-back" };
        pid_t agent = fake_start(&first), next = fake_later(&second, 200 * USEC_PER_MSEC);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        child_end(&next);
        assert_int_equal(s.status, 15);
        has(s.out, "The agent is gone; waiting for it to come back.");
        has(s.out, "The agent is back; the job goes on.");
        char *anew = strstr(s.out, "A new agent process goes on with the job.\n");
        assert_non_null(anew);
        all_events_once(anew, n_second);
        *anew = '\0';
        all_events_once(s.out, n_first + 1);
        shown_done(&s);
}

static void the_agent_dies_and_comes_back(void **state)
{
        (void) state;
        comes_back(8, 15, 8);
        comes_back(8, 15, 30);
}

static void the_next_agent_gives_the_job_a_new_path(void **state)
{
        (void) state;
        comes_back(1, 12, 8);
        comes_back(1, 12, 30);
}

static void the_job_ended_while_the_agent_was_away(void **state)
{
        (void) state;
        static const Script first = {
                .job = 8, .first = 1, .total = 40, .every_usec = 5 * USEC_PER_MSEC, .die_at = 3
        };
        static const Script second = {
                .no_object = true,
                .last = "[{\"component\":\"router\",\"result\":\"held\",\"reason\":\"x\","
                        "\"time\":\"2999-01-01T00:00:00.000Z\"}]"
        };
        static const Script third = {
                .no_object = true,
                .last = "[{\"component\":\"router\",\"result\":\"done\",\"reason\":\"old\","
                        "\"time\":\"2001-01-01T00:00:00.000Z\"}]"
        };
        pid_t agent = fake_start(&first), next = fake_later(&second, 100 * USEC_PER_MSEC);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        child_end(&next);
        assert_int_equal(s.status, 16);
        has(s.out, "held");
        shown_done(&s);

        /* An end from before is not this one's. */
        agent = fake_start(&first);
        next = fake_later(&third, 100 * USEC_PER_MSEC);
        s = CLIENT("restart router");
        child_end(&agent);
        child_end(&next);
        assert_int_equal(s.status, 19);
        has(s.err, "no longer knows the job");
        shown_done(&s);
}

static void the_agent_stays_away(void **state)
{
        (void) state;
        static const Script first = {
                .job = 8, .first = 1, .total = 40, .every_usec = 5 * USEC_PER_MSEC, .die_at = 3
        };
        pid_t agent = fake_start(&first);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        assert_int_equal(s.status, 19);
        has(s.err, "router: restart agent-unreachable (exit 19)");
        shown_done(&s);
}

static void the_agent_dies_in_the_call(void **state)
{
        (void) state;
        /* It may have begun: asked again, the next one joins. */
        static const Script first = { .die_in_call = true };
        static const Script second = {
                .job = 9, .first = 1, .total = 4, .every_usec = 5 * USEC_PER_MSEC, .joined = true
        };
        pid_t agent = fake_start(&first);
        /* For half a second nobody has the name. */
        pid_t next = fake_later(&second, 500 * USEC_PER_MSEC);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        child_end(&next);
        assert_int_equal(s.status, 0);
        has(s.out, "asking again");
        has(s.out, "joined it");
        all_events_once(s.out, 4);
        shown_done(&s);
}

static void the_bus_restarts(void **state)
{
        (void) state;
        static const Script script = { .job = 10, .first = 1, .total = 60, .every_usec = 20 * USEC_PER_MSEC };
        pid_t agent = fake_start(&script);
        int out[2];
        char text[8192] = "";
        assert_int_equal(pipe(out), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                Shown s = CLIENT("restart router");
                (void) !write(out[1], s.out, strlen(s.out));
                _exit(s.status);
        }
        (void) close(out[1]);
        (void) poll(NULL, 0, 300);
        child_end(&bus_pid);
        bus_start();
        size_t n = 0;
        for (ssize_t r; n < sizeof(text) - 1 && (r = read(out[0], text + n, sizeof(text) - 1 - n)) > 0;)
                n += (size_t) r;
        (void) close(out[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        child_end(&agent);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        has(text, "Connected to the bus again.");
        all_events_once(text, 60);
}

static void errors_are_told_apart(void **state)
{
        (void) state;
        static const struct {
                const char *error;
                int status;
                const char *part;
        } cases[] = {
                { "org.edgeroll.Error.NoPermission", 18, "group edge-roll" },
                { "org.edgeroll.Error.Busy", 14, "edge-roll watch" },
                { "org.edgeroll.Error.Refused", 11, "the reason" },
                { "org.edgeroll.Error.NoSuchComponent", 2, "edge-roll config" },
                { "org.edgeroll.Error.Usage", 2, "the reason" },
                { "org.edgeroll.Error.Failed", 1, "edge-roll status" },
                { "org.edgeroll.Error.Other", 1, "org.edgeroll.Error.Other" },
                { "org.freedesktop.DBus.Error.AccessDenied", 18, "org.edgeroll.Agent1.conf" },
                { "org.freedesktop.systemd1.UnitMasked", 19, "journalctl -u edge-roll-agent" },
                { "org.freedesktop.DBus.Error.UnknownMethod", 1, "another version" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const Script script = { .error = cases[i].error };
                pid_t agent = fake_start(&script);
                Shown s = CLIENT("restart router"), j = CLIENT_JSON("undrain router");
                child_end(&agent);
                assert_int_equal(s.status, cases[i].status);
                assert_string_equal(s.out, "");
                has(s.err, "the reason");
                has(s.err, cases[i].part);
                assert_int_equal(j.status, cases[i].status);
                has(j.out,
                    "{\"event\":\"result\",\"component\":\"router\",\"kind\":\"undrain\",\"result\":\"");
                assert_string_equal(j.err, "");
                shown_done(&s);
                shown_done(&j);
        }
}

static void a_leaving_agent_is_asked_again(void **state)
{
        (void) state;
        static const Script script = { .error = "org.edgeroll.Error.Leaving",
                                       .error_times = 3,
                                       .job = 11,
                                       .first = 1,
                                       .total = 3,
                                       .every_usec = 1000 };
        pid_t agent = fake_start(&script);
        Shown s = CLIENT("restart router");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        all_events_once(s.out, 3);
        shown_done(&s);

        static const Script ever = { .error = "org.edgeroll.Error.Leaving" };
        agent = fake_start(&ever);
        s = CLIENT("status");
        child_end(&agent);
        assert_int_equal(s.status, 19);
        has(s.err, "call again");
        shown_done(&s);
}

static void an_agent_that_cannot_start_is_told_at_once(void **state)
{
        (void) state;
        static const Script failed = { .silent = true, .unit = "failed" };
        static const Script looping = { .silent = true, .unit = "activating", .restarts = 2 };
        static const Script masked = { .silent = true, .unit = "inactive", .load = "masked" };
        static const Script *const scripts[] = { &failed, &looping, &masked };
        for (size_t i = 0; i < ELEMENTS(scripts); i++) {
                pid_t agent = fake_start(scripts[i]);
                Usec begun = time_now();
                Shown s = CLIENT("restart router");
                Usec took = time_now() - begun;
                child_end(&agent);
                assert_int_equal(s.status, 19);
                has(s.err, "edge-roll-agent.service cannot run");
                has(s.err, scripts[i]->load ? scripts[i]->load : "exit-code");
                assert_true(took < USEC_PER_SEC);
                shown_done(&s);
        }
}

static void a_slow_answer_is_waited_for(void **state)
{
        (void) state;
        static const Script slow = { .silent = true, .unit = "active" };
        pid_t agent = fake_start(&slow);
        Usec begun = time_now();
        Shown s = CLIENT("restart router");
        child_end(&agent);
        assert_int_equal(s.status, 19);
        assert_true(time_now() - begun >= quick.answer_usec);
        shown_done(&s);
}

static void nobody_is_there(void **state)
{
        (void) state;
        Shown s = CLIENT("status");
        assert_int_equal(s.status, 19);
        has(s.err, "bus activation file");
        shown_done(&s);
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
        s = CLIENT("status");
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        assert_int_equal(s.status, 19);
        has(s.err, "cannot connect to the system bus");
        shown_done(&s);
}

static void watching(void **state)
{
        (void) state;
        static const Script running = { .job = 12,
                                        .running = true,
                                        .first = 5,
                                        .total = 20,
                                        .every_usec = 5000,
                                        .result = "not-readmitted" };
        pid_t agent = fake_start(&running);
        Shown s = CLIENT("watch");
        child_end(&agent);
        assert_int_equal(s.status, 17);
        all_events_once(s.out, 20);
        shown_done(&s);

        static const Script over = {
                .last = "[{\"component\":\"router\",\"result\":\"gave-back\",\"reason\":\"x\",\"time\":"
                        "\"2001-01-01T00:00:00.000Z\"}]"
        };
        agent = fake_start(&over);
        s = CLIENT("watch router");
        assert_int_equal(s.status, 15);
        shown_done(&s);
        s = CLIENT("watch mp");
        child_end(&agent);
        assert_int_equal(s.status, 10);
        shown_done(&s);
}

static void questions(void **state)
{
        (void) state;
        static const Script open = { .job = 1 }, held = { .running = true };
        pid_t agent = fake_start(&open);
        Shown s = CLIENT("status");
        assert_int_equal(s.status, 0);
        has(s.out, "router: running, open\n");
        shown_done(&s);
        s = CLIENT_JSON("status");
        has(s.out, "{\"agent\":{\"version\":\"1\"");
        assert_int_equal(s.out[strlen(s.out) - 1], '\n');
        shown_done(&s);
        s = CLIENT("discover router");
        assert_int_equal(s.status, 0);
        assert_string_equal(s.out, "component    router\nhealth port  15999\n");
        shown_done(&s);
        child_end(&agent);

        agent = fake_start(&held);
        s = CLIENT("status");
        child_end(&agent);
        assert_int_equal(s.status, 16);
        shown_done(&s);
}

static void cancelling(void **state)
{
        (void) state;
        static const Script good = { .job = 1, .running = true },
                            before = { .job = 2, .running = true, .before = true },
                            late = { .job = 3, .running = true, .error = "org.edgeroll.Error.TooLate" },
                            over = { .job = 4, .running = true, .error = "org.edgeroll.Error.NoJob" },
                            none = { .job = 5 };
        pid_t agent = fake_start(&good);
        Shown s = CLIENT("cancel"), j = CLIENT_JSON("cancel router");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        has(s.out, "edge-roll watch");
        has(j.out, "\"result\":\"done\",\"exit\":0");
        shown_done(&s);
        shown_done(&j);
        agent = fake_start(&late);
        s = CLIENT("cancel");
        child_end(&agent);
        assert_int_equal(s.status, 11);
        shown_done(&s);
        agent = fake_start(&before);
        s = CLIENT("cancel");
        child_end(&agent);
        assert_int_equal(s.status, 0);
        shown_done(&s);
        /* It ended between the two calls, or there never was one. */
        agent = fake_start(&over);
        s = CLIENT("cancel");
        child_end(&agent);
        assert_int_equal(s.status, 10);
        shown_done(&s);
        agent = fake_start(&none);
        s = CLIENT("cancel");
        child_end(&agent);
        assert_int_equal(s.status, 10);
        shown_done(&s);
}

static void an_interrupt_leaves_the_job_running(void **state)
{
        (void) state;
        static const Script script = {
                .job = 13, .first = 2, .total = 400, .every_usec = 20 * USEC_PER_MSEC
        };
        pid_t agent = fake_start(&script);
        int out[2];
        char text[4096] = "";
        assert_int_equal(pipe(out), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                CliRequest rq = { .verb = VERB_RESTART,
                                  .component = "router",
                                  .persistent = PERSISTENT_INVALID,
                                  .at_cap = AT_CAP_INVALID,
                                  .mp_leave = MP_LEAVE_INVALID };
                ClientIo io = { .out = fdopen(out[1], "w"), .err = stderr, .times = &quick };
                _exit(client_run(&rq, "router", &io));
        }
        (void) close(out[1]);
        /* Something is shown, so the job is followed. */
        ssize_t n = read(out[0], text, sizeof(text) - 1);
        assert_true(n > 0);
        assert_int_equal(kill(pid, SIGINT), 0);
        for (ssize_t r; (r = read(out[0], text + n, sizeof(text) - 1 - (size_t) n)) > 0;)
                n += r;
        (void) close(out[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 130);
        has(text, "edge-roll watch router follows it, edge-roll cancel router undoes it");

        /* The next one still finds it. */
        Shown s = CLIENT("restart router --no-wait");
        assert_int_equal(s.status, 0);
        shown_done(&s);
        child_end(&agent);
}

static void nobody_reads_the_output(void **state)
{
        (void) state;
        static const Script script = { .job = 13, .first = 2, .total = 400, .every_usec = 2 * USEC_PER_MSEC };
        pid_t agent = fake_start(&script);
        int out[2];
        assert_int_equal(pipe(out), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                CliRequest rq = { .verb = VERB_RESTART,
                                  .component = "router",
                                  .persistent = PERSISTENT_INVALID,
                                  .at_cap = AT_CAP_INVALID,
                                  .mp_leave = MP_LEAVE_INVALID };
                (void) close(out[0]);
                ClientIo io = { .out = fdopen(out[1], "w"), .err = stderr, .times = &quick };
                _exit(client_run(&rq, "router", &io));
        }
        (void) close(out[1]);
        (void) close(out[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        child_end(&agent);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 128 + SIGPIPE);
}

static void strangers_cannot_end_a_job(void **state)
{
        (void) state;
        static const Script script = { .job = 14, .first = 1, .total = 30, .every_usec = 20 * USEC_PER_MSEC };
        pid_t agent = fake_start(&script);
        pid_t stranger = fork();
        assert_true(stranger >= 0);
        if (stranger == 0) {
                sd_bus *bus = NULL;
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                assert_true(sd_bus_open_system(&bus) >= 0);
                for (uint64_t i = 0;; i = (i + 1) % 30) {
                        /* To every connection the bus may have given to the client. */
                        for (unsigned to = 0; to < 200; to++) {
                                char name[32];
                                sd_bus_message *m = NULL;
                                (void) snprintf(name, sizeof(name), ":1.%u", to);
                                if (sd_bus_message_new_signal(bus, &m, JOB_PATH "14", "org.edgeroll.Job1",
                                                              "Event") >= 0 &&
                                    sd_bus_message_append(m, "ts", i,
                                                          "{\"event\":\"result\",\"result\":\"held\"}") >= 0)
                                        (void) sd_bus_send_to(bus, m, name, NULL);
                                (void) sd_bus_message_unref(m);
                        }
                        while (sd_bus_process(bus, NULL) > 0)
                                ;
                        (void) poll(NULL, 0, 5);
                }
        }
        Shown s = CLIENT("restart router");
        child_end(&stranger);
        child_end(&agent);
        assert_int_equal(s.status, 0);
        all_events_once(s.out, 30);
        shown_done(&s);
}

/* One of them alone: its name, or a pattern, as an argument. */
int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_job_from_begin_to_end),
                cmocka_unit_test(json_is_passed_on),
                cmocka_unit_test(lost_and_doubled_signals),
                cmocka_unit_test(thousands_of_events),
                cmocka_unit_test(no_wait_returns_with_the_job),
                cmocka_unit_test(the_agent_dies_and_comes_back),
                cmocka_unit_test(the_next_agent_gives_the_job_a_new_path),
                cmocka_unit_test(the_job_ended_while_the_agent_was_away),
                cmocka_unit_test(the_agent_stays_away),
                cmocka_unit_test(the_agent_dies_in_the_call),
                cmocka_unit_test(the_bus_restarts),
                cmocka_unit_test(errors_are_told_apart),
                cmocka_unit_test(a_leaving_agent_is_asked_again),
                cmocka_unit_test(an_agent_that_cannot_start_is_told_at_once),
                cmocka_unit_test(a_slow_answer_is_waited_for),
                cmocka_unit_test(nobody_is_there),
                cmocka_unit_test(watching),
                cmocka_unit_test(questions),
                cmocka_unit_test(cancelling),
                cmocka_unit_test(an_interrupt_leaves_the_job_running),
                cmocka_unit_test(nobody_reads_the_output),
                cmocka_unit_test(strangers_cannot_end_a_job),
        };
        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
