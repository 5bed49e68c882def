/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of the coordinator (coordinator*.c) and nobody else. */

#include <cjson/cJSON.h>

#include "agent/cluster/coordinator.h"
#include "agent/cluster/fleet.h"
#include "agent/cluster/follow.h"
#include "agent/cluster/plan.h"
#include "agent/cluster/roll-record.h"
#include "agent/cluster/sequence.h"
#include "agent/cluster/table.h"
#include "agent/cluster/tenure.h"
#include "agent/edge/proof.h"

#define COORD_PULSE_USEC (12 * USEC_PER_SEC)     /* a node's word is believed for so long */
#define COORD_TICK_USEC  (1 * USEC_PER_SEC)      /* the display, and what has become old */
#define COORD_GOOD_USEC  (3 * USEC_PER_SEC)      /* up without a break */
#define COORD_WAIT_USEC  (5 * 60 * USEC_PER_SEC) /* for the place in a lock that others use, too */
#define COORD_AGAIN_USEC (2 * USEC_PER_SEC)      /* between two looks while waiting for somebody */
#define COORD_DOUBTS     3 /* looks at one that was done and does not serve, before that is believed */
#define COORD_ASKS_MAX   3 /* orders for one step of which nobody knows whether they came */

typedef enum CoordPhase {
        COORD_LOOKING, /* at all nodes, for the plan */
        COORD_ASKING,  /* the user */
        COORD_WAITING, /* --wait: for a lock or a job of somebody else */
        COORD_LEASING,
        COORD_ROLLING,
        COORD_GIVING, /* the leases back */
        COORD_OVER,
} CoordPhase;

typedef struct CoordMember {
        size_t node; /* PLAN_NONE: nobody to ask */
        const char *component;
        Usec heard; /* when its agent last said how it stands */
        SeqHealth health;
} CoordMember;

typedef struct CoordStep {
        struct Coord *c;
        size_t index; /* of the plan's steps */
        size_t node;
        uint64_t number; /* of the order that began its job; what the job is known by */
        unsigned asks;   /* orders to begin */
        bool seen;       /* the agent has told something of the job */
        bool unsure;     /* an order to begin may still be obeyed, until */
        Usec unsure_until;
        bool cancelled;     /* it was told to go back */
        char back_why[400]; /* ... and why */
        bool back_due;      /* ... and nobody knows whether that came */
        bool back_bare;     /* ... and it was not obeyed under the lease */
        unsigned back_told; /* refusals of it that were shown */
        bool sent;          /* an order to begin has left this machine */
        unsigned goes;      /* orders to go */
        bool go_due;        /* the last one was not obeyed, or nobody knows; again from */
        Usec go_at;
        bool told_short;
        Usec cut_since; /* the link is gone; 0: it is there */
        Follow *follow;
        RemoteCall *call;
        char phase[32], awaiting[256];
        Usec phase_since, limit_usec, since, ended;
        char result[32], text[512], hint[512];
} CoordStep;

typedef struct Coord Coord;
typedef struct CoordLocks CoordLocks;
typedef void (*CoordFn)(Coord *c);

struct Coord {
        const CliRequest *rq;
        const Config *config;
        const CoordIo *io;
        Nodes *nodes;
        sd_event *event;
        Fleet *fleet;
        Table *table;
        TableMode mode;
        CoordPhase phase;

        /* the plan */
        PlanOverride overrides[CLI_OVERRIDES_MAX];
        PlanOptions plan_options;
        PlanOnly *only, *needed; /* of the roll that is resumed */
        bool needed_unknown;
        Proof kept;        /* of the roll that is resumed */
        Proof *proof;      /* that, or the caller's; NULL: nothing is to be proven */
        CoordLocks *locks; /* whether ZooKeeper answers, where it is the lock */
        bool locks_asked;  /* behind the present look */
        Plan *plan;
        bool grown;  /* members that only agents knew have been asked, too */
        bool agreed; /* the user has said yes */
        Usec soak_low_usec, soak_high_usec;
        char since[ROLL_ID_SIZE];  /* --since, in full; "" */
        Usec wait_until;           /* --wait */
        Usec wait_told;            /* when it was last said */
        char joined[ROLL_ID_SIZE]; /* the roll of another process that is only followed; "" */
        int joined_events;         /* ... how many of its events are shown */
        bool joined_noted;         /* ... its journal says so */
        char joined_call[48];      /* ... what this call is known by there */
        Usec joined_touched;       /* ... when its journal was written last */
        Usec joined_seen;          /* ... and when that was first seen, on our own clock */
        off_t joins_at;            /* notes of those who join this one are taken up so far */
        unsigned doubts;           /* looks because of one that was done and does not serve */

        /* the roll */
        char id[ROLL_ID_SIZE];
        RollLog *log;
        RollRecord *record; /* of the roll that is resumed; NULL */
        bool log_failed;    /* told: the journal cannot be written any more */
        Result stop_result; /* why it stops, unless somebody asked or a node failed; RESULT_INVALID */
        char stop_text[600];
        uint64_t step; /* the last number used */
        Tenures *tenures;
        Sequence *seq;
        CoordMember *members;
        const char **member_names;
        size_t n_members;
        size_t *pool_first; /* the first member of each pool */
        CoordStep *steps;
        ViewNode *view;
        Usec began;
        Usec shown;    /* the display, last */
        Usec aged;     /* when it was last looked whose word has become old */
        Usec retry_at; /* those that are away are tried again */

