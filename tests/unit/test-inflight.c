/* SPDX-License-Identifier: GPL-3.0-or-later */

/* drain/judge.c, drain/cookies.c, drain/inflight.c, drain/inflight-sum.c: the verdicts, without a kernel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drain/cookies.h"
#include "drain/inflight.h"
#include "drain/judge.h"

#define MS       USEC_PER_MSEC
#define SEC      USEC_PER_SEC
#define QUIET    (5 * SEC)
#define LIMIT    (57 * SEC)
#define TRAFFIC  9001
#define UPSTREAM 8998

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* A socket with a history: points in time instead of ages. */
typedef struct Sim {
        Sock s;
        Usec rx_at, tx_at, ack_at;
} Sim;

static uint64_t next_cookie = 1000;

static Addr address(uint32_t n)
{
        uint8_t b[4] = { 10, (uint8_t) (n >> 16), (uint8_t) (n >> 8), (uint8_t) n };
        return addr_from(2 /* AF_INET */, b);
}

/* An established connection without a byte on it. */
static Sim sim(bool upstream, Usec now)
{
        uint64_t cookie = next_cookie++;
        return (Sim) {
                .s = {
                        .local = address(1),
                        .peer = address((uint32_t) cookie),
                        .local_port = upstream ? 40000 : TRAFFIC,
                        .peer_port = upstream ? UPSTREAM : 40000,
                        .kernel_family = 2,
                        .state = TCP_ESTABLISHED,
                        .has_info = true,
                        .cookie = cookie,
                        .inode = 77,
                        .rtt_usec = 200,
                        .data_segs_in = 1, /* not its first exchange: see the_first_exchange_is_no_tie() */
                        .bytes_acked = upstream, /* its SYN */
                },
                .rx_at = now,
                .tx_at = now,
                .ack_at = now,
        };
}

static void receives(Sim *m, Usec now, unsigned bytes)
{
        m->s.bytes_received += bytes;
        m->s.data_segs_in++;
        m->rx_at = m->ack_at = now;
}

/* All of it acknowledged at @acked. */
static void sends(Sim *m, Usec now, unsigned bytes, Usec acked)
{
        m->s.bytes_acked += bytes;
        m->s.data_segs_out++;
        m->tx_at = now;
        m->ack_at = MAX(m->ack_at, acked);
}

/* Ages as a kernel with HZ=250 tells them. */
static uint32_t age(Usec now, Usec at)
{
        return (uint32_t) ((now / (4 * MS) - at / (4 * MS)) * 4);
}

static const Sock *at(Sim *m, Usec now)
{
        m->s.last_data_recv_ms = age(now, m->rx_at);
        m->s.last_data_sent_ms = age(now, m->tx_at);
        m->s.last_ack_recv_ms = age(now, m->ack_at);
        return &m->s;
}

static const Sock listener = {
        .local_port = TRAFFIC, .state = TCP_LISTEN, .cookie = 1, .inode = 5, .wqueue = 511
};

static Inflight *engine(bool is_paired, bool tls, Usec quiet)
{
        InflightConfig config = {
                .traffic_ports = { 80, TRAFFIC },
                .n_traffic = 2,
                .upstream_ports = { UPSTREAM },
                .n_upstream = is_paired,
                .tls = tls,
                .quiet_usec = quiet,
                .request_limit_usec = LIMIT,
        };
        Inflight *f = NULL;
        assert_int_equal(inflight_new(&f, &config, NULL), 0);
        return f;
}

