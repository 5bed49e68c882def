/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Management Server's lists of servers, as nodes to be reached. */

#include "agent/cluster/nodes.h"
#include "probes/servers-json.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len, more_len;
        _cleanup_(freep) uint8_t *bytes = fuzz_part(&f, &len), *more_bytes = fuzz_part(&f, &more_len);
        _cleanup_(servers_freep) Servers *s = NULL, *more = NULL;
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        Err err = { 0 };

        if (servers_parse((const char *) bytes, len, &s, &err) < 0) {
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
                return;
        }
        if (servers_parse((const char *) more_bytes, more_len, &more, &err) == 0 &&
            servers_append(s, more, &err) < 0)
                return;
        fuzz_check(s->n <= SERVERS_MAX && s->n_notes <= SERVERS_NOTES_MAX + 1);
        for (size_t i = 0; i < s->n; i++) {
                const Server *r = &s->rows[i];
                fuzz_check(fuzz_is_ascii(r->uuid) && fuzz_is_ascii(r->region) && fuzz_is_ascii(r->pod) &&
                           fuzz_is_ascii(r->types));
        }
        if (nodes_new(&nodes, "a fuzzer", &err) < 0 || nodes_add_servers(nodes, s, &err) < 0)
                return;
        for (size_t i = 0; i < nodes->n; i++) {
                const Node *node = &nodes->nodes[i];
                char reach[300];
                /* What ssh is given. */
                fuzz_check(inventory_host_ok(node->host) && node->n_servers <= NODES_SERVERS_MAX);
                fuzz_check(fuzz_is_ascii(nodes_reach(node, reach, sizeof(reach))));
                (void) nodes_hint(node, "router");
                (void) nodes_server(node, "message-processor");
        }
}
