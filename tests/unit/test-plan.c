/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Plans: pools, order, capacity, and every condition. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/plan.h"

#define MAX_NODES 40
#define MP        "message-processor"

/* A cluster that is made up: every node answers, serves, and knows nothing of the others. */
typedef struct Cluster {
        Nodes *nodes;
        NodeLook looks[MAX_NODES][2];
        NodeLook *look_list[MAX_NODES][2];
        PlanNode plan_nodes[MAX_NODES];
        PlanOptions options;
        Plan *plan;
        Err err;
} Cluster;

static void start(Cluster *c, const char *component)
{
        memset(c, 0, sizeof(*c));
        assert_int_equal(nodes_new(&c->nodes, "a test", &c->err), 0);
        c->options.component = component;
}

static void finish(Cluster *c)
{
        (void) plan_free(c->plan);
        for (size_t i = 0; i < MAX_NODES; i++)
                for (size_t k = 0; k < 2; k++)
                        free(c->looks[i][k].members);
        (void) nodes_free(c->nodes);
}

static size_t add_node(Cluster *c, const char *name)
{
        size_t i = c->nodes->n;
        assert_true(i < MAX_NODES);
        /* All names of a test were chosen here: selected, but not `named`. */
        size_t before = c->nodes->n;
        bool selected[MAX_NODES];
        for (size_t k = 0; k < before; k++)
                selected[k] = c->nodes->nodes[k].selected;
        assert_int_equal(nodes_add_words(c->nodes, name, &c->err), 0);
        for (size_t k = 0; k < before; k++)
                c->nodes->nodes[k].selected = selected[k];
        c->nodes->nodes[i].named = false;
        return i;
}

/* One more component on the node @i. */
static NodeLook *runs(Cluster *c, size_t i, const char *component, const char *region)
{
        size_t k = c->plan_nodes[i].n_looks++;
        NodeLook *l = &c->looks[i][k];
        assert_true(k < 2);
        *l = (NodeLook){
                .protocol = PLAN_PROTOCOL,
                .running = true,
                .up = true,
                .lock = LOOK_LOCK_LEASE,
                .may_change = true,
                .may_change_known = true,
                .took = 10,
        };
        (void) snprintf(l->component, sizeof(l->component), "%s", component);
        (void) snprintf(l->region, sizeof(l->region), "%s", region);
        (void) snprintf(l->pod, sizeof(l->pod), "gateway");
        (void) snprintf(l->pool, sizeof(l->pool), "%s/%s/gateway", component, region);
        (void) snprintf(l->uuid, sizeof(l->uuid), "%s-of-%zu", component, i);
        (void) snprintf(l->blocked_text, sizeof(l->blocked_text), "no");
        c->look_list[i][k] = l;
        c->plan_nodes[i].looks = c->look_list[i];
        return l;
}

static NodeLook *node(Cluster *c, const char *name, const char *component, const char *region)
{
        return runs(c, add_node(c, name), component, region);
}

static void rmp(Cluster *c, const char *name, const char *region, NodeLook **ret_router, NodeLook **ret_mp)
{
        size_t i = add_node(c, name);
        NodeLook *r = runs(c, i, "router", region), *m = runs(c, i, MP, region);
        if (ret_router)
                *ret_router = r;
        if (ret_mp)
                *ret_mp = m;
}

/* Routers r1 to rN of dc-1. */
static void routers(Cluster *c, size_t n)
{
        char name[16];
        for (size_t i = 1; i <= n; i++) {
                (void) snprintf(name, sizeof(name), "r%zu", i);
                (void) node(c, name, "router", "dc-1");
        }
}

static size_t find(const Cluster *c, const char *name)
{
        const Node *n = nodes_find(c->nodes, name);
        if (!n)
                fail_msg("no node %s", name);
        return (size_t) (n - c->nodes->nodes);
}

static NodeLook *look(Cluster *c, const char *name)
{
        return c->look_list[find(c, name)][0];
}

static void silent(Cluster *c, const char *name)
{
        PlanNode *n = &c->plan_nodes[find(c, name)];
        n->contact = PLAN_UNREACHABLE;
        n->trouble = "connection refused";
        n->hint = "is sshd running there?";
        n->n_looks = 0;
}

static void only(Cluster *c, const char *limit)
{
        assert_int_equal(nodes_select(c->nodes, &(NodesFilter){ .limit = limit }, &c->err), 0);
}

static void down(Cluster *c, const char *name)
{
        NodeLook *l = look(c, name);
        l->up = false;
        l->out = true;
        (void) snprintf(l->out_reason, sizeof(l->out_reason), "its probes fail");
}

static int make_again(Cluster *c)
{
        c->plan = plan_free(c->plan);
        for (size_t i = 0; i < c->nodes->n; i++)
                c->plan_nodes[i].node = &c->nodes->nodes[i];
        return plan_make(&c->plan, c->plan_nodes, c->nodes->n, c->nodes, &c->options, &c->err);
}

static void make(Cluster *c)
{
        if (make_again(c) != 0)
                fail_msg("%s", c->err.text);
}

/* The worst that was found of a condition. */
static const PlanFinding *finding(const Cluster *c, PlanCondition condition)
{
        const PlanFinding *worst = NULL;
        for (size_t i = 0; i < c->plan->n_findings; i++) {
                const PlanFinding *f = &c->plan->findings[i];
                if (f->condition == condition && (!worst || f->verdict > worst->verdict))
                        worst = f;
        }
        return worst;
}

static void expect(const Cluster *c, PlanCondition condition, PlanVerdict verdict, const char *evidence)
{
        const PlanFinding *f = finding(c, condition);
        if (!f || f->verdict != verdict)
                fail_msg("%s: %s, expected %s: %s", plan_condition_name(condition),
                         f ? plan_verdict_name(f->verdict) : "not looked at", plan_verdict_name(verdict),
                         f ? f->evidence : "");
        if (evidence && !strstr(f->evidence, evidence))
                fail_msg("%s: \"%s\" does not say \"%s\"", plan_condition_name(condition), f->evidence,
                         evidence);
}

/* Nothing but these is in the way. */
static void expect_only(const Cluster *c, PlanCondition a, PlanCondition b)
{
        for (size_t i = 0; i < c->plan->n_findings; i++) {
                const PlanFinding *f = &c->plan->findings[i];
                if (f->verdict == PLAN_REFUSE && !f->overridden && f->condition != a && f->condition != b)
                        fail_msg("%s is in the way, too: %s", plan_condition_name(f->condition), f->evidence);
        }
        assert_int_equal(c->plan->refused, a >= 0);
}

