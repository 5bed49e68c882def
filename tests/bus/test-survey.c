/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the Management Server is asked before a roll, from the command line to the plan: against simulated
 * agents (tests/lib/world.h) and the stand-in of a Management Server, well and unwell.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/sha256.h"
#include "tests/lib/ns.h"
#include "tests/lib/standin.h"
#include "tests/lib/tls-router.h"
#include "tests/lib/world.h"

/* A LoadBalancer with a server that there is, and one that there is not: an error. */
#define ENDPOINT(server)                                                                           \
        "\"apiproxy/targets/default.xml\":\"<TargetEndpoint name='default'><HTTPTargetConnection>" \
        "<LoadBalancer><Server name='" server "'/><Server name='up'/></LoadBalancer>"              \
        "</HTTPTargetConnection></TargetEndpoint>\""
#define REVISION(proxy, server) \
        "{\"proxy\":\"" proxy   \
        "\",\"revision\":\"3\",\"state\":\"deployed\",\"server\":[],\"files\":{" ENDPOINT(server) "}}"
#define SERVER(name, port) \
        "\"" name "\":{\"name\":\"" name "\",\"host\":\"127.0.0.1\",\"port\":" port ",\"isEnabled\":true}"

typedef struct Listener {
        int fd, filler[8];
        char port[8];
} Listener;

