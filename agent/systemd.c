/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/systemd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/words.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

#define REMOVED_KEPT    64 /* ended jobs that may be those of calls not yet answered */
#define POLL_USEC       USEC_PER_SEC
#define RETRY_USEC      (200 * USEC_PER_MSEC)
#define SETUP_USEC      (20 * USEC_PER_MSEC)
#define UNIT_LIMIT_USEC (10 * USEC_PER_SEC)
#define READ_LIMIT_USEC (5 * USEC_PER_SEC) /* one reply, after which it is asked again */
#define TAKEN_MOST      9                  /* names that may be taken by what does nothing any more */
#define KILL_USEC       (5 * USEC_PER_SEC) /* from SIGTERM to SIGKILL for a command that takes too long */
#define OVERDUE_USEC    (10 * USEC_PER_SEC)
#define DRAIN_READS     32 /* at 64 KiB each more than a pipe can hold */

/* Where a call stands. At most one request is on its way in each step. */
typedef enum CallStep {
        STEP_ASK,   /* the request is to be sent as soon as there is a bus */
        STEP_ASKED, /* its reply is awaited */
        STEP_DOUBT, /* sent, but never answered: the unit shows whether it arrived */
        STEP_JOB,   /* the job exists, its end is awaited */
        STEP_READ,  /* only the properties are awaited */
        STEP_TAKEN, /* there is a unit of a command's name: what it does is awaited */
} CallStep;

typedef enum CallKind { CALL_UNIT, CALL_JOB, CALL_RUN } CallKind;

struct SystemdCall {
        Systemd *systemd;
        SystemdCall *next, *prev;
        CallKind kind;
        CallStep step;
        UnitVerb verb;
        char unit[256];
        char job[64];      /* object path of the job */
        char sender[64];   /* who answered us; "" peer to peer, or not yet answered on this connection */
        char trouble[256]; /* the last failure that was waited out, for the text of a timeout */
        bool ended;        /* JobRemoved was seen, with this result: */
        JobResult result;
        unsigned taken;  /* how often the name was taken by what does nothing any more */
        bool referenced; /* AddRef= was sent over this connection */
        Usec deadline;
        Usec limit_usec;
        sd_bus_slot *slot;
        sd_event_source *timer;

        char **argv, **env;
        int out_read, out_write;
        sd_event_source *out_source;
        char output[SYSTEMD_OUTPUT_MAX + 1];
        size_t output_len;

        union {
                UnitStateFn unit_fn;
                UnitJobFn job_fn;
                SystemdRunFn run_fn;
        };
        void *userdata;
};

typedef struct Removed {
        char job[64];
        char sender[64];
        JobResult result;
} Removed;

struct Systemd {
        sd_bus *bus;
        sd_event *e;
        sd_bus_slot *match, *subscribe;
        SystemdCall *calls;
        Removed removed[REMOVED_KEPT];
        size_t n_removed; /* ever; the ring's next place is this modulo its size */
};

static const char *const job_results[] = {
        [JOB_DONE] = "done",
        [JOB_CANCELED] = "canceled",
        [JOB_TIMEOUT] = "timeout",
        [JOB_FAILED] = "failed",
        [JOB_DEPENDENCY] = "dependency",
        [JOB_SKIPPED] = "skipped",
        [JOB_INVALID] = "invalid",
        [JOB_ASSERT] = "assert",
        [JOB_UNSUPPORTED] = "unsupported",
        [JOB_COLLECTED] = "collected",
        [JOB_ONCE] = "once",
        [JOB_UNKNOWN] = "unknown",
        [JOB_CALL_FAILED] = "call-failed",
};
_Static_assert(ELEMENTS(job_results) == JOB_COUNT, "every job result has a name");

static const struct {
        const char *method, *word;
} unit_verbs[] = {
        [UNIT_START] = { "StartUnit", "start" },
        [UNIT_STOP] = { "StopUnit", "stop" },
        [UNIT_RELOAD_OR_START] = { "ReloadOrRestartUnit", "reload or start" },
        [UNIT_RESTART] = { "RestartUnit", "restart" },
        [UNIT_RESET_FAILED] = { "ResetFailedUnit", "reset-failed" },
};
_Static_assert(ELEMENTS(unit_verbs) == UNIT_VERB_COUNT, "every verb has a method");

const char *job_result_name(JobResult r)
{
        return r >= 0 && r < JOB_COUNT ? job_results[r] : "unknown";
}

JobResult job_result_from_name(const char *name)
{
        for (int i = 0; i < JOB_COUNT; i++)
                if (strcmp(job_results[i], name) == 0)
                        return (JobResult) i;
        return JOB_UNKNOWN;
}

bool systemd_unit_name_valid(const char *name)
{
        static const char *const suffixes[] = { "service", "scope", "slice", "socket",    "target", "timer",
                                                "mount",   "path",  "swap",  "automount", "device" };

        if (!name || strlen(name) > 255)
                return false;
        const char *dot = strrchr(name, '.');
        if (!dot || dot == name || name[0] == '@')
                return false;
        for (const char *p = name; *p; p++)
                if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                      strchr(":-_.\\@", *p)))
                        return false;
        for (size_t i = 0; i < ELEMENTS(suffixes); i++)
                if (strcmp(dot + 1, suffixes[i]) == 0)
                        return true;
        return false;
}

