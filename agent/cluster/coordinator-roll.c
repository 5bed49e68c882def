/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The roll itself: what the Sequence decides is done here, and what the nodes tell goes to it. */

#include "agent/cluster/coordinator-impl.h"

#include <stdarg.h>
#include <string.h>

#include "agent/phase.h"
#include "probes/json.h"

#define ORDER_USEC    (20 * USEC_PER_SEC) /* until an order that nobody answers is called unanswered */
#define AGAIN_USEC    (5 * USEC_PER_SEC)  /* between two tries to reach a node, or to ask it to begin */
#define GO_AGAIN_USEC (1 * USEC_PER_SEC)

static void step_begin(CoordStep *st);
static void step_cancel(CoordStep *st, const char *why); /* NULL: as the sequence says */

/* ---- small things ---- */

static const PlanStep *step_plan(const CoordStep *st)
{
        return &st->c->plan->steps[st->index];
}

/* The component whose lease an order to the step carries; of a node with both that of its router. */
static const char *step_component(const CoordStep *st)
{
        return st->c->plan->pools[step_plan(st)->pool].component;
}

static const char *step_name(const CoordStep *st)
{
        return coord_node_name(st->c, st->node);
}

static bool step_over(const CoordStep *st)
{
        SeqState state = seq_state(st->c->seq, st->index);
        return state == SEQ_STEP_DONE || state == SEQ_STEP_FAILED || state == SEQ_STEP_LEFT;
}

static Usec json_usec(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        bool sane = cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble < 1e9;
        return sane ? (Usec) (v->valuedouble * (double) USEC_PER_SEC) : 0;
}

static cJSON *step_event(const CoordStep *st, const char *state)
{
        cJSON *o = roll_log_event("node");
        cJSON_AddStringToObject(o, "node", step_name(st));
        cJSON_AddNumberToObject(o, "step", (double) st->number);
        cJSON_AddStringToObject(o, "state", state);
        return o;
}

static void step_phase(CoordStep *st, const char *phase)
{
        (void) snprintf(st->phase, sizeof(st->phase), "%s", phase);
        st->awaiting[0] = '\0';
        st->phase_since = time_now();
        st->limit_usec = 0;
}

/* ---- the end of a step ---- */

/* After which of its ends is a node not serving, as far as anybody can know? */
static bool result_is_out(Result result)
{
        return result == RESULT_HELD || result == RESULT_NOT_READMITTED || result == RESULT_FAILED ||
               result == RESULT_AGENT_UNREACHABLE || result == RESULT_INVALID;
}

/* What its agent says of a job that has ended well is as good as a Pulse, and becomes old like one. */
static void step_heard(const CoordStep *st, Usec now)
{
        Coord *c = st->c;
        const PlanStep *p = step_plan(st);
        for (size_t i = 0; i < c->n_members; i++) {
                CoordMember *x = &c->members[i];
                if (x->node != st->node || (strcmp(x->component, step_component(st)) != 0 &&
                                            (p->pool2 == PLAN_NONE ||
                                             strcmp(x->component, c->plan->pools[p->pool2].component) != 0)))
                        continue;
                x->heard = now;
                x->health = SEQ_UP;
        }
}

/* @json: the job's own result event, NULL when there is none. */
static void step_end(CoordStep *st, Result result, const cJSON *json, const char *text, const char *hint)
{
        Coord *c = st->c;
        if (step_over(st) || st->ended)
                return;
        st->call = remote_call_cancel(st->call);
        st->follow = follow_free(st->follow);
        st->ended = time_now();
        (void) snprintf(st->result, sizeof(st->result), "%s", result_name(result));
        (void) snprintf(st->text, sizeof(st->text), "%s", text);
        (void) snprintf(st->hint, sizeof(st->hint), "%s", hint ? hint : "");

        cJSON *o = step_event(st, "end"), *own = NULL;
        if (json)
                json_put(o, "result", cJSON_Duplicate(json, true));
        else if ((own = cJSON_AddObjectToObject(o, "result"))) {
                cJSON_AddStringToObject(own, "result", result_name(result));
                cJSON_AddStringToObject(own, "reason", text);
                cJSON_AddStringToObject(own, "hint", st->hint);
        }
        step_phase(st, result == RESULT_DONE ? "soak" : "");
        if (result == RESULT_DONE)
                step_heard(st, st->ended);
        seq_ended(c->seq, st->index, result < 0 ? RESULT_FAILED : result, result_is_out(result), time_now());
        (void) coord_log(c, o);
        coord_roll_turn(c);
}

