/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * LoadBalancers whose HealthMonitors are run from this machine, at their IntervalInSec, and whose failures
 * are counted as Edge counts them (probes/monitor.h): one that has failed MaxFailures times in a row leaves
 * the rotation, one that does well is back in it. Every change is told as it comes. Only checks are counted:
 * the requests of clients are not seen from here, and each message processor counts for itself.
 */

#include "agent/edge/rotation-check.h"

#define ROTATION_WATCH_MAX 100 /* LoadBalancers at once */

typedef struct RotationWatch RotationWatch;

/* rotation_watch_new() - @s, @env: have to outlive it; the loop is @s's. Return: 0; -ENOMEM. */
int rotation_watch_new(RotationWatch **ret, Session *s, const DeployedEnv *env, Err *err) _must_check_;
RotationWatch *rotation_watch_free(RotationWatch *w);
DEFINE_CLEANUP(RotationWatch, rotation_watch_free);

/*
 * rotation_watch_add() - one more. @path, @x: have to outlive @w. @ret: for rotation_of(), how its servers
 * stand at the moment; to be freed; what it points to belongs to @w. One whose monitor asks nothing is told,
 * and stands as it is. Return: 0; -E2BIG (more than ROTATION_WATCH_MAX); -ENOMEM.
 */
int rotation_watch_add(RotationWatch *w, const char *path, const EdgeXml *x, const RotationCheck ***ret,
                       Err *err) _must_check_;

/*
 * rotation_watch_run() - until @for_usec have passed (0: for ever), or SIGINT or SIGTERM comes; runs the loop
 * meanwhile. Return: 0; -ENODATA (no HealthMonitor asks anything); errors of probing_start().
 */
int rotation_watch_run(RotationWatch *w, Usec for_usec, Err *err) _must_check_;
