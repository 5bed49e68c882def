/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Were files changed since a process started? By their ctime, which nothing sets back: contents, owner, mode
 * and name all move it. Reads directories and inodes only; bounded; a few milliseconds.
 */

#include "agent/needed.h"
#include "base/words.h"

#define NEEDED_TREE_MAX   10000 /* files and directories looked at in all */
#define NEEDED_TREE_DEPTH 16

/* needed_pattern_valid() - an absolute path, with *, ? and [] in its last part only, and not hidden. Pure. */
bool needed_pattern_valid(const char *path);

/* needed_hidden() - does the agent's sandbox show something else at this path: its home directories are empty
 * (ProtectHome), its /tmp and /dev its own? What is not there proves nothing then. Pure. */
bool needed_hidden(const char *path);

/*
 * needed_files() - what @lists (each may be NULL) have to say, to @n.
 *
 * A word is a file; a directory (all below it, links to directories not followed); or a pattern, see
 * needed_pattern_valid(). Of a link both ends count. What is not there says no, unless the directory in which
 * it would be was changed since: then it may have been taken away, which is NEEDED_UNSEEN. The same goes for
 * a pattern of which nothing else says yes.
 * @started, @now: wall clock.
 */
void needed_files(Needed *n, const Words *lists, size_t n_lists, Usec started, Usec now);
