/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/roll-record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/result.h"
#include "probes/json.h"

#define SUFFIX    ".jsonl"
#define TAIL_SIZE (64U * 1024) /* the last line of an ended roll is far shorter */

static void closedirp(DIR **d)
{
        if (*d)
                (void) closedir(*d);
}

/* Lines. */

/* An event, or NULL. */
static cJSON *line_parse(const char *line, size_t len, Err *err)
{
        cJSON *e = NULL;
        if (json_open(line, len, ROLL_LOG_MAX_LINE, &e, err) < 0)
                return NULL;
        if (cJSON_IsObject(e) && *json_text(e, "event"))
                return e;
        cJSON_Delete(e);
        (void) err_set(err, -EBADMSG, "no JSON object with \"event\"");
        return NULL;
}

size_t roll_record_whole(const char *text, size_t len)
{
        const char *last = len ? memrchr(text, '\n', len) : NULL;
        if (!last)
                return 0;
        size_t whole = (size_t) (last - text) + 1;
        if (whole < len)
                return whole;
        /* A file may have got its length and not its last bytes: then the line end is there, the line is not.
         */
        const char *before = memrchr(text, '\n', whole - 1);
        const char *line = before ? before + 1 : text;
        _cleanup_(json_closep) cJSON *e = line_parse(line, (size_t) (last - line), NULL);
        return e ? whole : (size_t) (line - text);
}

/* The fold. */

bool roll_result_good(const char *result)
{
        Result r = result_from_name(result);
        return r == RESULT_DONE || r == RESULT_NOT_NEEDED;
}

/* @component: "": the first of that name. */
static RollNode *node_find(const RollRecord *r, const char *name, const char *component)
{
        for (size_t i = 0; i < r->n_nodes; i++)
                if (strcmp(r->nodes[i].name, name) == 0 &&
                    (!*component || strcmp(r->nodes[i].component, component) == 0))
                        return &r->nodes[i];
        return NULL;
}

const RollNode *roll_record_node(const RollRecord *r, const char *name, const char *component)
{
        return node_find(r, name, component ? component : "");
}

static int node_add(RollRecord *r, const cJSON *n)
{
        RollNode *more = realloc(r->nodes, (r->n_nodes + 1) * sizeof(*more));
        if (!more)
                return -ENOMEM;
        r->nodes = more;
        const char *component = json_text(n, "component");
        more[r->n_nodes++] = (RollNode){
                .name = json_text(n, "name"),
                .dest = json_text(n, "dest"),
                .user = json_text(n, "user"),
                .port = json_port(cJSON_GetObjectItemCaseSensitive(n, "port")),
                .pool = json_text(n, "pool"),
                .uuid = json_text(n, "uuid"),
                .component = *component ? component : r->component,
                .selected = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(n, "selected")),
                .phase = "",
                .result = "",
                .reason = "",
                .hint = "",
                .time = "",
                .elapsed = -1,
        };
        return 0;
}

