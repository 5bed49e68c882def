/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/version.h"
#include "tests/lib/fake-agent-impl.h"

int fake_refuse(sd_bus_message *m, const char *error, const char *text)
{
        char name[64];
        (void) snprintf(name, sizeof(name), ERROR "%s", error);
        return sd_bus_reply_method_errorf(m, name, "%s", text);
}

static int reply_json(sd_bus_message *m, cJSON *o)
{
        char *text = cJSON_PrintUnformatted(o);
        cJSON_Delete(o);
        int r = sd_bus_reply_method_return(m, "s", text_of(text));
        free(text);
        return r;
}

static cJSON *job_json(const FakeJob *j)
{
        if (!j || j->over)
                return cJSON_CreateNull();
        cJSON *o = cJSON_CreateObject();
        fake_job_names(j, o);
        cJSON_AddNumberToObject(o, "id", (double) j->id);
        cJSON_AddStringToObject(o, "phase", phase_name(j->phase));
        cJSON_AddStringToObject(o, "awaiting", "");
        cJSON_AddNumberToObject(o, "elapsed", time_sec(time_now() - j->begun));
        cJSON_AddStringToObject(o, "by", j->by);
        cJSON_AddStringToObject(o, "reason", j->reason);
        cJSON_AddBoolToObject(o, "cancellable", j->phase < PHASE_STOP);
        cJSON_AddBoolToObject(o, "awaiting_go", j->phase == PHASE_PLACE && j->await_go && !j->gone_ahead);
        return o;
}

static cJSON *lease_json(const Lease *l)
{
        Usec now = time_boot();
        char stamp[32];
        if (!lease_current(l, now))
                return cJSON_CreateNull();
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "epoch", (double) l->epoch);
        cJSON_AddStringToObject(o, "holder", l->holder);
        cJSON_AddStringToObject(o, "by", l->by);
        cJSON_AddStringToObject(o, "since", time_stamp(l->since_wall_usec, stamp, sizeof(stamp)));
        cJSON_AddNumberToObject(o, "left", time_sec(lease_left(l, now)));
        return o;
}

static void look_who(FakeAgent *a, const FakePart *p, cJSON *o)
{
        char now[32];
        (void) snprintf(now, sizeof(now), "%" PRIu64, time_boot());
        cJSON_AddStringToObject(o, "component", p->component);
        cJSON_AddStringToObject(o, "version", a->s.version ? a->s.version : EDGE_ROLL_VERSION);
        cJSON_AddNumberToObject(o, "protocol", 1);
        cJSON_AddStringToObject(o, "now", now);
        cJSON_AddStringToObject(o, "uuid", text_of(p->uuid));
        cJSON_AddStringToObject(o, "region", text_of(p->region));
        cJSON_AddStringToObject(o, "pod", text_of(p->pod));
        cJSON_AddStringToObject(o, "pool", text_of(p->pool));
        cJSON_AddStringToObject(o, "address", text_of(p->address));
        cJSON *members = cJSON_AddArrayToObject(o, "members");
        for (size_t i = 0; i < p->n_members; i++) {
                cJSON *one = cJSON_CreateObject();
                cJSON_AddStringToObject(one, "uuid", text_of(p->members[i].uuid));
                cJSON_AddStringToObject(one, "name", text_of(p->members[i].name));
                cJSON_AddStringToObject(one, "address", text_of(p->members[i].address));
                cJSON_AddItemToArray(members, one);
        }
        cJSON_AddStringToObject(o, "members_from", text_of(p->members_from));
        cJSON_AddStringToObject(o, "lock", a->s.lock ? a->s.lock : "lease");
        cJSON_AddStringToObject(o, "lock_text", text_of(a->s.lock_text));
        cJSON_AddBoolToObject(o, "may_change", !a->s.may_not_change);
        cJSON_AddNumberToObject(o, "request_limit", 57);
        cJSON_AddNumberToObject(o, "took", p->took);
        cJSON_AddStringToObject(o, "partner", text_of(p->partner));
        if (p->router_retry)
                cJSON_AddStringToObject(o, "router_retry", p->router_retry);
        else
                cJSON_AddNullToObject(o, "router_retry");
}

