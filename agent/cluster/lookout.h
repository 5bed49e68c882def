/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Target servers, looked at from nodes: each is asked over its bridge, all at once, and answers as its checks
 * end. What a node says is believed no further than it makes sense: one that answers what was not asked,
 * twice, or not everything, is given up with what it had told by then.
 */

#include "agent/cluster/nodes.h"
#include "agent/config.h"
#include "agent/edge/checking.h"
#include "base/result.h"

typedef struct Lookouts Lookouts;

typedef struct LookoutHandlers {
        /* At most once for each of the servers. @node: its place in the list. */
        void (*checked)(size_t node, size_t index, const Checked *checked, void *userdata);
        /*
         * Once for each node; nothing comes from it any more. @result: RESULT_DONE: all was told; else
         * RESULT_NO_PERMISSION, or RESULT_AGENT_UNREACHABLE for everything else. @trouble: why, @hint: what
         * to do about that; both printable ASCII, or "".
         */
        void (*ended)(size_t node, Result result, const char *trouble, const char *hint, void *userdata);
        /* Instead of ssh, for tests: a connected socket, or a negative errno. */
        int (*connect)(const Node *node, void *userdata);
} LookoutHandlers;

/*
 * lookouts_start() - ask the @n_nodes @nodes about the @n @servers; the nodes must live as long as the
 * Lookouts. What cannot be sent to nodes at all is `checked` at once, from within this call; everything else
 * comes from the loop. Return: 0; -ENOMEM; errors of remote_pool_new().
 */
int lookouts_start(Lookouts **ret, sd_event *event, const Config *config, const Node *const *nodes,
                   size_t n_nodes, const EdgeTargetServer *const *servers, size_t n,
                   const LookoutHandlers *handlers, void *userdata, Err *err) _must_check_;

/* lookouts_free() - ends everything without calling back. NULL allowed. Return: NULL. */
Lookouts *lookouts_free(Lookouts *l);
DEFINE_CLEANUP(Lookouts, lookouts_free);
