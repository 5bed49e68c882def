/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/estate.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/deployed.h"
#include "agent/edge/fetch.h"
#include "probes/edge-json.h"
#include "probes/edge-xml.h"
#include "probes/pem.h"

/* One environment being walked. */
typedef struct Walk {
        Api *api;
        Estate *estate;
        EstateEnv *env;
        Err *err;
} Walk;

static void estate_trouble(Walk *w, const char *fmt, ...) _printf_(2, 3);

static void estate_trouble(Walk *w, const char *fmt, ...)
{
        char text[900];
        Estate *e = w->estate;
        size_t n = (size_t) snprintf(text, sizeof(text), "%.80s/%.80s: ", w->env->org, w->env->env);
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text + n, sizeof(text) - n, fmt, ap);
        va_end(ap);
        if (e->n_troubles < ESTATE_TROUBLES_MAX)
                e->troubles[e->n_troubles] = strdup(text);
        e->n_troubles++;
        w->env->n_troubles++;
}

static void endpoint_done(EstateEndpoint *e)
{
        free(e->where);
        free(e->key_store);
        free(e->trust_store);
}

static void env_done(EstateEnv *env)
{
        for (size_t i = 0; i < env->n_vhosts; i++)
                vhost_free(env->vhosts[i]);
        free(env->vhosts);
        free(env->references);
        edge_list_free(env->stores);
        targets_rows_free(env->targets);
        deployments_free(env->deployments);
        for (size_t i = 0; i < env->n_endpoints; i++)
                endpoint_done(&env->endpoints[i]);
        free(env->endpoints);
        edge_list_free(env->servers);
}

Estate *estate_free(Estate *e)
{
        if (!e)
                return NULL;
        for (size_t i = 0; i < e->n; i++)
                env_done(&e->envs[i]);
        for (size_t i = 0; i < MIN(e->n_troubles, (size_t) ESTATE_TROUBLES_MAX); i++)
                free(e->troubles[i]);
        free(e->envs);
        free(e);
        return NULL;
}

const char *estate_refers(const EstateEnv *env, const char *name)
{
        for (size_t i = 0; i < env->n_references; i++)
                if (strcmp(env->references[i].name, name) == 0)
                        return env->references[i].refers;
        return NULL;
}

/* ---- one environment ---- */

static int env_path(Walk *w, const char *kind, char **ret)
{
        return api_path(ret, API_SEGMENTS("o", w->env->org, "e", w->env->env, kind), w->err);
}

/* Names of one kind. @ret: NULL when they cannot be had, which is told. */
static int env_names(Walk *w, const char *kind, char **ret_path, char ***ret)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        int r = env_path(w, kind, ret_path);
        if (r >= 0)
                r = fetch_names(w->api, *ret_path, ret, &answer, w->err);
        if (r >= 0 && !*ret)
                estate_trouble(w, "%s: %s", kind, answer.text);
        return r;
}

static size_t count(char *const *names)
{
        size_t n = 0;
        while (names[n])
                n++;
        return n;
}

static void on_vhost(const char *name, const ApiAnswer *answer, void *userdata)
{
        Walk *w = userdata;
        EstateEnv *env = w->env;
        Err why = { 0 };
        if (answer->kind == API_ABSENT)
                return; /* gone meanwhile */
        if (answer->kind != API_OK)
                estate_trouble(w, "virtual host %.80s: %s", name, answer->text);
        else if (vhost_parse(answer->body, answer->body_len, &env->vhosts[env->n_vhosts], &why) < 0)
                estate_trouble(w, "virtual host %.80s: %s", name, why.text);
        else
                env->n_vhosts++;
}

static int env_vhosts(Walk *w)
{
        _cleanup_(edge_list_freep) char **names = NULL;
        _cleanup_(freep) char *path = NULL;
        int r = env_names(w, "virtualhosts", &path, &names);
        if (r < 0 || !names)
                return r;
        w->env->vhosts = calloc(count(names) + 1, sizeof(*w->env->vhosts));
        if (!w->env->vhosts)
                return err_set(w->err, -ENOMEM, "Out of memory for virtual hosts");
        return fetch_each(w->api, path, names, on_vhost, w, w->err);
}

static void on_reference(const char *name, const ApiAnswer *answer, void *userdata)
{
        Walk *w = userdata;
        EstateEnv *env = w->env;
        Err why = { 0 };
        if (answer->kind == API_ABSENT)
                return;
        if (answer->kind != API_OK)
                estate_trouble(w, "reference %.80s: %s", name, answer->text);
        else if (store_reference_parse(answer->body, answer->body_len, &env->references[env->n_references],
                                       &why) < 0)
                estate_trouble(w, "reference %.80s: %s", name, why.text);
        else
                env->n_references++;
}