static InflightSummary look_at(Inflight *f, Usec now, uint64_t connections, Sim *m, size_t n)
{
        InflightSummary s;
        inflight_begin(f, now, true, connections);
        assert_int_equal(inflight_feed(&listener, f), 0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(inflight_feed(at(&m[i], now), f), 0);
        inflight_end(f, &s);
        return s;
}

static InflightSummary look(Inflight *f, Usec now, Sim *m, size_t n)
{
        return look_at(f, now, 0, m, n);
}

/* What conns_get() would do: the pending ones, from @m; those not in @m are gone. */
static InflightSummary partial(Inflight *f, Usec now, Sim *m, size_t n)
{
        const Sock *pending;
        size_t n_pending = inflight_pending(f, &pending);
        uint64_t *cookies = calloc(n_pending + 1, sizeof(*cookies));
        InflightSummary s;
        for (size_t i = 0; i < n_pending; i++)
                cookies[i] = pending[i].cookie;
        inflight_begin(f, now, false, 0);
        for (size_t i = 0; i < n_pending; i++) {
                size_t k = 0;
                while (k < n && m[k].s.cookie != cookies[i])
                        k++;
                if (k < n)
                        assert_int_equal(inflight_feed(at(&m[k], now), f), 0);
                else
                        inflight_gone(cookies[i], f);
        }
        inflight_end(f, &s);
        free(cookies);
        return s;
}

static InflightDrained drained(const Inflight *f, Usec now, bool close_persistent)
{
        Usec wait;
        return inflight_drained(f, now, close_persistent, &wait);
}

#define I INFLIGHT_IDLE
#define B INFLIGHT_BUSY
#define U INFLIGHT_UNKNOWN
#define L INFLIGHT_LEAVING

/* What the kernel shows, and what it means on either side. R, S, A: ages of the last data in, out, and ACK.
 */
typedef struct Row {
        const char *what;
        uint8_t state;
        uint32_t inode, rqueue, wqueue, unacked, notsent;
        uint64_t rx, tx;
        uint32_t r, s, a;
        uint32_t rtt;
        JudgePast past;
        InflightVerdict down, up;
} Row;

#define E TCP_ESTABLISHED
#define W TCP_CLOSE_WAIT

static const Row rows[] = {
        { "answered later", E, 7, 0, 0, 0, 0, 10, 20, 900, 500, 496, 0, JUDGE_NEW, I, B },
        { "tie, delayed ACK", E, 7, 0, 0, 0, 0, 10, 20, 540, 540, 500, 0, JUDGE_NEW, I, B },
        { "tie, ACK 300 ms newer", E, 7, 0, 0, 0, 0, 10, 20, 800, 800, 500, 0, JUDGE_NEW, I, B },
        { "tie, ACK 304 ms newer", E, 7, 0, 0, 0, 0, 10, 20, 804, 804, 500, 0, JUDGE_NEW, U, U },
        { "tie, ACK 304 ms newer, far away", E, 7, 0, 0, 0, 0, 10, 20, 804, 804, 500, 100000, JUDGE_NEW, I,
          B },
        { "tie, keepalive", E, 7, 0, 0, 0, 0, 10, 20, 9000, 9000, 20, 0, JUDGE_NEW, U, U },
        { "tie, keepalive, was idle", E, 7, 0, 0, 0, 0, 10, 20, 9000, 9000, 20, 0, JUDGE_IDLE, I, I },
        { "tie, keepalive, was busy", E, 7, 0, 0, 0, 0, 10, 20, 9000, 9000, 20, 0, JUDGE_BUSY, U, B },
        { "tie, keepalive, was unknown", E, 7, 0, 0, 0, 0, 10, 20, 9000, 9000, 20, 0, JUDGE_OTHER, U, U },
        { "tie of all three", E, 7, 0, 0, 0, 0, 10, 20, 540, 540, 540, 0, JUDGE_NEW, U, U },
        { "tie of all three, unheard", E, 7, 0, 0, 0, 0, 10, 20, 540, 540, 540, 0, JUDGE_UNHEARD, U, I },
        { "tie, ACK older", E, 7, 0, 0, 0, 0, 10, 20, 540, 540, 544, 0, JUDGE_NEW, U, U },
        { "tie, ACK older, unheard", E, 7, 0, 0, 0, 0, 10, 20, 540, 540, 544, 0, JUDGE_UNHEARD, U, I },
        { "tie, keepalive, unheard", E, 7, 0, 0, 0, 0, 10, 20, 9000, 9000, 20, 0, JUDGE_UNHEARD, U, U },
        { "tie of all three, was idle", E, 7, 0, 0, 0, 0, 10, 20, 540, 540, 540, 0, JUDGE_IDLE, I, I },
        { "received later", E, 7, 0, 0, 0, 0, 10, 20, 500, 900, 500, 0, JUDGE_NEW, B, I },
        { "received later, was idle", E, 7, 0, 0, 0, 0, 10, 20, 500, 900, 500, 0, JUDGE_IDLE, B, I },
        { "first request", E, 7, 0, 0, 0, 0, 10, 0, 540, 540, 540, 0, JUDGE_NEW, B, I },
        { "preconnected", E, 7, 0, 0, 0, 0, 0, 0, 9000, 9000, 9000, 0, JUDGE_NEW, I, I },
        { "said something, heard nothing", E, 7, 0, 0, 0, 0, 0, 20, 900, 500, 496, 0, JUDGE_NEW, I, B },
        { "unread", E, 7, 10, 0, 0, 0, 10, 20, 900, 500, 496, 0, JUDGE_NEW, B, B },
        { "unread and received nothing", E, 7, 10, 0, 0, 0, 10, 0, 540, 540, 540, 0, JUDGE_NEW, B, B },
        { "unsent", E, 7, 0, 0, 0, 9, 10, 20, 900, 500, 496, 0, JUDGE_NEW, B, B },
        { "zero window", E, 7, 0, 65536, 0, 65536, 10, 20, 900, 500, 496, 0, JUDGE_NEW, B, B },
        { "unacknowledged", E, 7, 0, 5, 1, 0, 10, 20, 900, 500, 900, 0, JUDGE_NEW, B, B },
        { "accept queue", E, 0, 10, 0, 0, 0, 10, 0, 540, 540, 540, 0, JUDGE_NEW, B, B },
        { "accept queue, nothing sent", E, 0, 0, 0, 0, 0, 0, 0, 540, 540, 540, 0, JUDGE_NEW, B, B },
        { "half-close, idle", W, 7, 0, 0, 0, 0, 11, 20, 900, 500, 100, 0, JUDGE_NEW, I, B },
        { "half-close, request pending", W, 7, 0, 0, 0, 0, 11, 20, 500, 900, 500, 0, JUDGE_NEW, B, I },
        { "half-close, first request pending", W, 7, 0, 0, 0, 0, 11, 0, 500, 500, 400, 0, JUDGE_NEW, B, I },
        { "half-close, tie, the FIN moved A", W, 7, 0, 0, 0, 0, 11, 20, 540, 540, 500, 0, JUDGE_NEW, U, U },
        { "half-close, tie, was idle", W, 7, 0, 0, 0, 0, 11, 20, 540, 540, 500, 0, JUDGE_IDLE, I, I },
        { "unread FIN alone", W, 7, 1, 0, 0, 0, 11, 20, 900, 500, 100, 0, JUDGE_NEW, I, B },
        { "unread FIN, idle next tier", W, 7, 1, 0, 0, 0, 11, 20, 500, 900, 100, 0, JUDGE_NEW, B, I },
        { "unread byte and FIN", W, 7, 2, 0, 0, 0, 11, 20, 900, 500, 100, 0, JUDGE_NEW, B, B },
        { "closed without a word", W, 7, 1, 0, 0, 0, 1, 0, 900, 900, 100, 0, JUDGE_NEW, I, I },
        { "SYN queue", TCP_SYN_RECV, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, JUDGE_NEW, B, B },
        { "connecting", TCP_SYN_SENT, 7, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, JUDGE_NEW, B, B },
        { "FIN_WAIT1, unsent", TCP_FIN_WAIT1, 0, 0, 9999, 5, 99, 10, 20, 900, 500, 496, 0, JUDGE_NEW, L, L },
        { "FIN_WAIT2", TCP_FIN_WAIT2, 0, 0, 0, 0, 0, 10, 20, 900, 500, 496, 0, JUDGE_NEW, L, L },
        { "CLOSING", TCP_CLOSING, 0, 0, 0, 0, 0, 10, 20, 900, 500, 496, 0, JUDGE_NEW, L, L },
        { "LAST_ACK", TCP_LAST_ACK, 0, 0, 0, 0, 0, 10, 20, 900, 500, 496, 0, JUDGE_NEW, L, L },
};

static Sock row_sock(const Row *r, bool up)
{
        Sim m = sim(up, 0);
        m.s.state = r->state;
        m.s.has_info = r->state != TCP_SYN_RECV;
        m.s.inode = r->inode;
        m.s.rqueue = r->rqueue;
        m.s.wqueue = r->wqueue;
        m.s.unacked = r->unacked;
        m.s.notsent_bytes = r->notsent;
        m.s.bytes_received = r->rx;
        m.s.bytes_acked += r->tx;
        m.s.data_segs_out = r->tx > 0;
        m.s.data_segs_in = 2; /* of which one is the first: see the_first_exchange_is_no_tie() */
        m.s.last_data_recv_ms = r->r;
        m.s.last_data_sent_ms = r->s;
        m.s.last_ack_recv_ms = r->a;
        m.s.rtt_usec = r->rtt;
        return m.s;
}

static void each_row_has_its_verdict(void **state)
{
        (void) state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const char *why = NULL;
                Sock down = row_sock(&rows[i], false), up = row_sock(&rows[i], true);
                InflightVerdict v = judge_down(&down, rows[i].past, &why);
                if (v != rows[i].down)
                        fail_msg("down: %s: %s (%s)", rows[i].what, inflight_verdict_name(v), why);
                assert_non_null(why);
                v = judge_up(&up, rows[i].past, &why);
                if (v != rows[i].up)
                        fail_msg("up: %s: %s (%s)", rows[i].what, inflight_verdict_name(v), why);
        }
        Sock bare = row_sock(&rows[0], false);
        const char *why;
        bare.has_info = false;
        assert_int_equal(judge_down(&bare, JUDGE_NEW, &why), INFLIGHT_UNKNOWN);
        assert_int_equal(judge_up(&bare, JUDGE_IDLE, &why), INFLIGHT_UNKNOWN);
}

/* The same through the engine, one look, each socket alone. */
static void the_engine_counts_what_the_rows_say(void **state)
{
        (void) state;
        for (size_t i = 0; i < 2 * ELEMENTS(rows); i++) {
                const Row *r = &rows[i / 2];
                bool up = i % 2;
                if (r->past != JUDGE_NEW)
                        continue;
                _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
                Sock s = row_sock(r, up);
                InflightVerdict want = up ? r->up : r->down;
                InflightSummary sum;
                inflight_begin(f, 1000 * SEC, true, 0);
                assert_int_equal(inflight_feed(&listener, f), 0);
                assert_int_equal(inflight_feed(&s, f), 0);
                inflight_end(f, &sum);
                assert_int_equal(sum.busy, want == INFLIGHT_BUSY);
                assert_int_equal(sum.unknown + sum.idle_by_age, want == INFLIGHT_UNKNOWN);
                assert_int_equal(sum.leaving, want == INFLIGHT_LEAVING);
                assert_int_equal(sum.sockets, want != INFLIGHT_LEAVING);
                assert_int_equal(sum.syn_queue, s.state == TCP_SYN_RECV);
                assert_int_equal(sum.n_stragglers, sum.busy + sum.unknown);
                const char *why;
                bool in_way = want == INFLIGHT_BUSY || sum.unknown;
                assert_int_equal(inflight_gate(f, &why), !in_way);
                assert_true(in_way == (why != NULL));
        }
}

static void other_ports_and_gone_sockets_are_ignored(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Sim m[3] = { sim(false, SEC), sim(true, SEC), sim(false, SEC) };
        m[0].s.local_port = 8443;
        m[2].s.state = TCP_TIME_WAIT;
        InflightSummary s = look(f, 10 * SEC, m, 3);
        assert_int_equal(s.sockets + s.leaving, 0);
        assert_int_equal(s.listeners, 1);

        ConnsFilter filter;
        inflight_filter(f, &filter);
        assert_int_equal(filter.n_local, 2);
        assert_int_equal(filter.n_peer, 0);
        assert_int_equal(filter.local_ports[1], TRAFFIC);
        assert_true(filter.states & CONNS_LISTEN);
}

/* Seen idle by its delayed ACK; the server's keepalive then moves the clock; then a request comes. */
static void keepalives_do_not_undo_idle(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m[2] = { sim(false, t), sim(false, t) };
        for (int i = 0; i < 2; i++) {
                receives(&m[i], t, 100);
                sends(&m[i], t, 200, t + 40 * MS);
        }
        m[1].ack_at = t; /* in flight: its next request came in the same tick */
        InflightSummary s = look(f, t + SEC, m, 2);
        assert_int_equal(s.idle, 1);
        assert_int_equal(s.unknown, 1);

        m[0].ack_at = m[1].ack_at = t + 10 * SEC;
        for (int i = 0; i < 5; i++) {
                s = look(f, t + (11 + i) * SEC, m, 2);
                assert_int_equal(s.idle, 1);
                assert_int_equal(s.unknown, 1);
        }
        /* Even half-closed. */
        m[0].s.state = TCP_CLOSE_WAIT;
        m[0].s.bytes_received++;
        s = look(f, t + 17 * SEC, m, 2);
        assert_int_equal(s.idle, 1);
        m[0].s.state = TCP_ESTABLISHED;
        m[0].s.bytes_received--;

        receives(&m[0], t + 20 * SEC, 100);
        sends(&m[0], t + 20 * SEC, 200, t + 20 * SEC);
        m[0].ack_at = t + 21 * SEC;
        s = look(f, t + 22 * SEC, m, 2);
        assert_int_equal(s.idle, 0);
        assert_int_equal(s.unknown, 2);
}

