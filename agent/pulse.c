/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pulse.h"

#include <string.h>

#include "agent/bus-api.h"
#include "agent/bus.h"
#include "agent/leases.h"
#include "agent/standing.h"

#define PULSE_LOOK_USEC (1 * USEC_PER_SEC)
#define PULSE_TELL_USEC (5 * USEC_PER_SEC)
#define PULSE_UP_USEC   (2 * USEC_PER_SEC) /* an answer that takes longer is none */

typedef struct Watched {
        Pulse *pulse;
        LeaseSlot *slot;
        bool current; /* somebody had the lease when it was looked at last */
        HttpCall *up;
        bool is_up;
        char up_text[320];
        char *told; /* what was told last, without the time left */
        Usec told_at;
} Watched;

struct Pulse {
        Agent *agent;
        sd_event_source *timer;
        Watched watched[2 * CONFIG_COMPONENTS];
        size_t n;
};

static Watched *pulse_watched(Pulse *p, LeaseSlot *slot)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->watched[i].slot == slot)
                        return &p->watched[i];
        if (p->n == ELEMENTS(p->watched))
                return NULL;
        p->watched[p->n] = (Watched){ .pulse = p, .slot = slot };
        return &p->watched[p->n++];
}

static void watched_tell(Watched *w)
{
        Agent *a = w->pulse->agent;
        const Component *c = config_component(agent_config(a), w->slot->component);
        Usec now = time_now(), boot = time_boot();
        bool due = !w->told || now - w->told_at >= PULSE_TELL_USEC;
        Standing s;

        if (!c)
                return;
        standing_look(agent_config(a), agent_conns(a), c, agent_busy(a), w->slot->health_port, true, &s);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddBoolToObject(o, "up", w->is_up);
        cJSON_AddBoolToObject(o, "running", s.running);
        cJSON_AddStringToObject(o, "blocked", s.blocked);
        cJSON_AddBoolToObject(o, "out", s.out);
        cJSON_AddStringToObject(o, "text", s.out ? s.out_reason : w->is_up ? "" : w->up_text);
        cJSON_AddNumberToObject(o, "epoch", (double) w->slot->lease.epoch);
        cJSON_AddBoolToObject(o, "leased", lease_current(&w->slot->lease, boot));
        char *state = cJSON_PrintUnformatted(o);
        cJSON_AddNumberToObject(o, "left", time_sec(lease_left(&w->slot->lease, boot)));
        if (state && (due || strcmp(state, w->told) != 0)) {
                _cleanup_(freep) char *text = cJSON_PrintUnformatted(o);
                /* A text that is no UTF-8 would end the connection. */
                if (text)
                        bus_clean(text);
                if (text)
                        bus_api_pulse(agent_bus(a), c->name, text);
                free(w->told);
                w->told = TAKE_PTR(state);
                w->told_at = now;
        }
        free(state);
        cJSON_Delete(o);
}

static void watched_on_up(const HttpResult *r, void *userdata)
{
        Watched *w = userdata;
        w->up = NULL;
        w->is_up = r->outcome == HTTP_ANSWER && r->status == 200 && edge_up_is_true(r->body, r->body_len);
        /* How long it took differs from one time to the next, and is no change. */
        if (r->outcome == HTTP_ANSWER)
                (void) snprintf(w->up_text, sizeof(w->up_text), "it says that it is not up (status %ld)",
                                r->status);
        else
                (void) snprintf(w->up_text, sizeof(w->up_text), "it does not say that it is up: %s",
                                http_outcome_name(r->outcome));
        watched_tell(w);
}

static void watched_look(Watched *w)
{
        Agent *a = w->pulse->agent;
        const Component *c = config_component(agent_config(a), w->slot->component);
        if (!c || w->up)
                return;
        HttpRequest up = { .url = c->up_url, .total_usec = PULSE_UP_USEC, .max_body_bytes = 4096 };
        Err err = { 0 };
        if (http_start(agent_http(a), &up, watched_on_up, w, &w->up, &err) < 0) {
                w->is_up = false;
                (void) snprintf(w->up_text, sizeof(w->up_text), "%.300s", err.text);
                watched_tell(w);
        }
}

/* Nobody has it any more: said once, and the job of its roll is told. */
static void watched_ended(Watched *w)
{
        Job *job = agent_busy(w->pulse->agent);
        w->up = http_cancel(w->up);
        free(w->told);
        w->told = NULL;
        watched_tell(w);
        free(w->told);
        w->told = NULL;
        if (job)
                job_lease_ended(job, w->slot->component);
}

static void pulse_arm(Pulse *p, Usec delay);

static void pulse_look(Pulse *p, bool look)
{
        Usec now = time_boot(), next = USEC_INFINITY;
        LeaseSlot *slot;
        bool any = false;

        for (size_t i = 0; (slot = leases_get(agent_leases(p->agent), i)); i++) {
                bool current = lease_current(&slot->lease, now);
                Watched *w = current || p->n > 0 ? pulse_watched(p, slot) : NULL;
                if (!w)
                        continue;
                bool ended = w->current && !current, begun = current && !w->current;
                w->current = current;
                if (current) {
                        any = true;
                        next = MIN(next, slot->lease.until_usec);
                        if (look || begun)
                                watched_look(w);
                } else if (ended)
                        watched_ended(w);
        }
        if (any)
                pulse_arm(p, MIN(PULSE_LOOK_USEC, time_left(next, now) + USEC_PER_MSEC));
        else
                p->timer = sd_event_source_unref(p->timer);
}

static int pulse_on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        pulse_look(userdata, true);
        return 0;
}

static void pulse_arm(Pulse *p, Usec delay)
{
        Usec when = time_boot() + delay;
        if (!p->timer) {
                (void) sd_event_add_time(agent_event(p->agent), &p->timer, CLOCK_BOOTTIME, when, 1000,
                                         pulse_on_timer, p);
                return;
        }
        (void) sd_event_source_set_time(p->timer, when);
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

void pulse_changed(Pulse *p)
{
        pulse_look(p, false);
}

int pulse_new(Pulse **ret, Agent *agent)
{
        Pulse *p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->agent = agent;
        *ret = p;
        return 0;
}

Pulse *pulse_free(Pulse *p)
{
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n; i++) {
                http_cancel(p->watched[i].up);
                free(p->watched[i].told);
        }
        sd_event_source_unref(p->timer);
        free(p);
        return NULL;
}
