/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What others ask of monit; the operations that only look. */

#include "agent/monit-impl.h"

#include <string.h>

#define CHECK_MAX 127

static const char *const check_states[] = {
        [MONIT_CHECK_UNKNOWN] = "unknown",
        [MONIT_CHECK_ABSENT] = "absent",
        [MONIT_CHECK_MONITORED] = "monitored",
        [MONIT_CHECK_UNMONITORED] = "unmonitored",
};
_Static_assert(ELEMENTS(check_states) == MONIT_CHECK_COUNT, "every state of a check has a name");

const char *monit_check_state_name(MonitCheckState s)
{
        return s >= 0 && s < MONIT_CHECK_COUNT ? check_states[s] : "invalid";
}

MonitCheckState monit_check_state_from_name(const char *name)
{
        for (int i = 0; name && i < MONIT_CHECK_COUNT; i++)
                if (strcmp(check_states[i], name) == 0)
                        return (MonitCheckState) i;
        return MONIT_CHECK_INVALID;
}

/* ---- look ---- */

static void look_text(const Monit *m, char *text, size_t size)
{
        char unit[320] = "monit has no unit";

        if (!m->prior.unit[0] && m->prior.check == MONIT_CHECK_UNKNOWN) {
                (void) snprintf(text, size, "no monit on this node");
                return;
        }
        if (m->prior.unit[0])
                (void) snprintf(unit, sizeof(unit), "%s %s", m->prior.unit,
                                m->prior.active ? "active" : "not active");
        (void) snprintf(text, size, "%s, check %s %s", unit, m->c->monit_check,
                        monit_check_state_name(m->prior.check));
}

static void look_check(Monit *m);

static void look_done(Monit *m)
{
        char text[640];

        if (m->check == MONIT_CHECK_UNMONITORED && m->pending) {
                monit_awaits(m, "monit is about to do something with the check %s", m->c->monit_check);
                monit_wait_then(m, MONIT_POLL_USEC, look_check);
                return;
        }
        m->prior.check = m->check;
        look_text(m, text, sizeof(text));
        monit_finish(m, 0, text, NULL);
}

static void look_check(Monit *m)
{
        monit_check_read(m, look_done);
}

static void look_unit(Monit *m);

static void look_unit_seen(Monit *m)
{
        if (m->unit.loaded) {
                m->prior.active = monit_unit_is(m, "active") || monit_unit_is(m, "reloading") ||
                                  monit_unit_is(m, "activating");
                look_check(m);
        } else {
                m->unit_index++;
                look_unit(m);
        }
}

static void look_unit(Monit *m)
{
        const char *unit = m->config->monit_units ? m->config->monit_units[m->unit_index] : NULL;

        (void) snprintf(m->prior.unit, sizeof(m->prior.unit), "%s", unit ? unit : "");
        if (unit)
                monit_unit_read(m, look_unit_seen);
        else
                look_check(m); /* monit may run without a unit, started by cron or by hand */
}

/* ---- still off? ---- */

static void check_off_unit(Monit *m)
{
        if (monit_unit_is_down(m)) {
                monit_finish_ok(m, "%s is %s", m->prior.unit, m->unit.active);
        } else {
                Err err = {};
                (void) err_set(&err, -EEXIST, "%s is %s again, and that check %s is off cannot be shown (%s)",
                               m->prior.unit, m->unit.active, m->c->monit_check,
                               monit_check_state_name(m->check));
                monit_finish_err(m, &err);
        }
}

static void check_off_seen(Monit *m)
{
        if (monit_check_is_off(m)) {
                monit_finish_ok(m, "check %s is off (monitor 0, no pending action)", m->c->monit_check);
        } else if (m->check == MONIT_CHECK_MONITORED || m->pending) {
                Err err = {};
                (void) err_set(&err, -EEXIST, "check %s is %s again%s", m->c->monit_check,
                               monit_check_state_name(m->check),
                               m->pending ? ", with an action pending" : "");
                monit_finish_err(m, &err);
        } else if (m->prior.unit[0] && m->prior.active) {
                monit_unit_read(m, check_off_unit);
        } else {
                monit_finish_ok(m, "monit does not watch %s", m->c->monit_check);
        }
}

static void check_off_begin(Monit *m)
{
        monit_check_read(m, check_off_seen);
}

/* ---- Monit ---- */

static bool check_name_valid(const char *name)
{
        size_t n = strlen(name);
        return n > 0 && n <= CHECK_MAX && name[0] != '-' &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

static void without_monit(Monit *m)
{
        if (m->c->monit_check[0])
                monit_finish_ok(m, "no monit on this node");
        else
                monit_finish_ok(m, "monit does not watch %s", m->c->name);
}

static int start(Monit *m, MonitOp op, const Component *c, const MonitPrior *prior, MonitStep begin,
                 void *userdata, Err *err)
{
        if (c->monit_check[0] && !check_name_valid(c->monit_check))
                return err_set(err, -EINVAL, "\"%s\" is not the name of a monit check", c->monit_check);
        if (prior && prior->unit[0] && !systemd_unit_name_valid(prior->unit))
                return err_set(err, -EINVAL, "\"%s\" is not a unit name", prior->unit);

        monit_cancel(m);
        m->op = op;
        m->c = c;
        m->prior = prior ? *prior : (MonitPrior){};
        m->userdata = userdata;
        m->unit_index = 0;
        m->proven = false;
        m->command_at = 0;
        m->waits_for[0] = m->trouble[0] = '\0';
        bool nothing =
                !c->monit_check[0] || (prior && !prior->unit[0] && prior->check == MONIT_CHECK_UNKNOWN);
        monit_wait_then(m, 0, nothing ? without_monit : begin);
        return 0;
}

int monit_look(Monit *m, const Component *c, MonitLookFn fn, void *userdata, Err *err)
{
        int r = start(m, OP_LOOK, c, NULL, look_unit, userdata, err);
        if (r == 0)
                m->look_fn = fn;
        return r;
}

int monit_off(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata, Err *err)
{
        int r = start(m, OP_OFF, c, prior, monit_off_begin, userdata, err);
        if (r == 0)
                m->fn = fn;
        return r;
}

int monit_restore(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata, Err *err)
{
        int r = start(m, OP_RESTORE, c, prior, monit_restore_begin, userdata, err);
        if (r == 0)
                m->fn = fn;
        return r;
}

int monit_check_off(Monit *m, const Component *c, const MonitPrior *prior, MonitFn fn, void *userdata,
                    Err *err)
{
        int r = start(m, OP_CHECK_OFF, c, prior, check_off_begin, userdata, err);
        if (r == 0)
                m->fn = fn;
        return r;
}

int monit_new(Monit **ret, Systemd *systemd, Http *http, sd_event *e, const Config *config, Err *err)
{
        _cleanup_(monit_freep) Monit *m = calloc(1, sizeof(*m));
        if (!m)
                return err_set(err, -ENOMEM, "out of memory");
        m->systemd = systemd;
        m->http = http;
        m->config = config;
        int r = sd_event_add_time(e, &m->timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, monit_on_timer, m);
        if (r < 0)
                return err_errno(err, r, "no timer");
        (void) sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
        *ret = TAKE_PTR(m);
        return 0;
}

Monit *monit_free(Monit *m)
{
        if (!m)
                return NULL;
        m->call = systemd_call_cancel(m->call);
        m->get = http_cancel(m->get);
        sd_event_source_unref(m->timer);
        free(m);
        return NULL;
}
