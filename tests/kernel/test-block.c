/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * drain/block.c and drain/block-hold.c against the real kernel: a "node" namespace with listeners, and a
 * "client" namespace with several addresses, joined by a veth pair.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "drain/block-msg.h"
#include "drain/block-watch.h"
#include "drain/block.h"
#include "drain/nft.h"
#include "tests/lib/ns.h"
#include "tests/lib/wrapped.h"

#define PORT_WHOLE   15999
#define PORT_SYN     8998 /* health and traffic, as a message processor's */
#define PORT_TRAFFIC 9001
#define PORT_TIER    8999 /* of the next tier */

#define NODE4 "10.77.0.1"
#define NODE6 "fd77::1"
#define LIMIT (10 * USEC_PER_SEC) /* of every wait */
#define LONG  (60 * USEC_PER_SEC) /* a timeout that does not end during a test */

static int node, client;
static int last_fd; /* what is opened after the set-up belongs to a test */
static int listeners[3];
static const uint16_t ports[3] = { PORT_WHOLE, PORT_SYN, PORT_TRAFFIC };

static const BlockPlan plan = {
        .whole_ports = { PORT_WHOLE },
        .n_whole = 1,
        .syn_ports = { PORT_SYN },
        .n_syn = 1,
        .traffic_ports = { PORT_SYN, PORT_TRAFFIC },
        .n_traffic = 2,
};

/* Connections. */

typedef enum Outcome {
        LET_IN,
        REFUSED, /* reset at once */
        SILENT,  /* no answer for LIMIT */
        ODD,     /* any other error */
} Outcome;

static socklen_t address(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
        Addr a;

        assert_true(addr_parse(text, &a));
        memset(ret, 0, sizeof(*ret));
        if (a.family == AF_INET) {
                struct sockaddr_in *in = (struct sockaddr_in *) ret;
                in->sin_family = AF_INET;
                in->sin_port = htons(port);
                memcpy(&in->sin_addr, a.b, 4);
                return sizeof(*in);
        }
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, a.b, 16);
        return sizeof(*in6);
}

/* @ns: where the client is. @from: its address, NULL for any. @ret_fd: the connection, when LET_IN; or NULL.
 */
static Outcome dial(int ns, const char *from, const char *to, uint16_t port, int *ret_fd)
{
        struct sockaddr_storage peer, own;
        const socklen_t size = address(to, port, &peer);
        const struct linger reset = { .l_onoff = 1 }; /* no TIME_WAIT: thousands of these are made */
        int error = 0;
        socklen_t n = sizeof(error);

        assert_true(ns_go(ns));
        _cleanup_(closep) int fd = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(ns_go(node));
        assert_true(fd >= 0);
        if (from) {
                const socklen_t own_size = address(from, 0, &own);
                assert_int_equal(bind(fd, (struct sockaddr *) &own, own_size), 0);
        }
        if (!ret_fd)
                (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        if (connect(fd, (struct sockaddr *) &peer, size) < 0) {
                struct pollfd p = { .fd = fd, .events = POLLOUT };

                if (errno != EINPROGRESS)
                        return errno == ECONNREFUSED ? REFUSED : ODD;
                if (poll(&p, 1, LIMIT / USEC_PER_MSEC) == 0)
                        return SILENT;
                assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n), 0);
                if (error != 0)
                        return error == ECONNREFUSED ? REFUSED : ODD;
        }
        if (ret_fd)
                *ret_fd = TAKE_FD(fd);
        return LET_IN;
}

static void expect(Outcome wanted, int ns, const char *from, const char *to, uint16_t port)
{
        Outcome got = dial(ns, from, to, port, NULL);

        if (got != wanted)
                fail_msg("%s -> %s port %u: %d instead of %d", from ? from : "any", to, port, (int) got,
                         (int) wanted);
}

/* From every kind of client to both families. Own address: the router on the message processor's machine. */
static void expect_all(Outcome outside, uint16_t port)
{
        expect(outside, client, "10.77.0.2", NODE4, port);
        expect(outside, client, "fd77::2", NODE6, port);
        expect(outside, node, NULL, NODE4, port);
        expect(outside, node, NULL, NODE6, port);
        expect(LET_IN, node, NULL, "127.0.0.1", port);
        expect(LET_IN, node, NULL, "::1", port);
        expect(LET_IN, node, "127.0.0.1", NODE4, port); /* our probe of a listener on one address */
}

static void drain_listeners(void)
{
        for (size_t i = 0; i < ELEMENTS(listeners); i++)
                for (;;) {
                        int fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);
                        if (fd < 0)
                                break;
                        (void) close(fd);
                }
}

/* A connection and the node's end of it. */
static void establish(int ns, const char *from, const char *to, uint16_t port, int *ret_client,
                      int *ret_server)
{
        size_t i = 0;

        drain_listeners();
        assert_int_equal(dial(ns, from, to, port, ret_client), LET_IN);
        while (ports[i] != port)
                i++;
        struct pollfd p = { .fd = listeners[i], .events = POLLIN };
        assert_int_equal(poll(&p, 1, LIMIT / USEC_PER_MSEC), 1);
        *ret_server = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(*ret_server >= 0);
}

static bool readable(int fd, Usec limit)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, (int) (limit / USEC_PER_MSEC)) == 1;
}

static uint32_t retransmitted(int fd)
{
        struct tcp_info info = { .tcpi_state = 0 };
        socklen_t n = sizeof(info);

        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
        return info.tcpi_total_retrans;
}

/* Tools to look with. */

static bool have(const char *tool)
{
        char path[64];

        (void) snprintf(path, sizeof(path), "/usr/sbin/%s", tool);
        return access(path, X_OK) == 0;
}

static void need(const char *tool)
{
        if (!have(tool)) {
                print_message("skipped: %s is not installed\n", tool);
                skip();
        }
}

/* Run a shell command. @ret: its output, to be freed; or NULL. Return: its exit status. */
static int shell(const char *command, char **ret)
{
        FILE *f = popen(command, "r");
        char *text = NULL;
        size_t size = 0;

        assert_non_null(f);
        if (getdelim(&text, &size, '\0', f) < 0 && text)
                text[0] = '\0';
        if (ret)
                *ret = text;
        else
                free(text);
        return pclose(f);
}

static void must(const char *command)
{
        if (shell(command, NULL) != 0)
                fail_msg("failed: %s", command);
}

/* Blocks. */

static void check(int r, const Err *err)
{
        if (r < 0)
                fail_msg("%d: %s", r, err->text);
}

static Block *make(BlockOwner ceiling)
{
        Block *b = NULL;
        Err err = { 0 };

        check(block_new(&b, -1, ceiling, &err), &err);
        return b;
}

static Block *installed(BlockOwner ceiling)
{
        Block *b = make(ceiling);
        Err err = { 0 };

        check(block_install(b, &plan, &err), &err);
        return b;
}

static BlockState look(Block *b)
{
        BlockState s;
        Err err = { 0 };

        check(block_read(b, &s, &err), &err);
        return s;
}

static void shut(Block *b, Usec timeout)
{
        Err err = { 0 };

        check(block_close(b, timeout, &err), &err);
}

/* What the kernel really gives for the highest ceiling. */
static BlockOwner best_owner(void)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        BlockOwner owner = block_owner(b);

        assert_int_equal(block_remove(b, NULL), 0);
        return owner;
}

static uint64_t packets_of(const BlockSource *sources, size_t n, const char *text)
{
        Addr a;

        assert_true(addr_parse(text, &a));
        for (size_t i = 0; i < n; i++)
                if (addr_equal(&sources[i].addr, &a))
                        return sources[i].packets;
        return 0;
}

/* Wait until @port lets in again: the end of a timeout or of an owner is told by nobody, so ask. */
static void until_open(uint16_t port)
{
        const Usec deadline = time_add(time_now(), LIMIT);

        while (dial(client, "10.77.0.2", NODE4, port, NULL) != LET_IN)
                assert_true(time_left(deadline, time_now()) > 0);
}

static int set_up(void **state)
{
        (void) state;
        drain_listeners();
        return 0;
}

static int tear_down(void **state)
{
        _cleanup_(block_freep) Block *b = NULL;

        (void) state;
        /* A test that failed jumped over its cleanups: its sockets would own the table for ever. */
        for (int fd = last_fd + 1; fd < last_fd + 64; fd++)
                (void) close(fd);
        if (!ns_go(node) || block_new(&b, -1, BLOCK_OWNER_NONE, NULL) < 0)
                return -1;
        return block_remove(b, NULL) < 0 || block_hold_remove(NULL) < 0 ? -1 : 0;
}

/* Refusing. */

static void install_refuses_nothing_and_counts(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        bool full = true;

        (void) state;
        BlockState s = look(b);
        assert_true(s.table && s.intact);
        assert_false(s.refusing || s.frozen);
        assert_int_equal(s.expires_usec, 0);
        assert_int_equal(s.owner, block_owner(b));

        for (size_t i = 0; i < ELEMENTS(ports); i++)
                expect_all(LET_IN, ports[i]);

        /* Four from outside to each port: two are health ports, two are traffic ports; loopback is not
         * counted. */
        s = look(b);
        assert_int_equal(s.total[BLOCK_CHECKS], 8);
        assert_int_equal(s.total[BLOCK_NEWCONN], 8);
        assert_int_equal(s.total[BLOCK_REFUSED], 0);
        assert_int_equal(block_sources(b, BLOCK_NEWCONN, &sources, &n, &full, NULL), 0);
        assert_true(n > 0 && sources[0].age_usec < 60 * USEC_PER_SEC);
        assert_int_equal(n, 4);
        assert_false(full);
        assert_int_equal(packets_of(sources, n, "10.77.0.2"), 2);
        assert_int_equal(packets_of(sources, n, "fd77::2"), 2);
        assert_int_equal(packets_of(sources, n, NODE4), 2);
        assert_int_equal(packets_of(sources, n, NODE6), 2);
}

