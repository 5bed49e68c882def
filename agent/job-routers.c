/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Behind TLS a message processor is checked on its management port, which the Management Server and others
 * need, too: only the routers may be refused there. Who is one: a source that asks that port and is a client
 * of a traffic port. Configured addresses count without having been seen.
 */

#include "agent/job-impl.h"

#include <netinet/tcp.h>
#include <string.h>

static bool routers_have(const BlockPlan *plan, const Addr *addr)
{
        for (size_t i = 0; i < plan->n_from; i++)
                if (addr_equal(&plan->from[i], addr))
                        return true;
        return false;
}

/* Return: true when it was not there yet. */
static bool routers_add(Job *job, const Addr *addr)
{
        BlockPlan *plan = &job->plan;

        if (addr_is_loopback(addr) || routers_have(plan, addr))
                return false;
        if (plan->n_from == BLOCK_FROM_MAX)
                return false; /* told by what goes on connecting: notice is not proven then */
        plan->from[plan->n_from++] = *addr;
        return true;
}

/* Nobody has watched: whom an earlier job awaited, and whom the hold refuses. */
static bool routers_unseen(const Job *job)
{
        RollKind kind = roll_kind(job->roll);
        return kind == ROLL_START || kind == ROLL_RESTART_HELD || kind == ROLL_RESTART_NOW ||
               kind == ROLL_RECOVER || kind == ROLL_UNDRAIN;
}

void job_routers_setup(Job *job)
{
        CheckerInfo info;
        Addr addr;

        if (job->facts.block != BLOCK_ROUTERS)
                return;
        for (char *const *word = job->component->routers; *word; word++)
                if (addr_parse(*word, &addr))
                        (void) routers_add(job, &addr);
        for (size_t i = 0; job->held && i < job->hold.plan.n_from; i++)
                (void) routers_add(job, &job->hold.plan.from[i]);
        for (size_t i = 0; routers_unseen(job) && checkers_get(job->checkers, i, &info); i++)
                (void) routers_add(job, &info.addr);
        checkers_only(job->checkers, job->plan.from, job->plan.n_from);
}

bool job_routers_unknown(Job *job)
{
        BlockPlan *plan = &job->plan;

        if (plan->n_from_ports == 0 || plan->n_from > 0)
                return false;
        plan->whole_ports[plan->n_whole++] = plan->from_ports[0];
        plan->n_from_ports = 0;
        return true;
}

typedef struct Clients {
        const BlockSource *checks;
        size_t n_checks;
        Job *job;
        bool found;
        Addr first;
} Clients;

static void clients_add(Clients *c, const Addr *client)
{
        for (size_t i = 0; i < c->n_checks; i++) {
                if (c->checks[i].packets == 0 || !addr_equal(&c->checks[i].addr, client))
                        continue;
                if (routers_add(c->job, client) && !c->found) {
                        c->found = true;
                        c->first = *client;
                }
                return;
        }
}

static int clients_sock(const Sock *s, void *userdata)
{
        clients_add(userdata, &s->peer);
        return 0;
}

/* Only these addresses: nobody is looked for. */
static bool routers_fixed(const Job *job)
{
        for (char *const *word = job->component->routers; *word; word++)
                if (strcmp(*word, "auto") == 0)
                        return false;
        return true;
}

bool job_routers_look(Job *job, const BlockSource *checks, size_t n, char *who)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        Clients c = { .checks = checks, .n_checks = n, .job = job };
        size_t n_sources = 0;
        bool full;
        Usec now = time_now();

        if (job->facts.block != BLOCK_ROUTERS || routers_fixed(job))
                return false;
        if (block_sources(job->block, BLOCK_NEWCONN, &sources, &n_sources, &full, NULL) == 0)
                for (size_t i = 0; i < n_sources; i++)
                        clients_add(&c, &sources[i].addr);
        /* Kept connections are older than the counters. A walk through all sockets: once a second. */
        if (now - job->routers_looked >= USEC_PER_SEC) {
                ConnsFilter filter = { .n_local = job->facts.n_traffic,
                                       .states = CONNS_STATE(TCP_ESTABLISHED) };
                job->routers_looked = now;
                memcpy(filter.local_ports, job->facts.traffic_ports, job->facts.n_traffic * sizeof(uint16_t));
                Err err = { 0 };
                if (conns_dump(job->env.conns, &filter, clients_sock, &c, &err) < 0)
                        job_progress(job, "the sockets cannot be looked at: %s", err.text);
        }
        /* An earlier job awaited it and it asks again: a router, also when nothing comes through it now. */
        CheckerInfo info;
        for (size_t i = 0; checkers_get(job->checkers, i, &info); i++)
                if (info.learned)
                        clients_add(&c, &info.addr);
        if (!c.found)
                return false;
        Err err = { 0 };
        if (block_set_from(job->block, job->plan.from, job->plan.n_from, &err) < 0)
                job_warn(job, "%s", err.text);
        checkers_only(job->checkers, job->plan.from, job->plan.n_from);
        (void) addr_format(&c.first, who, ADDR_TEXT_SIZE);
        return true;
}

const char *job_routers_text(const Job *job, char *buf, size_t size)
{
        const BlockPlan *plan = &job->plan;
        char addr[ADDR_TEXT_SIZE];
        size_t len = 0, i;

        (void) snprintf(buf, size, "nobody");
        for (i = 0; i < plan->n_from && i < 4 && len < size; i++)
                len += (size_t) snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
                                         addr_format(&plan->from[i], addr, sizeof(addr)));
        if (i < plan->n_from && len < size)
                (void) snprintf(buf + len, size - len, " and %zu more", plan->n_from - i);
        return buf;
}
