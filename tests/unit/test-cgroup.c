/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/cgroup.c on trees in a temporary directory that look like a cgroup file system. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cgroup.h"

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
        strcpy(root, "/tmp/edge-roll-cgroup-XXXXXX");
        return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
        (void) state;
        return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Makes @path below the root with all above it; @procs: its cgroup.procs, NULL for none. */
static uint64_t make(const char *path, const char *procs)
{
        char full[512];
        struct stat st;

        (void) snprintf(full, sizeof(full), "%s%s", root, path);
        for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
                *p = '\0';
                (void) mkdir(full, 0755);
        }
        (void) mkdir(full, 0755);
        assert_int_equal(stat(full, &st), 0);
        if (procs) {
                (void) snprintf(full, sizeof(full), "%s%s/cgroup.procs", root, path);
                FILE *file = fopen(full, "we");
                assert_non_null(file);
                (void) fputs(procs, file);
                assert_int_equal(fclose(file), 0);
        }
        return st.st_ino;
}

static void test_path_of_id(void **state)
{
        (void) state;
        _cleanup_(freep) char *path = NULL, *top = NULL;
        Err err = {};
        struct stat st;
        uint64_t id = make("/system.slice/system-edge.slice/edge-component@edge-router.service/sub", NULL);
        (void) make("/system.slice/other.service", NULL);

        assert_int_equal(cgroup_path_of_id(root, id, &path, &err), 0);
        assert_string_equal(path, "/system.slice/system-edge.slice/edge-component@edge-router.service/sub");
        assert_int_equal(stat(root, &st), 0);
        assert_int_equal(cgroup_path_of_id(root, st.st_ino, &top, &err), 0);
        assert_string_equal(top, "/");
}

static void test_path_of_unknown_id(void **state)
{
        (void) state;
        char *path = NULL;
        Err err = {};
        (void) make("/a.slice/b.service", "1\n");
        assert_int_equal(cgroup_path_of_id(root, UINT64_MAX, &path, &err), -ENOENT);
        assert_int_equal(err.code, -ENOENT);
        assert_int_equal(cgroup_path_of_id("/nonexistent", 1, &path, &err), -ENOENT);
        assert_null(path);
}

static void test_links_are_not_followed(void **state)
{
        (void) state;
        char link[128], *path = NULL;
        Err err = {};
        uint64_t id;
        int pids[4];
        struct stat st;

        (void) snprintf(link, sizeof(link), "%s/etc.service", root);
        assert_int_equal(symlink("/etc", link), 0);
        assert_int_equal(stat("/etc", &st), 0);
        assert_int_equal(cgroup_path_of_id(root, st.st_ino, &path, &err), -ENOENT);
        assert_true(cgroup_id_of_path(root, "/etc.service", &id, &err) < 0);
        assert_int_equal(cgroup_pids(root, "/etc.service", pids, 4, &err), 0);
}

static void test_id_of_path(void **state)
{
        (void) state;
        Err err = {};
        uint64_t id = 0, made = make("/system.slice/x.service", NULL);

        assert_int_equal(cgroup_id_of_path(root, "/system.slice/x.service", &id, &err), 0);
        assert_int_equal(id, made);
        assert_int_equal(cgroup_id_of_path(root, "//system.slice//x.service/", &id, &err), 0);
        assert_int_equal(cgroup_id_of_path(root, "/system.slice/y.service", &id, &err), -ENOENT);
        assert_int_equal(cgroup_id_of_path(root, "system.slice", &id, &err), -EINVAL);
        assert_int_equal(cgroup_id_of_path(root, "", &id, &err), -EINVAL);
        assert_int_equal(cgroup_id_of_path(root, "/a/../b", &id, &err), -EINVAL);
        assert_int_equal(cgroup_id_of_path(root, "/..", &id, &err), -EINVAL);
        assert_int_equal(cgroup_id_of_path(root, "/a..b", &id, &err), -ENOENT);
}

