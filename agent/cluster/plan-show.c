/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A plan for people, and as JSON. */

#include <stdlib.h>
#include <string.h>

#include "agent/cluster/plan.h"
#include "base/text.h"
#include "base/time.h"
#include "probes/json.h"

static const char *node_name(const Plan *p, size_t node)
{
        return p->nodes[node].node->name;
}

static bool refuses(const PlanFinding *f)
{
        return f->verdict == PLAN_REFUSE && !f->overridden;
}

static bool has_job(const Plan *p, const PlanPool *pool, size_t node)
{
        const PlanNode *n = node == PLAN_NONE ? NULL : &p->nodes[node];
        for (size_t i = 0; n && i < n->n_looks; i++)
                if (strcmp(n->looks[i]->component, pool->component) == 0)
                        return n->looks[i]->has_job;
        return false;
}

/* Is everybody of the pool who is out under way, and so on the way back? */
static bool comes_back(const Plan *p, const char *name)
{
        bool any = false;
        for (size_t i = 0; i < p->n_pools; i++) {
                const PlanPool *pool = &p->pools[i];
                for (size_t k = 0; strcmp(pool->name, name) == 0 && k < pool->n_members; k++) {
                        if (pool->members[k].state == PLAN_SERVING)
                                continue;
                        if (!has_job(p, pool, pool->members[k].node))
                                return false;
                        any = true;
                }
        }
        return any;
}

static bool passes(const Plan *p, const PlanFinding *f)
{
        switch (f->condition) {
        case PLAN_C_BUSY:
        case PLAN_C_LEASED:
                return true;
        case PLAN_C_DEGRADED:
        case PLAN_C_LAST_SERVING:
                return comes_back(p, f->pool);
        default:
                return false;
        }
}

bool plan_waits(const Plan *p)
{
        bool any = false;
        for (size_t i = 0; i < p->n_findings; i++) {
                const PlanFinding *f = &p->findings[i];
                if (!refuses(f))
                        continue;
                if (!passes(p, f))
                        return false;
                any = true;
        }
        return any;
}

const char *plan_summary(const Plan *p, char *buf, size_t size)
{
        const PlanFinding *first = NULL;
        char names[200] = "";

        for (size_t i = 0; i < p->n_findings; i++) {
                const PlanFinding *f = &p->findings[i];
                size_t len = strlen(names);
                if (!refuses(f))
                        continue;
                first = first ? first : f;
                if (!strstr(names, plan_condition_name(f->condition)))
                        (void) snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
                                        plan_condition_name(f->condition));
        }
        if (!first)
                (void) snprintf(buf, size, "nothing is in the way");
        else
                (void) snprintf(buf, size, "%s: %s%s%s", names, first->pool, *first->pool ? ": " : "",
                                first->evidence);
        return buf;
}

/* ---- text ---- */

static void show_expected(const Plan *p, FILE *out)
{
        char text[32];
        (void) time_format((Usec) (p->expected * (double) USEC_PER_SEC), text, sizeof(text));
        if (p->n_unknown == p->n_steps)
                (void) fprintf(out,
                               "expected time not known: none of them was restarted by edge-roll before");
        else if (p->n_unknown > 0)
                (void) fprintf(out,
                               "expected time at least %s (%zu of %zu were never restarted by edge-roll)",
                               text, p->n_unknown, p->n_steps);
        else
                (void) fprintf(out, "expected time %s", text);
}

static void show_head(const Plan *p, FILE *out)
{
        (void) fprintf(out, "restart %s: %zu step%s in %zu pool%s", p->component, p->n_steps,
                       p->n_steps == 1 ? "" : "s", p->n_pools, p->n_pools == 1 ? "" : "s");
        if (p->n_steps > 0) {
                (void) fputs(", ", out);
                show_expected(p, out);
        }
        (void) fprintf(out, "; stops after failure no. %u\n", p->stop_after);
}

static const char *pool_title(const PlanPool *pool)
{
        return *pool->name ? pool->name : "(name not known)";
}

static void show_pool(const PlanPool *pool, FILE *out)
{
        (void) fprintf(out, "\npool %s (%s", pool_title(pool), pool->component);
        if (*pool->region)
                (void) fprintf(out, ", region %s", pool->region);
        if (*pool->pod)
                (void) fprintf(out, ", pod %s", pool->pod);
        (void) fprintf(out, "): %zu member%s, %zu serving, never fewer than %zu; at most %u out; lock %s\n",
                       pool->n_members, pool->n_members == 1 ? "" : "s", pool->serving, pool->serving_least,
                       pool->max_unavailable, look_lock_name(pool->lock));
        for (size_t i = 0; i < pool->n_members; i++) {
                const PlanMember *b = &pool->members[i];
                if (b->step != PLAN_NONE && b->state == PLAN_SERVING)
                        continue;
                (void) fprintf(out, "    %s: %s%s%s%s\n", b->name, plan_state_name(b->state),
                               *b->why ? ", " : "", b->why, b->step == PLAN_NONE ? " (stays as it is)" : "");
        }
}

