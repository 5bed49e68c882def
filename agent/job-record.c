/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a record does not say. It holds what was about to be done, which is less than what was done where a
 * later one could not be written, and less than what is to be done where a reboot came between.
 */

#include "agent/job-impl.h"

#include "agent/manager.h"

/* Rewritten as it is. A record that cannot be written cannot be taken away either: it would be found again
 * by each agent to come, so it must lead to nothing but an end. */
static bool record_writable(const Job *job, const cJSON *record)
{
        cJSON *copy = cJSON_Duplicate(record, true);
        int r = copy ? state_write(job->env.config->state_dir, job_record_name(job->env.place), copy, NULL)
                     : -ENOMEM;
        cJSON_Delete(copy);
        return r >= 0;
}

/* Did it run, and does it run no more? */
static bool record_gone(const Job *job)
{
        uint16_t ports[CONNS_PORTS_MAX];
        size_t n = job_ports(job, ports);
        return job->inode_sum != 0 && *job->unit.unit &&
               facts_listening(job->env.conns, ports, n, NULL, NULL) == 0 &&
               manager_left_down(job->unit.unit);
}

/* ... or again, by us or by others: its ports are served by other sockets. */
static bool record_served_anew(const Job *job)
{
        uint16_t ports[CONNS_PORTS_MAX];
        uint64_t inode_sum = 0;
        size_t n = job_ports(job, ports);
        return job->inode_sum != 0 &&
               facts_listening(job->env.conns, ports, n, &inode_sum, NULL) == (int) n &&
               inode_sum != job->inode_sum;
}

/* A job that had ended so, and whose agent could not write the hold down. */
void job_record_hold(Job *job, const cJSON *record)
{
        bool refused = false;
        Hold *h = &job->hold;

        if (!hold_plan_from_job(record, job->component, &h->plan) ||
            block_hold_read(&h->plan, &refused, NULL, NULL) < 0 || !refused)
                return;
        job->held = true;
        h->same_boot = true;
        h->since_wall_usec = time_wall();
        h->by_hand = roll_kind(job->roll) == ROLL_DRAIN;
        (void) snprintf(h->component, sizeof(h->component), "%.63s", job->component->name);
        (void) snprintf(h->by, sizeof(h->by), "%s", job->options.by);
        (void) snprintf(h->who, sizeof(h->who), "%s", job->options.who);
        (void) snprintf(h->reason, sizeof(h->reason), "%.255s",
                        *job->failure ? job->failure : "it was held, and the hold had no record");
        if (!*job->failure)
                (void) snprintf(job->failure, sizeof(job->failure), "%s", h->reason);
        unwritten_add(job->env.unwritten, h);
}

void job_record_check(Job *job, const cJSON *record, Phase phase, bool same_boot, bool stored)
{
        const bool before_stop = phase <= PHASE_GATE || phase == PHASE_UNDO;

        if (same_boot && (job->changes.blocked || job->changes.stopped) && !record_writable(job, record)) {
                job->unwritten = true;
                /* The table's socket was taken out of the store when that job had ended; its component
                 * serves, and only the record could not go. */
                if (!stored && !job->env.settle && !record_gone(job))
                        job->changes.stopped = false;
                job->env.settle = true;
        }
        if (job->changes.stopped || job->held || !before_stop ||
            !roll_leads_past(roll_kind(job->roll), PHASE_STOP))
                return;
        /* What it was found down with, it is started and proven like what the job itself has stopped. */
        job->changes.stopped =
                record_gone(job) || (same_boot && stored && job->changes.blocked && record_served_anew(job));
}
