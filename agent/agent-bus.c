/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The agent's connection to the bus, which may go and come back, and to systemd's own socket meanwhile. */

#include "agent/agent-impl.h"

#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "agent/bus-api.h"
#include "agent/journal.h"
#include "agent/manager.h"

#define BUS_RETRY_USEC (200 * USEC_PER_MSEC)

static int agent_on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_connect(userdata);
        return 0;
}

static void agent_retry(Agent *a)
{
        a->bus_timer = sd_event_source_unref(a->bus_timer);
        (void) sd_event_add_time(a->event, &a->bus_timer, CLOCK_MONOTONIC, time_now() + BUS_RETRY_USEC, 0,
                                 agent_on_retry, a);
}

void agent_drop_side(Agent *a)
{
        if (!a->side)
                return;
        sd_bus_detach_event(a->side);
        a->side = sd_bus_close_unref(a->side);
}

void agent_side_bus(Agent *a)
{
        Err err = { 0 };
        if (a->side && sd_bus_is_open(a->side) > 0)
                return;
        if (!a->systemd || !agent_busy(a))
                return;
        if (systemd_set_bus(a->systemd, NULL, NULL) < 0)
                abort();
        agent_drop_side(a);
        if (manager_bus(&a->side) < 0)
                return;
        if (sd_bus_attach_event(a->side, a->event, SD_EVENT_PRIORITY_NORMAL) < 0 ||
            systemd_set_bus(a->systemd, a->side, &err) < 0) {
                if (systemd_set_bus(a->systemd, NULL, NULL) < 0)
                        abort();
                agent_drop_side(a);
                return;
        }
        journal_log(LOG_NOTICE, JOURNAL_AGENT, NULL,
                    "the bus is away; systemd is reached over its own socket");
}

/* A lost bus is weather: the job goes on, and we come back when it does. */
void agent_drop_bus(Agent *a)
{
        a->name_slot = sd_bus_slot_unref(a->name_slot);
        a->lost_slot = sd_bus_slot_unref(a->lost_slot);
        /* Taking a connection away allocates nothing, so it cannot fail. */
        if (a->systemd && !a->side && systemd_set_bus(a->systemd, NULL, NULL) < 0)
                abort();
        bus_people_forget(a->people);
        if (a->bus) {
                sd_bus_detach_event(a->bus);
                a->bus = sd_bus_close_unref(a->bus);
        }
}

static int agent_on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Agent *a = userdata;
        (void) m;
        (void) error;
        if (a->leaving)
                return sd_event_exit(a->event, 0);
        journal_log(LOG_NOTICE, JOURNAL_AGENT, NULL, "the bus is gone; %s, coming back when it does",
                    agent_busy(a) ? "the job goes on" : "no job runs");
        agent_drop_bus(a);
        agent_retry(a);
        return 0;
}

static int agent_on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Agent *a = userdata;
        (void) error;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        uint32_t answer = 0;
        if (!e)
                (void) sd_bus_message_read(m, "u", &answer);
        if (e || (answer != 1 && answer != 4)) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the bus does not give us the name %s: %s",
                            AGENT_BUS_NAME, e ? e->message : "another process has it");
                return sd_event_exit(a->event, EXIT_FAILURE);
        }
        if (!a->ready) {
                a->ready = true;
                (void) sd_notify(0, "READY=1");
        }
        return 0;
}

static int agent_open_bus(Agent *a)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = a->heal && manager_bus(&bus) == 0 ? 0 : sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        if ((r = sd_bus_attach_event(bus, a->event, SD_EVENT_PRIORITY_NORMAL)) < 0 ||
            (r = sd_bus_match_signal(bus, &a->lost_slot, NULL, "/org/freedesktop/DBus/Local",
                                     "org.freedesktop.DBus.Local", "Disconnected", agent_on_disconnected,
                                     a)) < 0)
                return r;
        if (!a->heal &&
            ((r = bus_people_watch(a->people, bus)) < 0 || (r = bus_api_publish(bus, a)) < 0 ||
             (r = sd_bus_request_name_async(bus, &a->name_slot, AGENT_BUS_NAME, 0, agent_on_name, a)) < 0))
                return r;
        a->bus = TAKE_PTR(bus);
        return 0;
}

void agent_connect(Agent *a)
{
        Err err = { 0 };
        int r = agent_open_bus(a);
        if (r < 0) {
                agent_drop_bus(a);
                agent_side_bus(a);
                agent_retry(a);
                return;
        }
        if (a->systemd && systemd_set_bus(a->systemd, a->bus, &err) < 0)
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "systemd cannot be reached over the new bus: %s",
                            err.text);
        agent_drop_side(a);
}
