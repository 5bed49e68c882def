/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The journal of the roll, and the leases of its nodes. */

#include "agent/cluster/coordinator-impl.h"

#include <errno.h>
#include <string.h>

#define CONTEND_USEC (300 * USEC_PER_MSEC)

static void coord_on_lease(size_t node, const char *pool, uint64_t epoch, const char *action, void *userdata)
{
        Coord *c = userdata;
        cJSON *o = roll_log_event("lease");
        cJSON_AddStringToObject(o, "pool", pool);
        cJSON_AddStringToObject(o, "node", coord_node_name(c, node));
        cJSON_AddNumberToObject(o, "epoch", (double) epoch);
        cJSON_AddStringToObject(o, "action", action);
        (void) coord_log(c, o);
}

static void coord_on_lost(size_t node, const char *text, void *userdata)
{
        Coord *c = userdata;
        if (c->phase != COORD_ROLLING)
                return;
        coord_say(c, coord_node_name(c, node), true, "the lease is lost: %s", text);
        if (c->stop_result < 0) {
                c->stop_result = RESULT_BUSY;
                (void) snprintf(c->stop_text, sizeof(c->stop_text), "the lease of %s was lost: %.400s",
                                coord_node_name(c, node), text);
        }
        coord_roll_stop(c, "lease", c->stop_text);
}

static void coord_on_given(void *userdata)
{
        coord_conclude(userdata);
}

static void coord_on_taken(Result result, const char *text, const char *hint, void *userdata)
{
        Coord *c = userdata;
        Err err = { 0 };
        if (c->phase != COORD_LEASING)
                return;
        if (result != RESULT_DONE) {
                /* What is told goes with the tenures. */
                char why[600], what[300];
                (void) snprintf(why, sizeof(why), "%s", text);
                (void) snprintf(what, sizeof(what), "%s", hint);
                c->tenures = tenures_free(c->tenures);
                /* Not all in step: whoever was refused comes again after a time of its own. */
                if (result == RESULT_BUSY && time_now() < c->wait_until)
                        coord_wait(c, CONTEND_USEC + (Usec) (random() % 1000) * USEC_PER_MSEC, why);
                else
                        coord_end(c, result, what, "%s", why);
                return;
        }
        if (coord_roll_begin(c, &err) < 0)
                coord_end(c, RESULT_FAILED, "", "%s", err.text);
}

static int coord_journal(Coord *c, Err *err)
{
        _cleanup_(freep) char *dir = NULL, *line = NULL;
        if (c->log)
                return 0;
        int r = roll_log_dir(c->config->cluster_journal_dir, &dir, err);
        if (r < 0)
                return r;
        r = roll_log_create(&c->log, dir, c->plan_options.component, coord_roll_json(c), &line, err);
        if (r < 0)
                return r;
        (void) snprintf(c->id, sizeof(c->id), "%s", roll_log_id(c->log));
        c->plan_options.holder = c->plan_options.roll = c->id;
        if (c->mode.json)
                coord_write(c, line ? strdup(line) : NULL), coord_write(c, strdup("\n"));
        return coord_proof_log(c) ? 0 : err_set(err, -EIO, "what is to be proven cannot be written down");
}

static void coord_log_overrides(Coord *c)
{
        for (size_t i = 0; i < c->plan->n_findings; i++) {
                const PlanFinding *f = &c->plan->findings[i];
                if (!f->overridden)
                        continue;
                cJSON *o = roll_log_event("override");
                cJSON_AddStringToObject(o, "name", plan_condition_name(f->condition));
                cJSON_AddStringToObject(o, "reason", f->reason);
                cJSON_AddStringToObject(o, "text", f->evidence);
                (void) coord_log(c, o);
        }
}

static int coord_tenures(Coord *c)
{
        static const TenuresHandlers handlers = { .taken = coord_on_taken,
                                                  .told = coord_on_lease,
                                                  .lost = coord_on_lost,
                                                  .given = coord_on_given };
        int r = tenures_new(&c->tenures, c->event, c->fleet, c->id, &handlers, c);
        for (size_t i = 0; i < c->plan->n_pools && r >= 0; i++) {
                const PlanPool *p = &c->plan->pools[i];
                _cleanup_(freep) TenureMember *members = calloc(p->n_members + 1, sizeof(*members));
                size_t n = 0;
                if (!members)
                        return -ENOMEM;
                for (size_t m = 0; m < p->n_members; m++)
                        if (*p->members[m].uuid)
                                members[n++] = (TenureMember){ p->members[m].uuid, p->members[m].name,
                                                               p->members[m].address };
                int pool = tenures_pool(c->tenures, p->component, p->name, members, n, p->members_force);
                r = pool;
                for (size_t m = 0; m < p->n_members && r >= 0; m++) {
                        const PlanMember *x = &p->members[m];
                        if (x->node == PLAN_NONE || x->state == PLAN_NOT_KNOWN)
                                continue;
                        const NodeLook *look = coord_look_of(c, x->node, p->component);
                        r = tenures_add(c->tenures, pool, x->node, *x->uuid ? x->uuid : x->name,
                                        x->state != PLAN_SERVING, look ? look->now : 0,
                                        look ? look->heard : 0);
                }
        }
        return r < 0 ? r : 0;
}

void coord_lease(Coord *c)
{
        Err err = { 0 };
        if (coord_journal(c, &err) < 0) {
                coord_end(c, RESULT_REFUSED,
                          "make room in, or give write access to, the directory of journals",
                          "the journal of the roll cannot be begun: %s", err.text);
                return;
        }
        coord_log_overrides(c);
        c->phase = COORD_LEASING;
        if (coord_members(c) < 0 || coord_tenures(c) < 0) {
                coord_end(c, RESULT_FAILED, "", "out of memory");
                return;
        }
        tenures_take(c->tenures);
}
