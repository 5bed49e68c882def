/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What target servers have answered, and to whom: lines as it goes on, and the table behind it. */

#include "agent/edge/checking.h"
#include "agent/edge/targets.h"

#define CHECK_HERE "here" /* how this machine is called among nodes */

/* From where it was looked at. */
typedef struct CheckPoint {
        const char *name; /* of a node; CHECK_HERE */
        Checked *results; /* by row */
        bool *has;        /* ... is there one? */
        size_t done, bad;
        Result result;                /* RESULT_DONE: it has told everything, or is about to */
        char trouble[512], hint[400]; /* else: why not */
} CheckPoint;

typedef struct CheckTable {
        Session *session;
        const char *org, *env;
        const TargetRows *rows;
        CheckPoint *points;
        size_t n_points;
} CheckTable;

/* check_table_live() - how far it has come. check_table_trouble() - why @point tells no more. */
void check_table_live(const CheckTable *t);
void check_table_trouble(const CheckTable *t, const CheckPoint *point);

/* check_table_end() - the table, and the end of the session. Return: the exit status. */
int check_table_end(const CheckTable *t);
