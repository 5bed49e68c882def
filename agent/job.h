/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One job: a Roll (what follows what) with its effects on the kernel, systemd, monit and HTTP. It belongs to
 * the agent, not to its caller; what it does is told as JSON events. At most one runs on a node (and within
 * it, where that is `restart rmp`, one more).
 */

#include <cjson/cJSON.h>
#include <systemd/sd-event.h>

#include "agent/config.h"
#include "agent/lease.h"
#include "agent/monit.h"
#include "agent/roll.h"
#include "agent/systemd.h"
#include "agent/unwritten.h"
#include "drain/block.h"
#include "drain/conns.h"
#include "probes/http.h"

typedef struct Job Job;

#define JOB_PROBERS_MAX 16

/*
 * Which of a node's places a job has. One job runs at a time, but that of `restart rmp` has another one
 * within it: the whole restart of the message processor. Each has its own record, table and descriptor.
 */
typedef enum JobPlace { JOB_MAIN, JOB_PARTNER, JOB_PLACE_COUNT } JobPlace;

/* job_place_table() - its transit table in the kernel. job_record_name() - in the state directory. */
const char *job_place_table(JobPlace place);
const char *job_record_name(JobPlace place);

/* The agent's parts that a job uses; all borrowed, all outlive the job. */
typedef struct JobEnv {
        sd_event *event;
        const Config *config;
        Systemd *systemd;
        Http *http;
        Conns *conns;
        Monit *monit;
        JobPlace place;
        /* What is refused without a record. As long as the own component is in it the record of a job that
         * has ended stays, and so does another's that was not overwritten. */
        Unwritten *unwritten;
        /* The block's socket, to be kept in (or, -1, dropped from) systemd's fd store. */
        void (*keep_fd)(JobPlace place, int fd, void *userdata);
        /* An event was told; @seq counts from 0. */
        void (*told)(Job *job, uint64_t seq, const char *json, void *userdata);
        /* The last call: the job is over, its result event was told. The callee may free it later. */
        void (*ended)(Job *job, Result result, void *userdata);
        /* Has @roll the lease of @component? @text: which one it is, or why not. */
        bool (*leased)(const char *component, const char *roll, char *text, size_t size, void *userdata);
        /* This process has no descriptors or no memory left; another one would have. NULL: there will be
         * none. */
        void (*exhausted)(const char *why, void *userdata);
        /* Only end what was begun: before `stop` undo, behind it forwards, behind a hold until it is proven.
         */
        bool settle;
        void *userdata;
} JobEnv;

typedef struct JobOptions {
        char by[192];                 /* who asked: "uid 0 (root)" */
        char who[96];                 /* the same, to tell him from others; "": it was nobody */
        char reason[256];             /* why, as the caller said it */
        char unprotected[256];        /* reason to go on although no lock covers the pool; "" for none */
        bool start;                   /* a component that is stopped may be started */
        bool if_needed;               /* a restart only if one is needed; else it ends as not-needed */
        Persistent persistent;        /* PERSISTENT_INVALID: as configured */
        AtCap at_cap;                 /* AT_CAP_INVALID: as configured */
        MpLeave mp_leave;             /* MP_LEAVE_INVALID: as configured */
        char router_retry[256];       /* the routers' retry set, as the caller knows it; "": not known */
        Usec hold_usec;               /* drain: end by itself after this long; 0: until undrained */
        char roll[LEASE_HOLDER_SIZE]; /* which roll it is part of; "": none */
        uint64_t lease; /* the epoch of its lease of the component, when the job began; 0: it has none */
        uint64_t lease_partner; /* restart rmp: of the other component */
        uint64_t step;          /* its number in the roll */
        Usec wait_usec;         /* for a place that others have; 0: not at all */
        bool ticket;            /* waits for its place for ever; other work on the node goes before it */
        bool covered;           /* the job around it has taken its place in ZooKeeper */
        bool await_go; /* stay in front of the block until job_go(): its roll watches another node meanwhile
                        */
        Addr probers[JOB_PROBERS_MAX]; /* who probes the health port without being a checker */
        size_t n_probers;
} JobOptions;

/* job_new() - nothing happens before job_start(). @options: copied. */
int job_new(Job **ret, const JobEnv *env, uint64_t id, const Component *component, RollKind kind,
            const JobOptions *options, Err *err) _must_check_;

/*
 * job_resume() - go on with what an earlier agent had begun, from the record of @env's place. @same_boot: the
 * record is of this boot; else block and processes of then are gone: what was stopped is started, and monit
 * settled. @fds: from the fd store, by place, -1 where there is none; those that are used are taken out (-1).
 * The job within it is resumed with it, from its own record.
 * A record that agents have taken up again and again in one phase, each time to die, is only settled; later
 * given up. Return: 0; -EBADMSG (the record makes no sense: which key); -ELOOP (given up).
 */
int job_resume(Job **ret, const JobEnv *env, const cJSON *record, bool same_boot, int fds[JOB_PLACE_COUNT],
               Err *err) _must_check_;

void job_start(Job *job);

/* job_free() - drops everything without undoing anything. NULL allowed. */
Job *job_free(Job *job);
DEFINE_CLEANUP(Job, job_free);

/* job_cancel() - undo and end, with the job within it. Return: 0; -EALREADY (over); -EBUSY (past `stop`, its
 * own or that of the job within it: it will finish). */
int job_cancel(Job *job, const char *why, Err *err) _must_check_;

bool job_can_cancel(const Job *job);

/*
 * job_placed() - is the job, or the one within it that is about @component, past `place`: has it the right to
 * go out, and perhaps used it?
 * job_lease_ended() - its roll has lost the lease of @component. A job that is not past `place` ends, as
 * refused; another one goes on to its end and says so.
 */
bool job_placed(const Job *job, const char *component);
void job_lease_ended(Job *job, const char *component);

const JobOptions *job_options(const Job *job);
RollKind job_roll_kind(const Job *job);
/*
 * job_go() - the word for a job that was begun with await_go; also before it waits for it. It is kept: a job
 * that an agent goes on with does not wait for it again. Return: 0; -EALREADY (over, or past `place`).
 */
int job_go(Job *job, Err *err) _must_check_;

/* job_take_place() - a place in ZooKeeper that the job has or stands in line for; to be called until it
 * returns NULL.
 * @component: whose; borrowed of the configuration. */
struct Place *job_take_place(Job *job, const char **component);

/* job_awaits_go() - does it stand there? */
bool job_awaits_go(const Job *job);

uint64_t job_id(const Job *job);
const Component *job_component(const Job *job);

/* job_within() - the job that runs within it (phase partner), or NULL. job_concerns() - is @name the
 * component of one of the two? */
const Job *job_within(const Job *job);
bool job_concerns(const Job *job, const char *name);
const char *job_kind(const Job *job);
const char *job_phase(const Job *job);
const char *job_awaiting(const Job *job); /* what the phase waits for right now, with numbers */
const char *job_by(const Job *job);
const char *job_reason(const Job *job);
Usec job_elapsed(const Job *job);
bool job_over(const Job *job);
Result job_result(const Job *job); /* RESULT_INVALID until it is over */

/* job_event() - the event with number @seq, or NULL: not yet there, or so old that it was dropped (progress
 * only: every other event is kept). */
const char *job_event(const Job *job, uint64_t seq);

/* job_next_seq() - the number that the next event will have. */
uint64_t job_next_seq(const Job *job);
