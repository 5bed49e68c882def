/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rotations: the documentation's own examples, and every stand of a server. Each case: a LoadBalancer, what
 * the environment and the checks say, and for each server in order "STAND SHARE%". */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/edge/rotation.h"
#include "probes/json.h"

typedef struct Case {
        const char *what, *balancer, *monitor;
        const char *unknown, *disabled, *down; /* names, a blank before and behind each; NULL: nobody asked */
        const char *servers;                   /* expected */
        const char *next;                      /* a part of the sentence */
        bool fallback, nobody;
} Case;

static const Case cases[] = {
        { .what = "round robin is the default",
          .balancer = "<Server name='a'/><Server name='b'/>",
          .servers = "in 50, in 50",
          .next = "is tried on another server; no server is ever taken out (MaxFailures is 0)" },
        { .what = "one server",
          .balancer = "<Server name='a'/>",
          .servers = "in 100",
          .next = "has no other server to be tried on" },
        { .what = "weights 1 and 2",
          .balancer = "<Algorithm>Weighted</Algorithm><Server name='a'><Weight>1</Weight></Server>"
                      "<Server name='b'><Weight>2</Weight></Server>",
          .servers = "in 33, in 67" },
        { .what = "a weight of 0 gets nothing",
          .balancer = "<Algorithm>Weighted</Algorithm><Server name='a'><Weight>0</Weight></Server>"
                      "<Server name='b'><Weight>5</Weight></Server>",
          .servers = "in 0, in 100" },
        { .what = "a missing weight makes all shares unknown",
          .balancer =
                  "<Algorithm>Weighted</Algorithm><Server name='a'><Weight>1</Weight></Server><Server name='b'/>",
          .servers = "in ?, in ?" },
        { .what = "weights that are all 0",
          .balancer = "<Algorithm>Weighted</Algorithm><Server name='a'><Weight>0</Weight></Server>",
          .servers = "in ?" },
        { .what = "least connections",
          .balancer = "<Algorithm>LeastConnections</Algorithm><Server name='a'/><Server name='b'/>",
          .servers = "in 50, in 50" },
        { .what = "a fallback waits",
          .balancer =
                  "<Server name='a'/><Server name='b'/><Server name='c'><IsFallback>true</IsFallback></Server>",
          .servers = "in 50, in 50, waiting 0" },
        { .what = "it is engaged when all others are disabled",
          .balancer =
                  "<Server name='a'/><Server name='b'/><Server name='c'><IsFallback>true</IsFallback></Server>",
          .disabled = " a b ",
          .servers = "disabled 0, disabled 0, fallback 100",
          .fallback = true },
        { .what = "and when all others are out, but not before",
          .balancer =
                  "<Server name='a'/><Server name='b'/><Server name='c'><IsFallback>true</IsFallback></Server>"
                  "<MaxFailures>3</MaxFailures>",
          .down = " a ",
          .servers = "out 0, in 100, waiting 0",
          .next = "after 3 in a row the server is out until the proxy is deployed again, and the fallback takes over" },
        { .what = "all others out",
          .balancer =
                  "<Server name='a'/><Server name='b'/><Server name='c'><IsFallback>true</IsFallback></Server>"
                  "<MaxFailures>3</MaxFailures>",
          .down = " a b ",
          .servers = "out 0, out 0, fallback 100",
          .fallback = true },
        { .what = "a weighted fallback takes all, whatever its weight",
          .balancer = "<Algorithm>Weighted</Algorithm><Server name='a'><Weight>1</Weight></Server>"
                      "<Server name='c'><IsFallback>true</IsFallback></Server>",
          .disabled = " a ",
          .servers = "disabled 0, fallback 100",
          .fallback = true },
        { .what = "with MaxFailures 0 one that is down stays in",
          .balancer = "<Server name='a'/><Server name='b'/>",
          .down = " a ",
          .servers = "failing 50, in 50",
          .next = "is tried on another server, and 1 of the 2 do not answer; no server is ever taken out" },
        { .what = "all down with MaxFailures 0",
          .balancer = "<Server name='a'/><Server name='b'/>",
          .down = " a b ",
          .servers = "failing 50, failing 50",
          .next = "is tried on another server, and none of the 2 answers; no server is ever taken out" },
        { .what = "the last one, and no fallback",
          .balancer = "<Server name='a'/><Server name='b'/><MaxFailures>2</MaxFailures>",
          .down = " b ",
          .servers = "in 100, out 0",
          .next = "has no other server to be tried on; after 2 in a row the server is out until the proxy is deployed again, "
                  "and then every request fails" },
        { .what = "the last one, and a fallback that is down, too",
          .balancer =
                  "<Server name='a'/><Server name='c'><IsFallback>true</IsFallback></Server><MaxFailures>2</MaxFailures>",
          .down = " c ",
          .servers = "in 100, out 0",
          .next = "and then every request fails" },
        { .what = "a monitor without an interval never checks, and brings nobody back",
          .balancer = "<Server name='a'/><Server name='b'/><MaxFailures>5</MaxFailures>",
          .monitor = "<HealthMonitor><IsEnabled>true</IsEnabled><TCPMonitor/></HealthMonitor>",
          .servers = "in 50, in 50",
          .next = "until the proxy is deployed again" },
        { .what = "a fallback that is down and not needed",
          .balancer = "<Server name='a'/><Server name='c'><IsFallback>true</IsFallback></Server>",
          .down = " c ",
          .servers = "in 100, failing 0" },
        { .what = "a fallback that is down and needed stays in with MaxFailures 0",
          .balancer = "<Server name='a'/><Server name='c'><IsFallback>true</IsFallback></Server>",
          .disabled = " a ",
          .down = " c ",
          .servers = "disabled 0, failing 100",
          .fallback = true },
        { .what = "everybody out, the fallback too",
          .balancer =
                  "<Server name='a'/><Server name='c'><IsFallback>true</IsFallback></Server><MaxFailures>1</MaxFailures>",
          .down = " a c ",
          .servers = "out 0, out 0",
          .next = "every request fails: no server is left",
          .nobody = true },
        { .what = "unknown ones get nothing",
          .balancer = "<Server name='a'/><Server name='b'/>",
          .unknown = " b ",
          .servers = "in 100, unknown 0" },
        { .what = "disabled in the document",
          .balancer = "<Server name='a'><IsEnabled>false</IsEnabled></Server><Server name='b'/>",
          .servers = "disabled 0, in 100" },
        { .what = "no servers at all", .balancer = "", .servers = "", .nobody = true },
        { .what = "with a monitor they come back",
          .balancer =
                  "<Server name='a'/><Server name='b'/><MaxFailures>5</MaxFailures><RetryEnabled>false</RetryEnabled>",
          .monitor = "<HealthMonitor><IsEnabled>true</IsEnabled><IntervalInSec>7</IntervalInSec><TCPMonitor>"
                     "<ConnectTimeoutInSec>1</ConnectTimeoutInSec></TCPMonitor></HealthMonitor>",
          .servers = "in 50, in 50",
          .next = "fails (RetryEnabled is false); after 5 in a row the server is out until its monitor finds it well (asked "
                  "every 7 s)" },
};

