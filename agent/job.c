/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/job-impl.h"

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "agent/journal.h"
#include "probes/json.h"

#define NO_LIMIT_USEC (12 * 3600 * USEC_PER_SEC)
#define PROGRESS_KEPT 256 /* progress events a late joiner is shown */

static const PhaseOps *const job_ops[PHASE_END] = {
        [PHASE_PREFLIGHT] = &job_preflight,
        [PHASE_DISCOVER] = &job_discover,
        [PHASE_WATCH] = &job_watch,
        [PHASE_PLACE] = &job_place,
        [PHASE_BLOCK] = &job_block,
        [PHASE_NOTICE] = &job_notice,
        [PHASE_DRAIN] = &job_drain,
        [PHASE_STOP_MONIT] = &job_stop_monit,
        [PHASE_PARTNER] = &job_partner,
        [PHASE_GATE] = &job_gate,
        [PHASE_STOP] = &job_stop,
        [PHASE_START] = &job_start_unit,
        [PHASE_READY] = &job_ready,
        [PHASE_VERIFY] = &job_verify,
        [PHASE_START_MONIT] = &job_start_monit,
        [PHASE_UNBLOCK] = &job_unblock,
        [PHASE_RETURN] = &job_return,
        [PHASE_UNDO] = &job_undo,
        [PHASE_HOLD] = &job_hold,
};

/* ---- what is told ---- */

const char *job_place_table(JobPlace place)
{
        return place == JOB_PARTNER ? BLOCK_PARTNER_TABLE : BLOCK_TABLE;
}

const char *job_record_name(JobPlace place)
{
        static const char *const names[JOB_PLACE_COUNT] = {
                [JOB_MAIN] = "job.json",
                [JOB_PARTNER] = "job-partner.json",
        };
        return names[place];
}

JournalContext job_context(const Job *job)
{
        return (JournalContext){
                .id = job->id,
                .component = job->component->name,
                .phase = phase_name(roll_phase(job->roll)),
                .unit = job->unit.unit,
        };
}

/* Takes @object. An event that cannot be allocated is lost; the job goes on. */
void job_tell(Job *job, cJSON *object, bool progress)
{
        char *text = object ? cJSON_PrintUnformatted(object) : NULL;
        cJSON_Delete(object);
        (void) json_lost(); /* told with what there is: better than nothing */
        if (!text)
                return;
        /* Texts of others are cut where they are too long, perhaps within a character; D-Bus takes no half
         * ones. */
        for (char *p = text; *p; p++)
                if ((unsigned char) *p >= 0x7f)
                        *p = '?';

        char **events = realloc(job->events, (job->n_events + 1) * sizeof(*events));
        if (!events) {
                free(text);
                return;
        }
        job->events = events;
        uint64_t seq = job->n_events++;
        events[seq] = text;
        if (progress && job->progress) {
                size_t *slot = &job->progress[job->n_progress++ % PROGRESS_KEPT];
                if (job->n_progress > PROGRESS_KEPT) {
                        free(events[*slot]);
                        events[*slot] = NULL;
                }
                *slot = seq;
        }
        job->env.told(job, seq, text, job->env.userdata);
}

void job_forward(Job *job, cJSON *event, bool progress)
{
        job_tell(job, event, progress);
}

static cJSON *job_object(const char *event)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", event);
        return o;
}

static void job_add_seconds(cJSON *o, const char *key, Usec usec)
{
        if (usec == USEC_INFINITY)
                cJSON_AddNullToObject(o, key);
        else {
                Usec msec = usec / USEC_PER_MSEC; /* three decimals are enough for people and programs */
                cJSON_AddNumberToObject(o, key, (double) msec / 1000.0);
        }
}

