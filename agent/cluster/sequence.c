/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/sequence.h"

#include <stdlib.h>
#include <string.h>

typedef struct Member {
        SeqMember spec;
        SeqHealth health;
        Usec up_since; /* without a break; 0: it is not up */
        size_t step;   /* whose it is; SIZE_MAX: not selected */
} Member;

typedef struct Step {
        SeqStep spec;
        SeqState state;
        Result result;
        bool ready;                     /* waits for the word */
        bool cancelled;                 /* ... or was told to go back */
        bool cures[SEQ_POOLS_PER_STEP]; /* it was given the word when that member was down */
        Usec back_at;                   /* soaking: since when */
} Step;

struct Sequence {
        SeqOptions options;
        SeqPool *pools;
        size_t n_pools;
        Member *members;
        size_t n_members;
        Step *steps;
        size_t n_steps;
        bool fresh;
        bool stopping;    /* asked to */
        bool given_up;    /* others of a pool did not come back */
        Usec short_since; /* since when they are missed; 0: they are not */
        Result failure;   /* of the first failed step; RESULT_INVALID */
        size_t n_failed;
};

static const char *const state_names[] = {
        [SEQ_STEP_WAITING] = "waiting", [SEQ_STEP_STARTED] = "started", [SEQ_STEP_GOING] = "going",
        [SEQ_STEP_STOPPED] = "stopped", [SEQ_STEP_SOAKING] = "soaking", [SEQ_STEP_DONE] = "done",
        [SEQ_STEP_FAILED] = "failed",   [SEQ_STEP_LEFT] = "left",
};
_Static_assert(ELEMENTS(state_names) == SEQ_STATE_COUNT, "every state has a name");

const char *seq_state_name(SeqState state)
{
        return state >= 0 && state < SEQ_STATE_COUNT ? state_names[state] : "invalid";
}

int seq_new(Sequence **ret, const SeqOptions *options, const SeqPool *pools, size_t n_pools,
            const SeqMember *members, size_t n_members, const SeqStep *steps, size_t n_steps)
{
        _cleanup_(seq_freep) Sequence *s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->options = *options;
        s->n_pools = n_pools;
        s->n_members = n_members;
        s->n_steps = n_steps;
        s->fresh = true;
        s->failure = RESULT_INVALID;
        s->pools = calloc(n_pools + 1, sizeof(*s->pools));
        s->members = calloc(n_members + 1, sizeof(*s->members));
        s->steps = calloc(n_steps + 1, sizeof(*s->steps));
        if (!s->pools || !s->members || !s->steps)
                return -ENOMEM;
        for (size_t i = 0; i < n_pools; i++) {
                if (pools[i].max_unavailable == 0)
                        return -EINVAL;
                s->pools[i] = pools[i];
        }
        for (size_t i = 0; i < n_members; i++) {
                if (members[i].pool >= n_pools)
                        return -EINVAL;
                s->members[i] = (Member){ .spec = members[i], .health = members[i].health, .step = SIZE_MAX };
                /* It has been up for as long as anybody knows. */
                s->members[i].up_since = members[i].health == SEQ_UP;
        }
        for (size_t i = 0; i < n_steps; i++) {
                if (steps[i].n_members == 0 || steps[i].n_members > SEQ_POOLS_PER_STEP)
                        return -EINVAL;
                s->steps[i] = (Step){ .spec = steps[i], .result = RESULT_INVALID };
                if (steps[i].skip)
                        s->steps[i].state = SEQ_STEP_DONE;
                for (size_t m = 0; m < steps[i].n_members; m++) {
                        if (steps[i].members[m] >= n_members ||
                            s->members[steps[i].members[m]].step != SIZE_MAX)
                                return -EINVAL;
                        s->members[steps[i].members[m]].step = i;
                }
        }
        *ret = TAKE_PTR(s);
        return 0;
}

Sequence *seq_free(Sequence *s)
{
        if (!s)
                return NULL;
        free(s->pools);
        free(s->members);
        free(s->steps);
        free(s);
        return NULL;
}

/* ---- what is so ---- */

static bool step_is_over(const Step *t)
{
        return t->state == SEQ_STEP_DONE || t->state == SEQ_STEP_FAILED || t->state == SEQ_STEP_LEFT;
}

