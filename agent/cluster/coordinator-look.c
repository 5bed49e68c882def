/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Looking, planning, asking, waiting: from the first look to the leases; and a roll that is given up. */

#include "agent/cluster/coordinator-impl.h"

#include <string.h>
#include <unistd.h>

#define TELL_USEC (30 * USEC_PER_SEC) /* that it still waits */

static bool grow_knows(const Coord *c, const PlanNode *plan, size_t n, const LookMember *member)
{
        if (!*member->name)
                return true; /* nobody could be asked by it */
        for (size_t i = 0; i < n && *member->uuid; i++)
                for (size_t k = 0; k < plan[i].n_looks; k++)
                        if (strcmp(plan[i].looks[k]->uuid, member->uuid) == 0)
                                return true;
        for (size_t i = 0; i < c->nodes->n; i++)
                if (nodes_same_host(&c->nodes->nodes[i], member->name, member->address))
                        return true;
        return false;
}

/* Was the very same list looked at with an earlier node? */
static bool grow_saw(const PlanNode *plan, size_t i, const LookMember *list)
{
        for (size_t j = 0; j < i; j++)
                for (size_t k = 0; k < plan[j].n_looks; k++)
                        if (plan[j].looks[k]->members == list)
                                return true;
        return false;
}

/* Members of the pools that only agents know are asked as well, by the name an earlier roll had for them. */
static bool coord_grow(Coord *c)
{
        size_t n, before = c->nodes->n;
        const PlanNode *plan = fleet_nodes(c->fleet, &n);
        Err err = { 0 };
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < plan[i].n_looks; k++) {
                        const NodeLook *look = plan[i].looks[k];
                        if (grow_saw(plan, i, look->members))
                                continue;
                        for (size_t m = 0; m < look->n_members && c->nodes->n < NODES_MAX; m++) {
                                const LookMember *member = &look->members[m];
                                if (!grow_knows(c, plan, n, member) &&
                                    nodes_add_member(c->nodes, member->name, &err) < 0)
                                        coord_say(c, member->name, true,
                                                  "a member of the pool that cannot be asked: %s", err.text);
                        }
                }
        return c->nodes->n > before && fleet_grow(c->fleet, &err) >= 0;
}

static int coord_on_again(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        coord_look(userdata, false);
        return 0;
}

void coord_look_later(Coord *c, Usec pause)
{
        c->phase = COORD_WAITING;
        c->again = sd_event_source_unref(c->again);
        if (sd_event_add_time(c->event, &c->again, CLOCK_MONOTONIC, time_now() + pause, 1000, coord_on_again,
                              c) < 0)
                coord_end(c, RESULT_FAILED, "", "no timer");
}

void coord_wait(Coord *c, Usec pause, const char *why)
{
        char left[32];
        Usec now = time_now();
        if (!c->wait_told || now >= time_add(c->wait_told, TELL_USEC)) {
                c->wait_told = now;
                coord_say(c, "", false, "Waiting%s%s: %s", c->wait_until == USEC_INFINITY ? "" : ", at most ",
                          c->wait_until == USEC_INFINITY
                                  ? ""
                                  : time_format(time_left(c->wait_until, now), left, sizeof(left)),
                          why);
        }
        coord_look_later(c, pause);
}

/* Of several refusals the one that has to be dealt with first. */
static Result coord_refusal(const Plan *p)
{
        bool unreachable = false, unlocked = false, other = false;
        for (size_t i = 0; i < p->n_findings; i++) {
                const PlanFinding *f = &p->findings[i];
                if (f->verdict != PLAN_REFUSE || f->overridden)
                        continue;
                if (f->condition == PLAN_C_PERMISSION)
                        return RESULT_NO_PERMISSION;
                unreachable =
                        unreachable || f->condition == PLAN_C_UNREACHABLE || f->condition == PLAN_C_VERSION;
                unlocked = unlocked || f->condition == PLAN_C_LOCK;
                other = other || f->condition != PLAN_C_LOCK;
        }
        return unreachable          ? RESULT_AGENT_UNREACHABLE
               : plan_waits(p)      ? RESULT_BUSY
               : unlocked && !other ? RESULT_UNPROTECTED
                                    : RESULT_REFUSED;
}

static int coord_on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Coord *c = userdata;
        char line[64];
        (void) s;
        (void) revents;
        ssize_t n = read(fd, line, sizeof(line));
        c->input = sd_event_source_unref(c->input);
        if (n > 0 && (line[0] == 'y' || line[0] == 'Y')) {
                c->agreed = true;
                coord_look(c, false);
        } else
                coord_end(c, RESULT_INTERRUPTED, "", "not agreed to; nothing was begun");
        return 0;
}

static void coord_ask(Coord *c)
{
        c->phase = COORD_ASKING;
        if (c->io->in < 0 || c->mode.json) {
                coord_end(c, RESULT_USAGE, "say --yes where nobody can be asked",
                          "a roll over many nodes asks before it begins, and nobody is there to answer");
                return;
        }
        coord_write(c, strdup("Go on? [y/N] "));
        if (sd_event_add_io(c->event, &c->input, c->io->in, EPOLLIN, coord_on_answer, c) < 0)
                /* A file, not a terminal: its answer is there already. */
                (void) coord_on_answer(NULL, c->io->in, EPOLLIN, c);
}