/* @full: its queue is, so that the kernel answers nobody who connects. */
static Listener listener(bool full)
{
        Listener l = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        assert_true(l.fd >= 0);
        assert_int_equal(bind(l.fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(l.fd, full ? 0 : 16), 0);
        assert_int_equal(getsockname(l.fd, (struct sockaddr *) &a, &len), 0);
        (void) snprintf(l.port, sizeof(l.port), "%u", ntohs(a.sin_port));
        for (size_t i = 0; i < ELEMENTS(l.filler); i++) {
                l.filler[i] = full ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
                if (full)
                        (void) connect(l.filler[i], (struct sockaddr *) &a, sizeof(a));
        }
        return l;
}

static void listener_done(Listener *l)
{
        for (size_t i = 0; i < ELEMENTS(l->filler); i++)
                if (l->filler[i] >= 0)
                        (void) close(l->filler[i]);
        (void) close(l->fd);
}

/* Two organisations: acme with seven errors in prod, and one target server of two that answers. */
static Standin *edge(const Listener *up)
{
        char text[8000];
        (void) snprintf(
                text, sizeof(text),
                "{\"acme\":{\"prod\":{\"targetservers\":{" SERVER(
                        "shut",
                        "1") ","
                             "\"up\":{\"name\":\"up\",\"host\":\"127.0.0.1\",\"port\":%s,\"isEnabled\":true}},"
                             "\"deployments\":[" REVISION("a", "gone") "," REVISION("b", "gone") "," REVISION("c", "gone") "," REVISION("d", "gone") "," REVISION(
                                     "e",
                                     "gone") "," REVISION("f",
                                                          "gone") "," REVISION("g",
                                                                               "gone") "," REVISION("h",
                                                                                                    "shut") "]}},"
                                                                                                            "\"other\":{\"test\":{\"targetservers\":{" SERVER(
                                                                                                                    "far",
                                                                                                                    "2") "}}}}",
                up->port);
        return standin_new(text, "[]");
}

static void configure(const World *w, const Standin *s, const char *more)
{
        char conf[512], text[900];
        (void) snprintf(text, sizeof(text), "%smanagement_url = %s\n%s",
                        world_conf(w->dir, conf, sizeof(conf)), standin_url(s), more);
        world_file(w, "conf", text);
}

static void says_not(const World *w, const char *part)
{
        if (strstr(w->lines, part))
                fail_msg("\"%s\" is in:\n%s", part, w->lines);
}

static size_t times(const char *text, const char *part)
{
        size_t n = 0;
        for (const char *c = text; (c = strstr(c, part)); c += strlen(part))
                n++;
        return n;
}

#define PLAN "edge-roll plan restart router --nodes n1,n2"
#define ROLL "edge-roll restart router --nodes n1,n2 --yes"

static void a_plan_and_a_roll_show_what_is_down_and_what_is_wrong(void **state)
{
        static World w;
        Listener up = listener(false);
        (void) state;
        if (!standin_have())
                skip();
        world_new(&w, "aa");
        Standin *s = edge(&up);
        configure(&w, s, "");
        world_ends(&w, PLAN, RESULT_DONE);
        world_says(&w, "for 20 s (management_limit) at most");
        world_says(&w, "2 of 3 target servers do not answer from here: ");
        world_says(&w, "shut of acme/prod (connect)");
        world_says(&w, "far of other/test (connect)");
        world_says(&w, "[server-unknown]");
        world_says(&w, ":3/apiproxy/targets/default.xml:1: ");
        /* Five of seven, and how to see the others. */
        assert_int_equal(times(w.lines, "[server-unknown]"), 5);
        world_says(&w, "and 2 more");
        world_says(&w, "edge-roll lint --org acme --env prod");
        says_not(&w, "management ");

        world_ends(&w, PLAN " --json", RESULT_DONE);
        world_says(&w, "{\"name\":\"targets\",\"verdict\":\"warning\",");
        world_says(&w, "{\"name\":\"lint\",\"verdict\":\"warning\",");
        assert_int_equal(times(w.lines, "{\"name\":\"lint\""), 6);

        world_ends(&w, ROLL, RESULT_DONE);
        world_says(&w, "2 of 3 target servers do not answer");
        assert_int_equal(world_restarts(&w), 2);

        /* Only these organisations; only those target servers. */
        configure(&w, s,
                  "[targets]\nnames = acme/prod/up\n[component message-processor]\norganizations = acme\n");
        standin_write(s, "log", NULL);
        world_ends(&w, PLAN " --verbose", RESULT_DONE);
        world_says(&w, "all 1 target servers that are enabled answer from here");
        _cleanup_(freep) char *log = standin_read(s, "log");
        assert_non_null(strstr(log, "/v1/o/acme/e/prod/deployments"));
        assert_null(strstr(log, "/v1/o/other"));

        /* Nothing is asked when it is switched off. */
        configure(&w, s, "management_checks = off\n");
        standin_write(s, "log", NULL);
        world_ends(&w, PLAN " --verbose", RESULT_DONE);
        says_not(&w, "target servers");
        _cleanup_(freep) char *none = standin_read(s, "log");
        assert_string_equal(none, "");
        (void) standin_free(s);
        listener_done(&up);
        world_done(&w);
}

/* One line that says why, and the roll goes on. */
static void whatever_the_management_server_does_a_roll_goes_on(void **state)
{
        static const struct {
                const char *mode, *says;
        } cases[] = {
                { "hang", "no answer" },
                { "hang deployments", "deployments: " },
                { "hang revisions",
                  "not everything that is deployed could be looked at within 0.50 s (management_limit)" },
                { "slow", "the answer stopped before its end" },
                { "500", "answered 500" },
                { "500 deployments", "acme/prod: deployments: " },
                { "500 revisions", "8 things of what is deployed could not be read: " },
                { "403", "may not do that" },
                { "401", "it wants a user and a password" },
                { "half", "the answer stopped before its end" },
                { "half targetservers", "acme/prod: targetservers: " },
                { "cut-json", "Not JSON" },
                { "cut-json revisions", "8 things of what is deployed could not be read: " },
                { "half revisions", "8 things of what is deployed could not be read: " },
                { "cut-json targetservers", "acme/prod: target" },
                { "cut-json deployments", "acme/prod: deployments: " },
                { "html", "HTML" },
                { "empty", "Not JSON" },
                { "blank", "Not JSON" },
                { "huge", "larger than allowed" },
                { "cut", "connected, but no answer" },
                { "redirect", "302" },
        };
        Listener up = listener(false);
        (void) state;
        if (!standin_have())
                skip();
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                static World w;
                world_new(&w, "aa");
                Standin *s = edge(&up);
                /* A stand-in on a busy machine is not quick: it has time unless it is never to answer. */
                bool waits = strncmp(cases[i].mode, "hang", 4) == 0 || strcmp(cases[i].mode, "slow") == 0;
                configure(
                        &w, s,
                        waits ? "management_limit = 500ms\n[component message-processor]\norganizations = acme\n"
                              : "[component message-processor]\norganizations = acme\n");
                standin_write(s, "mode", cases[i].mode);
                Usec before = time_now();
                world_ends(&w, PLAN " --json", RESULT_DONE);
                Usec took = time_now() - before;
                if (waits && took > 15 * USEC_PER_SEC)
                        fail_msg("%s: a plan took %.1f s", cases[i].mode, time_sec(took));
                if (times(w.lines, "{\"name\":\"management\",\"verdict\":\"warning\"") != 1)
                        fail_msg("%s: one line says why:\n%s", cases[i].mode, w.lines);
                world_says(&w, cases[i].says);
                world_ends(&w, ROLL, RESULT_DONE);
                assert_int_equal(world_restarts(&w), 2);
                (void) standin_free(s);
                world_done(&w);
        }
        listener_done(&up);
}

