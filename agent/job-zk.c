/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * place, with ZooKeeper: the job stands in line for the place of its component (and of the one that goes with
 * it: always in this order), looks whether somebody else of the pool serves when it is its turn, writes down
 * that it may be out, and goes out. What happens to the place afterwards is agent/places.h.
 */

#include "agent/job-impl.h"

#include <string.h>
#include <sys/utsname.h>

#include "agent/lock-find.h"
#include "agent/own-address.h"
#include "agent/place-ask.h"
#include "agent/places.h"
#include "agent/pool.h"

#define ANSWER_USEC  (10 * USEC_PER_SEC) /* ZooKeeper was named by a person */
#define AUTO_USEC    (5 * USEC_PER_SEC)  /* ... or found in a property */
#define TOLD_USEC    (1 * USEC_PER_SEC)  /* for the name of who is before us */
#define PROBE_USEC   (2 * USEC_PER_SEC)
#define PROBED_AGAIN (2 * USEC_PER_SEC)
#define ASK_USEC     (5 * USEC_PER_SEC)
#define FOREVER_USEC (10ULL * 365 * 86400 * USEC_PER_SEC)
#define LIMIT_MARGIN (30 * USEC_PER_SEC) /* our own limits come first */
#define MATES_MAX    64

#define BUSY_HINT                                                                                                  \
        "wait with --wait=DURATION; `edge-roll lock show` tells who is out, `edge-roll lock steal` takes a place " \
        "away from a node that is gone"

/* One other node that is asked whether it serves. */
typedef struct Mate {
        struct JobZk *zk;
        char name[128];
        char url[256];
        HttpCall *call;
} Mate;

struct JobZk {
        Job *job;
        LockFound found;
        ZkOptions options;
        Place *places[2]; /* of the component, and of the one that goes with it */
        const Component *of[2];
        size_t n, at;      /* how many there are to be; which one is being waited for */
        Usec until;        /* the end of our patience; USEC_INFINITY */
        Usec answer_until; /* ZooKeeper must have answered by then */
        Usec waiting_since;
        sd_event_source *timer;
        PlaceAsk *ask;
        Mate mates[MATES_MAX];
        size_t n_mates, probing, serving;
        bool looked; /* somebody else serves, or that does not matter */
        char mates_text[300];
        bool done;
};

static void zk_step(JobZk *zk);

/* ---- who else serves ---- */

static void mates_drop(JobZk *zk)
{
        zk->ask = place_ask_cancel(zk->ask);
        for (size_t i = 0; i < zk->n_mates; i++)
                zk->mates[i].call = http_cancel(zk->mates[i].call);
        zk->n_mates = zk->probing = 0;
}

static void zk_timer(JobZk *zk, Usec when);

/* The last statement of whoever calls it. */
static void mates_done(JobZk *zk)
{
        Job *job = zk->job;
        size_t serving = zk->serving, asked = zk->n_mates;
        mates_drop(zk);
        if (serving > 0) {
                zk->looked = true;
                zk_step(zk);
                return;
        }
        if (asked == 0)
                (void) snprintf(zk->mates_text, sizeof(zk->mates_text),
                                "no other node of the pool %.100s has registered in ZooKeeper",
                                place_options(zk->places[zk->at])->pool);
        if (time_now() < zk->until) {
                job_progress(job, "its turn, but %s; asked again", zk->mates_text);
                zk_timer(zk, time_now() + PROBED_AGAIN);
                return;
        }
        job_fail(job, RESULT_REFUSED,
                 "bring another one back first; or say --unprotected=REASON if nobody needs this one",
                 "nobody else of the pool serves: %s", zk->mates_text);
}

static void mate_answered(const HttpResult *result, void *userdata)
{
        Mate *m = userdata;
        JobZk *zk = m->zk;
        bool router = zk->of[zk->at]->kind == KIND_ROUTER;
        m->call = NULL;
        zk->probing--;
        /* A router says 200; of a message processor the port carries traffic, and any whole answer will do.
         */
        if (result->outcome == HTTP_ANSWER && (router ? result->status == 200 : result->status < 500))
                zk->serving++;
        else {
                size_t used = strlen(zk->mates_text);
                if (used + 1 < sizeof(zk->mates_text))
                        (void) snprintf(zk->mates_text + used, sizeof(zk->mates_text) - used, "%s%.60s: %s",
                                        used ? ", " : "", m->name,
                                        result->outcome == HTTP_ANSWER ? "not up"
                                                                       : http_outcome_name(result->outcome));
        }
        if (zk->probing == 0 || zk->serving > 0)
                mates_done(zk);
}

