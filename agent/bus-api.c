/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus-api.h"

#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "agent/bus-gate.h"
#include "agent/bus-lease.h"
#include "agent/bus-lock.h"
#include "agent/bus-look.h"
#include "agent/bus-needed.h"
#include "agent/facts.h"
#include "agent/hold.h"
#include "agent/known.h"
#include "agent/standing.h"
#include "agent/tickets.h"
#include "agent/state.h"
#include "agent/version.h"
#include "drain/foreign.h"
#include "probes/json.h"

#define HOLD_MAX_USEC (365 * 86400 * USEC_PER_SEC)

/* ---- arguments ---- */

/* Addresses of who probes the health port for a roll. */
static int probers_read(sd_bus_message *m, JobOptions *o, sd_bus_error *error)
{
        const char *text;
        int r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                if (o->n_probers >= JOB_PROBERS_MAX || !addr_parse(text, &o->probers[o->n_probers]))
                        return bus_refuse(error, BUS_ERROR_PREFIX "Usage",
                                          "probers: at most %d addresses, and \"%.60s\" is none or one "
                                          "too many",
                                          JOB_PROBERS_MAX, text);
                o->n_probers++;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int option_read(sd_bus_message *m, const char *key, JobOptions *o, BusOrder *order,
                       sd_bus_error *error, RollKind *kind)
{
        const char *contents, *text;
        char type;
        int r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        bool is_text = strcmp(contents, "s") == 0, is_bool = strcmp(contents, "b") == 0,
             is_time = strcmp(contents, "t") == 0;
        if ((r = sd_bus_message_enter_container(m, 'v', contents)) < 0)
                return r;
        if (is_text) {
                if ((r = sd_bus_message_read(m, "s", &text)) < 0)
                        return r;
                if (strcmp(key, "reason") == 0)
                        bus_text(o->reason, sizeof(o->reason), text);
                else if (strcmp(key, "unprotected") == 0)
                        bus_text(o->unprotected, sizeof(o->unprotected), text);
                else if (strcmp(key, "persistent") == 0 && (o->persistent = persistent_from_name(text)) >= 0)
                        ;
                else if (strcmp(key, "at-cap") == 0 && (o->at_cap = at_cap_from_name(text)) >= 0)
                        ;
                else if (strcmp(key, "mp-leave") == 0 && (o->mp_leave = mp_leave_from_name(text)) >= 0)
                        ;
                else if (strcmp(key, "router-retry") == 0)
                        bus_text(o->router_retry, sizeof(o->router_retry), text);
                else if (strcmp(key, "roll") == 0)
                        bus_text(o->roll, sizeof(o->roll), text);
                else
                        return bus_refuse(error, BUS_ERROR_PREFIX "Usage",
                                          "option %.40s=\"%.40s\" is not known", key, text);
        } else if (is_bool) {
                int value;
                if ((r = sd_bus_message_read(m, "b", &value)) < 0)
                        return r;
                if (strcmp(key, "start") == 0)
                        o->start = value;
                else if (strcmp(key, "await-go") == 0)
                        o->await_go = value;
                else if (strcmp(key, "if-needed") == 0)
                        o->if_needed = value;
                else if (strcmp(key, "dry-run") == 0)
                        *kind = value ? ROLL_DRY_RUN : *kind;
                else if (strcmp(key, "now") == 0 && *kind == ROLL_RESTART)
                        *kind = value ? ROLL_RESTART_NOW : *kind;
                else
                        return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "option %.40s is not known", key);
        } else if (is_time && strcmp(key, "for") == 0) {
                if ((r = sd_bus_message_read(m, "t", &o->hold_usec)) < 0)
                        return r;
                if (o->hold_usec == 0 || o->hold_usec > HOLD_MAX_USEC)
                        return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage",
                                                "a hold lasts from 1 us to 365 days");
        } else if (is_time && strcmp(key, "wait") == 0) {
                if ((r = sd_bus_message_read(m, "t", &o->wait_usec)) < 0)
                        return r;
        } else if (is_time && (r = bus_order_option(m, key, order)) != 0) {
                if (r < 0)
                        return r;
        } else if (strcmp(contents, "as") == 0 && strcmp(key, "probers") == 0) {
                if ((r = probers_read(m, o, error)) < 0)
                        return r;
        } else
                return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "option %.40s of type %.10s is not known",
                                  key, contents);
        return sd_bus_message_exit_container(m);
}

