/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A roll's first line in its journal: what was asked for and of whom, so that another process can go on. */

#include "agent/cluster/coordinator-impl.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "probes/json.h"

static void add_text(cJSON *o, const char *key, const char *value)
{
        if (value && *value)
                cJSON_AddStringToObject(o, key, value);
}

static void add_true(cJSON *o, const char *key, bool value)
{
        if (value)
                cJSON_AddBoolToObject(o, key, true);
}

cJSON *coord_options_json(const CliRequest *rq)
{
        const CliCluster *cl = &rq->cluster;
        cJSON *o = cJSON_CreateObject();
        add_text(o, "reason", rq->reason);
        add_text(o, "persistent", rq->persistent < 0 ? NULL : persistent_name(rq->persistent));
        add_text(o, "at_cap", rq->at_cap < 0 ? NULL : at_cap_name(rq->at_cap));
        add_text(o, "mp_leave", rq->mp_leave < 0 ? NULL : mp_leave_name(rq->mp_leave));
        add_text(o, "router_retry", rq->router_retry);
        add_true(o, "start", rq->start);
        add_true(o, "now", rq->now);
        add_true(o, "if_needed", rq->if_needed);
        add_true(o, "allow_outage", cl->allow_outage);
        add_text(o, "region", cl->region);
        add_text(o, "pod", cl->pod);
        add_text(o, "nodes", cl->nodes);
        add_text(o, "inventory", cl->inventory);
        add_text(o, "management", cl->management);
        add_text(o, "limit", cl->limit);
        add_text(o, "exclude", cl->exclude);
        add_text(o, "since", cl->since);
        cJSON_AddNumberToObject(o, "max_unavailable", cl->max_unavailable);
        add_true(o, "max_unavailable_percent", cl->max_unavailable_percent);
        cJSON_AddNumberToObject(o, "max_failures", cl->max_failures);
        if (cl->soak_given) {
                cJSON_AddNumberToObject(o, "soak_low", time_sec(cl->soak_low_usec));
                cJSON_AddNumberToObject(o, "soak_high", time_sec(cl->soak_high_usec));
        }
        cJSON *overrides = cJSON_AddArrayToObject(o, "overrides");
        for (size_t i = 0; i < cl->n_overrides; i++)
                json_append(overrides, cJSON_CreateString(cl->overrides[i]));
        return o;
}

static const char *get_text(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        return cJSON_IsString(v) && *v->valuestring ? v->valuestring : NULL;
}

static double get_number(const cJSON *o, const char *key)
{
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
        return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 1e9 ? v->valuedouble : 0;
}

static bool get_true(const cJSON *o, const char *key)
{
        return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, key));
}

void coord_options_from_json(const cJSON *o, CliRequest *rq)
{
        CliCluster *cl = &rq->cluster;
        const cJSON *v;
        rq->reason = get_text(o, "reason");
        rq->persistent = persistent_from_name(get_text(o, "persistent"));
        rq->at_cap = at_cap_from_name(get_text(o, "at_cap"));
        rq->mp_leave = mp_leave_from_name(get_text(o, "mp_leave"));
        rq->router_retry = get_text(o, "router_retry");
        rq->start = get_true(o, "start");
        rq->now = get_true(o, "now");
        rq->if_needed = get_true(o, "if_needed");
        cl->allow_outage = get_true(o, "allow_outage");
        cl->region = get_text(o, "region");
        cl->pod = get_text(o, "pod");
        cl->nodes = get_text(o, "nodes");
        cl->inventory = get_text(o, "inventory");
        cl->management = get_text(o, "management");
        cl->since = get_text(o, "since");
        cl->max_unavailable = (unsigned) get_number(o, "max_unavailable");
        cl->max_unavailable_percent = get_true(o, "max_unavailable_percent");
        cl->max_failures = (unsigned) get_number(o, "max_failures");
        cl->soak_given = cJSON_GetObjectItemCaseSensitive(o, "soak_low") != NULL;
        cl->soak_low_usec = (Usec) (get_number(o, "soak_low") * (double) USEC_PER_SEC);
        cl->soak_high_usec = (Usec) (get_number(o, "soak_high") * (double) USEC_PER_SEC);
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(o, "overrides")) if (cJSON_IsString(v) &&
                                                                                    cl->n_overrides <
                                                                                            CLI_OVERRIDES_MAX)
                cl->overrides[cl->n_overrides++] = v->valuestring;
}

static void add_pools(const Coord *c, cJSON *o)
{
        cJSON *pools = cJSON_AddArrayToObject(o, "pools");
        for (size_t i = 0; i < c->plan->n_pools; i++) {
                const PlanPool *p = &c->plan->pools[i];
                cJSON *pool = cJSON_CreateObject(), *members = NULL;
                cJSON_AddStringToObject(pool, "name", p->name);
                cJSON_AddStringToObject(pool, "component", p->component);
                members = cJSON_AddArrayToObject(pool, "members");
                for (size_t m = 0; m < p->n_members; m++)
                        json_append(members, cJSON_CreateString(p->members[m].uuid));
                json_append(pools, pool);
        }
}

