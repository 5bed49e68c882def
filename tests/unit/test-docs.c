/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is written about the program against the tables in it: man pages, the example configuration and the
 * completion. Reads the source tree: the current directory, or EDGE_ROLL_SOURCE.
 */

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/bound.h"
#include "agent/cli.h"
#include "agent/cluster/plan.h"
#include "agent/config.h"
#include "agent/edge/lint.h"
#include "agent/phase.h"
#include "base/result.h"

static char *read_source(const char *name)
{
        const char *source = getenv("EDGE_ROLL_SOURCE");
        char path[4096];
        (void) snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        if (!f)
                fail_msg("cannot open %s (set EDGE_ROLL_SOURCE to the source tree)", path);
        char *text = NULL;
        size_t size = 0;
        assert_true(getdelim(&text, &size, '\0', f) > 0);
        return text;
}

static void has(const char *file, const char *text, const char *part)
{
        if (!strstr(text, part))
                fail_msg("%s does not have \"%s\"", file, part);
}

static cJSON *defaults(void)
{
        Config *c = NULL;
        char *text = NULL;
        size_t size;
        assert_int_equal(config_load(&c, "/nonexistent", "/nonexistent", NULL), 0);
        FILE *f = open_memstream(&text, &size);
        assert_int_equal(config_print(c, f, CONFIG_JSON), 0);
        assert_int_equal(fclose(f), 0);
        cJSON *o = cJSON_Parse(text);
        assert_non_null(o);
        cJSON_DeleteItemFromObjectCaseSensitive(o, "bounds");
        free(text);
        (void) config_free(c);
        return o;
}

static void the_page_has_every_key_with_its_default(void **state)
{
        static const char file[] = "units/man/edge-roll.conf.5";
        _cleanup_(freep) char *page = read_source(file);
        cJSON *config = defaults(), *section, *key;
        (void) state;

        cJSON_ArrayForEach(section, config)
        {
                cJSON_ArrayForEach(key, section)
                {
                        const char *value = cJSON_GetObjectItemCaseSensitive(key, "value")->valuestring;
                        char head[96], item[2048];
                        (void) snprintf(head, sizeof(head), "\n.It Ic %s\n", key->string);
                        has(file, page, head);
                        /* The item ends where the next one begins. Both sections have a key `units`. */
                        bool found = false;
                        for (const char *p = page; !found && (p = strstr(p, head)); p++) {
                                const char *end = strstr(p + 1, "\n.It ");
                                (void) snprintf(item, sizeof(item), "%.*s",
                                                end ? (int) (end - p) : (int) sizeof(item) - 1, p);
                                char exact[512];
                                (void) snprintf(exact, sizeof(exact), ".Li %s", value);
                                found = strstr(item, *value ? exact : "othing") != NULL;
                        }
                        if (!found)
                                fail_msg("%s: %s of [%s] has not the default \"%s\"", file, key->string,
                                         section->string, value);
                }
        }
        cJSON_Delete(config);
}

static void the_page_has_no_key_that_is_gone(void **state)
{
        _cleanup_(freep) char *page = read_source("units/man/edge-roll.conf.5");
        cJSON *config = defaults(), *section;
        (void) state;

        for (const char *p = page; (p = strstr(p, "\n.It Ic ")); p++) {
                char name[64];
                bool known = false;
                (void) sscanf(p, "\n.It Ic %63[^\n]", name);
                if (strcmp(name, "limit_ Ns Ar PHASE") == 0)
                        continue;
                cJSON_ArrayForEach(section, config) known =
                        known || cJSON_GetObjectItemCaseSensitive(section, name);
                if (!known)
                        fail_msg("edge-roll.conf(5) explains %s, which is no key", name);
        }
        cJSON_Delete(config);
}

static void the_page_has_every_result_with_its_number(void **state)
{
        static const char file[] = "units/man/edge-roll.1";
        _cleanup_(freep) char *page = read_source(file);
        (void) state;
        for (int i = 0; i < RESULT_COUNT; i++) {
                char line[96];
                (void) snprintf(line, sizeof(line), "\n.It %d , Sy %s\n", result_exit_code((Result) i),
                                result_name((Result) i));
                has(file, page, line);
        }
}

