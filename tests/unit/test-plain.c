/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Answers of all kinds, whole, in single bytes and cut off anywhere, read without libcurl; test-probing has
 * the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probes/plain.h"
#include "tests/lib/origin.h"

typedef struct Fixture {
        sd_event *event;
        Origin *origin;
        Plain *plain;
        unsigned called, lines;
        HttpResult result;
        char text[512];
} Fixture;

static void set_up(Fixture *f, OriginDoor door)
{
        Err err = { 0 };
        *f = (Fixture){ 0 };
        assert_true(sd_event_new(&f->event) >= 0);
        f->origin = origin_new(f->event, door);
        assert_int_equal(plain_new(&f->plain, f->event, &err), 0);
}

static void tear_down(Fixture *f)
{
        (void) plain_free(f->plain);
        (void) origin_free(f->origin);
        (void) sd_event_unref(f->event);
}

static void on_result(const HttpResult *r, void *userdata)
{
        Fixture *f = userdata;
        f->called++;
        f->result = *r;
        (void) snprintf(f->text, sizeof(f->text), "%s", r->text);
        for (const char *c = f->text; *c; c++)
                assert_in_range(*c, ' ', '~');
}

static void on_line(const char *line, size_t len, void *userdata)
{
        Fixture *f = userdata;
        assert_true(len > 0 && line[len - 1] == '\n');
        f->lines++;
}

static void begin(Fixture *f, HttpRequest request)
{
        char url[128];
        Err err = { 0 };
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", origin_port(f->origin));
        if (!request.url)
                request.url = url;
        if (!request.address)
                request.address = "127.0.0.1";
        request.read_usec = request.connect_usec = 400 * USEC_PER_MSEC;
        request.total_usec = 8 * USEC_PER_SEC;
        request.line = on_line;
        unsigned before = f->called;
        assert_int_equal(plain_start(f->plain, &request, on_result, f, &err), 0);
        assert_int_equal(f->called, before);
}

static void ask(Fixture *f, HttpRequest request)
{
        Usec deadline = time_now() + 10 * USEC_PER_SEC;
        unsigned n = f->called + 1;
        f->lines = 0;
        begin(f, request);
        while (f->called < n) {
                assert_true(time_now() < deadline);
                assert_true(sd_event_run(f->event, time_left(deadline, time_now())) >= 0);
        }
}

#define OK    "HTTP/1.1 200 OK\r\n"
#define CHUNK "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
        const char *answer;
        HttpOutcome outcome;
        long status;
        bool whole; /* anything that is cut off in front of its end is not the same */
} answers[] = {
        { OK "Content-Length: 3\r\n\r\nabc", HTTP_ANSWER, 200, true },
        { OK "content-length:3 \r\n\r\nabcdef", HTTP_ANSWER, 200, false },
        { OK "Content-Length: 0\r\n\r\n", HTTP_ANSWER, 200, true },
        { OK CHUNK "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", HTTP_ANSWER, 200, true },
        { OK CHUNK "1\r\na\r\n00\r\nX-Trailer: 1\r\n\r\n", HTTP_ANSWER, 200, true },
        { OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", HTTP_ANSWER, 200, true },
        { OK "\r\nup to the end", HTTP_ANSWER, 200, false },
        { "HTTP/1.0 404 Not Found\n\nno", HTTP_ANSWER, 404, false },
        { "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", HTTP_ANSWER, 204, true },
        { "HTTP/1.1 304 Not Modified\r\n\r\n", HTTP_ANSWER, 304, true },
        { "HTTP/1.1 101 Switching\r\n\r\n", HTTP_ANSWER, 101, true },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
          HTTP_ANSWER, 200, true },
        { "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", HTTP_ANSWER, 200, true },
        { OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", HTTP_ANSWER, 200, true },
        { OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", HTTP_PROTOCOL, 0, false },
        { OK "Content-Length: -1\r\n\r\n", HTTP_PROTOCOL, 0, false },
        { OK "Content-Length: 99999999999999999999\r\n\r\n", HTTP_PROTOCOL, 0, false },
        { "HTTP/2 200\r\n\r\n", HTTP_PROTOCOL, 0, false },
        { "HTTP/1.1 20 OK\r\n\r\n", HTTP_PROTOCOL, 0, false },
        { "HTTP/1.1 2000 OK\r\n\r\n", HTTP_PROTOCOL, 0, false },
        { "ICY 200 OK\r\n\r\n", HTTP_PROTOCOL, 0, false },
        { "\r\n" OK "\r\n", HTTP_PROTOCOL, 0, false },
        { OK CHUNK "x\r\n", HTTP_TRUNCATED, 0, false },
        { OK CHUNK "ffffffffffffffff\r\n", HTTP_TRUNCATED, 0, false },
        { OK CHUNK "3\r\nabcd\r\n0\r\n\r\n", HTTP_TRUNCATED, 0, false },
        { OK CHUNK "-1\r\n", HTTP_TRUNCATED, 0, false },
};

static void expect(Fixture *f, size_t i, const char *how)
{
        if (f->result.outcome != answers[i].outcome || f->result.status != answers[i].status)
                fail_msg("%s, %s: %s %ld: %s", answers[i].answer, how, http_outcome_name(f->result.outcome),
                         f->result.status, f->text);
}

static void test_answers(void **state _unused_)
{
        for (size_t i = 0; i < ELEMENTS(answers); i++) {
                Fixture f;
                set_up(&f, ORIGIN_OPEN);
                origin_on(f.origin, "*", (OriginReply){ .text = answers[i].answer, .end = ORIGIN_CLOSE });
                ask(&f, (HttpRequest){ 0 });
                expect(&f, i, "whole");
                origin_on(f.origin, "/x",
                          (OriginReply){ .text = "",
                                         .filler = answers[i].answer,
                                         .filler_bytes = strlen(answers[i].answer),
                                         .drip_usec = 100,
                                         .end = ORIGIN_CLOSE });
                ask(&f, (HttpRequest){ 0 });
                expect(&f, i, "byte for byte");
                tear_down(&f);
        }
}

/* A shorter one is never taken for the whole. */
static void test_cut_anywhere(void **state _unused_)
{
        for (size_t i = 0; i < ELEMENTS(answers); i++)
                for (size_t len = 0; answers[i].whole && len < strlen(answers[i].answer); len++) {
                        _cleanup_(freep) char *text = strndup(answers[i].answer, len);
                        Fixture f;
                        set_up(&f, ORIGIN_OPEN);
                        origin_on(f.origin, "*", (OriginReply){ .text = text, .end = ORIGIN_CLOSE });
                        ask(&f, (HttpRequest){ 0 });
                        if (f.result.outcome != (len == 0 ? HTTP_NO_ANSWER : HTTP_TRUNCATED))
                                fail_msg("%s, %zu bytes: %s: %s", answers[i].answer, len,
                                         http_outcome_name(f.result.outcome), f.text);
                        tear_down(&f);
                }
}

static void test_limits(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*",
                  (OriginReply){ .text = OK, .filler = "X-A: 1234567890\r\n", .filler_bytes = 1024 * 1024 });
        ask(&f, (HttpRequest){ 0 });
        assert_int_equal(f.result.outcome, HTTP_TOO_LARGE);
        origin_on(f.origin, "/x",
                  (OriginReply){ .text = OK "X-A: ",
                                 .filler = "1111111111111111111111111111111111111111111111111111111111111111",
                                 .filler_bytes = 1024 * 1024 });
        ask(&f, (HttpRequest){ 0 });
        assert_int_equal(f.result.outcome, HTTP_TOO_LARGE);
        tear_down(&f);

        /* Trailers for ever; a body that is longer than is read. */
        set_up(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*",
                  (OriginReply){ .text = OK CHUNK "0\r\n",
                                 .filler = "X-A: 1234567890\r\n",
                                 .filler_bytes = 1024 * 1024 });
        ask(&f, (HttpRequest){ 0 });
        assert_int_equal(f.result.outcome, HTTP_TRUNCATED);
        origin_on(f.origin, "/x",
                  (OriginReply){ .text = OK "\r\n", .filler = "0123456789", .filler_bytes = 1024 * 1024 });
        ask(&f, (HttpRequest){ .max_body_bytes = 1000 });
        assert_int_equal(f.result.outcome, HTTP_ANSWER);
        assert_true(f.result.cut);
        tear_down(&f);
}

static void test_lines(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*",
                  (OriginReply){ .text = OK "A: 1\r\nB: 2\r\n" CHUNK "1\r\na\r\n0\r\nT: 1\r\n\r\n" });
        ask(&f, (HttpRequest){ 0 });
        assert_int_equal(f.lines, 5); /* status, three headers, the empty line; none of the body */
        tear_down(&f);
}

