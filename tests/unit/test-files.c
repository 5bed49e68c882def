/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "base/files.h"
#include "tests/lib/wrapped.h"

static void test_raise(void **state)
{
        struct rlimit l, after;
        (void) state;
        SKIP_IF_WRAPPED();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
        l.rlim_cur = 64;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
        files_raise();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
        assert_true(after.rlim_cur == (l.rlim_max < 65536 ? l.rlim_max : 65536));
        assert_true(after.rlim_max == l.rlim_max);
        /* One that is at its hard limit stays there. */
        l.rlim_cur = l.rlim_max = 100;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
        files_raise();
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
        assert_true(after.rlim_cur == 100 && after.rlim_max == 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_raise) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