void job_progress(Job *job, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(job->awaiting, sizeof(job->awaiting), fmt, ap);
        va_end(ap);

        Usec now = time_now();
        if (strcmp(job->awaiting, job->told_text) == 0 || now - job->told_progress < JOB_PROGRESS_USEC)
                return;
        job->told_progress = now;
        (void) snprintf(job->told_text, sizeof(job->told_text), "%s", job->awaiting);

        Phase phase = roll_phase(job->roll);
        Usec elapsed = roll_elapsed(job->roll, phase, now);
        cJSON *o = job_object("progress");
        cJSON_AddStringToObject(o, "phase", phase_name(phase));
        job_add_seconds(o, "elapsed", elapsed);
        /* A wait that is ended by others (a lease, a place) has a limit for form's sake only. */
        Usec left = time_left(roll_deadline(job->roll), now);
        job_add_seconds(o, "limit", left < NO_LIMIT_USEC ? time_add(elapsed, left) : USEC_INFINITY);
        cJSON_AddStringToObject(o, "text", job->awaiting);
        job_tell(job, o, true);
}

void job_warn(Job *job, const char *fmt, ...)
{
        char text[512];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);

        if (roll_kind(job->roll) == ROLL_DOCTOR) {
                job_find(job, FINDING_WARNING, phase_name(roll_phase(job->roll)), NULL, "%s", text);
                return;
        }
        JournalContext c = job_context(job);
        journal_log(LOG_WARNING, JOURNAL_WARNING, &c, "%s: %s", job->component->name, text);
        json_append(job->warnings, cJSON_CreateString(text));
        cJSON *o = job_object("warning");
        cJSON_AddStringToObject(o, "phase", phase_name(roll_phase(job->roll)));
        cJSON_AddStringToObject(o, "text", text);
        job_tell(job, o, false);
}

static void job_add_roll(const Job *job, cJSON *o)
{
        if (!*job->options.roll)
                return;
        cJSON_AddStringToObject(o, "roll", job->options.roll);
        cJSON_AddNumberToObject(o, "step", (double) job->options.step);
        if (job->options.lease)
                cJSON_AddNumberToObject(o, "lease", (double) job->options.lease);
}

static void job_tell_begin(Job *job)
{
        char stamp[32];
        cJSON *o = job_object("job");
        cJSON_AddStringToObject(o, "time", time_stamp(job->started_wall, stamp, sizeof(stamp)));
        cJSON_AddNumberToObject(o, "job", (double) job->id);
        cJSON_AddStringToObject(o, "component", job->component->name);
        cJSON_AddStringToObject(o, "kind", roll_kind_name(roll_kind(job->roll)));
        cJSON_AddStringToObject(o, "by", job->options.by);
        cJSON_AddStringToObject(o, "reason", job->options.reason);
        job_add_roll(job, o);
        if (job->resumed)
                cJSON_AddBoolToObject(o, "resumed", true);
        job_tell(job, o, false);
}

static void job_add_drained(const Job *job, cJSON *o)
{
        const InflightSummary *s = &job->look.summary;
        if (s->looks == 0)
                return;
        cJSON *d = cJSON_AddObjectToObject(o, "drained");
        cJSON_AddNumberToObject(d, "sockets", s->sockets);
        cJSON_AddNumberToObject(d, "looks", (double) s->looks);
        cJSON_AddNumberToObject(d, "busy", s->busy + s->persistent_busy);
        cJSON_AddNumberToObject(d, "unknown", s->unknown);
        cJSON_AddNumberToObject(d, "idle_by_age_only", s->idle_by_age);
        cJSON_AddNumberToObject(d, "persistent", s->persistent);
        cJSON_AddNumberToObject(d, "freezes", job->gates);
}

static void job_add_checkers(const Job *job, cJSON *o)
{
        CheckerInfo info;
        char addr[ADDR_TEXT_SIZE];
        cJSON *a = cJSON_AddArrayToObject(o, "checkers");
        for (size_t i = 0; job->checkers && checkers_get(job->checkers, i, &info); i++) {
                cJSON *c = cJSON_CreateObject();
                cJSON_AddStringToObject(c, "address", addr_format(&info.addr, addr, sizeof(addr)));
                job_add_seconds(c, "interval", info.interval_usec);
                cJSON_AddNumberToObject(c, "checkers", info.lanes);
                cJSON_AddBoolToObject(c, "awaited", info.awaited);
                json_append(a, c);
        }
}

