/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/hold.h"

#include <errno.h>
#include <stdarg.h>
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

/* hold-COMPONENT.json -> COMPONENT. */
static void record_component(const char *name, char *ret, size_t size)
{
        (void) snprintf(ret, size, "%.*s", (int) (strlen(name) - strlen(HOLD_PREFIX) - strlen(".json")),
                        name + strlen(HOLD_PREFIX));
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
                bool found;
                record_component(*name, component, sizeof(component));
                if ((r = hold_read(state_dir, component, &holds[n], &found, err)) < 0)
                        return err_prefix(err, r, "%s", *name);
                n += found;
        }
        *ret = TAKE_PTR(holds);
        *ret_n = n;
        return 0;
}

/* ---- edge-roll hold ---- */

/* One line; what stands in a record must not make two of it. */
static void say(FILE *to, const char *fmt, ...) _printf_(2, 3);
static void say(FILE *to, const char *fmt, ...)
{
        char text[640];
        Err line = {};
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        (void) err_set(&line, -EIO, "%s", text);
        (void) fprintf(to, "%s\n", line.text);
}

static void say_hold(const Hold *hold)
{
        char stamp[32], until[48] = "until somebody ends it", ports[1024] = "";
        size_t len = 0;

        for (size_t i = 0; i < hold->plan.n_whole; i++)
                len += (size_t) snprintf(ports + len, sizeof(ports) - len, " %u", hold->plan.whole_ports[i]);
        for (size_t i = 0; i < hold->plan.n_syn; i++)
                len += (size_t) snprintf(ports + len, sizeof(ports) - len, " %u", hold->plan.syn_ports[i]);
        if (hold->until_wall_usec)
                (void) snprintf(until, sizeof(until), "until %s",
                                time_stamp(hold->until_wall_usec, stamp, sizeof(stamp)));
        say(stdout, "%s is held, %s, ports%.120s: %s", hold->component, until, ports, hold->reason);
}

/* The plan that the configuration knows for a component. Return: false when it names no port. */
static bool plan_from_config(const Config *config, const char *component, Hold *ret)
{
        const Component *c = config_component(config, component);
        if (!c || c->health_port.automatic || c->health_port.n == 0)
                return false;
        *ret = (Hold){ .reason = "its record cannot be read, the ports are those of the configuration" };
        (void) snprintf(ret->component, sizeof(ret->component), "%.63s", component);
        uint16_t *ports = c->block == BLOCK_WHOLE ? ret->plan.whole_ports : ret->plan.syn_ports;
        memcpy(ports, c->health_port.ports, c->health_port.n * sizeof(*ports));
        *(c->block == BLOCK_WHOLE ? &ret->plan.n_whole : &ret->plan.n_syn) = c->health_port.n;
        return true;
}

typedef struct Records {
        Hold *holds; /* in force */
        size_t n;
        char **expired; /* names, owned by the list */
        size_t n_expired;
        bool damaged;   /* a record could not be read */
        bool unknown;   /* ... and the configuration does not know its ports either */
        bool this_boot; /* a record was written in this boot */
} Records;

static void records_done(Records *records)
{
        free(records->holds);
        free(records->expired);
}

static int records_read(const Config *config, char **names, Records *ret)
{
        size_t n_names = 0;
        while (names[n_names])
                n_names++;
        ret->holds = calloc(n_names + 1, sizeof(*ret->holds));
        ret->expired = calloc(n_names + 1, sizeof(*ret->expired));
        if (!ret->holds || !ret->expired)
                return -ENOMEM;

        Usec now = time_wall();
        for (char **name = names; *name; name++) {
                Hold *hold = &ret->holds[ret->n];
                char component[256];
                Err err = {};
                bool found;
                record_component(*name, component, sizeof(component));
                if (hold_read(config->state_dir, component, hold, &found, &err) < 0) {
                        say(stderr, "%s", err.text);
                        ret->damaged = true;
                        if (plan_from_config(config, component, hold))
                                ret->n++;
                        else
                                ret->unknown = true;
                } else if (found && hold->until_wall_usec && hold->until_wall_usec <= now) {
                        ret->expired[ret->n_expired++] = *name;
                } else if (found) {
                        ret->this_boot = ret->this_boot || hold->same_boot;
                        ret->n++;
                }
        }
        return 0;
}

static int table_put(const Records *records)
{
        _cleanup_(freep) BlockPlan *plans = calloc(records->n + 1, sizeof(*plans));
        Err err = {};

        if (!plans) {
                say(stderr, "out of memory");
                return 1;
        }
        for (size_t i = 0; i < records->n; i++)
                plans[i] = records->holds[i].plan;
        int r = records->n ? block_hold_put(plans, records->n, &err) : block_hold_remove(&err);
        if (r < 0) {
                say(stderr, "%s", err.text);
                return 1;
        }
        for (size_t i = 0; i < records->n; i++)
                say_hold(&records->holds[i]);
        if (records->n == 0)
                say(stdout, "nothing is held");
        return 0;
}

static int names_remove(const Config *config, char **names, size_t n, const char *why)
{
        int status = 0;

        for (size_t i = 0; i < n; i++) {
                Err err = {};
                if (state_remove(config->state_dir, names[i], &err) < 0) {
                        say(stderr, "%s", err.text);
                        status = 1;
                } else {
                        say(stdout, "%s removed: %s", names[i], why);
                }
        }
        return status;
}

static int hold_apply(const Config *config, char **names)
{
        _cleanup_(records_done) Records records = {};

        if (records_read(config, names, &records) < 0) {
                say(stderr, "out of memory");
                return 1;
        }
        /* The table may hold what a damaged record once said, and replacing it would open that. Only where
         * nothing of this boot was ever held can there be no such table. */
        if (records.unknown && (records.this_boot || records.n == 0)) {
                say(stderr, "the table is left as it is: a damaged record may stand for some of it");
                return 1;
        }
        int status = table_put(&records);
        if (status == 0)
                status = names_remove(config, records.expired, records.n_expired, "its time is over");
        return records.damaged ? 1 : status;
}

static int hold_clear(const Config *config, char **names)
{
        Err err = {};
        size_t n = 0;

        while (names[n])
                n++;
        /* Records last: as long as the table is there, something must say why. */
        if (block_hold_remove(&err) < 0) {
                say(stderr, "%s", err.text);
                return 1;
        }
        int status = names_remove(config, names, n, "the hold is ended");
        if (status == 0)
                say(stdout, "nothing is held");
        return status;
}

int hold_main(const Config *config, const char *what)
{
        _cleanup_(state_list_freep) char **names = NULL;
        Err err = {};
        bool apply = strcmp(what, "apply") == 0;

        if (!apply && strcmp(what, "remove") != 0) {
                say(stderr, "edge-roll hold: \"%s\" is neither apply nor remove", what);
                return 2;
        }
        if (state_list(config->state_dir, HOLD_PREFIX, &names, &err) < 0) {
                say(stderr, "%s", err.text);
                return 1;
        }
        return apply ? hold_apply(config, names) : hold_clear(config, names);
}
