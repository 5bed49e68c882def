/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/roll-join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cluster/roll-log.h"
#include "agent/cluster/roll-record.h"
#include "probes/json.h"

#define SUFFIX   ".joins"
#define NOTE_MAX 4096

int roll_join_ask(const char *dir, const char *id, cJSON *who, Err *err)
{
        _cleanup_(json_closep) cJSON *note = who;
        _cleanup_(freep) char *text = note ? cJSON_PrintUnformatted(note) : NULL;
        char path[PATH_MAX], line[NOTE_MAX];
        if (json_lost() || !text)
                return err_set(err, -ENOMEM, "out of memory");
        (void) snprintf(path, sizeof(path), "%s/%s.jsonl" SUFFIX, dir, id);
        int n = snprintf(line, sizeof(line), "%s\n", text);
        if (n >= (int) sizeof(line))
                return err_set(err, -EMSGSIZE, "the note for %s is too long", path);
        _cleanup_(closep) int fd =
                open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
        ssize_t written = fd < 0 ? -1 : write(fd, line, (size_t) n);
        if (written < 0)
                return err_errno(err, errno, "cannot write %s", path);
        return written == n ? 0 : err_set(err, -ENOSPC, "cannot write all of a note into %s", path);
}

static void copy_text(cJSON *to, const cJSON *from, const char *key)
{
        char text[512];
        (void) snprintf(text, sizeof(text), "%s", json_text(from, key));
        cJSON_AddStringToObject(to, key, text);
}

/* Only what is known, and no more of it than has its place. */
static cJSON *note_event(const char *line, size_t len)
{
        static const char *const texts[] = { "by", "host", "reason", "call" };
        cJSON *note = NULL, *event = NULL;
        if (json_open(line, len, NOTE_MAX, &note, NULL) == 0 && cJSON_IsObject(note) &&
            (event = roll_log_event("join"))) {
                for (size_t i = 0; i < ELEMENTS(texts); i++)
                        copy_text(event, note, texts[i]);
                cJSON_AddNumberToObject(event, "pid", (double) json_count(note, "pid"));
        }
        cJSON_Delete(note);
        return event;
}

cJSON *roll_join_take(const char *journal, off_t *at)
{
        _cleanup_(freep) char *text = NULL;
        char path[PATH_MAX];
        struct stat st;
        size_t len = 0;
        (void) snprintf(path, sizeof(path), "%s" SUFFIX, journal);
        /* Nonblocking: somebody's FIFO of that name must not stop us. */
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= *at || st.st_size > (off_t) ROLL_JOIN_MAX_BYTES ||
            roll_log_text(fd, path, &text, &len, NULL) < 0)
                return NULL;
        cJSON *events = NULL;
        for (const char *eol; (size_t) *at < len && (eol = memchr(text + *at, '\n', len - (size_t) *at));) {
                const char *line = text + *at;
                cJSON *event = note_event(line, (size_t) (eol - line));
                *at = (off_t) (eol - text) + 1;
                if (event && (events || (events = cJSON_CreateArray())))
                        json_append(events, event);
                else
                        cJSON_Delete(event);
        }
        return events;
}

void roll_join_done(const char *journal)
{
        char path[PATH_MAX];
        (void) snprintf(path, sizeof(path), "%s" SUFFIX, journal);
        (void) unlink(path);
}
