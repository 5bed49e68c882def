/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/why-run.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/cluster/management.h"
#include "agent/edge/handshake.h"
#include "probes/pem.h"

/* ---- what the command line says ---- */

static int run_words(WhyRun *run, Err *err)
{
        const CliWhy *w = &run->session->rq->why;
        for (size_t i = 0; i < w->n_changed; i++)
                if (why_changed_parse(w->changed[i], &run->changed[run->n_changed++], err) < 0)
                        return err_prefix(err, -EINVAL, "--changed");
        return 0;
}

/* "sha256:ab12..." with or without colons between. */
static int expect_digest(const char *text, char *ret, Err *err)
{
        size_t n = 0;
        for (const char *c = text; *c; c++) {
                if (*c == ':' && n % 2 == 0)
                        continue;
                if (!strchr("0123456789abcdefABCDEF", *c) || n == (size_t) 2 * SHA256_BYTES)
                        return err_set(err, -EINVAL,
                                       "\"%.80s\" is no SHA-256 of a certificate: 64 hexadecimal digits are "
                                       "expected, with or without ':' between each two",
                                       text);
                ret[n / 2 * 3 + n % 2] = (char) (*c >= 'a' ? *c - 'a' + 'A' : *c);
                n++;
                if (n % 2 == 0)
                        ret[n / 2 * 3 - 1] = ':';
        }
        if (n != (size_t) 2 * SHA256_BYTES)
                return err_set(err, -EINVAL,
                               "\"%.80s\" is no SHA-256 of a certificate: %zu hexadecimal digits of 64", text,
                               n);
        ret[SHA256_TEXT_SIZE - 1] = '\0';
        return 0;
}

static int expect_parse(const char *text, char *ret, Err *err)
{
        static const char prefix[] = "sha256:";
        int r = strncasecmp(text, prefix, strlen(prefix)) == 0
                        ? expect_digest(text + strlen(prefix), ret, err)
                        : pem_fingerprint_file(text, ret, err);
        return r < 0 ? err_prefix(err, r == -ENOMEM ? r : -EINVAL, "--expect-cert") : 0;
}

/* ---- virtual hosts with TLS ---- */

/* Is it one of those that --changed is about, or is none named? */
static bool vhost_meant(const WhyRun *run, const EstateEnv *env, const Vhost *v)
{
        const char *name;
        bool any = false;
        for (size_t i = 0; i < run->n_changed; i++) {
                const WhyChanged *c = &run->changed[i];
                any = true;
                if (c->kind == WHY_TARGETSERVER)
                        continue;
                StoreNaming naming = store_naming(v->tls.key_store, &name);
                const char *store = naming == STORE_BY_REFERENCE ? estate_refers(env, name) : name;
                if (strcmp(c->env, env->env) == 0 &&
                    (c->kind == WHY_VIRTUALHOST ? strcmp(c->name, v->name) == 0
                     : c->kind == WHY_REFERENCE ? naming == STORE_BY_REFERENCE && strcmp(c->name, name) == 0
                                                : store && strcmp(c->name, store) == 0))
                        return true;
        }
        return !any;
}

/* The certificate that is in the store which the virtual host names. */
static int vhost_stored(WhyRun *run, WhyVhost *v, Err *err)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        const TlsUse *tls = &v->vhost->tls;
        const char *store;
        Err why = { 0 };
        StoreNaming naming = store_naming(tls->key_store, &store);
        const char *reference = store;

        if (naming == STORE_BY_REFERENCE)
                store = estate_refers(v->env, store);
        if (naming == STORE_NONE || naming == STORE_BY_VARIABLE) {
                (void) snprintf(v->trouble, sizeof(v->trouble), "it names no keystore");
                return 0;
        }
        if (!store) {
                (void) snprintf(v->trouble, sizeof(v->trouble), "its reference %.80s is not known",
                                reference);
                return 0;
        }
        if (!*tls->key_alias) {
                (void) snprintf(v->trouble, sizeof(v->trouble), "it names no alias in keystore %.80s", store);
                return 0;
        }
        int r = estate_certificate(run->session->api, v->env, store, tls->key_alias, &answer, err);
        if (r < 0)
                return r;
        if (answer.kind != API_OK)
                (void) snprintf(v->trouble, sizeof(v->trouble), "%.390s", answer.text);
        else if (pem_fingerprint(answer.body, answer.body_len, v->expected, &why) < 0)
                (void) snprintf(v->trouble, sizeof(v->trouble), "alias %.80s of keystore %.80s: %.150s",
                                tls->key_alias, store, why.text);
        (void) snprintf(v->expected_from, sizeof(v->expected_from), "alias %.80s of keystore %.80s%s%.80s",
                        tls->key_alias, store, naming == STORE_BY_REFERENCE ? ", by reference " : "",
                        naming == STORE_BY_REFERENCE ? reference : "");
        return 0;
}

