/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every outcome of probes/http.c, against an origin that misbehaves in just that way. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probes/http.h"
#include "probes/pem.h"
#include "tests/lib/origin.h"

#define HEAD_100 "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"

typedef struct Fixture {
        sd_event *event;
        Http *http;
        Origin *origin;
        unsigned called;
        HttpOutcome outcome;
        long status;
        size_t body_len;
        char body[64], location[256];
        char text[512];
        Usec elapsed_usec;
        HttpCall *other; /* to be cancelled by the callback */
} Fixture;

static void open_door(Fixture *f, OriginDoor door)
{
        Err err = { 0 };
        memset(f, 0, sizeof(*f));
        assert_true(sd_event_new(&f->event) >= 0);
        f->origin = origin_new(f->event, door);
        assert_int_equal(http_new(&f->http, f->event, &err), 0);
}

static void close_door(Fixture *f)
{
        (void) http_free(f->http);
        (void) origin_free(f->origin);
        (void) sd_event_unref(f->event);
}

static void on_result(const HttpResult *r, void *userdata)
{
        Fixture *f = userdata;
        f->called++;
        f->outcome = r->outcome;
        f->status = r->status;
        f->body_len = r->body_len;
        (void) snprintf(f->body, sizeof(f->body), "%.60s", r->body);
        (void) snprintf(f->text, sizeof(f->text), "%s", r->text);
        (void) snprintf(f->location, sizeof(f->location), "%s", r->location);
        f->elapsed_usec = r->elapsed_usec;
}

/* Run the loop until @called reaches @n; nothing here may take 10 s. */
static void run_until(Fixture *f, const unsigned *called, unsigned n)
{
        Usec deadline = time_now() + 10 * USEC_PER_SEC;
        while (*called < n) {
                assert_true(time_now() < deadline);
                assert_true(sd_event_run(f->event, time_left(deadline, time_now())) >= 0);
        }
}

/* Let everything that is ready now happen. */
static void run_ready(Fixture *f)
{
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static void start(Fixture *f, HttpRequest request, const char *path, HttpCall **ret)
{
        char url[256];
        Err err = { 0 };
        if (!request.url) {
                (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", origin_port(f->origin), path);
                request.url = url;
        }
        if (request.total_usec == 0)
                request.total_usec = 3 * USEC_PER_SEC;
        unsigned before = f->called;
        assert_int_equal(http_start(f->http, &request, on_result, f, ret, &err), 0);
        assert_int_equal(f->called, before); /* never from within */
}

static void fetch(Fixture *f, HttpRequest request)
{
        unsigned n = f->called + 1;
        start(f, request, "/x", NULL);
        run_until(f, &f->called, n);
        if (f->outcome != HTTP_ANSWER) {
                assert_int_equal(f->status, 0);
                assert_int_equal(f->body_len, 0);
                assert_string_equal(f->body, "");
        }
        assert_true(*f->text);
}

/* One request against an origin that answers like this. */
static void expect_reply(OriginReply reply, HttpRequest request, HttpOutcome outcome)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", reply);
        fetch(&f, request);
        if (f.outcome != outcome)
                fail_msg("%s, expected %s: %s", http_outcome_name(f.outcome), http_outcome_name(outcome),
                         f.text);
        close_door(&f);
}

static void expect_door(OriginDoor door, HttpRequest request, HttpOutcome outcome)
{
        Fixture f;
        open_door(&f, door);
        fetch(&f, request);
        if (f.outcome != outcome)
                fail_msg("%s, expected %s: %s", http_outcome_name(f.outcome), http_outcome_name(outcome),
                         f.text);
        close_door(&f);
}

static void expect_url(const char *url, HttpOutcome outcome)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        fetch(&f, (HttpRequest){ .url = url });
        if (f.outcome != outcome)
                fail_msg("%s, expected %s: %s", http_outcome_name(f.outcome), http_outcome_name(outcome),
                         f.text);
        assert_int_equal(origin_requests(f.origin), 0);
        close_door(&f);
}

static const HttpRequest quick = { .total_usec = 300 * USEC_PER_MSEC };

