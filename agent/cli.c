/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cli.h"

#include <string.h>

#include "base/result.h"

typedef enum Option {
        OPTION_DRY_RUN,
        OPTION_JSON,
        OPTION_REASON,
        OPTION_START,
        OPTION_NOW,
        OPTION_UNPROTECTED,
        OPTION_NO_WAIT,
        OPTION_PERSISTENT,
        OPTION_AT_CAP,
        OPTION_MP_LEAVE,
        OPTION_ROUTER_RETRY,
        OPTION_FOR,
        OPTION_VERBOSE,
        OPTION_HELP,
        OPTION_COUNT,
        OPTION_INVALID = -EINVAL,
} Option;

#define BIT(option) (1U << (option))

static const struct {
        const char *name;
        char letter;       /* 0: none */
        const char *value; /* NULL: takes none */
        const char *what;
} option_table[] = {
        [OPTION_DRY_RUN] = { "dry-run", 0, NULL, "say what would be done and waited for; touch nothing" },
        [OPTION_JSON] = { "json", 0, NULL, "one JSON object a line; the last is the result" },
        [OPTION_REASON] = { "reason", 0, "TEXT", "why; kept with the job, the hold and the journal" },
        [OPTION_START] = { "start", 0, NULL, "start the component if it is not running" },
        [OPTION_NOW] = { "now", 0, NULL, "without a drain, of a component that serves nobody" },
        [OPTION_UNPROTECTED] = { "unprotected", 0, "REASON",
                                 "go on although no lock covers the other nodes" },
        [OPTION_NO_WAIT] = { "no-wait", 0, NULL, "return as soon as the agent has the job" },
        [OPTION_PERSISTENT] = { "persistent", 0, "close|wait|give-back",
                                "kept connections that go on sending" },
        [OPTION_AT_CAP] = { "at-cap", 0, "give-back|go-on", "when the drain reaches its limit" },
        [OPTION_MP_LEAVE] = { "mp-leave", 0, "block|graceful|auto", "how a message processor leaves" },
        [OPTION_ROUTER_RETRY] = { "router-retry", 0, "SET",
                                  "what its routers try again: \"http_599 error\"" },
        [OPTION_FOR] = { "for", 0, "DURATION", "end the hold by itself: 30m, 2h" },
        [OPTION_VERBOSE] = { "verbose", 'v', NULL, "the evidence of each phase behind the result" },
        [OPTION_HELP] = { "help", 'h', NULL, "this text" },
};
_Static_assert(ELEMENTS(option_table) == OPTION_COUNT, "every option has a row");

typedef enum Operand {
        OPERAND_NONE,
        OPERAND_COMPONENT,
        OPERAND_MAYBE_COMPONENT,
        OPERAND_MAYBE_VERB,
        OPERAND_HOLD
} Operand;

typedef struct VerbInfo {
        const char *name;
        const char *what; /* one line, in the overview */
        Operand operand;
        unsigned options;
        const char *text; /* the lesson */
        const char *examples;
} VerbInfo;

