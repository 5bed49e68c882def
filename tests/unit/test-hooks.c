/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which files are hooks, and which are refused. As root only: ownership is what it is about. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/hooks.h"

static char dir[64];

static void path_of(const char *name, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s/%s", dir, name);
}

static void put(const char *name, mode_t mode)
{
        char path[160];
        path_of(name, path, sizeof(path));
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, mode), 0);
}

static int begin(void **state)
{
        char path[160];
        (void) state;
        (void) strcpy(dir, "/tmp/edge-roll-hooks-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        path_of("verify", path, sizeof(path));
        return mkdir(path, 0755);
}

static int end(void **state)
{
        char command[128];
        (void) state;
        (void) snprintf(command, sizeof(command), "rm -rf %s", dir);
        return system(command) == 0 ? 0 : -1; /* NOLINT(cert-env33-c) */
}

static void refused(const char *part)
{
        Words list = NULL;
        Err err = { 0 };
        assert_int_equal(hooks_list(dir, HOOK_VERIFY, &list, &err), -EPERM);
        assert_null(list);
        if (!strstr(err.text, part))
                fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void they_run_in_order_and_what_is_no_hook_does_not(void **state)
{
        Words list = NULL;
        (void) state;
        put("verify/20-second", 0755);
        put("verify/10-first.sh", 0700);
        put("verify/README", 0644);
        put("verify/.hidden", 0755);
        put("verify/10-first.sh~", 0755);
        put("verify/x.rpmsave", 0755);
        put("verify/x.dpkg-old", 0755);
        assert_int_equal(hooks_list(dir, HOOK_VERIFY, &list, NULL), 0);
        assert_non_null(strstr(list[0], "/verify/10-first.sh"));
        assert_non_null(strstr(list[1], "/verify/20-second"));
        assert_null(list[2]);
        (void) words_free(list);
}

static void no_directory_is_no_hook(void **state)
{
        Words list = NULL;
        (void) state;
        assert_int_equal(hooks_list(dir, HOOK_ON_HOLD, &list, NULL), 0);
        assert_null(list[0]);
        (void) words_free(list);
        assert_int_equal(hooks_list("/nonexistent", HOOK_VERIFY, &list, NULL), 0);
        assert_null(list[0]);
        (void) words_free(list);
}

static void what_others_may_change_is_refused(void **state)
{
        char path[160];
        (void) state;
        put("verify/x", 0775);
        refused("can be written by others");
        put("verify/x", 0757);
        refused("can be written by others");
        put("verify/x", 0755);
        path_of("verify/x", path, sizeof(path));
        if (geteuid() == 0) {
                assert_int_equal(chown(path, 65534, 0), 0);
                refused("belongs to uid 65534");
        }
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/bin/true", path), 0);
        refused("links are not followed");
        assert_int_equal(unlink(path), 0);

        path_of("verify", path, sizeof(path));
        assert_int_equal(chmod(path, 0777), 0);
        refused("can be written by others");
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(chmod(dir, 0770), 0);
        refused("can be written by others");
        if (geteuid() == 0) {
                assert_int_equal(chmod(dir, 0755), 0);
                assert_int_equal(chown(dir, 65534, 0), 0);
                refused("belongs to uid 65534");
        }
}

static void too_many_are_an_error(void **state)
{
        Words list = NULL;
        Err err = { 0 };
        (void) state;
        for (int i = 0; i <= HOOKS_MAX; i++) {
                char name[32];
                (void) snprintf(name, sizeof(name), "verify/%d", i);
                put(name, 0755);
        }
        assert_int_equal(hooks_list(dir, HOOK_VERIFY, &list, &err), -E2BIG);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(they_run_in_order_and_what_is_no_hook_does_not, begin, end),
                cmocka_unit_test_setup_teardown(no_directory_is_no_hook, begin, end),
                cmocka_unit_test_setup_teardown(what_others_may_change_is_refused, begin, end),
                cmocka_unit_test_setup_teardown(too_many_are_an_error, begin, end),
        };
        if (geteuid() != 0) {
                (void) fprintf(stderr, "not root\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
