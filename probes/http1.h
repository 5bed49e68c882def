/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One request of HTTP/1.1 as bytes, and its answer read from bytes as they come: what plain.c does over a
 * socket and http-raw.c over TLS, so that the same bytes are judged alike. Pure. The body is counted and
 * thrown away; of the header each line is told.
 *
 * Source: RFC 9112 (HTTP/1.1), sections 2 to 7.
 */

#include "probes/http.h"

#define HTTP1_HEADERS_MAX (64 * 1024)

typedef enum Http1State {
        HTTP1_STATUS, /* its line, or what stands for one */
        HTTP1_HEADERS,
        HTTP1_BODY,       /* `left` bytes of it */
        HTTP1_TO_THE_END, /* until the far end closes */
        HTTP1_CHUNK_SIZE,
        HTTP1_CHUNK,
        HTTP1_CHUNK_END,
        HTTP1_TRAILERS,
        HTTP1_OVER, /* the answer is whole */
} Http1State;

/* An answer; made by http1_init(). */
typedef struct Http1 {
        Http1State state;
        HttpLineFn line;
        void *userdata;
        char *partial; /* a line that is not whole yet */
        size_t partial_len, partial_size;
        size_t header_bytes, body_len, body_max;
        uint64_t left; /* of the body, or of its chunk */
        bool chunked, has_length;
        bool heard;      /* a byte came */
        bool cut;        /* the body is longer than what is read of it */
        long status;     /* of the last status line */
        const char *why; /* what is wrong with it, where there is a word for it; NULL */
} Http1;

/* http1_init() - before the first byte. @line: NULL, or told each line of the header. */
void http1_init(Http1 *a, size_t body_max, HttpLineFn line, void *userdata);
void http1_done(Http1 *a);

/*
 * http1_feed() - more of it. Return: true when it is over, and @ret says how: HTTP_ANSWER (whole, or `cut`),
 * HTTP_PROTOCOL, HTTP_TRUNCATED (a body that contradicts itself), HTTP_TOO_LARGE, HTTP_INTERNAL (no memory).
 */
bool http1_feed(Http1 *a, const char *data, size_t len, HttpOutcome *ret);

/*
 * http1_stage() - how it ends where nothing more comes. @closed: the far end has closed in the regular way,
 * which is how some bodies end; else time was up or the connection was lost. @sent: the whole request was.
 */
HttpOutcome http1_stage(const Http1 *a, bool closed, bool sent);

/* http1_part() - how far it has come. */
HttpPart http1_part(const Http1 *a);

/*
 * http1_request() - what is sent. Of @request these count: url, method, post_body, headers; it must be one
 * that http_request_ok() lets pass. @ret: to be freed. Return: 0; -ENOMEM.
 */
int http1_request(const HttpRequest *request, char **ret, size_t *ret_len) _must_check_;
