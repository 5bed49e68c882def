/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * HTTP requests on an sd-event loop: libcurl's multi interface, loaded with dlopen at the first
 * request, because it costs 15 ms and megabytes that most calls of the program never need.
 *
 * Everything the far end controls is bounded: connect time, whole time (dripping does not prolong it), header
 * and body size, redirects (none are followed), protocols (http and https only). Proxies from the environment
 * are ignored. Each request has a connection of its own: a reused one would prove less about the far end.
 *
 * Hosts are numbers or localhost. Other names are looked up by a thread of libcurl's, with libcurl 7.87 and
 * later; older ones (RHEL 8 and 9) would stop the loop while DNS is silent, so there a name is HTTP_RESOLVE
 * at once, unless the caller says that the loop may be stopped.
 *
 * Source: libcurl-multi(3), curl_multi_socket_action(3), CURLOPT_QUICK_EXIT(3).
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"

#define HTTP_EXTRA_MAX 32 /* headers of a request besides ours */

typedef struct Http Http;
typedef struct HttpCall HttpCall;

/* One value per observable end, by layer. Anything but HTTP_ANSWER means: no whole answer. */
typedef enum HttpOutcome {
        HTTP_ANSWER,  /* a complete answer, whatever its status */
        HTTP_BAD_URL, /* not a URL, not http/https, or characters in it, a header or the cookie that cannot be
                         sent */
        HTTP_RESOLVE, /* the name has no address, was not found within the time, or may not be looked up */
        HTTP_REFUSED, /* connection refused: nobody listens, or it is blocked */
        HTTP_CONNECT, /* no connection for another reason, connect timeout included */
        HTTP_TLS,     /* handshake or certificate, handshake timeout included */
        HTTP_SEND,    /* connection lost before the whole request was sent */
        HTTP_NO_ANSWER, /* connected and asked, but no byte of an answer: time, reset or closed */
        HTTP_TRUNCATED, /* the answer stopped before its end (time, reset, short body) */
        HTTP_TOO_LARGE, /* more than max_body_bytes, or more than 64 KiB of headers */
        HTTP_PROTOCOL,  /* not HTTP */
        HTTP_INTERNAL,  /* out of memory, or libcurl failed */
        HTTP_OUTCOME_COUNT,
        HTTP_OUTCOME_INVALID = -EINVAL,
} HttpOutcome;

/* http_outcome_name() - "answer", "refused", "no-answer", ...; never NULL. */
const char *http_outcome_name(HttpOutcome outcome);

/* How TLS is spoken. Strings are copied; versions: 0 is libcurl's own choice, else 10 ... 13 for TLS 1.0
 * ... 1.3. */
typedef struct HttpTls {
        bool any_certificate;  /* nothing of the far end's certificate is looked at */
        bool tell_self_signed; /* see HttpResult */
        bool any_name;         /* its name is not: anybody whom the authorities vouch for */
        const char *client_certificate, *client_key; /* NULL, or PEM files; a file may hold both */
        unsigned version_min, version_max;
        const char
                *ciphers; /* NULL, or OpenSSL's list for TLS 1.2 and before: "ECDHE-RSA-AES128-GCM-SHA256" */
        const char *ciphers_13; /* NULL, or its list for TLS 1.3: "TLS_AES_128_GCM_SHA256" */
} HttpTls;

/* A line of the header, status line and empty line included, with its end, as it comes; not NUL-terminated.
 * Nothing may be started, cancelled or freed. */
typedef void (*HttpLineFn)(const char *line, size_t len, void *userdata);

