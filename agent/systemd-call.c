/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The life of a call to systemd: its references, the output of its command, its end. */

#include "agent/systemd-impl.h"

#include <string.h>

#include "base/words.h"

#define DRAIN_READS 32 /* at 64 KiB each more than a pipe can hold */

const SystemdVerb systemd_verbs[] = {
        [UNIT_START] = { "StartUnit", "start" },
        [UNIT_STOP] = { "StopUnit", "stop" },
        [UNIT_RELOAD_OR_START] = { "ReloadOrRestartUnit", "reload or start" },
        [UNIT_RESTART] = { "RestartUnit", "restart" },
        [UNIT_RESET_FAILED] = { "ResetFailedUnit", "reset-failed" },
};
_Static_assert(ELEMENTS(systemd_verbs) == UNIT_VERB_COUNT, "every verb has a method");

/* systemd's own socket: without a name on a bus nobody can hold a reference. */
bool systemd_own_socket(const Systemd *s)
{
        const char *address = NULL;
        return sd_bus_get_address(s->bus, &address) >= 0 && strstr(address, "/run/systemd/private");
}

static void call_unref_unit(SystemdCall *c)
{
        /* Whether it succeeds does not matter: the reference also goes with our connection. */
        if (c->referenced && c->systemd->bus && systemd_own_socket(c->systemd)) {
                (void) sd_bus_call_method_async(c->systemd->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "StopUnit", NULL, NULL, "ss", c->unit,
                                                "replace");
                (void) sd_bus_call_method_async(c->systemd->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "ResetFailedUnit", NULL, NULL, "s", c->unit);
        } else if (c->referenced && c->systemd->bus)
                (void) sd_bus_call_method_async(c->systemd->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH,
                                                SYSTEMD_MANAGER, "UnrefUnit", NULL, NULL, "s", c->unit);
        c->referenced = false;
}

SystemdCall *systemd_call_free(SystemdCall *c)
{
        if (!c)
                return NULL;

        if (c->prev)
                c->prev->next = c->next;
        else if (c->systemd->calls == c)
                c->systemd->calls = c->next;
        if (c->next)
                c->next->prev = c->prev;

        sd_bus_slot_unref(c->slot);
        sd_event_source_unref(c->timer);
        sd_event_source_unref(c->out_source);
        call_unref_unit(c);
        closep(&c->out_read);
        closep(&c->out_write);
        words_free(c->argv);
        words_free(c->env);
        free(c);
        return NULL;
}

SystemdCall *systemd_call_cancel(SystemdCall *c)
{
        return systemd_call_free(c);
}

void systemd_call_arm(SystemdCall *c, Usec at)
{
        /* Neither can fail for a timer that exists, in the process that made it. */
        (void) sd_event_source_set_time(c->timer, MIN(at, c->deadline));
        (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

/* ---- output of a command ---- */

static void output_read(SystemdCall *c, size_t reads)
{
        char chunk[64 * 1024];

        while (c->out_read >= 0 && reads-- > 0) {
                ssize_t n = read(c->out_read, chunk, sizeof(chunk));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        c->out_source = sd_event_source_unref(c->out_source);
                        (void) close(TAKE_FD(c->out_read));
                        return;
                }
                size_t keep = MIN((size_t) n, SYSTEMD_OUTPUT_MAX - c->output_len);
                memcpy(c->output + c->output_len, chunk, keep);
                c->output_len += keep;
        }
}

int systemd_on_output(sd_event_source *source _unused_, int fd _unused_, uint32_t revents _unused_,
                      void *userdata)
{
        /* Once a turn of the loop: a command that writes without end must not have the loop to itself. */
        output_read(userdata, 1);
        return 0;
}

/* ---- its end ---- */

void systemd_finish_unit(SystemdCall *c, const UnitState *state, const Err *err)
{
        UnitStateFn fn = c->unit_fn;
        void *userdata = c->userdata;
        systemd_call_free(c);
        fn(state ? 0 : err->code, state, err, userdata);
}

void systemd_finish_job(SystemdCall *c, JobResult result, const char *why)
{
        UnitJobFn fn = c->job_fn;
        void *userdata = c->userdata;
        Err text = {};
        (void) err_set(&text, -EIO, "%s of %s: %s%s%s", systemd_verbs[c->verb].word, c->unit,
                       job_result_name(result), why ? ", " : "", why ? why : "");
        systemd_call_free(c);
        fn(result, text.text, userdata);
}

void systemd_finish_run(SystemdCall *c, int status, const char *why)
{
        SystemdRunFn fn = c->run_fn;
        void *userdata = c->userdata;
        char output[sizeof(c->output)];
        Err text = {};

        /* The command is dead, but what it wrote last may not have been dispatched yet. */
        output_read(c, DRAIN_READS);
        for (size_t i = 0; i < c->output_len; i++)
                output[i] = c->output[i] ? c->output[i] : '?';
        output[c->output_len] = '\0';
        (void) err_set(&text, -EIO, "%s (%s): %s", c->argv[0], c->unit, why);
        systemd_call_free(c);
        fn(status, output, text.text, userdata);
}

/* The call cannot go on: told in the way of its kind. */
void systemd_finish_failed(SystemdCall *c, const Err *err)
{
        Err copy = *err; /* it may lie in the call */

        if (c->kind == CALL_UNIT)
                systemd_finish_unit(c, NULL, &copy);
        else if (c->kind == CALL_JOB)
                systemd_finish_job(c, JOB_CALL_FAILED, copy.text);
        else
                systemd_finish_run(c, copy.code, copy.text);
}

void systemd_finish_late(SystemdCall *c)
{
        Err err = {};
        (void) err_set(&err, c->kind == CALL_RUN ? -ETIME : -ETIMEDOUT, "no answer from systemd about %s%s%s",
                       c->unit, c->trouble[0] ? ": " : "", c->trouble);
        systemd_finish_failed(c, &err);
}
