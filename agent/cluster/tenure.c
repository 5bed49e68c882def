/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/tenure.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE   32 /* questions that are under way at the same time */
#define TICK_USEC (500 * USEC_PER_MSEC)
#define CALL_USEC (10 * USEC_PER_SEC)
#define GIVE_UP   4 /* lives of a lease that is not renewed though its node is connected */

typedef enum TenureState {
        TENURE_NONE,
        TENURE_HELD,
        TENURE_LOST,
} TenureState;

typedef struct Tenure {
        Tenures *all;
        size_t pool, node;
        char uuid[64];
        bool out;
        TenureState state;
        uint64_t epoch;
        Usec ttl_usec;
        Usec renewed;         /* when the question was sent that was answered last */
        Usec clock, clock_at; /* the node's clock, and ours when we heard of it: never before it was read */
        Usec sent;
        RemoteCall *call;
        bool renewing; /* that is what the call is for */
        bool reread; /* its clock, because an order to take the lease again came too late by what was known */
        bool before; /* an agent of the release before: it knows no time when it is too late to take */
} Tenure;

typedef struct TenurePool {
        char component[64], *name;
        TenureMember *members;
        size_t n_members;
        bool force;
        size_t first; /* its lowest id; SIZE_MAX */
} TenurePool;

struct Tenures {
        sd_event *event;
        Fleet *fleet;
        char holder[96];
        TenuresHandlers handlers;
        void *userdata;
        TenurePool *pools;
        size_t n_pools;
        Tenure *tenures;
        size_t n;
        sd_event_source *timer;
        bool taking, giving, given_early;
        Result refusal; /* while everything is being given back because of it; RESULT_INVALID */
        char refusal_text[512], refusal_hint[256];
};

static void tenures_go_on(Tenures *t);

static int tenures_on_timer(sd_event_source *s, uint64_t usec, void *userdata);

int tenures_new(Tenures **ret, sd_event *event, Fleet *fleet, const char *holder,
                const TenuresHandlers *handlers, void *userdata)
{
        _cleanup_(tenures_freep) Tenures *t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->event = event;
        t->fleet = fleet;
        t->handlers = *handlers;
        t->userdata = userdata;
        t->refusal = RESULT_INVALID;
        (void) snprintf(t->holder, sizeof(t->holder), "%s", holder);
        *ret = TAKE_PTR(t);
        return 0;
}

Tenures *tenures_free(Tenures *t)
{
        if (!t)
                return NULL;
        sd_event_source_unref(t->timer);
        for (size_t i = 0; i < t->n; i++)
                t->tenures[i].call = remote_call_cancel(t->tenures[i].call);
        for (size_t i = 0; i < t->n_pools; i++) {
                for (size_t m = 0; m < t->pools[i].n_members; m++) {
                        free((char *) (uintptr_t) t->pools[i].members[m].uuid);
                        free((char *) (uintptr_t) t->pools[i].members[m].name);
                        free((char *) (uintptr_t) t->pools[i].members[m].address);
                }
                free(t->pools[i].members);
                free(t->pools[i].name);
        }
        free(t->pools);
        free(t->tenures);
        free(t);
        return NULL;
}

int tenures_pool(Tenures *t, const char *component, const char *name, const TenureMember *members, size_t n,
                 bool force)
{
        TenurePool *pools = realloc(t->pools, (t->n_pools + 1) * sizeof(*pools));
        if (!pools)
                return -ENOMEM;
        t->pools = pools;
        TenurePool *p = &pools[t->n_pools];
        *p = (TenurePool){ .name = strdup(name),
                           .members = calloc(n + 1, sizeof(*members)),
                           .force = force,
                           .first = SIZE_MAX };
        (void) snprintf(p->component, sizeof(p->component), "%s", component);
        t->n_pools++;
        if (!p->name || !p->members)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                TenureMember *m = &p->members[p->n_members++];
                m->uuid = strdup(members[i].uuid);
                m->name = strdup(members[i].name);
                m->address = strdup(members[i].address);
                if (!m->uuid || !m->name || !m->address)
                        return -ENOMEM;
        }
        return (int) (t->n_pools - 1);
}

int tenures_add(Tenures *t, int pool, size_t node, const char *uuid, bool out, Usec clock, Usec clock_at)
{
        Tenure *tenures = realloc(t->tenures, (t->n + 1) * sizeof(*tenures));
        if (!tenures)
                return -ENOMEM;
        t->tenures = tenures;
        tenures[t->n] = (Tenure){ .all = t,
                                  .pool = (size_t) pool,
                                  .node = node,
                                  .out = out,
                                  .clock = clock,
                                  .clock_at = clock_at };
        (void) snprintf(tenures[t->n].uuid, sizeof(tenures[t->n].uuid), "%s", uuid);
        t->n++;
        return 0;
}

