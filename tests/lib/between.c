/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/between.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/lib/fake-agent.h"
#include "tests/lib/points.h"
#include "tests/lib/wire.h"

#define LOST 255 /* how ssh ends when the connection does */

typedef struct Way {
        int from, to;
        const char *verb;
        Wire wire;
} Way;

typedef struct Between {
        const char *dir;
        char node[16];
        pid_t ssh; /* the real one; 0: none */
        BetweenOrder order;
        bool ordered;
        PointCounts counts;
        Way out, in;
} Between;

/* ---- the directory ---- */

static FILE *open_in(const char *dir, const char *name, const char *mode)
{
        char path[160];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        return fopen(path, mode);
}

/* A line at once: others write there, too. */
static void add_line(const char *dir, const char *name, const char *text)
{
        char path[160], line[200];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        int n = snprintf(line, sizeof(line), "%s\n", text);
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, line, (size_t) n) != n)
                _exit(99);
}

static void add_pid(const char *dir, const char *name, pid_t pid)
{
        char text[16];
        (void) snprintf(text, sizeof(text), "%d", (int) pid);
        add_line(dir, name, text);
}

/* The last number in that file; 0. */
static pid_t last_pid(const char *dir, const char *name)
{
        int pid = 0, one;
        FILE *f = open_in(dir, name, "re");
        while (f && fscanf(f, "%d", &one) == 1)
                pid = one;
        if (f)
                (void) fclose(f);
        return pid;
}

void between_order(const char *dir, const BetweenOrder *order)
{
        FILE *f = open_in(dir, "order", "we");
        assert_non_null(f);
        assert_int_equal(fwrite(order, sizeof(*order), 1, f), 1);
        assert_int_equal(fclose(f), 0);
}

bool between_hit(const char *dir)
{
        char path[160];
        (void) snprintf(path, sizeof(path), "%s/hit", dir);
        return access(path, F_OK) == 0;
}

/* Is it still what it was? Numbers come again. */
static bool is_between(pid_t pid, const char *dir)
{
        char path[64], words[1024] = "";
        (void) snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
        FILE *f = fopen(path, "re");
        size_t n = f ? fread(words, 1, sizeof(words), f) : 0;
        if (f)
                (void) fclose(f);
        return memmem(words, n, dir, strlen(dir));
}

unsigned between_clean(const char *dir)
{
        static const char *const nodes[] = { "sshd.n1", "sshd.n2", "sshd.n3" };
        unsigned n = 0;
        int pid;
        /* One that was stopped: what it was to serve has ended. */
        for (size_t i = 0; i < ELEMENTS(nodes); i++) {
                FILE *f = open_in(dir, nodes[i], "re");
                while (f && fscanf(f, "%d", &pid) == 1)
                        (void) kill(pid, SIGCONT);
                if (f)
                        (void) fclose(f);
        }
        FILE *f = open_in(dir, "pids", "re");
        while (f && fscanf(f, "%d", &pid) == 1)
                if (is_between(pid, dir) && kill(pid, SIGKILL) == 0)
                        n++;
        if (f)
                (void) fclose(f);
        return n;
}

/* ---- losing it ---- */

static void put_all(int fd, const uint8_t *bytes, size_t n)
{
        for (ssize_t done; n > 0; bytes += done, n -= (size_t) done)
                if ((done = send(fd, bytes, n, MSG_NOSIGNAL)) <= 0)
                        return;
}

static size_t let_through(const char *when, size_t size)
{
        if (strcmp(when, BETWEEN_BEFORE) == 0)
                return 0;
        if (strcmp(when, BETWEEN_HEAD) == 0)
                return MIN(size, 8);
        if (strcmp(when, BETWEEN_MIDDLE) == 0)
                return size / 2;
        return strcmp(when, BETWEEN_LAST) == 0 ? size - 1 : size;
}

/* Only the first one does it. */
static bool take_order(const Between *b)
{
        char path[160];
        (void) snprintf(path, sizeof(path), "%s/hit", b->dir);
        _cleanup_(closep) int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        return fd >= 0;
}

static void lose(const Between *b)
{
        const char *how = b->order.how;
        char name[32];
        (void) snprintf(name, sizeof(name), "sshd.%s", b->node);
        bool sshd = strncmp(how, "sshd-", 5) == 0, real = sshd || strncmp(how, "ssh-", 4) == 0;
        int signal = strstr(how, "stopped") ? SIGSTOP : SIGKILL;
        if (strcmp(how, BETWEEN_CLOSED) == 0) {
                (void) fprintf(stderr, "Connection to %s closed by remote host.\n", b->node);
                _exit(LOST);
        }
        pid_t pid = sshd ? last_pid(b->dir, name) : real ? b->ssh : getpid();
        if (pid <= 0 || kill(pid, signal) < 0)
                _exit(99);
        /* What ssh had taken is lost with it. */
        if (real && !sshd && signal == SIGKILL) {
                (void) waitpid(b->ssh, NULL, 0);
                (void) kill(getpid(), SIGKILL);
        }
}

/* What came together goes on together: the server of sd-bus 252 waits for ever for a first message that it
 * read with the last line of the authentication and not with the lines before. */
