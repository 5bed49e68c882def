/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Failure counting of one target server in one LoadBalancer, as Edge documents it: when it leaves the
 * rotation and what brings it back. Pure. Each message processor counts for itself, so this is one server as
 * one of them sees it; a message processor that was started again begins at 0.
 *
 * What the documentation does not say is not made up: TargetDisableSecs (only in the schema) has no effect
 * here, and IntervalInSec 0 (its default, though it is required) means that no check is ever made.
 * One thing is ours: a response of a request that was under way when its server left does not bring it back.
 *
 * Source: Apigee "Load balancing across backend servers" (Maximum failures, Retry, Health monitoring, Success
 * and failure).
 */

#include <stdbool.h>
#include <stdint.h>

#include "probes/edge-xml.h"

/* What a LoadBalancer and the HealthMonitor beside it say about counting. */
typedef struct MonitorRules {
        int64_t max_failures; /* 0: never taken out */
        bool retry;
        bool monitored;               /* checks are made, so that success brings a server back */
        const EdgeNumbers *unhealthy; /* ServerUnhealthyResponse; belongs to the connection */
} MonitorRules;

/* monitor_rules() - @connection: has to outlive the rules. */
MonitorRules monitor_rules(const EdgeConnection *connection);

/* One server. All zero: as after a deployment or a start of the message processor. */
typedef struct Monitor {
        int64_t failures;
        bool out; /* of rotation */
} Monitor;

typedef enum MonitorEvent {
        MONITOR_NO_RESPONSE,  /* of a request: I/O error or timeout */
        MONITOR_RESPONSE,     /* of a request: an answer, whatever its status */
        MONITOR_CHECK_OK,     /* of the health monitor */
        MONITOR_CHECK_FAILED, /* of the health monitor */
        MONITOR_DEPLOYED,     /* the proxy deployed again, or the message processor started again */
        MONITOR_EVENT_COUNT,
        MONITOR_EVENT_INVALID = -EINVAL,
} MonitorEvent;

typedef enum MonitorChange {
        MONITOR_SAME,
        MONITOR_REMOVED,  /* out of rotation with this event */
        MONITOR_RETURNED, /* back in rotation with this event */
} MonitorChange;

/*
 * monitor_feed() - count. @status: of MONITOR_RESPONSE, else ignored. Events that cannot be (a check without
 * a health monitor) change nothing.
 */
MonitorChange monitor_feed(Monitor *m, const MonitorRules *rules, MonitorEvent event, long status);

/* monitor_retried() - is a request that ends like this sent again, to the next server? */
bool monitor_retried(const MonitorRules *rules, MonitorEvent event, long status);
