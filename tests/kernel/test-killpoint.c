/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Records of the state directory whose writer is killed at each of its calls; and so the tracer that names
 * these calls and kills there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/state.h"

#define NAME       "job.json"
#define POINTS_MAX 64

static char dir[64];   /* of the records */
static char watch[64]; /* of the tracer */
static char self[200]; /* this program */
static char tracer[256];
static pid_t server;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

/* The tool is built beside this program's folder. */
static void tracer_find(void)
{
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        self[n < 0 ? 0 : n] = '\0';
        const char *end = strstr(self, "/tests/kernel/");
        (void) snprintf(tracer, sizeof(tracer), "%.*s/tests/lib/killpoint", end ? (int) (end - self) : 0,
                        self);
}

static int setup(void **state)
{
        char path[128];
        (void) state;
        tracer_find();
        strcpy(dir, "/tmp/edge-roll-kill-XXXXXX");
        strcpy(watch, "/tmp/edge-roll-kill-XXXXXX");
        if (!mkdtemp(dir) || !mkdtemp(watch))
                return -1;
        server = fork();
        if (server == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) execl(tracer, tracer, "serve", watch, NULL);
                _exit(127);
        }
        (void) snprintf(path, sizeof(path), "%s/socket", watch);
        for (int i = 0; i < 500 && access(path, F_OK) < 0; i++)
                (void) poll(NULL, 0, 10);
        return access(path, F_OK);
}

static int teardown(void **state)
{
        (void) state;
        (void) kill(server, SIGKILL);
        (void) waitpid(server, NULL, 0);
        (void) nftw(watch, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- the one that is killed: this program, with arguments ---- */

static int record_put(const char *in, int number)
{
        Err err = { 0 };
        cJSON *o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "n", number);
        int r = state_write(in, NAME, o, &err);
        cJSON_Delete(o);
        return r;
}

static int victim(char **argv)
{
        Err err = { 0 };
        return strcmp(argv[1], "remove") == 0 ? state_remove(argv[2], NAME, &err) : record_put(argv[2], 2);
}

static void order(const char *line)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/said", watch);
        (void) unlink(path);
        (void) snprintf(path, sizeof(path), "%s/test", watch);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fprintf(f, "%s\n", line) > 0);
        assert_int_equal(fclose(f), 0);
}

/* Return: how it ended, as waitpid(2). */
static int run(const char *what)
{
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
                (void) execl(tracer, tracer, "run", watch, "test", self, what, dir, NULL);
                _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

/* What the tracer has told, once the process that it speaks of is gone. */
static void said(char *buf, size_t size)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/said", watch);
        for (int i = 0; i < 500; i++) {
                FILE *f = fopen(path, "re");
                size_t n = f ? fread(buf, 1, size - 1, f) : 0;
                if (f)
                        (void) fclose(f);
                buf[n] = '\0';
                if (strstr(buf, "end\t"))
                        return;
                (void) poll(NULL, 0, 10);
        }
        fail_msg("the tracer tells no end, only: %s", buf);
}

/* Names of the effects of that, in order. Return: how many. */
static size_t list(const char *what, char (*ret)[96])
{
        static char text[65536];
        size_t n = 0;
        order("list");
        assert_int_equal(run(what), 0);
        said(text, sizeof(text));
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
                if (n < POINTS_MAX && sscanf(line, "call\ttest\t%*s\t%*s\teffect\t%95s", ret[n]) == 1)
                        n++;
        return n;
}

/* The record's number; 0 without one. It is never damaged. */
static int record_get(void)
{
        Err err = { 0 };
        cJSON *o = NULL;
        bool same;
        assert_int_equal(state_read(dir, NAME, &o, &same, &err), 0);
        const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, "n");
        int number = cJSON_IsNumber(n) ? n->valueint : 0;
        cJSON_Delete(o);
        return number;
}

/* Killed there: the record is number @before or @after then. */
static void kill_at(const char *what, const char *point, const char *when, int before, int after)
{
        static char text[4096];
        char line[160];
        (void) snprintf(line, sizeof(line), "kill %s %s", point, when);
        assert_int_equal(record_put(dir, 1), 0);
        order(line);
        int status = run(what);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("%s: it was not killed, but ended with %#x", line, (unsigned) status);
        said(text, sizeof(text));
        assert_non_null(strstr(text, point));
        int now = record_get();
        if (now != before && now != after)
                fail_msg("%s: the record is %d", line, now);
        /* The call that makes the difference: it has not been made before it, and has behind it. */
        bool decides =
                strcmp(point, "up/rename-job.json#1") == 0 || strcmp(point, "up/unlink-job.json#1") == 0;
        if (decides)
                assert_int_equal(now, strcmp(when, "before") == 0 ? before : after);
        /* What the dead one left is in nobody's way. */
        assert_int_equal(record_put(dir, 3), 0);
        assert_int_equal(record_get(), 3);
}

static void at_each_call(const char *what, size_t at_least, int after)
{
        static char points[POINTS_MAX][96];
        assert_int_equal(record_put(dir, 1), 0);
        size_t n = list(what, points);
        assert_true(n >= at_least);
        for (size_t i = 0; i < n; i++) {
                kill_at(what, points[i], "before", 1, after);
                kill_at(what, points[i], "after", 1, after);
        }
}

static void a_record_is_the_old_one_or_the_new_one_wherever_its_writer_dies(void **state)
{
        (void) state;
        at_each_call("write", 7, 2);
}

static void a_record_is_there_or_not_wherever_its_remover_dies(void **state)
{
        (void) state;
        at_each_call("remove", 2, 0);
}

static void a_record_is_on_the_disk_before_it_takes_its_place(void **state)
{
        static const char *const wanted[] = { "up/create-job.json.tmp#1", "up/write-job.json.tmp#2",
                                              "up/fsync-job.json.tmp#1", "up/rename-job.json#1" };
        static char points[POINTS_MAX][96];
        size_t at = 0;
        (void) state;
        size_t n = list("write", points);
        for (size_t i = 0; i < n && at < ELEMENTS(wanted); i++)
                at += strcmp(points[i], wanted[at]) == 0;
        assert_int_equal(at, ELEMENTS(wanted));
        /* And the directory, as the last thing. */
        assert_non_null(strstr(points[n - 1], "up/fsync-"));
        assert_non_null(strstr(points[n - 1], "_dir#1"));
}

static void names_are_the_same_each_time(void **state)
{
        static char first[POINTS_MAX][96], second[POINTS_MAX][96];
        (void) state;
        size_t n = list("write", first);
        assert_int_equal(list("write", second), n);
        for (size_t i = 0; i < n; i++)
                assert_string_equal(first[i], second[i]);
}

static void nobody_dies_without_an_order(void **state)
{
        (void) state;
        order("kill up/rename-no-such-file#1 before");
        assert_int_equal(run("write"), 0);
        order("pass");
        assert_int_equal(run("write"), 0);
        assert_int_equal(record_get(), 2);
}

int main(int argc, char **argv)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_is_the_old_one_or_the_new_one_wherever_its_writer_dies),
                cmocka_unit_test(a_record_is_there_or_not_wherever_its_remover_dies),
                cmocka_unit_test(a_record_is_on_the_disk_before_it_takes_its_place),
                cmocka_unit_test(names_are_the_same_each_time),
                cmocka_unit_test(nobody_dies_without_an_order),
        };
        /* At once: LeakSanitizer cannot work while somebody else traces. */
        if (argc == 3)
                _exit(victim(argv) < 0);
        return cmocka_run_group_tests(tests, setup, teardown);
}
