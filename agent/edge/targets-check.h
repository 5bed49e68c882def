/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * `edge-roll targets check`: a connection to each target server of an environment, and a TLS handshake where
 * its SSLInfo says so, from this machine and now. What Edge's message processors see may be another thing:
 * their network is theirs. A server that is switched off is checked and told, and is no problem.
 */

#include "agent/edge/targets.h"

/* targets_check() - Return: the exit status: 0; that of problems where one that is enabled does not answer.
 */
int targets_check(Session *session, const char *org, const char *env);