static void test_answer(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "true\n");
        fetch(&f, (HttpRequest){ 0 });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        assert_int_equal(f.status, 200);
        assert_string_equal(f.body, "true\n");
        assert_int_equal(f.body_len, 5);
        assert_non_null(strstr(f.text, "/x answered 200 after 0."));
        assert_non_null(strstr(origin_last_request(f.origin), "GET /x HTTP/1.1\r\n"));
        assert_non_null(strstr(origin_last_request(f.origin), "\r\nUser-Agent: edge-roll\r\n"));
        close_door(&f);
}

static void test_status_is_no_failure(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 503, "");
        fetch(&f, (HttpRequest){ 0 });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        assert_int_equal(f.status, 503);
        assert_int_equal(f.body_len, 0);
        close_door(&f);
}

static void test_redirect_is_not_followed(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "/x",
                  (OriginReply){ .text = "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n" });
        fetch(&f, (HttpRequest){ 0 });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        assert_int_equal(f.status, 302);
        assert_int_equal(origin_requests(f.origin), 1);
        assert_non_null(strstr(f.location, "/y"));
        origin_on(f.origin, "/x",
                  (OriginReply){
                          .text = "HTTP/1.1 307 Away\r\nLocation: https://other.example/a?token=s3cret\r\n"
                                  "Content-Length: 0\r\n\r\n" });
        fetch(&f, (HttpRequest){ .method = "DELETE" });
        assert_string_equal(f.location, "https://other.example/a");
        assert_null(strstr(f.text, "s3cret"));
        assert_int_equal(origin_requests(f.origin), 2);
        close_door(&f);
}

static void test_methods_and_headers(void **state _unused_)
{
        static const char *const headers[] = { "Content-Type: text/xml", "X-One: a b", NULL };
        static const char *const bad[][2] = { { "X-A: b\r\nX-C: d" }, { "X-A" }, { ": a" }, { "X A: b" } };
        const char *many[HTTP_EXTRA_MAX + 2];
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "");
        fetch(&f, (HttpRequest){ .method = "PUT", .post_body = "<a/>", .headers = headers });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        const char *seen = origin_last_request(f.origin);
        assert_non_null(strstr(seen, "PUT /x HTTP/1.1\r\n"));
        assert_non_null(strstr(seen, "\r\nContent-Type: text/xml\r\n"));
        assert_non_null(strstr(seen, "\r\nX-One: a b\r\n"));
        assert_null(strstr(seen, "urlencoded"));
        assert_null(strstr(seen, "Expect"));
        assert_non_null(strstr(seen, "\r\n\r\n<a/>"));
        fetch(&f, (HttpRequest){ .method = "DELETE" });
        assert_non_null(strstr(origin_last_request(f.origin), "DELETE /x HTTP/1.1\r\n"));
        fetch(&f, (HttpRequest){ .method = "POST", .post_body = "" });
        assert_non_null(strstr(origin_last_request(f.origin), "POST /x HTTP/1.1\r\n"));
        assert_non_null(strstr(origin_last_request(f.origin), "Content-Length: 0\r\n"));

        unsigned asked = origin_requests(f.origin);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                const char *const list[] = { bad[i][0], NULL };
                fetch(&f, (HttpRequest){ .headers = list });
                assert_int_equal(f.outcome, HTTP_BAD_URL);
        }
        for (size_t i = 0; i <= HTTP_EXTRA_MAX; i++)
                many[i] = "X-A: b";
        many[HTTP_EXTRA_MAX + 1] = NULL;
        fetch(&f, (HttpRequest){ .headers = many });
        assert_int_equal(f.outcome, HTTP_BAD_URL);
        fetch(&f, (HttpRequest){ .method = "GET / HTTP/1.1\r\nX: y" });
        assert_int_equal(f.outcome, HTTP_BAD_URL);
        assert_int_equal(origin_requests(f.origin), asked);
        many[HTTP_EXTRA_MAX] = NULL;
        fetch(&f, (HttpRequest){ .headers = many, .post_body = "a" });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        close_door(&f);
}