/* The path of a URL; "/" where there is none. */
static const char *url_path(const char *url)
{
        const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
        return path ? path : "/";
}

static void mates_probe(JobZk *zk, const cJSON *show)
{
        const Component *c = zk->of[zk->at];
        const char *path = url_path(*c->reachable_url ? c->reachable_url : c->up_url);
        const char *own = place_options(zk->places[zk->at])->uuid;
        const cJSON *v;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(show, "members"))
        {
                const char *uuid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "uuid"));
                const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "name"));
                const char *address = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "address"));
                Mate *m = &zk->mates[zk->n_mates];
                if (zk->n_mates >= MATES_MAX || !uuid || !address || !*address || strcmp(uuid, own) == 0)
                        continue;
                *m = (Mate){ .zk = zk };
                (void) snprintf(m->name, sizeof(m->name), "%s", name && *name ? name : uuid);
                (void) snprintf(m->url, sizeof(m->url), "http://%.120s%.120s", address, path);
                HttpRequest request = { .url = m->url, .connect_usec = PROBE_USEC, .total_usec = PROBE_USEC };
                zk->n_mates++;
                if (http_start(zk->job->env.http, &request, mate_answered, m, &m->call, NULL) == 0)
                        zk->probing++;
        }
}

/* Kept for the day on which ZooKeeper does not answer: then this node is known not to be alone. */
static void mates_keep(JobZk *zk, const cJSON *show)
{
        const char *dir = zk->job->env.config->state_dir, *component = zk->of[zk->at]->name;
        const char *own = place_options(zk->places[zk->at])->uuid;
        char names[sizeof(((Pool *) 0)->registered)] = "";
        Pool pool = { 0 };
        const cJSON *v;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(show, "members"))
        {
                const char *uuid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "uuid"));
                const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "name"));
                size_t used = strlen(names);
                if (uuid && strcmp(uuid, own) != 0 && used + 1 < sizeof(names))
                        (void) snprintf(names + used, sizeof(names) - used, "%s%.60s", used ? ", " : "",
                                        name && *name ? name : uuid);
        }
        if (pool_read(dir, component, &pool, NULL) == 0 && strcmp(pool.registered, names) != 0) {
                memcpy(pool.registered, names, sizeof(names));
                (void) !pool_write(dir, component, &pool, NULL);
        }
        pool_done(&pool);
}

static void mates_shown(int r, const char *text, cJSON *show, void *userdata)
{
        JobZk *zk = userdata;
        zk->ask = NULL;
        zk->serving = 0;
        zk->mates_text[0] = '\0';
        if (r < 0)
                (void) snprintf(zk->mates_text, sizeof(zk->mates_text), "%.200s", text);
        else {
                mates_keep(zk, show);
                mates_probe(zk, show);
        }
        if (zk->probing == 0)
                mates_done(zk);
}

static void mates_look(JobZk *zk)
{
        PlaceQuestion q = { .kind = PLACE_SHOW, .zk = zk->options, .limit_usec = ASK_USEC };
        Err err = { 0 };
        if (zk->ask || zk->probing > 0)
                return;
        (void) snprintf(q.pool, sizeof(q.pool), "%s", place_options(zk->places[zk->at])->pool);
        job_progress(zk->job, "its turn: who else of the pool serves?");
        if (place_ask(&zk->ask, zk->job->env.event, &q, mates_shown, zk, &err) < 0)
                job_fail(zk->job, RESULT_REFUSED, NULL, "%s", err.text);
}

/* A roll has asked itself; who serves nobody takes nothing away. model: PLACE-MATES */
static bool mates_matter(const Job *job)
{
        switch (roll_kind(job->roll)) {
        case ROLL_RESTART_HELD:
        case ROLL_RESTART_NOW:
        case ROLL_START:
                return false;
        default:
                return !job->options.lease && !*job->options.unprotected && !job->held;
        }
}

/* ---- standing in line ---- */

