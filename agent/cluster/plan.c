/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/plan.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cluster/plan-impl.h"

#define ROUTER "router"
#define MP     "message-processor"

int plan_no_memory(Err *err)
{
        return err_set(err, -ENOMEM, "Out of memory for the plan");
}

/* ---- words ---- */

static const struct {
        const char *name;
        const char *instead; /* NULL: can be overridden; else what to do */
} condition_table[] = {
        [PLAN_C_UNREACHABLE] = { "unreachable", NULL },
        [PLAN_C_PERMISSION] = { "permission", NULL },
        [PLAN_C_VERSION] = { "version", NULL },
        [PLAN_C_DUPLICATE] = { "duplicate", NULL },
        [PLAN_C_IDENTITY] = { "identity", NULL },
        [PLAN_C_POOL_NAMES] = { "pool-names", NULL },
        [PLAN_C_MEMBERS] = { "members", NULL },
        [PLAN_C_STOPPED] = { "stopped", "--start starts it" },
        [PLAN_C_HELD] = { "held", NULL },
        [PLAN_C_BLOCKED] = { "blocked", NULL },
        [PLAN_C_BUSY] = { "busy", "--wait waits for it, edge-roll cancel on the node undoes it" },
        [PLAN_C_LEASED] = { "leased", "--wait waits for it, edge-roll lock steal takes it" },
        [PLAN_C_LOCK] = { "lock", NULL },
        [PLAN_C_DEGRADED] = { "degraded", NULL },
        [PLAN_C_LAST_SERVING] = { "last-serving", NULL },
        [PLAN_C_MAX_UNAVAILABLE] = { "max-unavailable", NULL },
        [PLAN_C_MAX_FAILURES] = { "max-failures", "--max-unavailable must be larger than --max-failures" },
        [PLAN_C_RETRY_SET] = { "retry-set", NULL },
        [PLAN_C_DATASTORE] = { "datastore", NULL },
        [PLAN_C_TARGETS] = { "targets", NULL },
        [PLAN_C_LINT] = { "lint", NULL },
        [PLAN_C_MANAGEMENT] = { "management", NULL },
        [PLAN_C_RECENT] = { "recent", NULL },
};
_Static_assert(ELEMENTS(condition_table) == PLAN_CONDITION_COUNT, "every condition has a row");

static const char *const verdict_names[] = {
        [PLAN_OK] = "ok",
        [PLAN_UNKNOWN] = "unknown",
        [PLAN_WARNING] = "warning",
        [PLAN_REFUSE] = "refuse",
};
_Static_assert(ELEMENTS(verdict_names) == PLAN_VERDICT_COUNT, "every verdict has a name");

const char *plan_condition_name(PlanCondition c)
{
        return c >= 0 && c < PLAN_CONDITION_COUNT ? condition_table[c].name : "invalid";
}

PlanCondition plan_condition_from_name(const char *name)
{
        for (int i = 0; i < PLAN_CONDITION_COUNT; i++)
                if (strcmp(condition_table[i].name, name) == 0)
                        return (PlanCondition) i;
        return PLAN_CONDITION_INVALID;
}

bool plan_condition_overridable(PlanCondition c)
{
        return c >= 0 && c < PLAN_CONDITION_COUNT && !condition_table[c].instead;
}

const char *plan_verdict_name(PlanVerdict v)
{
        return v >= 0 && v < PLAN_VERDICT_COUNT ? verdict_names[v] : "invalid";
}

const char *plan_state_name(PlanState s)
{
        switch (s) {
        case PLAN_SERVING:
                return "serving";
        case PLAN_OUT:
                return "out";
        case PLAN_NOT_KNOWN:
                return "unknown";
        }
        return "invalid";
}

int plan_override_parse(const char *text, PlanOverride *ret, Err *err)
{
        const char *equals = strchr(text, '=');
        char name[64], known[400] = "";

        (void) snprintf(name, sizeof(name), "%.*s", equals ? (int) (equals - text) : 63, text);
        PlanCondition c = plan_condition_from_name(name);
        if (c < 0) {
                for (int i = 0; i < PLAN_CONDITION_COUNT; i++) {
                        size_t n = strlen(known);
                        if (plan_condition_overridable((PlanCondition) i))
                                (void) snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "",
                                                condition_table[i].name);
                }
                return err_set(err, -EINVAL,
                               "--override: there is no condition \"%.40s\"; those that can be "
                               "overridden: %s",
                               name, known);
        }
        if (!plan_condition_overridable(c))
                return err_set(err, -EINVAL, "--override: %s cannot be overridden; %s", name,
                               condition_table[c].instead);
        if (!equals || strspn(equals + 1, " \t") == strlen(equals + 1))
                return err_set(err, -EINVAL,
                               "--override=%s needs the reason why it is right here, for the records: "
                               "--override=%s=REASON",
                               name, name);
        *ret = (PlanOverride){ .condition = c, .reason = equals + 1 };
        return 0;
}

