/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an agent says of a component: tolerant where it can be, never where a roll is decided by it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/look.h"

#define LEAST "\"component\":\"router\",\"running\":true,\"up\":true,\"blocked\":\"no\",\"out\":false"

static NodeLook *parse(const char *json)
{
        NodeLook *l = NULL;
        Err err = { 0 };
        if (look_parse(json, strlen(json), &l, &err) != 0)
                fail_msg("%s, for %.200s", err.text, json);
        return l;
}

static void expect_bad(const char *json, int code, const char *hint)
{
        NodeLook *l = NULL;
        Err err = { 0 };
        if (look_parse(json, strlen(json), &l, &err) != code)
                fail_msg("%d (%s) for %.200s", err.code, err.text, json);
        if (!strstr(err.text, hint))
                fail_msg("\"%s\" does not say \"%s\"", err.text, hint);
        assert_null(l);
}

static void test_everything(void **state _unused_)
{
        NodeLook *l = parse(
                "{\"component\":\"router\",\"version\":\"0.2.0\",\"protocol\":1,\"now\":\"123456789012345678\","
                "\"uuid\":\"u1\",\"region\":\"dc-1\",\"pod\":\"gateway\",\"pool\":\"router/dc-1/gateway\","
                "\"address\":\"10.0.0.1\",\"health_port\":15999,\"running\":true,\"up\":false,\"up_text\":\"answers 503\","
                "\"blocked\":\"hold\",\"hold\":{\"by\":\"alice\",\"reason\":\"disk\",\"by_hand\":true,"
                "\"since\":\"2026-11-22T19:00:00Z\",\"until\":null},"
                "\"job\":{\"kind\":\"restart\",\"phase\":\"drain\",\"by\":\"bob\",\"roll\":\"r-1\",\"step\":\"7\","
                "\"cancellable\":true},\"last\":{\"result\":\"held\",\"reason\":\"env\",\"roll\":\"r-0\",\"step\":3},"
                "\"out\":true,\"out_reason\":\"held\",\"lease\":{\"epoch\":\"18446744073709551615\",\"holder\":\"h\","
                "\"by\":\"bob\",\"left\":12.5},\"members\":[{\"uuid\":\"u2\",\"name\":\"r2\",\"address\":\"10.0.0.2\"},"
                "{\"name\":\"r3\"},{}],\"members_from\":\"configuration\",\"lock\":\"zookeeper\",\"lock_text\":\"zk1\","
                "\"router_retry\":\"http_599 error\",\"may_change\":false,\"request_limit\":57,\"took\":7.25,"
                "\"partner\":\"message-processor\",\"nofix\":1,\"from_the_future\":{}}");
        assert_int_equal(l->protocol, 1);
        assert_true(l->now == 123456789012345678u);
        assert_string_equal(l->pool, "router/dc-1/gateway");
        assert_int_equal(l->health_port, 15999);
        assert_true(l->running && !l->up && l->out && l->held && l->held_by_hand);
        assert_int_equal(l->blocked, LOOK_BLOCKED_HOLD);
        assert_true(l->has_job && l->job_cancellable && l->job_step == 7);
        assert_true(l->has_last && l->last_step == 3);
        assert_true(l->leased && l->lease_epoch == UINT64_MAX && l->lease_left == 12.5);
        assert_int_equal(l->n_members, 2); /* one that says nothing is nobody */
        assert_string_equal(l->members[1].name, "r3");
        assert_int_equal(l->lock, LOOK_LOCK_ZOOKEEPER);
        assert_true(l->retry_known && l->may_change_known && !l->may_change);
        assert_true(l->took == 7.25);
        assert_string_equal(l->partner, "message-processor");
        (void) look_free(l);
}

static void test_an_older_agent(void **state _unused_)
{
        NodeLook *l = parse("{" LEAST "}");
        assert_true(look_serves(l));
        assert_int_equal(l->protocol, 0);
        assert_int_equal(l->lock, LOOK_LOCK_UNKNOWN);
        assert_false(l->may_change_known || l->retry_known || l->has_job || l->leased || l->held);
        (void) look_free(l);

        l = parse("{" LEAST ",\"job\":null,\"lease\":null,\"hold\":null,\"last\":null,\"router_retry\":null,"
                  "\"members\":null,\"lock\":\"raft\",\"took\":null}");
        assert_int_equal(l->lock, LOOK_LOCK_UNKNOWN);
        (void) look_free(l);
}

/* A word of a later version is no "no". */
static void test_an_unknown_block(void **state _unused_)
{
        NodeLook *l = parse("{\"component\":\"router\",\"running\":true,\"up\":true,\"out\":false,"
                            "\"blocked\":\"quarantine\"}");
        assert_int_equal(l->blocked, LOOK_BLOCKED_ODD);
        assert_string_equal(l->blocked_text, "quarantine");
        assert_false(look_serves(l));
        (void) look_free(l);
}