static void what_was_found_before_the_time_was_over_is_shown(void **state)
{
        static World w;
        Listener up = listener(false), full = listener(true);
        char text[1200];
        (void) state;
        if (!standin_have())
                skip();
        world_new(&w, "aa");
        (void) snprintf(
                text, sizeof(text),
                "{\"acme\":{\"prod\":{\"targetservers\":{" SERVER(
                        "shut",
                        "1") ","
                             "\"up\":{\"name\":\"up\",\"host\":\"127.0.0.1\",\"port\":%s,\"isEnabled\":true},"
                             "\"full\":{\"name\":\"full\",\"host\":\"127.0.0.1\",\"port\":%s,\"isEnabled\":true}},"
                             "\"deployments\":[" REVISION("a", "gone") "]}}}",
                up.port, full.port);
        Standin *s = standin_new(text, "[]");
        configure(&w, s, "management_limit = 1s\n");
        Usec before = time_now();
        world_ends(&w, ROLL, RESULT_DONE);
        assert_true(time_now() - before < 15 * USEC_PER_SEC);
        world_says(
                &w,
                "1 of 2 target servers do not answer from here; 1 more could not be asked in the time: shut");
        world_says(&w, "not everything that is deployed could be looked at within 1 s");
        assert_int_equal(world_restarts(&w), 2);

        /* With time enough it is known that nobody answers there. */
        configure(&w, s, "management_limit = 20s\n");
        world_ends(&w, PLAN, RESULT_DONE);
        world_says(&w, "2 of 3 target servers do not answer from here: ");
        world_says(&w, "full of acme/prod (connect)");
        world_says(&w, "[server-unknown]");
        (void) standin_free(s);
        listener_done(&up);
        listener_done(&full);
        world_done(&w);
}

static void who_cannot_be_asked_at_all_is_told_in_one_line(void **state)
{
        static World w;
        Listener up = listener(false);
        (void) state;
        if (!standin_have())
                skip();
        world_new(&w, "aa");
        Standin *s = edge(&up);
        /* A user, and no password anywhere. */
        (void) unsetenv("EDGE_ROLL_MANAGEMENT_PASSWORD");
        configure(&w, s, "management_user = admin@example.com\n");
        world_ends(&w, PLAN " --json", RESULT_DONE);
        assert_int_equal(times(w.lines, "{\"name\":\"management\",\"verdict\":\"warning\""), 1);
        world_says(&w, "password");
        world_ends(&w, ROLL, RESULT_DONE);
        /* The wrong one is not shown. */
        standin_write(s, "user", "admin@example.com:right");
        (void) setenv("EDGE_ROLL_MANAGEMENT_PASSWORD", "wrong-7351", 1);
        world_ends(&w, PLAN " --json", RESULT_DONE);
        world_says(&w, "it does not take user admin@example.com");
        says_not(&w, "wrong-7351");
        (void) unsetenv("EDGE_ROLL_MANAGEMENT_PASSWORD");
        /* Nobody is there. */
        configure(&w, s, "");
        s = standin_free(s);
        world_ends(&w, ROLL " --json", RESULT_DONE);
        world_says(&w, "\"name\":\"management\",\"verdict\":\"warning\"");
        assert_int_equal(world_restarts(&w), 4);
        listener_done(&up);
        world_done(&w);
}

/* ---- --if-needed ---- */

#define ON(status, type, n)                            \
        "{\"status\":\"" status "\",\"type\":[\"" type \
        "\"],\"uUID\":\"00000000-0000-0000-0000-00000000000" n "\"}"
