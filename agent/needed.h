/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Is a restart of a component needed? Findings of several sources, and the verdict on them. Pure: no clock,
 * no file, no process. needed-look.c collects them.
 *
 * "no" is said only when everything that can speak for a restart was looked at and speaks against it. What
 * could not be seen is named, and makes the answer "unknown", which whoever restarts takes for "yes": a
 * restart too many costs no request, one too few leaves a node with what it should no longer have.
 */

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

#define NEEDED_FINDINGS_MAX 200 /* later ones are counted, not kept */

/* Steps of the clock that are smaller than this are not seen; what changed within as much of the start of a
 * process counts as changed since. The kernel stamps files by a clock that ticks every 1 to 10 ms, and
 * processes by one of 10 ms. */
#define NEEDED_STEP_USEC  (100 * USEC_PER_MSEC)
#define NEEDED_SLACK_USEC (200 * USEC_PER_MSEC)

typedef enum NeededSource {
        NEEDED_STATE,       /* held since a restart that was not proven good; a job that runs */
        NEEDED_PROCESSES,   /* which processes, since when, by which clock */
        NEEDED_CODE,        /* the files they have mapped or opened as code */
        NEEDED_FILES,       /* properties and restart_on */
        NEEDED_CERTIFICATE, /* what the traffic ports serve */
        NEEDED_SOURCE_COUNT,
        NEEDED_SOURCE_INVALID = -EINVAL,
} NeededSource;

/* needed_source_name() - "state", "processes", "code", "files", "certificate"; never NULL. */
const char *needed_source_name(NeededSource source);

typedef enum NeededAnswer {
        NEEDED_SAYS_NO,
        NEEDED_SAYS_YES,
        NEEDED_UNSEEN, /* could not be looked at, or what was seen decides nothing */
        NEEDED_ANSWER_COUNT,
        NEEDED_ANSWER_INVALID = -EINVAL,
} NeededAnswer;

typedef enum NeededVerdict {
        NEEDED_NO,
        NEEDED_YES,
        NEEDED_UNKNOWN,
        NEEDED_VERDICT_COUNT,
        NEEDED_VERDICT_INVALID = -EINVAL,
} NeededVerdict;

/* needed_verdict_name() - "no", "yes", "unknown"; never NULL. */
const char *needed_verdict_name(NeededVerdict verdict);

typedef struct Needed Needed;

int needed_new(Needed **ret) _must_check_;
Needed *needed_free(Needed *n);
DEFINE_CLEANUP(Needed, needed_free);

/* needed_add() - one sentence of one source. What cannot be kept (no memory, too many) still counts. */
void needed_add(Needed *n, NeededSource source, NeededAnswer answer, const char *fmt, ...) _printf_(4, 5);

/*
 * needed_verdict() - yes: a source says so. no: none does, nothing is unseen, and both the processes and the
 * files were seen. unknown: all else.
 */
NeededVerdict needed_verdict(const Needed *n);

/* needed_says() - has @source said @answer? */
bool needed_says(const Needed *n, NeededSource source, NeededAnswer answer);

/* needed_json() - adds to @object: "needed", and the arrays of sentences "reasons", "seen", "unseen" and
 * "beyond" (what is never looked at). */
void needed_json(const Needed *n, cJSON *object);

/*
 * needed_text() - the verdict in one line: its reasons, what is not seen, or what was. @buf: cut where it is
 * too small. Return: @buf.
 */
const char *needed_text(const Needed *n, char *buf, size_t size);

/*
 * needed_clock_stands() - is the wall clock the one that it was? @then: wall minus monotonic time at some
 * instant; @now: the same now. Both clocks are slewed alike, so only a step (or a suspend) moves them apart.
 * Source: clock_gettime(2), adjtimex(2).
 */
bool needed_clock_stands(int64_t then, int64_t now);

/*
 * needed_file_says() - was a file changed since a process started? @changed: its ctime; @started, @now: wall
 * clock. NEEDED_UNSEEN: its time lies in the future, so the clock was another one when it was changed.
 */
NeededAnswer needed_file_says(Usec changed, Usec started, Usec now);