static const PlanMember *member_of(const Coord *c, size_t node, const PlanPool **ret_pool)
{
        for (size_t i = 0; i < c->plan->n_pools; i++)
                for (size_t m = 0; m < c->plan->pools[i].n_members; m++)
                        if (c->plan->pools[i].members[m].node == node) {
                                *ret_pool = &c->plan->pools[i];
                                return &c->plan->pools[i].members[m];
                        }
        return NULL;
}

static const PlanStep *step_of(const Coord *c, size_t node)
{
        for (size_t i = 0; i < c->plan->n_steps; i++)
                if (c->plan->steps[i].node == node)
                        return &c->plan->steps[i];
        return NULL;
}

void coord_add_who(cJSON *o)
{
        char by[128], host[256] = "";
        const struct passwd *pw = getpwuid(getuid());
        (void) snprintf(by, sizeof(by), "uid %u (%.60s)", (unsigned) getuid(), pw ? pw->pw_name : "?");
        (void) gethostname(host, sizeof(host) - 1);
        cJSON_AddStringToObject(o, "by", by);
        cJSON_AddStringToObject(o, "host", host);
        cJSON_AddNumberToObject(o, "pid", getpid());
}

const PlanSkip *coord_left_out(const Coord *c, size_t node)
{
        for (size_t i = 0; c->plan && i < c->plan->n_skips; i++)
                if (c->plan->skips[i].failed && (node == PLAN_NONE || c->plan->skips[i].node == node))
                        return &c->plan->skips[i];
        return NULL;
}

static void add_list(cJSON *o, const char *key, const PlanOnly *servers, size_t n)
{
        if (!servers)
                return;
        cJSON *list = cJSON_AddArrayToObject(o, key);
        for (size_t i = 0; i < n; i++) {
                cJSON *row = cJSON_CreateObject();
                cJSON_AddStringToObject(row, "component", servers[i].component);
                cJSON_AddStringToObject(row, "uuid", servers[i].uuid);
                cJSON_AddStringToObject(row, "name", servers[i].name);
                json_append(list, row);
        }
}

/* @ret: NULL when there is no such list. */
static int get_list(const cJSON *o, const char *key, PlanOnly **ret, size_t *ret_n, Err *err)
{
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(o, key), *row;
        if (!cJSON_IsArray(list))
                return 0;
        *ret = calloc((size_t) cJSON_GetArraySize(list) + 1, sizeof(**ret));
        if (!*ret)
                return err_set(err, -ENOMEM, "out of memory");
        cJSON_ArrayForEach(row, list)
        {
                PlanOnly *only = &(*ret)[(*ret_n)++];
                const char *component = get_text(row, "component"), *uuid = get_text(row, "uuid"),
                           *name = get_text(row, "name");
                (void) snprintf(only->component, sizeof(only->component), "%s", component ? component : "");
                (void) snprintf(only->uuid, sizeof(only->uuid), "%s", uuid ? uuid : "");
                (void) snprintf(only->name, sizeof(only->name), "%s", name ? name : "");
        }
        return 0;
}

int coord_lists_from_record(Coord *c, const RollRecord *record, Err *err)
{
        const cJSON *first = cJSON_GetArrayItem(record->events, 0);
        int r = get_list(first, "only", &c->only, &c->plan_options.n_only, err);
        if (r >= 0)
                r = get_list(first, "needed", &c->needed, &c->plan_options.n_needed, err);
        c->plan_options.only = c->only;
        c->plan_options.needed = c->needed;
        c->needed_unknown = get_true(first, "needed_unknown");
        return r;
}

cJSON *coord_roll_json(const Coord *c)
{
        cJSON *o = roll_log_event("roll");
        cJSON_AddStringToObject(o, "what", "restart");
        cJSON_AddStringToObject(o, "component", c->plan_options.component);
        coord_add_who(o);
        cJSON_AddStringToObject(o, "reason", c->rq->reason ? c->rq->reason : "");
        json_put(o, "options", coord_options_json(c->rq));
        add_pools(c, o);
        add_list(o, "only", c->plan_options.only, c->plan_options.n_only);
        add_list(o, "needed", c->plan_options.needed, c->plan_options.n_needed);
        add_true(o, "needed_unknown", c->needed_unknown);
        if (c->proof)
                cJSON_AddNumberToObject(o, "proofs", (double) c->proof->n);
        cJSON *nodes = cJSON_AddArrayToObject(o, "nodes");
        for (size_t i = 0; i < c->nodes->n; i++) {
                const Node *node = &c->nodes->nodes[i];
                const PlanPool *pool = NULL;
                const PlanMember *member = member_of(c, i, &pool);
                const PlanStep *step = step_of(c, i);
                cJSON *n = cJSON_CreateObject();
                cJSON_AddStringToObject(n, "name", node->name);
                cJSON_AddStringToObject(n, "dest", node->host ? node->host : node->name);
                add_text(n, "user", node->user);
                add_text(n, "bridge", node->bridge);
                add_text(n, "key", node->key);
                if (node->port)
                        cJSON_AddNumberToObject(n, "port", node->port);
                add_text(n, "pool", pool ? pool->name : NULL);
                add_text(n, "uuid", member ? member->uuid : NULL);
                add_text(n, "component", step ? step->component : NULL);
                cJSON_AddBoolToObject(n, "selected", step || coord_left_out(c, i));
                json_append(nodes, n);
        }
        return o;
}

