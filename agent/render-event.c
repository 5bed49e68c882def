/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The events of a job for people, each in its own way. */

#include "agent/render-impl.h"

#include <string.h>

#include "base/result.h"
#include "base/text.h"
#include "probes/json.h"

#define PLAIN_PROGRESS_USEC (10 * USEC_PER_SEC)

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
        render_line_erase(r, f);
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
                return render_line_draw(r, f, now);
        char name[32];
        (void) snprintf(name, sizeof(name), "%.31s", r->phase);
        _cleanup_(freep) char *padded = NULL;
        if (asprintf(&padded, "%-11s", name) < 0)
                return -ENOMEM;
        put_clean(f, padded);
        (void) fputs(" begins", f);
        if (r->limit >= 0) {
                (void) fputs(", limit ", f);
                render_put_limit(f, r->limit);
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
                render_line_erase(r, f);
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
        render_put_head(h, event_phase(e, name, sizeof(name)), json_number(e, "elapsed", 0));
        if (text_close(h, &head) < 0)
                return -ENOMEM;
        render_line_erase(r, f);
        render_colour_begin(r, f, colour);
        put_clean(f, head);
        render_colour_end(r, f, colour);
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
        render_line_erase(r, f);
        render_colour_begin(r, f, answered >= checked ? COLOUR_GOOD : COLOUR_BAD);
        (void) fputs("targets", f);
        render_colour_end(r, f, answered >= checked ? COLOUR_GOOD : COLOUR_BAD);
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
        return render_line_draw(r, f, now);
}

/* How a hook ended, and what it printed below. */
static int event_hook(Render *r, const cJSON *e, FILE *f, Usec now)
{
        bool good = json_number(e, "exit", -1) == 0;
        const char *path = json_text(e, "hook"), *slash = strrchr(path, '/');
        render_line_erase(r, f);
        render_colour_begin(r, f, good ? COLOUR_GOOD : COLOUR_BAD);
        (void) fputs("hook", f);
        render_colour_end(r, f, good ? COLOUR_GOOD : COLOUR_BAD);
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
        return render_line_draw(r, f, now);
}

/* One line for a thing that was looked at, and one for what to do about it. */
static int event_finding(Render *r, const cJSON *e, FILE *f, Usec now)
{
        const char *state = json_text(e, "state"), *hint = json_text(e, "hint");
        Colour colour = strcmp(state, "ok") == 0        ? COLOUR_GOOD
                        : strcmp(state, "warning") == 0 ? COLOUR_WARN
                                                        : COLOUR_BAD;
        _cleanup_(freep) char *head = NULL;
        render_line_erase(r, f);
        if (asprintf(&head, "%-8.20s", state) < 0)
                return -ENOMEM;
        render_colour_begin(r, f, colour);
        put_clean(f, head);
        render_colour_end(r, f, colour);
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
        return render_line_draw(r, f, now);
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
                return render_line_draw(r, f, now);
        if (time_left(now, r->plain_at) < PLAIN_PROGRESS_USEC)
                return 0;
        r->plain_at = now;

        _cleanup_(freep) char *head = NULL;
        size_t size = 0;
        FILE *h = text_open(&head, &size);
        if (!h)
                return -ENOMEM;
        render_put_head(h, r->phase, r->elapsed);
        if (r->limit >= 0) {
                (void) fputs(" of ", h);
                render_put_limit(h, r->limit);
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
        render_line_erase(r, f);
        render_colour_begin(r, f, COLOUR_WARN);
        (void) fputs("warning", f);
        render_colour_end(r, f, COLOUR_WARN);
        (void) fputs(": ", f);
        if (*json_text(e, "component")) {
                put_clean(f, json_text(e, "component"));
                (void) fputs(": ", f);
        }
        put_clean(f, json_text(e, "text"));
        (void) fputc('\n', f);
        return render_line_draw(r, f, now);
}

/* Why a restart is made although it was to be made only if needed; one that is not says so in its result. */
static int event_needed(Render *r, const cJSON *e, FILE *f, Usec now)
{
        if (strcmp(json_text(e, "needed"), "no") == 0)
                return 0;
        render_line_erase(r, f);
        put_clean(f, json_text(e, "component"));
        (void) fputs(": ", f);
        put_clean(f, json_text(e, "text"));
        (void) fputc('\n', f);
        return render_line_draw(r, f, now);
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

int render_result_exit(const cJSON *e)
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
        render_line_erase(r, f);
        Colour colour = r->exit_code == 0 ? COLOUR_GOOD : COLOUR_BAD;
        render_colour_begin(r, f, colour);
        put_clean(f, *component ? component : "edge-roll");
        (void) fputs(": ", f);
        put_clean(f, kind);
        (void) fputs(*kind ? " " : "", f);
        put_clean(f, json_text(e, "result"));
        render_colour_end(r, f, colour);
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

int render_event_text(Render *r, const cJSON *e, FILE *f, Usec now)
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
