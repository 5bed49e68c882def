/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * `edge-roll targets check`: a connection to each target server of an environment, and a TLS handshake where
 * its SSLInfo says so, now: from this machine, or with --from from nodes, whose network is what message
 * processors have. A server that is switched off is checked and told, and is no problem.
 */

#include "agent/edge/targets.h"

/* targets_check() - Return: the exit status: 0; that of problems where one that is enabled does not answer,
 * from wherever it was looked at; that of an agent that is not reached where a node could not be asked. */
int targets_check(Session *session, const char *org, const char *env);
