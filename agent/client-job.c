/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A job: begun, or joined, and followed to its end by its events. */

#include "agent/client-impl.h"

#include <errno.h>
#include <string.h>

#define WAITING_MAX 4096 /* events kept while a replay is fetched; more are fetched again */

/* ---- what the bus brings ---- */

int client_job_on_event(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Client *c = userdata;
        const char *path = sd_bus_message_get_path(m), *sender = sd_bus_message_get_sender(m), *json;
        uint64_t seq;

        (void) error;
        /* Anybody may send a signal to one connection; only the agent's tells how a job ends. */
        if (!sender || strcmp(sender, c->agent) != 0)
                return 0;
        if (!c->job_path || !path || strcmp(path, c->job_path) != 0 ||
            sd_bus_message_read(m, "ts", &seq, &json) < 0)
                return 0;
        if (c->n_waiting == WAITING_MAX) {
                c->overflow = true;
                return 0;
        }
        Waiting *more = realloc(c->waiting, (c->n_waiting + 1) * sizeof(*more));
        char *copy = strdup(json);
        if (more)
                c->waiting = more;
        if (!more || !copy) {
                free(copy);
                c->overflow = true;
                return 0;
        }
        c->waiting[c->n_waiting++] = (Waiting){ .seq = seq, .json = copy };
        return 0;
}

static void waiting_drop(Client *c)
{
        for (size_t i = 0; i < c->n_waiting; i++)
                free(c->waiting[i].json);
        free(c->waiting);
        c->waiting = NULL;
        c->n_waiting = 0;
        c->overflow = false;
}

void client_job_drop(Client *c)
{
        waiting_drop(c);
        free(c->job_path);
        c->job_path = NULL;
}

/* ---- its calls ---- */

/* The process behind c->agent; 0 when the bus does not say. */
static uint32_t call_pid(Client *c)
{
        Answer a;
        char agent[sizeof(c->agent)];
        uint32_t pid = 0;
        sd_bus_message *m = NULL;

        (void) snprintf(agent, sizeof(agent), "%s", c->agent);
        int r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, "/org/freedesktop/DBus", BUS_NAME,
                                               "GetConnectionUnixProcessID");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", agent);
        if (client_call(c, m, r, &a) == CALL_ANSWER && sd_bus_message_read(a.message, "u", &pid) < 0)
                pid = 0;
        client_answer_done(&a);
        /* That was the bus answering. */
        (void) snprintf(c->agent, sizeof(c->agent), "%s", agent);
        return pid;
}

static int option_text(sd_bus_message *m, const char *key, const char *value)
{
        return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int option_flag(sd_bus_message *m, const char *key, bool value)
{
        return value ? sd_bus_message_append(m, "{sv}", key, "b", 1) : 0;
}

static CallEnd call_start(Client *c, Answer *ret)
{
        static const char *const members[VERB_COUNT] = {
                [VERB_RESTART] = "Restart",
                [VERB_DOCTOR] = "Doctor",
                [VERB_DRAIN] = "Drain",
                [VERB_UNDRAIN] = "Undrain",
        };
        const CliRequest *rq = c->rq;
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE,
                                               members[rq->verb]);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->component);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = option_text(m, "reason", rq->reason);
        if (r >= 0)
                r = option_flag(m, "start", rq->start);
        if (r >= 0)
                r = option_flag(m, "if-needed", rq->if_needed);
        if (r >= 0)
                r = option_text(m, "unprotected", rq->unprotected);
        if (r >= 0)
                r = option_text(m, "persistent",
                                rq->persistent >= 0 ? persistent_name(rq->persistent) : NULL);
        if (r >= 0)
                r = option_text(m, "at-cap", rq->at_cap >= 0 ? at_cap_name(rq->at_cap) : NULL);
        if (r >= 0)
                r = option_flag(m, "now", rq->now);
        if (r >= 0)
                r = option_text(m, "mp-leave", rq->mp_leave >= 0 ? mp_leave_name(rq->mp_leave) : NULL);
        if (r >= 0)
                r = option_text(m, "router-retry", rq->router_retry);
        if (r >= 0)
                r = option_flag(m, "dry-run", rq->dry_run);
        if (r >= 0 && rq->wait_usec)
                r = sd_bus_message_append(m, "{sv}", "wait", "t", rq->wait_usec);
        if (r >= 0 && rq->for_usec)
                r = sd_bus_message_append(m, "{sv}", "for", "t", rq->for_usec);
        /* An agent that was frozen begins nothing, when it thaws, of which somebody has been told that it was
         * not answered. */
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "expires", "t",
                                          time_add(time_boot(), c->times.answer_usec));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return client_call(c, m, r, ret);
}