static void an_unpaired_tie_ends_at_the_request_limit(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        receives(&m, t, 100);
        sends(&m, t, 200, t);
        for (Usec d = SEC; d <= LIMIT + SEC; d += SEC) {
                InflightSummary s = look(f, t + d, &m, 1);
                assert_int_equal(s.unknown, 1);
                assert_int_equal(s.idle_by_age, 0);
                assert_int_equal(drained(f, t + d, true), INFLIGHT_IN_FLIGHT);
        }
        InflightSummary s = look(f, t + LIMIT + SEC + 4 * MS, &m, 1);
        assert_int_equal(s.unknown, 0);
        assert_int_equal(s.idle, 1);
        assert_int_equal(s.idle_by_age, 1);
}

static void a_paired_tie_ends_with_the_upstream_sides_quiet(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m[2] = { sim(false, t), sim(true, t) };
        receives(&m[0], t, 100);
        sends(&m[0], t, 200, t);
        sends(&m[1], t, 100, t);
        receives(&m[1], t, 200);
        assert_int_equal(look(f, t + SEC, m, 2).unknown, 2);
        inflight_speaker(f, m[1].s.cookie, false);
        InflightSummary s = look(f, t + SEC + 500 * MS, m, 2);
        assert_int_equal(s.unknown, 1);
        assert_int_equal(s.idle, 1);

        /* The upstream side works for 20 s: busy, so nothing is settled. */
        sends(&m[1], t + 2 * SEC, 100, t + 2 * SEC);
        s = look(f, t + 10 * SEC, m, 2);
        assert_int_equal(s.busy, 1);
        assert_int_equal(s.unknown, 1);
        receives(&m[1], t + 20 * SEC, 200);
        s = look(f, t + 21 * SEC, m, 2);
        assert_int_equal(s.busy, 0);
        assert_int_equal(s.unknown, 1);
        s = partial(f, t + 20 * SEC + QUIET - 8 * MS, m, 2);
        assert_int_equal(s.unknown, 1);
        s = partial(f, t + 20 * SEC + QUIET + 8 * MS, m, 2);
        assert_int_equal(s.unknown, 0);
        assert_int_equal(s.idle_by_age, 1);
        assert_int_equal(drained(f, t + 20 * SEC + QUIET + 8 * MS, true), INFLIGHT_UNCONFIRMED);
        s = look(f, t + 20 * SEC + QUIET + SEC, m, 2);
        assert_int_equal(s.idle, 2);
        assert_int_equal(drained(f, t + 20 * SEC + QUIET + SEC, true), INFLIGHT_UNCONFIRMED);
        s = look(f, t + 20 * SEC + QUIET + SEC + 500 * MS, m, 2);
        assert_int_equal(drained(f, t + 20 * SEC + QUIET + SEC + 500 * MS, true), INFLIGHT_DRAINED);
}

/* A socket busy by its ACK must not be settled when a keepalive moves that clock. */
static void an_upstream_request_survives_keepalives(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(true, t);
        sends(&m, t - SEC, 100, t);
        receives(&m, t, 200);
        sends(&m, t, 100, t + 40 * MS);
        assert_int_equal(look(f, t + SEC, &m, 1).busy, 1);
        for (int i = 1; i < 30; i++) {
                m.ack_at = t + (Usec) i * SEC;
                assert_int_equal(look(f, t + (Usec) i * SEC + 500 * MS, &m, 1).busy, 1);
        }
}

static void tls_needs_the_server_seen_speaking_twice(void **state)
{
        (void) state;
        Usec t = 1000 * SEC;
        for (int is_paired = 0; is_paired < 2; is_paired++) {
                _cleanup_(inflight_freep) Inflight *f = engine(is_paired, true, QUIET);
                Sim m = sim(false, t);
                assert_int_equal(look(f, t + SEC, &m, 1).idle, 1); /* no byte yet */
                receives(&m, t + SEC, 300);
                sends(&m, t + SEC, 1500, t + SEC);             /* handshake */
                receives(&m, t + SEC, 100);                    /* Finished, and the request with it */
                sends(&m, t + SEC + 8 * MS, 500, t + 2 * SEC); /* tickets */
                InflightSummary s = look(f, t + 2 * SEC, &m, 1);
                assert_int_equal(s.idle, is_paired);
                assert_int_equal(s.unknown, !is_paired);
                sends(&m, t + 3 * SEC, 500, t + 3 * SEC); /* the answer */
                s = look(f, t + 4 * SEC, &m, 1);
                assert_int_equal(s.idle, is_paired);
                receives(&m, t + 5 * SEC, 100);
                sends(&m, t + 6 * SEC, 500, t + 6 * SEC); /* another */
                s = look(f, t + 7 * SEC, &m, 1);
                assert_int_equal(s.idle, 1);
        }
}

/* Between router and message processor: HTTP/1 in TLS. Behind the handshake the server's words are answers.
 */
static void tls_with_http1_is_as_plain_behind_the_handshake(void **state)
{
        (void) state;
        InflightConfig config = {
                .traffic_ports = { TRAFFIC },
                .n_traffic = 1,
                .tls = true,
                .tls_http1 = true,
                .quiet_usec = QUIET,
                .request_limit_usec = LIMIT,
        };
        for (int past = 0; past < 3; past++) {
                _cleanup_(inflight_freep) Inflight *f = NULL;
                assert_int_equal(inflight_new(&f, &config, NULL), 0);
                Usec t = 1000 * SEC;
                Sim m = sim(false, t);
                receives(&m, t, 300);
                sends(&m, t + 10 * MS, 1500, t + 10 * MS);
                if (past == 1) /* many exchanges */
                        m.s.data_segs_in = m.s.data_segs_out = 8;
                if (past == 2) /* a large answer to the only request */
                        m.s.bytes_acked = 32 * 1024;
                InflightSummary s = look(f, t + 2 * SEC, &m, 1);
                assert_int_equal(s.idle, past > 0);
                assert_int_equal(s.unknown, past == 0);

                /* A tie: who spoke last decides. */
                receives(&m, t + 3 * SEC, 100);
                sends(&m, t + 3 * SEC, 200, t + 3 * SEC);
                assert_int_equal(look(f, t + 4 * SEC, &m, 1).unknown, 1);
                inflight_speaker(f, m.s.cookie, true);
                assert_int_equal(look(f, t + 5 * SEC, &m, 1).idle, past > 0);
        }
        /* A long request in one flight with the end of the handshake: the tickets behind it are no answer. */
        _cleanup_(inflight_freep) Inflight *f = NULL;
        assert_int_equal(inflight_new(&f, &config, NULL), 0);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        receives(&m, t, 12000);
        m.s.data_segs_in = 10;
        sends(&m, t + 10 * MS, 2000, t + 10 * MS);
        m.s.data_segs_out = 4;
        assert_int_equal(look(f, t + 2 * SEC, &m, 1).unknown, 1);
}

static void a_streamer_is_idle_only_after_the_limit(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        receives(&m, t, 100);
        sends(&m, t + 10 * MS, 200, t + 50 * MS);
        assert_int_equal(look(f, t + 2 * SEC, &m, 1).idle, 1);
        sends(&m, t + 3 * SEC, 200, t + 3 * SEC);
        assert_int_equal(look(f, t + 5 * SEC, &m, 1).streamers, 0); /* once is not enough */
        sends(&m, t + 6 * SEC, 200, t + 6 * SEC);
        InflightSummary s = look(f, t + 7 * SEC, &m, 1);
        assert_int_equal(s.busy, 1);
        assert_int_equal(s.streamers, 1);
        assert_true(s.stragglers[0].streamer);
        s = look(f, t + 6 * SEC + LIMIT, &m, 1);
        assert_int_equal(s.busy, 1);
        s = look(f, t + 8 * SEC + LIMIT, &m, 1);
        assert_int_equal(s.idle, 1);
        assert_int_equal(s.idle_by_age, 1);

        /* A new request ends the stream. */
        receives(&m, t + 100 * SEC, 100);
        sends(&m, t + 100 * SEC + 8 * MS, 200, t + 100 * SEC + 50 * MS);
        s = look(f, t + 101 * SEC, &m, 1);
        assert_int_equal(s.idle, 1);
        assert_int_equal(s.idle_by_age, 0);
}