static int env_references(Walk *w)
{
        _cleanup_(edge_list_freep) char **names = NULL;
        _cleanup_(freep) char *path = NULL;
        int r = env_names(w, "references", &path, &names);
        if (r < 0 || !names)
                return r;
        w->env->references = calloc(count(names) + 1, sizeof(*w->env->references));
        if (!w->env->references)
                return err_set(w->err, -ENOMEM, "Out of memory for references");
        return fetch_each(w->api, path, names, on_reference, w, w->err);
}

static int env_targets(Walk *w)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        EstateEnv *env = w->env;
        int r = targets_fetch(w->api, env->org, env->env, &env->targets, &answer, w->err);
        if (r < 0)
                return r;
        if (!env->targets)
                estate_trouble(w, "targetservers: %s", answer.text);
        for (size_t i = 0; env->targets && i < env->targets->n; i++)
                if (!env->targets->rows[i].target)
                        estate_trouble(w, "target server %.80s: %s", env->targets->rows[i].name,
                                       env->targets->rows[i].trouble);
        return 0;
}

static int env_deployments(Walk *w)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        _cleanup_(freep) char *path = NULL;
        Err why = { 0 };
        int r = env_path(w, "deployments", &path);
        if (r >= 0)
                r = api_call(w->api, &(ApiRequest){ .path = path, .max_bytes = DEPLOYMENTS_MAX }, &answer,
                             w->err);
        if (r < 0)
                return r;
        if (answer.kind != API_OK)
                estate_trouble(w, "deployments: %s", answer.text);
        else if (deployments_parse(answer.body, answer.body_len, w->env->env, &w->env->deployments, &why) < 0)
                estate_trouble(w, "deployments: %s", why.text);
        return 0;
}

static int env_stores(Walk *w)
{
        _cleanup_(freep) char *path = NULL;
        return env_names(w, "keystores", &path, &w->env->stores);
}

static int env_servers(Walk *w)
{
        _cleanup_(freep) char *path = NULL;
        return env_names(w, "servers", &path, &w->env->servers);
}

/* Is TLS with these stores spoken there? What only a request knows may be. */
static bool endpoint_has_tls(const EdgeSsl *ssl)
{
        return edge_flag(ssl->enabled, ssl->enabled.line > 0);
}

static int endpoint_add(EstateEnv *env, const char *where, const EdgeSsl *ssl)
{
        EstateEndpoint *more = realloc(env->endpoints, (env->n_endpoints + 1) * sizeof(*more));
        if (!more)
                return -ENOMEM;
        env->endpoints = more;
        EstateEndpoint one = { .where = strdup(where),
                               .two_way = edge_flag(ssl->client_auth, false),
                               .key_store = strdup(ssl->key_store.value ? ssl->key_store.value : ""),
                               .trust_store = strdup(ssl->trust_store.value ? ssl->trust_store.value : "") };
        if (!one.where || !one.key_store || !one.trust_store) {
                endpoint_done(&one);
                return -ENOMEM;
        }
        more[env->n_endpoints++] = one;
        return 0;
}

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        Walk *w = userdata;
        Err why = { 0 };
        int r = edge_xml_read(text, len, &x, &why);
        if (r == -ENOMEM || r == -ELIBACC)
                return err_set(w->err, r, "%s", why.text);
        if (r < 0) {
                estate_trouble(w, "%.200s: %s", path, why.text);
                return 0;
        }
        const EdgeSsl *ssl = &x->connection.ssl;
        if ((x->kind != EDGE_XML_TARGET_ENDPOINT && x->kind != EDGE_XML_SERVICE_CALLOUT) ||
            !endpoint_has_tls(ssl) || (!ssl->key_store.value && !ssl->trust_store.value))
                return 0;
        r = endpoint_add(w->env, path, ssl);
        return r < 0 ? err_set(w->err, r, "Out of memory for endpoints") : 0;
}

static int on_problem(const char *path, const char *problem, void *userdata)
{
        estate_trouble(userdata, "%.200s: %.400s", path, problem);
        return 0;
}

static int env_endpoints(Walk *w)
{
        static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };
        if (!w->env->deployments)
                return 0; /* told already */
        int r = deployed_revisions(w->api, w->env->org, w->env->deployments, &handlers, w, w->err);
        return r < 0 ? r : 0;
}

