/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A peer that speaks org.freedesktop.systemd1, on the test's own event loop, peer to peer or as a service on
 * a private bus. It gives every job result, answers late, in the wrong order or never, hangs up, loses
 * signals. Transient services really run their command, with its descriptors, unless the test takes that
 * over. Left alone it does as systemd 252 was seen to do: the reply precedes JobRemoved, "$" is expanded, a
 * unit that is referenced outlives its command. It is a test's tool: every failure of its own aborts.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/time.h"

typedef struct FakeSystemd1 FakeSystemd1;

typedef enum FakeOrder {
        FAKE_REPLY_FIRST,  /* as systemd */
        FAKE_SIGNAL_FIRST, /* JobRemoved, then the reply */
        FAKE_SIGNAL_LOST,  /* the job ends, nobody is told */
        FAKE_HANG_UP,      /* the connection ends before the call is looked at */
        FAKE_HANG_UP_LATE, /* the job is made, then the connection ends without a reply */
        FAKE_NO_NAME,      /* answered as a bus does that knows no such service */
} FakeOrder;

/* What is done with the jobs that are asked for from now on. */
typedef struct FakeJob {
        const char *result; /* NULL: "done" */
        const char *active; /* the unit's ActiveState afterwards; NULL: as the verb has it */
        const char *error;  /* refused with this D-Bus error; NULL: taken */
        FakeOrder order;
        Usec after_usec; /* how long the job takes; USEC_INFINITY: it never ends */
} FakeJob;

FakeSystemd1 *fake_systemd1_new(sd_event *e);
FakeSystemd1 *fake_systemd1_free(FakeSystemd1 *f);
static inline void fake_systemd1_freep(FakeSystemd1 **f)
{
        (void) fake_systemd1_free(*f);
}

/* fake_systemd1_connect() - a socket pair with the fake at its other end. Return: our end, attached. Whatever
 * was connected before is hung up. */
sd_bus *fake_systemd1_connect(FakeSystemd1 *f);

/* fake_systemd1_serve() - become org.freedesktop.systemd1 on the bus @bus (attached by the caller). */
void fake_systemd1_serve(FakeSystemd1 *f, sd_bus *bus);

/* fake_systemd1_mute() - answer nothing from now on; what is asked is dropped. */
void fake_systemd1_mute(FakeSystemd1 *f, bool mute);

void fake_systemd1_jobs(FakeSystemd1 *f, FakeJob how);

/* fake_systemd1_unit() - make or change a unit. NULL leaves a value as it is. */
void fake_systemd1_unit(FakeSystemd1 *f, const char *unit, const char *load, const char *active);
void fake_systemd1_cgroup(FakeSystemd1 *f, const char *unit, const char *control_group, uint32_t main_pid);
const char *fake_systemd1_active(FakeSystemd1 *f, const char *unit); /* "" when there is no such unit */

/* fake_systemd1_on_job() - called when a job takes effect. */
typedef void (*FakeJobFn)(const char *method, const char *unit, void *userdata);
void fake_systemd1_on_job(FakeSystemd1 *f, FakeJobFn fn, void *userdata);

/* fake_systemd1_on_run() - called instead of executing a command. Return: its exit status. */
typedef int (*FakeRunFn)(char **argv, void *userdata);
void fake_systemd1_on_run(FakeSystemd1 *f, FakeRunFn fn, void *userdata);

/* How often a method was called, answered or not. */
unsigned fake_systemd1_calls(const FakeSystemd1 *f, const char *method);
