/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Checks of target servers against origins that fail at each layer, and a real nginx for TLS. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probes/http-tls.h"
#include "probes/probing.h"
#include "tests/lib/getent.h"
#include "tests/lib/origin.h"
#include "tests/lib/tls-origin.h"

#define CHECKS_MAX 96

typedef struct Fixture {
        sd_event *event;
        Origin *origin;
        Probing *probing;
        const char *stores;
        unsigned at_once;
        Usec total_usec;   /* 0: 4 s */
        Usec resolve_usec; /* 0: 5 s */
        size_t ended;
        size_t last; /* that has ended */
        bool done;
        ProbeResult results[CHECKS_MAX];
        char texts[CHECKS_MAX][512];
} Fixture;

static TlsOrigin tls_origin;

static void set_up(Fixture *f, OriginDoor door)
{
        *f = (Fixture){ 0 };
        assert_true(sd_event_new(&f->event) >= 0);
        f->origin = origin_new(f->event, door);
}

static void tear_down(Fixture *f)
{
        (void) probing_free(f->probing);
        (void) origin_free(f->origin);
        (void) sd_event_unref(f->event);
}

static void on_result(Probing *p, size_t index, const ProbeResult *r, void *userdata)
{
        Fixture *f = userdata;
        assert_ptr_equal(p, f->probing);
        assert_false(f->done);
        assert_true(index < CHECKS_MAX);
        assert_true(*r->text);
        for (const char *c = r->text; *c; c++)
                assert_in_range(*c, ' ', '~'); /* whatever it was made of */
        f->results[index] = *r;
        (void) snprintf(f->texts[index], sizeof(f->texts[index]), "%s", r->text);
        f->results[index].text = f->texts[index];
        f->ended++;
        f->last = index;
}

static void on_done(Probing *p, void *userdata)
{
        Fixture *f = userdata;
        assert_false(f->done);
        f->done = true;
        f->probing = probing_free(p); /* allowed here */
}

static void begin(Fixture *f)
{
        Err err = { 0 };
        ProbingOptions options = { .event = f->event,
                                   .at_once = f->at_once,
                                   .stores = f->stores,
                                   .resolve_usec = f->resolve_usec ? f->resolve_usec : 5 * USEC_PER_SEC,
                                   .total_usec = f->total_usec ? f->total_usec : 4 * USEC_PER_SEC,
                                   .server_uuid = "E8C4D2EE-3A69-428A-8616-030ABDE864E0" };
        f->ended = 0;
        f->done = false;
        assert_int_equal(probing_new(&f->probing, &options, &err), 0);
}

static void add(Fixture *f, ProbeSpec spec)
{
        Err err = { 0 };
        static const EdgeNumbers any_code = { 0 };
        static const EdgeHeaders no_headers = { 0 };
        if (spec.connect_usec == 0)
                spec.connect_usec = 300 * USEC_PER_MSEC;
        if (spec.read_usec == 0)
                spec.read_usec = 300 * USEC_PER_MSEC;
        if (!spec.host)
                spec.host = "127.0.0.1";
        if (!spec.path)
                spec.path = "/x";
        if (!spec.codes)
                spec.codes = &any_code;
        if (!spec.headers)
                spec.headers = &no_headers;
        if (!spec.expected_headers)
                spec.expected_headers = &no_headers;
        if (spec.port == 0)
                spec.port = origin_port(f->origin);
        assert_true(probing_add(f->probing, &spec, "acme", "prod", &err) >= 0);
}

static void run(Fixture *f)
{
        Err err = { 0 };
        Usec deadline = time_now() + 40 * USEC_PER_SEC;
        assert_int_equal(probing_start(f->probing, on_result, on_done, f, &err), 0);
        assert_int_equal(f->ended, 0);
        while (!f->done) {
                assert_true(time_now() < deadline);
                assert_true(sd_event_run(f->event, time_left(deadline, time_now())) >= 0);
        }
}

static const ProbeResult *check(Fixture *f, ProbeSpec spec)
{
        begin(f);
        add(f, spec);
        run(f);
        assert_int_equal(f->ended, 1);
        return &f->results[0];
}

static void expect(Fixture *f, ProbeSpec spec, ProbeLayer layer, const char *says)
{
        const ProbeResult *r = check(f, spec);
        if (r->layer != layer || !strstr(r->text, says))
                fail_msg("%s (expected %s, \"%s\"): %s", probe_layer_name(r->layer), probe_layer_name(layer),
                         says, r->text);
        assert_true(r->elapsed_usec > 0);
}

static void expect_door(OriginDoor door, ProbeSpec spec, ProbeLayer layer, const char *says)
{
        Fixture f;
        set_up(&f, door);
        expect(&f, spec, layer, says);
        tear_down(&f);
}

static const ProbeSpec tcp = { .kind = PROBE_TCP }, http = { .kind = PROBE_HTTP };

/* A port on which nobody listens. */
static uint16_t closed_port(void)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0 && bind(fd, (struct sockaddr *) &a, len) == 0 &&
                    getsockname(fd, (struct sockaddr *) &a, &len) == 0);
        (void) close(fd);
        return ntohs(a.sin_port);
}

static void test_tcp(void **state _unused_)
{
        expect_door(ORIGIN_OPEN, tcp, PROBE_OK, "connected after");
        expect_door(ORIGIN_NOBODY_HOME, tcp, PROBE_OK, "connected after"); /* a socket can be opened */
        expect_door(ORIGIN_FULL, tcp, PROBE_CONNECT, "nothing for 0.30 s");

        ProbeSpec closed = { .kind = PROBE_TCP, .port = closed_port() };
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        const ProbeResult *r = check(&f, closed);
        assert_int_equal(r->layer, PROBE_CONNECT);
        assert_int_equal(r->os_errno, ECONNREFUSED);
        assert_non_null(strstr(r->text, "connection refused"));
        /* Nothing is sent. */
        assert_int_equal(check(&f, tcp)->layer, PROBE_OK);
        assert_int_equal(origin_requests(f.origin), 0);
        tear_down(&f);
}

