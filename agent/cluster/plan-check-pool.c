/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The conditions of one pool, and how a finding is written. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/plan-impl.h"

/* ---- findings ---- */

void plan_who_add(PlanWho *w, size_t node)
{
        for (size_t i = 0; i < w->n; i++)
                if (w->nodes[i] == node)
                        return;
        size_t *more = realloc(w->nodes, (w->n + 1) * sizeof(size_t));
        if (!more) {
                w->failed = true;
                return;
        }
        w->nodes = more;
        w->nodes[w->n++] = node;
}

void plan_who_done(PlanWho *w)
{
        free(w->nodes);
}

void plan_list_add(PlanList *l, const char *fmt, ...)
{
        size_t len = strlen(l->text);
        l->n++;
        /* What does not fit is counted. */
        if (len + 100 > sizeof(l->text))
                return;
        if (len > 0)
                len += (size_t) snprintf(l->text + len, sizeof(l->text) - len, "; ");
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(l->text + len, sizeof(l->text) - len, fmt, ap);
        va_end(ap);
        if (n >= (int) (sizeof(l->text) - len))
                (void) snprintf(l->text + sizeof(l->text) - 4, 4, "...");
}

const char *plan_node_name(const PlanMaker *m, size_t node)
{
        return m->plan->nodes[node].node->name;
}

const PlanOverride *plan_override(const PlanMaker *m, PlanCondition c)
{
        for (size_t i = 0; i < m->o->n_overrides; i++)
                if (m->o->overrides[i].condition == c)
                        return &m->o->overrides[i];
        return NULL;
}

int plan_add(PlanMaker *m, PlanCondition c, PlanVerdict verdict, const PlanPool *pool, PlanWho *who,
             const char *hint, const char *fmt, ...)
{
        Plan *p = m->plan;
        const PlanOverride *override = plan_override(m, c);
        /* Asked before the array is moved: what was moved must be kept. */
        PlanFinding *more =
                who && who->failed ? NULL : realloc(p->findings, (p->n_findings + 1) * sizeof(PlanFinding));

        if (!more)
                return err_set(m->err, -ENOMEM, "Out of memory for the plan");
        p->findings = more;
        PlanFinding *f = &more[p->n_findings++];
        *f = (PlanFinding){ .condition = c,
                            .verdict = verdict,
                            .pool_index = pool ? (size_t) (pool - p->pools) : PLAN_NONE };
        if (verdict == PLAN_REFUSE && override && plan_condition_overridable(c)) {
                f->overridden = true;
                (void) snprintf(f->reason, sizeof(f->reason), "%s", override->reason);
        }
        if (pool)
                (void) snprintf(f->pool, sizeof(f->pool), "%.255s",
                                *pool->name ? pool->name : "a pool whose name is not known");
        if (hint)
                (void) snprintf(f->hint, sizeof(f->hint), "%s", hint);
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(f->evidence, sizeof(f->evidence), fmt, ap);
        va_end(ap);
        if (who) {
                f->nodes = TAKE_PTR(who->nodes);
                f->n_nodes = who->n;
        }
        p->refused |= verdict == PLAN_REFUSE && !f->overridden;
        return 0;
}

/* ---- pools ---- */

static bool default_name(const PlanPool *p)
{
        char name[LOOK_TEXT];
        (void) snprintf(name, sizeof(name), "%s/%s/%s", p->component, p->region, p->pod);
        return strcmp(name, p->name) == 0;
}

