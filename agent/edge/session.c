/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/session.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/render.h"

/* Names and sentences come from other machines. */
static void session_ascii(char *text)
{
        for (char *c = text; *c; c++)
                if ((unsigned char) *c < ' ' || (unsigned char) *c >= 0x7f)
                        *c = '?';
}

int session_end(Session *s, Result result, const char *hint, const char *fmt, ...)
{
        _cleanup_(freep) char *json = NULL;
        char text[1024];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        session_ascii(text);
        int code = result_exit_code(result);
        hint = hint ? hint : "";
        if (s->rq->json) {
                if (render_result_json(NULL, verb_name(s->rq->verb), result_name(result), code, text, hint,
                                       &json) == 0)
                        (void) fprintf(s->io->out, "%s\n", json);
        } else if (*text) {
                bool good = result == RESULT_DONE || result == RESULT_NOT_NEEDED;
                (void) fprintf(good ? s->io->out : s->io->err, "%s%s\n%s%s%s",
                               good ? "" : "edge-roll: ", text, *hint ? "  " : "", hint, *hint ? "\n" : "");
        }
        return fflush(s->io->out) == 0 || code != 0 ? code : result_exit_code(RESULT_FAILED);
}

int session_end_answer(Session *s, const ApiAnswer *a, const char *what)
{
        Result result = a->unsure ? RESULT_FAILED : api_kind_result(a->kind);
        char hint[400];
        if (a->unsure)
                (void) snprintf(hint, sizeof(hint),
                                "whether it was done is not known: look before it is done again; %.250s",
                                a->hint);
        return session_end(s, result, a->unsure ? hint : a->hint, "%s%s%s", what ? what : "",
                           what ? ": " : "", a->text);
}

int session_end_err(Session *s, Result result, const Err *err)
{
        return session_end(s, result, NULL, "%s", err->text);
}

void session_event(Session *s, cJSON *object)
{
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(object);
        cJSON_Delete(object);
        if (text)
                (void) fprintf(s->io->out, "%s\n", text);
}

static void session_line(Session *s, bool warning, const char *text)
{
        if (s->io->say) {
                s->io->say(s->io->userdata, warning, text);
                return;
        }
        if (!s->rq->json) {
                (void) fprintf(warning ? s->io->err : s->io->out, "%s%s\n", warning ? "warning: " : "", text);
                return;
        }
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", warning ? "warning" : "progress");
        cJSON_AddStringToObject(o, "text", text);
        session_event(s, o);
}

void session_warn(Session *s, const char *fmt, ...)
{
        char text[900];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        session_ascii(text);
        s->warned = true;
        session_line(s, true, text);
}

void session_tell(Session *s, const char *fmt, ...)
{
        char text[900];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        session_ascii(text);
        session_line(s, false, text);
}

void session_live(Session *s, const char *fmt, ...)
{
        char text[200];
        va_list ap;
        if (s->rq->json || s->io->say || isatty(fileno(s->io->out)) <= 0)
                return;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        session_ascii(text);
        (void) fprintf(s->io->out, "\r%s\033[K", text);
        (void) fflush(s->io->out);
}

bool session_ask(Session *s, const char *question, int *ret_exit)
{
        char answer[8] = "";
        if (s->rq->cluster.yes)
                return true;
        if (s->io->in < 0 || s->rq->json) {
                *ret_exit = session_end(s, RESULT_USAGE, "say --yes where nobody can be asked",
                                        "%s Nobody is there to answer", question);
                return false;
        }
        (void) fprintf(s->io->out, "%s [y/N] ", question);
        (void) fflush(s->io->out);
        ssize_t n = read(s->io->in, answer, sizeof(answer) - 1);
        if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y'))
                return true;
        *ret_exit = session_end(s, RESULT_REFUSED, NULL, "Nothing was changed");
        return false;
}

int session_connect(Session *s, const CliRequest *rq, const Config *config, const SessionIo *io, char *hint,
                    size_t size, Err *err)
{
        const char *url = rq->cluster.management ? rq->cluster.management : config->cluster_management_url;
        ApiOptions options = {
                .url = url,
                .user = config->cluster_management_user,
                .password_file = config->cluster_management_password_file,
                .ca_file = config->cluster_management_ca,
        };

        *s = (Session){ .rq = rq, .config = config, .io = io };
        hint[0] = '\0';
        if (!url || !*url) {
                (void) snprintf(
                        hint, size,
                        "name it with --management=URL, or set management_url in section [cluster] of "
                        "edge-roll.conf(5)");
                return err_set(err, -EDESTADDRREQ, "Where the Management Server is is not known");
        }
        int r = sd_event_new(&s->event);
        if (r < 0)
                return err_errno(err, r, "No event loop");
        options.event = s->event;
        return api_new(&s->api, &options, hint, size, err);
}

int session_open(Session *s, const CliRequest *rq, const Config *config, const SessionIo *io, int *ret_exit)
{
        char hint[300];
        Err err = { 0 };
        (void) signal(SIGPIPE, SIG_IGN); /* a server may reset while it is written to */
        int r = session_connect(s, rq, config, io, hint, sizeof(hint), &err);
        if (r >= 0)
                return 0;
        *ret_exit = session_end(s, r == -EINVAL || r == -EDESTADDRREQ ? RESULT_USAGE : RESULT_REFUSED, hint,
                                "%s", err.text);
        session_done(s);
        return r;
}

void session_done(Session *s)
{
        s->api = api_free(s->api);
        s->event = sd_event_unref(s->event);
}
