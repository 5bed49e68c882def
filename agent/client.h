/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The client: one request to the node's agent over the system bus, followed to its end. It has no privilege
 * and decides nothing; a job belongs to the agent and goes on when the client is gone.
 *
 * A job's events come as signals and, from any number on, by Events(): what the signals miss (before the
 * match was set, while the agent or the bus restarted) is fetched, what comes twice is dropped by its number.
 */

#include <stdio.h>

#include "agent/cli.h"
#include "agent/render.h"
#include "base/time.h"

/* How long the client is patient; for tests. */
typedef struct ClientTimes {
        Usec answer_usec; /* for the answer to one call, the start of the agent included */
        Usec lost_usec;   /* for an agent or a bus that went away to come back */
        Usec look_usec;   /* before and between looks at the agent's unit while an answer is awaited */
} ClientTimes;

typedef struct ClientIo {
        FILE *out; /* the display, or JSON */
        FILE *err; /* why nothing could be done (not with JSON) */
        RenderMode mode;
        const ClientTimes *times; /* NULL: the usual ones */
} ClientIo;

/*
 * client_run() - carry out @rq (restart, drain, undrain, status, watch, discover or cancel) and wait for its
 * end. SIGINT, SIGTERM and SIGHUP end the client, never the job; they are blocked and read from when it is
 * connected. What comes before something was asked: nothing is asked any more.
 * @component: its own name (no alias); NULL where the verb allows it.
 * Return: the exit status (base/result.h); 128 plus the number of a signal.
 */
int client_run(const CliRequest *rq, const char *component, const ClientIo *io);

/* client_mode() - how @fd can be written to: live on a terminal unless NO_COLOR or TERM=dumb; its width. */
RenderMode client_mode(int fd, bool json, bool verbose);
