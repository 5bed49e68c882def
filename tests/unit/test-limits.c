/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Limits on what others send: each is a row, the largest that is read and one more. The larger one is refused
 * with -E2BIG, and the sentence has the limit in it. Those of bundles are in test-bundle, those of JSON as
 * such in test-json.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/edge/api.h"
#include "agent/edge/lint.h"
#include "agent/edge/password.h"
#include "probes/deployments-json.h"
#include "probes/edge-json.h"
#include "probes/edge-xml.h"
#include "probes/json.h"
#include "probes/monit-xml.h"
#include "probes/pem.h"
#include "probes/probing.h"
#include "probes/servers-json.h"
#include "probes/snapshot.h"
#include "probes/store-json.h"
#include "probes/target.h"
#include "probes/vhost-json.h"
#include "tests/lib/origin.h"

/* ---- texts of a size ---- */

/* @head, @n times @item with @between them, @tail. */
static char *repeated(const char *head, const char *item, const char *between, size_t n, const char *tail)
{
        size_t size = strlen(head) + n * (strlen(item) + strlen(between)) + strlen(tail) + 1;
        char *text = malloc(size), *at = text;
        assert_non_null(text);
        at = stpcpy(at, head);
        for (size_t i = 0; i < n; i++)
                at = stpcpy(stpcpy(at, i > 0 ? between : ""), item);
        (void) stpcpy(at, tail);
        return text;
}

/* The same with a number for the # in each: they are different, and in order. */
static char *numbered(const char *head, const char *item, size_t n, const char *tail)
{
        size_t size = strlen(head) + n * (strlen(item) + 12) + strlen(tail) + 1;
        char *text = malloc(size), *at = text;
        assert_non_null(text);
        at = stpcpy(at, head);
        for (size_t i = 0; i < n; i++) {
                const char *hole = strchr(item, '#');
                at += snprintf(at, size - (size_t) (at - text), "%s%.*s%06zu%s", i > 0 ? "," : "",
                               (int) (hole - item), item, i, hole + 1);
        }
        (void) stpcpy(at, tail);
        return text;
}

/* @text and blanks, @n bytes in all. */
static char *padded(const char *text, size_t n)
{
        char *all = malloc(n + 1);
        assert_non_null(all);
        assert_true(strlen(text) <= n);
        memset(all, ' ', n);
        memcpy(all, text, strlen(text));
        all[n] = '\0';
        return all;
}

/* ---- who reads them: 0 or more, or a negative errno ---- */

static int read_xml(const char *text, Err *err)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        int r = edge_xml_read(text, strlen(text), &x, err);
        return r < 0 ? r : x->kind == EDGE_XML_OTHER ? -ENOMSG : 0;
}

static int read_deployments(const char *text, Err *err)
{
        _cleanup_(deployments_freep) Deployments *d = NULL;
        return deployments_parse(text, strlen(text), "prod", &d, err);
}

static int read_store(const char *text, Err *err)
{
        _cleanup_(store_freep) Store *s = NULL;
        return store_parse(text, strlen(text), &s, err);
}

static int read_reference(const char *text, Err *err)
{
        StoreReference ref;
        return store_reference_parse(text, strlen(text), &ref, err);
}

static int read_vhost(const char *text, Err *err)
{
        _cleanup_(vhost_freep) Vhost *v = NULL;
        return vhost_parse(text, strlen(text), &v, err);
}

static int read_target(const char *text, Err *err)
{
        _cleanup_(target_freep) Target *t = NULL;
        return target_read(text, strlen(text), &t, err);
}

static int read_pem(const char *text, Err *err)
{
        char print[SHA256_TEXT_SIZE];
        return pem_fingerprint(text, strlen(text), print, err);
}

static int read_self(const char *text, Err *err)
{
        EdgeSelf self;
        return edge_self_parse(text, strlen(text), &self, err);
}

static int read_list(const char *text, Err *err)
{
        _cleanup_(edge_list_freep) char **list = NULL;
        return edge_list_parse(text, strlen(text), &list, err);
}