static int tenure_order_cmp(const void *a, const void *b)
{
        const Tenure *x = a, *y = b;
        int by_id = strcmp(x->uuid, y->uuid);
        return by_id ? by_id : (x->pool > y->pool) - (x->pool < y->pool);
}

/* ---- asking ---- */

static size_t tenures_asked(const Tenures *t)
{
        size_t n = 0;
        for (size_t i = 0; i < t->n; i++)
                n += t->tenures[i].call != NULL;
        return n;
}

static const char *tenure_pool_name(const Tenure *x)
{
        return x->all->pools[x->pool].name;
}

static void tenure_renewed(Tenure *x, sd_bus_message *m, bool with_epoch)
{
        uint64_t epoch = x->epoch, clock = 0, ttl = 0;
        int r = with_epoch ? sd_bus_message_read(m, "ttt", &epoch, &clock, &ttl)
                           : sd_bus_message_read(m, "tt", &clock, &ttl);
        if (r < 0 || ttl == 0)
                return;
        x->state = TENURE_HELD;
        x->epoch = epoch;
        x->ttl_usec = ttl;
        x->renewed = x->sent;
        x->clock = clock;
        x->clock_at = time_boot();
        x->reread = false;
}

static int tenure_take(Tenure *x, RemoteReplyFn fn);

/* An agent of the release before refuses what it does not know, and has done nothing: without it, then. */
static bool tenure_again(Tenure *x, int r, const char *error, const char *text, RemoteReplyFn fn)
{
        if (r != -EREMOTE || x->before || strcmp(error, REMOTE_ERROR "Usage") != 0 ||
            !strstr(text, "option expires"))
                return false;
        x->before = true;
        return tenure_take(x, fn) >= 0;
}

static void tenure_on_taken(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Tenure *x = userdata;
        Tenures *t = x->all;
        x->call = NULL;
        if (t->taking && t->refusal < 0 && tenure_again(x, r, error, text, tenure_on_taken))
                return;
        if (r == 0) {
                tenure_renewed(x, m, true);
                t->handlers.told(x->node, tenure_pool_name(x), x->epoch, "take", t->userdata);
        }
        if (x->state != TENURE_HELD) {
                x->state = TENURE_NONE;
                if (t->refusal < 0) {
                        const char *name = fleet_nodes(t->fleet, &(size_t){ 0 })[x->node].node->name;
                        bool theirs = r == -EREMOTE && (strstr(error, ".Leased") || strstr(error, ".Busy"));
                        t->refusal = theirs                                           ? RESULT_BUSY
                                     : r == -EREMOTE && strstr(error, "NoPermission") ? RESULT_NO_PERMISSION
                                     : r == -EREMOTE                                  ? RESULT_REFUSED
                                                     : RESULT_AGENT_UNREACHABLE;
                        (void) snprintf(t->refusal_text, sizeof(t->refusal_text), "%s: %s", name, text);
                        (void) snprintf(t->refusal_hint, sizeof(t->refusal_hint), "%s",
                                        theirs ? "wait for it with --wait, or see `edge-roll lock show` there"
                                               : "");
                }
        }
        tenures_go_on(t);
}

/* Its clock was read before we heard of it: what this says is never later than the truth. */
static Usec tenure_expires(const Tenure *x)
{
        return x->clock + (time_boot() - x->clock_at) + TENURE_ORDER_USEC;
}

static int tenure_take(Tenure *x, RemoteReplyFn fn)
{
        Tenures *t = x->all;
        const TenurePool *p = &t->pools[x->pool];
        Remote *remote = fleet_remote(t->fleet, x->node);
        sd_bus_message *m = NULL;
        Err err = { 0 };

        int r = remote_message_new(remote, &m, NULL, NULL, "LeaseTake", &err);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", p->component, t->holder);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sss)");
        for (size_t i = 0; r >= 0 && i < p->n_members; i++)
                r = sd_bus_message_append(m, "(sss)", p->members[i].uuid, p->members[i].name,
                                          p->members[i].address);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "ttl", "t", TENURE_TTL_USEC, "accept-out",
                                          "b", (int) x->out, "members-force", "b", (int) p->force, "pool",
                                          "s", p->name);
        x->sent = time_boot();
        /* What comes when nobody waits for it any more would be a lease that nobody renews or gives back. */
        if (r >= 0 && x->clock && !x->before)
                r = sd_bus_message_append(m, "{sv}", "expires", "t", tenure_expires(x));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = remote_call_message(remote, &x->call, m, CALL_USEC, fn, x, &err);
        sd_bus_message_unref(m);
        return r;
}

