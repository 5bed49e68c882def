/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A component that no unit of its own holds: started by hand in a session's scope, by cron, by monit, or gone
 * from its unit through su. Nothing of that may be stopped as a unit, because others live in it: the
 * component's own stop command is run in a transient unit, and it is started in one of its units.
 */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/cgroup.h"
#include "base/words.h"

#define STOP_POLL_USEC (20 * USEC_PER_MSEC)
#define APIGEE_SERVICE "/opt/apigee/apigee-service/bin/apigee-service"
#define OUR_UNIT       "edge-component@"
#define PIDS_MAX       1024

const char *job_edge_name(const Component *c)
{
        return c->kind == KIND_MP ? "edge-message-processor" : "edge-router";
}

int job_edge_command(const Component *c, const char *configured, const char *action, Words *ret)
{
        char text[256];
        if (strcmp(configured, "auto") != 0)
                return words_split(configured, ret);
        (void) snprintf(text, sizeof(text), APIGEE_SERVICE " %s %s", job_edge_name(c), action);
        return words_split(access(APIGEE_SERVICE, X_OK) == 0 ? text : "", ret);
}

/* ---- which unit ---- */

static bool ends_with(const char *text, const char *end)
{
        size_t n = strlen(text), m = strlen(end);
        return n >= m && strcmp(text + n - m, end) == 0;
}

static bool unit_is_cron(const char *unit)
{
        return strcmp(unit, "cron.service") == 0 || strcmp(unit, "crond.service") == 0;
}

static bool unit_is_monit(const Config *config, const char *unit)
{
        for (char **u = config->monit_units; u && *u; u++)
                if (strcmp(*u, unit) == 0)
                        return true;
        return false;
}

const char *job_unit_usable(const Job *job)
{
        const char *unit = job->facts.unit;
        bool named = false;

        if (!*unit)
                return "no unit holds it";
        if (!ends_with(unit, ".service"))
                return "that is no service";
        if (strncmp(unit, "user@", 5) == 0)
                return "that is a user's";
        if (unit_is_cron(unit))
                return "that is cron's";
        if (strncmp(unit, "ssh", 3) == 0)
                return "that is the ssh server's";
        if (unit_is_monit(job->env.config, unit))
                return "that is monit's";
        if (*job->facts.shared_with)
                return "another component is in it, too";
        for (char **u = job->component->units; u && *u; u++)
                named = named || strcmp(*u, unit) == 0;
        return named ? NULL : "that is none of its units";
}

int job_unit_rank(const Job *job, const UnitState *state, const char *name)
{
        const Facts *f = &job->facts;

        if (!f->running)
                return state->loaded ? 1 : 0;
        if (!job_unit_usable(job))
                return strcmp(f->unit, name) == 0 ? 1 : 0;
        if (!state->loaded || strcmp(f->unit, name) == 0)
                return 0;
        if (strcmp(state->active, "active") == 0)
                return 3;
        return strncmp(name, OUR_UNIT, strlen(OUR_UNIT)) == 0 ? 2 : 1;
}

const char *job_who(const Job *job, const char *cgroup, char *buf, size_t size)
{
        char unit[256] = "";
        const char *who;

        if (!cgroup_unit(cgroup, unit, sizeof(unit)))
                who = "no unit";
        else if (unit_is_monit(job->env.config, unit))
                who = "monit";
        else if (unit_is_cron(unit))
                who = "cron";
        else if (strncmp(unit, "session-", 8) == 0)
                who = "a session";
        else
                who = unit;
        (void) snprintf(buf, size, "%s (%s)", who, cgroup);
        return buf;
}

/* ---- after the start ---- */

