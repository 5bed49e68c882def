/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster.h"

#include <string.h>
#include <unistd.h>

#include "agent/cluster/cluster-nodes.h"
#include "agent/cluster/cluster-restart.h"
#include "agent/cluster/cluster-status.h"
#include "agent/cluster/coordinator.h"
#include "agent/cluster/sources.h"
#include "agent/render.h"
#include "base/result.h"

static int cluster_refuse(const CliRequest *rq, Result result, const char *text, const char *hint)
{
        _cleanup_(freep) char *json = NULL;
        if (rq->json && render_result_json(rq->component, verb_name(rq->verb), result_name(result),
                                           result_exit_code(result), text, hint, &json) == 0)
                (void) printf("%s\n", json);
        else
                (void) fprintf(stderr, "edge-roll: %s\n%s%s%s", text, *hint ? "  " : "", hint,
                               *hint ? "\n" : "");
        return result_exit_code(result);
}

/* "mp" is message-processor here as well as on the nodes; names that only they know are left as they are. */
static CliRequest with_full_name(const CliRequest *rq, const Config *config)
{
        CliRequest full = *rq;
        const Component *c = config && rq->component ? config_component(config, rq->component) : NULL;
        if (c)
                full.component = c->name;
        return full;
}

int cluster_run(const CliRequest *as_typed, const Config *config)
{
        const CliRequest full = with_full_name(as_typed, config), *rq = &full;
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        CoordIo io = { .out = stdout, .err = stderr, .in = isatty(STDIN_FILENO) ? STDIN_FILENO : -1 };
        Result result;
        char hint[400];
        Err err = { 0 };

        if (rq->verb == VERB_RESUME)
                return coord_resume(rq, config, &io);
        if (sources_nodes(&nodes, rq, config, &result, hint, sizeof(hint), &err) < 0)
                return cluster_refuse(rq, result, err.text, hint);
        if (rq->verb == VERB_NODES)
                return cluster_nodes(rq, config, nodes);
        if (rq->verb == VERB_STATUS)
                return cluster_status(rq, config, nodes);
        return cluster_restart(rq, config, nodes, &io);
}
