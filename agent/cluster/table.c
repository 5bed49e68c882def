/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/table.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "agent/cluster/table-impl.h"
#include "base/text.h"
#include "probes/json.h"

#define REDRAW_USEC   (100 * USEC_PER_MSEC) /* a person sees no more */
#define PROGRESS_USEC (10 * USEC_PER_SEC)
#define ROWS_DEFAULT  24
#define BAR_COLUMNS   20
#define GAP           "  "

/* The mode. */

TableMode table_mode(int fd, bool json, bool verbose)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
        struct winsize size = { 0 };
        TableMode mode = { .json = json, .verbose = verbose };
        if (!isatty(fd))
                return mode;
        mode.live = !json && term && *term && strcmp(term, "dumb") != 0;
        mode.colour = mode.live && !(no_color && *no_color);
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
                mode.width = size.ws_col;
                mode.rows = size.ws_row;
        }
        return mode;
}

int table_new(Table **ret, const TableMode *mode)
{
        Table *t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->mode = *mode;
        *ret = t;
        return 0;
}

Table *table_free(Table *t)
{
        if (!t)
                return NULL;
        free(t->seen);
        free(t);
        return NULL;
}

void table_size(Table *t, unsigned width, unsigned rows)
{
        t->mode.width = width;
        t->mode.rows = rows;
        t->drawn_at = 0;
}

unsigned table_width(const Table *t)
{
        unsigned width = t->mode.width ? t->mode.width : PUT_WIDTH_DEFAULT;
        /* The last column stays free: some terminals wrap when it is written. */
        return width > 1 ? width - 1 : 1;
}

static unsigned table_rows(const Table *t)
{
        unsigned rows = t->mode.rows ? t->mode.rows : ROWS_DEFAULT;
        return MIN(MAX(rows, 2U) - 1, (unsigned) TABLE_LINES_MAX);
}

/* Words. */

const char *table_short(Usec usec, char *buf, size_t size)
{
        if (usec < 10 * USEC_PER_SEC)
                (void) snprintf(buf, size, "%.1f s", time_sec(usec));
        else
                (void) time_format(usec, buf, size);
        return buf;
}

const char *table_how(const ViewNode *n)
{
        return n->state == VIEW_FAILED && *n->result ? n->result : view_state_name(n->state);
}

static Colour how_colour(const ViewNode *n)
{
        switch (n->state) {
        case VIEW_DONE:
                return COLOUR_GOOD;
        case VIEW_FAILED:
                return COLOUR_BAD;
        case VIEW_CUT:
                return COLOUR_WARN;
        case VIEW_ASKING:
        case VIEW_RUNNING:
        case VIEW_SOAKING:
                return COLOUR_STRONG;
        case VIEW_WAITING:
        case VIEW_SKIPPED:
        case VIEW_LEFT:
        case VIEW_STATE_COUNT:
                break;
        }
        return COLOUR_NONE;
}

/* How long: of the phase while it runs, of the whole once it has ended. */
static const char *node_time(const ViewNode *n, Usec now, bool with_limit, char *buf, size_t size)
{
        char limit[32];
        buf[0] = '\0';
        if (!view_is_active(n->state))
                return n->ended && n->since ? table_short(time_left(n->ended, n->since), buf, size) : buf;
        Usec from = n->phase_since ? n->phase_since : n->since;
        if (!from)
                return buf;
        (void) table_short(time_left(now, from), buf, size);
        size_t len = strlen(buf);
        if (with_limit && n->phase_since && n->limit && n->limit != USEC_INFINITY)
                (void) snprintf(buf + len, size - len, " of %s", time_format(n->limit, limit, sizeof(limit)));
        return buf;
}

static const char *node_says(const ViewNode *n)
{
        return view_is_active(n->state) ? n->awaiting : n->text;
}

static void put_counts(const RollView *v, FILE *f)
{
        ViewCounts c = view_counts(v);
        (void) fprintf(f, "%zu of %zu done", c.done, c.total);
        if (c.active)
                (void) fprintf(f, ", %zu under way", c.active);
        if (c.of[VIEW_FAILED])
                (void) fprintf(f, ", %zu failed", c.of[VIEW_FAILED]);
}

