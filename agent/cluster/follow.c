/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/follow.h"
#include "probes/json.h"

#include <errno.h>
#include <string.h>

#define RETRY_USEC     (100 * USEC_PER_MSEC) /* first pause before asking again */
#define RETRY_MAX_USEC (2 * USEC_PER_SEC)
#define POLL_USEC      (5 * USEC_PER_SEC) /* a last signal that was left out is missed by nobody else */

typedef enum FollowState {
        FOLLOW_AWAY,   /* no link; up() goes on */
        FOLLOW_PAUSE,  /* timer: ask again */
        FOLLOW_ASKING, /* a call is under way */
        FOLLOW_LIVE,   /* signals come; timer: see that none is missing */
        FOLLOW_OVER,
} FollowState;

struct Follow {
        Remote *remote;
        RemoteWatch *watch;
        RemoteCall *call;
        sd_event_source *timer;
        FollowState state;
        char *component, *roll;
        uint64_t step;
        char path[160]; /* "": to be asked for */
        char *first;    /* the job's first event: which process tells it */
        uint64_t next;  /* the number of the next event to tell */
        bool anew;      /* fetch from 0: the process may be another one */
        Usec pause;
        FollowHandlers h;
        void *userdata;
        bool telling; /* a handler is on the stack: the memory stays */
        bool doomed;
};

static void follow_look(Follow *f);

static bool event_is(const cJSON *o, const char *what)
{
        const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "event"));
        return event && strcmp(event, what) == 0;
}

/* Steps are small numbers; a double holds them exactly. */
static bool is_ours(const Follow *f, const cJSON *o)
{
        const char *roll = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "roll"));
        const cJSON *step = cJSON_GetObjectItemCaseSensitive(o, "step");
        return roll && strcmp(roll, f->roll) == 0 && cJSON_IsNumber(step) &&
               step->valuedouble == (double) f->step;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata);

static void timer_set(Follow *f, Usec usec)
{
        Usec at = time_add(time_now(), usec);
        (void) sd_event_source_set_time(f->timer, at);
        (void) sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

static void follow_again(Follow *f);

static void follow_live(Follow *f)
{
        /* Another agent has come while this one was asked. */
        if (!*f->path) {
                f->anew = true;
                follow_again(f);
                return;
        }
        f->state = FOLLOW_LIVE;
        f->pause = RETRY_USEC;
        timer_set(f, POLL_USEC);
}

/* Asked in vain: again in a while, at the latest when the link is there again. */
static void follow_again(Follow *f)
{
        if (remote_state(f->remote) != REMOTE_UP) {
                f->state = FOLLOW_AWAY;
                (void) sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
                return;
        }
        f->state = FOLLOW_PAUSE;
        timer_set(f, f->pause);
        f->pause = MIN(2 * f->pause, RETRY_MAX_USEC);
}

static void follow_stop(Follow *f)
{
        f->state = FOLLOW_OVER;
        f->call = remote_call_cancel(f->call);
        f->watch = remote_watch_free(f->watch);
        (void) sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
}

static void follow_ended(Follow *f, const cJSON *result)
{
        follow_stop(f);
        if (f->h.ended)
                f->h.ended(result, f->userdata);
}

static void follow_lost(Follow *f)
{
        char text[300];
        (void) snprintf(text, sizeof(text),
                        "the agent knows no job of roll %.60s, step %" PRIu64
                        ", and has not written down how one ended",
                        f->roll, f->step);
        follow_stop(f);
        if (f->h.lost)
                f->h.lost(text, f->userdata);
}

static void follow_release(Follow *f)
{
        free(f->component);
        free(f->roll);
        free(f->first);
        free(f);
}

/* Tells one event. Return: false when that was the end, or the follow is gone: in both it is not touched any
 * more. */
static bool follow_tell(Follow *f, const char *json)
{
        cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        bool result = event_is(o, "result");

        f->telling = true;
        if (f->h.event)
                f->h.event(json, f->userdata);
        f->telling = false;
        if (f->doomed) {
                follow_release(f);
                cJSON_Delete(o);
                return false;
        }
        if (result)
                follow_ended(f, o);
        cJSON_Delete(o);
        return !result;
}

/* ---- what the agent has written down ---- */

static void on_status(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        Follow *f = userdata;
        const char *json;
        (void) name;
        (void) text;
        f->call = NULL;
        if (r < 0 || sd_bus_message_read(m, "s", &json) < 0) {
                follow_again(f);
                return;
        }
        cJSON *o = json_object(json, JSON_MESSAGE_MAX), *last = NULL, *item;
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "last"))
        {
                if (is_ours(f, item))
                        last = item;
        }
        /* Written down between our two questions, or begun since: one more look settles it. */
        const cJSON *job = cJSON_GetObjectItemCaseSensitive(o, "job");
        if (last)
                follow_ended(f, last);
        else if (!o || is_ours(f, job))
                follow_again(f);
        else
                follow_lost(f);
        cJSON_Delete(o);
}

