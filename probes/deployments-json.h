/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which revision of which proxy is deployed where, and on which servers, from the JSON of Edge's management
 * API to rows. Pure. Three shapes are told apart by what is in them:
 *
 * - of an environment: {"aPIProxy":[{"name","revision":[{"name","server":[...],"state"}]}],"name":ENV}
 * - of a revision or a proxy:
 * {"aPIProxy":PROXY,"environment":[{"name","server":[...],"state"}],"name":REVISION}, or with
 * "revision":[...] in place of "environment" where one environment was asked about
 * - the answer to a deployment:
 * {"aPIProxy":PROXY,"environment":ENV,"revision":REVISION,"server":[...],"state"}
 *
 * `state` says "deployed" even where one server has failed: what counts is each server's own `status`.
 * Source: Apigee's playbooks on deployment errors; the rule (partial is what has a server whose status is not
 * the state) is that of its own command line tools. A state that is no wish ("error", "pending", none) says
 * of no server that it should be so, too.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DEPLOYMENTS_MAX         (8 * 1024 * 1024) /* bytes of the JSON */
#define DEPLOYMENTS_VALUES_MAX  1000000           /* in it: 1,000 proxies on 100 servers */
#define DEPLOYMENTS_ROWS_MAX    20000
#define DEPLOYMENTS_SERVERS_MAX 2000 /* of one row */
#define DEPLOYMENTS_NAME_SIZE   256

/* What a server's status means, beside what the deployment is to be. */
typedef enum DeployedStand {
        DEPLOYED_GOOD,
        DEPLOYED_BAD,     /* it is not what it should be, or says that it has failed */
        DEPLOYED_UNKNOWN, /* what it should be or what it is is not said, or is about to change */
} DeployedStand;

typedef struct DeployedOn {
        char uuid[64];
        bool is_router, is_mp;
        char status[64];
        char error[200]; /* Edge's words, cut; "" */
        DeployedStand stand;
} DeployedOn;

typedef struct Deployment {
        char proxy[DEPLOYMENTS_NAME_SIZE];
        char environment[DEPLOYMENTS_NAME_SIZE];
        char revision[64];
        char state[64];
        DeployedOn *servers;
        size_t n_servers;
        size_t n_bad;     /* of the servers: the deployment is partial when there are any */
        size_t n_unknown; /* of the servers */
        bool settled;     /* the state says what is to be, or has failed on servers that say so */
} Deployment;

typedef struct Deployments {
        Deployment *rows;
        size_t n;
} Deployments;

/*
 * deployments_parse() - @environment: which one was asked about, for shapes that do not say; may be NULL.
 * @ret: to be freed with deployments_free(); written only on success. None is an answer.
 * Return: 0; -EBADMSG (not JSON, none of the shapes, a key of the wrong type: which); -E2BIG; -ENOMEM.
 */
int deployments_parse(const char *json, size_t len, const char *environment, Deployments **ret,
                      Err *err) _must_check_;
/* deployment_serves() - is it deployed, or on one server at least, whatever became of it on others? */
bool deployment_serves(const Deployment *d);

Deployments *deployments_free(Deployments *d);
DEFINE_CLEANUP(Deployments, deployments_free);
