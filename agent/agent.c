/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/agent.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "agent/bus.h"
#include "agent/bus-api.h"
#include "agent/bus-needed.h"
#include "agent/config-seen.h"
#include "agent/hold.h"
#include "agent/journal.h"
#include "agent/kept.h"
#include "agent/lost.h"
#include "agent/manager.h"
#include "agent/places.h"
#include "agent/pulse.h"
#include "agent/standing.h"
#include "agent/state.h"
#include "agent/tickets.h"
#include "agent/version.h"

#define BUS_RETRY_USEC  (200 * USEC_PER_MSEC)
#define LOCK_RETRY_USEC (100 * USEC_PER_MSEC)
#define LOCK_WAIT_USEC  (90 * USEC_PER_SEC) /* heal: longer than the agent's TimeoutStopSec */
/* Well below the agent's TimeoutStartSec, and below what its block lasts. */
#define MEMORY_WAIT_USEC (10 * USEC_PER_SEC)
/* Long enough that the starts of its unit are never too many. */
#define HEAL_MEMORY_WAIT_USEC (60 * USEC_PER_SEC)
#define MEMORY_PAUSE_USEC     (50 * USEC_PER_MSEC)
#define MEMORY_PAUSE_MAX_USEC (2 * USEC_PER_SEC)

struct Agent {
        const Config *given;      /* the caller's, of the start */
        const Config *config;     /* in force; ours unless it is the given one */
        const Config *job_config; /* the one the present or last job refers to */
        sd_event *event;
        sd_bus *bus;  /* NULL while it is away */
        sd_bus *side; /* systemd's own socket, while the bus is away in the middle of a job; else NULL */
        sd_bus_slot *name_slot, *lost_slot;
        sd_event_source *bus_timer, *idle_timer, *hold_timer, *lock_timer;
        sd_event_source *memory_timer; /* made while there is memory */
        Usec memory_since, memory_pause;
        sd_event_source *over_timer; /* the record of a job that is over could not be removed yet */
        Http *http;
        Conns *conns;
        Systemd *systemd;
        Monit *monit;
        Leases *leases;
        Pulse *pulse;
        Places *places;
        ConfigSeen seen;
        sd_event_source *ticket_timer;
        sd_event_source *places_timer; /* a place is kept that is given back by nobody's call */
        bool tickets;                  /* there are some */
        bool ticket_is_over;           /* this one, and its record could not be removed yet */
        Ticket ticket_over;
        bool ticket_aside; /* the present job is one, and ends to make room, or because a reboot cut it off */
        BusPeople *people; /* who calls through the bus that we have now */
        Job *job;          /* the present or the last one */
        uint64_t next_id;
        bool ready;        /* the name is ours for the first time: systemd was told */
        bool leaving;      /* giving the name back; exits with the answer */
        bool memory_waits; /* an unfinished job is taken up as soon as there is memory */
        bool fd_stored[JOB_PLACE_COUNT];
        char stale[1024];    /* why an unfinished job's record cannot go on: nothing new begins over it */
        unsigned pins;       /* calls that refer to the configuration */
        const char *trouble; /* what is wrong with the configuration files; "" */
        bool heal;           /* this is `edge-roll heal` */
        bool gave_way;       /* ... and an agent that runs has the job */
        bool locked;
        Unwritten unwritten;             /* holds without a record */
        int stored_fds[JOB_PLACE_COUNT]; /* of the predecessor, until the lock is ours */
        int lock_fd;
        Usec lock_since;
};

/* ---- the parts others ask for ---- */

Job *agent_job(const Agent *a)
{
        return a->job;
}

Job *agent_busy(const Agent *a)
{
        return a->job && !job_over(a->job) ? a->job : NULL;
}

const Config *agent_config(const Agent *a)
{
        return a->config;
}

sd_event *agent_event(const Agent *a)
{
        return a->event;
}

Http *agent_http(const Agent *a)
{
        return a->http;
}

Conns *agent_conns(const Agent *a)
{
        return a->conns;
}

Systemd *agent_systemd(const Agent *a)
{
        return a->systemd;
}

bool agent_leaving(const Agent *a)
{
        return a->leaving;
}

Leases *agent_leases(const Agent *a)
{
        return a->leases;
}

BusPeople *agent_people(const Agent *a)
{
        return a->people;
}

sd_bus *agent_bus(const Agent *a)
{
        return a->bus;
}

void agent_leases_changed(Agent *a)
{
        pulse_changed(a->pulse);
}

static bool access_record(const Agent *a, JobPlace place)
{
        char path[512];
        (void) snprintf(path, sizeof(path), "%s/%s", a->config->state_dir, job_record_name(place));
        return access(path, F_OK) == 0;
}

static bool access_records(const Agent *a)
{
        return access_record(a, JOB_MAIN) || access_record(a, JOB_PARTNER);
}

bool agent_notice(const Agent *a, char *buf, size_t size)
{
        if (!a->locked)
                (void) snprintf(buf, size, HEAL_UNIT " is finishing a job that an agent has left");
        else if (*a->stale && access_records(a))
                (void) snprintf(buf, size, "%s", a->stale);
        else if (places_pending(a->places, buf, size) || tickets_unreadable(a->config->state_dir, buf, size))
                return true;
        else if (!lost_text(a->config, buf, size)) {
                if (!*a->trouble || a->config != a->given)
                        return false;
                (void) snprintf(buf, size, "the configuration cannot be used: %s", a->trouble);
        }
        return true;
}