static int call_look(FakeAgent *a, sd_bus_message *m)
{
        const char *component;
        if (sd_bus_message_read(m, "s", &component) < 0)
                return -EINVAL;
        const FakePart *p = fake_part(a, component);
        if (!p)
                return fake_refuse(m, "NoSuchComponent", "there is no such component");
        FakeSlot *slot = fake_slot(a, component);
        cJSON *o = cJSON_CreateObject();
        bool stopped = fake_stopped(a, p);
        look_who(a, p, o);
        cJSON_AddNumberToObject(o, "health_port", p->health_port);
        cJSON_AddBoolToObject(o, "running", !stopped);
        cJSON_AddBoolToObject(o, "up", !stopped && !p->not_up);
        cJSON_AddStringToObject(o, "up_text", stopped || p->not_up ? "does not answer" : "");
        cJSON_AddStringToObject(o, "blocked", fake_blocked(a, p));
        cJSON_AddItemToObject(o, "hold",
                              slot->held ? cJSON_Parse("{\"by\":\"a test\",\"reason\":\"\"}")
                                         : cJSON_CreateNull());
        cJSON_AddItemToObject(o, "job",
                              fake_concerns(a->job, component) ? job_json(a->job) : cJSON_CreateNull());
        cJSON_AddItemToObject(o, "last", slot->last ? cJSON_Duplicate(slot->last, true) : cJSON_CreateNull());
        cJSON_AddBoolToObject(o, "out", *fake_out(a, p) != '\0');
        cJSON_AddStringToObject(o, "out_reason", fake_out(a, p));
        cJSON_AddItemToObject(o, "lease", lease_json(&slot->lease));
        return reply_json(m, o);
}

static int call_status(FakeAgent *a, sd_bus_message *m)
{
        cJSON *o = cJSON_CreateObject(), *agent = cJSON_AddObjectToObject(o, "agent");
        cJSON_AddStringToObject(agent, "version", a->s.version ? a->s.version : EDGE_ROLL_VERSION);
        cJSON_AddNumberToObject(agent, "pid", 1000 + a->process);
        cJSON_AddItemToObject(o, "job", job_json(a->job));
        cJSON *last = cJSON_AddArrayToObject(o, "last"),
              *components = cJSON_AddArrayToObject(o, "components");
        for (size_t i = 0; i < a->s.n_parts; i++) {
                const FakePart *p = &a->s.parts[i];
                if (a->slots[i].last)
                        cJSON_AddItemToArray(last, cJSON_Duplicate(a->slots[i].last, true));
                cJSON *c = cJSON_CreateObject();
                cJSON_AddStringToObject(c, "name", p->component);
                cJSON_AddNumberToObject(c, "health_port", p->health_port);
                cJSON_AddBoolToObject(c, "running", !fake_stopped(a, p));
                cJSON_AddStringToObject(c, "blocked", fake_blocked(a, p));
                cJSON_AddItemToArray(components, c);
        }
        return reply_json(m, o);
}

/* What a caller may say besides. */
typedef struct FakeOptions {
        uint64_t lease, partner, step, expires, ttl, wait, job;
        bool has_lease, has_step, has_expires, has_job, await_go, accept_out, members_force, if_needed;
        char pool[96], roll[96], reason[96];
} FakeOptions;

