/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * An HTTP origin that misbehaves on demand: on loopback, on the test's own event loop, so that everything it
 * has seen can be looked at without a race. What it does with a request is data: bytes, a filler repeated so
 * and so often, a pace, and an end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/time.h"

#define ORIGIN_FOREVER UINT64_MAX

typedef struct Origin Origin;

typedef enum OriginEnd {
        ORIGIN_CLOSE, /* in the regular way (FIN) */
        ORIGIN_HANG,  /* keep the connection, say nothing more */
        ORIGIN_RESET, /* RST */
} OriginEnd;

/* What is done with connections, before any request. */
typedef enum OriginDoor {
        ORIGIN_OPEN,
        ORIGIN_NOBODY_HOME, /* the kernel takes connections, nobody accepts them */
        ORIGIN_FULL,        /* the queue is full: connection attempts get no answer at all */
        ORIGIN_SLAM,        /* accepted, reset at the first byte, unread */
        ORIGIN_DEAF,        /* accepted, never read from */
} OriginDoor;

typedef struct OriginReply {
        const char *text;      /* sent as it is, head included; not copied */
        const char *filler;    /* sent behind it, again and again; not copied; NULL: none */
        size_t filler_len;     /* of the filler; 0: up to its NUL */
        uint64_t filler_bytes; /* how much of it; ORIGIN_FOREVER */
        Usec drip_usec;        /* 0: as fast as it goes; else one byte of the filler in this time */
        OriginEnd end;
} OriginReply;

/* origin_new() - listens on 127.0.0.1, a free port. Aborts on failure, as everything here: it is a test's
 * tool. */
Origin *origin_new(sd_event *e, OriginDoor door);
Origin *origin_free(Origin *o);
static inline void origin_freep(Origin **o)
{
        (void) origin_free(*o);
}

uint16_t origin_port(const Origin *o);

/* origin_on() - what to do with requests for @path ("*": any other). @path is not copied. */
void origin_on(Origin *o, const char *path, OriginReply reply);

/* origin_serve() - an ordinary answer for @path, with the right length. @body is copied. */
void origin_serve(Origin *o, const char *path, int status, const char *body);

/* What it has seen. */
const char *origin_last_request(const Origin *o); /* head and body, "" if none */
unsigned origin_requests(const Origin *o);
unsigned origin_most_at_once(const Origin *o); /* connections with a request unanswered */
uint64_t origin_bytes_sent(const Origin *o);
unsigned origin_connections(const Origin *o); /* open now */
