/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/sources.h"

#include <errno.h>

#include "agent/cluster/management.h"

typedef struct Sources {
        const char *nodes, *inventory, *management; /* NULL: not used */
} Sources;

static const char *if_set(const char *text)
{
        return text && *text ? text : NULL;
}

static Sources sources_choose(const CliCluster *cl, const Config *config)
{
        if (cl->inventory)
                return (Sources){ .inventory = cl->inventory };
        if (cl->management)
                return (Sources){ .management = cl->management };
        if (cl->nodes)
                return (Sources){ .nodes = cl->nodes, .inventory = if_set(config->cluster_inventory) };
        return (Sources){ .inventory = if_set(config->cluster_inventory),
                          .management = if_set(config->cluster_management_url) };
}

/* As it is called in messages: "the inventory /etc/hosts.ini and the Management Server http://10.0.0.9:8080".
 */
static void sources_describe(const Sources *s, char *buf, size_t size)
{
        const char *and = "";
        size_t n = 0;
        buf[0] = '\0';
        if (s->nodes) {
                n += (size_t) snprintf(buf, size, "--nodes");
                and = " and ";
        }
        if (s->inventory) {
                n += (size_t) snprintf(buf + n, size - n, "%sthe inventory %.120s", and, s->inventory);
                and = " and ";
        }
        if (s->management)
                (void) snprintf(buf + n, size - n, "%sthe Management Server %.100s", and, s->management);
}

static int sources_ask(Nodes *nodes, const Sources *s, const CliCluster *cl, const Config *config, char *hint,
                       size_t size, Err *err)
{
        _cleanup_(servers_freep) Servers *servers = NULL;
        ManagementOptions options = {
                .url = s->management,
                .user = config->cluster_management_user,
                .password_file = config->cluster_management_password_file,
                .ca_file = config->cluster_management_ca,
                .region = cl->region,
        };
        int r = management_fetch(&servers, &options, hint, size, err);
        return r < 0 ? r : nodes_add_servers(nodes, servers, err);
}

int sources_nodes(Nodes **ret, const CliRequest *rq, const Config *config, Result *ret_result, char *hint,
                  size_t size, Err *err)
{
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        const CliCluster *cl = &rq->cluster;
        const Sources s = sources_choose(cl, config);
        const NodesFilter filter = {
                .limit = cl->limit, .exclude = cl->exclude, .region = cl->region, .pod = cl->pod
        };
        char name[300];

        *hint = '\0';
        *ret_result = RESULT_USAGE;
        if (!s.nodes && !s.inventory && !s.management) {
                (void) snprintf(hint, size,
                                "name them with --nodes, --inventory or --management, or set inventory or "
                                "management_url in section [cluster] of edge-roll.conf(5)");
                return err_set(err, -EINVAL, "Which nodes there are is not known");
        }
        sources_describe(&s, name, sizeof(name));
        int r = nodes_new(&nodes, name, err);
        if (r >= 0 && s.inventory)
                r = nodes_read_inventory(nodes, s.inventory, err);
        if (r >= 0 && s.management) {
                r = sources_ask(nodes, &s, cl, config, hint, size, err);
                if (r < 0 && r != -EINVAL)
                        *ret_result = RESULT_REFUSED;
        }
        if (r >= 0 && s.nodes)
                r = nodes_add_words(nodes, s.nodes, err);
        if (r >= 0)
                r = nodes_select(nodes, &filter, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(nodes);
        return 0;
}
