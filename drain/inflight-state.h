/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the two halves of inflight share: inflight.c takes sockets in, inflight-sum.c draws the conclusions.
 */

#include "drain/cookies.h"
#include "drain/inflight.h"

typedef enum Side { SIDE_DOWN, SIDE_UP, SIDE_COUNT } Side;

typedef enum Class {
        CLASS_PLAIN,
        CLASS_RECENT,     /* upstream, after the mark, moved within the quiet time */
        CLASS_PERSISTENT, /* new requests after the mark, the last within the quiet time */
        CLASS_COUNT,
} Class;

/* The outcome for one socket in one look: the verdict on its fields, and what its past makes of it. */
typedef struct Outcome {
        InflightVerdict verdict;
        Class class;
        Side side;
        bool by_age;
        bool streamer;
        bool old; /* unknown, and has not moved for the quiet time: the other side's quiet settles it */
        bool syn;
        bool moving;
        Usec moved_at;
        const char *why;
} Outcome;

typedef struct Record {
        Outcome o;
        uint64_t rx, tx; /* judge_received(), judge_written() */
        Usec since;      /* in the way since */
        Usec counted_at; /* the last look that counted a new request on it */
        uint8_t missed;  /* full looks in a row without it */
} Record;

/* Sockets counted together. */
typedef struct Tally {
        unsigned n[INFLIGHT_VERDICT_COUNT];
        unsigned old, by_age, streamers, missing;
        Usec moved_at; /* 0: no socket */
} Tally;

typedef struct Tallies {
        Tally t[SIDE_COUNT][CLASS_COUNT];
        unsigned syn;
} Tallies;

/* An unbroken row of looks with nothing in the way. */
typedef struct Run {
        bool on;
        Usec since;
} Run;

struct Inflight {
        InflightConfig config;
        uint8_t ports[SIDE_COUNT][65536 / 8]; /* bitmaps */

        Cookies cookies;
        Sock *socks; /* of the records, same index; what inflight_pending() shows */
        Record *records;
        size_t n_records, n_allocated;

        Usec now, first_at, full_at;
        bool full;
        uint16_t seen; /* number of the full look, for Cookie.seen */
        size_t n_seen;
        uint64_t new_connections;
        Tallies base; /* sockets of the last full look that have no record */
        unsigned listeners, accept_queue, leaving;

        Sock doubtful[INFLIGHT_DOUBTFUL]; /* idle by age only in the last full look */
        size_t n_doubtful;

        bool marked;
        Usec marked_at;

        Usec up_busy_at, up_moved_at; /* upstream, without persistent ones */

        Run run, run_persistent; /* without any persistent socket; allowing for them */
        bool full_quiet;         /* in the last full look nothing had moved for the quiet time */
        InflightSummary last;
};

/* inflight_paired() - is the upstream side looked at too? */
static inline bool inflight_paired(const Inflight *f)
{
        return f->config.n_upstream > 0;
}

/* inflight_tally_add() - count one socket. @missing: it is a record that the last full look did not show. */
void inflight_tally_add(Tallies *ts, const Outcome *o, bool missing);

/* inflight_doubt() - note a socket that is idle by age only. */
void inflight_doubt(Inflight *f, const Sock *s);

/* inflight_record_drop() - record @i ceases to be one; the last record takes its place. */
void inflight_record_drop(Inflight *f, size_t i);
