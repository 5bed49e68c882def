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

#include "probes/snapshot.h"
#include "tests/lib/origin.h"

/* --- pure: JSON and comparing --- */

static Snapshot *from(const char *organizations)
{
        char json[4096];
        Snapshot *s = NULL;
        Err err = { 0 };

        (void) snprintf(json, sizeof(json), "{\"organizations\":%s,\"why\":\"\"}", organizations);
        if (snapshot_from_json(json, &s, &err) != 0)
                fail_msg("%s: %s", json, err.text);
        return s;
}

static void expect_round_trip(const char *json)
{
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        _cleanup_(freep) char *again = NULL;
        Err err = { 0 };

        if (snapshot_from_json(json, &s, &err) != 0)
                fail_msg("%s: %s", json, err.text);
        assert_int_equal(snapshot_to_json(s, &again), 0);
        assert_string_equal(again, json);
}

static void test_round_trip(void **state _unused_)
{
        expect_round_trip("{\"organizations\":null,\"why\":\"no answer\"}");
        expect_round_trip("{\"organizations\":{},\"why\":\"\"}");
        expect_round_trip("{\"organizations\":{\"acme\":null},\"why\":\"\"}");
        expect_round_trip(
                "{\"organizations\":{\"acme\":{\"prod\":{\"a \\\"b\\\\%\":[\"10\",\"9\"],\"orders\":null},"
                "\"test\":null},\"beta\":{}},\"why\":\"x \\\"y\\\"\"}");
}

static void expect_bad(const char *json, int code)
{
        Snapshot *s = NULL;
        Err err = { 0 };
        if (snapshot_from_json(json, &s, &err) != code || err.code != code)
                fail_msg("%s: %d %s", json, err.code, err.text);
        assert_null(s);
}

static void test_bad_json(void **state _unused_)
{
        expect_bad("", -EBADMSG);
        expect_bad("[]", -EBADMSG);
        expect_bad("null", -EBADMSG);
        expect_bad("{\"organizations\":{\"a\":{}", -EBADMSG);
        expect_bad("{\"organizations\":[]}", -EBADMSG);
        expect_bad("{\"organizations\":{\"a\":[]}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"a\":{\"b\":{\"c\":{}}}}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"a\":{\"b\":{\"c\":[1]}}}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"\":null}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"..\":null}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"b\":null,\"a\":null}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"a\":null,\"a\":null}}", -EBADMSG);
        expect_bad("{\"organizations\":{\"a\":{\"b\":{\"c\":[\"1\",\"1\"]}}}}", -EBADMSG);
        expect_bad("{\"organizations\":{},\"organizations\":{}}", -EBADMSG);
        expect_bad("{\"why\":7}", -EBADMSG);
}

static void test_too_many_names(void **state _unused_)
{
        char *json = malloc(SNAPSHOT_NAMES_MAX * 16 + 64), *p = json;
        assert_non_null(json);
        p += sprintf(p, "{\"organizations\":{");
        for (int i = 0; i <= SNAPSHOT_NAMES_MAX; i++)
                p += sprintf(p, "%s\"%06d\":null", i > 0 ? "," : "", i);
        (void) sprintf(p, "}}");
        expect_bad(json, -E2BIG);
        free(json);
}

static SnapshotDiff compare(const char *before, const char *after)
{
        _cleanup_(snapshot_freep) Snapshot *b = from(before);
        _cleanup_(snapshot_freep) Snapshot *a = from(after);
        SnapshotDiff d;

        memset(&d, 0xff, sizeof(d));
        snapshot_compare(b, a, &d);
        return d;
}

static void expect_diff(const char *before, const char *after, unsigned lost, unsigned gained,
                        unsigned changed, bool unknown, const char *text)
{
        SnapshotDiff d = compare(before, after);
        if (d.lost != lost || d.gained != gained || d.changed != changed || d.unknown != unknown)
                fail_msg("%s -> %s: lost %u gained %u changed %u unknown %d: %s", before, after, d.lost,
                         d.gained, d.changed, d.unknown, d.text);
        assert_string_equal(d.text, text);
}

