/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The documents of what is deployed: in an environment, as Edge's management API has the bundles. */

#include "agent/edge/api.h"
#include "agent/edge/lint.h"
#include "agent/edge/session.h"
#include "agent/edge/targets.h"
#include "probes/bundle.h"
#include "probes/deployments-json.h"

#define DEPLOYED_BUNDLE_MAX BUNDLE_ZIP_MAX /* bytes of one bundle */

/*
 * deployed_read() - the bundle of every revision that is deployed in @env, on one server at least, several at
 * once, in the order in which they arrive; its documents go to @handlers, as PROXY:REVISION/apiproxy/... What
 * cannot be fetched is a problem, told to its handler.
 * @answer: how the list of deployments was got; unless it is API_OK nothing was read; to be released with
 * api_answer_done().
 * Return: the number of revisions; what a handler returned; errors of api_call(), api_start(); -ENOMEM.
 */
int deployed_read(Api *api, const char *org, const char *env, const BundleHandlers *handlers, void *userdata,
                  ApiAnswer *answer, Err *err) _must_check_;

/* deployed_revisions() - the same of a list that is there already. */
int deployed_revisions(Api *api, const char *org, const Deployments *all, const BundleHandlers *handlers,
                       void *userdata, Err *err) _must_check_;

/* deployed_servers() - of @rows, for rules: texts of @rows, the list to be released with
 * deployed_servers_done(). Return: 0; -ENOMEM. */
int deployed_servers(const TargetRows *rows, LintServers *ret, Err *err) _must_check_;
void deployed_servers_done(LintServers *servers);

/* The target servers of an environment. One that could not be read is there by its name only. */
typedef struct DeployedEnv {
        TargetRows *rows;
        LintServers servers; /* texts of @rows */
} DeployedEnv;

/*
 * deployed_env_open() - those of the command line's --org and --env. @e: zeroed; to be released with
 * deployed_env_done() whatever is returned. Return: 0; -1: all is told, and @ret_exit is the exit status.
 */
int deployed_env_open(DeployedEnv *e, Session *s, int *ret_exit) _must_check_;
void deployed_env_done(DeployedEnv *e);
