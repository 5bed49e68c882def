/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "base/words.h"
#include "probes/json.h"

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

static void json_textp(char **text)
{
        cJSON_free(*text);
}

static bool name_is_record(const char *name)
{
        size_t n = strlen(name);
        return n > strlen(".json") && strcmp(name + n - strlen(".json"), ".json") == 0;
}

static int name_check(const char *name, Err *err)
{
        /* Room for the temporary name: one character before it, four behind. */
        if (name[0] == '.' || strchr(name, '/') || !name_is_record(name) || strlen(name) + 5 > NAME_MAX)
                return err_set(err, -EINVAL, "\"%s\" is not the name of a record", name);
        return 0;
}

static int dir_open(const char *dir)
{
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

#define BOOT_ID_SIZE (SD_ID128_STRING_MAX + 32)

/* When process 1 was started, in ticks: a container that is started anew has the kernel's boot id of before.
 */
static unsigned long long init_started(void)
{
        char text[1024];
        unsigned long long started = 0;
        _cleanup_(closep) int fd = open("/proc/1/stat", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        /* Fields are counted from behind the name, which may hold anything. Source: proc(5), field 22. */
        const char *p = strrchr(text, ')');
        for (int field = 2; p && field < 22; field++)
                if ((p = strchr(p + 1, ' ')) && field == 21)
                        started = strtoull(p, NULL, 10);
        return started;
}

static int boot_id(char ret[BOOT_ID_SIZE], Err *err)
{
        char id[SD_ID128_STRING_MAX];
        sd_id128_t boot;
        int r = sd_id128_get_boot(&boot);
        if (r < 0)
                return err_errno(err, r, "cannot read this boot's id");
        (void) snprintf(ret, BOOT_ID_SIZE, "%s-%llu", sd_id128_to_string(boot, id), init_started());
        return 0;
}

static int record_stamp(cJSON *record, Err *err)
{
        char boot[BOOT_ID_SIZE];
        int r = boot_id(boot, err);
        if (r < 0)
                return r;
        cJSON_DeleteItemFromObjectCaseSensitive(record, "format");
        cJSON_DeleteItemFromObjectCaseSensitive(record, "boot_id");
        if (!cJSON_AddNumberToObject(record, "format", STATE_FORMAT) ||
            !cJSON_AddStringToObject(record, "boot_id", boot))
                return err_set(err, -ENOMEM, "out of memory");
        return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
        while (len > 0) {
                ssize_t n = write(fd, text, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                text += n;
                len -= (size_t) n;
        }
        return 0;
}

/* The whole file, on the disk. */
static int file_write(int dir, const char *name, const char *text)
{
        /* What an earlier process left when it died; O_EXCL then makes sure that nothing is followed. */
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
                return -errno;
        _cleanup_(closep) int fd =
                openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        int r = write_all(fd, text, strlen(text));
        if (r == 0)
                r = write_all(fd, "\n", 1);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        /* NFS and quotas tell a full disk only here. */
        if (close(TAKE_FD(fd)) < 0 && r == 0)
                r = -errno;
        return r;
}

int state_write(const char *dir, const char *name, cJSON *record, Err *err)
{
        int r = name_check(name, err);
        if (r == 0)
                r = record_stamp(record, err);
        _cleanup_(json_textp) char *text = r == 0 ? cJSON_Print(record) : NULL;
        /* A record that lacks something would be half a state. */
        const bool lost = json_lost();
        if (r < 0)
                return r;
        if (lost || !text)
                return err_set(err, -ENOMEM, "cannot write %s/%s: out of memory", dir, name);

        char temporary[NAME_MAX + 1];
        (void) snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
        _cleanup_(closep) int fd = dir_open(dir);
        if (fd < 0)
                return err_errno(err, fd, "cannot open the state directory %s", dir);
        r = file_write(fd, temporary, text);
        if (r == 0 && renameat(fd, temporary, fd, name) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(fd, temporary, 0);
                return err_errno(err, r, "cannot write %s/%s", dir, name);
        }
        if (fsync(fd) < 0)
                return err_errno(err, errno, "%s/%s is written, but may not survive a power loss", dir, name);
        return 0;
}

/* Return: 0, with *ret NULL when there is no such file; -EBADMSG; other negative errno. */
static int file_read(const char *dir, const char *name, char **ret, Err *err)
{
        _cleanup_(closep) int at = dir_open(dir);
        if (at == -ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (at < 0)
                return err_errno(err, at, "cannot open the state directory %s", dir);
        /* Nonblocking: somebody's FIFO of that name must not stop the loop. */
        _cleanup_(closep) int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
                *ret = NULL;
                return 0;
        }
        if (fd < 0)
                return err_errno(err, errno, "cannot read %s/%s", dir, name);
        struct stat st;
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "cannot read %s/%s", dir, name);
        if (!S_ISREG(st.st_mode) || st.st_size > STATE_MAX_BYTES)
                return err_set(err, -EBADMSG, "%s/%s is not a record: %s", dir, name,
                               S_ISREG(st.st_mode) ? "too large" : "not a file");

        size_t size = (size_t) st.st_size, len = 0;
        _cleanup_(freep) char *text = malloc(size + 1);
        if (!text)
                return err_set(err, -ENOMEM, "out of memory");
        while (len < size) {
                ssize_t n = read(fd, text + len, size - len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "cannot read %s/%s", dir, name);
                if (n == 0)
                        break;
                len += (size_t) n;
        }
        text[len] = '\0';
        if (len == 0 || strlen(text) != len)
                return err_set(err, -EBADMSG, "%s/%s is damaged: %s", dir, name, len ? "NUL bytes" : "empty");
        *ret = TAKE_PTR(text);
        return 0;
}

int state_read(const char *dir, const char *name, cJSON **ret, bool *ret_same_boot, Err *err)
{
        _cleanup_(freep) char *text = NULL;
        char boot[BOOT_ID_SIZE];

        int r = name_check(name, err);
        if (r < 0 || (r = file_read(dir, name, &text, err)) < 0)
                return r;
        if (!text) {
                *ret = NULL;
                if (ret_same_boot)
                        *ret_same_boot = false;
                return 0;
        }
        _cleanup_(json_closep) cJSON *record = NULL;
        /* Out of memory is no damage: a record that is taken for damaged is given up. */
        if ((r = json_open(text, strlen(text), STATE_MAX_BYTES, &record, NULL)) == -ENOMEM)
                return err_set(err, r, "%s/%s cannot be read: out of memory", dir, name);
        if (!cJSON_IsObject(record))
                return err_set(err, -EBADMSG, "%s/%s is damaged: not a JSON object", dir, name);
        const cJSON *format = cJSON_GetObjectItemCaseSensitive(record, "format");
        if (!cJSON_IsNumber(format))
                return err_set(err, -EPROTO, "%s/%s does not say which format it has", dir, name);
        if (format->valuedouble != STATE_FORMAT)
                return err_set(err, -EPROTO, "%s/%s has format %g, this version knows %d", dir, name,
                               format->valuedouble, STATE_FORMAT);
        if (ret_same_boot) {
                if ((r = boot_id(boot, err)) < 0)
                        return r;
                const char *written =
                        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, "boot_id"));
                /* The agent before an upgrade wrote the kernel's id only. */
                size_t n = written && !strchr(written, '-') ? SD_ID128_STRING_MAX - 1 : strlen(boot);
                *ret_same_boot = written && strlen(written) == n && strncmp(written, boot, n) == 0;
        }
        *ret = TAKE_PTR(record);
        return 0;
}

