/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/history.h"

#include <errno.h>
#include <string.h>

#include "agent/put.h"
#include "base/result.h"
#include "base/text.h"
#include "probes/json.h"

#define COLUMN_MOST 24

/* "2026-11-28 18:45" of a stamp; anything else as it is. */
static const char *minute_of(const char *stamp, char *buf, size_t size)
{
        bool known = strlen(stamp) >= 16 && stamp[10] == 'T' && stamp[13] == ':';
        (void) snprintf(buf, size, "%.*s", known ? 16 : (int) size - 1, stamp);
        if (known && size > 16)
                buf[10] = ' ';
        return buf;
}

static const char *seconds_text(double seconds, char *buf, size_t size)
{
        Usec usec = seconds > 0 && seconds < 1e9 ? (Usec) (seconds * (double) USEC_PER_SEC) : 0;
        return usec < 10 * USEC_PER_SEC ? (snprintf(buf, size, "%.1f s", time_sec(usec)), buf)
                                        : time_format(usec, buf, size);
}

/* The list. */

static bool is_about(const RollSummary *s, const char *component)
{
        const cJSON *node;
        if (!component || strcmp(json_text(s->first, "component"), component) == 0)
                return true;
        cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(s->first, "nodes"))
        {
                if (strcmp(json_text(node, "component"), component) == 0)
                        return true;
        }
        return false;
}

static const char *summary_result(const RollSummary *s)
{
        if (s->ended)
                return json_text(s->last, "result");
        if (s->running)
                return "running";
        return s->begun ? "unfinished" : s->trouble[0] ? "unreadable" : "never begun";
}

/* What the end has counted; of what has none only how many there were. */
static void summary_counts(const RollSummary *s, FILE *f)
{
        static const struct {
                const char *key, *word;
        } parts[] = { { "skipped", "skipped" },
                      { "failed", "failed" },
                      { "open", "not known" },
                      { "left", "not touched" } };
        const cJSON *counts = cJSON_GetObjectItemCaseSensitive(s->last, "counts"), *node;
        if (s->ended && cJSON_IsObject(counts)) {
                (void) fprintf(f, "%" PRIu64 " of %" PRIu64 " done", json_count(counts, "done"),
                               json_count(counts, "total"));
                for (size_t i = 0; i < ELEMENTS(parts); i++)
                        if (json_count(counts, parts[i].key) > 0)
                                (void) fprintf(f, ", %" PRIu64 " %s", json_count(counts, parts[i].key),
                                               parts[i].word);
                return;
        }
        unsigned n = 0;
        cJSON_ArrayForEach(node, cJSON_GetObjectItemCaseSensitive(s->first, "nodes")) n +=
                !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(node, "selected"));
        if (n > 0)
                (void) fprintf(f, "%u node%s", n, n == 1 ? "" : "s");
}

typedef enum ListColumn { LIST_ID, LIST_BEGUN, LIST_WHAT, LIST_BY, LIST_RESULT, LIST_COLUMNS } ListColumn;

static const char *list_cell(const RollSummary *s, ListColumn column, char *buf, size_t size)
{
        switch (column) {
        case LIST_ID:
                return s->id;
        case LIST_BEGUN:
                return minute_of(json_text(s->first, "time"), buf, size);
        case LIST_WHAT:
                return view_what(json_text(s->first, "what"), json_text(s->first, "component"), buf, size);
        case LIST_BY:
                return json_text(s->first, "by");
        case LIST_RESULT:
                return summary_result(s);
        case LIST_COLUMNS:
                break;
        }
        return "";
}

static void list_row(const RollSummary *s, const size_t widths[LIST_COLUMNS], FILE *f)
{
        _cleanup_(freep) char *counts = NULL;
        char text[128];
        size_t size;
        FILE *m = text_open(&counts, &size);
        if (!m)
                return;
        summary_counts(s, m);
        if (text_close(m, &counts) < 0)
                return;
        for (int c = 0; c < LIST_COLUMNS; c++) {
                const char *cell = list_cell(s, (ListColumn) c, text, sizeof(text));
                bool last = c + 1 == LIST_COLUMNS && !*counts;
                put_field(f, cell, last ? MIN(put_columns(cell), widths[c]) : widths[c]);
                (void) fputs(last ? "" : "  ", f);
        }
        (void) fprintf(f, "%s\n", counts);
}