static void step_failed(CoordStep *st, Result result, const char *hint, const char *fmt, ...) _printf_(4, 5);
static void step_failed(CoordStep *st, Result result, const char *hint, const char *fmt, ...)
{
        char text[512];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        step_end(st, result, NULL, text, hint);
}

/* ---- following its job ---- */

static void step_on_phase(CoordStep *st, const cJSON *event)
{
        Coord *c = st->c;
        const char *phase = json_text(event, "phase");
        if (strcmp(json_text(event, "state"), "begin") != 0)
                return;
        step_phase(st, phase);
        st->limit_usec = json_usec(event, "limit");
        cJSON *o = step_event(st, "phase");
        cJSON_AddStringToObject(o, "phase", phase);
        (void) coord_log(c, o);
        switch (phase_from_name(phase)) {
        case PHASE_PLACE:
                seq_ready(c->seq, st->index);
                break;
        case PHASE_BLOCK:
        case PHASE_NOTICE:
        case PHASE_DRAIN:
        case PHASE_PARTNER:
        case PHASE_GATE:
                seq_blocked(c->seq, st->index);
                break;
        case PHASE_STOP:
        case PHASE_START:
        case PHASE_READY:
        case PHASE_VERIFY:
        case PHASE_UNBLOCK:
        case PHASE_RETURN:
        case PHASE_HOLD:
                seq_stopped(c->seq, st->index);
                break;
        default:
                break;
        }
        coord_roll_turn(c);
}

static void step_on_event(const char *text, void *userdata)
{
        CoordStep *st = userdata;
        Coord *c = st->c;
        cJSON *event = json_object(text, JSON_MESSAGE_MAX);
        const char *what = json_text(event, "event");
        /* Of the job within one that restarts both: shown, but it is the outer one that leads. */
        bool within = cJSON_GetObjectItemCaseSensitive(event, "within") != NULL;

        st->seen = true;
        st->unsure = false;
        if (c->mode.json && cJSON_IsObject(event) && strcmp(what, "progress") != 0) {
                cJSON_AddStringToObject(event, "node", step_name(st));
                char *line = cJSON_PrintUnformatted(event), *all = NULL;
                if (line && asprintf(&all, "%s\n", line) >= 0)
                        coord_write(c, all);
                free(line);
        }
        if (strcmp(what, "phase") == 0 && !within)
                step_on_phase(st, event);
        else if (strcmp(what, "progress") == 0) {
                (void) snprintf(st->awaiting, sizeof(st->awaiting), "%s", json_text(event, "text"));
                st->limit_usec = json_usec(event, "limit");
        } else if (strcmp(what, "warning") == 0 && !c->mode.json)
                coord_say(c, step_name(st), true, "%s", json_text(event, "text"));
        cJSON_Delete(event);
}

static void step_on_ended(const cJSON *result, void *userdata)
{
        CoordStep *st = userdata;
        Result r = result_from_name(json_text(result, "result"));
        st->seen = true;
        step_end(st, r, result, json_text(result, "reason"), json_text(result, "hint"));
}

static void step_on_lost(const char *text, void *userdata)
{
        CoordStep *st = userdata;
        /* An order to begin that was not answered may still be obeyed: until that is over nobody can say. */
        if (!st->seen && st->unsure) {
                st->follow = follow_free(st->follow);
                return;
        }
        step_failed(st, st->seen ? RESULT_FAILED : RESULT_AGENT_UNREACHABLE,
                    "edge-roll status there; see its journal: journalctl -t edge-roll", "%s", text);
}

