/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "probes/window.h"

static void test_in_a_row(void **state _unused_)
{
        Window w = { .need = 3 };

        assert_false(window_feed(&w, true));
        assert_false(window_feed(&w, true));
        assert_false(window_feed(&w, false)); /* begins again */
        assert_false(window_feed(&w, true));
        assert_false(window_feed(&w, true));
        assert_true(window_feed(&w, true));
        assert_true(window_feed(&w, true));
        assert_int_equal(w.total, 7);
        assert_int_equal(w.have, 4);
        assert_false(window_feed(&w, false));
        assert_int_equal(w.have, 0);
}

static void test_one_is_enough(void **state _unused_)
{
        Window w = { .need = 1 };
        assert_false(window_feed(&w, false));
        assert_true(window_feed(&w, true));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_a_row),
                cmocka_unit_test(test_one_is_enough),
        };
        return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