/* What is asked for is what was said, once. */
static void test_request(void **state _unused_)
{
        static const char *const headers[] = { "Host: other.example.com", "user-agent: mine", "X-Empty;",
                                               "X-None:", NULL };
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "*", 200, "ok");
        ask(&f, (HttpRequest){ .method = "PUT", .post_body = "ab", .headers = headers });
        const char *r = origin_last_request(f.origin);
        assert_string_equal(
                r, "PUT /x HTTP/1.1\r\nAccept: */*\r\nHost: other.example.com\r\nuser-agent: mine\r\n"
                   "X-Empty:\r\nContent-Length: 2\r\n\r\nab");
        ask(&f, (HttpRequest){ 0 });
        assert_non_null(strstr(origin_last_request(f.origin), "GET /x HTTP/1.1\r\nHost: 127.0.0.1:"));
        assert_non_null(strstr(origin_last_request(f.origin), "\r\nUser-Agent: edge-roll\r\n"));
        assert_null(strstr(origin_last_request(f.origin), "Content-Length"));

        static const HttpRequest bad[] = {
                { .url = "https://127.0.0.1:1/" },
                { .url = "http://127.0.0.1:0/" },
                { .url = "http://127.0.0.1:99999/" },
                { .url = "http://127.0.0.1:1/a b" },
                { .url = "http://127.0.0.1:1/\033[31m\a" },
                { .address = "localhost" },
                { .method = "BREW" },
        };
        unsigned asked = origin_requests(f.origin);
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                ask(&f, bad[i]);
                assert_int_equal(f.result.outcome, HTTP_BAD_URL);
        }
        assert_int_equal(origin_requests(f.origin), asked);
        tear_down(&f);
}

/* A child that is about to run something else, or that does not, has all sockets for a while: what has ended
 * here has ended all the same. */
static void test_a_child_that_keeps_the_sockets(void **state _unused_)
{
        Fixture f;
        set_up(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/x", 200, "abc");
        begin(&f, (HttpRequest){ 0 });
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void) pause();
        }
        while (f.called == 0)
                assert_true(sd_event_run(f.event, 10 * USEC_PER_SEC) >= 0);
        /* All that is left to be done is the origin's. */
        for (int i = 0; i < 50; i++)
                assert_true(sd_event_run(f.event, USEC_PER_MSEC) >= 0);
        assert_int_equal(f.called, 1);
        assert_int_equal(f.result.status, 200);
        (void) kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        tear_down(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers), cmocka_unit_test(test_cut_anywhere),
                cmocka_unit_test(test_limits),  cmocka_unit_test(test_lines),
                cmocka_unit_test(test_request), cmocka_unit_test(test_a_child_that_keeps_the_sockets),
        };
        return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
