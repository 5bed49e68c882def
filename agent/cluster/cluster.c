/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster.h"

#include <string.h>
#include <unistd.h>

#include "agent/cluster/cluster-status.h"
#include "agent/cluster/coordinator.h"
#include "agent/cluster/nodes.h"
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

static int cluster_nodes(Nodes **ret, const CliRequest *rq, const Config *config, Err *err)
{
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        const CliCluster *cl = &rq->cluster;
        const char *inventory = cl->inventory                ? cl->inventory
                                : *config->cluster_inventory ? config->cluster_inventory
                                                             : NULL;
        NodesFilter filter = {
                .limit = cl->limit, .exclude = cl->exclude, .region = cl->region, .pod = cl->pod
        };
        char source[300];
        int r;

        if (cl->inventory || (!cl->nodes && !cl->management && inventory))
                (void) snprintf(source, sizeof(source), "the inventory %.200s", inventory);
        else
                (void) snprintf(source, sizeof(source), "--nodes");
        if ((r = nodes_new(&nodes, source, err)) < 0)
                return r;
        if (cl->nodes)
                r = nodes_add_words(nodes, cl->nodes, err);
        else if (inventory)
                r = nodes_read_inventory(nodes, inventory, err);
        else
                r = err_set(
                        err, -EINVAL,
                        "which nodes there are is not known: name them with --nodes, --inventory or --management, "
                        "or set inventory or management_url in section [cluster]");
        if (r < 0 || (r = nodes_select(nodes, &filter, err)) < 0)
                return r;
        *ret = TAKE_PTR(nodes);
        return 0;
}

int cluster_run(const CliRequest *rq, const Config *config)
{
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        CoordIo io = { .out = stdout, .err = stderr, .in = isatty(STDIN_FILENO) ? STDIN_FILENO : -1 };
        Err err = { 0 };

        if (rq->verb == VERB_RESUME)
                return coord_resume(rq, config, &io);
        if (cluster_nodes(&nodes, rq, config, &err) < 0)
                return cluster_refuse(rq, RESULT_USAGE, err.text, "");
        if (rq->verb == VERB_STATUS)
                return cluster_status(rq, config, nodes);
        return coord_restart(rq, config, nodes, &io);
}