static void test_names(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "*", 200, "ok");
        expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .host = "localhost" }, PROBE_OK, "answered 200");
        assert_non_null(strstr(origin_last_request(f.origin), "\r\nHost: localhost:"));
        expect(&f, (ProbeSpec){ .kind = PROBE_TCP, .host = "no-such-name.invalid" }, PROBE_RESOLVE,
               "no-such-name.invalid:");
        /* What came from elsewhere is nobody's terminal's business. */
        expect(&f, (ProbeSpec){ .kind = PROBE_TCP, .host = "\033[31mX\a\xc2\x9b" }, PROBE_RESOLVE, "?[31mX?");
        expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .path = "/\033[31m\a" }, PROBE_HERE, "/?[31m?:");
        expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .path = "/\033[31m\a", .tls = true }, PROBE_HERE,
               "/?[31m?:");
        /* Many of one name are one lookup, and one that fails hurts no other. */
        begin(&f);
        for (size_t i = 0; i < 20; i++)
                add(&f,
                    (ProbeSpec){ .kind = PROBE_TCP, .host = i % 2 ? "LOCALHOST" : "no-such-name.invalid" });
        run(&f);
        for (size_t i = 0; i < 20; i++)
                assert_int_equal(f.results[i].layer, i % 2 ? PROBE_OK : PROBE_RESOLVE);
        tear_down(&f);
}

/* A reset takes what was not read yet with it. */
#define RESET_LATER \
        .filler = "xxxxxx", .filler_bytes = 6, .drip_usec = 100 * USEC_PER_MSEC, .end = ORIGIN_RESET

/* What an origin does with one request, and what is said about it, without TLS and with it. */
typedef struct Row {
        OriginDoor door;
        ProbeLayer layer;
        OriginReply reply;
        ProbeSpec spec; /* of a PROBE_HTTP */
        const char *says;
} Row;

static void row_add(Fixture *f, const Row *row, uint16_t port, bool tls)
{
        static const EdgeSsl ssl = { .line = 1, .trust_store = { "authority", 1 } };
        ProbeSpec spec = row->spec;
        spec.kind = PROBE_HTTP;
        spec.port = tls ? tls_origin_front(&tls_origin, port) : port;
        spec.tls = tls;
        spec.ssl = &ssl;
        /* All origins are in this loop, and what speaks TLS beside it: each has to get its turn. */
        spec.connect_usec = spec.read_usec = (tls ? 6 : 2) * USEC_PER_SEC;
        add(f, spec);
}

static void row_judge(const Fixture *f, const Row *row, size_t i, bool tls)
{
        const ProbeResult *r = &f->results[i];
        if (r->layer != row->layer || !strstr(r->text, row->says))
                fail_msg("row %zu, %s: %s (expected %s, \"%s\"): %s", i, tls ? "https" : "http",
                         probe_layer_name(r->layer), probe_layer_name(row->layer), row->says, r->text);
}

static void run_rows(const Row *rows, size_t n, bool tls)
{
        Origin *origins[CHECKS_MAX];
        Fixture f;

        assert_true(n <= CHECKS_MAX);
        set_up(&f, ORIGIN_OPEN);
        f.stores = tls ? tls_origin.folder : NULL;
        f.total_usec = 25 * USEC_PER_SEC;
        begin(&f);
        for (size_t i = 0; i < n; i++) {
                origins[i] = origin_new(f.event, rows[i].door);
                if (rows[i].reply.text)
                        origin_on(origins[i], "*", rows[i].reply);
                row_add(&f, &rows[i], origin_port(origins[i]), tls);
        }
        run(&f);
        for (size_t i = 0; i < n; i++) {
                row_judge(&f, &rows[i], i, tls);
                (void) origin_free(origins[i]);
        }
        tear_down(&f);
}

static void run_both(const Row *rows, size_t n)
{
        run_rows(rows, n, false);
        if (!tls_origin_missing())
                run_rows(rows, n, true);
}

#define HEAD    "HTTP/1.1 200 OK\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define LONG    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Long ones: an origin sends them one by one, and all are in the same loop. */
#define CHUNKS_4 "1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n"
#define CHUNKS   CHUNKS_4 CHUNKS_4 CHUNKS_4 CHUNKS_4 CHUNKS_4 CHUNKS_4 CHUNKS_4 CHUNKS_4

