/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A name becomes addresses without stopping the loop. getaddrinfo(3) waits for a silent DNS, getaddrinfo_a(3)
 * and libcurl do so in threads that outlive their request, systemd-resolved is not everywhere: so each name
 * is looked up by a getent(1) of its own, which comes with the C library and asks exactly what nsswitch.conf
 * says, and is killed when its time is over.
 */

#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/time.h"

#define LOOKUP_ADDRS_MAX 16 /* of one name; more are left out */

typedef struct Lookup Lookup;

/*
 * @addrs: as the system orders them, none twice; valid during the call. @why: when there is none, one
 * sentence; else "". The Lookup is gone after the call.
 */
typedef void (*LookupFn)(const Addr *addrs, size_t n, const char *why, void *userdata);

/*
 * lookup_start() - @host: copied; a number is its own answer. @fn is called once, from the loop (never from
 * within this call), unless cancelled. Return: 0; -ENOMEM; -EMFILE and the like of a process; what sd-event
 * says.
 */
int lookup_start(Lookup **ret, sd_event *event, const char *host, Usec limit_usec, LookupFn fn,
                 void *userdata, Err *err) _must_check_;

/* lookup_cancel() - NULL allowed. Return: NULL. */
Lookup *lookup_cancel(Lookup *l);
DEFINE_CLEANUP(Lookup, lookup_cancel);

/* lookup_parse() - pure: the addresses in the output of `getent ahosts`; none twice. Return: how many. */
size_t lookup_parse(const char *output, Addr *addrs, size_t max);
