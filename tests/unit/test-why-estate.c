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

/* What the deployments say, for all of what their state can be. */
static void test_deployments(void **state _unused_)
{
#define ON(kind, uuid, status) "{\"status\":\"" status "\",\"type\":[\"" kind "\"],\"uUID\":\"" uuid "\"}"
#define MP(uuid, status)       ON("message-processor", uuid, status)
#define P(state, servers)      "{\"proxy\":\"p\",\"revision\":\"1\",\"state\":" state ",\"server\":[" servers "]}"
#define DEPLOYMENTS(rows)      HERE ",\"deployments\":[" rows "]"
#define OTHERS                 MP("mp-2", "deployed") "," ON("router", "r-1", "deployed")
        static const char mp1[] = "deployments:mp-1@acme/prod", all[] = "deployments@acme/prod";
        static const Row rows[] = {
                { "one has failed", DEPLOYMENTS(P("\"deployed\"", MP("mp-1", "error") "," OTHERS)), "why", 0,
                  "0 routers and 1 message processor must", "message-processors", mp1,
                  "should be deployed and is error", "mp-1", NULL },
                { "the whole has failed: just those that say so",
                  DEPLOYMENTS(P("\"error\"", MP("mp-1", "error") "," OTHERS)), "why", 0,
                  "0 routers and 1 message processor must", "message-processors", mp1,
                  "p revision 1 has failed there", "mp-1", NULL },
                { "the whole has failed, and nobody says where", DEPLOYMENTS(P("\"error\"", OTHERS)), "why",
                  20, NULL, "unknown", all, "p revision 1: its state is error, and no server says", "",
                  NULL },
                { "under way", DEPLOYMENTS(P("\"pending\"", MP("mp-1", "deployed") "," OTHERS)), "why", 20,
                  NULL, "unknown", all,
                  "1 deployment of which is not known what it should be: p revision 1: its state is pending",
                  "", NULL },
                { "two that are under way",
                  DEPLOYMENTS(P("\"pending\"", MP("mp-1", "error")) "," P("\"pending\"", OTHERS)), "why", 20,
                  NULL, "unknown", all, "2 deployments of which", "", NULL },
                { "under way, and another one has failed",
                  DEPLOYMENTS(P("\"pending\"", OTHERS) "," P("\"deployed\"", MP("mp-1", "error"))), "why", 0,
                  "0 routers and 1 message processor must", "unknown", all, "its state is pending", "",
                  NULL },
                { "what should be is not said", DEPLOYMENTS(P("null", MP("mp-1", "deployed") "," OTHERS)),
                  "why", 20, NULL, "unknown", all, "its state is not said", "", NULL },
                { "what should be is empty", DEPLOYMENTS(P("\"\"", MP("mp-1", "deployed") "," OTHERS)), "why",
                  20, NULL, "unknown", all, "its state is not said", "", NULL },
                { "other letters", DEPLOYMENTS(P("\"deployed\"", MP("mp-1", "Deployed") "," OTHERS)), "why",
                  10, NULL, NULL, NULL, NULL, NULL, NULL },
                { "a server does not say",
                  DEPLOYMENTS(
                          P("\"deployed\"", "{\"type\":[\"message-processor\"],\"uUID\":\"mp-1\"}," OTHERS)),
                  "why", 20, NULL, "unknown", all,
                  "1 time a server does not say whether a deployment is as it should be: p revision 1, mp-1",
                  "", NULL },
                { "a server has not finished", DEPLOYMENTS(P("\"deployed\"", MP("mp-1", "pending"))), "why",
                  20, NULL, "unknown", all, "p revision 1, mp-1: pending", "", NULL },
                { "a server without an id",
                  DEPLOYMENTS(P(
                          "\"deployed\"",
                          "{\"status\":\"error\",\"error\":\"no memory\",\"type\":[\"message-processor\"]}," OTHERS)),
                  "why", 20, NULL, "unknown", all,
                  "1 deployment is not as it should be on a server whose id is not said: p revision 1 should be deployed and is error: no memory",
                  "", NULL },
                { "a message processor whose kind is not said",
                  DEPLOYMENTS(P("\"deployed\"", "{\"status\":\"error\",\"uUID\":\"mp-1\"}," OTHERS)), "why",
                  0, NULL, "message-processors", mp1, "should be deployed", "mp-1", NULL },
                { "a router whose kind is not said",
                  DEPLOYMENTS(P("\"deployed\"", "{\"status\":\"error\",\"uUID\":\"r-1\"}")), "why", 0, NULL,
                  "routers", "deployments:r-1@acme/prod", "should be deployed", "r-1", NULL },
                { "a router of that id is not listed, but a message processor",
                  DEPLOYMENTS(P("\"deployed\"", ON("router", "mp-1", "error"))), "why", 20, NULL, "unknown",
                  mp1, "a stale record", "", NULL },
                { "still there, where it should be gone",
                  DEPLOYMENTS(P("\"undeployed\"", MP("mp-1", "deployed"))), "why", 0, NULL,
                  "message-processors", mp1, "should be undeployed and is deployed", "mp-1", NULL },
                { "gone, as it should be", DEPLOYMENTS(P("\"undeployed\"", MP("mp-1", "undeployed"))), "why",
                  10, NULL, NULL, NULL, NULL, NULL, NULL },
                { "a revision that has failed on one and serves on another is read, too",
                  DEPLOYMENTS("{\"proxy\":\"p\",\"revision\":\"1\",\"state\":\"error\",\"server\":[" MP(
                          "mp-1",
                          "error") "," MP("mp-2",
                                          "deployed") "],"
                                                      "\"files\":{\"apiproxy/targets/a.xml\":\"<TargetEndpoint><HTTPTargetConnection><SSLInfo><Enabled>true</Enabled>"
                                                      "<TrustStore>own</TrustStore></SSLInfo></HTTPTargetConnection></TargetEndpoint>\"}}"),
                  "why --changed truststore:own@prod=uploaded", 0, "2 message processors",
                  "message-processors", "truststore:own@acme/prod",
                  "the truststore of proxy p:1/apiproxy/targets/a.xml", "mp-1,mp-2", NULL },
        };
        try_rows(rows, ELEMENTS(rows));
}

