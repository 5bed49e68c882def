/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Ansible inventories, and what becomes an argument of ssh. */

#include "agent/cluster/nodes.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len;
        _cleanup_(freep) uint8_t *text = fuzz_part(&f, &len);
        _cleanup_(freep) char *limit = fuzz_text(&f, NULL), *exclude = fuzz_text(&f, NULL);
        _cleanup_(inventory_freep) Inventory *inventory = NULL;
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        NodesFilter filter = { .limit = *limit ? limit : NULL, .exclude = *exclude ? exclude : NULL };
        Err err = { 0 };

        if (inventory_parse((const char *) text, len, "hosts.ini", &inventory, &err) < 0) {
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(inventory->n_hosts > 0 && inventory->n_hosts <= INVENTORY_HOSTS_MAX);
        if (nodes_new(&nodes, "a fuzzer", &err) < 0 || nodes_add_inventory(nodes, inventory, &err) < 0)
                return;
        for (size_t i = 0; i < nodes->n; i++) {
                const Node *n = &nodes->nodes[i];
                fuzz_check(inventory_host_ok(n->host) && (!n->user || inventory_user_ok(n->user)));
                fuzz_check(nodes_find(nodes, n->name) == n);
        }
        if (nodes_select(nodes, &filter, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
}
