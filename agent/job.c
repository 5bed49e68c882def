/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A job: its phases with their timers and ends, its beginning and its own end. */

#include "agent/job-impl.h"

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "probes/json.h"

static const PhaseOps *const job_ops[PHASE_END] = {
        [PHASE_PREFLIGHT] = &job_preflight,
        [PHASE_DISCOVER] = &job_discover,
        [PHASE_WATCH] = &job_watch,
        [PHASE_PLACE] = &job_place,
        [PHASE_BLOCK] = &job_block,
        [PHASE_NOTICE] = &job_notice,
        [PHASE_DRAIN] = &job_drain,
        [PHASE_STOP_MONIT] = &job_stop_monit,
        [PHASE_PARTNER] = &job_partner,
        [PHASE_GATE] = &job_gate,
        [PHASE_STOP] = &job_stop,
        [PHASE_START] = &job_start_unit,
        [PHASE_READY] = &job_ready,
        [PHASE_VERIFY] = &job_verify,
        [PHASE_START_MONIT] = &job_start_monit,
        [PHASE_UNBLOCK] = &job_unblock,
        [PHASE_RETURN] = &job_return,
        [PHASE_UNDO] = &job_undo,
        [PHASE_HOLD] = &job_hold,
};

/* ---- timers ---- */

static int job_on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        const PhaseOps *ops = job_ops[roll_phase(job->roll)];
        if (ops->tick)
                ops->tick(job);
        return 0;
}

int job_timer(Job *job, sd_event_source **timer, Usec when, sd_event_time_handler_t fn)
{
        int r;

        if (!*timer) {
                /* 1 ms accuracy: the default of 250 ms would add up over the phases. */
                r = sd_event_add_time(job->env.event, timer, CLOCK_MONOTONIC, when, 1000, fn, job);
                if (r < 0)
                        *timer = NULL;
                return r;
        }
        r = sd_event_source_set_time(*timer, when);
        return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

void job_tick(Job *job, Usec usec)
{
        (void) job_timer(job, &job->tick, time_now() + usec, job_on_tick);
}

static int job_on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        const PhaseOps *ops = job_ops[roll_phase(job->roll)];
        if (ops->timeout)
                ops->timeout(job);
        else
                job_feed(job, ROLL_EV_TIMEOUT, "not within its limit: %s", job->awaiting);
        return 0;
}

void job_extend(Job *job)
{
        Phase phase = roll_phase(job->roll);
        Usec now = time_now();
        roll_set_limit(job->roll, phase,
                       roll_elapsed(job->roll, phase, now) + component_limit(job->component, phase));
        (void) job_timer(job, &job->deadline, roll_deadline(job->roll), job_on_deadline);
}

void job_lengthen(Job *job, Usec usec)
{
        Phase phase = roll_phase(job->roll);
        Usec now = time_now();
        if (usec == 0)
                return;
        roll_set_limit(job->roll, phase,
                       time_add(time_add(roll_elapsed(job->roll, phase, now),
                                         time_left(roll_deadline(job->roll), now)),
                                usec));
        (void) job_timer(job, &job->deadline, roll_deadline(job->roll), job_on_deadline);
}

/* ---- phases ---- */

static void job_drop_calls(Job *job)
{
        job->tick = sd_event_source_unref(job->tick);
        job->call = systemd_call_cancel(job->call);
        job->call2 = systemd_call_cancel(job->call2);
        job_hooks_cancel(job);
        job_targets_cancel(job);
        job->facts_call = facts_cancel(job->facts_call);
        for (size_t i = 0; i < ELEMENTS(job->http); i++)
                job->http[i] = http_cancel(job->http[i]);
        job->http_pending = 0;
        job->snapshot_call = snapshot_fetch_cancel(job->snapshot_call);
        job->needed_call = needed_look_cancel(job->needed_call);
        if (job->monit_running)
                monit_cancel(job->env.monit);
        job->monit_running = false;
}

