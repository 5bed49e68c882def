/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/result.h"

#define ARGS_MAX 32

/* @line: words with one blank between; "_" in a word is a blank of the argument itself. */
static int parse(char *line, CliRequest *ret, Err *err)
{
        static char *argv[ARGS_MAX]; /* the request points into it */
        int argc = 0;
        memset(argv, 0, sizeof(argv));
        argv[0] = line;
        for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
                for (char *p = word; *p; p++)
                        if (*p == '_')
                                *p = ' ';
                assert_true(argc < ARGS_MAX - 1);
                argv[argc++] = word;
        }
        return cli_parse(argc, argv, ret, err);
}

static CliRequest good(char *line)
{
        CliRequest rq;
        Err err = { 0 };
        int r = parse(line, &rq, &err);
        if (r < 0)
                print_message("%s\n", err.text);
        assert_int_equal(r, 0);
        return rq;
}
#define GOOD(text) good((char[]){ text })

static void bad(char *line, const char *part)
{
        CliRequest rq;
        Err err = { 0 };
        assert_int_equal(parse(line, &rq, &err), -EINVAL);
        if (!strstr(err.text, part))
                fail_msg("\"%s\" is not in: %s", part, err.text);
}
#define BAD(text, part) bad((char[]){ text }, part)

static void every_option_of_restart(void **state)
{
        (void) state;
        char line[] =
                "edge-roll restart router --dry-run --json --reason=new_keystore --start --unprotected=only_node "
                "--no-wait --persistent=wait --at-cap go-on --mp-leave=graceful --router-retry=http_599_error -v";
        CliRequest rq = good(line);
        assert_int_equal(rq.verb, VERB_RESTART);
        assert_string_equal(rq.component, "router");
        assert_true(rq.dry_run && rq.json && rq.start && rq.no_wait && rq.verbose);
        assert_string_equal(rq.reason, "new keystore");
        assert_string_equal(rq.unprotected, "only node");
        assert_int_equal(rq.persistent, PERSISTENT_WAIT);
        assert_int_equal(rq.at_cap, AT_CAP_GO_ON);
        assert_int_equal(rq.mp_leave, MP_LEAVE_GRACEFUL);
        assert_string_equal(rq.router_retry, "http 599 error");
        assert_int_equal(rq.for_usec, 0);
}

static void what_is_not_given_is_not_set(void **state)
{
        (void) state;
        CliRequest rq = GOOD("edge-roll restart mp");
        assert_null(rq.reason);
        assert_null(rq.unprotected);
        assert_int_equal(rq.persistent, PERSISTENT_INVALID);
        assert_int_equal(rq.at_cap, AT_CAP_INVALID);
        assert_int_equal(rq.mp_leave, MP_LEAVE_INVALID);
        assert_null(rq.router_retry);
        assert_false(rq.dry_run || rq.json || rq.start || rq.no_wait || rq.verbose);
}

static void options_stand_anywhere(void **state)
{
        (void) state;
        CliRequest rq = GOOD("edge-roll drain --for 2h --reason why router");
        assert_string_equal(rq.component, "router");
        assert_string_equal(rq.reason, "why");
        assert_int_equal(rq.for_usec, 2 * 3600 * USEC_PER_SEC);
        rq = GOOD("edge-roll drain --json -- router");
        assert_true(rq.json);
        assert_string_equal(rq.component, "router");
        rq = GOOD("edge-roll drain -- --json");
        assert_false(rq.json);
        assert_string_equal(rq.component, "--json");
        rq = GOOD("edge-roll restart router --reason=");
        assert_string_equal(rq.reason, "");
}

static void components_where_they_belong(void **state)
{
        (void) state;
        assert_null(GOOD("edge-roll status").component);
        assert_string_equal(GOOD("edge-roll status mp").component, "mp");
        assert_null(GOOD("edge-roll watch --json").component);
        assert_null(GOOD("edge-roll cancel").component);
        assert_string_equal(GOOD("edge-roll undrain x").component, "x");
        assert_string_equal(GOOD("edge-roll hold apply").hold, "apply");
        BAD("edge-roll restart", "restart needs a component");
        BAD("edge-roll discover --json", "discover needs a component");
        BAD("edge-roll restart a b", "not \"a\" and \"b\"");
        BAD("edge-roll config router", "config takes no argument, found \"router\"");
        BAD("edge-roll agent x", "agent takes no argument");
        BAD("edge-roll hold", "apply or remove");
        BAD("edge-roll hold keep", "apply or remove");
        BAD("edge-roll hold apply remove", "one word");
}