static void close_refuses_health_ports_only_and_open_lets_in(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);

        (void) state;
        shut(b, LONG);
        BlockState s = look(b);
        assert_true(s.refusing && s.intact);
        assert_true(s.expires_usec > LONG / 2 && s.expires_usec <= LONG);
        expect_all(REFUSED, PORT_WHOLE);
        expect_all(REFUSED, PORT_SYN);
        expect_all(LET_IN, PORT_TRAFFIC);

        assert_int_equal(block_open(b, NULL), 0);
        assert_int_equal(block_open(b, NULL), 0);
        s = look(b);
        assert_true(s.table && s.intact);
        assert_false(s.refusing);
        for (size_t i = 0; i < ELEMENTS(ports); i++)
                expect_all(LET_IN, ports[i]);

        assert_int_equal(block_remove(b, NULL), 0);
        assert_int_equal(block_remove(b, NULL), 0);
        assert_int_equal(block_open(b, NULL), 0);
        assert_int_equal(block_thaw(b, NULL), 0);
        assert_false(look(b).table);
        assert_int_equal(block_close(b, LONG, NULL), -ENOENT);
        expect_all(LET_IN, PORT_WHOLE);
}

static void established_connection_survives_on_a_syn_port_and_is_reset_on_a_whole_port(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int syn = -1, syn_server = -1, whole = -1, whole_server = -1;
        char c;

        (void) state;
        establish(client, "10.77.0.2", NODE4, PORT_SYN, &syn, &syn_server);
        establish(client, "fd77::2", NODE6, PORT_WHOLE, &whole, &whole_server);
        shut(b, LONG);

        assert_int_equal(send(syn, "x", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(syn_server, LIMIT));
        assert_int_equal(recv(syn_server, &c, 1, 0), 1);
        assert_int_equal(send(syn_server, "y", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(syn, LIMIT));
        assert_int_equal(recv(syn, &c, 1, 0), 1);
        assert_int_equal(c, 'y');

        assert_int_equal(send(whole, "x", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(whole, LIMIT));
        assert_int_equal(recv(whole, &c, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        /* No attempt, so not counted. */
        assert_int_equal(look(b).total[BLOCK_REFUSED], 0);
}

static void refusals_are_counted_by_source(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        bool full = true;
        char from[ADDR_TEXT_SIZE];

        (void) state;
        shut(b, LONG);
        for (int host = 2; host <= 5; host++)
                for (int i = 0; i < host; i++) {
                        (void) snprintf(from, sizeof(from), "10.77.0.%d", host);
                        expect(REFUSED, client, from, NODE4, i % 2 ? PORT_SYN : PORT_WHOLE);
                        (void) snprintf(from, sizeof(from), "fd77::%d", host);
                        expect(REFUSED, client, from, NODE6, i % 2 ? PORT_SYN : PORT_WHOLE);
                        shut(b, LONG); /* a renewal does not reset what is counted */
                }
        assert_int_equal(block_sources(b, BLOCK_REFUSED, &sources, &n, &full, NULL), 0);
        assert_int_equal(n, 8);
        assert_false(full);
        for (int host = 2; host <= 5; host++) {
                (void) snprintf(from, sizeof(from), "10.77.0.%d", host);
                assert_int_equal(packets_of(sources, n, from), host);
                (void) snprintf(from, sizeof(from), "fd77::%d", host);
                assert_int_equal(packets_of(sources, n, from), host);
        }
        assert_int_equal(look(b).total[BLOCK_REFUSED], 28);
        assert_int_equal(look(b).total[BLOCK_CHECKS], 0);
}

/* The management port of a message processor behind TLS: its routers check it, others need it. */
static const BlockPlan from_plan = {
        .from_ports = { PORT_WHOLE },
        .n_from_ports = 1,
        .from = { { .family = AF_INET, .b = { 10, 77, 0, 2 } },
                  { .family = AF_INET6, .b = { 0xfd, 0x77, [15] = 2 } },
                  { .family = AF_INET, .b = { 10, 77, 0, 2 } },   /* twice */
                  { .family = AF_INET, .b = { 127, 0, 0, 1 } } }, /* never refused */
        .n_from = 4,
        .traffic_ports = { PORT_SYN },
        .n_traffic = 1,
};

/* Refused for the routers, open for everybody else. */
static void expect_from(Outcome routers)
{
        expect(routers, client, "10.77.0.2", NODE4, PORT_WHOLE);
        expect(routers, client, "fd77::2", NODE6, PORT_WHOLE);
        expect(LET_IN, client, "10.77.0.3", NODE4, PORT_WHOLE);
        expect(LET_IN, client, "fd77::3", NODE6, PORT_WHOLE);
        expect(LET_IN, node, NULL, NODE4, PORT_WHOLE);
        expect(LET_IN, node, NULL, "127.0.0.1", PORT_WHOLE);
        expect(LET_IN, node, NULL, "::1", PORT_WHOLE);
        expect(LET_IN, client, "10.77.0.2", NODE4, PORT_SYN);
        expect(LET_IN, client, "fd77::2", NODE6, PORT_SYN);
}

static void a_port_is_refused_from_its_sources_only(void **state)
{
        static const Addr own = { .family = AF_INET, .b = { 10, 77, 0, 1 } };
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        bool full;
        int router, router_server, other, other_server;
        char c;
        Err err = { 0 };

        (void) state;
        check(block_install(b, &from_plan, &err), &err);
        expect_from(LET_IN);
        assert_false(look(b).refusing);

        /* What is there already: a check that is kept alive is reset, somebody else's call goes on. */
        establish(client, "10.77.0.2", NODE4, PORT_WHOLE, &router, &router_server);
        establish(client, "10.77.0.3", NODE4, PORT_WHOLE, &other, &other_server);
        shut(b, LONG);
        assert_true(look(b).refusing);
        assert_true(look(b).expires_usec > LONG / 2 && look(b).expires_usec <= LONG);
        const uint64_t before = look(b).total[BLOCK_REFUSED];
        expect_from(REFUSED);
        assert_int_equal(send(router, "x", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(router, LIMIT));
        assert_int_equal(recv(router, &c, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        assert_int_equal(send(other, "x", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(other_server, LIMIT));
        assert_int_equal(recv(other_server, &c, 1, 0), 1);
        (void) close(router), (void) close(router_server), (void) close(other), (void) close(other_server);

        /* Counted by source as ever, and renewals keep the set. */
        shut(b, LONG);
        expect_from(REFUSED);
        assert_int_equal(look(b).total[BLOCK_REFUSED] - before, 4);
        assert_int_equal(block_sources(b, BLOCK_REFUSED, &sources, &n, &full, NULL), 0);
        assert_int_equal(n, 2);
        assert_int_equal(packets_of(sources, n, "10.77.0.2"), 2);
        assert_int_equal(packets_of(sources, n, "fd77::2"), 2);

        /* Another router shows up: the node's own (on one machine with it). Then it is not refused yet. */
        BlockPlan more = from_plan;
        more.from[more.n_from++] = own;
        check(block_set_from(b, more.from, more.n_from, &err), &err);
        assert_false(look(b).refusing);
        shut(b, LONG);
        assert_true(look(b).refusing);
        expect(REFUSED, node, NULL, NODE4, PORT_WHOLE);
        expect(LET_IN, node, "127.0.0.1", NODE4, PORT_WHOLE);
        expect(LET_IN, client, "10.77.0.3", NODE4, PORT_WHOLE);

        check(block_open(b, &err), &err);
        assert_false(look(b).refusing);
        expect_from(LET_IN);
}

static void a_full_list_of_sources_is_refused_and_read_back(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        BlockPlan full = { .from_ports = { PORT_WHOLE, PORT_TRAFFIC }, .n_from_ports = 2 }, none = full;
        Addr held[BLOCK_FROM_MAX];
        size_t n = 0;
        bool holds = false;
        Err err = { 0 };

        (void) state;
        /* Nobody to refuse: that would be no block. */
        check(block_install(b, &none, &err), &err);
        assert_int_equal(block_close(b, LONG, &err), -EINVAL);
        assert_int_equal(block_hold_put(&none, 1, &err), -EINVAL);

        for (size_t i = 0; i < BLOCK_FROM_MAX; i++)
                full.from[full.n_from++] =
                        (Addr){ .family = i % 2 ? AF_INET6 : AF_INET, .b = { 10, 77, 1, (uint8_t) i } };
        check(block_install(b, &full, &err), &err);
        shut(b, LONG);
        assert_true(look(b).refusing);
        shut(b, LONG);
        assert_true(look(b).refusing);

        check(block_hold_put(&full, 1, &err), &err);
        check(block_hold_read(&full, &holds, NULL, &err), &err);
        assert_true(holds);
        check(block_refused_from(BLOCK_HOLD_TABLE, PORT_TRAFFIC, held, &n, &err), &err);
        assert_int_equal(n, BLOCK_FROM_MAX);
        check(block_refused_from(BLOCK_HOLD_TABLE, PORT_SYN, held, &n, &err), &err);
        assert_int_equal(n, 0);
        full.from[0].b[0] = 11;
        check(block_hold_read(&full, &holds, NULL, &err), &err);
        assert_false(holds);
        check(block_hold_remove(&err), &err);
        check(block_refused_from(BLOCK_HOLD_TABLE, PORT_TRAFFIC, held, &n, &err), &err);
        assert_int_equal(n, 0);
}

static void a_hold_from_sources_lets_others_in(void **state)
{
        const BlockPlan both[] = { from_plan, { .syn_ports = { PORT_TRAFFIC }, .n_syn = 1 } };
        uint64_t refused = 0;
        bool holds = false;
        Err err = { 0 };

        (void) state;
        check(block_hold_put(both, 2, &err), &err);
        expect_from(REFUSED);
        expect(REFUSED, client, "10.77.0.3", NODE4, PORT_TRAFFIC);
        check(block_hold_read(&from_plan, &holds, &refused, &err), &err);
        assert_true(holds);
        assert_int_equal(refused, 3);
        check(block_hold_put(&both[1], 1, &err), &err);
        check(block_hold_read(&from_plan, &holds, NULL, &err), &err);
        assert_false(holds);
        expect_from(LET_IN);
}

static void a_full_source_set_goes_on_refusing(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        bool full = false;
        char from[ADDR_TEXT_SIZE];

        (void) state;
        block_set_sources(b, 2);
        assert_int_equal(block_install(b, &plan, NULL), 0);
        shut(b, LONG);
        for (int host = 2; host <= 6; host++) {
                (void) snprintf(from, sizeof(from), "10.77.0.%d", host);
                expect(REFUSED, client, from, NODE4, PORT_SYN);
                expect(REFUSED, client, from, NODE4, PORT_WHOLE);
        }
        assert_int_equal(block_sources(b, BLOCK_REFUSED, &sources, &n, &full, NULL), 0);
        assert_int_equal(n, 2);
        assert_true(full);
        assert_int_equal(packets_of(sources, n, "10.77.0.2"), 2);
        assert_int_equal(packets_of(sources, n, "10.77.0.3"), 2);
        assert_int_equal(look(b).total[BLOCK_REFUSED], 10);
}

/* Time. */

static void a_block_ends_by_itself_and_can_be_renewed_after_that(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);

        (void) state;
        const Usec start = time_now();
        shut(b, 300 * USEC_PER_MSEC);
        expect(REFUSED, client, NULL, NODE4, PORT_SYN);
        until_open(PORT_SYN);
        assert_true(time_now() - start >= 250 * USEC_PER_MSEC);
        BlockState s = look(b);
        assert_true(s.table && s.intact);
        assert_false(s.refusing);
        assert_int_equal(s.expires_usec, 0);

        shut(b, LONG);
        assert_true(look(b).refusing);
        expect_all(REFUSED, PORT_SYN);
        expect_all(REFUSED, PORT_WHOLE);
}

static void renewal_moves_the_expiry(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        const Usec deadline = time_add(time_now(), LIMIT);

        (void) state;
        shut(b, LONG);
        while (look(b).expires_usec >= LONG - 100 * USEC_PER_MSEC)
                assert_true(time_left(deadline, time_now()) > 0);
        shut(b, LONG); /* the same timeout again: adding alone would change nothing */
        assert_true(look(b).expires_usec > LONG - 100 * USEC_PER_MSEC);
        shut(b, LONG / 2);
        assert_true(look(b).expires_usec <= LONG / 2);
}

typedef struct Loop {
        volatile uint32_t attempts, let_in, odd;
        volatile bool stop;
} Loop;

static void no_attempt_leaks_through_thousands_of_renewals(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        Loop *loop = mmap(NULL, sizeof(*loop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        const Usec deadline = time_add(time_now(), 6 * LIMIT);
        uint32_t renewals = 0;
        int status;

        (void) state;
        assert_true(loop != MAP_FAILED);
        shut(b, LONG);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                while (!loop->stop) {
                        Outcome o =
                                dial(client, NULL, NODE4, loop->attempts % 2 ? PORT_SYN : PORT_WHOLE, NULL);
                        loop->let_in += o == LET_IN;
                        loop->odd += o != LET_IN && o != REFUSED;
                        loop->attempts++;
                }
                _exit(0);
        }
        for (; renewals < 5000 || loop->attempts < 5000; renewals++) {
                shut(b, LONG);
                assert_true(time_left(deadline, time_now()) > 0);
        }
        loop->stop = true;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        print_message("%u renewals, %u attempts, %u let in\n", renewals, loop->attempts, loop->let_in);
        assert_int_equal(loop->let_in, 0);
        assert_int_equal(loop->odd, 0);
        assert_int_equal(look(b).total[BLOCK_REFUSED], loop->attempts);
        (void) munmap(loop, sizeof(*loop));
}

/* Owners. */

static void each_ownership_can_be_had_up_to_the_ceiling(void **state)
{
        const BlockOwner best = best_owner();

        (void) state;
        print_message("this kernel: %s\n", block_owner_name(best));
        for (BlockOwner ceiling = BLOCK_OWNER_NONE; ceiling < BLOCK_OWNER_COUNT; ceiling++) {
                _cleanup_(block_freep) Block *b = make(ceiling);
                assert_int_equal(block_owner(b), ceiling);
                assert_int_equal(block_install(b, &plan, NULL), 0);
                assert_int_equal(block_owner(b), MIN(ceiling, best));
                assert_int_equal(look(b).owner, MIN(ceiling, best));
                /* Installing again replaces our own table, and what it refused. */
                shut(b, LONG);
                assert_int_equal(block_install(b, &plan, NULL), 0);
                assert_false(look(b).refusing);
                assert_int_equal(block_remove(b, NULL), 0);
        }
}

/*
 * What an older kernel says to flags it does not know is what this one says to flags nobody knows yet: the
 * first failure is that of the asking message, so block_install() goes on with less.
 */
static void unknown_table_flags_are_told_by_the_message_that_asks(void **state)
{
        Nft nft = { .fd = -1 };
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        NftFailure failure = { .index = 0 };
        Err err = { 0 };

        (void) state;
        assert_int_equal(nft_open(&nft, -1, NULL), 0);
        assert_int_equal(nft_prepare(&nft, &m, NULL), 0);
        nft_msg_batch_begin(m);
        nft_msg_table(m, NFT_MSG_NEWTABLE, BLOCK_TABLE, 0x4000, "the flags");
        nft_msg_chain(m, BLOCK_TABLE, "fails too", NULL);
        assert_int_equal(nft_msg_batch_end(m, NULL), 0);
        int r = nft_batch(&nft, m, &failure, &err);
        assert_true(r == -EOPNOTSUPP || r == -EINVAL);
        assert_true(nft_msg_asks_owner(m, failure.index));
        assert_non_null(strstr(err.text, "the kernel refused the flags"));
        nft_close(&nft);
}

/* A batch fails as a whole, whatever its other acknowledgements say; the kernel's own words are passed on. */
static void one_failed_message_fails_the_batch(void **state)
{
        Nft nft = { .fd = -1 };
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_NONE);
        NftFailure failure = { .index = 0 };
        Err err = { 0 };

        (void) state;
        assert_int_equal(nft_open(&nft, -1, NULL), 0);
        assert_int_equal(nft_prepare(&nft, &m, NULL), 0);
        nft_msg_batch_begin(m);
        nft_msg_table(m, NFT_MSG_NEWTABLE, BLOCK_TABLE, 0, "good");
        nft_msg_flush(m, BLOCK_TABLE, "no such set");
        nft_msg_chain(m, BLOCK_TABLE, "input", NULL);
        assert_int_equal(nft_msg_batch_end(m, NULL), 0);
        assert_int_equal(nft_batch(&nft, m, &failure, &err), -ENOENT);
        assert_int_equal(failure.index, 2);
        assert_non_null(strstr(err.text, "emptying a set"));
        print_message("%s\n", err.text);
        assert_false(look(b).table);
        nft_close(&nft);
}

static void need_owner(BlockOwner owner)
{
        if (best_owner() < owner) {
                print_message("skipped: this kernel has no tables of kind %s\n", block_owner_name(owner));
                skip();
        }
}

static void an_owned_table_is_closed_to_others(void **state)
{
        need_owner(BLOCK_OWNER_SOCKET);
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(block_freep) Block *other = make(BLOCK_OWNER_PERSIST);
        Err err = { 0 };

        (void) state;
        shut(b, LONG);
        assert_int_equal(block_install(other, &plan, &err), -EBUSY);
        assert_non_null(strstr(err.text, "belongs to another running process"));
        assert_int_equal(block_adopt(other, &plan, &err), -EBUSY);
        assert_int_equal(block_remove(other, &err), -EBUSY);
        assert_int_equal(block_open(other, &err), -EBUSY);
        assert_true(look(b).refusing);
        expect_all(REFUSED, PORT_WHOLE);

        if (have("nft")) {
                assert_int_not_equal(shell("nft delete table inet " BLOCK_TABLE " 2>&1", NULL), 0);
                assert_int_not_equal(shell("nft flush set inet " BLOCK_TABLE " whole 2>&1", NULL), 0);
                must("nft flush ruleset");
                assert_true(look(b).refusing);
                expect_all(REFUSED, PORT_SYN);
        }
}

static void the_socket_can_be_passed_on(void **state)
{
        need_owner(BLOCK_OWNER_SOCKET);
        Block *first = installed(BLOCK_OWNER_SOCKET);
        int fd = dup(block_fd(first));
        _cleanup_(block_freep) Block *second = NULL;
        _cleanup_(block_freep) Block *observer = make(BLOCK_OWNER_NONE);

        (void) state;
        shut(first, LONG);
        block_free(first);
        expect(REFUSED, client, NULL, NODE4, PORT_WHOLE);

        assert_int_equal(block_new(&second, fd, BLOCK_OWNER_PERSIST, NULL), 0);
        assert_int_equal(block_fd(second), fd);
        assert_int_equal(block_adopt(second, &plan, NULL), 0);
        assert_int_equal(block_owner(second), BLOCK_OWNER_SOCKET);
        assert_true(look(second).refusing);
        shut(second, LONG / 2);
        assert_true(look(second).expires_usec <= LONG / 2);
        assert_int_equal(block_open(second, NULL), 0);
        shut(second, LONG);

        second = block_free(second);
        until_open(PORT_WHOLE);
        assert_false(look(observer).table);
}

/* Two components of one node: each table is closed, renewed and dropped without the other. */
static void two_tables_know_nothing_of_each_other(void **state)
{
        static const BlockPlan one = { .whole_ports = { PORT_WHOLE }, .n_whole = 1 };
        static const BlockPlan other = { .syn_ports = { PORT_SYN }, .n_syn = 1 };
        const BlockOwner owner = best_owner();
        Block *first = make(owner);
        _cleanup_(block_freep) Block *second = make(owner);
        Err err = { 0 };

        (void) state;
        block_set_table(second, BLOCK_PARTNER_TABLE);
        assert_string_equal(block_table(first), BLOCK_TABLE);
        check(block_install(first, &one, &err), &err);
        check(block_install(second, &other, &err), &err);
        shut(first, LONG);
        expect(REFUSED, client, NULL, NODE4, PORT_WHOLE);
        expect(LET_IN, client, NULL, NODE4, PORT_SYN);
        shut(second, LONG);
        expect(REFUSED, client, NULL, NODE4, PORT_SYN);
        assert_int_equal(look(first).total[BLOCK_REFUSED], 1);
        assert_int_equal(look(second).total[BLOCK_REFUSED], 1);

        /* Taken over by name, through its own socket. */
        int fd = dup(block_fd(second));
        block_free(second);
        second = NULL;
        assert_int_equal(block_new(&second, fd, owner, NULL), 0);
        block_set_table(second, BLOCK_PARTNER_TABLE);
        check(block_adopt(second, &other, &err), &err);
        assert_true(look(second).refusing);

        assert_int_equal(block_remove(first, NULL), 0);
        assert_false(look(first).table);
        first = block_free(first);
        expect(LET_IN, client, NULL, NODE4, PORT_WHOLE);
        expect(REFUSED, client, NULL, NODE4, PORT_SYN);
        assert_int_equal(block_remove(second, NULL), 0);
        expect(LET_IN, client, NULL, NODE4, PORT_SYN);
}

/* Also where sources are refused: read back from the table of that name, and no other. */
static void a_table_by_name_refuses_from_sources(void **state)
{
        _cleanup_(block_freep) Block *b = make(best_owner());
        Addr held[BLOCK_FROM_MAX];
        size_t n = 0;
        Err err = { 0 };

        (void) state;
        block_set_table(b, BLOCK_PARTNER_TABLE);
        check(block_install(b, &from_plan, &err), &err);
        shut(b, LONG);
        assert_true(look(b).refusing);
        expect_from(REFUSED);
        check(block_refused_from(BLOCK_PARTNER_TABLE, from_plan.from_ports[0], held, &n, &err), &err);
        assert_int_equal(n, 2);
        check(block_refused_from(BLOCK_TABLE, from_plan.from_ports[0], held, &n, &err), &err);
        assert_int_equal(n, 0);
        assert_int_equal(block_remove(b, NULL), 0);
        expect_from(LET_IN);
}

static void the_table_of_a_killed_owner_goes(void **state)
{
        need_owner(BLOCK_OWNER_SOCKET);
        _cleanup_(block_freep) Block *observer = make(BLOCK_OWNER_NONE);
        int ready[2];
        char c;

        (void) state;
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                Block *b = installed(BLOCK_OWNER_SOCKET);
                shut(b, LONG);
                (void) !write(ready[1], "x", 1);
                for (;;)
                        (void) pause();
        }
        (void) close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        (void) close(ready[0]);
        expect(REFUSED, client, NULL, NODE4, PORT_WHOLE);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        until_open(PORT_WHOLE);
        assert_false(look(observer).table);
}

static void a_table_that_persisted_is_adopted_and_protected_again(void **state)
{
        need_owner(BLOCK_OWNER_PERSIST);
        Block *first = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(block_freep) Block *second = make(BLOCK_OWNER_PERSIST);
        _cleanup_(block_freep) Block *third = make(BLOCK_OWNER_PERSIST);

        (void) state;
        shut(first, LONG);
        block_free(first);
        expect_all(REFUSED, PORT_WHOLE);
        assert_true(look(second).table);
        assert_int_equal(look(second).owner, BLOCK_OWNER_NONE);

        assert_int_equal(block_adopt(second, &plan, NULL), 0);
        BlockState s = look(second);
        assert_int_equal(s.owner, BLOCK_OWNER_PERSIST);
        assert_true(s.refusing);
        shut(second, LONG);
        assert_int_equal(block_adopt(third, &plan, NULL), -EBUSY);

        /* Left without owner once more, it may be replaced too. */
        second = block_free(second);
        assert_int_equal(block_install(third, &plan, NULL), 0);
        assert_false(look(third).refusing);
}

static void adopting_what_is_not_there_is_told(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        _cleanup_(block_freep) Block *other = NULL;
        BlockPlan wider = plan;
        Err err = { 0 };

        (void) state;
        assert_int_equal(block_adopt(b, &plan, &err), -ENOENT);
        other = installed(BLOCK_OWNER_NONE);
        shut(other, LONG);
        assert_int_equal(block_adopt(b, &plan, &err), 0);
        assert_int_equal(block_owner(b), BLOCK_OWNER_NONE);
        assert_true(look(b).refusing);

        wider.whole_ports[wider.n_whole++] = 8082;
        assert_int_equal(block_adopt(b, &wider, &err), 0);
        assert_false(look(b).refusing);
}

static void an_unowned_table_that_was_touched_is_seen(void **state)
{
        need("nft");
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_NONE);

        (void) state;
        shut(b, LONG);
        assert_true(look(b).refusing);

        /* The rules go, the ports stay: nothing is refused any more. */
        must("nft flush chain inet " BLOCK_TABLE " refuse");
        BlockState s = look(b);
        assert_true(s.table);
        assert_false(s.intact || s.refusing);
        expect(LET_IN, client, NULL, NODE4, PORT_WHOLE);

        assert_int_equal(block_install(b, &plan, NULL), 0);
        shut(b, LONG);
        must("nft insert rule inet " BLOCK_TABLE " input accept");
        assert_false(look(b).refusing);

        assert_int_equal(block_install(b, &plan, NULL), 0);
        shut(b, LONG);
        must("nft add table inet " BLOCK_TABLE " '{ flags dormant; }'");
        assert_false(look(b).refusing);
        expect(LET_IN, client, NULL, NODE4, PORT_WHOLE);

        assert_int_equal(block_install(b, &plan, NULL), 0);
        shut(b, LONG);
        must("nft delete element inet " BLOCK_TABLE " syn '{ 8998 }'");
        s = look(b);
        assert_true(s.intact);
        assert_false(s.refusing);

        assert_int_equal(block_install(b, &plan, NULL), 0);
        shut(b, LONG);
        assert_true(look(b).refusing);
        must("nft flush ruleset");
        s = look(b);
        assert_false(s.table || s.intact || s.refusing);
}

/* Who else changes our table. */

static BlockTouch touch_of(BlockWatch *w)
{
        BlockTouch t;

        block_watch_read(w, &t);
        return t;
}

static void others_are_seen_touching_our_table_and_nothing_else_is(void **state)
{
        need("nft");
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_NONE);
        _cleanup_(block_watch_freep) BlockWatch *w = NULL;
        static const char *const touches[] = {
                "nft flush chain inet " BLOCK_TABLE " refuse",
                "nft insert rule inet " BLOCK_TABLE " input accept",
                "nft delete element inet " BLOCK_TABLE " syn '{ 8998 }'",
                "nft add table inet " BLOCK_TABLE " '{ flags dormant; }'",
                "nft delete table inet " BLOCK_TABLE,
        };
        Err err = { 0 };

        (void) state;
        check(block_watch_new(&w, BLOCK_TABLE, block_port(b), &err), &err);
        assert_true(fcntl(block_watch_fd(w), F_GETFD) & FD_CLOEXEC);

        /* Ours, other tables, and tables of that name elsewhere. */
        shut(b, LONG);
        shut(b, LONG);
        must("nft add table ip " BLOCK_TABLE "; nft add table inet " BLOCK_TABLE "_other; "
             "nft delete table ip " BLOCK_TABLE "; nft delete table inet " BLOCK_TABLE "_other");
        BlockTouch t = touch_of(w);
        assert_false(t.touched || t.lost);

        for (size_t i = 0; i < ELEMENTS(touches); i++) {
                must(touches[i]);
                t = touch_of(w);
                if (!t.touched || t.lost || strcmp(t.name, "nft") != 0 || t.pid <= 0)
                        fail_msg("not seen as nft's: %s", touches[i]);
                check(block_install(b, &plan, &err), &err);
                shut(b, LONG);
                assert_false(touch_of(w).touched);
        }
        must("nft flush ruleset");
        assert_true(touch_of(w).touched);
        assert_false(touch_of(w).touched);
}

static void more_changes_than_can_be_told_count_as_a_touch(void **state)
{
        need("nft");
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_NONE);
        _cleanup_(block_watch_freep) BlockWatch *w = NULL;
        Err err = { 0 };
        bool lost = false;

        (void) state;
        check(block_watch_new(&w, BLOCK_TABLE, block_port(b), &err), &err);
        must("nft add table inet other; nft add set inet other s '{ type ipv4_addr; }'; "
             "i=0; while [ $i -lt 64 ]; do j=0; while [ $j -lt 250 ]; do echo add element inet other s "
             "\\{ 10.$i.0.$j \\}; j=$((j + 1)); done; i=$((i + 1)); done | nft -f -");
        for (int i = 0; i < 1000; i++) {
                BlockTouch t = touch_of(w);
                lost = lost || t.lost;
                assert_false(t.touched);
        }
        assert_true(lost);
        must("nft delete table inet other");
        for (int i = 0; i < 1000; i++)
                (void) touch_of(w);
        must("nft flush ruleset");
        assert_true(touch_of(w).touched);
}

/* From the deletion to the refusal: listening, looking, putting back. */
static void what_was_deleted_is_put_back_in_milliseconds(void **state)
{
        need("nft");
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_NONE);
        _cleanup_(block_watch_freep) BlockWatch *w = NULL;
        Err err = { 0 };

        (void) state;
        check(block_watch_new(&w, BLOCK_TABLE, block_port(b), &err), &err);
        shut(b, LONG);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(execlp("nft", "nft", "flush", "ruleset", NULL));
        struct pollfd p = { .fd = block_watch_fd(w), .events = POLLIN };
        Usec told = 0;
        while (told == 0) {
                assert_int_equal(poll(&p, 1, 10000), 1);
                if (touch_of(w).touched)
                        told = time_now();
        }
        assert_false(look(b).refusing);
        check(block_install(b, &plan, &err), &err);
        shut(b, LONG);
        assert_true(look(b).refusing);
        print_message("# back %.1f ms after it was told\n", time_sec(time_now() - told) * 1000);
        expect(REFUSED, client, NULL, NODE4, PORT_WHOLE);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The socket. */

static void answers_left_in_the_socket_are_not_believed(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);

        (void) state;
        for (uint32_t i = 0; i < 40; i++) {
                _cleanup_(nft_msg_freep) NftMsg *m = NULL;
                size_t bytes;

                /* Fails with ENOENT, and says so to nobody. */
                assert_int_equal(nft_msg_new(&m, i, NULL), 0);
                nft_msg_batch_begin(m);
                nft_msg_table(m, NFT_MSG_DELTABLE, "edge_roll_none", 0, "none");
                assert_int_equal(nft_msg_batch_end(m, NULL), 0);
                const void *p = nft_msg_bytes(m, &bytes);
                assert_int_equal(send(block_fd(b), p, bytes, 0), bytes);
        }
        shut(b, LONG);
        assert_true(look(b).refusing);
}

static void lost_answers_are_no_success(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        const int tiny = 1, usual = 212992;
        Err err = { 0 };

        (void) state;
        assert_int_equal(setsockopt(block_fd(b), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
        assert_int_equal(block_install(b, &plan, &err), -ENOBUFS);
        assert_non_null(strstr(err.text, "lost"));
        assert_int_equal(setsockopt(block_fd(b), SOL_SOCKET, SO_RCVBUF, &usual, sizeof(usual)), 0);
        assert_int_equal(block_install(b, &plan, NULL), 0);
        shut(b, LONG);
        assert_true(look(b).refusing);
}

static void a_descriptor_that_is_no_firewall_socket_is_refused(void **state)
{
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        Block *b = NULL;
        Err err = { 0 };

        (void) state;
        assert_int_equal(block_new(&b, fd, BLOCK_OWNER_NONE, &err), -EINVAL);
        assert_null(b);
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over, also on failure */
}

static void without_the_capability_the_error_says_so(void **state)
{
        int status;

        (void) state;
        SKIP_IF_WRAPPED();
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
                struct __user_cap_data_struct none[2] = { { 0 } };
                Block *b = NULL;
                Err err = { 0 };

                if (syscall(SYS_capset, &header, none) < 0)
                        _exit(1);
                if (block_new(&b, -1, BLOCK_OWNER_PERSIST, &err) != -EPERM ||
                    !strstr(err.text, "CAP_NET_ADMIN"))
                        _exit(2);
                if (block_hold_put(&plan, 1, &err) != -EPERM)
                        _exit(3);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* Freezing. */

/* Send a lot and little over a frozen port: nothing arrives before the thaw, everything after. */
static void freeze_delays(Block *b, int ns, const char *from, const char *to, size_t bytes)
{
        _cleanup_(closep) int fd = -1, server = -1;
        _cleanup_(freep) uint8_t *data = malloc(bytes);
        const Usec deadline = time_add(time_now(), LIMIT);
        size_t sent = 0, received = 0;
        uint8_t buf[65536];

        assert_non_null(data);
        memset(data, 'x', bytes);
        establish(ns, from, to, PORT_TRAFFIC, &fd, &server);
        assert_int_equal(block_freeze(b, LONG, NULL), 0);
        assert_true(look(b).frozen);

        ssize_t k = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(k > 0);
        sent = (size_t) k;
        /* A retransmission is the proof that it was sent and dropped. */
        while (retransmitted(fd) == 0) {
                assert_false(readable(server, 10 * USEC_PER_MSEC));
                assert_true(time_left(deadline, time_now()) > 0);
        }
        expect(LET_IN, client, NULL, NODE4, PORT_TRAFFIC); /* attempts carry no data */
        assert_false(readable(server, 0));

        assert_int_equal(block_thaw(b, NULL), 0);
        assert_false(look(b).frozen);
        while (received < sent) {
                assert_true(readable(server, LIMIT));
                k = recv(server, buf, sizeof(buf), 0);
                assert_true(k > 0);
                received += (size_t) k;
        }
        assert_int_equal(received, sent);
}

static void timestamps(int ns, bool on)
{
        assert_true(ns_go(ns));
        int fd = open("/proc/sys/net/ipv4/tcp_timestamps", O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, on ? "1" : "0", 1), 1);
        (void) close(fd);
        assert_true(ns_go(node));
}

static void freeze_delays_data_and_loses_none(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);

        (void) state;
        freeze_delays(b, client, "10.77.0.2", NODE4, 1);
        freeze_delays(b, client, "10.77.0.2", NODE4, 1 << 20); /* most segments without PSH */
        freeze_delays(b, client, "fd77::2", NODE6, 100);
        /* The router on the message processor's machine. */
        freeze_delays(b, node, NULL, NODE4, 100);
        freeze_delays(b, node, NULL, NODE6, 100);
        /* Headers of 20 instead of 32 bytes. */
        timestamps(client, false);
        freeze_delays(b, client, "10.77.0.2", NODE4, 1);
        freeze_delays(b, client, "fd77::2", NODE6, 1);
        timestamps(client, true);
}

static void freeze_leaves_loopback_and_other_ports_alone_and_ends_by_itself(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int own = -1, own_server = -1, health = -1, health_server = -1, fd = -1,
                              server = -1;
        const Usec start = time_now();

        (void) state;
        establish(node, NULL, "127.0.0.1", PORT_TRAFFIC, &own, &own_server);
        establish(client, NULL, NODE4, PORT_WHOLE, &health, &health_server);
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        assert_int_equal(block_freeze(b, LONG, NULL), 0);
        assert_int_equal(block_freeze(b, 400 * USEC_PER_MSEC, NULL), 0);
        assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
        assert_int_equal(send(own, "x", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(own_server, LIMIT));
        assert_int_equal(send(health, "x", 1, MSG_NOSIGNAL), 1);
        assert_true(readable(health_server, LIMIT));

        assert_true(readable(server, LIMIT));
        assert_true(time_now() - start >= 350 * USEC_PER_MSEC);
        assert_false(look(b).frozen);
}

/* Speakers. */

/* The peer of one of the node's connections, as the kernel has it (v4-mapped on these listeners). */
static BlockPeer peer_of(int server)
{
        struct sockaddr_in6 own, peer;
        socklen_t n = sizeof(own), m = sizeof(peer);

        assert_int_equal(getsockname(server, (struct sockaddr *) &own, &n), 0);
        assert_int_equal(getpeername(server, (struct sockaddr *) &peer, &m), 0);
        if (peer.sin6_family == AF_INET) {
                const struct sockaddr_in *own4 = (struct sockaddr_in *) &own,
                                         *peer4 = (struct sockaddr_in *) &peer;
                return (BlockPeer){
                        .addr = addr_from(AF_INET, &peer4->sin_addr),
                        .port = ntohs(peer4->sin_port),
                        .local_port = ntohs(own4->sin_port),
                };
        }
        return (BlockPeer){
                .addr = addr_from(AF_INET6, &peer.sin6_addr),
                .port = ntohs(peer.sin6_port),
                .local_port = ntohs(own.sin6_port),
        };
}

static BlockSpeaker speaker(Block *b, int server)
{
        const BlockPeer peer = peer_of(server);
        BlockSpeaker ret = BLOCK_SPEAKER_COUNT;
        Err err = { 0 };

        check(block_speakers(b, &peer, 1, &ret, &err), &err);
        return ret;
}

/* Send from one end and take it at the other. */
static void say(int from, int to, size_t bytes)
{
        uint8_t buf[65536] = { 0 };

        for (size_t sent = 0, taken = 0; taken < bytes;) {
                if (sent < bytes) {
                        ssize_t k =
                                send(from, buf, MIN(bytes - sent, sizeof(buf)), MSG_NOSIGNAL | MSG_DONTWAIT);
                        assert_true(k > 0 || errno == EAGAIN);
                        sent += (size_t) MAX(k, (ssize_t) 0);
                }
                assert_true(readable(to, LIMIT));
                ssize_t k = recv(to, buf, sizeof(buf), 0);
                assert_true(k > 0);
                taken += (size_t) k;
        }
}

static struct tcp_info info_of(int fd)
{
        struct tcp_info info = { .tcpi_state = 0 };
        socklen_t n = sizeof(info);

        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
        return info;
}

static void last_speaker(Block *b, int ns, const char *from, const char *to, uint16_t port, size_t bytes)
{
        _cleanup_(closep) int fd = -1, server = -1;

        establish(ns, from, to, port, &fd, &server);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);
        for (int i = 0; i < 3; i++) {
                say(fd, server, bytes);
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_PEER);
                say(server, fd, bytes);
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
        }
}

static void who_spoke_last_is_known(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int fd = -1, server = -1;

        (void) state;
        assert_true(block_has_speakers(b));
        for (size_t i = 0; i < 2; i++) {
                static const uint16_t traffic[] = { PORT_SYN, PORT_TRAFFIC };

                last_speaker(b, client, "10.77.0.2", NODE4, traffic[i], 1);
                last_speaker(b, client, "fd77::2", NODE6, traffic[i], 1);
                last_speaker(b, node, NULL, NODE4, traffic[i], 1);
                last_speaker(b, node, NULL, NODE6, traffic[i], 1);
                /* Many segments at once, most without PSH. */
                last_speaker(b, client, "10.77.0.2", NODE4, traffic[i], 1 << 20);
                last_speaker(b, client, "fd77::2", NODE6, traffic[i], 1 << 20);
        }
        /* Headers of 20 instead of 32 bytes. */
        timestamps(client, false);
        last_speaker(b, client, "10.77.0.2", NODE4, PORT_TRAFFIC, 1);
        last_speaker(b, client, "fd77::2", NODE6, PORT_TRAFFIC, 1);
        timestamps(client, true);
        /* Whether the ports are open does not matter to connections that are there. */
        establish(client, NULL, NODE4, PORT_SYN, &fd, &server);
        shut(b, LONG);
        say(fd, server, 1);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_PEER);
        say(server, fd, 1);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
}

/* A connection from the node to the next tier, and the other end. @ns: where that is. */
static void to_tier(int ns, const char *at, int *ret_own, int *ret_tier)
{
        struct sockaddr_storage own;
        const socklen_t size = address(at, PORT_TIER, &own);
        const int on = 1;

        assert_true(ns_go(ns));
        _cleanup_(closep) int listener = socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(ns_go(node));
        (void) setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        assert_int_equal(bind(listener, (struct sockaddr *) &own, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(dial(node, NULL, at, PORT_TIER, ret_own), LET_IN);
        *ret_tier = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(*ret_tier >= 0);
}

static void last_speaker_upstream(Block *b, int ns, const char *at, bool known)
{
        _cleanup_(closep) int own = -1, tier = -1;

        to_tier(ns, at, &own, &tier);
        assert_int_equal(speaker(b, own), BLOCK_SPEAKER_UNKNOWN);
        for (int i = 0; i < 3; i++) {
                say(own, tier, i == 1 ? 1 << 20 : 1);
                assert_int_equal(speaker(b, own), known ? BLOCK_SPEAKER_SELF : BLOCK_SPEAKER_UNKNOWN);
                say(tier, own, i == 1 ? 1 << 20 : 1);
                assert_int_equal(speaker(b, own), known ? BLOCK_SPEAKER_PEER : BLOCK_SPEAKER_UNKNOWN);
        }
}

static void who_spoke_last_is_known_of_the_next_tier_too(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_NONE);
        _cleanup_(block_freep) Block *second = make(BLOCK_OWNER_NONE);
        BlockPlan router = plan;

        (void) state;
        router.upstream_ports[router.n_upstream++] = PORT_TIER;
        assert_int_equal(block_install(b, &router, NULL), 0);
        assert_true(block_has_speakers(b));
        assert_true(look(b).intact);
        last_speaker_upstream(b, client, "10.77.0.2", true);
        last_speaker_upstream(b, client, "fd77::2", true);
        /* The message processor on the router's machine. */
        last_speaker_upstream(b, node, NODE4, true);
        last_speaker_upstream(b, node, NODE6, true);
        last_speaker_upstream(b, node, "127.0.0.1", false);
        last_speaker_upstream(b, node, "::1", false);
        last_speaker(b, client, "10.77.0.2", NODE4, PORT_TRAFFIC, 1);
        last_speaker(b, client, "fd77::2", NODE6, PORT_TRAFFIC, 1);

        /* Who goes on with the table need not know of the next tier. */
        assert_int_equal(block_adopt(second, &plan, NULL), 0);
        assert_true(block_has_speakers(second));
        assert_true(look(second).intact);
        last_speaker_upstream(second, client, "10.77.0.3", true);
        if (have("nft")) {
                must("nft flush chain inet " BLOCK_TABLE " output");
                assert_false(look(b).intact);
                assert_int_equal(block_adopt(second, &router, NULL), 0);
                assert_false(look(second).intact);
        }

        assert_int_equal(block_install(b, &plan, NULL), 0);
        last_speaker_upstream(b, client, "10.77.0.4", false);
}

/* A client's port can by chance be one of the next tier's. */
static void an_attempt_from_a_port_of_the_next_tier_is_refused_like_any(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_NONE);
        BlockPlan router = plan;
        struct sockaddr_storage own, to;
        const socklen_t size = address("10.77.0.5", PORT_TIER, &own);

        (void) state;
        router.upstream_ports[router.n_upstream++] = PORT_TIER;
        assert_int_equal(block_install(b, &router, NULL), 0);
        shut(b, LONG);
        assert_true(ns_go(client));
        _cleanup_(closep) int fd = socket(own.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(ns_go(node));
        assert_int_equal(bind(fd, (struct sockaddr *) &own, size), 0);
        assert_int_equal(address(NODE4, PORT_SYN, &to), size);
        assert_int_equal(connect(fd, (struct sockaddr *) &to, size), -1);
        assert_int_equal(errno, ECONNREFUSED);
}

static void loopback_and_other_ports_have_no_speakers(void **state)
{
        static const struct {
                const char *from, *to;
                uint16_t port;
        } cases[] = {
                { "127.0.0.1", "127.0.0.1", PORT_TRAFFIC },
                { "::1", "::1", PORT_TRAFFIC },
                { "127.0.0.1", NODE4, PORT_TRAFFIC },
                { NODE4, NODE4, PORT_WHOLE },
                { NODE6, NODE6, PORT_WHOLE },
        };
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);

        (void) state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(closep) int fd = -1, server = -1;

                establish(node, cases[i].from, cases[i].to, cases[i].port, &fd, &server);
                say(fd, server, 1);
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);
                say(server, fd, 1);
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);
        }
}

