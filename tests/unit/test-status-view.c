/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/cluster/status-view.c: many nodes at a glance. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "agent/cluster/status-view.h"
#include "agent/put.h"
#include "probes/json.h"

/* 2026-11-28T18:45:12Z */
#define WALL (1795891512 * USEC_PER_SEC)

#define LOOK(more)                                                                                             \
        "{\"component\":\"router\",\"version\":\"1.0\",\"pool\":\"router/dc-1\",\"running\":true,\"up\":true," \
        "\"blocked\":\"no\",\"hold\":null,\"job\":null,\"out\":false,\"lease\":null" more "}"
#define LAST ",\"last\":{\"result\":\"done\",\"time\":\"2026-11-28T16:44:12.123Z\"}"

#define MOST 10
static StatusNode nodes[MOST];
static size_t n;

static StatusNode *add(const char *name, const char *look)
{
        nodes[n] = (StatusNode){ .name = name, .dest = "", .component = "router", .trouble = "", .hint = "" };
        if (look) {
                nodes[n].look = cJSON_Parse(look);
                assert_non_null(nodes[n].look);
        }
        return &nodes[n++];
}

static int teardown(void **state)
{
        (void) state;
        for (size_t i = 0; i < n; i++)
                cJSON_Delete((cJSON *) (uintptr_t) nodes[i].look);
        n = 0;
        return 0;
}

/* One of each kind. */
static int setup(void **state)
{
        (void) state;
        add("r1", LOOK(LAST));
        add("r2",
            LOOK(",\"blocked\":\"hold\",\"last\":{\"result\":\"held\",\"reason\":\"x\",\"time\":\"2026-11-20T16:44:12.123Z\"}"));
        cJSON *held = (cJSON *) (uintptr_t) nodes[1].look;
        cJSON_DeleteItemFromObjectCaseSensitive(held, "blocked"); /* the first of two */
        cJSON_DeleteItemFromObjectCaseSensitive(held, "hold");
        (void) cJSON_AddItemToObject(
                held, "hold",
                cJSON_Parse("{\"by\":\"uid 0\",\"reason\":\"environment prod is gone\",\"since\":"
                            "\"2026-11-28T18:00:00.000Z\",\"until\":null}"));
        nodes[1].dest = "10.0.0.2";
        nodes[1].user = "edge";
        nodes[1].port = 2222;
        add("r3", LOOK(LAST));
        cJSON *job = (cJSON *) (uintptr_t) nodes[2].look;
        cJSON_DeleteItemFromObjectCaseSensitive(job, "job");
        (void) cJSON_AddItemToObject(
                job, "job",
                cJSON_Parse("{\"id\":3,\"kind\":\"restart\",\"phase\":\"drain\",\"elapsed\":12.3,"
                            "\"awaiting\":\"2 requests in flight\",\"roll\":\"ID\"}"));
        add("r4", NULL);
        nodes[3].trouble = "ssh: connect to host r4 port 22: No route to host";
        nodes[3].hint = "is the machine up?";
        return 0;
}

static void expect_text(const TableMode *mode, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(status_view_text(nodes, n, mode, "ssh", WALL, &out), 0);
        assert_string_equal(out, text);
}

static void replace(StatusNode *node, const char *key, const char *json)
{
        cJSON *look = (cJSON *) (uintptr_t) node->look;
        cJSON_DeleteItemFromObjectCaseSensitive(look, key);
        assert_true(cJSON_AddItemToObject(look, key, cJSON_Parse(json)));
}

static void all_are_well(void **state)
{
        (void) state;
        TableMode mode = { 0 };
        (void) teardown(NULL);
        add("r1", LOOK(LAST));
        add("r2", LOOK(""));
        expect_text(&mode, "NODE  STATE    LAST\n"
                           "r1    serving  done, 2 h 1 m ago\n"
                           "r2    serving\n"
                           "2 nodes: 2 serving\n");
        assert_int_equal(status_view_result(nodes, n), RESULT_DONE);
}

