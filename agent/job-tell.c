/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a job tells those who follow it: its events, and the one with its result. */

#include "agent/job-impl.h"

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "probes/json.h"

#define NO_LIMIT_USEC (12 * 3600 * USEC_PER_SEC)

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
                size_t *slot = &job->progress[job->n_progress++ % JOB_PROGRESS_KEPT];
                if (job->n_progress > JOB_PROGRESS_KEPT) {
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

cJSON *job_object(const char *event)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", event);
        return o;
}

void job_add_seconds(cJSON *o, const char *key, Usec usec)
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

void job_tell_begin(Job *job)
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

void job_add_checkers(const Job *job, cJSON *o)
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

cJSON *job_result_object(Job *job, Result result)
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