static int options_read(sd_bus_message *m, FakeOptions *o)
{
        const char *key, *contents, *text;
        char type;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}"), flag;
        *o = (FakeOptions){ .ttl = LEASE_TTL_DEFAULT_USEC };
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                uint64_t number = 0;
                flag = 0;
                text = "";
                if ((r = sd_bus_message_read(m, "s", &key)) < 0 ||
                    (r = sd_bus_message_peek_type(m, &type, &contents)) < 0)
                        return r;
                r = *contents == 't'   ? sd_bus_message_read(m, "v", "t", &number)
                    : *contents == 'b' ? sd_bus_message_read(m, "v", "b", &flag)
                    : *contents == 's' ? sd_bus_message_read(m, "v", "s", &text)
                                       : sd_bus_message_skip(m, "v");
                if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0)
                        return r;
                if (strcmp(key, "lease") == 0)
                        o->lease = number, o->has_lease = true;
                else if (strcmp(key, "lease-partner") == 0)
                        o->partner = number;
                else if (strcmp(key, "step") == 0)
                        o->step = number, o->has_step = true;
                else if (strcmp(key, "expires") == 0)
                        o->expires = number, o->has_expires = true;
                else if (strcmp(key, "job") == 0)
                        o->job = number, o->has_job = true;
                else if (strcmp(key, "ttl") == 0)
                        o->ttl = number;
                else if (strcmp(key, "await-go") == 0)
                        o->await_go = flag;
                else if (strcmp(key, "if-needed") == 0)
                        o->if_needed = flag;
                else if (strcmp(key, "accept-out") == 0)
                        o->accept_out = flag;
                else if (strcmp(key, "members-force") == 0)
                        o->members_force = flag;
                else if (strcmp(key, "pool") == 0)
                        (void) snprintf(o->pool, sizeof(o->pool), "%.95s", text);
                else if (strcmp(key, "roll") == 0)
                        (void) snprintf(o->roll, sizeof(o->roll), "%.95s", text);
                else if (strcmp(key, "reason") == 0)
                        (void) snprintf(o->reason, sizeof(o->reason), "%.95s", text);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Does @uuid belong to the pool, as far as the script says? */
static bool member_known(const FakePart *p, const char *uuid)
{
        for (size_t i = 0; i < p->n_members; i++)
                if (strcmp(text_of(p->members[i].uuid), uuid) == 0)
                        return true;
        return p->n_members == 0 || strcmp(text_of(p->uuid), uuid) == 0;
}

static LeaseNode lease_node(FakeAgent *a, const FakePart *p)
{
        LeaseNode node = { .out = *fake_out(a, p) != '\0' };
        if (fake_concerns(a->job, p->component) && !a->job->over) {
                node.job_holder = a->job->lease ? a->job->roll : "";
                node.job_placed = fake_placed(a->job);
        }
        return node;
}

static int call_lease_take(FakeAgent *a, sd_bus_message *m)
{
        const char *component, *holder, *uuid, *name, *address;
        char text[400] = "", who[300];
        size_t n = 0;
        FakeOptions o;
        int r = sd_bus_message_read(m, "ss", &component, &holder);
        FakePart *p = r >= 0 ? fake_part(a, component) : NULL;
        if (!p)
                return fake_refuse(m, "NoSuchComponent", "there is no such component");
        if ((r = sd_bus_message_enter_container(m, 'a', "(sss)")) < 0)
                return r;
        while ((r = sd_bus_message_read(m, "(sss)", &uuid, &name, &address)) > 0) {
                n++;
                if (!member_known(p, uuid) && !*text)
                        (void) snprintf(text, sizeof(text), "%.100s (%.60s) is not known here as a member",
                                        name, uuid);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(m)) < 0 || (r = options_read(m, &o)) < 0)
                return r;
        if (a->s.before && o.has_expires)
                return fake_refuse(m, "Usage", "option expires of type t is not known");
        if (a->s.may_not_change)
                return fake_refuse(m, "NoPermission", "only root and members of the group edge-roll may");
        if (*o.pool && strcmp(o.pool, text_of(p->pool)) != 0)
                return fake_refuse(m, "PoolDiffers", "this node belongs to another pool");
        if (!o.members_force && p->n_members && n < p->n_members && !*text)
                (void) snprintf(text, sizeof(text), "%zu members are known here, and %zu were told",
                                p->n_members, n);
        if (*text && !o.members_force)
                return fake_refuse(m, "MembersDiffer", text);
        FakeSlot *slot = fake_slot(a, component);
        LeaseNode node = lease_node(a, p);
        LeaseAsk ask = { .holder = holder,
                         .by = "uid 0 (root)",
                         .ttl_usec = a->s.ttl_usec ? a->s.ttl_usec : o.ttl,
                         .accept_out = o.accept_out,
                         .now_wall_usec = time_wall(),
                         .expires_usec = o.expires };
        Usec now = time_boot();
        switch (lease_take(&slot->lease, &ask, &node, now)) {
        case LEASE_OK:
                fake_agent_pulse(a);
                return sd_bus_reply_method_return(m, "ttt", slot->lease.epoch, now, slot->lease.ttl_usec);
        case LEASE_TAKEN:
                (void) snprintf(text, sizeof(text), "%.40s is leased by the roll %.300s", component,
                                lease_text(&slot->lease, now, who, sizeof(who)));
                return fake_refuse(m, "Leased", text);
        case LEASE_EXPIRED:
                return fake_refuse(m, "Expired", "the call was too long on its way");
        case LEASE_BUSY:
                return fake_refuse(m, "Busy", "a job runs");
        case LEASE_OUT:
                return fake_refuse(m, "Out", fake_out(a, p));
        default:
                return fake_refuse(m, "Failed", "the lease cannot be had");
        }
}

