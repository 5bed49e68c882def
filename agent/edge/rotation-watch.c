/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/rotation-watch.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/put.h"
#include "base/files.h"
#include "probes/json.h"
#include "probes/monitor.h"

/* One server of one LoadBalancer. */
typedef struct Seat {
        ProbeSpec spec; /* without host: it cannot be asked */
        Monitor monitor;
        RotationCheck check; /* `down`: out of rotation; with MaxFailures 0 that the last check failed */
} Seat;

typedef struct Watched {
        struct Watched *next;
        RotationWatch *watch;
        const char *path;
        const EdgeXml *x;
        const RotationCheck **checks; /* for rotation_of(); the caller's */
        MonitorRules rules;
        Seat *seats;
        size_t *seat_of; /* by number of the check */
        Probing *round;  /* under way */
        bool ended;      /* ... and over: freed where the next begins */
        Usec due_usec;
        sd_event_source *timer;
} Watched;

struct RotationWatch {
        Session *session;
        const DeployedEnv *env;
        Watched *all;
        size_t n, n_monitored;
        size_t checked, changes;
        bool over;
        int r; /* what has ended it */
        Err *err;
};

int rotation_watch_new(RotationWatch **ret, Session *s, const DeployedEnv *env, Err *err)
{
        RotationWatch *w = calloc(1, sizeof(*w));
        if (!w)
                return err_set(err, -ENOMEM, "Out of memory");
        w->session = s;
        w->env = env;
        *ret = w;
        return 0;
}

static Watched *watched_free(Watched *d)
{
        if (!d)
                return NULL;
        (void) probing_free(d->round);
        (void) sd_event_source_unref(d->timer);
        free(d->seats);
        free(d->seat_of);
        free(d);
        return NULL;
}
DEFINE_CLEANUP(Watched, watched_free);

RotationWatch *rotation_watch_free(RotationWatch *w)
{
        if (!w)
                return NULL;
        for (Watched *d = w->all, *next; d; d = next) {
                next = d->next;
                (void) watched_free(d);
        }
        free(w);
        return NULL;
}

static const char *name_of(const EdgeText *text)
{
        return text->value ? text->value : "";
}

/* ---- what is told ---- */

static bool json_servers(cJSON *o, const Rotation *ro)
{
        cJSON *list = cJSON_AddArrayToObject(o, "servers");
        for (size_t i = 0; list && i < ro->n; i++) {
                const RotationServer *s = &ro->servers[i];
                cJSON *one = cJSON_CreateObject();
                if (!cJSON_AddItemToArray(list, one)) {
                        cJSON_Delete(one);
                        return false;
                }
                if (!cJSON_AddStringToObject(one, "name", name_of(&s->ref->name)) ||
                    !cJSON_AddStringToObject(one, "stand", rotation_stand_name(s->stand)) ||
                    !(s->share >= 0 ? cJSON_AddNumberToObject(one, "share", s->share)
                                    : cJSON_AddNullToObject(one, "share")))
                        return false;
        }
        return list;
}

static int change_json(const Watched *d, const Rotation *ro, const Seat *seat, const char *server, bool out)
{
        _cleanup_(json_closep) cJSON *o = cJSON_CreateObject();
        if (!o || !cJSON_AddStringToObject(o, "event", "rotation-change") ||
            !cJSON_AddStringToObject(o, "file", d->path) ||
            !cJSON_AddStringToObject(o, "document", d->x->root) ||
            !cJSON_AddStringToObject(o, "name", name_of(&d->x->name)) ||
            !cJSON_AddStringToObject(o, "server", server) ||
            !cJSON_AddStringToObject(o, "change", out ? "out" : "in") ||
            !cJSON_AddNumberToObject(o, "failures", (double) seat->monitor.failures) ||
            !cJSON_AddNumberToObject(o, "max_failures", (double) d->rules.max_failures) ||
            !cJSON_AddStringToObject(o, "layer", probe_layer_name(seat->check.layer)) ||
            !cJSON_AddStringToObject(o, "text", seat->check.text) ||
            !cJSON_AddBoolToObject(o, "fallback", ro->fallback) ||
            !cJSON_AddBoolToObject(o, "nobody", ro->nobody) || !json_servers(o, ro))
                return -ENOMEM;
        session_event(d->watch->session, TAKE_PTR(o));
        return 0;
}

static void change_shares(FILE *f, const Rotation *ro)
{
        bool idle = ro->connection->balancer.algorithm == EDGE_LEAST_CONNECTIONS, any = false;

        (void) fputs("  now ", f);
        for (size_t i = 0; i < ro->n; i++) {
                const RotationServer *s = &ro->servers[i];
                if (s->share == 0)
                        continue;
                (void) fputs(any ? ", " : "", f);
                put_clean(f, name_of(&s->ref->name));
                if (s->share < 0)
                        (void) fputs(" ?", f);
                else
                        (void) fprintf(f, " %s%.0f %%", idle ? "~" : "", s->share * 100);
                any = true;
        }
        (void) fprintf(f, "%s\n",
                       ro->nobody     ? "no server is left: every request fails"
                       : ro->fallback ? ": the fallback is engaged"
                                      : "");
}

