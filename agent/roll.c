/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/roll.h"

#include <string.h>

typedef struct RollRow {
        Phase next[ROLL_EVENT_COUNT]; /* what follows any event but ok; absent (0): the event is refused */
        Result bad;                   /* what a job ends with that ends badly here */
} RollRow;

/* clang-format off */

/*
 * The way of each kind when every phase has its proof. stop-monit stands before drain, not behind it: monit takes a
 * second to stop, which passes while requests end anyway.
 */
static const Phase roll_way[][PHASE_COUNT] = {
        [ROLL_RESTART] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_PLACE, PHASE_BLOCK, PHASE_NOTICE, PHASE_STOP_MONIT,
                PHASE_DRAIN, PHASE_GATE, PHASE_STOP, PHASE_START, PHASE_READY, PHASE_VERIFY, PHASE_START_MONIT,
                PHASE_UNBLOCK, PHASE_RETURN, PHASE_END },
        /* The block comes behind the stop, whose listener answers until it is closed: see job-leave.c. */
        [ROLL_RESTART_GRACEFUL] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_PLACE, PHASE_STOP_MONIT, PHASE_STOP,
                PHASE_BLOCK, PHASE_START, PHASE_READY, PHASE_VERIFY, PHASE_START_MONIT, PHASE_UNBLOCK, PHASE_RETURN,
                PHASE_END },
        [ROLL_RESTART_HELD] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_PLACE, PHASE_BLOCK, PHASE_STOP_MONIT,
                PHASE_DRAIN, PHASE_GATE, PHASE_STOP, PHASE_START, PHASE_READY, PHASE_VERIFY, PHASE_START_MONIT,
                PHASE_UNBLOCK, PHASE_RETURN, PHASE_END },
        [ROLL_RESTART_RMP] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_PLACE, PHASE_BLOCK, PHASE_NOTICE, PHASE_STOP_MONIT,
                PHASE_DRAIN, PHASE_PARTNER, PHASE_GATE, PHASE_STOP, PHASE_START, PHASE_READY, PHASE_VERIFY,
                PHASE_START_MONIT, PHASE_UNBLOCK, PHASE_RETURN, PHASE_END },
        [ROLL_RESTART_NOW] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_PLACE, PHASE_BLOCK, PHASE_STOP_MONIT,
                PHASE_GATE, PHASE_STOP, PHASE_START, PHASE_READY, PHASE_VERIFY, PHASE_START_MONIT,
                PHASE_UNBLOCK, PHASE_RETURN, PHASE_END },
        [ROLL_START] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_PLACE, PHASE_BLOCK, PHASE_STOP_MONIT,
                PHASE_START, PHASE_READY, PHASE_VERIFY, PHASE_START_MONIT, PHASE_UNBLOCK, PHASE_RETURN, PHASE_END },
        [ROLL_DRAIN] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_PLACE, PHASE_BLOCK, PHASE_NOTICE, PHASE_DRAIN, PHASE_HOLD,
                PHASE_END },
        [ROLL_UNDRAIN] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_UNBLOCK, PHASE_RETURN, PHASE_END },
        [ROLL_DRY_RUN] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_END },
        [ROLL_DOCTOR] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_UNDO, PHASE_END },
        [ROLL_RECOVER] = { PHASE_BLOCK, PHASE_START, PHASE_READY, PHASE_VERIFY, PHASE_START_MONIT, PHASE_UNBLOCK,
                PHASE_RETURN, PHASE_END },
};
_Static_assert(ELEMENTS(roll_way) == ROLL_KIND_COUNT, "every kind has a way");

#define BEFORE_STOP                                                                                                   \
        [ROLL_EV_FAIL] = PHASE_UNDO, [ROLL_EV_TIMEOUT] = PHASE_UNDO, [ROLL_EV_CANCEL] = PHASE_UNDO
#define BEHIND_START [ROLL_EV_FAIL] = PHASE_HOLD, [ROLL_EV_TIMEOUT] = PHASE_HOLD
#define LAST_THING   [ROLL_EV_FAIL] = PHASE_END, [ROLL_EV_TIMEOUT] = PHASE_END