static int options_read(sd_bus_message *m, JobOptions *o, BusOrder *order, RollKind *kind,
                        sd_bus_error *error)
{
        const char *key;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read(m, "s", &key)) < 0 ||
                    (r = option_read(m, key, o, order, error, kind)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* "rmp": router and message processor of this node as one. */
static const Component *rmp_read(const Agent *a, const char *name)
{
        const Config *config = agent_config(a);
        return strcmp(name, CONFIG_RMP) == 0 && !config_component(config, name) ? config_rmp(config, NULL)
                                                                                : NULL;
}

/* By name: the last job may refer to an older configuration. */
static bool job_is_about(const Agent *a, const Job *job, const char *name)
{
        const Component *c = config_component(agent_config(a), name);
        if (!c && roll_kind_from_name(job_kind(job)) == ROLL_RESTART_RMP)
                c = rmp_read(a, name);
        return c && job_concerns(job, c->name);
}

/* ---- org.edgeroll.Agent1 ---- */

/* A restart joins any way of restarting the same component; other verbs join their own kind. */
static bool kind_joins(const Job *job, RollKind kind)
{
        RollKind running = roll_kind_from_name(job_kind(job));
        bool restarts = running == ROLL_RESTART || running == ROLL_RESTART_GRACEFUL ||
                        running == ROLL_RESTART_HELD || running == ROLL_START || running == ROLL_RESTART_NOW;
        return kind == ROLL_RESTART || kind == ROLL_RESTART_NOW ? restarts : running == kind;
}

/*
 * What is meant by @name, by what the files say now. @kind: that of both, where both are meant. Return: NULL,
 * and @error is set.
 */
static const Component *begin_component(Agent *a, const char *name, RollKind *kind, sd_bus_error *error)
{
        Err err = { 0 };
        /* A hold can be ended whatever the files say. */
        if (agent_reload(a, &err) < 0 && *kind != ROLL_UNDRAIN) {
                (void) sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", err.text);
                return NULL;
        }
        const Component *c = rmp_read(a, name);
        if (!c)
                return bus_component(a, name, error);
        if (*kind != ROLL_RESTART) {
                (void) bus_refuse(error, BUS_ERROR_PREFIX "Usage",
                                  "%s is for restart only, and not for a dry run or --now: say router or "
                                  "message-processor",
                                  name);
                return NULL;
        }
        *kind = ROLL_RESTART_RMP;
        return c;
}

static int method_begin(sd_bus_message *m, Agent *a, RollKind kind, const BusCaller *caller,
                        sd_bus_error *error)
{
        JobOptions options = { .persistent = PERSISTENT_INVALID,
                               .at_cap = AT_CAP_INVALID,
                               .mp_leave = MP_LEAVE_INVALID };
        BusOrder order = { 0 };
        const char *name;
        char path[96];
        Err err = { 0 };

        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0 || (r = options_read(m, &options, &order, &kind, error)) < 0)
                return r;
        RollKind asked = kind;
        const Component *c = begin_component(a, name, &kind, error);
        if (!c)
                return -EINVAL;
        if (agent_leaving(a))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Leaving",
                                        "the agent is just leaving; call again");

        /* A ticket that waits goes behind everything else that is asked of the node. */
        Job *job = agent_busy(a);
        bool joins = job && !order.has_lease && job_is_about(a, job, name) && kind_joins(job, kind);
        if (!joins && !agent_ticket_aside(a, NULL, "other work on this node goes first"))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Leaving",
                                        "a ticket is making room; call again");
        if (job && !agent_busy(a)) {
                /* While it ran nothing was read. */
                kind = asked;
                if (!(c = begin_component(a, name, &kind, error)))
                        return -EINVAL;
        }
        job = NULL;
        r = bus_order_check(a, c, kind, &options, &order, &job, error);
        if (r < 0)
                return r;
        bool joined = job;
        if (!order.has_lease && !joined) {
                job = agent_busy(a);
                joined = job && job_is_about(a, job, name) && kind_joins(job, kind);
        }
        if (!joined) {
                (void) snprintf(options.by, sizeof(options.by), "%s", caller->text);
                (void) snprintf(options.who, sizeof(options.who), "%s", caller->who);
                r = agent_begin(a, c, kind, &options, &job, &err);
                if (r < 0)
                        return bus_error(error, r, &err);
        }
        bus_job_path(job, path, sizeof(path));
        return sd_bus_reply_method_return(m, "ob", path, (int) joined);
}