static int fold_roll(RollRecord *r, const cJSON *e)
{
        const cJSON *node;
        /* Only the first line may be one: nodes point into it. */
        if (r->begun)
                return 0;
        r->begun = true;
        r->id = json_text(e, "id");
        r->what = json_text(e, "what");
        r->component = json_text(e, "component");
        r->by = json_text(e, "by");
        r->host = json_text(e, "host");
        r->reason = json_text(e, "reason");
        r->time = json_text(e, "time");
        r->version = json_text(e, "version");
        r->pid = json_number(e, "pid", 0);
        r->options = cJSON_GetObjectItemCaseSensitive(e, "options");
        r->pools = cJSON_GetObjectItemCaseSensitive(e, "pools");
        cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(e, "nodes"))
        {
                if (*json_text(node, "name") && node_add(r, node) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static void node_end(RollNode *n, const cJSON *e)
{
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(e, "result");
        /* A result may be told by its name alone. */
        const cJSON *from = cJSON_IsObject(result) ? result : e;
        n->state = ROLL_NODE_ENDED;
        n->json = cJSON_IsObject(result) ? result : NULL;
        n->result = json_text(from, "result");
        n->reason = json_text(from, "reason");
        n->hint = json_text(from, "hint");
        n->elapsed = json_number(from, "elapsed", -1);
}

static void fold_node(RollRecord *r, const cJSON *e)
{
        RollNode *n = node_find(r, json_text(e, "node"), json_text(e, "component"));
        const char *state = json_text(e, "state");
        uint64_t step = json_count(e, "step");
        r->last_step = MAX(r->last_step, step);
        if (!n)
                return;
        n->time = json_text(e, "time");
        if (strcmp(state, "begin") == 0) {
                n->state = ROLL_NODE_BEGUN;
                n->step = step;
                n->begun++;
                n->phase = n->result = n->reason = n->hint = "";
                n->elapsed = -1;
                n->json = NULL;
        } else if (strcmp(state, "phase") == 0)
                n->phase = json_text(e, "phase");
        else if (strcmp(state, "end") == 0)
                node_end(n, e);
}

static void fold_end(RollRecord *r, const cJSON *e)
{
        r->ended = true;
        r->result = json_text(e, "result");
        r->exit = (int) json_count(e, "exit") % 256;
        r->text = json_text(e, "text");
        r->hint = json_text(e, "hint");
        r->end_time = json_text(e, "time");
        r->elapsed = json_number(e, "elapsed", -1);
}

static void fold_resume(RollRecord *r, const cJSON *e)
{
        r->resumed++;
        r->ended = false;
        r->result = r->text = r->hint = r->end_time = r->stopped = "";
        r->exit = 0;
        r->by = *json_text(e, "by") ? json_text(e, "by") : r->by;
        r->host = json_text(e, "host");
        r->pid = json_number(e, "pid", 0);
}

static int fold(RollRecord *r, const cJSON *e)
{
        const char *event = json_text(e, "event");
        if (strcmp(event, "roll") == 0)
                return fold_roll(r, e);
        if (strcmp(event, "node") == 0)
                fold_node(r, e);
        else if (strcmp(event, "override") == 0)
                r->overrides++;
        else if (strcmp(event, "warning") == 0)
                r->warnings++;
        else if (strcmp(event, "stop") == 0)
                r->stopped = json_text(e, "text");
        else if (strcmp(event, "resume") == 0)
                fold_resume(r, e);
        else if (strcmp(event, "end") == 0)
                fold_end(r, e);
        return 0;
}

static void count(RollRecord *r)
{
        for (size_t i = 0; i < r->n_nodes; i++) {
                const RollNode *n = &r->nodes[i];
                if (!n->selected)
                        continue;
                r->counts.total++;
                if (n->state == ROLL_NODE_WAITING)
                        r->counts.left++;
                else if (n->state == ROLL_NODE_BEGUN)
                        r->counts.open++;
                else if (strcmp(n->result, result_name(RESULT_NOT_NEEDED)) == 0)
                        r->counts.skipped++;
                else if (roll_result_good(n->result))
                        r->counts.done++;
                else
                        r->counts.failed++;
        }
}

static int check_format(const cJSON *first, const char *file, Err *err)
{
        double format = json_number(first, "format", 0);
        if (strcmp(json_text(first, "event"), "roll") == 0 && format != ROLL_LOG_FORMAT)
                return err_set(err, -EPROTO, "%.200s has format %g, this version knows %d", file, format,
                               ROLL_LOG_FORMAT);
        return 0;
}

static void damage(RollRecord *r, const char *file, unsigned line, const char *what)
{
        if (r->damaged++ == 0)
                (void) snprintf(r->trouble, sizeof(r->trouble), "%.200s:%u: damaged: %.200s", file, line,
                                what);
}

RollRecord *roll_record_free(RollRecord *r)
{
        if (!r)
                return NULL;
        cJSON_Delete(r->events);
        free(r->nodes);
        free(r);
        return NULL;
}

static RollRecord *record_new(void)
{
        RollRecord *r = calloc(1, sizeof(*r));
        if (!r)
                return NULL;
        r->id = r->what = r->component = r->by = r->host = r->reason = r->time = r->version = "";
        r->result = r->text = r->hint = r->end_time = r->stopped = "";
        r->elapsed = -1;
        r->events = cJSON_CreateArray();
        return r->events ? r : roll_record_free(r);
}

int roll_record_parse(const char *text, size_t len, const char *file, RollRecord **ret, Err *err)
{
        _cleanup_(roll_record_freep) RollRecord *r = record_new();
        if (!r)
                return err_set(err, -ENOMEM, "out of memory");
        if (len > ROLL_LOG_MAX_BYTES)
                return err_set(err, -E2BIG, "%.200s is too large for the journal of a roll", file);
        size_t whole = roll_record_whole(text, len);
        unsigned number = 0;
        r->torn = whole < len;
        for (const char *p = text, *end = text + whole; p < end;) {
                const char *eol = memchr(p, '\n', (size_t) (end - p));
                Err why = { 0 };
                cJSON *e = line_parse(p, (size_t) (eol - p), &why);
                number++;
                p = eol + 1;
                if (!e) {
                        damage(r, file, number, why.text);
                        continue;
                }
                if (!cJSON_AddItemToArray(r->events, e)) {
                        cJSON_Delete(e);
                        return err_set(err, -ENOMEM, "out of memory");
                }
                int n = number == 1 ? check_format(e, file, err) : 0;
                if (n < 0)
                        return n;
                if (number == 1 && strcmp(json_text(e, "event"), "roll") != 0)
                        damage(r, file, number, "a journal begins with the event \"roll\"");
                if (fold(r, e) < 0)
                        return err_set(err, -ENOMEM, "out of memory");
        }
        count(r);
        r->resumable = r->ended && !roll_result_good(r->result) &&
                       r->counts.done + r->counts.skipped < r->counts.total;
        *ret = TAKE_PTR(r);
        return 0;
}

/* Files. */

int roll_log_text(int fd, const char *path, char **ret, size_t *ret_len, Err *err)
{
        struct stat st;
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "cannot read %s", path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, -EBADMSG, "%s is not a file", path);
        if (st.st_size > (off_t) ROLL_LOG_MAX_BYTES)
                return err_set(err, -E2BIG, "%s is too large for the journal of a roll", path);
        size_t size = (size_t) st.st_size, len = 0;
        _cleanup_(freep) char *text = malloc(size + 1);
        if (!text)
                return err_set(err, -ENOMEM, "out of memory");
        while (len < size) {
                ssize_t n = pread(fd, text + len, size - len, (off_t) len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "cannot read %s", path);
                if (n == 0)
                        break;
                len += (size_t) n;
        }
        text[len] = '\0';
        *ret = TAKE_PTR(text);
        *ret_len = len;
        return 0;
}

/* Does a process write it? Source: fcntl(2), F_OFD_GETLK. */
static bool is_locked(int fd)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
        return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int log_open_read(const char *dir, const char *id, char path[PATH_MAX], Err *err)
{
        if (!roll_log_id_valid(id))
                return err_set(err, -ENOENT,
                               "\"%.80s\" is not the id of a roll; edge-roll history lists them", id);
        (void) snprintf(path, PATH_MAX, "%s/%s" SUFFIX, dir, id);
        /* Nonblocking: somebody's FIFO of that name must not stop us. */
        int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return err_set(err, -ENOENT, "there is no roll %s in %s; edge-roll history lists them", id,
                               dir);
        return fd < 0 ? err_errno(err, errno, "cannot read %s", path) : fd;
}

int roll_log_read(const char *dir, const char *id, RollRecord **ret, Err *err)
{
        _cleanup_(freep) char *text = NULL;
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        char path[PATH_MAX];
        size_t len;
        int r = log_open_read(dir, id, path, err);
        if (r < 0)
                return r;
        _cleanup_(closep) int fd = r;
        /* Asked first: a process that ends in between has then at least written what is read. */
        bool running = is_locked(fd);
        struct stat st;
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "cannot read %s", path);
        if ((r = roll_log_text(fd, path, &text, &len, err)) < 0 ||
            (r = roll_record_parse(text, len, path, &record, err)) < 0)
                return r;
        record->running = running;
        record->touched = (Usec) st.st_mtim.tv_sec * USEC_PER_SEC + (Usec) st.st_mtim.tv_nsec / 1000;
        *ret = TAKE_PTR(record);
        return 0;
}

