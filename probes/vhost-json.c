/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/vhost-json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "probes/json.h"

int vhost_tls_parse(const cJSON *object, TlsUse *ret, Err *err)
{
        const cJSON *tls;
        char shown[80];
        int r = json_get(object, "sSLInfo", &tls, err);
        if (r < 0 || !tls)
                return r;
        if (!cJSON_IsObject(tls))
                return err_set(err, -EBADMSG, "\"sSLInfo\" is %s, expected an object",
                               json_show(tls, shown, sizeof(shown)));
        r = json_get_flag(tls, "enabled", &ret->enabled, err);
        if (r >= 0)
                r = json_get_flag(tls, "clientAuthEnabled", &ret->client_auth, err);
        if (r >= 0)
                r = json_get_text(tls, "keyStore", ret->key_store, sizeof(ret->key_store), err);
        if (r >= 0)
                r = json_get_text(tls, "keyAlias", ret->key_alias, sizeof(ret->key_alias), err);
        if (r >= 0)
                r = json_get_text(tls, "trustStore", ret->trust_store, sizeof(ret->trust_store), err);
        return r < 0 ? err_prefix(err, r, "sSLInfo") : 0;
}

/* "api.example.com:443" is api.example.com; an address in brackets stays as it is. */
static int vhost_add_alias(Vhost *v, const cJSON *alias, Err *err)
{
        char shown[80];
        const char *text = cJSON_GetStringValue(alias);
        if (!text || !*text || strlen(text) >= VHOST_NAME_SIZE || strpbrk(text, " \t\r\n/"))
                return err_set(err, -EBADMSG, "\"hostAliases\" holds %s, which is no host",
                               json_show(alias, shown, sizeof(shown)));
        size_t len = text[0] == '[' ? strlen(text) : strcspn(text, ":");
        v->aliases[v->n_aliases] = strndup(text, len);
        if (!v->aliases[v->n_aliases])
                return err_set(err, -ENOMEM, "Out of memory for a virtual host");
        v->n_aliases++;
        return 0;
}

static int vhost_aliases(Vhost *v, const cJSON *object, Err *err)
{
        const cJSON *list, *one;
        char shown[80];
        int r = json_get(object, "hostAliases", &list, err);
        if (r < 0)
                return r;
        if (list && !cJSON_IsArray(list))
                return err_set(err, -EBADMSG, "\"hostAliases\" is %s, expected an array",
                               json_show(list, shown, sizeof(shown)));
        int n = list ? cJSON_GetArraySize(list) : 0;
        if (n > VHOST_ALIASES_MAX)
                return err_set(err, -E2BIG, "\"hostAliases\" has %d names, at most %d are read", n,
                               VHOST_ALIASES_MAX);
        v->aliases = calloc((size_t) n + 1, sizeof(*v->aliases));
        if (!v->aliases)
                return err_set(err, -ENOMEM, "Out of memory for a virtual host");
        cJSON_ArrayForEach(one, list)
        {
                r = vhost_add_alias(v, one, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int vhost_port(Vhost *v, const cJSON *object, Err *err)
{
        const cJSON *port;
        char shown[80];
        int r = json_get(object, "port", &port, err);
        if (r < 0 || !port)
                return r;
        v->port = json_port(port);
        if (v->port == 0)
                return err_set(err, -EBADMSG, "\"port\" is %s, expected a port from 1 to 65535",
                               json_show(port, shown, sizeof(shown)));
        return 0;
}

int vhost_parse(const char *json, size_t len, Vhost **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *object = NULL;
        _cleanup_(vhost_freep) Vhost *v = calloc(1, sizeof(*v));
        char shown[80];

        if (!v)
                return err_set(err, -ENOMEM, "Out of memory for a virtual host");
        int r = json_open(json, len, VHOST_JSON_MAX, &object, err);
        if (r < 0)
                return r;
        if (!cJSON_IsObject(object))
                return err_set(err, -EBADMSG, "no virtual host but %s",
                               json_show(object, shown, sizeof(shown)));
        r = json_get_text(object, "name", v->name, sizeof(v->name), err);
        if (r >= 0 && !*v->name)
                return err_set(err, -EBADMSG, "no virtual host but %s: it has no \"name\"",
                               json_show(object, shown, sizeof(shown)));
        if (r >= 0)
                r = vhost_port(v, object, err);
        if (r >= 0)
                r = vhost_tls_parse(object, &v->tls, err);
        if (r >= 0)
                r = vhost_aliases(v, object, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

Vhost *vhost_free(Vhost *v)
{
        if (!v)
                return NULL;
        for (size_t i = 0; i < v->n_aliases; i++)
                free(v->aliases[i]);
        free(v->aliases);
        free(v);
        return NULL;
}

/* A name that a client can ask for, with labels only: an address is none. */
static bool is_host(const char *name)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
        Addr addr;
        return *name && *name != '.' && *name != '-' && strlen(name) <= VHOST_HOST_MAX &&
               strspn(name, allowed) == strlen(name) && !addr_parse(name, &addr);
}

bool vhost_server_name(const Vhost *v, char ret[VHOST_HOST_SIZE])
{
        ret[0] = '\0';
        for (size_t i = 0; i < v->n_aliases && !*ret; i++)
                if (is_host(v->aliases[i]))
                        (void) snprintf(ret, VHOST_HOST_SIZE, "%s", v->aliases[i]);
        for (size_t i = 0; i < v->n_aliases && !*ret; i++) {
                const char *name = v->aliases[i];
                if (strncmp(name, "*.", 2) == 0 && is_host(name + 2) &&
                    strlen(VHOST_ANY_LABEL) + strlen(name + 1) <= VHOST_HOST_MAX)
                        (void) snprintf(ret, VHOST_HOST_SIZE, VHOST_ANY_LABEL "%s", name + 1);
        }
        return *ret != '\0';
}
