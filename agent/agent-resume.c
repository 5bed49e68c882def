/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a predecessor has left: descriptors in the fd store, and the record of a job to go on with. */

#include "agent/agent-impl.h"

#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include "agent/hold.h"
#include "agent/journal.h"
#include "agent/lost.h"
#include "agent/manager.h"
#include "agent/state.h"

/* Well below the agent's TimeoutStartSec, and below what its block lasts. */
#define MEMORY_WAIT_USEC (10 * USEC_PER_SEC)
/* Long enough that the starts of its unit are never too many. */
#define HEAL_MEMORY_WAIT_USEC (60 * USEC_PER_SEC)
#define MEMORY_PAUSE_USEC     (50 * USEC_PER_MSEC)
#define MEMORY_PAUSE_MAX_USEC (2 * USEC_PER_SEC)

bool agent_has_record(const Agent *a, JobPlace place)
{
        char path[512];
        (void) snprintf(path, sizeof(path), "%s/%s", a->config->state_dir, job_record_name(place));
        return access(path, F_OK) == 0;
}

bool agent_has_records(const Agent *a)
{
        return agent_has_record(a, JOB_MAIN) || agent_has_record(a, JOB_PARTNER);
}

/* ---- the fd store ---- */

/* The store keeps our table over our own death: its owner is the socket, not the process. */
static const char *const fd_names[JOB_PLACE_COUNT] = { [JOB_MAIN] = "nft", [JOB_PARTNER] = "nft-partner" };

void agent_keep_fd(JobPlace place, int fd, void *userdata)
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

void agent_stored_fds(int ret[JOB_PLACE_COUNT])
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

void agent_stored_fds_close(Agent *a)
{
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                closep(&a->stored_fds[p]);
}

void agent_stored_fds_drop(Agent *a)
{
        agent_stored_fds_close(a);
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                agent_keep_fd((JobPlace) p, -1, a);
}

/* ---- going on ---- */

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
                agent_stored_fds_close(a);
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
                agent_stored_fds_drop(a);
                return false;
        }
        if (r == -ENOMEM)
                return agent_no_memory(a, &err);
        bool understood = r == 0;
        for (int p = 0; p < JOB_PLACE_COUNT; p++) {
                /* A second one: what the first refuses with must still be there to be read. */
                copies[p] = understood && a->fd_stored[p] ? fcntl(a->stored_fds[p], F_DUPFD_CLOEXEC, 0) : -1;
        }
        if (understood) {
                agent_refer(a); /* it may have been read again while there was no memory */
                r = job_resume(&a->job, &env, record, same_boot, copies, &err);
        }
        for (int p = 0; p < JOB_PLACE_COUNT; p++)
                closep(&copies[p]);
        cJSON_Delete(record);
        if (r == -ENOMEM)
                return agent_no_memory(a, &err);
        if (r < 0) {
                for (int p = 0; p < JOB_PLACE_COUNT; p++)
                        if (p == (int) env.place || agent_has_record(a, (JobPlace) p))
                                agent_settle(a, (JobPlace) p, err.text, understood,
                                             TAKE_FD(a->stored_fds[p]));
                agent_stored_fds_drop(a);
                return false;
        }
        agent_stored_fds_close(a);
        a->next_id = MAX(a->next_id, job_id(a->job) + 1);
        a->ticket_aside = !same_boot && job_options(a->job)->ticket;
        job_start(a->job);
        return agent_busy(a);
}

bool agent_resume(Agent *a)
{
        a->memory_waits = false;
        *a->stale = '\0';
        bool on = agent_take_up(a);
        if (!a->memory_waits)
                a->memory_since = 0;
        return on;
}
