/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "drain/inflight-state.h"

#define CONFIRM_USEC (500 * USEC_PER_MSEC)
#define POLL_USEC    (100 * USEC_PER_MSEC)

/* A socket in the way that so many full looks in a row did not show is gone. */
#define MISSED_MAX 2

/* Entries of closed sockets that may stay in the table, besides an eighth of the living ones. */
#define STALE_MAX 1024

/* Records that a full look did not show: those in the way stay until the second such look. */
static void miss(Inflight *f)
{
        for (size_t i = f->n_records; i-- > 0;) {
                if (cookies_find(&f->cookies, f->socks[i].cookie)->seen == f->seen)
                        continue;
                Record *r = &f->records[i];
                if (++r->missed >= MISSED_MAX || r->o.verdict == INFLIGHT_IDLE)
                        inflight_record_drop(f, i);
                else
                        r->o.why = "not in the last look, not known to be gone";
        }
}

/* Records of sockets that are no longer in the way go back to being counted only. */
static void demote(Inflight *f, bool settled)
{
        for (size_t i = f->n_records; i-- > 0;) {
                const Record *r = &f->records[i];
                bool idle = r->o.verdict == INFLIGHT_IDLE || (settled && r->o.old);
                if (r->missed > 0 || !idle || r->o.moving)
                        continue;
                if (f->full && r->o.verdict == INFLIGHT_UNKNOWN)
                        inflight_doubt(f, &f->socks[i]);
                inflight_tally_add(&f->base, &r->o, false);
                inflight_record_drop(f, i);
        }
}

/* The upstream side without persistent sockets: idle, and nothing moved, for the quiet time? */
static bool settle(Inflight *f, const Tallies *all, bool persistent)
{
        if (!inflight_paired(f))
                return false;

        unsigned n = 0, busy = 0;
        for (int c = CLASS_PLAIN; c < CLASS_COUNT; c++) {
                const Tally *t = &all->t[SIDE_UP][c];
                n += t->n[INFLIGHT_IDLE] + t->n[INFLIGHT_BUSY] + t->n[INFLIGHT_UNKNOWN];
                if (c == CLASS_PERSISTENT || (c == CLASS_RECENT && persistent))
                        continue;
                busy += t->n[INFLIGHT_BUSY] + t->n[INFLIGHT_UNKNOWN] - t->old;
                f->up_moved_at = MAX(f->up_moved_at, t->moved_at);
        }
        if (busy > 0)
                f->up_busy_at = f->now;

        Usec since = MAX(f->up_busy_at, f->up_moved_at);
        if (n == 0)
                since = MAX(since, f->first_at);
        return busy == 0 && f->now >= since + f->config.quiet_usec;
}

static void stragglers(const Inflight *f, bool persistent, bool settled, InflightSummary *s)
{
        size_t index[INFLIGHT_STRAGGLERS], n = 0;
        for (size_t i = 0; i < f->n_records; i++) {
                const Record *r = &f->records[i];
                if (r->o.verdict == INFLIGHT_IDLE || (settled && r->o.old && r->missed == 0))
                        continue;
                size_t at = n;
                while (at > 0 && f->records[index[at - 1]].since > r->since)
                        at--;
                if (at == INFLIGHT_STRAGGLERS)
                        continue;
                if (n < INFLIGHT_STRAGGLERS)
                        n++;
                memmove(&index[at + 1], &index[at], (n - at - 1) * sizeof(index[0]));
                index[at] = i;
        }
        for (size_t i = 0; i < n; i++) {
                const Record *r = &f->records[index[i]];
                const Sock *k = &f->socks[index[i]];
                s->stragglers[i] = (InflightStraggler){
                        .peer = k->peer,
                        .peer_port = k->peer_port,
                        .local_port = k->local_port,
                        .verdict = r->o.verdict,
                        .upstream = r->o.side == SIDE_UP,
                        .streamer = r->o.streamer,
                        .persistent =
                                r->o.class == CLASS_PERSISTENT || (r->o.class == CLASS_RECENT && persistent),
                        .busy_usec = f->now - MIN(f->now, r->since),
                        .bytes_received = r->rx,
                        .bytes_sent = k->bytes_acked,
                        .why = r->o.why,
                };
        }
        s->n_stragglers = n;
}

