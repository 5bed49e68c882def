/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/store-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probes/edge-json.h"
#include "probes/json.h"

static int store_open(const char *json, size_t len, const char *what, cJSON **ret, Err *err)
{
        char shown[80];
        int r = json_open(json, len, STORE_JSON_MAX, ret, err);
        if (r >= 0 && !cJSON_IsObject(*ret))
                r = err_set(err, -EBADMSG, "no %s but %s", what, json_show(*ret, shown, sizeof(shown)));
        return r;
}

/* A text that must be there. */
static int store_need(const cJSON *object, const char *key, const char *what, char *ret, size_t size,
                      Err *err)
{
        char shown[80];
        ret[0] = '\0';
        int r = json_get_text(object, key, ret, size, err);
        if (r >= 0 && !*ret)
                r = err_set(err, -EBADMSG, "no %s but %s: it has no \"%s\"", what,
                            json_show(object, shown, sizeof(shown)), key);
        return r;
}

int store_reference_parse(const char *json, size_t len, StoreReference *ret, Err *err)
{
        _cleanup_(json_closep) cJSON *object = NULL;
        StoreReference found = { 0 };

        int r = store_open(json, len, "reference", &object, err);
        if (r >= 0)
                r = store_need(object, "name", "reference", found.name, sizeof(found.name), err);
        if (r >= 0)
                r = store_need(object, "refers", "reference", found.refers, sizeof(found.refers), err);
        if (r >= 0)
                r = json_get_text(object, "resourceType", found.type, sizeof(found.type), err);
        if (r >= 0)
                *ret = found;
        return r < 0 ? r : 0;
}

static int store_list(const cJSON *object, const char *key, char ***ret, Err *err)
{
        const cJSON *list;
        int r = json_get(object, key, &list, err);
        if (r < 0)
                return r;
        if (!list)
                return edge_list_from_words("", ret, err);
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(list);
        if (!text)
                return err_set(err, -ENOMEM, "Out of memory for a keystore");
        r = edge_list_parse(text, strlen(text), ret, err);
        return r < 0 ? err_prefix(err, r, "%s", key) : 0;
}

int store_parse(const char *json, size_t len, Store **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *object = NULL;
        _cleanup_(store_freep) Store *s = calloc(1, sizeof(*s));

        if (!s)
                return err_set(err, -ENOMEM, "Out of memory for a keystore");
        int r = store_open(json, len, "keystore", &object, err);
        if (r >= 0)
                r = store_need(object, "name", "keystore", s->name, sizeof(s->name), err);
        if (r >= 0)
                r = store_list(object, "certs", &s->certs, err);
        if (r >= 0)
                r = store_list(object, "keys", &s->keys, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

Store *store_free(Store *s)
{
        if (!s)
                return NULL;
        edge_list_free(s->certs);
        edge_list_free(s->keys);
        free(s);
        return NULL;
}

StoreNaming store_naming(const char *text, const char **ret_name)
{
        *ret_name = text;
        if (!*text)
                return STORE_NONE;
        if (strchr(text, '{'))
                return STORE_BY_VARIABLE;
        if (strncmp(text, STORE_REF, strlen(STORE_REF)) != 0)
                return STORE_DIRECT;
        *ret_name = text + strlen(STORE_REF);
        return STORE_BY_REFERENCE;
}
