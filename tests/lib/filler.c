/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Many established connections, spread over several processes because one may open only so many files.
 *
 *   filler serve PORT PROCESSES SECONDS
 *   filler fill ADDRESS PORT FROM COUNT PROCESSES BUSY SECONDS
 *
 * serve answers each byte 'q' with 'a' and any other byte with nothing. fill opens COUNT connections, asks
 * one question on each and waits for the answer, so that all of them are idle kept-alive connections; then it
 * sends one byte that is never answered on BUSY of them, prints "ready COUNT" and holds them. Its processes
 * use the addresses FROM, FROM + 1, ... (from one address the kernel's search for a free port gets slow when
 * half of the ports are taken). Both end with SIGTERM or after SECONDS, whatever comes first. IPv4.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
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

#define BACKLOG 4096

static void die(const char *what)
{
        fprintf(stderr, "filler: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static unsigned number(const char *text, unsigned max)
{
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (*text == '\0' || *end != '\0' || n > max) {
                fprintf(stderr, "filler: not a number up to %u: %s\n", max, text);
                exit(2);
        }
        return (unsigned) n;
}

static void answer(int fd)
{
        char question[16], reply[16];
        size_t n_reply = 0;
        ssize_t n = recv(fd, question, sizeof(question), MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN)) {
                (void) close(fd);
                return;
        }
        for (ssize_t i = 0; i < n; i++)
                if (question[i] == 'q')
                        reply[n_reply++] = 'a';
        if (n_reply > 0)
                (void) send(fd, reply, n_reply, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* One process of the server: its own listener (SO_REUSEPORT spreads the connections). */
static void serve(unsigned port)
{
        struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
        int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };

        if (listener < 0 || epoll < 0)
                die("socket");
        if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
            setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0 ||
            bind(listener, (const struct sockaddr *) &here, sizeof(here)) < 0 ||
            listen(listener, BACKLOG) < 0)
                die("listen");
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
                die("epoll_ctl");

        for (;;) {
                struct epoll_event events[64];
                int n = epoll_wait(epoll, events, 64, -1);

                for (int i = 0; i < n; i++) {
                        int fd = events[i].data.fd;

                        if (fd != listener) {
                                answer(fd);
                                continue;
                        }
                        errno = 0;
                        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                                struct epoll_event added = { .events = EPOLLIN, .data.fd = fd };

                                if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &added) < 0)
                                        die("epoll_ctl");
                        }
                        if (errno != EAGAIN)
                                die("accept");
                }
        }
}

/* One process of the client: opens and asks, tells the parent, holds. */
static void fill(const struct sockaddr_in *to, const struct sockaddr_in *from, unsigned count, unsigned busy,
                 int tell)
{
        int one = 1, *asked = calloc(busy + 1, sizeof(*asked));

        if (!asked)
                die("calloc");
        for (unsigned i = 0; i < count; i++) {
                int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                char reply;

                if (fd < 0)
                        die("socket");
                if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0 ||
                    bind(fd, (const struct sockaddr *) from, sizeof(*from)) < 0)
                        die("bind");
                if (connect(fd, (const struct sockaddr *) to, sizeof(*to)) < 0)
                        die("connect");
                if (send(fd, "q", 1, MSG_NOSIGNAL) != 1 || recv(fd, &reply, 1, 0) != 1)
                        die("no answer");
                if (i < busy)
                        asked[i] = fd;
        }
        /* Well after the answers, so that the kernel's ages can tell these requests from what is idle. */
        (void) poll(NULL, 0, 50);
        for (unsigned i = 0; i < busy; i++)
                if (send(asked[i], "b", 1, MSG_NOSIGNAL) != 1)
                        die("send");
        if (write(tell, &count, sizeof(count)) != (ssize_t) sizeof(count))
                die("write");
        for (;;)
                (void) pause();
}

static unsigned share(unsigned whole, unsigned parts, unsigned part)
{
        return whole / parts + (part < whole % parts ? 1 : 0);
}

static void hold(pid_t *children, unsigned n)
{
        sigset_t ends;
        int sig;

        (void) sigemptyset(&ends);
        (void) sigaddset(&ends, SIGTERM);
        (void) sigaddset(&ends, SIGINT);
        (void) sigaddset(&ends, SIGALRM);
        (void) sigaddset(&ends, SIGCHLD);
        (void) sigwait(&ends, &sig);
        for (unsigned i = 0; i < n; i++)
                (void) kill(children[i], SIGKILL);
        while (wait(NULL) > 0)
                ;
        exit(sig == SIGCHLD ? EXIT_FAILURE : EXIT_SUCCESS);
}

int main(int argc, char *argv[])
{
        int serving = argc == 5 && strcmp(argv[1], "serve") == 0;
        struct sockaddr_in to = { .sin_family = AF_INET }, from = { .sin_family = AF_INET };
        unsigned port, processes, seconds, count = 0, busy = 0, done = 0;
        struct rlimit files;
        pid_t children[64];
        sigset_t ends;
        int tell[2];

        if (!serving && !(argc == 9 && strcmp(argv[1], "fill") == 0)) {
                fprintf(stderr, "usage: filler serve PORT PROCESSES SECONDS\n"
                                "       filler fill ADDRESS PORT FROM COUNT PROCESSES BUSY SECONDS\n");
                return 2;
        }
        port = number(argv[serving ? 2 : 3], 65535);
        processes = number(argv[serving ? 3 : 6], 64);
        seconds = number(argv[argc - 1], 3600);
        if (!serving) {
                count = number(argv[5], 200000);
                busy = number(argv[7], count);
                to.sin_port = htons((uint16_t) port);
                if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1 ||
                    inet_pton(AF_INET, argv[4], &from.sin_addr) != 1) {
                        fprintf(stderr, "filler: not IPv4 addresses: %s %s\n", argv[2], argv[4]);
                        return 2;
                }
        }

        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                die("getrlimit");
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                die("setrlimit");

        /* Blocked before the first child exists, so that none of their ends is missed. */
        (void) sigfillset(&ends);
        (void) sigprocmask(SIG_BLOCK, &ends, NULL);
        (void) alarm(seconds);
        if (pipe(tell) < 0)
                die("pipe");
        for (unsigned i = 0; i < processes; i++) {
                children[i] = fork();
                if (children[i] < 0)
                        die("fork");
                if (children[i] > 0) {
                        from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + 1);
                        continue;
                }
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (serving)
                        serve(port);
                else
                        fill(&to, &from, share(count, processes, i), share(busy, processes, i), tell[1]);
        }
        (void) close(tell[1]);
        for (unsigned i = 0; !serving && i < processes; i++) {
                unsigned n;

                /* The end of the pipe: all children have died, each with its own message. */
                if (read(tell[0], &n, sizeof(n)) != (ssize_t) sizeof(n))
                        return EXIT_FAILURE;
                done += n;
        }
        if (!serving) {
                printf("ready %u\n", done);
                (void) fflush(stdout);
        }
        hold(children, processes);
}