static const Row layers[] = {
        { .door = ORIGIN_NOBODY_HOME, .layer = PROBE_FIRST_BYTE, .says = "nothing for" },
        { .door = ORIGIN_SLAM, .layer = PROBE_FIRST_BYTE, .says = "no answer" },
        { .reply = { .text = "", .end = ORIGIN_HANG }, .layer = PROBE_FIRST_BYTE, .says = "nothing for" },
        { .reply = { .text = "" }, .layer = PROBE_FIRST_BYTE, .says = "the connection was closed" },
        { .reply = { .text = "", .end = ORIGIN_RESET }, .layer = PROBE_FIRST_BYTE, .says = "reset" },
        /* the status line */
        { .reply = { .text = "SSH-2.0-x\r\n" }, .layer = PROBE_STATUS, .says = "not HTTP" },
        { .reply = { .text = "HTTP/2 200\r\n\r\n" }, .layer = PROBE_STATUS, .says = "not HTTP" },
        { .reply = { .text = "HTTP/1.1 099 x\r\n\r\n" }, .layer = PROBE_STATUS, .says = "not HTTP" },
        { .reply = { .text = "hello world\n" }, .layer = PROBE_STATUS, .says = "not HTTP" },
        { .reply = { .text = "HTTP/1.1 20" }, .layer = PROBE_STATUS, .says = "the connection was closed" },
        { .reply = { .text = "HTTP/1.1 20", .end = ORIGIN_HANG },
          .layer = PROBE_STATUS,
          .says = "nothing for" },
        { .reply = { .text = "HTTP/1.1 100 C\r\n\r\n", .end = ORIGIN_HANG },
          .layer = PROBE_STATUS,
          .says = "nothing for" },
        { .reply = { .text = "HTTP/1.1 100 C\r\n\r\n" },
          .layer = PROBE_STATUS,
          .says = "the connection was closed" },
        { .reply = { .text = "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n" },
          .layer = PROBE_OK,
          .says = "answered 101" },
        { .reply = { .text = "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n" },
          .layer = PROBE_OK,
          .says = "answered 200" },
        /* the header */
        { .reply = { .text = HEAD, .end = ORIGIN_HANG }, .layer = PROBE_HEADER, .says = "nothing for" },
        { .reply = { .text = HEAD "Content-Le" },
          .layer = PROBE_HEADER,
          .says = "the connection was closed" },
        { .reply = { .text = HEAD "X-A: 1\r\n", .end = ORIGIN_HANG },
          .layer = PROBE_HEADER,
          .says = "nothing for" },
        { .reply = { .text = HEAD "X-A: 1\r\n", RESET_LATER }, .layer = PROBE_HEADER, .says = "reset" },
        { .reply = { .text = HEAD "X-A: ", .filler = LONG, .filler_bytes = ORIGIN_FOREVER },
          .layer = PROBE_HEADER,
          .says = "larger than allowed" },
        { .reply = { .text = HEAD "X-A: 1\r\n",
                     .filler = "X-B: " LONG "\r\n",
                     .filler_bytes = ORIGIN_FOREVER },
          .layer = PROBE_HEADER,
          .says = "larger than allowed" },
        { .reply = { .text = "", .filler = "HTTP/1.1 100 Continue\r\n\r\n", .filler_bytes = ORIGIN_FOREVER },
          .layer = PROBE_HEADER,
          .says = "larger than allowed" },
        { .reply = { .text = HEAD "Content-Length: -5\r\n\r\n" },
          .layer = PROBE_HEADER,
          .says = "Content-Length" },
        { .reply = { .text = HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" },
          .layer = PROBE_HEADER,
          .says = "Content-Length" },
        { .reply = { .text = HEAD "Content-Length: 5, 6\r\n\r\nhello" },
          .layer = PROBE_HEADER,
          .says = "Content-Length" },
        { .reply = { .text = HEAD "Content-Length: 5, 5\r\n\r\nhello" },
          .layer = PROBE_OK,
          .says = "answered 200" },
        { .reply = { .text = HEAD, .filler = "A: \0\r\n\r\n", .filler_len = 8, .filler_bytes = 8 },
          .layer = PROBE_HEADER,
          .says = "NUL" },
        /* the body */
        { .reply = { .text = HEAD "Content-Length: 100\r\n\r\nabc", .end = ORIGIN_HANG },
          .layer = PROBE_BODY,
          .says = "nothing for" },
        { .reply = { .text = HEAD "Content-Length: 100\r\n\r\nabc" },
          .layer = PROBE_BODY,
          .says = "the connection was closed" },
        { .reply = { .text = HEAD "Content-Length: 100\r\n\r\nabc", RESET_LATER },
          .layer = PROBE_BODY,
          .says = "reset" },
        { .reply = { .text = HEAD "Content-Length: 2\r\n\r\nhello" },
          .layer = PROBE_OK,
          .says = "answered 200" },
        { .reply = { .text = HEAD "\r\nup to the end" }, .layer = PROBE_OK, .says = "answered 200" },
        { .reply = { .text = HEAD "\r\nup to the end", RESET_LATER }, .layer = PROBE_BODY, .says = "reset" },
        { .reply = { .text = CHUNKED "5\r\nhello\r\n0\r\n\r\n" }, .layer = PROBE_OK, .says = "answered 200" },
        { .reply = { .text = CHUNKED "5\r\nhello\r\n0\r\n" },
          .layer = PROBE_BODY,
          .says = "the connection was closed" },
        { .reply = { .text = CHUNKED "zz\r\n" }, .layer = PROBE_BODY, .says = "chunks" },
        { .reply = { .text = CHUNKED "5;", .filler = LONG, .filler_bytes = ORIGIN_FOREVER },
          .layer = PROBE_BODY,
          .says = "larger than allowed" },
        { .reply = { .text = CHUNKED, .filler = CHUNKS, .filler_bytes = ORIGIN_FOREVER },
          .layer = PROBE_OK,
          .says = "answered 200" },
        /* byte by byte */
        { .reply = { .text = "",
                     .filler = HEAD "Content-Length: 2\r\n\r\nab",
                     .filler_bytes = 40,
                     .drip_usec = 20 * USEC_PER_MSEC },
          .layer = PROBE_OK,
          .says = "answered 200" },
};

static void test_layers(void **state _unused_)
{
        expect_door(ORIGIN_FULL, http, PROBE_CONNECT, "nothing for 0.30 s");
        run_both(layers, ELEMENTS(layers));
}

/* A payload that does not go out. */
static void test_send(void **state _unused_)
{
        size_t len = 8 * 1024 * 1024;
        char *payload = malloc(len + 1);
        assert_non_null(payload);
        memset(payload, 'a', len);
        payload[len] = '\0';
        ProbeSpec put = { .kind = PROBE_HTTP, .verb = EDGE_PUT, .payload = payload };
        expect_door(ORIGIN_DEAF, put, PROBE_SEND, "nothing for 0.30 s");
        free(payload);
}

/* The time to read is that of each read, not of the whole. */
static void test_dripping(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_on(f.origin, "/x",
                  (OriginReply){ .text = HEAD "Content-Length: 12\r\n\r\n",
                                 .filler = "a",
                                 .filler_bytes = 12,
                                 .drip_usec = 100 * USEC_PER_MSEC,
                                 .end = ORIGIN_CLOSE });
        const ProbeResult *r = check(&f, http);
        assert_int_equal(r->layer, PROBE_OK);
        assert_true(r->elapsed_usec > 900 * USEC_PER_MSEC);
        /* Slower than that, and it is over with the first wait that is too long. */
        origin_on(f.origin, "/slow",
                  (OriginReply){ .text = HEAD "Content-Length: 12\r\n\r\n",
                                 .filler = "a",
                                 .filler_bytes = 12,
                                 .drip_usec = 900 * USEC_PER_MSEC,
                                 .end = ORIGIN_CLOSE });
        expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .path = "/slow" }, PROBE_BODY, "nothing for 0.30 s");
        /* For ever is too long as a whole. */
        origin_on(f.origin, "/ever",
                  (OriginReply){ .text = HEAD "Transfer-Encoding: chunked\r\n\r\n",
                                 .filler = "1\r\na\r\n",
                                 .filler_bytes = ORIGIN_FOREVER,
                                 .drip_usec = 50 * USEC_PER_MSEC });
        Usec start = time_now();
        expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .path = "/ever" }, PROBE_BODY, "");
        assert_true(time_now() - start < 20 * USEC_PER_SEC);
        tear_down(&f);
}

