/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The bound of promise "three ends": how long a job may take at the most, whatever happens. Pure. */

#include "agent/config.h"
#include "agent/roll.h"

/*
 * bound_usec() - the sum of the limits of all phases on the way of @kind, plus the longer of the two ends
 * that are on no way (undo, hold). A phase that is entered again has only what is left of its limit, so no
 * going back and forth lasts longer. Not in it: slow checkers (notice and return get check_fall + 3 and
 * check_rise
 * + 3 of their intervals where that is more), hooks (hook_limit each), target servers (see section [targets]
 * of edge-roll.conf(5)), and an agent that dies (the next one gives the present phase its whole limit once
 * more).
 */
Usec bound_usec(const Component *c, RollKind kind);
