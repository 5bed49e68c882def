/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus-look.h"

#include <inttypes.h>
#include <string.h>

#include "agent/bus-lease.h"
#include "agent/facts.h"
#include "agent/known.h"
#include "agent/leave.h"
#include "agent/lock-find.h"
#include "agent/own-address.h"
#include "agent/properties.h"
#include "agent/standing.h"
#include "agent/state.h"
#include "agent/version.h"
#include "probes/json.h"

typedef struct LookCall {
        Agent *agent;
        sd_bus_message *message;
        const Config *config; /* pinned */
        const Component *component;
        const Component *partner; /* NULL: none is configured */
        bool may_change;
        size_t ask; /* bus_ask() */
        Facts facts;
        bool partner_running;
} LookCall;

static LookCall *look_free(LookCall *call)
{
        if (!call)
                return NULL;
        if (call->message)
                agent_unpin(call->agent, call->config);
        sd_bus_message_unref(call->message);
        bus_ask_end(call->ask);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(LookCall, look_free);

/* ---- what the records say ---- */

/* What the routers retry, where this is one of them and its properties can be read. */
static void look_retry(const Component *c, cJSON *o)
{
        _cleanup_(properties_freep) Properties *p = NULL;
        bool known = c->kind == KIND_ROUTER && properties_new(&p, NULL) == 0;
        for (char **file = c->properties; known && file && *file; file++)
                known = properties_read(p, *file, NULL) != PROPERTIES_UNREADABLE;
        if (!known) {
                cJSON_AddNullToObject(o, "router_retry");
                return;
        }
        const char *set = properties_get(p, "load_balancing", "load.balancing.driver.nginx.server.retry");
        cJSON_AddStringToObject(o, "router_retry", set ? set : "http_599");
}

static void look_last(const Config *config, const Component *c, cJSON *o)
{
        char name[128];
        cJSON *last = NULL;
        double took = 0;
        (void) snprintf(name, sizeof(name), "last-%s.json", c->name);
        if (state_read(config->state_dir, name, &last, NULL, NULL) < 0)
                last = NULL;
        const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "kind"));
        const char *result = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "result"));
        const cJSON *elapsed = cJSON_GetObjectItemCaseSensitive(last, "elapsed");
        if (kind && strncmp(kind, "restart", strlen("restart")) == 0 && result &&
            strcmp(result, "done") == 0 && cJSON_IsNumber(elapsed))
                took = elapsed->valuedouble;
        json_put(o, "last", last ? last : cJSON_CreateNull());
        cJSON_AddNumberToObject(o, "took", took);
}

static void look_lock(const Config *config, cJSON *o)
{
        LockFound found;
        char text[1024];
        lock_find(config, &found);
        cJSON_AddStringToObject(o, "lock",
                                found.spec.kind == LOCK_ZOOKEEPER ? "zookeeper"
                                : found.spec.kind == LOCK_NONE    ? "none"
                                                                  : "lease");
        cJSON_AddStringToObject(o, "lock_text", lock_found_text(&found, text, sizeof(text)));
}

/* ---- the answer ---- */

static void look_who(const LookCall *call, const LeaseSlot *slot, cJSON *o)
{
        const Config *config = call->config;
        char now[32], pool[POOL_NAME_SIZE], from[400], address[ADDR_TEXT_SIZE];
        (void) snprintf(now, sizeof(now), "%" PRIu64, time_boot());
        cJSON_AddStringToObject(o, "component", call->component->name);
        cJSON_AddStringToObject(o, "version", EDGE_ROLL_VERSION);
        cJSON_AddNumberToObject(o, "protocol", LOOK_PROTOCOL);
        cJSON_AddStringToObject(o, "now", now);
        cJSON_AddStringToObject(o, "uuid", slot->pool.uuid);
        cJSON_AddStringToObject(o, "region", slot->pool.region);
        cJSON_AddStringToObject(o, "pod", slot->pool.pod);
        cJSON_AddStringToObject(o, "pool",
                                pool_name(config, call->component, &slot->pool, pool, sizeof(pool)));
        cJSON_AddStringToObject(o, "address",
                                own_address(agent_conns(call->agent), call->facts.health_port, address,
                                            sizeof(address)));
        json_put(o, "members", pool_members(config, &slot->pool));
        cJSON_AddStringToObject(o, "members_from", pool_from(config, &slot->pool, from, sizeof(from)));
        json_put(o, "lease", bus_lease_json(slot));
        if (*slot->unreadable)
                cJSON_AddStringToObject(o, "lease_error", slot->unreadable);
}