/* 100 MB are not read. */
static void test_large_body(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*",
                  (OriginReply){ .text = HEAD "Content-Length: 104857600\r\n\r\n",
                                 .filler = "aaaaaaaaaaaaaaaa",
                                 .filler_bytes = 104857600 });
        const ProbeResult *r = check(&f, http);
        assert_int_equal(r->layer, PROBE_OK);
        assert_true(r->notes & PROBE_NOTE_BODY_CUT);
        assert_int_equal(r->status, 200);
        assert_true(origin_bytes_sent(f.origin) < 16 * 1024 * 1024);
        tear_down(&f);
}

static EdgeNumber two_codes[] = { { true, 200, 1 }, { true, 302, 1 } };
static EdgeHeader two_headers[] = { { "imok", "YourOK", 1 }, { "B", "", 1 } };
static const EdgeNumbers codes_both = { two_codes, 2 }, codes_one = { two_codes, 1 };
static const EdgeHeaders headers_one = { two_headers, 1 }, headers_both = { two_headers, 2 };

#define WITH_CODES                   \
        {                            \
                .codes = &codes_both \
        }
#define WITH_HEADER                                                   \
        {                                                             \
                .codes = &codes_one, .expected_headers = &headers_one \
        }
#define WITH_TWO                                  \
        {                                         \
                .expected_headers = &headers_both \
        }
#define EMPTY "Content-Length: 0\r\n"

static const Row expectations[] = {
        { .reply = { .text = "HTTP/1.1 500 No\r\n" EMPTY "\r\n" }, .layer = PROBE_OK, .says = "500" },
        { .spec = WITH_CODES,
          .reply = { .text = "HTTP/1.1 500 No\r\n" EMPTY "\r\n" },
          .layer = PROBE_STATUS,
          .says = "answered 500" },
        /* A redirect is an answer, and not followed. */
        { .spec = WITH_CODES,
          .reply = { .text = "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\n" EMPTY "\r\n" },
          .layer = PROBE_OK,
          .says = "302" },
        { .spec = WITH_HEADER,
          .reply = { .text = "HTTP/1.1 302 F\r\nLocation: /\r\n" EMPTY "\r\n" },
          .layer = PROBE_STATUS,
          .says = "302" },
        { .spec = WITH_HEADER,
          .reply = { .text = HEAD EMPTY "ImOK:  YourOK \r\n\r\n" },
          .layer = PROBE_OK,
          .says = "200" },
        { .spec = WITH_HEADER,
          .reply = { .text = HEAD EMPTY "\r\n" },
          .layer = PROBE_HEADER,
          .says = "the header imok is missing" },
        { .spec = WITH_HEADER,
          .reply = { .text = HEAD EMPTY "ImOK: secret\r\n\r\n" },
          .layer = PROBE_HEADER,
          .says = "the header imok has another value" },
        { .spec = WITH_HEADER,
          .reply = { .text = HEAD EMPTY "ImOK: no\r\nIMOK: YourOK\r\n\r\n" },
          .layer = PROBE_OK,
          .says = "200" },
        { .spec = WITH_TWO,
          .reply = { .text = HEAD EMPTY "ImOK: YourOK\r\n\r\n" },
          .layer = PROBE_HEADER,
          .says = "the header B is missing" },
        { .spec = WITH_TWO,
          .reply = { .text = HEAD EMPTY "ImOK: YourOK\r\nb:\r\n\r\n" },
          .layer = PROBE_OK,
          .says = "200" },
        /* What stands in front of the answer, or behind it, is not the answer. */
        { .spec = WITH_HEADER,
          .reply = { .text = "HTTP/1.1 103 Early\r\nImOK: YourOK\r\n\r\n" HEAD EMPTY "\r\n" },
          .layer = PROBE_HEADER,
          .says = "missing" },
        { .spec = WITH_HEADER,
          .reply = { .text = CHUNKED "0\r\nImOK: YourOK\r\n\r\n" },
          .layer = PROBE_HEADER,
          .says = "missing" },
};

