/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What others ask of systemd, and the signals that it sends. */

#include "agent/systemd-impl.h"

#include <fcntl.h>
#include <string.h>

#include "base/words.h"

#define UNIT_LIMIT_USEC (10 * USEC_PER_SEC)
#define OVERDUE_USEC    (10 * USEC_PER_SEC)

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

/* ---- signals ---- */

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error _unused_)
{
        Systemd *s = userdata;
        const char *job, *unit, *word, *sender = sd_bus_message_get_sender(m);
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &word) < 0)
                return 0;
        Removed *removed = &s->removed[s->n_removed % SYSTEMD_REMOVED_KEPT];
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
                        systemd_call_arm(c, 0);
                }
        return 0;
}

static int on_ignored(sd_bus_message *m _unused_, void *userdata _unused_, sd_bus_error *ret_error _unused_)
{
        /* Without the match or the subscription the unit's Job property still tells, a second later. */
        return 0;
}

/* ---- the connection ---- */

static int systemd_attach(Systemd *s, sd_bus *bus, Err *err)
{
        const char *from = sd_bus_is_bus_client(bus) > 0 ? SYSTEMD_NAME : NULL; /* a peer names no sender */
        int r = sd_bus_match_signal_async(bus, &s->match, from, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
                                          on_job_removed, on_ignored, s);
        if (r < 0 && !systemd_errno_away(r))
                return err_errno(err, r, "cannot listen to systemd's jobs");
        r = sd_bus_call_method_async(bus, &s->subscribe, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                     "Subscribe", on_ignored, s, NULL);
        if (r < 0 && !systemd_errno_away(r))
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
                systemd_call_arm(c, bus ? 0 : USEC_INFINITY);
        }
        systemd_detach(s);
        return bus ? systemd_attach(s, bus, err) : 0;
}

Systemd *systemd_free(Systemd *s)
{
        if (!s)
                return NULL;
        while (s->calls)
                systemd_call_free(s->calls);
        systemd_detach(s);
        sd_event_unref(s->e);
        free(s);
        return NULL;
}

/* ---- calls ---- */

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
        int r = sd_event_add_time(s->e, &c->timer, CLOCK_MONOTONIC, 0, 1, systemd_on_timer, c);
        if (r < 0) {
                systemd_call_free(c);
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
        _cleanup_(systemd_call_freep) SystemdCall *c = NULL;

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
        r = sd_event_add_io(s->e, &c->out_source, c->out_read, EPOLLIN, systemd_on_output, c);
        if (r < 0)
                return err_errno(err, r, "cannot watch the output of %s", argv[0]);

        if (ret)
                *ret = c;
        (void) TAKE_PTR(c);
        return 0;
}
