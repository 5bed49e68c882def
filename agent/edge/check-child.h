/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Checks target servers for a bastion: a command of its own, run by the bridge, because what it talks to is
 * anybody's and the bridge may be root's. It needs no right at all, and has none: as root it becomes nobody
 * before it reads a byte.
 *
 * `edge-roll check-targets`: a question on standard input, up to its end, answers on standard output as they
 * come (check-wire.h). It ends by itself, within CHECK_CHILD_SEC.
 */

#define CHECK_CHILD_VERB "check-targets"
#define CHECK_CHILD_SEC  90U

/* check_child_main() - Return: the exit status: 0: every line was answered; else standard error has one
 * sentence. */
int check_child_main(void);
