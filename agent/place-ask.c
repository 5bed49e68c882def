/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/place-ask.h"
#include "probes/json.h"

#include <stdarg.h>
#include <string.h>

#define RETRY_USEC (200 * USEC_PER_MSEC)

/* What a request was about, in its tag; behind it the number of the attempt and of the entry. */
typedef enum Asked {
        ASKED_POOL,
        ASKED_ACL,
        ASKED_OUT,
        ASKED_RUN,
        ASKED_MEMBERS,
        ASKED_ENTRY,
        ASKED_ACT
} Asked;

/* Names of children, as they came; not shown. */
static const char *const ask_lists[] = {
        [ASKED_OUT] = "outs", [ASKED_RUN] = "runs", [ASKED_MEMBERS] = "names"
};

#define TAG(a, asked) ((((uint64_t) (a)->attempt) << 8) | (uint64_t) (asked))

struct PlaceAsk {
        sd_event *event;
        PlaceQuestion question;
        PlaceAskFn fn;
        void *userdata;
        Zk *zk;
        sd_event_source *limit, *retry;
        unsigned attempt;
        size_t awaited;  /* answers of this attempt */
        cJSON *show;     /* being filled */
        cJSON **entries; /* borrowed: whose data is being read, in order */
        size_t n_entries, next_entry;
        bool acting;
};

PlaceAsk *place_ask_cancel(PlaceAsk *a)
{
        if (!a)
                return NULL;
        a->zk = zk_free(a->zk);
        sd_event_source_unref(a->limit);
        sd_event_source_unref(a->retry);
        sd_event_unref(a->event);
        cJSON_Delete(a->show);
        free(a->entries);
        explicit_bzero(&a->question.zk, sizeof(a->question.zk));
        free(a);
        return NULL;
}

/* The last statement of whoever calls it. */
static void ask_done(PlaceAsk *a, int r, const char *fmt, ...) _printf_(3, 4);
static void ask_done(PlaceAsk *a, int r, const char *fmt, ...)
{
        char text[PLACE_TEXT_SIZE];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        PlaceAskFn fn = a->fn;
        void *userdata = a->userdata;
        cJSON *show = r == 0 ? TAKE_PTR(a->show) : NULL;
        for (size_t i = 0; show && i < ELEMENTS(ask_lists); i++)
                if (ask_lists[i])
                        cJSON_DeleteItemFromObject(show, ask_lists[i]);
        (void) place_ask_cancel(a);
        fn(r, text, show, userdata);
        cJSON_Delete(show);
}

static void ask_begin(PlaceAsk *a);

static int ask_on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
        PlaceAsk *a = userdata;
        (void) s;
        (void) usec;
        if (zk_state(a->zk) == ZK_CONNECTED)
                ask_begin(a);
        return 0;
}

static void ask_again(PlaceAsk *a)
{
        a->attempt++;
        a->retry = sd_event_source_unref(a->retry);
        (void) sd_event_add_time(a->event, &a->retry, CLOCK_MONOTONIC, time_now() + RETRY_USEC, 0,
                                 ask_on_retry, a);
}

static const char *ask_path(const PlaceAsk *a, const char *below, const char *leaf, char *buf, size_t size)
{
        char part[TURN_NODE_SIZE + 16];
        (void) snprintf(part, sizeof(part), "%s%s%s", below, *leaf ? "/" : "", leaf);
        return place_path(a->question.pool, part, buf, size);
}

static const char *servers_of(const PlaceAsk *a, char *buf, size_t size)
{
        return lock_spec_text(&a->question.zk.spec, buf, size);
}

/* ---- acts ---- */

static void on_act(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        PlaceAsk *a = userdata;
        char servers[400];
        if (tag != TAG(a, ASKED_ACT))
                return;
        if (answer == ZK_AWAY) {
                ask_again(a);
                return;
        }
        if (answer == ZK_NO_PERMISSION) {
                ask_done(a, -EACCES, "%s: no permission: see lock_auth_file",
                         servers_of(a, servers, sizeof(servers)));
                return;
        }
        if (answer != ZK_OK && answer != ZK_NO_NODE) {
                ask_done(a, -EIO, "%s: %s", servers_of(a, servers, sizeof(servers)), reply->text);
                return;
        }
        if (--a->awaited == 0)
                ask_done(a, 0, "done");
}

