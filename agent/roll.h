/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One job on one component as a state machine. Pure: no clock (now is an argument), no socket, no bus, no
 * log. One table says which phase follows which; one function changes phase. What a phase does is an effect,
 * behind RollEffects; its end comes back as an event.
 *
 * Before `stop` every way out leads through `undo` (worked backwards: the node as it was); from `stop` on
 * only forwards: started, ready, unblocked, or `hold`.
 */

#include "agent/phase.h"
#include "base/result.h"
#include "base/time.h"

typedef enum RollKind {
        ROLL_RESTART,          /* the whole way */
        ROLL_RESTART_GRACEFUL, /* its own stop turns requests away and finishes what it has; blocked behind it
                                */
        ROLL_RESTART_HELD,     /* of a component that is held: nobody to notice any more */
        ROLL_RESTART_RMP,      /* of a router, and while it is out of the message processor beside it */
        ROLL_RESTART_NOW,      /* of a component that serves nobody: nobody to wait for */
        ROLL_START,            /* of a component that is stopped */
        ROLL_DRAIN,            /* take out, and hold */
        ROLL_UNDRAIN,          /* end a hold */
        ROLL_DRY_RUN,          /* look only: nothing is changed */
        ROLL_DOCTOR,           /* look, and count who checks; then the counting table is taken away again */
        ROLL_RECOVER,          /* what a reboot cut off behind `stop`: only forwards, whatever fails */
        ROLL_KIND_COUNT,
        ROLL_KIND_INVALID = -EINVAL,
} RollKind;

/* roll_kind_name() - "restart", "restart-graceful", "restart-held", "restart-rmp", "restart-now", "start",
 * "drain", "undrain", "dry-run", "doctor", "recover". */
const char *roll_kind_name(RollKind kind);
RollKind roll_kind_from_name(const char *name);

/* roll_leads_past() - pure: is @phase on the way of @kind, when all goes well? */
bool roll_leads_past(RollKind kind, Phase phase);

typedef enum RollEvent {
        ROLL_EV_OK,      /* the phase has its proof */
        ROLL_EV_FAIL,    /* it will not get it */
        ROLL_EV_TIMEOUT, /* its limit has passed */
        ROLL_EV_CANCEL,  /* somebody asked to stop */
        ROLL_EV_BACK,    /* what was proven no longer holds: drain (or, in drain, notice) again */
        ROLL_EV_LAPSED,  /* the block was open for a moment: notice again */
        ROLL_EV_REFUSED, /* systemd does not do it: nothing has happened */
        ROLL_EVENT_COUNT,
        ROLL_EVENT_INVALID = -EINVAL,
} RollEvent;

const char *roll_event_name(RollEvent event);

typedef struct Roll Roll;

/* Called by the machine; none may free the Roll. enter() may feed events (they are taken afterwards). */
typedef struct RollEffects {
        void (*enter)(Phase phase, void *userdata); /* start what the phase does */
        void (*leave)(Phase phase, RollEvent event,
                      void *userdata);                   /* drop its timers and calls; always runs */
        void (*finished)(Result result, void *userdata); /* last call; nothing follows */
} RollEffects;

/* roll_new() - @limit_usec: PHASE_COUNT limits, copied; they are for the sum of all stays in a phase. */
int roll_new(Roll **ret, RollKind kind, const RollEffects *effects, const Usec *limit_usec,
             void *userdata) _must_check_;
Roll *roll_free(Roll *r);
DEFINE_CLEANUP(Roll, roll_free);

/*
 * roll_start() - enter @phase: PHASE_NONE for the first of the kind, another one to go on after a crash.
 * Whoever goes on in undo or hold ends as what leads there (gave-back, held), not as done.
 */
void roll_start(Roll *r, Phase phase, Usec now);

/* roll_set_kind() - what preflight found out (a held component); only before PHASE_BLOCK. */
void roll_set_kind(Roll *r, RollKind kind);

/* roll_set_limit() - a limit that is computed (drain). */
void roll_set_limit(Roll *r, Phase phase, Usec limit_usec);

/*
 * roll_feed() - an event of the present phase. @result: what the job ends with if this event ends it badly;
 * RESULT_INVALID for the phase's own (refused before block, gave-back before stop, held after it, ...). The
 * first bad result stays.
 * Return: false when the event does not apply (finished, or refused here: cancel from `stop` on).
 */
bool roll_feed(Roll *r, RollEvent event, Result result, Usec now);

Phase roll_phase(const Roll *r);
RollKind roll_kind(const Roll *r);
bool roll_finished(const Roll *r);

/* roll_elapsed() - the sum of all stays in @phase so far. */
Usec roll_elapsed(const Roll *r, Phase phase, Usec now);

/* roll_deadline() - when the present phase times out; USEC_INFINITY when finished. */
Usec roll_deadline(const Roll *r);

/* roll_can_cancel() - false from `stop` on. */
bool roll_can_cancel(const Roll *r);

/* roll_next() - pure: what follows @phase in a job of @kind when all goes well; PHASE_END after the last. For
 * --dry-run and the docs. */
Phase roll_next(RollKind kind, Phase phase);