int plan_count_parse(const char *text, PlanCount *ret, Err *err)
{
        size_t digits = strspn(text, "0123456789");
        bool percent = text[digits] == '%';
        unsigned long number = digits > 0 && digits < 8 ? strtoul(text, NULL, 10) : 0;

        if (number == 0 || text[digits + percent] || (percent && number > 100))
                return err_set(err, -EINVAL,
                               "\"%.40s\" is no number of nodes; accepted: 1, 2, ... or 1%% to 100%%", text);
        *ret = (PlanCount){ .number = (unsigned) number, .percent = percent };
        return 0;
}

unsigned plan_count_of(PlanCount count, size_t size)
{
        size_t n = count.percent ? size * count.number / 100 : count.number;
        return (unsigned) MAX(n, (size_t) 1);
}

size_t plan_components(const char *component, const char *ret[2])
{
        bool both = strcmp(component, "all") == 0 || strcmp(component, "rmp") == 0;
        /* The routers know what they try again when a message processor refuses. */
        if (both || strcmp(component, MP) == 0) {
                ret[0] = MP;
                ret[1] = ROUTER;
                return 2;
        }
        ret[0] = component;
        return 1;
}

/* ---- steps ---- */

static PlanMember *step_member(const Plan *p, const PlanStep *s, size_t pool)
{
        for (size_t i = 0; pool != PLAN_NONE && i < p->pools[pool].n_members; i++)
                if (p->pools[pool].members[i].node == s->node)
                        return &p->pools[pool].members[i];
        return NULL;
}

static int step_rank(const PlanStep *s)
{
        if (strcmp(s->component, MP) == 0)
                return 0;
        return strcmp(s->component, "rmp") == 0 ? 1 : 2;
}

static int compare_steps(const void *a, const void *b, void *userdata)
{
        const PlanStep *x = a, *y = b;
        const Plan *p = userdata;
        const PlanPool *px = &p->pools[x->pool], *py = &p->pools[y->pool];

        int r = strverscmp(px->region, py->region);
        if (r == 0)
                r = (int) y->sick - (int) x->sick;
        if (r == 0)
                r = step_rank(x) - step_rank(y);
        if (r == 0)
                r = strverscmp(px->pod, py->pod);
        if (r == 0)
                r = strcmp(px->name, py->name);
        if (r == 0 && x->pool2 != PLAN_NONE && y->pool2 != PLAN_NONE)
                r = strcmp(p->pools[x->pool2].name, p->pools[y->pool2].name);
        if (r == 0)
                r = strverscmp(p->nodes[x->node].node->name, p->nodes[y->node].node->name);
        return r;
}

static int skip_add(PlanMaker *m, size_t node, bool failed, const char *why)
{
        Plan *p = m->plan;
        PlanSkip *more = realloc(p->skips, (p->n_skips + 1) * sizeof(PlanSkip));
        if (!more)
                return plan_no_memory(m->err);
        p->skips = more;
        more[p->n_skips] = (PlanSkip){ .node = node, .failed = failed };
        (void) snprintf(more[p->n_skips++].why, PLAN_TEXT, "%s", why);
        return 0;
}

static int step_add(PlanMaker *m, size_t node, const char *component, size_t c, size_t c2)
{
        Plan *p = m->plan;
        const PlanPlace *place = plan_place(m, c, node),
                        *other = c2 == PLAN_NONE ? NULL : plan_place(m, c2, node);
        PlanStep *more = realloc(p->steps, (p->n_steps + 1) * sizeof(PlanStep));
        if (!more)
                return plan_no_memory(m->err);
        p->steps = more;
        PlanStep *s = &more[p->n_steps++];
        *s = (PlanStep){ .node = node, .pool = place->pool, .pool2 = other ? other->pool : PLAN_NONE };
        (void) snprintf(s->component, sizeof(s->component), "%s", component);
        s->sick = place->state != PLAN_SERVING || (other && other->state != PLAN_SERVING);
        s->took = place->look->took;
        s->needed = plan_listed(m, m->o->needed, m->o->n_needed, c, node) < m->o->n_needed ||
                    (other && plan_listed(m, m->o->needed, m->o->n_needed, c2, node) < m->o->n_needed);
        if (s->sick)
                (void) snprintf(s->why, sizeof(s->why), "is out, so nobody is taken out: %.160s",
                                place->state != PLAN_SERVING ? place->why : other->why);
        return 0;
}