/* The order as "r1 mp2+rmp3 | r2": '|' between stages. */
static void expect_order(const Cluster *c, const char *order)
{
        char text[1024] = "";
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                const PlanStep *s = &c->plan->steps[i];
                size_t len = strlen(text);
                bool first = c->plan->stages[s->stage].first == i;
                (void) snprintf(text + len, sizeof(text) - len, "%s%s",
                                i == 0  ? ""
                                : first ? " | "
                                        : " ",
                                c->plan_nodes[s->node].node->name);
        }
        assert_string_equal(text, order);
}

static const PlanPool *pool(const Cluster *c, const char *name)
{
        for (size_t i = 0; i < c->plan->n_pools; i++)
                if (strcmp(c->plan->pools[i].name, name) == 0)
                        return &c->plan->pools[i];
        fail_msg("no pool %s", name);
        return NULL;
}

static void override(Cluster *c, const char *text)
{
        static PlanOverride kept[8];
        if (c->options.n_overrides == 0)
                c->options.overrides = kept;
        assert_true(c->options.n_overrides < ELEMENTS(kept));
        if (plan_override_parse(text, &kept[c->options.n_overrides++], &c->err) != 0)
                fail_msg("%s", c->err.text);
}

static void name_mate(NodeLook *l, const char *uuid, const char *name, const char *address)
{
        l->members = realloc(l->members, (l->n_members + 1) * sizeof(LookMember));
        assert_non_null(l->members);
        LookMember *m = &l->members[l->n_members++];
        (void) snprintf(m->uuid, sizeof(m->uuid), "%s", uuid);
        (void) snprintf(m->name, sizeof(m->name), "%s", name);
        (void) snprintf(m->address, sizeof(m->address), "%s", address);
        (void) snprintf(l->members_from, sizeof(l->members_from), "configuration");
}

/* ---- order ---- */

static void test_a_healthy_pool(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        c.options.soak_low = 5;
        (void) node(&c, "r10", "router", "dc-1");
        routers(&c, 3);
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        expect_order(&c, "r1 r2 r3 r10");
        assert_true(c.plan->steps[0].canary);
        assert_false(c.plan->steps[1].canary);
        assert_int_equal(c.plan->stages[0].at_once, 1);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->serving, 4);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->serving_least, 3);
        assert_true(c.plan->expected == 4 * 10 + 3 * 5);
        assert_int_equal(c.plan->n_unknown, 0);
        finish(&c);
}

/* A roll for a reason: of the selected only those that are named by their ids; the pools are as large as
 * ever. */
static void test_only_some_servers(void **state _unused_)
{
        static const PlanOnly two[] = { { "router", "router-of-1", "10.0.0.1" },
                                        { MP, "message-processor-of-4", "10.0.0.4" } };
        static const PlanOnly gone[] = { { "router", "router-of-1", "10.0.0.1" },
                                         { MP, "nobody", "10.9.9.9" } };
        Cluster c;
        start(&c, "all");
        routers(&c, 3);
        (void) node(&c, "m1", MP, "dc-1");
        rmp(&c, "b1", "dc-1", NULL, NULL);
        c.options.only = two;
        c.options.n_only = ELEMENTS(two);
        make(&c);
        expect_order(&c, "b1 | r2");
        assert_string_equal(c.plan->steps[0].component, MP); /* not its router, too */
        assert_int_equal(pool(&c, "router/dc-1/gateway")->serving, 4);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);

        /* One that no node has would stay as it is, and the roll be called done. */
        c.options.only = gone;
        make(&c);
        assert_true(c.plan->refused);
        expect(&c, PLAN_C_UNREACHABLE, PLAN_REFUSE,
               "1 of those that must be restarted are on no known node: message-processor 10.9.9.9");
        /* --limit chooses among them. */
        c.options.only = two;
        only(&c, "r*");
        make(&c);
        expect_order(&c, "r2");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        only(&c, "r1");
        assert_int_equal(make_again(&c), -ENOENT);
        assert_non_null(strstr(c.err.text, "None of the 2 servers"));
        finish(&c);
}

/* --if-needed: all are asked, and these are restarted whatever their agents say. */
static void test_servers_that_need_it(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        make(&c);
        for (size_t i = 0; i < c.plan->n_steps; i++)
                assert_false(c.plan->steps[i].needed);
        PlanOnly needed[2] = { { .component = "router", .name = "10.0.0.2" },
                               { .component = "message-processor", .uuid = "no", .name = "10.0.0.9" } };
        (void) snprintf(needed[0].uuid, sizeof(needed[0].uuid), "%s", c.looks[1][0].uuid);
        c.options.needed = needed;
        c.options.n_needed = 2;
        make(&c);
        assert_int_equal(c.plan->n_steps, 3);
        for (size_t i = 0; i < c.plan->n_steps; i++)
                assert_int_equal(c.plan->steps[i].needed, c.plan->steps[i].node == 1);
        assert_false(c.plan->refused);
        /* One that is nowhere is told, and is no obstacle. */
        (void) snprintf(needed[0].uuid, sizeof(needed[0].uuid), "gone");
        make(&c);
        expect(&c, PLAN_C_UNREACHABLE, PLAN_WARNING, "on no known node: router 10.0.0.2");
        assert_false(c.plan->refused);
        finish(&c);
}

static void test_what_is_known_of_edge(void **state _unused_)
{
        static const PlanEdge good = { .targets = true, .targets_all = 3, .lint = true, .lint_revisions = 7 };
        static const PlanEdge bad = { .targets = true,
                                      .targets_all = 3,
                                      .targets_down = 1,
                                      .targets_unasked = 2,
                                      .targets_text = "t1 of acme/prod (connect)",
                                      .lint = true,
                                      .lint_errors = 9,
                                      .n_lint_lines = 2,
                                      .lint_lines = { "first", "second" },
                                      .lint_hint = "edge-roll lint --org acme" };
        static const PlanEdge late = { .targets = true, .targets_all = 3, .targets_unasked = 2 };
        static const PlanEdge unknown = { .trouble = "nothing is known: x", .trouble_hint = "do y" };
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        make(&c);
        assert_null(finding(&c, PLAN_C_TARGETS));
        assert_null(finding(&c, PLAN_C_LINT));
        c.options.edge = &good;
        make(&c);
        expect(&c, PLAN_C_TARGETS, PLAN_OK, "all 3 target servers");
        expect(&c, PLAN_C_LINT, PLAN_OK, "no errors in the 7 deployed revisions");
        assert_null(finding(&c, PLAN_C_MANAGEMENT));
        c.options.edge = &bad;
        make(&c);
        expect(&c, PLAN_C_TARGETS, PLAN_WARNING,
               "1 of 3 target servers do not answer from here; 2 more could not be asked in the time: t1 of "
               "acme/prod (connect)");
        expect(&c, PLAN_C_LINT, PLAN_WARNING, "first");
        assert_false(c.plan->refused);
        /* Each error is a line of its own, and how to see the others is said once, with the last. */
        size_t lines = 0, hints = 0;
        for (size_t i = 0; i < c.plan->n_findings; i++) {
                const PlanFinding *f = &c.plan->findings[i];
                lines += f->condition == PLAN_C_LINT;
                hints += f->condition == PLAN_C_LINT && *f->hint;
                if (f->condition == PLAN_C_LINT && lines == 3)
                        assert_string_equal(f->evidence, "and 7 more");
        }
        assert_int_equal(lines, 3);
        assert_int_equal(hints, 1);
        c.options.edge = &late;
        make(&c);
        expect(&c, PLAN_C_TARGETS, PLAN_UNKNOWN,
               "and were asked answer from here; 2 more could not be asked");
        c.options.edge = &unknown;
        make(&c);
        assert_null(finding(&c, PLAN_C_TARGETS));
        assert_null(finding(&c, PLAN_C_LINT));
        expect(&c, PLAN_C_MANAGEMENT, PLAN_WARNING, "nothing is known: x");
        assert_false(c.plan->refused);
        finish(&c);
}

