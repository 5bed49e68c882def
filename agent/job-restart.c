/* SPDX-License-Identifier: GPL-3.0-or-later */

/* stop, start, ready, verify, start-monit: a new process, proven at least as good as the old one. */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/cgroup.h"
#include "base/words.h"

#define THAW_AFTER_USEC USEC_PER_SEC /* a stop that does not close its listeners by then thaws */
#define STOP_POLL_USEC  (20 * USEC_PER_MSEC)
/* What the gate has seen is true as long as the kernel lets no data in; that much is left for the call. */
#define GATE_OLD_USEC (JOB_FREEZE_MAX_USEC - 500 * USEC_PER_MSEC)

static int component_listening(Job *job, size_t *ret_of, uint64_t *ret_inode_sum)
{
        uint16_t ports[CONNS_PORTS_MAX];
        Err err = { 0 };
        *ret_of = job_ports(job, ports);
        int n = facts_listening(job->env.conns, ports, *ret_of, ret_inode_sum, &err);
        if (n < 0)
                job_warn(job, "the listening sockets cannot be looked at: %s", err.text);
        return n;
}

/* ---- stop ---- */

static void stop_on_job(JobResult result, const char *text, void *userdata)
{
        Job *job = userdata;
        job->call = NULL;
        job->job_done = true;
        (void) snprintf(job->job_text, sizeof(job->job_text), "%s", text);
        if (result == JOB_CALL_FAILED && !job->by_command) {
                /* It was not even tried: the component serves on, so the node is given back. */
                job->changes.stopped = false;
                if (!*job->failure)
                        (void) snprintf(job->failure, sizeof(job->failure),
                                        "systemd does not stop it: %.480s", text);
                job_feed(job, ROLL_EV_REFUSED, "systemd does not stop it: %s", text);
                return;
        }
        if (result != JOB_DONE)
                job_warn(job, "systemd's stop of %s: %s", job->unit.unit, text);
}

/* Idle by age only was no proof: whatever still moves on such a connection, or is reset, is told. */
static void stop_follow(Job *job)
{
        Sock open[FATE_MAX];
        Err err = { 0 };
        size_t n = fate_open(&job->fate, open);
        if (n > 0 && conns_get(job->env.conns, open, n, fate_feed, fate_gone, &job->fate, &err) < 0)
                job->fate.n = 0; /* it cannot be seen */
}

static void stop_tell_lost(Job *job)
{
        const Sock *first;
        char addr[ADDR_TEXT_SIZE];
        size_t n = fate_lost(&job->fate, &first);
        if (n > 0)
                job_warn(
                        job,
                        "%zu connections that were idle by their age alone were cut in use, so requests may be "
                        "lost: %s:%u on port %u; with quiet_time as long as request_limit they are waited for",
                        n, addr_format(&first->peer, addr, sizeof(addr)), first->peer_port,
                        first->local_port);
}

static void stop_ask(Job *job);

/*
 * Its unit is stopped, or none held it, and its sockets are still the old ones: a unit that was left through
 * su, or never had it. Stopped with the component's own command, where there is one.
 */
static void stop_command(Job *job)
{
        Err err = { 0 };
        if (!job->by_command) {
                (void) facts_runs_in(job->env.config, job->env.conns, job->facts.health_port, job->ran_in,
                                     sizeof(job->ran_in));
                job->by_command = true;
                job_procs_look(job);
                (void) job_save(job);
                job_warn(job,
                         "%s is stopped, but its ports are still served (from %s): it is not in its unit",
                         job->unit.unit, *job->ran_in ? job->ran_in : "an unknown place");
        }
        if (job_command_call(job, &err) < 0) {
                job->changes.stopped = false;
                if (!*job->failure)
                        (void) snprintf(job->failure, sizeof(job->failure), "it cannot be stopped: %.480s",
                                        err.text);
                job_feed(job, ROLL_EV_REFUSED, "it cannot be stopped: %s", err.text);
                return;
        }
        job_tick(job, STOP_POLL_USEC);
}

