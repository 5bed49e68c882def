/* SPDX-License-Identifier: GPL-3.0-or-later */

/* preflight, discover, watch: what is true before anything is touched. */

#include "agent/job-impl.h"

#include <stdarg.h>
#include <string.h>

#include "agent/known.h"

#define TIGHT_BURST 2 /* starts that a person and we use up between us */

/* ---- preflight ---- */

static bool kind_restarts(RollKind kind)
{
        return kind == ROLL_RESTART || kind == ROLL_RESTART_GRACEFUL || kind == ROLL_RESTART_HELD ||
               kind == ROLL_RESTART_RMP || kind == ROLL_RESTART_NOW || kind == ROLL_START ||
               kind == ROLL_DRY_RUN || kind == ROLL_DOCTOR;
}

static const char *preflight_loaded(const Job *job, char *buf, size_t size)
{
        if (!job->before)
                return "";
        char text[160];
        (void) snprintf(buf, size, "; loaded: %s", snapshot_summary(job->before, text, sizeof(text)));
        return buf;
}

static void preflight_done(Job *job, const char *monit)
{
        char loaded[256], who[320], way[800] = "";
        const Facts *f = &job->facts;

        char tls[sizeof(f->tls_from) + 32] = "", leaves[300];
        if (!job_leave_choose(job, leaves, sizeof(leaves)))
                return;
        if (f->tls && job->component->kind == KIND_MP)
                (void) snprintf(tls, sizeof(tls), "; behind TLS (%s)", f->tls_from);
        if (job->by_command)
                (void) snprintf(
                        way, sizeof(way),
                        "runs in %s, which is not stopped: %s; its own command stops it, it is started in ",
                        *job->ran_in ? job_who(job, job->ran_in, who, sizeof(who)) : "an unknown place",
                        job_unit_usable(job) ? job_unit_usable(job) : "that is not known");
        if (roll_kind(job->roll) == ROLL_DOCTOR) {
                job_find(job, f->up ? FINDING_OK : FINDING_WARNING, "component",
                         f->up ? NULL : "see what up_url answers, with curl", "%s%s%s%s%s",
                         *job->unit.unit ? job->unit.unit : "running", *job->unit.unit ? " is " : "",
                         job->unit.active, f->self_known ? ", server " : "",
                         f->self_known ? f->self.uuid : "");
                if (!f->up)
                        job_find(job, FINDING_WARNING, "component", NULL, "it does not say that it is up: %s",
                                 f->up_text);
                if (*way)
                        job_find(job, FINDING_WARNING, "unit",
                                 "see units and stop_command in edge-roll.conf(5)", "%s%s", way,
                                 job->unit.unit);
                job_find(job, FINDING_OK, "monit", NULL, "%s", monit);
        }
        job_ok(job, "%s%s %s%s%s%s; %s%s%s%s%s", way, job->unit.unit, job->unit.active,
               f->self_known ? ", server " : "", f->self_known ? f->self.uuid : "",
               f->up        ? ", up"
               : f->running ? ", not up"
                            : "",
               monit, preflight_loaded(job, loaded, sizeof(loaded)), tls, leaves,
               job->held ? "; held until this job is done" : "");
}

/*
 * preflight_refuse() - something that ends a job here; doctor only tells it and goes on.
 * Return: true when the phase is over.
 */
static bool preflight_refuse(Job *job, Result result, const char *about, const char *hint, const char *fmt,
                             ...) _printf_(5, 6);
static bool preflight_refuse(Job *job, Result result, const char *about, const char *hint, const char *fmt,
                             ...)
{
        char text[480];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (roll_kind(job->roll) == ROLL_DOCTOR) {
                job_find(job, FINDING_PROBLEM, about, hint, "%s", text);
                return false;
        }
        job_fail(job, result, hint, "%s", text);
        return true;
}

/* Held because a restart was not proven good, and not by hand. */
static bool preflight_failed_before(const Job *job)
{
        return job->held && !job->hold.by_hand;
}

/* A component that is held because something was missing is measured by what it had before that. */
static void preflight_measure(Job *job)
{
        Snapshot *before =
                preflight_failed_before(job) ? known_before(job->env.config, job->component) : NULL;
        if (!before)
                return;
        snapshot_free(job->before);
        job->before = before;
}

static void preflight_on_targets(Job *job, const char *failed)
{
        (void) failed; /* before the restart nothing is held against anybody */
        preflight_done(job, job->monit_text);
}

