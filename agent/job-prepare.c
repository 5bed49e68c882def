/* SPDX-License-Identifier: GPL-3.0-or-later */

/* discover, watch: what is true before anything is touched, and what a job is set up with from it. */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/known.h"

/* ---- discover ---- */

int job_setup(Job *job, Err *err)
{
        const Component *c = job->component;
        const Facts *f = &job->facts;

        BlockPlan plan = job_facts_plan(f, c);
        plan.n_from = job->plan.n_from; /* a resumed job knows its routers */
        memcpy(plan.from, job->plan.from, sizeof(plan.from));
        job->plan = plan;
        /* The one it will have: refused before anybody can listen on it. */
        if (job->next_health_port)
                (void) job_ports_refuse(&job->plan, job->next_health_port);

        CheckersConfig checkers = {
                .interval_usec = c->check_interval_usec,
                .fall = c->check_fall,
                .rise = c->check_rise,
                .mixed = f->block == BLOCK_SYN,
                .watch_max_usec = c->watch_max_usec,
                .resolution_usec = JOB_ARRIVAL_USEC,
        };
        InflightConfig inflight = {
                .n_traffic = f->n_traffic,
                .n_upstream = c->next_tier_ports.n,
                .tls = f->tls,
                .tls_http1 =
                        c->kind == KIND_MP, /* nginx, which the router is, talks HTTP/1 to its upstreams */
                .quiet_usec = c->quiet_usec,
                .request_limit_usec = f->request_limit_usec,
        };
        memcpy(inflight.traffic_ports, f->traffic_ports, f->n_traffic * sizeof(uint16_t));
        memcpy(inflight.upstream_ports, c->next_tier_ports.ports, c->next_tier_ports.n * sizeof(uint16_t));

        job->checkers = checkers_free(job->checkers);
        job->inflight = inflight_free(job->inflight);
        job->cuts = cuts_free(job->cuts);
        job->kept = kept_conns_free(job->kept);
        if (checkers_new(&job->checkers, &checkers) < 0 ||
            cuts_new(&job->cuts, f->traffic_ports, f->n_traffic) < 0 ||
            (f->block != BLOCK_SYN && kept_conns_new(&job->kept) < 0))
                return err_set(err, -ENOMEM, "out of memory");

        known_checkers(job->env.config, c, job->checkers);
        job_routers_setup(job);
        /* It drains itself while it stops. */
        if (roll_kind(job->roll) == ROLL_RESTART_GRACEFUL && !c->limit_usec[PHASE_STOP])
                roll_set_limit(job->roll, PHASE_STOP,
                               MAX(component_limit(c, PHASE_STOP), job_drain_cap(job)));
        return inflight_new(&job->inflight, &inflight, err);
}

void job_learn(Job *job, Result result)
{
        Err err = { 0 };
        int r = 0;
        if (roll_kind(job->roll) == ROLL_DOCTOR)
                r = 0; /* what a hold is measured by is still wanted */
        else if (result == RESULT_HELD && job->before)
                r = known_before_write(job->env.config, job->component, job->before, &err);
        else if (result == RESULT_DONE)
                r = known_before_write(job->env.config, job->component, NULL, &err);
        if (r < 0)
                job_warn(job, "what was loaded before cannot be kept: %s", err.text);
        if (result != RESULT_DONE)
                return;
        uint16_t port =
                job->facts.block == BLOCK_ROUTERS ? job->facts.traffic_ports[0] : job->facts.health_port;
        if (known_write(job->env.config, job->component, port, job->checkers, &err) < 0)
                job_warn(job, "what was learned cannot be kept: %s", err.text);
}

static const char *ports_text(const uint16_t *ports, size_t n, char *buf, size_t size)
{
        size_t len = 0;
        buf[0] = '\0';
        for (size_t i = 0; i < n && len + 8 < size; i++)
                len += (size_t) snprintf(buf + len, size - len, "%s%u", i ? ", " : "", ports[i]);
        return buf;
}