/* How many processes its unit has. Where that cannot be seen, the end of systemd's job, which waits for them,
 * is what there is. */
static int stop_pids(Job *job)
{
        Err err = { 0 };
        int pids = *job->unit.control_group ? cgroup_pids(NULL, job->unit.control_group, NULL, 0, &err) : 0;
        if (pids >= 0)
                return pids;
        if (job->job_done && !job->told_blind) {
                job->told_blind = true;
                job_warn(job, "%s; systemd says that %s is stopped", err.text, job->unit.unit);
        }
        return job->job_done ? 0 : 1;
}

static void stop_tick(Job *job)
{
        size_t of;
        uint64_t inode_sum = 0;
        if (!job->stop_called) {
                stop_ask(job);
                return;
        }
        stop_follow(job);
        int listening = component_listening(job, &of, &inode_sum);
        int pids = stop_pids(job);

        if (job->frozen && (listening == 0 || time_now() - job->frozen_at > THAW_AFTER_USEC))
                job_thaw(job);
        bool graceful = roll_kind(job->roll) == ROLL_RESTART_GRACEFUL;
        char leaving[64] = "";
        if (graceful)
                job_leave_look(job, listening > 0, leaving, sizeof(leaving));
        if (job->command_called) {
                job_command_tick(job, listening, of, inode_sum);
                return;
        }
        if (job->job_done &&
            (job->by_command || (pids == 0 && listening == (int) of && inode_sum == job->inode_sum))) {
                stop_command(job);
                return;
        }
        if (job->job_done && pids == 0 && listening > 0 && inode_sum != job->inode_sum) {
                job_ok(job, "%s stopped (%s), its processes gone; somebody else has started it again at once",
                       job->unit.unit, job->job_text);
                return;
        }
        /* Another one's job may have taken the place of ours. */
        if (job->job_done && listening == (int) of && inode_sum != job->inode_sum && !job->call) {
                stop_ask(job);
                return;
        }
        if (job->job_done && listening == 0 && pids == 0) {
                if (graceful)
                        job_leave_end(job);
                job_ok(job, "%s stopped (%s), ports closed, processes gone", job->unit.unit, job->job_text);
                return;
        }
        job_progress(job, "%s; %d of %zu ports open, %d processes%s",
                     job->job_done ? "systemd's job is over" : "systemd is stopping it", MAX(listening, 0),
                     of, MAX(pids, 0), leaving);
        job_tick(job, STOP_POLL_USEC);
}

static void stop_call(Job *job)
{
        Err err = { 0 };
        job->job_done = false;
        job->stop_called = true;
        if (roll_kind(job->roll) == ROLL_RESTART_GRACEFUL)
                job_leave_begin(job);
        if (systemd_job(job->env.systemd, UNIT_STOP, job->unit.unit, stop_on_job, job, &job->call, &err) <
            0) {
                job_fail(job, RESULT_INVALID, NULL, "%s", err.text);
                return;
        }
        job_tick(job, STOP_POLL_USEC);
}

/* Without a gate: what must be true when the stop is called is looked at here. */
static void stop_on_monit(int r, const char *text, const Err *err, void *userdata)
{
        Job *job = userdata;
        (void) text;
        job->monit_running = false;
        if (r < 0) {
                job->changes.stopped = false;
                job_feed(job, ROLL_EV_BACK, "%s", err->text);
        } else if (!job_place_lost(job))
                stop_call(job);
}

static void stop_gracefully(Job *job)
{
        Err err = { 0 };
        job->monit_running = true;
        if (monit_check_off(job->env.monit, job->component, &job->monit, stop_on_monit, job, &err) < 0) {
                job->monit_running = false;
                job_progress(job, "%s", err.text);
                job_tick(job, 4 * JOB_POLL_USEC);
        }
}

