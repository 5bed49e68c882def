/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From what the nodes say to what a roll would do: pools, order, capacity, expected time, and every condition
 * that speaks for or against it, by name, with its evidence. Pure: no clock, no bus, no log.
 *
 * Rules:
 * - A pool is a component and a name, as the agents tell it. Its members are all nodes known to have it,
 * selected or not, and those that any agent names as members. Who does not answer counts as out.
 * - Regions one after another; in a region message processors, then nodes with both (as one), then routers.
 * - What is sick comes first, on its own: restarting it takes nobody out, so a sick pool can be cured. What
 *   serves follows only when at most max_unavailable are out with it, and never takes the last one serving.
 * - Selecting nodes never makes a pool smaller.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "agent/cluster/look.h"
#include "agent/cluster/nodes.h"

#define PLAN_PROTOCOL 1 /* of the agent's interface */
#define PLAN_NONE     SIZE_MAX
#define PLAN_TEXT     512

typedef enum PlanContact {
        PLAN_REACHED,
        PLAN_UNREACHABLE,   /* no ssh, no agent, no answer */
        PLAN_NO_PERMISSION, /* reached, but this caller may do nothing there */
        PLAN_OTHER_VERSION, /* reached, but it does not speak this protocol */
} PlanContact;

/* One node as it was found. Everything is the caller's and must outlive the Plan. */
typedef struct PlanNode {
        const Node *node;
        PlanContact contact;
        const char *trouble, *hint; /* one sentence each unless reached; may be NULL */
        NodeLook *const *looks;     /* one for each component asked that the agent knows */
        size_t n_looks;
} PlanNode;

typedef enum PlanCondition {
        PLAN_C_UNREACHABLE,
        PLAN_C_PERMISSION,
        PLAN_C_VERSION,
        PLAN_C_DUPLICATE,  /* two names for one node */
        PLAN_C_IDENTITY,   /* an agent's server id is not the one the Management Server lists for that node */
        PLAN_C_POOL_NAMES, /* nodes of one region and pod that tell different pools */
        PLAN_C_MEMBERS,    /* agents and caller disagree on who is in the pool */
        PLAN_C_STOPPED,
        PLAN_C_HELD,
        PLAN_C_BLOCKED,
        PLAN_C_BUSY,
        PLAN_C_LEASED,
        PLAN_C_LOCK,
        PLAN_C_DEGRADED,
        PLAN_C_LAST_SERVING,
        PLAN_C_MAX_UNAVAILABLE,
        PLAN_C_MAX_FAILURES,
        PLAN_C_RETRY_SET,
        PLAN_C_DATASTORE,
        PLAN_C_TARGETS,    /* target servers that do not answer before anything is begun */
        PLAN_C_LINT,       /* errors in what is deployed */
        PLAN_C_MANAGEMENT, /* the Management Server could not be asked about these two, or not about all */
        PLAN_C_RECENT,     /* restarted a moment ago: would be restarted twice */
        PLAN_CONDITION_COUNT,
        PLAN_CONDITION_INVALID = -EINVAL,
} PlanCondition;

/* plan_condition_name() - "unreachable", "last-serving", ... */
const char *plan_condition_name(PlanCondition c);
PlanCondition plan_condition_from_name(const char *name);

/* plan_condition_overridable() - can --override have any effect? A lease or a job of somebody else stays. */
bool plan_condition_overridable(PlanCondition c);

typedef struct PlanOverride {
        PlanCondition condition;
        const char *reason; /* points into the text that was parsed */
} PlanOverride;

/*
 * plan_override_parse() - "NAME=REASON". Return: 0; -EINVAL (no such name: lists those there are; no reason;
 * one that cannot be overridden: says what to do instead).
 */
int plan_override_parse(const char *text, PlanOverride *ret, Err *err) _must_check_;

/* A number of nodes, or a share of the pool. */
typedef struct PlanCount {
        unsigned number;
        bool percent;
} PlanCount;

