/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A step of a roll on a node, followed to its end: over cuts of the link, agents that restart and buses that
 * go away. Events come as signals; what the signals miss is fetched by number, what comes twice is dropped.
 * As in remote.h all handlers come from the event loop, and may free the follow and the remote.
 */

#include <cjson/cJSON.h>

#include "agent/cluster/remote.h"

typedef struct Follow Follow;

/* Any may be NULL. */
typedef struct FollowHandlers {
        /* Each event once, as text, the result included. A new agent process that goes on with the job counts
         * anew: its first event is `job` with `resumed`. */
        void (*event)(const char *json, void *userdata);
        /* The job has ended; the last that is called. @result: the result event, or what the agent has
         * written down of it. Borrowed. */
        void (*ended)(const cJSON *result, void *userdata);
        /* The agent is there, and knows neither such a job nor that it has ended; the last that is called. */
        void (*lost)(const char *text, void *userdata);
} FollowHandlers;

/*
 * follow_new() - the job of @component that belongs to @step of @roll. @handlers: copied. To be freed before
 * the remote. Return: 0; -ENOMEM.
 */
int follow_new(Follow **ret, Remote *r, const char *component, const char *roll, uint64_t step,
               const FollowHandlers *handlers, void *userdata, Err *err) _must_check_;
Follow *follow_free(Follow *f);
DEFINE_CLEANUP(Follow, follow_free);
