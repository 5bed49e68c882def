/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "probes/json.h"

#define LINE_OF_JSON 1

Target *target_free(Target *t)
{
        if (!t)
                return NULL;
        for (size_t i = 0; i < ELEMENTS(t->lists); i++)
                free(t->lists[i]);
        cJSON_Delete(t->json);
        edge_xml_free(t->xml);
        free(t);
        return NULL;
}

/* ---- JSON ---- */

static int json_wrong(const char *key, const cJSON *value, const char *expected, Err *err)
{
        char shown[80];
        return err_set(err, -EBADMSG, "\"%s\" is %s, expected %s", key,
                       json_show(value, shown, sizeof(shown)), expected);
}

static int read_text(const cJSON *object, const char *key, EdgeText *ret, Err *err)
{
        const cJSON *value;
        int r = json_get(object, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsString(value))
                return json_wrong(key, value, "a string", err);
        *ret = (EdgeText){ .value = value->valuestring, .line = LINE_OF_JSON };
        return 0;
}

static int read_flag(const cJSON *object, const char *key, EdgeFlag *ret, Err *err)
{
        const cJSON *value;
        bool yes = false;
        int r = json_get(object, key, &value, err);
        if (r < 0 || !value)
                return r;
        r = json_get_flag(object, key, &yes, err);
        if (r >= 0)
                *ret = (EdgeFlag){ .set = true, .value = yes, .line = LINE_OF_JSON };
        return r;
}

static int read_port(const cJSON *object, EdgeNumber *ret, Err *err)
{
        const cJSON *value;
        int r = json_get(object, "port", &value, err);
        if (r < 0 || !value)
                return r;
        *ret = (EdgeNumber){ .set = true, .value = json_port(value), .line = LINE_OF_JSON };
        return ret->value > 0 ? 0 : json_wrong("port", value, "a port from 1 to 65535", err);
}

static int read_words(const cJSON *object, const char *key, EdgeText **list, EdgeTexts *ret, Err *err)
{
        const cJSON *value, *one;
        int r = json_get(object, key, &value, err);
        if (r < 0 || !value)
                return r;
        if (!cJSON_IsArray(value))
                return json_wrong(key, value, "an array of strings", err);
        int n = cJSON_GetArraySize(value);
        if (n > TARGET_WORDS_MAX)
                return err_set(err, -E2BIG, "\"%s\" has %d words, at most %d are read", key, n,
                               TARGET_WORDS_MAX);
        *list = calloc((size_t) n + 1, sizeof(**list));
        if (!*list)
                return err_set(err, -ENOMEM, "Out of memory for a target server");
        ret->items = *list;
        cJSON_ArrayForEach(one, value)
        {
                if (!cJSON_IsString(one))
                        return json_wrong(key, one, "strings in it", err);
                ret->items[ret->n++] = (EdgeText){ .value = one->valuestring, .line = LINE_OF_JSON };
        }
        return 0;
}

static int read_tls(Target *t, Err *err)
{
        const cJSON *o;
        EdgeSsl *ssl = &t->server.ssl;
        int r = json_get(t->json, "sSLInfo", &o, err);
        if (r < 0 || !o)
                return r;
        if (!cJSON_IsObject(o))
                return json_wrong("sSLInfo", o, "an object", err);
        ssl->line = LINE_OF_JSON;
        if ((r = read_flag(o, "enabled", &ssl->enabled, err)) < 0 ||
            (r = read_flag(o, "clientAuthEnabled", &ssl->client_auth, err)) < 0 ||
            (r = read_flag(o, "ignoreValidationErrors", &ssl->ignore_validation_errors, err)) < 0 ||
            (r = read_text(o, "keyStore", &ssl->key_store, err)) < 0 ||
            (r = read_text(o, "keyAlias", &ssl->key_alias, err)) < 0 ||
            (r = read_text(o, "trustStore", &ssl->trust_store, err)) < 0 ||
            (r = read_words(o, "protocols", &t->lists[0], &ssl->protocols, err)) < 0 ||
            (r = read_words(o, "ciphers", &t->lists[1], &ssl->ciphers, err)) < 0)
                return err_prefix(err, r, "sSLInfo");
        return 0;
}