static void pass_on(Between *b, Way *w)
{
        static uint8_t out[WIRE_BYTES];
        char what[160], name[64];
        size_t n_out = 0;
        for (size_t size, n; (size = wire_next(&w->wire, name, sizeof(name))) > 0;
             wire_take(&w->wire, size)) {
                (void) snprintf(what, sizeof(what), "%s %s %s", w->verb, name, b->node);
                points_count(&b->counts, what);
                n = 0;
                if (!b->ordered)
                        add_line(b->dir, "seen", what);
                else if (strcmp(what, b->order.what) == 0 && take_order(b)) {
                        put_all(w->to, out, n_out);
                        n_out = 0;
                        n = let_through(b->order.when, size);
                        put_all(w->to, w->wire.bytes, n);
                        lose(b);
                }
                (void) memcpy(out + n_out, w->wire.bytes + n, size - n);
                n_out += size - n;
        }
        put_all(w->to, out, n_out);
}

/* ---- as ssh ---- */

/* A real one behind it. Return: the socket to it. */
static int real_ssh(Between *b, const char *config, char **args)
{
        char variable[64], *argv[64] = { (char *) (uintptr_t) "ssh", (char *) (uintptr_t) "-F",
                                         (char *) (uintptr_t) config, (char *) (uintptr_t) "-o", variable };
        int pair[2];
        size_t n = 5;
        (void) snprintf(variable, sizeof(variable), "SetEnv=" BETWEEN_NODE "=%s", b->node);
        for (; *args && n < ELEMENTS(argv) - 1; args++)
                argv[n++] = *args;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (b->ssh = fork()) < 0)
                _exit(99);
        if (b->ssh == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) dup2(pair[1], STDIN_FILENO);
                (void) dup2(pair[1], STDOUT_FILENO);
                (void) execvp("ssh", argv);
                _exit(254);
        }
        (void) close(pair[1]);
        return pair[0];
}

/* Return: false: that side has ended. */
static bool way_read(Between *b, Way *w)
{
        static uint8_t bytes[65536];
        ssize_t n = read(w->from, bytes, sizeof(bytes));
        if (n <= 0)
                return n < 0 && errno == EINTR;
        if (!wire_put(&w->wire, bytes, (size_t) n))
                _exit(99);
        pass_on(b, w);
        return true;
}

static int relay(Between *b)
{
        struct pollfd fds[] = { { .fd = b->out.from, .events = POLLIN },
                                { .fd = b->in.from, .events = POLLIN } };
        int status;
        for (;;) {
                if (poll(fds, 2, -1) < 0)
                        continue;
                if (fds[0].revents && !way_read(b, &b->out))
                        return 0;
                if (fds[1].revents && !way_read(b, &b->in))
                        break;
        }
        if (b->ssh == 0 || waitpid(b->ssh, &status, 0) < 0)
                return LOST;
        return WIFEXITED(status) ? WEXITSTATUS(status) : LOST;
}

static int node_connect(const char *dir, const char *node)
{
        char path[160];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, node);
        int fd = fake_agent_connect(path);
        if (fd >= 0)
                (void) fcntl(fd, F_SETFL, 0);
        return fd;
}

int between_ssh(char **argv)
{
        static Between b;
        char **host = argv + 2;
        b.dir = argv[0];
        while (*host && strcmp(*host, "--") != 0)
                host++;
        if (!*host || !host[1])
                return 99;
        (void) snprintf(b.node, sizeof(b.node), "%.15s", host[1]);
        FILE *f = open_in(b.dir, "order", "re");
        b.ordered = f && fread(&b.order, sizeof(b.order), 1, f) == 1;
        if (f)
                (void) fclose(f);
        add_pid(b.dir, "pids", getpid());
        (void) signal(SIGPIPE, SIG_IGN);
        int fd = strcmp(argv[1], "-") == 0 ? node_connect(b.dir, b.node) : real_ssh(&b, argv[1], argv + 2);
        if (fd < 0)
                return LOST;
        b.out = (Way){ .from = STDIN_FILENO, .to = fd, .verb = "out" };
        b.in = (Way){ .from = fd, .to = STDOUT_FILENO, .verb = "in", .wire = { .other = &b.out.wire } };
        return relay(&b);
}

int between_far(char **argv)
{
        static uint8_t bytes[65536];
        char name[32];
        const char *node = getenv(BETWEEN_NODE);
        int fd = node ? node_connect(argv[0], node) : -1;
        if (fd < 0)
                return 99;
        (void) snprintf(name, sizeof(name), "sshd.%.15s", node);
        add_pid(argv[0], name, getppid());
        struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
        for (;;) {
                if (poll(fds, 2, -1) < 0)
                        continue;
                for (size_t i = 0; i < ELEMENTS(fds); i++) {
                        ssize_t n = fds[i].revents ? read(fds[i].fd, bytes, sizeof(bytes)) : -1;
                        if (fds[i].revents && n <= 0)
                                return 0;
                        for (ssize_t done = 0, one; done < n; done += one)
                                if ((one = write(i == 0 ? fd : STDOUT_FILENO, bytes + done,
                                                 (size_t) (n - done))) <= 0)
                                        return 0;
                }
        }
}