/* Out, or about to be: from the word on until it is back. */
static bool step_is_out(const Step *t)
{
        return t->state == SEQ_STEP_GOING || t->state == SEQ_STEP_STOPPED;
}

static bool stop_wanted(const Sequence *s)
{
        return s->stopping || s->given_up || s->n_failed > s->options.max_failures;
}

typedef struct Tally {
        unsigned missing; /* without those that are tolerated */
        unsigned serving;
} Tally;

/* Of the pool of @member, without it. @hopeful: what was told to go back is counted as back. */
static Tally tally_others(const Sequence *s, size_t member, bool hopeful)
{
        Tally t = { 0 };
        for (size_t i = 0; i < s->n_members; i++) {
                const Member *m = &s->members[i];
                const Step *own = m->step != SIZE_MAX ? &s->steps[m->step] : NULL;
                if (i == member || m->spec.pool != s->members[member].spec.pool)
                        continue;
                bool ours = own && step_is_out(own);
                if (ours && hopeful && own->cancelled && own->state == SEQ_STEP_GOING)
                        continue;
                if (!ours && m->health == SEQ_UP)
                        t.serving++;
                else if (ours || !m->spec.tolerated)
                        t.missing++;
        }
        return t;
}

/* May it be out now, as far as its pools go? What is down takes nothing from those that serve; of what is
 * only not heard of that is not known. model: SEQ-FITS */
static bool step_fits(const Sequence *s, const Step *t, bool hopeful)
{
        for (size_t i = 0; i < t->spec.n_members; i++) {
                const Member *own = &s->members[t->spec.members[i]];
                const SeqPool *pool = &s->pools[own->spec.pool];
                Tally others = tally_others(s, t->spec.members[i], hopeful);
                if (step_is_out(t) ? t->cures[i] : own->health == SEQ_DOWN)
                        continue;
                if (others.missing + 1 > pool->max_unavailable)
                        return false;
                if (others.serving == 0 && !pool->allow_outage)
                        return false;
        }
        return true;
}

static unsigned present_stage(const Sequence *s)
{
        unsigned stage = UINT32_MAX;
        for (size_t i = 0; i < s->n_steps; i++)
                if (!step_is_over(&s->steps[i]))
                        stage = MIN(stage, s->steps[i].spec.stage);
        return stage;
}

/* The first step of a stage is done, and well, before another one of it goes out. */
static bool canary_is_back(const Sequence *s, unsigned stage)
{
        for (size_t i = 0; i < s->n_steps; i++) {
                const Step *t = &s->steps[i];
                if (t->spec.stage == stage && t->state == SEQ_STEP_DONE &&
                    (t->spec.skip || t->result == RESULT_DONE))
                        return true;
        }
        return false;
}

static size_t count_in(const Sequence *s, unsigned stage, SeqState state)
{
        size_t n = 0;
        for (size_t i = 0; i < s->n_steps; i++)
                n += s->steps[i].spec.stage == stage && s->steps[i].state == state;
        return n;
}

/* How many of a stage may be out at once: the canary alone, then as many as the narrowest of its pools lets.
 */
static size_t stage_width(const Sequence *s, unsigned stage)
{
        size_t width = SIZE_MAX;
        for (size_t i = 0; i < s->n_steps; i++)
                for (size_t m = 0; m < s->steps[i].spec.n_members && s->steps[i].spec.stage == stage; m++)
                        width = MIN(width,
                                    (size_t) s->pools[s->members[s->steps[i].spec.members[m]].spec.pool]
                                            .max_unavailable);
        return canary_is_back(s, stage) ? width : 1;
}

/* ---- what to do ---- */

static void step_fail(Sequence *s, Step *t, Result result)
{
        t->state = SEQ_STEP_FAILED;
        t->result = result;
        s->n_failed++;
        if (s->failure < 0)
                s->failure = result;
}

static bool step_is_good(const Sequence *s, const Step *t, Usec now)
{
        for (size_t i = 0; i < t->spec.n_members; i++) {
                const Member *m = &s->members[t->spec.members[i]];
                if (m->health != SEQ_UP || now < time_add(MAX(m->up_since, t->back_at), s->options.good_usec))
                        return false;
        }
        return now >= time_add(t->back_at, s->options.soak_low_usec);
}