static void the_page_has_every_condition_of_a_plan(void **state)
{
        static const char file[] = "units/man/edge-roll.1";
        _cleanup_(freep) char *page = read_source(file);
        (void) state;
        for (int i = 0; i < PLAN_CONDITION_COUNT; i++) {
                char line[96];
                (void) snprintf(line, sizeof(line), "\n.It Sy %s\n", plan_condition_name((PlanCondition) i));
                has(file, page, line);
        }
}

static void the_page_has_every_phase_with_its_limit(void **state)
{
        static const char file[] = "units/man/edge-roll.1";
        _cleanup_(freep) char *page = read_source(file);
        Config *c = NULL;
        assert_int_equal(config_load(&c, "/nonexistent", "/nonexistent", NULL), 0);
        (void) state;
        const char *at = page;
        for (int i = PHASE_NONE + 1; i < PHASE_END; i++) {
                char line[96], limit[32];
                Usec usec = component_limit(config_component(c, "router"), (Phase) i);
                (void) snprintf(line, sizeof(line), "\n.It Sy %s , No %s\n", phase_name((Phase) i),
                                i == PHASE_DRAIN ? "computed" : time_format(usec, limit, sizeof(limit)));
                has(file, page, line);
                /* In their order. */
                assert_true(strstr(page, line) >= at);
                at = strstr(page, line);
        }
        (void) config_free(c);
}

/* Promise "three ends" has a number for each kind of job. */
static void the_page_has_every_bound(void **state)
{
        static const char file[] = "units/man/edge-roll.1";
        static const RollKind kinds[] = { ROLL_RESTART, ROLL_RESTART_HELD, ROLL_RESTART_NOW,
                                          ROLL_START,   ROLL_DRAIN,        ROLL_UNDRAIN };
        _cleanup_(freep) char *page = read_source(file);
        Config *c = NULL;
        assert_int_equal(config_load(&c, "/nonexistent", "/nonexistent", NULL), 0);
        (void) state;
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char line[96], sum[32];
                (void) snprintf(line, sizeof(line), "\n.It Sy %s , No %s\n", roll_kind_name(kinds[i]),
                                time_format(bound_usec(config_component(c, "router"), kinds[i]), sum,
                                            sizeof(sum)));
                has(file, page, line);
        }
        (void) config_free(c);
}

/* ... and it follows what is configured. */
static void the_bound_is_the_sum_of_what_is_configured(void **state)
{
        char path[] = "/tmp/edge-roll-docs-XXXXXX";
        int fd = mkstemp(path);
        (void) state;
        assert_true(fd >= 0);
        FILE *f = fdopen(fd, "w");
        (void) fprintf(f, "[component router]\nlimit_start = 1s\nlimit_hold = 5m\ndrain_max = 20s\n");
        assert_int_equal(fclose(f), 0);
        Config *c = NULL, *usual = NULL;
        assert_int_equal(config_load(&c, path, "/nonexistent", NULL), 0);
        (void) unlink(path);
        assert_int_equal(config_load(&usual, "/nonexistent", "/nonexistent", NULL), 0);
        Usec before = bound_usec(config_component(usual, "router"), ROLL_RESTART);
        Usec after = bound_usec(config_component(c, "router"), ROLL_RESTART);
        /* start 300 to 1, drain 120 to 20, the longer of undo and hold 60 to 300 */
        assert_int_equal(before + (240 - 299 - 100) * (int64_t) USEC_PER_SEC, after);
        (void) config_free(c);
        (void) config_free(usual);
}

/* Every entry in the journal has a text that says what to do, and no text is for an entry that is not made.
 */
static void the_catalog_has_every_message_id(void **state)
{
        _cleanup_(freep) char *header = read_source("agent/journal.h");
        _cleanup_(freep) char *catalog = read_source("units/edge-roll.catalog");
        unsigned ids = 0, texts = 0;
        (void) state;
        for (const char *p = header; (p = strchr(p, '"')); p++) {
                char id[33], head[48];
                if (sscanf(p, "\"%32[0-9a-f]\"", id) != 1 || strlen(id) != 32)
                        continue;
                (void) snprintf(head, sizeof(head), "\n-- %s\nSubject: ", id);
                has("units/edge-roll.catalog", catalog, head);
                p += 33;
                ids++;
        }
        for (const char *p = catalog; (p = strstr(p, "\n-- ")); p++) {
                char id[33];
                assert_int_equal(sscanf(p, "\n-- %32[0-9a-f]", id), 1);
                has("agent/journal.h", header, id);
                texts++;
        }
        assert_int_equal(ids, texts);
        assert_true(ids > 8);
}

