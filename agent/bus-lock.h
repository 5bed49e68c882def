/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The lock of a pool on the bus: who has it, taking it away, how many may be out; and tickets, which wait for
 * it. */

#include "agent/bus.h"

int method_lock(sd_bus_message *m, void *userdata, sd_bus_error *error);
int method_lock_steal(sd_bus_message *m, void *userdata, sd_bus_error *error);
int method_lock_size(sd_bus_message *m, void *userdata, sd_bus_error *error);
int method_request(sd_bus_message *m, void *userdata, sd_bus_error *error);
