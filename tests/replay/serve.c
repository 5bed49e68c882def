/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/replay/replay.h"

typedef struct Conn {
        int fd;
        Usec quiet;
        char buf[16384];
        size_t have;
} Conn;

void nap(Usec usec)
{
        for (Usec end = time_now() + usec, now; (now = time_now()) < end;)
                (void) poll(NULL, 0, (int) ((end - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
}

char serve_path(const char *path, double *ret_a, double *ret_b)
{
        *ret_a = *ret_b = 0;
        if (path[0] != '/' || path[1] == '\0')
                return '\0';
        if (path[2] == '/') {
                char *end;
                *ret_a = strtod(path + 3, &end);
                if (*end == '/')
                        *ret_b = strtod(end + 1, NULL);
        }
        return path[1];
}

static bool say(Conn *c, const char *text, size_t len)
{
        for (ssize_t n; len > 0; text += n, len -= (size_t) n) {
                n = send(c->fd, text, len, MSG_NOSIGNAL);
                if (n <= 0)
                        return false;
        }
        return true;
}

static bool say_text(Conn *c, const char *text)
{
        return say(c, text, strlen(text));
}

static bool hear(Conn *c)
{
        if (c->have == sizeof(c->buf) - 1)
                return false;
        ssize_t n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - 1 - c->have, 0);
        if (n <= 0)
                return false;
        c->have += (size_t) n;
        c->buf[c->have] = '\0';
        return true;
}

static void forget(Conn *c, size_t len)
{
        c->have -= len;
        memmove(c->buf, c->buf + len, c->have);
        c->buf[c->have] = '\0';
}

static bool chunks(Conn *c, double pause, unsigned n)
{
        bool ok =
                say_text(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n");
        for (unsigned i = 0; ok && i < n; i++) {
                if (i > 0)
                        nap((Usec) (pause * (double) c->quiet));
                ok = say_text(c, "6\r\nchunk\n\r\n");
        }
        return ok && say_text(c, "0\r\n\r\n");
}

static bool bytes(Conn *c, size_t n)
{
        static const char block[65536];
        char head[128];
        (void) snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
        bool ok = say_text(c, head);
        for (; ok && n > 0; n -= MIN(n, sizeof(block)))
                ok = say(c, block, MIN(n, sizeof(block)));
        return ok;
}

/* The tunnel of a WebSocket; lines stand for frames. */
static bool tunnel(Conn *c, double unasked)
{
        if (!say_text(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
                return false;
        if (unasked > 0) {
                nap((Usec) (unasked * (double) c->quiet));
                if (!say_text(c, "unasked\n"))
                        return false;
        }
        for (;;) {
                char *end;
                while (!(end = strchr(c->buf, '\n')))
                        if (!hear(c))
                                return false;
                if (c->buf[0] == 's')
                        nap((Usec) (strtod(c->buf + 1, NULL) * (double) c->quiet));
                if (!say_text(c, "answer\n"))
                        return false;
                forget(c, (size_t) (end + 1 - c->buf));
        }
}

static bool answer(Conn *c)
{
        char *end, path[128];
        while (!(end = strstr(c->buf, "\r\n\r\n")))
                if (!hear(c))
                        return false;
        end[2] = '\0';
        const char *length = strcasestr(c->buf, "\r\nContent-Length:");
        size_t body = length ? strtoul(length + 17, NULL, 10) : 0;
        bool expect = strcasestr(c->buf, "\r\nExpect: 100-continue") != NULL;
        if (sscanf(c->buf, "%*s %127s", path) != 1)
                return false;
        forget(c, (size_t) (end + 4 - c->buf));

        if (expect && !say_text(c, "HTTP/1.1 100 Continue\r\n\r\n"))
                return false;
        while (body > 0) {
                if (c->have == 0 && !hear(c))
                        return false;
                size_t n = MIN(body, c->have);
                forget(c, n);
                body -= n;
        }
        double a, b;
        switch (serve_path(path, &a, &b)) {
        case 'c':
                return chunks(c, a, (unsigned) b);
        case 'b':
                return bytes(c, (size_t) a);
        case 'w':
                return tunnel(c, a);
        case 's':
                if (a > 0)
                        nap((Usec) (a * (double) c->quiet));
                return say_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
        default:
                return say_text(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
}

static void *conn_main(void *userdata)
{
        Conn *c = userdata;
        while (answer(c))
                ;
        (void) close(c->fd);
        free(c);
        return NULL;
}

void serve(const char *address, uint16_t port, Usec quiet)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
        int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pthread_attr_t attr;

        if (l < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
            setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            bind(l, (struct sockaddr *) &a, sizeof(a)) < 0 || listen(l, 1024) < 0 ||
            pthread_attr_init(&attr) != 0 || pthread_attr_setstacksize(&attr, 128 * 1024) != 0 ||
            pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) != 0)
                _exit(1);
        for (;;) {
                pthread_t t;
                Conn *c = calloc(1, sizeof(*c));
                if (!c)
                        _exit(1);
                c->quiet = quiet;
                c->fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
                if (c->fd < 0 || pthread_create(&t, &attr, conn_main, c) != 0)
                        _exit(1);
        }
}
