/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * systemd as seen by the agent: units read, started, stopped, commands run as transient units. Always through
 * sd-bus, never by fork: nothing may live in the agent's cgroup and sandbox.
 *
 * Everything is asynchronous: a SystemdCall ends with exactly one callback from the event loop (never from
 * within the call that started it), unless it is cancelled first. The SystemdCall is gone when the callback
 * runs: forget the pointer there before anything else. A callback may start others, cancel others and free
 * the Systemd.
 *
 * Jobs are watched before they are started. A JobRemoved signal can be lost (bus restart), so the unit's Job
 * property is read again every second as well. Signals count only if they come from the connection that
 * answered our call: on the system bus anybody may send one. "done" proves little (dead at once, failed
 * condition, stopped by SIGKILL): callers read the state.
 *
 * A lost bus, or a systemd that is executing itself anew, is waited out: what was not delivered is sent
 * again, what may have been delivered is looked for in the unit first. Source: org.freedesktop.systemd1(5);
 * seen with systemd 252, written for 239 and later.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"

#define SYSTEMD_OUTPUT_MAX 8192 /* bytes of a command's output that are kept */

typedef struct Systemd Systemd;
typedef struct SystemdCall SystemdCall;

typedef enum JobResult {
        JOB_DONE,
        JOB_CANCELED, /* somebody else's job replaced it */
        JOB_TIMEOUT,
        JOB_FAILED,
        JOB_DEPENDENCY,
        JOB_SKIPPED,
        JOB_INVALID, /* not applicable to this unit */
        JOB_ASSERT,
        JOB_UNSUPPORTED,
        JOB_COLLECTED,
        JOB_ONCE,
        JOB_UNKNOWN,     /* a result of a newer systemd, or the job ended unseen: read the state */
        JOB_CALL_FAILED, /* the call itself was refused (masked, unknown, no permission) */
        JOB_COUNT,
        JOB_RESULT_INVALID = -EINVAL,
} JobResult;

/* job_result_name() - systemd's word, or "unknown", "call-failed"; never NULL. */
const char *job_result_name(JobResult r);

/* job_result_from_name() - the other way round; JOB_UNKNOWN for a word that is not in the table. */
JobResult job_result_from_name(const char *name);

/* systemd_unit_name_valid() - may this text go to systemd as a unit name: systemd's characters, a known
 * suffix, at most 255 bytes. NULL allowed (false). Source: systemd.unit(5). */
bool systemd_unit_name_valid(const char *name);

typedef struct UnitState {
        char unit[256]; /* its own name (an alias is resolved) */
        bool loaded;    /* LoadState is "loaded" */
        char load[32], active[32], sub[32], result[32], type[32];
        char invocation_id[33]; /* hex; "" when there is none */
        uint32_t main_pid;
        char control_group[256]; /* "" when it has none now (or one longer than this) */
        uint32_t n_restarts;
        bool remain_after_exit;
        Usec timeout_stop_usec;
        Usec start_limit_interval_usec;
        uint32_t start_limit_burst;
        Usec active_wall_usec,
                active_usec; /* the same instant on both clocks: it became active; 0: never did */
        bool job_pending;    /* a job is queued or running for it */
} UnitState;

typedef void (*UnitStateFn)(int r, const UnitState *state, const Err *err,
                            void *userdata);                                   /* r < 0: state NULL */
typedef void (*UnitJobFn)(JobResult result, const char *text, void *userdata); /* text: one sentence */

/* systemd_new() - @bus: a reference is taken; attached to @e by the caller. NULL: the bus is away for now.
 * Asks for job signals; blocks for nothing. Return: 0; -ENOMEM. */
int systemd_new(Systemd **ret, sd_bus *bus, sd_event *e, Err *err) _must_check_;
/* systemd_set_bus() - go on over a new connection after the old one was lost: running calls are sent again or
 * looked after by reading the unit's state. NULL: the bus is away for now. Return: 0; -ENOMEM. */
int systemd_set_bus(Systemd *s, sd_bus *bus, Err *err) _must_check_;
Systemd *systemd_free(Systemd *s); /* cancels all calls; NULL allowed */
DEFINE_CLEANUP(Systemd, systemd_free);

/*
 * systemd_unit() - LoadUnit, then its properties. A unit that does not exist is an answer (loaded false).
 * Limited to 10 s: then @fn gets -ETIMEDOUT. Other @fn errors: as systemd refuses (-EACCES, ...).
 * @ret: may be NULL when it never needs cancelling (here and below).
 * Return: 0; -EINVAL (not a unit name); -ENOMEM.
 */
int systemd_unit(Systemd *s, const char *unit, UnitStateFn fn, void *userdata, SystemdCall **ret,
                 Err *err) _must_check_;

typedef enum UnitVerb {
        UNIT_START,
        UNIT_STOP,
        UNIT_RELOAD_OR_START, /* reload if it runs and can, restart if it cannot, else start */
        UNIT_RESTART,
        UNIT_RESET_FAILED, /* no job: done when systemd answers; a unit that is not loaded is done */
        UNIT_VERB_COUNT,
        UNIT_VERB_INVALID = -EINVAL,
} UnitVerb;

/*
 * systemd_job() - start, stop, ... (mode "replace"); @fn when the job is gone. No limit of its own: the phase
 * has one. Cancelling the call does not cancel systemd's job.
 * Return: 0; -EINVAL (not a unit name); -ENOMEM.
 */
int systemd_job(Systemd *s, UnitVerb verb, const char *unit, UnitJobFn fn, void *userdata, SystemdCall **ret,
                Err *err) _must_check_;

typedef void (*SystemdRunFn)(int exit_status, const char *output, const char *text, void *userdata);

/*
 * systemd_run() - a command (absolute path, arguments; no shell, nothing in the arguments is expanded) in a
 * transient oneshot service of its own, outside the agent's cgroup and sandbox. What it leaves running is
 * killed with its unit: daemons are started through units. Cancelling the call does not end the command.
 * @unit: fixed name, which is also a lock; "edge-roll-run-..." . Where a unit of that name is there and
 * nothing runs in it, "...-again1" and so on to 9 is used. @argv: NULL-terminated. @env: NULL or
 * NULL-terminated KEY=VALUE. @limit_usec: systemd ends the command then (SIGTERM, SIGKILL 5 s later); 10 s
 * after it we stop waiting for systemd; USEC_INFINITY for none, never 0.
 * @fn: exit status (0..255), or -EEXIST (a command of that unit name still runs), -ENOEXEC (it could not be
 * run), -EINTR (killed), -ETIME (took too long), -ENODATA (it is over, but how is not known: the bus was
 * lost), other -errno (systemd refused). @output: the first SYSTEMD_OUTPUT_MAX bytes of stdout and stderr
 * together, NUL-terminated (NUL bytes in it become '?'), never NULL. @text: one sentence.
 * Return: 0; -EINVAL (unit name, path, environment, limit); -EEXIST (one of that name runs already from
 * here); -EMFILE and -ENFILE (no pipe); -ENOMEM.
 */
int systemd_run(Systemd *s, const char *unit, char *const argv[], char *const env[], Usec limit_usec,
                SystemdRunFn fn, void *userdata, SystemdCall **ret, Err *err) _must_check_;

/* systemd_call_cancel() - end a call without calling back. NULL allowed. Return: NULL. */
SystemdCall *systemd_call_cancel(SystemdCall *c);
DEFINE_CLEANUP(SystemdCall, systemd_call_cancel);
