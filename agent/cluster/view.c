/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/view.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
        [VIEW_WAITING] = "waiting", [VIEW_ASKING] = "asking",   [VIEW_RUNNING] = "running",
        [VIEW_CUT] = "cut off",     [VIEW_SOAKING] = "soaking", [VIEW_DONE] = "done",
        [VIEW_SKIPPED] = "skipped", [VIEW_FAILED] = "failed",   [VIEW_LEFT] = "not touched",
};
_Static_assert(ELEMENTS(names) == VIEW_STATE_COUNT, "every state has a name");

const char *view_state_name(ViewState state)
{
        return state >= 0 && state < VIEW_STATE_COUNT ? names[state] : "invalid";
}

const char *view_what(const char *what, const char *component, char *buf, size_t size)
{
        bool both = strchr(what, ' ') || !*component;
        (void) snprintf(buf, size, "%s%s%s", what, both ? "" : " ", both ? "" : component);
        return buf;
}

const char *view_dest(const char *user, const char *host, unsigned port, char *buf, size_t size)
{
        char number[16] = "";
        bool bracket = port && strchr(host, ':');
        if (port)
                (void) snprintf(number, sizeof(number), ":%u", port);
        (void) snprintf(buf, size, "%s%s%s%s%s%s", user ? user : "", user && *user ? "@" : "",
                        bracket ? "[" : "", host, bracket ? "]" : "", number);
        return buf;
}

bool view_is_active(ViewState state)
{
        return state == VIEW_ASKING || state == VIEW_RUNNING || state == VIEW_CUT || state == VIEW_SOAKING;
}

ViewCounts view_counts(const RollView *v)
{
        ViewCounts c = { .total = v->n_nodes };
        for (size_t i = 0; i < v->n_nodes; i++) {
                ViewState state = v->nodes[i].state;
                c.of[state]++;
                c.done += state == VIEW_DONE || state == VIEW_SKIPPED;
                c.active += view_is_active(state);
        }
        return c;
}