/* Message processors, then both, then routers; regions one after another, whatever the order of the list. */
static void test_everything_of_two_regions(void **state _unused_)
{
        Cluster c;
        start(&c, "all");
        (void) node(&c, "b-r2", "router", "dc-2");
        (void) node(&c, "a-r1", "router", "dc-1");
        (void) node(&c, "a-r2", "router", "dc-1");
        (void) node(&c, "b-m1", MP, "dc-2");
        (void) node(&c, "b-m2", MP, "dc-2");
        (void) node(&c, "b-r1", "router", "dc-2");
        (void) node(&c, "a-m2", MP, "dc-1");
        (void) node(&c, "a-m1", MP, "dc-1");
        rmp(&c, "a-x1", "dc-1", NULL, NULL);
        make(&c);
        expect_order(&c, "a-m1 a-m2 | a-x1 | a-r1 a-r2 | b-m1 b-m2 | b-r1 b-r2");
        assert_string_equal(c.plan->steps[2].component, "rmp");
        assert_int_equal(c.plan->n_pools, 4);
        /* Pools as they come up: the rmp's stage has both, the router's first. */
        assert_string_equal(c.plan->pools[0].name, MP "/dc-1/gateway");
        assert_string_equal(c.plan->pools[1].name, "router/dc-1/gateway");
        assert_string_equal(c.plan->pools[3].name, "router/dc-2/gateway");
        /* The node with both is a member of two pools, and is restarted once. */
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 3);
        assert_int_equal(pool(&c, MP "/dc-1/gateway")->n_members, 3);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);
}

/* A component that is asked for is not the other one, also where a node has both. */
static void test_only_the_routers(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        rmp(&c, "x1", "dc-1", NULL, NULL);
        (void) node(&c, "m1", MP, "dc-1");
        make(&c);
        expect_order(&c, "r1 r2 x1");
        assert_string_equal(c.plan->steps[2].component, "router");
        assert_int_equal(c.plan->n_pools, 1);
        finish(&c);
}

static void test_rmp_takes_nodes_with_both(void **state _unused_)
{
        Cluster c;
        start(&c, "rmp");
        rmp(&c, "x1", "dc-1", NULL, NULL);
        rmp(&c, "x2", "dc-1", NULL, NULL);
        (void) node(&c, "r1", "router", "dc-1");
        make(&c);
        expect_order(&c, "x1 x2");
        assert_int_equal(c.plan->n_skips, 1);
        assert_false(c.plan->skips[0].failed);
        finish(&c);
}

/* What is sick goes first (pain 8): restarting it takes nobody out. */
static void test_the_sick_one_first(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 4);
        down(&c, "r3");
        make(&c);
        expect_order(&c, "r3 | r1 r2 r4");
        assert_true(c.plan->steps[0].sick && c.plan->steps[0].canary);
        expect(&c, PLAN_C_DEGRADED, PLAN_WARNING, "r3 is out");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);
}

/* A node whose message processor is sick while its router serves: that router is taken out by it. */
static void test_half_a_node_is_sick(void **state _unused_)
{
        Cluster c;
        NodeLook *mp;
        start(&c, "all");
        rmp(&c, "x1", "dc-1", NULL, NULL);
        rmp(&c, "x2", "dc-1", NULL, &mp);
        mp->up = false;
        mp->out = true;
        make(&c);
        expect_order(&c, "x2 | x1");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->serving_least, 1);
        finish(&c);

        /* With the other node's router out as well, nobody would be left. */
        NodeLook *router;
        start(&c, "all");
        rmp(&c, "x1", "dc-1", &router, NULL);
        rmp(&c, "x2", "dc-1", NULL, &mp);
        mp->up = false;
        router->up = false;
        only(&c, "x2");
        make(&c);
        expect(&c, PLAN_C_LAST_SERVING, PLAN_REFUSE, NULL);
        finish(&c);
}

/* ---- capacity ---- */

/* A pool that is short already (pain 8, 7): the healthy ones wait, the sick one may be cured. */
static void test_degraded(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 4);
        down(&c, "r3");
        only(&c, "r1,r2,r4");
        make(&c);
        expect(&c, PLAN_C_DEGRADED, PLAN_REFUSE, "r3 is out (its probes fail)");
        expect_only(&c, PLAN_C_DEGRADED, PLAN_CONDITION_INVALID);
        /* Selecting did not make the pool smaller. */
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 4);

        c.options.max_unavailable = (PlanCount){ .number = 2 };
        make(&c);
        expect(&c, PLAN_C_DEGRADED, PLAN_WARNING, NULL);
        assert_int_equal(c.plan->stages[0].at_once, 1); /* one is out already */
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);

        c.options.max_unavailable = (PlanCount){ 0 };
        override(&c, "degraded=r3 is a test machine");
        make(&c);
        expect(&c, PLAN_C_DEGRADED, PLAN_REFUSE, NULL);
        assert_true(finding(&c, PLAN_C_DEGRADED)->overridden);
        assert_string_equal(finding(&c, PLAN_C_DEGRADED)->reason, "r3 is a test machine");
        assert_false(c.plan->refused);
        finish(&c);
}