/* No guess is better than that, and a display that shows each second of one looks as if it knew. */
static Usec about(Usec left)
{
        Usec step = left < 60 * USEC_PER_SEC ? 5 : left < 600 * USEC_PER_SEC ? 10 : 60;
        return (left / USEC_PER_SEC + step) / step * step * USEC_PER_SEC;
}

static void put_times(const RollView *v, FILE *f, Usec now)
{
        char text[32];
        (void) fputs(table_short(time_left(now, v->began), text, sizeof(text)), f);
        if (!v->expected_end)
                return;
        if (v->expected_end > now)
                (void) fprintf(f, ", about %s left",
                               time_format(about(v->expected_end - now - 1), text, sizeof(text)));
        else
                (void) fputs(", longer than expected", f);
}

/* A line of the screen: what does not fit is left out, and how long it is is known. */
typedef struct Line {
        const Table *t;
        FILE *f;
        unsigned used;
} Line;

static void line_put(Line *l, const char *text, Colour colour)
{
        unsigned width = table_width(l->t);
        _cleanup_(freep) char *copy = strdup(text);
        if (!copy || l->used >= width)
                return;
        put_cut(copy, width - l->used);
        l->used += (unsigned) put_columns(copy);
        bool on = l->t->mode.colour && colour != COLOUR_NONE;
        put_colour(l->f, on, colour);
        put_clean(l->f, copy);
        put_plain(l->f, on);
}

/* A field of exactly @width, and the gap behind it. */
static void line_field(Line *l, const char *text, unsigned width, Colour colour)
{
        _cleanup_(freep) char *copy = strdup(text);
        char blanks[64];
        if (!copy)
                return;
        put_cut(copy, width);
        line_put(l, copy, colour);
        (void) snprintf(blanks, sizeof(blanks), "%*s" GAP, (int) (width - put_columns(copy)), "");
        line_put(l, blanks, COLOUR_NONE);
}

static void line_begin(Table *t, Line *l, FILE *f)
{
        if (t->lines > 0)
                (void) fputc('\n', f);
        *l = (Line){ .t = t, .f = f };
}

static void line_end(Table *t, Line *l)
{
        (void) fputs("\x1b[K", l->f);
        t->columns[t->lines++] = l->used;
}

/* Live. */

/* How far above the cursor the table begins: lines that have become too long for a narrower terminal are
 * wrapped by it. */
static unsigned lines_up(const Table *t)
{
        unsigned width = t->mode.width ? t->mode.width : PUT_WIDTH_DEFAULT, sum = 0;
        for (unsigned i = 0; i < t->lines; i++)
                sum += t->columns[i] > width ? (t->columns[i] + width - 1) / width : 1;
        return sum ? sum - 1 : 0;
}

static void cursor_home(Table *t, FILE *f)
{
        unsigned up = lines_up(t);
        if (t->lines == 0)
                return;
        (void) fputc('\r', f);
        if (up > 0)
                (void) fprintf(f, "\x1b[%uA", up);
        t->lines = 0;
}

void table_erase(Table *t, FILE *f)
{
        if (t->lines > 0) {
                cursor_home(t, f);
                (void) fputs("\x1b[J", f);
        }
}

/* Which rows are shown when not all are: what goes on, what has failed, then what comes next and what has
 * just ended. */
typedef struct Rows {
        bool *shown;
        size_t n;
} Rows;

static void rows_take(Rows *rows, const RollView *v, size_t most, bool (*wanted)(ViewState))
{
        for (size_t i = 0; i < v->n_nodes && rows->n < most; i++)
                if (!rows->shown[i] && wanted(v->nodes[i].state)) {
                        rows->shown[i] = true;
                        rows->n++;
                }
}

static void rows_take_latest(Rows *rows, const RollView *v, size_t most)
{
        while (rows->n < most) {
                size_t best = v->n_nodes;
                for (size_t i = 0; i < v->n_nodes; i++)
                        if (!rows->shown[i] && v->nodes[i].ended &&
                            (best == v->n_nodes || v->nodes[i].ended > v->nodes[best].ended))
                                best = i;
                if (best == v->n_nodes)
                        return;
                rows->shown[best] = true;
                rows->n++;
        }
}

