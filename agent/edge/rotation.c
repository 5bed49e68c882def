/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/rotation.h"

#include <inttypes.h>
#include <stdlib.h>

const char *rotation_stand_name(RotationStand stand)
{
        static const char *const names[] = {
                [ROTATION_IN] = "in",
                [ROTATION_WAITING] = "waiting",
                [ROTATION_FALLBACK] = "fallback",
                [ROTATION_FAILING] = "failing",
                [ROTATION_OUT] = "out",
                [ROTATION_DISABLED] = "disabled",
                [ROTATION_UNKNOWN] = "unknown",
        };
        _Static_assert(ELEMENTS(names) == ROTATION_STAND_COUNT, "every stand has a name");
        return stand >= 0 && stand < ROTATION_STAND_COUNT ? names[stand] : "invalid";
}

/* Requests go to it, whether it answers or not. */
static bool serves(RotationStand stand)
{
        return stand == ROTATION_IN || stand == ROTATION_FAILING || stand == ROTATION_FALLBACK;
}

static RotationStand stand_of(const Rotation *ro, const RotationServer *s, const LintServers *servers,
                              RotationDownFn down, void *userdata)
{
        const EdgeServerRef *ref = s->ref;
        if (servers && !s->server)
                return ROTATION_UNKNOWN;
        if (!edge_flag(ref->enabled, true) || (s->server && !edge_flag(s->server->enabled, true)))
                return ROTATION_DISABLED;
        if (down && ref->name.value && down(ref->name.value, userdata))
                return edge_number(ro->connection->balancer.max_failures, 0) > 0 ? ROTATION_OUT
                                                                                 : ROTATION_FAILING;
        return edge_flag(ref->fallback, false) ? ROTATION_WAITING : ROTATION_IN;
}

/* The first fallback only: there may be one. */
static void engage(Rotation *ro)
{
        for (size_t i = 0; i < ro->n; i++)
                if (!edge_flag(ro->servers[i].ref->fallback, false) && serves(ro->servers[i].stand))
                        return;
        for (size_t i = 0; i < ro->n; i++) {
                RotationServer *s = &ro->servers[i];
                bool fallback = edge_flag(s->ref->fallback, false);
                if (fallback && (s->stand == ROTATION_WAITING || s->stand == ROTATION_FAILING)) {
                        if (s->stand == ROTATION_WAITING)
                                s->stand = ROTATION_FALLBACK;
                        ro->fallback = true;
                        return;
                }
        }
        ro->nobody = true;
}

/* A fallback that fails and is not engaged gets nothing, as one that waits. */
static bool has_part(const Rotation *ro, const RotationServer *s)
{
        return serves(s->stand) && edge_flag(s->ref->fallback, false) == ro->fallback;
}

static double share_of(const Rotation *ro, const RotationServer *s)
{
        const EdgeBalancer *b = &ro->connection->balancer;
        double weights = 0;
        size_t parts = 0;

        if (!has_part(ro, s))
                return 0;
        for (size_t i = 0; i < ro->n; i++) {
                const RotationServer *other = &ro->servers[i];
                if (!has_part(ro, other))
                        continue;
                parts++;
                if (b->algorithm == EDGE_WEIGHTED && !other->ref->weight.set && !ro->fallback)
                        return ROTATION_SHARE_UNKNOWN;
                weights += (double) edge_number(other->ref->weight, 0);
        }
        if (b->algorithm != EDGE_WEIGHTED || ro->fallback)
                return 1.0 / (double) parts;
        return weights > 0 ? (double) s->ref->weight.value / weights : ROTATION_SHARE_UNKNOWN;
}

int rotation_of(const EdgeConnection *connection, const LintServers *servers, RotationDownFn down,
                void *userdata, Rotation *ret)
{
        const EdgeBalancer *b = &connection->balancer;
        Rotation ro = { .connection = connection, .n = b->n_servers, .checked = down != NULL };

        if (!(ro.servers = calloc(ro.n ? ro.n : 1, sizeof(*ro.servers))))
                return -ENOMEM;
        for (size_t i = 0; i < ro.n; i++) {
                RotationServer *s = &ro.servers[i];
                s->ref = &b->servers[i];
                s->server = lint_server(servers, s->ref->name.value);
                s->stand = stand_of(&ro, s, servers, down, userdata);
        }
        engage(&ro);
        for (size_t i = 0; i < ro.n; i++)
                ro.servers[i].share = share_of(&ro, &ro.servers[i]);
        *ret = ro;
        return 0;
}

void rotation_done(Rotation *rotation)
{
        free(rotation->servers);
        *rotation = (Rotation){ 0 };
}

void rotation_next_failure(const Rotation *ro, char *buf, size_t size)
{
        const EdgeConnection *c = ro->connection;
        const EdgeHealthMonitor *m = &c->monitor;
        int64_t most = edge_number(c->balancer.max_failures, 0);
        bool retry = edge_flag(c->balancer.retry, true),
             monitored = m->line > 0 && edge_flag(m->enabled, false);
        const RotationServer *fallback = NULL;
        size_t parts = 0;
        char out[160];

        for (size_t i = 0; i < ro->n; i++) {
                parts += has_part(ro, &ro->servers[i]);
                if (ro->servers[i].stand == ROTATION_WAITING && !fallback)
                        fallback = &ro->servers[i];
        }
        if (ro->nobody) {
                (void) snprintf(buf, size, "every request fails: no server is left");
                return;
        }
        if (most <= 0)
                (void) snprintf(out, sizeof(out), "no server is ever taken out (MaxFailures is 0)");
        else if (monitored)
                (void) snprintf(
                        out, sizeof(out),
                        "after %" PRId64
                        " in a row the server is out until its monitor finds it well (asked every %" PRId64
                        " s)",
                        most, edge_number(m->interval_sec, 0));
        else
                (void) snprintf(out, sizeof(out),
                                "after %" PRId64
                                " in a row the server is out until the proxy is deployed again",
                                most);
        (void) snprintf(buf, size, "the request %s; %s%s",
                        !retry      ? "fails (RetryEnabled is false)"
                        : parts > 1 ? "is tried on another server"
                                    : "has no other server to be tried on",
                        out, most > 0 && parts == 1 && fallback ? ", and the fallback takes over" : "");
}