static int estate_walk_env(Walk *w, const EstateSelect *select)
{
        static const struct {
                EstateKind kind;
                int (*ask)(Walk *w);
        } steps[] = {
                { ESTATE_VHOSTS, env_vhosts },           { ESTATE_REFERENCES, env_references },
                { ESTATE_STORES, env_stores },           { ESTATE_TARGETS, env_targets },
                { ESTATE_DEPLOYMENTS, env_deployments }, { ESTATE_SERVERS, env_servers },
        };
        int r = 0;
        for (size_t i = 0; i < ELEMENTS(steps) && r >= 0; i++)
                if (select->kinds & steps[i].kind)
                        r = steps[i].ask(w);
        if (r >= 0 && select->endpoints && select->endpoints(w->env, select->userdata))
                r = env_endpoints(w);
        return r < 0 ? r : 0;
}

/* ---- all of them ---- */

static int estate_add(Estate *e, const char *org, const char *env, Err *err)
{
        if (e->n == ESTATE_ENVS_MAX)
                return err_set(err, -E2BIG,
                               "There are more than %d environments: choose with --org and --env",
                               ESTATE_ENVS_MAX);
        EstateEnv *envs = realloc(e->envs, (e->n + 1) * sizeof(*envs));
        if (!envs)
                return err_set(err, -ENOMEM, "Out of memory for environments");
        e->envs = envs;
        envs[e->n] = (EstateEnv){ 0 };
        (void) snprintf(envs[e->n].org, sizeof(envs[e->n].org), "%s", org);
        (void) snprintf(envs[e->n].env, sizeof(envs[e->n].env), "%s", env);
        e->n++;
        return 0;
}

/* Its environments; one that is named must be among them, so that a wrong word is not taken for "nothing". */
static int estate_org(Api *api, Estate *e, const char *org, const char *env, bool named, ApiAnswer *answer,
                      Err *err)
{
        _cleanup_(edge_list_freep) char **envs = NULL;
        _cleanup_(freep) char *path = NULL;
        bool found = false;
        int r = api_path(&path, API_SEGMENTS("o", org, "e"), err);
        if (r >= 0)
                r = fetch_names(api, path, &envs, answer, err);
        if (r < 0 || !envs)
                return r;
        for (char **one = envs; *one && r >= 0; one++)
                if (!env || strcmp(*one, env) == 0) {
                        found = true;
                        r = estate_add(e, org, *one, err);
                }
        if (r >= 0 && env && named && !found)
                return err_set(err, -ENOENT, "Organisation %.80s has no environment %.80s", org, env);
        return r;
}

int estate_walk(Api *api, const EstateSelect *select, Estate **ret, ApiAnswer *answer, Err *err)
{
        _cleanup_(edge_list_freep) char **all = NULL;
        _cleanup_(estate_freep) Estate *e = calloc(1, sizeof(*e));
        const char *env = select->env;
        int r = 0;

        *ret = NULL;
        if (!e)
                return err_set(err, -ENOMEM, "Out of memory for the organisations");
        if (!select->orgs) {
                r = fetch_names(api, "/v1/o", &all, answer, err);
                if (r < 0 || !all)
                        return r;
        }
        for (char *const *one = select->orgs ? select->orgs : all; *one; one++) {
                api_answer_done(answer);
                r = estate_org(api, e, *one, env, select->orgs != NULL, answer, err);
                if (r < 0 || answer->kind != API_OK)
                        return r;
        }
        if (env && e->n == 0)
                return err_set(err, -ENOENT, "No organisation has an environment %.80s", env);
        for (size_t i = 0; i < e->n && r >= 0; i++) {
                Walk w = { .api = api, .estate = e, .env = &e->envs[i], .err = err };
                r = estate_walk_env(&w, select);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(e);
        return 0;
}

int estate_certificate(Api *api, const EstateEnv *env, const char *store, const char *alias,
                       ApiAnswer *answer, Err *err)
{
        static const char *const places[][2] = { { "aliases", "certificate" }, { "certs", "export" } };
        int r = 0;
        for (size_t i = 0; i < ELEMENTS(places) && r >= 0; i++) {
                _cleanup_(freep) char *path = NULL;
                api_answer_done(answer);
                r = api_path(&path,
                             API_SEGMENTS("o", env->org, "e", env->env, "keystores", store, places[i][0],
                                          alias, places[i][1]),
                             err);
                if (r >= 0)
                        r = api_call(api, &(ApiRequest){ .path = path, .max_bytes = PEM_MAX }, answer, err);
                if (r >= 0 && answer->kind != API_ABSENT)
                        break;
        }
        return r;
}