/* The commands for the day on which nothing else works are the same wherever they are written. */
static void the_page_of_recovery_is_named_where_it_is_needed(void **state)
{
        _cleanup_(freep) char *page = read_source("units/man/edge-roll.1");
        _cleanup_(freep) char *catalog = read_source("units/edge-roll.catalog");
        (void) state;
        has("units/man/edge-roll.1", page, ".Xr edge-roll-recovery 7");
        has("units/edge-roll.catalog", catalog, "man:edge-roll-recovery(7)");
}

/* The events of a job are for everybody, and so is what a command of the administrator has printed into them.
 */
static void that_everybody_reads_what_a_hook_prints_is_said_where_hooks_are_described(void **state)
{
        _cleanup_(freep) char *page = read_source("units/man/edge-roll.1");
        _cleanup_(freep) char *keys = read_source("units/man/edge-roll.conf.5");
        (void) state;
        const char *hooks = strstr(page, "\n.Sh HOOKS\n");
        assert_non_null(hooks);
        _cleanup_(freep) char *section = strndup(hooks, (size_t) (strstr(hooks, "\n.Sh FILES\n") - hooks));
        assert_non_null(section);
        has("units/man/edge-roll.1, HOOKS", section, "must print no secret");
        const char *key = strstr(keys, "\n.It Ic hooks_dir\n");
        assert_non_null(key);
        _cleanup_(freep) char *text = strndup(key, (size_t) (strstr(key + 1, "\n.It Ic ") - key));
        assert_non_null(text);
        has("units/man/edge-roll.conf.5, hooks_dir", text, "must print no secret");
}

/* Calls @found for each --option that the help of a verb offers. */
static void each_option(Verb verb, void (*found)(const char *name, void *userdata), void *userdata)
{
        char *help = NULL;
        size_t size;
        FILE *f = open_memstream(&help, &size);
        cli_help(f, verb);
        assert_int_equal(fclose(f), 0);
        char *options = strstr(help, "\nOptions:\n"), *examples = strstr(help, "\nExamples:\n");
        if (options && examples)
                *examples = '\0';
        for (const char *p = options; p && (p = strstr(p, " --")); p++) {
                char name[32];
                if (sscanf(p, " --%31[a-z-]", name) == 1)
                        found(name, userdata);
        }
        free(help);
}

static void option_in_page(const char *name, void *userdata)
{
        char text[64];
        (void) snprintf(text, sizeof(text), "Fl Fl %s", name);
        has("units/man/edge-roll.1", userdata, text);
}

static void option_in_completion(const char *name, void *userdata)
{
        char text[64];
        (void) snprintf(text, sizeof(text), "--%s", name);
        has("units/edge-roll.bash-completion", userdata, text);
}

static void page_and_completion_have_every_verb_and_option(void **state)
{
        _cleanup_(freep) char *page = read_source("units/man/edge-roll.1");
        _cleanup_(freep) char *completion = read_source("units/edge-roll.bash-completion");
        (void) state;
        for (int i = 0; i < VERB_COUNT; i++) {
                char text[64];
                if (i != VERB_VERSION) {
                        (void) snprintf(text, sizeof(text), "\n.It Cm %s\n", verb_name((Verb) i));
                        has("units/man/edge-roll.1", page, text);
                }
                /* Those that only systemd calls are not proposed. */
                if (i != VERB_AGENT && i != VERB_HEAL && i != VERB_HOLD)
                        has("units/edge-roll.bash-completion", completion, verb_name((Verb) i));
                each_option((Verb) i, option_in_page, page);
                each_option((Verb) i, option_in_completion, completion);
        }
}

