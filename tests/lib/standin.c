/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/standin.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PYTHON     "/usr/bin/python3"
#define START_MSEC 20000

struct Standin {
        pid_t pid;
        char dir[64], url[64];
};

static void standin_fail(const char *what)
{
        (void) fprintf(stderr, "stand-in of the Management Server: %s: %s\n", what, strerror(errno));
        abort();
}

bool standin_have(void)
{
        return access(PYTHON, X_OK) == 0;
}

static void standin_path(const Standin *s, const char *name, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s/%s", s->dir, name);
}

/* Whoever reads it sees all of it or what was there before. */
void standin_write(const Standin *s, const char *name, const char *text)
{
        char path[128], new[140];
        standin_path(s, name, path, sizeof(path));
        if (!text) {
                (void) unlink(path);
                return;
        }
        (void) snprintf(new, sizeof(new), "%s.new", path);
        FILE *f = fopen(new, "we");
        if (!f || fputs(text, f) < 0 || fclose(f) != 0 || rename(new, path) < 0)
                standin_fail(path);
}

char *standin_read(const Standin *s, const char *name)
{
        char path[128], *text = NULL;
        size_t size = 0;
        standin_path(s, name, path, sizeof(path));
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f || getdelim(&text, &size, '\0', f) < 0) {
                free(text);
                text = strdup("");
        }
        return text;
}

static void standin_exec(const Standin *s, const char *script, pid_t parent)
{
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        (void) execl(PYTHON, PYTHON, script, s->dir, "127.0.0.1", "0", (char *) NULL);
        _exit(127);
}

/* Its port is there as soon as it listens. */
static void standin_wait(Standin *s, int watch)
{
        char events[4096];
        struct pollfd fd = { .fd = watch, .events = POLLIN };
        for (;;) {
                _cleanup_(freep) char *port = standin_read(s, "port");
                if (*port) {
                        (void) snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%.10s", port);
                        return;
                }
                if (poll(&fd, 1, START_MSEC) <= 0)
                        standin_fail("it does not begin to listen");
                (void) !read(watch, events, sizeof(events));
        }
}

Standin *standin_new(const char *edge, const char *servers)
{
        const char *source = getenv("EDGE_ROLL_SOURCE");
        Standin *s = calloc(1, sizeof(*s));
        char script[4096];
        if (!s)
                standin_fail("calloc");
        (void) snprintf(s->dir, sizeof(s->dir), "/tmp/edge-roll-standin-XXXXXX");
        if (!mkdtemp(s->dir))
                standin_fail("mkdtemp");
        standin_write(s, "edge.json", edge);
        standin_write(s, "servers.json", servers);
        (void) snprintf(script, sizeof(script), "%s/tests/e2e/standin/management.py", source ? source : ".");
        int watch = inotify_init1(IN_CLOEXEC);
        if (watch < 0 || inotify_add_watch(watch, s->dir, IN_MOVED_TO) < 0)
                standin_fail("inotify");
        pid_t parent = getpid();
        s->pid = fork();
        if (s->pid < 0)
                standin_fail("fork");
        if (s->pid == 0)
                standin_exec(s, script, parent);
        standin_wait(s, watch);
        (void) close(watch);
        return s;
}

Standin *standin_free(Standin *s)
{
        static const char *const files[] = { "edge.json", "servers.json", "mode", "user", "log", "port" };
        char path[128];
        if (!s)
                return NULL;
        (void) kill(s->pid, SIGKILL);
        (void) waitpid(s->pid, NULL, 0);
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                standin_path(s, files[i], path, sizeof(path));
                (void) unlink(path);
        }
        (void) rmdir(s->dir);
        free(s);
        return NULL;
}

const char *standin_url(const Standin *s)
{
        return s->url;
}

const char *standin_dir(const Standin *s)
{
        return s->dir;
}
