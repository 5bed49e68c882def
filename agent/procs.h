/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The processes of a component where no unit of its own holds them: in a session's scope, shared with the
 * shell that started it; in cron's or monit's cgroup. Read from /proc without ptrace.
 *
 * @root: where procfs is mounted; NULL: /proc. Source: proc(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCS_MAX 64 /* of one component; a router's workers beyond that end with those that are followed */

typedef struct Proc {
        int pid;
        uint64_t start; /* in clock ticks since boot: tells a process from a later one of the same number */
} Proc;

/*
 * procs_find() - which of @pids are the component that Edge calls @name ("edge-router"): those whose command
 * line has that word as a part of a path or argument, and their descendants. Not: commands that only start or
 * stop it (apigee-service), and what a person has in the foreground of a terminal (an editor, tail -f).
 * Return: how many were put into @ret, at most @max.
 */
size_t procs_find(const char *root, const int *pids, size_t n, const char *name, Proc *ret, size_t max);

/* procs_alive() - how many of @procs still run; a zombie does not. */
size_t procs_alive(const char *root, const Proc *procs, size_t n);

/* procs_get() - one process, as it is now. Return: false when it is gone, or a zombie. */
bool procs_get(const char *root, int pid, Proc *ret);

/* procs_started() - when a process started, in microseconds on CLOCK_BOOTTIME (10 ms exact). */
uint64_t procs_started(const Proc *proc);
