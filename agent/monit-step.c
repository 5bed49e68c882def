/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The steps that every operation on monit is made of, and how it ends. */

#include "agent/monit-impl.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/words.h"
#include "probes/monit-xml.h"

#define REPEAT_USEC  (2 * USEC_PER_SEC) /* from one command to the next */
#define COMMAND_USEC (20 * USEC_PER_SEC)
#define HTTP_USEC    (2 * USEC_PER_SEC)

#define APIGEE_MONIT   "/opt/apigee/apigee-monit"
#define APIGEE_SERVICE "/opt/apigee/apigee-service/bin/apigee-service"
#define MONIT_PROGRAM  "/usr/bin/monit"

/* ---- the end of an operation ---- */

void monit_cancel(Monit *m)
{
        m->op = OP_NONE;
        m->call = systemd_call_cancel(m->call);
        m->get = http_cancel(m->get);
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
}

void monit_finish(Monit *m, int r, const char *text, const Err *err)
{
        MonitOp op = m->op;
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

void monit_finish_ok(Monit *m, const char *fmt, ...)
{
        char text[640];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        monit_finish(m, 0, text, NULL);
}

void monit_finish_err(Monit *m, const Err *err)
{
        Err copy = *err;
        monit_finish(m, copy.code, copy.text, &copy);
}

/* ---- steps ---- */

int monit_on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        Monit *m = userdata;
        m->then(m);
        return 0;
}

void monit_wait_then(Monit *m, Usec usec, MonitStep then)
{
        m->then = then;
        /* Neither can fail for a timer that exists, in the process that made it. */
        (void) sd_event_source_set_time(m->timer, time_add(time_now(), usec));
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

void monit_trouble(Monit *m, const char *text)
{
        (void) snprintf(m->trouble, sizeof(m->trouble), "%s", text);
}

void monit_awaits(Monit *m, const char *fmt, ...)
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

static void on_unit(int r, const UnitState *state, const Err *err, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        if (r < 0 && m->op == OP_RESTORE) {
                monit_trouble(m, err->text);
                monit_wait_then(m, MONIT_RETRY_USEC, monit_unit_read_again);
        } else if (r < 0) {
                monit_finish_err(m, err);
        } else {
                m->unit = *state;
                m->unit_then(m);
        }
}

void monit_unit_read_again(Monit *m)
{
        Err err = {};
        if (systemd_unit(m->systemd, m->prior.unit, on_unit, m, &m->call, &err) < 0)
                monit_finish_err(m, &err);
}

/* m->prior.unit into m->unit. */
void monit_unit_read(Monit *m, MonitStep then)
{
        m->unit_then = then;
        monit_unit_read_again(m);
}

bool monit_unit_is(const Monit *m, const char *active)
{
        return strcmp(m->unit.active, active) == 0;
}

bool monit_unit_is_down(const Monit *m)
{
        return monit_unit_is(m, "inactive") || monit_unit_is(m, "failed");
}

/* ---- the check, read ---- */

static void check_parse(Monit *m, const HttpResult *result)
{
        MonitCheck found = {};
        Err err = {};

        m->check = MONIT_CHECK_UNKNOWN;
        m->pending = false;
        if (result->outcome != HTTP_ANSWER) {
                monit_trouble(m, result->text);
        } else if (result->status != 200) {
                (void) err_set(&err, -EIO, "%s: status %ld", m->config->monit_status_url, result->status);
                monit_trouble(m, err.text);
        } else if (monit_xml_find(result->body, result->body_len, m->c->monit_check, &found, &err) < 0) {
                monit_trouble(m, err.text);
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
void monit_check_read(Monit *m, MonitStep then)
{
        const HttpRequest request = { .url = m->config->monit_status_url,
                                      .connect_usec = HTTP_USEC,
                                      .total_usec = HTTP_USEC };
        Err err = {};

        m->check_then = then;
        m->check = MONIT_CHECK_UNKNOWN;
        m->pending = false;
        if (!request.url[0]) {
                monit_trouble(m, "monit's status URL is not configured");
                then(m);
        } else if (http_start(m->http, &request, on_status, m, &m->get, &err) < 0) {
                monit_trouble(m, err.text);
                then(m);
        }
}

bool monit_check_is_off(const Monit *m)
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
const char *monit_operation_template(const Monit *m)
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
                monit_trouble(m, err.text);
        }
        m->command_at = time_add(time_now(), REPEAT_USEC);
        m->command_then(m);
}

/* Only what is read back afterwards counts, so a command that fails is no failure here. */
void monit_command_run(Monit *m, MonitStep then)
{
        _cleanup_(words_freep) Words argv = NULL;
        Err err = {};

        int r = words_split(monit_operation_template(m), &argv);
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
                monit_finish_err(m, &err);
}