/*
 * Request and answer within one tick, and for every second connection the next request too: tcp_info says the
 * same of both.
 */
static void what_the_clocks_cannot_tell_is_told(void **state)
{
        enum { PAIRS = 200 };
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        const Usec deadline = time_add(time_now(), 6 * LIMIT);
        int fds[PAIRS], servers[PAIRS];
        BlockPeer peers[PAIRS];
        BlockSpeaker said[PAIRS];
        size_t ties[2] = { 0 }, asked = 0;
        uint8_t buf[16] = { 0 };

        (void) state;
        for (size_t i = 0; i < PAIRS; i++) {
                establish(i % 3 ? client : node, NULL, i % 5 ? NODE4 : NODE6, PORT_TRAFFIC, &fds[i],
                          &servers[i]);
                peers[i] = peer_of(servers[i]);
        }
        while (MIN(ties[0], ties[1]) < PAIRS) {
                assert_true(time_left(deadline, time_now()) > 0);
                for (size_t i = 0; i < PAIRS; i++) {
                        say(fds[i], servers[i], 1);
                        say(servers[i], fds[i], 1);
                        if (i % 2)
                                say(fds[i], servers[i], 1);
                        struct tcp_info info = info_of(servers[i]);
                        ties[i % 2] += info.tcpi_last_data_recv == info.tcpi_last_data_sent;
                }
                assert_int_equal(block_speakers(b, peers, PAIRS, said, NULL), 0);
                for (size_t i = 0; i < PAIRS; i++, asked++)
                        assert_int_equal(said[i], i % 2 ? BLOCK_SPEAKER_PEER : BLOCK_SPEAKER_SELF);
                for (size_t i = 1; i < PAIRS; i += 2)
                        say(servers[i], fds[i], sizeof(buf));
        }
        print_message("%zu asked; of %zu answered and %zu unanswered ones the clocks said the same\n", asked,
                      ties[0], ties[1]);
        for (size_t i = 0; i < PAIRS; i++) {
                (void) close(fds[i]);
                (void) close(servers[i]);
        }
}

