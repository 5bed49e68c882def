/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which configuration is in force: read again before a job. Who has begun with another one keeps that. */

#include "agent/agent-impl.h"

#include <string.h>
#include <syslog.h>

#include "agent/journal.h"

/* Each asks the component several things; the bus alone would let a single user have thousands of them. */
#define PINS_MAX 64

const Config *agent_pin(Agent *a)
{
        a->pins++;
        return config_ref(a->config);
}

void agent_unpin(Agent *a, const Config *pinned)
{
        a->pins--;
        config_unref(pinned);
}

/* Whoever may change a file of root's needs no agent to do so; but that he did is told. */
void agent_config_changed(Agent *a)
{
        char text[900];
        int r = config_seen(a->config, &a->seen, text, sizeof(text));
        if (*text)
                journal_log(LOG_NOTICE, JOURNAL_CONFIG, NULL, "the configuration has changed: %s", text);
        if (r < 0)
                journal_log(
                        LOG_INFO, JOURNAL_AGENT, NULL,
                        "which configuration was seen cannot be kept: %s; a change while no agent runs is "
                        "not told",
                        strerror(-r));
}

bool agent_crowded(const Agent *a)
{
        return a->pins >= PINS_MAX;
}

int agent_reload(Agent *a, Err *err)
{
        Config *fresh;
        Monit *monit;
        if (agent_busy(a))
                return 0;
        int r = config_load(&fresh, NULL, NULL, err);
        if (r < 0)
                return r;
        r = monit_new(&monit, a->systemd, a->http, a->event, fresh, err);
        if (r < 0) {
                config_free(fresh);
                return r;
        }
        monit_free(a->monit);
        a->monit = monit;
        config_unref(a->config);
        a->config = fresh;
        agent_config_changed(a);
        return 0;
}