static const RollRow roll_table[] = {
        [PHASE_PREFLIGHT] = { .next = { BEFORE_STOP }, .bad = RESULT_REFUSED },
        [PHASE_DISCOVER] = { .next = { BEFORE_STOP }, .bad = RESULT_REFUSED },
        [PHASE_WATCH] = { .next = { BEFORE_STOP }, .bad = RESULT_NO_CHECKER },
        [PHASE_PLACE] = { .next = { BEFORE_STOP }, .bad = RESULT_BUSY },
        [PHASE_BLOCK] = { .next = { BEFORE_STOP }, .bad = RESULT_GAVE_BACK },
        [PHASE_NOTICE] = { .next = { BEFORE_STOP, [ROLL_EV_LAPSED] = PHASE_NOTICE }, .bad = RESULT_GAVE_BACK },
        [PHASE_STOP_MONIT] = { .next = { BEFORE_STOP, [ROLL_EV_LAPSED] = PHASE_NOTICE }, .bad = RESULT_GAVE_BACK },
        [PHASE_DRAIN] = {
                .next = { BEFORE_STOP, [ROLL_EV_BACK] = PHASE_NOTICE, [ROLL_EV_LAPSED] = PHASE_NOTICE },
                .bad = RESULT_GAVE_BACK,
        },
        /* The other component is on its own: what its job ends with is said by it, here only the router is
         * given back. */
        [PHASE_PARTNER] = { .next = { BEFORE_STOP, [ROLL_EV_LAPSED] = PHASE_NOTICE }, .bad = RESULT_GAVE_BACK },
        [PHASE_GATE] = {
                .next = { BEFORE_STOP, [ROLL_EV_BACK] = PHASE_DRAIN, [ROLL_EV_LAPSED] = PHASE_NOTICE },
                .bad = RESULT_GAVE_BACK,
        },
        /* A component that did not stop as it should is started again all the same: only forwards from here. Back
         * is only for an agent that finds that its predecessor died before it called `stop`. */
        [PHASE_STOP] = {
                .next = { [ROLL_EV_FAIL] = PHASE_START, [ROLL_EV_TIMEOUT] = PHASE_START, [ROLL_EV_BACK] = PHASE_BLOCK,
                          [ROLL_EV_REFUSED] = PHASE_UNDO },
                .bad = RESULT_DONE,
        },
        [PHASE_START] = { .next = { BEHIND_START }, .bad = RESULT_HELD },
        [PHASE_READY] = { .next = { BEHIND_START }, .bad = RESULT_HELD },
        [PHASE_VERIFY] = { .next = { BEHIND_START }, .bad = RESULT_HELD },
        /* A good component is not kept out because monit does not come back; but that is no "done" either. */
        [PHASE_START_MONIT] = {
                .next = { [ROLL_EV_FAIL] = PHASE_UNBLOCK, [ROLL_EV_TIMEOUT] = PHASE_UNBLOCK },
                .bad = RESULT_FAILED,
        },
        [PHASE_UNBLOCK] = { .next = { LAST_THING }, .bad = RESULT_FAILED },
        [PHASE_RETURN] = { .next = { LAST_THING }, .bad = RESULT_NOT_READMITTED },
        [PHASE_UNDO] = { .next = { LAST_THING }, .bad = RESULT_FAILED },
        [PHASE_HOLD] = { .next = { LAST_THING }, .bad = RESULT_FAILED },
        [PHASE_END] = { .bad = RESULT_DONE },
};
/* clang-format on */
_Static_assert(ELEMENTS(roll_table) == PHASE_END + 1, "every phase has a row");

static const char *const roll_kind_names[] = {
        [ROLL_RESTART] = "restart",
        [ROLL_RESTART_GRACEFUL] = "restart-graceful",
        [ROLL_RESTART_HELD] = "restart-held",
        [ROLL_RESTART_RMP] = "restart-rmp",
        [ROLL_START] = "start",
        [ROLL_DRAIN] = "drain",
        [ROLL_UNDRAIN] = "undrain",
        [ROLL_DRY_RUN] = "dry-run",
        [ROLL_RECOVER] = "recover",
        [ROLL_DOCTOR] = "doctor",
        [ROLL_RESTART_NOW] = "restart-now",
};
_Static_assert(ELEMENTS(roll_kind_names) == ROLL_KIND_COUNT, "every kind has a name");