bool agent_healing(const Agent *a)
{
        return !a->locked;
}

/* ---- the fd store ---- */

/* The store keeps our table over our own death: its owner is the socket, not the process. */
static const char *const fd_names[JOB_PLACE_COUNT] = { [JOB_MAIN] = "nft", [JOB_PARTNER] = "nft-partner" };

static void agent_keep_fd(JobPlace place, int fd, void *userdata)
{
        Agent *a = userdata;
        char message[96];
        if (fd >= 0 && !a->fd_stored[place]) {
                /* FDPOLL=0: without it systemd drops a netlink socket that shows POLLHUP or POLLERR. */
                (void) snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", fd_names[place]);
                a->fd_stored[place] = sd_pid_notify_with_fds(0, 0, message, &fd, 1) > 0;
        } else if (fd < 0 && a->fd_stored[place]) {
                (void) snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", fd_names[place]);
                (void) sd_notify(0, message);
                a->fd_stored[place] = false;
        }
}

static void agent_stored_fds(int ret[JOB_PLACE_COUNT])
{
        _cleanup_(freep) char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                ret[p] = -1;
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                for (int p = 0; p < JOB_PLACE_COUNT && fd >= 0; p++)
                        if (ret[p] < 0 && strcmp(names[i], fd_names[p]) == 0)
                                ret[p] = TAKE_FD(fd);
                closep(&fd);
                free(names[i]);
        }
}

/* ---- holds for a time ---- */

static void agent_watch_holds(Agent *a, bool begin);

/* The time of a hold runs on while the machine sleeps, and after a reboot it is wall clock time: so it is
 * looked at again and again, not slept through. model: HOLD-FOR */
#define HOLD_LOOK_USEC  (10 * USEC_PER_SEC)
#define HOLD_RETRY_USEC (1 * USEC_PER_SEC) /* also when ending one has just failed */

static int agent_on_hold(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_watch_holds(userdata, true);
        return 0;
}

/*
 * Ends a hold whose time is over, if it may @begin a job; and looks again as long as there is one whose time
 * will be. Never begins one from within the end of another, which still stands on the stack.
 */
static void agent_watch_holds(Agent *a, bool begin)
{
        _cleanup_(freep) Hold *holds = NULL;
        size_t n = 0;
        Usec next = USEC_INFINITY;
        Err err = { 0 };

        a->hold_timer = sd_event_source_unref(a->hold_timer);
        if (hold_list(a->config->state_dir, &holds, &n, &err) < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the holds cannot be read: %s", err.text);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                const Component *c = config_component(a->config, holds[i].component);
                Usec left = hold_left(&holds[i], time_boot(), time_wall());
                if (left == USEC_INFINITY || !c)
                        continue;
                next = MIN(next, left);
                /* A ticket that waits for its turn goes behind this as behind all else. */
                if (left == 0 && begin && agent_ticket_aside(a, NULL, "a hold ends first") &&
                    !agent_busy(a)) {
                        begin = false;
                        JobOptions options = {
                                .by = "edge-roll",
                                .reason = "the time of the hold is over",
                                .persistent = PERSISTENT_INVALID,
                                .at_cap = AT_CAP_INVALID,
                                .mp_leave = MP_LEAVE_INVALID,
                        };
                        Job *job;
                        if (agent_begin(a, c, ROLL_UNDRAIN, &options, &job, &err) < 0)
                                journal_log(LOG_ERR, JOURNAL_AGENT, NULL,
                                            "the hold of %s cannot be ended: %s", c->name, err.text);
                }
        }
        /* The end of a ticket has looked, too. */
        a->hold_timer = sd_event_source_unref(a->hold_timer);
        if (next != USEC_INFINITY)
                (void) sd_event_add_time(a->event, &a->hold_timer, CLOCK_MONOTONIC,
                                         time_now() + MIN(MAX(next, HOLD_RETRY_USEC), HOLD_LOOK_USEC), 0,
                                         agent_on_hold, a);
}

/* ---- leaving when idle ---- */

static int agent_on_idle(sd_event_source *s, uint64_t usec, void *userdata);

void agent_touch(Agent *a)
{
        Usec when = time_now() + a->config->idle_exit_usec;
        if (!a->idle_timer) {
                (void) sd_event_add_time(a->event, &a->idle_timer, CLOCK_MONOTONIC, when, USEC_PER_SEC,
                                         agent_on_idle, a);
                return;
        }
        (void) sd_event_source_set_time(a->idle_timer, when);
        (void) sd_event_source_set_enabled(a->idle_timer, SD_EVENT_ONESHOT);
}

static int agent_on_released(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Agent *a = userdata;
        (void) m;
        (void) error;
        /* The answer comes behind every call that was still sent to us, and those have been answered by now.
         */
        (void) sd_bus_flush(a->bus);
        return sd_event_exit(a->event, 0);
}

