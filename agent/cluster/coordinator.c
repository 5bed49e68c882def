/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From the command line to the leases: looking, planning, asking, waiting; signals, and the end. */

#include "agent/cluster/coordinator-impl.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "agent/cluster/roll-join.h"

#define CONTEND_USEC (300 * USEC_PER_MSEC)
#define TELL_USEC    (30 * USEC_PER_SEC) /* that it still waits */

static void coord_look(Coord *c, bool only_new);
static void coord_lease(Coord *c);

const char *coord_node_name(const Coord *c, size_t node)
{
        return node < c->nodes->n ? c->nodes->nodes[node].name : "";
}

void coord_write(Coord *c, char *text)
{
        if (text && *text && (fputs(text, c->io->out) < 0 || fflush(c->io->out) != 0))
                c->output_gone = true;
        free(text);
}

void coord_say(Coord *c, const char *node, bool warning, const char *fmt, ...)
{
        char text[600], *out = NULL;
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (!c->table) /* `resume`, before anything is shown */
                (void) fprintf(c->io->err, "edge-roll: %s\n", text);
        else if (table_say(c->table, node, text, warning, &out) == 0)
                coord_write(c, out);
}

bool coord_log(Coord *c, cJSON *event)
{
        _cleanup_(freep) char *line = NULL;
        Err err = { 0 };
        if (!c->log) {
                cJSON_Delete(event);
                return true;
        }
        int r = roll_log_append(c->log, event, &line, &err);
        if (line && c->mode.json) {
                if (fprintf(c->io->out, "%s\n", line) < 0 || fflush(c->io->out) != 0)
                        c->output_gone = true;
        }
        if (r >= 0)
                return true;
        /* What cannot be remembered is not begun; what has begun is finished all the same. */
        if (!c->log_failed) {
                c->log_failed = true;
                coord_say(c, "", true,
                          "the journal of the roll cannot be written (%s): no further node is begun",
                          err.text);
                if (c->stop_result < 0) {
                        c->stop_result = RESULT_FAILED;
                        (void) snprintf(c->stop_text, sizeof(c->stop_text),
                                        "the journal of the roll cannot be written: %.400s", err.text);
                }
                if (c->phase == COORD_ROLLING)
                        coord_roll_stop(c, "journal", "the journal cannot be written");
        }
        return false;
}

/* ---- the end ---- */

static void coord_leave(Coord *c)
{
        c->phase = COORD_OVER;
}

static void coord_conclude(Coord *c)
{
        /* One that is resumed may have had nothing left to do but this. */
        bool rolled = c->seq ? c->result == RESULT_DONE || (c->record && c->result == RESULT_NOT_NEEDED)
                             : c->record && c->result == RESULT_NOT_NEEDED;
        if (rolled && c->proof && !c->rq->give_up)
                coord_prove(c);
        if (c->log) {
                coord_joins_take(c);
                cJSON *o = roll_log_event("end");
                size_t done = 0, failed = 0, all = 0;
                if (c->seq)
                        seq_counts(c->seq, &done, &failed, &all);
                cJSON_AddStringToObject(o, "result", result_name(c->result));
                cJSON_AddNumberToObject(o, "exit", result_exit_code(c->result));
                cJSON_AddStringToObject(o, "text", c->text);
                cJSON_AddStringToObject(o, "hint", c->hint);
                cJSON_AddNumberToObject(o, "elapsed", c->began ? time_sec(time_now() - c->began) : 0);
                cJSON *counts = cJSON_AddObjectToObject(o, "counts");
                cJSON_AddNumberToObject(counts, "total", (double) all);
                cJSON_AddNumberToObject(counts, "done", (double) done);
                cJSON_AddNumberToObject(counts, "failed", (double) failed);
                cJSON_AddNumberToObject(counts, "left", (double) (all - done - failed));
                (void) coord_log(c, o);
                roll_join_done(roll_log_path(c->log));
        }
        coord_summary(c);
        coord_leave(c);
}

void coord_end(Coord *c, Result result, const char *hint, const char *fmt, ...)
{
        if (c->result < 0) {
                va_list ap;
                va_start(ap, fmt);
                (void) vsnprintf(c->text, sizeof(c->text), fmt, ap);
                va_end(ap);
                (void) snprintf(c->hint, sizeof(c->hint), "%s", hint ? hint : "");
                c->result = result;
        }
        if (c->phase == COORD_GIVING || c->phase == COORD_OVER)
                return;
        if (c->tenures) {
                c->phase = COORD_GIVING;
                tenures_give(c->tenures);
        } else
                coord_conclude(c);
}

/* ---- signals ---- */