static void list_table(const RollList *list, const char *component, FILE *f)
{
        static const char *const heads[LIST_COLUMNS] = { "ROLL", "BEGUN (UTC)", "WHAT", "BY", "RESULT" };
        size_t widths[LIST_COLUMNS];
        char text[128];
        for (int c = 0; c < LIST_COLUMNS; c++) {
                widths[c] = strlen(heads[c]);
                for (size_t i = 0; i < list->n; i++) {
                        const RollSummary *s = &list->rolls[i];
                        size_t n = put_columns(list_cell(s, (ListColumn) c, text, sizeof(text)));
                        if (is_about(s, component))
                                widths[c] = MAX(widths[c], c == LIST_ID ? n : MIN(n, (size_t) COLUMN_MOST));
                }
        }
        for (int c = 0; c < LIST_COLUMNS; c++) {
                put_field(f, heads[c], widths[c]);
                (void) fputs("  ", f);
        }
        (void) fputs("NODES\n", f);
        for (size_t i = 0; i < list->n; i++)
                if (is_about(&list->rolls[i], component))
                        list_row(&list->rolls[i], widths, f);
}

static void resume_commands(const char *id, FILE *f)
{
        (void) fputs("  edge-roll resume ", f);
        put_clean(f, id);
        (void) fputs(" goes on with it\n  edge-roll resume ", f);
        put_clean(f, id);
        (void) fputs(" --give-up ends it\n", f);
}

/* What needs somebody to do something. */
static void list_remarks(const RollList *list, const char *component, FILE *f)
{
        bool first = true;
        for (size_t i = 0; i < list->n; i++) {
                const RollSummary *s = &list->rolls[i];
                bool unfinished = s->begun && !s->ended && !s->running;
                if (!is_about(s, component) || (!s->trouble[0] && !unfinished))
                        continue;
                if (first)
                        (void) fputc('\n', f);
                first = false;
                if (s->trouble[0]) {
                        put_clean(f, s->id);
                        (void) fputs(": ", f);
                        put_clean(f, s->trouble);
                        (void) fputc('\n', f);
                }
                if (unfinished) {
                        put_clean(f, s->id);
                        (void) fputs(" has not ended:\n", f);
                        resume_commands(s->id, f);
                }
        }
}

static bool add_text(cJSON *o, const char *key, const char *text)
{
        return !*text || cJSON_AddStringToObject(o, key, text);
}

static bool add_copy(cJSON *o, const char *key, const cJSON *from)
{
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, key);
        cJSON *copy = item ? cJSON_Duplicate(item, true) : NULL;
        if (!item)
                return true;
        if (copy && cJSON_AddItemToObject(o, key, copy))
                return true;
        cJSON_Delete(copy);
        return false;
}

static int list_json(const RollSummary *s, FILE *f)
{
        static const char *const first[] = { "time", "what", "component", "by", "host", "reason" };
        static const char *const last[] = { "exit", "text", "hint", "elapsed", "counts" };
        _cleanup_(json_closep) cJSON *o = cJSON_CreateObject();
        if (!o || !cJSON_AddStringToObject(o, "roll", s->id))
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(first); i++)
                if (!add_copy(o, first[i], s->first))
                        return -ENOMEM;
        if (!cJSON_AddBoolToObject(o, "begun", s->begun) ||
            !cJSON_AddBoolToObject(o, "running", s->running) ||
            !cJSON_AddBoolToObject(o, "ended", s->ended) ||
            (s->ended && (!add_text(o, "result", json_text(s->last, "result")) ||
                          !add_text(o, "ended_time", json_text(s->last, "time")))) ||
            !add_text(o, "trouble", s->trouble))
                return -ENOMEM;
        for (size_t i = 0; s->ended && i < ELEMENTS(last); i++)
                if (!add_copy(o, last[i], s->last))
                        return -ENOMEM;
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(o);
        if (!text)
                return -ENOMEM;
        (void) fprintf(f, "%s\n", text);
        return 0;
}