/* Pools beside each other in one region and pod are fine if somebody named all of them. */
int plan_check_pool_names(PlanMaker *m)
{
        Plan *p = m->plan;
        PlanList list = { 0 };

        for (size_t i = 0; i < p->n_pools; i++)
                for (size_t k = i + 1; k < p->n_pools; k++) {
                        const PlanPool *a = &p->pools[i], *b = &p->pools[k];
                        if (strcmp(a->component, b->component) != 0 || strcmp(a->region, b->region) != 0 ||
                            strcmp(a->pod, b->pod) != 0 ||
                            (!default_name(a) && !default_name(b) && *a->name && *b->name))
                                continue;
                        plan_list_add(&list, "%s: %zu in pool \"%.80s\", %zu in pool \"%.80s\"", a->component,
                                      a->n_members, a->name, b->n_members, b->name);
                }
        if (list.n > 0)
                return plan_add(
                        m, PLAN_C_POOL_NAMES, PLAN_REFUSE, NULL, NULL,
                        "give [pool] name the same value on all nodes behind one load balancer",
                        "nodes of one region and pod tell different pools, so one of each could go out together: "
                        "%s",
                        list.text);
        return plan_add(m, PLAN_C_POOL_NAMES, PLAN_OK, NULL, NULL, NULL, "%zu pool%s, each with one name",
                        p->n_pools, p->n_pools == 1 ? "" : "s");
}

/* What the list of one agent has more or less than the pool as it is known here. */
static void members_differ(PlanMaker *m, const PlanPool *pool, size_t component, size_t node, PlanList *more,
                           PlanList *less)
{
        const NodeLook *l = plan_place(m, component, node)->look;

        for (size_t i = 0; i < l->n_members; i++) {
                bool there = false;
                for (size_t k = 0; k < pool->n_members && !there; k++)
                        there = pool->members[k].node != PLAN_NONE &&
                                plan_same_member(m, &pool->members[k], &l->members[i]);
                if (!there)
                        plan_list_add(more, "%.60s names %.60s", plan_node_name(m, node),
                                      *l->members[i].name      ? l->members[i].name
                                      : *l->members[i].address ? l->members[i].address
                                                               : l->members[i].uuid);
        }
        for (size_t k = 0; k < pool->n_members; k++) {
                bool there = pool->members[k].node == node || pool->members[k].node == PLAN_NONE;
                for (size_t i = 0; i < l->n_members && !there; i++)
                        there = plan_same_member(m, &pool->members[k], &l->members[i]);
                if (!there)
                        plan_list_add(less, "%.60s (%.60s) does not name %.60s", plan_node_name(m, node),
                                      l->members_from, pool->members[k].name);
        }
}

static int check_members(PlanMaker *m, PlanPool *pool, size_t component)
{
        _cleanup_(plan_who_done) PlanWho who = { 0 };
        PlanList more = { 0 }, less = { 0 };
        size_t lists = 0;

        for (size_t i = 0; i < pool->n_members; i++) {
                size_t node = pool->members[i].node;
                const NodeLook *l = node == PLAN_NONE ? NULL : plan_place(m, component, node)->look;
                if (!l || l->n_members == 0)
                        continue;
                size_t before = more.n + less.n;
                lists++;
                if (plan_list_seen(m, component, node))
                        continue;
                members_differ(m, pool, component, node, &more, &less);
                if (more.n + less.n > before)
                        plan_who_add(&who, node);
        }
        pool->members_force = more.n > 0 && plan_override(m, PLAN_C_MEMBERS);
        if (more.n > 0)
                return plan_add(
                        m, PLAN_C_MEMBERS, PLAN_REFUSE, pool, &who,
                        "name them, too (--nodes, inventory): they are asked and kept, not restarted; if they "
                        "are gone for good: --override members=REASON makes the list of this roll the pool's",
                        "there are mates that this list of %zu does not have: %s", pool->n_members,
                        more.text);
        /* Pools grow: the agents learn the longer list from the roll. */
        if (less.n > 0)
                return plan_add(m, PLAN_C_MEMBERS, PLAN_OK, pool, &who, NULL,
                                "%zu members; some agents know fewer and learn this list: %s",
                                pool->n_members, less.text);
        if (lists == 0)
                return plan_add(m, PLAN_C_MEMBERS, PLAN_OK, pool, NULL, NULL,
                                "%zu member%s, no agent knows another list yet", pool->n_members,
                                pool->n_members == 1 ? "" : "s");
        return plan_add(m, PLAN_C_MEMBERS, PLAN_OK, pool, NULL, NULL, "%zu members, %zu agents name the same",
                        pool->n_members, lists);
}