static void test_expectations(void **state _unused_)
{
        run_both(expectations, ELEMENTS(expectations));
}

static void test_request(void **state _unused_)
{
        EdgeHeader headers[] = { { "Authorization", "Basic 12e98", 1 }, { "X-Empty", "", 1 } };
        EdgeHeaders list = { headers, 2 };
        Fixture f;

        set_up(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/ping", 200, "ok");
        Usec before = time_wall() / USEC_PER_MSEC;
        expect(&f,
               (ProbeSpec){ .kind = PROBE_HTTP,
                            .path = "/ping",
                            .verb = EDGE_POST,
                            .payload = "<a/>",
                            .headers = &list,
                            .include_id = true },
               PROBE_OK, "200");
        const char *request = origin_last_request(f.origin);
        assert_non_null(strstr(request, "POST /ping HTTP/1.1\r\n"));
        assert_non_null(strstr(request, "\r\nAuthorization: Basic 12e98\r\n"));
        assert_non_null(strstr(request, "\r\nX-Empty:\r\n"));
        assert_non_null(strstr(request, "\r\n\r\n<a/>"));
        assert_null(strcasestr(request, "Content-Type"));
        assert_null(strcasestr(request, "Expect"));
        const char *id =
                strstr(request,
                       "\r\nX-Apigee-Healthcheck-Id: acme/prod/E8C4D2EE-3A69-428A-8616-030ABDE864E0/");
        assert_non_null(id);
        Usec at = strtoull(
                id + strlen("\r\nX-Apigee-Healthcheck-Id: acme/prod/E8C4D2EE-3A69-428A-8616-030ABDE864E0/"),
                NULL, 10);
        assert_in_range(at, before, time_wall() / USEC_PER_MSEC);

        static const struct {
                EdgeVerb verb;
                const char *line;
        } verbs[] = { { EDGE_GET, "GET /ping" },
                      { EDGE_PUT, "PUT /ping" },
                      { EDGE_POST, "POST /ping" },
                      { EDGE_DELETE, "DELETE /ping" } };
        for (size_t i = 0; i < ELEMENTS(verbs); i++) {
                expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .path = "/ping", .verb = verbs[i].verb },
                       PROBE_OK, "200");
                assert_non_null(strstr(origin_last_request(f.origin), verbs[i].line));
                assert_null(strstr(origin_last_request(f.origin), "Healthcheck-Id"));
        }
        tear_down(&f);
}

/* What cannot be sent is told, and its value is not. */
static void test_not_here(void **state _unused_)
{
        EdgeHeader bad[] = { { "X-Bad", "secret\r\nX-Smuggled: 1", 1 } };
        EdgeHeaders list = { bad, 1 };
        Fixture f;

        set_up(&f, ORIGIN_OPEN);
        const ProbeResult *r = check(&f, (ProbeSpec){ .kind = PROBE_HTTP, .headers = &list });
        assert_int_equal(r->layer, PROBE_HERE);
        assert_null(strstr(r->text, "secret"));
        expect(&f, (ProbeSpec){ .kind = PROBE_HTTP, .path = "/a b" }, PROBE_HERE, "");
        assert_int_equal(origin_requests(f.origin), 0);
        tear_down(&f);
}

/* Never more than that at once, and all are asked. */
static void test_at_once(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        f.at_once = 3;
        /* Each takes a while, so that all could be there together. */
        origin_on(f.origin, "*",
                  (OriginReply){ .text = "",
                                 .filler = HEAD "Content-Length: 0\r\n\r\n",
                                 .filler_bytes = strlen(HEAD "Content-Length: 0\r\n\r\n"),
                                 .drip_usec = USEC_PER_MSEC });
        begin(&f);
        for (size_t i = 0; i < 40; i++)
                add(&f, http);
        run(&f);
        assert_int_equal(f.ended, 40);
        for (size_t i = 0; i < 40; i++)
                assert_int_equal(f.results[i].layer, PROBE_OK);
        assert_int_equal(origin_most_at_once(f.origin), 3);
        begin(&f);
        run(&f); /* none at all */
        assert_int_equal(f.ended, 0);
        tear_down(&f);
}

/* A name service that is silent costs its time once, not for every few names, and holds up nobody else. */
static void test_silent_names(void **state _unused_)
{
        char names[64][32];
        Getent g;
        Fixture f;

        getent_start(&g, "exec tail -f /dev/null 9>&1 >/dev/null");
        set_up(&f, ORIGIN_OPEN);
        f.at_once = 2;
        f.resolve_usec = 5 * USEC_PER_SEC;
        origin_serve(f.origin, "*", 200, "ok");
        begin(&f);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                (void) snprintf(names[i], sizeof(names[i]), "silent%zu.example.com", i);
                add(&f, (ProbeSpec){ .kind = PROBE_TCP, .host = names[i] });
        }
        add(&f, http);
        Usec start = time_now();
        run(&f);
        assert_true(time_now() - start < 15 * USEC_PER_SEC); /* 16 after another: 20 */
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                assert_int_equal(f.results[i].layer, PROBE_RESOLVE);
                assert_true(f.results[i].elapsed_usec >= f.resolve_usec);
        }
        assert_int_equal(f.results[ELEMENTS(names)].layer, PROBE_OK);
        assert_true(f.last < ELEMENTS(names));
        assert_true(f.results[ELEMENTS(names)].elapsed_usec < f.resolve_usec);
        tear_down(&f);
        /* No more than a few were started together. */
        assert_in_range(getent_most_at_start(&g), 1, 16);
        getent_stop(&g);

        assert_in_range(probing_names_usec(1), 5 * USEC_PER_SEC, 7 * USEC_PER_SEC);
        assert_in_range(probing_names_usec(500), 20 * USEC_PER_SEC, 30 * USEC_PER_SEC);
}

