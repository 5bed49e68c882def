/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One call and its answer, or that none will come. */

#include "agent/client-impl.h"

#include <errno.h>
#include <string.h>

#define AGENT_UNIT      "edge-roll-agent.service"
#define SYSTEMD_UNIT    "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"

#define FAILED_STARTS 3 /* restarts of the unit during one call that prove it cannot run */

void client_answer_done(Answer *a)
{
        a->message = sd_bus_message_unref(a->message);
}

bool client_is_error(const Answer *a, const char *name)
{
        return strcmp(a->error, name) == 0;
}

/* ---- whether the unit of the agent can run ---- */

void client_look_reset(UnitLook *look, Usec first)
{
        for (size_t i = 0; i < ELEMENTS(look->slots); i++)
                look->slots[i] = sd_bus_slot_unref(look->slots[i]);
        *look = (UnitLook){ .next = first };
}

static int on_look(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        UnitLook *look = userdata;
        const char *text;
        char type;

        (void) error;
        size_t which = 0;
        while (which < ELEMENTS(look->slots) &&
               look->slots[which] != sd_bus_get_current_slot(sd_bus_message_get_bus(m)))
                which++;
        if (which < ELEMENTS(look->slots))
                look->slots[which] = sd_bus_slot_unref(look->slots[which]);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_enter_container(m, 'v', NULL) < 0 ||
            sd_bus_message_peek_type(m, &type, NULL) <= 0)
                return 0;
        if (type == 'u') {
                if (sd_bus_message_read(m, "u", &look->restarts) >= 0) {
                        if (!look->has_restarts || look->restarts < look->restarts_first)
                                look->restarts_first = look->restarts;
                        look->has_restarts = true;
                }
        } else if (type == 's' && which < ELEMENTS(look->state) && sd_bus_message_read(m, "s", &text) >= 0)
                (void) snprintf(look->state[which], sizeof(look->state[which]), "%s", text);
        return 0;
}

static void look_ask(Client *c)
{
        static const char *const what[][2] = {
                { SYSTEMD_UNIT, "ActiveState" },
                { SYSTEMD_UNIT, "LoadState" },
                { SYSTEMD_SERVICE, "Result" },
                { SYSTEMD_SERVICE, "NRestarts" },
        };
        _Static_assert(ELEMENTS(what) == ELEMENTS(((UnitLook *) NULL)->slots), "a slot for each question");
        _cleanup_(freep) char *path = NULL;
        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", AGENT_UNIT, &path) < 0)
                return;
        for (size_t i = 0; i < ELEMENTS(what); i++)
                if (!c->look.slots[i])
                        (void) sd_bus_call_method_async(c->bus, &c->look.slots[i], SYSTEMD_NAME, path,
                                                        "org.freedesktop.DBus.Properties", "Get", on_look,
                                                        &c->look, "ss", what[i][0], what[i][1]);
}

/* An agent that cannot start would cost every caller the 25 s of the bus; its unit knows within one. */
static bool look_failed(const UnitLook *look)
{
        /* All answers of one look, so that the reason is known with the state. */
        for (size_t i = 0; i < ELEMENTS(look->slots); i++)
                if (look->slots[i])
                        return false;
        return strcmp(look->state[0], "failed") == 0 || strcmp(look->state[1], "not-found") == 0 ||
               strcmp(look->state[1], "masked") == 0 ||
               (look->has_restarts && look->restarts - look->restarts_first >= FAILED_STARTS);
}

/* ---- calls ---- */

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) error;
        *(sd_bus_message **) userdata = sd_bus_message_ref(m);
        return 0;
}

static CallEnd call_error(Answer *a)
{
        static const char *const unanswered[] = {
                BUS_ERROR "NoReply",
                BUS_ERROR "Timeout",
                BUS_ERROR "TimedOut",
                BUS_ERROR "Disconnected",
        };
        const sd_bus_error *e = sd_bus_message_get_error(a->message);
        (void) snprintf(a->error, sizeof(a->error), "%s", e && e->name ? e->name : "");
        (void) snprintf(a->text, sizeof(a->text), "%s",
                        e && e->message && *e->message ? e->message : a->error);
        client_answer_done(a);
        for (size_t i = 0; i < ELEMENTS(unanswered); i++)
                if (strcmp(a->error, unanswered[i]) == 0)
                        return CALL_NO_ANSWER;
        return CALL_ERROR;
}

