/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whose turn it is, in one pool. Pure: from what the pool's nodes in ZooKeeper say.
 *
 * run/  has a node for each who wants to go out, in the order of their coming: UUID_ID_NUMBER, where UUID is
 * the server's, ID is of this one attempt (a create that was cut off may have happened: its ID tells), NUMBER
 *       is ZooKeeper's. It goes with the session.
 * out/  has a node for each who is out: UUID. It stays until it is taken away.
 * Who is in both counts once.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_UUID_SIZE 64
#define TURN_ID_SIZE   40
#define TURN_NODE_SIZE 160
#define TURN_MAX       1024 /* of each kind; more is a broken pool */
#define TURN_SIZE_MAX  1000

typedef struct TurnRun {
        char uuid[TURN_UUID_SIZE];
        char id[TURN_ID_SIZE];
        char node[TURN_NODE_SIZE]; /* as it is called in run/ */
        int64_t number;
} TurnRun;

/* turn_prefix() - "UUID_ID_". Return: @buf. */
const char *turn_prefix(const char *uuid, const char *id, char *buf, size_t size);

/* turn_parse() - a name in run/. Return: false: not one of ours. */
bool turn_parse(const char *node, TurnRun *ret);

/* turn_uuid_good() - may it be part of a name: 1 to 63 of [A-Za-z0-9.-]? */
bool turn_uuid_good(const char *uuid);

/* turn_pool() - a pool's name as the name of a node: "router/dc-1/gateway" is "router:dc-1:gateway"; what is
 * odd becomes %XX. Return: @buf. */
const char *turn_pool(const char *pool, char *buf, size_t size);

/* turn_size() - from the data of the pool's node; what cannot be read is 1. */
unsigned turn_size(const char *data);

typedef struct TurnView {
        const char *const *runs; /* names in run/ */
        size_t n_runs;
        const char *const *outs; /* names in out/ */
        size_t n_outs;
        unsigned size; /* how many may be out */
} TurnView;

typedef enum TurnAnswer {
        TURN_GO,
        TURN_WAIT,
        TURN_ABSENT, /* our node is not there: never made, or gone with its session */
        TURN_COUNT,
        TURN_INVALID = -EINVAL,
} TurnAnswer;

typedef struct Turn {
        char own[TURN_NODE_SIZE];   /* our node; "" when absent */
        unsigned position;          /* 1: the next */
        unsigned waiting;           /* how many want to go out and are not out yet, we included */
        unsigned before;            /* who counts against us: different servers */
        char watch[TURN_NODE_SIZE]; /* wait: whose going is to be watched in run/; "": that of all (size > 1)
                                     */
        char blocker[TURN_UUID_SIZE];      /* wait: the first in the way */
        bool blocker_out;                  /* ... is out; else only before us */
        char blocker_node[TURN_NODE_SIZE]; /* ... its node in run/; "" where there is none */
        char stale[TURN_NODE_SIZE];        /* a node of ours of an earlier attempt; "" when there is none */
        bool own_out;                      /* we are out already: then only others that are out count */
} Turn;

/* turn_decide() - for @uuid and @id. @ret: always written. */
TurnAnswer turn_decide(const TurnView *view, const char *uuid, const char *id, Turn *ret);