/* As Java does: of both families IPv4, wherever it stands. */
static void test_families(void **state _unused_)
{
        Getent g;
        Fixture f;

        getent_start(&g, "printf '::1 STREAM both\\n127.0.0.1 STREAM\\n'");
        set_up(&f, ORIGIN_OPEN);
        expect(&f, (ProbeSpec){ .kind = PROBE_TCP, .host = "both.example.com" }, PROBE_OK, "connected");
        tear_down(&f);
        getent_stop(&g);
}

/* Want of descriptors says nothing of a name, and nothing of who is behind it. */
static void test_a_name_that_cannot_be_asked_for(void **state _unused_)
{
        struct rlimit limit, less;
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        begin(&f);
        add(&f, (ProbeSpec){ .kind = PROBE_TCP, .host = "both.example.com" });
        int next = dup(STDIN_FILENO);
        assert_true(next >= 0);
        (void) close(next);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        less = limit;
        less.rlim_cur = (rlim_t) next;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
        run(&f);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(f.results[0].layer, PROBE_HERE);
        assert_non_null(strstr(f.texts[0], "Too many open files"));
        tear_down(&f);
}

/* A monitor that takes its time is given it. */
static void test_limits(void **state _unused_)
{
        static const struct {
                Usec connect_sec, read_sec, total_sec;
        } rows[] = { { 10, 20, 60 }, { 10, 30, 70 }, { 10, 90, 190 }, { 1, 86400, 600 }, { 86400, 1, 600 } };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                ProbeSpec spec = { .connect_usec = rows[i].connect_sec * USEC_PER_SEC,
                                   .read_usec = rows[i].read_sec * USEC_PER_SEC };
                assert_int_equal(probing_total_usec(&spec), rows[i].total_sec * USEC_PER_SEC);
        }
}

/* More than there are bits in anything. */
static void test_many_headers(void **state _unused_)
{
        EdgeHeader items[70];
        char names[70][8], text[2048] = HEAD "Content-Length: 0\r\n";
        const EdgeHeaders all = { items, ELEMENTS(items) };

        for (size_t i = 0; i < ELEMENTS(items); i++) {
                (void) snprintf(names[i], sizeof(names[i]), "H%zu", i);
                items[i] = (EdgeHeader){ names[i], "v", 1 };
                (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "H%zu: %s\r\n", i,
                                i == 69 ? "w" : "v");
        }
        (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "\r\n");
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", (OriginReply){ .text = text });
        const ProbeSpec spec = { .kind = PROBE_HTTP, .expected_headers = &all };
        expect(&f, spec, PROBE_HEADER, "the header H69 has another value");
        items[69].value = "w";
        expect(&f, spec, PROBE_OK, "answered 200");
        items[33].name = "H99";
        expect(&f, spec, PROBE_HEADER, "the header H99 is missing");
        tear_down(&f);
}

/* In the middle of everything. */
static void test_freed(void **state _unused_)
{
        Fixture f;
        Err err = { 0 };
        set_up(&f, ORIGIN_NOBODY_HOME);
        begin(&f);
        for (size_t i = 0; i < 10; i++)
                add(&f, (ProbeSpec){ .kind = PROBE_HTTP,
                                     .host = i % 2 ? "localhost" : "127.0.0.1",
                                     .read_usec = USEC_PER_SEC });
        /* One that TLS carries already. */
        if (!tls_origin_missing())
                add(&f, (ProbeSpec){ .kind = PROBE_HTTP,
                                     .port = tls_origin_front(&tls_origin, origin_port(f.origin)),
                                     .tls = true,
                                     .any_certificate = true,
                                     .connect_usec = 2 * USEC_PER_SEC,
                                     .read_usec = 2 * USEC_PER_SEC });
        assert_int_equal(probing_start(f.probing, on_result, on_done, &f, &err), 0);
        for (Usec until = time_now() + 500 * USEC_PER_MSEC; time_now() < until;)
                assert_true(sd_event_run(f.event, until - time_now()) >= 0);
        f.probing = probing_free(f.probing);
        while (sd_event_run(f.event, 0) > 0)
                ;
        assert_int_equal(f.ended, 0);
        tear_down(&f);
}

/* ---- TLS -------------------------------------------------------------------------------------------------
 */

typedef struct TlsCase {
        TlsDoor door;
        const char *trust, *keys, *alias; /* NULL: not set */
        const char *protocol, *cipher;
        const char *host; /* NULL: 127.0.0.1 */
        bool two_way, any, no_stores;
        ProbeKind kind;
        ProbeLayer layer;
        unsigned notes;
        const char *says;
        const char *stores;     /* NULL: the folder; else one in it */
        const char *negotiated; /* NULL: whatever; else the cipher of Java's and OpenSSL's name */
} TlsCase;

