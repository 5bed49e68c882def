/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A hold: a component blocked on purpose, by a record in the state directory and a table without timeout or
 * owner, put there by edge-roll-hold.service (`edge-roll hold apply`), so that it needs no living agent and
 * survives its crash, an upgrade and a reboot. `edge-roll undrain` or `systemctl stop edge-roll-hold` end it.
 *
 * A component's name is [A-Za-z0-9_-], at most 63 bytes (it becomes part of a file name): else -EINVAL.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "agent/config.h"
#include "drain/block.h"

struct Unwritten;

#define HOLD_UNIT   "edge-roll-hold.service"
#define HOLD_PREFIX "hold-" /* of the records' names: hold-COMPONENT.json */

typedef struct Hold {
        char component[64];
        char by[192];     /* who asked */
        char who[96];     /* the same, as in JobOptions; "": nobody, or its record is of a release before */
        char reason[256]; /* why: "drain by hand", or what was not proven */
        Usec since_wall_usec;
        Usec until_wall_usec; /* 0: until somebody ends it; for people, and for the boots after this one */
        Usec until_boot_usec; /* CLOCK_BOOTTIME of the boot in which it was written; 0: not known */
        bool by_hand;         /* `drain`; else a restart that was not proven good */
        bool same_boot;       /* read only: the record was written in this boot of the machine */
        BlockPlan plan;       /* at least one health port; traffic ports empty */
} Hold;

/* hold_write() - the record hold-COMPONENT.json. Return: 0; -EINVAL (name, no health port); errors of
 * state_write(). */
int hold_write(const char *state_dir, const Hold *hold, Err *err) _must_check_;

/* hold_read() - Return: 0; @ret_found false when there is none; -EBADMSG (a record without its ports, or of
 * another component) and errors of state_read(). A text that is too long is cut. */
int hold_read(const char *state_dir, const char *component, Hold *ret, bool *ret_found,
              Err *err) _must_check_;

/*
 * hold_left() - pure: how long until it ends by itself. In the boot in which it was written by the clock that
 * nobody can set, so that a wall clock that jumps neither gives a node back early nor keeps it out; after a
 * reboot there is only the wall clock. @now_boot: CLOCK_BOOTTIME; @now_wall: CLOCK_REALTIME.
 * Return: 0 (its time is over); USEC_INFINITY (somebody has to end it). Source: clock_gettime(2).
 */
Usec hold_left(const Hold *hold, Usec now_boot, Usec now_wall);

/* hold_remove() - the record only. Success when there is none. */
int hold_remove(const char *state_dir, const char *component, Err *err) _must_check_;

/*
 * hold_lock() - whoever changes records and table together has this lock meanwhile: else a hold that is being
 * put up while the unit is stopped would leave its table without the record. It goes with the process. Waited
 * for at most @limit_usec: who stands still with it keeps nobody from refusing, or from opening. Return: a
 * descriptor, to be closed; -1: not had (the directory is not there or cannot be written, its owner stands
 * still). Source: flock(2).
 */
#define HOLD_LOCK_USEC (1 * USEC_PER_SEC) /* an agent's watchdog waits for ten */
#define HOLD_LOCK_STOP_USEC \
        (20 * USEC_PER_SEC) /* of the unit's stop: an agent that stands still is gone by then */
int hold_lock(const char *state_dir, Usec limit_usec);

/* hold_list() - all records, sorted by component; @ret: to be freed, NULL when there are none. A record that
 * cannot be read is an error that names it. */
int hold_list(const char *state_dir, Hold **ret, size_t *ret_n, Err *err) _must_check_;

/*
 * hold_plan_from_config() - pure: what is known of a component whose record cannot be read. Return: false
 * when the configuration does not name the port (or, with block = routers, no address).
 */
bool hold_plan_from_config(const Component *component, BlockPlan *ret);

/*
 * hold_plan_from_job() - pure: what a job refused, from its record, for whoever has to hold it without being
 * able to go on with it. @component: what the record does not say is as configured; NULL: not configured.
 * Return: false when neither names a health port.
 */
bool hold_plan_from_job(const cJSON *record, const Component *component, BlockPlan *ret);

/* hold_component() - pure: the component of a record's name, as state_list() with HOLD_PREFIX gives it. */
void hold_component(const char *name, char *ret, size_t size);

/*
 * hold_unrecorded() - the table as the records say and, besides, as @unwritten does. It lasts until somebody
 * makes the table what the records say, so the unit must not be started. What was done is said as by
 * hold_main(). Return: it refuses.
 */
bool hold_unrecorded(const Config *config, const struct Unwritten *unwritten);

/*
 * hold_main() - the verb `hold` of edge-roll-hold.service. @what "apply": the table becomes what the records
 * say (none: no table; a record whose time is over is deleted, after the table); "remove": table, then
 * records go, readable or not. What was done goes to stdout, what failed to stderr.
 *
 * A record that cannot be read never opens anything: it is told, exit 1, and its component is held at the
 * health port that the configuration names. Where that is automatic the table is left as it is, unless no
 * record is of this boot (then there is no table yet, and what can be read is held).
 * Return: exit status: 0; 1; 2 (@what is neither).
 */
int hold_main(const Config *config, const char *what);
