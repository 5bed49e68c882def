/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus-lock.h"

#include <string.h>
#include <syslog.h>

#include "agent/bus-gate.h"
#include "agent/bus-lease.h"
#include "agent/facts.h"
#include "agent/journal.h"
#include "agent/known.h"
#include "agent/lock-find.h"
#include "agent/place-ask.h"
#include "agent/standing.h"
#include "agent/tickets.h"
#include "probes/json.h"

#define LOCK_USEC (15 * USEC_PER_SEC)

/* Each has a session of its own, and ZooKeeper takes a few dozen from one address, Edge's own among them. */
static Shares asked = { .limits = { .all = 8, .strangers = 4, .person = 4 } };

typedef struct LockCall {
        Agent *agent;
        sd_bus_message *message;
        BusCaller caller;
        const Config *config; /* pinned */
        const Component *component;
        LeaseSlot *slot;
        size_t share; /* of those who ask */
        LockFound found;
        PlaceAsk *ask;
        FactsCall *facts;
        PlaceAskKind kind;
        PlaceQuestion question;
        char what[500]; /* for the journal: who, what, why */
} LockCall;

static void lock_call_end(LockCall *call)
{
        agent_unpin(call->agent, call->config);
        sd_bus_message_unref(call->message);
        shares_give(&asked, call->share);
        free(call);
}

/* @place: detached and put into the answer; NULL: there is none. */
static void lock_answer(LockCall *call, cJSON *place, const char *trouble)
{
        const Config *config = call->config;
        const Component *c = call->component;
        char text[1024], pool[POOL_NAME_SIZE];
        static const char *const names[] = {
                [LOCK_NONE] = "none", [LOCK_LEASE] = "lease", [LOCK_ZOOKEEPER] = "zookeeper"
        };
        Standing s;
        cJSON *o = cJSON_CreateObject();

        standing_look(config, agent_conns(call->agent), c, agent_busy(call->agent), 0, false, &s);
        cJSON_AddStringToObject(o, "component", c->name);
        cJSON_AddStringToObject(o, "lock", names[call->found.spec.kind]);
        cJSON_AddStringToObject(o, "lock_text", lock_found_text(&call->found, text, sizeof(text)));
        cJSON_AddStringToObject(o, "pool", pool_name(config, c, &call->slot->pool, pool, sizeof(pool)));
        cJSON_AddStringToObject(o, "uuid", call->slot->pool.uuid);
        json_put(o, "lease", bus_lease_json(call->slot));
        cJSON_AddBoolToObject(o, "out", s.out);
        cJSON_AddStringToObject(o, "out_reason", s.out_reason);
        json_put(o, "place", place ? place : cJSON_CreateNull());
        cJSON_AddStringToObject(o, "place_error", trouble);
        (void) bus_reply_json(call->message, o);
}

static void lock_refuse(LockCall *call, const char *name, const char *text)
{
        bus_gate_refused(call->message, &call->caller, name, text);
        (void) bus_reply_refusal(call->message, name, "%s", text);
}

static void lock_on_asked(int r, const char *text, cJSON *show, void *userdata)
{
        LockCall *call = userdata;
        JournalContext c = { .component = call->component->name };

        call->ask = NULL;
        if (call->kind == PLACE_SHOW)
                lock_answer(call, r == 0 ? cJSON_Duplicate(show, true) : NULL, r == 0 ? "" : text);
        else if (r < 0)
                lock_refuse(call,
                            r == -ENOENT || r == -EEXIST ? BUS_ERROR_PREFIX "NotLocked"
                                                         : BUS_ERROR_PREFIX "Failed",
                            text);
        else {
                const cJSON *stolen = cJSON_GetObjectItemCaseSensitive(show, "stolen");
                const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(stolen, "name"));
                const char *why = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(stolen, "reason"));
                if (stolen)
                        journal_log(LOG_WARNING, JOURNAL_PLACE, &c,
                                    "%s: the place of %s (%s) was taken away by %s", call->component->name,
                                    name ? name : "?", why ? why : "", call->what);
                else
                        journal_log(LOG_NOTICE, JOURNAL_PLACE, &c, "%s: %s", call->component->name,
                                    call->what);
                bus_gate_obeyed(call->message, &call->caller);
                (void) sd_bus_reply_method_return(call->message, NULL);
        }
        lock_call_end(call);
}