static int read_monit(const char *text, Err *err)
{
        MonitCheck check;
        return monit_xml_find(text, strlen(text), "a", &check, err);
}

static int read_servers(const char *text, Err *err)
{
        _cleanup_(servers_freep) Servers *s = NULL;
        return servers_parse(text, strlen(text), &s, err);
}

static int read_snapshot(const char *text, Err *err)
{
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        return snapshot_from_json(text, &s, err);
}

/* @text: a path without the "/v1" in front; each part of it is a name. */
static int read_path(const char *text, Err *err)
{
        _cleanup_(freep) char *copy = strdup(text), *path = NULL;
        const char *segments[40] = { NULL };
        size_t n = 0;
        assert_non_null(copy);
        for (char *part = strtok(copy, "/"); part; part = strtok(NULL, "/"))
                segments[n++] = part;
        assert_true(n < ELEMENTS(segments));
        int r = api_path(&path, segments, err);
        assert_true(r < 0 || strlen(path) == strlen(text) + strlen("/v1"));
        return r;
}

static int check_servers(const char *text, Err *err)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        _cleanup_(lint_done) LintFindings found = { 0 };
        int r = edge_xml_read(text, strlen(text), &x, err);
        if (r >= 0)
                r = lint_document(x, NULL, &found);
        for (size_t i = 0; r >= 0 && i < found.n; i++)
                if (found.items[i].rule == LINT_TOO_MANY_SERVERS)
                        r = err_set(err, -E2BIG, "%s %s", found.items[i].text,
                                    lint_rule(LINT_TOO_MANY_SERVERS)->why);
        return r;
}

/* ---- what they read ---- */

#define SERVER_XML "<TargetServer name='a'><Host>h</Host><Port>1</Port></TargetServer>"
#define SERVER     "{\"name\":\"a\",\"host\":\"h\",\"port\":1"

