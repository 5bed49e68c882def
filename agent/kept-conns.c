/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/kept-conns.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_CONNS_ADDRS 64 /* addresses that keep connections; more are not followed */

typedef struct Connection {
        uint64_t cookie, bytes;
        Usec last; /* when bytes last came, as far as seen */
        bool seen; /* in this look */
} Connection;

struct KeptConns {
        Usec now;
        Connection connections[KEPT_CONNS_SOCKETS];
        size_t n;
        BlockSource addrs[KEPT_CONNS_ADDRS];
        Usec last[KEPT_CONNS_ADDRS];
        size_t n_addrs;
};

int kept_conns_new(KeptConns **ret)
{
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : -ENOMEM;
}

KeptConns *kept_conns_free(KeptConns *k)
{
        free(k);
        return NULL;
}

void kept_conns_begin(KeptConns *k, Usec now)
{
        k->now = now;
        for (size_t i = 0; i < k->n; i++)
                k->connections[i].seen = false;
}

static void kept_conns_check(KeptConns *k, const Addr *addr, Usec at)
{
        size_t i = 0;

        while (i < k->n_addrs && !addr_equal(&k->addrs[i].addr, addr))
                i++;
        if (i == KEPT_CONNS_ADDRS)
                return;
        if (i == k->n_addrs)
                k->addrs[k->n_addrs++] = (BlockSource){ .addr = *addr };
        k->addrs[i].packets++;
        k->last[i] = at;
}

int kept_conns_feed(const Sock *s, void *kept)
{
        KeptConns *k = kept;
        size_t i = 0;

        if (!s->has_info || s->state != TCP_ESTABLISHED || addr_is_loopback(&s->peer))
                return 0;
        while (i < k->n && k->connections[i].cookie != s->cookie)
                i++;
        if (i == KEPT_CONNS_SOCKETS)
                return 0;
        Connection *c = &k->connections[i];
        const Usec at = k->now - MIN(k->now, (Usec) s->last_data_recv_ms * USEC_PER_MSEC);
        if (i == k->n) {
                k->n++;
                *c = (Connection){ .cookie = s->cookie, .bytes = s->bytes_received, .last = at };
        } else if (s->bytes_received > c->bytes) {
                if (c->bytes > 0 && at >= c->last + KEPT_CONNS_APART_USEC)
                        kept_conns_check(k, &s->peer, at);
                c->bytes = s->bytes_received;
                c->last = at;
        }
        c->seen = true;
        return 0;
}

void kept_conns_end(KeptConns *k)
{
        size_t n = 0;

        for (size_t i = 0; i < k->n; i++)
                if (k->connections[i].seen)
                        k->connections[n++] = k->connections[i];
        k->n = n;
}

int kept_conns_sources(const KeptConns *k, Usec now, const BlockSource *sources, size_t n, BlockSource **ret,
                       size_t *ret_n)
{
        BlockSource *all = calloc(n + k->n_addrs + 1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        if (n > 0)
                memcpy(all, sources, n * sizeof(*all));
        for (size_t a = 0; a < k->n_addrs; a++) {
                const Usec age = now - MIN(now, k->last[a]);
                size_t i = 0;
                while (i < n && !addr_equal(&all[i].addr, &k->addrs[a].addr))
                        i++;
                if (i == n)
                        all[n++] = (BlockSource){ .addr = k->addrs[a].addr, .age_usec = age };
                else
                        all[i].age_usec = MIN(all[i].age_usec, age);
                all[i].packets += k->addrs[a].packets;
        }
        *ret = all;
        *ret_n = n;
        return 0;
}
