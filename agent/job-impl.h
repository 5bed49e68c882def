/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of a job (job*.c) and nobody else. */

#include "agent/checkers.h"
#include "agent/cuts.h"
#include "agent/facts.h"
#include "agent/hold.h"
#include "agent/hooks.h"
#include "agent/job.h"
#include "agent/kept-conns.h"
#include "agent/needed-look.h"
#include "agent/procs.h"
#include "agent/journal.h"
#include "agent/state.h"
#include "drain/block-watch.h"
#include "drain/deaths.h"
#include "drain/foreign.h"
#include "drain/fate.h"
#include "drain/inflight.h"
#include "drain/look.h"
#include "probes/snapshot.h"
#include "probes/window.h"

/* model: JOB-TIMEOUT */
#define JOB_BLOCK_TIMEOUT_USEC (30 * USEC_PER_SEC) /* a dead agent opens the node after this long */
#define JOB_BLOCK_RENEW_USEC   (5 * USEC_PER_SEC)
#define JOB_FREEZE_USEC        (50 * USEC_PER_MSEC)  /* kernel-side quiet before the last look */
#define JOB_FREEZE_LONG_USEC   (260 * USEC_PER_MSEC) /* ... when the first look did not pass */
#define JOB_FREEZE_MAX_USEC    (2 * USEC_PER_SEC)    /* the kernel thaws by itself after this long */
#define JOB_POLL_USEC          (50 * USEC_PER_MSEC)  /* counters and sockets are read this often */
#define JOB_ARRIVAL_USEC       (12 * USEC_PER_MSEC)  /* ... and say when the last one came this exactly */
#define JOB_RESUMES_MAX        10 /* agents that died in one phase; then the job is only settled */
#define JOB_PROGRESS_USEC      (200 * USEC_PER_MSEC) /* progress is told at most this often */
#define JOB_PROGRESS_KEPT      256                   /* progress events a late joiner is shown */

/* What doctor says of one thing. */
typedef enum Finding {
        FINDING_OK,
        FINDING_WARNING, /* worth knowing; a restart does its work all the same */
        FINDING_PROBLEM, /* a restart would be refused, or would not prove what it should */
        FINDING_COUNT,
        FINDING_INVALID = -EINVAL,
} Finding;

/* What the job has changed outside: worked backwards by undo, settled by hold and unblock. */
typedef struct JobChanges {
        bool table;   /* our nft table exists */
        bool blocked; /* ... and refuses */
        bool monit;   /* monit was asked to leave the component alone */
        bool stopped; /* the unit was told to stop: no way back */
        bool hooks;   /* those of before-block were begun */
} JobChanges;

/* @failed: the sentence of the first hook that failed; NULL: all are well, or there are none. */
typedef void (*JobHooksFn)(Job *job, const char *failed);

/* Hooks that are being run. */
typedef struct JobHooks {
        HookPoint point;
        Words list; /* NULL: none run */
        size_t at;
        char result[32];
        Usec began; /* the present one */
        SystemdCall *call;
        sd_event_source *retry;
        JobHooksFn done;
} JobHooks;

/* @failed: NULL, or one sentence: which target servers no longer answer. */
typedef void (*JobTargetsFn)(Job *job, const char *failed);

struct Job {
        JobEnv env;
        uint64_t id;
        const Component *component;
        JobOptions options;
        Roll *roll;
        Result result;
        Usec started; /* monotonic */
        Usec started_wall;
        bool over;
        bool within;   /* another job: of restart rmp */
        bool counting; /* ... and its table was made before it, for plan_early */
        BlockPlan plan_early;
        bool resumed;       /* an earlier agent began it */
        Phase resume_phase; /* where; PHASE_NONE: at the beginning */
        unsigned resumes;   /* how often agents have begun with the present phase */
        bool unwritten;     /* resumed: its record cannot be written any more */
        bool hold_first;    /* resumed: what is not proven yet is held before anything else */

