/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who wants the same as a roll that is being run leaves a note beside its journal, JOURNAL.joins, a JSON
 * object a line. Only the process that runs the roll writes the journal: it takes the notes up as its events
 * "join". Whose note stands there has joined; whose note came behind the end has not.
 */

#include <cjson/cJSON.h>
#include <sys/types.h>

#include "base/err.h"

#define ROLL_JOIN_MAX_BYTES (256U * 1024) /* of all notes of a roll */

/*
 * roll_join_ask() - a note for the roll @id in @dir. @who: by, host, pid, reason, call (what this caller is
 * known by); consumed, also on failure. Return: 0; -ENOMEM; -errno (the sentence names the file).
 */
int roll_join_ask(const char *dir, const char *id, cJSON *who, Err *err) _must_check_;

/*
 * roll_join_take() - the notes beside @journal (its path) from the byte *@at on, which is moved behind them.
 * What is no note, or longer than a note may be, is passed over.
 * Return: an array of events "join", to be freed; NULL: nothing new.
 */
cJSON *roll_join_take(const char *journal, off_t *at);

/* roll_join_done() - the notes beside @journal are taken up, or of nobody's interest any more. */
void roll_join_done(const char *journal);
