/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/plain.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/words.h"

#define TOTAL_USEC   (5 * USEC_PER_SEC)
#define CONNECT_USEC (2 * USEC_PER_SEC)
#define BODY_MAX     (1024 * 1024)
#define HEADERS_MAX  (64 * 1024)
#define READ_SIZE    16384
#define SLACK_USEC   (2 * USEC_PER_MSEC)

typedef TAILQ_HEAD(PlainQueue, PlainCall) PlainQueue;

typedef enum PlainState {
        PLAIN_CONNECTING,
        PLAIN_STATUS, /* its line, or what stands for one */
        PLAIN_HEADERS,
        PLAIN_BODY,       /* `left` bytes of it */
        PLAIN_TO_THE_END, /* until the far end closes */
        PLAIN_CHUNK_SIZE,
        PLAIN_CHUNK,
        PLAIN_CHUNK_END,
        PLAIN_TRAILERS,
        PLAIN_OVER, /* the answer is whole */
} PlainState;

typedef struct PlainCall {
        TAILQ_ENTRY(PlainCall) entry;
        Plain *plain;
        HttpFn fn;
        HttpLineFn line;
        void *userdata;
        int fd;
        PlainState state;
        uint32_t events;

        char *url, *request;
        size_t request_len, sent;
        Usec start_usec, connect_usec, read_usec, moved_usec, end_usec;

        char *partial; /* a line that is not whole yet */
        size_t partial_len, partial_size;
        size_t header_bytes, body_len, body_max;
        uint64_t left; /* of the body, or of its chunk */
        bool connect_only, chunked, has_length, heard, cut;

        HttpOutcome outcome;
        int os_errno;
        long status;
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
        free(c->partial);
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
                (void) snprintf(c->text, sizeof(c->text), "%.200s answered %ld after %s", shown, c->status,
                                took);
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
        if (outcome != HTTP_ANSWER)
                c->status = 0;
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

static bool in_body(const PlainCall *c)
{
        return c->state >= PLAIN_BODY;
}

/* How far it had come when its time was up or its connection was lost. */
static HttpOutcome stage(const PlainCall *c)
{
        if (c->state == PLAIN_CONNECTING)
                return HTTP_CONNECT;
        if (c->heard)
                return HTTP_TRUNCATED;
        return c->sent < c->request_len ? HTTP_SEND : HTTP_NO_ANSWER;
}

static Usec due(const PlainCall *c)
{
        Usec wait = c->state == PLAIN_CONNECTING ? time_add(c->start_usec, c->connect_usec)
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

/* "HTTP/1.1 200 OK" */
static bool read_status(PlainCall *c, const char *line, size_t len)
{
        if (len < 12 || strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char) line[7]) ||
            line[8] != ' ')
                return false;
        for (size_t i = 9; i < 12; i++)
                if (!isdigit((unsigned char) line[i]))
                        return false;
        if (len > 12 && !strchr(" \r\n", line[12]))
                return false;
        c->status = (line[9] - '0') * 100L + (line[10] - '0') * 10L + (line[11] - '0');
        c->chunked = c->has_length = false;
        return c->status >= 100;
}

static bool is_header(const char *line, size_t len, const char *name, const char **value, size_t *value_len)
{
        size_t n = strlen(name);
        if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
                return false;
        const char *v = line + n + 1, *end = line + len;
        while (v < end && strchr(" \t", *v))
                v++;
        while (end > v && strchr(" \t\r\n", end[-1]))
                end--;
        *value = v;
        *value_len = (size_t) (end - v);
        return true;
}

static bool read_length(PlainCall *c, const char *value, size_t len)
{
        uint64_t n = 0;
        if (len == 0 || len > 18)
                return false;
        for (size_t i = 0; i < len; i++) {
                if (!isdigit((unsigned char) value[i]))
                        return false;
                n = n * 10 + (uint64_t) (value[i] - '0');
        }
        /* Two that differ mean that nobody knows where it ends. */
        if (c->has_length && c->left != n)
                return false;
        c->left = n;
        c->has_length = true;
        return true;
}

/* Return: false for what no answer may say. */
static bool read_header(PlainCall *c, const char *line, size_t len)
{
        const char *value;
        size_t n;

        if (is_header(line, len, "Content-Length", &value, &n))
                return read_length(c, value, n);
        if (is_header(line, len, "Transfer-Encoding", &value, &n))
                c->chunked = n >= 7 && strncasecmp(value + n - 7, "chunked", 7) == 0;
        return true;
}

/* The empty line: what kind of body follows? RFC 9112, section 6.3. */
static void header_over(PlainCall *c)
{
        if (c->status < 200 && c->status != 101)
                c->state = PLAIN_STATUS; /* the answer itself comes behind it */
        else if (c->status == 101 || c->status == 204 || c->status == 304)
                c->state = PLAIN_OVER;
        else if (c->chunked)
                c->state = PLAIN_CHUNK_SIZE;
        else if (c->has_length)
                c->state = c->left > 0 ? PLAIN_BODY : PLAIN_OVER;
        else
                c->state = PLAIN_TO_THE_END;
}