/*
 * Where one agent died the next may as well, and the one after it may never start: so from then on what is
 * not proven is kept out by something that needs nobody. `unblock` ends it, like any hold.
 * model: HOLD-FIRST
 */
static void job_hold_first(Job *job, Phase phase)
{
        Err err = { 0 };
        bool unproven = phase == PHASE_START || phase == PHASE_READY || phase == PHASE_VERIFY ||
                        (phase == PHASE_BLOCK && roll_kind(job->roll) == ROLL_RECOVER);
        if (!job->hold_first || !unproven)
                return;
        job->hold_first = false;
        if (job_hold_put(job, false, "its restart was cut off; it is being proven", &err))
                job->held = true;
        else
                job_warn(job, "it cannot be held while it is being proven: %s", err.text);
}

static void job_enter(Phase phase, void *userdata)
{
        Job *job = userdata;
        Usec now = time_now(), deadline = roll_deadline(job->roll);

        job->awaiting[0] = job->told_text[0] = '\0';
        job->told_progress = 0;
        if (deadline != USEC_INFINITY)
                (void) job_timer(job, &job->deadline, deadline, job_on_deadline);
        cJSON *o = job_object("phase");
        cJSON_AddStringToObject(o, "phase", phase_name(phase));
        cJSON_AddStringToObject(o, "state", "begin");
        job_add_seconds(o, "limit", time_left(deadline, now));
        job_tell(job, o, false);
        /* Counted before anything is done that may end this agent as well. */
        if (job->resumed && job->resumes > 0 && (job->changes.table || job->changes.stopped))
                (void) job_save(job);
        job_hold_first(job, phase);
        job_ops[phase]->enter(job);
}

static void job_leave(Phase phase, RollEvent event, void *userdata)
{
        Job *job = userdata;
        const PhaseOps *ops = job_ops[phase];

        job_drop_calls(job);
        job->resumes = 0;
        if (ops->leave)
                ops->leave(job, event);
        cJSON *o = job_object("phase");
        cJSON_AddStringToObject(o, "phase", phase_name(phase));
        cJSON_AddStringToObject(o, "state", "end");
        cJSON_AddStringToObject(o, "outcome", roll_event_name(event));
        job_add_seconds(o, "elapsed", roll_elapsed(job->roll, phase, time_now()));
        cJSON_AddStringToObject(o, "evidence", job->evidence[phase]);
        job_tell(job, o, false);

        JournalContext c = job_context(job);
        journal_log(event == ROLL_EV_OK ? LOG_INFO : LOG_NOTICE, JOURNAL_PHASE, &c, "%s: %s: %s: %s",
                    job->component->name, phase_name(phase), roll_event_name(event), job->evidence[phase]);
}

static void job_log_end(const Job *job, Result result)
{
        JournalContext c = job_context(job);
        const char *id = roll_kind(job->roll) == ROLL_DOCTOR                          ? JOURNAL_JOB_DONE
                         : result == RESULT_DONE                                      ? JOURNAL_JOB_DONE
                         : result == RESULT_HELD                                      ? JOURNAL_HELD
                         : result == RESULT_FAILED || result == RESULT_NOT_READMITTED ? JOURNAL_BAD_END
                                                                                      : JOURNAL_JOB_ENDED;

        if (roll_kind(job->roll) == ROLL_DOCTOR)
                journal_log(LOG_NOTICE, id, &c, "%s: doctor: %s", job->component->name, job->failure);
        else if (result == RESULT_NOT_NEEDED)
                journal_log(LOG_INFO, id, &c, "%s: %s %s", job->component->name, job_kind(job), job->failure);
        else if (result == RESULT_DONE)
                journal_log(LOG_NOTICE, id, &c, "%s: %s done", job->component->name, job_kind(job));
        else
                journal_log(result == RESULT_HELD || result == RESULT_FAILED ? LOG_ERR : LOG_WARNING, id, &c,
                            "%s: %s ended: %s: %s", job->component->name, job_kind(job), result_name(result),
                            job->failure);
}

