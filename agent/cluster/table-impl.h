/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the parts of the table share; for agent/cluster/table*.c only. */

#include <stdio.h>

#include "agent/cluster/table.h"
#include "agent/put.h"

#define TABLE_LINES_MAX 512 /* of a terminal */
#define TABLE_NAME_MAX  32  /* columns of a node's name; longer ones are cut */

typedef struct TableSeen {
        ViewState state;
        char phase[32];
} TableSeen;

struct Table {
        TableMode mode;
        /* Live: what is on the screen. */
        unsigned lines;                    /* 0: nothing */
        unsigned columns[TABLE_LINES_MAX]; /* of each */
        Usec drawn_at;
        unsigned name_width, pool_width, state_width, phase_width, time_width; /* never shrink */
        /* Plain: what was said. */
        TableSeen *seen;
        size_t n_seen;
        Usec progress_at; /* 0: nothing was said yet */
};

/* table_erase() - take the table off the screen; the cursor is where it began. */
void table_erase(Table *t, FILE *f);

/* table_width() - columns that may be written. */
unsigned table_width(const Table *t);

/* table_short() - "3.2 s", "57 s", "2 m 30 s". Return: @buf. */
const char *table_short(Usec usec, char *buf, size_t size);

/* table_how() - the word for how a node stands: the result's name once it has failed. */
const char *table_how(const ViewNode *n);
