/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/why.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Judge {
        Why *why;
        const WhyInput *in;
        Err *err;
} Judge;

static const char *const kind_names[] = {
        [WHY_KEYSTORE] = "keystore",         [WHY_TRUSTSTORE] = "truststore",   [WHY_REFERENCE] = "reference",
        [WHY_TARGETSERVER] = "targetserver", [WHY_VIRTUALHOST] = "virtualhost",
};
_Static_assert(ELEMENTS(kind_names) == WHY_KIND_COUNT, "every kind has a name");

int why_changed_parse(const char *word, WhyChanged *ret, Err *err)
{
        WhyChanged c = { .kind = WHY_KIND_INVALID, .how = WHY_CHANGE_INVALID };
        const char *colon = strchr(word, ':'), *at = strrchr(word, '@');
        const char *equals = at ? strchr(at, '=') : NULL;

        for (int i = 0; colon && i < WHY_KIND_COUNT; i++)
                if (strlen(kind_names[i]) == (size_t) (colon - word) &&
                    strncmp(word, kind_names[i], (size_t) (colon - word)) == 0)
                        c.kind = (WhyKind) i;
        size_t name = colon && at && at > colon ? (size_t) (at - colon - 1) : 0;
        size_t env = at ? (equals ? (size_t) (equals - at - 1) : strlen(at + 1)) : 0;
        if (c.kind < 0 || name == 0 || env == 0 || name >= sizeof(c.name) || env >= sizeof(c.env))
                return err_set(
                        err, -EINVAL,
                        "\"%.80s\" is no change; accepted: keystore:NAME@ENV, and the same with truststore, "
                        "reference, targetserver or virtualhost",
                        word);
        (void) snprintf(c.name, sizeof(c.name), "%.*s", (int) name, colon + 1);
        (void) snprintf(c.env, sizeof(c.env), "%.*s", (int) env, at + 1);
        if (equals && (c.how = why_change_from_name(equals + 1)) < 0)
                return err_set(
                        err, -EINVAL,
                        "\"%.80s\": how it was changed is one of new, recreated, uploaded, to-reference",
                        word);
        *ret = c;
        return 0;
}

const char *why_server_name(const Server *s)
{
        return *s->address ? s->address : *s->hostname ? s->hostname : s->uuid;
}

/* ---- findings ---- */

Why *why_free(Why *w)
{
        if (!w)
                return NULL;
        for (size_t i = 0; i < w->n; i++)
                free(w->findings[i].servers);
        free(w->findings);
        free(w);
        return NULL;
}

/* Valid until the next one is added. Never NULL: what cannot be kept is told at the end. */
static WhyFinding *add(Judge *j, WhyAction action, const char *about, const char *fmt, ...) _printf_(4, 5);

static WhyFinding *add(Judge *j, WhyAction action, const char *about, const char *fmt, ...)
{
        static WhyFinding lost;
        Why *w = j->why;
        WhyFinding *more = realloc(w->findings, (w->n + 1) * sizeof(*more)), *f = &lost;
        size_t *servers = calloc(w->servers->n + 1, sizeof(*servers));
        va_list ap;
        if (more)
                w->findings = more;
        if (!more || !servers) {
                free(servers);
                w->no_memory = true;
        } else {
                f = &w->findings[w->n++];
                *f = (WhyFinding){ .action = action, .documented = true, .servers = servers };
                (void) snprintf(f->about, sizeof(f->about), "%s", about);
                va_start(ap, fmt);
                (void) vsnprintf(f->reason, sizeof(f->reason), fmt, ap);
                va_end(ap);
        }
        return f;
}

static void add_server(Judge *j, WhyFinding *f, size_t at)
{
        if (!f->servers)
                return;
        for (size_t i = 0; i < f->n_servers; i++)
                if (f->servers[i] == at)
                        return;
        (void) j;
        f->servers[f->n_servers++] = at;
}

/* Index of a server of that kind; the number of servers: there is none of that id. */
static size_t find_server(const Judge *j, const char *uuid, bool router)
{
        const Servers *s = j->in->servers;
        size_t i = 0;
        while (i < s->n &&
               (strcmp(s->rows[i].uuid, uuid) != 0 || !(router ? s->rows[i].is_router : s->rows[i].is_mp)))
                i++;
        return i;
}

