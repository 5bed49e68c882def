/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The one job of the node: what it is given, what happens when it tells something and when it ends. */

#include "agent/agent-impl.h"

#include <syslog.h>

#include "agent/bus-api.h"
#include "agent/bus-needed.h"
#include "agent/journal.h"
#include "agent/kept.h"
#include "agent/state.h"

static void agent_told(Job *job, uint64_t seq, const char *json, void *userdata)
{
        Agent *a = userdata;
        if (!a->heal)
                bus_api_event(a->bus, job, seq, json);
}

/* Its health port may be another one now: what was seen of it before counts no more. */
static void agent_forget_ports(Agent *a, const Job *job)
{
        LeaseSlot *slot;
        for (size_t i = 0; (slot = leases_get(a->leases, i)); i++)
                if (job_concerns(job, slot->component))
                        slot->health_port = 0;
}

static void agent_restarted(Agent *a, const Job *job)
{
        const Component *partner = NULL;
        bus_needed_restarted(a, job_component(job));
        if (roll_kind_from_name(job_kind(job)) == ROLL_RESTART_RMP && config_rmp(a->config, &partner) &&
            partner)
                bus_needed_restarted(a, partner);
}

static void agent_ended(Job *job, Result result, void *userdata)
{
        Agent *a = userdata;
        if (!a->heal && job_options(job)->ticket)
                agent_ticket_ended(a, job, result);
        if (a->heal) {
                (void) sd_event_exit(a->event,
                                     result == RESULT_GAVE_BACK ? EXIT_SUCCESS : result_exit_code(result));
                return;
        }
        agent_touch(a);
        agent_records_over(a);
        agent_places(a, job);
        agent_tickets_changed(a);
        /* Not from within the end of the job: what is kept is asked of the component, later. */
        if (result == RESULT_DONE && roll_leads_past(roll_kind_from_name(job_kind(job)), PHASE_READY)) {
                agent_forget_ports(a, job);
                agent_restarted(a, job);
        }
        agent_watch_holds(a, false);
}

static bool agent_leased(const char *component, const char *roll, char *text, size_t size, void *userdata)
{
        const Agent *a = userdata;
        return leases_roll_has(a->leases, component, roll, time_boot(), text, size);
}

static void agent_exhausted(const char *why, void *userdata)
{
        Agent *a = userdata;
        journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "%s: this agent ends in phase %s, and the next one goes on",
                    why, job_phase(a->job));
        (void) sd_event_exit(a->event, AGENT_EXIT_RESTART);
}

JobEnv agent_env(Agent *a)
{
        return (JobEnv){
                .event = a->event,
                .config = a->config,
                .systemd = a->systemd,
                .http = a->http,
                .conns = a->conns,
                .monit = a->monit,
                .unwritten = &a->unwritten,
                .keep_fd = agent_keep_fd,
                .told = agent_told,
                .ended = agent_ended,
                .leased = agent_leased,
                .exhausted = a->heal ? NULL : agent_exhausted,
                .settle = a->heal,
                .userdata = a,
        };
}

void agent_refer(Agent *a)
{
        config_unref(a->job_config);
        a->job_config = config_ref(a->config);
}

int agent_begin(Agent *a, const Component *component, RollKind kind, const JobOptions *options, Job **ret,
                Err *err)
{
        JobEnv env = agent_env(a);
        if (!a->locked)
                return err_set(err, -EBUSY,
                               HEAL_UNIT " is finishing a job that an agent has left; call again");
        if (*a->stale && agent_has_records(a))
                return err_set(err, -EUCLEAN, "%s", a->stale);
        if (agent_busy(a))
                return err_set(err, -EBUSY, "a %s of %s runs on this node (phase %s)", job_kind(a->job),
                               job_component(a->job)->name, job_phase(a->job));
        a->job = job_free(a->job);
        agent_refer(a);
        int r = job_new(&a->job, &env, a->next_id++, component, kind, options, err);
        if (r < 0)
                return r;
        /* Best effort: only a configuration that is broken in mid-job ever needs it. */
        if (kind != ROLL_DRY_RUN)
                (void) kept_write(a->config);
        /* What gives the place of the job before it back would give this one's. */
        for (size_t i = 0; roll_leads_past(kind, PHASE_PLACE) && i < a->config->n_components; i++)
                if (job_concerns(a->job, a->config->components[i].name))
                        places_drop(a->places, a->config->components[i].name);
        job_start(a->job);
        *ret = a->job;
        return 0;
}

void agent_number(Agent *a)
{
        _cleanup_(state_list_freep) char **names = NULL;
        a->next_id = 1;
        if (state_list(a->config->state_dir, "last-", &names, NULL) < 0)
                return;
        for (size_t i = 0; names[i]; i++) {
                cJSON *o = NULL;
                if (state_read(a->config->state_dir, names[i], &o, NULL, NULL) < 0 || !o)
                        continue;
                const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "job");
                if (cJSON_IsNumber(id) && id->valuedouble >= 1 && id->valuedouble < 1e15)
                        a->next_id = MAX(a->next_id, (uint64_t) id->valuedouble + 1);
                cJSON_Delete(o);
        }
}
