/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Edge's management API: requests to the Management Server on an event loop, a bounded number at once, each
 * bounded in time and size; when as many in a row as run at once had no answer in time, those that wait are
 * not sent. Whatever comes back that is not a good answer has a kind, a sentence and a way on.
 *
 * The password is sent with each request to the Management Server and to nobody else: no redirect is
 * followed. Nothing is tried again by itself: what may be repeated is for the caller to know.
 *
 * Source: Apigee's management API as told by edge-roll.conf(5), section [cluster].
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/result.h"
#include "base/time.h"

#define API_AT_ONCE   8                 /* requests under way; the others wait their turn */
#define API_BODY_MAX  (8 * 1024 * 1024) /* bytes of an answer, unless the request says less */
#define API_PATH_MAX  2000              /* bytes of a path */
#define API_TEXT_SIZE 480

typedef struct Api Api;

typedef struct ApiOptions {
        const char *url;           /* base, "http://10.0.0.9:8080"; with or without /v1 */
        const char *user;          /* NULL or "": asked without a name, and without a password */
        const char *password_file; /* NULL or "": none; see password.h for the other places */
        const char *ca_file;       /* NULL or "": the system's certificates */
        Usec connect_usec;         /* limits of one request; 0: 5 s and 30 s */
        Usec total_usec;
        sd_event *event; /* a reference is taken */
} ApiOptions;

/* How a request ended. */
typedef enum ApiKind {
        API_OK,        /* 200, 201, 204 */
        API_ABSENT,    /* 404: no such organisation, environment, thing; the text has Edge's words */
        API_CONFLICT,  /* 409: it exists already, or is in use */
        API_DENIED,    /* 401, 403 */
        API_REJECTED,  /* 400 and the other 4xx: Edge does not take what was sent */
        API_ELSEWHERE, /* 3xx: it sends to another place, which is not followed */
        API_SICK,      /* 5xx */
        API_UNREACHED, /* no connection: nothing has happened there */
        API_CUT,       /* asked, but no whole answer */
        API_FOREIGN,   /* an answer, but no such thing as Edge answers: HTML, not HTTP, too large */
        API_KIND_COUNT,
        API_KIND_INVALID = -EINVAL,
} ApiKind;

/* api_kind_name() - "ok", "absent", ...; never NULL. */
const char *api_kind_name(ApiKind kind);

/* api_kind_result() - what a command ends with that ends because of it. */
Result api_kind_result(ApiKind kind);

typedef struct ApiAnswer {
        ApiKind kind;
        int code;         /* API_OK: 0; else the negative errno for it */
        long status;      /* of HTTP; 0: there is none */
        bool unsure;      /* the request was to change something, and whether it did is not known */
        const char *body; /* NUL-terminated; never NULL; API_OK: the whole answer, else "" */
        size_t body_len;
        char text[API_TEXT_SIZE]; /* one sentence, ASCII, never with the password */
        char hint[300];           /* what to do; "" */
} ApiAnswer;

typedef void (*ApiFn)(const ApiAnswer *answer, void *userdata); /* valid during the callback */

/* Strings and bytes are copied. */
typedef struct ApiRequest {
        const char *method; /* NULL: GET; else "POST", "PUT", "DELETE" */
        const char *path;   /* from api_path(), or a constant: "/v1/regions" */
        const char *body;   /* NULL: none */
        const char *type;   /* of @body: "application/json", "text/xml" */
        size_t max_bytes;   /* of the answer; 0: API_BODY_MAX */
} ApiRequest;

/*
 * api_url_ok() - can this be the base? http or https, a host, no user or password in it (they would be
 * shown), no query. Return: 0; -EINVAL.
 */
int api_url_ok(const char *url, Err *err) _must_check_;

/*
 * api_new() - looks for the password; connects to nothing. @hint: what to do about a failure, or ""; @size
 * bytes. Return: 0; -EINVAL (the URL); -EACCES (a user, but no password); errors of password_find(); -ENOMEM.
 */
int api_new(Api **ret, const ApiOptions *options, char *hint, size_t size, Err *err) _must_check_;
Api *api_free(Api *api); /* ends everything without calling back. NULL allowed. Return: NULL. */
DEFINE_CLEANUP(Api, api_free);

/*
 * api_until() - all of its requests together end by @deadline (monotonic; 0: no limit): those that are under
 * way then as API_CUT, and so, from the loop and without being sent, those that still wait or come later.
 * @words: what limit that is, for people: "20 s (management_limit)"; copied.
 */
void api_until(Api *api, Usec deadline, const char *words);

/* api_url() - its base, without what people write behind it: "http://10.0.0.9:8080". */
const char *api_url(const Api *api);

/* api_user() - "" without one. */
const char *api_user(const Api *api);

/*
 * api_path() - "/v1" and each of the segments behind it, escaped: API_SEGMENTS("o", org, "e", env).
 * @ret: to be freed. Return: 0; -EINVAL (a segment that edge_name_ok() refuses: says which); -E2BIG; -ENOMEM.
 */
int api_path(char **ret, const char *const *segments, Err *err) _must_check_;
#define API_SEGMENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/*
 * api_start() - @fn: once, from the loop, however it ends. Return: 0; -ENOMEM; errors of http_start().
 */
int api_start(Api *api, const ApiRequest *request, ApiFn fn, void *userdata, Err *err) _must_check_;

/* api_run() - runs the loop until nothing is under way or waiting. Return: 0; what sd_event_run(3) says. */
int api_run(Api *api, Err *err) _must_check_;

/*
 * api_call() - one request, waited for. @ret: written whenever 0 is returned; to be released with
 * api_answer_done(). Return: as api_start() and api_run(): how it ended is in @ret.
 */
int api_call(Api *api, const ApiRequest *request, ApiAnswer *ret, Err *err) _must_check_;
void api_answer_done(ApiAnswer *answer);

/* api_foreign() - turns a good answer into API_FOREIGN, because its reader says @why. */
void api_foreign(ApiAnswer *answer, const char *why);

/* api_answer_err() - the sentence of a bad answer as an error. Return: its code. */
int api_answer_err(const ApiAnswer *answer, Err *err);