#define LISTED(type, n)                                                            \
        "{\"uUID\":\"00000000-0000-0000-0000-00000000000" n "\",\"type\":[\"" type \
        "\"],\"pod\":\"gateway\",\"region\":\"dc-a\",\"internalIP\":\"10.0.0." n "\"}"
#define ID(n) "\"00000000-0000-0000-0000-00000000000" n "\""

/* n1 and n2 are routers, n3 and n4 message processors, and there is a router that is no node; no agent sees a
 * reason for a restart. */
static Standin *four(World *w, const char *deployed)
{
        char text[1500];
        world_new(w, "aaAA");
        for (size_t i = 0; i < w->n; i++)
                fake_agent_script(w->agent[i])->not_needed = true;
        (void) snprintf(
                text, sizeof(text),
                "{\"acme\":{\"prod\":{\"servers\":[" ID("3") "," ID(
                        "4") "],"
                             "\"keystores\":{\"trusted\":{}},\"targetservers\":{\"t\":{\"name\":\"t\",\"host\":\"127.0.0.1\","
                             "\"port\":1,\"isEnabled\":false,\"sSLInfo\":{\"enabled\":\"true\",\"trustStore\":\"trusted\"}}},"
                             "\"deployments\":[{\"proxy\":\"p\",\"revision\":\"1\",\"state\":\"deployed\",\"server\":[%s],"
                             "\"files\":{\"apiproxy/p.xml\":\"<APIProxy/>\"}}]}}}",
                deployed);
        Standin *s = standin_new(text, "[" LISTED("router", "1") "," LISTED("router", "2") "," LISTED(
                                               "message-processor", "3") "," LISTED("message-processor",
                                                                                    "4") "," LISTED("router",
                                                                                                    "5") "]");
        configure(w, s, "");
        return s;
}

#define IF_NEEDED "edge-roll restart all --nodes n[1:4] --yes --if-needed"

static void what_edge_or_an_agent_says_is_needed_is_restarted(void **state)
{
        static World w;
        (void) state;
        if (!standin_have())
                skip();
        Standin *s =
                four(&w, ON("deployed", "message-processor", "3") "," ON("error", "message-processor", "4"));
        world_ends(&w, IF_NEEDED, RESULT_DONE);
        assert_string_equal(w.order, "n4");
        world_says(&w, "1 deployment is not as it should be there");
        world_says(&w, "needed by what is in Edge; ");

        /* One of each. */
        world_again(&w);
        fake_agent_script(w.agent[0])->not_needed = false;
        world_ends(&w, IF_NEEDED " --json", RESULT_DONE);
        assert_string_equal(w.order, "n4 n1");
        world_says(&w, "\"event\":\"why\",\"action\":\"message-processors\"");
        world_says(&w, "\"needed\":true");
        /* Of that component only. */
        world_again(&w);
        world_ends(&w, "edge-roll restart router --nodes n[1:4] --yes --if-needed", RESULT_DONE);
        assert_string_equal(w.order, "n1");

        /* The agents alone, as without a Management Server. */
        world_again(&w);
        fake_agent_script(w.agent[0])->not_needed = true;
        configure(&w, s, "management_checks = off\n");
        world_ends(&w, IF_NEEDED, RESULT_NOT_NEEDED);
        assert_string_equal(w.order, "");
        (void) standin_free(s);
        world_done(&w);
}

static void what_somebody_says_was_changed_is_looked_up(void **state)
{
        static World w;
        (void) state;
        if (!standin_have())
                skip();
        Standin *s = four(&w, "");
        world_ends(&w, IF_NEEDED, RESULT_NOT_NEEDED);
        world_ends(&w, IF_NEEDED " --changed truststore:trusted@prod=uploaded", RESULT_DONE);
        assert_string_equal(w.order, "n3 n4");
        world_again(&w);
        world_ends(&w, IF_NEEDED " --changed truststore:nothing@prod", RESULT_REFUSED);
        world_says(&w, "There is no truststore nothing");
        world_ends(&w, IF_NEEDED " --changed nonsense", RESULT_USAGE);
        world_ends(&w,
                   "edge-roll restart other --nodes n1 --yes --if-needed --changed truststore:trusted@prod",
                   RESULT_USAGE);
        /* It cannot be looked up, so it is not known that nothing must be done. */
        standin_write(s, "mode", "500");
        world_ends(&w, IF_NEEDED " --changed truststore:trusted@prod=uploaded", RESULT_REFUSED);
        assert_string_equal(w.order, "");
        /* Asked for by name it is asked whatever the configuration says. */
        standin_write(s, "mode", NULL);
        configure(&w, s, "management_checks = off\n");
        world_ends(&w, IF_NEEDED " --changed truststore:trusted@prod=uploaded", RESULT_DONE);
        assert_string_equal(w.order, "n3 n4");
        (void) standin_free(s);
        world_done(&w);
}

