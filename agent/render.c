/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/render.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "agent/put.h"
#include "base/result.h"
#include "base/text.h"
#include "probes/json.h"

#define PLAIN_PROGRESS_USEC (10 * USEC_PER_SEC)
#define ERASE_LINE          "\r\x1b[K"

struct Render {
        RenderMode mode;
        char component[64];
        uint64_t job;
        char phase[32];    /* "": between phases */
        double limit;      /* of the phase, seconds; negative: not told */
        double elapsed;    /* as last told */
        Usec elapsed_at;   /* when it was told */
        char awaited[512]; /* what the last progress said */
        Usec plain_at;     /* when the last plain line of this phase was written */
        bool drawn;        /* the live line is on the screen */
        bool findings;     /* a job whose findings are the output, not its phases */
        int exit_code;
};

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

/* A point in time, as a stamp or in microseconds since 1970. */
static const char *json_time(const cJSON *object, const char *key, char *buf, size_t size)
{
        double usec = json_number(object, key, 0);
        const char *text = json_text(object, key);
        buf[0] = '\0';
        if (*text)
                (void) snprintf(buf, size, "%s", text);
        else if (usec > 0 && usec < 1e18)
                (void) time_stamp((Usec) usec, buf, size);
        return buf;
}

/* Text. */

static void put_limit(FILE *f, double seconds)
{
        (void) fprintf(f, floor(seconds) == seconds ? "%.0f s" : "%.1f s", seconds);
}

/* The start of a phase's line: name and time in columns. */
static void put_head(FILE *f, const char *phase, double seconds)
{
        char text[32];
        (void) snprintf(text, sizeof(text), seconds < 1 ? "%.2f s" : "%.1f s", seconds < 0 ? 0 : seconds);
        (void) fprintf(f, "%-11.31s %8s", phase, text);
}

static void colour_begin(const Render *r, FILE *f, Colour colour)
{
        put_colour(f, r->mode.live, colour);
}

static void colour_end(const Render *r, FILE *f, Colour colour)
{
        put_plain(f, r->mode.live && colour != COLOUR_NONE);
}

static void line_erase(Render *r, FILE *f)
{
        if (r->drawn)
                (void) fputs(ERASE_LINE, f);
        r->drawn = false;
}

/* The live line: the phase, how long of how much, what is awaited. Never longer than the terminal is wide: a
 * line that wraps could not be erased. */
static int line_draw(Render *r, FILE *f, Usec now)
{
        if (!r->mode.live || !*r->phase)
                return 0;
        _cleanup_(freep) char *text = NULL;
        size_t size = 0;
        FILE *line = text_open(&text, &size);
        if (!line)
                return -ENOMEM;
        put_head(line, r->phase, r->elapsed + time_sec(time_left(now, r->elapsed_at)));
        if (r->limit >= 0) {
                (void) fputs(" of ", line);
                put_limit(line, r->limit);
        }
        (void) fputs("  ", line);
        put_clean(line, r->awaited);
        if (text_close(line, &text) < 0)
                return -ENOMEM;

        unsigned width = r->mode.width ? r->mode.width : PUT_WIDTH_DEFAULT;
        put_cut(text, width > 1 ? width - 1 : 1);
        size_t name = MIN(strlen(r->phase), strlen(text));
        line_erase(r, f);
        colour_begin(r, f, COLOUR_STRONG);
        (void) fprintf(f, "%.*s", (int) name, text);
        colour_end(r, f, COLOUR_STRONG);
        (void) fputs(text + name, f);
        r->drawn = true;
        return 0;
}

/* Events. */