static int agent_on_idle(sd_event_source *s, uint64_t usec, void *userdata)
{
        Agent *a = userdata;
        (void) s;
        (void) usec;
        Usec next;
        if (agent_busy(a) || a->memory_waits || !a->bus || a->leaving || a->hold_timer || a->over_timer ||
            !a->locked || a->pins > 0 || leases_any(a->leases, time_boot(), &next) || a->tickets ||
            a->places_timer || places_pending(a->places, NULL, 0)) {
                agent_touch(a);
                return 0;
        }
        a->leaving = true;
        (void) sd_notify(0, "STOPPING=1");
        a->name_slot = sd_bus_slot_unref(a->name_slot);
        if (sd_bus_release_name_async(a->bus, &a->name_slot, AGENT_BUS_NAME, agent_on_released, a) < 0)
                return sd_event_exit(a->event, 0);
        return 0;
}

/* ---- the bus ---- */

static void agent_connect(Agent *a);

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

static void agent_drop_side(Agent *a)
{
        if (!a->side)
                return;
        sd_bus_detach_event(a->side);
        a->side = sd_bus_close_unref(a->side);
}

/* In the middle of a job systemd must be reached also while the bus is away: over its own socket. */
static void agent_side_bus(Agent *a)
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
static void agent_drop_bus(Agent *a)
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
            ((r = bus_api_publish(bus, a)) < 0 ||
             (r = sd_bus_request_name_async(bus, &a->name_slot, AGENT_BUS_NAME, 0, agent_on_name, a)) < 0))
                return r;
        a->bus = TAKE_PTR(bus);
        return 0;
}

static void agent_connect(Agent *a)
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

/* ---- jobs ---- */

static void agent_told(Job *job, uint64_t seq, const char *json, void *userdata)
{
        Agent *a = userdata;
        if (!a->heal)
                bus_api_event(a->bus, job, seq, json);
}

/* Its health port may be another one now: what was seen of it before counts no more. */
static void agent_forget_ports(Agent *a, const Job *job)
{
        LeaseSlot *slot;
        for (size_t i = 0; (slot = leases_get(a->leases, i)); i++)
                if (job_concerns(job, slot->component))
                        slot->health_port = 0;
}

static void agent_restarted(Agent *a, const Job *job)
{
        const Component *partner = NULL;
        bus_needed_restarted(a, job_component(job));
        if (roll_kind_from_name(job_kind(job)) == ROLL_RESTART_RMP && config_rmp(a->config, &partner) &&
            partner)
                bus_needed_restarted(a, partner);
}

/* ---- tickets ---- */

#define TICKET_RETRY_USEC (2 * USEC_PER_SEC)

/* A hold is ended by a person, a lease by its roll; a ticket does neither, and starts nothing. */
static bool agent_ticket_may(const Ticket *ticket, void *userdata)
{
        Agent *a = userdata;
        const Component *partner = NULL, *c = config_component(a->config, ticket->component);
        if (!c && strcmp(ticket->component, CONFIG_RMP) == 0)
                c = config_rmp(a->config, &partner);
        const Component *of[] = { c, partner };
        for (size_t i = 0; i < ELEMENTS(of) && of[i]; i++) {
                const LeaseSlot *slot = leases_slot(a->leases, of[i]->name);
                Standing s;
                if (!slot || *slot->unreadable || lease_current(&slot->lease, time_boot()))
                        return false;
                /* Also one that is not up yet, after a boot. */
                standing_look(a->config, a->conns, of[i], NULL, 0, false, &s);
                if (s.held || *s.error || (s.health_port && s.out))
                        return false;
        }
        return c;
}