static void test_only_the_sick_one(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        down(&c, "r2");
        down(&c, "r3");
        only(&c, "r3");
        make(&c);
        expect_order(&c, "r3");
        expect(&c, PLAN_C_DEGRADED, PLAN_WARNING, "r2 is out");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);

        /* Also when nobody serves at all: nothing more can be lost. */
        start(&c, "router");
        routers(&c, 1);
        down(&c, "r1");
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);
}

static void test_last_serving(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 1);
        make(&c);
        expect(&c, PLAN_C_LAST_SERVING, PLAN_REFUSE, "the only node of the pool");
        expect(&c, PLAN_C_LAST_SERVING, PLAN_REFUSE, "every request fails");
        assert_non_null(strstr(finding(&c, PLAN_C_LAST_SERVING)->hint, "--allow-outage"));
        expect_only(&c, PLAN_C_LAST_SERVING, PLAN_CONDITION_INVALID);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->serving_least, 0);

        c.options.allow_outage = true;
        make(&c);
        expect(&c, PLAN_C_LAST_SERVING, PLAN_WARNING, "every request fails");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);

        start(&c, MP);
        (void) node(&c, "m1", MP, "dc-1");
        (void) node(&c, "m2", MP, "dc-1");
        down(&c, "m2");
        only(&c, "m1");
        make(&c);
        expect(&c, PLAN_C_LAST_SERVING, PLAN_REFUSE, "502");
        expect_only(&c, PLAN_C_LAST_SERVING, PLAN_C_DEGRADED);
        finish(&c);
}

/* A pool of one among others of the same component is still a pool of one. */
static void test_a_pool_of_one_beside_others(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        (void) node(&c, "far", "router", "dc-2");
        make(&c);
        expect(&c, PLAN_C_LAST_SERVING, PLAN_REFUSE, NULL);
        assert_non_null(strstr(finding(&c, PLAN_C_LAST_SERVING)->pool, "dc-2"));
        c.options.region = "dc-1";
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        expect_order(&c, "r1 r2 r3");
        finish(&c);
}

static void test_max_unavailable(void **state _unused_)
{
        static const struct {
                size_t pool;
                PlanCount count;
                unsigned at_once;
                PlanVerdict verdict;
        } rows[] = {
                { 6, { 2, false }, 2, PLAN_OK },       { 6, { 1, false }, 1, PLAN_OK },
                { 3, { 3, false }, 2, PLAN_WARNING },  { 2, { 2, false }, 1, PLAN_WARNING },
                { 6, { 50, true }, 3, PLAN_OK },       { 6, { 10, true }, 1, PLAN_OK },
                { 4, { 100, true }, 3, PLAN_WARNING }, { 20, { 15, true }, 3, PLAN_OK },
                { 6, { 99, false }, 5, PLAN_WARNING },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Cluster c;
                start(&c, "router");
                routers(&c, rows[i].pool);
                c.options.max_unavailable = rows[i].count;
                make(&c);
                if (c.plan->stages[0].at_once != rows[i].at_once)
                        fail_msg("row %zu: %u at once", i, c.plan->stages[0].at_once);
                expect(&c, PLAN_C_MAX_UNAVAILABLE, rows[i].verdict, NULL);
                expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
                assert_true(c.plan->pools[0].serving_least >= 1);
                finish(&c);
        }
}

/* Whatever is out and whatever is asked for: a plan that is not refused leaves somebody serving, and never
 * has more out than allowed. */
static void test_capacity_of_every_small_pool(void **state _unused_)
{
        for (size_t n = 1; n <= 5; n++)
                for (unsigned sick = 0; sick < 1u << n; sick++)
                        for (unsigned chosen = 1; chosen < 1u << n; chosen++)
                                for (unsigned allowed = 1; allowed <= n; allowed++) {
                                        Cluster c;
                                        char name[16];
                                        unsigned out = 0;
                                        bool healthy = false;
                                        start(&c, "router");
                                        routers(&c, n);
                                        for (size_t i = 0; i < n; i++) {
                                                (void) snprintf(name, sizeof(name), "r%zu", i + 1);
                                                if (sick >> i & 1)
                                                        down(&c, name);
                                                c.nodes->nodes[i].selected = chosen >> i & 1;
                                                out += (sick >> i & 1) && !(chosen >> i & 1);
                                                healthy |= !(sick >> i & 1) && (chosen >> i & 1);
                                        }
                                        c.options.max_unavailable = (PlanCount){ .number = allowed };
                                        make(&c);
                                        const PlanStage *last = &c.plan->stages[c.plan->n_stages - 1];
                                        bool fits = !healthy || (out + 1 <= allowed && n - out >= 2);
                                        if (c.plan->refused == fits)
                                                fail_msg("%zu, sick %x, chosen %x, %u: refused %d", n, sick,
                                                         chosen, allowed, c.plan->refused);
                                        if (healthy && fits) {
                                                assert_true(last->at_once >= 1);
                                                assert_true(out + last->at_once <= allowed);
                                                assert_true(out + last->at_once < n);
                                        }
                                        finish(&c);
                                }
}

/* Pain 2: a count, and what it means is said. */
static void test_max_failures(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 6);
        make(&c);
        expect(&c, PLAN_C_MAX_FAILURES, PLAN_OK, "stops after failure no. 1");
        c.options.max_failures = 1;
        make(&c);
        expect(&c, PLAN_C_MAX_FAILURES, PLAN_REFUSE, "needs --max-unavailable above 1");
        c.options.max_unavailable = (PlanCount){ .number = 2 };
        make(&c);
        expect(&c, PLAN_C_MAX_FAILURES, PLAN_OK, "stops after failure no. 2");
        assert_int_equal(c.plan->stop_after, 2);
        finish(&c);
}

/* ---- nodes that do not answer, and strangers ---- */

/* Pain 1: unreachable is never done, and counts as out. */
static void test_unreachable(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 4);
        silent(&c, "r2");
        make(&c);
        expect(&c, PLAN_C_UNREACHABLE, PLAN_REFUSE, "r2: connection refused");
        expect(&c, PLAN_C_DEGRADED, PLAN_REFUSE, "r2 does not answer");
        expect_order(&c, "r1 r3 r4");
        assert_int_equal(c.plan->n_skips, 1);
        assert_true(c.plan->skips[0].failed);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 4);
        expect_only(&c, PLAN_C_UNREACHABLE, PLAN_C_DEGRADED);

        override(&c, "unreachable=its power supply is dead");
        make(&c);
        expect_only(&c, PLAN_C_DEGRADED, PLAN_CONDITION_INVALID);
        override(&c, "degraded=three are enough today");
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        assert_true(c.plan->skips[0].failed); /* left out is not done */
        finish(&c);
}