/* The phase; of the job within the job (restart rmp) with the component before it. */
static const char *event_phase(const cJSON *e, char *buf, size_t size)
{
        const char *component = json_text(e, "component");
        (void) snprintf(buf, size, "%.20s%s%.31s", component, *component ? " " : "", json_text(e, "phase"));
        for (char *p = buf; *p; p++)
                if ((unsigned char) *p < ' ' || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return buf;
}

static int event_job(Render *r, const cJSON *e, FILE *f)
{
        const char *reason = json_text(e, "reason");
        line_erase(r, f);
        put_clean(f, r->component);
        (void) fputs(": ", f);
        put_clean(f, json_text(e, "kind"));
        (void) fprintf(f, ", job %" PRIu64 "%s", r->job, json_true(e, "resumed") ? " goes on" : "");
        if (*reason) {
                (void) fputs(" (", f);
                put_clean(f, reason);
                (void) fputc(')', f);
        }
        (void) fputc('\n', f);
        return 0;
}

static int event_begin(Render *r, const cJSON *e, FILE *f, Usec now)
{
        (void) event_phase(e, r->phase, sizeof(r->phase));
        r->limit = json_number(e, "limit", -1);
        r->elapsed = 0;
        r->elapsed_at = now;
        r->plain_at = now;
        r->awaited[0] = '\0';
        if (r->mode.live || r->findings)
                return line_draw(r, f, now);
        char name[32];
        (void) snprintf(name, sizeof(name), "%.31s", r->phase);
        _cleanup_(freep) char *padded = NULL;
        if (asprintf(&padded, "%-11s", name) < 0)
                return -ENOMEM;
        put_clean(f, padded);
        (void) fputs(" begins", f);
        if (r->limit >= 0) {
                (void) fputs(", limit ", f);
                put_limit(f, r->limit);
        }
        (void) fputc('\n', f);
        return 0;
}

static int event_end(Render *r, const cJSON *e, FILE *f)
{
        static const struct {
                const char *outcome, *words;
        } outcomes[] = {
                { "failed", "failed: " },
                { "timeout", "its time is over: " },
                { "cancelled", "cancelled: " },
                { "back", "back to an earlier phase: " },
        };
        const char *outcome = json_text(e, "outcome"), *words = "";
        r->phase[0] = '\0';
        if (r->findings) {
                line_erase(r, f);
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(outcomes); i++)
                if (strcmp(outcomes[i].outcome, outcome) == 0)
                        words = outcomes[i].words;
        Colour colour = !*words ? COLOUR_GOOD : strcmp(outcome, "back") == 0 ? COLOUR_WARN : COLOUR_BAD;

        _cleanup_(freep) char *head = NULL;
        char name[64];
        size_t size = 0;
        FILE *h = text_open(&head, &size);
        if (!h)
                return -ENOMEM;
        put_head(h, event_phase(e, name, sizeof(name)), json_number(e, "elapsed", 0));
        if (text_close(h, &head) < 0)
                return -ENOMEM;
        line_erase(r, f);
        colour_begin(r, f, colour);
        put_clean(f, head);
        colour_end(r, f, colour);
        (void) fprintf(f, "  %s", words);
        put_clean(f, json_text(e, "evidence"));
        (void) fputc('\n', f);
        return 0;
}

/* How many of its target servers answer, and the others below. */
static int event_targets(Render *r, const cJSON *e, FILE *f, Usec now)
{
        double checked = json_number(e, "checked", 0), answered = json_number(e, "answered", 0);
        const cJSON *one;
        line_erase(r, f);
        colour_begin(r, f, answered >= checked ? COLOUR_GOOD : COLOUR_BAD);
        (void) fputs("targets", f);
        colour_end(r, f, answered >= checked ? COLOUR_GOOD : COLOUR_BAD);
        (void) fputc(' ', f);
        put_clean(f, json_text(e, "point"));
        (void) fprintf(f, ": %.0f of %.0f answer\n", answered, checked);
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(e, "silent"))
        {
                (void) fputs("  ", f);
                put_clean(f, json_text(one, "target"));
                (void) fputs(": ", f);
                put_clean(f, json_text(one, "text"));
                (void) fputc('\n', f);
        }
        return line_draw(r, f, now);
}