static void test_post_and_cookie(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "");
        fetch(&f, (HttpRequest){ .post_body = "action=monitor&a=b", .cookie = "securitytoken=1a2b" });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        assert_non_null(strstr(origin_last_request(f.origin), "POST /x HTTP/1.1\r\n"));
        assert_non_null(strstr(origin_last_request(f.origin), "\r\nCookie: securitytoken=1a2b\r\n"));
        assert_non_null(strstr(origin_last_request(f.origin), "application/x-www-form-urlencoded"));
        assert_non_null(strstr(origin_last_request(f.origin), "\r\n\r\naction=monitor&a=b"));
        close_door(&f);
}

static void test_proxy_of_the_environment_is_ignored(void **state _unused_)
{
        Fixture f;
        assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "");
        fetch(&f, (HttpRequest){ 0 });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        close_door(&f);
        assert_int_equal(unsetenv("http_proxy"), 0);
}

static void test_bad_url(void **state _unused_)
{
        char *longest = malloc(9001);
        assert_non_null(longest);
        memset(longest, 'a', 9000);
        memcpy(longest, "http://", 7);
        longest[9000] = '\0';

        expect_url("", HTTP_BAD_URL);
        expect_url("http://", HTTP_BAD_URL);
        expect_url("http://127.0.0.1:99999/", HTTP_BAD_URL);
        expect_url("ftp://127.0.0.1/", HTTP_BAD_URL);
        expect_url("file:///etc/passwd", HTTP_BAD_URL);
        expect_url("http://127.0.0.1/a b", HTTP_BAD_URL);
        expect_url("http://127.0.0.1/\r\nX: y", HTTP_BAD_URL);
        expect_url("http://127.0.0.1/\xc3\xa4", HTTP_BAD_URL);
        expect_url(longest, HTTP_BAD_URL);
        expect_door(ORIGIN_OPEN, (HttpRequest){ .cookie = "a\r\nX: y" }, HTTP_BAD_URL);
        free(longest);
}

/*
 * The name is reserved never to exist (RFC 6761). A libcurl that may not look up names and a DNS that does
 * not answer end with the same outcome.
 */
static void test_resolve(void **state _unused_)
{
        expect_url("http://edge-roll.invalid/", HTTP_RESOLVE);
        expect_url("http://127.0.0.1@edge-roll.invalid/", HTTP_RESOLVE);
}

/* Numbers and localhost do with any libcurl. */
static void test_hosts_without_lookup(void **state _unused_)
{
        static const char *const hosts[] = { "127.0.0.1", "localhost", "LOCALHOST", "user:pw@127.0.0.1",
                                             "[::ffff:127.0.0.1]" };
        Fixture f;

        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "true");
        for (size_t i = 0; i < ELEMENTS(hosts); i++) {
                char url[128];
                (void) snprintf(url, sizeof(url), "http://%s:%u/x", hosts[i], origin_port(f.origin));
                fetch(&f, (HttpRequest){ .url = url });
                if (f.outcome != HTTP_ANSWER)
                        fail_msg("%s", f.text);
        }
        close_door(&f);
}

static void test_host_is_name(void **state _unused_)
{
        static const char *const names[] = {
                "http://a/",
                "http://a",
                "a:80/x",
                "https://node1.example.com:8082/x?y=z",
                "http://127.0.0.1@a/",
                "http://127.1/",
                "http://localhost.a",
                "http://10.0.0.256/",
                "http://a/@127.0.0.1",
                "http://a?127.0.0.1",
                "http://a#@[::1]/",
                "http://0x7f000001/",
                "http://a.example.com.a.name.that.is.longer.than.any.address.can.be/",
        };
        static const char *const numbers[] = {
                "http://127.0.0.1/",
                "http://127.0.0.1:8082/v1",
                "127.0.0.1",
                "http://[::1]:8082/",
                "http://a@127.0.0.1/",
                "http://localhost/",
                "http://LocalHost:80",
                "http:///x",
                "http://",
                "",
                "http://10.0.0.5?a.b",
        };
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (!http_host_is_name(names[i]))
                        fail_msg("%s", names[i]);
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (http_host_is_name(numbers[i]))
                        fail_msg("%s", numbers[i]);
}

static void test_refused(void **state _unused_)
{
        /* A port that is bound, but not listened on, belongs to nobody else. */
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        char url[64];
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(fd >= 0 && bind(fd, (struct sockaddr *) &a, sizeof(a)) == 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &len), 0);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(a.sin_port));
        expect_url(url, HTTP_REFUSED);
        (void) close(fd);
}

