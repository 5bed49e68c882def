/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/places.h"

#include <string.h>
#include <syslog.h>

#include "agent/journal.h"
#include "agent/standing.h"
#include "agent/state.h"
#include "probes/json.h"

#define PREFIX "place-"

typedef struct Giving {
        Places *places;
        char component[64];
        char state_dir[256];
        Place *place;
        bool giving; /* else: it was adopted, and what becomes of it is decided next */
        bool told;   /* that it takes long */
        struct Giving *next;
} Giving;

struct Places {
        sd_event *event;
        Giving *list;
        sd_event_source *sweep; /* those that are done go from the loop, not from within their own call */
        char trouble[512];      /* why one cannot be given back at all; "" */
};

static const char *record_of(const char *component, char *buf, size_t size)
{
        (void) snprintf(buf, size, PREFIX "%s.json", component);
        return buf;
}

int places_write(const char *state_dir, const char *component, const PlaceOptions *o, const char *auth_file,
                 Err *err)
{
        char name[128], servers[1024];
        cJSON *record = json_record();
        cJSON_AddStringToObject(record, "component", component);
        cJSON_AddStringToObject(record, "servers", lock_spec_text(&o->zk.spec, servers, sizeof(servers)));
        cJSON_AddStringToObject(record, "auth_file", auth_file);
        cJSON_AddNumberToObject(record, "session", time_sec(o->zk.session_usec));
        cJSON_AddStringToObject(record, "pool", o->pool);
        cJSON_AddStringToObject(record, "uuid", o->uuid);
        cJSON_AddStringToObject(record, "id", o->id);
        cJSON_AddStringToObject(record, "name", o->name);
        cJSON_AddStringToObject(record, "address", o->address);
        cJSON_AddStringToObject(record, "by", o->by);
        cJSON_AddStringToObject(record, "reason", o->reason);
        int r = state_write(state_dir, record_of(component, name, sizeof(name)), record, err);
        cJSON_Delete(record);
        return r;
}

static void get_text(const cJSON *o, const char *key, char *buf, size_t size)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        (void) snprintf(buf, size, "%s", text ? text : "");
}

int places_read(const char *state_dir, const char *component, PlaceOptions *ret, Err *err)
{
        char name[128], servers[1024], auth[512];
        cJSON *record = NULL;
        PlaceOptions o = { .size = 0 };
        int r = state_read(state_dir, record_of(component, name, sizeof(name)), &record, NULL, err);
        if (r < 0 || !record)
                return r;
        get_text(record, "servers", servers, sizeof(servers));
        get_text(record, "auth_file", auth, sizeof(auth));
        get_text(record, "pool", o.pool, sizeof(o.pool));
        get_text(record, "uuid", o.uuid, sizeof(o.uuid));
        get_text(record, "id", o.id, sizeof(o.id));
        get_text(record, "name", o.name, sizeof(o.name));
        get_text(record, "address", o.address, sizeof(o.address));
        get_text(record, "by", o.by, sizeof(o.by));
        get_text(record, "reason", o.reason, sizeof(o.reason));
        const cJSON *session = cJSON_GetObjectItemCaseSensitive(record, "session");
        o.zk.session_usec =
                cJSON_IsNumber(session) && session->valuedouble >= 1 && session->valuedouble <= 600
                        ? (Usec) (session->valuedouble * (double) USEC_PER_SEC)
                        : 10 * USEC_PER_SEC;
        cJSON_Delete(record);
        if ((r = lock_spec_hosts(servers, &o.zk.spec, err)) < 0 ||
            (r = zk_auth_read(auth, o.zk.auth, sizeof(o.zk.auth), err)) < 0)
                return err_prefix(err, r, "%s", name);
        *ret = o;
        return 1;
}

/* ---- giving back ---- */

static void giving_free(Giving *g)
{
        place_free(g->place);
        free(g);
}

static int on_sweep(sd_event_source *s, void *userdata)
{
        Places *p = userdata;
        (void) s;
        for (Giving **g = &p->list; *g;) {
                if (place_state((*g)->place) != PLACE_GIVEN && place_state((*g)->place) != PLACE_FAILED) {
                        g = &(*g)->next;
                        continue;
                }
                Giving *gone = *g;
                *g = gone->next;
                giving_free(gone);
        }
        return 0;
}

static void on_changed(Place *place, void *userdata)
{
        Giving *g = userdata;
        JournalContext c = { .component = g->component };
        char name[128];
        Err err = { 0 };

        if (!g->giving)
                return;
        if (place_state(place) == PLACE_GIVEN) {
                journal_log(LOG_INFO, JOURNAL_PLACE, &c, "%s: the place in the pool %s is given back",
                            g->component, place_options(place)->pool);
                if (state_remove(g->state_dir, record_of(g->component, name, sizeof(name)), &err) < 0)
                        journal_log(LOG_WARNING, JOURNAL_PLACE, &c, "%s: %s", g->component, err.text);
        } else if (place_state(place) == PLACE_FAILED || !g->told) {
                g->told = true;
                journal_log(LOG_WARNING, JOURNAL_PLACE, &c,
                            "%s: the place in the pool %s cannot be given back yet: %s", g->component,
                            place_options(place)->pool, place_text(place));
        }
        if (place_state(place) == PLACE_GIVEN || place_state(place) == PLACE_FAILED) {
                if (!g->places->sweep)
                        (void) sd_event_add_defer(g->places->event, &g->places->sweep, on_sweep, g->places);
                else
                        (void) sd_event_source_set_enabled(g->places->sweep, SD_EVENT_ONESHOT);
        }
}

