/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What plan.c (pools, order, capacity) and plan-check.c (conditions) share while a plan is made. */

#include "agent/cluster/plan.h"

/* One component on one node. */
typedef struct PlanPlace {
        bool here; /* the node has it, or must be thought to have it */
        const NodeLook *look;
        bool selected;
        size_t pool; /* PLAN_NONE: not known, or not here */
        size_t twin; /* another node that is the same one; PLAN_NONE */
        PlanState state;
        char why[LOOK_TEXT]; /* unless serving */
} PlanPlace;

/* What the simulation found for one pool in the stage where it was tightest. */
typedef struct PlanTight {
        bool degraded, last; /* more out than allowed; nobody would be left */
        bool clamped;        /* fewer at once than asked for, so that one serves */
        size_t out_other;    /* out besides those of the stage */
        bool cures;          /* it begins with nodes that are out */
} PlanTight;

typedef struct PlanMaker {
        Plan *plan;
        const PlanOptions *o;
        const Nodes *source; /* may be NULL */
        const char *components[2];
        size_t n_components;
        PlanPlace *places; /* [component * n_nodes + node] */
        PlanTight *tight;  /* one for each pool */
        bool hinted;       /* the source says of at least one node what is on it */
        Err *err;
} PlanMaker;

int plan_no_memory(Err *err);

/* plan_places() - what is where, and how it stands. plan_pools() - pools with their members. Return: 0;
 * -ENOMEM. */
void plan_places(PlanMaker *m);
int plan_pools(PlanMaker *m) _must_check_;

/* plan_listed() - which of the servers in @list is this: by the id that its agent tells, else by its
 * source's. Return: @n: none. */
size_t plan_listed(const PlanMaker *m, const PlanOnly *list, size_t n, size_t component, size_t node);

PlanPlace *plan_place(const PlanMaker *m, size_t component, size_t node);

/* Do these two mean the same server? By id where both have one, else by name or address. */
bool plan_same_member(const PlanMaker *m, const PlanMember *a, const LookMember *b);

/* plan_list_seen() - has a node before @node, of the same pool, the very list of members that it has? */
bool plan_list_seen(const PlanMaker *m, size_t component, size_t node);

/* plan_find_node() - which node a member is that an agent names. Return: PLAN_NONE if it is none of ours. */
size_t plan_find_node(const PlanMaker *m, size_t component, const LookMember *b);

/* plan_reached() - is there something to be told from the node, and may this caller change something there?
 */
bool plan_reached(const PlanMaker *m, size_t node);
bool plan_may_change(const PlanMaker *m, size_t node);

/* plan_check() - all findings. Return: 0; -ENOMEM. */
int plan_check(PlanMaker *m) _must_check_;

/* plan_check_pool_names() and plan_check_pool() - those of all pools together, of the pool @at. */
int plan_check_pool_names(PlanMaker *m) _must_check_;
int plan_check_pool(PlanMaker *m, size_t at) _must_check_;

/* The nodes that one finding is about. */
typedef struct PlanWho {
        size_t *nodes;
        size_t n;
        bool failed; /* out of memory */
} PlanWho;

void plan_who_add(PlanWho *w, size_t node);
void plan_who_done(PlanWho *w);

/* A list in a sentence; what does not fit is only counted. */
typedef struct PlanList {
        char text[PLAN_TEXT - 120];
        size_t n;
} PlanList;

void plan_list_add(PlanList *l, const char *fmt, ...) _printf_(2, 3);

const char *plan_node_name(const PlanMaker *m, size_t node);
const PlanOverride *plan_override(const PlanMaker *m, PlanCondition c);

/* plan_add() - a finding. @pool, @who, @hint: may be NULL. What @who holds goes into it. Return: 0; -ENOMEM.
 */
int plan_add(PlanMaker *m, PlanCondition c, PlanVerdict verdict, const PlanPool *pool, PlanWho *who,
             const char *hint, const char *fmt, ...) _printf_(7, 8) _must_check_;
