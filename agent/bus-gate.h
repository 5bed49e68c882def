/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * In front of every method of ours on the bus: who is calling, may he, and what the records say of it. What
 * each method asks for is one table (bus-api.c); a method that is not in it is refused to everybody.
 */

#include "agent/bus.h"

typedef enum BusRight {
        BUS_NOBODY, /* the refusing value */
        BUS_ANYBODY,
        BUS_MEMBERS, /* root, and the group edge-roll */
        BUS_WHY,     /* the same, with a reason: it takes away what is another's */
        BUS_JOB,     /* who asked for the job that runs, and root; other members with a reason */
        BUS_HOLD,    /* the same of the hold there is */
        BUS_LEASE,   /* who has taken the lease in force, and root */
        BUS_RIGHT_COUNT,
        BUS_RIGHT_INVALID = -EINVAL,
} BusRight;

/* It is answered later, and recorded then: bus_gate_obeyed(), bus_gate_refused(). */
#define BUS_LATER 2

/* @caller: valid during the call; may_change holds unless anybody may. Answers @m, or keeps it: BUS_LATER. */
typedef int (*BusMethodFn)(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);

typedef struct BusMethod {
        const char *interface, *member;
        BusRight right; /* with an option "lease", BUS_LEASE as well; BUS_JOB and BUS_LEASE then of the job,
                           too */
        int log;    /* syslog(3): how an obeyed call is recorded; LOG_DEBUG: not, but refusals; 0: neither */
        int reason; /* which argument says why, from 1; 0: the option "reason", where there are options */
        BusMethodFn fn;
} BusMethod;

/*
 * bus_gate() - @m is for one of @methods: refused, or handed on. Every refusal of a method that is recorded
 * is recorded, too, up to a number in a time; and but for root nobody begins more than so much in a time
 * (Busy): nobody gets to fill the journal.
 */
int bus_gate(const BusMethod *methods, size_t n, Agent *a, sd_bus_message *m, sd_bus_error *error);

/* bus_gate_obeyed() - a call that was handed on and is answered later was obeyed: recorded as the table says.
 * bus_gate_refused() - ... it was refused. @caller: as it was handed on. */
void bus_gate_obeyed(sd_bus_message *m, const BusCaller *caller);
void bus_gate_refused(sd_bus_message *m, const BusCaller *caller, const char *name, const char *text);
