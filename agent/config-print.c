/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration for people, and as JSON: each value with the place that it comes from. */

#include <cjson/cJSON.h>
#include <limits.h>
#include <string.h>

#include "agent/bound.h"
#include "agent/config-impl.h"
#include "base/addr.h"

typedef struct Printer {
        const Config *config;
        FILE *out;
        ConfigForm form;
        cJSON *json; /* NULL: text */
} Printer;

static int print_value(const Printer *p, cJSON *object, const char *section, const char *key,
                       const char *value, const char *what)
{
        char from[PATH_MAX + 16] = "default";
        const ConfigOrigin *o = config_origin_find(p->config, section, key);
        if (o)
                (void) snprintf(from, sizeof(from), "%s:%u", o->file, o->line);
        if (!p->json) {
                char line[64];
                (void) snprintf(line, sizeof(line), "%s =", key);
                (void) fprintf(p->out, "%-19s %-36s ; %s\n", line, value, from);
                return 0;
        }
        cJSON *entry = cJSON_AddObjectToObject(object, key);
        if (!entry || !cJSON_AddStringToObject(entry, "value", value) ||
            !cJSON_AddStringToObject(entry, "origin", from) ||
            !cJSON_AddStringToObject(entry, "meaning", what))
                return -ENOMEM;
        return 0;
}

/* What is shown is seen by more than those who may read the file. */
static int value_hide(char **value)
{
        size_t size = strlen(*value) + sizeof("***");
        char *shown = malloc(size);
        if (!shown)
                return -ENOMEM;
        (void) url_shown(*value, shown, size);
        free(*value);
        *value = shown;
        return 0;
}

static int print_section(const Printer *p, const char *section, const ConfigKey *keys, size_t n,
                         const void *base, const Component *component)
{
        cJSON *object = NULL;
        if (p->json) {
                object = cJSON_AddObjectToObject(p->json, section);
                if (!object)
                        return -ENOMEM;
        } else
                (void) fprintf(p->out, "[%s]\n", section);

        for (size_t i = 0; i < n; i++) {
                _cleanup_(freep) char *value = NULL;
                int r = config_field_format(&keys[i], base, &value);
                if (r == 0 && keys[i].may_have_user && p->form != CONFIG_KEPT)
                        r = value_hide(&value);
                if (r == 0)
                        r = print_value(p, object, section, keys[i].name, value, keys[i].what);
                if (r < 0)
                        return r;
        }
        for (int i = 0; component && i < PHASE_COUNT; i++) {
                if (!config_has_limit((Phase) i))
                        continue;
                char name[64], what[160];
                Component effective = { 0 };
                effective.limit_usec[i] = component_limit(component, (Phase) i);
                ConfigKey k = config_limit_key((Phase) i);
                _cleanup_(freep) char *value = NULL;
                (void) snprintf(name, sizeof(name), CONFIG_LIMIT_PREFIX "%s", phase_name((Phase) i));
                (void) snprintf(what, sizeof(what), "the longest the phase may take: %s",
                                phase_info((Phase) i)->what);
                int r = config_field_format(&k, &effective, &value);
                if (r == 0)
                        r = print_value(p, object, section, name, value, what);
                if (r < 0)
                        return r;
        }
        if (!p->json)
                (void) fputc('\n', p->out);
        return 0;
}

/* The longest a job of each kind may take with these limits. */
static int print_bounds(const Printer *p, const Component *c, cJSON *bounds)
{
        static const RollKind kinds[] = { ROLL_RESTART, ROLL_RESTART_HELD, ROLL_RESTART_NOW,
                                          ROLL_START,   ROLL_DRAIN,        ROLL_UNDRAIN };
        cJSON *object = bounds ? cJSON_AddObjectToObject(bounds, c->name) : NULL;
        char text[32];
        if (!p->json) {
                (void) fprintf(p->out, "; a restart of %s ends within %s, in a good or a bad end\n\n",
                               c->name, time_format(bound_usec(c, ROLL_RESTART), text, sizeof(text)));
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (!cJSON_AddNumberToObject(object, roll_kind_name(kinds[i]),
                                             time_sec(bound_usec(c, kinds[i]))))
                        return -ENOMEM;
        return 0;
}

int config_print(const Config *c, FILE *out, ConfigForm form)
{
        bool json = form == CONFIG_JSON;
        Printer p = { .config = c, .out = out, .form = form, .json = json ? cJSON_CreateObject() : NULL };
        int r = json && !p.json ? -ENOMEM : 0;

        for (size_t i = 0; r == 0 && i < config_n_sections; i++)
                r = print_section(&p, config_sections[i].name, config_sections[i].keys,
                                  config_sections[i].n_keys, c, NULL);
        for (size_t i = 0; r == 0 && i < c->n_components; i++) {
                char section[CONFIG_NAME_LEN + 16];
                (void) snprintf(section, sizeof(section), CONFIG_COMPONENT_SECTION "%s",
                                c->components[i].name);
                r = print_section(&p, section, config_component_keys, config_n_component_keys,
                                  &c->components[i], &c->components[i]);
                if (r == 0 && !json)
                        r = print_bounds(&p, &c->components[i], NULL);
        }
        cJSON *bounds = r == 0 && json ? cJSON_AddObjectToObject(p.json, "bounds") : NULL;
        for (size_t i = 0; r == 0 && json && i < c->n_components; i++)
                r = bounds ? print_bounds(&p, &c->components[i], bounds) : -ENOMEM;
        if (r == 0 && json) {
                _cleanup_(freep) char *text = cJSON_PrintUnformatted(p.json);
                r = text ? 0 : -ENOMEM;
                if (text)
                        (void) fprintf(out, "%s\n", text);
        }
        cJSON_Delete(p.json);
        return r == 0 && ferror(out) ? -EIO : r;
}