static const VerbInfo verb_table[] = {
        [VERB_RESTART] = {
                .name = "restart",
                .what = "restart a component without losing a request",
                .operand = OPERAND_COMPONENT,
                .options = BIT(OPTION_DRY_RUN) | BIT(OPTION_JSON) | BIT(OPTION_REASON) | BIT(OPTION_START) |
                           BIT(OPTION_NOW) | BIT(OPTION_UNPROTECTED) | BIT(OPTION_NO_WAIT) | BIT(OPTION_PERSISTENT) |
                           BIT(OPTION_AT_CAP) | BIT(OPTION_MP_LEAVE) | BIT(OPTION_ROUTER_RETRY) |
                           BIT(OPTION_VERBOSE),
                .text = "Refuses health checks until every checker has marked the node down, waits until\n"
                        "no request is in flight, stops and starts the component, proves that it is ready\n"
                        "and loaded as before, and lets the checkers in again. Up to the stop everything\n"
                        "can be undone (edge-roll cancel). A component that does not come back as it was\n"
                        "is held: blocked, shown by edge-roll status, until edge-roll undrain.\n"
                        "The agent does the work: Ctrl-C ends the display, never the job, and a second\n"
                        "restart of the same component joins the job that runs.\n"
                        "--now leaves out the watch, notice and drain; it is refused when somebody is connected.\n",
                .examples = "edge-roll restart router --dry-run\n"
                            "edge-roll restart router --reason \"new keystore\"\n"
                            "edge-roll restart mp --json --at-cap=go-on\n",
        },
        [VERB_DOCTOR] = {
                .name = "doctor",
                .what = "what a restart would find here; nothing is changed",
                .operand = OPERAND_MAYBE_COMPONENT,
                .options = BIT(OPTION_JSON) | BIT(OPTION_VERBOSE),
                .text = "Watches who checks the component, as a restart does, and tells one line for each thing\n"
                        "that matters: ok, warning or problem, with what was seen and what to do. Nothing is\n"
                        "blocked, nothing restarted. Without COMPONENT: each that runs here. Exit code 20 when\n"
                        "there is a problem; warnings are no problem.\n",
                .examples = "edge-roll doctor\n"
                            "edge-roll doctor mp --json\n",
        },
        [VERB_DRAIN] = {
                .name = "drain",
                .what = "take a component out of traffic and hold it there",
                .operand = OPERAND_COMPONENT,
                .options = BIT(OPTION_REASON) | BIT(OPTION_FOR) | BIT(OPTION_JSON) | BIT(OPTION_NO_WAIT) |
                           BIT(OPTION_VERBOSE),
                .text = "The first half of a restart: health checks are refused, and the command returns\n"
                        "when no request is in flight. The component goes on running. The hold survives a\n"
                        "reboot; it ends with edge-roll undrain, or by itself after --for.\n",
                .examples = "edge-roll drain router --for 2h --reason \"kernel update\"\n"
                            "edge-roll drain mp\n",
        },
        [VERB_UNDRAIN] = {
                .name = "undrain",
                .what = "end a hold: let the checkers in again",
                .operand = OPERAND_COMPONENT,
                .options = BIT(OPTION_REASON) | BIT(OPTION_JSON) | BIT(OPTION_NO_WAIT) | BIT(OPTION_VERBOSE),
                .text = "Ends what edge-roll drain began, or the hold that a restart left behind, and\n"
                        "returns when every checker has been let in again.\n",
                .examples = "edge-roll undrain router\n",
        },
        [VERB_STATUS] = {
                .name = "status",
                .what = "what is running, held, and how the last jobs ended",
                .operand = OPERAND_MAYBE_COMPONENT,
                .options = BIT(OPTION_JSON),
                .text = "Everybody may ask. Exit code 16 when something is held, for monitoring to see.\n",
                .examples = "edge-roll status\n"
                            "edge-roll status mp --json\n",
        },
        [VERB_WATCH] = {
                .name = "watch",
                .what = "follow the running job, or show how the last one ended",
                .operand = OPERAND_MAYBE_COMPONENT,
                .options = BIT(OPTION_JSON) | BIT(OPTION_VERBOSE),
                .text = "Shows the job from its beginning and exits as the command that started it.\n",
                .examples = "edge-roll watch\n"
                            "edge-roll watch router --json\n",
        },
        [VERB_DISCOVER] = {
                .name = "discover",
                .what = "what is known of a component: ports, unit, limits",
                .operand = OPERAND_COMPONENT,
                .options = BIT(OPTION_JSON),
                .text = "Reads only. Shows the health port, the traffic ports and the request limit that\n"
                        "a restart would use, and where each was found.\n",
                .examples = "edge-roll discover mp\n",
        },
        [VERB_CANCEL] = {
                .name = "cancel",
                .what = "undo the running job, as long as the component is not stopped",
                .operand = OPERAND_MAYBE_COMPONENT,
                .options = BIT(OPTION_REASON) | BIT(OPTION_JSON),
                .text = "Gives the node back as it was. From the stop on a restart cannot be undone; it\n"
                        "is then refused and the job goes on.\n",
                .examples = "edge-roll cancel\n"
                            "edge-roll cancel router --reason \"wrong node\"\n",
        },
        [VERB_CONFIG] = {
                .name = "config",
                .what = "every setting in force, and which file set it",
                .operand = OPERAND_NONE,
                .options = BIT(OPTION_JSON),
                .text = "Reads " CONFIG_FILE " and " CONFIG_DIR "/*.conf.\n"
                        "edge-roll.conf(5) explains each key.\n",
                .examples = "edge-roll config\n"
                            "edge-roll config | grep -v '; default'\n",
        },
        [VERB_AGENT] = {
                .name = "agent",
                .what = "the service itself; started by systemd when it is needed",
                .operand = OPERAND_NONE,
                .text = "Not for people: edge-roll-agent.service runs it; any other verb starts that.\n",
                .examples = "systemctl status edge-roll-agent\n",
        },
        [VERB_HOLD] = {
                .name = "hold",
                .what = "put up or remove the holds; run by edge-roll-hold.service",
                .operand = OPERAND_HOLD,
                .text = "apply makes the firewall table what the hold records say; remove deletes the\n"
                        "table and the records. Needs no agent: systemctl stop edge-roll-hold opens a\n"
                        "node whose agent does not work.\n",
                .examples = "systemctl stop edge-roll-hold\n",
        },
        [VERB_HEAL] = {
                .name = "heal",
                .what = "end what a dead agent left; run by edge-roll-heal.service",
                .operand = OPERAND_NONE,
                .text = "When systemd has given the agent up, or somebody has stopped it in the middle of\n"
                        "a job: what was not stopped yet is undone; what was is started, proven and\n"
                        "opened, or held. Needs neither the agent nor the bus. Never runs beside the\n"
                        "agent: it waits until that has ended.\n",
                .examples = "systemctl start edge-roll-heal\n"
                            "journalctl -u edge-roll-heal\n",
        },
        [VERB_HELP] = {
                .name = "help",
                .what = "help, or all about one verb",
                .operand = OPERAND_MAYBE_VERB,
                .text = "",
                .examples = "edge-roll help restart\n",
        },
        [VERB_VERSION] = {
                .name = "--version",
                .what = "print the version",
                .operand = OPERAND_NONE,
                .text = "",
                .examples = "edge-roll --version\n",
        },
};
_Static_assert(ELEMENTS(verb_table) == VERB_COUNT, "every verb has a row");