static void look_state(const LookCall *call, cJSON *o)
{
        const Config *config = call->config;
        const Component *c = call->component;
        const Job *job = agent_busy(call->agent);
        const Facts *f = &call->facts;
        Standing s;

        standing_look(config, agent_conns(call->agent), c, job, f->health_port, true, &s);
        cJSON_AddNumberToObject(o, "health_port", s.health_port);
        cJSON_AddBoolToObject(o, "running", s.running);
        cJSON_AddBoolToObject(o, "up", f->up);
        cJSON_AddStringToObject(o, "up_text", f->up ? "" : f->up_text);
        cJSON_AddStringToObject(o, "blocked", s.blocked);
        if (*s.error)
                cJSON_AddStringToObject(o, "error", s.error);
        json_put(o, "hold", s.held ? bus_hold(&s.hold) : cJSON_CreateNull());
        json_put(o, "job", job && job_concerns(job, c->name) ? bus_job(job) : cJSON_CreateNull());
        cJSON_AddBoolToObject(o, "out", s.out);
        cJSON_AddStringToObject(o, "out_reason", s.out_reason);
}

static void look_answer(LookCall *call)
{
        const Config *config = call->config;
        LeaseSlot *slot = leases_slot(agent_leases(call->agent), call->component->name);
        const Facts *f = &call->facts;
        cJSON *o = cJSON_CreateObject();

        if (!slot) {
                (void) bus_reply_refusal(call->message, BUS_ERROR_PREFIX "Failed",
                                         "too many leases are known");
                cJSON_Delete(o);
                return;
        }
        leases_seen(slot, f->self_known ? &f->self : NULL, f->health_port);
        look_who(call, slot, o);
        look_state(call, o);
        look_last(config, call->component, o);
        look_lock(config, o);
        look_retry(call->component, o);
        cJSON_AddBoolToObject(o, "may_change", call->may_change);
        cJSON_AddNumberToObject(o, "request_limit", time_sec(f->request_limit_usec));
        cJSON_AddStringToObject(o, "partner", call->partner_running ? call->partner->name : "");
        (void) bus_reply_json(call->message, o);
}

static void look_on_partner(const Facts *facts, void *userdata)
{
        _cleanup_(look_freep) LookCall *call = userdata;
        call->partner_running = facts->running;
        look_answer(call);
}

static void look_on_facts(const Facts *facts, void *userdata)
{
        _cleanup_(look_freep) LookCall *call = userdata;
        Agent *a = call->agent;
        FactsCall *more;

        call->facts = *facts;
        if (call->partner &&
            facts_gather(agent_http(a), agent_conns(a), call->config, call->partner,
                         known_port(call->config, call->partner), look_on_partner, call, &more, NULL) == 0) {
                (void) TAKE_PTR(call);
                return;
        }
        look_answer(call);
}

/* What is restarted together with @c: by its own setting, or that of the other one. */
static const Component *look_partner(const Config *config, const Component *c)
{
        if (*c->partner)
                return config_component(config, c->partner);
        for (size_t i = 0; i < config->n_components; i++) {
                const Component *other = &config->components[i];
                if (*other->partner && config_component(config, other->partner) == c)
                        return other;
        }
        return NULL;
}

int method_look(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        _cleanup_(look_freep) LookCall *call = calloc(1, sizeof(*call));
        const char *name;
        FactsCall *facts;
        Err err = { 0 };

        if (!call)
                return -ENOMEM;
        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        if ((r = bus_ask(a, caller, &call->ask, error)) < 0)
                return r;
        if (agent_reload(a, &err) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", err.text);
        call->component = bus_component(a, name, error);
        if (!call->component)
                return -EINVAL;
        call->agent = a;
        call->may_change = caller->may_change;
        call->partner = look_partner(agent_config(a), call->component);
        call->config = agent_pin(a);
        call->message = sd_bus_message_ref(m);
        r = facts_gather(agent_http(a), agent_conns(a), call->config, call->component,
                         known_port(call->config, call->component), look_on_facts, call, &facts, &err);
        if (r < 0)
                return bus_error(error, r, &err);
        (void) TAKE_PTR(call);
        return 1;
}
