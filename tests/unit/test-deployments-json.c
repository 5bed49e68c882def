/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Each shape in which Edge tells deployments, and what is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/deployments-json.h"

#define GOOD "{\"status\":\"deployed\",\"type\":[\"message-processor\"],\"uUID\":\"mp-1\"}"
#define BAD                                                                                                     \
        "{\"error\":\"Call timed out; either server is down or server is not reachable\",\"status\":\"error\"," \
        "\"type\":[\"message-processor\"],\"uUID\":\"mp-2\"}"
#define ROUTER  "{\"status\":\"deployed\",\"type\":[\"router\"],\"uUID\":\"r-1\"}"
#define SERVERS "\"server\":[" GOOD "," BAD "," ROUTER "],\"state\":\"deployed\""

static void is_partial(const Deployment *d, const char *proxy, const char *environment, const char *revision)
{
        assert_string_equal(d->proxy, proxy);
        assert_string_equal(d->environment, environment);
        assert_string_equal(d->revision, revision);
        assert_string_equal(d->state, "deployed");
        assert_int_equal(d->n_servers, 3);
        assert_int_equal(d->n_bad, 1);
        assert_int_equal(d->n_unknown, 0);
        assert_true(d->servers[0].stand == DEPLOYED_GOOD && d->servers[0].is_mp && !d->servers[0].is_router);
        assert_true(d->servers[1].stand == DEPLOYED_BAD && d->servers[1].is_mp);
        assert_string_equal(d->servers[1].uuid, "mp-2");
        assert_non_null(strstr(d->servers[1].error, "timed out"));
        assert_true(d->servers[2].stand == DEPLOYED_GOOD && d->servers[2].is_router && !d->servers[2].is_mp);
}

static Deployments *read_well(const char *json, const char *asked)
{
        Deployments *d = NULL;
        Err err = { 0 };
        if (deployments_parse(json, strlen(json), asked, &d, &err) != 0)
                fail_msg("%s: %s", json, err.text);
        return d;
}

static void test_shapes(void **state _unused_)
{
        static const struct {
                const char *what, *json, *asked;
        } rows[] = {
                { "of an environment",
                  "{\"aPIProxy\":[{\"name\":\"p\",\"revision\":[{\"configuration\":{\"steps\":[]},\"name\":\"7\"," SERVERS
                  "}]}],\"name\":\"prod\",\"organization\":\"acme\"}",
                  NULL },
                { "of a revision",
                  "{\"aPIProxy\":\"p\",\"environment\":[{\"name\":\"prod\"," SERVERS "}],\"name\":\"7\"}",
                  NULL },
                { "of a proxy in an environment",
                  "{\"aPIProxy\":\"p\",\"environment\":\"prod\",\"revision\":[{\"name\":7," SERVERS "}]}",
                  NULL },
                { "of a proxy in an environment, by its own name",
                  "{\"name\":\"p\",\"revision\":[{\"name\":\"7\"," SERVERS "}]}", "prod" },
                { "of an environment that does not say which",
                  "{\"aPIProxy\":[{\"name\":\"p\",\"revision\":[{\"name\":\"7\"," SERVERS "}]}]}", "prod" },
                { "the answer to a deployment",
                  "{\"aPIProxy\":\"p\",\"environment\":\"prod\",\"name\":\"7\"," SERVERS "}", NULL },
                { "the same with its revision",
                  "{\"aPIProxy\":\"p\",\"environment\":\"prod\",\"revision\":\"7\"," SERVERS "}", NULL },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                print_message("%s\n", rows[i].what);
                Deployments *d = read_well(rows[i].json, rows[i].asked);
                assert_int_equal(d->n, 1);
                is_partial(&d->rows[0], "p", "prod", "7");
                (void) deployments_free(d);
        }
}

static void test_none_and_many(void **state _unused_)
{
        Deployments *d = read_well("{\"aPIProxy\":[],\"name\":\"prod\"}", NULL);
        assert_int_equal(d->n, 0);
        (void) deployments_free(d);
        d = read_well("{\"aPIProxy\":[{\"name\":\"a\",\"revision\":[{\"name\":\"1\",\"state\":\"deployed\"},"
                      "{\"name\":\"2\",\"state\":\"undeployed\",\"server\":[" GOOD "]}]},{\"name\":\"b\"}],"
                      "\"name\":\"prod\"}",
                      NULL);
        assert_int_equal(d->n, 2);
        assert_int_equal(d->rows[0].n_servers, 0);
        assert_int_equal(d->rows[0].n_bad, 0);
        assert_int_equal(d->rows[1].n_bad, 1); /* still there, where it should be gone */
        (void) deployments_free(d);
}

