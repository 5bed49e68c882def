/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rules of lint over the cases of data/lint.txt: exactly the findings it lists, at their lines. Then what
 * the run says. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/edge/lint-run.h"
#include "agent/edge/lint.h"

#define CASES "tests/unit/data/lint.txt"

static char *file_text(const char *path)
{
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        char *text = calloc(1, 256 * 1024);
        assert_non_null(text);
        assert_true(fread(text, 1, 256 * 1024 - 1, f) > 0);
        (void) fclose(f);
        return text;
}

/* ---- a case of the file ---- */

typedef struct Case {
        const char *title, *xml;
        size_t xml_len;
        char expected[16][80]; /* "LEVEL RULE LINE" */
        size_t n_expected;
        EdgeTargetServer servers[8];
        LintServers known;
        bool servers_known;
} Case;

static void case_server(Case *c, char *word)
{
        EdgeTargetServer *s = &c->servers[c->known.n++];
        char *save = NULL, *name = strtok_r(word, ":", &save), *port = strtok_r(NULL, ":", &save);
        assert_true(c->known.n <= ELEMENTS(c->servers));
        assert_non_null(port);
        s->name.value = name;
        s->port = (EdgeNumber){ .set = true, .value = strtol(port, NULL, 10) };
        for (char *how; (how = strtok_r(NULL, ":", &save));) {
                EdgeFlag yes = { .set = true, .value = true };
                s->ssl.enabled = yes;
                if (strcmp(how, "disabled") == 0)
                        s->enabled = (EdgeFlag){ .set = true };
                else if (strcmp(how, "two-way") == 0)
                        s->ssl.client_auth = yes;
                else if (strcmp(how, "ignore") == 0)
                        s->ssl.ignore_validation_errors = yes;
                else
                        fail_msg("what is %s?", how);
        }
}

/* Cuts one case off @*text. Return: false at the end. */
static bool case_next(char **text, Case *c)
{
        char *start = strstr(*text, "=== ");
        if (!start)
                return false;
        *c = (Case){ .title = start + 4 };
        char *next = strstr(start + 4, "\n=== "), *save = NULL;
        char *end = next ? next + 1 : start + strlen(start);
        char *xml = strstr(start, "---\n");
        assert_true(xml && xml < end);
        c->xml = xml + 4;
        c->xml_len = (size_t) (end - c->xml);
        *text = end;
        *xml = '\0';
        char *line = strtok_r(start + 4, "\n", &save);
        while ((line = strtok_r(NULL, "\n", &save))) {
                if (strncmp(line, "servers ", 8) == 0) {
                        char *words = NULL;
                        c->servers_known = true;
                        for (char *word = strtok_r(line + 8, " ", &words); word;
                             word = strtok_r(NULL, " ", &words))
                                case_server(c, word);
                } else {
                        assert_true(c->n_expected < ELEMENTS(c->expected));
                        (void) snprintf(c->expected[c->n_expected++], sizeof(c->expected[0]), "%s", line);
                }
        }
        c->known.items = c->servers;
        return true;
}

static bool case_expects(Case *c, const char *finding)
{
        for (size_t i = 0; i < c->n_expected; i++)
                if (strcmp(c->expected[i], finding) == 0) {
                        c->expected[i][0] = '\0';
                        return true;
                }
        return false;
}

static void case_check(Case *c)
{
        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        _cleanup_(lint_done) LintFindings found = { 0 };
        Err err = { 0 };
        unsigned line = 0;

        if (edge_xml_read(c->xml, c->xml_len, &x, &err) < 0)
                fail_msg("%s: %s", c->title, err.text);
        assert_int_equal(lint_document(x, c->servers_known ? &c->known : NULL, &found), 0);
        for (size_t i = 0; i < found.n; i++) {
                const LintFinding *f = &found.items[i];
                char text[80];
                (void) snprintf(text, sizeof(text), "%s %s %u", lint_level_name(f->level),
                                lint_rule(f->rule)->name, f->line);
                if (!case_expects(c, text))
                        fail_msg("%s: not expected: %s: %s", c->title, text, f->text);
                assert_true(f->line >= line);
                line = f->line;
        }
        for (size_t i = 0; i < c->n_expected; i++)
                if (c->expected[i][0])
                        fail_msg("%s: not found: %s", c->title, c->expected[i]);
}