/* ---- following ---- */

static int job_set(Client *c, const char *path)
{
        char *copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        free(c->job_path);
        c->job_path = copy;
        return 0;
}

/* The job that CurrentJob() has told; its answer is done with. Return: 0; negative errno. */
static int job_take(Client *c, Answer *a)
{
        const char *path;
        int r = sd_bus_message_read(a->message, "o", &path);
        if (r >= 0)
                r = job_set(c, path);
        client_answer_done(a);
        return r;
}

/* The end of the followed job from the agent's memory. Return: exit status, -1 when it knows none. */
static int job_last(Client *c, Usec since_wall_usec)
{
        Answer a;
        const char *json;
        _cleanup_(freep) char *event = NULL;
        Err err = { 0 };
        CallEnd end = client_call_repeat(c, "Status", NULL, NULL, &a);
        /* The next agent is not there yet. */
        if (end == CALL_ERROR && client_is_error(&a, BUS_ERROR "ServiceUnknown"))
                return -1;
        if (end != CALL_ANSWER)
                return client_end_call(c, end, &a);
        const char *component = *render_component(c->render) ? render_component(c->render) : c->component;
        int r = sd_bus_message_read(a.message, "s", &json);
        if (r >= 0)
                r = render_last(json, component, since_wall_usec, &event, &err);
        client_answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED,
                                  *err.text ? err.text : "the agent's answer is not understood", "");
        if (!event)
                return -1;
        client_event(c, event);
        return render_exit(c->render);
}

/*
 * Fetches the events from number c->next on and shows them. After the agent or the bus was away the job may
 * have another path.
 * Return: -1 to go on; else the exit status of the command.
 */
static int job_replay(Client *c, Usec begun_wall_usec)
{
        for (bool looked = false;;) {
                Answer a;
                const char *json;
                uint64_t next;
                CallEnd end = client_call_repeat(c, NULL, NULL, NULL, &a);
                if (end == CALL_ERROR && !looked &&
                    (client_is_error(&a, BUS_ERROR "UnknownObject") ||
                     client_is_error(&a, BUS_ERROR "UnknownMethod") ||
                     client_is_error(&a, EDGE_ERROR "NoJob"))) {
                        /* An agent that was started anew publishes what goes on under a path of its own. */
                        const char *component =
                                *render_component(c->render) ? render_component(c->render) : c->component;
                        looked = true;
                        end = client_call_repeat(c, "CurrentJob", component ? component : "", NULL, &a);
                        if (end == CALL_ERROR && client_is_error(&a, EDGE_ERROR "NoJob")) {
                                int status = job_last(c, begun_wall_usec);
                                if (status >= 0)
                                        return status;
                                return client_end(c, RESULT_AGENT_UNREACHABLE,
                                                  "the agent was away and no longer knows the job",
                                                  "edge-roll status says in which state the node is");
                        }
                        if (end != CALL_ANSWER)
                                return client_end_call(c, end, &a);
                        if (job_take(c, &a) < 0)
                                return client_end(c, RESULT_FAILED, "the agent's answer is not understood",
                                                  "");
                        continue;
                }
                if (end != CALL_ANSWER)
                        return client_end_call(c, end, &a);

                /* A process counts the events of a job from 0; the same one under another name (the bus was
                 * away) counts on. */
                int r = sd_bus_message_read(a.message, "t", &next);
                bool anew = r >= 0 && next < c->next;
                if (strcmp(c->agent, c->shown_by) != 0) {
                        (void) snprintf(c->shown_by, sizeof(c->shown_by), "%s", c->agent);
                        uint32_t pid = call_pid(c);
                        anew = anew || (c->next > 0 && pid != c->shown_pid);
                        c->shown_pid = pid;
                }
                if (anew) {
                        client_say(c, "A new agent process goes on with the job.");
                        client_answer_done(&a);
                        waiting_drop(c);
                        c->next = 0;
                        continue;
                }
                if (r >= 0)
                        r = sd_bus_message_enter_container(a.message, 'a', "s");
                while (r >= 0 && (r = sd_bus_message_read(a.message, "s", &json)) > 0)
                        client_event(c, json);
                client_answer_done(&a);
                if (r < 0)
                        return client_end(c, RESULT_FAILED, "the agent's answer is not understood", "");
                c->next = next;
                return -1;
        }
}