static bool is_failed(ViewState state)
{
        return state == VIEW_FAILED;
}

static bool is_waiting(ViewState state)
{
        return state == VIEW_WAITING;
}

static bool is_any(ViewState state)
{
        (void) state;
        return true;
}

static void rows_choose(Rows *rows, const RollView *v, size_t most)
{
        rows_take(rows, v, most, view_is_active);
        rows_take(rows, v, most, is_failed);
        rows_take(rows, v, rows->n + (most - rows->n + 1) / 2, is_waiting);
        rows_take_latest(rows, v, most);
        rows_take(rows, v, most, is_waiting);
        rows_take(rows, v, most, is_any);
}

/* What is not shown, in one line. */
static void draw_rest(Table *t, const RollView *v, const Rows *rows, FILE *f)
{
        size_t of[VIEW_STATE_COUNT] = { 0 };
        char text[256];
        Line l;
        for (size_t i = 0; i < v->n_nodes; i++)
                of[v->nodes[i].state] += !rows->shown[i];
        int n = snprintf(text, sizeof(text), "... %zu more", v->n_nodes - rows->n);
        const char *separator = ": ";
        for (int i = 0; i < VIEW_STATE_COUNT; i++)
                if (of[i] > 0) {
                        n += snprintf(text + n, sizeof(text) - (size_t) n, "%s%zu %s", separator, of[i],
                                      view_state_name((ViewState) i));
                        separator = ", ";
                }
        line_begin(t, &l, f);
        line_put(&l, text, COLOUR_DIM);
        line_end(t, &l);
}

static void widen(unsigned *width, const char *text, unsigned most)
{
        *width = MAX(*width, MIN((unsigned) put_columns(text), most));
}

static bool is_narrow(const Table *t)
{
        return table_width(t) < 59;
}

static bool has_pools(const RollView *v)
{
        for (size_t i = 1; i < v->n_nodes; i++)
                if (strcmp(v->nodes[i].pool, v->nodes[0].pool) != 0)
                        return true;
        return false;
}

/* Columns that have once been wide stay so: a table that jumps is hard to read. */
static void widths_fit(Table *t, const RollView *v, const Rows *rows, Usec now)
{
        bool narrow = is_narrow(t);
        unsigned name_most = MIN((unsigned) TABLE_NAME_MAX, MAX(table_width(t) / 3, 8U));
        char text[64];
        widen(&t->name_width, "NODE", name_most);
        widen(&t->state_width, "waiting", 20);
        widen(&t->phase_width, "preflight", 20);
        for (size_t i = 0; i < v->n_nodes; i++) {
                const ViewNode *n = &v->nodes[i];
                widen(&t->name_width, n->name, name_most);
                widen(&t->pool_width, n->pool, 28);
                if (!rows->shown[i])
                        continue;
                widen(&t->state_width, table_how(n), 20);
                widen(&t->phase_width, n->phase, 20);
                widen(&t->time_width, node_time(n, now, !narrow, text, sizeof(text)), 24);
        }
        t->name_width = MIN(t->name_width, name_most);
        widen(&t->time_width, "TIME", 24);
}

static void draw_row(Table *t, const ViewNode *n, bool pools, Usec now, FILE *f)
{
        bool narrow = is_narrow(t);
        char text[64];
        Line l;
        line_begin(t, &l, f);
        line_field(&l, n->name, t->name_width, COLOUR_NONE);
        if (pools)
                line_field(&l, n->pool, t->pool_width, COLOUR_NONE);
        const char *phase = view_is_active(n->state) ? n->phase : "";
        /* Where there is no room the phase says that it runs. */
        if (narrow)
                line_field(&l, *phase ? phase : table_how(n), MAX(t->state_width, t->phase_width),
                           how_colour(n));
        else {
                line_field(&l, table_how(n), t->state_width, how_colour(n));
                line_field(&l, phase, t->phase_width, COLOUR_NONE);
        }
        line_field(&l, node_time(n, now, !narrow, text, sizeof(text)), t->time_width, COLOUR_NONE);
        line_put(&l, node_says(n), COLOUR_NONE);
        line_end(t, &l);
}