/* Resumed: was the stop really called before the other agent died? If not, nothing is proven any more. */
static void stop_on_state(int r, const UnitState *state, const Err *err, void *userdata)
{
        Job *job = userdata;
        job->call = NULL;
        if (r < 0) {
                job_progress(job, "systemd does not tell: %s", err->text);
                job_tick(job, 4 * JOB_POLL_USEC);
                return;
        }
        if (job->by_command && !job->stop_called) {
                if (state->job_pending || strcmp(state->active, "deactivating") == 0) {
                        job_progress(job, "%s is stopping", state->unit);
                        job_tick(job, 4 * JOB_POLL_USEC);
                } else
                        job_command_resume(job);
                return;
        }
        bool serves = strcmp(state->active, "active") == 0 && !state->job_pending;
        bool graceful = roll_kind(job->roll) == ROLL_RESTART_GRACEFUL,
             other = strcmp(state->invocation_id, job->unit.invocation_id) != 0;
        if (serves && graceful && other && !job->resumed && !job->stop_called) {
                job->changes.stopped = false;
                job_feed(job, ROLL_EV_REFUSED, "somebody else has restarted it; look at it, then run again");
                return;
        }
        if (serves && other) {
                job_ok(job, "%s has been restarted by somebody else meanwhile", job->unit.unit);
                return;
        }
        if (job->stop_called) {
                job_progress(job, "%s is %s; its ports are served by another process", state->unit,
                             state->active);
                job_tick(job, 4 * JOB_POLL_USEC);
                return;
        }
        if (serves && graceful && !job->env.settle) {
                stop_gracefully(job);
                return;
        }
        if (serves) {
                job->changes.stopped = false;
                if (job->env.settle) {
                        job_feed(job, ROLL_EV_REFUSED, "the stop had not been called yet");
                        return;
                }
                job_feed(job, ROLL_EV_BACK,
                         "the stop had not been called yet; everything is proven again first");
                return;
        }
        stop_call(job);
}

static void stop_ask(Job *job)
{
        Err err = { 0 };
        if (systemd_unit(job->env.systemd, job->unit.unit, stop_on_state, job, &job->call, &err) < 0)
                job_tick(job, 4 * JOB_POLL_USEC);
}

static void stop_enter(Job *job)
{
        job->stop_called = job->command_called = job->command_over = false;
        if (roll_kind(job->roll) == ROLL_RESTART_GRACEFUL) {
                /* No gate has said so. */
                job->changes.stopped = true;
                (void) job_save(job);
                stop_ask(job);
                return;
        }
        /* Straight from the gate: at once, its proofs are milliseconds old. From a record: ask first.
         * model: JOB-GATE-OLD */
        if (job->resumed && job->gates == 0)
                stop_ask(job);
        else if (time_now() - job->frozen_at > GATE_OLD_USEC) {
                job->changes.stopped = false;
                job_feed(
                        job, ROLL_EV_BACK,
                        "the last look is %.1f s old: the agent stood still; everything is proven again first",
                        time_sec(time_now() - job->frozen_at));
        } else
                stop_call(job);
}

static void stop_leave(Job *job, RollEvent event)
{
        job->stop_failed = event == ROLL_EV_FAIL || event == ROLL_EV_TIMEOUT;
        if (event == ROLL_EV_OK)
                stop_tell_lost(job);
        job_thaw(job);
}

const PhaseOps job_stop = { .enter = stop_enter, .tick = stop_tick, .leave = stop_leave };

/* ---- start ---- */

static void start_state(Job *job);

