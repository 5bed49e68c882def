/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `edge-roll status` over many nodes: every agent is asked once, or again and again with --watch. */

#include "agent/cli.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"

/* cluster_status() - @nodes: borrowed. Return: the exit status: 0; that of held, of agent-unreachable. */
int cluster_status(const CliRequest *rq, const Config *config, const Nodes *nodes);
