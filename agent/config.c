/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/config.h"

#include <string.h>

#include "agent/config-impl.h"

/* The name's defaults for the two components that Edge has; others are called as their section. */
static const struct {
        const char *name;
        ComponentKind kind;
        const char *aliases, *service;
} built_in[] = {
        { "router", KIND_ROUTER, "", "edge-router" },
        { "message-processor", KIND_MP, "mp", "edge-message-processor" },
};

/* How far apart two short names are (Levenshtein), for "did you mean". */
static size_t name_distance(const char *a, const char *b)
{
        size_t row[64];
        size_t n = strlen(b);
        if (n >= ELEMENTS(row) || strlen(a) >= ELEMENTS(row))
                return SIZE_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t change = diagonal + (a[i - 1] != b[j - 1]);
                        diagonal = row[j];
                        row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[n];
}

typedef struct Nearest {
        const char *word;
        char best[64];
        size_t distance;
} Nearest;

static void nearest_try(Nearest *n, const char *candidate)
{
        size_t d = name_distance(n->word, candidate);
        /* Beyond a third of the word a proposal is a guess that misleads. */
        if (d <= 1 + strlen(n->word) / 3 && (!n->best[0] || d < n->distance)) {
                (void) snprintf(n->best, sizeof(n->best), "%s", candidate);
                n->distance = d;
        }
}

/* Sections and keys. */

static const char *component_of_section(const char *section)
{
        if (strncmp(section, CONFIG_COMPONENT_SECTION, strlen(CONFIG_COMPONENT_SECTION)) != 0)
                return NULL;
        return section + strlen(CONFIG_COMPONENT_SECTION);
}

static Component *component_by_name(Config *c, const char *name)
{
        for (size_t i = 0; i < c->n_components; i++)
                if (strcmp(c->components[i].name, name) == 0)
                        return &c->components[i];
        return NULL;
}

static int section_find(Config *c, const char *section, const ConfigKey **ret_keys, size_t *ret_n,
                        void **ret_base)
{
        for (size_t i = 0; i < config_n_sections; i++)
                if (strcmp(config_sections[i].name, section) == 0) {
                        *ret_keys = config_sections[i].keys;
                        *ret_n = config_sections[i].n_keys;
                        *ret_base = c;
                        return 0;
                }
        const char *name = component_of_section(section);
        if (!name)
                return -ENOENT;
        *ret_keys = config_component_keys;
        *ret_n = config_n_component_keys;
        *ret_base = component_by_name(c, name);
        return *ret_base ? 0 : -ENOENT;
}

/* From assignments to values. */

static int component_add(Config *c, const char *name, Err *err)
{
        char *copy = strdup(name);
        if (!copy)
                return err_errno(err, -ENOMEM, "configuration");
        c->components[c->n_components++] = (Component){ .name = copy, .kind = KIND_INVALID };
        return 0;
}

static int component_defaults(Component *p, Err *err)
{
        const char *aliases = "", *service = p->name;
        for (size_t i = 0; i < ELEMENTS(built_in); i++)
                if (strcmp(built_in[i].name, p->name) == 0) {
                        aliases = built_in[i].aliases;
                        service = built_in[i].service;
                }

        char units[2 * CONFIG_NAME_LEN + 64];
        (void) snprintf(units, sizeof(units), "%s.service edge-component@%s.service", service, service);
        for (size_t i = 0; i < config_n_component_keys; i++) {
                const ConfigKey *k = &config_component_keys[i];
                const char *value = k->value[p->kind];
                if (strcmp(k->name, "aliases") == 0)
                        value = aliases;
                else if (strcmp(k->name, "units") == 0)
                        value = units;
                else if (strcmp(k->name, "monit_check") == 0)
                        value = service;
                int r = config_field_set(k, p, value, err);
                if (r < 0)
                        return err_prefix(err, r, "default of %s", k->name);
        }
        return 0;
}

/* Which components there are, and of which kind: needed before any other key, because the kind decides the
 * defaults. */
