/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bus-needed.h"

#include <string.h>
#include <syslog.h>

#include "agent/bus-gate.h"
#include "agent/bus.h"
#include "agent/facts.h"
#include "agent/journal.h"
#include "agent/known.h"
#include "agent/needed-look.h"
#include "agent/served.h"

typedef struct NeededAsk {
        Agent *agent;
        sd_bus_message *message;
        BusCaller caller;
        const Config *config; /* pinned */
        const Component *component;
        size_t ask; /* bus_ask() */
} NeededAsk;

static void ask_end(NeededAsk *ask)
{
        agent_unpin(ask->agent, ask->config);
        agent_touch(ask->agent);
        bus_ask_end(ask->ask);
        sd_bus_message_unref(ask->message);
        free(ask);
}

static void ask_on_end(const Needed *needed, void *userdata)
{
        NeededAsk *ask = userdata;
        char text[512];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "component", ask->component->name);
        needed_json(needed, o);
        cJSON_AddStringToObject(o, "text", needed_text(needed, text, sizeof(text)));
        bus_gate_obeyed(ask->message, &ask->caller);
        (void) bus_reply_json(ask->message, o);
        ask_end(ask);
}

static int ask_begin(Agent *a, const Component *c, sd_bus_message *m, const BusCaller *caller,
                     sd_bus_error *error)
{
        const Job *job = agent_busy(a);
        char busy[200] = "";
        NeededLook *look;
        Err err = { 0 };

        size_t share;
        int r = bus_ask(a, caller, &share, error);
        if (r < 0)
                return r;
        NeededAsk *ask = calloc(1, sizeof(*ask));
        if (!ask) {
                bus_ask_end(share);
                return -ENOMEM;
        }
        *ask = (NeededAsk){ .agent = a,
                            .message = sd_bus_message_ref(m),
                            .caller = *caller,
                            .config = agent_pin(a),
                            .component = c,
                            .ask = share };
        if (job && job_concerns(job, c->name))
                (void) snprintf(busy, sizeof(busy),
                                "a job works on it (%s, phase %s), and what that leaves is to come",
                                job_kind(job), job_phase(job));
        NeededEnv env = {
                .event = agent_event(a),
                .config = ask->config,
                .systemd = agent_systemd(a),
                .http = agent_http(a),
                .conns = agent_conns(a),
                .busy = busy,
        };
        r = needed_look(&env, c, ask_on_end, ask, &look, &err);
        if (r < 0) {
                ask_end(ask);
                return bus_error(error, r, &err);
        }
        return BUS_LATER;
}

int bus_needed(Agent *a, sd_bus_message *m, const BusCaller *caller, sd_bus_error *error)
{
        const char *name;
        Err err = { 0 };

        int r = sd_bus_message_read(m, "s", &name);
        if (r < 0 || (r = sd_bus_message_skip(m, "a{sv}")) < 0)
                return r;
        if (agent_reload(a, &err) < 0)
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Usage", err.text);
        const Component *c = bus_component(a, name, error);
        if (!c)
                return -EINVAL;
        if (agent_leaving(a))
                return sd_bus_error_set(error, BUS_ERROR_PREFIX "Leaving",
                                        "the agent is just leaving; call again");
        return ask_begin(a, c, m, caller, error);
}

/* ---- behind a restart ---- */

typedef struct ServedKeep {
        Agent *agent;
        const Config *config; /* pinned */
        const Component *component;
} ServedKeep;

static void keep_end(ServedKeep *keep)
{
        agent_unpin(keep->agent, keep->config);
        free(keep);
}

static void keep_on_served(const ServedList *list, void *userdata)
{
        ServedKeep *keep = userdata;
        const Component *c = keep->component;
        JournalContext context = { .component = c->name };
        Err err = { 0 };

        for (size_t i = 0; i < list->n; i++) {
                char where[160];
                if (list->items[i].state == SERVED_KNOWN)
                        journal_log(LOG_INFO, JOURNAL_AGENT, &context, "%s: %s serves the certificate %s",
                                    c->name, served_text(&list->items[i], where, sizeof(where)),
                                    list->items[i].fingerprint);
        }
        if (served_write(keep->config, c, list, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, &context,
                            "%s: which certificates it serves now cannot be kept: %s", c->name, err.text);
        keep_end(keep);
}

static void keep_on_facts(const Facts *f, void *userdata)
{
        ServedKeep *keep = userdata;
        ServedCall *call;
        if (served_look(agent_http(keep->agent), agent_conns(keep->agent), agent_event(keep->agent),
                        f->traffic_ports, f->n_traffic, keep->component->certificate, keep_on_served, keep,
                        &call, NULL) < 0)
                keep_end(keep);
}

void bus_needed_restarted(Agent *a, const Component *c)
{
        FactsCall *call;
        ServedKeep *keep;
        /* Behind a router there are certificates; a message processor serves routers only. */
        if ((c->kind != KIND_ROUTER && !*c->certificate) || !(keep = calloc(1, sizeof(*keep))))
                return;
        *keep = (ServedKeep){ .agent = a, .config = agent_pin(a), .component = c };
        if (facts_gather(agent_http(a), agent_conns(a), keep->config, c, known_port(keep->config, c),
                         keep_on_facts, keep, &call, NULL) < 0)
                keep_end(keep);
}
