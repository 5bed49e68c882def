/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/targets-list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/edge/api.h"
#include "probes/edge-json.h"
#include "probes/json.h"
#include "probes/target.h"

#define TROUBLE_SIZE 400

/* One environment, and what is asked about it. */
typedef struct Place {
        TargetFetch *fetch;
        char *org, *env;
} Place;

/* One target server that is asked for. */
typedef struct One {
        Place *place;
        char *name;
        struct One *next;
} One;

struct TargetFetch {
        TargetRequest request;
        TargetFetchFn fn;
        void *userdata;
        TargetList list;
        Place *places;
        size_t n_places;
        One *ones;
        Api *api;
        size_t pending, n_wanted;
        char trouble[TROUBLE_SIZE];
        sd_event_source *limit, *end;
};

/* ---- a list ----------------------------------------------------------------------------------------------
 */

void target_list_done(TargetList *list)
{
        for (size_t i = 0; i < list->n; i++) {
                free(list->items[i].name);
                free(list->items[i].host);
                free(list->items[i].why);
        }
        free(list->items);
        *list = (TargetList){ 0 };
}

int target_list_add(TargetList *list, const char *name, const char *host, uint16_t port, bool tls)
{
        if (list->n % 64 == 0) {
                TargetEntry *more = reallocarray(list->items, list->n + 64, sizeof(*more));
                if (!more)
                        return -ENOMEM;
                list->items = more;
        }
        TargetEntry e = { .name = strdup(name), .host = strdup(host), .port = port, .tls = tls };
        if (!e.name || !e.host) {
                free(e.name);
                free(e.host);
                return -ENOMEM;
        }
        list->items[list->n++] = e;
        return 0;
}

cJSON *target_list_to_json(const TargetList *list)
{
        cJSON *all = cJSON_CreateArray();
        for (size_t i = 0; all && i < list->n; i++) {
                const TargetEntry *e = &list->items[i];
                if (!e->answered)
                        continue;
                cJSON *one = cJSON_CreateArray();
                json_append(one, cJSON_CreateString(e->name));
                json_append(one, cJSON_CreateString(e->host));
                json_append(one, cJSON_CreateNumber(e->port));
                json_append(one, cJSON_CreateBool(e->tls));
                json_append(all, one);
        }
        return all;
}

int target_list_from_json(const cJSON *json, TargetList *ret)
{
        const cJSON *one;
        cJSON_ArrayForEach(one, json)
        {
                const cJSON *name = cJSON_GetArrayItem(one, 0), *host = cJSON_GetArrayItem(one, 1);
                const cJSON *port = cJSON_GetArrayItem(one, 2), *tls = cJSON_GetArrayItem(one, 3);
                if (!cJSON_IsString(name) || !cJSON_IsString(host) || !cJSON_IsNumber(port) ||
                    port->valueint < 1 || port->valueint > UINT16_MAX)
                        continue;
                int r = target_list_add(ret, name->valuestring, host->valuestring, (uint16_t) port->valueint,
                                        cJSON_IsTrue(tls));
                if (r < 0)
                        return r;
                ret->items[ret->n - 1].answered = true;
        }
        return 0;
}

bool target_name_wanted(Words patterns, const char *name)
{
        for (size_t i = 0; patterns[i]; i++)
                if (fnmatch(patterns[i], name, 0) == 0)
                        return true;
        return false;
}

/* ---- what is found ---------------------------------------------------------------------------------------
 */

/* The first thing that is not known is told. */
static void note_trouble(TargetFetch *f, const char *fmt, ...) _printf_(2, 3);

static void note_trouble(TargetFetch *f, const char *fmt, ...)
{
        va_list ap;
        if (*f->trouble)
                return;
        va_start(ap, fmt);
        (void) vsnprintf(f->trouble, sizeof(f->trouble), fmt, ap);
        va_end(ap);
}

static bool wanted(TargetFetch *f, const char *org, const char *env, const char *name)
{
        char way[3 * EDGE_NAME_MAX + 8];
        (void) snprintf(way, sizeof(way), "%s/%s/%s", org, env, name);
        if (!target_name_wanted(f->request.config->targets_names, way)) {
                f->list.n_other++;
                return false;
        }
        if (f->n_wanted < f->request.config->targets_max) {
                f->n_wanted++;
                return true;
        }
        f->list.n_more++;
        return false;
}

static void take(TargetFetch *f, const char *org, const char *env, const char *text, size_t len,
                 const char *from)
{
        _cleanup_(target_freep) Target *t = NULL;
        char way[3 * EDGE_NAME_MAX + 8];
        Err err = { 0 };

        if (target_read(text, len, &t, &err) < 0 || target_check(&t->server, &err) < 0) {
                note_trouble(f, "%.120s: %.250s", from, err.text);
                return;
        }
        if (!edge_flag(t->server.enabled, true))
                return;
        (void) snprintf(way, sizeof(way), "%s/%s/%.250s", org, env, t->server.name.value);
        if (target_list_add(&f->list, way, t->server.host.value, (uint16_t) t->server.port.value,
                            edge_flag(t->server.ssl.enabled, false)) < 0)
                note_trouble(f, "out of memory");
}