#define FULL "{\"acme\":{\"prod\":{\"orders\":[\"12\"],\"pay\":[\"3\"]},\"test\":{\"orders\":[\"13\"]}}}"

static void test_same(void **state _unused_)
{
        expect_diff(FULL, FULL, 0, 0, 0, false, "as before");
        expect_diff("null", "null", 0, 0, 0, false, "as before");
        expect_diff("{}", "{}", 0, 0, 0, false, "as before");
}

static void test_lost(void **state _unused_)
{
        /* What was in a lost environment is not listed singly again. */
        expect_diff(FULL, "{\"acme\":{\"test\":{\"orders\":[\"13\"]}}}", 1, 0, 0, false,
                    "lost: environment acme/prod");
        expect_diff(FULL, "{\"acme\":{\"prod\":{\"pay\":[\"3\"]},\"test\":{\"orders\":[\"13\"]}}}", 1, 0, 0,
                    false, "lost: proxy acme/prod/orders");
        expect_diff(FULL, "{\"acme\":{\"prod\":{\"pay\":[\"3\"]}}}", 2, 0, 0, false,
                    "lost: proxy acme/prod/orders, environment acme/test");
        expect_diff(FULL, "{\"acme\":{}}", 2, 0, 0, false,
                    "lost: environment acme/prod, environment acme/test");
        expect_diff(FULL, "{}", 1, 0, 0, false, "lost: organisation acme");
        expect_diff("{\"acme\":null}", "{}", 1, 0, 0, false, "lost: organisation acme");
}

static void test_gained(void **state _unused_)
{
        expect_diff("{}", FULL, 0, 1, 0, false, "gained: organisation acme");
        expect_diff("{\"acme\":{}}", "{\"acme\":{\"prod\":null}}", 0, 1, 0, false,
                    "gained: environment acme/prod");
        expect_diff("{\"acme\":{\"prod\":{\"b\":null}}}",
                    "{\"acme\":{\"prod\":{\"a\":[],\"b\":null,\"c\":null}}}", 0, 2, 0, false,
                    "gained: proxy acme/prod/a, proxy acme/prod/c");
}

static void test_changed(void **state _unused_)
{
        expect_diff("{\"a\":{\"b\":{\"c\":[\"11\"]}}}", "{\"a\":{\"b\":{\"c\":[\"12\"]}}}", 0, 0, 1, false,
                    "changed: proxy a/b/c from 11 to 12");
        expect_diff("{\"a\":{\"b\":{\"c\":[\"11\"]}}}", "{\"a\":{\"b\":{\"c\":[\"11\",\"12\"]}}}", 0, 0, 1,
                    false, "changed: proxy a/b/c from 11 to 11+12");
        /* Deployed no more is lost, though the proxy itself is still listed; the other way it is deployed
         * anew. */
        expect_diff("{\"a\":{\"b\":{\"c\":[\"11\"]}}}", "{\"a\":{\"b\":{\"c\":[]}}}", 1, 0, 0, false,
                    "lost: proxy a/b/c (no revision of it)");
        expect_diff("{\"a\":{\"b\":{\"c\":[]}}}", "{\"a\":{\"b\":{\"c\":[\"11\"]}}}", 0, 0, 1, false,
                    "changed: proxy a/b/c from none to 11");
}

