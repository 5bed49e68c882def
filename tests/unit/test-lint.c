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
#include "agent/edge/rotation.h"
#include "tests/lib/standin.h"

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

/* ---- the verb: from its command line to its end ---- */

#define TARGET(balancer)                                                           \
        "<TargetEndpoint name=\"a\"><HTTPTargetConnection><LoadBalancer>" balancer \
        "</LoadBalancer></HTTPTargetConnection>"                                   \
        "</TargetEndpoint>"
#define ONE_WARNING TARGET("<Server name=\"b\"/><Server name=\"b\"/>")
#define ONE_ERROR   TARGET("")

typedef struct Said {
        int exit;
        char *out, *err;
} Said;

static void said_done(Said *s)
{
        free(s->out);
        free(s->err);
}

/* @line: words separated by blanks; the path goes behind them. @config: NULL: none. */
static Said call(const char *line, const char *path, const Config *config)
{
        char text[512], program[] = "edge-roll", *argv[24] = { program };
        _cleanup_(freep) char *own = path ? strdup(path) : NULL;
        int argc = 1;
        size_t out_size, err_size;
        CliRequest rq;
        Said said = { .exit = 2 };
        Err why = { 0 };

        (void) snprintf(text, sizeof(text), "%s", line);
        for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        if (own)
                argv[argc++] = own;
        SessionIo io = { .out = open_memstream(&said.out, &out_size),
                         .err = open_memstream(&said.err, &err_size),
                         .in = -1 };
        if (cli_parse(argc, argv, &rq, &why) < 0)
                (void) fprintf(io.err, "%s\n", why.text);
        else if (rq.verb == VERB_LINT)
                said.exit = lint_main(&rq, config, &io);
        else
                said.exit = rotation_main(&rq, config, &io);
        (void) fclose(io.out);
        (void) fclose(io.err);
        return said;
}

/* The verb over a document of its own. */
static Said call_on(const char *line, const char *xml, const Config *config)
{
        char folder[] = "/tmp/edge-roll-lint.XXXXXX", path[64];
        assert_non_null(mkdtemp(folder));
        (void) snprintf(path, sizeof(path), "%s/default.xml", folder);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(xml, f) >= 0);
        (void) fclose(f);
        Said said = call(line, path, config);
        (void) unlink(path);
        (void) rmdir(folder);
        return said;
}

static void test_exit(void **state _unused_)
{
        static const struct {
                const char *line, *xml;
                int exit;
        } cases[] = {
                { "lint", ONE_ERROR, 20 },
                { "lint --ignore balancer-empty", ONE_ERROR, 0 },
                { "lint", ONE_WARNING, 0 },
                { "lint --strict", ONE_WARNING, 20 },
                { "lint --strict --ignore=balancer-empty,server-twice", ONE_WARNING, 0 },
                { "lint --ignore server-twise", ONE_WARNING, 2 },
                { "lint", "<Quota/>", 2 },
                { "lint", "<TargetEndpoint>", 20 },
                { "lint", "", 20 },
                { "lint",
                  "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><TargetEndpoint>&b;</TargetEndpoint>",
                  20 },
                { "lint --org acme", ONE_WARNING, 2 },
                { "targets rotation", ONE_WARNING, 0 },
                { "targets rotation", ONE_ERROR, 20 },
                { "targets rotation", "<Quota/>", 2 },
                { "targets rotation", "<TargetEndpoint>", 20 },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int json = 0; json < 2; json++) {
                        char line[200], last[40];
                        (void) snprintf(line, sizeof(line), "%s%s", cases[i].line, json ? " --json" : "");
                        _cleanup_(said_done) Said said = call_on(line, cases[i].xml, NULL);
                        if (said.exit != cases[i].exit)
                                fail_msg("%s: exit %d\n%s%s", line, said.exit, said.out, said.err);
                        (void) snprintf(last, sizeof(last), "\"exit\":%d", cases[i].exit);
                        /* A command line that is refused is main()'s. */
                        if (json && !strstr(line, "--org") && !strstr(said.out, last))
                                fail_msg("%s: no result\n%s%s", line, said.out, said.err);
                }
}

