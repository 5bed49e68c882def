/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * All nodes that somebody wants to talk to: a link to each, and what each says when it is asked how it
 * stands. Makes the links, bounded, and asks; decides nothing.
 */

#include <systemd/sd-event.h>

#include "agent/cluster/nodes.h"
#include "agent/cluster/plan.h"
#include "agent/cluster/remote.h"
#include "agent/config.h"

#define FLEET_COMPONENTS 2 /* at most so many are asked about */

typedef struct Fleet Fleet;

typedef struct FleetHandlers {
        void (*up)(size_t node, void *userdata);                        /* a link is there (again) */
        void (*down)(size_t node, const char *text, void *userdata);    /* ... or not any more */
        void (*signal)(size_t node, sd_bus_message *m, void *userdata); /* from the agent */
        int (*connect)(const Node *node, void *userdata); /* a connected socket instead of ssh; NULL: ssh */
} FleetHandlers;

/* Every node has answered, or will not. */
typedef void (*FleetFn)(void *userdata);

/* fleet_new() - no link is made before the first fleet_look(). All borrowed; @nodes may grow (fleet_grow()),
 * and not shrink. @handlers: copied; functions may be NULL. */
int fleet_new(Fleet **ret, sd_event *event, const Config *config, const Nodes *nodes,
              const FleetHandlers *handlers, void *userdata, Err *err) _must_check_;
Fleet *fleet_free(Fleet *f);
DEFINE_CLEANUP(Fleet, fleet_free);

/* fleet_grow() - @nodes has become longer. Return: 0; -ENOMEM. */
int fleet_grow(Fleet *f, Err *err) _must_check_;

/*
 * fleet_look() - ask each node about @components (at most FLEET_COMPONENTS; NULL: those of before),
 * connecting where there is no link. @only_new: those that have not been asked yet. What was known before is
 * replaced when the answer comes. One at a time; @fn once, from the loop.
 */
int fleet_look(Fleet *f, const char *const *components, size_t n, bool only_new, FleetFn fn, void *userdata,
               Err *err) _must_check_;

/* fleet_nodes() - what is known now, in the order of the nodes; valid until the next fleet_look(). */
const PlanNode *fleet_nodes(const Fleet *f, size_t *ret_n);

/* fleet_keep_json() - from now on keep the answers as they came, too. */
void fleet_keep_json(Fleet *f);

/* fleet_look_of() - what @node said of the i-th component. NULL: nothing. fleet_json_of() - as it came. */
const NodeLook *fleet_look_of(const Fleet *f, size_t node, size_t component);
const char *fleet_json_of(const Fleet *f, size_t node, size_t component);

/* fleet_remote() - the link to @node; NULL before the first look. */
Remote *fleet_remote(const Fleet *f, size_t node);

/* fleet_waiting() - for how many nodes fleet_look() still waits, and the name of one. */
size_t fleet_waiting(const Fleet *f, const char **ret_name);
