/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Open files. */

/*
 * files_raise() - the soft limit of this process is its hard limit from now on, but 65,536 at the most: what
 * goes on side by side (links to nodes, checks of targets) takes some each. Children inherit it. A failure
 * leaves all as it is. Source: getrlimit(2), RLIMIT_NOFILE.
 */
void files_raise(void);
