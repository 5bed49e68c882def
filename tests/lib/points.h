/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Points at which something is done to a process or a connection, each with a name: what it is about to do or
 * has done ("call Go n2"), and when ("before"). With cmocka: more than there is room for ends the test.
 */

#include <stdbool.h>
#include <stddef.h>

#define POINTS_MAX 2048

typedef struct Point {
        char what[160];
        const char *when; /* of static life */
} Point;

typedef struct Points {
        Point points[POINTS_MAX];
        size_t n;
} Points;

/* points_add() - unless it is there already. */
void points_add(Points *p, const char *what, const char *when);

/* points_tell() - how many there are of each kind (which is the first word of the name). */
void points_tell(const Points *p, const char *profile);

/*
 * points_sample() - which of @n are tried: all, where they are asked for by name (@wanted) or with
 * KILL_POINTS=all; else as many as KILL_POINTS says, or @usual, spread over all, others each day.
 * @ret: is it, for each.
 */
void points_sample(size_t n, size_t usual, bool wanted, bool *ret);

/* points_always() - is @name one of those (up to NULL) that are tried each time, since they have failed once?
 */
bool points_always(const char *const *always, const char *name);

/* points_wanted() - is @name the one that is asked for, or matches (fnmatch(3))? @wanted: NULL: all are. */
bool points_wanted(const char *wanted, const char *name);

/*
 * points_profile_wanted() - may a point of @profile ("PROFILE/...") be the one that is asked for? Of one by
 * name nothing of the other profiles need be known. @wanted: NULL, or a pattern that begins with '*': all
 * are.
 */
bool points_profile_wanted(const char *wanted, const char *profile);

/* How often a name has come. All of it 0 at first. */
typedef struct PointCounts {
        struct {
                char what[160];
                unsigned n;
        } names[POINTS_MAX / 4];
        size_t n;
} PointCounts;

/* points_count() - "#2" is put behind @what when it comes for the second time. @what: has room for 160. */
void points_count(PointCounts *c, char *what);