/* The record of a job is all that the disk says of its hold, until that has one of its own. */
static bool job_keeps_record(const Job *job)
{
        const Unwritten *u = job->env.unwritten;
        return unwritten_has(u, job->component->name) || (u->n > 0 && !job->recorded);
}

static void job_finished(Result result, void *userdata)
{
        Job *job = userdata;

        job->deadline = sd_event_source_unref(job->deadline);
        job_beat(job, false);
        job_renewing(job, false);
        if (roll_kind(job->roll) != ROLL_DRY_RUN)
                job_learn(job, result);
        if (job->block) {
                /* With a transit block that could not be opened the table must not go on being renewed; its
                 * timeout opens it. Everything else has been settled by undo, hold or unblock. */
                Err err = { 0 };
                if (block_remove(job->block, &err) < 0)
                        job_warn(job, "the table inet %s could not be removed: %s", job_table_name(job),
                                 err.text);
                job->env.keep_fd(job->env.place, -1, job->env.userdata);
                job->block = block_free(job->block);
        }
        job->deaths = deaths_free(job->deaths);
        partner_uncount(job);
        job->result = result;
        /* Told to the disk and the journal before the record is gone: whoever dies here leaves a job that the
         * next agent ends once more, not one of which nobody knows how it ended. What was not needed is no
         * news: the last restart stays the last one that is told. A roll looks for it. */
        if (roll_kind(job->roll) != ROLL_DRY_RUN && roll_kind(job->roll) != ROLL_DOCTOR &&
            (result != RESULT_NOT_NEEDED || !job->options.if_needed || *job->options.roll)) {
                (void) json_lost(); /* what was lost before is no matter of the result */
                cJSON *kept = job_result_object(job, result);
                job_keep_result(job, kept);
                cJSON_Delete(kept);
        }
        job_log_end(job, result);
        Err err = { 0 };
        /* A job within another one is over when that one has written down how it ended. model: JOB-OVER */
        if (!job->within && !job_keeps_record(job) &&
            state_remove(job->env.config->state_dir, job_record_name(job->env.place), &err) < 0)
                job_warn(job, "the record of this job cannot be removed: %s", err.text);

        job->over = true;
        job_tell(job, job_result_object(job, result), false);
        job->env.ended(job, result, job->env.userdata);
}

static void job_evidence(Job *job, const char *fmt, va_list ap) _printf_(2, 0);
static void job_evidence(Job *job, const char *fmt, va_list ap)
{
        (void) vsnprintf(job->evidence[roll_phase(job->roll)], sizeof(job->evidence[0]), fmt, ap);
}

void job_ok(Job *job, const char *evidence, ...)
{
        va_list ap;
        va_start(ap, evidence);
        job_evidence(job, evidence, ap);
        va_end(ap);
        (void) roll_feed(job->roll, ROLL_EV_OK, RESULT_INVALID, time_now());
}

/* What a phase that failed was about, in one word. */
static const char *job_subject(Phase phase)
{
        return phase == PHASE_WATCH ? "checkers" : phase == PHASE_DISCOVER ? "ports" : "component";
}

void job_fail(Job *job, Result result, const char *hint, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        job_evidence(job, fmt, ap);
        va_end(ap);
        if (roll_kind(job->roll) == ROLL_DOCTOR && roll_phase(job->roll) <= PHASE_WATCH) {
                char text[sizeof(job->evidence[0])];
                (void) snprintf(text, sizeof(text), "%s", job->evidence[roll_phase(job->roll)]);
                job_find(job, FINDING_PROBLEM, job_subject(roll_phase(job->roll)), hint, "%s", text);
                job_examined(job);
                return;
        }
        if (!*job->failure) {
                (void) snprintf(job->failure, sizeof(job->failure), "%s",
                                job->evidence[roll_phase(job->roll)]);
                (void) snprintf(job->hint, sizeof(job->hint), "%s", hint ? hint : "");
        }
        (void) roll_feed(job->roll, ROLL_EV_FAIL, result, time_now());
}

