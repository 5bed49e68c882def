/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/monitor.h"

MonitorRules monitor_rules(const EdgeConnection *connection)
{
        const EdgeBalancer *b = &connection->balancer;
        const EdgeHealthMonitor *m = &connection->monitor;

        return (MonitorRules){
                .max_failures = edge_number(b->max_failures, 0),
                .retry = edge_flag(b->retry, true),
                .monitored = edge_flag(m->enabled, false) && edge_number(m->interval_sec, 0) > 0 &&
                             (m->tcp.line > 0 || m->http.line > 0),
                .unhealthy = &b->unhealthy_codes,
        };
}

/* No response is a failure; any response is none, but for the codes that are listed. */
static bool is_failure(const MonitorRules *rules, MonitorEvent event, long status)
{
        if (event == MONITOR_RESPONSE)
                for (size_t i = 0; i < rules->unhealthy->n; i++)
                        if (rules->unhealthy->items[i].value == status)
                                return true;
        return event == MONITOR_NO_RESPONSE || event == MONITOR_CHECK_FAILED;
}

MonitorChange monitor_feed(Monitor *m, const MonitorRules *rules, MonitorEvent event, long status)
{
        bool check = event == MONITOR_CHECK_OK || event == MONITOR_CHECK_FAILED;
        bool was_out = m->out;

        if (check && !rules->monitored)
                return MONITOR_SAME;
        if (is_failure(rules, event, status)) {
                if (m->failures < INT64_MAX)
                        m->failures++;
                m->out = m->out || (rules->max_failures > 0 && m->failures >= rules->max_failures);
        } else if (!m->out || event != MONITOR_RESPONSE) {
                /* A late answer of a request that was under way does not bring a server back. */
                m->failures = 0;
                m->out = false;
        }
        return m->out == was_out ? MONITOR_SAME : m->out ? MONITOR_REMOVED : MONITOR_RETURNED;
}

bool monitor_retried(const MonitorRules *rules, MonitorEvent event, long status)
{
        return rules->retry && (event == MONITOR_NO_RESPONSE || event == MONITOR_RESPONSE) &&
               is_failure(rules, event, status);
}
