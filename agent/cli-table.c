/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every verb and option with its texts, and the help made of them. */

#include "agent/cli-table.h"

#include <string.h>

#include "base/result.h"

const OptionInfo option_table[] = {
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
        [OPTION_WAIT] = { "wait", 0, "DURATION", "for the lock; without a duration: for ever", true },
        [OPTION_IF_NEEDED] = { "if-needed", 0, NULL, "only if something has changed since it was started" },
        [OPTION_CLUSTER] = { "cluster", 0, NULL, "all nodes that the configuration names" },
        [OPTION_NODES] = { "nodes", 0, "NODE,...", "these nodes, by the names that ssh knows" },
        [OPTION_INVENTORY] = { "inventory", 0, "FILE", "the nodes of an Ansible inventory (INI)" },
        [OPTION_MANAGEMENT] = { "management", 0, "URL", "the nodes that the Management Server knows" },
        [OPTION_REGION] = { "region", 0, "NAME", "only nodes of this region" },
        [OPTION_POD] = { "pod", 0, "NAME", "only nodes of this pod" },
        [OPTION_LIMIT] = { "limit", 0, "NODE,...", "only these nodes or groups; shell patterns" },
        [OPTION_EXCLUDE] = { "exclude", 0, "NODE,...", "not these nodes or groups" },
        [OPTION_YES] = { "yes", 'y', NULL, "do not ask" },
        [OPTION_OVERRIDE] = { "override", 0, "NAME=REASON", "go on against a condition of the plan" },
        [OPTION_ALLOW_OUTAGE] = { "allow-outage", 0, NULL, "restart the only serving node of a pool, too" },
        [OPTION_MAX_UNAVAILABLE] = { "max-unavailable", 0, "N|P%", "nodes of a pool out at once (1)" },
        [OPTION_MAX_FAILURES] = { "max-failures", 0, "N", "go on after so many failed nodes (0)" },
        [OPTION_SOAK] = { "soak", 0, "LOW-HIGH", "watch a node that is back: at least LOW, good by HIGH" },
        [OPTION_SINCE] = { "since", 0, "ROLL", "leave alone what that roll has done" },
        [OPTION_GIVE_UP] = { "give-up", 0, NULL, "end the roll instead of going on with it" },
        [OPTION_ORG] = { "org", 0, "NAME", "the organisation in Edge" },
        [OPTION_ENV] = { "env", 0, "NAME", "the environment in it" },
        [OPTION_STORES] = { "stores", 0, "FOLDER",
                            "files in place of key and trust stores, for checks from here" },
        [OPTION_FROM] = { "from", 0, "NODE,...", "check from these nodes, or groups of an inventory" },
        [OPTION_CHANGED] = { "changed", 0, "KIND:NAME@ENV",
                             "what was changed: keystore, targetserver, virtualhost, ..." },
        [OPTION_EXPECT_CERT] = { "expect-cert", 0, "FILE|sha256:...",
                                 "the certificate that routers should serve" },
        [OPTION_WHY] = { "why", 0, NULL, "only what edge-roll why says must be restarted" },
        [OPTION_WATCH] = { "watch", 0, NULL, "again and again, until Ctrl-C" },
        [OPTION_STRICT] = { "strict", 0, NULL, "warnings count as errors do" },
        [OPTION_IGNORE] = { "ignore", 0, "RULE,...", "findings of these rules are left out" },
        [OPTION_NO_CHECK] = { "no-check", 0, NULL, "rotation: ask no target server whether it answers" },
        [OPTION_FOR] = { "for", 0, "DURATION", "end the hold, or --watch, by itself: 30m, 2h" },
        [OPTION_VERBOSE] = { "verbose", 'v', NULL, "the evidence of each phase behind the result" },
        [OPTION_HELP] = { "help", 'h', NULL, "this text" },
};
_Static_assert(ELEMENTS(option_table) == OPTION_COUNT, "every option has a row");

