/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `edge-roll history` and `edge-roll show`: journals of rolls for people and for programs. No node is asked.
 */

#include <stdio.h>

#include "agent/cli.h"
#include "agent/cluster/roll-record.h"
#include "agent/cluster/table.h"
#include "agent/config.h"

/*
 * history_main() - the verb. @config: NULL: it could not be read. Return: the exit status.
 */
int history_main(const CliRequest *rq, const Config *config);

/* history_run() - the same in a directory, for tests. */
int history_run(const CliRequest *rq, const Config *config, const char *dir, const TableMode *mode, FILE *out,
                FILE *err);

/*
 * history_list() - the rolls of @list as a table, or with JSON as an object a line.
 * @component: only those in which it is restarted; NULL: all. @ret: to be freed. Return: 0; -ENOMEM.
 */
int history_list(const RollList *list, const char *component, const TableMode *mode, char **ret) _must_check_;

/* history_show() - the story of one roll; with JSON its events. Return: 0; -ENOMEM. */
int history_show(const RollRecord *record, const TableMode *mode, char **ret) _must_check_;
