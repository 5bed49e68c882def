/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/snapshot.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "probes/edge-json.h"
#include "probes/json.h"

#define SNAPSHOT_AT_ONCE       8
#define SNAPSHOT_REQUESTS_MAX  5000
#define SNAPSHOT_URL_MAX       1024
#define SNAPSHOT_REQUEST_USEC  (5 * USEC_PER_SEC)
#define SNAPSHOT_ACCURACY_USEC USEC_PER_MSEC

/* The depth of a node in the tree; the children of a proxy are its revisions. */
typedef enum Level {
        LEVEL_ROOT,
        LEVEL_ORGANIZATION,
        LEVEL_ENVIRONMENT,
        LEVEL_PROXY,
        LEVEL_REVISION,
        LEVEL_COUNT,
        LEVEL_INVALID = -EINVAL,
} Level;

static const char *const level_names[] = {
        [LEVEL_ROOT] = "component",          [LEVEL_ORGANIZATION] = "organisation",
        [LEVEL_ENVIRONMENT] = "environment", [LEVEL_PROXY] = "proxy",
        [LEVEL_REVISION] = "revision",
};
_Static_assert(ELEMENTS(level_names) == LEVEL_COUNT, "every level has a name");

/* What is asked of a node of this level, and what the answer lists. */
static const char *const level_children[] = {
        [LEVEL_ROOT] = "organizations",
        [LEVEL_ORGANIZATION] = "environments",
        [LEVEL_ENVIRONMENT] = "apis",
        [LEVEL_PROXY] = "revisions",
};
static const char *const level_children_names[] = {
        [LEVEL_ROOT] = "organisations",
        [LEVEL_ORGANIZATION] = "environments",
        [LEVEL_ENVIRONMENT] = "proxies",
        [LEVEL_PROXY] = "revisions",
};

typedef struct Node {
        const struct Node *parent; /* NULL: the root */
        char *name;                /* NULL: the root */
        struct Node *children;     /* sorted by name; made once, so that pointers into it stay good */
        size_t n_children;
        bool known; /* the list of children has been answered */
} Node;

struct Snapshot {
        Node root;
        size_t n_names;
        char why[192]; /* the first reason for something unknown; "" */
};

typedef struct SnapshotSlot {
        SnapshotFetch *fetch;
        HttpCall *call; /* NULL: free */
        Node *node;
} SnapshotSlot;

struct SnapshotFetch {
        Http *http;
        sd_event_source *deadline;
        char *runtime_url;
        Snapshot *snapshot;
        SnapshotFn fn;
        void *userdata;
        bool delivering;

        Level level; /* of the nodes in `todo` */
        Node **todo;
        size_t n_todo, next;
        unsigned requests_left;
        SnapshotSlot slots[SNAPSHOT_AT_ONCE];
};

/* --- the tree --- */

static void node_done(Node *node)
{
        for (size_t i = 0; i < node->n_children; i++)
                node_done(&node->children[i]);
        free(node->children);
        free(node->name);
}

Snapshot *snapshot_free(Snapshot *s)
{
        if (!s)
                return NULL;
        node_done(&s->root);
        free(s);
        return NULL;
}

static void snapshot_set_why(Snapshot *s, const char *text)
{
        if (*s->why)
                return;
        (void) snprintf(s->why, sizeof(s->why), "%.190s", text);
        for (char *p = s->why; *p; p++)
                if (*p < ' ' || *p >= 0x7f)
                        *p = '?';
}

/* @names: sorted, without duplicates, each allowed by edge_name_ok(); the strings are taken over. */
static int node_set_children(Snapshot *s, Node *node, char **names, Err *err)
{
        size_t n = 0;

        while (names[n])
                n++;
        if (n > SNAPSHOT_NAMES_MAX - s->n_names)
                return err_set(err, -E2BIG, "More than %d names are loaded", SNAPSHOT_NAMES_MAX);
        if (n > 0) {
                node->children = calloc(n, sizeof(*node->children));
                if (!node->children)
                        return err_set(err, -ENOMEM, "Out of memory for %zu names", n);
        }
        for (size_t i = 0; i < n; i++) {
                node->children[i].parent = node;
                node->children[i].name = TAKE_PTR(names[i]);
        }
        node->n_children = n;
        node->known = true;
        s->n_names += n;
        return 0;
}

