/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Reading journals of rolls (agent/cluster/roll-log.h): a pure fold of events into a record, and what is in a
 * directory. Reading takes no lock and changes nothing.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/cluster/roll-log.h"
#include "base/time.h"

typedef enum RollNodeState {
        ROLL_NODE_WAITING, /* not begun */
        ROLL_NODE_BEGUN,   /* begun, and how it ended is not in the journal */
        ROLL_NODE_ENDED,
} RollNodeState;

/* Strings are never NULL ("": not told) and belong to the record's events. */
typedef struct RollNode {
        const char *name, *dest, *user, *pool, *uuid, *component;
        unsigned port; /* 0: not told */
        bool selected;
        RollNodeState state;
        uint64_t step;     /* of its last begin */
        unsigned begun;    /* how often */
        const char *phase; /* of the last step */
        const char *result, *reason, *hint;
        double elapsed;    /* of the last step, seconds; negative: not told */
        const char *time;  /* of its last event */
        const cJSON *json; /* the result object; NULL */
} RollNode;

typedef struct RollCounts {
        unsigned total, done, skipped, failed, open, left; /* open: begun, end not known; left: not begun */
} RollCounts;

typedef struct RollRecord {
        const char *id, *what, *component, *by, *host, *reason, *time, *version;
        double pid;         /* of the last process that ran it */
        uint64_t last_step; /* the highest there was */
        const cJSON *options, *pools;
        RollNode *nodes;
        size_t n_nodes;
        bool begun;         /* there is a first event */
        bool ended;         /* and an end behind it, and behind the last resume */
        const char *result; /* how it ended; "" */
        int exit;
        const char *text, *hint, *end_time;
        double elapsed;
        bool resumable;      /* it has ended, and not all was done */
        const char *stopped; /* why no further node was begun; "" */
        RollCounts counts;   /* of the selected nodes, from their events */
        unsigned overrides, warnings, resumed;
        cJSON *events;     /* array of all, in their order */
        unsigned damaged;  /* lines that are no events; left out */
        char trouble[512]; /* about the first of them: FILE:LINE: what is wrong; "" */
        bool torn;         /* the last line was cut off by a crash; left out */
        bool running;      /* a process has it locked now */
        Usec touched;      /* when the file was last written, by the wall clock: to be told from before */
} RollRecord;

RollRecord *roll_record_free(RollRecord *r);
DEFINE_CLEANUP(RollRecord, roll_record_free);

/*
 * roll_record_parse() - the text of a journal. @file: for the sentences.
 * @ret: written only on success. Return: 0 (look at damaged and torn); -E2BIG; -EPROTO (another format);
 * -ENOMEM.
 */
int roll_record_parse(const char *text, size_t len, const char *file, RollRecord **ret,
                      Err *err) _must_check_;

/*
 * roll_record_whole() - how many bytes of a journal are whole lines: without what a crash has left of the
 * last one, which has no line end, or has one and is no event.
 */
size_t roll_record_whole(const char *text, size_t len);

/* roll_log_text() - the whole file. @ret: to be freed. Return: 0; -E2BIG; -EBADMSG (not a file); -errno. */
int roll_log_text(int fd, const char *path, char **ret, size_t *ret_len, Err *err) _must_check_;

/* roll_log_read() - the journal of @id in @dir. Return: as roll_record_parse(); -ENOENT (no such roll);
 * -errno. */
int roll_log_read(const char *dir, const char *id, RollRecord **ret, Err *err) _must_check_;

/* roll_record_node() - @component: NULL: the first of that name. Return: NULL when there is none. */
const RollNode *roll_record_node(const RollRecord *r, const char *name, const char *component);

/* roll_result_good() - is this result of a node one after which a roll goes on? (done, not-needed) */
bool roll_result_good(const char *result);

/* What history shows of a roll: from the first and the last line only, so that it costs the same for any. */
typedef struct RollSummary {
        char id[ROLL_ID_SIZE];
        cJSON *first, *last; /* NULL when they cannot be read */
        bool begun, ended, running;
        char trouble[256]; /* why it cannot be read; "" */
} RollSummary;

typedef struct RollList {
        RollSummary *rolls; /* the newest first */
        size_t n;
} RollList;

void roll_list_done(RollList *list);

/* roll_log_list() - all of @dir; no such directory: none. Return: 0; -errno. */
int roll_log_list(const char *dir, RollList *ret, Err *err) _must_check_;

/*
 * roll_log_unfinished() - the rolls that were begun and have not ended.
 * @pool: only those with a node in this pool; NULL: all. A journal whose beginning is damaged counts for any.
 * @ret: NULL-terminated, newest first, to be freed with roll_ids_free(). Return: 0; -errno.
 */
int roll_log_unfinished(const char *dir, const char *pool, char ***ret, Err *err) _must_check_;
char **roll_ids_free(char **ids);
DEFINE_CLEANUP(char *, roll_ids_free);

/*
 * roll_log_find() - the roll a person means: its whole id, or a beginning or an end of it that only one has.
 * @text: NULL: the last that has not ended (@unfinished), or the last.
 * Return: 0; -ENOENT (none: the sentence says where it was looked for); -ENOTUNIQ (names them).
 */
int roll_log_find(const char *dir, const char *text, bool unfinished, char ret[ROLL_ID_SIZE],
                  Err *err) _must_check_;
