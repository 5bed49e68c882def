/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/edge-json.h"

#include <errno.h>
#include <string.h>

#include "base/words.h"
#include "probes/json.h"

static bool edge_is_visible(const char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s >= 0x7f)
                        return false;
        return true;
}

static int edge_bad(const char *key, const cJSON *value, const char *expected, Err *err)
{
        char shown[80];
        return err_set(err, -EBADMSG, "\"%s\" is %s, expected %s", key,
                       json_show(value, shown, sizeof(shown)), expected);
}

static int edge_get_bool(const cJSON *self, const char *key, bool *ret, bool *ret_has, Err *err)
{
        const cJSON *value;
        int r = json_get(self, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsBool(value))
                return edge_bad(key, value, "true or false", err);
        *ret = cJSON_IsTrue(value);
        *ret_has = true;
        return 0;
}

static void edge_add_type(EdgeSelf *self, const char *type)
{
        if (strcmp(type, "router") == 0)
                self->is_router = true;
        else if (strcmp(type, "message-processor") == 0)
                self->is_mp = true;
}

static int edge_get_type(const cJSON *self, EdgeSelf *ret, Err *err)
{
        const cJSON *type, *one;
        int r = json_get(self, "type", &type, err);
        if (r < 0 || !type)
                return r;
        if (cJSON_IsString(type)) {
                edge_add_type(ret, type->valuestring);
                return 0;
        }
        if (!cJSON_IsArray(type))
                return edge_bad("type", type, "an array of strings or a string", err);
        cJSON_ArrayForEach(one, type)
        {
                if (!cJSON_IsString(one))
                        return edge_bad("type", type, "an array of strings or a string", err);
                edge_add_type(ret, one->valuestring);
        }
        return 0;
}

static int edge_get_http_port(const cJSON *self, uint16_t *ret, Err *err)
{
        const cJSON *tags, *properties, *tag, *name, *value;

        int r = json_get(self, "tags", &tags, err);
        if (r < 0 || !tags)
                return r;
        if (!cJSON_IsObject(tags))
                return edge_bad("tags", tags, "an object", err);
        r = json_get(tags, "property", &properties, err);
        if (r < 0 || !properties)
                return r;
        if (!cJSON_IsArray(properties))
                return edge_bad("tags.property", properties, "an array", err);

        cJSON_ArrayForEach(tag, properties)
        {
                if (!cJSON_IsObject(tag))
                        return edge_bad("tags.property", tag, "objects with name and value in it", err);
                r = json_get(tag, "name", &name, err);
                if (r < 0)
                        return err_prefix(err, r, "tags.property");
                if (!name || !cJSON_IsString(name))
                        return edge_bad("tags.property", tag, "objects with name and value in it", err);
                if (strcmp(name->valuestring, "http.port") != 0)
                        continue;

                r = json_get(tag, "value", &value, err);
                if (r < 0)
                        return err_prefix(err, r, "http.port");
                uint16_t port = value ? json_port(value) : 0;
                if (port == 0)
                        return edge_bad("http.port", value ? value : tag, "a port from 1 to 65535", err);
                if (*ret != 0 && *ret != port)
                        return err_set(err, -EBADMSG, "\"http.port\" is both %u and %u", *ret, port);
                *ret = port;
        }
        return 0;
}

