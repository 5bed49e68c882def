/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* org.edgeroll.Agent1 and org.edgeroll.Job1 on the system bus (units/org.edgeroll.Agent1.xml): messages in,
 * messages out, who may call. No decisions about the node. */

#include <systemd/sd-bus.h>

#include "agent/agent.h"

/* bus_api_publish() - put the objects on a (new) connection; they go with it. @agent outlives the bus. */
int bus_api_publish(sd_bus *bus, Agent *agent) _must_check_;

/* bus_api_event() - the signal Event of @job. A bus that is away drops it: Events() replays. */
void bus_api_event(sd_bus *bus, const Job *job, uint64_t seq, const char *json);

/* bus_api_pulse() - the signal Pulse. */
void bus_api_pulse(sd_bus *bus, const char *component, const char *json);
