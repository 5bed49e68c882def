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

/* ---- ... and read ---- */

static const char *record_string(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        return cJSON_IsString(v) ? v->valuestring : "";
}

static double record_number(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 1e15 ? v->valuedouble : 0;
}

static bool record_bool(const cJSON *o, const char *key)
{
        return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static void job_load_ports(Job *job, const cJSON *record)
{
        const cJSON *a = cJSON_GetObjectItemCaseSensitive(record, "traffic_ports"), *v;
        cJSON_ArrayForEach(v, a) if (cJSON_IsNumber(v) && v->valueint > 0 && v->valueint < 65536 &&
                                     job->facts.n_traffic < CONNS_PORTS_MAX)
                job->facts.traffic_ports[job->facts.n_traffic++] = (uint16_t) v->valueint;
}

static void job_load_procs(Job *job, const cJSON *record)
{
        const cJSON *a = cJSON_GetObjectItemCaseSensitive(record, "processes"), *v;
        int pid = 0;
        cJSON_ArrayForEach(v, a)
        {
                if (!cJSON_IsNumber(v) || v->valuedouble < 0 || job->n_procs >= PROCS_MAX)
                        return;
                if (pid > 0)
                        job->procs[job->n_procs++] = (Proc){ .pid = pid, .start = (uint64_t) v->valuedouble };
                pid = pid > 0 ? 0 : v->valueint;
        }
}

/* A record of before this was kept: as configured then, without TLS. */
static void job_load_block(Job *job, const cJSON *record)
{
        const cJSON *v;
        BlockKind kind = block_kind_from_name(record_string(record, "block"));

        job->facts.tls = record_bool(record, "tls") || job->component->tls == TLS_YES;
        job->facts.block =
                kind >= 0 && kind != BLOCK_AUTO ? kind : facts_block(job->component, job->facts.tls);
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(record, "routers"))
        {
                Addr addr;
                if (cJSON_IsString(v) && addr_parse(v->valuestring, &addr) &&
                    job->plan.n_from < BLOCK_FROM_MAX)
                        job->plan.from[job->plan.n_from++] = addr;
        }
}

/*
 * Where to go on. Nothing refused yet: from the start. Refused, not stopped: close the block again and let
 * the checkers notice again, which costs seconds and proves everything anew. Stopped: the phase itself,
 * forwards. After a reboot: what had been stopped is started behind a new block; what had not is as it was,
 * but for monit. Where the job is only to be settled, what was not stopped is undone. model: JOB-RESUME
 */
static Phase job_resume_phase(const Job *job, Phase phase, bool same_boot)
{
        if (phase == PHASE_HOLD)
                return phase;
        /* Its job goes on at once: it may have stopped its component. */
        if (phase == PHASE_PARTNER && (job->partner || (same_boot && !job->env.settle)))
                return phase;
        if (job->env.settle && !job->changes.stopped && (phase < PHASE_START || job->unwritten))
                return PHASE_UNDO;
        if (!same_boot)
                return job->changes.stopped ? PHASE_BLOCK : PHASE_UNDO;
        if (phase == PHASE_RETURN)
                return PHASE_UNBLOCK; /* who comes back is counted from the opening on */
        if (phase == PHASE_UNDO && job->changes.stopped)
                return PHASE_STOP; /* found down: only forwards */
        if (phase == PHASE_UNDO || phase == PHASE_HOLD || phase >= PHASE_START)
                return phase;
        if (job->changes.stopped)
                return PHASE_STOP;
        /* Its block comes later; what monit was before is only known from the record. */
        if (roll_kind(job->roll) == ROLL_RESTART_GRACEFUL && job->changes.monit)
                return PHASE_STOP_MONIT;
        return job->changes.blocked ? PHASE_BLOCK : PHASE_PREFLIGHT;
}