        /* events */
        char **events; /* by seq; NULL where a progress event was dropped */
        size_t n_events;
        size_t *progress; /* ring of seqs of the progress events that are kept */
        size_t n_progress;
        char awaiting[512];
        Usec told_progress;
        char told_text[512];
        char evidence[PHASE_COUNT][512]; /* what ended each phase */
        char failure[512];               /* the first thing that went wrong */
        char hint[512];                  /* what to do about it */
        cJSON *warnings;                 /* array of strings */
        cJSON *needed;                   /* what --if-needed has found; NULL: not asked */
        cJSON *findings;                 /* of doctor: array of its events */
        unsigned found[FINDING_COUNT];   /* how many of each */

        /* timers and calls of the present phase */
        sd_event_source *deadline, *tick, *renew;
        sd_event_source *beat; /* of the whole job */
        SystemdCall *call, *call2;
        FactsCall *facts_call;
        HttpCall *http[3];
        unsigned http_pending;
        SnapshotFetch *snapshot_call;
        NeededLook *needed_call;
        const Component *needed_component; /* that is looked at */
        void (*needed_next)(Job *job);     /* what follows when a restart is needed */
        bool monit_running;
        char monit_text[512]; /* what preflight saw of monit */

        bool placed;            /* past `place`: nobody else of the pool may go out through its lock */
        bool told_lapsed;       /* that its lease has ended meanwhile */
        const char *protection; /* "unprotected", "lease" or "zookeeper"; a literal */
        char lock_text[400];    /* what that means here */
        struct JobZk *zk;       /* its place in ZooKeeper, or the way to it; NULL */
        bool told_stolen;       /* that it was taken away */

        JobHooks hooks;
        struct JobTargets *targets; /* its target servers, as they answered before; NULL: not looked at */
        char finding[512];          /* what ended the phase, while hooks that come after it run */
        bool undo_refused;          /* somebody was refused before it was undone */
        bool undo_waits;            /* ... and is waited for */

        /* what is known */
        JobChanges changes;
        bool acted; /* somebody was refused, a hook run, monit told: from here on a record that cannot be
                       written stops nothing */
        Facts facts;
        uint16_t next_health_port; /* another one since or after the restart; 0: the same */
        UnitState unit;            /* before */
        uint64_t inode_sum;        /* of the listeners before */
        MonitPrior monit;
        Snapshot *before;
        bool held;       /* a hold was there when the job began */
        bool hold_again; /* its unit did not come up, and was started once more */
        Hold hold;
        bool recorded; /* the record in the state directory is that of this job */
        BlockPlan plan;
        ForeignRule *foreign; /* rules of others that refuse the health port, as `watch` began */
        size_t n_foreign;
        uint64_t foreign_checks; /* what our counter said when theirs were read first */
        Usec routers_looked;     /* when the sockets of the traffic ports were last looked at for routers */

        /* drain */
        Block *block;
        Usec blocked_at;   /* when it was closed first */
        Usec closed_at;    /* when the block was last closed or renewed */
        BlockWatch *watch; /* where others may change the table; NULL: they cannot, or nothing is blocked */
        sd_event_source *watch_io, *watch_pause;
        Checkers *checkers;
        KeptConns *kept; /* NULL: the health port carries traffic too */
        Usec next_kept;
        bool told_full; /* that a set of sources is full */
        Inflight *inflight;
        Look look;
        Cuts *cuts;
        Deaths *deaths;      /* from notice to the end of drain; NULL also where the kernel does not tell */
        uint64_t cuts_looks; /* looks that were searched for cuts */
        bool asked_spared;   /* whether who used to cut no longer does */
        bool told_cut;       /* that somebody cuts live connections */
        Usec gate_not_before;
        unsigned gates;           /* freezes tried */
        bool forced;              /* the cap was reached and the caller said: go on */
        uint64_t newconn_base;    /* new connections when the block was opened */
        uint64_t newconn_noticed; /* ... and when it was last noticed */
        Usec noticed_at;
        bool notice_again; /* new connections came after it was noticed */
        bool frozen;
        Usec frozen_at;
        Fate fate; /* of the connections that were idle by age only */

