/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/properties.h"

static Properties *from(const char *text)
{
        Properties *p = NULL;
        Err err = { 0 };
        assert_int_equal(properties_new(&p, &err), 0);
        if (properties_parse(p, text, strlen(text), "test.properties", &err) != 0)
                fail_msg("%s", err.text);
        return p;
}

static void expect(const char *text, const char *key, const char *value)
{
        _cleanup_(properties_freep) Properties *p = from(text);
        const char *found = properties_get(p, "file", key);
        if (!value && found)
                fail_msg("%s: \"%s\", expected none", text, found);
        if (value && (!found || strcmp(found, value) != 0))
                fail_msg("%s: \"%s\", expected \"%s\"", text, found ? found : "(none)", value);
}

/* As java.util.Properties reads them. */
static void test_syntax(void **state _unused_)
{
        expect("a=b", "a", "b");
        expect("a = b\n", "a", "b");
        expect("  a\t:\tb\r\n", "a", "b");
        expect("a b", "a", "b");
        expect("a", "a", "");
        expect("a=", "a", "");
        expect("a==b", "a", "=b");
        expect("a=b=c d", "a", "b=c d");
        expect("a = b  \t\n", "a", "b");
        expect("a=b\rc=d", "c", "d");
        expect("", "a", NULL);
        expect("\n\n \n", "a", NULL);
        expect("# a=b\n! a=c\n   # a=d\n", "a", NULL);
        expect("a=b # no comment\n", "a", "b # no comment");
        expect("# ends in a backslash \\\na=b\n", "a", "b"); /* comments are not continued */
        expect("A=b", "a", NULL);
        /* A byte order mark is part of the first key, for Edge as well: what it does not see is not believed.
         */
        expect("\xef\xbb\xbf"
               "a=b\r\nc=d\r\n",
               "a", NULL);
        expect("\xef\xbb\xbf"
               "a=b\r\nc=d\r\n",
               "c", "d");
}

static void test_continuation(void **state _unused_)
{
        expect("a=b\\\n   c\n", "a", "bc");
        expect("a=b\\\r\nc", "a", "bc");
        expect("a=b\\\rc", "a", "bc");
        expect("a=b\\\\\nc=d", "a", "b\\"); /* an escaped backslash continues nothing */
        expect("a=b\\\\\nc=d", "c", "d");
        expect("a=b\\\\\\\nc=d", "a", "b\\c=d");
        expect("a=b\\\n\nc=d", "a", "b");
        expect("a=b\\\n\nc=d", "c", "d");
        expect("a=b\\\n#c", "a", "b#c"); /* no comment within a value */
        expect("a\\\n=b", "a", "b");
        expect("a=b\\", "a", "b");
        expect("\\\na=b", "a", "b");
        expect("a=\\\n  1 \\\n  2", "a", "1 2");
}

static void test_escapes(void **state _unused_)
{
        expect("a\\=b=c", "a=b", "c");
        expect("a\\ b=c", "a b", "c");
        expect("a\\:b c", "a:b", "c");
        expect("a=\\ b", "a", " b");
        expect("a=x\\ty\\nz", "a", "x\ty\nz");
        expect("a=C\\:\\\\x", "a", "C:\\x");
        expect("a=\\q", "a", "q");
        expect("a=\\u0041\\u00e4\\u20AC", "a", "A\xc3\xa4\xe2\x82\xac");
        expect("a=\\u00", "a", "u00");
        expect("a=\\u00zz", "a", "u00zz");
        expect("a=\\u0000x", "a", "?x");
}

static void test_last_one_wins(void **state _unused_)
{
        expect("a=1\na=2\n", "a", "2");
        expect("a=1\nconf_file_a=2\n", "a", "2");
        expect("conf_file_a=1\na=2\nconf/file.properties+a=3\n", "a", "3");
        expect("conf/file.properties+a=3\nconf_file_a=1\n", "a", "1");

        _cleanup_(properties_freep) Properties *p = from("a=1\nb=1\n");
        assert_int_equal(properties_parse(p, "a=2\n", 4, "second.properties", NULL), 0);
        assert_string_equal(properties_get(p, "file", "a"), "2");
        assert_string_equal(properties_get(p, "file", "b"), "1");
}