/* Have @fd send keepalives until one has been answered: the age of the last acknowledgement goes back. */
static void keep_alive(int fd)
{
        const Usec deadline = time_add(time_now(), LIMIT);
        uint32_t before = 0, age = info_of(fd).tcpi_last_ack_recv;
        const int on = 1, off = 0;

        assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof(on)), 0);
        assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof(on)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
        while (age >= before) {
                assert_true(time_left(deadline, time_now()) > 0);
                (void) poll(NULL, 0, 10);
                before = age;
                age = info_of(fd).tcpi_last_ack_recv;
        }
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off)), 0);
}

static void until_acknowledged(int fd)
{
        const Usec deadline = time_add(time_now(), LIMIT);

        while (info_of(fd).tcpi_unacked > 0)
                assert_true(time_left(deadline, time_now()) > 0);
}

static void acknowledgements_keepalives_and_ends_do_not_count(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int fd = -1, server = -1;
        char c;

        (void) state;
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        keep_alive(fd);
        keep_alive(server);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);

        say(fd, server, 1);
        until_acknowledged(fd);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_PEER);
        keep_alive(server);
        keep_alive(fd);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_PEER);

        say(server, fd, 1);
        until_acknowledged(server);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
        keep_alive(fd);
        keep_alive(server);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);

        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        assert_true(readable(server, LIMIT));
        assert_int_equal(recv(server, &c, 1, 0), 0);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
}

