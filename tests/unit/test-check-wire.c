/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What goes to a node that checks target servers, and what comes back: lies, halves, floods. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/edge/check-wire.h"

static Target *target(const char *json)
{
        Target *t = NULL;
        Err err = { 0 };
        if (target_read(json, strlen(json), &t, &err) < 0)
                fail_msg("%s: %s", json, err.text);
        return t;
}

static char *item(const char *json)
{
        _cleanup_(target_freep) Target *t = target(json);
        char *text = NULL;
        Err err = { 0 };
        if (check_item(&t->server, &text, &err) < 0)
                fail_msg("%s: %s", json, err.text);
        return text;
}

#define FULL                                                                                                \
        "{\"name\":\"a\",\"host\":\"h.example.com\",\"port\":\"443\",\"isEnabled\":\"false\","              \
        "\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"ignoreValidationErrors\":true," \
        "\"keyStore\":\"ref://ks\",\"keyAlias\":\"k\",\"trustStore\":\"ts\",\"protocols\":[\"TLSv1.2\"],"   \
        "\"ciphers\":[\"TLS_RSA_WITH_AES_128_CBC_SHA\"]}}"

/* What a check is made of arrives as it was, however it was written. */
static void test_a_question(void **state _unused_)
{
        static const char *const servers[] = { FULL, "{\"name\":\"b\",\"host\":\"10.0.0.1\",\"port\":80}" };
        _cleanup_(check_asked_done) CheckAsked asked = { 0 };
        _cleanup_(freep) char *question = NULL;
        char *items[ELEMENTS(servers)];
        Err err = { 0 };

        for (size_t i = 0; i < ELEMENTS(servers); i++)
                items[i] = item(servers[i]);
        assert_int_equal(check_ask(items, ELEMENTS(items), &question, &err), 2);
        if (check_asked_read(question, strlen(question), &asked, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(asked.n, 2);
        for (size_t i = 0; i < ELEMENTS(servers); i++) {
                _cleanup_(target_freep) Target *before = target(servers[i]);
                char other[300];
                assert_non_null(asked.targets[i]);
                if (target_differs(&before->server, &asked.targets[i]->server, other, sizeof(other)))
                        fail_msg("%s: %s", servers[i], other);
                free(items[i]);
        }
}

/* What people note at a target server stays here. */
static void test_what_is_not_sent(void **state _unused_)
{
        _cleanup_(freep) char *text = item(
                "{\"name\":\"a\",\"host\":\"h\",\"port\":80,\"description\":\"a secret\",\"mine\":\"a secret\"}");
        assert_non_null(strstr(text, "\"host\":\"h\""));
        assert_null(strstr(text, "secret"));
}

static void test_as_many_as_go_into_one(void **state _unused_)
{
        char *items[CHECK_ASK_LINES + 2];
        _cleanup_(freep) char *big = malloc(CHECK_ITEM_MAX + 1), *one = NULL, *two = NULL;
        Err err = { 0 };

        assert_non_null(big);
        for (size_t i = 0; i < ELEMENTS(items); i++)
                items[i] = "{}";
        assert_int_equal(check_ask(items, ELEMENTS(items), &one, &err), CHECK_ASK_LINES);
        memset(big, 'x', CHECK_ITEM_MAX);
        big[CHECK_ITEM_MAX] = '\0';
        for (size_t i = 0; i < 20; i++)
                items[i] = big;
        assert_int_equal(check_ask(items, 20, &two, &err), CHECK_ASK_MAX / (CHECK_ITEM_MAX + 1));
        assert_true(strlen(two) <= CHECK_ASK_MAX);
        /* The biggest that is sent always goes. */
        free(two);
        two = NULL;
        assert_int_equal(check_ask(items, 1, &two, &err), 1);
}

static void test_what_cannot_be_sent(void **state _unused_)
{
        _cleanup_(target_freep) Target *t = target("{\"name\":\"a\",\"host\":\"h\",\"port\":80}");
        _cleanup_(freep) char *big = malloc(CHECK_ITEM_MAX + 1);
        char *text = NULL;
        Err err = { 0 };
        assert_non_null(big);
        memset(big, 'x', CHECK_ITEM_MAX);
        big[CHECK_ITEM_MAX] = '\0';
        t->server.host.value = big;
        assert_int_equal(check_item(&t->server, &text, &err), -E2BIG);
        assert_non_null(strstr(err.text, "too long"));
        t->server.host.value = "\xff\xfe";
        assert_int_equal(check_item(&t->server, &text, &err), -EINVAL);
        assert_non_null(strstr(err.text, "not UTF-8"));
}

static void test_bad_questions(void **state _unused_)
{
        _cleanup_(freep) char *many = malloc(CHECK_ASK_MAX + 2);
        _cleanup_(check_asked_done) CheckAsked asked = { 0 };
        Err err = { 0 };

        assert_non_null(many);
        assert_int_equal(check_asked_read("", 0, &asked, &err), -EBADMSG);
        assert_int_equal(check_asked_read("{}", 2, &asked, &err), -EBADMSG);
        memset(many, '\n', CHECK_ASK_MAX + 2);
        assert_int_equal(check_asked_read(many, CHECK_ASK_LINES + 1, &asked, &err), -E2BIG);
        assert_int_equal(check_asked_read(many, CHECK_ASK_MAX + 1, &asked, &err), -E2BIG);
        /* A line that is no target server is that line's trouble. */
        static const char mixed[] = "{\"name\":\"a\",\"host\":\"h\",\"port\":80}\n\nno\n<!DOCTYPE x>\n[1]\n";
        assert_int_equal(check_asked_read(mixed, strlen(mixed), &asked, &err), 0);
        assert_int_equal(asked.n, 5);
        assert_non_null(asked.targets[0]);
        for (size_t i = 1; i < asked.n; i++) {
                assert_null(asked.targets[i]);
                assert_true(*asked.trouble[i] != '\0');
        }
        /* The longest line, and one more. */
        check_asked_done(&asked);
        memset(many, 'x', CHECK_ITEM_MAX + 1);
        many[CHECK_ITEM_MAX + 1] = '\n';
        assert_int_equal(check_asked_read(many, CHECK_ITEM_MAX + 2, &asked, &err), 0);
        assert_non_null(strstr(asked.trouble[0], "too long"));
}

static void test_an_answer(void **state _unused_)
{
        Checked before = { .layer = PROBE_HANDSHAKE,
                           .elapsed_usec = 1234567,
                           .notes = PROBE_NOTE_NO_TRUST | PROBE_NOTE_PAYLOAD,
                           .text = "10.0.0.1:443: the certificate has \"expired\"" };
        Checked after;
        _cleanup_(freep) char *line = NULL;
        size_t id;
        Err err = { 0 };
        assert_int_equal(check_line(499, &before, &line), 0);
        assert_true(strlen(line) < CHECK_LINE_MAX);
        assert_string_equal(strchr(line, '\n'), "\n");
        if (check_line_read(line, strlen(line), 500, &id, &after, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(id, 499);
        assert_int_equal(after.layer, before.layer);
        assert_int_equal(after.elapsed_usec, before.elapsed_usec);
        assert_int_equal(after.notes, before.notes);
        assert_string_equal(after.text, before.text);
        for (int layer = 0; layer < PROBE_LAYER_COUNT; layer++)
                assert_int_equal(probe_layer_from_name(probe_layer_name((ProbeLayer) layer)), layer);
        assert_int_equal(probe_layer_from_name("nowhere"), PROBE_LAYER_INVALID);
}

/* The longest sentence fits into a line, whatever it consists of. */
static void test_the_longest_answer(void **state _unused_)
{
        Checked before = { .layer = PROBE_FIRST_BYTE, .elapsed_usec = 3600 * USEC_PER_SEC, .notes = ~0U };
        _cleanup_(freep) char *line = NULL;
        memset(before.text, '"', sizeof(before.text) - 1);
        assert_int_equal(check_line(UINT32_MAX, &before, &line), 0);
        assert_true(strlen(line) < CHECK_LINE_MAX);
}

#define REST ",\"usec\":1,\"notes\":0,\"text\":\"t\"}"

static const struct {
        const char *line;
        const char *why; /* NULL: good */
} lines[] = {
        { "{\"id\":0,\"layer\":\"ok\"" REST, NULL },
        { "{\"id\":2,\"layer\":\"ok\"" REST "\r\n", NULL },
        { "{\"id\":0,\"layer\":\"ok\",\"usec\":0,\"notes\":0}", NULL },
        { "{\"id\":0,\"layer\":\"ok\",\"new\":[1]" REST, NULL },
        { "{\"id\":3,\"layer\":\"ok\"" REST, "about number 3 of 3" },
        { "{\"id\":4294967295,\"layer\":\"ok\"" REST, "about number 4294967295 of 3" },
        { "{\"id\":1e300,\"layer\":\"ok\"" REST, "\"id\" is 1e+300" },
        { "{\"id\":-1,\"layer\":\"ok\"" REST, "\"id\" is -1" },
        { "{\"id\":0.5,\"layer\":\"ok\"" REST, "\"id\" is 0.5" },
        { "{\"id\":\"0\",\"layer\":\"ok\"" REST, "\"id\" is \"0\"" },
        { "{\"id\":null,\"layer\":\"ok\"" REST, "without \"id\"" },
        { "{\"layer\":\"ok\"" REST, "without \"id\"" },
        { "{\"id\":0,\"id\":1,\"layer\":\"ok\"" REST, "id" },
        { "{\"id\":0" REST, "\"layer\" is \"\"" },
        { "{\"id\":0,\"layer\":\"great\"" REST, "\"layer\" is \"great\"" },
        { "{\"id\":0,\"layer\":\"OK\"" REST, "\"layer\" is \"OK\"" },
        { "{\"id\":0,\"layer\":\"a very long name of no layer at all\"" REST, "layer" },
        { "{\"id\":0,\"layer\":true" REST, "layer" },
        { "{\"id\":0,\"layer\":\"ok\",\"usec\":3600000001,\"notes\":0}", "\"usec\" is 3600000001" },
        { "{\"id\":0,\"layer\":\"ok\",\"notes\":0}", "without \"usec\"" },
        { "{\"id\":0,\"layer\":\"ok\",\"usec\":0,\"notes\":-1}", "\"notes\" is -1" },
        { "{\"id\":0,\"layer\":\"ok\",\"usec\":0,\"notes\":0,\"text\":{}}", "\"text\" is no text" },
        { "{\"id\":0,\"layer\":\"ok\"", "" }, /* half a line */
        { "{\"id\":0,\"layer\":\"ok\"" REST "{\"id\":1,\"layer\":\"ok\"" REST, "" },
        { "[0]", "no object" },
        { "0", "no object" },
        { "", "" },
        { "Connection closed", "" },
};

static void test_lies(void **state _unused_)
{
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                Checked checked = { .layer = PROBE_BODY };
                size_t id = 77;
                Err err = { 0 };
                int r = check_line_read(lines[i].line, strlen(lines[i].line), 3, &id, &checked, &err);
                if ((r >= 0) != (lines[i].why == NULL))
                        fail_msg("%s: %d %s", lines[i].line, r, err.text);
                if (r >= 0)
                        continue;
                if (r != -EBADMSG || !*err.text || !strstr(err.text, lines[i].why))
                        fail_msg("%s: %d \"%s\", not \"%s\"", lines[i].line, r, err.text, lines[i].why);
                assert_int_equal(id, 77);
                assert_int_equal(checked.layer, PROBE_BODY);
        }
}

/* Escape sequences, line ends, other alphabets; bits of notes that nobody knows; sentences without an end. */
static void test_what_is_shown(void **state _unused_)
{
        char line[CHECK_LINE_MAX + 200];
        Checked checked;
        size_t id;
        Err err = { 0 };
        (void) snprintf(line, sizeof(line), "%s",
                        "{\"id\":0,\"layer\":\"ok\",\"usec\":0,\"notes\":4294967295,"
                        "\"text\":\"\\u001b[2Ja\\nb\\u202e\xc3\xa9\"}");
        assert_int_equal(check_line_read(line, strlen(line), 1, &id, &checked, &err), 0);
        assert_int_equal(checked.notes, 2U * PROBE_NOTE_LAST - 1);
        for (const char *c = checked.text; *c; c++)
                assert_true(*c >= ' ' && (unsigned char) *c < 0x7f);
        assert_non_null(strstr(checked.text, "[2Ja?b"));
        (void) snprintf(line, sizeof(line),
                        "{\"id\":0,\"layer\":\"ok\",\"usec\":0,\"notes\":0,\"text\":\"%0*d\"}", 1900, 1);
        assert_int_equal(check_line_read(line, strlen(line), 1, &id, &checked, &err), 0);
        assert_int_equal(strlen(checked.text), CHECKED_TEXT - 1);
        (void) snprintf(line, sizeof(line),
                        "{\"id\":0,\"layer\":\"ok\",\"usec\":0,\"notes\":0,\"text\":\"%0*d\"}", 2100, 1);
        assert_int_equal(check_line_read(line, strlen(line), 1, &id, &checked, &err), -E2BIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_question),          cmocka_unit_test(test_as_many_as_go_into_one),
                cmocka_unit_test(test_what_cannot_be_sent), cmocka_unit_test(test_bad_questions),
                cmocka_unit_test(test_an_answer),           cmocka_unit_test(test_the_longest_answer),
                cmocka_unit_test(test_what_is_not_sent),    cmocka_unit_test(test_lies),
                cmocka_unit_test(test_what_is_shown),
        };
        return cmocka_run_group_tests_name("check-wire", tests, NULL, NULL);
}
