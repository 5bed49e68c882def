/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* Counts without parsing; what is not JSON at all is left to cJSON to refuse. */
static int json_check_bounds(const char *text, size_t len, size_t max_values, Err *err)
{
        size_t depth = 0, values = 1;
        bool in_string = false;

        for (size_t i = 0; i < len; i++) {
                if (in_string) {
                        if (text[i] == '\\')
                                i++;
                        else if (text[i] == '"')
                                in_string = false;
                        continue;
                }
                switch (text[i]) {
                case '"':
                        in_string = true;
                        break;
                case '[':
                case '{':
                        depth++;
                        values++;
                        break;
                case ']':
                case '}':
                        depth -= depth > 0;
                        break;
                case ',':
                        values++;
                        break;
                default:
                        break;
                }
                if (depth > JSON_DEPTH_MAX)
                        return err_set(err, -E2BIG, "JSON nested deeper than %d levels", JSON_DEPTH_MAX);
                if (values > max_values)
                        return err_set(err, -E2BIG, "JSON with more than %zu values", max_values);
        }
        return 0;
}

int json_open(const char *text, size_t len, size_t max_bytes, cJSON **ret, Err *err)
{
        return json_open_large(text, len, max_bytes, JSON_VALUES_MAX, ret, err);
}

int json_open_large(const char *text, size_t len, size_t max_bytes, size_t max_values, cJSON **ret, Err *err)
{
        if (len > max_bytes)
                return err_set(err, -E2BIG, "JSON of %zu bytes, more than %zu are not read", len, max_bytes);
        if (memchr(text, '\0', len))
                return err_set(err, -EBADMSG, "Not JSON: a NUL byte in it");

        int r = json_check_bounds(text, len, max_values, err);
        if (r < 0)
                return r;

        /* cJSON_ParseWithLength() would need no copy, but is younger than RHEL 8's cJSON. */
        _cleanup_(freep) char *copy = strndup(text, len);
        if (!copy)
                return err_set(err, -ENOMEM, "Out of memory for JSON of %zu bytes", len);
        const char *end = copy;
        /* cJSON says only that it failed; malloc() says why. */
        errno = 0;
        cJSON *json = cJSON_ParseWithOpts(copy, &end, true);
        if (!json && errno == ENOMEM)
                return err_set(err, -ENOMEM, "Out of memory for JSON of %zu bytes", len);
        if (!json) {
                char near[24];
                (void) snprintf(near, sizeof(near), "%s", end);
                for (char *p = near; *p; p++)
                        if ((unsigned char) *p >= 0x7f)
                                *p = '?';
                return err_set(err, -EBADMSG, "Not JSON: byte %zu of %zu, at \"%s\"", (size_t) (end - copy),
                               len, near);
        }
        *ret = json;
        return 0;
}

cJSON *json_object(const char *text, size_t max_bytes)
{
        cJSON *o = NULL;

        if (!text || json_open(text, strnlen(text, max_bytes + 1), max_bytes, &o, NULL) < 0)
                return NULL;
        if (!cJSON_IsObject(o)) {
                cJSON_Delete(o);
                return NULL;
        }
        return o;
}

int json_get(const cJSON *object, const char *key, const cJSON **ret, Err *err)
{
        const cJSON *member, *found = NULL;

        cJSON_ArrayForEach(member, object)
        {
                if (!member->string || strcmp(member->string, key) != 0)
                        continue;
                if (found)
                        return err_set(err, -EBADMSG, "\"%s\" is there more than once", key);
                found = member;
        }
        *ret = found && !cJSON_IsNull(found) ? found : NULL;
        return 0;
}

static bool json_is_visible(const char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s >= 0x7f)
                        return false;
        return true;
}

int json_get_text(const cJSON *object, const char *key, char *ret, size_t size, Err *err)
{
        const cJSON *value;
        char shown[80];
        int r = json_get(object, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsString(value) || strlen(value->valuestring) >= size ||
            !json_is_visible(value->valuestring))
                return err_set(err, -EBADMSG,
                               "\"%s\" is %s, expected a string of at most %zu printable ASCII characters",
                               key, json_show(value, shown, sizeof(shown)), size - 1);
        (void) snprintf(ret, size, "%s", value->valuestring);
        return 0;
}

