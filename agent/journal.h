/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The only logger. Entries are structured: EDGE_ROLL_ID, EDGE_ROLL_COMPONENT, EDGE_ROLL_PHASE and, where
 * there is one, OBJECT_SYSTEMD_UNIT, so that `journalctl -u UNIT` shows what was done to it. */

#include <stdint.h>

#include "base/cleanup.h"

/* Message ids, catalogued in units/edge-roll.catalog. */
#define JOURNAL_JOB_BEGIN "6f0ad1d0b2a34b6c9a8f3de0a1c7b501"
#define JOURNAL_JOB_DONE  "6f0ad1d0b2a34b6c9a8f3de0a1c7b502"
#define JOURNAL_JOB_ENDED \
        "6f0ad1d0b2a34b6c9a8f3de0a1c7b503" /* refused or given back: the node is as it was */
#define JOURNAL_HELD    "6f0ad1d0b2a34b6c9a8f3de0a1c7b504"
#define JOURNAL_UNHELD  "6f0ad1d0b2a34b6c9a8f3de0a1c7b509" /* a hold has ended, and by no job */
#define JOURNAL_PHASE   "6f0ad1d0b2a34b6c9a8f3de0a1c7b505"
#define JOURNAL_WARNING "6f0ad1d0b2a34b6c9a8f3de0a1c7b506"
#define JOURNAL_AGENT   "6f0ad1d0b2a34b6c9a8f3de0a1c7b507"
#define JOURNAL_FINDING "6f0ad1d0b2a34b6c9a8f3de0a1c7b521" /* doctor: a warning or a problem */
#define JOURNAL_HOOK    "6f0ad1d0b2a34b6c9a8f3de0a1c7b522" /* a hook has ended */
#define JOURNAL_LEASE   "6f0ad1d0b2a34b6c9a8f3de0a1c7b530" /* of a component: taken, given back, stolen */
#define JOURNAL_PLACE   "6f0ad1d0b2a34b6c9a8f3de0a1c7b531" /* in ZooKeeper: given back, stolen, resized */
#define JOURNAL_TICKET  "6f0ad1d0b2a34b6c9a8f3de0a1c7b532" /* asked for, joined, set aside, over */
#define JOURNAL_ASKED   "6f0ad1d0b2a34b6c9a8f3de0a1c7b550" /* somebody's call was obeyed */
#define JOURNAL_DENIED  "6f0ad1d0b2a34b6c9a8f3de0a1c7b551" /* ... refused */
#define JOURNAL_CONFIG  "6f0ad1d0b2a34b6c9a8f3de0a1c7b552" /* the configuration is another one than before */
#define JOURNAL_BAD_END "6f0ad1d0b2a34b6c9a8f3de0a1c7b508" /* not readmitted, or an internal error */

/* @value: NULL or "": left out. */
typedef struct JournalField {
        const char *key, *value;
} JournalField;

typedef struct JournalContext {
        uint64_t id;
        const char *component, *phase, *unit; /* NULL or "" when there is none */
        const JournalField *fields;           /* ... more */
        size_t n_fields;
} JournalContext;

/* journal_log() - @priority: syslog(3). @message_id: one of the above. @c: may be NULL. */
void journal_log(int priority, const char *message_id, const JournalContext *c, const char *fmt, ...)
        _printf_(4, 5);
