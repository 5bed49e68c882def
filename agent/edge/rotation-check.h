/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The servers of LoadBalancers, asked from this machine: each as the HealthMonitor beside its LoadBalancer
 * asks it. Where Edge asks nothing (no monitor, one that is switched off or has no interval) it is a
 * connection, and a TLS handshake where the SSLInfo of the target server says so. What several LoadBalancers
 * would ask alike, without a request of its own, is asked once. Those that are disabled, which Edge does not
 * ask either, are not asked.
 */

#include "agent/edge/deployed.h"
#include "agent/edge/rotation.h"

#define ROTATION_WAIT_USEC (5 * USEC_PER_SEC) /* for each step, where no monitor says how long */

/* rotation_check_of() - how a check of @spec ended, as Edge would have it: an HTTPMonitor that was answered
 * here and cannot be in Edge has failed. */
RotationCheck rotation_check_of(const ProbeSpec *spec, const ProbeResult *result);

typedef struct RotationChecks RotationChecks;

/* rotation_checks_new() - @s, @env: have to outlive it; the loop is @s's. Return: 0; errors of probing_new().
 */
int rotation_checks_new(RotationChecks **ret, Session *s, const DeployedEnv *env, Err *err) _must_check_;
RotationChecks *rotation_checks_free(RotationChecks *c);
DEFINE_CLEANUP(RotationChecks, rotation_checks_free);

/*
 * rotation_checks_add() - the servers of one more LoadBalancer. @connection: has to outlive @c. @ret: for
 * rotation_of(), its entries are filled by rotation_checks_run(); to be freed; what it points to belongs to
 * @c. Return: 0; -E2BIG (more than PROBING_MAX checks in all); -ENOMEM.
 */
int rotation_checks_add(RotationChecks *c, const EdgeConnection *connection, const RotationCheck ***ret,
                        Err *err) _must_check_;

/* rotation_checks_run() - all of them, once; runs the loop meanwhile. Return: 0; errors of probing_run(). */
int rotation_checks_run(RotationChecks *c, Err *err) _must_check_;
