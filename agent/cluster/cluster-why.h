/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A roll for a reason: only what edge-roll why says, and proof behind it that routers serve what they should.
 */

#include "agent/cli.h"
#include "agent/cluster/coordinator.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"

/* cluster_why_about() - can what is in Edge speak for a restart of it? */
bool cluster_why_about(const char *component);

/*
 * cluster_if_needed() - `restart --if-needed`, where the Management Server is asked: what
 * edge-roll why says must be restarted is, and of the others those whose agents say so. Where it cannot be
 * asked the agents alone decide, unless something of Edge was named.
 */
int cluster_if_needed(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io);

/* cluster_why() - `restart --why` and `plan --why` over @nodes. Return: the exit status. */
int cluster_why(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io);
