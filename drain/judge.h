/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The verdict on one socket from one look at it, and what was concluded of it before. Pure. */

#include "drain/conns.h"
#include "drain/inflight.h"

/* What inflight_feed() has to know of a socket's past. */
typedef enum JudgePast {
        JUDGE_NEW,     /* never seen, or bytes have moved since */
        JUDGE_IDLE,    /* nothing moved since it was judged idle */
        JUDGE_BUSY,    /* nothing moved since it was judged busy */
        JUDGE_OTHER,   /* nothing moved since it was unknown */
        JUDGE_UNHEARD, /* the same, and nobody knows who spoke last */
} JudgePast;

/* judge_received() - data bytes received: without the FIN, which the kernel counts as one. */
uint64_t judge_received(const Sock *s);

/* judge_written() - bytes the process has written so far: acknowledged ones and those under way. */
uint64_t judge_written(const Sock *s);

/* judge_age_ms() - milliseconds since data last moved, either way; 0 without tcp_info. */
uint32_t judge_age_ms(const Sock *s);

/* judge_remembered() - what of a verdict may be believed later, while nothing moves: an answer that waits to
 * be read says nothing of who spoke last once it is read. */
InflightVerdict judge_remembered(const Sock *s, InflightVerdict v);

/* judge_waits() - is anything queued, or nobody's yet? Else all that is known are clocks and counts. */
bool judge_waits(const Sock *s);

/*
 * judge_down() - a socket that clients opened to us. judge_up() - one that we opened to the next tier.
 * Not for listeners. @ret_why: static text, which of the rules it was.
 */
InflightVerdict judge_down(const Sock *s, JudgePast past, const char **ret_why);
InflightVerdict judge_up(const Sock *s, JudgePast past, const char **ret_why);