static void on_stolen(Place *place, void *userdata)
{
        (void) place;
        (void) userdata;
}

static const PlaceHandlers giving_handlers = { .changed = on_changed, .stolen = on_stolen };

static Giving *giving_of(const Places *p, const char *component)
{
        for (Giving *g = p->list; g; g = g->next)
                if (strcmp(g->component, component) == 0)
                        return g;
        return NULL;
}

static void giving_drop(Places *p, const char *component)
{
        for (Giving **g = &p->list; *g; g = &(*g)->next)
                if (strcmp((*g)->component, component) == 0) {
                        Giving *gone = *g;
                        *g = gone->next;
                        giving_free(gone);
                        return;
                }
}

static Giving *giving_add(Places *p, const char *component, Place *place)
{
        Giving *g = calloc(1, sizeof(*g));
        if (!g)
                return NULL;
        g->places = p;
        (void) snprintf(g->component, sizeof(g->component), "%s", component);
        g->place = place;
        g->next = p->list;
        p->list = g;
        return g;
}

void places_adopt(Places *p, const char *component, Place *place)
{
        giving_drop(p, component);
        Giving *g = giving_add(p, component, place);
        if (g)
                place_handlers(place, &giving_handlers, g);
        else
                place_free(place); /* its record is still there */
}

/* Return: false: it cannot be. */
static bool places_give(Places *p, const Config *config, const char *component)
{
        Giving *g = giving_of(p, component);
        PlaceOptions options;
        JournalContext c = { .component = component };
        Err err = { 0 };

        if (g && g->giving)
                return true;
        if (!g) {
                Place *place = NULL;
                int r = places_read(config->state_dir, component, &options, &err);
                if (r > 0)
                        r = place_new(&place, p->event, &options, PLACE_GIVE, &giving_handlers, NULL, &err);
                if (r == 0 && !place)
                        return true;
                if (r < 0 || !(g = giving_add(p, component, place))) {
                        char text[sizeof(p->trouble)];
                        (void) snprintf(text, sizeof(text), "%s: its place cannot be given back: %.300s",
                                        component, r < 0 ? err.text : "out of memory");
                        if (strcmp(p->trouble, text) != 0)
                                journal_log(LOG_ERR, JOURNAL_PLACE, &c, "%s", text);
                        memcpy(p->trouble, text, sizeof(text));
                        place_free(place);
                        return false;
                }
                place_handlers(place, &giving_handlers, g);
        }
        g->giving = true;
        (void) snprintf(g->state_dir, sizeof(g->state_dir), "%s", config->state_dir);
        place_give(g->place);
        return true;
}

/* What others read about a node that stays out: that nobody works on it, and why. */
static void places_keep(Places *p, const char *component, const char *reason)
{
        Giving *g = giving_of(p, component);
        if (!g || g->giving)
                return;
        place_reason(g->place, reason);
        giving_drop(p, component);
}

/* A hold is ended by a call, and so is it when a restart was not let in; anything else may end by itself. */
static bool ends_by_itself(const Standing *s)
{
        return !s->held && (!s->running || strcmp(s->blocked, "no") != 0);
}

/* model: PLACE-SETTLE */
bool places_settle(Places *p, const Config *config, Conns *conns, const Job *job)
{
        _cleanup_(state_list_freep) char **names = NULL;
        bool again = false, given = true;

        if (state_list(config->state_dir, PREFIX, &names, NULL) < 0)
                return true;
        for (size_t i = 0; names[i]; i++) {
                char component[64];
                Standing s;
                int len = (int) (strlen(names[i]) - strlen(PREFIX) - strlen(".json"));
                if (len <= 0 || len >= (int) sizeof(component))
                        continue;
                (void) snprintf(component, sizeof(component), "%.*s", len, names[i] + strlen(PREFIX));
                const Component *c = config_component(config, component);
                /* A job that runs on it settles it at its end; of what is not configured nobody knows how it
                 * is. */
                if (!c || (job && job_concerns(job, component)))
                        continue;
                standing_look(config, conns, c, NULL, 0, false, &s);
                if (s.out) {
                        places_keep(p, component, s.out_reason);
                        again = again || ends_by_itself(&s);
                } else
                        given = places_give(p, config, component) && given;
        }
        if (given)
                p->trouble[0] = '\0';
        /* Those that never went out have no record: their line in the queue goes with them. */
        for (Giving **g = &p->list; *g;) {
                Giving *next = *g;
                if (next->giving) {
                        g = &next->next;
                        continue;
                }
                *g = next->next;
                giving_free(next);
        }
        return again || !given;
}

void places_drop(Places *p, const char *component)
{
        giving_drop(p, component);
}

bool places_pending(const Places *p, char *text, size_t size)
{
        for (const Giving *g = p->list; g; g = g->next)
                if (g->giving && place_state(g->place) != PLACE_GIVEN &&
                    place_state(g->place) != PLACE_FAILED) {
                        if (text)
                                (void) snprintf(text, size,
                                                "the place of %s in the pool %s is being given back: %s",
                                                g->component, place_options(g->place)->pool,
                                                place_text(g->place));
                        return true;
                }
        if (text && *p->trouble)
                (void) snprintf(text, size, "%s", p->trouble);
        return *p->trouble;
}

int places_new(Places **ret, sd_event *event)
{
        Places *p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->event = sd_event_ref(event);
        *ret = p;
        return 0;
}

Places *places_free(Places *p)
{
        if (!p)
                return NULL;
        while (p->list) {
                Giving *g = p->list;
                p->list = g->next;
                giving_free(g);
        }
        sd_event_source_unref(p->sweep);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}