static void test_unreachable_but_not_selected(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 4);
        only(&c, "r1");
        silent(&c, "r2");
        make(&c);
        expect(&c, PLAN_C_UNREACHABLE, PLAN_WARNING, "r2");
        expect_only(&c, PLAN_C_DEGRADED, PLAN_CONDITION_INVALID);
        assert_int_equal(c.plan->n_skips, 0);
        finish(&c);
}

/* It may be in either pool: it counts in both. */
static void test_unreachable_of_nobody_knows_which_pool(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        (void) node(&c, "q1", "router", "dc-2");
        (void) node(&c, "q2", "router", "dc-2");
        (void) node(&c, "lost", "router", "dc-2");
        silent(&c, "lost");
        make(&c);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 3);
        assert_int_equal(pool(&c, "router/dc-2/gateway")->n_members, 3);

        /* A mate names it: then it is that pool's. */
        name_mate(look(&c, "q1"), "", "lost", "");
        name_mate(look(&c, "q1"), "", "q2", "");
        make(&c);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 2);
        assert_int_equal(pool(&c, "router/dc-2/gateway")->n_members, 3);
        finish(&c);
}

/* A cluster has other machines, too: what is in groups, and in none that is called like a router, is none. */
static void test_machines_of_other_kinds(void **state _unused_)
{
        static char router[] = "router", db[] = "cassandra";
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        (void) node(&c, "db", "router", "dc-1");
        (void) node(&c, "stray", "router", "dc-1");
        silent(&c, "db");
        silent(&c, "stray");
        make(&c);
        assert_int_equal(c.plan->pools[0].n_members, 4); /* nobody knows better */
        for (size_t i = 0; i < 3; i++) {
                c.nodes->nodes[i].groups = realloc(c.nodes->nodes[i].groups, 2 * sizeof(char *));
                c.nodes->nodes[i].groups[0] = strdup(i < 2 ? router : db);
                c.nodes->nodes[i].groups[1] = NULL;
        }
        make(&c);
        assert_int_equal(c.plan->pools[0].n_members, 3); /* the stray one is in no group at all */
        assert_true(c.plan->pools[0].members[2].state == PLAN_NOT_KNOWN);
        c.nodes->n--; /* without it */
        make(&c);
        expect(&c, PLAN_C_UNREACHABLE, PLAN_OK,
               "1 more do not, and are in none of these pools by their groups: db");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        c.nodes->n++;
        finish(&c);
}

static void test_nobody_answers(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        silent(&c, "r1");
        silent(&c, "r2");
        make(&c);
        assert_int_equal(c.plan->n_steps, 0);
        assert_int_equal(c.plan->n_skips, 2);
        expect_only(&c, PLAN_C_UNREACHABLE, PLAN_CONDITION_INVALID);
        finish(&c);
}

static void test_permission_and_version(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        look(&c, "r3")->may_change = false;
        only(&c, "r1,r2");
        make(&c);
        /* Not selected, but its lease is needed. */
        expect(&c, PLAN_C_PERMISSION, PLAN_REFUSE, "r3: you are neither root");
        look(&c, "r3")->may_change = true;

        look(&c, "r2")->protocol = PLAN_PROTOCOL + 1;
        make(&c);
        expect(&c, PLAN_C_VERSION, PLAN_WARNING, "r2");
        look(&c, "r2")->protocol = PLAN_PROTOCOL + 2;
        make(&c);
        expect(&c, PLAN_C_VERSION, PLAN_REFUSE, "r2");
        look(&c, "r2")->protocol = PLAN_PROTOCOL;

        c.plan_nodes[1].contact = PLAN_OTHER_VERSION;
        c.plan_nodes[1].n_looks = 0;
        c.plan_nodes[1].trouble = "edge-roll 0.1 there has no Look";
        make(&c);
        expect(&c, PLAN_C_VERSION, PLAN_REFUSE, "has no Look");
        expect(&c, PLAN_C_UNREACHABLE, PLAN_OK, NULL);
        finish(&c);
}

/* ---- who is in the pool ---- */

static void test_two_names_for_one_node(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        (void) node(&c, "alias", "router", "dc-1");
        (void) snprintf(look(&c, "alias")->uuid, 64, "%s", look(&c, "r1")->uuid);
        make(&c);
        expect(&c, PLAN_C_DUPLICATE, PLAN_REFUSE, "r1 and alias");
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 2);
        override(&c, "duplicate=alias is r1");
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        expect_order(&c, "r1 r2"); /* once */
        finish(&c);

        /* Two names are no second node to fall back on. */
        start(&c, "router");
        routers(&c, 1);
        (void) node(&c, "alias", "router", "dc-1");
        (void) snprintf(look(&c, "alias")->uuid, 64, "%s", look(&c, "r1")->uuid);
        only(&c, "alias");
        make(&c);
        expect(&c, PLAN_C_LAST_SERVING, PLAN_REFUSE, NULL);
        expect_order(&c, "alias");
        finish(&c);
}

static void test_members_that_only_agents_know(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        name_mate(look(&c, "r1"), look(&c, "r2")->uuid, "r2", "");
        name_mate(look(&c, "r1"), "uuid-of-r9", "r9", "10.0.0.9");
        make(&c);
        expect(&c, PLAN_C_MEMBERS, PLAN_REFUSE, "r1 names r9");
        expect(&c, PLAN_C_DEGRADED, PLAN_REFUSE, "r9 does not answer");
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 3);

        override(&c, "members=r9 was scrapped");
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 2);
        assert_true(pool(&c, "router/dc-1/gateway")->members_force);
        finish(&c);
}

static void test_members_by_address(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        (void) snprintf(look(&c, "r2")->address, 64, "10.0.0.2");
        name_mate(look(&c, "r1"), "", "10.0.0.2", ""); /* as [pool] members has it */
        name_mate(look(&c, "r2"), "", "r1.example.com", "");
        make(&c);
        expect(&c, PLAN_C_MEMBERS, PLAN_OK, "2 agents name the same");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);
}

static void test_a_new_member(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        name_mate(look(&c, "r1"), "", "r2", "");
        name_mate(look(&c, "r2"), "", "r1", "");
        make(&c);
        /* Pools grow. */
        expect(&c, PLAN_C_MEMBERS, PLAN_OK, "does not name r3");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        assert_false(c.plan->pools[0].members_force);
        finish(&c);
}

