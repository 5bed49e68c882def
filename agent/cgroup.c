/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "agent/systemd.h"

#define CGROUP_DEPTH 64 /* more than any tree has; bounds the descriptors held open */

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

static const char *cgroup2_mount(void)
{
        static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

        for (size_t i = 0; i < ELEMENTS(mounts); i++) {
                struct statfs fs;
                if (statfs(mounts[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
                        return mounts[i];
        }
        return NULL;
}

static bool path_valid(const char *path)
{
        if (path[0] != '/' || strlen(path) >= PATH_MAX)
                return false;
        for (const char *p = path; (p = strstr(p, "..")); p += 2)
                if (p[-1] == '/' && (p[2] == '/' || p[2] == '\0'))
                        return false;
        return true;
}

/* Return: descriptor of @path below @root; negative errno. Symbolic links below @root are not followed. */
static int path_open(const char *root, const char *path)
{
        _cleanup_(closep) int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
                char name[NAME_MAX + 1];
                size_t n = strcspn(p, "/");
                if (n > NAME_MAX)
                        return -ENAMETOOLONG;
                memcpy(name, p, n);
                name[n] = '\0';
                p += n;
                int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (next < 0)
                        return -errno;
                (void) close(fd);
                fd = next;
        }
        return TAKE_FD(fd);
}

/* A cgroup that ends during a walk is what walks are for: no error. */
static bool errno_gone(int r)
{
        return r == -ENOENT || r == -ENODEV || r == -ENOTDIR;
}

/* @fn is called for each directory below and at @fd. Return: its value as soon as it is not 0; 0 at the end.
 */
typedef int (*WalkFn)(int fd, const char *path, void *userdata);

typedef struct Walk {
        WalkFn fn;
        void *userdata;
        dev_t dev; /* another file system is not looked into */
        char path[PATH_MAX];
} Walk;

static int walk(Walk *w, int fd, size_t path_len, unsigned depth);

static int walk_entry(Walk *w, int fd, size_t path_len, unsigned depth, const struct dirent *entry)
{
        if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0)
                return 0;
        size_t n = strlen(entry->d_name);
        if (path_len + n + 2 > sizeof(w->path))
                return 0;
        _cleanup_(closep) int sub = openat(fd, entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0)
                return errno_gone(-errno) || errno == ELOOP ? 0 : -errno;
        struct stat st;
        if (fstat(sub, &st) < 0 || st.st_dev != w->dev)
                return 0;
        w->path[path_len] = '/';
        memcpy(w->path + path_len + 1, entry->d_name, n + 1);
        int r = walk(w, sub, path_len + 1 + n, depth);
        w->path[path_len] = '\0';
        return r;
}

static int walk(Walk *w, int fd, size_t path_len, unsigned depth)
{
        int r = w->fn(fd, w->path, w->userdata);
        if (r != 0)
                return r;
        if (depth == 0)
                return 0;

        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (copy < 0)
                return errno_gone(-errno) ? 0 : -errno;
        _cleanup_(closedirp) DIR *dir = fdopendir(copy);
        if (!dir) {
                r = -errno;
                (void) close(copy);
                return r;
        }
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(dir);
                if (!entry)
                        return errno == 0 || errno_gone(-errno) ? 0 : -errno;
                r = walk_entry(w, fd, path_len, depth - 1, entry);
                if (r != 0)
                        return r;
        }
}

static int walk_from(int fd, WalkFn fn, void *userdata)
{
        Walk w = { .fn = fn, .userdata = userdata };
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        w.dev = st.st_dev;
        return walk(&w, fd, 0, CGROUP_DEPTH);
}

typedef struct Wanted {
        uint64_t id;
        char *path;
} Wanted;

static int walk_id(int fd, const char *path, void *userdata)
{
        Wanted *wanted = userdata;
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_ino != wanted->id)
                return 0;
        wanted->path = strdup(path[0] ? path : "/");
        return wanted->path ? 1 : -ENOMEM;
}