static void start_on_state(int r, const UnitState *state, const Err *err, void *userdata)
{
        Job *job = userdata;
        uint64_t inode_sum = 0;
        size_t of;
        job->call = NULL;

        if (r < 0) {
                job_progress(job, "systemd does not tell: %s", err->text);
                job_tick(job, 4 * JOB_POLL_USEC);
                return;
        }
        bool new_run = strcmp(state->invocation_id, job->unit.invocation_id) != 0;
        int listening = component_listening(job, &of, &inode_sum);
        bool down = strcmp(state->active, "active") != 0 && strcmp(state->active, "activating") != 0;
        if (job->job_done && !state->job_pending && down && listening <= 0) {
                char hint[400];
                (void) snprintf(
                        hint, sizeof(hint),
                        "see `journalctl -u %s`; then `edge-roll restart` again, or `edge-roll undrain`",
                        state->unit);
                job_fail(job, RESULT_HELD, hint, "%s did not start: %s (%s, result %s)", state->unit,
                         job->job_text, state->active, state->result);
                return;
        }
        if (job->job_done && !state->job_pending && (new_run || down || job->not_by_us) &&
            listening == (int) of && inode_sum != job->inode_sum) {
                job_served(job, state, of);
                return;
        }
        if (listening != (int) of && roll_phase(job->roll) == PHASE_START)
                job_ports_look(job);
        job_progress(job, "%s; %d of %zu ports open",
                     job->job_done ? state->active : "systemd is starting it", MAX(listening, 0), of);
        job_tick(job, 2 * JOB_POLL_USEC);
}

static void start_state(Job *job)
{
        Err err = { 0 };
        /* One reading at a time: a second answer would speak for a phase that is over. */
        if (job->call || job->call2)
                return;
        if (systemd_unit(job->env.systemd, job->unit.unit, start_on_state, job, &job->call, &err) < 0)
                job_tick(job, 4 * JOB_POLL_USEC);
}

static void start_on_job(JobResult result, const char *text, void *userdata)
{
        Job *job = userdata;
        (void) result;
        job->call2 = NULL;
        job->job_done = true;
        (void) snprintf(job->job_text, sizeof(job->job_text), "%s", text);
        start_state(job);
}

static void start_tick(Job *job)
{
        if (job->call2) {
                size_t of;
                int listening = component_listening(job, &of, NULL);
                if (listening != (int) of)
                        job_ports_look(job);
                job_progress(job, "systemd is starting %s; %d of %zu ports open", job->unit.unit,
                             MAX(listening, 0), of);
                job_tick(job, 4 * JOB_POLL_USEC);
        } else
                start_state(job);
}

static void start_go(Job *job)
{
        Err err = { 0 };
        size_t of;
        RollKind kind = roll_kind(job->roll);
        bool odd = kind == ROLL_START || kind == ROLL_RECOVER || job->stop_failed;
        /* A wrapper unit stays "active" when its daemon is gone, and starting what is active does nothing. */
        bool dead = component_listening(job, &of, NULL) == 0;
        if (systemd_job(job->env.systemd, dead && odd ? UNIT_RESTART : UNIT_START, job->unit.unit,
                        start_on_job, job, &job->call2, &err) < 0)
                job_fail(job, RESULT_HELD, NULL, "%s", err.text);
}

static void start_on_reset(JobResult result, const char *text, void *userdata)
{
        Job *job = userdata;
        job->call2 = NULL;
        if (result != JOB_DONE)
                job_warn(job, "the start limit of %s cannot be cleared: %s", job->unit.unit, text);
        start_go(job);
}