static void test_pool_names(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 4);
        (void) snprintf(look(&c, "r4")->pool, LOOK_TEXT, "frontends");
        make(&c);
        expect(&c, PLAN_C_POOL_NAMES, PLAN_REFUSE, "\"frontends\"");
        /* All of them named by somebody: that is meant. */
        (void) snprintf(look(&c, "r3")->pool, LOOK_TEXT, "frontends");
        (void) snprintf(look(&c, "r1")->pool, LOOK_TEXT, "internal");
        (void) snprintf(look(&c, "r2")->pool, LOOK_TEXT, "internal");
        make(&c);
        expect(&c, PLAN_C_POOL_NAMES, PLAN_OK, NULL);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        expect_order(&c, "r3 r4 | r1 r2");
        finish(&c);
}

static void test_identity(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        for (size_t i = 0; i < 2; i++) {
                NodeServer *s = &c.nodes->nodes[i].servers[c.nodes->nodes[i].n_servers++];
                s->is_router = true;
                (void) snprintf(s->uuid, sizeof(s->uuid), "%s", c.looks[i][0].uuid);
        }
        make(&c);
        expect(&c, PLAN_C_IDENTITY, PLAN_OK, NULL);
        (void) snprintf(c.nodes->nodes[0].servers[0].uuid, 64, "gone");
        make(&c);
        expect(&c, PLAN_C_IDENTITY, PLAN_WARNING, "r1 is listed as gone");
        finish(&c);
}

/* ---- what goes on there ---- */

/* Pain 17: somebody else is at work. */
static void test_busy_and_leased(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        only(&c, "r1");
        NodeLook *l = look(&c, "r2");
        l->has_job = true;
        (void) snprintf(l->job_kind, sizeof(l->job_kind), "restart");
        (void) snprintf(l->job_by, sizeof(l->job_by), "uid 0 (root)");
        make(&c);
        expect(&c, PLAN_C_BUSY, PLAN_REFUSE, "r2: restart");
        assert_true(plan_waits(c.plan));

        /* Who is out only as long as his job runs is worth waiting for; who is out without one is not. */
        l->out = true;
        make(&c);
        expect(&c, PLAN_C_DEGRADED, PLAN_REFUSE, "r2 is out");
        assert_true(plan_waits(c.plan));
        c.options.max_unavailable.number = 2;
        look(&c, "r3")->out = true;
        make(&c);
        assert_false(plan_waits(c.plan));
        c.options.max_unavailable.number = 0;
        look(&c, "r3")->out = l->out = false;

        l->leased = true;
        (void) snprintf(l->lease_holder, sizeof(l->lease_holder), "roll-7");
        (void) snprintf(l->lease_by, sizeof(l->lease_by), "alice");
        (void) snprintf(l->job_roll, sizeof(l->job_roll), "roll-7");
        make(&c);
        expect(&c, PLAN_C_LEASED, PLAN_REFUSE, "roll-7, by alice");
        assert_true(plan_waits(c.plan));
        char text[700];
        assert_non_null(strstr(plan_summary(c.plan, text, sizeof(text)), "busy, leased"));

        /* One's own roll that is resumed is in nobody's way. */
        c.options.holder = c.options.roll = "roll-7";
        make(&c);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        assert_false(plan_waits(c.plan));

        /* Waiting does not help against anything else. */
        c.options.holder = c.options.roll = NULL;
        look(&c, "r3")->may_change = false;
        make(&c);
        assert_false(plan_waits(c.plan));
        finish(&c);
}

/* Pain 18: a roll of routers is nothing to message processors, also not on the same node. */
static void test_another_pool_is_no_obstacle(void **state _unused_)
{
        NodeLook *router, *mp;
        Cluster c;
        start(&c, MP);
        rmp(&c, "x1", "dc-1", &router, NULL);
        rmp(&c, "x2", "dc-1", NULL, NULL);
        router->leased = true;
        (void) snprintf(router->lease_holder, sizeof(router->lease_holder), "roll-of-routers");
        make(&c);
        expect(&c, PLAN_C_LEASED, PLAN_OK, NULL);
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        finish(&c);

        /* Both as one need both. */
        start(&c, "all");
        rmp(&c, "x1", "dc-1", NULL, &mp);
        rmp(&c, "x2", "dc-1", NULL, NULL);
        mp->leased = true;
        make(&c);
        expect(&c, PLAN_C_LEASED, PLAN_REFUSE, "x1");
        finish(&c);
}

static void test_held(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        NodeLook *l = look(&c, "r2");
        l->held = l->out = true;
        l->blocked = LOOK_BLOCKED_HOLD;
        (void) snprintf(l->hold_by, sizeof(l->hold_by), "bob");
        (void) snprintf(l->hold_reason, sizeof(l->hold_reason), "environment prod is missing");
        make(&c);
        expect(&c, PLAN_C_HELD, PLAN_WARNING, "environment prod is missing");
        expect_order(&c, "r2 | r1 r3");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);

        l->held_by_hand = true;
        make(&c);
        expect(&c, PLAN_C_HELD, PLAN_REFUSE, "by bob");
        override(&c, "held=bob says go on");
        make(&c);
        assert_false(c.plan->refused);
        c.options.n_overrides = 0;

        /* Not selected: it is out, and that is all. */
        only(&c, "r1,r3");
        make(&c);
        expect(&c, PLAN_C_HELD, PLAN_OK, NULL);
        expect_only(&c, PLAN_C_DEGRADED, PLAN_CONDITION_INVALID);
        finish(&c);
}

static void test_blocked(void **state _unused_)
{
        static const LookBlocked kinds[] = { LOOK_LEFTOVER, LOOK_FOREIGN, LOOK_BLOCKED_ODD };
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                Cluster c;
                start(&c, "router");
                routers(&c, 3);
                look(&c, "r2")->blocked = kinds[i];
                (void) snprintf(look(&c, "r2")->blocked_text, 64, "%s", look_blocked_name(kinds[i]));
                make(&c);
                expect(&c, PLAN_C_BLOCKED, PLAN_REFUSE, look_blocked_name(kinds[i]));
                assert_int_equal(pool(&c, "router/dc-1/gateway")->serving, 2);
                finish(&c);
        }
}

static void test_stopped(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        look(&c, "r2")->running = look(&c, "r2")->up = false;
        look(&c, "r2")->has_last = true;
        make(&c);
        expect(&c, PLAN_C_STOPPED, PLAN_REFUSE, "r2");
        c.options.start = true;
        make(&c);
        expect(&c, PLAN_C_STOPPED, PLAN_WARNING, "r2");
        expect_order(&c, "r2 | r1 r3");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);

        /* Never a trace of it there: it is no router. */
        look(&c, "r2")->has_last = false;
        *look(&c, "r2")->uuid = '\0';
        make(&c);
        expect_order(&c, "r1 r3");
        assert_int_equal(pool(&c, "router/dc-1/gateway")->n_members, 2);

        /* Unless somebody says so: by name, by the name of a group, or the Management Server. */
        c.nodes->nodes[1].named = true;
        make(&c);
        expect_order(&c, "r2 | r1 r3");
        finish(&c);
}

