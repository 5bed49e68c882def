/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "probes/json.h"

static void cut_to(const char *text, size_t columns, const char *expected)
{
        _cleanup_(freep) char *copy = strdup(text);
        put_cut(copy, columns);
        assert_string_equal(copy, expected);
        assert_true(put_columns(copy) <= columns);
}

static void columns_of_characters(void **state)
{
        (void) state;
        assert_int_equal(put_columns(""), 0);
        assert_int_equal(put_columns("abc"), 3);
        assert_int_equal(put_columns("\xc3\xa4\xe2\x80\xa6"), 2);         /* a umlaut, ellipsis */
        assert_int_equal(put_columns("\xe4\xb8\xad\xf0\x9f\x98\x80"), 4); /* a Chinese character, a face */
        assert_int_equal(put_columns("\xff\xfe"), 2);
        assert_int_equal(put_columns("\xe4\xb8"), 2); /* cut apart by somebody else */
        cut_to("abc", 0, "");
        cut_to("abc", 2, "ab");
        cut_to("abc", 3, "abc");
        cut_to("a\xe4\xb8\xad", 2, "a");
        cut_to("a\xe4\xb8\xad", 3, "a\xe4\xb8\xad");
        cut_to("\xff\xff\xff", 2, "\xff\xff");
}

static void field_to(const char *text, size_t columns, const char *expected)
{
        _cleanup_(freep) char *out = NULL;
        size_t size;
        FILE *f = open_memstream(&out, &size);
        put_field(f, text, columns);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(out, expected);
}

static void fields_have_their_width(void **state)
{
        (void) state;
        field_to("", 3, "   ");
        field_to("ab", 3, "ab ");
        field_to("abcd", 3, "abc");
        field_to("a\x1b[2J", 6, "a?[2J ");
        field_to("\xc2\x9b"
                 "1m",
                 3, "?1m");
        field_to("\xe4\xb8\xad\xe4\xb8\xad", 3, "\xe4\xb8\xad ");
}

static void written(void (*put)(FILE *, const char *), const char *text, const char *expected)
{
        _cleanup_(freep) char *out = NULL;
        size_t size;
        FILE *f = open_memstream(&out, &size);
        put(f, text);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(out, expected);
}

static void words_of_command_lines(void **state)
{
        (void) state;
        written(put_word, "r1.east", "r1.east");
        written(put_word, "", "''");
        written(put_word, "a b", "'a b'");
        written(put_word, "$(reboot)", "'$(reboot)'");
        written(put_word, "it's\n", "'it'\\''s?'");
        written(put_word,
                "\xc2\x9b"
                "2J",
                "'?2J'");
        written(put_word, "'", "''\\'''");
        written(put_word, "r[1:3]", "'r[1:3]'");
        written(put_dest, "edge@r1", "edge@r1");
        written(put_dest, "edge@r1:2222", "ssh://edge@r1:2222");
        written(put_dest, "r1:", "r1:");
        written(put_dest, "fe80::1:22", "fe80::1:22");
        written(put_dest, "[fe80::1]:22", "ssh://'[fe80::1]:22'");
}

static void forgiving_readers(void **state)
{
        (void) state;
        _cleanup_(json_closep) cJSON *o =
                cJSON_Parse("{\"t\":\"x\",\"n\":1.5,\"b\":true,\"neg\":-1,\"big\":1e300,\"z\":null}");
        assert_string_equal(json_text(o, "t"), "x");
        assert_string_equal(json_text(o, "n"), "");
        assert_string_equal(json_text(NULL, "t"), "");
        assert_true(json_number(o, "n", 7) == 1.5);
        assert_true(json_number(o, "t", 7) == 7);
        assert_int_equal(json_count(o, "n"), 1);
        assert_int_equal(json_count(o, "neg"), 0);
        assert_int_equal(json_count(o, "big"), 0);
        assert_true(json_true(o, "b"));
        assert_false(json_true(o, "z"));
        assert_false(json_true(NULL, "b"));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(columns_of_characters),
                cmocka_unit_test(fields_have_their_width),
                cmocka_unit_test(words_of_command_lines),
                cmocka_unit_test(forgiving_readers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
