/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A call from step to step: what is asked next, and what the answer, or none, means for it. */

#include "agent/systemd-impl.h"

#include <string.h>
#include <sys/wait.h>

#define POLL_USEC       USEC_PER_SEC
#define RETRY_USEC      (200 * USEC_PER_MSEC)
#define SETUP_USEC      (20 * USEC_PER_MSEC)
#define READ_LIMIT_USEC (5 * USEC_PER_SEC) /* one reply, after which it is asked again */
#define TAKEN_MOST      9                  /* names that may be taken by what does nothing any more */
#define KILL_USEC       (5 * USEC_PER_SEC) /* from SIGTERM to SIGKILL for a command that takes too long */

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

bool systemd_errno_away(int r)
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
        for (size_t i = 0; i < MIN(s->n_removed, (size_t) SYSTEMD_REMOVED_KEPT); i++)
                if (strcmp(s->removed[i].job, c->job) == 0 && strcmp(s->removed[i].sender, c->sender) == 0) {
                        c->ended = true;
                        c->result = s->removed[i].result;
                }
        if (c->ended)
                call_over(c);
        else
                systemd_call_arm(c, time_add(time_now(), POLL_USEC));
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
                systemd_call_arm(c, time_add(time_now(), POLL_USEC));
                return 0;
        }
        if (c->kind == CALL_JOB && c->verb == UNIT_RESET_FAILED &&
            (!e || sd_bus_error_has_name(e, "org.freedesktop.systemd1.NoSuchUnit"))) {
                systemd_finish_job(c, JOB_DONE, e ? "it is not loaded" : NULL);
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
                systemd_finish_failed(c, &err);
                return 0;
        }
        int r = sd_bus_message_read(m, "o", &job);
        if (r < 0) {
                (void) err_errno(&err, r, "systemd's answer about %s cannot be read", c->unit);
                systemd_finish_failed(c, &err);
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
                        systemd_finish_run(c, 0, "exit status 0");
                else if (reading->state.loaded && strcmp(result, "timeout") == 0)
                        systemd_finish_run(c, -ETIME, "took too long");
                else if (reading->state.loaded && result[0] && strcmp(result, "success") != 0) {
                        (void) err_set(&why, -ENOEXEC, "could not be run: %s", result);
                        systemd_finish_run(c, why.code, why.text);
                } else
                        systemd_finish_run(c, -ENODATA, "it is over, but how it ended is not known");
        } else if (strcmp(result, "timeout") == 0) {
                systemd_finish_run(c, -ETIME, "took too long, ended by systemd");
        } else if (reading->exec_code != CLD_EXITED) {
                (void) err_set(&why, -EINTR, "killed by signal %d (%s)", status, result);
                systemd_finish_run(c, why.code, why.text);
        } else if (strcmp(result, "exit-code") == 0 && status == 203) {
                /* systemd.exec(5): EXIT_EXEC, the child of systemd could not execute the program. */
                systemd_finish_run(c, -ENOEXEC, "systemd could not execute it (203/EXEC)");
        } else if (status >= 0 && status <= 255 &&
                   (strcmp(result, "exit-code") == 0 || strcmp(result, "success") == 0)) {
                (void) err_set(&why, -EIO, "exit status %d", status);
                systemd_finish_run(c, status, why.text);
        } else {
                (void) err_set(&why, -EINTR, "ended with exit status %d, but systemd says: %s", status,
                               result);
                systemd_finish_run(c, why.code, why.text);
        }
}

static void job_ended_unseen(SystemdCall *c, const Reading *reading)
{
        Err why = {};
        (void) err_set(&why, -EIO, "the job ended unseen, the unit is %s (%s)", reading->state.active,
                       reading->state.sub);
        systemd_finish_job(c, JOB_UNKNOWN, why.text);
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
                systemd_finish_failed(c, &err);
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
                systemd_finish_unit(c, state, NULL);
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
                systemd_call_arm(c, time_add(time_now(), POLL_USEC));
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
        systemd_call_arm(c, time_add(time_now(), c->kind == CALL_UNIT ? RETRY_USEC : POLL_USEC));
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
                systemd_finish_failed(c, &err);
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
        int r = systemd_reading_parse(m, &reading);
        if (r < 0) {
                Err err = {};
                (void) err_errno(&err, r, "systemd's answer about %s cannot be read", c->unit);
                systemd_finish_failed(c, &err);
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
                systemd_call_arm(c, USEC_INFINITY);
                return true;
        }
        if (systemd_errno_away(r)) {
                (void) snprintf(c->trouble, sizeof(c->trouble), "no connection to the bus");
                systemd_call_arm(c, time_add(time_now(), POLL_USEC));
                return false;
        }
        Err err = {};
        (void) err_errno(&err, r, "cannot ask systemd about %s", c->unit);
        systemd_finish_failed(c, &err);
        return false;
}

static void call_failed_locally(SystemdCall *c, int r)
{
        Err err = {};
        (void) err_errno(&err, r, "cannot ask systemd about %s", c->unit);
        systemd_finish_failed(c, &err);
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
        bool peer = systemd_own_socket(c->systemd);
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
        const char *method = c->kind == CALL_RUN ? "StartTransientUnit" : systemd_verbs[c->verb].method;

        /* sd_bus_send() of a message with descriptors waits, in the loop, until the connection is set up. */
        if (c->kind == CALL_RUN && sd_bus_is_ready(c->systemd->bus) == 0) {
                systemd_call_arm(c, time_add(time_now(), SETUP_USEC));
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

/* ---- the next step ---- */

/* The job is over and its result known. */
static void call_over(SystemdCall *c)
{
        if (c->kind == CALL_JOB) {
                systemd_finish_job(c, c->result, NULL);
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
                systemd_call_arm(c, USEC_INFINITY);
        } else if (c->step == STEP_ASK) {
                ask_send(c);
        } else {
                read_send(c);
        }
}

int systemd_on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        SystemdCall *c = userdata;

        if (time_now() >= c->deadline)
                systemd_finish_late(c);
        else if (c->ended && c->step == STEP_JOB)
                call_over(c);
        else if (c->slot)
                systemd_call_arm(c, USEC_INFINITY);
        else
                call_act(c);
        return 0;
}