int history_list(const RollList *list, const char *component, const TableMode *mode, char **ret)
{
        char *out = NULL;
        size_t size = 0, about = 0;
        int r = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < list->n && r == 0; i++)
                if (is_about(&list->rolls[i], component)) {
                        about++;
                        if (mode->json)
                                r = list_json(&list->rolls[i], f);
                }
        if (!mode->json && about > 0) {
                list_table(list, component, f);
                list_remarks(list, component, f);
        }
        if (text_close(f, &out) < 0 || r < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

/* One roll: how it stands, with the same words as at its end. */

static ViewState node_view_state(const RollRecord *r, const RollNode *n)
{
        switch (n->state) {
        case ROLL_NODE_ENDED:
                if (strcmp(n->result, result_name(RESULT_NOT_NEEDED)) == 0)
                        return VIEW_SKIPPED;
                return roll_result_good(n->result) ? VIEW_DONE : VIEW_FAILED;
        case ROLL_NODE_BEGUN:
                return r->running ? VIEW_RUNNING : VIEW_CUT;
        case ROLL_NODE_WAITING:
                break;
        }
        return r->running ? VIEW_WAITING : VIEW_LEFT;
}

static Usec usec_of(double seconds)
{
        return seconds >= 0 && seconds < 1e9 ? (Usec) (seconds * (double) USEC_PER_SEC) : 0;
}

static ViewNode view_node(const RollRecord *r, const RollNode *n)
{
        ViewNode v = {
                .name = n->name,
                .pool = n->pool,
                .dest = n->dest,
                .user = n->user,
                .port = n->port,
                .component = n->component,
                .state = node_view_state(r, n),
                .phase = n->phase,
                .awaiting = "",
                .result = n->result,
                .text = n->reason,
                .hint = n->hint,
        };
        if (v.state == VIEW_CUT)
                v.awaiting = "how it ended is not in this journal; its agent knows";
        /* Only how long is known, and only that is shown: any begin will do. */
        if (n->state == ROLL_NODE_ENDED && n->elapsed >= 0) {
                v.since = 1;
                v.ended = 1 + usec_of(n->elapsed);
        }
        return v;
}

/* The words with which the nodes were found. */
static const char *source_of(const RollRecord *r, char *buf, size_t size)
{
        static const char *const ways[] = { "inventory", "management" };
        buf[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(ways) && !buf[0]; i++)
                if (*json_text(r->options, ways[i]))
                        (void) snprintf(buf, size, "--%s %s", ways[i], json_text(r->options, ways[i]));
        if (!buf[0] && !*json_text(r->options, "nodes"))
                (void) snprintf(buf, size, "--cluster");
        return buf;
}

static int put_summary(const RollRecord *r, const TableMode *mode, FILE *f)
{
        _cleanup_(freep) ViewNode *nodes = calloc(r->n_nodes + 1, sizeof(*nodes));
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_(freep) char *text = NULL;
        char what[128], source[512];
        RollView v = {
                .id = r->id,
                .what = view_what(r->what, r->component, what, sizeof(what)),
                .component = r->component,
                .source = source_of(r, source, sizeof(source)),
                .ssh = "ssh",
                .headline = "",
                .nodes = nodes,
                .result = r->ended     ? r->result
                          : r->running ? "running"
                                       : "unfinished",
                .exit = r->exit,
                .text = r->text,
                .hint = r->hint,
                .told = true,
                .resumable = r->ended ? r->resumable : !r->running,
                .unfinished = !r->ended,
        };
        if (!nodes)
                return -ENOMEM;
        for (size_t i = 0; i < r->n_nodes; i++)
                if (r->nodes[i].selected)
                        nodes[v.n_nodes++] = view_node(r, &r->nodes[i]);
        if (r->ended && r->elapsed >= 0) {
                v.began = 1;
                v.ended = 1 + usec_of(r->elapsed);
        }
        if (table_new(&t, mode) < 0 || table_summary(t, &v, v.ended, &text) < 0)
                return -ENOMEM;
        (void) fputs(text, f);
        return 0;
}

/* One roll: what happened. */

static void put_part(FILE *f, const char *before, const char *text)
{
        if (*text) {
                (void) fputs(before, f);
                put_clean(f, text);
        }
}

/* An option that was not given. */
static bool is_empty(const cJSON *item)
{
        return cJSON_IsNull(item) || cJSON_IsFalse(item) ||
               (cJSON_IsNumber(item) && item->valuedouble == 0) ||
               (cJSON_IsString(item) && !*item->valuestring) ||
               ((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child);
}

static void story_roll(const RollRecord *r, const cJSON *e, FILE *f)
{
        const cJSON *item;
        unsigned selected = 0, members = 0;
        (void) fputs("begun", f);
        put_part(f, " by ", json_text(e, "by"));
        put_part(f, " on ", json_text(e, "host"));
        (void) fprintf(f, ", process %.0f", json_number(e, "pid", 0));
        put_part(f, ", version ", json_text(e, "version"));
        put_part(f, ": ", json_text(e, "reason"));
        for (size_t i = 0; i < r->n_nodes; i++) {
                members++;
                selected += r->nodes[i].selected;
        }
        (void) fprintf(f, "\n          %u node%s", selected, selected == 1 ? "" : "s");
        if (members > selected)
                (void) fprintf(f, " of %u", members);
        const char *separator = " in ";
        cJSON_ArrayForEach(item, r->pools)
        {
                put_part(f, separator, json_text(item, "name"));
                separator = ", ";
        }
        separator = "; options: ";
        cJSON_ArrayForEach(item, r->options)
        {
                if (is_empty(item))
                        continue;
                _cleanup_(freep) char *value =
                        cJSON_IsString(item) ? strdup(item->valuestring) : cJSON_PrintUnformatted(item);
                put_part(f, separator, item->string);
                put_part(f, " = ", value ? value : "");
                separator = ", ";
        }
}

static void story_node(const cJSON *e, FILE *f)
{
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(e, "result");
        const cJSON *from = cJSON_IsObject(result) ? result : e;
        const char *state = json_text(e, "state");
        char text[32];
        put_clean(f, json_text(e, "node"));
        put_part(f, " ", json_text(e, "component"));
        (void) fputs(": ", f);
        if (strcmp(state, "begin") == 0) {
                (void) fprintf(f, "begins, step %" PRIu64, json_count(e, "step"));
                put_part(f, ": ", json_text(e, "text"));
        } else if (strcmp(state, "phase") == 0) {
                put_clean(f, json_text(e, "phase"));
                put_part(f, ": ", json_text(e, "text"));
        } else {
                put_clean(f, *json_text(from, "result") ? json_text(from, "result") : state);
                if (json_number(from, "elapsed", -1) >= 0)
                        (void) fprintf(f, ", %s",
                                       seconds_text(json_number(from, "elapsed", 0), text, sizeof(text)));
                put_part(f, ": ", json_text(from, "reason"));
                put_part(f, "\n          what to do: ", json_text(from, "hint"));
        }
}

static void story_lease(const cJSON *e, FILE *f)
{
        put_part(f, "lease ", json_text(e, "action"));
        put_part(f, " in ", json_text(e, "pool"));
        if (json_count(e, "epoch") > 0)
                (void) fprintf(f, ", epoch %" PRIu64, json_count(e, "epoch"));
        put_part(f, ": ", json_text(e, "node"));
        put_part(f, ": ", json_text(e, "text"));
}

/* Does @next belong on the line of @e: another node's lease of the same kind, or the next phase of the same
 * node, in the same second? A roll over many nodes would else be pages of them. */
static const char *story_more(const cJSON *e, const cJSON *next)
{
        static const char *const lease[] = { "event", "action", "pool", "text" };
        static const char *const phase[] = { "event", "state", "node", "component" };
        bool is_lease = strcmp(json_text(e, "event"), "lease") == 0;
        bool is_phase = strcmp(json_text(e, "state"), "phase") == 0 && !*json_text(e, "text");
        const char *const *keys = is_lease ? lease : phase;
        if (!next || (!is_lease && !is_phase) || *json_text(next, "text") ||
            strncmp(json_text(e, "time"), json_text(next, "time"), strlen("2026-11-28T18:45:12")) != 0 ||
            (is_lease && json_count(e, "epoch") != json_count(next, "epoch")))
                return NULL;
        for (size_t i = 0; i < 4; i++)
                if (strcmp(json_text(e, keys[i]), json_text(next, keys[i])) != 0)
                        return NULL;
        return json_text(next, is_lease ? "node" : "phase");
}

/* An event that only a later version knows is shown as it is. */
static void story_other(const cJSON *e, FILE *f)
{
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(e);
        put_clean(f, text ? text : "");
}

static void story_event(const RollRecord *r, const cJSON *e, FILE *f)
{
        const char *event = json_text(e, "event");
        if (strcmp(event, "roll") == 0)
                story_roll(r, e, f);
        else if (strcmp(event, "node") == 0)
                story_node(e, f);
        else if (strcmp(event, "lease") == 0)
                story_lease(e, f);
        else if (strcmp(event, "override") == 0) {
                put_part(f, "overridden: ", json_text(e, "name"));
                put_part(f, ": ", json_text(e, "reason"));
                put_part(f, "\n          seen: ", json_text(e, "text"));
        } else if (strcmp(event, "warning") == 0) {
                (void) fputs("warning", f);
                put_part(f, ": ", json_text(e, "node"));
                put_part(f, ": ", json_text(e, "text"));
        } else if (strcmp(event, "stop") == 0)
                put_part(f, "no further node: ", json_text(e, "text"));
        else if (strcmp(event, "resume") == 0) {
                (void) fputs("resumed", f);
                put_part(f, " by ", json_text(e, "by"));
                put_part(f, " on ", json_text(e, "host"));
                (void) fprintf(f, ", process %.0f", json_number(e, "pid", 0));
        } else if (strcmp(event, "join") == 0) {
                (void) fputs("joined", f);
                put_part(f, " by ", json_text(e, "by"));
                put_part(f, " on ", json_text(e, "host"));
                (void) fprintf(f, ", process %.0f", json_number(e, "pid", 0));
                put_part(f, ": ", json_text(e, "reason"));
        } else if (strcmp(event, "end") == 0) {
                put_part(f, "end: ", json_text(e, "result"));
                put_part(f, ": ", json_text(e, "text"));
        } else
                story_other(e, f);
}

static void put_story(const RollRecord *r, FILE *f)
{
        const cJSON *e;
        char day[11] = "";
        cJSON_ArrayForEach(e, r->events)
        {
                const char *stamp = json_text(e, "time");
                bool known = strlen(stamp) >= 19 && stamp[10] == 'T';
                if (known && strncmp(stamp, day, 10) != 0) {
                        (void) snprintf(day, sizeof(day), "%.10s", stamp);
                        put_clean(f, day);
                        (void) fputs(" (UTC)\n", f);
                }
                put_field(f, known ? stamp + 11 : "", 8);
                (void) fputs("  ", f);
                story_event(r, e, f);
                for (const char *more; (more = story_more(e, e->next)); e = e->next)
                        put_part(f, ", ", more);
                (void) fputc('\n', f);
        }
}

static int show_text(const RollRecord *r, const TableMode *mode, FILE *f)
{
        put_story(r, f);
        if (r->torn && !r->running)
                (void) fputs("The last line was cut off by a crash.\n", f);
        if (r->running)
                (void) fprintf(f, "Process %.0f runs it now.\n", r->pid);
        if (!r->begun && r->damaged == 0)
                (void) fputs("It was never begun: its journal is empty.\n", f);
        if (!r->begun)
                return 0;
        (void) fputc('\n', f);
        return put_summary(r, mode, f);
}

static int show_json(const RollRecord *r, FILE *f)
{
        const cJSON *e;
        cJSON_ArrayForEach(e, r->events)
        {
                _cleanup_(freep) char *text = cJSON_PrintUnformatted(e);
                if (!text)
                        return -ENOMEM;
                (void) fprintf(f, "%s\n", text);
        }
        return 0;
}

int history_show(const RollRecord *record, const TableMode *mode, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        int r = mode->json ? show_json(record, f) : show_text(record, mode, f);
        if (text_close(f, &out) < 0 || r < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

/* The verbs. */

static int failed(const CliRequest *rq, int r, const char *reason, FILE *out, FILE *err)
{
        Result result = r == -EACCES || r == -EPERM                      ? RESULT_NO_PERMISSION
                        : r == -ENOENT || r == -ENOTUNIQ || r == -EINVAL ? RESULT_USAGE
                                                                         : RESULT_FAILED;
        _cleanup_(json_closep) cJSON *o = rq->json ? cJSON_CreateObject() : NULL;
        if (o && cJSON_AddStringToObject(o, "event", "result") &&
            cJSON_AddStringToObject(o, "kind", verb_name(rq->verb)) &&
            cJSON_AddStringToObject(o, "result", result_name(result)) &&
            cJSON_AddNumberToObject(o, "exit", result_exit_code(result)) &&
            cJSON_AddStringToObject(o, "reason", reason)) {
                _cleanup_(freep) char *text = cJSON_PrintUnformatted(o);
                if (text)
                        (void) fprintf(out, "%s\n", text);
        } else
                (void) fprintf(err, "edge-roll: %s\n", reason);
        return result_exit_code(result);
}

static int run_history(const CliRequest *rq, const Config *config, const char *dir, const TableMode *mode,
                       FILE *out, FILE *err)
{
        const Component *c = config && rq->component ? config_component(config, rq->component) : NULL;
        _cleanup_(freep) char *text = NULL;
        RollList list = { 0 };
        Err e = { 0 };
        int r = roll_log_list(dir, &list, &e);
        if (r < 0)
                return failed(rq, r, e.text, out, err);
        r = history_list(&list, c ? c->name : rq->component, mode, &text);
        roll_list_done(&list);
        if (r < 0)
                return failed(rq, r, "out of memory", out, err);
        (void) fputs(text, out);
        if (!*text && !mode->json)
                (void) fprintf(out, "no roll%s%s was begun here (%s)\n", rq->component ? " of " : "",
                               rq->component ? rq->component : "", dir);
        return 0;
}

static int run_show(const CliRequest *rq, const char *dir, const TableMode *mode, FILE *out, FILE *err)
{
        _cleanup_(roll_record_freep) RollRecord *record = NULL;
        _cleanup_(freep) char *text = NULL;
        char id[ROLL_ID_SIZE];
        Err e = { 0 };
        int r = roll_log_find(dir, rq->roll, false, id, &e);
        if (r < 0 || (r = roll_log_read(dir, id, &record, &e)) < 0)
                return failed(rq, r, e.text, out, err);
        if (history_show(record, mode, &text) < 0)
                return failed(rq, -ENOMEM, "out of memory", out, err);
        (void) fputs(text, out);
        if (record->damaged == 0)
                return 0;
        (void) fprintf(err, "edge-roll: %s; %u damaged line%s left out\n", record->trouble, record->damaged,
                       record->damaged == 1 ? " is" : "s are");
        return result_exit_code(RESULT_FAILED);
}

int history_run(const CliRequest *rq, const Config *config, const char *dir, const TableMode *mode, FILE *out,
                FILE *err)
{
        return rq->verb == VERB_SHOW ? run_show(rq, dir, mode, out, err)
                                     : run_history(rq, config, dir, mode, out, err);
}

int history_main(const CliRequest *rq, const Config *config)
{
        TableMode mode = table_mode(STDOUT_FILENO, rq->json, rq->verbose);
        _cleanup_(freep) char *dir = NULL;
        Err err = { 0 };
        int r = roll_log_dir(config ? config->cluster_journal_dir : "auto", &dir, &err);
        if (r < 0)
                return failed(rq, r, err.text, stdout, stderr);
        return history_run(rq, config, dir, &mode, stdout, stderr);
}