static void list_out(const PlanMaker *m, const PlanPool *pool, PlanList *list, PlanWho *who)
{
        (void) m;
        for (size_t i = 0; i < pool->n_members; i++) {
                const PlanMember *b = &pool->members[i];
                if (b->state == PLAN_SERVING)
                        continue;
                plan_list_add(list, "%.60s %s (%.120s)", b->name,
                              b->state == PLAN_OUT ? "is out" : "does not answer", b->why);
                if (b->node != PLAN_NONE)
                        plan_who_add(who, b->node);
        }
}

static int check_degraded(PlanMaker *m, const PlanPool *pool, const PlanTight *tight)
{
        _cleanup_(plan_who_done) PlanWho who = { 0 };
        PlanList list = { 0 };

        list_out(m, pool, &list, &who);
        if (list.n == 0)
                return plan_add(m, PLAN_C_DEGRADED, PLAN_OK, pool, NULL, NULL, "all %zu serve",
                                pool->n_members);
        if (tight->degraded)
                return plan_add(
                        m, PLAN_C_DEGRADED, PLAN_REFUSE, pool, &who,
                        "restarting those that are out is always allowed: --limit to them; one that is gone for "
                        "good: take it off the lists",
                        "%zu of %zu would be out besides the one restarted, at most %u may be out in all: %s",
                        tight->out_other, pool->n_members, pool->max_unavailable, list.text);
        if (tight->cures)
                return plan_add(
                        m, PLAN_C_DEGRADED, PLAN_WARNING, pool, &who, NULL,
                        "%s; restarting what is out takes nobody out: it goes first, the others follow when it "
                        "serves",
                        list.text);
        if (pool->n_steps == 0)
                return plan_add(m, PLAN_C_DEGRADED, PLAN_WARNING, pool, &who, NULL,
                                "%s; nothing of it is restarted", list.text);
        return plan_add(m, PLAN_C_DEGRADED, PLAN_WARNING, pool, &who, NULL, "%s; up to %u of %zu may be out",
                        list.text, pool->max_unavailable, pool->n_members);
}

static int check_last(PlanMaker *m, const PlanPool *pool, const PlanTight *tight)
{
        const char *happens = strcmp(pool->component, "message-processor") == 0
                                      ? "every request that the routers send to this pool is answered 502"
                                      : "the load balancer has no node to send to and every request fails";

        if (!tight->last)
                return plan_add(m, PLAN_C_LAST_SERVING, PLAN_OK, pool, NULL, NULL,
                                "%zu of %zu serve, never fewer than %zu", pool->serving, pool->n_members,
                                pool->serving_least);
        if (m->o->allow_outage)
                return plan_add(
                        m, PLAN_C_LAST_SERVING, PLAN_WARNING, pool, NULL, NULL,
                        "--allow-outage: nobody else of the pool serves; from the block until the node is ready "
                        "and its checkers are back %s",
                        happens);
        return plan_add(m, PLAN_C_LAST_SERVING, PLAN_REFUSE, pool, NULL,
                        "--allow-outage restarts it all the same, with that outage",
                        "%s: while it is restarted %s",
                        pool->n_members == 1 ? "it is the only node of the pool"
                                             : "nobody else of the pool serves",
                        happens);
}

static int check_max_unavailable(PlanMaker *m, const PlanPool *pool, const PlanTight *tight)
{
        if (tight->clamped)
                return plan_add(
                        m, PLAN_C_MAX_UNAVAILABLE, PLAN_WARNING, pool, NULL, NULL,
                        "%u of %zu at once would leave nobody serving: fewer are taken, one always serves",
                        pool->max_unavailable, pool->n_members);
        return plan_add(m, PLAN_C_MAX_UNAVAILABLE, PLAN_OK, pool, NULL, NULL, "at most %u of %zu out",
                        pool->max_unavailable, pool->n_members);
}