static char *xml_bytes(size_t n)
{
        return padded(SERVER_XML, n);
}
static char *xml_depth(size_t n)
{
        char *open = repeated("<TargetEndpoint name='t'>", "<a>", "", n - 1, "");
        char *all = repeated(open, "</a>", "", n - 1, "</TargetEndpoint>");
        free(open);
        return all;
}
static char *xml_elements(size_t n)
{
        return repeated("<TargetEndpoint name='t'>", "<a/>", "", n - 1, "</TargetEndpoint>");
}
static char *xml_attributes(size_t n)
{
        char *text = numbered("<TargetEndpoint ", "a#='1'", n, "/>");
        for (char *c = text; *c; c++)
                if (*c == ',')
                        *c = ' ';
        return text;
}
static char *deployments_bytes(size_t n)
{
        return padded("{\"aPIProxy\":[],\"name\":\"prod\"}", n);
}
/* Each [, { and comma is one, and what comes first. */
static char *deployments_values(size_t n)
{
        return repeated("{\"aPIProxy\":[],\"name\":\"prod\",\"x\":[", "0", ",", n - 5, "]}");
}
static char *deployments_rows(size_t n)
{
        return numbered("{\"aPIProxy\":[{\"name\":\"p\",\"revision\":[",
                        "{\"name\":\"#\",\"state\":\"deployed\",\"server\":[]}", n, "]}],\"name\":\"prod\"}");
}
static char *deployments_servers(size_t n)
{
        return repeated(
                "{\"aPIProxy\":[{\"name\":\"p\",\"revision\":[{\"name\":\"1\",\"state\":\"deployed\",\"server\":[",
                "{\"uUID\":\"u\",\"status\":\"deployed\",\"type\":[\"router\"]}", ",", n,
                "]}]}],\"name\":\"prod\"}");
}
static char *store_bytes(size_t n)
{
        return padded("{\"name\":\"k\",\"certs\":[],\"keys\":[]}", n);
}
static char *reference_bytes(size_t n)
{
        return padded("{\"name\":\"r\",\"refers\":\"k\",\"resourceType\":\"KeyStore\"}", n);
}
static char *vhost_bytes(size_t n)
{
        return padded("{\"name\":\"v\",\"port\":\"443\"}", n);
}
static char *vhost_aliases(size_t n)
{
        return numbered("{\"name\":\"v\",\"port\":\"443\",\"hostAliases\":[", "\"h#.example.com\"", n, "]}");
}
static char *target_bytes(size_t n)
{
        return padded(SERVER "}", n);
}
static char *target_protocols(size_t n)
{
        return numbered(SERVER ",\"sSLInfo\":{\"enabled\":\"true\",\"protocols\":[", "\"P#\"", n, "]}}");
}
static char *target_ciphers(size_t n)
{
        return numbered(SERVER ",\"sSLInfo\":{\"enabled\":\"true\",\"ciphers\":[", "\"C#\"", n, "]}}");
}
static char *pem_bytes(size_t n)
{
        return padded("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", n);
}
static char *self_bytes(size_t n)
{
        return padded("{\"uUID\":\"u\"}", n);
}
static char *list_bytes(size_t n)
{
        return padded("[\"a\"]", n);
}
static char *list_names(size_t n)
{
        return numbered("[", "\"n#\"", n, "]");
}
static char *list_name(size_t n)
{
        return repeated("[\"", "n", "", n, "\"]");
}
static char *monit_bytes(size_t n)
{
        return padded(
                "<monit><service><name>a</name><monitor>1</monitor><pendingaction>0</pendingaction></service></monit>",
                n);
}
static char *servers_bytes(size_t n)
{
        return padded("[]", n);
}
static char *servers_rows(size_t n)
{
        return numbered("[", "{\"uUID\":\"u#\",\"type\":[\"router\"]}", n, "]");
}
static char *snapshot_bytes(size_t n)
{
        return padded("{\"organizations\":{\"acme\":{\"prod\":null}},\"why\":\"\"}", n);
}
static char *snapshot_names(size_t n)
{
        return numbered("{\"organizations\":{", "\"o#\":null", n, "}}");
}
/* "/o/nnn...": 200 of a name, so that none is too long. */
static char *path_bytes(size_t n)
{
        char *text = malloc(n + 1);
        assert_non_null(text);
        n -= strlen("/v1");
        memset(text, 'n', n);
        for (size_t i = 0; i + 1 < n; i += 200)
                text[i] = '/';
        text[n] = '\0';
        return text;
}
static char *balancer_servers(size_t n)
{
        char *text =
                numbered("<TargetEndpoint name='t'><HTTPTargetConnection><LoadBalancer>",
                         "<Server name='s#'/>", n, "</LoadBalancer></HTTPTargetConnection></TargetEndpoint>");
        for (char *c = text; *c; c++)
                if (*c == ',')
                        *c = ' ';
        return text;
}

