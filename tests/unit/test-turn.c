/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka.h needs those before it */
#include <cmocka.h>

#include "agent/turn.h"
#include "base/cleanup.h"

#define A "aaaa"
#define B "bbbb"
#define C "cccc"

static TurnAnswer decide(const char *const *runs, size_t n_runs, const char *const *outs, size_t n_outs,
                         unsigned size, const char *uuid, Turn *ret)
{
        TurnView v = { .runs = runs, .n_runs = n_runs, .outs = outs, .n_outs = n_outs, .size = size };
        return turn_decide(&v, uuid, "1", ret);
}

static void names_are_taken_apart(void **state)
{
        static const char *const bad[] = {
                "",
                "a",
                "a_b",
                "a_b_",
                "a_b_123",
                "a_b_000000000x",
                "_b_0000000001",
                "a__0000000001",
                "a/b_c_0000000001",
                "a_b_99999999999999999999",
                "a_b_0000000001_0000000002",
        };
        TurnRun r;
        (void) state;
        assert_true(turn_parse("276bc250-7dd0-46a5_0f0f_0000000042", &r));
        assert_string_equal(r.uuid, "276bc250-7dd0-46a5");
        assert_string_equal(r.id, "0f0f");
        assert_int_equal(r.number, 42);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(turn_parse(bad[i], &r));
        /* Behind the last positive number come negative ones, in their order. */
        TurnRun last, next, then;
        assert_true(turn_parse("a_b_2147483647", &last));
        assert_true(turn_parse("a_b_-2147483648", &next));
        assert_true(turn_parse("a_b_-2147483647", &then));
        assert_true(last.number < next.number && next.number < then.number);
}

static void pools_become_names_of_nodes(void **state)
{
        char buf[64];
        (void) state;
        assert_string_equal(turn_pool("router/dc-1/gateway", buf, sizeof(buf)), "router:dc-1:gateway");
        assert_string_equal(turn_pool("a b%/..", buf, sizeof(buf)), "a%20b%25:..");
        assert_string_equal(turn_pool("..", buf, sizeof(buf)), "%2E.");
}

static void a_size_that_cannot_be_read_is_one(void **state)
{
        static const char *const bad[] = {
                "", "x", "{}", "{\"size\":0}", "{\"size\":-1}", "{\"size\":\"2\"}", "{\"size\":100000}"
        };
        (void) state;
        assert_int_equal(turn_size("{\"size\":3}"), 3);
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_int_equal(turn_size(bad[i]), 1);
}

static void alone_it_is_our_turn(void **state)
{
        const char *runs[] = { A "_1_0000000007" };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 1, NULL, 0, 1, A, &t), TURN_GO);
        assert_string_equal(t.own, runs[0]);
        assert_int_equal(t.waiting, 1);
        assert_false(t.own_out);
}

static void who_comes_later_watches_the_one_before(void **state)
{
        const char *runs[] = { C "_1_0000000009", A "_1_0000000007", B "_1_0000000008" };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 3, NULL, 0, 1, A, &t), TURN_GO);
        assert_int_equal(decide(runs, 3, NULL, 0, 1, C, &t), TURN_WAIT);
        assert_string_equal(t.watch, runs[2]);
        assert_string_equal(t.blocker, A);
        assert_false(t.blocker_out);
        assert_int_equal(t.position, 3);
        assert_int_equal(t.waiting, 3);
        /* With room for two it is nobody's going alone that counts. */
        assert_int_equal(decide(runs, 3, NULL, 0, 2, C, &t), TURN_WAIT);
        assert_string_equal(t.watch, "");
        assert_int_equal(decide(runs, 3, NULL, 0, 2, B, &t), TURN_GO);
}

static void who_is_out_counts_wherever_it_stands(void **state)
{
        const char *runs[] = { A "_1_0000000007", B "_1_0000000008" };
        const char *outs[] = { C };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 2, outs, 1, 1, A, &t), TURN_WAIT);
        assert_true(t.blocker_out);
        assert_string_equal(t.blocker, C);
        assert_string_equal(t.blocker_node, "");
        assert_int_equal(t.position, 1);
        assert_int_equal(t.waiting, 2);
        assert_int_equal(decide(runs, 2, outs, 1, 2, A, &t), TURN_GO);
        assert_int_equal(decide(runs, 2, outs, 1, 2, B, &t), TURN_WAIT);
}

