/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Any bytes as the answer of whoever listens where a component should: through libcurl over a real socket,
 * and without it. The body of an answer is then read as what it might be.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "probes/edge-json.h"
#include "probes/http.h"
#include "probes/plain.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 4096

static struct {
        sd_event *event;
        int listener;
        uint16_t port;
} server = { .listener = -1 };

typedef struct Answer {
        Fuzz bytes;
        bool hold; /* the connection stays open behind the answer */
        bool done;
        int fd;
        sd_event_source *io;
} Answer;

static Answer *present;

static void server_end(void)
{
        (void) sd_event_unref(server.event);
        (void) close(server.listener);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Answer *a = userdata;
        char request[8192];
        ssize_t n;

        if (revents & (EPOLLIN | EPOLLHUP) && recv(fd, request, sizeof(request), MSG_DONTWAIT) == 0) {
                (void) sd_event_source_set_enabled(s, SD_EVENT_OFF);
                return 0;
        }
        if (a->bytes.left == 0) {
                if (!a->hold)
                        (void) shutdown(fd, SHUT_WR);
                (void) sd_event_source_set_io_events(s, EPOLLIN);
                return 0;
        }
        n = send(fd, a->bytes.at, MIN(a->bytes.left, (size_t) 1500), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
                a->bytes.at += n;
                a->bytes.left -= (size_t) n;
        } else if (n < 0 && errno != EAGAIN)
                (void) sd_event_source_set_enabled(s, SD_EVENT_OFF);
        return 0;
}

static int on_connect(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        (void) s;
        (void) revents;
        (void) userdata;
        if (c < 0)
                return 0;
        if (!present || present->fd >= 0 ||
            sd_event_add_io(server.event, &present->io, c, EPOLLIN | EPOLLOUT, on_io, present) < 0)
                (void) close(c);
        else
                present->fd = c;
        return 0;
}

static void server_begin(void)
{
        struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(sin);

        server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        fuzz_check(sd_event_new(&server.event) >= 0 && server.listener >= 0);
        fuzz_check(bind(server.listener, (struct sockaddr *) &sin, sizeof(sin)) == 0 &&
                   listen(server.listener, 16) == 0 &&
                   getsockname(server.listener, (struct sockaddr *) &sin, &len) == 0);
        server.port = ntohs(sin.sin_port);
        fuzz_check(sd_event_add_io(server.event, NULL, server.listener, EPOLLIN, on_connect, NULL) >= 0);
        (void) atexit(server_end);
}

static void on_result(const HttpResult *result, void *userdata)
{
        Answer *a = userdata;
        EdgeSelf self;
        Err err = { 0 };

        fuzz_check(!a->done && result->outcome >= 0 && result->outcome < HTTP_OUTCOME_COUNT);
        fuzz_check(*result->text && fuzz_is_ascii(result->text));
        fuzz_check(result->body && result->body_len <= BODY_MAX && result->body[result->body_len] == '\0');
        fuzz_check(result->outcome == HTTP_ANSWER || (result->body_len == 0 && result->status == 0));
        if (result->outcome == HTTP_ANSWER)
                fuzz_any(edge_self_parse(result->body, result->body_len, &self, &err));
        a->done = true;
}

typedef enum Way {
        WITH_LIBCURL,
        CARRIED, /* by libcurl, and read as without it */
        WITHOUT,
} Way;

/* @http: of several requests, as an agent has it; NULL: without it. */
static void ask(Http *http, const uint8_t *data, size_t size, Way way)
{
        _cleanup_(plain_freep) Plain *plain = NULL;
        Answer a = { .bytes = { data, size }, .fd = -1 };
        char url[64];

        a.hold = fuzz_byte(&a.bytes) & 1;
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/servers/self", server.port);
        const HttpRequest request = { .url = url,
                                      .address = http ? NULL : "127.0.0.1",
                                      .connect_usec = USEC_PER_SEC,
                                      .read_usec = way == WITH_LIBCURL ? 0 : USEC_PER_SEC,
                                      .discard = way == CARRIED,
                                      .total_usec = a.hold ? 20 * USEC_PER_MSEC : USEC_PER_SEC,
                                      .max_body_bytes = BODY_MAX };
        present = &a;
        int r = http ? 0 : plain_new(&plain, server.event, NULL);
        if (r == 0)
                r = http ? http_start(http, &request, on_result, &a, NULL, NULL)
                         : plain_start(plain, &request, on_result, &a, NULL);
        while (r == 0 && !a.done && sd_event_run(server.event, USEC_PER_SEC) > 0)
                ;
        present = NULL;
        (void) sd_event_source_unref(a.io);
        closep(&a.fd);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        _cleanup_(http_freep) Http *http = NULL;
        if (!server.event)
                server_begin();
        if (http_new(&http, server.event, NULL) == 0) {
                ask(http, data, size, WITH_LIBCURL);
                ask(http, data, size, CARRIED);
        }
        ask(NULL, data, size, WITHOUT);
}