int json_get_flag(const cJSON *object, const char *key, bool *ret, Err *err)
{
        const cJSON *value;
        char shown[80];
        int r = json_get(object, key, &value, err);
        if (r < 0 || !value)
                return r;
        const char *word = cJSON_GetStringValue(value);
        bool yes = cJSON_IsTrue(value) || (word && strcasecmp(word, "true") == 0);
        if (!yes && !cJSON_IsFalse(value) && !(word && strcasecmp(word, "false") == 0))
                return err_set(err, -EBADMSG, "\"%s\" is %s, expected true or false", key,
                               json_show(value, shown, sizeof(shown)));
        *ret = yes;
        return 0;
}

int json_whole(const cJSON *value, const char *name, uint64_t least, uint64_t most, uint64_t *ret, Err *err)
{
        char shown[60];
        double number = cJSON_IsNumber(value) ? value->valuedouble : -1;

        if (!(number >= (double) least && number <= (double) most) || number != (double) (uint64_t) number)
                return err_set(err, -EBADMSG,
                               "\"%s\" is %s, where a whole number from %" PRIu64 " to %" PRIu64 " belongs",
                               name, json_show(value, shown, sizeof(shown)), least, most);
        *ret = (uint64_t) number;
        return 0;
}

int json_get_whole(const cJSON *object, const char *key, uint64_t most, uint64_t *ret, Err *err)
{
        const cJSON *value;
        int r = json_get(object, key, &value, err);
        return r < 0 || !value ? r : json_whole(value, key, 0, most, ret, err);
}

int json_get_seconds(const cJSON *object, const char *key, uint64_t most_sec, Usec *ret, Err *err)
{
        const cJSON *value;
        char shown[60];
        int r = json_get(object, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= (double) most_sec))
                return err_set(err, -EBADMSG, "\"%s\" is %s, where seconds from 0 to %" PRIu64 " belong", key,
                               json_show(value, shown, sizeof(shown)), most_sec);
        *ret = (Usec) (value->valuedouble * (double) USEC_PER_SEC);
        return 0;
}

uint16_t json_port(const cJSON *value)
{
        unsigned port = 0;

        if (cJSON_IsNumber(value)) {
                double number = value->valuedouble;
                if (!(number >= 1 && number <= UINT16_MAX))
                        return 0;
                port = (unsigned) number;
                return (double) port == number ? (uint16_t) port : 0;
        }
        if (!cJSON_IsString(value))
                return 0;
        const char *s = value->valuestring;
        size_t len = strspn(s, "0123456789");
        if (len == 0 || len > 5 || s[len] || s[0] == '0')
                return 0;
        for (; *s; s++)
                port = port * 10 + (unsigned) (*s - '0');
        return port <= UINT16_MAX ? (uint16_t) port : 0;
}

const char *json_show(const cJSON *value, char *buf, size_t size)
{
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(value);

        (void) snprintf(buf, size, "%s", text ? text : "?");
        for (char *p = buf; *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return buf;
}

const char *json_text(const cJSON *object, const char *key)
{
        const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
        return s ? s : "";
}

double json_number(const cJSON *object, const char *key, double otherwise)
{
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
        return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : otherwise;
}

uint64_t json_count(const cJSON *object, const char *key)
{
        double n = json_number(object, key, 0);
        return n > 0 && n < 1e15 ? (uint64_t) n : 0;
}

bool json_true(const cJSON *object, const char *key)
{
        return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static bool lost;

static void *json_malloc(size_t size)
{
        void *p = malloc(size);
        if (!p)
                lost = true;
        return p;
}

/* The only hook of this program: a second one would take its place. Before main(), as nothing that cJSON has
 * allocated may be freed by another function. */
__attribute__((constructor)) static void json_begin(void)
{
        cJSON_Hooks hooks = { .malloc_fn = json_malloc, .free_fn = free };
        cJSON_InitHooks(&hooks);
}

bool json_lost(void)
{
        bool was = lost;
        lost = false;
        return was;
}

cJSON *json_record(void)
{
        lost = false;
        return cJSON_CreateObject();
}

void json_put(cJSON *object, const char *key, cJSON *item)
{
        if (!cJSON_AddItemToObject(object, key, item)) {
                lost = true;
                cJSON_Delete(item);
        }
}

void json_append(cJSON *array, cJSON *item)
{
        if (!cJSON_AddItemToArray(array, item)) {
                lost = true;
                cJSON_Delete(item);
        }
}
