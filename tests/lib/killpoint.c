/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Names each system call by which a process changes something outside of it, and kills it at one of them.
 *
 *   killpoint serve DIR             as root, beside what it watches. Runs until it is killed.
 *   killpoint run DIR ROLE COMMAND...
 *                                   becomes COMMAND, once the server watches it (at once where none runs).
 *                                   The process stays the same, so this is an ExecStart= of any unit; the
 *                                   tracer is outside of that unit, its sandbox stays as it is.
 *
 * A call's name is PHASE/WHAT#K: the phase of the job that the process works on ("up" before the first one),
 * what is done (see killpoint-call.h), and how often this phase has done it by then. What a process is to
 * suffer is in DIR/ROLE, a line for each, used up from the first on:
 *
 *   list                            nothing; it is listed. This line stays.
 *   kill NAME before|after          SIGKILL before or after that call
 *   pass                            nothing, not listed
 *
 * What happened is appended to DIR/said, a line for each, fields separated by tabs:
 *
 *   call ROLE PID TIME KIND NAME RESULT DETAIL     a call that was made; KIND is effect, or ask for the first
 *                                                  one of many that change nothing
 *   many ROLE PID NAME COUNT                       at the end: the others, without their number
 *   kill ROLE PID TIME NAME WHEN                   it was killed there
 *   end  ROLE PID TIME                             a process that was listed, or was to be killed, is gone
 *
 * TIME is in seconds of the wall clock. Source: ptrace(2), pidfd_getfd(2), unix(7).
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/killpoint-call.h"

#define NAMES_MAX 4096
#define ROLE_MAX  32

typedef struct Counted {
        char name[200]; /* PHASE/WHAT */
        CallKind kind;
        unsigned n;
} Counted;

typedef struct Watch {
        Caller caller;
        const char *dir;
        char role[ROLE_MAX];
        bool list;
        char point[256]; /* where it dies; "" */
        bool after;
        bool running; /* its command has begun */
        bool inside;  /* in a call */
        bool here;    /* ... at which it dies when that is done */
        char phase[32];
        Call call;
        char named[256]; /* the present call */
        bool shown;      /* ... is listed */
        Counted counted[NAMES_MAX];
        size_t n;
} Watch;

__attribute__((format(printf, 2, 3))) static void say(const char *dir, const char *fmt, ...)
{
        char path[256], line[1500];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(line, sizeof(line), fmt, ap);
        va_end(ap);
        (void) snprintf(path, sizeof(path), "%s/said", dir);
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        /* One write a line: several processes tell at once. */
        if (fd < 0 || write(fd, line, (size_t) n < sizeof(line) ? (size_t) n : sizeof(line) - 1) < 0)
                perror(path);
        if (fd >= 0)
                (void) close(fd);
}

