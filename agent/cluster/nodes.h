/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The nodes of a cluster, wherever their names come from: a list on the command line, an Ansible inventory,
 * the Management Server. One node is one machine that ssh can reach; what runs on it is asked from its agent,
 * what the sources say of that is only a hint. Pure, apart from nodes_read_inventory().
 *
 * All nodes a source knows are kept: they are members of pools, and are asked. --limit, --exclude, --region
 * and --pod choose which of them are to be restarted (`selected`) and never make a pool smaller.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/cluster/inventory.h"
#include "base/err.h"
#include "probes/servers-json.h"

#define NODES_MAX         2000
#define NODES_SERVERS_MAX 8 /* servers on one machine */

/* What a source says of whether a component is on a node. */
typedef enum NodeHint {
        NODE_HINT_NONE, /* it does not say */
        NODE_HINT_YES,
        NODE_HINT_NO, /* it says what is there, and this is not among it */
} NodeHint;

/* A server of Edge on the node, as the Management Server lists it. */
typedef struct NodeServer {
        bool is_router, is_mp;
        char uuid[64], region[64], pod[64]; /* "": not said */
        bool has_up, up;                    /* isUp and reachable, as far as said */
} NodeServer;

typedef struct Node {
        char *name;    /* unique in the list */
        char *host;    /* ssh destination: name or address */
        char *user;    /* NULL: as ssh_config(5) has it */
        char *bridge;  /* command of the bridge there; NULL: as configured */
        char *key;     /* private key for ssh; NULL: as ssh_config(5) has it */
        uint16_t port; /* 0: as ssh_config(5) has it */
        bool local;    /* the inventory says ansible_connection=local */
        char **groups; /* sorted, NULL-terminated; never NULL */
        NodeServer servers[NODES_SERVERS_MAX];
        size_t n_servers;
        bool selected;
        bool named; /* by its own name: by --nodes, or by a pattern of --limit that is no group and no glob */
} Node;

/* A server that is no router and no message processor, as the Management Server lists it: its state matters.
 */
typedef struct NodesDatastore {
        char name[80];
        char types[160];
        char region[64];
        bool has_up, up;
} NodesDatastore;

typedef struct Nodes {
        Node *nodes;
        size_t n, size;   /* size: for how many there is room */
        char source[300]; /* "the inventory /etc/ansible/hosts", for people */
        char **notes;     /* what a person should know of the source, one sentence each; NULL-terminated */
        NodesDatastore *datastores;
        size_t n_datastores;
} Nodes;

typedef struct NodesFilter {
        const char *limit, *exclude; /* comma-separated names, groups, server ids, globs; NULL: none */
        const char *region, *pod;    /* NULL: any */
} NodesFilter;

int nodes_new(Nodes **ret, const char *source, Err *err) _must_check_;
Nodes *nodes_free(Nodes *n);
DEFINE_CLEANUP(Nodes, nodes_free);

/*
 * nodes_add_words() - what --nodes says: "r1,r2", with "user@", ":port" and ranges "r[01:12]". A name the
 * list has already keeps what is known of it. Those named become selected and `named`; all others of the list
 * are no longer selected, but stay. Return: 0; -EINVAL (which word, why, what is accepted); -E2BIG; -ENOMEM.
 */
int nodes_add_words(Nodes *n, const char *words, Err *err) _must_check_;

/*
 * nodes_choose() - the same, where each word may also be a group, a server id or a shell pattern of what the
 * list has already. @option: whose value it is, for messages: "--from".
 */
int nodes_choose(Nodes *n, const char *option, const char *words, Err *err) _must_check_;

/* nodes_add_member() - a member of a pool that only an agent or a journal knows, by the name ssh knows it by:
 * the last of the list, and not selected. Return: 0; -EEXIST; -EINVAL (no host name); -E2BIG; -ENOMEM. */
int nodes_add_member(Nodes *n, const char *name, Err *err) _must_check_;

/* nodes_add_inventory() - all hosts of it. Return: 0; -E2BIG; -ENOMEM. */
int nodes_add_inventory(Nodes *n, const Inventory *inventory, Err *err) _must_check_;

/* nodes_read_inventory() - read the file at @path (at most INVENTORY_MAX bytes) and add it. Return: 0; what
 * open(2) says; errors of inventory_parse() and nodes_add_inventory(). */
int nodes_read_inventory(Nodes *n, const char *path, Err *err) _must_check_;

/*
 * nodes_add_servers() - routers and message processors of the list the Management Server gave. Servers with
 * the same address are one node, called by its address, or by its host name where that is one.
 * What cannot be reached (no address at all) is told in `notes`. Return: 0; -E2BIG; -ENOMEM.
 */
int nodes_add_servers(Nodes *n, const Servers *servers, Err *err) _must_check_;

/*
 * nodes_select() - apply the filters. What is not known (the region of a node from an inventory) does not
 * deselect it: plan_make() decides when the agents have told. Return: 0; -EINVAL (a pattern that matches
 * nothing, or nothing is left: says what is known); -ENOMEM.
 */
int nodes_select(Nodes *n, const NodesFilter *filter, Err *err) _must_check_;

/* nodes_hint() - does the source say that @component ("router", "message-processor") is on the node? From the
 * Management Server, else from the names of groups (router, rmp, mp, ...). */
NodeHint nodes_hint(const Node *node, const char *component);

/* nodes_server() - what the Management Server says of @component there. Return: NULL when nothing. */
const NodeServer *nodes_server(const Node *node, const char *component);

/* nodes_reach() - how it is reached, for people: "ssh admin@10.0.0.5 -p 2222". Return: @buf. */
const char *nodes_reach(const Node *node, char *buf, size_t size);

/* nodes_find() - by name. Return: NULL when there is none. */
Node *nodes_find(const Nodes *n, const char *name);

/*
 * nodes_same_host() - can @name or @address (each may be NULL or "") of a pool member mean this node? By its
 * name, its short name, or the host ssh is given.
 */
bool nodes_same_host(const Node *node, const char *name, const char *address);