static void preflight_on_snapshot(Snapshot *s, void *userdata)
{
        Job *job = userdata;
        job->snapshot_call = NULL;
        snapshot_free(job->before);
        job->before = s;
        preflight_measure(job);
        /* What monit said is the evidence; progress may say something else meanwhile. */
        (void) snprintf(job->monit_text, sizeof(job->monit_text), "%s", job->awaiting);
        job_targets_before(job, preflight_on_targets);
}

static void preflight_on_monit(int r, const MonitPrior *prior, const char *text, const Err *err,
                               void *userdata)
{
        Job *job = userdata;
        job->monit_running = false;
        if (r < 0 &&
            preflight_refuse(job, RESULT_REFUSED, "monit", "see `systemctl status monit apigee-monit`",
                             "monit's state is not known: %s", err->text))
                return;
        if (r < 0)
                text = "its state is not known";
        else
                job->monit = *prior;
        job_progress(job, "%s", text);
        if (!*job->component->runtime_url || !job->facts.running) {
                preflight_measure(job);
                preflight_done(job, text);
                return;
        }
        SnapshotRequest request = {
                .runtime_url = job->component->runtime_url,
                .organizations = job->component->organizations,
                .limit_usec = 10 * USEC_PER_SEC,
        };
        Err e = { 0 };
        if (snapshot_fetch(job->env.http, job->env.event, &request, preflight_on_snapshot, job,
                           &job->snapshot_call, &e) < 0)
                job_fail(job, RESULT_FAILED, NULL, "%s", e.text);
}

static void preflight_monit(Job *job)
{
        Err err = { 0 };
        if (!kind_restarts(roll_kind(job->roll))) {
                preflight_done(job, "monit is left alone");
                return;
        }
        job_progress(job, "looking at monit");
        job->monit_running = true;
        if (monit_look(job->env.monit, job->component, preflight_on_monit, job, &err) < 0) {
                job->monit_running = false;
                job_fail(job, RESULT_FAILED, NULL, "%s", err.text);
        }
}

static void preflight_unit(Job *job);

static void preflight_on_unit(int r, const UnitState *state, const Err *err, void *userdata)
{
        Job *job = userdata;
        const char *name = job->component->units[job->unit_index];
        job->call = NULL;

        if (r < 0) {
                job_fail(job, RESULT_REFUSED, "see `systemctl status`", "systemd does not tell about %s: %s",
                         name, err->text);
                return;
        }
        int rank = job_unit_rank(job, state, name);
        if (rank > job->unit_rank) {
                job->unit = *state;
                job->unit_rank = rank;
        }
        job->unit_index++;
        preflight_unit(job);
}

/* What systemd would do to it that nobody wants. */
static void preflight_limits(Job *job)
{
        const UnitState *u = &job->unit;
        char a[32], b[32], c[32];
        Usec cap = MIN(time_add(job->facts.request_limit_usec, JOB_DRAIN_MARGIN_USEC),
                       job->component->drain_max_usec);

        if (u->start_limit_burst > 0 && u->start_limit_burst <= TIGHT_BURST &&
            u->start_limit_interval_usec > 0)
                job_warn(job, "%s may be started %u times in %s only; the count is cleared before the start",
                         u->unit, u->start_limit_burst,
                         time_format(u->start_limit_interval_usec, a, sizeof(a)));
        /* A graceful stop finishes what is under way; one that is cut short loses it. */
        if (job->facts.running && !job->by_command && u->timeout_stop_usec < cap)
                job_warn(
                        job,
                        "systemd kills %s %s after its stop was asked for (TimeoutStopSec), but a request may last "
                        "%s: set TimeoutStopSec to at least %s",
                        u->unit, time_format(u->timeout_stop_usec, a, sizeof(a)),
                        time_format(job->facts.request_limit_usec, b, sizeof(b)),
                        time_format(cap, c, sizeof(c)));
}

/* None of its units holds it: its own command stops it, if there is one. */
static void preflight_by_command(Job *job)
{
        _cleanup_(words_freep) Words argv = NULL;
        char who[320];

        job_who(job, job->facts.cgroup, who, sizeof(who));
        /* A drain stops nothing. */
        if (kind_restarts(roll_kind(job->roll)) &&
            (job_edge_command(job->component, job->component->stop_command, "stop", &argv) < 0 || !argv[0])) {
                job_fail(
                        job, RESULT_REFUSED,
                        "stop it the way it was started, then `edge-roll restart COMPONENT --start`; or name its "
                        "unit in `units`, or a command in `stop_command`",
                        "port %u is served from %s, which is not stopped: %s; and there is no command that stops it",
                        job->facts.health_port, *job->facts.cgroup ? who : "an unknown place",
                        job_unit_usable(job) ? job_unit_usable(job) : "no unit of it is active");
                return;
        }
        job->by_command = true;
        (void) snprintf(job->ran_in, sizeof(job->ran_in), "%s", job->facts.cgroup);
        job_procs_look(job);
        preflight_limits(job);
        preflight_monit(job);
}