void job_served(Job *job, const UnitState *state, size_t of)
{
        char unit[256] = "", who[320];
        bool known = facts_runs_in(job->env.config, job->env.conns, job->facts.health_port, job->runs_in,
                                   sizeof(job->runs_in));
        bool in_unit =
                !known || (cgroup_unit(job->runs_in, unit, sizeof(unit)) && strcmp(unit, state->unit) == 0);

        job_who(job, job->runs_in, who, sizeof(who));
        if (strcmp(state->active, "active") != 0 && job->not_by_us)
                job_warn(job, "%s was not started, because the component runs already, in %s", state->unit,
                         who);
        else if (strcmp(state->active, "active") != 0)
                job_warn(
                        job,
                        "two processes wanted the ports: %s did not start (%s, result %s), because somebody else "
                        "had started the component; it runs in %s",
                        state->unit, state->active, state->result, who);
        else if (!in_unit)
                job_warn(job, "%s is active, but the component runs in %s: %s", state->unit, who,
                         strncmp(unit, "session-c", 9) == 0 ? "it left for a session of its own"
                                                            : "somebody else started it");
        if (strcmp(state->active, "active") != 0)
                job_ok(job, "%s runs anew, %zu ports open on new sockets, in %s", job->component->name, of,
                       who);
        else if (job->by_command)
                job_ok(job,
                       "%s runs anew (invocation %.8s), %zu ports open on new sockets; it ran in %s, now in %s",
                       state->unit, state->invocation_id, of, job->ran_in,
                       *job->runs_in ? job->runs_in : "?");
        else
                job_ok(job, "%s runs anew (invocation %.8s, pid %u), %zu ports open on new sockets%s%s",
                       state->unit, state->invocation_id, state->main_pid, of,
                       job->not_by_us ? "; somebody else had started it" : "",
                       in_unit ? "" : ", but not in it");
}

/* ---- its processes ---- */

void job_procs_look(Job *job)
{
        int pids[PIDS_MAX];
        job->n_procs = 0;
        if (!*job->ran_in)
                return;
        int n = cgroup_pids(NULL, job->ran_in, pids, PIDS_MAX, NULL);
        if (n > 0)
                job->n_procs = procs_find(NULL, pids, MIN((size_t) n, (size_t) PIDS_MAX),
                                          job_edge_name(job->component), job->procs, PROCS_MAX);
}

/* ---- the command ---- */

static void command_unit(const Job *job, char *buf, size_t size)
{
        (void) snprintf(buf, size, "edge-roll-run-stop-%.100s.service", job->component->name);
}

static void command_on_end(int exit_status, const char *output, const char *text, void *userdata)
{
        Job *job = userdata;
        size_t len = strcspn(output, "\n");
        job->call = NULL;
        job->command_over = true;
        job->command_status = exit_status;
        (void) snprintf(job->job_text, sizeof(job->job_text), "%.150s%s%.*s", text, len ? ": " : "",
                        (int) MIN(len, (size_t) 90), output);
        if (exit_status != 0)
                job_warn(job, "the stop command of %s: %s", job->component->name, job->job_text);
}

int job_command_call(Job *job, Err *err)
{
        _cleanup_(words_freep) Words argv = NULL;
        char unit[256], port[48], up[48];

        int r = job_edge_command(job->component, job->component->stop_command, "stop", &argv);
        if (r < 0)
                return err_set(err, r, "out of memory");
        if (!argv[0])
                return err_set(err, -ENOENT, "there is no command that stops it");
        /* Its own patience must not end before ours. Source: Apigee's playbooks pass both, in seconds. */
        Usec left = MAX(time_left(roll_deadline(job->roll), time_now()), USEC_PER_SEC);
        (void) snprintf(port, sizeof(port), "PORT_TIMEOUT=%" PRIu64, left / USEC_PER_SEC);
        (void) snprintf(up, sizeof(up), "UP_TIMEOUT=%" PRIu64, left / USEC_PER_SEC);
        char *env[] = { port, up, NULL };
        command_unit(job, unit, sizeof(unit));
        job->command_over = false;
        r = systemd_run(job->env.systemd, unit, argv, env, left, command_on_end, job, &job->call, err);
        job->command_called = r >= 0;
        return r;
}