static void test_connect(void **state _unused_)
{
        expect_door(ORIGIN_FULL, (HttpRequest){ .connect_usec = 200 * USEC_PER_MSEC }, HTTP_CONNECT);
        /* The total limit ends it just as well. */
        expect_door(ORIGIN_FULL, quick, HTTP_CONNECT);
        /* Class E: the kernel itself says no. */
        expect_url("http://255.255.255.255:1/", HTTP_CONNECT);
}

static void test_tls(void **state _unused_)
{
        Fixture f;
        char url[64];

        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", (OriginReply){ .text = "x" });
        (void) snprintf(url, sizeof(url), "https://127.0.0.1:%u/", origin_port(f.origin));
        /* The origin waits for the end of a request that never comes: the handshake hangs. */
        fetch(&f, (HttpRequest){ .url = url, .total_usec = 300 * USEC_PER_MSEC });
        assert_int_equal(f.outcome, HTTP_TLS);
        close_door(&f);

        open_door(&f, ORIGIN_SLAM);
        (void) snprintf(url, sizeof(url), "https://127.0.0.1:%u/", origin_port(f.origin));
        fetch(&f, (HttpRequest){ .url = url });
        assert_int_equal(f.outcome, HTTP_TLS);
        close_door(&f);
}

/* ---- certificates: openssl as the server ---- */

typedef struct TlsServer {
        char dir[64];
        pid_t pid;
        int in;
        unsigned port;
        char fingerprint[2][SHA256_TEXT_SIZE]; /* of its own certificate, and of the one for the name */
} TlsServer;

/* @name takes the place of each '@'. */
static void shell(const char *dir, const char *fmt, const char *name)
{
        char command[768];
        size_t n = (size_t) snprintf(command, sizeof(command), "cd %s && exec >/dev/null 2>&1 && ", dir);
        for (const char *p = fmt; *p && n < sizeof(command) - 1; p++)
                if (*p == '@')
                        n += (size_t) snprintf(command + n, sizeof(command) - n, "%s", name);
                else
                        command[n++] = *p;
        command[n] = '\0';
        assert_int_equal(system(command), 0);
}

static void tls_server_start(TlsServer *s)
{
        static const char make[] =
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                "-subj /CN=@ -days 30 -keyout @.key -out @.pem";
        char path[128], line[256];
        int in[2], out[2];

        *s = (TlsServer){ .dir = "/tmp/edge-roll-tls.XXXXXX" };
        assert_non_null(mkdtemp(s->dir));
        shell(s->dir, make, "own");
        shell(s->dir, make, "api.example.com");
        for (int i = 0; i < 2; i++) {
                (void) snprintf(path, sizeof(path), "%s/%s.pem", s->dir, i ? "api.example.com" : "own");
                assert_int_equal(pem_fingerprint_file(path, s->fingerprint[i], NULL), 0);
        }
        /* The end of its input is its own end. */
        assert_int_equal(pipe(in), 0);
        assert_int_equal(pipe(out), 0);
        s->in = in[1];
        s->pid = fork();
        assert_true(s->pid >= 0);
        if (s->pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) dup2(in[0], STDIN_FILENO);
                (void) dup2(out[1], STDOUT_FILENO);
                if (chdir(s->dir) < 0)
                        _exit(127);
                (void) execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "own.pem",
                              "-key", "own.key", "-servername", "api.example.com", "-cert2",
                              "api.example.com.pem", "-key2", "api.example.com.key", NULL);
                _exit(127);
        }
        (void) close(in[0]);
        (void) close(out[1]);
        _cleanup_(fclosep) FILE *f = fdopen(out[0], "r");
        while (s->port == 0 && fgets(line, sizeof(line), f))
                (void) sscanf(line, "ACCEPT 127.0.0.1:%u", &s->port);
        assert_true(s->port > 0);
}

static void tls_server_stop(TlsServer *s)
{
        (void) kill(s->pid, SIGKILL);
        (void) waitpid(s->pid, NULL, 0);
        (void) close(s->in);
        shell(s->dir, "rm -f own.* api.*", "");
        (void) rmdir(s->dir);
}