/* What is to be done with one node, for a component or for both. */
static int steps_add_node(PlanMaker *m, size_t node)
{
        bool both = strcmp(m->o->component, "rmp") == 0, all = strcmp(m->o->component, "all") == 0;
        size_t mp = 0, router = 1; /* as plan_components() has them */
        const PlanNode *n = &m->plan->nodes[node];
        bool here[2] = { false, false };
        char text[PLAN_TEXT];

        for (size_t c = 0; c < ((both || all) ? 2u : 1u); c++)
                here[c] = plan_place(m, c, node)->selected;
        if (!here[0] && !here[1])
                return 0;
        for (size_t c = 0; c < 2; c++) {
                size_t twin = here[c] ? plan_place(m, c, node)->twin : PLAN_NONE;
                if (twin == PLAN_NONE)
                        continue;
                (void) snprintf(text, sizeof(text), "it is the same node as %.80s",
                                m->plan->nodes[twin].node->name);
                return skip_add(m, node, false, text);
        }
        if (!plan_may_change(m, node)) {
                (void) snprintf(text, sizeof(text), "%.300s",
                                n->trouble                   ? n->trouble
                                : n->contact != PLAN_REACHED ? "it does not answer"
                                                             : "you may not restart anything there");
                return skip_add(m, node, true, text);
        }
        if (both && !(here[mp] && here[router]))
                return skip_add(m, node, false, "it has not both, a router and a message processor");
        if (here[0] && here[1])
                return step_add(m, node, "rmp", router, mp);
        size_t c = here[0] ? 0 : 1;
        return step_add(m, node, m->components[c], c, PLAN_NONE);
}

static int stages_make(PlanMaker *m)
{
        Plan *p = m->plan;
        p->stages = calloc(p->n_steps + 1, sizeof(PlanStage));
        if (!p->stages)
                return plan_no_memory(m->err);
        for (size_t i = 0; i < p->n_steps; i++) {
                PlanStep *s = &p->steps[i];
                const PlanStep *before = i > 0 ? &p->steps[i - 1] : NULL;
                if (!before || before->pool != s->pool || before->pool2 != s->pool2 ||
                    before->sick != s->sick || step_rank(before) != step_rank(s))
                        p->stages[p->n_stages++] = (PlanStage){
                                .first = i, .pool = s->pool, .pool2 = s->pool2, .sick = s->sick
                        };
                PlanStage *stage = &p->stages[p->n_stages - 1];
                stage->n++;
                s->stage = p->n_stages - 1;
                for (size_t k = 0; k < 2; k++) {
                        PlanMember *member = step_member(p, s, k == 0 ? s->pool : s->pool2);
                        if (member)
                                member->step = i;
                }
                p->pools[s->pool].n_steps++;
                if (s->pool2 != PLAN_NONE)
                        p->pools[s->pool2].n_steps++;
        }
        return 0;
}

static void steps_explain(Plan *p)
{
        for (size_t i = 0; i < p->n_steps; i++) {
                PlanStep *s = &p->steps[i];
                s->canary = i == 0;
                if (*s->why)
                        continue;
                if (s->canary)
                        (void) snprintf(s->why, sizeof(s->why),
                                        "first by name: what goes wrong goes wrong here");
                else if (i == p->stages[s->stage].first)
                        (void) snprintf(s->why, sizeof(s->why), "first by name in its pool");
                else
                        (void) snprintf(s->why, sizeof(s->why), "by name");
        }
}

/* ---- capacity ---- */

/* How many of one pool may be out together in this stage, as the pool will be then. */
static unsigned stage_in_pool(PlanMaker *m, const PlanStage *stage, size_t at)
{
        Plan *p = m->plan;
        PlanPool *pool = &p->pools[at];
        PlanTight *tight = &m->tight[at];
        size_t serving = 0, takes = 0, cures = 0;

        for (size_t i = 0; i < pool->n_members; i++)
                serving += pool->members[i].state == PLAN_SERVING;
        for (size_t i = stage->first; i < stage->first + stage->n; i++) {
                const PlanMember *member = step_member(p, &p->steps[i], at);
                takes += member && member->state == PLAN_SERVING;
                cures += member && member->state != PLAN_SERVING;
        }
        tight->cures |= cures > 0;
        if (takes == 0)
                return pool->max_unavailable;
        size_t out = pool->n_members - serving, allowed = pool->max_unavailable;
        if (out >= allowed) {
                tight->degraded = true;
                tight->out_other = MAX(tight->out_other, out);
        }
        size_t at_once = out < allowed ? allowed - out : 1;
        if (at_once >= serving) {
                tight->clamped |= at_once > 1;
                tight->last |= serving == 1;
                at_once = serving > 1 ? serving - 1 : 1;
        }
        pool->serving_least = MIN(pool->serving_least, serving - MIN(at_once, takes));
        return (unsigned) at_once;
}

