/* SPDX-License-Identifier: GPL-3.0-or-later */

/* unblock, return; and the two other ends: undo (as it was) and hold (blocked on purpose). */

#include "agent/job-impl.h"

#include <string.h>

#define RETRY_USEC (USEC_PER_SEC / 2)

/* ---- the table of holds ---- */

/* The others with a record. One that cannot be read (told) counts with the port that the configuration knows.
 */
static size_t hold_recorded(Job *job, char **names, BlockPlan *plans)
{
        size_t n = 0;
        for (size_t i = 0; names[i]; i++) {
                char component[256];
                Hold hold;
                Err why = { 0 };
                bool found = false;
                hold_component(names[i], component, sizeof(component));
                if (strcmp(component, job->component->name) == 0)
                        continue;
                if (hold_read(job->env.config->state_dir, component, &hold, &found, &why) == 0) {
                        if (found)
                                plans[n++] = hold.plan;
                        continue;
                }
                job_warn(job, "%s", why.text);
                const Component *c = config_component(job->env.config, component);
                if (c && hold_plan_from_config(c, &plans[n]))
                        n++;
        }
        return n;
}

/*
 * The table as the records of all other components want it, with those of them that are refused without a
 * record, and ours if @ours: the table is what refuses, so it is put right here; edge-roll-hold.service
 * follows, which puts it up again after a reboot.
 */
static int hold_table(Job *job, bool ours, size_t *ret_others, Err *err)
{
        _cleanup_(state_list_freep) char **names = NULL;
        Unwritten *unwritten = job->env.unwritten;
        size_t n = 0;

        unwritten_find(unwritten, job->env.config, job->component->name);
        unwritten_write(unwritten, job->env.config, job->component->name);
        int r = state_list(job->env.config->state_dir, HOLD_PREFIX, &names, err);
        if (r < 0)
                return r;
        while (names[n])
                n++;
        _cleanup_(freep) BlockPlan *plans = calloc(n + unwritten->n + 1, sizeof(*plans));
        if (!plans)
                return err_set(err, -ENOMEM, "out of memory");
        n = hold_recorded(job, names, plans);
        for (size_t i = 0; i < unwritten->n; i++)
                if (strcmp(unwritten->holds[i].component, job->component->name) != 0)
                        plans[n++] = unwritten->holds[i].plan;
        *ret_others = n;
        if (ours) {
                plans[n] = job->plan;
                plans[n++].n_traffic = 0;
        }
        return n > 0 ? block_hold_put(plans, n, err) : block_hold_remove(err);
}

/* The unit makes the table what the records say: it would open what has none. Then the agent asks it, when
 * all have theirs. */
static int hold_unit(Job *job, UnitVerb verb, UnitJobFn done, Err *err)
{
        Unwritten *unwritten = job->env.unwritten;
        unwritten->unit_due = unwritten->n > 0 && (verb != UNIT_STOP || unwritten->unit_due);
        if (unwritten->n > 0)
                return err_set(err, -EBUSY, "a hold has no record yet");
        return systemd_job(job->env.systemd, verb, HOLD_UNIT, done, job, &job->call, err);
}

/* Whoever ends a hold takes its record away behind the table. */
static bool hold_ended(const Job *job)
{
        Hold hold;
        bool found = true;
        return hold_read(job->env.config->state_dir, job->component->name, &hold, &found, NULL) == 0 &&
               !found;
}

