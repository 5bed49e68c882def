/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A job from its record, which an agent before this one has written: what it says is believed only where it
 * makes sense. */

#include "agent/job-impl.h"

#include <limits.h>

#include "probes/json.h"

#define DAY_SECONDS  86400
#define HOLD_SECONDS (UINT64_C(400) * DAY_SECONDS) /* a drain may be asked for a year */
#define RESUMES_MOST 1000000

static int load_port(const cJSON *record, const char *key, uint16_t *ret, Err *err)
{
        uint64_t port = 0;
        int r = json_get_whole(record, key, UINT16_MAX, &port, err);
        *ret = (uint16_t) port;
        return r;
}

/* @i: which one of @key it is, as an error counts them. */
static int load_item(const cJSON *item, const char *key, size_t i, uint64_t least, uint64_t most,
                     uint64_t *ret, Err *err)
{
        char name[48];
        (void) snprintf(name, sizeof(name), "%s[%zu]", key, i);
        return json_whole(item, name, least, most, ret, err);
}

static int job_load_ports(Job *job, const cJSON *record, Err *err)
{
        Facts *f = &job->facts;
        const cJSON *v;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(record, "traffic_ports"))
        {
                uint64_t port = 0;
                if (f->n_traffic == CONNS_PORTS_MAX)
                        return err_set(err, -EBADMSG, "more than %d \"traffic_ports\"", CONNS_PORTS_MAX);
                int r = load_item(v, "traffic_ports", f->n_traffic, 1, UINT16_MAX, &port, err);
                if (r < 0)
                        return r;
                f->traffic_ports[f->n_traffic++] = (uint16_t) port;
        }
        return 0;
}

static int job_load_procs(Job *job, const cJSON *record, Err *err)
{
        const cJSON *v;
        uint64_t pid = 0, start = 0;
        size_t i = 0;
        int r = 0;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(record, "processes"))
        {
                if (i / 2 == PROCS_MAX)
                        return err_set(err, -EBADMSG, "more than %d \"processes\"", PROCS_MAX);
                r = i % 2 == 0 ? load_item(v, "processes", i, 1, INT_MAX, &pid, err)
                               : load_item(v, "processes", i, 0, JSON_WHOLE_MAX, &start, err);
                if (r < 0)
                        return r;
                if (i++ % 2 == 1)
                        job->procs[job->n_procs++] = (Proc){ .pid = (pid_t) pid, .start = start };
        }
        return 0;
}

/* A record of before this was kept: as configured then, without TLS. */
static void job_load_block(Job *job, const cJSON *record)
{
        const cJSON *v;
        BlockKind kind = block_kind_from_name(json_text(record, "block"));

        job->facts.tls = json_true(record, "tls") || job->component->tls == TLS_YES;
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

static int job_load_partner(Job *job, const cJSON *record, Err *err)
{
        const cJSON *p = cJSON_GetObjectItemCaseSensitive(record, "partner");
        const cJSON *result = cJSON_GetObjectItemCaseSensitive(p, "result");
        job->persistent_asked = persistent_from_name(json_text(p, "persistent"));
        job->at_cap_asked = at_cap_from_name(json_text(p, "at_cap"));
        job->mp_leave_asked = mp_leave_from_name(json_text(p, "mp_leave"));
        job->partner_end = result_from_name(json_text(p, "end"));
        job->lapsed = json_true(p, "lapsed");
        int n = json_get_whole(p, "connections", JSON_WHOLE_MAX, &job->newconn_noticed, err);
        if (n < 0)
                return err_prefix(err, n, "partner");
        (void) snprintf(job->partner_text, sizeof(job->partner_text), "%s", json_text(p, "text"));
        if (cJSON_IsObject(result))
                job->partner_result = cJSON_Duplicate(result, true);
        return 0;
}

static int job_load_checkers(Job *job, const cJSON *record, Err *err)
{
        const cJSON *v;
        size_t i = 0;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(record, "checkers"))
        {
                uint64_t lanes = 0;
                Usec interval = 0;
                Addr addr;
                int r = json_get_seconds(v, "interval", DAY_SECONDS, &interval, err);
                if (r >= 0)
                        r = json_get_whole(v, "checkers", UINT32_MAX, &lanes, err);
                if (r < 0)
                        return err_prefix(err, r, "checkers[%zu]", i);
                if (addr_parse(json_text(v, "address"), &addr))
                        checkers_learned(job->checkers, &addr, interval, (unsigned) lanes);
                i++;
        }
        return 0;
}

/* What is known of the component. */
static int job_load_facts(Job *job, const cJSON *record, Err *err)
{
        int r = load_port(record, "health_port", &job->facts.health_port, err);
        if (r >= 0)
                r = load_port(record, "next_health_port", &job->next_health_port, err);
        if (r >= 0)
                r = job_load_ports(job, record, err);
        if (r >= 0)
                r = json_get_seconds(record, "request_limit", JSON_SECONDS_MAX,
                                     &job->facts.request_limit_usec, err);
        if (r >= 0)
                r = job_load_procs(job, record, err);
        if (r >= 0)
                job_load_block(job, record);
        return r;
}

