/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Tickets: restarts that wait for their place in the pool for as long as it takes, one a component. A ticket
 * is a record, ticket-COMPONENT.json, so it survives everything; the job that waits for it is begun anew
 * whenever nothing else is to be done: other work on the node goes before it, and so does a hold, which a
 * person has to end, or a roll that has the lease.
 */

#include "agent/config.h"
#include "agent/job.h"

typedef struct Ticket {
        char component[64]; /* or "rmp" */
        char by[192];
        char who[96]; /* as in JobOptions */
        char reason[256];
        Usec since_wall_usec;
        unsigned asked; /* how often */
} Ticket;

/* tickets_read() - Return: 1; 0: there is none; negative errno. */
int tickets_read(const char *state_dir, const char *component, Ticket *ret, Err *err) _must_check_;

/* tickets_put() - a new one, or one more who wants the same. @ret: as it is now. @ret_new: it is new. Return:
 * 0; errors of state_write(). */
int tickets_put(const char *state_dir, const Ticket *ticket, Ticket *ret, bool *ret_new,
                Err *err) _must_check_;

int tickets_remove(const char *state_dir, const char *component, Err *err) _must_check_;

/* tickets_next() - the oldest one that may begin; @may: asked of each. Return: 1; 0: none; @ret_any: are
 * there any at all? */
typedef bool (*TicketMayFn)(const Ticket *ticket, void *userdata);
int tickets_next(const char *state_dir, TicketMayFn may, void *userdata, Ticket *ret, bool *ret_any);

/*
 * tickets_over() - pure: is the ticket of a job that ended so done with? @aside: it was set aside, or cut off
 * by a reboot before anything was done.
 */
bool tickets_over(Result result, bool aside);

/* tickets_unreadable() - one that cannot be read: what was asked for is not known. @buf: a sentence, which
 * says what to do. Return: there is one. */
bool tickets_unreadable(const char *state_dir, char *buf, size_t size);

/* tickets_json() - [{component, by, reason, since, asked}] for Status. */
cJSON *tickets_json(const char *state_dir);
