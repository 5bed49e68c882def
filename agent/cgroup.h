/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The cgroup tree, read: which unit is behind a cgroup, which processes are in it. All synchronous walks of a
 * kernel file system (0.4 to 5 ms for some hundred cgroups). Works without ptrace and in the agent's sandbox.
 *
 * @root: where the tree is mounted; NULL: the cgroup2 mount, /sys/fs/cgroup or /sys/fs/cgroup/unified.
 * @path: below it, as systemd's ControlGroup has it: begins with '/', no "..".
 * Source: cgroups(7); systemd.slice(5); systemd's CGROUP_DELEGATION for the names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * cgroup_path_of_id() - the cgroup ("/system.slice/x.service") whose inode is @cgroup_id, as sock_diag's
 * INET_DIAG_CGROUP_ID has it. Nothing is followed to other file systems.
 * Return: 0; -ENOENT (gone, or no cgroup2 here); other negative errno. @ret: to be freed.
 */
int cgroup_path_of_id(const char *root, uint64_t cgroup_id, char **ret, Err *err) _must_check_;

/* cgroup_id_of_path() - the other way round. Return: 0; -EINVAL (@path); -ENOENT; other negative errno. */
int cgroup_id_of_path(const char *root, const char *path, uint64_t *ret, Err *err) _must_check_;

/*
 * cgroup_unit() - pure: "/system.slice/edge-router.service/sub" -> "edge-router.service"; template instances,
 * scopes and nested slices too. The outermost unit that is no slice: what runs in a user's systemd belongs to
 * user@UID.service. Return: false when the path names no unit (or a bare slice), or @size is too small for
 * it. @ret: @size bytes, 256 are enough for every unit; written only with true.
 */
bool cgroup_unit(const char *path, char *ret, size_t size);

/*
 * cgroup_pids() - processes in @path and below. With @root NULL and no cgroup2 (RHEL 8) the tree is systemd's
 * own, /sys/fs/cgroup/systemd. A process that moves during the walk may be seen twice or not at all; one of
 * another pid namespace is 0.
 * @ret_pids: room for @max; may be NULL with @max 0.
 * Return: how many in all (maybe more than @max); 0 when the cgroup is gone; -EINVAL (@path); -ENOENT (no
 * tree here); other negative errno.
 */
int cgroup_pids(const char *root, const char *path, int *ret_pids, size_t max, Err *err) _must_check_;
