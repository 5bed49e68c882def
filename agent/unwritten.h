/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Holds that refuse and have no record: the state directory could not be written, or somebody has taken the
 * record away. They outlive the job that has made them, because the table is all that keeps an unproven
 * component closed: whoever makes it anew must put them in again, and edge-roll-hold.service, which makes it
 * what the records say, must not be asked before all of them are written.
 */

#include <stdbool.h>
#include <stddef.h>

#include "agent/config.h"
#include "agent/hold.h"

typedef struct Unwritten {
        Hold *holds; /* at most one of a component */
        size_t n;
        bool unit_due; /* edge-roll-hold.service is to be started once there is none any more */
} Unwritten;

/* unwritten_add() - @hold refuses (copied, over an earlier one of that component). Told to the journal where
 * there is no memory for it. */
void unwritten_add(Unwritten *u, const Hold *hold);

/* unwritten_drop() - the hold of @component has a record, or is over. */
void unwritten_drop(Unwritten *u, const char *component);

/* unwritten_get() - that of @component; NULL: there is none. Owned by @u, good until the next of these calls.
 * unwritten_has() - is there one? */
const Hold *unwritten_get(const Unwritten *u, const char *component);
bool unwritten_has(const Unwritten *u, const char *component);

/* unwritten_find() - whatever the table of holds refuses of @config's components without a record, whoever
 * has put it there; not of @except. What is known already stays as it is. */
void unwritten_find(Unwritten *u, const Config *config, const char *except);

/* unwritten_write() - a record for each that still refuses and has none; those that cannot be written stay,
 * and so does that of @except (NULL: of nobody), which is just being put up or ended. */
void unwritten_write(Unwritten *u, const Config *config, const char *except);

void unwritten_done(Unwritten *u);
