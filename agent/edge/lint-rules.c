/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rules of lint.h: their names, levels, reasons and fixes. */

#include <string.h>

#include "agent/edge/lint.h"

#define UNTIL_REDEPLOY \
        "Without a health monitor a server that was taken out of rotation stays out until the proxy is deployed again"

static const LintRuleInfo rules[] = {
        [LINT_UNREADABLE] = { "unreadable", LINT_ERROR,
                              "What cannot be read here cannot be trusted to be read by Edge.",
                              "Mend the file; the sentence says where it is broken." },
        [LINT_XML_UNKNOWN] = { "xml-unknown", LINT_WARNING,
                               "Edge ignores what it does not know, so a misspelt element silently has its default.",
                               "Correct the name, or remove it." },
        [LINT_XML_MISPLACED] = { "xml-misplaced", LINT_WARNING,
                                 "Edge does not look for it here, so it does nothing.",
                                 "Move it to where it belongs." },
        [LINT_XML_TWICE] = { "xml-twice", LINT_WARNING,
                             "It may be there once; which one counts is not documented.",
                             "Leave one of them." },
        [LINT_XML_MISSING] = { "xml-missing", LINT_ERROR, "It is required.", "Add it." },
        [LINT_XML_VALUE] = { "xml-value", LINT_ERROR,
                             "A value that cannot be read has no effect that is documented.",
                             "Write a value of the kind that is expected." },
        [LINT_XML_TEXT] = { "xml-text", LINT_WARNING,
                            "Text between elements is often a slip of the keyboard.", "Remove it." },
        [LINT_XML_VARIABLE] = { "xml-variable", LINT_NOTE,
                                "Only a request knows the value, so nothing that depends on it was looked at.",
                                "Nothing, if it is meant." },
        [LINT_XML_NOT_EDGE] = { "xml-not-edge", LINT_WARNING,
                                "Apigee X and hybrid know it; for Edge for Private Cloud it is not documented.",
                                "Remove it, or try it on a gateway that serves nobody." },
        [LINT_MAX_FAILURES_ONE_SERVER] = { "max-failures-one-server", LINT_ERROR,
                                           "After MaxFailures failures the only server is taken out of rotation and nothing brings it back: every "
                                           "request is answered 503 (500 by a ServiceCallout) until the proxy is deployed again.",
                                           "Remove MaxFailures, or add a HealthMonitor, better with a second server." },
        [LINT_MAX_FAILURES_NO_MONITOR] = { "max-failures-no-monitor", LINT_WARNING,
                                           UNTIL_REDEPLOY
                                           "; one after the other they are lost, and then every request fails.",
                                           "Add a HealthMonitor next to the LoadBalancer, or remove MaxFailures." },
        [LINT_MONITOR_DISABLED] = { "monitor-disabled", LINT_WARNING,
                                    "IsEnabled is false by default: this HealthMonitor does nothing.",
                                    "Write <IsEnabled>true</IsEnabled>, or remove the HealthMonitor." },
        [LINT_MONITOR_WITHOUT_MAX_FAILURES] = { "monitor-without-max-failures", LINT_WARNING,
                                                "MaxFailures is 0, so no server is ever taken out of rotation, whatever the monitor finds.",
                                                "Add <MaxFailures> with a number above 0 to the LoadBalancer." },
        [LINT_MONITOR_IN_BALANCER] = { "monitor-in-balancer", LINT_ERROR,
                                       "HealthMonitor is a child of HTTPTargetConnection; within LoadBalancer it does nothing.",
                                       "Move it out of the LoadBalancer, behind it." },
        [LINT_MONITOR_EMPTY] = { "monitor-empty", LINT_ERROR,
                                 "Without TCPMonitor or HTTPMonitor there is nothing it could ask.",
                                 "Add a TCPMonitor or an HTTPMonitor." },
        [LINT_MONITOR_PORT] = { "monitor-port", LINT_WARNING,
                                "It asks another port than the requests go to: a server can be well there and refuse requests, and the "
                                "other way round.",
                                "Remove <Port> of the monitor: the target server's is the default." },
        [LINT_INTERVAL_ZERO] = { "interval-zero", LINT_ERROR,
                                 "IntervalInSec is required and 0 by default: how often it would ask is not defined.",
                                 "Write the seconds between two checks, 5 for example." },
        [LINT_TIMEOUT_ZERO] = { "timeout-zero", LINT_WARNING,
                                "The time limit is 0 by default, and what 0 does is not documented for Edge.",
                                "Write the seconds after which an answer comes too late." },
        [LINT_HTTP_MONITOR_TWO_WAY_TLS] = { "http-monitor-two-way-tls", LINT_ERROR,
                                            "HTTPMonitor does not support two-way TLS: it fails always, and takes the server out of rotation.",
                                            "Use a TCPMonitor." },
        [LINT_HTTP_MONITOR_SELF_SIGNED] = { "http-monitor-self-signed", LINT_WARNING,
                                            "HTTPMonitor does not support self-signed certificates; that validation errors are to be ignored says "
                                            "that there is one.",
                                            "Use a TCPMonitor, or a certificate that can be validated." },
        [LINT_BALANCER_EMPTY] = { "balancer-empty", LINT_ERROR,
                                  "A LoadBalancer without a Server has nowhere to send to.",
                                  "Name a target server." },
        [LINT_FALLBACK_TWICE] = { "fallback-twice", LINT_ERROR, "Only one server may be the fallback.",
                                  "Leave <IsFallback>true</IsFallback> at one of them." },
        [LINT_FALLBACK_ONLY] = { "fallback-only", LINT_ERROR,
                                 "The fallback takes over when all others are out; there are no others, so that nothing is balanced.",
                                 "Remove IsFallback, or add the servers that it is to stand in for." },
        [LINT_WEIGHT_MISSING] = { "weight-missing", LINT_ERROR,
                                  "The algorithm Weighted needs a Weight at each server.",
                                  "Add <Weight> to each server, or use RoundRobin." },
        [LINT_WEIGHT_UNUSED] = { "weight-unused", LINT_NOTE, "Only the algorithm Weighted looks at it.",
                                 "Write <Algorithm>Weighted</Algorithm>, or remove the weights." },
        [LINT_SERVER_TWICE] = { "server-twice", LINT_WARNING,
                                "One server under two entries gets two shares, and fails for both.",
                                "Remove one; for a larger share use Weighted." },
        [LINT_SERVER_UNKNOWN] = { "server-unknown", LINT_ERROR,
                                  "A proxy that names a target server which its environment does not have cannot be deployed there.",
                                  "Create it (edge-roll targets create), or correct the name." },
        [LINT_SERVER_DISABLED] = { "server-disabled", LINT_WARNING,
                                   "It gets no traffic as long as it is disabled.",
                                   "Enable it when it is to serve (edge-roll targets enable)." },
        [LINT_SERVERS_ALL_DISABLED] = { "servers-all-disabled", LINT_ERROR,
                                        "None of its servers is enabled, so every request fails.",
                                        "Enable one (edge-roll targets enable)." },
        [LINT_TOO_MANY_SERVERS] = { "too-many-servers", LINT_ERROR,
                                    "An environment can have 500 target servers.", "Use fewer." },
        [LINT_UNHEALTHY_UNUSED] = { "unhealthy-unused", LINT_NOTE,
                                    "MaxFailures is 0: such answers are tried again elsewhere, but never take the server out of rotation.",
                                    "Add MaxFailures and a HealthMonitor, if they should." },
        [LINT_PATH_UNUSED] = { "path-unused", LINT_NOTE, "Path is only used together with a LoadBalancer.",
                               "Write it into the URL." },
        [LINT_NAME_FORBIDDEN] = { "name-forbidden", LINT_WARNING,
                                  "Documented are letters and digits only; some tools and releases take no others.",
                                  "Rename it." },
        [LINT_STORE_DIRECT] = { "store-direct", LINT_WARNING,
                                "A keystore or truststore that is named directly needs a restart or a new deployment when its certificate "
                                "is replaced; one that is named by a reference needs neither.",
                                "Make a reference to it, and write ref://NAME." },
};
_Static_assert(ELEMENTS(rules) == LINT_RULE_COUNT, "every rule has a row");

const LintRuleInfo *lint_rule(LintRule rule)
{
        return &rules[rule];
}

LintRule lint_rule_from_name(const char *name)
{
        for (int i = 0; i < LINT_RULE_COUNT; i++)
                if (strcmp(rules[i].name, name) == 0)
                        return (LintRule) i;
        return LINT_RULE_INVALID;
}

const char *lint_level_name(LintLevel level)
{
        static const char *const names[] = {
                [LINT_NOTE] = "note",
                [LINT_WARNING] = "warning",
                [LINT_ERROR] = "error",
        };
        return level >= 0 && level < LINT_LEVEL_COUNT ? names[level] : "invalid";
}