/* plan_count_parse() - "2", "25%". Return: 0; -EINVAL. */
int plan_count_parse(const char *text, PlanCount *ret, Err *err) _must_check_;

/* plan_count_of() - of a pool of @size: a share is rounded down; never less than 1. */
unsigned plan_count_of(PlanCount count, size_t size);

/* What keeps the lock of a pool from working. */
typedef struct PlanTrouble {
        const char *component, *pool, *text;
} PlanTrouble;

/* A server that a roll is restricted to. */
typedef struct PlanOnly {
        char component[64]; /* "router", "message-processor" */
        char uuid[64];
        char name[LOOK_TEXT]; /* for people: its address */
} PlanOnly;

#define PLAN_LINT_LINES 5

/* What the Management Server knows beside the nodes: for the plan alone, a roll goes on whatever it is. */
typedef struct PlanEdge {
        char trouble[PLAN_TEXT - 20]; /* what is not known of it, and why: one sentence; "" */
        char trouble_hint[300];
        bool targets; /* the following are known */
        size_t targets_all, targets_down, targets_unasked;
        char targets_text[PLAN_TEXT - 160]; /* those that are down */
        bool lint;                          /* the following are known */
        size_t lint_revisions, lint_errors;
        size_t n_lint_lines; /* the first errors */
        char lint_lines[PLAN_LINT_LINES][PLAN_TEXT - 20];
        char lint_hint[300]; /* how to see all */
} PlanEdge;

typedef struct PlanOptions {
        const char
                *component; /* "router", "message-processor", "rmp", "all", or another one of the agents' */
        PlanCount max_unavailable; /* number 0: 1 */
        unsigned max_failures;
        bool allow_outage, start; /* start: --start, a stopped component may be started */
        const PlanOverride *overrides;
        size_t n_overrides;
        const char *region, *pod; /* NULL: any */
        double soak_low;          /* seconds between two nodes, at least */
        double now;               /* wall clock, seconds since 1970; 0: not known, nothing is called recent */
        const char *holder;       /* own lease holder: its leases are no obstacle; NULL */
        const char *roll;         /* own roll: its jobs are no obstacle; NULL */
        const char *since;        /* another one, whose nodes are left alone; NULL */
        const PlanTrouble *lock_troubles;
        size_t n_lock_troubles;
        const char *router_retry; /* --router-retry; NULL: from the routers' agents */
        const PlanOnly *only;     /* of what is selected only these; NULL: all of it */
        size_t n_only;
        const PlanOnly *needed; /* --if-needed: these need it, whatever their agents say */
        size_t n_needed;
        const PlanEdge *edge; /* NULL: not asked */
} PlanOptions;

typedef enum PlanVerdict {
        PLAN_OK,
        PLAN_UNKNOWN, /* nobody could say */
        PLAN_WARNING,
        PLAN_REFUSE,
        PLAN_VERDICT_COUNT,
        PLAN_VERDICT_INVALID = -EINVAL,
} PlanVerdict;

/* plan_verdict_name() - "ok", "unknown", "warning", "refuse". */
const char *plan_verdict_name(PlanVerdict v);

/* What was found of one condition; at least one for each condition that applies. */
typedef struct PlanFinding {
        PlanCondition condition;
        PlanVerdict verdict; /* REFUSE and overridden: does not refuse the plan */
        bool overridden;
        char reason[PLAN_TEXT]; /* of the override */
        char pool[PLAN_TEXT];   /* its name; "": about no pool */
        size_t pool_index;      /* into pools; PLAN_NONE: about none */
        char evidence[PLAN_TEXT];
        char hint[PLAN_TEXT]; /* what to do; "" */
        size_t *nodes;        /* indices into the PlanNode array */
        size_t n_nodes;
} PlanFinding;

typedef enum PlanState {
        PLAN_SERVING,
        PLAN_OUT,
        PLAN_NOT_KNOWN, /* does not answer: counts as out */
} PlanState;

const char *plan_state_name(PlanState s);