/* --ignore takes these names, so they must be found somewhere. */
static void the_page_has_every_rule_of_lint(void **state)
{
        _cleanup_(freep) char *page = read_source("units/man/edge-roll-targets.7");
        (void) state;
        for (int i = 0; i < LINT_RULE_COUNT; i++) {
                const LintRuleInfo *rule = lint_rule((LintRule) i);
                char line[96];
                (void) snprintf(line, sizeof(line), "\n.It Sy %s Pq %s\n", rule->name,
                                lint_level_name(rule->level));
                has("units/man/edge-roll-targets.7", page, line);
        }
}

static void the_page_has_every_event(void **state)
{
        static const char *const events[] = { "job",   "phase",  "progress", "warning", "finding",
                                              "hook",  "client", "result",   "roll",    "override",
                                              "lease", "node",   "stop",     "resume",  "join",
                                              "end",   "target", "check",    "why",     "rotation",
                                              "proof" };
        _cleanup_(freep) char *page = read_source("units/man/edge-roll.1");
        (void) state;
        const char *json = strstr(page, "\n.Sh JSON\n");
        assert_non_null(json);
        for (size_t i = 0; i < ELEMENTS(events); i++) {
                char line[64];
                (void) snprintf(line, sizeof(line), "\n.It Cm %s\n", events[i]);
                has("units/man/edge-roll.1", json, line);
        }
}

/* The example with every "#" in front of a key taken away means what no file at all means. */
static void the_example_is_all_defaults(void **state)
{
        _cleanup_(freep) char *example = read_source("units/edge-roll.conf");
        char path[] = "/tmp/edge-roll-docs-XXXXXX";
        int fd = mkstemp(path);
        (void) state;
        assert_true(fd >= 0);
        FILE *f = fdopen(fd, "w");
        for (const char *p = example; *p;) {
                size_t n = strcspn(p, "\n");
                size_t skip = *p == '#' && p[1] != ' ' ? 1 : 0;
                (void) fprintf(f, "%.*s\n", (int) (n - skip), p + skip);
                p += n + (p[n] == '\n');
        }
        assert_int_equal(fclose(f), 0);

        Config *c = NULL;
        Err err = { 0 };
        char *text = NULL;
        size_t size;
        int r = config_load(&c, path, "/nonexistent", &err);
        (void) unlink(path);
        if (r < 0)
                fail_msg("%s", err.text);
        f = open_memstream(&text, &size);
        assert_int_equal(config_print(c, f, CONFIG_JSON), 0);
        assert_int_equal(fclose(f), 0);
        cJSON *set = cJSON_Parse(text), *config = defaults(), *section, *key;
        cJSON_ArrayForEach(section, config)
        {
                const cJSON *other = cJSON_GetObjectItemCaseSensitive(set, section->string);
                cJSON_ArrayForEach(key, section)
                {
                        const cJSON *k = cJSON_GetObjectItemCaseSensitive(other, key->string);
                        assert_string_equal(cJSON_GetObjectItemCaseSensitive(k, "value")->valuestring,
                                            cJSON_GetObjectItemCaseSensitive(key, "value")->valuestring);
                        if (strcmp(cJSON_GetObjectItemCaseSensitive(k, "origin")->valuestring, "default") ==
                            0)
                                fail_msg("units/edge-roll.conf does not have %s in [%s]", key->string,
                                         section->string);
                }
        }
        cJSON_Delete(set);
        cJSON_Delete(config);
        free(text);
        (void) config_free(c);
}

/* The search of the models with nothing but what it needs before spin. Return: its exit status; @out: what it
 * said. */