static int method_restart(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        return method_begin(m, a, ROLL_RESTART, caller, error);
}

static int method_drain(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        return method_begin(m, a, ROLL_DRAIN, caller, error);
}

static int method_undrain(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        return method_begin(m, a, ROLL_UNDRAIN, caller, error);
}

static int method_doctor(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        return method_begin(m, a, ROLL_DOCTOR, caller, error);
}

/* The job that runs, if it is about @name ("": whatever it is). Return: NULL, and @error is NoJob. */
static Job *cancel_job(Agent *a, const char *name, sd_bus_error *error)
{
        Job *job = agent_busy(a);
        if (job && *name && !job_is_about(a, job, name))
                job = NULL;
        if (!job)
                (void) sd_bus_error_set(error, BUS_ERROR_PREFIX "NoJob", "no job runs");
        return job;
}

static int cancel_do(sd_bus_message *m, Job *job, const BusCaller *caller, const char *reason,
                     sd_bus_error *error)
{
        char why[200];
        Err err = { 0 };
        (void) snprintf(why, sizeof(why), "by %.100s%s%.80s", caller->text, *reason ? ", " : "", reason);
        bus_clean(why);
        int r = job_cancel(job, why, &err);
        if (r == -EBUSY)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "TooLate", err.text);
        if (r < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NoJob", err.text);
        return sd_bus_reply_method_return(m, NULL);
}

/* Of the release before: it names no job, and has no time when it is too late. */
static int method_cancel(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name, *reason;

        int r = sd_bus_message_read(m, "ss", &name, &reason);
        if (r < 0)
                return r;
        Job *job = cancel_job(a, name, error);
        return job ? cancel_do(m, job, caller, reason, error) : -ENOENT;
}

/* The job that is meant is named, by its number or by the lease of its roll: what comes late, from a link
 * that was cut or to a node that was frozen, hits nobody else's. */
static int method_cancel_job(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name, *reason;
        BusOrder order = { 0 };
        uint64_t number = 0;
        bool has_number = false, again;

        int r = sd_bus_message_read(m, "ss", &name, &reason);
        if (r < 0 || (r = bus_order_read(m, &order, &number, &has_number, error)) < 0)
                return r;
        if (!order.has_expires || (!has_number && !order.has_lease) || order.has_lease != order.has_step)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage",
                                        "CancelJob needs expires, and either job or lease and step");
        if ((r = bus_order_late(&order, error)) < 0)
                return r;
        Job *job = cancel_job(a, name, error);
        if (!job)
                return -ENOENT;
        if (has_number && job_id(job) != number)
                return bus_refuse(error, BUS_ERROR_PREFIX "NoJob",
                                  "job %" PRIu64 " does not run: what runs is another one, job %" PRIu64,
                                  number, job_id(job));
        if (order.has_lease && !job_options(job)->lease)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NoJob", "no job of a roll runs");
        if (order.has_lease && (r = bus_order_of_job(a, job, &order, &again, error)) < 0)
                return r;
        /* A step that is refused is not kept. That it cannot be kept is no reason to refuse it: what is
         * undone twice is undone, and others may be missing for whose sake this node has to go back. */
        if (order.has_lease && job_can_cancel(job))
                bus_order_undoes(a, job, &order);
        return cancel_do(m, job, caller, reason, error);
}

static int method_current_job(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name;
        char path[96];
        (void) caller;

        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        Job *job = agent_job(a);
        if (job && *name && !job_is_about(a, job, name))
                job = NULL;
        /* Its caller comes again until that job has a result. */
        if (!job && agent_healing(a))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Leaving",
                                        HEAL_UNIT " is finishing a job that an agent has left; call again");
        if (!job)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NoJob", "no job runs");
        bus_job_path(job, path, sizeof(path));
        return sd_bus_reply_method_return(m, "o", path);
}

