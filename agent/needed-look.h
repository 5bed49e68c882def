/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Looking whether a restart of a component is needed: everything that speaks for or against it, once. Nothing
 * is changed; one command runs in a transient unit (see mapped.h). Bounded: some 30 s at the most, usually
 * less than one.
 *
 * nginx_dir is no source: each start of a router writes those files anew.
 */

#include "agent/config.h"
#include "agent/needed.h"
#include "agent/systemd.h"
#include "drain/conns.h"
#include "probes/http.h"

typedef struct NeededEnv {
        sd_event *event;
        const Config *config;
        Systemd *systemd;
        Http *http;
        Conns *conns;
        const char *busy; /* a job that works on the component, "" or NULL for none: what it will leave is
                             unseen */
} NeededEnv;

typedef struct NeededLook NeededLook;
typedef void (*NeededFn)(const Needed *needed, void *userdata); /* valid during the callback */

/* needed_look() - @env: copied, its parts borrowed. @fn: once, from the loop. Return: 0; negative errno. */
int needed_look(const NeededEnv *env, const Component *component, NeededFn fn, void *userdata,
                NeededLook **ret, Err *err) _must_check_;
NeededLook *needed_look_cancel(NeededLook *look);
DEFINE_CLEANUP(NeededLook, needed_look_cancel);
