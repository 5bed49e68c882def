/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the agent ran with when it looked last, kept in the state directory: a change of the configuration
 * between two jobs, or while no agent ran, is told in the journal by whichever agent sees it first.
 */

#include <cjson/cJSON.h>

#include "agent/config.h"

#define CONFIG_SEEN "config-seen.json"

/* What was seen last, so that it is not read and compared at each call. Zeroed at first. */
typedef struct ConfigSeen {
        char *text; /* all of it */
        cJSON *set; /* {"[section] key": value} of what files have set */
} ConfigSeen;

void config_seen_done(ConfigSeen *seen);

/*
 * config_seen() - how does @config differ from what was seen last? It is what was seen last from then on.
 * @buf: "[component router] drain_max = 60s, was 120s (/etc/edge-roll/edge-roll.conf:12)".
 * Return: 1; 0: not at all, or nothing was seen before; negative errno: what is seen now is not kept.
 */
int config_seen(const Config *config, ConfigSeen *seen, char *buf, size_t size) _must_check_;