static const char *string_of(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        return cJSON_IsString(v) ? v->valuestring : "";
}

/* @found: the first entry of that name. Return: how many servers have it. */
static size_t ask_find(const PlaceAsk *a, const cJSON **found)
{
        static const char *const lists[] = { "out", "waiting" };
        const cJSON *e;
        size_t n = 0;
        *found = NULL;
        for (size_t i = 0; i < ELEMENTS(lists); i++)
                cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(a->show, lists[i]))
                {
                        const char *uuid = string_of(e, "uuid");
                        if (strcmp(uuid, a->question.name) != 0 &&
                            strcmp(string_of(e, "name"), a->question.name) != 0)
                                continue;
                        if (!*found)
                                *found = e;
                        else if (strcmp(string_of(*found, "uuid"), uuid) == 0)
                                continue;
                        n++;
                }
        return n;
}

static void ask_steal(PlaceAsk *a)
{
        char path[PLACE_PATH_SIZE];
        const cJSON *found, *node;
        size_t n = ask_find(a, &found);
        if (n == 0) {
                ask_done(a, -ENOENT, "nobody in the pool %s who is out or waits is called %s",
                         a->question.pool, a->question.name);
                return;
        }
        if (n > 1) {
                ask_done(a, -EEXIST, "%zu servers of the pool %s are called %s: say which by its server id",
                         n, a->question.pool, a->question.name);
                return;
        }
        const char *uuid = string_of(found, "uuid");
        json_put(a->show, "stolen", cJSON_Duplicate(found, true));
        a->acting = true;
        a->awaited = 0;
        cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(a->show, "runs"))
        {
                TurnRun run;
                if (turn_parse(node->valuestring, &run) && strcmp(run.uuid, uuid) == 0 &&
                    zk_delete(a->zk, ask_path(a, "run", run.node, path, sizeof(path)), on_act,
                              TAG(a, ASKED_ACT)) == 0)
                        a->awaited++;
        }
        if (zk_delete(a->zk, ask_path(a, "out", uuid, path, sizeof(path)), on_act, TAG(a, ASKED_ACT)) == 0)
                a->awaited++;
        else
                ask_again(a);
}

static void ask_size(PlaceAsk *a)
{
        char path[PLACE_PATH_SIZE], data[64];
        (void) snprintf(data, sizeof(data), "{\"size\":%u}", a->question.size);
        a->acting = true;
        a->awaited = 1;
        if (zk_set(a->zk, ask_path(a, "", "", path, sizeof(path)), data, -1, on_act, TAG(a, ASKED_ACT)) < 0)
                ask_again(a);
}

/* ---- reading ---- */

static void ask_read(PlaceAsk *a)
{
        switch (a->question.kind) {
        case PLACE_STEAL:
                ask_steal(a);
                return;
        case PLACE_SIZE:
                ask_size(a);
                return;
        case PLACE_SHOW:
        default:
                ask_done(a, 0, "done");
        }
}

static void copy_text(cJSON *to, const cJSON *from, const char *key)
{
        char text[256];
        (void) snprintf(text, sizeof(text), "%s", string_of(from, key));
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        cJSON_AddStringToObject(to, key, text);
}

static void on_entry(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        static const char *const keys[] = { "name", "by", "reason", "since" };
        PlaceAsk *a = userdata;
        if (tag != TAG(a, ASKED_ENTRY) || a->next_entry >= a->n_entries)
                return;
        cJSON *e = a->entries[a->next_entry++],
              *data = answer == ZK_OK ? json_object(reply->value, JSON_MESSAGE_MAX) : NULL;
        bool member = cJSON_GetObjectItemCaseSensitive(e, "member");
        if (member) {
                cJSON_DeleteItemFromObject(e, "member");
                copy_text(e, data, "name");
                copy_text(e, data, "address");
        }
        for (size_t i = 0; !member && i < ELEMENTS(keys); i++)
                copy_text(e, data, keys[i]);
        cJSON_Delete(data);
        if (a->next_entry == a->n_entries)
                ask_read(a);
}

