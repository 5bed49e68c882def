/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What becomes, during the stop, of connections that were idle by age only. If one of them had a request in
 * flight after all, this is the last chance to see it: bytes still move on it, or it goes without the usual
 * farewell, because the process closed it with something unread or the client had no use for a FIN.
 *
 * An orderly close (FIN from either side, TIME_WAIT) tells nothing, and is no loss to a client that awaits
 * nothing. Pure: fed by conns_get().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drain/conns.h"

#define FATE_MAX 64

typedef struct Fate {
        Sock socks[FATE_MAX];                                     /* as they were at the last look */
        bool closing[FATE_MAX], parted[FATE_MAX], lost[FATE_MAX]; /* by the client; by us; in use */
        size_t n;
} Fate;

/* fate_begin() - these are to be followed; what is beyond FATE_MAX is not. @socks: copied. */
void fate_begin(Fate *f, const Sock *socks, size_t n);

/* fate_feed() - a socket as it is now. A ConnsFn. Return: 0, always. */
int fate_feed(const Sock *s, void *fate);

/* fate_gone() - conns_get() says the socket is gone. */
void fate_gone(uint64_t cookie, void *fate);

/* fate_open() - copy those that are worth another exact get. @ret: FATE_MAX. Return: how many. */
size_t fate_open(const Fate *f, Sock *ret);

/* fate_lost() - Return: how many were perhaps cut. @ret_first: one of them, or NULL. */
size_t fate_lost(const Fate *f, const Sock **ret_first);
