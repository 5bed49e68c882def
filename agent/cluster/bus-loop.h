/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A bus connection on the event loop, as sd_bus_attach_event() does it, but for one thing: that has every
 * connection looked at in every turn of the loop, so that one of 300 costs ten times as much as one of 30.
 * Here a connection is looked at when something has happened on it. Source: sd_bus_get_fd(3),
 * sd_bus_process(3).
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

typedef struct BusLoop BusLoop;

/* bus_loop_new() - @bus: started, with a descriptor. Return: 0; negative errno. */
int bus_loop_new(BusLoop **ret, sd_bus *bus, sd_event *event);

/* bus_loop_touch() - something was sent on it, or is awaited now. NULL allowed. */
void bus_loop_touch(BusLoop *l);

/* bus_loop_free() - before the bus is closed; also from within one of its callbacks. Return: NULL. */
BusLoop *bus_loop_free(BusLoop *l);
