/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/plain.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/words.h"
#include "probes/http1.h"

#define TOTAL_USEC   (5 * USEC_PER_SEC)
#define CONNECT_USEC (2 * USEC_PER_SEC)
#define BODY_MAX     (1024 * 1024)
#define READ_SIZE    16384
#define SLACK_USEC   (2 * USEC_PER_MSEC)

typedef TAILQ_HEAD(PlainQueue, PlainCall) PlainQueue;

typedef struct PlainCall {
        TAILQ_ENTRY(PlainCall) entry;
        Plain *plain;
        HttpFn fn;
        void *userdata;
        int fd;
        bool connected;
        uint32_t events;

        char *url, *request;
        size_t request_len, sent;
        Usec start_usec, connect_usec, read_usec, moved_usec, end_usec;

        bool connect_only;
        Http1 answer;

        HttpOutcome outcome;
        int os_errno;
        Usec elapsed_usec;
        char text[384];
} PlainCall;

struct Plain {
        sd_event *event;
        int poll;
        sd_event_source *sockets, *timer, *deliver;
        Usec timer_usec; /* when it rings; USEC_INFINITY: not */
        PlainQueue running, finished;
        char buffer[READ_SIZE];
};

/* ---- the end ---------------------------------------------------------------------------------------------
 */