static void test_text(void **state _unused_)
{
        _cleanup_(said_done) Said said = call_on("lint", ONE_ERROR, NULL);
        assert_non_null(
                strstr(said.out,
                       "/default.xml:1: error: there is no Server in it [balancer-empty]\n    why: "));
        assert_non_null(strstr(said.out, "\n    fix: Name a target server.\n"));
        assert_non_null(strstr(said.err, "1 error, 0 warnings, 0 notes in 1 document\n"));
}

/* To people a rule is explained once, to programs always. */
static void test_explained_once(void **state _unused_)
{
        static const char twice[] = TARGET("<Server name=\"b\"/><Server name=\"b\"/><Server name=\"b\"/>");
        _cleanup_(said_done) Said text = call_on("lint", twice, NULL),
                                  json = call_on("lint --json", twice, NULL);
        const char *first = strstr(text.out, "    why: ");
        assert_non_null(strstr(text.out, "2 warnings"));
        assert_non_null(first);
        assert_null(strstr(first + 1, "    why: "));
        first = strstr(json.out, "\"why\":");
        assert_non_null(first);
        assert_non_null(strstr(first + 1, "\"why\":"));
}

/* A name from a document must not reach the terminal as it is. */
static void test_escapes(void **state _unused_)
{
        _cleanup_(said_done) Said said = call_on("lint", TARGET("<Server name=\"b&#x9b;31m\"/>"), NULL);
        assert_null(strstr(said.out, "\xc2\x9b"));
        assert_non_null(strstr(said.out, "[name-forbidden]"));
}

static void test_nothing_there(void **state _unused_)
{
        _cleanup_(said_done) Said said = call("lint", "/nonexistent/edge-roll", NULL);
        assert_int_equal(said.exit, 2);
        assert_non_null(strstr(said.err, "/nonexistent/edge-roll cannot be opened"));
        _cleanup_(said_done) Said none = call("lint", NULL, NULL);
        assert_int_equal(none.exit, 2);
        assert_non_null(strstr(none.err, "lint needs a path"));
}

/* ---- with the Management Server ---- */

#define SERVER "{\"status\":\"deployed\",\"type\":[\"message-processor\"],\"uUID\":\"u1\"}"
#define EDGE                                                                                                                         \
        "{\"acme\":{\"prod\":{\"targetservers\":{"                                                                                   \
        "\"one\":{\"name\":\"one\",\"host\":\"10.0.0.1\",\"port\":80,\"isEnabled\":true},"                                           \
        "\"two\":{\"name\":\"two\",\"host\":\"10.0.0.2\",\"port\":80,\"isEnabled\":false}},"                                         \
        "\"deployments\":[{\"proxy\":\"billing\",\"revision\":\"3\",\"state\":\"deployed\",\"server\":[" SERVER                      \
        "],\"files\":{"                                                                                                              \
        "\"apiproxy/targets/default.xml\":\"<TargetEndpoint name='default'><HTTPTargetConnection><LoadBalancer>"                     \
        "<Server name='one'/><Server name='two'/><Server name='three'/></LoadBalancer></HTTPTargetConnection></TargetEndpoint>\"}}," \
        "{\"proxy\":\"lost\",\"revision\":\"1\",\"state\":\"deployed\",\"server\":[" SERVER "]},"                                    \
        "{\"proxy\":\"old\",\"revision\":\"1\",\"state\":\"undeployed\",\"server\":[],\"files\":{}}]},\"empty\":{}}}"

