/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a display needs to know of a roll. Filled by whoever runs it, and owned by them: strings are never
 * NULL
 * ("": nothing to say) and need only live through the call. Nodes keep their place in the array during a
 * roll. Points in time are on the monotonic clock.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

typedef enum ViewState {
        VIEW_WAITING, /* its turn has not come */
        VIEW_ASKING,  /* looked at; leases and places are being taken */
        VIEW_RUNNING, /* a job of this roll runs on it */
        VIEW_CUT,     /* a job runs on it, as far as is known: the link is cut and being made again */
        VIEW_SOAKING, /* back, and watched before the next one */
        VIEW_DONE,
        VIEW_SKIPPED, /* nothing to do: not needed, or done before the roll was resumed */
        VIEW_FAILED,  /* result says how */
        VIEW_LEFT,    /* not touched: the roll stopped before its turn */
        VIEW_STATE_COUNT,
} ViewState;

typedef struct ViewNode {
        const char *name, *pool;
        const char *dest; /* the host that ssh is given; "": the name */
        const char *user; /* "" or NULL: as ssh_config(5) has it */
        unsigned port;    /* 0: as ssh_config(5) has it */
        const char *component;
        ViewState state;
        const char *phase;    /* of the job, or "soak" */
        const char *awaiting; /* what it waits for, with numbers */
        Usec phase_since;     /* when this phase began; 0: not known */
        Usec limit;           /* of this phase; 0: none */
        Usec since;           /* when its turn began; 0: it has not */
        Usec ended;           /* when it ended; 0: it has not */
        const char *result;   /* a name of base/result.h, once it has ended */
        const char *text;     /* why it ended so */
        const char *hint;     /* what to do about it */
} ViewNode;

typedef struct RollView {
        const char *id;
        const char *what;      /* "restart", or "restart router" */
        const char *component; /* as typed */
        const char
                *source; /* the words that find the nodes again: "--inventory hosts.ini"; "": --nodes NAME */
        const char *ssh; /* the command that reaches a node: "ssh" */
        const char *headline; /* what the roll does just now, or waits for */
        const ViewNode *nodes;
        size_t n_nodes;
        Usec began;        /* 0: not known */
        Usec expected_end; /* 0: not known */

        /* Once it has ended. */
        Usec ended;
        const char *result; /* of the whole; "": it has not ended */
        int exit;
        const char *text; /* why it ended so */
        const char *hint;
        bool told;       /* what happened was just shown: no need to say how to see it */
        bool resumable;  /* there is something left to go on with */
        bool unfinished; /* its journal has no end: others are refused until it is gone on with or given up */
} RollView;

typedef struct ViewCounts {
        size_t total, of[VIEW_STATE_COUNT];
        size_t done;   /* done and skipped */
        size_t active; /* asking, running, cut, soaking */
} ViewCounts;

ViewCounts view_counts(const RollView *v);

/* view_what() - what is restarted, "restart router", of the word for what is done and the component.
 * Return: @buf. */
const char *view_what(const char *what, const char *component, char *buf, size_t size);

/* view_dest() - [USER@]HOST[:PORT]. @user: "" or NULL for none; @port: 0 for none. Return: @buf. */
const char *view_dest(const char *user, const char *host, unsigned port, char *buf, size_t size);

/* view_is_active() - is something going on there? */
bool view_is_active(ViewState state);

/* view_state_name() - "waiting", "running", ... */
const char *view_state_name(ViewState state);
