/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The client's end of one connection: plain or TLS, HTTP/1.1 or, with frames by hand, HTTP/2. */

#include <openssl/ssl.h>

#include "tests/replay/replay.h"

typedef struct Wire {
        Client *client;
        Slot *slot;
        int fd;
        SSL *ssl; /* NULL: plain */
        char buf[16384];
        size_t have;
        uint32_t stream; /* HTTP/2: of the last request */
} Wire;

/* All of these return false when it cannot be done; wire_fail() says so once. */

/* wire_open() - connect, in the client's skin; what is resumed was got on another connection before. */
bool wire_open(Wire *w, Client *c, unsigned slot);
void wire_close(Wire *w);

bool wire_send(Wire *w, const void *buf, size_t len);
bool wire_more(Wire *w); /* at least one more byte into buf */

/* wire_ask() - send a request as it is; the slot says from now on that one is out. */
bool wire_ask(Wire *w, const char *text);
bool wire_get(Wire *w, const char *path); /* the same, an ordinary one; HTTP/1.1 or HTTP/2 */

/* wire_answer() - read one whole answer. wire_done() - the slot: nothing is out any more. */
bool wire_answer(Wire *w);
void wire_done(Wire *w);

/* wire_line() - read one line and forget what came before it. @len: at least 2. */
bool wire_line(Wire *w, char *line, size_t len);

/* HTTP/2. h2_answer() - read until @stream has ended; frames of others are skipped. h2_ping(), h2_window()
 * (of the connection): just said. */
bool h2_ask(Wire *w, const char *path);
bool h2_answer(Wire *w, uint32_t stream);
bool h2_ping(Wire *w);
bool h2_window(Wire *w, uint32_t more);

void wire_fail(Wire *w, const char *what);