static void start_enter(Job *job)
{
        Err err = { 0 };
        job->changes.stopped = true;
        (void) job_save(job);
        job->job_done = false;
        size_t of;
        uint64_t inode_sum = 0;
        int listening = component_listening(job, &of, &inode_sum);
        bool first = !job->resumed || job->resume_phase != PHASE_START;
        job->not_by_us = first && job->inode_sum != 0 && listening == (int) of && inode_sum != job->inode_sum;
        if (job->not_by_us) {
                /* Somebody else (monit, a person) was faster. A second start would be a fight for the ports.
                 */
                job->job_done = true;
                (void) snprintf(job->job_text, sizeof(job->job_text), "somebody else has started it");
                job_warn(job, "%s was started by somebody else between our stop and our start",
                         job->component->name);
                start_state(job);
                return;
        }
        /* Also clears the count of its starts, so that a limit that is nearly used up does not fail ours.
         * Source: systemctl(1), reset-failed; seen with systemd 252. */
        if (systemd_job(job->env.systemd, UNIT_RESET_FAILED, job->unit.unit, start_on_reset, job, &job->call2,
                        &err) < 0) {
                job_fail(job, RESULT_HELD, NULL, "%s", err.text);
                return;
        }
        job_tick(job, 4 * JOB_POLL_USEC);
}

const PhaseOps job_start_unit = { .enter = start_enter, .tick = start_tick };

/* ---- ready ---- */

static void ready_bad(Job *job, const char *fmt, ...) _printf_(2, 3);
static void ready_bad(Job *job, const char *fmt, ...)
{
        va_list ap;
        if (!job->round_good)
                return; /* the first objection of a round is the one that is shown */
        job->round_good = false;
        va_start(ap, fmt);
        (void) vsnprintf(job->round_text, sizeof(job->round_text), fmt, ap);
        va_end(ap);
}

static void ready_missing(Job *job)
{
        job_fail(
                job, RESULT_HELD,
                "see system.log and startupruntimeerrors.log of the message processor; then `edge-roll restart` again, or "
                "`edge-roll undrain` to serve without it",
                "not everything that was loaded before is loaded again: %s", job->missing);
}

static void ready_compared(Job *job, const SnapshotDiff *diff)
{
        Usec wait = job->component->loaded_wait_usec;
        job->missing[0] = '\0';
        if (diff->lost == 0 && !diff->unknown) {
                job->ready_compared = true;
                if (diff->gained || diff->changed)
                        job_warn(job, "more or other than before is loaded: %s", diff->text);
                return;
        }
        /* What loads slowly gets its time; what is still missing then is missing. */
        (void) snprintf(job->missing, sizeof(job->missing), "%s", diff->text);
        if (time_now() - job->probes_good_since >= wait)
                ready_missing(job);
}

static void ready_check(Job *job)
{
        if (!job->ready_command_done) {
                job_progress(job, "probes good; waiting for wait_for_ready");
                return;
        }
        if (!job->ready_compared)
                return;
        char loaded[200] = "", text[160];
        if (job->before)
                (void) snprintf(loaded, sizeof(loaded), "; loaded again: %s",
                                snapshot_summary(job->before, text, sizeof(text)));
        job_ok(job, "probes good %u times in a row, same server id%s%s", job->window.have,
               job->facts.self_known ? "" : " (not known before)", loaded);
}

static void ready_on_snapshot(Snapshot *s, void *userdata)
{
        _cleanup_(snapshot_freep) Snapshot *after = s;
        Job *job = userdata;
        SnapshotDiff diff;
        job->snapshot_call = NULL;
        snapshot_compare(job->before, after, &diff);
        ready_compared(job, &diff);
        if (roll_phase(job->roll) == PHASE_READY && job->ready_compared)
                ready_check(job);
}

static void ready_round_done(Job *job)
{
        Err err = { 0 };
        if (--job->http_pending > 0)
                return;

        size_t of;
        int listening = component_listening(job, &of, NULL);
        if (listening != (int) of)
                ready_bad(job, "%d of %zu ports open", MAX(listening, 0), of);

        bool full = window_feed(&job->window, job->round_good);
        if (!full) {
                if (!job->round_good)
                        job->probes_good_since = 0;
                job_progress(job, "ready %u/%u%s%s", job->window.have, job->window.need,
                             *job->round_text ? "; " : "", job->round_text);
                return;
        }
        if (job->probes_good_since == 0)
                job->probes_good_since = time_now();
        if (!job->ready_compared && !job->before)
                job->ready_compared = true;
        if (!job->ready_compared && !job->snapshot_call) {
                SnapshotRequest request = {
                        .runtime_url = job->component->runtime_url,
                        .organizations = job->component->organizations,
                        .limit_usec = 10 * USEC_PER_SEC,
                };
                if (snapshot_fetch(job->env.http, job->env.event, &request, ready_on_snapshot, job,
                                   &job->snapshot_call, &err) < 0)
                        job_warn(job, "%s", err.text);
        }
        if (*job->missing)
                job_progress(job, "probes good; still missing: %s", job->missing);
        ready_check(job);
}

