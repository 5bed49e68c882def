/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The agent with one allocation failing, and then all behind it: it starts or says that it cannot, answers or
 * refuses, never crashes; and an unfinished job's record, which it could not read for want of memory, is left
 * for the next one. OOM_ALL=1: each allocation; OOM_ONE=N: that one; else some, others each day.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/state.h"
#include "tests/lib/bus.h"
#include "tests/lib/ns.h"
#include "tests/lib/oom.h"

#define CALL_USEC (20 * USEC_PER_SEC)
#define SOME      12 /* of the allocations, without OOM_ALL */

static TestBus bus;
static char dir[64], config_file[96];

static void put_config(void)
{
        FILE *f = fopen(config_file, "we");
        assert_non_null(f);
        (void) fprintf(f, "[agent]\nstate_dir = %s\n", dir);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
        (void) state;
        strcpy(dir, "/tmp/edge-roll-oom-XXXXXX");
        assert_non_null(mkdtemp(dir));
        (void) snprintf(config_file, sizeof(config_file), "%s/conf", dir);
        put_config();
        bus_make(&bus);
        return 0;
}

static void dir_empty(void)
{
        char **names = NULL, path[400];
        assert_int_equal(state_list(dir, "", &names, NULL), 0);
        for (size_t i = 0; names[i]; i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                (void) unlink(path);
        }
        (void) state_list_free(names);
}

static int teardown(void **state)
{
        (void) state;
        bus_remove(&bus);
        dir_empty();
        (void) unlink(config_file);
        (void) rmdir(dir);
        return 0;
}

/* glibc 2.36 asserts in nss_database.c that it has memory: there is no answer to that but another life. */
static void on_abort(int sig)
{
        (void) sig;
        _exit(strstr(oom_failed_in(), "/libc.") ? 98 : 97);
}

/* The agent in a child of its own; what it has to say is not for a test's output. @told: how many there were.
 */
static pid_t agent_start(uint64_t nth, bool from, int told)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void) dup2(null, STDERR_FILENO);
        (void) dup2(null, STDOUT_FILENO);
        /* cmocka's would go on with the tests, in the child. */
        static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                (void) signal(signals[i], SIG_DFL);
        (void) signal(SIGABRT, on_abort);
        Config *config = NULL;
        if (config_load(&config, config_file, "/nonexistent", NULL) < 0)
                _exit(99);
        oom_arm(nth, from);
        int status = agent_main(config, "");
        uint64_t n = oom_disarm();
        (void) !write(told, &n, sizeof(n));
        _exit(status);
}

static bool over(pid_t pid, int *ret_status)
{
        return waitpid(pid, ret_status, WNOHANG) == pid;
}

/* Whether the child has ended; it stays to be waited for. */
static bool has_ended(pid_t pid)
{
        siginfo_t info = { 0 };
        return waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Whether somebody has the name, asked of the bus itself. */
static bool has_name(sd_bus *b)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int there = 0;
        return sd_bus_call_method(b, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "NameHasOwner", NULL, &reply, "s", AGENT_BUS_NAME) >= 0 &&
               sd_bus_message_read(reply, "b", &there) > 0 && there;
}

/*
 * Any answer but none. That the bus says the agent has gone is one: where the library could not keep a
 * message it gives the connection up, and the agent makes another one. Who has no memory at all any more
 * cannot answer.
 */
static void ask(sd_bus *b, pid_t pid, uint64_t nth, bool from, const char *method, const char *component)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const Usec begin = time_now();
        int r = component ? sd_bus_call_method(b, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE, method, &error,
                                               &reply, "s", component)
                          : sd_bus_call_method(b, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE, method, &error,
                                               &reply, "");
        sd_bus_message_unref(reply);
        sd_bus_error_free(&error);
        if (r == -ETIMEDOUT && !from && time_now() - begin >= CALL_USEC)
                fail_msg("allocation %llu: %s was not answered", (unsigned long long) nth, method);
        while (r == -ETIMEDOUT && !from && !has_name(b) && !has_ended(pid))
                if (time_now() - begin > CALL_USEC)
                        fail_msg("allocation %llu: the agent has not come back to the bus",
                                 (unsigned long long) nth);
}

