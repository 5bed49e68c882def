/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What it takes to check 500 target servers, beside `curl --parallel --parallel-max 500` with the same list
 * in the same run.
 *
 * usage: bench-targets [TARGETS]     default 500
 *
 * Each target server answers after 200 ms, ten of them never, with a limit of 2 s. One process is all of
 * them, on loopback; those who ask are processes of their own, so that their CPU (user and system time,
 * wait4(2)) is all theirs. Medians of several rounds, in turn.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "probes/probing.h"

#define SILENT      10
#define ANSWER_USEC (200 * USEC_PER_MSEC)
#define LIMIT_USEC  (2 * USEC_PER_SEC)
#define ROUNDS      5
#define MANY        20000 /* files */
#define GOAL_SEC    2.3
#define GOAL_KIB    (32L * 1024)

typedef struct Run {
        double sec, cpu_ms;
        long private_kib;
        unsigned good, bad;
} Run;

static _Noreturn void die(const char *what)
{
        fprintf(stderr, "bench-targets: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* ---- the target servers ----------------------------------------------------------------------------------
 */

static int listen_somewhere(uint16_t *port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
        socklen_t len = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *) &a, len) < 0 || listen(fd, 4096) < 0 ||
            getsockname(fd, (struct sockaddr *) &a, &len) < 0)
                die("listen");
        *port = ntohs(a.sin_port);
        return fd;
}

typedef struct Due {
        Usec at;
        int fd;
} Due;

static Due due[MANY];
static size_t due_first, due_last;

static void read_request(int fd)
{
        char text[2048];
        ssize_t n = read(fd, text, sizeof(text) - 1);
        if (n <= 0) {
                (void) close(fd);
                return;
        }
        text[n] = '\0';
        if (!strstr(text, "GET /silent"))
                due[due_last++ % MANY] = (Due){ time_now() + ANSWER_USEC, fd };
}

static void answer_due(void)
{
        static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
        for (; due_first < due_last && due[due_first % MANY].at <= time_now(); due_first++) {
                int fd = due[due_first % MANY].fd;
                if (write(fd, answer, sizeof(answer) - 1) < 0)
                        (void) 0; /* gone */
                (void) close(fd);
        }
}

static _Noreturn void serve(int listener)
{
        struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, events[256];
        int poll = epoll_create1(EPOLL_CLOEXEC);

        if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e) < 0)
                die("epoll");
        for (;;) {
                Usec left =
                        due_first < due_last ? time_left(due[due_first % MANY].at, time_now()) : USEC_PER_SEC;
                int n = epoll_wait(poll, events, ELEMENTS(events), (int) (left / USEC_PER_MSEC) + 1);
                for (int i = 0; i < n; i++) {
                        if (events[i].data.fd != listener) {
                                read_request(events[i].data.fd);
                                continue;
                        }
                        int fd;
                        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                                e = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
                                (void) epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
                        }
                }
                answer_due();
        }
}

/* Each has an address of its own. */
static void address_of(unsigned i, char *buf, size_t size)
{
        (void) snprintf(buf, size, "127.0.%u.%u", 1 + i / 250, 1 + i % 250);
}

/* ---- who asks --------------------------------------------------------------------------------------------
 */

static long private_kib(void)
{
        long sum = 0, kib;
        char line[256];
        _cleanup_(fclosep) FILE *f = fopen("/proc/self/smaps_rollup", "re");
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "Private_Clean: %ld", &kib) == 1 ||
                    sscanf(line, "Private_Dirty: %ld", &kib) == 1)
                        sum += kib;
        return sum;
}

typedef struct Ask {
        sd_event *event;
        Run run;
        unsigned ended;
} Ask;

/* Looked at when the first has answered, so that all connections are open, and at the end. */
static void on_result(Probing *p, size_t index, const ProbeResult *result, void *userdata)
{
        Ask *a = userdata;
        (void) p;
        (void) index;
        if (a->ended++ == 0)
                a->run.private_kib = private_kib();
        *(result->layer == PROBE_OK ? &a->run.good : &a->run.bad) += 1;
        if (result->layer != PROBE_OK && result->layer != PROBE_FIRST_BYTE)
                fprintf(stderr, "bench-targets: %s\n", result->text);
}

static void on_done(Probing *p, void *userdata)
{
        Ask *a = userdata;
        (void) p;
        a->run.private_kib = MAX(a->run.private_kib, private_kib());
        (void) sd_event_exit(a->event, 0);
}

