/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>

#include "agent/state.h"
#include "probes/json.h"

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

static bool sources_add(cJSON *record, const Addr *from, size_t n)
{
        char text[ADDR_TEXT_SIZE];
        cJSON *array = cJSON_AddArrayToObject(record, "from");
        if (!array)
                return false;
        for (size_t i = 0; i < n; i++) {
                cJSON *source = cJSON_CreateString(addr_format(&from[i], text, sizeof(text)));
                if (!source || !cJSON_AddItemToArray(array, source)) {
                        cJSON_Delete(source);
                        return false;
                }
        }
        return true;
}

/* At least one port; and where sources belong to it, one of them. */
static bool plan_refuses(const BlockPlan *plan)
{
        return plan->n_whole + plan->n_syn + plan->n_from_ports > 0 &&
               (plan->n_from_ports == 0 || plan->n_from > 0);
}

bool hold_plan_from_config(const Component *component, BlockPlan *ret)
{
        BlockPlan plan = { 0 };
        Addr addr;

        if (component->health_port.automatic || component->health_port.n == 0)
                return false;
        const uint16_t port = component->health_port.ports[0];
        if (component->block == BLOCK_ROUTERS) {
                plan.from_ports[plan.n_from_ports++] = port;
                for (char *const *word = component->routers; *word; word++)
                        if (addr_parse(*word, &addr) && plan.n_from < BLOCK_FROM_MAX)
                                plan.from[plan.n_from++] = addr;
        } else if (component->block == BLOCK_WHOLE || component->kind == KIND_ROUTER)
                plan.whole_ports[plan.n_whole++] = port;
        else
                plan.syn_ports[plan.n_syn++] = port;
        *ret = plan;
        return plan_refuses(&plan);
}

bool hold_plan_from_job(const cJSON *record, const Component *component, BlockPlan *ret)
{
        const cJSON *port = cJSON_GetObjectItemCaseSensitive(record, "health_port"), *router;
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record, "block"));
        BlockKind block = block_kind_from_name(name);
        BlockPlan plan = { 0 };
        uint16_t number = 0;

        if (cJSON_IsNumber(port) && port->valuedouble >= 1 && port->valuedouble <= 65535)
                number = (uint16_t) port->valuedouble;
        else if (component && !component->health_port.automatic && component->health_port.n > 0)
                number = component->health_port.ports[0];
        if (number == 0)
                return false;
        if (block < 0 && component)
                block = component->block;
        if (block == BLOCK_AUTO && component && component->kind == KIND_ROUTER)
                block = BLOCK_WHOLE;
        cJSON_ArrayForEach(router,
                           cJSON_GetObjectItemCaseSensitive(
                                   record, "routers")) if (block == BLOCK_ROUTERS && cJSON_IsString(router) &&
                                                           plan.n_from < BLOCK_FROM_MAX &&
                                                           addr_parse(router->valuestring,
                                                                      &plan.from[plan.n_from])) plan.n_from++;
        if (plan.n_from > 0)
                plan.from_ports[plan.n_from_ports++] = number;
        else if (block == BLOCK_WHOLE || block == BLOCK_ROUTERS)
                plan.whole_ports[plan.n_whole++] = number; /* who the routers are is not known: everybody */
        else
                /* Refusing only new connections is right for any port that might carry traffic. */
                plan.syn_ports[plan.n_syn++] = number;
        /* The one it comes up with, where the restart changes it. */
        const cJSON *next = cJSON_GetObjectItemCaseSensitive(record, "next_health_port");
        if (plan.n_syn > 0 && cJSON_IsNumber(next) && next->valuedouble >= 1 && next->valuedouble <= 65535 &&
            next->valueint != number)
                plan.syn_ports[plan.n_syn++] = (uint16_t) next->valueint;
        *ret = plan;
        return true;
}

