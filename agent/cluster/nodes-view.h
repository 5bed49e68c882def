/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The list of nodes for people and for programs: `edge-roll nodes`. Pure. */

#include "agent/cluster/nodes.h"
#include "agent/cluster/plan.h"

/* nodes_view_here() - is what an agent says of a component worth showing: runs there, or did, or should? */
bool nodes_view_here(const PlanNode *node, const NodeLook *look);

/*
 * nodes_view_text() - a row for each component of each node: name, how it is reached, component, pool, state,
 * version, server id; what is in the way and what to do about it; then what is to be known of the source.
 * @ret: to be freed. Return: 0; -ENOMEM.
 */
int nodes_view_text(const Nodes *list, const PlanNode *nodes, size_t n, char **ret) _must_check_;

/* nodes_view_json() - an object a line: {"event":"found",...} for each node. Return: 0; -ENOMEM. */
int nodes_view_json(const Nodes *list, const PlanNode *nodes, size_t n, char **ret) _must_check_;

/* nodes_view_silent() - how many of the selected could not be asked. */
size_t nodes_view_silent(const PlanNode *nodes, size_t n);
