/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The far end of the coordinator's connection: D-Bus peer to peer on standard input and output, and behind it
 * this node's agent, nothing else of the system bus. It passes on what may be asked and answers the rest; it
 * decides nothing of the node, has no privilege of its own and no state.
 *
 * Forwarded: calls of org.edgeroll.Agent1 on the agent's path, of org.edgeroll.Job1 and the reading of
 * org.freedesktop.DBus.Properties on the paths of it and its jobs; signals of the agent. Answers and errors
 * as they are. Introduce() is the bridge's own: it tells the agent who has called. No call goes to an agent
 * that has not taken that: its refusal is then the answer to the call.
 *
 * Own, on /org/edgeroll/Bridge1, interface org.edgeroll.Bridge1:
 *   Hello(version s, protocol u) -> (version s, protocol u, trouble s): trouble is why the system bus cannot
 * be had, "" when it is there.
 *   CheckTargets(question s) -> (): target servers are checked from this node (edge/check-wire.h), for root
 * and members of the group edge-roll; signal TargetChecked(answer s) for each, in any order, before the
 * answer to the call. One such call at a time.
 *   signal Agent(owner s): the agent on the bus is another one; "": it has left,
 * or the bus has. Errors: org.edgeroll.Error.NotForwarded (such a call is not passed on), NoBus (nothing was
 * done: there is no system bus), TooMany (calls at the same time).
 */

#include "base/time.h"

#define BRIDGE_PROTOCOL 1U

/* 0: the usual; for tests. */
typedef struct BridgeTimes {
        Usec silent_usec; /* nothing heard for so long: the far end is gone; 60 s */
        Usec bus_usec;    /* for the bus to answer before it counts as gone; 5 s */
        Usec retry_usec;  /* between two tries to reach the bus; 0.2 s */
} BridgeTimes;

/*
 * bridge_run() - serve on standard input and output until the far end is gone, silent, or SIGTERM, SIGHUP.
 * Standard error gets a sentence when there is one to say. @times: NULL for the usual.
 * Return: the exit status.
 */
int bridge_run(const BridgeTimes *times);
