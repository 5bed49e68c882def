/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which component is where, and who is in a pool with whom. */

#include <stdlib.h>
#include <string.h>

#include "agent/cluster/plan-impl.h"

/* ---- places: which component is where ---- */

PlanPlace *plan_place(const PlanMaker *m, size_t component, size_t node)
{
        return &m->places[component * m->plan->n_nodes + node];
}

static const NodeLook *node_look(const PlanNode *node, const char *component)
{
        for (size_t i = 0; i < node->n_looks; i++)
                if (node->looks[i] && strcmp(node->looks[i]->component, component) == 0)
                        return node->looks[i];
        return NULL;
}

bool plan_reached(const PlanMaker *m, size_t node)
{
        return m->plan->nodes[node].contact == PLAN_REACHED;
}

bool plan_may_change(const PlanMaker *m, size_t node)
{
        const PlanNode *n = &m->plan->nodes[node];
        if (n->contact != PLAN_REACHED)
                return false;
        for (size_t i = 0; i < n->n_looks; i++)
                if (n->looks[i] && n->looks[i]->may_change_known && !n->looks[i]->may_change)
                        return false;
        return true;
}

/*
 * Has the node this component? What it says counts first; what does not run there now is there all the same
 * if it left a trace, if the source says so, or if somebody named the node for just this.
 */
static bool place_here(const PlanMaker *m, size_t component, const PlanNode *n, const NodeLook *look)
{
        const char *name = m->components[component];
        NodeHint hint = nodes_hint(n->node, name);
        bool asked_for = n->node->named && strcmp(m->o->component, name) == 0;

        if (look &&
            (look->running || look->held || look->has_job || look->leased || look->has_last || *look->uuid))
                return true;
        if (n->contact == PLAN_REACHED && !look)
                return false;
        if (asked_for || hint == NODE_HINT_YES)
                return true;
        /*
         * Nobody can say what runs on a node that does not answer: it is thought to have what is asked for,
         * unless it is in groups, others are in groups that are called routers or the like, and it is in none
         * of those.
         */
        return n->contact != PLAN_REACHED && hint == NODE_HINT_NONE && !(m->hinted && n->node->groups[0]);
}

static PlanState place_state(const PlanNode *n, const NodeLook *l, char *why, size_t size)
{
        if (n->contact != PLAN_REACHED || !l) {
                (void) snprintf(why, size, "%.200s", n->trouble ? n->trouble : "it does not answer");
                return PLAN_NOT_KNOWN;
        }
        if (look_serves(l))
                return PLAN_SERVING;
        if (*l->out_reason)
                (void) snprintf(why, size, "%s", l->out_reason);
        else if (l->held)
                (void) snprintf(why, size, "held by %.80s: %.140s", l->hold_by, l->hold_reason);
        else if (!l->running)
                (void) snprintf(why, size, "it does not run");
        else if (!l->up)
                (void) snprintf(why, size, "it is not up: %.200s",
                                *l->up_text ? l->up_text : "no reason given");
        else
                (void) snprintf(why, size, "its checkers are refused (%s)", l->blocked_text);
        return PLAN_OUT;
}

static const char *place_region(const PlanMaker *m, size_t component, size_t node, bool pod)
{
        const NodeLook *l = plan_place(m, component, node)->look;
        const NodeServer *s = nodes_server(m->plan->nodes[node].node, m->components[component]);
        const char *told = !l ? "" : pod ? l->pod : l->region;
        return *told ? told : !s ? "" : pod ? s->pod : s->region;
}

/* What is not known is not elsewhere. */
static bool place_elsewhere(const PlanMaker *m, size_t component, size_t node)
{
        const char *region = place_region(m, component, node, false),
                   *pod = place_region(m, component, node, true);
        return (m->o->region && *region && strcmp(m->o->region, region) != 0) ||
               (m->o->pod && *pod && strcmp(m->o->pod, pod) != 0);
}