/* How a hook ended, and what it printed below. */
static int event_hook(Render *r, const cJSON *e, FILE *f, Usec now)
{
        bool good = json_number(e, "exit", -1) == 0;
        const char *path = json_text(e, "hook"), *slash = strrchr(path, '/');
        line_erase(r, f);
        colour_begin(r, f, good ? COLOUR_GOOD : COLOUR_BAD);
        (void) fputs("hook", f);
        colour_end(r, f, good ? COLOUR_GOOD : COLOUR_BAD);
        (void) fputc(' ', f);
        put_clean(f, json_text(e, "point"));
        put_clean(f, slash ? slash : path);
        (void) fputs(": ", f);
        if (good)
                (void) fputs("ok", f);
        else if (json_number(e, "exit", -1) > 0)
                (void) fprintf(f, "exit status %.0f", json_number(e, "exit", -1));
        else
                put_clean(f, json_text(e, "text"));
        (void) fputs(", ", f);
        put_seconds(f, json_number(e, "elapsed", 0));
        (void) fputc('\n', f);
        for (const char *p = json_text(e, "output"); *p;) {
                size_t len = strcspn(p, "\n");
                _cleanup_(freep) char *line = strndup(p, len);
                if (!line)
                        return -ENOMEM;
                (void) fputs("  ", f);
                put_clean(f, line);
                (void) fputc('\n', f);
                p += len + (p[len] == '\n');
        }
        return line_draw(r, f, now);
}

/* One line for a thing that was looked at, and one for what to do about it. */
static int event_finding(Render *r, const cJSON *e, FILE *f, Usec now)
{
        const char *state = json_text(e, "state"), *hint = json_text(e, "hint");
        Colour colour = strcmp(state, "ok") == 0        ? COLOUR_GOOD
                        : strcmp(state, "warning") == 0 ? COLOUR_WARN
                                                        : COLOUR_BAD;
        _cleanup_(freep) char *head = NULL;
        line_erase(r, f);
        if (asprintf(&head, "%-8.20s", state) < 0)
                return -ENOMEM;
        colour_begin(r, f, colour);
        put_clean(f, head);
        colour_end(r, f, colour);
        (void) fputc(' ', f);
        _cleanup_(freep) char *about = NULL;
        if (asprintf(&about, "%-11.30s", json_text(e, "about")) < 0)
                return -ENOMEM;
        put_clean(f, about);
        (void) fputc(' ', f);
        put_wrapped(f, json_text(e, "text"), 21, 21, r->mode.width);
        (void) fputc('\n', f);
        if (*hint) {
                (void) fputs("                     what to do: ", f);
                put_wrapped(f, hint, 33, 23, r->mode.width);
                (void) fputc('\n', f);
        }
        return line_draw(r, f, now);
}

static int event_progress(Render *r, const cJSON *e, FILE *f, Usec now)
{
        (void) event_phase(e, r->phase, sizeof(r->phase));
        (void) snprintf(r->awaited, sizeof(r->awaited), "%s", json_text(e, "text"));
        /* null: others end it, and no clock of its own. */
        r->limit = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(e, "limit"))
                           ? -1
                           : json_number(e, "limit", r->limit);
        r->elapsed = json_number(e, "elapsed", r->elapsed);
        r->elapsed_at = now;
        if (r->mode.live)
                return line_draw(r, f, now);
        if (time_left(now, r->plain_at) < PLAIN_PROGRESS_USEC)
                return 0;
        r->plain_at = now;

        _cleanup_(freep) char *head = NULL;
        size_t size = 0;
        FILE *h = text_open(&head, &size);
        if (!h)
                return -ENOMEM;
        put_head(h, r->phase, r->elapsed);
        if (r->limit >= 0) {
                (void) fputs(" of ", h);
                put_limit(h, r->limit);
        }
        if (text_close(h, &head) < 0)
                return -ENOMEM;
        put_clean(f, head);
        (void) fputs("  ", f);
        put_clean(f, r->awaited);
        (void) fputc('\n', f);
        return 0;
}

static int event_warning(Render *r, const cJSON *e, FILE *f, Usec now)
{
        line_erase(r, f);
        colour_begin(r, f, COLOUR_WARN);
        (void) fputs("warning", f);
        colour_end(r, f, COLOUR_WARN);
        (void) fputs(": ", f);
        if (*json_text(e, "component")) {
                put_clean(f, json_text(e, "component"));
                (void) fputs(": ", f);
        }
        put_clean(f, json_text(e, "text"));
        (void) fputc('\n', f);
        return line_draw(r, f, now);
}