/* model: HOLD-BACK */
bool job_hold_back(Job *job)
{
        bool holds = false;
        size_t others;
        Err err = { 0 };

        if (!job->held || roll_kind(job->roll) != ROLL_RESTART_HELD)
                return true;
        if (block_hold_read(&job->plan, &holds, NULL, &err) < 0 || holds)
                return true;
        _cleanup_(closep) int lock = hold_lock(job->env.config->state_dir, HOLD_LOCK_USEC);
        (void) lock;
        if (!hold_ended(job) && hold_table(job, true, &others, &err) < 0)
                job_warn(job, "the hold was taken away by somebody and cannot be put back: %s", err.text);
        /* Also while it was put back. */
        if (hold_ended(job)) {
                job->held = false;
                if (hold_table(job, false, &others, &err) < 0)
                        job_warn(job, "the hold was ended, but its table is still there: %s", err.text);
                job_warn(job, "the hold was ended by somebody");
                return false;
        }
        if (!*err.text)
                job_warn(job, "the hold was taken away by somebody; put back");
        return true;
}

/* model: HOLD-STILL */
bool job_hold_stands(Job *job)
{
        bool holds = false;
        if (roll_kind(job->roll) != ROLL_RESTART_HELD || job->changes.stopped)
                return true;
        return block_hold_read(&job->plan, &holds, NULL, NULL) < 0 || holds || job_hold_back(job);
}

/* ---- unblock ---- */

static void unblock_open(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        BlockState state;
        Err err = { 0 };
        size_t n = 0;

        job_renewing(job, false);
        if (block_open(job->block, &err) < 0 || block_read(job->block, &state, &err) < 0 || state.refusing) {
                job_progress(job, "the rule is still there: %s", err.text);
                job_tick(job, RETRY_USEC);
                return;
        }
        job->changes.blocked = false;
        /* Only now: a hold refuses behind the counters, so its refusals have been counted as checks. */
        if (job_checks(job, &sources, &n, NULL) < 0)
                n = 0;
        checkers_return_begin(job->checkers, time_now(), sources, n);
        job->newconn_base = state.total[BLOCK_NEWCONN];
        job_ok(job, "port %u open, read back", job->facts.health_port);
}

static void unblock_on_reset(JobResult result, const char *text, void *userdata)
{
        Job *job = userdata;
        (void) result; /* it is not loaded any more, most of the time */
        (void) text;
        job->call = NULL;
        unblock_open(job);
}

static void unblock_on_unit(JobResult result, const char *text, void *userdata)
{
        Job *job = userdata;
        Err err = { 0 };
        job->call = NULL;
        if (result != JOB_DONE)
                job_warn(job, HOLD_UNIT ": %s", text);
        /* A unit whose program died, now or when the hold was put up, would be left as failed, with nothing
         * of a hold to be looked after: stopping does not change that. */
        if (systemd_job(job->env.systemd, UNIT_RESET_FAILED, HOLD_UNIT, unblock_on_reset, job, &job->call,
                        &err) < 0)
                unblock_open(job);
}

static void unblock_tick(Job *job)
{
        Err err = { 0 };
        if (!job->held) {
                unblock_open(job);
                return;
        }
        /* Table first, record last: as long as something refuses, something says why. model: HOLD-END */
        bool holds = true;
        size_t others = 0;
        _cleanup_(closep) int lock = hold_lock(job->env.config->state_dir, HOLD_LOCK_USEC);
        if (hold_table(job, false, &others, &err) < 0 ||
            block_hold_read(&job->plan, &holds, NULL, &err) < 0 || holds) {
                job_progress(job, "the hold cannot be ended: %s", err.text);
                job_tick(job, RETRY_USEC);
                return;
        }
        if (hold_remove(job->env.config->state_dir, job->component->name, &err) < 0)
                job_warn(job,
                         "the hold is ended, but its record stays (%s), and would hold it again at the next "
                         "boot; `edge-roll undrain %s` removes it when that can be written",
                         err.text, job->component->name);
        unwritten_drop(job->env.unwritten, job->component->name);
        job->held = false;
        /* The unit wants it. */
        closep(&lock);
        lock = -1;
        if (hold_unit(job, others > 0 ? UNIT_RELOAD_OR_START : UNIT_STOP, unblock_on_unit, &err) < 0)
                unblock_open(job);
}

