/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by render.c, render-event.c and render-status.c, and nobody else. */

#include <cjson/cJSON.h>

#include "agent/put.h"
#include "agent/render.h"

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

/* --- render.c --- */

/* render_put_limit() - "30 s". render_put_head() - the start of a phase's line: name and time, in columns. */
void render_put_limit(FILE *f, double seconds);
void render_put_head(FILE *f, const char *phase, double seconds);

/* render_colour_begin(), render_colour_end() - around what has a colour where there are any. */
void render_colour_begin(const Render *r, FILE *f, Colour colour);
void render_colour_end(const Render *r, FILE *f, Colour colour);

/* render_line_erase() - the live line goes from the screen, if it is there. render_line_draw() - it is drawn
 * anew; nothing where there is none. Return: 0; -ENOMEM. */
void render_line_erase(Render *r, FILE *f);
int render_line_draw(Render *r, FILE *f, Usec now) _must_check_;

/* --- render-event.c --- */

/* render_event_text() - @e for people; nothing for one that is not known. Return: 0; -ENOMEM. */
int render_event_text(Render *r, const cJSON *e, FILE *f, Usec now) _must_check_;

/* render_result_exit() - the exit code of the result @e, also of one that only a newer agent knows. */
int render_result_exit(const cJSON *e);
