/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The inside of a fake agent: fake-agent.c has its links, fake-agent-calls.c what it answers,
 * fake-agent-job.c its jobs and what it tells unasked. */

#include <systemd/sd-bus.h>

#include "tests/lib/fake-agent.h"

#define AGENT_PATH "/org/edgeroll/Agent1"
#define AGENT      "org.edgeroll.Agent1"
#define JOB_PATH   "/org/edgeroll/Agent1/job/"
#define JOB        "org.edgeroll.Job1"
#define BRIDGE     "org.edgeroll.Bridge1"
#define ERROR      "org.edgeroll.Error."
#define MEMBERS    32

typedef struct FakeLink {
        FakeAgent *agent;
        struct FakeLink *next;
        sd_bus *bus;
        int raw; /* the same socket */
} FakeLink;

/* A call that waits: for its time, or for an agent. */
typedef struct FakeCall {
        FakeAgent *agent;
        struct FakeCall *next;
        sd_bus_message *m;
        sd_event_source *timer;
} FakeCall;

typedef struct FakeJob {
        uint64_t id;
        char component[32], kind[32], by[96], reason[96], roll[96];
        uint64_t step, lease, partner_lease;
        bool await_go, gone_ahead, resumed, cancelled, if_needed;
        Phase phase;
        unsigned progress;
        bool over;
        Usec begun;
        char **events;
        size_t n_events;
} FakeJob;

typedef struct FakeSlot {
        Lease lease;
        cJSON *last;
        bool held; /* by its own job */
} FakeSlot;

struct FakeAgent {
        sd_event *event;
        FakeScript s;
        FakeLink *links;
        FakeCall *calls;
        FakeSlot slots[2];
        FakeJob *job;
        uint64_t last_id;
        sd_event_source *job_timer, *pulse_timer, *back_timer, *listen_source;
        int listen_fd;
        char path[108];
        bool dead, frozen, stands;
        unsigned process; /* grows with each agent process */
        unsigned restarts;
        struct {
                char name[24];
                unsigned n;
        } members[MEMBERS];
};

static inline const char *text_of(const char *text)
{
        return text ? text : "";
}

/* Of a component; NULL. */
FakeSlot *fake_slot(FakeAgent *a, const char *component);
FakePart *fake_part(FakeAgent *a, const char *component);

/* How a part stands. fake_out(): why it is out; "". */
bool fake_stopped(FakeAgent *a, const FakePart *p);
const char *fake_blocked(FakeAgent *a, const FakePart *p);
const char *fake_out(FakeAgent *a, const FakePart *p);
bool fake_concerns(const FakeJob *j, const char *component);
bool fake_placed(const FakeJob *j);

/* Jobs. fake_job_step(): the present phase, or a progress in it, ends now. */
FakeJob *fake_job_new(FakeAgent *a, const char *component, const char *kind);
void fake_job_free(FakeJob *j);
void fake_job_path(const FakeJob *j, char *buf, size_t size);
void fake_job_names(const FakeJob *j, cJSON *o);
void fake_job_tell_begin(FakeAgent *a);
void fake_job_tell_phase(FakeAgent *a, const char *state);
void fake_job_timer_set(FakeAgent *a);
void fake_job_step(FakeAgent *a);

/* fake_signal() - to all links: an Event (@seq, @first), or @first and (not NULL) @second. */
void fake_signal(FakeAgent *a, const char *path, const char *interface, const char *member, uint64_t seq,
                 const char *first, const char *second);
int fake_on_pulse(sd_event_source *s, uint64_t usec, void *userdata);

/* Calls. */
int fake_refuse(sd_bus_message *m, const char *error, const char *text);
void fake_call_dispatch(FakeAgent *a, sd_bus_message *m);
void fake_call_free(FakeCall *c);
void fake_call_wait(FakeAgent *a, sd_bus_message *m, Usec usec);
void fake_call_count(FakeAgent *a, const char *member);
