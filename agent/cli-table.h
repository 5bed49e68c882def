/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The tables behind the command line: shared by its parser (cli.c) and its help (cli-table.c), and nobody
 * else. */

#include "agent/cli.h"

typedef enum Option {
        OPTION_DRY_RUN,
        OPTION_JSON,
        OPTION_REASON,
        OPTION_START,
        OPTION_NOW,
        OPTION_UNPROTECTED,
        OPTION_NO_WAIT,
        OPTION_PERSISTENT,
        OPTION_AT_CAP,
        OPTION_MP_LEAVE,
        OPTION_ROUTER_RETRY,
        OPTION_FOR,
        OPTION_WAIT,
        OPTION_IF_NEEDED,
        OPTION_CLUSTER,
        OPTION_NODES,
        OPTION_INVENTORY,
        OPTION_MANAGEMENT,
        OPTION_REGION,
        OPTION_POD,
        OPTION_LIMIT,
        OPTION_EXCLUDE,
        OPTION_YES,
        OPTION_OVERRIDE,
        OPTION_ALLOW_OUTAGE,
        OPTION_MAX_UNAVAILABLE,
        OPTION_MAX_FAILURES,
        OPTION_SOAK,
        OPTION_SINCE,
        OPTION_GIVE_UP,
        OPTION_ORG,
        OPTION_ENV,
        OPTION_FROM,
        OPTION_STORES,
        OPTION_CHANGED,
        OPTION_EXPECT_CERT,
        OPTION_WHY,
        OPTION_WATCH,
        OPTION_STRICT,
        OPTION_IGNORE,
        OPTION_NO_CHECK,
        OPTION_VERBOSE,
        OPTION_HELP,
        OPTION_COUNT,
        OPTION_INVALID = -EINVAL,
} Option;

#define BIT(option) (UINT64_C(1) << (option))

/* Which nodes there are, and which of them are meant. */
#define OPTIONS_NODES                                                                               \
        (BIT(OPTION_CLUSTER) | BIT(OPTION_NODES) | BIT(OPTION_INVENTORY) | BIT(OPTION_MANAGEMENT) | \
         BIT(OPTION_REGION) | BIT(OPTION_POD) | BIT(OPTION_LIMIT) | BIT(OPTION_EXCLUDE))
/* How a roll over them goes. */
#define OPTIONS_ROLL                                                                     \
        (BIT(OPTION_OVERRIDE) | BIT(OPTION_ALLOW_OUTAGE) | BIT(OPTION_MAX_UNAVAILABLE) | \
         BIT(OPTION_MAX_FAILURES) | BIT(OPTION_SOAK) | BIT(OPTION_SINCE))

/* What speaks for a restart. */
#define OPTIONS_WHY (BIT(OPTION_ORG) | BIT(OPTION_ENV) | BIT(OPTION_CHANGED) | BIT(OPTION_EXPECT_CERT))

typedef struct OptionInfo {
        const char *name;
        char letter;       /* 0: none */
        const char *value; /* NULL: takes none */
        const char *what;
        bool value_optional;
} OptionInfo;

typedef enum Operand {
        OPERAND_NONE,
        OPERAND_COMPONENT,
        OPERAND_MAYBE_COMPONENT,
        OPERAND_MAYBE_VERB,
        OPERAND_HOLD,
        OPERAND_RESTART_COMPONENT, /* plan */
        OPERAND_ROLL,
        OPERAND_MAYBE_ROLL,
        OPERAND_LOCK,
        OPERAND_TARGETS,
        OPERAND_PATHS,
} Operand;

typedef struct VerbInfo {
        const char *name;
        const char *what; /* one line, in the overview */
        Operand operand;
        uint64_t options;
        const char *text; /* the lesson */
        const char *examples;
} VerbInfo;

extern const OptionInfo option_table[OPTION_COUNT];
extern const VerbInfo verb_table[VERB_COUNT];