static void change_text(const Watched *d, const Rotation *ro, const Seat *seat, const char *server, bool out)
{
        FILE *f = d->watch->session->io->out;

        session_live(d->watch->session, "%s", "");
        put_clean(f, d->path);
        (void) fputs(": ", f);
        put_clean(f, server);
        if (out)
                (void) fprintf(f, " leaves the rotation after %" PRId64 " failure%s in a row: %s: %s\n",
                               seat->monitor.failures, seat->monitor.failures == 1 ? "" : "s",
                               probe_layer_name(seat->check.layer), seat->check.text);
        else
                (void) fprintf(f, " is back in the rotation: %s\n", seat->check.text);
        change_shares(f, ro);
}

static int change_tell(Watched *d, size_t i, bool out)
{
        RotationWatch *w = d->watch;
        const char *server = name_of(&d->x->connection.balancer.servers[i].name);
        _cleanup_(rotation_done) Rotation ro = { 0 };

        w->changes++;
        int r = rotation_of(&d->x->connection, &w->env->servers, d->checks, &ro);
        if (r >= 0 && w->session->rq->json)
                r = change_json(d, &ro, &d->seats[i], server, out);
        else if (r >= 0)
                change_text(d, &ro, &d->seats[i], server, out);
        (void) fflush(w->session->io->out); /* somebody looks on, or reads it from a pipe */
        return r < 0 ? err_set(w->err, r, "Out of memory") : 0;
}

static void watch_live(const RotationWatch *w)
{
        size_t out = 0, seats = 0;
        for (const Watched *d = w->all; d; d = d->next)
                for (size_t i = 0; i < d->x->connection.balancer.n_servers; i++) {
                        seats += d->checks[i] != NULL;
                        out += d->seats[i].monitor.out;
                }
        session_live(w->session, "%zu load balancers, %zu of %zu servers out, %zu checks", w->n_monitored,
                     out, seats, w->checked);
}

/* ---- rounds ---- */

static void round_on_result(Probing *p _unused_, size_t index, const ProbeResult *result, void *userdata)
{
        Watched *d = userdata;
        RotationWatch *w = d->watch;
        size_t i = d->seat_of[index];
        Seat *seat = &d->seats[i];
        RotationCheck check = rotation_check_of(&seat->spec, result);
        bool failed = check.down;

        w->checked++;
        MonitorChange change = MONITOR_SAME;
        /* What could not be asked from here says nothing about it. */
        if (check.layer != PROBE_HERE)
                change = monitor_feed(&seat->monitor, &d->rules,
                                      failed ? MONITOR_CHECK_FAILED : MONITOR_CHECK_OK, 0);
        check.down = d->rules.max_failures > 0 ? seat->monitor.out : failed;
        seat->check = check;
        if (change != MONITOR_SAME && w->r >= 0)
                w->r = change_tell(d, i, change == MONITOR_REMOVED);
        if (w->r < 0)
                w->over = true;
        watch_live(w);
}

