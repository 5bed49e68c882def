/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/roll.h"

#include <string.h>

typedef struct RollRow {
        Phase ok[ROLL_KIND_COUNT];    /* what follows when it has its proof; absent: not part of this kind */
        Phase next[ROLL_EVENT_COUNT]; /* what follows any other event; absent (0): the event is refused */
        Result bad;                   /* what a job ends with that ends badly here */
} RollRow;

/* clang-format off */
static const Phase roll_first[] = {
        [ROLL_RESTART] = PHASE_PREFLIGHT,
        [ROLL_RESTART_HELD] = PHASE_PREFLIGHT,
        [ROLL_START] = PHASE_PREFLIGHT,
        [ROLL_DRAIN] = PHASE_PREFLIGHT,
        [ROLL_UNDRAIN] = PHASE_PREFLIGHT,
        [ROLL_DRY_RUN] = PHASE_PREFLIGHT,
        [ROLL_RECOVER] = PHASE_BLOCK,
};
_Static_assert(ELEMENTS(roll_first) == ROLL_KIND_COUNT, "every kind has a first phase");

#define BEFORE_STOP                                                                                                   \
        [ROLL_EV_FAIL] = PHASE_UNDO, [ROLL_EV_TIMEOUT] = PHASE_UNDO, [ROLL_EV_CANCEL] = PHASE_UNDO

static const RollRow roll_table[] = {
        [PHASE_PREFLIGHT] = {
                .ok = { [ROLL_RESTART] = PHASE_DISCOVER, [ROLL_RESTART_HELD] = PHASE_DISCOVER,
                        [ROLL_START] = PHASE_DISCOVER, [ROLL_DRAIN] = PHASE_DISCOVER, [ROLL_UNDRAIN] = PHASE_DISCOVER,
                        [ROLL_DRY_RUN] = PHASE_DISCOVER },
                .next = { BEFORE_STOP },
                .bad = RESULT_REFUSED,
        },
        [PHASE_DISCOVER] = {
                .ok = { [ROLL_RESTART] = PHASE_WATCH, [ROLL_RESTART_HELD] = PHASE_BLOCK, [ROLL_START] = PHASE_BLOCK,
                        [ROLL_DRAIN] = PHASE_WATCH, [ROLL_UNDRAIN] = PHASE_UNBLOCK, [ROLL_DRY_RUN] = PHASE_END },
                .next = { BEFORE_STOP },
                .bad = RESULT_REFUSED,
        },
        [PHASE_WATCH] = {
                .ok = { [ROLL_RESTART] = PHASE_BLOCK, [ROLL_DRAIN] = PHASE_BLOCK },
                .next = { BEFORE_STOP },
                .bad = RESULT_NO_CHECKER,
        },
        [PHASE_BLOCK] = {
                .ok = { [ROLL_RESTART] = PHASE_NOTICE, [ROLL_RESTART_HELD] = PHASE_STOP_MONIT, [ROLL_START] = PHASE_STOP_MONIT,
                        [ROLL_DRAIN] = PHASE_NOTICE, [ROLL_RECOVER] = PHASE_START },
                .next = { BEFORE_STOP },
                .bad = RESULT_GAVE_BACK,
        },
        [PHASE_NOTICE] = {
                .ok = { [ROLL_RESTART] = PHASE_STOP_MONIT, [ROLL_RESTART_HELD] = PHASE_STOP_MONIT, [ROLL_DRAIN] = PHASE_DRAIN },
                .next = { BEFORE_STOP, [ROLL_EV_LAPSED] = PHASE_NOTICE },
                .bad = RESULT_GAVE_BACK,
        },
        /* Before drain, not behind it: monit takes a second to stop, which passes while requests end anyway. */
        [PHASE_STOP_MONIT] = {
                .ok = { [ROLL_RESTART] = PHASE_DRAIN, [ROLL_RESTART_HELD] = PHASE_DRAIN, [ROLL_START] = PHASE_START },
                .next = { BEFORE_STOP, [ROLL_EV_LAPSED] = PHASE_NOTICE },
                .bad = RESULT_GAVE_BACK,
        },
        [PHASE_DRAIN] = {
                .ok = { [ROLL_RESTART] = PHASE_GATE, [ROLL_RESTART_HELD] = PHASE_GATE, [ROLL_DRAIN] = PHASE_HOLD },
                .next = { BEFORE_STOP, [ROLL_EV_LAPSED] = PHASE_NOTICE },
                .bad = RESULT_GAVE_BACK,
        },
        [PHASE_GATE] = {
                .ok = { [ROLL_RESTART] = PHASE_STOP, [ROLL_RESTART_HELD] = PHASE_STOP },
                .next = { BEFORE_STOP, [ROLL_EV_BACK] = PHASE_DRAIN, [ROLL_EV_LAPSED] = PHASE_NOTICE },
                .bad = RESULT_GAVE_BACK,
        },
        /* A component that did not stop as it should is started again all the same: only forwards from here. Back
         * is only for an agent that finds that its predecessor died before it called `stop`. */
        [PHASE_STOP] = {
                .ok = { [ROLL_RESTART] = PHASE_START, [ROLL_RESTART_HELD] = PHASE_START },
                .next = { [ROLL_EV_FAIL] = PHASE_START, [ROLL_EV_TIMEOUT] = PHASE_START, [ROLL_EV_BACK] = PHASE_BLOCK,
                          [ROLL_EV_REFUSED] = PHASE_UNDO },
                .bad = RESULT_DONE,
        },
        [PHASE_START] = {
                .ok = { [ROLL_RESTART] = PHASE_READY, [ROLL_RESTART_HELD] = PHASE_READY, [ROLL_START] = PHASE_READY,
                        [ROLL_RECOVER] = PHASE_READY },
                .next = { [ROLL_EV_FAIL] = PHASE_HOLD, [ROLL_EV_TIMEOUT] = PHASE_HOLD },
                .bad = RESULT_HELD,
        },
        [PHASE_READY] = {
                .ok = { [ROLL_RESTART] = PHASE_VERIFY, [ROLL_RESTART_HELD] = PHASE_VERIFY, [ROLL_START] = PHASE_VERIFY,
                        [ROLL_RECOVER] = PHASE_VERIFY },
                .next = { [ROLL_EV_FAIL] = PHASE_HOLD, [ROLL_EV_TIMEOUT] = PHASE_HOLD },
                .bad = RESULT_HELD,
        },
        [PHASE_VERIFY] = {
                .ok = { [ROLL_RESTART] = PHASE_START_MONIT, [ROLL_RESTART_HELD] = PHASE_START_MONIT,
                        [ROLL_START] = PHASE_START_MONIT, [ROLL_RECOVER] = PHASE_START_MONIT },
                .next = { [ROLL_EV_FAIL] = PHASE_HOLD, [ROLL_EV_TIMEOUT] = PHASE_HOLD },
                .bad = RESULT_HELD,
        },
        /* A good component is not kept out because monit does not come back; but that is no "done" either. */
        [PHASE_START_MONIT] = {
                .ok = { [ROLL_RESTART] = PHASE_UNBLOCK, [ROLL_RESTART_HELD] = PHASE_UNBLOCK, [ROLL_START] = PHASE_UNBLOCK,
                        [ROLL_RECOVER] = PHASE_UNBLOCK },
                .next = { [ROLL_EV_FAIL] = PHASE_UNBLOCK, [ROLL_EV_TIMEOUT] = PHASE_UNBLOCK },
                .bad = RESULT_FAILED,
        },
        [PHASE_UNBLOCK] = {
                .ok = { [ROLL_RESTART] = PHASE_RETURN, [ROLL_RESTART_HELD] = PHASE_RETURN, [ROLL_START] = PHASE_RETURN,
                        [ROLL_UNDRAIN] = PHASE_RETURN, [ROLL_RECOVER] = PHASE_RETURN },
                .next = { [ROLL_EV_FAIL] = PHASE_END, [ROLL_EV_TIMEOUT] = PHASE_END },
                .bad = RESULT_FAILED,
        },
        [PHASE_RETURN] = {
                .ok = { [ROLL_RESTART] = PHASE_END, [ROLL_RESTART_HELD] = PHASE_END, [ROLL_START] = PHASE_END,
                        [ROLL_UNDRAIN] = PHASE_END, [ROLL_RECOVER] = PHASE_END },
                .next = { [ROLL_EV_FAIL] = PHASE_END, [ROLL_EV_TIMEOUT] = PHASE_END },
                .bad = RESULT_NOT_READMITTED,
        },
        [PHASE_UNDO] = {
                .ok = { [ROLL_RESTART] = PHASE_END, [ROLL_RESTART_HELD] = PHASE_END, [ROLL_START] = PHASE_END,
                        [ROLL_DRAIN] = PHASE_END, [ROLL_UNDRAIN] = PHASE_END, [ROLL_DRY_RUN] = PHASE_END },
                .next = { [ROLL_EV_FAIL] = PHASE_END, [ROLL_EV_TIMEOUT] = PHASE_END },
                .bad = RESULT_FAILED,
        },
        [PHASE_HOLD] = {
                .ok = { [ROLL_RESTART] = PHASE_END, [ROLL_RESTART_HELD] = PHASE_END, [ROLL_START] = PHASE_END,
                        [ROLL_DRAIN] = PHASE_END, [ROLL_RECOVER] = PHASE_END },
                .next = { [ROLL_EV_FAIL] = PHASE_END, [ROLL_EV_TIMEOUT] = PHASE_END },
                .bad = RESULT_FAILED,
        },
        [PHASE_END] = { .bad = RESULT_DONE },
};
/* clang-format on */
_Static_assert(ELEMENTS(roll_table) == PHASE_END + 1, "every phase has a row");

