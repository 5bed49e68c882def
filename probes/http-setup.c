/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What of a request libcurl is told, and what is not even tried. */

#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "probes/http-impl.h"
#include "probes/http-tls.h"

#define HTTP_CONNECT_USEC (2 * USEC_PER_SEC)
#define HTTP_TOTAL_USEC   (5 * USEC_PER_SEC)
#define HTTP_URL_MAX      (8 * 1024)

/* libcurl 7.87 and later, where it makes names safe (CurlDl.names_block); older ones do not know it. */
#define HTTP_OPT_QUICK_EXIT ((CURLoption) (CURLOPTTYPE_LONG + 322))

Usec http_total_usec(const HttpRequest *request)
{
        return request->total_usec > 0 ? request->total_usec : HTTP_TOTAL_USEC;
}

/* Milliseconds for libcurl, rounded up: 0 would mean its own default of minutes. */
static long http_msec(Usec usec, Usec fallback_usec)
{
        if (usec == 0)
                usec = fallback_usec;
        return (long) MIN((usec - 1) / USEC_PER_MSEC + 1, (Usec) INT32_MAX);
}

static bool http_is_visible(const char *s, char lowest)
{
        for (; *s; s++)
                if (*s < lowest || *s >= 0x7f)
                        return false;
        return true;
}

bool http_host_is_name(const char *url)
{
        const char *host = strstr(url, "://");
        char text[ADDR_TEXT_SIZE];
        Addr addr;

        host = host ? host + 3 : url;
        size_t len = strcspn(host, "/?#\\");
        const char *user = memrchr(host, '@', len);
        if (user) {
                len -= (size_t) (user + 1 - host);
                host = user + 1;
        }
        if (*host == '[')
                return false; /* only an address can stand in brackets */
        const char *port = memchr(host, ':', len);
        if (port)
                len = (size_t) (port - host);
        if (len >= sizeof(text))
                return true;
        memcpy(text, host, len);
        text[len] = '\0';
        return len > 0 && !addr_parse(text, &addr) && strcasecmp(text, "localhost") != 0;
}

/* A name of letters and the like, a colon (or, as libcurl has it, a semicolon and no value), and nothing that
 * ends the line. */
static bool http_header_ok(const char *header)
{
        const char *colon = strpbrk(header, ":;");
        if (!colon || (*colon == ';' && colon[1]) || colon == header || !http_is_visible(header, ' '))
                return false;
        for (const char *c = header; c < colon; c++)
                if (*c == ' ' || strchr("()<>@,;\\\"/[]?={}", *c))
                        return false;
        return true;
}

static bool http_headers_ok(const char *const *headers)
{
        size_t n = 0;
        for (; headers && headers[n]; n++)
                if (n == HTTP_EXTRA_MAX || !http_header_ok(headers[n]))
                        return false;
        return true;
}

static bool http_method_ok(const char *method)
{
        static const char *const methods[] = { "GET", "PUT", "POST", "DELETE" };
        for (size_t i = 0; method && i < ELEMENTS(methods); i++)
                if (strcmp(method, methods[i]) == 0)
                        return true;
        return !method;
}

bool http_request_ok(const HttpRequest *request, char *why, size_t size)
{
        Addr addr;
        const char *bad = NULL;

        if (strlen(request->url) > HTTP_URL_MAX || !http_is_visible(request->url, '!') ||
            (request->cookie && !http_is_visible(request->cookie, ' ')) ||
            !http_headers_ok(request->headers) || !http_method_ok(request->method))
                bad = "too long, or characters that do not belong there";
        else if (request->user && strchr(request->user, ':'))
                bad = "a user with ':' in its name"; /* the first colon ends it: another user */
        else if (request->address && !addr_parse(request->address, &addr))
                bad = "it is to be reached at what is no address";
        (void) snprintf(why, size, "%s", bad ? bad : "");
        return !bad;
}

HttpOutcome http_check(const Http *h, const HttpRequest *request, char *why, size_t size)
{
        if (!http_request_ok(request, why, size))
                return HTTP_BAD_URL;
        if (h->curl->names_block && !request->may_block && !request->address &&
            http_host_is_name(request->url)) {
                (void) snprintf(why, size, "libcurl %.20s cannot do it safely; write the host as a number",
                                h->curl->version);
                return HTTP_RESOLVE;
        }
        return HTTP_ANSWER;
}

/* libcurl takes the host of the URL for both where it connects and whom it asks for, unless it is told where
 * to connect. Nothing is looked up then. @to: host and port of the far end, either may be empty. */
static int http_connect_to(HttpCall *call, const char *to, Err *err)
{
        if (asprintf(&call->connect_to.data, "::%s", to) < 0) {
                call->connect_to.data = NULL;
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        }
        return 0;
}