static int check_lock(PlanMaker *m, PlanPool *pool, size_t component)
{
        _cleanup_(plan_who_done) PlanWho bare = { 0 };
        PlanList bare_text = { 0 };
        size_t leases = 0, zookeeper = 0;

        pool->lock = LOOK_LOCK_ZOOKEEPER;
        for (size_t i = 0; i < pool->n_members; i++) {
                size_t node = pool->members[i].node;
                const NodeLook *l = node == PLAN_NONE ? NULL : plan_place(m, component, node)->look;
                if (!l)
                        continue;
                leases += l->lock == LOOK_LOCK_LEASE;
                zookeeper += l->lock == LOOK_LOCK_ZOOKEEPER;
                if (l->lock < pool->lock || !*pool->lock_text) {
                        pool->lock = MIN(pool->lock, l->lock);
                        (void) snprintf(pool->lock_text, sizeof(pool->lock_text), "%s", l->lock_text);
                }
                if (l->lock == LOOK_LOCK_NONE || l->lock == LOOK_LOCK_UNKNOWN) {
                        plan_who_add(&bare, node);
                        plan_list_add(&bare_text, "%.60s: %s%s%.120s", plan_node_name(m, node),
                                      look_lock_name(l->lock), *l->lock_text ? ", " : "", l->lock_text);
                }
        }
        if (leases + zookeeper + bare_text.n == 0)
                pool->lock = LOOK_LOCK_UNKNOWN;
        if (pool->n_members < 2)
                return plan_add(m, PLAN_C_LOCK, PLAN_OK, pool, NULL, NULL, "a pool of one needs none");
        if (bare_text.n > 0)
                return plan_add(m, PLAN_C_LOCK, PLAN_REFUSE, pool, &bare, "[pool] lock = auto on these nodes",
                                "a restart on the node itself would not see this roll: %s", bare_text.text);
        for (size_t i = 0; i < m->o->n_lock_troubles && zookeeper > 0; i++) {
                const PlanTrouble *t = &m->o->lock_troubles[i];
                if (strcmp(t->component, pool->component) == 0 && strcmp(t->pool, pool->name) == 0)
                        return plan_add(
                                m, PLAN_C_LOCK, PLAN_REFUSE, pool, NULL,
                                "edge-roll lock show on one of its nodes; no node goes out without its place",
                                "ZooKeeper keeps the places of this pool, and cannot be asked: %s", t->text);
        }
        if (leases > 0 && zookeeper > 0)
                return plan_add(
                        m, PLAN_C_LOCK, PLAN_WARNING, pool, NULL,
                        "edge-roll lock show on those with leases tells why ZooKeeper is not used there",
                        "%zu by ZooKeeper, %zu by leases only: this roll is covered by its leases on all of them, "
                        "restarts on single nodes are refused where there is no ZooKeeper",
                        zookeeper, leases);
        if (zookeeper > 0)
                return plan_add(m, PLAN_C_LOCK, PLAN_OK, pool, NULL, NULL,
                                "ZooKeeper and the leases of this roll: %.200s", pool->lock_text);
        if (leases > 0)
                return plan_add(m, PLAN_C_LOCK, PLAN_OK, pool, NULL, NULL,
                                "the leases of this roll on %zu members", leases);
        return plan_add(m, PLAN_C_LOCK, PLAN_UNKNOWN, pool, NULL, NULL, "no member answers");
}

int plan_check_pool(PlanMaker *m, size_t at)
{
        PlanPool *pool = &m->plan->pools[at];
        const PlanTight *tight = &m->tight[at];
        size_t component = 0;

        for (size_t c = 0; c < m->n_components; c++)
                if (strcmp(m->components[c], pool->component) == 0)
                        component = c;
        int r = check_members(m, pool, component);
        if (r >= 0)
                r = check_lock(m, pool, component);
        if (r >= 0)
                r = check_degraded(m, pool, tight);
        if (r >= 0)
                r = check_last(m, pool, tight);
        return r < 0 ? r : check_max_unavailable(m, pool, tight);
}