static void what_the_freeze_drops_was_not_said(void **state)
{
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int fd = -1, server = -1;
        const Usec deadline = time_add(time_now(), LIMIT);
        char c;

        (void) state;
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        say(fd, server, 1);
        say(server, fd, 1);
        assert_int_equal(block_freeze(b, LONG, NULL), 0);
        assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
        while (retransmitted(fd) == 0) {
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
                assert_true(time_left(deadline, time_now()) > 0);
        }
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
        assert_int_equal(block_thaw(b, NULL), 0);
        assert_true(readable(server, LIMIT));
        assert_int_equal(recv(server, &c, 1, 0), 1);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_PEER);
}

static void a_full_speaker_set_only_knows_no_more(void **state)
{
        enum { PAIRS = 5, KNOWN = 2 };
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        _cleanup_(freep) BlockSource *sources = NULL;
        int fds[PAIRS], servers[PAIRS];
        size_t n = 0;
        bool full = true;

        (void) state;
        block_set_speakers(b, KNOWN);
        assert_int_equal(block_install(b, &plan, NULL), 0);
        for (size_t i = 0; i < PAIRS; i++) {
                establish(client, "10.77.0.2", NODE4, PORT_TRAFFIC, &fds[i], &servers[i]);
                say(fds[i], servers[i], 1);
        }
        for (size_t i = 0; i < PAIRS; i++)
                assert_int_equal(speaker(b, servers[i]),
                                 i < KNOWN ? BLOCK_SPEAKER_PEER : BLOCK_SPEAKER_UNKNOWN);
        for (size_t i = 0; i < PAIRS; i++)
                say(servers[i], fds[i], 1);
        for (size_t i = 0; i < PAIRS; i++)
                assert_int_equal(speaker(b, servers[i]),
                                 i < KNOWN ? BLOCK_SPEAKER_SELF : BLOCK_SPEAKER_UNKNOWN);
        /* The other family has a set of its own. */
        last_speaker(b, client, NULL, NODE6, PORT_TRAFFIC, 1);

        shut(b, LONG);
        expect_all(REFUSED, PORT_WHOLE);
        expect_all(REFUSED, PORT_SYN);
        expect_all(LET_IN, PORT_TRAFFIC);
        freeze_delays(b, client, "10.77.0.2", NODE4, 1);
        BlockState s = look(b);
        assert_true(s.intact && s.refusing);
        assert_int_equal(s.total[BLOCK_REFUSED], 8);
        assert_int_equal(s.total[BLOCK_NEWCONN], PAIRS + 1 + 4 + 2);
        assert_int_equal(block_sources(b, BLOCK_NEWCONN, &sources, &n, &full, NULL), 0);
        assert_false(full);
        assert_int_equal(packets_of(sources, n, "10.77.0.2"), PAIRS + 3);
        for (size_t i = 0; i < PAIRS; i++) {
                say(fds[i], servers[i], 1);
                (void) close(fds[i]);
                (void) close(servers[i]);
        }
}

