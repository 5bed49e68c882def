/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What earlier jobs have learned of a component, kept as known-COMPONENT.json: a help for the next job, which
 * confirms it; never believed alone. */

#include <stdint.h>

#include "agent/checkers.h"
#include "agent/config.h"

/* known_port() - the health port of the last good job. Return: 0 when there is none. */
uint16_t known_port(const Config *config, const Component *component);

/* known_checkers() - tell @checkers whom earlier jobs have seen, and how often they came. */
void known_checkers(const Config *config, const Component *component, Checkers *checkers);

/* known_write() - keep port and awaited checkers. Return: 0; errors of state_write(). */
int known_write(const Config *config, const Component *component, uint16_t port, const Checkers *checkers, Err *err)
        _must_check_;