void job_feed(Job *job, RollEvent event, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        job_evidence(job, fmt, ap);
        va_end(ap);
        if ((event == ROLL_EV_TIMEOUT || event == ROLL_EV_CANCEL) && !*job->failure)
                (void) snprintf(job->failure, sizeof(job->failure), "%s: %.480s",
                                phase_name(roll_phase(job->roll)), job->evidence[roll_phase(job->roll)]);
        (void) roll_feed(job->roll, event, RESULT_INVALID, time_now());
}

/* ---- life ---- */

int job_new(Job **ret, const JobEnv *env, uint64_t id, const Component *component, RollKind kind,
            const JobOptions *options, Err *err)
{
        static const RollEffects effects = { .enter = job_enter,
                                             .leave = job_leave,
                                             .finished = job_finished };
        Usec limits[PHASE_COUNT];

        _cleanup_(job_freep) Job *job = calloc(1, sizeof(*job));
        if (!job)
                return err_set(err, -ENOMEM, "out of memory");
        job->env = *env;
        job->id = id;
        job->component = component;
        job->options = *options;
        job->result = job->partner_end = RESULT_INVALID;
        job->protection = "unprotected";
        job->persistent_asked = options->persistent;
        job->at_cap_asked = options->at_cap;
        job->mp_leave_asked = options->mp_leave;
        if (job->options.persistent < 0)
                job->options.persistent = component->persistent;
        if (job->options.at_cap < 0)
                job->options.at_cap = component->at_cap;
        if (job->options.mp_leave < 0)
                job->options.mp_leave = component->mp_leave;
        for (Phase p = PHASE_NONE; p < PHASE_COUNT; p++)
                limits[p] = component_limit(component, p);
        job->warnings = cJSON_CreateArray();
        job->findings = cJSON_CreateArray();
        job->progress = calloc(JOB_PROGRESS_KEPT, sizeof(*job->progress));
        job->started = time_now();
        job->started_wall = time_wall();
        if (!job->warnings || !job->findings || !job->progress ||
            roll_new(&job->roll, kind, &effects, limits, job) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        *ret = TAKE_PTR(job);
        return 0;
}

/*
 * What a phase may assume when it is entered: the table is ours, and where something is blocked it is
 * renewed. The phases up to `block` see to that themselves.
 */
static void job_take_over(Job *job)
{
        Err err = { 0 };
        bool partner = job->resume_phase == PHASE_PARTNER;
        bool graceful = roll_kind(job->roll) == ROLL_RESTART_GRACEFUL && job->resume_phase > PHASE_WATCH;
        if (!job->block || (job->resume_phase < PHASE_STOP && !partner && !graceful) ||
            (partner && job->cut_off))
                return;
        if (job_table(job, &err) < 0) {
                job_warn(job, "the table of the agent before cannot be taken over: %s", err.text);
                return;
        }
        if (!job->changes.blocked || job->resume_phase == PHASE_UNDO || job->resume_phase == PHASE_UNBLOCK)
                return;
        if (!job_block_check(job))
                job->lapsed = partner;
        job_renewing(job, true);
}

void job_start(Job *job)
{
        JournalContext c = job_context(job);
        journal_log(LOG_NOTICE, JOURNAL_JOB_BEGIN, &c, "%s: %s %s, asked by %s%s%s", job->component->name,
                    job_kind(job), job->resumed ? "goes on" : "begins", job->options.by,
                    *job->options.reason ? ": " : "", job->options.reason);
        job_tell_begin(job);
        if (job->resumed) {
                if (job->unwritten)
                        job_warn(job,
                                 "the record of this job cannot be written any more; it is only brought to "
                                 "an end");
                job_take_over(job);
                job_zk_resume(job);
        }
        if (job->resumed && job->resume_phase == PHASE_UNDO && !*job->failure)
                (void) snprintf(job->failure, sizeof(job->failure), "the job was cut off, by %s",
                                job->env.settle ? "the end of its agent"
                                                : "a reboot or in the middle of undoing");
        job_beat(job, true);
        roll_start(job->roll, job->resume_phase, time_now());
}

Job *job_free(Job *job)
{
        if (!job)
                return NULL;
        job_free(job->partner);
        block_free(job->partner_block);
        job_drop_calls(job);
        job_zk_drop(job);
        sd_event_source_unref(job->deadline);
        job_beat(job, false);
        job_renewing(job, false);
        for (size_t i = 0; i < job->n_events; i++)
                free(job->events[i]);
        free(job->events);
        free(job->progress);
        free(job->foreign);
        cJSON_Delete(job->warnings);
        cJSON_Delete(job->needed);
        cJSON_Delete(job->partner_result);
        cJSON_Delete(job->findings);
        block_free(job->block);
        checkers_free(job->checkers);
        inflight_free(job->inflight);
        cuts_free(job->cuts);
        deaths_free(job->deaths);
        kept_conns_free(job->kept);
        snapshot_free(job->before);
        job_targets_free(job);
        roll_free(job->roll);
        free(job);
        return NULL;
}

int job_cancel(Job *job, const char *why, Err *err)
{
        if (job->over)
                return err_set(err, -EALREADY, "the job is over");
        if (job->partner) {
                int r = job_cancel(job->partner, why, err);
                return r < 0 ? err_prefix(err, -EBUSY, "%s", job->partner->component->name) : 0;
        }
        if (!roll_can_cancel(job->roll))
                return err_set(err, -EBUSY, "cannot be undone in phase %s, will finish", job_phase(job));
        (void) snprintf(job->hint, sizeof(job->hint), "everything that was changed is put back");
        job_feed(job, ROLL_EV_CANCEL, "cancelled%s%s", why && *why ? ": " : "", why ? why : "");
        return 0;
}

bool job_can_cancel(const Job *job)
{
        if (job->over)
                return false;
        return job->partner ? job_can_cancel(job->partner) : roll_can_cancel(job->roll);
}

const JobOptions *job_options(const Job *job)
{
        return &job->options;
}

RollKind job_roll_kind(const Job *job)
{
        return roll_kind(job->roll);
}

uint64_t job_id(const Job *job)
{
        return job->id;
}

const Component *job_component(const Job *job)
{
        return job->component;
}

const Job *job_within(const Job *job)
{
        return partner_running(job) ? job->partner : NULL;
}

bool job_concerns(const Job *job, const char *name)
{
        const Component *partner = roll_kind(job->roll) == ROLL_RESTART_RMP ? partner_component(job) : NULL;
        return strcmp(name, job->component->name) == 0 || (partner && strcmp(name, partner->name) == 0);
}

const char *job_kind(const Job *job)
{
        return roll_kind_name(roll_kind(job->roll));
}

const char *job_phase(const Job *job)
{
        return phase_name(roll_phase(job->roll));
}

const char *job_awaiting(const Job *job)
{
        return job->awaiting;
}

const char *job_by(const Job *job)
{
        return job->options.by;
}

const char *job_reason(const Job *job)
{
        return job->options.reason;
}

Usec job_elapsed(const Job *job)
{
        return time_now() - job->started;
}

bool job_over(const Job *job)
{
        return job->over;
}

Result job_result(const Job *job)
{
        return job->result;
}

const char *job_event(const Job *job, uint64_t seq)
{
        return seq < job->n_events ? job->events[seq] : NULL;
}

uint64_t job_next_seq(const Job *job)
{
        return job->n_events;
}

const char *job_place_table(JobPlace place)
{
        return place == JOB_PARTNER ? BLOCK_PARTNER_TABLE : BLOCK_TABLE;
}

const char *job_record_name(JobPlace place)
{
        static const char *const names[JOB_PLACE_COUNT] = {
                [JOB_MAIN] = "job.json",
                [JOB_PARTNER] = "job-partner.json",
        };
        return names[place];
}
