/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Edge's Management Server as a source of nodes: its list of servers, of every region, asked before a roll
 * begins. Runs a loop of its own until the answer is there; nothing else goes on meanwhile.
 *
 * Asked are /v1/servers?pod=gateway (as documented), /v1/regions, and /v1/servers?region=... of each region,
 * because the gateway's pod is called otherwise in some. What the server filters is not relied on. A region
 * that is listed and cannot be asked is an error: its pools would look smaller than they are.
 *
 * The password never stands on a command line and is never printed: it comes from the environment
 * (EDGE_ROLL_MANAGEMENT_PASSWORD), from the systemd credential "management-password", or from a file that
 * others cannot read.
 */

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"
#include "probes/servers-json.h"

#define MANAGEMENT_PASSWORD_ENV        "EDGE_ROLL_MANAGEMENT_PASSWORD"
#define MANAGEMENT_PASSWORD_CREDENTIAL "management-password"
#define MANAGEMENT_PASSWORD_MAX        1024
#define MANAGEMENT_REGIONS_MAX         32

typedef struct ManagementOptions {
        const char *url;           /* base, "http://10.0.0.9:8080" */
        const char *user;          /* NULL or "": asked without a name */
        const char *password_file; /* NULL or "": none */
        const char *ca_file;       /* NULL or "": the system's certificates */
        const char *region;        /* NULL: every one */
        Usec connect_usec;         /* limits of one request; 0: 5 s and 30 s */
        Usec total_usec;
        sd_event *event; /* run meanwhile instead of one of its own; NULL */
} ManagementOptions;

/*
 * management_url_ok() - can this be the base? http or https, a host, no user or password in it (they would be
 * shown), no query. Return: 0; -EINVAL.
 */
int management_url_ok(const char *url, Err *err) _must_check_;

/*
 * management_password() - from the first place that has one. @ret: to be freed with
 * management_password_free(); NULL when none has (an answer). @from: where it came from, for messages, @size
 * bytes. Return: 0; -EACCES (a file that others can read), -EINVAL (empty, too long, more than one line),
 * what open(2) says; -ENOMEM.
 */
int management_password(const char *password_file, char **ret, char *from, size_t size,
                        Err *err) _must_check_;
char *management_password_free(char *password); /* wiped first; NULL allowed. Return: NULL. */

/*
 * management_fetch() - all servers it knows. @hint: what to do, where there is something, "" else; @size
 * bytes. Return: 0; -EINVAL (the options); -EACCES (401, 403, no password); -ETIMEDOUT; -ECONNREFUSED;
 * -EBADMSG (no list of servers); -E2BIG; -EPROTO (another status); -EIO (another end of the request); errors
 * of management_password(), http_start(). The sentence names the URL and what happened.
 */
int management_fetch(Servers **ret, const ManagementOptions *options, char *hint, size_t size,
                     Err *err) _must_check_;
