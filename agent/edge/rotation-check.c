/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/rotation-check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probes/monitor.h"

typedef struct Ask {
        RotationCheck check;
        ProbeSpec spec;
        struct Ask *next; /* of the same target server */
} Ask;

struct RotationChecks {
        Session *session;
        const DeployedEnv *env;
        Probing *probing;
        Ask **of_server;         /* by the index of the target server */
        Ask *asked[PROBING_MAX]; /* by the number of the check */
        size_t n, done, bad;
};

int rotation_checks_new(RotationChecks **ret, Session *s, const DeployedEnv *env, Err *err)
{
        _cleanup_(rotation_checks_freep) RotationChecks *c = calloc(1, sizeof(*c));
        ProbingOptions options = { .event = s->event, .stores = s->rq->stores };

        if (c)
                c->of_server = calloc(env->servers.n + 1, sizeof(*c->of_server));
        if (!c || !c->of_server)
                return err_set(err, -ENOMEM, "Out of memory for %zu target servers", env->servers.n);
        c->session = s;
        c->env = env;
        int r = probing_new(&c->probing, &options, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

RotationChecks *rotation_checks_free(RotationChecks *c)
{
        if (!c)
                return NULL;
        (void) probing_free(c->probing);
        for (size_t i = 0; c->of_server && i < c->env->servers.n; i++)
                for (Ask *a = c->of_server[i], *next; a; a = next) {
                        next = a->next;
                        free(a);
                }
        free(c->of_server);
        free(c);
        return NULL;
}

/* Two checks without a request of their own, of one target server. */
static bool same(const ProbeSpec *a, const ProbeSpec *b)
{
        return a->kind != PROBE_HTTP && a->kind == b->kind && a->port == b->port && a->tls == b->tls &&
               a->connect_usec == b->connect_usec && a->read_usec == b->read_usec && a->notes == b->notes;
}

static Ask *ask_new(RotationChecks *c, size_t server)
{
        Ask *a = calloc(1, sizeof(*a));
        if (!a)
                return NULL;
        a->next = c->of_server[server];
        c->of_server[server] = a;
        return a;
}

/* @monitor: NULL where Edge runs none. @ret: NULL with -E2BIG and -ENOMEM. */
static int ask(RotationChecks *c, size_t server, const EdgeHealthMonitor *monitor, const Ask **ret, Err *err)
{
        static const ProbeDefaults defaults = { .kind = PROBE_TLS,
                                                .connect_usec = ROTATION_WAIT_USEC,
                                                .read_usec = ROTATION_WAIT_USEC };
        ProbeSpec spec = { 0 };
        Err why = { 0 };

        int r = probe_spec(&c->env->servers.items[server], monitor, &defaults, &spec, &why);
        for (const Ask *a = c->of_server[server]; r >= 0 && a; a = a->next)
                if (a->spec.host && same(&a->spec, &spec)) {
                        *ret = a;
                        return 0;
                }
        Ask *a = ask_new(c, server);
        if (!a)
                return err_set(err, -ENOMEM, "Out of memory for a check");
        *ret = a;
        if (r < 0) {
                const TargetRow *row = &c->env->rows->rows[server];
                a->check.layer = PROBE_HERE;
                (void) snprintf(a->check.text, sizeof(a->check.text), "%.290s",
                                row->target ? why.text : row->trouble);
                return 0;
        }
        a->spec = spec;
        r = probing_add(c->probing, &spec, c->session->rq->org, c->session->rq->env, err);
        if (r < 0)
                return r;
        c->asked[r] = a;
        c->n++;
        return 0;
}

int rotation_checks_add(RotationChecks *c, const EdgeConnection *connection, const RotationCheck ***ret,
                        Err *err)
{
        const EdgeBalancer *b = &connection->balancer;
        const EdgeHealthMonitor *monitor = monitor_rules(connection).monitored ? &connection->monitor : NULL;
        _cleanup_(freep) const RotationCheck **checks = calloc(b->n_servers + 1, sizeof(*checks));

        if (!checks)
                return err_set(err, -ENOMEM, "Out of memory for %zu servers", b->n_servers);
        for (size_t i = 0; i < b->n_servers; i++) {
                const EdgeTargetServer *server = lint_server(&c->env->servers, b->servers[i].name.value);
                const Ask *a = NULL;
                if (!server || !rotation_enabled(&b->servers[i], server))
                        continue;
                int r = ask(c, (size_t) (server - c->env->servers.items), monitor, &a, err);
                if (r < 0)
                        return r;
                checks[i] = &a->check;
        }
        *ret = TAKE_PTR(checks);
        return 0;
}

/* An HTTPMonitor that would be answered here, and cannot be in Edge. */
static unsigned edge_cannot(const ProbeSpec *s, unsigned notes)
{
        unsigned never = PROBE_NOTE_TWO_WAY | (s->any_certificate ? 0 : PROBE_NOTE_SELF_SIGNED);
        return s->kind == PROBE_HTTP ? notes & never : 0;
}

RotationCheck rotation_check_of(const ProbeSpec *spec, const ProbeResult *result)
{
        unsigned notes = result->notes | spec->notes, cannot = edge_cannot(spec, notes);
        RotationCheck check = { .layer = result->layer,
                                .down = result->layer != PROBE_OK && result->layer != PROBE_HERE,
                                .elapsed_usec = result->elapsed_usec,
                                .notes = notes };

        (void) snprintf(check.text, sizeof(check.text), "%s", result->text);
        if (result->layer == PROBE_OK && cannot) {
                ProbeNote note = cannot & PROBE_NOTE_TWO_WAY ? PROBE_NOTE_TWO_WAY : PROBE_NOTE_SELF_SIGNED;
                check.down = true;
                check.notes &= ~(unsigned) note;
                (void) snprintf(check.text, sizeof(check.text), "%s", probe_note_text(note));
        }
        return check;
}

static void checks_on_result(Probing *p _unused_, size_t index, const ProbeResult *result, void *userdata)
{
        RotationChecks *c = userdata;
        Ask *a = c->asked[index];

        a->check = rotation_check_of(&a->spec, result);
        c->done++;
        c->bad += a->check.down;
        session_live(c->session, "%zu of %zu checked, %zu do not answer", c->done, c->n, c->bad);
}

int rotation_checks_run(RotationChecks *c, Err *err)
{
        int r = probing_run(c->probing, checks_on_result, c, err);
        session_live(c->session, "%s", "");
        return r;
}