void coord_roll_follow(CoordStep *st)
{
        static const FollowHandlers handlers = { .event = step_on_event,
                                                 .ended = step_on_ended,
                                                 .lost = step_on_lost };
        Err err = { 0 };
        if (st->follow)
                return;
        if (follow_new(&st->follow, fleet_remote(st->c->fleet, st->node), step_plan(st)->component, st->c->id,
                       st->number, &handlers, st, &err) < 0)
                step_failed(st, RESULT_FAILED, "", "its job cannot be followed: %s", err.text);
}

/* ---- orders ---- */

/* What an agent that refuses an order means for the roll. */
static Result error_result(const char *error)
{
        static const struct {
                const char *name;
                Result result;
        } table[] = {
                { "Busy", RESULT_BUSY },
                { "Leased", RESULT_BUSY },
                { "NoPermission", RESULT_NO_PERMISSION },
                { "Usage", RESULT_USAGE },
                { "NoSuchComponent", RESULT_REFUSED },
                { "Refused", RESULT_REFUSED },
                { "Unprotected", RESULT_UNPROTECTED },
        };
        size_t prefix = strlen(REMOTE_ERROR);
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strncmp(error, REMOTE_ERROR, prefix) == 0 && strcmp(error + prefix, table[i].name) == 0)
                        return table[i].result;
        /* Also a lease that is lost and an order that came too late: nothing was done. */
        return RESULT_REFUSED;
}

typedef bool (*OrderFn)(const Tenures *t, size_t node, const char *component, TenureOrder *ret);

static int order_append_with(CoordStep *st, sd_bus_message *m, OrderFn order_of)
{
        Coord *c = st->c;
        const PlanStep *p = step_plan(st);
        TenureOrder order, partner;
        int r;
        if (!order_of(c->tenures, st->node, step_component(st), &order))
                return -ESTALE;
        if ((r = sd_bus_message_append(m, "{sv}{sv}{sv}", "lease", "t", order.epoch, "step", "t", c->step,
                                       "expires", "t", order.expires)) < 0)
                return r;
        if (p->pool2 == PLAN_NONE)
                return 0;
        if (!order_of(c->tenures, st->node, c->plan->pools[p->pool2].component, &partner))
                return -ESTALE;
        return sd_bus_message_append(m, "{sv}", "lease-partner", "t", partner.epoch);
}

static int order_append(CoordStep *st, sd_bus_message *m)
{
        return order_append_with(st, m, tenures_order);
}

static int order_back_append(CoordStep *st, sd_bus_message *m)
{
        return order_append_with(st, m, tenures_order_back);
}

