/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The piece between a byte stream to another machine and the bus library: passes both ways, and lets nothing
 * in that is not D-Bus or too big. It holds at most one reading of bytes for each direction (a side that does
 * not take them makes the other wait), knows when the far end was heard last, and sees its end, which no
 * message handler can then eat.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"

typedef struct Relay Relay;

typedef enum RelayEnd {
        RELAY_EOF,     /* the far end has closed, or is gone */
        RELAY_FOREIGN, /* it does not speak D-Bus: @text is its first line */
        RELAY_BROKEN,  /* it no longer does */
        RELAY_TOO_BIG, /* it announces a message that is too big */
        RELAY_NEAR,    /* our own end has closed */
        RELAY_END_COUNT,
        RELAY_END_INVALID = -EINVAL,
} RelayEnd;

/* Called once, from the event loop; the relay passes nothing any more, and may be freed. @text: never NULL.
 */
typedef void (*RelayEndFn)(Relay *relay, RelayEnd end, const char *text, void *userdata);

/*
 * relay_new() - @in, @out: the far end; the same descriptor for a socket. They are made non-blocking and
 * belong to the relay also when this fails. @far_is_client: who begins the authentication.
 * @max_bytes: of a message from the far end. @ret_fd: a socket for sd_bus_set_fd(), owned by the caller.
 * Return: 0; -EPERM (no pipe, socket or terminal: it cannot be waited for); other negative errno.
 */
int relay_new(Relay **ret, sd_event *event, int in, int out, bool far_is_client, uint32_t max_bytes,
              RelayEndFn fn, void *userdata, int *ret_fd, Err *err) _must_check_;
Relay *relay_free(Relay *relay);
DEFINE_CLEANUP(Relay, relay_free);

/* relay_heard() - when a byte of the far end came last; when it began, if none ever did. */
Usec relay_heard(const Relay *relay);
