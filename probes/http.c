/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/http.h"

#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "probes/curl-dl.h"

#define HTTP_CONNECT_USEC (2 * USEC_PER_SEC)
#define HTTP_TOTAL_USEC   (5 * USEC_PER_SEC)
#define HTTP_BODY_MAX     (1024 * 1024)
#define HTTP_HEADERS_MAX  (64 * 1024)
#define HTTP_URL_MAX      (8 * 1024)

/* libcurl 7.87 and later, where it makes names safe (CurlDl.names_block); older ones do not know it. */
#define HTTP_OPT_QUICK_EXIT ((CURLoption) (CURLOPTTYPE_LONG + 322))

typedef TAILQ_HEAD(HttpQueue, HttpCall) HttpQueue;

struct Http {
        sd_event *event;
        sd_event_source *timer;   /* libcurl's one timer */
        sd_event_source *deliver; /* runs while `finished` is not empty */
        const CurlDl *curl;       /* NULL until the first request */
        CURLM *multi;
        HttpQueue running;
        HttpQueue finished; /* judged, off the multi handle, waiting for its callback */
        bool broken;        /* a socket could not be watched: nothing running can be trusted to end */
};

struct HttpCall {
        TAILQ_ENTRY(HttpCall) entry;
        Http *http; /* NULL while its callback runs */
        CURL *easy; /* NULL once finished */
        HttpFn fn;
        void *userdata;

        char *url;
        size_t post_len;
        Usec start_usec, elapsed_usec;

        char *body;
        size_t body_len, body_size, body_max;
        size_t header_bytes;
        bool connected, too_large, no_memory, certificate;
        struct curl_slist connect_to; /* our own: libcurl only reads it */
        struct curl_slist headers[HTTP_EXTRA_MAX + 1];
        char location[256];

        HttpOutcome outcome;
        long status;
        char text[512];
        char curl_text[CURL_ERROR_SIZE];
};

static const char *const http_outcome_names[] = {
        [HTTP_ANSWER] = "answer",       [HTTP_BAD_URL] = "bad-url",     [HTTP_RESOLVE] = "resolve",
        [HTTP_REFUSED] = "refused",     [HTTP_CONNECT] = "connect",     [HTTP_TLS] = "tls",
        [HTTP_SEND] = "send",           [HTTP_NO_ANSWER] = "no-answer", [HTTP_TRUNCATED] = "truncated",
        [HTTP_TOO_LARGE] = "too-large", [HTTP_PROTOCOL] = "protocol",   [HTTP_INTERNAL] = "internal",
};
_Static_assert(ELEMENTS(http_outcome_names) == HTTP_OUTCOME_COUNT, "every outcome has a name");

/* What a person reads about each outcome, between URL and duration. */
static const char *const http_outcome_texts[] = {
        [HTTP_ANSWER] = "answered",
        [HTTP_BAD_URL] = "not usable as an http or https request",
        [HTTP_RESOLVE] = "the name was not resolved",
        [HTTP_REFUSED] = "connection refused",
        [HTTP_CONNECT] = "no connection",
        [HTTP_TLS] = "no TLS session",
        [HTTP_SEND] = "connection lost while sending the request",
        [HTTP_NO_ANSWER] = "connected, but no answer",
        [HTTP_TRUNCATED] = "the answer stopped before its end",
        [HTTP_TOO_LARGE] = "the answer is larger than allowed",
        [HTTP_PROTOCOL] = "the answer is not HTTP",
        [HTTP_INTERNAL] = "the request failed here",
};
_Static_assert(ELEMENTS(http_outcome_texts) == HTTP_OUTCOME_COUNT, "every outcome has a text");

const char *http_outcome_name(HttpOutcome outcome)
{
        return outcome >= 0 && outcome < HTTP_OUTCOME_COUNT ? http_outcome_names[outcome] : "invalid";
}

static size_t http_on_curl_body(char *data, size_t size, size_t n, void *userdata);