static void draw_header(Table *t, bool pools, FILE *f)
{
        bool narrow = is_narrow(t);
        Line l;
        line_begin(t, &l, f);
        line_field(&l, "NODE", t->name_width, COLOUR_DIM);
        if (pools)
                line_field(&l, "POOL", t->pool_width, COLOUR_DIM);
        line_field(&l, "STATE", narrow ? MAX(t->state_width, t->phase_width) : t->state_width, COLOUR_DIM);
        if (!narrow)
                line_field(&l, "PHASE", t->phase_width, COLOUR_DIM);
        line_field(&l, "TIME", t->time_width, COLOUR_DIM);
        line_put(&l, "AWAITED, OR RESULT", COLOUR_DIM);
        line_end(t, &l);
}

/* How far it is: one line with a bar, one without, or two, whatever fits. */
typedef struct Progress {
        char bar[BAR_COLUMNS + 4], what[128], counts[96], times[96];
        bool two;
} Progress;

static int progress_make(const Table *t, const RollView *v, Usec now, Progress *ret)
{
        _cleanup_(fclosep) FILE *counts = fmemopen(ret->counts, sizeof(ret->counts), "w");
        _cleanup_(fclosep) FILE *times = fmemopen(ret->times, sizeof(ret->times), "w");
        char what[128];
        if (!counts || !times)
                return -ENOMEM;
        put_counts(v, counts);
        put_times(v, times, now);
        (void) fflush(counts);
        (void) fflush(times);
        (void) snprintf(ret->what, sizeof(ret->what),
                        "%.120s: ", view_what(v->what, v->component, what, sizeof(what)));
        size_t full = v->n_nodes ? view_counts(v).done * BAR_COLUMNS / v->n_nodes : 0;
        memset(ret->bar, '-', sizeof(ret->bar));
        memset(ret->bar, '#', full + 1);
        ret->bar[0] = '[';
        memcpy(ret->bar + 1 + BAR_COLUMNS, "] ", sizeof("] "));

        size_t width = table_width(t), line = put_columns(ret->what) + put_columns(ret->counts);
        size_t both = line + strlen(", ") + put_columns(ret->times);
        ret->two = both > width;
        if (both + put_columns(ret->bar) > width)
                ret->bar[0] = '\0';
        if (line > width)
                ret->what[0] = '\0';
        return 0;
}

static void draw_progress(Table *t, const Progress *p, FILE *f)
{
        Line l;
        line_begin(t, &l, f);
        line_put(&l, p->bar, COLOUR_NONE);
        line_put(&l, p->what, COLOUR_STRONG);
        line_put(&l, p->counts, COLOUR_NONE);
        if (p->two) {
                line_end(t, &l);
                line_begin(t, &l, f);
        } else
                line_put(&l, ", ", COLOUR_NONE);
        line_put(&l, p->times, COLOUR_NONE);
        line_end(t, &l);
}

static int table_draw(Table *t, const RollView *v, Usec now, FILE *f)
{
        _cleanup_(freep) bool *shown = calloc(v->n_nodes + 1, sizeof(*shown));
        Rows rows = { .shown = shown };
        Progress progress = { 0 };
        if (!shown || progress_make(t, v, now, &progress) < 0)
                return -ENOMEM;
        unsigned left = table_rows(t) - 1;
        progress.two = progress.two && left > 1;
        left -= progress.two;
        bool headline = *v->headline && left > 2, header = left > 4;
        bool pools = table_width(t) >= 99 && has_pools(v);
        left -= headline + header;
        rows_choose(&rows, v, v->n_nodes <= left ? v->n_nodes : left - (left > 0));
        widths_fit(t, v, &rows, now);

        cursor_home(t, f);
        draw_progress(t, &progress, f);
        if (headline) {
                Line l;
                line_begin(t, &l, f);
                line_put(&l, v->headline, COLOUR_NONE);
                line_end(t, &l);
        }
        if (header)
                draw_header(t, pools, f);
        for (size_t i = 0; i < v->n_nodes; i++)
                if (shown[i])
                        draw_row(t, &v->nodes[i], pools, now, f);
        if (rows.n < v->n_nodes && left > 0)
                draw_rest(t, v, &rows, f);
        (void) fputs("\x1b[J", f);
        t->drawn_at = now;
        return 0;
}