static void test_recent(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        NodeLook *l = look(&c, "r2");
        l->has_last = true;
        (void) snprintf(l->last_result, sizeof(l->last_result), "done");
        (void) snprintf(l->last_time, sizeof(l->last_time), "2026-11-22T19:00:00.123Z");
        c.options.now = 1795374000 + 120;
        make(&c);
        expect(&c, PLAN_C_RECENT, PLAN_WARNING, "r2: 120 s ago");
        expect_only(&c, PLAN_CONDITION_INVALID, PLAN_CONDITION_INVALID);
        c.options.now = 1795374000 + 3600;
        make(&c);
        expect(&c, PLAN_C_RECENT, PLAN_OK, NULL);
        (void) snprintf(l->last_time, sizeof(l->last_time), "yesterday");
        make(&c);
        expect(&c, PLAN_C_RECENT, PLAN_OK, NULL);
        finish(&c);
}

static void test_lock(void **state _unused_)
{
        static const struct {
                LookLock a, b;
                PlanVerdict verdict;
        } rows[] = {
                { LOOK_LOCK_LEASE, LOOK_LOCK_LEASE, PLAN_OK },
                { LOOK_LOCK_ZOOKEEPER, LOOK_LOCK_ZOOKEEPER, PLAN_OK },
                { LOOK_LOCK_ZOOKEEPER, LOOK_LOCK_LEASE, PLAN_WARNING },
                { LOOK_LOCK_NONE, LOOK_LOCK_LEASE, PLAN_REFUSE },
                { LOOK_LOCK_NONE, LOOK_LOCK_NONE, PLAN_REFUSE },
                { LOOK_LOCK_UNKNOWN, LOOK_LOCK_ZOOKEEPER, PLAN_REFUSE },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Cluster c;
                start(&c, "router");
                routers(&c, 2);
                look(&c, "r1")->lock = rows[i].a;
                look(&c, "r2")->lock = rows[i].b;
                make(&c);
                expect(&c, PLAN_C_LOCK, rows[i].verdict, NULL);
                assert_int_equal(c.plan->pools[0].lock, MIN(rows[i].a, rows[i].b));
                finish(&c);
        }
}

static void test_retry_set(void **state _unused_)
{
        static const struct {
                const char *a, *b; /* NULL: not known */
                PlanVerdict verdict;
                const char *passed;
        } rows[] = {
                { "http_599 error", "error http_599", PLAN_OK, "http_599 error" },
                { "http_599 error", "http_599", PLAN_OK, "http_599" },
                { "http_599", "http_599", PLAN_OK, "http_599" },
                { "http_599 error", NULL, PLAN_WARNING, "" },
                { NULL, NULL, PLAN_WARNING, "" },
                { "errors http_599", "error", PLAN_OK, "" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Cluster c;
                const char *set[2] = { rows[i].a, rows[i].b };
                start(&c, MP);
                routers(&c, 2);
                (void) node(&c, "m1", MP, "dc-1");
                (void) node(&c, "m2", MP, "dc-1");
                for (size_t k = 0; k < 2; k++) {
                        c.looks[k][0].retry_known = set[k] != NULL;
                        (void) snprintf(c.looks[k][0].router_retry, LOOK_TEXT, "%s", set[k] ? set[k] : "");
                }
                make(&c);
                expect(&c, PLAN_C_RETRY_SET, rows[i].verdict, NULL);
                assert_string_equal(c.plan->router_retry, rows[i].passed);
                expect_order(&c, "m1 m2");
                assert_int_equal(c.plan->n_pools, 1); /* the routers are only asked */
                c.options.router_retry = "error";
                make(&c);
                expect(&c, PLAN_C_RETRY_SET, PLAN_OK, "--router-retry");
                assert_string_equal(c.plan->router_retry, "error");
                finish(&c);
        }
}

static void test_datastore(void **state _unused_)
{
        NodesDatastore stores[2] = {
                { .name = "10.0.0.7", .types = "dc-datastore", .region = "dc-1", .has_up = true, .up = true },
                { .name = "10.0.0.8",
                  .types = "kms-datastore",
                  .region = "dc-1",
                  .has_up = true,
                  .up = true },
        };
        Cluster c;
        start(&c, "router");
        routers(&c, 2);
        make(&c);
        expect(&c, PLAN_C_DATASTORE, PLAN_UNKNOWN, NULL);
        c.nodes->datastores = stores;
        c.nodes->n_datastores = 2;
        make(&c);
        expect(&c, PLAN_C_DATASTORE, PLAN_OK, "2");
        stores[1].up = false;
        make(&c);
        expect(&c, PLAN_C_DATASTORE, PLAN_REFUSE, "10.0.0.8 (kms-datastore)");
        /* Of another region: not ours. */
        (void) snprintf(stores[1].region, sizeof(stores[1].region), "dc-2");
        make(&c);
        expect(&c, PLAN_C_DATASTORE, PLAN_OK, "1");
        c.nodes->datastores = NULL;
        c.nodes->n_datastores = 0;
        finish(&c);
}

/* ---- selection ---- */

static void test_nothing_to_do(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        (void) node(&c, "m1", MP, "dc-1");
        assert_int_equal(make_again(&c), -ENOENT);
        assert_non_null(strstr(c.err.text, "m1"));
        finish(&c);

        start(&c, "router");
        routers(&c, 2);
        c.options.region = "dc-9";
        assert_int_equal(make_again(&c), -ENOENT);
        assert_non_null(strstr(c.err.text, "region dc-9"));
        finish(&c);
}

static void test_times_nobody_knows(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 3);
        look(&c, "r2")->took = 0;
        make(&c);
        assert_int_equal(c.plan->n_unknown, 1);
        assert_true(c.plan->expected == 20);
        finish(&c);
}

static void test_several_at_once_take_as_long_as_the_longest(void **state _unused_)
{
        Cluster c;
        start(&c, "router");
        routers(&c, 5);
        look(&c, "r3")->took = 30;
        c.options.max_unavailable = (PlanCount){ .number = 2 };
        make(&c);
        /* r1 alone, then r2 with r3, then r4 with r5. */
        assert_true(c.plan->expected == 10 + 30 + 10);
        finish(&c);
}

/* ---- words ---- */

static void expect_bad_override(const char *text, const char *hint)
{
        PlanOverride o;
        Err err = { 0 };
        assert_int_equal(plan_override_parse(text, &o, &err), -EINVAL);
        if (!strstr(err.text, hint))
                fail_msg("\"%s\" does not say \"%s\"", err.text, hint);
}