static void test_pids(void **state)
{
        (void) state;
        Err err = {};
        int pids[3] = { -1, -1, -1 };

        (void) make("/system.slice", "1\n");
        (void) make("/system.slice/x.service", "11\n12\n");
        (void) make("/system.slice/x.service/sub/deeper", "13\n0\n");
        (void) make("/system.slice/y.service", "");

        assert_int_equal(cgroup_pids(root, "/system.slice/x.service", pids, 3, &err), 4);
        assert_int_equal(pids[0], 11);
        assert_int_equal(pids[1], 12);
        assert_int_equal(pids[2], 13);
        assert_int_equal(cgroup_pids(root, "/system.slice/x.service", NULL, 0, &err), 4);
        assert_int_equal(cgroup_pids(root, "/system.slice/y.service", pids, 3, &err), 0);
        assert_int_equal(cgroup_pids(root, "/system.slice/gone.service", pids, 3, &err), 0);
        assert_int_equal(cgroup_pids(root, "/", pids, 3, &err), 5);
        assert_int_equal(cgroup_pids(root, "/../etc", pids, 3, &err), -EINVAL);
        assert_int_equal(cgroup_pids("/nonexistent", "/", pids, 3, &err), -ENOENT);
}

static void test_unit(void **state)
{
        (void) state;
        static const struct {
                const char *path, *unit; /* NULL: none */
        } rows[] = {
                { "/system.slice/edge-router.service", "edge-router.service" },
                { "/system.slice/edge-router.service/sub/deeper", "edge-router.service" },
                { "/system.slice/system-edge\\x2dcomponent.slice/edge-component@edge-router.service",
                  "edge-component@edge-router.service" },
                { "/user.slice/user-0.slice/session-3.scope", "session-3.scope" },
                { "/user.slice/user-0.slice/user@0.service/app.slice/foo.service", "user@0.service" },
                { "/init.scope", "init.scope" },
                { "/_cpu.service/x", "cpu.service" },
                { "/__odd.service", "_odd.service" },
                { "//system.slice//a.service/", "a.service" },
                { "/system.slice", NULL },
                { "/", NULL },
                { "", NULL },
                { "/docker/0123456789abcdef", NULL },
                { "/system.slice/control", NULL },
                { "/../a.service", NULL },
        };
        char unit[256], longest[300] = "/", tight[9] = "untouch";

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                bool found = cgroup_unit(rows[i].path, unit, sizeof(unit));
                assert_int_equal(found, rows[i].unit != NULL);
                if (found)
                        assert_string_equal(unit, rows[i].unit);
        }
        assert_false(cgroup_unit("/a.service", tight, 9));
        assert_string_equal(tight, "untouch");
        assert_true(cgroup_unit("/a.service", unit, 10));
        memset(longest + 1, 'a', 290);
        assert_false(cgroup_unit(longest, unit, sizeof(unit)));
}

static void test_here(void **state)
{
        (void) state;
        _cleanup_(freep) char *path = NULL;
        Err err = {};
        uint64_t id;

        /* The machine's own tree, where there is one. */
        int r = cgroup_id_of_path(NULL, "/", &id, &err);
        if (r == -ENOENT)
                skip();
        assert_int_equal(r, 0);
        assert_int_equal(cgroup_path_of_id(NULL, id, &path, &err), 0);
        assert_string_equal(path, "/");
        assert_true(cgroup_pids(NULL, "/", NULL, 0, &err) > 0);
        assert_int_equal(cgroup_pids(NULL, "/edge-roll-does-not-exist", NULL, 0, &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_path_of_id, setup, teardown),
                cmocka_unit_test_setup_teardown(test_path_of_unknown_id, setup, teardown),
                cmocka_unit_test_setup_teardown(test_links_are_not_followed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_id_of_path, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pids, setup, teardown),
                cmocka_unit_test(test_unit),
                cmocka_unit_test(test_here),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
