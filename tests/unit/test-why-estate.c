/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What must be restarted by what stands in Edge alone: no router is there that could be asked what it serves.
 * Each case is a row: what is in the environment, what is said to have changed, and what must be told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/lib/why-door.h"

/* Routers without an address that others could reach. */
static const char servers_json[] =
        "[{\"uUID\":\"r-1\",\"type\":[\"router\"],\"region\":\"dc-1\",\"pod\":\"gateway\"},"
        "{\"uUID\":\"r-2\",\"type\":[\"router\"],\"region\":\"dc-1\",\"pod\":\"gateway\"},"
        "{\"uUID\":\"mp-1\",\"type\":[\"message-processor\"],\"region\":\"dc-1\",\"pod\":\"gateway\"},"
        "{\"uUID\":\"mp-2\",\"type\":[\"message-processor\"],\"region\":\"dc-1\",\"pod\":\"gateway\"}]";

#define STORES "\"keystores\":{\"ks\":{},\"ts\":{},\"unused\":{}}"
#define TARGET(name, ssl)                                                             \
        "\"" name "\":{\"name\":\"" name                                              \
        "\",\"host\":\"h\",\"port\":443,\"isEnabled\":true,\"sSLInfo\":{\"enabled\":" \
        "\"true\"," ssl "}}"
#define TWO_WAY "\"clientAuthEnabled\":\"true\",\"keyAlias\":\"a\",\"keyStore\":\"ks\",\"trustStore\":\"ts\""
#define GONE    "\"servers\":[\"gone\"]"
#define HERE    "\"servers\":[\"mp-1\",\"mp-2\"]"

typedef struct Row {
        const char *what;
        const char *env;  /* what is in acme/prod */
        const char *line; /* behind "edge-roll"; --json is added */
        int status;
        const char *said;                              /* somewhere in what is told */
        const char *action, *about, *reason, *servers; /* a finding; NULL: any */
        const char *mode;                              /* of the stand-in; NULL: good */
} Row;

static void try_rows(const Row *rows, size_t n)
{
        WhyDoor d;
        why_door_open(&d, "{}", servers_json);
        for (size_t i = 0; i < n; i++) {
                const Row *row = &rows[i];
                _cleanup_(freep) char *edge = NULL, *line = NULL;
                print_message("%s\n", row->what);
                assert_true(asprintf(&edge, "{\"acme\":{\"prod\":{%s}}}", row->env) > 0);
                assert_true(asprintf(&line, "%s --json", row->line) > 0);
                standin_write(d.standin, "edge.json", edge);
                standin_write(d.standin, "mode", row->mode ? row->mode : "good");
                why_door_expect(&d, line, row->status);
                if (row->said && !strstr(d.out, row->said))
                        fail_msg("%s: nowhere \"%s\" in %s", row->what, row->said, d.out);
                if (row->action)
                        why_door_finds(&d, row->action, row->about, row->reason, row->servers);
        }
        why_door_close(&d);
}

static void test_for_people(void **state _unused_)
{
        WhyDoor d;
        why_door_open(&d,
                      "{\"acme\":{\"prod\":{" STORES "," GONE
                      ",\"targetservers\":{" TARGET("two", TWO_WAY) "}}}}",
                      servers_json);
        why_door_expect(&d, "why --changed truststore:ts@prod=uploaded", 20);
        assert_non_null(
                strstr(d.out,
                       "message-processors  truststore:ts@acme/prod: the truststore of target server two"));
        assert_non_null(strstr(d.out, "-> no server for it is known\n"));
        why_door_close(&d);
}

/* What must be restarted is known, and which servers these are is not: the environment's are stale rows. */
static void test_servers_that_nobody_lists(void **state _unused_)
{
        static const char gone[] = STORES "," GONE ",\"targetservers\":{" TARGET("two", TWO_WAY) "}";
        static const char unknown[] = "no server for it is known";
        static const Row rows[] = {
                { "why", gone, "why --changed truststore:ts@prod=uploaded", 20, unknown, "message-processors",
                  "truststore:ts@acme/prod", "of a target", "", NULL },
                { "why, and proxies to be deployed again", gone, "why --changed targetserver:two@prod", 20,
                  unknown, "redeploy", "targetserver:two@acme/prod", "deployed again", "", NULL },
                { "a roll", gone, "restart all --cluster --why --changed truststore:ts@prod=uploaded", 20,
                  unknown, NULL, NULL, NULL, NULL, NULL },
                { "a roll of message processors", gone,
                  "restart message-processor --cluster --why --changed truststore:ts@prod=uploaded", 20,
                  unknown, NULL, NULL, NULL, NULL, NULL },
                { "a roll of routers, which it is not about", gone,
                  "restart router --cluster --why --changed truststore:ts@prod=uploaded", 10,
                  "nothing of router must be restarted", NULL, NULL, NULL, NULL, NULL },
                { "a roll of routers, and not everything could be read", gone,
                  "restart router --cluster --why --changed truststore:ts@prod=uploaded", 20,
                  "not everything could be looked at", NULL, NULL, NULL, NULL, "500 deployments" },
                { "a plan", gone, "plan restart all --cluster --why --changed truststore:ts@prod=uploaded",
                  20, unknown, NULL, NULL, NULL, NULL, NULL },
                { "only proxies to be deployed again",
                  STORES "," HERE ",\"targetservers\":{" TARGET("one", "\"trustStore\":\"ts\"") "}",
                  "why --changed truststore:ts@prod=new", 0, "proxies must be deployed again", "redeploy",
                  "truststore:ts@acme/prod", "deployed again", "", NULL },
                { "only proxies to be deployed again, by a roll",
                  STORES "," HERE ",\"targetservers\":{" TARGET("one", "\"trustStore\":\"ts\"") "}",
                  "restart all --cluster --why --changed truststore:ts@prod=new", 0,
                  "nothing must be restarted; proxies must be deployed again", NULL, NULL, NULL, NULL, NULL },
        };
        try_rows(rows, ELEMENTS(rows));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_servers_that_nobody_lists),
                cmocka_unit_test(test_for_people),
        };
        if (!standin_have()) {
                (void) puts("python3 is not installed: the stand-in cannot run");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
