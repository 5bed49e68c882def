/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What clients do, and the table of it. */

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/replay/wire.h"

static uint32_t rnd(Client *c, uint32_t below)
{
        c->seed = c->seed * 1664525u + 1013904223u;
        return (uint32_t) ((uint64_t) (c->seed >> 1) * below >> 31);
}

static Usec part(const Client *c, double of)
{
        return (Usec) (of * (double) c->quiet);
}

static void get_path(char *path, size_t size, char letter, double a)
{
        (void) snprintf(path, size, "/%c/%g", letter, a);
}

static bool ask_short(Wire *w)
{
        if (!wire_get(w, "/s/0"))
                return false;
        bool ok = wire_answer(w);
        wire_done(w);
        return ok;
}

/* Short requests with pauses until the last ones are asked for. */
static bool warm(Client *c, Wire *w)
{
        while (!c->script->last) {
                if (!ask_short(w))
                        return false;
                for (Usec end = time_now() + part(c, 0.4) * rnd(c, 1000) / 1000;
                     time_now() < end && !c->script->last;)
                        nap(5 * USEC_PER_MSEC);
        }
        return true;
}

static void wait_last(Client *c)
{
        while (!c->script->last)
                nap(5 * USEC_PER_MSEC);
}

static void lasting(Client *c)
{
        c->script->lasting++;
}

/* The connection stays, as those of a pool do. */
static void rest(Client *c, Wire *w)
{
        while (!c->script->over)
                nap(20 * USEC_PER_MSEC);
        wire_close(w);
}

/* The last request, its answer, and then nothing. */
static void finish(Client *c, Wire *w, const char *path)
{
        bool ok = wire_get(w, path);
        lasting(c);
        if (ok) {
                (void) wire_answer(w);
                wire_done(w);
        }
        rest(c, w);
}

/* a: how long the request takes. */
static void act_first(Client *c)
{
        Wire w;
        char path[32];
        get_path(path, sizeof(path), 's', c->kind->a);
        wait_last(c);
        if (wire_open(&w, c, c->index))
                finish(c, &w, path);
}

/* Right behind the answer to a short one: received and sent in one tick of the server's clock. */
static void act_after(Client *c)
{
        Wire w;
        char path[32];
        get_path(path, sizeof(path), 's', c->kind->a);
        if (!wire_open(&w, c, c->index) || !warm(c, &w) || !ask_short(&w))
                return;
        finish(c, &w, path);
}

/* a: pause; b: chunks. */
static void act_chunks(Client *c)
{
        Wire w;
        char path[32];
        (void) snprintf(path, sizeof(path), "/c/%g/%g", c->kind->a, c->kind->b);
        if (wire_open(&w, c, c->index) && warm(c, &w))
                finish(c, &w, path);
}

/* The same, but begun before anybody thought of a drain. */
static void act_stream(Client *c)
{
        Wire w;
        char path[32];
        (void) snprintf(path, sizeof(path), "/c/%g/%g", c->kind->a, c->kind->b);
        if (wire_open(&w, c, c->index))
                finish(c, &w, path);
}