static int search_without_spin(const char *allow, char *out, size_t size)
{
        const char *source = getenv("EDGE_ROLL_SOURCE");
        char command[4096];
        (void) snprintf(
                command, sizeof(command),
                "d=$(mktemp -d) && for p in dirname nproc; do ln -s \"$(command -v $p)\" $d; done && "
                "{ ALLOW_SKIP=%s PATH=$d \"$(command -v bash)\" '%s/tests/model/run' 2>&1; r=$?; rm -r $d; "
                "exit $r; }",
                allow, source ? source : ".");
        FILE *p = popen(command, "re");
        assert_non_null(p);
        out[fread(out, 1, size - 1, p)] = '\0';
        int status = pclose(p);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* What tests/README.md says of the models is true only where they were searched. */
static void a_search_without_spin_fails_unless_skips_are_allowed(void **state)
{
        char out[2000];
        (void) state;
        assert_int_equal(search_without_spin("0", out, sizeof(out)), 1);
        has("what it says", out, "install the package \"spin\"");
        has("what it says", out, "\n0 passed, 1 failed\n");
        assert_int_equal(search_without_spin("1", out, sizeof(out)), 0);
        has("what it says", out, "skip model: spin is not installed");
        has("what it says", out, "\n0 passed, 0 failed\n");
}

/* The options that the agent's methods know, as it compares them: @begin, the name, '"'. */
static size_t options_in(const char *text, const char *begin, char names[][48], size_t n, size_t max)
{
        for (const char *p = text; (p = strstr(p, begin)); p++) {
                char name[48];
                bool known = false;
                if (sscanf(p + strlen(begin), "%47[a-z-]", name) != 1)
                        continue;
                for (size_t i = 0; i < n; i++)
                        known = known || strcmp(names[i], name) == 0;
                assert_true(known || n < max);
                if (!known)
                        (void) snprintf(names[n++], sizeof(names[0]), "%s", name);
        }
        return n;
}

static void every_option_of_a_method_is_described_and_tried(void **state)
{
        static const char *const files[] = { "agent/bus-api.c", "agent/bus-lease.c", "agent/bus-lock.c",
                                             "agent/bus-gate.c", "agent/bus-needed.c" };
        _cleanup_(freep) char *page = read_source("units/org.edgeroll.Agent1.xml");
        _cleanup_(freep) char *target = read_source("tests/fuzz/fuzz-agent.c");
        char names[64][48], word[64];
        size_t n = 0;
        (void) state;

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_(freep) char *text = read_source(files[i]);
                n = options_in(text, "strcmp(key, \"", names, n, ELEMENTS(names));
                /* Where they are in tables. */
                n = options_in(text, "{ \"", names, n, ELEMENTS(names));
                n = options_in(text, "{ \"user\", \"", names, n, ELEMENTS(names));
        }
        assert_true(n >= 25);
        char *keys = strstr(target, "keys[] = {"), *end = keys ? strstr(keys, "};") : NULL;
        assert_non_null(end);
        *end = '\0';
        for (size_t i = 0; i < n; i++) {
                (void) snprintf(word, sizeof(word), "\"%.47s\"", names[i]);
                has("keys[] of tests/fuzz/fuzz-agent.c", keys, word);
                has("units/org.edgeroll.Agent1.xml", page, names[i]);
        }
        for (const char *p = keys; (p = strchr(p, '"')); p = strchr(p + 1, '"') + 1) {
                bool known = false;
                for (size_t i = 0; i < n; i++)
                        known = known || strncmp(p + 1, names[i], strcspn(p + 1, "\"")) == 0;
                if (!known)
                        fail_msg("tests/fuzz/fuzz-agent.c tries %.20s, which is no option any more", p);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_page_has_every_key_with_its_default),
                cmocka_unit_test(the_page_has_no_key_that_is_gone),
                cmocka_unit_test(the_page_has_every_result_with_its_number),
                cmocka_unit_test(the_page_has_every_condition_of_a_plan),
                cmocka_unit_test(the_page_has_every_phase_with_its_limit),
                cmocka_unit_test(the_page_has_every_bound),
                cmocka_unit_test(the_bound_is_the_sum_of_what_is_configured),
                cmocka_unit_test(the_catalog_has_every_message_id),
                cmocka_unit_test(that_everybody_reads_what_a_hook_prints_is_said_where_hooks_are_described),
                cmocka_unit_test(the_page_of_recovery_is_named_where_it_is_needed),
                cmocka_unit_test(page_and_completion_have_every_verb_and_option),
                cmocka_unit_test(the_page_has_every_rule_of_lint),
                cmocka_unit_test(the_page_has_every_event),
                cmocka_unit_test(the_example_is_all_defaults),
                cmocka_unit_test(every_option_of_a_method_is_described_and_tried),
                cmocka_unit_test(a_search_without_spin_fails_unless_skips_are_allowed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