static bool named(const char *list, const char *name)
{
        char word[40];
        (void) snprintf(word, sizeof(word), " %s ", name);
        return list && strstr(list, word);
}

/* The environment's servers: all that the document names, but the unknown ones. */
static size_t environment(const Case *c, const EdgeXml *x, EdgeTargetServer *ret)
{
        size_t n = 0;
        for (size_t i = 0; i < x->connection.balancer.n_servers; i++) {
                const char *name = x->connection.balancer.servers[i].name.value;
                if (named(c->unknown, name))
                        continue;
                ret[n] = (EdgeTargetServer){ .name.value = name,
                                             .host = { .value = "10.1.1.1", .line = 1 },
                                             .port = { .set = true, .value = 80 } };
                if (named(c->disabled, name))
                        ret[n].enabled = (EdgeFlag){ .set = true };
                n++;
        }
        return n;
}

typedef struct Made {
        EdgeXml *x;
        EdgeTargetServer servers[8];
        RotationCheck found[8];
        const RotationCheck *checks[8];
        Rotation rotation;
} Made;

/* What the checks said: of those that are down, and of the others. */
static void asked(const Case *c, Made *m)
{
        for (size_t i = 0; i < m->x->connection.balancer.n_servers; i++) {
                bool down = named(c->down, m->x->connection.balancer.servers[i].name.value);
                m->found[i] = (RotationCheck){ .down = down,
                                               .layer = down ? PROBE_CONNECT : PROBE_OK,
                                               .elapsed_usec = 250 * USEC_PER_MSEC };
                (void) snprintf(m->found[i].text, sizeof(m->found[i].text), "%s",
                                down ? "refused\x1b" : "all is well");
                m->checks[i] = &m->found[i];
        }
}

