/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Is a request in flight? Decided from what the kernel knows of each socket; pure: no clock, no socket.
 *
 * Per look each socket gets one verdict:
 *   busy     a request is being received, worked on, or answered: SYN queue; accept queue (inode 0); unread,
 *            unsent or unacknowledged bytes (a lone unread FIN does not count); bytes received and nothing
 *            ever sent; received later than sent; on the upstream side the mirror of it (sent later than
 *            received, a tie whose acknowledgement came later, nothing received yet after sending,
 *            connecting).
 *   idle     nothing ever received; sent later than received; a tie of the two whose acknowledgement clock is
 *            newer by at most 300 ms + RTT (delayed ACK), or whose only received segment the answer must have
 *            followed; upstream, where nobody knows who spoke last, a tie whose acknowledgement is no newer
 *            (it came with the answer; by age only). Remembered per socket until bytes move, because
 *            keepalive probes destroy the evidence.
 *   unknown  every other tie; without pairing also h2 and TLS sockets on which the server has not been seen
 *            speaking again in two looks. Counts as busy until something settles it: who spoke last, if
 *            that is known from elsewhere; on a paired (router) port the whole upstream side, and the
 *            socket itself, idle for the quiet time; else nothing moved on it for the request limit.
 *   leaving  FIN_WAIT*, CLOSING, LAST_ACK: the kernel finishes these alone. Not in flight.
 *
 * A streamer (the server spoke twice, each time after it had looked idle for a fifth of the quiet time, while
 * the client did not) is idle only after the request limit without movement; who has done so once, after two
 * quiet times (not below TLS on a paired port: there it is how a request behind tickets is answered, and the
 * other side knows). A download without such pauses is none: it is over when nothing has moved for the quiet
 * time.
 *
 * Told to continue (the server answered the client with 25 bytes and no more: "HTTP/1.1 100 Continue"): busy
 * until the server says more, at most for the request limit. On TLS ports, received later than sent ends with
 * the request limit too: HTTP/2 and TLS have frames that get no answer.
 *
 * A persistent socket went on getting new requests after inflight_mark(): in at least two looks after it,
 * some time apart, bytes had come in and gone out again. It is reported apart, because it will never be
 * quiet; when it has got nothing for the quiet time it is an ordinary socket again (so that a long request on
 * it is waited for). After the mark, upstream sockets on which bytes have moved within the quiet time count
 * with the persistent ones as long as there are persistent clients: routers spread requests over a pool, or
 * open a connection for each, and a request of another client shows on that client's own socket.
 *
 * A busy or unknown socket that a full look does not show is not believed gone: it stays in the way until
 * inflight_gone() or a second full look without it.
 *
 * Memory is bounded: every socket costs 16 bytes, up to INFLIGHT_REMEMBER of them; beyond that a tie stays
 * unknown instead of remembered idle. Sockets in the way, and after the mark moving ones, have a full record,
 * up to INFLIGHT_RECORDS of them; beyond that they are counted, but neither named nor pending. When memory is
 * short the same happens. Never more than 2.5 MiB.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "drain/conns.h"

#define INFLIGHT_REMEMBER   114688 /* 7/8 of a table of 2 MiB */
#define INFLIGHT_RECORDS    2048
#define INFLIGHT_STRAGGLERS 16
#define INFLIGHT_DOUBTFUL   64

typedef struct Inflight Inflight;

typedef enum InflightVerdict {
        INFLIGHT_IDLE,
        INFLIGHT_BUSY,
        INFLIGHT_UNKNOWN,
        INFLIGHT_LEAVING,
        INFLIGHT_VERDICT_COUNT,
        INFLIGHT_VERDICT_INVALID = -EINVAL,
} InflightVerdict;

/* inflight_verdict_name() - "idle", "busy", "unknown", "leaving". */
const char *inflight_verdict_name(InflightVerdict v);

typedef struct InflightConfig {
        uint16_t traffic_ports[CONNS_PORTS_MAX]; /* downstream: local port is one of these */
        size_t n_traffic;
        uint16_t upstream_ports[CONNS_PORTS_MAX]; /* upstream: peer port is one of these; 0: not paired */
        size_t n_upstream;
        bool tls;        /* the traffic ports speak TLS or h2 */
        bool tls_http1;  /* ... TLS with HTTP/1 in it, never h2 (router to message processor): what the
                            server says behind the handshake is an answer */
        Usec quiet_usec; /* nothing may have moved for this long */
        Usec request_limit_usec; /* the longest any request can last (Edge's own read timeout); a margin of
                                    one second is added here */
} InflightConfig;

/* A socket that is in the way, for people. */
typedef struct InflightStraggler {
        Addr peer;
        uint16_t peer_port, local_port;
        InflightVerdict verdict;
        bool upstream, streamer, persistent;
        Usec busy_usec; /* how long it has been in the way, as far as seen */
        uint64_t bytes_received, bytes_sent;
        const char *why; /* static text: "received later than sent", "unread bytes", ... */
} InflightStraggler;