/* One server under two names is one member: the selected one, else the first, stands for both. */
static void places_find_twins(PlanMaker *m)
{
        size_t n = m->plan->n_nodes;
        for (size_t c = 0; c < m->n_components; c++)
                for (size_t i = 0; i < n; i++) {
                        PlanPlace *a = plan_place(m, c, i);
                        for (size_t k = 0; k < i && a->look && *a->look->uuid; k++) {
                                PlanPlace *b = plan_place(m, c, k);
                                if (!a->here || !b->here || b->twin != PLAN_NONE || !b->look ||
                                    strcmp(a->look->uuid, b->look->uuid) != 0)
                                        continue;
                                if (a->selected && !b->selected)
                                        b->twin = i;
                                else
                                        a->twin = k;
                                break;
                        }
                }
}

size_t plan_listed(const PlanMaker *m, const PlanOnly *list, size_t n, size_t component, size_t node)
{
        const char *name = m->components[component];
        const NodeLook *look = plan_place(m, component, node)->look;
        const NodeServer *server = nodes_server(m->plan->nodes[node].node, name);
        const char *uuid = look && *look->uuid ? look->uuid : server ? server->uuid : "";
        size_t i = 0;
        while (i < n && (strcmp(list[i].component, name) != 0 || !*uuid || strcmp(list[i].uuid, uuid) != 0))
                i++;
        return i;
}

void plan_places(PlanMaker *m)
{
        for (size_t i = 0; i < m->plan->n_nodes; i++)
                m->hinted |= nodes_hint(m->plan->nodes[i].node, "router") == NODE_HINT_YES ||
                             nodes_hint(m->plan->nodes[i].node, "message-processor") == NODE_HINT_YES;
        for (size_t c = 0; c < m->n_components; c++)
                for (size_t i = 0; i < m->plan->n_nodes; i++) {
                        const PlanNode *n = &m->plan->nodes[i];
                        PlanPlace *p = plan_place(m, c, i);
                        p->look = node_look(n, m->components[c]);
                        p->here = place_here(m, c, n, p->look);
                        p->pool = p->twin = PLAN_NONE;
                        p->state = place_state(n, p->look, p->why, sizeof(p->why));
                        p->selected = p->here && n->node->selected && !place_elsewhere(m, c, i) &&
                                      (!m->o->only ||
                                       plan_listed(m, m->o->only, m->o->n_only, c, i) < m->o->n_only);
                }
        places_find_twins(m);
}

/* ---- pools ---- */

static int pool_get(PlanMaker *m, size_t component, const char *name, size_t *ret)
{
        Plan *p = m->plan;
        for (size_t i = 0; i < p->n_pools; i++)
                if (strcmp(p->pools[i].component, m->components[component]) == 0 &&
                    strcmp(p->pools[i].name, name) == 0) {
                        *ret = i;
                        return 0;
                }
        PlanPool *more = realloc(p->pools, (p->n_pools + 1) * sizeof(PlanPool));
        if (!more)
                return plan_no_memory(m->err);
        p->pools = more;
        PlanPool *pool = &more[p->n_pools];
        *pool = (PlanPool){ 0 };
        (void) snprintf(pool->component, sizeof(pool->component), "%s", m->components[component]);
        (void) snprintf(pool->name, sizeof(pool->name), "%s", name);
        *ret = p->n_pools++;
        return 0;
}

static PlanMember *pool_add(PlanMaker *m, PlanPool *pool)
{
        PlanMember *more = realloc(pool->members, (pool->n_members + 1) * sizeof(PlanMember));
        if (!more)
                return (void) plan_no_memory(m->err), NULL;
        pool->members = more;
        more[pool->n_members] = (PlanMember){ .node = PLAN_NONE, .state = PLAN_NOT_KNOWN, .step = PLAN_NONE };
        return &more[pool->n_members++];
}

