/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/http.h"

#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/words.h"
#include "probes/http-impl.h"

#define HTTP_BODY_MAX    (1024 * 1024)
#define HTTP_HEADERS_MAX (64 * 1024)

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

const char *http_outcome_text(HttpOutcome outcome)
{
        return outcome >= 0 && outcome < HTTP_OUTCOME_COUNT ? http_outcome_texts[outcome] : "invalid";
}

static HttpCall *http_call_free(HttpCall *call)
{
        if (!call)
                return NULL;
        if (call->easy) {
                http_raw_leave(call);
                (void) call->http->curl->multi_remove_handle(call->http->multi, call->easy);
                call->http->curl->easy_cleanup(call->easy);
        }
        (void) sd_event_source_unref(call->patience);
        http1_done(&call->answer);
        free(call->request);
        free(call->connect_to.data);
        for (size_t i = 0; i < ELEMENTS(call->headers); i++)
                free(call->headers[i].data);
        free(call->body);
        free(call->url);
        free(call);
        return NULL;
}
DEFINE_CLEANUP(HttpCall, http_call_free);

/* It comes partly from outside (URL, libcurl's words about an answer) and may end in a D-Bus message, which
 * takes UTF-8 only. */
static void http_describe(HttpCall *call, const char *detail)
{
        char took[32], shown[256];

        (void) url_shown(call->url, shown, sizeof(shown));
        (void) time_format(call->elapsed_usec, took, sizeof(took));
        if (call->outcome == HTTP_ANSWER && call->certificate)
                (void) snprintf(call->text, sizeof(call->text), "%.200s: TLS handshake done after %s", shown,
                                took);
        else if (call->outcome == HTTP_ANSWER && call->connect_only)
                (void) snprintf(call->text, sizeof(call->text), "%.200s: connected after %s", shown, took);
        else if (call->outcome == HTTP_ANSWER)
                (void) snprintf(call->text, sizeof(call->text), "%.200s answered %ld after %s", shown,
                                call->raw ? call->answer.status : call->status, took);
        else
                (void) snprintf(call->text, sizeof(call->text), "%.200s: %s%s%.180s%s after %s", shown,
                                http_outcome_text(call->outcome), detail ? " (" : "", detail ? detail : "",
                                detail ? ")" : "", took);
        words_clean(call->text);
}

