/* SPDX-License-Identifier: GPL-3.0-or-later */

/* drain/conns.c against the real kernel, in a network namespace of its own; ss(8) is the witness. */

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
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "drain/conns.h"
#include "tests/lib/ns.h"

#define PORT 9001

static Conns *conns;

static int tcp(int family, int flags)
{
        int one = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
        return fd;
}

static socklen_t name(struct sockaddr_storage *ss, int family, const char *addr, uint16_t port)
{
        memset(ss, 0, sizeof(*ss));
        ss->ss_family = (sa_family_t) family;
        if (family == AF_INET) {
                struct sockaddr_in *in = (struct sockaddr_in *) ss;
                in->sin_port = htons(port);
                assert_int_equal(inet_pton(AF_INET, addr, &in->sin_addr), 1);
                return sizeof(*in);
        }
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ss;
        in6->sin6_port = htons(port);
        assert_int_equal(inet_pton(AF_INET6, addr, &in6->sin6_addr), 1);
        return sizeof(*in6);
}

static int listen_on(int family, const char *addr, uint16_t port)
{
        struct sockaddr_storage ss;
        socklen_t len = name(&ss, family, addr, port);
        int one = 1, fd = tcp(family, 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &ss, len), 0);
        assert_int_equal(listen(fd, 512), 0);
        struct timeval tv = { .tv_sec = 10 }; /* accept(2) must not wait for ever when a test has failed */
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
        return fd;
}

static int call(int family, const char *addr, uint16_t port)
{
        struct sockaddr_storage ss;
        socklen_t len = name(&ss, family, addr, port);
        int fd = tcp(family, 0);
        assert_int_equal(connect(fd, (struct sockaddr *) &ss, len), 0);
        return fd;
}

/* Away at once on both sides, so that nothing of one test lingers in the next. */
static void drop(int fd)
{
        struct linger now = { .l_onoff = 1 };
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        (void) close(fd);
}

typedef struct Seen {
        Sock s[4096];
        size_t n;
        uint64_t gone[4096];
        size_t n_gone;
        size_t stop_after; /* 0: never */
} Seen;

static Seen seen;

static int on_sock(const Sock *s, void *userdata)
{
        Seen *to = userdata;
        assert_true(to->n < ELEMENTS(to->s));
        to->s[to->n++] = *s;
        return to->stop_after && to->n == to->stop_after ? -ECANCELED : 0;
}

static void on_gone(uint64_t cookie, void *userdata)
{
        Seen *to = userdata;
        to->gone[to->n_gone++] = cookie;
}

static size_t dump(const ConnsFilter *f)
{
        Err err;
        memset(&seen, 0, sizeof(seen));
        if (conns_dump(conns, f, on_sock, &seen, &err) != 0)
                fail_msg("%s", err.text);
        return seen.n;
}

static size_t dump_local(uint16_t port, uint32_t states)
{
        ConnsFilter f = { .local_ports = { port }, .n_local = 1, .states = states };
        return dump(&f);
}

static void get(const Sock *s, size_t n)
{
        Err err;
        seen.n = seen.n_gone = 0;
        if (conns_get(conns, s, n, on_sock, on_gone, &seen, &err) != 0)
                fail_msg("%s", err.text);
}

/* How many lines ss has for it. */
static unsigned ss_count(const char *filter)
{
        char command[256];
        unsigned n = 0;
        (void) snprintf(command, sizeof(command), "ss -Htan %s", filter);
        FILE *p = popen(command, "r");
        assert_non_null(p);
        for (int c; (c = getc(p)) != EOF;)
                n += c == '\n';
        assert_int_equal(pclose(p), 0);
        return n;
}

static bool have_ss(void)
{
        if (system("command -v ss >/dev/null") == 0)
                return true;
        print_message("skipped: ss (iproute2) is not installed\n");
        return false;
}