static void run_tls(const TlsCase *c)
{
        EdgeText protocol = { c->protocol, 1 }, cipher = { c->cipher, 1 };
        EdgeSsl ssl = {
                .line = 1,
                .trust_store = { c->trust, c->trust ? 1 : 0 },
                .key_store = { c->keys, c->keys ? 1 : 0 },
                .key_alias = { c->alias, c->alias ? 1 : 0 },
                .protocols = { &protocol, c->protocol ? 1 : 0 },
                .ciphers = { &cipher, c->cipher ? 1 : 0 },
        };
        EdgeNumber ok = { true, 200, 1 };
        EdgeNumbers codes = { &ok, 1 };
        EdgeHeader wanted = { "X-Cipher", c->negotiated, 1 };
        EdgeHeaders headers = { &wanted, c->negotiated ? 1 : 0 };
        char stores[128];
        Fixture f;

        set_up(&f, ORIGIN_OPEN);
        (void) snprintf(stores, sizeof(stores), "%s/%s", tls_origin.folder, c->stores ? c->stores : ".");
        f.stores = c->no_stores ? NULL : stores;
        const ProbeResult *r = check(&f, (ProbeSpec){ .kind = c->kind,
                                                      .host = c->host,
                                                      .port = tls_origin.ports[c->door],
                                                      .tls = true,
                                                      .ssl = &ssl,
                                                      .two_way = c->two_way,
                                                      .any_certificate = c->any,
                                                      .codes = &codes,
                                                      .expected_headers = &headers,
                                                      .connect_usec = 2 * USEC_PER_SEC,
                                                      .read_usec = 2 * USEC_PER_SEC });
        if (r->layer != c->layer || r->notes != c->notes || !strstr(r->text, c->says))
                fail_msg("door %d, %s: %s, notes %u, expected %s, %u, \"%s\": %s", c->door,
                         probe_kind_name(c->kind), probe_layer_name(r->layer), r->notes,
                         probe_layer_name(c->layer), c->notes, c->says, r->text);
        tear_down(&f);
}