/* ---- the life of a call ---- */

/* The copy is what goes to systemd, which expands $X and ${X} in command lines; "$$" stands for '$'. */
static int words_copy(char ***ret, char *const words[], bool dollars, Err *err)
{
        size_t n = 0;
        while (words && words[n])
                n++;

        char **copy = calloc(n + 1, sizeof(*copy));
        if (!copy)
                return err_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; i < n; i++) {
                char *to = copy[i] = malloc(2 * strlen(words[i]) + 1);
                if (!to) {
                        words_free(copy);
                        return err_set(err, -ENOMEM, "out of memory");
                }
                for (const char *from = words[i]; *from; from++) {
                        if (dollars && *from == '$')
                                *to++ = '$';
                        *to++ = *from;
                }
                *to = '\0';
        }
        *ret = copy;
        return 0;
}

/* systemd's own socket: without a name on a bus nobody can hold a reference. */
static bool own_socket(const Systemd *s)
{
        const char *address = NULL;
        return sd_bus_get_address(s->bus, &address) >= 0 && strstr(address, "/run/systemd/private");
}

static void call_unref_unit(SystemdCall *c)
{
        /* Whether it succeeds does not matter: the reference also goes with our connection. */
        if (c->referenced && c->systemd->bus && own_socket(c->systemd)) {
                (void) sd_bus_call_method_async(c->systemd->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "StopUnit", NULL, NULL, "ss", c->unit,
                                                "replace");
                (void) sd_bus_call_method_async(c->systemd->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "ResetFailedUnit", NULL, NULL, "s", c->unit);
        } else if (c->referenced && c->systemd->bus)
                (void) sd_bus_call_method_async(c->systemd->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "UnrefUnit", NULL, NULL, "s", c->unit);
        c->referenced = false;
}

