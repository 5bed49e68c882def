/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which certificates servers really serve: a TLS handshake with each, by address, port and the name that is
 * asked for (SNI). Nothing is verified, nothing is asked, and no password goes there.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/sha256.h"
#include "base/time.h"

#define HANDSHAKE_AT_ONCE 64

typedef struct Handshake {
        const char *address; /* of the server; borrowed */
        uint16_t port;
        const char *name;                   /* asked for by SNI; NULL: none; borrowed */
        bool known;                         /* from here on: how it ended */
        char fingerprint[SHA256_TEXT_SIZE]; /* if known */
        char text[200];                     /* else why not */
} Handshake;

/* handshake_all() - all of them, several at once, each for 5 s at the most, and all until @until (monotonic;
 * 0: no limit); runs the loop meanwhile. Return: 0; -ENOMEM; -ELIBACC; what sd_event_run(3) says. */
int handshake_all(sd_event *event, Handshake *list, size_t n, Usec until, Err *err) _must_check_;
