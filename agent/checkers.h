/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who checks the health port, how often, and have they noticed? Pure: fed with the counters of drain/block.h,
 * time is an argument.
 *
 * A source becomes a checker when it has been seen twice (its interval is then known) or was learned in an
 * earlier job and is seen again. A source seen once is a visitor: listed, not awaited. A checker that is not
 * seen for three of its intervals is dropped.
 * Noticed: each checker was refused `fall` times, spread over (fall-1) of its intervals. Behind one address
 * there may be several (agent/pace.h); where there are, or refusals come more often than the interval says,
 * the address must have been refused `fall` times for each of them, and for `fall` whole intervals of the
 * slowest. On a port that carries traffic too, checks cannot be told from requests, so a count proves nothing
 * there: refusals must go on for `fall` whole intervals, and in the last one no source may try more often
 * than checks do.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/time.h"
#include "drain/block.h"

#define CHECKERS_MAX 256 /* sources followed; more are counted, not followed */

typedef struct Checkers Checkers;

typedef struct CheckersConfig {
        Usec interval_usec; /* known from the configuration or the documentation; 0: learned */
        unsigned fall, rise;
        bool mixed; /* the port carries API traffic too */
        Usec watch_max_usec;
        Usec resolution_usec; /* how exact the arrivals' times are */
} CheckersConfig;

int checkers_new(Checkers **ret, const CheckersConfig *config) _must_check_;
Checkers *checkers_free(Checkers *c);
DEFINE_CLEANUP(Checkers, checkers_free);

/* checkers_learned() - known from an earlier job: @lanes checkers behind an address, and their interval;
 * before watching. */
void checkers_learned(Checkers *c, const Addr *addr, Usec interval_usec, unsigned lanes);

/*
 * checkers_only() - nobody but these is awaited: others ask the same port for reasons of their own. May be
 * called again, with more of them. @addrs: copied, at most CHECKERS_MAX.
 */
void checkers_only(Checkers *c, const Addr *addrs, size_t n);

/*
 * checkers_watch_begin/checkers_block_begin/checkers_return_begin() - a new stage starts at @now, with the
 * counters as they stand (only what is counted from here on is believed).
 */
void checkers_watch_begin(Checkers *c, Usec now, const BlockSource *checks, size_t n);
void checkers_block_begin(Checkers *c, Usec now, const BlockSource *refused, size_t n);
void checkers_return_begin(Checkers *c, Usec now, const BlockSource *checks, size_t n);

/*
 * checkers_block_again() - new connections came after it had been noticed: they must end once more. What was
 * refused still counts, as the block had not lapsed.
 */
void checkers_block_again(Checkers *c, Usec now);

/* checkers_connecting() - @addr opens connections on the traffic ports although the health port is refused:
 * one refusal is enough to await it. Nothing when it was never seen on the health port. */
void checkers_connecting(Checkers *c, const Addr *addr);

/* checkers_feed() - the counters of the stage's kind (BLOCK_CHECKS or BLOCK_REFUSED) as read at @now. */
void checkers_feed(Checkers *c, Usec now, const BlockSource *sources, size_t n);

/* checkers_new_connections() - connections let in on the traffic ports: running total, read at @now. */
void checkers_new_connections(Checkers *c, Usec now, uint64_t total);

/* checkers_watch_limit() - how long the watch may take: watch_max, or a little more than the longest learned
 * interval (at most ten minutes). */
Usec checkers_watch_limit(const Checkers *c);

/*
 * checkers_watched() - the watch may end: everybody known from earlier was seen again, or the limit is over.
 * checkers_count() then tells whether there is anybody.
 */
bool checkers_watched(const Checkers *c, Usec now);

/* checkers_noticed() - see above; and no new connection for checkers_window(). With no checker at all (only a
 * configured interval): that many intervals of nothing new. */
bool checkers_noticed(Checkers *c, Usec now);

/* checkers_returned() - each awaited checker was let in `rise` times (several behind one address: each of
 * them, and for `rise` intervals); one that has not come for three intervals is passed over if another one
 * has. With none awaited, anybody was. */
bool checkers_returned(const Checkers *c, Usec now);

/* checkers_window() - how long no new connection must come: the longest interval, or five times the mean gap
 * between new connections while watching, 0.5 s to 10 s. */
Usec checkers_window(const Checkers *c);

/* checkers_slowest() - the longest interval of anybody who is or may be awaited; 0: none known. */
Usec checkers_slowest(const Checkers *c);

/* checkers_count() - awaited ones. */
size_t checkers_count(const Checkers *c);

typedef struct CheckerInfo {
        Addr addr;
        Usec interval_usec; /* 0: not known */
        unsigned lanes;     /* checkers behind the address, at least 1 */
        uint64_t count;     /* seen, refused or let in, in this stage */
        Usec last_usec;     /* when it last was; 0: not in this stage */
        bool awaited;       /* else a visitor or dropped */
        bool dropped;
        bool learned; /* known from an earlier job */
} CheckerInfo;

/* checkers_get() - the i-th source. Return: false behind the last. */
bool checkers_get(const Checkers *c, size_t i, CheckerInfo *ret);

/* checkers_text() - "refused 2/3 by 10.0.0.5 (every 1.0 s); no new connection for 0.4 s of 1.0 s". */
const char *checkers_text(const Checkers *c, Usec now, char *buf, size_t size);