static void unblock_enter(Job *job)
{
        Err err = { 0 };

        if (job_save(job) < 0 && !job->acted)
                return;
        job->acted = true;
        /* The counters tell who comes back, so the table stays until `return` has its proof. */
        int r = job_table(job, &err);
        if (r < 0)
                job_warn(job, "who comes back cannot be counted: %s", err.text);
        unblock_tick(job);
}

static void unblock_timeout(Job *job)
{
        (void) snprintf(job->hint, sizeof(job->hint),
                        "`nft list ruleset` shows inet %s; its refusals end by themselves within 30 s; a "
                        "hold ends with `systemctl stop edge-roll-hold`",
                        job_table_name(job));
        job_feed(job, ROLL_EV_TIMEOUT, "still blocked: %s", job->awaiting);
}

const PhaseOps job_unblock = { .enter = unblock_enter, .tick = unblock_tick, .timeout = unblock_timeout };

/* ---- return ---- */

static void return_on_hooks(Job *job, const char *failed)
{
        if (failed)
                job_warn(job, "%s", failed);
        job_ok(job, "%s", job->finding);
}

/* Whom the counters show to be let in. Return: true: everybody awaited is; else the next look is set.
 * @ret_connections: new ones on the traffic ports since it was opened. */
static bool return_look(Job *job, char *text, size_t size, uint64_t *ret_connections)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        Err err = { 0 };
        size_t n = 0;
        BlockState state = { 0 };

        int r = job_checks(job, &sources, &n, &err);
        if (r == 0)
                r = block_read(job->block, &state, &err);
        if (job_counters_back(job, r, &state)) {
                /* What was sent on kept connections is no matter of the table. */
                _cleanup_(freep) BlockSource *again = NULL;
                if (job_checks(job, &again, &n, NULL) < 0)
                        n = 0;
                checkers_return_begin(job->checkers, time_now(), again, n);
                job->newconn_base = 0;
                job_tick(job, JOB_POLL_USEC);
                return false;
        }
        if (r < 0) {
                job_progress(job, "the counters cannot be read: %s", err.text);
                job_tick(job, RETRY_USEC);
                return false;
        }
        checkers_feed(job->checkers, time_now(), sources, n);
        checkers_text(job->checkers, time_now(), text, size);
        *ret_connections = state.total[BLOCK_NEWCONN] - MIN(job->newconn_base, state.total[BLOCK_NEWCONN]);
        if (checkers_returned(job->checkers, time_now()))
                return true;
        job_progress(job, "%s", text);
        job_tick(job, JOB_POLL_USEC);
        return false;
}

static void return_tick(Job *job)
{
        char text[400];
        uint64_t connections;
        if (!return_look(job, text, sizeof(text), &connections))
                return;
        (void) snprintf(job->finding, sizeof(job->finding),
                        "%s; %" PRIu64 " new connections on the traffic ports", text, connections);
        job_hooks(job, HOOK_AFTER_RETURN, *job->failure ? "failed" : "done", return_on_hooks);
}

static void return_enter(Job *job)
{
        BlockState state = { 0 };
        (void) job_save(job);
        if (roll_kind(job->roll) == ROLL_RESTART_NOW && block_read(job->block, &state, NULL) == 0 &&
            state.table && state.total[BLOCK_REFUSED] == 0) {
                (void) snprintf(job->finding, sizeof(job->finding),
                                "nobody asked while it was refused, so nobody is waited for");
                job_hooks(job, HOOK_AFTER_RETURN, *job->failure ? "failed" : "done", return_on_hooks);
                return;
        }
        job_tick(job, JOB_POLL_USEC);
}

static void return_timeout(Job *job)
{
        char text[400];
        if (job->hooks.list) {
                job_hooks_cancel(job);
                return_on_hooks(job, "systemd did not tell how a hook of after-return ended");
                return;
        }
        checkers_text(job->checkers, time_now(), text, sizeof(text));
        (void) snprintf(
                job->hint, sizeof(job->hint),
                "the component is up and open: look at the load balancer; `edge-roll status` shows this node");
        job_feed(job, ROLL_EV_TIMEOUT, "not readmitted: %s%s", text, job_foreign_legacy());
}

