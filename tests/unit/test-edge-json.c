/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/edge-json.h"

static int parse(const char *json, EdgeSelf *ret, Err *err)
{
        *err = (Err){ 0 };
        return edge_self_parse(json, strlen(json), ret, err);
}

/* A failure leaves the result alone and says @hint. */
static void expect_bad(const char *json, int code, const char *hint)
{
        EdgeSelf self = { .http_port = 7 };
        Err err;

        if (parse(json, &self, &err) != code || err.code != code)
                fail_msg("%d (%s) for %.200s", err.code, err.text, json);
        if (!strstr(err.text, hint))
                fail_msg("\"%s\" does not say \"%s\"", err.text, hint);
        assert_int_equal(self.http_port, 7);
        assert_string_equal(self.uuid, "");
}

static void expect_port(const char *value, uint16_t port)
{
        char json[256];
        EdgeSelf self;
        Err err;

        (void) snprintf(json, sizeof(json),
                        "{\"tags\":{\"property\":[{\"name\":\"http.port\",\"value\":%s}]}}", value);
        if (parse(json, &self, &err) != 0)
                fail_msg("%s: %s", value, err.text);
        assert_int_equal(self.http_port, port);
}

static void expect_no_port(const char *value)
{
        char json[256];
        (void) snprintf(json, sizeof(json),
                        "{\"tags\":{\"property\":[{\"name\":\"http.port\",\"value\":%s}]}}", value);
        expect_bad(json, -EBADMSG, "\"http.port\" is ");
}

/* As in Apigee's "Viewing pod details", with the tags found in the field. */
static void test_documented_object(void **state _unused_)
{
        static const char json[] =
                "{ \"externalHostName\" : \"localhost\", \"externalIP\" : \"192.168.1.11\","
                "  \"internalHostName\" : \"localhost\", \"internalIP\" : \"192.168.1.11\","
                "  \"isUp\" : true, \"pod\" : \"gateway\", \"reachable\" : false, \"region\" : \"dc-1\","
                "  \"tags\" : { \"property\" : [ { \"name\" : \"jmx.rmi.port\", \"value\" : \"1101\" },"
                "                            { \"name\" : \"http.port\", \"value\" : \"8998\" } ] },"
                "  \"type\" : [ \"message-processor\" ],"
                "  \"uUID\" : \"276bc250-7dd0-46a5-a583-fd11eba786f8\" }\n";
        EdgeSelf self;
        Err err;

        assert_int_equal(parse(json, &self, &err), 0);
        assert_string_equal(self.uuid, "276bc250-7dd0-46a5-a583-fd11eba786f8");
        assert_string_equal(self.region, "dc-1");
        assert_string_equal(self.pod, "gateway");
        assert_true(self.has_is_up && self.is_up);
        assert_true(self.has_reachable && !self.reachable);
        assert_true(self.is_mp && !self.is_router);
        assert_int_equal(self.http_port, 8998);
}

static void test_everything_is_optional(void **state _unused_)
{
        static const char *const sparse[] = {
                "{}",
                "{\"tags\":{}}",
                "{\"tags\":{\"property\":[]}}",
                "{\"tags\":null,\"type\":null,\"uUID\":null,\"isUp\":null,\"pod\":null}",
                "{\"tags\":{\"property\":null}}",
                "{\"type\":[]}",
                "{\"unknown\":{\"deep\":[1,2,{\"x\":[]}]}}",
                " \n{}\n ",
        };
        for (size_t i = 0; i < ELEMENTS(sparse); i++) {
                EdgeSelf self;
                Err err;
                if (parse(sparse[i], &self, &err) != 0)
                        fail_msg("%s: %s", sparse[i], err.text);
                assert_string_equal(self.uuid, "");
                assert_false(self.has_is_up || self.has_reachable || self.is_router || self.is_mp);
                assert_int_equal(self.http_port, 0);
        }
}

