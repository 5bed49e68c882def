/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Names become addresses, or a sentence, beside the loop. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/lookup.h"
#include "tests/lib/getent.h"

typedef struct Answer {
        unsigned called;
        size_t n;
        char first[ADDR_TEXT_SIZE];
        char why[160];
} Answer;

static void on_lookup(const Addr *addrs, size_t n, const char *why, void *userdata)
{
        Answer *a = userdata;
        a->called++;
        a->n = n;
        if (n > 0)
                (void) addr_format(&addrs[0], a->first, sizeof(a->first));
        (void) snprintf(a->why, sizeof(a->why), "%s", why);
}

static Answer ask(const char *host, Usec limit_usec)
{
        sd_event *e = NULL;
        Lookup *l = NULL;
        Answer a = { 0 };
        Err err = { 0 };
        Usec deadline = time_now() + 10 * USEC_PER_SEC;

        assert_true(sd_event_new(&e) >= 0);
        assert_int_equal(lookup_start(&l, e, host, limit_usec, on_lookup, &a, &err), 0);
        assert_int_equal(a.called, 0);
        while (a.called == 0) {
                assert_true(time_now() < deadline);
                assert_true(sd_event_run(e, time_left(deadline, time_now())) >= 0);
        }
        assert_int_equal(a.called, 1);
        (void) sd_event_unref(e);
        return a;
}

static void test_addresses(void **state _unused_)
{
        static const char *const numbers[][2] = { { "127.0.0.1", "127.0.0.1" }, { "fd77::1", "fd77::1" } };
        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                Answer a = ask(numbers[i][0], USEC_PER_SEC);
                assert_int_equal(a.n, 1);
                assert_string_equal(a.first, numbers[i][1]);
                assert_string_equal(a.why, "");
        }
        Answer a = ask("localhost", 5 * USEC_PER_SEC);
        assert_true(a.n >= 1);
        assert_true(strcmp(a.first, "127.0.0.1") == 0 || strcmp(a.first, "::1") == 0);
}

static void test_no_address(void **state _unused_)
{
        static const char *const names[] = { "no-such-name.invalid", "--help", "a b", "127.1.1.1.1.1" };
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                Answer a = ask(names[i], 8 * USEC_PER_SEC);
                assert_int_equal(a.n, 0);
                assert_true(*a.why);
        }
}

/* Silent name service: the program is killed when the time is over, and none is left behind. */
static void test_silence(void **state _unused_)
{
        Getent g;

        /* It does not end by itself when nobody listens. */
        getent_start(&g, "exec tail -f /dev/null 9>&1 >/dev/null");
        Usec start = time_now();
        Answer a = ask("silent.example.com", 400 * USEC_PER_MSEC);
        assert_true(time_now() - start < 4 * USEC_PER_SEC);
        assert_int_equal(a.n, 0);
        assert_non_null(strstr(a.why, "no answer"));
        int pid = getent_pid(&g);
        if (pid > 0) /* it came as far as that */
                assert_true(kill(pid, 0) < 0 && errno == ESRCH);

        _cleanup_(freep) char *path = strdup(getenv("PATH"));
        assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
        a = ask("some.example.com", USEC_PER_SEC);
        assert_string_equal(a.why, "getent cannot be run");
        assert_int_equal(setenv("PATH", path, 1), 0);
        getent_stop(&g);
}

static void test_cancelled(void **state _unused_)
{
        sd_event *e = NULL;
        Lookup *l = NULL;
        Answer a = { 0 };
        Err err = { 0 };

        assert_true(sd_event_new(&e) >= 0);
        assert_int_equal(lookup_start(&l, e, "localhost", USEC_PER_SEC, on_lookup, &a, &err), 0);
        assert_null(lookup_cancel(l));
        while (sd_event_run(e, 0) > 0)
                ;
        assert_int_equal(a.called, 0);
        (void) sd_event_unref(e);
}

static void test_output(void **state _unused_)
{
        Addr addrs[3];
        char text[ADDR_TEXT_SIZE];

        /* The last line is not whole. */
        assert_int_equal(
                lookup_parse("10.0.0.1      STREAM zk1\n10.0.0.1      DGRAM\nfd77::1 STREAM\n10.0.0.9", addrs,
                             ELEMENTS(addrs)),
                2);
        assert_string_equal(addr_format(&addrs[1], text, sizeof(text)), "fd77::1");
        assert_int_equal(lookup_parse("1.1.1.1\n1.1.1.2\n1.1.1.3\n1.1.1.4\n", addrs, ELEMENTS(addrs)), 3);
        assert_int_equal(lookup_parse("", addrs, ELEMENTS(addrs)), 0);
        assert_int_equal(lookup_parse("nonsense\n\n x\n", addrs, ELEMENTS(addrs)), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses), cmocka_unit_test(test_no_address),
                cmocka_unit_test(test_silence),   cmocka_unit_test(test_cancelled),
                cmocka_unit_test(test_output),
        };
        return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