static Usec soak_end(const Sequence *s, const Step *t)
{
        return time_add(t->back_at, MAX(s->options.soak_high_usec,
                                        time_add(s->options.soak_low_usec, s->options.good_usec)));
}

static void soak(Sequence *s, Usec now)
{
        for (size_t i = 0; i < s->n_steps; i++) {
                Step *t = &s->steps[i];
                if (t->state != SEQ_STEP_SOAKING)
                        continue;
                bool serves = true;
                for (size_t m = 0; m < t->spec.n_members; m++)
                        serves = serves && s->members[t->spec.members[m]].health == SEQ_UP;
                /* Who asked to stop does not wait for the rest of it. */
                if (step_is_good(s, t, now) || (s->stopping && serves))
                        t->state = SEQ_STEP_DONE;
                else if (now >= soak_end(s, t))
                        step_fail(s, t, RESULT_FAILED);
        }
}

static SeqAction pick_cancel(Sequence *s, size_t *ret_step)
{
        for (size_t i = 0; i < s->n_steps; i++) {
                Step *t = &s->steps[i];
                if (t->cancelled)
                        continue;
                /* What is out is finished when the user stops; it goes back when others of its pool are
                 * missing. */
                bool back = t->state == SEQ_STEP_STARTED ? stop_wanted(s)
                            : t->state == SEQ_STEP_GOING ? !step_fits(s, t, true)
                                                         : false;
                if (!back)
                        continue;
                t->cancelled = true;
                *ret_step = i;
                return SEQ_CANCEL;
        }
        return SEQ_WAIT;
}

/* A node that is back is watched before the next one goes, so it keeps its slot until it is good. */
static bool slot_is_free(const Sequence *s, unsigned stage)
{
        return count_in(s, stage, SEQ_STEP_GOING) + count_in(s, stage, SEQ_STEP_STOPPED) +
                       count_in(s, stage, SEQ_STEP_SOAKING) <
               stage_width(s, stage);
}

/* model: SEQ-GO */
static SeqAction pick_go(Sequence *s, unsigned stage, Usec now, size_t *ret_step)
{
        bool missed = false;
        bool free_slot = slot_is_free(s, stage);
        for (size_t i = 0; i < s->n_steps && free_slot; i++) {
                Step *t = &s->steps[i];
                if (t->spec.stage != stage || t->state != SEQ_STEP_STARTED || !t->ready || t->cancelled)
                        continue;
                if (!step_fits(s, t, false)) {
                        missed = true;
                        continue;
                }
                for (size_t m = 0; m < t->spec.n_members; m++)
                        t->cures[m] = s->members[t->spec.members[m]].health == SEQ_DOWN;
                t->state = SEQ_STEP_GOING;
                t->ready = false;
                s->short_since = 0;
                *ret_step = i;
                return SEQ_GO;
        }
        if (!missed)
                s->short_since = 0;
        else if (s->short_since == 0)
                s->short_since = MAX(now, 1);
        else if (now >= time_add(s->short_since, s->options.patience_usec))
                s->given_up = true;
        return SEQ_WAIT;
}

/* A job that waits in front of its block costs nobody anything: it is begun while the one before is watched.
 */
static SeqAction pick_start(Sequence *s, unsigned stage, size_t *ret_step)
{
        if (count_in(s, stage, SEQ_STEP_STARTED) + count_in(s, stage, SEQ_STEP_GOING) +
                    count_in(s, stage, SEQ_STEP_STOPPED) >=
            stage_width(s, stage))
                return SEQ_WAIT;
        for (size_t i = 0; i < s->n_steps; i++) {
                Step *t = &s->steps[i];
                if (t->spec.stage != stage || t->state != SEQ_STEP_WAITING)
                        continue;
                t->state = SEQ_STEP_STARTED;
                *ret_step = i;
                return SEQ_START;
        }
        return SEQ_WAIT;
}

static bool anything_under_way(const Sequence *s)
{
        for (size_t i = 0; i < s->n_steps; i++)
                if (!step_is_over(&s->steps[i]) && s->steps[i].state != SEQ_STEP_WAITING)
                        return true;
        return false;
}