int cgroup_path_of_id(const char *root, uint64_t cgroup_id, char **ret, Err *err)
{
        if (!root && !(root = cgroup2_mount()))
                return err_set(err, -ENOENT, "there is no cgroup2 file system here");

        Wanted wanted = { .id = cgroup_id };
        _cleanup_(closep) int fd = path_open(root, "/");
        int r = fd < 0 ? fd : walk_from(fd, walk_id, &wanted);
        if (r < 0)
                return err_errno(err, r, "cannot look for a cgroup in %s", root);
        if (r == 0)
                return err_set(err, -ENOENT, "no cgroup in %s has the id %llu", root,
                               (unsigned long long) cgroup_id);
        *ret = wanted.path;
        return 0;
}

int cgroup_id_of_path(const char *root, const char *path, uint64_t *ret, Err *err)
{
        if (!root && !(root = cgroup2_mount()))
                return err_set(err, -ENOENT, "there is no cgroup2 file system here");
        if (!path_valid(path))
                return err_set(err, -EINVAL, "\"%s\" is not the path of a cgroup", path);

        struct stat st;
        _cleanup_(closep) int fd = path_open(root, path);
        int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
        if (r < 0)
                return err_errno(err, r, "cannot open the cgroup %s", path);
        *ret = st.st_ino;
        return 0;
}

bool cgroup_unit(const char *path, char *ret, size_t size)
{
        for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
                char name[256];
                size_t n = strcspn(p, "/");
                /* A leading '_' keeps unit names apart from the kernel's file names. */
                const char *from = n > 1 && p[0] == '_' ? p + 1 : p;
                size_t len = n - (size_t) (from - p);
                p += n;
                if (len >= sizeof(name))
                        return false;
                memcpy(name, from, len);
                name[len] = '\0';
                if (!systemd_unit_name_valid(name))
                        return false;
                const char *dot = strrchr(name, '.');
                if (strcmp(dot, ".slice") == 0)
                        continue;
                if (len >= size)
                        return false;
                memcpy(ret, name, len + 1);
                return true;
        }
        return false;
}

typedef struct Pids {
        int *pids;
        size_t max, n;
} Pids;

static int walk_pids(int fd, const char *path _unused_, void *userdata)
{
        Pids *pids = userdata;

        int procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        if (procs < 0)
                return errno_gone(-errno) ? 0 : -errno;
        _cleanup_(fclosep) FILE *file = fdopen(procs, "r");
        if (!file) {
                int r = -errno;
                (void) close(procs);
                return r;
        }
        char line[32];
        errno = 0;
        while (fgets(line, sizeof(line), file)) {
                if (pids->n < pids->max)
                        pids->pids[pids->n] = (int) strtol(line, NULL, 10);
                pids->n++;
                errno = 0;
        }
        /* A threaded cgroup lists its processes only in the domain above it. */
        if (ferror(file) && !errno_gone(-errno) && errno != EOPNOTSUPP)
                return errno > 0 ? -errno : -EIO;
        return 0;
}

int cgroup_pids(const char *root, const char *path, int *ret_pids, size_t max, Err *err)
{
        if (!root && !(root = cgroup2_mount()))
                root = "/sys/fs/cgroup/systemd";
        if (!path_valid(path))
                return err_set(err, -EINVAL, "\"%s\" is not the path of a cgroup", path);

        _cleanup_(closep) int top = path_open(root, "/");
        if (top < 0)
                return err_errno(err, top, "no cgroups at %s", root);
        Pids pids = { .pids = ret_pids, .max = max };
        _cleanup_(closep) int fd = path_open(root, path);
        if (fd < 0)
                return errno_gone(fd) ? 0 : err_errno(err, fd, "cannot open the cgroup %s", path);
        int r = walk_from(fd, walk_pids, &pids);
        if (r < 0)
                return err_errno(err, r, "cannot read the processes of the cgroup %s", path);
        return (int) MIN(pids.n, (size_t) INT_MAX);
}
