/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The nodes of a roll from its journal: what is in it becomes arguments of ssh. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "agent/cluster/coordinator-impl.h"

static int nodes_of(const char *node, Nodes **ret, Err *err)
{
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        char text[1024];

        (void) snprintf(
                text, sizeof(text),
                "{\"event\":\"roll\",\"format\":1,\"id\":\"X\",\"component\":\"router\",\"nodes\":[%s]}\n",
                node);
        assert_int_equal(roll_record_parse(text, strlen(text), "X.jsonl", &record, err), 0);
        return coord_nodes_from_record(ret, record, err);
}

static void a_node_is_as_it_was_written_down(void **state)
{
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        Err err = { 0 };

        (void) state;
        assert_int_equal(nodes_of("{\"name\":\"r1\",\"dest\":\"10.0.0.1\",\"user\":\"edge\",\"port\":2222,"
                                  "\"key\":\"/root/.ssh/edge\",\"bridge\":\"sudo -n edge-roll bridge\","
                                  "\"selected\":true}",
                                  &nodes, &err),
                         0);
        assert_int_equal(nodes->n, 1);
        assert_string_equal(nodes->nodes[0].name, "r1");
        assert_string_equal(nodes->nodes[0].host, "10.0.0.1");
        assert_string_equal(nodes->nodes[0].user, "edge");
        assert_string_equal(nodes->nodes[0].key, "/root/.ssh/edge");
        assert_string_equal(nodes->nodes[0].bridge, "sudo -n edge-roll bridge");
        assert_int_equal(nodes->nodes[0].port, 2222);
}

static void what_ssh_would_take_for_an_option_is_refused(void **state)
{
        static const char *const bad[] = {
                "{\"name\":\"r1\",\"dest\":\"-oProxyCommand=touch x\"}",
                "{\"name\":\"r1\",\"dest\":\"r1;x\"}",
                "{\"name\":\"r1\",\"dest\":\"edge@r1\"}",
                "{\"name\":\"-r1\"}",
                "{\"name\":\"r1\",\"user\":\"-l\"}",
                "{\"name\":\"r1\",\"user\":\"a b\"}",
                "{\"name\":\"r1\",\"key\":\"-x\"}",
                "{\"name\":\"r1\",\"key\":\"/x%d\"}",
                "{\"name\":\"r1\",\"bridge\":\"a\\nb\"}",
                "{\"name\":\"r1\",\"port\":65558}",
                "{\"name\":\"r1\",\"port\":-1}",
                "{\"name\":\"r1\",\"port\":22.5}",
                "{\"name\":\"r1\",\"port\":\"22\"}",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_(nodes_freep) Nodes *nodes = NULL;
                Err err = { 0 };
                if (nodes_of(bad[i], &nodes, &err) >= 0)
                        fail_msg("taken: %s", bad[i]);
                assert_true(*err.text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_node_is_as_it_was_written_down),
                cmocka_unit_test(what_ssh_would_take_for_an_option_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
