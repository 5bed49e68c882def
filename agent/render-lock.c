/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The answers of Lock() and Request(), for people. */

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "agent/put.h"
#include "agent/render.h"
#include "base/text.h"
#include "probes/json.h"

static void lock_line(FILE *f, const char *key, const char *text)
{
        (void) fprintf(f, "  %-8s ", key);
        put_clean(f, text);
        (void) fputc('\n', f);
}

/* "r2 (276b...), since T, by uid 0 (root): restart: keystore" */
static void lock_entry(FILE *f, const char *key, const cJSON *e, const char *more)
{
        char text[1024];
        const char *name = json_text(e, "name"), *by = json_text(e, "by"), *reason = json_text(e, "reason");
        (void) snprintf(text, sizeof(text), "%.100s%s%.80s%s%s, since %.40s%s%.150s%s%.300s", name,
                        *name ? " (" : "", json_text(e, "uuid"), *name ? ")" : "", more,
                        json_text(e, "since"), *by ? ", by " : "", by, *reason ? ": " : "", reason);
        lock_line(f, key, text);
}

static void lock_place(FILE *f, const cJSON *place)
{
        const cJSON *e, *size = cJSON_GetObjectItemCaseSensitive(place, "size");
        const cJSON *out = cJSON_GetObjectItemCaseSensitive(place, "out");
        char text[160];
        unsigned n = 0;
        (void) snprintf(text, sizeof(text), "%d of at most %d%s", cJSON_GetArraySize(out),
                        cJSON_IsNumber(size) ? size->valueint : 1,
                        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(place, "open"))
                                ? "; without lock_auth_file everybody who reaches ZooKeeper can change this"
                                : "");
        lock_line(f, "out", text);
        cJSON_ArrayForEach(e, out)
        {
                lock_entry(f, "", e,
                           cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "working"))
                                   ? ", a job is at work"
                                   : ", nobody is at work");
        }
        cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(place, "waiting"))
        {
                (void) snprintf(text, sizeof(text), n == 0 ? "waiting" : "");
                n++;
                lock_entry(f, text, e, "");
        }
}

int render_lock(const char *json, char **ret, Err *err)
{
        size_t size;
        cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        if (!cJSON_IsObject(o)) {
                cJSON_Delete(o);
                return err_set(err, -EBADMSG, "the agent answered something that is no answer to Lock: %.80s",
                               json);
        }
        FILE *f = text_open(ret, &size);
        if (!f) {
                cJSON_Delete(o);
                return err_set(err, -ENOMEM, "out of memory");
        }
        const cJSON *lease = cJSON_GetObjectItemCaseSensitive(o, "lease");
        const cJSON *place = cJSON_GetObjectItemCaseSensitive(o, "place");
        put_clean(f, json_text(o, "component"));
        (void) fputc('\n', f);
        lock_line(f, "lock", json_text(o, "lock_text"));
        lock_line(f, "pool", *json_text(o, "pool") ? json_text(o, "pool") : "not known yet");
        if (cJSON_IsObject(lease)) {
                char text[600];
                (void) snprintf(text, sizeof(text), "of the roll %.100s, by %.200s, since %.40s",
                                json_text(lease, "holder"), json_text(lease, "by"),
                                json_text(lease, "since"));
                lock_line(f, "lease", text);
        } else
                lock_line(f, "lease", "nobody has that of this node");
        lock_line(f, "here",
                  cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "out")) ? json_text(o, "out_reason")
                                                                           : "in traffic");
        if (*json_text(o, "place_error"))
                lock_line(f, "trouble", json_text(o, "place_error"));
        else if (cJSON_IsObject(place))
                lock_place(f, place);
        cJSON_Delete(o);
        if (text_close(f, ret) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        return 0;
}

int render_request(const char *json, char **ret, Err *err)
{
        cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        char text[1200];
        bool joined = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "joined"));
        const char *awaiting = json_text(o, "awaiting");
        if (!cJSON_IsObject(o)) {
                cJSON_Delete(o);
                return err_set(err, -EBADMSG,
                               "the agent answered something that is no answer to Request: %.80s", json);
        }
        (void) snprintf(
                text, sizeof(text),
                joined ? "%.60s: joined the ticket of %.150s, since %.40s%s%.300s\n"
                       : "%.60s: a ticket of %.150s, since %.40s; it restarts when it is its turn%s%.300s\n",
                json_text(o, "component"), json_text(o, "by"), json_text(o, "since"), *awaiting ? ": " : "",
                awaiting);
        cJSON_Delete(o);
        /* All but the end of the line. */
        for (char *p = text; *p && p[1]; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
        *ret = strdup(text);
        return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void render_ticket(const cJSON *ticket, FILE *f)
{
        const cJSON *asked = cJSON_GetObjectItemCaseSensitive(ticket, "asked");
        (void) fputs("ticket: ", f);
        put_clean(f, json_text(ticket, "component"));
        (void) fputs(" is to be restarted when it is its turn, asked by ", f);
        put_clean(f, json_text(ticket, "by"));
        (void) fputs(", since ", f);
        put_clean(f, json_text(ticket, "since"));
        if (*json_text(ticket, "reason")) {
                (void) fputs(": ", f);
                put_clean(f, json_text(ticket, "reason"));
        }
        if (cJSON_IsNumber(asked) && asked->valueint > 1)
                (void) fprintf(f, " (asked %d times)", asked->valueint);
        (void) fputc('\n', f);
}