/* ---- the end ---------------------------------------------------------------------------------------------
 */

TargetFetch *target_fetch_cancel(TargetFetch *f)
{
        if (!f)
                return NULL;
        (void) api_free(f->api);
        (void) sd_event_source_unref(f->limit);
        (void) sd_event_source_unref(f->end);
        for (size_t i = 0; i < f->n_places; i++) {
                free(f->places[i].org);
                free(f->places[i].env);
        }
        while (f->ones) {
                One *next = f->ones->next;
                free(f->ones->name);
                free(f->ones);
                f->ones = next;
        }
        free(f->places);
        target_list_done(&f->list);
        free(f);
        return NULL;
}

static int fetch_on_end(sd_event_source *s _unused_, void *userdata)
{
        TargetFetch *f = userdata;
        TargetFetchFn fn = f->fn;
        void *user = f->userdata;
        TargetList list = f->list;
        char trouble[TROUBLE_SIZE];

        f->list = (TargetList){ 0 };
        (void) snprintf(trouble, sizeof(trouble), "%s", f->trouble);
        (void) target_fetch_cancel(f);
        fn(&list, trouble, user);
        return 0;
}

static void fetch_end_if_done(TargetFetch *f)
{
        if (f->pending == 0)
                (void) sd_event_source_set_enabled(f->end, SD_EVENT_ONESHOT);
}

static int fetch_on_limit(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        TargetFetch *f = userdata;
        note_trouble(f, "the Management Server has not told all of them within the time");
        f->api = api_free(f->api);
        f->pending = 0;
        fetch_end_if_done(f);
        return 0;
}

/* ---- the Management Server -------------------------------------------------------------------------------
 */

static void one_on_answer(const ApiAnswer *answer, void *userdata)
{
        const One *one = userdata;
        const Place *p = one->place;
        TargetFetch *f = p->fetch;

        f->pending--;
        if (answer->kind == API_OK)
                take(f, p->org, p->env, answer->body, answer->body_len, one->name);
        else if (answer->kind != API_ABSENT) /* deleted meanwhile */
                note_trouble(f, "%.80s/%.80s/%.80s: %.150s", p->org, p->env, one->name, answer->text);
        fetch_end_if_done(f);
}

static void ask_one(Place *p, const char *name)
{
        TargetFetch *f = p->fetch;
        _cleanup_(freep) char *path = NULL;
        Err err = { 0 };
        One *one = calloc(1, sizeof(*one));

        if (one) {
                *one = (One){ .place = p, .name = strdup(name), .next = f->ones };
                f->ones = one;
        }
        if (!one || !one->name ||
            api_path(&path, API_SEGMENTS("o", p->org, "e", p->env, "targetservers", name), &err) < 0 ||
            api_start(f->api, &(ApiRequest){ .path = path, .max_bytes = TARGET_MAX }, one_on_answer, one,
                      &err) < 0)
                note_trouble(f, "%.80s/%.80s/%.80s: %.150s", p->org, p->env, name,
                             *err.text ? err.text : "out of memory");
        else
                f->pending++;
}

static void names_on_answer(const ApiAnswer *answer, void *userdata)
{
        Place *p = userdata;
        TargetFetch *f = p->fetch;
        char **names = NULL;
        Err err = { 0 };

        f->pending--;
        if (answer->kind != API_OK)
                note_trouble(f, "%.80s/%.80s: %.200s", p->org, p->env, answer->text);
        else if (edge_list_parse(answer->body, answer->body_len, &names, &err) < 0)
                note_trouble(f, "%.80s/%.80s: %.200s", p->org, p->env, err.text);
        /* Each that is asked for makes `pending` more. */
        for (size_t i = 0; names && names[i]; i++)
                if (wanted(f, p->org, p->env, names[i]))
                        ask_one(p, names[i]);
        (void) edge_list_free(names);
        fetch_end_if_done(f);
}

static void ask_place(Place *p)
{
        TargetFetch *f = p->fetch;
        _cleanup_(freep) char *path = NULL;
        Err err = { 0 };

        if (api_path(&path, API_SEGMENTS("o", p->org, "e", p->env, "targetservers"), &err) < 0 ||
            api_start(f->api, &(ApiRequest){ .path = path, .max_bytes = EDGE_JSON_MAX }, names_on_answer, p,
                      &err) < 0)
                note_trouble(f, "%.80s/%.80s: %.200s", p->org, p->env, err.text);
        else
                f->pending++;
}

static void fetch_from_api(TargetFetch *f)
{
        const Config *c = f->request.config;
        ApiOptions options = {
                .url = c->cluster_management_url,
                .user = c->cluster_management_user,
                .password_file = c->cluster_management_password_file,
                .ca_file = c->cluster_management_ca,
                .event = f->request.event,
        };
        char hint[300];
        Err err = { 0 };

        if (f->n_places == 0)
                note_trouble(f, "which environments it has is not known");
        else if (api_new(&f->api, &options, hint, sizeof(hint), &err) < 0)
                note_trouble(f, "%.300s", err.text);
        for (size_t i = 0; f->api && i < f->n_places; i++)
                ask_place(&f->places[i]);
}