static int vhost_expected(WhyRun *run, WhyVhost *v, const char *given, Err *err)
{
        int r = vhost_stored(run, v, err);
        if (r < 0 || !given || !vhost_meant(run, v->env, v->vhost))
                return r;
        run->n_meant++;
        v->trouble[0] = '\0';
        if (*v->expected && strcmp(v->expected, given) != 0)
                (void) snprintf(v->trouble, sizeof(v->trouble),
                                "%s has the certificate %.23s..., and not %.23s... "
                                "(--expect-cert): a restart alone will not bring that",
                                v->expected_from, v->expected, given);
        (void) snprintf(v->expected, sizeof(v->expected), "%s", given);
        (void) snprintf(v->expected_from, sizeof(v->expected_from), "--expect-cert");
        return 0;
}

/* Is it the only one with TLS on its port, as far as all of them are known? */
static bool vhost_alone(const WhyRun *run, const WhyVhost *v)
{
        const CliRequest *rq = run->session->rq;
        size_t n = 0;
        for (size_t i = 0; i < run->n_vhosts; i++)
                n += run->vhosts[i].vhost->port == v->vhost->port || run->vhosts[i].vhost->port == 0;
        return n == 1 && !rq->org && !rq->env && run->estate->n_troubles == 0;
}

static int run_vhosts(WhyRun *run, Err *err)
{
        const char *expect = run->session->rq->why.expect_cert;
        char given[SHA256_TEXT_SIZE];
        size_t n = 0;
        int r = expect ? expect_parse(expect, given, err) : 0;
        for (size_t i = 0; i < run->estate->n; i++)
                n += run->estate->envs[i].n_vhosts;
        run->vhosts = r < 0 ? NULL : calloc(n + 1, sizeof(*run->vhosts));
        if (!run->vhosts)
                return r < 0 ? r : err_set(err, -ENOMEM, "Out of memory for virtual hosts");
        for (size_t i = 0; i < run->estate->n; i++) {
                const EstateEnv *env = &run->estate->envs[i];
                for (size_t k = 0; k < env->n_vhosts; k++) {
                        const Vhost *v = env->vhosts[k];
                        if (!v->tls.enabled)
                                continue;
                        WhyVhost *one = &run->vhosts[run->n_vhosts++];
                        *one = (WhyVhost){ .env = env, .vhost = v };
                        (void) vhost_server_name(v, one->asked);
                        if (v->port == 0)
                                (void) snprintf(one->trouble, sizeof(one->trouble),
                                                "it has TLS, and does not say its port");
                        else if ((r = vhost_expected(run, one, expect ? given : NULL, err)) < 0)
                                return r;
                }
        }
        for (size_t i = 0; i < run->n_vhosts; i++)
                run->vhosts[i].alone = vhost_alone(run, &run->vhosts[i]);
        return 0;
}

/* ---- what routers serve ---- */

/* Can the router @at be asked what it serves there? */
static bool can_ask(const WhyRun *run, const WhyVhost *v, size_t at)
{
        return v->vhost->port != 0 && *run->servers->rows[at].address &&
               why_router_of(run->servers, at, v->env);
}

/* Without a name the default of the port has answered: it speaks for this virtual host if it is right, or if
 * no other one can have answered. */
static void served_take(const WhyVhost *v, const Handshake *hand, WhyServed *ret)
{
        ret->known = hand->known && (*v->asked || v->alone || strcmp(hand->fingerprint, v->expected) == 0);
        (void) snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", hand->fingerprint);
        if (hand->known && !ret->known)
                (void) snprintf(ret->text, sizeof(ret->text),
                                "it has no host alias that can be asked for; without one %.23s... is served, "
                                "maybe of another virtual host on port %u",
                                hand->fingerprint, v->vhost->port);
        else
                (void) snprintf(ret->text, sizeof(ret->text), "%s", hand->text);
}

