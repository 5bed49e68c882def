/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/needed-files.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define REASONS_MAX 20 /* files that are named; more are counted */

typedef struct FileWalk {
        Needed *n;
        Usec started, now;
        unsigned seen, changed;
        size_t visited;
        bool full;
} FileWalk;

static Usec stat_changed(const struct stat *st)
{
        return (Usec) st->st_ctim.tv_sec * USEC_PER_SEC + (Usec) st->st_ctim.tv_nsec / 1000;
}

/* Return: true when it says yes. */
static bool walk_stat(FileWalk *w, const char *path, const struct stat *st, const char *what)
{
        char changed[32], started[32];
        Usec when = stat_changed(st);

        switch (needed_file_says(when, w->started, w->now)) {
        case NEEDED_SAYS_YES:
                if (w->changed++ < REASONS_MAX)
                        needed_add(w->n, NEEDED_FILES, NEEDED_SAYS_YES,
                                   "%s%.200s was changed at %s, after the start at %s", what, path,
                                   time_stamp(when, changed, sizeof(changed)),
                                   time_stamp(w->started, started, sizeof(started)));
                return true;
        case NEEDED_UNSEEN:
                needed_add(w->n, NEEDED_FILES, NEEDED_UNSEEN,
                           "%s%.200s was changed at %s, which is yet to come: the clock was another one",
                           what, path, time_stamp(when, changed, sizeof(changed)));
                return false;
        case NEEDED_SAYS_NO:
        case NEEDED_ANSWER_COUNT:
        case NEEDED_ANSWER_INVALID:
                break;
        }
        w->seen++;
        return false;
}

static void walk_error(FileWalk *w, const char *path, int error)
{
        needed_add(w->n, NEEDED_FILES, NEEDED_UNSEEN, "%.200s cannot be looked at: %s", path,
                   strerror(error));
}

/* What is not there may have been there at the start: then some directory on the way to it was changed since,
 * the nearest one that is there now. */
static void walk_absent(FileWalk *w, const char *path)
{
        _cleanup_(freep) char *dir = strdup(path);
        struct stat st;
        char changed[32];

        if (!dir) {
                walk_error(w, path, ENOMEM);
                return;
        }
        for (;;) {
                char *slash = strrchr(dir, '/');
                if (!slash)
                        break;
                slash[slash == dir] = '\0';
                if (stat(dir, &st) == 0)
                        break;
                if ((errno != ENOENT && errno != ENOTDIR) || slash == dir) {
                        walk_error(w, dir, errno);
                        return;
                }
        }
        if (needed_file_says(stat_changed(&st), w->started, w->now) == NEEDED_SAYS_NO) {
                w->seen++;
                return;
        }
        needed_add(
                w->n, NEEDED_FILES, NEEDED_UNSEEN,
                "%.150s is not there, and may have been taken away since the start: %.100s was changed at %s",
                path, dir, time_stamp(stat_changed(&st), changed, sizeof(changed)));
}

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

static bool walk_path(FileWalk *w, const char *path, unsigned depth);

static bool walk_directory(FileWalk *w, const char *path, unsigned depth)
{
        bool yes = false;
        _cleanup_(closedirp) DIR *d = opendir(path);
        if (!d) {
                walk_error(w, path, errno);
                return false;
        }
        for (const struct dirent *e; (errno = 0, e = readdir(d));) {
                _cleanup_(freep) char *sub = NULL;
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (asprintf(&sub, "%s/%s", path, e->d_name) < 0) {
                        sub = NULL;
                        walk_error(w, path, ENOMEM);
                        return yes;
                }
                yes = walk_path(w, sub, depth + 1) || yes;
                if (w->full)
                        return yes;
        }
        if (errno)
                walk_error(w, path, errno);
        return yes;
}

/* Return: true when something of it says yes. */
static bool walk_path(FileWalk *w, const char *path, unsigned depth)
{
        struct stat st;

        if (w->visited++ >= NEEDED_TREE_MAX || depth > NEEDED_TREE_DEPTH) {
                w->full = true;
                return false;
        }
        if (lstat(path, &st) < 0) {
                if (depth > 0 && errno == ENOENT)
                        return false; /* gone since its directory was read, which tells of it */
                if (errno == ENOENT || errno == ENOTDIR)
                        walk_absent(w, path);
                else
                        walk_error(w, path, errno);
                return false;
        }
        bool yes = walk_stat(w, path, &st, "");
        if (S_ISLNK(st.st_mode)) {
                if (stat(path, &st) < 0) {
                        needed_add(w->n, NEEDED_FILES, NEEDED_UNSEEN, "what %.200s leads to is not known: %s",
                                   path, strerror(errno));
                        return yes;
                }
                yes = walk_stat(w, path, &st, "what a link leads to: ") || yes;
                if (depth > 0)
                        return yes; /* a tree of links need not end */
        }
        return S_ISDIR(st.st_mode) ? walk_directory(w, path, depth) || yes : yes;
}