static SystemdCall *call_free(SystemdCall *c)
{
        if (!c)
                return NULL;

        if (c->prev)
                c->prev->next = c->next;
        else if (c->systemd->calls == c)
                c->systemd->calls = c->next;
        if (c->next)
                c->next->prev = c->prev;

        sd_bus_slot_unref(c->slot);
        sd_event_source_unref(c->timer);
        sd_event_source_unref(c->out_source);
        call_unref_unit(c);
        closep(&c->out_read);
        closep(&c->out_write);
        words_free(c->argv);
        words_free(c->env);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(SystemdCall, call_free);

SystemdCall *systemd_call_cancel(SystemdCall *c)
{
        return call_free(c);
}

static void call_arm(SystemdCall *c, Usec at)
{
        /* Neither can fail for a timer that exists, in the process that made it. */
        (void) sd_event_source_set_time(c->timer, MIN(at, c->deadline));
        (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void finish_unit(SystemdCall *c, const UnitState *state, const Err *err)
{
        UnitStateFn fn = c->unit_fn;
        void *userdata = c->userdata;
        call_free(c);
        fn(state ? 0 : err->code, state, err, userdata);
}

static void finish_job(SystemdCall *c, JobResult result, const char *why)
{
        UnitJobFn fn = c->job_fn;
        void *userdata = c->userdata;
        Err text = {};
        (void) err_set(&text, -EIO, "%s of %s: %s%s%s", unit_verbs[c->verb].word, c->unit,
                       job_result_name(result), why ? ", " : "", why ? why : "");
        call_free(c);
        fn(result, text.text, userdata);
}

static void output_read(SystemdCall *c, size_t reads);

static void finish_run(SystemdCall *c, int status, const char *why)
{
        SystemdRunFn fn = c->run_fn;
        void *userdata = c->userdata;
        char output[sizeof(c->output)];
        Err text = {};

        /* The command is dead, but what it wrote last may not have been dispatched yet. */
        output_read(c, DRAIN_READS);
        for (size_t i = 0; i < c->output_len; i++)
                output[i] = c->output[i] ? c->output[i] : '?';
        output[c->output_len] = '\0';
        (void) err_set(&text, -EIO, "%s (%s): %s", c->argv[0], c->unit, why);
        call_free(c);
        fn(status, output, text.text, userdata);
}

/* The call cannot go on: told in the way of its kind. */
static void finish_failed(SystemdCall *c, const Err *err)
{
        Err copy = *err; /* it may lie in the call */

        if (c->kind == CALL_UNIT)
                finish_unit(c, NULL, &copy);
        else if (c->kind == CALL_JOB)
                finish_job(c, JOB_CALL_FAILED, copy.text);
        else
                finish_run(c, copy.code, copy.text);
}

static void finish_late(SystemdCall *c)
{
        Err err = {};
        (void) err_set(&err, c->kind == CALL_RUN ? -ETIME : -ETIMEDOUT, "no answer from systemd about %s%s%s",
                       c->unit, c->trouble[0] ? ": " : "", c->trouble);
        finish_failed(c, &err);
}

/* ---- what systemd says about a unit ---- */

typedef struct Reading {
        UnitState state;
        char job[64];
        int32_t exec_code; /* CLD_EXITED, ...; 0: it never ended */
        int32_t exec_status;
} Reading;

#define FIELD(name, type, member)                                                         \
        {                                                                                 \
                name, type, offsetof(Reading, member), sizeof(((Reading *) NULL)->member) \
        }
static const struct {
        const char *name;
        char type;
        size_t offset, size;
} unit_fields[] = {
        FIELD("Id", 's', state.unit),
        FIELD("LoadState", 's', state.load),
        FIELD("ActiveState", 's', state.active),
        FIELD("SubState", 's', state.sub),
        FIELD("Result", 's', state.result),
        FIELD("Type", 's', state.type),
        FIELD("ControlGroup", 's', state.control_group),
        FIELD("MainPID", 'u', state.main_pid),
        FIELD("NRestarts", 'u', state.n_restarts),
        FIELD("RemainAfterExit", 'b', state.remain_after_exit),
        FIELD("TimeoutStopUSec", 't', state.timeout_stop_usec),
        FIELD("StartLimitIntervalUSec", 't', state.start_limit_interval_usec),
        FIELD("StartLimitBurst", 'u', state.start_limit_burst),
        FIELD("ActiveEnterTimestamp", 't', state.active_wall_usec),
        FIELD("ActiveEnterTimestampMonotonic", 't', state.active_usec),
        FIELD("ExecMainCode", 'i', exec_code),
        FIELD("ExecMainStatus", 'i', exec_status),
};

static int reading_field(sd_bus_message *m, const char *name, const char *type, Reading *ret)
{
        for (size_t i = 0; i < ELEMENTS(unit_fields); i++) {
                if (strcmp(unit_fields[i].name, name) != 0 || type[0] != unit_fields[i].type || type[1])
                        continue;
                char *to = (char *) ret + unit_fields[i].offset;
                const char *text;
                int b, r;
                switch (type[0]) {
                case 's':
                        r = sd_bus_message_read_basic(m, 's', &text);
                        /* Half a name would be another name. */
                        if (r > 0 && strlen(text) < unit_fields[i].size)
                                memcpy(to, text, strlen(text) + 1);
                        return r;
                case 'b':
                        r = sd_bus_message_read_basic(m, 'b', &b);
                        if (r > 0)
                                *(bool *) to = b;
                        return r;
                default:
                        return sd_bus_message_read_basic(m, type[0], to);
                }
        }

        if (strcmp(name, "Job") == 0 && strcmp(type, "(uo)") == 0) {
                uint32_t id;
                const char *path;
                int r = sd_bus_message_read(m, "(uo)", &id, &path);
                if (r > 0 && id != 0) {
                        ret->state.job_pending = true;
                        (void) snprintf(ret->job, sizeof(ret->job), "%s", path);
                }
                return r;
        }
        if (strcmp(name, "InvocationID") == 0 && strcmp(type, "ay") == 0) {
                const void *bytes;
                size_t n;
                int r = sd_bus_message_read_array(m, 'y', &bytes, &n);
                if (r >= 0 && n == 16)
                        for (size_t i = 0; i < n; i++)
                                (void) snprintf(ret->state.invocation_id + 2 * i, 3, "%02x",
                                                ((const uint8_t *) bytes)[i]);
                return r;
        }
        return sd_bus_message_skip(m, type);
}

static int reading_parse(sd_bus_message *m, Reading *ret)
{
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name, *type;
                char kind;
                if ((r = sd_bus_message_read_basic(m, 's', &name)) < 0 ||
                    (r = sd_bus_message_peek_type(m, &kind, &type)) < 0 ||
                    (r = sd_bus_message_enter_container(m, 'v', type)) < 0 ||
                    (r = reading_field(m, name, type, ret)) < 0 ||
                    (r = sd_bus_message_exit_container(m)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        }
        ret->state.loaded = strcmp(ret->state.load, "loaded") == 0;
        return r;
}

/* ---- replies ---- */

/* Not an answer of systemd but a lack of one. */
static bool error_unanswered(const sd_bus_error *e)
{
        return sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT) ||
               sd_bus_error_has_name(e, "org.freedesktop.DBus.Error.TimedOut") ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_DISCONNECTED);
}

/* The bus could not hand it to systemd, which for a moment has no name there when it executes itself anew. */
static bool error_undelivered(const sd_bus_error *e)
{
        return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(e, SD_BUS_ERROR_NO_SERVER);
}

static bool errno_away(int r)
{
        return r == -ENOTCONN || r == -ECONNRESET || r == -ESHUTDOWN || r == -EPIPE || r == -ENOBUFS;
}

static void call_trouble(SystemdCall *c, const sd_bus_error *e)
{
        (void) snprintf(c->trouble, sizeof(c->trouble), "%s", e->message ? e->message : e->name);
}

static int error_fill(Err *err, const sd_bus_error *e)
{
        int code = sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists")
                           ? EEXIST
                           : sd_bus_error_get_errno(e);
        return err_set(err, code, "%s", e->message && e->message[0] ? e->message : e->name);
}

static void call_sender(SystemdCall *c, sd_bus_message *reply)
{
        const char *sender = sd_bus_message_get_sender(reply);
        (void) snprintf(c->sender, sizeof(c->sender), "%s", sender ? sender : "");
}

static void call_act(SystemdCall *c);
static void call_over(SystemdCall *c);

static void call_has_job(SystemdCall *c, const char *job)
{
        Systemd *s = c->systemd;

        c->step = STEP_JOB;
        (void) snprintf(c->job, sizeof(c->job), "%s", job);
        for (size_t i = 0; i < MIN(s->n_removed, (size_t) REMOVED_KEPT); i++)
                if (strcmp(s->removed[i].job, c->job) == 0 && strcmp(s->removed[i].sender, c->sender) == 0) {
                        c->ended = true;
                        c->result = s->removed[i].result;
                }
        if (c->ended)
                call_over(c);
        else
                call_arm(c, time_add(time_now(), POLL_USEC));
}

static int on_asked(sd_bus_message *m, void *userdata, sd_bus_error *ret_error _unused_)
{
        SystemdCall *c = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        c->slot = sd_bus_slot_unref(c->slot);
        if (e && (error_unanswered(e) || error_undelivered(e))) {
                call_trouble(c, e);
                c->step = error_undelivered(e) ? STEP_ASK : STEP_DOUBT;
                c->referenced = c->step == STEP_DOUBT;
                call_arm(c, time_add(time_now(), POLL_USEC));
                return 0;
        }
        if (c->kind == CALL_JOB && c->verb == UNIT_RESET_FAILED &&
            (!e || sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit"))) {
                finish_job(c, JOB_DONE, e ? "it is not loaded" : NULL);
                return 0;
        }

        Err err = {};
        const char *job;
        if (e && c->kind == CALL_RUN && c->taken < TAKEN_MOST &&
            sd_bus_error_has_name(e, "org.freedesktop.systemd1.UnitExists")) {
                c->referenced = false;
                call_trouble(c, e);
                c->step = STEP_TAKEN;
                call_act(c);
                return 0;
        }
        if (e) {
                c->referenced = false; /* the unit of that name is not ours */
                (void) error_fill(&err, e);
                finish_failed(c, &err);
                return 0;
        }
        int r = sd_bus_message_read(m, "o", &job);
        if (r < 0) {
                (void) err_errno(&err, r, "systemd's answer about %s cannot be read", c->unit);
                finish_failed(c, &err);
                return 0;
        }
        /* systemd has its own descriptor now; with ours open the output would never end. */
        closep(&c->out_write);
        c->out_write = -1;
        call_sender(c, m);
        call_has_job(c, job);
        return 0;
}

/* ---- evaluation ---- */

static void run_evaluate(SystemdCall *c, const Reading *reading)
{
        const char *result = reading->state.result;
        int status = reading->exec_status;
        Err why = {};

        if (!reading->state.loaded || reading->exec_code == 0) {
                /* Our reference keeps the unit; it is gone when the connection that held it was lost. */
                if (c->ended && c->result == JOB_DONE && !reading->state.loaded)
                        finish_run(c, 0, "exit status 0");
                else if (reading->state.loaded && strcmp(result, "timeout") == 0)
                        finish_run(c, -ETIME, "took too long");
                else if (reading->state.loaded && result[0] && strcmp(result, "success") != 0) {
                        (void) err_set(&why, -ENOEXEC, "could not be run: %s", result);
                        finish_run(c, why.code, why.text);
                } else
                        finish_run(c, -ENODATA, "it is over, but how it ended is not known");
        } else if (strcmp(result, "timeout") == 0) {
                finish_run(c, -ETIME, "took too long, ended by systemd");
        } else if (reading->exec_code != CLD_EXITED) {
                (void) err_set(&why, -EINTR, "killed by signal %d (%s)", status, result);
                finish_run(c, why.code, why.text);
        } else if (strcmp(result, "exit-code") == 0 && status == 203) {
                /* systemd.exec(5): EXIT_EXEC, the child of systemd could not execute the program. */
                finish_run(c, -ENOEXEC, "systemd could not execute it (203/EXEC)");
        } else if (status >= 0 && status <= 255 &&
                   (strcmp(result, "exit-code") == 0 || strcmp(result, "success") == 0)) {
                (void) err_set(&why, -EIO, "exit status %d", status);
                finish_run(c, status, why.text);
        } else {
                (void) err_set(&why, -EINTR, "ended with exit status %d, but systemd says: %s", status,
                               result);
                finish_run(c, why.code, why.text);
        }
}

static void job_ended_unseen(SystemdCall *c, const Reading *reading)
{
        Err why = {};
        (void) err_set(&why, -EIO, "the job ended unseen, the unit is %s (%s)", reading->state.active,
                       reading->state.sub);
        finish_job(c, JOB_UNKNOWN, why.text);
}

/* A unit whose command is over stays loaded while somebody has a reference to it. When the bus is lost,
 * systemd may count one for ever that nobody can give back: the name is not waited for then, another one is
 * used. */
static void name_taken(SystemdCall *c, const UnitState *state)
{
        char stem[200], number[16];
        Err err = {};
        bool over = strcmp(state->active, "inactive") == 0 || strcmp(state->active, "failed") == 0;
        if (state->job_pending || !over) {
                (void) err_set(&err, -EEXIST, "%s", c->trouble);
                finish_failed(c, &err);
                return;
        }
        (void) snprintf(number, sizeof(number), "-again%u", c->taken);
        (void) snprintf(stem, sizeof(stem), "%.*s",
                        (int) (strlen(c->unit) - strlen(".service") - (c->taken ? strlen(number) : 0)),
                        c->unit);
        c->taken++;
        (void) snprintf(c->unit, sizeof(c->unit), "%s-again%u.service", stem, c->taken);
        c->step = STEP_ASK;
        call_act(c);
}

static void call_evaluate(SystemdCall *c, const Reading *reading)
{
        const UnitState *state = &reading->state;

        if (c->kind == CALL_UNIT) {
                finish_unit(c, state, NULL);
                return;
        }
        if (c->step == STEP_TAKEN) {
                name_taken(c, state);
                return;
        }
        if (c->step == STEP_READ) {
                run_evaluate(c, reading);
                return;
        }
        if (c->step == STEP_JOB && state->job_pending && strcmp(reading->job, c->job) == 0) {
                call_arm(c, time_add(time_now(), POLL_USEC));
                return;
        }
        if (c->step == STEP_DOUBT && state->job_pending) {
                call_has_job(c, reading->job);
                return;
        }
        if (c->kind == CALL_RUN) {
                run_evaluate(c, reading);
                return;
        }

        /* No job. A start or stop that was never answered may be sent again: when it had arrived and is over,
         * the unit is where it was sent to, or the second attempt is as good as the first. */
        bool active = strcmp(state->active, "active") == 0;
        if (c->step == STEP_DOUBT &&
            ((c->verb == UNIT_START && !active) || (c->verb == UNIT_STOP && active))) {
                c->step = STEP_ASK;
                call_act(c);
                return;
        }
        job_ended_unseen(c, reading);
}

/* ---- requests ---- */

static void read_again(SystemdCall *c, const sd_bus_error *e)
{
        call_trouble(c, e);
        call_arm(c, time_add(time_now(), c->kind == CALL_UNIT ? RETRY_USEC : POLL_USEC));
}

static void read_failed(SystemdCall *c, const sd_bus_error *e)
{
        Reading none = { .state = { .load = "not-found", .active = "inactive", .sub = "dead" } };
        Err err = {};

        if (error_unanswered(e) || error_undelivered(e)) {
                read_again(c, e);
        } else if (sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit") ||
                   sd_bus_error_has_name(e, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
                (void) snprintf(none.state.unit, sizeof(none.state.unit), "%s", c->unit);
                call_evaluate(c, &none);
        } else {
                (void) error_fill(&err, e);
                finish_failed(c, &err);
        }
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *ret_error _unused_)
{
        SystemdCall *c = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);

        c->slot = sd_bus_slot_unref(c->slot);
        if (c->ended && c->step == STEP_JOB) {
                call_over(c); /* the signal overtook this reading, which is now worth nothing */
                return 0;
        }
        if (e) {
                read_failed(c, e);
                return 0;
        }

        Reading reading = {};
        (void) snprintf(reading.state.unit, sizeof(reading.state.unit), "%s", c->unit);
        int r = reading_parse(m, &reading);
        if (r < 0) {
                Err err = {};
                (void) err_errno(&err, r, "systemd's answer about %s cannot be read", c->unit);
                finish_failed(c, &err);
                return 0;
        }
        call_sender(c, m);
        call_evaluate(c, &reading);
        return 0;
}

/* Sends @m for @c. A bus that is away is no failure: the call stays where it is until there is another. */
static bool call_send(SystemdCall *c, sd_bus_message *m, sd_bus_message_handler_t fn, Usec timeout)
{
        int r = sd_bus_call_async(c->systemd->bus, &c->slot, m, fn, c, timeout);
        if (r >= 0) {
                call_arm(c, USEC_INFINITY);
                return true;
        }
        if (errno_away(r)) {
                (void) snprintf(c->trouble, sizeof(c->trouble), "no connection to the bus");
                call_arm(c, time_add(time_now(), POLL_USEC));
                return false;
        }
        Err err = {};
        (void) err_errno(&err, r, "cannot ask systemd about %s", c->unit);
        finish_failed(c, &err);
        return false;
}

static void call_failed_locally(SystemdCall *c, int r)
{
        Err err = {};
        (void) err_errno(&err, r, "cannot ask systemd about %s", c->unit);
        finish_failed(c, &err);
}

static void messagep(sd_bus_message **m)
{
        sd_bus_message_unref(*m);
}

static int on_loaded(sd_bus_message *m, void *userdata, sd_bus_error *ret_error _unused_)
{
        SystemdCall *c = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        _cleanup_(messagep) sd_bus_message *get = NULL;
        const char *path;
        int r;

        c->slot = sd_bus_slot_unref(c->slot);
        if (c->ended && c->step == STEP_JOB) {
                call_over(c);
                return 0;
        }
        if (e) {
                read_failed(c, e);
                return 0;
        }
        /* The empty interface name stands for all of them: those of the unit and those of its type. */
        if ((r = sd_bus_message_read(m, "o", &path)) < 0 ||
            (r = sd_bus_message_new_method_call(c->systemd->bus, &get, SYSTEMD_NAME, path,
                                                "org.freedesktop.DBus.Properties", "GetAll")) < 0 ||
            (r = sd_bus_message_append(get, "s", "")) < 0)
                call_failed_locally(c, r);
        else
                (void) call_send(c, get, on_properties, READ_LIMIT_USEC);
        return 0;
}

static void read_send(SystemdCall *c)
{
        _cleanup_(messagep) sd_bus_message *m = NULL;
        int r;

        if ((r = sd_bus_message_new_method_call(c->systemd->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "LoadUnit")) < 0 ||
            (r = sd_bus_message_append(m, "s", c->unit)) < 0)
                call_failed_locally(c, r);
        else
                (void) call_send(c, m, on_loaded, READ_LIMIT_USEC);
}

/* a(sasb) inside a variant inside a struct: what sd_bus_message_append() has no format for. */
static int run_append_command(sd_bus_message *m, char **argv)
{
        int r;
        if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
            (r = sd_bus_message_append(m, "s", "ExecStart")) < 0 ||
            (r = sd_bus_message_open_container(m, 'v', "a(sasb)")) < 0 ||
            (r = sd_bus_message_open_container(m, 'a', "(sasb)")) < 0 ||
            (r = sd_bus_message_open_container(m, 'r', "sasb")) < 0 ||
            (r = sd_bus_message_append(m, "s", argv[0])) < 0 ||
            (r = sd_bus_message_append_strv(m, argv)) < 0 || (r = sd_bus_message_append(m, "b", 0)) < 0)
                return r;
        for (int i = 0; i < 4; i++)
                if ((r = sd_bus_message_close_container(m)) < 0)
                        return r;
        return 0;
}

static int run_append_env(sd_bus_message *m, char **env)
{
        int r;
        if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
            (r = sd_bus_message_append(m, "s", "Environment")) < 0 ||
            (r = sd_bus_message_open_container(m, 'v', "as")) < 0 ||
            (r = sd_bus_message_append_strv(m, env)) < 0 || (r = sd_bus_message_close_container(m)) < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int run_append(SystemdCall *c, sd_bus_message *m)
{
        bool peer = own_socket(c->systemd);
        int r;

        /* oneshot: the job's end is the command's end. RuntimeMaxSec= has no effect on it, the limit of its
         * start has. AddRef: a unit that succeeded would be gone before its exit status could be read; a
         * peer, which cannot have a reference, lets it stay instead until it has been read. */
        if ((r = sd_bus_message_append(m, "ss", c->unit, "fail")) < 0 ||
            (r = sd_bus_message_open_container(m, 'a', "(sv)")) < 0 ||
            (r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s",
                                       "edge-roll: a command", "Type", "s", "oneshot", "CollectMode", "s",
                                       peer ? "inactive" : "inactive-or-failed",
                                       peer ? "RemainAfterExit" : "AddRef", "b", 1, "TimeoutStartUSec", "t",
                                       c->limit_usec, "TimeoutStopUSec", "t", KILL_USEC)) < 0 ||
            (r = sd_bus_message_append(m, "(sv)(sv)", "StandardOutputFileDescriptor", "h", c->out_write,
                                       "StandardErrorFileDescriptor", "h", c->out_write)) < 0 ||
            (r = run_append_command(m, c->argv)) < 0 || (c->env && (r = run_append_env(m, c->env)) < 0) ||
            (r = sd_bus_message_close_container(m)) < 0)
                return r;
        return sd_bus_message_append(m, "a(sa(sv))", 0);
}

static void ask_send(SystemdCall *c)
{
        _cleanup_(messagep) sd_bus_message *m = NULL;
        const char *method = c->kind == CALL_RUN ? "StartTransientUnit" : unit_verbs[c->verb].method;

        /* sd_bus_send() of a message with descriptors waits, in the loop, until the connection is set up. */
        if (c->kind == CALL_RUN && sd_bus_is_ready(c->systemd->bus) == 0) {
                call_arm(c, time_add(time_now(), SETUP_USEC));
                return;
        }
        int r = sd_bus_message_new_method_call(c->systemd->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
                                               SYSTEMD_MANAGER, method);
        if (r >= 0) {
                if (c->kind == CALL_RUN)
                        r = run_append(c, m);
                else if (c->verb == UNIT_RESET_FAILED)
                        r = sd_bus_message_append(m, "s", c->unit);
                else
                        r = sd_bus_message_append(m, "ss", c->unit, "replace");
        }
        if (r < 0) {
                call_failed_locally(c, r);
                return;
        }
        if (call_send(c, m, on_asked, 0)) {
                c->step = STEP_ASKED;
                c->referenced = c->kind == CALL_RUN;
        }
}

/* The job is over and its result known. */
static void call_over(SystemdCall *c)
{
        if (c->kind == CALL_JOB) {
                finish_job(c, c->result, NULL);
                return;
        }
        c->step = STEP_READ;
        call_act(c);
}

/* The next thing to do, when nothing is on its way. */
static void call_act(SystemdCall *c)
{
        if (!c->systemd->bus) {
                (void) snprintf(c->trouble, sizeof(c->trouble), "no connection to the bus");
                call_arm(c, USEC_INFINITY);
        } else if (c->step == STEP_ASK) {
                ask_send(c);
        } else {
                read_send(c);
        }
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        SystemdCall *c = userdata;

        if (time_now() >= c->deadline)
                finish_late(c);
        else if (c->ended && c->step == STEP_JOB)
                call_over(c);
        else if (c->slot)
                call_arm(c, USEC_INFINITY);
        else
                call_act(c);
        return 0;
}

/* ---- output of a command ---- */

static void output_read(SystemdCall *c, size_t reads)
{
        char chunk[64 * 1024];

        while (c->out_read >= 0 && reads-- > 0) {
                ssize_t n = read(c->out_read, chunk, sizeof(chunk));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        c->out_source = sd_event_source_unref(c->out_source);
                        (void) close(TAKE_FD(c->out_read));
                        return;
                }
                size_t keep = MIN((size_t) n, SYSTEMD_OUTPUT_MAX - c->output_len);
                memcpy(c->output + c->output_len, chunk, keep);
                c->output_len += keep;
        }
}

static int on_output(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
                     void *userdata)
{
        /* Once a turn of the loop: a command that writes without end must not have the loop to itself. */
        output_read(userdata, 1);
        return 0;
}

/* ---- signals ---- */

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error _unused_)
{
        Systemd *s = userdata;
        const char *job, *unit, *word, *sender = sd_bus_message_get_sender(m);
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &word) < 0)
                return 0;
        Removed *removed = &s->removed[s->n_removed % REMOVED_KEPT];
        (void) snprintf(removed->job, sizeof(removed->job), "%s", job);
        (void) snprintf(removed->sender, sizeof(removed->sender), "%s", sender ? sender : "");
        removed->result = job_result_from_name(word);
        s->n_removed++;

        /* Several calls may share a job, and any callback may free everything: each wakes by itself. */
        for (SystemdCall *c = s->calls; c; c = c->next)
                if (c->step == STEP_JOB && !c->ended && strcmp(c->job, removed->job) == 0 &&
                    strcmp(c->sender, removed->sender) == 0) {
                        c->ended = true;
                        c->result = removed->result;
                        call_arm(c, 0);
                }
        return 0;
}

