/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/hold.h"

#include <errno.h>
#include <string.h>

#include "agent/state.h"

static void jsonp(cJSON **json)
{
        cJSON_Delete(*json);
}

/* Bytes after which a record's name has no room for the rest. */
#define RECORD_NAME_SIZE (sizeof(HOLD_PREFIX) + sizeof(((Hold *) NULL)->component) + sizeof(".json"))

static int record_name(const char *component, char *ret, Err *err)
{
        size_t n = strlen(component);
        if (n == 0 || n >= sizeof(((Hold *) NULL)->component) ||
            strspn(component, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != n)
                return err_set(err, -EINVAL, "\"%s\" is not the name of a component", component);
        (void) snprintf(ret, RECORD_NAME_SIZE, HOLD_PREFIX "%s.json", component);
        return 0;
}

void hold_component(const char *name, char *ret, size_t size)
{
        size_t around = strlen(HOLD_PREFIX) + strlen(".json"), n = strlen(name);
        (void) snprintf(ret, size, "%.*s", n > around ? (int) (n - around) : 0, name + strlen(HOLD_PREFIX));
}

/* ---- the record ---- */

static bool ports_add(cJSON *record, const char *key, const uint16_t *ports, size_t n)
{
        cJSON *array = cJSON_AddArrayToObject(record, key);
        if (!array)
                return false;
        for (size_t i = 0; i < n; i++) {
                cJSON *port = cJSON_CreateNumber(ports[i]);
                if (!port || !cJSON_AddItemToArray(array, port)) {
                        cJSON_Delete(port);
                        return false;
                }
        }
        return true;
}

int hold_write(const char *state_dir, const Hold *hold, Err *err)
{
        char name[RECORD_NAME_SIZE];
        int r = record_name(hold->component, name, err);
        if (r < 0)
                return r;
        if (hold->plan.n_whole + hold->plan.n_syn == 0)
                return err_set(err, -EINVAL, "a hold of %s without a health port", hold->component);

        _cleanup_(jsonp) cJSON *record = cJSON_CreateObject();
        if (!record || !cJSON_AddStringToObject(record, "component", hold->component) ||
            !cJSON_AddStringToObject(record, "by", hold->by) ||
            !cJSON_AddStringToObject(record, "reason", hold->reason) ||
            !cJSON_AddNumberToObject(record, "since", (double) hold->since_wall_usec) ||
            !cJSON_AddNumberToObject(record, "until", (double) hold->until_wall_usec) ||
            !cJSON_AddBoolToObject(record, "by_hand", hold->by_hand) ||
            !ports_add(record, "whole_ports", hold->plan.whole_ports, hold->plan.n_whole) ||
            !ports_add(record, "syn_ports", hold->plan.syn_ports, hold->plan.n_syn))
                return err_set(err, -ENOMEM, "out of memory");
        return state_write(state_dir, name, record, err);
}

static bool text_get(const cJSON *record, const char *key, char *ret, size_t size)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, key));
        if (text)
                (void) snprintf(ret, size, "%s", text);
        return text;
}

static bool usec_get(const cJSON *record, const char *key, Usec *ret)
{
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(record, key);
        /* 2^53: above it a JSON number is no longer exact, and casting a huge one is undefined. */
        if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 9007199254740992.0))
                return false;
        *ret = (Usec) item->valuedouble;
        return true;
}

static bool ports_get(const cJSON *record, const char *key, uint16_t *ret, size_t *ret_n)
{
        const cJSON *array = cJSON_GetObjectItemCaseSensitive(record, key), *item;
        size_t n = 0;

        if (!cJSON_IsArray(array))
                return false;
        cJSON_ArrayForEach(item, array)
        {
                if (!cJSON_IsNumber(item) || n == BLOCK_PORTS_MAX ||
                    !(item->valuedouble >= 1 && item->valuedouble <= 65535) ||
                    item->valuedouble != (uint16_t) item->valuedouble)
                        return false;
                ret[n++] = (uint16_t) item->valuedouble;
        }
        *ret_n = n;
        return true;
}

int hold_read(const char *state_dir, const char *component, Hold *ret, bool *ret_found, Err *err)
{
        _cleanup_(jsonp) cJSON *record = NULL;
        char name[RECORD_NAME_SIZE];
        Hold hold = {};

        int r = record_name(component, name, err);
        if (r < 0 || (r = state_read(state_dir, name, &record, &hold.same_boot, err)) < 0)
                return r;
        if (!record) {
                *ret_found = false;
                return 0;
        }
        const cJSON *by_hand = cJSON_GetObjectItemCaseSensitive(record, "by_hand");
        if (!text_get(record, "component", hold.component, sizeof(hold.component)) ||
            strcmp(hold.component, component) != 0 || !text_get(record, "by", hold.by, sizeof(hold.by)) ||
            !text_get(record, "reason", hold.reason, sizeof(hold.reason)) ||
            !usec_get(record, "since", &hold.since_wall_usec) ||
            !usec_get(record, "until", &hold.until_wall_usec) || !cJSON_IsBool(by_hand) ||
            !ports_get(record, "whole_ports", hold.plan.whole_ports, &hold.plan.n_whole) ||
            !ports_get(record, "syn_ports", hold.plan.syn_ports, &hold.plan.n_syn) ||
            hold.plan.n_whole + hold.plan.n_syn == 0)
                return err_set(err, -EBADMSG, "%s/%s is damaged: not the record of a hold of %s", state_dir,
                               name, component);
        hold.by_hand = cJSON_IsTrue(by_hand);
        *ret = hold;
        *ret_found = true;
        return 0;
}

int hold_remove(const char *state_dir, const char *component, Err *err)
{
        char name[RECORD_NAME_SIZE];
        int r = record_name(component, name, err);
        return r < 0 ? r : state_remove(state_dir, name, err);
}

int hold_list(const char *state_dir, Hold **ret, size_t *ret_n, Err *err)
{
        _cleanup_(state_list_freep) char **names = NULL;
        size_t n = 0, n_names = 0;

        int r = state_list(state_dir, HOLD_PREFIX, &names, err);
        if (r < 0)
                return r;
        while (names[n_names])
                n_names++;
        _cleanup_(freep) Hold *holds = n_names ? calloc(n_names, sizeof(*holds)) : NULL;
        if (n_names && !holds)
                return err_set(err, -ENOMEM, "out of memory");
        for (char **name = names; *name; name++) {
                char component[256];
                bool found = false;
                hold_component(*name, component, sizeof(component));
                if ((r = hold_read(state_dir, component, &holds[n], &found, err)) < 0)
                        return err_prefix(err, r, "%s", *name);
                n += found;
        }
        *ret = TAKE_PTR(holds);
        *ret_n = n;
        return 0;
}
