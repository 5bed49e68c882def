/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How a command can end: one table of result names and exit codes, printed in edge-roll(1). */

#include <errno.h>

typedef enum Result {
        RESULT_DONE,           /* as asked, proven */
        RESULT_FAILED,         /* an internal error; what it means for the node is in the text */
        RESULT_USAGE,          /* arguments or configuration */
        RESULT_NOT_NEEDED,     /* nothing to do */
        RESULT_REFUSED,        /* refused before anything was touched */
        RESULT_UNPROTECTED,    /* refused: pool mates are known and no lock covers them */
        RESULT_NO_CHECKER,     /* refused: nobody is seen checking, so notice cannot be proven */
        RESULT_BUSY,           /* another job runs on this node */
        RESULT_GAVE_BACK,      /* undone before `stop`: the node is as it was */
        RESULT_HELD,           /* blocked on purpose: not proven good */
        RESULT_NOT_READMITTED, /* restarted and open, but its checkers have not come back */
        RESULT_NO_PERMISSION,
        RESULT_AGENT_UNREACHABLE,
        RESULT_PROBLEMS,    /* doctor has found something that is in the way */
        RESULT_INTERRUPTED, /* a roll was stopped on request: what was begun is finished, the rest untouched
                             */
        RESULT_COUNT,
        RESULT_INVALID = -EINVAL,
} Result;

/* result_name() - "done", "gave-back", ...; never NULL. */
const char *result_name(Result result);

/* result_from_name() - Return: the result, RESULT_INVALID for an unknown name. */
Result result_from_name(const char *name);

/* result_exit_code() - the process exit status for @result. */
int result_exit_code(Result result);
