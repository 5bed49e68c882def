/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus-lease.h"

#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "agent/bus-gate.h"
#include "agent/facts.h"
#include "agent/journal.h"
#include "agent/known.h"
#include "agent/standing.h"
#include "agent/state.h"
#include "probes/json.h"

/* ---- who is calling ---- */

/* Reads a{sv} whose values may be texts: those of @keys go where @to says, others are passed over. */
static int texts_read(sd_bus_message *m, const char *const *keys, const char **to)
{
        const char *key, *contents;
        char type;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                size_t i = 0;
                if ((r = sd_bus_message_read(m, "s", &key)) < 0 ||
                    (r = sd_bus_message_peek_type(m, &type, &contents)) < 0)
                        return r;
                while (keys[i] && strcmp(keys[i], key) != 0)
                        i++;
                if (keys[i] && strcmp(contents, "s") == 0)
                        r = sd_bus_message_read(m, "v", "s", &to[i]);
                else
                        r = sd_bus_message_skip(m, "v");
                if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int method_introduce(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        static const char *const keys[] = { "user", "from", NULL };
        const char *texts[] = { "", "" };

        int r = texts_read(m, keys, texts);
        if (r < 0)
                return r;
        /* Of who may change nothing, nothing is told; and nobody is forgotten over him. */
        if (caller->may_change)
                r = bus_introduce(agent_people(a), m, caller, texts[0], texts[1]);
        if (r == -EBUSY)
                return bus_refuse(
                        error, BUS_ERROR_PREFIX "Busy",
                        "too many connections of root speak for others; call again when one has left");
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, NULL);
}

/* ---- what is told ---- */

cJSON *bus_lease_json(const LeaseSlot *slot)
{
        Usec now = time_boot();
        char stamp[32];
        if (!lease_current(&slot->lease, now))
                return cJSON_CreateNull();
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "epoch", (double) slot->lease.epoch);
        cJSON_AddStringToObject(o, "holder", slot->lease.holder);
        cJSON_AddStringToObject(o, "by", slot->lease.by);
        cJSON_AddStringToObject(o, "since", time_stamp(slot->lease.since_wall_usec, stamp, sizeof(stamp)));
        cJSON_AddNumberToObject(o, "left", time_sec(lease_left(&slot->lease, now)));
        return o;
}

static void lease_log(int priority, const LeaseSlot *slot, const char *what, const char *by)
{
        JournalContext c = { .component = slot->component };
        char text[400];
        journal_log(priority, JOURNAL_LEASE, &c, "%s: lease %" PRIu64 " %s%s%s: %s", slot->component,
                    slot->lease.epoch, what, *by ? " by " : "", by,
                    lease_text(&slot->lease, time_boot(), text, sizeof(text)));
}

static int error_leased(const LeaseSlot *slot, sd_bus_error *error)
{
        char text[400];
        return bus_refuse(error, BUS_ERROR_PREFIX "Leased", "%s is leased by the roll %s", slot->component,
                          lease_text(&slot->lease, time_boot(), text, sizeof(text)));
}

static int error_lost(const LeaseSlot *slot, uint64_t epoch, sd_bus_error *error)
{
        char text[400];
        Usec now = time_boot();
        const Lease *l = &slot->lease;
        if (lease_holds(l, epoch, now))
                return bus_refuse(error, BUS_ERROR_PREFIX "LeaseLost",
                                  "lease %" PRIu64 " of %s is that of another roll, %s", epoch,
                                  slot->component, l->holder);
        if (lease_current(l, now))
                return bus_refuse(error, BUS_ERROR_PREFIX "LeaseLost",
                                  "lease %" PRIu64 " of %s is not in force: lease %" PRIu64 " is, of %s",
                                  epoch, slot->component, l->epoch, lease_text(l, now, text, sizeof(text)));
        return bus_refuse(error, BUS_ERROR_PREFIX "LeaseLost",
                          "lease %" PRIu64 " of %s is not in force: %s; nobody has it now", epoch,
                          slot->component, l->held ? "its time is over" : "it was given back or taken away");
}

static int error_expired(Usec expires, sd_bus_error *error)
{
        return bus_refuse(
                error, BUS_ERROR_PREFIX "Expired",
                "the call was good until %.1f s ago: it was too long on its way, and nothing is done",
                time_sec(time_boot() - expires));
}