static const char *const roll_event_names[] = {
        [ROLL_EV_OK] = "ok",           [ROLL_EV_FAIL] = "failed",
        [ROLL_EV_TIMEOUT] = "timeout", [ROLL_EV_CANCEL] = "cancelled",
        [ROLL_EV_BACK] = "back",       [ROLL_EV_LAPSED] = "lapsed",
        [ROLL_EV_REFUSED] = "refused",
};
_Static_assert(ELEMENTS(roll_event_names) == ROLL_EVENT_COUNT, "every event has a name");

typedef struct RollPending {
        RollEvent event;
        Result result;
        Usec now;
} RollPending;

struct Roll {
        RollKind kind;
        RollEffects effects;
        void *userdata;
        Usec limit_usec[PHASE_COUNT];
        Usec spent_usec[PHASE_COUNT]; /* stays that are over */
        Phase phase;
        Usec entered;
        Result result; /* RESULT_DONE until something went badly */
        bool running;  /* inside an effect: events are kept for afterwards */
        bool has_pending;
        RollPending pending;
};

const char *roll_kind_name(RollKind kind)
{
        return kind >= 0 && kind < ROLL_KIND_COUNT ? roll_kind_names[kind] : "invalid";
}

RollKind roll_kind_from_name(const char *name)
{
        for (int i = 0; i < ROLL_KIND_COUNT; i++)
                if (strcmp(roll_kind_names[i], name) == 0)
                        return (RollKind) i;
        return ROLL_KIND_INVALID;
}

const char *roll_event_name(RollEvent event)
{
        return event >= 0 && event < ROLL_EVENT_COUNT ? roll_event_names[event] : "invalid";
}

int roll_new(Roll **ret, RollKind kind, const RollEffects *effects, const Usec *limit_usec, void *userdata)
{
        Roll *r = calloc(1, sizeof(*r));
        if (!r)
                return -ENOMEM;
        r->kind = kind;
        r->effects = *effects;
        r->userdata = userdata;
        memcpy(r->limit_usec, limit_usec, sizeof(r->limit_usec));
        r->result = RESULT_DONE;
        *ret = r;
        return 0;
}

Roll *roll_free(Roll *r)
{
        free(r);
        return NULL;
}

bool roll_leads_past(RollKind kind, Phase phase)
{
        for (const Phase *way = roll_way[kind]; *way != PHASE_END; way++)
                if (*way == phase)
                        return true;
        return false;
}

/* Where the block comes behind the stop, in this boot or in the one before. */
static bool roll_behind_stop(const Roll *r)
{
        return r->kind == ROLL_RECOVER || (r->kind == ROLL_RESTART_GRACEFUL && r->phase == PHASE_BLOCK);
}

static Phase roll_successor(const Roll *r, RollEvent event)
{
        Phase next = event == ROLL_EV_OK ? roll_next(r->kind, r->phase) : roll_table[r->phase].next[event];
        /* A kind without notice closes the block again instead, and one without drain has nothing to wait
         * for. */
        if (event == ROLL_EV_LAPSED && next == PHASE_NOTICE && !roll_leads_past(r->kind, next))
                next = r->kind == ROLL_RESTART_GRACEFUL ? PHASE_NONE : PHASE_BLOCK;
        if (event == ROLL_EV_BACK && (next == PHASE_DRAIN || next == PHASE_NOTICE) &&
            !roll_leads_past(r->kind, next))
                next = PHASE_NONE;
        if (r->kind == ROLL_RESTART_GRACEFUL && r->phase == PHASE_STOP && event == ROLL_EV_BACK)
                return PHASE_STOP_MONIT; /* nothing is blocked yet */
        if (r->kind == ROLL_RESTART_GRACEFUL && r->phase == PHASE_STOP && next == PHASE_START)
                return PHASE_BLOCK; /* also when the stop went wrong */
        if (!roll_behind_stop(r) || next != PHASE_UNDO)
                return next;
        /* Behind `stop` there is no way back, also when a reboot came between. */
        return event == ROLL_EV_CANCEL ? PHASE_NONE : PHASE_START;
}

/* What a job ends with when @event ends the present phase badly. */
static Result roll_bad(const Roll *r, RollEvent event, Result told)
{
        if (roll_behind_stop(r) && r->phase == PHASE_BLOCK)
                return RESULT_DONE; /* a start that is proven later makes it good */
        if (told != RESULT_INVALID)
                return told;
        if (event == ROLL_EV_REFUSED)
                return RESULT_GAVE_BACK;
        if (event == ROLL_EV_CANCEL && r->phase < PHASE_BLOCK)
                return RESULT_REFUSED;
        if (event == ROLL_EV_CANCEL)
                return RESULT_GAVE_BACK;
        return roll_table[r->phase].bad;
}