static void test_cases(void **state _unused_)
{
        char *text = file_text(CASES), *at = text;
        static Case c;
        size_t n = 0;
        for (; case_next(&at, &c); n++)
                case_check(&c);
        assert_true(n >= 25);
        free(text);
}

/* A rule that no case has ever seen could be gone without anybody noticing. */
static void test_every_rule_has_a_case(void **state _unused_)
{
        static const LintRule elsewhere[] = { LINT_UNREADABLE,   LINT_XML_MISPLACED,   LINT_XML_TWICE,
                                              LINT_XML_MISSING,  LINT_XML_TEXT,        LINT_XML_VARIABLE,
                                              LINT_XML_NOT_EDGE, LINT_TOO_MANY_SERVERS };
        char *text = file_text(CASES), word[80];
        for (int rule = 0; rule < LINT_RULE_COUNT; rule++) {
                bool skip = false;
                for (size_t i = 0; i < ELEMENTS(elsewhere); i++)
                        skip = skip || elsewhere[i] == rule;
                (void) snprintf(word, sizeof(word), " %s ", lint_rule((LintRule) rule)->name);
                if (!skip && !strstr(text, word))
                        fail_msg("no case has the rule%s", word);
        }
        free(text);
}

static void test_rules_by_name(void **state _unused_)
{
        for (int rule = 0; rule < LINT_RULE_COUNT; rule++) {
                const LintRuleInfo *info = lint_rule((LintRule) rule);
                assert_int_equal(lint_rule_from_name(info->name), rule);
                assert_true(*info->why && *info->fix);
        }
        assert_int_equal(lint_rule_from_name("no-such-rule"), LINT_RULE_INVALID);
}

/* As many servers as a document can hold, all different, must not take a noticeable time; one finding says
 * why. */