const PhaseOps job_return = { .enter = return_enter, .tick = return_tick, .timeout = return_timeout };

/* ---- undo ---- */

static void undo_on_hooks(Job *job, const char *failed)
{
        if (failed)
                job_warn(job, "%s", failed);
        job->changes.hooks = false;
        job_ok(job, "%s", job->finding);
}

/* Who was told before the block hears that it is over. */
static void undo_over(Job *job)
{
        if (job->changes.hooks)
                job_hooks(job, HOOK_AFTER_RETURN, "gave-back", undo_on_hooks);
        else
                job_ok(job, "%s", job->finding);
}

/*
 * As it was is more than open: whoever was refused has it down for a while yet, and the next node of the pool
 * may only go out when this one is back. The lease and the place end with the job.
 */
static void undo_wait(Job *job)
{
        char text[400], finding[sizeof(job->finding)];
        uint64_t connections;
        if (!return_look(job, text, sizeof(text), &connections))
                return;
        job->undo_waits = false;
        (void) snprintf(finding, sizeof(finding), "%.250s; %.250s", job->finding, text);
        (void) snprintf(job->finding, sizeof(job->finding), "%s", finding);
        undo_over(job);
}

static void undo_done(Job *job, const char *finding)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        (void) snprintf(job->finding, sizeof(job->finding), "%s", finding);
        /* Whoever only settles what another agent left has no time for that. */
        if (!job->undo_refused || job->held || job->env.settle || !job->block || !job->checkers ||
            job_checks(job, &sources, &n, NULL) < 0) {
                undo_over(job);
                return;
        }
        job->undo_waits = true;
        job_lengthen(job, MAX(component_limit(job->component, PHASE_RETURN),
                              checkers_slowest(job->checkers) * (job->component->check_rise + 3)));
        checkers_return_begin(job->checkers, time_now(), sources, n);
        undo_wait(job);
}

static void undo_on_monit(int r, const char *text, const Err *err, void *userdata)
{
        Job *job = userdata;
        job->monit_running = false;
        if (r < 0) {
                job_warn(job, "monit is not as it was: %s", err->text);
                job_fail(job, RESULT_INVALID, "start monit by hand and monitor the component",
                         "monit is not as it was: %s", err->text);
                return;
        }
        char finding[sizeof(job->finding)];
        job->changes.monit = false;
        (void) snprintf(finding, sizeof(finding), "everything that was changed is as it was; %.400s", text);
        undo_done(job, finding);
}

static void undo_tick(Job *job)
{
        Err err = { 0 };

        if (job->undo_waits) {
                undo_wait(job);
                return;
        }
        /* Backwards, but the node is given back first: traffic is worth more than monit. */
        job_renewing(job, false);
        job_thaw(job);
        (void) job_hold_back(job);
        if (job->changes.blocked || job->changes.table) {
                BlockState state = { 0 };
                if (block_read(job->block, &state, NULL) == 0 && state.table &&
                    state.total[BLOCK_REFUSED] > 0)
                        job->undo_refused = true;
                int r = block_open(job->block, &err);
                if (r == -EBUSY) {
                        /* The agent before is gone, its socket still lies in systemd's store for a moment. */
                        job_progress(job, "%s", err.text);
                        job_tick(job, RETRY_USEC / 10);
                        return;
                }
                if (r < 0 || block_read(job->block, &state, &err) < 0 || state.refusing) {
                        /* A table that somebody deleted refuses nothing: that is what is wanted. */
                        if (block_read(job->block, &state, &err) < 0 || state.refusing) {
                                job_progress(job, "the rule is still there: %s", err.text);
                                job_tick(job, RETRY_USEC);
                                return;
                        }
                }
                job->changes.blocked = false;
        }
        if (!job->changes.monit) {
                undo_done(job,
                          job->changes.table ? "the block is gone, read back" : "nothing had been changed");
                return;
        }
        job_progress(job, "monit as it was");
        job->monit_running = true;
        if (monit_restore(job->env.monit, job->component, &job->monit, undo_on_monit, job, &err) < 0) {
                job->monit_running = false;
                job_fail(job, RESULT_INVALID, NULL, "%s", err.text);
        }
}