static int pool_add_node(PlanMaker *m, size_t component, size_t node, size_t at)
{
        PlanPool *pool = &m->plan->pools[at];
        PlanPlace *place = plan_place(m, component, node);
        const Node *n = m->plan->nodes[node].node;
        const NodeServer *server = nodes_server(n, m->components[component]);

        for (size_t i = 0; i < pool->n_members; i++)
                if (pool->members[i].node == node)
                        return 0;
        PlanMember *member = pool_add(m, pool);
        if (!member)
                return -ENOMEM;
        member->node = node;
        member->state = place->state;
        member->selected = place->selected;
        (void) snprintf(member->name, sizeof(member->name), "%s", n->name);
        (void) snprintf(member->why, sizeof(member->why), "%s",
                        place->state == PLAN_SERVING ? "" : place->why);
        if (place->look)
                (void) snprintf(member->address, sizeof(member->address), "%s", place->look->address);
        (void) snprintf(member->uuid, sizeof(member->uuid), "%s",
                        place->look && *place->look->uuid ? place->look->uuid
                        : server                          ? server->uuid
                                                          : "");
        if (!*pool->region)
                (void) snprintf(pool->region, sizeof(pool->region), "%s",
                                place_region(m, component, node, false));
        if (!*pool->pod)
                (void) snprintf(pool->pod, sizeof(pool->pod), "%s", place_region(m, component, node, true));
        if (place->pool == PLAN_NONE)
                place->pool = at;
        return 0;
}

size_t plan_find_node(const PlanMaker *m, size_t component, const LookMember *b)
{
        for (size_t i = 0; i < m->plan->n_nodes; i++) {
                const PlanPlace *p = plan_place(m, component, i);
                const NodeServer *s = nodes_server(m->plan->nodes[i].node, m->components[component]);
                const char *uuid = p->look && *p->look->uuid ? p->look->uuid : s ? s->uuid : "";
                if (p->twin != PLAN_NONE)
                        continue;
                if (*uuid && *b->uuid) {
                        if (strcmp(uuid, b->uuid) == 0)
                                return i;
                        continue;
                }
                if (nodes_same_host(m->plan->nodes[i].node, b->name, b->address) ||
                    (p->look && *p->look->address && strcmp(p->look->address, b->address) == 0))
                        return i;
        }
        return PLAN_NONE;
}

bool plan_same_member(const PlanMaker *m, const PlanMember *a, const LookMember *b)
{
        if (*a->uuid && *b->uuid)
                return strcmp(a->uuid, b->uuid) == 0;
        if (a->node != PLAN_NONE && nodes_same_host(m->plan->nodes[a->node].node, b->name, b->address))
                return true;
        return (*a->name && strcmp(a->name, b->name) == 0) ||
               (*a->address && (strcmp(a->address, b->address) == 0 || strcmp(a->address, b->name) == 0)) ||
               (*a->name && strcmp(a->name, b->address) == 0);
}

bool plan_list_seen(const PlanMaker *m, size_t component, size_t node)
{
        const PlanPlace *p = plan_place(m, component, node);
        for (size_t i = 0; i < node; i++) {
                const PlanPlace *q = plan_place(m, component, i);
                if (q->here && q->twin == PLAN_NONE && q->pool == p->pool && q->look &&
                    q->look->members == p->look->members)
                        return true;
        }
        return false;
}

/* The pool an agent's list puts a node in that does not tell itself. */
static size_t pool_by_lists(const PlanMaker *m, size_t component, size_t node)
{
        for (size_t i = 0; i < m->plan->n_nodes; i++) {
                const PlanPlace *p = plan_place(m, component, i);
                if (!p->here || p->pool == PLAN_NONE || !p->look || plan_list_seen(m, component, i))
                        continue;
                for (size_t k = 0; k < p->look->n_members; k++)
                        if (plan_find_node(m, component, &p->look->members[k]) == node)
                                return p->pool;
        }
        return PLAN_NONE;
}