static void job_load_partner(Job *job, const cJSON *record)
{
        const cJSON *p = cJSON_GetObjectItemCaseSensitive(record, "partner");
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(p, "result");
        job->persistent_asked = persistent_from_name(record_string(p, "persistent"));
        job->at_cap_asked = at_cap_from_name(record_string(p, "at_cap"));
        job->mp_leave_asked = mp_leave_from_name(record_string(p, "mp_leave"));
        job->partner_end = result_from_name(record_string(p, "end"));
        job->lapsed = record_bool(p, "lapsed");
        job->newconn_noticed = (uint64_t) record_number(p, "connections");
        (void) snprintf(job->partner_text, sizeof(job->partner_text), "%s", record_string(p, "text"));
        if (cJSON_IsObject(result))
                job->partner_result = cJSON_Duplicate(result, true);
}

int job_resume(Job **ret, const JobEnv *env, const cJSON *record, bool same_boot, int fds[JOB_PLACE_COUNT],
               Err *err)
{
        _cleanup_(job_freep) Job *job = NULL;
        const Component *component = config_component(env->config, record_string(record, "component"));
        RollKind kind = roll_kind_from_name(record_string(record, "kind"));
        Phase phase = phase_from_name(record_string(record, "phase"));
        const cJSON *changes = cJSON_GetObjectItemCaseSensitive(record, "changes");
        JobOptions options = { 0 };

        if (!component)
                return err_set(err, -EBADMSG, "component \"%s\" is not configured any more",
                               record_string(record, "component"));
        if (kind < 0 || phase <= PHASE_NONE || phase >= PHASE_END || !cJSON_IsObject(changes))
                return err_set(err, -EBADMSG, "kind, phase or changes make no sense");

        (void) snprintf(options.by, sizeof(options.by), "%s", record_string(record, "by"));
        (void) snprintf(options.who, sizeof(options.who), "%s", record_string(record, "who"));
        (void) snprintf(options.reason, sizeof(options.reason), "%s", record_string(record, "reason"));
        (void) snprintf(options.unprotected, sizeof(options.unprotected), "%s",
                        record_string(record, "unprotected"));
        options.start = record_bool(record, "start");
        options.if_needed = record_bool(record, "if_needed");
        options.persistent = persistent_from_name(record_string(record, "persistent"));
        options.at_cap = at_cap_from_name(record_string(record, "at_cap"));
        options.mp_leave = mp_leave_from_name(record_string(record, "mp_leave"));
        (void) snprintf(options.router_retry, sizeof(options.router_retry), "%s",
                        record_string(record, "router_retry"));
        options.hold_usec = (Usec) (record_number(record, "hold_seconds") * (double) USEC_PER_SEC);

        int r = job_new(&job, env, (uint64_t) record_number(record, "id"), component, kind, &options, err);
        if (r < 0)
                return r;
        job->resumed = job->recorded = true;
        job->resumes = (unsigned) record_number(record, "resumes") + 1;
        if (job->resumes > 2 * JOB_RESUMES_MAX)
                return err_set(err, -ELOOP, "it was taken up %u times in phase %s, and never got out of it",
                               job->resumes, phase_name(phase));
        if (job->resumes > JOB_RESUMES_MAX)
                job->env.settle = true;
        Usec started = strtoull(record_string(record, "started"), NULL, 10);
        if (started > 0)
                job->started_wall = started;
        (void) snprintf(job->failure, sizeof(job->failure), "%s", record_string(record, "failure"));
        job_place_load(job, record);
        job->changes = (JobChanges){
                .table = record_bool(changes, "table"),
                .blocked = record_bool(changes, "blocked"),
                .monit = record_bool(changes, "monit"),
                .stopped = record_bool(changes, "stopped"),
                .hooks = record_bool(changes, "hooks"),
        };
        job->facts.health_port = (uint16_t) record_number(record, "health_port");
        job->next_health_port = (uint16_t) record_number(record, "next_health_port");
        job_load_ports(job, record);
        job_load_block(job, record);
        job->facts.request_limit_usec =
                (Usec) (record_number(record, "request_limit") * (double) USEC_PER_SEC);
        (void) snprintf(job->facts.self.uuid, sizeof(job->facts.self.uuid), "%s",
                        record_string(record, "uuid"));
        job->facts.self_known = *job->facts.self.uuid;
        (void) snprintf(job->unit.unit, sizeof(job->unit.unit), "%s", record_string(record, "unit"));
        (void) snprintf(job->unit.invocation_id, sizeof(job->unit.invocation_id), "%s",
                        record_string(record, "invocation_id"));
        job->inode_sum = strtoull(record_string(record, "inode_sum"), NULL, 10);
        (void) snprintf(job->monit.unit, sizeof(job->monit.unit), "%s", record_string(record, "monit_unit"));
        job->monit.active = record_bool(record, "monit_active");
        job->monit.check = monit_check_state_from_name(record_string(record, "monit_check"));
        if ((r = hold_read(env->config->state_dir, component->name, &job->hold, &job->held, err)) < 0)
                return r;
        if (same_boot && !job->held)
                job_record_hold(job, record);
        (void) snprintf(job->unit.control_group, sizeof(job->unit.control_group), "%s",
                        record_string(record, "control_group"));
        job->by_command = record_bool(record, "by_command");
        (void) snprintf(job->ran_in, sizeof(job->ran_in), "%s", record_string(record, "ran_in"));
        job_load_procs(job, record);
        if (*record_string(record, "snapshot") &&
            (r = snapshot_from_json(record_string(record, "snapshot"), &job->before, err)) < 0)
                return err_prefix(err, r, "snapshot");
        if ((r = job_targets_load(job, record)) < 0)
                return err_set(err, r, "out of memory");

        job_record_check(job, record, phase, same_boot, fds[env->place] >= 0);
        /* Not one that is about to end a hold, or only looks at it. */
        const bool left_held = unwritten_has(env->unwritten, component->name) && phase != PHASE_PARTNER &&
                               kind != ROLL_UNDRAIN && kind != ROLL_RESTART_HELD &&
                               roll_leads_past(kind, PHASE_BLOCK);
        bool touched = job->changes.table || job->changes.stopped || phase >= PHASE_UNBLOCK || left_held;
        job->acted = touched || job->changes.monit || job->changes.hooks;
        if (!same_boot) {
                job->changes.table = job->changes.blocked = false;
                if (job->changes.stopped && phase != PHASE_HOLD)
                        roll_set_kind(job->roll, ROLL_RECOVER);
        }

        if (kind == ROLL_RESTART_RMP) {
                job_load_partner(job, record);
                job->cut_off = !same_boot ||
                               record_bool(cJSON_GetObjectItemCaseSensitive(record, "partner"), "cut_off");
                if (phase == PHASE_PARTNER && (r = partner_resume(job, fds, err)) < 0)
                        return r;
                if (!job->partner && (r = partner_block_new(job, TAKE_FD(fds[JOB_PARTNER]), err)) < 0)
                        return r;
        }
        job->resume_phase = left_held ? PHASE_HOLD : job_resume_phase(job, phase, same_boot);
        if (job->resume_phase <= PHASE_PLACE)
                job->placed = false; /* asked for again */
        job->hold_first = true;
        if (touched) {
                r = job_setup(job, err);
                if (r < 0)
                        return r;
                const cJSON *v;
                cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(record, "checkers"))
                {
                        Addr addr;
                        if (addr_parse(record_string(v, "address"), &addr))
                                checkers_learned(job->checkers, &addr,
                                                 (Usec) (record_number(v, "interval") *
                                                         (double) USEC_PER_SEC),
                                                 (unsigned) record_number(v, "checkers"));
                }
                if (job->changes.blocked || job->changes.stopped)
                        (void) job_routers_unknown(job);
                r = job_block_new(job, TAKE_FD(fds[env->place]), err);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(job);
        return 0;
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
        bool still = record_bool(before, "not_readmitted");
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