int coord_nodes_from_record(Nodes **ret, const RollRecord *record, Err *err)
{
        _cleanup_(nodes_freep) Nodes *nodes = NULL;
        char source[200];
        const cJSON *v, *first = cJSON_GetArrayItem(record->events, 0);
        (void) snprintf(source, sizeof(source), "the journal of roll %.100s", record->id);
        int r = nodes_new(&nodes, source, err);
        if (r < 0)
                return r;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(first, "nodes"))
        {
                const char *name = get_text(v, "name");
                if (!name)
                        return err_set(err, -EBADMSG, "the journal of roll %.100s has a node without a name",
                                       record->id);
                if ((r = nodes_add_member(nodes, name, err)) < 0)
                        return r;
                Node *node = &nodes->nodes[nodes->n - 1];
                const char *dest = get_text(v, "dest"), *user = get_text(v, "user"),
                           *bridge = get_text(v, "bridge"), *key = get_text(v, "key");
                if ((dest && !inventory_host_ok(dest)) || (user && !inventory_user_ok(user)) ||
                    (key && !inventory_key_ok(key)) || (bridge && !inventory_bridge_ok(bridge)))
                        return err_set(
                                err, -EBADMSG,
                                "the journal of roll %.100s names no host, user, key or bridge that ssh can be "
                                "given for %.100s",
                                record->id, name);
                uint64_t port = 0;
                if ((r = json_get_whole(v, "port", UINT16_MAX, &port, err)) < 0)
                        return err_prefix(err, r, "the journal of roll %.100s, %.100s", record->id, name);
                free(node->host);
                free(node->user);
                free(node->bridge);
                free(node->key);
                node->host = strdup(dest ? dest : name);
                node->user = user ? strdup(user) : NULL;
                node->bridge = bridge ? strdup(bridge) : NULL;
                node->key = key ? strdup(key) : NULL;
                node->port = (uint16_t) port;
                node->selected = get_true(v, "selected");
                if (!node->host || (user && !node->user) || (bridge && !node->bridge) || (key && !node->key))
                        return err_set(err, -ENOMEM, "out of memory");
        }
        *ret = TAKE_PTR(nodes);
        return 0;
}

/* ---- other rolls ---- */

/* The first of @ids that may be in the way; @ret: how it stands, NULL when that cannot be read. */
static const char *coord_other(const Coord *c, const char *dir, char **ids, RollRecord **ret)
{
        for (size_t i = 0; ids[i]; i++) {
                *ret = roll_record_free(*ret);
                if (strcmp(ids[i], c->id) == 0 ||
                    (roll_log_read(dir, ids[i], ret, NULL) == 0 && (*ret)->running && c->log))
                        continue;
                return ids[i];
        }
        return NULL;
}

bool coord_is_alone(Coord *c)
{
        _cleanup_(freep) char *dir = NULL;
        Err err = { 0 };
        int r = c->record ? 0 : roll_log_dir(c->config->cluster_journal_dir, &dir, &err);
        for (size_t i = 0; dir && i < c->plan->n_pools && r >= 0; i++) {
                _cleanup_(roll_ids_freep) char **ids = NULL;
                _cleanup_(roll_record_freep) RollRecord *record = NULL;
                const char *pool = c->plan->pools[i].name;
                char hint[300];
                /* Of a pool whose name nobody could say nothing can be said. */
                if (!*pool)
                        continue;
                r = roll_log_unfinished(dir, pool, &ids, &err);
                const char *id = r < 0 || !ids ? NULL : coord_other(c, dir, ids, &record);
                if (!id)
                        continue;
                if (record && record->running) {
                        char text[400];
                        (void) snprintf(text, sizeof(text), "roll %s of pool %s is being run (%s)", id, pool,
                                        record->by);
                        if (time_now() < c->wait_until)
                                coord_wait(c, COORD_AGAIN_USEC, text);
                        else
                                coord_end(c, RESULT_BUSY, "wait for it with --wait", "%s", text);
                        return false;
                }
                (void) snprintf(hint, sizeof(hint), "edge-roll resume %s\n  edge-roll resume %s --give-up",
                                id, id);
                coord_end(c, RESULT_REFUSED, hint,
                          "roll %s of pool %s has not ended: go on with it, or give it up", id, pool);
                return false;
        }
        if (r < 0)
                coord_end(c, RESULT_REFUSED, "", "%s", err.text);
        return r >= 0;
}
