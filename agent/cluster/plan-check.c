/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every condition of a plan, with its evidence. */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cluster/plan-impl.h"
#include "base/words.h"

#define RECENT_SECONDS 900.0

/* ---- nodes ---- */

/* Is it part of this: in one of the pools, or to be restarted? */
static bool concerned(const PlanMaker *m, size_t node, bool *ret_selected)
{
        bool member = false;
        *ret_selected = false;
        for (size_t i = 0; i < m->plan->n_pools; i++)
                for (size_t k = 0; k < m->plan->pools[i].n_members; k++)
                        if (m->plan->pools[i].members[k].node == node) {
                                member = true;
                                *ret_selected |= m->plan->pools[i].members[k].selected;
                        }
        return member;
}

static const char *trouble_of(const PlanNode *n)
{
        return n->trouble && *n->trouble ? n->trouble : "no answer";
}

static int check_contact(PlanMaker *m, PlanContact contact, PlanCondition c, const char *good,
                         const char *counts)
{
        _cleanup_(plan_who_done) PlanWho selected = { 0 }, others = { 0 };
        PlanList selected_text = { 0 }, others_text = { 0 }, strangers = { 0 };
        const char *hint = NULL;
        bool is_selected;

        for (size_t i = 0; i < m->plan->n_nodes; i++) {
                const PlanNode *n = &m->plan->nodes[i];
                if (n->contact != contact)
                        continue;
                if (!concerned(m, i, &is_selected)) {
                        plan_list_add(&strangers, "%.60s", n->node->name);
                        continue;
                }
                hint = hint ? hint : n->hint;
                plan_who_add(is_selected ? &selected : &others, i);
                plan_list_add(is_selected ? &selected_text : &others_text, "%.60s: %.160s", n->node->name,
                              trouble_of(n));
        }
        int r = 0;
        if (selected_text.n > 0)
                r = plan_add(m, c, PLAN_REFUSE, NULL, &selected, hint, "%zu of the selected: %s",
                             selected_text.n, selected_text.text);
        if (r >= 0 && others_text.n > 0)
                r = plan_add(m, c, PLAN_WARNING, NULL, &others, hint, "%zu not selected, %s: %s",
                             others_text.n, counts, others_text.text);
        if (selected_text.n > 0 || others_text.n > 0)
                return r;
        if (strangers.n > 0)
                return plan_add(m, c, PLAN_OK, NULL, NULL, NULL,
                                "%s; %zu more do not, and are in none of these pools by their groups: %s",
                                good, strangers.n, strangers.text);
        return plan_add(m, c, PLAN_OK, NULL, NULL, NULL, "%s", good);
}

static int check_permission(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho who = { 0 };
        PlanList list = { 0 };
        bool selected;
        const char *hint = "root, or group edge-roll on the node; sudo -n edge-roll bridge";

        for (size_t i = 0; i < m->plan->n_nodes; i++) {
                const PlanNode *n = &m->plan->nodes[i];
                if ((n->contact != PLAN_REACHED && n->contact != PLAN_NO_PERMISSION) ||
                    plan_may_change(m, i) || !concerned(m, i, &selected))
                        continue;
                if (n->contact == PLAN_NO_PERMISSION && n->hint)
                        hint = n->hint;
                plan_who_add(&who, i);
                plan_list_add(&list, "%.60s: %.160s", n->node->name,
                              n->contact == PLAN_NO_PERMISSION
                                      ? trouble_of(n)
                                      : "you are neither root nor in group edge-roll there");
        }
        if (list.n > 0)
                return plan_add(
                        m, PLAN_C_PERMISSION, PLAN_REFUSE, NULL, &who, hint,
                        "%zu node%s of the pools may not be changed by you, and a roll needs every one's lease: %s",
                        list.n, list.n == 1 ? "" : "s", list.text);
        return plan_add(m, PLAN_C_PERMISSION, PLAN_OK, NULL, NULL, NULL,
                        "you may restart on every node that answers");
}