static HttpCall *http_call_free(HttpCall *call)
{
        if (!call)
                return NULL;
        if (call->easy) {
                (void) call->http->curl->multi_remove_handle(call->http->multi, call->easy);
                call->http->curl->easy_cleanup(call->easy);
        }
        free(call->connect_to.data);
        for (size_t i = 0; i < ELEMENTS(call->headers); i++)
                free(call->headers[i].data);
        free(call->body);
        free(call->url);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(HttpCall, http_call_free);

/*
 * What is written for people comes partly from outside (URL, libcurl's words about an answer) and may end in
 * a D-Bus message, which takes UTF-8 only.
 */
static void http_ascii(char *s)
{
        for (; *s; s++)
                if ((unsigned char) *s < 0x20 || (unsigned char) *s >= 0x7f)
                        *s = '?';
}

static void http_describe(HttpCall *call, const char *detail)
{
        char took[32];

        (void) time_format(call->elapsed_usec, took, sizeof(took));
        if (call->outcome == HTTP_ANSWER && call->certificate)
                (void) snprintf(call->text, sizeof(call->text), "%.200s: TLS handshake done after %s",
                                call->url, took);
        else if (call->outcome == HTTP_ANSWER)
                (void) snprintf(call->text, sizeof(call->text), "%.200s answered %ld after %s", call->url,
                                call->status, took);
        else
                (void) snprintf(call->text, sizeof(call->text), "%.200s: %s%s%.180s%s after %s", call->url,
                                http_outcome_texts[call->outcome], detail ? " (" : "", detail ? detail : "",
                                detail ? ")" : "", took);
        http_ascii(call->text);
}

/* Take @call off libcurl and queue it for its callback. */
static void http_finish(HttpCall *call, HttpOutcome outcome, const char *detail)
{
        Http *h = call->http;

        call->outcome = outcome;
        call->elapsed_usec = time_now() - call->start_usec;
        http_describe(call, detail);
        if (call->easy) {
                (void) h->curl->multi_remove_handle(h->multi, call->easy);
                h->curl->easy_cleanup(call->easy);
                call->easy = NULL;
        }
        TAILQ_REMOVE(&h->running, call, entry);
        TAILQ_INSERT_TAIL(&h->finished, call, entry);
        (void) sd_event_source_set_enabled(h->deliver, SD_EVENT_ONESHOT);
}

static curl_off_t http_info(const HttpCall *call, CURLINFO info)
{
        curl_off_t value = 0;
        (void) call->http->curl->easy_getinfo(call->easy, info, &value);
        return value;
}

/* libcurl's own word comes too late where TLS hangs, ours where an answer is there at once: either will do.
 */
static bool http_was_connected(const HttpCall *call)
{
        return call->connected || http_info(call, CURLINFO_CONNECT_TIME_T) > 0;
}

/* How far the request had come when its time was up or its connection was lost. */
static HttpOutcome http_judge_stage(const HttpCall *call)
{
        if (http_info(call, CURLINFO_NAMELOOKUP_TIME_T) == 0)
                return HTTP_RESOLVE;
        if (!http_was_connected(call))
                return HTTP_CONNECT;
        if (strncasecmp(call->url, "https:", 6) == 0 && http_info(call, CURLINFO_APPCONNECT_TIME_T) == 0)
                return HTTP_TLS;
        if ((size_t) http_info(call, CURLINFO_SIZE_UPLOAD_T) < call->post_len)
                return HTTP_SEND;
        if (call->header_bytes == 0 && http_info(call, CURLINFO_STARTTRANSFER_TIME_T) == 0)
                return HTTP_NO_ANSWER;
        return HTTP_TRUNCATED;
}

static HttpOutcome http_judge(const HttpCall *call, CURLcode code)
{
        long os_errno = 0;

        if (call->too_large)
                return HTTP_TOO_LARGE;
        if (call->no_memory)
                return HTTP_INTERNAL;
        switch ((int) code) {
        case CURLE_OK:
                /* libcurl before 7.66 takes any bytes for an answer of HTTP/0.9, without a status. */
                return call->status >= 100 || call->certificate ? HTTP_ANSWER : HTTP_PROTOCOL;
        case CURLE_URL_MALFORMAT:
                return HTTP_BAD_URL;
        case CURLE_UNSUPPORTED_PROTOCOL:
                /* The same code for "ftp:" in a URL and for bytes that are no HTTP. */
                return http_was_connected(call) ? HTTP_PROTOCOL : HTTP_BAD_URL;
        case CURLE_COULDNT_RESOLVE_HOST:
                return HTTP_RESOLVE;
        case CURLE_COULDNT_CONNECT:
                (void) call->http->curl->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
                return os_errno == ECONNREFUSED ? HTTP_REFUSED : HTTP_CONNECT;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS:
                return HTTP_TLS;
        case CURLE_SEND_ERROR:
                return HTTP_SEND;
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_RECV_ERROR:
                return http_judge_stage(call);
        case CURLE_GOT_NOTHING:
                return HTTP_NO_ANSWER;
        case CURLE_PARTIAL_FILE:
                return HTTP_TRUNCATED;
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_BAD_CONTENT_ENCODING:
                return HTTP_PROTOCOL;
        case CURLE_OUT_OF_MEMORY:
        case 100: /* CURLE_TOO_LARGE of libcurl 8.6 */
                /* A single header line over 100 KiB; before 8.6 libcurl had no other word for it. */
                return http_info(call, CURLINFO_STARTTRANSFER_TIME_T) == 0 ? HTTP_INTERNAL : HTTP_TOO_LARGE;
        default:
                return HTTP_INTERNAL;
        }
}

/* Source: CURLINFO_REDIRECT_URL(3). Behind '?' there may be what is nobody's business. */
static void http_keep_location(HttpCall *call)
{
        char *url = NULL;
        if (call->http->curl->easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || !url)
                return;
        (void) snprintf(call->location, sizeof(call->location), "%.*s", (int) strcspn(url, "?#"), url);
        http_ascii(call->location);
}

static void http_fail_all(Http *h)
{
        while (!TAILQ_EMPTY(&h->running))
                http_finish(TAILQ_FIRST(&h->running), HTTP_INTERNAL, "its sockets cannot be watched");
        h->broken = false;
}

/* The far end's own certificate becomes the body. Source: CURLINFO_CERTINFO(3): the first of the chain. */
static void http_keep_certificate(HttpCall *call)
{
        static const char key[] = "Cert:";
        struct curl_certinfo *info = NULL;

        if (call->http->curl->easy_getinfo(call->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
            info->num_of_certs < 1)
                return;
        for (const struct curl_slist *s = info->certinfo[0]; s; s = s->next)
                if (strncmp(s->data, key, sizeof(key) - 1) == 0) {
                        call->body_len = 0;
                        (void) http_on_curl_body(s->data + sizeof(key) - 1, 1,
                                                 strlen(s->data) - (sizeof(key) - 1), call);
                        return;
                }
}

/* Let libcurl work, then collect what has ended. No callback of ours is called from here. */
static void http_advance(Http *h, curl_socket_t fd, int events)
{
        int running, left;
        CURLMcode code = h->curl->multi_socket_action(h->multi, fd, events, &running);

        for (;;) {
                CURLMsg *msg = h->curl->multi_info_read(h->multi, &left);
                if (!msg)
                        break;
                if (msg->msg != CURLMSG_DONE)
                        continue;

                HttpCall *call = NULL;
                CURLcode result = msg->data.result; /* msg dies with the easy handle */
                (void) h->curl->easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **) &call);
                if (result == CURLE_OK)
                        (void) h->curl->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
                if (result == CURLE_OK && call->certificate)
                        http_keep_certificate(call);
                if (call->status >= 300 && call->status < 400)
                        http_keep_location(call);
                HttpOutcome outcome = http_judge(call, result);
                if (outcome != HTTP_ANSWER)
                        call->status = 0;
                const char *detail = *call->curl_text ? call->curl_text : h->curl->easy_strerror(result);
                http_finish(call, outcome, result == CURLE_OK || call->too_large ? NULL : detail);
        }
        if (code != CURLM_OK || h->broken)
                http_fail_all(h);
}