static void test_unknown(void **state _unused_)
{
        /* Known before, unknown now: at each level. */
        expect_diff(FULL, "null", 0, 0, 0, true, "unknown now: organisations");
        expect_diff(FULL, "{\"acme\":null}", 0, 0, 0, true, "unknown now: environments of acme");
        expect_diff(FULL, "{\"acme\":{\"prod\":null,\"test\":{\"orders\":[\"13\"]}}}", 0, 0, 0, true,
                    "unknown now: proxies of acme/prod");
        expect_diff(FULL,
                    "{\"acme\":{\"prod\":{\"orders\":null,\"pay\":[\"3\"]},\"test\":{\"orders\":[\"13\"]}}}",
                    0, 0, 0, true, "unknown now: revisions of acme/prod/orders");
        /* Even an empty list was knowledge. */
        expect_diff("{}", "null", 0, 0, 0, true, "unknown now: organisations");
        /* Unknown before: neither lost nor gained, whatever is there now. */
        expect_diff("null", FULL, 0, 0, 0, false, "as before");
        expect_diff("{\"acme\":null}", "{\"acme\":{\"prod\":null}}", 0, 0, 0, false, "as before");
        expect_diff("{\"acme\":{\"prod\":null}}", "{\"acme\":{\"prod\":{\"orders\":[\"1\"]}}}", 0, 0, 0,
                    false, "as before");
        expect_diff("{\"acme\":{\"prod\":{\"orders\":null}}}", "{\"acme\":{\"prod\":{\"orders\":[\"1\"]}}}",
                    0, 0, 0, false, "as before");
        expect_diff("{\"acme\":null}", "null", 0, 0, 0, true, "unknown now: organisations");
}

static void test_all_of_it(void **state _unused_)
{
        expect_diff("{\"acme\":{\"prod\":{\"orders\":[\"1\"],\"pay\":[\"2\"]},\"test\":{}},\"beta\":{}}",
                    "{\"acme\":{\"new\":{},\"prod\":{\"orders\":[\"9\"]}},\"beta\":null}", 2, 1, 1, true,
                    "lost: proxy acme/prod/pay, environment acme/test; unknown now: environments of beta; "
                    "changed: proxy acme/prod/orders from 1 to 9; gained: environment acme/new");
}

/* Every pair of small trees: the numbers follow from the definition alone. */
static void test_every_small_pair(void **state _unused_)
{
        /* For the environments x and y: absent, there with unknown proxies, there without, with one. */
        static const char *const env[] = { NULL, "null", "{}", "{\"p\":null}" };
        char json[16][128];

        for (unsigned i = 0; i < 16; i++) {
                const char *x = env[i % 4], *y = env[i / 4];
                (void) snprintf(json[i], sizeof(json[i]), "{\"o\":{%s%s%s%s%s}}", x ? "\"x\":" : "",
                                x ? x : "", x && y ? "," : "", y ? "\"y\":" : "", y ? y : "");
        }
        for (unsigned b = 0; b < 16; b++)
                for (unsigned a = 0; a < 16; a++) {
                        unsigned lost = 0, gained = 0, unknown = 0;
                        for (unsigned shift = 1; shift <= 4; shift *= 4) {
                                unsigned before = b / shift % 4, after = a / shift % 4;
                                lost += before > 0 && after == 0;
                                gained += before == 0 && after > 0;
                                unknown += before >= 2 && after == 1;
                                lost += before == 3 && after == 2;
                                gained += before == 2 && after == 3;
                        }
                        SnapshotDiff d = compare(json[b], json[a]);
                        if (d.lost != lost || d.gained != gained || d.changed != 0 ||
                            d.unknown != (unknown > 0))
                                fail_msg("%s -> %s: %s", json[b], json[a], d.text);
                }
}

/* More than the text can hold is counted. */
static void test_long_text(void **state _unused_)
{
        char before[4096], *p = before;
        p += sprintf(p, "{\"acme\":{");
        for (int i = 0; i < 50; i++)
                p += sprintf(p, "%s\"environment-%02d\":null", i > 0 ? "," : "", i);
        (void) sprintf(p, "}}");
        SnapshotDiff d = compare(before, "{\"acme\":{}}");
        assert_int_equal(d.lost, 50);
        assert_non_null(
                strstr(d.text, "lost: environment acme/environment-00, environment acme/environment-01"));
        assert_non_null(strstr(d.text, " and 44 more"));
}