int state_remove(const char *dir, const char *name, Err *err)
{
        int r = name_check(name, err);
        if (r < 0)
                return r;
        _cleanup_(closep) int fd = dir_open(dir);
        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return err_errno(err, fd, "cannot open the state directory %s", dir);
        if (unlinkat(fd, name, 0) < 0) {
                const int why = errno;
                struct stat st;
                /* A read-only file system says so before it looks whether there is such a file. */
                if (why == ENOENT || (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT))
                        return 0;
                return err_errno(err, why, "cannot remove %s/%s", dir, name);
        }
        if (fsync(fd) < 0)
                return err_errno(err, errno, "%s/%s is removed, but may be back after a power loss", dir,
                                 name);
        return 0;
}

int state_lock(const char *dir, int *ret_fd, Err *err)
{
        _cleanup_(closep) int fd = dir_open(dir);
        if (fd == -ENOENT) {
                *ret_fd = -1;
                return 0;
        }
        if (fd < 0)
                return err_errno(err, fd, "cannot open the state directory %s", dir);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK
                               ? err_set(err, -EBUSY, "another process works in %s", dir)
                               : err_errno(err, errno, "cannot lock the state directory %s", dir);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int state_set_aside(const char *dir, const char *name, const char *aside, Err *err)
{
        int r = name_check(name, err);
        if (r < 0 || (r = name_check(aside, err)) < 0)
                return r;
        _cleanup_(closep) int fd = dir_open(dir);
        if (fd < 0)
                return err_errno(err, fd, "cannot open the state directory %s", dir);
        if (renameat(fd, name, fd, aside) < 0)
                return err_errno(err, errno, "cannot rename %s/%s", dir, name);
        return fsync(fd) < 0 ? err_errno(err, errno, "%s/%s may be back after a power loss", dir, name) : 0;
}

char **state_list_free(char **list)
{
        return words_free(list);
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int state_list(const char *dir, const char *prefix, char ***ret, Err *err)
{
        _cleanup_(state_list_freep) char **list = calloc(1, sizeof(*list));
        size_t n = 0;
        if (!list)
                return err_set(err, -ENOMEM, "out of memory");

        _cleanup_(closedirp) DIR *d = opendir(dir);
        if (!d && errno != ENOENT)
                return err_errno(err, errno, "cannot open the state directory %s", dir);
        while (d) {
                errno = 0;
                const struct dirent *entry = readdir(d);
                if (!entry && errno != 0)
                        return err_errno(err, errno, "cannot read the state directory %s", dir);
                if (!entry)
                        break;
                if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
                    !name_is_record(entry->d_name))
                        continue;
                char **more = realloc(list, (n + 2) * sizeof(*list));
                if (!more)
                        return err_set(err, -ENOMEM, "out of memory");
                list = more;
                list[n + 1] = NULL;
                list[n] = strdup(entry->d_name);
                if (!list[n])
                        return err_set(err, -ENOMEM, "out of memory");
                n++;
        }
        qsort(list, n, sizeof(*list), compare_names);
        *ret = TAKE_PTR(list);
        return 0;
}