/* Is the router @at in a region and pod of one of the environment's message processors? */
static bool router_near(const Servers *s, size_t at, const EstateEnv *env)
{
        const Server *router = &s->rows[at];
        for (char **uuid = env->servers; uuid && *uuid; uuid++)
                for (size_t i = 0; i < s->n; i++)
                        if (s->rows[i].is_mp && strcmp(s->rows[i].uuid, *uuid) == 0 &&
                            strcmp(s->rows[i].region, router->region) == 0 &&
                            strcmp(s->rows[i].pod, router->pod) == 0)
                                return true;
        return false;
}

bool why_router_of(const Servers *s, size_t at, const EstateEnv *env)
{
        bool any = false;
        if (!s->rows[at].is_router)
                return false;
        for (size_t i = 0; i < s->n && !any; i++)
                any = s->rows[i].is_router && router_near(s, i, env);
        return !any || router_near(s, at, env);
}

static void add_routers(Judge *j, WhyFinding *f, const EstateEnv *env)
{
        for (size_t i = 0; i < j->in->servers->n; i++)
                if (why_router_of(j->in->servers, i, env))
                        add_server(j, f, i);
}

/* Those that serve the environment; all where that is not known. */
static void add_mps(Judge *j, WhyFinding *f, const EstateEnv *env)
{
        const Servers *s = j->in->servers;
        for (char **uuid = env->servers; uuid && *uuid; uuid++) {
                size_t at = find_server(j, *uuid, false);
                if (at < s->n)
                        add_server(j, f, at);
        }
        for (size_t i = 0; !env->servers && i < s->n; i++)
                if (s->rows[i].is_mp)
                        add_server(j, f, i);
}

/* ---- deployments ---- */

typedef enum MissKind {
        MISS_HERE,      /* on one server: it is to be restarted */
        MISS_NAMELESS,  /* on a server that has no id */
        MISS_UNSAID,    /* a server does not say */
        MISS_UNSETTLED, /* what should be is not said, or about to change */
} MissKind;

/* All that is not as it should be on one server, or of one kind that no server is restarted for: one finding.
 */
typedef struct Missed {
        MissKind kind;
        char uuid[64]; /* of MISS_HERE */
        bool router;
        size_t n;
        char text[400]; /* of the first */
} Missed;

typedef struct MissedList {
        Missed *rows;
        size_t n;
} MissedList;

static void miss(Judge *j, MissedList *list, MissKind kind, const char *uuid, bool router, const char *fmt,
                 ...) _printf_(6, 7);

static void miss(Judge *j, MissedList *list, MissKind kind, const char *uuid, bool router, const char *fmt,
                 ...)
{
        va_list ap;
        for (size_t i = 0; i < list->n; i++) {
                Missed *m = &list->rows[i];
                if (m->kind == kind && strcmp(m->uuid, uuid) == 0 && m->router == router) {
                        m->n++;
                        return;
                }
        }
        Missed *more = realloc(list->rows, (list->n + 1) * sizeof(*more));
        if (!more) {
                j->why->no_memory = true;
                return;
        }
        list->rows = more;
        Missed *m = &more[list->n++];
        *m = (Missed){ .kind = kind, .router = router, .n = 1 };
        (void) snprintf(m->uuid, sizeof(m->uuid), "%s", uuid);
        va_start(ap, fmt);
        (void) vsnprintf(m->text, sizeof(m->text), fmt, ap);
        va_end(ap);
}

static void missed_here(Judge *j, const EstateEnv *env, const Missed *m)
{
        char about[700];
        size_t at = find_server(j, m->uuid, m->router);
        (void) snprintf(about, sizeof(about), "deployments:%.200s@%.200s/%.200s", m->uuid, env->org,
                        env->env);
        WhyFinding *f = add(j, m->router ? WHY_ROUTERS : WHY_MPS, about, "%zu deployment%s there: %s", m->n,
                            m->n == 1 ? " is not as it should be" : "s are not as they should be", m->text);
        if (at < j->in->servers->n) {
                add_server(j, f, at);
                return;
        }
        /* A record of one that is gone: a restart of others changes nothing about it. */
        f->unknown = true;
        f->action = WHY_NOTHING;
        (void) snprintf(
                f->reason, sizeof(f->reason),
                "not as it should be, and on a server that /v1/servers does not list (%zu deployments): a stale "
                "record? %.300s",
                m->n, m->text);
}

