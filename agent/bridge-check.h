/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The bridge's own piece of work: target servers, checked from this node for who asks (edge/check-wire.h), in
 * a process that is never root (edge/check-child.h). */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "agent/cluster/ssh.h"
#include "base/err.h"

typedef struct BridgeCheck BridgeCheck;

typedef struct BridgeCheckHandlers {
        void (*line)(const char *line, void *userdata); /* an answer, without its end */
        /* @trouble: why not all of it was done; NULL: it was. The BridgeCheck is gone after the call. */
        void (*end)(const char *trouble, void *userdata);
} BridgeCheckHandlers;

/*
 * bridge_check_allowed() - may who runs this process have the node look at others for him? Root, and members
 * of the group edge-roll; anybody else could ask which ports are open behind a key that is there for looking
 * at agents.
 */
bool bridge_check_allowed(void);

/*
 * bridge_check_start() - @question: copied. Handlers are called from the loop, never from within this call.
 * Return: 0; -ENOMEM; other negative errno: no process can be made.
 */
int bridge_check_start(BridgeCheck **ret, sd_event *event, SshYard *yard, const char *question,
                       const BridgeCheckHandlers *h, void *userdata, Err *err) _must_check_;

/* bridge_check_free() - ends it without calling back. NULL allowed. Return: NULL. */
BridgeCheck *bridge_check_free(BridgeCheck *c);
DEFINE_CLEANUP(BridgeCheck, bridge_check_free);