/* Directories. */

void roll_list_done(RollList *list)
{
        for (size_t i = 0; i < list->n; i++) {
                cJSON_Delete(list->rolls[i].first);
                cJSON_Delete(list->rolls[i].last);
        }
        free(list->rolls);
        *list = (RollList){ 0 };
}

/* The first line; what is larger than a line may be is no journal. Return: 0, *ret NULL where there is none.
 */
static int read_first(int fd, cJSON **ret, Err *err)
{
        _cleanup_(freep) char *text = NULL;
        size_t len = 0, size = 4096;
        for (;;) {
                char *more = realloc(text, size);
                if (!more)
                        return err_set(err, -ENOMEM, "out of memory");
                text = more;
                ssize_t n = pread(fd, text + len, size - len, (off_t) len);
                if (n < 0)
                        return err_errno(err, errno, "cannot be read");
                const char *eol = memchr(text + len, '\n', (size_t) n);
                len += (size_t) n;
                if (eol) {
                        *ret = line_parse(text, (size_t) (eol - text), err);
                        return *ret ? 0 : -EBADMSG;
                }
                if (n == 0)
                        return 0;
                if (len == size && (size *= 2) > 2 * ROLL_LOG_MAX_LINE)
                        return err_set(err, -E2BIG, "its first line has no end");
        }
}

