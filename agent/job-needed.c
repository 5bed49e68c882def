/* SPDX-License-Identifier: GPL-3.0-or-later */

/* --if-needed: a restart ends in preflight when nothing speaks for it. */

#include "agent/job-impl.h"

#include <string.h>
#include <syslog.h>

#include "probes/json.h"

static void needed_next(Job *job)
{
        void (*next)(Job *) = job->needed_next;
        job->needed_next = NULL;
        next(job);
}

/* What was found, for everybody who follows the job and for its result. */
static void needed_tell(Job *job, const Component *c, const Needed *needed, const char *text)
{
        JournalContext context = job_context(job);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "needed");
        cJSON_AddStringToObject(o, "component", c->name);
        cJSON_AddStringToObject(o, "text", text);
        needed_json(needed, o);
        if (!job->needed)
                job->needed = cJSON_CreateArray();
        cJSON *kept = cJSON_Duplicate(o, true);
        cJSON_DeleteItemFromObjectCaseSensitive(kept, "event");
        json_append(job->needed, kept);
        /* One that is not made is told by the end of the job. */
        if (needed_verdict(needed) != NEEDED_NO)
                journal_log(LOG_INFO, JOURNAL_PHASE, &context, "%s: restart %s", c->name, text);
        job_tell(job, o, false);
}

static void needed_begin(Job *job, const Component *c);

static void needed_on_end(const Needed *needed, void *userdata)
{
        Job *job = userdata;
        const Component *c = job->needed_component, *partner = NULL;
        char text[sizeof(job->failure)];

        job->needed_call = NULL;
        needed_text(needed, text, sizeof(text));
        needed_tell(job, c, needed, text);
        if (needed_verdict(needed) != NEEDED_NO) {
                needed_next(job);
                return;
        }
        /* Both are restarted when one of them needs it. */
        if (roll_kind(job->roll) == ROLL_RESTART_RMP)
                partner = partner_component(job);
        if (partner && partner != c)
                needed_begin(job, partner);
        else
                job_fail(job, RESULT_NOT_NEEDED, NULL, "%s", text);
}

static void needed_begin(Job *job, const Component *c)
{
        NeededEnv env = {
                .event = job->env.event,
                .config = job->env.config,
                .systemd = job->env.systemd,
                .http = job->env.http,
                .conns = job->env.conns,
        };
        Err err = { 0 };
        job->needed_component = c;
        job_progress(job, "looking whether a restart of %s is needed", c->name);
        if (needed_look(&env, c, needed_on_end, job, &job->needed_call, &err) < 0) {
                job_warn(job, "whether a restart is needed is not known, so it is: %s", err.text);
                needed_next(job);
        }
}

void job_needed(Job *job, void (*next)(Job *job))
{
        RollKind kind = roll_kind(job->roll);
        job->needed_next = next;
        /* One that is stopped and may be started needs no other reason. */
        if (!job->options.if_needed || kind == ROLL_START || kind == ROLL_DOCTOR || kind == ROLL_DRAIN)
                needed_next(job);
        else
                needed_begin(job, job->component);
}