static int option_append(sd_bus_message *m, const char *key, const char *value)
{
        return value && *value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int restart_append(CoordStep *st, sd_bus_message *m)
{
        const CliRequest *rq = st->c->rq;
        const char *retry = rq->router_retry ? rq->router_retry : st->c->plan->router_retry;
        bool mp = step_plan(st)->pool2 != PLAN_NONE || strcmp(step_component(st), "message-processor") == 0;
        int r;
        if ((r = order_append(st, m)) < 0 || (r = option_append(m, "roll", st->c->id)) < 0 ||
            (r = option_append(m, "reason", rq->reason)) < 0 ||
            (r = option_append(m, "persistent",
                               rq->persistent < 0 ? NULL : persistent_name(rq->persistent))) < 0 ||
            (r = option_append(m, "at-cap", rq->at_cap < 0 ? NULL : at_cap_name(rq->at_cap))) < 0 ||
            (r = option_append(m, "mp-leave", rq->mp_leave < 0 ? NULL : mp_leave_name(rq->mp_leave))) < 0 ||
            (r = option_append(m, "router-retry", mp ? retry : NULL)) < 0 ||
            (r = sd_bus_message_append(m, "{sv}{sv}", "await-go", "b", 1, "wait", "t",
                                       rq->wait_usec ? rq->wait_usec : COORD_WAIT_USEC)) < 0)
                return r;
        if (rq->start && (r = sd_bus_message_append(m, "{sv}", "start", "b", 1)) < 0)
                return r;
        if (rq->now && (r = sd_bus_message_append(m, "{sv}", "now", "b", 1)) < 0)
                return r;
        if (rq->if_needed && !step_plan(st)->needed)
                return sd_bus_message_append(m, "{sv}", "if-needed", "b", 1);
        return 0;
}

/*
 * An order, its step number being the last one of the roll. @why: a reason behind the component; NULL: the
 * method takes none.
 * Return: 0; -ESTALE (the lease is not fresh); -ENOTCONN; others: nothing was sent.
 */
static int order_send(CoordStep *st, const char *method, const char *why,
                      int (*append)(CoordStep *, sd_bus_message *), RemoteReplyFn fn)
{
        Coord *c = st->c;
        Remote *remote = fleet_remote(c->fleet, st->node);
        sd_bus_message *m = NULL;
        Err err = { 0 };
        int r = remote_message_new(remote, &m, NULL, NULL, method, &err);
        if (r >= 0 && (r = sd_bus_message_append(m, "s", step_plan(st)->component)) >= 0 &&
            (!why || (r = sd_bus_message_append(m, "s", why)) >= 0) &&
            (r = sd_bus_message_open_container(m, 'a', "{sv}")) >= 0 && (r = append(st, m)) >= 0 &&
            (r = sd_bus_message_close_container(m)) >= 0) {
                st->call = remote_call_cancel(st->call);
                r = remote_call_message(remote, &st->call, m, ORDER_USEC, fn, st, &err);
                st->sent = st->sent || r >= 0;
        }
        sd_bus_message_unref(m);
        return r;
}

static void step_on_begun(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        CoordStep *st = userdata;
        (void) m;
        st->call = NULL;
        if (r == -EREMOTE) {
                step_failed(st, error_result(error), "", "%s", text);
                return;
        }
        /* Not answered: it may have been obeyed, or be obeyed until it is too old. The agent will tell. */
        st->unsure = r < 0;
        st->unsure_until = time_add(time_now(), TENURE_ORDER_USEC);
        coord_roll_follow(st);
}

static void step_begin(CoordStep *st)
{
        Coord *c = st->c;
        st->number = ++c->step;
        if (!st->since)
                st->since = time_now();
        st->unsure = false;
        step_phase(st, "asking");
        if (!coord_log(c, step_event(st, "begin"))) {
                step_failed(st, RESULT_REFUSED, "", "not begun: the journal of the roll cannot be written");
                return;
        }
        int r = order_send(st, "Restart", NULL, restart_append, step_on_begun);
        st->asks += r >= 0;
        if (r == -ESTALE || r == -ENOTCONN) {
                /* Nothing was sent: asked again when the link and the lease are there. */
                st->unsure = true;
                st->unsure_until = time_now() + AGAIN_USEC;
        } else if (r < 0)
                step_failed(st, RESULT_FAILED, "", "it cannot be asked: %s", strerror(-r));
}

static void step_on_gone(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        CoordStep *st = userdata;
        (void) m;
        st->call = NULL;
        if (r == 0)
                return;
        if (r == -EREMOTE)
                coord_say(st->c, step_name(st), true, "the word to go was refused: %s (%s)", text,
                          error + MIN(strlen(error), strlen(REMOTE_ERROR)));
        /* No job, or one that has gone already: how it ends is what counts. */
        st->go_due = strcmp(error, REMOTE_ERROR "NoJob") != 0 && strcmp(error, REMOTE_ERROR "TooLate") != 0;
        st->go_at = time_now() + GO_AGAIN_USEC;
}

static void step_go(CoordStep *st)
{
        Coord *c = st->c;
        ++c->step;
        int r = order_send(st, "Go", NULL, order_append, step_on_gone);
        st->go_due = r < 0;
        st->go_at = time_now() + GO_AGAIN_USEC;
        st->goes += r >= 0;
        if (r < 0 && r != -ESTALE && r != -ENOTCONN) {
                coord_say(c, step_name(st), true, "the word to go cannot be given: %s", strerror(-r));
                st->goes++;
        }
}

/* Its agent keeps a job that waits for the word for as long as the lease is renewed: a word of which nobody
 * knows whether it came is given again. That it came twice does no harm: steps are obeyed once. */
/* model: SEQ-GO-AGAIN */
static void step_go_again(CoordStep *st, Usec now)
{
        Coord *c = st->c;
        if (!st->go_due || st->call || st->cancelled || now < st->go_at || strcmp(st->phase, "place") != 0 ||
            remote_state(fleet_remote(c->fleet, st->node)) != REMOTE_UP)
                return;
        if (st->goes >= COORD_ASKS_MAX)
                step_cancel(st, "the word to go was not obeyed");
        else if (tenures_fresh(c->tenures))
                step_go(st);
}

static void step_on_cancelled(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        CoordStep *st = userdata;
        bool none = strcmp(error, REMOTE_ERROR "NoJob") == 0,
             late = strcmp(error, REMOTE_ERROR "TooLate") == 0;
        Err err = { 0 };
        (void) m;
        st->call = NULL;
        /* An agent of the release before cannot be told which job is meant: that it is ours is known while
         * the lease is, or has just been seen. */
        if (r == -EREMOTE && strcmp(error, SD_BUS_ERROR_UNKNOWN_METHOD) == 0 &&
            (st->back_bare || tenures_held(st->c->tenures, st->node, step_component(st)))) {
                st->back_due = remote_call(fleet_remote(st->c->fleet, st->node), &st->call, NULL, NULL,
                                           "Cancel", ORDER_USEC, step_on_cancelled, st, &err, "ss",
                                           step_plan(st)->component, st->back_why) < 0;
                return;
        }
        /* Not obeyed, as it was too long on its way or the lease has lapsed: again, and not under it. */
        st->back_due = r < 0 && !none && !late;
        st->back_bare = st->back_bare || (st->back_due && r == -EREMOTE);
        if (r == -EREMOTE && !step_over(st) && !none && st->back_told++ < COORD_ASKS_MAX)
                coord_say(st->c, step_name(st), true, "%s", text);
}

/* The order to go back that needs no lease: it names the job. @look: has just come. */
static int back_send(CoordStep *st, const NodeLook *look)
{
        Remote *remote = fleet_remote(st->c->fleet, st->node);
        sd_bus_message *m = NULL;
        Err err = { 0 };
        int r = remote_message_new(remote, &m, NULL, NULL, "CancelJob", &err);
        if (r >= 0 && (r = sd_bus_message_append(m, "ssa{sv}", step_plan(st)->component, st->back_why, 2,
                                                 "job", "t", look->job_number, "expires", "t",
                                                 time_add(look->now, TENURE_ORDER_USEC))) >= 0)
                r = remote_call_message(remote, &st->call, m, ORDER_USEC, step_on_cancelled, st, &err);
        sd_bus_message_unref(m);
        return r;
}

static void step_on_back_look(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        CoordStep *st = userdata;
        NodeLook *look = NULL;
        const char *json = NULL;
        Err err = { 0 };
        (void) error;
        (void) text;
        st->call = NULL;
        st->back_due = true;
        if (r < 0 || sd_bus_message_read(m, "s", &json) < 0 ||
            look_parse(json, strlen(json), &look, &err) < 0)
                return;
        /* It is over, or never began, or has come too far: how it ends is what counts. */
        bool ours = look->has_job && strcmp(look->job_roll, st->c->id) == 0;
        st->back_due = ours && look->job_cancellable && back_send(st, look) < 0;
        look_free(look);
}

/* An agent obeys no order under a lease that has lapsed or that it cannot write down. To go back is the safe
 * side all the same. */
static void step_back_bare(CoordStep *st)
{
        Err err = { 0 };
        st->back_bare = true;
        st->back_due = remote_call(fleet_remote(st->c->fleet, st->node), &st->call, NULL, NULL, "Look",
                                   ORDER_USEC, step_on_back_look, st, &err, "s", step_component(st)) < 0;
}

static void step_back(CoordStep *st)
{
        ++st->c->step;
        st->call = remote_call_cancel(st->call);
        if (st->back_bare) {
                step_back_bare(st);
                return;
        }
        int r = order_send(st, "CancelJob", st->back_why, order_back_append, step_on_cancelled);
        st->back_due = r < 0;
        if (r == -ESTALE)
                step_back_bare(st);
}

static void step_cancel(CoordStep *st, const char *why)
{
        Coord *c = st->c;
        char text[400];
        if (!why && seq_state(c->seq, st->index) == SEQ_STEP_GOING)
                why = "others of its pool are missing";
        else if (!why)
                why = seq_why(c->seq, time_now(), c->member_names, text, sizeof(text));
        coord_say(c, step_name(st), true, "told to go back: %s", why);
        (void) snprintf(st->back_why, sizeof(st->back_why), "%s", why);
        st->cancelled = true;
        /* The order to begin is on its way, or lost: only its agent knows. */
        if (!st->follow) {
                st->unsure = true;
                st->unsure_until = time_add(time_now(), TENURE_ORDER_USEC);
        }
        step_back(st);
        if (st->back_due)
                coord_say(c, step_name(st), true, "it cannot be told now; it is tried again");
        coord_roll_follow(st);
}

/* ---- the machine ---- */

static void roll_ended(Coord *c)
{
        Result result = seq_result(c->seq);
        size_t done, failed, all;
        char why[400];
        seq_counts(c->seq, &done, &failed, &all);
        const PlanSkip *left_out = coord_left_out(c, PLAN_NONE);
        if ((result == RESULT_DONE || result == RESULT_NOT_NEEDED) && left_out) {
                coord_end(c, RESULT_AGENT_UNREACHABLE, "",
                          "%zu of %zu restarted, and %s was left out: %.300s", done, all,
                          coord_node_name(c, left_out->node), left_out->why);
                return;
        }
        if (result == RESULT_NOT_NEEDED && c->needed_unknown) {
                coord_end(c, RESULT_PROBLEMS, "edge-roll why tells what could not be looked at",
                          "nothing that was seen needs a restart, but not everything could be asked of the "
                          "Management Server");
                return;
        }
        if (result == RESULT_DONE || result == RESULT_NOT_NEEDED) {
                coord_end(c, result, "", "%zu of %zu restarted", done, all);
                return;
        }
        const CoordStep *bad = NULL;
        for (size_t i = 0; i < c->plan->n_steps && !bad; i++)
                if (seq_state(c->seq, i) == SEQ_STEP_FAILED)
                        bad = &c->steps[i];
        if (bad)
                coord_end(c, result, bad->hint, "%s: %s%s%s; %zu of %zu done, %zu failed", step_name(bad),
                          bad->result, *bad->text ? ": " : "", bad->text, done, all, failed);
        else if (c->stop_result >= 0)
                coord_end(c, c->stop_result, "", "%s; %zu of %zu done", c->stop_text, done, all);
        else
                coord_end(c, result, "", "%s; %zu of %zu done",
                          seq_why(c->seq, time_now(), c->member_names, why, sizeof(why)), done, all);
}

/* One whose job ended well, and that did not stay up: only here is that known. */
static void steps_judge(Coord *c)
{
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                CoordStep *st = &c->steps[i];
                if (!st->ended || seq_state(c->seq, i) != SEQ_STEP_FAILED ||
                    strcmp(st->result, result_name(RESULT_DONE)) != 0)
                        continue;
                char limit[32];
                cJSON *o = step_event(st, "end"), *own = cJSON_AddObjectToObject(o, "result");
                (void) snprintf(st->result, sizeof(st->result), "%s", result_name(RESULT_FAILED));
                (void) snprintf(
                        st->text, sizeof(st->text),
                        "restarted, but while it was watched it was not seen to serve without a break within %s",
                        time_format(time_now() - st->ended, limit, sizeof(limit)));
                (void) snprintf(st->hint, sizeof(st->hint), "edge-roll status there says what it lacks");
                cJSON_AddStringToObject(own, "result", st->result);
                cJSON_AddStringToObject(own, "reason", st->text);
                cJSON_AddStringToObject(own, "hint", st->hint);
                (void) coord_log(c, o);
        }
}

