/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Between http.c and http-setup.c; nobody else includes this. */

#include <sys/queue.h>

#include "probes/curl-dl.h"
#include "probes/http.h"

typedef TAILQ_HEAD(HttpQueue, HttpCall) HttpQueue;

struct Http {
        sd_event *event;
        int poll;                 /* of libcurl's sockets */
        sd_event_source *sockets; /* ... and its events */
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
        bool cut;                     /* the body was larger than what is read of it; only with discard */
        struct curl_slist connect_to; /* our own: libcurl only reads it */
        struct curl_slist headers[HTTP_EXTRA_MAX + 1];
        char location[256];

        bool self_signed, tell_self_signed;
        HttpLineFn line;
        bool in_body; /* the header is over */
        Usec connect_usec, read_usec;
        Usec moved_usec;           /* connected, or last heard of; 0: not connected */
        sd_event_source *patience; /* with read_usec */

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

/* What libcurl calls; http.c has them. */
size_t http_on_curl_header(char *data, size_t size, size_t n, void *userdata);
size_t http_on_curl_body(char *data, size_t size, size_t n, void *userdata);
