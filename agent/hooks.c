/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/hooks.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const hook_names[] = {
        [HOOK_BEFORE_BLOCK] = "before-block",
        [HOOK_VERIFY] = "verify",
        [HOOK_AFTER_RETURN] = "after-return",
        [HOOK_ON_HOLD] = "on-hold",
};
_Static_assert(ELEMENTS(hook_names) == HOOK_COUNT, "every point has a name");

const char *hook_point_name(HookPoint point)
{
        return point >= 0 && point < HOOK_COUNT ? hook_names[point] : "invalid";
}

/* What editors and package managers leave next to a file. */
static bool is_leftover(const char *name)
{
        static const char *const ends[] = { "~", ".rpmnew", ".rpmsave", ".rpmorig" };
        size_t len = strlen(name);
        if (name[0] == '.' || strstr(name, ".dpkg-"))
                return true;
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                size_t n = strlen(ends[i]);
                if (len >= n && strcmp(name + len - n, ends[i]) == 0)
                        return true;
        }
        return false;
}

static int owned_by_root(const char *path, const struct stat *st, Err *err)
{
        if (st->st_uid != 0)
                return err_set(err, -EPERM,
                               "%.200s belongs to uid %u: hooks run as root, so only root may own them", path,
                               (unsigned) st->st_uid);
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return err_set(err, -EPERM,
                               "%.200s can be written by others than root (chmod go-w): hooks run as root",
                               path);
        return 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

/* @path and everything above it: who may rename a directory on the way may put another in its place; a sticky
 * one (/tmp) is safe from that. Return: 1 when it is there, 0 when it is not. */
static int check_directories(const char *path, Err *err)
{
        _cleanup_(freep) char *part = strdup(path);
        if (!part)
                return err_set(err, -ENOMEM, "out of memory");
        for (char *end = part;;) {
                struct stat st;
                end = strchr(end + 1, '/');
                if (end)
                        *end = '\0';
                if (lstat(part, &st) < 0)
                        return errno == ENOENT ? 0 : err_errno(err, -errno, "%.200s", part);
                if (!S_ISDIR(st.st_mode))
                        return err_set(err, -EPERM, "%.200s is no directory (links are not followed)", part);
                int r = st.st_uid == 0 && (st.st_mode & S_ISVTX) ? 0 : owned_by_root(part, &st, err);
                if (r < 0)
                        return r;
                if (!end)
                        return 1;
                *end = '/';
        }
}

int hooks_list(const char *dir, HookPoint point, Words *ret, Err *err)
{
        _cleanup_(words_freep) Words list = calloc(HOOKS_MAX + 1, sizeof(char *));
        _cleanup_(freep) char *sub = NULL;
        size_t n = 0;
        if (!list || asprintf(&sub, "%s/%s", dir, hook_point_name(point)) < 0)
                return err_set(err, -ENOMEM, "out of memory");

        int r = check_directories(sub, err);
        if (r < 0)
                return r;
        _cleanup_(closedirp) DIR *d = r > 0 ? opendir(sub) : NULL;
        if (r > 0 && !d)
                return err_errno(err, -errno, "%.200s", sub);
        for (const struct dirent *entry; d && (entry = readdir(d));) {
                _cleanup_(freep) char *path = NULL;
                struct stat st;
                if (is_leftover(entry->d_name))
                        continue;
                if (asprintf(&path, "%s/%s", sub, entry->d_name) < 0)
                        return err_set(err, -ENOMEM, "out of memory");
                if (lstat(path, &st) < 0 && errno == ENOENT)
                        continue;
                if (S_ISREG(st.st_mode) && !(st.st_mode & 0111))
                        continue;
                if (!S_ISREG(st.st_mode))
                        return err_set(err, -EPERM, "%.200s is no regular file (links are not followed)",
                                       path);
                r = owned_by_root(path, &st, err);
                if (r < 0)
                        return r;
                if (n == HOOKS_MAX)
                        return err_set(err, -E2BIG, "%.200s has more than %d hooks", sub, HOOKS_MAX);
                list[n++] = TAKE_PTR(path);
        }
        qsort(list, n, sizeof(char *), by_name);
        *ret = TAKE_PTR(list);
        return 0;
}
