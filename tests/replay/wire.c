/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/replay/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Longer than any drain lasts. */
#define PATIENCE_SEC 300

void wire_fail(Wire *w, const char *what)
{
        Script *s = w->client->script;
        if (!s->over && atomic_fetch_add(&s->failures, 1) == 0)
                (void) snprintf(s->failure, sizeof(s->failure), "%s (errno %d)", what, errno);
}

static bool dial(Wire *w)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(REPLAY_PORT) };
        struct timeval tv = { .tv_sec = PATIENCE_SEC };
        int one = 1;
        w->have = 0;
        w->stream = 0;
        w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return w->fd >= 0 && inet_pton(AF_INET, REPLAY_NODE, &a.sin_addr) == 1 &&
               setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0 &&
               setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
               connect(w->fd, (struct sockaddr *) &a, sizeof(a)) == 0;
}

static bool greet(Wire *w, SSL_CTX *ctx, SSL_SESSION *session)
{
        static const unsigned char h2[] = { 2, 'h', '2' };
        w->ssl = SSL_new(ctx);
        return w->ssl && SSL_set_fd(w->ssl, w->fd) == 1 &&
               (w->client->skin != SKIN_H2 || SSL_set_alpn_protos(w->ssl, h2, sizeof(h2)) == 0) &&
               (!session || SSL_set_session(w->ssl, session) == 1) && SSL_connect(w->ssl) == 1 &&
               (!session || SSL_session_reused(w->ssl));
}

static void hang_up(Wire *w)
{
        SSL_free(w->ssl);
        w->ssl = NULL;
        closep(&w->fd);
        w->fd = -1;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
        SSL_SESSION **keep = SSL_get_app_data(ssl);
        if (keep && !*keep) {
                *keep = session;
                return 1;
        }
        return 0;
}

static SSL_CTX *context(Skin skin)
{
        bool old = skin == SKIN_TLS12 || skin == SKIN_TLS12_RESUMED;
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        if (ctx) {
                SSL_CTX_set_max_proto_version(ctx, old ? TLS1_2_VERSION : TLS1_3_VERSION);
                SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
                SSL_CTX_sess_set_new_cb(ctx, keep_session);
        }
        return ctx;
}

/* A session from a connection of its own. TLS 1.3 tells it after the first answer at the latest. */
static bool fetch_session(Wire *w, SSL_CTX *ctx, SSL_SESSION **ret)
{
        static const char ask[] = "GET /s/0 HTTP/1.1\r\nHost: x\r\n\r\n";
        bool ok = dial(w) && greet(w, ctx, NULL) && SSL_set_app_data(w->ssl, ret) &&
                  wire_send(w, ask, sizeof(ask) - 1) && wire_answer(w);
        if (ok && !*ret)
                *ret = SSL_get1_session(w->ssl);
        SSL_set_app_data(w->ssl, NULL);
        (void) SSL_shutdown(w->ssl); /* else the session counts as bad */
        hang_up(w);
        return ok && *ret;
}

bool wire_open(Wire *w, Client *c, unsigned slot)
{
        static const unsigned char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                               "\0\0\0\4\0\0\0\0\0"; /* no settings */
        memset(w, 0, sizeof(*w));
        w->client = c;
        w->slot = &c->script->slots[slot];
        w->fd = -1;

        if (c->skin == SKIN_PLAIN) {
                if (dial(w))
                        return true;
                wire_fail(w, "connect");
                return false;
        }
        SSL_CTX *ctx = context(c->skin);
        SSL_SESSION *session = NULL;
        bool resumed = c->skin == SKIN_TLS12_RESUMED || c->skin == SKIN_TLS13_RESUMED;
        bool ok = ctx && (!resumed || fetch_session(w, ctx, &session)) && dial(w) && greet(w, ctx, session) &&
                  (c->skin != SKIN_H2 || wire_send(w, preface, sizeof(preface) - 1));
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
        if (!ok)
                wire_fail(w, "TLS");
        return ok;
}

void wire_close(Wire *w)
{
        hang_up(w);
}

bool wire_send(Wire *w, const void *buf, size_t len)
{
        if (w->ssl)
                return SSL_write(w->ssl, buf, (int) len) == (int) len;
        const char *p = buf;
        for (ssize_t n; len > 0; p += n, len -= (size_t) n) {
                n = send(w->fd, p, len, MSG_NOSIGNAL);
                if (n <= 0)
                        return false;
        }
        return true;
}

bool wire_more(Wire *w)
{
        size_t room = sizeof(w->buf) - 1 - w->have;
        ssize_t n = w->ssl ? SSL_read(w->ssl, w->buf + w->have, (int) room)
                           : recv(w->fd, w->buf + w->have, room, 0);
        if (n <= 0)
                return false;
        w->have += (size_t) n;
        w->buf[w->have] = '\0';
        return true;
}

static void forget(Wire *w, size_t len)
{
        w->have -= len;
        memmove(w->buf, w->buf + len, w->have);
        w->buf[w->have] = '\0';
}

bool wire_ask(Wire *w, const char *text)
{
        if (!wire_send(w, text, strlen(text))) {
                wire_fail(w, "request");
                return false;
        }
        w->slot->since = time_now();
        w->slot->turn++;
        return true;
}