static void help_and_version(void **state)
{
        (void) state;
        char *none[] = { (char[]){ "edge-roll" } };
        CliRequest rq;
        assert_int_equal(cli_parse(1, none, &rq, NULL), 0);
        assert_int_equal(rq.verb, VERB_HELP);
        assert_int_equal(rq.help, VERB_INVALID);
        assert_int_equal(GOOD("edge-roll doctor").verb, VERB_DOCTOR);
        assert_null(GOOD("edge-roll doctor").component);
        assert_string_equal(GOOD("edge-roll doctor mp").component, "mp");
        assert_true(GOOD("edge-roll restart router --now").now);
        assert_int_equal(GOOD("edge-roll --help").verb, VERB_HELP);
        assert_int_equal(GOOD("edge-roll -h").verb, VERB_HELP);
        assert_int_equal(GOOD("edge-roll --version").verb, VERB_VERSION);
        assert_int_equal(GOOD("edge-roll help drain").help, VERB_DRAIN);
        rq = GOOD("edge-roll restart --help");
        assert_int_equal(rq.verb, VERB_HELP);
        assert_int_equal(rq.help, VERB_RESTART);
        assert_int_equal(GOOD("edge-roll restart router -h --nonsense").help, VERB_RESTART);
        BAD("edge-roll help drian", "did you mean drain?");
}

static void mistakes_are_explained(void **state)
{
        (void) state;
        BAD("edge-roll restrat router", "did you mean restart?");
        BAD("edge-roll zzz", "edge-roll help lists them");
        BAD("edge-roll --json status", "the verb comes first");
        BAD("edge-roll restart router --dryrun", "there is no option --dryrun");
        BAD("edge-roll restart router -x", "there is no option -x");
        BAD("edge-roll drain router --start", "drain does not take --start (it belongs to: restart)");
        BAD("edge-roll restart router --for 2h", "it belongs to: drain");
        BAD("edge-roll drain router --for", "--for needs a value: DURATION");
        BAD("edge-roll drain router --for --json", "--for needs a value");
        BAD("edge-roll drain router --for 2x", "--for: \"2x\" is not a duration");
        BAD("edge-roll drain router --for 0s", "no time at all");
        BAD("edge-roll restart router --json=yes", "--json takes no value");
        BAD("edge-roll restart router --persistent=never", "accepted: close|wait|give-back");
        BAD("edge-roll restart router --at-cap=x", "accepted: give-back|go-on");
        BAD("edge-roll restart mp --mp-leave=x", "accepted: block|graceful|auto");
        BAD("edge-roll restart router --unprotected", "--unprotected needs a value: REASON");
        BAD("edge-roll restart router --unprotected=", "needs the reason");
        BAD("edge-roll agent --json", "agent does not take --json");
        BAD("edge-roll targets list --from m1 --org a --env b", "--from is for targets check");
        BAD("edge-roll targets rotation --inventory x --org a --env b", "--inventory is for targets check");
        BAD("edge-roll targets check --inventory x --org a --env b", "say which, or --from all");
        BAD("edge-roll targets check --from= --org a --env b", "accepted: NODE");
        BAD("edge-roll restart router --from m1", "restart does not take --from");
        BAD("edge-roll targets list --no-check --org a --env b", "--no-check is for targets rotation");
        BAD("edge-roll targets list --stores /x --org a --env b",
            "--stores is for targets check and rotation");
        BAD("edge-roll targets rotation x.xml --stores /x", "--stores needs --org and --env");
        BAD("edge-roll targets rotation --no-check --stores /x --org a --env b",
            "--stores and --no-check contradict each other");
        BAD("edge-roll targets check --watch --org a --env b", "--watch is for targets rotation");
        BAD("edge-roll targets rotation x.xml --watch", "--watch needs --org and --env");
        BAD("edge-roll targets rotation --watch --no-check --org a --env b", "contradict");
        BAD("edge-roll targets rotation --for 1m --org a --env b", "--for is for targets rotation --watch");
}

