/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files that talk to systemd (systemd*.c) and nobody else. */

#include "agent/systemd.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

#define SYSTEMD_REMOVED_KEPT 64 /* ended jobs that may be those of calls not yet answered */

/* Where a call stands. At most one request is on its way in each step. */
typedef enum CallStep {
        STEP_ASK,   /* the request is to be sent as soon as there is a bus */
        STEP_ASKED, /* its reply is awaited */
        STEP_DOUBT, /* sent, but never answered: the unit shows whether it arrived */
        STEP_JOB,   /* the job exists, its end is awaited */
        STEP_READ,  /* only the properties are awaited */
        STEP_TAKEN, /* there is a unit of a command's name: what it does is awaited */
} CallStep;

typedef enum CallKind { CALL_UNIT, CALL_JOB, CALL_RUN } CallKind;

struct SystemdCall {
        Systemd *systemd;
        SystemdCall *next, *prev;
        CallKind kind;
        CallStep step;
        UnitVerb verb;
        char unit[256];
        char job[64];      /* object path of the job */
        char sender[64];   /* who answered us; "" peer to peer, or not yet answered on this connection */
        char trouble[256]; /* the last failure that was waited out, for the text of a timeout */
        bool ended;        /* JobRemoved was seen, with this result: */
        JobResult result;
        unsigned taken;  /* how often the name was taken by what does nothing any more */
        bool referenced; /* AddRef= was sent over this connection */
        Usec deadline;
        Usec limit_usec;
        sd_bus_slot *slot;
        sd_event_source *timer;

        char **argv, **env;
        int out_read, out_write;
        sd_event_source *out_source;
        char output[SYSTEMD_OUTPUT_MAX + 1];
        size_t output_len;

        union {
                UnitStateFn unit_fn;
                UnitJobFn job_fn;
                SystemdRunFn run_fn;
        };
        void *userdata;
};

typedef struct Removed {
        char job[64];
        char sender[64];
        JobResult result;
} Removed;

struct Systemd {
        sd_bus *bus;
        sd_event *e;
        sd_bus_slot *match, *subscribe;
        SystemdCall *calls;
        Removed removed[SYSTEMD_REMOVED_KEPT];
        size_t n_removed; /* ever; the ring's next place is this modulo its size */
};

/* What systemd says about a unit; all zero before it is read. */
typedef struct Reading {
        UnitState state;
        char job[64];
        int32_t exec_code; /* CLD_EXITED, ...; 0: it never ended */
        int32_t exec_status;
} Reading;

typedef struct SystemdVerb {
        const char *method, *word;
} SystemdVerb;

/* --- systemd-call.c --- */

extern const SystemdVerb systemd_verbs[]; /* by UnitVerb: systemd's method, and the word for people */

/* systemd_own_socket() - is it systemd's own socket that we are connected to? */
bool systemd_own_socket(const Systemd *s);

/* systemd_call_free() - out of the list, with its unit, pipe and timer; also half made. NULL allowed. Return:
 * NULL. */
SystemdCall *systemd_call_free(SystemdCall *c);
DEFINE_CLEANUP(SystemdCall, systemd_call_free);

/* systemd_call_arm() - the timer, which takes the next step, at @at or at the deadline (monotonic). */
void systemd_call_arm(SystemdCall *c, Usec at);

/* systemd_on_output() - the command of the call @userdata has written something. */
int systemd_on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/*
 * The end of a call: it is freed, and then its callback runs, which may free the Systemd as well. The first
 * three are each for a call of that kind, the others for any. @state: NULL where there is an @err; neither
 * may lie in the call. @why: may; NULL for nothing to add, but not with systemd_finish_run().
 * systemd_finish_late() - its deadline is over.
 */
void systemd_finish_unit(SystemdCall *c, const UnitState *state, const Err *err);
void systemd_finish_job(SystemdCall *c, JobResult result, const char *why);
void systemd_finish_run(SystemdCall *c, int status, const char *why);
void systemd_finish_failed(SystemdCall *c, const Err *err);
void systemd_finish_late(SystemdCall *c);

/* --- systemd-reading.c --- */

/* systemd_reading_parse() - @m: an answer of GetAll(). What it does not name stays in @ret as it is. Return:
 * 0 or negative errno. */
int systemd_reading_parse(sd_bus_message *m, Reading *ret);

/* --- systemd-steps.c --- */

/* systemd_errno_away() - is this what sd-bus says when the connection is gone? */
bool systemd_errno_away(int r);

/* systemd_on_timer() - the next step of the call @userdata, or its end. */
int systemd_on_timer(sd_event_source *source, uint64_t usec, void *userdata);