static void test_virtual_hosts(void **state _unused_)
{
        static const Row rows[] = {
                { "with TLS, and no port",
                  HERE ",\"virtualhosts\":{\"v\":{\"name\":\"v\",\"sSLInfo\":{\"enabled\":\"true\"}}}", "why",
                  20, NULL, "unknown", "virtualhost:v@acme/prod", "it has TLS, and does not say its port", "",
                  NULL },
                { "neither TLS nor a port", HERE ",\"virtualhosts\":{\"v\":{\"name\":\"v\"}}", "why", 10,
                  NULL, NULL, NULL, NULL, NULL, NULL },
        };
        try_rows(rows, ELEMENTS(rows));
}

#define ONE_WAY "\"keyAlias\":\"a\",\"keyStore\":\"ks\",\"trustStore\":\"ts\""
#define OFF     "\"clientAuthEnabled\":\"false\"," ONE_WAY
#define BY_REF \
        "\"clientAuthEnabled\":\"true\",\"keyAlias\":\"a\",\"keyStore\":\"ref://kr\",\"trustStore\":\"ref://tr\""
#define TARGETS(ssl) STORES "," HERE ",\"targetservers\":{" TARGET("t", ssl) "}"
#define VHOSTS(ssl)                                                                                         \
        STORES "," HERE                                                                                     \
               ",\"virtualhosts\":{\"v\":{\"name\":\"v\",\"port\":1,\"sSLInfo\":{\"enabled\":\"true\"," ssl \
               "}}}"
#define REFS                                                                                         \
        ",\"references\":{\"kr\":{\"name\":\"kr\",\"refers\":\"ks\",\"resourceType\":\"KeyStore\"}," \
        "\"tr\":{\"name\":\"tr\",\"refers\":\"ts\",\"resourceType\":\"TrustStore\"}}"

/* A store that stands in a configuration and is not used there: nothing follows. */
static void test_stores_that_are_not_used(void **state _unused_)
{
        static const char keys[] = "keystore:ks@acme/prod", trust[] = "truststore:ts@acme/prod";
        static const char proxy[] = DEPLOYMENTS(
                "{\"proxy\":\"p\",\"revision\":\"1\",\"state\":\"deployed\",\"server\":[],"
                "\"files\":{\"apiproxy/targets/a.xml\":\"<TargetEndpoint><HTTPTargetConnection><SSLInfo><Enabled>true</Enabled>"
                "<KeyStore>ks</KeyStore></SSLInfo></HTTPTargetConnection></TargetEndpoint>\"}}") "," STORES;
        static const Row rows[] = {
                { "the keystore of a two-way target", TARGETS(TWO_WAY),
                  "why --changed keystore:ks@prod=recreated", 0, NULL, "message-processors", keys,
                  "two-way TLS", "mp-1,mp-2", NULL },
                { "of a one-way target", TARGETS(ONE_WAY), "why --changed keystore:ks@prod=recreated", 10,
                  NULL, "nothing", keys, "the keystore of target server t is not used: TLS is one-way there",
                  "", NULL },
                { "of a target that says so", TARGETS(OFF), "why --changed keystore:ks@prod=uploaded", 10,
                  NULL, "nothing", keys, "is not used", "", NULL },
                { "the truststore of a one-way target is used", TARGETS(OFF),
                  "why --changed truststore:ts@prod=uploaded", 0, NULL, "message-processors", trust,
                  "of a target", "mp-1,mp-2", NULL },
                { "the keystore of a proxy that is one-way", proxy,
                  "why --changed keystore:ks@prod=recreated", 10, NULL, "nothing", keys,
                  "the keystore of proxy p:1/apiproxy/targets/a.xml is not used", "", NULL },
                { "the truststore of a two-way virtual host", VHOSTS(TWO_WAY),
                  "why --changed truststore:ts@prod=uploaded", 0, NULL, "routers", trust,
                  "routers are restarted", "r-1,r-2", NULL },
                { "of a one-way virtual host", VHOSTS(ONE_WAY), "why --changed truststore:ts@prod=uploaded",
                  20, NULL, "nothing", trust,
                  "the truststore of virtual host v is not used: TLS is one-way there", "", NULL },
                { "a target that was changed, with a keystore that is not used",
                  TARGETS("\"keyStore\":\"ks\""), "why --changed targetserver:t@prod", 10, NULL, "nothing",
                  "targetserver:t@acme/prod", "without stores that are used", "", NULL },
                { "a virtual host that was changed, with a truststore that is not used",
                  VHOSTS("\"trustStore\":\"ts\""), "why --changed virtualhost:v@prod", 0, NULL, "routers",
                  "virtualhost:v@acme/prod", "without stores that are used", "r-1,r-2", NULL },
                { "a virtual host whose TLS is off",
                  STORES
                  "," HERE
                  ",\"virtualhosts\":{\"v\":{\"name\":\"v\",\"port\":1,\"sSLInfo\":{\"enabled\":\"false\"," TWO_WAY
                  "}}}",
                  "why --changed keystore:ks@prod", 10, NULL, "nothing", keys,
                  "no virtual host, no target server", "", NULL },
                { "a target whose TLS is off",
                  STORES
                  "," HERE
                  ",\"targetservers\":{\"t\":{\"name\":\"t\",\"host\":\"h\",\"port\":1,\"isEnabled\":true,\"sSLInfo\":{\"enabled\":\"false\"," TWO_WAY
                  "}}}",
                  "why --changed truststore:ts@prod=uploaded", 10, NULL, "nothing", trust,
                  "no virtual host, no target server", "", NULL },
        };
        try_rows(rows, ELEMENTS(rows));
}