static void expect_summary(const char *organizations, const char *text)
{
        _cleanup_(snapshot_freep) Snapshot *s = from(organizations);
        char buf[256];
        assert_string_equal(snapshot_summary(s, buf, sizeof(buf)), text);
}

static void test_summary(void **state _unused_)
{
        char buf[16];
        Err err = { 0 };
        _cleanup_(snapshot_freep) Snapshot *s = NULL;

        expect_summary(FULL, "2 environments, 3 proxies");
        expect_summary("null", "environments unknown");
        expect_summary("{}", "0 environments");
        expect_summary("{\"acme\":null}", "environments unknown");
        expect_summary("{\"acme\":{\"prod\":null}}", "1 environment, proxies unknown");
        expect_summary("{\"acme\":{\"prod\":{}}}", "1 environment, 0 proxies");
        expect_summary(
                "{\"acme\":{\"prod\":{\"a\":[]},\"test\":null},\"beta\":null}",
                "2 environments (those of 1 organisation unknown), 1 proxy (those of 1 environment unknown)");
        expect_summary("{\"acme\":{\"prod\":{\"a\":[\"1\"],\"b\":null,\"c\":null}}}",
                       "1 environment, 3 proxies, 1 revision (those of 2 proxies unknown)");

        assert_int_equal(snapshot_from_json("{\"organizations\":null,\"why\":\"no answer\"}", &s, &err), 0);
        assert_string_equal(snapshot_summary(s, buf, sizeof(buf)), "environments un");
}

/* --- fetching --- */

typedef struct Fixture {
        sd_event *event;
        Http *http;
        Origin *origin;
        SnapshotFetch *fetch;
        Snapshot *got;
        unsigned called;
        char *json;
} Fixture;

static void setup(Fixture *f, OriginDoor door)
{
        Err err = { 0 };
        memset(f, 0, sizeof(*f));
        assert_true(sd_event_new(&f->event) >= 0);
        assert_int_equal(http_new(&f->http, f->event, &err), 0);
        f->origin = origin_new(f->event, door);
}

static void teardown(Fixture *f)
{
        (void) snapshot_free(f->got);
        free(f->json);
        (void) http_free(f->http);
        (void) origin_free(f->origin);
        (void) sd_event_unref(f->event);
}

static void on_snapshot(Snapshot *s, void *userdata)
{
        Fixture *f = userdata;
        f->called++;
        (void) snapshot_free(f->got);
        f->got = s;
        assert_null(snapshot_fetch_cancel(f->fetch)); /* does nothing from here */
}

static void start(Fixture *f, const char *organizations, Usec limit_usec, unsigned max_requests)
{
        char url[64];
        Err err = { 0 };
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/runtime/", origin_port(f->origin));
        SnapshotRequest request = {
                .runtime_url = url,
                .organizations = organizations,
                .limit_usec = limit_usec,
                .max_requests = max_requests,
        };
        unsigned before = f->called;
        if (snapshot_fetch(f->http, f->event, &request, on_snapshot, f, &f->fetch, &err) != 0)
                fail_msg("%s", err.text);
        assert_int_equal(f->called, before);
}

/* Return: the organisations as JSON. */
static const char *fetch(Fixture *f, const char *organizations, Usec limit_usec, unsigned max_requests)
{
        Usec deadline = time_now() + 20 * USEC_PER_SEC;
        unsigned n = f->called + 1;

        start(f, organizations, limit_usec, max_requests);
        while (f->called < n) {
                assert_true(time_now() < deadline);
                assert_true(sd_event_run(f->event, time_left(deadline, time_now())) >= 0);
        }
        free(f->json);
        assert_int_equal(snapshot_to_json(f->got, &f->json), 0);
        char *end = strstr(f->json, ",\"why\":");
        assert_non_null(end);
        *end = '\0';
        return f->json + strlen("{\"organizations\":");
}