/* What the deployment is to be | what a server says | what that means for it. */
static void test_what_each_server_should_be(void **state _unused_)
{
#define OK      DEPLOYED_GOOD
#define BROKEN  DEPLOYED_BAD
#define UNKNOWN DEPLOYED_UNKNOWN
        static const struct {
                const char *state, *status; /* JSON; NULL: the key is not there */
                DeployedStand stand;
                bool settled, serves;
        } rows[] = {
                { "\"deployed\"", "\"deployed\"", OK, true, true },
                { "\"deployed\"", "\"Deployed\"", OK, true, true },
                { "\"DEPLOYED\"", "\"deployed\"", OK, true, true },
                { "\"deployed\"", "\"error\"", BROKEN, true, true },
                { "\"deployed\"", "\"undeployed\"", BROKEN, true, true },
                { "\"deployed\"", "\"pending\"", UNKNOWN, true, true },
                { "\"deployed\"", "\"\"", UNKNOWN, true, true },
                { "\"deployed\"", NULL, UNKNOWN, true, true },
                { "\"undeployed\"", "\"undeployed\"", OK, true, false },
                { "\"undeployed\"", "\"deployed\"", BROKEN, true, true },
                { "\"undeployed\"", "\"error\"", BROKEN, true, false },
                /* it has failed: where, each server says itself */
                { "\"error\"", "\"error\"", BROKEN, true, false },
                { "\"error\"", "\"deployed\"", OK, false, true },
                { "\"error\"", "\"undeployed\"", UNKNOWN, false, false },
                { "\"error\"", NULL, UNKNOWN, false, false },
                /* under way, or not said: whatever a server says */
                { "\"pending\"", "\"deployed\"", UNKNOWN, false, true },
                { "\"pending\"", "\"pending\"", UNKNOWN, false, false },
                { "\"pending\"", "\"error\"", UNKNOWN, false, false },
                { "\"something else\"", "\"error\"", UNKNOWN, false, false },
                { "\"\"", "\"deployed\"", UNKNOWN, false, true },
                { "\"\"", "\"\"", UNKNOWN, false, false },
                { "null", "\"error\"", UNKNOWN, false, false },
                { NULL, "\"deployed\"", UNKNOWN, false, true },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char json[300];
                const char *wish = rows[i].state, *is = rows[i].status;
                (void) snprintf(
                        json, sizeof(json),
                        "{\"aPIProxy\":\"p\",\"environment\":\"prod\",\"name\":\"7\",\"server\":[{\"uUID\":\"mp-1\"%s%s}]"
                        "%s%s}",
                        is ? ",\"status\":" : "", is ? is : "", wish ? ",\"state\":" : "", wish ? wish : "");
                print_message("%s\n", json);
                Deployments *d = read_well(json, NULL);
                const Deployment *row = &d->rows[0];
                assert_int_equal(row->servers[0].stand, rows[i].stand);
                assert_int_equal(row->n_bad, rows[i].stand == BROKEN);
                assert_int_equal(row->n_unknown, rows[i].stand == UNKNOWN);
                assert_int_equal(row->settled, rows[i].settled);
                assert_int_equal(deployment_serves(row), rows[i].serves);
                (void) deployments_free(d);
        }
}

static void test_large(void **state _unused_)
{
        char *json = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&json, &size);
        assert_non_null(f);
        (void) fputs("{\"aPIProxy\":[", f);
        for (int i = 0; i < 1000; i++) {
                (void) fprintf(
                        f,
                        "%s{\"name\":\"p%d\",\"revision\":[{\"name\":\"1\",\"state\":\"deployed\",\"server\":[",
                        i ? "," : "", i);
                for (int k = 0; k < 20; k++)
                        (void) fprintf(f, "%s%s", k ? "," : "", GOOD);
                (void) fputs("]}]}", f);
        }
        (void) fputs("],\"name\":\"prod\"}", f);
        assert_int_equal(fclose(f), 0);
        Deployments *d = read_well(json, NULL);
        assert_int_equal(d->n, 1000);
        assert_int_equal(d->rows[999].n_servers, 20);
        (void) deployments_free(d);
        free(json);
}

static void test_bad(void **state _unused_)
{
        static const struct {
                const char *json, *text;
        } rows[] = {
                { "", "Not JSON" },
                { "[]", "should be a list of deployments" },
                { "{}", "should be a list of deployments" },
                { "{\"code\":\"x\",\"message\":\"y\"}", "should be a list of deployments" },
                { "{\"aPIProxy\":[3],\"name\":\"e\"}", "aPIProxy" },
                { "{\"aPIProxy\":[{\"revision\":[{\"name\":\"1\"}]}],\"name\":\"e\"}", "proxy" },
                { "{\"aPIProxy\":[{\"name\":\"p\",\"revision\":[{\"name\":\"1\"}]}]}", "environment" },
                { "{\"aPIProxy\":[{\"name\":\"p\",\"revision\":[{}]}],\"name\":\"e\"}", "revision" },
                { "{\"aPIProxy\":[{\"name\":\"p\",\"revision\":{}}],\"name\":\"e\"}", "revision" },
                { "{\"aPIProxy\":\"p\",\"environment\":\"e\",\"name\":\"1\",\"server\":{}}", "server" },
                { "{\"aPIProxy\":\"p\",\"environment\":\"e\",\"name\":\"1\",\"server\":[7]}", "server" },
                { "{\"aPIProxy\":\"p\",\"environment\":\"e\",\"name\":\"1\",\"server\":[{\"status\":1}]}",
                  "status" },
                { "{\"aPIProxy\":\"p\",\"environment\":\"e\",\"name\":\"1\",\"server\":[{\"type\":1}]}",
                  "type" },
                { "{\"aPIProxy\":\"p\",\"aPIProxy\":\"q\"}", "more than once" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Deployments *d = NULL;
                Err err = { 0 };
                assert_int_equal(deployments_parse(rows[i].json, strlen(rows[i].json), NULL, &d, &err),
                                 -EBADMSG);
                if (!strstr(err.text, rows[i].text))
                        fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].json, err.text, rows[i].text);
                assert_null(d);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shapes),
                cmocka_unit_test(test_none_and_many),
                cmocka_unit_test(test_what_each_server_should_be),
                cmocka_unit_test(test_large),
                cmocka_unit_test(test_bad),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
