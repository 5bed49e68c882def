/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/result.h"

#include <string.h>

#include "base/cleanup.h"

static const struct {
        const char *name;
        int exit_code;
} result_table[] = {
        [RESULT_DONE] = { "done", 0 },
        [RESULT_FAILED] = { "failed", 1 },
        [RESULT_USAGE] = { "usage", 2 },
        [RESULT_NOT_NEEDED] = { "not-needed", 10 },
        [RESULT_REFUSED] = { "refused", 11 },
        [RESULT_UNPROTECTED] = { "unprotected", 12 },
        [RESULT_NO_CHECKER] = { "no-checker", 13 },
        [RESULT_BUSY] = { "busy", 14 },
        [RESULT_GAVE_BACK] = { "gave-back", 15 },
        [RESULT_HELD] = { "held", 16 },
        [RESULT_NOT_READMITTED] = { "not-readmitted", 17 },
        [RESULT_NO_PERMISSION] = { "no-permission", 18 },
        [RESULT_AGENT_UNREACHABLE] = { "agent-unreachable", 19 },
        [RESULT_PROBLEMS] = { "problems", 20 },
        [RESULT_INTERRUPTED] = { "interrupted", 21 },
};
_Static_assert(ELEMENTS(result_table) == RESULT_COUNT, "every result has a name and an exit code");

const char *result_name(Result result)
{
        return result >= 0 && result < RESULT_COUNT ? result_table[result].name : "invalid";
}

Result result_from_name(const char *name)
{
        for (int i = 0; i < RESULT_COUNT; i++)
                if (strcmp(result_table[i].name, name) == 0)
                        return (Result) i;
        return RESULT_INVALID;
}

int result_exit_code(Result result)
{
        return result >= 0 && result < RESULT_COUNT ? result_table[result].exit_code : 1;
}