static void show_steps(const Plan *p, FILE *out)
{
        char took[32];
        int width = 4;

        for (size_t i = 0; i < p->n_steps; i++)
                width = MAX(width, (int) MIN(strlen(node_name(p, p->steps[i].node)), (size_t) 40));
        for (size_t i = 0; i < p->n_steps; i++) {
                const PlanStep *s = &p->steps[i];
                const PlanStage *stage = &p->stages[s->stage];
                if (i == stage->first) {
                        (void) fprintf(out, "\n%s%s, pool %s", stage->sick ? "what is out first: " : "",
                                       s->component, pool_title(&p->pools[s->pool]));
                        if (s->pool2 != PLAN_NONE)
                                (void) fprintf(out, " and %s", pool_title(&p->pools[s->pool2]));
                        (void) fprintf(out, ", %s\n",
                                       stage->at_once == 1 ? "one after another" : "several at once");
                        if (stage->at_once > 1)
                                (void) fprintf(out, "    (%u at once%s)\n", stage->at_once,
                                               i == 0 ? ", the first one alone" : "");
                }
                if (s->took > 0)
                        (void) time_format((Usec) (s->took * (double) USEC_PER_SEC), took, sizeof(took));
                else
                        (void) snprintf(took, sizeof(took), "?");
                (void) fprintf(out, "  %3zu  %-*s  %8s  %s%s%s\n", i + 1, width, node_name(p, s->node), took,
                               s->canary ? "canary; " : "", s->needed ? "needed by what is in Edge; " : "",
                               s->why);
        }
}

static void show_finding(const PlanFinding *f, FILE *out)
{
        static const char *const words[] = { [PLAN_OK] = "ok",
                                             [PLAN_UNKNOWN] = "unknown",
                                             [PLAN_WARNING] = "warning",
                                             [PLAN_REFUSE] = "REFUSED" };
        (void) fprintf(out, "  %-10s  %-15s  %s%s%s\n", f->overridden ? "overridden" : words[f->verdict],
                       plan_condition_name(f->condition), f->pool, *f->pool ? ": " : "", f->evidence);
        if (f->overridden)
                (void) fprintf(out, "  %-10s  %-15s  reason: %s\n", "", "", f->reason);
        else if (*f->hint && f->verdict != PLAN_OK)
                (void) fprintf(out, "  %-10s  %-15s  -> %s\n", "", "", f->hint);
        if (refuses(f) && plan_condition_overridable(f->condition))
                (void) fprintf(out, "  %-10s  %-15s  -> or --override %s=REASON\n", "", "",
                               plan_condition_name(f->condition));
}

static void show_findings(const Plan *p, bool verbose, FILE *out)
{
        size_t fine = 0;
        (void) fputs("\nconditions\n", out);
        /* What is in the way comes first. */
        for (int v = PLAN_REFUSE; v >= PLAN_OK; v--)
                for (size_t i = 0; i < p->n_findings; i++) {
                        if (p->findings[i].verdict != (PlanVerdict) v)
                                continue;
                        if (v == PLAN_OK && !verbose)
                                fine++;
                        else
                                show_finding(&p->findings[i], out);
                }
        if (fine > 0)
                (void) fprintf(out, "  %-10s  %zu more (--verbose shows them)\n", "ok", fine);
}

int plan_render_text(const Plan *p, bool verbose, char **ret)
{
        char *text = NULL;
        size_t size = 0;
        FILE *out = text_open(&text, &size);

        if (!out)
                return -ENOMEM;
        show_head(p, out);
        for (size_t i = 0; i < p->n_pools; i++)
                show_pool(&p->pools[i], out);
        show_steps(p, out);
        if (p->n_skips > 0)
                (void) fputs("\nselected, but not restarted\n", out);
        for (size_t i = 0; i < p->n_skips; i++)
                (void) fprintf(out, "  %s: %s\n", node_name(p, p->skips[i].node), p->skips[i].why);
        show_findings(p, verbose, out);
        bool bad = ferror(out) != 0;
        if (text_close(out, &text) < 0 || bad) {
                free(text);
                return -ENOMEM;
        }
        /* Names and sentences come from other machines. */
        for (char *c = text; *c; c++)
                if (((unsigned char) *c < ' ' && *c != '\n') || (unsigned char) *c >= 0x7f)
                        *c = '?';
        *ret = text;
        return 0;
}

/* ---- JSON ---- */

static cJSON *json_names(const Plan *p, const size_t *nodes, size_t n)
{
        cJSON *a = cJSON_CreateArray();
        for (size_t i = 0; i < n; i++)
                json_append(a, cJSON_CreateString(node_name(p, nodes[i])));
        return a;
}