/* Why a restart is made although it was to be made only if needed; one that is not says so in its result. */
static int event_needed(Render *r, const cJSON *e, FILE *f, Usec now)
{
        if (strcmp(json_text(e, "needed"), "no") == 0)
                return 0;
        line_erase(r, f);
        put_clean(f, json_text(e, "component"));
        (void) fputs(": ", f);
        put_clean(f, json_text(e, "text"));
        (void) fputc('\n', f);
        return line_draw(r, f, now);
}

static void put_phases(const Render *r, const cJSON *e, FILE *f)
{
        const cJSON *phases = cJSON_GetObjectItemCaseSensitive(e, "phases"), *p;
        bool first = true;
        cJSON_ArrayForEach(p, phases)
        {
                const char *name = json_text(p, "phase");
                double elapsed = json_number(p, "elapsed", 0);
                if (!*name)
                        continue;
                if (r->mode.verbose) {
                        char time[32];
                        (void) snprintf(time, sizeof(time), elapsed < 1 ? "%.2f s" : "%.1f s", elapsed);
                        (void) fputs("  ", f);
                        put_clean(f, name);
                        (void) fprintf(f, "%*s %8s  ", MAX(0, 11 - (int) strlen(name)), "", time);
                        put_clean(f, json_text(p, "evidence"));
                        (void) fputc('\n', f);
                } else {
                        (void) fputs(first ? "  time: " : ", ", f);
                        put_clean(f, name);
                        (void) fputc(' ', f);
                        put_seconds(f, elapsed);
                }
                first = false;
        }
        if (!first && !r->mode.verbose)
                (void) fputc('\n', f);
}

static int result_exit(const cJSON *e)
{
        Result result = result_from_name(json_text(e, "result"));
        if (result >= 0)
                return result_exit_code(result);
        /* A result that only a newer agent knows brings its number along. */
        double code = json_number(e, "exit", 1);
        return code >= 1 && code <= 125 ? (int) code : 1;
}

/* What kept other nodes of the pool from going out meanwhile; a job that takes nothing out needs nothing. */
static void put_protection(const cJSON *e, FILE *f)
{
        const char *text = json_text(e, "lock_text");
        bool open = strcmp(json_text(e, "protection"), "unprotected") == 0;
        if (open && (*text || !cJSON_HasObjectItem(e, "lock_text")))
                (void) fputs(
                        "  unprotected: no lock kept another node of the pool from going out meanwhile\n", f);
        else if (*text) {
                (void) fputs("  protected by ", f);
                put_clean(f, text);
                (void) fputc('\n', f);
        }
}

static int event_result(Render *r, const cJSON *e, FILE *f)
{
        const char *component = json_text(e, "component"), *kind = json_text(e, "kind");
        double elapsed = json_number(e, "elapsed", -1);

        r->phase[0] = '\0';
        line_erase(r, f);
        Colour colour = r->exit_code == 0 ? COLOUR_GOOD : COLOUR_BAD;
        colour_begin(r, f, colour);
        put_clean(f, *component ? component : "edge-roll");
        (void) fputs(": ", f);
        put_clean(f, kind);
        (void) fputs(*kind ? " " : "", f);
        put_clean(f, json_text(e, "result"));
        colour_end(r, f, colour);
        if (elapsed >= 0) {
                (void) fputs(", ", f);
                put_seconds(f, elapsed);
        }
        if (r->exit_code != 0)
                (void) fprintf(f, " (exit %d)", r->exit_code);
        (void) fputc('\n', f);
        if (*json_text(e, "reason")) {
                (void) fputs("  ", f);
                put_clean(f, json_text(e, "reason"));
                (void) fputc('\n', f);
        }
        if (*json_text(e, "hint")) {
                (void) fputs("  what to do: ", f);
                put_clean(f, json_text(e, "hint"));
                (void) fputc('\n', f);
        }
        if (strcmp(json_text(e, "result"), result_name(RESULT_NOT_NEEDED)) != 0)
                put_protection(e, f);
        uint64_t by_age = json_count(cJSON_GetObjectItemCaseSensitive(e, "drained"), "idle_by_age_only");
        if (by_age > 0)
                (void) fprintf(f, "  %" PRIu64 " connections counted as idle by their age alone\n", by_age);
        if (!r->findings || r->mode.verbose)
                put_phases(r, e, f);
        const cJSON *partner = cJSON_GetObjectItemCaseSensitive(e, "partner");
        if (cJSON_IsObject(partner)) {
                (void) fputs("  ", f);
                put_clean(f, json_text(partner, "component"));
                (void) fputc(' ', f);
                put_clean(f, json_text(partner, "result"));
                (void) fputc('\n', f);
                put_phases(r, partner, f);
        }
        return 0;
}

