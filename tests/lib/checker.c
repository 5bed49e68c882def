/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A health checker that keeps its connection open, as some load balancers do: HAProxy opens one for each
 * check.
 *
 *   checker ADDRESS PORT PATH EVERY_MS FALL RISE
 *
 * One GET every EVERY_MS; a connection that fails is opened anew for the next check. Prints a line for each
 * change: "2026-11-22T22:31:00.123Z DOWN after 3 failures", "... UP after 2 answers", and "connect" with the
 * number of each connection. Runs until it is killed.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *what, unsigned n, const char *of)
{
        struct timespec t;
        char stamp[32];

        (void) clock_gettime(CLOCK_REALTIME, &t);
        (void) strftime(stamp, sizeof(stamp), "%FT%T", gmtime(&t.tv_sec));
        printf("%s.%03ldZ %s %u %s\n", stamp, t.tv_nsec / 1000000, what, n, of);
        (void) fflush(stdout);
}

static int open_to(const struct sockaddr_in *to)
{
        const struct timeval limit = { .tv_sec = 2 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -1;
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(fd, (const struct sockaddr *) to, sizeof(*to)) == 0)
                return fd;
        (void) close(fd);
        return -1;
}

/* One request and its answer's head and (by Content-Length) body. */
static bool ask(int fd, const char *request)
{
        char answer[4096];
        size_t n = 0;

        if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
                return false;
        for (;;) {
                ssize_t k = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
                if (k <= 0)
                        return false;
                n += (size_t) k;
                answer[n] = '\0';
                const char *end = strstr(answer, "\r\n\r\n"),
                           *length = strcasestr(answer, "\r\ncontent-length:");
                if (!end)
                        continue;
                size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
                if (n >= (size_t) (end + 4 - answer) + body)
                        return strncmp(answer, "HTTP/1.1 200", 12) == 0;
        }
}

int main(int argc, char **argv)
{
        struct sockaddr_in to = { .sin_family = AF_INET };
        unsigned good = 0, bad = 0, connections = 0;
        bool up = true;
        char request[512];
        int fd = -1;

        if (argc != 7 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
                fprintf(stderr, "checker ADDRESS PORT PATH EVERY_MS FALL RISE\n");
                return 2;
        }
        to.sin_port = htons((uint16_t) strtoul(argv[2], NULL, 10));
        (void) snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[3], argv[1]);
        const long every = strtol(argv[4], NULL, 10);
        const unsigned fall = (unsigned) strtoul(argv[5], NULL, 10),
                       rise = (unsigned) strtoul(argv[6], NULL, 10);
        const struct itimerspec period = {
                .it_value = { .tv_nsec = 1 },
                .it_interval = { every / 1000, every % 1000 * 1000000 },
        };
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        if (timer < 0 || timerfd_settime(timer, 0, &period, NULL) < 0) {
                perror("checker");
                return 1;
        }
        for (uint64_t ticks; read(timer, &ticks, sizeof(ticks)) == sizeof(ticks);) {
                if (fd < 0) {
                        fd = open_to(&to);
                        if (fd >= 0)
                                tell("connect", ++connections, "");
                }
                if (fd >= 0 && ask(fd, request)) {
                        bad = 0;
                        if (++good == rise && !up) {
                                up = true;
                                tell("UP after", good, "answers");
                        }
                        continue;
                }
                if (fd >= 0)
                        (void) close(fd);
                fd = -1;
                good = 0;
                if (++bad == fall && up) {
                        up = false;
                        tell("DOWN after", bad, "failures");
                }
        }
        return 0;
}
