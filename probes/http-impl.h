/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Between http.c and http-setup.c; nobody else includes this. */

#include <sys/queue.h>

#include "probes/curl-dl.h"
#include "probes/http1.h"

typedef TAILQ_HEAD(HttpQueue, HttpCall) HttpQueue;

struct Http {
        sd_event *event;
        int poll;                 /* of libcurl's sockets */
        sd_event_source *sockets; /* ... and its events */
        int raw_poll;             /* of sockets that http-raw.c reads, */
        sd_event_source *raws;    /* ... and its events */
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
        bool connected, too_large, no_memory, certificate, connect_only, discard;
        struct curl_slist connect_to; /* our own: libcurl only reads it */
        struct curl_slist headers[HTTP_EXTRA_MAX + 1];
        char location[256];

        bool self_signed, tell_self_signed;
        Usec connect_usec, read_usec, end_usec;
        Usec moved_usec;           /* connected, or last heard of; 0: not connected */
        sd_event_source *patience; /* with read_usec */

        /* With discard, once it is connected: http-raw.c. */
        bool raw;
        curl_socket_t raw_fd; /* libcurl's */
        uint32_t raw_events;
        char *request;
        size_t request_len, sent;
        Http1 answer;

        HttpOutcome outcome;
        long status;
        int os_errno;
        char text[512];
        char curl_text[CURL_ERROR_SIZE];
};

/*
 * http_setup() - everything that is told to libcurl about a request; http_start() adds the call to the multi
 * handle. Return: 0; -ENOMEM; -EINVAL.
 */
int http_setup(HttpCall *call, const HttpRequest *request, Err *err) _must_check_;

/*
 * http_check() - can this be sent at all? Nothing that could smuggle a second header or request into ours
 * (old libcurl does not check), and no name that would stop the loop. Return: HTTP_ANSWER when it can, else
 * how it ends, and @why.
 */
HttpOutcome http_check(const Http *h, const HttpRequest *request, char *why, size_t size);

/* http_total_usec() - the limit to the whole. */
Usec http_total_usec(const HttpRequest *request);

/* http_end() - take @call off libcurl and queue it for its callback. @detail: what happened, or NULL. */
void http_end(HttpCall *call, HttpOutcome outcome, const char *detail);

/* http_raw_begin() - it is connected: from here on by ourselves. May end it. */
void http_raw_begin(HttpCall *call);
/* http_raw_leave() - its socket is watched no more; before libcurl closes it. */
void http_raw_leave(HttpCall *call);
int http_raw_on_sockets(sd_event_source *source, int fd, uint32_t revents, void *userdata);
void http_raw_on_patience(HttpCall *call);

/* What libcurl calls; http.c has them. */
size_t http_on_curl_header(char *data, size_t size, size_t n, void *userdata);
size_t http_on_curl_body(char *data, size_t size, size_t n, void *userdata);
