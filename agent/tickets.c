/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/tickets.h"

#include <string.h>

#include "agent/state.h"
#include "probes/json.h"

#define PREFIX "ticket-"

static const char *record_of(const char *component, char *buf, size_t size)
{
        (void) snprintf(buf, size, PREFIX "%s.json", component);
        return buf;
}

static void get_text(const cJSON *o, const char *key, char *buf, size_t size)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        (void) snprintf(buf, size, "%s", text ? text : "");
}

static void ticket_load(const cJSON *o, Ticket *ret)
{
        char since[32];
        const cJSON *asked = cJSON_GetObjectItemCaseSensitive(o, "asked");
        *ret = (Ticket){ .asked = 1 };
        get_text(o, "component", ret->component, sizeof(ret->component));
        get_text(o, "by", ret->by, sizeof(ret->by));
        get_text(o, "who", ret->who, sizeof(ret->who));
        get_text(o, "reason", ret->reason, sizeof(ret->reason));
        get_text(o, "since", since, sizeof(since));
        ret->since_wall_usec = strtoull(since, NULL, 10);
        if (cJSON_IsNumber(asked) && asked->valuedouble >= 1 && asked->valuedouble < 1e9)
                ret->asked = (unsigned) asked->valuedouble;
}

int tickets_read(const char *state_dir, const char *component, Ticket *ret, Err *err)
{
        char name[128];
        cJSON *o = NULL;
        int r = state_read(state_dir, record_of(component, name, sizeof(name)), &o, NULL, err);
        if (r < 0 || !o)
                return r;
        ticket_load(o, ret);
        cJSON_Delete(o);
        return 1;
}

int tickets_put(const char *state_dir, const Ticket *ticket, Ticket *ret, bool *ret_new, Err *err)
{
        char name[128], since[32];
        Ticket t = *ticket, before;
        int r = tickets_read(state_dir, ticket->component, &before, NULL);
        *ret_new = r <= 0;
        if (r > 0) {
                before.asked++;
                t = before;
        } else
                t.asked = 1;
        (void) snprintf(since, sizeof(since), "%" PRIu64, t.since_wall_usec);
        cJSON *o = json_record();
        cJSON_AddStringToObject(o, "component", t.component);
        cJSON_AddStringToObject(o, "by", t.by);
        cJSON_AddStringToObject(o, "who", t.who);
        cJSON_AddStringToObject(o, "reason", t.reason);
        cJSON_AddStringToObject(o, "since", since);
        cJSON_AddNumberToObject(o, "asked", t.asked);
        r = state_write(state_dir, record_of(t.component, name, sizeof(name)), o, err);
        cJSON_Delete(o);
        if (r >= 0)
                *ret = t;
        return r;
}

int tickets_remove(const char *state_dir, const char *component, Err *err)
{
        char name[128];
        return state_remove(state_dir, record_of(component, name, sizeof(name)), err);
}

int tickets_next(const char *state_dir, TicketMayFn may, void *userdata, Ticket *ret, bool *ret_any)
{
        _cleanup_(state_list_freep) char **names = NULL;
        bool found = false;
        *ret_any = false;
        if (state_list(state_dir, PREFIX, &names, NULL) < 0)
                return 0;
        for (size_t i = 0; names[i]; i++) {
                cJSON *o = NULL;
                Ticket t;
                if (state_read(state_dir, names[i], &o, NULL, NULL) < 0 || !o)
                        continue;
                ticket_load(o, &t);
                cJSON_Delete(o);
                *ret_any = true;
                if ((found && t.since_wall_usec >= ret->since_wall_usec) || !may(&t, userdata))
                        continue;
                *ret = t;
                found = true;
        }
        return found;
}

bool tickets_unreadable(const char *state_dir, char *buf, size_t size)
{
        _cleanup_(state_list_freep) char **names = NULL;
        if (state_list(state_dir, PREFIX, &names, NULL) < 0)
                return false;
        for (size_t i = 0; names[i]; i++) {
                cJSON *o = NULL;
                Err err = { 0 };
                int r = state_read(state_dir, names[i], &o, NULL, &err);
                cJSON_Delete(o);
                if (r >= 0)
                        continue;
                (void) snprintf(
                        buf, size,
                        "a restart that was requested will not be made: %.300s; request it again (edge-roll "
                        "request), or delete that file",
                        err.text);
                return true;
        }
        return false;
}

bool tickets_over(Result result, bool aside)
{
        /* Behind `stop` it has been restarted, in a good or a bad end. */
        if (result == RESULT_DONE || result == RESULT_HELD || result == RESULT_NOT_READMITTED ||
            result == RESULT_FAILED)
                return true;
        return !aside;
}

cJSON *tickets_json(const char *state_dir)
{
        _cleanup_(state_list_freep) char **names = NULL;
        cJSON *list = cJSON_CreateArray();
        if (state_list(state_dir, PREFIX, &names, NULL) < 0)
                return list;
        for (size_t i = 0; names[i]; i++) {
                cJSON *o = NULL, *e;
                char stamp[32];
                Ticket t;
                if (state_read(state_dir, names[i], &o, NULL, NULL) < 0 || !o)
                        continue;
                ticket_load(o, &t);
                cJSON_Delete(o);
                e = cJSON_CreateObject();
                cJSON_AddStringToObject(e, "component", t.component);
                cJSON_AddStringToObject(e, "by", t.by);
                cJSON_AddStringToObject(e, "reason", t.reason);
                cJSON_AddStringToObject(e, "since", time_stamp(t.since_wall_usec, stamp, sizeof(stamp)));
                cJSON_AddNumberToObject(e, "asked", t.asked);
                json_append(list, e);
        }
        return list;
}
