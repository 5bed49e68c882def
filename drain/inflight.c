/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/inflight.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "drain/inflight-state.h"
#include "drain/judge.h"

#define LIMIT_MARGIN_USEC (1 * USEC_PER_SEC)

/* Two looks that count new requests on a socket are at least this far apart, less with a short quiet time. */
#define SPACING_USEC (500 * USEC_PER_MSEC)

/* Moving sockets that are idle may take so many of the records, so that some are left for those in the way.
 */
#define RECORDS_MOVING     (INFLIGHT_RECORDS / 2)
#define RECORDS_FIRST      64
#define HANDSHAKE_SEGMENTS 8 /* more segments than a TLS handshake takes in one direction */
#define HANDSHAKE_BYTES    (32 * 1024)
#define PAUSE_PART         5 /* of the quiet time: shorter pauses are a download's, not a stream's */

/* A server that has spoken unasked once may be a stream: so many quiet times show whether it does again. */
#define MAYBE_STREAM_QUIETS 2

/* "HTTP/1.1 100 Continue\r\n\r\n". No whole answer is so short but one without any header. */
#define CONTINUE_BYTES 25

const char *inflight_verdict_name(InflightVerdict v)
{
        static const char *const names[INFLIGHT_VERDICT_COUNT] = {
                [INFLIGHT_IDLE] = "idle",
                [INFLIGHT_BUSY] = "busy",
                [INFLIGHT_UNKNOWN] = "unknown",
                [INFLIGHT_LEAVING] = "leaving",
        };
        return v >= 0 && v < INFLIGHT_VERDICT_COUNT ? names[v] : "invalid";
}

static void port_set(Inflight *f, Side side, uint16_t port)
{
        f->ports[side][port / 8] |= (uint8_t) (1u << port % 8);
}

static bool port_has(const Inflight *f, Side side, uint16_t port)
{
        return f->ports[side][port / 8] >> port % 8 & 1;
}

int inflight_new(Inflight **ret, const InflightConfig *config, Err *err)
{
        if (config->n_traffic > CONNS_PORTS_MAX || config->n_upstream > CONNS_PORTS_MAX)
                return err_set(err, -EINVAL, "more than %d ports to drain", CONNS_PORTS_MAX);

        Inflight *f = calloc(1, sizeof(*f));
        if (!f)
                return err_errno(err, -ENOMEM, "drain");
        f->config = *config;
        f->cookies.max = INFLIGHT_REMEMBER;
        for (size_t i = 0; i < config->n_traffic; i++)
                port_set(f, SIDE_DOWN, config->traffic_ports[i]);
        for (size_t i = 0; i < config->n_upstream; i++)
                port_set(f, SIDE_UP, config->upstream_ports[i]);
        *ret = f;
        return 0;
}

Inflight *inflight_free(Inflight *f)
{
        if (f) {
                cookies_done(&f->cookies);
                free(f->socks);
                free(f->records);
                free(f);
        }
        return NULL;
}

void inflight_filter(const Inflight *f, ConnsFilter *ret)
{
        *ret = (ConnsFilter){
                .n_local = f->config.n_traffic,
                .n_peer = f->config.n_upstream,
                .states = CONNS_LIVE,
        };
        memcpy(ret->local_ports, f->config.traffic_ports, sizeof(ret->local_ports));
        memcpy(ret->peer_ports, f->config.upstream_ports, sizeof(ret->peer_ports));
}

void inflight_begin(Inflight *f, Usec now, bool full, uint64_t new_connections)
{
        f->now = now;
        f->full = full;
        if (f->new_connections != new_connections) {
                f->run.on = f->run_persistent.on = false;
                f->new_connections = new_connections;
        }
        if (!full)
                return;

        if (f->first_at == 0)
                f->first_at = now;
        f->seen = (f->seen + 1) & 0x7fff; /* as many bits as Cookie.seen has */
        f->n_seen = f->n_doubtful = 0;
        memset(&f->base, 0, sizeof(f->base));
        f->listeners = f->accept_queue = f->leaving = 0;
}

void inflight_mark(Inflight *f, Usec now)
{
        if (f->marked)
                return;
        f->marked = true;
        f->marked_at = now;
}