int edge_self_parse(const char *json, size_t len, EdgeSelf *ret, Err *err)
{
        _cleanup_(json_closep) cJSON *self = NULL;
        EdgeSelf found = { 0 };

        int r = json_open(json, len, EDGE_JSON_MAX, &self, err);
        if (r < 0)
                return r;
        if (!cJSON_IsObject(self))
                return edge_bad("server", self, "an object", err);

        r = json_get_text(self, "uUID", found.uuid, sizeof(found.uuid), err);
        if (r >= 0 && found.uuid[strspn(found.uuid, "0123456789-_."
                                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")])
                r = err_set(err, -EBADMSG, "\"uUID\" is \"%s\", expected letters, digits and '-'",
                            found.uuid);
        if (r >= 0)
                r = json_get_text(self, "region", found.region, sizeof(found.region), err);
        if (r >= 0)
                r = json_get_text(self, "pod", found.pod, sizeof(found.pod), err);
        if (r >= 0)
                r = edge_get_bool(self, "isUp", &found.is_up, &found.has_is_up, err);
        if (r >= 0)
                r = edge_get_bool(self, "reachable", &found.reachable, &found.has_reachable, err);
        if (r >= 0)
                r = edge_get_type(self, &found, err);
        if (r >= 0)
                r = edge_get_http_port(self, &found.http_port, err);
        if (r < 0)
                return r;
        *ret = found;
        return 0;
}

bool edge_name_ok(const char *name)
{
        size_t len = strnlen(name, EDGE_NAME_MAX + 1);
        return len > 0 && len <= EDGE_NAME_MAX && edge_is_visible(name) && strcmp(name, ".") != 0 &&
               strcmp(name, "..") != 0;
}

static int edge_list_item(const cJSON *item, char **ret, Err *err)
{
        const cJSON *name = item;
        char number[32], shown[80];
        const char *text;

        if (cJSON_IsObject(item)) {
                int r = json_get(item, "name", &name, err);
                if (r < 0)
                        return r;
        }
        if (name && cJSON_IsString(name))
                text = name->valuestring;
        else if (name && cJSON_IsNumber(name) && name->valuedouble >= 0 && name->valuedouble <= INT32_MAX &&
                 (double) (int32_t) name->valuedouble == name->valuedouble) {
                (void) snprintf(number, sizeof(number), "%d", (int32_t) name->valuedouble);
                text = number;
        } else
                return err_set(err, -EBADMSG, "The list holds %s, which is no name",
                               json_show(item, shown, sizeof(shown)));
        if (strlen(text) > EDGE_NAME_MAX)
                return err_set(err, -E2BIG, "The list holds a name of %zu bytes, at most %d are allowed",
                               strlen(text), EDGE_NAME_MAX);
        if (!edge_name_ok(text))
                return err_set(err, -EBADMSG, "The list holds %s, which cannot be a name",
                               json_show(name, shown, sizeof(shown)));
        *ret = strdup(text);
        return *ret ? 0 : err_set(err, -ENOMEM, "Out of memory for a list of names");
}

static int edge_compare_names(const void *a, const void *b)
{
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Sort @list of @n names and drop the duplicates. */
static void edge_list_sort(char **list, size_t n)
{
        size_t kept = 0;

        qsort(list, n, sizeof(*list), edge_compare_names);
        for (size_t i = 0; i < n; i++) {
                char *name = TAKE_PTR(list[i]);
                if (kept > 0 && strcmp(list[kept - 1], name) == 0)
                        free(name);
                else
                        list[kept++] = name;
        }
}

static int edge_list_new(size_t size, char ***ret, Err *err)
{
        if (size > EDGE_LIST_MAX)
                return err_set(err, -E2BIG, "A list of %zu names, at most %d are allowed", size,
                               EDGE_LIST_MAX);
        char **list = calloc(size + 1, sizeof(char *));
        if (!list)
                return err_set(err, -ENOMEM, "Out of memory for a list of names");
        *ret = list;
        return 0;
}

int edge_list_parse(const char *json, size_t len, char ***ret, Err *err)
{
        _cleanup_(json_closep) cJSON *array = NULL;
        _cleanup_(edge_list_freep) char **list = NULL;
        const cJSON *item;
        size_t n = 0;
        char shown[80];

        int r = json_open(json, len, EDGE_JSON_MAX, &array, err);
        if (r < 0)
                return r;
        if (!cJSON_IsArray(array))
                return err_set(err, -EBADMSG, "%s is no list of names",
                               json_show(array, shown, sizeof(shown)));
        r = edge_list_new((size_t) cJSON_GetArraySize(array), &list, err);
        if (r < 0)
                return r;
        cJSON_ArrayForEach(item, array)
        {
                r = edge_list_item(item, &list[n], err);
                if (r < 0)
                        return r;
                n++;
        }
        edge_list_sort(list, n);
        *ret = TAKE_PTR(list);
        return 0;
}

int edge_list_from_words(const char *words, char ***ret, Err *err)
{
        _cleanup_(edge_list_freep) char **list = NULL;
        _cleanup_(words_freep) Words split = NULL;
        size_t n = 0;

        int r = words_split(words, &split);
        if (r < 0)
                return err_set(err, r, "Out of memory for a list of names");
        while (split[n])
                n++;
        r = edge_list_new(n, &list, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (!edge_name_ok(split[i]))
                        return err_set(
                                err, -EINVAL,
                                "\"%.80s\" cannot be the name of an organisation, environment or proxy",
                                split[i]);
                list[i] = strdup(split[i]);
                if (!list[i])
                        return err_set(err, -ENOMEM, "Out of memory for a list of names");
        }
        edge_list_sort(list, n);
        *ret = TAKE_PTR(list);
        return 0;
}

char **edge_list_free(char **list)
{
        for (char **p = list; p && *p; p++)
                free(*p);
        free(list);
        return NULL;
}

bool edge_up_is_true(const char *body, size_t len)
{
        static const char blanks[] = " \t\r\n";

        while (len > 0 && memchr(blanks, body[len - 1], sizeof(blanks) - 1))
                len--;
        while (len > 0 && memchr(blanks, *body, sizeof(blanks) - 1)) {
                body++;
                len--;
        }
        return len == 4 && memcmp(body, "true", 4) == 0;
}