static int event_text(Render *r, const cJSON *e, FILE *f, Usec now)
{
        const char *event = json_text(e, "event"), *state = json_text(e, "state");
        if (strcmp(event, "job") == 0)
                return event_job(r, e, f);
        if (strcmp(event, "phase") == 0 && strcmp(state, "begin") == 0)
                return event_begin(r, e, f, now);
        if (strcmp(event, "phase") == 0 && strcmp(state, "end") == 0)
                return event_end(r, e, f);
        if (strcmp(event, "progress") == 0)
                return event_progress(r, e, f, now);
        if (strcmp(event, "warning") == 0)
                return event_warning(r, e, f, now);
        if (strcmp(event, "needed") == 0)
                return event_needed(r, e, f, now);
        if (strcmp(event, "hook") == 0)
                return event_hook(r, e, f, now);
        if (strcmp(event, "targets") == 0)
                return event_targets(r, e, f, now);
        if (strcmp(event, "finding") == 0)
                return event_finding(r, e, f, now);
        if (strcmp(event, "result") == 0)
                return event_result(r, e, f);
        return 0;
}

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
                r->exit_code = result_exit(e);
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
                n = event_text(r, e, f, now);
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
                line_erase(r, f);
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
        int n = line_draw(r, f, now);
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

/* Answers. */

static int answer_parse(const char *json, cJSON **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        if (!cJSON_IsObject(o))
                return err_set(err, -EBADMSG, "the agent answered something that is no JSON object: %.80s",
                               json);
        *ret = TAKE_PTR(o);
        return 0;
}

static bool same_component(const cJSON *item, const char *key, const char *component)
{
        return !component || strcmp(json_text(item, key), component) == 0;
}

static void status_job(const cJSON *job, FILE *f)
{
        if (!cJSON_IsObject(job)) {
                (void) fputs("no job is running\n", f);
                return;
        }
        (void) fprintf(f, "job %.0f: ", json_number(job, "id", 0));
        put_clean(f, json_text(job, "kind"));
        (void) fputs(" of ", f);
        put_clean(f, json_text(job, "component"));
        if (*json_text(job, "by")) {
                (void) fputs(", asked for by ", f);
                put_clean(f, json_text(job, "by"));
        }
        if (*json_text(job, "reason")) {
                (void) fputs(" (", f);
                put_clean(f, json_text(job, "reason"));
                (void) fputc(')', f);
        }
        (void) fputs("\n  in phase ", f);
        put_clean(f, json_text(job, "phase"));
        if (json_number(job, "elapsed", -1) >= 0) {
                (void) fputs(", ", f);
                put_seconds(f, json_number(job, "elapsed", 0));
                (void) fputs(" since it began", f);
        }
        if (*json_text(job, "awaiting")) {
                (void) fputs("; awaiting: ", f);
                put_clean(f, json_text(job, "awaiting"));
        }
        (void) fputs("\n  edge-roll watch follows it, edge-roll cancel undoes it\n", f);
}