static int zk_on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        JobZk *zk = userdata;
        (void) s;
        (void) usec;
        zk->timer = sd_event_source_unref(zk->timer);
        zk_step(zk);
        return 0;
}

static void zk_timer(JobZk *zk, Usec when)
{
        zk->timer = sd_event_source_unref(zk->timer);
        (void) sd_event_add_time(zk->job->env.event, &zk->timer, CLOCK_MONOTONIC, when, 0, zk_on_timer, zk);
}

static void zk_begin_next(JobZk *zk);

/* Both are ours. */
static void zk_taken(JobZk *zk)
{
        Job *job = zk->job;
        const PlaceOptions *o = place_options(zk->places[0]);
        char servers[160];
        zk->done = true;
        zk->timer = sd_event_source_unref(zk->timer);
        (void) snprintf(job->lock_text, sizeof(job->lock_text),
                        "a place of the pool %.100s in ZooKeeper at %s%s%s", o->pool,
                        lock_spec_text(&zk->found.spec, servers, sizeof(servers)),
                        *o->zk.auth ? "" : "; without lock_auth_file everybody can take it away",
                        zk->n > 1 ? "; of the other component, too" : "");
        job_place_taken(job, "zookeeper");
}

static void zk_not_answering(JobZk *zk)
{
        Job *job = zk->job;
        char servers[400];
        const char *trouble = place_trouble(zk->places[zk->at]);
        (void) lock_spec_text(&zk->found.spec, servers, sizeof(servers));
        if ((zk->found.automatic || *job->options.unprotected) && zk->at == 0) {
                job_warn(job,
                         "ZooKeeper at %s (%s) does not answer%s%.100s: the places of the pool are not asked",
                         servers, zk->found.from, *trouble ? ": " : "", trouble);
                job_zk_drop(job);
                job_place_without(job);
                return;
        }
        job_fail(job, RESULT_REFUSED, "see lock in edge-roll.conf(5); --wait=DURATION waits for it",
                 "ZooKeeper at %s does not answer%s%.100s", servers, *trouble ? ": " : "", trouble);
}

/* What is to be done now, after whatever has changed. The last statement of whoever calls it. */
static void zk_step(JobZk *zk)
{
        Job *job = zk->job;
        Place *place = zk->places[zk->at];
        Usec now = time_now();
        Err err = { 0 };

        if (zk->done)
                return;
        switch (place_state(place)) {
        case PLACE_FAILED:
                job_fail(job, RESULT_REFUSED, NULL, "%s", place_text(place));
                return;
        case PLACE_OUT:
                mates_drop(zk);
                zk->at++;
                if (zk->at == zk->n)
                        zk_taken(zk);
                else
                        zk_begin_next(zk);
                return;
        case PLACE_TURN:
                if (!zk->looked && mates_matter(job)) {
                        mates_look(zk);
                        return;
                }
                /* model: PLACE-RECORD */
                if (places_write(job->env.config->state_dir, zk->of[zk->at]->name, place_options(place),
                                 job->env.config->lock_auth_file, &err) < 0) {
                        job_fail(job, RESULT_REFUSED,
                                 "make room in, or give write access to, the state directory",
                                 "that the node is out cannot be written down: %s", err.text);
                        return;
                }
                /* If it does not come to that, they are asked once more the next time. */
                zk->looked = false;
                (void) place_go_out(place);
                return;
        case PLACE_GOING:
                return;
        default:
                break;
        }
        mates_drop(zk);
        zk->looked = false;
        if (place_state(place) == PLACE_WAITING) {
                zk->answer_until = USEC_INFINITY;
                if (!zk->waiting_since)
                        zk->waiting_since = now;
                bool told = place_told(place) || now - zk->waiting_since >= TOLD_USEC;
                if (now >= zk->until && told) {
                        job_fail(job, RESULT_BUSY, BUSY_HINT, "its turn in the pool %.80s has not come: %s",
                                 place_options(place)->pool, place_text(place));
                        return;
                }
                if (told)
                        job_progress(job, "%s", place_text(place));
                zk_timer(zk, told ? MIN(zk->until, now + USEC_PER_SEC) : now + TOLD_USEC);
                return;
        }
        if (now >= MAX(zk->answer_until, zk->found.automatic ? 0 : zk->until)) {
                zk_not_answering(zk);
                return;
        }
        job_progress(job, "%s%s%.200s", place_text(place), *place_trouble(place) ? ": " : "",
                     place_trouble(place));
        zk_timer(zk, MIN(now + USEC_PER_SEC, MAX(zk->answer_until, zk->found.automatic ? 0 : zk->until)));
}

