/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The in-flight verdict on real sockets, in a network namespace of its own; and drains of a real nginx whose
 * ends are known, because the clients are here too: none may be declared drained with a request unanswered.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "drain/conns.h"
#include "drain/fate.h"
#include "drain/inflight.h"
#include "tests/lib/ns.h"

#define PORT     9001
#define UPSTREAM 8998
#define PATIENCE (20 * USEC_PER_SEC) /* how long an event may take on a busy machine */

static Conns *conns;

typedef struct Eye {
        Inflight *f;
        InflightSummary s;
} Eye;

static void eye_open(Eye *e, bool paired, Usec quiet, Usec limit)
{
        InflightConfig config = { .traffic_ports = { PORT },
                                  .n_traffic = 1,
                                  .upstream_ports = { UPSTREAM },
                                  .n_upstream = paired,
                                  .quiet_usec = quiet,
                                  .request_limit_usec = limit };
        memset(e, 0, sizeof(*e));
        assert_int_equal(inflight_new(&e->f, &config, NULL), 0);
}

static void eye_close(Eye *e)
{
        e->f = inflight_free(e->f);
}

static const InflightSummary *look(Eye *e)
{
        Err err;
        ConnsFilter filter;
        inflight_filter(e->f, &filter);
        inflight_begin(e->f, time_now(), true, 0);
        if (conns_dump(conns, &filter, inflight_feed, e->f, &err) < 0)
                fail_msg("%s", err.text);
        inflight_end(e->f, &e->s);
        return &e->s;
}

static const InflightSummary *look_pending(Eye *e)
{
        Err err;
        static Sock copy[INFLIGHT_RECORDS];
        const Sock *pending;
        size_t n = inflight_pending(e->f, &pending);
        if (n > 0)
                memcpy(copy, pending, n * sizeof(*pending));
        inflight_begin(e->f, time_now(), false, 0);
        if (conns_get(conns, copy, n, inflight_feed, inflight_gone, e->f, &err) < 0)
                fail_msg("%s", err.text);
        inflight_end(e->f, &e->s);
        return &e->s;
}

/* Look until it is so; what follows may rely on it. */
#define look_until(eye, condition)                                                                       \
        do {                                                                                             \
                Usec deadline_ = time_now() + PATIENCE;                                                  \
                for (const InflightSummary *s = look(eye); !(condition); s = look(eye)) {                \
                        if (time_now() > deadline_)                                                      \
                                fail_msg("%s: idle %u busy %u unknown %u", #condition, s->idle, s->busy, \
                                         s->unknown);                                                    \
                        (void) poll(NULL, 0, 5);                                                         \
                }                                                                                        \
        } while (false)

