/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The phases of a job: names, default limits, one sentence each. The one table behind the journal, the bus,
 * --json, the man page and the bound of promise "three ends". */

#include <errno.h>
#include <stdbool.h>

#include "base/time.h"

typedef enum Phase {
        PHASE_NONE, /* before the first; never shown */
        PHASE_PREFLIGHT,
        PHASE_DISCOVER,
        PHASE_WATCH,
        PHASE_PLACE, /* nobody else of the pool is out, as far as a lock tells */
        PHASE_BLOCK,
        PHASE_NOTICE,
        PHASE_STOP_MONIT,
        PHASE_DRAIN,
        PHASE_PARTNER, /* restart rmp only: the whole job of the other component */
        PHASE_GATE,
        PHASE_STOP,
        PHASE_START,
        PHASE_READY,
        PHASE_VERIFY,
        PHASE_START_MONIT,
        PHASE_UNBLOCK,
        PHASE_RETURN,
        PHASE_UNDO, /* working the list of changes backwards */
        PHASE_HOLD, /* making the block a hold */
        PHASE_END,  /* never entered: the machine stops here */
        PHASE_COUNT,
        PHASE_INVALID = -EINVAL,
} Phase;

typedef struct PhaseInfo {
        const char *name;
        Usec limit_usec;  /* default; limit_NAME in the configuration; drain: see phase_info() */
        const char *what; /* what it waits for, for the man page and --dry-run */
} PhaseInfo;

/*
 * phase_info() - the row of @phase; never NULL. drain's limit is computed for each job (the longest request
 * timeout found + 10 s, at most drain_max), watch's is the component's watch_max; both have 0 here.
 */
const PhaseInfo *phase_info(Phase phase);

/* phase_name() - "stop-monit". */
const char *phase_name(Phase phase);

/* phase_from_name() - PHASE_INVALID for an unknown name. */
Phase phase_from_name(const char *name);
