/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define OUTPUT_SIZE 4096

extern char **environ;

struct Lookup {
        LookupFn fn;
        void *userdata;
        char *host;
        Usec limit_usec;
        pid_t pid; /* 0: none, or over */
        int fd;
        sd_event_source *io, *limit, *done;
        const char *why;
        char output[OUTPUT_SIZE];
        size_t len;
};

/* It has closed its output or run out of time: either way there is nothing left to wait for. */
static void lookup_end(Lookup *l)
{
        l->io = sd_event_source_unref(l->io);
        closep(&l->fd);
        l->fd = -1;
        if (l->pid > 0) {
                (void) kill(l->pid, SIGKILL);
                (void) waitpid(l->pid, NULL, 0);
                l->pid = 0;
        }
}

Lookup *lookup_cancel(Lookup *l)
{
        if (!l)
                return NULL;
        lookup_end(l);
        (void) sd_event_source_unref(l->limit);
        (void) sd_event_source_unref(l->done);
        free(l->host);
        free(l);
        return NULL;
}

static void add_addr(const Addr *addr, Addr *addrs, size_t max, size_t *n)
{
        for (size_t i = 0; i < *n; i++)
                if (addr_equal(addr, &addrs[i]))
                        return;
        if (*n < max)
                addrs[(*n)++] = *addr;
}

size_t lookup_parse(const char *output, Addr *addrs, size_t max)
{
        char text[ADDR_TEXT_SIZE];
        size_t n = 0;

        for (const char *line = output; *line;) {
                size_t all = strcspn(line, "\n"), len = strcspn(line, " \t\n");
                Addr addr;
                /* A last line without its end may be half an address. */
                if (line[all] == '\n' && len > 0 && len < sizeof(text)) {
                        memcpy(text, line, len);
                        text[len] = '\0';
                        if (addr_parse(text, &addr))
                                add_addr(&addr, addrs, max, &n);
                }
                line += all + (line[all] == '\n');
        }
        return n;
}

static void lookup_finish(Lookup *l)
{
        Addr addrs[LOOKUP_ADDRS_MAX];
        char why[160] = "";
        size_t n = 1;

        if (!addr_parse(l->host, &addrs[0])) {
                l->output[l->len] = '\0';
                n = lookup_parse(l->output, addrs, ELEMENTS(addrs));
        }
        if (n == 0)
                (void) snprintf(why, sizeof(why), "%s", l->why ? l->why : "the name has no address");
        LookupFn fn = l->fn;
        void *userdata = l->userdata;
        (void) lookup_cancel(l);
        fn(addrs, n, why, userdata);
}

static int lookup_on_done(sd_event_source *s _unused_, void *userdata)
{
        lookup_finish(userdata);
        return 0;
}

static int lookup_on_limit(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        Lookup *l = userdata;
        l->why = "name service gave no answer within the time";
        lookup_finish(l);
        return 0;
}

static int lookup_on_io(sd_event_source *s _unused_, int fd, uint32_t revents _unused_, void *userdata)
{
        Lookup *l = userdata;
        ssize_t n = read(fd, l->output + l->len, sizeof(l->output) - 1 - l->len);
        if (n > 0) {
                l->len += (size_t) n;
                if (l->len < sizeof(l->output) - 1)
                        return 0;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        lookup_finish(l);
        return 0;
}

/* Return: 0, or a negative errno: the name cannot be looked up. */
static int lookup_spawn(Lookup *l)
{
        char *argv[] = { (char *) (uintptr_t) "getent", (char *) (uintptr_t) "ahosts",
                         (char *) (uintptr_t) "--", l->host, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none, all;
        int pipes[2];

        if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        (void) sigemptyset(&none);
        (void) sigfillset(&all);
        (void) posix_spawn_file_actions_init(&actions);
        (void) posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        (void) posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
        (void) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        (void) posix_spawnattr_init(&attr);
        (void) posix_spawnattr_setsigmask(&attr, &none);
        (void) posix_spawnattr_setsigdefault(&attr, &all);
        (void) posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        int r = posix_spawnp(&l->pid, argv[0], &actions, &attr, argv, environ);
        if (r != 0)
                l->pid = 0;
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) posix_spawnattr_destroy(&attr);
        (void) close(pipes[1]);
        l->fd = pipes[0];
        return -r;
}

/* Without getent the name has no address, which is told like any other failure to look it up. Want of a
 * descriptor or of a process says nothing of the name. */
static int lookup_begin(Lookup *l, sd_event *event)
{
        Addr addr;
        int r = addr_parse(l->host, &addr) ? 0 : lookup_spawn(l);
        if (r < 0 && r != -ENOENT && r != -EACCES)
                return r;
        if (r < 0)
                l->why = "getent cannot be run";
        if (l->pid == 0)
                return sd_event_add_defer(event, &l->done, lookup_on_done, l);
        r = sd_event_add_io(event, &l->io, l->fd, EPOLLIN, lookup_on_io, l);
        return r < 0 ? r
                     : sd_event_add_time(event, &l->limit, CLOCK_MONOTONIC,
                                         time_add(time_now(), l->limit_usec), 0, lookup_on_limit, l);
}

int lookup_start(Lookup **ret, sd_event *event, const char *host, Usec limit_usec, LookupFn fn,
                 void *userdata, Err *err)
{
        _cleanup_(lookup_cancelp) Lookup *l = calloc(1, sizeof(*l));
        if (l)
                *l = (Lookup){ .fn = fn,
                               .userdata = userdata,
                               .fd = -1,
                               .limit_usec = limit_usec,
                               .host = strdup(host) };
        if (!l || !l->host)
                return err_set(err, -ENOMEM, "out of memory");
        int r = lookup_begin(l, event);
        if (r < 0)
                return err_errno(err, r, "names cannot be looked up");
        *ret = TAKE_PTR(l);
        return 0;
}
