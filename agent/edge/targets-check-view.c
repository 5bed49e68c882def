/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/targets-check-view.h"

#include <cjson/cJSON.h>
#include <string.h>

#define UNKNOWN   "unknown" /* in place of a layer: nobody has told */
#define NAMES_MAX 8         /* in one list of nodes */

/* What the rows have to say, counted. */
typedef struct Sums {
        size_t down;   /* enabled, and some place has no answer from it */
        size_t silent; /* places that have not told everything */
        const CheckPoint *silent_first;
} Sums;

static bool row_enabled(const TargetRow *row)
{
        return !row->target || edge_flag(row->target->server.enabled, true);
}

static bool point_ok(const CheckPoint *p, size_t row)
{
        return p->has[row] && p->results[row].layer == PROBE_OK;
}

static const char *point_layer(const CheckPoint *p, size_t row)
{
        return p->has[row] ? probe_layer_name(p->results[row].layer) : UNKNOWN;
}

static const char *point_text(const CheckPoint *p, size_t row)
{
        return p->has[row] ? p->results[row].text : "not told";
}

/* A list of names that a sentence can have. */
typedef struct NameList {
        char text[400];
        size_t n;
} NameList;

static void names_put(NameList *l, const char *name)
{
        size_t len = strlen(l->text);
        if (l->n++ < NAMES_MAX)
                (void) snprintf(l->text + len, sizeof(l->text) - len, "%s%.40s", len > 0 ? ", " : "", name);
}

static const char *names_end(NameList *l)
{
        size_t len = strlen(l->text);
        if (l->n > NAMES_MAX)
                (void) snprintf(l->text + len, sizeof(l->text) - len, " and %zu more", l->n - NAMES_MAX);
        return l->text;
}

/* ---- meanwhile ---- */

void check_table_live(const CheckTable *t)
{
        size_t done = 0, bad = 0;
        char from[80] = "";
        for (size_t i = 0; i < t->n_points; i++) {
                done += t->points[i].done;
                bad += t->points[i].bad;
        }
        if (t->n_points > 1)
                (void) snprintf(from, sizeof(from), " from %zu places", t->n_points);
        else if (strcmp(t->points[0].name, CHECK_HERE) != 0)
                (void) snprintf(from, sizeof(from), " from %.60s", t->points[0].name);
        session_live(t->session, "%zu of %zu checked%s, %zu do not answer", done, t->rows->n * t->n_points,
                     from, bad);
}

void check_table_trouble(const CheckTable *t, const CheckPoint *point)
{
        /* Of the only one it is what the command ends with. */
        if (t->n_points == 1)
                return;
        session_live(t->session, "%s", "");
        session_warn(t->session, "%s could not check: %s", point->name, point->trouble);
}

/* ---- behind it ---- */

static void put_names(cJSON *o, const char *key, const CheckTable *t, size_t row, bool ok)
{
        cJSON *list = cJSON_AddArrayToObject(o, key);
        for (size_t i = 0; i < t->n_points; i++)
                if (t->points[i].has[row] && point_ok(&t->points[i], row) == ok)
                        cJSON_AddItemToArray(list, cJSON_CreateString(t->points[i].name));
}

static cJSON *event_of(const CheckTable *t, size_t row, const char *event)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", event);
        cJSON_AddStringToObject(o, "org", t->org);
        cJSON_AddStringToObject(o, "env", t->env);
        cJSON_AddStringToObject(o, "name", t->rows->rows[row].name);
        return o;
}

static void show_json(const CheckTable *t, size_t row, const CheckPoint *p)
{
        const Checked *one = &p->results[row];
        cJSON *o = event_of(t, row, "check");
        cJSON_AddBoolToObject(o, "enabled", t->rows->rows[row].target && row_enabled(&t->rows->rows[row]));
        cJSON_AddStringToObject(o, "layer", point_layer(p, row));
        cJSON_AddStringToObject(o, "text", point_text(p, row));
        cJSON_AddNumberToObject(o, "elapsed", time_sec(one->elapsed_usec));
        cJSON *notes = cJSON_AddArrayToObject(o, "notes");
        for (unsigned bit = 1; bit <= PROBE_NOTE_LAST; bit <<= 1)
                if (one->notes & bit)
                        cJSON_AddItemToArray(notes, cJSON_CreateString(probe_note_text((ProbeNote) bit)));
        cJSON_AddStringToObject(o, "from", p->name);
        session_event(t->session, o);
}

static void show_differs_json(const CheckTable *t, size_t row)
{
        cJSON *o = event_of(t, row, "differs");
        put_names(o, "answers_from", t, row, true);
        put_names(o, "silent_from", t, row, false);
        session_event(t->session, o);
}

