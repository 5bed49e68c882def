/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/survey.h"

#include <errno.h>
#include <stdarg.h>

#include "agent/edge/deployed.h"
#include "agent/edge/lint-run.h"
#include "agent/edge/targets-down.h"
#include "probes/edge-json.h"

#define SURVEY_KINDS (ESTATE_TARGETS | ESTATE_DEPLOYMENTS)

typedef struct Survey {
        const EstateEnv *env;
        PlanEdge *ret;
        LintRun run;
        Usec until;
        size_t unread; /* revisions, or parts of them */
        char first_unread[300];
} Survey;

bool survey_wanted(const CliRequest *rq, const Config *config)
{
        const char *url = rq->cluster.management ? rq->cluster.management : config->cluster_management_url;
        return config->cluster_management_checks && url && *url;
}

static void limit_words(const Config *config, char *buf, size_t size)
{
        char text[32];
        (void) snprintf(buf, size, "%s (management_limit)",
                        time_format(config->cluster_management_usec, text, sizeof(text)));
}

void survey_limit(Session *s, const char *what)
{
        char words[80];
        limit_words(s->config, words, sizeof(words));
        session_tell(s, "asking %s about %s, for %s at most", api_url(s->api), what, words);
        s->until = time_add(time_now(), s->config->cluster_management_usec);
        api_until(s->api, s->until, words);
}

void survey_limit_over(Session *s)
{
        s->until = 0;
        api_until(s->api, 0, "");
}

void survey_trouble(PlanEdge *ret, const char *hint, const char *fmt, ...)
{
        va_list ap;
        if (*ret->trouble)
                return;
        va_start(ap, fmt);
        (void) vsnprintf(ret->trouble, sizeof(ret->trouble), fmt, ap);
        va_end(ap);
        (void) snprintf(ret->trouble_hint, sizeof(ret->trouble_hint), "%s", hint);
}

/* ---- target servers ---- */

static void survey_targets(Session *s, const Estate *estate, PlanEdge *ret)
{
        TargetsDown down;
        Err err = { 0 };
        if (targets_down(s->event, estate, s->config->targets_names, s->until, &down, ret->targets_text,
                         sizeof(ret->targets_text), &err) < 0) {
                survey_trouble(ret, "", "whether target servers answer is not known: %.300s", err.text);
                return;
        }
        ret->targets = true;
        ret->targets_all = down.all;
        ret->targets_down = down.down;
        ret->targets_unasked = down.unasked;
}

/* ---- lint ---- */

static int on_found(const char *path, const LintFinding *finding, void *userdata)
{
        Survey *v = userdata;
        PlanEdge *ret = v->ret;
        if (finding->level != LINT_ERROR)
                return 0;
        if (ret->lint_errors++ == 0)
                (void) snprintf(ret->lint_hint, sizeof(ret->lint_hint),
                                "edge-roll lint --org %.100s --env %.100s shows all, and what to do",
                                v->env->org, v->env->env);
        if (ret->n_lint_lines < PLAN_LINT_LINES)
                (void) snprintf(ret->lint_lines[ret->n_lint_lines++], sizeof(ret->lint_lines[0]),
                                "%.60s/%.60s %.150s:%u: %.150s [%s]", v->env->org, v->env->env, path,
                                MAX(finding->line, 1U), finding->text, lint_rule(finding->rule)->name);
        return 0;
}

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        Survey *v = userdata;
        if (time_now() >= v->until)
                return -ETIME;
        return lint_handlers.document(path, text, len, &v->run);
}

/* That it could not be fetched or unpacked says nothing about what is in it. */
static int on_problem(const char *path, const char *problem, void *userdata)
{
        Survey *v = userdata;
        if (v->unread++ == 0)
                (void) snprintf(v->first_unread, sizeof(v->first_unread), "%.100s: %.190s", path, problem);
        return 0;
}

static int survey_lint_env(Session *s, Survey *v, Err *err)
{
        static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };
        LintServers servers = { 0 };
        int r = v->env->targets ? deployed_servers(v->env->targets, &servers, err) : 0;
        if (r < 0)
                return r;
        v->run = (LintRun){ .servers = v->env->targets ? &servers : NULL, .found = on_found, .userdata = v };
        r = lint_begin(&v->run, err);
        if (r >= 0)
                r = deployed_revisions(s->api, v->env->org, v->env->deployments, &handlers, v, err);
        if (r >= 0)
                v->ret->lint_revisions += (size_t) r;
        deployed_servers_done(&servers);
        return r < 0 ? r : 0;
}

static void survey_lint(Session *s, const Estate *estate, PlanEdge *ret)
{
        Survey v = { .ret = ret, .until = s->until };
        char words[80];
        Err err = { 0 };
        int r = 0;

        for (size_t i = 0; i < estate->n && r >= 0 && time_now() < s->until; i++) {
                v.env = &estate->envs[i];
                if (v.env->deployments)
                        r = survey_lint_env(s, &v, &err);
        }
        ret->lint = r >= 0 || r == -ETIME;
        limit_words(s->config, words, sizeof(words));
        if (time_now() >= s->until)
                survey_trouble(ret,
                               "it may take longer with a larger management_limit, or see edge-roll lint",
                               "not everything that is deployed could be looked at within %s", words);
        else if (r < 0)
                survey_trouble(ret, "", "what is deployed is not known: %.300s", err.text);
        else if (v.unread > 0)
                survey_trouble(ret, "", "%zu thing%s of what is deployed could not be read: %.300s", v.unread,
                               v.unread == 1 ? "" : "s", v.first_unread);
        if (ret->lint_revisions >= v.unread)
                ret->lint_revisions -= v.unread;
}

/* ---- both ---- */

void survey_estate(Session *s, const Estate *estate, PlanEdge *ret)
{
        if (estate->n_troubles > 0)
                survey_trouble(ret, "", "%zu thing%s could not be read: %.350s", estate->n_troubles,
                               estate->n_troubles == 1 ? "" : "s",
                               estate->troubles[0] ? estate->troubles[0] : "out of memory");
        survey_targets(s, estate, ret);
        survey_lint(s, estate, ret);
}

void survey_take(Session *s, PlanEdge *ret)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        _cleanup_(edge_list_freep) char **orgs = NULL;
        _cleanup_(estate_freep) Estate *estate = NULL;
        const Component *mp = config_component(s->config, "message-processor");
        EstateSelect select = { .kinds = SURVEY_KINDS };
        Err err = { 0 };
        int r = 0;

        survey_limit(s, "target servers and what is deployed");
        if (mp && *mp->organizations) {
                r = edge_list_from_words(mp->organizations, &orgs, &err);
                select.orgs = orgs;
        }
        if (r >= 0)
                r = estate_walk(s->api, &select, &estate, &answer, &err);
        if (!estate) {
                survey_trouble(ret, r < 0 ? "" : answer.hint,
                               "target servers and lint errors are not known: %.350s",
                               r < 0 ? err.text : answer.text);
                return;
        }
        survey_estate(s, estate, ret);
}
