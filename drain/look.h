/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How often which sockets are looked at: one full dump, then exact gets of what is in the way, then dumps
 * again to confirm. What the sockets cannot say (who spoke last on a tie) is asked of the firewall.
 *
 * No timers here: the caller's own ones call look_step() every LOOK_POLL_USEC, and it looks when it is time
 * to. A look costs the node at most a 64th of one core, however many connections there are.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/time.h"
#include "drain/block.h"
#include "drain/conns.h"
#include "drain/inflight.h"

#define LOOK_POLL_USEC (50 * USEC_PER_MSEC)

typedef struct Look {
        Conns *conns;       /* not owned, as the next two */
        Block *block;       /* its table counts new connections and knows who spoke last */
        Inflight *inflight; /* what is concluded */

        InflightSummary summary;      /* of the last look */
        uint64_t looks;               /* made so far */
        Usec next_full, next_partial; /* not before; 0: at once */
} Look;

/* look_full() - dump everything now. Return: 0; negative errno (no look was made, the summary is older). */
int look_full(Look *l, Err *err) _must_check_;

/* look_partial() - exact gets of what is in the way, now. Return: as look_full(). */
int look_partial(Look *l, Err *err) _must_check_;

/*
 * look_step() - look, if it is time to, and say whether the gate may be tried.
 * @close_persistent, @ret_wait, @ret: as inflight_drained(). Return: as look_full().
 */
int look_step(Look *l, bool close_persistent, InflightDrained *ret, Usec *ret_wait, Err *err) _must_check_;

/*
 * look_gate() - the last look, under the freeze: everything, then once more what is in the way, because some
 * of it ended while the dump went on. @ret_why: as inflight_gate(). Return: 1 when the stop may be called, 0
 * when not; negative errno as look_full().
 */
int look_gate(Look *l, const char **ret_why, Err *err) _must_check_;
