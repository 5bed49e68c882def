/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Names of ZooKeeper's servers become numbers without stopping the loop: see probes/lookup.h. */

#include <systemd/sd-event.h>

#include "agent/lock-spec.h"
#include "base/time.h"

#define RESOLVE_LIMIT_USEC (5 * USEC_PER_SEC)
#define RESOLVE_SIZE       4096

typedef struct Resolve Resolve;

/*
 * @servers: "10.0.0.1:2181,10.0.0.2:2181" as the C client wants them; "" when none has an address. @missing:
 * the names without one, for people; "" when all have. Both valid during the call; the Resolve is gone after
 * it.
 */
typedef void (*ResolveFn)(const char *servers, const char *missing, void *userdata);

/* resolve_start() - @fn is called once, from the loop, unless cancelled. Return: 0; -ENOMEM; what sd-event
 * says. */
int resolve_start(Resolve **ret, sd_event *event, const LockSpec *spec, ResolveFn fn, void *userdata,
                  Err *err) _must_check_;

/* resolve_cancel() - NULL allowed. Return: NULL. */
Resolve *resolve_cancel(Resolve *r);
DEFINE_CLEANUP(Resolve, resolve_cancel);
