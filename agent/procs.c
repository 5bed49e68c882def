/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/procs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

typedef struct Stat {
        char state;
        int parent, group, terminal, foreground;
        uint64_t start;
} Stat;

/* The name in parentheses may have spaces and parentheses of its own, so it is skipped from behind. */
static bool stat_read(const char *root, int pid, Stat *ret)
{
        char path[256], line[1024];
        (void) snprintf(path, sizeof(path), "%s/%d/stat", root ? root : "/proc", pid);
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f)
                return false;
        size_t n = fread(line, 1, sizeof(line) - 1, f);
        line[n] = '\0';
        const char *p = strrchr(line, ')');
        unsigned long long start;
        if (!p ||
            sscanf(p + 1, " %c %d %d %*d %d %d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                   &ret->state, &ret->parent, &ret->group, &ret->terminal, &ret->foreground, &start) != 6)
                return false;
        ret->start = start;
        return true;
}

static bool word_has(const char *text, size_t len, const char *word)
{
        return memmem(text, len, word, strlen(word)) != NULL;
}

static bool command_is(const char *root, int pid, const char *name)
{
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/%d/cmdline", root ? root : "/proc", pid);
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f)
                return false;
        /* A Java command line is long, and what names the component may stand at its end. */
        _cleanup_(freep) char *text = malloc(128 * 1024);
        if (!text)
                return false;
        size_t n = fread(text, 1, 128 * 1024, f);
        return word_has(text, n, name) && !word_has(text, n, "apigee-service");
}

static bool in_foreground(const Stat *s)
{
        return s->terminal != 0 && s->foreground == s->group;
}

static bool found(const Proc *procs, size_t n, int pid)
{
        for (size_t i = 0; i < n; i++)
                if (procs[i].pid == pid)
                        return true;
        return false;
}

size_t procs_find(const char *root, const int *pids, size_t n, const char *name, Proc *ret, size_t max)
{
        size_t have = 0, before;
        Stat s;

        for (size_t i = 0; i < n && have < max; i++)
                if (stat_read(root, pids[i], &s) && s.state != 'Z' && !in_foreground(&s) &&
                    command_is(root, pids[i], name))
                        ret[have++] = (Proc){ .pid = pids[i], .start = s.start };
        /* Children may stand before their parents. */
        do {
                before = have;
                for (size_t i = 0; i < n && have < max; i++)
                        if (!found(ret, have, pids[i]) && stat_read(root, pids[i], &s) && s.state != 'Z' &&
                            found(ret, have, s.parent))
                                ret[have++] = (Proc){ .pid = pids[i], .start = s.start };
        } while (have > before && have < max);
        return have;
}

size_t procs_alive(const char *root, const Proc *procs, size_t n)
{
        size_t alive = 0;
        Stat s;

        for (size_t i = 0; i < n; i++)
                alive += stat_read(root, procs[i].pid, &s) && s.start == procs[i].start && s.state != 'Z' &&
                         s.state != 'X';
        return alive;
}

bool procs_get(const char *root, int pid, Proc *ret)
{
        Stat s;
        if (!stat_read(root, pid, &s) || s.state == 'Z' || s.state == 'X')
                return false;
        *ret = (Proc){ .pid = pid, .start = s.start };
        return true;
}

uint64_t procs_started(const Proc *proc)
{
        long ticks = sysconf(_SC_CLK_TCK);
        uint64_t per_second = ticks > 0 ? (uint64_t) ticks : 100;
        return proc->start / per_second * 1000000 + proc->start % per_second * 1000000 / per_second;
}