static void without_speakers_all_else_is_the_same(void **state)
{
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int fd = -1, server = -1;

        (void) state;
        block_set_speakers(b, false);
        assert_int_equal(block_install(b, &plan, NULL), 0);
        assert_false(block_has_speakers(b));
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        say(fd, server, 1);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);
        say(server, fd, 1);
        assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);

        shut(b, LONG);
        assert_true(look(b).intact && look(b).refusing);
        expect_all(REFUSED, PORT_WHOLE);
        expect_all(REFUSED, PORT_SYN);
        expect_all(LET_IN, PORT_TRAFFIC);
        freeze_delays(b, client, NULL, NODE6, 1);
        assert_int_equal(look(b).total[BLOCK_REFUSED], 8);
        assert_int_equal(look(b).total[BLOCK_NEWCONN], 1 + 4 + 2);
}

/* The kernel takes 1024 chains on a hook (MAX_HOOK_COUNT in net/netfilter/core.c), and says no to our output.
 */
static void a_kernel_that_refuses_the_speakers_gets_a_table_without(void **state)
{
        need("nft");
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_PERSIST);
        const BlockOwner best = best_owner();
        BlockPeer nobody = { .addr = { .family = AF_INET }, .port = 1, .local_port = PORT_TRAFFIC };
        BlockSpeaker said = BLOCK_SPEAKER_COUNT;

        (void) state;
        must("{ echo 'table inet crowd {';"
             " for i in $(seq 1024); do echo \"chain c$i { type filter hook output priority 0; }\"; done;"
             " echo '}'; } | nft -f -");
        assert_int_equal(block_install(b, &plan, NULL), 0);
        assert_false(block_has_speakers(b));
        assert_int_equal(block_owner(b), best);
        shut(b, LONG);
        assert_true(look(b).intact && look(b).refusing);
        expect_all(REFUSED, PORT_WHOLE);
        assert_int_equal(block_speakers(b, &nobody, 1, &said, NULL), 0);
        assert_int_equal(said, BLOCK_SPEAKER_UNKNOWN);

        must("nft delete table inet crowd");
        assert_int_equal(block_install(b, &plan, NULL), 0);
        assert_true(block_has_speakers(b));
}

