/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is between a coordinator and a node, as processes that are lost at a byte that is chosen: in the place
 * of ssh, alone or in front of a real one. All of it happens in one directory:
 *
 *   NODE       the socket of the node (FakeAgent)
 *   order      what is to be lost, where and how: BetweenOrder; not there: nothing is
 *   hit        made when it has been done, which is once
 *   seen       what passed by, a line each: "out call Go n2", "in answer Go n2"
 *   sshd.NODE  the process of the sshd that serves it, where there is a real one
 *   pids       those who have been here, a line each
 */

#include <stdbool.h>

/* How far the message is let through before. */
#define BETWEEN_BEFORE "before" /* nothing of it */
#define BETWEEN_HEAD   "head"   /* 8 bytes */
#define BETWEEN_MIDDLE "middle" /* half of it */
#define BETWEEN_LAST   "last"   /* all but its last byte */
#define BETWEEN_AFTER  "after"  /* all of it */

/* What is done then. */
#define BETWEEN_KILLED       "killed"      /* SIGKILL: to what is in the place of ssh */
#define BETWEEN_CLOSED       "closed"      /* it ends as ssh does when the other end has closed */
#define BETWEEN_STOPPED      "stopped"     /* SIGSTOP */
#define BETWEEN_SSH_KILLED   "ssh-killed"  /* the real ssh */
#define BETWEEN_SSHD_KILLED  "sshd-killed" /* the process of the real sshd */
#define BETWEEN_SSH_STOPPED  "ssh-stopped"
#define BETWEEN_SSHD_STOPPED "sshd-stopped"

typedef struct BetweenOrder {
        char what[160], when[16], how[16];
} BetweenOrder;

/* between_order() - writes it. between_hit() - has it been done? between_clean() - ends who is still there,
 * and stopped sshd. Return: how many there were. */
void between_order(const char *dir, const BetweenOrder *order);
bool between_hit(const char *dir);
unsigned between_clean(const char *dir);

/* between_ssh() - the process in the place of ssh: @argv: the directory, the configuration of a real ssh or
 * "-", and what ssh gets. between_far() - the command at the other end of a real ssh: @argv: the directory;
 * the node is in BETWEEN_NODE. Return: the exit status. */
#define BETWEEN_NODE "EDGE_NODE"
int between_ssh(char **argv);
int between_far(char **argv);
