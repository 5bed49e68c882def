/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How a component stands on this node, by what the kernel and the records say: without asking it anything.
 * Behind Status, Look, Pulse and whoever asks for its lease.
 */

#include "agent/config.h"
#include "agent/hold.h"
#include "agent/job.h"
#include "drain/conns.h"

typedef struct Standing {
        uint16_t health_port; /* 0: not known */
        bool running;         /* somebody listens on it */
        const char *blocked;  /* "no", "job", "hold", "hold-missing", "leftover", "unknown", "foreign"; a
                                 literal */
        bool held;            /* there is a hold: */
        Hold hold;
        uint64_t refusals;    /* ... of its table */
        bool foreign;         /* a rule of somebody else refuses the health port */
        char error[512];      /* what could not be read; "" */
        bool out;             /* out of traffic, as far as this node can tell */
        char out_reason[384]; /* why; "" */
} Standing;

/*
 * standing_look() - @job: that of the node, NULL when none runs. @port: the health port; 0: as configured, or
 * of the last good job. @foreign: look for rules of others, too, which takes longer.
 */
void standing_look(const Config *config, Conns *conns, const Component *component, const Job *job,
                   uint16_t port, bool foreign, Standing *ret);

/* standing_job_has() - does @job, or the one within it, work on @component right now? NULL: no. */
bool standing_job_has(const Job *job, const char *component);
