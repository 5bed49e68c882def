/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is on the screen, and what an event does to it. */

#include "agent/render-impl.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "probes/json.h"

#define ERASE_LINE "\r\x1b[K"

int render_new(Render **ret, const RenderMode *mode)
{
        Render *r = calloc(1, sizeof(*r));
        if (!r)
                return -ENOMEM;
        r->mode = *mode;
        r->exit_code = -1;
        r->limit = -1;
        *ret = r;
        return 0;
}

Render *render_free(Render *r)
{
        free(r);
        return NULL;
}

void render_width(Render *r, unsigned width)
{
        r->mode.width = width;
}

const char *render_component(const Render *r)
{
        return r->component;
}

uint64_t render_job(const Render *r)
{
        return r->job;
}

void render_again(Render *r)
{
        r->exit_code = -1;
        r->component[0] = r->phase[0] = '\0';
        r->job = 0;
}

int render_exit(const Render *r)
{
        return r->exit_code;
}

/* ---- the line ---- */

void render_put_limit(FILE *f, double seconds)
{
        (void) fprintf(f, floor(seconds) == seconds ? "%.0f s" : "%.1f s", seconds);
}

/* The start of a phase's line: name and time in columns. */
void render_put_head(FILE *f, const char *phase, double seconds)
{
        char text[32];
        (void) snprintf(text, sizeof(text), seconds < 1 ? "%.2f s" : "%.1f s", seconds < 0 ? 0 : seconds);
        (void) fprintf(f, "%-11.31s %8s", phase, text);
}

void render_colour_begin(const Render *r, FILE *f, Colour colour)
{
        put_colour(f, r->mode.live, colour);
}

void render_colour_end(const Render *r, FILE *f, Colour colour)
{
        put_plain(f, r->mode.live && colour != COLOUR_NONE);
}

void render_line_erase(Render *r, FILE *f)
{
        if (r->drawn)
                (void) fputs(ERASE_LINE, f);
        r->drawn = false;
}

/* The live line: the phase, how long of how much, what is awaited. Never longer than the terminal is wide: a
 * line that wraps could not be erased. */
int render_line_draw(Render *r, FILE *f, Usec now)
{
        if (!r->mode.live || !*r->phase)
                return 0;
        _cleanup_(freep) char *text = NULL;
        size_t size = 0;
        FILE *line = text_open(&text, &size);
        if (!line)
                return -ENOMEM;
        render_put_head(line, r->phase, r->elapsed + time_sec(time_left(now, r->elapsed_at)));
        if (r->limit >= 0) {
                (void) fputs(" of ", line);
                render_put_limit(line, r->limit);
        }
        (void) fputs("  ", line);
        put_clean(line, r->awaited);
        if (text_close(line, &text) < 0)
                return -ENOMEM;

        unsigned width = r->mode.width ? r->mode.width : PUT_WIDTH_DEFAULT;
        put_cut(text, width > 1 ? width - 1 : 1);
        size_t name = MIN(strlen(r->phase), strlen(text));
        render_line_erase(r, f);
        render_colour_begin(r, f, COLOUR_STRONG);
        (void) fprintf(f, "%.*s", (int) name, text);
        render_colour_end(r, f, COLOUR_STRONG);
        (void) fputs(text + name, f);
        r->drawn = true;
        return 0;
}

/* ---- events ---- */

/* Line feeds between the parts of an object are allowed in JSON but would make two lines of one event; inside
 * strings they are always written as \n, so blanks may take their place. */
static void put_object(FILE *f, const char *json)
{
        for (; *json; json++)
                (void) fputc(*json == '\n' || *json == '\r' ? ' ' : *json, f);
        (void) fputc('\n', f);
}

int render_event(Render *r, const char *json, Usec now, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *e = json_object(json, JSON_MESSAGE_MAX);
        const char *event = json_text(e, "event");
        if (!*event)
                return err_set(err, -EBADMSG, "the agent sent something that is no event: %.80s", json);
        if (strcmp(event, "result") == 0)
                r->exit_code = render_result_exit(e);
        if (strcmp(event, "job") == 0) {
                (void) snprintf(r->component, sizeof(r->component), "%s", json_text(e, "component"));
                r->job = json_count(e, "job");
                r->findings = strcmp(json_text(e, "kind"), "doctor") == 0;
        }

        char *text = NULL;
        size_t size = 0;
        FILE *f = text_open(&text, &size);
        if (!f)
                return err_errno(err, -ENOMEM, "display");
        int n = 0;
        if (r->mode.json)
                put_object(f, json);
        else
                n = render_event_text(r, e, f, now);
        if (text_close(f, &text) < 0 || n < 0) {
                free(text);
                return err_errno(err, -ENOMEM, "display");
        }
        *ret = text;
        return 0;
}

int render_say(Render *r, const char *text, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        if (r->mode.json) {
                _cleanup_(json_closep) cJSON *e = cJSON_CreateObject();
                _cleanup_(freep) char *json = NULL;
                if (e && cJSON_AddStringToObject(e, "event", "client") &&
                    cJSON_AddStringToObject(e, "text", text))
                        json = cJSON_PrintUnformatted(e);
                if (json)
                        put_object(f, json);
        } else {
                render_line_erase(r, f);
                put_clean(f, text);
                (void) fputc('\n', f);
        }
        if (text_close(f, &out) < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

int render_tick(Render *r, Usec now, char **ret)
{
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return -ENOMEM;
        int n = render_line_draw(r, f, now);
        if (text_close(f, &out) < 0 || n < 0) {
                free(out);
                return -ENOMEM;
        }
        *ret = out;
        return 0;
}

int render_clear(Render *r, char **ret)
{
        *ret = strdup(r->drawn ? ERASE_LINE : "");
        r->drawn = false;
        return *ret ? 0 : -ENOMEM;
}

int render_result_json(const char *component, const char *kind, const char *result, int exit_code,
                       const char *reason, const char *hint, char **ret)
{
        _cleanup_(json_closep) cJSON *e = cJSON_CreateObject();
        if (!e || !cJSON_AddStringToObject(e, "event", "result") ||
            !cJSON_AddStringToObject(e, "component", component ? component : "") ||
            !cJSON_AddStringToObject(e, "kind", kind) || !cJSON_AddStringToObject(e, "result", result) ||
            !cJSON_AddNumberToObject(e, "exit", exit_code) || !cJSON_AddStringToObject(e, "reason", reason) ||
            !cJSON_AddStringToObject(e, "hint", hint))
                return -ENOMEM;
        *ret = cJSON_PrintUnformatted(e);
        return *ret ? 0 : -ENOMEM;
}
