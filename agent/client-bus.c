/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The connection to the bus, and what happens on it while one waits: messages, signals, the live line. */

#include "agent/client-impl.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#define TICK_USEC (100 * USEC_PER_MSEC) /* between two drawings of the live line */

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Client *c = userdata;
        const char *name, *before, *after;

        (void) error;
        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && strcmp(before, c->agent) == 0)
                c->owner_lost = true;
        return 0;
}

void client_disconnect(Client *c)
{
        client_look_reset(&c->look, USEC_INFINITY);
        c->event_slot = sd_bus_slot_unref(c->event_slot);
        c->owner_slot = sd_bus_slot_unref(c->owner_slot);
        c->bus = sd_bus_flush_close_unref(c->bus);
}

int client_connect(Client *c)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *event_slot = NULL, *owner_slot = NULL;

        int r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_match_signal(bus, &event_slot, AGENT_NAME, NULL, JOB_INTERFACE, "Event",
                                        client_job_on_event, c);
        if (r >= 0)
                r = sd_bus_add_match(bus, &owner_slot,
                                     "type='signal',sender='" BUS_NAME "',interface='" BUS_NAME
                                     "',member='NameOwnerChanged',arg0='" AGENT_NAME "'",
                                     on_owner, c);
        if (r < 0)
                return r;
        c->bus = TAKE_PTR(bus);
        c->event_slot = TAKE_PTR(event_slot);
        c->owner_slot = TAKE_PTR(owner_slot);
        c->owner_lost = false;
        return 0;
}

bool client_stopped(const Client *c)
{
        return c->signal != 0 || c->output_gone;
}

void client_signals(Client *c)
{
        struct signalfd_siginfo si;
        while (read(c->signal_fd, &si, sizeof(si)) == (ssize_t) sizeof(si)) {
                if (si.ssi_signo == SIGWINCH)
                        render_width(c->render, client_mode(fileno(c->io->out), false, false).width);
                else
                        c->signal = (int) si.ssi_signo;
        }
}

bool client_turn(Client *c, Usec until)
{
        if (c->bus) {
                bool any = false;
                int r;
                while ((r = sd_bus_process(c->bus, NULL)) > 0)
                        any = true;
                if (r < 0 || sd_bus_is_open(c->bus) <= 0)
                        return false;
                if (any)
                        return true;
        }

        Usec now = time_now();
        if (c->io->mode.live) {
                _cleanup_(freep) char *out = NULL;
                if (render_tick(c->render, now, &out) == 0 && *out)
                        client_write(c, c->io->out, out);
                until = MIN(until, time_add(now, TICK_USEC));
        }
        struct pollfd fds[] = {
                { .fd = c->signal_fd, .events = POLLIN },
                { .fd = -1 },
        };
        if (c->bus) {
                uint64_t bus_until;
                fds[1].fd = sd_bus_get_fd(c->bus);
                fds[1].events = (short) sd_bus_get_events(c->bus);
                if (sd_bus_get_timeout(c->bus, &bus_until) >= 0)
                        until = MIN(until, bus_until);
        }
        Usec left = MIN(time_left(until, now), 3600 * USEC_PER_SEC);
        struct timespec ts = {
                .tv_sec = (time_t) (left / USEC_PER_SEC),
                .tv_nsec = (long) (left % USEC_PER_SEC * 1000),
        };
        if (ppoll(fds, ELEMENTS(fds), &ts, NULL) > 0 && fds[0].revents)
                client_signals(c);
        return true;
}

bool client_pause(Client *c, Usec usec)
{
        Usec until = time_add(time_now(), usec);
        while (time_now() < until && !client_stopped(c))
                if (!client_turn(c, until))
                        client_disconnect(c);
        return !client_stopped(c);
}

bool client_reconnect(Client *c, Usec until)
{
        client_disconnect(c);
        client_say(c, "The connection to the bus is lost; connecting again.");
        while (client_connect(c) < 0)
                if (time_now() >= until || !client_pause(c, 2 * CLIENT_RETRY_USEC))
                        return false;
        client_say(c, "Connected to the bus again.");
        return true;
}
