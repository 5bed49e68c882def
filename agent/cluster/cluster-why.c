/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster-why.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cluster/survey.h"
#include "agent/edge/why-run.h"

#define ROUTER "router"
#define MP     "message-processor"

typedef struct ClusterWhy {
        SessionIo io;
        Session session;
        WhyRun run;
        CoordSayFn say;
        void *coord;
} ClusterWhy;

static void why_say(void *userdata, bool warning, const char *text)
{
        ClusterWhy *w = userdata;
        w->say(w->coord, warning, text);
}

/* Behind the roll: what do routers serve now? */
static Result why_proof(CoordSayFn say, void *coord, char *text, size_t size, char *hint, size_t hint_size,
                        void *userdata)
{
        ClusterWhy *w = userdata;
        size_t bad = 0;
        Err err = { 0 };

        if (w->run.n_vhosts == 0)
                return RESULT_DONE;
        w->say = say;
        w->coord = coord;
        w->io.say = why_say;
        w->io.userdata = w;
        if (why_run_served(&w->run, &bad, &err) < 0)
                (void) snprintf(text, size, "rolled, but what routers serve now is not known: %.300s",
                                err.text);
        else if (bad == 0)
                return RESULT_DONE;
        else
                (void) snprintf(
                        text, size,
                        "rolled, but the certificate is not proven: %zu times a router serves another "
                        "than it should, or could not be asked",
                        bad);
        (void) snprintf(hint, hint_size,
                        "edge-roll why tells which; is the right certificate in the keystore?");
        return RESULT_PROBLEMS;
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
                            (strcmp(component, kinds[k].name) != 0 && strcmp(component, CLI_ALL) != 0))
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
        if (!list)
                return session_end(&w->session, RESULT_FAILED, NULL, "out of memory");
        with.only = list;
        with.n_only = why_only(w, rq->component, list);
        with.proof = why_proof;
        with.proof_userdata = w;
        why_run_show(&w->run);
        if (with.n_only == 0 && why_strongest(w->run.why) >= WHY_MPS)
                return session_end(&w->session, RESULT_NOT_NEEDED, NULL, "nothing of %s must be restarted",
                                   rq->component);
        if (with.n_only == 0)
                return why_run_end(&w->run);
        if (survey_wanted(rq, config)) {
                survey_estate(&w->session, w->run.estate, survey_until(&w->session), &edge);
                with.edge = &edge;
        }
        return coord_restart(rq, config, nodes, &with);
}

int cluster_why(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io)
{
        ClusterWhy w = { .io = { .out = io->out, .err = io->err, .in = io->in } };
        int status;

        if (strcmp(rq->component, CLI_ALL) != 0 && strcmp(rq->component, ROUTER) != 0 &&
            strcmp(rq->component, MP) != 0) {
                w.session = (Session){ .rq = rq, .config = config, .io = &w.io };
                return session_end(&w.session, RESULT_USAGE, NULL,
                                   "--why is about routers and message processors, not about \"%.40s\"",
                                   rq->component);
        }
        if (session_open(&w.session, rq, config, &w.io, &status) < 0)
                return status;
        if (why_run(&w.run, &w.session, &status) >= 0)
                status = why_roll(&w, rq, config, nodes, io);
        why_run_done(&w.run);
        session_done(&w.session);
        return status;
}