typedef struct Certificate {
        unsigned called;
        HttpOutcome outcome;
        char fingerprint[SHA256_TEXT_SIZE], text[512];
} Certificate;

static void on_certificate(const HttpResult *r, void *userdata)
{
        Certificate *c = userdata;
        c->called++;
        c->outcome = r->outcome;
        assert_int_equal(r->status, 0);
        (void) snprintf(c->text, sizeof(c->text), "%s", r->text);
        if (r->outcome == HTTP_ANSWER)
                assert_int_equal(pem_fingerprint(r->body, r->body_len, c->fingerprint, NULL), 0);
        else
                assert_int_equal(r->body_len, 0);
}

static Certificate certificate_of(Fixture *f, unsigned port, const char *name)
{
        Certificate c = { 0 };
        char url[64];
        (void) snprintf(url, sizeof(url), "https://127.0.0.1:%u/", port);
        HttpRequest request = { .url = url, .certificate = true, .server_name = name };
        assert_int_equal(http_start(f->http, &request, on_certificate, &c, NULL, NULL), 0);
        run_until(f, &c.called, 1);
        return c;
}

static void test_certificate(void **state _unused_)
{
        Fixture f;
        TlsServer s;

        tls_server_start(&s);
        open_door(&f, ORIGIN_OPEN);
        /* Self-signed, and for another name: told, not verified. The end of one handshake is no end of the
         * server. */
        for (int i = 0; i < 3; i++) {
                Certificate c = certificate_of(&f, s.port, NULL);
                assert_int_equal(c.outcome, HTTP_ANSWER);
                assert_string_equal(c.fingerprint, s.fingerprint[0]);
                assert_non_null(strstr(c.text, "TLS handshake done"));
        }
        Certificate c = certificate_of(&f, s.port, "api.example.com");
        assert_int_equal(c.outcome, HTTP_ANSWER);
        assert_string_equal(c.fingerprint, s.fingerprint[1]);
        assert_string_not_equal(s.fingerprint[0], s.fingerprint[1]);
        c = certificate_of(&f, s.port, "");
        assert_string_equal(c.fingerprint, s.fingerprint[0]);

        /* Plain HTTP on the port is a failed handshake. */
        origin_on(f.origin, "*", (OriginReply){ .text = "HTTP/1.1 400 Bad Request\r\n\r\n" });
        c = certificate_of(&f, origin_port(f.origin), NULL);
        assert_int_equal(c.outcome, HTTP_TLS);
        tls_server_stop(&s);
        c = certificate_of(&f, s.port, NULL);
        assert_int_equal(c.outcome, HTTP_REFUSED);
        close_door(&f);
}

static void test_send(void **state _unused_)
{
        size_t size = 16 * 1024 * 1024;
        char *body = malloc(size);
        assert_non_null(body);
        memset(body, 'a', size - 1);
        body[size - 1] = '\0';
        expect_door(ORIGIN_DEAF, (HttpRequest){ .post_body = body, .total_usec = 300 * USEC_PER_MSEC },
                    HTTP_SEND);
        expect_door(ORIGIN_SLAM, (HttpRequest){ .post_body = body }, HTTP_SEND);
        free(body);
}

static void test_no_answer(void **state _unused_)
{
        expect_door(ORIGIN_NOBODY_HOME, quick, HTTP_NO_ANSWER);
        expect_door(ORIGIN_SLAM, (HttpRequest){ 0 }, HTTP_NO_ANSWER);
        expect_reply((OriginReply){ .end = ORIGIN_HANG }, quick, HTTP_NO_ANSWER);
        expect_reply((OriginReply){ .end = ORIGIN_CLOSE }, (HttpRequest){ 0 }, HTTP_NO_ANSWER);
        expect_reply((OriginReply){ .end = ORIGIN_RESET }, (HttpRequest){ 0 }, HTTP_NO_ANSWER);
}

