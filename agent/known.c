/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/known.h"

#include "agent/state.h"
#include "probes/json.h"

#define DAY_SECONDS 86400.0
#define MAX_SECONDS 1e11 /* a time of day that a Usec can hold */

static const char *known_name(const Component *c, char *buf, size_t size)
{
        (void) snprintf(buf, size, "known-%s.json", c->name);
        return buf;
}

/* NULL when there is none, or one that cannot be read: what was learned can be learned again. */
static cJSON *known_read(const Config *config, const Component *component)
{
        char name[128];
        cJSON *o = NULL;
        if (state_read(config->state_dir, known_name(component, name, sizeof(name)), &o, NULL, NULL) < 0)
                return NULL;
        return o;
}

uint16_t known_port(const Config *config, const Component *component)
{
        cJSON *o = known_read(config, component);
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, "health_port");
        uint16_t port =
                cJSON_IsNumber(v) && v->valueint > 0 && v->valueint < 65536 ? (uint16_t) v->valueint : 0;
        cJSON_Delete(o);
        return port;
}

void known_checkers(const Config *config, const Component *component, Checkers *checkers)
{
        cJSON *o = known_read(config, component);
        const cJSON *v;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(o, "checkers"))
        {
                const cJSON *text = cJSON_GetObjectItemCaseSensitive(v, "address");
                const cJSON *interval = cJSON_GetObjectItemCaseSensitive(v, "interval");
                const cJSON *lanes = cJSON_GetObjectItemCaseSensitive(v, "checkers");
                Addr addr;
                if (cJSON_IsString(text) && addr_parse(text->valuestring, &addr) &&
                    cJSON_IsNumber(interval) && interval->valuedouble >= 0 &&
                    interval->valuedouble < DAY_SECONDS)
                        checkers_learned(checkers, &addr,
                                         (Usec) (interval->valuedouble * (double) USEC_PER_SEC),
                                         cJSON_IsNumber(lanes) && lanes->valueint > 0
                                                 ? (unsigned) lanes->valueint
                                                 : 1);
        }
        cJSON_Delete(o);
}

int known_write(const Config *config, const Component *component, uint16_t port, const Checkers *checkers,
                Err *err)
{
        char name[128], addr[ADDR_TEXT_SIZE];
        CheckerInfo info;
        cJSON *o = json_record(), *a = cJSON_AddArrayToObject(o, "checkers");

        for (size_t i = 0; checkers && checkers_get(checkers, i, &info); i++) {
                if (!info.awaited)
                        continue;
                cJSON *c = cJSON_CreateObject();
                cJSON_AddStringToObject(c, "address", addr_format(&info.addr, addr, sizeof(addr)));
                cJSON_AddNumberToObject(c, "interval", time_sec(info.interval_usec));
                cJSON_AddNumberToObject(c, "checkers", info.lanes);
                json_append(a, c);
        }
        cJSON_AddNumberToObject(o, "health_port", port);
        int r = o ? state_write(config->state_dir, known_name(component, name, sizeof(name)), o, err)
                  : err_set(err, -ENOMEM, "out of memory");
        cJSON_Delete(o);
        return r;
}

static const char *cut_name(const Component *c, char *buf, size_t size)
{
        (void) snprintf(buf, size, "cut-%s.json", c->name);
        return buf;
}

bool known_cut(const Config *config, const Component *component, KnownCut *ret)
{
        char name[128];
        cJSON *o = NULL;
        if (state_read(config->state_dir, cut_name(component, name, sizeof(name)), &o, NULL, NULL) < 0)
                return false;
        const cJSON *addr = cJSON_GetObjectItemCaseSensitive(o, "address");
        const cJSON *cut = cJSON_GetObjectItemCaseSensitive(o, "cut");
        const cJSON *in_flight = cJSON_GetObjectItemCaseSensitive(o, "in_flight");
        const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(o, "time");
        KnownCut k = { 0 };
        bool good = cJSON_IsString(addr) && addr_parse(addr->valuestring, &k.addr) && cJSON_IsNumber(cut) &&
                    cut->valueint > 0 && cJSON_IsNumber(in_flight) && in_flight->valueint > 0 &&
                    cJSON_IsNumber(seconds) && seconds->valuedouble > 0 && seconds->valuedouble < MAX_SECONDS;
        if (good) {
                k.cut = (unsigned) cut->valueint;
                k.in_flight = (unsigned) in_flight->valueint;
                k.wall_usec = (Usec) (seconds->valuedouble * (double) USEC_PER_SEC);
                *ret = k;
        }
        cJSON_Delete(o);
        return good;
}

int known_cut_write(const Config *config, const Component *component, const KnownCut *cut, Err *err)
{
        char name[128], addr[ADDR_TEXT_SIZE];

        cut_name(component, name, sizeof(name));
        if (!cut)
                return state_remove(config->state_dir, name, err);
        cJSON *o = json_record();
        cJSON_AddStringToObject(o, "address", addr_format(&cut->addr, addr, sizeof(addr)));
        cJSON_AddNumberToObject(o, "cut", cut->cut);
        cJSON_AddNumberToObject(o, "in_flight", cut->in_flight);
        cJSON_AddNumberToObject(o, "time", time_sec(cut->wall_usec));
        int r = o ? state_write(config->state_dir, name, o, err) : err_set(err, -ENOMEM, "out of memory");
        cJSON_Delete(o);
        return r;
}

static const char *before_name(const Component *c, char *buf, size_t size)
{
        (void) snprintf(buf, size, "before-%s.json", c->name);
        return buf;
}

Snapshot *known_before(const Config *config, const Component *component)
{
        char name[128];
        cJSON *o = NULL;
        Snapshot *before = NULL;
        if (state_read(config->state_dir, before_name(component, name, sizeof(name)), &o, NULL, NULL) < 0)
                return NULL;
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, "snapshot");
        if (!cJSON_IsString(v) || snapshot_from_json(v->valuestring, &before, NULL) < 0)
                before = NULL;
        cJSON_Delete(o);
        return before;
}

int known_before_write(const Config *config, const Component *component, const Snapshot *before, Err *err)
{
        char name[128];
        _cleanup_(freep) char *text = NULL;

        before_name(component, name, sizeof(name));
        if (!before)
                return state_remove(config->state_dir, name, err);
        if (snapshot_to_json(before, &text) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        cJSON *o = json_record();
        cJSON_AddStringToObject(o, "snapshot", text);
        int r = o ? state_write(config->state_dir, name, o, err) : err_set(err, -ENOMEM, "out of memory");
        cJSON_Delete(o);
        return r;
}