static int check_version(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho far = { 0 }, near = { 0 };
        PlanList far_text = { 0 }, near_text = { 0 };
        bool selected;

        for (size_t i = 0; i < m->plan->n_nodes; i++) {
                const PlanNode *n = &m->plan->nodes[i];
                const NodeLook *l = n->n_looks > 0 ? n->looks[0] : NULL;
                if (!concerned(m, i, &selected))
                        continue;
                if (n->contact == PLAN_OTHER_VERSION) {
                        plan_who_add(&far, i);
                        plan_list_add(&far_text, "%.60s: %.160s", n->node->name, trouble_of(n));
                } else if (l && (l->protocol > PLAN_PROTOCOL + 1 || l->protocol + 1 < PLAN_PROTOCOL)) {
                        plan_who_add(&far, i);
                        plan_list_add(&far_text, "%.60s: version %s speaks protocol %u, here is %d",
                                      n->node->name, l->version, l->protocol, PLAN_PROTOCOL);
                } else if (l && l->protocol != PLAN_PROTOCOL) {
                        plan_who_add(&near, i);
                        plan_list_add(&near_text, "%.60s: version %s", n->node->name, l->version);
                }
        }
        int r = 0;
        if (far_text.n > 0)
                r = plan_add(m, PLAN_C_VERSION, PLAN_REFUSE, NULL, &far,
                             "install the same version of edge-roll there", "%s", far_text.text);
        if (r >= 0 && near_text.n > 0)
                r = plan_add(m, PLAN_C_VERSION, PLAN_WARNING, NULL, &near, NULL,
                             "one release apart from here, which works: %s", near_text.text);
        if (far_text.n > 0 || near_text.n > 0)
                return r;
        return plan_add(m, PLAN_C_VERSION, PLAN_OK, NULL, NULL, NULL,
                        "every node that answers speaks protocol %d", PLAN_PROTOCOL);
}

static int check_duplicate(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho who = { 0 };
        PlanList list = { 0 };

        for (size_t c = 0; c < m->n_components; c++)
                for (size_t i = 0; i < m->plan->n_nodes; i++) {
                        const PlanPlace *p = plan_place(m, c, i);
                        if (p->twin == PLAN_NONE)
                                continue;
                        plan_who_add(&who, i);
                        plan_who_add(&who, p->twin);
                        plan_list_add(&list, "%.60s and %.60s have both the server id %s",
                                      plan_node_name(m, p->twin), plan_node_name(m, i), p->look->uuid);
                }
        if (list.n > 0)
                return plan_add(
                        m, PLAN_C_DUPLICATE, PLAN_REFUSE, NULL, &who,
                        "two names of one node: name it once, or override: it is counted and restarted once; a "
                        "copied machine: give it an id of its own first",
                        "%s", list.text);
        return plan_add(m, PLAN_C_DUPLICATE, PLAN_OK, NULL, NULL, NULL,
                        "every node has a server id of its own");
}

static int check_identity(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho who = { 0 };
        PlanList list = { 0 };
        size_t known = 0;

        for (size_t c = 0; c < m->n_components; c++)
                for (size_t i = 0; i < m->plan->n_nodes; i++) {
                        const PlanPlace *p = plan_place(m, c, i);
                        const NodeServer *s = nodes_server(m->plan->nodes[i].node, m->components[c]);
                        if (!p->here || !p->look || !*p->look->uuid || !s || !*s->uuid)
                                continue;
                        known++;
                        if (strcmp(s->uuid, p->look->uuid) == 0)
                                continue;
                        plan_who_add(&who, i);
                        plan_list_add(&list, "%.60s is listed as %.36s and says %.36s", plan_node_name(m, i),
                                      s->uuid, p->look->uuid);
                }
        if (list.n > 0)
                return plan_add(
                        m, PLAN_C_IDENTITY, PLAN_WARNING, NULL, &who,
                        "the Management Server keeps entries of servers that are gone; what the node says counts",
                        "%s", list.text);
        if (known == 0)
                return 0;
        return plan_add(m, PLAN_C_IDENTITY, PLAN_OK, NULL, NULL, NULL,
                        "%zu server ids are those that the Management Server lists", known);
}

