/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Checkers that keep their connection open send no SYN, so the firewall does not count their checks; what
 * they send on a health port that is refused whole shows on the socket. Pure: fed with looks at the sockets
 * of the health port.
 *
 * A check is bytes that came on a connection that had been seen before with bytes on it: the first request of
 * a connection is counted by its SYN. Bytes that follow others within KEPT_CONNS_APART_USEC belong to the
 * same check (a handshake, a request in two parts). Not for ports that carry traffic: there a check looks
 * like a request.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/time.h"
#include "drain/block.h"
#include "drain/conns.h"

#define KEPT_CONNS_SOCKETS    512 /* connections followed; more are not */
#define KEPT_CONNS_APART_USEC (200 * USEC_PER_MSEC)

typedef struct KeptConns KeptConns;

int kept_conns_new(KeptConns **ret) _must_check_;
KeptConns *kept_conns_free(KeptConns *k);
DEFINE_CLEANUP(KeptConns, kept_conns_free);

/* kept_conns_begin() - a look at all connections of the health port starts; those not fed in it are
 * forgotten. */
void kept_conns_begin(KeptConns *k, Usec now);

/* kept_conns_feed() - one of them. A ConnsFn. Return: 0, always. */
int kept_conns_feed(const Sock *s, void *kept);

/* kept_conns_end() - the look is over. */
void kept_conns_end(KeptConns *k);

/*
 * kept_conns_sources() - the sources that the firewall has counted (@sources) with the checks on kept
 * connections added: a new array in @ret, to be freed. Return: 0; -ENOMEM.
 */
int kept_conns_sources(const KeptConns *k, Usec now, const BlockSource *sources, size_t n, BlockSource **ret,
                       size_t *ret_n) _must_check_;