const VerbInfo verb_table[] = {
        [VERB_RESTART] = {
                .name = "restart",
                .what = "restart a component without losing a request",
                .operand = OPERAND_COMPONENT,
                .options = BIT(OPTION_DRY_RUN) | BIT(OPTION_JSON) | BIT(OPTION_REASON) | BIT(OPTION_START) |
                           BIT(OPTION_NOW) | BIT(OPTION_UNPROTECTED) | BIT(OPTION_NO_WAIT) | BIT(OPTION_PERSISTENT) |
                           BIT(OPTION_AT_CAP) | BIT(OPTION_MP_LEAVE) | BIT(OPTION_ROUTER_RETRY) |
                           BIT(OPTION_WAIT) | BIT(OPTION_IF_NEEDED) | BIT(OPTION_YES) | OPTIONS_NODES |
                           OPTIONS_ROLL | BIT(OPTION_WHY) | OPTIONS_WHY | BIT(OPTION_VERBOSE),
                .text = "Refuses health checks until every checker has marked the node down, waits until\n"
                        "no request is in flight, stops and starts the component, proves that it is ready\n"
                        "and loaded as before, and lets the checkers in again. Up to the stop everything\n"
                        "can be undone (edge-roll cancel). A component that does not come back as it was\n"
                        "is held: blocked, shown by edge-roll status, until edge-roll undrain.\n"
                        "The agent does the work: Ctrl-C ends the display, never the job, and a second\n"
                        "restart of the same component joins the job that runs.\n"
                        "--now leaves out the watch, notice and drain; it is refused when somebody is connected.\n"
                        "\n"
                        "With --cluster, --nodes, --inventory or --management it rolls over many nodes, over ssh,\n"
                        "one of a pool at a time: the plan is shown first, and asked about. Ctrl-C once: the\n"
                        "node under way is finished, then the roll stops; twice: its agent finishes it alone.\n"
                        "COMPONENT may be \"all\" then: message processors first, then routers.\n"
                        "With --why only what edge-roll why says; COMPONENT may be missing then.\n",
                .examples = "edge-roll restart router --dry-run\n"
                            "edge-roll restart router --reason \"new keystore\"\n"
                            "edge-roll restart mp --json --at-cap=go-on\n"
                            "edge-roll restart router --cluster --reason \"new keystore\"\n"
                            "edge-roll restart all --inventory hosts.ini --limit dc-1 --yes\n"
                            "edge-roll restart --cluster --why --changed keystore:api2026@prod\n",
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
                           BIT(OPTION_UNPROTECTED) | BIT(OPTION_VERBOSE),
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
                        "returns when every checker has been let in again. What somebody else has begun only\n"
                        "root ends without --reason.\n",
                .examples = "edge-roll undrain router\n"
                            "edge-roll undrain router --reason \"the new disk is in\"\n",
        },
        [VERB_STATUS] = {
                .name = "status",
                .what = "what is running, held, and how the last jobs ended",
                .operand = OPERAND_MAYBE_COMPONENT,
                .options = BIT(OPTION_JSON) | BIT(OPTION_WATCH) | OPTIONS_NODES,
                .text = "Everybody may ask. Exit code 16 when something is held, for monitoring to see.\n",
                .examples = "edge-roll status\n"
                            "edge-roll status mp --json\n"
                            "edge-roll status --cluster --watch\n",
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
        [VERB_NODES] = {
                .name = "nodes",
                .what = "the nodes that are known, their pools, how each is reached",
                .operand = OPERAND_NONE,
                .options = BIT(OPTION_JSON) | OPTIONS_NODES,
                .text = "Asks the configured source, or the one that is named, and then each node itself.\n",
                .examples = "edge-roll nodes --cluster\n"
                            "edge-roll nodes --inventory hosts.ini --json\n",
        },
        [VERB_PLAN] = {
                .name = "plan",
                .what = "what a roll over the nodes would do, and what is in its way",
                .operand = OPERAND_RESTART_COMPONENT,
                .options = BIT(OPTION_JSON) | OPTIONS_NODES | OPTIONS_ROLL | BIT(OPTION_WHY) | OPTIONS_WHY |
                           BIT(OPTION_VERBOSE),
                .text = "Order, pools, capacity while rolling, locks, expected time, and every condition with\n"
                        "what was seen. Nothing is changed. Exit code 11 when the roll would be refused.\n",
                .examples = "edge-roll plan restart router --cluster\n"
                            "edge-roll plan restart all --nodes r1,r2,m1,m2 --json\n",
        },
        [VERB_RESUME] = {
                .name = "resume",
                .what = "go on with a roll that was cut off, or give it up",
                .operand = OPERAND_MAYBE_ROLL,
                .options = BIT(OPTION_JSON) | BIT(OPTION_YES) | BIT(OPTION_OVERRIDE) | BIT(OPTION_GIVE_UP) |
                           BIT(OPTION_VERBOSE),
                .text = "Asks the agents what has become of each node, leaves alone what is done, and goes on\n"
                        "with the rest. Without ROLL: the last one that has not ended. --give-up asks, gives\n"
                        "back what the roll still has, and ends it.\n",
                .examples = "edge-roll resume\n"
                            "edge-roll resume 20261128T184512-router-3f2a\n",
        },
        [VERB_HISTORY] = {
                .name = "history",
                .what = "the rolls that were begun here, and how they ended",
                .operand = OPERAND_MAYBE_COMPONENT,
                .options = BIT(OPTION_JSON),
                .text = "Reads the journals of rolls on this machine; no node is asked.\n",
                .examples = "edge-roll history\n"
                            "edge-roll history router --json\n",
        },
        [VERB_SHOW] = {
                .name = "show",
                .what = "the whole story of one roll",
                .operand = OPERAND_ROLL,
                .options = BIT(OPTION_JSON),
                .text = "Reads its journal; no node is asked.\n",
                .examples = "edge-roll show 20261128T184512-router-3f2a\n",
        },
        [VERB_REQUEST] = {
                .name = "request",
                .what = "a restart as soon as it is this node's turn; returns at once",
                .operand = OPERAND_COMPONENT,
                .options = BIT(OPTION_JSON) | BIT(OPTION_REASON) | BIT(OPTION_IF_NEEDED),
                .text = "A ticket: the agent waits for the lock of the pool and then restarts. Many requests\n"
                        "are one ticket; it survives a reboot; a later restart joins it. Needs a lock\n"
                        "(refused otherwise): for configuration management on many nodes at once.\n",
                .examples = "edge-roll request router --reason \"keystore changed\"\n",
        },
        [VERB_LOCK] = {
                .name = "lock",
                .what = "who may go out, who is out; end a lock that nobody ends",
                .operand = OPERAND_LOCK,
                .options = BIT(OPTION_JSON) | BIT(OPTION_REASON),
                .text = "show tells the lease on this node and the places of its pool. steal ends the one of\n"
                        "NAME, as show tells it; it needs --reason. size sets how many of the pool may be out.\n",
                .examples = "edge-roll lock show router\n"
                            "edge-roll lock steal router 276bc250-7dd0-46a5-a583-fd11eba786f8 --reason \"node is gone\"\n"
                            "edge-roll lock size router 2 --reason \"twelve nodes\"\n",
        },
        [VERB_TARGETS] = {
                .name = "targets",
                .what = "the target servers of an environment: list and change them",
                .operand = OPERAND_TARGETS,
                .options = BIT(OPTION_ORG) | BIT(OPTION_ENV) | BIT(OPTION_MANAGEMENT) | BIT(OPTION_DRY_RUN) |
                           BIT(OPTION_YES) | BIT(OPTION_JSON) | BIT(OPTION_NO_CHECK) | BIT(OPTION_FROM) |
                           BIT(OPTION_INVENTORY) | BIT(OPTION_WATCH) | BIT(OPTION_FOR) | BIT(OPTION_STORES),
                .text = "Over Edge's management API. FILE has one target server as XML or JSON; - is standard\n"
                        "input. An update replaces the whole object; enable and disable keep all but that one\n"
                        "word. What is as it should be is left alone (exit code 10). delete asks before it does.\n"
                        "check connects to each of them, with TLS where that is on, from here, or with --from from\n"
                        "nodes, over ssh; \"here\" may be among them (exit code 20: one that is enabled does not\n"
                        "answer; 19: a node could not be asked).\n"
                        "rotation shows each LoadBalancer of PATH... (bundles, folders, XML files), or of what is\n"
                        "deployed, as it would act now: who gets which share, and what the next failure does. With\n"
                        "--org and --env each server is asked from here, as its HealthMonitor asks it; --no-check: not.\n"
                        "--watch runs the HealthMonitors from here until Ctrl-C, or --for so long, and tells who\n"
                        "leaves the rotation and who comes back.\n",
                .examples = "edge-roll targets list --org acme --env prod\n"
                            "edge-roll targets create target1.xml --org acme --env prod\n"
                            "edge-roll targets disable target1 --org acme --env prod\n"
                            "edge-roll targets check --org acme --env prod --from m1,m2,here\n"
                            "edge-roll targets rotation apiproxy/ --org acme --env prod\n"
                            "edge-roll targets rotation --org acme --env prod --watch --for 10m\n",
        },
        [VERB_LINT] = {
                .name = "lint",
                .what = "what is wrong with the way proxies use their target servers",
                .operand = OPERAND_PATHS,
                .options = BIT(OPTION_JSON) | BIT(OPTION_STRICT) | BIT(OPTION_IGNORE) | BIT(OPTION_ORG) |
                           BIT(OPTION_ENV) | BIT(OPTION_MANAGEMENT),
                .text = "PATH is a bundle (zip), a folder with bundles below it, or one XML file. Each finding has\n"
                        "its file and line, its rule, the reason and the fix; edge-roll-targets(7) lists the rules.\n"
                        "With --org and --env the target servers of that environment are known to the rules, and\n"
                        "without PATH the proxies that are deployed there are looked at.\n"
                        "Nothing is changed. Exit code 20 when there is an error, with --strict\n"
                        "also when there is a warning.\n",
                .examples = "edge-roll lint apiproxy/\n"
                            "edge-roll lint --strict --ignore store-direct *.zip\n",
        },
        [VERB_WHY] = {
                .name = "why",
                .what = "what must be restarted after a change in Edge, and why",
                .operand = OPERAND_NONE,
                .options = OPTIONS_WHY | BIT(OPTION_MANAGEMENT) | BIT(OPTION_REGION) | BIT(OPTION_JSON),
                .text = "Asks the Management Server for virtual hosts, target servers, references, keystores and\n"
                        "deployments, shakes hands with each router, and says for each finding what follows:\n"
                        "routers, message processors, a deployment, or nothing. Nothing is changed.\n"
                        "Exit code 0 when something must be restarted, 10 when nothing.\n",
                .examples = "edge-roll why\n"
                            "edge-roll why --changed keystore:api2026@prod --expect-cert api.pem\n"
                            "edge-roll why --org acme --env prod --json\n",
        },
        [VERB_BRIDGE] = {
                .name = "bridge",
                .what = "carries calls of a bastion to this node's agent; run by ssh",
                .operand = OPERAND_NONE,
                .text = "Speaks D-Bus on standard input and output, and carries the agent's own interface and\n"
                        "nothing else of the system bus.\n",
                .examples = "ssh NODE edge-roll bridge\n",
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

static void help_usage(FILE *out, const VerbInfo *v)
{
        static const char *const operands[] = {
                [OPERAND_NONE] = "",
                [OPERAND_COMPONENT] = " COMPONENT",
                [OPERAND_MAYBE_COMPONENT] = " [COMPONENT]",
                [OPERAND_MAYBE_VERB] = " [VERB]",
                [OPERAND_HOLD] = " apply|remove",
                [OPERAND_RESTART_COMPONENT] = " restart COMPONENT",
                [OPERAND_ROLL] = " ROLL",
                [OPERAND_MAYBE_ROLL] = " [ROLL]",
                [OPERAND_LOCK] = " show [COMPONENT] | steal COMPONENT NAME | size COMPONENT N",
                [OPERAND_TARGETS] =
                        " list | check | create FILE | update FILE | get|delete|enable|disable NAME | rotation [PATH]...",
                [OPERAND_PATHS] = " [PATH]...",
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
                (void) snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, option_table[i].name,
                                !option_table[i].value           ? ""
                                : option_table[i].value_optional ? "[="
                                                                 : "=",
                                option_table[i].value ? option_table[i].value : "",
                                option_table[i].value_optional ? "]" : "");
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