/* ---- what is going on there ---- */

static bool own_lease(const PlanMaker *m, const NodeLook *l)
{
        return m->o->holder && strcmp(m->o->holder, l->lease_holder) == 0;
}

static bool own_job(const PlanMaker *m, const NodeLook *l)
{
        return m->o->roll && *l->job_roll && strcmp(m->o->roll, l->job_roll) == 0;
}

static int check_busy(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho jobs = { 0 }, leases = { 0 };
        PlanList job_text = { 0 }, lease_text = { 0 };

        for (size_t i = 0; i < m->plan->n_pools; i++)
                for (size_t k = 0; k < m->plan->pools[i].n_members; k++) {
                        size_t node = m->plan->pools[i].members[k].node;
                        if (node == PLAN_NONE)
                                continue;
                        for (size_t c = 0; c < m->n_components; c++) {
                                const NodeLook *l = plan_place(m, c, node)->look;
                                if (!l || strcmp(l->component, m->plan->pools[i].component) != 0)
                                        continue;
                                if (l->has_job && !own_job(m, l)) {
                                        plan_who_add(&jobs, node);
                                        plan_list_add(&job_text, "%.60s: %s, in %s, for %.100s%s%.40s",
                                                      plan_node_name(m, node), l->job_kind, l->job_phase,
                                                      l->job_by, *l->job_roll ? ", roll " : "", l->job_roll);
                                }
                                if (l->leased && !own_lease(m, l)) {
                                        plan_who_add(&leases, node);
                                        plan_list_add(&lease_text, "%.60s: %.40s, by %.100s, %.0f s left",
                                                      plan_node_name(m, node), l->lease_holder, l->lease_by,
                                                      l->lease_left);
                                }
                        }
                }
        int r = job_text.n > 0
                        ? plan_add(
                                  m, PLAN_C_BUSY, PLAN_REFUSE, NULL, &jobs,
                                  "wait for it (--wait), or look at it on the node: edge-roll watch, edge-roll cancel",
                                  "a job runs on %zu node%s of the pools: %s", job_text.n,
                                  job_text.n == 1 ? "" : "s", job_text.text)
                        : plan_add(m, PLAN_C_BUSY, PLAN_OK, NULL, NULL, NULL,
                                   "no job runs on any node of the pools");
        if (r < 0)
                return r;
        if (lease_text.n > 0)
                return plan_add(
                        m, PLAN_C_LEASED, PLAN_REFUSE, NULL, &leases,
                        "another roll is at work: wait for it (--wait); if it is dead its leases end by "
                        "themselves, or edge-roll lock steal",
                        "%zu node%s leased: %s", lease_text.n, lease_text.n == 1 ? " is" : "s are",
                        lease_text.text);
        return plan_add(m, PLAN_C_LEASED, PLAN_OK, NULL, NULL, NULL, "nobody else has a lease");
}

/* The looks of what a step restarts. */
static size_t step_looks(const PlanMaker *m, const PlanStep *s, const NodeLook *ret[2])
{
        size_t n = 0;
        for (size_t c = 0; c < m->n_components; c++) {
                const NodeLook *l = plan_place(m, c, s->node)->look;
                bool part = strcmp(s->component, m->components[c]) == 0 || strcmp(s->component, "rmp") == 0;
                if (l && part)
                        ret[n++] = l;
        }
        return n;
}