static void who_is_out_and_at_work_counts_once(void **state)
{
        const char *runs[] = { A "_1_0000000007", B "_1_0000000008" };
        const char *outs[] = { A };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 2, outs, 1, 2, B, &t), TURN_GO);
        assert_int_equal(decide(runs, 2, outs, 1, 1, B, &t), TURN_WAIT);
        assert_true(t.blocker_out);
        assert_string_equal(t.blocker_node, runs[0]);
        assert_int_equal(t.position, 1);
        assert_int_equal(t.waiting, 1);
}

static void who_is_out_itself_may_go_again(void **state)
{
        const char *runs[] = { B "_1_0000000006", A "_1_0000000007" };
        const char *outs[] = { A };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs + 1, 1, outs, 1, 1, A, &t), TURN_GO);
        assert_true(t.own_out);
        /* Somebody before us who waits for nobody but us: nobody goes out while we are. */
        assert_int_equal(decide(runs, 2, outs, 1, 1, B, &t), TURN_WAIT);
        /* So we wait for nobody in line: we would wait for each other. */
        assert_int_equal(decide(runs, 2, outs, 1, 1, A, &t), TURN_GO);
        assert_int_equal(t.before, 0);
}

static void who_is_out_itself_waits_for_others_that_are_out(void **state)
{
        const char *runs[] = { B "_1_0000000006", A "_1_0000000007" };
        const char *outs[] = { A, C };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 2, outs, 2, 1, A, &t), TURN_WAIT);
        assert_string_equal(t.blocker, C);
        assert_int_equal(decide(runs, 2, outs, 2, 2, A, &t), TURN_GO);
}

static void nodes_of_an_earlier_attempt_are_stale(void **state)
{
        const char *runs[] = { A "_0_0000000001", B "_1_0000000002", A "_1_0000000003", A "_1_0000000004" };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 3, NULL, 0, 1, A, &t), TURN_WAIT);
        assert_string_equal(t.stale, runs[0]);
        assert_string_equal(t.own, runs[2]);
        /* Another's two nodes are one in line. */
        assert_int_equal(decide(runs, 3, NULL, 0, 2, B, &t), TURN_GO);
        assert_int_equal(decide(runs, 3, NULL, 0, 1, B, &t), TURN_WAIT);
        /* A create that was tried twice: the first counts. */
        assert_int_equal(decide(runs + 1, 3, NULL, 0, 1, A, &t), TURN_WAIT);
        assert_string_equal(t.own, runs[2]);
        assert_string_equal(t.stale, runs[3]);
}

static void without_our_node_it_is_not_our_turn(void **state)
{
        const char *runs[] = { B "_1_0000000002", "nonsense" };
        Turn t;
        (void) state;
        assert_int_equal(decide(runs, 2, NULL, 0, 5, A, &t), TURN_ABSENT);
        assert_int_equal(decide(NULL, 0, NULL, 0, 1, A, &t), TURN_ABSENT);
}

/* Whoever decides at the same moment: never more than the size may go. */
static void never_more_than_the_size(void **state)
{
        (void) state;
        for (unsigned size = 1; size <= 3; size++)
                for (unsigned out = 0; out < 64; out++) {
                        static const char *const uuids[] = { "a", "b", "c", "d", "e", "f" };
                        char names[6][TURN_NODE_SIZE];
                        const char *runs[6], *outs[6];
                        unsigned n_outs = 0, go = 0;
                        for (unsigned i = 0; i < 6; i++) {
                                (void) snprintf(names[i], sizeof(names[i]), "%s_1_%010u", uuids[i],
                                                (i * 5) % 6);
                                runs[i] = names[i];
                                if (out & (1U << i))
                                        outs[n_outs++] = uuids[i];
                        }
                        for (unsigned i = 0; i < 6; i++) {
                                Turn t;
                                if (!(out & (1U << i)) &&
                                    decide(runs, 6, outs, n_outs, size, uuids[i], &t) == TURN_GO)
                                        go++;
                        }
                        if (n_outs < size)
                                assert_true(n_outs + go <= size);
                        else
                                assert_int_equal(go, 0);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_taken_apart),
                cmocka_unit_test(pools_become_names_of_nodes),
                cmocka_unit_test(a_size_that_cannot_be_read_is_one),
                cmocka_unit_test(alone_it_is_our_turn),
                cmocka_unit_test(who_comes_later_watches_the_one_before),
                cmocka_unit_test(who_is_out_counts_wherever_it_stands),
                cmocka_unit_test(who_is_out_and_at_work_counts_once),
                cmocka_unit_test(who_is_out_itself_may_go_again),
                cmocka_unit_test(who_is_out_itself_waits_for_others_that_are_out),
                cmocka_unit_test(nodes_of_an_earlier_attempt_are_stale),
                cmocka_unit_test(without_our_node_it_is_not_our_turn),
                cmocka_unit_test(never_more_than_the_size),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