CallEnd client_call(Client *c, sd_bus_message *m, int r, Answer *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = m;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Usec now = time_now();
        Usec until = time_add(now, c->times.answer_usec);

        *ret = (Answer){ 0 };
        /* Who has been interrupted by now does not want it any more. */
        client_signals(c);
        if (client_stopped(c))
                return CALL_STOP;
        c->asked = true;
        if (r >= 0)
                r = sd_bus_call_async(c->bus, &slot, call, on_reply, &ret->message, c->times.answer_usec);
        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ESHUTDOWN)
                return CALL_NO_BUS;
        if (r < 0) {
                (void) snprintf(ret->text, sizeof(ret->text), "cannot ask the agent: %s", strerror(-r));
                return CALL_BROKEN;
        }
        client_look_reset(&c->look, time_add(now, c->times.look_usec));
        while (!ret->message) {
                if (!client_turn(c, MIN(until, c->look.next))) {
                        client_answer_done(ret);
                        return CALL_NO_BUS;
                }
                if (ret->message)
                        break;
                if (client_stopped(c))
                        return CALL_STOP;
                now = time_now();
                if (look_failed(&c->look)) {
                        const UnitLook *l = &c->look;
                        bool loaded =
                                strcmp(l->state[1], "not-found") != 0 && strcmp(l->state[1], "masked") != 0;
                        (void) snprintf(ret->text, sizeof(ret->text), AGENT_UNIT " cannot run (%s)",
                                        loaded ? l->state[2] : l->state[1]);
                        return CALL_NO_AGENT;
                }
                if (now >= until) {
                        (void) snprintf(ret->text, sizeof(ret->text), "no answer from the agent");
                        return CALL_NO_ANSWER;
                }
                if (now >= c->look.next) {
                        look_ask(c);
                        c->look.next = time_add(now, c->times.look_usec);
                }
        }
        client_look_reset(&c->look, USEC_INFINITY);
        if (sd_bus_message_is_method_error(ret->message, NULL))
                return call_error(ret);
        const char *sender = sd_bus_message_get_sender(ret->message);
        (void) snprintf(c->agent, sizeof(c->agent), "%s", sender ? sender : "");
        c->owner_lost = false;
        return CALL_ANSWER;
}

static CallEnd call_agent(Client *c, const char *member, const char *argument, const char *second,
                          Answer *ret)
{
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, member);
        if (r >= 0 && argument)
                r = sd_bus_message_append(m, "s", argument);
        if (r >= 0 && second)
                r = sd_bus_message_append(m, "s", second);
        if (r >= 0 && strcmp(member, "Needed") == 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        /* When nobody waits for the answer any more, it is not done any more. */
        if (r >= 0 && strcmp(member, "CancelJob") == 0)
                r = sd_bus_message_append(m, "a{sv}", 2, "job", "t", c->job_number, "expires", "t",
                                          time_add(time_boot(), c->times.answer_usec));
        return client_call(c, m, r, ret);
}

static CallEnd call_events(Client *c, uint64_t from, Answer *ret)
{
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, c->job_path, JOB_INTERFACE, "Events");
        if (r >= 0)
                r = sd_bus_message_append(m, "t", from);
        return client_call(c, m, r, ret);
}

CallEnd client_call_repeat(Client *c, const char *member, const char *argument, const char *second,
                           Answer *ret)
{
        Usec until = time_add(time_now(), c->times.lost_usec);
        for (;;) {
                /* Calls to the agent end with their answer; only Events() goes to the job. */
                CallEnd end =
                        member ? call_agent(c, member, argument, second, ret) : call_events(c, c->next, ret);
                /* The agent of a job that is followed was there: a bus that does not know it is starting up.
                 */
                bool again = end == CALL_NO_ANSWER || end == CALL_NO_BUS ||
                             (end == CALL_ERROR && client_is_error(ret, EDGE_ERROR "Leaving")) ||
                             (end == CALL_ERROR && c->job_path &&
                              client_is_error(ret, BUS_ERROR "ServiceUnknown"));
                if (!again)
                        return end;
                if (time_now() >= until)
                        return end == CALL_ERROR && !c->job_path ? CALL_ERROR : CALL_NO_ANSWER;
                if (end == CALL_NO_BUS && !client_reconnect(c, until))
                        return client_stopped(c) ? CALL_STOP : CALL_NO_ANSWER;
                if (!client_pause(c, CLIENT_RETRY_USEC))
                        return CALL_STOP;
                if (!c->bus && !client_reconnect(c, until))
                        return client_stopped(c) ? CALL_STOP : CALL_NO_ANSWER;
        }
}
