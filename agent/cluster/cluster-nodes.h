/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `edge-roll nodes`: what the sources know, and what each node says itself. */

#include "agent/cli.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"

/* cluster_nodes() - the verb. Return: the exit status: that of agent-unreachable when a selected node could
 * not be asked. */
int cluster_nodes(const CliRequest *rq, const Config *config, const Nodes *nodes);
