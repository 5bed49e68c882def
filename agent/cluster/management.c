/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/management.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probes/edge-json.h"
#include "probes/http.h"

#define MANAGEMENT_CONNECT_USEC (5 * USEC_PER_SEC)
#define MANAGEMENT_TOTAL_USEC   (30 * USEC_PER_SEC)

/* ---- the password ---- */

char *management_password_free(char *password)
{
        if (password)
                explicit_bzero(password, strlen(password));
        free(password);
        return NULL;
}
DEFINE_CLEANUP(char, management_password_free);

/* One line, with or without its end. Works in place. */
static int password_line(char *text, size_t len, const char *from, Err *err)
{
        if (len > 0 && text[len - 1] == '\n')
                text[--len] = '\0';
        if (len > 0 && text[len - 1] == '\r')
                text[--len] = '\0';
        if (len == 0)
                return err_set(err, -EINVAL, "The password of the Management Server is empty in %.200s",
                               from);
        if (len > MANAGEMENT_PASSWORD_MAX || strlen(text) != len || strpbrk(text, "\r\n"))
                return err_set(err, -EINVAL,
                               "%.200s is no password: one line of at most %d characters is expected", from,
                               MANAGEMENT_PASSWORD_MAX);
        return 0;
}

/* @private: nobody else may be able to read it. @ret: NULL when the file is not there and @may_miss. */
static int password_read(const char *path, bool private, bool may_miss, char **ret, Err *err)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        char text[MANAGEMENT_PASSWORD_MAX + 4];
        struct stat st;
        size_t len = 0;
        int r = 0;

        if (fd < 0 && errno == ENOENT && may_miss) {
                *ret = NULL;
                return 0;
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, -errno, "Cannot read the password of the Management Server from %.200s",
                                 path);
        if (!S_ISREG(st.st_mode))
                return err_set(err, -EINVAL, "%.200s is no ordinary file, it holds no password", path);
        if (private && (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)))
                return err_set(
                        err, -EACCES,
                        "%.200s can be read or written by others (mode %03o), so what is in it is no secret: "
                        "chmod 600 or 640",
                        path, st.st_mode & 0777);
        while (len < sizeof(text) - 1) {
                ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        r = err_errno(err, -errno,
                                      "Cannot read the password of the Management Server from %.200s", path);
                if (got <= 0)
                        break;
                len += (size_t) got;
        }
        text[len] = '\0';
        if (r >= 0)
                r = password_line(text, len, path, err);
        if (r >= 0) {
                *ret = strdup(text);
                if (!*ret)
                        r = err_set(err, -ENOMEM, "Out of memory for a password");
        }
        explicit_bzero(text, sizeof(text));
        return r;
}

int management_password(const char *password_file, char **ret, char *from, size_t size, Err *err)
{
        const char *env = getenv(MANAGEMENT_PASSWORD_ENV), *dir = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_(management_password_freep) char *password = NULL;
        char path[512];
        int r = 0;

        if (env) {
                (void) snprintf(from, size, "$%s", MANAGEMENT_PASSWORD_ENV);
                password = strdup(env);
                if (!password)
                        return err_set(err, -ENOMEM, "Out of memory for a password");
                r = password_line(password, strlen(password), from, err);
        } else {
                if (dir) {
                        (void) snprintf(path, sizeof(path), "%.400s/%s", dir, MANAGEMENT_PASSWORD_CREDENTIAL);
                        (void) snprintf(from, size, "%s", path);
                        r = password_read(path, false, true, &password, err);
                }
                if (r >= 0 && !password && password_file && *password_file) {
                        (void) snprintf(from, size, "%s", password_file);
                        r = password_read(password_file, true, false, &password, err);
                }
        }
        if (r < 0)
                return r;
        if (!password)
                from[0] = '\0';
        *ret = TAKE_PTR(password);
        return 0;
}

/* ---- asking ---- */