static void test_tokens(void **state _unused_)
{
        _cleanup_(properties_freep) Properties *p =
                from("conf_load_balancing_load.balancing.driver.proxy.read.timeout=57\n"
                     "conf/message-processor-communication.properties+local.http.port=8443\n"
                     "conf_message-processor-communication_local.http.ssl=true\n"
                     "conf_other_local.http.port=1\n"
                     "conf/message-processor-communication+local.http.port=2\n");
        assert_string_equal(properties_get(p, "load_balancing", "load.balancing.driver.proxy.read.timeout"),
                            "57");
        assert_string_equal(properties_get(p, "message-processor-communication", "local.http.port"), "8443");
        assert_string_equal(properties_get(p, "message-processor-communication", "local.http.ssl"), "true");
        assert_null(properties_get(p, "load_balancing", "local.http.port"));
        assert_null(properties_get(p, "message-processor-communication", "http.port"));
}

static void test_bounds(void **state _unused_)
{
        size_t size = PROPERTIES_FILE_MAX + 1;
        char *big = malloc(size);
        _cleanup_(properties_freep) Properties *p = from("old=1");
        Err err = { 0 };

        assert_non_null(big);
        memset(big, 'a', size);
        assert_int_equal(properties_parse(p, big, size, "big", &err), -E2BIG);
        assert_int_equal(properties_parse(p, big, size - 1, "big", &err), 0);
        /* One entry too many: none of the file is kept. */
        for (size_t i = 0; i + 2 <= size; i += 2)
                memcpy(big + i, "x\n", 2);
        assert_int_equal(properties_parse(p, big, 2 * PROPERTIES_ENTRIES_MAX, "many", &err), -E2BIG);
        assert_non_null(strstr(err.text, "many: more than"));
        assert_null(properties_get(p, "file", "x"));
        assert_string_equal(properties_get(p, "file", "old"), "1");
        assert_int_equal(properties_parse(p, big, 2 * (PROPERTIES_ENTRIES_MAX - 2), "enough", &err), 0);
        assert_string_equal(properties_get(p, "file", "x"), "");
        assert_int_equal(properties_parse(p, "a\0b=\0\n", 6, "nul", &err), -E2BIG);
        free(big);

        _cleanup_(properties_freep) Properties *q = from("");
        assert_int_equal(properties_parse(q, "a\0b=\0\n", 6, "nul", &err), 0);
        assert_string_equal(properties_get(q, "file", "a?b"), "?");
}

static void expect_router(const char *text, Usec usec)
{
        _cleanup_(properties_freep) Properties *p = from(text);
        Usec found = 7;
        Err err = { 0 };
        if (properties_router_timeout(p, &found, &err) != 0)
                fail_msg("%s", err.text);
        assert_true(found == usec);
}

static void test_router_timeout(void **state _unused_)
{
        _cleanup_(properties_freep) Properties *bad =
                from("conf_load_balancing_load.balancing.driver.proxy.read.timeout=soon\n");
        Usec usec = 7;
        Err err = { 0 };

        expect_router("", 0);
        expect_router("conf_load_balancing_load.balancing.driver.proxy.read.timeout=57", 57 * USEC_PER_SEC);
        expect_router("conf_load_balancing_load.balancing.driver.proxy.read.timeout=2h \n"
                      "conf_load_balancing_load.balancing.driver.nginx.upstream_next_timeout=1800000ms",
                      7200 * USEC_PER_SEC);
        expect_router(
                "conf_load_balancing_load.balancing.driver.proxy.read.timeout=57s\n"
                "conf/load_balancing.properties+load.balancing.driver.nginx.upstream_next_timeout = 120m",
                7200 * USEC_PER_SEC);
        /* Set twice, the second time shorter: the second is in force. */
        expect_router("load.balancing.driver.proxy.read.timeout=300\n"
                      "conf_load_balancing_load.balancing.driver.proxy.read.timeout=57",
                      57 * USEC_PER_SEC);

        assert_int_equal(properties_router_timeout(bad, &usec, &err), -EINVAL);
        assert_int_equal(usec, 7);
        assert_non_null(
                strstr(err.text,
                       "test.properties: conf_load_balancing_load.balancing.driver.proxy.read.timeout"));
        assert_non_null(strstr(err.text, "\"soon\""));
}

static void test_mp_timeout(void **state _unused_)
{
        _cleanup_(properties_freep) Properties *none = from("a=b");
        _cleanup_(properties_freep) Properties *set =
                from("conf_http_HTTPTransport.io.timeout.millis=120000\n");
        _cleanup_(properties_freep) Properties *bad = from("conf_http_HTTPTransport.io.timeout.millis=-1\n");
        Usec usec = 7;

        assert_int_equal(properties_mp_timeout(none, &usec, NULL), 0);
        assert_int_equal(usec, 0);
        assert_int_equal(properties_mp_timeout(set, &usec, NULL), 0);
        assert_int_equal(usec, 120 * USEC_PER_SEC);
        assert_int_equal(properties_mp_timeout(bad, &usec, NULL), -EINVAL);
        assert_int_equal(usec, 120 * USEC_PER_SEC);
}