static void agent_ticket_begin(Agent *a, const Ticket *ticket)
{
        const Component *c = config_component(a->config, ticket->component);
        JobOptions options = {
                .persistent = PERSISTENT_INVALID,
                .at_cap = AT_CAP_INVALID,
                .mp_leave = MP_LEAVE_INVALID,
                .ticket = true,
                .wait_usec = USEC_INFINITY,
        };
        JournalContext context = { .component = ticket->component };
        Job *job;
        Err err = { 0 };
        (void) snprintf(options.by, sizeof(options.by), "%s", ticket->by);
        (void) snprintf(options.who, sizeof(options.who), "%s", ticket->who);
        (void) snprintf(options.reason, sizeof(options.reason), "%s", ticket->reason);
        if (agent_begin(a, c ? c : config_rmp(a->config, NULL), c ? ROLL_RESTART : ROLL_RESTART_RMP, &options,
                        &job, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_TICKET, &context, "%s: the ticket cannot begin yet: %s",
                            ticket->component, err.text);
}

/* Whose record stays behind its end would be a restart that nobody has asked for. Whoever asks once more
 * meanwhile gets his. */
static bool agent_ticket_gone(Agent *a)
{
        const Ticket *over = &a->ticket_over;
        Ticket now;
        if (a->ticket_is_over && tickets_read(a->config->state_dir, over->component, &now, NULL) > 0 &&
            now.asked == over->asked && tickets_remove(a->config->state_dir, over->component, NULL) < 0)
                return false;
        a->ticket_is_over = false;
        return true;
}

static int agent_on_tickets(sd_event_source *s, uint64_t usec, void *userdata)
{
        Agent *a = userdata;
        Ticket ticket;
        (void) s;
        (void) usec;
        a->ticket_timer = sd_event_source_unref(a->ticket_timer);
        if (a->leaving || !a->locked)
                return 0;
        bool found = agent_ticket_gone(a) &&
                     tickets_next(a->config->state_dir, agent_ticket_may, a, &ticket, &a->tickets) > 0;
        if (found && !agent_busy(a))
                agent_ticket_begin(a, &ticket);
        if (a->tickets && !agent_busy(a))
                (void) sd_event_add_time(a->event, &a->ticket_timer, CLOCK_MONOTONIC,
                                         time_now() + TICKET_RETRY_USEC, 0, agent_on_tickets, a);
        return 0;
}

void agent_tickets_changed(Agent *a)
{
        a->tickets = true; /* until looked at */
        a->ticket_timer = sd_event_source_unref(a->ticket_timer);
        (void) sd_event_add_time(a->event, &a->ticket_timer, CLOCK_MONOTONIC, 0, 0, agent_on_tickets, a);
}

bool agent_ticket_aside(Agent *a, const char *component, const char *why)
{
        Job *job = agent_busy(a);
        Err err = { 0 };
        if (!job || !job_options(job)->ticket || (component && !job_concerns(job, component)) ||
            job_placed(job, job_component(job)->name))
                return true;
        if (!a->ticket_aside && job_can_cancel(job)) {
                a->ticket_aside = true;
                if (job_cancel(job, why, &err) < 0)
                        a->ticket_aside = false;
        }
        return !agent_busy(a);
}

static void agent_ticket_ended(Agent *a, const Job *job, Result result)
{
        bool aside = a->ticket_aside;
        const char *name = job_roll_kind(job) == ROLL_RESTART_RMP ? CONFIG_RMP : job_component(job)->name;
        JournalContext context = { .component = name };
        Err err = { 0 };
        a->ticket_aside = false;
        bool over = tickets_over(result, aside);
        journal_log(LOG_NOTICE, JOURNAL_TICKET, &context, "%s: the ticket %s (%s)", name,
                    over ? "is over" : "is set aside and begins anew", result_name(result));
        if (!over || tickets_remove(a->config->state_dir, name, &err) == 0)
                return;
        journal_log(LOG_WARNING, JOURNAL_TICKET, &context, "%s: %s", name, err.text);
        a->ticket_is_over = tickets_read(a->config->state_dir, name, &a->ticket_over, NULL) > 0;
}

#define PLACES_LOOK_USEC (5 * USEC_PER_SEC)

static void agent_places(Agent *a, Job *job);

static int agent_on_places(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_places(userdata, NULL);
        return 0;
}

/* The places of a job that is over, and of those before it: given back unless the node is still out. */
static void agent_places(Agent *a, Job *job)
{
        const char *component;
        Place *place;
        while (job && (place = job_take_place(job, &component)))
                places_adopt(a->places, component, place);
        a->places_timer = sd_event_source_unref(a->places_timer);
        if (places_settle(a->places, a->config, a->conns, agent_busy(a)))
                (void) sd_event_add_time(a->event, &a->places_timer, CLOCK_MONOTONIC,
                                         time_now() + PLACES_LOOK_USEC, 0, agent_on_places, a);
}

static void agent_records_over(Agent *a);

static int agent_on_over(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_records_over(userdata);
        return 0;
}

/* Their records are there; one that is to end by itself has a time now, too. */
static void agent_hold_unit(Agent *a)
{
        Err err = { 0 };
        a->unwritten.unit_due = false;
        if (manager_start(HOLD_UNIT, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL,
                            "%s; without that unit the hold does not survive a reboot", err.text);
        agent_watch_holds(a, false);
}

/* A record that stays behind its job would be gone on with by the next agent, and a hold without one is over
 * with the next boot: tried until it sticks, and nobody leaves before. A job that has begun since has a
 * record of its own. */
static void agent_records_over(Agent *a)
{
        a->over_timer = sd_event_source_unref(a->over_timer);
        if (agent_busy(a))
                return;
        int lock = a->unwritten.n > 0 ? hold_lock(a->config->state_dir, HOLD_LOCK_USEC) : -1;
        unwritten_write(&a->unwritten, a->config, NULL);
        closep(&lock);
        bool gone = a->unwritten.n == 0;
        if (gone && a->unwritten.unit_due)
                agent_hold_unit(a);
        for (int p = 0; p < JOB_PLACE_COUNT && a->unwritten.n == 0 && !*a->stale; p++)
                gone = state_remove(a->config->state_dir, job_record_name((JobPlace) p), NULL) == 0 && gone;
        if (!gone)
                (void) sd_event_add_time(a->event, &a->over_timer, CLOCK_MONOTONIC,
                                         time_now() + HOLD_RETRY_USEC, 0, agent_on_over, a);
}

static void agent_ended(Job *job, Result result, void *userdata)
{
        Agent *a = userdata;
        if (!a->heal && job_options(job)->ticket)
                agent_ticket_ended(a, job, result);
        if (a->heal) {
                (void) sd_event_exit(a->event,
                                     result == RESULT_GAVE_BACK ? EXIT_SUCCESS : result_exit_code(result));
                return;
        }
        agent_touch(a);
        agent_records_over(a);
        agent_places(a, job);
        agent_tickets_changed(a);
        /* Not from within the end of the job: what is kept is asked of the component, later. */
        if (result == RESULT_DONE && roll_leads_past(roll_kind_from_name(job_kind(job)), PHASE_READY)) {
                agent_forget_ports(a, job);
                agent_restarted(a, job);
        }
        agent_watch_holds(a, false);
}

static bool agent_leased(const char *component, const char *roll, char *text, size_t size, void *userdata)
{
        const Agent *a = userdata;
        return leases_roll_has(a->leases, component, roll, time_boot(), text, size);
}

static void agent_exhausted(const char *why, void *userdata)
{
        Agent *a = userdata;
        journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "%s: this agent ends in phase %s, and the next one goes on",
                    why, job_phase(a->job));
        (void) sd_event_exit(a->event, AGENT_EXIT_RESTART);
}

static JobEnv agent_env(Agent *a)
{
        return (JobEnv){
                .event = a->event,
                .config = a->config,
                .systemd = a->systemd,
                .http = a->http,
                .conns = a->conns,
                .monit = a->monit,
                .unwritten = &a->unwritten,
                .keep_fd = agent_keep_fd,
                .told = agent_told,
                .ended = agent_ended,
                .leased = agent_leased,
                .exhausted = a->heal ? NULL : agent_exhausted,
                .settle = a->heal,
                .userdata = a,
        };
}

static void agent_drop_config(Agent *a, const Config *c)
{
        if (c && c != a->given && c != a->config && c != a->job_config)
                config_free((Config *) (uintptr_t) c);
}

void agent_pin(Agent *a)
{
        a->pins++;
}

void agent_unpin(Agent *a)
{
        a->pins--;
}

/* Each asks the component several things; the bus alone would let a single user have thousands of them. */
#define PINS_MAX 64

/* Whoever may change a file of root's needs no agent to do so; but that he did is told. */
static void agent_config_changed(Agent *a)
{
        char text[900];
        int r = config_seen(a->config, &a->seen, text, sizeof(text));
        if (*text)
                journal_log(LOG_NOTICE, JOURNAL_CONFIG, NULL, "the configuration has changed: %s", text);
        if (r < 0)
                journal_log(
                        LOG_INFO, JOURNAL_AGENT, NULL,
                        "which configuration was seen cannot be kept: %s; a change while no agent runs is "
                        "not told",
                        strerror(-r));
}

bool agent_crowded(const Agent *a)
{
        return a->pins >= PINS_MAX;
}

int agent_reload(Agent *a, Err *err)
{
        Config *fresh;
        Monit *monit;
        if (agent_busy(a) || a->pins > 0)
                return 0;
        int r = config_load(&fresh, NULL, NULL, err);
        if (r < 0)
                return r;
        r = monit_new(&monit, a->systemd, a->http, a->event, fresh, err);
        if (r < 0) {
                config_free(fresh);
                return r;
        }
        monit_free(a->monit);
        a->monit = monit;
        const Config *old = a->config;
        a->config = fresh;
        agent_drop_config(a, old);
        agent_config_changed(a);
        return 0;
}

int agent_begin(Agent *a, const Component *component, RollKind kind, const JobOptions *options, Job **ret,
                Err *err)
{
        JobEnv env = agent_env(a);
        if (!a->locked)
                return err_set(err, -EBUSY,
                               HEAL_UNIT " is finishing a job that an agent has left; call again");
        if (*a->stale && access_records(a))
                return err_set(err, -EUCLEAN, "%s", a->stale);
        if (agent_busy(a))
                return err_set(err, -EBUSY, "a %s of %s runs on this node (phase %s)", job_kind(a->job),
                               job_component(a->job)->name, job_phase(a->job));
        a->job = job_free(a->job);
        const Config *old = a->job_config;
        a->job_config = a->config;
        agent_drop_config(a, old);
        int r = job_new(&a->job, &env, a->next_id++, component, kind, options, err);
        if (r < 0)
                return r;
        /* Best effort: only a configuration that is broken in mid-job ever needs it. */
        if (kind != ROLL_DRY_RUN)
                (void) kept_write(a->config);
        /* What gives the place of the job before it back would give this one's. */
        for (size_t i = 0; roll_leads_past(kind, PHASE_PLACE) && i < a->config->n_components; i++)
                if (job_concerns(a->job, a->config->components[i].name))
                        places_drop(a->places, a->config->components[i].name);
        job_start(a->job);
        *ret = a->job;
        return 0;
}

/* Numbers go on where the last results on disk stopped. */
static void agent_number(Agent *a)
{
        _cleanup_(state_list_freep) char **names = NULL;
        a->next_id = 1;
        if (state_list(a->config->state_dir, "last-", &names, NULL) < 0)
                return;
        for (size_t i = 0; names[i]; i++) {
                cJSON *o = NULL;
                if (state_read(a->config->state_dir, names[i], &o, NULL, NULL) < 0 || !o)
                        continue;
                const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "job");
                if (cJSON_IsNumber(id) && id->valuedouble >= 1 && id->valuedouble < 1e15)
                        a->next_id = MAX(a->next_id, (uint64_t) id->valuedouble + 1);
                cJSON_Delete(o);
        }
}

