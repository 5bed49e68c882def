/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The node agent: owns the event loop, the bus connection and the one job of the node. Bus activated, leaves
 * when idle without losing a call, goes on with an unfinished job of a predecessor.
 */

#include "agent/config.h"
#include "agent/job.h"
#include "agent/leases.h"

#define AGENT_BUS_NAME      "org.edgeroll.Agent1"
#define AGENT_PATH          "/org/edgeroll/Agent1"
#define AGENT_INTERFACE     "org.edgeroll.Agent1"
#define AGENT_JOB_INTERFACE "org.edgeroll.Job1"
#define AGENT_JOB_PATH      AGENT_PATH "/job"

/* The exit status of an agent that was told to go in the middle of a job: systemd starts it again. */
#define AGENT_EXIT_RESTART 75

/* ... and of one that had no memory to take up an unfinished job, for longer than it is worth waiting:
 * systemd gives the unit up, and heal, which no limit of the agent binds, does it. */
#define AGENT_EXIT_GIVE_UP 71

#define AGENT_UNIT "edge-roll-agent.service"
#define HEAL_UNIT  "edge-roll-heal.service"

/* agent_main() - the verb `agent`. @trouble: what is wrong with the configuration files, "" when nothing is.
 * Return: exit status. */
int agent_main(const Config *config, const char *trouble);

/*
 * heal_main() - the verb `heal`: ends what an agent that systemd has given up, or somebody has stopped, left
 * behind. The same engine on the same record, without a bus name, over systemd's own socket where that is
 * there. Before `stop`: undone; behind it: held, started, proven, then opened; what cannot be read: held. At
 * last the agent's unit is reset, so that the next call starts it. Return: exit status: 0 (nothing was left,
 * as it was, or restarted and serving); the result's, as for `restart`.
 */
int heal_main(const Config *config, const char *trouble);

/* ---- for the files of the bus interface ---- */

typedef struct Agent Agent;

/* agent_busy() - the present job when it is not over yet, else NULL. agent_job() - the present or last one.
 */
Job *agent_busy(const Agent *a);
Job *agent_job(const Agent *a);

const Config *agent_config(const Agent *a);
sd_event *agent_event(const Agent *a);
Http *agent_http(const Agent *a);
Conns *agent_conns(const Agent *a);
Systemd *agent_systemd(const Agent *a);
bool agent_leaving(const Agent *a);
Leases *agent_leases(const Agent *a);
struct BusPeople *agent_people(const Agent *a);
sd_bus *agent_bus(const Agent *a); /* NULL while it is away */

/* agent_tickets_changed() - there is one more, or one may perhaps begin now: looked at from the loop. */
void agent_tickets_changed(Agent *a);

/*
 * agent_ticket_aside() - a ticket that waits for its place makes room for other work (of @component; NULL: of
 * any); it begins anew behind that. Return: false: it is still being undone; call again.
 */
bool agent_ticket_aside(Agent *a, const char *component, const char *why);

/* agent_unwritten() - the hold of @component, where it has no record; NULL: there is none. Valid during the
 * call. */
const struct Hold *agent_unwritten(const Agent *a, const char *component);

/* agent_leases_changed() - a lease was taken, renewed, given back or stolen. */
void agent_leases_changed(Agent *a);

/* agent_healing() - `edge-roll heal` still works on what an earlier agent has left; no job begins before its
 * end. */
bool agent_healing(const Agent *a);

/* agent_notice() - what a person should know beside jobs and holds. Return: false when there is nothing. */
bool agent_notice(const Agent *a, char *buf, size_t size);

/* agent_touch() - somebody called: do not leave for a while. */
void agent_touch(Agent *a);

/*
 * agent_reload() - read the configuration again, so that a job runs with what the files say now. While a job
 * runs nothing changes. Who has pinned the one of before keeps it. What was got from agent_config() before is
 * not valid any more. Return: 0; errors of config_load(), and the configuration of before stays.
 */
int agent_reload(Agent *a, Err *err) _must_check_;

/*
 * agent_pin() - somebody refers to the present configuration beyond this call: valid until he calls
 * agent_unpin() with it, whatever is in force meanwhile. The agent does not leave before.
 * agent_crowded() - so many do that a call which anybody may make has to wait until some are answered.
 */
const Config *agent_pin(Agent *a);
void agent_unpin(Agent *a, const Config *pinned);
bool agent_crowded(const Agent *a);

/* agent_begin() - a new job. @ret: borrowed. Return: 0; -EBUSY (one runs); negative errno. */
int agent_begin(Agent *a, const Component *component, RollKind kind, const JobOptions *options, Job **ret,
                Err *err) _must_check_;
