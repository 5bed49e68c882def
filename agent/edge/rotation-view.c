/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A rotation as data and for people. */

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "agent/edge/rotation.h"
#include "agent/put.h"
#include "probes/json.h"
#include "probes/monitor.h"

static const char *text_or(const EdgeText *text, const char *otherwise)
{
        return text->value ? text->value : otherwise;
}

/* ---- data ---- */

static bool json_check(cJSON *o, const RotationCheck *check)
{
        if (!check)
                return cJSON_AddNullToObject(o, "check");
        cJSON *c = cJSON_AddObjectToObject(o, "check"), *notes = NULL;
        bool ok = c && cJSON_AddStringToObject(c, "layer", probe_layer_name(check->layer)) &&
                  cJSON_AddBoolToObject(c, "down", check->down) &&
                  cJSON_AddStringToObject(c, "text", check->text) &&
                  cJSON_AddNumberToObject(c, "elapsed", time_sec(check->elapsed_usec)) &&
                  (notes = cJSON_AddArrayToObject(c, "notes"));
        for (unsigned bit = 1; ok && bit <= PROBE_NOTE_LAST; bit <<= 1) {
                cJSON *note =
                        check->notes & bit ? cJSON_CreateString(probe_note_text((ProbeNote) bit)) : NULL;
                if ((check->notes & bit) && !cJSON_AddItemToArray(notes, note)) {
                        cJSON_Delete(note);
                        ok = false;
                }
        }
        return ok;
}

static bool json_server(cJSON *list, const RotationServer *s)
{
        cJSON *o = cJSON_CreateObject();
        if (!cJSON_AddItemToArray(list, o)) {
                cJSON_Delete(o);
                return false;
        }
        bool ok = cJSON_AddStringToObject(o, "name", text_or(&s->ref->name, "")) &&
                  cJSON_AddStringToObject(o, "stand", rotation_stand_name(s->stand)) &&
                  cJSON_AddBoolToObject(o, "fallback", edge_flag(s->ref->fallback, false)) &&
                  (s->share >= 0 ? cJSON_AddNumberToObject(o, "share", s->share)
                                 : cJSON_AddNullToObject(o, "share"));
        if (ok && s->ref->weight.set)
                ok = cJSON_AddNumberToObject(o, "weight", (double) s->ref->weight.value);
        if (ok && s->server && s->server->host.line)
                ok = cJSON_AddStringToObject(o, "host", text_or(&s->server->host, "")) &&
                     cJSON_AddNumberToObject(o, "port", (double) edge_number(s->server->port, 0));
        return ok && json_check(o, s->check);
}

static bool json_numbers(cJSON *o, const char *key, const EdgeNumbers *numbers)
{
        cJSON *list = cJSON_AddArrayToObject(o, key);
        for (size_t i = 0; list && i < numbers->n; i++) {
                cJSON *n = cJSON_CreateNumber((double) numbers->items[i].value);
                if (!cJSON_AddItemToArray(list, n)) {
                        cJSON_Delete(n);
                        return false;
                }
        }
        return list;
}

int rotation_json(const Rotation *ro, const char *file, const char *kind, const char *name, char **ret)
{
        const EdgeConnection *c = ro->connection;
        const EdgeBalancer *b = &c->balancer;
        _cleanup_(json_closep) cJSON *o = cJSON_CreateObject();
        cJSON *list = NULL;
        char next[300];

        rotation_next_failure(ro, next, sizeof(next));
        if (!o || !cJSON_AddStringToObject(o, "event", "rotation") ||
            !cJSON_AddStringToObject(o, "file", file) || !cJSON_AddStringToObject(o, "document", kind) ||
            !cJSON_AddStringToObject(o, "name", name) || !cJSON_AddNumberToObject(o, "line", b->line) ||
            !cJSON_AddStringToObject(o, "algorithm", edge_algorithm_name(b->algorithm)) ||
            !cJSON_AddNumberToObject(o, "max_failures", (double) edge_number(b->max_failures, 0)) ||
            !cJSON_AddBoolToObject(o, "retry", edge_flag(b->retry, true)) ||
            !json_numbers(o, "unhealthy_responses", &b->unhealthy_codes) ||
            !cJSON_AddStringToObject(o, "path", text_or(&c->path, "")) ||
            !cJSON_AddBoolToObject(o, "monitored", monitor_rules(c).monitored) ||
            !cJSON_AddBoolToObject(o, "checked", ro->checked) ||
            !cJSON_AddBoolToObject(o, "fallback", ro->fallback) ||
            !cJSON_AddBoolToObject(o, "nobody", ro->nobody) ||
            !cJSON_AddStringToObject(o, "next_failure", next) ||
            !(list = cJSON_AddArrayToObject(o, "servers")))
                return -ENOMEM;
        for (size_t i = 0; i < ro->n; i++)
                if (!json_server(list, &ro->servers[i]))
                        return -ENOMEM;
        *ret = cJSON_PrintUnformatted(o);
        return *ret ? 0 : -ENOMEM;
}

/* ---- people ---- */