static void follow_ask_last(Follow *f)
{
        Err err = { 0 };
        f->path[0] = '\0';
        f->state = FOLLOW_ASKING;
        if (remote_call(f->remote, &f->call, NULL, NULL, "Status", 0, on_status, f, &err, "") < 0)
                follow_again(f);
}

/* ---- its events ---- */

/* The first event says whose job it is. Return: false when it is another job. */
static bool first_event(Follow *f, const char *json)
{
        cJSON *o = json_object(json, JSON_MESSAGE_MAX);
        bool ours = event_is(o, "job") && is_ours(f, o);
        cJSON_Delete(o);
        char *copy = ours ? strdup(json) : NULL;
        if (!copy)
                return false;
        free(f->first);
        f->first = copy;
        return true;
}

/* Progress of long ago is left out, so only the number behind them all is known. */
static void on_events(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        Follow *f = userdata;
        uint64_t next;
        const char *json;
        (void) text;
        f->call = NULL;
        if (r == -EREMOTE && (strcmp(name, SD_BUS_ERROR_UNKNOWN_OBJECT) == 0 ||
                              strcmp(name, SD_BUS_ERROR_UNKNOWN_METHOD) == 0)) {
                f->path[0] = '\0';
                follow_again(f);
                return;
        }
        if (r < 0 || sd_bus_message_read(m, "t", &next) < 0 ||
            sd_bus_message_enter_container(m, 'a', "s") < 0) {
                follow_again(f);
                return;
        }
        /* Another process counts anew; only its first event tells for sure. */
        if (!f->anew && next < f->next) {
                f->anew = true;
                follow_look(f);
                return;
        }
        bool first = f->anew;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *kept = sd_bus_message_ref(m);
        for (; sd_bus_message_read(kept, "s", &json) > 0; first = false) {
                if (first && f->first && strcmp(f->first, json) == 0) {
                        /* The one that was heard before. */
                        f->anew = false;
                        follow_look(f);
                        return;
                }
                if (first && !first_event(f, json)) {
                        follow_ask_last(f);
                        return;
                }
                if (!follow_tell(f, json))
                        return;
        }
        if (first) {
                follow_again(f);
                return;
        }
        f->anew = false;
        f->next = next;
        follow_live(f);
}

static void follow_fetch(Follow *f)
{
        Err err = { 0 };
        f->state = FOLLOW_ASKING;
        if (remote_call(f->remote, &f->call, f->path, REMOTE_JOB_INTERFACE, "Events", 0, on_events, f, &err,
                        "t", f->anew ? (uint64_t) 0 : f->next) < 0)
                follow_again(f);
}

static void on_current(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        Follow *f = userdata;
        const char *path;
        (void) text;
        f->call = NULL;
        if (r == -EREMOTE && strcmp(name, REMOTE_ERROR "NoJob") == 0) {
                follow_ask_last(f);
                return;
        }
        if (r < 0 || sd_bus_message_read(m, "o", &path) < 0 || strlen(path) >= sizeof(f->path)) {
                follow_again(f);
                return;
        }
        (void) snprintf(f->path, sizeof(f->path), "%s", path);
        f->anew = true;
        follow_fetch(f);
}