static void test_limits(void **state _unused_)
{
        static const struct {
                const char *what;
                size_t limit;
                char *(*make)(size_t n);
                int (*read)(const char *text, Err *err);
        } limits[] = {
                { "bytes of XML", EDGE_XML_MAX, xml_bytes, read_xml },
                { "elements of XML within each other", EDGE_XML_DEPTH_MAX, xml_depth, read_xml },
                { "elements of XML", EDGE_XML_ELEMENTS_MAX, xml_elements, read_xml },
                { "attributes of an element", 256, xml_attributes, read_xml },
                { "bytes of deployments", DEPLOYMENTS_MAX, deployments_bytes, read_deployments },
                { "values of deployments", DEPLOYMENTS_VALUES_MAX, deployments_values, read_deployments },
                { "deployments", DEPLOYMENTS_ROWS_MAX, deployments_rows, read_deployments },
                { "servers of a deployment", DEPLOYMENTS_SERVERS_MAX, deployments_servers, read_deployments },
                { "bytes of a keystore", STORE_JSON_MAX, store_bytes, read_store },
                { "bytes of a reference", STORE_JSON_MAX, reference_bytes, read_reference },
                { "bytes of a virtual host", VHOST_JSON_MAX, vhost_bytes, read_vhost },
                { "aliases of a virtual host", VHOST_ALIASES_MAX, vhost_aliases, read_vhost },
                { "bytes of a target server, JSON", TARGET_MAX, target_bytes, read_target },
                { "bytes of a target server, XML", TARGET_MAX, xml_bytes, read_target },
                { "protocols of a target server", TARGET_WORDS_MAX, target_protocols, read_target },
                { "ciphers of a target server", TARGET_WORDS_MAX, target_ciphers, read_target },
                { "bytes of a certificate", PEM_MAX, pem_bytes, read_pem },
                { "bytes of a server's own word", EDGE_JSON_MAX, self_bytes, read_self },
                { "bytes of a list", EDGE_JSON_MAX, list_bytes, read_list },
                { "names in a list", EDGE_LIST_MAX, list_names, read_list },
                { "bytes of a name", EDGE_NAME_MAX, list_name, read_list },
                { "bytes of monit's state", MONIT_XML_MAX, monit_bytes, read_monit },
                { "bytes of the servers", SERVERS_JSON_MAX, servers_bytes, read_servers },
                { "servers", SERVERS_MAX, servers_rows, read_servers },
                { "bytes of a snapshot", SNAPSHOT_JSON_MAX, snapshot_bytes, read_snapshot },
                { "names in a snapshot", SNAPSHOT_NAMES_MAX, snapshot_names, read_snapshot },
                { "bytes of a path", API_PATH_MAX, path_bytes, read_path },
                { "servers of a LoadBalancer", LINT_SERVERS_MAX, balancer_servers, check_servers },
        };
        size_t bad = 0;
        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                Err err = { 0 };
                char number[24], *text = limits[i].make(limits[i].limit);
                int r = limits[i].read(text, &err);
                if (r < 0) {
                        print_error("%s, %zu: %d %s\n", limits[i].what, limits[i].limit, r, err.text);
                        bad++;
                }
                free(text);
                text = limits[i].make(limits[i].limit + 1);
                r = limits[i].read(text, &err);
                free(text);
                (void) snprintf(number, sizeof(number), "%zu", limits[i].limit);
                if (r != -E2BIG || !strstr(err.text, number)) {
                        print_error("%s, %zu + 1: %d %s\n", limits[i].what, limits[i].limit, r, err.text);
                        bad++;
                }
        }
        assert_int_equal(bad, 0);
}

/* ---- what comes over a connection ---- */

typedef struct Door {
        sd_event *event;
        Origin *origin;
        char head[200];
} Door;

static void open_door(Door *d)
{
        assert_true(sd_event_new(&d->event) >= 0);
        d->origin = origin_new(d->event, ORIGIN_OPEN);
}

static void close_door(Door *d)
{
        (void) origin_free(d->origin);
        (void) sd_event_unref(d->event);
}

/* With its length in front, or without: then it ends when the connection does. */
static void answer_bytes(Door *d, size_t n, bool told)
{
        static char filler[64 * 1024 + 1];
        char length[64] = "";
        memset(filler, 'a', sizeof(filler) - 1);
        if (told)
                (void) snprintf(length, sizeof(length), "Content-Length: %zu\r\n", n);
        (void) snprintf(d->head, sizeof(d->head), "HTTP/1.1 200 OK\r\n%sConnection: close\r\n\r\n", length);
        origin_on(d->origin, "*", (OriginReply){ .text = d->head, .filler = filler, .filler_bytes = n });
}

static void test_answers_of_the_api(void **state _unused_)
{
        static const struct {
                size_t max, limit;
                const char *said;
        } rows[] = { { 0, API_BODY_MAX, "8 MiB" }, { 64 * 1024, 64 * 1024, "64 KiB" } };
        Door d;
        _cleanup_(api_freep) Api *api = NULL;
        char url[64], hint[300];
        Err err = { 0 };

        open_door(&d);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", origin_port(d.origin));
        assert_int_equal(api_new(&api, &(ApiOptions){ .url = url, .event = d.event }, hint, sizeof(hint),
                                 &err),
                         0);
        for (size_t i = 0; i < ELEMENTS(rows) * 4; i++) {
                size_t row = i / 4, over = i / 2 % 2;
                _cleanup_(api_answer_done) ApiAnswer a = { 0 };
                answer_bytes(&d, rows[row].limit + over, i % 2);
                assert_int_equal(api_call(api,
                                          &(ApiRequest){ .path = "/v1/regions", .max_bytes = rows[row].max },
                                          &a, &err),
                                 0);
                if (a.kind != (over ? API_FOREIGN : API_OK))
                        fail_msg("%zu + %zu: %s %s", rows[row].limit, over, api_kind_name(a.kind), a.text);
                if (!over)
                        assert_int_equal(a.body_len, rows[row].limit);
                else if (!strstr(a.text, rows[row].said))
                        fail_msg("%s", a.text);
        }
        api = api_free(api);
        close_door(&d);
}

