/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The inside of a remote: remote.c has the link, remote-call.c what goes over it. */

#include "agent/cluster/bus-loop.h"
#include "agent/cluster/remote.h"
#include "agent/cluster/ssh.h"
#include "agent/relay.h"
#include "base/words.h"

struct RemotePool {
        sd_event *event;
        Words ssh, bridge;
        RemoteOptions o; /* without its words */
        SshYard *yard;
        Remote *queue; /* those whose turn comes, in order */
        unsigned n_starting;
        sd_event_source *start; /* deferred: somebody's turn may have come */
};

struct RemoteWatch {
        Remote *remote;
        RemoteWatch *next;
        RemoteHandlers h;
        void *userdata;
};

typedef enum Link {
        LINK_PAUSE,    /* timer: the next try */
        LINK_QUEUED,   /* in the pool's queue */
        LINK_STARTING, /* timer: the limit */
        LINK_UP,       /* timer: the heartbeat */
        LINK_ENDED,    /* nothing more comes; timer: for ssh to say why */
        LINK_DROPPED,  /* torn down; deferred: telling */
        LINK_OFF,
} Link;

struct Remote {
        RemotePool *pool;
        Remote *queue_next;
        char *name, *host, *user, *key, *command, *version;
        Words bridge_words;
        char *bridge; /* as text */
        unsigned port;
        int (*open)(void *userdata);
        void *open_userdata;
        int given; /* the only descriptor there will be; -1 */
        bool only_once;

        Link link;
        bool counted; /* as starting */
        bool was_up;  /* this link */
        bool foreign; /* this link ended with... */
        char line[200];
        unsigned tries;
        Ssh *ssh;
        Relay *relay;
        sd_bus *bus;
        BusLoop *loop;
        sd_bus_slot *hello, *ping;
        sd_event_source *timer, *tell;
        Usec beat; /* when the timer of the heartbeat last came */
        SshTrouble trouble;
        bool will_retry;

        RemoteWatch first; /* the one of remote_new() */
        RemoteWatch *watches, *watch_next;
        RemoteCall *calls; /* under way, or to be answered by @tell */
        unsigned telling;  /* handlers on the stack: the memory stays */
        bool doomed;
};

/* remote_calls_drop() - the link is gone: no answer comes from the bus any more. */
void remote_calls_drop(Remote *r);

/* remote_calls_tell() - answer the next one that was under way. Return: false when there was none. */
bool remote_calls_tell(Remote *r);

/* remote_calls_free() - forget all. */
void remote_calls_free(Remote *r);

/* remote_queue_add() - its turn comes. remote_queue_remove(): no more. remote_starting_over(): it is through,
 * or has failed: the next one's turn has come. */
void remote_queue_add(Remote *r);
void remote_queue_remove(Remote *r);
void remote_starting_over(Remote *r);

/* remote_start() - it is its turn. */
void remote_start(Remote *r);

/* remote_words() - a copy of @words; of none: of the words in @usual. */
int remote_words(const char *const *words, const char *usual, Words *ret) _must_check_;
