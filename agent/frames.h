/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The bytes of a D-Bus stream, as far as they must be judged before a bus library takes them in: is there
 * D-Bus at all on the other side (a login banner, a shell, a web server is not), and how big is the message
 * that it announces? Pure. Source: D-Bus Specification, "Authentication Protocol" and "Message Format".
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_LINE 160 /* of what is not D-Bus, so much is kept to be shown */

typedef enum FramesVerdict {
        FRAMES_GOOD,
        FRAMES_DOUBT,   /* not D-Bus; its first line goes on */
        FRAMES_FOREIGN, /* not D-Bus; its first line is there (frames_line) */
        FRAMES_BROKEN,  /* was D-Bus, and no longer is */
        FRAMES_TOO_BIG, /* announces a message bigger than allowed */
        FRAMES_VERDICT_COUNT,
        FRAMES_VERDICT_INVALID = -EINVAL,
} FramesVerdict;

/* Begin with FRAMES_FROM_CLIENT or FRAMES_FROM_SERVER; read nothing in it. */
typedef struct Frames {
        bool from_client;
        uint32_t max_bytes; /* of a message */
        int state;
        uint32_t auth_bytes;
        uint64_t skip; /* bytes of the present message that are still to come */
        uint8_t head[16];
        unsigned n_head;
        char line[FRAMES_LINE];
        unsigned n_line;
} Frames;

#define FRAMES_FROM_CLIENT(max) ((Frames){ .from_client = true, .max_bytes = (max) })
#define FRAMES_FROM_SERVER(max) ((Frames){ .max_bytes = (max) })

/*
 * frames_feed() - judge the next @n bytes of the stream. After anything but FRAMES_GOOD and FRAMES_DOUBT the
 * stream is of no use. Return: the verdict on what has come so far.
 */
FramesVerdict frames_feed(Frames *f, const void *bytes, size_t n);

/* frames_line() - the first line of what is not D-Bus, made printable; "" when there is none. */
const char *frames_line(const Frames *f);
