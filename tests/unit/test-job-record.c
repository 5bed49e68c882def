/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A job from its record: each number that makes no sense is named, with its value. */

#include "agent/job-impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static Config *config;
static char dir[] = "/tmp/test-job-record-XXXXXX";

/* A router in front of its restart, with @more in its record. Return: of job_resume(). */
static int resume(const char *more, Job **ret, Err *err)
{
        int fds[JOB_PLACE_COUNT] = { -1, -1 };
        Unwritten unwritten = { 0 };
        const JobEnv env = { .config = config, .unwritten = &unwritten };
        char text[1024];

        (void) snprintf(
                text, sizeof(text),
                "{\"component\":\"router\",\"kind\":\"restart\",\"phase\":\"watch\",\"changes\":{}%s%s}",
                *more ? "," : "", more);
        cJSON *record = cJSON_Parse(text);
        assert_non_null(record);
        int r = job_resume(ret, &env, record, false, fds, err);
        cJSON_Delete(record);
        unwritten_done(&unwritten);
        return r;
}

static void what_it_says_is_taken(void **state)
{
        _cleanup_(job_freep) Job *job = NULL;
        Err err = { 0 };
        (void) state;
        int r = resume(
                "\"id\":7,\"resumes\":3,\"hold_seconds\":1.5,\"lease\":12,\"lease_partner\":13,"
                "\"step\":9007199254740992,\"health_port\":15999,\"next_health_port\":65535,"
                "\"traffic_ports\":[1,9001],\"request_limit\":57.25,\"processes\":[12,345,2147483647,6]",
                &job, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(r, 0);
        assert_int_equal(job->id, 7);
        assert_int_equal(job->resumes, 4);
        assert_int_equal(job->options.hold_usec, 1500000);
        assert_int_equal(job->options.lease, 12);
        assert_int_equal(job->options.lease_partner, 13);
        assert_int_equal(job->options.step, UINT64_C(1) << 53);
        assert_int_equal(job->facts.health_port, 15999);
        assert_int_equal(job->next_health_port, 65535);
        assert_int_equal(job->facts.n_traffic, 2);
        assert_int_equal(job->facts.traffic_ports[1], 9001);
        assert_int_equal(job->facts.request_limit_usec, 57250000);
        assert_int_equal(job->n_procs, 2);
        assert_int_equal(job->procs[1].pid, 2147483647);
        assert_int_equal(job->procs[1].start, 6);
}

static void what_is_not_there_is_nothing(void **state)
{
        _cleanup_(job_freep) Job *job = NULL;
        Err err = { 0 };
        (void) state;
        assert_int_equal(resume("\"health_port\":null", &job, &err), 0);
        assert_int_equal(job->facts.health_port, 0);
        assert_int_equal(job->options.step, 0);
        assert_int_equal(job->n_procs, 0);
}

static void a_number_that_makes_no_sense_is_named(void **state)
{
        static const struct {
                const char *more, *name, *value;
        } bad[] = {
                { "\"health_port\":70000", "\"health_port\" is 70000", "from 0 to 65535" },
                { "\"health_port\":-1", "\"health_port\" is -1", "from 0 to 65535" },
                { "\"health_port\":80.5", "\"health_port\" is 80.5", "a whole number" },
                { "\"health_port\":\"80\"", "\"health_port\" is \"80\"", "a whole number" },
                { "\"health_port\":1,\"health_port\":2", "\"health_port\"", "more than once" },
                { "\"next_health_port\":65536", "\"next_health_port\" is 65536", "from 0 to 65535" },
                { "\"traffic_ports\":[80,70000]", "\"traffic_ports[1]\" is 70000", "from 1 to 65535" },
                { "\"traffic_ports\":[0]", "\"traffic_ports[0]\" is 0", "from 1 to 65535" },
                { "\"id\":1e20", "\"id\" is 1e+20", "from 0 to 9007199254740992" },
                { "\"resumes\":5e9", "\"resumes\" is 5", "from 0 to 1000000" },
                { "\"hold_seconds\":1e15", "\"hold_seconds\" is 1", "seconds from 0 to 34560000" },
                { "\"request_limit\":-3", "\"request_limit\" is -3", "seconds from 0 to" },
                { "\"request_limit\":9e14", "\"request_limit\" is 9", "seconds from 0 to" },
                { "\"lease\":-1", "\"lease\" is -1", "a whole number" },
                { "\"lease_partner\":1e300", "\"lease_partner\" is 1e+300", "a whole number" },
                { "\"step\":true", "\"step\" is true", "a whole number" },
                { "\"processes\":[10000000000,1]", "\"processes[0]\" is 10000000000",
                  "from 1 to 2147483647" },
                { "\"processes\":[5,1e30]", "\"processes[1]\" is 1e+30", "a whole number" },
                { "\"processes\":[0,1]", "\"processes[0]\" is 0", "from 1 to" },
        };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                _cleanup_(job_freep) Job *job = NULL;
                Err err = { 0 };
                int r = resume(bad[i].more, &job, &err);
                if (r != -EBADMSG || !strstr(err.text, bad[i].name) || !strstr(err.text, bad[i].value))
                        fail_msg("%s: %d, %s", bad[i].more, r, err.text);
                assert_null(job);
        }
}

/* Each array is as long as a job makes it, and no longer. */
static void lists_have_an_end(void **state)
{
        static const char *const keys[] = { "traffic_ports", "processes" };
        (void) state;
        for (size_t k = 0; k < ELEMENTS(keys); k++)
                for (size_t more = 0; more <= 1; more++) {
                        _cleanup_(job_freep) Job *job = NULL;
                        const size_t most = k == 0 ? CONNS_PORTS_MAX : 2 * PROCS_MAX;
                        char text[900];
                        Err err = { 0 };
                        int n = snprintf(text, sizeof(text), "\"%s\":[", keys[k]);
                        for (size_t i = 0; i < most + more; i++)
                                n += snprintf(text + n, sizeof(text) - (size_t) n, "%s%zu", i ? "," : "",
                                              i + 1);
                        (void) snprintf(text + n, sizeof(text) - (size_t) n, "]");
                        assert_int_equal(resume(text, &job, &err), more ? -EBADMSG : 0);
                        assert_true(!more || strstr(err.text, keys[k]));
                }
}

static int group_setup(void **state)
{
        char path[64], text[96];
        (void) state;
        if (!mkdtemp(dir))
                return -1;
        (void) snprintf(path, sizeof(path), "%s/conf", dir);
        (void) snprintf(text, sizeof(text), "[agent]\nstate_dir = %s\n", dir);
        FILE *f = fopen(path, "we");
        if (!f)
                return -1;
        (void) fputs(text, f);
        return fclose(f) == 0 ? config_load(&config, path, "/nonexistent", NULL) : -1;
}

static int group_teardown(void **state)
{
        char path[64];
        (void) state;
        config = config_free(config);
        (void) snprintf(path, sizeof(path), "%s/conf", dir);
        (void) unlink(path);
        return rmdir(dir);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_it_says_is_taken),
                cmocka_unit_test(what_is_not_there_is_nothing),
                cmocka_unit_test(a_number_that_makes_no_sense_is_named),
                cmocka_unit_test(lists_have_an_end),
        };
        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