static void zk_changed(Place *place, void *userdata)
{
        JobZk *zk = userdata;
        if (!zk->done && place == zk->places[zk->at])
                zk_step(zk);
}

static void zk_stolen(Place *place, void *userdata)
{
        JobZk *zk = userdata;
        Job *job = zk->job;
        char text[300];
        if (job->over || job->told_stolen)
                return;
        job->told_stolen = true;
        (void) snprintf(text, sizeof(text), "its place in the pool %.100s was taken away",
                        place_options(place)->pool);
        if (!job_can_cancel(job)) {
                job_warn(job, "%s; this node comes to its end all the same", text);
                return;
        }
        if (!*job->failure)
                (void) snprintf(job->failure, sizeof(job->failure), "%s", text);
        if (job_cancel(job, text, NULL) < 0)
                job_warn(job, "%s", text);
}

static const PlaceHandlers zk_handlers = { .changed = zk_changed, .stolen = zk_stolen };

/* Who we are, for the pool of @c. Return: false: told in @why. */
static bool zk_who(const JobZk *zk, const Component *c, PlaceOptions *ret, char *why, size_t size)
{
        Job *job = zk->job;
        Pool pool = { 0 };
        struct utsname host;
        char address[ADDR_TEXT_SIZE];
        uint16_t port;

        *ret = (PlaceOptions){ .zk = zk->options };
        if (pool_read(job->env.config->state_dir, c->name, &pool, NULL) < 0)
                pool = (Pool){ 0 };
        /* Kept for the day on which it is too sick to say it. */
        if ((c == job->component ? job->facts.self_known : *job->partner_self.uuid) &&
            pool_self(&pool, c == job->component ? &job->facts.self : &job->partner_self))
                (void) !pool_write(job->env.config->state_dir, c->name, &pool, NULL);
        (void) pool_name(job->env.config, c, &pool, ret->pool, sizeof(ret->pool));
        (void) snprintf(ret->uuid, sizeof(ret->uuid), "%s", pool.uuid);
        pool_done(&pool);
        if (!*ret->pool || !turn_uuid_good(ret->uuid)) {
                (void) snprintf(why, size, "%s does not say which server it is, so it has no place in a pool",
                                c->name);
                return false;
        }
        place_id(ret->id);
        (void) uname(&host);
        (void) snprintf(ret->name, sizeof(ret->name), "%.100s", host.nodename);
        port = c == job->component ? job->facts.health_port : job->partner_port;
        if (port && *own_address(job->env.conns, port, address, sizeof(address)))
                (void) snprintf(ret->address, sizeof(ret->address),
                                strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
        (void) snprintf(ret->by, sizeof(ret->by), "%s", job->options.by);
        (void) snprintf(ret->reason, sizeof(ret->reason), "%s%s%.200s", roll_kind_name(roll_kind(job->roll)),
                        *job->options.reason ? ": " : "", job->options.reason);
        return true;
}

static void zk_begin_next(JobZk *zk)
{
        Job *job = zk->job;
        PlaceOptions options;
        char why[300];
        Err err = { 0 };

        zk->looked = false;
        zk->waiting_since = 0;
        zk->answer_until = time_now() + (zk->found.automatic ? AUTO_USEC : ANSWER_USEC);
        if (!zk_who(zk, zk->of[zk->at], &options, why, sizeof(why))) {
                job_fail(job, RESULT_REFUSED,
                         "say --unprotected=REASON when no other node of the pool is out", "%s", why);
                return;
        }
        if (place_new(&zk->places[zk->at], job->env.event, &options, PLACE_TAKE, &zk_handlers, zk, &err) <
            0) {
                job_fail(job, RESULT_REFUSED, "see lock in edge-roll.conf(5)", "%s", err.text);
                return;
        }
        zk_timer(zk, time_now() + USEC_PER_SEC);
}

/* ---- for job-place.c ---- */

bool job_zk_wanted(const Job *job)
{
        LockFound found;
        lock_find(job->env.config, &found);
        return found.spec.kind == LOCK_ZOOKEEPER && !(job->within && job->options.covered);
}

bool job_zk_begin(Job *job)
{
        const Component *partner = roll_kind(job->roll) == ROLL_RESTART_RMP ? partner_component(job) : NULL;
        char why[300];
        PlaceOptions options;
        Err err = { 0 };

        job_zk_drop(job);
        JobZk *zk = calloc(1, sizeof(*zk));
        if (!zk)
                return false;
        lock_find(job->env.config, &zk->found);
        /* A ticket is there to wait, also for ZooKeeper, whoever has named it. */
        zk->found.automatic = zk->found.automatic && !job->options.ticket;
        zk->job = job;
        zk->of[zk->n++] = job->component;
        if (partner && job->partner_end < 0)
                zk->of[zk->n++] = partner;
        job->zk = zk;
        if (lock_zk(job->env.config, &zk->found.spec, &zk->options, &err) < 0) {
                job_fail(job, RESULT_REFUSED, "see lock_auth_file in edge-roll.conf(5)", "%s", err.text);
                return true;
        }
        /* Told before anybody waits for anything. */
        for (size_t i = 0; i < zk->n; i++)
                if (!zk_who(zk, zk->of[i], &options, why, sizeof(why))) {
                        if (*job->options.unprotected) {
                                job_zk_drop(job);
                                return false;
                        }
                        job_fail(job, RESULT_REFUSED,
                                 "say --unprotected=REASON when no other node of the pool is out", "%s", why);
                        return true;
                }
        zk->until = time_add(time_now(), job->options.wait_usec);
        job_lengthen(job, MIN(job->options.wait_usec, FOREVER_USEC) + LIMIT_MARGIN);
        zk_begin_next(zk);
        return true;
}

bool job_zk_fresh(const Job *job, char *text, size_t size)
{
        const JobZk *zk = job->zk;
        for (size_t i = 0; zk && strcmp(job->protection, "zookeeper") == 0 && i < zk->n; i++)
                if (zk->places[i] && !place_fresh(zk->places[i])) {
                        (void) snprintf(
                                text, size,
                                "ZooKeeper has not been heard of for longer than a session, so the place "
                                "in the pool %.100s may have been taken away",
                                place_options(zk->places[i])->pool);
                        return false;
                }
        return true;
}

/* model: PLACE-KEEP */
void job_zk_resume(Job *job)
{
        const Component *partner = roll_kind(job->roll) == ROLL_RESTART_RMP ? partner_component(job) : NULL;
        const Component *of[] = { job->component, partner };
        if (strcmp(job->protection, "zookeeper") != 0 || !job->placed || job->zk || job->within)
                return;
        JobZk *zk = calloc(1, sizeof(*zk));
        if (!zk)
                return;
        zk->job = job;
        zk->done = true;
        job->zk = zk;
        for (size_t i = 0; i < ELEMENTS(of) && of[i]; i++) {
                PlaceOptions options;
                if (places_read(job->env.config->state_dir, of[i]->name, &options, NULL) <= 0)
                        continue;
                zk->of[zk->n] = of[i];
                if (place_new(&zk->places[zk->n], job->env.event, &options, PLACE_KEEP, &zk_handlers, zk,
                              NULL) == 0)
                        zk->n++;
        }
}

void job_zk_left(Job *job)
{
        JobZk *zk = job->zk;
        if (!zk)
                return;
        mates_drop(zk);
        zk->timer = sd_event_source_unref(zk->timer);
        zk->done = true;
}

void job_zk_drop(Job *job)
{
        JobZk *zk = job->zk;
        if (!zk)
                return;
        job_zk_left(job);
        for (size_t i = 0; i < ELEMENTS(zk->places); i++)
                place_free(zk->places[i]);
        explicit_bzero(&zk->options, sizeof(zk->options));
        free(TAKE_PTR(job->zk));
}

struct Place *job_take_place(Job *job, const char **component)
{
        JobZk *zk = job->zk;
        for (size_t i = 0; zk && i < ELEMENTS(zk->places); i++)
                if (zk->places[i]) {
                        *component = zk->of[i]->name;
                        return TAKE_PTR(zk->places[i]);
                }
        return NULL;
}
