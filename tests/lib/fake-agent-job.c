/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/result.h"
#include "tests/lib/fake-agent-impl.h"

FakeSlot *fake_slot(FakeAgent *a, const char *component)
{
        for (size_t i = 0; i < a->s.n_parts; i++)
                if (strcmp(a->s.parts[i].component, component) == 0)
                        return &a->slots[i];
        return NULL;
}

FakePart *fake_part(FakeAgent *a, const char *component)
{
        for (size_t i = 0; i < a->s.n_parts; i++)
                if (strcmp(a->s.parts[i].component, component) == 0)
                        return &a->s.parts[i];
        return NULL;
}

/* ---- how it stands ---- */

bool fake_concerns(const FakeJob *j, const char *component)
{
        return j && (strcmp(j->component, component) == 0 || strcmp(j->kind, "restart-rmp") == 0);
}

bool fake_placed(const FakeJob *j)
{
        return j && !j->over && j->phase > PHASE_PLACE && j->phase < PHASE_UNDO;
}

static bool job_blocks(const FakeJob *j)
{
        return j && !j->over && j->phase >= PHASE_BLOCK && j->phase < PHASE_UNBLOCK;
}

bool fake_stopped(FakeAgent *a, const FakePart *p)
{
        const FakeJob *j = a->job;
        return p->stopped || (fake_concerns(j, p->component) && !j->over && j->phase >= PHASE_STOP &&
                              j->phase <= PHASE_START && strncmp(j->kind, "restart", 7) == 0);
}

const char *fake_blocked(FakeAgent *a, const FakePart *p)
{
        if (p->blocked)
                return p->blocked;
        if (fake_slot(a, p->component)->held)
                return "hold";
        return fake_concerns(a->job, p->component) && job_blocks(a->job) ? "job" : "no";
}

static bool last_is(const FakeSlot *s, const char *result)
{
        const char *r = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(s->last, "result"));
        return r && strcmp(r, result) == 0;
}

const char *fake_out(FakeAgent *a, const FakePart *p)
{
        if (p->out_reason)
                return p->out_reason;
        if (fake_concerns(a->job, p->component) && fake_placed(a->job))
                return "a job is past place";
        if (strcmp(fake_blocked(a, p), "no") != 0)
                return "it is blocked";
        if (fake_stopped(a, p))
                return "it is not running";
        return last_is(fake_slot(a, p->component), "not-readmitted") ? "its last job ended not-readmitted"
                                                                     : "";
}

/* ---- telling ---- */

void fake_signal(FakeAgent *a, const char *path, const char *interface, const char *member, uint64_t seq,
                 const char *first, const char *second)
{
        for (FakeLink *l = a->links; l && !a->frozen; l = l->next) {
                sd_bus_message *m = NULL;
                if (sd_bus_is_ready(l->bus) <= 0 ||
                    sd_bus_message_new_signal(l->bus, &m, path, interface, member) < 0)
                        continue;
                int r = strcmp(member, "Event") == 0 ? sd_bus_message_append(m, "ts", seq, first)
                        : second                     ? sd_bus_message_append(m, "ss", first, second)
                                                     : sd_bus_message_append(m, "s", first);
                if (r >= 0)
                        (void) sd_bus_send(l->bus, m, NULL);
                (void) sd_bus_message_unref(m);
        }
}

void fake_agent_pulse(FakeAgent *a)
{
        for (size_t i = 0; i < a->s.n_parts; i++) {
                const FakePart *p = &a->s.parts[i];
                const FakeSlot *slot = &a->slots[i];
                char json[600];
                Usec now = time_boot();
                const FakeJob *j = fake_concerns(a->job, p->component) && !a->job->over ? a->job : NULL;
                if (a->dead || a->s.no_signals || !lease_current(&slot->lease, now))
                        continue;
                bool stopped = fake_stopped(a, p);
                (void) snprintf(json, sizeof(json),
                                "{\"up\":%s,\"running\":%s,\"blocked\":\"%s\",\"out\":%s,\"text\":\"%s\","
                                "\"epoch\":%" PRIu64 ",\"leased\":true,\"left\":%.3f,\"phase\":\"%s\"}",
                                stopped || p->not_up ? "false" : "true", stopped ? "false" : "true",
                                fake_blocked(a, p), *fake_out(a, p) ? "true" : "false",
                                stopped || p->not_up ? "does not answer" : "", slot->lease.epoch,
                                time_sec(lease_left(&slot->lease, now)), j ? phase_name(j->phase) : "");
                fake_signal(a, AGENT_PATH, AGENT, "Pulse", 0, p->component, json);
        }
}

