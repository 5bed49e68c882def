/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * D-Bus as it passes by, one direction of a connection: what is whole of it, and how it is called. Both ends
 * are on this machine, so numbers are in its own order. Source: the D-Bus specification, "Message Format" and
 * "Authentication Protocol".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_BYTES (256 * 1024)
#define WIRE_CALLS 256

typedef struct WireHead {
        uint8_t type; /* 1: call, 2: answer, 3: error, 4: signal */
        uint32_t serial, reply_to;
        char member[40], error[80]; /* "" */
        size_t size;                /* of the whole message; @n where it cannot be told */
} WireHead;

/* wire_head() - of the message at @bytes. Return: false: it is none, or its head is not there yet. */
bool wire_head(const uint8_t *bytes, size_t n, WireHead *ret);

/* One direction. All of it 0, and @other set, where there is one: its calls give the answers their names. */
typedef struct Wire {
        struct Wire *other;
        uint8_t bytes[WIRE_BYTES]; /* not yet taken */
        size_t n;
        struct {
                uint32_t serial;
                char member[40];
        } calls[WIRE_CALLS];
} Wire;

/* wire_put() - more bytes. Return: false: more than there is room for. */
bool wire_put(Wire *w, const uint8_t *bytes, size_t n);

/* wire_next() - the length of the first whole piece (a message, or a line before the first of them): 0: there
 * is none yet. @ret: its name: "call Go", "answer Go", "error Go", "signal Event", "auth". */
size_t wire_next(Wire *w, char *ret, size_t size);

/* wire_take() - the first @n bytes are done with. */
void wire_take(Wire *w, size_t n);

/* wire_names() - takes more bytes, and the pieces that are whole by then: their names, as "VERB call Go+call
 * Go", are put behind what is in @buf. With cmocka: no room ends the test. */
void wire_names(Wire *w, const char *verb, const uint8_t *bytes, size_t n, char *buf, size_t size);