/* Plain. */

static int seen_fit(Table *t, const RollView *v)
{
        if (t->n_seen >= v->n_nodes)
                return 0;
        TableSeen *more = realloc(t->seen, v->n_nodes * sizeof(*more));
        if (!more)
                return -ENOMEM;
        memset(more + t->n_seen, 0, (v->n_nodes - t->n_seen) * sizeof(*more));
        t->seen = more;
        t->n_seen = v->n_nodes;
        return 0;
}

static void plain_part(FILE *f, const char *before, const char *text)
{
        if (*text) {
                (void) fputs(before, f);
                put_clean(f, text);
        }
}

static void plain_node(const ViewNode *n, Usec now, FILE *f)
{
        char text[64];
        put_clean(f, n->name);
        (void) fputs(": ", f);
        switch (n->state) {
        case VIEW_RUNNING:
        case VIEW_SOAKING:
                put_clean(f, *n->phase ? n->phase : view_state_name(n->state));
                if (n->limit && n->limit != USEC_INFINITY)
                        (void) fprintf(f, " begins, limit %s", time_format(n->limit, text, sizeof(text)));
                else
                        (void) fputs(" begins", f);
                plain_part(f, ": ", n->awaiting);
                break;
        case VIEW_CUT:
                (void) fputs("the link is cut", f);
                plain_part(f, " in ", n->phase);
                plain_part(f, ": ", n->awaiting);
                break;
        case VIEW_ASKING:
        case VIEW_WAITING:
                put_clean(f, view_state_name(n->state));
                plain_part(f, ": ", n->awaiting);
                break;
        case VIEW_DONE:
        case VIEW_SKIPPED:
        case VIEW_FAILED:
        case VIEW_LEFT:
        case VIEW_STATE_COUNT:
                put_clean(f, table_how(n));
                plain_part(f, ", ", node_time(n, now, false, text, sizeof(text)));
                plain_part(f, ": ", n->text);
                plain_part(f, "\n  what to do: ", n->state == VIEW_FAILED ? n->hint : "");
                break;
        }
        (void) fputc('\n', f);
}

static void plain_progress(const RollView *v, Usec now, FILE *f)
{
        size_t said = 0;
        char text[64];
        put_counts(v, f);
        (void) fputs(", ", f);
        put_times(v, f, now);
        plain_part(f, "; ", v->headline);
        for (size_t i = 0; i < v->n_nodes && said < 3; i++) {
                const ViewNode *n = &v->nodes[i];
                if (!view_is_active(n->state))
                        continue;
                (void) fputs("; ", f);
                put_clean(f, n->name);
                (void) fputc(' ', f);
                put_clean(f, *n->phase ? n->phase : view_state_name(n->state));
                plain_part(f, " ", node_time(n, now, true, text, sizeof(text)));
                plain_part(f, ": ", n->awaiting);
                said++;
        }
        (void) fputc('\n', f);
}

static int plain_update(Table *t, const RollView *v, Usec now, FILE *f)
{
        char what[128];
        if (seen_fit(t, v) < 0)
                return -ENOMEM;
        if (!t->progress_at) {
                plain_part(f, "roll ", v->id);
                plain_part(f, ": ", view_what(v->what, v->component, what, sizeof(what)));
                (void) fprintf(f, ", %zu node%s\n", v->n_nodes, v->n_nodes == 1 ? "" : "s");
                t->progress_at = MAX(now, (Usec) 1);
        }
        for (size_t i = 0; i < v->n_nodes; i++) {
                const ViewNode *n = &v->nodes[i];
                TableSeen *s = &t->seen[i];
                if (s->state == n->state &&
                    (!view_is_active(n->state) || strncmp(s->phase, n->phase, sizeof(s->phase) - 1) == 0))
                        continue;
                s->state = n->state;
                (void) snprintf(s->phase, sizeof(s->phase), "%s", n->phase);
                /* Those that were not touched are in the summary. */
                if (n->state != VIEW_LEFT)
                        plain_node(n, now, f);
        }
        if (!v->ended && time_left(now, t->progress_at) >= PROGRESS_USEC) {
                plain_progress(v, now, f);
                t->progress_at = now;
        }
        return 0;
}

