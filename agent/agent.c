/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The agent as a whole: its parts, when it works and when it leaves, its beginning and its end; and heal. */

#include "agent/agent-impl.h"

#include <signal.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "agent/hold.h"
#include "agent/journal.h"
#include "agent/lost.h"
#include "agent/manager.h"
#include "agent/state.h"

#define LOCK_RETRY_USEC (100 * USEC_PER_MSEC)
#define LOCK_WAIT_USEC  (90 * USEC_PER_SEC) /* heal: longer than the agent's TimeoutStopSec */

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

const Hold *agent_unwritten(const Agent *a, const char *component)
{
        return unwritten_get(&a->unwritten, component);
}

void agent_leases_changed(Agent *a)
{
        pulse_changed(a->pulse);
}

bool agent_notice(const Agent *a, char *buf, size_t size)
{
        if (!a->locked)
                (void) snprintf(buf, size, HEAL_UNIT " is finishing a job that an agent has left");
        else if (*a->stale && agent_has_records(a))
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
            a->places_timer || places_pending(a->places, NULL, 0) || bus_people_spoken_for(a->people)) {
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
                        agent_stored_fds_drop(a);
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
        config_unref(a->job_config);
        config_unref(a->config);
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
        agent_stored_fds_close(a);
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
        Agent a = { .given = config,
                    .config = config_ref(config),
                    .job_config = config_ref(config),
                    .trouble = trouble,
                    .lock_fd = -1 };
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
                    .config = config_ref(config),
                    .job_config = config_ref(config),
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