const char *verb_name(Verb verb)
{
        return verb >= 0 && verb < VERB_COUNT ? verb_table[verb].name : "invalid";
}

Verb verb_from_name(const char *name)
{
        for (int i = 0; name && i < VERB_COUNT; i++)
                if (strcmp(verb_table[i].name, name) == 0)
                        return (Verb) i;
        return VERB_INVALID;
}

static Verb verb_unknown(const char *name, Err *err)
{
        Verb near = VERB_INVALID;
        size_t most = 1;
        /* The longest common beginning is enough for words that differ this much. */
        for (int i = 0; i < VERB_COUNT; i++) {
                size_t n = 0;
                while (name[n] && name[n] == verb_table[i].name[n])
                        n++;
                if (n > most) {
                        most = n;
                        near = (Verb) i;
                }
        }
        if (near >= 0)
                return (Verb) err_set(err, -EINVAL, "there is no verb \"%.40s\"; did you mean %s?", name,
                                      verb_name(near));
        return (Verb) err_set(err, -EINVAL, "there is no verb \"%.40s\"; edge-roll help lists them", name);
}

static bool option_allowed(const VerbInfo *v, Option option)
{
        return option == OPTION_HELP || (v->options & BIT(option));
}

/* @arg without its dashes; @ret_value NULL: no "=". */
static Option option_find(const char *arg, const char **ret_value)
{
        const char *equals = strchr(arg, '=');
        size_t len = equals ? (size_t) (equals - arg) : strlen(arg);
        for (int i = 0; i < OPTION_COUNT; i++)
                if (strlen(option_table[i].name) == len && strncmp(option_table[i].name, arg, len) == 0) {
                        *ret_value = equals ? equals + 1 : NULL;
                        return (Option) i;
                }
        return OPTION_INVALID;
}

static Option letter_find(const char *arg)
{
        for (int i = 0; i < OPTION_COUNT; i++)
                if (option_table[i].letter && arg[0] == option_table[i].letter && !arg[1])
                        return (Option) i;
        return OPTION_INVALID;
}

static int option_foreign(const VerbInfo *v, Option option, Err *err)
{
        char verbs[160] = "";
        for (int i = 0; i < VERB_COUNT; i++)
                if (option_allowed(&verb_table[i], option)) {
                        size_t n = strlen(verbs);
                        (void) snprintf(verbs + n, sizeof(verbs) - n, "%s%s", n ? ", " : "",
                                        verb_table[i].name);
                }
        return err_set(err, -EINVAL, "%s does not take --%s (it belongs to: %s)", v->name,
                       option_table[option].name, verbs);
}

static int option_bad(Option option, const char *value, Err *err)
{
        return err_set(err, -EINVAL, "--%s=%.40s: accepted: %s", option_table[option].name, value,
                       option_table[option].value);
}