static void a_table_that_was_touched_knows_no_speakers(void **state)
{
        static const char *const touches[] = {
                "nft flush chain inet " BLOCK_TABLE " from_peer",
                "nft flush chain inet " BLOCK_TABLE " from_self",
                "nft flush chain inet " BLOCK_TABLE " output",
                "nft flush chain inet " BLOCK_TABLE " data",
                "nft insert rule inet " BLOCK_TABLE " input accept",
                "nft add table inet " BLOCK_TABLE " '{ flags dormant; }'",
        };
        need("nft");
        _cleanup_(block_freep) Block *b = make(BLOCK_OWNER_NONE);
        _cleanup_(block_freep) Block *other = make(BLOCK_OWNER_NONE);
        _cleanup_(closep) int fd = -1, server = -1;

        (void) state;
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        for (size_t i = 0; i < ELEMENTS(touches); i++) {
                assert_int_equal(block_install(b, &plan, NULL), 0);
                say(server, fd, 1);
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_SELF);
                assert_true(look(b).intact);
                must(touches[i]);
                assert_false(look(b).intact);
                assert_int_equal(speaker(b, server), BLOCK_SPEAKER_UNKNOWN);
                /* Whoever goes on with it sees the same. */
                assert_int_equal(block_adopt(other, &plan, NULL), 0);
                assert_false(look(other).intact);
                assert_int_equal(speaker(other, server), BLOCK_SPEAKER_UNKNOWN);
        }
}

static void speakers_are_adopted_with_the_table(void **state)
{
        _cleanup_(block_freep) Block *first = make(BLOCK_OWNER_NONE);
        _cleanup_(block_freep) Block *second = make(BLOCK_OWNER_NONE);
        _cleanup_(closep) int fd = -1, server = -1;

        (void) state;
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        assert_false(block_has_speakers(first));
        assert_int_equal(block_install(first, &plan, NULL), 0);
        say(fd, server, 1);
        block_set_speakers(second, false); /* what is there counts */
        assert_int_equal(block_adopt(second, &plan, NULL), 0);
        assert_true(block_has_speakers(second));
        assert_true(look(second).intact);
        assert_int_equal(speaker(second, server), BLOCK_SPEAKER_PEER);

        block_set_speakers(first, false);
        assert_int_equal(block_install(first, &plan, NULL), 0);
        assert_int_equal(block_adopt(second, &plan, NULL), 0);
        assert_false(block_has_speakers(second));
        assert_true(look(second).intact);
        say(server, fd, 1);
        assert_int_equal(speaker(second, server), BLOCK_SPEAKER_UNKNOWN);
}

