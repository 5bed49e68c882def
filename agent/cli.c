/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cli.h"

#include <string.h>

#include "agent/cli-table.h"
#include "base/words.h"

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
        char verbs[256] = "";
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

/* A whole number without sign. Return: false: none, or more than @most. */
static bool number_parse(const char *text, size_t len, unsigned most, unsigned *ret)
{
        unsigned n = 0;
        for (size_t i = 0; i < len; i++) {
                if (text[i] < '0' || text[i] > '9' || n > most / 10)
                        return false;
                n = n * 10 + (unsigned) (text[i] - '0');
        }
        *ret = n;
        return len > 0 && n <= most;
}

static int soak_parse(CliCluster *c, const char *value, Err *err)
{
        const char *dash = strchr(value, '-');
        char low[32];
        if (!dash || (size_t) (dash - value) >= sizeof(low))
                return err_set(err, -EINVAL, "--soak=%.40s: accepted: LOW-HIGH, for example 10s-2m", value);
        (void) snprintf(low, sizeof(low), "%.*s", (int) (dash - value), value);
        if (time_parse(low, USEC_PER_SEC, &c->soak_low_usec, err) < 0 ||
            time_parse(dash + 1, USEC_PER_SEC, &c->soak_high_usec, err) < 0)
                return err_prefix(err, -EINVAL, "--soak");
        if (c->soak_high_usec < c->soak_low_usec)
                return err_set(err, -EINVAL, "--soak=%.40s: LOW is more than HIGH", value);
        c->soak_given = true;
        return 0;
}