static void serve_acme(Fixture *f)
{
        origin_serve(f->origin, "/v1/runtime/organizations", 200, "[\"acme\"]");
        origin_serve(f->origin, "/v1/runtime/organizations/acme/environments", 200, "[ \"test\", \"prod\" ]");
        origin_serve(f->origin, "/v1/runtime/organizations/acme/environments/prod/apis", 200,
                     "[\"pay\",\"orders\"]");
        origin_serve(f->origin, "/v1/runtime/organizations/acme/environments/test/apis", 200, "[\"orders\"]");
        origin_serve(f->origin, "/v1/runtime/organizations/acme/environments/prod/apis/orders/revisions", 200,
                     "[\"12\"]");
        origin_serve(f->origin, "/v1/runtime/organizations/acme/environments/prod/apis/pay/revisions", 200,
                     "[3]");
        origin_serve(f->origin, "/v1/runtime/organizations/acme/environments/test/apis/orders/revisions", 200,
                     "[\"13\"]");
}

static void test_fetch(void **state _unused_)
{
        Fixture f;
        setup(&f, ORIGIN_OPEN);
        serve_acme(&f);
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 0), FULL);
        assert_int_equal(origin_requests(f.origin), 7);
        /* Configured names spare the first question. */
        assert_string_equal(fetch(&f, " acme ", 5 * USEC_PER_SEC, 0), FULL);
        assert_int_equal(origin_requests(f.origin), 13);
        assert_string_equal(fetch(&f, NULL, 5 * USEC_PER_SEC, 0), FULL);
        teardown(&f);
}

/* Names that mean something in a URL are only names here. */
static void test_fetch_escapes(void **state _unused_)
{
        Fixture f;
        setup(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/v1/runtime/organizations", 200, "[\"a/b\"]");
        origin_serve(f.origin, "/v1/runtime/organizations/a%2Fb/environments", 200, "[\"x y%?#\"]");
        origin_serve(f.origin, "/v1/runtime/organizations/a%2Fb/environments/x%20y%25%3F%23/apis", 200, "[]");
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 0), "{\"a/b\":{\"x y%?#\":{}}}");
        teardown(&f);
}

/* What does not answer well is unknown, and the rest is still asked. */
static void test_fetch_unknown(void **state _unused_)
{
        Fixture f;
        char buf[256];

        setup(&f, ORIGIN_OPEN);
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 0), "null"); /* 404 */
        assert_non_null(strstr(snapshot_summary(f.got, buf, sizeof(buf)), "environments unknown (http://"));
        assert_non_null(strstr(buf, "answered 404"));

        serve_acme(&f);
        origin_serve(f.origin, "/v1/runtime/organizations/acme/environments/prod/apis", 500, "[\"pay\"]");
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 0),
                            "{\"acme\":{\"prod\":null,\"test\":{\"orders\":[\"13\"]}}}");
        origin_serve(f.origin, "/v1/runtime/organizations/acme/environments/prod/apis", 200, "[\"..\"]");
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 0),
                            "{\"acme\":{\"prod\":null,\"test\":{\"orders\":[\"13\"]}}}");
        assert_non_null(strstr(snapshot_summary(f.got, buf, sizeof(buf)), "cannot be a name"));
        origin_on(f.origin, "/v1/runtime/organizations/acme/environments/test/apis/orders/revisions",
                  (OriginReply){ .end = ORIGIN_RESET });
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 0),
                            "{\"acme\":{\"prod\":null,\"test\":{\"orders\":null}}}");
        assert_string_equal(fetch(&f, "acme beta", 5 * USEC_PER_SEC, 0),
                            "{\"acme\":{\"prod\":null,\"test\":{\"orders\":null}},\"beta\":null}");
        teardown(&f);
}

