/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/checking.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_CONNECT_USEC (5 * USEC_PER_SEC)
#define CHECK_TOTAL_USEC   (10 * USEC_PER_SEC)

struct Checking {
        Probing *probing;
        ProbeSpec *specs;
        size_t *index_of; /* of the servers: by number of the probe */
        size_t n;
        CheckedFn fn;
        CheckingDoneFn done;
        void *userdata;
};

Checking *checking_free(Checking *c)
{
        if (!c)
                return NULL;
        c->probing = probing_free(c->probing);
        free(c->specs);
        free(c->index_of);
        free(c);
        return NULL;
}

static void checking_on_result(Probing *p, size_t index, const ProbeResult *result, void *userdata)
{
        const Checking *c = userdata;
        Checked one = { .layer = result->layer,
                        .elapsed_usec = result->elapsed_usec,
                        .notes = result->notes | c->specs[index].notes };
        (void) p;
        (void) snprintf(one.text, sizeof(one.text), "%s", result->text);
        c->fn(c->index_of[index], &one, c->userdata);
}

static void checking_on_done(Probing *p, void *userdata)
{
        const Checking *c = userdata;
        (void) p;
        c->done(c->userdata);
}

static int checking_add(Checking *c, size_t index, const EdgeTargetServer *server, const char *org,
                        const char *env, Err *err)
{
        static const ProbeDefaults defaults = { .kind = PROBE_TLS,
                                                .connect_usec = CHECK_CONNECT_USEC,
                                                .read_usec = CHECK_CONNECT_USEC };
        Err why = { 0 };
        if (probe_spec(server, NULL, &defaults, &c->specs[c->n], &why) < 0) {
                Checked bad = { .layer = PROBE_HERE };
                (void) snprintf(bad.text, sizeof(bad.text), "%.290s", why.text);
                c->fn(index, &bad, c->userdata);
                return 0;
        }
        int r = probing_add(c->probing, &c->specs[c->n], org, env, err);
        if (r < 0)
                return r;
        c->index_of[c->n++] = index;
        return 0;
}

int checking_stores(const char *folder, Err *err)
{
        if (!folder)
                return 0;
        _cleanup_(closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? err_errno(err, -errno, "--stores %s", folder) : 0;
}

int checking_start(Checking **ret, sd_event *event, const EdgeTargetServer *const *servers, size_t n,
                   const char *org, const char *env, const char *stores, CheckedFn fn, CheckingDoneFn done,
                   void *userdata, Err *err)
{
        _cleanup_(checking_freep) Checking *c = calloc(1, sizeof(*c));
        ProbingOptions options = { .event = event, .total_usec = CHECK_TOTAL_USEC, .stores = stores };

        if (!c)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", n);
        *c = (Checking){ .fn = fn, .done = done, .userdata = userdata };
        c->specs = calloc(n + 1, sizeof(*c->specs));
        c->index_of = calloc(n + 1, sizeof(*c->index_of));
        if (!c->specs || !c->index_of)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", n);
        int r = probing_new(&c->probing, &options, err);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = checking_add(c, i, servers[i], org, env, err);
        if (r >= 0)
                r = probing_start(c->probing, checking_on_result, checking_on_done, c, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
