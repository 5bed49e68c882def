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
        VERB_NODES,
        VERB_PLAN,
        VERB_RESUME,
        VERB_HISTORY,
        VERB_SHOW,
        VERB_REQUEST,
        VERB_LOCK,
        VERB_TARGETS,
        VERB_LINT,
        VERB_WHY,
        VERB_BRIDGE,
        VERB_AGENT,
        VERB_HOLD,
        VERB_HEAL,
        VERB_HELP,
        VERB_VERSION,
        VERB_COUNT,
        VERB_INVALID = -EINVAL,
} Verb;

#define CLI_OVERRIDES_MAX 16
#define CLI_CHANGED_MAX   64
#define CLI_ALL           "all" /* as component: message processors, then routers */

/* Which nodes, and how a roll over them goes. Strings belong to argv. */
typedef struct CliCluster {
        bool on;                /* --cluster, or any way to say which nodes there are */
        const char *nodes;      /* a,b,c; NULL: not given, as with all of these */
        const char *inventory;  /* a file */
        const char *management; /* the Management Server's URL */
        const char *region, *pod, *limit, *exclude;
        const char *overrides[CLI_OVERRIDES_MAX]; /* NAME=REASON, both not empty */
        size_t n_overrides;
        unsigned max_unavailable; /* 0: not given */
        bool max_unavailable_percent;
        unsigned max_failures; /* 0: stop at the first */
        bool max_failures_given;
        bool soak_given;
        Usec soak_low_usec, soak_high_usec;
        const char *since; /* a roll whose finished nodes are left alone */
        bool yes, allow_outage;
} CliCluster;

typedef enum TargetsAction {
        TARGETS_LIST,
        TARGETS_GET,
        TARGETS_CREATE,
        TARGETS_UPDATE,
        TARGETS_DELETE,
        TARGETS_ENABLE,
        TARGETS_DISABLE,
        TARGETS_CHECK,
        TARGETS_ROTATION,
        TARGETS_ACTION_COUNT,
        TARGETS_ACTION_INVALID = -EINVAL,
} TargetsAction;

/* What `targets` is to do. */
typedef struct CliTargets {
        TargetsAction action; /* TARGETS_ACTION_INVALID: another verb */
        const char *name;     /* of a target server; NULL: the action takes none */
        const char *file;     /* with one in it, "-": standard input; NULL: the action takes none */
} CliTargets;

/* What speaks for a restart. */
typedef struct CliWhy {
        bool on; /* --why: only what must be restarted */
        const char *changed[CLI_CHANGED_MAX];
        size_t n_changed;
        const char *expect_cert; /* NULL: not given */
} CliWhy;

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
        Usec wait_usec;           /* for the lock; 0: not given; USEC_INFINITY: for ever */
        const char *roll;         /* show, resume: its id; NULL: the last one */
        const char *lock;         /* lock: "show", "steal" or "size" */
        const char *lock_value;   /* lock steal: whose; lock size: the number, as typed */
        bool dry_run, json, now, start, no_wait, verbose, if_needed, watch, give_up;
        bool no_check;         /* targets rotation */
        bool planned;          /* plan: the word "restart" was there */
        const char *org, *env; /* of Edge; NULL: not given */
        CliTargets targets;
        char **paths;       /* lint, targets rotation: NULL-terminated; NULL: none */
        const char *ignore; /* lint: rules; NULL: not given */
        const char *stores; /* targets check, rotation: a folder; NULL: not given */
        const char *from;   /* targets check: nodes; NULL: not given */
        bool strict;
        CliWhy why;
        CliCluster cluster;
} CliRequest;

/* cli_why_named() - does it name something of Edge: an organisation, an environment, a change, a certificate?
 */
bool cli_why_named(const CliRequest *rq);

/* verb_name() - "restart"; verb_from_name() - VERB_INVALID for NULL or an unknown name. */
const char *verb_name(Verb verb);
Verb verb_from_name(const char *name);

/*
 * cli_parse() - @argv[0] is skipped; paths are moved to its front. Options may stand anywhere; "--" ends
 * them; "--key value" is
 * "--key=value". -h, --help behind a verb asks for its help. No arguments at all ask for the help.
 * @ret: written only on success. Return: 0; -EINVAL (the sentence says what is wrong and what is accepted).
 */
int cli_parse(int argc, char **argv, CliRequest *ret, Err *err) _must_check_;

/*
 * cli_wants_json() - is "--json" among the arguments? For the answer to a command line that cli_parse()
 * refuses: to be asked before that, which moves paths to the front of @argv.
 */
bool cli_wants_json(int argc, char **argv);

/* cli_help() - the overview (VERB_INVALID) or all about one verb, with examples. */
void cli_help(FILE *out, Verb verb);