static int option_apply(CliRequest *rq, Option option, const char *value, Err *err)
{
        int r;
        switch (option) {
        case OPTION_DRY_RUN:
                rq->dry_run = true;
                return 0;
        case OPTION_JSON:
                rq->json = true;
                return 0;
        case OPTION_START:
                rq->start = true;
                return 0;
        case OPTION_NOW:
                rq->now = true;
                return 0;
        case OPTION_NO_WAIT:
                rq->no_wait = true;
                return 0;
        case OPTION_VERBOSE:
                rq->verbose = true;
                return 0;
        case OPTION_REASON:
                rq->reason = value;
                return 0;
        case OPTION_UNPROTECTED:
                if (!*value)
                        return err_set(err, -EINVAL,
                                       "--unprotected needs the reason why it is safe, for the records");
                rq->unprotected = value;
                return 0;
        case OPTION_PERSISTENT:
                rq->persistent = persistent_from_name(value);
                return rq->persistent < 0 ? option_bad(option, value, err) : 0;
        case OPTION_AT_CAP:
                rq->at_cap = at_cap_from_name(value);
                return rq->at_cap < 0 ? option_bad(option, value, err) : 0;
        case OPTION_MP_LEAVE:
                rq->mp_leave = mp_leave_from_name(value);
                return rq->mp_leave < 0 ? option_bad(option, value, err) : 0;
        case OPTION_ROUTER_RETRY:
                rq->router_retry = value;
                return 0;
        case OPTION_FOR:
                r = time_parse(value, USEC_PER_SEC, &rq->for_usec, err);
                if (r < 0)
                        return err_prefix(err, -EINVAL, "--for");
                return rq->for_usec == 0 ? err_set(err, -EINVAL, "--for: no time at all is no hold") : 0;
        case OPTION_HELP:
                rq->help = rq->verb;
                rq->verb = VERB_HELP;
                return 0;
        case OPTION_COUNT:
        case OPTION_INVALID:
                break;
        }
        return err_set(err, -EINVAL, "unknown option");
}

static int operand_apply(CliRequest *rq, const VerbInfo *v, const char *arg, Err *err)
{
        switch (v->operand) {
        case OPERAND_COMPONENT:
        case OPERAND_MAYBE_COMPONENT:
                if (rq->component)
                        return err_set(err, -EINVAL, "%s takes one component, not \"%.40s\" and \"%.40s\"",
                                       v->name, rq->component, arg);
                if (!*arg)
                        return err_set(err, -EINVAL, "the name of the component is empty");
                rq->component = arg;
                return 0;
        case OPERAND_MAYBE_VERB:
                rq->help = verb_from_name(arg);
                return rq->help < 0 ? (int) verb_unknown(arg, err) : 0;
        case OPERAND_HOLD:
                if (rq->hold || (strcmp(arg, "apply") != 0 && strcmp(arg, "remove") != 0))
                        return err_set(err, -EINVAL, "hold takes one word: apply or remove");
                rq->hold = arg;
                return 0;
        case OPERAND_NONE:
                break;
        }
        return err_set(err, -EINVAL, "%s takes no argument, found \"%.40s\"", v->name, arg);
}

int cli_parse(int argc, char **argv, CliRequest *ret, Err *err)
{
        CliRequest rq = {
                .verb = VERB_INVALID,
                .help = VERB_INVALID,
                .persistent = PERSISTENT_INVALID,
                .at_cap = AT_CAP_INVALID,
                .mp_leave = MP_LEAVE_INVALID,
        };
        if (argc < 2) {
                rq.verb = VERB_HELP;
                *ret = rq;
                return 0;
        }
        int at = 1;
        if (strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "--help") == 0)
                rq.verb = VERB_HELP;
        else if (argv[at][0] == '-' && strcmp(argv[at], "--version") != 0)
                return err_set(err, -EINVAL, "the verb comes first, then options like %.40s", argv[at]);
        else
                rq.verb = verb_from_name(argv[at]);
        if (rq.verb < 0)
                return (int) verb_unknown(argv[at], err);

        const VerbInfo *v = &verb_table[rq.verb];
        bool options_over = false;
        for (at++; at < argc; at++) {
                const char *arg = argv[at], *value = NULL;
                int r;
                if (options_over || arg[0] != '-' || !arg[1]) {
                        r = operand_apply(&rq, v, arg, err);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (strcmp(arg, "--") == 0) {
                        options_over = true;
                        continue;
                }
                Option option = arg[1] == '-' ? option_find(arg + 2, &value) : letter_find(arg + 1);
                if (option < 0)
                        return err_set(err, -EINVAL, "there is no option %.40s; edge-roll help %s lists them",
                                       arg, v->name);
                if (!option_allowed(v, option))
                        return option_foreign(v, option, err);
                if (option_table[option].value && !value) {
                        if (at + 1 >= argc || argv[at + 1][0] == '-')
                                return err_set(err, -EINVAL, "--%s needs a value: %s",
                                               option_table[option].name, option_table[option].value);
                        value = argv[++at];
                } else if (!option_table[option].value && value)
                        return err_set(err, -EINVAL, "--%s takes no value", option_table[option].name);
                r = option_apply(&rq, option, value, err);
                if (r < 0)
                        return r;
                if (rq.verb == VERB_HELP && v != &verb_table[VERB_HELP])
                        break; /* --help: nothing else matters */
        }
        if (rq.verb != VERB_HELP && v->operand == OPERAND_COMPONENT && !rq.component)
                return err_set(err, -EINVAL,
                               "%s needs a component: router, message-processor (mp) or one of your own",
                               v->name);
        if (v->operand == OPERAND_HOLD && rq.verb == VERB_HOLD && !rq.hold)
                return err_set(err, -EINVAL, "hold takes one word: apply or remove");
        *ret = rq;
        return 0;
}

