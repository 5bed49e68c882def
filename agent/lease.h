/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The lease of a component on this node: the right of one roll to take it out of traffic. A number that only
 * grows (the epoch) with a time to live; who has it renews it, and who has lost it finds its calls refused.
 *
 * Pure, but for the record: now is an argument, always of CLOCK_BOOTTIME. Whoever decides works on a copy,
 * writes the record, and only then believes and answers.
 *
 * From `place` on until its end a job keeps everybody else away from the lease, whether it lapses or not: the
 * node is out, and only who began that may go on with it.
 */

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

#define LEASE_PREFIX           "lease-" /* of the records' names: lease-COMPONENT.json */
#define LEASE_TTL_DEFAULT_USEC (30 * USEC_PER_SEC)
#define LEASE_TTL_MIN_USEC     (5 * USEC_PER_SEC)
#define LEASE_TTL_MAX_USEC     (600 * USEC_PER_SEC)
#define LEASE_HOLDER_SIZE      96
#define LEASE_BY_SIZE          192
#define LEASE_WHO_SIZE         96
#define LEASE_STEP_MAX         (UINT64_C(1) << 53) /* whole numbers up to here are exact in JSON */

typedef struct Lease {
        uint64_t epoch;                 /* of the last one that was given; 0: none ever was */
        bool held;                      /* nobody has given it back: it lasts until until_usec */
        char holder[LEASE_HOLDER_SIZE]; /* the roll */
        char by[LEASE_BY_SIZE];         /* who asked for it */
        char who[LEASE_WHO_SIZE];       /* the same, to tell him from others; "": not known */
        Usec ttl_usec;
        Usec until_usec;      /* CLOCK_BOOTTIME */
        Usec since_wall_usec; /* since when this holder has it */
        bool has_step;        /* a step was obeyed in this epoch */
        uint64_t step;        /* ... the last one */
} Lease;

typedef enum LeaseAnswer {
        LEASE_OK,
        LEASE_SAME,    /* an order: it is the last one that was obeyed */
        LEASE_TAKEN,   /* another one has it */
        LEASE_BUSY,    /* a job that is not the caller's runs on the component */
        LEASE_OUT,     /* the node is out of traffic, and the caller does not say that it knows */
        LEASE_LOST,    /* not this epoch (any more), or its time is over */
        LEASE_STALE,   /* an order: a later one was obeyed */
        LEASE_EXPIRED, /* an order: it comes too late */
        LEASE_ABSURD,  /* an order: the number of its step cannot be kept */
        LEASE_ANSWER_COUNT,
        LEASE_ANSWER_INVALID = -EINVAL,
} LeaseAnswer;

/* What is true of the component when somebody wants its lease. */
typedef struct LeaseNode {
        const char *job_holder; /* the roll whose job runs on it; "": a job of no roll; NULL: none runs */
        bool job_placed;        /* that job is past `place` */
        bool out;               /* the node is out of traffic */
} LeaseNode;

typedef struct LeaseAsk {
        const char *holder, *by;
        const char *who; /* NULL: not told */
        bool root;       /* takes from everybody what is said to be his own roll's */
        Usec ttl_usec;
        bool accept_out;
        Usec now_wall_usec;
        Usec expires_usec; /* CLOCK_BOOTTIME; 0: it is good whenever it comes */
} LeaseAsk;

/* lease_current() - does somebody have it at @now? */
bool lease_current(const Lease *l, Usec now);

/* lease_is_of() - is @who whoever has taken it last? Also where that is not known. */
bool lease_is_of(const Lease *l, const char *who);

/* lease_left() - how long it still lasts; 0 when nobody has it. */
Usec lease_left(const Lease *l, Usec now);

/*
 * lease_take() - it becomes @ask's, with a new epoch. Whoever has it may take it again at any time, and so
 * may the roll whose job runs: that is how a roll is taken up again, and how the process that led it is
 * fenced off. The name of a roll is no secret: only the same person, and root, is taken for the same roll
 * while its lease is in force or its job runs. Return: LEASE_OK; EXPIRED (nobody waits for the answer any
 * more), TAKEN, BUSY, OUT: @l is as it was.
 */
LeaseAnswer lease_take(Lease *l, const LeaseAsk *ask, const LeaseNode *node, Usec now);

/* lease_renew() - its whole time once more. lease_give() - nobody has it. Return: LEASE_OK; LOST: as it was.
 */
LeaseAnswer lease_renew(Lease *l, uint64_t epoch, Usec now);
LeaseAnswer lease_give(Lease *l, uint64_t epoch, Usec now);

/* lease_steal() - nobody has it, whoever had. Return: LEASE_OK; BUSY (a job past `place` runs); LOST (nobody
 * had it). */
LeaseAnswer lease_steal(Lease *l, const LeaseNode *node, Usec now);

/*
 * lease_order() - is a call to be obeyed that was sent with @epoch, as step @step of @roll (NULL or "": not
 * told), and is good until @expires? Steps grow within an epoch, up to LEASE_STEP_MAX. Return: LEASE_OK
 * (then: lease_obey()); SAME; LOST; STALE; EXPIRED; ABSURD.
 */
LeaseAnswer lease_order(const Lease *l, uint64_t epoch, const char *roll, uint64_t step, Usec expires,
                        Usec now);
void lease_obey(Lease *l, uint64_t step);

/* lease_holds() - is @epoch still the one in force? */
bool lease_holds(const Lease *l, uint64_t epoch, Usec now);

/* lease_to_json() - as a record. Return: NULL (out of memory). */
cJSON *lease_to_json(const Lease *l);

/*
 * lease_from_json() - from a record. @same_boot: it was written in this boot; else the clock has begun anew,
 * and it gets its whole time once more (@ret_anew: it has to be written, or the next one would do so again).
 * Return: 0; -EBADMSG (which key).
 */
int lease_from_json(Lease *ret, const cJSON *record, bool same_boot, Usec now, bool *ret_anew,
                    Err *err) _must_check_;

/* lease_text() - "ROLL, by uid 0 (root), since 2026-11-22T19:00:00.123Z, for 12 s more". Return: @buf. */
const char *lease_text(const Lease *l, Usec now, char *buf, size_t size);
