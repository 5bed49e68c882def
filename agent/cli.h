/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The command line: argv to CliRequest, and the help. Pure; knows neither the bus nor the configuration. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/config.h"
#include "base/err.h"
#include "base/time.h"

typedef enum Verb {
        VERB_RESTART,
        VERB_DOCTOR,
        VERB_DRAIN,
        VERB_UNDRAIN,
        VERB_STATUS,
        VERB_WATCH,
        VERB_DISCOVER,
        VERB_CANCEL,
        VERB_CONFIG,
        VERB_AGENT,
        VERB_HOLD,
        VERB_HEAL,
        VERB_HELP,
        VERB_VERSION,
        VERB_COUNT,
        VERB_INVALID = -EINVAL,
} Verb;

/* What was asked for. Strings belong to argv. */
typedef struct CliRequest {
        Verb verb;
        const char *component;    /* as typed; NULL when the verb allows none and none was given */
        const char *hold;         /* hold: "apply" or "remove" */
        Verb help;                /* help: the verb it is about; VERB_INVALID: all */
        const char *reason;       /* NULL: not given */
        const char *unprotected;  /* NULL: not given */
        Persistent persistent;    /* PERSISTENT_INVALID: not given */
        AtCap at_cap;             /* AT_CAP_INVALID: not given */
        MpLeave mp_leave;         /* MP_LEAVE_INVALID: not given */
        const char *router_retry; /* NULL: not given */
        Usec for_usec;            /* 0: not given */
        bool dry_run, json, now, start, no_wait, verbose;
} CliRequest;

/* verb_name() - "restart"; verb_from_name() - VERB_INVALID for NULL or an unknown name. */
const char *verb_name(Verb verb);
Verb verb_from_name(const char *name);

/*
 * cli_parse() - @argv[0] is skipped. Options may stand anywhere; "--" ends them; "--key value" is
 * "--key=value". -h, --help behind a verb asks for its help. No arguments at all ask for the help.
 * @ret: written only on success. Return: 0; -EINVAL (the sentence says what is wrong and what is accepted).
 */
int cli_parse(int argc, char **argv, CliRequest *ret, Err *err) _must_check_;

/*
 * cli_wants_json() - is "--json" among the arguments? For the answer to a command line that cli_parse()
 * refuses.
 */
bool cli_wants_json(int argc, char **argv);

/* cli_help() - the overview (VERB_INVALID) or all about one verb, with examples. */
void cli_help(FILE *out, Verb verb);
