/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Management Server's list of servers, in all the shapes that were seen. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/servers-json.h"

static Servers *parse(const char *json)
{
        Servers *s = NULL;
        Err err = { 0 };
        if (servers_parse(json, strlen(json), &s, &err) != 0)
                fail_msg("%s, for %.200s", err.text, json);
        return s;
}

static void expect_bad(const char *json, int code, const char *hint)
{
        Servers *s = NULL;
        Err err = { 0 };
        if (servers_parse(json, strlen(json), &s, &err) != code)
                fail_msg("%d (%s) for %.200s", err.code, err.text, json);
        if (!strstr(err.text, hint))
                fail_msg("\"%s\" does not say \"%s\"", err.text, hint);
        assert_null(s);
}

/* As in Apigee's "Viewing pod details": a component with everything, and a row of databases without names. */
static void test_as_documented(void **state _unused_)
{
        Servers *s = parse(
                "[ { \"externalHostName\" : \"localhost\", \"externalIP\" : \"192.168.1.11\","
                "    \"internalHostName\" : \"localhost\", \"internalIP\" : \"192.168.1.11\", \"isUp\" : true,"
                "    \"pod\" : \"gateway\", \"reachable\" : true, \"region\" : \"dc-1\","
                "    \"tags\" : { \"property\" : [ { \"name\" : \"jmx.rmi.port\", \"value\" : \"1101\" } ] },"
                "    \"type\" : [ \"message-processor\" ], \"uUID\" : \"276bc250-7dd0-46a5-a583-fd11eba786f8\" },"
                "  { \"internalIP\" : \"192.168.1.11\", \"isUp\" : true, \"pod\" : \"gateway\", \"reachable\" : true,"
                "    \"region\" : \"dc-1\", \"tags\" : { \"property\" : [ ] },"
                "    \"type\" : [ \"dc-datastore\", \"management-server\", \"kms-datastore\" ],"
                "    \"uUID\" : \"13cee956-d3a7-4577-8f0f-1694564179e4\" } ]\n");
        assert_int_equal(s->n, 2);
        assert_true(s->rows[0].is_mp && !s->rows[0].is_router && !s->rows[0].is_datastore);
        assert_string_equal(s->rows[0].uuid, "276bc250-7dd0-46a5-a583-fd11eba786f8");
        assert_string_equal(s->rows[0].address, "192.168.1.11");
        assert_string_equal(s->rows[0].hostname, ""); /* localhost is nobody's name */
        assert_true(s->rows[0].has_up && s->rows[0].up);
        assert_true(s->rows[1].is_datastore && !s->rows[1].is_mp);
        assert_string_equal(s->rows[1].types, "dc-datastore management-server kms-datastore");
        assert_int_equal(s->skipped, 0);
        (void) servers_free(s);
}

static void test_odd_rows(void **state _unused_)
{
        static const struct {
                const char *row, *address, *hostname;
                bool router, mp;
        } rows[] = {
                { "{}", "", "", false, false },
                { "{\"type\":\"router\"}", "", "", true, false },
                { "{\"type\":[\"router\",\"message-processor\"]}", "", "", true, true },
                { "{\"type\":[]}", "", "", false, false },
                { "{\"type\":null,\"tags\":null,\"internalIP\":null}", "", "", false, false },
                { "{\"type\":\"routers\"}", "", "", false, false },
                { "{\"tags\":{\"property\":[]}}", "", "", false, false },
                { "{\"tags\":7}", "", "", false, false }, /* nothing of it is needed */
                { "{\"internalIP\":\"10.0.0.1\",\"externalIP\":\"1.2.3.4\"}", "10.0.0.1", "", false, false },
                { "{\"internalIP\":\"127.0.0.1\",\"externalIP\":\"1.2.3.4\"}", "1.2.3.4", "", false, false },
                { "{\"internalIP\":\"0.0.0.0\"}", "", "", false, false },
                { "{\"internalIP\":\"\"}", "", "", false, false },
                { "{\"internalIP\":\"10.0.0.1:8081\"}", "", "", false, false },
                { "{\"internalIP\":\"fd00::7\"}", "fd00::7", "", false, false },
                { "{\"internalHostName\":\"localhost.localdomain\",\"externalHostName\":\"r1.x\"}", "",
                  "r1.x", false, false },
                { "{\"internalHostName\":\"10.0.0.9\"}", "10.0.0.9", "", false, false },
                { "{\"internalHostName\":\"-oProxyCommand=id\"}", "", "", false, false },
                { "{\"internalHostName\":\"a;b\"}", "", "", false, false },
                { "{\"isUp\":\"true\",\"uUID\":\"x\"}", "", "", false, false },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char json[400];
                (void) snprintf(json, sizeof(json), "[%s]", rows[i].row);
                Servers *s = parse(json);
                if (s->n != 1)
                        fail_msg("%s: %s", rows[i].row, s->notes[0]);
                assert_string_equal(s->rows[0].address, rows[i].address);
                assert_string_equal(s->rows[0].hostname, rows[i].hostname);
                assert_int_equal(s->rows[0].is_router, rows[i].router);
                assert_int_equal(s->rows[0].is_mp, rows[i].mp);
                (void) servers_free(s);
        }
}

