/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How a message processor leaves: its new connections are refused and it is drained (block), or its own stop
 * is trusted (graceful), which answers 599 to new requests and finishes the old ones. Pure.
 *
 * Neither is the better one: it depends on what the routers try again elsewhere. A refused connection is
 * tried again where their retry set has `error`, a 599 where it has `http_599` (the documented default).
 * Source: Apigee "Configuring the Router to retry connections to a Message Processor".
 */

#include <stdbool.h>
#include <stddef.h>

#include "agent/config.h"

/* What is known of the routers' load.balancing.driver.nginx.server.retry. */
typedef struct RetrySet {
        bool known;
        bool error, http_599;
        char from[96]; /* who says so; or why it is not known */
} RetrySet;

/*
 * leave_retry_parse() - words separated by blanks: off, error, timeout, invalid_header, http_NNN; others are
 * passed over. NULL: not set, which is the documented default, http_599.
 */
void leave_retry_parse(const char *text, const char *from, RetrySet *ret);

/*
 * leave_choose() - block or graceful? @asked: what the caller or the configuration says. @tls: the routers
 * check another port than that of the traffic, so the block refuses no request whatever they retry.
 * @ret_why: one clause for the evidence. @ret_loss: what may be lost all the same, "" for nothing known.
 * Return: never MP_LEAVE_AUTO.
 */
MpLeave leave_choose(MpLeave asked, bool tls, const RetrySet *routers, char *ret_why, size_t why_size,
                     char *ret_loss, size_t loss_size);
