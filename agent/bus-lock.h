/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The lock of a pool on the bus: who has it, taking it away, how many may be out; and tickets, which wait for
 * it. */

#include "agent/bus.h"

int method_lock(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_lock_steal(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_lock_size(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
int method_request(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
