/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Checks target servers for a bastion: a command of its own, run by the bridge, because what it talks to is
 * anybody's and the bridge may be root's. As root it becomes nobody before it reads a byte; where the bridge
 * is a member's of the group it stays that member, and gains no right by running anything.
 *
 * `edge-roll check-targets`: a question on standard input, up to its end, answers on standard output as they
 * come (check-wire.h). It ends by itself, within CHECK_CHILD_SEC.
 */

#define CHECK_CHILD_VERB "check-targets"
#define CHECK_CHILD_SEC  90U

/* check_child_main() - Return: the exit status: 0: every line was answered; else standard error has one
 * sentence. */
int check_child_main(void);
