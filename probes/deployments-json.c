/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/deployments-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/json.h"

typedef struct DeploymentNames {
        const char *proxy, *environment, *revision;
} DeploymentNames;

static int deployments_odd(const cJSON *value, const char *what, Err *err)
{
        char shown[100];
        return err_set(err, -EBADMSG, "%s is %s", what, json_show(value, shown, sizeof(shown)));
}

Deployments *deployments_free(Deployments *d)
{
        if (!d)
                return NULL;
        for (size_t i = 0; i < d->n; i++)
                free(d->rows[i].servers);
        free(d->rows);
        free(d);
        return NULL;
}

/* ---- servers ---- */

static int server_types(const cJSON *object, DeployedOn *s, Err *err)
{
        const cJSON *type, *one;
        int r = json_get(object, "type", &type, err);
        if (r < 0 || !type)
                return r;
        if (!cJSON_IsArray(type) && !cJSON_IsString(type))
                return deployments_odd(type, "\"type\" of a server", err);
        if (cJSON_IsString(type)) {
                s->is_router = strcmp(type->valuestring, "router") == 0;
                s->is_mp = strcmp(type->valuestring, "message-processor") == 0;
                return 0;
        }
        cJSON_ArrayForEach(one, type)
        {
                const char *word = cJSON_GetStringValue(one);
                s->is_router = s->is_router || (word && strcmp(word, "router") == 0);
                s->is_mp = s->is_mp || (word && strcmp(word, "message-processor") == 0);
        }
        return 0;
}

static bool is_word(const char *text, const char *word)
{
        return strcasecmp(text, word) == 0;
}

static bool is_wish(const char *state)
{
        return is_word(state, "deployed") || is_word(state, "undeployed");
}

static DeployedStand server_stand(const char *state, const char *status)
{
        if (is_word(state, "error"))
                return is_word(status, "error")      ? DEPLOYED_BAD
                       : is_word(status, "deployed") ? DEPLOYED_GOOD
                                                     : DEPLOYED_UNKNOWN;
        if (!is_wish(state) || !*status || is_word(status, "pending"))
                return DEPLOYED_UNKNOWN;
        return is_word(status, state) ? DEPLOYED_GOOD : DEPLOYED_BAD;
}