/* Nobody can go on with it: what its records say, or what the tables show, is held or taken away. */
static void agent_settle(Agent *a, JobPlace place, const char *why, bool understood, int fd)
{
        Err err = { 0 };
        int r = lost_settle(a->config, place, why, understood, fd, &a->unwritten);

        agent_keep_fd(place, -1, a);
        if (r < 0)
                (void) snprintf(
                        a->stale, sizeof(a->stale),
                        "the unfinished job in %.160s/%s cannot go on: %.240s; see that component and "
                        "monit are as they should be, then delete that file",
                        a->config->state_dir, job_record_name(place), why);
        /* The table is there; the unit puts it up again after a reboot, and can be stopped. */
        else if (r > 0 && manager_start(HOLD_UNIT, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL,
                            "%s; without that unit the hold does not survive a reboot", err.text);
}

static void stored_fds_close(Agent *a)
{
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                closep(&a->stored_fds[p]);
}

/* Nobody goes on with them: a table that belongs to one of these sockets goes with the last of its holders.
 */
static void stored_fds_drop(Agent *a)
{
        stored_fds_close(a);
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                agent_keep_fd((JobPlace) p, -1, a);
}

/*
 * That says nothing about the record: it stays as it is, with what the fd store keeps, until there is memory.
 * The next one of us would have no more of it, and after some of them systemd gives the unit up. Behind heal
 * there is nobody: its unit starts it again, as often as it takes, and then with the limits that it has by
 * then.
 */
static bool agent_no_memory(Agent *a, const Err *err)
{
        const Usec now = time_now();
        if (a->memory_since == 0) {
                journal_log(LOG_CRIT, JOURNAL_AGENT, NULL,
                            "an unfinished job cannot be gone on with until there is memory: %s", err->text);
                a->memory_since = now;
                a->memory_pause = MEMORY_PAUSE_USEC;
        }
        (void) snprintf(a->stale, sizeof(a->stale), "%s", err->text);
        a->memory_waits = now - a->memory_since < (a->heal ? HEAL_MEMORY_WAIT_USEC : MEMORY_WAIT_USEC) &&
                          sd_event_source_set_time(a->memory_timer, time_add(now, a->memory_pause)) >= 0 &&
                          sd_event_source_set_enabled(a->memory_timer, SD_EVENT_ONESHOT) >= 0;
        a->memory_pause = MIN(2 * a->memory_pause, MEMORY_PAUSE_MAX_USEC);
        if (!a->memory_waits) {
                stored_fds_close(a);
                (void) sd_event_exit(a->event, a->heal ? AGENT_EXIT_RESTART : AGENT_EXIT_GIVE_UP);
        }
        return false;
}

/* Return: a job goes on. */
static bool agent_take_up(Agent *a)
{
        int copies[JOB_PLACE_COUNT];
        JobEnv env = agent_env(a);
        cJSON *record = NULL;
        bool same_boot = false;
        Err err = { 0 };
        int r = 0;

        /* A partner's record alone (somebody has deleted the other one) is a job like any other. */
        for (int p = 0; p < JOB_PLACE_COUNT && r == 0 && !record; p++) {
                env.place = (JobPlace) p;
                r = state_read(a->config->state_dir, job_record_name(env.place), &record, &same_boot, &err);
        }
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                a->fd_stored[p] = a->stored_fds[p] >= 0;
        if (r == 0 && !record) {
                stored_fds_drop(a);
                return false;
        }
        if (r == -ENOMEM)
                return agent_no_memory(a, &err);
        bool understood = r == 0;
        for (int p = 0; p < JOB_PLACE_COUNT; p++) {
                /* A second one: what the first refuses with must still be there to be read. */
                copies[p] = understood && a->fd_stored[p] ? fcntl(a->stored_fds[p], F_DUPFD_CLOEXEC, 0) : -1;
        }
        if (understood)
                r = job_resume(&a->job, &env, record, same_boot, copies, &err);
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                closep(&copies[p]);
        cJSON_Delete(record);
        if (r == -ENOMEM)
                return agent_no_memory(a, &err);
        if (r < 0) {
                for (int p = 0; p < JOB_PLACE_COUNT; p++)
                        if (p == (int) env.place || access_record(a, (JobPlace) p))
                                agent_settle(a, (JobPlace) p, err.text, understood,
                                             TAKE_FD(a->stored_fds[p]));
                stored_fds_drop(a);
                return false;
        }
        stored_fds_close(a);
        a->next_id = MAX(a->next_id, job_id(a->job) + 1);
        a->ticket_aside = !same_boot && job_options(a->job)->ticket;
        job_start(a->job);
        return agent_busy(a);
}

/* Return: a job goes on. None may do so later: see memory_waits. */
static bool agent_resume(Agent *a)
{
        a->memory_waits = false;
        *a->stale = '\0';
        bool on = agent_take_up(a);
        if (!a->memory_waits)
                a->memory_since = 0;
        return on;
}

/* ---- never two ---- */

static int agent_on_lock(sd_event_source *s, uint64_t usec, void *userdata);

/* What an agent does once the unfinished jobs are its own. */
static void agent_begin_work(Agent *a)
{
        char text[512];
        agent_number(a);
        if (a->memory_since == 0 && tickets_unreadable(a->config->state_dir, text, sizeof(text)))
                journal_log(LOG_ERR, JOURNAL_TICKET, NULL, "%s", text);
        /* Of files that cannot be used there is nothing to compare. */
        if (!*a->trouble)
                agent_config_changed(a);
        if (agent_resume(a) && !a->ready) {
                /* The job does not wait for the bus, so systemd must not wait for us to have a name. */
                a->ready = true;
                (void) sd_notify(0, "READY=1");
                if (!a->bus)
                        agent_side_bus(a);
        }
        if (a->memory_waits)
                return;
        if (a->unwritten.n > 0)
                agent_records_over(a);
        agent_watch_holds(a, true);
        agent_places(a, NULL);
        agent_tickets_changed(a);
        agent_leases_changed(a);
}

static void heal_begin_work(Agent *a)
{
        agent_number(a);
        if (!agent_resume(a) && !a->memory_waits && !a->job)
                (void) sd_event_exit(a->event, *a->stale ? result_exit_code(RESULT_FAILED) : EXIT_SUCCESS);
}

static int agent_on_memory(sd_event_source *s, uint64_t usec, void *userdata)
{
        Agent *a = userdata;
        (void) s;
        (void) usec;
        if (a->heal)
                heal_begin_work(a);
        else
                agent_begin_work(a);
        return 0;
}

/* model: AGENT-LOCK */
static void agent_lock(Agent *a)
{
        Err err = { 0 };
        int r = state_lock(a->config->state_dir, &a->lock_fd, &err);
        Usec now = time_now();
        /* A lock that cannot be had for another reason protects from nobody. */
        if (r != -EBUSY) {
                if (r < 0)
                        journal_log(LOG_WARNING, JOURNAL_AGENT, NULL, "%s", err.text);
                a->locked = true;
                if (a->heal)
                        heal_begin_work(a);
                else
                        agent_begin_work(a);
                return;
        }
        if (a->lock_since == 0) {
                a->lock_since = now;
                /* Heal does the work, and cannot while the table belongs to a socket that lies with us. */
                for (int p = 0; p < JOB_PLACE_COUNT && !a->heal; p++)
                        a->fd_stored[p] = a->stored_fds[p] >= 0;
                if (!a->heal)
                        stored_fds_drop(a);
                journal_log(LOG_NOTICE, JOURNAL_AGENT, NULL, "waiting until %s has ended: %s",
                            a->heal ? AGENT_UNIT : HEAL_UNIT, err.text);
        } else if (a->heal && now - a->lock_since > LOCK_WAIT_USEC) {
                journal_log(LOG_NOTICE, JOURNAL_AGENT, NULL, AGENT_UNIT " runs again and goes on itself");
                a->gave_way = true;
                (void) sd_event_exit(a->event, EXIT_SUCCESS);
                return;
        }
        a->lock_timer = sd_event_source_unref(a->lock_timer);
        if (sd_event_add_time(a->event, &a->lock_timer, CLOCK_MONOTONIC, now + LOCK_RETRY_USEC, 0,
                              agent_on_lock, a) < 0)
                (void) sd_event_exit(a->event, EXIT_FAILURE);
}

static int agent_on_lock(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        agent_lock(userdata);
        return 0;
}

/* ---- being told to go ---- */

/*
 * In the middle of a job. Restarted: the next agent goes on. Stopped: nobody would, so heal does. Shutdown:
 * the record stays for edge-roll-recover.service; undoing now would only invite traffic into a component that
 * is being stopped.
 */
static void agent_go(Agent *a)
{
        Stopping why = a->heal ? STOPPING_UNKNOWN : manager_why_stopped(AGENT_UNIT);
        const char *next = why == STOPPING_RESTART    ? "the next agent goes on"
                           : why == STOPPING_UNIT     ? HEAL_UNIT " finishes it"
                           : why == STOPPING_SHUTDOWN ? "it is settled after the boot"
                                                      : "whoever comes next goes on";
        const char *phase = a->job ? job_phase(a->job) : "none: it was not taken up yet";
        Err err = { 0 };
        if (why == STOPPING_UNIT && manager_start(HEAL_UNIT, &err) < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL,
                            "told to end in phase %s, and nobody finishes the job: %s; start " AGENT_UNIT
                            " or run `edge-roll heal`",
                            phase, err.text);
                return;
        }
        journal_log(LOG_NOTICE, JOURNAL_AGENT, NULL, "told to end in phase %s; the job's record stays, %s",
                    phase, next);
}