static void missed_tell(Judge *j, const EstateEnv *env, const Missed *m)
{
        static const char *const what[][2] = {
                [MISS_NAMELESS] = { "deployment is not as it should be on a server whose id is not said",
                                    "deployments are not as they should be on servers whose id is not said" },
                [MISS_UNSAID] = { "time a server does not say whether a deployment is as it should be",
                                  "times a server does not say whether a deployment is as it should be" },
                [MISS_UNSETTLED] = { "deployment of which is not known what it should be",
                                     "deployments of which is not known what they should be" },
        };
        char about[700];
        if (m->kind == MISS_HERE) {
                missed_here(j, env, m);
                return;
        }
        (void) snprintf(about, sizeof(about), "deployments@%.200s/%.200s", env->org, env->env);
        add(j, WHY_NOTHING, about, "%zu %s: %s", m->n, what[m->kind][m->n != 1], m->text)->unknown = true;
}

static void judge_deployed_on(Judge *j, MissedList *list, const Deployment *d, const DeployedOn *on)
{
        /* Its kind need not be said: then as the server is listed. */
        bool router = on->is_router ||
                      (!on->is_mp && *on->uuid && find_server(j, on->uuid, true) < j->in->servers->n);
        MissKind kind = *on->uuid ? MISS_HERE : MISS_NAMELESS;
        const char *colon = *on->error ? ": " : "";
        if (on->stand == DEPLOYED_GOOD)
                return;
        if (on->stand == DEPLOYED_UNKNOWN)
                miss(j, list, MISS_UNSAID, "", false, "%.80s revision %.20s, %s: %s%s%.150s", d->proxy,
                     d->revision, *on->uuid ? on->uuid : "a server without an id",
                     *on->status ? on->status : "no status", colon, on->error);
        else if (strcasecmp(d->state, on->status) == 0)
                miss(j, list, kind, on->uuid, router, "%.80s revision %.20s has failed there%s%.150s",
                     d->proxy, d->revision, colon, on->error);
        else
                miss(j, list, kind, on->uuid, router,
                     "%.80s revision %.20s should be %.30s and is %.30s%s%.150s", d->proxy, d->revision,
                     d->state, on->status, colon, on->error);
}

static void judge_deployments(Judge *j, const EstateEnv *env)
{
        MissedList list = { 0 };
        for (size_t i = 0; env->deployments && i < env->deployments->n; i++) {
                const Deployment *d = &env->deployments->rows[i];
                for (size_t k = 0; d->settled && k < d->n_servers; k++)
                        judge_deployed_on(j, &list, d, &d->servers[k]);
                if (!d->settled)
                        miss(j, &list, MISS_UNSETTLED, "", false, "%.80s revision %.20s: its state is %s%s",
                             d->proxy, d->revision, *d->state ? d->state : "not said",
                             strcasecmp(d->state, "error") == 0 ? ", and no server says that it has failed"
                                                                : "");
        }
        for (size_t i = 0; i < list.n; i++)
                missed_tell(j, env, &list.rows[i]);
        free(list.rows);
}

/* ---- certificates ---- */

static void vhost_about(const WhyVhost *v, char *buf, size_t size)
{
        (void) snprintf(buf, size, "virtualhost:%.200s@%.200s/%.200s", v->vhost->name, v->env->org,
                        v->env->env);
}

typedef enum Serving {
        SERVING_EXPECTED, /* every router that could be asked, and all could */
        SERVING_OTHER,    /* at least one serves another */
        SERVING_UNKNOWN,
} Serving;

static Serving vhost_serving(const WhyVhost *v)
{
        bool unseen = !*v->expected || v->n_served == 0;
        for (size_t i = 0; i < v->n_served; i++) {
                if (*v->expected && v->served[i].known && strcmp(v->served[i].fingerprint, v->expected) != 0)
                        return *v->trouble ? SERVING_UNKNOWN : SERVING_OTHER;
                unseen = unseen || !v->served[i].known;
        }
        return unseen ? SERVING_UNKNOWN : SERVING_EXPECTED;
}

static void vhost_add_others(Judge *j, WhyFinding *f, const WhyVhost *v)
{
        for (size_t i = 0; i < v->n_served; i++)
                if (v->served[i].known && strcmp(v->served[i].fingerprint, v->expected) != 0)
                        add_server(j, f, v->served[i].server);
}

