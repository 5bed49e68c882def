/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of the client (client*.c) and nobody else. */

#include <systemd/sd-bus.h>

#include "agent/client.h"
#include "base/result.h"

#define AGENT_NAME      "org.edgeroll.Agent1"
#define AGENT_PATH      "/org/edgeroll/Agent1"
#define AGENT_INTERFACE "org.edgeroll.Agent1"
#define JOB_INTERFACE   "org.edgeroll.Job1"
#define EDGE_ERROR      "org.edgeroll.Error."
#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define BUS_NAME        "org.freedesktop.DBus"
#define BUS_ERROR       "org.freedesktop.DBus.Error."

#define CLIENT_RETRY_USEC (50 * USEC_PER_MSEC) /* before what was not answered is asked again */

typedef struct Waiting {
        uint64_t seq;
        char *json;
} Waiting;

/* What systemd says of the agent's unit while an answer is awaited. */
typedef struct UnitLook {
        sd_bus_slot *slots[4]; /* ActiveState, LoadState, Result, NRestarts */
        char state[3][32];     /* the first three */
        uint32_t restarts, restarts_first;
        bool has_restarts;
        Usec next;
} UnitLook;

typedef struct Client {
        const CliRequest *rq;
        const char *component;
        const ClientIo *io;
        ClientTimes times;
        Render *render;
        sd_bus *bus;
        sd_bus_slot *event_slot, *owner_slot;
        int signal_fd;
        int signal;          /* which one ended us; 0: none */
        bool output_gone;    /* nobody reads what we write */
        bool asked;          /* something has been sent to the agent */
        char agent[64];      /* the agent's own name on the bus, from its last answer */
        bool owner_lost;     /* that one has left the bus or given the name up */
        char shown_by[64];   /* whose events were shown last, by its name on the bus */
        uint32_t shown_pid;  /* and its process */
        char *job_path;      /* NULL: no job followed */
        uint64_t job_number; /* of the one to be cancelled */
        uint64_t next;       /* number of the next event to show */
        Waiting *waiting;    /* came by signal, not yet shown */
        size_t n_waiting;
        bool overflow; /* some were dropped: they are fetched by number */
        UnitLook look;
} Client;

typedef enum CallEnd {
        CALL_ANSWER,
        CALL_ERROR,     /* a typed error from the other side */
        CALL_NO_ANSWER, /* the agent ended or stayed silent: it may or may not have done it */
        CALL_NO_BUS,    /* the same, because the bus is gone */
        CALL_NO_AGENT,  /* its unit cannot run */
        CALL_STOP,      /* a signal, or nobody reads our output */
        CALL_BROKEN,    /* we cannot even ask: out of memory, not D-Bus */
} CallEnd;

typedef struct Answer {
        sd_bus_message *message; /* CALL_ANSWER */
        char error[128];         /* CALL_ERROR: its name */
        char text[512];          /* what to tell; "" with an answer */
} Answer;

/* --- client.c --- */

/* client_write() - to @f, at once; output that nobody reads is noted. client_say() - a remark of our own.
 * client_event() - an event of a job. */
void client_write(Client *c, FILE *f, const char *text);
void client_say(Client *c, const char *text);
void client_event(Client *c, const char *json);

/*
 * client_end() - an end that is no job's: a result line, with JSON on the same stream as everything else.
 * @reason, @hint: "" for none. client_end_unreachable() - there is no agent; @why. client_end_stopped() - a
 * signal, or nobody reads our output (client_stopped()). client_end_call() - any end of a call but its
 * answer, as the end of the command.
 * Return: the exit status.
 */
int client_end(Client *c, Result result, const char *reason, const char *hint);
int client_end_unreachable(Client *c, const char *why);
int client_end_stopped(Client *c);
int client_end_call(Client *c, CallEnd end, const Answer *a);

/* --- client-bus.c --- */

/* client_connect() - to the system bus, with the matches for jobs and for the agent's going. Return: 0;
 * negative errno, and then nothing has changed. client_disconnect() - also without a bus. */
int client_connect(Client *c) _must_check_;
void client_disconnect(Client *c);

/* client_reconnect() - opens the bus again until @until. Return: true with a bus. */
bool client_reconnect(Client *c, Usec until);

/* client_stopped() - is it time to go? client_signals() - take in those that have come. */
bool client_stopped(const Client *c);
void client_signals(Client *c);

/*
 * client_turn() - take in what the bus has; when there was nothing, draw, and sleep until something happens,
 * at most until @until. Return: false when the bus is gone.
 */
bool client_turn(Client *c, Usec until);

/* client_pause() - sleeps @usec, taking in what comes; the bus may be gone behind it (c->bus). Return: false
 * when it is time to go. */
bool client_pause(Client *c, Usec usec);

/* --- client-call.c --- */

void client_answer_done(Answer *a);
bool client_is_error(const Answer *a, const char *name);

/* client_look_reset() - forget what the agent's unit was asked and has said; it is asked from @first on. */
void client_look_reset(UnitLook *look, Usec first);

/*
 * client_call() - once, to the answer; who asks twice, asks for it.
 * @m: consumed. @r: of its construction; a failure ends the call.
 * @ret: always written; the message is the caller's, client_answer_done().
 */
CallEnd client_call(Client *c, sd_bus_message *m, int r, Answer *ret);

/*
 * client_call_repeat() - a call that may be repeated: asks until there is an answer or an error that is one.
 * @member: of the agent, with @argument and @second (NULL: none); NULL: Events() of the job that is followed,
 * from c->next on. @ret: as client_call().
 * Return: CALL_ANSWER, CALL_ERROR, CALL_NO_AGENT, CALL_STOP, CALL_BROKEN; CALL_NO_ANSWER when the patience
 * is over.
 */
CallEnd client_call_repeat(Client *c, const char *member, const char *argument, const char *second,
                           Answer *ret);

/* --- client-job.c --- */

/* client_job_on_event() - of the bus: the signal Event of a job; @userdata: the Client. What the followed
 * job's agent sends waits in c->waiting. */
int client_job_on_event(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* client_job_drop() - no job is followed any more. */
void client_job_drop(Client *c);

/* Verbs. client_job() - restart, drain, undrain; doctor of one component. client_doctor() - of that, or of
 * each that runs here, one after the other: the first bad exit status. client_watch() - the job that runs, or
 * how the last one ended. Return: the exit status. */
int client_job(Client *c);
int client_doctor(Client *c);
int client_watch(Client *c);

/* --- client-ask.c --- */

/* client_needed_ask() - the agent's answer to Needed(). @ret_event: to be freed. @ret_exit: its exit status.
 * Return: true; false: the exit status is in @ret_status. */
bool client_needed_ask(Client *c, char **ret_event, int *ret_exit, int *ret_status);

/* client_components() - names of the components that run here, from the agent. @ret: at least
 * CONFIG_COMPONENTS. Return: how many; -1: the exit status is in @ret_status. */
int client_components(Client *c, char (*ret)[64], int *ret_status);

/* Verbs. client_needed() - restart --if-needed --dry-run: needed (also: not known) 0, not needed 10.
 * client_answer() - status and discover: one answer, shown. client_cancel() - the job that runs now, and no
 * other. client_lock() - request and lock. Return: the exit status. */
int client_needed(Client *c);
int client_answer(Client *c);
int client_cancel(Client *c);
int client_lock(Client *c);