static int call_lease_renew(FakeAgent *a, sd_bus_message *m, bool give)
{
        const char *component;
        uint64_t epoch;
        if (sd_bus_message_read(m, "st", &component, &epoch) < 0)
                return -EINVAL;
        FakeSlot *slot = fake_slot(a, component);
        Usec now = time_boot();
        if (!slot)
                return fake_refuse(m, "NoSuchComponent", "there is no such component");
        if ((give ? lease_give(&slot->lease, epoch, now) : lease_renew(&slot->lease, epoch, now)) != LEASE_OK)
                return fake_refuse(m, "LeaseLost", "that lease is not in force");
        return give ? sd_bus_reply_method_return(m, NULL)
                    : sd_bus_reply_method_return(m, "tt", now, slot->lease.ttl_usec);
}

/* Return: 0: obeyed; 1: the same step again; a refusal was sent: 2. */
static int order_check(FakeAgent *a, sd_bus_message *m, const char *component, const FakeOptions *o)
{
        FakeSlot *slot = fake_slot(a, component);
        Usec now = time_boot();
        if (!o->has_lease) {
                if (!lease_current(&slot->lease, now))
                        return 0;
                (void) fake_refuse(m, "Leased", "it is leased");
                return 2;
        }
        if (!o->has_step || !o->has_expires) {
                (void) fake_refuse(m, "Usage", "a call with a lease needs step and expires");
                return 2;
        }
        switch (lease_order(&slot->lease, o->lease, o->roll, o->step, o->expires, now)) {
        case LEASE_OK:
                lease_obey(&slot->lease, o->step);
                return 0;
        case LEASE_SAME:
                return 1;
        case LEASE_STALE:
                (void) fake_refuse(m, "StaleStep", "a later step was begun since");
                return 2;
        case LEASE_EXPIRED:
                (void) fake_refuse(m, "Expired", "the call was too long on its way");
                return 2;
        default:
                (void) fake_refuse(m, "LeaseLost", "that lease is not in force");
                return 2;
        }
}

static int call_begin(FakeAgent *a, sd_bus_message *m, const char *kind)
{
        const char *component;
        char path[96];
        FakeOptions o;
        if (sd_bus_message_read(m, "s", &component) < 0 || options_read(m, &o) < 0)
                return -EINVAL;
        bool rmp = strcmp(component, "rmp") == 0 && a->s.n_parts == 2;
        const char *lead = rmp ? a->s.parts[0].component : component;
        if (!fake_part(a, lead))
                return fake_refuse(m, "NoSuchComponent", "there is no such component");
        if (a->s.may_not_change)
                return fake_refuse(m, "NoPermission", "only root and members of the group edge-roll may");
        int again = order_check(a, m, lead, &o);
        if (again == 2)
                return 0;
        bool same = a->job && o.has_lease && a->job->step == o.step && strcmp(a->job->roll, o.roll) == 0;
        if (again == 1 && same) {
                fake_job_path(a->job, path, sizeof(path));
                return sd_bus_reply_method_return(m, "ob", path, 1);
        }
        if (again == 1)
                return fake_refuse(m, "StaleStep", "that step is over");
        if (o.has_expires && time_boot() > o.expires)
                return fake_refuse(m, "Expired", "the call was too long on its way");
        /* As for an order with a lease that comes again, but of anybody. */
        if (a->job && !a->job->over && !o.has_lease && fake_concerns(a->job, lead) &&
            strcmp(a->job->kind, rmp ? "restart-rmp" : kind) == 0) {
                fake_job_path(a->job, path, sizeof(path));
                return sd_bus_reply_method_return(m, "ob", path, 1);
        }
        if (a->job && !a->job->over)
                return fake_refuse(m, "Busy", "a job runs");
        FakeJob *j = fake_job_new(a, lead, rmp ? "restart-rmp" : kind);
        j->step = o.step;
        j->lease = o.lease;
        j->partner_lease = o.partner;
        j->await_go = o.await_go;
        j->if_needed = o.if_needed;
        (void) snprintf(j->roll, sizeof(j->roll), "%s", o.roll);
        (void) snprintf(j->reason, sizeof(j->reason), "%s", o.reason);
        (void) snprintf(j->by, sizeof(j->by), "uid 0 (root)");
        fake_job_path(j, path, sizeof(path));
        int r = sd_bus_reply_method_return(m, "ob", path, 0);
        fake_job_tell_begin(a);
        fake_job_timer_set(a);
        return r;
}

