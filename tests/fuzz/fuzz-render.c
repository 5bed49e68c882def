/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an agent tells the client of this machine: events of a job, and the answers that are shown. */

#include "agent/render.h"
#include "tests/fuzz/fuzz.h"

static void shown(int r, char *text)
{
        if (r == 0 && text)
                fuzz_check(fuzz_is_clean(text, "\n\r\033"));
        free(text);
}

static void events(const RenderMode *mode, Fuzz f)
{
        _cleanup_(render_freep) Render *render = NULL;
        Usec now = USEC_PER_SEC;
        Err err = { 0 };

        if (render_new(&render, mode) < 0)
                return;
        while (f.left > 0) {
                _cleanup_(freep) char *json = fuzz_text(&f, NULL);
                char *text = NULL;
                int r = render_event(render, json, now, &text, &err);
                if (mode->json)
                        free(text);
                else if (mode->live)
                        shown(r, text);
                else {
                        fuzz_check(r < 0 || fuzz_is_clean(text, "\n"));
                        free(text);
                }
                text = NULL;
                now += 4 * USEC_PER_SEC;
                r = render_tick(render, now, &text);
                shown(r, text);
        }
        fuzz_check(render_exit(render) >= -1);
        (void) render_component(render);
        (void) render_job(render);
}

static void answers(const char *json)
{
        char names[4][64], *text = NULL;
        bool held;
        int code, r;
        Err err = { 0 };

        int n = render_components(json, names, 4);
        fuzz_check(n >= 0 && n <= 4);
        (void) render_running(json);
        r = render_status(json, NULL, &text, &held, &err);
        shown(r, text);
        text = NULL;
        /* This and Needed are JSON, for render_event(). */
        fuzz_any(render_last(json, "router", 0, &text, &err));
        free(text);
        text = NULL;
        r = render_facts(json, &text, &err);
        shown(r, text);
        text = NULL;
        fuzz_any(render_needed(json, &text, &code, &err));
        free(text);
        text = NULL;
        r = render_lock(json, &text, &err);
        shown(r, text);
        text = NULL;
        r = render_request(json, &text, &err);
        shown(r, text);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        uint8_t mode = fuzz_byte(&f);
        const RenderMode modes = { .json = (mode & 3) == 1,
                                   .live = (mode & 3) == 2,
                                   .verbose = mode & 4,
                                   .width = mode & 8 ? 20 : 0 };
        _cleanup_(freep) char *json = NULL;

        events(&modes, f);
        json = fuzz_text(&f, NULL);
        answers(json);
}
