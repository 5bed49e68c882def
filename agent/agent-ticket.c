/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tickets: when one begins, makes room, and is over. */

#include "agent/agent-impl.h"

#include <string.h>
#include <syslog.h>

#include "agent/journal.h"
#include "agent/standing.h"

#define TICKET_RETRY_USEC (2 * USEC_PER_SEC)

/* A hold is ended by a person, a lease by its roll; a ticket does neither, and starts nothing. */
static bool agent_ticket_may(const Ticket *ticket, void *userdata)
{
        Agent *a = userdata;
        const Component *partner = NULL, *c = config_component(a->config, ticket->component);
        if (!c && strcmp(ticket->component, CONFIG_RMP) == 0)
                c = config_rmp(a->config, &partner);
        const Component *of[] = { c, partner };
        for (size_t i = 0; i < ELEMENTS(of) && of[i]; i++) {
                const LeaseSlot *slot = leases_slot(a->leases, of[i]->name);
                Standing s;
                if (!slot || *slot->unreadable || lease_current(&slot->lease, time_boot()))
                        return false;
                /* Also one that is not up yet, after a boot. */
                standing_look(a->config, a->conns, of[i], NULL, 0, false, &s);
                if (s.held || *s.error || (s.health_port && s.out))
                        return false;
        }
        return c;
}

static void agent_ticket_begin(Agent *a, const Ticket *ticket)
{
        JobOptions options = {
                .persistent = PERSISTENT_INVALID,
                .at_cap = AT_CAP_INVALID,
                .mp_leave = MP_LEAVE_INVALID,
                .ticket = true,
                .wait_usec = USEC_INFINITY,
        };
        JournalContext context = { .component = ticket->component };
        Job *job;
        Err err = { 0 };
        int r = agent_reload(a, &err);
        /* What was looked at goes by the configuration of before. */
        if (r == 0 && !agent_ticket_may(ticket, a))
                return;
        const Component *c = config_component(a->config, ticket->component);
        (void) snprintf(options.by, sizeof(options.by), "%s", ticket->by);
        (void) snprintf(options.who, sizeof(options.who), "%s", ticket->who);
        (void) snprintf(options.reason, sizeof(options.reason), "%s", ticket->reason);
        if (r < 0 || agent_begin(a, c ? c : config_rmp(a->config, NULL), c ? ROLL_RESTART : ROLL_RESTART_RMP,
                                 &options, &job, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_TICKET, &context, "%s: the ticket cannot begin yet: %s",
                            ticket->component, err.text);
}

/* Whose record stays behind its end would be a restart that nobody has asked for. Whoever asks once more
 * meanwhile gets his. */
static bool agent_ticket_gone(Agent *a)
{
        const Ticket *over = &a->ticket_over;
        Ticket now;
        if (a->ticket_is_over && tickets_read(a->config->state_dir, over->component, &now, NULL) > 0 &&
            now.asked == over->asked && tickets_remove(a->config->state_dir, over->component, NULL) < 0)
                return false;
        a->ticket_is_over = false;
        return true;
}

static int agent_on_tickets(sd_event_source *s, uint64_t usec, void *userdata)
{
        Agent *a = userdata;
        Ticket ticket;
        (void) s;
        (void) usec;
        a->ticket_timer = sd_event_source_unref(a->ticket_timer);
        if (a->leaving || !a->locked)
                return 0;
        bool found = agent_ticket_gone(a) &&
                     tickets_next(a->config->state_dir, agent_ticket_may, a, &ticket, &a->tickets) > 0;
        if (found && !agent_busy(a))
                agent_ticket_begin(a, &ticket);
        if (a->tickets && !agent_busy(a))
                (void) sd_event_add_time(a->event, &a->ticket_timer, CLOCK_MONOTONIC,
                                         time_now() + TICKET_RETRY_USEC, 0, agent_on_tickets, a);
        return 0;
}

void agent_tickets_changed(Agent *a)
{
        a->tickets = true; /* until looked at */
        a->ticket_timer = sd_event_source_unref(a->ticket_timer);
        (void) sd_event_add_time(a->event, &a->ticket_timer, CLOCK_MONOTONIC, 0, 0, agent_on_tickets, a);
}

bool agent_ticket_aside(Agent *a, const char *component, const char *why)
{
        Job *job = agent_busy(a);
        Err err = { 0 };
        if (!job || !job_options(job)->ticket || (component && !job_concerns(job, component)) ||
            job_placed(job, job_component(job)->name))
                return true;
        if (!a->ticket_aside && job_can_cancel(job)) {
                a->ticket_aside = true;
                if (job_cancel(job, why, &err) < 0)
                        a->ticket_aside = false;
        }
        return !agent_busy(a);
}

void agent_ticket_ended(Agent *a, const Job *job, Result result)
{
        bool aside = a->ticket_aside;
        const char *name = job_roll_kind(job) == ROLL_RESTART_RMP ? CONFIG_RMP : job_component(job)->name;
        JournalContext context = { .component = name };
        Err err = { 0 };
        a->ticket_aside = false;
        bool over = tickets_over(result, aside);
        journal_log(LOG_NOTICE, JOURNAL_TICKET, &context, "%s: the ticket %s (%s)", name,
                    over ? "is over" : "is set aside and begins anew", result_name(result));
        if (!over || tickets_remove(a->config->state_dir, name, &err) == 0)
                return;
        journal_log(LOG_WARNING, JOURNAL_TICKET, &context, "%s: %s", name, err.text);
        a->ticket_is_over = tickets_read(a->config->state_dir, name, &a->ticket_over, NULL) > 0;
}
