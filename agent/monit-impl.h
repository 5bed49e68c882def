/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files that talk to monit (monit*.c) and nobody else. */

#include "agent/monit.h"

#define MONIT_POLL_USEC  (200 * USEC_PER_MSEC)
#define MONIT_RETRY_USEC (1 * USEC_PER_SEC)

typedef enum MonitOp { OP_NONE, OP_LOOK, OP_OFF, OP_RESTORE, OP_CHECK_OFF } MonitOp;

/* What is done next; every operation is a chain of these, each the last statement of the one before. */
typedef void (*MonitStep)(Monit *m);

struct Monit {
        Systemd *systemd;
        Http *http;
        const Config *config;
        sd_event_source *timer;

        MonitOp op;
        const Component *c;
        MonitPrior prior; /* given; for a look the result */
        MonitFn fn;
        MonitLookFn look_fn;
        void *userdata;
        /* After the timer, a read unit, check, command. */
        MonitStep then, unit_then, check_then, command_then;
        SystemdCall *call;
        HttpCall *get;

        size_t unit_index;      /* look: which of the configured units is asked about */
        UnitState unit;         /* as last read */
        MonitCheckState check;  /* as last read */
        bool pending;           /* monit is doing something with it */
        bool proven;            /* the check was seen off */
        Usec begin, command_at; /* of this stretch of waiting; when the next command is due */
        Usec answered;          /* last time that monit answered (or the beginning) */
        char waits_for[256];
        char trouble[512]; /* what went wrong last */
};

/* --- monit-step.c --- */

/*
 * The end of an operation: its callback, which may begin another one; so the last statement of a step. @r,
 * @text, @err: as MonitFn; monit_finish_ok(): 0, with this text. monit_finish_err(): @err says all.
 */
void monit_finish(Monit *m, int r, const char *text, const Err *err);
void monit_finish_ok(Monit *m, const char *fmt, ...) _printf_(2, 3);
void monit_finish_err(Monit *m, const Err *err);

/* monit_wait_then() - @then after @usec, unless the operation is over before. */
void monit_wait_then(Monit *m, Usec usec, MonitStep then);

/* monit_on_timer() - for the timer; @userdata: the Monit. */
int monit_on_timer(sd_event_source *source, uint64_t usec, void *userdata);

/* monit_awaits(), monit_trouble() - what monit_waits_for() is to say: what is waited for, and what went wrong
 * last. */
void monit_awaits(Monit *m, const char *fmt, ...) _printf_(2, 3);
void monit_trouble(Monit *m, const char *text);

/*
 * monit_unit_read() - systemd on m->prior.unit, into m->unit; then @then, unless the operation ends with the
 * error. monit_unit_read_again() - the same, for m->unit_then.
 * monit_unit_is(), monit_unit_is_down() - of m->unit: has it that ActiveState, is it inactive or failed?
 */
void monit_unit_read(Monit *m, MonitStep then);
void monit_unit_read_again(Monit *m);
bool monit_unit_is(const Monit *m, const char *active);
bool monit_unit_is_down(const Monit *m);

/* monit_check_read() - monit on the check, into m->check and m->pending; then @then, perhaps at once.
 * Whatever goes wrong makes it unknown. monit_check_is_off() - by what was read. */
void monit_check_read(Monit *m, MonitStep then);
bool monit_check_is_off(const Monit *m);

/* monit_operation_template() - the command of the running operation, not filled in; "" when there is none.
 * monit_command_run() - run it; then @then, however it ended. */
const char *monit_operation_template(const Monit *m);
void monit_command_run(Monit *m, MonitStep then);

/* --- monit-off.c, monit-restore.c --- */

/* monit_off_begin(), monit_restore_begin() - the first steps of monit_off() and monit_restore(). */
void monit_off_begin(Monit *m);
void monit_restore_begin(Monit *m);
