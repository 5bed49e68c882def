/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What one check of one target server is: each element of its HealthMonitor, SSLInfo and TargetServer
 * applied. Pure: no socket, no file. probes/probing.h carries it out.
 *
 * Source: Apigee "Load balancing across backend servers", the tables of TCPMonitor and HTTPMonitor.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "probes/edge-xml.h"

typedef enum ProbeKind {
        PROBE_TCP,  /* can a connection be opened? */
        PROBE_TLS,  /* and a handshake be done? */
        PROBE_HTTP, /* a request, and its answer looked at */
        PROBE_KIND_COUNT,
        PROBE_KIND_INVALID = -EINVAL,
} ProbeKind;

/* probe_kind_name() - "tcp", "tls", "http"; never NULL. */
const char *probe_kind_name(ProbeKind kind);
ProbeKind probe_kind_from_name(const char *name);

/* What has to be said about a check besides how it ended: bits of ProbeSpec.notes and ProbeResult.notes. */
typedef enum ProbeNote {
        PROBE_NOTE_TWO_WAY = 1 << 0, /* HTTPMonitor with two-way TLS: Edge does not support it */
        PROBE_NOTE_SELF_SIGNED =
                1 << 1, /* HTTPMonitor with a self-signed certificate: Edge does not support it */
        PROBE_NOTE_NO_TRUST =
                1 << 2, /* the trust store is not here as a file: the certificate was not verified */
        PROBE_NOTE_NO_KEY = 1 << 3, /* the key store is not here as a file: no client certificate was shown */
        PROBE_NOTE_VARIABLE = 1 << 4, /* something is a flow variable, and taken as not set */
        PROBE_NOTE_PROTOCOLS =
                1 << 5, /* none of the Protocols is spoken here, or there are gaps between them */
        PROBE_NOTE_CIPHERS = 1 << 6, /* some of the Ciphers are not known, and left out */
        PROBE_NOTE_TIMEOUT =
                1 << 7,           /* a timeout of 0, whose meaning is not documented: the default was used */
        PROBE_NOTE_BOTH = 1 << 8, /* a TCPMonitor and an HTTPMonitor: the HTTPMonitor was used */
        PROBE_NOTE_DISABLED =
                1 << 9, /* the monitor or the target server is switched off: Edge does not check */
        PROBE_NOTE_BODY_CUT = 1 << 10, /* the body was longer than what is read of it */
        PROBE_NOTE_PAYLOAD = 1 << 11,  /* a Payload with GET: not sent */
} ProbeNote;
#define PROBE_NOTE_LAST PROBE_NOTE_PAYLOAD

/* probe_note_text() - one sentence, no end mark; @note: one bit. Never NULL. */
const char *probe_note_text(ProbeNote note);

/* All pointers are the caller's TargetServer and HealthMonitor, which have to outlive it. */
typedef struct ProbeSpec {
        ProbeKind kind;
        const char *host;
        uint16_t port;
        bool tls;
        const EdgeSsl *ssl;   /* how TLS is spoken; NULL: nothing said */
        bool any_certificate; /* TrustAllSSL, IgnoreValidationErrors */
        bool two_way;         /* ClientAuthEnabled */
        Usec connect_usec;    /* of the TCP connection; never 0 */
        Usec read_usec;       /* of each wait for the far end; never 0 */

        EdgeVerb verb; /* from here on only PROBE_HTTP */
        const char *path;
        const char *payload; /* NULL: none */
        const EdgeHeaders *headers;
        bool include_id;
        const EdgeNumbers *codes;            /* empty: any */
        const EdgeHeaders *expected_headers; /* all of them */
        unsigned notes;
} ProbeSpec;

typedef struct ProbeDefaults {
        ProbeKind
                kind; /* of a check without a HealthMonitor: PROBE_TCP or PROBE_TLS (of a server with TLS) */
        Usec connect_usec; /* where nothing is said; 0: 10 s */
        Usec read_usec;    /* where nothing is said; 0: 30 s */
} ProbeDefaults;

/*
 * probe_spec() - @monitor: NULL, or one without TCPMonitor and HTTPMonitor: only what @defaults say. A
 * monitor that is switched off is applied as if it were on, and that is a note.
 * @ret: written only on success. Return: 0; -EINVAL (no host, no port: which).
 */
int probe_spec(const EdgeTargetServer *server, const EdgeHealthMonitor *monitor,
               const ProbeDefaults *defaults, ProbeSpec *ret, Err *err) _must_check_;
