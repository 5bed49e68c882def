/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/resolve.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/addr.h"

#define OUTPUT_SIZE 4096

extern char **environ;

typedef struct Lookup {
        Resolve *resolve;
        const LockServer *server;
        pid_t pid; /* 0: none, or over */
        int fd;
        sd_event_source *io;
        char output[OUTPUT_SIZE];
        size_t len;
} Lookup;

struct Resolve {
        sd_event *event;
        LockSpec spec;
        ResolveFn fn;
        void *userdata;
        Lookup lookups[LOCK_SERVERS_MAX];
        size_t running;
        sd_event_source *limit, *done;
};

static void lookup_end(Lookup *l)
{
        l->io = sd_event_source_unref(l->io);
        closep(&l->fd);
        l->fd = -1;
        if (l->pid > 0) {
                /* It has closed its output or run out of time: either way there is nothing left to wait for.
                 */
                (void) kill(l->pid, SIGKILL);
                (void) waitpid(l->pid, NULL, 0);
                l->pid = 0;
                l->resolve->running--;
        }
}

Resolve *resolve_cancel(Resolve *r)
{
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->spec.n; i++)
                lookup_end(&r->lookups[i]);
        sd_event_source_unref(r->limit);
        sd_event_source_unref(r->done);
        free(r);
        return NULL;
}

static size_t add_server(char *buf, size_t size, const char *host, uint16_t port)
{
        char one[ADDR_TEXT_SIZE + 8];
        size_t used = strlen(buf), len;

        len = (size_t) snprintf(one, sizeof(one), "%s:%u", host, port);
        for (const char *p = buf; (p = strstr(p, one)); p += len)
                if ((p == buf || p[-1] == ',') && (p[len] == '\0' || p[len] == ','))
                        return 0;
        if (used + len + 2 > size)
                return 0;
        (void) snprintf(buf + used, size - used, "%s%s", used ? "," : "", one);
        return 1;
}

size_t resolve_take(const char *output, uint16_t port, char *buf, size_t size)
{
        char text[ADDR_TEXT_SIZE];
        size_t found = 0;

        for (const char *line = output; *line;) {
                size_t all = strcspn(line, "\n"), len = strcspn(line, " \t\n");
                Addr addr;
                /* A last line without its end may be half an address. */
                if (line[all] == '\n' && len > 0 && len < sizeof(text)) {
                        memcpy(text, line, len);
                        text[len] = '\0';
                        if (addr_parse(text, &addr)) {
                                found++;
                                (void) add_server(buf, size, addr_format(&addr, text, sizeof(text)), port);
                        }
                }
                line += all + (line[all] == '\n');
        }
        return found;
}

static void resolve_finish(Resolve *r)
{
        char servers[RESOLVE_SIZE] = "", missing[1024] = "";
        size_t used = 0;

        for (size_t i = 0; i < r->spec.n; i++) {
                Lookup *l = &r->lookups[i];
                const LockServer *s = &r->spec.servers[i];
                if (s->number) {
                        (void) add_server(servers, sizeof(servers), s->host, s->port);
                        continue;
                }
                l->output[l->len] = '\0';
                if (resolve_take(l->output, s->port, servers, sizeof(servers)) == 0 && used < sizeof(missing))
                        used += (size_t) snprintf(missing + used, sizeof(missing) - used, "%s%s",
                                                  used ? ", " : "", s->host);
        }
        ResolveFn fn = r->fn;
        void *userdata = r->userdata;
        (void) resolve_cancel(r);
        fn(servers, missing, userdata);
}

static int resolve_on_done(sd_event_source *s, void *userdata)
{
        (void) s;
        resolve_finish(userdata);
        return 0;
}

static int resolve_on_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        resolve_finish(userdata);
        return 0;
}

static int lookup_on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Lookup *l = userdata;
        (void) s;
        (void) revents;
        ssize_t n = read(fd, l->output + l->len, sizeof(l->output) - 1 - l->len);
        if (n > 0) {
                l->len += (size_t) n;
                if (l->len < sizeof(l->output) - 1)
                        return 0;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        lookup_end(l);
        if (l->resolve->running == 0)
                resolve_finish(l->resolve);
        return 0;
}

/* A name that cannot be looked up is one without address; nothing else fails over it. */
static void lookup_start(Lookup *l)
{
        char *argv[] = { (char *) (uintptr_t) "getent", (char *) (uintptr_t) "ahosts",
                         (char *) (uintptr_t) l->server->host, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attr;
        sigset_t none, all;
        int pipes[2];

        if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
                return;
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
        if (posix_spawnp(&l->pid, argv[0], &actions, &attr, argv, environ) == 0)
                l->resolve->running++;
        else
                l->pid = 0;
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) posix_spawnattr_destroy(&attr);
        (void) close(pipes[1]);
        l->fd = pipes[0];
        if (l->pid == 0 || sd_event_add_io(l->resolve->event, &l->io, l->fd, EPOLLIN, lookup_on_io, l) < 0)
                lookup_end(l);
}

int resolve_start(Resolve **ret, sd_event *event, const LockSpec *spec, ResolveFn fn, void *userdata,
                  Err *err)
{
        Resolve *r = calloc(1, sizeof(*r));
        if (!r)
                return err_set(err, -ENOMEM, "out of memory");
        r->event = event;
        r->spec = *spec;
        r->fn = fn;
        r->userdata = userdata;
        for (size_t i = 0; i < spec->n; i++) {
                r->lookups[i] = (Lookup){ .resolve = r, .server = &r->spec.servers[i], .fd = -1 };
                if (!spec->servers[i].number)
                        lookup_start(&r->lookups[i]);
        }
        int k = r->running == 0 ? sd_event_add_defer(event, &r->done, resolve_on_done, r)
                                : sd_event_add_time(event, &r->limit, CLOCK_MONOTONIC,
                                                    time_now() + RESOLVE_LIMIT_USEC, 0, resolve_on_limit, r);
        if (k < 0) {
                (void) resolve_cancel(r);
                return err_errno(err, k, "names cannot be looked up");
        }
        *ret = r;
        return 0;
}