static void test_type(void **state _unused_)
{
        EdgeSelf self;
        Err err;

        assert_int_equal(parse("{\"type\":\"router\"}", &self, &err), 0);
        assert_true(self.is_router && !self.is_mp);
        assert_int_equal(parse("{\"type\":[\"dc-datastore\",\"router\",\"message-processor\"]}", &self, &err),
                         0);
        assert_true(self.is_router && self.is_mp);
        assert_int_equal(parse("{\"type\":\"routers\"}", &self, &err), 0);
        assert_false(self.is_router || self.is_mp);
        expect_bad("{\"type\":7}", -EBADMSG, "\"type\" is 7");
        expect_bad("{\"type\":[\"router\",7]}", -EBADMSG, "\"type\" is [\"router\",7]");
        expect_bad("{\"type\":{\"name\":\"router\"}}", -EBADMSG, "\"type\"");
}

static void test_port(void **state _unused_)
{
        expect_port("\"8998\"", 8998);
        expect_port("8998", 8998);
        expect_port("8998.0", 8998); /* the same number */
        expect_port("1", 1);
        expect_port("\"65535\"", 65535);
        expect_port("65535", 65535);

        static const char *const none[] = {
                "0",         "\"0\"",     "70000",     "\"70000\"", "65536",
                "\"65536\"", "-1",        "\"-1\"",    "8998.5",    "1e9",
                "1e400",     "\"80 90\"", "\"8998x\"", "\"\"",      "\" 8998\"",
                "\"8998 \"", "\"+80\"",   "\"0x50\"",  "\"08998\"", "\"8998.0\"",
                "true",      "[8998]",    "{}",        "null",      "\"99999999999999999999\"",
        };
        for (size_t i = 0; i < ELEMENTS(none); i++)
                expect_no_port(none[i]);
        expect_bad("{\"tags\":{\"property\":[{\"name\":\"http.port\"}]}}", -EBADMSG, "\"http.port\" is ");
}

static void test_port_given_more_than_once(void **state _unused_)
{
        EdgeSelf self;
        Err err;

        assert_int_equal(parse("{\"tags\":{\"property\":[{\"name\":\"http.port\",\"value\":\"8998\"},"
                               "{\"name\":\"http.port\",\"value\":8998}]}}",
                               &self, &err),
                         0);
        assert_int_equal(self.http_port, 8998);
        expect_bad("{\"tags\":{\"property\":[{\"name\":\"http.port\",\"value\":\"8998\"},"
                   "{\"name\":\"http.port\",\"value\":\"8443\"}]}}",
                   -EBADMSG, "both 8998 and 8443");
        expect_bad("{\"tags\":{\"property\":[{\"name\":\"http.port\",\"value\":\"1\",\"value\":\"2\"}]}}",
                   -EBADMSG, "\"value\" is there more than once");
}

static void test_wrong_shapes(void **state _unused_)
{
        expect_bad("[]", -EBADMSG, "expected an object");
        expect_bad("true", -EBADMSG, "expected an object");
        expect_bad("{\"uUID\":5}", -EBADMSG, "\"uUID\" is 5");
        expect_bad("{\"uUID\":\"a b\"}", -EBADMSG, "\"uUID\" is \"a b\"");
        expect_bad("{\"uUID\":\"a\\u0007\"}", -EBADMSG, "\"uUID\"");
        expect_bad("{\"uUID\":\"a\",\"uUID\":\"b\"}", -EBADMSG, "more than once");
        expect_bad("{\"region\":\"\xc3\xa4\"}", -EBADMSG, "\"region\" is \"??\"");
        expect_bad("{\"region\":\"dc\\n1\"}", -EBADMSG, "\"region\"");
        expect_bad("{\"pod\":[\"gateway\"]}", -EBADMSG, "\"pod\" is [\"gateway\"]");
        expect_bad("{\"pod\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", -EBADMSG,
                   "at most 63");
        expect_bad("{\"isUp\":\"true\"}", -EBADMSG, "\"isUp\" is \"true\", expected true or false");
        expect_bad("{\"reachable\":1}", -EBADMSG, "\"reachable\" is 1");
        expect_bad("{\"tags\":[]}", -EBADMSG, "\"tags\"");
        expect_bad("{\"tags\":{\"property\":{}}}", -EBADMSG, "\"tags.property\"");
        expect_bad("{\"tags\":{\"property\":[7]}}", -EBADMSG, "\"tags.property\"");
        expect_bad("{\"tags\":{\"property\":[{\"name\":7}]}}", -EBADMSG, "\"tags.property\"");
}