/* Shows what came by signal. Return: false when something is missing and has to be fetched. */
static bool job_show(Client *c)
{
        bool whole = !c->overflow;
        for (size_t i = 0; i < c->n_waiting && whole; i++) {
                const Waiting *w = &c->waiting[i];
                if (w->seq > c->next)
                        whole = false;
                else if (w->seq == c->next) {
                        client_event(c, w->json);
                        c->next++;
                }
        }
        waiting_drop(c);
        return whole;
}

/* Follows c->job_path to its end. Return: exit status. */
static int job_follow(Client *c, Usec begun_wall_usec)
{
        c->next = 0;
        bool fetch = true, away = false;
        for (;;) {
                if (fetch) {
                        int status = job_replay(c, begun_wall_usec);
                        if (status >= 0)
                                return status;
                        if (away)
                                client_say(c, "The agent is back; the job goes on.");
                        away = false;
                }
                fetch = !job_show(c);
                if (render_exit(c->render) >= 0)
                        return render_exit(c->render);
                if (client_stopped(c))
                        return client_end_stopped(c);
                if (fetch)
                        continue;
                if (c->owner_lost) {
                        client_say(c, "The agent is gone; waiting for it to come back.");
                        c->owner_lost = false;
                        fetch = away = true;
                        continue;
                }
                if (c->n_waiting == 0 && !client_turn(c, USEC_INFINITY)) {
                        if (!client_reconnect(c, time_add(time_now(), c->times.lost_usec)))
                                return client_stopped(c)
                                               ? client_end_stopped(c)
                                               : client_end_unreachable(c,
                                                                        "the system bus did not come back");
                        fetch = true;
                }
        }
}

/* ---- beginning ---- */

/* --no-wait: what would be the first event, made from what is known. */
static int job_leave(Client *c, const char *path, bool joined)
{
        _cleanup_(freep) char *json = NULL;
        const char *id = strrchr(path, '/');
        if (asprintf(&json,
                     "{\"event\":\"job\",\"job\":%" PRIu64
                     ",\"component\":\"%s\",\"kind\":\"%s\",\"joined\":%s}",
                     (uint64_t) strtoull(id ? id + 1 : "0", NULL, 10), c->component, verb_name(c->rq->verb),
                     joined ? "true" : "false") < 0)
                return client_end(c, RESULT_FAILED, "out of memory", "");
        client_event(c, json);
        return result_exit_code(RESULT_DONE);
}

/*
 * restart, drain, undrain. When the agent or the bus goes away before it answers, nobody knows whether the
 * job was begun: one that has ended since is its own end; one that runs is joined by asking again.
 */