static Config *config_of(const Standin *s)
{
        char path[200];
        Config *config = NULL;
        Err err = { 0 };
        (void) snprintf(path, sizeof(path), "%s/edge-roll.conf", standin_dir(s));
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        (void) fprintf(f, "[cluster]\nmanagement_url = %s\n", standin_url(s));
        assert_int_equal(fclose(f), 0);
        if (config_load(&config, path, "/nonexistent", &err) < 0)
                fail_msg("%s", err.text);
        (void) unlink(path);
        return config;
}

static void test_what_is_deployed(void **state _unused_)
{
        Standin *s = standin_new(EDGE, "[]");
        _cleanup_(config_freep) Config *config = config_of(s);

        _cleanup_(said_done) Said lint = call("lint --org acme --env prod", NULL, config);
        assert_int_equal(lint.exit, 20);
        assert_non_null(strstr(
                lint.out,
                "billing:3/apiproxy/targets/default.xml:1: warning: two is disabled in this environment "
                "[server-disabled]"));
        assert_non_null(
                strstr(lint.out,
                       "error: there is no target server three in this environment [server-unknown]"));
        assert_non_null(strstr(lint.out, "lost:1:1: error: "));
        assert_null(strstr(lint.out, "old:1"));

        _cleanup_(said_done) Said rotation =
                call("targets rotation --no-check --org acme --env prod", NULL, config);
        assert_int_equal(rotation.exit, 20);
        assert_non_null(strstr(rotation.out, "  one     100 %  in rotation  10.0.0.1:80\n"));
        assert_non_null(strstr(rotation.out, "  two         -  disabled  10.0.0.2:80\n"));
        assert_non_null(strstr(rotation.out, "  three       -  no such target server in this environment\n"));
        assert_non_null(strstr(rotation.err, "warning: lost:1: "));

        /* The environment beside a document of one's own. */
        _cleanup_(said_done) Said bad = call("lint --org acme --env prod", "/nonexistent", config);
        assert_int_equal(bad.exit, 2);
        _cleanup_(said_done) Said empty = call("lint --org acme --env empty", NULL, config);
        assert_int_equal(empty.exit, 10);
        _cleanup_(said_done) Said absent = call("lint --org acme --env nowhere", NULL, config);
        assert_true(absent.exit != 0 && absent.exit != 20);
        assert_non_null(strstr(absent.err, "nowhere"));
        (void) standin_free(s);
}

/* A target server that the server does not show is not one of which nothing bad is known. */
static void test_a_server_that_is_not_shown(void **state _unused_)
{
        static const char document[] =
                TARGET("<Server name='one'/><Server name='two'><IsEnabled>false</IsEnabled></Server>");
        Standin *s = standin_new(EDGE, "[]");
        _cleanup_(config_freep) Config *config = config_of(s);

        standin_write(s, "mode", "500 targetservers/");
        _cleanup_(said_done) Said lint = call_on("lint --org acme --env prod", document, config);
        assert_int_equal(lint.exit, 20);
        assert_non_null(strstr(lint.err, "warning: target server one cannot be read: "));

        _cleanup_(said_done) Said rotation =
                call_on("targets rotation --no-check --org acme --env prod", document, config);
        assert_int_equal(rotation.exit, 20);
        assert_non_null(strstr(rotation.err, "warning: target server one cannot be read: "));
        assert_non_null(strstr(rotation.out, "  one         ?  not known: it could not be read\n"));
        assert_non_null(strstr(rotation.out, "  two         -  disabled\n"));

        standin_write(s, "mode", NULL);
        _cleanup_(said_done) Said good =
                call_on("targets rotation --no-check --org acme --env prod", document, config);
        assert_int_equal(good.exit, 0);
        (void) standin_free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_every_rule_has_a_case),
                cmocka_unit_test(test_rules_by_name),
                cmocka_unit_test(test_too_many_servers),
                cmocka_unit_test(test_exit),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_explained_once),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_nothing_there),
                cmocka_unit_test(test_what_is_deployed),
                cmocka_unit_test(test_a_server_that_is_not_shown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