static int components_find(Config *c, Err *err)
{
        for (size_t i = 0; i < ELEMENTS(built_in); i++) {
                int r = component_add(c, built_in[i].name, err);
                if (r < 0)
                        return r;
                c->components[i].kind = built_in[i].kind;
        }
        for (size_t i = 0; i < c->n_origins; i++) {
                const ConfigOrigin *o = &c->origins[i];
                const char *name = component_of_section(o->section);
                if (!name || component_by_name(c, name))
                        continue;
                if (!config_name_valid(name))
                        return err_set(
                                err, -EINVAL,
                                "%.200s:%u: [%.60s]: the name of a component has small letters, digits and "
                                "'-', at most %d",
                                o->file, o->line, o->section, CONFIG_NAME_LEN);
                if (c->n_components == CONFIG_COMPONENTS)
                        return err_set(err, -EINVAL, "%.200s:%u: more than %d components", o->file, o->line,
                                       CONFIG_COMPONENTS);
                int r = component_add(c, name, err);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < c->n_components; i++) {
                Component *p = &c->components[i];
                char section[CONFIG_NAME_LEN + 16];
                (void) snprintf(section, sizeof(section), CONFIG_COMPONENT_SECTION "%s", p->name);
                const ConfigOrigin *o = config_origin_find(c, section, "kind");
                if (o) {
                        ComponentKind kind = config_kind_from_name(o->value);
                        if (kind < 0)
                                return config_origin_error(o, err, "unknown value",
                                                           "router or message-processor");
                        p->kind = kind;
                }
                if (p->kind < 0) {
                        Nearest near = { .word = p->name };
                        o = config_origin_find(c, section, NULL);
                        for (size_t j = 0; j < ELEMENTS(built_in); j++)
                                nearest_try(&near, built_in[j].name);
                        return err_set(err, -EINVAL,
                                       "%.200s:%u: [%s]: a component of your own needs kind = router or "
                                       "message-processor%s%s%s",
                                       o->file, o->line, section,
                                       near.best[0] ? "; did you mean [component " : "", near.best,
                                       near.best[0] ? "]?" : "");
                }
                int r = component_defaults(p, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int section_unknown(const ConfigOrigin *o, Err *err)
{
        Nearest near = { .word = o->section };
        char known[64];
        for (size_t i = 0; i < config_n_sections; i++)
                nearest_try(&near, config_sections[i].name);
        for (size_t i = 0; i < ELEMENTS(built_in); i++) {
                Nearest bare = { .word = o->section };
                nearest_try(&bare, built_in[i].name);
                (void) snprintf(known, sizeof(known), CONFIG_COMPONENT_SECTION "%s", built_in[i].name);
                nearest_try(&near, known);
                if (bare.best[0])
                        (void) snprintf(near.best, sizeof(near.best), "%s", known);
        }
        return err_set(
                err, -EINVAL,
                "%.200s:%u: unknown section [%.60s]; known: [agent], [pool], [cluster], [targets], [monit], [component NAME]%s%s%s",
                o->file, o->line, o->section, near.best[0] ? "; did you mean [" : "", near.best,
                near.best[0] ? "]?" : "");
}

static int key_unknown(const ConfigOrigin *o, const ConfigKey *keys, size_t n, bool limits, Err *err)
{
        Nearest near = { .word = o->key };
        char name[64], elsewhere[128] = "";
        for (size_t i = 0; i < n; i++)
                nearest_try(&near, keys[i].name);
        for (int p = 0; limits && p < PHASE_COUNT; p++)
                if (config_has_limit((Phase) p)) {
                        (void) snprintf(name, sizeof(name), CONFIG_LIMIT_PREFIX "%s", phase_name((Phase) p));
                        nearest_try(&near, name);
                }
        for (size_t i = 0; i < config_n_sections; i++)
                for (size_t j = 0; j < config_sections[i].n_keys; j++)
                        if (strcmp(config_sections[i].keys[j].name, o->key) == 0)
                                (void) snprintf(elsewhere, sizeof(elsewhere), "; it is a key of [%s]",
                                                config_sections[i].name);
        for (size_t j = 0; j < config_n_component_keys; j++)
                if (strcmp(config_component_keys[j].name, o->key) == 0)
                        (void) snprintf(elsewhere, sizeof(elsewhere), "; it is a key of [component NAME]");
        if (!elsewhere[0] && near.best[0])
                (void) snprintf(elsewhere, sizeof(elsewhere), "; did you mean %s?", near.best);
        return err_set(err, -EINVAL, "%.200s:%u: [%.50s] has no key %.50s%s%s", o->file, o->line, o->section,
                       o->key, elsewhere, elsewhere[0] ? "" : " (edge-roll.conf(5) has the list)");
}

static int origin_apply(Config *c, const ConfigOrigin *o, Err *err)
{
        const ConfigKey *keys, *key = NULL;
        ConfigKey limit;
        size_t n;
        void *base;

        if (section_find(c, o->section, &keys, &n, &base) < 0)
                return section_unknown(o, err);
        if (!o->key)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (strcmp(keys[i].name, o->key) == 0)
                        key = &keys[i];
        if (!key && keys == config_component_keys &&
            strncmp(o->key, CONFIG_LIMIT_PREFIX, strlen(CONFIG_LIMIT_PREFIX)) == 0) {
                Phase phase = phase_from_name(o->key + strlen(CONFIG_LIMIT_PREFIX));
                if (config_has_limit(phase)) {
                        limit = config_limit_key(phase);
                        key = &limit;
                }
        }
        if (!key)
                return key_unknown(o, keys, n, keys == config_component_keys, err);

        Err why = { 0 };
        char accept[256];
        int r = config_field_set(key, base, o->value, &why);
        if (r == -EINVAL)
                return config_origin_error(o, err, why.text,
                                           config_field_accepted(key, accept, sizeof(accept)));
        return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

/* Where a complaint about @key of @p belongs; what comes from defaults alone is never wrong. */
static int component_error(const Config *c, const Component *p, const char *key, Err *err,
                           const char *problem)
{
        char section[CONFIG_NAME_LEN + 16];
        (void) snprintf(section, sizeof(section), CONFIG_COMPONENT_SECTION "%s", p->name);
        const ConfigOrigin *o = config_origin_find(c, section, key);
        if (!o)
                o = config_origin_find(c, section, NULL);
        if (!o)
                return err_set(err, -EINVAL, "[%s] %s: %s", section, key, problem);
        return err_set(err, -EINVAL, "%.200s:%u: [%s] %s: %s", o->file, o->line, section, key, problem);
}

static bool ports_have(const PortList *list, uint16_t port)
{
        for (size_t i = 0; i < list->n; i++)
                if (list->ports[i] == port)
                        return true;
        return false;
}

/* What no single key can say. */
static int component_check(const Config *c, const Component *p, Err *err)
{
        char text[160];
        if (p->health_port.automatic && p->kind == KIND_ROUTER)
                return component_error(
                        c, p, "health_port", err,
                        "auto is the tag http.port of a message processor; a router needs a number");
        uint16_t health = p->health_port.n ? p->health_port.ports[0] : 0;
        bool whole = p->block == BLOCK_WHOLE || p->block == BLOCK_ROUTERS;
        if (health && whole && ports_have(&p->traffic_ports, health)) {
                (void) snprintf(
                        text, sizeof(text),
                        "port %u carries traffic (traffic_ports): refused whole it would cut requests off; "
                        "set block = syn",
                        health);
                return component_error(c, p, "block", err, text);
        }
        if (p->kind == KIND_ROUTER && p->mp_leave != MP_LEAVE_BLOCK)
                return component_error(c, p, "mp_leave", err, "a router can only leave by block");
        for (size_t i = 0; i < p->traffic_ports.n; i++)
                if (ports_have(&p->other_ports, p->traffic_ports.ports[i])) {
                        (void) snprintf(text, sizeof(text), "port %u is in other_ports, too",
                                        p->traffic_ports.ports[i]);
                        return component_error(c, p, "traffic_ports", err, text);
                }
        const Component *partner = *p->partner ? config_component(c, p->partner) : NULL;
        if (*p->partner && (p->kind != KIND_ROUTER || !partner || partner->kind != KIND_MP)) {
                (void) snprintf(text, sizeof(text), "\"%.60s\": %s", p->partner,
                                p->kind != KIND_ROUTER
                                        ? "only a router has a partner"
                                        : "no component of kind message-processor is called so");
                return component_error(c, p, "partner", err, text);
        }
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *q = &c->components[i];
                for (size_t a = 0; p->aliases[a]; a++) {
                        bool taken = strcmp(q->name, p->aliases[a]) == 0;
                        for (size_t b = 0; q != p && q->aliases[b]; b++)
                                taken = taken || strcmp(q->aliases[b], p->aliases[a]) == 0;
                        if (taken) {
                                (void) snprintf(text, sizeof(text), "\"%s\" is the name of component %s",
                                                p->aliases[a], q->name);
                                return component_error(c, p, "aliases", err, text);
                        }
                }
        }
        return 0;
}

static int plain_defaults(Config *c, Err *err)
{
        for (size_t i = 0; i < config_n_sections; i++)
                for (size_t j = 0; j < config_sections[i].n_keys; j++) {
                        const ConfigKey *k = &config_sections[i].keys[j];
                        int r = config_field_set(k, c, k->value[0], err);
                        if (r < 0)
                                return err_prefix(err, r, "default of %s", k->name);
                }
        return 0;
}

int config_load(Config **ret, const char *file, const char *dir, Err *err)
{
        _cleanup_(config_freep) Config *c = calloc(1, sizeof(*c));
        if (!c)
                return err_errno(err, -ENOMEM, "configuration");
        int r = plain_defaults(c, err);
        if (r == 0)
                r = config_read_file(c, file ? file : CONFIG_FILE, err);
        if (r == 0)
                r = config_read_dir(c, dir ? dir : CONFIG_DIR, err);
        if (r == 0)
                r = components_find(c, err);
        for (size_t i = 0; r == 0 && i < c->n_origins; i++)
                r = origin_apply(c, &c->origins[i], err);
        for (size_t i = 0; r == 0 && i < c->n_components; i++)
                r = component_check(c, &c->components[i], err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* How many refer to it is no part of what it says. */
static Config *config_counted(const Config *c)
{
        return (Config *) (uintptr_t) c;
}

const Config *config_ref(const Config *c)
{
        config_counted(c)->n_more++;
        return c;
}

void config_unref(const Config *c)
{
        (void) config_free(config_counted(c));
}

Config *config_free(Config *c)
{
        if (!c)
                return NULL;
        if (c->n_more > 0) {
                c->n_more--;
                return NULL;
        }
        for (size_t i = 0; i < config_n_sections; i++)
                for (size_t j = 0; j < config_sections[i].n_keys; j++)
                        config_field_free(&config_sections[i].keys[j], c);
        for (size_t i = 0; i < c->n_components; i++) {
                for (size_t j = 0; j < config_n_component_keys; j++)
                        config_field_free(&config_component_keys[j], &c->components[i]);
                free(c->components[i].name);
        }
        for (size_t i = 0; i < c->n_origins; i++) {
                free(c->origins[i].section);
                free(c->origins[i].key);
                free(c->origins[i].value);
                free(c->origins[i].file);
        }
        free(c->origins);
        free(c);
        return NULL;
}

const Component *config_component(const Config *c, const char *name)
{
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *p = &c->components[i];
                if (strcmp(p->name, name) == 0)
                        return p;
                for (size_t a = 0; p->aliases[a]; a++)
                        if (strcmp(p->aliases[a], name) == 0)
                                return p;
        }
        return NULL;
}

const Component *config_rmp(const Config *c, const Component **ret_partner)
{
        for (size_t i = 0; i < c->n_components; i++) {
                const Component *partner = config_component(c, c->components[i].partner);
                if (!partner)
                        continue;
                if (ret_partner)
                        *ret_partner = partner;
                return &c->components[i];
        }
        return NULL;
}

bool config_was_set(const Config *c, const Component *component, const char *key)
{
        char section[CONFIG_NAME_LEN + 16];
        (void) snprintf(section, sizeof(section), CONFIG_COMPONENT_SECTION "%s", component->name);
        return config_origin_find(c, section, key) != NULL;
}

Usec component_limit(const Component *c, Phase phase)
{
        if (!config_has_limit(phase))
                return 0;
        if (c->limit_usec[phase])
                return c->limit_usec[phase];
        if (phase == PHASE_WATCH)
                return c->watch_max_usec;
        if (phase == PHASE_DRAIN)
                return c->drain_max_usec;
        return phase_info(phase)->limit_usec;
}
