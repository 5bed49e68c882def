/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The verbs that are about many nodes: where the nodes come from, and who carries the verb out. */

#include "agent/cli.h"
#include "agent/config.h"

/* cluster_run() - restart, plan, status or nodes over many nodes; resume. Return: the exit status. */
int cluster_run(const CliRequest *rq, const Config *config);
