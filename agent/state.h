/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Records on disk, in the state directory: one JSON object a file, written whole or not at all (temporary
 * file, fsync, rename, fsync of the directory), before the effect that it describes.
 *
 * @name is a plain file name that ends with ".json" and does not start with '.'; anything else is -EINVAL.
 * One record has one writer at a time. Source: rename(2), fsync(2).
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/err.h"

#define STATE_FORMAT    1 /* in every record as "format"; another number is answered with -EPROTO */
#define STATE_MAX_BYTES (1024 * 1024) /* a larger file is no record of ours */

/*
 * state_write() - @dir/@name becomes @record, to which "format" and "boot_id" are added (replacing what it
 * has of these names). On any failure the old file is untouched and the temporary one is gone; only where
 * the last step fails, the fsync of @dir, the new file may be there, and it is a failure all the same.
 * Whoever makes @record begins with json_record(), or asks json_lost(): what was lost before is no matter.
 * Return: 0; -ENOMEM (also: while @record was made, see json_lost()); -ENOSPC, -EROFS, -EACCES, -ENOENT (no
 * such directory), ... with a sentence that names the file.
 */
int state_write(const char *dir, const char *name, cJSON *record, Err *err) _must_check_;

/*
 * state_read() - @ret: to be freed with cJSON_Delete(); NULL when there is no such file (an answer).
 * @ret_same_boot: written in this boot of the machine (or of this container: since process 1 was started);
 * may be NULL. Both written only on success. Return: 0; -EPROTO (another format, or none); -EBADMSG (empty,
 * cut off, not one JSON object, too large, no regular file: names the file); other errno.
 */
int state_read(const char *dir, const char *name, cJSON **ret, bool *ret_same_boot, Err *err) _must_check_;

/* state_remove() - success when there is none; the directory is synced. */
int state_remove(const char *dir, const char *name, Err *err) _must_check_;

/*
 * state_lock() - only one process works on unfinished jobs: the agent, or `edge-roll heal`. The lock is on
 * @dir itself and goes with the process. @ret_fd: to be kept open; -1 where there is no such directory
 * (nothing to work on). Return: 0; -EBUSY (another process has it); other errno. Source: flock(2).
 */
int state_lock(const char *dir, int *ret_fd, Err *err) _must_check_;

/* state_set_aside() - a record that nobody can read becomes @dir/@aside, over what was there. Return: 0;
 * -errno. */
int state_set_aside(const char *dir, const char *name, const char *aside, Err *err) _must_check_;

/* state_list() - names in @dir that start with @prefix and end with ".json", sorted, NULL-terminated; to be
 * freed with state_list_free(). A directory that does not exist has none. */
int state_list(const char *dir, const char *prefix, char ***ret, Err *err) _must_check_;
char **state_list_free(char **list); /* NULL allowed. Return: NULL */
DEFINE_CLEANUP(char *, state_list_free);