static int ask_entry(PlaceAsk *a, cJSON *list, const char *uuid, const char *below, const char *leaf)
{
        char path[PLACE_PATH_SIZE];
        cJSON **entries = realloc(a->entries, (a->n_entries + 1) * sizeof(*entries)),
              *e = cJSON_CreateObject();
        if (entries)
                a->entries = entries;
        if (!entries || !e) {
                cJSON_Delete(e);
                return -ENOMEM;
        }
        cJSON_AddStringToObject(e, "uuid", uuid);
        if (strcmp(below, "members") == 0)
                cJSON_AddBoolToObject(e, "member", true);
        json_append(list, e);
        a->entries[a->n_entries++] = e;
        return zk_get(a->zk, ask_path(a, below, leaf, path, sizeof(path)), false, on_entry,
                      TAG(a, ASKED_ENTRY));
}

static int by_number(const void *x, const void *y)
{
        const TurnRun *a = x, *b = y;
        return a->number < b->number ? -1 : a->number > b->number;
}

/* The names in the lists become entries; their data is read. */
static int ask_entries(PlaceAsk *a)
{
        const cJSON *outs = cJSON_GetObjectItemCaseSensitive(a->show, "outs"), *v, *w;
        const cJSON *runs = cJSON_GetObjectItemCaseSensitive(a->show, "runs");
        cJSON *out = cJSON_AddArrayToObject(a->show, "out"),
              *waiting = cJSON_AddArrayToObject(a->show, "waiting");
        cJSON *members = cJSON_AddArrayToObject(a->show, "members");
        size_t n = 0;
        _cleanup_(freep) TurnRun *list = calloc((size_t) cJSON_GetArraySize(runs) + 1, sizeof(*list));
        int r = list ? 0 : -ENOMEM;

        for (v = runs ? runs->child : NULL; list && v; v = v->next)
                n += turn_parse(v->valuestring, &list[n]);
        if (list)
                qsort(list, n, sizeof(*list), by_number);
        for (v = outs ? outs->child : NULL; r == 0 && v; v = v->next) {
                if (!turn_uuid_good(v->valuestring))
                        continue;
                bool working = false;
                for (size_t i = 0; i < n; i++)
                        working = working || strcmp(list[i].uuid, v->valuestring) == 0;
                r = ask_entry(a, out, v->valuestring, "out", v->valuestring);
                if (r == 0)
                        cJSON_AddBoolToObject(a->entries[a->n_entries - 1], "working", working);
        }
        unsigned position = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                bool is_out = false;
                cJSON_ArrayForEach(w, outs) is_out = is_out || strcmp(w->valuestring, list[i].uuid) == 0;
                if (is_out)
                        continue;
                r = ask_entry(a, waiting, list[i].uuid, "run", list[i].node);
                if (r == 0)
                        cJSON_AddNumberToObject(a->entries[a->n_entries - 1], "position", ++position);
        }
        const cJSON *names = cJSON_GetObjectItemCaseSensitive(a->show, "names");
        for (v = names ? names->child : NULL; r == 0 && v; v = v->next)
                if (turn_uuid_good(v->valuestring))
                        r = ask_entry(a, members, v->valuestring, "members", v->valuestring);
        return r;
}

