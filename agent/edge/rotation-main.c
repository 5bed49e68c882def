/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll targets rotation`: every LoadBalancer of the documents, as it would act now. */

#include <stdlib.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/edge/deployed.h"
#include "agent/edge/rotation.h"

typedef struct Show {
        Session *session;
        const LintServers *servers; /* NULL: not known */
        bool colour;
        size_t n, n_nobody, n_problems;
        Err err;
} Show;

static int show_connection(Show *show, const char *path, const EdgeXml *x)
{
        const char *name = x->name.value ? x->name.value : "";
        _cleanup_(rotation_done) Rotation ro = { 0 };
        FILE *out = show->session->io->out;

        int r = rotation_of(&x->connection, show->servers, NULL, NULL, &ro);
        if (r < 0)
                return err_set(&show->err, r, "Out of memory");
        if (show->session->rq->json) {
                _cleanup_(freep) char *json = NULL;
                if (rotation_json(&ro, path, x->root, name, &json) < 0)
                        return err_set(&show->err, -ENOMEM, "Out of memory");
                (void) fprintf(out, "%s\n", json);
        } else {
                (void) fputs(show->n > 0 ? "\n" : "", out);
                rotation_text(out, &ro, path, x->root, name, show->colour);
        }
        show->n++;
        show->n_nobody += ro.nobody;
        return 0;
}

static int on_problem(const char *path, const char *problem, void *userdata)
{
        Show *show = userdata;
        show->n_problems++;
        session_warn(show->session, "%s: %s", path, problem);
        return 0;
}

static int on_document(const char *path, const char *text, size_t len, void *userdata)
{
        Show *show = userdata;
        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        Err err = { 0 };

        int r = edge_xml_read(text, len, &x, &err);
        if (r == -EBADMSG || r == -E2BIG)
                return on_problem(path, err.text, userdata);
        if (r < 0)
                return err_set(&show->err, r, "%s", err.text);
        return x->connection.balancer.line > 0 ? show_connection(show, path, x) : 0;
}

static int show_end(const Show *show)
{
        Session *s = show->session;
        if (show->n_problems > 0)
                return session_end(s, RESULT_PROBLEMS, NULL, "%zu of what is there could not be read",
                                   show->n_problems);
        if (show->n_nobody > 0)
                return session_end(s, RESULT_PROBLEMS, NULL,
                                   "%zu of %zu load balancers have no server left: every request fails",
                                   show->n_nobody, show->n);
        if (show->n == 0 && s->rq->paths)
                return session_end(s, RESULT_USAGE,
                                   "bundles have them in apiproxy/targets and apiproxy/policies",
                                   "there is no LoadBalancer in %s%s", s->rq->paths[0],
                                   s->rq->paths[1] ? " and the others" : "");
        return session_end(s, RESULT_DONE, NULL, "%zu load balancer%s", show->n, show->n == 1 ? "" : "s");
}

static int rotation_run(Session *s, const LintServers *servers)
{
        static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Show show = {
                .session = s,
                .servers = servers,
                .colour = client_mode(fileno(s->io->out), s->rq->json, false).live,
        };
        int r = 0;

        for (char *const *path = s->rq->paths; path && *path; path++)
                if ((r = bundle_read(*path, &handlers, &show, &show.err)) < 0)
                        return session_end_err(s,
                                               r == -ENOMEM || r == -ELIBACC ? RESULT_FAILED : RESULT_USAGE,
                                               &show.err);
        if (!s->rq->paths) {
                r = deployed_read(s->api, s->rq->org, s->rq->env, &handlers, &show, &answer, &show.err);
                if (r < 0)
                        return session_end_err(s, RESULT_FAILED, &show.err);
                if (answer.kind != API_OK)
                        return session_end_answer(s, &answer, NULL);
        }
        return show_end(&show);
}

int rotation_main(const CliRequest *rq, const Config *config, const SessionIo *io)
{
        _cleanup_(session_done) Session s = { .rq = rq, .config = config, .io = io };
        _cleanup_(deployed_env_done) DeployedEnv e = { 0 };
        int status;

        if (rq->org &&
            (session_open(&s, rq, config, io, &status) < 0 || deployed_env_open(&e, &s, &status) < 0))
                return status;
        return rotation_run(&s, rq->org ? &e.servers : NULL);
}
