/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a job writes down in the state directory: its record, from which another agent goes on, and how it
 * ended. */

#include "agent/job-impl.h"

#include "probes/json.h"

/* ---- the record, written ---- */

static void job_add_ports(cJSON *o, const char *key, const uint16_t *ports, size_t n)
{
        cJSON *a = cJSON_AddArrayToObject(o, key);
        for (size_t i = 0; i < n; i++)
                json_append(a, cJSON_CreateNumber(ports[i]));
}

/* Pairs of process number and start time, one after the other. */
static void job_add_procs(const Job *job, cJSON *o)
{
        cJSON *a = cJSON_AddArrayToObject(o, "processes");
        for (size_t i = 0; i < job->n_procs; i++) {
                json_append(a, cJSON_CreateNumber(job->procs[i].pid));
                json_append(a, cJSON_CreateNumber((double) job->procs[i].start));
        }
}

static cJSON *job_record(const Job *job)
{
        cJSON *o = json_record();
        char number[32];
        cJSON_AddNumberToObject(o, "id", (double) job->id);
        cJSON_AddStringToObject(o, "component", job->component->name);
        cJSON_AddStringToObject(o, "kind", roll_kind_name(roll_kind(job->roll)));
        cJSON_AddStringToObject(o, "phase", phase_name(roll_phase(job->roll)));
        (void) snprintf(number, sizeof(number), "%" PRIu64, job->started_wall);
        cJSON_AddStringToObject(o, "started", number);
        cJSON_AddStringToObject(o, "by", job->options.by);
        cJSON_AddStringToObject(o, "who", job->options.who);
        cJSON_AddStringToObject(o, "reason", job->options.reason);
        cJSON_AddStringToObject(o, "unprotected", job->options.unprotected);
        cJSON_AddBoolToObject(o, "start", job->options.start);
        cJSON_AddBoolToObject(o, "if_needed", job->options.if_needed);
        cJSON_AddStringToObject(o, "persistent", persistent_name(job->options.persistent));
        cJSON_AddStringToObject(o, "at_cap", at_cap_name(job->options.at_cap));
        cJSON_AddStringToObject(o, "mp_leave", mp_leave_name(job->options.mp_leave));
        cJSON_AddStringToObject(o, "router_retry", job->options.router_retry);
        cJSON_AddNumberToObject(o, "hold_seconds", time_sec(job->options.hold_usec));
        cJSON_AddStringToObject(o, "failure", job->failure);
        cJSON_AddNumberToObject(o, "resumes", job->resumes);
        job_place_add(job, o);

        cJSON *c = cJSON_AddObjectToObject(o, "changes");
        cJSON_AddBoolToObject(c, "table", job->changes.table);
        cJSON_AddBoolToObject(c, "blocked", job->changes.blocked);
        cJSON_AddBoolToObject(c, "monit", job->changes.monit);
        cJSON_AddBoolToObject(c, "stopped", job->changes.stopped);
        cJSON_AddBoolToObject(c, "hooks", job->changes.hooks);

        cJSON_AddNumberToObject(o, "health_port", job->facts.health_port);
        /* For whoever has to hold it without knowing its configuration; before `preflight` nothing is known.
         */
        BlockKind block = job->facts.health_port
                                  ? job->facts.block
                                  : facts_block(job->component, job->component->tls == TLS_YES);
        cJSON_AddStringToObject(o, "block", block_kind_name(block));
        cJSON_AddBoolToObject(o, "tls", job->facts.tls);
        cJSON *routers = cJSON_AddArrayToObject(o, "routers");
        for (size_t i = 0; i < job->plan.n_from; i++) {
                char addr[ADDR_TEXT_SIZE];
                json_append(routers, cJSON_CreateString(addr_format(&job->plan.from[i], addr, sizeof(addr))));
        }
        cJSON_AddNumberToObject(o, "next_health_port", job->next_health_port);
        job_add_ports(o, "traffic_ports", job->facts.traffic_ports, job->facts.n_traffic);
        cJSON_AddNumberToObject(o, "request_limit", time_sec(job->facts.request_limit_usec));
        cJSON_AddStringToObject(o, "uuid", job->facts.self_known ? job->facts.self.uuid : "");
        cJSON_AddStringToObject(o, "unit", job->unit.unit);
        cJSON_AddStringToObject(o, "invocation_id", job->unit.invocation_id);
        (void) snprintf(number, sizeof(number), "%" PRIu64, job->inode_sum);
        cJSON_AddStringToObject(o, "inode_sum", number);
        cJSON_AddStringToObject(o, "monit_unit", job->monit.unit);
        cJSON_AddBoolToObject(o, "monit_active", job->monit.active);
        cJSON_AddStringToObject(o, "monit_check", monit_check_state_name(job->monit.check));
        cJSON_AddStringToObject(o, "control_group", job->unit.control_group);
        if (roll_kind(job->roll) == ROLL_RESTART_RMP) {
                cJSON *p = cJSON_AddObjectToObject(o, "partner");
                cJSON_AddStringToObject(p, "persistent", persistent_name(job->persistent_asked));
                cJSON_AddStringToObject(p, "at_cap", at_cap_name(job->at_cap_asked));
                cJSON_AddStringToObject(p, "mp_leave", mp_leave_name(job->mp_leave_asked));
                cJSON_AddStringToObject(p, "end", job->partner_end >= 0 ? result_name(job->partner_end) : "");
                cJSON_AddBoolToObject(p, "lapsed", job->lapsed);
                cJSON_AddBoolToObject(p, "cut_off", job->cut_off);
                cJSON_AddNumberToObject(p, "connections", (double) job->newconn_noticed);
                cJSON_AddStringToObject(p, "text", job->partner_text);
                if (job->partner_result)
                        json_put(p, "result", cJSON_Duplicate(job->partner_result, true));
        }
        cJSON_AddBoolToObject(o, "by_command", job->by_command);
        cJSON_AddStringToObject(o, "ran_in", job->ran_in);
        job_add_procs(job, o);
        if (job->before) {
                _cleanup_(freep) char *snapshot = NULL;
                if (snapshot_to_json(job->before, &snapshot) == 0)
                        cJSON_AddStringToObject(o, "snapshot", snapshot);
        }
        job_add_checkers(job, o);
        job_targets_save(job, o);
        return o;
}