static int read_json(Target *t, const char *text, size_t len, Err *err)
{
        EdgeTargetServer *s = &t->server;
        char shown[80];
        int r = json_open(text, len, TARGET_MAX, &t->json, err);
        if (r < 0)
                return r;
        if (!cJSON_IsObject(t->json))
                return err_set(err, -EBADMSG, "no target server but %s",
                               json_show(t->json, shown, sizeof(shown)));
        if ((r = read_text(t->json, "name", &s->name, err)) < 0 ||
            (r = read_text(t->json, "host", &s->host, err)) < 0 ||
            (r = read_port(t->json, &s->port, err)) < 0 ||
            (r = read_flag(t->json, "isEnabled", &s->enabled, err)) < 0 ||
            (r = read_text(t->json, "description", &s->description, err)) < 0)
                return r;
        if (!s->name.line && !s->host.line)
                return err_set(err, -EBADMSG, "no target server but %s",
                               json_show(t->json, shown, sizeof(shown)));
        s->line = LINE_OF_JSON;
        return read_tls(t, err);
}

/* ---- either ---- */

static int read_xml(Target *t, const char *text, size_t len, Err *err)
{
        if (len > TARGET_MAX)
                return err_set(err, -E2BIG, "XML of %zu bytes, more than %d are not read", len, TARGET_MAX);
        int r = edge_xml_read(text, len, &t->xml, err);
        if (r < 0)
                return r;
        if (t->xml->kind != EDGE_XML_TARGET_SERVER)
                return err_set(err, -EBADMSG, "no <TargetServer> but <%.60s>", t->xml->root);
        t->is_xml = true;
        t->server = t->xml->server;
        if (!t->server.name.line && !t->server.host.line)
                return err_set(err, -EBADMSG, "no target server but a <TargetServer> without name and host");
        return 0;
}