size_t job_ports(const Job *job, uint16_t *ports)
{
        size_t n = 0;
        ports[n++] = job->facts.health_port;
        for (size_t i = 0; i < job->facts.n_traffic && n < CONNS_PORTS_MAX; i++)
                if (job->facts.traffic_ports[i] != job->facts.health_port)
                        ports[n++] = job->facts.traffic_ports[i];
        return n;
}

/* ---- nobody is served (restart --now) ---- */

typedef struct Served {
        uint16_t health_port;
        Addr who[4]; /* the first few */
        size_t n_who;
        unsigned live;  /* connections on the traffic ports */
        unsigned ended; /* ... that ended within the last minute (TIME_WAIT) */
        unsigned asked; /* connections on the health port, live or just ended */
} Served;

static int served_socket(const Sock *s, void *userdata)
{
        Served *served = userdata;
        if (s->state == 10 || addr_is_loopback(&s->peer))
                return 0;
        if (s->local_port == served->health_port)
                served->asked++;
        else if (s->state == 6)
                served->ended++;
        else
                served->live++;
        for (size_t i = 0; i < served->n_who; i++)
                if (addr_equal(&served->who[i], &s->peer))
                        return 0;
        if (served->n_who < ELEMENTS(served->who))
                served->who[served->n_who++] = s->peer;
        return 0;
}

/* Return: true when somebody is (the phase is over then). */
static bool discover_served(Job *job)
{
        ConnsFilter filter = { .states = CONNS_LIVE | CONNS_STATE(6) };
        Served served = { .health_port = job->facts.health_port };
        char who[200] = "", addr[ADDR_TEXT_SIZE];
        Err err = { 0 };
        size_t len = 0;

        filter.n_local = job_ports(job, filter.local_ports);
        if (conns_dump(job->env.conns, &filter, served_socket, &served, &err) < 0) {
                job_fail(job, RESULT_REFUSED, NULL, "the sockets cannot be looked at: %s", err.text);
                return true;
        }
        if (served.n_who == 0)
                return false;
        for (size_t i = 0; i < served.n_who && len < sizeof(who); i++)
                len += (size_t) snprintf(who + len, sizeof(who) - len, "%s%s", i ? ", " : "",
                                         addr_format(&served.who[i], addr, sizeof(addr)));
        job_fail(
                job, RESULT_REFUSED, "restart it without --now, which waits for them",
                "somebody is served: %u connections on the traffic ports, %u more that ended within a minute, %u on "
                "the health port %u; from %s",
                served.live, served.ended, served.asked, served.health_port, who);
        return true;
}

/* Who has cut connections in an earlier job. */
static void discover_cut(Job *job)
{
        RollKind kind = roll_kind(job->roll);
        char addr[ADDR_TEXT_SIZE], stamp[32], text[256];
        KnownCut cut;

        if (roll_next(kind, PHASE_NOTICE) == PHASE_NONE && kind != ROLL_DOCTOR)
                return;
        if (!known_cut(job->env.config, job->component, &cut))
                return;
        (void) snprintf(text, sizeof(text),
                        "%s cut %u of %u connections with a request in flight at its mark-down on %s",
                        addr_format(&cut.addr, addr, sizeof(addr)), cut.cut, cut.in_flight,
                        time_stamp(cut.wall_usec, stamp, sizeof(stamp)));
        if (kind == ROLL_DOCTOR)
                job_find(job, FINDING_WARNING, "checkers",
                         "let the load balancer keep live connections at the mark-down",
                         "%s: if it still does, a restart loses requests", text);
        else
                job_warn(job, "%s: if it still does, requests are lost", text);
}

static const char *refused_text(const Facts *f)
{
        return f->block == BLOCK_WHOLE     ? "whole"
               : f->block == BLOCK_ROUTERS ? "from the routers only"
                                           : "for new connections only";
}