static int check_steps(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho stopped = { 0 }, held = { 0 }, failed = { 0 }, blocked = { 0 };
        PlanList stopped_text = { 0 }, held_text = { 0 }, failed_text = { 0 }, blocked_text = { 0 };
        const NodeLook *looks[2];

        for (size_t i = 0; i < m->plan->n_steps; i++) {
                const PlanStep *s = &m->plan->steps[i];
                size_t n = step_looks(m, s, looks);
                for (size_t k = 0; k < n; k++) {
                        const NodeLook *l = looks[k];
                        const char *name = plan_node_name(m, s->node);
                        if (!l->running && !l->has_job) {
                                plan_who_add(&stopped, s->node);
                                plan_list_add(&stopped_text, "%.60s: its %s does not run", name,
                                              l->component);
                        }
                        if (l->held && l->held_by_hand) {
                                plan_who_add(&held, s->node);
                                plan_list_add(&held_text, "%.60s: by %.80s since %s: %.120s", name,
                                              l->hold_by, *l->hold_since ? l->hold_since : "?",
                                              l->hold_reason);
                        } else if (l->held) {
                                plan_who_add(&failed, s->node);
                                plan_list_add(&failed_text, "%.60s: %.160s", name, l->hold_reason);
                        }
                        if (!l->held && l->blocked != LOOK_OPEN && l->blocked != LOOK_BLOCKED_JOB) {
                                plan_who_add(&blocked, s->node);
                                plan_list_add(&blocked_text, "%.60s: %s", name, l->blocked_text);
                        }
                }
        }
        int r;
        if (stopped_text.n > 0)
                r = plan_add(m, PLAN_C_STOPPED, m->o->start ? PLAN_WARNING : PLAN_REFUSE, NULL, &stopped,
                             m->o->start ? "" : "--start starts it; --exclude leaves it out", "%s",
                             stopped_text.text);
        else
                r = plan_add(m, PLAN_C_STOPPED, PLAN_OK, NULL, NULL, NULL,
                             "all that are to be restarted run");
        if (r >= 0 && held_text.n > 0)
                r = plan_add(
                        m, PLAN_C_HELD, PLAN_REFUSE, NULL, &held,
                        "somebody keeps it out on purpose: --exclude it, or end that with edge-roll undrain",
                        "held by hand: %s", held_text.text);
        if (r >= 0 && failed_text.n > 0)
                r = plan_add(m, PLAN_C_HELD, PLAN_WARNING, NULL, &failed, NULL,
                             "held since a restart that did not come back good; restarted first: %s",
                             failed_text.text);
        if (r >= 0 && held_text.n + failed_text.n == 0)
                r = plan_add(m, PLAN_C_HELD, PLAN_OK, NULL, NULL, NULL,
                             "nothing that is to be restarted is held");
        if (r < 0)
                return r;
        if (blocked_text.n > 0)
                return plan_add(
                        m, PLAN_C_BLOCKED, PLAN_REFUSE, NULL, &blocked,
                        "edge-roll status on the node names what refuses its checkers, and how to end it",
                        "blocked by something else already: %s", blocked_text.text);
        return plan_add(m, PLAN_C_BLOCKED, PLAN_OK, NULL, NULL, NULL,
                        "nothing else refuses the checkers of what is to be restarted");
}

/* "2026-11-22T19:00:00.123Z" to seconds since 1970; 0: not understood. */
static double stamp_seconds(const char *text)
{
        struct tm tm = { 0 };
        char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        return end && (*end == '.' || *end == 'Z') ? (double) timegm(&tm) : 0;
}

/* By a roll whose nodes are left alone when they are done: the one that is taken up again, or that of
 * --since. */
static bool done_by(const PlanMaker *m, const NodeLook *l)
{
        return *l->last_roll && ((m->o->roll && strcmp(m->o->roll, l->last_roll) == 0) ||
                                 (m->o->since && strcmp(m->o->since, l->last_roll) == 0));
}