/*
 * One life of an agent. Return: how many allocations it has seen; 0: it never came to its end.
 */
static uint64_t life(uint64_t nth, bool from)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *b = NULL;
        int told[2], status = 0;
        uint64_t n = 0;

        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        assert_true(sd_bus_open_system(&b) >= 0);
        assert_true(sd_bus_set_method_call_timeout(b, from ? 200 * USEC_PER_MSEC : CALL_USEC) >= 0);
        pid_t pid = agent_start(nth, from, told[1]);
        (void) close(told[1]);
        const Usec end = time_add(time_now(), 20 * USEC_PER_SEC);
        bool gone = false, there = false;
        while (!(gone = over(pid, &status)) && !(there = has_name(b)))
                if (time_now() > end)
                        break;
        if (there) {
                ask(b, pid, nth, from, "Status", NULL);
                ask(b, pid, nth, from, "Look", "router");
                ask(b, pid, nth, from, "Discover", "router");
                ask(b, pid, nth, from, "CurrentJob", "router");
        }
        if (!gone) {
                (void) kill(pid, SIGTERM);
                assert_int_equal(waitpid(pid, &status, 0), pid);
        }
        /* It may just be ending by itself when it is told to. */
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
                fail_msg("allocation %llu: signal %d", (unsigned long long) nth, WTERMSIG(status));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 97)
                fail_msg("allocation %llu: aborted", (unsigned long long) nth);
        if (nth == 0)
                assert_true(there);
        (void) !read(told[0], &n, sizeof(n));
        (void) close(told[0]);
        return n;
}

/* Each allocation, or some of them. */
static void each(uint64_t n, void (*check)(uint64_t nth, bool from))
{
        uint64_t step = getenv("OOM_ALL") || n <= SOME ? 1 : n / SOME;
        unsigned tries = 0;
        if (getenv("OOM_ONE")) {
                check(strtoull(getenv("OOM_ONE"), NULL, 10), getenv("OOM_FROM") != NULL);
                return;
        }
        for (uint64_t i = 1 + (uint64_t) time(NULL) / 86400 % step; i <= n;
             i += i < 400 && step > 50 ? 50 : step) {
                check(i, false);
                check(i, true);
                tries += 2;
        }
        print_message("%llu allocations, %u lives\n", (unsigned long long) n, tries);
}

static void once(uint64_t nth, bool from)
{
        (void) life(nth, from);
}

static void it_starts_or_says_that_it_cannot(void **state)
{
        (void) state;
        each(life(0, false), once);
        dir_empty();
}

/* A job that was in front of everything: with memory it is ended, and its record goes. */
static void put_record(void)
{
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "id", 7);
        cJSON_AddStringToObject(o, "component", "router");
        cJSON_AddStringToObject(o, "kind", "restart");
        cJSON_AddStringToObject(o, "phase", "discover");
        cJSON_AddObjectToObject(o, "changes");
        cJSON_AddStringToObject(o, "by", "uid 0 (root)");
        assert_int_equal(state_write(dir, "job.json", o, NULL), 0);
        cJSON_Delete(o);
}

static void with_record(uint64_t nth, bool from)
{
        char path[128];
        dir_empty();
        put_record();
        (void) life(nth, from);
        (void) snprintf(path, sizeof(path), "%s/unreadable-job.json", dir);
        if (access(path, F_OK) == 0)
                fail_msg("allocation %llu%s: the record of a job was given up", (unsigned long long) nth,
                         from ? " and all behind it" : "");
}

static void a_record_that_cannot_be_read_now_is_not_given_up(void **state)
{
        (void) state;
        put_record();
        each(life(0, false), with_record);
        dir_empty();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_starts_or_says_that_it_cannot),
                cmocka_unit_test(a_record_that_cannot_be_read_now_is_not_given_up),
        };
        const char *why = ns_enter();
        if (why) {
                (void) printf("%s\n", why);
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
