/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The verb: where the documents and the target servers come from, and how it ends. */

#include <stdlib.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/edge/deployed.h"
#include "agent/edge/lint-run.h"

/* A wrong path must not look like a clean bill. */
static int nothing_there(Session *s)
{
        const CliRequest *rq = s->rq;
        if (!rq->paths)
                return session_end(s, RESULT_NOT_NEEDED, NULL,
                                   "nothing is deployed in %s/%s that names a target server", rq->org,
                                   rq->env);
        return session_end(s, RESULT_USAGE, "bundles have them in apiproxy/targets and apiproxy/policies",
                           "there is no TargetEndpoint, ServiceCallout or TargetServer in %s%s", rq->paths[0],
                           rq->paths[1] ? " and the others" : "");
}

/* @run: with its err. Return: the exit status when it has ended early; -1. */
static int lint_paths(Session *s, LintRun *run)
{
        for (char *const *path = s->rq->paths; *path; path++) {
                int r = bundle_read(*path, &lint_handlers, run, run->err);
                if (r < 0)
                        return session_end_err(s,
                                               r == -ENOMEM || r == -EIO || r == -ELIBACC ? RESULT_FAILED
                                                                                          : RESULT_USAGE,
                                               run->err);
        }
        return -1;
}

static int lint_deployed(Session *s, LintRun *run)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        int r = deployed_read(s->api, s->rq->org, s->rq->env, &lint_handlers, run, &answer, run->err);
        if (r < 0)
                return session_end_err(s, RESULT_FAILED, run->err);
        return answer.kind != API_OK ? session_end_answer(s, &answer, NULL) : -1;
}

int lint_main(const CliRequest *rq, const Config *config, const SessionIo *io)
{
        _cleanup_(session_done) Session s = { .rq = rq, .config = config, .io = io };
        _cleanup_(deployed_env_done) DeployedEnv e = { 0 };
        LintRun run = {
                .ignore = rq->ignore,
                .strict = rq->strict,
                .json = rq->json,
                .colour = client_mode(fileno(io->out), rq->json, false).live,
                .out = io->out,
        };
        char counts[160];
        Err err = { 0 };
        int status;

        if (lint_begin(&run, &err) < 0)
                return session_end_err(&s, RESULT_USAGE, &err);
        if (rq->org) {
                if (session_open(&s, rq, config, io, &status) < 0 || deployed_env_open(&e, &s, &status) < 0)
                        return status;
                run.servers = &e.servers;
                for (size_t i = 0; i < e.rows->n; i++)
                        if (!e.rows->rows[i].target)
                                session_warn(&s, "target server %s cannot be read: %s", e.rows->rows[i].name,
                                             e.rows->rows[i].trouble);
        }
        status = rq->paths ? lint_paths(&s, &run) : lint_deployed(&s, &run);
        if (status >= 0)
                return status;
        if (run.sums.documents == 0 && run.sums.errors == 0)
                return nothing_there(&s);
        lint_counts(&run.sums, counts, sizeof(counts));
        /* What was said of those that could not be read is not all. */
        Result result = e.rows && e.rows->n_troubles > 0 ? RESULT_PROBLEMS : lint_result(&run);
        return session_end(&s, result, NULL, "%s", counts);
}