/* model: JOB-RECORD */
int job_write(Job *job, Err *err)
{
        cJSON *record = job_record(job);
        int r = state_write(job->env.config->state_dir, job_record_name(job->env.place), record, err);
        cJSON_Delete(record);
        job->recorded = job->recorded || r == 0;
        return r;
}

static void job_unwritten(Job *job, int r, const Err *err)
{
        /* Whatever comes next would fail, too. What the next agent finds written is what was done; it goes on
         * in memory where that had nothing left, either. */
        if (job->acted && !job->resumed && (r == -EMFILE || r == -ENOMEM) && job->env.exhausted)
                job->env.exhausted(err->text, job->env.userdata);
        else if (job->acted)
                job_warn(job, "the record of this job cannot be written (%s); going on without it",
                         err->text);
        else
                job_fail(job, RESULT_REFUSED, "make room in, or give write access to, the state directory",
                         "the record of this job cannot be written: %s", err->text);
}

int job_save(Job *job)
{
        Err err = { 0 };
        int r = job_write(job, &err);
        if (r < 0)
                job_unwritten(job, r, &err);
        return r;
}

bool job_intend(Job *job, bool *change)
{
        const bool before = *change;
        Err err = { 0 };
        *change = true;
        int r = job_write(job, &err);
        if (r < 0 && !job->acted)
                *change = before;
        if (r < 0)
                job_unwritten(job, r, &err);
        return r >= 0 || job->acted;
}

/* ---- the result ---- */

/* Not let in by its checkers, and no job since has seen better: that is not forgotten over a job that was
 * refused. A person ends it with undrain. */
static bool job_still_not_readmitted(const Job *job, const char *name)
{
        cJSON *before = NULL;
        if (job->result == RESULT_NOT_READMITTED)
                return true;
        if (job->result == RESULT_DONE || roll_kind(job->roll) == ROLL_UNDRAIN ||
            state_read(job->env.config->state_dir, name, &before, NULL, NULL) < 0)
                return false;
        bool still = json_true(before, "not_readmitted");
        cJSON_Delete(before);
        return still;
}

void job_keep_result(Job *job, const cJSON *result)
{
        char name[128];
        Err err = { 0 };
        cJSON *copy = cJSON_Duplicate(result, true);
        (void) snprintf(name, sizeof(name), "last-%s.json", job->component->name);
        if (job_still_not_readmitted(job, name))
                cJSON_AddBoolToObject(copy, "not_readmitted", true);
        if (state_write(job->env.config->state_dir, name, copy, &err) < 0)
                job_warn(job, "the result cannot be kept: %s", err.text);
        cJSON_Delete(copy);
}