/* ---- files -----------------------------------------------------------------------------------------------
 */

static void take_file(TargetFetch *f, int dir, const char *org, const char *env, const char *file)
{
        char text[TARGET_MAX + 1]; /* target_read() says that it is too large */
        int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
        int error = errno;
        closep(&fd);
        if (n < 0)
                note_trouble(f, "%.80s/%.80s/%.80s: %s", org, env, file, strerror(error));
        else
                take(f, org, env, text, (size_t) n, file);
}

static bool has_ending(const char *file, size_t *name_len)
{
        const char *dot = strrchr(file, '.');
        *name_len = dot ? (size_t) (dot - file) : 0;
        return file[0] != '.' && dot && (strcmp(dot, ".xml") == 0 || strcmp(dot, ".json") == 0);
}

static void take_folder(TargetFetch *f, const char *org, const char *env)
{
        char path[1024], name[256];
        size_t len;
        (void) snprintf(path, sizeof(path), "%s/%s/%s", f->request.config->targets_folder, org, env);
        DIR *d = opendir(path);
        if (!d) {
                if (errno != ENOENT)
                        note_trouble(f, "%.300s: %s", path, strerror(errno));
                return;
        }
        for (const struct dirent *e; (e = readdir(d));) {
                if (!has_ending(e->d_name, &len))
                        continue;
                (void) snprintf(name, sizeof(name), "%.*s", (int) len, e->d_name);
                if (wanted(f, org, env, name))
                        take_file(f, dirfd(d), org, env, e->d_name);
        }
        (void) closedir(d);
}

/* ---- what is asked ---------------------------------------------------------------------------------------
 */

static bool folder_there(const Config *c)
{
        struct stat st;
        return stat(c->targets_folder, &st) == 0 && S_ISDIR(st.st_mode);
}

static void fetch_from_files(TargetFetch *f)
{
        const char *folder = f->request.config->targets_folder;
        struct stat st;

        if (f->n_places == 0)
                note_trouble(f, "which environments it has is not known");
        else if (stat(folder, &st) < 0)
                note_trouble(f, "%.300s: %s", folder, strerror(errno));
        else if (!S_ISDIR(st.st_mode))
                note_trouble(f, "%.300s is no folder", folder);
        else
                for (size_t i = 0; i < f->n_places; i++)
                        take_folder(f, f->places[i].org, f->places[i].env);
}

static bool from_files(const Config *c)
{
        return c->targets_source == TARGETS_FILES || (c->targets_source == TARGETS_AUTO && folder_there(c));
}

static bool from_api(const Config *c)
{
        return c->targets_source == TARGETS_API ||
               (c->targets_source == TARGETS_AUTO && !folder_there(c) && *c->cluster_management_url);
}

bool target_fetch_wanted(const Config *config)
{
        return from_files(config) || from_api(config);
}

static int add_place(TargetFetch *f, const char *org, const char *env)
{
        Place *more = reallocarray(f->places, f->n_places + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        f->places = more;
        f->places[f->n_places] = (Place){ .fetch = f, .org = strdup(org), .env = strdup(env) };
        f->n_places++;
        return f->places[f->n_places - 1].org && f->places[f->n_places - 1].env ? 0 : -ENOMEM;
}

/* {"organizations":{"acme":{"prod":...}}}: a name from there becomes a path. */
static int read_places(TargetFetch *f)
{
        cJSON *loaded = f->request.environments ? cJSON_Parse(f->request.environments) : NULL;
        const cJSON *org, *env;
        int r = 0;

        cJSON_ArrayForEach(org, cJSON_GetObjectItemCaseSensitive(loaded, "organizations"))
        {
                cJSON_ArrayForEach(env, org)
                {
                        bool safe = edge_name_ok(org->string) && edge_name_ok(env->string) &&
                                    !strchr(org->string, '/') && !strchr(env->string, '/');
                        if (safe && r >= 0)
                                r = add_place(f, org->string, env->string);
                }
        }
        cJSON_Delete(loaded);
        return r;
}

int target_fetch(TargetFetch **ret, const TargetRequest *request, TargetFetchFn fn, void *userdata, Err *err)
{
        _cleanup_(target_fetch_cancelp) TargetFetch *f = calloc(1, sizeof(*f));
        if (!f)
                return err_set(err, -ENOMEM, "out of memory");
        f->request = *request;
        f->fn = fn;
        f->userdata = userdata;
        if (read_places(f) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        int r = sd_event_add_defer(request->event, &f->end, fetch_on_end, f);
        if (r >= 0)
                r = sd_event_source_set_enabled(f->end, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(request->event, &f->limit, CLOCK_MONOTONIC,
                                      time_add(time_now(), request->limit_usec), 0, fetch_on_limit, f);
        if (r < 0)
                return err_errno(err, r, "its target servers cannot be asked for");
        if (from_api(request->config))
                fetch_from_api(f);
        if (from_files(request->config))
                fetch_from_files(f);
        fetch_end_if_done(f);
        *ret = TAKE_PTR(f);
        return 0;
}