        /* restart */
        size_t unit_index; /* which of the component's units is being asked about */
        int unit_rank;     /* of the best so far */
        bool job_done;
        bool stop_called;    /* StopUnit was sent by this agent */
        bool told_blind;     /* that its processes cannot be looked at */
        bool stop_failed;    /* the stop did not end as it should */
        bool by_command;     /* no unit of ours holds it: stopped by its own command, started in job->unit */
        bool command_called; /* ... by this agent */
        bool command_over;
        bool not_by_us;        /* somebody else started it after our stop */
        int command_status;    /* as of systemd_run() */
        char ran_in[256];      /* its cgroup before; "" when not known */
        char runs_in[256];     /* ... and now */
        Proc procs[PROCS_MAX]; /* of one that is stopped by its command */
        size_t n_procs;
        char job_text[256];
        Usec leave_began, leave_closed; /* graceful stop: called; its ports closed (0: not yet) */
        bool leave_noticed;             /* ... and by then the routers had seen bad checks enough */
        Window window;
        bool round_good; /* the present round of probes */
        char round_text[256];
        Usec probes_good_since; /* when the window was first full; 0: not yet */
        bool ready_command_done, ready_compared;
        Usec ports_missing_since; /* its health port is open, and others are not */
        char missing[512];        /* what was loaded before and is not loaded again yet */

        /* restart rmp: the job within this one */
        Job *partner;                /* NULL before and after */
        bool partner_starts;         /* a failed restart has left it stopped */
        EdgeSelf partner_self;       /* what it said of itself; uuid "": nothing */
        uint16_t partner_port;       /* its health port */
        BlockPlan partner_plan;      /* of its table, as preflight saw it */
        Block *partner_block;        /* its table before its job begins: counting only */
        Result partner_end;          /* how it ended: never again; RESULT_INVALID: not yet */
        bool lapsed;                 /* the router's block was open meanwhile */
        bool cut_off;                /* by a reboot: only the partner's job is ended, then undo */
        cJSON *partner_result;       /* its result event */
        char partner_text[512];      /* ... as evidence */
        Persistent persistent_asked; /* as the caller said it, for both */
        AtCap at_cap_asked;
        MpLeave mp_leave_asked;
};

/* --- job.c --- */

/* job_ok/job_fail/job_feed() - end the present phase. job_fail's text is one sentence; @result
 * RESULT_INVALID: what the phase ends with by itself. */
void job_ok(Job *job, const char *evidence, ...) _printf_(2, 3);
void job_fail(Job *job, Result result, const char *hint, const char *fmt, ...) _printf_(4, 5);
void job_feed(Job *job, RollEvent event, const char *fmt, ...) _printf_(3, 4);

/* job_tick() - call the phase's tick after @usec, again and again until the phase is left. */
void job_tick(Job *job, Usec usec);

/* job_timer() - (re)arm a one-shot timer of the job at @when (monotonic). Return: 0 or negative errno. */
int job_timer(Job *job, sd_event_source **timer, Usec when, sd_event_time_handler_t fn);

/* job_extend() - the present phase gets its limit once more. */
void job_extend(Job *job);

/* job_lengthen() - the present phase gets @usec more. */
void job_lengthen(Job *job, Usec usec);

/* --- job-tell.c --- */

/* job_progress() - what is awaited now; told when it changed, at most every JOB_PROGRESS_USEC. */
void job_progress(Job *job, const char *fmt, ...) _printf_(2, 3);
void job_warn(Job *job, const char *fmt, ...) _printf_(2, 3);

/* job_tell() - an event for everybody who follows the job. @object: consumed. @progress: only the last of
 * these are kept. */
void job_tell(Job *job, cJSON *object, bool progress);
JournalContext job_context(const Job *job);

/* job_object() - an event of this name, for job_tell(). job_add_seconds() - null for USEC_INFINITY. */
cJSON *job_object(const char *event);
void job_add_seconds(cJSON *o, const char *key, Usec usec);

/* job_add_checkers() - who checks, and how often: part of the result and of the record. */
void job_add_checkers(const Job *job, cJSON *o);

/* job_tell_begin() - the first event of all. job_result_object() - the last one; to be freed, or told. */
void job_tell_begin(Job *job);
cJSON *job_result_object(Job *job, Result result);

/* job_forward() - tell an event (taken) of the job within this one, marked with its component. */
void job_forward(Job *job, cJSON *event, bool progress);

/* --- job-save.c --- */

