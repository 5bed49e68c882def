/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is wrong with the way a proxy uses its target servers, before a gateway shows it: rules over one
 * document, a TargetEndpoint, a ServiceCallout or a TargetServer. Pure.
 *
 * Each rule has a fixed name (for --ignore, for programs), a level, a reason and a fix; each finding a line
 * and a sentence that names what was found. Some rules need to know the target servers of the environment;
 * without them they are silent, as nothing is guessed.
 *
 * Source: Apigee "Antipattern: Load balance with a single target server with MaxFailures set to a non-zero
 * value", "Load balancing across backend servers", "Update a TLS certificate for the Private Cloud" (ref://).
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "probes/edge-xml.h"

#define LINT_SERVERS_MAX \
        500 /* target servers that an environment can have; more cannot be in one LoadBalancer */

typedef enum LintLevel {
        LINT_NOTE,    /* worth knowing */
        LINT_WARNING, /* does harm in some cases, or does not do what it seems to */
        LINT_ERROR,   /* fails, or will never work */
        LINT_LEVEL_COUNT,
} LintLevel;

/* lint_level_name() - "note", "warning", "error"; never NULL. */
const char *lint_level_name(LintLevel level);

typedef enum LintRule {
        LINT_UNREADABLE,
        LINT_XML_UNKNOWN, /* XML_: what the reader of the document did not understand */
        LINT_XML_MISPLACED,
        LINT_XML_TWICE,
        LINT_XML_MISSING,
        LINT_XML_VALUE,
        LINT_XML_TEXT,
        LINT_XML_VARIABLE,
        LINT_XML_NOT_EDGE,
        LINT_MAX_FAILURES_ONE_SERVER,
        LINT_MAX_FAILURES_NO_MONITOR,
        LINT_MONITOR_DISABLED,
        LINT_MONITOR_WITHOUT_MAX_FAILURES,
        LINT_MONITOR_IN_BALANCER,
        LINT_MONITOR_EMPTY,
        LINT_MONITOR_PORT,
        LINT_INTERVAL_ZERO,
        LINT_TIMEOUT_ZERO,
        LINT_HTTP_MONITOR_TWO_WAY_TLS,
        LINT_HTTP_MONITOR_SELF_SIGNED,
        LINT_BALANCER_EMPTY,
        LINT_FALLBACK_TWICE,
        LINT_FALLBACK_ONLY,
        LINT_WEIGHT_MISSING,
        LINT_WEIGHT_UNUSED,
        LINT_SERVER_TWICE,
        LINT_SERVER_UNKNOWN,
        LINT_SERVER_DISABLED,
        LINT_SERVERS_ALL_DISABLED,
        LINT_TOO_MANY_SERVERS,
        LINT_UNHEALTHY_UNUSED,
        LINT_PATH_UNUSED,
        LINT_NAME_FORBIDDEN,
        LINT_STORE_DIRECT,
        LINT_RULE_COUNT,
        LINT_RULE_INVALID = -EINVAL,
} LintRule;

typedef struct LintRuleInfo {
        const char *name; /* "max-failures-one-server" */
        LintLevel level;  /* the highest that a finding of it has */
        const char *why;  /* a sentence */
        const char *fix;  /* a sentence */
} LintRuleInfo;

/* lint_rule() - never NULL; @rule must be one. lint_rule_from_name() - LINT_RULE_INVALID for an unknown name.
 */
const LintRuleInfo *lint_rule(LintRule rule);
LintRule lint_rule_from_name(const char *name);

typedef struct LintFinding {
        LintRule rule;
        LintLevel level;
        unsigned line; /* 0: the document as a whole */
        char *text;    /* one sentence; names in it are as in the document, so to be shown by put_clean() */
} LintFinding;

typedef struct LintFindings {
        LintFinding *items; /* of one document: in the order of its lines */
        size_t n;
        size_t errors, warnings; /* of them */
} LintFindings;

void lint_done(LintFindings *findings);

/* The target servers of the environment. @items: of documents or of the API; only read. */
typedef struct LintServers {
        const EdgeTargetServer *items;
        size_t n;
} LintServers;

/*
 * lint_document() - every rule over @x. @servers: NULL when they are not known. @ret: the findings are added.
 * Return: 0 (also for a document of another kind: nothing to find); -ENOMEM.
 */
int lint_document(const EdgeXml *x, const LintServers *servers, LintFindings *ret) _must_check_;

/* lint_unreadable() - adds a finding for what could not be read: @text says why. Return: 0; -ENOMEM. */
int lint_unreadable(const char *text, LintFindings *ret) _must_check_;

/* lint_server() - the one of that name; NULL: none, or @servers is NULL. */
const EdgeTargetServer *lint_server(const LintServers *servers, const char *name);
