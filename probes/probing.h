/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Checks of many target servers at once, on an sd-event loop: see probes/probe-spec.h for what one check is.
 * At most `at_once` are under way, each bounded in time and memory: a body is thrown away as it comes, and no
 * more than PROBING_BODY_MAX of it is read. A name is looked up once for all servers that have it, beside the
 * loop, 16 programs at a time, and no more than 128 with those that wait for a name service that is silent:
 * 500 names that it knows nothing of take 20 s. Who waits for a name is in nobody's way.
 *
 * Stores of TLS are files: STORES/NAME.pem has the certificates of a trust store, STORES/NAME/ALIAS.pem the
 * certificate (with its chain) and the private key of an alias in a key store. "ref://NAME" is NAME. Without
 * a file the check is done without, and says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"
#include "probes/probe-spec.h"

#define PROBING_AT_ONCE  500
#define PROBING_MAX      20000       /* checks in one Probing */
#define PROBING_BODY_MAX (64 * 1024) /* bytes */

/* Where a check ended. Only PROBE_OK is good. */
typedef enum ProbeLayer {
        PROBE_OK,
        PROBE_RESOLVE,    /* the name has no address, or was not found within the time */
        PROBE_CONNECT,    /* refused, unreachable, or not within ConnectTimeoutInSec */
        PROBE_HANDSHAKE,  /* TLS: no session, or a certificate that is not accepted */
        PROBE_SEND,       /* the connection was lost before the request was sent */
        PROBE_FIRST_BYTE, /* asked, and not a byte of an answer within SocketReadTimeoutInSec */
        PROBE_STATUS,     /* not HTTP, no whole status line (1xx is none), or none of the codes that are
                           * expected */
        PROBE_HEADER,     /* cut off in the header, one that no answer may have, more than 64 KiB of them; or
                           * an expected one is missing or has another value */
        PROBE_BODY,       /* cut off in the body, silent for SocketReadTimeoutInSec within it, or its chunks
                           * are not in order */
        PROBE_HERE,       /* it could not be made here: out of memory, a header that cannot be sent */
        PROBE_LAYER_COUNT,
        PROBE_LAYER_INVALID = -EINVAL,
} ProbeLayer;

/* probe_layer_name() - "ok", "resolve", "connect", "tls", "send", "first-byte", ...; never NULL. */
const char *probe_layer_name(ProbeLayer layer);

/* probe_layer_from_name() - Return: PROBE_LAYER_INVALID for an unknown name. */
ProbeLayer probe_layer_from_name(const char *name);

typedef struct ProbeResult {
        ProbeLayer layer;
        const char *text; /* one ASCII sentence: where, what happened, how long; valid during the callback.
                           * Never with the value of a header */
        int os_errno;     /* ECONNREFUSED and the like; 0: none */
        long status;      /* of HTTP; 0: none */
        unsigned notes;   /* ProbeNote bits */
        Usec elapsed_usec;
} ProbeResult;

/* probing_total_usec() - the limit to a check as a whole: 60 s; more where its own limits, to connect and
 * twice to read (handshake, first byte), are longer; never more than 10 min. */
Usec probing_total_usec(const ProbeSpec *spec);

/* probing_names_usec() - how long the lookups of @n names take at most, with the usual limit to one. */
Usec probing_names_usec(size_t n);

typedef struct Probing Probing;

typedef struct ProbingOptions {
        sd_event *event;    /* a reference is taken */
        unsigned at_once;   /* 0: PROBING_AT_ONCE; fewer where files are scarce */
        Usec resolve_usec;  /* limit to the lookup of a name; 0: 5 s */
        Usec total_usec;    /* limit to one check as a whole, lookup not included; 0: probing_total_usec() */
        const char *stores; /* folder, see above; NULL: none; copied */
        const char *server_uuid; /* the message processor's, for X-Apigee-Healthcheck-Id; NULL: all zero;
                                    copied */
} ProbingOptions;

/* @index: as probing_add() gave it. May not free the Probing. */
typedef void (*ProbingFn)(Probing *p, size_t index, const ProbeResult *result, void *userdata);
/* All have ended. May free the Probing. */
typedef void (*ProbingDoneFn)(Probing *p, void *userdata);

/* probing_new() - Return: 0; -ENOMEM; what sd-event says. */
int probing_new(Probing **ret, const ProbingOptions *options, Err *err) _must_check_;

/* probing_free() - ends everything without calling back. NULL allowed. Return: NULL. */
Probing *probing_free(Probing *p);
DEFINE_CLEANUP(Probing, probing_free);

/*
 * probing_add() - one more check; only before probing_start(). @spec: copied, what it points to is not. @org,
 * @env: for X-Apigee-Healthcheck-Id; not copied. Return: its index; -E2BIG; -ENOMEM.
 */
int probing_add(Probing *p, const ProbeSpec *spec, const char *org, const char *env, Err *err) _must_check_;

/*
 * probing_start() - @fn is called once for each check, @done once after the last, both from the loop, never
 * from within this call. Without checks @done comes at once. Return: 0; -ENOMEM; -ELIBACC (no libcurl); what
 * sd-event says.
 */
int probing_start(Probing *p, ProbingFn fn, ProbingDoneFn done, void *userdata, Err *err) _must_check_;

/*
 * probing_run() - probing_start(), and runs the loop until the last has ended; never from within that loop.
 * Return: 0; errors of probing_start(); what sd_event_run(3) says.
 */
int probing_run(Probing *p, ProbingFn fn, void *userdata, Err *err) _must_check_;
