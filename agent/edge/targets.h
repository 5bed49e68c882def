/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `edge-roll targets`: the target servers of an environment, over Edge's management API. */

#include "agent/edge/session.h"
#include "probes/target.h"

/* One target server as the API tells it, or why it could not be read. */
typedef struct TargetRow {
        char name[256];
        Target *target; /* NULL: see `trouble` */
        char trouble[API_TEXT_SIZE];
} TargetRow;

typedef struct TargetRows {
        TargetRow *rows; /* sorted by name */
        size_t n;
        size_t n_troubles;
} TargetRows;

/*
 * targets_fetch() - all of an environment. @answer: how the list was got; unless it is API_OK @ret is NULL.
 * One that vanished meanwhile is left out. @ret: to be freed with targets_rows_free(). Return: 0; -ENOMEM;
 * errors of fetch_each().
 */
int targets_fetch(Api *api, const char *org, const char *env, TargetRows **ret, ApiAnswer *answer,
                  Err *err) _must_check_;
TargetRows *targets_rows_free(TargetRows *t);
DEFINE_CLEANUP(TargetRows, targets_rows_free);

/* targets_main() - Return: the exit status. */
int targets_main(const CliRequest *rq, const Config *config, const SessionIo *io);