static void one_of_each(void **state)
{
        (void) state;
        TableMode mode = { 0 };
        expect_text(
                &mode,
                "NODE  STATE        LAST\n"
                "r1    serving      done, 2 h 1 m ago\n"
                "r2    HELD         held, 8 days ago   environment prod is gone; by uid 0, since 2026-11-28T18:00:00.000Z\n"
                "r3    in a job     done, 2 h 1 m ago  restart, in drain 12.3 s: 2 requests in flight, for roll ID\n"
                "r4    unreachable                     ssh: connect to host r4 port 22: No route to host\n"
                "4 nodes: 1 serving, 1 in a job, 1 unreachable, 1 HELD\n"
                "  ssh ssh://edge@10.0.0.2:2222 edge-roll undrain router lets traffic in again\n"
                "  r4: is the machine up?\n");
        assert_int_equal(status_view_result(nodes, n), RESULT_HELD);
        assert_int_equal(status_view_result(nodes + 2, 2), RESULT_AGENT_UNREACHABLE);
        assert_int_equal(status_view_result(nodes + 2, 1), RESULT_DONE);
}

static void the_odd_ones(void **state)
{
        (void) state;
        TableMode mode = { 0 };
        (void) teardown(NULL);
        replace(add("m1", LOOK("")), "running", "false");
        replace(add("m2", LOOK("")), "up", "false");
        replace(&nodes[1], "up_text", "\"/v1/servers/self/up answers 503\"");
        replace(add("m3", LOOK("")), "out", "true");
        replace(&nodes[2], "out_reason", "\"its last job ended not-readmitted\"");
        replace(&nodes[2], "last",
                "{\"result\":\"not-readmitted\",\"reason\":\"10.0.0.5 has not come back\",\"time\":\"x\"}");
        replace(add("m4", LOOK("")), "blocked", "\"foreign\"");
        replace(add("m5", LOOK("")), "blocked", "\"leftover\"");
        replace(add("m6", LOOK("")), "blocked", "\"of a later version\"");
        replace(add("m7", LOOK("")), "lease", "{\"epoch\":7,\"holder\":\"ID\",\"left\":21.4}");
        replace(add("m8", LOOK("")), "blocked", "\"hold-missing\"");
        for (size_t i = 0; i < n; i++)
                nodes[i].component = i % 2 ? "router" : "message-processor";
        replace(&nodes[0], "pool", "\"message-processor/dc-1\"");
        add("m9", "{}");
        expect_text(
                &mode,
                "NODE  COMPONENT          POOL                    STATE        LAST\n"
                "m1    message-processor  message-processor/dc-1  not running\n"
                "m2    router             router/dc-1             not up                       /v1/servers/self/up answers 503\n"
                "m3    message-processor  router/dc-1             out          not-readmitted  its last job ended not-readmitted; not-readmitted: 10.0.0.5 has not come back\n"
                "m4    router             router/dc-1             blocked                      refused by a rule of somebody else\n"
                "m5    message-processor  router/dc-1             blocked                      refused by a table that an agent has left\n"
                "m6    router             router/dc-1             blocked                      not known whether it is blocked\n"
                "m7    message-processor  router/dc-1             serving                      leased by ID (21 s left)\n"
                "m8    router             router/dc-1             HELD                         no reason given; OPEN although it is held\n"
                "m9    router                                     not known                    its agent does not say whether it runs\n"
                "9 components: 1 serving, 1 out, 1 not up, 1 not running, 3 blocked, 1 not known, 1 HELD\n"
                "  ssh m4 edge-roll status says more\n"
                "  ssh m5 edge-roll status says more\n"
                "  ssh m6 edge-roll status says more\n"
                "  ssh m8 systemctl reload-or-restart edge-roll-hold puts the hold up again\n"
                "  ssh m8 edge-roll undrain router lets traffic in again\n");
}

