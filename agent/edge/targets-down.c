/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/targets-down.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/targets-list.h"
#include "probes/probing.h"

#define DOWN_USEC (5 * USEC_PER_SEC)

typedef struct Down {
        const EstateEnv **envs; /* by number of the check */
        const char **names;
        ProbeSpec *specs;
        size_t n;
        char *buf;
        size_t size, len;
        TargetsDown found;
        bool over;
} Down;

static void down_done(Down *d)
{
        free(d->envs);
        free(d->names);
        free(d->specs);
}

static void down_on_result(Probing *p, size_t index, const ProbeResult *result, void *userdata)
{
        Down *d = userdata;
        (void) p;
        d->found.all++;
        if (result->layer == PROBE_OK)
                return;
        if (d->len < d->size)
                d->len +=
                        (size_t) snprintf(d->buf + d->len, d->size - d->len, "%s%.60s of %.60s/%.60s (%s)",
                                          d->found.down > 0 ? ", " : "", d->names[index], d->envs[index]->org,
                                          d->envs[index]->env, probe_layer_name(result->layer));
        d->found.down++;
}

static void down_on_done(Probing *p, void *userdata)
{
        Down *d = userdata;
        (void) p;
        d->over = true;
}

static int down_add(Down *d, Probing *p, const EstateEnv *env, const TargetRow *row, Words names, Err *err)
{
        char way[800];
        static const ProbeDefaults defaults = { .kind = PROBE_TCP,
                                                .connect_usec = DOWN_USEC,
                                                .read_usec = DOWN_USEC };
        (void) snprintf(way, sizeof(way), "%s/%s/%s", env->org, env->env, row->name);
        if (!row->target || !edge_flag(row->target->server.enabled, true) ||
            !target_name_wanted(names, way) ||
            probe_spec(&row->target->server, NULL, &defaults, &d->specs[d->n], NULL) < 0)
                return 0;
        int r = probing_add(p, &d->specs[d->n], env->org, env->env, err);
        if (r < 0)
                return r;
        d->envs[d->n] = env;
        d->names[d->n++] = row->name;
        return 0;
}

static int down_wait(Down *d, sd_event *event, Usec until, Err *err)
{
        for (Usec now; !d->over && (now = time_now()) < until;) {
                int r = sd_event_run(event, until - now);
                if (r < 0)
                        return err_errno(err, r, "Cannot wait for the target servers");
        }
        d->found.unasked = d->n - d->found.all;
        return 0;
}

int targets_down(sd_event *event, const Estate *estate, Words names, Usec until, TargetsDown *ret, char *buf,
                 size_t size, Err *err)
{
        _cleanup_(probing_freep) Probing *p = NULL;
        _cleanup_(down_done) Down d = { .buf = buf, .size = size };
        ProbingOptions options = { .event = event, .resolve_usec = DOWN_USEC, .total_usec = DOWN_USEC };
        size_t all = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < estate->n; i++)
                all += estate->envs[i].targets ? estate->envs[i].targets->n : 0;
        d.envs = calloc(all + 1, sizeof(EstateEnv *));
        d.names = calloc(all + 1, sizeof(char *));
        d.specs = calloc(all + 1, sizeof(*d.specs));
        if (!d.envs || !d.names || !d.specs)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", all);
        int r = probing_new(&p, &options, err);
        for (size_t i = 0; i < estate->n && r >= 0; i++) {
                const EstateEnv *env = &estate->envs[i];
                for (size_t k = 0; env->targets && k < env->targets->n && r >= 0; k++)
                        r = down_add(&d, p, env, &env->targets->rows[k], names, err);
        }
        if (r >= 0)
                r = probing_start(p, down_on_result, down_on_done, &d, err);
        if (r >= 0)
                r = down_wait(&d, event, until, err);
        if (r < 0)
                return r;
        *ret = d.found;
        return 0;
}