static void made(const Case *c, Made *m)
{
        char xml[2000];
        LintServers known = { .items = m->servers };
        Err err = { 0 };
        (void) snprintf(xml, sizeof(xml),
                        "<TargetEndpoint name='t'><HTTPTargetConnection><LoadBalancer>%s</LoadBalancer>%s"
                        "<Path>/p\x7f</Path></HTTPTargetConnection></TargetEndpoint>",
                        c->balancer, c->monitor ? c->monitor : "");
        if (edge_xml_read(xml, strlen(xml), &m->x, &err) < 0)
                fail_msg("%s: %s", c->what, err.text);
        known.n = environment(c, m->x, m->servers);
        asked(c, m);
        assert_int_equal(rotation_of(&m->x->connection, &known, c->down ? m->checks : NULL, &m->rotation), 0);
}

static void made_done(Made *m)
{
        rotation_done(&m->rotation);
        m->x = edge_xml_free(m->x);
}

static void test_cases(void **state _unused_)
{
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const Case *c = &cases[i];
                Made m = { 0 };
                char text[400] = "", next[300];
                double sum = 0;
                made(c, &m);
                for (size_t k = 0; k < m.rotation.n; k++) {
                        const RotationServer *s = &m.rotation.servers[k];
                        size_t n = strlen(text);
                        sum += s->share;
                        if (s->share < 0)
                                (void) snprintf(text + n, sizeof(text) - n, "%s%s ?", k ? ", " : "",
                                                rotation_stand_name(s->stand));
                        else
                                (void) snprintf(text + n, sizeof(text) - n, "%s%s %.0f", k ? ", " : "",
                                                rotation_stand_name(s->stand), s->share * 100);
                }
                if (strcmp(text, c->servers) != 0)
                        fail_msg("%s: %s, expected %s", c->what, text, c->servers);
                assert_true(m.rotation.nobody || sum < 0 || (sum > 0.999 && sum < 1.001));
                if (m.rotation.fallback != c->fallback || m.rotation.nobody != c->nobody)
                        fail_msg("%s: fallback %d, nobody %d", c->what, m.rotation.fallback,
                                 m.rotation.nobody);
                rotation_next_failure(&m.rotation, next, sizeof(next));
                if (c->next && !strstr(next, c->next))
                        fail_msg("%s: %s", c->what, next);
                made_done(&m);
        }
}

/* Both faces say the same, and neither lets a control character through. */
static void test_faces(void **state _unused_)
{
        Made m = { 0 };
        _cleanup_(freep) char *json = NULL, *text = NULL;
        size_t size;

        made(&cases[9], &m);
        assert_int_equal(rotation_json(&m.rotation, "a\x1b.zip", "TargetEndpoint", "t", &json), 0);
        _cleanup_(json_closep) cJSON *o = cJSON_Parse(json);
        assert_non_null(o);
        const cJSON *servers = cJSON_GetObjectItemCaseSensitive(o, "servers");
        assert_int_equal(cJSON_GetArraySize(servers), 3);
        assert_string_equal(json_text(cJSON_GetArrayItem(servers, 0), "stand"), "out");
        assert_int_equal(json_number(cJSON_GetArrayItem(servers, 1), "share", -1), 1);
        assert_string_equal(json_text(o, "algorithm"), "RoundRobin");
        assert_int_equal(json_number(o, "max_failures", -1), 3);
        assert_true(json_true(o, "checked"));
        const cJSON *check = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(servers, 0), "check");
        assert_string_equal(json_text(check, "layer"), "connect");
        assert_true(json_true(check, "down"));
        assert_string_equal(json_text(check, "text"), "refused\x1b");

        FILE *f = open_memstream(&text, &size);
        assert_non_null(f);
        rotation_text(f, &m.rotation, "a\x1b.zip", "TargetEndpoint", "t", false);
        (void) fclose(f);
        assert_null(strchr(text, 0x1b));
        assert_null(strchr(text, 0x7f));
        assert_non_null(strstr(
                text,
                "TargetEndpoint t  a?.zip:1\n  RoundRobin, MaxFailures 3, retries, no HealthMonitor, Path /p?\n"));
        assert_non_null(strstr(text, "  a           -  does not answer: out of rotation  10.1.1.1:80\n"
                                     "                 connect: refused?\n"));
        assert_null(strstr(text, "all is well"));
        assert_non_null(strstr(text, "  b       100 %  in rotation  10.1.1.1:80\n"));
        made_done(&m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_faces),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
