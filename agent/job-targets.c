/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The target servers of a message processor, checked from its node: before anything is changed, and again
 * when it was restarted, before it gets traffic. One that did not answer before proves nothing afterwards;
 * one that answered before and does not answer now is a reason to keep the node out.
 */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/targets-list.h"
#include "probes/json.h"
#include "probes/probing.h"

#define FETCH_USEC    (20 * USEC_PER_SEC) /* limit to what the Management Server tells */
#define AGAIN_USEC    USEC_PER_SEC        /* between two looks at those that do not answer */
#define TOLD_MAX      5                   /* named in a sentence; an event has TOLD_LIST_MAX */
#define TOLD_LIST_MAX 100
#define FOUND_MAX     10 /* findings of doctor, a line each */

struct JobTargets {
        TargetList list;
        bool known; /* the list was made, by this agent or the one before */
        TargetFetch *fetch;
        Probing *probing;
        size_t *index; /* of each check: which entry */
        JobTargetsFn done;
        bool after;
        Usec until; /* those that do not answer are looked at again */
        sd_event_source *again;
        char trouble[400];
};

static void targets_drop(struct JobTargets *t)
{
        t->fetch = target_fetch_cancel(t->fetch);
        t->probing = probing_free(t->probing);
        t->again = sd_event_source_unref(t->again);
        free(t->index);
        t->index = NULL;
}

void job_targets_cancel(Job *job)
{
        if (job->targets)
                targets_drop(job->targets);
}

void job_targets_free(Job *job)
{
        if (!job->targets)
                return;
        targets_drop(job->targets);
        target_list_done(&job->targets->list);
        free(job->targets);
        job->targets = NULL;
}

static struct JobTargets *targets_of(Job *job)
{
        if (!job->targets)
                job->targets = calloc(1, sizeof(*job->targets));
        return job->targets;
}

/* ---- the record ------------------------------------------------------------------------------------------
 */

void job_targets_save(const Job *job, cJSON *record)
{
        if (job->targets && job->targets->known)
                json_put(record, "targets", target_list_to_json(&job->targets->list));
}

int job_targets_load(Job *job, const cJSON *record)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(record, "targets");
        if (!cJSON_IsArray(list))
                return 0;
        struct JobTargets *t = targets_of(job);
        if (!t)
                return -ENOMEM;
        t->known = true;
        return target_list_from_json(list, &t->list);
}

/* ---- what is told ----------------------------------------------------------------------------------------
 */

/* Is it among those of this look? Before: all; after: those that answered before. */
static bool counts(const struct JobTargets *t, const TargetEntry *e)
{
        return !t->after || e->answered;
}

static size_t silent(const struct JobTargets *t)
{
        size_t n = 0;
        for (size_t i = 0; i < t->list.n; i++)
                n += counts(t, &t->list.items[i]) && t->list.items[i].why != NULL;
        return n;
}

static size_t looked_at(const struct JobTargets *t)
{
        size_t n = 0;
        for (size_t i = 0; i < t->list.n; i++)
                n += counts(t, &t->list.items[i]);
        return n;
}

/* "acme/prod/a (connect: ...), acme/prod/b (...), and 3 more" */
static void name_silent(const struct JobTargets *t, char *buf, size_t size)
{
        size_t used = 0, told = 0, all = silent(t);
        buf[0] = '\0';
        for (size_t i = 0; i < t->list.n && told < TOLD_MAX && used < size; i++) {
                const TargetEntry *e = &t->list.items[i];
                if (!counts(t, e) || !e->why)
                        continue;
                used += (size_t) snprintf(buf + used, size - used, "%s%.80s (%.90s)", told ? ", " : "",
                                          e->name, e->why);
                told++;
        }
        if (all > told && used < size)
                (void) snprintf(buf + used, size - used, ", and %zu more", all - told);
}

const char *job_targets_evidence(const Job *job, char *buf, size_t size)
{
        const struct JobTargets *t = job->targets;
        buf[0] = '\0';
        if (t && t->after && looked_at(t) > 0)
                (void) snprintf(buf, size, "%zu target servers answer as before", looked_at(t));
        return buf;
}

static void targets_tell(Job *job)
{
        const struct JobTargets *t = job->targets;
        cJSON *o = cJSON_CreateObject(), *list;
        cJSON_AddStringToObject(o, "event", "targets");
        cJSON_AddStringToObject(o, "point", t->after ? "after" : "before");
        cJSON_AddNumberToObject(o, "checked", (double) looked_at(t));
        cJSON_AddNumberToObject(o, "answered", (double) (looked_at(t) - silent(t)));
        list = cJSON_AddArrayToObject(o, "silent");
        for (size_t i = 0; i < t->list.n && cJSON_GetArraySize(list) < TOLD_LIST_MAX; i++) {
                const TargetEntry *e = &t->list.items[i];
                if (!counts(t, e) || !e->why)
                        continue;
                cJSON *one = cJSON_CreateObject();
                cJSON_AddStringToObject(one, "target", e->name);
                cJSON_AddStringToObject(one, "text", e->why);
                json_append(list, one);
        }
        cJSON_AddStringToObject(o, "unknown", t->trouble);
        job_tell(job, o, false);
}

