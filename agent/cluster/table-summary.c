/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How a roll ended, and what can be done now. */

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "agent/cluster/roll-record.h"
#include "agent/cluster/table-impl.h"
#include "base/result.h"
#include "base/text.h"
#include "probes/json.h"

#define NAMES_MOST    20 /* of nodes in a list that needs no care */
#define COMMANDS_MOST 10 /* nodes with commands of their own */
#define INDENT        15
#define DEST_SIZE     512

static const char *node_component(const RollView *v, const ViewNode *n)
{
        return *n->component ? n->component : v->component;
}

static const char *node_dest(const ViewNode *n, char *buf, size_t size)
{
        return view_dest(n->user, *n->dest ? n->dest : n->name, n->port, buf, size);
}

static void command_begin(FILE *f, const char *what)
{
        (void) fprintf(f, "    %-10s ", what);
}

/* The words that choose this one node. */
static void put_choice(const RollView *v, const ViewNode *n, FILE *f)
{
        char dest[DEST_SIZE];
        if (*v->source) {
                (void) fputc(' ', f);
                put_clean(f, v->source);
                (void) fputs(" --limit ", f);
                put_word(f, n->name);
        } else {
                (void) fputs(" --nodes ", f);
                put_word(f, node_dest(n, dest, sizeof(dest)));
        }
        (void) fputc('\n', f);
}

/* `edge-roll VERB COMPONENT` on this node, from here. */
static void command_roll(const RollView *v, const ViewNode *n, const char *what, const char *verb, FILE *f)
{
        command_begin(f, what);
        (void) fputs("edge-roll ", f);
        put_word(f, verb);
        (void) fputc(' ', f);
        put_word(f, node_component(v, n));
        put_choice(v, n, f);
}

/* ... and there. */
static void command_there(const RollView *v, const ViewNode *n, const char *what, const char *verb, FILE *f)
{
        char dest[DEST_SIZE];
        command_begin(f, what);
        put_clean(f, *v->ssh ? v->ssh : "ssh");
        (void) fputc(' ', f);
        put_dest(f, node_dest(n, dest, sizeof(dest)));
        (void) fprintf(f, " edge-roll %s ", verb);
        put_word(f, node_component(v, n));
        (void) fputc('\n', f);
}

static void put_verb(const RollView *v, char *buf, size_t size)
{
        size_t n = strcspn(v->what, " ");
        (void) snprintf(buf, size, "%.*s", (int) n, v->what);
}

static void node_commands(const RollView *v, const ViewNode *n, FILE *f)
{
        Result result = result_from_name(n->result);
        char verb[32];
        put_verb(v, verb, sizeof(verb));
        command_roll(v, n, "look", "status", f);
        if (view_is_active(n->state)) {
                command_there(v, n, "follow", "watch", f);
                return;
        }
        if (result == RESULT_HELD)
                command_there(v, n, "give back", "undrain", f);
        command_roll(v, n, "retry", verb, f);
}

/* One that needs care: how it stands, why, what to do. */
static void put_node(const Table *t, const RollView *v, const ViewNode *n, bool commands, Usec now, FILE *f)
{
        Usec until = n->ended ? n->ended : now;
        char text[32];
        put_colour(f, t->mode.colour, view_is_active(n->state) ? COLOUR_WARN : COLOUR_BAD);
        (void) fputs("  ", f);
        bool known = !view_is_active(n->state) || n->state == VIEW_CUT;
        const char *how = known ? table_how(n) : "under way";
        put_field(f, how, MAX(put_columns(how), (size_t) INDENT - 3));
        put_plain(f, t->mode.colour);
        (void) fputc(' ', f);
        put_clean(f, n->name);
        if (*n->phase && view_is_active(n->state)) {
                (void) fputs(", in ", f);
                put_clean(f, n->phase);
        }
        if (n->since)
                (void) fprintf(f, ", %s", table_short(time_left(until, n->since), text, sizeof(text)));
        const char *says = view_is_active(n->state) ? n->awaiting : n->text;
        if (*says) {
                (void) fputs(": ", f);
                put_clean(f, says);
        }
        (void) fputc('\n', f);
        if (!view_is_active(n->state) && *n->hint) {
                (void) fputs("    what to do ", f);
                put_wrapped(f, n->hint, INDENT, INDENT, t->mode.width);
                (void) fputc('\n', f);
        }
        if (commands)
                node_commands(v, n, f);
}