int fake_on_pulse(sd_event_source *s, uint64_t usec, void *userdata)
{
        FakeAgent *a = userdata;
        (void) usec;
        fake_agent_pulse(a);
        (void) sd_event_source_set_time(s, time_add(time_now(),
                                                    a->s.pulse_usec ? a->s.pulse_usec : 5 * USEC_PER_SEC));
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void fake_job_path(const FakeJob *j, char *buf, size_t size)
{
        (void) snprintf(buf, size, JOB_PATH "%" PRIu64, j->id);
}

/* Takes @o. */
static void job_tell(FakeAgent *a, cJSON *o)
{
        FakeJob *j = a->job;
        char path[96], *text = cJSON_PrintUnformatted(o);
        char **events = realloc(j->events, (j->n_events + 1) * sizeof(*events));
        cJSON_Delete(o);
        if (!text || !events)
                abort();
        j->events = events;
        j->events[j->n_events++] = text;
        fake_job_path(j, path, sizeof(path));
        if (!a->s.no_signals)
                fake_signal(a, path, JOB, "Event", j->n_events - 1, text, NULL);
}

static cJSON *event_new(const char *what)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", what);
        return o;
}

void fake_job_names(const FakeJob *j, cJSON *o)
{
        char stamp[32];
        cJSON_AddStringToObject(o, "time", time_stamp(time_wall(), stamp, sizeof(stamp)));
        cJSON_AddNumberToObject(o, "job", (double) j->id);
        cJSON_AddStringToObject(o, "component", j->component);
        cJSON_AddStringToObject(o, "kind", j->kind);
        if (*j->roll) {
                cJSON_AddStringToObject(o, "roll", j->roll);
                cJSON_AddNumberToObject(o, "step", (double) j->step);
        }
}

void fake_job_tell_begin(FakeAgent *a)
{
        cJSON *o = event_new("job");
        fake_job_names(a->job, o);
        cJSON_AddStringToObject(o, "by", a->job->by);
        cJSON_AddStringToObject(o, "reason", a->job->reason);
        if (a->job->resumed)
                cJSON_AddBoolToObject(o, "resumed", true);
        job_tell(a, o);
}

void fake_job_tell_phase(FakeAgent *a, const char *state)
{
        cJSON *o = event_new("phase");
        cJSON_AddStringToObject(o, "phase", phase_name(a->job->phase));
        cJSON_AddStringToObject(o, "state", state);
        if (strcmp(state, "begin") == 0)
                cJSON_AddNumberToObject(o, "limit", 30);
        else {
                cJSON_AddStringToObject(o, "outcome", "ok");
                cJSON_AddNumberToObject(o, "elapsed", 0.001);
                cJSON_AddStringToObject(o, "evidence", "as scripted");
        }
        job_tell(a, o);
}

/* ---- jobs ---- */

static const Phase restart_phases[] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_PLACE,
                                        PHASE_BLOCK,     PHASE_NOTICE,   PHASE_DRAIN, PHASE_GATE,
                                        PHASE_STOP,      PHASE_START,    PHASE_READY, PHASE_VERIFY,
                                        PHASE_UNBLOCK,   PHASE_RETURN,   PHASE_END };
static const Phase drain_phases[] = { PHASE_PREFLIGHT, PHASE_DISCOVER, PHASE_WATCH, PHASE_PLACE, PHASE_BLOCK,
                                      PHASE_NOTICE,    PHASE_DRAIN,    PHASE_HOLD,  PHASE_END };
static const Phase undrain_phases[] = { PHASE_PREFLIGHT, PHASE_UNBLOCK, PHASE_RETURN, PHASE_END };

static Phase phase_after(const FakeJob *j)
{
        const Phase *p = strcmp(j->kind, "drain") == 0     ? drain_phases
                         : strcmp(j->kind, "undrain") == 0 ? undrain_phases
                                                           : restart_phases;
        if (j->phase == PHASE_NONE)
                return p[0];
        for (; *p != PHASE_END; p++)
                if (*p == j->phase)
                        return p[1];
        return PHASE_END;
}

void fake_job_free(FakeJob *j)
{
        for (size_t i = 0; j && i < j->n_events; i++)
                free(j->events[i]);
        if (j)
                free(j->events);
        free(j);
}

static void job_end(FakeAgent *a, const char *result, const char *reason)
{
        FakeJob *j = a->job;
        bool good = strcmp(result, "done") == 0;
        cJSON *o = event_new("result");
        fake_job_names(j, o);
        cJSON_AddStringToObject(o, "result", result);
        cJSON_AddNumberToObject(o, "exit", result_exit_code(result_from_name(result)));
        cJSON_AddStringToObject(o, "reason", reason);
        cJSON_AddStringToObject(o, "hint", good ? "" : text_of(a->s.hint));
        cJSON_AddNumberToObject(o, "elapsed", time_sec(time_now() - j->begun));
        (void) cJSON_AddArrayToObject(o, "phases");
        cJSON_AddStringToObject(o, "protection", j->lease ? "lease" : "unprotected");
        j->over = true;
        for (size_t i = 0; i < a->s.n_parts; i++) {
                if (!fake_concerns(j, a->s.parts[i].component))
                        continue;
                cJSON_Delete(a->slots[i].last);
                a->slots[i].last = cJSON_Duplicate(o, true);
                if (strcmp(result, "held") == 0 || (good && strcmp(j->kind, "drain") == 0))
                        a->slots[i].held = true;
                else if (good)
                        a->slots[i].held = false;
        }
        a->job_timer = sd_event_source_unref(a->job_timer);
        job_tell(a, o);
        fake_agent_pulse(a);
}