static void test_no_json(void **state _unused_)
{
        EdgeSelf self;
        Err err = { 0 };

        expect_bad("", -EBADMSG, "Not JSON");
        expect_bad("{", -EBADMSG, "Not JSON");
        expect_bad("{\"a\":1}x", -EBADMSG, "at \"x\"");
        expect_bad("{\"a\":1}{}", -EBADMSG, "Not JSON");
        expect_bad("{\"a\":}", -EBADMSG, "Not JSON: byte 5 of 6");
        expect_bad("{'a':1}", -EBADMSG, "Not JSON");
        expect_bad("<html>Not Found</html>", -EBADMSG, "at \"<html>");
        expect_bad("{\"a\":\"unended\\\"", -EBADMSG, "Not JSON");
        assert_int_equal(edge_self_parse("{}\0{}", 5, &self, &err), -EBADMSG);
}

/* What a hostile or broken server could send is refused before it costs anything. */
static void test_limits(void **state _unused_)
{
        size_t size = EDGE_JSON_MAX + 1;
        char *big = malloc(size + 1);
        EdgeSelf self;
        Err err = { 0 };

        assert_non_null(big);
        memset(big, ' ', size);
        memcpy(big, "{}", 2);
        assert_int_equal(edge_self_parse(big, size, &self, &err), -E2BIG);
        assert_int_equal(edge_self_parse(big, size - 1, &self, &err), 0);

        memset(big, '[', size);
        assert_int_equal(edge_self_parse(big, 2000, &self, &err), -E2BIG);
        assert_non_null(strstr(err.text, "nested deeper"));
        for (size_t i = 0; i + 5 < size; i += 5)
                memcpy(big + i, "{\"a\":", 5);
        assert_int_equal(edge_self_parse(big, 2000, &self, &err), -E2BIG);

        memset(big, '1', size);
        for (size_t i = 1; i < size; i += 2)
                big[i] = ',';
        big[0] = '[';
        assert_int_equal(edge_self_parse(big, size - 1, &self, &err), -E2BIG);
        assert_non_null(strstr(err.text, "more than"));

        /* Brackets within strings are text. */
        memset(big, '[', 1000);
        memcpy(big, "{\"a\":\"\\\"", 8);
        memcpy(big + 998, "\"}", 2);
        assert_int_equal(edge_self_parse(big, 1000, &self, &err), 0);
        free(big);
}

static void test_list(void **state _unused_)
{
        static const char json[] =
                "[\"test\", \"prod\", 12, {\"name\":\"a b%\",\"x\":1}, \"prod\", {\"name\":3}]";
        _cleanup_(edge_list_freep) char **list = NULL;
        Err err = { 0 };

        assert_int_equal(edge_list_parse(json, strlen(json), &list, &err), 0);
        assert_string_equal(list[0], "12");
        assert_string_equal(list[1], "3");
        assert_string_equal(list[2], "a b%");
        assert_string_equal(list[3], "prod");
        assert_string_equal(list[4], "test");
        assert_null(list[5]);
}

static void test_empty_list(void **state _unused_)
{
        _cleanup_(edge_list_freep) char **list = NULL;
        Err err = { 0 };

        assert_int_equal(edge_list_parse("[ ]", 3, &list, &err), 0);
        assert_null(list[0]);
        assert_null(edge_list_free(NULL));
}

