/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A real ZooKeeper ensemble for tests: three servers on the loopback of the present network namespace, their
 * data in a directory of their own under /tmp. Servers die with the test.
 */

#include <stdbool.h>

#define ENSEMBLE_SERVERS   3
#define ENSEMBLE_TICK_MSEC 500 /* sessions last 1 to 10 s */
#define ENSEMBLE_BIG       "127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183"

/* ensemble_missing() - why there can be none here: the sentence for the skip; NULL: there can. */
const char *ensemble_missing(void);

/* ensemble_start() - fresh, serving when it returns. ensemble_end() - and nothing of it is left. */
bool ensemble_start(void);
void ensemble_end(void);

/* One server, 0 to 2: SIGKILL; start again with its data; SIGSTOP; SIGCONT. */
void ensemble_kill(int n);
bool ensemble_restart(int n);
void ensemble_freeze(int n);
void ensemble_thaw(int n);

/* ensemble_serves() - part of a quorum and answering; waited for at most 20 s by ensemble_wait(). */
bool ensemble_serves(int n);
bool ensemble_wait(int n);

/* ensemble_leader() - Return: 0 to 2, -1 when there is none. */
int ensemble_leader(void);

/* ensemble_word() - the answer to a four-letter word. @buf: NUL-terminated, "" when there is none. */
void ensemble_word(int n, const char *word, char *buf, int size);