/* Heartbeats as far apart as the quiet time is long: the second one must get its chance. */
static void who_spoke_unasked_once_may_be_a_stream(void **state)
{
        (void) state;
        for (int upstream = 0; upstream < 2; upstream++) {
                _cleanup_(inflight_freep) Inflight *f = engine(upstream, false, QUIET);
                Usec t = 1000 * SEC;
                Sim m = sim(upstream, t);
                if (upstream)
                        sends(&m, t, 100, t);
                else
                        receives(&m, t, 100);
                for (int i = 0; i < 2; i++) {
                        Usec at_ = t + 10 * MS + (Usec) i * 5 * SEC;
                        if (upstream)
                                receives(&m, at_, 200);
                        else
                                sends(&m, at_, 200, at_ + 40 * MS);
                        InflightSummary s = look(f, at_ + 4 * SEC, &m, 1);
                        assert_int_equal(s.busy, i);
                        assert_int_equal(s.idle_by_age, 0);
                }
                InflightSummary s = look(f, t + 5 * SEC + 2 * QUIET, &m, 1);
                assert_int_equal(s.busy, 1);
                s = look(f, t + 5 * SEC + 2 * QUIET + 20 * MS, &m, 1);
                assert_int_equal(s.idle, 1);
                assert_int_equal(s.idle_by_age, 1);
        }
}

/* Behind "100 Continue" the server has spoken last, and the client may take its time. */
static void who_was_told_to_continue_is_awaited(void **state)
{
        (void) state;
        enum { FIRST, LATER, UPSTREAM_SIDE, HEARTBEAT, CASES };
        for (int i = 0; i < CASES; i++) {
                bool up = i == UPSTREAM_SIDE;
                _cleanup_(inflight_freep) Inflight *f = engine(up, false, QUIET);
                Usec t = 1000 * SEC;
                Sim m = sim(up, t);
                if (i == FIRST) {
                        receives(&m, t, 100);
                        sends(&m, t, 25, t + 40 * MS); /* a tie */
                } else if (up) {
                        sends(&m, t, 100, t);
                        receives(&m, t + 8 * MS, 200);
                        assert_int_equal(look(f, t + 2 * SEC, &m, 1).idle, 1);
                        sends(&m, t + 3 * SEC, 100, t + 3 * SEC);
                        receives(&m, t + 3 * SEC + 8 * MS, 25);
                } else {
                        receives(&m, t, 100);
                        sends(&m, t + 8 * MS, 200, t + 40 * MS);
                        assert_int_equal(look(f, t + 500 * MS, &m, 1).idle, 1);
                        if (i == LATER)
                                receives(&m, t + 3 * SEC, 100);
                        sends(&m, t + 3 * SEC + 8 * MS, 25, t + 3 * SEC + 8 * MS);
                }
                InflightSummary s = look(f, t + 4 * SEC, &m, 1);
                assert_int_equal(s.busy, i == HEARTBEAT ? 0 : 1); /* the client had said nothing */
                if (i == HEARTBEAT)
                        continue;
                assert_string_equal(s.stragglers[0].why, "told to continue, its body is awaited");
                assert_int_equal(look(f, t + 50 * SEC, &m, 1).busy, 1);
                s = look(f, t + 5 * SEC + LIMIT, &m, 1);
                assert_int_equal(s.idle, 1);
                assert_int_equal(s.idle_by_age, 1);

                /* The body, and the answer to it. */
                if (up) {
                        sends(&m, t + 70 * SEC, 1000, t + 70 * SEC);
                        receives(&m, t + 71 * SEC, 150);
                } else {
                        receives(&m, t + 70 * SEC, 1000);
                        sends(&m, t + 71 * SEC, 150, t + 71 * SEC);
                }
                s = look(f, t + 72 * SEC, &m, 1);
                assert_int_equal(s.idle, 1);
                assert_int_equal(s.idle_by_age, 0);
        }
}

/* An answer that lay unread when it was looked at makes the next tier's connection no busier for ever. */
static void an_answer_seen_unread_is_an_answer(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(true, t);
        sends(&m, t, 100, t);
        receives(&m, t, 200);
        m.s.rqueue = 200;
        assert_int_equal(look(f, t, &m, 1).busy, 1);
        m.s.rqueue = 0;
        assert_int_equal(look(f, t + SEC, &m, 1).unknown, 1);
        inflight_speaker(f, m.s.cookie, false);
        assert_int_equal(look(f, t + SEC + 500 * MS, &m, 1).idle, 1);

        /* A request that was not acknowledged yet is one. */
        sends(&m, t + 2 * SEC, 100, t);
        receives(&m, t + 2 * SEC, 200);
        m.s.unacked = 1;
        assert_int_equal(look(f, t + 2 * SEC, &m, 1).busy, 1);
        m.s.unacked = 0;
        assert_int_equal(look(f, t + 3 * SEC, &m, 1).busy, 1);
}

/* WINDOW_UPDATE behind a download: received later than sent, and nothing will ever answer it. */
static void a_frame_without_an_answer_ends_with_the_limit(void **state)
{
        (void) state;
        for (int tls = 0; tls < 2; tls++)
                for (int is_paired = 0; is_paired < 2; is_paired++) {
                        _cleanup_(inflight_freep) Inflight *f = engine(is_paired, tls, QUIET);
                        Usec t = 1000 * SEC;
                        Sim m = sim(false, t);
                        receives(&m, t, 300);
                        sends(&m, t + SEC, 500, t + SEC);
                        receives(&m, t + 2 * SEC, 13);
                        assert_int_equal(look(f, t + 3 * SEC, &m, 1).busy, 1);
                        assert_int_equal(look(f, t + LIMIT, &m, 1).busy, 1);
                        InflightSummary s = look(f, t + 4 * SEC + LIMIT, &m, 1);
                        assert_int_equal(s.busy, !tls); /* plain: a request, however long it takes */
                        assert_int_equal(s.idle_by_age, tls);
                        m.s.rqueue = 13;
                        assert_int_equal(look(f, t + 5 * SEC + LIMIT, &m, 1).busy, 1);
                }
}

/* A long download is busy at every look, and when it is over the connection is idle like any other. */
static void a_download_is_no_streamer(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        receives(&m, t, 100);
        for (int i = 1; i < 20; i++) {
                sends(&m, t + (Usec) i * SEC, 2000000, t + (Usec) i * SEC);
                m.s.wqueue = 500000;
                m.s.unacked = 300;
                InflightSummary s = look(f, t + (Usec) i * SEC, &m, 1);
                assert_int_equal(s.busy, 1);
                assert_int_equal(s.streamers, 0);
        }
        m.s.bytes_acked += m.s.wqueue;
        m.s.wqueue = m.s.unacked = 0;
        assert_int_equal(look(f, t + 20 * SEC, &m, 1).idle, 1);
}

/* One that is sent in bursts looks idle between them, but never for long: over when it is quiet. */
static void a_download_in_bursts_is_no_streamer(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        receives(&m, t, 100);
        for (int i = 1; i < 20; i++) {
                sends(&m, t + (Usec) i * SEC, 100000, t + (Usec) i * SEC);
                InflightSummary s = look(f, t + (Usec) i * SEC + 900 * MS, &m, 1);
                assert_int_equal(s.idle, 1);
                assert_int_equal(s.streamers, 0);
        }
        assert_int_equal(look(f, t + 19 * SEC + QUIET, &m, 1).idle, 1);
}

/* Who has received one segment ever, and has sent, has sent behind it: the clocks need not tell. */
static void the_first_exchange_is_no_tie(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        m.s.data_segs_in = 0;
        receives(&m, t, 100);
        assert_int_equal(look(f, t, &m, 1).busy, 1);
        sends(&m, t, 200, t);
        assert_int_equal(look(f, t + SEC, &m, 1).idle, 1);
        receives(&m, t + 2 * SEC, 100);
        sends(&m, t + 2 * SEC, 200, t + 2 * SEC);
        assert_int_equal(look(f, t + 3 * SEC, &m, 1).unknown, 1);
}

/* Bursts so near to each other that R, S and A are one tick: whoever spoke last decides, unless it is TLS. */
static void the_speaker_settles_a_tie(void **state)
{
        (void) state;
        for (int tls = 0; tls < 2; tls++)
                for (int server = 0; server < 2; server++) {
                        _cleanup_(inflight_freep) Inflight *f = engine(false, tls, QUIET);
                        Usec t = 1000 * SEC;
                        Sim m = sim(false, t);
                        receives(&m, t, 100);
                        sends(&m, t, 200, t);
                        assert_int_equal(look(f, t + SEC, &m, 1).unknown, 1);
                        inflight_speaker(f, m.s.cookie, server);
                        InflightSummary s = look(f, t + 2 * SEC, &m, 1);
                        assert_int_equal(s.idle, server && !tls);

                        /* A request that came after it was read makes it void. */
                        receives(&m, t + 3 * SEC, 100);
                        assert_int_equal(look(f, t + 4 * SEC, &m, 1).busy, 1);
                        inflight_speaker(f, m.s.cookie, true);
                        assert_int_equal(look(f, t + 5 * SEC, &m, 1).busy, 1);
                }
}

