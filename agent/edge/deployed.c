/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/deployed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Fetching {
        const BundleHandlers *handlers;
        void *userdata;
        int r; /* the first that ends it */
        Err *err;
} Fetching;

typedef struct Revision {
        Fetching *fetching;
        char shown[DEPLOYMENTS_NAME_SIZE + 80]; /* PROXY:REVISION */
} Revision;

/* libarchive wants to seek; nothing of it is to be on a disk. */
static int zip_in_memory(const ApiAnswer *answer, int *ret, Err *err)
{
        _cleanup_(closep) int fd = memfd_create("bundle", MFD_CLOEXEC);
        if (fd < 0)
                return err_errno(err, -errno, "No memory for a bundle");
        for (size_t done = 0; done < answer->body_len;) {
                ssize_t n = write(fd, answer->body + done, answer->body_len - done);
                if (n < 0 && errno != EINTR)
                        return err_errno(err, -errno, "No memory for a bundle");
                done += n > 0 ? (size_t) n : 0;
        }
        *ret = TAKE_FD(fd);
        return 0;
}

static void revision_on_answer(const ApiAnswer *answer, void *userdata)
{
        const Revision *rev = userdata;
        Fetching *f = rev->fetching;
        _cleanup_(closep) int fd = -1;

        if (f->r < 0)
                return;
        if (answer->kind != API_OK)
                f->r = f->handlers->problem(rev->shown, answer->text, f->userdata);
        else if ((f->r = zip_in_memory(answer, &fd, f->err)) >= 0)
                f->r = bundle_read_zip(fd, rev->shown, f->handlers, f->userdata, f->err);
}

static int revision_start(Api *api, const char *org, const Deployment *d, Revision *rev, Err *err)
{
        _cleanup_(freep) char *path = NULL, *whole = NULL;
        (void) snprintf(rev->shown, sizeof(rev->shown), "%s:%s", d->proxy, d->revision);
        int r = api_path(&path, API_SEGMENTS("o", org, "apis", d->proxy, "revisions", d->revision), err);
        if (r < 0)
                return r;
        if (asprintf(&whole, "%s?format=bundle", path) < 0)
                return err_set(err, -ENOMEM, "Out of memory for a path");
        return api_start(api, &(ApiRequest){ .path = whole, .max_bytes = DEPLOYED_BUNDLE_MAX },
                         revision_on_answer, rev, err);
}

int deployed_revisions(Api *api, const char *org, const Deployments *all, const BundleHandlers *handlers,
                       void *userdata, Err *err)
{
        Fetching f = { .handlers = handlers, .userdata = userdata, .err = err };
        _cleanup_(freep) Revision *revisions = calloc(all->n ? all->n : 1, sizeof(*revisions));
        int r = 0, n = 0;

        if (!revisions)
                return err_set(err, -ENOMEM, "Out of memory for %zu revisions", all->n);
        for (size_t i = 0; i < all->n && r >= 0; i++) {
                if (!deployment_serves(&all->rows[i]))
                        continue;
                revisions[i].fetching = &f;
                r = revision_start(api, org, &all->rows[i], &revisions[i], err);
                n++;
        }
        /* Those that were begun refer to what goes with this function. */
        if (r < 0)
                f.r = r;
        int end = api_run(api, r < 0 ? NULL : err);
        return r < 0 ? r : end < 0 ? end : f.r < 0 ? f.r : n;
}

int deployed_read(Api *api, const char *org, const char *env, const BundleHandlers *handlers, void *userdata,
                  ApiAnswer *answer, Err *err)
{
        _cleanup_(deployments_freep) Deployments *all = NULL;
        _cleanup_(freep) char *path = NULL;
        Err why = { 0 };

        int r = api_path(&path, API_SEGMENTS("o", org, "e", env, "deployments"), err);
        if (r >= 0)
                r = api_call(api, &(ApiRequest){ .path = path, .max_bytes = DEPLOYMENTS_MAX }, answer, err);
        if (r < 0 || answer->kind != API_OK)
                return r;
        if (deployments_parse(answer->body, answer->body_len, env, &all, &why) < 0) {
                api_answer_done(answer);
                api_foreign(answer, why.text);
                answer->body = NULL;
                return 0;
        }
        return deployed_revisions(api, org, all, handlers, userdata, err);
}

int deployed_servers(const TargetRows *rows, LintServers *ret, Err *err)
{
        EdgeTargetServer *servers = calloc(rows->n ? rows->n : 1, sizeof(*servers));
        if (!servers)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", rows->n);
        for (size_t i = 0; i < rows->n; i++) {
                const TargetRow *row = &rows->rows[i];
                if (row->target)
                        servers[i] = row->target->server;
                else
                        servers[i].name = (EdgeText){ .value = row->name, .line = 1 };
        }
        *ret = (LintServers){ .items = servers, .n = rows->n };
        return 0;
}

void deployed_servers_done(LintServers *servers)
{
        free((void *) (uintptr_t) servers->items);
        *servers = (LintServers){ 0 };
}

int deployed_env_open(DeployedEnv *e, Session *s, int *ret_exit)
{
        _cleanup_(api_answer_done) ApiAnswer answer = { 0 };
        Err err = { 0 };

        int r = targets_fetch(s->api, s->rq->org, s->rq->env, &e->rows, &answer, &err);
        if (r >= 0 && e->rows)
                r = deployed_servers(e->rows, &e->servers, &err);
        if (r < 0)
                *ret_exit = session_end_err(s, RESULT_FAILED, &err);
        else if (!e->rows)
                *ret_exit = session_end_answer(s, &answer, NULL);
        return r < 0 || !e->rows ? -1 : 0;
}

void deployed_env_done(DeployedEnv *e)
{
        e->rows = targets_rows_free(e->rows);
        deployed_servers_done(&e->servers);
}
