/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A getent(1) of a test's own, in front of the others. Aborts on failure, as everything here: it is a test's
 * tool. */

typedef struct Getent {
        char folder[48], *path; /* $PATH as it was */
} Getent;

/* getent_start() - @script: what it does, lines of sh. Each run leaves a line in the folder's "log": its
 * process and when it began. */
void getent_start(Getent *g, const char *script);
/* getent_stop() - and $PATH is as before. */
void getent_stop(Getent *g);

/* getent_pid() - the process of the last run; 0: there was none. */
int getent_pid(const Getent *g);

/* getent_most_at_start() - how many runs began within 150 ms of the first one. */
unsigned getent_most_at_start(const Getent *g);