/* ---- Discover ---- */

typedef struct DiscoverCall {
        Agent *agent;
        sd_bus_message *message;
        const Config *config; /* pinned */
        const Component *component;
        size_t ask; /* bus_ask() */
} DiscoverCall;

static DiscoverCall *discover_free(DiscoverCall *call)
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
DEFINE_CLEANUP(DiscoverCall, discover_free);

static void add_ports(cJSON *o, const char *key, const uint16_t *ports, size_t n)
{
        cJSON *a = cJSON_AddArrayToObject(o, key);
        for (size_t i = 0; i < n; i++)
                json_append(a, cJSON_CreateNumber(ports[i]));
}

static void discover_on_facts(const Facts *f, void *userdata)
{
        _cleanup_(discover_freep) DiscoverCall *call = userdata;
        const Component *c = call->component;
        cJSON *o = cJSON_CreateObject();

        cJSON_AddStringToObject(o, "component", c->name);
        cJSON_AddBoolToObject(o, "running", f->running);
        cJSON_AddNumberToObject(o, "health_port", f->health_port);
        cJSON_AddStringToObject(o, "health_port_from", f->health_port_from);
        cJSON_AddStringToObject(o, "refused",
                                f->block == BLOCK_WHOLE     ? "everything on it"
                                : f->block == BLOCK_ROUTERS ? "everything on it that comes from a router"
                                                            : "new connections only");
        cJSON_AddStringToObject(o, "tls", f->tls_unknown ? "unknown" : f->tls ? "yes" : "no");
        cJSON_AddStringToObject(o, "tls_from", f->tls_from);
        add_ports(o, "traffic_ports", f->traffic_ports, f->n_traffic);
        cJSON_AddStringToObject(o, "traffic_ports_from", f->traffic_from);
        add_ports(o, "other_ports", c->other_ports.ports, c->other_ports.n);
        add_ports(o, "next_tier_ports", c->next_tier_ports.ports, c->next_tier_ports.n);
        cJSON_AddStringToObject(o, "unit", f->unit);
        cJSON_AddStringToObject(o, "cgroup", f->cgroup);
        if (f->self_known) {
                cJSON_AddStringToObject(o, "uuid", f->self.uuid);
                cJSON_AddStringToObject(o, "region", f->self.region);
                cJSON_AddStringToObject(o, "pod", f->self.pod);
        } else
                cJSON_AddStringToObject(o, "self", f->self_text);
        cJSON_AddBoolToObject(o, "up", f->up);
        if (!f->up)
                cJSON_AddStringToObject(o, "up_text", f->up_text);
        cJSON_AddNumberToObject(o, "request_limit", time_sec(f->request_limit_usec));
        cJSON_AddStringToObject(o, "request_limit_from", f->request_limit_from);
        (void) bus_reply_json(call->message, o);
}

static int method_discover(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        _cleanup_(discover_freep) DiscoverCall *call = calloc(1, sizeof(*call));
        const char *name;
        Err err = { 0 };
        FactsCall *facts;

        if (!call)
                return -ENOMEM;
        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0 || (r = bus_ask(a, caller, &call->ask, error)) < 0)
                return r;
        if (agent_reload(a, &err) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", err.text);
        call->component = bus_component(a, name, error);
        if (!call->component)
                return -EINVAL;
        call->agent = a;
        call->config = agent_pin(a);
        call->message = sd_bus_message_ref(m);
        r = facts_gather(agent_http(a), agent_conns(a), call->config, call->component,
                         known_port(call->config, call->component), discover_on_facts, call, &facts, &err);
        if (r < 0)
                return bus_error(error, r, &err);
        (void) TAKE_PTR(call);
        return 1;
}

/* ---- Status ---- */

static cJSON *status_last(const Config *config)
{
        _cleanup_(state_list_freep) char **names = NULL;
        cJSON *a = cJSON_CreateArray();
        if (state_list(config->state_dir, "last-", &names, NULL) < 0)
                return a;
        for (size_t i = 0; names[i]; i++) {
                cJSON *o = NULL;
                if (state_read(config->state_dir, names[i], &o, NULL, NULL) < 0 || !o)
                        continue;
                json_append(a, o);
        }
        return a;
}

