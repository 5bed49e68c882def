/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/config-seen.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "agent/bus.h"
#include "agent/state.h"
#include "base/text.h"
#include "probes/json.h"

/* As `edge-roll config --json` has it: {section: {key: {value, origin}}}. Return: NULL (out of memory). */
static char *config_text(const Config *config)
{
        char *text = NULL;
        size_t size;
        FILE *memory = text_open(&text, &size);
        int r = memory ? config_print(config, memory, CONFIG_JSON) : -ENOMEM;
        if (!memory || text_close(memory, &text) < 0)
                return NULL;
        if (r < 0) {
                free(text);
                return NULL;
        }
        return text;
}

static const char *text_of(const cJSON *o, const char *key)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        return text ? text : "";
}

/* What some file has set: {"[section] key": value}. */
static cJSON *config_set(const cJSON *whole)
{
        const cJSON *section, *entry;
        cJSON *o = cJSON_CreateObject();
        cJSON_ArrayForEach(section, whole)
        {
                cJSON_ArrayForEach(entry, section)
                {
                        char name[160];
                        const char *origin = text_of(entry, "origin");
                        if (!*origin || strcmp(origin, "default") == 0)
                                continue;
                        (void) snprintf(name, sizeof(name), "[%.60s] %.80s", section->string, entry->string);
                        cJSON_AddStringToObject(o, name, text_of(entry, "value"));
                }
        }
        return o;
}

static const char *origin_of(const cJSON *whole, const char *name)
{
        char section[64];
        size_t len = strcspn(name, "]");
        (void) snprintf(section, sizeof(section), "%.*s", (int) MIN(len - 1, sizeof(section) - 1), name + 1);
        return text_of(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(whole, section),
                                                        name + len + 2),
                       "origin");
}

static size_t add(char *buf, size_t size, size_t used, const char *name, const char *now, const char *before,
                  const char *origin)
{
        if (used >= size)
                return used;
        return used + (size_t) snprintf(buf + used, size - used, "%s%s = %.100s, was %.100s%s%s%s",
                                        used ? "; " : "", name, now ? now : "as by default",
                                        before ? before : "as by default", *origin ? " (" : "", origin,
                                        *origin ? ")" : "");
}

static void describe(const cJSON *now, const cJSON *before, const cJSON *whole, char *buf, size_t size)
{
        const cJSON *entry;
        size_t used = 0;
        buf[0] = '\0';
        cJSON_ArrayForEach(entry, now)
        {
                const cJSON *old = cJSON_GetObjectItemCaseSensitive(before, entry->string);
                if (!old || strcmp(cJSON_GetStringValue(old), entry->valuestring) != 0)
                        used = add(buf, size, used, entry->string, entry->valuestring,
                                   cJSON_GetStringValue(old), origin_of(whole, entry->string));
        }
        cJSON_ArrayForEach(entry, before)
        {
                if (!cJSON_GetObjectItemCaseSensitive(now, entry->string))
                        used = add(buf, size, used, entry->string, NULL, cJSON_GetStringValue(entry), "");
        }
        bus_clean(buf);
}

/* Somebody may have written anything into it. */
static bool is_plain(const cJSON *o)
{
        const cJSON *entry;
        if (!cJSON_IsObject(o))
                return false;
        cJSON_ArrayForEach(entry, o)
        {
                if (!cJSON_IsString(entry) || entry->string[0] != '[')
                        return false;
        }
        return true;
}

static cJSON *seen_read(const Config *config)
{
        cJSON *record = NULL;
        if (state_read(config->state_dir, CONFIG_SEEN, &record, NULL, NULL) < 0 || !record)
                return NULL;
        cJSON *set = cJSON_DetachItemFromObjectCaseSensitive(record, "set");
        cJSON_Delete(record);
        if (set && !is_plain(set)) {
                cJSON_Delete(set);
                return NULL;
        }
        return set;
}

static int seen_write(const Config *config, const cJSON *set)
{
        cJSON *record = json_record();
        json_put(record, "set", cJSON_Duplicate(set, true));
        int r = state_write(config->state_dir, CONFIG_SEEN, record, NULL);
        cJSON_Delete(record);
        return r;
}

void config_seen_done(ConfigSeen *seen)
{
        free(seen->text);
        cJSON_Delete(seen->set);
        *seen = (ConfigSeen){ 0 };
}

int config_seen(const Config *config, ConfigSeen *seen, char *buf, size_t size)
{
        (void) json_lost(); /* what was lost before is no matter of this */
        _cleanup_(freep) char *text = config_text(config);
        buf[0] = '\0';
        if (!text)
                return -ENOMEM;
        if (seen->text && strcmp(seen->text, text) == 0)
                return 0;
        cJSON *whole = cJSON_Parse(text), *now = whole ? config_set(whole) : NULL;
        /* What lacks something would be told as a change, by the next one as another. */
        if (json_lost() || !now) {
                cJSON_Delete(whole);
                cJSON_Delete(now);
                return -ENOMEM;
        }
        cJSON *before = seen->set ? seen->set : seen_read(config);
        bool same = before && cJSON_Compare(now, before, true);
        int r = same ? 0 : seen_write(config, now);

        if (before && !same)
                describe(now, before, whole, buf, size);
        cJSON_Delete(whole);
        cJSON_Delete(before);
        free(seen->text);
        *seen = (ConfigSeen){ .text = TAKE_PTR(text), .set = now };
        return r < 0 ? r : *buf ? 1 : 0;
}
