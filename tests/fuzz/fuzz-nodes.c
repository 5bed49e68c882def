/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What --nodes, --limit and --exclude say; names that only agents know. */

#include "agent/cluster/nodes.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        _cleanup_(freep) char *words = fuzz_text(&f, NULL), *limit = fuzz_text(&f, NULL),
                              *exclude = fuzz_text(&f, NULL), *member = fuzz_text(&f, NULL);
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        NodesFilter filter = { .limit = *limit ? limit : NULL, .exclude = *exclude ? exclude : NULL };
        Err err = { 0 };

        if (nodes_new(&nodes, "a fuzzer", &err) < 0)
                return;
        if (nodes_add_words(nodes, words, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        if (nodes_add_member(nodes, member, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        fuzz_check(nodes->n <= NODES_MAX);
        for (size_t i = 0; i < nodes->n; i++) {
                const Node *n = &nodes->nodes[i];
                fuzz_check(inventory_host_ok(n->host) && (!n->user || inventory_user_ok(n->user)));
                (void) nodes_same_host(n, member, limit);
        }
        if (nodes_select(nodes, &filter, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
}
