/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Running the administrator's hooks of one point, in services of their own, one after the other. */

#include "agent/job-impl.h"

#include <string.h>
#include <syslog.h>

#define HOOK_UNIT       "edge-roll-run-hook.service" /* one name: two hooks can never run at once */
#define HOOK_RETRY_USEC (500 * USEC_PER_MSEC)        /* one of an agent that died still runs */
#define HOOK_GRACE_USEC (20 * USEC_PER_SEC)          /* systemd ending it, and being asked */

static void hooks_next(Job *job);

void job_hooks_cancel(Job *job)
{
        JobHooks *h = &job->hooks;
        h->call = systemd_call_cancel(h->call);
        h->retry = sd_event_source_unref(h->retry);
        h->list = words_free(h->list);
        h->done = NULL;
}

static void hooks_end(Job *job, const char *failed)
{
        JobHooksFn done = job->hooks.done;
        job_hooks_cancel(job);
        done(job, failed);
}

static const char *hook_name(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

/* Texts of others become an environment: one line each. */
static char *hook_variable(const char *key, const char *value)
{
        char *text = NULL;
        if (asprintf(&text, "%s=%s", key, value) < 0)
                return NULL;
        for (char *p = text; *p; p++)
                if ((unsigned char) *p < 0x20 || *p == 0x7f)
                        *p = ' ';
        return text;
}

static Words hook_environment(const Job *job)
{
        const char *const variables[][2] = {
                { "EDGE_ROLL_COMPONENT", job->component->name },
                { "EDGE_ROLL_HOOK", hook_point_name(job->hooks.point) },
                { "EDGE_ROLL_PHASE", phase_name(roll_phase(job->roll)) },
                { "EDGE_ROLL_KIND", roll_kind_name(roll_kind(job->roll)) },
                { "EDGE_ROLL_RESULT", job->hooks.result },
                { "EDGE_ROLL_REASON", *job->failure ? job->failure : job->options.reason },
                { "EDGE_ROLL_BY", job->options.by },
        };
        _cleanup_(words_freep) Words env = calloc(ELEMENTS(variables) + 1, sizeof(char *));
        for (size_t i = 0; env && i < ELEMENTS(variables); i++)
                if (!(env[i] = hook_variable(variables[i][0], variables[i][1])))
                        return NULL;
        return TAKE_PTR(env);
}

static void hook_told(Job *job, int exit_status, const char *output, const char *text)
{
        const JobHooks *h = &job->hooks;
        const char *path = h->list[h->at];
        JournalContext c = job_context(job);
        journal_log(exit_status == 0 ? LOG_INFO : LOG_WARNING, JOURNAL_HOOK, &c, "%s: hook %s: %s%s%.500s",
                    job->component->name, path, text, *output ? ": " : "", output);
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "hook");
        cJSON_AddStringToObject(o, "point", hook_point_name(h->point));
        cJSON_AddStringToObject(o, "hook", path);
        if (exit_status >= 0)
                cJSON_AddNumberToObject(o, "exit", exit_status);
        else
                cJSON_AddNullToObject(o, "exit");
        Usec msec = (time_now() - h->began) / USEC_PER_MSEC; /* three decimals, as in the other events */
        cJSON_AddNumberToObject(o, "elapsed", (double) msec / 1000.0);
        cJSON_AddStringToObject(o, "text", text);
        cJSON_AddStringToObject(o, "output", output);
        job_tell(job, o, false);
}

static int hooks_on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *job = userdata;
        (void) s;
        (void) usec;
        job->hooks.retry = sd_event_source_unref(job->hooks.retry);
        hooks_next(job);
        return 0;
}

static bool hook_later(Job *job)
{
        job_progress(job, "a hook that was begun before still runs");
        return sd_event_add_time(job->env.event, &job->hooks.retry, CLOCK_MONOTONIC,
                                 time_now() + HOOK_RETRY_USEC, 0, hooks_on_retry, job) >= 0;
}

static void hooks_on_end(int exit_status, const char *output, const char *text, void *userdata)
{
        Job *job = userdata;
        JobHooks *h = &job->hooks;
        char failed[400];
        h->call = NULL;
        if (exit_status == -EEXIST && hook_later(job))
                return;
        hook_told(job, exit_status, output, text);
        if (exit_status == 0) {
                h->at++;
                hooks_next(job);
                return;
        }
        int first = (int) strcspn(output, "\n");
        (void) snprintf(failed, sizeof(failed), "hook %s/%.80s: %.120s%s%.*s", hook_point_name(h->point),
                        hook_name(h->list[h->at]), text, first ? ": " : "", MIN(first, 120), output);
        hooks_end(job, failed);
}

static void hooks_next(Job *job)
{
        JobHooks *h = &job->hooks;
        Err err = { 0 };
        char *path = h->list[h->at];
        if (!path) {
                hooks_end(job, NULL);
                return;
        }
        _cleanup_(words_freep) Words env = hook_environment(job);
        char *argv[] = { path, NULL };
        h->began = time_now();
        job->acted = true;
        job_progress(job, "hook %s/%s", hook_point_name(h->point), hook_name(path));
        int r = env ? systemd_run(job->env.systemd, HOOK_UNIT, argv, env, job->env.config->hook_limit_usec,
                                  hooks_on_end, job, &h->call, &err)
                    : err_set(&err, -ENOMEM, "out of memory");
        if (r < 0 && !(r == -EEXIST && hook_later(job)))
                hooks_end(job, err.text);
}

void job_hooks(Job *job, HookPoint point, const char *result, JobHooksFn done)
{
        JobHooks *h = &job->hooks;
        Err err = { 0 };
        size_t n = 0;

        job_hooks_cancel(job);
        *h = (JobHooks){ .point = point, .done = done };
        (void) snprintf(h->result, sizeof(h->result), "%s", result);
        if (hooks_list(job->env.config->hooks_dir, point, &h->list, &err) < 0) {
                hooks_end(job, err.text);
                return;
        }
        while (h->list[n])
                n++;
        /* Their time comes on top of the phase's own. */
        job_lengthen(job, n * (job->env.config->hook_limit_usec + HOOK_GRACE_USEC));
        hooks_next(job);
}
