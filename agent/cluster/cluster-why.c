/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster-why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/survey.h"
#include "agent/edge/why-run.h"

#define ROUTER "router"
#define MP     "message-processor"

typedef struct ClusterWhy {
        bool late; /* the time was over before everything that can speak for a restart was asked */
        SessionIo io;
        Session session;
        WhyRun run;
        Proof proof;
} ClusterWhy;

/* NULL: both. */
static const char *why_component(const char *component)
{
        return strcmp(component, CLI_ALL) == 0 || strcmp(component, CONFIG_RMP) == 0 ? NULL : component;
}

/* @list: room for two of each server. Return: how many. */
static size_t why_only(const ClusterWhy *w, const char *component, PlanOnly *list)
{
        static const struct {
                const char *name;
                WhyAction action;
        } kinds[] = { { MP, WHY_MPS }, { ROUTER, WHY_ROUTERS } };
        size_t n = 0;
        for (size_t k = 0; k < ELEMENTS(kinds); k++)
                for (size_t i = 0; i < w->run.servers->n; i++) {
                        const Server *s = &w->run.servers->rows[i];
                        if (!why_wants(w->run.why, kinds[k].action, i) ||
                            (why_component(component) && strcmp(component, kinds[k].name) != 0))
                                continue;
                        (void) snprintf(list[n].component, sizeof(list[n].component), "%s", kinds[k].name);
                        (void) snprintf(list[n].uuid, sizeof(list[n].uuid), "%s", s->uuid);
                        (void) snprintf(list[n].name, sizeof(list[n].name), "%.200s", why_server_name(s));
                        n++;
                }
        return n;
}

static int why_roll(ClusterWhy *w, const CliRequest *rq, const Config *config, Nodes *nodes,
                    const CoordIo *io)
{
        _cleanup_(freep) PlanOnly *list = calloc(2 * w->run.servers->n + 1, sizeof(*list));
        PlanEdge edge = { 0 };
        CoordIo with = *io;
        Err err = { 0 };
        if (!list)
                return session_end(&w->session, RESULT_FAILED, NULL, "out of memory");
        with.only = list;
        with.n_only = why_only(w, rq->component, list);
        bool routers = false;
        for (size_t i = 0; i < with.n_only; i++)
                routers = routers || strcmp(list[i].component, ROUTER) == 0;
        if (why_run_proof(&w->run, routers, &w->proof, &err) < 0)
                return session_end_err(&w->session, RESULT_FAILED, &err);
        with.proof = &w->proof;
        why_run_show(&w->run, false);
        if (with.n_only == 0)
                return why_run_end(&w->run, why_component(rq->component));
        if (why_run_nobody(&w->run, why_component(rq->component)) > 0)
                session_warn(&w->session, "more must be restarted, and no server for it is known");
        if (survey_wanted(rq, config)) {
                survey_limit(&w->session, "target servers and what is deployed");
                survey_estate(&w->session, w->run.estate, &edge);
                survey_limit_over(&w->session);
                with.edge = &edge;
        }
        return coord_restart(rq, config, nodes, &with);
}

bool cluster_why_about(const char *component)
{
        static const char *const all[] = { CLI_ALL, CONFIG_RMP, ROUTER, MP };
        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (strcmp(component, all[i]) == 0)
                        return true;
        return false;
}

static int why_strange(ClusterWhy *w, const CliRequest *rq, const Config *config)
{
        w->session = (Session){ .rq = rq, .config = config, .io = &w->io };
        return session_end(&w->session, RESULT_USAGE, NULL,
                           "what is in Edge is about routers and message processors, not about \"%.40s\"",
                           rq->component);
}

int cluster_why(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io)
{
        ClusterWhy w = { .io = { .out = io->out, .err = io->err, .in = io->in } };
        int status;

        if (!cluster_why_about(rq->component) || strcmp(rq->component, CONFIG_RMP) == 0)
                return why_strange(&w, rq, config);
        if (session_open(&w.session, rq, config, &w.io, &status) < 0)
                return status;
        if (why_run(&w.run, &w.session, &status) >= 0)
                status = why_roll(&w, rq, config, nodes, io);
        proof_done(&w.proof);
        why_run_done(&w.run);
        session_done(&w.session);
        return status;
}

/* ---- --if-needed ---- */

/* Return: is it known? What speaks for a restart is told, and what is not known is in @edge. */
static bool needed_ask(ClusterWhy *w, bool connected, Result *ret_result, char *hint, size_t size,
                       PlanEdge *edge, Err *err)
{
        if (connected) {
                survey_limit(&w->session, "what needs a restart, target servers and what is deployed");
                connected = why_run_ask(&w->run, &w->session, ret_result, hint, size, err) >= 0;
        }
        if (!connected) {
                survey_trouble(edge, hint,
                               "what in Edge needs a restart is not known, and no target servers and lint "
                               "errors: %.300s",
                               err->text);
                return false;
        }
        w->late = time_now() >= w->session.until;
        why_run_show(&w->run, true);
        survey_estate(&w->session, w->run.estate, edge);
        survey_limit_over(&w->session);
        return true;
}

static int needed_roll(ClusterWhy *w, const CliRequest *rq, const Config *config, Nodes *nodes, CoordIo *with)
{
        _cleanup_(freep) PlanOnly *list = calloc(2 * w->run.servers->n + 1, sizeof(*list));
        Err err = { 0 };
        if (!list)
                return session_end(&w->session, RESULT_FAILED, NULL, "out of memory");
        with->needed = list;
        with->n_needed = why_only(w, rq->component, list);
        with->needed_unknown = w->late || w->run.estate->n_troubles > 0 ||
                               why_run_nobody(&w->run, why_component(rq->component)) > 0;
        for (size_t i = 0; i < with->n_needed; i++)
                if (strcmp(list[i].component, ROUTER) == 0)
                        with->proof = &w->proof;
        if (with->proof && why_run_proof(&w->run, true, &w->proof, &err) < 0)
                return session_end_err(&w->session, RESULT_FAILED, &err);
        return coord_restart(rq, config, nodes, with);
}

int cluster_if_needed(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io)
{
        ClusterWhy w = { .io = { .out = io->out, .err = io->err, .in = -1 } };
        CoordIo with = *io;
        PlanEdge edge = { 0 };
        Result result = RESULT_REFUSED;
        char hint[400];
        Err err = { 0 };
        int status;

        if (!cluster_why_about(rq->component))
                return why_strange(&w, rq, config);
        int r = session_connect(&w.session, rq, config, &w.io, hint, sizeof(hint), &err);
        if (r == -EINVAL || r == -EDESTADDRREQ)
                result = RESULT_USAGE;
        with.edge = &edge;
        with.needed_unknown = true;
        if (needed_ask(&w, r >= 0, &result, hint, sizeof(hint), &edge, &err))
                status = needed_roll(&w, rq, config, nodes, &with);
        else if (cli_why_named(rq))
                status = session_end(&w.session, result, hint, "%s", err.text);
        else
                status = coord_restart(rq, config, nodes, &with);
        proof_done(&w.proof);
        why_run_done(&w.run);
        session_done(&w.session);
        return status;
}
