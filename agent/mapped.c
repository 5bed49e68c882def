/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mapped.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DELETED_SUFFIX " (deleted)"
#define SEEN_MAX       8192 /* different files of all processes */

struct Mapped {
        const char *root;
        FILE *out;
        char **seen;
        size_t n_seen;
        unsigned processes, told, more;
        bool failed;
};

static bool ends_with(const char *text, const char *end)
{
        size_t n = strlen(text), m = strlen(end);
        return n >= m && strcmp(text + n - m, end) == 0;
}

static bool cut_deleted(char *path)
{
        if (!ends_with(path, DELETED_SUFFIX))
                return false;
        path[strlen(path) - strlen(DELETED_SUFFIX)] = '\0';
        return true;
}

bool mapped_line(char *line, MappedLine *ret)
{
        /* address perms offset dev inode path: five words, then blanks, then the rest of the line. */
        char *p = line, *perms = line;
        line[strcspn(line, "\n")] = '\0';
        for (int word = 0; word < 5; word++) {
                p += strspn(p, " ");
                if (word == 1)
                        perms = p;
                p += strcspn(p, " ");
        }
        p += strspn(p, " ");
        if (*p != '/' || strlen(perms) < 4)
                return false;
        ret->executable = perms[2] == 'x';
        ret->deleted = cut_deleted(p);
        ret->path = p;
        return true;
}

bool mapped_is_code(const char *path, bool executable)
{
        static const char *const elsewhere[] = { "/dev/", "/proc/",  "/sys/",    "/run/",
                                                 "/SYSV", "/memfd:", "/var/run/" };
        static const char *const passing[] = { "/tmp/", "/temp/" };
        static const char *const archives[] = { ".jar", ".war", ".ear" };

        for (size_t i = 0; i < ELEMENTS(elsewhere); i++)
                if (strncmp(path, elsewhere[i], strlen(elsewhere[i])) == 0)
                        return false;
        for (size_t i = 0; i < ELEMENTS(passing); i++)
                if (strstr(path, passing[i]))
                        return false;
        if (executable || ends_with(path, ".so") || strstr(path, ".so."))
                return true;
        for (size_t i = 0; i < ELEMENTS(archives); i++)
                if (ends_with(path, archives[i]))
                        return true;
        return false;
}

int mapped_new(Mapped **ret, const char *root, FILE *out)
{
        Mapped *m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->root = root ? root : "/proc";
        m->out = out;
        *ret = m;
        return 0;
}

Mapped *mapped_free(Mapped *m)
{
        if (!m)
                return NULL;
        for (size_t i = 0; i < m->n_seen; i++)
                free(m->seen[i]);
        free(m->seen);
        free(m);
        return NULL;
}

/* Many processes use the same files. @deleted: the same name may be there and gone, one after the other. */
static bool mapped_again(Mapped *m, const char *path, bool deleted)
{
        for (size_t i = 0; i < m->n_seen; i++)
                if ((m->seen[i][0] == 'd') == deleted && strcmp(m->seen[i] + 1, path) == 0)
                        return true;
        char **more = m->n_seen < SEEN_MAX ? realloc(m->seen, (m->n_seen + 1) * sizeof(*more)) : NULL;
        if (more)
                m->seen = more;
        if (!more || asprintf(&more[m->n_seen], "%c%s", deleted ? 'd' : '-', path) < 0) {
                m->failed = true;
                return false;
        }
        m->n_seen++;
        return false;
}

static void mapped_tell(Mapped *m, const char *what, const char *path)
{
        char text[MAPPED_PATH_MAX];

        if (m->told == MAPPED_TOLD_MAX) {
                m->more++;
                return;
        }
        m->told++;
        (void) snprintf(text, sizeof(text), "%s", path);
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20)
                        *p = '?';
        (void) fprintf(m->out, "%s %s\n", what, text);
}