typedef struct InflightSummary {
        bool full;                /* of a full look; else of a partial one: what was not asked about is as
                                     the last full look saw it */
        bool partial_helps;       /* all that is in the way is pending: exact gets can settle it */
        uint64_t looks;           /* full looks so far */
        unsigned sockets;         /* downstream + upstream, without listeners and leaving */
        unsigned busy, unknown;   /* not persistent */
        unsigned persistent_busy; /* busy or unknown, but persistent */
        unsigned persistent;      /* persistent, whatever the verdict */
        unsigned idle, leaving;
        unsigned streamers;   /* of the busy: streams between two chunks */
        unsigned idle_by_age; /* idle only because nothing moved for the request limit (who has spoken
                                 unasked once: for two quiet times) or was settled by the other side's
                                 quiet: cannot be proven from outside */
        unsigned accept_queue, syn_queue;
        unsigned missing;    /* of the busy and unknown: not in the last full look, not known gone */
        unsigned listeners;  /* listening sockets on the traffic ports: the positive control */
        Usec quiet_usec;     /* age of the last movement on any socket that is not persistent;
                                USEC_INFINITY when there is none */
        size_t n_stragglers; /* the oldest first, at most INFLIGHT_STRAGGLERS */
        InflightStraggler stragglers[INFLIGHT_STRAGGLERS];
} InflightSummary;

/* inflight_new() - @config is copied. Return: 0; -EINVAL (more than CONNS_PORTS_MAX ports); -ENOMEM. */
int inflight_new(Inflight **ret, const InflightConfig *config, Err *err) _must_check_;
Inflight *inflight_free(Inflight *f);
DEFINE_CLEANUP(Inflight, inflight_free);

/* inflight_filter() - what to dump for this configuration (listeners included). */
void inflight_filter(const Inflight *f, ConnsFilter *ret);

/*
 * inflight_begin() - a look starts at @now (monotonic). @full: a dump of everything follows (sockets not fed
 * in it are gone); else only sockets named by inflight_pending() are fed. @new_connections: the count of
 * connections let in so far: looks with different counts do not confirm each other.
 */
void inflight_begin(Inflight *f, Usec now, bool full, uint64_t new_connections);

/*
 * inflight_feed() - one socket of this look; given twice counts once (as long as it can be remembered;
 * listeners too). Sockets of other ports are ignored. A ConnsFn. Return: 0, always.
 */
int inflight_feed(const Sock *s, void *inflight);

/*
 * inflight_speaker() - who spoke last on a socket, from elsewhere (drain/block.h's speaker set), read after
 * the look in which it was a tie. Settles the tie at the next look in which nothing has moved; for sockets
 * that are no tie, and on TLS ports those on which the server was not seen speaking again in two looks, it
 * does nothing. @self: this node, which answers on the traffic ports and asks on the upstream side.
 *
 * inflight_unheard() - that is not known: nobody has spoken since it is noted, or it cannot be noted. Settles
 * an upstream tie by the acknowledgement, as idle by age only: nothing better will come, and a pool that was
 * last used before must not stall the drain.
 */
void inflight_speaker(Inflight *f, uint64_t cookie, bool self);
void inflight_unheard(Inflight *f, uint64_t cookie);

/* inflight_gone() - conns_get() says the socket is gone. */
void inflight_gone(uint64_t cookie, void *inflight);

/*
 * inflight_end() - the look is over. @ret: what was seen; may be NULL. A full look whose dump failed must not
 * be ended: begin another one.
 */
void inflight_end(Inflight *f, InflightSummary *ret);

/*
 * inflight_pending() - the sockets worth an exact get before the next full look: busy, unknown and, after the
 * mark, moving ones. @ret: valid until the next inflight_feed(), _gone() or _end(); so copy it to look
 * again (conns_get() reads it while it feeds). Return: how many, at most INFLIGHT_RECORDS.
 */
size_t inflight_pending(const Inflight *f, const Sock **ret);

/*
 * inflight_doubtful() - the sockets that were idle by age only in the last full look: what a stop may cut.
 * @ret: valid until the next inflight_begin(). Return: how many, at most INFLIGHT_DOUBTFUL.
 */
size_t inflight_doubtful(const Inflight *f, const Sock **ret);

/* inflight_mark() - the checkers have noticed: from now on new requests on old connections make persistent.
 */
void inflight_mark(Inflight *f, Usec now);

typedef enum InflightDrained {
        INFLIGHT_DRAINED,     /* proven: go to the gate */
        INFLIGHT_NOT_LOOKED,  /* no full look yet, or no listener in it (no positive control) */
        INFLIGHT_IN_FLIGHT,   /* busy or unknown sockets, or queues */
        INFLIGHT_NOT_QUIET,   /* idle, but something moved within the quiet time */
        INFLIGHT_UNCONFIRMED, /* one such look; a second one at least 0.5 s later must agree */
        INFLIGHT_PERSISTENT,  /* only persistent connections are left in the way (policy decides) */
        INFLIGHT_DRAINED_COUNT,
} InflightDrained;

/*
 * inflight_drained() - may the gate be tried? True after two full looks at least 0.5 s apart (and every look
 * between them) with the same new-connection count, no busy or unknown socket, queues empty, listeners seen,
 * and in the later one nothing moved for the quiet time.
 * @close_persistent: persistent sockets are allowed for (the gate waits for an instant with none of them
 * busy: the caller should leave half a second between two tries); else they give INFLIGHT_PERSISTENT when
 * they alone are in the way.
 * @ret_wait: how long until another look and asking again can help (for timers); written always. Of what is
 * in the way a partial look may be enough (InflightSummary.partial_helps); the other answers want a full
 * look. Callers may wait longer to spare the CPU.
 */
InflightDrained inflight_drained(const Inflight *f, Usec now, bool close_persistent, Usec *ret_wait);

/*
 * inflight_gate() - the last look, under the freeze: is any socket of the last full look, brought up to date
 * by partial ones, busy or unknown, persistent or not; any queue not empty; no listener seen?
 * @ret_why: static text of the first objection, NULL when there is none.
 * Return: true when the stop may be called.
 */
bool inflight_gate(const Inflight *f, const char **ret_why);