static void counts_are_those_of_ss(void **state)
{
        (void) state;
        if (!have_ss())
                skip();
        int l[4] = { listen_on(AF_INET, "0.0.0.0", PORT), listen_on(AF_INET, "0.0.0.0", PORT + 1),
                     listen_on(AF_INET6, "::1", PORT), listen_on(AF_INET, "127.0.0.1", 8998) };
        int fds[600];
        size_t n = 0;
        for (int i = 0; i < 100; i++) {
                fds[n++] = call(AF_INET, "127.0.0.1", PORT);
                fds[n++] = call(AF_INET, "127.0.0.5", PORT + 1);
                fds[n++] = call(AF_INET6, "::1", PORT);
                fds[n++] = call(AF_INET, "127.0.0.1", 8998);
        }
        static const struct {
                ConnsFilter f;
                const char *ss;
        } cases[] = {
                { { .local_ports = { PORT }, .n_local = 1, .states = CONNS_STATE(1) },
                  "state established '( sport = :9001 )'" },
                { { .local_ports = { PORT, PORT + 1 }, .n_local = 2, .states = CONNS_STATE(1) },
                  "state established '( sport = :9001 or sport = :9002 )'" },
                { { .local_ports = { PORT },
                    .n_local = 1,
                    .peer_ports = { 8998 },
                    .n_peer = 1,
                    .states = CONNS_LIVE },
                  "state all '( sport = :9001 or dport = :8998 )'" },
                { { .peer_ports = { 8998, PORT }, .n_peer = 2, .states = CONNS_LIVE },
                  "state all '( dport = :8998 or dport = :9001 )'" },
                { { .local_ports = { 1, 2, 3, PORT },
                    .n_local = 4,
                    .peer_ports = { 4, 5, 8998 },
                    .n_peer = 3,
                    .states = CONNS_LISTEN },
                  "state listening '( sport = :9001 or dport = :8998 )'" },
                { { .every_port = true, .states = CONNS_LISTEN }, "state listening" },
                { { .every_port = true, .states = CONNS_LIVE }, "state all" },
                { { .local_ports = { 7777 }, .n_local = 1, .states = CONNS_LIVE },
                  "state all '( sport = :7777 )'" },
                { { .local_ports = { 7777 },
                    .n_local = 1,
                    .peer_ports = { 7777 },
                    .n_peer = 1,
                    .states = CONNS_LIVE },
                  "state all '( sport = :7777 or dport = :7777 )'" },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                size_t have = dump(&cases[i].f), want = ss_count(cases[i].ss);
                if (have != want)
                        fail_msg("case %zu: %zu, ss says %zu", i, have, want);
        }
        ConnsFilter none = { .states = CONNS_LIVE };
        assert_int_equal(dump(&none), 0);

        while (n > 0)
                drop(fds[--n]);
        for (size_t i = 0; i < ELEMENTS(l); i++)
                (void) close(l[i]);
}

