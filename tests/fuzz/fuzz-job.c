/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The records of unfinished jobs, as another version or a disk that went bad has left them: a job is made of
 * them as by an agent that goes on, written down, and made of that again. A byte says in which boot they were
 * written, and whether the job is only to be settled; then job.json, and behind a cut job-partner.json. In a
 * network namespace of its own, without systemd.
 */

#include "agent/job-impl.h"
#include "agent/state.h"
#include "probes/json.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/ns.h"

#include <unistd.h>

enum { SAME_BOOT = 1, SETTLE = 2, PARTNER_SAME_BOOT = 4 };

static struct {
        Config *config;
        Conns *conns;
} world;

static void world_end(void)
{
        world.conns = conns_free(world.conns);
        world.config = config_free(world.config);
}

static void world_begin(void)
{
        static const char file[] = "[agent]\nstate_dir = %s\n";
        char text[512];
        const char *why = ns_enter();

        if (why) {
                (void) fprintf(stderr, "no namespaces here: %s\n", why);
                exit(0);
        }
        fuzz_check(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1) == 0);
        int n = snprintf(text, sizeof(text), file, fuzz_dir());
        fuzz_check(config_load(&world.config, fuzz_file("conf", text, (size_t) n), "/nonexistent", NULL) ==
                   0);
        fuzz_check(conns_new(&world.conns, NULL) == 0);
        (void) atexit(world_end);
}

static void keep_fd(JobPlace place, int fd, void *userdata)
{
        (void) place;
        (void) fd;
        (void) userdata;
}

/* As it is, or as a record of this boot. */
static void put(const char *name, const uint8_t *bytes, size_t n, bool same_boot)
{
        cJSON *record = NULL;

        (void) fuzz_file(name, bytes, n);
        if (same_boot && json_open((const char *) bytes, n, STATE_MAX_BYTES, &record, NULL) == 0 &&
            cJSON_IsObject(record))
                fuzz_any(state_write(fuzz_dir(), name, record, NULL));
        cJSON_Delete(record);
}

/* Return: of job_resume(). */
static int resume(const JobEnv *env, Job **ret)
{
        int fds[JOB_PLACE_COUNT] = { -1, -1 };
        bool same_boot = false;
        cJSON *record = NULL;
        Err err = { 0 };

        int r = state_read(fuzz_dir(), job_record_name(env->place), &record, &same_boot, &err);
        if (r == 0 && !record)
                return -ENOENT;
        if (r == 0)
                r = job_resume(ret, env, record, same_boot, fds, &err);
        cJSON_Delete(record);
        fuzz_check(r == 0 || (*err.text && fuzz_is_ascii(err.text)));
        return r;
}

/* In the phase where it goes on, which it only enters when it is started. */
static bool write_down(Job *job)
{
        const char *phase = phase_name(job->resume_phase);
        cJSON *record = NULL;

        bool written = job_write(job, NULL) == 0 &&
                       state_read(fuzz_dir(), job_record_name(JOB_MAIN), &record, NULL, NULL) == 0 &&
                       cJSON_SetValuestring(cJSON_GetObjectItem(record, "phase"), phase) &&
                       state_write(fuzz_dir(), job_record_name(JOB_MAIN), record, NULL) == 0;
        cJSON_Delete(record);
        return written;
}

static void go_on(const JobEnv *env)
{
        _cleanup_(job_freep) Job *job = NULL, *again = NULL;

        if (resume(env, &job) < 0)
                return;
        fuzz_check(job->facts.n_traffic <= CONNS_PORTS_MAX && job->n_procs <= PROCS_MAX);
        fuzz_check(job->options.n_probers <= JOB_PROBERS_MAX && job->plan.n_from <= BLOCK_FROM_MAX);
        fuzz_check(job->resume_phase > PHASE_NONE && job->resume_phase < PHASE_END);
        if (!write_down(job))
                return;
        /* What was written is what is read, but for one who has gone on too often. */
        int r = resume(env, &again);
        fuzz_check(r == 0 || r == -ENOMEM || r == -ELOOP);
        if (r < 0)
                return;
        fuzz_check(again->id == job->id && again->options.lease == job->options.lease &&
                   again->options.step == job->options.step &&
                   again->facts.health_port == job->facts.health_port &&
                   again->next_health_port == job->next_health_port &&
                   again->facts.n_traffic == job->facts.n_traffic && again->n_procs == job->n_procs &&
                   again->options.n_probers == job->options.n_probers);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        uint8_t how = fuzz_byte(&f);
        Unwritten unwritten = { 0 };
        size_t n = 0;

        if (!world.config)
                world_begin();
        for (int p = 0; p < JOB_PLACE_COUNT; p++) {
                _cleanup_(freep) uint8_t *bytes = fuzz_part(&f, &n);
                put(job_record_name((JobPlace) p), bytes, n, how & (p == 0 ? SAME_BOOT : PARTNER_SAME_BOOT));
        }
        const JobEnv env = { .config = world.config,
                             .conns = world.conns,
                             .unwritten = &unwritten,
                             .keep_fd = keep_fd,
                             .settle = how & SETTLE };
        go_on(&env);
        unwritten_done(&unwritten);
}