static void where_edge_cannot_be_asked_the_agents_decide_and_not_needed_is_not_said(void **state)
{
        static const char *const modes[] = { "500",         "hang", "403", "cut-json", "500 deployments",
                                             "hang servers" };
        static World w;
        (void) state;
        if (!standin_have())
                skip();
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                Standin *s = four(&w, "");
                configure(&w, s, strncmp(modes[i], "hang", 4) == 0 ? "management_limit = 500ms\n" : "");
                standin_write(s, "mode", modes[i]);
                Usec before = time_now();
                world_ends(&w, IF_NEEDED, RESULT_PROBLEMS);
                if (strncmp(modes[i], "hang", 4) == 0)
                        assert_true(time_now() - before < 15 * USEC_PER_SEC);
                world_says(&w, "nothing that was seen needs a restart, but not everything could be asked");
                assert_string_equal(w.order, "");
                fake_agent_script(w.agent[1])->not_needed = false;
                world_again(&w);
                world_ends(&w, IF_NEEDED, RESULT_DONE);
                assert_string_equal(w.order, "n2");
                (void) standin_free(s);
                world_done(&w);
        }
}

/* The servers of the environment are rows that are gone: that no server is wanted is not that none must be.
 */
static void what_must_be_restarted_with_no_server_known_is_not_not_needed(void **state)
{
        static World w;
        (void) state;
        if (!standin_have())
                skip();
        Standin *s = four(&w, "");
        standin_write(
                s, "edge.json",
                "{\"acme\":{\"prod\":{\"servers\":[\"gone\"],\"keystores\":{\"trusted\":{}},\"targetservers\":{"
                "\"t\":{\"name\":\"t\",\"host\":\"127.0.0.1\",\"port\":1,\"isEnabled\":false,\"sSLInfo\":{"
                "\"enabled\":\"true\",\"trustStore\":\"trusted\"}}}}}}");
        world_ends(&w, IF_NEEDED " --changed truststore:trusted@prod=uploaded", RESULT_PROBLEMS);
        assert_string_equal(w.order, "");
        /* It is not about routers. */
        world_ends(&w,
                   "edge-roll restart router --nodes n[1:4] --yes --if-needed --changed "
                   "truststore:trusted@prod=uploaded",
                   RESULT_NOT_NEEDED);
        /* A user without a password is no misuse of the command line. */
        (void) unsetenv("EDGE_ROLL_MANAGEMENT_PASSWORD");
        configure(&w, s, "management_user = admin@example.com\n");
        world_ends(&w, IF_NEEDED " --changed truststore:trusted@prod=uploaded", RESULT_REFUSED);
        (void) standin_free(s);
        world_done(&w);
}

static void press_at_n4(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0 || node != 3)
                return;
        w->done_once = true;
        (void) kill(getpid(), SIGINT);
}

static void what_edge_has_said_counts_in_a_resume(void **state)
{
        static World w;
        char line[256];
        (void) state;
        if (!standin_have())
                skip();
        Standin *s = four(&w, ON("error", "message-processor", "4") "," ON("error", "router", "1"));
        w.on_call = press_at_n4;
        world_ends(&w, IF_NEEDED, RESULT_INTERRUPTED);
        assert_string_equal(w.order, "n4");
        const char *at = strstr(w.lines, "edge-roll resume 2");
        assert_non_null(at);
        (void) snprintf(line, sizeof(line), "%.*s --yes", (int) strcspn(at, "\n"), at);
        s = standin_free(s);
        world_again(&w);
        world_ends(&w, line, RESULT_DONE);
        assert_string_equal(w.order, "n1");
        world_done(&w);
}