static void roll_member(Coord *c, size_t member, SeqHealth health, Usec now)
{
        c->members[member].health = health;
        if (c->seq)
                seq_member(c->seq, member, health, now);
}

/* Who has not been heard of for too long, and whether the leases are good. */
static void roll_age(Coord *c, Usec now)
{
        c->aged = now;
        for (size_t i = 0; i < c->n_members; i++)
                if (c->members[i].health != SEQ_UNKNOWN &&
                    now >= time_add(c->members[i].heard, COORD_PULSE_USEC))
                        roll_member(c, i, SEQ_UNKNOWN, now);
        seq_fresh(c->seq, tenures_fresh(c->tenures));
}

/* Guards against itself: doing one thing may tell the next one. */
void coord_roll_turn(Coord *c)
{
        if (c->turning) {
                c->turn_again = true;
                return;
        }
        c->turning = true;
        do {
                c->turn_again = false;
                /* When this process has stood still, what it knows is older than the last tick. */
                if (c->phase == COORD_ROLLING && time_now() >= time_add(c->aged, 2 * COORD_TICK_USEC))
                        roll_age(c, time_now());
                size_t step = 0;
                SeqAction action = SEQ_WAIT;
                while (c->phase == COORD_ROLLING &&
                       (action = seq_next(c->seq, time_now(), &step)) != SEQ_WAIT && action != SEQ_END) {
                        if (action == SEQ_START)
                                step_begin(&c->steps[step]);
                        else if (action == SEQ_GO)
                                step_go(&c->steps[step]);
                        else
                                step_cancel(&c->steps[step], NULL);
                }
                steps_judge(c);
                if (c->phase == COORD_ROLLING && action == SEQ_END)
                        roll_ended(c);
        } while (c->turn_again && c->phase == COORD_ROLLING);
        c->turning = false;
        if (c->phase != COORD_ROLLING)
                return;
        Usec deadline = seq_deadline(c->seq, time_now());
        if (deadline != USEC_INFINITY) {
                (void) sd_event_source_set_time(c->again, deadline + USEC_PER_MSEC);
                (void) sd_event_source_set_enabled(c->again, SD_EVENT_ONESHOT);
        }
        coord_show(c);
}

