/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A roll for a reason: only what edge-roll why says, and proof behind it that routers serve what they should.
 */

#include "agent/cli.h"
#include "agent/cluster/coordinator.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"

/* cluster_why() - `restart --why` and `plan --why` over @nodes. Return: the exit status. */
int cluster_why(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io);
