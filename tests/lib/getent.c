/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/getent.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MUST(ok)                                \
        do {                                    \
                if (!(ok)) {                    \
                        perror("getent: " #ok); \
                        abort();                \
                }                               \
        } while (0)

#define AT_START_MSEC 150

static void name(const Getent *g, const char *file, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s/%s", g->folder, file);
}

void getent_start(Getent *g, const char *script)
{
        char path[128], log[128], all[4096];

        *g = (Getent){ .folder = "/tmp/edge-roll-getent.XXXXXX" };
        MUST(mkdtemp(g->folder));
        g->path = strdup(getenv("PATH"));
        MUST(g->path);
        name(g, "getent", path, sizeof(path));
        name(g, "log", log, sizeof(log));
        FILE *f = fopen(path, "we");
        MUST(f && fprintf(f, "#!/bin/sh\nread -r up _ </proc/uptime; echo \"$$ $up\" >>%s\n%s\n", log,
                          script) > 0);
        MUST(fclose(f) == 0 && chmod(path, 0700) == 0);
        (void) snprintf(all, sizeof(all), "%s:%s", g->folder, g->path);
        MUST(setenv("PATH", all, 1) == 0);
}

void getent_stop(Getent *g)
{
        char path[128];

        MUST(setenv("PATH", g->path, 1) == 0);
        free(g->path);
        name(g, "getent", path, sizeof(path));
        (void) unlink(path);
        name(g, "log", path, sizeof(path));
        (void) unlink(path);
        (void) rmdir(g->folder);
}

int getent_pid(const Getent *g)
{
        char path[128], line[64];
        int pid = 0;

        name(g, "log", path, sizeof(path));
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
                pid = (int) strtol(line, NULL, 10);
        return pid;
}

unsigned getent_most_at_start(const Getent *g)
{
        char path[128], line[64];
        double first = -1;
        unsigned n = 0;

        name(g, "log", path, sizeof(path));
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f)) {
                const char *at = strchr(line, ' ');
                double begun = at ? strtod(at, NULL) : 0;
                if (first < 0)
                        first = begun;
                n += (begun - first) * 1000 < AT_START_MSEC;
        }
        return n;
}