/* How a store was changed is not said: the most that can follow, and that it was not said. */
static void test_a_change_that_is_not_said_how(void **state _unused_)
{
        static const char unsaid[] = "how it was changed is not said, and this is the most that can follow";
        static const Row rows[] = {
                { "a keystore behind a reference", TARGETS(BY_REF) REFS, "why --changed keystore:ks@prod", 0,
                  unsaid, "message-processors", "keystore:ks@acme/prod", unsaid, "mp-1,mp-2", NULL },
                { "the same, and it is said", TARGETS(BY_REF) REFS, "why --changed keystore:ks@prod=new", 10,
                  NULL, "nothing", "keystore:ks@acme/prod", "target server t: a reference", "", NULL },
                { "the reference itself changes in one way only", TARGETS(BY_REF) REFS,
                  "why --changed reference:kr@prod", 10, NULL, "nothing", "reference:kr@acme/prod",
                  "target server t: a reference", "", NULL },
                { "a truststore behind a reference of a virtual host", VHOSTS(BY_REF) REFS,
                  "why --changed truststore:ts@prod", 0, NULL, "routers", "truststore:ts@acme/prod", unsaid,
                  "r-1,r-2", NULL },
                { "a store that is named directly", TARGETS(TWO_WAY), "why --changed keystore:ks@prod", 0,
                  NULL, "message-processors", "keystore:ks@acme/prod", unsaid, "mp-1,mp-2", NULL },
                { "a virtual host", VHOSTS(BY_REF) REFS, "why --changed virtualhost:v@prod", 0, NULL,
                  "routers", "virtualhost:v@acme/prod", unsaid, "r-1,r-2", NULL },
        };
        try_rows(rows, ELEMENTS(rows));
}

/* Nobody uses it, as far as could be read. */
static void test_users_that_cannot_be_read(void **state _unused_)
{
        static const char about[] = "keystore:unused@acme/prod";
        static const char line[] = "why --changed keystore:unused@prod=recreated";
        static const Row rows[] = {
                { "all is read", TARGETS(TWO_WAY), line, 10, NULL, "nothing", about, "no virtual host, no",
                  "", NULL },
                { "not target servers", TARGETS(TWO_WAY), line, 20, NULL, "unknown", about,
                  "nothing that could be read uses it", "", "500 targetservers" },
                { "not one of them", TARGETS(TWO_WAY), line, 20, NULL, "unknown", about,
                  "nothing that could be read uses it", "", "500 targetservers/t" },
                { "not virtual hosts", TARGETS(TWO_WAY), line, 20, NULL, "unknown", about,
                  "nothing that could be read uses it", "", "html virtualhosts" },
        };
        try_rows(rows, ELEMENTS(rows));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_servers_that_nobody_lists),
                cmocka_unit_test(test_for_people),
                cmocka_unit_test(test_deployments),
                cmocka_unit_test(test_virtual_hosts),
                cmocka_unit_test(test_stores_that_are_not_used),
                cmocka_unit_test(test_a_change_that_is_not_said_how),
                cmocka_unit_test(test_users_that_cannot_be_read),
        };
        if (!standin_have()) {
                (void) puts("python3 is not installed: the stand-in cannot run");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