static void judge_vhost(Judge *j, const WhyVhost *v)
{
        const Servers *s = j->in->servers;
        char about[700];
        vhost_about(v, about, sizeof(about));
        if (!*v->expected) {
                add(j, WHY_NOTHING, about, "which certificate is to be served is not known: %s", v->trouble)
                        ->unknown = true;
                return;
        }
        if (*v->trouble) {
                add(j, WHY_NOTHING, about, "%s", v->trouble)->unknown = true;
                return;
        }
        if (v->n_served == 0)
                add(j, WHY_NOTHING, about, "no router is known that could be asked what it serves")->unknown =
                        true;
        for (size_t i = 0; i < v->n_served; i++)
                if (!v->served[i].known)
                        add(j, WHY_NOTHING, about, "what router %s serves there is not known: %s",
                            why_server_name(&s->rows[v->served[i].server]), v->served[i].text)
                                ->unknown = true;
        switch (vhost_serving(v)) {
        case SERVING_OTHER:
                for (size_t i = 0; i < v->n_served; i++)
                        if (v->served[i].known && strcmp(v->served[i].fingerprint, v->expected) != 0) {
                                WhyFinding *f = add(
                                        j, WHY_ROUTERS, about,
                                        "router %s serves the certificate %.23s..., and not %.23s... (%s)",
                                        why_server_name(&s->rows[v->served[i].server]),
                                        v->served[i].fingerprint, v->expected, v->expected_from);
                                add_server(j, f, v->served[i].server);
                        }
                break;
        case SERVING_EXPECTED:
                add(j, WHY_NOTHING, about, "all %zu routers serve the certificate %.23s... (%s)", v->n_served,
                    v->expected, v->expected_from);
                break;
        case SERVING_UNKNOWN:
                break;
        }
}

static const WhyVhost *find_vhost(const Judge *j, const EstateEnv *env, const Vhost *vhost)
{
        for (size_t i = 0; i < j->in->n_vhosts; i++)
                if (j->in->vhosts[i].env == env && j->in->vhosts[i].vhost == vhost)
                        return &j->in->vhosts[i];
        return NULL;
}

/* ---- what was changed ---- */

static void changed_about(const WhyChanged *c, const EstateEnv *env, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s:%.200s@%.200s/%.200s", kind_names[c->kind], c->name, env->org,
                        env->env);
}

/* One use of a store, by the table. @kind, @who: the virtual host, target server or proxy that uses it. */
static void judge_use(Judge *j, const EstateEnv *env, const WhyChanged *c, WhyChange how, StoreNaming naming,
                      WhyUse use, const char *kind, const char *who, const Vhost *vhost)
{
        const WhyRow *row = why_look_up(naming, how, use);
        const WhyVhost *seen = vhost && use == WHY_VHOST_KEYS ? find_vhost(j, env, vhost) : NULL;
        Serving serving = seen ? vhost_serving(seen) : SERVING_UNKNOWN;
        char about[700];

        if (!row)
                return;
        /* The keystore has not what is expected: told already, and no restart brings it. */
        if (row->action == WHY_ROUTERS && seen && *seen->expected && *seen->trouble)
                return;
        changed_about(c, env, about, sizeof(about));
        if (row->action == WHY_ROUTERS && serving == SERVING_EXPECTED) {
                add(j, WHY_NOTHING, about,
                    "%s of %s %.100s: every router serves the expected certificate already",
                    why_use_name(use), kind, who);
                return;
        }
        /* A reference changes in one way only, and a changed target server is one that names other stores. */
        bool said = c->how >= 0 || c->kind == WHY_REFERENCE || c->kind == WHY_TARGETSERVER;
        WhyFinding *f =
                add(j, row->action, about, "%s of %s %.200s: %s%s", why_use_name(use), kind, who,
                    said ? "" : "how it was changed is not said, and this is the most that can follow: ",
                    row->reason);
        f->documented = row->documented;
        if (row->action == WHY_ROUTERS && serving == SERVING_OTHER)
                vhost_add_others(j, f, seen);
        else if (row->action == WHY_ROUTERS)
                add_routers(j, f, env);
        else if (row->action == WHY_MPS)
                add_mps(j, f, env);
}

/* Does @written (the name of a store as a configuration has it) mean the store or the reference @c? */
static bool means(const EstateEnv *env, const char *written, const WhyChanged *c, StoreNaming *ret)
{
        const char *name;
        *ret = store_naming(written, &name);
        if (c->kind == WHY_REFERENCE)
                return *ret == STORE_BY_REFERENCE && strcmp(name, c->name) == 0;
        if (*ret == STORE_BY_REFERENCE)
                name = estate_refers(env, name);
        return *ret != STORE_NONE && *ret != STORE_BY_VARIABLE && name && strcmp(name, c->name) == 0;
}