typedef struct Management {
        const ManagementOptions *o;
        sd_event *event;
        Http *http;
        char *password;
        char password_from[600];
        char base[1024]; /* without '/' at its end */
        char *hint;
        size_t hint_size;
        Err *err;

        /* the answer to the request under way */
        bool answered;
        HttpOutcome outcome;
        long status;
        char *body;
        size_t body_len;
        char text[512];
} Management;

static void management_done(Management *m)
{
        (void) http_free(m->http);
        (void) sd_event_unref(m->event);
        (void) management_password_free(m->password);
        free(m->body);
}

int management_url_ok(const char *url, Err *err)
{
        const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                           : strncmp(url, "https://", 8) == 0 ? url + 8
                                                              : NULL;
        if (host && strcspn(host, "@") < strcspn(host, "/?#"))
                return err_set(
                        err, -EINVAL,
                        "The URL of the Management Server must not hold a user or a password: set management_user "
                        "and management_password_file, or " MANAGEMENT_PASSWORD_ENV);
        if (!host || !*host || strchr("/?#:", *host) || strlen(url) > 500 || strpbrk(url, "?#\\ "))
                return err_set(err, -EINVAL,
                               "\"%.100s\" is no URL of a Management Server; expected something like "
                               "http://10.0.0.9:8080 or https://ms.example.com:8443",
                               url);
        for (const char *c = url; *c; c++)
                if (*c <= ' ' || *c >= 0x7f)
                        return err_set(
                                err, -EINVAL,
                                "The URL of the Management Server holds characters that do not belong there");
        return 0;
}

static void management_on_result(const HttpResult *result, void *userdata)
{
        Management *m = userdata;
        m->answered = true;
        m->outcome = result->outcome;
        m->status = result->status;
        (void) snprintf(m->text, sizeof(m->text), "%s", result->text);
        if (result->outcome != HTTP_ANSWER)
                return;
        m->body = malloc(result->body_len + 1);
        if (!m->body) {
                m->outcome = HTTP_INTERNAL;
                return;
        }
        memcpy(m->body, result->body, result->body_len);
        m->body[result->body_len] = '\0';
        m->body_len = result->body_len;
}

static int management_get(Management *m, const char *path)
{
        const ManagementOptions *o = m->o;
        char url[2048];
        HttpRequest request = {
                .url = url,
                .user = m->password ? o->user : NULL,
                .password = m->password,
                .ca_file = o->ca_file && *o->ca_file ? o->ca_file : NULL,
                .may_block = true, /* nothing else runs in this loop */
                .connect_usec = o->connect_usec ? o->connect_usec : MANAGEMENT_CONNECT_USEC,
                .total_usec = o->total_usec ? o->total_usec : MANAGEMENT_TOTAL_USEC,
                .max_body_bytes = SERVERS_JSON_MAX,
        };
        (void) snprintf(url, sizeof(url), "%s%s", m->base, path);
        free(m->body);
        m->body = NULL;
        m->answered = false;
        int r = http_start(m->http, &request, management_on_result, m, NULL, m->err);
        while (r >= 0 && !m->answered) {
                r = sd_event_run(m->event, UINT64_MAX);
                if (r < 0)
                        return err_errno(m->err, r, "Cannot wait for the Management Server");
        }
        return r < 0 ? r : 0;
}

static int management_fail(Management *m, int code, const char *hint, const char *fmt, ...) _printf_(4, 5);

static int management_fail(Management *m, int code, const char *hint, const char *fmt, ...)
{
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        (void) snprintf(m->hint, m->hint_size, "%s", hint);
        return err_set(m->err, code, "The Management Server cannot be asked: %s", text);
}

