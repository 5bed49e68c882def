/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define KILL_USEC (2 * USEC_PER_SEC) /* after SIGTERM */

struct Ssh {
        SshYard *yard;
        Ssh *next; /* in the yard's list */
        pid_t pid;
        int err_fd;
        sd_event_source *child, *err_source, *timer;
        char text[SSH_STDERR_BYTES];
        size_t n_text;
        SshExitFn fn; /* NULL: told to end */
        void *userdata;
};

struct SshYard {
        sd_event *event;
        Ssh *list;
};

static void text_add(Ssh *s, const char *bytes, size_t n)
{
        const size_t max = sizeof(s->text) - 1;
        if (n > max) {
                bytes += n - max;
                n = max;
        }
        if (s->n_text + n > max) {
                size_t drop = s->n_text + n - max;
                (void) memmove(s->text, s->text + drop, s->n_text - drop);
                s->n_text -= drop;
        }
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char) bytes[i];
                s->text[s->n_text++] = (char) (c == '\n' || (c >= 0x20 && c < 0x7f) ? c
                                               : c == '\r'                          ? '\n'
                                                                                    : '?');
        }
        s->text[s->n_text] = '\0';
}

/* Return: as of read(2). */
static ssize_t err_read(Ssh *s, size_t most)
{
        char bytes[SSH_STDERR_BYTES];
        ssize_t n;
        do
                n = read(s->err_fd, bytes, MIN(most, sizeof(bytes)));
        while (n < 0 && errno == EINTR);
        if (n > 0)
                text_add(s, bytes, (size_t) n);
        return n;
}

/* What is there now, and not what comes meanwhile: that may have no end. */
static void err_drain(Ssh *s)
{
        int left = 0;
        if (s->err_fd < 0 || ioctl(s->err_fd, FIONREAD, &left) < 0)
                return;
        while (left > 0) {
                ssize_t n = err_read(s, (size_t) left);
                if (n <= 0)
                        return;
                left -= (int) n;
        }
}

/* A little of it: others wait for their turn. */
static int on_err(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Ssh *s = userdata;
        (void) source;
        (void) fd;
        if (err_read(s, SSH_STDERR_BYTES) <= 0 && (revents & (EPOLLHUP | EPOLLERR)))
                s->err_source = sd_event_source_unref(s->err_source);
        return 0;
}

static Ssh *ssh_free(Ssh *s)
{
        for (Ssh **p = &s->yard->list; *p; p = &(*p)->next)
                if (*p == s) {
                        *p = s->next;
                        break;
                }
        s->child = sd_event_source_unref(s->child);
        s->err_source = sd_event_source_unref(s->err_source);
        s->timer = sd_event_source_unref(s->timer);
        closep(&s->err_fd);
        free(s);
        return NULL;
}

static int on_exit_of_child(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        Ssh *s = userdata;
        int status = si->si_code == CLD_EXITED ? (si->si_status & 0xff) << 8 : si->si_status & 0x7f;
        (void) source;
        s->pid = 0;
        err_drain(s);
        if (!s->fn) {
                (void) ssh_free(s);
                return 0;
        }
        s->fn(s, status, s->userdata);
        return 0;
}

/* Its ProxyCommand and the like are in its group. */
static void ssh_kill(const Ssh *s, int signal)
{
        if (s->pid > 0 && kill(-s->pid, signal) < 0)
                (void) kill(s->pid, signal);
}

static int on_kill_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source;
        (void) usec;
        ssh_kill(userdata, SIGKILL);
        return 0;
}

Ssh *ssh_end(Ssh *s)
{
        if (!s)
                return NULL;
        s->fn = NULL;
        if (s->pid == 0)
                return ssh_free(s);
        ssh_kill(s, SIGTERM);
        /* A stopped one takes nothing but SIGKILL. */
        if (sd_event_add_time(s->yard->event, &s->timer, CLOCK_MONOTONIC, time_add(time_now(), KILL_USEC), 0,
                              on_kill_time, s) < 0)
                ssh_kill(s, SIGKILL);
        return NULL;
}