static void a_server_that_needs_it_and_is_on_no_node_is_told(void **state)
{
        static World w;
        (void) state;
        if (!standin_have())
                skip();
        Standin *s = four(&w, ON("error", "router", "1") "," ON("error", "router", "5"));
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --yes --if-needed", RESULT_DONE);
        world_says(&w, "1 of those that must be restarted are on no known node: router 10.0.0.5");
        assert_string_equal(w.order, "n1");
        (void) standin_free(s);
        world_done(&w);
}

/* ---- the certificate behind a roll ---- */

#define CERTS "certs"

static bool alone; /* in a network of its own */
static TlsRouter routers[2];
static char certs[128];

/* Both routers serve the old certificate; the new one is in the keystore. */
static Standin *edge_with_certificates(World *w)
{
        static const char *const addresses[] = { "10.0.0.1", "10.0.0.2" };
        char print[SHA256_TEXT_SIZE], path[160], *pem = NULL;
        _cleanup_(freep) char *text = NULL;
        size_t size = 0;
        world_new(w, "aa");
        for (size_t i = 0; i < w->n; i++)
                fake_agent_script(w->agent[i])->not_needed = true;
        (void) snprintf(certs, sizeof(certs), "%s/" CERTS, w->dir);
        assert_int_equal(mkdir(certs, 0700), 0);
        tls_router_certificate(certs, "old", print);
        tls_router_certificate(certs, "new", print);
        for (size_t i = 0; i < 2; i++)
                routers[i] = tls_router_start(certs, addresses[i], "old");
        (void) snprintf(path, sizeof(path), "%s/new.pem", certs);
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        assert_true(getdelim(&pem, &size, '\0', f) > 0);
        (void) fclose(f);
        cJSON *o = cJSON_CreateString(pem);
        _cleanup_(freep) char *json = cJSON_PrintUnformatted(o);
        cJSON_Delete(o);
        free(pem);
        assert_true(
                asprintf(
                        &text,
                        "{\"acme\":{\"prod\":{\"keystores\":{\"ks\":{\"a\":%s}},\"virtualhosts\":{\"secure\":{"
                        "\"name\":\"secure\",\"port\":\"9443\",\"hostAliases\":[\"api.example.com\"],"
                        "\"sSLInfo\":{\"enabled\":\"true\",\"keyAlias\":\"a\",\"keyStore\":\"ks\"}}}}}}",
                        json) > 0);
        Standin *s = standin_new(text, "[" LISTED("router", "1") "," LISTED("router", "2") "]");
        configure(w, s, "");
        return s;
}

static void certificates_done(World *w)
{
        for (size_t i = 0; i < 2; i++)
                tls_router_stop(&routers[i]);
        world_done(w);
}

static void serve_new(size_t node)
{
        static const char *const addresses[] = { "10.0.0.1", "10.0.0.2" };
        tls_router_stop(&routers[node]);
        routers[node] = tls_router_start(certs, addresses[node], "new");
}

/* A restart that brings what is in the keystore. */
static void restart_serves_new(World *w, size_t node, const char *member)
{
        (void) w;
        if (strcmp(member, "Go") == 0)
                serve_new(node);
}

static void press_and_serve_new(World *w, size_t node, const char *member)
{
        restart_serves_new(w, node, member);
        if (strcmp(member, "Go") == 0)
                (void) kill(getpid(), SIGINT);
}

static bool cannot_serve(void)
{
        return !standin_have() || !tls_router_have() || !alone;
}

static void a_roll_is_done_when_the_routers_serve_what_they_should(void **state)
{
        static World w;
        (void) state;
        if (cannot_serve())
                skip();
        Standin *s = edge_with_certificates(&w);
        world_ends(&w, "edge-roll restart --nodes n1,n2 --why --yes", RESULT_PROBLEMS);
        assert_string_equal(w.order, "n1 n2");
        world_says(&w, "the certificate is not proven: 2 times");
        world_says(&w, "router 10.0.0.2 serves the certificate");
        world_again(&w);
        w.on_call = restart_serves_new;
        world_ends(&w, "edge-roll restart --nodes n1,n2 --why --yes --json", RESULT_DONE);
        world_says(&w, "\"event\":\"proof\"");
        world_says(&w, "now, before");
        assert_string_equal(w.order, "n1 n2");
        (void) standin_free(s);
        certificates_done(&w);
}