static cJSON *read_last(int fd, off_t size)
{
        _cleanup_(freep) char *text = malloc(TAIL_SIZE);
        off_t from = size > (off_t) TAIL_SIZE ? size - (off_t) TAIL_SIZE : 0;
        ssize_t n = text ? pread(fd, text, TAIL_SIZE, from) : -1;
        if (n <= 0)
                return NULL;
        size_t whole = roll_record_whole(text, (size_t) n);
        if (whole == 0)
                return NULL;
        const char *before = memrchr(text, '\n', whole - 1);
        const char *line = before ? before + 1 : text;
        return line_parse(line, whole - 1 - (size_t) (line - text), NULL);
}

static void summary_fill(RollSummary *s, const char *dir)
{
        char path[PATH_MAX];
        Err err = { 0 };
        struct stat st;
        _cleanup_(closep) int fd = log_open_read(dir, s->id, path, &err);
        int r = fd;
        if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
                (void) snprintf(s->trouble, sizeof(s->trouble), "%.200s is not a file", path);
                return;
        }
        if (r >= 0) {
                s->running = is_locked(fd);
                r = read_first(fd, &s->first, &err);
        }
        if (r >= 0 && s->first && strcmp(json_text(s->first, "event"), "roll") != 0)
                r = err_set(&err, -EBADMSG, "it does not begin with the event \"roll\"");
        if (r >= 0 && s->first)
                r = check_format(s->first, path, &err);
        if (fd >= 0)
                s->last = read_last(fd, st.st_size);
        /* One bad line is what a crash left of the first one: nothing was begun. */
        s->begun = s->first || (fd >= 0 && r < 0 && s->last);
        s->ended = strcmp(json_text(s->last, "event"), "end") == 0;
        if (r == -EPROTO || fd < 0)
                (void) snprintf(s->trouble, sizeof(s->trouble), "%.250s", err.text);
        else if (r < 0)
                (void) snprintf(s->trouble, sizeof(s->trouble), "%.150s:1: damaged: %.80s", path, err.text);
}

static int compare_newest(const void *a, const void *b)
{
        return strcmp(((const RollSummary *) b)->id, ((const RollSummary *) a)->id);
}

