/* SPDX-License-Identifier: GPL-3.0-or-later */

/* argv to exit status: the configuration, then the verb. */

#include <string.h>

#include "agent/agent.h"
#include "agent/bridge.h"
#include "agent/cli.h"
#include "agent/client.h"
#include "agent/cluster/cluster.h"
#include "agent/cluster/history.h"
#include "agent/config.h"
#include "agent/edge/check-child.h"
#include "agent/edge/lint-run.h"
#include "agent/edge/password.h"
#include "agent/edge/rotation.h"
#include "agent/edge/targets.h"
#include "agent/edge/why-run.h"
#include "agent/hold.h"
#include "agent/kept.h"
#include "agent/mapped.h"
#include "agent/version.h"
#include "base/result.h"
#include "base/words.h"

/* Nothing was done: with --json the last line is a result even then. */
static int refuse(bool json, const char *component, const char *verb, const char *reason)
{
        int code = result_exit_code(RESULT_USAGE);
        _cleanup_(freep) char *text = NULL;
        if (json && render_result_json(component, verb, result_name(RESULT_USAGE), code, reason,
                                       "edge-roll help", &text) == 0)
                (void) printf("%s\n", text);
        else
                (void) fprintf(stderr, "edge-roll: %s\n", reason);
        return code;
}

static void known_components(const Config *config, char *buf, size_t size)
{
        size_t n = 0;
        buf[0] = '\0';
        for (size_t i = 0; i < config->n_components && n < size; i++) {
                const Component *c = &config->components[i];
                n += (size_t) snprintf(buf + n, size - n, "%s%s", i ? ", " : "", c->name);
                for (size_t a = 0; c->aliases[a] && n < size; a++)
                        n += (size_t) snprintf(buf + n, size - n, " (%s)", c->aliases[a]);
        }
}

/*
 * A file that somebody is just editing must not keep anybody from seeing or ending what runs; what begins
 * something needs a good one.
 */
static bool needs_config(const CliRequest *rq)
{
        Verb verb = rq->verb;
        return verb == VERB_PLAN || verb == VERB_NODES || verb == VERB_RESUME || verb == VERB_RESTART ||
               verb == VERB_DOCTOR || verb == VERB_DRAIN || verb == VERB_DISCOVER || verb == VERB_CONFIG ||
               verb == VERB_TARGETS || verb == VERB_WHY || (verb == VERB_LINT && rq->org);
}

/* Nor must it keep the services from finishing what was begun: they go on with what was good before. */
static int run_service(const CliRequest *rq)
{
        _cleanup_(config_freep) Config *config = NULL;
        char trouble[640];

        if (kept_load(&config, trouble, sizeof(trouble)) < 0) {
                (void) fprintf(stderr, "edge-roll: no configuration can be had: %s\n", trouble);
                return result_exit_code(RESULT_FAILED);
        }
        if (rq->verb == VERB_AGENT)
                return agent_main(config, trouble);
        if (rq->verb == VERB_HEAL)
                return heal_main(config, trouble);
        if (*trouble)
                (void) fprintf(stderr, "%s\n", trouble);
        return hold_main(config, rq->hold);
}

static int run_client(const CliRequest *rq, const Config *config)
{
        const char *component = rq->component;
        if (component && config) {
                const Component *c = config_component(config, component);
                bool rmp = !c && strcmp(component, CONFIG_RMP) == 0;
                if (rmp)
                        c = config_rmp(config, NULL);
                if (!c) {
                        char known[512], reason[700];
                        known_components(config, known, sizeof(known));
                        (void) snprintf(reason, sizeof(reason), "there is no component \"%.60s\"; known: %s",
                                        component, known);
                        words_clean(reason);
                        return refuse(rq->json, component, verb_name(rq->verb), reason);
                }
                /* Both together are restarted by that name; their job is the router's; status has all. */
                if (!rmp || rq->verb == VERB_WATCH || rq->verb == VERB_CANCEL)
                        component = c->name;
                else if (rq->verb == VERB_STATUS)
                        component = NULL;
        }
        ClientIo io = {
                .out = stdout,
                .err = stderr,
                .mode = client_mode(STDOUT_FILENO, rq->json, rq->verbose),
        };
        return client_run(rq, component, &io);
}