int target_read(const char *text, size_t len, Target **ret, Err *err)
{
        _cleanup_(target_freep) Target *t = calloc(1, sizeof(*t));
        size_t blank = 0;

        if (!t)
                return err_set(err, -ENOMEM, "Out of memory for a target server");
        while (blank < len && text[blank] && strchr(" \t\r\n", text[blank]))
                blank++;
        if (blank == len)
                return err_set(err, -EBADMSG, "nothing is in it: a target server in XML or JSON is expected");
        /* A byte order mark and UTF-16 are XML's business. */
        bool xml = text[blank] == '<' || (unsigned char) text[blank] >= 0x80 || text[blank] == '\0';
        int r = xml ? read_xml(t, text, len, err) : read_json(t, text, len, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

/* ---- what Edge takes ---- */

bool target_name_ok(const char *name)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ";
        size_t len = strlen(name);
        return len > 0 && len <= 255 && strspn(name, allowed) == len && name[0] != ' ' && name[0] != '.' &&
               name[len - 1] != ' ';
}

static int check_host(const char *host, Err *err)
{
        Addr addr;
        size_t len = strlen(host);
        if (strstr(host, "://"))
                return err_set(
                        err, -EINVAL,
                        "The host \"%.100s\" has a protocol in front: only the name is meant, and TLS is "
                        "turned on by SSLInfo",
                        host);
        if (addr_parse(host, &addr))
                return 0;
        if (strchr(host, ':'))
                return err_set(err, -EINVAL,
                               "The host \"%.100s\" has a port behind: that is an element of its own", host);
        if (strchr(host, '/'))
                return err_set(err, -EINVAL,
                               "The host \"%.100s\" has a path: that belongs to the TargetEndpoint", host);
        for (const char *c = host; *c; c++)
                if (*c <= ' ' || *c >= 0x7f || strchr("\"'<>@?#\\", *c))
                        return err_set(err, -EINVAL, "\"%.100s\" is no host name", host);
        return len > 0 && len <= 253 ? 0 : err_set(err, -EINVAL, "\"%.100s\" is no host name", host);
}

int target_check(const EdgeTargetServer *s, Err *err)
{
        if (!s->name.line || !s->name.value)
                return err_set(err, -EINVAL, "It has no name");
        if (!target_name_ok(s->name.value))
                return err_set(
                        err, -EINVAL,
                        "A target server cannot be called \"%.80s\": 1 to 255 letters, digits, '-', '_', '.' "
                        "and blanks between them",
                        s->name.value);
        if (!s->host.line || !s->host.value)
                return err_set(err, -EINVAL, "Target server %.80s has no host", s->name.value);
        if (check_host(s->host.value, err) < 0)
                return err_prefix(err, -EINVAL, "Target server %.80s", s->name.value);
        if (!s->port.set || s->port.value < 1 || s->port.value > 65535)
                return err_set(err, -EINVAL, "Target server %.80s has no port from 1 to 65535",
                               s->name.value);
        return 0;
}

/* ---- differences ---- */

typedef struct Differences {
        char *buf;
        size_t size, len;
        bool any;
} Differences;

static void differ(Differences *d, const char *fmt, ...) _printf_(2, 3);

static void differ(Differences *d, const char *fmt, ...)
{
        va_list ap;
        if (d->any && d->len < d->size)
                d->len += (size_t) snprintf(d->buf + d->len, d->size - d->len, "; ");
        d->any = true;
        va_start(ap, fmt);
        if (d->len < d->size)
                d->len += (size_t) vsnprintf(d->buf + d->len, d->size - d->len, fmt, ap);
        va_end(ap);
}

static const char *text_of(EdgeText t)
{
        return t.value ? t.value : "";
}

static void differ_text(Differences *d, const char *what, EdgeText want, EdgeText have)
{
        if (strcmp(text_of(want), text_of(have)) != 0)
                differ(d, "%s \"%.80s\", is \"%.80s\"", what, text_of(want), text_of(have));
}

static void differ_flag(Differences *d, const char *what, EdgeFlag want, EdgeFlag have, bool fallback)
{
        if (edge_flag(want, fallback) != edge_flag(have, fallback))
                differ(d, "%s %s, is %s", what, edge_flag(want, fallback) ? "on" : "off",
                       edge_flag(have, fallback) ? "on" : "off");
}

static void differ_texts(Differences *d, const char *what, const EdgeTexts *want, const EdgeTexts *have)
{
        bool same = want->n == have->n;
        for (size_t i = 0; same && i < want->n; i++)
                same = strcmp(text_of(want->items[i]), text_of(have->items[i])) == 0;
        if (!same)
                differ(d, "other %s", what);
}

static void differences_ascii(char *buf)
{
        for (char *c = buf; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
}

bool target_differs(const EdgeTargetServer *want, const EdgeTargetServer *have, char *buf, size_t size)
{
        Differences d = { .buf = buf, .size = size };
        const EdgeSsl *w = &want->ssl, *h = &have->ssl;

        buf[0] = '\0';
        differ_text(&d, "host", want->host, have->host);
        if (edge_number(want->port, 0) != edge_number(have->port, 0))
                differ(&d, "port %" PRId64 ", is %" PRId64, edge_number(want->port, 0),
                       edge_number(have->port, 0));
        differ_flag(&d, "enabled", want->enabled, have->enabled, true);
        differ_text(&d, "description", want->description, have->description);
        differ_flag(&d, "TLS", w->enabled, h->enabled, false);
        differ_flag(&d, "clientAuthEnabled", w->client_auth, h->client_auth, false);
        differ_flag(&d, "ignoreValidationErrors", w->ignore_validation_errors, h->ignore_validation_errors,
                    false);
        differ_text(&d, "keyStore", w->key_store, h->key_store);
        differ_text(&d, "keyAlias", w->key_alias, h->key_alias);
        differ_text(&d, "trustStore", w->trust_store, h->trust_store);
        differ_texts(&d, "protocols", &w->protocols, &h->protocols);
        differ_texts(&d, "ciphers", &w->ciphers, &h->ciphers);
        differences_ascii(buf);
        return d.any;
}

/* What target_differs() compares, and what Edge has besides; all else is not known here. */
static const char *const read_keys[] = { "name", "host", "port", "isEnabled", "description", "sSLInfo" };
static const char *const read_tls_keys[] = { "enabled",  "clientAuthEnabled", "ignoreValidationErrors",
                                             "keyStore", "keyAlias",          "trustStore",
                                             "ciphers",  "protocols" };
static const char *const other_keys[] = { "protocol" };
static const char *const other_tls_keys[] = { "cRLStore", "certAlias", "commonName", "keyHsm" };

static const char *key_in(const char *const *keys, size_t n, const char *key, bool any_case)
{
        for (size_t i = 0; i < n; i++)
                if ((any_case ? strcasecmp : strcmp)(keys[i], key) == 0)
                        return keys[i];
        return NULL;
}

/* The words "true" and "8080" are as good as true and 8080. */
static bool same_value(const cJSON *a, const cJSON *b)
{
        if (cJSON_Compare(a, b, true))
                return true;
        if (cJSON_IsString(a) == cJSON_IsString(b))
                return false;
        char *other = cJSON_PrintUnformatted(cJSON_IsString(a) ? b : a);
        bool same = other && strcmp(cJSON_GetStringValue(cJSON_IsString(a) ? a : b), other) == 0;
        cJSON_free(other);
        return same;
}

static void differ_rest(Differences *d, const char *where, const cJSON *want, const cJSON *have,
                        const char *const *keys, size_t n)
{
        const cJSON *one;
        cJSON_ArrayForEach(one, want)
        {
                const cJSON *is = cJSON_GetObjectItemCaseSensitive(have, one->string);
                if (!key_in(keys, n, one->string, false) && !(is ? same_value(one, is) : cJSON_IsNull(one)))
                        differ(d, "other %s%.60s", where, one->string);
        }
}

/* What Edge's answer in JSON has no known place for is written again. */
static const char *ssl_unread(const EdgeSsl *ssl)
{
        return ssl->crl_store.line     ? "CRLStore"
               : ssl->common_name.line ? "CommonName"
               : ssl->cert_alias.line  ? "CertAlias"
               : ssl->key_hsm.line     ? "KeyHsm"
                                       : NULL;
}

bool target_changes(const Target *want, const Target *have, char *buf, size_t size)
{
        bool any = target_differs(&want->server, &have->server, buf, size);
        Differences d = { .buf = buf, .size = size, .len = strlen(buf), .any = any };
        const char *unread = ssl_unread(&want->server.ssl);
        if (unread)
                differ(&d, "%s, which cannot be compared", unread);
        if (!want->is_xml) {
                differ_rest(&d, "", want->json, have->json, read_keys, ELEMENTS(read_keys));
                differ_rest(&d, "sSLInfo.", cJSON_GetObjectItemCaseSensitive(want->json, "sSLInfo"),
                            cJSON_GetObjectItemCaseSensitive(have->json, "sSLInfo"), read_tls_keys,
                            ELEMENTS(read_tls_keys));
        }
        differences_ascii(buf);
        return d.any;
}

/* Of one object of it, the @i-th; @i counts down. */
static const char *strange_in(const cJSON *o, size_t *i, const char *const *read, size_t n_read,
                              const char *const *other, size_t n_other, const char **ret_meant)
{
        const cJSON *one;
        cJSON_ArrayForEach(one, o)
        {
                if (key_in(read, n_read, one->string, false) || key_in(other, n_other, one->string, false))
                        continue;
                if ((*i)-- > 0)
                        continue;
                const char *meant = key_in(read, n_read, one->string, true);
                *ret_meant = meant ? meant : key_in(other, n_other, one->string, true);
                return one->string;
        }
        return NULL;
}

bool target_strange(const Target *t, size_t i, char *buf, size_t size, const char **ret_meant)
{
        const char *where = "", *key = strange_in(t->json, &i, read_keys, ELEMENTS(read_keys), other_keys,
                                                  ELEMENTS(other_keys), ret_meant);
        if (!key) {
                where = "sSLInfo.";
                key = strange_in(cJSON_GetObjectItemCaseSensitive(t->json, "sSLInfo"), &i, read_tls_keys,
                                 ELEMENTS(read_tls_keys), other_tls_keys, ELEMENTS(other_tls_keys),
                                 ret_meant);
        }
        if (!key)
                return false;
        (void) snprintf(buf, size, "%s%.60s", where, key);
        differences_ascii(buf);
        return true;
}

/* ---- writing ---- */

static void add_text(cJSON *o, const char *key, EdgeText text)
{
        if (text.line)
                cJSON_AddStringToObject(o, key, text_of(text));
}

/* Edge writes these as words. */
static void add_word(cJSON *o, const char *key, EdgeFlag flag)
{
        if (flag.set)
                cJSON_AddStringToObject(o, key, flag.value ? "true" : "false");
}

static void add_texts(cJSON *o, const char *key, const EdgeTexts *texts)
{
        if (texts->n == 0)
                return;
        cJSON *a = cJSON_AddArrayToObject(o, key);
        for (size_t i = 0; i < texts->n; i++)
                json_append(a, cJSON_CreateString(text_of(texts->items[i])));
}

cJSON *target_to_json(const EdgeTargetServer *s)
{
        cJSON *o = cJSON_CreateObject();
        add_text(o, "name", s->name);
        add_text(o, "description", s->description);
        add_text(o, "host", s->host);
        if (s->port.set)
                cJSON_AddNumberToObject(o, "port", (double) s->port.value);
        cJSON_AddBoolToObject(o, "isEnabled", edge_flag(s->enabled, true));
        if (!s->ssl.line)
                return o;
        cJSON *ssl = cJSON_AddObjectToObject(o, "sSLInfo");
        add_word(ssl, "enabled", s->ssl.enabled);
        add_word(ssl, "clientAuthEnabled", s->ssl.client_auth);
        add_word(ssl, "ignoreValidationErrors", s->ssl.ignore_validation_errors);
        add_text(ssl, "keyStore", s->ssl.key_store);
        add_text(ssl, "keyAlias", s->ssl.key_alias);
        add_text(ssl, "trustStore", s->ssl.trust_store);
        add_texts(ssl, "protocols", &s->ssl.protocols);
        add_texts(ssl, "ciphers", &s->ssl.ciphers);
        return o;
}

/* What of an answer in XML has no place in JSON would be lost when that is sent back. */
static bool target_is_whole(const Target *t)
{
        return !t->is_xml || (t->xml->n_findings == 0 && !ssl_unread(&t->server.ssl));
}

/* cJSON leaves out what it has no memory for and says nothing: is it all there? */
static bool target_says(const char *json, const Target *t, bool enabled)
{
        _cleanup_(target_freep) Target *again = NULL;
        char other[200];
        if (target_read(json, strlen(json), &again, NULL) < 0 ||
            edge_flag(again->server.enabled, true) != enabled)
                return false;
        again->server.enabled = t->server.enabled;
        return !target_differs(&t->server, &again->server, other, sizeof(other));
}

int target_switched(const Target *t, bool enabled, char **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *o = NULL;
        _cleanup_(freep) char *text = NULL;
        if (!target_is_whole(t))
                return err_set(
                        err, -ENOTSUP,
                        "The answer is XML with more in it than can be sent back unchanged: use update, with "
                        "a file that has all of it");
        o = t->is_xml ? target_to_json(&t->server) : cJSON_Duplicate(t->json, true);
        /* Where it is a word it stays one. */
        bool word = cJSON_IsString(cJSON_GetObjectItemCaseSensitive(o, "isEnabled"));
        cJSON *value = word ? cJSON_CreateString(enabled ? "true" : "false") : cJSON_CreateBool(enabled);
        bool there = cJSON_GetObjectItemCaseSensitive(o, "isEnabled");
        /* What it does not take stays ours. */
        if (!(there ? cJSON_ReplaceItemInObjectCaseSensitive(o, "isEnabled", value)
                    : cJSON_AddItemToObject(o, "isEnabled", value)))
                cJSON_Delete(value);
        text = o ? cJSON_PrintUnformatted(o) : NULL;
        if (!text || !target_says(text, t, enabled))
                return err_set(err, -ENOMEM, "Out of memory for a target server");
        *ret = TAKE_PTR(text);
        return 0;
}