/*
 * job_save() - the record, before the effect it describes. A failure before the first effect (job->acted) is
 * a refusal, and ends the phase; later it is told and the job goes on in memory. Return: 0; negative errno
 * (already told): where nothing was done yet, nothing may be done any more.
 * job_write() - the same, and only @err tells.
 * job_intend() - the same with @change (of job->changes) set. Return: false: it may not be done, @change is
 * as before and the phase has ended.
 */
int job_save(Job *job);
int job_write(Job *job, Err *err) _must_check_;
bool job_intend(Job *job, bool *change) _must_check_;

/* job_keep_result() - how it ended, for those who ask later. @result: borrowed. What cannot be written is
 * told. */
void job_keep_result(Job *job, const cJSON *result);

/* --- the phases --- */
typedef struct PhaseOps {
        void (*enter)(Job *job);
        void (*tick)(Job *job);                   /* may be NULL */
        void (*leave)(Job *job, RollEvent event); /* may be NULL: timers and calls are dropped anyway */
        void (*timeout)(Job *job);                /* may be NULL: the phase simply times out */
} PhaseOps;

extern const PhaseOps job_preflight;                                                    /* job-preflight.c */
extern const PhaseOps job_discover, job_watch;                                          /* job-prepare.c */
extern const PhaseOps job_place;                                                        /* job-place.c */
extern const PhaseOps job_notice;                                                       /* job-notice.c */
extern const PhaseOps job_block, job_drain, job_stop_monit, job_gate;                   /* job-drain.c */
extern const PhaseOps job_partner;                                                      /* job-partner.c */
extern const PhaseOps job_stop, job_start_unit, job_ready, job_verify, job_start_monit; /* job-restart.c */
extern const PhaseOps job_unblock, job_return, job_undo, job_hold;                      /* job-return.c */

/* --- job-return.c --- */
/* job_hold_put() - record and table of a hold, read back. @by_hand, @reason: as in Hold. Return: false (told
 * to
 * @err): the table does not refuse. A record that cannot be written is only warned about. */
bool job_hold_put(Job *job, bool by_hand, const char *reason, Err *err) _must_check_;

/* --- job-preflight.c --- */
/* job_kind_restarts() - is it about a restart or start, be it only to look whether one could be made? */
bool job_kind_restarts(RollKind kind);

/*
 * job_preflight_refuse() - something that ends a job here; doctor only tells it, as a finding @about, and
 * goes on. @hint: as job_fail(). Return: true when the phase is over.
 */
bool job_preflight_refuse(Job *job, Result result, const char *about, const char *hint, const char *fmt, ...)
        _printf_(5, 6);

/* job_facts_plan() - what refuses and counts at the ports of @f; nobody is known to be a router yet. */
BlockPlan job_facts_plan(const Facts *f, const Component *c);

/* --- job-prepare.c --- */
/* job_setup() - plan, checkers and in-flight engine from what is known (facts); also after a resume. */
int job_setup(Job *job, Err *err) _must_check_;
/* job_learn() - keep what was learned, for the next job; what was loaded before, when the restart is not
 * good. */
void job_learn(Job *job, Result result);

/* job_ports() - health port and traffic ports together. @ports: CONNS_PORTS_MAX. Return: how many. */
size_t job_ports(const Job *job, uint16_t *ports);

/* --- job-targets.c --- */
/* job_targets_before() - which target servers of a message processor answer this node? Never fails: what is
 * not known is told. @done: may be called from within. */
void job_targets_before(Job *job, JobTargetsFn done);
/* job_targets_after() - do those that answered still answer? The same. */
void job_targets_after(Job *job, JobTargetsFn done);
/* job_targets_evidence() - "12 target servers answer as before", or "". Return: @buf. */
const char *job_targets_evidence(const Job *job, char *buf, size_t size);
void job_targets_cancel(Job *job); /* what is under way, without calling back */
void job_targets_free(Job *job);
void job_targets_save(const Job *job, cJSON *record);
int job_targets_load(Job *job, const cJSON *record) _must_check_; /* Return: 0 or -ENOMEM. */

/* --- job-partner.c --- */
/* partner_resume() - the job within @job from its record, if there is one: it goes on when the phase is
 * entered. @fds: as job_resume(). Return: as job_resume(). */