static void undo_enter(Job *job)
{
        if (job->acted)
                (void) job_save(job);
        undo_tick(job);
}

static void undo_timeout(Job *job)
{
        if (job->hooks.list) {
                job_hooks_cancel(job);
                undo_on_hooks(job, "systemd did not tell how a hook of after-return ended");
                return;
        }
        if (job->undo_waits) {
                char text[400];
                checkers_text(job->checkers, time_now(), text, sizeof(text));
                job->undo_waits = false;
                job_warn(job, "the node is open, but not everybody has come back to it: %s", text);
                undo_over(job);
                return;
        }
        job_feed(job, ROLL_EV_TIMEOUT, "not within its limit: %s", job->awaiting);
}

const PhaseOps job_undo = { .enter = undo_enter, .tick = undo_tick, .timeout = undo_timeout };

/* ---- hold ---- */

static void hold_on_hooks(Job *job, const char *failed)
{
        if (failed)
                job_warn(job, "%s", failed);
        job_ok(job, "%s", job->finding);
}

static void hold_finish(Job *job, const char *monit)
{
        char stamp[32], until[64] = "";
        if (job->hold.until_wall_usec)
                (void) snprintf(until, sizeof(until), ", until %s",
                                time_stamp(job->hold.until_wall_usec, stamp, sizeof(stamp)));
        if (roll_kind(job->roll) != ROLL_DRAIN && !*job->hint)
                (void) snprintf(
                        job->hint, sizeof(job->hint),
                        "mend the cause and run `edge-roll restart %s` again, or give it back with `edge-roll undrain %s`",
                        job->component->name, job->component->name);
        (void) snprintf(job->finding, sizeof(job->finding),
                        "port %u is held refused (table inet " BLOCK_HOLD_TABLE ")%s%s%.300s",
                        job->facts.health_port, until, *monit ? "; " : "", monit);
        job_hooks(job, HOOK_ON_HOLD, roll_kind(job->roll) == ROLL_DRAIN ? "done" : "held", hold_on_hooks);
}

static void hold_on_monit(int r, const char *text, const Err *err, void *userdata)
{
        Job *job = userdata;
        job->monit_running = false;
        if (r < 0)
                job_warn(job, "monit is not as it was: %s", err->text);
        else
                job->changes.monit = false;
        hold_finish(job, r < 0 ? err->text : text);
}

/* The hold table refuses: the transit block may go, and monit comes back. model: HOLD-BEFORE-UNBLOCK */
static void hold_in_place(Job *job)
{
        Err err = { 0 };
        job_renewing(job, false);
        if (block_open(job->block, &err) == 0)
                job->changes.blocked = false;
        if (!job->changes.monit) {
                hold_finish(job, "");
                return;
        }
        job_progress(job, "monit as it was");
        job->monit_running = true;
        if (monit_restore(job->env.monit, job->component, &job->monit, hold_on_monit, job, &err) < 0) {
                job->monit_running = false;
                job_warn(job, "monit is not as it was: %s", err.text);
                hold_finish(job, err.text);
        }
}