static const char *text_of(EdgeText t)
{
        return t.value ? t.value : "";
}

/* The same of a store that stands there and is not used: no certificate of one's own is shown, or none is
 * asked for. Source: Apigee, "SSLInfo": clientAuthEnabled turns two-way TLS on, and is false by default. */
static void judge_unused(Judge *j, const EstateEnv *env, const WhyChanged *c, WhyUse use, const char *kind,
                         const char *who)
{
        char about[700];
        changed_about(c, env, about, sizeof(about));
        add(j, WHY_NOTHING, about,
            "%s of %s %.200s is not used: TLS is one-way there (clientAuthEnabled is not true)",
            why_use_name(use), kind, who);
}

/* A store that an endpoint of a proxy names itself. Return: may it be that which was changed? */
static bool judge_endpoint(Judge *j, const EstateEnv *env, const WhyChanged *c, WhyChange how,
                           const EstateEndpoint *e, WhyUse use)
{
        const char *written = use == WHY_TARGET_KEYS ? e->key_store : e->trust_store;
        char about[700];
        StoreNaming naming;
        if (means(env, written, c, &naming)) {
                if (use == WHY_TARGET_KEYS && !e->two_way)
                        judge_unused(j, env, c, use, "proxy", e->where);
                else
                        judge_use(j, env, c, how, naming, use, "proxy", e->where, NULL);
                return true;
        }
        if (use == WHY_TARGET_KEYS && !e->two_way)
                return false;
        /* Which one a variable names only a request knows. A new one of any name needs nothing. */
        const WhyRow *row = naming == STORE_BY_VARIABLE ? why_look_up(naming, how, use) : NULL;
        if (!row || row->action == WHY_NOTHING || c->kind == WHY_REFERENCE)
                return false;
        changed_about(c, env, about, sizeof(about));
        add(j, WHY_NOTHING, about,
            "%s of proxy %.200s is named by the flow variable %.100s: if it names this one, message processors "
            "must be restarted",
            why_use_name(use), e->where, written)
                ->unknown = true;
        return true;
}

/* Return: how often it names what was changed. */
static size_t judge_vhost_stores(Judge *j, const EstateEnv *env, const WhyChanged *c, WhyChange how,
                                 const Vhost *v)
{
        StoreNaming naming;
        size_t n = 0;
        if (!v->tls.enabled)
                return 0;
        if (means(env, v->tls.key_store, c, &naming) && ++n)
                judge_use(j, env, c, how, naming, WHY_VHOST_KEYS, "virtual host", v->name, v);
        if (!means(env, v->tls.trust_store, c, &naming))
                return n;
        if (v->tls.client_auth)
                judge_use(j, env, c, how, naming, WHY_VHOST_TRUST, "virtual host", v->name, v);
        else
                judge_unused(j, env, c, WHY_VHOST_TRUST, "virtual host", v->name);
        return n + 1;
}

static size_t judge_target_stores(Judge *j, const EstateEnv *env, const WhyChanged *c, WhyChange how,
                                  const TargetRow *row)
{
        const EdgeSsl *ssl = &row->target->server.ssl;
        StoreNaming naming;
        size_t n = 0;
        if (!edge_flag(ssl->enabled, false))
                return 0;
        if (means(env, text_of(ssl->trust_store), c, &naming) && ++n)
                judge_use(j, env, c, how, naming, WHY_TARGET_TRUST, "target server", row->name, NULL);
        if (!means(env, text_of(ssl->key_store), c, &naming))
                return n;
        if (edge_flag(ssl->client_auth, false))
                judge_use(j, env, c, how, naming, WHY_TARGET_KEYS, "target server", row->name, NULL);
        else
                judge_unused(j, env, c, WHY_TARGET_KEYS, "target server", row->name);
        return n + 1;
}

