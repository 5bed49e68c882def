/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Any bytes from the far end of an ssh, on both of its sides: through the relay, and what it lets pass into
 * the bus library, which authenticates and reads messages.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "agent/relay.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGE_MAX 65536

typedef struct World {
        unsigned ends, messages;
} World;

static void on_end(Relay *relay, RelayEnd end, const char *text, void *userdata)
{
        World *w = userdata;

        (void) relay;
        fuzz_check(end >= 0 && end < RELAY_END_COUNT && fuzz_is_ascii(text));
        fuzz_check(w->ends++ == 0);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        World *w = userdata;

        (void) m;
        (void) error;
        w->messages++;
        return 0;
}

static sd_bus *bus_of(int fd, bool server, sd_event *event, World *w)
{
        sd_bus *bus = NULL;
        sd_id128_t id = { .qwords = { 1, 2 } };

        if (sd_bus_new(&bus) < 0) {
                (void) close(fd);
                return NULL;
        }
        if (sd_bus_set_fd(bus, fd, fd) < 0) {
                (void) close(fd);
                return sd_bus_unref(bus);
        }
        if ((server && (sd_bus_set_server(bus, true, id) < 0 || sd_bus_set_anonymous(bus, true) < 0)) ||
            sd_bus_add_filter(bus, NULL, on_message, w) < 0 || sd_bus_start(bus) < 0 ||
            sd_bus_attach_event(bus, event, 0) < 0)
                return sd_bus_close_unref(bus);
        return bus;
}

void fuzz_one(const uint8_t *data, size_t size)
{
        _cleanup_(relay_freep) Relay *relay = NULL;
        Fuzz f = { data, size };
        bool far_is_client = fuzz_byte(&f) & 1;
        World w = { 0 };
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        int far[2], near = -1;

        if (sd_event_new(&event) < 0)
                return;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, far) < 0)
                abort();
        int r = relay_new(&relay, event, far[0], far[0], far_is_client, MESSAGE_MAX, on_end, &w, &near, NULL);
        if (r >= 0)
                bus = bus_of(near, far_is_client, event, &w);
        for (unsigned turns = 0; bus && turns < 200; turns++) {
                uint8_t answer[4096];
                ssize_t n = f.left > 0 ? send(far[1], f.at, MIN(f.left, (size_t) 4096), MSG_NOSIGNAL) : 0;
                if (n > 0) {
                        f.at += n;
                        f.left -= (size_t) n;
                }
                (void) !recv(far[1], answer, sizeof(answer), MSG_DONTWAIT);
                if (sd_event_run(event, 0) <= 0 && f.left == 0)
                        break;
                if (w.ends > 0)
                        break;
        }
        if (bus)
                sd_bus_close_unref(bus);
        relay = relay_free(relay);
        (void) close(far[1]);
        (void) sd_event_unref(event);
}