/* Rules of others that refuse the health port: whoever wonders why nobody comes back finds them here. */
static void status_foreign(cJSON *o, uint16_t port)
{
        _cleanup_(freep) ForeignRule *rules = NULL;
        size_t n = 0;

        if (port == 0 || foreign_find(port, &rules, &n, NULL) < 0 || n == 0)
                return;
        cJSON *a = cJSON_AddArrayToObject(o, "foreign_rules");
        for (size_t i = 0; i < n; i++) {
                char text[256];
                cJSON *rule = cJSON_CreateObject();
                cJSON_AddStringToObject(rule, "rule", foreign_text(&rules[i], text, sizeof(text)));
                cJSON_AddStringToObject(rule, "delete", foreign_command(&rules[i], port, text, sizeof(text)));
                json_append(a, rule);
        }
}

/* Who has the right to take it out, and what is known of its pool. */
static void status_lease(Agent *a, const Component *c, cJSON *o)
{
        const LeaseSlot *slot = leases_slot(agent_leases(a), c->name);
        char text[POOL_NAME_SIZE];
        if (!slot)
                return;
        json_put(o, "lease", bus_lease_json(slot));
        cJSON_AddStringToObject(o, "pool", pool_name(agent_config(a), c, &slot->pool, text, sizeof(text)));
        cJSON_AddNumberToObject(o, "pool_mates",
                                (double) pool_mates(agent_config(a), &slot->pool, text, sizeof(text)));
}

static cJSON *status_component(Agent *a, const Component *c)
{
        const Config *config = agent_config(a);
        const Job *job = agent_busy(a);
        cJSON *o = cJSON_CreateObject();
        Standing s;

        standing_look(config, agent_conns(a), c, job, 0, false, &s);
        cJSON_AddStringToObject(o, "name", c->name);
        if (s.health_port) {
                cJSON_AddNumberToObject(o, "health_port", s.health_port);
                cJSON_AddBoolToObject(o, "running", s.running);
        } else {
                cJSON_AddNullToObject(o, "health_port");
                cJSON_AddNullToObject(o, "running");
        }
        status_foreign(o, s.health_port);
        cJSON_AddStringToObject(o, "blocked", s.blocked);
        if (*s.error)
                cJSON_AddStringToObject(o, "error", s.error);
        if (s.held) {
                cJSON_AddNumberToObject(o, "refused", (double) s.refusals);
                json_put(o, "hold", bus_hold(&s.hold));
        }
        status_lease(a, c, o);
        return o;
}

/* Holds of components that the configuration does not know (any more). */
static void status_strangers(const Config *config, cJSON *components)
{
        _cleanup_(freep) Hold *holds = NULL;
        size_t n = 0;
        if (hold_list(config->state_dir, &holds, &n, NULL) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                const BlockPlan *plan = &holds[i].plan;
                bool refused = false;
                if (config_component(config, holds[i].component))
                        continue;
                bool read = block_hold_read(plan, &refused, NULL, NULL) == 0;
                cJSON *o = cJSON_CreateObject();
                cJSON_AddStringToObject(o, "name", holds[i].component);
                cJSON_AddNumberToObject(o, "health_port",
                                        plan->n_whole ? plan->whole_ports[0]
                                        : plan->n_syn ? plan->syn_ports[0]
                                                      : plan->from_ports[0]);
                cJSON_AddNullToObject(o, "running");
                cJSON_AddStringToObject(o, "blocked", refused || !read ? "hold" : "hold-missing");
                cJSON_AddStringToObject(o, "error",
                                        "not configured: `systemctl stop edge-roll-hold` ends all holds");
                json_put(o, "hold", bus_hold(&holds[i]));
                json_append(components, o);
        }
}