static void test_who_serves(void **state _unused_)
{
        static const struct {
                const char *running, *up, *blocked, *out;
                bool serves;
        } rows[] = {
                { "true", "true", "no", "false", true },
                { "false", "true", "no", "false", false },
                { "true", "false", "no", "false", false },
                { "true", "true", "job", "false", true },
                { "true", "true", "job", "true", false },
                { "true", "true", "hold", "false", false },
                { "true", "true", "leftover", "false", false },
                { "true", "true", "foreign", "false", false },
                { "true", "true", "no", "true", false },
                { "true", "true", "hold-missing", "false", true },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char json[300];
                (void) snprintf(
                        json, sizeof(json),
                        "{\"component\":\"r\",\"running\":%s,\"up\":%s,\"blocked\":\"%s\",\"out\":%s}",
                        rows[i].running, rows[i].up, rows[i].blocked, rows[i].out);
                NodeLook *l = parse(json);
                if (look_serves(l) != rows[i].serves)
                        fail_msg("%s", json);
                (void) look_free(l);
        }
}

static void test_what_decides_must_be_there(void **state _unused_)
{
        expect_bad("", -EBADMSG, "Not JSON");
        expect_bad("[]", -EBADMSG, "expected an object");
        expect_bad("{\"component\":\"r\",\"up\":true,\"blocked\":\"no\",\"out\":false}", -EBADMSG,
                   "\"running\" is missing");
        expect_bad("{\"component\":\"r\",\"running\":true,\"blocked\":\"no\",\"out\":false}", -EBADMSG,
                   "\"up\"");
        expect_bad("{\"component\":\"r\",\"running\":true,\"up\":true,\"out\":false}", -EBADMSG,
                   "\"blocked\"");
        expect_bad("{\"component\":\"r\",\"running\":true,\"up\":true,\"blocked\":\"no\"}", -EBADMSG,
                   "\"out\"");
        expect_bad("{\"running\":true,\"up\":true,\"blocked\":\"no\",\"out\":false}", -EBADMSG,
                   "\"component\"");
        expect_bad("{" LEAST ",\"out\":true}", -EBADMSG, "more than once");
        expect_bad("{\"component\":\"r\",\"running\":1,\"up\":true,\"blocked\":\"no\",\"out\":false}",
                   -EBADMSG, "\"running\" is 1");
        expect_bad("{" LEAST ",\"lease\":true}", -EBADMSG, "\"lease\" is true");
        expect_bad("{" LEAST ",\"lease\":{\"epoch\":\"x\"}}", -EBADMSG, "lease: \"epoch\"");
        expect_bad("{" LEAST ",\"lease\":{\"epoch\":\"99999999999999999999\"}}", -EBADMSG,
                   "lease: \"epoch\"");
        expect_bad("{" LEAST ",\"members\":{}}", -EBADMSG, "\"members\"");
        expect_bad("{" LEAST ",\"members\":[1]}", -EBADMSG, "\"members\"");
        expect_bad("{" LEAST ",\"took\":-1}", -EBADMSG, "\"took\"");
        expect_bad("{" LEAST ",\"pool\":\"\\u00e4\"}", -EBADMSG, "printable ASCII");
}

/* Names are compared: a cut one would be another's. Sentences are only read. */
static void test_long_texts(void **state _unused_)
{
        char *json = malloc(4096), *longer = malloc(2048);
        assert_true(json && longer);
        memset(longer, 'x', 2047);
        longer[2047] = '\0';
        (void) snprintf(json, 4096, "{" LEAST ",\"uuid\":\"%s\"}", longer);
        expect_bad(json, -EBADMSG, "\"uuid\"");
        (void) snprintf(json, 4096, "{" LEAST ",\"up_text\":\"%s\\u001b[31m\"}", longer);
        NodeLook *l = parse(json);
        assert_int_equal(strlen(l->up_text), LOOK_TEXT - 1);
        (void) look_free(l);
        l = parse("{" LEAST ",\"up_text\":\"a\\u001b[31mb\\u00e4\"}");
        assert_string_equal(l->up_text, "a?[31mb??");
        (void) look_free(l);
        free(json);
        free(longer);
}

static void test_too_many_members(void **state _unused_)
{
        char *json = malloc(LOOK_MAX);
        size_t n = (size_t) sprintf(json, "{" LEAST ",\"members\":[");
        for (int i = 0; i <= LOOK_MEMBERS_MAX; i++)
                n += (size_t) sprintf(json + n, "%s{\"name\":\"n%d\"}", i ? "," : "", i);
        (void) sprintf(json + n, "]}");
        expect_bad(json, -E2BIG, "4097 members");
        free(json);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_everything),
                cmocka_unit_test(test_an_older_agent),
                cmocka_unit_test(test_an_unknown_block),
                cmocka_unit_test(test_who_serves),
                cmocka_unit_test(test_what_decides_must_be_there),
                cmocka_unit_test(test_long_texts),
                cmocka_unit_test(test_too_many_members),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
