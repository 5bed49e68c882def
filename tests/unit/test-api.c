/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Many requests to a Management Server that has stopped answering. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/edge/fetch.h"
#include "tests/lib/standin.h"

#define EDGE "{\"acme\":{\"prod\":{\"targetservers\":{}}}}"

typedef struct Counts {
        unsigned answers, timed_out, not_asked, absent;
        Standin *standin;
} Counts;

static void on_answer(const char *name, const ApiAnswer *answer, void *userdata)
{
        Counts *c = userdata;
        assert_non_null(name);
        c->timed_out += answer->code == -ETIMEDOUT;
        c->not_asked += answer->code == -ETIME;
        c->absent += answer->kind == API_ABSENT;
        if (answer->code == -ETIME)
                assert_non_null(strstr(answer->text, "not asked, because the last "));
        c->answers++;
}

static void set_up(Counts *c, Api **ret, const char *mode)
{
        sd_event *event = NULL;
        char hint[300];
        Err err = { 0 };
        *c = (Counts){ .standin = standin_new(EDGE, "[]") };
        assert_true(sd_event_new(&event) >= 0);
        ApiOptions options = { .url = standin_url(c->standin),
                               .total_usec = 3 * USEC_PER_SEC,
                               .event = event };
        if (api_new(ret, &options, hint, sizeof(hint), &err) < 0)
                fail_msg("%s", err.text);
        (void) sd_event_unref(event);
        standin_write(c->standin, "mode", mode);
}

static void fetch(Counts *c, Api *api)
{
        static char *names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
                                 "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", NULL };
        Err err = { 0 };
        if (fetch_each(api, "/v1/o/acme/e/prod/targetservers", names, on_answer, c, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(c->answers, ELEMENTS(names) - 1);
}

/* As many as run at once, and not all of them one after another, each for its whole time. */
static void test_a_server_that_hangs_is_not_asked_for_all(void **state _unused_)
{
        Counts c;
        _cleanup_(api_freep) Api *api = NULL;
        set_up(&c, &api, "hang targetservers/");
        fetch(&c, api);
        assert_in_range(c.timed_out, API_AT_ONCE, 2 * API_AT_ONCE - 1);
        assert_int_equal(c.not_asked, 23 - c.timed_out);
        /* What comes later is tried again. */
        standin_write(c.standin, "mode", NULL);
        c.answers = c.not_asked = 0;
        fetch(&c, api);
        assert_int_equal(c.absent, 23);
        assert_int_equal(c.not_asked, 0);
        (void) standin_free(c.standin);
}

/* One that hangs is no reason to ask for no more. */
static void test_one_that_hangs_is_one(void **state _unused_)
{
        Counts c;
        _cleanup_(api_freep) Api *api = NULL;
        set_up(&c, &api, "hang targetservers/a");
        fetch(&c, api);
        assert_int_equal(c.timed_out, 1);
        assert_int_equal(c.absent, 22);
        (void) standin_free(c.standin);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_server_that_hangs_is_not_asked_for_all),
                cmocka_unit_test(test_one_that_hangs_is_one),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
