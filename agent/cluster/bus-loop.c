/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/cluster/bus-loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/time.h"

#define AT_ONCE 32 /* messages, before others have their turn */

struct BusLoop {
        sd_bus *bus;
        int fd; /* a copy: the number of the bus's own may be somebody else's as soon as the bus has closed it
                 */
        sd_event_source *io, *timer;
        uint32_t events;
        Usec until;
        bool running; /* a callback of the bus may be on the stack */
        bool doomed;  /* ... and has freed this */
};

static void loop_close(BusLoop *l)
{
        l->io = sd_event_source_unref(l->io);
        l->timer = sd_event_source_unref(l->timer);
        closep(&l->fd);
        l->fd = -1;
}

void bus_loop_touch(BusLoop *l)
{
        uint64_t until = USEC_INFINITY;
        if (!l || l->running || !l->io)
                return;
        int events = sd_bus_get_events(l->bus);
        if (events < 0) {
                loop_close(l);
                return;
        }
        if ((uint32_t) events != l->events && sd_event_source_set_io_events(l->io, (uint32_t) events) >= 0)
                l->events = (uint32_t) events;
        if (sd_bus_get_timeout(l->bus, &until) < 0)
                until = USEC_INFINITY;
        if (until == l->until)
                return;
        l->until = until;
        if (sd_event_source_set_time(l->timer, until) >= 0)
                (void) sd_event_source_set_enabled(l->timer,
                                                   until == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void loop_run(BusLoop *l)
{
        sd_bus *bus = sd_bus_ref(l->bus);
        int r = 1;
        l->running = true;
        for (int i = 0; i < AT_ONCE && r > 0 && !l->doomed; i++)
                r = sd_bus_process(bus, NULL);
        l->running = false;
        if (l->doomed)
                free(l);
        else {
                l->until = 0; /* whatever it was: it has to be set anew */
                /* What it does not understand is its end, as with an attached one; the other end sees that.
                 */
                if (r < 0)
                        sd_bus_close(bus);
                bus_loop_touch(l);
        }
        sd_bus_unref(bus);
}

static int loop_on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        (void) s;
        (void) fd;
        (void) revents;
        loop_run(userdata);
        return 0;
}

static int loop_on_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        loop_run(userdata);
        return 0;
}

int bus_loop_new(BusLoop **ret, sd_bus *bus, sd_event *event)
{
        BusLoop *l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->bus = bus;
        l->until = USEC_INFINITY;
        l->fd = fcntl(sd_bus_get_fd(bus), F_DUPFD_CLOEXEC, 3);
        int r = l->fd < 0 ? -errno : 0;
        if (r >= 0)
                r = sd_event_add_io(event, &l->io, l->fd, 0, loop_on_io, l);
        if (r >= 0)
                r = sd_event_add_time(event, &l->timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, loop_on_time, l);
        if (r < 0) {
                loop_close(l);
                free(l);
                return r;
        }
        bus_loop_touch(l);
        *ret = l;
        return 0;
}

BusLoop *bus_loop_free(BusLoop *l)
{
        if (!l)
                return NULL;
        loop_close(l);
        if (l->running)
                l->doomed = true;
        else
                free(l);
        return NULL;
}