static const struct {
        Colour colour;
        const char *text;
} stands[] = {
        [ROTATION_IN] = { COLOUR_GOOD, "in rotation" },
        [ROTATION_WAITING] = { COLOUR_NONE, "fallback, not needed now" },
        [ROTATION_FALLBACK] = { COLOUR_WARN, "fallback, engaged: all others are out" },
        [ROTATION_FAILING] = { COLOUR_BAD, "does not answer, and stays in rotation" },
        [ROTATION_OUT] = { COLOUR_BAD, "does not answer: out of rotation" },
        [ROTATION_DISABLED] = { COLOUR_WARN, "disabled" },
        [ROTATION_UNREAD] = { COLOUR_WARN, "not known: it could not be read" },
        [ROTATION_UNKNOWN] = { COLOUR_BAD, "no such target server in this environment" },
};
_Static_assert(ELEMENTS(stands) == ROTATION_STAND_COUNT, "every stand has a text");

static void text_share(FILE *f, const RotationServer *s, bool idle)
{
        if (s->share < 0)
                (void) fputs("     ?", f);
        else if (s->share == 0)
                (void) fputs("     -", f);
        else
                (void) fprintf(f, "%s%3.0f %%", idle ? "~" : " ", s->share * 100);
}

/* What was found when it was asked, where that is more than that it answers. */
static void text_check(FILE *f, const RotationCheck *check, unsigned indent)
{
        if (check->layer == PROBE_HERE)
                (void) fprintf(f, "%*sit could not be asked: ", (int) indent, "");
        else if (check->down)
                (void) fprintf(f, "%*s%s: ", (int) indent, "", probe_layer_name(check->layer));
        if (check->layer == PROBE_HERE || check->down) {
                put_clean(f, check->text);
                (void) fputc('\n', f);
        }
        for (unsigned bit = 1; bit <= PROBE_NOTE_LAST; bit <<= 1)
                if (check->notes & bit)
                        (void) fprintf(f, "%*s%s\n", (int) indent, "", probe_note_text((ProbeNote) bit));
}

static void text_servers(FILE *f, const Rotation *ro, bool colour)
{
        size_t width = 6;
        for (size_t i = 0; i < ro->n; i++)
                width = MAX(width, MIN(put_columns(text_or(&ro->servers[i].ref->name, "")), (size_t) 40));
        for (size_t i = 0; i < ro->n; i++) {
                const RotationServer *s = &ro->servers[i];
                (void) fputs("  ", f);
                put_field(f, text_or(&s->ref->name, "(no name)"), width);
                (void) fputc(' ', f);
                text_share(f, s, ro->connection->balancer.algorithm == EDGE_LEAST_CONNECTIONS);
                (void) fputs("  ", f);
                put_colour(f, colour, stands[s->stand].colour);
                (void) fputs(stands[s->stand].text, f);
                put_plain(f, colour);
                if (s->server && s->server->host.line) {
                        (void) fputs("  ", f);
                        put_clean(f, text_or(&s->server->host, "?"));
                        (void) fprintf(f, ":%" PRId64, edge_number(s->server->port, 0));
                }
                (void) fputc('\n', f);
                if (s->check)
                        text_check(f, s->check, (unsigned) width + 11);
        }
}

static void text_monitor(FILE *f, const EdgeConnection *c)
{
        const EdgeHealthMonitor *m = &c->monitor;
        if (m->line == 0)
                (void) fputs("no HealthMonitor", f);
        else if (!edge_flag(m->enabled, false))
                (void) fputs("HealthMonitor disabled", f);
        else if (!monitor_rules(c).monitored)
                (void) fputs("a HealthMonitor that never checks", f);
        else
                (void) fprintf(f, "%s every %" PRId64 " s", m->http.line > 0 ? "HTTPMonitor" : "TCPMonitor",
                               edge_number(m->interval_sec, 0));
}

void rotation_text(FILE *f, const Rotation *ro, const char *file, const char *kind, const char *name,
                   bool colour)
{
        const EdgeConnection *c = ro->connection;
        const EdgeBalancer *b = &c->balancer;
        char next[300];

        put_colour(f, colour, COLOUR_STRONG);
        put_clean(f, kind);
        (void) fputc(' ', f);
        put_clean(f, *name ? name : "(no name)");
        put_plain(f, colour);
        (void) fputs("  ", f);
        put_clean(f, file);
        (void) fprintf(f, ":%u\n  %s, MaxFailures %" PRId64 ", %s, ", b->line,
                       edge_algorithm_name(b->algorithm), edge_number(b->max_failures, 0),
                       edge_flag(b->retry, true) ? "retries" : "no retries");
        text_monitor(f, c);
        if (c->path.value) {
                (void) fputs(", Path ", f);
                put_clean(f, c->path.value);
        }
        for (size_t i = 0; i < b->unhealthy_codes.n; i++)
                (void) fprintf(f, "%s%" PRId64, i ? " " : ", unhealthy: ", b->unhealthy_codes.items[i].value);
        (void) fputc('\n', f);
        text_servers(f, ro, colour);
        rotation_next_failure(ro, next, sizeof(next));
        (void) fputs("  next failure: ", f);
        put_wrapped(f, next, 16, 16, PUT_WIDTH_DEFAULT);
        (void) fputc('\n', f);
}
