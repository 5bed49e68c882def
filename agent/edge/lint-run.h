/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A run of lint: documents in, findings out, one after another; what was said of a document is then
 * forgotten.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/cli.h"
#include "agent/config.h"
#include "agent/edge/lint.h"
#include "agent/edge/session.h"
#include "base/result.h"
#include "probes/bundle.h"

typedef struct LintSums {
        size_t documents; /* that were looked at */
        size_t errors, warnings, notes;
} LintSums;

typedef struct LintRun {
        const char *ignore;         /* rules, with commas or blanks between them; NULL: none */
        const LintServers *servers; /* of the environment; NULL: not known */
        bool strict;                /* warnings count as errors do */
        bool json;
        bool colour;
        FILE *out;
        /* NULL: each finding is printed. Return: 0; a negative errno ends the run. */
        int (*found)(const char *path, const LintFinding *finding, void *userdata);
        void *userdata;

        /* What follows is the run's own. */
        bool ignored[LINT_RULE_COUNT];
        bool explained[LINT_RULE_COUNT]; /* to people, each rule once is enough */
        LintSums sums;
        Err *err;
} LintRun;

/*
 * lint_begin() - @run: zeroed but for the options. @err: of the whole run. Return: 0; -EINVAL (no such rule:
 * which).
 */
int lint_begin(LintRun *run, Err *err) _must_check_;

/* lint_handlers - for bundle_read() and its like, with the LintRun as userdata: each finding is printed,
 * or given to `found`. */
extern const BundleHandlers lint_handlers;

/* lint_result() - RESULT_PROBLEMS when there was an error, or a warning and @run is strict; else RESULT_DONE.
 */
Result lint_result(const LintRun *run);

/* lint_counts() - "1 error, 2 warnings, 0 notes in 3 documents". */
void lint_counts(const LintSums *sums, char *buf, size_t size);

/* lint_main() - `edge-roll lint`. Return: the exit status. */
int lint_main(const CliRequest *rq, const Config *config, const SessionIo *io);
