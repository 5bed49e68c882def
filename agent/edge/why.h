/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What must be restarted, and why: from what there is in Edge, what routers really serve, and what somebody
 * says was changed. Pure: no clock, no network.
 *
 * What was seen counts more than what the table says: a router that serves the certificate it should needs no
 * restart for it, one that serves another needs one whatever the table says.
 */

#include "agent/edge/estate.h"
#include "agent/edge/why-table.h"
#include "base/sha256.h"
#include "probes/servers-json.h"

typedef enum WhyKind {
        WHY_KEYSTORE,
        WHY_TRUSTSTORE, /* of one kind with keystores in Edge; the words are told apart for people alone */
        WHY_REFERENCE,
        WHY_TARGETSERVER,
        WHY_VIRTUALHOST,
        WHY_KIND_COUNT,
        WHY_KIND_INVALID = -EINVAL,
} WhyKind;

/* What somebody says was changed. */
typedef struct WhyChanged {
        WhyKind kind;
        char name[256], env[256];
        WhyChange how; /* WHY_CHANGE_INVALID: not said */
} WhyChanged;

/*
 * why_changed_parse() - KIND:NAME@ENV, with =new, =recreated, =uploaded or =to-reference behind it where it
 * is known how. Return: 0; -EINVAL (what is accepted).
 */
int why_changed_parse(const char *word, WhyChanged *ret, Err *err) _must_check_;

/* What one router serves on the port of one virtual host. */
typedef struct WhyServed {
        size_t server; /* index into the Servers */
        bool known;
        char fingerprint[SHA256_TEXT_SIZE]; /* if known */
        char text[200];                     /* else why not */
} WhyServed;

/* A virtual host with TLS, and which certificate is expected of it. */
typedef struct WhyVhost {
        const EstateEnv *env;
        const Vhost *vhost;
        char asked[VHOST_HOST_SIZE]; /* by SNI; "": it has no name, and the default of its port was asked for
                                      */
        bool alone;                  /* on its port, so that the default is its own */
        char expected[SHA256_TEXT_SIZE]; /* "": not known, and `trouble` says why */
        char expected_from[320];         /* "alias a of keystore k", "--expect-cert" */
        char trouble[600];               /* also where it is known and a restart does not bring it */
        WhyServed *served;
        size_t n_served;
} WhyVhost;

typedef struct WhyInput {
        const Estate *estate;
        const Servers *servers;
        const WhyVhost *vhosts;
        size_t n_vhosts;
        const WhyChanged *changed;
        size_t n_changed;
} WhyInput;

typedef struct WhyFinding {
        WhyAction action;
        bool unknown;    /* could not be looked at: `action` is WHY_NOTHING and means nothing */
        bool documented; /* by the table; what was seen is as good */
        char about[700]; /* "virtualhost:secure@acme/prod" */
        char reason[800];
        size_t *servers; /* which are to be restarted: indices into the Servers */
        size_t n_servers;
} WhyFinding;

typedef struct Why {
        WhyFinding *findings; /* the strongest first */
        size_t n;
        const Servers *servers;
        bool no_memory;
} Why;

/*
 * why_judge() - all findings. @input must outlive @ret. Return: 0; -ENOENT (something that is said to have
 * changed is nowhere: says what is there); -ENOMEM.
 */
int why_judge(Why **ret, const WhyInput *input, Err *err) _must_check_;
Why *why_free(Why *w);
DEFINE_CLEANUP(Why, why_free);

/* why_wants() - must the server @at (index into the Servers) be restarted as @action (WHY_MPS, WHY_ROUTERS)?
 */
bool why_wants(const Why *w, WhyAction action, size_t at);

/* why_unknown() - is there something that could not be looked at? */
bool why_unknown(const Why *w);

/*
 * why_router_of() - does the server @at route for @env: a router in a region and pod in which the environment
 * has message processors? Where that is not known, or no router is there, every router may. Source: Apigee
 * "Provisioning organizations": an organisation is associated with pods that have its message processors.
 */
bool why_router_of(const Servers *servers, size_t at, const EstateEnv *env);

/* why_server_name() - "10.0.0.5", or its id where it has no address. */
const char *why_server_name(const Server *s);
