/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The block is looked after as long as it lasts: renewed by the clock, and read back at once when somebody
 * else changes the table, where the kernel lets them.
 */

#include "agent/job-impl.h"

#include <string.h>

/*
 * After a look at what was told the next one waits this long, so that thousands of changes by somebody else
 * are one look each time, and a change after a quiet time is answered at once.
 */
#define WATCH_PAUSE_USEC (20 * USEC_PER_MSEC)

static void watch_stop(Job *job)
{
        job->watch_io = sd_event_source_unref(job->watch_io);
        job->watch_pause = sd_event_source_unref(job->watch_pause);
        job->watch = block_watch_free(job->watch);
}

/* Put back by the look; but the checkers may have been let in meanwhile. model: JOB-LAPSED */
static void lapsed(Job *job)
{
        if (!job_hold_back(job) && !job->changes.stopped) {
                job_fail(job, RESULT_GAVE_BACK, JOB_HOLD_HINT, JOB_HOLD_ENDED);
                return;
        }
        if (job->partner) {
                job->lapsed = true; /* noticed again when that job is over: it has enough to do */
                job->notice_again = false;
                (void) job_save(job);
        } else if (roll_kind(job->roll) == ROLL_RESTART || roll_kind(job->roll) == ROLL_RESTART_RMP ||
                   roll_kind(job->roll) == ROLL_DRAIN)
                job_feed(job, ROLL_EV_LAPSED, "the block was gone and is put back: proven anew");
}

static int on_pause(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        if (job->watch_io)
                (void) sd_event_source_set_enabled(job->watch_io, SD_EVENT_ON);
        return 0;
}

static int on_change(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
        Job *job = userdata;
        BlockTouch touch;
        (void) fd;
        (void) events;

        block_watch_read(job->watch, &touch);
        (void) sd_event_source_set_enabled(s, SD_EVENT_OFF);
        if (job_timer(job, &job->watch_pause, time_now() + WATCH_PAUSE_USEC, on_pause) < 0)
                (void) sd_event_source_set_enabled(s, SD_EVENT_ON);
        if (!touch.touched && !touch.lost)
                return 0;
        if (!job_block_look(job, &touch))
                lapsed(job);
        return 0;
}

/* Who cannot listen still looks with each renewal. */
static void watch_start(Job *job)
{
        Err err = { 0 };
        if (job->watch || !job->block || block_owner(job->block) != BLOCK_OWNER_NONE)
                return;
        if (block_watch_new(&job->watch, job_table_name(job), block_port(job->block), &err) < 0) {
                job_warn(job, "%s; the block is looked at every %.0f s only", err.text,
                         time_sec(JOB_BLOCK_RENEW_USEC));
                return;
        }
        if (sd_event_add_io(job->env.event, &job->watch_io, block_watch_fd(job->watch), EPOLLIN, on_change,
                            job) < 0)
                watch_stop(job);
}

static int on_renew(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        job_renewing(job, true);
        if (!job_block_check(job))
                lapsed(job);
        return 0;
}

void job_renewing(Job *job, bool on)
{
        if (on) {
                (void) job_timer(job, &job->renew, time_now() + JOB_BLOCK_RENEW_USEC, on_renew);
                watch_start(job);
        } else {
                job->renew = sd_event_source_unref(job->renew);
                watch_stop(job);
        }
}
