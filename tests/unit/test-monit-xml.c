/* SPDX-License-Identifier: GPL-3.0-or-later */

/* data/monit-status.xml is what monit 5.33 answered, one check of it unmonitored; only host names are
 * changed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/monit-xml.h"

#define SERVICE(name, more) "<service type=\"3\"><name>" name "</name>" more "</service>"
#define NUMBERS             "<monitor>1</monitor><pendingaction>0</pendingaction>"
#define MONIT(services)     "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><monit>" services "</monit>"

/* Tests run in the top directory; a build elsewhere names it. */
static char *read_data(size_t *ret_len)
{
        char path[512];
        const char *top = getenv("EDGE_ROLL_SRCDIR");
        static char text[65536];

        (void) snprintf(path, sizeof(path), "%s/tests/unit/data/monit-status.xml", top ? top : ".");
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f)
                fail_msg("%s: %s", path, strerror(errno));
        *ret_len = fread(text, 1, sizeof(text), f);
        assert_in_range(*ret_len, 1, sizeof(text) - 1);
        return text;
}

static void test_real_answer(void **state _unused_)
{
        size_t len;
        const char *xml = read_data(&len);
        MonitCheck check;
        Err err = { 0 };

        assert_int_equal(monit_xml_find(xml, len, "edge-router", &check, &err), 0);
        assert_true(check.found);
        assert_int_equal(check.monitor, 0);
        assert_int_equal(check.pending_action, 0);
        assert_int_equal(monit_xml_find(xml, len, "edge-message-processor", &check, &err), 0);
        assert_true(check.found);
        assert_int_equal(check.monitor, 1);
        assert_int_equal(monit_xml_find(xml, len, "passwd", &check, &err), 0);
        assert_true(check.found);
}

static void test_not_there(void **state _unused_)
{
        static const char *const names[] = {
                "edge-rout", "edge-router2", "Edge-Router", "", "Linux", "name"
        };
        size_t len;
        const char *xml = read_data(&len);

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                MonitCheck check = { .found = true, .monitor = 1, .pending_action = 1 };
                Err err = { 0 };
                assert_int_equal(monit_xml_find(xml, len, names[i], &check, &err), 0);
                assert_false(check.found);
                assert_int_equal(check.monitor, 0);
                assert_int_equal(check.pending_action, 0);
        }
}

/* As seen when `unmonitor` comes while the start program runs. */
static void test_pending(void **state _unused_)
{
        static const char xml[] = MONIT(SERVICE("a", "<monitor>2</monitor><pendingaction>5</pendingaction>"));
        MonitCheck check;
        Err err = { 0 };

        assert_int_equal(monit_xml_find(xml, strlen(xml), "a", &check, &err), 0);
        assert_int_equal(check.monitor, 2);
        assert_int_equal(check.pending_action, 5);
}

static void test_odd_but_right(void **state _unused_)
{
        static const char *const odd[] = {
                MONIT("<service><name><![CDATA[a]]></name>" NUMBERS "</service>"),
                MONIT("<service><name>&#97;</name>" NUMBERS "</service>"),
                MONIT("<!-- x -->\n" SERVICE("b", "") "\n" SERVICE("a",
                                                                   "<x/>" NUMBERS "<monitor>7</monitor>")),
        };
        for (size_t i = 0; i < ELEMENTS(odd); i++) {
                MonitCheck check;
                Err err = { 0 };
                if (monit_xml_find(odd[i], strlen(odd[i]), "a", &check, &err) != 0)
                        fail_msg("%s: %s", odd[i], err.text);
                assert_true(check.found);
                assert_int_equal(check.monitor, 1);
        }
}

static void test_bad(void **state _unused_)
{
        static const char *const bad[] = {
                "",
                "monit",
                "<html><body>401</body></html>",
                "<monit>",
                MONIT(SERVICE("a", NUMBERS)) "x",
                MONIT(SERVICE("a", NUMBERS) SERVICE("a", NUMBERS)),
                MONIT(SERVICE("a", "")),
                MONIT(SERVICE("a", "<monitor>1</monitor>")),
                MONIT(SERVICE("a", "<monitor>yes</monitor><pendingaction>0</pendingaction>")),
                MONIT(SERVICE("a", "<monitor></monitor><pendingaction>0</pendingaction>")),
                MONIT(SERVICE("a", "<monitor>-1</monitor><pendingaction>0</pendingaction>")),
                MONIT(SERVICE("a", "<monitor>100</monitor><pendingaction>0</pendingaction>")),
                MONIT(SERVICE("a", "<monitor><x/></monitor><pendingaction>0</pendingaction>")),
                "<!DOCTYPE monit><monit>" SERVICE("a", NUMBERS) "</monit>",
                "<!DOCTYPE monit [<!ENTITY e \"a\">]><monit>" SERVICE("&e;", NUMBERS) "</monit>",
                "<!DOCTYPE monit [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><monit>" SERVICE(
                        "&e;", NUMBERS) "</monit>",
                "<!DOCTYPE monit SYSTEM \"http://127.0.0.1:1/x.dtd\"><monit>" SERVICE("a",
                                                                                      NUMBERS) "</monit>",
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                MonitCheck check = { .monitor = 7 };
                Err err = { 0 };
                if (monit_xml_find(bad[i], strlen(bad[i]), "a", &check, &err) != -EBADMSG)
                        fail_msg("%s: %d %s", bad[i], err.code, err.text);
                assert_int_equal(check.monitor, 7);
                assert_int_equal(err.code, -EBADMSG);
        }
}

/* Not a walk through the whole of it, and not a crash of the stack. */
static void test_limits(void **state _unused_)
{
        size_t size = MONIT_XML_MAX + 1;
        char *big = malloc(size);
        MonitCheck check;
        Err err = { 0 };

        assert_non_null(big);
        memset(big, ' ', size);
        assert_int_equal(monit_xml_find(big, size, "a", &check, &err), -E2BIG);
        for (size_t i = 0; i + 3 <= size; i += 3)
                memcpy(big + i, "<a>", 3);
        assert_int_equal(monit_xml_find(big, size - 1, "a", &check, &err), -EBADMSG);
        free(big);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_real_answer), cmocka_unit_test(test_not_there),
                cmocka_unit_test(test_pending),     cmocka_unit_test(test_odd_but_right),
                cmocka_unit_test(test_bad),         cmocka_unit_test(test_limits),
        };
        return cmocka_run_group_tests_name("monit-xml", tests, NULL, NULL);
}