/* Return: 0, and @ret is pinned; a negative errno with @error set. */
static int lock_begin(Agent *a, sd_bus_message *m, const char *name, PlaceAskKind kind,
                      const BusCaller *caller, LockCall **ret, sd_bus_error *error)
{
        Err err = { 0 };
        if (agent_leaving(a))
                return bus_refuse(error, BUS_ERROR_PREFIX "Leaving", "the agent is just leaving; call again");
        if (agent_reload(a, &err) < 0)
                return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "%s", err.text);
        const Component *c = bus_component(a, name, error);
        if (!c)
                return -EINVAL;
        LeaseSlot *slot = leases_slot(agent_leases(a), c->name);
        LockCall *call = slot ? calloc(1, sizeof(*call)) : NULL;
        if (!call)
                return -ENOMEM;
        int r = bus_share(&asked, "questions about the lock", caller, &call->share, error);
        if (r < 0) {
                free(call);
                return r;
        }
        call->agent = a;
        call->message = sd_bus_message_ref(m);
        call->caller = *caller;
        call->component = c;
        call->slot = slot;
        call->kind = kind;
        call->config = agent_pin(a);
        lock_find(call->config, &call->found);
        *ret = call;
        return 0;
}

/* The pool is known, or will not be. */
static void lock_ask(LockCall *call)
{
        const Config *config = call->config;
        PlaceQuestion *q = &call->question;
        Err err = { 0 };
        q->kind = call->kind;
        q->limit_usec = LOCK_USEC;
        (void) pool_name(config, call->component, &call->slot->pool, q->pool, sizeof(q->pool));
        int r = 0;
        if (call->found.spec.kind != LOCK_ZOOKEEPER) {
                lock_answer(call, NULL, "");
                lock_call_end(call);
                return;
        }
        if (!*q->pool)
                r = err_set(
                        &err, -ENODATA,
                        "which pool %s belongs to is not known: it does not say who it is; see [pool] name",
                        call->component->name);
        if (r == 0)
                r = lock_zk(config, &call->found.spec, &q->zk, &err);
        if (r == 0)
                r = place_ask(&call->ask, agent_event(call->agent), q, lock_on_asked, call, &err);
        if (r >= 0)
                return;
        if (call->kind == PLACE_SHOW)
                lock_answer(call, NULL, err.text);
        else
                lock_refuse(call, BUS_ERROR_PREFIX "Failed", err.text);
        lock_call_end(call);
}

static void lock_on_facts(const Facts *facts, void *userdata)
{
        LockCall *call = userdata;
        call->facts = NULL;
        leases_seen(call->slot, facts->self_known ? &facts->self : NULL, facts->health_port);
        lock_ask(call);
}

/* @call: consumed; answered from now on, at once or later. */
static int lock_go(LockCall *call)
{
        Agent *a = call->agent;
        if (*call->slot->pool.uuid || facts_gather(agent_http(a), agent_conns(a), call->config,
                                                   call->component, known_port(call->config, call->component),
                                                   lock_on_facts, call, &call->facts, NULL) < 0)
                lock_ask(call);
        return BUS_LATER;
}

int method_lock(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name;
        LockCall *call;
        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0 || (r = lock_begin(a, m, name, PLACE_SHOW, caller, &call, error)) < 0)
                return r;
        return lock_go(call);
}

static int lock_needs_zookeeper(LockCall *call, sd_bus_error *error)
{
        char text[1024];
        if (call->found.spec.kind == LOCK_ZOOKEEPER)
                return 0;
        (void) lock_found_text(&call->found, text, sizeof(text));
        lock_call_end(call);
        return bus_refuse(error, BUS_ERROR_PREFIX "Refused",
                          "ZooKeeper keeps no places of this pool: %.300s; the lease of this node is taken "
                          "away by the name \"lease\"",
                          text);
}

int method_lock_steal(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name, *whose, *reason;
        LockCall *call;
        char why[256];

        int r = sd_bus_message_read(m, "sss", &name, &whose, &reason);
        if (r < 0)
                return r;
        if (strcmp(whose, "lease") == 0)
                return bus_lease_steal(a, m, name, reason, caller, error);
        if ((r = lock_begin(a, m, name, PLACE_STEAL, caller, &call, error)) < 0 ||
            (r = lock_needs_zookeeper(call, error)) < 0)
                return r;
        bus_text(call->question.name, sizeof(call->question.name), whose);
        bus_text(why, sizeof(why), reason);
        (void) snprintf(call->what, sizeof(call->what), "%s: %s", caller->text, why);
        return lock_go(call);
}

