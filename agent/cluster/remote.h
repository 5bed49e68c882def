/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One node at the far end of an ssh: D-Bus with the node's bridge, connected again when it is cut. Calls are
 * asynchronous; nothing here blocks, decides or prints.
 *
 * All callbacks come from the event loop, never from within a function of this file, and may call anything
 * here, remote_free() of their own remote included.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "agent/cluster/ssh-trouble.h"
#include "agent/config.h"
#include "base/err.h"
#include "base/time.h"

typedef struct RemotePool RemotePool; /* what all remotes share: how they are made, how many at once */
typedef struct Remote Remote;
typedef struct RemoteCall RemoteCall;
typedef struct RemoteWatch RemoteWatch;

/* 0 and NULL: the usual. Copied. */
typedef struct RemoteOptions {
        const char *const *ssh;          /* words; "ssh" */
        const char *const *bridge;       /* words; "edge-roll bridge" */
        unsigned at_once;                /* connections being made; 8 */
        unsigned tries;                  /* in a row without success, then no more; 0: for ever */
        Usec connect_usec;               /* until the bridge has answered; 15 s */
        Usec answer_usec;                /* for a call with no limit of its own; 30 s */
        Usec beat_usec;                  /* between two signs of life that are asked for; 5 s */
        Usec silent_usec;                /* without one: the link is given up; 15 s */
        Usec retry_usec, retry_max_usec; /* first and longest pause before a new connection, give or take a
                                            half; 0.5 s, 15 s */
} RemoteOptions;

/* Where a node is. NULL and 0: as ssh_config says. Copied. */
typedef struct RemoteDest {
        const char *host, *user, *key;
        const char *bridge; /* the command there, in words; NULL: the pool's */
        unsigned port;
        /* Instead of ssh, for tests: a connected socket, or a negative errno. Is asked at each connection. */
        int (*open)(void *userdata);
        void *open_userdata;
} RemoteDest;

typedef enum RemoteState {
        REMOTE_WAITING,  /* for its turn, or for the next try */
        REMOTE_STARTING, /* ssh runs, the bridge has not answered yet */
        REMOTE_UP,
        REMOTE_ENDING, /* the link is gone; those concerned are being told */
        REMOTE_DOWN,   /* and not tried again unless remote_retry() */
        REMOTE_STATE_COUNT,
        REMOTE_STATE_INVALID = -EINVAL,
} RemoteState;

/* Any may be NULL. */
typedef struct RemoteHandlers {
        void (*up)(Remote *r, void *userdata);
        /* A try failed, or the link went. Calls that were under way have been answered with -ENOTCONN. */
        void (*down)(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool will_retry,
                     void *userdata);
        /* Pulse of the agent, Event of its jobs, Agent of the bridge. */
        void (*signal)(Remote *r, sd_bus_message *m, void *userdata);
} RemoteHandlers;

/* Of the bridge itself. */
#define REMOTE_BRIDGE_PATH      "/org/edgeroll/Bridge1"
#define REMOTE_BRIDGE_INTERFACE "org.edgeroll.Bridge1"
#define REMOTE_AGENT_PATH       "/org/edgeroll/Agent1"
#define REMOTE_AGENT_INTERFACE  "org.edgeroll.Agent1"
#define REMOTE_JOB_INTERFACE    "org.edgeroll.Job1"
#define REMOTE_ERROR            "org.edgeroll.Error."

/*
 * remote_pool_new() - blocks SIGCHLD in this process, raises its limit of open files, ignores SIGPIPE.
 * @o: NULL for the usual. The pool outlives its remotes. remote_pool_free() ends every ssh.
 */
int remote_pool_new(RemotePool **ret, sd_event *event, const RemoteOptions *o, Err *err) _must_check_;
RemotePool *remote_pool_free(RemotePool *pool);
DEFINE_CLEANUP(RemotePool, remote_pool_free);

/* remote_options() - as [cluster] of @config says. Its words stay @config's. */
void remote_options(const Config *config, RemoteOptions *ret);