/* ---- a look ----------------------------------------------------------------------------------------------
 */

static void targets_end(Job *job, const char *failed)
{
        struct JobTargets *t = job->targets;
        JobTargetsFn done = t->done;
        targets_drop(t);
        t->done = NULL;
        done(job, failed);
}

/* What doctor says of them: each is a line. */
static void before_find(Job *job)
{
        const struct JobTargets *t = job->targets;
        size_t bad = silent(t), told = 0;

        if (*t->trouble)
                job_find(
                        job, FINDING_WARNING, "targets",
                        "see section [targets] of edge-roll.conf(5): what is not known is not checked by a restart",
                        "not all target servers are known: %.380s", t->trouble);
        if (t->list.n_more > 0)
                job_find(job, FINDING_WARNING, "targets", "raise `max` in section [targets]",
                         "%zu target servers are beyond the limit of %u and are not checked", t->list.n_more,
                         job->env.config->targets_max);
        if (t->list.n == 0 && t->list.n_other > 0)
                job_find(job, FINDING_WARNING, "targets",
                         "`names` in section [targets] are patterns of ORG/ENV/NAME",
                         "none of the %zu target servers is one that is to be checked", t->list.n_other);
        for (size_t i = 0; i < t->list.n && told < FOUND_MAX; i++) {
                const TargetEntry *e = &t->list.items[i];
                if (!e->why)
                        continue;
                told++;
                job_find(job, FINDING_WARNING, "targets",
                         "a restart does not wait for it: it did not answer before",
                         "%.200s (%.120s:%u): %.160s", e->name, e->host, e->port, e->why);
        }
        if (bad > told)
                job_find(job, FINDING_WARNING, "targets", NULL, "and %zu more do not answer this node",
                         bad - told);
        if (t->list.n > 0)
                job_find(
                        job, FINDING_OK, "targets", NULL,
                        "%zu of %zu target servers answer this node; a restart brings it back when they still do",
                        t->list.n - bad, t->list.n);
}

static void before_warn(Job *job)
{
        const struct JobTargets *t = job->targets;
        char names[600];

        if (*t->trouble)
                job_warn(
                        job,
                        "not all target servers are known, and those that are not known are not checked: %.300s",
                        t->trouble);
        if (t->list.n_more > 0)
                job_warn(
                        job,
                        "%zu target servers are beyond the limit `max` of section [targets] and are not checked",
                        t->list.n_more);
        if (silent(t) > 0) {
                name_silent(t, names, sizeof(names));
                job_warn(job,
                         "%zu of %zu target servers do not answer this node already, before the restart: %s",
                         silent(t), t->list.n, names);
        }
}

static void before_end(Job *job)
{
        struct JobTargets *t = job->targets;

        for (size_t i = 0; i < t->list.n; i++)
                t->list.items[i].answered = !t->list.items[i].why;
        targets_tell(job);
        if (roll_kind(job->roll) == ROLL_DOCTOR)
                before_find(job);
        else
                before_warn(job);
        targets_end(job, NULL);
}

static void targets_check(Job *job);

static int targets_on_again(sd_event_source *s _unused_, uint64_t usec _unused_, void *userdata)
{
        targets_check(userdata);
        return 0;
}

static void after_end(Job *job)
{
        struct JobTargets *t = job->targets;
        char names[600], failed[760];
        size_t bad = silent(t);

        if (bad > 0 && time_now() < t->until) {
                name_silent(t, names, sizeof(names));
                job_progress(job, "%zu target servers that answered before do not answer: %.300s", bad,
                             names);
                if (job_timer(job, &t->again, time_now() + AGAIN_USEC, targets_on_again) >= 0)
                        return;
        }
        targets_tell(job);
        if (bad == 0) {
                targets_end(job, NULL);
                return;
        }
        name_silent(t, names, sizeof(names));
        (void) snprintf(
                failed, sizeof(failed),
                "%zu of %zu target servers that answered this node before the restart do not answer it now: %s",
                bad, looked_at(t), names);
        targets_end(job, failed);
}

static void targets_on_done(Probing *p, void *userdata)
{
        Job *job = userdata;
        job->targets->probing = probing_free(p);
        if (job->targets->after)
                after_end(job);
        else
                before_end(job);
}

static void targets_on_result(Probing *p, size_t index, const ProbeResult *r, void *userdata)
{
        Job *job = userdata;
        TargetEntry *e = &job->targets->list.items[job->targets->index[index]];
        (void) p;
        free(e->why);
        e->why = NULL;
        if (r->layer != PROBE_OK && asprintf(&e->why, "%s: %.200s", probe_layer_name(r->layer), r->text) < 0)
                e->why = NULL;
}