/* Asks for what is missing. */
static void follow_look(Follow *f)
{
        Err err = { 0 };
        f->call = remote_call_cancel(f->call);
        if (*f->path) {
                follow_fetch(f);
                return;
        }
        f->state = FOLLOW_ASKING;
        if (remote_call(f->remote, &f->call, NULL, NULL, "CurrentJob", 0, on_current, f, &err, "s",
                        f->component) < 0)
                follow_again(f);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Follow *f = userdata;
        (void) s;
        (void) usec;
        if (f->state == FOLLOW_PAUSE || f->state == FOLLOW_LIVE)
                follow_look(f);
        return 0;
}

/* ---- from the remote ---- */

static void on_up(Remote *r, void *userdata)
{
        Follow *f = userdata;
        (void) r;
        f->path[0] = '\0';
        f->pause = RETRY_USEC;
        follow_look(f);
}

static void on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool will_retry,
                    void *userdata)
{
        Follow *f = userdata;
        (void) r;
        (void) trouble;
        (void) text;
        (void) hint;
        (void) will_retry;
        f->call = remote_call_cancel(f->call);
        f->state = FOLLOW_AWAY;
        (void) sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
}

static void on_signal(Remote *r, sd_bus_message *m, void *userdata)
{
        Follow *f = userdata;
        const char *path = sd_bus_message_get_path(m), *json;
        uint64_t seq;
        (void) r;
        if (sd_bus_message_is_signal(m, REMOTE_BRIDGE_INTERFACE, "Agent")) {
                /* The agent is another one, or none: the next one that is asked starts it. */
                f->path[0] = '\0';
                if (f->state == FOLLOW_LIVE || f->state == FOLLOW_PAUSE) {
                        f->pause = RETRY_USEC;
                        follow_again(f);
                }
                return;
        }
        /* What comes while a question is under way is in its answer, or fetched behind it. */
        if (f->state != FOLLOW_LIVE || !sd_bus_message_is_signal(m, REMOTE_JOB_INTERFACE, "Event") || !path ||
            strcmp(path, f->path) != 0)
                return;
        if (sd_bus_message_rewind(m, true) < 0 || sd_bus_message_read(m, "ts", &seq, &json) < 0)
                return;
        if (seq > f->next) {
                follow_look(f);
                return;
        }
        if (seq < f->next)
                return;
        f->next++;
        timer_set(f, POLL_USEC);
        (void) follow_tell(f, json);
}

int follow_new(Follow **ret, Remote *r, const char *component, const char *roll, uint64_t step,
               const FollowHandlers *handlers, void *userdata, Err *err)
{
        static const RemoteHandlers watch = { .up = on_up, .down = on_down, .signal = on_signal };
        _cleanup_(follow_freep) Follow *f = calloc(1, sizeof(*f));
        if (!f)
                return err_errno(err, -ENOMEM, "a job to follow");
        *f = (Follow){ .remote = r, .step = step, .anew = true, .pause = RETRY_USEC, .h = *handlers };
        f->userdata = userdata;
        f->component = strdup(component);
        f->roll = strdup(roll);
        int e = f->component && f->roll ? remote_watch(&f->watch, r, &watch, f) : -ENOMEM;
        if (e >= 0)
                e = sd_event_add_time(remote_event(r), &f->timer, CLOCK_MONOTONIC, time_now(), 0, on_timer,
                                      f);
        if (e < 0)
                return err_errno(err, e, "a job to follow");
        /* The timer asks, so that no handler comes from within here. */
        f->state = remote_state(r) == REMOTE_UP ? FOLLOW_PAUSE : FOLLOW_AWAY;
        *ret = TAKE_PTR(f);
        return 0;
}

Follow *follow_free(Follow *f)
{
        if (!f)
                return NULL;
        f->call = remote_call_cancel(f->call);
        f->watch = remote_watch_free(f->watch);
        f->timer = sd_event_source_unref(f->timer);
        f->doomed = true;
        if (!f->telling)
                follow_release(f);
        return NULL;
}