/* A handshake for each virtual host with each router that has an address. */
static size_t run_hands(const WhyRun *run, Handshake *list)
{
        size_t n = 0;
        for (size_t i = 0; i < run->n_vhosts; i++)
                for (size_t k = 0; k < run->servers->n; k++) {
                        const WhyVhost *v = &run->vhosts[i];
                        if (!can_ask(run, v, k))
                                continue;
                        if (list)
                                list[n] = (Handshake){ .address = run->servers->rows[k].address,
                                                       .port = v->vhost->port,
                                                       .name = *v->asked ? v->asked : NULL };
                        n++;
                }
        return n;
}

static int run_shake(const WhyRun *run, Handshake **ret, size_t *ret_n, Err *err)
{
        size_t n = run_hands(run, NULL);
        _cleanup_(freep) Handshake *list = calloc(n + 1, sizeof(*list));
        if (!list)
                return err_set(err, -ENOMEM, "Out of memory for %zu handshakes", n);
        (void) run_hands(run, list);
        int r = handshake_all(run->session->event, list, n, run->session->until, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

static int run_served(WhyRun *run, Err *err)
{
        _cleanup_(freep) Handshake *list = NULL;
        size_t n = 0, at = 0;
        int r = run_shake(run, &list, &n, err);
        for (size_t i = 0; i < run->n_vhosts && r >= 0; i++) {
                WhyVhost *v = &run->vhosts[i];
                v->served = calloc(run->servers->n + 1, sizeof(*v->served));
                if (!v->served)
                        return err_set(err, -ENOMEM, "Out of memory for %zu routers", run->servers->n);
                for (size_t k = 0; k < run->servers->n; k++) {
                        WhyServed *one = &v->served[v->n_served];
                        if (!why_router_of(run->servers, k, v->env))
                                continue;
                        *one = (WhyServed){ .server = k };
                        v->n_served++;
                        if (can_ask(run, v, k))
                                served_take(v, &list[at++], one);
                        else
                                (void) snprintf(one->text, sizeof(one->text), "%s",
                                                v->vhost->port == 0
                                                        ? "its port is not known"
                                                        : "it has no address that others can reach");
                }
        }
        return r < 0 ? r : 0;
}

/* Must it be proven what that router serves there? */
static bool proves(const WhyRun *run, const WhyVhost *v, const WhyServed *one, bool routers)
{
        bool wanted = routers && why_wants(run->why, WHY_ROUTERS, one->server);
        return can_ask(run, v, one->server) && *v->expected && (*v->asked || v->alone) &&
               (wanted || (one->known && *v->trouble));
}

static int run_proof_vhost(const WhyRun *run, const WhyVhost *v, bool routers, Proof *ret)
{
        ProofVhost *proof = NULL;
        for (size_t k = 0; k < v->n_served; k++) {
                const WhyServed *one = &v->served[k];
                const Server *s = &run->servers->rows[one->server];
                if (!proves(run, v, one, routers))
                        continue;
                if (!proof && !(proof = proof_add(ret)))
                        return -ENOMEM;
                ProofRouter *router = proof_router(proof);
                if (!router)
                        return -ENOMEM;
                (void) snprintf(router->name, sizeof(router->name), "%s", why_server_name(s));
                (void) snprintf(router->address, sizeof(router->address), "%s", s->address);
                (void) snprintf(router->before, sizeof(router->before), "%s",
                                one->known ? one->fingerprint : "");
        }
        if (!proof)
                return 0;
        (void) snprintf(proof->name, sizeof(proof->name), "%.250s", v->vhost->name);
        (void) snprintf(proof->server_name, sizeof(proof->server_name), "%s", v->asked);
        (void) snprintf(proof->expected, sizeof(proof->expected), "%s", v->expected);
        proof->port = v->vhost->port;
        return 0;
}

int why_run_proof(const WhyRun *run, bool routers, Proof *ret, Err *err)
{
        for (size_t i = 0; i < run->n_vhosts; i++)
                if (run_proof_vhost(run, &run->vhosts[i], routers, ret) < 0)
                        return err_set(err, -ENOMEM, "Out of memory for a proof");
        return 0;
}

/* ---- all of it ---- */

static int run_servers(WhyRun *run, char *hint, size_t size, Err *err)
{
        const Session *s = run->session;
        ManagementOptions options = { .api = s->api, .region = s->rq->cluster.region };
        return management_fetch(&run->servers, &options, hint, size, err);
}

/* Only a store that somebody says was changed can be one that a proxy names. */
static bool run_endpoints(const EstateEnv *env, void *userdata)
{
        const WhyRun *run = userdata;
        for (size_t i = 0; i < run->n_changed; i++)
                if ((run->changed[i].kind == WHY_KEYSTORE || run->changed[i].kind == WHY_TRUSTSTORE ||
                     run->changed[i].kind == WHY_REFERENCE) &&
                    strcmp(run->changed[i].env, env->env) == 0)
                        return true;
        return false;
}

int why_run_ask(WhyRun *run, Session *session, Result *ret_result, char *hint, size_t size, Err *err)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        char *orgs[] = { (char *) (uintptr_t) session->rq->org, NULL };
        EstateSelect select = { .orgs = orgs[0] ? orgs : NULL,
                                .env = session->rq->env,
                                .kinds = ESTATE_ALL,
                                .endpoints = run_endpoints,
                                .userdata = run };

        *run = (WhyRun){ .session = session };
        hint[0] = '\0';
        int r = run_words(run, err);
        if (r >= 0)
                r = run_servers(run, hint, size, err);
        if (r >= 0)
                r = estate_walk(session->api, &select, &run->estate, &answer, err);
        if (r >= 0 && !run->estate) {
                *ret_result = api_kind_result(answer.kind);
                (void) snprintf(hint, size, "%s", answer.hint);
                return api_answer_err(&answer, err);
        }
        if (r >= 0)
                r = run_vhosts(run, err);
        if (r >= 0)
                r = run_served(run, err);
        WhyInput in = { .estate = run->estate,
                        .servers = run->servers,
                        .vhosts = run->vhosts,
                        .n_vhosts = run->n_vhosts,
                        .changed = run->changed,
                        .n_changed = run->n_changed };
        if (r >= 0)
                r = why_judge(&run->why, &in, err);
        if (r >= 0 && session->rq->why.expect_cert && run->n_meant == 0)
                r = err_set(err, -ENOENT, "--expect-cert is about no virtual host: %s",
                            run->n_changed > 0
                                    ? "none with TLS is what --changed names, or names it for its keystore"
                                    : "there is none with TLS");
        if (r < 0)
                *ret_result = r == -EINVAL ? RESULT_USAGE : r == -ENOMEM ? RESULT_FAILED : RESULT_REFUSED;
        return r < 0 ? r : 0;
}

int why_run(WhyRun *run, Session *session, int *ret_exit)
{
        Result result = RESULT_FAILED;
        char hint[400];
        Err err = { 0 };
        int r = why_run_ask(run, session, &result, hint, sizeof(hint), &err);
        if (r < 0)
                *ret_exit = session_end(session, result, hint, "%s", err.text);
        return r;
}

void why_run_done(WhyRun *run)
{
        run->why = why_free(run->why);
        for (size_t i = 0; i < run->n_vhosts; i++)
                free(run->vhosts[i].served);
        free(run->vhosts);
        run->vhosts = NULL;
        run->n_vhosts = 0;
        run->estate = estate_free(run->estate);
        run->servers = servers_free(run->servers);
}

/* ---- showing ---- */

static void show_json(Session *s, const Why *w, const WhyFinding *f)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "why");
        cJSON_AddStringToObject(o, "action", f->unknown ? "unknown" : why_action_name(f->action));
        cJSON_AddStringToObject(o, "about", f->about);
        cJSON_AddStringToObject(o, "reason", f->reason);
        cJSON_AddBoolToObject(o, "documented", f->documented);
        cJSON *list = cJSON_AddArrayToObject(o, "servers");
        for (size_t i = 0; i < f->n_servers; i++) {
                const Server *server = &w->servers->rows[f->servers[i]];
                cJSON *row = cJSON_CreateObject();
                cJSON_AddStringToObject(row, "uuid", server->uuid);
                cJSON_AddStringToObject(row, "address", server->address);
                cJSON_AddStringToObject(row, "region", server->region);
                cJSON_AddItemToArray(list, row);
        }
        session_event(s, o);
}