static void test_tls(void **state _unused_)
{
        if (tls_origin_missing()) {
                print_message("%s is not installed\n", tls_origin_missing());
                skip();
        }
        static const TlsCase cases[] = {
                /* one-way */
                { TLS_ONE_WAY, .trust = "authority", .kind = PROBE_TLS, .layer = PROBE_OK,
                  .says = "connected after" },
                { TLS_ONE_WAY, .trust = "ref://authority", .kind = PROBE_HTTP, .layer = PROBE_OK,
                  .says = "answered 200" },
                { TLS_ONE_WAY, .trust = "authority", .host = "localhost", .kind = PROBE_HTTP,
                  .layer = PROBE_OK, .says = "200" },
                { TLS_ONE_WAY, .kind = PROBE_HTTP, .layer = PROBE_HANDSHAKE, .says = "certificate" },
                { TLS_ONE_WAY, .kind = PROBE_TCP, .layer = PROBE_OK, .says = "connected" },
                { TLS_ONE_WAY, .any = true, .kind = PROBE_HTTP, .layer = PROBE_OK, .says = "200" },
                { TLS_ONE_WAY, .trust = "no-such-store", .kind = PROBE_HTTP, .layer = PROBE_OK,
                  .notes = PROBE_NOTE_NO_TRUST, .says = "200" },
                { TLS_ONE_WAY, .trust = "../authority", .kind = PROBE_TLS, .layer = PROBE_OK,
                  .notes = PROBE_NOTE_NO_TRUST, .says = "" },
                /* Files that are there, by names that leave the folder or hide in it. */
                { TLS_ONE_WAY, .trust = "../authority", .stores = "keys", .kind = PROBE_TLS,
                  .layer = PROBE_OK, .notes = PROBE_NOTE_NO_TRUST, .says = "" },
                { TLS_ONE_WAY, .trust = "keys/client", .kind = PROBE_TLS, .layer = PROBE_OK,
                  .notes = PROBE_NOTE_NO_TRUST, .says = "" },
                { TLS_ONE_WAY, .trust = ".hidden", .kind = PROBE_TLS, .layer = PROBE_OK,
                  .notes = PROBE_NOTE_NO_TRUST, .says = "" },
                { TLS_TWO_WAY, .trust = "authority", .keys = "keys", .alias = "../client", .two_way = true,
                  .kind = PROBE_HTTP, .layer = PROBE_STATUS, .notes = PROBE_NOTE_NO_KEY, .says = "400" },
                { TLS_TWO_WAY, .trust = "authority", .keys = "keys", .alias = ".hidden", .two_way = true,
                  .kind = PROBE_HTTP, .layer = PROBE_STATUS, .notes = PROBE_NOTE_NO_KEY, .says = "400" },
                { TLS_ONE_WAY, .trust = "authority", .no_stores = true, .kind = PROBE_TLS, .layer = PROBE_OK,
                  .notes = PROBE_NOTE_NO_TRUST, .says = "" },
                { TLS_ONE_WAY, .trust = "self", .kind = PROBE_TLS, .layer = PROBE_HANDSHAKE,
                  .says = "certificate" },
                { TLS_EXPIRED, .trust = "authority", .kind = PROBE_TLS, .layer = PROBE_HANDSHAKE,
                  .says = "expired" },
                { TLS_OTHER_NAME, .trust = "authority", .kind = PROBE_TLS, .layer = PROBE_HANDSHAKE,
                  .says = "" },
                { TLS_OTHER_NAME, .trust = "authority", .any = true, .kind = PROBE_TLS, .layer = PROBE_OK,
                  .says = "" },
                /* self-signed */
                { TLS_SELF, .trust = "self", .kind = PROBE_TLS, .layer = PROBE_OK, .says = "" },
                { TLS_SELF, .trust = "self", .kind = PROBE_HTTP, .layer = PROBE_OK,
                  .notes = PROBE_NOTE_SELF_SIGNED, .says = "200" },
                { TLS_SELF, .kind = PROBE_HTTP, .layer = PROBE_HANDSHAKE, .says = "self" },
                /* two-way */
                { TLS_TWO_WAY, .trust = "authority", .keys = "keys", .alias = "client", .two_way = true,
                  .kind = PROBE_HTTP, .layer = PROBE_OK, .says = "200" },
                { TLS_TWO_WAY, .trust = "authority", .keys = "ref://keys", .alias = "client", .two_way = true,
                  .kind = PROBE_TLS, .layer = PROBE_OK, .says = "" },
                { TLS_TWO_WAY, .trust = "authority", .keys = "keys", .alias = "other", .two_way = true,
                  .kind = PROBE_HTTP, .layer = PROBE_STATUS, .notes = PROBE_NOTE_NO_KEY, .says = "400" },
                { TLS_TWO_WAY, .trust = "authority", .kind = PROBE_HTTP, .layer = PROBE_STATUS,
                  .says = "400" },
                /* protocols and ciphers */
                { TLS_1_2_ONLY, .trust = "authority", .protocol = "TLSv1.2", .kind = PROBE_TLS,
                  .layer = PROBE_OK, .says = "" },
                { TLS_1_2_ONLY, .trust = "authority", .protocol = "TLSv1.3", .kind = PROBE_TLS,
                  .layer = PROBE_HANDSHAKE, .says = "" },
                { TLS_1_3_ONLY, .trust = "authority", .protocol = "TLSv1.3", .kind = PROBE_TLS,
                  .layer = PROBE_OK, .says = "" },
                { TLS_1_3_ONLY, .trust = "authority", .protocol = "TLSv1.2", .kind = PROBE_TLS,
                  .layer = PROBE_HANDSHAKE, .says = "" },
                { TLS_1_3_ONLY, .trust = "authority", .cipher = "TLS_AES_128_GCM_SHA256", .kind = PROBE_HTTP,
                  .layer = PROBE_OK, .says = "200", .negotiated = "TLS_AES_128_GCM_SHA256" },
                { TLS_1_3_ONLY, .trust = "authority", .cipher = "TLS_CHACHA20_POLY1305_SHA256",
                  .kind = PROBE_HTTP, .layer = PROBE_OK, .says = "200",
                  .negotiated = "TLS_CHACHA20_POLY1305_SHA256" },
                { TLS_1_2_ONLY, .trust = "authority", .protocol = "SSLv3", .kind = PROBE_TLS,
                  .layer = PROBE_OK, .notes = PROBE_NOTE_PROTOCOLS, .says = "" },
                { TLS_1_2_ONLY, .trust = "authority", .cipher = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                  .kind = PROBE_TLS, .layer = PROBE_OK, .says = "" },
                { TLS_1_2_ONLY, .trust = "authority", .cipher = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                  .kind = PROBE_TLS, .layer = PROBE_HANDSHAKE, .says = "" },
                { TLS_1_2_ONLY, .trust = "authority", .cipher = "no cipher", .kind = PROBE_TLS,
                  .layer = PROBE_OK, .notes = PROBE_NOTE_CIPHERS, .says = "" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                run_tls(&cases[i]);

        /* TLS to what does not speak it, and to what says nothing. */
        expect_door(ORIGIN_NOBODY_HOME, (ProbeSpec){ .kind = PROBE_TLS, .tls = true }, PROBE_HANDSHAKE,
                    "nothing for 0.30 s");
        expect_door(ORIGIN_SLAM, (ProbeSpec){ .kind = PROBE_TLS, .tls = true }, PROBE_HANDSHAKE, "");
}

static void test_java_names(void **state _unused_)
{
        static const struct {
                const char *java, *openssl;
                bool is_13;
        } names[] = {
                { "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", false },
                { "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ECDHE-ECDSA-AES256-SHA384", false },
                { "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", false },
                { "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", false },
                { "SSL_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", false },
                { "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", false },
                { "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", true },
                { "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", false },
        };
        char buf[HTTP_TLS_CIPHER_SIZE];
        bool is_13;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                assert_true(http_tls_cipher(names[i].java, buf, sizeof(buf), &is_13));
                assert_string_equal(buf, names[i].openssl);
                assert_int_equal(is_13, names[i].is_13);
        }
        assert_false(http_tls_cipher("", buf, sizeof(buf), &is_13));
        assert_false(http_tls_cipher("a:b", buf, sizeof(buf), &is_13));
        assert_int_equal(http_tls_version("TLSv1.2"), 12);
        assert_int_equal(http_tls_version("TLSv1"), 10);
        assert_int_equal(http_tls_version("SSLv2Hello"), 0);
}

static int start_nginx(void **state _unused_)
{
        if (!tls_origin_missing())
                tls_origin_start(&tls_origin);
        return 0;
}

static int stop_nginx(void **state _unused_)
{
        if (!tls_origin_missing())
                tls_origin_stop(&tls_origin);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tcp),          cmocka_unit_test(test_names),
                cmocka_unit_test(test_layers),       cmocka_unit_test(test_send),
                cmocka_unit_test(test_dripping),     cmocka_unit_test(test_large_body),
                cmocka_unit_test(test_expectations), cmocka_unit_test(test_request),
                cmocka_unit_test(test_not_here),     cmocka_unit_test(test_at_once),
                cmocka_unit_test(test_freed),        cmocka_unit_test(test_silent_names),
                cmocka_unit_test(test_families),     cmocka_unit_test(test_a_name_that_cannot_be_asked_for),
                cmocka_unit_test(test_limits),       cmocka_unit_test(test_many_headers),
                cmocka_unit_test(test_tls),          cmocka_unit_test(test_java_names),
        };
        return cmocka_run_group_tests_name("probing", tests, start_nginx, stop_nginx);
}
