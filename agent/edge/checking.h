/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What `targets check` asks of a target server, from the machine it runs on: a connection, and a TLS
 * handshake where its SSLInfo says so. No request is sent: what a HealthMonitor asks is in proxies, not in
 * target servers.
 */

#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "probes/probing.h"

#define CHECKED_TEXT 300

/* How one check ended. */
typedef struct Checked {
        ProbeLayer layer;
        Usec elapsed_usec;
        unsigned notes;          /* ProbeNote bits */
        char text[CHECKED_TEXT]; /* printable ASCII */
} Checked;

typedef struct Checking Checking;

/* @checked: valid during the call. */
typedef void (*CheckedFn)(size_t index, const Checked *checked, void *userdata);
/* All have ended. May free the Checking. */
typedef void (*CheckingDoneFn)(void *userdata);

/* checking_stores() - is @folder (NULL: nothing to look at) one that can be used? Return: 0; -errno, told. */
int checking_stores(const char *folder, Err *err) _must_check_;

/*
 * checking_start() - check the @n @servers, all at once; they must live as long as the Checking. @org, @env:
 * copied by nobody. @stores: as in ProbingOptions; NULL: none. @fn: once for each of them, from within this
 * call for what cannot be checked at all (no host, no port), else from the loop. @done: once, from the loop.
 * Return: 0; -ENOMEM; errors of probing_start().
 */
int checking_start(Checking **ret, sd_event *event, const EdgeTargetServer *const *servers, size_t n,
                   const char *org, const char *env, const char *stores, CheckedFn fn, CheckingDoneFn done,
                   void *userdata, Err *err) _must_check_;

/* checking_free() - ends everything without calling back. NULL allowed. Return: NULL. */
Checking *checking_free(Checking *c);
DEFINE_CLEANUP(Checking, checking_free);