static int call_go(FakeAgent *a, sd_bus_message *m)
{
        const char *component;
        FakeOptions o;
        if (sd_bus_message_read(m, "s", &component) < 0 || options_read(m, &o) < 0)
                return -EINVAL;
        const char *lead = strcmp(component, "rmp") == 0 ? a->s.parts[0].component : component;
        FakeJob *j = a->job;
        if (!fake_part(a, lead))
                return fake_refuse(m, "NoSuchComponent", "there is no such component");
        if (!j || j->over || !fake_concerns(j, lead))
                return fake_refuse(m, "NoJob", "no job runs");
        int again = order_check(a, m, lead, &o);
        if (again == 2)
                return 0;
        j->gone_ahead = true;
        int r = sd_bus_reply_method_return(m, NULL);
        if (j->phase == PHASE_PLACE)
                fake_job_step(a);
        return r;
}

static int call_cancel(FakeAgent *a, sd_bus_message *m, bool named)
{
        const char *component, *reason;
        FakeOptions o = { 0 };
        if (sd_bus_message_read(m, "ss", &component, &reason) < 0 || (named && options_read(m, &o) < 0) ||
            (named && !o.has_expires) || (named && !o.has_lease && !o.has_job))
                return -EINVAL;
        FakeJob *j = a->job;
        if (!j || j->over || (o.has_lease && !j->lease) || (o.has_job && o.job != j->id))
                return fake_refuse(m, "NoJob", "no job runs");
        if (named && time_boot() > o.expires)
                return fake_refuse(m, "Expired", "the call was too long on its way");
        if (o.has_lease && order_check(a, m, j->component, &o) == 2)
                return 0;
        if (j->phase >= PHASE_STOP)
                return fake_refuse(m, "TooLate", "cannot be undone, will finish");
        int r = sd_bus_reply_method_return(m, NULL);
        j->cancelled = true;
        fake_job_step(a);
        return r;
}

static int call_current(FakeAgent *a, sd_bus_message *m)
{
        const char *component;
        char path[96];
        if (sd_bus_message_read(m, "s", &component) < 0)
                return -EINVAL;
        if (!a->job || (*component && strcmp(component, "rmp") != 0 && !fake_concerns(a->job, component)))
                return fake_refuse(m, "NoJob", "no job runs");
        fake_job_path(a->job, path, sizeof(path));
        return sd_bus_reply_method_return(m, "o", path);
}

static int call_events(FakeAgent *a, sd_bus_message *m)
{
        const FakeJob *j = a->job;
        sd_bus_message *reply = NULL;
        uint64_t from;
        char path[96];
        if (sd_bus_message_read(m, "t", &from) < 0)
                return -EINVAL;
        if (j)
                fake_job_path(j, path, sizeof(path));
        if (!j || strcmp(path, sd_bus_message_get_path(m)) != 0)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object.");
        int r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "t", (uint64_t) j->n_events);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (; r >= 0 && from < j->n_events; from++)
                r = sd_bus_message_append(reply, "s", j->events[from]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        (void) sd_bus_message_unref(reply);
        return r;
}