static void status_foreign(const cJSON *rules, FILE *f)
{
        const cJSON *rule;

        cJSON_ArrayForEach(rule, rules)
        {
                (void) fputs("  a rule of somebody else refuses that port: ", f);
                put_clean(f, json_text(rule, "rule"));
                (void) fputs("\n  ", f);
                put_clean(f, json_text(rule, "delete"));
                (void) fputs(" deletes it\n", f);
        }
}

/* Who has the right to take it out of traffic. */
static void put_lease(const cJSON *lease, FILE *f)
{
        if (!cJSON_IsObject(lease))
                return;
        (void) fputs("  leased by the roll ", f);
        put_clean(f, json_text(lease, "holder"));
        (void) fputs(", by ", f);
        put_clean(f, json_text(lease, "by"));
        (void) fputs(", since ", f);
        put_clean(f, json_text(lease, "since"));
        (void) fprintf(f, ", for %.0f s more unless it is renewed\n", json_number(lease, "left", 0));
}

/* One component; true when it is held. */
static bool status_component(const cJSON *c, FILE *f)
{
        const cJSON *hold = cJSON_GetObjectItemCaseSensitive(c, "hold");
        const cJSON *running = cJSON_GetObjectItemCaseSensitive(c, "running");
        const char *blocked = json_text(c, "blocked"), *unit = json_text(c, "unit");
        double port = json_number(c, "health_port", 0);
        bool held = strncmp(blocked, "hold", strlen("hold")) == 0 || cJSON_IsObject(hold);
        bool open = held && strcmp(blocked, "hold-missing") == 0;
        char when[64];

        put_clean(f, json_text(c, "name"));
        (void) fputs(held ? ": HELD, " : ": ", f);
        (void) fputs(cJSON_IsTrue(running)    ? "running"
                     : cJSON_IsFalse(running) ? "not running"
                                              : "not known whether it runs",
                     f);
        if (*unit) {
                (void) fputs(" in ", f);
                put_clean(f, unit);
        }
        if (port > 0)
                (void) fprintf(f, ", health port %.0f", port);
        if (*blocked) {
                (void) fputs(port > 0 ? " " : ", ", f);
                (void) fputs(strcmp(blocked, "no") == 0        ? "open"
                             : strcmp(blocked, "hold") == 0    ? "blocked by the hold"
                             : strcmp(blocked, "job") == 0     ? "in the hands of the job"
                             : strcmp(blocked, "unknown") == 0 ? "not known whether it is blocked"
                             : strcmp(blocked, "leftover") == 0
                                     ? "REFUSED by the table inet edge_roll, which no job uses"
                                     : "open ALTHOUGH it is held",
                             f);
        }
        if (*json_text(c, "monit")) {
                (void) fputs(", monit: ", f);
                put_clean(f, json_text(c, "monit"));
        }
        if (json_count(c, "refused") > 0)
                (void) fprintf(f, ", %" PRIu64 " refused", json_count(c, "refused"));
        (void) fputc('\n', f);
        put_lease(cJSON_GetObjectItemCaseSensitive(c, "lease"), f);
        if (*json_text(c, "error")) {
                (void) fputs("  ", f);
                put_clean(f, json_text(c, "error"));
                (void) fputc('\n', f);
        }
        if (open)
                (void) fputs("  its record is there, its firewall table is not: systemctl reload-or-restart "
                             "edge-roll-hold puts it up\n",
                             f);
        if (strcmp(blocked, "leftover") == 0)
                (void) fputs(
                        "  an agent that was killed has left it, the next job replaces it; nft delete table "
                        "inet edge_roll opens now\n",
                        f);
        status_foreign(cJSON_GetObjectItemCaseSensitive(c, "foreign_rules"), f);
        if (!held)
                return false;
        if (cJSON_IsObject(hold)) {
                (void) fputs("  held", f);
                if (*json_time(hold, "since", when, sizeof(when))) {
                        (void) fputs(" since ", f);
                        put_clean(f, when);
                }
                if (*json_time(hold, "until", when, sizeof(when))) {
                        (void) fputs(" until ", f);
                        put_clean(f, when);
                }
                if (*json_text(hold, "by")) {
                        (void) fputs(" by ", f);
                        put_clean(f, json_text(hold, "by"));
                }
                (void) fputs(": ", f);
                put_clean(f, *json_text(hold, "reason") ? json_text(hold, "reason") : "no reason given");
                (void) fputc('\n', f);
        }
        (void) fputs("  edge-roll undrain ", f);
        put_clean(f, json_text(c, "name"));
        (void) fputs(" lets traffic in again\n", f);
        return true;
}