static cJSON *job_result_object(Job *job, Result result)
{
        Usec now = time_now();
        char stamp[32];
        cJSON *o = job_object("result");
        cJSON_AddStringToObject(o, "time", time_stamp(time_wall(), stamp, sizeof(stamp)));
        cJSON_AddNumberToObject(o, "job", (double) job->id);
        cJSON_AddStringToObject(o, "component", job->component->name);
        cJSON_AddStringToObject(o, "kind", roll_kind_name(roll_kind(job->roll)));
        cJSON_AddStringToObject(o, "result", result_name(result));
        cJSON_AddNumberToObject(o, "exit", result_exit_code(result));
        cJSON_AddStringToObject(o, "reason", job->failure);
        cJSON_AddStringToObject(o, "hint", job->hint);
        job_add_seconds(o, "elapsed", now - job->started);
        if (*job->ran_in)
                cJSON_AddStringToObject(o, "ran_in", job->ran_in);
        if (*job->runs_in)
                cJSON_AddStringToObject(o, "runs_in", job->runs_in);
        cJSON *phases = cJSON_AddArrayToObject(o, "phases");
        for (Phase p = PHASE_PREFLIGHT; p < PHASE_END; p++) {
                if (roll_elapsed(job->roll, p, now) == 0 && !*job->evidence[p])
                        continue;
                cJSON *row = cJSON_CreateObject();
                cJSON_AddStringToObject(row, "phase", phase_name(p));
                job_add_seconds(row, "elapsed", roll_elapsed(job->roll, p, now));
                cJSON_AddStringToObject(row, "evidence", job->evidence[p]);
                json_append(phases, row);
        }
        job_add_checkers(job, o);
        job_add_drained(job, o);
        if (job->partner_result)
                json_put(o, "partner", cJSON_Duplicate(job->partner_result, true));
        if (job->needed)
                json_put(o, "needed", cJSON_Duplicate(job->needed, true));
        if (roll_kind(job->roll) == ROLL_DOCTOR) {
                json_put(o, "findings", cJSON_Duplicate(job->findings, true));
                return o;
        }
        job_add_roll(job, o);
        cJSON_AddStringToObject(o, "protection", job->protection);
        cJSON_AddStringToObject(o, "lock_text", job->lock_text);
        if (*job->options.unprotected)
                cJSON_AddStringToObject(o, "unprotected_reason", job->options.unprotected);
        json_put(o, "warnings", cJSON_Duplicate(job->warnings, true));
        return o;
}

/* ---- the record ---- */

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

/* ---- timers ---- */

static int job_on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        const PhaseOps *ops = job_ops[roll_phase(job->roll)];
        if (ops->tick)
                ops->tick(job);
        return 0;
}

int job_timer(Job *job, sd_event_source **timer, Usec when, sd_event_time_handler_t fn)
{
        int r;

        if (!*timer) {
                /* 1 ms accuracy: the default of 250 ms would add up over the phases. */
                r = sd_event_add_time(job->env.event, timer, CLOCK_MONOTONIC, when, 1000, fn, job);
                if (r < 0)
                        *timer = NULL;
                return r;
        }
        r = sd_event_source_set_time(*timer, when);
        return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

void job_tick(Job *job, Usec usec)
{
        (void) job_timer(job, &job->tick, time_now() + usec, job_on_tick);
}

static int job_on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        const PhaseOps *ops = job_ops[roll_phase(job->roll)];
        if (ops->timeout)
                ops->timeout(job);
        else
                job_feed(job, ROLL_EV_TIMEOUT, "not within its limit: %s", job->awaiting);
        return 0;
}

void job_extend(Job *job)
{
        Phase phase = roll_phase(job->roll);
        Usec now = time_now();
        roll_set_limit(job->roll, phase,
                       roll_elapsed(job->roll, phase, now) + component_limit(job->component, phase));
        (void) job_timer(job, &job->deadline, roll_deadline(job->roll), job_on_deadline);
}

void job_lengthen(Job *job, Usec usec)
{
        Phase phase = roll_phase(job->roll);
        Usec now = time_now();
        if (usec == 0)
                return;
        roll_set_limit(job->roll, phase,
                       time_add(time_add(roll_elapsed(job->roll, phase, now),
                                         time_left(roll_deadline(job->roll), now)),
                                usec));
        (void) job_timer(job, &job->deadline, roll_deadline(job->roll), job_on_deadline);
}

