/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Apigee's table of when a restart is needed, written down a second time in the words of its page, and
 * compared with the program's row by row. Every case that can come up has a row.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "agent/edge/why-table.h"

/* how the store is named | how it was updated | used by | then */
static const struct {
        const char *row;
        StoreNaming naming;
        WhyChange change;
        WhyUse use;
        WhyAction action;
} page[] = {
        { "reference, new store, reference repointed: nothing", STORE_BY_REFERENCE, WHY_NEW_STORE,
          WHY_VHOST_KEYS, WHY_NOTHING },
        { "the same, truststore of a virtual host", STORE_BY_REFERENCE, WHY_NEW_STORE, WHY_VHOST_TRUST,
          WHY_NOTHING },
        { "the same, keystore of a target", STORE_BY_REFERENCE, WHY_NEW_STORE, WHY_TARGET_KEYS, WHY_NOTHING },
        { "the same, truststore of a target", STORE_BY_REFERENCE, WHY_NEW_STORE, WHY_TARGET_TRUST,
          WHY_NOTHING },
        { "flow variable, new store: nothing", STORE_BY_VARIABLE, WHY_NEW_STORE, WHY_TARGET_KEYS,
          WHY_NOTHING },
        { "the same, truststore", STORE_BY_VARIABLE, WHY_NEW_STORE, WHY_TARGET_TRUST, WHY_NOTHING },
        { "direct, new store and virtual host updated: routers", STORE_DIRECT, WHY_NEW_STORE, WHY_VHOST_KEYS,
          WHY_ROUTERS },
        { "the same, truststore of a virtual host", STORE_DIRECT, WHY_NEW_STORE, WHY_VHOST_TRUST,
          WHY_ROUTERS },
        { "the same, truststore of a target: deploy the proxy again", STORE_DIRECT, WHY_NEW_STORE,
          WHY_TARGET_TRUST, WHY_REDEPLOY },
        { "direct, deleted and created again: no router", STORE_DIRECT, WHY_RECREATED, WHY_VHOST_KEYS,
          WHY_NOTHING },
        { "the same, two-way TLS to the backend: message processors", STORE_DIRECT, WHY_RECREATED,
          WHY_TARGET_KEYS, WHY_MPS },
        { "direct truststore, certificate uploaded, virtual host: routers", STORE_DIRECT, WHY_UPLOADED,
          WHY_VHOST_TRUST, WHY_ROUTERS },
        { "the same, target: message processors", STORE_DIRECT, WHY_UPLOADED, WHY_TARGET_TRUST, WHY_MPS },
        { "virtual host updated to use references for the first time: routers", STORE_BY_REFERENCE,
          WHY_TO_REFERENCE, WHY_VHOST_KEYS, WHY_ROUTERS },
};

static void test_each_row_of_the_page(void **state _unused_)
{
        for (size_t i = 0; i < ELEMENTS(page); i++) {
                const WhyRow *row = why_look_up(page[i].naming, page[i].change, page[i].use);
                print_message("%s\n", page[i].row);
                assert_non_null(row);
                assert_int_equal(row->action, page[i].action);
                assert_true(row->documented);
        }
}

/* No two rows for one case, and what the page does not say is never said to be documented. */
static void test_every_case_has_one_row(void **state _unused_)
{
        unsigned documented = 0;
        for (int naming = STORE_DIRECT; naming <= STORE_BY_VARIABLE; naming++)
                for (int change = 0; change < WHY_CHANGE_COUNT; change++)
                        for (int use = 0; use < WHY_USE_COUNT; use++) {
                                unsigned n = 0;
                                for (size_t i = 0; i < why_table_rows; i++)
                                        n += why_table[i].naming == (StoreNaming) naming &&
                                             why_table[i].change == (WhyChange) change &&
                                             (why_table[i].uses & (1U << use));
                                if (n != 1)
                                        fail_msg("%d rows for naming %d, change %s, %s", (int) n, naming,
                                                 why_change_name((WhyChange) change),
                                                 why_use_name((WhyUse) use));
                                const WhyRow *row =
                                        why_look_up((StoreNaming) naming, (WhyChange) change, (WhyUse) use);
                                documented += row->documented;
                                /* What is not written down errs towards a restart, of what is concerned. */
                                bool vhost = use == WHY_VHOST_KEYS || use == WHY_VHOST_TRUST;
                                if (!row->documented)
                                        assert_true(vhost ? row->action == WHY_ROUTERS
                                                          : row->action == WHY_MPS ||
                                                                    row->action == WHY_REDEPLOY);
                                if (vhost)
                                        assert_true(row->action != WHY_MPS);
                                else
                                        assert_true(row->action != WHY_ROUTERS);
                        }
        /* Those of the page, and the truststore of a virtual host beside its keystore in two of its rows. */
        assert_int_equal(documented, ELEMENTS(page) + 2);
        assert_null(why_look_up(STORE_NONE, WHY_NEW_STORE, WHY_VHOST_KEYS));
}

/* How it was changed is not said: the strongest of all, written down or not, but for the switch to a
 * reference, which happens once. */
static void test_a_change_that_is_not_said_how(void **state _unused_)
{
        static const struct {
                StoreNaming naming;
                WhyUse use;
                WhyAction action;
                bool documented;
        } rows[] = {
                { STORE_DIRECT, WHY_VHOST_KEYS, WHY_ROUTERS, true },
                { STORE_DIRECT, WHY_VHOST_TRUST, WHY_ROUTERS, true },
                { STORE_DIRECT, WHY_TARGET_KEYS, WHY_MPS, true },
                { STORE_DIRECT, WHY_TARGET_TRUST, WHY_MPS, true },
                { STORE_BY_REFERENCE, WHY_VHOST_KEYS, WHY_ROUTERS, false },
                { STORE_BY_REFERENCE, WHY_VHOST_TRUST, WHY_ROUTERS, false },
                { STORE_BY_REFERENCE, WHY_TARGET_KEYS, WHY_MPS, false },
                { STORE_BY_REFERENCE, WHY_TARGET_TRUST, WHY_MPS, false },
                { STORE_BY_VARIABLE, WHY_TARGET_KEYS, WHY_MPS, false },
                { STORE_BY_VARIABLE, WHY_TARGET_TRUST, WHY_MPS, false },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                const WhyRow *row = why_look_up(rows[i].naming, WHY_CHANGE_INVALID, rows[i].use);
                assert_non_null(row);
                assert_int_equal(row->action, rows[i].action);
                assert_int_equal(row->documented, rows[i].documented);
                assert_int_not_equal(row->change, WHY_TO_REFERENCE);
        }
}

static void test_names(void **state _unused_)
{
        for (int i = 0; i < WHY_CHANGE_COUNT; i++)
                assert_int_equal(why_change_from_name(why_change_name((WhyChange) i)), i);
        assert_int_equal(why_change_from_name("changed"), WHY_CHANGE_INVALID);
        assert_string_equal(why_action_name(WHY_MPS), "message-processors");
        assert_string_equal(why_action_name(WHY_ACTION_INVALID), "invalid");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_row_of_the_page),
                cmocka_unit_test(test_every_case_has_one_row),
                cmocka_unit_test(test_a_change_that_is_not_said_how),
                cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