static const char *const roll_kind_names[] = {
        [ROLL_RESTART] = "restart", [ROLL_RESTART_HELD] = "restart-held", [ROLL_START] = "start",
        [ROLL_DRAIN] = "drain",     [ROLL_UNDRAIN] = "undrain",           [ROLL_DRY_RUN] = "dry-run",
        [ROLL_RECOVER] = "recover",
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

static Phase roll_successor(const Roll *r, RollEvent event)
{
        const RollRow *row = &roll_table[r->phase];
        Phase next = event == ROLL_EV_OK ? row->ok[r->kind] : row->next[event];
        if (r->kind != ROLL_RECOVER || next != PHASE_UNDO)
                return next;
        /* Behind `stop` there is no way back, also when a reboot came between. */
        return event == ROLL_EV_CANCEL ? PHASE_NONE : PHASE_START;
}

/* What a job ends with when @event ends the present phase badly. */
static Result roll_bad(const Roll *r, RollEvent event, Result told)
{
        if (told != RESULT_INVALID)
                return told;
        if (r->kind == ROLL_RECOVER && r->phase == PHASE_BLOCK)
                return RESULT_DONE; /* a start that is proven later makes it good */
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
        roll_enter(r, phase == PHASE_NONE ? roll_first[r->kind] : phase, ROLL_EV_OK, now);
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
        return phase == PHASE_NONE ? roll_first[kind] : roll_table[phase].ok[kind];
}
