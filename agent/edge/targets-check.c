/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll targets check`: does each target server answer, from here and now? */

#include "agent/edge/targets-check.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probes/probing.h"

#define CHECK_CONNECT_USEC (5 * USEC_PER_SEC)
#define CHECK_TOTAL_USEC   (10 * USEC_PER_SEC)

typedef struct Checked {
        ProbeLayer layer;
        Usec elapsed_usec;
        unsigned notes;
        char text[300];
} Checked;

typedef struct Checks {
        Session *session;
        const char *org, *env;
        const TargetRows *rows;
        ProbeSpec *specs;
        size_t *row_of; /* of the rows: by number of the check */
        size_t n, done, bad;
        Checked *results; /* by row */
} Checks;

static void checks_done(Checks *c)
{
        free(c->specs);
        free(c->row_of);
        free(c->results);
}

static void checks_on_result(Probing *p, size_t index, const ProbeResult *result, void *userdata)
{
        Checks *c = userdata;
        Checked *one = &c->results[c->row_of[index]];
        (void) p;
        *one = (Checked){ .layer = result->layer,
                          .elapsed_usec = result->elapsed_usec,
                          .notes = result->notes | c->specs[index].notes };
        (void) snprintf(one->text, sizeof(one->text), "%s", result->text);
        c->done++;
        c->bad += result->layer != PROBE_OK;
        session_live(c->session, "%zu of %zu checked, %zu do not answer", c->done, c->n, c->bad);
}

/* A connection, and a handshake where TLS is on. What a HealthMonitor asks is in proxies, not in target
 * servers. */
static int checks_add(Checks *c, Probing *p, size_t row, Err *err)
{
        static const ProbeDefaults defaults = { .kind = PROBE_TLS,
                                                .connect_usec = CHECK_CONNECT_USEC,
                                                .read_usec = CHECK_CONNECT_USEC };
        const Target *target = c->rows->rows[row].target;
        Err why = { 0 };
        if (!target) {
                c->results[row].layer = PROBE_HERE;
                (void) snprintf(c->results[row].text, sizeof(c->results[row].text), "%.290s",
                                c->rows->rows[row].trouble);
                c->bad++;
                return 0;
        }
        if (probe_spec(&target->server, NULL, &defaults, &c->specs[c->n], &why) < 0) {
                c->results[row].layer = PROBE_HERE;
                (void) snprintf(c->results[row].text, sizeof(c->results[row].text), "%.290s", why.text);
                c->bad++;
                return 0;
        }
        int index = probing_add(p, &c->specs[c->n], c->org, c->env, err);
        if (index < 0)
                return index;
        c->row_of[c->n++] = row;
        return 0;
}

static void show_json(const Checks *c, size_t row)
{
        const TargetRow *t = &c->rows->rows[row];
        const Checked *one = &c->results[row];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "check");
        cJSON_AddStringToObject(o, "org", c->org);
        cJSON_AddStringToObject(o, "env", c->env);
        cJSON_AddStringToObject(o, "name", t->name);
        cJSON_AddBoolToObject(o, "enabled", t->target && edge_flag(t->target->server.enabled, true));
        cJSON_AddStringToObject(o, "layer", probe_layer_name(one->layer));
        cJSON_AddStringToObject(o, "text", one->text);
        cJSON_AddNumberToObject(o, "elapsed", time_sec(one->elapsed_usec));
        cJSON *notes = cJSON_AddArrayToObject(o, "notes");
        for (unsigned bit = 1; bit <= PROBE_NOTE_LAST; bit <<= 1)
                if (one->notes & bit)
                        cJSON_AddItemToArray(notes, cJSON_CreateString(probe_note_text((ProbeNote) bit)));
        session_event(c->session, o);
}

static void show_row(const Checks *c, size_t row, int width)
{
        const TargetRow *t = &c->rows->rows[row];
        const Checked *one = &c->results[row];
        FILE *out = c->session->io->out;
        bool enabled = !t->target || edge_flag(t->target->server.enabled, true);
        (void) fprintf(out, "%-*s  %-10s  %s%s\n", width, t->name, probe_layer_name(one->layer),
                       enabled ? "" : "(disabled) ", one->text);
        for (unsigned bit = 1; bit <= PROBE_NOTE_LAST; bit <<= 1)
                if ((one->notes & bit) && bit != PROBE_NOTE_DISABLED)
                        (void) fprintf(out, "%-*s  %-10s  %s\n", width, "", "",
                                       probe_note_text((ProbeNote) bit));
}

static int checks_show_all(Checks *c)
{
        int width = 4;
        size_t down = 0;
        session_live(c->session, "%s", "");
        for (size_t i = 0; i < c->rows->n; i++)
                width = MAX(width, (int) MIN(strlen(c->rows->rows[i].name), (size_t) 40));
        for (size_t i = 0; i < c->rows->n; i++) {
                const TargetRow *t = &c->rows->rows[i];
                /* One that is switched off is out of rotation, whatever it answers. */
                down += c->results[i].layer != PROBE_OK &&
                        !(t->target && !edge_flag(t->target->server.enabled, true));
                if (c->session->rq->json)
                        show_json(c, i);
                else
                        show_row(c, i, width);
        }
        if (down > 0)
                return session_end(c->session, RESULT_PROBLEMS,
                                   "edge-roll targets get NAME shows where one is",
                                   "%zu of %zu target servers of %s/%s do not answer from here", down,
                                   c->rows->n, c->org, c->env);
        return session_end(c->session, RESULT_DONE, NULL,
                           "all enabled target servers of %s/%s answer from here", c->org, c->env);
}

static int checks_run(Checks *c, Err *err)
{
        _cleanup_(probing_freep) Probing *p = NULL;
        ProbingOptions options = { .event = c->session->event, .total_usec = CHECK_TOTAL_USEC };
        int r = probing_new(&p, &options, err);
        for (size_t i = 0; i < c->rows->n && r >= 0; i++)
                r = checks_add(c, p, i, err);
        if (r >= 0)
                r = probing_run(p, checks_on_result, c, err);
        return r < 0 ? r : 0;
}

int targets_check(Session *s, const char *org, const char *env)
{
        _cleanup_(targets_rows_freep) TargetRows *rows = NULL;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        _cleanup_(checks_done) Checks c = { .session = s, .org = org, .env = env };
        Err err = { 0 };

        if (targets_fetch(s->api, org, env, &rows, &answer, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        if (!rows)
                return session_end_answer(s, &answer, NULL);
        c.rows = rows;
        c.specs = calloc(rows->n + 1, sizeof(*c.specs));
        c.row_of = calloc(rows->n + 1, sizeof(*c.row_of));
        c.results = calloc(rows->n + 1, sizeof(*c.results));
        if (!c.specs || !c.row_of || !c.results)
                return session_end(s, RESULT_FAILED, NULL, "Out of memory for %zu target servers", rows->n);
        if (checks_run(&c, &err) < 0)
                return session_end_err(s, RESULT_FAILED, &err);
        return checks_show_all(&c);
}