static void status_last(const cJSON *last, FILE *f)
{
        char when[64];
        (void) fputs("last: ", f);
        put_clean(f, json_text(last, "component"));
        if (*json_text(last, "kind")) {
                (void) fputc(' ', f);
                put_clean(f, json_text(last, "kind"));
        }
        (void) fputc(' ', f);
        put_clean(f, json_text(last, "result"));
        if (json_number(last, "elapsed", -1) >= 0) {
                (void) fputs(", ", f);
                put_seconds(f, json_number(last, "elapsed", 0));
        }
        if (*json_time(last, "time", when, sizeof(when))) {
                (void) fputs(", ", f);
                put_clean(f, when);
        }
        if (*json_text(last, "reason")) {
                (void) fputs(": ", f);
                put_clean(f, json_text(last, "reason"));
        }
        (void) fputc('\n', f);
        if (*json_text(last, "hint") && strcmp(json_text(last, "result"), "done") != 0) {
                (void) fputs("  what to do: ", f);
                put_clean(f, json_text(last, "hint"));
                (void) fputc('\n', f);
        }
}

int render_status(const char *json, const char *component, char **ret, bool *ret_held, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        int n = answer_parse(json, &o, err);
        if (n < 0)
                return n;
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return err_errno(err, -ENOMEM, "display");

        const cJSON *item, *agent = cJSON_GetObjectItemCaseSensitive(o, "agent");
        const cJSON *table = cJSON_GetObjectItemCaseSensitive(o, "table");
        bool held = false;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "components"))
        {
                if (same_component(item, "name", component))
                        held = status_component(item, f) || held;
        }
        /* A hold table without a record is a block all the same. */
        if (!component && !held && json_true(table, "hold")) {
                held = true;
                (void) fputs(
                        "HELD: the firewall has the table edge_roll_hold, but no component is known to be "
                        "held\n  systemctl stop edge-roll-hold removes it\n",
                        f);
        }
        item = cJSON_GetObjectItemCaseSensitive(o, "job");
        if (!cJSON_IsObject(item) || same_component(item, "component", component))
                status_job(item, f);
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "tickets"))
        {
                if (same_component(item, "component", component))
                        render_ticket(item, f);
        }
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "last"))
        {
                if (same_component(item, "component", component))
                        status_last(item, f);
        }
        if (*json_text(o, "notice")) {
                (void) fputs("notice: ", f);
                put_clean(f, json_text(o, "notice"));
                (void) fputc('\n', f);
        }
        (void) fputs("agent: version ", f);
        put_clean(f, json_text(agent, "version"));
        (void) fprintf(f, ", process %.0f\n", json_number(agent, "pid", 0));
        if (text_close(f, &out) < 0) {
                free(out);
                return err_errno(err, -ENOMEM, "display");
        }
        *ret = out;
        *ret_held = held;
        return 0;
}

int render_components(const char *json, char (*ret)[64], int max)
{
        _cleanup_(json_closep) cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        const cJSON *c;
        int n = 0;
        cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(o, "components"))
        {
                if (n < max && *json_text(c, "name"))
                        (void) snprintf(ret[n++], 64, "%s", json_text(c, "name"));
        }
        return n;
}

bool render_running(const char *json)
{
        _cleanup_(json_closep) cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        return json_true(o, "running");
}