/* The next tier answers and gets the next request in one tick; it acknowledges at once. Not below our TLS. */
static void the_speaker_settles_an_upstream_tie(void **state)
{
        (void) state;
        for (int tls = 0; tls < 2; tls++)
                for (int self = 0; self < 2; self++) {
                        _cleanup_(inflight_freep) Inflight *f = engine(true, tls, QUIET);
                        Usec t = 1000 * SEC;
                        Sim m = sim(true, t);
                        sends(&m, t - SEC, 100, t - SEC);
                        receives(&m, t, 200);
                        if (self)
                                sends(&m, t, 100, t);
                        else
                                m.tx_at = t;
                        assert_int_equal(look(f, t + SEC, &m, 1).unknown, 1);
                        inflight_speaker(f, m.s.cookie, self);
                        for (Usec d = 2 * SEC; d < LIMIT + 60 * SEC; d += SEC) {
                                InflightSummary s = look(f, t + d, &m, 1);
                                assert_int_equal(s.busy, self);
                                assert_int_equal(s.idle, !self);
                                assert_int_equal(s.idle_by_age, 0);
                        }
                }
}

/* Seen first when it is older than the quiet time, it is not settled by its own quiet before that is asked.
 */
static void an_unheard_upstream_tie_is_idle_by_age_only(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(true, t);
        sends(&m, t, 100, t);
        receives(&m, t, 200);
        assert_int_equal(look(f, t + 2 * QUIET, &m, 1).unknown, 1);
        assert_int_equal(look(f, t + 2 * QUIET + SEC, &m, 1).unknown, 1);
        inflight_unheard(f, m.s.cookie);
        for (Usec d = 2 * SEC; d < 5 * SEC; d += SEC) {
                InflightSummary s = look(f, t + 2 * QUIET + d, &m, 1);
                assert_int_equal(s.idle, 1);
                assert_int_equal(s.idle_by_age, 1);
        }

        /* With the next request there is something to be heard. */
        sends(&m, t + 10 * QUIET, 100, t + 10 * QUIET);
        receives(&m, t + 10 * QUIET, 200);
        InflightSummary s = look(f, t + 10 * QUIET + SEC, &m, 1);
        assert_int_equal(s.unknown, 1);
        inflight_speaker(f, m.s.cookie, false);
        s = look(f, t + 10 * QUIET + 2 * SEC, &m, 1);
        assert_int_equal(s.idle, 1);
        assert_int_equal(s.idle_by_age, 0);
}

/* A TLS server's first words are no answer; later ones are. */
static void the_speaker_settles_a_tie_below_tls_too(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, true, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        for (int i = 0; i < 3; i++, t += 2 * SEC) {
                receives(&m, t, 100);
                sends(&m, t, 200, t);
                assert_int_equal(look(f, t + SEC, &m, 1).unknown, 1);
                inflight_speaker(f, m.s.cookie, true);
                InflightSummary s = look(f, t + SEC + 500 * MS, &m, 1);
                assert_int_equal(s.idle, i == 2);
                assert_int_equal(s.idle_by_age, 0);
        }
}

/* A request and its answer, on a socket of either side. */
static void exchange(Sim *m, bool up, Usec now)
{
        if (up) {
                sends(m, now, 100, now);
                receives(m, now + MS, 200);
        } else {
                receives(m, now, 100);
                sends(m, now + MS, 200, now + 41 * MS);
        }
}

/*
 * @n kept-alive clients that ask every @gap, with full looks every 500 ms and partial ones every 100 ms
 * between them. Return: how long after the mark it is drained (persistent ones allowed for), or INFINITY.
 */
static Usec persistent_drain(Inflight *f, bool up, size_t n, Usec gap, Usec quiet, bool partials,
                             Usec *ret_mark)
{
        Usec t = 1000 * SEC, mark = t + 3 * SEC;
        Sim *m = calloc(n + 1, sizeof(*m));
        Usec *next = calloc(n + 1, sizeof(*next));
        assert_non_null(m);
        assert_non_null(next);
        for (size_t i = 0; i < n; i++) {
                m[i] = sim(up && i % 2, t);
                next[i] = t + i * gap / n;
        }
        m[n] = sim(false, t); /* asked once, long ago */
        exchange(&m[n], false, t - 100 * SEC);

        Usec took = USEC_INFINITY;
        for (Usec now = t; now < mark + 20 * quiet; now += 100 * MS) {
                for (size_t i = 0; i < n; i++)
                        for (; next[i] <= now; next[i] += gap)
                                exchange(&m[i], up && i % 2, next[i]);
                if (now == mark)
                        inflight_mark(f, now);
                if ((now - t) % (500 * MS) == 0)
                        (void) look(f, now, m, n + 1);
                else if (partials)
                        (void) partial(f, now, m, n + 1);
                if (now >= mark)
                        assert_int_not_equal(drained(f, now, false), INFLIGHT_DRAINED);
                else
                        assert_int_not_equal(drained(f, now, true), INFLIGHT_DRAINED);
                if (now >= mark && drained(f, now, true) == INFLIGHT_DRAINED) {
                        took = now - mark;
                        break;
                }
        }
        *ret_mark = mark;
        free(m);
        free(next);
        return took;
}

static void persistent_clients_do_not_hold_up_the_drain(void **state)
{
        (void) state;
        static const struct {
                size_t n;
                Usec gap, quiet;
                bool up, partials;
        } cases[] = {
                { 50, 50 * MS, QUIET, false, true },   { 50, 50 * MS, SEC, false, true },
                { 50, 50 * MS, 2 * SEC, true, false }, { 1000, 50 * MS, QUIET, false, true },
                { 1000, 10 * MS, SEC, true, true },    { 3000, 100 * MS, QUIET, false, false },
                { 3000, 100 * MS, QUIET, true, true },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(inflight_freep) Inflight *f = engine(cases[i].up, false, cases[i].quiet);
                Usec mark;
                Usec took = persistent_drain(f, cases[i].up, cases[i].n, cases[i].gap, cases[i].quiet,
                                             cases[i].partials, &mark);
                if (took > MAX(cases[i].quiet, 1500 * MS))
                        fail_msg("case %zu: %.3f s after the mark", i, time_sec(took));
        }
        /* Slow ones: each takes two requests to be known. */
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec mark;
        assert_true(persistent_drain(f, false, 10, 3 * SEC, QUIET, true, &mark) <= 10 * SEC);
}

/* A connection that was persistent gets a long request: it stops the gate, and is waited for. */
static void a_long_request_on_a_persistent_connection_counts(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC, now = t;
        const char *why;
        Sim m = sim(false, t);
        (void) look(f, t, &m, 1);
        inflight_mark(f, t);
        InflightSummary s = { 0 };
        for (int i = 0; i < 10; i++) {
                now += 500 * MS;
                exchange(&m, false, now - 100 * MS);
                s = look(f, now, &m, 1);
        }
        assert_int_equal(s.persistent, 1);
        assert_int_equal(drained(f, now, true), INFLIGHT_DRAINED);
        assert_int_equal(drained(f, now, false), INFLIGHT_PERSISTENT);
        assert_true(inflight_gate(f, &why));

        receives(&m, now + 10 * MS, 100);
        s = look(f, now + 100 * MS, &m, 1);
        assert_int_equal(s.persistent_busy, 1);
        assert_int_equal(s.busy, 0);
        assert_false(inflight_gate(f, &why));
        assert_string_equal(why, "received later than sent");

        s = look(f, now + 6 * SEC, &m, 1);
        assert_int_equal(s.persistent, 0);
        assert_int_equal(s.busy, 1);
        assert_int_equal(drained(f, now + 6 * SEC, true), INFLIGHT_IN_FLIGHT);
        assert_true(s.stragglers[0].busy_usec > 5 * SEC);

        sends(&m, now + 7 * SEC, 100, now + 7 * SEC);
        (void) look(f, now + 8 * SEC, &m, 1);
        assert_int_equal(drained(f, now + 8 * SEC, true), INFLIGHT_NOT_QUIET);
        (void) look(f, now + 12 * SEC, &m, 1);
        assert_int_equal(drained(f, now + 12 * SEC, false), INFLIGHT_DRAINED);
}

