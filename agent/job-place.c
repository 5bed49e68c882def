/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * place: the right to go out, asked for as the last thing before anything is refused. A job of a roll has the
 * lease that the roll has taken on this node as on every other of its pool. Another job has nothing of the
 * kind: where other nodes are known it goes on only if somebody has said that it may.
 *
 * A lease ends by the clock, so between `place` and the first thing that is refused or stopped it is looked
 * at once more. From then on it does not matter any more to this job: it has to come to its end, and until
 * then nobody else gets the lease.
 */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/pool.h"
#include "probes/json.h"

/* What is known of the component's pool. A record that cannot be read names nobody. */
static void place_pool(const Job *job, const Component *c, Pool *ret)
{
        Err err = { 0 };
        if (pool_read(job->env.config->state_dir, c->name, ret, &err) < 0)
                *ret = (Pool){ 0 };
        if (c == job->component && job->facts.self_known)
                (void) pool_self(ret, &job->facts.self);
}

/* Of this component, and of the other one that goes with it. */
static bool place_mates(const Job *job, char *text, size_t size)
{
        const Component *of[] = { job->component,
                                  roll_kind(job->roll) == ROLL_RESTART_RMP ? partner_component(job) : NULL };
        for (size_t i = 0; i < ELEMENTS(of); i++) {
                Pool pool = { 0 };
                if (!of[i])
                        continue;
                place_pool(job, of[i], &pool);
                size_t mates = pool_mates(job->env.config, &pool, text, size);
                pool_done(&pool);
                if (mates > 0)
                        return true;
        }
        return false;
}

/* Without ZooKeeper. */
static bool place_open(const Job *job, char *text, size_t size)
{
        char mates[200];
        if (job->options.lease || !place_mates(job, mates, sizeof(mates)))
                return false;
        (void) snprintf(text, size, "this node knows others of its pool (%s), and no lock covers them",
                        mates);
        return true;
}

bool job_place_open(const Job *job, char *text, size_t size)
{
        return !job->options.covered && !job_zk_wanted(job) && place_open(job, text, size);
}

/* ---- the lease ---- */

/* @text: which lease it is, or why it is none any more. */
static bool place_leased(Job *job, char *text, size_t size)
{
        const Component *partner = roll_kind(job->roll) == ROLL_RESTART_RMP ? partner_component(job) : NULL;
        char other[200];

        if (!job->env.leased(job->component->name, job->options.roll, text, size, job->env.userdata))
                return false;
        /* Whether the other component may go out must be known before this one does. */
        if (partner && !job->partner && job->partner_end < 0 &&
            !job->env.leased(partner->name, job->options.roll, other, sizeof(other), job->env.userdata)) {
                (void) snprintf(text, size, "%s: %.200s", partner->name, other);
                return false;
        }
        return true;
}

#define PLACE_GONE "its coordinator is gone: "

/* Nothing has been refused or stopped yet, and it is not to be any more. */
static void place_back(Job *job, Result result, const char *hint, const char *prefix, const char *why)
{
        if (roll_phase(job->roll) != PHASE_STOP) {
                job_fail(job, result, hint, "%s%s", prefix, why);
                return;
        }
        job->changes.stopped = false;
        if (!*job->failure) {
                (void) snprintf(job->failure, sizeof(job->failure), "%s%s", prefix, why);
                (void) snprintf(job->hint, sizeof(job->hint), "%s", hint);
        }
        job_feed(job, ROLL_EV_REFUSED, "%s%s", prefix, why);
}

static void place_gone(Job *job, Result result, const char *why)
{
        char hint[200];
        (void) snprintf(hint, sizeof(hint),
                        "the node is as it was; `edge-roll resume %s` takes the roll up again",
                        job->options.roll);
        place_back(job, result, hint, PLACE_GONE, why);
}

/* model: PLACE-LAST-CHECK, model: LEASE-LAST-CHECK */
bool job_place_lost(Job *job)
{
        char text[300];

        if (!job_zk_fresh(job, text, sizeof(text))) {
                place_back(job, RESULT_GAVE_BACK,
                           "the node is as it was; run it again when ZooKeeper answers", "", text);
                return true;
        }
        if (!job->options.lease || place_leased(job, text, sizeof(text)))
                return false;
        place_gone(job, RESULT_GAVE_BACK, text);
        return true;
}

/* model: BOTH-LEASE-ENDED */
void job_lease_ended(Job *job, const char *component)
{
        bool partner = job->partner && strcmp(job->partner->component->name, component) == 0;
        char text[300];

        if (partner) {
                job_lease_ended(job->partner, component);
                return;
        }
        if (job->over || !job->options.lease || !job_concerns(job, component) ||
            place_leased(job, text, sizeof(text)))
                return;
        if (!job->placed && roll_phase(job->roll) <= PHASE_PLACE)
                place_gone(job, RESULT_REFUSED, text);
        else if ((job->changes.blocked || job->changes.stopped) && !job->told_lapsed) {
                job->told_lapsed = true;
                job_warn(job, "its coordinator is gone (%s); this node comes to its end all the same", text);
        }
}

bool job_placed(const Job *job, const char *component)
{
        if (strcmp(job->component->name, component) == 0)
                return job->placed;
        return job->partner && job_placed(job->partner, component);
}

/* ---- the phase ---- */

void job_place_taken(Job *job, const char *protection)
{
        job->protection = protection;
        job->placed = true;
        if (job_save(job) == 0 || job->acted)
                job_ok(job, "%s", job->lock_text);
}

