/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Edge's Management Server as a source of nodes: its list of servers, of every region, asked before a roll
 * begins. Runs a loop of its own until the answer is there; nothing else goes on meanwhile.
 *
 * Asked are /v1/servers?pod=gateway (as documented), /v1/regions, and /v1/servers?region=... of each region,
 * because the gateway's pod is called otherwise in some. What the server filters is not relied on. A region
 * that is listed and cannot be asked is an error: its pools would look smaller than they are.
 */

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"
#include "probes/servers-json.h"

#define MANAGEMENT_REGIONS_MAX 32

typedef struct ManagementOptions {
        const char *url;           /* base, "http://10.0.0.9:8080" */
        const char *user;          /* NULL or "": asked without a name */
        const char *password_file; /* NULL or "": none */
        const char *ca_file;       /* NULL or "": the system's certificates */
        const char *region;        /* NULL: every one */
        Usec connect_usec;         /* limits of one request; 0: 5 s and 30 s */
        Usec total_usec;
        sd_event *event; /* run meanwhile instead of one of its own; NULL */
        struct Api *api; /* asked instead of one of its own, with the limits that it has; of the options above
                            only `region` counts then; NULL */
} ManagementOptions;

/*
 * management_fetch() - all servers it knows. @hint: what to do, where there is something, "" else; @size
 * bytes. Return: 0; -EINVAL (the options); -EACCES (401, 403, no password); -ENOENT (404); -ETIMEDOUT;
 * -ECONNREFUSED; -EBADMSG (no list of servers); -E2BIG; -EPROTO (another status); -EIO (another end of the
 * request); errors of api_new() and api_call(). The sentence names the URL and what happened.
 */
int management_fetch(Servers **ret, const ManagementOptions *options, char *hint, size_t size,
                     Err *err) _must_check_;
