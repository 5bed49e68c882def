/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The beginning and the end of a command: which verb, how it ended, what is written. */

#include "agent/client-impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

/* ---- output ---- */

void client_write(Client *c, FILE *f, const char *text)
{
        if (fputs(text, f) < 0 || fflush(f) != 0)
                c->output_gone = c->output_gone || f == c->io->out;
}

void client_say(Client *c, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        if (render_say(c->render, text, &out) == 0)
                client_write(c, c->io->out, out);
}

void client_event(Client *c, const char *json)
{
        _cleanup_(freep) char *out = NULL;
        Err err = { 0 };
        if (render_event(c->render, json, time_now(), &out, &err) < 0)
                client_say(c, err.text);
        else
                client_write(c, c->io->out, out);
}

int client_end(Client *c, Result result, const char *reason, const char *hint)
{
        _cleanup_(freep) char *json = NULL, *out = NULL, *clear = NULL;
        if (render_clear(c->render, &clear) == 0)
                client_write(c, c->io->out, clear);
        if (render_result_json(c->component, verb_name(c->rq->verb), result_name(result),
                               result_exit_code(result), reason, hint, &json) == 0 &&
            render_event(c->render, json, time_now(), &out, NULL) == 0)
                client_write(c, c->io->mode.json ? c->io->out : c->io->err, out);
        return result_exit_code(result);
}

RenderMode client_mode(int fd, bool json, bool verbose)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
        struct winsize size = { 0 };
        RenderMode mode = { .json = json, .verbose = verbose };
        if (!isatty(fd))
                return mode;
        mode.live = !json && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
        if (ioctl(fd, TIOCGWINSZ, &size) == 0)
                mode.width = size.ws_col;
        return mode;
}

/* ---- ends of calls that are ends of the command ---- */

int client_end_unreachable(Client *c, const char *why)
{
        return client_end(
                c, RESULT_AGENT_UNREACHABLE, why,
                "systemctl status edge-roll-agent and journalctl -u edge-roll-agent say why; a node "
                "that is held stays held: systemctl stop edge-roll-hold opens it without the agent");
}

int client_end_stopped(Client *c)
{
        char text[256];
        if (c->output_gone)
                return 128 + SIGPIPE;
        const char *component = *render_component(c->render) ? render_component(c->render) : c->component;
        if (c->job_path)
                (void) snprintf(text, sizeof(text),
                                "The job goes on without this display. edge-roll watch %s follows it, "
                                "edge-roll cancel %s undoes it as long as nothing is stopped.",
                                component ? component : "", component ? component : "");
        else
                (void) snprintf(text, sizeof(text), "Interrupted; %s.",
                                c->asked ? "edge-roll status says whether the agent has begun"
                                         : "nothing was begun");
        client_say(c, text);
        return 128 + c->signal;
}

static int end_error(Client *c, const Answer *a)
{
        static const struct {
                const char *name;
                Result result;
                const char *hint;
        } errors[] = {
                { EDGE_ERROR "Refused", RESULT_REFUSED, "" },
                { EDGE_ERROR "Busy", RESULT_BUSY, "edge-roll watch follows the job that runs" },
                { EDGE_ERROR "Leased", RESULT_BUSY,
                  "wait until that roll is over: a lease that nobody renews ends by itself; `edge-roll lock steal` "
                  "takes it away" },
                { EDGE_ERROR "LeaseLost", RESULT_BUSY, "take the lease again" },
                { EDGE_ERROR "NotLeased", RESULT_NOT_NEEDED, "" },
                { EDGE_ERROR "NotLocked", RESULT_NOT_NEEDED,
                  "edge-roll lock show tells who is out and who waits" },
                { EDGE_ERROR "Unprotected", RESULT_UNPROTECTED, "see lock in edge-roll.conf(5)" },
                { EDGE_ERROR "Out", RESULT_REFUSED, "edge-roll status says why" },
                { EDGE_ERROR "PoolDiffers", RESULT_REFUSED, "see [pool] name in edge-roll.conf(5)" },
                { EDGE_ERROR "MembersDiffer", RESULT_REFUSED, "name all members of the pool" },
                { EDGE_ERROR "StaleStep", RESULT_REFUSED, "" },
                { EDGE_ERROR "Expired", RESULT_REFUSED, "call again" },
                { EDGE_ERROR "NoPermission", RESULT_NO_PERMISSION,
                  "call it as root or in group edge-roll: usermod -aG edge-roll USER, then log in again" },
                { EDGE_ERROR "NoSuchComponent", RESULT_USAGE,
                  "edge-roll config lists the components; the agent reads its configuration when it starts" },
                { EDGE_ERROR "NoJob", RESULT_NOT_NEEDED, "" },
                { EDGE_ERROR "TooLate", RESULT_REFUSED, "edge-roll watch follows the job to its end" },
                { EDGE_ERROR "Usage", RESULT_USAGE, "" },
                { EDGE_ERROR "Failed", RESULT_FAILED, "edge-roll status says in which state the node is" },
                { EDGE_ERROR "Leaving", RESULT_AGENT_UNREACHABLE, "call again" },
                { BUS_ERROR "AccessDenied", RESULT_NO_PERMISSION,
                  "the bus itself refuses: is share/dbus-1/system.d/org.edgeroll.Agent1.conf installed?" },
                { BUS_ERROR "ServiceUnknown", RESULT_AGENT_UNREACHABLE,
                  "not installed completely: make install puts the bus activation file in place" },
                { BUS_ERROR "UnknownMethod", RESULT_FAILED,
                  "the agent is of another version: systemctl try-restart edge-roll-agent" },
        };
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (strcmp(errors[i].name, a->error) == 0)
                        return client_end(c, errors[i].result, a->text, errors[i].hint);
        char text[700];
        (void) snprintf(text, sizeof(text), "%s (%s)", a->text, a->error);
        /* Whatever else the bus or systemd says about our name is about reaching the agent. */
        if (strncmp(a->error, BUS_ERROR, strlen(BUS_ERROR)) == 0 ||
            strncmp(a->error, SYSTEMD_NAME ".", strlen(SYSTEMD_NAME ".")) == 0)
                return client_end_unreachable(c, text);
        return client_end(c, RESULT_FAILED, text, "");
}

