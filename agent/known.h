/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What earlier jobs have learned of a component, kept as known-COMPONENT.json: a help for the next job, which
 * confirms it; never believed alone. */

#include <stdint.h>

#include "agent/checkers.h"
#include "agent/config.h"
#include "probes/snapshot.h"

/* known_port() - the health port of the last good job. Return: 0 when there is none. */
uint16_t known_port(const Config *config, const Component *component);

/* known_checkers() - tell @checkers whom earlier jobs have seen, and how often they came. */
void known_checkers(const Config *config, const Component *component, Checkers *checkers);

/* A load balancer that cut live connections at the mark-down. */
typedef struct KnownCut {
        Addr addr;
        unsigned cut, in_flight; /* connections cut, of so many with a request in flight */
        Usec wall_usec;          /* when */
} KnownCut;

/* known_cut() - has an earlier job seen that? Return: false when none has (or nothing can be read). */
bool known_cut(const Config *config, const Component *component, KnownCut *ret);

/* known_cut_write() - keep it; @cut NULL: forget it. Return: 0; errors of state_write(). */
int known_cut_write(const Config *config, const Component *component, const KnownCut *cut,
                    Err *err) _must_check_;

/*
 * known_before() - what a component had loaded before a restart that was not proven good, so that the next
 * one is not measured by the bad state. Return: NULL when there is none (or none that can be read).
 */
Snapshot *known_before(const Config *config, const Component *component);

/* known_before_write() - keep it; @before NULL: forget it. Return: 0; errors of state_write(). */
int known_before_write(const Config *config, const Component *component, const Snapshot *before,
                       Err *err) _must_check_;

/* known_write() - keep port and awaited checkers. Return: 0; errors of state_write(). */
int known_write(const Config *config, const Component *component, uint16_t port, const Checkers *checkers,
                Err *err) _must_check_;
