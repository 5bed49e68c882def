/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/roll-log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/cluster/roll-record.h"
#include "agent/version.h"
#include "base/time.h"
#include "probes/json.h"

#define ROOT_DIR  "/var/lib/edge-roll/rolls"
#define USER_DIR  "edge-roll/rolls"
#define GROUP     "edge-roll"
#define NAME_MOST 40 /* of the component in an id */

struct RollLog {
        int fd; /* has the lock */
        char *path;
        char id[ROLL_ID_SIZE];
        off_t end;  /* behind the last whole line */
        bool dirty; /* there may be something behind that */
};

/* The directory. */

int roll_log_dir(const char *configured, char **ret, Err *err)
{
        const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        char *path = NULL;
        int n;
        if (strcmp(configured, "auto") != 0) {
                if (configured[0] != '/')
                        return err_set(err, -EINVAL, "journal_dir = %s: neither auto nor an absolute path",
                                       configured);
                n = asprintf(&path, "%s", configured);
        } else if (geteuid() == 0)
                n = asprintf(&path, "%s", ROOT_DIR);
        else if (state && state[0] == '/') /* a relative one is to be ignored: XDG Base Directory */
                n = asprintf(&path, "%s/" USER_DIR, state);
        else {
                const struct passwd *user = home && home[0] == '/' ? NULL : getpwuid(geteuid());
                if (user)
                        home = user->pw_dir;
                if (!home || home[0] != '/')
                        return err_set(
                                err, -ENOENT,
                                "no home directory for the journals of rolls: set HOME, or journal_dir "
                                "in [cluster] of edge-roll.conf");
                n = asprintf(&path, "%s/.local/state/" USER_DIR, home);
        }
        if (n < 0)
                return err_set(err, -ENOMEM, "out of memory");
        *ret = path;
        return 0;
}

/* Root's journals are for the group that may roll; where there is no such group they are root's alone. */
static void give_to_group(int fd)
{
        const struct group *group = geteuid() == 0 ? getgrnam(GROUP) : NULL;
        if (group)
                (void) !fchown(fd, (uid_t) -1, group->gr_gid);
}

/* @dir and what is missing above it. Return: its descriptor; -errno. */
static int dir_make(const char *dir, Err *err)
{
        char path[PATH_MAX];
        bool made = false;
        if (snprintf(path, sizeof(path), "%s", dir) >= (int) sizeof(path))
                return err_set(err, -ENAMETOOLONG, "the directory of journals has too long a name: %.80s",
                               dir);
        for (char *p = path + 1;; p++) {
                if (*p && *p != '/')
                        continue;
                char was = *p;
                *p = '\0';
                bool last = !was || strspn(&dir[p - path], "/") == strlen(&dir[p - path]);
                /* Those above stay passable: the state directory has more in it than journals. */
                if (mkdir(path, last ? 0750 : 0711) == 0)
                        made = true;
                else if (errno != EEXIST)
                        return err_errno(err, errno, "cannot make the directory %s for the journals of rolls",
                                         path);
                *p = was;
                if (last)
                        break;
        }
        _cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "cannot open the directory of journals %s", dir);
        if (made) {
                give_to_group(fd);
                (void) fchmod(fd, 0750);
        }
        return TAKE_FD(fd);
}

/* Names. */

bool roll_log_id_valid(const char *id)
{
        size_t n = strlen(id);
        if (n == 0 || n >= ROLL_ID_SIZE || id[0] == '.')
                return false;
        for (const char *p = id; *p; p++)
                if (!isalnum((unsigned char) *p) && !strchr("-_.", *p))
                        return false;
        return true;
}

static int id_make(const char *name, char ret[ROLL_ID_SIZE], Err *err)
{
        char stamp[32], part[NAME_MOST + 1];
        uint16_t random;
        struct tm tm;
        time_t now = (time_t) (time_wall() / USEC_PER_SEC);
        if (!gmtime_r(&now, &tm) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm) == 0)
                return err_set(err, -ERANGE, "the clock shows a time that cannot be written");
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                return err_errno(err, errno, "no random number for the id of the roll");
        (void) snprintf(part, sizeof(part), "%s", *name ? name : "roll");
        for (char *p = part; *p; p++)
                if (!isalnum((unsigned char) *p))
                        *p = '-';
        (void) snprintf(ret, ROLL_ID_SIZE, "%s-%s-%04x", stamp, part, random);
        return 0;
}

/* The lock. */

/*
 * A lock of the open file: it goes when the last descriptor of it is closed, and others can ask for it
 * without taking it, so that a reader never stands in the way of a writer. Source: fcntl(2), F_OFD_SETLK.
 */
