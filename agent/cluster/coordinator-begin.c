/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a plan to the roll that carries it out: what is skipped, what is under way already. */

#include "agent/cluster/coordinator-impl.h"

#include <errno.h>
#include <string.h>

/* Of the plan's findings: may what is out of this pool stay out of the count? */
static bool pool_tolerates(const Coord *c, size_t pool)
{
        for (size_t i = 0; i < c->plan->n_findings; i++) {
                const PlanFinding *f = &c->plan->findings[i];
                if (f->condition == PLAN_C_DEGRADED && f->overridden && f->pool_index == pool)
                        return true;
        }
        return false;
}

const NodeLook *coord_look_of(const Coord *c, size_t node, const char *component)
{
        size_t n;
        const PlanNode *p = &fleet_nodes(c->fleet, &n)[node];
        for (size_t i = 0; i < p->n_looks; i++)
                if (strcmp(p->looks[i]->component, component) == 0)
                        return p->looks[i];
        return NULL;
}

static const NodeLook *step_look(const Coord *c, const PlanStep *p)
{
        return coord_look_of(c, p->node, c->plan->pools[p->pool].component);
}

/* Has it been restarted before this process: in this roll (resume), or in the one that --since names? */
static bool step_recorded(const Coord *c, const PlanStep *p)
{
        const NodeLook *look = c->record || *c->since ? step_look(c, p) : NULL;
        return look && look->has_last && *look->last_roll &&
               ((c->record && strcmp(look->last_roll, c->id) == 0) ||
                strcmp(look->last_roll, c->since) == 0) &&
               roll_result_good(look->last_result);
}

/* The component of a step that does not serve; NULL: all do. */
static const NodeLook *step_missing(const Coord *c, const PlanStep *p)
{
        const size_t in[] = { p->pool, p->pool2 };
        for (size_t i = 0; i < ELEMENTS(in) && in[i] != PLAN_NONE; i++) {
                const NodeLook *look = coord_look_of(c, p->node, c->plan->pools[in[i]].component);
                if (look && !look_serves(look))
                        return look;
        }
        return NULL;
}

static bool step_skipped(const Coord *c, const PlanStep *p)
{
        return step_recorded(c, p) && !step_missing(c, p);
}

bool coord_doubts(Coord *c)
{
        bool doubts = false;
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                const PlanStep *p = &c->plan->steps[i];
                const NodeLook *look = step_recorded(c, p) ? step_missing(c, p) : NULL;
                if (!look)
                        continue;
                doubts = true;
                if (c->doubts > 0 && c->doubts < COORD_DOUBTS)
                        continue;
                coord_say(c, coord_node_name(c, p->node), true,
                          "was restarted by this roll and does not serve now (%.200s): %s",
                          *look->out_reason ? look->out_reason
                          : *look->up_text  ? look->up_text
                                            : "it is not up",
                          c->doubts == 0 ? "looking again" : "it counts as not restarted, and comes first");
        }
        return doubts && c->doubts++ < COORD_DOUBTS;
}

/* Nobody was there to write down how its job ended: its agent tells. */
static void step_tell(Coord *c, const PlanStep *p)
{
        const NodeLook *look = step_look(c, p);
        const RollNode *told =
                c->record ? roll_record_node(c->record, coord_node_name(c, p->node), p->component) : NULL;
        if (!look || !told || roll_result_good(told->result) || strcmp(look->last_roll, c->id) != 0)
                return;
        cJSON *o = roll_log_event("node"), *result;
        cJSON_AddStringToObject(o, "node", coord_node_name(c, p->node));
        cJSON_AddNumberToObject(o, "step", (double) look->last_step);
        cJSON_AddStringToObject(o, "state", "end");
        result = cJSON_AddObjectToObject(o, "result");
        cJSON_AddStringToObject(result, "result", look->last_result);
        cJSON_AddStringToObject(result, "reason", look->last_reason);
        cJSON_AddStringToObject(result, "time", look->last_time);
        (void) coord_log(c, o);
}

/* A job of this roll that a process before this one has begun. model: SEQ-ADOPT */
static void step_adopt(CoordStep *st)
{
        const NodeLook *look = step_look(st->c, &st->c->plan->steps[st->index]);
        if (!st->c->record || !look || !look->has_job || strcmp(look->job_roll, st->c->id) != 0)
                return;
        st->number = look->job_step;
        st->seen = true;
        st->since = time_now();
        seq_started(st->c->seq, st->index);
        coord_say(st->c, coord_node_name(st->c, st->node), false,
                  "its job of this roll is under way (%s); going on with it", look->job_phase);
        coord_roll_follow(st);
}

static void members_free(Coord *c)
{
        c->n_members = 0;
        free(TAKE_PTR(c->members));
        free(TAKE_PTR(c->member_names));
        free(TAKE_PTR(c->pool_first));
}

