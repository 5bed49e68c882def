/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster-nodes.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cluster/fleet.h"
#include "agent/cluster/nodes-view.h"
#include "agent/render.h"
#include "base/result.h"

typedef struct ClusterNodes {
        const CliRequest *rq;
        const Nodes *nodes;
        sd_event *event;
        Fleet *fleet;
        Result result;
} ClusterNodes;

/* With --json the last line is a result, as with every verb. */
static int nodes_say_end(const ClusterNodes *c, Result result, const char *reason, const char *hint)
{
        _cleanup_(freep) char *json = NULL;
        if (!c->rq->json)
                return 0;
        int r = render_result_json(NULL, "nodes", result_name(result), result_exit_code(result), reason, hint,
                                   &json);
        return r < 0 || printf("%s\n", json) < 0 ? -EIO : 0;
}

static void nodes_on_looked(void *userdata)
{
        ClusterNodes *c = userdata;
        _cleanup_(freep) char *text = NULL;
        char reason[100] = "";
        size_t n;
        const PlanNode *nodes = fleet_nodes(c->fleet, &n);
        size_t silent = nodes_view_silent(nodes, n);

        int r = c->rq->json ? nodes_view_json(c->nodes, nodes, n, &text)
                            : nodes_view_text(c->nodes, nodes, n, &text);
        c->result = silent > 0 ? RESULT_AGENT_UNREACHABLE : RESULT_DONE;
        if (silent > 0)
                (void) snprintf(reason, sizeof(reason), "%zu of the selected nodes could not be asked",
                                silent);
        if (r < 0 || fputs(text, stdout) < 0 || nodes_say_end(c, c->result, reason, "") < 0)
                c->result = RESULT_FAILED;
        (void) sd_event_exit(c->event, 0);
}

int cluster_nodes(const CliRequest *rq, const Config *config, const Nodes *nodes)
{
        static const FleetHandlers none = { 0 };
        ClusterNodes c = { .rq = rq, .nodes = nodes, .result = RESULT_FAILED };
        const char *components[2];
        Err err = { 0 };

        size_t n = plan_components(CLI_ALL, components);
        int r = sd_event_default(&c.event);
        if (r < 0)
                (void) err_errno(&err, r, "No event loop");
        else if ((r = fleet_new(&c.fleet, c.event, config, nodes, &none, NULL, &err)) >= 0 &&
                 (r = fleet_look(c.fleet, components, n, false, nodes_on_looked, &c, &err)) >= 0)
                r = sd_event_loop(c.event);
        if (r < 0) {
                c.result = RESULT_FAILED;
                if (rq->json)
                        (void) nodes_say_end(&c, c.result, err.text, "");
                else
                        (void) fprintf(stderr, "edge-roll: %s\n", err.text);
        }
        c.fleet = fleet_free(c.fleet);
        sd_event_unref(c.event);
        return result_exit_code(c.result);
}
