/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/nodes-view.h"

#include <stdlib.h>
#include <string.h>

#include "agent/put.h"
#include "base/text.h"
#include "probes/json.h"

#define COLUMN_MOST 44

typedef enum ViewColumn {
        COLUMN_NODE,
        COLUMN_REACH,
        COLUMN_COMPONENT,
        COLUMN_POOL,
        COLUMN_STATE,
        COLUMN_VERSION,
        COLUMN_UUID,
        COLUMN_COUNT
} ViewColumn;

static const char *const column_titles[COLUMN_COUNT] = { "NODE",  "REACHED BY", "COMPONENT", "POOL",
                                                         "STATE", "VERSION",    "SERVER ID" };

bool nodes_view_here(const PlanNode *node, const NodeLook *look)
{
        return look->running || look->held || look->has_job || look->leased || look->has_last ||
               *look->uuid || nodes_hint(node->node, look->component) == NODE_HINT_YES;
}

size_t nodes_view_silent(const PlanNode *nodes, size_t n)
{
        size_t silent = 0;
        for (size_t i = 0; i < n; i++)
                silent += nodes[i].node->selected && nodes[i].contact != PLAN_REACHED;
        return silent;
}

/* What a node that did not answer has, as far as its source says. */
static size_t source_components(const Node *node, const char *ret[2])
{
        static const char *const names[] = { "router", "message-processor" };
        size_t n = 0;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (nodes_hint(node, names[i]) == NODE_HINT_YES)
                        ret[n++] = names[i];
        return n;
}

static const char *state_of(const NodeLook *l)
{
        if (look_serves(l))
                return "serving";
        if (l->held)
                return "held";
        if (l->has_job)
                return "job";
        if (!l->running)
                return "stopped";
        return l->up ? "out" : "not up";
}

/* One row; all texts are the caller's. */
typedef struct Row {
        const char *cell[COLUMN_COUNT];
        char reach[400];
        bool first; /* of its node */
} Row;

typedef struct Rows {
        Row *rows;
        size_t n, size;
} Rows;

static Row *rows_add(Rows *r, const PlanNode *node, bool first)
{
        if (r->n == r->size) {
                size_t size = r->size ? r->size * 2 : 64;
                Row *more = realloc(r->rows, size * sizeof(Row));
                if (!more)
                        return NULL;
                r->rows = more;
                r->size = size;
        }
        Row *row = &r->rows[r->n++];
        *row = (Row){ .first = first };
        for (size_t i = 0; i < COLUMN_COUNT; i++)
                row->cell[i] = "";
        if (first) {
                row->cell[COLUMN_NODE] = node->node->name;
                (void) nodes_reach(node->node, row->reach, sizeof(row->reach));
        }
        return row;
}

static int rows_add_node(Rows *r, const PlanNode *node)
{
        const char *known[2];
        size_t shown = 0;

        for (size_t i = 0; i < node->n_looks; i++) {
                const NodeLook *l = node->looks[i];
                if (!nodes_view_here(node, l))
                        continue;
                Row *row = rows_add(r, node, shown++ == 0);
                if (!row)
                        return -ENOMEM;
                row->cell[COLUMN_COMPONENT] = l->component;
                row->cell[COLUMN_POOL] = *l->pool ? l->pool : "?";
                row->cell[COLUMN_STATE] = state_of(l);
                row->cell[COLUMN_VERSION] = l->version;
                row->cell[COLUMN_UUID] = *l->uuid ? l->uuid : "?";
        }
        if (shown > 0)
                return 0;
        size_t n = source_components(node->node, known);
        for (size_t i = 0; i < MAX(n, (size_t) 1); i++) {
                const NodeServer *s = n > 0 ? nodes_server(node->node, known[i]) : NULL;
                Row *row = rows_add(r, node, i == 0);
                if (!row)
                        return -ENOMEM;
                row->cell[COLUMN_COMPONENT] = n > 0 ? known[i] : node->contact == PLAN_REACHED ? "none" : "?";
                row->cell[COLUMN_STATE] = node->contact == PLAN_REACHED ? "" : "no answer";
                row->cell[COLUMN_UUID] = s && *s->uuid ? s->uuid : "";
        }
        return 0;
}

static const char *cell_of(const Row *row, size_t column)
{
        return column == COLUMN_REACH ? row->reach : row->cell[column];
}

static void show_rows(const Rows *r, FILE *out)
{
        size_t width[COLUMN_COUNT];
        for (size_t c = 0; c < COLUMN_COUNT; c++) {
                width[c] = strlen(column_titles[c]);
                for (size_t i = 0; i < r->n; i++)
                        width[c] = MAX(width[c],
                                       MIN(put_columns(cell_of(&r->rows[i], c)), (size_t) COLUMN_MOST));
        }
        for (size_t i = 0; i <= r->n; i++) {
                for (size_t c = 0; c < COLUMN_COUNT; c++) {
                        const char *text = i == 0 ? column_titles[c] : cell_of(&r->rows[i - 1], c);
                        if (c + 1 == COLUMN_COUNT)
                                put_clean(out, text);
                        else
                                put_field(out, text, width[c] + 2);
                }
                (void) fputc('\n', out);
        }
}

