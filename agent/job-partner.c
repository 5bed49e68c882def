/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * partner: while the router is out and drained, a whole job of its own restarts the message processor of the
 * same node. It has its own record, table and descriptor (JOB_PARTNER); this job only keeps the router's
 * block, passes on what that one tells, and draws the conclusion from how it ends.
 */

#include "agent/job-impl.h"

#include <string.h>

#define PARTNER_LOOK_USEC (4 * JOB_POLL_USEC)

const Component *partner_component(const Job *job)
{
        return config_component(job->env.config, job->component->partner);
}

bool partner_running(const Job *job)
{
        return job->partner && !job_over(job->partner);
}

/* ---- what it tells ---- */

/* An event becomes one of ours, marked with its component; but there is one beginning and one end. */
static void partner_told(Job *partner, uint64_t seq, const char *json, void *userdata)
{
        Job *job = userdata;
        cJSON *e = cJSON_Parse(json);
        const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e, "event"));
        (void) seq;

        (void) snprintf(job->awaiting, sizeof(job->awaiting), "%.60s, %s%s%.400s", partner->component->name,
                        job_phase(partner), *partner->awaiting ? ": " : "", partner->awaiting);
        if (event && strcmp(event, "result") == 0) {
                cJSON_Delete(job->partner_result);
                cJSON_DeleteItemFromObjectCaseSensitive(e, "event");
                job->partner_result = e;
                return;
        }
        if (!event || strcmp(event, "job") == 0) {
                cJSON_Delete(e);
                return;
        }
        bool progress = strcmp(event, "progress") == 0;
        cJSON_AddStringToObject(e, "component", partner->component->name);
        job_forward(job, e, progress);
}

static void partner_keep_fd(JobPlace place, int fd, void *userdata)
{
        Job *job = userdata;
        job->env.keep_fd(place, fd, job->env.userdata);
}

static void partner_ended(Job *partner, Result result, void *userdata)
{
        (void) partner;
        (void) result;
        job_tick(userdata, 0); /* not from here: it still stands on the stack */
}

static bool partner_leased(const char *component, const char *roll, char *text, size_t size, void *userdata)
{
        Job *job = userdata;
        return job->env.leased(component, roll, text, size, job->env.userdata);
}

static JobEnv partner_env(Job *job)
{
        JobEnv env = job->env;
        env.place = JOB_PARTNER;
        env.keep_fd = partner_keep_fd;
        env.told = partner_told;
        env.ended = partner_ended;
        env.leased = partner_leased;
        env.userdata = job;
        return env;
}

/* ---- its end ---- */

/*
 * Before its `stop` nothing has happened to it, and the result says so: gave-back, or refused as what it was.
 * Behind it the result is its own. The router is given back in any case: it is as it was, and the pool has
 * other message processors. That goes for not-readmitted, too: a node that one of its routers does not take
 * back is no node on which to stop something else.
 */
static Result partner_verdict(Result result)
{
        switch (result) {
        case RESULT_REFUSED:
        case RESULT_NO_CHECKER:
        case RESULT_UNPROTECTED:
        case RESULT_HELD:
        case RESULT_NOT_READMITTED:
        case RESULT_FAILED:
                return result;
        default:
                return RESULT_GAVE_BACK;
        }
}

/* Another balancer has taken over, or one has changed its mind: noticed again, but only when the partner's
 * job is over. */
static void partner_connected(Job *job)
{
        if (job->lapsed || job->cut_off || !job_connected(job))
                return;
        job->lapsed = true;
        job->notice_again = job->noticed_at > 0;
        (void) job_save(job);
}

/* Leads on by how the partner's job ended, also when it was an earlier agent that saw it end. */
static void partner_conclude(Job *job)
{
        const char *router = job->component->name;

        partner_connected(job);
        if (job->partner_end != RESULT_DONE)
                job_fail(job, partner_verdict(job->partner_end), NULL, "%s", job->partner_text);
        else if (job->cut_off)
                job_fail(job, RESULT_GAVE_BACK, NULL, "%s; cut off by a reboot before the %s was stopped",
                         job->partner_text, router);
        else if (job->env.settle)
                job_fail(job, RESULT_GAVE_BACK, NULL, "%s; its agent was gone before the %s was stopped",
                         job->partner_text, router);
        else if (job->lapsed) {
                char who[256];
                job->lapsed = false;
                if (job->notice_again)
                        job_feed(job, ROLL_EV_LAPSED,
                                 "%s; new connections came meanwhile, from %s: noticed again first",
                                 job->partner_text, job_connected_text(job, who, sizeof(who)));
                else
                        job_feed(job, ROLL_EV_LAPSED, "%s; the block was open meanwhile: noticed again first",
                                 job->partner_text);
        } else
                job_ok(job, "%s", job->partner_text);
}

static void partner_settle(Job *job)
{
        const Job *partner = job->partner;
        char elapsed[32];
        Err err = { 0 };

        job->partner_end = job_result(partner);
        if (job->partner_end == RESULT_DONE)
                (void) snprintf(job->partner_text, sizeof(job->partner_text), "%.60s: %s done in %s",
                                partner->component->name, job_kind(partner),
                                time_format(job_elapsed(partner), elapsed, sizeof(elapsed)));
        else
                (void) snprintf(job->partner_text, sizeof(job->partner_text), "%.60s: %s: %.400s",
                                partner->component->name, result_name(job->partner_end), partner->failure);
        if (job->partner_end != RESULT_DONE && !*job->failure) {
                (void) snprintf(job->failure, sizeof(job->failure), "%s", job->partner_text);
                (void) snprintf(job->hint, sizeof(job->hint), "%s", partner->hint);
        }
        /* Its end is on disk before its record goes: it is not begun a second time. */
        (void) job_save(job);
        if (state_remove(job->env.config->state_dir, job_record_name(JOB_PARTNER), &err) < 0)
                job_warn(job, "the record of the job of %s cannot be removed: %s", partner->component->name,
                         err.text);
        job->partner = job_free(job->partner);
        partner_conclude(job);
}