/* D-Bus ends the connection over such a text, and no JSON can hold it. */
static void what_is_no_utf8_is_refused(void **state)
{
        (void) state;
        CliRequest rq = good((char[]){ "edge-roll restart router --reason=gr\xc3\xb6\xc3\x9f"
                                       "er_\xe2\x82\xac_\xf0\x9f\x90\xa7" });
        assert_string_equal(rq.reason, "gr\xc3\xb6\xc3\x9f"
                                       "er \xe2\x82\xac \xf0\x9f\x90\xa7");
        BAD("edge-roll restart router --reason=gr\xf6\xdf"
            "er",
            "--reason=gr??er is not UTF-8");
        BAD("edge-roll restart router --reason gr\xf6\xdf"
            "er",
            "gr??er is not UTF-8");
        BAD("edge-roll restart \xc3", "is not UTF-8");
        BAD("edge-roll \xc3", "is not UTF-8");
        /* Too long for what it says, a half of a pair, behind the last character, a rest without a beginning.
         */
        BAD("edge-roll show \xc0\xaf", "is not UTF-8");
        BAD("edge-roll show \xe0\x80\xaf", "is not UTF-8");
        BAD("edge-roll show \xed\xa0\x80", "is not UTF-8");
        BAD("edge-roll show \xf4\x90\x80\x80", "is not UTF-8");
        BAD("edge-roll show \xf5\x80\x80\x80", "is not UTF-8");
        BAD("edge-roll show \x80", "is not UTF-8");
        BAD("edge-roll show \xe2\x82", "is not UTF-8");
        /* Files are called what they are called. */
        assert_string_equal(good((char[]){ "edge-roll lint \xf6" }).paths[0], "\xf6");
}

static void json_is_seen_before_parsing(void **state)
{
        (void) state;
        char *with[] = { (char[]){ "edge-roll" }, (char[]){ "x" }, (char[]){ "--json" } };
        char *behind[] = { (char[]){ "edge-roll" }, (char[]){ "--" }, (char[]){ "--json" } };
        assert_true(cli_wants_json(3, with));
        assert_false(cli_wants_json(2, with));
        assert_false(cli_wants_json(3, behind));
        /* Paths have been moved where it was, and behind them is nothing. */
        char *refused[] = { (char[]){ "edge-roll" }, (char[]){ "lint" }, (char[]){ "--json" },
                            (char[]){ "a" },         (char[]){ "b" },    (char[]){ "c" },
                            (char[]){ "--org=o" } };
        CliRequest rq;
        Err err = { 0 };
        bool json = cli_wants_json(ELEMENTS(refused), refused);
        assert_int_equal(cli_parse(ELEMENTS(refused), refused, &rq, &err), -EINVAL);
        assert_true(json);
        assert_string_equal(refused[2], "c");
}

static void many_nodes_and_how_a_roll_over_them_goes(void **state)
{
        (void) state;
        CliRequest rq = GOOD(
                "edge-roll restart all --nodes r1,r2 --max-unavailable=25% --max-failures 1 --soak 10s-2m "
                "--override degraded=known --override leased=mine -y --since X --limit r*");
        assert_true(rq.cluster.on && rq.cluster.yes && rq.cluster.max_unavailable_percent);
        assert_string_equal(rq.cluster.nodes, "r1,r2");
        assert_string_equal(rq.cluster.limit, "r*");
        assert_string_equal(rq.cluster.since, "X");
        assert_int_equal(rq.cluster.max_unavailable, 25);
        assert_int_equal(rq.cluster.max_failures, 1);
        assert_int_equal(rq.cluster.soak_low_usec, 10 * USEC_PER_SEC);
        assert_int_equal(rq.cluster.soak_high_usec, 120 * USEC_PER_SEC);
        assert_int_equal(rq.cluster.n_overrides, 2);
        assert_string_equal(rq.cluster.overrides[1], "leased=mine");
        assert_false(GOOD("edge-roll restart router").cluster.on);
        assert_true(GOOD("edge-roll plan restart router").cluster.on);
        assert_true(GOOD("edge-roll nodes").cluster.on);
        assert_true(GOOD("edge-roll status --cluster --watch").watch);
        assert_int_equal(GOOD("edge-roll restart mp --wait").wait_usec, USEC_INFINITY);
        assert_int_equal(GOOD("edge-roll restart mp --wait=15m").wait_usec, 900 * USEC_PER_SEC);
        assert_null(GOOD("edge-roll resume").roll);
        assert_string_equal(GOOD("edge-roll show X").roll, "X");
        rq = GOOD("edge-roll lock steal router r3 --reason gone");
        assert_string_equal(rq.lock, "steal");
        assert_string_equal(rq.component, "router");
        assert_string_equal(rq.lock_value, "r3");
        assert_string_equal(GOOD("edge-roll lock show").lock, "show");
        rq = GOOD(
                "edge-roll restart --cluster --why --changed keystore:a@prod --changed virtualhost:b@prod=new "
                "--expect-cert x.pem --org acme --env prod");
        assert_true(rq.why.on);
        assert_string_equal(rq.component, "all");
        assert_int_equal(rq.why.n_changed, 2);
        assert_string_equal(rq.why.changed[1], "virtualhost:b@prod=new");
        assert_string_equal(rq.why.expect_cert, "x.pem");
        assert_string_equal(GOOD("edge-roll restart router --nodes r1 --why").component, "router");
        assert_string_equal(GOOD("edge-roll plan restart --why").component, "all");
        BAD("edge-roll restart router --why", "--why is for many nodes");
        BAD("edge-roll restart router --cluster --changed keystore:a@b",
            "--changed is for a roll over many nodes with --why or --if-needed");
        BAD("edge-roll restart router --cluster --env prod",
            "--env is for a roll over many nodes with --why");
        rq = GOOD("edge-roll restart router --cluster --if-needed --changed keystore:a@b --org acme");
        assert_true(rq.if_needed && !rq.why.on && rq.why.n_changed == 1);
        BAD("edge-roll restart router --if-needed --changed keystore:a@b",
            "--changed is for a roll over many nodes");
        BAD("edge-roll restart router --cluster --why --if-needed", "take one of them");
        BAD("edge-roll restart --cluster", "needs a component");
        BAD("edge-roll restart all", "rmp");
        BAD("edge-roll restart router --limit r1", "--limit is for many nodes");
        BAD("edge-roll restart router --max-failures 0", "--max-failures is for many nodes");
        BAD("edge-roll restart router --cluster --max-unavailable 0", "from 1 on");
        BAD("edge-roll restart router --cluster --max-unavailable 100%", "99%");
        BAD("edge-roll restart router --cluster --max-unavailable 99999999999999999999", "from 1 on");
        BAD("edge-roll restart router --cluster --max-failures x", "from 0 on");
        BAD("edge-roll restart router --cluster --soak 2m-10s", "more than HIGH");
        BAD("edge-roll restart router --cluster --soak 2m", "LOW-HIGH");
        BAD("edge-roll restart router --cluster --override degraded", "NAME=REASON");
        BAD("edge-roll restart router --cluster --override degraded=", "NAME=REASON");
        BAD("edge-roll restart router --nodes= ", "needs a value");
        BAD("edge-roll restart router --nodes r1 --inventory i", "only one of");
        BAD("edge-roll restart router --wait=0", "no wait");
        BAD("edge-roll plan router", "restart COMPONENT");
        BAD("edge-roll plan restart", "plan needs");
        BAD("edge-roll show", "edge-roll history");
        BAD("edge-roll resume a b", "one roll");
        BAD("edge-roll lock", "show, steal or size");
        BAD("edge-roll lock steal router r3", "--reason");
        BAD("edge-roll lock size router --reason x", "how many");
        BAD("edge-roll lock show router x", "too much");
}

