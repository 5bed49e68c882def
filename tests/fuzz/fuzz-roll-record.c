/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The journal of a roll: read, shown, and gone on with. */

#include "agent/cluster/coordinator-impl.h"
#include "agent/cluster/history.h"
#include "tests/fuzz/fuzz.h"

static void show(const RollRecord *record, const TableMode *mode)
{
        _cleanup_(freep) char *text = NULL;

        /* JSON is for programs, which may be told of DEL. */
        if (history_show(record, mode, &text) == 0 && !mode->json)
                fuzz_check(fuzz_is_clean(text, "\n"));
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len;
        _cleanup_(freep) uint8_t *bytes = fuzz_part(&f, &len);
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        const TableMode modes[] = { { .width = 80 }, { .json = true }, { .verbose = true, .width = 20 } };
        CliRequest rq = { 0 };
        Err err = { 0 };

        fuzz_check(roll_record_whole((const char *) bytes, len) <= len);
        if (roll_record_parse((const char *) bytes, len, "journal", &record, &err) < 0) {
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
                return;
        }
        fuzz_check(fuzz_is_ascii(record->trouble));
        for (size_t i = 0; i < ELEMENTS(modes); i++)
                show(record, &modes[i]);
        for (size_t i = 0; i < record->n_nodes; i++)
                (void) roll_record_node(record, record->nodes[i].name, NULL);
        if (record->options)
                coord_options_from_json(record->options, &rq);
        Coord c = { 0 };
        if (coord_lists_from_record(&c, record, &err) < 0 || coord_proof_from_record(&c, record, &err) < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        free(c.only);
        free(c.needed);
        proof_done(&c.kept);
        if (coord_nodes_from_record(&nodes, record, &err) < 0)
                return;
        for (size_t i = 0; i < nodes->n; i++)
                fuzz_check(inventory_host_ok(nodes->nodes[i].host) &&
                           (!nodes->nodes[i].user || inventory_user_ok(nodes->nodes[i].user)));
}