static void expect_bad_list(const char *json, int code)
{
        char *untouched = NULL, **list = &untouched;
        Err err = { 0 };
        int r = edge_list_parse(json, strlen(json), &list, &err);
        if (r != code)
                fail_msg("%d, expected %d, for %.100s: %s", r, code, json, err.text);
        assert_ptr_equal(list, &untouched);
        assert_int_equal(err.code, code);
}

static void test_bad_lists(void **state _unused_)
{
        char longest[300], *many = malloc(EDGE_LIST_MAX * 4 + 16), *p = many;

        expect_bad_list("", -EBADMSG);
        expect_bad_list("{}", -EBADMSG);
        expect_bad_list("\"prod\"", -EBADMSG);
        expect_bad_list("[\"prod\"", -EBADMSG);
        expect_bad_list("[\"\"]", -EBADMSG);
        expect_bad_list("[\".\"]", -EBADMSG);
        expect_bad_list("[\"..\"]", -EBADMSG);
        expect_bad_list("[\"a\\nb\"]", -EBADMSG);
        expect_bad_list("[\"\xc3\xa4\"]", -EBADMSG);
        expect_bad_list("[null]", -EBADMSG);
        expect_bad_list("[true]", -EBADMSG);
        expect_bad_list("[[\"a\"]]", -EBADMSG);
        expect_bad_list("[1.5]", -EBADMSG);
        expect_bad_list("[-1]", -EBADMSG);
        expect_bad_list("[1e300]", -EBADMSG);
        expect_bad_list("[{\"names\":\"a\"}]", -EBADMSG);
        expect_bad_list("[{\"name\":\"a\",\"name\":\"b\"}]", -EBADMSG);

        memset(longest, 'a', sizeof(longest));
        memcpy(longest, "[\"", 2);
        memcpy(longest + 2 + EDGE_NAME_MAX + 1, "\"]", 3);
        expect_bad_list(longest, -E2BIG);

        assert_non_null(many);
        *p++ = '[';
        for (int i = 0; i < EDGE_LIST_MAX; i++)
                p += sprintf(p, "\"a\",");
        (void) sprintf(p, "\"a\"]");
        expect_bad_list(many, -E2BIG);
        free(many);
}

static void test_words(void **state _unused_)
{
        _cleanup_(edge_list_freep) char **list = NULL, **empty = NULL;
        char *untouched = NULL, **none = &untouched;
        Err err = { 0 };

        assert_int_equal(edge_list_from_words("  beta alpha\tbeta\n", &list, &err), 0);
        assert_string_equal(list[0], "alpha");
        assert_string_equal(list[1], "beta");
        assert_null(list[2]);
        assert_int_equal(edge_list_from_words(" \n ", &empty, &err), 0);
        assert_null(empty[0]);
        assert_int_equal(edge_list_from_words("alpha ..", &none, &err), -EINVAL);
        assert_non_null(strstr(err.text, "\"..\""));
        assert_ptr_equal(none, &untouched);
}

static void test_up(void **state _unused_)
{
        assert_true(edge_up_is_true("true", 4));
        assert_true(edge_up_is_true(" true\r\n", 7));
        assert_false(edge_up_is_true("", 0));
        assert_false(edge_up_is_true(" ", 1));
        assert_false(edge_up_is_true("True", 4));
        assert_false(edge_up_is_true("\"true\"", 6));
        assert_false(edge_up_is_true("true false", 10));
        assert_false(edge_up_is_true("true\0", 5));
        assert_false(edge_up_is_true("false", 5));
        assert_false(edge_up_is_true("tru", 3));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_documented_object),
                cmocka_unit_test(test_everything_is_optional),
                cmocka_unit_test(test_type),
                cmocka_unit_test(test_port),
                cmocka_unit_test(test_port_given_more_than_once),
                cmocka_unit_test(test_wrong_shapes),
                cmocka_unit_test(test_no_json),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_empty_list),
                cmocka_unit_test(test_bad_lists),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_up),
        };
        return cmocka_run_group_tests_name("edge-json", tests, NULL, NULL);
}