int coord_members(Coord *c)
{
        const Plan *p = c->plan;
        Usec now = time_now();
        size_t n = 0;
        members_free(c);
        for (size_t i = 0; i < p->n_pools; i++)
                n += p->pools[i].n_members;
        c->members = calloc(n + 1, sizeof(*c->members));
        c->member_names = calloc(n + 1, sizeof(*c->member_names));
        c->pool_first = calloc(p->n_pools + 1, sizeof(*c->pool_first));
        if (!c->members || !c->member_names || !c->pool_first)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_pools; i++) {
                c->pool_first[i] = c->n_members;
                for (size_t m = 0; m < p->pools[i].n_members; m++) {
                        const PlanMember *pm = &p->pools[i].members[m];
                        c->member_names[c->n_members] = pm->name;
                        c->members[c->n_members++] =
                                (CoordMember){ .node = pm->node,
                                               .component = p->pools[i].component,
                                               .heard = now,
                                               .health = pm->state == PLAN_SERVING ? SEQ_UP
                                                         : pm->state == PLAN_OUT   ? SEQ_DOWN
                                                                                   : SEQ_UNKNOWN };
                }
        }
        return 0;
}

int coord_roll_begin(Coord *c, Err *err)
{
        const Plan *p = c->plan;
        _cleanup_(freep) SeqPool *pools = calloc(p->n_pools + 1, sizeof(*pools));
        _cleanup_(freep) SeqStep *steps = calloc(p->n_steps + 1, sizeof(*steps));
        _cleanup_(freep) SeqMember *members = NULL;
        SeqOptions options = {
                .max_failures = c->rq->cluster.max_failures,
                .soak_low_usec = c->soak_low_usec,
                .soak_high_usec = c->soak_high_usec,
                .good_usec = MIN(COORD_GOOD_USEC, c->soak_low_usec),
                .patience_usec = MAX(c->soak_high_usec, COORD_PULSE_USEC),
        };
        Usec now = time_now();

        members = calloc(c->n_members + 1, sizeof(*members));
        c->steps = calloc(p->n_steps + 1, sizeof(*c->steps));
        c->view = calloc(p->n_steps + 1, sizeof(*c->view));
        if (!pools || !steps || !members || !c->steps || !c->view)
                return err_set(err, -ENOMEM, "out of memory");

        for (size_t i = 0, at = 0; i < p->n_pools; i++) {
                pools[i] = (SeqPool){ .max_unavailable = p->pools[i].max_unavailable,
                                      .allow_outage = c->rq->cluster.allow_outage };
                for (size_t m = 0; m < p->pools[i].n_members; m++, at++) {
                        SeqHealth health = c->members[at].health;
                        members[at] =
                                (SeqMember){ .pool = i,
                                             .health = health,
                                             .tolerated = p->pools[i].members[m].state != PLAN_SERVING &&
                                                          health != SEQ_UP && pool_tolerates(c, i) };
                }
        }
        for (size_t i = 0; i < p->n_steps; i++) {
                const PlanStep *ps = &p->steps[i];
                size_t in[SEQ_POOLS_PER_STEP] = { ps->pool, ps->pool2 };
                steps[i].stage = (unsigned) ps->stage;
                steps[i].skip = step_skipped(c, ps);
                for (size_t k = 0; k < ELEMENTS(in) && in[k] != PLAN_NONE; k++)
                        for (size_t m = 0; m < p->pools[in[k]].n_members; m++)
                                if (p->pools[in[k]].members[m].node == ps->node)
                                        steps[i].members[steps[i].n_members++] = c->pool_first[in[k]] + m;
                c->steps[i] = (CoordStep){ .c = c, .index = i, .node = ps->node };
                if (steps[i].skip) {
                        (void) snprintf(c->steps[i].result, sizeof(c->steps[i].result), "done");
                        step_tell(c, ps);
                }
        }
        int r = seq_new(&c->seq, &options, pools, p->n_pools, members, c->n_members, steps, p->n_steps);
        if (r < 0)
                return err_set(err, r, "the plan makes no sense");
        if ((r = coord_roll_timer(c, err)) < 0)
                return r;
        c->phase = COORD_ROLLING;
        c->began = c->aged = now;
        if (c->log_failed)
                seq_stop(c->seq);
        for (size_t i = 0; i < p->n_steps; i++)
                if (!steps[i].skip)
                        step_adopt(&c->steps[i]);
        coord_roll_turn(c);
        return 0;
}

void coord_roll_done(Coord *c)
{
        for (size_t i = 0; c->steps && i < c->plan->n_steps; i++) {
                c->steps[i].call = remote_call_cancel(c->steps[i].call);
                c->steps[i].follow = follow_free(c->steps[i].follow);
        }
        c->seq = seq_free(c->seq);
        free(TAKE_PTR(c->steps));
        free(TAKE_PTR(c->view));
        members_free(c);
}
