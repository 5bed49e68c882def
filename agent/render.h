/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The events of a job (JSON, as they come over the bus) to what is written on standard output. Pure: no file,
 * no clock, no terminal; `now` is an argument and text is returned, so that every display is a unit test.
 *
 * Three ways: JSON (each object unchanged on a line of its own); live (the line of the current phase is drawn
 * again and again in place); plain (a line when a phase begins and ends, and progress every 10 s at most).
 * Whatever text the agent sends, control characters never reach the terminal.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/time.h"

typedef struct RenderMode {
        bool json;      /* before all others */
        bool live;      /* a terminal that can redraw a line; implies colour */
        bool verbose;   /* the result with the evidence of each phase */
        unsigned width; /* columns of the terminal; 0: not known (80) */
} RenderMode;

typedef struct Render Render;

int render_new(Render **ret, const RenderMode *mode) _must_check_;
Render *render_free(Render *r);
DEFINE_CLEANUP(Render, render_free);

/*
 * render_event() - take in one event.
 * @json: the object as text; unknown keys and unknown events are ignored (JSON: passed on).
 * @ret: what to write now, possibly ""; to be freed; written only on success.
 * Return: 0; -EBADMSG (not a JSON object with "event"); -ENOMEM.
 */
int render_event(Render *r, const char *json, Usec now, char **ret, Err *err) _must_check_;

/*
 * render_say() - a remark of the client itself (joined, the agent is gone, interrupted): a line, or with JSON
 * {"event":"client","text":...}. @ret: as render_event(). Return: 0; -ENOMEM.
 */
int render_say(Render *r, const char *text, char **ret) _must_check_;

/* render_tick() - live: draw the line of the current phase again; else "". Return: 0; -ENOMEM. */
int render_tick(Render *r, Usec now, char **ret) _must_check_;

/* render_clear() - live: take the line of the current phase away, before somebody else writes. As above. */
int render_clear(Render *r, char **ret) _must_check_;

/* render_width() - the terminal has another width now. */
void render_width(Render *r, unsigned width);

/* render_component(), render_job() - of the last job event; "" and 0 before it. */
const char *render_component(const Render *r);
uint64_t render_job(const Render *r);

/* render_components() - the names in the agent's Status(). @ret: @max of them. Return: how many; 0 also when
 * it is not understood. In render-status.c. */
int render_components(const char *json, char (*ret)[64], int max);

/* render_running() - does a Discover() say that the component runs? In render-status.c. */
bool render_running(const char *json);

/* render_again() - forget the job that was shown: another one follows. */
void render_again(Render *r);

/* render_exit() - the exit code of the result event; -1 while none has come. */
int render_exit(const Render *r);

/*
 * render_result_json() - the text of a result event, for results that come from no job.
 * @component: may be NULL. @hint: "" for none. @ret: to be freed. Return: 0; -ENOMEM.
 */
int render_result_json(const char *component, const char *kind, const char *result, int exit_code,
                       const char *reason, const char *hint, char **ret) _must_check_;

/*
 * render_status() - the answer of Status() for people.
 * @component: only that one; NULL: all. @ret: to be freed. @ret_held: something of it is held.
 * Return: 0; -EBADMSG (not the JSON of Status()); -ENOMEM. In render-status.c.
 */
int render_status(const char *json, const char *component, char **ret, bool *ret_held, Err *err) _must_check_;

/*
 * render_last() - how the last job of @component (NULL: of any) ended, as a result event, from the answer of
 * Status(). @since_wall_usec: only if it ended then or later (0: whenever).
 * @ret: to be freed; NULL when there is none (an answer). Return: 0; -EBADMSG; -ENOMEM. In render-status.c.
 */
int render_last(const char *json, const char *component, Usec since_wall_usec, char **ret,
                Err *err) _must_check_;

/* render_facts() - any JSON object as lines "key  value", for Discover(). Return: 0; -EBADMSG; -ENOMEM. In
 * render-status.c. */
int render_facts(const char *json, char **ret, Err *err) _must_check_;

/*
 * render_needed() - the answer of Needed() as a result event: not-needed, or done, which is "a restart would
 * be made". @ret: to be freed. @ret_exit: its exit code. Return: 0; -EBADMSG; -ENOMEM. In render-needed.c.
 */
int render_needed(const char *json, char **ret, int *ret_exit, Err *err) _must_check_;

/* render_lock(), render_request() - the answers of Lock() and Request(). @ret: to be freed. Return: 0;
 * -EBADMSG; -ENOMEM. In render-lock.c. */
int render_lock(const char *json, char **ret, Err *err) _must_check_;
int render_request(const char *json, char **ret, Err *err) _must_check_;

/* render_ticket() - one line of Status' "tickets". In render-lock.c. */
struct cJSON;
void render_ticket(const struct cJSON *ticket, FILE *f);