int partner_resume(Job *job, int fds[JOB_PLACE_COUNT], Err *err) _must_check_;

/* partner_count() - the partner's table is made already, and refuses nothing. partner_uncount() - and is
 * dropped again, where its job has not taken it over. */
void partner_count(Job *job);
void partner_uncount(Job *job);

/* partner_block_new() - the handle on that table, also where an earlier agent has made it. @fd: as
 * job_block_new(). */
int partner_block_new(Job *job, int fd, Err *err) _must_check_;

/* partner_component() - what restart rmp restarts beside the router; NULL when that is no longer
 * configured. */
const Component *partner_component(const Job *job);

/* partner_running() - it has begun and is not over. */
bool partner_running(const Job *job);

/* --- job-foreign.c --- */
/* job_foreign_look() - name the rules of others that refuse the health port, as warnings. */
void job_foreign_look(Job *job);
/* job_foreign_begin() - the counting begins: remember what their counters say. */
void job_foreign_begin(Job *job);
/* job_foreign_refuses() - did one of them refuse all checks that came since? Return: true, and the phase has
 * ended with a refusal. */
bool job_foreign_refuses(Job *job);
/* job_foreign_legacy() - words to add where nobody comes and rules that cannot be read may be why; or "". */
const char *job_foreign_legacy(void);

/* --- job-watch.c --- */
/* job_renewing() - renew the block every JOB_BLOCK_RENEW_USEC from now on, and look at it when somebody else
 * changes the table; or no longer. */
void job_renewing(Job *job, bool on);

/* --- job-record.c --- */
/*
 * job_record_check() - the rest of what is true of a resumed job, whose record has been read: a component
 * that does not run any more counts as stopped by it (after a reboot: one that nobody else starts); where the
 * record cannot be written any more the job is only settled. @phase: of the record; @stored: its table's
 * socket lies in the fd store.
 */
void job_record_check(Job *job, const cJSON *record, Phase phase, bool same_boot, bool stored);

/* job_record_hold() - the same: where the component is refused by the table of holds and has no record there,
 * it is held, among the unwritten ones. */
void job_record_hold(Job *job, const cJSON *record);

/* --- job-beat.c --- */
/* job_beat() - from now on the present phase gets the time in which the agent stood still; or no longer. */
void job_beat(Job *job, bool on);

/* --- job-place.c --- */
#define JOB_PLACE_HINT                                                                                    \
        "make sure that no other node of the pool is out, then say --unprotected=REASON; or restart the " \
        "cluster with --cluster, which takes a lease on each node"

/* job_place_open() - are other nodes of the pool known, and nothing keeps them from going out meanwhile?
 * @text: who, in a sentence. */
bool job_place_open(const Job *job, char *text, size_t size);

/*
 * job_place_lost() - the last thing before something is refused or stopped for the first time: is the right
 * to go out still ours? Return: true when it is not, and the job has ended.
 */
bool job_place_lost(Job *job);

/* job_place_taken() - the right to go out is ours, by @protection (a literal); job->lock_text says what it
 * is. job_place_without() - as if there were no ZooKeeper: by the lease, or unprotected. */
void job_place_taken(Job *job, const char *protection);
void job_place_without(Job *job);

/* --- job-zk.c --- */
typedef struct JobZk JobZk;
/* job_zk_wanted() - does ZooKeeper keep the places of its pool? */
bool job_zk_wanted(const Job *job);
/* job_zk_begin() - stand in line; the phase ends when it is decided. Return: false: it cannot, and the caller
 * has said that this one goes on all the same. */
bool job_zk_begin(Job *job);
/* job_zk_fresh() - can nobody have taken the places away unseen, by our own clock? Also where it has none.
 * @text: why not. */
bool job_zk_fresh(const Job *job, char *text, size_t size);
/* job_zk_resume() - an earlier agent has gone out: watch that the places stay ours. */
void job_zk_resume(Job *job);
/* job_zk_left() - the phase is over; what was taken stays. job_zk_drop() - and that goes, too: a line in the
 * queue, not the word that we are out. */
void job_zk_left(Job *job);
void job_zk_drop(Job *job);