static void ready_on_up(const HttpResult *r, void *userdata)
{
        Job *job = userdata;
        job->http[0] = NULL;
        if (r->outcome != HTTP_ANSWER)
                ready_bad(job, "%s", r->text);
        else if (r->status != 200 || !edge_up_is_true(r->body, r->body_len))
                ready_bad(job, "%s says status %ld, \"%.40s\" instead of 200, \"true\"",
                          job->component->up_url, r->status, r->body);
        ready_round_done(job);
}

static void ready_on_reachable(const HttpResult *r, void *userdata)
{
        Job *job = userdata;
        job->http[1] = NULL;
        if (r->outcome != HTTP_ANSWER)
                ready_bad(job, "%s", r->text);
        else if (r->status != 200)
                ready_bad(job, "%s says status %ld instead of 200", job->component->reachable_url, r->status);
        ready_round_done(job);
}

static void ready_on_self(const HttpResult *r, void *userdata)
{
        Job *job = userdata;
        EdgeSelf self;
        Err err = { 0 };
        job->http[2] = NULL;
        if (r->outcome != HTTP_ANSWER)
                ready_bad(job, "%s", r->text);
        else if (r->status != 200)
                ready_bad(job, "%s says status %ld instead of 200", job->component->self_url, r->status);
        else if (edge_self_parse(r->body, r->body_len, &self, &err) < 0)
                ready_bad(job, "%s: %s", job->component->self_url, err.text);
        else if (job->facts.self_known && *job->facts.self.uuid &&
                 strcmp(self.uuid, job->facts.self.uuid) != 0) {
                job_fail(job, RESULT_HELD,
                         "is this the same installation? compare with /v1/servers of the Management Server",
                         "another server id than before: %s, it was %s", self.uuid, job->facts.self.uuid);
                return;
        }
        ready_round_done(job);
}

static void ready_get(Job *job, size_t i, const char *url, HttpFn fn)
{
        HttpRequest request = { .url = url, .total_usec = 5 * USEC_PER_SEC };
        Err err = { 0 };
        if (!*url)
                return;
        if (http_start(job->env.http, &request, fn, job, &job->http[i], &err) < 0)
                ready_bad(job, "%s", err.text);
        else
                job->http_pending++;
}

static void ready_tick(Job *job)
{
        job_tick(job, job->component->ready_interval_usec);
        if (job->http_pending > 0)
                return; /* the round before still waits for an answer */
        job->round_good = true;
        job->round_text[0] = '\0';
        ready_get(job, 0, job->component->up_url, ready_on_up);
        ready_get(job, 1, job->component->reachable_url, ready_on_reachable);
        ready_get(job, 2, job->component->self_url, ready_on_self);
}

static void ready_on_command(int exit_status, const char *output, const char *text, void *userdata)
{
        Job *job = userdata;
        (void) output;
        job->call = NULL;
        job->ready_command_done = true;
        /* Its exit status is not documented, so it is a hint: our own probes decide. */
        if (exit_status != 0)
                job_warn(job, "wait_for_ready: %s", text);
}

