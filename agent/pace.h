/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How often does whoever is behind one address come? Pure: arrival times in, a verdict out.
 *
 * Several checkers can share an address (NAT, a pair of balancers on one machine). Taken for one, they would
 * seem to check as often as their checks follow each other, and `fall` refusals would come before either had
 * that many. So the smallest number of lanes is looked for that explains the arrivals: with j checkers of one
 * period, each arrival is followed by another one period later, j places on. Where the periods differ, trains
 * of arrivals are taken out one by one, the fastest first. What nothing explains is called irregular, and the
 * longest period that could have hidden in it is named.
 *
 * What cannot be told apart: two checkers of one period P exactly half a period apart look like one with the
 * period P/2. The resolution says how exactly that must be so (for P = 1 s and 12 ms: one pair in forty).
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

#define PACE_TIMES     64 /* arrivals remembered; older ones are forgotten */
#define PACE_LANES_MAX 8

typedef struct Pace {
        Usec times[PACE_TIMES]; /* ascending */
        size_t n;
} Pace;

typedef struct PaceVerdict {
        Usec interval_usec; /* of the slowest lane; 0: fewer than two arrivals */
        unsigned lanes;     /* checkers behind the address, at least 1 */
        bool regular;       /* lanes and interval explain what was seen; else interval is the longest that
                               could have */
} PaceVerdict;

/* pace_clear() - forget all. */
void pace_clear(Pace *p);

/* pace_add() - @n arrivals, the last of them at @at; one before an earlier one counts as simultaneous. */
void pace_add(Pace *p, Usec at, size_t n);

/*
 * pace_judge() - what explains the arrivals? @begin, @end: when watching them began, and now: a lane must go
 * through all of it. @resolution: how exact the times are.
 */
PaceVerdict pace_judge(const Pace *p, Usec begin, Usec end, Usec resolution);

/* pace_longest() - the longest time between two arrivals; 0 without any. */
Usec pace_longest(const Pace *p);

/* pace_repeats() - had each arrival between @now - @interval and @now a twin one @interval before it (as far
 * as the times tell)? False without any. */
bool pace_repeats(const Pace *p, Usec now, Usec interval, Usec resolution);