int render_last(const char *json, const char *component, Usec since_wall_usec, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        int n = answer_parse(json, &o, err);
        if (n < 0)
                return n;
        const cJSON *item, *found = NULL;
        char since[64] = "", when[64], newest[64] = "";
        if (since_wall_usec)
                (void) time_stamp(since_wall_usec, since, sizeof(since));
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "last"))
        {
                /* Stamps are in UTC and of one form, so that their order is that of their text. */
                (void) json_time(item, "time", when, sizeof(when));
                if (!same_component(item, "component", component) || strcmp(when, since) < 0 ||
                    strcmp(when, newest) < 0)
                        continue;
                found = item;
                (void) snprintf(newest, sizeof(newest), "%s", when);
        }
        if (!found) {
                *ret = NULL;
                return 0;
        }
        _cleanup_(json_closep) cJSON *e = cJSON_Duplicate(found, true);
        if (!e)
                return err_errno(err, -ENOMEM, "display");
        cJSON_DeleteItemFromObjectCaseSensitive(e, "event");
        if (!cJSON_AddStringToObject(e, "event", "result"))
                return err_errno(err, -ENOMEM, "display");
        if (!cJSON_HasObjectItem(e, "exit") && !cJSON_AddNumberToObject(e, "exit", result_exit(found)))
                return err_errno(err, -ENOMEM, "display");
        *ret = cJSON_PrintUnformatted(e);
        return *ret ? 0 : err_errno(err, -ENOMEM, "display");
}

static void fact_value(const cJSON *item, FILE *f)
{
        const cJSON *part;
        bool first = true;
        if (cJSON_IsString(item))
                put_clean(f, *item->valuestring ? item->valuestring : "-");
        else if (cJSON_IsBool(item))
                (void) fputs(cJSON_IsTrue(item) ? "yes" : "no", f);
        else if (cJSON_IsNumber(item))
                (void) fprintf(f, "%.15g", item->valuedouble);
        else if (cJSON_IsArray(item)) {
                cJSON_ArrayForEach(part, item)
                {
                        (void) fputs(first ? "" : " ", f);
                        fact_value(part, f);
                        first = false;
                }
                if (first)
                        (void) fputs("none", f);
        } else if (cJSON_IsObject(item)) {
                cJSON_ArrayForEach(part, item)
                {
                        (void) fputs(first ? "" : ", ", f);
                        put_clean(f, part->string);
                        (void) fputc('=', f);
                        fact_value(part, f);
                        first = false;
                }
        } else
                (void) fputs("not known", f);
}

static bool is_from_key(const cJSON *object, const char *key)
{
        char stem[64];
        size_t len = strlen(key);
        if (len <= 5 || len >= sizeof(stem) || strcmp(key + len - 5, "_from") != 0)
                return false;
        (void) snprintf(stem, sizeof(stem), "%.*s", (int) (len - 5), key);
        return cJSON_GetObjectItemCaseSensitive(object, stem) != NULL;
}

int render_facts(const char *json, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        int n = answer_parse(json, &o, err);
        if (n < 0)
                return n;
        char *out = NULL;
        size_t size = 0;
        FILE *f = text_open(&out, &size);
        if (!f)
                return err_errno(err, -ENOMEM, "display");

        const cJSON *item;
        int widest = 0;
        cJSON_ArrayForEach(item, o) if (!is_from_key(o, item->string)) widest =
                MAX(widest, (int) strlen(item->string));
        widest = MIN(widest, 24);
        cJSON_ArrayForEach(item, o)
        {
                char from[64];
                if (is_from_key(o, item->string))
                        continue;
                (void) snprintf(from, sizeof(from), "%.50s_from", item->string);
                char name[128];
                (void) snprintf(name, sizeof(name), "%s", item->string);
                for (char *p = name; *p; p++)
                        if (*p == '_')
                                *p = ' ';
                put_clean(f, name);
                (void) fprintf(f, "%*s  ", MAX(0, widest - (int) strlen(name)), "");
                fact_value(item, f);
                if (*json_text(o, from)) {
                        (void) fputs("  (from ", f);
                        put_clean(f, json_text(o, from));
                        (void) fputc(')', f);
                }
                (void) fputc('\n', f);
        }
        if (text_close(f, &out) < 0) {
                free(out);
                return err_errno(err, -ENOMEM, "display");
        }
        *ret = out;
        return 0;
}