static void who_spoke_is_not_guessed_from_failures(void **state)
{
        enum { PEERS = 300 };
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        _cleanup_(closep) int fd = -1, server = -1;
        const int tiny = 1, usual = 212992;
        BlockPeer peers[PEERS];
        BlockSpeaker said[PEERS];
        Err err = { 0 };

        (void) state;
        establish(client, NULL, NODE4, PORT_TRAFFIC, &fd, &server);
        say(fd, server, 1);
        for (size_t i = 0; i < PEERS; i++)
                peers[i] = peer_of(server);

        assert_int_equal(setsockopt(block_fd(b), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
        assert_int_equal(block_speakers(b, peers, PEERS, said, &err), -ENOBUFS);
        for (size_t i = 0; i < PEERS; i++)
                assert_int_equal(said[i], BLOCK_SPEAKER_UNKNOWN);
        assert_int_equal(setsockopt(block_fd(b), SOL_SOCKET, SO_RCVBUF, &usual, sizeof(usual)), 0);
        assert_int_equal(block_speakers(b, peers, PEERS, said, &err), 0);
        for (size_t i = 0; i < PEERS; i++)
                assert_int_equal(said[i], BLOCK_SPEAKER_PEER);
        assert_int_equal(block_speakers(b, NULL, 0, NULL, &err), 0);

        assert_int_equal(block_remove(b, NULL), 0);
        assert_int_equal(block_speakers(b, peers, PEERS, said, &err), -ENOENT);
        assert_non_null(strstr(err.text, "no firewall table"));
        for (size_t i = 0; i < PEERS; i++)
                assert_int_equal(said[i], BLOCK_SPEAKER_UNKNOWN);
        assert_int_equal(block_speakers(b, NULL, 0, NULL, &err), -ENOENT);
}

/* Holding. */

static void a_hold_refuses_without_anybody(void **state)
{
        BlockPlan router = { .whole_ports = { PORT_WHOLE }, .n_whole = 1 };
        BlockPlan processor = { .syn_ports = { PORT_SYN }, .n_syn = 1 };
        const BlockPlan both[] = { router, processor };
        uint64_t refused = 1;
        bool holds = true;

        (void) state;
        assert_int_equal(block_hold_read(&router, &holds, &refused, NULL), 0);
        assert_false(holds);
        assert_int_equal(refused, 0);

        assert_int_equal(block_hold_put(&router, 1, NULL), 0);
        expect_all(REFUSED, PORT_WHOLE);
        expect_all(LET_IN, PORT_SYN);
        assert_int_equal(block_hold_read(&router, &holds, &refused, NULL), 0);
        assert_true(holds);
        assert_int_equal(refused, 4);
        assert_int_equal(block_hold_read(&processor, &holds, NULL, NULL), 0);
        assert_false(holds);

        assert_int_equal(block_hold_put(both, 2, NULL), 0);
        expect_all(REFUSED, PORT_WHOLE);
        expect_all(REFUSED, PORT_SYN);
        assert_int_equal(block_hold_read(&processor, &holds, NULL, NULL), 0);
        assert_true(holds);
        assert_int_equal(block_hold_read(&plan, &holds, NULL, NULL), 0);
        assert_true(holds);
        assert_int_equal(block_hold_read(NULL, NULL, &refused, NULL), 0);
        assert_int_equal(refused, 8);

        assert_int_equal(block_hold_put(&processor, 1, NULL), 0);
        expect_all(LET_IN, PORT_WHOLE);
        expect_all(REFUSED, PORT_SYN);

        assert_int_equal(block_hold_put(NULL, 0, NULL), 0);
        expect_all(LET_IN, PORT_SYN);
        assert_int_equal(block_hold_remove(NULL), 0);
        assert_int_equal(block_hold_read(&processor, &holds, NULL, NULL), 0);
        assert_false(holds);
}

static void a_hold_that_was_emptied_does_not_hold(void **state)
{
        need("nft");
        bool holds = true;

        (void) state;
        assert_int_equal(block_hold_put(&plan, 1, NULL), 0);
        must("nft flush chain inet " BLOCK_HOLD_TABLE " refuse");
        assert_int_equal(block_hold_read(&plan, &holds, NULL, NULL), 0);
        assert_false(holds);
}

static void a_hold_cannot_hold_nothing(void **state)
{
        const BlockPlan nothing = { .traffic_ports = { PORT_TRAFFIC }, .n_traffic = 1 };
        const BlockPlan two[] = { plan, nothing };
        bool holds = false;
        Err err = { 0 };

        (void) state;
        assert_int_equal(block_hold_put(&plan, 1, NULL), 0);
        assert_int_equal(block_hold_put(two, 2, &err), -EINVAL);
        /* What was there stays. */
        assert_int_equal(block_hold_read(&plan, &holds, NULL, NULL), 0);
        assert_true(holds);
}

static void a_held_node_still_shows_its_checkers(void **state)
{
        (void) state;
        assert_int_equal(block_hold_put(&plan, 1, NULL), 0);
        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        expect(REFUSED, client, NULL, NODE4, PORT_WHOLE);
        assert_int_equal(look(b).total[BLOCK_CHECKS], 1);

        /* From hold to transit and back without a gap. */
        shut(b, LONG);
        assert_int_equal(block_hold_remove(NULL), 0);
        expect_all(REFUSED, PORT_WHOLE);
        assert_int_equal(block_hold_put(&plan, 1, NULL), 0);
        assert_int_equal(block_remove(b, NULL), 0);
        expect_all(REFUSED, PORT_WHOLE);
}

/* Others. */

static void foreign_rules_stay_as_they_are(void **state)
{
        need("nft");
        static const char ours[] = "nft delete table inet " BLOCK_TABLE " 2>/dev/null; true";
        static const char sample[] =
                "nft -f - <<'END'\n"
                "table inet site {\n"
                " set admins { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.7 } }\n"
                " map door { type inet_service : verdict; elements = { 22 : accept, 15999 : accept } }\n"
                " counter seen { packets 5 bytes 500 }\n"
                " chain input { type filter hook input priority 0; policy accept;\n"
                "  ct state established,related accept\n"
                "  tcp dport vmap @door\n"
                "  ip saddr @admins tcp dport { 8998, 9001 } counter name \"seen\" comment \"site's own\"\n"
                " }\n"
                " chain early { type filter hook input priority -10; policy accept; meta mark set 0x7; }\n"
                "}\n"
                "table ip edge_roll {\n"
                " chain x { type filter hook input priority 5; policy accept; }\n"
                "}\n"
                "table inet edge_roll_other { set whole { type inet_service; elements = { 15999 }; }; }\n"
                "END";
        _cleanup_(freep) char *before = NULL, *during = NULL, *after = NULL;

        (void) state;
        must(sample);
        if (have("iptables-nft")) {
                must("iptables-nft -A INPUT -p tcp --dport 15999 -j ACCEPT");
                (void) shell("iptables-nft -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT 2>/dev/null",
                             NULL);
                must("ip6tables-nft -A INPUT -p tcp --dport 8998 -j ACCEPT");
        }
        assert_int_equal(shell("nft -a -s list ruleset 2>&1", &before), 0);
        assert_non_null(strstr(before, "edge_roll_other"));

        _cleanup_(block_freep) Block *b = installed(BLOCK_OWNER_PERSIST);
        shut(b, LONG);
        shut(b, LONG);
        assert_int_equal(block_freeze(b, LONG, NULL), 0);
        assert_true(look(b).refusing);
        assert_int_equal(block_thaw(b, NULL), 0);
        assert_int_equal(block_open(b, NULL), 0);
        assert_int_equal(block_hold_put(&plan, 1, NULL), 0);
        assert_int_equal(shell("nft -a -s list table inet site && nft -a -s list table inet edge_roll_other",
                               &during),
                         0);
        assert_int_equal(block_hold_remove(NULL), 0);
        assert_int_equal(block_remove(b, NULL), 0);
        must(ours);

        assert_int_equal(shell("nft -a -s list ruleset 2>&1", &after), 0);
        assert_string_equal(before, after);
        assert_non_null(strstr(during, "site's own"));
        must("nft flush ruleset");
}

static void set_up_network(void)
{
        static const int on = 1, off = 0;
        char addr[ADDR_TEXT_SIZE];

        node = ns_here();
        client = ns_new();
        assert_true(node >= 0 && client >= 0);
        assert_true(ns_link(node, "n0", client, "c0"));
        assert_true(ns_addr(node, "n0", NODE4, 24));
        assert_true(ns_addr(node, "n0", NODE6, 64));
        for (int host = 2; host <= 9; host++) {
                (void) snprintf(addr, sizeof(addr), "10.77.0.%d", host);
                assert_true(ns_addr(client, "c0", addr, 24));
                (void) snprintf(addr, sizeof(addr), "fd77::%d", host);
                assert_true(ns_addr(client, "c0", addr, 64));
        }
        for (size_t i = 0; i < ELEMENTS(ports); i++) {
                struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(ports[i]) };
                int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                assert_true(fd >= 0);
                (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
                (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
                assert_int_equal(bind(fd, (struct sockaddr *) &any, sizeof(any)), 0);
                assert_int_equal(listen(fd, 1024), 0);
                listeners[i] = fd;
        }
        /* Until both ends of the link know each other in both families. */
        const Usec deadline = time_add(time_now(), LIMIT);
        while (dial(client, NULL, NODE4, PORT_WHOLE, NULL) != LET_IN ||
               dial(client, NULL, NODE6, PORT_WHOLE, NULL) != LET_IN)
                assert_true(time_left(deadline, time_now()) > 0);
}

static int group_set_up(void **state)
{
        (void) state;
        set_up_network();
        last_fd = ns_here();
        return last_fd < 0 ? -1 : 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
                TEST(install_refuses_nothing_and_counts),
                TEST(close_refuses_health_ports_only_and_open_lets_in),
                TEST(established_connection_survives_on_a_syn_port_and_is_reset_on_a_whole_port),
                TEST(refusals_are_counted_by_source),
                TEST(a_port_is_refused_from_its_sources_only),
                TEST(a_full_list_of_sources_is_refused_and_read_back),
                TEST(a_hold_from_sources_lets_others_in),
                TEST(a_full_source_set_goes_on_refusing),
                TEST(a_block_ends_by_itself_and_can_be_renewed_after_that),
                TEST(renewal_moves_the_expiry),
                TEST(no_attempt_leaks_through_thousands_of_renewals),
                TEST(each_ownership_can_be_had_up_to_the_ceiling),
                TEST(unknown_table_flags_are_told_by_the_message_that_asks),
                TEST(one_failed_message_fails_the_batch),
                TEST(an_owned_table_is_closed_to_others),
                TEST(the_socket_can_be_passed_on),
                TEST(two_tables_know_nothing_of_each_other),
                TEST(a_table_by_name_refuses_from_sources),
                TEST(the_table_of_a_killed_owner_goes),
                TEST(a_table_that_persisted_is_adopted_and_protected_again),
                TEST(adopting_what_is_not_there_is_told),
                TEST(an_unowned_table_that_was_touched_is_seen),
                TEST(others_are_seen_touching_our_table_and_nothing_else_is),
                TEST(more_changes_than_can_be_told_count_as_a_touch),
                TEST(what_was_deleted_is_put_back_in_milliseconds),
                TEST(answers_left_in_the_socket_are_not_believed),
                TEST(lost_answers_are_no_success),
                TEST(a_descriptor_that_is_no_firewall_socket_is_refused),
                TEST(without_the_capability_the_error_says_so),
                TEST(freeze_delays_data_and_loses_none),
                TEST(freeze_leaves_loopback_and_other_ports_alone_and_ends_by_itself),
                TEST(who_spoke_last_is_known),
                TEST(who_spoke_last_is_known_of_the_next_tier_too),
                TEST(an_attempt_from_a_port_of_the_next_tier_is_refused_like_any),
                TEST(loopback_and_other_ports_have_no_speakers),
                TEST(what_the_clocks_cannot_tell_is_told),
                TEST(acknowledgements_keepalives_and_ends_do_not_count),
                TEST(what_the_freeze_drops_was_not_said),
                TEST(a_full_speaker_set_only_knows_no_more),
                TEST(without_speakers_all_else_is_the_same),
                TEST(a_kernel_that_refuses_the_speakers_gets_a_table_without),
                TEST(a_table_that_was_touched_knows_no_speakers),
                TEST(speakers_are_adopted_with_the_table),
                TEST(who_spoke_is_not_guessed_from_failures),
                TEST(a_hold_refuses_without_anybody),
                TEST(a_hold_that_was_emptied_does_not_hold),
                TEST(a_hold_cannot_hold_nothing),
                TEST(a_held_node_still_shows_its_checkers),
                TEST(foreign_rules_stay_as_they_are),
#undef TEST
        };
        const char *why = ns_enter();
        Block *b = NULL;
        Err err = { 0 };

        if (!why && block_new(&b, -1, BLOCK_OWNER_NONE, &err) < 0)
                why = err.text;
        if (why) {
                print_message("skipped: %s\n", why);
                return 77;
        }
        block_free(b);
        return cmocka_run_group_tests(tests, group_set_up, NULL);
}