static void discover_enter(Job *job)
{
        const Component *c = job->component;
        const Facts *f = &job->facts;
        RollKind kind = roll_kind(job->roll);
        char ports[256], limit[32];
        Err err = { 0 };

        if (f->next_health_port && job_kind_restarts(kind)) {
                job->next_health_port = f->next_health_port;
                job_warn(job,
                         "http.port becomes %u with the restart, as the properties have it; it is %u now",
                         f->next_health_port, f->health_port);
        }
        if (f->n_traffic == 0 && kind != ROLL_START && kind != ROLL_UNDRAIN && kind != ROLL_DRY_RUN &&
            job_preflight_refuse(
                    job, RESULT_REFUSED, "ports", "set traffic_ports in the configuration",
                    "the traffic ports of %s are not known (%s): without them nothing can be said of requests in flight",
                    c->name, f->traffic_from))
                return;
        int r = job_setup(job, &err);
        if (r < 0) {
                job_fail(job, RESULT_FAILED, NULL, "%s", err.text);
                return;
        }
        _cleanup_(block_freep) Block *tried = NULL;
        if (!job->block && block_new(&tried, -1, (BlockOwner) job->env.config->nft_owner, &err) < 0) {
                job_fail(job, RESULT_REFUSED, "edge-roll needs nf_tables in the kernel and CAP_NET_ADMIN",
                         "%s", err.text);
                return;
        }
        job_foreign_look(job);
        if (kind == ROLL_DRY_RUN) {
                job_ok(job,
                       "health port %u (%s), refused %s; traffic ports %s; a request lasts at most %s (%s)",
                       f->health_port, f->health_port_from, refused_text(f),
                       ports_text(f->traffic_ports, f->n_traffic, ports, sizeof(ports)),
                       time_format(f->request_limit_usec, limit, sizeof(limit)), f->request_limit_from);
                return;
        }
        if (!job->block) {
                job->block = TAKE_PTR(tried);
                block_set_table(job->block, job_table_name(job));
        }
        uint16_t all[CONNS_PORTS_MAX];
        size_t n = job_ports(job, all);
        if (facts_listening(job->env.conns, all, n, &job->inode_sum, &err) < 0) {
                job_fail(job, RESULT_REFUSED, NULL, "%s", err.text);
                return;
        }
        if (kind == ROLL_RESTART_NOW && discover_served(job))
                return;

        if (time_add(f->request_limit_usec, JOB_DRAIN_MARGIN_USEC) > c->drain_max_usec) {
                char max[32];
                job_warn(job,
                         "a request may last %s (%s), longer than drain_max (%s): drain ends after drain_max",
                         time_format(f->request_limit_usec, limit, sizeof(limit)), f->request_limit_from,
                         time_format(c->drain_max_usec, max, sizeof(max)));
        }
        roll_set_limit(job->roll, PHASE_DRAIN, job_drain_cap(job));
        discover_cut(job);
        roll_set_limit(job->roll, PHASE_WATCH, checkers_watch_limit(job->checkers));
        if (kind == ROLL_DOCTOR)
                job_find(job, FINDING_OK, "ports", NULL,
                         "health port %u (%s), refused %s; traffic ports %s (%s)", f->health_port,
                         f->health_port_from, refused_text(f),
                         ports_text(f->traffic_ports, f->n_traffic, ports, sizeof(ports)), f->traffic_from);
        job_ok(job, "health port %u (%s)%s, traffic ports %s; a request lasts at most %s (%s)",
               f->health_port, f->health_port_from,
               f->block == BLOCK_ROUTERS ? ", refused from the routers only" : "",
               ports_text(f->traffic_ports, f->n_traffic, ports, sizeof(ports)),
               time_format(f->request_limit_usec, limit, sizeof(limit)), f->request_limit_from);
}

const PhaseOps job_discover = { .enter = discover_enter };

/* ---- watch ---- */

static bool watch_read(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        BlockState state = { 0 };
        Err err = { 0 };
        size_t n = 0;

        int r = job_checks(job, &sources, &n, &err);
        if (r == 0)
                r = block_read(job->block, &state, &err);
        if (job_counters_back(job, r, &state)) {
                /* What was sent on kept connections is no matter of the table. */
                _cleanup_(freep) BlockSource *again = NULL;
                if (job_checks(job, &again, &n, NULL) < 0)
                        n = 0;
                checkers_watch_begin(job->checkers, time_now(), again, n);
                return true;
        }
        if (r < 0) {
                job_fail(job, RESULT_REFUSED, NULL, "the counters cannot be read: %s", err.text);
                return false;
        }
        char who[ADDR_TEXT_SIZE];
        (void) job_routers_look(job, sources, n, who);
        checkers_feed(job->checkers, time_now(), sources, n);
        checkers_new_connections(job->checkers, time_now(), state.total[BLOCK_NEWCONN]);
        return true;
}