static void show_text(Session *s, const Why *w, const WhyFinding *f)
{
        (void) fprintf(s->io->out, "%-18s  %s%s%s\n", f->unknown ? "not known" : why_action_name(f->action),
                       f->about, *f->about ? ": " : "", f->reason);
        if (f->n_servers == 0 && f->action < WHY_MPS)
                return;
        (void) fprintf(s->io->out, "%-18s  ->%s", "", f->n_servers == 0 ? " no server for it is known" : "");
        for (size_t i = 0; i < f->n_servers; i++)
                (void) fprintf(s->io->out, " %s", why_server_name(&w->servers->rows[f->servers[i]]));
        (void) fputc('\n', s->io->out);
}

static size_t count_wanted(const Why *w, WhyAction action)
{
        size_t n = 0;
        for (size_t i = 0; i < w->servers->n; i++)
                n += why_wants(w, action, i);
        return n;
}

void why_run_show(const WhyRun *run, bool reasons)
{
        for (size_t i = 0; i < run->why->n; i++) {
                const WhyFinding *f = &run->why->findings[i];
                if (!reasons || f->unknown || f->action > WHY_NOTHING)
                        (run->session->rq->json ? show_json : show_text)(run->session, run->why, f);
        }
}

/* Is it about restarting that component? Both where none is named. */
static bool restarts(WhyAction action, const char *component)
{
        return action >= WHY_MPS &&
               (!component || strcmp(component, action == WHY_ROUTERS ? "router" : "message-processor") == 0);
}