/* --- JSON --- */

static void snapshot_print_string(FILE *f, const char *s)
{
        (void) fputc('"', f);
        for (; *s; s++) {
                if (*s == '"' || *s == '\\')
                        (void) fputc('\\', f);
                (void) fputc(*s, f);
        }
        (void) fputc('"', f);
}

static void snapshot_print_node(FILE *f, const Node *node, Level level)
{
        if (!node->known) {
                (void) fputs("null", f);
                return;
        }
        (void) fputc(level == LEVEL_PROXY ? '[' : '{', f);
        for (size_t i = 0; i < node->n_children; i++) {
                if (i > 0)
                        (void) fputc(',', f);
                snapshot_print_string(f, node->children[i].name);
                if (level == LEVEL_PROXY)
                        continue;
                (void) fputc(':', f);
                snapshot_print_node(f, &node->children[i], level + 1);
        }
        (void) fputc(level == LEVEL_PROXY ? ']' : '}', f);
}

/* Written by hand: all names are printable ASCII, and a tree of cJSON items would be ten times the text. */
int snapshot_to_json(const Snapshot *s, char **ret)
{
        _cleanup_(freep) char *text = NULL;
        size_t size;

        FILE *f = text_open(&text, &size);
        if (!f)
                return -ENOMEM;
        (void) fputs("{\"organizations\":", f);
        snapshot_print_node(f, &s->root, LEVEL_ROOT);
        (void) fputs(",\"why\":", f);
        snapshot_print_string(f, s->why);
        (void) fputc('}', f);
        bool failed = ferror(f);
        if (text_close(f, &text) < 0 || failed)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

static int node_compare(const void *a, const void *b)
{
        return strcmp(((const Node *) a)->name, ((const Node *) b)->name);
}

static int snapshot_read_node(Snapshot *s, Node *node, Level level, const cJSON *json, Err *err)
{
        const cJSON *item;
        char shown[80];

        if (cJSON_IsNull(json)) /* unknown */
                return 0;
        if (level == LEVEL_PROXY ? !cJSON_IsArray(json) : !cJSON_IsObject(json))
                return err_set(err, -EBADMSG, "Snapshot: %s is no list of %s",
                               json_show(json, shown, sizeof(shown)), level_children_names[level]);

        size_t n = (size_t) cJSON_GetArraySize(json);
        _cleanup_(edge_list_freep) char **names = calloc(n + 1, sizeof(*names));
        if (!names)
                return err_set(err, -ENOMEM, "Out of memory for %zu names", n);
        n = 0;
        cJSON_ArrayForEach(item, json)
        {
                const char *name = level != LEVEL_PROXY   ? item->string
                                   : cJSON_IsString(item) ? item->valuestring
                                                          : NULL;
                if (!name || !edge_name_ok(name))
                        return err_set(err, -EBADMSG, "Snapshot: the %s hold what cannot be a name",
                                       level_children_names[level]);
                names[n] = strdup(name);
                if (!names[n])
                        return err_set(err, -ENOMEM, "Out of memory for %zu names", n);
                n++;
        }
        int r = node_set_children(s, node, names, err);
        if (r < 0)
                return r;
        if (level != LEVEL_PROXY) {
                size_t i = 0;
                cJSON_ArrayForEach(item, json)
                {
                        r = snapshot_read_node(s, &node->children[i++], level + 1, item, err);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Snapshots are written sorted; an edited one need not be, and comparing relies on it. */
static int snapshot_check_order(const Node *node, Err *err)
{
        for (size_t i = 0; i < node->n_children; i++) {
                if (i > 0 && node_compare(&node->children[i - 1], &node->children[i]) >= 0)
                        return err_set(err, -EBADMSG, "Snapshot: \"%s\" is not in order, or there twice",
                                       node->children[i].name);
                int r = snapshot_check_order(&node->children[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int snapshot_from_json(const char *json, Snapshot **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *record = NULL;
        _cleanup_(snapshot_freep) Snapshot *s = NULL;
        const cJSON *why, *organizations;

        int r = json_open(json, strlen(json), SNAPSHOT_JSON_MAX, &record, err);
        if (r >= 0)
                r = json_get(record, "why", &why, err);
        if (r >= 0)
                r = json_get(record, "organizations", &organizations, err);
        if (r < 0)
                return err_prefix(err, r, "Snapshot");
        if (!cJSON_IsObject(record) || (why && !cJSON_IsString(why)))
                return err_set(err, -EBADMSG, "Snapshot: not an object with \"organizations\" and \"why\"");

        s = calloc(1, sizeof(*s));
        if (!s)
                return err_set(err, -ENOMEM, "Out of memory for a snapshot");
        if (why)
                snapshot_set_why(s, why->valuestring);
        if (organizations)
                r = snapshot_read_node(s, &s->root, LEVEL_ROOT, organizations, err);
        if (r >= 0)
                r = snapshot_check_order(&s->root, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/* --- for people --- */

/* How many nodes each level has, and of how many the children are unknown. */
static void node_count(const Node *node, Level level, unsigned *n, unsigned *n_unknown)
{
        n[level]++;
        if (level == LEVEL_REVISION)
                return;
        n_unknown[level] += !node->known;
        for (size_t i = 0; i < node->n_children; i++)
                node_count(&node->children[i], level + 1, n, n_unknown);
}

/* "4 proxies", "proxies unknown", "4 proxies (those of 1 environment unknown)" */
static void summary_part(FILE *f, Level of, const unsigned *n, const unsigned *n_unknown)
{
        const char *children = level_children_names[of];
        unsigned count = n[of + 1];

        if (n[of] > 0 && n_unknown[of] == n[of]) {
                (void) fprintf(f, "%s unknown", children);
                return;
        }
        if (count == 1)
                (void) fprintf(f, "1 %s", level_names[of + 1]);
        else
                (void) fprintf(f, "%u %s", count, children);
        if (n_unknown[of] > 0)
                (void) fprintf(f, " (those of %u %s unknown)", n_unknown[of],
                               n_unknown[of] == 1 ? level_names[of] : level_children_names[of - 1]);
}

const char *snapshot_summary(const Snapshot *s, char *buf, size_t size)
{
        unsigned n[LEVEL_COUNT] = { 0 }, n_unknown[LEVEL_COUNT] = { 0 };

        FILE *f = fmemopen(buf, size, "w");
        if (!f)
                return "unknown";
        node_count(&s->root, LEVEL_ROOT, n, n_unknown);
        if (!s->root.known)
                (void) fputs("environments unknown", f);
        else {
                summary_part(f, LEVEL_ORGANIZATION, n, n_unknown);
                if (n[LEVEL_ENVIRONMENT] > 0) {
                        (void) fputs(", ", f);
                        summary_part(f, LEVEL_ENVIRONMENT, n, n_unknown);
                }
                if (n[LEVEL_PROXY] > 0 && n_unknown[LEVEL_PROXY] > 0) {
                        (void) fputs(", ", f);
                        summary_part(f, LEVEL_PROXY, n, n_unknown);
                }
        }
        if (*s->why)
                (void) fprintf(f, " (%s)", s->why);
        (void) fclose(f);
        buf[size - 1] = '\0';
        return buf;
}

/* --- comparing --- */

typedef struct DiffList {
        unsigned n, shown;
        size_t len;
        char text[200];
} DiffList;

typedef struct Diff {
        DiffList lost, gained, changed, unknown;
} Diff;

static void diff_add(DiffList *list, const char *what)
{
        size_t len = strlen(what);

        list->n++;
        /* In order and without gaps: after the first that does not fit only the number grows. */
        if (list->shown + 1 < list->n || list->len + len + 3 > sizeof(list->text))
                return;
        list->len += (size_t) snprintf(list->text + list->len, sizeof(list->text) - list->len, "%s%s",
                                       list->shown > 0 ? ", " : "", what);
        list->shown++;
}

/* "acme/prod/orders"; long names are cut, the number of things is what decides */
static void node_path(const Node *node, char *buf, size_t size)
{
        buf[0] = '\0';
        if (!node->parent)
                return;
        node_path(node->parent, buf, size);
        size_t len = strlen(buf);
        (void) snprintf(buf + len, size - len, "%s%.40s", len > 0 ? "/" : "", node->name);
}

static void diff_add_node(DiffList *list, const Node *node, Level level)
{
        char path[160], what[192];
        node_path(node, path, sizeof(path));
        (void) snprintf(what, sizeof(what), "%s %s", level_names[level], path);
        diff_add(list, what);
}

static void diff_add_unknown(DiffList *list, const Node *node, Level level)
{
        char path[160], what[192];
        node_path(node, path, sizeof(path));
        (void) snprintf(what, sizeof(what), "%s%s%s", level_children_names[level], *path ? " of " : "", path);
        diff_add(list, what);
}

static void node_join(const Node *node, char *buf, size_t size)
{
        size_t len = 0;
        (void) snprintf(buf, size, "none");
        for (size_t i = 0; i < node->n_children && len + 1 < size; i++)
                len += (size_t) snprintf(buf + len, size - len, "%s%s", i > 0 ? "+" : "",
                                         node->children[i].name);
}

static bool node_same_children(const Node *a, const Node *b)
{
        if (a->n_children != b->n_children)
                return false;
        for (size_t i = 0; i < a->n_children; i++)
                if (strcmp(a->children[i].name, b->children[i].name) != 0)
                        return false;
        return true;
}

static void diff_revisions(Diff *d, const Node *before, const Node *after)
{
        char path[160], from[32], to[32], what[256];

        if (node_same_children(before, after))
                return;
        node_path(before, path, sizeof(path));
        /* Still listed, but nothing of it is deployed: it serves nobody. */
        if (after->n_children == 0) {
                (void) snprintf(what, sizeof(what), "proxy %s (no revision of it)", path);
                diff_add(&d->lost, what);
                return;
        }
        node_join(before, from, sizeof(from));
        node_join(after, to, sizeof(to));
        (void) snprintf(what, sizeof(what), "proxy %s from %s to %s", path, from, to);
        diff_add(&d->changed, what);
}

static void diff_node(Diff *d, const Node *before, const Node *after, Level level)
{
        size_t i = 0, k = 0;

        if (!before->known)
                return;
        if (!after->known) {
                diff_add_unknown(&d->unknown, before, level);
                return;
        }
        if (level == LEVEL_PROXY) {
                diff_revisions(d, before, after);
                return;
        }
        while (i < before->n_children || k < after->n_children) {
                int order = i == before->n_children ? 1
                            : k == after->n_children
                                    ? -1
                                    : node_compare(&before->children[i], &after->children[k]);
                if (order < 0)
                        diff_add_node(&d->lost, &before->children[i++], level + 1);
                else if (order > 0)
                        diff_add_node(&d->gained, &after->children[k++], level + 1);
                else
                        diff_node(d, &before->children[i++], &after->children[k++], level + 1);
        }
}

static void diff_print(FILE *f, const char *what, const DiffList *list)
{
        if (list->n == 0)
                return;
        (void) fprintf(f, "%s%s: %s", ftell(f) > 0 ? "; " : "", what, list->text);
        if (list->n > list->shown)
                (void) fprintf(f, "%s%u more", list->shown > 0 ? " and " : "", list->n - list->shown);
}

void snapshot_compare(const Snapshot *before, const Snapshot *after, SnapshotDiff *ret)
{
        Diff d = { 0 };

        diff_node(&d, &before->root, &after->root, LEVEL_ROOT);
        *ret = (SnapshotDiff){
                .lost = d.lost.n,
                .gained = d.gained.n,
                .changed = d.changed.n,
                .unknown = d.unknown.n > 0,
                .text = "as before",
        };
        if (d.lost.n + d.gained.n + d.changed.n + d.unknown.n == 0)
                return;
        FILE *f = fmemopen(ret->text, sizeof(ret->text), "w");
        if (!f)
                return;
        diff_print(f, "lost", &d.lost);
        diff_print(f, "unknown now", &d.unknown);
        diff_print(f, "changed", &d.changed);
        diff_print(f, "gained", &d.gained);
        (void) fclose(f);
        ret->text[sizeof(ret->text) - 1] = '\0';
}

/* --- fetching --- */

static SnapshotFetch *snapshot_fetch_free(SnapshotFetch *f)
{
        if (!f)
                return NULL;
        for (size_t i = 0; i < SNAPSHOT_AT_ONCE; i++)
                (void) http_cancel(f->slots[i].call);
        (void) sd_event_source_unref(f->deadline);
        (void) snapshot_free(f->snapshot);
        free(f->runtime_url);
        free(f->todo);
        free(f);
        return NULL;
}
DEFINE_CLEANUP(SnapshotFetch, snapshot_fetch_free);

SnapshotFetch *snapshot_fetch_cancel(SnapshotFetch *f)
{
        return f && f->delivering ? NULL : snapshot_fetch_free(f);
}

static void fetch_finish(SnapshotFetch *f)
{
        for (size_t i = 0; i < SNAPSHOT_AT_ONCE; i++)
                f->slots[i].call = http_cancel(f->slots[i].call);
        f->deadline = sd_event_source_unref(f->deadline);
        f->delivering = true;
        f->fn(TAKE_PTR(f->snapshot), f->userdata);
        (void) snapshot_fetch_free(f);
}

static int fetch_on_deadline(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        SnapshotFetch *f = userdata;
        snapshot_set_why(f->snapshot, "not all answers came in time");
        fetch_finish(f);
        return 0;
}

static void fetch_print_escaped(FILE *f, const char *name)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
        for (; *name; name++)
                if (strchr(plain, *name))
                        (void) fputc(*name, f);
                else
                        (void) fprintf(f, "%%%02X", (unsigned char) *name);
}

/* /organizations/ORG/environments/ENV/apis/API, as deep as @node is */
static Level fetch_print_path(FILE *f, const Node *node)
{
        if (!node->parent)
                return LEVEL_ROOT;
        Level level = fetch_print_path(f, node->parent);
        (void) fprintf(f, "/%s/", level_children[level]);
        fetch_print_escaped(f, node->name);
        return level + 1;
}

static int fetch_url(const SnapshotFetch *f, const Node *node, char **ret)
{
        _cleanup_(freep) char *url = NULL;
        size_t size;

        FILE *out = text_open(&url, &size);
        if (!out)
                return -ENOMEM;
        (void) fputs(f->runtime_url, out);
        Level level = fetch_print_path(out, node);
        (void) fprintf(out, "/%s", level_children[level]);
        bool failed = ferror(out);
        if (text_close(out, &url) < 0 || failed)
                return -ENOMEM;
        *ret = TAKE_PTR(url);
        return 0;
}

static size_t fetch_collect(Node *node, Level at, Level level, Node **todo)
{
        size_t n = 0;

        if (at == level) {
                if (todo)
                        *todo = node;
                return 1;
        }
        for (size_t i = 0; i < node->n_children; i++)
                n += fetch_collect(&node->children[i], at + 1, level, todo ? todo + n : NULL);
        return n;
}

/* Make the nodes of @level the ones to ask. */
static int fetch_set_level(SnapshotFetch *f, Level level, Err *err)
{
        Node *root = &f->snapshot->root;
        size_t n = fetch_collect(root, LEVEL_ROOT, level, NULL);

        Node **todo = calloc(n + 1, sizeof(Node *));
        if (!todo)
                return err_set(err, -ENOMEM, "Out of memory for %zu requests", n);
        (void) fetch_collect(root, LEVEL_ROOT, level, todo);
        free(f->todo);
        f->todo = todo;
        f->n_todo = n;
        f->next = 0;
        f->level = level;
        return 0;
}

static void fetch_on_answer(const HttpResult *result, void *userdata);

static int fetch_start(SnapshotFetch *f, SnapshotSlot *slot, Node *node, Err *err)
{
        _cleanup_(freep) char *url = NULL;

        int r = fetch_url(f, node, &url);
        if (r < 0)
                return err_set(err, r, "Out of memory for a request");
        HttpRequest request = {
                .url = url,
                .total_usec = SNAPSHOT_REQUEST_USEC,
                .max_body_bytes = EDGE_JSON_MAX,
        };
        slot->fetch = f;
        slot->node = node;
        return http_start(f->http, &request, fetch_on_answer, slot, &slot->call, err);
}

/*
 * Fill the free slots. A request that cannot be started leaves its list unknown.
 * Return: number of requests under way; or, if there is none, the last error of http_start() (0: nothing to
 * ask).
 */
static int fetch_fill(SnapshotFetch *f, Err *err)
{
        int under_way = 0, last = 0;

        for (size_t i = 0; i < SNAPSHOT_AT_ONCE; i++) {
                SnapshotSlot *slot = &f->slots[i];
                while (!slot->call && f->next < f->n_todo && f->requests_left > 0) {
                        f->requests_left--;
                        int r = fetch_start(f, slot, f->todo[f->next++], err);
                        if (r < 0)
                                last = r;
                }
                under_way += !!slot->call;
        }
        return under_way > 0 ? under_way : last;
}

/* Go on after an answer: the next requests, the next level, or the end. @f may be gone afterwards. */
static void fetch_advance(SnapshotFetch *f)
{
        Err err = { 0 };

        for (;;) {
                int r = fetch_fill(f, &err);
                if (r < 0)
                        snapshot_set_why(f->snapshot, err.text);
                if (r > 0)
                        return;
                if (f->next < f->n_todo) {
                        snapshot_set_why(f->snapshot, "too many lists to ask for them all");
                        break;
                }
                if (f->level == LEVEL_PROXY)
                        break;
                r = fetch_set_level(f, f->level + 1, &err);
                if (r < 0) {
                        snapshot_set_why(f->snapshot, err.text);
                        break;
                }
        }
        fetch_finish(f);
}

static void fetch_on_answer(const HttpResult *result, void *userdata)
{
        SnapshotSlot *slot = userdata;
        SnapshotFetch *f = slot->fetch;
        _cleanup_(edge_list_freep) char **names = NULL;
        char why[256];
        Err err = { 0 };

        slot->call = NULL;
        if (result->outcome != HTTP_ANSWER || result->status != 200)
                snapshot_set_why(f->snapshot, result->text);
        else {
                int r = edge_list_parse(result->body, result->body_len, &names, &err);
                if (r >= 0)
                        r = node_set_children(f->snapshot, slot->node, names, &err);
                if (r < 0) {
                        (void) snprintf(why, sizeof(why), "%.100s: %.120s", result->text, err.text);
                        snapshot_set_why(f->snapshot, why);
                }
        }
        fetch_advance(f);
}

/* Configured names are the answer to the first question. */
static int fetch_set_organizations(SnapshotFetch *f, const char *organizations, Err *err)
{
        _cleanup_(edge_list_freep) char **names = NULL;

        int r = edge_list_from_words(organizations, &names, err);
        if (r < 0)
                return r;
        if (!*names)
                return fetch_set_level(f, LEVEL_ROOT, err);
        r = node_set_children(f->snapshot, &f->snapshot->root, names, err);
        return r < 0 ? r : fetch_set_level(f, LEVEL_ORGANIZATION, err);
}

int snapshot_fetch(Http *http, sd_event *e, const SnapshotRequest *request, SnapshotFn fn, void *userdata,
                   SnapshotFetch **ret, Err *err)
{
        size_t url_len = strlen(request->runtime_url);

        while (url_len > 0 && request->runtime_url[url_len - 1] == '/')
                url_len--;
        if (url_len > SNAPSHOT_URL_MAX)
                return err_set(err, -EINVAL, "A URL of %zu bytes, at most %d are allowed", url_len,
                               SNAPSHOT_URL_MAX);

        _cleanup_(snapshot_fetch_freep) SnapshotFetch *f = calloc(1, sizeof(*f));
        if (!f)
                return err_set(err, -ENOMEM, "Out of memory for a snapshot");
        f->snapshot = calloc(1, sizeof(*f->snapshot));
        f->runtime_url = strndup(request->runtime_url, url_len);
        if (!f->snapshot || !f->runtime_url)
                return err_set(err, -ENOMEM, "Out of memory for a snapshot");
        f->http = http;
        f->fn = fn;
        f->userdata = userdata;
        f->requests_left = request->max_requests > 0 ? request->max_requests : SNAPSHOT_REQUESTS_MAX;

        int r = fetch_set_organizations(f, request->organizations ? request->organizations : "", err);
        if (r < 0)
                return r;
        r = sd_event_add_time(e, &f->deadline, CLOCK_MONOTONIC, time_add(time_now(), request->limit_usec),
                              SNAPSHOT_ACCURACY_USEC, fetch_on_deadline, f);
        if (r < 0)
                return err_errno(err, r, "Cannot set a time limit");
        r = fetch_fill(f, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}
