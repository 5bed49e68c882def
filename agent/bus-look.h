/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Look: everything about one component that whoever plans a roll has to know, fresh, in one answer. */

#include "agent/bus.h"

/* The revision of the interface that a coordinator and an agent of different versions agree on. */
#define LOOK_PROTOCOL 1

int method_look(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error);