static void ask(unsigned n, uint16_t port, Run *ret)
{
        static char hosts[MANY][24];
        static const EdgeNumbers any_code = { 0 };
        static const EdgeHeaders no_headers = { 0 };
        Err err = { 0 };
        Probing *p = NULL;
        Ask a = { 0 };

        if (sd_event_new(&a.event) < 0 || probing_new(&p, &(ProbingOptions){ .event = a.event }, &err) < 0)
                die(err.text);
        for (unsigned i = 0; i < n; i++) {
                address_of(i, hosts[i], sizeof(hosts[i]));
                ProbeSpec spec = { .kind = PROBE_HTTP,
                                   .host = hosts[i],
                                   .port = port,
                                   .path = i < SILENT ? "/silent" : "/",
                                   .connect_usec = LIMIT_USEC,
                                   .read_usec = LIMIT_USEC,
                                   .headers = &no_headers,
                                   .codes = &any_code,
                                   .expected_headers = &no_headers };
                if (probing_add(p, &spec, "acme", "prod", &err) < 0)
                        die(err.text);
        }
        if (probing_start(p, on_result, on_done, &a, &err) < 0)
                die(err.text);
        (void) sd_event_loop(a.event);
        (void) probing_free(p);
        (void) sd_event_unref(a.event);
        *ret = a.run;
}

static void write_list(unsigned n, uint16_t port, char *path)
{
        int fd = mkstemp(path);
        _cleanup_(fclosep) FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
        char host[24];

        if (!f)
                die("a list");
        for (unsigned i = 0; i < n; i++) {
                address_of(i, host, sizeof(host));
                (void) fprintf(f, "url=http://%s:%u%s\noutput=/dev/null\n", host, port,
                               i < SILENT ? "/silent" : "/");
        }
}

/* A process of its own: @list is what curl reads; NULL: ours. */
static Run one(unsigned n, uint16_t port, const char *list)
{
        Run run = { 0 };
        struct rusage used;
        int pipes[2], status;
        Usec start = time_now();

        if (pipe2(pipes, O_CLOEXEC) < 0)
                die("pipe");
        pid_t pid = fork();
        if (pid == 0 && list) {
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
                (void) dup2(null, STDERR_FILENO);
                (void) execlp("curl", "curl", "-s", "--parallel", "--parallel-max", "500",
                              "--parallel-immediate", "--max-time", "2", "-K", list, (char *) NULL);
                _exit(127);
        }
        if (pid == 0) {
                ask(n, port, &run);
                _exit(write(pipes[1], &run, sizeof(run)) == sizeof(run) ? 0 : 1);
        }
        (void) close(pipes[1]);
        if (pid < 0 || wait4(pid, &status, 0, &used) < 0 || (!list && read(pipes[0], &run, sizeof(run)) < 0))
                die("a process");
        (void) close(pipes[0]);
        run.sec = time_sec(time_now() - start);
        run.cpu_ms = (double) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                     (double) (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                die("curl");
        return run;
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

static void compare(unsigned n, uint16_t port, const char *list)
{
        double sec[ROUNDS], cpu[ROUNDS], curl_sec[ROUNDS], curl_cpu[ROUNDS];
        long most = 0;

        for (size_t i = 0; i < ROUNDS; i++) {
                Run curl = one(n, port, list), ours = one(n, port, NULL);
                curl_sec[i] = curl.sec;
                curl_cpu[i] = curl.cpu_ms;
                sec[i] = ours.sec;
                cpu[i] = ours.cpu_ms;
                most = MAX(most, ours.private_kib);
                if (ours.good != n - SILENT || ours.bad != SILENT) {
                        fprintf(stderr, "bench-targets: %u answered, %u did not\n", ours.good, ours.bad);
                        exit(1);
                }
        }
        double s = median(sec), c = median(cpu), rs = median(curl_sec), rc = median(curl_cpu);
        printf("%u target servers, %d silent   %.2f s  goal %.1f: %s   (curl --parallel-max 500 %.2f s)\n", n,
               SILENT, s, GOAL_SEC, s <= GOAL_SEC ? "reached" : "MISSED", rs);
        printf("%-33s CPU %.0f ms  curl %.0f ms  ratio 1/%.1f  goal 1/2: %s\n", "", c, rc, rc / c,
               2 * c <= rc ? "reached" : "MISSED");
        printf("%-33s private memory %ld KiB  goal %ld: %s\n", "", most, GOAL_KIB,
               most < GOAL_KIB ? "reached" : "MISSED");
}

int main(int argc, char **argv)
{
        unsigned n = argc > 1 ? (unsigned) strtoul(argv[1], NULL, 10) : 500;
        char list[] = "/tmp/edge-roll-bench.XXXXXX";
        struct rlimit limit;
        uint16_t port;

        if (n <= SILENT || n > MANY / 2) {
                fprintf(stderr, "usage: bench-targets [TARGETS]\n");
                return 2;
        }
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void) setrlimit(RLIMIT_NOFILE, &limit);
        }
        int listener = listen_somewhere(&port);
        pid_t server = fork();
        if (server == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(listener);
        }
        if (server < 0)
                die("fork");
        (void) close(listener);
        write_list(n, port, list);
        compare(n, port, list);
        (void) unlink(list);
        (void) kill(server, SIGKILL);
        (void) waitpid(server, NULL, 0);
        return 0;
}
