/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COST_FACTOR  64   /* a look at most every 64 times what it took: 1.6 % of a core */
#define SPEAKERS_MAX 4096 /* sockets asked about in one look */

static uint64_t new_connections(Look *l)
{
        BlockState state;
        if (block_read(l->block, &state, NULL) < 0 || !state.table)
                return UINT64_MAX;
        return state.total[BLOCK_NEWCONN];
}

/* Ties cannot be decided from the sockets; the firewall has seen in which order the packets came. */
static void speakers(Look *l)
{
        const Sock *pending;
        size_t n = MIN(inflight_pending(l->inflight, &pending), (size_t) SPEAKERS_MAX);
        if (n == 0 || l->summary.unknown + l->summary.persistent_busy == 0)
                return;

        _cleanup_(freep) BlockPeer *peers = calloc(n, sizeof(*peers));
        _cleanup_(freep) BlockSpeaker *who = calloc(n, sizeof(*who));
        if (!peers || !who)
                return; /* ties stay ties, which is safe */
        for (size_t i = 0; i < n; i++)
                peers[i] = (BlockPeer){
                        .addr = pending[i].peer,
                        .port = pending[i].peer_port,
                        .local_port = pending[i].local_port,
                };
        int r = block_speakers(l->block, peers, n, who, NULL);
        if (r < 0 && r != -ENOENT)
                return;
        for (size_t i = 0; i < n; i++) {
                /* What is older than the set can tell apart stays a tie. */
                Usec age = MIN(pending[i].last_data_recv_ms, pending[i].last_data_sent_ms) * USEC_PER_MSEC;
                if (who[i] != BLOCK_SPEAKER_UNKNOWN && age < BLOCK_SPEAKER_LIMIT - 10 * USEC_PER_SEC)
                        inflight_speaker(l->inflight, pending[i].cookie, who[i] == BLOCK_SPEAKER_SELF);
                else
                        inflight_unheard(l->inflight, pending[i].cookie);
        }
}

int look_full(Look *l, Err *err)
{
        ConnsFilter filter;
        Usec begin = time_now();
        inflight_filter(l->inflight, &filter);
        inflight_begin(l->inflight, begin, true, new_connections(l));
        int r = conns_dump(l->conns, &filter, inflight_feed, l->inflight, err);
        if (r < 0)
                return r;
        inflight_end(l->inflight, &l->summary);
        l->looks++;
        speakers(l);
        Usec end = time_now();
        l->next_full = end + MAX((end - begin) * COST_FACTOR, USEC_PER_SEC);
        return 0;
}

int look_partial(Look *l, Err *err)
{
        const Sock *pending;
        size_t n = inflight_pending(l->inflight, &pending);
        if (n == 0)
                return 0;
        _cleanup_(freep) Sock *copy = malloc(n * sizeof(*copy));
        if (!copy)
                return 0;
        memcpy(copy, pending, n * sizeof(*copy));
        Usec begin = time_now();
        inflight_begin(l->inflight, begin, false, new_connections(l));
        int r = conns_get(l->conns, copy, n, inflight_feed, inflight_gone, l->inflight, err);
        inflight_end(l->inflight, &l->summary);
        l->looks++;
        if (r < 0)
                return r;
        speakers(l);
        Usec end = time_now();
        l->next_partial = end + MAX((end - begin) * COST_FACTOR, 2 * LOOK_POLL_USEC);
        return 0;
}

int look_step(Look *l, bool close_persistent, InflightDrained *ret, Usec *ret_wait, Err *err)
{
        Usec now = time_now();
        int r = now >= l->next_full ? look_full(l, err) : now >= l->next_partial ? look_partial(l, err) : 0;
        if (r < 0)
                return r;
        now = time_now();
        *ret = inflight_drained(l->inflight, now, close_persistent, ret_wait);
        /* What only needs time is looked at again when the time is there, not every second. */
        if (*ret == INFLIGHT_NOT_QUIET || *ret == INFLIGHT_UNCONFIRMED)
                l->next_full = MIN(l->next_full, now + MAX(*ret_wait, LOOK_POLL_USEC));
        return 0;
}

int look_gate(Look *l, const char **ret_why, Err *err)
{
        int r = look_full(l, err);
        if (r < 0)
                return r;
        r = look_partial(l, err);
        if (r < 0)
                return r;
        return inflight_gate(l->inflight, ret_why);
}