/* @in_way: what of the unknown is in the way; unknown ones that are settled count as idle by age. */
static void sum_up(Inflight *f, const Tallies *all, bool persistent, bool settled, InflightSummary *s)
{
        Usec moved_at = 0;
        for (int side = 0; side < SIDE_COUNT; side++)
                for (int c = 0; c < CLASS_COUNT; c++) {
                        const Tally *t = &all->t[side][c];
                        unsigned old = settled ? t->old : 0;
                        unsigned idle = t->n[INFLIGHT_IDLE] + old;
                        unsigned busy = t->n[INFLIGHT_BUSY], unknown = t->n[INFLIGHT_UNKNOWN] - old;

                        s->sockets += idle + busy + unknown;
                        s->idle += idle;
                        s->idle_by_age += t->by_age + old;
                        s->streamers += t->streamers;
                        s->missing += t->missing;
                        if (c == CLASS_PERSISTENT || (c == CLASS_RECENT && persistent)) {
                                s->persistent += idle + busy + unknown;
                                s->persistent_busy += busy + unknown;
                                continue;
                        }
                        s->busy += busy;
                        s->unknown += unknown;
                        moved_at = MAX(moved_at, t->moved_at);
                }
        s->quiet_usec = moved_at ? f->now - MIN(f->now, moved_at) : USEC_INFINITY;
        s->leaving = f->leaving;
        s->listeners = f->listeners;
        s->accept_queue = f->accept_queue;
        s->syn_queue = all->syn;
}

static void run_update(Run *run, bool clean, bool full, Usec now)
{
        if (!clean)
                run->on = false;
        else if (full && !run->on)
                *run = (Run){ .on = true, .since = now };
}

void inflight_end(Inflight *f, InflightSummary *ret)
{
        if (f->full) {
                miss(f);
                /* Also before the number of the look comes round again. */
                if (f->cookies.used > f->n_seen + f->n_seen / 8 + STALE_MAX || (f->seen & 0x3fff) == 0)
                        cookies_sweep(&f->cookies, f->seen);
        }

        Tallies all = f->base;
        for (size_t i = 0; i < f->n_records; i++)
                inflight_tally_add(&all, &f->records[i].o, f->records[i].missed > 0);
        const Tally *down = &all.t[SIDE_DOWN][CLASS_PERSISTENT];
        bool persistent = down->n[INFLIGHT_IDLE] + down->n[INFLIGHT_BUSY] + down->n[INFLIGHT_UNKNOWN] > 0;
        bool settled = settle(f, &all, persistent);

        InflightSummary s = { .full = f->full, .looks = f->last.looks + f->full };
        sum_up(f, &all, persistent, settled, &s);
        stragglers(f, persistent, settled, &s);
        demote(f, settled);

        unsigned beyond = s.accept_queue;
        for (int side = 0; side < SIDE_COUNT; side++)
                for (int c = 0; c < CLASS_COUNT; c++) {
                        const Tally *t = &f->base.t[side][c];
                        beyond += t->n[INFLIGHT_BUSY] + t->n[INFLIGHT_UNKNOWN] - (settled ? t->old : 0);
                }
        s.partial_helps = beyond == 0;

        bool clean = s.listeners > 0 && s.accept_queue + s.syn_queue + s.busy + s.unknown == 0;
        run_update(&f->run_persistent, clean, f->full, f->now);
        run_update(&f->run, clean && s.persistent == 0, f->full, f->now);
        if (f->full) {
                f->full_at = f->now;
                f->full_quiet = s.quiet_usec >= f->config.quiet_usec;
        }
        f->last = s;
        if (ret)
                *ret = s;
}

InflightDrained inflight_drained(const Inflight *f, Usec now, bool close_persistent, Usec *ret_wait)
{
        const InflightSummary *s = &f->last;

        *ret_wait = s->looks == 0 ? 0 : POLL_USEC;
        if (s->looks == 0 || s->listeners == 0)
                return INFLIGHT_NOT_LOOKED;

        if (!s->partial_helps)
                *ret_wait = CONFIRM_USEC;
        if (s->busy + s->unknown + s->accept_queue + s->syn_queue > 0)
                return INFLIGHT_IN_FLIGHT;

        if (!close_persistent && s->persistent > 0) {
                *ret_wait = CONFIRM_USEC;
                return INFLIGHT_PERSISTENT;
        }

        if (s->quiet_usec < f->config.quiet_usec) {
                *ret_wait = time_left(f->now + f->config.quiet_usec - s->quiet_usec, now);
                return INFLIGHT_NOT_QUIET;
        }

        const Run *run = close_persistent ? &f->run_persistent : &f->run;
        Usec confirmed_at = run->on ? run->since + CONFIRM_USEC : 0;
        if (!run->on || f->full_at < confirmed_at || !f->full_quiet) {
                *ret_wait = time_left(confirmed_at, now);
                return INFLIGHT_UNCONFIRMED;
        }
        *ret_wait = 0;
        return INFLIGHT_DRAINED;
}

bool inflight_gate(const Inflight *f, const char **ret_why)
{
        const InflightSummary *s = &f->last;

        if (s->looks == 0)
                *ret_why = "not looked yet";
        else if (s->listeners == 0)
                *ret_why = "no listening socket seen on the traffic ports";
        else if (s->accept_queue > 0)
                *ret_why = "connections wait in the accept queue";
        else if (s->syn_queue > 0)
                *ret_why = "connections wait in the SYN queue";
        else if (s->busy + s->unknown + s->persistent_busy > 0)
                *ret_why = s->n_stragglers > 0 ? s->stragglers[0].why : "requests are in flight";
        else
                *ret_why = NULL;
        return !*ret_why;
}