/* ---- phases ---- */

static void job_drop_calls(Job *job)
{
        job->tick = sd_event_source_unref(job->tick);
        job->call = systemd_call_cancel(job->call);
        job->call2 = systemd_call_cancel(job->call2);
        job_hooks_cancel(job);
        job_targets_cancel(job);
        job->facts_call = facts_cancel(job->facts_call);
        for (size_t i = 0; i < ELEMENTS(job->http); i++)
                job->http[i] = http_cancel(job->http[i]);
        job->http_pending = 0;
        job->snapshot_call = snapshot_fetch_cancel(job->snapshot_call);
        job->needed_call = needed_look_cancel(job->needed_call);
        if (job->monit_running)
                monit_cancel(job->env.monit);
        job->monit_running = false;
}

/*
 * Where one agent died the next may as well, and the one after it may never start: so from then on what is
 * not proven is kept out by something that needs nobody. `unblock` ends it, like any hold.
 * model: HOLD-FIRST
 */
static void job_hold_first(Job *job, Phase phase)
{
        Err err = { 0 };
        bool unproven = phase == PHASE_START || phase == PHASE_READY || phase == PHASE_VERIFY ||
                        (phase == PHASE_BLOCK && roll_kind(job->roll) == ROLL_RECOVER);
        if (!job->hold_first || !unproven)
                return;
        job->hold_first = false;
        if (job_hold_put(job, false, "its restart was cut off; it is being proven", &err))
                job->held = true;
        else
                job_warn(job, "it cannot be held while it is being proven: %s", err.text);
}

static void job_enter(Phase phase, void *userdata)
{
        Job *job = userdata;
        Usec now = time_now(), deadline = roll_deadline(job->roll);

        job->awaiting[0] = job->told_text[0] = '\0';
        job->told_progress = 0;
        if (deadline != USEC_INFINITY)
                (void) job_timer(job, &job->deadline, deadline, job_on_deadline);
        cJSON *o = job_object("phase");
        cJSON_AddStringToObject(o, "phase", phase_name(phase));
        cJSON_AddStringToObject(o, "state", "begin");
        job_add_seconds(o, "limit", time_left(deadline, now));
        job_tell(job, o, false);
        /* Counted before anything is done that may end this agent as well. */
        if (job->resumed && job->resumes > 0 && (job->changes.table || job->changes.stopped))
                (void) job_save(job);
        job_hold_first(job, phase);
        job_ops[phase]->enter(job);
}

static void job_leave(Phase phase, RollEvent event, void *userdata)
{
        Job *job = userdata;
        const PhaseOps *ops = job_ops[phase];

        job_drop_calls(job);
        job->resumes = 0;
        if (ops->leave)
                ops->leave(job, event);
        cJSON *o = job_object("phase");
        cJSON_AddStringToObject(o, "phase", phase_name(phase));
        cJSON_AddStringToObject(o, "state", "end");
        cJSON_AddStringToObject(o, "outcome", roll_event_name(event));
        job_add_seconds(o, "elapsed", roll_elapsed(job->roll, phase, time_now()));
        cJSON_AddStringToObject(o, "evidence", job->evidence[phase]);
        job_tell(job, o, false);

        JournalContext c = job_context(job);
        journal_log(event == ROLL_EV_OK ? LOG_INFO : LOG_NOTICE, JOURNAL_PHASE, &c, "%s: %s: %s: %s",
                    job->component->name, phase_name(phase), roll_event_name(event), job->evidence[phase]);
}

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

static void job_keep_result(Job *job, const cJSON *result)
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