static void add_text(cJSON *o, const char *key, const char *text)
{
        _cleanup_(freep) char *copy = strdup(text);
        for (char *c = copy; c && *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
        cJSON_AddStringToObject(o, key, copy ? copy : "");
}

static cJSON *json_pool(const Plan *p, const PlanPool *pool)
{
        cJSON *o = cJSON_CreateObject();
        add_text(o, "name", pool->name);
        add_text(o, "component", pool->component);
        add_text(o, "region", pool->region);
        add_text(o, "pod", pool->pod);
        cJSON_AddNumberToObject(o, "serving", (double) pool->serving);
        cJSON_AddNumberToObject(o, "serving_least", (double) pool->serving_least);
        cJSON_AddNumberToObject(o, "max_unavailable", pool->max_unavailable);
        add_text(o, "lock", look_lock_name(pool->lock));
        add_text(o, "lock_text", pool->lock_text);
        cJSON *members = cJSON_AddArrayToObject(o, "members");
        for (size_t i = 0; i < pool->n_members; i++) {
                const PlanMember *b = &pool->members[i];
                cJSON *row = cJSON_CreateObject();
                add_text(row, "name", b->name);
                add_text(row, "uuid", b->uuid);
                add_text(row, "address", b->address);
                add_text(row, "state", plan_state_name(b->state));
                add_text(row, "why", b->why);
                cJSON_AddBoolToObject(row, "selected", b->selected);
                cJSON_AddBoolToObject(row, "known", b->node != PLAN_NONE);
                if (b->step != PLAN_NONE)
                        cJSON_AddNumberToObject(row, "step", (double) (b->step + 1));
                else
                        cJSON_AddNullToObject(row, "step");
                json_append(members, row);
        }
        (void) p;
        return o;
}

static cJSON *json_step(const Plan *p, size_t at)
{
        const PlanStep *s = &p->steps[at];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "step", (double) (at + 1));
        add_text(o, "node", node_name(p, s->node));
        add_text(o, "component", s->component);
        cJSON *pools = cJSON_AddArrayToObject(o, "pools");
        json_append(pools, cJSON_CreateString(p->pools[s->pool].name));
        if (s->pool2 != PLAN_NONE)
                json_append(pools, cJSON_CreateString(p->pools[s->pool2].name));
        cJSON_AddNumberToObject(o, "stage", (double) (s->stage + 1));
        cJSON_AddNumberToObject(o, "at_once", p->stages[s->stage].at_once);
        cJSON_AddBoolToObject(o, "canary", s->canary);
        cJSON_AddBoolToObject(o, "out", s->sick);
        cJSON_AddBoolToObject(o, "needed", s->needed);
        if (s->took > 0)
                cJSON_AddNumberToObject(o, "took", s->took);
        else
                cJSON_AddNullToObject(o, "took");
        add_text(o, "why", s->why);
        return o;
}

static cJSON *json_finding(const Plan *p, const PlanFinding *f)
{
        cJSON *o = cJSON_CreateObject();
        add_text(o, "name", plan_condition_name(f->condition));
        add_text(o, "verdict", plan_verdict_name(f->verdict));
        add_text(o, "pool", f->pool);
        add_text(o, "evidence", f->evidence);
        add_text(o, "hint", f->hint);
        json_put(o, "nodes", json_names(p, f->nodes, f->n_nodes));
        cJSON_AddBoolToObject(o, "overridable", plan_condition_overridable(f->condition));
        cJSON_AddBoolToObject(o, "overridden", f->overridden);
        if (f->overridden)
                add_text(o, "reason", f->reason);
        return o;
}

int plan_to_json(const Plan *p, cJSON **ret)
{
        cJSON *o = cJSON_CreateObject();
        if (!o)
                return -ENOMEM;
        add_text(o, "event", "plan");
        add_text(o, "component", p->component);
        cJSON_AddBoolToObject(o, "refused", p->refused);
        cJSON_AddNumberToObject(o, "stop_after", p->stop_after);
        cJSON_AddNumberToObject(o, "expected", p->expected);
        cJSON_AddNumberToObject(o, "expected_unknown", (double) p->n_unknown);
        add_text(o, "router_retry", p->router_retry);
        cJSON *pools = cJSON_AddArrayToObject(o, "pools");
        for (size_t i = 0; i < p->n_pools; i++)
                json_append(pools, json_pool(p, &p->pools[i]));
        cJSON *steps = cJSON_AddArrayToObject(o, "steps");
        for (size_t i = 0; i < p->n_steps; i++)
                json_append(steps, json_step(p, i));
        cJSON *skips = cJSON_AddArrayToObject(o, "skipped");
        for (size_t i = 0; i < p->n_skips; i++) {
                cJSON *row = cJSON_CreateObject();
                add_text(row, "node", node_name(p, p->skips[i].node));
                add_text(row, "why", p->skips[i].why);
                cJSON_AddBoolToObject(row, "failed", p->skips[i].failed);
                json_append(skips, row);
        }
        cJSON *conditions = cJSON_AddArrayToObject(o, "conditions");
        for (size_t i = 0; i < p->n_findings; i++)
                json_append(conditions, json_finding(p, &p->findings[i]));
        *ret = o;
        return 0;
}
