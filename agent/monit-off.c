/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The check is to be off, or monit's unit stopped, and that is to be proven. */

#include "agent/monit-impl.h"

#include <string.h>

#include "agent/cgroup.h"

#define SILENT_USEC   (3 * USEC_PER_SEC)  /* a monit that does not answer for so long will not */
#define DEAF_USEC     (20 * USEC_PER_SEC) /* one that answers, but does not unmonitor */
#define STRANGER_USEC (2 * USEC_PER_SEC)  /* monit's own short-lived children are gone by then */
#define PIDS_MAX      256

static void off_unit(Monit *m);
static void off_check(Monit *m);

static void off_done(Monit *m)
{
        const char *check = m->c->monit_check;

        if (m->proven && m->prior.unit[0] && m->prior.active)
                monit_finish_ok(m, "check %s is off (monitor 0, no pending action), %s is %s", check,
                                m->prior.unit, m->unit.active);
        else if (m->proven)
                monit_finish_ok(m, "check %s is off (monitor 0, no pending action)", check);
        else if (m->prior.unit[0])
                monit_finish_ok(m, "%s is %s; that check %s is off cannot be shown beyond that",
                                m->prior.unit, m->prior.active ? m->unit.active : "not active as before",
                                check);
        else
                monit_finish_ok(m, "monit has neither a unit nor a check %s", check);
}

static void off_confirm(Monit *m)
{
        if (m->check == MONIT_CHECK_MONITORED || m->pending) {
                Err err = {};
                (void) err_set(&err, -EBUSY, "%s is stopped, but another monit answers and monitors %s",
                               m->prior.unit, m->c->monit_check);
                monit_finish_err(m, &err);
        } else {
                m->proven = monit_check_is_off(m);
                off_done(m);
        }
}

static void off_unit_down(Monit *m)
{
        if (m->proven)
                off_done(m);
        else
                monit_check_read(m,
                                 off_confirm); /* a monit that cron or somebody started is not in the unit */
}

static void off_unit_stopped(Monit *m)
{
        if (monit_unit_is_down(m)) {
                off_unit_down(m);
        } else if (monit_unit_is(m, "active")) {
                Err err = {};
                (void) err_set(&err, -EIO, "%s is still %s (%.200s)", m->prior.unit, m->unit.active,
                               m->trouble);
                monit_finish_err(m, &err);
        } else {
                m->unit_then = off_unit_stopped;
                monit_wait_then(m, MONIT_POLL_USEC, monit_unit_read_again);
        }
}

static void on_stopped(JobResult result _unused_, const char *text, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        monit_trouble(m, text);
        monit_unit_read(m, off_unit_stopped);
}

static bool comm_read(int pid, char ret[32])
{
        char path[64];
        (void) snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        _cleanup_(fclosep) FILE *file = fopen(path, "re");
        if (!file || !fgets(ret, 32, file))
                return false;
        ret[strcspn(ret, "\n")] = '\0';
        return true;
}

/*
 * Whether something that is not monit lives in the unit's cgroup. @ret: what. Where the cgroup cannot be read
 * the answer is yes: the price of an error would be a component killed undrained.
 */
static bool unit_has_strangers(const Monit *m, char *ret, size_t size)
{
        int pids[PIDS_MAX];
        Err err = {};

        if (!m->unit.control_group[0])
                return false;
        int n = cgroup_pids(NULL, m->unit.control_group, pids, PIDS_MAX, &err);
        if (n < 0)
                (void) snprintf(ret, size, "%s", err.text);
        if (n > PIDS_MAX)
                (void) snprintf(ret, size, "%d processes", n);
        if (n < 0 || n > PIDS_MAX)
                return true;
        for (int i = 0; i < n; i++) {
                char comm[32];
                if (pids[i] == (int) m->unit.main_pid || !comm_read(pids[i], comm) ||
                    strcmp(comm, "monit") == 0 || strcmp(comm, "apigee-monit") == 0)
                        continue;
                (void) snprintf(ret, size, "process %d (%s)", pids[i], comm);
                return true;
        }
        return false;
}

