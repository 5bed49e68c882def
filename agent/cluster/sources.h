/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Where the list of nodes comes from: the command line, else section [cluster] of the configuration. */

#include "agent/cli.h"
#include "agent/cluster/nodes.h"
#include "agent/config.h"
#include "base/result.h"

/*
 * sources_nodes() - all nodes that the named source knows, with the selection of @rq applied.
 * --inventory FILE and --management URL stand for themselves. Without them those that are configured are
 * read: the inventory says how nodes are reached, the Management Server which servers there are; both
 * together are one list.
 * --nodes chooses from the configured inventory, where there is one: what it says of those nodes applies, and
 * its others stay members of the pools.
 * @ret_result: on failure what the command ends with: usage, or refused (a Management Server that does not
 * answer).
 * @hint: what to do about a failure, or ""; @size bytes.
 * Return: 0; -EINVAL (no source, or what nodes.h says); errors of nodes_read_inventory() and
 * management_fetch().
 */
int sources_nodes(Nodes **ret, const CliRequest *rq, const Config *config, Result *ret_result, char *hint,
                  size_t size, Err *err) _must_check_;
