/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A LoadBalancer as it would act now: which servers get requests, what share, what the next failure does.
 * Pure, but for rotation_main(); rotation-check.h asks the servers.
 *
 * Source: Apigee "Load balancing across backend servers": Algorithm, Weight, MaxFailures, RetryEnabled,
 * IsFallback, HealthMonitor. What it does not say is not made up: a share is unknown where a Weight is
 * missing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "agent/edge/lint.h"
#include "agent/edge/session.h"
#include "base/time.h"
#include "probes/edge-xml.h"
#include "probes/probing.h"

typedef enum RotationStand {
        ROTATION_IN,       /* gets requests */
        ROTATION_WAITING,  /* the fallback: not as long as another is in */
        ROTATION_FALLBACK, /* the fallback, and all others are out: gets everything */
        ROTATION_FAILING,  /* does not answer now, and stays in: MaxFailures is 0 */
        ROTATION_OUT,      /* does not answer now: out, as every request or check of it fails */
        ROTATION_DISABLED,
        ROTATION_UNREAD,  /* the environment has it, and did not say what it is */
        ROTATION_UNKNOWN, /* the environment has no such target server */
        ROTATION_STAND_COUNT,
} RotationStand;

/* rotation_stand_name() - "in", "waiting", ...; never NULL. */
const char *rotation_stand_name(RotationStand stand);

#define ROTATION_SHARE_UNKNOWN (-1.0)

/* What a check of one server said. */
typedef struct RotationCheck {
        ProbeLayer layer; /* where it ended; PROBE_HERE: nobody knows */
        bool down; /* its HealthMonitor, or where there is none each request, fails in Edge as it is now */
        Usec elapsed_usec;
        unsigned notes; /* ProbeNote bits */
        char text[300]; /* one sentence */
} RotationCheck;

typedef struct RotationServer {
        const EdgeServerRef *ref;
        const EdgeTargetServer *server; /* NULL: not known */
        const RotationCheck *check;     /* NULL: it was not asked */
        RotationStand stand;
        double share; /* of the requests, 0 ... 1; LeastConnections: of idle servers; ROTATION_SHARE_UNKNOWN
                       */
} RotationServer;

typedef struct Rotation {
        const EdgeConnection *connection;
        RotationServer *servers; /* in the order of the document */
        size_t n;
        bool fallback; /* engaged */
        bool nobody;   /* no server would get a request: all of them fail */
        bool checked;  /* whether its servers answer was asked */
} Rotation;

/*
 * rotation_of() - @connection: with a LoadBalancer; has to outlive @ret, as @servers and @checks have.
 * @servers: of the environment; NULL: not known. @checks: for each server of the LoadBalancer what a check of
 * it said, or NULL; NULL: nobody asked. @ret: to be released with rotation_done(). Return: 0; -ENOMEM.
 */
int rotation_of(const EdgeConnection *connection, const LintServers *servers,
                const RotationCheck *const *checks, Rotation *ret) _must_check_;
void rotation_done(Rotation *rotation);

/* rotation_enabled() - is it switched on, in the LoadBalancer and in the environment? @server: NULL: not
 * known. */
bool rotation_enabled(const EdgeServerRef *ref, const EdgeTargetServer *server);

/* rotation_next_failure() - what the next failed request does, as one sentence. */
void rotation_next_failure(const Rotation *rotation, char *buf, size_t size);

/*
 * rotation_json() - one object: what is on the page, as data. @file, @kind ("TargetEndpoint"), @name: of the
 * document.
 * @ret: to be freed. Return: 0; -ENOMEM.
 */
int rotation_json(const Rotation *rotation, const char *file, const char *kind, const char *name,
                  char **ret) _must_check_;

/* rotation_text() - the same for people. @colour: the terminal takes colours. */
void rotation_text(FILE *f, const Rotation *rotation, const char *file, const char *kind, const char *name,
                   bool colour);

/*
 * rotation_main() - `edge-roll targets rotation`, over the paths of the command line, else over what is
 * deployed in its environment. Return: the exit status.
 */
int rotation_main(const CliRequest *rq, const Config *config, const SessionIo *io);