/* What is in the way, or odd, of one node. */
static void show_trouble(const PlanNode *node, FILE *out)
{
        if (node->contact != PLAN_REACHED) {
                (void) fprintf(out, "%s: ", node->node->name);
                put_clean(out, node->trouble && *node->trouble ? node->trouble : "no answer");
                (void) fputc('\n', out);
                if (node->hint && *node->hint) {
                        (void) fputs("  ", out);
                        put_clean(out, node->hint);
                        (void) fputc('\n', out);
                }
        }
        for (size_t i = 0; i < node->n_looks; i++) {
                const NodeLook *l = node->looks[i];
                const NodeServer *s = nodes_server(node->node, l->component);
                if (!nodes_view_here(node, l))
                        continue;
                if (!look_serves(l)) {
                        (void) fprintf(out, "%s: %s: ", node->node->name, l->component);
                        put_clean(out, *l->out_reason ? l->out_reason
                                       : *l->up_text  ? l->up_text
                                                      : "does not serve");
                        (void) fputc('\n', out);
                }
                if (s && *s->uuid && *l->uuid && strcmp(s->uuid, l->uuid) != 0)
                        (void) fprintf(out, "%s: %s: the Management Server lists it as %s, it says %s\n",
                                       node->node->name, l->component, s->uuid, l->uuid);
        }
}

int nodes_view_text(const Nodes *list, const PlanNode *nodes, size_t n, char **ret)
{
        Rows rows = { 0 };
        char *text = NULL;
        size_t size = 0, others = 0;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                if (nodes[i].node->selected)
                        r = rows_add_node(&rows, &nodes[i]);
                else
                        others++;
        FILE *out = r < 0 ? NULL : text_open(&text, &size);
        if (!out) {
                free(rows.rows);
                return -ENOMEM;
        }
        show_rows(&rows, out);
        if (others > 0)
                (void) fprintf(out,
                               "\n%zu more that are not selected; they count as members of their pools\n",
                               others);
        (void) fprintf(out, "\n");
        for (size_t i = 0; i < n; i++)
                if (nodes[i].node->selected)
                        show_trouble(&nodes[i], out);
        (void) fprintf(out, "from %s\n", list->source);
        for (char **note = list->notes; *note; note++) {
                (void) fputs("note: ", out);
                put_clean(out, *note);
                (void) fputc('\n', out);
        }
        free(rows.rows);
        if (text_close(out, &text) < 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}

/* ---- JSON ---- */

static void add_text(cJSON *o, const char *key, const char *text)
{
        _cleanup_(freep) char *copy = strdup(text ? text : "");
        for (char *c = copy; c && *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
        cJSON_AddStringToObject(o, key, copy ? copy : "");
}

static cJSON *json_look(const NodeLook *l)
{
        cJSON *o = cJSON_CreateObject();
        add_text(o, "component", l->component);
        add_text(o, "pool", l->pool);
        add_text(o, "region", l->region);
        add_text(o, "pod", l->pod);
        add_text(o, "uuid", l->uuid);
        add_text(o, "address", l->address);
        add_text(o, "version", l->version);
        add_text(o, "state", state_of(l));
        cJSON_AddBoolToObject(o, "serving", look_serves(l));
        add_text(o, "why", look_serves(l) ? "" : *l->out_reason ? l->out_reason : l->up_text);
        add_text(o, "lock", look_lock_name(l->lock));
        add_text(o, "partner", l->partner);
        return o;
}

static cJSON *json_server(const NodeServer *s)
{
        cJSON *o = cJSON_CreateObject();
        add_text(o, "component", s->is_router ? "router" : "message-processor");
        add_text(o, "uuid", s->uuid);
        add_text(o, "region", s->region);
        add_text(o, "pod", s->pod);
        if (s->has_up)
                cJSON_AddBoolToObject(o, "up", s->up);
        else
                cJSON_AddNullToObject(o, "up");
        return o;
}

static cJSON *json_node(const PlanNode *node)
{
        const Node *n = node->node;
        char reach[400];
        cJSON *o = cJSON_CreateObject();
        add_text(o, "event", "found");
        add_text(o, "name", n->name);
        add_text(o, "reached_by", nodes_reach(n, reach, sizeof(reach)));
        add_text(o, "host", n->host);
        cJSON_AddBoolToObject(o, "selected", n->selected);
        cJSON *groups = cJSON_AddArrayToObject(o, "groups");
        for (char **g = n->groups; *g; g++)
                json_append(groups, cJSON_CreateString(*g));
        cJSON_AddBoolToObject(o, "answers", node->contact == PLAN_REACHED);
        add_text(o, "trouble", node->contact == PLAN_REACHED ? "" : node->trouble);
        add_text(o, "hint", node->contact == PLAN_REACHED ? "" : node->hint);
        cJSON *components = cJSON_AddArrayToObject(o, "components");
        for (size_t i = 0; i < node->n_looks; i++)
                if (nodes_view_here(node, node->looks[i]))
                        json_append(components, json_look(node->looks[i]));
        cJSON *listed = cJSON_AddArrayToObject(o, "listed");
        for (size_t i = 0; i < n->n_servers; i++)
                json_append(listed, json_server(&n->servers[i]));
        return o;
}

int nodes_view_json(const Nodes *list, const PlanNode *nodes, size_t n, char **ret)
{
        char *text = NULL;
        size_t size = 0;
        FILE *out = text_open(&text, &size);
        bool bad = !out;

        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                cJSON *o = json_node(&nodes[i]);
                _cleanup_(freep) char *line = cJSON_PrintUnformatted(o);
                bad |= !line;
                (void) fprintf(out, "%s\n", line ? line : "");
                cJSON_Delete(o);
        }
        for (char **note = list->notes; *note; note++) {
                cJSON *o = cJSON_CreateObject();
                add_text(o, "event", "warning");
                add_text(o, "text", *note);
                _cleanup_(freep) char *line = cJSON_PrintUnformatted(o);
                bad |= !line;
                (void) fprintf(out, "%s\n", line ? line : "");
                cJSON_Delete(o);
        }
        if (text_close(out, &text) < 0 || bad) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