static int check_recent(PlanMaker *m)
{
        _cleanup_(plan_who_done) PlanWho who = { 0 };
        PlanList list = { 0 };
        const NodeLook *looks[2];

        for (size_t i = 0; i < m->plan->n_steps && m->o->now > 0; i++) {
                size_t n = step_looks(m, &m->plan->steps[i], looks);
                for (size_t k = 0; k < n; k++) {
                        double at = looks[k]->has_last ? stamp_seconds(looks[k]->last_time) : 0;
                        /* Two clocks: a moment in the future is a moment ago. */
                        if (at <= 0 || fabs(m->o->now - at) > RECENT_SECONDS ||
                            strcmp(looks[k]->last_result, "done") != 0 || done_by(m, looks[k]))
                                continue;
                        plan_who_add(&who, m->plan->steps[i].node);
                        plan_list_add(&list, "%.60s: %.0f s ago", plan_node_name(m, m->plan->steps[i].node),
                                      MAX(m->o->now - at, 0.0));
                }
        }
        if (list.n > 0)
                return plan_add(
                        m, PLAN_C_RECENT, PLAN_WARNING, NULL, &who,
                        "--exclude them if that is enough; edge-roll resume goes on with a roll that was cut off",
                        "a job ended well there a moment ago; they are restarted again: %s", list.text);
        return m->o->now > 0
                       ? plan_add(m, PLAN_C_RECENT, PLAN_OK, NULL, NULL, NULL,
                                  "nothing of it was restarted in the last %.0f minutes", RECENT_SECONDS / 60)
                       : 0;
}

static int check_max_failures(PlanMaker *m)
{
        unsigned failures = m->plan->stop_after - 1, allowed = UINT32_MAX;
        for (size_t i = 0; i < m->plan->n_pools; i++)
                if (m->plan->pools[i].n_steps > 0)
                        allowed = MIN(allowed, m->plan->pools[i].max_unavailable);
        if (failures > 0 && failures >= allowed)
                return plan_add(
                        m, PLAN_C_MAX_FAILURES, PLAN_REFUSE, NULL, NULL,
                        "say --max-unavailable larger than --max-failures, or leave --max-failures out",
                        "after %u failed node%s %u would be out and nobody more may go: --max-failures %u needs "
                        "--max-unavailable above %u, it is %u",
                        failures, failures == 1 ? "" : "s", failures, failures, failures, allowed);
        return plan_add(m, PLAN_C_MAX_FAILURES, PLAN_OK, NULL, NULL, NULL, "stops after failure no. %u",
                        m->plan->stop_after);
}

/* ---- around the pools ---- */

static bool retry_has(const char *set, const char *word)
{
        size_t len = strlen(word);
        for (const char *p = set; (p = strstr(p, word)) != NULL; p += len)
                if ((p == set || p[-1] == ' ' || p[-1] == '\t') &&
                    (!p[len] || p[len] == ' ' || p[len] == '\t'))
                        return true;
        return false;
}

/* Keep in @set what @other has, too. */
static void retry_intersect(char *set, size_t size, const char *other)
{
        _cleanup_(words_freep) Words words = NULL;
        char both[LOOK_TEXT] = "";
        if (words_split(set, &words) < 0) {
                *set = '\0'; /* not known is the careful answer */
                return;
        }
        for (size_t i = 0; words[i]; i++) {
                size_t len = strlen(both);
                if (retry_has(other, words[i]))
                        (void) snprintf(both + len, sizeof(both) - len, "%s%s", len ? " " : "", words[i]);
        }
        (void) snprintf(set, size, "%s", both);
}