static void off_unit_seen(Monit *m)
{
        char stranger[512];
        Err err = {};

        if (monit_unit_is_down(m)) {
                off_unit_down(m);
                return;
        }
        if (!unit_has_strangers(m, stranger, sizeof(stranger))) {
                monit_awaits(m, "%s to stop", m->prior.unit);
                if (systemd_job(m->systemd, UNIT_STOP, m->prior.unit, on_stopped, m, &m->call, &err) < 0)
                        monit_finish_err(m, &err);
                return;
        }
        if (time_left(time_add(m->begin, STRANGER_USEC), time_now()) > 0) {
                monit_awaits(m, "%s to have nothing but monit in its cgroup", m->prior.unit);
                m->unit_then = off_unit_seen;
                monit_wait_then(m, MONIT_POLL_USEC, monit_unit_read_again);
        } else if (m->proven) {
                monit_finish_ok(
                        m,
                        "check %s is off (monitor 0, no pending action); %s goes on, because it would take "
                        "%s with it",
                        m->c->monit_check, m->prior.unit, stranger);
        } else {
                (void) err_set(&err, -EBUSY,
                               "check %s is not proven off, and stopping %s would take %s with it",
                               m->c->monit_check, m->prior.unit, stranger);
                monit_finish_err(m, &err);
        }
}

static void off_unit(Monit *m)
{
        Err err = {};

        m->begin = time_now();
        if (m->prior.unit[0] && m->prior.active && m->proven && m->config->monit_stop != MONIT_STOP_YES) {
                /* A monit that is started again may have forgotten what else was unmonitored. */
                monit_finish_ok(m, "check %s is off (monitor 0, no pending action), %s goes on",
                                m->c->monit_check, m->prior.unit);
        } else if (m->prior.unit[0] && m->prior.active && m->config->monit_stop == MONIT_STOP_NO) {
                (void) err_set(&err, -EBUSY,
                               "check %s is not proven off, and [monit] stop = no forbids stopping %s",
                               m->c->monit_check, m->prior.unit);
                monit_finish_err(m, &err);
        } else if (m->prior.unit[0] && m->prior.active)
                monit_unit_read(m, off_unit_seen);
        else
                off_done(m);
}

static void off_seen(Monit *m)
{
        Usec now = time_now();
        bool command = monit_operation_template(m)[0], useless;

        if (monit_check_is_off(m)) {
                m->proven = true;
                off_unit(m);
                return;
        }
        if (m->check == MONIT_CHECK_UNKNOWN)
                useless = now >= time_add(m->answered, SILENT_USEC);
        else
                useless = !m->pending && (!command || m->check == MONIT_CHECK_ABSENT ||
                                          now >= time_add(m->begin, DEAF_USEC));
        /* Without an active unit the check is the only way, and it is tried for as long as the caller lets
         * us. */
        if (useless && m->prior.unit[0] && m->prior.active) {
                off_unit(m);
                return;
        }
        if (m->check == MONIT_CHECK_ABSENT) {
                monit_finish_ok(m, "monit no longer has a check %s", m->c->monit_check);
        } else if (!command && m->check != MONIT_CHECK_UNKNOWN && !m->pending) {
                Err err = {};
                (void) err_set(&err, -EOPNOTSUPP,
                               "check %s is monitored, and there is no command to unmonitor it",
                               m->c->monit_check);
                monit_finish_err(m, &err);
        } else {
                monit_awaits(m, "monit to let go of the check %s (%s%s)", m->c->monit_check,
                             monit_check_state_name(m->check), m->pending ? ", an action is pending" : "");
                if (command && now >= m->command_at)
                        monit_command_run(m, off_check);
                else
                        monit_wait_then(m, MONIT_POLL_USEC, off_check);
        }
}

static void off_check(Monit *m)
{
        monit_check_read(m, off_seen);
}

void monit_off_begin(Monit *m)
{
        m->begin = m->answered = time_now();
        if (m->prior.check == MONIT_CHECK_MONITORED) {
                off_check(m);
        } else {
                m->proven = m->prior.check == MONIT_CHECK_UNMONITORED;
                off_unit(m);
        }
}
