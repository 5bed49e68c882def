/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * monit (on Edge: apigee-monit) restarts what it finds stopped, so it is kept away from one component during
 * a restart and put back exactly as it was. Two means, both used where they exist: the component's check is
 * unmonitored (which mostly lasts when cron starts monit again: see monit_restore()), and the unit is
 * stopped. Proof that a check is off: `monitor` and `pendingaction` both 0 in monit's XML; the exit status of
 * `monit unmonitor` proves nothing. Proof that the unit is off: ActiveState.
 *
 * A component that monit has restarted lives in the cgroup of monit's unit, and would be killed with it: the
 * unit is stopped only when nothing but monit is in there. Then the check alone must be proven off.
 *
 * A node without monit, and a component whose monit_check is "": every operation succeeds at once and touches
 * nothing. Names of checks are [A-Za-z0-9_.-], at most 127, and do not begin with '-': else -EINVAL.
 * Source: monit(1), seen with monit 5.33.
 */

#include <stdbool.h>

#include "agent/config.h"
#include "agent/systemd.h"
#include "probes/http.h"

#define MONIT_RUN_UNIT \
        "edge-roll-run-monit.service" /* one name: two commands can never overtake each other */

typedef struct Monit Monit;

typedef enum MonitCheckState {
        MONIT_CHECK_UNKNOWN,   /* monit does not answer (not running, or its HTTP port is off) */
        MONIT_CHECK_ABSENT,    /* monit has no such check */
        MONIT_CHECK_MONITORED, /* also while it is initialising */
        MONIT_CHECK_UNMONITORED,
        MONIT_CHECK_COUNT,
        MONIT_CHECK_INVALID = -EINVAL,
} MonitCheckState;
const char *monit_check_state_name(MonitCheckState s);         /* never NULL */
MonitCheckState monit_check_state_from_name(const char *name); /* NULL allowed: invalid */

/* As it was before we touched it: kept in the job's record. */
typedef struct MonitPrior {
        char unit[256]; /* monit's unit; "" when there is none on this node */
        bool active;    /* the unit was active (or on the way there) */
        MonitCheckState check;
} MonitPrior;

/* r: 0, or a negative errno with err; text: what was seen, one sentence, e.g. "monit.service active, check
 * edge-router monitored". Never called from within the call that started the operation. */
typedef void (*MonitFn)(int r, const char *text, const Err *err, void *userdata);
typedef void (*MonitLookFn)(int r, const MonitPrior *prior, const char *text, const Err *err, void *userdata);

/* monit_new() - borrows everything, which must outlive it. Return: 0; -ENOMEM. */
int monit_new(Monit **ret, Systemd *systemd, Http *http, sd_event *e, const Config *config,
              Err *err) _must_check_;
Monit *monit_free(Monit *m); /* cancels what runs; NULL allowed */
DEFINE_CLEANUP(Monit, monit_free);

/* One operation at a time: starting another cancels the one before. Each ends with one callback, and none has
 * a limit of its own: the phase has one. Return of each: 0; -EINVAL (the check's name); -ENOMEM. */

/* monit_look() - what is there now: the first configured unit that exists, and the check. No monit at all is
 * an answer (a prior with nothing in it). A check that is off with an action pending is on the way to
 * something else and waited for. */
int monit_look(Monit *m, const Component *c, MonitLookFn fn, void *userdata, Err *err) _must_check_;

/*
 * monit_off() - unmonitor the check if it was monitored (read back until it is off). The unit, if it was
 * active, is stopped (read back) as the configuration's `stop` has it: by default only where the check is not
 * proven off, because of what monit forgets when it is started again (see monit_restore()). Idempotent. Where
 * monit does not answer, or does not obey for 20 s, the stopped unit is the proof, and the text says so.
 * @fn: 0; -EBUSY (not proven off, and the unit cannot be stopped or another monit goes on); -EOPNOTSUPP
 * (monitored, no command to unmonitor, no unit to stop); -EIO (the unit does not stop); errors of systemd.
 */
int monit_off(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata,
              Err *err) _must_check_;

/*
 * monit_restore() - start the unit if it was active, then the check as it was, monitored or not; read back;
 * tried again until it sticks (the caller has the limit). Idempotent. A monit that was started anew may have
 * forgotten that a check was unmonitored (it takes itself for rebooted when its boot time is rounded to
 * another second; not with `set onreboot laststate`): ours is put right here.
 * @fn: 0; -ENOENT (monit no longer has the check, for 5 s); -EOPNOTSUPP (no command for it).
 */
int monit_restore(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata,
                  Err *err) _must_check_;

/* monit_check_off() - read back once: is it still off? @fn: 0; -EEXIST: it is back, the text says what. */
int monit_check_off(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata,
                    Err *err) _must_check_;

/* monit_cancel() - end what runs without calling back. A command that runs already runs to its end. */
void monit_cancel(Monit *m);

/* monit_waits_for() - for progress: what the running operation waits for, and what went wrong last; "" when
 * none runs. Return: @buf. */
const char *monit_waits_for(const Monit *m, char *buf, size_t size);