static void coord_show_plan(Coord *c)
{
        char *text = NULL;
        cJSON *json = NULL;
        if (c->mode.json) {
                if (plan_to_json(c->plan, &json) == 0) {
                        char *line = cJSON_PrintUnformatted(json), *all = NULL;
                        if (line && asprintf(&all, "%s\n", line) >= 0)
                                coord_write(c, all);
                        free(line);
                }
                cJSON_Delete(json);
        } else if (plan_render_text(c->plan, c->rq->verbose, &text) == 0)
                coord_write(c, text);
}

/* ---- giving up a roll ---- */

static void coord_on_gave(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Coord *c = userdata;
        (void) r;
        (void) m;
        (void) error;
        (void) text;
        if (--c->giving == 0)
                coord_end(c, RESULT_INTERRUPTED, "edge-roll status --cluster shows how the nodes stand",
                          "given up; jobs that are past their stop are finished by their agents");
}

/* The leases that its nodes still have for it: what waits there for a word then ends by itself. */
static void coord_give_up(Coord *c)
{
        size_t n;
        const PlanNode *nodes = fleet_nodes(c->fleet, &n);
        Err err = { 0 };
        c->phase = COORD_GIVING;
        c->giving = 1;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < nodes[i].n_looks; k++) {
                        const NodeLook *look = nodes[i].looks[k];
                        if (!look->leased || strcmp(look->lease_holder, c->id) != 0)
                                continue;
                        if (remote_call(fleet_remote(c->fleet, i), NULL, NULL, NULL, "LeaseGive", 0,
                                        coord_on_gave, c, &err, "st", look->component,
                                        look->lease_epoch) >= 0)
                                c->giving++;
                }
        c->phase = COORD_LOOKING;
        coord_on_gave(0, NULL, "", "", c);
}

/* ---- what the looks say ---- */

/* What the first condition in the way says to do, which its summary quotes, too. */
static const char *coord_refusal_hint(const Plan *p, char *buf, size_t size)
{
        const PlanFinding *first = NULL;
        for (size_t i = 0; i < p->n_findings && !first; i++)
                if (p->findings[i].verdict == PLAN_REFUSE && !p->findings[i].overridden)
                        first = &p->findings[i];
        bool own = first && *first->hint;
        (void) snprintf(buf, size, "%.300s%ssee the conditions above%s", own ? first->hint : "",
                        own ? "; " : "",
                        first && plan_condition_overridable(first->condition)
                                ? ", --override NAME=REASON goes on against one of them"
                                : "");
        return buf;
}

static void coord_on_looked(void *userdata);

static void coord_locks_known(Coord *c)
{
        coord_on_looked(c);
}

static void coord_on_looked(void *userdata)
{
        Coord *c = userdata;
        Err err = { 0 };
        char text[600], hint[512];
        size_t n;

        if (c->phase != COORD_LOOKING)
                return;
        if (!c->grown) {
                c->grown = true;
                if (coord_grow(c)) {
                        coord_look(c, true);
                        return;
                }
        }
        if (c->rq->give_up) {
                coord_give_up(c);
                return;
        }
        if (!c->locks_asked) {
                c->locks_asked = true;
                if (coord_locks_ask(c, coord_locks_known) < 0)
                        coord_end(c, RESULT_FAILED, "", "out of memory");
                return;
        }
        c->plan = plan_free(c->plan);
        c->plan_options.now = (double) time_wall() / (double) USEC_PER_SEC;
        const PlanNode *nodes = fleet_nodes(c->fleet, &n);
        if (plan_make(&c->plan, nodes, n, c->nodes, &c->plan_options, &err) < 0) {
                coord_end(c, RESULT_REFUSED, "edge-roll nodes shows what was found", "%s", err.text);
                return;
        }
        if (coord_doubts(c)) {
                coord_look_later(c, COORD_AGAIN_USEC);
                return;
        }
        bool only = c->rq->verb == VERB_PLAN || c->rq->dry_run;
        if (!only && coord_joins(c))
                return;
        if (only || (!c->agreed && c->phase == COORD_LOOKING && c->wait_until == 0) || c->plan->refused)
                if (!c->plan->refused || only || !plan_waits(c->plan) || time_now() >= c->wait_until)
                        coord_show_plan(c);
        if (only) {
                if (c->plan->refused)
                        coord_end(c, coord_refusal(c->plan), "", "%s",
                                  plan_summary(c->plan, text, sizeof(text)));
                else
                        coord_end(c, RESULT_DONE, "", "nothing was begun: this is the plan");
                return;
        }
        if (!coord_is_alone(c))
                return;
        if (c->plan->refused) {
                if (plan_waits(c->plan) && time_now() < c->wait_until)
                        coord_wait(c, COORD_AGAIN_USEC, plan_summary(c->plan, text, sizeof(text)));
                else
                        coord_end(c, coord_refusal(c->plan), coord_refusal_hint(c->plan, hint, sizeof(hint)),
                                  "%s", plan_summary(c->plan, text, sizeof(text)));
                return;
        }
        if (c->plan->n_steps == 0) {
                coord_end(c, coord_left_out(c, PLAN_NONE) ? RESULT_AGENT_UNREACHABLE : RESULT_NOT_NEEDED, "",
                          "no selected node is left to restart");
                return;
        }
        if (c->rq->cluster.yes || c->agreed)
                coord_lease(c);
        else
                coord_ask(c);
}

void coord_look(Coord *c, bool only_new)
{
        const char *components[FLEET_COMPONENTS];
        size_t n = plan_components(c->plan_options.component, components);
        Err err = { 0 };
        c->phase = COORD_LOOKING;
        c->locks_asked = false;
        if (fleet_look(c->fleet, components, n, only_new, coord_on_looked, c, &err) < 0)
                coord_end(c, RESULT_FAILED, "", "%s", err.text);
}