static int list_names(const char *dir, RollList *list, Err *err)
{
        _cleanup_(closedirp) DIR *d = opendir(dir);
        if (!d)
                return errno == ENOENT
                               ? 0
                               : err_errno(err, errno, "cannot open the directory of journals %s", dir);
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(d);
                if (!entry)
                        return errno ? err_errno(err, errno, "cannot read the directory of journals %s", dir)
                                     : 0;
                size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
                char id[ROLL_ID_SIZE];
                if (n <= suffix || n - suffix >= sizeof(id) ||
                    strcmp(entry->d_name + n - suffix, SUFFIX) != 0)
                        continue;
                (void) snprintf(id, sizeof(id), "%.*s", (int) (n - suffix), entry->d_name);
                if (!roll_log_id_valid(id))
                        continue;
                RollSummary *more = realloc(list->rolls, (list->n + 1) * sizeof(*more));
                if (!more)
                        return err_set(err, -ENOMEM, "out of memory");
                list->rolls = more;
                more[list->n] = (RollSummary){ 0 };
                (void) snprintf(more[list->n++].id, ROLL_ID_SIZE, "%s", id);
        }
}

int roll_log_list(const char *dir, RollList *ret, Err *err)
{
        RollList list = { 0 };
        int r = list_names(dir, &list, err);
        if (r < 0) {
                roll_list_done(&list);
                return r;
        }
        if (list.n)
                qsort(list.rolls, list.n, sizeof(*list.rolls), compare_newest);
        for (size_t i = 0; i < list.n; i++)
                summary_fill(&list.rolls[i], dir);
        *ret = list;
        return 0;
}

char **roll_ids_free(char **ids)
{
        for (char **id = ids; id && *id; id++)
                free(*id);
        free(ids);
        return NULL;
}

static bool has_pool(const RollSummary *s, const char *pool)
{
        const cJSON *item;
        if (!pool || !s->first)
                return true;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(s->first, "pools"))
        {
                if (strcmp(json_text(item, "name"), pool) == 0)
                        return true;
        }
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(s->first, "nodes"))
        {
                if (strcmp(json_text(item, "pool"), pool) == 0)
                        return true;
        }
        return false;
}

int roll_log_unfinished(const char *dir, const char *pool, char ***ret, Err *err)
{
        RollList list = { 0 };
        int r = roll_log_list(dir, &list, err);
        if (r < 0)
                return r;
        char **ids = calloc(list.n + 1, sizeof(*ids));
        size_t n = 0;
        for (size_t i = 0; ids && i < list.n; i++) {
                const RollSummary *s = &list.rolls[i];
                if (!s->begun || s->ended || !has_pool(s, pool))
                        continue;
                if (!(ids[n++] = strdup(s->id)))
                        ids = roll_ids_free(ids);
        }
        roll_list_done(&list);
        if (!ids)
                return err_set(err, -ENOMEM, "out of memory");
        *ret = ids;
        return 0;
}

static bool is_meant(const char *id, const char *text)
{
        size_t n = strlen(id), t = strlen(text);
        return t <= n && (strncmp(id, text, t) == 0 || strcmp(id + n - t, text) == 0);
}

int roll_log_find(const char *dir, const char *text, bool unfinished, char ret[ROLL_ID_SIZE], Err *err)
{
        RollList list = { 0 };
        const RollSummary *found = NULL;
        int r = roll_log_list(dir, &list, err);
        if (r < 0)
                return r;
        for (size_t i = 0; text && i < list.n; i++)
                if (strcmp(list.rolls[i].id, text) == 0)
                        found = &list.rolls[i];
        bool exact = found;
        for (size_t i = 0; i < list.n && r == 0 && !exact; i++) {
                const RollSummary *s = &list.rolls[i];
                if (!text && !found && s->begun && (!unfinished || !s->ended))
                        found = s;
                if (!text || !is_meant(s->id, text))
                        continue;
                if (found)
                        r = err_set(err, -ENOTUNIQ, "\"%.80s\" may be %s or %s: say more of it", text, s->id,
                                    found->id);
                found = s;
        }
        if (r == 0 && !found)
                r = text         ? err_set(err, -ENOENT,
                                           "there is no roll \"%.80s\" in %.300s; edge-roll history "
                                                   "lists them",
                                           text, dir)
                    : unfinished ? err_set(err, -ENOENT, "no roll in %.300s is unfinished", dir)
                                 : err_set(err, -ENOENT, "there is no roll in %.300s", dir);
        if (r == 0)
                (void) snprintf(ret, ROLL_ID_SIZE, "%s", found->id);
        roll_list_done(&list);
        return r;
}