static void test_truncated(void **state _unused_)
{
        static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

        expect_reply((OriginReply){ .text = HEAD_100, .end = ORIGIN_HANG }, quick, HTTP_TRUNCATED);
        expect_reply((OriginReply){ .text = "HTTP/1.1 20", .end = ORIGIN_HANG }, quick, HTTP_TRUNCATED);
        expect_reply((OriginReply){ .text = HEAD_100 "short" }, (HttpRequest){ 0 }, HTTP_TRUNCATED);
        expect_reply((OriginReply){ .text = HEAD_100 "short", .end = ORIGIN_RESET }, (HttpRequest){ 0 },
                     HTTP_TRUNCATED);
        expect_reply((OriginReply){ .text = chunked }, (HttpRequest){ 0 }, HTTP_TRUNCATED);
        expect_reply((OriginReply){ .text = chunked, .end = ORIGIN_RESET }, (HttpRequest){ 0 },
                     HTTP_TRUNCATED);
}

/* The total limit holds against an origin that never pauses long. */
static void test_drip(void **state _unused_)
{
        const OriginReply body = {
                .text = "HTTP/1.1 200 OK\r\n\r\n",
                .filler = "x",
                .filler_bytes = ORIGIN_FOREVER,
                .drip_usec = 5 * USEC_PER_MSEC,
        };
        const OriginReply head = {
                .text = "HTTP/1.1 200 OK\r\nX: ",
                .filler = "x",
                .filler_bytes = ORIGIN_FOREVER,
                .drip_usec = 5 * USEC_PER_MSEC,
        };
        Fixture f;

        expect_reply(head, quick, HTTP_TRUNCATED);
        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", body);
        fetch(&f, quick);
        assert_int_equal(f.outcome, HTTP_TRUNCATED);
        assert_in_range(f.elapsed_usec, 250 * USEC_PER_MSEC, 2 * USEC_PER_SEC);
        assert_non_null(strstr(f.text, "the answer stopped before its end"));
        close_door(&f);
}

static void test_too_large(void **state _unused_)
{
        const uint64_t huge = 100 * 1024 * 1024;
        const OriginReply with_length = {
                .text = "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n",
                .filler = "0123456789abcdef",
                .filler_bytes = huge,
        };
        const OriginReply without_length = {
                .text = "HTTP/1.1 200 OK\r\n\r\n",
                .filler = "0123456789abcdef",
                .filler_bytes = huge,
        };
        const OriginReply endless_headers = {
                .text = "HTTP/1.1 200 OK\r\n",
                .filler = "X-More: and more\r\n",
                .filler_bytes = ORIGIN_FOREVER,
        };
        const OriginReply endless_line = {
                .text = "HTTP/1.1 200 OK\r\nX-More: ",
                .filler = "and more ",
                .filler_bytes = ORIGIN_FOREVER,
        };
        Fixture f;

        expect_reply(with_length, (HttpRequest){ 0 }, HTTP_TOO_LARGE);
        expect_reply(endless_headers, (HttpRequest){ 0 }, HTTP_TOO_LARGE);
        expect_reply(endless_line, (HttpRequest){ 0 }, HTTP_TOO_LARGE);

        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", without_length);
        fetch(&f, (HttpRequest){ 0 });
        assert_int_equal(f.outcome, HTTP_TOO_LARGE);
        assert_true(origin_bytes_sent(f.origin) < huge / 2); /* given up, not read to the end */
        close_door(&f);
}

static void test_body_limit_is_exact(void **state _unused_)
{
        expect_reply((OriginReply){ .text = "HTTP/1.1 200 OK\r\n\r\n12345" },
                     (HttpRequest){ .max_body_bytes = 5 }, HTTP_ANSWER);
        expect_reply((OriginReply){ .text = "HTTP/1.1 200 OK\r\n\r\n123456" },
                     (HttpRequest){ .max_body_bytes = 5 }, HTTP_TOO_LARGE);
}