bool cli_wants_json(int argc, char **argv)
{
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (strcmp(argv[i], "--json") == 0)
                        return true;
        return false;
}

static void help_usage(FILE *out, const VerbInfo *v)
{
        static const char *const operands[] = {
                [OPERAND_NONE] = "",
                [OPERAND_COMPONENT] = " COMPONENT",
                [OPERAND_MAYBE_COMPONENT] = " [COMPONENT]",
                [OPERAND_MAYBE_VERB] = " [VERB]",
                [OPERAND_HOLD] = " apply|remove",
        };
        (void) fprintf(out, "edge-roll %s%s%s\n", v->name, operands[v->operand],
                       v->options ? " [OPTIONS]" : "");
}

static void help_verb(FILE *out, const VerbInfo *v)
{
        help_usage(out, v);
        (void) fprintf(out, "\n%s%s", v->text, *v->text ? "\n" : "");
        if (v->operand == OPERAND_COMPONENT || v->operand == OPERAND_MAYBE_COMPONENT)
                (void) fprintf(out,
                               "COMPONENT: router, message-processor (short: mp), or a [component NAME] of\n"
                               "edge-roll.conf(5)%s.\n\n",
                               v == &verb_table[VERB_RESTART]
                                       ? "; rmp: both of a node that has both, the message\n"
                                         "processor while the router is out"
                                       : "");
        if (v->options)
                (void) fputs("Options:\n", out);
        for (int i = 0; i < OPTION_COUNT; i++) {
                char left[48], letter[8] = "    ";
                if (!(v->options & BIT(i)))
                        continue;
                if (option_table[i].letter)
                        (void) snprintf(letter, sizeof(letter), "-%c, ", option_table[i].letter);
                (void) snprintf(left, sizeof(left), "%s--%s%s%s", letter, option_table[i].name,
                                option_table[i].value ? "=" : "",
                                option_table[i].value ? option_table[i].value : "");
                (void) fprintf(out, "  %-38s %s\n", left, option_table[i].what);
        }
        (void) fprintf(out, "%sExamples:\n", v->options ? "\n" : "");
        for (const char *p = v->examples; *p;) {
                size_t len = strcspn(p, "\n");
                (void) fprintf(out, "  %.*s\n", (int) len, p);
                p += len + (p[len] == '\n');
        }
}

static void help_all(FILE *out)
{
        (void) fputs(
                "edge-roll restarts Apigee Edge routers and message processors without losing a request.\n"
                "\n"
                "  edge-roll VERB [COMPONENT] [OPTIONS]\n"
                "\n",
                out);
        for (int i = 0; i < VERB_COUNT; i++)
                (void) fprintf(out, "  %-10s %s\n", verb_table[i].name, verb_table[i].what);
        (void) fputs("\n"
                     "A first look, nothing is touched:\n"
                     "  edge-roll doctor\n"
                     "  edge-roll restart router --dry-run\n"
                     "Then:\n"
                     "  edge-roll restart router --reason \"new keystore\"\n"
                     "\n"
                     "Exit codes:",
                     out);
        for (int i = 0; i < RESULT_COUNT; i++)
                (void) fprintf(out, "%s%d %s%s", i % 5 ? "  " : "\n  ", result_exit_code((Result) i),
                               result_name((Result) i), i + 1 < RESULT_COUNT ? "" : "\n");
        (void) fputs(
                "\nedge-roll help VERB has the options and more examples; edge-roll(1) has everything.\n",
                out);
}

void cli_help(FILE *out, Verb verb)
{
        if (verb >= 0 && verb < VERB_COUNT)
                help_verb(out, &verb_table[verb]);
        else
                help_all(out);
}
