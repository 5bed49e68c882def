/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What there is in Edge that a restart can be needed for: of each environment of each organisation the
 * virtual hosts, target servers, references, keystores, deployments and the message processors that serve it,
 * asked from the Management Server. What cannot be read is kept as a sentence: it is not known, which is
 * another thing than not there.
 */

#include <stdbool.h>

#include "agent/edge/api.h"
#include "agent/edge/targets.h"
#include "probes/deployments-json.h"
#include "probes/store-json.h"
#include "probes/vhost-json.h"

#define ESTATE_ENVS_MAX     500
#define ESTATE_TROUBLES_MAX 100 /* sentences that are kept; more are counted */

/* Stores that a TargetEndpoint or a ServiceCallout of a deployed revision names itself, for TLS to its
 * target. */
typedef struct EstateEndpoint {
        char *where;                   /* "orders:7/apiproxy/targets/default.xml" */
        char *key_store, *trust_store; /* as they are written; never NULL; "": none */
        bool two_way;                  /* else the keystore is not used */
} EstateEndpoint;

typedef struct EstateEnv {
        char org[256], env[256];
        Vhost **vhosts;
        size_t n_vhosts;
        StoreReference *references;
        size_t n_references;
        char **stores;             /* names of keystores and truststores, sorted; NULL: not known */
        TargetRows *targets;       /* NULL: not known */
        Deployments *deployments;  /* NULL: not known */
        EstateEndpoint *endpoints; /* those with a store; only where they were asked for */
        size_t n_endpoints;
        char **servers;    /* server ids of its message processors; NULL: not known */
        size_t n_troubles; /* of the Estate's, those about it */
} EstateEnv;

typedef struct Estate {
        EstateEnv *envs; /* by organisation, then environment */
        size_t n;
        char *troubles[ESTATE_TROUBLES_MAX];
        size_t n_troubles; /* all of them */
} Estate;

/* What of an environment is asked for. */
typedef enum EstateKind {
        ESTATE_VHOSTS = 1,
        ESTATE_REFERENCES = 2,
        ESTATE_STORES = 4,
        ESTATE_TARGETS = 8,
        ESTATE_DEPLOYMENTS = 16,
        ESTATE_SERVERS = 32,
        ESTATE_ALL = 63,
} EstateKind;

typedef struct EstateSelect {
        char *const *orgs; /* only these, NULL-terminated; NULL: all */
        const char *env;   /* only those of this name; NULL: all */
        unsigned kinds;    /* bits of EstateKind; what is not asked for is as if it were not known */
        /* Of which environments the deployed revisions are fetched and read for their endpoints, besides
         * ESTATE_DEPLOYMENTS; NULL: of none. */
        bool (*endpoints)(const EstateEnv *env, void *userdata);
        void *userdata;
} EstateSelect;

/*
 * estate_walk() - @answer: when the organisations or environments cannot be listed, or there is no such one,
 * why; @ret is NULL then. @ret: to be freed with estate_free(). Return: 0; -E2BIG (more than ESTATE_ENVS_MAX
 * environments); -ENOENT (no such environment); -ENOMEM; errors of api_call().
 */
int estate_walk(Api *api, const EstateSelect *select, Estate **ret, ApiAnswer *answer, Err *err) _must_check_;
Estate *estate_free(Estate *e);
DEFINE_CLEANUP(Estate, estate_free);

/* estate_refers() - the store that the reference @name of @env is pointed at; NULL: not known. */
const char *estate_refers(const EstateEnv *env, const char *name);

/*
 * estate_certificate() - the certificate of @alias in the store, as PEM; asked now. Both places are tried,
 * where newer and older versions have it. @answer: to be released with api_answer_done(). Return: 0; errors
 * of api_call().
 */
int estate_certificate(Api *api, const EstateEnv *env, const char *store, const char *alias,
                       ApiAnswer *answer, Err *err) _must_check_;