static int check_retry(PlanMaker *m)
{
        Plan *p = m->plan;
        PlanList lack = { 0 };
        size_t asked = 0, silent = 0, router = PLAN_NONE;
        bool mps = false, first = true;

        for (size_t i = 0; i < p->n_steps; i++)
                mps |= strcmp(p->steps[i].component, "message-processor") == 0 ||
                       strcmp(p->steps[i].component, "rmp") == 0;
        if (!mps)
                return 0;
        for (size_t c = 0; c < m->n_components; c++)
                if (strcmp(m->components[c], "router") == 0)
                        router = c;
        if (m->o->router_retry)
                (void) snprintf(p->router_retry, sizeof(p->router_retry), "%s", m->o->router_retry);
        for (size_t i = 0; i < p->n_nodes && router != PLAN_NONE && !m->o->router_retry; i++) {
                const PlanPlace *place = plan_place(m, router, i);
                if (!place->here)
                        continue;
                if (!place->look || !place->look->retry_known) {
                        silent++;
                        continue;
                }
                asked++;
                if (!retry_has(place->look->router_retry, "error"))
                        plan_list_add(&lack, "%.60s: \"%.80s\"", plan_node_name(m, i),
                                      place->look->router_retry);
                if (first)
                        (void) snprintf(p->router_retry, sizeof(p->router_retry), "%s",
                                        place->look->router_retry);
                else
                        retry_intersect(p->router_retry, sizeof(p->router_retry), place->look->router_retry);
                first = false;
        }
        if (m->o->router_retry)
                return plan_add(m, PLAN_C_RETRY_SET, PLAN_OK, NULL, NULL, NULL,
                                "told by --router-retry: \"%.200s\"", m->o->router_retry);
        if (lack.n > 0)
                return plan_add(
                        m, PLAN_C_RETRY_SET, PLAN_OK, NULL, NULL, NULL,
                        "%zu of %zu routers do not try again after a refused connection, so message processors leave "
                        "by their own stop (mp_leave auto): %s",
                        lack.n, asked, lack.text);
        if (silent > 0 || asked == 0) {
                *p->router_retry = '\0';
                return plan_add(
                        m, PLAN_C_RETRY_SET, PLAN_WARNING, NULL, NULL,
                        "name the routers, too, or say --router-retry=\"http_599\"",
                        "%zu routers do not tell what they try again; message processors leave by a block, and a "
                        "router without `error` in its set answers 502 until its next check",
                        silent);
        }
        return plan_add(m, PLAN_C_RETRY_SET, PLAN_OK, NULL, NULL, NULL,
                        "all %zu routers try again after a refused connection", asked);
}

static int check_datastore(PlanMaker *m)
{
        PlanList down = { 0 };
        size_t known = 0;

        for (size_t i = 0; m->source && i < m->source->n_datastores; i++) {
                const NodesDatastore *d = &m->source->datastores[i];
                bool near = false;
                for (size_t k = 0; k < m->plan->n_pools; k++)
                        near |= !*d->region || !*m->plan->pools[k].region ||
                                strcmp(d->region, m->plan->pools[k].region) == 0;
                if (!near || !d->has_up)
                        continue;
                known++;
                if (!d->up)
                        plan_list_add(&down, "%.79s (%.100s)", d->name, d->types);
        }
        if (down.n > 0)
                return plan_add(
                        m, PLAN_C_DATASTORE, PLAN_REFUSE, NULL, NULL,
                        "a component that starts without its datastores does not come up: bring them up first",
                        "the Management Server lists %zu of %zu datastores of the region as down: %s", down.n,
                        known, down.text);
        if (known == 0)
                return plan_add(m, PLAN_C_DATASTORE, PLAN_UNKNOWN, NULL, NULL, NULL,
                                "only a Management Server tells, and none was asked or it lists none");
        return plan_add(m, PLAN_C_DATASTORE, PLAN_OK, NULL, NULL, NULL,
                        "the Management Server lists all %zu as up", known);
}

/* Whoever looks for the cause of errors after a roll should know what was down before it. */
static int check_targets(PlanMaker *m)
{
        const PlanEdge *e = m->o->edge;
        char unasked[80] = "";
        if (!e || !e->targets)
                return 0;
        if (e->targets_unasked > 0)
                (void) snprintf(unasked, sizeof(unasked), "; %zu more could not be asked in the time",
                                e->targets_unasked);
        if (e->targets_down > 0)
                return plan_add(m, PLAN_C_TARGETS, PLAN_WARNING, NULL, NULL,
                                "edge-roll targets check shows more; a restart changes nothing about it",
                                "%zu of %zu target servers do not answer from here%s: %s", e->targets_down,
                                e->targets_all, unasked, e->targets_text);
        return plan_add(m, PLAN_C_TARGETS, e->targets_unasked > 0 ? PLAN_UNKNOWN : PLAN_OK, NULL, NULL, NULL,
                        "all %zu target servers that are enabled%s answer from here%s", e->targets_all,
                        e->targets_unasked > 0 ? " and were asked" : "", unasked);
}

