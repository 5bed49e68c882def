/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Time in which the agent stood still (stopped, frozen with its node, without a CPU) is nobody's waiting: the
 * clock runs on, but no request could be seen to end. A beat that comes late says how long it was; the
 * present phase gets that much more, so that a node that was frozen for a minute is not given back because of
 * it. While a machine sleeps CLOCK_MONOTONIC stands still, too, and there is nothing to make up for.
 */

#include "agent/job-impl.h"

#define BEAT_USEC (500 * USEC_PER_MSEC)
#define LATE_USEC (2 * USEC_PER_SEC) /* less is a busy machine */

static void beat_next(Job *job, Usec now);

static int on_beat(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        Usec now = time_now();
        (void) s;
        if (now - usec > LATE_USEC) {
                job_lengthen(job, now - usec);
                job_warn(job, "the agent stood still for %.0f s; %s has so much longer", time_sec(now - usec),
                         job_phase(job));
        }
        beat_next(job, now);
        return 0;
}

static void beat_next(Job *job, Usec now)
{
        bool first = !job->beat;
        /* Before all other timers that are due by then, above all the phase's deadline. */
        if (job_timer(job, &job->beat, now + BEAT_USEC, on_beat) == 0 && first)
                (void) sd_event_source_set_priority(job->beat, SD_EVENT_PRIORITY_IMPORTANT);
}

void job_beat(Job *job, bool on)
{
        if (on)
                beat_next(job, time_now());
        else
                job->beat = sd_event_source_unref(job->beat);
}