static void hold_on_unit(JobResult result, const char *text, void *userdata)
{
        Job *job = userdata;
        Err err = { 0 };
        job->call = NULL;
        /* Without the unit `systemctl stop edge-roll-hold` ends nothing, so its program's death is not the
         * end of it. */
        if (result != JOB_DONE && !job->hold_again) {
                job->hold_again = true;
                if (hold_unit(job, UNIT_RELOAD_OR_START, hold_on_unit, &err) >= 0)
                        return;
        }
        /* The table is in place already; without its unit the hold does not survive a reboot. */
        if (result != JOB_DONE)
                job_warn(job, HOLD_UNIT ", which puts the hold up again after a reboot: %s", text);
        hold_in_place(job);
}

/* model: HOLD-PUT */
bool job_hold_put(Job *job, bool by_hand, const char *reason, Err *err)
{
        Hold *h = &job->hold;
        const bool ends = by_hand && job->options.hold_usec;

        *h = (Hold){
                .since_wall_usec = time_wall(),
                .until_wall_usec = ends ? time_wall() + job->options.hold_usec : 0,
                .until_boot_usec = ends ? time_boot() + job->options.hold_usec : 0,
                .same_boot = true,
                .by_hand = by_hand,
                .plan = job->plan,
        };
        h->plan.n_traffic = 0;
        (void) snprintf(h->component, sizeof(h->component), "%s", job->component->name);
        (void) snprintf(h->by, sizeof(h->by), "%s", job->options.by);
        (void) snprintf(h->who, sizeof(h->who), "%s", job->options.who);
        (void) snprintf(h->reason, sizeof(h->reason), "%.255s", reason);
        /* Both or none: the unit may be stopped by hand just now. */
        _cleanup_(closep) int lock = hold_lock(job->env.config->state_dir, HOLD_LOCK_USEC);
        (void) lock;
        if (hold_write(job->env.config->state_dir, h, err) < 0) {
                unwritten_add(job->env.unwritten, h);
                job_warn(job, "the hold cannot be recorded, so it does not survive a reboot: %s", err->text);
        } else
                unwritten_drop(job->env.unwritten, h->component);
        bool refused = false;
        size_t others;
        return hold_table(job, true, &others, err) >= 0 &&
               block_hold_read(&job->plan, &refused, NULL, err) >= 0 && refused;
}

static void hold_tick(Job *job)
{
        Err err = { 0 };
        bool by_hand = roll_kind(job->roll) == ROLL_DRAIN;

        if (!job_hold_put(job, by_hand,
                          !by_hand               ? job->failure
                          : *job->options.reason ? job->options.reason
                                                 : "drained by hand",
                          &err)) {
                job_progress(job, "the hold is not in place yet: %s", err.text);
                job_tick(job, RETRY_USEC);
                return;
        }
        if (hold_unit(job, UNIT_RELOAD_OR_START, hold_on_unit, &err) < 0)
                hold_in_place(job);
}

static void hold_enter(Job *job)
{
        (void) job_save(job);
        job_progress(job, "making the block last");
        hold_tick(job);
}

/* Ending here would open the node unproven, so this goes on: the transit block is renewed as long as we live.
 */
static void hold_timeout(Job *job)
{
        if (job->hooks.list) {
                job_hooks_cancel(job);
                hold_on_hooks(job, "systemd did not tell how a hook of on-hold ended");
                return;
        }
        if (job->monit_running) {
                char text[256];
                (void) monit_waits_for(job->env.monit, text, sizeof(text));
                monit_cancel(job->env.monit);
                job->monit_running = false;
                job_warn(job, "monit is not as it was: %s", text);
                hold_finish(job, "monit is not as it was");
                return;
        }
        if (job->call) {
                /* The unit does not answer; what counts is in the kernel. */
                job->call = systemd_call_cancel(job->call);
                hold_in_place(job);
                job_extend(job);
                return;
        }
        job_warn(job, "the hold is still not in place (%s); the agent keeps the block itself and tries on",
                 job->awaiting);
        job_extend(job);
}

const PhaseOps job_hold = { .enter = hold_enter, .tick = hold_tick, .timeout = hold_timeout };