/*
 * remote_new() - a node, connected as soon as it is its turn. @name: for people. @h: copied; NULL allowed.
 * Return: 0; -EINVAL (a host that ssh would take for an option); -ENOMEM.
 */
int remote_new(Remote **ret, RemotePool *pool, const char *name, const RemoteDest *dest,
               const RemoteHandlers *h, void *userdata, Err *err) _must_check_;

/* remote_new_fd() - the same over the connected socket @fd, which it owns from now on, also when this fails.
 * There is no second try. */
int remote_new_fd(Remote **ret, RemotePool *pool, const char *name, int fd, const RemoteHandlers *h,
                  void *userdata, Err *err) _must_check_;

/* remote_free() - ends the link; no callback of it comes any more. */
Remote *remote_free(Remote *r);
DEFINE_CLEANUP(Remote, remote_free);

/*
 * remote_watch() - one more who is told. remote_watch_free(): within a callback, too; needless once the
 * remote is freed, and then forbidden.
 */
int remote_watch(RemoteWatch **ret, Remote *r, const RemoteHandlers *h, void *userdata) _must_check_;
RemoteWatch *remote_watch_free(RemoteWatch *w);

const char *remote_name(const Remote *r);
RemoteState remote_state(const Remote *r);
unsigned remote_tries(const Remote *r);      /* failed ones since it was up */
const char *remote_version(const Remote *r); /* of edge-roll there, as far as known; "" */
const char *remote_command(const Remote *r); /* "ssh -p 2222 r1": how a person gets there */
void *remote_userdata(const Remote *r);
sd_event *remote_event(const Remote *r); /* the loop it lives on */
pid_t remote_pid(const Remote *r);       /* of its ssh; 0 */

/* remote_retry() - try now: a node that is down, or waits for its next try. Others: nothing. */
void remote_retry(Remote *r);

/* remote_drop() - cut the link as if it had failed; @text: why. For tests, and for what the peer does wrong.
 */
void remote_drop(Remote *r, RemoteTrouble trouble, const char *text);

/*
 * remote_error() - does the error @name of an answer mean that the agent cannot be worked with at all (too
 * old, not there, no bus, no permission)? @ret: kind, sentence, hint. Return: false: it is an answer.
 */
bool remote_error(const Remote *r, const char *name, const char *text, SshTrouble *ret);

/*
 * How a call ended. @r: 0: @m is the answer (readable from its begin; not kept).
 * -EREMOTE: the other side refused: @error_name, @text. It was not done.
 * -ETIMEDOUT, -ENOTCONN: no answer (in time; because the link or the agent went): it may have been done or
 * not, or be done later. Else another negative errno: it was not even asked.
 * @error_name and @text are never NULL.
 */
typedef void (*RemoteReplyFn)(int r, sd_bus_message *m, const char *error_name, const char *text,
                              void *userdata);

/*
 * remote_call() - @path, @interface: NULL for the agent's. @limit: 0 for the usual. @fn: NULL when nobody
 * cares. @ret: for remote_call_cancel(); NULL allowed; it is gone when @fn is called. An agent that is just
 * leaving, or a node whose bus is just away, is called again within the limit. Return: 0; -ENOTCONN when the
 * remote is not up (nothing is sent, @fn is not called); other negative errno.
 */
int remote_call(Remote *r, RemoteCall **ret, const char *path, const char *interface, const char *method,
                Usec limit, RemoteReplyFn fn, void *userdata, Err *err, const char *types, ...) _must_check_;

/* remote_message_new() - a call to be filled; for remote_call_message(), which sends it (the reference stays
 * the caller's). */
int remote_message_new(Remote *r, sd_bus_message **ret, const char *path, const char *interface,
                       const char *method, Err *err) _must_check_;
int remote_call_message(Remote *r, RemoteCall **ret, sd_bus_message *m, Usec limit, RemoteReplyFn fn,
                        void *userdata, Err *err) _must_check_;

/* remote_call_cancel() - forget the answer (what was asked may be done all the same). Return: NULL. */
RemoteCall *remote_call_cancel(RemoteCall *call);