static void on_list(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        PlaceAsk *a = userdata;
        char servers[400];
        Asked asked = (Asked) (tag & 0xff);
        if (tag != TAG(a, asked))
                return;
        if (answer == ZK_AWAY || answer == ZK_ERROR) {
                ask_again(a);
                return;
        }
        if (answer == ZK_NO_PERMISSION) {
                ask_done(a, -EACCES, "%s: no permission to read: see lock_auth_file",
                         servers_of(a, servers, sizeof(servers)));
                return;
        }
        if (answer == ZK_NO_NODE && a->question.kind != PLACE_SHOW) {
                ask_done(a, -ENOENT, "nobody has ever taken a place in the pool %s at %s", a->question.pool,
                         servers_of(a, servers, sizeof(servers)));
                return;
        }
        if (asked == ASKED_POOL)
                cJSON_AddNumberToObject(a->show, "size", turn_size(reply->value));
        else if (asked == ASKED_ACL)
                cJSON_AddBoolToObject(a->show, "open", reply->open);
        else {
                cJSON *list = cJSON_AddArrayToObject(a->show, ask_lists[asked]);
                for (size_t i = 0; i < MIN(reply->n_children, (size_t) TURN_MAX); i++)
                        json_append(list, cJSON_CreateString(reply->children[i]));
        }
        if (--a->awaited > 0)
                return;
        if (ask_entries(a) < 0)
                ask_again(a);
        else if (a->n_entries == 0)
                ask_read(a);
}

static void ask_begin(PlaceAsk *a)
{
        char path[PLACE_PATH_SIZE];
        a->attempt++;
        a->acting = false;
        cJSON_Delete(a->show);
        free(TAKE_PTR(a->entries));
        a->n_entries = a->next_entry = 0;
        a->show = cJSON_CreateObject();
        cJSON_AddStringToObject(a->show, "pool", a->question.pool);
        a->awaited = 5;
        if (zk_get(a->zk, ask_path(a, "", "", path, sizeof(path)), false, on_list, TAG(a, ASKED_POOL)) < 0 ||
            zk_acl(a->zk, ask_path(a, "out", "", path, sizeof(path)), on_list, TAG(a, ASKED_ACL)) < 0 ||
            zk_children(a->zk, ask_path(a, "out", "", path, sizeof(path)), false, on_list,
                        TAG(a, ASKED_OUT)) < 0 ||
            zk_children(a->zk, ask_path(a, "run", "", path, sizeof(path)), false, on_list,
                        TAG(a, ASKED_RUN)) < 0 ||
            zk_children(a->zk, ask_path(a, "members", "", path, sizeof(path)), false, on_list,
                        TAG(a, ASKED_MEMBERS)) < 0)
                ask_again(a);
}

static void ask_on_state(ZkState state, const char *text, void *userdata)
{
        PlaceAsk *a = userdata;
        char servers[400];
        if (state == ZK_CONNECTED)
                ask_begin(a);
        else if (state == ZK_REFUSED)
                ask_done(a, -EACCES, "%s: %s", servers_of(a, servers, sizeof(servers)), text);
}

static void ask_on_watch(const char *path, void *userdata)
{
        (void) path;
        (void) userdata;
}

static int ask_on_limit(sd_event_source *s, uint64_t usec, void *userdata)
{
        PlaceAsk *a = userdata;
        char servers[400];
        const char *trouble = zk_trouble(a->zk);
        (void) s;
        (void) usec;
        ask_done(a, -ETIMEDOUT, "ZooKeeper at %s does not answer%s%.200s",
                 servers_of(a, servers, sizeof(servers)), *trouble ? ": " : "", trouble);
        return 0;
}

int place_ask(PlaceAsk **ret, sd_event *event, const PlaceQuestion *question, PlaceAskFn fn, void *userdata,
              Err *err)
{
        static const ZkHandlers handlers = { .state = ask_on_state, .watch = ask_on_watch };
        PlaceAsk *a = calloc(1, sizeof(*a));
        if (!a)
                return err_set(err, -ENOMEM, "out of memory");
        a->event = sd_event_ref(event);
        a->question = *question;
        a->fn = fn;
        a->userdata = userdata;
        int r = zk_new(&a->zk, event, &question->zk, &handlers, a, err);
        if (r >= 0 && (r = sd_event_add_time(event, &a->limit, CLOCK_MONOTONIC,
                                             time_now() + question->limit_usec, 0, ask_on_limit, a)) < 0)
                (void) err_errno(err, r, "no timer");
        if (r < 0) {
                (void) place_ask_cancel(a);
                return r;
        }
        *ret = a;
        return 0;
}