/* By what agents say, then by what the source says, else every pool of the component: it may be any's. */
static int pools_place_silent(PlanMaker *m, size_t component, size_t node)
{
        Plan *p = m->plan;
        const NodeServer *s = nodes_server(p->nodes[node].node, m->components[component]);
        char name[LOOK_TEXT];
        bool any = false;

        size_t at = pool_by_lists(m, component, node);
        if (at != PLAN_NONE)
                return pool_add_node(m, component, node, at);
        if (s && *s->region && *s->pod) {
                (void) snprintf(name, sizeof(name), "%s/%s/%s", m->components[component], s->region, s->pod);
                int r = pool_get(m, component, name, &at);
                return r < 0 ? r : pool_add_node(m, component, node, at);
        }
        for (size_t i = 0; i < p->n_pools; i++) {
                if (strcmp(p->pools[i].component, m->components[component]) != 0)
                        continue;
                int r = pool_add_node(m, component, node, i);
                if (r < 0)
                        return r;
                any = true;
        }
        if (any)
                return 0;
        int r = pool_get(m, component, "", &at);
        return r < 0 ? r : pool_add_node(m, component, node, at);
}

/* Mates that only agents know. */
static int pools_add_unknown(PlanMaker *m, size_t component)
{
        for (size_t i = 0; i < m->plan->n_nodes; i++) {
                const PlanPlace *p = plan_place(m, component, i);
                if (!p->here || p->twin != PLAN_NONE || p->pool == PLAN_NONE || !p->look ||
                    plan_list_seen(m, component, i))
                        continue;
                for (size_t k = 0; k < p->look->n_members; k++) {
                        const LookMember *b = &p->look->members[k];
                        PlanPool *pool = &m->plan->pools[p->pool];
                        bool known = plan_find_node(m, component, b) != PLAN_NONE;
                        for (size_t j = 0; j < pool->n_members && !known; j++)
                                known = plan_same_member(m, &pool->members[j], b);
                        if (known)
                                continue;
                        PlanMember *mate = pool_add(m, pool);
                        if (!mate)
                                return -ENOMEM;
                        (void) snprintf(mate->uuid, sizeof(mate->uuid), "%s", b->uuid);
                        (void) snprintf(mate->address, sizeof(mate->address), "%s", b->address);
                        (void) snprintf(mate->name, sizeof(mate->name), "%s",
                                        *b->name      ? b->name
                                        : *b->address ? b->address
                                                      : b->uuid);
                        (void) snprintf(mate->why, sizeof(mate->why),
                                        "%.60s names it as a mate, but nobody here knows how to reach it",
                                        m->plan->nodes[i].node->name);
                }
        }
        return 0;
}

static int compare_members(const void *a, const void *b)
{
        return strverscmp(((const PlanMember *) a)->name, ((const PlanMember *) b)->name);
}

static void pool_finish(PlanMaker *m, PlanPool *pool)
{
        pool->max_unavailable = plan_count_of(m->o->max_unavailable, pool->n_members);
        qsort(pool->members, pool->n_members, sizeof(PlanMember), compare_members);
        for (size_t i = 0; i < pool->n_members; i++)
                pool->serving += pool->members[i].state == PLAN_SERVING;
        pool->serving_least = pool->serving;
}

int plan_pools(PlanMaker *m)
{
        Plan *p = m->plan;
        int r = 0;

        for (size_t c = 0; c < m->n_components; c++) {
                for (size_t i = 0; i < p->n_nodes && r >= 0; i++) {
                        PlanPlace *place = plan_place(m, c, i);
                        size_t at;
                        if (!place->here || place->twin != PLAN_NONE || !place->look || !*place->look->pool)
                                continue;
                        r = pool_get(m, c, place->look->pool, &at);
                        if (r >= 0)
                                r = pool_add_node(m, c, i, at);
                }
                for (size_t i = 0; i < p->n_nodes && r >= 0; i++) {
                        PlanPlace *place = plan_place(m, c, i);
                        if (place->here && place->twin == PLAN_NONE && place->pool == PLAN_NONE)
                                r = pools_place_silent(m, c, i);
                }
                if (r >= 0 && !plan_override(m, PLAN_C_MEMBERS))
                        r = pools_add_unknown(m, c);
                if (r < 0)
                        return r;
        }
        m->tight = calloc(p->n_pools + 1, sizeof(PlanTight));
        if (!m->tight)
                return plan_no_memory(m->err);
        for (size_t i = 0; i < p->n_pools; i++)
                pool_finish(m, &p->pools[i]);
        return 0;
}
