/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of the agent itself (agent*.c) and nobody else. */

#include "agent/agent.h"
#include "agent/bus.h"
#include "agent/config-seen.h"
#include "agent/places.h"
#include "agent/pulse.h"
#include "agent/tickets.h"
#include "agent/unwritten.h"

struct Agent {
        const Config *given;      /* the caller's, of the start */
        const Config *config;     /* in force */
        const Config *job_config; /* the one the present or last job refers to */
        sd_event *event;
        sd_bus *bus;  /* NULL while it is away */
        sd_bus *side; /* systemd's own socket, while the bus is away in the middle of a job; else NULL */
        sd_bus_slot *name_slot, *lost_slot;
        sd_event_source *bus_timer, *idle_timer, *hold_timer, *lock_timer;
        sd_event_source *memory_timer; /* made while there is memory */
        Usec memory_since, memory_pause;
        sd_event_source *over_timer; /* the record of a job that is over could not be removed yet */
        Http *http;
        Conns *conns;
        Systemd *systemd;
        Monit *monit;
        Leases *leases;
        Pulse *pulse;
        Places *places;
        ConfigSeen seen;
        sd_event_source *ticket_timer;
        sd_event_source *places_timer; /* a place is kept that is given back by nobody's call */
        bool tickets;                  /* there are some */
        bool ticket_is_over;           /* this one, and its record could not be removed yet */
        Ticket ticket_over;
        bool ticket_aside; /* the present job is one, and ends to make room, or because a reboot cut it off */
        BusPeople *people; /* who calls through the bus that we have now */
        Job *job;          /* the present or the last one */
        uint64_t next_id;
        bool ready;        /* the name is ours for the first time: systemd was told */
        bool leaving;      /* giving the name back; exits with the answer */
        bool memory_waits; /* an unfinished job is taken up as soon as there is memory */
        bool fd_stored[JOB_PLACE_COUNT];
        char stale[1024];    /* why an unfinished job's record cannot go on: nothing new begins over it */
        unsigned pins;       /* calls that refer to a configuration */
        const char *trouble; /* what is wrong with the configuration files; "" */
        bool heal;           /* this is `edge-roll heal` */
        bool gave_way;       /* ... and an agent that runs has the job */
        bool locked;
        Unwritten unwritten;             /* holds without a record */
        int stored_fds[JOB_PLACE_COUNT]; /* of the predecessor, until the lock is ours */
        int lock_fd;
        Usec lock_since;
};

/* --- agent-bus.c --- */

/* agent_connect() - to the bus, under the agent's name, with what is published there; tried again until it
 * works. Heal publishes nothing and takes systemd's own socket where that is there. */
void agent_connect(Agent *a);

/* agent_side_bus() - in the middle of a job systemd must be reached also while the bus is away: over its own
 * socket. */
void agent_side_bus(Agent *a);

/* agent_drop_bus(), agent_drop_side() - the connections; also when there is none. Cannot fail. */
void agent_drop_bus(Agent *a);
void agent_drop_side(Agent *a);

/* --- agent-config.c --- */

/* agent_config_changed() - what has changed in the files since an agent last saw them is told. */
void agent_config_changed(Agent *a);

/* --- agent-job.c --- */

/* agent_refer() - a job that is about to be made refers to the configuration in force. Only once the one
 * before has been freed. */
void agent_refer(Agent *a);

/* agent_env() - what a job is given. */
JobEnv agent_env(Agent *a);

/* agent_number() - the numbers of jobs go on where the last results on disk stopped. */
void agent_number(Agent *a);

/* --- agent-resume.c --- */

/* agent_has_record(), agent_has_records() - is there a record of an unfinished job, of @place or of any? */
bool agent_has_record(const Agent *a, JobPlace place);
bool agent_has_records(const Agent *a);

/* agent_keep_fd() - JobEnv's keep_fd: systemd keeps @fd over our death; -1: no longer. @userdata: the Agent.
 */
void agent_keep_fd(JobPlace place, int fd, void *userdata);

/* agent_stored_fds() - what systemd has kept of our predecessor. @ret: the caller's; -1 where there is none.
 * To be called once, first. */
void agent_stored_fds(int ret[JOB_PLACE_COUNT]);

/* agent_stored_fds_close() - ours. agent_stored_fds_drop() - nobody goes on with them: systemd's, too. A
 * table that belongs to one of these sockets goes with the last of its holders. */
void agent_stored_fds_close(Agent *a);
void agent_stored_fds_drop(Agent *a);

/* agent_resume() - go on with the unfinished job; what nobody can go on with is settled. Return: a job goes
 * on. None may do so later: see memory_waits. */
bool agent_resume(Agent *a);

/* --- agent-after.c --- */

/*
 * agent_watch_holds() - ends a hold whose time is over, if it may @begin a job; and looks again as long as
 * there is one whose time will be. Never begins one from within the end of another, which still stands on the
 * stack.
 */
void agent_watch_holds(Agent *a, bool begin);

/* agent_places() - the places of @job (NULL: none), which is over, and of those before it: given back unless
 * the node is still out. */
void agent_places(Agent *a, Job *job);

/* agent_records_over() - the record of a job that is over goes, and holds without one get theirs: tried until
 * it sticks. */
void agent_records_over(Agent *a);

/* --- agent-ticket.c --- */

/* agent_ticket_ended() - the job of a ticket: is it over, too, or does it begin anew? */
void agent_ticket_ended(Agent *a, const Job *job, Result result);