/* There is no whole answer. */
static int management_no_answer(Management *m)
{
        switch (m->outcome) {
        case HTTP_REFUSED:
                return management_fail(
                        m, -ECONNREFUSED,
                        "is edge-management-server running there, and is that its port (8080)?", "%s",
                        m->text);
        case HTTP_RESOLVE:
                return management_fail(m, -EIO, "write the host as a number, or look at DNS", "%s", m->text);
        case HTTP_CONNECT:
                return management_fail(m, -ETIMEDOUT,
                                       "is the machine up, and does a firewall let this host in?", "%s",
                                       m->text);
        case HTTP_TLS:
                return management_fail(
                        m, -EIO,
                        "management_ca names the certificates it is checked by; does the port speak TLS?",
                        "%s", m->text);
        case HTTP_NO_ANSWER:
        case HTTP_SEND:
                return management_fail(
                        m, -ETIMEDOUT,
                        "it may be overloaded: look at its system.log; --inventory or --nodes need it not",
                        "%s", m->text);
        case HTTP_TRUNCATED:
                return management_fail(m, -EIO,
                                       "half a list is not used; try again, or use --inventory or --nodes",
                                       "%s", m->text);
        case HTTP_TOO_LARGE:
                return management_fail(m, -E2BIG, "that is no list of servers; is this the right URL?",
                                       "%s (%d MiB at most)", m->text, SERVERS_JSON_MAX / 1024 / 1024);
        case HTTP_PROTOCOL:
                return management_fail(m, -EBADMSG,
                                       "http where https is spoken, or another service on that port?", "%s",
                                       m->text);
        case HTTP_ANSWER:
        case HTTP_BAD_URL:
        case HTTP_INTERNAL:
        case HTTP_OUTCOME_COUNT:
        case HTTP_OUTCOME_INVALID:
                break;
        }
        return management_fail(m, -EIO, "", "%s", m->text);
}

/* An answer, but not 200. */
static int management_bad_status(Management *m)
{
        if (m->status == 401 && !m->password)
                return management_fail(m, -EACCES,
                                       "set management_user, and management_password_file or "
                                       "$" MANAGEMENT_PASSWORD_ENV,
                                       "%s: it wants a user and a password", m->text);
        if (m->status == 401)
                return management_fail(m, -EACCES, "try them with curl -u; the user is an e-mail address",
                                       "%s: it does not take user %.80s with the password from %.120s",
                                       m->text, m->o->user, m->password_from);
        if (m->status == 403)
                return management_fail(m, -EACCES, "it takes the role of a system administrator",
                                       "%s: user %.80s may not see the servers", m->text,
                                       m->o->user ? m->o->user : "(none)");
        if (m->status == 404)
                return management_fail(m, -EPROTO, "the URL is that of the API without /v1: http://HOST:8080",
                                       "%s: there is no such API", m->text);
        if (m->status >= 300 && m->status < 400)
                return management_fail(
                        m, -EPROTO,
                        "it sends to another place, which is not followed with a password: name that "
                        "place itself",
                        "%s", m->text);
        if (m->status >= 500)
                return management_fail(
                        m, -EPROTO,
                        "it is not well: look at its system.log; --inventory or --nodes need it not", "%s",
                        m->text);
        return management_fail(m, -EPROTO, "is this the URL of the Management Server?", "%s", m->text);
}

/* @ret: NULL when the server does not know @path and that is no matter. */
static int management_servers(Management *m, const char *path, bool may_miss, Servers **ret)
{
        Err why = { 0 };
        int r = management_get(m, path);
        if (r < 0)
                return r;
        *ret = NULL;
        if (m->outcome != HTTP_ANSWER)
                return management_no_answer(m);
        if (may_miss && (m->status == 404 || m->status == 400))
                return 0;
        if (m->status != 200)
                return management_bad_status(m);
        r = servers_parse(m->body, m->body_len, ret, &why);
        if (r < 0)
                return management_fail(
                        m, r, "is this the URL of the Management Server, and not of a proxy or the UI?",
                        "%s: %.200s", m->text, why.text);
        return 0;
}