static void job_log_end(const Job *job, Result result)
{
        JournalContext c = job_context(job);
        const char *id = roll_kind(job->roll) == ROLL_DOCTOR                          ? JOURNAL_JOB_DONE
                         : result == RESULT_DONE                                      ? JOURNAL_JOB_DONE
                         : result == RESULT_HELD                                      ? JOURNAL_HELD
                         : result == RESULT_FAILED || result == RESULT_NOT_READMITTED ? JOURNAL_BAD_END
                                                                                      : JOURNAL_JOB_ENDED;

        if (roll_kind(job->roll) == ROLL_DOCTOR)
                journal_log(LOG_NOTICE, id, &c, "%s: doctor: %s", job->component->name, job->failure);
        else if (result == RESULT_NOT_NEEDED)
                journal_log(LOG_INFO, id, &c, "%s: %s %s", job->component->name, job_kind(job), job->failure);
        else if (result == RESULT_DONE)
                journal_log(LOG_NOTICE, id, &c, "%s: %s done", job->component->name, job_kind(job));
        else
                journal_log(result == RESULT_HELD || result == RESULT_FAILED ? LOG_ERR : LOG_WARNING, id, &c,
                            "%s: %s ended: %s: %s", job->component->name, job_kind(job), result_name(result),
                            job->failure);
}

/* The record of a job is all that the disk says of its hold, until that has one of its own. */
static bool job_keeps_record(const Job *job)
{
        const Unwritten *u = job->env.unwritten;
        return unwritten_has(u, job->component->name) || (u->n > 0 && !job->recorded);
}

static void job_finished(Result result, void *userdata)
{
        Job *job = userdata;

        job->deadline = sd_event_source_unref(job->deadline);
        job_beat(job, false);
        job_renewing(job, false);
        if (roll_kind(job->roll) != ROLL_DRY_RUN)
                job_learn(job, result);
        if (job->block) {
                /* With a transit block that could not be opened the table must not go on being renewed; its
                 * timeout opens it. Everything else has been settled by undo, hold or unblock. */
                Err err = { 0 };
                if (block_remove(job->block, &err) < 0)
                        job_warn(job, "the table inet %s could not be removed: %s", job_table_name(job),
                                 err.text);
                job->env.keep_fd(job->env.place, -1, job->env.userdata);
                job->block = block_free(job->block);
        }
        job->deaths = deaths_free(job->deaths);
        partner_uncount(job);
        job->result = result;
        /* Told to the disk and the journal before the record is gone: whoever dies here leaves a job that the
         * next agent ends once more, not one of which nobody knows how it ended. What was not needed is no
         * news: the last restart stays the last one that is told. A roll looks for it. */
        if (roll_kind(job->roll) != ROLL_DRY_RUN && roll_kind(job->roll) != ROLL_DOCTOR &&
            (result != RESULT_NOT_NEEDED || !job->options.if_needed || *job->options.roll)) {
                (void) json_lost(); /* what was lost before is no matter of the result */
                cJSON *kept = job_result_object(job, result);
                job_keep_result(job, kept);
                cJSON_Delete(kept);
        }
        job_log_end(job, result);
        Err err = { 0 };
        /* A job within another one is over when that one has written down how it ended. model: JOB-OVER */
        if (!job->within && !job_keeps_record(job) &&
            state_remove(job->env.config->state_dir, job_record_name(job->env.place), &err) < 0)
                job_warn(job, "the record of this job cannot be removed: %s", err.text);

        job->over = true;
        job_tell(job, job_result_object(job, result), false);
        job->env.ended(job, result, job->env.userdata);
}

static void job_evidence(Job *job, const char *fmt, va_list ap) _printf_(2, 0);
static void job_evidence(Job *job, const char *fmt, va_list ap)
{
        (void) vsnprintf(job->evidence[roll_phase(job->roll)], sizeof(job->evidence[0]), fmt, ap);
}

void job_ok(Job *job, const char *evidence, ...)
{
        va_list ap;
        va_start(ap, evidence);
        job_evidence(job, evidence, ap);
        va_end(ap);
        (void) roll_feed(job->roll, ROLL_EV_OK, RESULT_INVALID, time_now());
}

/* What a phase that failed was about, in one word. */
static const char *job_subject(Phase phase)
{
        return phase == PHASE_WATCH ? "checkers" : phase == PHASE_DISCOVER ? "ports" : "component";
}