static int on_ignored(sd_bus_message *m _unused_, void *userdata _unused_, sd_bus_error *ret_error _unused_)
{
        /* Without the match or the subscription the unit's Job property still tells, a second later. */
        return 0;
}

/* ---- Systemd ---- */

static int systemd_attach(Systemd *s, sd_bus *bus, Err *err)
{
        const char *from = sd_bus_is_bus_client(bus) > 0 ? SYSTEMD_NAME : NULL; /* a peer names no sender */
        int r = sd_bus_match_signal_async(bus, &s->match, from, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
                                          on_job_removed, on_ignored, s);
        if (r < 0 && !errno_away(r))
                return err_errno(err, r, "cannot listen to systemd's jobs");
        r = sd_bus_call_method_async(bus, &s->subscribe, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                     "Subscribe", on_ignored, s, NULL);
        if (r < 0 && !errno_away(r))
                return err_errno(err, r, "cannot subscribe to systemd's signals");
        s->bus = sd_bus_ref(bus);
        return 0;
}

static void systemd_detach(Systemd *s)
{
        s->match = sd_bus_slot_unref(s->match);
        s->subscribe = sd_bus_slot_unref(s->subscribe);
        s->bus = sd_bus_unref(s->bus);
        s->n_removed = 0;
}

int systemd_new(Systemd **ret, sd_bus *bus, sd_event *e, Err *err)
{
        _cleanup_(systemd_freep) Systemd *s = calloc(1, sizeof(*s));
        if (!s)
                return err_set(err, -ENOMEM, "out of memory");
        s->e = sd_event_ref(e);
        int r = bus ? systemd_attach(s, bus, err) : 0;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

int systemd_set_bus(Systemd *s, sd_bus *bus, Err *err)
{
        for (SystemdCall *c = s->calls; c; c = c->next) {
                c->slot = sd_bus_slot_unref(c->slot);
                c->referenced = false; /* it went with the connection */
                c->sender[0] = '\0';
                if (c->step == STEP_ASKED)
                        c->step = STEP_DOUBT;
                if (c->step == STEP_DOUBT && c->kind == CALL_JOB && c->verb == UNIT_RESET_FAILED)
                        c->step = STEP_ASK;
                call_arm(c, bus ? 0 : USEC_INFINITY);
        }
        systemd_detach(s);
        return bus ? systemd_attach(s, bus, err) : 0;
}

Systemd *systemd_free(Systemd *s)
{
        if (!s)
                return NULL;
        while (s->calls)
                call_free(s->calls);
        systemd_detach(s);
        sd_event_unref(s->e);
        free(s);
        return NULL;
}

static int call_new(SystemdCall **ret, Systemd *s, CallKind kind, CallStep step, const char *unit,
                    Usec deadline, void *userdata, Err *err)
{
        if (!systemd_unit_name_valid(unit))
                return err_set(err, -EINVAL, "\"%s\" is not a unit name", unit ? unit : "");

        SystemdCall *c = calloc(1, sizeof(*c));
        if (!c)
                return err_set(err, -ENOMEM, "out of memory");
        c->systemd = s;
        c->kind = kind;
        c->step = step;
        c->deadline = deadline;
        c->userdata = userdata;
        c->out_read = c->out_write = -1;
        (void) snprintf(c->unit, sizeof(c->unit), "%s", unit);
        c->next = s->calls;
        if (c->next)
                c->next->prev = c;
        s->calls = c;

        /* The first step too is taken by the timer, so that no callback runs inside the call. */
        int r = sd_event_add_time(s->e, &c->timer, CLOCK_MONOTONIC, 0, 1, on_timer, c);
        if (r < 0) {
                call_free(c);
                return err_errno(err, r, "no timer");
        }
        *ret = c;
        return 0;
}

int systemd_unit(Systemd *s, const char *unit, UnitStateFn fn, void *userdata, SystemdCall **ret, Err *err)
{
        SystemdCall *c = NULL;
        int r = call_new(&c, s, CALL_UNIT, STEP_READ, unit, time_add(time_now(), UNIT_LIMIT_USEC), userdata,
                         err);
        if (!c)
                return r;
        c->unit_fn = fn;
        if (ret)
                *ret = c;
        return 0;
}

int systemd_job(Systemd *s, UnitVerb verb, const char *unit, UnitJobFn fn, void *userdata, SystemdCall **ret,
                Err *err)
{
        SystemdCall *c = NULL;
        int r = call_new(&c, s, CALL_JOB, STEP_ASK, unit, USEC_INFINITY, userdata, err);
        if (!c)
                return r;
        c->verb = verb;
        c->job_fn = fn;
        if (ret)
                *ret = c;
        return 0;
}

static int run_check(Systemd *s, const char *unit, char *const argv[], char *const env[], Usec limit_usec,
                     Err *err)
{
        if (limit_usec == 0)
                return err_set(err, -EINVAL, "a command needs a time limit");
        if (!argv || !argv[0] || argv[0][0] != '/')
                return err_set(err, -EINVAL, "\"%s\" is not the absolute path of a command",
                               argv && argv[0] ? argv[0] : "");
        for (char *const *v = env; v && *v; v++)
                if (!strchr(*v, '=') || **v == '=')
                        return err_set(err, -EINVAL, "\"%s\" is not KEY=VALUE", *v);
        for (SystemdCall *c = s->calls; c; c = c->next)
                if (c->kind == CALL_RUN && strcmp(c->unit, unit) == 0)
                        return err_set(err, -EEXIST, "%s runs already", unit);
        return 0;
}

int systemd_run(Systemd *s, const char *unit, char *const argv[], char *const env[], Usec limit_usec,
                SystemdRunFn fn, void *userdata, SystemdCall **ret, Err *err)
{
        _cleanup_(call_freep) SystemdCall *c = NULL;

        int r = run_check(s, unit ? unit : "", argv, env, limit_usec, err);
        if (r < 0)
                return r;
        r = call_new(&c, s, CALL_RUN, STEP_ASK, unit,
                     time_add(time_now(), time_add(limit_usec, OVERDUE_USEC)), userdata, err);
        if (!c)
                return r;
        c->run_fn = fn;
        c->limit_usec = limit_usec;
        if ((r = words_copy(&c->argv, argv, true, err)) < 0)
                return r;
        if (env && env[0] && (r = words_copy(&c->env, env, false, err)) < 0)
                return r;

        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return err_errno(err, errno, "no pipe for the output of %s", argv[0]);
        c->out_read = fds[0];
        c->out_write = fds[1];
        /* Our end only: the other is the command's stdout, and commands do not expect EAGAIN. */
        if (fcntl(c->out_read, F_SETFL, O_NONBLOCK) < 0)
                return err_errno(err, errno, "cannot prepare the pipe for the output of %s", argv[0]);
        r = sd_event_add_io(s->e, &c->out_source, c->out_read, EPOLLIN, on_output, c);
        if (r < 0)
                return err_errno(err, r, "cannot watch the output of %s", argv[0]);

        if (ret)
                *ret = c;
        (void) TAKE_PTR(c);
        return 0;
}