/* The slot of @name, if its record is understood. */
static LeaseSlot *slot_read(Agent *a, const char *name, sd_bus_error *error)
{
        const Component *c = bus_component(a, name, error);
        LeaseSlot *slot = c ? leases_slot(agent_leases(a), c->name) : NULL;
        if (c && !slot)
                (void) sd_bus_error_set(error, BUS_ERROR_PREFIX "Failed", "too many leases are known");
        if (slot && *slot->unreadable) {
                (void) sd_bus_error_set(error, BUS_ERROR_PREFIX "Failed", slot->unreadable);
                return NULL;
        }
        return slot;
}

/* Who works on it; nobody for what only looks. */
static LeaseNode lease_node(Agent *a, const char *component)
{
        const Job *job = agent_busy(a);
        LeaseNode node = { 0 };
        if (!job || !job_concerns(job, component) || job_roll_kind(job) == ROLL_DOCTOR ||
            job_roll_kind(job) == ROLL_DRY_RUN)
                return node;
        /* A ticket that waits goes behind everything else. */
        if (job_options(job)->ticket && !job_placed(job, component))
                return node;
        node.job_holder = job_options(job)->lease ? job_options(job)->roll : "";
        node.job_placed = job_placed(job, component);
        return node;
}

/* ---- LeaseTake ---- */

typedef struct Take {
        Agent *agent;
        sd_bus_message *message;
        const Config *config; /* pinned */
        const Component *component;
        BusCaller caller;
        char holder[LEASE_HOLDER_SIZE];
        PoolMember *members;
        size_t n_members;
        Usec ttl_usec, expires_usec;
        bool accept_out, members_force;
        char pool[POOL_NAME_SIZE];
        bool has_pool;
        size_t ask; /* bus_ask(), where the component is asked first */
} Take;

static Take *take_free(Take *t)
{
        if (!t)
                return NULL;
        if (t->config)
                agent_unpin(t->agent, t->config);
        bus_ask_end(t->ask);
        sd_bus_message_unref(t->message);
        free(t->members);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(Take, take_free);

static int take_members(sd_bus_message *m, Take *t, sd_bus_error *error)
{
        const char *uuid, *name, *address;
        int r = sd_bus_message_enter_container(m, 'a', "(sss)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(sss)", &uuid, &name, &address)) > 0) {
                if (t->n_members == POOL_MEMBERS_MAX)
                        return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "a pool has at most %d members",
                                          POOL_MEMBERS_MAX);
                PoolMember *more = realloc(t->members, (t->n_members + 1) * sizeof(*more));
                if (!more)
                        return -ENOMEM;
                t->members = more;
                PoolMember *member = &more[t->n_members++];
                bus_text(member->uuid, sizeof(member->uuid), uuid);
                bus_text(member->name, sizeof(member->name), name);
                bus_text(member->address, sizeof(member->address), address);
                if (!*member->uuid && !*member->name)
                        return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage",
                                                "a member of the pool has neither an id nor a name");
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int take_option(sd_bus_message *m, const char *key, Take *t, sd_bus_error *error)
{
        const char *contents, *text;
        char type;
        int value, r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (strcmp(key, "ttl") == 0 && strcmp(contents, "t") == 0) {
                if ((r = sd_bus_message_read(m, "v", "t", &t->ttl_usec)) < 0)
                        return r;
                if (t->ttl_usec < LEASE_TTL_MIN_USEC || t->ttl_usec > LEASE_TTL_MAX_USEC)
                        return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage",
                                                "a lease lasts from 5 s to 10 minutes");
                return 0;
        }
        if (strcmp(key, "expires") == 0 && strcmp(contents, "t") == 0) {
                if ((r = sd_bus_message_read(m, "v", "t", &t->expires_usec)) < 0)
                        return r;
                return t->expires_usec ? 0
                                       : sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage",
                                                          "expires is a time of this node's boot clock");
        }
        if (strcmp(key, "pool") == 0 && strcmp(contents, "s") == 0) {
                if ((r = sd_bus_message_read(m, "v", "s", &text)) < 0)
                        return r;
                bus_text(t->pool, sizeof(t->pool), text);
                t->has_pool = true;
                return 0;
        }
        bool *to = strcmp(key, "accept-out") == 0      ? &t->accept_out
                   : strcmp(key, "members-force") == 0 ? &t->members_force
                                                       : NULL;
        if (!to || strcmp(contents, "b") != 0)
                return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "option %.40s of type %.10s is not known",
                                  key, contents);
        if ((r = sd_bus_message_read(m, "v", "b", &value)) < 0)
                return r;
        *to = value;
        return 0;
}