SeqAction seq_next(Sequence *s, Usec now, size_t *ret_step)
{
        soak(s, now);
        SeqAction action = pick_cancel(s, ret_step);
        unsigned stage = present_stage(s);
        if (action != SEQ_WAIT)
                return action;
        if (stage != UINT32_MAX && s->fresh && !stop_wanted(s)) {
                action = pick_go(s, stage, now, ret_step);
                if (action == SEQ_WAIT && !stop_wanted(s))
                        action = pick_start(s, stage, ret_step);
                if (action != SEQ_WAIT)
                        return action;
                /* It has just been given up: whoever waits goes back. */
                if (stop_wanted(s) && (action = pick_cancel(s, ret_step)) != SEQ_WAIT)
                        return action;
        }
        if (anything_under_way(s) || (stage != UINT32_MAX && !stop_wanted(s)))
                return SEQ_WAIT;
        for (size_t i = 0; i < s->n_steps; i++)
                if (s->steps[i].state == SEQ_STEP_WAITING)
                        s->steps[i].state = SEQ_STEP_LEFT;
        return SEQ_END;
}

Usec seq_deadline(const Sequence *s, Usec now)
{
        Usec next = s->short_since ? time_add(s->short_since, s->options.patience_usec) : USEC_INFINITY;
        for (size_t i = 0; i < s->n_steps; i++) {
                const Step *t = &s->steps[i];
                if (t->state != SEQ_STEP_SOAKING)
                        continue;
                Usec low = time_add(t->back_at, s->options.soak_low_usec), good = 0;
                for (size_t m = 0; m < t->spec.n_members; m++) {
                        const Member *own = &s->members[t->spec.members[m]];
                        good = own->health == SEQ_UP && good != USEC_INFINITY
                                       ? MAX(good,
                                             time_add(MAX(own->up_since, t->back_at), s->options.good_usec))
                                       : USEC_INFINITY;
                }
                next = MIN(next, MIN(MAX(low, good), MAX(soak_end(s, t), now)));
        }
        return next;
}

/* ---- what is told ---- */

void seq_member(Sequence *s, size_t member, SeqHealth health, Usec now)
{
        Member *m = &s->members[member];
        if (m->step != SIZE_MAX && step_is_out(&s->steps[m->step]))
                return;
        if (health != SEQ_UP)
                m->up_since = 0;
        else if (m->health != SEQ_UP || m->up_since == 0)
                m->up_since = MAX(now, 1);
        m->health = health;
}

void seq_fresh(Sequence *s, bool fresh)
{
        s->fresh = fresh;
}

void seq_started(Sequence *s, size_t step)
{
        if (s->steps[step].state == SEQ_STEP_WAITING)
                s->steps[step].state = SEQ_STEP_STARTED;
}

void seq_ready(Sequence *s, size_t step)
{
        Step *t = &s->steps[step];
        seq_started(s, step);
        if (t->state == SEQ_STEP_STARTED)
                t->ready = true;
}

void seq_blocked(Sequence *s, size_t step)
{
        Step *t = &s->steps[step];
        if (t->state == SEQ_STEP_WAITING || t->state == SEQ_STEP_STARTED)
                t->state = SEQ_STEP_GOING;
}

void seq_stopped(Sequence *s, size_t step)
{
        Step *t = &s->steps[step];
        if (!step_is_over(t))
                t->state = SEQ_STEP_STOPPED;
}

void seq_ended(Sequence *s, size_t step, Result result, bool out, Usec now)
{
        Step *t = &s->steps[step];
        if (step_is_over(t) || t->state == SEQ_STEP_SOAKING)
                return;
        bool was_out = step_is_out(t);
        t->ready = false;
        if (result == RESULT_DONE) {
                t->state = SEQ_STEP_SOAKING;
                t->result = result;
                t->back_at = now;
        } else if (result == RESULT_NOT_NEEDED) {
                t->state = SEQ_STEP_DONE;
                t->result = result;
        } else if (!was_out && !out && t->cancelled && stop_wanted(s))
                t->state = SEQ_STEP_LEFT;
        else
                step_fail(s, t, result);
        for (size_t i = 0; i < t->spec.n_members; i++) {
                if (out)
                        seq_member(s, t->spec.members[i], SEQ_DOWN, now);
                else if (result == RESULT_DONE)
                        seq_member(s, t->spec.members[i], SEQ_UP, now);
        }
}

