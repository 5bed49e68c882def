/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/config-seen.c: what has changed between two looks of agents, in a state directory of its own. */

#include "agent/config-seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/time.h"

static char dir[64], file[96], record[96];

static int begin(void **state)
{
        (void) state;
        (void) snprintf(dir, sizeof(dir), "/tmp/edge-roll-seen-XXXXXX");
        assert_non_null(mkdtemp(dir));
        (void) snprintf(file, sizeof(file), "%s/edge-roll.conf", dir);
        (void) snprintf(record, sizeof(record), "%s/" CONFIG_SEEN, dir);
        return 0;
}

static int end(void **state)
{
        (void) state;
        (void) unlink(file);
        (void) unlink(record);
        assert_int_equal(rmdir(dir), 0);
        return 0;
}

static Config *config_of(const char *text)
{
        Config *c;
        Err err = { 0 };
        FILE *f = fopen(file, "we");
        assert_non_null(f);
        (void) fprintf(f, "[agent]\nstate_dir = %s\n%s", dir, text);
        assert_int_equal(fclose(f), 0);
        if (config_load(&c, file, "/nonexistent", &err) < 0)
                fail_msg("%s", err.text);
        return c;
}

/* @seen: of the agent that looks. */
static int look(ConfigSeen *seen, const char *text, char *buf, size_t size)
{
        _cleanup_(config_freep) Config *c = config_of(text);
        return config_seen(c, seen, buf, size);
}

static void a_change_is_told_once_by_whoever_sees_it_first(void **state)
{
        ConfigSeen first = { 0 }, second = { 0 };
        char buf[900];
        (void) state;
        assert_int_equal(look(&first, "", buf, sizeof(buf)), 0);
        assert_string_equal(buf, "");
        assert_int_equal(look(&first, "", buf, sizeof(buf)), 0);
        assert_int_equal(look(&first, "[component router]\ndrain_max = 60s\n", buf, sizeof(buf)), 1);
        assert_non_null(strstr(buf, "[component router] drain_max = "));
        assert_non_null(strstr(buf, "was as by default ("));
        assert_non_null(strstr(buf, "edge-roll.conf:4"));
        assert_int_equal(look(&first, "[component router]\ndrain_max = 60s\n", buf, sizeof(buf)), 0);
        config_seen_done(&first);
        /* The next agent knows what the first one has seen. */
        assert_int_equal(look(&second, "[component router]\ndrain_max = 90s\n", buf, sizeof(buf)), 1);
        assert_non_null(strstr(buf, "drain_max = 90s, was "));
        assert_int_equal(look(&second, "", buf, sizeof(buf)), 1);
        assert_non_null(strstr(buf, "[component router] drain_max = as by default, was 90s"));
        config_seen_done(&second);
}

static void only_a_comment_or_the_place_of_a_line_is_no_change(void **state)
{
        ConfigSeen seen = { 0 };
        char buf[900];
        (void) state;
        assert_int_equal(look(&seen, "idle_exit = 20s\n", buf, sizeof(buf)), 0);
        assert_int_equal(look(&seen, "# why\n\nidle_exit = 20s\n", buf, sizeof(buf)), 0);
        config_seen_done(&seen);
}

static void a_record_that_makes_no_sense_is_none(void **state)
{
        static const char *const records[] = { "",
                                               "{",
                                               "[]",
                                               "{\"format\":1,\"set\":{\"x\":\"y\"}}",
                                               "{\"format\":1,\"set\":{\"[a\":3}}",
                                               "{\"format\":99}" };
        char buf[900];
        (void) state;
        for (size_t i = 0; i < ELEMENTS(records); i++) {
                ConfigSeen seen = { 0 };
                FILE *f = fopen(record, "we");
                assert_non_null(f);
                (void) fputs(records[i], f);
                assert_int_equal(fclose(f), 0);
                assert_int_equal(look(&seen, "idle_exit = 20s\n", buf, sizeof(buf)), 0);
                assert_int_equal(look(&seen, "idle_exit = 30s\n", buf, sizeof(buf)), 1);
                config_seen_done(&seen);
        }
}

/* No agent fails over it, and what runs is still told. */
static void a_state_directory_that_is_gone_is_an_error_and_nothing_else(void **state)
{
        ConfigSeen seen = { 0 };
        char buf[900];
        (void) state;
        assert_int_equal(look(&seen, "idle_exit = 20s\n", buf, sizeof(buf)), 0);
        _cleanup_(config_freep) Config *c = config_of("idle_exit = 30s\n");
        free(c->state_dir);
        c->state_dir = strdup("/nonexistent");
        assert_true(config_seen(c, &seen, buf, sizeof(buf)) < 0);
        assert_non_null(strstr(buf, "[agent] idle_exit = 30s, was 20s"));
        config_seen_done(&seen);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_change_is_told_once_by_whoever_sees_it_first, begin, end),
                cmocka_unit_test_setup_teardown(only_a_comment_or_the_place_of_a_line_is_no_change, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_record_that_makes_no_sense_is_none, begin, end),
                cmocka_unit_test_setup_teardown(a_state_directory_that_is_gone_is_an_error_and_nothing_else,
                                                begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
