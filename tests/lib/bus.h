/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A system bus of a test's own: a real dbus-daemon that can be killed, stopped and started again on the same
 * address. Dies with the test. */

#include <sys/types.h>

typedef struct TestBus {
        char root[64];    /* its folder */
        char address[96]; /* also in DBUS_SYSTEM_BUS_ADDRESS */
        pid_t pid;        /* -1: not running */
} TestBus;

/* bus_make() - makes the folder, sets the variable, starts the daemon. Fails the test when it cannot. */
void bus_make(TestBus *bus);

/* bus_make_with() - ... with @more elements in its configuration. */
void bus_make_with(TestBus *bus, const char *more);
void bus_start(TestBus *bus);
void bus_kill(TestBus *bus);
void bus_remove(TestBus *bus);