static int option_cluster(CliCluster *c, Option option, const char *value, Err *err)
{
        const char **text = option == OPTION_NODES        ? &c->nodes
                            : option == OPTION_INVENTORY  ? &c->inventory
                            : option == OPTION_MANAGEMENT ? &c->management
                            : option == OPTION_REGION     ? &c->region
                            : option == OPTION_POD        ? &c->pod
                            : option == OPTION_LIMIT      ? &c->limit
                            : option == OPTION_EXCLUDE    ? &c->exclude
                            : option == OPTION_SINCE      ? &c->since
                                                          : NULL;
        size_t len = value ? strlen(value) : 0;
        if (text) {
                if (len == 0)
                        return err_set(err, -EINVAL, "--%s needs a value: %s", option_table[option].name,
                                       option_table[option].value);
                *text = value;
                c->on = c->on || option == OPTION_NODES || option == OPTION_INVENTORY ||
                        option == OPTION_MANAGEMENT;
                return 0;
        }
        switch (option) {
        case OPTION_CLUSTER:
                c->on = true;
                return 0;
        case OPTION_YES:
                c->yes = true;
                return 0;
        case OPTION_ALLOW_OUTAGE:
                c->allow_outage = true;
                return 0;
        case OPTION_MAX_UNAVAILABLE:
                c->max_unavailable_percent = len > 0 && value[len - 1] == '%';
                if (number_parse(value, len - c->max_unavailable_percent,
                                 c->max_unavailable_percent ? 99 : 10000, &c->max_unavailable) &&
                    c->max_unavailable > 0)
                        return 0;
                return err_set(err, -EINVAL,
                               "--max-unavailable=%.40s: accepted: a number from 1 on, or 1%% to 99%%",
                               value);
        case OPTION_MAX_FAILURES:
                c->max_failures_given = true;
                if (number_parse(value, len, 10000, &c->max_failures))
                        return 0;
                return err_set(err, -EINVAL, "--max-failures=%.40s: accepted: a number from 0 on", value);
        case OPTION_SOAK:
                return soak_parse(c, value, err);
        case OPTION_OVERRIDE: {
                const char *equals = strchr(value, '=');
                if (!equals || equals == value || !equals[1])
                        return err_set(
                                err, -EINVAL,
                                "--override=%.40s: accepted: NAME=REASON, with the reason why it is safe, "
                                "for the records",
                                value);
                if (c->n_overrides == CLI_OVERRIDES_MAX)
                        return err_set(err, -EINVAL, "--override: at most %d", CLI_OVERRIDES_MAX);
                c->overrides[c->n_overrides++] = value;
                return 0;
        }
        default:
                return err_set(err, -EINVAL, "unknown option");
        }
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
        case OPTION_NO_CHECK:
                rq->no_check = true;
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
        case OPTION_WAIT:
                rq->wait_usec = USEC_INFINITY;
                if (!value)
                        return 0;
                r = time_parse(value, USEC_PER_SEC, &rq->wait_usec, err);
                if (r < 0)
                        return err_prefix(err, -EINVAL, "--wait");
                return rq->wait_usec == 0 ? err_set(err, -EINVAL, "--wait: no time at all is no wait") : 0;
        case OPTION_IF_NEEDED:
                rq->if_needed = true;
                return 0;
        case OPTION_STRICT:
                rq->strict = true;
                return 0;
        case OPTION_IGNORE:
                rq->ignore = value;
                return 0;
        case OPTION_GIVE_UP:
                rq->give_up = true;
                return 0;
        case OPTION_WATCH:
                rq->watch = true;
                return 0;
        case OPTION_CLUSTER:
        case OPTION_NODES:
        case OPTION_INVENTORY:
        case OPTION_MANAGEMENT:
        case OPTION_REGION:
        case OPTION_POD:
        case OPTION_LIMIT:
        case OPTION_EXCLUDE:
        case OPTION_YES:
        case OPTION_OVERRIDE:
        case OPTION_ALLOW_OUTAGE:
        case OPTION_MAX_UNAVAILABLE:
        case OPTION_MAX_FAILURES:
        case OPTION_SOAK:
        case OPTION_SINCE:
                return option_cluster(&rq->cluster, option, value, err);
        case OPTION_WHY:
                rq->why.on = true;
                return 0;
        case OPTION_EXPECT_CERT:
                if (!*value)
                        return option_bad(option, value, err);
                rq->why.expect_cert = value;
                return 0;
        case OPTION_CHANGED:
                if (rq->why.n_changed == CLI_CHANGED_MAX)
                        return err_set(err, -EINVAL, "--changed: at most %d", CLI_CHANGED_MAX);
                rq->why.changed[rq->why.n_changed++] = value;
                return 0;
        case OPTION_ORG:
        case OPTION_ENV:
                if (!*value)
                        return option_bad(option, value, err);
                *(option == OPTION_ORG ? &rq->org : &rq->env) = value;
                return 0;
        case OPTION_STORES:
                if (!*value)
                        return option_bad(option, value, err);
                rq->stores = value;
                return 0;
        case OPTION_FROM:
                if (!*value)
                        return option_bad(option, value, err);
                rq->from = value;
                return 0;
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

/* show [COMPONENT], steal COMPONENT NAME, size COMPONENT N. */
static int operand_lock(CliRequest *rq, const char *arg, Err *err)
{
        if (!rq->lock) {
                if (strcmp(arg, "show") != 0 && strcmp(arg, "steal") != 0 && strcmp(arg, "size") != 0)
                        return err_set(err, -EINVAL, "lock takes: show, steal or size, not \"%.40s\"", arg);
                rq->lock = arg;
                return 0;
        }
        if (!*arg)
                return err_set(err, -EINVAL, "lock %s: an empty argument", rq->lock);
        if (!rq->component)
                rq->component = arg;
        else if (!rq->lock_value && strcmp(rq->lock, "show") != 0)
                rq->lock_value = arg;
        else
                return err_set(err, -EINVAL, "lock %s: \"%.40s\" is too much", rq->lock, arg);
        return 0;
}

static const struct {
        const char *name;
        bool takes_name, takes_file;
} targets_table[] = {
        [TARGETS_LIST] = { "list", false, false },         [TARGETS_GET] = { "get", true, false },
        [TARGETS_CREATE] = { "create", false, true },      [TARGETS_UPDATE] = { "update", false, true },
        [TARGETS_DELETE] = { "delete", true, false },      [TARGETS_ENABLE] = { "enable", true, false },
        [TARGETS_DISABLE] = { "disable", true, false },    [TARGETS_CHECK] = { "check", false, false },
        [TARGETS_ROTATION] = { "rotation", false, false }, /* takes paths */
};
_Static_assert(ELEMENTS(targets_table) == TARGETS_ACTION_COUNT, "every action has a row");

/* list; get NAME; create FILE. */
static int operand_targets(CliTargets *t, const char *arg, Err *err)
{
        char known[200] = "";
        if (t->action >= 0) {
                const char **where = targets_table[t->action].takes_name   ? &t->name
                                     : targets_table[t->action].takes_file ? &t->file
                                                                           : NULL;
                if (!where || *where || !*arg)
                        return err_set(err, -EINVAL, "targets %s: \"%.40s\" is too much",
                                       targets_table[t->action].name, arg);
                *where = arg;
                return 0;
        }
        for (int i = 0; i < TARGETS_ACTION_COUNT; i++) {
                size_t n = strlen(known);
                if (strcmp(arg, targets_table[i].name) == 0) {
                        t->action = (TargetsAction) i;
                        return 0;
                }
                (void) snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", targets_table[i].name);
        }
        return err_set(err, -EINVAL, "targets takes one of %s, not \"%.40s\"", known, arg);
}

/* What reads proxies: from paths, or those that are deployed in an environment. */
static int documents_check(const CliRequest *rq, const char *what, Err *err)
{
        if (!rq->org != !rq->env)
                return err_set(err, -EINVAL, "--org and --env belong together");
        if (!rq->paths && !rq->org)
                return err_set(
                        err, -EINVAL,
                        "%s needs a path (a bundle, a folder, an XML file), or --org and --env for what is "
                        "deployed there",
                        what);
        return 0;
}

static int targets_check(const CliRequest *rq, Err *err)
{
        const CliTargets *t = &rq->targets;
        if (t->action < 0)
                return err_set(
                        err, -EINVAL,
                        "targets needs a word: list, get, create, update, delete, enable, disable, check, rotation");
        if ((rq->from || rq->cluster.inventory) && t->action != TARGETS_CHECK)
                return err_set(err, -EINVAL, "--%s is for targets check, not for targets %s",
                               rq->from ? "from" : "inventory", targets_table[t->action].name);
        if (rq->cluster.inventory && !rq->from)
                return err_set(err, -EINVAL,
                               "--inventory has the nodes that --from names: say which, or --from all");
        if (targets_table[t->action].takes_name && !t->name)
                return err_set(err, -EINVAL, "targets %s needs the name of a target server",
                               targets_table[t->action].name);
        if (targets_table[t->action].takes_file && !t->file)
                return err_set(
                        err, -EINVAL,
                        "targets %s needs a file with a target server as XML or JSON; - is standard input",
                        targets_table[t->action].name);
        if (rq->stores && t->action != TARGETS_CHECK && t->action != TARGETS_ROTATION)
                return err_set(err, -EINVAL, "--stores is for targets check and rotation, not for targets %s",
                               targets_table[t->action].name);
        if (rq->stores && (rq->no_check || !rq->org))
                return err_set(err, -EINVAL, "--stores %s",
                               rq->no_check
                                       ? "and --no-check contradict each other"
                                       : "needs --org and --env: without them no target server is asked");
        if (rq->watch && t->action != TARGETS_ROTATION)
                return err_set(err, -EINVAL, "--watch is for targets rotation, not for targets %s",
                               targets_table[t->action].name);
        if (rq->watch && (rq->no_check || !rq->org))
                return err_set(
                        err, -EINVAL, "--watch %s",
                        rq->no_check ? "and --no-check contradict each other"
                                     : "needs --org and --env: the environment knows where the servers are");
        if (rq->for_usec && !rq->watch)
                return err_set(err, -EINVAL, "--for is for targets rotation --watch");
        if (rq->no_check && t->action != TARGETS_ROTATION)
                return err_set(err, -EINVAL, "--no-check is for targets rotation");
        if (t->action == TARGETS_ROTATION)
                return documents_check(rq, "targets rotation", err);
        if (!rq->org || !rq->env)
                return err_set(err, -EINVAL,
                               "targets needs --org and --env: target servers belong to an environment");
        return 0;
}

static int lock_check(const CliRequest *rq, Err *err)
{
        if (!rq->lock)
                return err_set(err, -EINVAL, "lock needs one word: show, steal or size");
        if (strcmp(rq->lock, "show") == 0)
                return 0;
        if (!rq->lock_value)
                return err_set(err, -EINVAL, "lock %s needs a component and %s", rq->lock,
                               strcmp(rq->lock, "steal") == 0 ? "whose it is, as lock show tells it"
                                                              : "how many may be out");
        if (!rq->reason || !*rq->reason)
                return err_set(err, -EINVAL, "lock %s needs --reason: it is kept", rq->lock);
        return 0;
}

/* What is only for many nodes needs to know which; plan and nodes are about the configured ones anyway. */
static int cluster_check(CliRequest *rq, Err *err)
{
        CliCluster *c = &rq->cluster;
        const char *option = c->region                ? "region"
                             : c->pod                 ? "pod"
                             : c->limit               ? "limit"
                             : c->exclude             ? "exclude"
                             : c->n_overrides > 0     ? "override"
                             : c->allow_outage        ? "allow-outage"
                             : c->max_unavailable > 0 ? "max-unavailable"
                             : c->max_failures_given  ? "max-failures"
                             : c->soak_given          ? "soak"
                             : c->since               ? "since"
                                                      : NULL;
        /* There the Management Server is asked for target servers. */
        if (rq->verb == VERB_TARGETS)
                return 0;
        if ((c->nodes != NULL) + (c->inventory != NULL) + (c->management != NULL) > 1)
                return err_set(
                        err, -EINVAL,
                        "only one of --nodes, --inventory and --management says which nodes there are");
        if (rq->verb == VERB_PLAN || rq->verb == VERB_NODES)
                c->on = true;
        if (rq->verb == VERB_RESUME || rq->verb == VERB_WHY || c->on)
                return 0;
        if (option)
                return err_set(err, -EINVAL,
                               "--%s is for many nodes: say which with --cluster, --nodes, --inventory or "
                               "--management",
                               option);
        if (rq->component && strcmp(rq->component, CLI_ALL) == 0)
                return err_set(err, -EINVAL,
                               "\"all\" is for many nodes (--cluster, --nodes, --inventory or --management); "
                               "restart rmp restarts both of this node");
        return 0;
}

bool cli_why_named(const CliRequest *rq)
{
        return rq->why.n_changed > 0 || rq->why.expect_cert || rq->org || rq->env;
}

/* A roll for a reason is about all that the reason is about; what the reason is needs one. */
static int why_check(CliRequest *rq, Err *err)
{
        const CliWhy *w = &rq->why;
        bool rolls = rq->verb == VERB_RESTART || rq->verb == VERB_PLAN;
        if (!rolls)
                return 0;
        if (!w->on && cli_why_named(rq) && !(rq->if_needed && rq->cluster.on))
                return err_set(err, -EINVAL, "--%s is for a roll over many nodes with --why or --if-needed",
                               w->n_changed > 0 ? "changed"
                               : w->expect_cert ? "expect-cert"
                               : rq->org        ? "org"
                                                : "env");
        if (!w->on)
                return 0;
        if (rq->if_needed)
                return err_set(err, -EINVAL,
                               "--why and --if-needed are two ways to find out: take one of them");
        if (!rq->cluster.on && rq->verb != VERB_PLAN)
                return err_set(err, -EINVAL,
                               "--why is for many nodes: say which with --cluster, --nodes, --inventory or "
                               "--management");
        if (!rq->component)
                rq->component = CLI_ALL;
        return 0;
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
        case OPERAND_RESTART_COMPONENT:
                if (!rq->planned) {
                        if (strcmp(arg, verb_name(VERB_RESTART)) != 0)
                                return err_set(err, -EINVAL, "plan takes: restart COMPONENT, not \"%.40s\"",
                                               arg);
                        rq->planned = true;
                        return 0;
                }
                if (rq->component || !*arg)
                        return err_set(err, -EINVAL, "plan takes one component: plan restart COMPONENT");
                rq->component = arg;
                return 0;
        case OPERAND_ROLL:
        case OPERAND_MAYBE_ROLL:
                if (rq->roll || !*arg)
                        return err_set(err, -EINVAL,
                                       "%s takes the id of one roll, as edge-roll history shows it", v->name);
                rq->roll = arg;
                return 0;
        case OPERAND_LOCK:
                return operand_lock(rq, arg, err);
        case OPERAND_TARGETS:
                return operand_targets(&rq->targets, arg, err);
        case OPERAND_PATHS: /* cli_parse() keeps them */
        case OPERAND_NONE:
                break;
        }
        return err_set(err, -EINVAL, "%s takes no argument, found \"%.40s\"", v->name, arg);
}

