/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/budget.c: the last one at once and one beyond it, when there is one again, and that everybody has his
 * own. */

#include "agent/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define S     USEC_PER_SEC
#define BEGIN (1000 * S)

static Usec take(Budget *b, const char *who, Usec now)
{
        unsigned left_out;
        return budget_take(b, who, now, &left_out);
}

static void test_so_many_at_once_then_one_in_so_long(void **state)
{
        (void) state;
        Budget b = { .at_once = 3, .each_usec = 2 * S };
        for (int i = 0; i < 3; i++)
                assert_int_equal(take(&b, "alice", BEGIN), 0);
        assert_int_equal(take(&b, "alice", BEGIN), 2 * S);
        assert_int_equal(take(&b, "alice", BEGIN + S), S);
        assert_int_equal(take(&b, "alice", BEGIN + 2 * S), 0);
        assert_int_equal(take(&b, "alice", BEGIN + 2 * S), 2 * S);
        /* After a while without any it is as it was, and never more. */
        for (int i = 0; i < 3; i++)
                assert_int_equal(take(&b, "alice", BEGIN + 100 * S), 0);
        assert_int_equal(take(&b, "alice", BEGIN + 100 * S), 2 * S);
}

static void test_what_he_did_not_get_is_counted(void **state)
{
        (void) state;
        Budget b = { .at_once = 1, .each_usec = S };
        unsigned left_out = 4711;
        assert_int_equal(budget_take(&b, "alice", BEGIN, &left_out), 0);
        assert_int_equal(left_out, 0);
        left_out = 4711;
        for (int i = 0; i < 5; i++)
                assert_int_not_equal(budget_take(&b, "alice", BEGIN, &left_out), 0);
        assert_int_equal(left_out, 4711);
        assert_int_equal(budget_take(&b, "alice", BEGIN + S, &left_out), 0);
        assert_int_equal(left_out, 5);
        assert_int_equal(budget_take(&b, "alice", BEGIN + 2 * S, &left_out), 0);
        assert_int_equal(left_out, 0);
}

static void test_everybody_has_his_own(void **state)
{
        (void) state;
        Budget b = { .at_once = 1, .each_usec = S };
        char who[200];
        assert_int_equal(take(&b, "alice", BEGIN), 0);
        assert_int_equal(take(&b, "bob", BEGIN), 0);
        assert_int_not_equal(take(&b, "bob", BEGIN), 0);
        /* More people than are counted: whose is full again soonest makes room. */
        for (int i = 0; i < BUDGET_PEOPLE - 1; i++) {
                (void) snprintf(who, sizeof(who), "person %d", i);
                assert_int_equal(take(&b, who, BEGIN + S / 2), 0);
        }
        assert_int_not_equal(take(&b, "person 0", BEGIN + S / 2), 0);
        assert_int_not_equal(take(&b, who, BEGIN + S / 2), 0);
        assert_int_equal(take(&b, "alice", BEGIN + S / 2), 0);
        /* Of a name that is too long the beginning counts. */
        (void) snprintf(who, sizeof(who), "%0150d", 1);
        assert_int_equal(take(&b, who, BEGIN + 10 * S), 0);
        assert_int_not_equal(take(&b, who, BEGIN + 10 * S), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_so_many_at_once_then_one_in_so_long),
                cmocka_unit_test(test_what_he_did_not_get_is_counted),
                cmocka_unit_test(test_everybody_has_his_own),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
