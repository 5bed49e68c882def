/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/cluster-restart.h"

#include "agent/cluster/cluster-why.h"
#include "agent/cluster/survey.h"

static void restart_ask(const CliRequest *rq, const Config *config, const SessionIo *io, PlanEdge *ret)
{
        _cleanup_(session_done) Session session = { 0 };
        char hint[300];
        Err err = { 0 };
        if (session_connect(&session, rq, config, io, hint, sizeof(hint), &err) < 0)
                survey_trouble(ret, hint, "target servers and lint errors are not known: %.350s", err.text);
        else
                survey_take(&session, ret);
}

int cluster_restart(const CliRequest *rq, const Config *config, Nodes *nodes, const CoordIo *io)
{
        SessionIo session_io = { .out = io->out, .err = io->err, .in = -1 };
        CoordIo with = *io;
        PlanEdge edge = { 0 };

        if (rq->why.on)
                return cluster_why(rq, config, nodes, io);
        if (rq->if_needed &&
            (cli_why_named(rq) || (survey_wanted(rq, config) && cluster_why_about(rq->component))))
                return cluster_if_needed(rq, config, nodes, io);
        if (survey_wanted(rq, config)) {
                restart_ask(rq, config, &session_io, &edge);
                with.edge = &edge;
        }
        return coord_restart(rq, config, nodes, &with);
}
