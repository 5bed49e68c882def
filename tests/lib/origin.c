/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define ORIGIN_ROUTES       6000
#define ORIGIN_REQUEST_SIZE (64 * 1024)
#define ORIGIN_FILL_SOCKETS 8

typedef struct Route {
        const char *path;
        OriginReply reply;
        char *owned; /* text made by origin_serve() */
} Route;

typedef struct Conn {
        struct Conn *next;
        Origin *origin;
        int fd;
        sd_event_source *io, *timer;
        char request[ORIGIN_REQUEST_SIZE];
        size_t request_len;
        const OriginReply *reply; /* NULL: still reading */
        uint64_t sent;            /* text and filler */
} Conn;

struct Origin {
        sd_event *event;
        OriginDoor door;
        int fd;
        int fillers[ORIGIN_FILL_SOCKETS];
        sd_event_source *io;
        uint16_t port;
        Route *routes;
        size_t n_routes;
        Conn *conns;
        char last_request[ORIGIN_REQUEST_SIZE];
        unsigned requests, at_once, most_at_once, connections;
        uint64_t bytes_sent;
};

static void must(bool good, const char *what)
{
        if (good)
                return;
        fprintf(stderr, "origin: %s: %m\n", what);
        abort();
}

static void conn_free(Conn *c)
{
        Conn **p = &c->origin->conns;
        while (*p != c)
                p = &(*p)->next;
        *p = c->next;
        c->origin->connections--;
        if (c->reply)
                c->origin->at_once--;
        (void) sd_event_source_unref(c->io);
        (void) sd_event_source_unref(c->timer);
        (void) close(c->fd);
        free(c);
}

static void conn_reset(Conn *c)
{
        struct linger now = { .l_onoff = 1, .l_linger = 0 };
        must(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0, "SO_LINGER");
        conn_free(c);
}

static void conn_end(Conn *c)
{
        switch (c->reply->end) {
        case ORIGIN_RESET:
                conn_reset(c);
                break;
        case ORIGIN_CLOSE:
                conn_free(c);
                break;
        case ORIGIN_HANG:
                /* Only the far end's closing matters now. */
                must(sd_event_source_set_io_events(c->io, EPOLLIN) >= 0, "set_io_events");
                break;
        }
}

/* Send one piece. Return: bytes sent, 0 when all is said, -1 when the socket is full or gone. */
static ssize_t conn_send_piece(Conn *c, bool one_byte)
{
        const OriginReply *r = c->reply;
        size_t text_len = r->text ? strlen(r->text) : 0;
        const char *from;
        size_t len;

        if (c->sent < text_len) {
                from = r->text + c->sent;
                len = text_len - c->sent;
        } else {
                size_t filler_len = r->filler_len ? r->filler_len : r->filler ? strlen(r->filler) : 0;
                uint64_t done = c->sent - text_len;
                if (filler_len == 0 || done >= r->filler_bytes)
                        return 0;
                from = r->filler + done % filler_len;
                len = filler_len - done % filler_len;
                len = MIN(len, r->filler_bytes - done);
                if (one_byte)
                        len = 1;
        }
        ssize_t n = send(c->fd, from, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
                c->sent += (uint64_t) n;
                c->origin->bytes_sent += (uint64_t) n;
        }
        return n;
}

static void conn_write(Conn *c)
{
        size_t text_len = c->reply->text ? strlen(c->reply->text) : 0;
        ssize_t n;

        do {
                if (c->reply->drip_usec > 0 && c->sent >= text_len) {
                        /* The filler is the timer's business. */
                        must(sd_event_source_set_io_events(c->io, EPOLLIN) >= 0, "set_io_events");
                        must(sd_event_source_set_time(c->timer, time_now() + c->reply->drip_usec) >= 0,
                             "set_time");
                        must(sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT) >= 0, "set_enabled");
                        return;
                }
                n = conn_send_piece(c, false);
        } while (n > 0);
        if (n == 0)
                conn_end(c);
        else if (errno == EAGAIN)
                must(sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT) >= 0, "set_io_events");
        else
                conn_free(c);
}

static int on_drip(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        Conn *c = userdata;
        ssize_t n = conn_send_piece(c, true);

        if (n == 0)
                conn_end(c);
        else if (n < 0)
                conn_free(c);
        else {
                must(sd_event_source_set_time(c->timer, time_now() + c->reply->drip_usec) >= 0, "set_time");
                must(sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT) >= 0, "set_enabled");
        }
        return 0;
}

/* The whole request is there when its head, and as much body as the head announces, is there. */
static bool conn_is_asked(const Conn *c)
{
        const char *body = strstr(c->request, "\r\n\r\n");
        const char *length = strstr(c->request, "Content-Length: ");
        if (!body)
                return false;
        size_t want = length && length < body ? strtoul(length + 16, NULL, 10) : 0;
        return c->request_len - (size_t) (body + 4 - c->request) >= want;
}

static const OriginReply *conn_route(const Conn *c)
{
        static const OriginReply not_found = {
                .text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        };
        const OriginReply *any = &not_found;
        const char *path = strchr(c->request, ' ');

        for (size_t i = c->origin->n_routes; path && i > 0; i--) {
                const Route *route = &c->origin->routes[i - 1];
                size_t len = strlen(route->path);
                if (strcmp(route->path, "*") == 0)
                        any = any == &not_found ? &route->reply : any;
                else if (strncmp(path + 1, route->path, len) == 0 && path[1 + len] == ' ')
                        return &route->reply;
        }
        return any;
}