static int server_read(const cJSON *object, const char *state, DeployedOn *s, Err *err)
{
        if (!cJSON_IsObject(object))
                return deployments_odd(object, "A server of a deployment", err);
        int r = json_get_text(object, "uUID", s->uuid, sizeof(s->uuid), err);
        if (r >= 0)
                r = json_get_text(object, "status", s->status, sizeof(s->status), err);
        if (r >= 0)
                r = server_types(object, s, err);
        if (r < 0)
                return err_prefix(err, r, "A server of a deployment");
        (void) snprintf(s->error, sizeof(s->error), "%s", json_text(object, "error"));
        for (char *c = s->error; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
        s->stand = server_stand(state, s->status);
        return 0;
}

static int row_servers(const cJSON *object, Deployment *row, Err *err)
{
        const cJSON *list, *one;
        int r = json_get(object, "server", &list, err);
        if (r < 0 || !list)
                return r;
        if (!cJSON_IsArray(list))
                return deployments_odd(list, "\"server\"", err);
        int n = cJSON_GetArraySize(list);
        if (n > DEPLOYMENTS_SERVERS_MAX)
                return err_set(err, -E2BIG, "A deployment on %d servers, at most %d are read", n,
                               DEPLOYMENTS_SERVERS_MAX);
        row->servers = calloc((size_t) n + 1, sizeof(*row->servers));
        if (!row->servers)
                return err_set(err, -ENOMEM, "Out of memory for deployments");
        cJSON_ArrayForEach(one, list)
        {
                DeployedOn *s = &row->servers[row->n_servers++];
                r = server_read(one, row->state, s, err);
                if (r < 0)
                        return r;
                row->n_bad += s->stand == DEPLOYED_BAD;
                row->n_unknown += s->stand == DEPLOYED_UNKNOWN;
        }
        return 0;
}

/* ---- rows ---- */

static int row_name(char *buf, size_t size, const char *name, const char *what, Err *err)
{
        if (!name || !*name)
                return err_set(err, -EBADMSG, "A deployment that does not say its %s", what);
        if (strlen(name) >= size)
                return err_set(err, -EBADMSG, "A deployment whose %s has %zu characters", what, strlen(name));
        (void) snprintf(buf, size, "%s", name);
        return 0;
}

/* Room for one more. There is room up to a power of two: many rows are not copied for each of them. */
static int rows_grow(Deployments *d, Err *err)
{
        if ((d->n & (d->n - 1)) != 0)
                return 0;
        Deployment *rows = reallocarray(d->rows, d->n > 0 ? d->n * 2 : 1, sizeof(*rows));
        if (!rows)
                return err_set(err, -ENOMEM, "Out of memory for deployments");
        d->rows = rows;
        return 0;
}

/* @object has the servers and the state. */
static int deployments_add(Deployments *d, const cJSON *object, const DeploymentNames *names, Err *err)
{
        Deployment row = { 0 };

        if (!cJSON_IsObject(object))
                return deployments_odd(object, "A deployment", err);
        if (d->n == DEPLOYMENTS_ROWS_MAX)
                return err_set(err, -E2BIG, "More than %d deployments", DEPLOYMENTS_ROWS_MAX);
        int r = row_name(row.proxy, sizeof(row.proxy), names->proxy, "proxy", err);
        if (r >= 0)
                r = row_name(row.environment, sizeof(row.environment), names->environment, "environment",
                             err);
        if (r >= 0)
                r = row_name(row.revision, sizeof(row.revision), names->revision, "revision", err);
        if (r >= 0)
                r = json_get_text(object, "state", row.state, sizeof(row.state), err);
        if (r >= 0)
                r = row_servers(object, &row, err);
        row.settled = is_wish(row.state) || row.n_bad > 0;
        if (r >= 0)
                r = rows_grow(d, err);
        if (r < 0) {
                free(row.servers);
                return r;
        }
        d->rows[d->n++] = row;
        return 0;
}

bool deployment_serves(const Deployment *d)
{
        bool serves = is_word(d->state, "deployed");
        for (size_t i = 0; i < d->n_servers && !serves; i++)
                serves = is_word(d->servers[i].status, "deployed");
        return serves;
}

/* A number or a string: revisions are written both ways. */
static const char *name_of(const cJSON *value, char *buf, size_t size)
{
        const char *text = cJSON_GetStringValue(value);
        if (text || !cJSON_IsNumber(value))
                return text;
        (void) snprintf(buf, size, "%.0f", value->valuedouble);
        return buf;
}

/* The members "environment" or "revision" of one proxy: each has a name, and it is the missing one. */
static int deployments_each(Deployments *d, const cJSON *list, bool revisions, DeploymentNames names,
                            Err *err)
{
        const cJSON *one;
        char number[32];
        int r = 0;
        cJSON_ArrayForEach(one, list)
        {
                const cJSON *name = cJSON_GetObjectItemCaseSensitive(one, "name");
                const char *text = name_of(name, number, sizeof(number));
                if (revisions)
                        names.revision = text;
                else
                        names.environment = text;
                r = deployments_add(d, one, &names, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int deployments_proxies(Deployments *d, const cJSON *list, const char *environment, Err *err)
{
        const cJSON *one, *revisions;
        cJSON_ArrayForEach(one, list)
        {
                DeploymentNames names = { .proxy = json_text(one, "name"), .environment = environment };
                if (!cJSON_IsObject(one))
                        return deployments_odd(one, "A member of \"aPIProxy\"", err);
                int r = json_get(one, "revision", &revisions, err);
                if (r >= 0 && revisions && !cJSON_IsArray(revisions))
                        r = deployments_odd(revisions, "\"revision\"", err);
                if (r >= 0)
                        r = deployments_each(d, revisions, true, names, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int deployments_read(Deployments *d, const cJSON *object, const char *asked, Err *err)
{
        const cJSON *proxy, *environment, *revision, *name;
        char number[32];

        int r = json_get(object, "aPIProxy", &proxy, err);
        if (r >= 0)
                r = json_get(object, "environment", &environment, err);
        if (r >= 0)
                r = json_get(object, "revision", &revision, err);
        if (r >= 0)
                r = json_get(object, "name", &name, err);
        if (r < 0)
                return r;
        if (cJSON_IsArray(proxy))
                return deployments_proxies(d, proxy, cJSON_IsString(name) ? name->valuestring : asked, err);
        DeploymentNames names = { .proxy = cJSON_GetStringValue(proxy) };
        if (!names.proxy && cJSON_IsArray(revision)) {
                /* of one proxy in one environment: its own name is the proxy's */
                names.proxy = cJSON_GetStringValue(name);
                names.environment = asked;
                return deployments_each(d, revision, true, names, err);
        }
        if (cJSON_IsArray(environment)) {
                names.revision = name_of(revision ? revision : name, number, sizeof(number));
                return deployments_each(d, environment, false, names, err);
        }
        if (cJSON_IsArray(revision)) {
                const char *own = cJSON_GetStringValue(environment);
                names.environment = own ? own : asked;
                return deployments_each(d, revision, true, names, err);
        }
        if (names.proxy && cJSON_IsString(environment)) {
                names.environment = environment->valuestring;
                names.revision = name_of(revision ? revision : name, number, sizeof(number));
                return deployments_add(d, object, &names, err);
        }
        return deployments_odd(object, "What should be a list of deployments", err);
}

int deployments_parse(const char *json, size_t len, const char *environment, Deployments **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *object = NULL;
        _cleanup_(deployments_freep) Deployments *d = calloc(1, sizeof(*d));

        if (!d)
                return err_set(err, -ENOMEM, "Out of memory for deployments");
        int r = json_open_large(json, len, DEPLOYMENTS_MAX, DEPLOYMENTS_VALUES_MAX, &object, err);
        if (r < 0)
                return r;
        if (!cJSON_IsObject(object))
                return deployments_odd(object, "What should be a list of deployments", err);
        r = deployments_read(d, object, environment, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}