static int method_status(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const Config *config = agent_config(a);
        (void) caller;
        (void) error;

        cJSON *o = cJSON_CreateObject(), *agent = cJSON_AddObjectToObject(o, "agent");
        cJSON_AddStringToObject(agent, "version", EDGE_ROLL_VERSION);
        cJSON_AddNumberToObject(agent, "pid", getpid());
        json_put(o, "job", bus_job(agent_busy(a)));
        json_put(o, "last", status_last(config));
        json_put(o, "tickets", tickets_json(config->state_dir));
        cJSON *components = cJSON_AddArrayToObject(o, "components");
        for (size_t i = 0; i < config->n_components; i++)
                json_append(components, status_component(a, &config->components[i]));
        status_strangers(config, components);
        char notice[1024];
        if (agent_notice(a, notice, sizeof(notice)))
                cJSON_AddStringToObject(o, "notice", notice);
        return bus_reply_json(m, o);
}

/* ---- org.edgeroll.Job1 ---- */

static int job_find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                    sd_bus_error *error)
{
        Agent *a = userdata;
        char own[96];
        (void) bus;
        (void) interface;
        (void) error;
        if (!agent_job(a))
                return 0;
        bus_job_path(agent_job(a), own, sizeof(own));
        if (strcmp(path, own) != 0)
                return 0;
        *ret_found = a;
        return 1;
}

static int job_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Job *job = agent_job(userdata);
        (void) bus;
        (void) path;
        (void) interface;
        (void) error;
        if (!job)
                return -ENOENT;
        if (strcmp(property, "Id") == 0)
                return sd_bus_message_append(reply, "t", job_id(job));
        if (strcmp(property, "Ended") == 0)
                return sd_bus_message_append(reply, "b", (int) job_over(job));
        const char *text = strcmp(property, "Component") == 0  ? job_component(job)->name
                           : strcmp(property, "Kind") == 0     ? job_kind(job)
                           : strcmp(property, "Phase") == 0    ? job_phase(job)
                           : strcmp(property, "Awaiting") == 0 ? job_awaiting(job)
                           : job_over(job)                     ? result_name(job_result(job))
                                                               : "";
        char clean[512];
        bus_text(clean, sizeof(clean), text);
        return sd_bus_message_append(reply, "s", clean);
}

static int method_events(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const Job *job = agent_job(a);
        uint64_t from;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        (void) caller;
        (void) error;

        int r = sd_bus_message_read(m, "t", &from);
        if (r < 0 || (r = sd_bus_message_new_method_return(m, &reply)) < 0 ||
            (r = sd_bus_message_append(reply, "t", job_next_seq(job))) < 0 ||
            (r = sd_bus_message_open_container(reply, 'a', "s")) < 0)
                return r;
        for (; from < job_next_seq(job); from++) {
                const char *json = job_event(job, from);
                if (json && (r = sd_bus_message_append(reply, "s", json)) < 0)
                        return r;
        }
        if ((r = sd_bus_message_close_container(reply)) < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}

/* ---- who may call what ---- */

/*
 * The whole of it. root is uid 0 that speaks for nobody else; root's bridge, run through sudo, speaks for who
 * called sudo. Reading of properties is anybody's; none can be set.
 */
/* clang-format off */
static const BusMethod methods[] = {
        /* interface         method          right        recorded    the reason is argument */
        { AGENT_INTERFACE, "Status",         BUS_ANYBODY, 0,          0, method_status },
        { AGENT_INTERFACE, "Look",           BUS_ANYBODY, 0,          0, method_look },
        { AGENT_INTERFACE, "Discover",       BUS_ANYBODY, 0,          0, method_discover },
        { AGENT_INTERFACE, "Lock",           BUS_ANYBODY, 0,          0, method_lock },
        { AGENT_INTERFACE, "CurrentJob",     BUS_ANYBODY, 0,          0, method_current_job },
        { AGENT_JOB_INTERFACE, "Events",     BUS_ANYBODY, 0,          0, method_events },
        /* Of who may change nothing, nothing is kept. */
        { AGENT_INTERFACE, "Introduce",      BUS_ANYBODY, 0,          0, method_introduce },
        { AGENT_INTERFACE, "Restart",        BUS_MEMBERS, LOG_NOTICE, 0, method_restart },
        { AGENT_INTERFACE, "Drain",          BUS_MEMBERS, LOG_NOTICE, 0, method_drain },
        { AGENT_INTERFACE, "Undrain",        BUS_HOLD,    LOG_NOTICE, 0, method_undrain },
        /* They change nothing, but take the node's one place for a job, or run a command as root. */
        { AGENT_INTERFACE, "Doctor",         BUS_MEMBERS, LOG_INFO,   0, method_doctor },
        { AGENT_INTERFACE, "Needed",         BUS_MEMBERS, LOG_INFO,   0, bus_needed },
        { AGENT_INTERFACE, "Request",        BUS_MEMBERS, LOG_NOTICE, 0, method_request },
        { AGENT_INTERFACE, "Cancel",         BUS_JOB,     LOG_NOTICE, 2, method_cancel },
        { AGENT_INTERFACE, "CancelJob",      BUS_JOB,     LOG_NOTICE, 2, method_cancel_job },
        { AGENT_INTERFACE, "LeaseTake",      BUS_MEMBERS, LOG_INFO,   0, method_lease_take },
        /* Every ten seconds: only what is refused. */
        { AGENT_INTERFACE, "LeaseRenew",     BUS_LEASE,   LOG_DEBUG,  0, method_lease_renew },
        { AGENT_INTERFACE, "LeaseGive",      BUS_LEASE,   LOG_INFO,   0, method_lease_give },
        { AGENT_INTERFACE, "Go",             BUS_LEASE,   LOG_INFO,   0, method_go },
        { AGENT_INTERFACE, "LeaseSteal",     BUS_WHY,     LOG_NOTICE, 2, method_lease_steal },
        { AGENT_INTERFACE, "LockSteal",      BUS_WHY,     LOG_NOTICE, 3, method_lock_steal },
        { AGENT_INTERFACE, "LockSize",       BUS_WHY,     LOG_NOTICE, 3, method_lock_size },
};
/* clang-format on */

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return bus_gate(methods, ELEMENTS(methods), userdata, m, error);
}