static int http_on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        http_advance(userdata, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static int http_on_io(sd_event_source *source _unused_, int fd, uint32_t revents, void *userdata)
{
        int events = 0;
        if (revents & (EPOLLIN | EPOLLHUP))
                events |= CURL_CSELECT_IN;
        if (revents & EPOLLOUT)
                events |= CURL_CSELECT_OUT;
        if (revents & EPOLLERR)
                events |= CURL_CSELECT_ERR;
        http_advance(userdata, fd, events);
        return 0;
}

/* libcurl: wake me in @timeout_ms; it must not be called from within this. */
static int http_on_curl_timer(CURLM *multi _unused_, long timeout_ms, void *userdata)
{
        Http *h = userdata;

        if (timeout_ms < 0) {
                (void) sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
                return 0;
        }
        (void) sd_event_source_set_time(h->timer, time_add(time_now(), (Usec) timeout_ms * USEC_PER_MSEC));
        (void) sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
        return 0;
}

/*
 * Is this socket connected? CURLINFO_CONNECT_TIME_T does not tell before the TLS handshake is over (seen with
 * libcurl 7.88), but whenever libcurl begins to wait for the far end it comes by here. Its lookup threads'
 * socket pairs are connected too, but not to an address.
 */
static void http_note_connected(Http *h, CURL *easy, curl_socket_t fd)
{
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        HttpCall *call = NULL;

        (void) h->curl->easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &call);
        if (call && getpeername(fd, (struct sockaddr *) &peer, &len) == 0 &&
            (peer.ss_family == AF_INET || peer.ss_family == AF_INET6))
                call->connected = true;
}