/* Everything in the environment that uses a store or a reference. Return: how many. */
static size_t judge_users(Judge *j, const EstateEnv *env, const WhyChanged *c)
{
        /* A reference itself changes by being pointed at another store, and in no other way. */
        WhyChange how = c->kind == WHY_REFERENCE && c->how < 0 ? WHY_NEW_STORE : c->how;
        size_t n = 0;
        for (size_t i = 0; i < env->n_vhosts; i++)
                n += judge_vhost_stores(j, env, c, how, env->vhosts[i]);
        for (size_t i = 0; env->targets && i < env->targets->n; i++)
                if (env->targets->rows[i].target)
                        n += judge_target_stores(j, env, c, how, &env->targets->rows[i]);
        for (size_t i = 0; i < env->n_endpoints; i++) {
                n += judge_endpoint(j, env, c, how, &env->endpoints[i], WHY_TARGET_KEYS);
                n += judge_endpoint(j, env, c, how, &env->endpoints[i], WHY_TARGET_TRUST);
        }
        return n;
}

static bool in_list(char *const *names, const char *name)
{
        for (; names && *names; names++)
                if (strcmp(*names, name) == 0)
                        return true;
        return false;
}

/* Return: is it there? */
static bool judge_store(Judge *j, const EstateEnv *env, const WhyChanged *c)
{
        char about[700];
        bool there = c->kind == WHY_REFERENCE ? estate_refers(env, c->name) != NULL
                                              : in_list(env->stores, c->name);
        size_t users = judge_users(j, env, c);
        if (!there && users == 0)
                return false;
        changed_about(c, env, about, sizeof(about));
        if (users == 0 && env->n_troubles == 0)
                add(j, WHY_NOTHING, about, "no virtual host, no target server and no deployed proxy uses it");
        else if (users == 0)
                add(j, WHY_NOTHING, about,
                    "nothing that could be read uses it, and not everything could be read")
                        ->unknown = true;
        return true;
}

static bool judge_target(Judge *j, const EstateEnv *env, const WhyChanged *c)
{
        const TargetRow *row = NULL;
        const char *name;
        char about[700];
        for (size_t i = 0; env->targets && i < env->targets->n; i++)
                if (strcmp(env->targets->rows[i].name, c->name) == 0)
                        row = &env->targets->rows[i];
        if (!row)
                return false;
        changed_about(c, env, about, sizeof(about));
        if (!row->target) {
                add(j, WHY_NOTHING, about, "it cannot be read: %s", row->trouble)->unknown = true;
                return true;
        }
        const EdgeSsl *ssl = &row->target->server.ssl;
        bool tls = edge_flag(ssl->enabled, false);
        bool two_way = tls && edge_flag(ssl->client_auth, false);
        StoreNaming keys = two_way ? store_naming(text_of(ssl->key_store), &name) : STORE_NONE;
        StoreNaming trust = tls ? store_naming(text_of(ssl->trust_store), &name) : STORE_NONE;
        WhyChange how = c->how < 0 ? WHY_NEW_STORE : c->how;
        if (keys != STORE_NONE)
                judge_use(j, env, c, how, keys, WHY_TARGET_KEYS, "target server", row->name, NULL);
        if (trust != STORE_NONE)
                judge_use(j, env, c, how, trust, WHY_TARGET_TRUST, "target server", row->name, NULL);
        if (keys == STORE_NONE && trust == STORE_NONE)
                add(j, WHY_NOTHING, about,
                    "a target server without stores that are used takes effect without a restart and without a deployment");
        return true;
}

static bool judge_changed_vhost(Judge *j, const EstateEnv *env, const WhyChanged *c)
{
        const Vhost *v = NULL;
        const char *name;
        char about[700];
        for (size_t i = 0; i < env->n_vhosts; i++)
                if (strcmp(env->vhosts[i]->name, c->name) == 0)
                        v = env->vhosts[i];
        if (!v)
                return false;
        StoreNaming keys = v->tls.enabled ? store_naming(v->tls.key_store, &name) : STORE_NONE;
        StoreNaming trust =
                v->tls.enabled && v->tls.client_auth ? store_naming(v->tls.trust_store, &name) : STORE_NONE;
        /* With a reference only the first change to it needs a restart; whether this was that is not known.
         */
        WhyChange how = c->how >= 0 ? c->how : WHY_NEW_STORE;
        if (keys != STORE_NONE)
                judge_use(j, env, c, c->how < 0 && keys == STORE_BY_REFERENCE ? WHY_TO_REFERENCE : how, keys,
                          WHY_VHOST_KEYS, "virtual host", v->name, v);
        if (trust != STORE_NONE)
                judge_use(j, env, c, c->how < 0 && trust == STORE_BY_REFERENCE ? WHY_TO_REFERENCE : how,
                          trust, WHY_VHOST_TRUST, "virtual host", v->name, v);
        if (keys == STORE_NONE && trust == STORE_NONE) {
                changed_about(c, env, about, sizeof(about));
                WhyFinding *f = add(
                        j, WHY_ROUTERS, about,
                        "whether a change of a virtual host without stores that are used takes effect by itself is not "
                        "documented, so routers are restarted");
                f->documented = false;
                add_routers(j, f, env);
        }
        return true;
}