/* "dc 1" to "dc%201". Return: @buf. */
static const char *management_escape(const char *text, char *buf, size_t size)
{
        size_t n = 0;
        for (; *text && n + 4 < size; text++) {
                bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                             (*text >= '0' && *text <= '9') || strchr("-_.", *text);
                n += (size_t) snprintf(buf + n, size - n, plain ? "%c" : "%%%02X", (unsigned char) *text);
        }
        buf[n] = '\0';
        return buf;
}

/* Names of regions. Not every version tells them: then there are none to ask. */
static int management_regions(Management *m, char ***ret)
{
        Err why = { 0 };
        int r = management_get(m, "/v1/regions");
        if (r < 0)
                return r;
        *ret = NULL;
        if (m->outcome != HTTP_ANSWER)
                return management_no_answer(m);
        if (m->status != 200 || edge_list_parse(m->body, m->body_len, ret, &why) < 0)
                return 0;
        return 0;
}

static int management_add(Management *m, Servers *all, const char *path, bool may_miss)
{
        _cleanup_(servers_freep) Servers *more = NULL;
        int r = management_servers(m, path, may_miss, &more);
        return r < 0 || !more ? r : servers_append(all, more, m->err);
}

static int management_add_region(Management *m, Servers *all, const char *region)
{
        char path[1024], escaped[768];
        (void) snprintf(path, sizeof(path), "/v1/servers?region=%s",
                        management_escape(region, escaped, sizeof(escaped)));
        int r = management_add(m, all, path, true);
        return r < 0 ? err_prefix(m->err, r, "Region %.60s", region) : 0;
}

static int management_ask(Management *m, Servers **ret)
{
        _cleanup_(servers_freep) Servers *all = NULL;
        _cleanup_(edge_list_freep) char **regions = NULL;

        int r = management_servers(m, "/v1/servers?pod=gateway", false, &all);
        if (r >= 0)
                r = management_regions(m, &regions);
        if (r < 0)
                return r;
        for (size_t i = 0; regions && regions[i] && r >= 0; i++) {
                if (i == MANAGEMENT_REGIONS_MAX)
                        return management_fail(m, -E2BIG, "name one with --region",
                                               "it lists more than %d regions", MANAGEMENT_REGIONS_MAX);
                if (!m->o->region || strcmp(m->o->region, regions[i]) == 0)
                        r = management_add_region(m, all, regions[i]);
        }
        /* One that it does not list may still be asked for. */
        if (r >= 0 && m->o->region && !regions)
                r = management_add_region(m, all, m->o->region);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(all);
        return 0;
}

int management_fetch(Servers **ret, const ManagementOptions *options, char *hint, size_t size, Err *err)
{
        _cleanup_(management_done)
                Management m = { .o = options, .hint = hint, .hint_size = size, .err = err };
        bool named = options->user && *options->user;

        *hint = '\0';
        int r = management_url_ok(options->url, err);
        if (r < 0)
                return r;
        (void) snprintf(m.base, sizeof(m.base), "%s", options->url);
        for (size_t len = strlen(m.base); len > 0 && m.base[len - 1] == '/'; len--)
                m.base[len - 1] = '\0';
        /* With the version or without it: people write both. */
        size_t len = strlen(m.base);
        if (len > 3 && strcmp(m.base + len - 3, "/v1") == 0)
                m.base[len - 3] = '\0';

        if (named && (r = management_password(options->password_file, &m.password, m.password_from,
                                              sizeof(m.password_from), err)) < 0)
                return r;
        if (named && !m.password)
                return management_fail(&m, -EACCES,
                                       "set management_password_file, or $" MANAGEMENT_PASSWORD_ENV
                                       " for this one call",
                                       "there is no password for user %.80s", options->user);
        m.event = sd_event_ref(options->event);
        r = m.event ? 0 : sd_event_new(&m.event);
        if (r < 0)
                return err_errno(err, r, "Cannot wait for the Management Server");
        r = http_new(&m.http, m.event, err);
        return r < 0 ? r : management_ask(&m, ret);
}
