/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What http.h does, for plain HTTP to an address, without libcurl: one small request and its answer, or a
 * connection alone, hundreds at once for a third of libcurl's CPU and with the kernel's own error for each
 * layer. No TLS, no names, no passwords, no proxies, no redirects, no connection used twice; the body of an
 * answer is counted and thrown away.
 *
 * Source: RFC 9112 (HTTP/1.1), sections 2 to 7.
 */

#include "probes/http.h"

typedef struct Plain Plain;

/* plain_new() - @e: a reference is taken. Return: 0; -ENOMEM; what epoll and sd-event say. */
int plain_new(Plain **ret, sd_event *e, Err *err) _must_check_;

/* plain_free() - ends everything without calling back. NULL allowed. Return: NULL. */
Plain *plain_free(Plain *p);
DEFINE_CLEANUP(Plain, plain_free);

/*
 * plain_start() - begin a request. Of @request these count: url (http://HOST:PORT/..., HOST is whom it asks
 * for), address (required), method, post_body, headers, connect_usec, read_usec (required), total_usec,
 * max_body_bytes, connect_only, line. @fn is called once, from the loop, never from within this call; it may
 * start others, and free
 * @p. The result's body is always empty, and `cut` as with discard.
 * Return: 0; -ENOMEM. What cannot be sent or connected to is an outcome.
 */
int plain_start(Plain *p, const HttpRequest *request, HttpFn fn, void *userdata, Err *err) _must_check_;