static int roll_on_again(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        coord_roll_turn(userdata);
        return 0;
}

int coord_roll_timer(Coord *c, Err *err)
{
        c->again = sd_event_source_unref(c->again);
        int r = sd_event_add_time(c->event, &c->again, CLOCK_MONOTONIC, USEC_INFINITY, 1000, roll_on_again,
                                  c);
        return r < 0 ? err_errno(err, r, "no timer") : 0;
}

/* ---- what the nodes tell ---- */

void coord_roll_signal(Coord *c, size_t node, sd_bus_message *m)
{
        const char *component, *text;
        if (!sd_bus_message_is_signal(m, REMOTE_AGENT_INTERFACE, "Pulse") ||
            sd_bus_message_read(m, "ss", &component, &text) < 0)
                return;
        cJSON *o = json_object(text, JSON_MESSAGE_MAX);
        const cJSON *up = cJSON_GetObjectItemCaseSensitive(o, "up"),
                    *out = cJSON_GetObjectItemCaseSensitive(o, "out");
        Usec now = time_now();
        bool changed = false;
        for (size_t i = 0; i < c->n_members && cJSON_IsBool(up) && cJSON_IsBool(out); i++) {
                CoordMember *x = &c->members[i];
                if (x->node != node || strcmp(x->component, component) != 0)
                        continue;
                SeqHealth health = cJSON_IsTrue(up) && cJSON_IsFalse(out) ? SEQ_UP : SEQ_DOWN;
                /* A link that lasts for just this word: whoever has the lease there by now may take it out in
                 * the next moment, while we would go on believing it. model: WORD-BELIEVED */
                if (health == SEQ_UP && c->phase == COORD_ROLLING &&
                    !tenures_covers(c->tenures, node, component))
                        health = SEQ_UNKNOWN;
                x->heard = now;
                changed = changed || health != x->health;
                roll_member(c, i, health, now);
        }
        cJSON_Delete(o);
        if (changed && c->seq)
                coord_roll_turn(c);
}

