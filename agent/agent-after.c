/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What stays to be done behind a job: its hold ends in time, its places are given back, its record goes. */

#include "agent/agent-impl.h"

#include <syslog.h>

#include "agent/hold.h"
#include "agent/journal.h"
#include "agent/manager.h"
#include "agent/state.h"

/* ---- holds for a time ---- */

/* The time of a hold runs on while the machine sleeps, and after a reboot it is wall clock time: so it is
 * looked at again and again, not slept through. model: HOLD-FOR */
#define HOLD_LOOK_USEC  (10 * USEC_PER_SEC)
#define HOLD_RETRY_USEC (1 * USEC_PER_SEC) /* also when ending one has just failed */

static int agent_on_hold(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_watch_holds(userdata, true);
        return 0;
}

/* As undrain: it can be ended whatever the files say. */
static void agent_hold_over(Agent *a, const Hold *hold)
{
        JobOptions options = {
                .by = "edge-roll",
                .reason = "the time of the hold is over",
                .persistent = PERSISTENT_INVALID,
                .at_cap = AT_CAP_INVALID,
                .mp_leave = MP_LEAVE_INVALID,
        };
        Job *job;
        Err err = { 0 };
        if (agent_reload(a, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_CONFIG, NULL,
                            "the hold of %s ends by the configuration of before: %s", hold->component,
                            err.text);
        const Component *c = config_component(a->config, hold->component);
        if (c && agent_begin(a, c, ROLL_UNDRAIN, &options, &job, &err) < 0)
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the hold of %s cannot be ended: %s", c->name,
                            err.text);
}

void agent_watch_holds(Agent *a, bool begin)
{
        _cleanup_(freep) Hold *holds = NULL;
        size_t n = 0;
        Usec next = USEC_INFINITY;
        Err err = { 0 };

        a->hold_timer = sd_event_source_unref(a->hold_timer);
        if (hold_list(a->config->state_dir, &holds, &n, &err) < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the holds cannot be read: %s", err.text);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                Usec left = hold_left(&holds[i], time_boot(), time_wall());
                if (left == USEC_INFINITY || !config_component(a->config, holds[i].component))
                        continue;
                next = MIN(next, left);
                /* A ticket that waits for its turn goes behind this as behind all else. */
                if (left == 0 && begin && agent_ticket_aside(a, NULL, "a hold ends first") &&
                    !agent_busy(a)) {
                        begin = false;
                        agent_hold_over(a, &holds[i]);
                }
        }
        /* The end of a ticket has looked, too. */
        a->hold_timer = sd_event_source_unref(a->hold_timer);
        if (next != USEC_INFINITY)
                (void) sd_event_add_time(a->event, &a->hold_timer, CLOCK_MONOTONIC,
                                         time_now() + MIN(MAX(next, HOLD_RETRY_USEC), HOLD_LOOK_USEC), 0,
                                         agent_on_hold, a);
}

/* ---- places ---- */

#define PLACES_LOOK_USEC (5 * USEC_PER_SEC)

static int agent_on_places(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_places(userdata, NULL);
        return 0;
}

void agent_places(Agent *a, Job *job)
{
        const char *component;
        Place *place;
        while (job && (place = job_take_place(job, &component)))
                places_adopt(a->places, component, place);
        a->places_timer = sd_event_source_unref(a->places_timer);
        if (places_settle(a->places, a->config, a->conns, agent_busy(a)))
                (void) sd_event_add_time(a->event, &a->places_timer, CLOCK_MONOTONIC,
                                         time_now() + PLACES_LOOK_USEC, 0, agent_on_places, a);
}

/* ---- records ---- */

static int agent_on_over(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_records_over(userdata);
        return 0;
}

/* Their records are there; one that is to end by itself has a time now, too. */
static void agent_hold_unit(Agent *a)
{
        Err err = { 0 };
        a->unwritten.unit_due = false;
        if (manager_start(HOLD_UNIT, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL,
                            "%s; without that unit the hold does not survive a reboot", err.text);
        agent_watch_holds(a, false);
}

/* A record that stays behind its job would be gone on with by the next agent, and a hold without one is over
 * with the next boot: tried until it sticks, and nobody leaves before. A job that has begun since has a
 * record of its own. */
void agent_records_over(Agent *a)
{
        a->over_timer = sd_event_source_unref(a->over_timer);
        if (agent_busy(a))
                return;
        int lock = a->unwritten.n > 0 ? hold_lock(a->config->state_dir, HOLD_LOCK_USEC) : -1;
        unwritten_write(&a->unwritten, a->config, NULL);
        closep(&lock);
        bool gone = a->unwritten.n == 0;
        if (gone && a->unwritten.unit_due)
                agent_hold_unit(a);
        for (int p = 0; p < JOB_PLACE_COUNT && a->unwritten.n == 0 && !*a->stale; p++)
                gone = state_remove(a->config->state_dir, job_record_name((JobPlace) p), NULL) == 0 && gone;
        if (!gone)
                (void) sd_event_add_time(a->event, &a->over_timer, CLOCK_MONOTONIC,
                                         time_now() + HOLD_RETRY_USEC, 0, agent_on_over, a);
}
