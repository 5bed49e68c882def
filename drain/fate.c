/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/fate.h"

#include <netinet/tcp.h>
#include <string.h>

#include "drain/judge.h"

void fate_begin(Fate *f, const Sock *socks, size_t n)
{
        memset(f, 0, sizeof(*f));
        f->n = MIN(n, (size_t) FATE_MAX);
        if (f->n > 0)
                memcpy(f->socks, socks, f->n * sizeof(*socks));
}

static size_t find(const Fate *f, uint64_t cookie)
{
        size_t i = 0;
        while (i < f->n && f->socks[i].cookie != cookie)
                i++;
        return i;
}

int fate_feed(const Sock *s, void *fate)
{
        Fate *f = fate;
        size_t i = find(f, s->cookie);
        if (i == f->n)
                return 0;
        bool here = s->state == TCP_ESTABLISHED || s->state == TCP_CLOSE_WAIT;
        f->closing[i] |= s->state == TCP_CLOSE_WAIT;
        if (!here)
                f->parted[i] = true; /* a FIN counts as a byte too */
        else if (judge_received(s) != judge_received(&f->socks[i]) ||
                 judge_written(s) != judge_written(&f->socks[i]))
                f->lost[i] = true;
        return 0;
}

void fate_gone(uint64_t cookie, void *fate)
{
        Fate *f = fate;
        size_t i = find(f, cookie);
        if (i == f->n || f->parted[i])
                return;
        f->parted[i] = true;
        /* Closed by the client before, it needs no farewell. */
        f->lost[i] |= !f->closing[i] && f->socks[i].state == TCP_ESTABLISHED;
}

size_t fate_open(const Fate *f, Sock *ret)
{
        size_t n = 0;
        for (size_t i = 0; i < f->n; i++)
                if (!f->parted[i])
                        ret[n++] = f->socks[i];
        return n;
}

size_t fate_lost(const Fate *f, const Sock **ret_first)
{
        size_t n = 0;
        *ret_first = NULL;
        for (size_t i = f->n; i-- > 0;)
                if (f->lost[i]) {
                        n++;
                        *ret_first = &f->socks[i];
                }
        return n;
}
