/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a node's agent says of one component (the answer of Look), from JSON to facts. Pure. Tolerant towards
 * agents one release apart: unknown keys are skipped, most missing ones leave their default. What a roll is
 * decided by (does it run, is it up, is it out, is it blocked) must be there and of the right type: a guess
 * could take a second node out.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

#define LOOK_MAX         (1024 * 1024) /* bytes of the JSON */
#define LOOK_MEMBERS_MAX 4096
#define LOOK_TEXT        256

typedef enum LookBlocked {
        LOOK_OPEN,         /* nobody refuses its checkers */
        LOOK_BLOCKED_JOB,  /* a running job of edge-roll */
        LOOK_BLOCKED_HOLD, /* a hold, in force */
        LOOK_HOLD_MISSING, /* a record of a hold whose table is gone: it should refuse and does not */
        LOOK_LEFTOVER,     /* an agent that died */
        LOOK_FOREIGN,      /* a firewall rule of others */
        LOOK_BLOCKED_ODD,  /* the agent does not know, or says a word this version does not know */
        LOOK_BLOCKED_COUNT,
        LOOK_BLOCKED_INVALID = -EINVAL,
} LookBlocked;

/* look_blocked_name() - "no", "job", "hold", "hold-missing", "leftover", "foreign", "unknown". */
const char *look_blocked_name(LookBlocked b);

typedef enum LookLock {
        LOOK_LOCK_UNKNOWN, /* not said, or a kind this version does not know */
        LOOK_LOCK_NONE,    /* nothing covers the pool there */
        LOOK_LOCK_LEASE,   /* the leases of a roll */
        LOOK_LOCK_ZOOKEEPER,
        LOOK_LOCK_COUNT,
        LOOK_LOCK_INVALID = -EINVAL,
} LookLock;

const char *look_lock_name(LookLock l);

/* A member of the pool, as one agent knows it; what is not known is "". */
typedef struct LookMember {
        char uuid[64];
        char name[LOOK_TEXT];
        char address[64];
} LookMember;

typedef struct NodeLook {
        char component[64];
        char version[32];
        unsigned protocol; /* 0: not said */
        Usec now;          /* the node's boot clock; 0: not said */
        Usec heard;        /* time_boot() when this came; look_parse() leaves that to its caller */
        char uuid[64];     /* "": the component does not tell (it is down, or was never asked) */
        char region[64], pod[64];
        char pool[LOOK_TEXT];
        char address[64];
        uint16_t health_port; /* 0: not known */

        bool running, up;
        char up_text[LOOK_TEXT];
        LookBlocked blocked;
        char blocked_text[64]; /* the word as it came */

        bool held, held_by_hand;
        char hold_by[LOOK_TEXT], hold_reason[LOOK_TEXT], hold_since[40];

        bool has_job;
        char job_kind[32], job_phase[32], job_by[LOOK_TEXT], job_roll[64];
        uint64_t job_step, job_number;
        bool job_cancellable;

        bool has_last;
        char last_result[32], last_reason[LOOK_TEXT], last_time[40], last_roll[64];
        uint64_t last_step;

        bool out; /* counts as out of service, whatever else is said */
        char out_reason[LOOK_TEXT];

        bool leased;
        uint64_t lease_epoch;
        char lease_holder[64], lease_by[LOOK_TEXT];
        double lease_left; /* seconds */

        LookMember
                *members; /* without a promise that it lists itself; of several looks perhaps the same one */
        unsigned *members_refs; /* looks that have it */
        size_t n_members;
        char members_from[LOOK_TEXT];

        LookLock lock;
        char lock_text[LOOK_TEXT];
        bool retry_known;
        char router_retry[LOOK_TEXT];
        bool may_change;       /* may this caller restart there? */
        bool may_change_known; /* false: the agent did not say */
        double request_limit;  /* seconds; 0: not known */
        double took;           /* seconds of its last restart that ended well; 0: not known */
        char partner[64];      /* the component restarted with it by rmp; "" */
} NodeLook;

/*
 * look_parse() - @ret: to be freed with look_free(); written only on success. Texts are cut to their fields
 * (names and ids never: too long is an error) and made printable ASCII.
 * Return: 0; -EBADMSG (not the JSON of a Look: says which key and what was found); -E2BIG; -ENOMEM.
 */
int look_parse(const char *json, size_t len, NodeLook **ret, Err *err) _must_check_;
NodeLook *look_free(NodeLook *look);
DEFINE_CLEANUP(NodeLook, look_free);

/*
 * look_share_members() - when both list the same members, keep one list for both: all nodes of a pool say the
 * same, and so many copies of so long a list cost more than all else. Return: they do now.
 */
bool look_share_members(NodeLook *look, const NodeLook *other);

/* look_serves() - does it take traffic now: runs, is up, and nothing keeps it out? */
bool look_serves(const NodeLook *look);
