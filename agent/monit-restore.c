/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The check and monit's unit are to be again as they were. */

#include "agent/monit-impl.h"

#define ABSENT_USEC (5 * USEC_PER_SEC)

static void restore_check(Monit *m);
static void restore_unit(Monit *m);

/*
 * Whether the check is to be looked at. One that was unmonitored is, too, where we have started monit: monit
 * (5.33) takes itself for rebooted when its boot time, now less uptime, is rounded to another second than
 * before, and then monitors everything.
 */
static bool restore_wants_check(const Monit *m)
{
        return m->prior.check == MONIT_CHECK_MONITORED ||
               (m->prior.check == MONIT_CHECK_UNMONITORED && m->prior.active && m->prior.unit[0]);
}

static void restore_done(Monit *m)
{
        bool unit = m->prior.active && m->prior.unit[0], check = restore_wants_check(m);
        const char *name = m->c->monit_check, *state = monit_check_state_name(m->prior.check);

        if (unit && check)
                monit_finish_ok(m, "%s active, check %s %s", m->prior.unit, name, state);
        else if (unit)
                monit_finish_ok(m, "%s active", m->prior.unit);
        else if (check)
                monit_finish_ok(m, "check %s %s", name, state);
        else
                monit_finish_ok(m, "monit was off before, nothing to restore");
}

static void restore_seen(Monit *m)
{
        const char *name = m->c->monit_check, *state = monit_check_state_name(m->prior.check);
        Usec now = time_now();
        Err err = {};

        if (m->check == m->prior.check && !m->pending) {
                restore_done(m);
                return;
        }
        if (m->check != MONIT_CHECK_ABSENT)
                m->begin = now;
        if (m->check == MONIT_CHECK_ABSENT && now >= time_add(m->begin, ABSENT_USEC)) {
                (void) err_set(&err, -ENOENT, "check %s was %s before, and monit no longer has it", name,
                               state);
                monit_finish_err(m, &err);
                return;
        }
        monit_awaits(m, "the check %s to be %s again (it is %s%s)", name, state,
                     monit_check_state_name(m->check), m->pending ? ", an action is pending" : "");
        if (m->check == MONIT_CHECK_UNKNOWN || m->check == MONIT_CHECK_ABSENT || m->check == m->prior.check ||
            now < m->command_at) {
                monit_wait_then(m, MONIT_POLL_USEC, restore_check);
        } else if (monit_operation_template(m)[0]) {
                monit_command_run(m, restore_check);
        } else {
                (void) err_set(&err, -EOPNOTSUPP, "check %s was %s before, and there is no command for it",
                               name, state);
                monit_finish_err(m, &err);
        }
}

static void restore_check(Monit *m)
{
        monit_check_read(m, restore_seen);
}

static void restore_unit_done(Monit *m)
{
        m->begin = time_now();
        m->command_at = 0;
        if (restore_wants_check(m))
                restore_check(m);
        else
                restore_done(m);
}

static void on_started(JobResult result, const char *text, void *userdata)
{
        Monit *m = userdata;

        m->call = NULL;
        monit_trouble(m, text);
        /* Read at once when it worked; not in a tight loop when it did not. */
        monit_wait_then(m, result == JOB_DONE ? 0 : MONIT_RETRY_USEC, restore_unit);
}

static void restore_unit_seen(Monit *m)
{
        Err err = {};

        monit_awaits(m, "%s to be active", m->prior.unit);
        if (monit_unit_is(m, "active") && !m->unit.job_pending) {
                restore_unit_done(m);
        } else if (monit_unit_is_down(m) && m->command_at <= time_now()) {
                m->command_at = time_add(time_now(), MONIT_RETRY_USEC);
                if (systemd_job(m->systemd, UNIT_START, m->prior.unit, on_started, m, &m->call, &err) < 0)
                        monit_finish_err(m, &err);
        } else {
                monit_wait_then(m, MONIT_POLL_USEC, restore_unit);
        }
}

static void restore_unit(Monit *m)
{
        monit_unit_read(m, restore_unit_seen);
}

void monit_restore_begin(Monit *m)
{
        if (m->prior.active && m->prior.unit[0])
                restore_unit(m);
        else
                restore_unit_done(m);
}
