/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Needed(): is a restart of a component needed? And what is kept of a restart for that question. */

#include "agent/bus.h"

/* bus_needed() - the method. Answers when it is known. */
int bus_needed(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);

/* bus_needed_restarted() - @c was restarted, and proven: keep which certificates it serves now. */
void bus_needed_restarted(Agent *a, const Component *c);