static int take_options(sd_bus_message *m, Take *t, sd_bus_error *error)
{
        const char *key;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read(m, "s", &key)) < 0 || (r = take_option(m, key, t, error)) < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Do both sides mean the same pool, and all of it? */
static int take_pool(const Take *t, const LeaseSlot *slot, sd_bus_error *error)
{
        const Config *config = t->config;
        char own[POOL_NAME_SIZE], text[400];
        pool_name(config, t->component, &slot->pool, own, sizeof(own));
        if (t->has_pool && *t->pool && strcmp(own, t->pool) != 0)
                return bus_refuse(error, BUS_ERROR_PREFIX "PoolDiffers",
                                  *own ? "this node is of the pool %s, not of %s"
                                       : "which pool this node is of is not known%s, so it is not taken "
                                         "for one of %s",
                                  own, t->pool);
        if (!t->members_force &&
            pool_differs(config, &slot->pool, t->members, t->n_members, text, sizeof(text))) {
                char from[300];
                pool_from(config, &slot->pool, from, sizeof(from));
                return bus_refuse(error, BUS_ERROR_PREFIX "MembersDiffer",
                                  "members of the pool %s that this node knows are not in the list: %s%s%s%s",
                                  own, text, *from ? " (known from: " : "", from, *from ? ")" : "");
        }
        return 0;
}

static int take_answer(const Take *t, LeaseAnswer answer, const LeaseSlot *slot, const Standing *s,
                       sd_bus_error *error)
{
        const Job *job = agent_busy(t->agent);
        if (answer == LEASE_EXPIRED)
                return error_expired(t->expires_usec, error);
        if (answer == LEASE_TAKEN)
                return error_leased(slot, error);
        if (answer == LEASE_OUT)
                return bus_refuse(error, BUS_ERROR_PREFIX "Out", "%s is out of traffic: %s", slot->component,
                                  s->out_reason);
        return bus_refuse(error, BUS_ERROR_PREFIX "Busy", "a %s of %s runs, asked by %s (phase %s)",
                          job ? job_kind(job) : "job", slot->component, job ? job_by(job) : "?",
                          job ? job_phase(job) : "?");
}

/* The list is kept where it is another one than before: it is the same at most rolls. */
static int take_learn(const Take *t, LeaseSlot *slot, Err *err)
{
        bool same = pool_same(&slot->pool, t->members, t->n_members);
        if (same && !slot->pool_changed)
                return 0;
        int r = same ? 0 : pool_learn(&slot->pool, t->members, t->n_members, t->caller.text, time_wall());
        if (r < 0)
                return err_errno(err, r, "the members of the pool");
        slot->pool_changed = true;
        r = pool_write(t->config->state_dir, slot->component, &slot->pool, err);
        slot->pool_changed = r < 0;
        return r;
}

/* Everything is known: decided and written in one go. Return: 0, answered; a negative errno with @error set.
 */
static int take_decide(Take *t, sd_bus_error *error)
{
        Agent *a = t->agent;
        LeaseSlot *slot = slot_read(a, t->component->name, error);
        LeaseNode node = lease_node(a, t->component->name);
        Lease lease;
        Standing s;
        Err err = { 0 };

        if (!slot)
                return -EINVAL;
        if (agent_leaving(a))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Leaving",
                                        "the agent is just leaving; call again");
        if (agent_healing(a))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Busy",
                                        HEAL_UNIT " is finishing a job that an agent has left; call again");
        int r = take_pool(t, slot, error);
        if (r < 0)
                return r;
        standing_look(t->config, agent_conns(a), t->component, agent_busy(a), slot->health_port, true, &s);
        node.out = s.out;
        LeaseAsk ask = { .holder = t->holder,
                         .by = t->caller.text,
                         .who = t->caller.who,
                         .root = t->caller.root,
                         .ttl_usec = t->ttl_usec,
                         .accept_out = t->accept_out,
                         .now_wall_usec = time_wall(),
                         .expires_usec = t->expires_usec };
        lease = slot->lease;
        Usec now = time_boot();
        LeaseAnswer answer = lease_take(&lease, &ask, &node, now);
        if (answer != LEASE_OK)
                return take_answer(t, answer, slot, &s, error);
        if ((r = take_learn(t, slot, &err)) < 0 ||
            (r = leases_write(agent_leases(a), slot, &lease, &err)) < 0)
                return bus_error(error, r, &err);
        lease_log(LOG_INFO, slot, "taken", "");
        (void) agent_ticket_aside(a, t->component->name, "a roll has taken the lease");
        agent_leases_changed(a);
        return sd_bus_reply_method_return(t->message, "ttt", lease.epoch, now, lease.ttl_usec);
}

