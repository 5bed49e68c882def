/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/procs.c on a directory that looks like procfs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/procs.h"

static char root[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static int setup(void **state)
{
        (void) state;
        strcpy(root, "/tmp/edge-roll-procs-XXXXXX");
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
        (void) state;
        return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(int pid, const char *file, const char *text, size_t len)
{
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/%d", root, pid);
        (void) mkdir(path, 0755);
        (void) snprintf(path, sizeof(path), "%s/%d/%s", root, pid, file);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        assert_int_equal(fclose(f), 0);
}

/* @terminal: 0, or a terminal on which it is the foreground when @front. */
static void make(int pid, int parent, char state, int terminal, bool front, unsigned start, const char *name,
                 const char *command, size_t len)
{
        char stat[512];
        (void) snprintf(stat, sizeof(stat),
                        "%d (%s) %c %d %d %d %d %d 4194304 1 2 3 4 5 6 7 8 20 0 1 0 %u 1000 2000\n", pid,
                        name, state, parent, pid, pid, terminal, front ? pid : 1, start);
        put(pid, "stat", stat, strlen(stat));
        put(pid, "cmdline", command, len);
}

#define COMMAND(text) text, sizeof(text) - 1

static void by_command_line_and_descent(void **state)
{
        (void) state;
        const int pids[] = { 12, 10, 11, 13, 14, 15, 16, 17, 99 };
        Proc procs[PROCS_MAX];

        make(10, 1, 'S', 0, false, 500, "java", COMMAND("java\0-cp\0/opt/apigee/edge-router/lib\0Kernel\0"));
        make(11, 10, 'S', 0, false, 501, "nginx: (odd) R", COMMAND("nginx: master process"));
        make(12, 11, 'R', 0, false, 502, "nginx", COMMAND("nginx: worker process"));
        make(13, 1, 'S', 34816, true, 503, "tail",
             COMMAND("tail\0-f\0/opt/apigee/var/log/edge-router/system.log\0"));
        make(14, 1, 'S', 34816, false, 504, "bash", COMMAND("-bash\0"));
        make(15, 14, 'S', 0, false, 505, "sh", COMMAND("sh\0-c\0/x/apigee-service edge-router start\0"));
        make(16, 1, 'Z', 0, false, 506, "java", COMMAND("edge-router"));
        make(17, 1, 'S', 0, false, 507, "java", COMMAND("java\0/opt/apigee/edge-message-processor\0"));

        assert_int_equal(procs_find(root, pids, 9, "edge-router", procs, PROCS_MAX), 3);
        assert_int_equal(procs[0].pid, 10);
        assert_int_equal(procs[0].start, 500);
        assert_int_equal(procs[1].pid + procs[2].pid, 23);
        assert_int_equal(procs_find(root, pids, 9, "edge-router", procs, 2), 2);
        assert_int_equal(procs_find(root, pids, 9, "edge-nothing", procs, PROCS_MAX), 0);
}

static void gone_is_not_replaced(void **state)
{
        (void) state;
        const Proc procs[] = { { 20, 100 }, { 21, 101 }, { 22, 102 }, { 23, 103 } };

        make(20, 1, 'S', 0, false, 100, "a", COMMAND("a"));
        make(21, 1, 'S', 0, false, 999, "a", COMMAND("a")); /* another one with the same number */
        make(22, 1, 'Z', 0, false, 102, "a", COMMAND("a"));
        put(23, "stat", "23 (nonsense", 12);
        assert_int_equal(procs_alive(root, procs, 4), 1);
        assert_int_equal(procs_alive(root, procs, 0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(by_command_line_and_descent, setup, teardown),
                cmocka_unit_test_setup_teardown(gone_is_not_replaced, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