int hold_write(const char *state_dir, const Hold *hold, Err *err)
{
        char name[RECORD_NAME_SIZE];
        int r = record_name(hold->component, name, err);
        if (r < 0)
                return r;
        if (!plan_refuses(&hold->plan))
                return err_set(err, -EINVAL, "a hold of %s without a health port", hold->component);

        _cleanup_(jsonp) cJSON *record = json_record();
        if (!record || !cJSON_AddStringToObject(record, "component", hold->component) ||
            !cJSON_AddStringToObject(record, "by", hold->by) ||
            !cJSON_AddStringToObject(record, "who", hold->who) ||
            !cJSON_AddStringToObject(record, "reason", hold->reason) ||
            !cJSON_AddNumberToObject(record, "since", (double) hold->since_wall_usec) ||
            !cJSON_AddNumberToObject(record, "until", (double) hold->until_wall_usec) ||
            !cJSON_AddNumberToObject(record, "until_boot", (double) hold->until_boot_usec) ||
            !cJSON_AddBoolToObject(record, "by_hand", hold->by_hand) ||
            !ports_add(record, "whole_ports", hold->plan.whole_ports, hold->plan.n_whole) ||
            !ports_add(record, "syn_ports", hold->plan.syn_ports, hold->plan.n_syn) ||
            !ports_add(record, "from_ports", hold->plan.from_ports, hold->plan.n_from_ports) ||
            !sources_add(record, hold->plan.from, hold->plan.n_from))
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

static bool ports_get(const cJSON *record, const char *key, size_t max, uint16_t *ret, size_t *ret_n)
{
        const cJSON *array = cJSON_GetObjectItemCaseSensitive(record, key), *item;
        size_t n = 0;

        if (!cJSON_IsArray(array))
                return false;
        cJSON_ArrayForEach(item, array)
        {
                if (!cJSON_IsNumber(item) || n == max ||
                    !(item->valuedouble >= 1 && item->valuedouble <= 65535) ||
                    item->valuedouble != (uint16_t) item->valuedouble)
                        return false;
                ret[n++] = (uint16_t) item->valuedouble;
        }
        *ret_n = n;
        return true;
}

/* Records of before there were such ports have neither key. */
static bool from_get(const cJSON *record, BlockPlan *plan)
{
        const cJSON *array = cJSON_GetObjectItemCaseSensitive(record, "from"), *item;

        if (!cJSON_HasObjectItem(record, "from_ports") && !array)
                return true;
        if (!ports_get(record, "from_ports", BLOCK_FROM_PORTS, plan->from_ports, &plan->n_from_ports) ||
            !cJSON_IsArray(array))
                return false;
        cJSON_ArrayForEach(item, array)
        {
                if (!cJSON_IsString(item) || plan->n_from == BLOCK_FROM_MAX ||
                    !addr_parse(item->valuestring, &plan->from[plan->n_from++]))
                        return false;
        }
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
            !ports_get(record, "whole_ports", BLOCK_PORTS_MAX, hold.plan.whole_ports, &hold.plan.n_whole) ||
            !ports_get(record, "syn_ports", BLOCK_PORTS_MAX, hold.plan.syn_ports, &hold.plan.n_syn) ||
            !from_get(record, &hold.plan) || !plan_refuses(&hold.plan))
                return err_set(err, -EBADMSG, "%s/%s is damaged: not the record of a hold of %s", state_dir,
                               name, component);
        hold.by_hand = cJSON_IsTrue(by_hand);
        /* Records of before these were kept do not have them. */
        (void) text_get(record, "who", hold.who, sizeof(hold.who));
        if (!usec_get(record, "until_boot", &hold.until_boot_usec))
                hold.until_boot_usec = 0;
        *ret = hold;
        *ret_found = true;
        return 0;
}

Usec hold_left(const Hold *hold, Usec now_boot, Usec now_wall)
{
        if (!hold->until_wall_usec)
                return USEC_INFINITY;
        if (hold->same_boot && hold->until_boot_usec)
                return time_left(hold->until_boot_usec, now_boot);
        return time_left(hold->until_wall_usec, now_wall);
}

int hold_remove(const char *state_dir, const char *component, Err *err)
{
        char name[RECORD_NAME_SIZE];
        int r = record_name(component, name, err);
        return r < 0 ? r : state_remove(state_dir, name, err);
}

#define LOCK_NAME      "holds.lock"
#define LOCK_LOOK_MSEC 5

/* model: HOLD-LOCK */
int hold_lock(const char *state_dir, Usec limit_usec)
{
        char path[512];
        Usec until = time_now() + limit_usec;

        (void) snprintf(path, sizeof(path), "%.490s/" LOCK_NAME, state_dir);
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -1;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if ((errno != EWOULDBLOCK && errno != EINTR) || time_now() >= until)
                        return -1;
                (void) poll(NULL, 0, LOCK_LOOK_MSEC);
        }
        return TAKE_FD(fd);
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