static void take_on_facts(const Facts *facts, void *userdata)
{
        _cleanup_(take_freep) Take *t = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        LeaseSlot *slot = leases_slot(agent_leases(t->agent), t->component->name);
        if (slot)
                leases_seen(slot, facts->self_known ? &facts->self : NULL, facts->health_port);
        int r = take_decide(t, &error);
        if (r < 0) {
                bus_gate_refused(t->message, &t->caller, error.name, error.message);
                (void) sd_bus_reply_method_errno(t->message, r, &error);
        } else
                bus_gate_obeyed(t->message, &t->caller);
}

int method_lease_take(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        _cleanup_(take_freep) Take *t = calloc(1, sizeof(*t));
        const char *name, *holder;
        FactsCall *facts;
        Err err = { 0 };

        if (!t)
                return -ENOMEM;
        t->agent = a;
        t->caller = *caller;
        t->ttl_usec = LEASE_TTL_DEFAULT_USEC;
        int r = sd_bus_message_read(m, "ss", &name, &holder);
        if (r < 0 || (r = take_members(m, t, error)) < 0 || (r = take_options(m, t, error)) < 0)
                return r;
        if (!*holder || strlen(holder) >= sizeof(t->holder))
                return bus_refuse(error, BUS_ERROR_PREFIX "Usage",
                                  "the holder of a lease is named by 1 to %zu characters",
                                  sizeof(t->holder) - 1);
        bus_text(t->holder, sizeof(t->holder), holder);
        if (agent_reload(a, &err) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", err.text);
        LeaseSlot *slot = slot_read(a, name, error);
        if (!slot)
                return -EINVAL;
        t->config = agent_pin(a);
        t->component = config_component(t->config, name);
        t->message = sd_bus_message_ref(m);
        /* Whom it is part of is mostly known from a Look just before. */
        if (slot->health_port)
                return take_decide(t, error);
        if ((r = bus_ask(a, caller, &t->ask, error)) < 0)
                return r;
        r = facts_gather(agent_http(a), agent_conns(a), t->config, t->component,
                         known_port(t->config, t->component), take_on_facts, t, &facts, &err);
        if (r < 0)
                return bus_error(error, r, &err);
        (void) TAKE_PTR(t);
        return BUS_LATER;
}

/* ---- LeaseRenew, LeaseGive, LeaseSteal ---- */

int method_lease_renew(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name;
        uint64_t epoch;
        Err err = { 0 };
        (void) caller;

        int r = sd_bus_message_read(m, "st", &name, &epoch);
        if (r < 0)
                return r;
        LeaseSlot *slot = slot_read(a, name, error);
        if (!slot)
                return -EINVAL;
        Usec now = time_boot();
        Lease lease = slot->lease;
        if (lease_renew(&lease, epoch, now) != LEASE_OK)
                return error_lost(slot, epoch, error);
        if ((r = leases_write(agent_leases(a), slot, &lease, &err)) < 0)
                return bus_error(error, r, &err);
        agent_leases_changed(a);
        return sd_bus_reply_method_return(m, "tt", now, lease.ttl_usec);
}

int method_lease_give(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name;
        uint64_t epoch;
        Err err = { 0 };
        (void) caller;

        int r = sd_bus_message_read(m, "st", &name, &epoch);
        if (r < 0)
                return r;
        LeaseSlot *slot = slot_read(a, name, error);
        if (!slot)
                return -EINVAL;
        Lease lease = slot->lease;
        if (lease_give(&lease, epoch, time_boot()) != LEASE_OK)
                return error_lost(slot, epoch, error);
        lease_log(LOG_INFO, slot, "given back", "");
        if ((r = leases_write(agent_leases(a), slot, &lease, &err)) < 0)
                return bus_error(error, r, &err);
        r = sd_bus_reply_method_return(m, NULL);
        agent_leases_changed(a);
        return r;
}

int bus_lease_steal(Agent *a, sd_bus_message *m, const char *name, const char *reason,
                    const BusCaller *caller, sd_bus_error *error)
{
        char why[400];
        Err err = { 0 };

        LeaseSlot *slot = slot_read(a, name, error);
        if (!slot)
                return -EINVAL;
        LeaseNode node = lease_node(a, slot->component);
        Lease lease = slot->lease;
        LeaseAnswer answer = lease_steal(&lease, &node, time_boot());
        if (answer == LEASE_BUSY)
                return bus_refuse(error, BUS_ERROR_PREFIX "Busy",
                                  "a %s of %s runs, and is past the point where it may go out (phase %s): "
                                  "nobody else gets its lease before it ends",
                                  job_kind(agent_busy(a)), slot->component, job_phase(agent_busy(a)));
        if (answer != LEASE_OK)
                return bus_refuse(error, BUS_ERROR_PREFIX "NotLeased", "nobody has the lease of %s",
                                  slot->component);
        bus_text(why, sizeof(why), reason);
        char by[600];
        (void) snprintf(by, sizeof(by), "%s (%.380s)", caller->text, why);
        lease_log(LOG_WARNING, slot, "taken away", by);
        int r = leases_write(agent_leases(a), slot, &lease, &err);
        if (r < 0)
                return bus_error(error, r, &err);
        r = sd_bus_reply_method_return(m, NULL);
        agent_leases_changed(a);
        return r;
}

int method_lease_steal(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name, *reason;

        int r = sd_bus_message_read(m, "ss", &name, &reason);
        if (r < 0)
                return r;
        return bus_lease_steal(a, m, name, reason, caller, error);
}

/* ---- orders ---- */

int bus_order_option(sd_bus_message *m, const char *key, BusOrder *o)
{
        const struct {
                const char *key;
                uint64_t *to;
                bool *has;
        } options[] = {
                { "lease", &o->lease, &o->has_lease },
                { "lease-partner", &o->lease_partner, &o->has_partner },
                { "step", &o->step, &o->has_step },
                { "expires", &o->expires, &o->has_expires },
        };
        for (size_t i = 0; i < ELEMENTS(options); i++)
                if (strcmp(options[i].key, key) == 0) {
                        int r = sd_bus_message_read(m, "t", options[i].to);
                        *options[i].has = r >= 0;
                        return r < 0 ? r : 1;
                }
        return 0;
}

/* The slots of what goes out: the component, and what goes with it. Return: how many; negative errno. */
static int order_slots(Agent *a, const Component *c, RollKind kind, LeaseSlot *ret[2], sd_bus_error *error)
{
        ret[0] = slot_read(a, c->name, error);
        if (!ret[0])
                return -EINVAL;
        if (kind != ROLL_RESTART_RMP)
                return 1;
        ret[1] = slot_read(a, c->partner, error);
        return ret[1] ? 2 : -EINVAL;
}

static int order_error(LeaseAnswer answer, const LeaseSlot *slot, uint64_t epoch, const BusOrder *order,
                       sd_bus_error *error)
{
        switch (answer) {
        case LEASE_EXPIRED:
                return error_expired(order->expires, error);
        case LEASE_ABSURD:
                return bus_refuse(error, BUS_ERROR_PREFIX "Usage",
                                  "steps have numbers up to %" PRIu64 ", not %" PRIu64, LEASE_STEP_MAX,
                                  order->step);
        case LEASE_STALE:
                return bus_refuse(error, BUS_ERROR_PREFIX "StaleStep",
                                  "step %" PRIu64 " of lease %" PRIu64 " is over: step %" PRIu64
                                  " was begun since, and nothing is done",
                                  order->step, epoch, slot->lease.step);
        default:
                return error_lost(slot, epoch, error);
        }
}

static bool job_is_step(const Job *job, const char *component, const char *roll, uint64_t step)
{
        return job && job_options(job)->lease && strcmp(job_options(job)->roll, roll) == 0 &&
               job_options(job)->step == step && job_concerns(job, component);
}

/* The last step once more. Return: 0 (it never began: begin it, or @ret_job); a negative errno with @error
 * set: it is over. */
static int order_again(Agent *a, const LeaseSlot *slot, const BusOrder *order, Job **ret_job,
                       sd_bus_error *error)
{
        Job *job = agent_job(a);
        char name[128];
        cJSON *last = NULL;

        if (job_is_step(job, slot->component, slot->lease.holder, order->step)) {
                *ret_job = job;
                return 0;
        }
        (void) snprintf(name, sizeof(name), "last-%s.json", slot->component);
        if (state_read(agent_config(a)->state_dir, name, &last, NULL, NULL) < 0)
                return 0;
        const char *roll = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "roll"));
        const char *result = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(last, "result"));
        uint64_t step = UINT64_MAX;
        int r = 0;
        if (roll && strcmp(roll, slot->lease.holder) == 0 &&
            json_get_whole(last, "step", LEASE_STEP_MAX, &step, NULL) == 0 && step == order->step)
                r = bus_refuse(error, BUS_ERROR_PREFIX "StaleStep",
                               "step %" PRIu64 " of %s is over, with the result %s, and is not done twice",
                               order->step, slot->lease.holder, result ? result : "?");
        cJSON_Delete(last);
        return r;
}

