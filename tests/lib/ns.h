/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Network namespaces for tests against the real kernel: nothing a test does is seen outside. Works as root,
 * and without where the kernel allows user namespaces. Everything goes away with the last process and
 * descriptor.
 */

#include <stdbool.h>

/*
 * ns_enter() - put this (single-threaded) process into a fresh network namespace, and a user namespace when
 * it is not root; `lo` is up. Return: NULL; else why not: the sentence for the skip.
 */
const char *ns_enter(void);

/* ns_here() - a descriptor of the present network namespace; -1 with errno. */
int ns_here(void);

/* ns_new() - a descriptor of another new network namespace, its `lo` up; the caller stays where it is. */
int ns_new(void);

/* ns_go() - continue in the network namespace @ns. */
bool ns_go(int ns);

/* ns_link() - a veth pair, both ends up: @name_a in @ns_a, @name_b in @ns_b. */
bool ns_link(int ns_a, const char *name_a, int ns_b, const char *name_b);

/* ns_addr() - give an interface of @ns an address, v4 or v6, usable at once. @prefix: its length. */
bool ns_addr(int ns, const char *ifname, const char *addr, int prefix);