static void test_protocol(void **state _unused_)
{
        expect_reply((OriginReply){ .text = "SSH-2.0-OpenSSH_9.2p1\r\n" }, (HttpRequest){ 0 }, HTTP_PROTOCOL);
        expect_reply((OriginReply){ .text = "\x15\x03\x01\x02\x02\x16" }, (HttpRequest){ 0 }, HTTP_PROTOCOL);
        expect_reply((OriginReply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx" },
                     (HttpRequest){ 0 }, HTTP_PROTOCOL);
        expect_reply((OriginReply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx" },
                     (HttpRequest){ 0 }, HTTP_PROTOCOL);
}

/* A body longer than announced ends where it was announced to end. */
static void test_wrong_length(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*",
                  (OriginReply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrueish" });
        fetch(&f, (HttpRequest){ 0 });
        assert_int_equal(f.outcome, HTTP_ANSWER);
        assert_string_equal(f.body, "true");
        close_door(&f);
}

static void test_many_at_once(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "true");
        for (int i = 0; i < 50; i++)
                start(&f, (HttpRequest){ 0 }, "/x", NULL);
        run_until(&f, &f.called, 50);
        assert_int_equal(origin_requests(f.origin), 50);
        run_ready(&f);
        assert_int_equal(f.called, 50);
        assert_int_equal(origin_connections(f.origin), 0); /* none is kept for later */
        close_door(&f);
}

static void test_cancel(void **state _unused_)
{
        Fixture f;
        HttpCall *call;

        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "/hang", (OriginReply){ .end = ORIGIN_HANG });
        origin_serve(f.origin, "/x", 200, "true");

        start(&f, (HttpRequest){ 0 }, "/hang", &call);
        assert_null(http_cancel(call)); /* before anything has happened */
        start(&f, (HttpRequest){ 0 }, "/hang", &call);
        while (origin_requests(f.origin) < 1)
                assert_true(sd_event_run(f.event, 10 * USEC_PER_SEC) > 0);
        assert_null(http_cancel(call)); /* under way */
        start(&f, (HttpRequest){ .url = "no url at all " }, NULL, &call);
        assert_null(http_cancel(call)); /* ended, not delivered */
        assert_null(http_cancel(NULL));

        start(&f, (HttpRequest){ 0 }, "/x", NULL);
        run_until(&f, &f.called, 1);
        run_ready(&f);
        assert_int_equal(f.called, 1);
        assert_int_equal(origin_connections(f.origin), 0);
        close_door(&f);
}

static void on_result_cancel(const HttpResult *r, void *userdata)
{
        Fixture *f = userdata;
        on_result(r, f);
        (void) http_cancel(f->other);
}

/* Cancelling itself does nothing, cancelling the other one ends it. */
static void test_cancel_in_callback(void **state _unused_)
{
        Fixture f;
        Err err = { 0 };
        HttpCall *self;
        HttpRequest bad = { .url = "neither " };

        open_door(&f, ORIGIN_OPEN);
        assert_int_equal(http_start(f.http, &bad, on_result_cancel, &f, &self, &err), 0);
        f.other = self;
        run_until(&f, &f.called, 1);

        assert_int_equal(http_start(f.http, &bad, on_result_cancel, &f, &self, &err), 0);
        assert_int_equal(http_start(f.http, &bad, on_result, &f, &f.other, &err), 0);
        run_until(&f, &f.called, 2);
        run_ready(&f);
        assert_int_equal(f.called, 2);
        close_door(&f);
}

static void on_result_free(const HttpResult *r, void *userdata)
{
        Fixture *f = userdata;
        f->http = http_free(f->http);
        on_result(r, f); /* the result outlives it */
}

static void test_free_in_callback(void **state _unused_)
{
        Fixture f;
        Err err = { 0 };
        char url[64];

        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "true");
        origin_on(f.origin, "/hang", (OriginReply){ .end = ORIGIN_HANG });
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", origin_port(f.origin));
        start(&f, (HttpRequest){ 0 }, "/hang", NULL);
        start(&f, (HttpRequest){ .url = "neither " }, NULL, NULL);
        HttpRequest request = { .url = url };
        assert_int_equal(http_start(f.http, &request, on_result_free, &f, NULL, &err), 0);
        run_until(&f, &f.called, 2);
        assert_string_equal(f.body, "true");
        run_ready(&f);
        assert_int_equal(f.called, 2);
        close_door(&f);
}

static void on_result_again(const HttpResult *r, void *userdata)
{
        Fixture *f = userdata;
        on_result(r, f);
        if (f->called < 20)
                start(f, (HttpRequest){ 0 }, "/x", NULL);
}