static int judge_changed(Judge *j, const WhyChanged *c)
{
        const Estate *e = j->in->estate;
        bool env_there = false, there = false;
        char known[300] = "";
        for (size_t i = 0; i < e->n; i++) {
                const EstateEnv *env = &e->envs[i];
                size_t len = strlen(known);
                if (!strstr(known, env->env) && len + 20 < sizeof(known))
                        (void) snprintf(known + len, sizeof(known) - len, "%s%.60s", len ? ", " : "",
                                        env->env);
                if (strcmp(env->env, c->env) != 0)
                        continue;
                env_there = true;
                bool here = c->kind == WHY_TARGETSERVER  ? judge_target(j, env, c)
                            : c->kind == WHY_VIRTUALHOST ? judge_changed_vhost(j, env, c)
                                                         : judge_store(j, env, c);
                there = there || here;
        }
        if (!env_there)
                return err_set(j->err, -ENOENT, "There is no environment %.80s; there are: %s", c->env,
                               known);
        if (!there && e->n_troubles == 0)
                return err_set(j->err, -ENOENT,
                               "There is no %s %.80s in environment %.80s, and nothing names one",
                               kind_names[c->kind], c->name, c->env);
        if (!there)
                add(j, WHY_NOTHING, c->name, "it was not found, and not everything could be read")->unknown =
                        true;
        return 0;
}

/* ---- all ---- */

static int by_strength(const void *a, const void *b)
{
        const WhyFinding *x = a, *y = b;
        if (x->action != y->action)
                return x->action > y->action ? -1 : 1;
        if (x->unknown != y->unknown)
                return x->unknown ? -1 : 1;
        int about = strcmp(x->about, y->about);
        return about ? about : strcmp(x->reason, y->reason);
}

int why_judge(Why **ret, const WhyInput *input, Err *err)
{
        _cleanup_(why_freep) Why *w = calloc(1, sizeof(*w));
        Judge j = { .why = w, .in = input, .err = err };
        int r = 0;

        if (!w)
                return err_set(err, -ENOMEM, "Out of memory");
        w->servers = input->servers;
        for (size_t i = 0; i < input->estate->n; i++)
                judge_deployments(&j, &input->estate->envs[i]);
        for (size_t i = 0; i < input->n_vhosts; i++)
                judge_vhost(&j, &input->vhosts[i]);
        for (size_t i = 0; i < input->n_changed && r >= 0; i++)
                r = judge_changed(&j, &input->changed[i]);
        for (size_t i = 0; i < MIN(input->estate->n_troubles, (size_t) ESTATE_TROUBLES_MAX); i++)
                add(&j, WHY_NOTHING, "", "%s", input->estate->troubles[i] ? input->estate->troubles[i] : "?")
                        ->unknown = true;
        if (input->estate->n_troubles > ESTATE_TROUBLES_MAX)
                add(&j, WHY_NOTHING, "", "and %zu things more that could not be read",
                    input->estate->n_troubles - ESTATE_TROUBLES_MAX)
                        ->unknown = true;
        if (r >= 0 && w->no_memory)
                r = err_set(err, -ENOMEM, "Out of memory");
        if (r < 0)
                return r;
        if (w->n > 0)
                qsort(w->findings, w->n, sizeof(*w->findings), by_strength);
        *ret = TAKE_PTR(w);
        return 0;
}

bool why_wants(const Why *w, WhyAction action, size_t at)
{
        for (size_t i = 0; i < w->n; i++)
                for (size_t k = 0; w->findings[i].action == action && k < w->findings[i].n_servers; k++)
                        if (w->findings[i].servers[k] == at)
                                return true;
        return false;
}

bool why_unknown(const Why *w)
{
        for (size_t i = 0; i < w->n; i++)
                if (w->findings[i].unknown)
                        return true;
        return false;
}
