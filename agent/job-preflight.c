/* SPDX-License-Identifier: GPL-3.0-or-later */

/* preflight: is it there, does it run, in which unit, and may it be taken out? Nothing is touched. */

#include "agent/job-impl.h"

#include <stdarg.h>
#include <string.h>

#include "agent/known.h"

#define TIGHT_BURST 2 /* starts that a person and we use up between us */

bool job_kind_restarts(RollKind kind)
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

bool job_preflight_refuse(Job *job, Result result, const char *about, const char *hint, const char *fmt, ...)
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
            job_preflight_refuse(job, RESULT_REFUSED, "monit", "see `systemctl status monit apigee-monit`",
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
        if (!job_kind_restarts(roll_kind(job->roll))) {
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
        if (job_kind_restarts(roll_kind(job->roll)) &&
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
            job_preflight_refuse(job, RESULT_REFUSED, "ports",
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

BlockPlan job_facts_plan(const Facts *f, const Component *c)
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
                job->partner_plan = job_facts_plan(facts, c);
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
                        if (job_preflight_refuse(job, RESULT_REFUSED, "hooks",
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
                    job_preflight_refuse(job, RESULT_UNPROTECTED, "lock", JOB_PLACE_HINT, "%s", text))
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