static void coord_stop(Coord *c, int signal)
{
        c->stops++;
        switch (c->phase) {
        case COORD_ROLLING:
                if (c->stops == 1) {
                        coord_say(
                                c, "", false,
                                "Stopping behind the node that is under way; Ctrl-C again leaves it to its agent.");
                        coord_roll_stop(c, "signal", "asked to stop");
                        return;
                }
                if (signal != SIGINT)
                        return;
                c->left_by = signal;
                coord_say(
                        c, "", true,
                        "Left: what is under way is finished by its agent alone. Go on with: edge-roll resume %s",
                        c->id);
                coord_roll_done(c);
                coord_leave(c);
                return;
        case COORD_GIVING:
                if (signal == SIGINT && c->stops > 1)
                        coord_leave(c); /* leases end by themselves */
                return;
        case COORD_OVER:
                return;
        case COORD_LOOKING:
        case COORD_ASKING:
        case COORD_WAITING:
        case COORD_LEASING:
                if (*c->joined)
                        coord_end(c, RESULT_INTERRUPTED, "", "roll %s goes on without this display",
                                  c->joined);
                coord_end(c, RESULT_INTERRUPTED, "", "interrupted before anything was begun");
        }
}

static int coord_on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Coord *c = userdata;
        (void) s;
        if (si->ssi_signo == SIGWINCH) {
                TableMode m = table_mode(fileno(c->io->out), false, false);
                table_size(c->table, m.width, m.rows);
                return 0;
        }
        coord_stop(c, (int) si->ssi_signo);
        return 0;
}