static int targets_add(Job *job, size_t i, Err *err)
{
        const TargetEntry *e = &job->targets->list.items[i];
        const Config *c = job->env.config;
        bool tls = e->tls && c->targets_handshake;
        ProbeSpec spec = {
                .kind = tls ? PROBE_TLS : PROBE_TCP,
                .host = e->host,
                .port = e->port,
                .tls = tls,
                /* The stores that would verify it, or show who asks, are the message processor's alone. */
                .any_certificate = true,
                .connect_usec = c->targets_connect_usec,
                .read_usec = c->targets_connect_usec,
        };
        int r = probing_add(job->targets->probing, &spec, "", "", err);
        if (r >= 0)
                job->targets->index[r] = i;
        return r;
}

/* All of them, and later those that have not answered yet. */
static int targets_begin(Job *job, Err *err)
{
        struct JobTargets *t = job->targets;
        ProbingOptions options = { .event = job->env.event,
                                   .total_usec = 2 * job->env.config->targets_connect_usec };
        bool again = t->again != NULL;

        t->probing = probing_free(t->probing);
        int r = probing_new(&t->probing, &options, err);
        free(t->index);
        t->index = calloc(t->list.n + 1, sizeof(*t->index));
        if (!t->index)
                r = r < 0 ? r : err_set(err, -ENOMEM, "out of memory");
        for (size_t i = 0; r >= 0 && i < t->list.n; i++)
                if (counts(t, &t->list.items[i]) && (!again || t->list.items[i].why))
                        r = targets_add(job, i, err);
        return r < 0 ? r : probing_start(t->probing, targets_on_result, targets_on_done, job, err);
}

static void targets_check(Job *job)
{
        Err err = { 0 };
        if (targets_begin(job, &err) >= 0)
                return;
        job_warn(job, "the target servers cannot be checked: %s", err.text);
        targets_end(job, NULL);
}

/* How long a look may take: all of them, so many at once, and no name is known to a name service that is
 * silent. */
static Usec look_usec(const Job *job, size_t n)
{
        return (n / PROBING_AT_ONCE + (n % PROBING_AT_ONCE > 0)) *
                       (2 * job->env.config->targets_connect_usec + USEC_PER_SEC) +
               probing_names_usec(n);
}

static void targets_on_list(TargetList *list, const char *trouble, void *userdata)
{
        Job *job = userdata;
        struct JobTargets *t = job->targets;
        t->fetch = NULL;
        target_list_done(&t->list);
        t->list = *list;
        t->known = true;
        (void) snprintf(t->trouble, sizeof(t->trouble), "%s", trouble);
        job_lengthen(job, look_usec(job, t->list.n));
        job_progress(job, "asking %zu target servers whether they answer this node", t->list.n);
        targets_check(job);
}

/* ---- before and after ------------------------------------------------------------------------------------
 */

static bool targets_wanted(const Job *job)
{
        RollKind kind = roll_kind(job->roll);
        return job->component->kind == KIND_MP &&
               (kind == ROLL_DOCTOR || roll_leads_past(kind, PHASE_VERIFY)) &&
               target_fetch_wanted(job->env.config);
}

void job_targets_before(Job *job, JobTargetsFn done)
{
        _cleanup_(freep) char *loaded = NULL;
        Err err = { 0 };

        if (!targets_wanted(job) || !targets_of(job)) {
                done(job, NULL);
                return;
        }
        struct JobTargets *t = job->targets;
        t->done = done;
        t->after = false;
        if (job->before && snapshot_to_json(job->before, &loaded) < 0)
                loaded = NULL;
        TargetRequest request = {
                .event = job->env.event,
                .config = job->env.config,
                .environments = loaded,
                .limit_usec = FETCH_USEC,
        };
        job_lengthen(job, FETCH_USEC);
        if (target_fetch(&t->fetch, &request, targets_on_list, job, &err) < 0) {
                job_warn(job, "its target servers are not known: %s", err.text);
                targets_end(job, NULL);
        }
}

void job_targets_after(Job *job, JobTargetsFn done)
{
        struct JobTargets *t = job->targets;

        if (!t || !t->known || t->list.n == 0) {
                done(job, NULL);
                return;
        }
        t->done = done;
        t->after = true;
        for (size_t i = 0; i < t->list.n; i++) {
                free(t->list.items[i].why);
                t->list.items[i].why = NULL;
        }
        t->until = time_now() + job->env.config->targets_wait_usec;
        job_lengthen(job, job->env.config->targets_wait_usec + 2 * look_usec(job, t->list.n));
        job_progress(job, "asking %zu target servers whether they answer as before", looked_at(t));
        targets_check(job);
}
