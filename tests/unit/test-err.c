/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The small leaves of base/: err, addr, result, and what cleanup.h promises. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/result.h"

static void test_err_set(void **state _unused_)
{
        Err e = { 0 };

        assert_int_equal(err_set(&e, -EBUSY, "job %d runs", 3), -EBUSY);
        assert_int_equal(e.code, -EBUSY);
        assert_string_equal(e.text, "job 3 runs");
        assert_int_equal(err_set(&e, EBUSY, "x"), -EBUSY);
        /* A failure never reads as success. */
        assert_int_equal(err_set(&e, 0, "x"), -EIO);
        assert_int_equal(e.code, -EIO);
        assert_int_equal(err_set(NULL, -EBUSY, "dropped"), -EBUSY);
        assert_int_equal(err_set(NULL, 0, "dropped"), -EIO);
}

static void test_err_errno(void **state _unused_)
{
        Err e = { 0 };

        assert_int_equal(err_errno(&e, -ENOENT, "%s", "/nowhere"), -ENOENT);
        assert_int_equal(e.code, -ENOENT);
        assert_string_equal(e.text, "/nowhere: No such file or directory");
        assert_int_equal(err_errno(NULL, -ENOENT, "x"), -ENOENT);
}

static void test_err_prefix(void **state _unused_)
{
        Err e = { 0 };

        (void) err_set(&e, -ENOENT, "no such unit");
        assert_int_equal(err_prefix(&e, -ENOENT, "component %s", "router"), -ENOENT);
        assert_int_equal(e.code, -ENOENT);
        assert_string_equal(e.text, "component router: no such unit");
        assert_int_equal(err_prefix(NULL, -EBUSY, "x"), -EBUSY);
}

static void test_err_is_one_clean_line(void **state _unused_)
{
        Err e = { 0 };

        (void) err_set(&e, -EIO, "two\nlines\t\x1b[31m\x7f");
        assert_string_equal(e.text, "two?lines??[31m?");
        (void) err_prefix(&e, -EIO, "a\nb");
        assert_string_equal(e.text, "a?b: two?lines??[31m?");
        (void) err_errno(&e, -EIO, "a\nb");
        assert_string_equal(e.text, "a?b: Input/output error");
}

/* Too long is cut; the reason behind a long sentence stays. */
static void test_err_is_bounded(void **state _unused_)
{
        Err e = { 0 };
        char big[2000];

        memset(big, 'a', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        (void) err_set(&e, -EIO, "%s", big);
        assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
        (void) err_errno(&e, -EIO, "%s", big);
        assert_non_null(strstr(e.text, ": Input/output error"));
        for (int i = 0; i < 10; i++)
                (void) err_prefix(&e, -EIO, "%s", big);
        assert_in_range(strlen(e.text), 100, sizeof(e.text) - 1);
}

static void expect_addr(const char *text, const char *formatted, bool loopback)
{
        Addr a;
        char buf[ADDR_TEXT_SIZE];

        assert_true(addr_parse(text, &a));
        assert_string_equal(addr_format(&a, buf, sizeof(buf)), formatted);
        assert_int_equal(addr_is_loopback(&a), loopback);
}

static void test_addr(void **state _unused_)
{
        expect_addr("10.0.0.5", "10.0.0.5", false);
        expect_addr("127.0.0.1", "127.0.0.1", true);
        expect_addr("127.255.3.4", "127.255.3.4", true);
        expect_addr("128.0.0.1", "128.0.0.1", false);
        expect_addr("fd77::5", "fd77::5", false);
        expect_addr("::1", "::1", true);
        expect_addr("::", "::", false);
        expect_addr("::2", "::2", false);
        /* One peer, one address, whichever socket saw it. */
        expect_addr("::ffff:10.0.0.5", "10.0.0.5", false);
        expect_addr("::ffff:127.0.0.1", "127.0.0.1", true);
        expect_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                    false);
}

static void test_addr_refuses(void **state _unused_)
{
        static const char *const bad[] = { "",      "localhost",  "10.0.0",    "10.0.0.256", "10.0.0.5:80",
                                           "[::1]", "fe80::1%lo", " 10.0.0.5", "10.0.0.5 ",  ":::1" };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                Addr a = { .family = 99 };
                if (addr_parse(bad[i], &a))
                        fail_msg("\"%s\" is taken", bad[i]);
                assert_int_equal(a.family, 99);
        }
}