static void test_fetch_from_nobody(void **state _unused_)
{
        Fixture f;
        char buf[256];

        setup(&f, ORIGIN_OPEN);
        Origin *gone = f.origin;
        f.origin = origin_new(f.event, ORIGIN_OPEN);
        /* The port of an origin that is no more. */
        char url[64];
        Err err = { 0 };
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", origin_port(gone));
        (void) origin_free(gone);
        SnapshotRequest request = { .runtime_url = url,
                                    .organizations = "a b",
                                    .limit_usec = 5 * USEC_PER_SEC };
        assert_int_equal(snapshot_fetch(f.http, f.event, &request, on_snapshot, &f, &f.fetch, &err), 0);
        while (f.called < 1)
                assert_true(sd_event_run(f.event, 10 * USEC_PER_SEC) > 0);
        assert_non_null(
                strstr(snapshot_summary(f.got, buf, sizeof(buf)), "environments unknown (http://127.0.0.1:"));
        assert_non_null(strstr(buf, "connection refused"));
        teardown(&f);
}

static void test_fetch_limit(void **state _unused_)
{
        Fixture f;
        char buf[128];

        setup(&f, ORIGIN_OPEN);
        serve_acme(&f);
        origin_on(f.origin, "/v1/runtime/organizations/acme/environments/prod/apis",
                  (OriginReply){ .end = ORIGIN_HANG });
        Usec begin = time_now();
        assert_string_equal(fetch(&f, "", 300 * USEC_PER_MSEC, 0),
                            "{\"acme\":{\"prod\":null,\"test\":{\"orders\":null}}}");
        assert_in_range(time_now() - begin, 290 * USEC_PER_MSEC, 3 * USEC_PER_SEC);
        assert_string_equal(snapshot_summary(f.got, buf, sizeof(buf)),
                            "2 environments, 1 proxy (those of 1 environment unknown), revisions unknown "
                            "(not all answers came in time)");
        teardown(&f);
}

static void test_fetch_at_most_eight(void **state _unused_)
{
        Fixture f;
        char paths[100][80];

        setup(&f, ORIGIN_OPEN);
        char list[2048], *p = list;
        p += sprintf(p, "[");
        for (int i = 0; i < 100; i++) {
                p += sprintf(p, "%s\"e%02d\"", i > 0 ? "," : "", i);
                (void) snprintf(paths[i], sizeof(paths[i]),
                                "/v1/runtime/organizations/acme/environments/e%02d/apis", i);
                origin_serve(f.origin, paths[i], 200, "[]");
        }
        (void) sprintf(p, "]");
        origin_serve(f.origin, "/v1/runtime/organizations/acme/environments", 200, list);
        (void) fetch(&f, "acme", 5 * USEC_PER_SEC, 0);
        assert_int_equal(origin_requests(f.origin), 101);
        assert_in_range(origin_most_at_once(f.origin), 1, 8);

        char buf[128];
        assert_string_equal(snapshot_summary(f.got, buf, sizeof(buf)), "100 environments, 0 proxies");

        /* Where none is answered, those eight are all that come. */
        for (int i = 0; i < 100; i++)
                origin_on(f.origin, paths[i], (OriginReply){ .end = ORIGIN_HANG });
        (void) fetch(&f, "acme", 300 * USEC_PER_MSEC, 0);
        assert_int_equal(origin_requests(f.origin), 101 + 1 + 8);
        assert_int_equal(origin_most_at_once(f.origin), 8);
        teardown(&f);
}

/* The same are known in each fetch that is cut short. */
static void test_fetch_max_requests(void **state _unused_)
{
        Fixture f;
        char buf[128];

        setup(&f, ORIGIN_OPEN);
        serve_acme(&f);
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 1), "{\"acme\":null}");
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 3),
                            "{\"acme\":{\"prod\":{\"orders\":null,\"pay\":null},\"test\":null}}");
        assert_string_equal(
                fetch(&f, "", 5 * USEC_PER_SEC, 5),
                "{\"acme\":{\"prod\":{\"orders\":[\"12\"],\"pay\":null},\"test\":{\"orders\":null}}}");
        assert_non_null(
                strstr(snapshot_summary(f.got, buf, sizeof(buf)), "(too many lists to ask for them all)"));
        assert_string_equal(fetch(&f, "", 5 * USEC_PER_SEC, 7), FULL);
        assert_null(strstr(snapshot_summary(f.got, buf, sizeof(buf)), "too many"));
        teardown(&f);
}

