/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/points.h"

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define KINDS 24

void points_add(Points *p, const char *what, const char *when)
{
        for (size_t i = 0; i < p->n; i++)
                if (strcmp(p->points[i].what, what) == 0 && strcmp(p->points[i].when, when) == 0)
                        return;
        assert_true(p->n < POINTS_MAX);
        Point *one = &p->points[p->n++];
        (void) snprintf(one->what, sizeof(one->what), "%s", what);
        one->when = when;
}

void points_tell(const Points *p, const char *profile)
{
        char said[KINDS * 40] = "", kinds[KINDS][32];
        unsigned counts[KINDS] = { 0 };
        size_t n = 0, k;
        for (size_t i = 0; i < p->n; i++) {
                const char *what = p->points[i].what;
                size_t len = MIN(strcspn(what, " "), sizeof(kinds[0]) - 1);
                for (k = 0; k < n && (strlen(kinds[k]) != len || strncmp(kinds[k], what, len) != 0); k++)
                        ;
                if (k == KINDS)
                        k--;
                else if (k == n)
                        (void) snprintf(kinds[n++], sizeof(kinds[0]), "%.*s", (int) len, what);
                counts[k]++;
        }
        for (k = 0; k < n; k++)
                (void) snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s %u", k ? ", " : "",
                                kinds[k], counts[k]);
        print_message("# %s: %zu points: %s\n", profile, p->n, said);
}

void points_sample(size_t n, size_t usual, bool wanted, bool *ret)
{
        const char *how_many = getenv("KILL_POINTS");
        bool all = wanted || (how_many && strcmp(how_many, "all") == 0);
        size_t day = (size_t) (time(NULL) / 86400);
        size_t most = all ? n : MIN(how_many ? strtoul(how_many, NULL, 10) : usual, n);
        for (size_t i = 0; i < n; i++)
                ret[i] = false;
        for (size_t i = 0; i < most; i++)
                ret[(i * n / most + day) % n] = true;
}

bool points_always(const char *const *always, const char *name)
{
        for (; *always; always++)
                if (strcmp(*always, name) == 0)
                        return true;
        return false;
}

bool points_wanted(const char *wanted, const char *name)
{
        return !wanted || strcmp(wanted, name) == 0 || fnmatch(wanted, name, 0) == 0;
}

bool points_profile_wanted(const char *wanted, const char *profile)
{
        size_t len = strlen(profile);
        return !wanted || *wanted == '*' || (strncmp(wanted, profile, len) == 0 && wanted[len] == '/');
}

void points_count(PointCounts *c, char *what)
{
        size_t i = 0, len = strlen(what);
        while (i < c->n && strcmp(c->names[i].what, what) != 0)
                i++;
        assert_true(i < ELEMENTS(c->names));
        if (i == c->n)
                (void) snprintf(c->names[c->n++].what, sizeof(c->names[0].what), "%s", what);
        if (++c->names[i].n > 1)
                (void) snprintf(what + len, sizeof(c->names[0].what) - len, "#%u", c->names[i].n);
}