static void round_on_done(Probing *p _unused_, void *userdata)
{
        Watched *d = userdata;
        d->ended = true;
        (void) sd_event_source_set_time(d->timer, MAX(d->due_usec, time_now()));
        (void) sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

static int round_begin(Watched *d, Err *err)
{
        RotationWatch *w = d->watch;
        const EdgeBalancer *b = &d->x->connection.balancer;
        /* All together have as many sockets as one would have. */
        ProbingOptions options = { .event = w->session->event,
                                   .stores = w->session->rq->stores,
                                   .at_once = (unsigned) MAX(PROBING_AT_ONCE / w->n_monitored, (size_t) 1) };
        size_t n = 0;

        d->round = probing_free(d->round);
        d->ended = false;
        d->due_usec = time_add(time_now(),
                               (Usec) edge_number(d->x->connection.monitor.interval_sec, 0) * USEC_PER_SEC);
        int r = probing_new(&d->round, &options, err);
        for (size_t i = 0; i < b->n_servers && r >= 0; i++) {
                if (!d->seats[i].spec.host)
                        continue;
                r = probing_add(d->round, &d->seats[i].spec, w->session->rq->org, w->session->rq->env, err);
                if (r >= 0)
                        d->seat_of[n++] = i;
        }
        return r < 0 ? r : probing_start(d->round, round_on_result, round_on_done, d, err);
}

static int watch_on_timer(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        Watched *d = userdata;
        int r = round_begin(d, d->watch->err);
        if (r < 0) {
                d->watch->r = r;
                d->watch->over = true;
        }
        return 0;
}

/* ---- the whole ---- */

/* Who is asked, and how. */
static int seats_fill(Watched *d, Err *err)
{
        const DeployedEnv *env = d->watch->env;
        const EdgeBalancer *b = &d->x->connection.balancer;

        for (size_t i = 0; i < b->n_servers; i++) {
                Seat *seat = &d->seats[i];
                const EdgeTargetServer *server = lint_server(&env->servers, b->servers[i].name.value);
                Err why = { 0 };
                if (!server || !rotation_enabled(&b->servers[i], server) || !d->rules.monitored)
                        continue;
                int r = probe_spec(server, &d->x->connection.monitor, &(ProbeDefaults){ 0 }, &seat->spec,
                                   &why);
                if (r == -ENOMEM)
                        return err_set(err, r, "%s", why.text);
                if (r < 0) {
                        seat->spec.host = NULL;
                        seat->check.layer = PROBE_HERE;
                        (void) snprintf(seat->check.text, sizeof(seat->check.text), "%.290s", why.text);
                }
                d->checks[i] = &seat->check;
        }
        return 0;
}

int rotation_watch_add(RotationWatch *w, const char *path, const EdgeXml *x, const RotationCheck ***ret,
                       Err *err)
{
        size_t n = x->connection.balancer.n_servers;
        _cleanup_(watched_freep) Watched *d = calloc(1, sizeof(*d));
        _cleanup_(freep) const RotationCheck **checks = calloc(n + 1, sizeof(*checks));

        if (w->n == ROTATION_WATCH_MAX)
                return err_set(err, -E2BIG,
                               "%d load balancers are the most at once: take some of the documents",
                               ROTATION_WATCH_MAX);
        if (d) {
                d->seats = calloc(n + 1, sizeof(*d->seats));
                d->seat_of = calloc(n + 1, sizeof(*d->seat_of));
        }
        if (!d || !checks || !d->seats || !d->seat_of)
                return err_set(err, -ENOMEM, "Out of memory for %zu servers", n);
        d->watch = w;
        d->path = path;
        d->x = x;
        d->rules = monitor_rules(&x->connection);
        d->checks = checks;
        int r = seats_fill(d, err);
        if (r < 0)
                return r;
        if (!d->rules.monitored)
                session_warn(w->session, "%s: no HealthMonitor asks its servers: nothing changes there",
                             path);
        else if (d->rules.max_failures == 0)
                session_warn(w->session, "%s: MaxFailures is 0: no server ever leaves the rotation", path);
        w->n++;
        w->n_monitored += d->rules.monitored;
        d->next = w->all;
        w->all = TAKE_PTR(d);
        *ret = TAKE_PTR(checks);
        return 0;
}

static int watch_on_end(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        RotationWatch *w = userdata;
        w->over = true;
        return 0;
}

static int watch_on_signal(sd_event_source *s _unused_, const struct signalfd_siginfo *si _unused_,
                           void *userdata)
{
        RotationWatch *w = userdata;
        w->over = true;
        return 0;
}

static int watch_loop(RotationWatch *w, Usec for_usec, Err *err)
{
        _cleanup_(sd_event_source_unrefp) sd_event_source *end = NULL, *in = NULL, *term = NULL;
        sd_event *e = w->session->event;
        int r = sd_event_add_signal(e, &in, SIGINT, watch_on_signal, w);

        if (r >= 0)
                r = sd_event_add_signal(e, &term, SIGTERM, watch_on_signal, w);
        if (r >= 0 && for_usec > 0)
                r = sd_event_add_time(e, &end, CLOCK_MONOTONIC, time_add(time_now(), for_usec), 0,
                                      watch_on_end, w);
        for (Watched *d = w->all; d && r >= 0; d = d->next)
                if (d->rules.monitored)
                        r = sd_event_add_time(e, &d->timer, CLOCK_MONOTONIC, time_now(), 0, watch_on_timer,
                                              d);
        if (r < 0)
                return err_errno(err, r, "The monitors cannot be run");
        while (!w->over) {
                r = sd_event_run(e, UINT64_MAX);
                if (r < 0)
                        return err_errno(err, r, "Cannot wait for the target servers");
        }
        return w->r;
}

int rotation_watch_run(RotationWatch *w, Usec for_usec, Err *err)
{
        Usec start = time_now();
        sigset_t ours, before;
        char took[32];

        if (w->n_monitored == 0)
                return err_set(err, -ENODATA,
                               "there is no HealthMonitor that asks anything: nothing to watch");
        w->err = err;
        files_raise(); /* each LoadBalancer has checks and lookups of its own */
        (void) sigemptyset(&ours);
        (void) sigaddset(&ours, SIGINT);
        (void) sigaddset(&ours, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &ours, &before) < 0)
                return err_errno(err, -errno, "The monitors cannot be run");
        int r = watch_loop(w, for_usec, err);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        session_live(w->session, "%s", "");
        if (r >= 0)
                session_tell(w->session, "watched for %s: %zu checks, %zu changes of the rotation",
                             time_format(time_now() - start, took, sizeof(took)), w->checked, w->changes);
        return r;
}