bool wire_get(Wire *w, const char *path)
{
        char text[128];
        if (w->client->skin == SKIN_H2)
                return h2_ask(w, path);
        (void) snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
        return wire_ask(w, text);
}

static bool skip(Wire *w, size_t len)
{
        while (len > 0) {
                if (w->have == 0 && !wire_more(w))
                        return false;
                size_t n = MIN(len, w->have);
                forget(w, n);
                len -= n;
        }
        return true;
}

bool wire_line(Wire *w, char *line, size_t len)
{
        char *end;
        while (!(end = strchr(w->buf, '\n')))
                if (!wire_more(w))
                        return false;
        (void) snprintf(line, len, "%.*s", (int) (end - w->buf), w->buf);
        forget(w, (size_t) (end + 1 - w->buf));
        return true;
}

static bool answer(Wire *w)
{
        char line[512];
        size_t length = 0;
        bool chunked = false, ok;

        if (!wire_line(w, line, sizeof(line)) ||
            (strncmp(line, "HTTP/1.1 2", 10) != 0 && strncmp(line, "HTTP/1.1 1", 10) != 0))
                return false;
        while ((ok = wire_line(w, line, sizeof(line))) && strcmp(line, "\r") != 0) {
                if (strncasecmp(line, "content-length:", 15) == 0)
                        length = strtoul(line + 15, NULL, 10);
                chunked |= strncasecmp(line, "transfer-encoding: chunked", 26) == 0;
        }
        if (!ok || !chunked)
                return ok && skip(w, length);
        do {
                if (!wire_line(w, line, sizeof(line)))
                        return false;
                length = strtoul(line, NULL, 16);
        } while (skip(w, length + 2) && length > 0);
        return length == 0;
}

bool wire_answer(Wire *w)
{
        bool ok = w->client->skin == SKIN_H2 ? h2_answer(w, w->stream) : answer(w);
        if (!ok)
                wire_fail(w, "answer");
        return ok;
}

void wire_done(Wire *w)
{
        w->slot->ended = time_now();
        w->slot->turn++;
}

/* ---- HTTP/2 ---- */

static size_t frame(uint8_t *p, size_t len, uint8_t type, uint8_t flags, uint32_t stream)
{
        p[0] = (uint8_t) (len >> 16);
        p[1] = (uint8_t) (len >> 8);
        p[2] = (uint8_t) len;
        p[3] = type;
        p[4] = flags;
        for (int i = 0; i < 4; i++)
                p[5 + i] = (uint8_t) (stream >> (24 - 8 * i));
        return 9;
}

bool h2_ask(Wire *w, const char *path)
{
        uint8_t p[128];
        size_t len = strlen(path), n = 9;
        w->stream += w->stream == 0 ? 1 : 2;
        p[n++] = 0x82; /* :method GET */
        p[n++] = 0x87; /* :scheme https */
        p[n++] = 0x04; /* :path, literal */
        p[n++] = (uint8_t) len;
        memcpy(p + n, path, len);
        n += len;
        p[n++] = 0x01; /* :authority, literal */
        p[n++] = 1;
        p[n++] = 'x';
        (void) frame(p, n - 9, 1 /* HEADERS */, 5 /* END_STREAM, END_HEADERS */, w->stream);
        if (!wire_send(w, p, n)) {
                wire_fail(w, "request");
                return false;
        }
        w->slot->since = time_now();
        w->slot->turn++;
        return true;
}

bool h2_answer(Wire *w, uint32_t stream)
{
        for (;;) {
                while (w->have < 9)
                        if (!wire_more(w))
                                return false;
                const uint8_t *p = (const uint8_t *) w->buf;
                size_t len = (size_t) p[0] << 16 | (size_t) p[1] << 8 | p[2];
                uint8_t type = p[3], flags = p[4];
                uint32_t of = ((uint32_t) p[5] << 24 | (uint32_t) p[6] << 16 | (uint32_t) p[7] << 8 | p[8]) &
                              0x7fffffff;
                if (!skip(w, 9 + len) || type == 7 /* GOAWAY */ || type == 3 /* RST_STREAM */)
                        return false;
                if (type == 4 /* SETTINGS */ && !(flags & 1)) {
                        uint8_t ack[9];
                        (void) frame(ack, 0, 4, 1, 0);
                        if (!wire_send(w, ack, sizeof(ack)))
                                return false;
                }
                if (of == stream && type <= 1 /* DATA, HEADERS */ && flags & 1 /* END_STREAM */)
                        return true;
        }
}

bool h2_ping(Wire *w)
{
        uint8_t p[17] = { 0 };
        (void) frame(p, 8, 6, 0, 0);
        return wire_send(w, p, sizeof(p));
}

bool h2_window(Wire *w, uint32_t more)
{
        uint8_t p[13];
        (void) frame(p, 4, 8, 0, 0);
        for (int i = 0; i < 4; i++)
                p[9 + i] = (uint8_t) (more >> (24 - 8 * i));
        return wire_send(w, p, sizeof(p));
}