/* clang-format off */
static const sd_bus_vtable agent_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Restart", "sa{sv}", "ob", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Drain", "sa{sv}", "ob", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Undrain", "sa{sv}", "ob", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Doctor", "sa{sv}", "ob", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Cancel", "ss", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CancelJob", "ssa{sv}", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Discover", "s", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Needed", "sa{sv}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Status", "", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Look", "s", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Introduce", "a{sv}", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LeaseTake", "ssa(sss)a{sv}", "ttt", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LeaseRenew", "st", "tt", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LeaseGive", "st", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Go", "sa{sv}", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LeaseSteal", "ss", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Lock", "s", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LockSteal", "sss", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("LockSize", "sus", "", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Request", "sa{sv}", "s", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("Pulse", "ss", 0),
        SD_BUS_METHOD("CurrentJob", "s", "o", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END
};
/* clang-format on */

/* clang-format off */
static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "t", job_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Component", "s", job_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", job_property, 0, 0),
        SD_BUS_PROPERTY("Phase", "s", job_property, 0, 0),
        SD_BUS_PROPERTY("Awaiting", "s", job_property, 0, 0),
        SD_BUS_PROPERTY("Ended", "b", job_property, 0, 0),
        SD_BUS_PROPERTY("Result", "s", job_property, 0, 0),
        SD_BUS_METHOD("Events", "t", "tas", on_call, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("Event", "ts", 0),
        SD_BUS_VTABLE_END
};
/* clang-format on */

int bus_api_publish(sd_bus *bus, Agent *agent)
{
        int r = sd_bus_add_object_vtable(bus, NULL, AGENT_PATH, AGENT_INTERFACE, agent_vtable, agent);
        if (r < 0)
                return r;
        return sd_bus_add_fallback_vtable(bus, NULL, AGENT_JOB_PATH, AGENT_JOB_INTERFACE, job_vtable,
                                          job_find, agent);
}

void bus_api_event(sd_bus *bus, const Job *job, uint64_t seq, const char *json)
{
        char path[96];
        if (!bus)
                return;
        bus_job_path(job, path, sizeof(path));
        (void) sd_bus_emit_signal(bus, path, AGENT_JOB_INTERFACE, "Event", "ts", seq, json);
}

void bus_api_pulse(sd_bus *bus, const char *component, const char *json)
{
        if (bus)
                (void) sd_bus_emit_signal(bus, AGENT_PATH, AGENT_INTERFACE, "Pulse", "ss", component, json);
}