/* In the child: only what is async-signal-safe, and execvp. */
static void child_run(char *const *argv, int fd, int err_fd, pid_t parent)
{
        sigset_t none;
        (void) setsid();
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(SSH_NOT_RUN);
        (void) signal(SIGPIPE, SIG_DFL);
        (void) signal(SIGINT, SIG_DFL);
        (void) signal(SIGHUP, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        /* Duplicates do not close on exec; all else that we have open does. */
        if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(err_fd, STDERR_FILENO) < 0)
                _exit(SSH_NOT_RUN);
        (void) execvp(argv[0], argv);
        const char *why = strerror(errno);
        (void) !write(STDERR_FILENO, why, strlen(why));
        _exit(SSH_NOT_RUN);
}

static int ssh_watch(Ssh *s, Err *err)
{
        int r = sd_event_add_child(s->yard->event, &s->child, s->pid, WEXITED, on_exit_of_child, s);
        if (r >= 0)
                r = sd_event_add_io(s->yard->event, &s->err_source, s->err_fd, EPOLLIN, on_err, s);
        return r < 0 ? err_errno(err, r, "cannot watch a child") : 0;
}

int ssh_start(Ssh **ret, SshYard *yard, char *const *argv, int *ret_fd, SshExitFn fn, void *userdata,
              Err *err)
{
        int pair[2], pipes[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_errno(err, errno, "cannot make a pair of sockets");
        _cleanup_(closep) int ours = pair[0], theirs = pair[1];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return err_errno(err, errno, "cannot make a pipe");
        _cleanup_(closep) int err_out = pipes[1];
        Ssh *s = calloc(1, sizeof(*s));
        if (!s) {
                (void) close(pipes[0]);
                return err_errno(err, -ENOMEM, "a connection");
        }
        *s = (Ssh){ .yard = yard, .err_fd = pipes[0], .fn = fn, .userdata = userdata, .next = yard->list };
        yard->list = s;
        (void) fcntl(s->err_fd, F_SETFL, O_NONBLOCK);

        /* The variable is ours to set: the texts are to be understood. */
        pid_t parent = getpid();
        s->pid = fork();
        if (s->pid == 0) {
                (void) setenv("LC_ALL", "C", 1);
                child_run(argv, theirs, err_out, parent);
        }
        if (s->pid < 0) {
                int r = err_errno(err, errno, "cannot make a process");
                s->pid = 0;
                (void) ssh_free(s);
                return r;
        }
        int r = ssh_watch(s, err);
        if (r < 0) {
                ssh_kill(s, SIGKILL);
                (void) waitpid(s->pid, NULL, 0);
                (void) ssh_free(s);
                return r;
        }
        *ret_fd = TAKE_FD(ours);
        *ret = s;
        return 0;
}

const char *ssh_stderr(Ssh *s)
{
        err_drain(s);
        return s->text;
}

void ssh_stderr_forget(Ssh *s)
{
        err_drain(s);
        s->n_text = 0;
        s->text[0] = '\0';
}

pid_t ssh_pid(const Ssh *s)
{
        return s->pid;
}

int ssh_yard_new(SshYard **ret, sd_event *event, Err *err)
{
        sigset_t set;
        SshYard *y = calloc(1, sizeof(*y));
        if (!y)
                return err_errno(err, -ENOMEM, "connections");
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
                int r = err_errno(err, errno, "cannot block SIGCHLD");
                free(y);
                return r;
        }
        y->event = sd_event_ref(event);
        *ret = y;
        return 0;
}

SshYard *ssh_yard_free(SshYard *y)
{
        if (!y)
                return NULL;
        while (y->list) {
                Ssh *s = y->list;
                s->child = sd_event_source_unref(s->child);
                if (s->pid > 0) {
                        ssh_kill(s, SIGKILL);
                        (void) waitpid(s->pid, NULL, 0);
                }
                (void) ssh_free(s);
        }
        y->event = sd_event_unref(y->event);
        free(y);
        return NULL;
}