static void widths(void **state)
{
        (void) state;
        static const unsigned all[] = { 1, 10, 40, 59, 60, 80, 99, 100, 200 };
        replace(&nodes[0], "pool", "\"router/dc-2\"");
        for (size_t i = 0; i < ELEMENTS(all); i++) {
                TableMode mode = { .live = true, .width = all[i] };
                _cleanup_(freep) char *out = NULL;
                assert_int_equal(status_view_text(nodes, n, &mode, "ssh", WALL, &out), 0);
                size_t lines = 0;
                for (const char *p = out; lines <= n; p += strcspn(p, "\n") + 1, lines++)
                        assert_true(strcspn(p, "\n") < MAX(all[i], 2U));
                assert_int_equal(strstr(out, "router/dc-1") != NULL, all[i] >= 100);
                assert_int_equal(strstr(out, "LAST") != NULL, all[i] >= 60);
        }
}

static void colours_are_only_an_extra(void **state)
{
        (void) state;
        TableMode plain = { .live = true, .width = 80 },
                  colour = { .live = true, .colour = true, .width = 80 };
        _cleanup_(freep) char *a = NULL, *b = NULL;
        assert_int_equal(status_view_text(nodes, n, &plain, "ssh", WALL, &a), 0);
        assert_int_equal(status_view_text(nodes, n, &colour, "ssh", WALL, &b), 0);
        assert_null(strchr(a, '\x1b'));
        assert_non_null(strstr(b, "\x1b[1;31mHELD\x1b[0m"));
        char *to = b;
        for (const char *from = b; *from;)
                if (*from == '\x1b')
                        from = strchr(from, 'm') + 1;
                else
                        *to++ = *from++;
        *to = '\0';
        assert_string_equal(a, b);
}

static void texts_are_cleaned(void **state)
{
        (void) state;
        TableMode mode = { 0 };
        _cleanup_(freep) char *out = NULL;
        nodes[3].trouble = "a\r\nb\x1b[2J";
        nodes[3].hint = "\x1b";
        nodes[0].name = "r\n1";
        replace(&nodes[2], "error", "\"\\u001b]0;x\\u0007\"");
        assert_int_equal(status_view_text(nodes, n, &mode, "ssh", WALL, &out), 0);
        assert_null(strchr(out, '\x1b'));
        assert_null(strchr(out, '\r'));
        assert_non_null(strstr(out, "\nr?1"));
}

static void json(void **state)
{
        (void) state;
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(status_view_json(nodes, n, &out), 0);
        assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
        _cleanup_(json_closep) cJSON *o = cJSON_Parse(out);
        const cJSON *list = cJSON_GetObjectItem(o, "nodes"), *counts = cJSON_GetObjectItem(o, "counts");
        assert_int_equal(cJSON_GetArraySize(list), 4);
        assert_string_equal(json_text(o, "result"), "held");
        assert_int_equal(json_count(o, "exit"), 16);
        assert_int_equal(json_count(counts, "serving"), 1);
        assert_int_equal(json_count(counts, "held"), 1);
        assert_int_equal(json_count(counts, "job"), 1);
        assert_int_equal(json_count(counts, "unreachable"), 1);
        assert_true(
                cJSON_Compare(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 1), "look"), nodes[1].look, true));
        assert_string_equal(json_text(cJSON_GetArrayItem(list, 3), "state"), "unreachable");
        assert_string_equal(json_text(cJSON_GetArrayItem(list, 3), "hint"), "is the machine up?");
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 3), "look")));
}

static void nobody(void **state)
{
        (void) state;
        TableMode mode = { 0 };
        (void) teardown(NULL);
        expect_text(&mode, "NODE  STATE\n0 nodes\n");
        assert_int_equal(status_view_result(nodes, 0), RESULT_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(all_are_well),
                TEST(one_of_each),
                TEST(the_odd_ones),
                TEST(widths),
                TEST(colours_are_only_an_extra),
                TEST(texts_are_cleaned),
                TEST(json),
                TEST(nobody),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