static void preflight_units_asked(Job *job)
{
        const Facts *f = &job->facts;
        const char *unusable = job_unit_usable(job);

        if (job->unit_rank == 0) {
                job_fail(job, RESULT_REFUSED, "name its unit in `units` of the configuration",
                         "none of the units of %s exists%s%s", job->component->name,
                         f->running ? "; it is served from " : "",
                         !f->running  ? ""
                         : *f->cgroup ? f->cgroup
                                      : "an unknown place");
                return;
        }
        /* Where the kernel does not tell whose a socket is, an active unit is believed; `stop` looks again.
         */
        bool held = !unusable || (!*f->cgroup && strcmp(job->unit.active, "active") == 0);
        if (f->running && !held) {
                preflight_by_command(job);
                return;
        }
        preflight_limits(job);
        preflight_monit(job);
}

static void preflight_unit(Job *job)
{
        const char *name = job->component->units[job->unit_index];
        Err err = { 0 };

        if (!name) {
                preflight_units_asked(job);
                return;
        }
        job_progress(job, "asking systemd about %s", name);
        if (systemd_unit(job->env.systemd, name, preflight_on_unit, job, &job->call, &err) < 0)
                job_fail(job, RESULT_FAILED, NULL, "%s", err.text);
}

static void preflight_tls_unknown(Job *job, const Component *c, const Facts *facts)
{
        job_fail(job, RESULT_REFUSED, "let edge-roll read it, or set tls = yes or tls = no",
                 "it is not known whether the routers speak TLS to %s, which decides what they check: %s",
                 c->name, facts->tls_from);
}

static void preflight_on_facts(const Facts *facts, void *userdata)
{
        Job *job = userdata;
        const Component *c = job->component;
        RollKind kind = roll_kind(job->roll);
        job->facts_call = NULL;
        job->facts = *facts;
        /* A hold names its ports itself: it can be ended whatever the component answers. */
        const BlockPlan *held = &job->hold.plan;
        if (kind == ROLL_UNDRAIN && held->n_whole + held->n_syn + held->n_from_ports > 0) {
                job->facts.block = held->n_whole ? BLOCK_WHOLE : held->n_syn ? BLOCK_SYN : BLOCK_ROUTERS;
                job->facts.health_port = held->n_whole ? held->whole_ports[0]
                                         : held->n_syn ? held->syn_ports[0]
                                                       : held->from_ports[0];
        }
        facts = &job->facts;

        if (facts->tls_unknown && kind != ROLL_UNDRAIN) {
                preflight_tls_unknown(job, c, facts);
                return;
        }

        if (facts->health_port == 0) {
                job_fail(
                        job, RESULT_REFUSED,
                        "see what it answers with `curl -s` on its self_url, or set health_port in the configuration",
                        "the health port of %s is not known: %s", c->name, facts->health_port_from);
                return;
        }
        if (facts->sockets_failed) {
                job_fail(job, RESULT_REFUSED, NULL, "the listening sockets cannot be looked at: %s",
                         facts->traffic_from);
                return;
        }
        if (facts->running && facts->loopback_only && kind != ROLL_UNDRAIN &&
            preflight_refuse(job, RESULT_REFUSED, "ports",
                             "let it listen where its checkers come from, or set health_port",
                             "port %u of %s listens on loopback only: nobody can check it from outside",
                             facts->health_port, c->name))
                return;
        /* One that a failed restart has left stopped is started without being told again. */
        bool start = job->options.start || preflight_failed_before(job);
        if (!facts->running && start &&
            (kind == ROLL_RESTART || kind == ROLL_RESTART_HELD || kind == ROLL_RESTART_NOW))
                roll_set_kind(job->roll, ROLL_START);
        else if (!facts->running && kind == ROLL_RESTART_RMP) {
                char hint[300];
                (void) snprintf(hint, sizeof(hint),
                                "`edge-roll restart %.60s` restarts that alone; `edge-roll restart %.60s "
                                "--start` starts the other",
                                partner_component(job)->name, c->name);
                job_fail(job, RESULT_REFUSED, hint,
                         "this node has no %s beside the %s: nobody listens on port %u (%s)", c->name,
                         partner_component(job)->name, facts->health_port,
                         facts->self_known ? facts->up_text : facts->self_text);
                return;
        } else if (!facts->running && kind != ROLL_UNDRAIN && kind != ROLL_DRY_RUN) {
                job_fail(job, RESULT_REFUSED, "start it with `edge-roll restart COMPONENT --start`",
                         "%s is not running: nobody listens on port %u (%s)", c->name, facts->health_port,
                         !facts->self_known ? facts->self_text
                         : *facts->up_text  ? facts->up_text
                                            : "though its management port answers");
                return;
        }
        if (kind == ROLL_UNDRAIN) {
                job_ok(job, "held by %s: %s", job->hold.by, job->hold.reason);
                return;
        }
        job_needed(job, preflight_unit);
}