/* a: how long the client waits behind "100 Continue". */
static void act_expect(Client *c)
{
        Wire w;
        if (!wire_open(&w, c, c->index) || (c->kind->b > 0 && !warm(c, &w)))
                return;
        wait_last(c);
        /* The answer before it has been seen. */
        if (c->kind->b > 0)
                nap(part(c, 0.1) + 1100 * USEC_PER_MSEC);
        bool ok = wire_ask(
                &w, "POST /s/0.3 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        lasting(c);
        ok = ok && wire_answer(&w); /* 100 */
        nap(part(c, c->kind->a));
        ok = ok && wire_send(&w, "body\n", 5) && wire_answer(&w);
        wire_done(&w);
        if (!ok)
                wire_fail(&w, "100-continue");
        rest(c, &w);
}

static bool upgrade(Wire *w, double unasked)
{
        char text[256];
        (void) snprintf(text, sizeof(text),
                        "GET /w/%g HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        unasked);
        bool ok = wire_ask(w, text) && wire_answer(w);
        wire_done(w);
        return ok;
}

static bool message(Wire *w, const char *text)
{
        char line[32];
        bool ok = wire_ask(w, text) && wire_line(w, line, sizeof(line));
        wire_done(w);
        if (!ok)
                wire_fail(w, "WebSocket");
        return ok;
}

/* a: after how long the server says something unasked, which the client awaits; 0: never, it awaits nothing.
 */
static void act_ws_idle(Client *c)
{
        Wire w;
        char line[32];
        if (c->kind->a > 0)
                wait_last(c);
        if (!wire_open(&w, c, c->index) || !upgrade(&w, c->kind->a))
                return;
        wait_last(c);
        if (c->kind->a > 0) {
                w.slot->since = time_now();
                w.slot->turn++;
        }
        lasting(c);
        if (c->kind->a > 0) {
                (void) wire_line(&w, line, sizeof(line));
                wire_done(&w);
        }
        rest(c, &w);
}

/* Messages echoed until a quiet time after the mark. */
static void act_ws_busy(Client *c)
{
        Wire w;
        if (!wire_open(&w, c, c->index) || !upgrade(&w, 0))
                return;
        bool ok = true;
        while (ok && !c->script->last) {
                ok = message(&w, "e\n");
                nap(part(c, 0.05));
        }
        lasting(c);
        for (Usec end = time_now() + part(c, 1); ok && time_now() < end;) {
                ok = message(&w, "e\n");
                nap(part(c, 0.05));
        }
        rest(c, &w);
}

/* a: how long the server takes to answer a message. */
static void act_ws_wait(Client *c)
{
        Wire w;
        char text[32], line[32];
        (void) snprintf(text, sizeof(text), "s %g\n", c->kind->a);
        if (!wire_open(&w, c, c->index) || !upgrade(&w, 0))
                return;
        wait_last(c);
        bool ok = wire_ask(&w, text);
        lasting(c);
        ok = ok && wire_line(&w, line, sizeof(line));
        wire_done(&w);
        if (!ok)
                wire_fail(&w, "WebSocket");
        rest(c, &w);
}

static void act_half_close(Client *c)
{
        Wire w;
        char path[32];
        get_path(path, sizeof(path), 's', c->kind->a);
        if (!wire_open(&w, c, c->index) || !warm(c, &w))
                return;
        bool ok = wire_get(&w, path);
        (void) shutdown(w.fd, SHUT_WR);
        lasting(c);
        if (ok) {
                (void) wire_answer(&w);
                wire_done(&w);
        }
        rest(c, &w);
}

/* a: how long the client reads nothing. */
static void act_zero_window(Client *c)
{
        Wire w;
        int small = 4096;
        wait_last(c);
        if (!wire_open(&w, c, c->index))
                return;
        (void) setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        bool ok = wire_get(&w, "/b/4000000");
        lasting(c);
        nap(part(c, c->kind->a));
        if (ok) {
                (void) wire_answer(&w);
                wire_done(&w);
        }
        rest(c, &w);
}

static void act_preopened(Client *c)
{
        Wire w;
        if (!wire_open(&w, c, c->index))
                return;
        wait_last(c);
        lasting(c);
        rest(c, &w);
}

/* Three requests at once, each taking a. */
static void act_pipeline(Client *c)
{
        Wire w;
        char text[256];
        (void) snprintf(text, sizeof(text),
                        "GET /s/%g HTTP/1.1\r\nHost: x\r\n\r\nGET /s/%g HTTP/1.1\r\nHost: x\r\n\r\n"
                        "GET /s/%g HTTP/1.1\r\nHost: x\r\n\r\n",
                        c->kind->a, c->kind->a, c->kind->a);
        if (!wire_open(&w, c, c->index) || !warm(c, &w))
                return;
        bool ok = wire_ask(&w, text);
        lasting(c);
        for (int i = 0; ok && i < 3; i++)
                ok = wire_answer(&w);
        wire_done(&w);
        rest(c, &w);
}

/* a: how long the upload takes, in twenty pieces. */
static void act_upload(Client *c)
{
        Wire w;
        if (!wire_open(&w, c, c->index) || !warm(c, &w))
                return;
        bool ok = wire_ask(&w, "POST /s/0.3 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
        lasting(c);
        for (int i = 0; ok && i < 20; i++) {
                nap(part(c, c->kind->a / 20));
                ok = wire_send(&w, "piece", 5);
        }
        if (ok) {
                (void) wire_answer(&w);
                wire_done(&w);
        }
        rest(c, &w);
}

static void act_idle(Client *c)
{
        Wire w;
        if (!wire_open(&w, c, c->index) || !warm(c, &w))
                return;
        lasting(c);
        rest(c, &w);
}

/* b connections, each asking again 0 to 200 ms after its answer; a: for how long after the mark. */
static void act_fast(Client *c)
{
        enum { MAX_WIRES = 128 };
        static const char ask[] = "GET /s/0 HTTP/1.1\r\nHost: x\r\n\r\n";
        size_t n = MIN((size_t) c->kind->b, (size_t) MAX_WIRES);
        _cleanup_(freep) Wire *w = calloc(n, sizeof(*w));
        Usec next[MAX_WIRES], end = USEC_INFINITY;
        struct pollfd p[MAX_WIRES];
        size_t out = 0;

        for (size_t i = 0; i < n; i++) {
                if (!wire_open(&w[i], c, c->index + (unsigned) i))
                        return;
                next[i] = time_now() + rnd(c, 200) * USEC_PER_MSEC;
                p[i] = (struct pollfd){ .fd = w[i].fd, .events = POLLIN };
        }
        while (time_now() < end || out > 0) {
                (void) poll(p, n, 2);
                for (size_t i = 0; i < n; i++) {
                        bool waits = w[i].slot->turn & 1;
                        if (waits && p[i].revents) {
                                if (!wire_answer(&w[i]))
                                        return;
                                wire_done(&w[i]);
                                out--;
                                next[i] = time_now() + rnd(c, 200) * USEC_PER_MSEC;
                        } else if (!waits && time_now() >= next[i] && time_now() < end) {
                                if (!wire_ask(&w[i], ask))
                                        return;
                                out++;
                        }
                }
                if (end == USEC_INFINITY && c->script->last) {
                        end = time_now() + part(c, c->kind->a);
                        lasting(c);
                }
        }
        while (!c->script->over)
                nap(20 * USEC_PER_MSEC);
}

/* HTTP/2: a long stream (a), others answered beside it, pings and window updates all the while. */
static void act_h2(Client *c)
{
        Wire w;
        char path[32];
        get_path(path, sizeof(path), 's', c->kind->a);
        if (!wire_open(&w, c, c->index) || !warm(c, &w))
                return;
        bool ok = wire_get(&w, path);
        uint32_t stream = w.stream;
        lasting(c);
        for (int i = 0; ok && i < 2; i++) {
                /* Another one on the same connection; the slot goes on being about the long one. */
                uint32_t turn = w.slot->turn;
                Usec since = w.slot->since;
                nap(part(c, 0.2));
                ok = h2_ping(&w) && h2_window(&w, 1000) && h2_ask(&w, "/s/0.1");
                w.slot->turn = turn;
                w.slot->since = since;
                ok = ok && h2_answer(&w, w.stream);
        }
        ok = ok && h2_answer(&w, stream);
        wire_done(&w);
        if (!ok)
                wire_fail(&w, "HTTP/2");
        rest(c, &w);
}

/* What clients say after the last answer: received later than sent, and nothing will ever answer it. */
static void act_h2_window(Client *c)
{
        Wire w;
        if (!wire_open(&w, c, c->index) || !warm(c, &w) || !ask_short(&w))
                return;
        nap(50 * USEC_PER_MSEC);
        (void) h2_window(&w, 1000);
        lasting(c);
        rest(c, &w);
}

#define PLAIN SKIN_PLAIN
#define OWN   WAY_OWN
#define NGINX WAY_NGINX
#define HA    WAY_HAPROXY
#define PROXY WAY_PROXY

const Kind replay_kinds[] = {
        { "first request", OWN, PLAIN, 4, act_first, 2 },
        { "first request", NGINX, PLAIN, 4, act_first, 2 },
        { "first request", HA, PLAIN, 4, act_first, 2 },
        { "first request", PROXY, PLAIN, 4, act_first, 2 },
        { "request after answer", OWN, PLAIN, 8, act_after, 1.6 },
        { "request after answer", NGINX, PLAIN, 8, act_after, 1.6 },
        { "request after answer", HA, PLAIN, 8, act_after, 1.6 },
        { "request after answer", PROXY, PLAIN, 8, act_after, 1.6 },
        { "idle pool", OWN, PLAIN, 20, act_idle },
        { "idle pool", NGINX, PLAIN, 20, act_idle },
        { "idle pool", HA, PLAIN, 20, act_idle },
        { "idle pool", PROXY, PLAIN, 20, act_idle },
        { "1,000 fast connections", NGINX, PLAIN, 10, act_fast, 1, 100, .wait = true, .slow = true },
        { "1,000 fast connections", HA, PLAIN, 10, act_fast, 1, 100, .wait = true, .slow = true },
        { "100 fast connections", NGINX, PLAIN, 1, act_fast, 1, 100, .wait = true },
        { "100 fast connections", HA, PLAIN, 1, act_fast, 1, 100, .wait = true },
        { "preopened, no request", OWN, PLAIN, 10, act_preopened },
        { "preopened, no request", HA, PLAIN, 10, act_preopened },
        { "pipelining", OWN, PLAIN, 4, act_pipeline, 0.4, .limit = true },
        { "pipelining", HA, PLAIN, 4, act_pipeline, 0.4, .limit = true },
        { "pipelining", PROXY, PLAIN, 4, act_pipeline, 0.4, .limit = true },
        { "pipelining, long", OWN, PLAIN, 4, act_pipeline, 1.2, .undecidable = true, .limit = true },
        { "pipelining, long", NGINX, PLAIN, 4, act_pipeline, 1.2, .undecidable = true, .limit = true },
        { "pipelining, long", HA, PLAIN, 4, act_pipeline, 1.2, .undecidable = true, .limit = true },
        { "pipelining, long", PROXY, PLAIN, 4, act_pipeline, 1.2, .undecidable = true, .limit = true },
        { "slow upload", OWN, PLAIN, 4, act_upload, 2 },
        { "slow upload", HA, PLAIN, 4, act_upload, 2 },
        { "slow upload", PROXY, PLAIN, 4, act_upload, 2 },
        { "half-close", OWN, PLAIN, 4, act_half_close, 1.6 },
        { "half-close", HA, PLAIN, 4, act_half_close, 1.6 },
        { "client does not read", OWN, PLAIN, 2, act_zero_window, 2 },
        { "client does not read", NGINX, PLAIN, 2, act_zero_window, 2 },
        { "client does not read", HA, PLAIN, 2, act_zero_window, 2 },
        { "client does not read", PROXY, PLAIN, 2, act_zero_window, 2 },
        { "chunks, short pauses", OWN, PLAIN, 4, act_chunks, 0.5, 4, .limit = true },
        { "chunks, short pauses", NGINX, PLAIN, 4, act_chunks, 0.5, 4, .limit = true },
        { "chunks, short pauses", HA, PLAIN, 4, act_chunks, 0.5, 4, .limit = true },
        { "chunks, short pauses", PROXY, PLAIN, 4, act_chunks, 0.5, 4, .limit = true },
        { "chunks, long pauses", OWN, PLAIN, 4, act_chunks, 1.6, 4, .undecidable = true, .limit = true },
        { "chunks, long pauses", NGINX, PLAIN, 4, act_chunks, 1.6, 4, .undecidable = true, .limit = true },
        { "chunks, long pauses", HA, PLAIN, 4, act_chunks, 1.6, 4, .undecidable = true, .limit = true },
        { "SSE, known as a stream", OWN, PLAIN, 2, act_stream, 1, 7, .limit = true, .head_start = 2.7 },
        { "SSE, known as a stream", HA, PLAIN, 2, act_stream, 1, 7, .limit = true, .head_start = 2.7 },
        { "SSE, known as a stream", PROXY, PLAIN, 2, act_stream, 1, 7, .limit = true, .head_start = 2.7 },
        { "SSE, not known yet", HA, PLAIN, 2, act_chunks, 1, 4, .undecidable = true, .limit = true },
        { "100-continue, first", OWN, PLAIN, 2, act_expect, 1.6 },
        { "100-continue, short pause", OWN, PLAIN, 2, act_expect, 0.6, 1 },
        { "100-continue, short pause", HA, PLAIN, 2, act_expect, 0.6, 1 },
        { "100-continue, long pause", OWN, PLAIN, 2, act_expect, 1.6, 1 },
        { "100-continue, long pause", HA, PLAIN, 2, act_expect, 1.6, 1 },
        { "100-continue, long pause", PROXY, PLAIN, 2, act_expect, 1.6, 1 },
        { "WebSocket, idle", OWN, PLAIN, 4, act_ws_idle },
        { "WebSocket, idle", HA, PLAIN, 4, act_ws_idle },
        { "WebSocket, idle", PROXY, PLAIN, 4, act_ws_idle },
        { "WebSocket, busy", OWN, PLAIN, 4, act_ws_busy, .wait = true },
        { "WebSocket, busy", HA, PLAIN, 4, act_ws_busy, .wait = true },
        { "WebSocket, answer awaited", OWN, PLAIN, 4, act_ws_wait, 1.6 },
        { "WebSocket, answer awaited", HA, PLAIN, 4, act_ws_wait, 1.6 },
        { "WebSocket, silent", OWN, PLAIN, 2, act_ws_idle, 2.5, .undecidable = true },
        { "WebSocket, silent", HA, PLAIN, 2, act_ws_idle, 2.5, .undecidable = true },
        { "TLS 1.2", NGINX, SKIN_TLS12, 4, act_first, 1.6, .limit = true },
        { "TLS 1.2", HA, SKIN_TLS12, 4, act_first, 1.6 },
        { "TLS 1.2 resumed", NGINX, SKIN_TLS12_RESUMED, 4, act_first, 1.6, .limit = true },
        { "TLS 1.2 resumed", HA, SKIN_TLS12_RESUMED, 4, act_first, 1.6 },
        { "TLS 1.3", NGINX, SKIN_TLS13, 4, act_first, 1.6, .limit = true },
        { "TLS 1.3", HA, SKIN_TLS13, 4, act_first, 1.6 },
        { "TLS 1.3", PROXY, SKIN_TLS13, 4, act_first, 1.6 },
        { "TLS 1.3 resumed", NGINX, SKIN_TLS13_RESUMED, 4, act_first, 1.6, .limit = true },
        { "TLS 1.3 resumed", HA, SKIN_TLS13_RESUMED, 4, act_first, 1.6 },
        { "TLS 1.3 resumed", PROXY, SKIN_TLS13_RESUMED, 4, act_first, 1.6 },
        { "TLS 1.3, request after answer", NGINX, SKIN_TLS13, 6, act_after, 1.6 },
        { "TLS 1.3, request after answer", HA, SKIN_TLS13, 6, act_after, 1.6 },
        { "TLS 1.3, idle pool", HA, SKIN_TLS13, 10, act_idle },
        { "TLS 1.3, idle pool", NGINX, SKIN_TLS13, 10, act_idle, .limit = true },
        { "HTTP/2, long stream and pings", NGINX, SKIN_H2, 3, act_h2, 1.6, .undecidable = true,
          .limit = true },
        { "HTTP/2, long stream and pings", HA, SKIN_H2, 3, act_h2, 1.6 },
        { "HTTP/2, long stream and pings", PROXY, SKIN_H2, 3, act_h2, 1.6 },
        { "HTTP/2, window update at the end", NGINX, SKIN_H2, 3, act_h2_window, .limit = true },
        { "HTTP/2, window update at the end", HA, SKIN_H2, 3, act_h2_window, .limit = true },
};
const size_t replay_n_kinds = ELEMENTS(replay_kinds);

static void *client_main(void *userdata)
{
        Client *c = userdata;
        c->kind->act(c);
        return NULL;
}

void client_run(Script *script, const Kind *kind, Usec quiet, uint32_t seed)
{
        static Client clients[64];
        pthread_t threads[64];
        unsigned n = MIN(kind->clients, (unsigned) ELEMENTS(clients));
        unsigned step = kind->act == act_fast ? (unsigned) kind->b : 1;

        (void) signal(SIGPIPE, SIG_IGN);
        for (unsigned i = 0; i < n; i++) {
                clients[i] = (Client){
                        .script = script,
                        .kind = kind,
                        .skin = kind->skin,
                        .quiet = quiet,
                        .index = i * step,
                        .seed = seed + i,
                };
                if (pthread_create(&threads[i], NULL, client_main, &clients[i]) != 0)
                        _exit(1);
        }
        for (unsigned i = 0; i < n; i++)
                (void) pthread_join(threads[i], NULL);
        _exit(0);
}
