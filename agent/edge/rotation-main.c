/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll targets rotation`: every LoadBalancer of the documents, as it would act now. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/edge/checking.h"
#include "agent/edge/deployed.h"
#include "agent/edge/rotation-watch.h"

#define SHOW_TEXT_MAX \
        (8 * 1024 * 1024) /* bytes of all documents that are kept until their servers were asked */

/* A document whose servers are asked before it is shown. */
typedef struct Kept {
        struct Kept *next;
        EdgeXml *x;
        const RotationCheck **checks;
        char path[];
} Kept;

typedef struct Show {
        Session *session;
        const DeployedEnv *env; /* NULL: not known */
        RotationChecks *checks; /* NULL: nobody is asked, and each document is shown as it comes */
        RotationWatch *watch;   /* NULL: they are asked once */
        Kept *kept, **kept_end; /* in the order in which they came */
        size_t kept_bytes;
        bool colour;
        size_t n, n_nobody, n_problems, n_unread;
        Err err;
} Show;

static Kept *kept_free(Kept *k)
{
        if (!k)
                return NULL;
        (void) edge_xml_free(k->x);
        free(k->checks);
        free(k);
        return NULL;
}
DEFINE_CLEANUP(Kept, kept_free);

static void show_done(Show *show)
{
        for (Kept *k = show->kept, *next; k; k = next) {
                next = k->next;
                (void) kept_free(k);
        }
        (void) rotation_watch_free(show->watch);
        (void) rotation_checks_free(show->checks);
}

/* @checks: as rotation_of() takes them. */
static int show_connection(Show *show, const char *path, const EdgeXml *x, const RotationCheck *const *checks)
{
        const char *name = x->name.value ? x->name.value : "";
        _cleanup_(rotation_done) Rotation ro = { 0 };
        FILE *out = show->session->io->out;

        int r = rotation_of(&x->connection, show->env ? &show->env->servers : NULL, checks, &ro);
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
        for (size_t i = 0; i < ro.n; i++) {
                if (ro.servers[i].stand != ROTATION_UNREAD)
                        continue;
                const TargetRow *row =
                        &show->env->rows->rows[ro.servers[i].server - show->env->servers.items];
                session_warn(show->session, "target server %s cannot be read: %s", row->name, row->trouble);
                show->n_unread++;
        }
        return 0;
}

/* @x: taken. */
static int keep(Show *show, const char *path, EdgeXml **x, size_t len)
{
        _cleanup_(kept_freep) Kept *k = calloc(1, sizeof(*k) + strlen(path) + 1);
        if (!k)
                return err_set(&show->err, -ENOMEM, "Out of memory");
        k->x = TAKE_PTR(*x);
        (void) memcpy(k->path, path, strlen(path) + 1);
        show->kept_bytes += len;
        if (show->kept_bytes > SHOW_TEXT_MAX)
                return err_set(&show->err, -E2BIG,
                               "documents with a LoadBalancer of more than %d MiB are not checked at once: "
                               "take some of them, or --no-check",
                               SHOW_TEXT_MAX / 1024 / 1024);
        int r = show->watch ? rotation_watch_add(show->watch, k->path, k->x, &k->checks, &show->err)
                            : rotation_checks_add(show->checks, &k->x->connection, &k->checks, &show->err);
        if (r == -E2BIG && !show->watch)
                return err_set(
                        &show->err, r,
                        "%d checks of target servers are the most at once: take some of the documents, "
                        "or --no-check",
                        PROBING_MAX);
        if (r < 0)
                return r;
        *show->kept_end = k;
        show->kept_end = &k->next;
        TAKE_PTR(k);
        return 0;
}

/* Those that wait for it. */
static int show_checked(Show *show)
{
        if (!show->kept)
                return 0;
        int r = show->watch ? rotation_watch_run(show->watch, show->session->rq->for_usec, &show->err)
                            : rotation_checks_run(show->checks, &show->err);
        for (const Kept *k = show->kept; k && r >= 0; k = k->next)
                r = show_connection(show, k->path, k->x, k->checks);
        return r;
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
        if (x->connection.balancer.line == 0)
                return 0;
        if (show->checks || show->watch)
                return keep(show, path, &x, len);
        return show_connection(show, path, x, NULL);
}

static const BundleHandlers handlers = { .document = on_document, .problem = on_problem };

static int show_end(const Show *show)
{
        Session *s = show->session;
        if (show->n_problems > 0 && show->n_nobody == 0)
                return session_end(s, RESULT_PROBLEMS, NULL, "%zu of what is there could not be read",
                                   show->n_problems);
        if (show->n_problems > 0)
                return session_end(
                        s, RESULT_PROBLEMS, NULL,
                        "%zu of %zu load balancers have no server left: every request fails; and %zu "
                        "of what is there could not be read",
                        show->n_nobody, show->n, show->n_problems);
        if (show->n_nobody > 0)
                return session_end(s, RESULT_PROBLEMS, NULL,
                                   "%zu of %zu load balancers have no server left: every request fails",
                                   show->n_nobody, show->n);
        if (show->n == 0 && s->rq->paths)
                return session_end(s, RESULT_USAGE,
                                   "bundles have them in apiproxy/targets and apiproxy/policies",
                                   "there is no LoadBalancer in %s%s", s->rq->paths[0],
                                   s->rq->paths[1] ? " and the others" : "");
        if (show->n_unread > 0)
                return session_end(s, RESULT_PROBLEMS, NULL,
                                   "%zu load balancer%s; %zu of their servers could not be read", show->n,
                                   show->n == 1 ? "" : "s", show->n_unread);
        return session_end(s, RESULT_DONE, NULL, "%zu load balancer%s", show->n, show->n == 1 ? "" : "s");
}

/* Return: the exit status when it has ended early; -1. */
static int show_paths(Show *show)
{
        Session *s = show->session;
        for (char *const *path = s->rq->paths; *path; path++) {
                int r = bundle_read(*path, &handlers, show, &show->err);
                if (r < 0)
                        return session_end_err(s,
                                               r == -ENOMEM || r == -ELIBACC ? RESULT_FAILED : RESULT_USAGE,
                                               &show->err);
        }
        return -1;
}

static int show_deployed(Show *show)
{
        Session *s = show->session;
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        int r = deployed_read(s->api, s->rq->org, s->rq->env, &handlers, show, &answer, &show->err);
        if (r < 0)
                return session_end_err(s, RESULT_FAILED, &show->err);
        return answer.kind != API_OK ? session_end_answer(s, &answer, NULL) : -1;
}

/* @env: NULL: no target servers are known. */
static int rotation_run(Session *s, const DeployedEnv *env)
{
        _cleanup_(show_done) Show show = {
                .session = s,
                .env = env,
                .colour = client_mode(fileno(s->io->out), s->rq->json, false).live,
        };

        show.kept_end = &show.kept;
        if (checking_stores(s->rq->stores, &show.err) < 0)
                return session_end_err(s, RESULT_USAGE, &show.err);
        int r = 0;
        if (env && s->rq->watch)
                r = rotation_watch_new(&show.watch, s, env, &show.err);
        else if (env && !s->rq->no_check)
                r = rotation_checks_new(&show.checks, s, env, &show.err);
        if (r < 0)
                return session_end_err(s, RESULT_FAILED, &show.err);
        int status = s->rq->paths ? show_paths(&show) : show_deployed(&show);
        if (status >= 0)
                return status;
        r = show_checked(&show);
        if (r < 0)
                return session_end_err(s, r == -ENODATA ? RESULT_USAGE : RESULT_FAILED, &show.err);
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
        return rotation_run(&s, rq->org ? &e : NULL);
}