/* Each stage leaves its nodes serving: a stage that does not is the end of the roll. */
static void capacity_make(PlanMaker *m)
{
        Plan *p = m->plan;
        for (size_t i = 0; i < p->n_stages; i++) {
                PlanStage *stage = &p->stages[i];
                stage->at_once = stage_in_pool(m, stage, stage->pool);
                if (stage->pool2 != PLAN_NONE)
                        stage->at_once = MIN(stage->at_once, stage_in_pool(m, stage, stage->pool2));
                stage->at_once = (unsigned) MIN((size_t) stage->at_once, stage->n);
                for (size_t s = stage->first; s < stage->first + stage->n; s++)
                        for (size_t k = 0; k < 2; k++) {
                                PlanMember *member =
                                        step_member(p, &p->steps[s], k ? stage->pool2 : stage->pool);
                                if (member)
                                        member->state = PLAN_SERVING;
                        }
        }
        /* What was simulated is not what is. */
        for (size_t i = 0; i < p->n_pools; i++)
                for (size_t k = 0; k < p->pools[i].n_members; k++) {
                        PlanMember *member = &p->pools[i].members[k];
                        for (size_t c = 0; c < m->n_components; c++)
                                if (member->node != PLAN_NONE &&
                                    strcmp(m->components[c], p->pools[i].component) == 0)
                                        member->state = plan_place(m, c, member->node)->state;
                }
}

static void time_make(PlanMaker *m)
{
        Plan *p = m->plan;
        for (size_t i = 0; i < p->n_stages; i++) {
                const PlanStage *stage = &p->stages[i];
                size_t end = stage->first + stage->n;
                for (size_t s = stage->first; s < end;) {
                        /* The canary is alone. */
                        size_t n = s == 0 ? 1 : MIN((size_t) stage->at_once, end - s);
                        double longest = 0;
                        for (size_t k = s; k < s + n; k++) {
                                longest = MAX(longest, p->steps[k].took);
                                p->n_unknown += p->steps[k].took <= 0;
                        }
                        s += n;
                        p->expected += longest + (s < p->n_steps ? m->o->soak_low : 0);
                }
        }
}

/* ---- the whole ---- */

/* Of interest are pools with something to do, or with somebody who was selected for it. */
static bool pool_wanted(const PlanMaker *m, const PlanPool *pool)
{
        bool wanted = pool->n_steps > 0;
        /* The routers of message processors are asked only for their retry set. */
        if (strcmp(m->o->component, MP) == 0 && strcmp(pool->component, MP) != 0)
                return false;
        for (size_t k = 0; k < pool->n_members; k++)
                wanted |= pool->members[k].selected;
        return wanted;
}

static size_t moved_to(const size_t *moved, size_t at)
{
        return at == PLAN_NONE ? PLAN_NONE : moved[at];
}

/* Everything that refers to a pool by its index. */
static void pools_rename(PlanMaker *m, const size_t *moved)
{
        Plan *p = m->plan;
        for (size_t i = 0; i < p->n_steps; i++) {
                p->steps[i].pool = moved_to(moved, p->steps[i].pool);
                p->steps[i].pool2 = moved_to(moved, p->steps[i].pool2);
        }
        for (size_t i = 0; i < p->n_stages; i++) {
                p->stages[i].pool = moved_to(moved, p->stages[i].pool);
                p->stages[i].pool2 = moved_to(moved, p->stages[i].pool2);
        }
        for (size_t c = 0; c < m->n_components; c++)
                for (size_t i = 0; i < p->n_nodes; i++) {
                        PlanPlace *place = plan_place(m, c, i);
                        place->pool = moved_to(moved, place->pool);
                }
}

