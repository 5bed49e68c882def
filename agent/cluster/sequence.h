/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A roll over many nodes as a machine that decides and does nothing: no clock (now is an argument), no
 * socket, no bus, no log. It is told what is seen (members of the pools, jobs of nodes, wishes of the user)
 * and asked for the next thing to do.
 *
 * Promises kept here: never more of a pool out than allowed, and never the last that serves (unless that was
 * allowed in words); the first node is the canary of its stage; a node that does not come back stops the
 * roll; unreachable is never done.
 *
 * A step is a node with the component that is restarted on it; steps of one stage may overlap, stages do not.
 * A member is one server of a pool, selected or not; each step is a member of one pool, or (router and
 * message processor as one) of two.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/result.h"
#include "base/time.h"

#define SEQ_POOLS_PER_STEP 2

typedef enum SeqHealth {
        SEQ_UNKNOWN, /* nothing heard for too long: counts as out */
        SEQ_DOWN,    /* not serving: counts as out */
        SEQ_UP,
        SEQ_HEALTH_COUNT,
        SEQ_HEALTH_INVALID = -EINVAL,
} SeqHealth;

typedef enum SeqState {
        SEQ_STEP_WAITING,
        SEQ_STEP_STARTED, /* its job was asked for and is before `block`; it waits there for the word */
        SEQ_STEP_GOING,   /* it was given the word: may be out at any moment */
        SEQ_STEP_STOPPED, /* past `stop`: cannot be undone */
        SEQ_STEP_SOAKING, /* back, and watched */
        SEQ_STEP_DONE,
        SEQ_STEP_FAILED,
        SEQ_STEP_LEFT, /* never begun, or begun and given back because the roll stopped */
        SEQ_STATE_COUNT,
        SEQ_STATE_INVALID = -EINVAL,
} SeqState;

/* seq_state_name() - "waiting", "started", "going", "stopped", "soaking", "done", "failed", "left". */
const char *seq_state_name(SeqState state);

typedef enum SeqAction {
        SEQ_WAIT,   /* nothing before seq_deadline(), unless something new is told */
        SEQ_START,  /* ask for the job of a step; it is to wait in front of `block` */
        SEQ_GO,     /* give a step the word */
        SEQ_CANCEL, /* have a step's job undone */
        SEQ_END,    /* the roll is over: seq_result() */
        SEQ_ACTION_COUNT,
        SEQ_ACTION_INVALID = -EINVAL,
} SeqAction;

typedef struct SeqPool {
        unsigned max_unavailable; /* how many of it may be out at once; 1 or more */
        bool allow_outage;        /* also the last one that serves */
} SeqPool;

typedef struct SeqMember {
        size_t pool;
        SeqHealth health; /* as planned with */
        bool tolerated;   /* out already, and said to be no matter: does not use up max_unavailable */
} SeqMember;

typedef struct SeqStep {
        unsigned stage;                     /* steps of a lower one come first */
        size_t members[SEQ_POOLS_PER_STEP]; /* which members it takes out */
        size_t n_members;                   /* 1 or 2 */
        bool skip;                          /* done already, by an earlier roll */
} SeqStep;

typedef struct SeqOptions {
        unsigned max_failures; /* go on after so many failed steps */
        Usec soak_low_usec;    /* at least so long after a step is back */
        Usec soak_high_usec;   /* not good by then: failed */
        Usec good_usec;        /* good: up for so long without a break */
        Usec patience_usec;    /* how long others may be down before the roll is stopped because of them */
} SeqOptions;

typedef struct Sequence Sequence;

/*
 * seq_new() - everything is copied. Steps of one stage are taken in the order given.
 * Return: 0; -EINVAL (a member, pool or count that makes no sense); -ENOMEM.
 */
int seq_new(Sequence **ret, const SeqOptions *options, const SeqPool *pools, size_t n_pools,
            const SeqMember *members, size_t n_members, const SeqStep *steps, size_t n_steps) _must_check_;
Sequence *seq_free(Sequence *s);
DEFINE_CLEANUP(Sequence, seq_free);

/*
 * seq_next() - what to do now. SEQ_START, SEQ_GO and SEQ_CANCEL are taken as done when they are returned, so
 * that the caller must do them, or tell that it could not (seq_ended()). To be called until SEQ_WAIT or
 * SEQ_END. @ret_step: of the first three.
 */
SeqAction seq_next(Sequence *s, Usec now, size_t *ret_step);

/* seq_deadline() - when to ask again though nothing was told; USEC_INFINITY. */
Usec seq_deadline(const Sequence *s, Usec now);

/* seq_member() - what was heard of a member. A step's own while it is out is no news. */
void seq_member(Sequence *s, size_t member, SeqHealth health, Usec now);

/* seq_fresh() - may orders be given? false: the leases were not renewed for too long. */
void seq_fresh(Sequence *s, bool fresh);

/* seq_started() - its job was asked for already, by a coordinator before us. seq_ready() - the job of @step
 * waits for the word. seq_stopped() - it is past `stop`. seq_blocked() - it is blocking, though nobody here
 * gave the word (a coordinator before us did). */
void seq_started(Sequence *s, size_t step);
void seq_ready(Sequence *s, size_t step);
void seq_blocked(Sequence *s, size_t step);
void seq_stopped(Sequence *s, size_t step);

/* seq_ended() - its job has ended so, or could not be begun, or nobody knows (agent-unreachable). @out: the
 * node does not serve now. */
void seq_ended(Sequence *s, size_t step, Result result, bool out, Usec now);

/* seq_stop() - finish what cannot be undone any more, then end: Ctrl-C. What is not past `stop` goes on, too:
 * it is one node, and it is nearly done; what is not out yet is given back. */
void seq_stop(Sequence *s);

SeqState seq_state(const Sequence *s, size_t step);
Result seq_step_result(const Sequence *s, size_t step); /* RESULT_INVALID before its end */

/* seq_short() - is @step out while others of its pool are missing, too? What cannot be undone is told loudly.
 */
bool seq_short(const Sequence *s, size_t step);

/* seq_result() - of the roll so far: done; interrupted; that of the first failed step; refused (others of a
 * pool did not come back within patience_usec). */
Result seq_result(const Sequence *s);

/* seq_why() - what is waited for, or why the roll stops, in words: "soaking r1 for 8 s more". @names: of the
 * members. Return: @buf. */
const char *seq_why(const Sequence *s, Usec now, const char *const *names, char *buf, size_t size);

/* seq_counts() - steps that are done, failed, and all. */
void seq_counts(const Sequence *s, size_t *ret_done, size_t *ret_failed, size_t *ret_all);