static bool read_chunk_size(PlainCall *c, const char *line, size_t len)
{
        uint64_t n = 0;
        size_t i = 0;
        for (; i < len && isxdigit((unsigned char) line[i]); i++) {
                int digit = isdigit((unsigned char) line[i]) ? line[i] - '0'
                                                             : tolower((unsigned char) line[i]) - 'a' + 10;
                if (i >= 15)
                        return false;
                n = n * 16 + (uint64_t) digit;
        }
        if (i == 0 || (i < len && !strchr(" \t;\r\n", line[i])))
                return false;
        c->left = n;
        c->state = n > 0 ? PLAIN_CHUNK : PLAIN_TRAILERS;
        return true;
}

/* A whole line, with its end. Return: HTTP_ANSWER to go on, else how it ends. */
static HttpOutcome take_line(PlainCall *c, const char *line, size_t len)
{
        bool empty = len <= 2 && (line[0] == '\n' || line[0] == '\r');

        c->header_bytes += len;
        if (c->header_bytes > HEADERS_MAX)
                return c->state >= PLAIN_BODY ? HTTP_TRUNCATED : HTTP_TOO_LARGE;
        if (c->line && !in_body(c))
                c->line(line, len, c->userdata);
        switch (c->state) {
        case PLAIN_STATUS:
                if (!read_status(c, line, len))
                        return HTTP_PROTOCOL;
                c->state = PLAIN_HEADERS;
                break;
        case PLAIN_HEADERS:
                if (empty)
                        header_over(c);
                else if (!read_header(c, line, len))
                        return HTTP_PROTOCOL;
                break;
        case PLAIN_CHUNK_SIZE:
                if (!read_chunk_size(c, line, len))
                        return HTTP_TRUNCATED;
                c->header_bytes = 0; /* so many lines as there are chunks */
                break;
        case PLAIN_CHUNK_END:
                if (!empty)
                        return HTTP_TRUNCATED;
                c->state = PLAIN_CHUNK_SIZE;
                break;
        case PLAIN_TRAILERS:
                if (empty)
                        c->state = PLAIN_OVER;
                break;
        case PLAIN_CONNECTING:
        case PLAIN_BODY:
        case PLAIN_TO_THE_END:
        case PLAIN_CHUNK:
        case PLAIN_OVER:
                break;
        }
        return HTTP_ANSWER;
}

/* A line may come in pieces. Return: as take_line(); @used: how much of @data is done with. */
static HttpOutcome take_text(PlainCall *c, const char *data, size_t len, size_t *used)
{
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t) (end - data) + 1 : len;

        *used = n;
        if (end && c->partial_len == 0)
                return take_line(c, data, n);
        if (c->header_bytes + c->partial_len + n > HEADERS_MAX)
                return HTTP_TOO_LARGE;
        if (c->partial_len + n > c->partial_size) {
                size_t size = MAX(c->partial_len + n, c->partial_size * 2);
                char *more = realloc(c->partial, size);
                if (!more)
                        return HTTP_INTERNAL;
                c->partial = more;
                c->partial_size = size;
        }
        memcpy(c->partial + c->partial_len, data, n);
        c->partial_len += n;
        /* What does not begin like an answer is not waited for. */
        if (c->state == PLAIN_STATUS && strncmp(c->partial, "HTTP/", MIN(c->partial_len, (size_t) 5)) != 0)
                return HTTP_PROTOCOL;
        if (!end)
                return HTTP_ANSWER;
        n = c->partial_len;
        c->partial_len = 0;
        return take_line(c, c->partial, n);
}

static size_t take_body(PlainCall *c, size_t len)
{
        size_t n = c->state == PLAIN_TO_THE_END ? len : (size_t) MIN((uint64_t) len, c->left);

        c->cut = n > c->body_max - c->body_len;
        c->body_len += c->cut ? 0 : n;
        if (c->state != PLAIN_TO_THE_END && (c->left -= n) == 0)
                c->state = c->state == PLAIN_CHUNK ? PLAIN_CHUNK_END : PLAIN_OVER;
        return n;
}