/* ---- its table, early ---- */

int partner_block_new(Job *job, int fd, Err *err)
{
        int r = block_new(&job->partner_block, fd, (BlockOwner) job->env.config->nft_owner, err);
        if (r == 0)
                block_set_table(job->partner_block, BLOCK_PARTNER_TABLE);
        return r;
}

/*
 * The router's own connections to the message processor of its node fall silent when the router is drained,
 * and so near to each other their clocks often cannot tell an answered request from one under way. Only who
 * spoke last can, and that is known only to a table that was there before.
 */
void partner_count(Job *job)
{
        Err err = { 0 };
        int r = job->partner_block ? 0 : partner_block_new(job, -1, &err);
        if (r == 0)
                r = block_install(job->partner_block, &job->partner_plan, &err);
        if (r == 0) {
                job->env.keep_fd(JOB_PARTNER, block_fd(job->partner_block), job->env.userdata);
                return;
        }
        job_warn(job, "the drain of %s may take longer: %s", job->component->partner, err.text);
        job->partner_block = block_free(job->partner_block);
}

void partner_uncount(Job *job)
{
        Err err = { 0 };
        if (!job->partner_block)
                return;
        if (block_remove(job->partner_block, &err) < 0)
                job_warn(job, "the table inet " BLOCK_PARTNER_TABLE " could not be removed: %s", err.text);
        job->env.keep_fd(JOB_PARTNER, -1, job->env.userdata);
        job->partner_block = block_free(job->partner_block);
}

/* ---- the phase ---- */

int partner_resume(Job *job, int fds[JOB_PLACE_COUNT], Err *err)
{
        JobEnv env = partner_env(job);
        bool same_boot = false;
        cJSON *record = NULL;

        if (job->partner_end >= 0)
                return state_remove(env.config->state_dir, job_record_name(JOB_PARTNER), err);
        int r = state_read(env.config->state_dir, job_record_name(JOB_PARTNER), &record, &same_boot, err);
        if (r < 0 || !record)
                return r;
        r = job_resume(&job->partner, &env, record, same_boot, fds, err);
        cJSON_Delete(record);
        if (r < 0)
                return err_prefix(err, r, "%s", job_record_name(JOB_PARTNER));
        job->partner->within = true;
        /* Killed before it had a table of its own: what owns the one that was made before it is this socket.
         */
        if (!job->partner->block && fds[JOB_PARTNER] >= 0)
                return job_block_new(job->partner, TAKE_FD(fds[JOB_PARTNER]), err);
        return 0;
}

static int partner_new(Job *job, Err *err)
{
        JobEnv env = partner_env(job);
        const Component *c = partner_component(job);
        JobOptions options = job->options;
        options.persistent = job->persistent_asked;
        options.at_cap = job->at_cap_asked;
        options.mp_leave = job->mp_leave_asked;
        options.lease = job->options.lease_partner;
        options.lease_partner = 0;
        options.await_go = false;
        options.covered = strcmp(job->protection, "zookeeper") == 0;
        if (!c)
                return err_set(err, -ENOENT, "\"%s\" is not configured any more", job->component->partner);
        int r = job_new(&job->partner, &env, job->id, c, ROLL_RESTART, &options, err);
        if (r < 0)
                return r;
        job->partner->within = true;
        /* Of an earlier agent there is only the socket: that one's plan is not known, so it is made anew. */
        job->partner->block = TAKE_PTR(job->partner_block);
        job->partner->plan_early = job->partner_plan;
        job->partner->counting =
                job->partner->block &&
                job->partner_plan.n_whole + job->partner_plan.n_syn + job->partner_plan.n_from_ports > 0;
        return 0;
}

static void partner_tick(Job *job)
{
        if (partner_running(job)) {
                partner_connected(job);
                job_tick(job, PARTNER_LOOK_USEC);
        } else
                partner_settle(job);
}

static void partner_enter(Job *job)
{
        Err err = { 0 };

        (void) job_save(job);
        if (job->partner_end >= 0) {
                /* Been here before: the gate, a block that lapsed or the agent's death led back. */
                partner_conclude(job);
                return;
        }
        if (!job->partner && partner_new(job, &err) < 0) {
                job_fail(job, RESULT_INVALID, NULL, "%s", err.text);
                return;
        }
        job_tick(job, PARTNER_LOOK_USEC);
        job_start(job->partner);
}

/* It has limits of its own and ends by them; what takes longer than all of them is undone, if it can be. */
static void partner_timeout(Job *job)
{
        Err err = { 0 };
        if (!partner_running(job)) {
                partner_tick(job);
                return;
        }
        if (job_cancel(job->partner, "the time of restart rmp is over", &err) < 0)
                job_warn(job, "takes longer than limit_partner: %s", err.text);
        job_extend(job);
}

const PhaseOps job_partner = { .enter = partner_enter, .tick = partner_tick, .timeout = partner_timeout };
