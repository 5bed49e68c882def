/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Does somebody cut live connections when the node is marked down? (HAProxy's on-marked-down
 * shutdown-sessions, F5's Reject, NLB by default.) Pure: fed with looks at the sockets in flight and with
 * sockets as they die.
 *
 * Evidence is a connection that died with a request that had got no byte of an answer (whichever end's
 * process closed it: nobody ends it then but its peer, who reset or closed it), or that its peer has closed
 * (CLOSE_WAIT) while the request is still being worked on. One alone may be a client that went away. Two or
 * more of one address within a second, and at least half of what it had in flight, are a cut.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/time.h"
#include "drain/conns.h"

#define CUTS_SOURCES 64   /* addresses followed; those of others are not noticed */
#define CUTS_SOCKETS 2048 /* half-closed sockets remembered, so that each counts once */

typedef struct Cuts Cuts;

typedef struct CutsInfo {
        Addr addr;
        unsigned cut, in_flight; /* connections cut, of so many in flight before */
        Usec at;                 /* when the first of them was seen */
} CutsInfo;

/* cuts_new() - @ports: the traffic ports, copied (at most CONNS_PORTS_MAX of them). */
int cuts_new(Cuts **ret, const uint16_t *ports, size_t n) _must_check_;
Cuts *cuts_free(Cuts *c);
DEFINE_CLEANUP(Cuts, cuts_free);

/* cuts_in_flight() - is this a client's connection with a request that has no answer yet? */
bool cuts_in_flight(const Cuts *c, const Sock *s);

/* cuts_died() - a socket that has died, at @now. */
void cuts_died(Cuts *c, Usec now, const Sock *s);

/* cuts_look() - the sockets in the way, as seen at @now. */
void cuts_look(Cuts *c, Usec now, const Sock *socks, size_t n);

/* cuts_get() - whoever has cut the most. Return: false when nobody has. */
bool cuts_get(const Cuts *c, CutsInfo *ret);