/* One slow upload is one request, however often bytes come in. */
static void an_upload_is_not_persistent(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m = sim(false, t);
        exchange(&m, false, t);
        (void) look(f, t, &m, 1);
        inflight_mark(f, t);
        for (int i = 1; i < 30; i++) {
                receives(&m, t + (Usec) i * SEC, 1000);
                InflightSummary s = look(f, t + (Usec) i * SEC, &m, 1);
                assert_int_equal(s.busy, 1);
                assert_int_equal(s.persistent, 0);
        }
}

/* A router that opens an upstream connection for each request of a persistent client. */
static void upstream_sockets_in_use_count_with_the_persistent(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC, now = t, drained_at = 0;
        Sim m[2] = { sim(false, t), sim(true, t) };
        const char *why;
        (void) look(f, t, m, 2);
        inflight_mark(f, t);
        for (int i = 1; i < 20 && !drained_at; i++) {
                now = t + (Usec) i * 500 * MS;
                exchange(&m[0], false, now - 200 * MS);
                m[1] = sim(true, now - 10 * MS);
                sends(&m[1], now - 10 * MS, 100, now - 10 * MS);
                (void) look(f, now, m, 2);
                if (drained(f, now, true) == INFLIGHT_DRAINED)
                        drained_at = now;
        }
        assert_true(drained_at > 0 && drained_at <= t + QUIET);
        assert_false(inflight_gate(f, &why)); /* but here it does */

        /* Unanswered for long it is in the way. */
        exchange(&m[0], false, now + 5 * SEC);
        InflightSummary s = look(f, now + 6 * SEC, m, 2);
        assert_int_equal(s.busy, 1);
        assert_int_equal(drained(f, now + 6 * SEC, true), INFLIGHT_IN_FLIGHT);
}

/* A pool of which each request takes another socket: none of them is ever persistent itself. */
static void a_pool_in_rotation_counts_with_the_persistent(void **state)
{
        (void) state;
        enum { N = 40 };
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC, now = t, drained_at = 0;
        Sim m[1 + N];
        m[0] = sim(false, t);
        for (size_t i = 1; i <= N; i++) {
                m[i] = sim(true, t);
                exchange(&m[i], true, t);
        }
        (void) look(f, t + SEC, m, 1 + N);
        inflight_mark(f, t + SEC);
        for (unsigned i = 0; i < 30 && !drained_at; i++) {
                now = t + SEC + (i + 1) * 500 * MS;
                exchange(&m[0], false, now - 200 * MS);
                exchange(&m[1 + i % N], true, now - 200 * MS);
                sends(&m[1 + (i + 1) % N], now - 10 * MS, 100, now - 10 * MS); /* and one on its way */
                (void) look(f, now, m, 1 + N);
                receives(&m[1 + (i + 1) % N], now, 100);
                if (drained(f, now, true) == INFLIGHT_DRAINED)
                        drained_at = now;
        }
        assert_true(drained_at > 0 && drained_at <= t + SEC + QUIET);

        /* Without a persistent client nothing is excused. */
        m[0].rx_at = m[0].tx_at = now - 20 * SEC;
        sends(&m[1], now + SEC, 100, now + SEC);
        assert_int_equal(look(f, now + 2 * SEC, m, 1 + N).busy, 1);
}

static void two_looks_must_agree(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC, wait;
        const char *why;
        Sim m = sim(false, t);
        exchange(&m, false, t);

        assert_int_equal(inflight_drained(f, t, true, &wait), INFLIGHT_NOT_LOOKED);
        assert_int_equal(wait, 0);
        assert_false(inflight_gate(f, &why));

        (void) look(f, t + 2 * SEC, &m, 1);
        assert_int_equal(inflight_drained(f, t + 2 * SEC, true, &wait), INFLIGHT_NOT_QUIET);
        assert_in_range(wait, 3 * SEC, 3 * SEC + 8 * MS);
        assert_true(inflight_gate(f, &why));

        (void) look(f, t + 6 * SEC, &m, 1);
        assert_int_equal(drained(f, t + 6 * SEC, true), INFLIGHT_DRAINED);

        /* Another count of connections: from the beginning. */
        (void) look_at(f, t + 7 * SEC, 1, &m, 1);
        assert_int_equal(inflight_drained(f, t + 7 * SEC, true, &wait), INFLIGHT_UNCONFIRMED);
        assert_int_equal(wait, 500 * MS);
        (void) look_at(f, t + 7 * SEC + 400 * MS, 1, &m, 1);
        assert_int_equal(inflight_drained(f, t + 7 * SEC + 450 * MS, true, &wait), INFLIGHT_UNCONFIRMED);
        assert_int_equal(wait, 50 * MS);
        (void) look_at(f, t + 7 * SEC + 500 * MS, 1, &m, 1);
        assert_int_equal(drained(f, t + 8 * SEC, true), INFLIGHT_DRAINED);

        /* A request between two looks, already answered: seen by its age. */
        exchange(&m, false, t + 8 * SEC);
        (void) look_at(f, t + 9 * SEC, 1, &m, 1);
        assert_int_equal(drained(f, t + 9 * SEC, true), INFLIGHT_NOT_QUIET);

        /* No listener in the dump: nothing is proven. */
        InflightSummary s;
        inflight_begin(f, t + 20 * SEC, true, 1);
        assert_int_equal(inflight_feed(at(&m, t + 20 * SEC), f), 0);
        inflight_end(f, &s);
        assert_int_equal(drained(f, t + 20 * SEC, true), INFLIGHT_NOT_LOOKED);
        assert_false(inflight_gate(f, &why));
}

/* A dump under churn may tell a socket twice, in two states. */
static void told_twice_counts_once(void **state)
{
        (void) state;
        enum { N = INFLIGHT_RECORDS + 1000 };
        static Sim m[N];
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        InflightSummary s;
        const Sock *pending;
        for (size_t i = 0; i < N; i++) {
                m[i] = sim(false, t);
                exchange(&m[i], false, t);
        }
        /* Idle first, then with a request. */
        inflight_begin(f, t + SEC, true, 0);
        assert_int_equal(inflight_feed(at(&m[0], t + SEC), f), 0);
        assert_int_equal(inflight_feed(at(&m[1], t + SEC), f), 0);
        receives(&m[0], t + SEC, 100);
        assert_int_equal(inflight_feed(at(&m[0], t + SEC), f), 0);
        inflight_end(f, &s);
        assert_int_equal(s.sockets, 2);
        assert_int_equal(s.idle, 1);
        assert_int_equal(s.busy, 1);

        /* More in the way than there are records. */
        for (size_t i = 1; i < N; i++)
                receives(&m[i], t + SEC, 100);
        for (Usec now = t + 2 * SEC; now < t + 4 * SEC; now += SEC) {
                inflight_begin(f, now, true, 0);
                for (size_t i = 0; i < 2 * N; i++)
                        assert_int_equal(inflight_feed(at(&m[i % N], now), f), 0);
                inflight_end(f, &s);
                assert_int_equal(s.sockets, N);
                assert_int_equal(s.busy, N);
                assert_int_equal(inflight_pending(f, &pending), INFLIGHT_RECORDS);
                assert_false(s.partial_helps);
        }
}