static void tenure_on_given(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Tenure *x = userdata;
        (void) r;
        (void) m;
        (void) error;
        (void) text;
        x->call = NULL;
        x->state = TENURE_NONE;
        tenures_go_on(x->all);
}

static void tenure_give(Tenure *x)
{
        Tenures *t = x->all;
        Err err = { 0 };
        /* What cannot be given back ends by itself. */
        if (remote_call(fleet_remote(t->fleet, x->node), &x->call, NULL, NULL, "LeaseGive", CALL_USEC,
                        tenure_on_given, x, &err, "st", t->pools[x->pool].component, x->epoch) < 0)
                x->state = TENURE_NONE;
        else
                t->handlers.told(x->node, tenure_pool_name(x), x->epoch, "give", t->userdata);
}

static void tenures_give_back(Tenures *t)
{
        for (size_t i = 0; i < t->n; i++) {
                Tenure *x = &t->tenures[i];
                /* A renewal that is under way is of no interest any more. */
                if (x->renewing) {
                        x->call = remote_call_cancel(x->call);
                        x->renewing = false;
                }
                if (x->state == TENURE_HELD && !x->call)
                        tenure_give(x);
        }
}

static void tenures_refused(Tenures *t)
{
        t->taking = false;
        t->handlers.taken(t->refusal, t->refusal_text, t->refusal_hint, t->userdata);
}

/* The next questions of a taking, or its end. */
static void tenures_go_on(Tenures *t)
{
        if (t->giving || (t->taking && t->refusal >= 0)) {
                size_t held = 0;
                tenures_give_back(t);
                for (size_t i = 0; i < t->n; i++)
                        held += t->tenures[i].state == TENURE_HELD || t->tenures[i].call != NULL;
                if (held > 0)
                        return;
                if (t->giving) {
                        t->giving = false;
                        t->handlers.given(t->userdata);
                } else
                        tenures_refused(t);
                return;
        }
        if (!t->taking)
                return;
        size_t asked = tenures_asked(t), missing = 0;
        for (size_t i = 0; i < t->n; i++) {
                Tenure *x = &t->tenures[i];
                const TenurePool *p = &t->pools[x->pool];
                if (x->state == TENURE_HELD)
                        continue;
                missing++;
                if (x->call || asked >= AT_ONCE)
                        continue;
                if (i != p->first && t->tenures[p->first].state != TENURE_HELD)
                        continue;
                if (tenure_take(x, tenure_on_taken) < 0) {
                        t->refusal = RESULT_AGENT_UNREACHABLE;
                        (void) snprintf(t->refusal_text, sizeof(t->refusal_text), "the link to %s is gone",
                                        fleet_nodes(t->fleet, &(size_t){ 0 })[x->node].node->name);
                        tenures_go_on(t);
                        return;
                }
                asked++;
        }
        if (missing > 0)
                return;
        t->taking = false;
        t->handlers.taken(RESULT_DONE, "", "", t->userdata);
}

void tenures_take(Tenures *t)
{
        t->taking = true;
        t->refusal = RESULT_INVALID;
        qsort(t->tenures, t->n, sizeof(*t->tenures), tenure_order_cmp);
        for (size_t i = t->n; i-- > 0;)
                t->pools[t->tenures[i].pool].first = i;
        t->timer = sd_event_source_unref(t->timer);
        if (sd_event_add_time(t->event, &t->timer, CLOCK_MONOTONIC, time_now() + TICK_USEC, 1000,
                              tenures_on_timer, t) < 0) {
                t->refusal = RESULT_FAILED;
                (void) snprintf(t->refusal_text, sizeof(t->refusal_text), "no timer for the leases");
        }
        tenures_go_on(t);
}

void tenures_give(Tenures *t)
{
        t->giving = true;
        t->taking = false;
        t->timer = sd_event_source_unref(t->timer);
        tenures_go_on(t);
}

/* ---- renewing ---- */

static void tenure_lost(Tenure *x, const char *text)
{
        Tenures *t = x->all;
        x->state = TENURE_LOST;
        t->handlers.told(x->node, tenure_pool_name(x), x->epoch, "lost", t->userdata);
        t->handlers.lost(x->node, text, t->userdata);
}

static void tenure_on_retaken(int r, sd_bus_message *m, const char *error, const char *text, void *userdata);

static void tenure_on_clock(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Tenure *x = userdata;
        _cleanup_(look_freep) NodeLook *look = NULL;
        const char *json;
        Err err = { 0 };
        (void) error;
        x->call = NULL;
        x->renewing = false;
        if (r == 0 && sd_bus_message_read(m, "s", &json) >= 0 &&
            look_parse(json, strlen(json), &look, &err) >= 0) {
                x->reread = true;
                x->clock = look->now;
                x->clock_at = time_boot();
                x->renewing = tenure_take(x, tenure_on_retaken) >= 0;
        } else if (r == 0 || r == -EREMOTE)
                tenure_lost(x, r == 0 ? "its clock could not be read" : text);
}