static void test_overrides(void **state _unused_)
{
        PlanOverride o;
        Err err = { 0 };
        assert_int_equal(plan_override_parse("last-serving=at night", &o, &err), 0);
        assert_int_equal(o.condition, PLAN_C_LAST_SERVING);
        assert_string_equal(o.reason, "at night");
        expect_bad_override("lastserving=x", "last-serving");
        expect_bad_override("lastserving=x", "unreachable, permission");
        expect_bad_override("degraded", "--override=degraded=REASON");
        expect_bad_override("degraded= ", "reason");
        expect_bad_override("leased=x", "edge-roll lock steal");
        expect_bad_override("=x", "no condition");
        for (int i = 0; i < PLAN_CONDITION_COUNT; i++)
                assert_int_equal(plan_condition_from_name(plan_condition_name((PlanCondition) i)), i);
}

static void test_counts(void **state _unused_)
{
        static const char *const bad[] = {
                "", "0", "-1", "2x", "101%", "0%", "%", "1%%", "99999999999", " 1"
        };
        PlanCount count;
        Err err = { 0 };
        assert_int_equal(plan_count_parse("3", &count, &err), 0);
        assert_int_equal(plan_count_of(count, 2), 3);
        assert_int_equal(plan_count_parse("25%", &count, &err), 0);
        assert_int_equal(plan_count_of(count, 10), 2);
        assert_int_equal(plan_count_of(count, 3), 1);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(plan_count_parse(bad[i], &count, &err), -EINVAL);
}

/* ---- what people and programs get ---- */

static void test_text(void **state _unused_)
{
        Cluster c;
        char *text = NULL;
        start(&c, "router");
        routers(&c, 3);
        down(&c, "r2");
        (void) snprintf(look(&c, "r2")->out_reason, LOOK_TEXT, "bad \x1b[31mred\x1b[0m");
        only(&c, "r1,r3");
        make(&c);
        assert_int_equal(plan_render_text(c.plan, false, &text), 0);
        assert_non_null(
                strstr(text,
                       "restart router: 2 steps in 1 pool, expected time 20 s; stops after failure no. 1"));
        assert_non_null(strstr(text, "3 members, 2 serving, never fewer than 1; at most 1 out; lock lease"));
        assert_non_null(strstr(text, "r2: out, bad ?[31mred?[0m (stays as it is)"));
        assert_non_null(strstr(text, "canary; first by name"));
        assert_non_null(strstr(text, "REFUSED     degraded"));
        assert_non_null(strstr(text, "--override degraded=REASON"));
        assert_null(strchr(text, '\x1b'));
        assert_null(strstr(text, "every node of the pools answers")); /* what is fine is counted */
        free(text);
        assert_int_equal(plan_render_text(c.plan, true, &text), 0);
        assert_non_null(strstr(text, "every node of the pools answers"));
        free(text);
        finish(&c);
}

static void test_json(void **state _unused_)
{
        Cluster c;
        cJSON *o = NULL;
        start(&c, "all");
        rmp(&c, "x1", "dc-1", NULL, NULL);
        rmp(&c, "x2", "dc-1", NULL, NULL);
        silent(&c, "x2");
        override(&c, "unreachable=gone");
        make(&c);
        assert_int_equal(plan_to_json(c.plan, &o), 0);
        assert_string_equal(cJSON_GetObjectItem(o, "event")->valuestring, "plan");
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(o, "refused")));
        const cJSON *step = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "steps"), 0);
        assert_string_equal(cJSON_GetObjectItem(step, "node")->valuestring, "x1");
        assert_string_equal(cJSON_GetObjectItem(step, "component")->valuestring, "rmp");
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(step, "pools")), 2);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "pools")), 2);
        const cJSON *condition, *unreachable = NULL;
        cJSON_ArrayForEach(
                condition,
                cJSON_GetObjectItem(
                        o, "conditions")) if (strcmp(cJSON_GetObjectItem(condition, "name")->valuestring,
                                                     "unreachable") == 0) unreachable = condition;
        assert_non_null(unreachable);
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(unreachable, "overridden")));
        assert_string_equal(cJSON_GetObjectItem(unreachable, "reason")->valuestring, "gone");
        assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(unreachable, "nodes"), 0)->valuestring,
                            "x2");
        cJSON_Delete(o);
        finish(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_healthy_pool),
                cmocka_unit_test(test_only_some_servers),
                cmocka_unit_test(test_servers_that_need_it),
                cmocka_unit_test(test_what_is_known_of_edge),
                cmocka_unit_test(test_everything_of_two_regions),
                cmocka_unit_test(test_only_the_routers),
                cmocka_unit_test(test_rmp_takes_nodes_with_both),
                cmocka_unit_test(test_the_sick_one_first),
                cmocka_unit_test(test_half_a_node_is_sick),
                cmocka_unit_test(test_degraded),
                cmocka_unit_test(test_only_the_sick_one),
                cmocka_unit_test(test_last_serving),
                cmocka_unit_test(test_a_pool_of_one_beside_others),
                cmocka_unit_test(test_max_unavailable),
                cmocka_unit_test(test_capacity_of_every_small_pool),
                cmocka_unit_test(test_max_failures),
                cmocka_unit_test(test_unreachable),
                cmocka_unit_test(test_unreachable_but_not_selected),
                cmocka_unit_test(test_unreachable_of_nobody_knows_which_pool),
                cmocka_unit_test(test_machines_of_other_kinds),
                cmocka_unit_test(test_nobody_answers),
                cmocka_unit_test(test_permission_and_version),
                cmocka_unit_test(test_two_names_for_one_node),
                cmocka_unit_test(test_members_that_only_agents_know),
                cmocka_unit_test(test_members_by_address),
                cmocka_unit_test(test_a_new_member),
                cmocka_unit_test(test_pool_names),
                cmocka_unit_test(test_identity),
                cmocka_unit_test(test_busy_and_leased),
                cmocka_unit_test(test_another_pool_is_no_obstacle),
                cmocka_unit_test(test_held),
                cmocka_unit_test(test_blocked),
                cmocka_unit_test(test_stopped),
                cmocka_unit_test(test_recent),
                cmocka_unit_test(test_lock),
                cmocka_unit_test(test_retry_set),
                cmocka_unit_test(test_datastore),
                cmocka_unit_test(test_nothing_to_do),
                cmocka_unit_test(test_times_nobody_knows),
                cmocka_unit_test(test_several_at_once_take_as_long_as_the_longest),
                cmocka_unit_test(test_overrides),
                cmocka_unit_test(test_counts),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_json),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
