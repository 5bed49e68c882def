/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What `edge-roll nodes` prints. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/nodes-view.h"

#define UUID_1 "276bc250-7dd0-46a5-a583-fd11eba786f8"

typedef struct Fixture {
        Nodes *nodes;
        NodeLook *looks[3][2];
        PlanNode plan[3];
} Fixture;

static NodeLook *look(const char *json)
{
        NodeLook *l = NULL;
        Err err = { 0 };
        if (look_parse(json, strlen(json), &l, &err) != 0)
                fail_msg("%s", err.text);
        return l;
}

/* r1 serves as a router and knows no message processor; m1 is out; gone does not answer. */
static void start(Fixture *f)
{
        static const char servers[] =
                "[{\"uUID\":\"" UUID_1
                "\",\"type\":\"router\",\"internalIP\":\"10.0.0.1\",\"region\":\"dc-1\"},"
                "{\"uUID\":\"other\",\"type\":\"message-processor\",\"internalIP\":\"10.0.0.2\",\"internalHostName\":\"m1\"},"
                "{\"uUID\":\"u3\",\"type\":\"router\",\"internalHostName\":\"gone\",\"isUp\":false},{\"uUID\":7}]";
        Servers *s = NULL;
        Err err = { 0 };
        memset(f, 0, sizeof(*f));
        assert_int_equal(nodes_new(&f->nodes, "a test", &err), 0);
        assert_int_equal(servers_parse(servers, strlen(servers), &s, &err), 0);
        assert_int_equal(nodes_add_servers(f->nodes, s, &err), 0);
        (void) servers_free(s);
        f->looks[0][0] = look(
                "{\"component\":\"router\",\"running\":true,\"up\":true,\"blocked\":\"no\",\"out\":false,"
                "\"uuid\":\"" UUID_1 "\",\"pool\":\"router/dc-1/gateway\",\"version\":\"0.2.0\"}");
        f->looks[0][1] =
                look("{\"component\":\"message-processor\",\"running\":false,\"up\":false,\"blocked\":\"no\","
                     "\"out\":true,\"out_reason\":\"it is not running\"}");
        f->looks[1][0] =
                look("{\"component\":\"message-processor\",\"running\":true,\"up\":false,\"blocked\":\"no\","
                     "\"out\":true,\"out_reason\":\"bad \\u001b[31mnews\",\"uuid\":\"u2\","
                     "\"pool\":\"message-processor/dc-1/gateway\"}");
        for (size_t i = 0; i < 3; i++)
                f->plan[i] = (PlanNode){ .node = &f->nodes->nodes[i], .looks = f->looks[i] };
        f->plan[0].n_looks = 2;
        f->plan[1].n_looks = 1;
        f->plan[2].contact = PLAN_UNREACHABLE;
        f->plan[2].trouble = "connection refused";
        f->plan[2].hint = "is sshd running there?";
}

static void finish(Fixture *f)
{
        for (size_t i = 0; i < 3; i++)
                for (size_t k = 0; k < 2; k++)
                        (void) look_free(f->looks[i][k]);
        (void) nodes_free(f->nodes);
}

static void has(const char *text, const char *line)
{
        if (!strstr(text, line))
                fail_msg("no \"%s\" in:\n%s", line, text);
}

static void test_text(void **state _unused_)
{
        Fixture f;
        char *text = NULL;
        start(&f);
        assert_int_equal(nodes_view_text(f.nodes, f.plan, 3, &text), 0);
        has(text, "NODE ");
        has(text,
            "10.0.0.1  ssh 10.0.0.1  router             router/dc-1/gateway             serving    0.2.0    " UUID_1
            "\n");
        has(text, "not up");
        has(text,
            "gone      ssh gone      router                                             no answer           u3\n");
        has(text, "m1: message-processor: bad ?[31mnews\n");
        has(text, "m1: message-processor: the Management Server lists it as other, it says u2\n");
        has(text, "gone: connection refused\n  is sshd running there?\n");
        has(text, "from a test\nnote: server number 4 of the list is left out");
        assert_null(strstr(text, "it is not running")); /* it is no message processor */
        assert_null(strchr(text, '\x1b'));
        assert_int_equal(nodes_view_silent(f.plan, 3), 1);
        free(text);

        f.nodes->nodes[2].selected = false;
        assert_int_equal(nodes_view_text(f.nodes, f.plan, 3, &text), 0);
        has(text, "\n1 more that are not selected; they count as members of their pools\n");
        assert_null(strstr(text, "connection refused"));
        assert_int_equal(nodes_view_silent(f.plan, 3), 0);
        free(text);
        finish(&f);
}

static void test_json(void **state _unused_)
{
        Fixture f;
        char *text = NULL;
        start(&f);
        assert_int_equal(nodes_view_json(f.nodes, f.plan, 3, &text), 0);
        char *rest = text;
        cJSON *line[4];
        for (size_t i = 0; i < 4; i++) {
                line[i] = cJSON_Parse(strsep(&rest, "\n"));
                assert_non_null(line[i]);
        }
        assert_string_equal(rest, "");
        assert_string_equal(cJSON_GetObjectItem(line[0], "event")->valuestring, "found");
        const cJSON *components = cJSON_GetObjectItem(line[0], "components");
        assert_int_equal(cJSON_GetArraySize(components), 1);
        assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(components, 0), "state")->valuestring,
                            "serving");
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(line[2], "answers")));
        const cJSON *listed = cJSON_GetArrayItem(cJSON_GetObjectItem(line[2], "listed"), 0);
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(listed, "up")));
        assert_string_equal(cJSON_GetObjectItem(line[3], "event")->valuestring, "warning");
        for (size_t i = 0; i < 4; i++)
                cJSON_Delete(line[i]);
        free(text);
        finish(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_json),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