/* The upstream side was busy a moment ago, and that socket is closed now. */
static void a_closed_upstream_socket_still_was_busy(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(true, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m[2] = { sim(false, t), sim(true, t) };
        receives(&m[0], t, 100);
        sends(&m[0], t, 200, t);
        sends(&m[1], t, 100, t);
        assert_int_equal(look(f, t + 10 * SEC, m, 2).busy, 1);
        m[1].s.state = TCP_FIN_WAIT2;
        InflightSummary s = look(f, t + 11 * SEC, m, 2);
        assert_int_equal(s.unknown, 1);
        s = look(f, t + 10 * SEC + QUIET - MS, m, 1);
        assert_int_equal(s.unknown, 1);
        s = look(f, t + 10 * SEC + QUIET, m, 1);
        assert_int_equal(s.idle_by_age, 1);
}

static void queues_are_in_flight(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Sock two[2] = { listener, listener };
        two[1].cookie = 2;
        two[0].rqueue = 2;
        two[1].rqueue = 6;
        InflightSummary s;
        const char *why;
        inflight_begin(f, 10 * SEC, true, 0);
        for (int i = 0; i < 4; i++)
                assert_int_equal(inflight_feed(&two[i % 2], f), 0);
        inflight_end(f, &s);
        assert_int_equal(s.accept_queue, 8);
        assert_int_equal(s.listeners, 2);
        assert_false(s.partial_helps);
        assert_int_equal(drained(f, 10 * SEC, true), INFLIGHT_IN_FLIGHT);
        assert_false(inflight_gate(f, &why));
}

static void a_missing_busy_socket_is_not_gone(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        const char *why;
        Sim m[2] = { sim(false, t), sim(false, t) };
        receives(&m[0], t, 100);
        receives(&m[1], t, 100);
        assert_int_equal(look(f, t + SEC, m, 2).busy, 2);
        InflightSummary s = look(f, t + 2 * SEC, m, 0);
        assert_int_equal(s.busy, 2);
        assert_int_equal(s.missing, 2);
        assert_false(inflight_gate(f, &why));
        assert_string_equal(why, "not in the last look, not known to be gone");

        s = partial(f, t + 3 * SEC, &m[1], 1); /* the first is gone, the second is there */
        assert_int_equal(s.busy, 1);
        assert_int_equal(s.missing, 0);
        (void) look(f, t + 4 * SEC, m, 0);
        s = look(f, t + 5 * SEC, m, 0);
        assert_int_equal(s.sockets, 0);
        assert_true(inflight_gate(f, &why));

        /* One that leaves is neither missing nor in the way. */
        assert_int_equal(look(f, t + 6 * SEC, m, 1).busy, 1);
        m[0].s.state = TCP_FIN_WAIT1;
        s = look(f, t + 7 * SEC, m, 1);
        assert_int_equal(s.leaving, 1);
        assert_int_equal(s.busy + s.missing, 0);
}

static void partial_looks_keep_the_rest(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        Usec t = 1000 * SEC;
        Sim m[10];
        const Sock *pending;
        for (size_t i = 0; i < 10; i++) {
                m[i] = sim(false, t);
                exchange(&m[i], false, t);
        }
        receives(&m[3], t + 10 * SEC, 100);
        receives(&m[7], t + 11 * SEC, 100);
        InflightSummary s = look(f, t + 12 * SEC, m, 10);
        assert_int_equal(s.busy, 2);
        assert_int_equal(s.n_stragglers, 2);
        assert_true(s.partial_helps);
        assert_true(addr_equal(&s.stragglers[0].peer, &m[3].s.peer)); /* the oldest first */
        assert_int_equal(inflight_pending(f, &pending), 2);

        sends(&m[3], t + 13 * SEC, 100, t + 13 * SEC);
        s = partial(f, t + 14 * SEC, m, 10);
        assert_false(s.full);
        assert_int_equal(s.sockets, 10);
        assert_int_equal(s.busy, 1);
        assert_int_equal(s.idle, 9);
        assert_int_equal(inflight_pending(f, &pending), 1);
        assert_in_range(s.quiet_usec, 992 * MS, 1008 * MS); /* of the one that was answered */
        sends(&m[7], t + 15 * SEC, 100, t + 15 * SEC);
        s = partial(f, t + 16 * SEC, m, 10);
        assert_int_equal(s.idle, 10);
        assert_int_equal(inflight_pending(f, &pending), 0);
        Usec wait;
        assert_int_equal(inflight_drained(f, t + 16 * SEC, true, &wait), INFLIGHT_NOT_QUIET);
        assert_in_range(wait, 4 * SEC - 8 * MS, 4 * SEC + 8 * MS);
        (void) look(f, t + 20 * SEC + 500 * MS, m, 10);
        assert_int_equal(drained(f, t + 21 * SEC, true), INFLIGHT_UNCONFIRMED);
        (void) look(f, t + 21 * SEC, m, 10);
        assert_int_equal(drained(f, t + 21 * SEC, true), INFLIGHT_DRAINED);
}

static long rss_anon_kib(void)
{
        long kib = -1;
        char line[256];
        _cleanup_(fclosep) FILE *file = fopen("/proc/self/status", "re");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "RssAnon: %ld", &kib) == 1)
                        break;
        return kib;
}

/* 300,000 sockets: all counted, as many remembered as fit, and the verdict on the others is the careful one.
 */
static void memory_is_bounded(void **state)
{
        (void) state;
        const unsigned n = 300000;
        Usec t = 1000 * SEC;
        long before = rss_anon_kib(), most = 0;
        for (int busy = 0; busy < 2; busy++) {
                _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
                InflightSummary s;
                const Sock *pending;
                for (unsigned pass = 0; pass < 2; pass++) {
                        inflight_begin(f, t + pass * SEC, true, 0);
                        assert_int_equal(inflight_feed(&listener, f), 0);
                        for (unsigned i = 0; i < n; i++) {
                                Sim m = sim(false, t);
                                m.s.cookie = 5000000 + i;
                                exchange(&m, false, t - 100 * SEC);
                                if (busy)
                                        receives(&m, t - 50 * SEC, 1);
                                else if (pass == 1)
                                        m.ack_at = t; /* keepalive */
                                m.tx_at = busy ? m.tx_at : m.rx_at;
                                assert_int_equal(inflight_feed(at(&m, t + pass * SEC), f), 0);
                        }
                        inflight_end(f, &s);
                        most = MAX(most, rss_anon_kib());
                        assert_int_equal(s.sockets, n);
                        assert_int_equal(s.busy, busy ? n : 0);
                        if (!busy && pass == 0)
                                assert_int_equal(s.idle, n);
                        else if (!busy) {
                                /* What could not be remembered: idle by age here, since 100 s is over the
                                 * limit. */
                                assert_int_equal(s.idle, n);
                                assert_in_range(s.idle_by_age, n - INFLIGHT_REMEMBER,
                                                n - INFLIGHT_REMEMBER + 1);
                        }
                }
                assert_int_equal(inflight_pending(f, &pending), busy ? INFLIGHT_RECORDS : 0);
                assert_int_equal(s.partial_helps, !busy);
                assert_int_equal(s.n_stragglers, busy ? INFLIGHT_STRAGGLERS : 0);
        }
        if (!SANITIZED)
                assert_in_range(most - before, 0, 2560);
}

/* Churn: sockets come and go for 300 looks; the table does not fill up with the dead. */
static void closed_sockets_are_forgotten(void **state)
{
        (void) state;
        _cleanup_(inflight_freep) Inflight *f = engine(false, false, QUIET);
        enum { N = 2000 };
        static Sim m[N];
        Usec t = 1000 * SEC;
        for (unsigned pass = 0; pass < 300; pass++) {
                for (size_t i = 0; i < N; i++)
                        if (pass == 0 || i % 3 == pass % 3) {
                                m[i] = sim(false, t + pass * SEC);
                                exchange(&m[i], false, t + pass * SEC);
                                m[i].tx_at = m[i].rx_at;
                        }
                InflightSummary s = look(f, t + pass * SEC + 100 * MS, m, N);
                assert_int_equal(s.idle, N);
        }
        /* 200,000 cookies later the living are still remembered. */
        for (size_t i = 0; i < N; i++)
                m[i].ack_at = t + 310 * SEC;
        assert_int_equal(look(f, t + 310 * SEC, m, N).idle, N);
}

static uint32_t seed = 1;
static uint32_t rnd(uint32_t below)
{
        seed = seed * 1664525u + 1013904223u;
        return (uint32_t) ((uint64_t) (seed >> 1) * below >> 31);
}

static Sim random_sim(Usec now)
{
        Sim m = sim(rnd(2), now);
        static const uint8_t states[] = { 1, 1, 1, 1, 1, 1, 8, 8, 3, 4, 5, 9, 2, 11 };
        m.s.state = states[rnd(ELEMENTS(states))];
        m.s.has_info = m.s.state != TCP_SYN_RECV;
        m.s.inode = rnd(20) ? 7 : 0;
        m.s.rqueue = rnd(8) ? 0 : rnd(3);
        m.s.wqueue = rnd(8) ? 0 : rnd(3);
        m.s.bytes_received = rnd(4) ? rnd(5000) : 0;
        m.s.bytes_acked = rnd(4) ? rnd(5000) : 0;
        m.s.data_segs_out = m.s.bytes_acked > 1;
        m.rx_at = now - rnd(4) * rnd(20000) * MS;
        m.tx_at = rnd(2) ? m.rx_at : now - rnd(4) * rnd(20000) * MS;
        m.ack_at = rnd(2) ? MAX(m.rx_at, m.tx_at) : now - rnd(300) * MS;
        return m;
}

static void random_change(Sim *m, Usec now)
{
        if (rnd(3) == 0)
                receives(m, now - rnd(500) * MS, rnd(100));
        if (rnd(3) == 0)
                sends(m, rnd(2) ? m->rx_at : now - rnd(500) * MS, rnd(100), m->rx_at);
        if (rnd(9) == 0)
                m->ack_at = now - rnd(100) * MS;
}