typedef struct HttpRequest {
        const char *url;    /* copied; at most 8 KiB */
        const char *method; /* NULL: GET, or POST with a body; else "GET", "PUT", "POST", "DELETE"; copied */
        const char
                *post_body; /* NULL: none; of application/x-www-form-urlencoded unless @headers say; copied */
        const char *const *headers; /* NULL, or up to HTTP_EXTRA_MAX "Name: value" ("Name;": without value),
                                       NULL-terminated; copied */
        const char *cookie;         /* NULL or the value of a Cookie header; copied */
        const char *user,
                *password;   /* NULL, or both: HTTP Basic, for this host only; copied, never in `text` */
        const char *ca_file; /* NULL: the system's certificates; else those in this PEM file */
        bool may_block; /* the host may be looked up even if that can stop the loop: nobody else needs it */
        Usec connect_usec;     /* limit to the connection, name lookup and TLS handshake included; 0: 2 s */
        Usec total_usec;       /* limit to the end; 0: 5 s */
        size_t max_body_bytes; /* 0: 1 MiB */
        /*
         * With it, connect_usec is for the TCP connection alone, and this is the limit to each wait after it:
         * for the handshake, for the first byte, for each further one. 0: none but the whole.
         */
        Usec read_usec;
        const char *address; /* NULL: looked up; else the number where the URL's host is; copied */
        const HttpTls *tls;  /* NULL: verified, libcurl's own choice in the rest */
        bool connect_only;   /* connected (and with https the handshake done) is the answer, status 0 */
        /* The answer is read as probes/http1.h does, its body counted and thrown away; behind max_body_bytes
         * no more is read, and that is an answer, `cut`. Needs read_usec; no cookie, user or password. */
        bool discard;
        HttpLineFn line; /* with discard: NULL, or told each line of the header, with the userdata of @fn */
        /* Only the TLS handshake of an https URL, nothing verified, nothing asked: the body of the answer
         * (status 0) is the server's own certificate, as PEM; empty where this libcurl cannot tell it. */
        bool certificate;
        const char *server_name; /* with it: the name that is asked for (SNI); NULL or "": none; copied */
} HttpRequest;

/* What of an answer was being read. */
typedef enum HttpPart {
        HTTP_PART_STATUS, /* the status line, or one is still to come behind 1xx */
        HTTP_PART_HEADER,
        HTTP_PART_BODY,
} HttpPart;

typedef struct HttpResult {
        HttpOutcome outcome;
        long status;          /* HTTP status; 0 unless HTTP_ANSWER, and of a certificate */
        const char *location; /* where a status of 3xx sends to, without what is behind '?'; "" else */
        const char *body; /* NUL-terminated (may hold further NULs); valid during the callback; never NULL */
        size_t body_len;  /* 0 unless HTTP_ANSWER */
        const char *text; /* one ASCII sentence: URL, what happened, how long; valid during the callback */
        Usec elapsed_usec;
        int os_errno;     /* of a failure, where there is one: ECONNREFUSED, EHOSTUNREACH; 0 else */
        HttpPart part;    /* of the answer: how far it had come; only with discard, and of plain.c */
        bool cut;         /* see discard */
        bool self_signed; /* with tell_self_signed: the far end's certificate is its own issuer; false where
                           * this libcurl cannot tell */
} HttpResult;

/* http_outcome_text() - what a person reads about it, between URL and duration: "connection refused"; never
 * NULL. */
const char *http_outcome_text(HttpOutcome outcome);

/*
 * http_request_ok() - pure: can this be sent at all? Nothing that could smuggle a second header or request
 * into ours.
 * @why: when it cannot. What http_start() makes HTTP_BAD_URL.
 */
bool http_request_ok(const HttpRequest *request, char *why, size_t size);

typedef void (*HttpFn)(const HttpResult *result, void *userdata);

/*
 * http_new() - cheap; libcurl is loaded by the first http_start(). @e: a reference is taken.
 * Return: 0; -ENOMEM, or what sd_event_add_time(3) returns.
 */
int http_new(Http **ret, sd_event *e, Err *err) _must_check_;

/* http_free() - ends all calls without calling back. NULL allowed. Return: NULL. */
Http *http_free(Http *h);
DEFINE_CLEANUP(Http, http_free);

/*
 * http_host_is_name() - must the host of this URL be looked up (see above)? Pure. In doubt, yes: "127.1" is a
 * name here. localhost is none.
 */
bool http_host_is_name(const char *url);

/*
 * http_start() - begin a request. @fn is called exactly once, from the event loop (never from within this
 * call), unless the call is cancelled first; the HttpCall is gone after @fn returns. @fn may start others,
 * cancel others and free @h.
 * @ret: may be NULL when it never needs cancelling.
 * Return: 0; -ENOMEM; -ELIBACC (libcurl cannot be loaded: says which package is missing). A bad URL is not an
 * error here but an outcome.
 */
int http_start(Http *h, const HttpRequest *request, HttpFn fn, void *userdata, HttpCall **ret,
               Err *err) _must_check_;

/*
 * http_cancel() - end a call without calling back. NULL allowed. Within the call's own @fn it does nothing,
 * so that an owner may clean up the same way everywhere. Return: NULL.
 */
HttpCall *http_cancel(HttpCall *call);
DEFINE_CLEANUP(HttpCall, http_cancel);