/* A file that process @pid uses, by the name that it has in that one's root. */
static void mapped_file(Mapped *m, int pid, const char *path, bool deleted, Usec since)
{
        _cleanup_(freep) char *seen_from_here = NULL;
        struct stat st;

        if (mapped_again(m, path, deleted))
                return;
        if (deleted) {
                mapped_tell(m, "deleted", path);
                return;
        }
        if (asprintf(&seen_from_here, "%s/%d/root%s", m->root, pid, path) < 0) {
                seen_from_here = NULL;
                m->failed = true;
                return;
        }
        if (stat(seen_from_here, &st) < 0) {
                /* Unmounted, or in a namespace that hides it: it is not the file that lies there. */
                if (errno == ENOENT || errno == ENOTDIR)
                        mapped_tell(m, "deleted", path);
                else
                        m->failed = true;
                return;
        }
        Usec changed = (Usec) st.st_ctim.tv_sec * USEC_PER_SEC + (Usec) st.st_ctim.tv_nsec / 1000;
        if (since != USEC_INFINITY && changed > since)
                mapped_tell(m, "changed", path);
}

static bool scan_maps(Mapped *m, int pid, Usec since)
{
        char path[PATH_MAX];
        _cleanup_(freep) char *line = NULL;
        size_t size = 0;

        (void) snprintf(path, sizeof(path), "%s/%d/maps", m->root, pid);
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f)
                return false;
        while (getline(&line, &size, f) > 0) {
                MappedLine l;
                if (mapped_line(line, &l) && mapped_is_code(l.path, l.executable))
                        mapped_file(m, pid, l.path, l.deleted, since);
        }
        return !ferror(f);
}

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

/* Java of today opens its archives instead of mapping them. */
static bool scan_open(Mapped *m, int pid, Usec since)
{
        char path[PATH_MAX], target[PATH_MAX];

        (void) snprintf(path, sizeof(path), "%s/%d/fd", m->root, pid);
        _cleanup_(closedirp) DIR *d = opendir(path);
        if (!d)
                return false;
        for (const struct dirent *e; (e = readdir(d));) {
                ssize_t n = e->d_name[0] == '.' ? -1
                                                : readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
                if (n <= 0 || target[0] != '/')
                        continue;
                target[n] = '\0';
                bool deleted = cut_deleted(target);
                if (mapped_is_code(target, false))
                        mapped_file(m, pid, target, deleted, since);
        }
        return true;
}

bool mapped_scan(Mapped *m, int pid, Usec since)
{
        if (!scan_maps(m, pid, since) || !scan_open(m, pid, since))
                return false;
        m->processes++;
        return true;
}

void mapped_end(Mapped *m)
{
        if (m->more > 0)
                (void) fprintf(m->out, "more %u\n", m->more);
        if (!m->failed)
                (void) fprintf(m->out, "end %u %zu\n", m->processes, m->n_seen);
}

int mapped_main(int argc, char **argv)
{
        _cleanup_(mapped_freep) Mapped *m = NULL;

        if (mapped_new(&m, NULL, stdout) < 0)
                return EXIT_FAILURE;
        for (int i = 0; i < argc; i++) {
                int pid;
                Usec since;
                if (sscanf(argv[i], "%d:%" SCNu64, &pid, &since) != 2 || pid <= 0) {
                        (void) fprintf(stderr, "not PID:MICROSECONDS: %s\n", argv[i]);
                        return EXIT_FAILURE;
                }
                /* One that is gone, or not told, is missing in the count at the end. */
                if (!mapped_scan(m, pid, since))
                        continue;
        }
        mapped_end(m);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

MappedAnswer mapped_read(char *text, MappedFn fn, void *userdata)
{
        MappedAnswer answer = { 0 };
        char *state = NULL;

        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                char *space = strchr(line, ' ');
                if (!space)
                        continue;
                *space = '\0';
                if (strcmp(line, "end") == 0)
                        answer.whole = sscanf(space + 1, "%u %u", &answer.processes, &answer.files) == 2;
                else if (strcmp(line, "deleted") == 0 || strcmp(line, "changed") == 0 ||
                         strcmp(line, "more") == 0)
                        fn(line, space + 1, userdata);
        }
        return answer;
}