static void ready_enter(Job *job)
{
        _cleanup_(words_freep) Words argv = NULL;
        Err err = { 0 };

        (void) job_save(job);
        job->window = (Window){ .need = job->component->ready_count };
        job->probes_good_since = 0;
        job->ready_compared = job->ready_command_done = false;
        job->missing[0] = '\0';
        /* Source: Apigee's own restart procedure (apigee-service COMPONENT wait_for_ready). */
        int r = job_edge_command(job->component, job->component->wait_for_ready, "wait_for_ready", &argv);
        if (r == 0 && argv[0]) {
                char unit[256];
                (void) snprintf(unit, sizeof(unit), "edge-roll-run-wait-for-ready-%.100s.service",
                                job->component->name);
                r = systemd_run(job->env.systemd, unit, argv, NULL,
                                component_limit(job->component, PHASE_READY), ready_on_command, job,
                                &job->call, &err);
                if (r < 0)
                        job_warn(job, "wait_for_ready: %s", err.text);
        }
        job->ready_command_done = !job->call;
        job_tick(job, 0);
}

static void ready_timeout(Job *job)
{
        if (*job->missing)
                ready_missing(job);
        else
                job_feed(job, ROLL_EV_TIMEOUT, "not ready within its limit: %s", job->awaiting);
}

const PhaseOps job_ready = { .enter = ready_enter, .tick = ready_tick, .timeout = ready_timeout };

/* ---- verify ---- */

static void verify_on_hooks(Job *job, const char *failed)
{
        char targets[64];
        bool hooks = strncmp(job->awaiting, "hook ", 5) == 0;
        if (failed) {
                job_fail(job, RESULT_INVALID, NULL, "%s", failed);
                return;
        }
        (void) job_targets_evidence(job, targets, sizeof(targets));
        job_ok(job, "%s%s%s", targets, *targets && hooks ? "; " : "",
               hooks      ? "the hooks of verify are content"
               : *targets ? ""
                          : "no further checks are configured");
}

static void verify_on_targets(Job *job, const char *failed)
{
        if (failed)
                job_fail(
                        job, RESULT_INVALID,
                        "see whether the target server or the way to it is down (firewall, route, DNS); when it "
                        "answers, or is not needed, `edge-roll undrain` gives the node back",
                        "%s", failed);
        else
                job_hooks(job, HOOK_VERIFY, "", verify_on_hooks);
}

static void verify_enter(Job *job)
{
        (void) job_save(job);
        job_targets_after(job, verify_on_targets);
}

const PhaseOps job_verify = { .enter = verify_enter };

/* ---- start monit ---- */

static void start_monit_on(int r, const char *text, const Err *err, void *userdata)
{
        Job *job = userdata;
        job->monit_running = false;
        if (r < 0) {
                job_warn(job, "monit is not as it was: %s", err->text);
                job_fail(job, RESULT_INVALID, "start monit and monitor the component by hand",
                         "monit is not as it was: %s", err->text);
                return;
        }
        job->changes.monit = false;
        job_ok(job, "%s", text);
}

static void start_monit_enter(Job *job)
{
        Err err = { 0 };
        (void) job_save(job);
        job_progress(job, "monit as it was");
        job->monit_running = true;
        if (monit_restore(job->env.monit, job->component, &job->monit, start_monit_on, job, &err) < 0) {
                job->monit_running = false;
                job_fail(job, RESULT_INVALID, NULL, "%s", err.text);
                return;
        }
        job_tick(job, 4 * JOB_POLL_USEC);
}

static void start_monit_tick(Job *job)
{
        char text[256];
        job_progress(job, "%s", monit_waits_for(job->env.monit, text, sizeof(text)));
        job_tick(job, 4 * JOB_POLL_USEC);
}

static void start_monit_timeout(Job *job)
{
        job_warn(job, "monit is not as it was within its limit: %s", job->awaiting);
        job_feed(job, ROLL_EV_TIMEOUT, "monit is not as it was: %s", job->awaiting);
}

const PhaseOps job_start_monit = { .enter = start_monit_enter,
                                   .tick = start_monit_tick,
                                   .timeout = start_monit_timeout };