static void test_start_in_callback(void **state _unused_)
{
        Fixture f;
        Err err = { 0 };
        HttpRequest bad = { .url = "neither " };

        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "true");
        assert_int_equal(http_start(f.http, &bad, on_result_again, &f, NULL, &err), 0);
        run_until(&f, &f.called, 2);
        assert_int_equal(f.outcome, HTTP_ANSWER);
        close_door(&f);
}

static void test_free_under_way(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", (OriginReply){ .end = ORIGIN_HANG });
        for (int i = 0; i < 5; i++)
                start(&f, (HttpRequest){ 0 }, "/x", NULL);
        while (origin_requests(f.origin) < 5)
                assert_true(sd_event_run(f.event, 10 * USEC_PER_SEC) > 0);
        start(&f, (HttpRequest){ .url = "neither " }, NULL, NULL); /* ended, not delivered */
        f.http = http_free(f.http);
        run_ready(&f);
        assert_int_equal(f.called, 0);
        assert_int_equal(origin_connections(f.origin), 0);
        close_door(&f);
}

/* The sentence goes into D-Bus messages. */
static void test_text_is_ascii(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        fetch(&f, (HttpRequest){ .url = "http://127.0.0.1/\xff\x01\n" });
        for (const char *p = f.text; *p; p++)
                assert_in_range(*p, 0x20, 0x7e);
        close_door(&f);
}

static void test_names(void **state _unused_)
{
        for (int i = 0; i < HTTP_OUTCOME_COUNT; i++)
                for (int k = 0; k < i; k++)
                        assert_string_not_equal(http_outcome_name((HttpOutcome) i),
                                                http_outcome_name((HttpOutcome) k));
        assert_string_equal(http_outcome_name(HTTP_NO_ANSWER), "no-answer");
        assert_string_equal(http_outcome_name(HTTP_OUTCOME_COUNT), "invalid");
        assert_string_equal(http_outcome_name(HTTP_OUTCOME_INVALID), "invalid");
}

/* Who asks goes into one header, and nowhere else. */
static void test_basic_auth(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "*", 401, "no");
        fetch(&f, (HttpRequest){ .user = "admin@x.org", .password = "s3cret:with colon" });
        assert_int_equal(f.status, 401);
        assert_non_null(strstr(origin_last_request(f.origin),
                               "Authorization: Basic YWRtaW5AeC5vcmc6czNjcmV0OndpdGggY29sb24=\r\n"));
        assert_null(strstr(f.text, "s3cret"));
        /* Without one there is none, and a new request knows nothing of the one before. */
        fetch(&f, (HttpRequest){ 0 });
        assert_null(strcasestr(origin_last_request(f.origin), "authorization"));
        fetch(&f, (HttpRequest){ .user = "a:b", .password = "c" });
        assert_int_equal(f.outcome, HTTP_BAD_URL);
        close_door(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answer),
                cmocka_unit_test(test_basic_auth),
                cmocka_unit_test(test_status_is_no_failure),
                cmocka_unit_test(test_redirect_is_not_followed),
                cmocka_unit_test(test_post_and_cookie),
                cmocka_unit_test(test_methods_and_headers),
                cmocka_unit_test(test_proxy_of_the_environment_is_ignored),
                cmocka_unit_test(test_bad_url),
                cmocka_unit_test(test_resolve),
                cmocka_unit_test(test_hosts_without_lookup),
                cmocka_unit_test(test_host_is_name),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_connect),
                cmocka_unit_test(test_tls),
                cmocka_unit_test(test_certificate),
                cmocka_unit_test(test_send),
                cmocka_unit_test(test_no_answer),
                cmocka_unit_test(test_truncated),
                cmocka_unit_test(test_drip),
                cmocka_unit_test(test_too_large),
                cmocka_unit_test(test_body_limit_is_exact),
                cmocka_unit_test(test_protocol),
                cmocka_unit_test(test_wrong_length),
                cmocka_unit_test(test_many_at_once),
                cmocka_unit_test(test_cancel),
                cmocka_unit_test(test_cancel_in_callback),
                cmocka_unit_test(test_free_in_callback),
                cmocka_unit_test(test_start_in_callback),
                cmocka_unit_test(test_free_under_way),
                cmocka_unit_test(test_text_is_ascii),
                cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