static void help_teaches_every_verb(void **state)
{
        (void) state;
        for (int i = VERB_INVALID; i < VERB_COUNT; i = i == VERB_INVALID ? 0 : i + 1) {
                char *text = NULL, *line, *rest = NULL;
                size_t size;
                FILE *f = open_memstream(&text, &size);
                cli_help(f, (Verb) i);
                assert_int_equal(fclose(f), 0);
                if (i == VERB_INVALID) {
                        for (int v = 0; v < VERB_COUNT; v++)
                                assert_non_null(strstr(text, verb_name((Verb) v)));
                        for (int r = 0; r < RESULT_COUNT; r++)
                                assert_non_null(strstr(text, result_name((Result) r)));
                } else
                        assert_non_null(strstr(text, "\nExamples:\n  "));
                assert_null(strstr(text, "(null)"));
                /* Every example that calls us is one that we accept. */
                char *examples = strstr(text, "\nExamples:\n");
                for (line = examples ? strtok_r(examples + 11, "\n", &rest) : NULL; line;
                     line = strtok_r(NULL, "\n", &rest)) {
                        char words[128], *out = words;
                        bool quoted = false;
                        if (strncmp(line, "  edge-roll ", 12) != 0)
                                continue;
                        for (const char *p = line + 2; *p && *p != '|'; p++) {
                                quoted = quoted != (*p == '"');
                                if (*p != '"')
                                        *out++ = (char) (quoted && *p == ' ' ? '_' : *p);
                        }
                        *out = '\0';
                        CliRequest rq = good(words);
                        assert_int_equal(rq.verb, i);
                }
                free(text);
        }
        assert_int_equal(verb_from_name(NULL), VERB_INVALID);
        assert_string_equal(verb_name(VERB_INVALID), "invalid");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_option_of_restart),
                cmocka_unit_test(what_is_not_given_is_not_set),
                cmocka_unit_test(options_stand_anywhere),
                cmocka_unit_test(components_where_they_belong),
                cmocka_unit_test(help_and_version),
                cmocka_unit_test(mistakes_are_explained),
                cmocka_unit_test(what_is_no_utf8_is_refused),
                cmocka_unit_test(json_is_seen_before_parsing),
                cmocka_unit_test(many_nodes_and_how_a_roll_over_them_goes),
                cmocka_unit_test(help_teaches_every_verb),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