/* Those that need none: a list. */
static int put_list(const Table *t, const RollView *v, ViewState state, FILE *f)
{
        _cleanup_(freep) char *names = NULL;
        size_t size, n = 0, most = t->mode.verbose ? v->n_nodes : NAMES_MOST, all = view_counts(v).of[state];
        if (all == 0)
                return 0;
        FILE *m = text_open(&names, &size);
        if (!m)
                return -ENOMEM;
        (void) fprintf(m, "%zu: ", all);
        for (size_t i = 0; i < v->n_nodes; i++)
                if (v->nodes[i].state == state && n++ < most)
                        (void) fprintf(m, "%s%s", n > 1 ? " " : "", v->nodes[i].name);
        if (n > most)
                (void) fprintf(m, " and %zu more", n - most);
        if (text_close(m, &names) < 0)
                return -ENOMEM;
        put_colour(f, t->mode.colour && state == VIEW_DONE, COLOUR_GOOD);
        (void) fputs("  ", f);
        put_field(f, view_state_name(state), INDENT - 3);
        put_plain(f, t->mode.colour && state == VIEW_DONE);
        (void) fputc(' ', f);
        put_wrapped(f, names, INDENT, INDENT, t->mode.width);
        (void) fputc('\n', f);
        return 0;
}

static void put_first_lines(const Table *t, const RollView *v, Usec now, FILE *f)
{
        char text[32], what[128];
        Usec until = v->ended ? v->ended : now;
        ViewCounts c = view_counts(v);
        bool good = roll_result_good(v->result);
        put_colour(f, t->mode.colour, good ? COLOUR_GOOD : v->exit != 0 ? COLOUR_BAD : COLOUR_WARN);
        put_clean(f, view_what(v->what, v->component, what, sizeof(what)));
        (void) fputs(": ", f);
        put_clean(f, *v->result ? v->result : "not ended");
        put_plain(f, t->mode.colour);
        if (c.total > 0)
                (void) fprintf(f, ", %zu of %zu node%s done", c.done, c.total, c.total == 1 ? "" : "s");
        if (v->began)
                (void) fprintf(f, ", %s", table_short(time_left(until, v->began), text, sizeof(text)));
        if (v->exit != 0)
                (void) fprintf(f, " (exit %d)", v->exit);
        (void) fputc('\n', f);
        if (*v->text) {
                (void) fputs("  ", f);
                put_wrapped(f, v->text, 2, 2, t->mode.width);
                (void) fputc('\n', f);
        }
        if (*v->hint) {
                (void) fputs("  what to do: ", f);
                put_wrapped(f, v->hint, 14, 4, t->mode.width);
                (void) fputc('\n', f);
        }
}

static int summary_text(Table *t, const RollView *v, Usec now, FILE *f)
{
        size_t commands = 0;
        table_erase(t, f);
        put_first_lines(t, v, now, f);
        if (put_list(t, v, VIEW_DONE, f) < 0 || put_list(t, v, VIEW_SKIPPED, f) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < v->n_nodes; i++) {
                const ViewNode *n = &v->nodes[i];
                if (n->state == VIEW_FAILED || view_is_active(n->state))
                        put_node(t, v, n, commands++ < COMMANDS_MOST, now, f);
        }
        if (commands > COMMANDS_MOST)
                (void) fprintf(f, "  the same commands with their names for the other %zu\n",
                               commands - COMMANDS_MOST);
        if (put_list(t, v, VIEW_LEFT, f) < 0 || put_list(t, v, VIEW_WAITING, f) < 0)
                return -ENOMEM;
        if (!*v->id)
                return 0;
        if (v->resumable) {
                (void) fputs("  go on:       edge-roll resume ", f);
                put_clean(f, v->id);
                (void) fputc('\n', f);
        }
        if (v->resumable && v->unfinished) {
                (void) fputs("  or end it:   edge-roll resume ", f);
                put_clean(f, v->id);
                (void) fputs(" --give-up\n", f);
        }
        if (!v->told) {
                (void) fputs("  all of it:   edge-roll show ", f);
                put_clean(f, v->id);
                (void) fputc('\n', f);
        }
        return 0;
}

