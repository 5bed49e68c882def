/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * TCP sockets of this network namespace as they die, with what they had done until then: the only place where
 * the kernel shows how a connection ended that is gone by the next look.
 *
 * Every socket is told of, whatever its ports, once, when nothing refers to it any more; state and queues say
 * nothing then, the clocks and counts of tcp_info stand. Deaths that come faster than they are read are lost,
 * which is told. Needs CAP_NET_ADMIN.
 * Source: sock_diag_broadcast_destroy() in net/core/sock_diag.c; SKNLGRP_INET_TCP_DESTROY.
 */

#include "drain/conns.h"

typedef struct Deaths Deaths;

/* deaths_new() - listen from now on. Return: 0; -EPERM; -EPROTONOSUPPORT (no sock_diag); negative errno. */
int deaths_new(Deaths **ret, Err *err) _must_check_;
Deaths *deaths_free(Deaths *d);
DEFINE_CLEANUP(Deaths, deaths_free);

/* deaths_read() - @fn is given each socket that has died since. Never waits. Return: 0; -ENOBUFS (some were
 * lost); what @fn returned; other negative errno. */
int deaths_read(Deaths *d, ConnsFn fn, void *userdata);
