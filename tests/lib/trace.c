/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

struct Trace {
        Trace *next;
        pid_t pid;
        TraceFn fn;
        void *userdata;
        bool held, over;
        int status;
        TraceCall call; /* the present one */
};

static Trace *traces;
static sd_event_source *child_source; /* one handler a signal: for all of them */

static void trace_next(const Trace *t, int signal)
{
        (void) ptrace(PTRACE_SYSCALL, t->pid, 0, signal);
}

/* Stopped at a call. Return: what to do. */
static TraceDo at_call(Trace *t)
{
        struct __ptrace_syscall_info info = { 0 }; /* valgrind does not know who fills it */
        if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0)
                return TRACE_GO;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                t->call = (TraceCall){ .nr = info.entry.nr };
                for (size_t i = 0; i < 6; i++)
                        t->call.args[i] = info.entry.args[i];
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
                t->call.after = true;
                t->call.result = info.exit.rval;
        } else
                return TRACE_GO;
        return t->fn(t, &t->call, t->userdata);
}

static void trace_stopped(Trace *t, int status)
{
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) {
                TraceDo what = at_call(t);
                if (what == TRACE_KILL)
                        (void) kill(t->pid, SIGKILL);
                else if (what == TRACE_HOLD)
                        t->held = true;
                else
                        trace_next(t, 0);
                return;
        }
        /* The first stop is that of exec. */
        if (signal == SIGTRAP)
                (void) ptrace(PTRACE_SETOPTIONS, t->pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
        trace_next(t, signal == SIGTRAP ? 0 : signal);
}

static int on_child(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        int status;
        (void) s;
        (void) si;
        (void) userdata;
        for (Trace *t = traces; t; t = t->next)
                while (!t->over && waitpid(t->pid, &status, WNOHANG | __WALL) == t->pid) {
                        if (WIFSTOPPED(status)) {
                                trace_stopped(t, status);
                                continue;
                        }
                        t->over = true;
                        t->status = status;
                }
        return 0;
}

int trace_new(Trace **ret, sd_event *event, char *const *argv, TraceFn fn, void *userdata)
{
        sigset_t child;
        (void) sigemptyset(&child);
        (void) sigaddset(&child, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &child, NULL);
        int r = child_source ? 0 : sd_event_add_signal(event, &child_source, SIGCHLD, on_child, NULL);
        Trace *t = r < 0 ? NULL : calloc(1, sizeof(*t));
        if (!t)
                return r < 0 ? r : -ENOMEM;
        *t = (Trace){ .next = traces, .fn = fn, .userdata = userdata, .pid = fork() };
        if (t->pid < 0) {
                r = -errno;
                free(t);
                return r;
        }
        if (t->pid == 0) {
                (void) sigprocmask(SIG_UNBLOCK, &child, NULL);
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                /* The search for leaks traces, too, and a process has one tracer. */
                if (fn && (setenv("ASAN_OPTIONS", "detect_leaks=0:allocator_may_return_null=1", 1) < 0 ||
                           ptrace(PTRACE_TRACEME, 0, 0, 0) < 0))
                        _exit(127);
                (void) execv(argv[0], argv);
                _exit(127);
        }
        traces = t;
        *ret = t;
        return 0;
}

Trace *trace_free(Trace *t)
{
        if (!t)
                return NULL;
        if (!t->over) {
                (void) kill(t->pid, SIGKILL);
                while (waitpid(t->pid, &t->status, __WALL) == t->pid && WIFSTOPPED(t->status))
                        ;
        }
        for (Trace **p = &traces; *p; p = &(*p)->next)
                if (*p == t) {
                        *p = t->next;
                        break;
                }
        free(t);
        if (!traces)
                child_source = sd_event_source_unref(child_source);
        return NULL;
}

void trace_free_all(void)
{
        while (traces)
                (void) trace_free(traces);
}

void trace_go(Trace *t)
{
        if (!t->held)
                return;
        t->held = false;
        trace_next(t, 0);
}

bool trace_held(const Trace *t)
{
        return t->held;
}

bool trace_over(const Trace *t, int *ret_status)
{
        if (t->over)
                *ret_status = t->status;
        return t->over;
}

pid_t trace_pid(const Trace *t)
{
        return t->pid;
}

size_t trace_peek(const Trace *t, uint64_t at, void *buf, size_t size)
{
        struct iovec local = { buf, size }, remote = { (void *) (uintptr_t) at, size };
        ssize_t n = process_vm_readv(t->pid, &local, 1, &remote, 1, 0);
        return n < 0 ? 0 : (size_t) n;
}

void trace_fd(const Trace *t, uint64_t fd, char *buf, size_t size)
{
        char link[64];
        (void) snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int) t->pid, (int) fd);
        ssize_t n = readlink(link, buf, size - 1);
        buf[n < 0 ? 0 : n] = '\0';
}

/* What the pieces at @at, @n of them, have room for. */
static size_t peek_pieces(const Trace *t, uint64_t at, size_t n, void *buf, size_t size)
{
        struct iovec pieces[16];
        size_t done = 0;
        n = MIN(n, ELEMENTS(pieces));
        if (trace_peek(t, at, pieces, n * sizeof(pieces[0])) != n * sizeof(pieces[0]))
                return 0;
        for (size_t i = 0; i < n && done < size; i++)
                done += trace_peek(t, (uint64_t) (uintptr_t) pieces[i].iov_base, (uint8_t *) buf + done,
                                   MIN(pieces[i].iov_len, size - done));
        return done;
}

size_t trace_bytes(const Trace *t, void *buf, size_t size)
{
        const TraceCall *c = &t->call;
        struct msghdr m;
        size_t n = 0;
        if (c->after && c->result <= 0)
                return 0;
        switch (c->nr) {
        case SYS_write:
        case SYS_sendto:
        case SYS_read:
        case SYS_recvfrom:
                n = trace_peek(t, c->args[1], buf, MIN(c->args[2], size));
                break;
        case SYS_writev:
        case SYS_readv:
                n = peek_pieces(t, c->args[1], c->args[2], buf, size);
                break;
        case SYS_sendmsg:
        case SYS_recvmsg:
                if (trace_peek(t, c->args[1], &m, sizeof(m)) == sizeof(m))
                        n = peek_pieces(t, (uint64_t) (uintptr_t) m.msg_iov, m.msg_iovlen, buf, size);
                break;
        default:
                break;
        }
        return c->after ? MIN(n, (size_t) c->result) : n;
}

int trace_take_fd(const Trace *t, uint64_t fd)
{
        _cleanup_(closep) int pidfd = (int) syscall(SYS_pidfd_open, t->pid, 0);
        int r = pidfd < 0 ? -1 : (int) syscall(SYS_pidfd_getfd, pidfd, (int) fd, 0);
        return r < 0 ? -errno : r;
}
