/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/shares.c: each limit at its last one and one beyond it, and that no one's share is another's. */

#include "agent/shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMITS .limits = { .all = 4, .strangers = 2, .person = 2 }

static SharesAnswer take(Shares *s, const char *who, size_t *ret)
{
        return shares_take(s, who, who[0] == '0' && !who[1], who[0] == 's', ret);
}

static void test_a_person_has_so_many_and_no_more(void **state)
{
        (void) state;
        Shares s = { LIMITS };
        size_t a, b, c;
        assert_int_equal(take(&s, "m alice", &a), SHARES_OK);
        assert_int_equal(take(&s, "m alice", &b), SHARES_OK);
        assert_int_not_equal(a, b);
        c = 4711;
        assert_int_equal(take(&s, "m alice", &c), SHARES_PERSON);
        assert_int_equal(c, 4711);
        /* It is hers alone, and what was answered counts no more. */
        assert_int_equal(take(&s, "m bob", &c), SHARES_OK);
        shares_give(&s, a);
        assert_int_equal(take(&s, "m alice", &a), SHARES_OK);
        assert_int_equal(take(&s, "m alice", &a), SHARES_PERSON);
}

static void test_strangers_leave_room_for_those_who_may_change(void **state)
{
        (void) state;
        Shares s = { LIMITS };
        size_t one, share;
        assert_int_equal(take(&s, "s1", &one), SHARES_OK);
        assert_int_equal(take(&s, "s2", &share), SHARES_OK);
        assert_int_equal(take(&s, "s3", &share), SHARES_STRANGERS);
        assert_int_equal(take(&s, "m alice", &share), SHARES_OK);
        assert_int_equal(take(&s, "0", &share), SHARES_OK);
        shares_give(&s, one);
        assert_int_equal(take(&s, "s3", &share), SHARES_OK);
}

static void test_all_are_so_many_and_no_more(void **state)
{
        (void) state;
        Shares s = { LIMITS };
        size_t share[5];
        /* Root as one has no limit but that of all. */
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(take(&s, "0", &share[i]), SHARES_OK);
        assert_int_equal(take(&s, "0", &share[4]), SHARES_ALL);
        assert_int_equal(take(&s, "m alice", &share[4]), SHARES_ALL);
        shares_give(&s, share[2]);
        assert_int_equal(take(&s, "m alice", &share[4]), SHARES_OK);
        assert_int_equal(take(&s, "0", &share[2]), SHARES_ALL);
}

static void test_who_comes_through_root_is_a_person_of_his_own(void **state)
{
        (void) state;
        Shares s = { LIMITS };
        size_t share;
        assert_int_equal(take(&s, "0 alice", &share), SHARES_OK);
        assert_int_equal(take(&s, "0 alice", &share), SHARES_OK);
        assert_int_equal(take(&s, "0 alice", &share), SHARES_PERSON);
        assert_int_equal(take(&s, "0 bob", &share), SHARES_OK);
}

static void test_none_is_given_back_and_the_largest_limit_holds(void **state)
{
        (void) state;
        Shares s = { .limits = { .all = SHARES_MAX + 1, .strangers = SHARES_MAX, .person = SHARES_MAX } };
        size_t share = 0;
        shares_give(&s, 0);
        for (size_t i = 0; i < SHARES_MAX; i++) {
                assert_int_equal(take(&s, "0", &share), SHARES_OK);
                assert_in_range(share, 1, SHARES_MAX);
        }
        assert_int_equal(take(&s, "0", &share), SHARES_ALL);
        shares_give(&s, 0);
        assert_int_equal(take(&s, "0", &share), SHARES_ALL);
        shares_give(&s, share);
        assert_int_equal(take(&s, "0", &share), SHARES_OK);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_person_has_so_many_and_no_more),
                cmocka_unit_test(test_strangers_leave_room_for_those_who_may_change),
                cmocka_unit_test(test_all_are_so_many_and_no_more),
                cmocka_unit_test(test_who_comes_through_root_is_a_person_of_his_own),
                cmocka_unit_test(test_none_is_given_back_and_the_largest_limit_holds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