static void probe_on_result(Probing *p _unused_, size_t index _unused_, const ProbeResult *r, void *userdata)
{
        ProbeResult *keep = userdata;
        *keep = *r;
        keep->text = NULL;
}

/* The body of a check is not needed: a long one is no failure, and it is said that it was not read. */
static void test_bodies_of_checks(void **state _unused_)
{
        static const EdgeNumbers any = { 0 };
        static const EdgeHeaders none = { 0 };
        Door d;

        open_door(&d);
        for (size_t over = 0; over < 2; over++) {
                _cleanup_(probing_freep) Probing *p = NULL;
                ProbingOptions options = { .event = d.event };
                ProbeSpec spec = { .kind = PROBE_HTTP,
                                   .host = "127.0.0.1",
                                   .port = origin_port(d.origin),
                                   .path = "/",
                                   .codes = &any,
                                   .headers = &none,
                                   .expected_headers = &none,
                                   .connect_usec = USEC_PER_SEC,
                                   .read_usec = 5 * USEC_PER_SEC };
                ProbeResult result = { 0 };
                Err err = { 0 };
                answer_bytes(&d, PROBING_BODY_MAX + over, true);
                assert_int_equal(probing_new(&p, &options, &err), 0);
                assert_int_equal(probing_add(p, &spec, "", "", &err), 0);
                assert_int_equal(probing_run(p, probe_on_result, &result, &err), 0);
                assert_int_equal(result.layer, PROBE_OK);
                assert_int_equal(result.notes & PROBE_NOTE_BODY_CUT, over ? PROBE_NOTE_BODY_CUT : 0);
        }
        close_door(&d);
}

static void test_password(void **state _unused_)
{
        char path[] = "/tmp/edge-roll-password.XXXXXX", text[PASSWORD_MAX + 2], from[200];
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        memset(text, 'p', sizeof(text));
        for (size_t over = 0; over < 2; over++) {
                char *password = NULL;
                Err err = { 0 };
                assert_int_equal(pwrite(fd, text, PASSWORD_MAX + over, 0), PASSWORD_MAX + over);
                assert_int_equal(password_find(path, &password, from, sizeof(from), &err),
                                 over ? -EINVAL : 0);
                if (over)
                        assert_non_null(strstr(err.text, "1024"));
                else
                        assert_int_equal(strlen(password), PASSWORD_MAX);
                (void) password_free(password);
        }
        (void) close(fd);
        (void) unlink(path);
}

static void test_checks_at_once(void **state _unused_)
{
        _cleanup_(probing_freep) Probing *p = NULL;
        sd_event *event = NULL;
        ProbeSpec spec = { .host = "127.0.0.1", .port = 1, .connect_usec = 1, .read_usec = 1 };
        Err err = { 0 };

        assert_true(sd_event_new(&event) >= 0);
        ProbingOptions options = { .event = event };
        assert_int_equal(probing_new(&p, &options, &err), 0);
        for (int i = 0; i < PROBING_MAX; i++)
                assert_int_equal(probing_add(p, &spec, "", "", &err), i);
        assert_int_equal(probing_add(p, &spec, "", "", &err), -E2BIG);
        assert_non_null(strstr(err.text, "20000"));
        (void) sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_limits),           cmocka_unit_test(test_answers_of_the_api),
                cmocka_unit_test(test_bodies_of_checks), cmocka_unit_test(test_password),
                cmocka_unit_test(test_checks_at_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
