/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/monit.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "base/words.h"
#include "probes/monit-xml.h"

#define POLL_USEC     (200 * USEC_PER_MSEC)
#define REPEAT_USEC   (2 * USEC_PER_SEC) /* from one command to the next */
#define RETRY_USEC    (1 * USEC_PER_SEC)
#define SILENT_USEC   (3 * USEC_PER_SEC)  /* a monit that does not answer for so long will not */
#define DEAF_USEC     (20 * USEC_PER_SEC) /* one that answers, but does not unmonitor */
#define ABSENT_USEC   (5 * USEC_PER_SEC)
#define STRANGER_USEC (2 * USEC_PER_SEC) /* monit's own short-lived children are gone by then */
#define COMMAND_USEC  (20 * USEC_PER_SEC)
#define HTTP_USEC     (2 * USEC_PER_SEC)
#define CHECK_MAX     127
#define PIDS_MAX      256

#define APIGEE_MONIT   "/opt/apigee/apigee-monit"
#define APIGEE_SERVICE "/opt/apigee/apigee-service/bin/apigee-service"
#define MONIT_PROGRAM  "/usr/bin/monit"

typedef enum Op { OP_NONE, OP_LOOK, OP_OFF, OP_RESTORE, OP_CHECK_OFF } Op;

/* What is done next; every operation is a chain of these, each the last statement of the one before. */
typedef void (*Step)(Monit *m);

struct Monit {
        Systemd *systemd;
        Http *http;
        const Config *config;
        sd_event_source *timer;

        Op op;
        const Component *c;
        MonitPrior prior; /* given; for a look the result */
        MonitFn fn;
        MonitLookFn look_fn;
        void *userdata;
        Step then, unit_then, check_then, command_then; /* after the timer, a read unit, check, command */
        SystemdCall *call;
        HttpCall *get;

        size_t unit_index;      /* look: which of the configured units is asked about */
        UnitState unit;         /* as last read */
        MonitCheckState check;  /* as last read */
        bool pending;           /* monit is doing something with it */
        bool proven;            /* the check was seen off */
        Usec begin, command_at; /* of this stretch of waiting; when the next command is due */
        Usec answered;          /* last time that monit answered (or the beginning) */
        char waits_for[256];
        char trouble[512]; /* what went wrong last */
};

static const char *const check_states[] = {
        [MONIT_CHECK_UNKNOWN] = "unknown",
        [MONIT_CHECK_ABSENT] = "absent",
        [MONIT_CHECK_MONITORED] = "monitored",
        [MONIT_CHECK_UNMONITORED] = "unmonitored",
};
_Static_assert(ELEMENTS(check_states) == MONIT_CHECK_COUNT, "every state of a check has a name");

const char *monit_check_state_name(MonitCheckState s)
{
        return s >= 0 && s < MONIT_CHECK_COUNT ? check_states[s] : "invalid";
}

MonitCheckState monit_check_state_from_name(const char *name)
{
        for (int i = 0; name && i < MONIT_CHECK_COUNT; i++)
                if (strcmp(check_states[i], name) == 0)
                        return (MonitCheckState) i;
        return MONIT_CHECK_INVALID;
}

/* ---- the end of an operation ---- */

void monit_cancel(Monit *m)
{
        m->op = OP_NONE;
        m->call = systemd_call_cancel(m->call);
        m->get = http_cancel(m->get);
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
}

static void finish(Monit *m, int r, const char *text, const Err *err)
{
        Op op = m->op;
        MonitFn fn = m->fn;
        MonitLookFn look_fn = m->look_fn;
        MonitPrior prior = m->prior;
        void *userdata = m->userdata;

        monit_cancel(m);
        if (op == OP_LOOK)
                look_fn(r, r < 0 ? NULL : &prior, text, err, userdata);
        else
                fn(r, text, err, userdata);
}

static void finish_ok(Monit *m, const char *fmt, ...) _printf_(2, 3);
static void finish_ok(Monit *m, const char *fmt, ...)
{
        char text[640];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        finish(m, 0, text, NULL);
}