static int order_leased(Agent *a, LeaseSlot **slots, int n, JobOptions *options, const BusOrder *order,
                        Job **ret_job, sd_bus_error *error)
{
        Usec now = time_boot();
        Err err = { 0 };
        bool again = false;

        if (!order->has_step || !order->has_expires || (n > 1 && !order->has_partner))
                return sd_bus_error_set(
                        error, BUS_ERROR_PREFIX "Usage",
                        n > 1 ? "with a lease, restart rmp needs lease-partner, step and expires"
                              : "a call with a lease needs step and expires");
        for (int i = 0; i < n; i++) {
                uint64_t epoch = i == 0 ? order->lease : order->lease_partner;
                LeaseAnswer answer =
                        lease_order(&slots[i]->lease, epoch, options->roll, order->step, order->expires, now);
                if (answer != LEASE_OK && answer != LEASE_SAME)
                        return order_error(answer, slots[i], epoch, order, error);
                again = again || (i == 0 && answer == LEASE_SAME);
        }
        int r = again ? order_again(a, slots[0], order, ret_job, error) : 0;
        if (r < 0 || *ret_job)
                return r;
        const Job *job = agent_busy(a);
        if (job || agent_healing(a))
                return bus_refuse(error, BUS_ERROR_PREFIX "Busy", "a %s of %s runs on this node (phase %s)",
                                  job ? job_kind(job) : "job", job ? job_component(job)->name : "it",
                                  job ? job_phase(job) : "healing");
        for (int i = 0; i < n; i++) {
                Lease lease = slots[i]->lease;
                lease_obey(&lease, order->step);
                if ((r = leases_write(agent_leases(a), slots[i], &lease, &err)) < 0)
                        return bus_error(error, r, &err);
        }
        options->lease = order->lease;
        options->lease_partner = n > 1 ? order->lease_partner : 0;
        options->step = order->step;
        (void) snprintf(options->roll, sizeof(options->roll), "%s", slots[0]->lease.holder);
        return 0;
}