/* All ways. */

int table_update(Table *t, const RollView *v, Usec now, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        int r = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        if (t->mode.live && !t->mode.json) {
                if (t->lines == 0 || time_left(now, t->drawn_at) >= REDRAW_USEC)
                        r = table_draw(t, v, now, f);
        } else if (!t->mode.json)
                r = plain_update(t, v, now, f);
        if (text_close(f, &out) < 0 || r < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

/* Without what switches colours; @text is ours: nothing else of that kind is in it. */
static char *without_colours(const char *text)
{
        char *copy = strdup(text), *to = copy;
        for (const char *from = copy; from && *from;) {
                const char *end = *from == '\x1b' ? strchr(from, 'm') : NULL;
                if (end)
                        from = end + 1;
                else
                        *to++ = *from++;
        }
        if (copy)
                *to = '\0';
        return copy;
}

/* A line that fits keeps its colours. */
static void show_line(Table *t, const char *text, FILE *f)
{
        _cleanup_(freep) char *plain = without_colours(text);
        Line l;
        line_begin(t, &l, f);
        if (plain && put_columns(plain) <= table_width(t)) {
                (void) fputs(text, f);
                l.used = (unsigned) put_columns(plain);
        } else if (plain)
                line_put(&l, plain, COLOUR_NONE);
        line_end(t, &l);
}

/* Lines of somebody else, in place. */
static void show_lines(Table *t, const char *text, FILE *f)
{
        unsigned most = table_rows(t), all = 0;
        for (const char *p = text; *p; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL))
                all++;
        cursor_home(t, f);
        for (const char *p = text; *p; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL)) {
                _cleanup_(freep) char *one = strndup(p, strcspn(p, "\n"));
                char rest[48];
                bool last = t->lines + 1 == most && all > most;
                (void) snprintf(rest, sizeof(rest), "... %u more lines", all - most + 1);
                show_line(t, last || !one ? rest : one, f);
                if (last)
                        break;
        }
        (void) fputs("\x1b[J", f);
}

int table_show(Table *t, const char *text, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        if (t->mode.live)
                show_lines(t, text, f);
        else
                (void) fputs(text, f);
        if (text_close(f, &out) < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

static int say_json(const char *node, const char *text, bool warning, FILE *f)
{
        _cleanup_(json_closep) cJSON *e = cJSON_CreateObject();
        if (!e || !cJSON_AddStringToObject(e, "event", warning ? "warning" : "client") ||
            (*node && !cJSON_AddStringToObject(e, "node", node)) || !cJSON_AddStringToObject(e, "text", text))
                return -ENOMEM;
        _cleanup_(freep) char *json = cJSON_PrintUnformatted(e);
        if (!json)
                return -ENOMEM;
        (void) fprintf(f, "%s\n", json);
        return 0;
}

int table_say(Table *t, const char *node, const char *text, bool warning, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        int r = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        if (t->mode.json)
                r = say_json(node, text, warning, f);
        else {
                table_erase(t, f);
                if (warning) {
                        put_colour(f, t->mode.colour, COLOUR_WARN);
                        (void) fputs("warning", f);
                        put_plain(f, t->mode.colour);
                        (void) fputs(": ", f);
                }
                if (*node) {
                        put_clean(f, node);
                        (void) fputs(": ", f);
                }
                put_clean(f, text);
                (void) fputc('\n', f);
        }
        if (text_close(f, &out) < 0 || r < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

int table_clear(Table *t, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        table_erase(t, f);
        if (text_close(f, &out) < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}