/* One line of what @p, and all behind it that ended in the same layer, have seen. */
static void show_group(const CheckTable *t, size_t row, size_t point, int width)
{
        const TargetRow *r = &t->rows->rows[row];
        const CheckPoint *p = &t->points[point];
        FILE *out = t->session->io->out;
        NameList names = { 0 };
        unsigned notes = 0;

        for (size_t i = point; i < t->n_points; i++)
                if (strcmp(point_layer(&t->points[i], row), point_layer(p, row)) == 0) {
                        names_put(&names, t->points[i].name);
                        notes |= t->points[i].results[row].notes;
                }
        (void) fprintf(out, "%-*s  %-10s  %s", width, r->name, point_layer(p, row),
                       row_enabled(r) ? "" : "(disabled) ");
        if (t->n_points > 1)
                (void) fprintf(out, "from %s: ", names_end(&names));
        (void) fprintf(out, "%s\n", point_text(p, row));
        for (unsigned bit = 1; bit <= PROBE_NOTE_LAST; bit <<= 1)
                if ((notes & bit) && bit != PROBE_NOTE_DISABLED)
                        (void) fprintf(out, "%-*s  %-10s  %s\n", width, "", "",
                                       probe_note_text((ProbeNote) bit));
}

static void show_row(const CheckTable *t, size_t row, int width)
{
        for (size_t i = 0; i < t->n_points; i++) {
                bool first = true;
                if (t->session->rq->json) {
                        show_json(t, row, &t->points[i]);
                        continue;
                }
                for (size_t k = 0; k < i; k++)
                        first = first &&
                                strcmp(point_layer(&t->points[k], row), point_layer(&t->points[i], row)) != 0;
                if (first)
                        show_group(t, row, i, width);
        }
}

static void sums_add(Sums *s, const CheckTable *t, size_t row, NameList *differing)
{
        size_t ok = 0, bad = 0;
        for (size_t i = 0; i < t->n_points; i++) {
                ok += point_ok(&t->points[i], row);
                bad += t->points[i].has[row] && !point_ok(&t->points[i], row);
        }
        if (ok > 0 && bad > 0 && t->session->rq->json)
                show_differs_json(t, row);
        /* One that is switched off is out of rotation, whatever it answers. */
        if (!row_enabled(&t->rows->rows[row]) || bad == 0)
                return;
        s->down++;
        if (ok > 0)
                names_put(differing, t->rows->rows[row].name);
}

static int end_of(const CheckTable *t, const Sums *s, const char *from, const char *differing)
{
        char rest[500] = "", more[60] = "";
        if (*differing)
                (void) snprintf(rest, sizeof(rest), "; one place has an answer and another has none: %s",
                                differing);
        if (s->silent > 1)
                (void) snprintf(more, sizeof(more), ", nor could %zu more", s->silent - 1);
        if (s->silent > 0 && s->silent == t->n_points)
                return session_end(t->session, s->silent_first->result, s->silent_first->hint,
                                   "%s could not check: %s%s", s->silent_first->name,
                                   s->silent_first->trouble, more);
        if (s->silent > 0)
                return session_end(t->session, s->silent_first->result, s->silent_first->hint,
                                   "%s could not check: %s%s; of what was told, %zu of %zu target servers of "
                                   "%s/%s do not answer%s",
                                   s->silent_first->name, s->silent_first->trouble, more, s->down, t->rows->n,
                                   t->org, t->env, rest);
        if (s->down > 0)
                return session_end(t->session, RESULT_PROBLEMS,
                                   "edge-roll targets get NAME shows where one is",
                                   "%zu of %zu target servers of %s/%s do not answer from %s%s", s->down,
                                   t->rows->n, t->org, t->env, from, rest);
        return session_end(t->session, RESULT_DONE, NULL,
                           "all enabled target servers of %s/%s answer from %s", t->org, t->env, from);
}

int check_table_end(const CheckTable *t)
{
        NameList from = { 0 }, differing = { 0 };
        Sums sums = { 0 };
        size_t told = 0;
        int width = 4;

        session_live(t->session, "%s", "");
        for (size_t i = 0; i < t->n_points; i++) {
                const CheckPoint *p = &t->points[i];
                names_put(&from, p->name);
                told += p->done;
                if (p->result != RESULT_DONE && sums.silent++ == 0)
                        sums.silent_first = p;
        }
        for (size_t i = 0; i < t->rows->n; i++)
                width = MAX(width, (int) MIN(strlen(t->rows->rows[i].name), (size_t) 40));
        for (size_t i = 0; i < t->rows->n; i++) {
                if (told > 0)
                        show_row(t, i, width);
                sums_add(&sums, t, i, &differing);
        }
        return end_of(t, &sums, names_end(&from), names_end(&differing));
}