/* Return: true when the call is over. */
static bool take_data(PlainCall *c, const char *data, size_t len)
{
        c->heard = true;
        while (len > 0 && c->state != PLAIN_OVER && !c->cut) {
                size_t used;
                if (c->state == PLAIN_BODY || c->state == PLAIN_TO_THE_END || c->state == PLAIN_CHUNK)
                        used = take_body(c, len);
                else {
                        HttpOutcome outcome = take_text(c, data, len, &used);
                        if (outcome != HTTP_ANSWER) {
                                finish(c, outcome, 0, NULL);
                                return true;
                        }
                }
                data += used;
                len -= used;
        }
        if (c->state != PLAIN_OVER && !c->cut)
                return false;
        finish(c, HTTP_ANSWER, 0, NULL);
        return true;
}

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

        if (n > 0) {
                c->moved_usec = time_now();
                (void) take_data(c, p->buffer, (size_t) n);
        } else if (n == 0)
                finish(c, c->state == PLAIN_TO_THE_END ? HTTP_ANSWER : stage(c), 0,
                       c->state == PLAIN_TO_THE_END ? NULL : "the connection was closed");
        else if (errno != EAGAIN && errno != EINTR)
                finish(c, stage(c), errno, NULL);
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
                c->sent += n > 0 ? (size_t) n : 0;
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
        c->state = PLAIN_STATUS;
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
        if (c->state == PLAIN_CONNECTING) {
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
        Usec wait = c->state == PLAIN_CONNECTING ? c->connect_usec : c->read_usec;

        if (now >= c->end_usec)
                (void) snprintf(why, sizeof(why), "not over within %s",
                                time_format(c->end_usec - c->start_usec, limit, sizeof(limit)));
        else
                (void) snprintf(why, sizeof(why), "nothing for %s", time_format(wait, limit, sizeof(limit)));
        finish(c, stage(c), c->state == PLAIN_CONNECTING ? ETIMEDOUT : 0, why);
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
                .status = c->status,
                .location = "",
                .body = "",
                .text = c->text,
                .elapsed_usec = c->elapsed_usec,
                .os_errno = c->os_errno,
                .in_body = in_body(c),
                .cut = c->cut,
        };
        c->fn(&result, c->userdata); /* may free @p */
        return 0;
}

/* ---- the beginning ---------------------------------------------------------------------------------------
 */

/* Is there a header of this name among those of the caller? */
static bool has_header(const HttpRequest *request, const char *name)
{
        size_t len = strlen(name);
        for (size_t i = 0; request->headers && request->headers[i]; i++)
                if (strncasecmp(request->headers[i], name, len) == 0 &&
                    strchr(":;", request->headers[i][len]))
                        return true;
        return false;
}

/* "Name: value", "Name;" without value, and "Name:", which is none at all. */
static void put_header(FILE *f, const char *header)
{
        size_t len = strlen(header);
        if (header[len - 1] == ';' && !strchr(header, ':'))
                (void) fprintf(f, "%.*s:\r\n", (int) len - 1, header);
        else if (header[len - 1] != ':')
                (void) fprintf(f, "%s\r\n", header);
}

static int write_request(PlainCall *c, const HttpRequest *r)
{
        const char *host = strstr(r->url, "://") + 3;
        size_t host_len = strcspn(host, "/?#");
        const char *path = host + host_len;
        size_t body = r->post_body ? strlen(r->post_body) : 0;
        const char *method = r->method ? r->method : body > 0 ? "POST" : "GET";
        FILE *f = open_memstream(&c->request, &c->request_len);

        if (!f)
                return -ENOMEM;
        (void) fprintf(f, "%s %s%.*s HTTP/1.1\r\n", method, *path == '/' ? "" : "/", (int) strcspn(path, "#"),
                       path);
        if (!has_header(r, "Host"))
                (void) fprintf(f, "Host: %.*s\r\n", (int) host_len, host);
        if (!has_header(r, "User-Agent"))
                (void) fputs("User-Agent: edge-roll\r\n", f);
        if (!has_header(r, "Accept"))
                (void) fputs("Accept: */*\r\n", f);
        for (size_t i = 0; r->headers && r->headers[i]; i++)
                put_header(f, r->headers[i]);
        if ((body > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) &&
            !has_header(r, "Content-Length"))
                (void) fprintf(f, "Content-Length: %zu\r\n", body);
        (void) fputs("\r\n", f);
        if (body > 0)
                (void) fwrite(r->post_body, 1, body, f);
        bool bad = ferror(f);
        return fclose(f) == 0 && !bad ? 0 : -ENOMEM;
}

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
                          .line = request->line,
                          .userdata = userdata,
                          .fd = -1,
                          .url = strdup(request->url),
                          .start_usec = time_now(),
                          .connect_usec = request->connect_usec > 0 ? request->connect_usec : CONNECT_USEC,
                          .read_usec = request->read_usec,
                          .body_max = request->max_body_bytes > 0 ? request->max_body_bytes : BODY_MAX,
                          .connect_only = request->connect_only };
        c->end_usec = time_add(c->start_usec, request->total_usec > 0 ? request->total_usec : TOTAL_USEC);
        if (!c->url)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        bool sendable =
                http_request_ok(request, why, sizeof(why)) && strncmp(request->url, "http://", 7) == 0;
        if (sendable && write_request(c, request) < 0)
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