static void test_mp_tls(void **state _unused_)
{
        static const struct {
                const char *text;
                int r;
                bool tls;
        } rows[] = {
                { "a=b", 0, false },
                { "conf_message-processor-communication_local.http.ssl=true\n", 0, true },
                { "conf_message-processor-communication_local.http.ssl = TRUE \n", 0, true },
                { "conf/message-processor-communication.properties+local.http.ssl=true\n", 0, true },
                { "conf/message-processor-communication.properties+local.http.port=8443\n", 0, false },
                { "local.http.ssl=false", 0, false },
                { "local.http.ssl=true\nlocal.http.ssl=false\n", 0, false }, /* the last one counts */
                { "#local.http.ssl=true\n", 0, false },
                { "conf_router_local.http.ssl=true\n", 0, false },
                { "local.http.ssl=yes\n", -EINVAL, false },
                { "local.http.ssl=\n", -EINVAL, false },
                { "local.http.ssl=true # because\n", -EINVAL, false },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(properties_freep) Properties *p = from(rows[i].text);
                bool tls = false;
                Err err = { 0 };
                assert_int_equal(properties_mp_tls(p, &tls, &err), rows[i].r);
                assert_int_equal(tls, rows[i].tls);
                if (rows[i].r < 0)
                        assert_non_null(strstr(err.text, "neither true nor false"));
        }
}

/* --- files --- */

typedef struct Folder {
        char path[64];
} Folder;

static int folder_setup(void **state)
{
        Folder *f = calloc(1, sizeof(*f));
        assert_non_null(f);
        (void) snprintf(f->path, sizeof(f->path), "/tmp/edge-roll-test-XXXXXX");
        assert_non_null(mkdtemp(f->path));
        *state = f;
        return 0;
}

static int folder_teardown(void **state)
{
        static const char *const names[] = { "a.conf", "b.conf", "c.conf", "below/d.conf",
                                             "below",  "fifo",   "big",    "p" };
        Folder *f = *state;
        char path[128];
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
                (void) remove(path);
        }
        assert_int_equal(rmdir(f->path), 0);
        free(f);
        return 0;
}

static const char *write_file(const Folder *f, const char *name, const char *text)
{
        static char path[128];
        (void) snprintf(path, sizeof(path), "%s/%s", f->path, name);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        return path;
}

