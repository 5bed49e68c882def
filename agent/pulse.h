/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * As long as somebody has the lease of a component it is looked at every second, and its state goes out as
 * the signal Pulse: at once when it has changed, else every five seconds. Whoever leads a roll knows by its
 * absence that a node is not heard of any more. And where a lease ends, the job that runs under it is told.
 */

#include "agent/agent.h"

typedef struct Pulse Pulse;

int pulse_new(Pulse **ret, Agent *agent) _must_check_;
Pulse *pulse_free(Pulse *p);
DEFINE_CLEANUP(Pulse, pulse_free);

/* pulse_changed() - a lease was taken, renewed, given or stolen; or they were just read. */
void pulse_changed(Pulse *p);