static bool has_wildcard(const char *text)
{
        return strpbrk(text, "*?[") != NULL;
}

bool needed_hidden(const char *path)
{
        static const char *const hidden[] = { "/home", "/root", "/run/user", "/tmp", "/var/tmp", "/dev" };
        for (size_t i = 0; i < ELEMENTS(hidden); i++) {
                size_t n = strlen(hidden[i]);
                if (strncmp(path, hidden[i], n) == 0 && (path[n] == '/' || !path[n]))
                        return true;
        }
        return false;
}

bool needed_pattern_valid(const char *path)
{
        const char *slash = strrchr(path, '/');
        const char *wild = strpbrk(path, "*?[");
        return path[0] == '/' && strlen(path) < PATH_MAX && (!wild || wild > slash) && !needed_hidden(path);
}

static void globfreep(glob_t *g)
{
        globfree(g);
}

static void walk_pattern(FileWalk *w, const char *pattern)
{
        _cleanup_(globfreep) glob_t found = { 0 };
        _cleanup_(freep) char *dir = strdup(pattern);
        bool yes = false;
        struct stat st;

        if (!dir) {
                walk_error(w, pattern, ENOMEM);
                return;
        }
        char *slash = strrchr(dir, '/');
        slash[slash == dir] = '\0';
        if (stat(dir, &st) < 0) {
                if (errno == ENOENT || errno == ENOTDIR)
                        walk_absent(w, pattern);
                else
                        walk_error(w, dir, errno);
                return;
        }
        int r = glob(pattern, GLOB_ERR, NULL, &found);
        if (r != 0 && r != GLOB_NOMATCH) {
                needed_add(w->n, NEEDED_FILES, NEEDED_UNSEEN, "%.200s: the directory cannot be read",
                           pattern);
                return;
        }
        for (size_t i = 0; i < found.gl_pathc && !w->full; i++)
                yes = walk_path(w, found.gl_pathv[i], 0) || yes;
        if (!yes && needed_file_says(stat_changed(&st), w->started, w->now) != NEEDED_SAYS_NO) {
                char changed[32];
                needed_add(
                        w->n, NEEDED_FILES, NEEDED_UNSEEN,
                        "%.100s was changed at %s, after the start: a file that %.150s names may have been "
                        "taken away",
                        dir, time_stamp(stat_changed(&st), changed, sizeof(changed)), pattern);
        } else if (!yes)
                w->seen++;
}

void needed_files(Needed *n, const Words *lists, size_t n_lists, Usec started, Usec now)
{
        FileWalk w = { .n = n, .started = started, .now = now };
        char stamp[32];

        for (size_t list = 0; list < n_lists; list++)
                for (size_t i = 0; lists[list] && lists[list][i] && !w.full; i++) {
                        const char *word = lists[list][i];
                        if (needed_hidden(word))
                                needed_add(n, NEEDED_FILES, NEEDED_UNSEEN,
                                           "%.200s cannot be looked at: the agent's sandbox hides it", word);
                        else if (has_wildcard(word) && needed_pattern_valid(word))
                                walk_pattern(&w, word);
                        else
                                (void) walk_path(&w, word, 0);
                }
        if (w.changed > REASONS_MAX)
                needed_add(n, NEEDED_FILES, NEEDED_SAYS_YES, "and %u files more", w.changed - REASONS_MAX);
        if (w.full)
                needed_add(n, NEEDED_FILES, NEEDED_UNSEEN,
                           "restart_on names more than %d files or more than %d levels of directories",
                           NEEDED_TREE_MAX, NEEDED_TREE_DEPTH);
        if (w.changed == 0)
                needed_add(n, NEEDED_FILES, NEEDED_SAYS_NO,
                           "%u files of properties and restart_on not changed since %s", w.seen,
                           time_stamp(started, stamp, sizeof(stamp)));
}