void seq_stop(Sequence *s)
{
        s->stopping = true;
}

SeqState seq_state(const Sequence *s, size_t step)
{
        return s->steps[step].state;
}

Result seq_step_result(const Sequence *s, size_t step)
{
        return s->steps[step].result;
}

bool seq_short(const Sequence *s, size_t step)
{
        return step_is_out(&s->steps[step]) && !step_fits(s, &s->steps[step], false);
}

Result seq_result(const Sequence *s)
{
        bool left = false, restarted = false;
        for (size_t i = 0; i < s->n_steps; i++) {
                left = left || !step_is_over(&s->steps[i]) || s->steps[i].state == SEQ_STEP_LEFT;
                restarted = restarted || s->steps[i].result == RESULT_DONE;
        }
        if (s->failure >= 0)
                return s->failure;
        if (left && s->given_up)
                return RESULT_REFUSED;
        if (left && s->stopping)
                return RESULT_INTERRUPTED;
        return restarted || s->n_steps == 0 ? RESULT_DONE : RESULT_NOT_NEEDED;
}

static const char *why_missing(const Sequence *s, const Step *t, const char *const *names, char *buf,
                               size_t size)
{
        size_t len = 0;
        buf[0] = '\0';
        for (size_t i = 0; i < s->n_members; i++) {
                const Member *m = &s->members[i];
                bool same = false;
                for (size_t k = 0; k < t->spec.n_members; k++)
                        same = same || (s->members[t->spec.members[k]].spec.pool == m->spec.pool &&
                                        t->spec.members[k] != i);
                if (!same || m->health == SEQ_UP || m->spec.tolerated || len + 2 >= size)
                        continue;
                len += (size_t) snprintf(buf + len, size - len, "%s%s", len ? ", " : "", names[i]);
        }
        return len ? buf : "others of its pool";
}

const char *seq_why(const Sequence *s, Usec now, const char *const *names, char *buf, size_t size)
{
        char missing[256], a[32];
        buf[0] = '\0';
        for (size_t i = 0; i < s->n_steps; i++) {
                const Step *t = &s->steps[i];
                const char *name = names[t->spec.members[0]];
                if (t->state == SEQ_STEP_SOAKING) {
                        Usec low = time_add(t->back_at, s->options.soak_low_usec);
                        if (now < low)
                                (void) snprintf(buf, size, "watching %s for %s more", name,
                                                time_format(low - now, a, sizeof(a)));
                        else
                                (void) snprintf(buf, size, "watching %s until it is good, at most %s more",
                                                name,
                                                time_format(time_left(soak_end(s, t), now), a, sizeof(a)));
                        return buf;
                }
                if (t->state == SEQ_STEP_STARTED && t->ready && s->short_since) {
                        (void) snprintf(buf, size, "%s waits: %s must serve first, at most %s more", name,
                                        why_missing(s, t, names, missing, sizeof(missing)),
                                        time_format(time_left(time_add(s->short_since,
                                                                       s->options.patience_usec),
                                                              now),
                                                    a, sizeof(a)));
                        return buf;
                }
        }
        if (s->given_up)
                (void) snprintf(buf, size, "others of the pool did not serve in time");
        else if (s->n_failed > s->options.max_failures)
                (void) snprintf(buf, size, "%zu failed", s->n_failed);
        else if (s->stopping)
                (void) snprintf(buf, size, "asked to stop");
        else if (!s->fresh)
                (void) snprintf(buf, size,
                                "the leases could not be renewed in time; no orders until they are");
        return buf;
}

void seq_counts(const Sequence *s, size_t *ret_done, size_t *ret_failed, size_t *ret_all)
{
        *ret_done = *ret_failed = 0;
        for (size_t i = 0; i < s->n_steps; i++) {
                *ret_done += s->steps[i].state == SEQ_STEP_DONE;
                *ret_failed += s->steps[i].state == SEQ_STEP_FAILED;
        }
        *ret_all = s->n_steps;
}
