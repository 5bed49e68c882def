/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/lock-spec.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

static const char *const lock_words[] = {
        [LOCK_AUTO] = "auto", [LOCK_NONE] = "none", [LOCK_LEASE] = "lease"
};

static int port_parse(const char *text, size_t len, uint16_t *ret, Err *err)
{
        unsigned long port = 0;
        for (size_t i = 0; i < len && port < 100000; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return err_set(err, -EINVAL, "\"%.*s\" is no port number", (int) MIN(len, 40), text);
                port = port * 10 + (unsigned long) (text[i] - '0');
        }
        if (port == 0 || port > 65535)
                return err_set(err, -EINVAL, "\"%.*s\" is no port number", (int) MIN(len, 40), text);
        *ret = (uint16_t) port;
        return 0;
}

static bool host_is_good(const char *host)
{
        if (!*host || *host == '-')
                return false;
        for (const char *p = host; *p; p++)
                if (!isalnum((unsigned char) *p) && !strchr("-._:", *p))
                        return false;
        return true;
}

/* One server: NAME, NAME:PORT, [ADDRESS]:PORT; an IPv6 address without brackets has no port. */
static int server_parse(const char *text, size_t len, LockServer *ret, Err *err)
{
        const char *host = text, *port = NULL, *end = text + len, *close;
        size_t n = len;
        Addr addr;

        if (len > 0 && *text == '[') {
                close = memchr(text, ']', len);
                if (!close || (close + 1 < end && close[1] != ':'))
                        return err_set(err, -EINVAL, "\"%.*s\" is no server: [ADDRESS]:PORT is meant",
                                       (int) MIN(len, 80), text);
                host = text + 1;
                n = (size_t) (close - host);
                port = close + 1 < end ? close + 2 : NULL;
        } else {
                const char *first = memchr(text, ':', len), *last = memrchr(text, ':', len);
                if (first && first == last) {
                        n = (size_t) (first - text);
                        port = first + 1;
                }
        }
        if (n >= sizeof(ret->host))
                return err_set(err, -EINVAL, "the name \"%.40s...\" is too long", host);
        memcpy(ret->host, host, n);
        ret->host[n] = '\0';
        ret->number = addr_parse(ret->host, &addr);
        if (!host_is_good(ret->host) || (strchr(ret->host, ':') && (!ret->number || host == text)))
                return err_set(err, -EINVAL, "\"%.*s\" is no name or address of a server", (int) MIN(len, 80),
                               text);
        ret->port = LOCK_PORT;
        return port ? port_parse(port, (size_t) (end - port), &ret->port, err) : 0;
}

/* ZooKeeper's own rules for paths, and no odd characters: it is shown to people. */
static int path_parse(const char *text, char *ret, size_t size, Err *err)
{
        size_t len = strlen(text);
        while (len > 0 && text[len - 1] == '/')
                len--;
        if (len >= size)
                return err_set(err, -EINVAL, "the path is longer than %zu characters", size - 1);
        memcpy(ret, text, len);
        ret[len] = '\0';
        for (const char *p = ret; *p; p++)
                if ((!isalnum((unsigned char) *p) && !strchr("/-._:", *p)) || (*p == '/' && p[1] == '/'))
                        return err_set(err, -EINVAL, "\"%.80s\" is no path of ZooKeeper", ret);
        if (strstr(ret, "/./") || strstr(ret, "/../"))
                return err_set(err, -EINVAL, "\"%.80s\" is no path of ZooKeeper", ret);
        return 0;
}

/* @strict: as a person writes it: commas, each with something on both sides. */
static int hosts_parse(const char *text, bool strict, LockSpec *ret, Err *err)
{
        LockSpec spec = { .kind = LOCK_ZOOKEEPER };
        const char *path = strchr(text, '/'), *end = path ? path : text + strlen(text);
        const char *separators = strict ? "," : ", \t";
        int r;

        if (strict && (strstr(text, ",,") || *text == ',' || (end > text && end[-1] == ',')))
                return err_set(err, -EINVAL, "a comma in \"%.80s\" has no server beside it", text);
        if (strict && path && path[strlen(path) - 1] == '/')
                return err_set(err, -EINVAL, "the path \"%.80s\" ends with a slash", path);

        for (const char *p = text; p < end;) {
                size_t len = strcspn(p, separators);
                len = MIN(len, (size_t) (end - p));
                if (len > 0) {
                        if (spec.n >= LOCK_SERVERS_MAX)
                                return err_set(err, -EINVAL, "more than %d servers", LOCK_SERVERS_MAX);
                        if ((r = server_parse(p, len, &spec.servers[spec.n++], err)) < 0)
                                return r;
                }
                p += len < (size_t) (end - p) ? len + 1 : len;
        }
        if (spec.n == 0)
                return err_set(err, -EINVAL, "no server is named");
        if (path && (r = path_parse(path, spec.path, sizeof(spec.path), err)) < 0)
                return r;
        *ret = spec;
        return 0;
}

int lock_spec_hosts(const char *text, LockSpec *ret, Err *err)
{
        return hosts_parse(text, false, ret, err);
}

int lock_spec_parse(const char *text, LockSpec *ret, Err *err)
{
        for (size_t i = 0; i < ELEMENTS(lock_words); i++)
                if (strcmp(text, lock_words[i]) == 0) {
                        *ret = (LockSpec){ .kind = (LockKind) i };
                        return 0;
                }
        if (strncmp(text, LOCK_SCHEME, strlen(LOCK_SCHEME)) != 0)
                return err_set(err, -EINVAL,
                               "\"%.80s\" is no lock: auto, none, lease or " LOCK_SCHEME "HOST:PORT,.../PATH",
                               text);
        return hosts_parse(text + strlen(LOCK_SCHEME), true, ret, err);
}

const char *lock_spec_text(const LockSpec *spec, char *buf, size_t size)
{
        size_t used = 0;
        if (spec->kind != LOCK_ZOOKEEPER) {
                (void) snprintf(buf, size, "%s", lock_words[spec->kind]);
                return buf;
        }
        buf[0] = '\0';
        for (size_t i = 0; i < spec->n && used < size; i++) {
                const LockServer *s = &spec->servers[i];
                bool six = strchr(s->host, ':');
                int k = snprintf(buf + used, size - used, "%s%s%s%s:%u", i ? "," : "", six ? "[" : "",
                                 s->host, six ? "]" : "", s->port);
                used += (size_t) MAX(k, 0);
        }
        if (used < size)
                (void) snprintf(buf + used, size - used, "%s", spec->path);
        return buf;
}