static void test_addr_equal(void **state _unused_)
{
        static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 5 };
        Addr a, b;

        assert_true(addr_parse("10.0.0.5", &a));
        b = addr_from(AF_INET6, mapped);
        assert_int_equal(b.family, AF_INET);
        assert_true(addr_equal(&a, &b));
        assert_true(addr_parse("10.0.0.6", &b));
        assert_false(addr_equal(&a, &b));
        /* The same bytes in the other family are another address. */
        assert_true(addr_parse("a00:5::", &b));
        assert_false(addr_equal(&a, &b));
        b = addr_from(AF_INET, mapped + 12);
        assert_true(addr_equal(&a, &b));
}

static void test_addr_format_needs_room(void **state _unused_)
{
        Addr a;
        char small[4] = "xxx";
        assert_true(addr_parse("10.0.0.5", &a));
        assert_string_equal(addr_format(&a, small, sizeof(small)), "");
}

/* Scripts rely on each of these numbers. */
static void test_results(void **state _unused_)
{
        static const struct {
                Result result;
                const char *name;
                int exit_code;
        } table[] = {
                { RESULT_DONE, "done", 0 },
                { RESULT_FAILED, "failed", 1 },
                { RESULT_USAGE, "usage", 2 },
                { RESULT_NOT_NEEDED, "not-needed", 10 },
                { RESULT_REFUSED, "refused", 11 },
                { RESULT_UNPROTECTED, "unprotected", 12 },
                { RESULT_NO_CHECKER, "no-checker", 13 },
                { RESULT_BUSY, "busy", 14 },
                { RESULT_GAVE_BACK, "gave-back", 15 },
                { RESULT_HELD, "held", 16 },
                { RESULT_NOT_READMITTED, "not-readmitted", 17 },
                { RESULT_NO_PERMISSION, "no-permission", 18 },
                { RESULT_AGENT_UNREACHABLE, "agent-unreachable", 19 },
                { RESULT_PROBLEMS, "problems", 20 },
                { RESULT_INTERRUPTED, "interrupted", 21 },
        };
        assert_int_equal(ELEMENTS(table), RESULT_COUNT);
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                assert_string_equal(result_name(table[i].result), table[i].name);
                assert_int_equal(result_from_name(table[i].name), table[i].result);
                assert_int_equal(result_exit_code(table[i].result), table[i].exit_code);
        }
        assert_string_equal(result_name(RESULT_INVALID), "invalid");
        assert_string_equal(result_name(RESULT_COUNT), "invalid");
        assert_int_equal(result_from_name("Done"), RESULT_INVALID);
        assert_int_equal(result_from_name(""), RESULT_INVALID);
        /* Whatever is not in the table is no success. */
        assert_int_equal(result_exit_code(RESULT_INVALID), 1);
        assert_int_equal(result_exit_code(RESULT_COUNT), 1);
}

static void test_take(void **state _unused_)
{
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        {
                _cleanup_(closep) int mine = fd;
                assert_int_equal(TAKE_FD(mine), fd);
                assert_int_equal(mine, -1);
        }
        assert_true(fcntl(fd, F_GETFD) >= 0); /* still open */
        {
                _cleanup_(closep) int mine = fd;
                assert_int_equal(mine, fd);
        }
        assert_int_equal(fcntl(fd, F_GETFD), -1);

        char *text = strdup("x"), *kept;
        {
                _cleanup_(freep) char *mine = text;
                kept = TAKE_PTR(mine);
                assert_null(mine);
        }
        assert_ptr_equal(kept, text);
        free(kept);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_err_set),
                cmocka_unit_test(test_err_errno),
                cmocka_unit_test(test_err_prefix),
                cmocka_unit_test(test_err_is_one_clean_line),
                cmocka_unit_test(test_err_is_bounded),
                cmocka_unit_test(test_addr),
                cmocka_unit_test(test_addr_refuses),
                cmocka_unit_test(test_addr_equal),
                cmocka_unit_test(test_addr_format_needs_room),
                cmocka_unit_test(test_results),
                cmocka_unit_test(test_take),
        };
        return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