static int agent_on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Agent *a = userdata;
        (void) s;
        (void) si;
        if (agent_busy(a) || a->memory_waits) {
                agent_go(a);
                return sd_event_exit(a->event, AGENT_EXIT_RESTART);
        }
        if (a->over_timer)
                agent_records_over(a);
        (void) sd_notify(0, "STOPPING=1");
        return sd_event_exit(a->event, 0);
}

static int agent_setup(Agent *a, Err *err)
{
        sigset_t mask;
        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        (void) signal(SIGPIPE, SIG_IGN);

        int r;
        if ((r = sd_event_default(&a->event)) < 0 ||
            (r = sd_event_add_signal(a->event, NULL, SIGTERM, agent_on_signal, a)) < 0 ||
            (r = sd_event_add_signal(a->event, NULL, SIGINT, agent_on_signal, a)) < 0 ||
            (r = sd_event_add_time(a->event, &a->memory_timer, CLOCK_MONOTONIC, USEC_INFINITY, 0,
                                   agent_on_memory, a)) < 0 ||
            (r = sd_event_source_set_enabled(a->memory_timer, SD_EVENT_OFF)) < 0 ||
            (r = sd_event_set_watchdog(a->event, true)) < 0)
                return err_errno(err, r, "no event loop");
        if ((r = http_new(&a->http, a->event, err)) < 0 || (r = conns_new(&a->conns, err)) < 0)
                return r;
        if ((r = leases_new(&a->leases, a->config->state_dir)) < 0 || (r = pulse_new(&a->pulse, a)) < 0 ||
            (r = places_new(&a->places, a->event)) < 0 || (r = bus_people_new(&a->people)) < 0)
                return err_set(err, r, "out of memory");
        agent_connect(a);
        if ((r = systemd_new(&a->systemd, a->bus, a->event, err)) < 0)
                return r;
        return monit_new(&a->monit, a->systemd, a->http, a->event, a->config, err);
}