/* The name is what the far end is asked for, the address of the URL is where it is. */
static int http_name_server(HttpCall *call, const HttpRequest *request, Err *err)
{
        const char *host = strstr(request->url, "://");
        if (!request->certificate || !request->server_name || !*request->server_name || !host)
                return 0;
        host += 3;
        size_t len = strcspn(host, "/?#");
        _cleanup_(freep) char *to = strndup(host, len), *url = NULL;
        const char *port = memrchr(host, ':', len);
        if (!port || !to)
                return err_set(err, port ? -ENOMEM : -EINVAL, "%s",
                               port ? "out of memory" : "a URL without port");
        if (asprintf(&url, "https://%.255s%.*s/", request->server_name, (int) (host + len - port), port) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        free(call->url);
        call->url = TAKE_PTR(url);
        return http_connect_to(call, to, err);
}

static int http_at_address(HttpCall *call, const HttpRequest *request, Err *err)
{
        char to[64];
        if (!request->address)
                return 0;
        bool six = strchr(request->address, ':') != NULL;
        (void) snprintf(to, sizeof(to), "%s%.50s%s:", six ? "[" : "", request->address, six ? "]" : "");
        return http_connect_to(call, to, err);
}

/* Copies @request's headers behind each other; a body is sent at once, not after "Expect" was answered. */
static int http_copy_headers(HttpCall *call, const HttpRequest *request, Err *err)
{
        size_t n = 0;
        for (; request->headers && request->headers[n]; n++) {
                call->headers[n].data = strdup(request->headers[n]);
                if (!call->headers[n].data)
                        return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        }
        if (request->post_body) {
                call->headers[n].data = strdup("Expect:");
                if (!call->headers[n++].data)
                        return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        }
        for (size_t i = 0; i + 1 < n; i++)
                call->headers[i].next = &call->headers[i + 1];
        return 0;
}

#define HTTP_SET(option, value) bad |= (unsigned) curl->easy_setopt(call->easy, option, value)

static unsigned http_set_limits(HttpCall *call, const HttpRequest *request)
{
        const CurlDl *curl = call->http->curl;
        unsigned bad = 0;

        /* Where there is patience, libcurl's limit, which includes the handshake, is only the last resort. */
        call->connect_usec = request->connect_usec > 0 ? request->connect_usec : HTTP_CONNECT_USEC;
        call->read_usec = request->read_usec;
        HTTP_SET(CURLOPT_CONNECTTIMEOUT_MS, http_msec(time_add(call->connect_usec, 2 * call->read_usec), 0));
        HTTP_SET(CURLOPT_TIMEOUT_MS, http_msec(http_total_usec(request), 0));
        return bad;
}

static unsigned http_set_body(HttpCall *call, const HttpRequest *request)
{
        const CurlDl *curl = call->http->curl;
        unsigned bad = 0;

        if (request->post_body) {
                HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) call->post_len);
                HTTP_SET(CURLOPT_COPYPOSTFIELDS, request->post_body);
        }
        if (request->method)
                HTTP_SET(CURLOPT_CUSTOMREQUEST, request->method);
        if (call->headers[0].data)
                HTTP_SET(CURLOPT_HTTPHEADER, call->headers);
        return bad;
}

/* Whom it trusts, and who it is. */
static unsigned http_set_trust(HttpCall *call, const HttpRequest *request)
{
        const CurlDl *curl = call->http->curl;
        unsigned bad = 0;

        if (request->user && request->password) {
                HTTP_SET(CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
                HTTP_SET(CURLOPT_USERNAME, request->user);
                HTTP_SET(CURLOPT_PASSWORD, request->password);
        }
        if (request->ca_file)
                HTTP_SET(CURLOPT_CAINFO, request->ca_file);
        if (request->tls)
                bad |= http_tls_apply(curl, call->easy, request->tls);
        if (call->certificate || call->connect_only || call->discard)
                HTTP_SET(CURLOPT_CONNECT_ONLY, 1L);
        if (call->certificate) {
                HTTP_SET(CURLOPT_SSL_VERIFYPEER, 0L);
                HTTP_SET(CURLOPT_SSL_VERIFYHOST, 0L);
        }
        /* A TLS library that cannot tell the certificate says so by telling none. */
        if (call->certificate || call->tell_self_signed)
                (void) curl->easy_setopt(call->easy, CURLOPT_CERTINFO, 1L);
        return bad;
}

static int http_set_all(HttpCall *call, const HttpRequest *request, Err *err)
{
        const CurlDl *curl = call->http->curl;
        unsigned bad = 0;

        call->easy = curl->easy_init();
        if (!call->easy)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        HTTP_SET(CURLOPT_PRIVATE, call);
        HTTP_SET(CURLOPT_ERRORBUFFER, call->curl_text);
        HTTP_SET(CURLOPT_URL, call->url);
        HTTP_SET(CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
        HTTP_SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        HTTP_SET(CURLOPT_FOLLOWLOCATION, 0L);
        HTTP_SET(CURLOPT_PROXY, "");
        HTTP_SET(CURLOPT_NOPROXY, "*");
        HTTP_SET(CURLOPT_NOSIGNAL, 1L);
        HTTP_SET(CURLOPT_FRESH_CONNECT, 1L);
        HTTP_SET(CURLOPT_FORBID_REUSE, call->discard && !call->connect_only ? 0L : 1L);
        HTTP_SET(CURLOPT_USERAGENT, "edge-roll");
        HTTP_SET(CURLOPT_HEADERFUNCTION, http_on_curl_header);
        HTTP_SET(CURLOPT_HEADERDATA, call);
        HTTP_SET(CURLOPT_WRITEFUNCTION, http_on_curl_body);
        HTTP_SET(CURLOPT_WRITEDATA, call);
        if (request->cookie)
                HTTP_SET(CURLOPT_COOKIE, request->cookie);
        if (call->connect_to.data)
                HTTP_SET(CURLOPT_CONNECT_TO, &call->connect_to);
        bad |= http_set_limits(call, request) | http_set_body(call, request) | http_set_trust(call, request);
        (void) curl->easy_setopt(call->easy, HTTP_OPT_QUICK_EXIT, 1L);
        return bad ? err_set(err, -ENOMEM, "Out of memory for an HTTP request") : 0;
}

int http_setup(HttpCall *call, const HttpRequest *request, Err *err)
{
        int r = http_copy_headers(call, request, err);
        if (r >= 0)
                r = http_name_server(call, request, err);
        if (r >= 0)
                r = http_at_address(call, request, err);
        return r < 0 ? r : http_set_all(call, request, err);
}