int client_end_call(Client *c, CallEnd end, const Answer *a)
{
        switch (end) {
        case CALL_STOP:
                return client_end_stopped(c);
        case CALL_ERROR:
                return end_error(c, a);
        case CALL_BROKEN:
                return client_end(c, RESULT_FAILED, a->text, "");
        case CALL_NO_ANSWER:
        case CALL_NO_BUS:
                return client_end_unreachable(c, *a->text ? a->text : "the system bus is gone");
        case CALL_NO_AGENT:
        case CALL_ANSWER:
                break;
        }
        return client_end_unreachable(c, a->text);
}

/* ---- the command ---- */

/* @connected: 0, or why there is no bus. */
static int client_verb(Client *c, int connected)
{
        if (connected < 0) {
                char text[160];
                (void) snprintf(text, sizeof(text), "cannot connect to the system bus: %s",
                                strerror(-connected));
                return client_end(c, RESULT_AGENT_UNREACHABLE, text,
                                  "is dbus running? systemctl status dbus");
        }
        switch (c->rq->verb) {
        case VERB_RESTART:
                if (c->rq->if_needed && c->rq->dry_run)
                        return client_needed(c);
                return client_job(c);
        case VERB_DRAIN:
        case VERB_UNDRAIN:
                return client_job(c);
        case VERB_REQUEST:
        case VERB_LOCK:
                return client_lock(c);
        case VERB_DOCTOR:
                return client_doctor(c);
        case VERB_WATCH:
                return client_watch(c);
        case VERB_CANCEL:
                return client_cancel(c);
        case VERB_STATUS:
        case VERB_DISCOVER:
                return client_answer(c);
        case VERB_LINT:
        case VERB_NODES:
        case VERB_PLAN:
        case VERB_RESUME:
        case VERB_HISTORY:
        case VERB_SHOW:
        case VERB_TARGETS:
        case VERB_WHY:
        case VERB_BRIDGE:
        case VERB_CONFIG:
        case VERB_AGENT:
        case VERB_HEAL:
        case VERB_HOLD:
        case VERB_HELP:
        case VERB_VERSION:
        case VERB_COUNT:
        case VERB_INVALID:
                break;
        }
        return client_end(c, RESULT_FAILED, "not a verb of the client", "");
}

int client_run(const CliRequest *rq, const char *component, const ClientIo *io)
{
        static const ClientTimes usual = {
                .answer_usec = 40 * USEC_PER_SEC,
                .lost_usec = 90 * USEC_PER_SEC,
                .look_usec = 200 * USEC_PER_MSEC,
        };
        Client c = {
                .rq = rq,
                .component = component,
                .io = io,
                .times = io->times ? *io->times : usual,
                .signal_fd = -1,
        };
        sigset_t set, before;
        struct sigaction ignore = { .sa_handler = SIG_IGN }, pipe_before;
        int status = result_exit_code(RESULT_FAILED);

        (void) sigaction(SIGPIPE, &ignore, &pipe_before);
        /* A bus that hangs is waited for in the library, which does not look at signals: until there is one,
         * they end the process. */
        int connected = client_connect(&c);
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGINT);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGWINCH);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        c.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

        if (c.signal_fd < 0 || render_new(&c.render, &io->mode) < 0)
                (void) fprintf(io->err, "edge-roll: %s\n", strerror(c.signal_fd < 0 ? errno : ENOMEM));
        else
                status = client_verb(&c, connected);

        client_disconnect(&c);
        client_job_drop(&c);
        c.render = render_free(c.render);
        closep(&c.signal_fd);
        (void) sigaction(SIGPIPE, &pipe_before, NULL);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}
