/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cuts.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define BURST_USEC USEC_PER_SEC /* cuts of one mark-down come within this long */
#define CUT_MIN    2            /* one may be a client that went away */

typedef struct Source {
        Addr addr;
        unsigned in_flight; /* at the last look */
        CutsInfo burst, worst;
} Source;

struct Cuts {
        uint16_t ports[CONNS_PORTS_MAX];
        size_t n_ports;
        Source sources[CUTS_SOURCES];
        size_t n_sources;
        uint64_t closed[CUTS_SOCKETS]; /* cookies of those closed by the peer that have been counted */
        size_t n_closed;
};

int cuts_new(Cuts **ret, const uint16_t *ports, size_t n)
{
        Cuts *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->n_ports = MIN(n, (size_t) CONNS_PORTS_MAX);
        memcpy(c->ports, ports, c->n_ports * sizeof(*ports));
        *ret = c;
        return 0;
}

Cuts *cuts_free(Cuts *c)
{
        free(c);
        return NULL;
}

bool cuts_in_flight(const Cuts *c, const Sock *s)
{
        bool ours = false;

        for (size_t i = 0; i < c->n_ports; i++)
                ours = ours || s->local_port == c->ports[i];
        /* The peer's FIN counts as one byte. A tie of the clocks may be an answer: no evidence. */
        return ours && s->has_info && s->bytes_received > 1 &&
               (s->data_segs_out == 0 || s->last_data_recv_ms < s->last_data_sent_ms);
}

static Source *cuts_source(Cuts *c, const Addr *addr)
{
        for (size_t i = 0; i < c->n_sources; i++)
                if (addr_equal(&c->sources[i].addr, addr))
                        return &c->sources[i];
        if (c->n_sources >= CUTS_SOURCES)
                return NULL;
        Source *s = &c->sources[c->n_sources++];
        *s = (Source){ .addr = *addr };
        return s;
}

static void cuts_count(Cuts *c, Usec now, const Addr *addr)
{
        Source *s = cuts_source(c, addr);

        if (!s)
                return;
        if (s->burst.cut == 0 || now - s->burst.at > BURST_USEC)
                s->burst = (CutsInfo){ .addr = *addr, .in_flight = s->in_flight, .at = now };
        s->burst.cut++;
        s->burst.in_flight = MAX(s->burst.in_flight, s->burst.cut);
        if (s->burst.cut > s->worst.cut)
                s->worst = s->burst;
}

static bool cuts_known(const Cuts *c, uint64_t cookie)
{
        for (size_t i = 0; i < c->n_closed; i++)
                if (c->closed[i] == cookie)
                        return true;
        return false;
}

void cuts_died(Cuts *c, Usec now, const Sock *s)
{
        if (cuts_in_flight(c, s) && !cuts_known(c, s->cookie))
                cuts_count(c, now, &s->peer);
}

void cuts_look(Cuts *c, Usec now, const Sock *socks, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (socks[i].state != TCP_CLOSE_WAIT || c->n_closed == CUTS_SOCKETS ||
                    !cuts_in_flight(c, &socks[i]) || cuts_known(c, socks[i].cookie))
                        continue;
                c->closed[c->n_closed++] = socks[i].cookie;
                cuts_count(c, now, &socks[i].peer);
        }
        for (size_t i = 0; i < c->n_sources; i++)
                c->sources[i].in_flight = 0;
        for (size_t i = 0; i < n; i++) {
                Source *s = socks[i].state == TCP_ESTABLISHED && cuts_in_flight(c, &socks[i])
                                    ? cuts_source(c, &socks[i].peer)
                                    : NULL;
                if (s)
                        s->in_flight++;
        }
}

bool cuts_get(const Cuts *c, CutsInfo *ret)
{
        const CutsInfo *worst = NULL;

        for (size_t i = 0; i < c->n_sources; i++) {
                const CutsInfo *w = &c->sources[i].worst;
                if (w->cut >= CUT_MIN && 2 * w->cut >= w->in_flight && (!worst || w->cut > worst->cut))
                        worst = w;
        }
        if (!worst)
                return false;
        *ret = *worst;
        return true;
}
