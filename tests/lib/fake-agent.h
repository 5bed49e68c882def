/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A node's agent and its bridge as one that can be had by hundreds: real D-Bus over socket pairs, leases
 * decided by agent/lease.c, jobs that go through the phases on a clock of their own. What it says is put
 * together from a script, which a test may change at any moment. All on the caller's event loop, or in a
 * process of its own (fake_agent_listen()), so that the other side can be measured apart.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "agent/lease.h"
#include "agent/phase.h"
#include "base/time.h"

typedef struct FakeAgent FakeAgent;

typedef struct FakeMember {
        const char *uuid, *name, *address;
} FakeMember;

/* One component of the node. Strings are borrowed; NULL is "". */
typedef struct FakePart {
        const char *component; /* "router" */
        const char *uuid, *region, *pod, *pool, *address;
        unsigned health_port;
        const FakeMember *members;
        size_t n_members;
        const char *members_from;
        bool stopped, not_up; /* by itself */
        const char *blocked;  /* by something else than its own job: "foreign", "hold"; NULL: "no" */
        const char *out_reason;
        const char *router_retry; /* NULL: not known */
        const char *partner;
        double took;
} FakePart;

typedef struct FakeScript {
        const char *name; /* "r1" */
        FakePart parts[2];
        size_t n_parts;
        const char *version;          /* NULL: of this build */
        unsigned protocol;            /* of the bridge; 0: of this build */
        const char *no_bus;           /* the bridge has no bus, and says this */
        const char *lock, *lock_text; /* NULL: "lease" */
        bool may_not_change;
        bool before; /* an agent of the release before: no CancelJob, and leases are taken whenever it is
                        asked */

        Usec answer_usec; /* before each answer */
        int open_errno;   /* connecting fails with it */

        Usec phase_usec[PHASE_COUNT]; /* of each; 0: all_phases_usec; USEC_INFINITY: never ends */
        Usec all_phases_usec;         /* 0: 1 ms */
        Phase fail_phase;             /* jobs end there, with `result` */
        const char *result;           /* how jobs end; NULL: "done" */
        bool not_needed;              /* ... asked with if-needed: in preflight, not-needed */
        const char *reason, *hint;
        unsigned progress; /* events in each phase */
        bool no_signals;   /* nothing is told unasked */
        bool forgets;      /* an agent that dies leaves no trace of its job */
        Usec pulse_usec;   /* 0: 5 s */
        Usec ttl_usec;     /* how long leases live; 0: as long as was asked for */

        /* Is asked first, for each call. Return: true: it has been dealt with, or will never be answered. */
        bool (*hook)(FakeAgent *a, sd_bus_message *m, const char *member, void *userdata);
        void *userdata;
} FakeScript;

/* fake_agent_new() - a copy of @script is its own. */
int fake_agent_new(FakeAgent **ret, sd_event *event, const FakeScript *script);
FakeAgent *fake_agent_free(FakeAgent *a);
FakeScript *fake_agent_script(FakeAgent *a);

/* fake_agent_open() - @agent: a FakeAgent. Return: the other end of a new connection, or a negative errno: a
 * RemoteDest.open. fake_agent_listen() - connections come to a socket at @path. fake_agent_connect() - to it.
 */
int fake_agent_open(void *agent);
int fake_agent_listen(FakeAgent *a, const char *path);
int fake_agent_connect(const char *path);

/* fake_agent_on_bus() - it takes the agent's name on the system bus, with a real bridge in front of it. */
int fake_agent_on_bus(FakeAgent *a);

/* fake_agent_cut() - all links go; jobs and leases stay. fake_agent_half() - the same, in the middle of a
 * message. fake_agent_freeze() - nothing is read or answered, and no job goes on, until it is thawed. */
void fake_agent_cut(FakeAgent *a);
void fake_agent_half(FakeAgent *a);
void fake_agent_freeze(FakeAgent *a, bool frozen);

/* fake_agent_die() - kill -9: calls under way fail, the links (the bridge's) stay. After @back the next one
 * is there, and goes on with the job. */
void fake_agent_die(FakeAgent *a, Usec back_usec);

/* fake_agent_no_bus() - the bus is away, with the agent behind it; or back. */
void fake_agent_no_bus(FakeAgent *a, const char *why);

/* fake_agent_pulse() - tell how things are now. */
void fake_agent_pulse(FakeAgent *a);

/* fake_agent_last() - what it has written down of its last job of @component. Takes @last. */
void fake_agent_last(FakeAgent *a, const char *component, cJSON *last);

/* What has been. */
unsigned fake_agent_calls(const FakeAgent *a, const char *member); /* how often; NULL: all */
const char *fake_agent_phase(const FakeAgent *a);                  /* of its job; "" */
bool fake_agent_is_busy(const FakeAgent *a);                       /* has a job that is not over */
bool fake_agent_is_out(const FakeAgent *a);                        /* by its own doing */
unsigned fake_agent_restarts(const FakeAgent *a);                  /* how often a component was restarted */
const Lease *fake_agent_lease(const FakeAgent *a, const char *component);

/* fake_agent_stand() - its jobs stay in the phase they are in, until it is told otherwise; all else goes on.
 */
void fake_agent_stand(FakeAgent *a, bool stands);

/* fake_agent_finish() - the phase that its job is in ends now. */
void fake_agent_finish(FakeAgent *a);