/* Two totals are the same if their fingerprints are: wrong once in 65,536 movements, for each direction. */
static uint16_t fingerprint(uint64_t total)
{
        return (uint16_t) (total * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

static Usec before(Usec now, uint32_t age_ms)
{
        Usec age = (Usec) age_ms * USEC_PER_MSEC;
        return now > age ? now - age : 1;
}

void inflight_tally_add(Tallies *ts, const Outcome *o, bool missing)
{
        Tally *t = &ts->t[o->side][o->class];
        t->n[o->verdict]++;
        t->old += o->old && !missing;
        t->by_age += o->by_age;
        t->streamers += o->streamer;
        t->missing += missing;
        t->moved_at = MAX(t->moved_at, o->moved_at);
        ts->syn += o->syn;
}

void inflight_doubt(Inflight *f, const Sock *s)
{
        if (f->n_doubtful < INFLIGHT_DOUBTFUL)
                f->doubtful[f->n_doubtful++] = *s;
}

size_t inflight_doubtful(const Inflight *f, const Sock **ret)
{
        *ret = f->doubtful;
        return f->n_doubtful;
}

void inflight_record_drop(Inflight *f, size_t i)
{
        Cookie *e = cookies_find(&f->cookies, f->socks[i].cookie);
        e->has_record = 0;
        e->rx = fingerprint(f->records[i].rx);
        e->tx = fingerprint(f->records[i].tx);

        size_t last = --f->n_records;
        if (i == last)
                return;
        f->socks[i] = f->socks[last];
        f->records[i] = f->records[last];
        cookies_find(&f->cookies, f->socks[i].cookie)->record = (uint32_t) i;
}

/* Return: the new record, zeroed but for its totals; NULL when there is no room (the caller only counts). */
static Record *record_add(Inflight *f, Cookie *e, bool moving)
{
        if (f->n_records >= (moving ? RECORDS_MOVING : INFLIGHT_RECORDS))
                return NULL;
        if (f->n_records == f->n_allocated) {
                size_t n = f->n_allocated ? 2 * f->n_allocated : RECORDS_FIRST;
                Sock *socks = realloc(f->socks, n * sizeof(*socks));
                if (socks)
                        f->socks = socks;
                Record *records = realloc(f->records, n * sizeof(*records));
                if (records)
                        f->records = records;
                if (!socks || !records)
                        return NULL;
                f->n_allocated = n;
        }
        Record *r = &f->records[f->n_records];
        *r = (Record){ .counted_at = e->requests > 0 ? f->now : 0 };
        e->has_record = 1;
        e->record = (uint32_t) f->n_records++;
        return r;
}

/*
 * Has the server said "100 Continue" and nothing else since the socket was seen last? The client, which had
 * spoken, may think about it for as long as it likes before it sends the body.
 */
static bool is_continue(const Cookie *e, const Record *r, Side side, uint64_t rx, uint64_t tx, bool asked)
{
        if (side == SIDE_DOWN)
                return asked &&
                       (r ? r->tx + CONTINUE_BYTES == tx : e->tx == fingerprint(tx - CONTINUE_BYTES));
        return asked && (r ? r->rx + CONTINUE_BYTES == rx : e->rx == fingerprint(rx - CONTINUE_BYTES));
}

/* What has moved since the socket was seen last, and what the movements say. @r: its record, if it has one.
 */
static void learn(Inflight *f, Cookie *e, Record *r, const Sock *s, Side side, bool moved_rx, bool moved_tx)
{
        bool answered = side == SIDE_DOWN ? moved_tx : moved_rx,
             asked = side == SIDE_DOWN ? moved_rx : moved_tx;
        if (answered)
                e->continued = is_continue(e, r, side, judge_received(s), judge_written(s),
                                           asked || e->verdict != INFLIGHT_IDLE);

        if (asked)
                e->streaming = 0;
        else if (answered && e->verdict == INFLIGHT_IDLE && e->paused && e->streaming < 2)
                e->streaming++;

        /* The first thing a TLS server says is no answer. */
        if (moved_tx && e->spoken < 2 && (r ? r->tx > 0 : e->tx != 0))
                e->spoken++;

        if (!f->marked)
                return;
        e->grew_rx |= moved_rx && before(f->now, s->last_data_recv_ms) >= f->marked_at;
        e->grew_tx |= moved_tx && before(f->now, s->last_data_sent_ms) >= f->marked_at;
        if (!e->grew_rx || !e->grew_tx)
                return;
        Usec spacing = MIN(SPACING_USEC, f->config.quiet_usec / 5);
        if (e->requests < 2 && (!r || f->now >= r->counted_at + spacing)) {
                e->requests++;
                e->grew_rx = e->grew_tx = 0;
                if (r)
                        r->counted_at = f->now;
        }
}

/*
 * Clients of HTTP/2 say things that get no answer (WINDOW_UPDATE behind a download), and so does TLS. Where
 * that can be, received later than sent is no proof for longer than any request can last.
 */
static bool frame_at_the_end(const Inflight *f, const Sock *s, Side side, InflightVerdict v)
{
        return v == INFLIGHT_BUSY && side == SIDE_DOWN && f->config.tls && !judge_waits(s);
}

/*
 * A TLS server's first words, the handshake and its tickets, are no answer; they are a few segments and less
 * than 16 KiB, also with a long chain of certificates. Many from the peer alone prove nothing: a request of
 * ten segments comes in one flight with the end of the handshake. With h2 no words need be an answer.
 */
static bool words_are_answers(const Inflight *f, const Sock *s)
{
        if (!f->config.tls)
                return true;
        return f->config.tls_http1 &&
               ((s->data_segs_in >= HANDSHAKE_SEGMENTS && s->data_segs_out >= HANDSHAKE_SEGMENTS) ||
                s->bytes_acked >= HANDSHAKE_BYTES);
}

/* From the verdict on its fields to the outcome. @e: NULL when it could not be remembered. */
static Outcome conclude(const Inflight *f, const Cookie *e, const Sock *s, Side side, InflightVerdict v,
                        const char *why)
{
        Usec age = (Usec) judge_age_ms(s) * USEC_PER_MSEC;
        Usec quiet = f->config.quiet_usec;
        bool over = age > f->config.request_limit_usec + LIMIT_MARGIN_USEC;
        /* Tickets, a pause, the answer: not unasked. A stream is one on the other side of the router too. */
        bool tickets = side == SIDE_DOWN && f->config.tls && inflight_paired(f);
        Outcome o = {
                .verdict = v,
                .side = side,
                .why = why,
                .syn = s->state == TCP_SYN_RECV,
                .moved_at = before(f->now, judge_age_ms(s)),
        };

        if (e && e->continued && (v == INFLIGHT_IDLE || v == INFLIGHT_UNKNOWN)) {
                o.by_age = over;
                o.verdict = over ? INFLIGHT_IDLE : INFLIGHT_BUSY;
                o.why = "told to continue, its body is awaited";
        } else if (over && (v == INFLIGHT_UNKNOWN || frame_at_the_end(f, s, side, v))) {
                o.verdict = INFLIGHT_IDLE;
                o.by_age = true;
        } else if (v == INFLIGHT_IDLE && e && e->streaming == 2) {
                o.by_age = over;
                o.streamer = !over;
                if (!over) {
                        o.verdict = INFLIGHT_BUSY;
                        o.why = "a stream between two chunks";
                }
        } else if (v == INFLIGHT_IDLE && e && e->streaming == 1 && !tickets) {
                o.by_age = age >= MAYBE_STREAM_QUIETS * quiet || over;
                if (!o.by_age) {
                        o.verdict = INFLIGHT_BUSY;
                        o.why = "it spoke unasked after a pause: perhaps a stream";
                }
        } else if (v == INFLIGHT_IDLE && side == SIDE_DOWN && !words_are_answers(f, s) &&
                   !inflight_paired(f) && judge_received(s) > 0 && (!e || e->spoken < 2)) {
                o.by_age = over;
                if (!over) {
                        o.verdict = INFLIGHT_UNKNOWN;
                        o.why = "the server was not seen answering (TLS)";
                }
        }
        o.by_age |= v == INFLIGHT_IDLE && o.verdict == v && side == SIDE_UP && e && e->unheard;
        /* Nothing settles the other side's ties, so its own are not old before it was asked who spoke. */
        o.old = o.verdict == INFLIGHT_UNKNOWN && age >= quiet && (side == SIDE_DOWN || !e || e->unheard);

        if (e) {
                Usec request_age = (Usec) (side == SIDE_DOWN ? s->last_data_recv_ms : s->last_data_sent_ms) *
                                   USEC_PER_MSEC;
                if (e->requests == 2 && request_age < quiet)
                        o.class = CLASS_PERSISTENT;
                else if (f->marked && side == SIDE_UP && (age < quiet || s->state == TCP_SYN_SENT))
                        o.class = CLASS_RECENT;
                o.moving = f->marked && age < quiet && (e->requests > 0 || e->grew_rx || e->grew_tx);
        }
        return o;
}

static void feed_listener(Inflight *f, const Sock *s)
{
        if (!f->full)
                return;
        Cookie *e = cookies_find(&f->cookies, s->cookie);
        if (e && e->seen == f->seen)
                return;
        if (!e)
                e = cookies_add(&f->cookies, s->cookie);
        if (e) {
                e->seen = f->seen;
                f->n_seen++;
        }
        f->listeners++;
        f->accept_queue += s->rqueue;
}

static void feed_leaving(Inflight *f, Cookie *e, bool again)
{
        if (e && e->has_record)
                inflight_record_drop(f, e->record);
        if (again)
                return;
        if (e && f->full) {
                e->seen = f->seen;
                f->n_seen++;
        }
        f->leaving++;
}

static JudgePast past_of(const Cookie *e)
{
        switch ((InflightVerdict) e->verdict) {
        case INFLIGHT_IDLE:
                return JUDGE_IDLE;
        case INFLIGHT_BUSY:
                return JUDGE_BUSY;
        default:
                return e->unheard ? JUDGE_UNHEARD : JUDGE_OTHER;
        }
}

int inflight_feed(const Sock *s, void *inflight)
{
        Inflight *f = inflight;
        bool down = port_has(f, SIDE_DOWN, s->local_port);

        cookies_prefetch(&f->cookies, s->soon);
        if (s->state == TCP_LISTEN) {
                if (down)
                        feed_listener(f, s);
                return 0;
        }
        if (!down && !port_has(f, SIDE_UP, s->peer_port))
                return 0;
        if (s->state == TCP_TIME_WAIT || s->state == TCP_CLOSE) {
                inflight_gone(s->cookie, f);
                return 0;
        }

        Side side = down ? SIDE_DOWN : SIDE_UP;
        Cookie *e = cookies_find(&f->cookies, s->cookie);
        Record *r = e && e->has_record ? &f->records[e->record] : NULL;
        bool again = f->full && e && e->seen == f->seen;
        if (!f->full && !r)
                return 0;

        uint64_t rx = judge_received(s), tx = judge_written(s);
        bool moved_rx = !e || (r ? r->rx != rx : e->rx != fingerprint(rx));
        bool moved_tx = !e || (r ? r->tx != tx : e->tx != fingerprint(tx));
        const char *why;
        JudgePast past = moved_rx || moved_tx ? JUDGE_NEW : past_of(e);
        InflightVerdict v = (down ? judge_down : judge_up)(s, past, &why);
        if (v == INFLIGHT_LEAVING) {
                feed_leaving(f, e, again);
                return 0;
        }
        /* Told twice, and in the way for want of a record: it has been counted, and is no less in the way. */
        if (again && !r && e->verdict != INFLIGHT_IDLE)
                return 0;

        if (e) {
                e->unheard &= past != JUDGE_NEW;
                learn(f, e, r, s, side, moved_rx, moved_tx);
        } else {
                e = cookies_add(&f->cookies, s->cookie);
                if (e)
                        e->continued = (down ? tx : rx) == CONTINUE_BYTES;
        }
        if (!e) {
                Outcome o = conclude(f, NULL, s, side, v, why);
                inflight_tally_add(&f->base, &o, false);
                return 0;
        }

        Outcome o = conclude(f, e, s, side, v, why);
        e->verdict = (unsigned) judge_remembered(s, v) & 3;
        e->paused = v == INFLIGHT_IDLE &&
                    (Usec) judge_age_ms(s) * USEC_PER_MSEC >= f->config.quiet_usec / PAUSE_PART;
        if (!again)
                e->class = (unsigned) o.class & 3;
        if (f->full && !again) {
                e->seen = f->seen;
                f->n_seen++;
        }

        if (o.by_age && f->full && !again)
                inflight_doubt(f, s);
        bool in_way = o.verdict != INFLIGHT_IDLE;
        bool was_idle = !r || r->o.verdict == INFLIGHT_IDLE;
        if (!r && (in_way || o.moving)) {
                r = record_add(f, e, !in_way);
                if (r && again)
                        f->base.t[side][e->class].n[INFLIGHT_IDLE]--;
        }
        if (r) {
                if (was_idle || (moved_rx && moved_tx))
                        r->since = s->has_info && s->state != TCP_SYN_SENT ? o.moved_at : f->now;
                r->o = o;
                r->rx = rx;
                r->tx = tx;
                r->missed = 0;
                f->socks[e->record] = *s;
                return 0;
        }
        e->rx = fingerprint(rx);
        e->tx = fingerprint(tx);
        if (!again)
                inflight_tally_add(&f->base, &o, false);
        return 0;
}

void inflight_speaker(Inflight *f, uint64_t cookie, bool self)
{
        Cookie *e = cookies_find(&f->cookies, cookie);
        if (!e || !e->has_record || e->verdict != INFLIGHT_UNKNOWN)
                return;
        /* Believed at the next look, if nothing has moved by then; a TLS server's first words are no answer.
         */
        bool down = f->records[e->record].o.side == SIDE_DOWN;
        if (!down || e->spoken >= 2 || words_are_answers(f, &f->socks[e->record]))
                e->verdict = self == down ? INFLIGHT_IDLE : INFLIGHT_BUSY;
}

void inflight_unheard(Inflight *f, uint64_t cookie)
{
        Cookie *e = cookies_find(&f->cookies, cookie);
        if (e && e->has_record && e->verdict == INFLIGHT_UNKNOWN)
                e->unheard = 1;
}

void inflight_gone(uint64_t cookie, void *inflight)
{
        Inflight *f = inflight;
        Cookie *e = cookies_find(&f->cookies, cookie);
        if (e && e->has_record)
                inflight_record_drop(f, e->record);
}

size_t inflight_pending(const Inflight *f, const Sock **ret)
{
        *ret = f->socks;
        return f->n_records;
}