/* One row that makes no sense does not hide the others, and is told. */
static void test_rows_that_make_no_sense(void **state _unused_)
{
        static const char *const rows[] = {
                "7",
                "null",
                "\"x\"",
                "[]",
                "{\"type\":7}",
                "{\"type\":[7]}",
                "{\"uUID\":7}",
                "{\"uUID\":\"a b\"}",
                "{\"uUID\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
                "{\"region\":[]}",
                "{\"region\":\"d\\u0001c\"}",
                "{\"internalIP\":{}}",
                "{\"pod\":\"a\",\"pod\":\"b\"}",
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char json[400];
                (void) snprintf(json, sizeof(json), "[{\"uUID\":\"good\",\"type\":\"router\"},%s]", rows[i]);
                Servers *s = parse(json);
                if (s->n != 1 || s->skipped != 1 || s->n_notes != 1)
                        fail_msg("%s is taken", rows[i]);
                assert_non_null(strstr(s->notes[0], "server number 2 of the list is left out"));
                (void) servers_free(s);
        }
}

static void test_the_same_twice(void **state _unused_)
{
        Servers *s = parse("[{\"uUID\":\"a\",\"region\":\"1\"},{\"uUID\":\"a\",\"region\":\"2\"},{},{}]");
        assert_int_equal(s->n, 3);
        assert_string_equal(s->rows[0].region, "1");
        assert_non_null(strstr(s->notes[0], "more than once"));
        (void) servers_free(s);
}

static void test_no_list(void **state _unused_)
{
        expect_bad("", -EBADMSG, "an empty answer");
        expect_bad(" \n", -EBADMSG, "an empty answer");
        expect_bad("<!DOCTYPE html><html>Sign in</html>", -EBADMSG, "an HTML or XML page");
        expect_bad("\n<html>", -EBADMSG, "an HTML or XML page");
        expect_bad("[{\"uUID\":\"a\"", -EBADMSG, "no list of servers: Not JSON");
        expect_bad("7", -EBADMSG, "no list of servers but 7");
        expect_bad("\"x\"", -EBADMSG, "no list of servers but");
        expect_bad("null", -EBADMSG, "no list of servers but null");
        expect_bad("{\"code\":\"x\",\"message\":\"no\"}", -EBADMSG, "no list of servers but {\"code\"");
        Servers *s = parse("[]");
        assert_int_equal(s->n, 0);
        (void) servers_free(s);
        /* A single server, as /v1/servers/self has it. */
        s = parse("{\"uUID\":\"a\",\"type\":[\"router\"]}");
        assert_int_equal(s->n, 1);
        (void) servers_free(s);
}

static void test_limits(void **state _unused_)
{
        char *json = malloc(SERVERS_JSON_MAX + 2);
        Servers *s = NULL;
        Err err = { 0 };
        assert_non_null(json);
        memset(json, ' ', SERVERS_JSON_MAX + 1);
        json[0] = '[';
        json[SERVERS_JSON_MAX] = ']';
        assert_int_equal(servers_parse(json, SERVERS_JSON_MAX + 1, &s, &err), -E2BIG);

        size_t n = (size_t) sprintf(json, "[");
        for (int i = 0; i <= SERVERS_MAX; i++)
                n += (size_t) sprintf(json + n, "%s{}", i ? "," : "");
        (void) sprintf(json + n, "]");
        expect_bad(json, -E2BIG, "5001 servers");

        /* A list that is wrong all over is told, but not a thousand times. */
        n = (size_t) sprintf(json, "[");
        for (int i = 0; i < 1000; i++)
                n += (size_t) sprintf(json + n, "%s7", i ? "," : "");
        (void) sprintf(json + n, "]");
        s = parse(json);
        assert_int_equal(s->skipped, 1000);
        assert_int_equal(s->n_notes, SERVERS_NOTES_MAX);
        (void) servers_free(s);
        free(json);
}

static void test_append(void **state _unused_)
{
        Err err = { 0 };
        Servers *a = parse("[{\"uUID\":\"a\"},{}]"), *b = parse("[{\"uUID\":\"b\"},{\"uUID\":\"a\"},7]");
        assert_int_equal(servers_append(a, b, &err), 0);
        assert_int_equal(a->n, 3);
        assert_string_equal(a->rows[2].uuid, "b");
        assert_int_equal(a->skipped, 1);
        assert_int_equal(a->n_notes, 1);
        (void) servers_free(a);
        (void) servers_free(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_documented),
                cmocka_unit_test(test_odd_rows),
                cmocka_unit_test(test_rows_that_make_no_sense),
                cmocka_unit_test(test_the_same_twice),
                cmocka_unit_test(test_no_list),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_append),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
