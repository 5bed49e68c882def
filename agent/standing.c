/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/standing.h"

#include <string.h>

#include "agent/facts.h"
#include "agent/known.h"
#include "agent/state.h"
#include "drain/foreign.h"

bool standing_job_has(const Job *job, const char *component)
{
        return job && (strcmp(job_component(job)->name, component) == 0 ||
                       standing_job_has(job_within(job), component));
}

static void standing_foreign(Standing *s)
{
        _cleanup_(freep) ForeignRule *rules = NULL;
        size_t n = 0;
        if (!s->health_port || foreign_find(s->health_port, &rules, &n, NULL) < 0)
                return;
        /* One with conditions may concern nobody who checks or asks. */
        for (size_t i = 0; i < n; i++)
                s->foreign = s->foreign || (!rules[i].conditions && !*rules[i].set && !*rules[i].iif);
}

static const char *standing_blocked(const Config *config, const Component *c, const Job *job, Standing *s)
{
        bool found = false, refused = false;
        BlockPlan plan;
        Err err = { 0 };

        if (hold_read(config->state_dir, c->name, &s->hold, &found, &err) < 0) {
                (void) snprintf(s->error, sizeof(s->error), "%s", err.text);
                /* What it says is not known; that it refuses is. */
                s->held = facts_held(c, s->health_port, &plan);
                s->hold = (Hold){ .by = "?", .reason = "its record cannot be read" };
                return s->held ? "hold" : "unknown";
        }
        if (found && block_hold_read(&s->hold.plan, &refused, &s->refusals, &err) < 0)
                (void) snprintf(s->error, sizeof(s->error), "%s", err.text);
        bool expired = found && hold_left(&s->hold, time_boot(), time_wall()) == 0;
        s->held = found && !expired;
        /* A record without its table is said as it is: it should refuse and does not. */
        if (s->held)
                return refused ? "hold" : "hold-missing";
        if (facts_held(c, s->health_port, &plan)) {
                /* Refused without a record that says why: somebody must know. */
                s->held = true;
                s->hold = (Hold){ .by = "?",
                                  .reason = "the table inet " BLOCK_HOLD_TABLE
                                            " refuses it, but there is no record" };
                return "hold";
        }
        if (job)
                return standing_job_has(job, c->name) ? "job" : s->foreign ? "foreign" : "no";
        return facts_left_over(c, s->health_port) ? "leftover" : s->foreign ? "foreign" : "no";
}

/* How its last job ended, and whether it was let in since. */
static bool standing_not_readmitted(const Config *config, const Component *c, char *text, size_t size)
{
        char name[128];
        cJSON *o = NULL;
        (void) snprintf(name, sizeof(name), "last-%s.json", c->name);
        if (state_read(config->state_dir, name, &o, NULL, NULL) < 0)
                return false;
        bool still = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "not_readmitted"));
        cJSON_Delete(o);
        if (still)
                (void) snprintf(text, size,
                                "its checkers had not let it in again when its last restart ended; when they "
                                "do, `edge-roll undrain %s` says so",
                                c->name);
        return still;
}

static void standing_out(const Config *config, const Component *c, const Job *job, Standing *s)
{
        size_t size = sizeof(s->out_reason);
        s->out = true;
        if (job && job_placed(job, c->name))
                (void) snprintf(s->out_reason, size, "a %s of it runs, in phase %s", job_kind(job),
                                job_phase(job));
        else if (s->held)
                (void) snprintf(s->out_reason, size, "held, by %.100s: %.200s", s->hold.by, s->hold.reason);
        else if (strcmp(s->blocked, "no") != 0 && strcmp(s->blocked, "job") != 0)
                (void) snprintf(s->out_reason, size, "blocked: %.300s",
                                strcmp(s->blocked, "foreign") == 0
                                        ? "a rule of somebody else refuses its health port"
                                : strcmp(s->blocked, "leftover") == 0
                                        ? "a job whose agent is gone has left its block"
                                : *s->error ? s->error
                                            : "?");
        else if (!s->running)
                (void) snprintf(s->out_reason, size, "it is not running: nobody listens on %s",
                                s->health_port ? "its health port" : "a port that is known");
        else
                s->out = standing_not_readmitted(config, c, s->out_reason, size);
}

void standing_look(const Config *config, Conns *conns, const Component *component, const Job *job,
                   uint16_t port, bool foreign, Standing *ret)
{
        *ret = (Standing){ .health_port = port };
        if (!port)
                ret->health_port = component->health_port.automatic ? known_port(config, component)
                                                                    : component->health_port.ports[0];
        ret->running = ret->health_port && facts_listening(conns, &ret->health_port, 1, NULL, NULL) > 0;
        if (foreign)
                standing_foreign(ret);
        ret->blocked = standing_blocked(config, component, job, ret);
        standing_out(config, component, job, ret);
}
