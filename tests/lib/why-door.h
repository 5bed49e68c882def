/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * `edge-roll why`, and a roll for a reason as far as it goes without a node, from a command line to the
 * stand-in of the Management Server; what is said is kept. Fails the cmocka test that calls it.
 */

#include "agent/config.h"
#include "tests/lib/standin.h"

typedef struct WhyDoor {
        Standin *standin;
        Config *config;
        char conf[128];
        char *out, *err; /* of the last call; NULL: none yet */
} WhyDoor;

/* why_door_open() - @edge, @servers: as standin_new() has them. */
void why_door_open(WhyDoor *d, const char *edge, const char *servers);
void why_door_close(WhyDoor *d);

/* why_door_call() - @line: words behind "edge-roll", "why ..." or "restart ...". Return: the exit status. */
int why_door_call(WhyDoor *d, const char *line);

/* why_door_expect() - the same, and it must end so. */
void why_door_expect(WhyDoor *d, const char *line, int status);

/*
 * why_door_finds() - there must be a finding (of --json) of that action, about that, with these words in its
 * reason, for just these servers ("mp-1,mp-2").
 */
void why_door_finds(const WhyDoor *d, const char *action, const char *about, const char *reason,
                    const char *servers);