/* JSON. */

static bool add_text(cJSON *o, const char *key, const char *text)
{
        return !*text || cJSON_AddStringToObject(o, key, text);
}

static bool add_seconds(cJSON *o, Usec from, Usec to)
{
        /* To the millisecond: more is noise. */
        uint64_t msec = time_left(to, from) / USEC_PER_MSEC;
        return !from || cJSON_AddNumberToObject(o, "elapsed", (double) msec / 1000);
}

static cJSON *node_json(const ViewNode *n, Usec now)
{
        cJSON *o = cJSON_CreateObject();
        if (o && cJSON_AddStringToObject(o, "node", n->name) && add_text(o, "pool", n->pool) &&
            add_text(o, "component", n->component) &&
            cJSON_AddStringToObject(o, "state", view_state_name(n->state)) &&
            (!view_is_active(n->state) || add_text(o, "phase", n->phase)) &&
            add_text(o, "result", n->result) && add_text(o, "reason", n->text) &&
            add_text(o, "hint", n->hint) && add_text(o, "hint", n->hint) &&
            add_seconds(o, n->since, n->ended ? n->ended : now))
                return o;
        cJSON_Delete(o);
        return NULL;
}

static int summary_json(const RollView *v, Usec now, FILE *f)
{
        _cleanup_(json_closep) cJSON *o = cJSON_CreateObject();
        ViewCounts c = view_counts(v);
        cJSON *counts, *nodes;
        if (!o || !cJSON_AddStringToObject(o, "event", "result") || !add_text(o, "roll", v->id) ||
            !add_text(o, "what", v->what) || !add_text(o, "component", v->component) ||
            !add_text(o, "result", v->result) || !cJSON_AddNumberToObject(o, "exit", v->exit) ||
            !cJSON_AddStringToObject(o, "reason", v->text) || !cJSON_AddStringToObject(o, "hint", v->hint) ||
            !add_seconds(o, v->began, v->ended ? v->ended : now) ||
            !cJSON_AddBoolToObject(o, "resumable", v->resumable) ||
            !(counts = cJSON_AddObjectToObject(o, "counts")) ||
            !cJSON_AddNumberToObject(counts, "total", (double) c.total) ||
            !cJSON_AddNumberToObject(counts, "done", (double) c.of[VIEW_DONE]) ||
            !cJSON_AddNumberToObject(counts, "skipped", (double) c.of[VIEW_SKIPPED]) ||
            !cJSON_AddNumberToObject(counts, "failed", (double) c.of[VIEW_FAILED]) ||
            !cJSON_AddNumberToObject(counts, "open", (double) c.active) ||
            !cJSON_AddNumberToObject(counts, "left", (double) (c.of[VIEW_LEFT] + c.of[VIEW_WAITING])) ||
            !(nodes = cJSON_AddArrayToObject(o, "nodes")))
                return -ENOMEM;
        for (size_t i = 0; i < v->n_nodes; i++) {
                cJSON *n = node_json(&v->nodes[i], now);
                if (!n || !cJSON_AddItemToArray(nodes, n)) {
                        cJSON_Delete(n);
                        return -ENOMEM;
                }
        }
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(o);
        if (!text)
                return -ENOMEM;
        (void) fprintf(f, "%s\n", text);
        return 0;
}

int table_summary(Table *t, const RollView *v, Usec now, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        int r = t->mode.json ? summary_json(v, now, f) : summary_text(t, v, now, f);
        if (text_close(f, &out) < 0 || r < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}