void job_fail(Job *job, Result result, const char *hint, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        job_evidence(job, fmt, ap);
        va_end(ap);
        if (roll_kind(job->roll) == ROLL_DOCTOR && roll_phase(job->roll) <= PHASE_WATCH) {
                char text[sizeof(job->evidence[0])];
                (void) snprintf(text, sizeof(text), "%s", job->evidence[roll_phase(job->roll)]);
                job_find(job, FINDING_PROBLEM, job_subject(roll_phase(job->roll)), hint, "%s", text);
                job_examined(job);
                return;
        }
        if (!*job->failure) {
                (void) snprintf(job->failure, sizeof(job->failure), "%s",
                                job->evidence[roll_phase(job->roll)]);
                (void) snprintf(job->hint, sizeof(job->hint), "%s", hint ? hint : "");
        }
        (void) roll_feed(job->roll, ROLL_EV_FAIL, result, time_now());
}

void job_feed(Job *job, RollEvent event, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        job_evidence(job, fmt, ap);
        va_end(ap);
        if ((event == ROLL_EV_TIMEOUT || event == ROLL_EV_CANCEL) && !*job->failure)
                (void) snprintf(job->failure, sizeof(job->failure), "%s: %.480s",
                                phase_name(roll_phase(job->roll)), job->evidence[roll_phase(job->roll)]);
        (void) roll_feed(job->roll, event, RESULT_INVALID, time_now());
}

/* ---- life ---- */

