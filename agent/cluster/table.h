/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A roll for people. Pure but for table_mode(): no file, no clock, no terminal; `now` is an argument and text
 * is returned.
 *
 * Live: a line of progress and a row per node, drawn again in place; it fits the terminal whatever that is,
 * and where there are more nodes than lines those are shown that matter now. Plain: a line when a node
 * changes its state or phase, and one of progress every 10 s. Both end with the same summary. With JSON
 * nothing is written here but table_say() and table_summary() as objects: the events are the journal's.
 */

#include <stdbool.h>

#include "agent/cluster/view.h"
#include "base/err.h"

typedef struct TableMode {
        bool json;   /* before all others */
        bool live;   /* a terminal that can redraw */
        bool colour; /* only with live */
        bool verbose;
        unsigned width, rows; /* of the terminal; 0: not known (80, 24) */
} TableMode;

typedef struct Table Table;

/* table_mode() - what standard output behind @fd allows: NO_COLOR and TERM are looked at. */
TableMode table_mode(int fd, bool json, bool verbose);

int table_new(Table **ret, const TableMode *mode) _must_check_;
Table *table_free(Table *t);
DEFINE_CLEANUP(Table, table_free);

/*
 * table_update() - the roll is like this now; also to be called every second or so when nothing has changed,
 * for the times and the progress. @ret: what to write, possibly ""; to be freed; written only on success.
 * Return: 0; -ENOMEM.
 */
int table_update(Table *t, const RollView *v, Usec now, char **ret) _must_check_;

/*
 * table_say() - a remark: a line of its own, above the table; the next update draws that again.
 * @node: "" or whom it is about. @warning: say so. JSON: {"event":"client","text":..} or "warning".
 */
int table_say(Table *t, const char *node, const char *text, bool warning, char **ret) _must_check_;

/*
 * table_show() - @text, some lines without colours, in the place of the table: for other things that are
 * looked at again and again. Live: cut to the terminal, the last line says how much is missing; else as it
 * is.
 */
int table_show(Table *t, const char *text, char **ret) _must_check_;

/* table_clear() - take the table away, before somebody else writes. */
int table_clear(Table *t, char **ret) _must_check_;

/* table_size() - the terminal has another size now. */
void table_size(Table *t, unsigned width, unsigned rows);

/*
 * table_summary() - how the roll ended: how each node stands, and the commands to look at it, retry it, give
 * it back, go on. Takes the table away first. JSON: the result object.
 */
int table_summary(Table *t, const RollView *v, Usec now, char **ret) _must_check_;
