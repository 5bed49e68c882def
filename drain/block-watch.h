/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who touches our table. Where the kernel has no table owners (before 5.12) anybody may delete it, and
 * `nft flush ruleset`, which is what a reload of nftables.service is, does. The kernel tells of each change
 * to whoever listens; this listens, passes over what we change ourselves and what is another table's, and
 * says when it is time to read the block back. It judges nothing: block_read() does.
 *
 * Changes by the packets themselves (the counting sets) and the end of a timeout are not told of.
 * Source: linux/netfilter/nfnetlink_compat.h (NFNLGRP_NFTABLES); nf_tables_commit() in
 * net/netfilter/nf_tables_api.c: each object, then NEWGEN with the process that did it (since Linux 4.15).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

typedef struct BlockWatch BlockWatch;

/* What was told since the last time. */
typedef struct BlockTouch {
        bool touched; /* somebody else changed something in the table, or has made it or deleted it */
        bool lost;    /* more was told than the socket could hold: it may have been touched */
        pid_t pid;    /* who touched it last; 0: not told */
        char name[16];
} BlockTouch;

/*
 * block_watch_new() - begin to listen. @table: its name, in the inet family; not copied, stays valid. @port:
 * the netlink port of our own changes, see block_port().
 * Return: 0; -EPERM (no CAP_NET_ADMIN); -ENOMEM; other negative errno.
 */
int block_watch_new(BlockWatch **ret, const char *table, uint32_t port, Err *err) _must_check_;

/* block_watch_free() - NULL allowed. */
BlockWatch *block_watch_free(BlockWatch *w);
DEFINE_CLEANUP(BlockWatch, block_watch_free);

/* block_watch_fd() - readable when there is something to be read; still owned by @w. */
int block_watch_fd(const BlockWatch *w);

/*
 * block_watch_read() - read what was told, without waiting, and no more than a limited number of messages:
 * what is left keeps the descriptor readable. Never fails: a socket that does not work is told as lost.
 */
void block_watch_read(BlockWatch *w, BlockTouch *ret);
