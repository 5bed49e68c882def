/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/agent.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "agent/bus-api.h"
#include "agent/hold.h"
#include "agent/journal.h"
#include "agent/state.h"
#include "agent/version.h"

#define BUS_RETRY_USEC (200 * USEC_PER_MSEC)

struct Agent {
        const Config *given;      /* the caller's, of the start */
        const Config *config;     /* in force; ours unless it is the given one */
        const Config *job_config; /* the one the present or last job refers to */
        sd_event *event;
        sd_bus *bus; /* NULL while it is away */
        sd_bus_slot *name_slot, *lost_slot;
        sd_event_source *bus_timer, *idle_timer, *hold_timer;
        Http *http;
        Conns *conns;
        Systemd *systemd;
        Monit *monit;
        Job *job; /* the present or the last one */
        uint64_t next_id;
        bool ready;   /* the name is ours for the first time: systemd was told */
        bool leaving; /* giving the name back; exits with the answer */
        bool fd_stored[JOB_PLACE_COUNT];
        char stale[1024]; /* why an unfinished job's record cannot go on: nothing new begins over it */
        unsigned pins;    /* calls that refer to the configuration */
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

bool agent_leaving(const Agent *a)
{
        return a->leaving;
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

/* The time of a hold is wall clock time ("until 18:00"), so it is looked at again and again, not slept
 * through. */
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
        Usec now = time_wall(), next = USEC_INFINITY;
        Err err = { 0 };

        a->hold_timer = sd_event_source_unref(a->hold_timer);
        if (hold_list(a->config->state_dir, &holds, &n, &err) < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the holds cannot be read: %s", err.text);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                const Component *c = config_component(a->config, holds[i].component);
                if (!holds[i].until_wall_usec || !c)
                        continue;
                Usec left = time_left(holds[i].until_wall_usec, now);
                next = MIN(next, left);
                if (left == 0 && begin && !agent_busy(a)) {
                        begin = false;
                        JobOptions options = {
                                .by = "edge-roll",
                                .reason = "the time of the hold is over",
                                .persistent = PERSISTENT_INVALID,
                                .at_cap = AT_CAP_INVALID,
                        };
                        Job *job;
                        if (agent_begin(a, c, ROLL_UNDRAIN, &options, &job, &err) < 0)
                                journal_log(LOG_ERR, JOURNAL_AGENT, NULL,
                                            "the hold of %s cannot be ended: %s", c->name, err.text);
                }
        }
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
        if (agent_busy(a) || !a->bus || a->leaving || a->hold_timer) {
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

/* A lost bus is weather: the job goes on, and we come back when it does. */
static void agent_drop_bus(Agent *a)
{
        a->name_slot = sd_bus_slot_unref(a->name_slot);
        a->lost_slot = sd_bus_slot_unref(a->lost_slot);
        /* Taking a connection away allocates nothing, so it cannot fail. */
        if (a->systemd && systemd_set_bus(a->systemd, NULL, NULL) < 0)
                abort();
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
        int r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        if ((r = sd_bus_attach_event(bus, a->event, SD_EVENT_PRIORITY_NORMAL)) < 0 ||
            (r = sd_bus_match_signal(bus, &a->lost_slot, NULL, "/org/freedesktop/DBus/Local",
                                     "org.freedesktop.DBus.Local", "Disconnected", agent_on_disconnected,
                                     a)) < 0 ||
            (r = bus_api_publish(bus, a)) < 0 ||
            (r = sd_bus_request_name_async(bus, &a->name_slot, AGENT_BUS_NAME, 0, agent_on_name, a)) < 0)
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
                agent_retry(a);
                return;
        }
        if (a->systemd && systemd_set_bus(a->systemd, a->bus, &err) < 0)
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "systemd cannot be reached over the new bus: %s",
                            err.text);
}

/* ---- jobs ---- */

static void agent_told(Job *job, uint64_t seq, const char *json, void *userdata)
{
        Agent *a = userdata;
        bus_api_event(a->bus, job, seq, json);
}

static void agent_ended(Job *job, Result result, void *userdata)
{
        (void) job;
        (void) result;
        agent_touch(userdata);
        agent_watch_holds(userdata, false);
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
                .keep_fd = agent_keep_fd,
                .told = agent_told,
                .ended = agent_ended,
                .userdata = a,
        };
}

static bool access_record(const Agent *a)
{
        char path[512];
        for (int p = 0; p < JOB_PLACE_COUNT; p++) {
                (void) snprintf(path, sizeof(path), "%s/%s", a->config->state_dir,
                                job_record_name((JobPlace) p));
                if (access(path, F_OK) == 0)
                        return true;
        }
        return false;
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
        return 0;
}

int agent_begin(Agent *a, const Component *component, RollKind kind, const JobOptions *options, Job **ret,
                Err *err)
{
        JobEnv env = agent_env(a);
        if (*a->stale && access_record(a))
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

static void agent_resume(Agent *a, int fds[JOB_PLACE_COUNT])
{
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
        if (r == 0 && !record)
                return;
        if (r == 0) {
                for (int p = 0; p < JOB_PLACE_COUNT; p++)
                        a->fd_stored[p] = fds[p] >= 0;
                r = job_resume(&a->job, &env, record, same_boot, fds, &err);
        }
        cJSON_Delete(record);
        if (r < 0) {
                (void) snprintf(
                        a->stale, sizeof(a->stale),
                        "the unfinished job in %.160s/%s cannot go on: %.240s; see that component and "
                        "monit are as they should be, then delete that file",
                        a->config->state_dir, job_record_name(env.place), err.text);
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "%s", a->stale);
                return;
        }
        a->next_id = MAX(a->next_id, job_id(a->job) + 1);
        job_start(a->job);
}

static int agent_on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Agent *a = userdata;
        (void) s;
        if (agent_busy(a)) {
                journal_log(
                        LOG_NOTICE, JOURNAL_AGENT, NULL,
                        "signal %u in the middle of a job: its record and its block stay, the next agent goes on",
                        si->ssi_signo);
                return sd_event_exit(a->event, AGENT_EXIT_RESTART);
        }
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
            (r = sd_event_set_watchdog(a->event, true)) < 0)
                return err_errno(err, r, "no event loop");
        if ((r = http_new(&a->http, a->event, err)) < 0 || (r = conns_new(&a->conns, err)) < 0)
                return r;
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
        agent_drop_bus(a);
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
        sd_event_unref(a->event);
}

int agent_main(const Config *config)
{
        Agent a = { .given = config, .config = config, .job_config = config };
        Err err = { 0 };
        int fds[JOB_PLACE_COUNT];
        agent_stored_fds(fds);

        int r = agent_setup(&a, &err);
        if (r < 0) {
                journal_log(LOG_ERR, JOURNAL_AGENT, NULL, "the agent cannot start: %s", err.text);
                (void) fprintf(stderr, "edge-roll: the agent cannot start: %s\n", err.text);
                agent_done(&a);
                return EXIT_FAILURE;
        }
        agent_number(&a);
        agent_resume(&a, fds);
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                closep(&fds[p]);
        agent_watch_holds(&a, true);
        agent_touch(&a);
        r = sd_event_loop(a.event);
        agent_done(&a);
        return r < 0 ? EXIT_FAILURE : r;
}