static BlockPlan facts_plan(const Facts *f, const Component *c)
{
        BlockPlan plan = { .n_traffic = f->n_traffic, .n_upstream = c->next_tier_ports.n };
        if (f->block == BLOCK_WHOLE)
                plan.whole_ports[plan.n_whole++] = f->health_port;
        else if (f->block == BLOCK_ROUTERS)
                plan.from_ports[plan.n_from_ports++] = f->health_port;
        else
                plan.syn_ports[plan.n_syn++] = f->health_port;
        memcpy(plan.traffic_ports, f->traffic_ports, f->n_traffic * sizeof(uint16_t));
        memcpy(plan.upstream_ports, c->next_tier_ports.ports, plan.n_upstream * sizeof(uint16_t));
        return plan;
}

/* The port of the last good job, or (there was none, and the component does not answer) that of its hold. */
static uint16_t preflight_port(const Job *job, const Component *c, bool held, const Hold *hold)
{
        uint16_t port = known_port(job->env.config, c);
        if (port || !held)
                return port;
        return hold->plan.n_whole > 0 ? hold->plan.whole_ports[0] : hold->plan.syn_ports[0];
}

static void preflight_gather(Job *job)
{
        Err err = { 0 };
        job_progress(job, "asking %s", job->component->self_url);
        if (facts_gather(job->env.http, job->env.conns, job->env.config, job->component,
                         preflight_port(job, job->component, job->held, &job->hold), preflight_on_facts, job,
                         &job->facts_call, &err) < 0)
                job_fail(job, RESULT_FAILED, NULL, "%s", err.text);
}

/* Both must be there before anything is touched; all else that the other one needs its own job sees to. */
static void preflight_on_partner(const Facts *facts, void *userdata)
{
        Job *job = userdata;
        const Component *c = partner_component(job);
        job->partner_self = facts->self_known ? facts->self : (EdgeSelf){ .uuid = "" };
        job->partner_port = facts->health_port;
        char hint[200];
        job->facts_call = NULL;

        if (facts->tls_unknown) {
                preflight_tls_unknown(job, c, facts);
                return;
        }
        if (facts->running || (facts->health_port && (job->partner_starts || job->options.start))) {
                job->partner_plan = facts_plan(facts, c);
                preflight_gather(job);
                return;
        }
        (void) snprintf(hint, sizeof(hint), "`edge-roll restart %.60s` restarts the %.60s alone",
                        job->component->name, job->component->name);
        job_fail(job, RESULT_REFUSED, hint, "this node has no %s that runs beside the %s (%s)", c->name,
                 job->component->name,
                 facts->health_port == 0 ? facts->health_port_from
                 : facts->self_known     ? facts->up_text
                                         : facts->self_text);
}

static void preflight_partner(Job *job)
{
        const Component *c = partner_component(job);
        Hold hold;
        bool held = false;
        Err err = { 0 };

        if (!c) {
                job_fail(job, RESULT_REFUSED, "see partner in edge-roll.conf(5)",
                         "no component \"%s\" is configured", job->component->partner);
                return;
        }
        if (hold_read(job->env.config->state_dir, c->name, &hold, &held, &err) < 0) {
                job_fail(job, RESULT_REFUSED, "repair or delete that file",
                         "the hold record cannot be read: %s", err.text);
                return;
        }
        /* One that a failed restart has left stopped is started by the next one. */
        job->partner_starts = held && !hold.by_hand;
        job_progress(job, "asking %s", c->self_url);
        if (facts_gather(job->env.http, job->env.conns, job->env.config, c,
                         preflight_port(job, c, held, &hold), preflight_on_partner, job, &job->facts_call,
                         &err) < 0)
                job_fail(job, RESULT_FAILED, NULL, "%s", err.text);
}