/* Too late by what is known of its clock, which may be of before a suspend: by the clock of now, once. */
static bool tenure_reread(Tenure *x, int r, const char *error)
{
        Err err = { 0 };
        if (r != -EREMOTE || x->reread || strcmp(error, REMOTE_ERROR "Expired") != 0)
                return false;
        return remote_call(fleet_remote(x->all->fleet, x->node), &x->call, NULL, NULL, "Look", CALL_USEC,
                           tenure_on_clock, x, &err, "s", x->all->pools[x->pool].component) >= 0;
}

static void tenure_on_retaken(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Tenure *x = userdata;
        x->call = NULL;
        x->renewing = tenure_again(x, r, error, text, tenure_on_retaken) || tenure_reread(x, r, error);
        if (x->renewing)
                return;
        if (r == 0) {
                tenure_renewed(x, m, true);
                x->all->handlers.told(x->node, tenure_pool_name(x), x->epoch, "take", x->all->userdata);
        } else if (r == -EREMOTE)
                tenure_lost(x, text);
}

static void tenure_on_renewed(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        Tenure *x = userdata;
        x->call = NULL;
        x->renewing = false;
        if (r == 0) {
                tenure_renewed(x, m, false);
                return;
        }
        /* Its time was over while the link was cut. Unless somebody else has taken it, it is taken again.
         * model: TENURE-RETAKE */
        if (r == -EREMOTE && strcmp(error, REMOTE_ERROR "LeaseLost") == 0) {
                x->renewing = tenure_take(x, tenure_on_retaken) >= 0;
                if (!x->renewing)
                        tenure_lost(x, text);
        } else if (r != -ENOTCONN && time_boot() >= time_add(x->renewed, GIVE_UP * x->ttl_usec))
                /* The link is there, and for a long time nothing but refusals: no order could be given. */
                tenure_lost(x, text);
}

static int tenures_on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Tenures *t = userdata;
        Usec now = time_boot();
        Err err = { 0 };
        (void) usec;

        for (size_t i = 0; i < t->n; i++) {
                Tenure *x = &t->tenures[i];
                Remote *remote = fleet_remote(t->fleet, x->node);
                if (x->state != TENURE_HELD || x->call || t->refusal >= 0 ||
                    now < time_add(x->renewed, x->ttl_usec / 3) || remote_state(remote) != REMOTE_UP)
                        continue;
                x->sent = now;
                /* What cannot be sent now is tried again at the next tick. */
                if (remote_call(remote, &x->call, NULL, NULL, "LeaseRenew", x->ttl_usec / 3,
                                tenure_on_renewed, x, &err, "st", t->pools[x->pool].component, x->epoch) >= 0)
                        x->renewing = true;
        }
        (void) sd_event_source_set_time(s, time_now() + TICK_USEC);
        (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

/* model: TENURE-FRESH */
static bool tenure_fresh(const Tenure *x)
{
        return x->state == TENURE_HELD && time_boot() < time_add(x->renewed, x->ttl_usec / 2);
}

static const Tenure *tenure_find(const Tenures *t, size_t node, const char *component)
{
        for (size_t i = 0; i < t->n; i++)
                if (t->tenures[i].node == node &&
                    strcmp(t->pools[t->tenures[i].pool].component, component) == 0)
                        return &t->tenures[i];
        return NULL;
}

bool tenures_held(const Tenures *t, size_t node, const char *component)
{
        const Tenure *x = tenure_find(t, node, component);
        return x && tenure_fresh(x);
}

bool tenures_covers(const Tenures *t, size_t node, const char *component)
{
        const Tenure *x = tenure_find(t, node, component);
        return !x || tenure_fresh(x);
}

bool tenures_fresh(const Tenures *t)
{
        for (size_t i = 0; i < t->n; i++)
                if (t->tenures[i].state == TENURE_HELD && !tenure_fresh(&t->tenures[i]) &&
                    remote_state(fleet_remote(t->fleet, t->tenures[i].node)) == REMOTE_UP)
                        return false;
        return true;
}

bool tenures_order_back(const Tenures *t, size_t node, const char *component, TenureOrder *ret)
{
        const Tenure *x = tenure_find(t, node, component);
        if (!x || x->state != TENURE_HELD)
                return false;
        *ret = (TenureOrder){ .epoch = x->epoch, .expires = tenure_expires(x) };
        return true;
}

bool tenures_order(const Tenures *t, size_t node, const char *component, TenureOrder *ret)
{
        return tenures_held(t, node, component) && tenures_order_back(t, node, component, ret);
}