/* job_place_load() - from a record. Return: 0; -EBADMSG (a number that makes no sense: which). */
int job_place_load(Job *job, const cJSON *record, Err *err) _must_check_;
void job_place_add(const Job *job, cJSON *record);

/* --- job-ports.c --- */
/* job_ports_refuse() - pure: @port is refused as one that carries traffic, too. Return: false if it was, or
 * there is no room. */
bool job_ports_refuse(BlockPlan *plan, uint16_t port);
/* job_ports_look() - in `start`: are the ports others than before? Does nothing while it is being asked. */
void job_ports_look(Job *job);

/* --- job-stop.c: one that no unit of its own holds --- */

/* job_edge_name() - what Edge calls the component: "edge-router", "edge-message-processor". */
const char *job_edge_name(const Component *c);

/* job_edge_command() - @configured, or what "auto" means here: apigee-service COMPONENT @action, where that
 * program exists. Return: 0 (nothing in @ret: there is none); -ENOMEM. */
int job_edge_command(const Component *c, const char *configured, const char *action, Words *ret) _must_check_;

/*
 * job_unit_usable() - may the unit that the component runs in be stopped to stop the component? Only a
 * service that is one of its units, holds no other component, and is nobody else's. Return: NULL, or why not.
 */
const char *job_unit_usable(const Job *job);

/* job_unit_rank() - how fit a unit is to be the one that is started: 0 not at all; the first of the highest
 * rank is taken, which is one that says active, then ours, then any. */
int job_unit_rank(const Job *job, const UnitState *state, const char *name);

/* job_procs_look() - its processes in the cgroup it runs in, into job->procs. */
void job_procs_look(Job *job);

/* job_command_call() - run its stop command. Return: 0; negative errno (@err): it was not even tried. */
int job_command_call(Job *job, Err *err) _must_check_;

/* job_command_tick() - the rest of `stop`, once the command was called. */
void job_command_tick(Job *job, int listening, size_t of, uint64_t inode_sum);

/* job_command_resume() - an agent before this one may have called it: go on, or prove everything again. */
void job_command_resume(Job *job);

/* job_served() - end `start`: a new process serves on @of ports. It is accepted wherever it runs, because
 * `ready` judges it; but whose it is, is told. */
void job_served(Job *job, const UnitState *state, size_t of);

/* job_who() - whose a cgroup is, for people: "monit (/system.slice/...)". Return: @buf. */
const char *job_who(const Job *job, const char *cgroup, char *buf, size_t size);
/* --- job-doctor.c --- */
/* job_find() - a finding of doctor. @about: one word. @hint: what to do, NULL for nothing. */
void job_find(Job *job, Finding state, const char *about, const char *hint, const char *fmt, ...)
        _printf_(5, 6);
/* job_examined() - doctor has seen what it can see: tell the rest and end the present phase. */
void job_examined(Job *job);

/* --- job-hooks.c --- */
/* job_hooks() - run the hooks of @point; the phase gets more time for them. @result: for their environment.
 * @done: called once, perhaps at once; not when the phase is left before. */
void job_hooks(Job *job, HookPoint point, const char *result, JobHooksFn done);
void job_hooks_cancel(Job *job);

/* --- job-leave.c --- */
#define JOB_DRAIN_MARGIN_USEC (10 * USEC_PER_SEC) /* added to the longest request */
/* job_drain_cap() - how long requests in flight are waited for at the most. */
Usec job_drain_cap(const Job *job);
/*
 * job_leave_choose() - a restart of a message processor becomes one by its own graceful stop where that loses
 * less. @text: a clause for preflight's evidence. Return: false when the job was failed.
 */
bool job_leave_choose(Job *job, char *text, size_t size);
/* job_leave_begin/look/end() - around a graceful stop; look: @text is what to tell. */
void job_leave_begin(Job *job);
void job_leave_look(Job *job, bool listening, char *text, size_t size);
void job_leave_end(Job *job);

/* --- job-routers.c --- */
/* job_routers_setup() - for a plan that refuses the health port from routers only: who is known to be one
 * before anything was seen. */