int job_new(Job **ret, const JobEnv *env, uint64_t id, const Component *component, RollKind kind,
            const JobOptions *options, Err *err)
{
        static const RollEffects effects = { .enter = job_enter,
                                             .leave = job_leave,
                                             .finished = job_finished };
        Usec limits[PHASE_COUNT];

        _cleanup_(job_freep) Job *job = calloc(1, sizeof(*job));
        if (!job)
                return err_set(err, -ENOMEM, "out of memory");
        job->env = *env;
        job->id = id;
        job->component = component;
        job->options = *options;
        job->result = job->partner_end = RESULT_INVALID;
        job->protection = "unprotected";
        job->persistent_asked = options->persistent;
        job->at_cap_asked = options->at_cap;
        job->mp_leave_asked = options->mp_leave;
        if (job->options.persistent < 0)
                job->options.persistent = component->persistent;
        if (job->options.at_cap < 0)
                job->options.at_cap = component->at_cap;
        if (job->options.mp_leave < 0)
                job->options.mp_leave = component->mp_leave;
        for (Phase p = PHASE_NONE; p < PHASE_COUNT; p++)
                limits[p] = component_limit(component, p);
        job->warnings = cJSON_CreateArray();
        job->findings = cJSON_CreateArray();
        job->progress = calloc(PROGRESS_KEPT, sizeof(*job->progress));
        job->started = time_now();
        job->started_wall = time_wall();
        if (!job->warnings || !job->findings || !job->progress ||
            roll_new(&job->roll, kind, &effects, limits, job) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        *ret = TAKE_PTR(job);
        return 0;
}

/*
 * What a phase may assume when it is entered: the table is ours, and where something is blocked it is
 * renewed. The phases up to `block` see to that themselves.
 */
static void job_take_over(Job *job)
{
        Err err = { 0 };
        bool partner = job->resume_phase == PHASE_PARTNER;
        bool graceful = roll_kind(job->roll) == ROLL_RESTART_GRACEFUL && job->resume_phase > PHASE_WATCH;
        if (!job->block || (job->resume_phase < PHASE_STOP && !partner && !graceful) ||
            (partner && job->cut_off))
                return;
        if (job_table(job, &err) < 0) {
                job_warn(job, "the table of the agent before cannot be taken over: %s", err.text);
                return;
        }
        if (!job->changes.blocked || job->resume_phase == PHASE_UNDO || job->resume_phase == PHASE_UNBLOCK)
                return;
        if (!job_block_check(job))
                job->lapsed = partner;
        job_renewing(job, true);
}

void job_start(Job *job)
{
        JournalContext c = job_context(job);
        journal_log(LOG_NOTICE, JOURNAL_JOB_BEGIN, &c, "%s: %s %s, asked by %s%s%s", job->component->name,
                    job_kind(job), job->resumed ? "goes on" : "begins", job->options.by,
                    *job->options.reason ? ": " : "", job->options.reason);
        job_tell_begin(job);
        if (job->resumed) {
                if (job->unwritten)
                        job_warn(job,
                                 "the record of this job cannot be written any more; it is only brought to "
                                 "an end");
                job_take_over(job);
                job_zk_resume(job);
        }
        if (job->resumed && job->resume_phase == PHASE_UNDO && !*job->failure)
                (void) snprintf(job->failure, sizeof(job->failure), "the job was cut off, by %s",
                                job->env.settle ? "the end of its agent"
                                                : "a reboot or in the middle of undoing");
        job_beat(job, true);
        roll_start(job->roll, job->resume_phase, time_now());
}

Job *job_free(Job *job)
{
        if (!job)
                return NULL;
        job_free(job->partner);
        block_free(job->partner_block);
        job_drop_calls(job);
        job_zk_drop(job);
        sd_event_source_unref(job->deadline);
        job_beat(job, false);
        job_renewing(job, false);
        for (size_t i = 0; i < job->n_events; i++)
                free(job->events[i]);
        free(job->events);
        free(job->progress);
        free(job->foreign);
        cJSON_Delete(job->warnings);
        cJSON_Delete(job->needed);
        cJSON_Delete(job->partner_result);
        cJSON_Delete(job->findings);
        block_free(job->block);
        checkers_free(job->checkers);
        inflight_free(job->inflight);
        cuts_free(job->cuts);
        deaths_free(job->deaths);
        kept_conns_free(job->kept);
        snapshot_free(job->before);
        job_targets_free(job);
        roll_free(job->roll);
        free(job);
        return NULL;
}

int job_cancel(Job *job, const char *why, Err *err)
{
        if (job->over)
                return err_set(err, -EALREADY, "the job is over");
        if (job->partner) {
                int r = job_cancel(job->partner, why, err);
                return r < 0 ? err_prefix(err, -EBUSY, "%s", job->partner->component->name) : 0;
        }
        if (!roll_can_cancel(job->roll))
                return err_set(err, -EBUSY, "cannot be undone in phase %s, will finish", job_phase(job));
        (void) snprintf(job->hint, sizeof(job->hint), "everything that was changed is put back");
        job_feed(job, ROLL_EV_CANCEL, "cancelled%s%s", why && *why ? ": " : "", why ? why : "");
        return 0;
}

bool job_can_cancel(const Job *job)
{
        if (job->over)
                return false;
        return job->partner ? job_can_cancel(job->partner) : roll_can_cancel(job->roll);
}

const JobOptions *job_options(const Job *job)
{
        return &job->options;
}

RollKind job_roll_kind(const Job *job)
{
        return roll_kind(job->roll);
}

uint64_t job_id(const Job *job)
{
        return job->id;
}

const Component *job_component(const Job *job)
{
        return job->component;
}

const Job *job_within(const Job *job)
{
        return partner_running(job) ? job->partner : NULL;
}

bool job_concerns(const Job *job, const char *name)
{
        const Component *partner = roll_kind(job->roll) == ROLL_RESTART_RMP ? partner_component(job) : NULL;
        return strcmp(name, job->component->name) == 0 || (partner && strcmp(name, partner->name) == 0);
}

const char *job_kind(const Job *job)
{
        return roll_kind_name(roll_kind(job->roll));
}

const char *job_phase(const Job *job)
{
        return phase_name(roll_phase(job->roll));
}

const char *job_awaiting(const Job *job)
{
        return job->awaiting;
}

const char *job_by(const Job *job)
{
        return job->options.by;
}

const char *job_reason(const Job *job)
{
        return job->options.reason;
}

Usec job_elapsed(const Job *job)
{
        return time_now() - job->started;
}

bool job_over(const Job *job)
{
        return job->over;
}

Result job_result(const Job *job)
{
        return job->result;
}

const char *job_event(const Job *job, uint64_t seq)
{
        return seq < job->n_events ? job->events[seq] : NULL;
}

uint64_t job_next_seq(const Job *job)
{
        return job->n_events;
}