void http_end(HttpCall *call, HttpOutcome outcome, const char *detail)
{
        Http *h = call->http;

        call->outcome = outcome;
        call->elapsed_usec = time_now() - call->start_usec;
        http_describe(call, detail);
        call->patience = sd_event_source_unref(call->patience);
        if (call->easy) {
                http_raw_leave(call);
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
        if (call->too_large)
                return HTTP_TOO_LARGE;
        if (call->no_memory)
                return HTTP_INTERNAL;
        switch ((int) code) {
        case CURLE_OK:
                /* libcurl before 7.66 takes any bytes for an answer of HTTP/0.9, without a status. */
                return call->status >= 100 || call->certificate || call->connect_only ? HTTP_ANSWER
                                                                                      : HTTP_PROTOCOL;
        case CURLE_URL_MALFORMAT:
                return HTTP_BAD_URL;
        case CURLE_UNSUPPORTED_PROTOCOL:
                /* The same code for "ftp:" in a URL and for bytes that are no HTTP. */
                return http_was_connected(call) ? HTTP_PROTOCOL : HTTP_BAD_URL;
        case CURLE_COULDNT_RESOLVE_HOST:
                return HTTP_RESOLVE;
        case CURLE_COULDNT_CONNECT:
                return call->os_errno == ECONNREFUSED ? HTTP_REFUSED : HTTP_CONNECT;
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
        words_clean(call->location);
}

/* Drops what sockets are left, through our callback. */
static void http_close(Http *h)
{
        if (h->multi)
                (void) h->curl->multi_cleanup(h->multi);
        h->multi = NULL;
}

/*
 * The next request has a new multi handle: one that had no memory for a socket keeps half of what it knows of
 * it, and libcurl 7.88 divides by a zero in there when it comes by again.
 */
static void http_fail_all(Http *h)
{
        while (!TAILQ_EMPTY(&h->running))
                http_end(TAILQ_FIRST(&h->running), HTTP_INTERNAL, "its sockets cannot be watched");
        http_close(h);
        (void) sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        h->broken = false;
}

/* What libcurl tells of the far end's own certificate: "KEY:VALUE". Source: CURLINFO_CERTINFO(3): the first
 * of the chain. Return: VALUE, or NULL. */
static const char *http_certinfo(const HttpCall *call, const char *key)
{
        struct curl_certinfo *info = NULL;
        size_t len = strlen(key);

        if (call->http->curl->easy_getinfo(call->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
            info->num_of_certs < 1)
                return NULL;
        for (const struct curl_slist *s = info->certinfo[0]; s; s = s->next)
                if (strncmp(s->data, key, len) == 0 && s->data[len] == ':')
                        return s->data + len + 1;
        return NULL;
}

/* It becomes the body. */
static void http_keep_certificate(HttpCall *call)
{
        const char *pem = http_certinfo(call, "Cert");
        call->body_len = 0;
        if (pem)
                (void) http_on_curl_body((char *) (uintptr_t) pem, 1, strlen(pem), call);
}

static void http_keep_issuer(HttpCall *call)
{
        const char *subject = http_certinfo(call, "Subject"), *issuer = http_certinfo(call, "Issuer");
        call->self_signed = subject && issuer && strcmp(subject, issuer) == 0;
}

static void http_keep_numbers(HttpCall *call, CURLcode result)
{
        const CurlDl *curl = call->http->curl;
        long os_errno = 0;

        if (result == CURLE_OK)
                (void) curl->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
        else if (curl->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno) == CURLE_OK)
                call->os_errno = (int) os_errno;
}

/* Let libcurl work, then collect what has ended. No callback of ours is called from here. */
static void http_advance(Http *h, curl_socket_t fd, int events)
{
        int running, left;
        if (!h->multi)
                return; /* an event that came together with the one that failed all */
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
                http_keep_numbers(call, result);
                if (result == CURLE_OK && call->certificate)
                        http_keep_certificate(call);
                if (call->tell_self_signed)
                        http_keep_issuer(call);
                if (result == CURLE_OK && call->discard && !call->connect_only) {
                        http_raw_begin(call);
                        continue;
                }
                if (call->status >= 300 && call->status < 400)
                        http_keep_location(call);
                HttpOutcome outcome = http_judge(call, result);
                if (outcome != HTTP_ANSWER)
                        call->status = 0;
                const char *detail = *call->curl_text ? call->curl_text : h->curl->easy_strerror(result);
                http_end(call, outcome, result == CURLE_OK || call->too_large ? NULL : detail);
        }
        if (code != CURLM_OK || h->broken)
                http_fail_all(h);
}

static int http_on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
        http_advance(userdata, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

static void http_on_socket_event(Http *h, const struct epoll_event *e)
{
        int events = 0;
        if (e->events & (EPOLLIN | EPOLLHUP))
                events |= CURL_CSELECT_IN;
        if (e->events & EPOLLOUT)
                events |= CURL_CSELECT_OUT;
        if (e->events & EPOLLERR)
                events |= CURL_CSELECT_ERR;
        http_advance(h, e->data.fd, events);
}

/*
 * The sockets have an epoll of their own: sd-event takes one event at a time and asks the kernel for all of
 * them again, which with hundreds of sockets that are ready costs the square of their number. An event of a
 * socket that was closed meanwhile does no harm: libcurl ignores those it does not know.
 */
static int http_on_sockets(sd_event_source *source _unused_, int fd, uint32_t revents _unused_,
                           void *userdata)
{
        struct epoll_event events[64];
        int n = epoll_wait(fd, events, ELEMENTS(events), 0);
        for (int i = 0; i < n; i++)
                http_on_socket_event(userdata, &events[i]);
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
        if (call && !call->connected && getpeername(fd, (struct sockaddr *) &peer, &len) == 0 &&
            (peer.ss_family == AF_INET || peer.ss_family == AF_INET6)) {
                call->connected = true;
                if (call->read_usec == 0)
                        return;
                call->moved_usec = time_now();
                /* Which may be sooner than the end of the time to connect. */
                (void) sd_event_source_set_time(call->patience, time_add(call->moved_usec, call->read_usec));
        }
}

/* libcurl: watch this socket. @known: what was kept with it (curl_multi_assign): not NULL once it is watched.
 */
static int http_on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *known)
{
        Http *h = userdata;
        struct epoll_event e = { .data.fd = fd };

        if (what == CURL_POLL_REMOVE) {
                (void) epoll_ctl(h->poll, EPOLL_CTL_DEL, fd, NULL);
                (void) h->curl->multi_assign(h->multi, fd, NULL);
                return 0;
        }
        http_note_connected(h, easy, fd);
        if (what & CURL_POLL_IN)
                e.events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                e.events |= EPOLLOUT;
        if (epoll_ctl(h->poll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0 ||
            (!known && h->curl->multi_assign(h->multi, fd, h) != CURLM_OK))
                h->broken = true;
        return 0;
}

/*
 * The limit to one wait: first for the connection, then for whatever comes next. It is not moved with each
 * byte, but looks, when it has passed, whether something came meanwhile.
 */
static int http_on_patience(sd_event_source *source, uint64_t usec _unused_, void *userdata)
{
        HttpCall *call = userdata;
        char why[64], limit[32];
        bool connected = http_was_connected(call);

        if (call->raw) {
                http_raw_on_patience(call);
                return 0;
        }
        if (connected && call->moved_usec == 0)
                call->moved_usec = call->start_usec + (Usec) http_info(call, CURLINFO_CONNECT_TIME_T);
        Usec wait = connected ? call->read_usec : call->connect_usec;
        Usec until = time_add(connected ? call->moved_usec : call->start_usec, wait);
        if (time_now() < until) {
                (void) sd_event_source_set_time(source, until);
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                return 0;
        }
        (void) snprintf(why, sizeof(why), "nothing for %s", time_format(wait, limit, sizeof(limit)));
        http_end(call, connected ? http_judge_stage(call) : HTTP_CONNECT, why);
        return 0;
}

static int http_start_patience(HttpCall *call, Err *err)
{
        Http *h = call->http;
        if (call->read_usec == 0)
                return 0;
        /* When both limits are equal there is one wake-up. */
        int r = sd_event_add_time(h->event, &call->patience, CLOCK_MONOTONIC,
                                  time_add(call->start_usec, call->connect_usec), USEC_PER_MSEC,
                                  http_on_patience, call);
        return r < 0 ? err_errno(err, r, "Cannot limit an HTTP request") : 0;
}

size_t http_on_curl_header(char *data _unused_, size_t size, size_t n, void *userdata)
{
        HttpCall *call = userdata;
        size_t len = size * n;

        call->header_bytes += len;
        if (call->header_bytes > HTTP_HEADERS_MAX) {
                call->too_large = true;
                return 0;
        }
        if (call->read_usec > 0)
                call->moved_usec = time_now();
        return len;
}

size_t http_on_curl_body(char *data, size_t size, size_t n, void *userdata)
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
                .status = call->raw && whole ? call->answer.status : call->status,
                .location = call->location,
                .body = whole && call->body ? call->body : "",
                .body_len = whole ? call->body_len : 0,
                .text = call->text,
                .elapsed_usec = call->elapsed_usec,
                .os_errno = call->os_errno,
                .part = http1_part(&call->answer),
                .cut = call->answer.cut,
                .self_signed = call->self_signed,
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
        h->poll = h->raw_poll = -1;
        TAILQ_INIT(&h->running);
        TAILQ_INIT(&h->finished);
        h->event = sd_event_ref(e);

        h->poll = epoll_create1(EPOLL_CLOEXEC);
        h->raw_poll = epoll_create1(EPOLL_CLOEXEC);
        int r = h->poll < 0 || h->raw_poll < 0
                        ? -errno
                        : sd_event_add_io(e, &h->sockets, h->poll, EPOLLIN, http_on_sockets, h);
        if (r >= 0)
                r = sd_event_add_io(e, &h->raws, h->raw_poll, EPOLLIN, http_raw_on_sockets, h);
        if (r >= 0)
                r = sd_event_add_time(e, &h->timer, CLOCK_MONOTONIC, 0, 1, http_on_timer, h);
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
        http_close(h);
        (void) sd_event_source_unref(h->sockets);
        closep(&h->poll);
        (void) sd_event_source_unref(h->raws);
        closep(&h->raw_poll);
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
                http_close(h);
                return err_set(err, -ENOMEM, "Out of memory for HTTP requests");
        }
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
        call->connect_only = request->connect_only;
        call->discard = request->discard;
        http1_init(&call->answer, call->body_max, request->line, userdata);
        call->end_usec = time_add(call->start_usec, http_total_usec(request));
        call->tell_self_signed = request->tls && request->tls->tell_self_signed;

        char why[128];
        HttpOutcome outcome = http_check(h, request, why, sizeof(why));
        if (outcome == HTTP_ANSWER && call->discard && !call->connect_only &&
            http1_request(request, &call->request, &call->request_len) < 0)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        if (outcome == HTTP_ANSWER &&
            ((r = http_setup(call, request, err)) < 0 || (r = http_start_patience(call, err)) < 0))
                return r;
        if (outcome == HTTP_ANSWER && h->curl->multi_add_handle(h->multi, call->easy) != CURLM_OK)
                return err_set(err, -ENOMEM, "Out of memory for an HTTP request");
        TAILQ_INSERT_TAIL(&h->running, call, entry);
        if (ret)
                *ret = call;
        if (outcome != HTTP_ANSWER)
                http_end(call, outcome, why);
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