static void place_unprotected(Job *job)
{
        char text[240];
        if (!place_open(job, text, sizeof(text)))
                (void) snprintf(job->lock_text, sizeof(job->lock_text),
                                "no other node of its pool is known: unprotected");
        else if (!*job->options.unprotected) {
                job_fail(job, RESULT_UNPROTECTED, JOB_PLACE_HINT, "%s", text);
                return;
        } else
                (void) snprintf(job->lock_text, sizeof(job->lock_text), "unprotected, as told (%.100s): %s",
                                job->options.unprotected, text);
        job_place_taken(job, "unprotected");
}

/* A roll that has gone does not renew its lease: that is what ends a wait for its word, and no clock of ours.
 */
#define PLACE_WORD_USEC (24 * 3600 * USEC_PER_SEC)

static void place_enter(Job *job)
{
        char text[300];
        /* Nobody's word comes any more: its agent was away when the lease ended, and nobody was told. */
        if (job->options.lease && !place_leased(job, text, sizeof(text))) {
                place_gone(job, RESULT_REFUSED, text);
                return;
        }
        if (job->options.lease && job->options.await_go) {
                job_lengthen(job, PLACE_WORD_USEC);
                job_progress(job, "waiting for the word of %s", job->options.roll);
                return;
        }
        /* The own lease first, then the place: never the other way. model: BOTH-LEASE-FIRST */
        if (job->options.covered) {
                (void) snprintf(job->lock_text, sizeof(job->lock_text),
                                "the place was taken with that of the router");
                job_place_taken(job, "zookeeper");
        } else if (!job_zk_wanted(job) || !job_zk_begin(job))
                job_place_without(job);
}

/* model: BOTH-WITHOUT */
void job_place_without(Job *job)
{
        char text[300];
        if (!job->options.lease) {
                place_unprotected(job);
                return;
        }
        if (!place_leased(job, text, sizeof(text))) {
                place_gone(job, RESULT_REFUSED, text);
                return;
        }
        (void) snprintf(job->lock_text, sizeof(job->lock_text), "%s", text);
        job_place_taken(job, "lease");
}

bool job_awaits_go(const Job *job)
{
        return !job->over && roll_phase(job->roll) == PHASE_PLACE && job->options.lease &&
               job->options.await_go;
}

int job_go(Job *job, Err *err)
{
        if (job->over || job->placed || roll_phase(job->roll) > PHASE_PLACE)
                return err_set(err, -EALREADY, "the job is in phase %s already", job_phase(job));
        bool waited = job_awaits_go(job);
        job->options.await_go = false;
        /* Without a line to stand in it is written down with the place, at once. */
        bool kept = !waited || !job_zk_wanted(job) || job_save(job) == 0 || job->acted;
        if (waited && kept)
                place_enter(job);
        return 0;
}

/* What was taken is kept; nobody is asked any more. */
static void place_leave(Job *job, RollEvent event)
{
        (void) event;
        job_zk_left(job);
}

const PhaseOps job_place = { .enter = place_enter, .leave = place_leave };

/* ---- the record ---- */

void job_place_add(const Job *job, cJSON *record)
{
        const JobOptions *o = &job->options;
        char wait[32], addr[ADDR_TEXT_SIZE];
        cJSON_AddStringToObject(record, "roll", o->roll);
        cJSON_AddNumberToObject(record, "lease", (double) o->lease);
        cJSON_AddNumberToObject(record, "lease_partner", (double) o->lease_partner);
        cJSON_AddNumberToObject(record, "step", (double) o->step);
        (void) snprintf(wait, sizeof(wait), "%" PRIu64, o->wait_usec);
        cJSON_AddStringToObject(record, "wait", wait);
        cJSON_AddBoolToObject(record, "await_go", o->await_go);
        cJSON_AddBoolToObject(record, "ticket", o->ticket);
        cJSON_AddBoolToObject(record, "covered", o->covered);
        cJSON *probers = cJSON_AddArrayToObject(record, "probers");
        for (size_t i = 0; i < o->n_probers; i++)
                json_append(probers, cJSON_CreateString(addr_format(&o->probers[i], addr, sizeof(addr))));
        cJSON_AddBoolToObject(record, "placed", job->placed);
        cJSON_AddStringToObject(record, "protection", job->protection);
        cJSON_AddStringToObject(record, "lock_text", job->lock_text);
}

static const char *load_text(const cJSON *record, const char *key)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, key));
        return text ? text : "";
}

/* A record of before this was kept has none of it: a job of no roll, unprotected. */
int job_place_load(Job *job, const cJSON *record, Err *err)
{
        JobOptions *o = &job->options;
        const char *protection = load_text(record, "protection");
        const cJSON *v;

        (void) snprintf(o->roll, sizeof(o->roll), "%s", load_text(record, "roll"));
        int r = json_get_whole(record, "lease", JSON_WHOLE_MAX, &o->lease, err);
        if (r >= 0)
                r = json_get_whole(record, "lease_partner", JSON_WHOLE_MAX, &o->lease_partner, err);
        if (r >= 0)
                r = json_get_whole(record, "step", LEASE_STEP_MAX, &o->step, err);
        if (r < 0)
                return r;
        o->wait_usec = strtoull(load_text(record, "wait"), NULL, 10);
        o->await_go = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(record, "await_go"));
        o->ticket = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(record, "ticket"));
        o->covered = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(record, "covered"));
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(
                                      record,
                                      "probers")) if (cJSON_IsString(v) && o->n_probers < JOB_PROBERS_MAX &&
                                                      addr_parse(v->valuestring, &o->probers[o->n_probers]))
                o->n_probers++;
        job->placed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(record, "placed"));
        job->protection = strcmp(protection, "lease") == 0       ? "lease"
                          : strcmp(protection, "zookeeper") == 0 ? "zookeeper"
                                                                 : "unprotected";
        (void) snprintf(job->lock_text, sizeof(job->lock_text), "%s", load_text(record, "lock_text"));
        return 0;
}