int job_resume(Job **ret, const JobEnv *env, const cJSON *record, bool same_boot, int fds[JOB_PLACE_COUNT],
               Err *err)
{
        _cleanup_(job_freep) Job *job = NULL;
        const Component *component = config_component(env->config, json_text(record, "component"));
        RollKind kind = roll_kind_from_name(json_text(record, "kind"));
        Phase phase = phase_from_name(json_text(record, "phase"));
        const cJSON *changes = cJSON_GetObjectItemCaseSensitive(record, "changes");
        JobOptions options = { 0 };

        if (!component)
                return err_set(err, -EBADMSG, "component \"%s\" is not configured any more",
                               json_text(record, "component"));
        if (kind < 0 || phase <= PHASE_NONE || phase >= PHASE_END || !cJSON_IsObject(changes))
                return err_set(err, -EBADMSG, "kind, phase or changes make no sense");

        (void) snprintf(options.by, sizeof(options.by), "%s", json_text(record, "by"));
        (void) snprintf(options.who, sizeof(options.who), "%s", json_text(record, "who"));
        (void) snprintf(options.reason, sizeof(options.reason), "%s", json_text(record, "reason"));
        (void) snprintf(options.unprotected, sizeof(options.unprotected), "%s",
                        json_text(record, "unprotected"));
        options.start = json_true(record, "start");
        options.if_needed = json_true(record, "if_needed");
        options.persistent = persistent_from_name(json_text(record, "persistent"));
        options.at_cap = at_cap_from_name(json_text(record, "at_cap"));
        options.mp_leave = mp_leave_from_name(json_text(record, "mp_leave"));
        (void) snprintf(options.router_retry, sizeof(options.router_retry), "%s",
                        json_text(record, "router_retry"));

        uint64_t id = 0, resumes = 0;
        int r = json_get_seconds(record, "hold_seconds", HOLD_SECONDS, &options.hold_usec, err);
        if (r >= 0)
                r = json_get_whole(record, "id", JSON_WHOLE_MAX, &id, err);
        if (r >= 0)
                r = json_get_whole(record, "resumes", RESUMES_MOST, &resumes, err);
        if (r >= 0)
                r = job_new(&job, env, id, component, kind, &options, err);
        if (r < 0)
                return r;
        job->resumed = job->recorded = true;
        job->resumes = (unsigned) resumes + 1;
        if (job->resumes > 2 * JOB_RESUMES_MAX)
                return err_set(err, -ELOOP, "it was taken up %u times in phase %s, and never got out of it",
                               job->resumes, phase_name(phase));
        if (job->resumes > JOB_RESUMES_MAX)
                job->env.settle = true;
        Usec started = strtoull(json_text(record, "started"), NULL, 10);
        if (started > 0)
                job->started_wall = started;
        (void) snprintf(job->failure, sizeof(job->failure), "%s", json_text(record, "failure"));
        if ((r = job_place_load(job, record, err)) < 0)
                return r;
        job->changes = (JobChanges){
                .table = json_true(changes, "table"),
                .blocked = json_true(changes, "blocked"),
                .monit = json_true(changes, "monit"),
                .stopped = json_true(changes, "stopped"),
                .hooks = json_true(changes, "hooks"),
        };
        if ((r = job_load_facts(job, record, err)) < 0)
                return r;
        (void) snprintf(job->facts.self.uuid, sizeof(job->facts.self.uuid), "%s", json_text(record, "uuid"));
        job->facts.self_known = *job->facts.self.uuid;
        (void) snprintf(job->unit.unit, sizeof(job->unit.unit), "%s", json_text(record, "unit"));
        (void) snprintf(job->unit.invocation_id, sizeof(job->unit.invocation_id), "%s",
                        json_text(record, "invocation_id"));
        job->inode_sum = strtoull(json_text(record, "inode_sum"), NULL, 10);
        (void) snprintf(job->monit.unit, sizeof(job->monit.unit), "%s", json_text(record, "monit_unit"));
        job->monit.active = json_true(record, "monit_active");
        job->monit.check = monit_check_state_from_name(json_text(record, "monit_check"));
        if ((r = hold_read(env->config->state_dir, component->name, &job->hold, &job->held, err)) < 0)
                return r;
        if (same_boot && !job->held)
                job_record_hold(job, record);
        (void) snprintf(job->unit.control_group, sizeof(job->unit.control_group), "%s",
                        json_text(record, "control_group"));
        job->by_command = json_true(record, "by_command");
        (void) snprintf(job->ran_in, sizeof(job->ran_in), "%s", json_text(record, "ran_in"));
        if (*json_text(record, "snapshot") &&
            (r = snapshot_from_json(json_text(record, "snapshot"), &job->before, err)) < 0)
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
                if ((r = job_load_partner(job, record, err)) < 0)
                        return r;
                job->cut_off = !same_boot ||
                               json_true(cJSON_GetObjectItemCaseSensitive(record, "partner"), "cut_off");
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
                if ((r = job_load_checkers(job, record, err)) < 0)
                        return r;
                if (job->changes.blocked || job->changes.stopped)
                        (void) job_routers_unknown(job);
                r = job_block_new(job, TAKE_FD(fds[env->place]), err);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(job);
        return 0;
}