/*
 * It failed at once, and everything is as it was: it serves on, so the node is given back. One that was told
 * to stop and is slow does not come here, because its command was given all the time there is.
 */
static bool command_did_nothing(const Job *job, int listening, size_t of, uint64_t inode_sum)
{
        return job->command_status != 0 && job->command_status != -ETIME && job->command_status != -ENODATA &&
               job->command_status != -EEXIST && listening == (int) of && inode_sum == job->inode_sum &&
               procs_alive(NULL, job->procs, job->n_procs) == job->n_procs;
}

void job_command_tick(Job *job, int listening, size_t of, uint64_t inode_sum)
{
        size_t alive = procs_alive(NULL, job->procs, job->n_procs);
        char who[320];

        if (job->command_over && command_did_nothing(job, listening, of, inode_sum)) {
                job->changes.stopped = false;
                if (!*job->failure)
                        (void) snprintf(job->failure, sizeof(job->failure),
                                        "its stop command does not stop it: %.300s", job->job_text);
                job_feed(job, ROLL_EV_REFUSED, "its stop command does not stop it: %s", job->job_text);
                return;
        }
        if (job->command_over && alive == 0 && listening == 0) {
                job_ok(job, "stopped by its own command, ports closed, %zu processes gone; it ran in %s",
                       job->n_procs, job_who(job, job->ran_in, who, sizeof(who)));
                return;
        }
        if (job->command_over && alive == 0 && listening > 0 && inode_sum != job->inode_sum &&
            (job->n_procs > 0 || listening == (int) of)) {
                job_ok(job, "stopped by its own command; somebody else has started it again at once");
                return;
        }
        job_progress(job, "%s; %d of %zu ports open, %zu of %zu processes",
                     job->command_over ? "its stop command has ended" : "its stop command runs",
                     MAX(listening, 0), of, alive, job->n_procs);
        job_tick(job, STOP_POLL_USEC);
}

/* ---- after the agent's death ---- */

static void resume_on_state(int r, const UnitState *state, const Err *err, void *userdata)
{
        Job *job = userdata;
        uint16_t ports[CONNS_PORTS_MAX];
        uint64_t inode_sum = 0;
        Err e = { 0 };
        job->call = NULL;

        if (r < 0) {
                job_progress(job, "systemd does not tell: %s", err->text);
                job_tick(job, 4 * JOB_POLL_USEC);
                return;
        }
        if (strcmp(state->active, "activating") == 0 || state->job_pending) {
                job_progress(job, "its stop command, called by the agent before this one, runs");
                job_tick(job, 4 * JOB_POLL_USEC);
                return;
        }
        size_t of = job_ports(job, ports);
        int listening = facts_listening(job->env.conns, ports, of, &inode_sum, &e);
        if (listening < 0) {
                job_progress(job, "%s", e.text);
                job_tick(job, 4 * JOB_POLL_USEC);
                return;
        }
        if (listening == (int) of && inode_sum == job->inode_sum) {
                job->changes.stopped = false;
                if (job->env.settle)
                        job_feed(job, ROLL_EV_REFUSED, "it was not stopped yet");
                else
                        job_feed(job, ROLL_EV_BACK,
                                 "it was not stopped yet; everything is proven again first");
                return;
        }
        /* Begun: calling it once more does no harm, and waits for what is left of it. */
        job->stop_called = job->job_done = true;
        if (listening == (int) of) {
                job->command_called = job->command_over = true;
                job->command_status = 0;
        }
        job_tick(job, 0);
}

void job_command_resume(Job *job)
{
        char unit[256];
        Err err = { 0 };
        command_unit(job, unit, sizeof(unit));
        if (systemd_unit(job->env.systemd, unit, resume_on_state, job, &job->call, &err) < 0)
                job_tick(job, 4 * JOB_POLL_USEC);
}
