/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/servers-json.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "probes/json.h"

static int servers_note(Servers *s, const char *fmt, ...) _printf_(2, 3);

/* Return: 0; -ENOMEM. What is beyond the limit is counted in `skipped` alone. */
static int servers_note(Servers *s, const char *fmt, ...)
{
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (s->n_notes >= SERVERS_NOTES_MAX)
                return 0;
        for (char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
        s->notes[s->n_notes] = strdup(text);
        if (!s->notes[s->n_notes])
                return -ENOMEM;
        s->n_notes++;
        return 0;
}

static int servers_new(size_t size, Servers **ret, Err *err)
{
        _cleanup_(servers_freep) Servers *s = calloc(1, sizeof(*s));
        if (s) {
                s->rows = calloc(size + 1, sizeof(Server));
                s->notes = calloc(SERVERS_NOTES_MAX + 1, sizeof(char *));
        }
        if (!s || !s->rows || !s->notes)
                return err_set(err, -ENOMEM, "Out of memory for a list of servers");
        *ret = TAKE_PTR(s);
        return 0;
}

Servers *servers_free(Servers *s)
{
        if (!s)
                return NULL;
        for (size_t i = 0; s->notes && i < s->n_notes; i++)
                free(s->notes[i]);
        free(s->notes);
        free(s->rows);
        free(s);
        return NULL;
}

static bool server_visible(const char *s)
{
        for (; *s; s++)
                if (*s < ' ' || *s >= 0x7f)
                        return false;
        return true;
}

/* Booleans; the words "true" and "false" are taken for them. Anything else is as good as absent. */
static int server_bool(const cJSON *row, const char *key, bool *ret, bool *ret_has, Err *why)
{
        const cJSON *value;
        int r = json_get(row, key, &value, why);
        if (r < 0 || !value)
                return r;
        if (cJSON_IsString(value)) {
                *ret = strcasecmp(value->valuestring, "true") == 0;
                *ret_has = *ret || strcasecmp(value->valuestring, "false") == 0;
        } else if (cJSON_IsBool(value)) {
                *ret = cJSON_IsTrue(value);
                *ret_has = true;
        }
        return 0;
}

static int server_add_type(Server *s, const cJSON *type, Err *why)
{
        static const char store[] = "-datastore";
        char shown[80];
        if (!cJSON_IsString(type) || !server_visible(type->valuestring))
                return err_set(why, -EBADMSG, "\"type\" holds %s", json_show(type, shown, sizeof(shown)));
        const char *name = type->valuestring;
        size_t len = strlen(name), n = strlen(s->types);
        if (n + len + 2 <= sizeof(s->types))
                (void) snprintf(s->types + n, sizeof(s->types) - n, "%s%s", n ? " " : "", name);
        s->is_router |= strcmp(name, "router") == 0;
        s->is_mp |= strcmp(name, "message-processor") == 0;
        s->is_datastore |= len >= sizeof(store) && strcmp(name + len - (sizeof(store) - 1), store) == 0;
        return 0;
}

static int server_types(const cJSON *row, Server *s, Err *why)
{
        const cJSON *type, *one;
        char shown[80];
        int r = json_get(row, "type", &type, why);
        if (r < 0 || !type)
                return r;
        if (cJSON_IsString(type))
                return server_add_type(s, type, why);
        if (!cJSON_IsArray(type))
                return err_set(why, -EBADMSG, "\"type\" is %s", json_show(type, shown, sizeof(shown)));
        cJSON_ArrayForEach(one, type)
        {
                r = server_add_type(s, one, why);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An address that others can reach: not loopback, not 0.0.0.0, and one at all. */
static void server_address(const char *text, Server *s)
{
        Addr addr;
        static const uint8_t zero[16];
        if (*s->address || !addr_parse(text, &addr) || addr_is_loopback(&addr) ||
            memcmp(addr.b, zero, sizeof(zero)) == 0)
                return;
        (void) addr_format(&addr, s->address, sizeof(s->address));
}

static void server_hostname(const char *text, Server *s)
{
        Addr addr;
        if (*s->hostname || !*text || strncasecmp(text, "localhost", 9) == 0 || strlen(text) > 253 ||
            *text == '-' ||
            strspn(text, "0123456789.-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(text))
                return;
        /* An address may stand in the place of a name. */
        if (addr_parse(text, &addr)) {
                server_address(text, s);
                return;
        }
        (void) snprintf(s->hostname, sizeof(s->hostname), "%s", text);
}

static int server_places(const cJSON *row, Server *s, Err *why)
{
        char ip[2][256] = { "", "" }, name[2][256] = { "", "" };
        int r = json_get_text(row, "internalIP", ip[0], sizeof(ip[0]), why);
        if (r >= 0)
                r = json_get_text(row, "externalIP", ip[1], sizeof(ip[1]), why);
        if (r >= 0)
                r = json_get_text(row, "internalHostName", name[0], sizeof(name[0]), why);
        if (r >= 0)
                r = json_get_text(row, "externalHostName", name[1], sizeof(name[1]), why);
        for (size_t i = 0; r >= 0 && i < 2; i++) {
                server_address(ip[i], s);
                server_hostname(name[i], s);
        }
        return r;
}

static int server_parse(const cJSON *row, Server *s, Err *why)
{
        char shown[80];
        if (!cJSON_IsObject(row))
                return err_set(why, -EBADMSG, "it is %s, no object", json_show(row, shown, sizeof(shown)));
        int r = json_get_text(row, "uUID", s->uuid, sizeof(s->uuid), why);
        if (r >= 0 &&
            s->uuid[strspn(s->uuid, "0123456789-_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")])
                r = err_set(why, -EBADMSG, "\"uUID\" is \"%s\"", s->uuid);
        if (r >= 0)
                r = json_get_text(row, "region", s->region, sizeof(s->region), why);
        if (r >= 0)
                r = json_get_text(row, "pod", s->pod, sizeof(s->pod), why);
        if (r >= 0)
                r = server_bool(row, "isUp", &s->up, &s->has_up, why);
        if (r >= 0)
                r = server_bool(row, "reachable", &s->reachable, &s->has_reachable, why);
        if (r >= 0)
                r = server_types(row, s, why);
        if (r >= 0)
                r = server_places(row, s, why);
        return r;
}

/* What somebody sees who looks at it: "an HTML page" helps more than "byte 0". */
static int servers_not_json(const char *text, size_t len, int code, Err *err)
{
        while (len > 0 && strchr(" \t\r\n", *text)) {
                text++;
                len--;
        }
        if (len == 0)
                return err_set(err, -EBADMSG, "an empty answer, no list of servers");
        if (*text == '<')
                return err_set(err, -EBADMSG, "an HTML or XML page, no list of servers in JSON");
        return err_prefix(err, code, "no list of servers");
}

static bool servers_has(const Servers *s, const char *uuid)
{
        for (size_t i = 0; *uuid && i < s->n; i++)
                if (strcmp(s->rows[i].uuid, uuid) == 0)
                        return true;
        return false;
}

/* A row without an id is told from others by everything else it says. */
static bool servers_has_row(const Servers *s, const Server *row)
{
        if (*row->uuid)
                return servers_has(s, row->uuid);
        for (size_t i = 0; i < s->n; i++) {
                const Server *o = &s->rows[i];
                if (!*o->uuid && strcmp(o->address, row->address) == 0 &&
                    strcmp(o->hostname, row->hostname) == 0 && strcmp(o->types, row->types) == 0 &&
                    strcmp(o->region, row->region) == 0)
                        return true;
        }
        return false;
}

static int servers_add_row(Servers *s, const cJSON *row, size_t number, Err *err)
{
        Server server = { 0 };
        Err why = { 0 };
        int r = 0;

        if (server_parse(row, &server, &why) < 0) {
                s->skipped++;
                r = servers_note(s, "server number %zu of the list is left out: %.300s", number, why.text);
        } else if (servers_has(s, server.uuid)) {
                s->skipped++;
                r = servers_note(s, "server %.63s is listed more than once; the first counts", server.uuid);
        } else
                s->rows[s->n++] = server;
        return r < 0 ? err_set(err, r, "Out of memory for a list of servers") : 0;
}

int servers_parse(const char *json, size_t len, Servers **ret, Err *err)
{
        _cleanup_(json_closep) cJSON *list = NULL;
        _cleanup_(servers_freep) Servers *s = NULL;
        const cJSON *row;
        char shown[80];
        size_t number = 0;

        int r = json_open(json, len, SERVERS_JSON_MAX, &list, err);
        if (r < 0)
                return r == -EBADMSG ? servers_not_json(json, len, r, err) : r;
        if (!cJSON_IsArray(list) && !cJSON_IsObject(list))
                return err_set(err, -EBADMSG, "no list of servers but %s",
                               json_show(list, shown, sizeof(shown)));
        int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 1;
        if (n > SERVERS_MAX)
                return err_set(err, -E2BIG, "a list of %d servers, at most %d are read", n, SERVERS_MAX);
        r = servers_new((size_t) n, &s, err);
        if (r < 0)
                return r;
        if (cJSON_IsObject(list)) {
                /* One server alone, or an error that came with status 200. */
                if (!cJSON_HasObjectItem(list, "uUID") && !cJSON_HasObjectItem(list, "type"))
                        return err_set(err, -EBADMSG, "no list of servers but %s",
                                       json_show(list, shown, sizeof(shown)));
                r = servers_add_row(s, list, 1, err);
        } else
                cJSON_ArrayForEach(row, list)
                {
                        r = servers_add_row(s, row, ++number, err);
                        if (r < 0)
                                break;
                }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

int servers_append(Servers *s, Servers *more, Err *err)
{
        if (s->n + more->n > SERVERS_MAX)
                return err_set(err, -E2BIG, "more than %d servers in all", SERVERS_MAX);
        Server *rows = realloc(s->rows, (s->n + more->n + 1) * sizeof(Server));
        if (!rows)
                return err_set(err, -ENOMEM, "Out of memory for a list of servers");
        s->rows = rows;
        for (size_t i = 0; i < more->n; i++)
                if (!servers_has_row(s, &more->rows[i]))
                        s->rows[s->n++] = more->rows[i];
        for (size_t i = 0; i < more->n_notes; i++)
                if (servers_note(s, "%s", more->notes[i]) < 0)
                        return err_set(err, -ENOMEM, "Out of memory for a list of servers");
        s->skipped += more->skipped;
        more->n = 0;
        return 0;
}