static void agent_done(Agent *a)
{
        /* The job is dropped, not undone: its record tells the next agent what to do. The descriptor in the
         * fd store keeps the table. */
        a->job = job_free(a->job);
        a->pulse = pulse_free(a->pulse);
        agent_drop_bus(a);
        if (a->systemd && systemd_set_bus(a->systemd, NULL, NULL) < 0)
                abort();
        agent_drop_side(a);
        places_free(a->places);
        sd_event_source_unref(a->ticket_timer);
        sd_event_source_unref(a->places_timer);
        unwritten_done(&a->unwritten);
        leases_free(a->leases);
        bus_people_free(a->people);
        config_seen_done(&a->seen);
        monit_free(a->monit);
        const Config *old = a->job_config, *present = a->config;
        a->config = a->job_config = a->given;
        agent_drop_config(a, old);
        if (present != old)
                agent_drop_config(a, present);
        systemd_free(a->systemd);
        conns_free(a->conns);
        http_free(a->http);
        sd_event_source_unref(a->bus_timer);
        sd_event_source_unref(a->idle_timer);
        sd_event_source_unref(a->hold_timer);
        sd_event_source_unref(a->over_timer);
        sd_event_source_unref(a->lock_timer);
        sd_event_source_unref(a->memory_timer);
        sd_event_unref(a->event);
        stored_fds_close(a);
        closep(&a->lock_fd);
}

