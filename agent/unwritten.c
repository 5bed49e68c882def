/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/unwritten.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agent/facts.h"
#include "agent/journal.h"
#include "agent/known.h"

static size_t unwritten_at(const Unwritten *u, const char *component)
{
        size_t i = 0;
        while (i < u->n && strcmp(u->holds[i].component, component) != 0)
                i++;
        return i;
}

const Hold *unwritten_get(const Unwritten *u, const char *component)
{
        size_t at = unwritten_at(u, component);
        return at < u->n ? &u->holds[at] : NULL;
}

bool unwritten_has(const Unwritten *u, const char *component)
{
        return unwritten_get(u, component);
}

void unwritten_add(Unwritten *u, const Hold *hold)
{
        size_t at = unwritten_at(u, hold->component);
        if (at == u->n) {
                Hold *holds = realloc(u->holds, (u->n + 1) * sizeof(*holds));
                if (!holds) {
                        journal_log(LOG_ERR, JOURNAL_AGENT, NULL,
                                    "%s is held without a record, and out of memory: none is written later",
                                    hold->component);
                        return;
                }
                u->holds = holds;
                u->n++;
        }
        u->holds[at] = *hold;
}

void unwritten_drop(Unwritten *u, const char *component)
{
        size_t at = unwritten_at(u, component);
        if (at < u->n)
                u->holds[at] = u->holds[--u->n];
}

/* One that cannot be read is one: it counts for whoever makes the table. */
static bool recorded(const Config *config, const char *component)
{
        Hold hold;
        bool found = true;
        return hold_read(config->state_dir, component, &hold, &found, NULL) < 0 || found;
}

void unwritten_find(Unwritten *u, const Config *config, const char *except)
{
        for (size_t i = 0; i < config->n_components; i++) {
                const Component *c = &config->components[i];
                uint16_t port = c->health_port.automatic ? known_port(config, c) : c->health_port.ports[0];
                Hold hold = { .by = "?",
                              .reason = "it was refused, and had no record",
                              .since_wall_usec = time_wall(),
                              .same_boot = true };
                if (strcmp(c->name, except) == 0 || unwritten_has(u, c->name) || recorded(config, c->name) ||
                    !facts_held(c, port, &hold.plan))
                        continue;
                (void) snprintf(hold.component, sizeof(hold.component), "%.63s", c->name);
                unwritten_add(u, &hold);
        }
}

/* Somebody may have ended it meanwhile, who takes the table away first. */
static bool unwritten_over(const Config *config, const Hold *hold)
{
        bool refused = false;
        return recorded(config, hold->component) ||
               (block_hold_read(&hold->plan, &refused, NULL, NULL) == 0 && !refused);
}

void unwritten_write(Unwritten *u, const Config *config, const char *except)
{
        for (size_t i = u->n; i-- > 0;) {
                if (except && strcmp(u->holds[i].component, except) == 0)
                        continue;
                bool over = unwritten_over(config, &u->holds[i]);
                if (!over && hold_write(config->state_dir, &u->holds[i], NULL) < 0)
                        continue;
                u->unit_due = u->unit_due || !over;
                u->holds[i] = u->holds[--u->n];
        }
}

void unwritten_done(Unwritten *u)
{
        free(u->holds);
        *u = (Unwritten){ 0 };
}
