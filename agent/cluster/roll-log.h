/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The journal of a roll: DIR/ID.jsonl, one JSON object a line, each on the disk before the effect that it
 * tells of. One process writes a roll at a time; everybody who may read the file can read it, also while it
 * is written and after any crash.
 *
 * An ID sorts by time: 20261128T184512-router-3f2a (UTC, component, four random digits).
 *
 * Events. Each has "event" and "time" (UTC). Readers ignore events and keys that they do not know.
 *   roll      the first: format (1), id, what ("restart"), component, by, host, pid, version, reason, options
 *             (object, as the command line gave them), pools [{name, members [uuid]}],
 *             nodes [{name, dest, user, port, pool, uuid, component, selected}] (component: where it is not
 * the roll's; selected false: a member of the pool that is not to be restarted; absent: true) override  name,
 * reason, text (what was seen): a condition that somebody has overridden lease     pool, node, epoch, action
 * ("take", "give", "lost"), text node      node, component (where a node has several entries), step, state:
 * "begin" (before it is asked to begin), "phase" (phase, text), "end" (result: the agent's result event; of a
 * node that gave none an object with result, reason, hint) warning   text, node where it is about one stop
 * text, cause ("failure", "signal", "pool", "journal", ...): no further node is begun resume    by, host,
 * pid: another process goes on from here; "end" before it no longer counts join      by, host, pid, reason,
 * call: somebody who wants just this follows it (agent/cluster/roll-join.h) end       result, exit, text,
 * hint, elapsed, counts {total, done, skipped, failed, left}
 */

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/err.h"

#define ROLL_LOG_FORMAT    1
#define ROLL_LOG_MAX_BYTES (64U * 1024 * 1024) /* a larger file is no journal of ours */
#define ROLL_LOG_MAX_LINE  (4U * 1024 * 1024)

#define ROLL_ID_SIZE 96

typedef struct RollLog RollLog;

/*
 * roll_log_dir() - where journals are. @configured: the setting journal_dir; "auto": /var/lib/edge-roll/rolls
 * for root, $XDG_STATE_HOME/edge-roll/rolls or ~/.local/state/edge-roll/rolls for others.
 * @ret: absolute, to be freed. Return: 0; -EINVAL (not absolute); -ENOENT (no home directory); -ENOMEM.
 */
int roll_log_dir(const char *configured, char **ret, Err *err) _must_check_;

/*
 * roll_log_create() - a new journal, locked, with its first event on the disk. The directory is made where it
 * is missing (0750; root's belongs to the group edge-roll, and so does the file, 0640).
 * @name: goes into the id; characters that are no letters, digits or '-' become '-'.
 * @roll: the event "roll", consumed also on failure; event, format, id, host, pid, version and time are
 * added.
 * @ret_line: as roll_log_append(). Return: 0; -errno (ENOSPC, EACCES, EROFS, ...: nothing is left behind).
 */
int roll_log_create(RollLog **ret, const char *dir, const char *name, cJSON *roll, char **ret_line,
                    Err *err) _must_check_;

/*
 * roll_log_open() - to go on with a journal: locked, a line that a crash has cut off is removed.
 * @anyhow: also one with damaged lines, to write that it is given up.
 * @ret_said: "", or a sentence for the user about what was removed; at least 256 bytes.
 * Return: 0; -ENOENT (no such roll); -EBUSY (the sentence says which process runs it); -EBADMSG (damaged:
 * names file:line); -EPROTO (written by a version that this one does not understand); -errno.
 */
int roll_log_open(RollLog **ret, const char *dir, const char *id, bool anyhow, char *ret_said, size_t size,
                  Err *err) _must_check_;

/*
 * roll_log_append() - one event, on the disk when it returns. On failure the journal is as it was before, and
 * the caller decides whether to go on without it; the next append starts cleanly.
 * @event: consumed, also on failure; "time" is added where it is missing.
 * @ret_line: the line without its end, to be freed; may be NULL. Written also when the disk failed: who shows
 * events as JSON shows what happened, not what could be stored.
 * Return: 0; -ENOSPC, -EFBIG, -EIO, ...; -ENOMEM. A process that may hit RLIMIT_FSIZE ignores SIGXFSZ.
 */
int roll_log_append(RollLog *log, cJSON *event, char **ret_line, Err *err) _must_check_;

/* roll_log_beat() - its process lives: the time of the file. */
void roll_log_beat(RollLog *log);

const char *roll_log_id(const RollLog *log);
const char *roll_log_path(const RollLog *log);

/* roll_log_free() - closes and unlocks. NULL allowed. Return: NULL. */
RollLog *roll_log_free(RollLog *log);
DEFINE_CLEANUP(RollLog, roll_log_free);

/* roll_log_event() - {"event": @event, "time": now}; NULL without memory (appending NULL is -ENOMEM). */
cJSON *roll_log_event(const char *event) _must_check_;

/* roll_log_id_valid() - could @id be one? Nothing with '/' or a leading '.' is. */
bool roll_log_id_valid(const char *id);