static int coord_on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
        Coord *c = userdata;
        Usec now = time_now();
        (void) usec;
        if (c->log)
                roll_log_beat(c->log);
        coord_joins_take(c);
        if (c->phase == COORD_ROLLING)
                coord_roll_tick(c, now);
        /* A terminal that was closed is a wish to stop. */
        if (c->output_gone && c->stops == 0)
                coord_stop(c, SIGHUP);
        (void) sd_event_source_set_time(s, now + COORD_TICK_USEC);
        (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

/* ---- looking and planning ---- */

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

static void coord_look(Coord *c, bool only_new)
{
        const char *components[FLEET_COMPONENTS];
        size_t n = plan_components(c->plan_options.component, components);
        Err err = { 0 };
        c->phase = COORD_LOOKING;
        c->locks_asked = false;
        if (fleet_look(c->fleet, components, n, only_new, coord_on_looked, c, &err) < 0)
                coord_end(c, RESULT_FAILED, "", "%s", err.text);
}

/* ---- the journal and the leases ---- */

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

static void coord_lease(Coord *c)
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

/* ---- links ---- */

static void coord_on_up(size_t node, void *userdata)
{
        Coord *c = userdata;
        if (c->phase == COORD_ROLLING)
                coord_roll_up(c, node);
}

static void coord_on_down(size_t node, const char *text, void *userdata)
{
        Coord *c = userdata;
        if (c->phase == COORD_ROLLING)
                coord_roll_down(c, node, text);
}

static void coord_on_remote_signal(size_t node, sd_bus_message *m, void *userdata)
{
        Coord *c = userdata;
        if (c->phase == COORD_ROLLING || c->phase == COORD_LEASING)
                coord_roll_signal(c, node, m);
}

static int coord_on_connect(const Node *node, void *userdata)
{
        Coord *c = userdata;
        return c->io->connect(node, c->io->userdata);
}

/* ---- life ---- */

/* Agents know rolls by their full ids. One that was begun on another machine has no journal here. */
static int coord_since(Coord *c, const char *text, Err *err)
{
        _cleanup_(freep) char *dir = NULL;
        Err why = { 0 };
        int r = roll_log_dir(c->config->cluster_journal_dir, &dir, &why);
        if (r >= 0)
                r = roll_log_find(dir, text, false, c->since, &why);
        if (r == -ENOTUNIQ || (r < 0 && !roll_log_id_valid(text)))
                return err_set(err, -EINVAL, "--since: %s", why.text);
        if (r >= 0)
                return 0;
        (void) snprintf(c->since, sizeof(c->since), "%s", text);
        coord_say(c, "", true, "--since: %s; only nodes that have recorded just this id are left out",
                  why.text);
        return 0;
}

static int coord_options(Coord *c, Err *err)
{
        const CliCluster *cl = &c->rq->cluster;
        const char *spec = c->config->cluster_max_unavailable;
        PlanOptions *o = &c->plan_options;
        int r = plan_count_parse(spec, &o->max_unavailable, err);
        if (r < 0)
                return err_prefix(err, r, "max_unavailable");
        for (size_t i = 0; i < cl->n_overrides; i++)
                if ((r = plan_override_parse(cl->overrides[i], &c->overrides[i], err)) < 0)
                        return err_prefix(err, r, "--override");
        if (cl->max_unavailable > 0)
                o->max_unavailable =
                        (PlanCount){ .number = cl->max_unavailable, .percent = cl->max_unavailable_percent };
        c->soak_low_usec = cl->soak_given ? cl->soak_low_usec : c->config->cluster_soak_low_usec;
        c->soak_high_usec = cl->soak_given ? cl->soak_high_usec : c->config->cluster_soak_high_usec;
        o->component = c->rq->component;
        o->max_failures = cl->max_failures;
        o->allow_outage = cl->allow_outage;
        o->start = c->rq->start;
        o->overrides = c->overrides;
        o->n_overrides = cl->n_overrides;
        o->region = cl->region;
        o->pod = cl->pod;
        o->soak_low = time_sec(c->soak_low_usec);
        o->router_retry = c->rq->router_retry;
        if (c->io->only) {
                o->only = c->io->only;
                o->n_only = c->io->n_only;
        }
        if (c->io->needed) {
                o->needed = c->io->needed;
                o->n_needed = c->io->n_needed;
        }
        c->needed_unknown = c->needed_unknown || c->io->needed_unknown;
        if (c->io->proof)
                c->proof = c->io->proof;
        o->edge = c->io->edge;
        c->wait_until = c->rq->wait_usec ? time_add(time_now(), c->rq->wait_usec) : 0;
        o->since = c->since;
        return cl->since ? coord_since(c, cl->since, err) : 0;
}

static int coord_setup(Coord *c, Err *err)
{
        static const FleetHandlers usual = { .up = coord_on_up,
                                             .down = coord_on_down,
                                             .signal = coord_on_remote_signal };
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
        FleetHandlers handlers = usual;
        int r = sd_event_default(&c->event);
        if (r < 0)
                return err_errno(err, r, "no event loop");
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                if ((r = sd_event_add_signal(c->event, &c->signals[i], signals[i], coord_on_signal, c)) < 0)
                        return err_errno(err, r, "no signals");
        handlers.connect = c->io->connect ? coord_on_connect : NULL;
        if ((r = fleet_new(&c->fleet, c->event, c->config, c->nodes, &handlers, c, err)) < 0)
                return r;
        if ((r = sd_event_add_time(c->event, &c->tick, CLOCK_MONOTONIC, time_now() + COORD_TICK_USEC, 10000,
                                   coord_on_tick, c)) < 0)
                return err_errno(err, r, "no timer");
        return 0;
}

int coord_run(Coord *c)
{
        sigset_t set, before;
        Err err = { 0 };
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGWINCH);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        (void) signal(SIGPIPE, SIG_IGN);
        srandom((unsigned) (time_now() ^ (Usec) getpid()));

        c->result = c->stop_result = RESULT_INVALID;
        c->mode = table_mode(fileno(c->io->out), c->rq->json, c->rq->verbose);
        int r = table_new(&c->table, &c->mode);
        if (r >= 0 && (r = coord_options(c, &err)) < 0) {
                coord_end(c, RESULT_USAGE, "", "%s", err.text);
                r = 0;
        } else if (r >= 0 && (r = coord_setup(c, &err)) >= 0) {
                coord_look(c, false);
                while (r >= 0 && c->phase != COORD_OVER)
                        r = sd_event_run(c->event, UINT64_MAX);
        }
        if (r < 0 && c->result < 0)
                (void) fprintf(c->io->err, "edge-roll: %s\n", *err.text ? err.text : strerror(-r));

        int status = c->left_by       ? 128 + c->left_by
                     : c->result >= 0 ? result_exit_code(c->result)
                                      : result_exit_code(RESULT_FAILED);
        coord_roll_done(c);
        c->tenures = tenures_free(c->tenures);
        c->locks = coord_locks_free(c->locks);
        c->fleet = fleet_free(c->fleet);
        c->plan = plan_free(c->plan);
        c->log = roll_log_free(c->log);
        free(TAKE_PTR(c->only));
        free(TAKE_PTR(c->needed));
        proof_done(&c->kept);
        c->table = table_free(c->table);
        sd_event_source_unref(c->tick);
        sd_event_source_unref(c->again);
        sd_event_source_unref(c->input);
        for (size_t i = 0; i < ELEMENTS(c->signals); i++)
                sd_event_source_unref(c->signals[i]);
        c->event = sd_event_unref(c->event);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}

int coord_restart(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io)
{
        Coord c = { .rq = rq, .config = config, .nodes = nodes, .io = io };
        (void) signal(SIGXFSZ, SIG_IGN); /* a journal that may not grow is an error, and no end */
        return coord_run(&c);
}
