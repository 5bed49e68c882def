/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* `edge-roll lint`: documents in, findings out, one after another; what was said of a document is then
 * forgotten. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/cli.h"
#include "agent/edge/lint.h"
#include "base/result.h"

typedef struct LintRun {
        char *const *paths;         /* NULL-terminated, at least one: zips, folders, XML files */
        const char *ignore;         /* rules, with commas or blanks between them; NULL: none */
        const LintServers *servers; /* of the environment; NULL: not known */
        bool strict;                /* warnings count as errors do */
        bool json;
        bool colour;
        FILE *out;
} LintRun;

typedef struct LintSums {
        size_t documents; /* that were looked at */
        size_t errors, warnings, notes;
} LintSums;

/*
 * lint_run() - prints each finding, then (not @json) the sums. @ret: what was found.
 * Return: RESULT_DONE (nothing that counts), RESULT_PROBLEMS; with a sentence in @err: RESULT_USAGE (an
 * unknown rule, a path that cannot be read, or nothing to look at: a wrong path must not look like a clean
 * bill), RESULT_FAILED.
 */
Result lint_run(const LintRun *run, LintSums *ret, Err *err);

/* lint_main() - the verb. Return: the exit status. */
int lint_main(const CliRequest *rq);