/* Of heal 1 would be how a job has ended, and it is not started again then. */
static int agent_failed(const Agent *a)
{
        return a->heal ? AGENT_EXIT_RESTART : EXIT_FAILURE;
}

static int agent_run(Agent *a)
{
        Err err = { 0 };
        int r = agent_setup(a, &err);
        if (r < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "%s cannot start: %s",
                            a->heal ? "heal" : "the agent", err.text);
                (void) fprintf(stderr, "edge-roll: cannot start: %s\n", err.text);
                agent_done(a);
                return agent_failed(a);
        }
        if (*a->trouble)
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the configuration cannot be used: %s", a->trouble);
        agent_lock(a);
        if (!a->heal)
                agent_touch(a);
        r = sd_event_loop(a->event);
        agent_done(a);
        return r >= 0 ? r : agent_failed(a);
}

int agent_main(const Config *config, const char *trouble)
{
        Agent a = {
                .given = config, .config = config, .job_config = config, .trouble = trouble, .lock_fd = -1
        };
        agent_stored_fds(a.stored_fds);
        return agent_run(&a);
}

static bool heal_leaves_places(const Config *config)
{
        _cleanup_(state_list_freep) char **names = NULL;
        return state_list(config->state_dir, "place-", &names, NULL) == 0 && names[0];
}

/* A hold that is to end by itself is ended by an agent. */
static bool heal_leaves_time(const Config *config)
{
        _cleanup_(freep) Hold *holds = NULL;
        size_t n = 0;
        bool any = false;
        if (hold_list(config->state_dir, &holds, &n, NULL) < 0)
                return false;
        for (size_t i = 0; i < n; i++)
                any = any || hold_left(&holds[i], time_boot(), time_wall()) != USEC_INFINITY;
        return any;
}

/* model: AGENT-GIVEN-UP */
int heal_main(const Config *config, const char *trouble)
{
        Agent a = { .given = config,
                    .config = config,
                    .job_config = config,
                    .trouble = trouble,
                    .heal = true,
                    .stored_fds = { [JOB_MAIN] = -1, [JOB_PARTNER] = -1 },
                    .lock_fd = -1 };
        Err err = { 0 };
        int status = agent_run(&a);
        if (a.gave_way)
                return status;
        if (manager_reset_failed(AGENT_UNIT, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL, "%s; `systemctl reset-failed " AGENT_UNIT "`",
                            err.text);
        journal_log(
                status == 0 ? LOG_NOTICE : LOG_ERR, JOURNAL_AGENT, NULL,
                status == 0
                        ? "the agent had gone; nothing of a job is left, and the next call starts it again"
                        : "the agent had gone; what it left is not as it should be: see `edge-roll status`");
        /* Others wait for a place that only an agent gives back. A ticket waits for the next one: somebody
         * may have stopped this one because of it. */
        if ((heal_leaves_places(config) || heal_leaves_time(config)) && manager_start(AGENT_UNIT, &err) < 0)
                journal_log(LOG_WARNING, JOURNAL_AGENT, NULL, "%s", err.text);
        return status;
}