static PlainCall *call_free(PlainCall *c)
{
        if (!c)
                return NULL;
        closep(&c->fd);
        free(c->url);
        free(c->request);
        http1_done(&c->answer);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(PlainCall, call_free);

static void describe(PlainCall *c, const char *why)
{
        char took[32], shown[256];

        (void) url_shown(c->url, shown, sizeof(shown));
        (void) time_format(c->elapsed_usec, took, sizeof(took));
        if (c->outcome == HTTP_ANSWER && c->connect_only)
                (void) snprintf(c->text, sizeof(c->text), "%.200s: connected after %s", shown, took);
        else if (c->outcome == HTTP_ANSWER)
                (void) snprintf(c->text, sizeof(c->text), "%.200s answered %ld after %s", shown,
                                c->answer.status, took);
        else
                (void) snprintf(c->text, sizeof(c->text), "%.200s: %s%s%.80s%s after %s", shown,
                                http_outcome_text(c->outcome), why ? " (" : "", why ? why : "",
                                why ? ")" : "", took);
        words_clean(c->text);
}

static void finish(PlainCall *c, HttpOutcome outcome, int os_errno, const char *why)
{
        Plain *p = c->plain;

        c->outcome = outcome;
        c->os_errno = os_errno;
        c->elapsed_usec = time_now() - c->start_usec;
        /* The outcome says it already where it was refused. */
        describe(c, why || os_errno == 0 || outcome == HTTP_REFUSED ? why : strerror(os_errno));
        /* Closing it is not enough: a child between fork and exec has it, too, and as long as that is so it
         * would go on telling. */
        if (c->events)
                (void) epoll_ctl(p->poll, EPOLL_CTL_DEL, c->fd, NULL);
        closep(&c->fd);
        c->fd = -1;
        TAILQ_REMOVE(&p->running, c, entry);
        TAILQ_INSERT_TAIL(&p->finished, c, entry);
        (void) sd_event_source_set_enabled(p->deliver, SD_EVENT_ONESHOT);
}

/* How far it had come when its time was up or its connection was lost. */
static HttpOutcome stage(const PlainCall *c, bool closed)
{
        return c->connected ? http1_stage(&c->answer, closed, c->sent == c->request_len) : HTTP_CONNECT;
}

static Usec due(const PlainCall *c)
{
        Usec wait = !c->connected ? time_add(c->start_usec, c->connect_usec)
                                  : time_add(c->moved_usec, c->read_usec);
        return MIN(wait, c->end_usec);
}

static void timer_at(Plain *p, Usec when)
{
        if (when >= p->timer_usec)
                return;
        p->timer_usec = when;
        (void) sd_event_source_set_time(p->timer, when);
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

/* ---- what comes ------------------------------------------------------------------------------------------
 */

/* ---- the socket ------------------------------------------------------------------------------------------
 */

static void watch(PlainCall *c, uint32_t events)
{
        struct epoll_event e = { .events = events, .data.ptr = c };
        if (c->events == events)
                return;
        if (epoll_ctl(c->plain->poll, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
                finish(c, HTTP_INTERNAL, errno, NULL);
        else
                c->events = events;
}

static void receive(PlainCall *c)
{
        Plain *p = c->plain;
        ssize_t n = recv(c->fd, p->buffer, sizeof(p->buffer), 0);

        HttpOutcome outcome;

        if (n > 0) {
                c->moved_usec = time_now();
                if (http1_feed(&c->answer, p->buffer, (size_t) n, &outcome))
                        finish(c, outcome, 0, c->answer.why);
        } else if (n == 0) {
                outcome = stage(c, true);
                finish(c, outcome, 0, outcome == HTTP_ANSWER ? NULL : "the connection was closed");
        } else if (errno != EAGAIN && errno != EINTR)
                finish(c, stage(c, false), errno, NULL);
}

/* As much of the request as goes. Return: false when the call is over. */
static bool transmit(PlainCall *c)
{
        while (c->sent < c->request_len) {
                ssize_t n = send(c->fd, c->request + c->sent, c->request_len - c->sent, MSG_NOSIGNAL);
                if (n < 0 && errno == EAGAIN)
                        break;
                if (n < 0 && errno != EINTR) {
                        finish(c, HTTP_SEND, errno, NULL);
                        return false;
                }
                if (n <= 0)
                        continue;
                c->sent += (size_t) n;
                c->moved_usec = time_now();
        }
        watch(c, c->sent < c->request_len ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return c->fd >= 0;
}

static void connected(PlainCall *c)
{
        if (c->connect_only) {
                finish(c, HTTP_ANSWER, 0, NULL);
                return;
        }
        c->connected = true;
        c->moved_usec = time_now();
        timer_at(c->plain, due(c)); /* which may be sooner than the end of the time to connect */
        (void) transmit(c);
}

static void connect_over(PlainCall *c)
{
        int error = 0;
        socklen_t len = sizeof(error);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                error = errno;
        if (error > 0)
                finish(c, error == ECONNREFUSED ? HTTP_REFUSED : HTTP_CONNECT, error, NULL);
        else
                connected(c);
}

static void on_socket(PlainCall *c, uint32_t events)
{
        if (!c->connected) {
                connect_over(c);
                return;
        }
        if (events & EPOLLOUT && !transmit(c))
                return;
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(c);
}

/* A call ends only in its own event here, and what has ended stays until it was delivered: no pointer is
 * stale. */
static int on_sockets(sd_event_source *s _unused_, int fd, uint32_t revents _unused_, void *userdata _unused_)
{
        struct epoll_event events[64];
        int n = epoll_wait(fd, events, ELEMENTS(events), 0);
        for (int i = 0; i < n; i++)
                on_socket(events[i].data.ptr, events[i].events);
        return 0;
}

/* ---- time ------------------------------------------------------------------------------------------------
 */

static void out_of_time(PlainCall *c, Usec now)
{
        char why[64], limit[32];
        Usec wait = c->connected ? c->read_usec : c->connect_usec;

        if (now >= c->end_usec)
                (void) snprintf(why, sizeof(why), "not over within %s",
                                time_format(c->end_usec - c->start_usec, limit, sizeof(limit)));
        else
                (void) snprintf(why, sizeof(why), "nothing for %s", time_format(wait, limit, sizeof(limit)));
        finish(c, stage(c, false), c->connected ? 0 : ETIMEDOUT, why);
}

/* One timer for all: it is not moved with each byte, but looks, when it rings, whose time is really over. */
static int on_timer(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        Plain *p = userdata;
        Usec now = time_now(), next = USEC_INFINITY;
        PlainCall *c = TAILQ_FIRST(&p->running);

        p->timer_usec = USEC_INFINITY;
        while (c) {
                PlainCall *after = TAILQ_NEXT(c, entry);
                if (due(c) <= now)
                        out_of_time(c, now);
                else
                        next = MIN(next, due(c));
                c = after;
        }
        if (next != USEC_INFINITY)
                timer_at(p, next);
        return 0;
}

static int on_deliver(sd_event_source *s, void *userdata)
{
        Plain *p = userdata;
        _cleanup_(call_freep) PlainCall *c = TAILQ_FIRST(&p->finished);

        if (!c)
                return 0;
        TAILQ_REMOVE(&p->finished, c, entry);
        if (!TAILQ_EMPTY(&p->finished))
                (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        HttpResult result = {
                .outcome = c->outcome,
                .status = c->outcome == HTTP_ANSWER ? c->answer.status : 0,
                .location = "",
                .body = "",
                .text = c->text,
                .elapsed_usec = c->elapsed_usec,
                .os_errno = c->os_errno,
                .part = http1_part(&c->answer),
                .cut = c->answer.cut,
        };
        c->fn(&result, c->userdata); /* may free @p */
        return 0;
}

/* ---- the beginning ---------------------------------------------------------------------------------------
 */

static socklen_t address_of(const HttpRequest *r, struct sockaddr_storage *ret)
{
        const char *host = strstr(r->url, "://") + 3;
        size_t len = strcspn(host, "/?#");
        const char *colon = memrchr(host, ':', len);
        unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 80;
        struct sockaddr_in *in = (struct sockaddr_in *) ret;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret;
        Addr addr;

        *ret = (struct sockaddr_storage){ 0 };
        if (port == 0 || port > UINT16_MAX || !addr_parse(r->address, &addr))
                return 0;
        ret->ss_family = addr.family;
        if (addr.family == AF_INET) {
                in->sin_port = htons((uint16_t) port);
                memcpy(&in->sin_addr, addr.b, sizeof(in->sin_addr));
                return sizeof(*in);
        }
        in6->sin6_port = htons((uint16_t) port);
        memcpy(&in6->sin6_addr, addr.b, sizeof(in6->sin6_addr));
        return sizeof(*in6);
}

static void open_connection(PlainCall *c, const HttpRequest *r)
{
        struct sockaddr_storage to;
        socklen_t len = address_of(r, &to);
        int one = 1;

        if (len == 0) {
                finish(c, HTTP_BAD_URL, 0, "no address, or no port");
                return;
        }
        c->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (c->fd < 0) {
                finish(c, HTTP_INTERNAL, errno, NULL);
                return;
        }
        (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(c->fd, (const struct sockaddr *) &to, len) == 0)
                connected(c);
        else if (errno == EINPROGRESS)
                watch(c, EPOLLOUT);
        else
                finish(c, errno == ECONNREFUSED ? HTTP_REFUSED : HTTP_CONNECT, errno, NULL);
}

int plain_start(Plain *p, const HttpRequest *request, HttpFn fn, void *userdata, Err *err)
{
        _cleanup_(call_freep) PlainCall *c = calloc(1, sizeof(*c));
        char why[128];

        if (!c)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        *c = (PlainCall){ .plain = p,
                          .fn = fn,
                          .userdata = userdata,
                          .fd = -1,
                          .url = strdup(request->url),
                          .start_usec = time_now(),
                          .connect_usec = request->connect_usec > 0 ? request->connect_usec : CONNECT_USEC,
                          .read_usec = request->read_usec,
                          .connect_only = request->connect_only };
        http1_init(&c->answer, request->max_body_bytes > 0 ? request->max_body_bytes : BODY_MAX,
                   request->line, userdata);
        c->end_usec = time_add(c->start_usec, request->total_usec > 0 ? request->total_usec : TOTAL_USEC);
        if (!c->url)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        bool sendable =
                http_request_ok(request, why, sizeof(why)) && strncmp(request->url, "http://", 7) == 0;
        if (sendable && http1_request(request, &c->request, &c->request_len) < 0)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        TAILQ_INSERT_TAIL(&p->running, c, entry);
        if (sendable)
                open_connection(c, request);
        else
                finish(c, HTTP_BAD_URL, 0, why);
        if (c->fd >= 0)
                timer_at(p, due(c));
        TAKE_PTR(c);
        return 0;
}

int plain_new(Plain **ret, sd_event *e, Err *err)
{
        _cleanup_(plain_freep) Plain *p = calloc(1, sizeof(*p));
        if (!p)
                return err_set(err, -ENOMEM, "Out of memory for HTTP requests");
        TAILQ_INIT(&p->running);
        TAILQ_INIT(&p->finished);
        p->timer_usec = USEC_INFINITY;
        p->event = sd_event_ref(e);
        p->poll = epoll_create1(EPOLL_CLOEXEC);
        int r = p->poll < 0 ? -errno : sd_event_add_io(e, &p->sockets, p->poll, EPOLLIN, on_sockets, p);
        if (r >= 0)
                r = sd_event_add_time(e, &p->timer, CLOCK_MONOTONIC, 0, SLACK_USEC, on_timer, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(e, &p->deliver, on_deliver, p);
        if (r >= 0)
                r = sd_event_source_set_enabled(p->deliver, SD_EVENT_OFF);
        if (r < 0)
                return err_errno(err, r, "Cannot prepare HTTP requests");
        *ret = TAKE_PTR(p);
        return 0;
}

static void free_all(PlainQueue *queue)
{
        while (!TAILQ_EMPTY(queue)) {
                PlainCall *c = TAILQ_FIRST(queue);
                TAILQ_REMOVE(queue, c, entry);
                (void) call_free(c);
        }
}

Plain *plain_free(Plain *p)
{
        if (!p)
                return NULL;
        free_all(&p->running);
        free_all(&p->finished);
        (void) sd_event_source_unref(p->sockets);
        (void) sd_event_source_unref(p->timer);
        (void) sd_event_source_unref(p->deliver);
        closep(&p->poll);
        (void) sd_event_unref(p->event);
        free(p);
        return NULL;
}
