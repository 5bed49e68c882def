/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What one look costs, beside `ss -Htin` with the same filter in the same run.
 *
 * usage: bench-look [CONNECTIONS]     default 50000; in a network namespace of its own, needs root
 *
 * The connections are held by several processes (20,000 files each at most), one request and one answer on
 * each of them. CPU is user and system time of the process that looks (getrusage(2)), the median of several
 * rounds.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drain/conns.h"
#include "drain/conns-msg.h"
#include "drain/inflight.h"

#define PORT        9001
#define UNUSED_PORT 9002
#define EACH        17000 /* connections of a pair of processes: listeners do not get even shares */
#define PAIRS_MAX   16
#define ROUNDS      7

typedef struct Shared {
        atomic_uint accepted, requested, answered, listening;
        atomic_bool answer;
} Shared;

static Shared *shared;
static pid_t children[2 * PAIRS_MAX];
static size_t n_children;

static void die(const char *what)
{
        fprintf(stderr, "bench-look: %s: %s\n", what, strerror(errno));
        for (size_t i = 0; i < n_children; i++)
                (void) kill(children[i], SIGKILL);
        _exit(1);
}

static void own_namespace(void)
{
        if (unshare(CLONE_NEWNET) < 0)
                die("a network namespace");
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
                die("lo");
        (void) close(fd);
}

static void wait_for(atomic_uint *counter, unsigned n, const char *what)
{
        unsigned last = 0;
        for (int quiet = 0; atomic_load(counter) < n; quiet++) {
                if (atomic_load(counter) != last)
                        quiet = 0;
                last = atomic_load(counter);
                if (quiet > 3000) {
                        errno = ETIMEDOUT;
                        die(what);
                }
                (void) usleep(10000);
        }
}

static _Noreturn void serve(void)
{
        static int fds[32768];
        size_t n = 0;
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
        int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
            bind(fd, (const struct sockaddr *) &a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
                die("listen");
        atomic_fetch_add(&shared->listening, 1);

        while (!atomic_load(&shared->answer)) {
                int c = accept(fd, NULL, NULL);
                if (c >= 0 && n < ELEMENTS(fds)) {
                        fds[n++] = c;
                        atomic_fetch_add(&shared->accepted, 1);
                } else if (errno == EAGAIN)
                        (void) usleep(1000);
                else
                        die("accept");
        }
        char b;
        for (size_t i = 0; i < n; i++)
                if (read(fds[i], &b, 1) != 1 || write(fds[i], "a", 1) != 1)
                        die("answer");
        for (;;)
                (void) pause();
}

static _Noreturn void call(unsigned pair, unsigned n)
{
        static int fds[EACH];
        struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + pair) };
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(PORT),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int one = 1;
        for (unsigned i = 0; i < n; i++) {
                fds[i] = socket(AF_INET, SOCK_STREAM, 0);
                if (fds[i] < 0 ||
                    setsockopt(fds[i], IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0 ||
                    bind(fds[i], (const struct sockaddr *) &from, sizeof(from)) < 0 ||
                    connect(fds[i], (const struct sockaddr *) &to, sizeof(to)) < 0 ||
                    write(fds[i], "q", 1) != 1)
                        die("connect");
                atomic_fetch_add(&shared->requested, 1);
        }
        char b;
        for (unsigned i = 0; i < n; i++) {
                if (read(fds[i], &b, 1) != 1)
                        die("read");
                atomic_fetch_add(&shared->answered, 1);
        }
        for (;;)
                (void) pause();
}

static pid_t child(void)
{
        pid_t parent = getpid(), pid = fork();
        if (pid < 0)
                die("fork");
        if (pid > 0)
                children[n_children++] = pid;
        else {
                struct rlimit l = { 20000, 20000 };
                n_children = 0;
                (void) setrlimit(RLIMIT_NOFILE, &l);
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(1);
        }
        return pid;
}

static void fill(unsigned n)
{
        unsigned pairs = (n + EACH - 1) / EACH;
        if (pairs > PAIRS_MAX) {
                errno = E2BIG;
                die("connections");
        }
        /* Listeners share connections by chance: one more of them than would do, so that none runs out. */
        for (unsigned i = 0; i <= pairs; i++)
                if (child() == 0)
                        serve();
        wait_for(&shared->listening, pairs + 1, "listeners");
        for (unsigned i = 0; i < pairs; i++)
                if (child() == 0)
                        call(i, i + 1 < pairs ? n / pairs : n - (pairs - 1) * (n / pairs));
        wait_for(&shared->requested, n, "requests");
        wait_for(&shared->accepted, n, "accepted connections");
        (void) usleep(100000);
        atomic_store(&shared->answer, true);
        wait_for(&shared->answered, n, "answers");
        (void) usleep(100000);
}