static void watch_end(Job *job)
{
        const Component *c = job->component;
        char text[400];
        if (job_foreign_refuses(job))
                return;
        checkers_text(job->checkers, time_now(), text, sizeof(text));
        /* Slow checkers need longer limits, unless somebody has set them. */
        Usec slowest = checkers_slowest(job->checkers);
        if (!c->limit_usec[PHASE_NOTICE])
                roll_set_limit(job->roll, PHASE_NOTICE,
                               MAX(component_limit(c, PHASE_NOTICE), slowest * (c->check_fall + 3)));
        if (!c->limit_usec[PHASE_RETURN])
                roll_set_limit(job->roll, PHASE_RETURN,
                               MAX(component_limit(c, PHASE_RETURN), slowest * (c->check_rise + 3)));
        char routers[256];
        if (job->facts.block == BLOCK_ROUTERS && job->plan.n_from == 0) {
                job_fail(
                        job, RESULT_NO_CHECKER,
                        "name them with `routers` in the configuration, or let traffic through while edge-roll looks; set tls = no if this restart is what turns TLS on",
                        "nobody was seen that asks port %u and connects to port %u: who is a router is not known; %s",
                        job->facts.health_port, job->facts.traffic_ports[0], text);
                return;
        }
        if (checkers_count(job->checkers) > 0) {
                if (roll_kind(job->roll) == ROLL_DOCTOR)
                        job_examined(job);
                else
                        job_ok(job, "%s%s%s", text, job->facts.block == BLOCK_ROUTERS ? "; routers: " : "",
                               job->facts.block == BLOCK_ROUTERS
                                       ? job_routers_text(job, routers, sizeof(routers))
                                       : "");
                return;
        }
        if (config_was_set(job->env.config, c, "check_interval")) {
                job_warn(job, "nobody is seen checking port %u; the configured check_interval is believed",
                         job->facts.health_port);
                if (roll_kind(job->roll) == ROLL_DOCTOR)
                        job_examined(job);
                else
                        job_ok(job, "%s; check_interval is configured", text);
                return;
        }
        job_fail(
                job, RESULT_NO_CHECKER,
                "let the load balancer check this port, or say how it checks with check_interval and check_fall",
                "nobody was seen twice checking port %u within %.1f s, so notice cannot be proven: %s",
                job->facts.health_port, time_sec(c->watch_max_usec), text);
}

static void watch_tick(Job *job)
{
        char text[400];
        if (!watch_read(job))
                return;
        job_look_on(job);
        job_progress(job, "%s", checkers_text(job->checkers, time_now(), text, sizeof(text)));
        if (checkers_watched(job->checkers, time_now()))
                watch_end(job);
        else
                job_tick(job, JOB_POLL_USEC);
}

static void watch_enter(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        BlockState state;
        Err err = { 0 };
        size_t n = 0;
        if (job_table(job, &err) < 0) {
                job_fail(job, RESULT_REFUSED, NULL, "%s", err.text);
                return;
        }
        if (roll_kind(job->roll) == ROLL_RESTART_RMP)
                partner_count(job);
        /* A table that was made before has counted already. */
        if (job->counting && job_checks(job, &sources, &n, NULL) < 0)
                n = 0;
        if (job->counting && block_read(job->block, &state, NULL) == 0)
                checkers_new_connections(job->checkers, time_now(), state.total[BLOCK_NEWCONN]);
        checkers_watch_begin(job->checkers, time_now(), sources, n);
        job_foreign_begin(job);
        job_tick(job, JOB_POLL_USEC);
}

const PhaseOps job_watch = { .enter = watch_enter, .tick = watch_tick, .timeout = watch_end };
