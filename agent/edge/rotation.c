/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/rotation.h"

#include <inttypes.h>
#include <stdlib.h>

#include "probes/monitor.h"

const char *rotation_stand_name(RotationStand stand)
{
        static const char *const names[] = {
                [ROTATION_IN] = "in",
                [ROTATION_WAITING] = "waiting",
                [ROTATION_FALLBACK] = "fallback",
                [ROTATION_FAILING] = "failing",
                [ROTATION_OUT] = "out",
                [ROTATION_DISABLED] = "disabled",
                [ROTATION_UNREAD] = "unread",
                [ROTATION_UNKNOWN] = "unknown",
        };
        _Static_assert(ELEMENTS(names) == ROTATION_STAND_COUNT, "every stand has a name");
        return stand >= 0 && stand < ROTATION_STAND_COUNT ? names[stand] : "invalid";
}

/* Requests go to it, whether it answers or not, or as far as is known. */
static bool serves(RotationStand stand)
{
        return stand == ROTATION_IN || stand == ROTATION_FAILING || stand == ROTATION_FALLBACK ||
               stand == ROTATION_UNREAD;
}

bool rotation_enabled(const EdgeServerRef *ref, const EdgeTargetServer *server)
{
        return edge_flag(ref->enabled, true) && (!server || edge_flag(server->enabled, true));
}

static RotationStand stand_of(const Rotation *ro, const RotationServer *s, const LintServers *servers)
{
        if (servers && !s->server)
                return ROTATION_UNKNOWN;
        if (s->server && !s->server->host.line)
                return edge_flag(s->ref->enabled, true) ? ROTATION_UNREAD : ROTATION_DISABLED;
        if (!rotation_enabled(s->ref, s->server))
                return ROTATION_DISABLED;
        if (s->check && s->check->down)
                return edge_number(ro->connection->balancer.max_failures, 0) > 0 ? ROTATION_OUT
                                                                                 : ROTATION_FAILING;
        return edge_flag(s->ref->fallback, false) ? ROTATION_WAITING : ROTATION_IN;
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
                if (other->stand == ROTATION_UNREAD)
                        return ROTATION_SHARE_UNKNOWN;
                if (b->algorithm == EDGE_WEIGHTED && !other->ref->weight.set && !ro->fallback)
                        return ROTATION_SHARE_UNKNOWN;
                weights += (double) edge_number(other->ref->weight, 0);
        }
        if (b->algorithm != EDGE_WEIGHTED || ro->fallback)
                return 1.0 / (double) parts;
        return weights > 0 ? (double) s->ref->weight.value / weights : ROTATION_SHARE_UNKNOWN;
}

int rotation_of(const EdgeConnection *connection, const LintServers *servers,
                const RotationCheck *const *checks, Rotation *ret)
{
        const EdgeBalancer *b = &connection->balancer;
        Rotation ro = { .connection = connection, .n = b->n_servers, .checked = checks != NULL };

        if (!(ro.servers = calloc(ro.n ? ro.n : 1, sizeof(*ro.servers))))
                return -ENOMEM;
        for (size_t i = 0; i < ro.n; i++) {
                RotationServer *s = &ro.servers[i];
                s->ref = &b->servers[i];
                s->server = lint_server(servers, s->ref->name.value);
                s->check = checks ? checks[i] : NULL;
                s->stand = stand_of(&ro, s, servers);
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

/* The servers among which requests are shared now. */
typedef struct Parts {
        size_t n, failing;
        bool waiting; /* a fallback stands by that is not known to fail */
} Parts;

static Parts parts_of(const Rotation *ro)
{
        Parts p = { 0 };
        for (size_t i = 0; i < ro->n; i++) {
                const RotationServer *s = &ro->servers[i];
                bool part = has_part(ro, s);
                p.n += part;
                p.failing += part && s->stand == ROTATION_FAILING;
                p.waiting = p.waiting || s->stand == ROTATION_WAITING;
        }
        return p;
}

/* Where the request goes that has just failed. */
static void next_try(const Rotation *ro, const Parts *p, char *buf, size_t size)
{
        if (!edge_flag(ro->connection->balancer.retry, true))
                (void) snprintf(buf, size, "fails (RetryEnabled is false)");
        else if (p->n < 2)
                (void) snprintf(buf, size, "has no other server to be tried on");
        else if (p->failing == p->n)
                (void) snprintf(buf, size, "is tried on another server, and none of the %zu answers", p->n);
        else if (p->failing > 0)
                (void) snprintf(buf, size, "is tried on another server, and %zu of the %zu do not answer",
                                p->failing, p->n);
        else
                (void) snprintf(buf, size, "is tried on another server");
}

/* What becomes of the server. */
static void next_out(const Rotation *ro, char *buf, size_t size)
{
        MonitorRules rules = monitor_rules(ro->connection);
        if (rules.max_failures <= 0)
                (void) snprintf(buf, size, "no server is ever taken out (MaxFailures is 0)");
        else if (rules.monitored)
                (void) snprintf(
                        buf, size,
                        "after %" PRId64
                        " in a row the server is out until its monitor finds it well (asked every %" PRId64
                        " s)",
                        rules.max_failures, edge_number(ro->connection->monitor.interval_sec, 0));
        else
                (void) snprintf(buf, size,
                                "after %" PRId64
                                " in a row the server is out until the proxy is deployed again",
                                rules.max_failures);
}

void rotation_next_failure(const Rotation *ro, char *buf, size_t size)
{
        Parts parts = parts_of(ro);
        char try[100], out[160];

        if (ro->nobody) {
                (void) snprintf(buf, size, "every request fails: no server is left");
                return;
        }
        next_try(ro, &parts, try, sizeof(try));
        next_out(ro, out, sizeof(out));
        bool last = edge_number(ro->connection->balancer.max_failures, 0) > 0 && parts.n == 1;
        (void) snprintf(buf, size, "the request %s; %s%s", try, out,
                        !last           ? ""
                        : parts.waiting ? ", and the fallback takes over"
                                        : ", and then every request fails");
}
