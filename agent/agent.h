/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The node agent: owns the event loop, the bus connection and the one job of the node. Bus activated, leaves
 * when idle without losing a call, goes on with an unfinished job of a predecessor.
 */

#include "agent/config.h"
#include "agent/job.h"

#define AGENT_BUS_NAME      "org.edgeroll.Agent1"
#define AGENT_PATH          "/org/edgeroll/Agent1"
#define AGENT_INTERFACE     "org.edgeroll.Agent1"
#define AGENT_JOB_INTERFACE "org.edgeroll.Job1"
#define AGENT_JOB_PATH      AGENT_PATH "/job"

/* The exit status of an agent that was told to go in the middle of a job: systemd starts it again. */
#define AGENT_EXIT_RESTART 75

/* agent_main() - the verb `agent`. Return: exit status. */
int agent_main(const Config *config);

/* ---- for agent/bus-api.c ---- */

typedef struct Agent Agent;

/* agent_busy() - the present job when it is not over yet, else NULL. agent_job() - the present or last one.
 */
Job *agent_busy(const Agent *a);
Job *agent_job(const Agent *a);

const Config *agent_config(const Agent *a);
sd_event *agent_event(const Agent *a);
Http *agent_http(const Agent *a);
Conns *agent_conns(const Agent *a);
bool agent_leaving(const Agent *a);

/* agent_touch() - somebody called: do not leave for a while. */
void agent_touch(Agent *a);

/*
 * agent_reload() - read the configuration again, so that a job runs with what the files say now. While a job
 * runs, or somebody has pinned it, nothing changes. Return: 0; errors of config_load(), and the configuration
 * of before stays.
 */
int agent_reload(Agent *a, Err *err) _must_check_;

/* agent_pin() - somebody refers to the present configuration beyond this call: no reload until agent_unpin().
 */
void agent_pin(Agent *a);
void agent_unpin(Agent *a);

/* agent_begin() - a new job. @ret: borrowed. Return: 0; -EBUSY (one runs); negative errno. */
int agent_begin(Agent *a, const Component *component, RollKind kind, const JobOptions *options, Job **ret,
                Err *err) _must_check_;