/* A restart may bring it to light: a new process has new counters, and asks for what it needs anew. */
static int check_lint(PlanMaker *m)
{
        const PlanEdge *e = m->o->edge;
        size_t more = e ? e->lint_errors - e->n_lint_lines : 0;
        int r = 0;
        if (!e || !e->lint)
                return 0;
        for (size_t i = 0; i < e->n_lint_lines && r >= 0; i++)
                r = plan_add(m, PLAN_C_LINT, PLAN_WARNING, NULL, NULL,
                             more == 0 && i + 1 == e->n_lint_lines ? e->lint_hint : NULL, "%s",
                             e->lint_lines[i]);
        if (r >= 0 && more > 0)
                r = plan_add(m, PLAN_C_LINT, PLAN_WARNING, NULL, NULL, e->lint_hint, "and %zu more", more);
        if (r < 0 || e->lint_errors > 0)
                return r;
        return plan_add(m, PLAN_C_LINT, PLAN_OK, NULL, NULL, NULL,
                        "no errors in the %zu deployed revisions that were looked at", e->lint_revisions);
}

static int check_management(PlanMaker *m)
{
        const PlanEdge *e = m->o->edge;
        if (!e || !*e->trouble)
                return 0;
        return plan_add(m, PLAN_C_MANAGEMENT, PLAN_WARNING, NULL, NULL, e->trouble_hint, "%s", e->trouble);
}

/* Those of @list that are of a component of this plan and on no node. */
static void list_missing(const PlanMaker *m, const PlanOnly *list, size_t n, PlanList *missing)
{
        for (size_t i = 0; i < n; i++) {
                bool found = false, asked = false;
                for (size_t c = 0; c < m->n_components; c++) {
                        asked = asked || strcmp(m->components[c], list[i].component) == 0;
                        for (size_t k = 0; k < m->plan->n_nodes; k++)
                                found = found || plan_listed(m, list, n, c, k) == i;
                }
                if (asked && !found)
                        plan_list_add(missing, "%.60s %.60s", list[i].component, list[i].name);
        }
}

/* What the roll is restricted to, and no node is known for: it would be left as it is, and the roll be
 * "done". What only needs it among others is told. */
static int check_only(PlanMaker *m)
{
        PlanList missing = { 0 };
        list_missing(m, m->o->only, m->o->n_only, &missing);
        list_missing(m, m->o->needed, m->o->n_needed, &missing);
        if (missing.n == 0)
                return 0;
        return plan_add(m, PLAN_C_UNREACHABLE, m->o->only ? PLAN_REFUSE : PLAN_WARNING, NULL, NULL,
                        "they are missing among the nodes, or do not tell their server id",
                        "%zu of those that must be restarted are on no known node: %s", missing.n,
                        missing.text);
}

int plan_check(PlanMaker *m)
{
        static int (*const checks[])(PlanMaker *) = {
                check_permission, check_version, check_duplicate, check_identity,     plan_check_pool_names,
                check_steps,      check_busy,    check_retry,     check_max_failures, check_datastore,
                check_recent,     check_only,    check_targets,   check_lint,         check_management,
        };
        int r = check_contact(m, PLAN_UNREACHABLE, PLAN_C_UNREACHABLE, "every node of the pools answers",
                              "each counts as out");

        for (size_t i = 0; i < ELEMENTS(checks) && r >= 0; i++)
                r = checks[i](m);
        for (size_t i = 0; i < m->plan->n_pools && r >= 0; i++)
                r = plan_check_pool(m, i);
        return r;
}
