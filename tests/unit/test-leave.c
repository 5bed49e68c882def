/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How a message processor leaves, by what is known of its routers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "agent/leave.h"
#include "base/cleanup.h"

static void test_retry_set(void **state)
{
        static const struct {
                const char *text;
                bool error, http_599;
        } rows[] = {
                { NULL, false, true }, /* not set: the documented default */
                { "", false, false },
                { "off", false, false },
                { "off error", false, false },
                { "http_599", false, true },
                { "http_599 error", true, true },
                { "\terror  timeout invalid_header http_503 ", true, false },
                { "errors http_5999 xerror", false, false },
        };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                RetrySet set;
                leave_retry_parse(rows[i].text, "a file", &set);
                assert_true(set.known);
                assert_int_equal(set.error, rows[i].error);
                assert_int_equal(set.http_599, rows[i].http_599);
                assert_non_null(strstr(set.from, "a file"));
                assert_int_equal(strstr(set.from, "default") != NULL, rows[i].text == NULL);
        }
}

static MpLeave choose(MpLeave asked, bool tls, const char *retry, const char *why_has, bool loss)
{
        RetrySet set = { .from = "nobody said" };
        char why[200] = "", text[256] = "";

        if (retry)
                leave_retry_parse(retry, "the caller", &set);
        MpLeave way = leave_choose(asked, tls, &set, why, sizeof(why), text, sizeof(text));
        if (!strstr(why, why_has))
                fail_msg("\"%s\" is not in \"%s\"", why_has, why);
        assert_int_equal(text[0] != '\0', loss);
        return way;
}

static void test_auto(void **state)
{
        (void) state;
        assert_int_equal(choose(MP_LEAVE_AUTO, false, NULL, "not known (nobody said): block", false),
                         MP_LEAVE_BLOCK);
        assert_int_equal(choose(MP_LEAVE_AUTO, false, "http_599", "retry 599 and no refused", false),
                         MP_LEAVE_GRACEFUL);
        assert_int_equal(choose(MP_LEAVE_AUTO, false, "http_599 error", "retry refused", false),
                         MP_LEAVE_BLOCK);
        assert_int_equal(choose(MP_LEAVE_AUTO, false, "error", "retry refused", false), MP_LEAVE_BLOCK);
        /* Nothing is without loss: said. */
        assert_int_equal(choose(MP_LEAVE_AUTO, false, "off", "neither 599 nor refused", true),
                         MP_LEAVE_BLOCK);
        /* Behind TLS no request is refused. */
        assert_int_equal(choose(MP_LEAVE_AUTO, true, "http_599", "refuses checks only", false),
                         MP_LEAVE_BLOCK);
        assert_int_equal(choose(MP_LEAVE_AUTO, true, NULL, "refuses checks only", false), MP_LEAVE_BLOCK);
}

static void test_told(void **state)
{
        (void) state;
        assert_int_equal(choose(MP_LEAVE_BLOCK, false, NULL, "mp_leave = block", false), MP_LEAVE_BLOCK);
        assert_int_equal(choose(MP_LEAVE_BLOCK, false, "http_599", "mp_leave = block", true), MP_LEAVE_BLOCK);
        assert_int_equal(choose(MP_LEAVE_BLOCK, true, "http_599", "mp_leave = block", false), MP_LEAVE_BLOCK);
        assert_int_equal(choose(MP_LEAVE_GRACEFUL, false, "http_599 error", "mp_leave = graceful", false),
                         MP_LEAVE_GRACEFUL);
        assert_int_equal(choose(MP_LEAVE_GRACEFUL, false, "error", "mp_leave = graceful", true),
                         MP_LEAVE_GRACEFUL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_retry_set),
                cmocka_unit_test(test_auto),
                cmocka_unit_test(test_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