        sd_event_source *tick, *again, *input, *signals[4];
        unsigned giving; /* --give-up: answers that are awaited, and one */
        bool turning, turn_again;
        unsigned stops; /* how often the user has asked to stop */
        int left_by;    /* the signal that made it leave; 0 */
        bool output_gone;

        Result result;
        char text[600], hint[600];
};

/* --- coordinator.c --- */
/* coord_end() - how all this ends; the leases that are held are given back first. The first result stays. */
void coord_end(Coord *c, Result result, const char *hint, const char *fmt, ...) _printf_(4, 5);
/* coord_conclude() - the leases are given back: the last event and the summary. */
void coord_conclude(Coord *c);
void coord_say(Coord *c, const char *node, bool warning, const char *fmt, ...) _printf_(4, 5);
const char *coord_node_name(const Coord *c, size_t node);

/* coord_log() - an event (taken) into the journal, and to standard output with --json. A journal that cannot
 * be written stops the roll before anything more is begun. Return: false then. */
bool coord_log(Coord *c, cJSON *event);

/* coord_run() - all of it. Return: the exit status. */
int coord_run(Coord *c);

/* --- coordinator-begin.c --- */
/* coord_members() - all of the plan's pools, as it found them. What they tell from now on is kept. Return: 0;
 * -ENOMEM. */
int coord_members(Coord *c) _must_check_;
/* coord_look_of() - what @node said of @component. NULL: nothing. */
const NodeLook *coord_look_of(const Coord *c, size_t node, const char *component);
/* coord_doubts() - is there one that is done by what its agent has recorded, and does not serve? It is said.
 * Return: true: so look again. */
bool coord_doubts(Coord *c);
int coord_roll_begin(Coord *c, Err *err) _must_check_; /* the leases are there */
void coord_roll_done(Coord *c);

/* --- coordinator-join.c --- */
/* coord_joins() - does another process of this machine run just such a roll? Unless --wait asks for one of
 * its own behind it, this one follows that to its end; with --if-needed it looks then what still needs it.
 * Return: true: so it does. */
bool coord_joins(Coord *c);
/* coord_joins_take() - those who have joined this roll meanwhile go into its journal. */
void coord_joins_take(Coord *c);

/* --- coordinator-lease.c --- */
/* coord_lease() - the roll is to begin: its journal, and then the leases, which are waited for. */
void coord_lease(Coord *c);

/* --- coordinator-locks.c --- */
/* coord_locks_ask() - then @then, perhaps at once. What is wrong goes into the plan's options. Return: 0;
 * -ENOMEM. */
int coord_locks_ask(Coord *c, CoordFn then) _must_check_;
CoordLocks *coord_locks_free(CoordLocks *l);

/* --- coordinator-look.c --- */
/* coord_look() - ask all nodes, or @only_new ones, and go on with what they say. */
void coord_look(Coord *c, bool only_new);
/* coord_look_later() - look again after @pause. coord_wait() - look again after @pause, and tell @why. */
void coord_look_later(Coord *c, Usec pause);
void coord_wait(Coord *c, Usec pause, const char *why);

/* --- coordinator-roll.c --- */
/* coord_roll_follow() - the job of a step to its end, unless that is done already. coord_roll_timer() - what
 * wakes the sequence. */
void coord_roll_follow(CoordStep *st);
int coord_roll_timer(Coord *c, Err *err) _must_check_;
void coord_roll_turn(Coord *c); /* something has happened */
void coord_roll_tick(Coord *c, Usec now);
void coord_roll_up(Coord *c, size_t node);
void coord_roll_down(Coord *c, size_t node, const char *text);
void coord_roll_signal(Coord *c, size_t node, sd_bus_message *m);
void coord_roll_stop(Coord *c, const char *cause, const char *text); /* no further node is begun */

/* --- coordinator-view.c --- */
/* coord_show() - the display as it is now. coord_summary() - how it ended. */
void coord_show(Coord *c);
void coord_summary(Coord *c);
void coord_write(Coord *c, char *text); /* taken; NULL allowed */

/* --- coordinator-record.c: what of a roll is in its journal's first line --- */
cJSON *coord_options_json(const CliRequest *rq);
void coord_options_from_json(const cJSON *o, CliRequest *rq); /* strings stay @o's */
cJSON *coord_roll_json(const Coord *c);
/* coord_proof_log() - what is to be proven goes into the journal, a line for each virtual host. Return: true;
 * false: it cannot be written. coord_proof_from_record() - and back. Return: 0; -EBADMSG; -ENOMEM. */
bool coord_proof_log(Coord *c) _must_check_;
int coord_proof_from_record(Coord *c, const RollRecord *record, Err *err) _must_check_;
/* coord_prove() - what do routers serve now? What is not as it should be becomes the result. */
void coord_prove(Coord *c);
/* coord_left_out() - is @node (PLAN_NONE: any) to be restarted and was not asked, because somebody has
 * overridden that it cannot be reached? What was asked for is not done then. NULL: no. */
const PlanSkip *coord_left_out(const Coord *c, size_t node);
void coord_add_who(cJSON *o); /* by, host, pid: of this process */
/* coord_lists_from_record() - which servers the roll is restricted to, and which need it: the plan's options.
 */
int coord_lists_from_record(Coord *c, const RollRecord *record, Err *err) _must_check_;
int coord_nodes_from_record(Nodes **ret, const RollRecord *record, Err *err) _must_check_;

/*
 * coord_is_alone() - is there another roll of one of the pools? One that runs is waited for, one that was cut
 * off has to be dealt with. Once this one has a journal, too, only the leases decide: two that wait for each
 * other's end would wait for ever. Return: false: it is in the way, and said.
 */
bool coord_is_alone(Coord *c);
