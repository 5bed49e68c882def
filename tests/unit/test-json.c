/* SPDX-License-Identifier: GPL-3.0-or-later */

/* probes/json.c: what bounds a text that somebody else wrote, at each bound and one beyond it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "probes/json.h"

static int open_text(const char *text, size_t max, Err *err)
{
        cJSON *json = NULL;
        int r = json_open(text, strlen(text), max, &json, err);

        assert_true((r == 0) == (json != NULL));
        cJSON_Delete(json);
        return r;
}

static char *repeated(const char *begin, const char *what, size_t n, const char *end, const char *back)
{
        size_t len = strlen(begin) + n * (strlen(what) + strlen(back)) + strlen(end) + 1;
        char *text = malloc(len), *p = text;

        assert_non_null(text);
        p = stpcpy(p, begin);
        for (size_t i = 0; i < n; i++)
                p = stpcpy(p, what);
        p = stpcpy(p, end);
        for (size_t i = 0; i < n; i++)
                p = stpcpy(p, back);
        return text;
}

static void depth(void **state)
{
        _cleanup_(freep) char *at = repeated("", "[", JSON_DEPTH_MAX, "", "]"),
                              *beyond = repeated("", "[", JSON_DEPTH_MAX + 1, "", "]");
        Err err = { 0 };

        (void) state;
        assert_int_equal(open_text(at, SIZE_MAX, &err), 0);
        assert_int_equal(open_text(beyond, SIZE_MAX, &err), -E2BIG);
        assert_string_equal(err.text, "JSON nested deeper than 32 levels");
}

/* The array is one of them. */
static void values(void **state)
{
        _cleanup_(freep) char *at = repeated("[0", ",0", JSON_VALUES_MAX - 2, "]", ""),
                              *beyond = repeated("[0", ",0", JSON_VALUES_MAX - 1, "]", "");
        Err err = { 0 };

        (void) state;
        assert_int_equal(open_text(at, SIZE_MAX, &err), 0);
        assert_int_equal(open_text(beyond, SIZE_MAX, &err), -E2BIG);
        assert_string_equal(err.text, "JSON with more than 65536 values");
}

static void bytes(void **state)
{
        Err err = { 0 };

        (void) state;
        assert_int_equal(open_text("{\"a\":1}", 7, &err), 0);
        assert_int_equal(open_text("{\"a\":1}", 6, &err), -E2BIG);
        assert_string_equal(err.text, "JSON of 7 bytes, more than 6 are not read");
}

static void what_is_no_object_within_the_bounds_is_none(void **state)
{
        static const char *const none[] = { "", "[]", "7", "\"{}\"", "{", "{} x", "nul", "{\"a\":1}}" };
        _cleanup_(freep) char *deep = repeated("{\"a\":", "[", JSON_DEPTH_MAX, "", "]");
        cJSON *o = json_object(" {\"a\":1}\n", 10);

        (void) state;
        assert_non_null(o);
        cJSON_Delete(o);
        assert_null(json_object("{\"a\":1}", 6));
        assert_null(json_object(deep, SIZE_MAX - 1));
        assert_null(json_object(NULL, 10));
        for (size_t i = 0; i < ELEMENTS(none); i++)
                assert_null(json_object(none[i], 100));
}

static size_t allocations_left;

static void *malloc_some(size_t size)
{
        if (allocations_left == 0) {
                errno = ENOMEM;
                return NULL;
        }
        allocations_left--;
        return malloc(size);
}

/* Whoever is told that a record is damaged gives it up; nobody must be told so for want of memory. */
static void no_memory_says_nothing_about_the_text(void **state)
{
        cJSON_Hooks hooks = { .malloc_fn = malloc_some, .free_fn = free };
        Err err = { 0 };
        int r = -ENOMEM;

        (void) state;
        cJSON_InitHooks(&hooks);
        for (size_t n = 0; n < 100 && r == -ENOMEM; n++) {
                allocations_left = n;
                r = open_text("{\"a\":[1,\"two\",{\"b\":null}]}", 100, &err);
        }
        cJSON_InitHooks(NULL);
        assert_int_equal(r, 0);
}

static void what_cannot_be_added_is_freed_and_told(void **state)
{
        cJSON *o = cJSON_CreateObject(), *a = cJSON_CreateArray();

        (void) state;
        (void) json_lost();
        json_put(o, "a", cJSON_CreateNumber(1));
        json_append(a, cJSON_CreateNumber(1));
        assert_false(json_lost());
        json_put(o, "b", NULL);
        assert_true(json_lost());
        assert_false(json_lost());
        json_append(NULL, cJSON_CreateNumber(1));
        assert_true(json_lost());
        assert_int_equal(cJSON_GetArraySize(o), 1);
        cJSON_Delete(o);
        cJSON_Delete(a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(depth),
                cmocka_unit_test(values),
                cmocka_unit_test(bytes),
                cmocka_unit_test(what_is_no_object_within_the_bounds_is_none),
                cmocka_unit_test(what_cannot_be_added_is_freed_and_told),
                cmocka_unit_test(no_memory_says_nothing_about_the_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
