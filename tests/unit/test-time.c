/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/time.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

typedef struct Good {
        const char *text;
        Usec usec;
} Good;

static void test_parse(void **state _unused_)
{
        static const Good good[] = {
                { "30", 30 * USEC_PER_SEC },
                { "0", 0 },
                { "1.5s", 1500 * USEC_PER_MSEC },
                { "0.25", 250 * USEC_PER_MSEC },
                { "250ms", 250 * USEC_PER_MSEC },
                { "7us", 7 },
                { "2m", 2 * MINUTE },
                { "2min", 2 * MINUTE },
                { "30 sec", 30 * USEC_PER_SEC },
                { "1h30m", HOUR + 30 * MINUTE },
                { "1h 30m", HOUR + 30 * MINUTE },
                { " 2 d ", 2 * DAY },
                { "\t5s\t", 5 * USEC_PER_SEC },
                { "1.0000001s", USEC_PER_SEC },
                { "3650d", 3650 * DAY },
        };
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                Usec usec = 1;
                Err err = { 0 };
                if (time_parse(good[i].text, USEC_PER_SEC, &usec, &err) != 0)
                        fail_msg("\"%s\": %s", good[i].text, err.text);
                if (usec != good[i].usec)
                        fail_msg("\"%s\": %" PRIu64, good[i].text, usec);
        }
        Usec usec = 0;
        assert_int_equal(time_parse("55000", USEC_PER_MSEC, &usec, NULL), 0);
        assert_int_equal(usec, 55 * USEC_PER_SEC);
}

static void test_parse_refuses(void **state _unused_)
{
        static const char *const bad[] = {
                "",     " ",     "s",        "-5s",  "+5s",  "5x",    "5S",    "1.s",
                ".5s",  "1..5s", "1.2.3",    "5s x", "1 30", "1h 30", "30 1h", "1e3",
                "0x10", "5s;",   "infinity", "five", "5 5s", "1,5s",  "5s5",
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                Usec usec = 7;
                Err err = { 0 };
                if (time_parse(bad[i], USEC_PER_SEC, &usec, &err) != -EINVAL)
                        fail_msg("\"%s\" is taken: %" PRIu64, bad[i], usec);
                assert_int_equal(usec, 7);
                assert_int_equal(err.code, -EINVAL);
                assert_non_null(strstr(err.text, "is not a duration"));
        }
}

static void test_parse_range(void **state _unused_)
{
        static const char *const huge[] = { "3651d", "99999999999999999999s", "18446744073709551616us",
                                            "3650d 1s", "2000d2000d" };
        for (size_t i = 0; i < ELEMENTS(huge); i++) {
                Usec usec = 7;
                Err err = { 0 };
                if (time_parse(huge[i], USEC_PER_SEC, &usec, &err) != -ERANGE)
                        fail_msg("\"%s\": %d, %" PRIu64, huge[i], err.code, usec);
                assert_int_equal(usec, 7);
                assert_non_null(strstr(err.text, "ten years"));
        }
}

static void test_parse_nginx(void **state _unused_)
{
        static const Good good[] = {
                { "57", 57 * USEC_PER_SEC },
                { "57s", 57 * USEC_PER_SEC },
                { "2h", 2 * HOUR },
                { "120m", 120 * MINUTE },
                { "1800000ms", 1800 * USEC_PER_SEC },
                { "1h 30m", HOUR + 30 * MINUTE },
                { "1w", 7 * DAY },
                { "1M", 30 * DAY }, /* a month, */
                { "1m", MINUTE },   /* not a minute */
                { "1y", 365 * DAY },
                { "1d12h", DAY + 12 * HOUR },
        };
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                Usec usec = 1;
                Err err = { 0 };
                if (time_parse_nginx(good[i].text, &usec, &err) != 0)
                        fail_msg("\"%s\": %s", good[i].text, err.text);
                if (usec != good[i].usec)
                        fail_msg("\"%s\": %" PRIu64, good[i].text, usec);
        }
        static const char *const bad[] = { "", "57 s x", "5min", "5us", "1H", "off", "$timeout" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                Usec usec;
                if (time_parse_nginx(bad[i], &usec, NULL) != -EINVAL)
                        fail_msg("\"%s\" is taken", bad[i]);
        }
        Usec usec;
        assert_int_equal(time_parse_nginx("11y", &usec, NULL), -ERANGE);
}

static void expect_format(Usec usec, const char *text)
{
        char buf[64];
        assert_string_equal(time_format(usec, buf, sizeof(buf)), text);
}

static void test_format(void **state _unused_)
{
        expect_format(0, "0 s");
        expect_format(250 * USEC_PER_MSEC, "0.25 s");
        expect_format(9990 * USEC_PER_MSEC, "9.99 s");
        expect_format(2 * USEC_PER_SEC, "2 s");
        expect_format(57 * USEC_PER_SEC + 900 * USEC_PER_MSEC, "57 s");
        expect_format(MINUTE, "1 m");
        expect_format(2 * MINUTE + 30 * USEC_PER_SEC, "2 m 30 s");
        expect_format(HOUR, "1 h");
        expect_format(3 * HOUR + 5 * MINUTE + 7 * USEC_PER_SEC, "3 h 5 m");
        expect_format(50 * HOUR, "50 h");
        expect_format(USEC_INFINITY, "no limit");
}

static void test_stamp(void **state _unused_)
{
        char buf[32];
        assert_string_equal(time_stamp(0, buf, sizeof(buf)), "1970-01-01T00:00:00.000Z");
        assert_string_equal(time_stamp(1795374000 * USEC_PER_SEC + 123999, buf, sizeof(buf)),
                            "2026-11-22T19:00:00.123Z");
}

static void test_arithmetic(void **state _unused_)
{
        assert_true(time_add(1, 2) == 3);
        assert_true(time_add(USEC_INFINITY, 1) == USEC_INFINITY);
        assert_true(time_add(1, USEC_INFINITY) == USEC_INFINITY);
        assert_true(time_add(USEC_INFINITY - 1, 1) == USEC_INFINITY);
        assert_true(time_add(USEC_INFINITY - 1, 2) == USEC_INFINITY);
        assert_true(time_left(5, 3) == 2);
        assert_true(time_left(3, 3) == 0);
        assert_true(time_left(3, 5) == 0);
        assert_true(time_left(USEC_INFINITY, 5) == USEC_INFINITY);
        assert_true(time_sec(1500 * USEC_PER_MSEC) == 1.5);
}

static void test_clocks(void **state _unused_)
{
        Usec a = time_now(), b = time_now();
        assert_true(a > 0 && b >= a);
        assert_true(time_boot() >= a); /* runs through suspend, so is never behind */
        assert_true(time_wall() > 1577836800 * USEC_PER_SEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),       cmocka_unit_test(test_parse_refuses),
                cmocka_unit_test(test_parse_range), cmocka_unit_test(test_parse_nginx),
                cmocka_unit_test(test_format),      cmocka_unit_test(test_stamp),
                cmocka_unit_test(test_arithmetic),  cmocka_unit_test(test_clocks),
        };
        return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
