/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A few short questions to systemd that must be answered before this process goes, and its own socket, which
 * answers while dbus-daemon is down. Everything else goes through agent/systemd.h.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "base/err.h"

typedef enum Stopping {
        STOPPING_UNKNOWN,  /* nobody asked systemd (a plain SIGTERM), or it does not tell */
        STOPPING_RESTART,  /* the unit is being restarted: a new process follows */
        STOPPING_UNIT,     /* the unit is being stopped: nobody follows */
        STOPPING_SHUTDOWN, /* the whole system goes down */
} Stopping;

/*
 * manager_bus() - a connection to systemd's own socket, peer to peer, no dbus-daemon between; not yet
 * attached to an event loop. Only for uid 0. The socket is systemd's private one: a second way, never the
 * first. Return: 0; -ECONNREFUSED, -ENOENT, -EACCES, ...
 */
int manager_bus(sd_bus **ret) _must_check_;

/* manager_why_stopped() - why did @unit, which is ours, get SIGTERM? Blocks for at most 2 s an answer,
 * usually 1 ms. */
Stopping manager_why_stopped(const char *unit);

/* manager_left_down() - @unit does not run, and nobody is about to start it: no job of it waits, also none of
 * a boot that goes on. Return: false also when systemd does not tell. Blocks as above. */
bool manager_left_down(const char *unit);

/* manager_start() - queue a start of @unit, do not wait for it. Blocks as above. Return: 0; -errno. */
int manager_start(const char *unit, Err *err) _must_check_;

/* manager_reset_failed() - so that the next call can start @unit again. A unit that is not loaded is success.
 */
int manager_reset_failed(const char *unit, Err *err) _must_check_;