/* More sockets than fit in one receive: each of them once, all different. */
static int by_cookie(const void *a, const void *b)
{
        const Sock *x = a, *y = b;
        return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static void long_dumps_are_complete(void **state)
{
        (void) state;
        enum { N = 1500 };
        static int client[N], server[N];
        int l = listen_on(AF_INET, "127.0.0.1", PORT);
        for (int i = 0; i < N; i++) {
                client[i] = call(AF_INET, "127.0.0.1", PORT);
                server[i] = accept(l, NULL, NULL);
                assert_true(server[i] >= 0);
        }
        assert_int_equal(dump_local(PORT, CONNS_LIVE), N + 1);
        qsort(seen.s, seen.n, sizeof(seen.s[0]), by_cookie);
        for (size_t i = 1; i < seen.n; i++)
                assert_true(seen.s[i - 1].cookie < seen.s[i].cookie);

        /* The guess that inflight prefetches by is mostly right. */
        unsigned right = 0;
        assert_int_equal(dump_local(PORT, CONNS_STATE(1)), N);
        for (size_t i = 0; i + 8 < seen.n; i++)
                for (size_t k = 1; k < 8; k++)
                        right += seen.s[i].soon == seen.s[i + k].cookie;
        assert_true(right > N / 2);

        /* Stopped by the callback: its word is returned, and the socket is good for the next dump. */
        ConnsFilter f = { .local_ports = { PORT }, .n_local = 1, .states = CONNS_LIVE };
        memset(&seen, 0, sizeof(seen));
        seen.stop_after = 10;
        assert_int_equal(conns_dump(conns, &f, on_sock, &seen, NULL), -ECANCELED);
        assert_int_equal(seen.n, 10);
        assert_int_equal(dump_local(PORT, CONNS_STATE(1)), N);

        /* All by exact gets; then half of them closed for good (RST, so that nothing lingers). */
        static Sock all[N];
        memcpy(all, seen.s, sizeof(all));
        get(all, N);
        assert_int_equal(seen.n, N);
        assert_int_equal(seen.n_gone, 0);
        for (int i = 0; i < N / 2; i++) {
                drop(server[i]);
        }
        get(all, N);
        assert_int_equal(seen.n, N - N / 2);
        assert_int_equal(seen.n_gone, N / 2);
        for (int i = 0; i < N; i++) {
                drop(client[i]);
                if (i >= N / 2)
                        (void) close(server[i]);
        }
        (void) close(l);
}

static void each_family_is_found_once_and_again(void **state)
{
        (void) state;
        int l6 = listen_on(AF_INET6, "::", PORT), l4 = listen_on(AF_INET, "127.0.0.1", PORT + 1);
        static const struct {
                int family;
                const char *to;
                uint16_t port;
                uint8_t kernel_family, family_told;
        } cases[] = {
                { AF_INET, "127.0.0.1", PORT, AF_INET6, AF_INET },
                { AF_INET6, "::1", PORT, AF_INET6, AF_INET6 },
                { AF_INET, "127.0.0.1", PORT + 1, AF_INET, AF_INET },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int c = call(cases[i].family, cases[i].to, cases[i].port);
                int s = accept(cases[i].port == PORT ? l6 : l4, NULL, NULL);
                assert_true(s >= 0);
                assert_int_equal(write(c, "hello", 5), 5);
                ConnsFilter f = { .local_ports = { cases[i].port },
                                  .n_local = 1,
                                  .peer_ports = { 1 },
                                  .n_peer = 1,
                                  .states = CONNS_STATE(1) };
                assert_int_equal(dump(&f), 1);
                Sock one = seen.s[0];
                Addr a;
                assert_true(addr_parse(cases[i].to, &a));
                assert_true(addr_equal(&one.local, &a));
                assert_true(addr_equal(&one.peer, &a));
                assert_int_equal(one.kernel_family, cases[i].kernel_family);
                assert_int_equal(one.peer.family, cases[i].family_told);
                assert_int_equal(one.local_port, cases[i].port);
                assert_true(one.has_info);
                assert_true(one.inode != 0);
                assert_int_equal(one.uid, 0);

                get(&one, 1);
                assert_int_equal(seen.n, 1);
                assert_int_equal(seen.s[0].cookie, one.cookie);
                assert_int_equal(seen.s[0].rqueue, 5);
                assert_int_equal(seen.s[0].bytes_received, 5);

                Sock other = one;
                other.cookie++;
                get(&other, 1);
                assert_int_equal(seen.n, 0);
                assert_int_equal(seen.n_gone, 1);
                assert_int_equal(seen.gone[0], other.cookie);
                drop(c);
                (void) close(s);
        }
        (void) close(l6);
        (void) close(l4);
}

static void a_socket_bound_to_a_device_is_found_again(void **state)
{
        (void) state;
        struct sockaddr_storage ss;
        socklen_t len = name(&ss, AF_INET, "127.0.0.1", PORT);
        int l = tcp(AF_INET, 0);
        if (setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0) {
                (void) close(l);
                print_message("skipped: SO_BINDTODEVICE: %s\n", strerror(errno));
                skip();
        }
        assert_int_equal(bind(l, (struct sockaddr *) &ss, len), 0);
        assert_int_equal(listen(l, 5), 0);
        int c = call(AF_INET, "127.0.0.1", PORT), s = accept(l, NULL, NULL);
        assert_true(s >= 0);
        assert_int_equal(dump_local(PORT, CONNS_STATE(1)), 1);
        Sock one = seen.s[0];
        assert_int_equal(one.ifindex, if_nametoindex("lo"));
        get(&one, 1);
        assert_int_equal(seen.n, 1);
        drop(c);
        (void) close(s);
        (void) close(l);
}

static void listeners_tell_their_queues(void **state)
{
        (void) state;
        int l[3], c[9];
        for (int i = 0; i < 3; i++)
                l[i] = listen_on(AF_INET, "127.0.0.1", PORT);
        for (int i = 0; i < 9; i++)
                c[i] = call(AF_INET, "127.0.0.1", PORT);

        assert_int_equal(dump_local(PORT, CONNS_LISTEN), 3);
        unsigned queued = 0;
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(seen.s[i].state, TCP_LISTEN);
                assert_int_equal(seen.s[i].wqueue, 512);
                queued += seen.s[i].rqueue;
        }
        assert_int_equal(queued, 9);
        assert_int_equal(dump_local(PORT, CONNS_STATE(1)), 9);
        for (size_t i = 0; i < seen.n; i++)
                assert_int_equal(seen.s[i].inode, 0);
        for (int i = 0; i < 9; i++)
                drop(c[i]);
        for (int i = 0; i < 3; i++)
                (void) close(l[i]);
}

static void half_open_connections_are_seen(void **state)
{
        (void) state;
        int l = listen_on(AF_INET, "127.0.0.1", PORT), defer = 30;
        assert_int_equal(setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer)), 0);
        int c = call(AF_INET, "127.0.0.1", PORT);
        assert_int_equal(dump_local(PORT, CONNS_LIVE & ~CONNS_LISTEN), 1);
        Sock one = seen.s[0];
        assert_int_equal(one.state, TCP_SYN_RECV);
        assert_false(one.has_info);
        assert_int_equal(one.inode, 0);
        get(&one, 1);
        assert_int_equal(seen.n, 1);
        assert_int_equal(seen.s[0].state, TCP_SYN_RECV);

        /* Its cookie stays when it becomes a connection. */
        assert_int_equal(write(c, "x", 1), 1);
        int s = accept(l, NULL, NULL);
        assert_true(s >= 0);
        get(&one, 1);
        assert_int_equal(seen.n, 1);
        assert_int_equal(seen.s[0].state, TCP_ESTABLISHED);
        drop(c);
        (void) close(s);
        (void) close(l);
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
                cmocka_unit_test(counts_are_those_of_ss),
                cmocka_unit_test(long_dumps_are_complete),
                cmocka_unit_test(each_family_is_found_once_and_again),
                cmocka_unit_test(a_socket_bound_to_a_device_is_found_again),
                cmocka_unit_test(listeners_tell_their_queues),
                cmocka_unit_test(half_open_connections_are_seen),
        };
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        conns = conns_free(conns);
        return r;
}
