/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A roll over many nodes, from this machine: asks all nodes, plans, asks the user, takes the leases, and then
 * does what the Sequence decides, with every step in the journal before it is ordered. It has no privilege of
 * its own and touches no node but through the node's agent; when it dies the agents finish what cannot be
 * undone, undo the rest, and `resume` asks them.
 */

#include <stdio.h>

#include "agent/cli.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"
#include "base/result.h"

typedef struct CoordIo {
        FILE *out; /* the display, or JSON */
        FILE *err; /* why nothing could be done (not with JSON) */
        int in;    /* where the answer to the question comes from; -1: nobody can be asked */
        int (*connect)(const Node *node, void *userdata); /* for tests and benches: a socket instead of ssh */
        void *userdata;
        Usec silent_usec; /* for tests: so long may a roll that was joined write nothing; 0: see edge-roll(1)
                           */

        /* Of a roll that is for a reason (--why): only these servers of what is selected; NULL: all of it. */
        const struct PlanOnly *only;
        size_t n_only;
        /* --if-needed: these servers are restarted whatever their agents say of it; the others where their
         * agents say so. @needed_unknown: not all that could speak for a restart is known. */
        const struct PlanOnly *needed;
        size_t n_needed;
        bool needed_unknown;
        const struct PlanEdge *edge; /* for the plan; NULL: not asked */
        /* Behind a roll that is done, before that is told: proven, and kept in its journal for `resume`;
         * NULL: nothing. */
        struct Proof *proof;
} CoordIo;

/*
 * coord_restart() - `restart` and `plan` over @nodes (owned by the caller, may be extended). coord_resume() -
 * `resume`: the nodes are those of the journal. SIGINT, SIGTERM, SIGHUP and SIGWINCH are blocked and read
 * while it runs. Return: the exit status (base/result.h); 128 plus the number of a signal when it left a job
 * running alone.
 */
int coord_restart(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io);
int coord_resume(const CliRequest *rq, const Config *config, const CoordIo *io);