static bool job_lease_holds(FakeAgent *a)
{
        const FakeJob *j = a->job;
        for (size_t i = 0; j->lease && i < a->s.n_parts; i++)
                if (fake_concerns(j, a->s.parts[i].component) &&
                    !lease_holds(&a->slots[i].lease, a->slots[i].lease.epoch, time_boot()))
                        return false;
        return true;
}

static void job_enter(FakeAgent *a, Phase phase)
{
        FakeJob *j = a->job;
        j->phase = phase;
        j->progress = 0;
        fake_job_tell_phase(a, "begin");
        if (phase == PHASE_START && strncmp(j->kind, "restart", 7) == 0)
                a->restarts++;
        if (phase == PHASE_BLOCK || phase == PHASE_STOP || phase == PHASE_READY || phase == PHASE_UNBLOCK)
                fake_agent_pulse(a);
        fake_job_timer_set(a);
}

void fake_job_step(FakeAgent *a)
{
        FakeJob *j = a->job;
        Phase next;
        if (j->cancelled) {
                j->phase = PHASE_UNDO;
                fake_job_tell_phase(a, "begin");
                fake_job_tell_phase(a, "end");
                job_end(a, "gave-back", "cancelled");
                return;
        }
        if (j->phase == PHASE_PLACE && !job_lease_holds(a)) {
                job_end(a, "gave-back", "the lease is not in force any more");
                return;
        }
        if (j->phase != PHASE_NONE && j->progress < a->s.progress) {
                cJSON *o = event_new("progress");
                j->progress++;
                cJSON_AddStringToObject(o, "phase", phase_name(j->phase));
                cJSON_AddNumberToObject(o, "elapsed", 0.1 * j->progress);
                cJSON_AddNumberToObject(o, "limit", 30);
                cJSON_AddStringToObject(o, "text", "waiting as scripted");
                job_tell(a, o);
                fake_job_timer_set(a);
                return;
        }
        if (j->phase == PHASE_PLACE && j->await_go && !j->gone_ahead) {
                fake_job_timer_set(a);
                return;
        }
        if (j->phase != PHASE_NONE)
                fake_job_tell_phase(a, "end");
        if (j->phase != PHASE_NONE && j->phase == a->s.fail_phase) {
                job_end(a, text_of(a->s.result), text_of(a->s.reason));
                return;
        }
        if (j->phase == PHASE_PREFLIGHT && j->if_needed && a->s.not_needed) {
                job_end(a, "not-needed", "nothing speaks for a restart");
                return;
        }
        if ((next = phase_after(j)) != PHASE_END) {
                job_enter(a, next);
                return;
        }
        bool scripted = a->s.result && a->s.fail_phase == PHASE_NONE;
        job_end(a, scripted ? a->s.result : "done", scripted ? text_of(a->s.reason) : "");
}

static int on_job_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        FakeAgent *a = userdata;
        (void) s;
        (void) usec;
        if (!a->frozen && !a->dead && a->job && !a->job->over)
                fake_job_step(a);
        return 0;
}

void fake_job_timer_set(FakeAgent *a)
{
        const FakeJob *j = a->job;
        Usec usec = a->s.phase_usec[j->phase] ? a->s.phase_usec[j->phase] : a->s.all_phases_usec;
        usec = usec ? usec : USEC_PER_MSEC;
        bool waits = j->phase == PHASE_PLACE && j->await_go && !j->gone_ahead;
        /* It sees within that time that its lease is gone. */
        if (waits)
                usec = 50 * USEC_PER_MSEC;
        a->job_timer = sd_event_source_unref(a->job_timer);
        if (a->frozen || a->dead || a->stands || usec == USEC_INFINITY)
                return;
        (void) sd_event_add_time(a->event, &a->job_timer, CLOCK_MONOTONIC, time_add(time_now(), usec), 1,
                                 on_job_time, a);
}

void fake_agent_stand(FakeAgent *a, bool stands)
{
        a->stands = stands;
        if (a->job && !a->job->over)
                fake_job_timer_set(a);
}

void fake_agent_finish(FakeAgent *a)
{
        if (a->job && !a->job->over)
                fake_job_step(a);
}

FakeJob *fake_job_new(FakeAgent *a, const char *component, const char *kind)
{
        FakeJob *j = calloc(1, sizeof(*j));
        fake_job_free(a->job);
        a->job = j;
        j->id = ++a->last_id;
        j->begun = time_now();
        (void) snprintf(j->component, sizeof(j->component), "%.31s", component);
        (void) snprintf(j->kind, sizeof(j->kind), "%.31s", kind);
        return j;
}