static double wall(void)
{
        struct timespec t;
        (void) clock_gettime(CLOCK_REALTIME, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* ---- what is to be done ---- */

/* The first line of DIR/ROLE, which is taken out of it unless it is "list". */
static void orders_take(Watch *w)
{
        char path[256], fresh[300], text[4096], when[16] = "";
        (void) snprintf(path, sizeof(path), "%s/%s", w->dir, w->role);
        FILE *f = fopen(path, "re");
        if (!f)
                return;
        size_t n = fread(text, 1, sizeof(text) - 1, f);
        (void) fclose(f);
        if (n == 0)
                return;
        text[n] = '\0';
        if (strncmp(text, "list\n", 5) == 0) {
                w->list = true;
                return;
        }
        if (sscanf(text, "kill %255s %15s", w->point, when) == 2)
                w->after = strcmp(when, "after") == 0;
        else
                w->point[0] = '\0';
        const char *rest = strchr(text, '\n');
        (void) snprintf(fresh, sizeof(fresh), "%s.new", path);
        f = fopen(fresh, "we");
        if (!f || fputs(rest ? rest + 1 : "", f) < 0 || fclose(f) != 0 || rename(fresh, path) < 0)
                perror(path);
}

/* ---- one process ---- */

static Counted *count(Watch *w)
{
        char name[200];
        (void) snprintf(name, sizeof(name), "%s/%s", w->phase, w->call.name);
        for (size_t i = 0; i < w->n; i++)
                if (strcmp(w->counted[i].name, name) == 0) {
                        w->counted[i].n++;
                        return &w->counted[i];
                }
        if (w->n == NAMES_MAX)
                return NULL;
        Counted *c = &w->counted[w->n++];
        (void) snprintf(c->name, sizeof(c->name), "%s", name);
        c->kind = w->call.kind;
        c->n = 1;
        return c;
}

static void die(const Watch *w, const char *when)
{
        /* Told first: who waits for the end of the process may then read it. */
        say(w->dir, "kill\t%s\t%d\t%.6f\t%s\t%s\n", w->role, (int) w->caller.pid, wall(), w->named, when);
        (void) syscall(SYS_pidfd_send_signal, w->caller.pidfd, SIGKILL, NULL, 0);
}

static void on_entry(Watch *w, uint64_t nr, const uint64_t args[6])
{
        call_describe(&w->caller, nr, args, &w->call);
        if (*w->call.phase)
                (void) snprintf(w->phase, sizeof(w->phase), "%s", w->call.phase);
        const Counted *c = count(w);
        if (!c)
                return;
        (void) snprintf(w->named, sizeof(w->named), "%s#%u", c->name, c->n);
        w->shown = w->list && (c->kind == CALL_EFFECT || (c->kind == CALL_ASK && c->n == 1));
        w->here = strcmp(w->named, w->point) == 0;
        if (w->here && !w->after)
                die(w, "before");
}

static void on_exit_of_call(Watch *w, int64_t result)
{
        if (w->here && w->after)
                die(w, "after");
        if (w->shown)
                say(w->dir, "call\t%s\t%d\t%.6f\t%s\t%s\t%lld\t%s\n", w->role, (int) w->caller.pid, wall(),
                    w->call.kind == CALL_EFFECT ? "effect" : "ask", w->named, (long long) result,
                    w->call.detail);
        w->here = w->shown = false;
        /* Behind the end of a job that is told comes what belongs to none. */
        if (strcmp(w->call.name, "told-result") == 0)
                (void) snprintf(w->phase, sizeof(w->phase), "over");
}

/* Stopped at the entry or the exit of a call. */
static void on_call(Watch *w)
{
        struct __ptrace_syscall_info info;
        if (ptrace(PTRACE_GET_SYSCALL_INFO, w->caller.pid, sizeof(info), &info) < 0)
                return;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                w->inside = true;
                on_entry(w, info.entry.nr, (const uint64_t *) info.entry.args);
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && w->inside) {
                w->inside = false;
                on_exit_of_call(w, info.exit.rval);
        }
}

/* Return: the signal to go on with, or -1: only listen (it is stopped as a whole). */
static int on_stop(Watch *w, int status)
{
        int signal = WSTOPSIG(status), event = status >> 16;
        if (signal == (SIGTRAP | 0x80)) {
                if (w->running)
                        on_call(w);
                return 0;
        }
        if (event == PTRACE_EVENT_EXEC) {
                /* The call that is left next is none of the command's. */
                w->running = true;
                return 0;
        }
        if (event == PTRACE_EVENT_STOP)
                return signal == SIGTRAP ? 0 : -1;
        return event ? 0 : signal;
}

static void follow(Watch *w)
{
        int status;
        while (waitpid(w->caller.pid, &status, __WALL) == w->caller.pid && WIFSTOPPED(status)) {
                int signal = on_stop(w, status);
                if (signal < 0)
                        (void) ptrace(PTRACE_LISTEN, w->caller.pid, 0, 0);
                else
                        (void) ptrace(PTRACE_SYSCALL, w->caller.pid, 0, signal);
        }
        for (size_t i = 0; i < w->n && w->list; i++)
                if (w->counted[i].kind != CALL_EFFECT)
                        say(w->dir, "many\t%s\t%d\t%s\t%u\n", w->role, (int) w->caller.pid,
                            w->counted[i].name, w->counted[i].n);
        say(w->dir, "end\t%s\t%d\t%.6f\n", w->role, (int) w->caller.pid, wall());
}

/* The other end of @fd is a process that waits to be watched, and says its role. */
static int watch(const char *dir, int fd)
{
        static Watch watched; /* a process of ours for each */
        Watch *w = &watched;
        struct ucred cred;
        socklen_t size = sizeof(cred);
        int status;
        ssize_t n = recv(fd, w->role, sizeof(w->role) - 1, 0);
        if (n <= 0 || strchr(w->role, '/') || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
                return 1;
        w->dir = dir;
        (void) snprintf(w->phase, sizeof(w->phase), "up");
        orders_take(w);
        if (!w->list && !*w->point)
                return write(fd, "0", 1) == 1 ? 0 : 1;
        w->caller = (Caller){ .pid = cred.pid, .pidfd = (int) syscall(SYS_pidfd_open, cred.pid, 0) };
        const unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
        if (w->caller.pidfd < 0 || ptrace(PTRACE_SEIZE, cred.pid, 0, options) < 0 ||
            ptrace(PTRACE_INTERRUPT, cred.pid, 0, 0) < 0 || waitpid(cred.pid, &status, __WALL) != cred.pid) {
                say(dir, "lost\t%s\t%d\t%s\n", w->role, (int) cred.pid, strerror(errno));
                return 1;
        }
        (void) ptrace(PTRACE_SYSCALL, cred.pid, 0, 0);
        if (write(fd, "1", 1) != 1)
                return 1;
        (void) close(fd);
        follow(w);
        return 0;
}

static struct sockaddr_un address(const char *dir)
{
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        (void) snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", dir);
        return a;
}

static int serve(const char *dir)
{
        struct sockaddr_un a = address(dir);
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        (void) unlink(a.sun_path);
        (void) signal(SIGCHLD, SIG_IGN);
        if (fd < 0 || bind(fd, (const struct sockaddr *) &a, sizeof(a)) < 0 || listen(fd, 16) < 0) {
                perror(a.sun_path);
                return 1;
        }
        for (;;) {
                int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
                if (peer < 0)
                        continue;
                pid_t pid = fork();
                if (pid == 0) {
                        (void) signal(SIGCHLD, SIG_DFL);
                        (void) close(fd);
                        _exit(watch(dir, peer));
                }
                (void) close(peer);
        }
}

static int run(const char *dir, const char *role, char **command)
{
        struct sockaddr_un a = address(dir);
        char byte;
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *) &a, sizeof(a)) == 0 &&
            send(fd, role, strlen(role), MSG_NOSIGNAL) > 0)
                while (read(fd, &byte, 1) < 0 && errno == EINTR)
                        ;
        if (fd >= 0)
                (void) close(fd);
        (void) execv(command[0], command);
        perror(command[0]);
        return 1;
}

int main(int argc, char **argv)
{
        if (argc == 3 && strcmp(argv[1], "serve") == 0)
                return serve(argv[2]);
        if (argc >= 5 && strcmp(argv[1], "run") == 0 && strlen(argv[3]) < ROLE_MAX)
                return run(argv[2], argv[3], argv + 4);
        (void) fprintf(stderr, "killpoint serve DIR | killpoint run DIR ROLE COMMAND...\n");
        return 2;
}