void coord_roll_up(Coord *c, size_t node)
{
        for (size_t i = 0; i < c->plan->n_steps; i++)
                if (c->steps[i].node == node)
                        c->steps[i].cut_since = 0;
}

void coord_roll_down(Coord *c, size_t node, const char *text)
{
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                CoordStep *st = &c->steps[i];
                SeqState state = seq_state(c->seq, i);
                if (st->node != node || st->cut_since || state == SEQ_STEP_WAITING || step_over(st))
                        continue;
                st->cut_since = time_now();
                coord_say(c, step_name(st), true,
                          "the link is gone (%s); its agent goes on, and it is tried again", text);
        }
}

static void step_tick(CoordStep *st, Usec now)
{
        Coord *c = st->c;
        Remote *remote = fleet_remote(c->fleet, st->node);
        SeqState state = seq_state(c->seq, st->index);
        if (state == SEQ_STEP_WAITING || step_over(st) || st->ended)
                return;
        /* It was away already when its turn came. */
        if (!st->cut_since && remote_state(remote) != REMOTE_UP && remote_state(remote) != REMOTE_ENDING) {
                st->cut_since = now;
                coord_say(c, step_name(st), true, "there is no link to it now; it is tried again");
        }
        if (st->cut_since && now >= time_add(st->cut_since, c->config->cluster_lost_usec)) {
                step_failed(
                        st, RESULT_AGENT_UNREACHABLE, "edge-roll status there says how it stands",
                        st->seen || st->sent
                                ? "not reached again within %.0f s while its job ran: its agent finishes it "
                                  "alone"
                                : "not reached within %.0f s when its turn came: nothing was begun there",
                        time_sec(c->config->cluster_lost_usec));
                return;
        }
        if (st->cut_since && remote_state(remote) == REMOTE_DOWN)
                remote_retry(remote);
        /* An order that may have come and did not: again, with another number. model: SEQ-NOT-BEGUN */
        if (st->unsure && !st->seen && !st->call && !st->follow && now >= st->unsure_until &&
            state == SEQ_STEP_STARTED) {
                if (st->cancelled)
                        step_failed(st, RESULT_REFUSED, "", "not begun");
                else if (st->asks >= COORD_ASKS_MAX)
                        step_failed(st, RESULT_AGENT_UNREACHABLE, "", "%u orders to begin were not answered",
                                    st->asks);
                else if (remote_state(remote) == REMOTE_UP)
                        step_begin(st);
                return;
        }
        if (state == SEQ_STEP_GOING)
                step_go_again(st, now);
        if (st->back_due && !st->call && st->follow && remote_state(remote) == REMOTE_UP &&
            (state == SEQ_STEP_STARTED || state == SEQ_STEP_GOING))
                step_back(st);
        bool lacking = seq_short(c->seq, st->index);
        if (lacking && !st->told_short && state == SEQ_STEP_STOPPED)
                coord_say(
                        c, step_name(st), true,
                        "others of its pool do not serve now, and it cannot be undone any more: it is being "
                        "finished");
        st->told_short = lacking;
}

/* Also those whose turn is yet to come, or is over: nobody goes while they are not heard of. */
static void roll_retry(Coord *c, Usec now)
{
        c->retry_at = now + AGAIN_USEC;
        for (size_t i = 0; i < c->n_members; i++) {
                size_t node = c->members[i].node;
                Remote *remote = node == PLAN_NONE ? NULL : fleet_remote(c->fleet, node);
                if (remote && remote_state(remote) == REMOTE_DOWN)
                        remote_retry(remote);
        }
}

void coord_roll_tick(Coord *c, Usec now)
{
        roll_age(c, now);
        if (now >= c->retry_at)
                roll_retry(c, now);
        for (size_t i = 0; i < c->plan->n_steps && c->phase == COORD_ROLLING; i++)
                step_tick(&c->steps[i], now);
        coord_roll_turn(c);
}

void coord_roll_stop(Coord *c, const char *cause, const char *text)
{
        cJSON *o = roll_log_event("stop");
        cJSON_AddStringToObject(o, "text", text);
        cJSON_AddStringToObject(o, "cause", cause);
        seq_stop(c->seq);
        (void) coord_log(c, o);
        coord_roll_turn(c);
}