/* libcurl: watch this socket. The source is kept in the socket's own slot (curl_multi_assign). */
static int http_on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
        Http *h = userdata;
        sd_event_source *source = socketp;
        uint32_t events = 0;
        int r;

        if (what == CURL_POLL_REMOVE) {
                (void) sd_event_source_unref(source);
                (void) h->curl->multi_assign(h->multi, fd, NULL);
                return 0;
        }
        http_note_connected(h, easy, fd);
        if (what & CURL_POLL_IN)
                events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                events |= EPOLLOUT;
        if (source)
                r = sd_event_source_set_io_events(source, events);
        else {
                r = sd_event_add_io(h->event, &source, fd, events, http_on_io, h);
                if (r >= 0 && h->curl->multi_assign(h->multi, fd, source) != CURLM_OK) {
                        (void) sd_event_source_unref(source);
                        r = -ENOMEM;
                }
        }
        if (r < 0)
                h->broken = true;
        return 0;
}

static size_t http_on_curl_header(char *data _unused_, size_t size, size_t n, void *userdata)
{
        HttpCall *call = userdata;

        call->header_bytes += size * n;
        if (call->header_bytes > HTTP_HEADERS_MAX) {
                call->too_large = true;
                return 0;
        }
        return size * n;
}

static size_t http_on_curl_body(char *data, size_t size, size_t n, void *userdata)
{
        HttpCall *call = userdata;
        size_t len = size * n;

        if (len > call->body_max - call->body_len) {
                call->too_large = true;
                return 0;
        }
        if (call->body_len + len + 1 > call->body_size) {
                size_t want = MAX(call->body_len + len + 1, MIN(call->body_size * 2, call->body_max + 1));
                char *body = realloc(call->body, want);
                if (!body) {
                        call->no_memory = true;
                        return 0;
                }
                call->body = body;
                call->body_size = want;
        }
        memcpy(call->body + call->body_len, data, len);
        call->body_len += len;
        call->body[call->body_len] = '\0';
        return len;
}

static int http_on_deliver(sd_event_source *source, void *userdata)
{
        Http *h = userdata;
        _cleanup_(http_call_freep) HttpCall *call = TAILQ_FIRST(&h->finished);

        if (!call)
                return 0; /* cancelled meanwhile */
        TAILQ_REMOVE(&h->finished, call, entry);
        if (!TAILQ_EMPTY(&h->finished))
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);

        bool whole = call->outcome == HTTP_ANSWER;
        HttpResult result = {
                .outcome = call->outcome,
                .status = call->status,
                .location = call->location,
                .body = whole && call->body ? call->body : "",
                .body_len = whole ? call->body_len : 0,
                .text = call->text,
                .elapsed_usec = call->elapsed_usec,
        };
        call->http = NULL; /* from here on the callback may free it */
        call->fn(&result, call->userdata);
        return 0;
}

int http_new(Http **ret, sd_event *e, Err *err)
{
        _cleanup_(http_freep) Http *h = calloc(1, sizeof(*h));
        if (!h)
                return err_errno(err, -ENOMEM, "Cannot prepare HTTP requests");
        TAILQ_INIT(&h->running);
        TAILQ_INIT(&h->finished);
        h->event = sd_event_ref(e);

        int r = sd_event_add_time(e, &h->timer, CLOCK_MONOTONIC, 0, 1, http_on_timer, h);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(e, &h->deliver, http_on_deliver, h);
        if (r >= 0)
                r = sd_event_source_set_enabled(h->deliver, SD_EVENT_OFF);
        if (r < 0)
                return err_errno(err, r, "Cannot prepare HTTP requests");
        *ret = TAKE_PTR(h);
        return 0;
}

