/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Commands of the administrator at four points of a job: executable files in hooks.d/POINT/, run one after
 * the other in the order of their names. They run as root, outside the agent's sandbox, so only what root
 * alone can change is run.
 */

#include <errno.h>

#include "base/err.h"
#include "base/words.h"

#define HOOKS_MAX 16 /* of one point */

typedef enum HookPoint {
        HOOK_BEFORE_BLOCK, /* nothing is touched yet; one that fails ends the job */
        HOOK_VERIFY,       /* restarted and ready, still blocked; one that fails makes it a hold */
        HOOK_AFTER_RETURN, /* open again, also when the job was undone; failures are told */
        HOOK_ON_HOLD,      /* blocked on purpose; failures are told */
        HOOK_COUNT,
        HOOK_INVALID = -EINVAL,
} HookPoint;

/* hook_point_name() - "before-block", "verify", "after-return", "on-hold". */
const char *hook_point_name(HookPoint point);

/*
 * hooks_list() - absolute paths of the hooks of @point in @dir, sorted by name. Not hooks: names that begin
 * with '.' or end in '~', .rpmnew, .rpmsave, .rpmorig or .dpkg-*; files without an x bit. A directory that is
 * not there has no hooks.
 * @ret: to be freed; never NULL on success.
 * Return: 0; -EPERM (a directory or file that somebody else than root may change, a symbolic link, not a
 * regular file: the sentence names it); -E2BIG (more than HOOKS_MAX); -ENOMEM; other negative errno.
 */
int hooks_list(const char *dir, HookPoint point, Words *ret, Err *err) _must_check_;