static void test_fetch_cancel(void **state _unused_)
{
        Fixture f;

        setup(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", (OriginReply){ .end = ORIGIN_HANG });
        start(&f, "a b c d e f g h i j", 100 * USEC_PER_MSEC, 0);
        f.fetch = snapshot_fetch_cancel(f.fetch);
        start(&f, "a b c d e f g h i j", USEC_PER_SEC, 0);
        while (origin_requests(f.origin) < 8)
                assert_true(sd_event_run(f.event, 10 * USEC_PER_SEC) > 0);
        f.fetch = snapshot_fetch_cancel(f.fetch);
        while (sd_event_run(f.event, 0) > 0)
                ;
        assert_int_equal(f.called, 0);
        assert_int_equal(origin_connections(f.origin), 0);
        assert_null(snapshot_fetch_cancel(NULL));
        teardown(&f);
}

static void on_snapshot_free_http(Snapshot *s, void *userdata)
{
        Fixture *f = userdata;
        f->http = http_free(f->http);
        on_snapshot(s, f);
}

static void test_fetch_http_freed_in_callback(void **state _unused_)
{
        Fixture f;
        char url[64];
        Err err = { 0 };

        setup(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", (OriginReply){ .end = ORIGIN_HANG });
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", origin_port(f.origin));
        SnapshotRequest request = { .runtime_url = url, .limit_usec = 50 * USEC_PER_MSEC };
        assert_int_equal(snapshot_fetch(f.http, f.event, &request, on_snapshot_free_http, &f, &f.fetch, &err),
                         0);
        while (f.called < 1)
                assert_true(sd_event_run(f.event, 10 * USEC_PER_SEC) > 0);
        assert_null(f.http);
        teardown(&f);
}

static void test_fetch_refuses(void **state _unused_)
{
        Fixture f;
        Err err = { 0 };
        char url[2000];

        setup(&f, ORIGIN_OPEN);
        SnapshotRequest bad_name = { .runtime_url = "http://127.0.0.1:1",
                                     .organizations = "acme ..",
                                     .limit_usec = 1 };
        assert_int_equal(snapshot_fetch(f.http, f.event, &bad_name, on_snapshot, &f, &f.fetch, &err),
                         -EINVAL);
        memset(url, 'a', sizeof(url) - 1);
        url[sizeof(url) - 1] = '\0';
        SnapshotRequest bad_url = { .runtime_url = url, .limit_usec = 1 };
        assert_int_equal(snapshot_fetch(f.http, f.event, &bad_url, on_snapshot, &f, &f.fetch, &err), -EINVAL);
        assert_null(f.fetch);
        teardown(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_bad_json),
                cmocka_unit_test(test_too_many_names),
                cmocka_unit_test(test_same),
                cmocka_unit_test(test_lost),
                cmocka_unit_test(test_gained),
                cmocka_unit_test(test_changed),
                cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_all_of_it),
                cmocka_unit_test(test_every_small_pair),
                cmocka_unit_test(test_long_text),
                cmocka_unit_test(test_summary),
                cmocka_unit_test(test_fetch),
                cmocka_unit_test(test_fetch_escapes),
                cmocka_unit_test(test_fetch_unknown),
                cmocka_unit_test(test_fetch_from_nobody),
                cmocka_unit_test(test_fetch_limit),
                cmocka_unit_test(test_fetch_at_most_eight),
                cmocka_unit_test(test_fetch_max_requests),
                cmocka_unit_test(test_fetch_cancel),
                cmocka_unit_test(test_fetch_http_freed_in_callback),
                cmocka_unit_test(test_fetch_refuses),
        };
        return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