/* In the order in which they are rolled; the others behind them, those of no interest dropped. */
static int pools_arrange(PlanMaker *m)
{
        Plan *p = m->plan;
        _cleanup_(freep) size_t *moved = calloc(p->n_pools + 1, sizeof(size_t));
        _cleanup_(freep) PlanPool *pools = calloc(p->n_pools + 1, sizeof(PlanPool));
        _cleanup_(freep) PlanTight *tight = calloc(p->n_pools + 1, sizeof(PlanTight));
        size_t n = 0;

        if (!moved || !pools || !tight)
                return plan_no_memory(m->err);
        for (size_t i = 0; i < p->n_pools; i++)
                moved[i] = PLAN_NONE;
        for (size_t i = 0; i < p->n_stages; i++) {
                if (moved[p->stages[i].pool] == PLAN_NONE)
                        moved[p->stages[i].pool] = n++;
                if (p->stages[i].pool2 != PLAN_NONE && moved[p->stages[i].pool2] == PLAN_NONE)
                        moved[p->stages[i].pool2] = n++;
        }
        for (size_t i = 0; i < p->n_pools; i++)
                if (moved[i] == PLAN_NONE && pool_wanted(m, &p->pools[i]))
                        moved[i] = n++;
        for (size_t i = 0; i < p->n_pools; i++)
                if (moved[i] == PLAN_NONE)
                        free(p->pools[i].members);
                else {
                        pools[moved[i]] = p->pools[i];
                        tight[moved[i]] = m->tight[i];
                }
        pools_rename(m, moved);
        memcpy(p->pools, pools, n * sizeof(PlanPool));
        memcpy(m->tight, tight, n * sizeof(PlanTight));
        p->n_pools = n;
        return 0;
}

static int plan_nothing(const PlanMaker *m)
{
        char seen[300] = "";
        size_t n = 0;

        for (size_t i = 0; i < m->plan->n_nodes && n < 5; i++) {
                const PlanNode *node = &m->plan->nodes[i];
                if (!node->node->selected)
                        continue;
                size_t len = strlen(seen);
                (void) snprintf(seen + len, sizeof(seen) - len, "%s%.40s", n++ ? ", " : "", node->node->name);
        }
        if (m->o->only)
                return err_set(m->err, -ENOENT,
                               "None of the %zu servers that must be restarted is on a selected node",
                               m->o->n_only);
        if (m->o->region || m->o->pod)
                return err_set(m->err, -ENOENT, "No selected node has a %.40s in%s%.40s%s%.40s",
                               m->o->component, m->o->region ? " region " : "",
                               m->o->region ? m->o->region : "", m->o->pod ? " pod " : "",
                               m->o->pod ? m->o->pod : "");
        return err_set(m->err, -ENOENT, "No selected node has a %.40s; looked at: %s", m->o->component, seen);
}

static void maker_done(PlanMaker *m)
{
        free(m->places);
        free(m->tight);
        (void) plan_free(m->plan);
}

int plan_make(Plan **ret, const PlanNode *nodes, size_t n_nodes, const Nodes *source,
              const PlanOptions *options, Err *err)
{
        PlanOptions o = *options;
        _cleanup_(maker_done) PlanMaker m = { .o = &o, .source = source, .err = err };
        int r = 0;

        if (o.max_unavailable.number == 0)
                o.max_unavailable = (PlanCount){ .number = 1 };
        m.n_components = plan_components(o.component, m.components);
        m.plan = calloc(1, sizeof(Plan));
        m.places = calloc(m.n_components * n_nodes + 1, sizeof(PlanPlace));
        if (!m.plan || !m.places)
                return plan_no_memory(err);
        m.plan->nodes = nodes;
        m.plan->n_nodes = n_nodes;
        m.plan->stop_after = o.max_failures + 1;
        (void) snprintf(m.plan->component, sizeof(m.plan->component), "%s", o.component);

        plan_places(&m);
        r = plan_pools(&m);
        for (size_t i = 0; i < n_nodes && r >= 0; i++)
                r = steps_add_node(&m, i);
        if (r < 0)
                return r;
        if (m.plan->n_steps == 0 && m.plan->n_skips == 0)
                return plan_nothing(&m);
        if (m.plan->n_steps > 0)
                qsort_r(m.plan->steps, m.plan->n_steps, sizeof(PlanStep), compare_steps, m.plan);
        r = stages_make(&m);
        if (r < 0)
                return r;
        steps_explain(m.plan);
        capacity_make(&m);
        time_make(&m);
        r = pools_arrange(&m);
        if (r >= 0)
                r = plan_check(&m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m.plan);
        return 0;
}

Plan *plan_free(Plan *p)
{
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n_pools; i++)
                free(p->pools[i].members);
        for (size_t i = 0; i < p->n_findings; i++)
                free(p->findings[i].nodes);
        free(p->pools);
        free(p->stages);
        free(p->steps);
        free(p->skips);
        free(p->findings);
        free(p);
        return NULL;
}