static struct flock whole_file(short type)
{
        return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

static int file_lock(RollLog *log, Err *err)
{
        struct flock lock = whole_file(F_WRLCK);
        if (fcntl(log->fd, F_OFD_SETLK, &lock) == 0)
                return 0;
        if (errno != EAGAIN && errno != EACCES)
                return err_errno(err, errno, "cannot lock %s", log->path);

        /* Who it is stands in the journal itself. */
        _cleanup_(freep) char *dir = strdup(log->path);
        _cleanup_(roll_record_freep) RollRecord *r = NULL;
        char *slash = dir ? strrchr(dir, '/') : NULL;
        if (slash)
                *slash = '\0';
        if (!slash || roll_log_read(dir, log->id, &r, NULL) < 0 || r->pid <= 0)
                return err_set(err, -EBUSY, "roll %s is being run by another process", log->id);
        return err_set(err, -EBUSY, "roll %s is being run by process %.0f on %.64s (%.100s)", log->id, r->pid,
                       *r->host ? r->host : "an unknown host", r->by);
}

/* Writing. */

cJSON *roll_log_event(const char *event)
{
        char stamp[32];
        cJSON *e = cJSON_CreateObject();
        if (e && cJSON_AddStringToObject(e, "event", event) &&
            cJSON_AddStringToObject(e, "time", time_stamp(time_wall(), stamp, sizeof(stamp))))
                return e;
        cJSON_Delete(e);
        return NULL;
}

/* Takes back what a write that failed has left behind the last whole line. */
static int log_clean(RollLog *log)
{
        if (!log->dirty)
                return 0;
        if (ftruncate(log->fd, log->end) < 0)
                return -errno;
        log->dirty = false;
        return 0;
}

static int log_write(RollLog *log, const char *text, size_t len)
{
        int r = log_clean(log);
        size_t done = 0;
        while (r == 0 && done < len) {
                log->dirty = true;
                ssize_t n = pwrite(log->fd, text + done, len - done, log->end + (off_t) done);
                if (n < 0 && errno != EINTR)
                        r = -errno;
                else if (n > 0)
                        done += (size_t) n;
        }
        if (r == 0 && fsync(log->fd) < 0)
                r = -errno;
        if (r < 0) {
                (void) log_clean(log);
                return r;
        }
        log->end += (off_t) len;
        log->dirty = false;
        return 0;
}

int roll_log_append(RollLog *log, cJSON *event, char **ret_line, Err *err)
{
        _cleanup_(json_closep) cJSON *e = event;
        char stamp[32];
        if (!e || (!cJSON_HasObjectItem(e, "time") &&
                   !cJSON_AddStringToObject(e, "time", time_stamp(time_wall(), stamp, sizeof(stamp)))))
                return err_set(err, -ENOMEM, "out of memory");
        _cleanup_(freep) char *line = cJSON_PrintUnformatted(e);
        /* An event that lacks something would be read as one that never had it. */
        if (json_lost() || !line)
                return err_set(err, -ENOMEM, "out of memory");
        size_t len = strlen(line);
        int r = 0;
        if (len >= ROLL_LOG_MAX_LINE || log->end + (off_t) len >= (off_t) ROLL_LOG_MAX_BYTES)
                r = err_set(err, -EFBIG, "the journal %s would become too large", log->path);
        else {
                /* The end of the string becomes the end of the line while it is written. */
                line[len] = '\n';
                r = log_write(log, line, len + 1);
                line[len] = '\0';
                if (r < 0)
                        (void) err_errno(err, r, "cannot write the journal %s", log->path);
        }
        if (ret_line)
                *ret_line = TAKE_PTR(line);
        return r;
}

void roll_log_beat(RollLog *log)
{
        (void) futimens(log->fd, NULL);
}

const char *roll_log_id(const RollLog *log)
{
        return log->id;
}

const char *roll_log_path(const RollLog *log)
{
        return log->path;
}

RollLog *roll_log_free(RollLog *log)
{
        if (!log)
                return NULL;
        closep(&log->fd);
        free(log->path);
        free(log);
        return NULL;
}

static int log_new(RollLog **ret, const char *dir, const char *id, Err *err)
{
        RollLog *log = calloc(1, sizeof(*log));
        if (!log)
                return err_set(err, -ENOMEM, "out of memory");
        log->fd = -1;
        (void) snprintf(log->id, sizeof(log->id), "%s", id);
        if (asprintf(&log->path, "%s/%s.jsonl", dir, id) < 0) {
                free(log);
                return err_set(err, -ENOMEM, "out of memory");
        }
        *ret = log;
        return 0;
}

/* What every first event has; the caller's own keys of these names are replaced. */
static int first_fill(cJSON *roll, const char *id)
{
        static const char *const keys[] = { "event", "time", "format", "id", "host", "pid", "version" };
        char host[HOST_NAME_MAX + 1] = "", stamp[32];
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                cJSON_DeleteItemFromObjectCaseSensitive(roll, keys[i]);
        (void) gethostname(host, sizeof(host) - 1);
        return cJSON_AddStringToObject(roll, "event", "roll") &&
                               cJSON_AddStringToObject(roll, "time",
                                                       time_stamp(time_wall(), stamp, sizeof(stamp))) &&
                               cJSON_AddNumberToObject(roll, "format", ROLL_LOG_FORMAT) &&
                               cJSON_AddStringToObject(roll, "id", id) &&
                               cJSON_AddStringToObject(roll, "host", host) &&
                               cJSON_AddNumberToObject(roll, "pid", getpid()) &&
                               cJSON_AddStringToObject(roll, "version", EDGE_ROLL_VERSION)
                       ? 0
                       : -ENOMEM;
}

int roll_log_create(RollLog **ret, const char *dir, const char *name, cJSON *roll, char **ret_line, Err *err)
{
        _cleanup_(json_closep) cJSON *first = roll;
        _cleanup_(roll_log_freep) RollLog *log = NULL;
        char id[ROLL_ID_SIZE];
        if (!first)
                return err_set(err, -ENOMEM, "out of memory");
        int r = dir_make(dir, err);
        if (r < 0)
                return r;
        _cleanup_(closep) int at = r;
        for (int tries = 0;; tries++) {
                if ((r = id_make(name, id, err)) < 0 || (r = log_new(&log, dir, id, err)) < 0)
                        return r;
                log->fd = open(log->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
                if (log->fd >= 0)
                        break;
                if (errno != EEXIST || tries >= 100)
                        return err_errno(err, errno, "cannot create the journal %s", log->path);
                log = roll_log_free(log);
        }
        give_to_group(log->fd);
        (void) fchmod(log->fd, 0640);
        r = file_lock(log, err);
        if (r == 0 && (r = first_fill(first, id)) < 0)
                (void) err_set(err, r, "out of memory");
        if (r == 0)
                r = roll_log_append(log, TAKE_PTR(first), ret_line, err);
        if (r == 0 && fsync(at) < 0)
                r = err_errno(err, errno, "%s may not survive a power loss", log->path);
        if (r < 0) {
                (void) unlink(log->path);
                return r;
        }
        *ret = TAKE_PTR(log);
        return 0;
}

/* Going on. */

/* Where the last whole event ends, and whether all before it are whole. */
static int log_check(RollLog *log, bool anyhow, char *ret_said, size_t size, Err *err)
{
        _cleanup_(freep) char *text = NULL;
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        size_t len, whole;
        int r = roll_log_text(log->fd, log->path, &text, &len, err);
        if (r < 0 || (r = roll_record_parse(text, len, log->path, &record, err)) < 0)
                return r;
        if (!record->begun && record->damaged == 0)
                return err_set(err, -ENOENT, "roll %s was never begun: its journal %s is empty", log->id,
                               log->path);
        if (record->damaged > 0 && !anyhow)
                return err_set(err, -EBADMSG, "%s", record->trouble);
        whole = roll_record_whole(text, len);
        log->end = (off_t) whole;
        log->dirty = whole < len;
        if (whole < len)
                (void) snprintf(ret_said, size,
                                "%.160s: its last line was cut off by a crash and is removed (%zu bytes)",
                                log->path, len - whole);
        if ((r = log_clean(log)) < 0 || (whole < len && fsync(log->fd) < 0 && (r = -errno) < 0))
                return err_errno(err, r, "cannot repair the end of %s", log->path);
        return 0;
}

int roll_log_open(RollLog **ret, const char *dir, const char *id, bool anyhow, char *ret_said, size_t size,
                  Err *err)
{
        _cleanup_(roll_log_freep) RollLog *log = NULL;
        ret_said[0] = '\0';
        if (!roll_log_id_valid(id))
                return err_set(err, -ENOENT,
                               "\"%.80s\" is not the id of a roll; edge-roll history lists them", id);
        int r = log_new(&log, dir, id, err);
        if (r < 0)
                return r;
        log->fd = open(log->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (log->fd < 0 && errno == ENOENT)
                return err_set(err, -ENOENT, "there is no roll %s in %s; edge-roll history lists them", id,
                               dir);
        if (log->fd < 0)
                return err_errno(err, errno, "cannot open %s", log->path);
        if ((r = file_lock(log, err)) < 0 || (r = log_check(log, anyhow, ret_said, size, err)) < 0)
                return r;
        *ret = TAKE_PTR(log);
        return 0;
}