static void test_too_many_servers(void **state _unused_)
{
        enum { N = 20000 };
        size_t size = N * 40 + 400, n = 0;
        char *xml = malloc(size);
        assert_non_null(xml);
        n += (size_t) snprintf(xml + n, size - n,
                               "<TargetEndpoint name=\"t\"><HTTPTargetConnection><LoadBalancer>");
        for (int i = 0; i < N; i++)
                n += (size_t) snprintf(xml + n, size - n, "<Server name=\"server%d\"/>", i);
        n += (size_t) snprintf(xml + n, size - n, "</LoadBalancer></HTTPTargetConnection></TargetEndpoint>");

        _cleanup_(edge_xml_freep) EdgeXml *x = NULL;
        _cleanup_(lint_done) LintFindings found = { 0 };
        Err err = { 0 };
        if (edge_xml_read(xml, n, &x, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(lint_document(x, NULL, &found), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(found.items[0].rule, LINT_TOO_MANY_SERVERS);
        free(xml);
}

/* ---- a run ---- */

typedef struct Said {
        Result result;
        LintSums sums;
        Err err;
        char *text;
} Said;

static void said_done(Said *s)
{
        free(s->text);
}

static Said run_on(const char *xml, const char *ignore, bool strict, bool json)
{
        char folder[] = "/tmp/edge-roll-lint.XXXXXX", path[64];
        char *const paths[] = { path, NULL };
        Said said = { 0 };
        size_t size;
        FILE *out = open_memstream(&said.text, &size);

        assert_non_null(mkdtemp(folder));
        (void) snprintf(path, sizeof(path), "%s/default.xml", folder);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(xml, f) >= 0);
        (void) fclose(f);
        LintRun run = { .paths = paths, .ignore = ignore, .strict = strict, .json = json, .out = out };
        said.result = lint_run(&run, &said.sums, &said.err);
        (void) fclose(out);
        (void) unlink(path);
        (void) rmdir(folder);
        return said;
}

#define ONE_WARNING                                                                                               \
        "<TargetEndpoint name=\"a\"><HTTPTargetConnection><LoadBalancer><Server name=\"b\"/><Server name=\"b\"/>" \
        "</LoadBalancer></HTTPTargetConnection></TargetEndpoint>"
#define ONE_ERROR \
        "<TargetEndpoint name=\"a\"><HTTPTargetConnection><LoadBalancer/></HTTPTargetConnection></TargetEndpoint>"

static void test_exit(void **state _unused_)
{
        static const struct {
                const char *xml, *ignore;
                bool strict;
                Result result;
        } cases[] = {
                { ONE_ERROR, NULL, false, RESULT_PROBLEMS },
                { ONE_ERROR, "balancer-empty", false, RESULT_DONE },
                { ONE_WARNING, NULL, false, RESULT_DONE },
                { ONE_WARNING, NULL, true, RESULT_PROBLEMS },
                { ONE_WARNING, "balancer-empty, server-twice", true, RESULT_DONE },
                { ONE_WARNING, "server-twise", false, RESULT_USAGE },
                { "<Quota/>", NULL, false, RESULT_USAGE },
                { "<TargetEndpoint>", NULL, false, RESULT_PROBLEMS },
                { "", NULL, false, RESULT_PROBLEMS },
                { "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><TargetEndpoint>&b;</TargetEndpoint>",
                  NULL, false, RESULT_PROBLEMS },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int json = 0; json < 2; json++) {
                        _cleanup_(said_done) Said said =
                                run_on(cases[i].xml, cases[i].ignore, cases[i].strict, json);
                        if (said.result != cases[i].result)
                                fail_msg("case %zu: %s: %s %s", i, result_name(said.result), said.err.text,
                                         said.text);
                        assert_int_equal(said.result == RESULT_USAGE, said.err.code != 0);
                }
}

static void test_text(void **state _unused_)
{
        _cleanup_(said_done) Said said = run_on(ONE_ERROR, NULL, false, false);
        assert_non_null(
                strstr(said.text,
                       "/default.xml:1: error: there is no Server in it [balancer-empty]\n    why: "));
        assert_non_null(strstr(said.text, "\n    fix: Name a target server.\n"));
        assert_non_null(strstr(said.text, "\n1 error, 0 warnings, 0 notes in 1 document\n"));
}

/* To people a rule is explained once, to programs always. */
static void test_explained_once(void **state _unused_)
{
        static const char twice[] =
                "<TargetEndpoint name=\"a\"><HTTPTargetConnection><LoadBalancer><Server name=\"b\"/>"
                "<Server name=\"b\"/><Server name=\"b\"/></LoadBalancer></HTTPTargetConnection>"
                "</TargetEndpoint>";
        _cleanup_(said_done) Said text = run_on(twice, NULL, false, false),
                                  json = run_on(twice, NULL, false, true);
        const char *first = strstr(text.text, "    why: ");
        assert_int_equal(text.sums.warnings, 2);
        assert_non_null(first);
        assert_null(strstr(first + 1, "    why: "));
        first = strstr(json.text, "\"why\":");
        assert_non_null(first);
        assert_non_null(strstr(first + 1, "\"why\":"));
}

/* A name from a document must not reach the terminal as it is. */
static void test_escapes(void **state _unused_)
{
        _cleanup_(said_done) Said said = run_on(
                "<TargetEndpoint name=\"a\"><HTTPTargetConnection><LoadBalancer><Server name=\"b&#x9b;31m\"/>"
                "</LoadBalancer></HTTPTargetConnection></TargetEndpoint>",
                NULL, false, false);
        assert_null(strstr(said.text, "\xc2\x9b"));
        assert_non_null(strstr(said.text, "[name-forbidden]"));
}

static void test_nothing_there(void **state _unused_)
{
        char path[] = "/nonexistent/edge-roll";
        char *const paths[] = { path, NULL };
        LintRun run = { .paths = paths, .out = stdout };
        LintSums sums;
        Err err = { 0 };
        assert_int_equal(lint_run(&run, &sums, &err), RESULT_USAGE);
        assert_non_null(strstr(err.text, "/nonexistent/edge-roll cannot be opened"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),          cmocka_unit_test(test_every_rule_has_a_case),
                cmocka_unit_test(test_rules_by_name),  cmocka_unit_test(test_too_many_servers),
                cmocka_unit_test(test_exit),           cmocka_unit_test(test_text),
                cmocka_unit_test(test_explained_once), cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_nothing_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