/* A hook that may not be run is told now: found in verify it would cost a hold. */
static bool preflight_hooks(Job *job)
{
        char text[256] = "";
        size_t len = 0;
        for (HookPoint p = HOOK_BEFORE_BLOCK; p < HOOK_COUNT; p++) {
                _cleanup_(words_freep) Words list = NULL;
                Err err = { 0 };
                if (hooks_list(job->env.config->hooks_dir, p, &list, &err) < 0) {
                        if (preflight_refuse(job, RESULT_REFUSED, "hooks",
                                             "chown and chmod it, or take it away", "%s", err.text))
                                return true;
                        continue;
                }
                for (size_t i = 0; list[i] && len < sizeof(text); i++)
                        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
                                                 list[i] + strlen(job->env.config->hooks_dir) + 1);
        }
        if (roll_kind(job->roll) == ROLL_DOCTOR && len > 0)
                job_find(job, FINDING_OK, "hooks", NULL, "%s", text);
        return false;
}

static void preflight_enter(Job *job)
{
        const Config *config = job->env.config;
        Err err = { 0 };

        /* An agent that died early had chosen this; it is chosen anew. */
        if (roll_kind(job->roll) == ROLL_RESTART_GRACEFUL)
                roll_set_kind(job->roll, ROLL_RESTART);
        RollKind kind = roll_kind(job->roll);
        if (hold_read(config->state_dir, job->component->name, &job->hold, &job->held, &err) < 0) {
                job_fail(job, RESULT_REFUSED, "repair or delete that file",
                         "the hold record cannot be read: %s", err.text);
                return;
        }
        uint16_t port = job->component->health_port.automatic ? known_port(config, job->component)
                                                              : job->component->health_port.ports[0];
        if (!job->held && facts_held(job->component, port, &job->hold.plan)) {
                /* Its record is lost; what refuses is the table. */
                job->held = true;
                (void) snprintf(job->hold.by, sizeof(job->hold.by), "?");
                (void) snprintf(job->hold.reason, sizeof(job->hold.reason), "its record is lost");
        }
        if (kind == ROLL_UNDRAIN && !job->held) {
                job_fail(job, RESULT_NOT_NEEDED, NULL, "%s is not held", job->component->name);
                return;
        }
        if (kind == ROLL_DOCTOR && job->held)
                job_find(job, FINDING_PROBLEM, "hold",
                         "end it with `edge-roll undrain` when the reason is gone", "it is held, by %s: %s",
                         job->hold.by, job->hold.reason);
        if (kind == ROLL_DRAIN && job->held) {
                job_fail(job, RESULT_NOT_NEEDED, "end it with `edge-roll undrain`",
                         "%s is held already, by %s: %s", job->component->name, job->hold.by,
                         job->hold.reason);
                return;
        }
        /* Only the table counts: where it is gone the balancer has let the node in again. */
        bool refused = false;
        if (job->held && block_hold_read(&job->hold.plan, &refused, NULL, &err) < 0)
                job_warn(job, "the table of holds cannot be read: %s", err.text);
        if ((kind == ROLL_RESTART || kind == ROLL_RESTART_NOW) && refused)
                roll_set_kind(job->roll, ROLL_RESTART_HELD);
        /* Looked at again in `place`; who would be refused there need not wait for it. */
        if (roll_leads_past(kind, PHASE_PLACE) || kind == ROLL_DOCTOR) {
                char text[300];
                if (job_place_open(job, text, sizeof(text)) && !*job->options.unprotected &&
                    preflight_refuse(job, RESULT_UNPROTECTED, "lock", JOB_PLACE_HINT, "%s", text))
                        return;
        }
        if (kind != ROLL_UNDRAIN && preflight_hooks(job))
                return;
        if (kind != ROLL_DRY_RUN && job_save(job) < 0)
                return;
        if (kind == ROLL_RESTART_RMP)
                preflight_partner(job);
        else
                preflight_gather(job);
}

const PhaseOps job_preflight = { .enter = preflight_enter };

/* ---- discover ---- */

int job_setup(Job *job, Err *err)
{
        const Component *c = job->component;
        const Facts *f = &job->facts;

        BlockPlan plan = facts_plan(f, c);
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

        if (f->next_health_port && kind_restarts(kind)) {
                job->next_health_port = f->next_health_port;
                job_warn(job,
                         "http.port becomes %u with the restart, as the properties have it; it is %u now",
                         f->next_health_port, f->health_port);
        }
        if (f->n_traffic == 0 && kind != ROLL_START && kind != ROLL_UNDRAIN && kind != ROLL_DRY_RUN &&
            preflight_refuse(
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