int bus_order_check(Agent *a, const Component *c, RollKind kind, JobOptions *options, const BusOrder *order,
                    Job **ret_job, sd_bus_error *error)
{
        LeaseSlot *slots[2];
        Usec now = time_boot();

        if (order->has_expires && now > order->expires)
                return order_error(LEASE_EXPIRED, NULL, 0, order, error);
        if (!order->has_lease) {
                if (order->has_step || order->has_partner)
                        return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage",
                                                "step and lease-partner need a lease");
                if (kind == ROLL_UNDRAIN || kind == ROLL_DRY_RUN || kind == ROLL_DOCTOR)
                        return 0;
        }
        int n = order_slots(a, c, kind, slots, error);
        if (n < 0)
                return n;
        if (order->has_lease)
                return order_leased(a, slots, n, options, order, ret_job, error);
        /* model: LEASE-LOCAL */
        for (int i = 0; i < n; i++)
                if (lease_current(&slots[i]->lease, now))
                        return error_leased(slots[i], error);
        return 0;
}

/* ---- orders about a job that runs ---- */

int bus_order_read(sd_bus_message *m, BusOrder *order, uint64_t *ret_job, bool *ret_has_job,
                   sd_bus_error *error)
{
        const char *key;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read(m, "s", &key)) < 0)
                        return r;
                bool number = sd_bus_message_enter_container(m, 'v', "t") >= 0;
                if (number && ret_job && strcmp(key, "job") == 0) {
                        r = sd_bus_message_read(m, "t", ret_job);
                        *ret_has_job = r >= 0;
                } else
                        r = number ? bus_order_option(m, key, order) : 0;
                if (r < 0)
                        return r;
                if (r == 0)
                        return bus_refuse(error, BUS_ERROR_PREFIX "Usage", "option %.40s is not known here",
                                          key);
                if ((r = sd_bus_message_exit_container(m)) < 0 || (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int order_job_slots(Agent *a, const Job *job, LeaseSlot *ret[2], sd_bus_error *error)
{
        return order_slots(a, job_component(job), roll_kind_from_name(job_kind(job)), ret, error);
}

int bus_order_of_job(Agent *a, const Job *job, const BusOrder *order, bool *ret_again, sd_bus_error *error)
{
        LeaseSlot *slots[2];
        int n = order_job_slots(a, job, slots, error);
        *ret_again = false;
        for (int i = 0; i < n; i++) {
                uint64_t epoch = i == 0 ? order->lease : order->lease_partner;
                LeaseAnswer answer = lease_order(&slots[i]->lease, epoch, job_options(job)->roll, order->step,
                                                 order->expires, time_boot());
                *ret_again = *ret_again || answer == LEASE_SAME;
                if (answer != LEASE_OK && answer != LEASE_SAME)
                        return order_error(answer, slots[i], epoch, order, error);
        }
        return n < 0 ? n : 0;
}

int bus_order_obeyed(Agent *a, const Job *job, const BusOrder *order, sd_bus_error *error)
{
        LeaseSlot *slots[2];
        Err err = { 0 };
        int n = order_job_slots(a, job, slots, error), r;
        for (int i = 0; i < n; i++) {
                Lease lease = slots[i]->lease;
                lease_obey(&lease, order->step);
                if ((r = leases_write(agent_leases(a), slots[i], &lease, &err)) < 0)
                        return bus_error(error, r, &err);
        }
        return n < 0 ? n : 0;
}

void bus_order_undoes(Agent *a, const Job *job, const BusOrder *order)
{
        LeaseSlot *slots[2];
        int n = order_job_slots(a, job, slots, NULL);
        for (int i = 0; i < n; i++) {
                Lease lease = slots[i]->lease;
                lease_obey(&lease, order->step);
                leases_keep(agent_leases(a), slots[i], &lease);
        }
}

int bus_order_late(const BusOrder *order, sd_bus_error *error)
{
        return order->has_expires && time_boot() > order->expires ? error_expired(order->expires, error) : 0;
}

/* ---- the word ---- */

int method_go(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        BusOrder order = { 0 };
        (void) caller;
        const char *name;
        bool again;
        Err err = { 0 };

        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0 || (r = bus_order_read(m, &order, NULL, NULL, error)) < 0)
                return r;
        if (!order.has_lease || !order.has_step || !order.has_expires)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", "Go needs lease, step and expires");
        Job *job = agent_busy(a);
        RollKind kind = job ? roll_kind_from_name(job_kind(job)) : ROLL_KIND_INVALID;
        if (!job || !job_options(job)->lease ||
            (!job_concerns(job, name) && !(kind == ROLL_RESTART_RMP && strcmp(name, CONFIG_RMP) == 0)))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "NoJob", "no job of a roll runs");
        if ((r = bus_order_of_job(a, job, &order, &again, error)) < 0)
                return r;
        /* Of an agent that has died over it, perhaps: then its job still waits. */
        if (again && !job_awaits_go(job))
                return sd_bus_reply_method_return(m, NULL);
        if ((r = bus_order_obeyed(a, job, &order, error)) < 0)
                return r;
        if (job_go(job, &err) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "TooLate", err.text);
        return sd_bus_reply_method_return(m, NULL);
}