void job_routers_setup(Job *job);
/*
 * job_routers_look() - who asks the health port and is a client of a traffic port is a router: into the plan.
 * @checks: the counters BLOCK_CHECKS. Return: true when there is a new one (named in @who, ADDR_TEXT_SIZE);
 * the block refuses him from its next renewal on.
 */
bool job_routers_look(Job *job, const BlockSource *checks, size_t n, char *who);
/*
 * job_routers_unknown() - what is started behind a block without having been watched, and nobody is known to
 * be a router: then everybody is refused for that time. Return: true when it is so; the plan says it now.
 */
bool job_routers_unknown(Job *job);
/* job_routers_text() - "10.0.0.5, 10.0.0.6 and 2 more". */
const char *job_routers_text(const Job *job, char *buf, size_t size);

/* --- job-drain.c --- */
/* job_eyes() - what looks at the sockets of this job, set up. */
Look *job_eyes(Job *job);
/* job_table_name() - of the transit table. */
const char *job_table_name(const Job *job);
/* job_block_new() - the handle on that table. @fd: from the fd store or -1; owned by it from the call on. */
int job_block_new(Job *job, int fd, Err *err) _must_check_;
/* job_table() - the nft table exists and counts. */
int job_table(Job *job, Err *err) _must_check_;
/* job_block_check() - is the block what we think it is? Return: false when it had lapsed (and is put back).
 */
bool job_block_check(Job *job);
/* job_block_look() - the same when nothing is due: what is intact is not renewed. @touch: who was seen to
 * touch the table. */
bool job_block_look(Job *job, const BlockTouch *touch);
/* job_counters_back() - somebody deleted or changed the table while it only counts: make it anew, told; all
 * counts are 0 then. @r, @state: of a reading. Return: true when that was so. */
bool job_counters_back(Job *job, int r, const BlockState *state);
/* job_look_on() - a full look when it is time for one, so that streams are known as such when it matters; a
 * failure is not told. */
void job_look_on(Job *job);
/* job_look() - look at the sockets if it is time to, at all of them or again at those in the way. Return:
 * false when the phase has failed over it. */
bool job_look(Job *job);
/* job_routers_more() - has somebody shown to be a router who is not refused yet? Then he is, told. */
bool job_routers_more(Job *job);
/* job_thaw() - end a freeze, if there is one. */
void job_thaw(Job *job);

/* --- job-checks.c --- */
/* job_sources() - as block_sources(), but tells (once) when there are more than can be followed. */
int job_sources(Job *job, BlockCounter counter, BlockSource **ret, size_t *ret_n, Err *err) _must_check_;

/* job_checks() - who has checked so far: BLOCK_CHECKS, and checks on connections that are kept open. Return:
 * as block_sources(). */
int job_checks(Job *job, BlockSource **ret, size_t *ret_n, Err *err) _must_check_;

/* --- job-notice.c --- */
/* job_connected() - did new connections come after it had been noticed? */
bool job_connected(Job *job);
/* job_connected_text() - from whom; "sources not followed" where that is not known. Return: @buf. */
const char *job_connected_text(Job *job, char *buf, size_t size);
/* job_connected_again() - if they did, the job is on its way back to notice: true. */
bool job_connected_again(Job *job);
/* job_cuts_look() - the sockets in flight may have been looked at since the last call. */
void job_cuts_look(Job *job);
/* job_cuts_tell() - warn, once, if somebody has cut live connections, and keep it for the next job. */
void job_cuts_tell(Job *job);

/* --- job-return.c --- */
/* job_hold_back() - a job on a held component: where somebody took the table of the hold away, put it back,
 * told. Return: false: the hold was ended, with its record; then it is left so.
 * job_hold_stands() - has a job on a held component closed its block without a notice while the hold still
 * refused? Return: false: it was ended before. */
bool job_hold_back(Job *job);
bool job_hold_stands(Job *job);

#define JOB_HOLD_ENDED "its hold was ended meanwhile, and nothing has refused its checkers since"
#define JOB_HOLD_HINT  "run it again: then its checkers are waited for"

/* --- job-needed.c --- */
/* job_needed() - with --if-needed: look whether a restart is needed. Then either the job ends as not-needed,
 * or
 * @next is called. Without it @next is called at once. */
void job_needed(Job *job, void (*next)(Job *job));