Http *http_free(Http *h)
{
        if (!h)
                return NULL;
        while (!TAILQ_EMPTY(&h->running))
                (void) http_cancel(TAILQ_FIRST(&h->running));
        while (!TAILQ_EMPTY(&h->finished))
                (void) http_cancel(TAILQ_FIRST(&h->finished));
        if (h->multi)
                (void) h->curl->multi_cleanup(
                        h->multi); /* drops what sockets are left, through our callback */
        (void) sd_event_source_unref(h->timer);
        (void) sd_event_source_unref(h->deliver);
        (void) sd_event_unref(h->event);
        free(h);
        return NULL;
}

static int http_open(Http *h, Err *err)
{
        unsigned bad = 0;

        if (h->multi)
                return 0;
        int r = curl_dl_load(&h->curl, err);
        if (r < 0)
                return r;
        h->multi = h->curl->multi_init();
        if (!h->multi)
                return err_set(err, -ENOMEM, "Out of memory for HTTP requests");
        bad |= (unsigned) h->curl->multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, http_on_curl_socket);
        bad |= (unsigned) h->curl->multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
        bad |= (unsigned) h->curl->multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, http_on_curl_timer);
        bad |= (unsigned) h->curl->multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
        if (bad) {
                (void) h->curl->multi_cleanup(h->multi);
                h->multi = NULL;
                return err_set(err, -ENOMEM, "Out of memory for HTTP requests");
        }
        return 0;
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