static int job_once(Client *c, bool *ret_joined)
{
        Usec until = time_add(time_now(), c->times.lost_usec);
        Usec begun = time_wall();
        const char *path;
        bool gone = false;
        int joined;
        for (;;) {
                Answer a;
                CallEnd end = call_start(c, &a);
                if (end == CALL_ANSWER) {
                        int r = sd_bus_message_read(a.message, "ob", &path, &joined);
                        if (r >= 0 && c->rq->no_wait) {
                                int status = job_leave(c, path, joined);
                                client_answer_done(&a);
                                return status;
                        }
                        if (r >= 0)
                                r = job_set(c, path);
                        client_answer_done(&a);
                        if (r < 0)
                                return client_end(c, RESULT_FAILED, "the agent's answer is not understood",
                                                  "");
                        *ret_joined = joined;
                        if (joined)
                                client_say(c, "Such a job is running already: joined it.");
                        return job_follow(c, begun);
                }
                bool unsure = end == CALL_NO_ANSWER || end == CALL_NO_BUS;
                bool leaving = end == CALL_ERROR && client_is_error(&a, EDGE_ERROR "Leaving");
                gone = gone || unsure;
                /* It was there: a bus that does not know it any more is starting up, or the next one is. */
                bool nobody = gone && end == CALL_ERROR && client_is_error(&a, BUS_ERROR "ServiceUnknown");
                if ((!unsure && !leaving && !nobody) || time_now() >= until)
                        return client_end_call(c, end, &a);
                if (!client_pause(c, CLIENT_RETRY_USEC))
                        return client_end_stopped(c);
                if ((end == CALL_NO_BUS || !c->bus) && !client_reconnect(c, until))
                        return client_stopped(c)
                                       ? client_end_stopped(c)
                                       : client_end_unreachable(c, "the system bus did not come back");
                if (!unsure)
                        continue;
                client_say(c, "The agent went away before it answered; asking again.");
                int status = job_last(c, begun);
                if (status >= 0)
                        return status;
        }
}

/* ---- the verbs ---- */

int client_job(Client *c)
{
        bool joined = false;
        int status = job_once(c, &joined);
        if (!c->rq->if_needed || !joined || status != result_exit_code(RESULT_DONE))
                return status;
        /* The job that was joined may have started the component before that was changed for which this call
         * was made. One that begins now has not. */
        _cleanup_(freep) char *event = NULL;
        int exit_code, failed;
        if (!client_needed_ask(c, &event, &exit_code, &failed))
                return failed;
        if (exit_code == result_exit_code(RESULT_NOT_NEEDED))
                return status;
        client_say(c, "The restart that was joined does not cover every change: once more.");
        render_again(c->render);
        return job_once(c, &joined);
}

int client_doctor(Client *c)
{
        char names[CONFIG_COMPONENTS][64];
        int status = 0;
        if (c->component)
                return client_job(c);
        int n = client_components(c, names, &status);
        if (n < 0)
                return status;
        if (n == 0)
                return client_end(
                        c, RESULT_PROBLEMS, "no component of Edge runs on this node",
                        "edge-roll config lists the components; edge-roll discover NAME says what was looked for");
        for (int i = 0; i < n; i++) {
                c->component = names[i];
                render_again(c->render);
                int one = client_job(c);
                if (client_stopped(c))
                        return one;
                status = status ? status : one;
        }
        return status;
}

int client_watch(Client *c)
{
        Answer a;
        Usec begun = time_wall();
        CallEnd end = client_call_repeat(c, "CurrentJob", c->component ? c->component : "", NULL, &a);
        if (end == CALL_ERROR && client_is_error(&a, EDGE_ERROR "NoJob")) {
                int status = job_last(c, 0);
                if (status >= 0)
                        return status;
                return client_end(c, RESULT_NOT_NEEDED, "no job is running, and none is remembered", "");
        }
        if (end != CALL_ANSWER)
                return client_end_call(c, end, &a);
        if (job_take(c, &a) < 0)
                return client_end(c, RESULT_FAILED, "the agent's answer is not understood", "");
        return job_follow(c, begun);
}
