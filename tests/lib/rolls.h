/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Coordinators as processes of their own (of this same program: its main() begins with rolls_coordinator()),
 * over the nodes of a world, and what must be so when one of them, or somebody between it and a node, was
 * lost. With cmocka: what does not hold ends the test.
 */

#include "tests/lib/trace.h"
#include "tests/lib/world.h"

#define ROLLS_ROLL   "edge-roll restart router --nodes n1,n2,n3 --yes"
#define ROLLS_RESUME "edge-roll resume --yes"
#define ROLLS_USEC   (60 * USEC_PER_SEC) /* for one coordinator */

/* rolls_coordinator() - where argv[1] is "--coordinator": with what is behind that. Return: the exit status.
 */
int rolls_coordinator(char **argv);

/* rolls_start() - the command @line with the configuration in @dir; @fn as of trace_new(). rolls_finish() -
 * until it has ended or is held. Return: its status, as of waitpid(2). rolls_output() - what it wrote is then
 * in w->lines. rolls_run() - all of that without a look at its calls. Return: its exit status. */
Trace *rolls_start(World *w, const char *line, const char *dir, TraceFn fn, void *userdata);
int rolls_finish(World *w, Trace *t);
void rolls_output(World *w, const char *dir);
int rolls_run(World *w, const char *line, const char *dir);

/* rolls_leases_lapse() - as if their time were over. rolls_jobs_end() - each job ends by itself.
 * rolls_heal() - what a test did to the nodes is over. */
void rolls_leases_lapse(World *w);
void rolls_jobs_end(World *w);
void rolls_heal(World *w);

/* rolls_journal_tells() - the last roll that was begun is told whole, by whoever ended it. rolls_once() -
 * each node was restarted exactly once, and never more than @most were out. */
void rolls_journal_tells(World *w, const char *dir);
void rolls_once(const World *w, unsigned most);

/* rolls_way_on() - `resume` brings the roll to its end; it is begun again, with the command @roll, where it
 * had not been. @early: before the leases of the one that was lost have lapsed. */
void rolls_way_on(World *w, const char *roll, unsigned most, bool early);