/* What is asked of the Management Server alone. */
static int run_edge(const CliRequest *rq, const Config *config)
{
        SessionIo io = { .out = stdout, .err = stderr, .in = isatty(STDIN_FILENO) ? STDIN_FILENO : -1 };
        if (rq->verb == VERB_WHY)
                return why_main(rq, config, &io);
        if (rq->verb == VERB_LINT)
                return lint_main(rq, config, &io);
        return rq->targets.action == TARGETS_ROTATION ? rotation_main(rq, config, &io)
                                                      : targets_main(rq, config, &io);
}

static int run(const CliRequest *rq)
{
        _cleanup_(config_freep) Config *config = NULL;
        Err err = { 0 };

        if (rq->verb == VERB_HELP) {
                cli_help(stdout, rq->help);
                return 0;
        }
        if (rq->verb == VERB_VERSION) {
                (void) puts("edge-roll " EDGE_ROLL_VERSION);
                return 0;
        }
        if (rq->verb == VERB_AGENT || rq->verb == VERB_HEAL || rq->verb == VERB_HOLD)
                return run_service(rq);
        if (rq->verb == VERB_BRIDGE)
                return bridge_run(NULL);
        if (config_load(&config, NULL, NULL, &err) < 0) {
                if (needs_config(rq))
                        return refuse(rq->json, rq->component, verb_name(rq->verb), err.text);
                if (rq->component)
                        (void) fprintf(stderr, "edge-roll: going on without the configuration: %s\n",
                                       err.text);
        }
        if (rq->verb == VERB_TARGETS || rq->verb == VERB_LINT || rq->verb == VERB_WHY)
                return run_edge(rq, config);
        if (rq->verb == VERB_RESUME || (rq->cluster.on && config))
                return cluster_run(rq, config);
        switch (rq->verb) {
        case VERB_CONFIG:
                return config_print(config, stdout, rq->json ? CONFIG_JSON : CONFIG_TEXT) < 0
                               ? result_exit_code(RESULT_FAILED)
                               : 0;
        case VERB_RESTART:
        case VERB_DOCTOR:
        case VERB_DRAIN:
        case VERB_UNDRAIN:
        case VERB_STATUS:
        case VERB_WATCH:
        case VERB_DISCOVER:
        case VERB_CANCEL:
        case VERB_REQUEST:
        case VERB_LOCK:
                return run_client(rq, config);
        case VERB_HISTORY:
        case VERB_SHOW:
                return history_main(rq, config);
        case VERB_NODES:
        case VERB_PLAN:
        case VERB_RESUME:
        case VERB_TARGETS:
        case VERB_LINT:
        case VERB_WHY:
        case VERB_BRIDGE:
        case VERB_AGENT:
        case VERB_HEAL:
        case VERB_HOLD:
        case VERB_HELP:
        case VERB_VERSION:
        case VERB_COUNT:
        case VERB_INVALID:
                break;
        }
        return result_exit_code(RESULT_USAGE);
}

int main(int argc, char **argv)
{
        CliRequest rq;
        Err err = { 0 };
        password_hide();
        /* Parts of the agent and of the bridge in a process of their own, no verbs: see mapped.h and
         * check-child.h. */
        if (argc > 1 && strcmp(argv[1], MAPPED_VERB) == 0)
                return mapped_main(argc - 2, argv + 2);
        if (argc > 1 && strcmp(argv[1], CHECK_CHILD_VERB) == 0)
                return check_child_main();
        bool json = cli_wants_json(argc, argv);
        if (cli_parse(argc, argv, &rq, &err) < 0)
                return refuse(json, NULL, "", err.text);
        int status = run(&rq);
        /* What was written to a full disk was not said. */
        if (fflush(stdout) != 0 && status == 0)
                status = result_exit_code(RESULT_FAILED);
        return status;
}