size_t why_run_nobody(const WhyRun *run, const char *component)
{
        size_t n = 0;
        for (size_t i = 0; i < run->why->n; i++)
                n += restarts(run->why->findings[i].action, component) &&
                     run->why->findings[i].n_servers == 0;
        return n;
}

int why_run_end(const WhyRun *run, const char *component)
{
        Session *s = run->session;
        const Why *w = run->why;
        size_t routers = restarts(WHY_ROUTERS, component) ? count_wanted(w, WHY_ROUTERS) : 0;
        size_t mps = restarts(WHY_MPS, component) ? count_wanted(w, WHY_MPS) : 0;
        size_t redeploy = 0, nobody = why_run_nobody(run, component);
        for (size_t i = 0; i < w->n; i++)
                redeploy += w->findings[i].action == WHY_REDEPLOY;
        if (routers > 0 || mps > 0)
                return session_end(s, RESULT_DONE, "edge-roll restart --cluster --why restarts just these",
                                   "%zu router%s and %zu message processor%s must be restarted%s%s", routers,
                                   routers == 1 ? "" : "s", mps, mps == 1 ? "" : "s",
                                   redeploy ? ", and proxies deployed again" : "",
                                   nobody ? ", and more, of which no server is known" : "");
        if (nobody > 0)
                return session_end(
                        s, RESULT_PROBLEMS,
                        "are the servers of the environment (GET /v1/o/ORG/e/ENV/servers) in /v1/servers?",
                        "something must be restarted, and no server for it is known");
        if (redeploy > 0)
                return session_end(s, RESULT_DONE, NULL,
                                   "nothing%s must be restarted; proxies must be deployed again",
                                   why_unknown(w) ? " that was seen" : "");
        if (why_unknown(w))
                return session_end(
                        s, RESULT_PROBLEMS, NULL,
                        "nothing that was seen needs a restart, but not everything could be looked at");
        return session_end(s, RESULT_NOT_NEEDED, NULL, "nothing%s%s must be restarted",
                           component ? " of " : "", component ? component : "");
}

int why_main(const CliRequest *rq, const Config *config, const SessionIo *io)
{
        Session s;
        WhyRun run = { 0 };
        int status;

        if (session_open(&s, rq, config, io, &status) < 0)
                return status;
        if (why_run(&run, &s, &status) >= 0) {
                why_run_show(&run, false);
                status = why_run_end(&run, NULL);
        }
        why_run_done(&run);
        session_done(&s);
        return status;
}