static double cpu_ms(int who)
{
        struct rusage u;
        (void) getrusage(who, &u);
        return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
               (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static long rss_anon_kib(void)
{
        long kib = -1;
        char line[256];
        _cleanup_(fclosep) FILE *f = fopen("/proc/self/status", "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "RssAnon: %ld", &kib) == 1)
                        break;
        return kib;
}

static double ss_ms(unsigned port)
{
        char filter[64];
        (void) snprintf(filter, sizeof(filter), "( sport = :%u )", port);
        double before = cpu_ms(RUSAGE_CHILDREN);
        pid_t pid = fork();
        if (pid < 0)
                die("fork");
        if (pid == 0) {
                int fd = open("/dev/null", O_WRONLY);
                (void) dup2(fd, STDOUT_FILENO);
                (void) execlp("ss", "ss", "-Htin", "state", "established", filter, (char *) NULL);
                _exit(127);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid || status != 0)
                die("ss");
        return cpu_ms(RUSAGE_CHILDREN) - before;
}

/* The floor: the same request, of its answer only the end is looked for. */
static double bare_ms(const ConnsFilter *filter)
{
        static _Alignas(8) uint8_t buf[32 << 10];
        double before = cpu_ms(RUSAGE_SELF);
        size_t len = conns_msg_dump(filter, 1, buf, sizeof(buf));
        _cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0 || send(fd, buf, len, 0) < 0)
                die("sock_diag");
        for (bool more = true; more;) {
                ssize_t n = recv(fd, buf, sizeof(buf), 0);
                if (n <= 0)
                        die("sock_diag");
                for (size_t at = 0; at + sizeof(struct nlmsghdr) <= (size_t) n;) {
                        const struct nlmsghdr *h = (const void *) (buf + at);
                        more = more && h->nlmsg_type != NLMSG_DONE && h->nlmsg_type != NLMSG_ERROR;
                        at += NLMSG_ALIGN(h->nlmsg_len);
                }
        }
        return cpu_ms(RUSAGE_SELF) - before;
}

static double look_ms(Conns *c, Inflight *f, InflightSummary *ret)
{
        Err err;
        ConnsFilter filter;
        double before = cpu_ms(RUSAGE_SELF);
        inflight_filter(f, &filter);
        inflight_begin(f, time_now(), true, 0);
        if (conns_dump(c, &filter, inflight_feed, f, &err) < 0)
                die(err.text);
        inflight_end(f, ret);
        return cpu_ms(RUSAGE_SELF) - before;
}

static int by_size(const void *a, const void *b)
{
        const double *x = a, *y = b;
        return (*x > *y) - (*x < *y);
}

static double median(double *v)
{
        qsort(v, ROUNDS, sizeof(*v), by_size);
        return v[ROUNDS / 2];
}

/* @port: what is drained. @upstream: 0, or the next tier's port (the filter is bytecode then). */
static void compare(const char *what, uint16_t port, uint16_t upstream, double goal)
{
        Err err;
        _cleanup_(conns_freep) Conns *c = NULL;
        _cleanup_(inflight_freep) Inflight *f = NULL;
        InflightConfig config = { .traffic_ports = { port },
                                  .n_traffic = 1,
                                  .upstream_ports = { upstream },
                                  .n_upstream = upstream != 0,
                                  .quiet_usec = 5 * USEC_PER_SEC,
                                  .request_limit_usec = 57 * USEC_PER_SEC };
        ConnsFilter filter;
        InflightSummary s;
        double look[ROUNDS], bare[ROUNDS], ss[ROUNDS];

        if (conns_new(&c, &err) < 0 || inflight_new(&f, &config, &err) < 0)
                die(err.text);
        inflight_filter(f, &filter);
        long before = rss_anon_kib(), most = 0;
        for (int i = 0; i < ROUNDS; i++) {
                ss[i] = ss_ms(port);
                look[i] = look_ms(c, f, &s);
                most = MAX(most, rss_anon_kib());
                bare[i] = bare_ms(&filter);
        }
        double l = median(look), d = median(bare), r = median(ss);
        printf("%-28s look %6.1f ms  (a bare dump %6.1f)  ss %6.1f ms  ratio 1/%.1f  goal 1/%.0f: %s\n", what,
               l, d, r, r / l, goal, l * goal <= r ? "reached" : "MISSED");
        printf("%-28s %u sockets: %u idle, %u unknown, %u busy; %u listeners; RssAnon +%ld KiB  goal 2560: %s\n",
               "", s.sockets, s.idle, s.unknown, s.busy, s.listeners, most - before,
               most - before < 2560 ? "reached" : "MISSED");

        const Sock *pending;
        size_t n = inflight_pending(f, &pending);
        printf("%-28s %zu pending\n", "", n);
        (void) fflush(stdout);
}

int main(int argc, char **argv)
{
        unsigned n = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 50000;
        if (n == 0) {
                fprintf(stderr, "usage: bench-look [CONNECTIONS]\n");
                return 2;
        }
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                die("mmap");
        own_namespace();
        fill(n);

        char all[64];
        (void) snprintf(all, sizeof(all), "%u match", n);
        compare(all, PORT, 0, 6);
        compare("the same, with a next tier", PORT, UNUSED_PORT, 6);
        compare("none matches", UNUSED_PORT, 0, 1);
        for (size_t i = 0; i < n_children; i++)
                (void) kill(children[i], SIGKILL);
        return 0;
}