typedef struct PlanMember {
        size_t node; /* index into the PlanNode array; PLAN_NONE: known from agents only */
        char name[LOOK_TEXT], uuid[64], address[64];
        PlanState state;
        char why[LOOK_TEXT]; /* unless serving */
        bool selected;
        size_t step; /* index into steps; PLAN_NONE */
} PlanMember;

typedef struct PlanPool {
        char component[64], name[LOOK_TEXT], region[64], pod[64];
        PlanMember *members;
        size_t n_members;
        size_t serving;       /* now */
        size_t serving_least; /* while the plan is carried out */
        unsigned max_unavailable;
        LookLock lock; /* the weakest among its members */
        char lock_text[LOOK_TEXT];
        bool members_force; /* condition "members" was overridden: the caller's list replaces what agents know
                             */
        size_t n_steps;
} PlanPool;

typedef struct PlanStep {
        size_t node;
        char component[64]; /* for Restart(): "rmp" for both of a node */
        size_t pool, pool2; /* pool2: of the message processor of an rmp; else PLAN_NONE */
        size_t stage;
        bool canary, sick;
        bool needed;         /* it is one of `needed`: its agent is not asked */
        double took;         /* expected seconds; 0: not known */
        char why[LOOK_TEXT]; /* why at this place */
} PlanStep;

/* Steps that follow each other in one pool (rmp: two); a stage begins when the one before is over. */
typedef struct PlanStage {
        size_t first, n; /* steps */
        size_t pool, pool2;
        unsigned at_once;
        bool sick;
} PlanStage;

/* A selected node that is not restarted. */
typedef struct PlanSkip {
        size_t node;
        char why[PLAN_TEXT];
        bool failed; /* unreachable and its kin: the roll cannot end as done */
} PlanSkip;

typedef struct Plan {
        char component[64];
        const PlanNode *nodes;
        size_t n_nodes;
        PlanPool *pools; /* those with at least one step or refused selected node */
        size_t n_pools;
        PlanStage *stages;
        size_t n_stages;
        PlanStep *steps;
        size_t n_steps;
        PlanSkip *skips;
        size_t n_skips;
        PlanFinding *findings;
        size_t n_findings;
        bool refused;                 /* by at least one finding that is not overridden */
        double expected;              /* seconds, of what is known */
        size_t n_unknown;             /* steps whose time nobody knows */
        unsigned stop_after;          /* the roll stops after so many failures */
        char router_retry[LOOK_TEXT]; /* for the message processors' agents; "": not known */
} Plan;

/*
 * plan_components() - which components' Look a plan for @component needs, from every node. Return: how many;
 * at most 2.
 */
size_t plan_components(const char *component, const char *ret[2]);

/*
 * plan_make() - @ret: to be freed with plan_free(); written also when the plan is refused, which is no error.
 * Return: 0; -ENOENT (no node of the selection has the component; says what was found instead); -ENOMEM.
 */
int plan_make(Plan **ret, const PlanNode *nodes, size_t n_nodes, const Nodes *source,
              const PlanOptions *options, Err *err) _must_check_;
Plan *plan_free(Plan *p);
DEFINE_CLEANUP(Plan, plan_free);

/* plan_waits() - is it refused by nothing but what passes by itself (a job, a lease, and that those who have
 * a job are out): worth waiting for? */
bool plan_waits(const Plan *p);

/* plan_summary() - the sentence a refusal is reported with: the names, and the first evidence. Return: @buf.
 */
const char *plan_summary(const Plan *p, char *buf, size_t size);

/* plan_render_text() - for people. @verbose: conditions that are ok, too. @ret: to be freed. Return: 0;
 * -ENOMEM. */
int plan_render_text(const Plan *p, bool verbose, char **ret) _must_check_;

/* plan_to_json() - {"event":"plan",...}, as edge-roll(1) has it. @ret: to be freed with cJSON_Delete(). */
int plan_to_json(const Plan *p, cJSON **ret) _must_check_;
