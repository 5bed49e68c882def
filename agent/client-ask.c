/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One question, one answer: whether a restart is needed, status, discover, cancel, the lock of a pool. */

#include "agent/client-impl.h"

#include <string.h>

bool client_needed_ask(Client *c, char **ret_event, int *ret_exit, int *ret_status)
{
        Answer a;
        const char *json;
        Err err = { 0 };
        CallEnd end = client_call_repeat(c, "Needed", c->component, NULL, &a);
        if (end != CALL_ANSWER) {
                *ret_status = client_end_call(c, end, &a);
                return false;
        }
        int r = sd_bus_message_read(a.message, "s", &json);
        if (r >= 0)
                r = render_needed(json, ret_event, ret_exit, &err);
        client_answer_done(&a);
        if (r < 0)
                *ret_status = client_end(c, RESULT_FAILED,
                                         *err.text ? err.text : "the agent's answer is not understood", "");
        return r >= 0;
}

int client_needed(Client *c)
{
        _cleanup_(freep) char *event = NULL;
        int exit_code, status;
        if (!client_needed_ask(c, &event, &exit_code, &status))
                return status;
        client_event(c, event);
        return exit_code;
}

int client_components(Client *c, char (*ret)[64], int *ret_status)
{
        char names[CONFIG_COMPONENTS][64];
        int n = 0, running = 0;
        const char *json;
        Answer a;
        CallEnd end = client_call_repeat(c, "Status", NULL, NULL, &a);
        if (end != CALL_ANSWER) {
                *ret_status = client_end_call(c, end, &a);
                return -1;
        }
        if (sd_bus_message_read(a.message, "s", &json) >= 0)
                n = render_components(json, names, CONFIG_COMPONENTS);
        client_answer_done(&a);
        /* Status only knows the port that it has seen before; Discover asks the component. */
        for (int i = 0; i < n; i++) {
                end = client_call_repeat(c, "Discover", names[i], NULL, &a);
                if (end != CALL_ANSWER) {
                        *ret_status = client_end_call(c, end, &a);
                        return -1;
                }
                if (sd_bus_message_read(a.message, "s", &json) >= 0 && render_running(json))
                        (void) snprintf(ret[running++], 64, "%.63s", names[i]);
                client_answer_done(&a);
        }
        return running;
}

/* The job that runs now, and no other one that may run when the call comes. */
static CallEnd cancel_call(Client *c, Answer *ret)
{
        const char *component = c->component ? c->component : "",
                   *reason = c->rq->reason ? c->rq->reason : "";
        const char *path;
        CallEnd end = client_call_repeat(c, "CurrentJob", component, NULL, ret);
        if (end != CALL_ANSWER)
                return end;
        int r = sd_bus_message_read(ret->message, "o", &path);
        const char *number = r >= 0 ? strrchr(path, '/') : NULL;
        c->job_number = number ? strtoull(number + 1, NULL, 10) : 0;
        client_answer_done(ret);
        end = client_call_repeat(c, "CancelJob", component, reason, ret);
        /* An agent of the release before that still runs. */
        return end == CALL_ERROR && client_is_error(ret, BUS_ERROR "UnknownMethod")
                       ? client_call_repeat(c, "Cancel", component, reason, ret)
                       : end;
}

int client_cancel(Client *c)
{
        Answer a;
        CallEnd end = cancel_call(c, &a);
        if (end != CALL_ANSWER)
                return client_end_call(c, end, &a);
        client_answer_done(&a);
        if (c->io->mode.json)
                return client_end(c, RESULT_DONE, "the job is being undone", "edge-roll watch follows it");
        client_say(c, "The job is being undone; edge-roll watch follows it.");
        return result_exit_code(RESULT_DONE);
}

int client_answer(Client *c)
{
        bool status = c->rq->verb == VERB_STATUS, held = false;
        _cleanup_(freep) char *out = NULL;
        const char *json;
        Answer a;
        Err err = { 0 };
        CallEnd end = status ? client_call_repeat(c, "Status", NULL, NULL, &a)
                             : client_call_repeat(c, "Discover", c->component, NULL, &a);
        if (end != CALL_ANSWER)
                return client_end_call(c, end, &a);
        int r = sd_bus_message_read(a.message, "s", &json);
        if (r >= 0)
                r = status ? render_status(json, c->component, &out, &held, &err)
                           : render_facts(json, &out, &err);
        if (r >= 0) {
                client_write(c, c->io->out, c->io->mode.json ? json : out);
                if (c->io->mode.json)
                        client_write(c, c->io->out, "\n");
        }
        client_answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED,
                                  *err.text ? err.text : "the agent's answer is not understood", "");
        return result_exit_code(held ? RESULT_HELD : RESULT_DONE);
}

/* ---- the lock of the pool, and tickets ---- */

static CallEnd call_lock(Client *c, const char *component, Answer *ret)
{
        const CliRequest *rq = c->rq;
        bool request = rq->verb == VERB_REQUEST, steal = !request && strcmp(rq->lock, "steal") == 0;
        bool size = !request && strcmp(rq->lock, "size") == 0;
        const char *reason = rq->reason ? rq->reason : "";
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE,
                                               request ? "Request"
                                               : steal ? "LockSteal"
                                               : size  ? "LockSize"
                                                       : "Lock");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", component);
        if (r >= 0 && request)
                r = sd_bus_message_append(m, "a{sv}", 1, "reason", "s", reason);
        if (r >= 0 && steal)
                r = sd_bus_message_append(m, "ss", rq->lock_value, reason);
        if (r >= 0 && size)
                r = sd_bus_message_append(m, "us", (uint32_t) strtoul(rq->lock_value, NULL, 10), reason);
        return client_call(c, m, r, ret);
}

/* Until an agent that is just leaving, or a ticket that makes room, is out of the way. All of these may be
 * asked twice. */
static CallEnd lock_repeat(Client *c, const char *component, Answer *ret)
{
        Usec until = time_add(time_now(), c->times.answer_usec);
        for (;;) {
                CallEnd end = call_lock(c, component, ret);
                if (end != CALL_ERROR || !client_is_error(ret, EDGE_ERROR "Leaving") || time_now() >= until ||
                    !client_pause(c, CLIENT_RETRY_USEC))
                        return end;
        }
}

static int lock_once(Client *c, const char *component)
{
        _cleanup_(freep) char *out = NULL;
        const char *json = NULL;
        Err err = { 0 };
        Answer a;
        CallEnd end = lock_repeat(c, component, &a);
        if (end != CALL_ANSWER)
                return client_end_call(c, end, &a);
        bool request = c->rq->verb == VERB_REQUEST;
        bool acts = !request && strcmp(c->rq->lock, "show") != 0;
        int r = acts ? 0 : sd_bus_message_read(a.message, "s", &json);
        if (r >= 0 && !acts)
                r = request ? render_request(json, &out, &err) : render_lock(json, &out, &err);
        if (r >= 0 && !acts) {
                client_write(c, c->io->out, c->io->mode.json ? json : out);
                if (c->io->mode.json)
                        client_write(c, c->io->out, "\n");
        }
        client_answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED,
                                  *err.text ? err.text : "the agent's answer is not understood", "");
        return acts ? client_end(c, RESULT_DONE, "", "") : result_exit_code(RESULT_DONE);
}

int client_lock(Client *c)
{
        char names[CONFIG_COMPONENTS][64];
        int status = 0;
        if (c->component)
                return lock_once(c, c->component);
        int n = client_components(c, names, &status);
        if (n < 0)
                return status;
        for (int i = 0; i < n && status == 0; i++)
                status = lock_once(c, names[i]);
        return status;
}