static int on_conn(sd_event_source *s _unused_, int fd, uint32_t revents, void *userdata)
{
        Conn *c = userdata;
        Origin *o = c->origin;
        char sink[4096];

        if (o->door == ORIGIN_SLAM) {
                conn_reset(c);
                return 0;
        }
        if (c->reply) {
                if (revents & EPOLLOUT) {
                        conn_write(c);
                        return 0;
                }
                ssize_t n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno != EAGAIN))
                        conn_free(c);
                return 0;
        }
        ssize_t n =
                recv(fd, c->request + c->request_len, sizeof(c->request) - 1 - c->request_len, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return 0;
        if (n <= 0) {
                conn_free(c);
                return 0;
        }
        c->request_len += (size_t) n;
        c->request[c->request_len] = '\0';
        if (!conn_is_asked(c))
                return 0;
        memcpy(o->last_request, c->request, c->request_len + 1);
        o->requests++;
        o->at_once++;
        o->most_at_once = MAX(o->most_at_once, o->at_once);
        c->reply = conn_route(c);
        /* Not at once but in the next turn, so that requests that come together are seen together. */
        must(sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT) >= 0, "set_io_events");
        return 0;
}

static int on_accept(sd_event_source *s _unused_, int fd, uint32_t revents _unused_, void *userdata)
{
        Origin *o = userdata;
        Conn *c = calloc(1, sizeof(*c));

        must(c, "calloc");
        c->origin = o;
        c->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        must(c->fd >= 0, "accept");
        c->next = o->conns;
        o->conns = c;
        o->connections++;
        if (o->door == ORIGIN_DEAF)
                return 0;
        must(sd_event_add_io(o->event, &c->io, c->fd, EPOLLIN, on_conn, c) >= 0, "add_io");
        must(sd_event_add_time(o->event, &c->timer, CLOCK_MONOTONIC, 0, 1, on_drip, c) >= 0, "add_time");
        must(sd_event_source_set_enabled(c->timer, SD_EVENT_OFF) >= 0, "set_enabled");
        return 0;
}

Origin *origin_new(sd_event *e, OriginDoor door)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        Origin *o = calloc(1, sizeof(*o));

        must(o, "calloc");
        o->event = sd_event_ref(e);
        o->door = door;
        o->routes = calloc(ORIGIN_ROUTES, sizeof(*o->routes));
        must(o->routes, "calloc");
        o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        must(o->fd >= 0 && bind(o->fd, (struct sockaddr *) &a, sizeof(a)) == 0 &&
                     listen(o->fd, door == ORIGIN_FULL ? 0 : 128) == 0 &&
                     getsockname(o->fd, (struct sockaddr *) &a, &len) == 0,
             "listen");
        o->port = ntohs(a.sin_port);
        for (size_t i = 0; i < ORIGIN_FILL_SOCKETS; i++) {
                o->fillers[i] = -1;
                if (door != ORIGIN_FULL)
                        continue;
                o->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                must(o->fillers[i] >= 0, "socket");
                must(connect(o->fillers[i], (struct sockaddr *) &a, sizeof(a)) == 0 || errno == EINPROGRESS,
                     "connect");
        }
        if (door != ORIGIN_NOBODY_HOME && door != ORIGIN_FULL)
                must(sd_event_add_io(e, &o->io, o->fd, EPOLLIN, on_accept, o) >= 0, "add_io");
        return o;
}

Origin *origin_free(Origin *o)
{
        if (!o)
                return NULL;
        while (o->conns)
                conn_free(o->conns);
        (void) sd_event_source_unref(o->io);
        (void) close(o->fd);
        for (size_t i = 0; i < ORIGIN_FILL_SOCKETS; i++)
                closep(&o->fillers[i]);
        for (size_t i = 0; i < o->n_routes; i++)
                free(o->routes[i].owned);
        free(o->routes);
        (void) sd_event_unref(o->event);
        free(o);
        return NULL;
}

uint16_t origin_port(const Origin *o)
{
        return o->port;
}

void origin_on(Origin *o, const char *path, OriginReply reply)
{
        must(o->n_routes < ORIGIN_ROUTES, "too many routes");
        o->routes[o->n_routes++] = (Route){ .path = path, .reply = reply };
}

void origin_serve(Origin *o, const char *path, int status, const char *body)
{
        char *text;
        must(asprintf(&text, "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body),
                      body) >= 0,
             "asprintf");
        origin_on(o, path, (OriginReply){ .text = text });
        o->routes[o->n_routes - 1].owned = text;
}

const char *origin_last_request(const Origin *o)
{
        return o->last_request;
}

unsigned origin_requests(const Origin *o)
{
        return o->requests;
}

unsigned origin_most_at_once(const Origin *o)
{
        return o->most_at_once;
}

uint64_t origin_bytes_sent(const Origin *o)
{
        return o->bytes_sent;
}

unsigned origin_connections(const Origin *o)
{
        return o->connections;
}