static int call_steal(FakeAgent *a, sd_bus_message *m)
{
        const char *component, *reason;
        if (sd_bus_message_read(m, "ss", &component, &reason) < 0)
                return -EINVAL;
        FakeSlot *slot = fake_slot(a, component);
        if (!slot)
                return fake_refuse(m, "NoSuchComponent", "there is no such component");
        LeaseNode node = lease_node(a, fake_part(a, component));
        switch (lease_steal(&slot->lease, &node, time_boot())) {
        case LEASE_OK:
                return sd_bus_reply_method_return(m, NULL);
        case LEASE_BUSY:
                return fake_refuse(m, "Busy", "a job is past place");
        default:
                return fake_refuse(m, "NotLeased", "nobody has it");
        }
}

static int call_do(FakeAgent *a, sd_bus_message *m, const char *member)
{
        if (strcmp(member, "Look") == 0)
                return call_look(a, m);
        if (strcmp(member, "Status") == 0)
                return call_status(a, m);
        if (strcmp(member, "LeaseTake") == 0)
                return call_lease_take(a, m);
        if (strcmp(member, "LeaseRenew") == 0 || strcmp(member, "LeaseGive") == 0)
                return call_lease_renew(a, m, member[5] == 'G');
        if (strcmp(member, "LeaseSteal") == 0)
                return call_steal(a, m);
        if (strcmp(member, "Restart") == 0)
                return call_begin(a, m, "restart");
        if (strcmp(member, "Drain") == 0)
                return call_begin(a, m, "drain");
        if (strcmp(member, "Undrain") == 0)
                return call_begin(a, m, "undrain");
        if (strcmp(member, "Go") == 0)
                return call_go(a, m);
        if (strcmp(member, "Cancel") == 0)
                return call_cancel(a, m, false);
        if (strcmp(member, "CancelJob") == 0 && !a->s.before)
                return call_cancel(a, m, true);
        if (strcmp(member, "CurrentJob") == 0)
                return call_current(a, m);
        if (strcmp(member, "Events") == 0)
                return call_events(a, m);
        if (strcmp(member, "Introduce") == 0)
                return sd_bus_reply_method_return(m, NULL);
        if (strcmp(member, "Needed") == 0)
                return sd_bus_reply_method_return(
                        m, "s",
                        "{\"needed\":\"yes\",\"reasons\":[\"as scripted\"],\"seen\":[],\"unseen\":[]}");
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown method %s", member);
}

void fake_call_dispatch(FakeAgent *a, sd_bus_message *m)
{
        const char *member = sd_bus_message_get_member(m);
        if (a->s.hook && a->s.hook(a, m, member, a->s.userdata))
                return;
        if (call_do(a, m, member) == -EINVAL)
                (void) fake_refuse(m, "Usage", "the arguments are not understood");
}

void fake_call_free(FakeCall *c)
{
        for (FakeCall **p = &c->agent->calls; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        c->timer = sd_event_source_unref(c->timer);
        c->m = sd_bus_message_unref(c->m);
        free(c);
}

static int on_call_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        FakeCall *c = userdata;
        FakeAgent *a = c->agent;
        (void) usec;
        if (a->frozen || a->dead)
                return sd_event_source_set_enabled(s, SD_EVENT_OFF);
        sd_bus_message *m = sd_bus_message_ref(c->m);
        fake_call_free(c);
        fake_call_dispatch(a, m);
        (void) sd_bus_message_unref(m);
        return 0;
}

void fake_call_wait(FakeAgent *a, sd_bus_message *m, Usec usec)
{
        FakeCall *c = calloc(1, sizeof(*c));
        *c = (FakeCall){ .agent = a, .next = a->calls, .m = sd_bus_message_ref(m) };
        a->calls = c;
        (void) sd_event_add_time(a->event, &c->timer, CLOCK_MONOTONIC, time_add(time_now(), usec), 1,
                                 on_call_time, c);
}

void fake_call_count(FakeAgent *a, const char *member)
{
        for (size_t i = 0; i < MEMBERS; i++)
                if (!*a->members[i].name || strcmp(a->members[i].name, member) == 0) {
                        (void) snprintf(a->members[i].name, sizeof(a->members[i].name), "%.23s", member);
                        a->members[i].n++;
                        return;
                }
}