static void test_read(void **state)
{
        Folder *f = *state;
        char path[128];
        Err why = { 0 };
        _cleanup_(properties_freep) Properties *p = from("");

        assert_int_equal(properties_read(p, write_file(f, "p", "a=1\n"), &why), PROPERTIES_FOUND);
        assert_string_equal(properties_get(p, "file", "a"), "1");
        assert_int_equal(properties_read(p, write_file(f, "p", ""), &why), PROPERTIES_FOUND);
        (void) snprintf(path, sizeof(path), "%s/none", f->path);
        assert_int_equal(properties_read(p, path, &why), PROPERTIES_ABSENT);
        (void) snprintf(path, sizeof(path), "%s/p/none", f->path);
        assert_int_equal(properties_read(p, path, &why), PROPERTIES_ABSENT);
        assert_int_equal(why.code, 0);

        assert_int_equal(properties_read(p, f->path, &why), PROPERTIES_UNREADABLE);
        assert_non_null(strstr(why.text, "not a regular file"));
        (void) snprintf(path, sizeof(path), "%s/fifo", f->path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(properties_read(p, path, &why),
                         PROPERTIES_UNREADABLE); /* and does not wait for a writer */
        const char *big = write_file(f, "big", "a=2\n");
        assert_int_equal(truncate(big, PROPERTIES_FILE_MAX + 1), 0);
        assert_int_equal(properties_read(p, big, &why), PROPERTIES_UNREADABLE);
        assert_non_null(strstr(why.text, "more than"));
        assert_int_equal(properties_read(p, big, NULL), PROPERTIES_UNREADABLE);
        assert_string_equal(properties_get(p, "file", "a"), "1");
}

static void expect_nginx(const Folder *f, PropertiesAnswer answer, Usec usec)
{
        Usec found = 7;
        Err why = { 0 };
        PropertiesAnswer got = properties_nginx_timeout(f->path, &found, &why);
        if (got != answer || found != usec)
                fail_msg("answer %d, %" PRIu64 ": %s", got, found, why.text);
        assert_int_equal(why.code != 0, answer == PROPERTIES_UNREADABLE);
}

static void test_nginx(void **state)
{
        Folder *f = *state;
        char below[128];

        expect_nginx(f, PROPERTIES_ABSENT, 7);
        (void) write_file(f, "a.conf", "server { listen 9001; location / { proxy_pass http://x; } }\n");
        expect_nginx(f, PROPERTIES_ABSENT, 7);
        (void) write_file(f, "a.conf",
                          "proxy_read_timeout 57s;\n"
                          "# proxy_read_timeout 9h;\n"
                          "server { listen 9001; # }\n"
                          "  location / { proxy_read_timeout\n 120m ; proxy_connect_timeout 5h; }\n"
                          "  add_header X \"proxy_read_timeout 8h;\";\n"
                          "  add_header proxy_read_timeout 7h;\n"
                          "}\n");
        expect_nginx(f, PROPERTIES_FOUND, 7200 * USEC_PER_SEC);
        (void) write_file(f, "b.conf", "server{proxy_read_timeout '3h';}");
        expect_nginx(f, PROPERTIES_FOUND, 3 * 3600 * USEC_PER_SEC);

        /* Only what nginx would include from here: no folders below. */
        (void) snprintf(below, sizeof(below), "%s/below", f->path);
        assert_int_equal(mkdir(below, 0700), 0);
        (void) write_file(f, "below/d.conf", "proxy_read_timeout 6h;");
        expect_nginx(f, PROPERTIES_FOUND, 3 * 3600 * USEC_PER_SEC);

        /* ... but what is included. One that matches nothing is no error; one that includes itself ends. */
        char include[400];
        (void) snprintf(
                include, sizeof(include),
                "include %s/below/*.conf;\ninclude %s/none/*.conf;\nserver { include %s/below/e.conf; }\n"
                "add_header include /x;\n# include nothing;\n",
                f->path, f->path, f->path);
        (void) write_file(f, "c.conf", include);
        expect_nginx(f, PROPERTIES_FOUND, 6 * 3600 * USEC_PER_SEC);
        (void) snprintf(include, sizeof(include), "include %s/below/d.conf; proxy_read_timeout 7h;", f->path);
        (void) write_file(f, "below/d.conf", include);
        expect_nginx(f, PROPERTIES_UNREADABLE, 7 * 3600 * USEC_PER_SEC);
        (void) write_file(f, "below/d.conf", "proxy_read_timeout 6h;");
        (void) write_file(f, "c.conf", "include sub/x.conf; proxy_read_timeout 5h;");
        expect_nginx(f, PROPERTIES_UNREADABLE, 5 * 3600 * USEC_PER_SEC);

        /* A value nobody understands: told, and the rest stands. */
        (void) write_file(f, "c.conf", "proxy_read_timeout $t; proxy_read_timeout 4h;");
        expect_nginx(f, PROPERTIES_UNREADABLE, 4 * 3600 * USEC_PER_SEC);
        (void) write_file(f, "c.conf", "proxy_read_timeout; proxy_read_timeout 4h;");
        expect_nginx(f, PROPERTIES_UNREADABLE, 4 * 3600 * USEC_PER_SEC);
        (void) write_file(f, "c.conf", "proxy_read_timeout 5h 5m; proxy_read_timeout 4h");
        expect_nginx(f, PROPERTIES_UNREADABLE, 3 * 3600 * USEC_PER_SEC);
        assert_int_equal(truncate(write_file(f, "c.conf", ""), PROPERTIES_FILE_MAX + 1), 0);
        expect_nginx(f, PROPERTIES_UNREADABLE, 3 * 3600 * USEC_PER_SEC);
}

static void test_nginx_no_directory(void **state)
{
        Folder *f = *state;
        Usec usec = 7;
        Err why = { 0 };

        assert_int_equal(properties_nginx_timeout("/nowhere/at/all", &usec, &why), PROPERTIES_ABSENT);
        assert_int_equal(properties_nginx_timeout(write_file(f, "p", ""), &usec, &why), PROPERTIES_ABSENT);
        assert_int_equal(usec, 7);
        assert_int_equal(why.code, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_syntax),
                cmocka_unit_test(test_continuation),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_last_one_wins),
                cmocka_unit_test(test_tokens),
                cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_router_timeout),
                cmocka_unit_test(test_mp_timeout),
                cmocka_unit_test(test_mp_tls),
                cmocka_unit_test_setup_teardown(test_read, folder_setup, folder_teardown),
                cmocka_unit_test_setup_teardown(test_nginx, folder_setup, folder_teardown),
                cmocka_unit_test_setup_teardown(test_nginx_no_directory, folder_setup, folder_teardown),
        };
        return cmocka_run_group_tests_name("properties", tests, NULL, NULL);
}