int method_lock_size(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name, *reason;
        uint32_t size;
        LockCall *call;
        char why[256];

        int r = sd_bus_message_read(m, "sus", &name, &size, &reason);
        if (r < 0)
                return r;
        if (size < 1 || size > TURN_SIZE_MAX)
                return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "1 to %d nodes of a pool may be out",
                                  TURN_SIZE_MAX);
        if ((r = lock_begin(a, m, name, PLACE_SIZE, caller, &call, error)) < 0 ||
            (r = lock_needs_zookeeper(call, error)) < 0)
                return r;
        call->question.size = size;
        bus_text(why, sizeof(why), reason);
        (void) snprintf(call->what, sizeof(call->what), "%u nodes of its pool may be out from now on: %s: %s",
                        size, caller->text, why);
        return lock_go(call);
}

/* ---- tickets ---- */

static int request_reason(sd_bus_message *m, const char **ret, sd_bus_error *error)
{
        const char *key, *contents;
        char type;
        *ret = "";
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read(m, "s", &key)) < 0 ||
                    (r = sd_bus_message_peek_type(m, &type, &contents)) < 0)
                        return r;
                if (strcmp(key, "reason") != 0 || strcmp(contents, "s") != 0)
                        return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "option %.40s is not known here",
                                          key);
                if ((r = sd_bus_message_read(m, "v", "s", ret)) < 0 ||
                    (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int method_request(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name, *reason;
        LockFound found;
        Ticket ticket = { .since_wall_usec = time_wall() }, now;
        char stamp[32], text[1024];
        bool fresh;
        Err err = { 0 };

        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0 || (r = request_reason(m, &reason, error)) < 0)
                return r;
        if (agent_leaving(a))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Leaving",
                                        "the agent is just leaving; call again");
        if (agent_reload(a, &err) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", err.text);
        bool rmp = strcmp(name, CONFIG_RMP) == 0 && !config_component(agent_config(a), name) &&
                   config_rmp(agent_config(a), NULL);
        const Component *c = rmp ? NULL : bus_component(a, name, error);
        if (!rmp && !c)
                return -EINVAL;
        lock_find(agent_config(a), &found);
        if (found.spec.kind != LOCK_ZOOKEEPER)
                return bus_refuse(error, BUS_ERROR_PREFIX "Unprotected",
                                  "a ticket waits for the lock of the pool, and there is none: %.300s",
                                  lock_found_text(&found, text, sizeof(text)));
        (void) snprintf(ticket.component, sizeof(ticket.component), "%s", rmp ? CONFIG_RMP : c->name);
        bus_text(ticket.by, sizeof(ticket.by), caller->text);
        bus_text(ticket.who, sizeof(ticket.who), caller->who);
        bus_text(ticket.reason, sizeof(ticket.reason), reason);
        const Job *job = agent_busy(a);
        JournalContext context = { .component = ticket.component };
        r = tickets_put(agent_config(a)->state_dir, &ticket, &now, &fresh, &err);
        if (r < 0)
                return bus_error(error, r, &err);
        journal_log(LOG_NOTICE, JOURNAL_TICKET, &context, "%s: ticket %s by %s%s%s", ticket.component,
                    fresh ? "asked for" : "joined", caller->text, *ticket.reason ? ": " : "", ticket.reason);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "component", now.component);
        cJSON_AddBoolToObject(o, "joined", !fresh);
        cJSON_AddStringToObject(o, "by", now.by);
        cJSON_AddStringToObject(o, "reason", now.reason);
        cJSON_AddStringToObject(o, "since", time_stamp(now.since_wall_usec, stamp, sizeof(stamp)));
        cJSON_AddNumberToObject(o, "asked", now.asked);
        cJSON_AddStringToObject(o, "awaiting",
                                !job ? ""
                                : job_options(job)->ticket
                                        ? job_awaiting(job)
                                        : "another job runs on this node; the ticket comes after it");
        r = bus_reply_json(m, o);
        agent_tickets_changed(a);
        return r;
}