static struct sockaddr_in v4(uint16_t port)
{
        return (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_port = htons(port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int listen_on(uint16_t port)
{
        struct sockaddr_in a = v4(port);
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval tv = { .tv_sec = PATIENCE / USEC_PER_SEC };
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 100), 0);
        return fd;
}

static int call(uint16_t port)
{
        struct sockaddr_in a = v4(port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct timeval tv = { .tv_sec = PATIENCE / USEC_PER_SEC };
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        assert_int_equal(connect(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        return fd;
}

static int take(int l)
{
        struct timeval tv = { .tv_sec = PATIENCE / USEC_PER_SEC };
        int fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        return fd;
}

/* Away at once on both sides, so that nothing of one test lingers in the next. */
static void drop(int fd)
{
        struct linger now = { .l_onoff = 1 };
        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        (void) close(fd);
}

/* Say a byte; hear it. Ticks apart, so that no tie comes of it. */
static void say(int from, int to)
{
        char b;
        (void) poll(NULL, 0, 12);
        assert_int_equal(write(from, "x", 1), 1);
        assert_int_equal(read(to, &b, 1), 1);
}

static const char *why_busy(const Eye *e)
{
        return e->s.n_stragglers > 0 ? e->s.stragglers[0].why : "";
}

static void one_connection_through_its_life(void **state)
{
        (void) state;
        Eye e;
        const char *why;
        eye_open(&e, false, 5 * USEC_PER_SEC, 57 * USEC_PER_SEC);
        int l = listen_on(PORT);
        look_until(&e, s->listeners == 1 && s->sockets == 0);
        assert_true(inflight_gate(e.f, &why));

        int c = call(PORT);
        look_until(&e, s->accept_queue == 1 && s->busy == 1);
        assert_string_equal(why_busy(&e), "in the accept queue");
        assert_false(inflight_gate(e.f, &why));

        int s_fd = take(l);
        look_until(&e, s->accept_queue == 0 && s->idle == 1); /* preconnected */

        (void) poll(NULL, 0, 12);
        assert_int_equal(write(c, "x", 1), 1);
        look_until(&e, s->busy == 1);
        assert_string_equal(why_busy(&e), "unread bytes");
        char b;
        assert_int_equal(read(s_fd, &b, 1), 1);
        look_until(&e, s->busy == 1 && strcmp(why_busy(&e), "nothing answered yet") == 0);

        say(s_fd, c);
        look_until(&e, s->idle == 1);
        assert_int_equal(inflight_drained(e.f, time_now(), true, &(Usec){ 0 }), INFLIGHT_NOT_QUIET);

        say(c, s_fd); /* the second request */
        look_until(&e, s->busy == 1);
        assert_string_equal(why_busy(&e), "received later than sent");
        say(s_fd, c);
        look_until(&e, s->idle == 1);

        /* Half-closed by the client: an unread FIN alone is no request. */
        assert_int_equal(shutdown(c, SHUT_WR), 0);
        look_until(&e, s->idle == 1);
        const Sock *pending;
        assert_int_equal(inflight_pending(e.f, &pending), 0);

        /* Closed by us: the kernel finishes it. */
        (void) close(s_fd);
        look_until(&e, s->sockets == 0);
        assert_true(inflight_gate(e.f, &why));
        drop(c);
        (void) close(l);
        eye_close(&e);
}

static void half_close_with_a_request_pending(void **state)
{
        (void) state;
        Eye e;
        eye_open(&e, false, 5 * USEC_PER_SEC, 57 * USEC_PER_SEC);
        int l = listen_on(PORT), c = call(PORT), s_fd = take(l);
        say(c, s_fd);
        assert_int_equal(shutdown(c, SHUT_WR), 0);
        look_until(&e, s->busy == 1 && strcmp(why_busy(&e), "nothing answered yet") == 0);
        say(s_fd, c);
        look_until(&e, s->idle == 1);
        drop(c);
        drop(s_fd);
        (void) close(l);
        eye_close(&e);
}

static void a_reader_that_does_not_read(void **state)
{
        (void) state;
        Eye e;
        eye_open(&e, false, 100 * USEC_PER_MSEC, 57 * USEC_PER_SEC);
        int l = listen_on(PORT), c = call(PORT), s_fd = take(l);
        static char chunk[65536];
        say(c, s_fd);
        size_t written = 0;
        for (ssize_t n; (n = send(s_fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0;)
                written += (size_t) n;
        assert_int_equal(errno, EAGAIN);

        /* However long it lasts. */
        Usec begin = time_now();
        while (time_now() < begin + USEC_PER_SEC)
                assert_int_equal(look(&e)->busy, 1);
        for (ssize_t n; written > 0; written -= (size_t) n) {
                n = read(c, chunk, sizeof(chunk));
                assert_true(n > 0);
        }
        look_until(&e, s->idle == 1);
        drop(c);
        drop(s_fd);
        (void) close(l);
        eye_close(&e);
}

static void the_syn_queue(void **state)
{
        (void) state;
        Eye e;
        const char *why;
        eye_open(&e, false, 5 * USEC_PER_SEC, 57 * USEC_PER_SEC);
        int l = listen_on(PORT), defer = 30;
        assert_int_equal(setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer)), 0);
        int c = call(PORT);
        look_until(&e, s->syn_queue == 1 && s->busy == 1);
        assert_false(inflight_gate(e.f, &why));
        assert_int_equal(look_pending(&e)->syn_queue, 1);
        assert_int_equal(write(c, "x", 1), 1);
        int s_fd = take(l);
        assert_int_equal(look_pending(&e)->syn_queue, 0);
        assert_int_equal(e.s.busy, 1);
        drop(c);
        drop(s_fd);
        assert_int_equal(look_pending(&e)->sockets, 0);
        (void) close(l);
        eye_close(&e);
}

/* The upstream side, seen from the one that connects. */
static void a_busy_upstream_is_busy(void **state)
{
        (void) state;
        Eye e;
        eye_open(&e, true, 5 * USEC_PER_SEC, 57 * USEC_PER_SEC);
        int front = listen_on(PORT), l = listen_on(UPSTREAM), c = call(UPSTREAM), s_fd = take(l);
        look_until(&e, s->idle == 1); /* a pooled connection without a request */
        say(c, s_fd);
        look_until(&e, s->busy == 1 && strcmp(why_busy(&e), "nothing answered yet") == 0);
        assert_true(e.s.stragglers[0].upstream);
        say(s_fd, c);
        look_until(&e, s->idle == 1);
        say(c, s_fd);
        look_until(&e, s->busy == 1 && strcmp(why_busy(&e), "sent later than received") == 0);
        say(s_fd, c);
        look_until(&e, s->idle == 1);

        /* Connecting: the next tier's queue is full, so the SYN gets no answer. */
        assert_int_equal(listen(l, 0), 0);
        int filler[8];
        for (size_t i = 0; i < ELEMENTS(filler); i++) {
                struct sockaddr_in a = v4(UPSTREAM);
                filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                (void) connect(filler[i], (struct sockaddr *) &a, sizeof(a));
        }
        look_until(&e, s->busy > 0 && strcmp(why_busy(&e), "connecting") == 0);
        for (size_t i = 0; i < ELEMENTS(filler); i++)
                drop(filler[i]);
        drop(c);
        drop(s_fd);
        (void) close(l);
        (void) close(front);
        eye_close(&e);
}

static void mapped_clients_count_once(void **state)
{
        (void) state;
        Eye e;
        eye_open(&e, false, 5 * USEC_PER_SEC, 57 * USEC_PER_SEC);
        int l = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
        struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
        assert_int_equal(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        assert_int_equal(bind(l, (struct sockaddr *) &any, sizeof(any)), 0);
        assert_int_equal(listen(l, 5), 0);
        int c = call(PORT), s_fd = take(l);
        say(c, s_fd);
        look_until(&e, s->sockets == 1 && s->busy == 1 && s->listeners == 1);
        assert_int_equal(e.s.stragglers[0].peer.family, AF_INET);
        assert_int_equal(look_pending(&e)->busy, 1);
        drop(c);
        drop(s_fd);
        assert_int_equal(look_pending(&e)->busy, 0);
        (void) close(l);
        eye_close(&e);
}

static int take_established(const Sock *s, void *userdata)
{
        if (s->state == TCP_ESTABLISHED && s->local_port == PORT)
                *(Sock *) userdata = *s;
        return 0;
}

/* What a stop does to connections that were idle by age only: a farewell is seen, and so is its absence. */
static void a_connection_that_the_stop_resets_is_seen(void **state)
{
        (void) state;
        const ConnsFilter filter = { .local_ports = { PORT }, .n_local = 1, .states = CONNS_LIVE };
        for (int unread = 0; unread < 2; unread++) {
                Err err;
                Fate f;
                Sock s = { 0 }, open[FATE_MAX];
                const Sock *first;
                int l = listen_on(PORT), c = call(PORT), s_fd = take(l);
                say(c, s_fd);
                say(s_fd, c);
                assert_int_equal(conns_dump(conns, &filter, take_established, &s, &err), 0);
                assert_int_equal(s.state, TCP_ESTABLISHED);
                fate_begin(&f, &s, 1);
                assert_int_equal(conns_get(conns, &s, 1, fate_feed, fate_gone, &f, &err), 0);
                assert_int_equal(fate_open(&f, open), 1);

                if (unread)
                        assert_int_equal(write(c, "x", 1), 1);
                (void) close(s_fd);
                (void) close(c);
                for (Usec deadline = time_now() + PATIENCE; fate_open(&f, open) > 0;) {
                        assert_true(time_now() < deadline);
                        assert_int_equal(conns_get(conns, &s, 1, fate_feed, fate_gone, &f, &err), 0);
                }
                assert_int_equal(fate_lost(&f, &first), unread);
                (void) close(l);
        }
}

/* ---- drains of a real server -------------------------------------------------------------------------- */

static char dir[] = "/tmp/edge-roll-inflight-XXXXXX";
static pid_t nginx = -1;

static bool start_nginx(void)
{
        static const char module[] = "/usr/lib/nginx/modules/ngx_http_echo_module.so";
        if (access("/usr/sbin/nginx", X_OK) < 0 || access(module, R_OK) < 0 || geteuid() != 0) {
                print_message("skipped: needs root, nginx and its echo module\n");
                return false;
        }
        assert_non_null(mkdtemp(dir));
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/nginx.conf", dir);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fprintf(f,
                "load_module %s; user root; daemon off; worker_processes 2; pid %s/pid; error_log %s/log;\n"
                "events { worker_connections 500; }\n"
                "http { access_log off; keepalive_timeout 300; keepalive_requests 1000000;\n"
                " client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s;\n"
                " scgi_temp_path %s;\n"
                " upstream mp { server 127.0.0.1:%d; keepalive 50; }\n"
                " server { listen 127.0.0.1:%d reuseport; location / { proxy_pass http://mp;\n"
                "   proxy_http_version 1.1; proxy_set_header Connection \"\"; } }\n"
                " server { listen 127.0.0.1:%d reuseport;\n"
                "  location /0 { return 200 \"ok\"; }\n"
                "  location /1 { echo_sleep 0.15; echo ok; }\n"
                "  location /2 { echo_sleep 1; echo ok; }\n"
                "  location /3 { echo_sleep 2.5; echo ok; }\n"
                "  location /4 { echo one; echo_flush; echo_sleep 0.3; echo two; echo_flush; echo_sleep 0.3;\n"
                "                echo three; }\n"
                " } }\n",
                module, dir, dir, dir, dir, dir, dir, dir, UPSTREAM, PORT, UPSTREAM);
        assert_int_equal(fclose(f), 0);

        pid_t parent = getpid();
        nginx = fork();
        assert_true(nginx >= 0);
        if (nginx == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGQUIT);
                if (getppid() == parent)
                        (void) execl("/usr/sbin/nginx", "nginx", "-p", dir, "-c", path, (char *) NULL);
                _exit(127);
        }
        for (Usec deadline = time_now() + PATIENCE;;) {
                struct sockaddr_in a = v4(PORT);
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                int r = connect(fd, (struct sockaddr *) &a, sizeof(a));
                drop(fd);
                if (r == 0)
                        return true;
                assert_true(time_now() < deadline);
                (void) poll(NULL, 0, 20);
        }
}

/* Also when the test has failed. */
static int stop_nginx(void **state)
{
        (void) state;
        char command[128];
        if (nginx < 0)
                return 0;
        (void) kill(nginx, SIGTERM);
        (void) waitpid(nginx, NULL, 0);
        (void) snprintf(command, sizeof(command), "rm -rf %s", dir);
        return system(command);
}

typedef struct Client {
        int fd;
        bool waiting; /* a request is out, its answer not complete */
        char got[4096];
        size_t n;
        Usec next;     /* asks again at */
        unsigned last; /* of its last two requests, how many are out: a short one, then a long one at once */
} Client;

static uint32_t seed;
static uint32_t rnd(uint32_t below)
{
        seed = seed * 1664525u + 1013904223u;
        return (uint32_t) ((uint64_t) (seed >> 1) * below >> 31);
}

static void ask(Client *c, unsigned what)
{
        char request[128];
        int n = snprintf(request, sizeof(request), "GET /%u HTTP/1.1\r\nHost: x\r\n\r\n", what);
        assert_int_equal(write(c->fd, request, (size_t) n), n);
        c->waiting = true;
        c->n = 0;
}

/* Read what is there. Return: whether the answer is complete. */
static bool hear(Client *c)
{
        ssize_t n = recv(c->fd, c->got + c->n, sizeof(c->got) - 1 - c->n, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
                return false;
        assert_true(n > 0);
        c->n += (size_t) n;
        c->got[c->n] = '\0';
        const char *body = strstr(c->got, "\r\n\r\n"), *length = strcasestr(c->got, "Content-Length: ");
        if (!body)
                return false;
        if (length)
                return c->n >= (size_t) (body + 4 - c->got) + strtoul(length + 16, NULL, 10);
        return strstr(body, "\r\n0\r\n\r\n") != NULL;
}

/*
 * The long request right behind a short one's answer is the hard case: received and sent in one tick of the
 * server's clock, and then nothing moves.
 */
static void answered(Client *c, bool asking)
{
        c->waiting = false;
        c->next = time_now() + (asking ? rnd(2) * rnd(300) * USEC_PER_MSEC : 0);
        if (!asking && c->last < 2)
                ask(c, c->last++ == 0 ? 0 : 3);
}

static void run_clients(Client *c, size_t n, Usec until, bool asking)
{
        do {
                struct pollfd p[64];
                for (size_t i = 0; i < n; i++)
                        p[i] = (struct pollfd){ .fd = c[i].fd, .events = POLLIN };
                (void) poll(p, n, 2);
                for (size_t i = 0; i < n; i++) {
                        if (c[i].waiting && p[i].revents && hear(&c[i]))
                                answered(&c[i], asking);
                        if (!c[i].waiting && time_now() >= c[i].next && asking)
                                ask(&c[i], rnd(5));
                        else if (!c[i].waiting && !asking && c[i].last < 2)
                                answered(&c[i], false);
                }
        } while (time_now() < until);
}

/*
 * Clients with requests of 0 to 2.5 s, at once or after a pause, for some time; then the last two. At each
 * look that says drained: was anybody waiting before and after it?
 */
static void drain(bool paired, uint32_t run, unsigned *early, unsigned *ended, Usec *late)
{
        enum { N = 6 };
        static Client c[N];
        Eye e;
        /* The limit is longer than the longest request, as it is at work. */
        eye_open(&e, paired, 500 * USEC_PER_MSEC, 2600 * USEC_PER_MSEC);
        uint16_t port = paired ? PORT : UPSTREAM;
        if (!paired) {
                InflightConfig mp = { .traffic_ports = { UPSTREAM },
                                      .n_traffic = 1,
                                      .quiet_usec = 500 * USEC_PER_MSEC,
                                      .request_limit_usec = 2600 * USEC_PER_MSEC };
                eye_close(&e);
                assert_int_equal(inflight_new(&e.f, &mp, NULL), 0);
        }
        seed = run;
        memset(c, 0, sizeof(c));
        for (size_t i = 0; i < N; i++)
                c[i].fd = call(port);

        Usec begin = time_now(), stop_asking = begin + 1500 * USEC_PER_MSEC, last_answer = 0;
        bool over = false;
        while (!over && time_now() < begin + PATIENCE + stop_asking - begin) {
                bool asking = time_now() < stop_asking, waiting[N];
                run_clients(c, N, time_now() + (Usec) rnd(100) * USEC_PER_MSEC, asking);
                for (size_t i = 0; i < N; i++)
                        waiting[i] = c[i].waiting;
                if (rnd(2))
                        (void) look(&e);
                else
                        (void) look_pending(&e);
                Usec wait;
                bool says = inflight_drained(e.f, time_now(), true, &wait) == INFLIGHT_DRAINED;
                bool in_flight = false;
                for (size_t i = 0; i < N; i++)
                        if (waiting[i] && hear(&c[i]))
                                answered(&c[i], asking);
                        else
                                in_flight = in_flight || waiting[i];
                if (in_flight || asking)
                        last_answer = time_now();
                *early += says && in_flight;
                over = says && !asking;
        }
        *ended += over;
        *late = MAX(*late, time_now() - last_answer);
        for (size_t i = 0; i < N; i++)
                drop(c[i].fd);
        eye_close(&e);
}

static void drains_of_a_real_server_end_neither_early_nor_never(void **state)
{
        (void) state;
        enum { DRAINS = 3 };
        if (!start_nginx())
                skip();
        for (int paired = 0; paired < 2; paired++) {
                unsigned early = 0, ended = 0;
                Usec late = 0;
                for (uint32_t run = 1; run <= DRAINS; run++)
                        drain(paired, run, &early, &ended, &late);
                print_message("%s: %u drains, %u early, %u ended, at most %.1f s after the last answer\n",
                              paired ? "router" : "direct", DRAINS, early, ended, time_sec(late));
                assert_int_equal(early, 0);
                assert_int_equal(ended, DRAINS);
        }
}

int main(void)
{
        const char *why = ns_enter();
        if (why) {
                print_message("skipped: %s\n", why);
                return 77;
        }
        Err err;
        if (conns_new(&conns, &err) < 0) {
                print_message("skipped: %s\n", err.text);
                return 77;
        }
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_connection_through_its_life),
                cmocka_unit_test(half_close_with_a_request_pending),
                cmocka_unit_test(a_reader_that_does_not_read),
                cmocka_unit_test(the_syn_queue),
                cmocka_unit_test(a_busy_upstream_is_busy),
                cmocka_unit_test(mapped_clients_count_once),
                cmocka_unit_test(a_connection_that_the_stop_resets_is_seen),
                cmocka_unit_test_teardown(drains_of_a_real_server_end_neither_early_nor_never, stop_nginx),
        };
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        conns = conns_free(conns);
        return r;
}