static void finish_err(Monit *m, const Err *err)
{
        Err copy = *err;
        finish(m, copy.code, copy.text, &copy);
}

/* ---- steps ---- */

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        Monit *m = userdata;
        m->then(m);
        return 0;
}

static void wait_then(Monit *m, Usec usec, Step then)
{
        m->then = then;
        /* Neither can fail for a timer that exists, in the process that made it. */
        (void) sd_event_source_set_time(m->timer, time_add(time_now(), usec));
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

static void trouble(Monit *m, const char *text)
{
        (void) snprintf(m->trouble, sizeof(m->trouble), "%s", text);
}

static void waits_for(Monit *m, const char *fmt, ...) _printf_(2, 3);
static void waits_for(Monit *m, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(m->waits_for, sizeof(m->waits_for), fmt, ap);
        va_end(ap);
}

const char *monit_waits_for(const Monit *m, char *buf, size_t size)
{
        if (m->op == OP_NONE)
                (void) snprintf(buf, size, "%s", "");
        else
                (void) snprintf(buf, size, "%s%s%s%s", m->waits_for[0] ? m->waits_for : "monit's answer",
                                m->trouble[0] ? " (last: " : "", m->trouble, m->trouble[0] ? ")" : "");
        return buf;
}

/* ---- one unit, read ---- */

static void unit_read_again(Monit *m);

static void on_unit(int r, const UnitState *state, const Err *err, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        if (r < 0 && m->op == OP_RESTORE) {
                trouble(m, err->text);
                wait_then(m, RETRY_USEC, unit_read_again);
        } else if (r < 0) {
                finish_err(m, err);
        } else {
                m->unit = *state;
                m->unit_then(m);
        }
}

static void unit_read_again(Monit *m)
{
        Err err = {};
        if (systemd_unit(m->systemd, m->prior.unit, on_unit, m, &m->call, &err) < 0)
                finish_err(m, &err);
}

/* m->prior.unit into m->unit. */
static void unit_read(Monit *m, Step then)
{
        m->unit_then = then;
        unit_read_again(m);
}

static bool unit_is(const Monit *m, const char *active)
{
        return strcmp(m->unit.active, active) == 0;
}

static bool unit_is_down(const Monit *m)
{
        return unit_is(m, "inactive") || unit_is(m, "failed");
}

/* ---- the check, read ---- */

static void check_parse(Monit *m, const HttpResult *result)
{
        MonitCheck found = {};
        Err err = {};

        m->check = MONIT_CHECK_UNKNOWN;
        m->pending = false;
        if (result->outcome != HTTP_ANSWER) {
                trouble(m, result->text);
        } else if (result->status != 200) {
                (void) err_set(&err, -EIO, "%s: status %ld", m->config->monit_status_url, result->status);
                trouble(m, err.text);
        } else if (monit_xml_find(result->body, result->body_len, m->c->monit_check, &found, &err) < 0) {
                trouble(m, err.text);
        } else {
                m->check = !found.found    ? MONIT_CHECK_ABSENT
                           : found.monitor ? MONIT_CHECK_MONITORED
                                           : MONIT_CHECK_UNMONITORED;
                m->pending = found.found && found.pending_action != 0;
                m->answered = time_now();
        }
}

static void on_status(const HttpResult *result, void *userdata)
{
        Monit *m = userdata;

        m->get = NULL;
        check_parse(m, result);
        m->check_then(m);
}

/* Into m->check and m->pending. Whatever goes wrong makes it unknown. */
static void check_read(Monit *m, Step then)
{
        const HttpRequest request = { .url = m->config->monit_status_url,
                                      .connect_usec = HTTP_USEC,
                                      .total_usec = HTTP_USEC };
        Err err = {};

        m->check_then = then;
        m->check = MONIT_CHECK_UNKNOWN;
        m->pending = false;
        if (!request.url[0]) {
                trouble(m, "monit's status URL is not configured");
                then(m);
        } else if (http_start(m->http, &request, on_status, m, &m->get, &err) < 0) {
                trouble(m, err.text);
                then(m);
        }
}

static bool check_is_off(const Monit *m)
{
        return m->check == MONIT_CHECK_UNMONITORED && !m->pending;
}

/* ---- commands ---- */

/* @word with each {check} replaced. Return: NULL without memory. */
static char *word_fill(const char *word, const char *check)
{
        static const char mark[] = "{check}";
        size_t len = strlen(word), mark_len = sizeof(mark) - 1, check_len = strlen(check);
        /* No more marks fit into it than this. */
        char *filled = malloc(len + (len / mark_len) * check_len + 1), *to = filled;

        if (!filled)
                return NULL;
        while (*word) {
                if (strncmp(word, mark, mark_len) == 0) {
                        memcpy(to, check, check_len);
                        to += check_len;
                        word += mark_len;
                } else {
                        *to++ = *word++;
                }
        }
        *to = '\0';
        return filled;
}

/* What the configuration says, or "auto" means here. Return: "" when there is no command. */
static const char *command_template(const char *configured, bool monitor)
{
        if (strcmp(configured, "auto") != 0)
                return configured;
        if (access(APIGEE_MONIT, F_OK) == 0)
                return monitor ? APIGEE_SERVICE " apigee-monit monitor -c {check}"
                               : APIGEE_SERVICE " apigee-monit unmonitor -c {check}";
        if (access(MONIT_PROGRAM, X_OK) == 0)
                return monitor ? MONIT_PROGRAM " monitor {check}" : MONIT_PROGRAM " unmonitor {check}";
        return "";
}

/* The command of the running operation: always towards unmonitored, but for a check that was monitored. */
static const char *operation_template(const Monit *m)
{
        if (m->op == OP_RESTORE && m->prior.check == MONIT_CHECK_MONITORED)
                return command_template(m->config->monit_monitor, true);
        return command_template(m->config->monit_unmonitor, false);
}

static void on_command(int exit_status, const char *output, const char *text, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        if (exit_status != 0) {
                Err err = {};
                (void) err_set(&err, -EIO, "%.160s%s%.80s", text, output[0] ? ": " : "", output);
                trouble(m, err.text);
        }
        m->command_at = time_add(time_now(), REPEAT_USEC);
        m->command_then(m);
}

/* Only what is read back afterwards counts, so a command that fails is no failure here. */
static void command_run(Monit *m, Step then)
{
        _cleanup_(words_freep) Words argv = NULL;
        Err err = {};

        int r = words_split(operation_template(m), &argv);
        for (char **word = argv; r == 0 && *word; word++) {
                char *filled = word_fill(*word, m->c->monit_check);
                if (filled) {
                        free(*word);
                        *word = filled;
                } else {
                        r = -ENOMEM;
                }
        }
        m->command_then = then;
        if (r < 0)
                r = err_set(&err, r, "out of memory");
        else
                r = systemd_run(m->systemd, MONIT_RUN_UNIT, argv, NULL, COMMAND_USEC, on_command, m, &m->call,
                                &err);
        if (r < 0)
                finish_err(m, &err);
}

/* ---- look ---- */

static void look_text(const Monit *m, char *text, size_t size)
{
        char unit[320] = "monit has no unit";

        if (!m->prior.unit[0] && m->prior.check == MONIT_CHECK_UNKNOWN) {
                (void) snprintf(text, size, "no monit on this node");
                return;
        }
        if (m->prior.unit[0])
                (void) snprintf(unit, sizeof(unit), "%s %s", m->prior.unit,
                                m->prior.active ? "active" : "not active");
        (void) snprintf(text, size, "%s, check %s %s", unit, m->c->monit_check,
                        monit_check_state_name(m->prior.check));
}

static void look_check(Monit *m);

static void look_done(Monit *m)
{
        char text[640];

        if (m->check == MONIT_CHECK_UNMONITORED && m->pending) {
                waits_for(m, "monit is about to do something with the check %s", m->c->monit_check);
                wait_then(m, POLL_USEC, look_check);
                return;
        }
        m->prior.check = m->check;
        look_text(m, text, sizeof(text));
        finish(m, 0, text, NULL);
}

static void look_check(Monit *m)
{
        check_read(m, look_done);
}

static void look_unit(Monit *m);

static void look_unit_seen(Monit *m)
{
        if (m->unit.loaded) {
                m->prior.active = unit_is(m, "active") || unit_is(m, "reloading") || unit_is(m, "activating");
                look_check(m);
        } else {
                m->unit_index++;
                look_unit(m);
        }
}

static void look_unit(Monit *m)
{
        const char *unit = m->config->monit_units ? m->config->monit_units[m->unit_index] : NULL;

        (void) snprintf(m->prior.unit, sizeof(m->prior.unit), "%s", unit ? unit : "");
        if (unit)
                unit_read(m, look_unit_seen);
        else
                look_check(m); /* monit may run without a unit, started by cron or by hand */
}

/* ---- off ---- */

static void off_unit(Monit *m);
static void off_check(Monit *m);

static void off_done(Monit *m)
{
        const char *check = m->c->monit_check;

        if (m->proven && m->prior.unit[0] && m->prior.active)
                finish_ok(m, "check %s is off (monitor 0, no pending action), %s is %s", check, m->prior.unit,
                          m->unit.active);
        else if (m->proven)
                finish_ok(m, "check %s is off (monitor 0, no pending action)", check);
        else if (m->prior.unit[0])
                finish_ok(m, "%s is %s; that check %s is off cannot be shown beyond that", m->prior.unit,
                          m->prior.active ? m->unit.active : "not active as before", check);
        else
                finish_ok(m, "monit has neither a unit nor a check %s", check);
}

static void off_confirm(Monit *m)
{
        if (m->check == MONIT_CHECK_MONITORED || m->pending) {
                Err err = {};
                (void) err_set(&err, -EBUSY, "%s is stopped, but another monit answers and monitors %s",
                               m->prior.unit, m->c->monit_check);
                finish_err(m, &err);
        } else {
                m->proven = check_is_off(m);
                off_done(m);
        }
}

static void off_unit_down(Monit *m)
{
        if (m->proven)
                off_done(m);
        else
                check_read(m, off_confirm); /* a monit that cron or somebody started is not in the unit */
}

static void off_unit_stopped(Monit *m)
{
        if (unit_is_down(m)) {
                off_unit_down(m);
        } else if (unit_is(m, "active")) {
                Err err = {};
                (void) err_set(&err, -EIO, "%s is still %s (%.200s)", m->prior.unit, m->unit.active,
                               m->trouble);
                finish_err(m, &err);
        } else {
                m->unit_then = off_unit_stopped;
                wait_then(m, POLL_USEC, unit_read_again);
        }
}

static void on_stopped(JobResult result _unused_, const char *text, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        trouble(m, text);
        unit_read(m, off_unit_stopped);
}

static bool comm_read(int pid, char ret[32])
{
        char path[64];
        (void) snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        _cleanup_(fclosep) FILE *file = fopen(path, "re");
        if (!file || !fgets(ret, 32, file))
                return false;
        ret[strcspn(ret, "\n")] = '\0';
        return true;
}

/*
 * Whether something that is not monit lives in the unit's cgroup. @ret: what. Where the cgroup cannot be read
 * the answer is yes: the price of an error would be a component killed undrained.
 */
static bool unit_has_strangers(const Monit *m, char *ret, size_t size)
{
        int pids[PIDS_MAX];
        Err err = {};

        if (!m->unit.control_group[0])
                return false;
        int n = cgroup_pids(NULL, m->unit.control_group, pids, PIDS_MAX, &err);
        if (n < 0)
                (void) snprintf(ret, size, "%s", err.text);
        if (n > PIDS_MAX)
                (void) snprintf(ret, size, "%d processes", n);
        if (n < 0 || n > PIDS_MAX)
                return true;
        for (int i = 0; i < n; i++) {
                char comm[32];
                if (pids[i] == (int) m->unit.main_pid || !comm_read(pids[i], comm) ||
                    strcmp(comm, "monit") == 0 || strcmp(comm, "apigee-monit") == 0)
                        continue;
                (void) snprintf(ret, size, "process %d (%s)", pids[i], comm);
                return true;
        }
        return false;
}

static void off_unit_seen(Monit *m)
{
        char stranger[512];
        Err err = {};

        if (unit_is_down(m)) {
                off_unit_down(m);
                return;
        }
        if (!unit_has_strangers(m, stranger, sizeof(stranger))) {
                waits_for(m, "%s to stop", m->prior.unit);
                if (systemd_job(m->systemd, UNIT_STOP, m->prior.unit, on_stopped, m, &m->call, &err) < 0)
                        finish_err(m, &err);
                return;
        }
        if (time_left(time_add(m->begin, STRANGER_USEC), time_now()) > 0) {
                waits_for(m, "%s to have nothing but monit in its cgroup", m->prior.unit);
                m->unit_then = off_unit_seen;
                wait_then(m, POLL_USEC, unit_read_again);
        } else if (m->proven) {
                finish_ok(m,
                          "check %s is off (monitor 0, no pending action); %s goes on, because it would take "
                          "%s with it",
                          m->c->monit_check, m->prior.unit, stranger);
        } else {
                (void) err_set(&err, -EBUSY,
                               "check %s is not proven off, and stopping %s would take %s with it",
                               m->c->monit_check, m->prior.unit, stranger);
                finish_err(m, &err);
        }
}

static void off_unit(Monit *m)
{
        Err err = {};

        m->begin = time_now();
        if (m->prior.unit[0] && m->prior.active && m->proven && m->config->monit_stop != MONIT_STOP_YES) {
                /* A monit that is started again may have forgotten what else was unmonitored. */
                finish_ok(m, "check %s is off (monitor 0, no pending action), %s goes on", m->c->monit_check,
                          m->prior.unit);
        } else if (m->prior.unit[0] && m->prior.active && m->config->monit_stop == MONIT_STOP_NO) {
                (void) err_set(&err, -EBUSY,
                               "check %s is not proven off, and [monit] stop = no forbids stopping %s",
                               m->c->monit_check, m->prior.unit);
                finish_err(m, &err);
        } else if (m->prior.unit[0] && m->prior.active)
                unit_read(m, off_unit_seen);
        else
                off_done(m);
}

static void off_seen(Monit *m)
{
        Usec now = time_now();
        bool command = operation_template(m)[0], useless;

        if (check_is_off(m)) {
                m->proven = true;
                off_unit(m);
                return;
        }
        if (m->check == MONIT_CHECK_UNKNOWN)
                useless = now >= time_add(m->answered, SILENT_USEC);
        else
                useless = !m->pending && (!command || m->check == MONIT_CHECK_ABSENT ||
                                          now >= time_add(m->begin, DEAF_USEC));
        /* Without an active unit the check is the only way, and it is tried for as long as the caller lets
         * us. */
        if (useless && m->prior.unit[0] && m->prior.active) {
                off_unit(m);
                return;
        }
        if (m->check == MONIT_CHECK_ABSENT) {
                finish_ok(m, "monit no longer has a check %s", m->c->monit_check);
        } else if (!command && m->check != MONIT_CHECK_UNKNOWN && !m->pending) {
                Err err = {};
                (void) err_set(&err, -EOPNOTSUPP,
                               "check %s is monitored, and there is no command to unmonitor it",
                               m->c->monit_check);
                finish_err(m, &err);
        } else {
                waits_for(m, "monit to let go of the check %s (%s%s)", m->c->monit_check,
                          monit_check_state_name(m->check), m->pending ? ", an action is pending" : "");
                if (command && now >= m->command_at)
                        command_run(m, off_check);
                else
                        wait_then(m, POLL_USEC, off_check);
        }
}

static void off_check(Monit *m)
{
        check_read(m, off_seen);
}

static void off_begin(Monit *m)
{
        m->begin = m->answered = time_now();
        if (m->prior.check == MONIT_CHECK_MONITORED) {
                off_check(m);
        } else {
                m->proven = m->prior.check == MONIT_CHECK_UNMONITORED;
                off_unit(m);
        }
}

/* ---- restore ---- */

static void restore_check(Monit *m);
static void restore_unit(Monit *m);

/*
 * Whether the check is to be looked at. One that was unmonitored is, too, where we have started monit: monit
 * (5.33) takes itself for rebooted when its boot time, now less uptime, is rounded to another second than
 * before, and then monitors everything.
 */
static bool restore_wants_check(const Monit *m)
{
        return m->prior.check == MONIT_CHECK_MONITORED ||
               (m->prior.check == MONIT_CHECK_UNMONITORED && m->prior.active && m->prior.unit[0]);
}

static void restore_done(Monit *m)
{
        bool unit = m->prior.active && m->prior.unit[0], check = restore_wants_check(m);
        const char *name = m->c->monit_check, *state = monit_check_state_name(m->prior.check);

        if (unit && check)
                finish_ok(m, "%s active, check %s %s", m->prior.unit, name, state);
        else if (unit)
                finish_ok(m, "%s active", m->prior.unit);
        else if (check)
                finish_ok(m, "check %s %s", name, state);
        else
                finish_ok(m, "monit was off before, nothing to restore");
}

static void restore_seen(Monit *m)
{
        const char *name = m->c->monit_check, *state = monit_check_state_name(m->prior.check);
        Usec now = time_now();
        Err err = {};

        if (m->check == m->prior.check && !m->pending) {
                restore_done(m);
                return;
        }
        if (m->check != MONIT_CHECK_ABSENT)
                m->begin = now;
        if (m->check == MONIT_CHECK_ABSENT && now >= time_add(m->begin, ABSENT_USEC)) {
                (void) err_set(&err, -ENOENT, "check %s was %s before, and monit no longer has it", name,
                               state);
                finish_err(m, &err);
                return;
        }
        waits_for(m, "the check %s to be %s again (it is %s%s)", name, state,
                  monit_check_state_name(m->check), m->pending ? ", an action is pending" : "");
        if (m->check == MONIT_CHECK_UNKNOWN || m->check == MONIT_CHECK_ABSENT || m->check == m->prior.check ||
            now < m->command_at) {
                wait_then(m, POLL_USEC, restore_check);
        } else if (operation_template(m)[0]) {
                command_run(m, restore_check);
        } else {
                (void) err_set(&err, -EOPNOTSUPP, "check %s was %s before, and there is no command for it",
                               name, state);
                finish_err(m, &err);
        }
}

static void restore_check(Monit *m)
{
        check_read(m, restore_seen);
}

static void restore_unit_done(Monit *m)
{
        m->begin = time_now();
        m->command_at = 0;
        if (restore_wants_check(m))
                restore_check(m);
        else
                restore_done(m);
}

static void on_started(JobResult result, const char *text, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        trouble(m, text);
        /* Read at once when it worked; not in a tight loop when it did not. */
        wait_then(m, result == JOB_DONE ? 0 : RETRY_USEC, restore_unit);
}

static void restore_unit_seen(Monit *m)
{
        Err err = {};

        waits_for(m, "%s to be active", m->prior.unit);
        if (unit_is(m, "active") && !m->unit.job_pending) {
                restore_unit_done(m);
        } else if (unit_is_down(m) && m->command_at <= time_now()) {
                m->command_at = time_add(time_now(), RETRY_USEC);
                if (systemd_job(m->systemd, UNIT_START, m->prior.unit, on_started, m, &m->call, &err) < 0)
                        finish_err(m, &err);
        } else {
                wait_then(m, POLL_USEC, restore_unit);
        }
}

static void restore_unit(Monit *m)
{
        unit_read(m, restore_unit_seen);
}

static void restore_begin(Monit *m)
{
        if (m->prior.active && m->prior.unit[0])
                restore_unit(m);
        else
                restore_unit_done(m);
}

/* ---- still off? ---- */

static void check_off_unit(Monit *m)
{
        if (unit_is_down(m)) {
                finish_ok(m, "%s is %s", m->prior.unit, m->unit.active);
        } else {
                Err err = {};
                (void) err_set(&err, -EEXIST, "%s is %s again, and that check %s is off cannot be shown (%s)",
                               m->prior.unit, m->unit.active, m->c->monit_check,
                               monit_check_state_name(m->check));
                finish_err(m, &err);
        }
}

static void check_off_seen(Monit *m)
{
        if (check_is_off(m)) {
                finish_ok(m, "check %s is off (monitor 0, no pending action)", m->c->monit_check);
        } else if (m->check == MONIT_CHECK_MONITORED || m->pending) {
                Err err = {};
                (void) err_set(&err, -EEXIST, "check %s is %s again%s", m->c->monit_check,
                               monit_check_state_name(m->check),
                               m->pending ? ", with an action pending" : "");
                finish_err(m, &err);
        } else if (m->prior.unit[0] && m->prior.active) {
                unit_read(m, check_off_unit);
        } else {
                finish_ok(m, "monit does not watch %s", m->c->monit_check);
        }
}

static void check_off_begin(Monit *m)
{
        check_read(m, check_off_seen);
}

/* ---- Monit ---- */

static bool check_name_valid(const char *name)
{
        size_t n = strlen(name);
        return n > 0 && n <= CHECK_MAX && name[0] != '-' &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

static void without_monit(Monit *m)
{
        if (m->c->monit_check[0])
                finish_ok(m, "no monit on this node");
        else
                finish_ok(m, "monit does not watch %s", m->c->name);
}

static int start(Monit *m, Op op, const Component *c, const MonitPrior *prior, Step begin, void *userdata,
                 Err *err)
{
        if (c->monit_check[0] && !check_name_valid(c->monit_check))
                return err_set(err, -EINVAL, "\"%s\" is not the name of a monit check", c->monit_check);
        if (prior && prior->unit[0] && !systemd_unit_name_valid(prior->unit))
                return err_set(err, -EINVAL, "\"%s\" is not a unit name", prior->unit);

        monit_cancel(m);
        m->op = op;
        m->c = c;
        m->prior = prior ? *prior : (MonitPrior){};
        m->userdata = userdata;
        m->unit_index = 0;
        m->proven = false;
        m->command_at = 0;
        m->waits_for[0] = m->trouble[0] = '\0';
        bool nothing =
                !c->monit_check[0] || (prior && !prior->unit[0] && prior->check == MONIT_CHECK_UNKNOWN);
        wait_then(m, 0, nothing ? without_monit : begin);
        return 0;
}

int monit_look(Monit *m, const Component *c, MonitLookFn fn, void *userdata, Err *err)
{
        int r = start(m, OP_LOOK, c, NULL, look_unit, userdata, err);
        if (r == 0)
                m->look_fn = fn;
        return r;
}

int monit_off(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata, Err *err)
{
        int r = start(m, OP_OFF, c, prior, off_begin, userdata, err);
        if (r == 0)
                m->fn = fn;
        return r;
}

int monit_restore(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata, Err *err)
{
        int r = start(m, OP_RESTORE, c, prior, restore_begin, userdata, err);
        if (r == 0)
                m->fn = fn;
        return r;
}

int monit_check_off(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata,
                    Err *err)
{
        int r = start(m, OP_CHECK_OFF, c, prior, check_off_begin, userdata, err);
        if (r == 0)
                m->fn = fn;
        return r;
}

int monit_new(Monit **ret, Systemd *systemd, Http *http, sd_event *e, const Config *config, Err *err)
{
        _cleanup_(monit_freep) Monit *m = calloc(1, sizeof(*m));
        if (!m)
                return err_set(err, -ENOMEM, "out of memory");
        m->systemd = systemd;
        m->http = http;
        m->config = config;
        int r = sd_event_add_time(e, &m->timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, on_timer, m);
        if (r < 0)
                return err_errno(err, r, "no timer");
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
        *ret = TAKE_PTR(m);
        return 0;
}

Monit *monit_free(Monit *m)
{
        if (!m)
                return NULL;
        m->call = systemd_call_cancel(m->call);
        m->get = http_cancel(m->get);
        sd_event_source_unref(m->timer);
        free(m);
        return NULL;
}
