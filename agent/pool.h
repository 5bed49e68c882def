/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The pool of a component: which one this node belongs to, and who else does. The name is that of the
 * configuration or made of what the component says of itself. Members are those of the configuration and,
 * learned, those that the last roll has asked for their leases; kept as pool-COMPONENT.json.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "agent/config.h"
#include "probes/edge-json.h"

#define POOL_MEMBERS_MAX 1024
#define POOL_NAME_SIZE   256

typedef struct PoolMember {
        char uuid[64]; /* the server's id */
        char name[128];
        char address[64];
} PoolMember;

typedef struct Pool {
        PoolMember *members; /* learned; NULL: none */
        size_t n_members;
        char by[192];   /* whose roll they were learned from */
        Usec wall_usec; /* ... and when */
        char uuid[64];  /* of this node; "": not known. These three are as they were last seen. */
        char region[64];
        char pod[64];
        char registered[200]; /* others of it that ZooKeeper has told last, for people; "" */
} Pool;

/* pool_done() - frees what is in it; it can be used again. */
void pool_done(Pool *p);

/* pool_read() - Return: 0 (no record: nothing is known); -EBADMSG and errors of state_read(). */
int pool_read(const char *state_dir, const char *component, Pool *ret, Err *err) _must_check_;

/* pool_write() - Return: 0; errors of state_write(). */
int pool_write(const char *state_dir, const char *component, const Pool *p, Err *err) _must_check_;

/* pool_from_json() / pool_to_json() - the record. */
int pool_from_json(Pool *ret, const cJSON *record, Err *err) _must_check_;
cJSON *pool_to_json(const Pool *p);

/* pool_self() - what the component says of itself; what it does not say stays as it was. Return: changed. */
bool pool_self(Pool *p, const EdgeSelf *self);

/* pool_same() - are @members exactly those that were learned? */
bool pool_same(const Pool *p, const PoolMember *members, size_t n);

/* pool_learn() - @members are all of them. Return: 0; -ENOMEM; -E2BIG. */
int pool_learn(Pool *p, const PoolMember *members, size_t n, const char *by, Usec wall_usec) _must_check_;

/* pool_name() - "router/dc-1/gateway", or with [pool] name: "router/NAME"; "" when it is not known. */
const char *pool_name(const Config *config, const Component *component, const Pool *p, char *buf,
                      size_t size);

/*
 * pool_differs() - does @members, all that a caller knows of, leave somebody out: a configured or learned
 * member, or this node itself? More than what is known is no difference: pools grow. @text: who, by name.
 */
bool pool_differs(const Config *config, const Pool *p, const PoolMember *members, size_t n, char *text,
                  size_t size);

/* pool_mates() - how many others are known; those of ZooKeeper count, as one, where nobody else tells.
 * @text: "r2, r3 and 4 more"; "" for none. */
size_t pool_mates(const Config *config, const Pool *p, char *text, size_t size);

/* pool_from() - where the members are known from, for people: "configuration", "a roll by X at T", both, or
 * "". Return: @buf. */
const char *pool_from(const Config *config, const Pool *p, char *buf, size_t size);

/* pool_members() - [{uuid, name, address}] of all that are known, learned first. */
cJSON *pool_members(const Config *config, const Pool *p);
