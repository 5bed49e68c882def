/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `restart` and `plan` over many nodes, with what the Management Server knows of Edge where it can be asked.
 */

#include "agent/cli.h"
#include "agent/cluster/coordinator.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"

/* cluster_restart() - as coord_restart(), and with --why as cluster_why(). Return: the exit status. */
int cluster_restart(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io);