/* A name of letters and the like, a colon, and nothing that ends the line. */
static bool http_header_ok(const char *header)
{
        const char *colon = strchr(header, ':');
        if (!colon || colon == header || !http_is_visible(header, ' '))
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

/*
 * Can this be sent at all? Nothing that could smuggle a second header or request into ours (old libcurl does
 * not check), and no name that would stop the loop.
 * Return: HTTP_ANSWER when it can, else how it ends, and @why.
 */
static HttpOutcome http_check(const Http *h, const HttpRequest *request, char *why, size_t size)
{
        if (strlen(request->url) > HTTP_URL_MAX || !http_is_visible(request->url, '!') ||
            (request->cookie && !http_is_visible(request->cookie, ' ')) ||
            !http_headers_ok(request->headers) || !http_method_ok(request->method)) {
                (void) snprintf(why, size, "too long, or characters that do not belong there");
                return HTTP_BAD_URL;
        }
        /* The first colon ends the user: one in its name would make another user of it. */
        if (request->user && strchr(request->user, ':')) {
                (void) snprintf(why, size, "a user with ':' in its name");
                return HTTP_BAD_URL;
        }
        if (h->curl->names_block && !request->may_block && http_host_is_name(request->url)) {
                (void) snprintf(why, size, "libcurl %.20s cannot do it safely; write the host as a number",
                                h->curl->version);
                return HTTP_RESOLVE;
        }
        return HTTP_ANSWER;
}

/*
 * The name is what the far end is asked for, the address of the URL is where it is: libcurl takes the name of
 * the URL for both unless it is told where to connect. Nothing is looked up then.
 */
static int http_name_server(HttpCall *call, const HttpRequest *request, Err *err)
{
        const char *host = strstr(request->url, "://");
        if (!request->certificate || !request->server_name || !*request->server_name || !host)
                return 0;
        host += 3;
        size_t len = strcspn(host, "/?#");
        _cleanup_(freep) char *url = NULL, *to = NULL;
        const char *port = memrchr(host, ':', len);
        if (!port || asprintf(&to, "::%.*s", (int) len, host) < 0)
                return err_set(err, port ? -ENOMEM : -EINVAL, "%s",
                               port ? "out of memory" : "a URL without port");
        if (asprintf(&url, "https://%.255s%.*s/", request->server_name, (int) (host + len - port), port) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        free(call->url);
        call->url = TAKE_PTR(url);
        call->connect_to = (struct curl_slist){ .data = TAKE_PTR(to) };
        return 0;
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

static int http_call_setup(HttpCall *call, const HttpRequest *request, Err *err)
{
        const CurlDl *curl = call->http->curl;
        unsigned bad = 0;

        call->easy = curl->easy_init();
        if (!call->easy)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");

#define HTTP_SET(option, value) bad |= (unsigned) curl->easy_setopt(call->easy, option, value)
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
        HTTP_SET(CURLOPT_FORBID_REUSE, 1L);
        HTTP_SET(CURLOPT_CONNECTTIMEOUT_MS, http_msec(request->connect_usec, HTTP_CONNECT_USEC));
        HTTP_SET(CURLOPT_TIMEOUT_MS, http_msec(request->total_usec, HTTP_TOTAL_USEC));
        HTTP_SET(CURLOPT_USERAGENT, "edge-roll");
        HTTP_SET(CURLOPT_HEADERFUNCTION, http_on_curl_header);
        HTTP_SET(CURLOPT_HEADERDATA, call);
        HTTP_SET(CURLOPT_WRITEFUNCTION, http_on_curl_body);
        HTTP_SET(CURLOPT_WRITEDATA, call);
        if (request->cookie)
                HTTP_SET(CURLOPT_COOKIE, request->cookie);
        if (request->user && request->password) {
                HTTP_SET(CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
                HTTP_SET(CURLOPT_USERNAME, request->user);
                HTTP_SET(CURLOPT_PASSWORD, request->password);
        }
        if (request->ca_file)
                HTTP_SET(CURLOPT_CAINFO, request->ca_file);
        if (request->post_body) {
                HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) call->post_len);
                HTTP_SET(CURLOPT_COPYPOSTFIELDS, request->post_body);
        }
        if (request->method)
                HTTP_SET(CURLOPT_CUSTOMREQUEST, request->method);
        if (call->headers[0].data)
                HTTP_SET(CURLOPT_HTTPHEADER, call->headers);
        if (call->certificate) {
                HTTP_SET(CURLOPT_CONNECT_ONLY, 1L);
                HTTP_SET(CURLOPT_SSL_VERIFYPEER, 0L);
                HTTP_SET(CURLOPT_SSL_VERIFYHOST, 0L);
        }
        if (call->connect_to.data)
                HTTP_SET(CURLOPT_CONNECT_TO, &call->connect_to);
#undef HTTP_SET
        /* A TLS library that cannot tell the certificate says so by telling none. */
        if (call->certificate)
                (void) curl->easy_setopt(call->easy, CURLOPT_CERTINFO, 1L);
        (void) curl->easy_setopt(call->easy, HTTP_OPT_QUICK_EXIT, 1L);
        if (bad || curl->multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        return 0;
}

int http_start(Http *h, const HttpRequest *request, HttpFn fn, void *userdata, HttpCall **ret, Err *err)
{
        int r = http_open(h, err);
        if (r < 0)
                return r;

        _cleanup_(http_call_freep) HttpCall *call = calloc(1, sizeof(*call));
        if (call)
                call->url = strdup(request->url);
        if (!call || !call->url)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        call->http = h;
        call->fn = fn;
        call->userdata = userdata;
        call->start_usec = time_now();
        call->body_max = request->max_body_bytes > 0 ? request->max_body_bytes : HTTP_BODY_MAX;
        call->post_len = request->post_body ? strlen(request->post_body) : 0;
        call->certificate = request->certificate;
        if ((r = http_name_server(call, request, err)) < 0)
                return r;

        char why[128];
        HttpOutcome outcome = http_check(h, request, why, sizeof(why));
        if (outcome == HTTP_ANSWER) {
                if ((r = http_copy_headers(call, request, err)) < 0)
                        return r;
                r = http_call_setup(call, request, err);
                if (r < 0)
                        return r;
        }
        TAILQ_INSERT_TAIL(&h->running, call, entry);
        if (ret)
                *ret = call;
        if (outcome != HTTP_ANSWER)
                http_finish(call, outcome, why);
        TAKE_PTR(call);
        return 0;
}

HttpCall *http_cancel(HttpCall *call)
{
        if (!call || !call->http)
                return NULL;
        TAILQ_REMOVE(call->easy ? &call->http->running : &call->http->finished, call, entry);
        return http_call_free(call);
}