/* The one place where the phase changes. */
static void roll_enter(Roll *r, Phase phase, RollEvent event, Usec now)
{
        if (r->phase != PHASE_NONE) {
                r->effects.leave(r->phase, event, r->userdata);
                r->spent_usec[r->phase] += now > r->entered ? now - r->entered : 0;
        }
        r->phase = phase;
        r->entered = now;
        if (phase == PHASE_END)
                r->effects.finished(r->result, r->userdata);
        else
                r->effects.enter(phase, r->userdata);
}

static bool roll_take(Roll *r, const RollPending *p)
{
        Phase next = roll_successor(r, p->event);
        if (next == PHASE_NONE)
                return false;

        bool bad = p->event == ROLL_EV_FAIL || p->event == ROLL_EV_TIMEOUT || p->event == ROLL_EV_CANCEL ||
                   p->event == ROLL_EV_REFUSED;
        /* The first bad result stays, but for an undo that failed: then the node is not as it was. */
        if (bad && (r->result == RESULT_DONE || r->phase == PHASE_UNDO))
                r->result = roll_bad(r, p->event, p->result);
        roll_enter(r, next, p->event, p->now);
        return true;
}

static void roll_run(Roll *r)
{
        r->running = true;
        while (r->has_pending && r->phase != PHASE_END) {
                RollPending p = r->pending;
                r->has_pending = false;
                (void) roll_take(r, &p);
        }
        r->running = false;
}

void roll_start(Roll *r, Phase phase, Usec now)
{
        if (phase == PHASE_UNDO)
                r->result = RESULT_GAVE_BACK;
        else if (phase == PHASE_HOLD && r->kind != ROLL_DRAIN)
                r->result = RESULT_HELD;
        r->running = true;
        roll_enter(r, phase == PHASE_NONE ? roll_way[r->kind][0] : phase, ROLL_EV_OK, now);
        roll_run(r);
}

void roll_set_kind(Roll *r, RollKind kind)
{
        r->kind = kind;
}

void roll_set_limit(Roll *r, Phase phase, Usec limit_usec)
{
        r->limit_usec[phase] = limit_usec;
}

bool roll_feed(Roll *r, RollEvent event, Result result, Usec now)
{
        RollPending p = { .event = event, .result = result, .now = now };

        if (roll_finished(r) || roll_successor(r, event) == PHASE_NONE)
                return false;
        if (r->running) {
                /* From within enter(): the first verdict on a phase is the one that counts. */
                if (!r->has_pending) {
                        r->pending = p;
                        r->has_pending = true;
                }
                return true;
        }
        r->pending = p;
        r->has_pending = true;
        roll_run(r);
        return true;
}

Phase roll_phase(const Roll *r)
{
        return r->phase;
}

RollKind roll_kind(const Roll *r)
{
        return r->kind;
}

bool roll_finished(const Roll *r)
{
        return r->phase == PHASE_END;
}

Usec roll_elapsed(const Roll *r, Phase phase, Usec now)
{
        Usec spent = r->spent_usec[phase];
        if (phase == r->phase && now > r->entered)
                spent += now - r->entered;
        return spent;
}

Usec roll_deadline(const Roll *r)
{
        if (roll_finished(r))
                return USEC_INFINITY;
        /* The limit is for all stays together, so going back and forth cannot outlast it. */
        Usec limit = r->limit_usec[r->phase], spent = r->spent_usec[r->phase];
        return time_add(r->entered, limit > spent ? limit - spent : 0);
}

bool roll_can_cancel(const Roll *r)
{
        return !roll_finished(r) && roll_successor(r, ROLL_EV_CANCEL) != PHASE_NONE;
}

Phase roll_next(RollKind kind, Phase phase)
{
        const Phase *way = roll_way[kind];
        if (phase == PHASE_NONE)
                return way[0];
        /* The two ends that are on no way, or only on that of drain. */
        if (phase == PHASE_UNDO || phase == PHASE_HOLD)
                return PHASE_END;
        while (*way != PHASE_END && *way != phase)
                way++;
        return *way == PHASE_END ? PHASE_NONE : way[1];
}