static void one_that_is_restarted_if_needed_proves_it_too(void **state)
{
        static World w;
        (void) state;
        if (cannot_serve())
                skip();
        Standin *s = edge_with_certificates(&w);
        serve_new(0);
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --if-needed --yes", RESULT_PROBLEMS);
        assert_string_equal(w.order, "n2");
        world_says(&w, "the certificate is not proven: 1 times");
        world_again(&w);
        w.on_call = restart_serves_new;
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --if-needed --yes", RESULT_DONE);
        assert_string_equal(w.order, "n2");
        world_says(&w, "router 10.0.0.2 serves the certificate");
        world_ends(&w, "edge-roll restart router --nodes n1,n2 --if-needed --yes", RESULT_NOT_NEEDED);
        (void) standin_free(s);
        certificates_done(&w);
}

/* With what was known when the roll began: the Management Server is gone. */
static void a_resumed_roll_proves_what_it_would_have_proven(void **state)
{
        static World w;
        char line[256];
        (void) state;
        if (cannot_serve())
                skip();
        Standin *s = edge_with_certificates(&w);
        w.on_call = press_and_serve_new;
        world_ends(&w, "edge-roll restart --nodes n1,n2 --why --yes", RESULT_INTERRUPTED);
        assert_string_equal(w.order, "n1");
        const char *at = strstr(w.lines, "edge-roll resume 2");
        assert_non_null(at);
        (void) snprintf(line, sizeof(line), "%.*s --yes", (int) strcspn(at, "\n"), at);
        (void) standin_free(s);

        /* The other one comes back with the old certificate. */
        world_again(&w);
        world_ends(&w, line, RESULT_PROBLEMS);
        assert_string_equal(w.order, "n2");
        world_says(&w, "router 10.0.0.1 serves the certificate");
        world_says(&w, "router 10.0.0.2 serves the certificate");
        world_says(&w, "as before, and not");
        world_says(&w, "the certificate is not proven: 1 times");

        /* Nothing is left of it but that; it is looked at again as often as somebody asks. */
        world_again(&w);
        world_ends(&w, line, RESULT_PROBLEMS);
        assert_string_equal(w.order, "");
        serve_new(1);
        world_ends(&w, line, RESULT_DONE);
        assert_string_equal(w.order, "");
        world_says(&w, "router 10.0.0.2 serves the certificate");
        world_ends(&w, line, RESULT_NOT_NEEDED);
        assert_int_equal(world_restarts(&w), 2);
        certificates_done(&w);
}

int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plan_and_a_roll_show_what_is_down_and_what_is_wrong),
                cmocka_unit_test(whatever_the_management_server_does_a_roll_goes_on),
                cmocka_unit_test(what_was_found_before_the_time_was_over_is_shown),
                cmocka_unit_test(who_cannot_be_asked_at_all_is_told_in_one_line),
                cmocka_unit_test(what_edge_or_an_agent_says_is_needed_is_restarted),
                cmocka_unit_test(what_somebody_says_was_changed_is_looked_up),
                cmocka_unit_test(where_edge_cannot_be_asked_the_agents_decide_and_not_needed_is_not_said),
                cmocka_unit_test(what_must_be_restarted_with_no_server_known_is_not_not_needed),
                cmocka_unit_test(what_edge_has_said_counts_in_a_resume),
                cmocka_unit_test(a_server_that_needs_it_and_is_on_no_node_is_told),
                cmocka_unit_test(a_roll_is_done_when_the_routers_serve_what_they_should),
                cmocka_unit_test(one_that_is_restarted_if_needed_proves_it_too),
                cmocka_unit_test(a_resumed_roll_proves_what_it_would_have_proven),
        };
        /* Routers have addresses of their own. */
        alone = !ns_enter() && ns_addr(ns_here(), "lo", "10.0.0.1", 32) &&
                ns_addr(ns_here(), "lo", "10.0.0.2", 32);
        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