static void same(const InflightSummary *a, const InflightSummary *b)
{
        assert_int_equal(a->sockets, b->sockets);
        assert_int_equal(a->busy, b->busy);
        assert_int_equal(a->unknown, b->unknown);
        assert_int_equal(a->idle, b->idle);
        assert_int_equal(a->persistent, b->persistent);
        assert_int_equal(a->persistent_busy, b->persistent_busy);
        assert_int_equal(a->streamers, b->streamers);
        assert_int_equal(a->idle_by_age, b->idle_by_age);
        assert_int_equal(a->missing, b->missing);
        assert_int_equal(a->syn_queue, b->syn_queue);
        assert_int_equal(a->quiet_usec, b->quiet_usec);
        assert_int_equal(a->n_stragglers, b->n_stragglers);
        assert_int_equal(a->partial_helps, b->partial_helps);
        for (size_t i = 0; i < a->n_stragglers; i++)
                assert_int_equal(a->stragglers[i].busy_usec, b->stragglers[i].busy_usec);
}

/*
 * Whatever the order in which a look tells the sockets, and whatever it tells twice, the conclusions are the
 * same; the counts add up; and what the gate lets through has nobody in the way.
 */
static void order_and_repetition_do_not_matter(void **state)
{
        (void) state;
        enum { N = 120, LOOKS = 12, RUNS = 150 };
        for (unsigned run = 0; run < RUNS; run++) {
                seed = run + 1;
                bool is_paired = rnd(2), tls = rnd(2);
                _cleanup_(inflight_freep) Inflight *a = engine(is_paired, tls, QUIET);
                _cleanup_(inflight_freep) Inflight *b = engine(is_paired, tls, QUIET);
                Sim m[N];
                size_t order[N];
                Usec now = 1000 * SEC;
                for (size_t i = 0; i < N; i++) {
                        m[i] = random_sim(now);
                        order[i] = i;
                }
                for (unsigned l = 0; l < LOOKS; l++) {
                        now += 100 * MS + rnd(3000) * MS;
                        for (size_t i = 0; i < N; i++)
                                if (rnd(30) == 0)
                                        m[i] = random_sim(now);
                                else
                                        random_change(&m[i], now);
                        for (size_t i = N; i-- > 1;) {
                                size_t k = rnd((uint32_t) i + 1), swap = order[i];
                                order[i] = order[k];
                                order[k] = swap;
                        }
                        if (l == 4) {
                                inflight_mark(a, now);
                                inflight_mark(b, now);
                        }
                        InflightSummary sa = look(a, now, m, N), sb;
                        inflight_begin(b, now, true, 0);
                        for (size_t i = 0; i < N; i++) {
                                assert_int_equal(inflight_feed(at(&m[order[i]], now), b), 0);
                                if (rnd(4) == 0)
                                        assert_int_equal(
                                                inflight_feed(at(&m[order[rnd((uint32_t) i + 1)]], now), b),
                                                0);
                                if (rnd(50) == 0)
                                        assert_int_equal(inflight_feed(&listener, b), 0);
                        }
                        assert_int_equal(inflight_feed(&listener, b), 0);
                        inflight_end(b, &sb);
                        same(&sa, &sb);
                        assert_int_equal(sa.sockets, sa.busy + sa.unknown + sa.idle + sa.persistent_busy);

                        const char *why;
                        assert_int_equal(inflight_gate(a, &why), sa.n_stragglers == 0);
                        if (drained(a, now, true) == INFLIGHT_DRAINED)
                                assert_int_equal(sa.busy + sa.unknown, 0);
                        if (rnd(2)) {
                                now += 50 * MS;
                                sa = partial(a, now, m, N);
                                sb = partial(b, now, m, N);
                                same(&sa, &sb);
                        }
                }
        }
}

/* The table against a plain array. */
static void cookies_are_found_again(void **state)
{
        (void) state;
        enum { N = 30000 };
        static uint64_t key[N];
        static uint8_t in[N];
        Cookies t = { .max = 20000 };
        size_t used = 0;
        uint16_t seen = 1;
        seed = 99;
        memset(in, 0, sizeof(in));
        for (size_t i = 0; i < N; i++)
                key[i] = rnd(2) ? i + 1 : (uint64_t) rnd(1u << 30) << 33 | i << 1 | 1;
        assert_null(cookies_find(&t, 5));
        assert_null(cookies_add(&t, 0));
        for (unsigned step = 0; step < 200000; step++) {
                size_t i = rnd(N);
                Cookie *e = cookies_find(&t, key[i]);
                assert_true((e != NULL) == in[i]);
                if (e) {
                        assert_int_equal(e->cookie, key[i]);
                        e->seen = seen;
                } else {
                        e = cookies_add(&t, key[i]);
                        assert_true((e != NULL) == (used < t.max));
                        if (e) {
                                in[i] = 1;
                                used++;
                                e->seen = seen;
                                e->has_record = rnd(20) == 0;
                        }
                }
                if (step % 20000 == 19999) {
                        cookies_sweep(&t, seen);
                        used = 0;
                        for (size_t k = 0; k < N; k++) {
                                e = cookies_find(&t, key[k]);
                                assert_true(!e || in[k]);
                                assert_true(!e || e->seen == seen || e->has_record);
                                assert_true(!e || !e->unplaced);
                                in[k] = e != NULL;
                                used += in[k];
                        }
                        assert_int_equal(used, t.used);
                        seen++;
                }
        }
        cookies_done(&t);
        assert_null(cookies_find(&t, 5));
        cookies_done(&t);
}

static void names_and_limits(void **state)
{
        (void) state;
        assert_string_equal(inflight_verdict_name(INFLIGHT_UNKNOWN), "unknown");
        assert_string_equal(inflight_verdict_name(INFLIGHT_VERDICT_INVALID), "invalid");
        assert_null(inflight_free(NULL));
        Inflight *f = NULL;
        Err err;
        InflightConfig config = { .n_traffic = CONNS_PORTS_MAX + 1 };
        assert_int_equal(inflight_new(&f, &config, &err), -22);
        assert_null(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_row_has_its_verdict),
                cmocka_unit_test(the_engine_counts_what_the_rows_say),
                cmocka_unit_test(other_ports_and_gone_sockets_are_ignored),
                cmocka_unit_test(keepalives_do_not_undo_idle),
                cmocka_unit_test(an_unpaired_tie_ends_at_the_request_limit),
                cmocka_unit_test(a_paired_tie_ends_with_the_upstream_sides_quiet),
                cmocka_unit_test(an_upstream_request_survives_keepalives),
                cmocka_unit_test(tls_needs_the_server_seen_speaking_twice),
                cmocka_unit_test(tls_with_http1_is_as_plain_behind_the_handshake),
                cmocka_unit_test(a_streamer_is_idle_only_after_the_limit),
                cmocka_unit_test(who_spoke_unasked_once_may_be_a_stream),
                cmocka_unit_test(who_was_told_to_continue_is_awaited),
                cmocka_unit_test(an_answer_seen_unread_is_an_answer),
                cmocka_unit_test(a_frame_without_an_answer_ends_with_the_limit),
                cmocka_unit_test(a_download_is_no_streamer),
                cmocka_unit_test(a_download_in_bursts_is_no_streamer),
                cmocka_unit_test(the_first_exchange_is_no_tie),
                cmocka_unit_test(the_speaker_settles_a_tie),
                cmocka_unit_test(the_speaker_settles_an_upstream_tie),
                cmocka_unit_test(an_unheard_upstream_tie_is_idle_by_age_only),
                cmocka_unit_test(the_speaker_settles_a_tie_below_tls_too),
                cmocka_unit_test(persistent_clients_do_not_hold_up_the_drain),
                cmocka_unit_test(a_long_request_on_a_persistent_connection_counts),
                cmocka_unit_test(an_upload_is_not_persistent),
                cmocka_unit_test(upstream_sockets_in_use_count_with_the_persistent),
                cmocka_unit_test(a_pool_in_rotation_counts_with_the_persistent),
                cmocka_unit_test(two_looks_must_agree),
                cmocka_unit_test(told_twice_counts_once),
                cmocka_unit_test(a_closed_upstream_socket_still_was_busy),
                cmocka_unit_test(queues_are_in_flight),
                cmocka_unit_test(a_missing_busy_socket_is_not_gone),
                cmocka_unit_test(partial_looks_keep_the_rest),
                cmocka_unit_test(memory_is_bounded),
                cmocka_unit_test(closed_sockets_are_forgotten),
                cmocka_unit_test(order_and_repetition_do_not_matter),
                cmocka_unit_test(cookies_are_found_again),
                cmocka_unit_test(names_and_limits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