/* D-Bus takes no such text, and no JSON can hold it. Files may be called what they like. */
static int argument_utf8(const char *arg, Err *err)
{
        return words_utf8(arg)
                       ? 0
                       : err_set(err, -EINVAL,
                                 "%.200s is not UTF-8: write it in a terminal that is set to it, or without accents",
                                 arg);
}

static bool takes_paths(const CliRequest *rq, const VerbInfo *v)
{
        return v->operand == OPERAND_PATHS || rq->targets.action == TARGETS_ROTATION;
}

int cli_parse(int argc, char **argv, CliRequest *ret, Err *err)
{
        CliRequest rq = {
                .verb = VERB_INVALID,
                .help = VERB_INVALID,
                .persistent = PERSISTENT_INVALID,
                .at_cap = AT_CAP_INVALID,
                .mp_leave = MP_LEAVE_INVALID,
                .targets = { .action = TARGETS_ACTION_INVALID },
        };
        if (argc < 2) {
                rq.verb = VERB_HELP;
                *ret = rq;
                return 0;
        }
        int at = 1;
        if (argument_utf8(argv[at], err) < 0)
                return -EINVAL;
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
        int paths = 0; /* argv[0] ... */
        for (at++; at < argc; at++) {
                const char *arg = argv[at], *value = NULL;
                int r;
                if ((options_over || arg[0] != '-' || !arg[1]) && takes_paths(&rq, v)) {
                        if (!*arg)
                                return err_set(err, -EINVAL, "a path is empty");
                        argv[paths++] = argv[at];
                        continue;
                }
                if (argument_utf8(arg, err) < 0)
                        return -EINVAL;
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
                if (option_table[option].value && !value && !option_table[option].value_optional) {
                        if (at + 1 >= argc || argv[at + 1][0] == '-')
                                return err_set(err, -EINVAL, "--%s needs a value: %s",
                                               option_table[option].name, option_table[option].value);
                        value = argv[++at];
                        if (argument_utf8(value, err) < 0)
                                return -EINVAL;
                } else if (!option_table[option].value && value)
                        return err_set(err, -EINVAL, "--%s takes no value", option_table[option].name);
                r = option_apply(&rq, option, value, err);
                if (r < 0)
                        return r;
                if (rq.verb == VERB_HELP && v != &verb_table[VERB_HELP])
                        break; /* --help: nothing else matters */
        }
        if (why_check(&rq, err) < 0)
                return -EINVAL;
        if (rq.verb != VERB_HELP && v->operand == OPERAND_COMPONENT && !rq.component)
                return err_set(err, -EINVAL,
                               "%s needs a component: router, message-processor (mp) or one of your own",
                               v->name);
        if (cluster_check(&rq, err) < 0)
                return -EINVAL;
        if (rq.verb == VERB_PLAN && !rq.component)
                return err_set(err, -EINVAL,
                               "plan needs: restart COMPONENT, for example plan restart router");
        if (rq.verb == VERB_SHOW && !rq.roll)
                return err_set(err, -EINVAL, "show needs the id of a roll; edge-roll history lists them");
        if (rq.verb == VERB_LOCK && lock_check(&rq, err) < 0)
                return -EINVAL;
        if (paths > 0) {
                argv[paths] = NULL;
                rq.paths = argv;
        }
        if (rq.verb == VERB_LINT && documents_check(&rq, "lint", err) < 0)
                return -EINVAL;
        if (rq.verb == VERB_TARGETS && targets_check(&rq, err) < 0)
                return -EINVAL;
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
