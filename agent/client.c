/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <systemd/sd-bus.h>

#include "base/result.h"

#define AGENT_NAME      "org.edgeroll.Agent1"
#define AGENT_PATH      "/org/edgeroll/Agent1"
#define AGENT_INTERFACE "org.edgeroll.Agent1"
#define AGENT_UNIT      "edge-roll-agent.service"
#define JOB_INTERFACE   "org.edgeroll.Job1"
#define EDGE_ERROR      "org.edgeroll.Error."
#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_UNIT    "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"
#define BUS_NAME        "org.freedesktop.DBus"
#define BUS_ERROR       "org.freedesktop.DBus.Error."

#define TICK_USEC     (100 * USEC_PER_MSEC) /* between two drawings of the live line */
#define RETRY_USEC    (50 * USEC_PER_MSEC)
#define FAILED_STARTS 3    /* restarts of the unit during one call that prove it cannot run */
#define WAITING_MAX   4096 /* events kept while a replay is fetched; more are fetched again */

typedef struct Waiting {
        uint64_t seq;
        char *json;
} Waiting;

/* What systemd says of the agent's unit while an answer is awaited. */
typedef struct UnitLook {
        sd_bus_slot *slots[4]; /* ActiveState, LoadState, Result, NRestarts */
        char state[3][32];     /* the first three */
        uint32_t restarts, restarts_first;
        bool has_restarts;
        Usec next;
} UnitLook;

typedef struct Client {
        const CliRequest *rq;
        const char *component;
        const ClientIo *io;
        ClientTimes times;
        Render *render;
        sd_bus *bus;
        sd_bus_slot *event_slot, *owner_slot;
        int signal_fd;
        int signal;          /* which one ended us; 0: none */
        bool output_gone;    /* nobody reads what we write */
        bool asked;          /* something has been sent to the agent */
        char agent[64];      /* the agent's own name on the bus, from its last answer */
        bool owner_lost;     /* that one has left the bus or given the name up */
        char shown_by[64];   /* whose events were shown last, by its name on the bus */
        uint32_t shown_pid;  /* and its process */
        char *job_path;      /* NULL: no job followed */
        uint64_t job_number; /* of the one to be cancelled */
        uint64_t next;       /* number of the next event to show */
        Waiting *waiting;    /* came by signal, not yet shown */
        size_t n_waiting;
        bool overflow; /* some were dropped: they are fetched by number */
        UnitLook look;
} Client;

typedef enum CallEnd {
        CALL_ANSWER,
        CALL_ERROR,     /* a typed error from the other side */
        CALL_NO_ANSWER, /* the agent ended or stayed silent: it may or may not have done it */
        CALL_NO_BUS,    /* the same, because the bus is gone */
        CALL_NO_AGENT,  /* its unit cannot run */
        CALL_STOP,      /* a signal, or nobody reads our output */
        CALL_BROKEN,    /* we cannot even ask: out of memory, not D-Bus */
} CallEnd;

typedef struct Answer {
        sd_bus_message *message; /* CALL_ANSWER */
        char error[128];         /* CALL_ERROR: its name */
        char text[512];          /* what to tell; "" with an answer */
} Answer;

static void answer_done(Answer *a)
{
        a->message = sd_bus_message_unref(a->message);
}

/* Output. */

static void client_write(Client *c, FILE *f, const char *text)
{
        if (fputs(text, f) < 0 || fflush(f) != 0)
                c->output_gone = c->output_gone || f == c->io->out;
}

static void client_say(Client *c, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        if (render_say(c->render, text, &out) == 0)
                client_write(c, c->io->out, out);
}

static void client_event(Client *c, const char *json)
{
        _cleanup_(freep) char *out = NULL;
        Err err = { 0 };
        if (render_event(c->render, json, time_now(), &out, &err) < 0)
                client_say(c, err.text);
        else
                client_write(c, c->io->out, out);
}

/* An end that is no job's: a result line, with JSON on the same stream as everything else. */
static int client_end(Client *c, Result result, const char *reason, const char *hint)
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

/* The bus. */

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Client *c = userdata;
        const char *path = sd_bus_message_get_path(m), *sender = sd_bus_message_get_sender(m), *json;
        uint64_t seq;

        (void) error;
        /* Anybody may send a signal to one connection; only the agent's tells how a job ends. */
        if (!sender || strcmp(sender, c->agent) != 0)
                return 0;
        if (!c->job_path || !path || strcmp(path, c->job_path) != 0 ||
            sd_bus_message_read(m, "ts", &seq, &json) < 0)
                return 0;
        if (c->n_waiting == WAITING_MAX) {
                c->overflow = true;
                return 0;
        }
        Waiting *more = realloc(c->waiting, (c->n_waiting + 1) * sizeof(*more));
        char *copy = strdup(json);
        if (more)
                c->waiting = more;
        if (!more || !copy) {
                free(copy);
                c->overflow = true;
                return 0;
        }
        c->waiting[c->n_waiting++] = (Waiting){ .seq = seq, .json = copy };
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Client *c = userdata;
        const char *name, *before, *after;

        (void) error;
        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && strcmp(before, c->agent) == 0)
                c->owner_lost = true;
        return 0;
}

static void look_reset(UnitLook *look, Usec first)
{
        for (size_t i = 0; i < ELEMENTS(look->slots); i++)
                look->slots[i] = sd_bus_slot_unref(look->slots[i]);
        *look = (UnitLook){ .next = first };
}

static void client_disconnect(Client *c)
{
        look_reset(&c->look, USEC_INFINITY);
        c->event_slot = sd_bus_slot_unref(c->event_slot);
        c->owner_slot = sd_bus_slot_unref(c->owner_slot);
        c->bus = sd_bus_flush_close_unref(c->bus);
}

static int client_connect(Client *c)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *event_slot = NULL, *owner_slot = NULL;

        int r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_match_signal(bus, &event_slot, AGENT_NAME, NULL, JOB_INTERFACE, "Event", on_event,
                                        c);
        if (r >= 0)
                r = sd_bus_add_match(bus, &owner_slot,
                                     "type='signal',sender='" BUS_NAME "',interface='" BUS_NAME
                                     "',member='NameOwnerChanged',arg0='" AGENT_NAME "'",
                                     on_owner, c);
        if (r < 0)
                return r;
        c->bus = TAKE_PTR(bus);
        c->event_slot = TAKE_PTR(event_slot);
        c->owner_slot = TAKE_PTR(owner_slot);
        c->owner_lost = false;
        return 0;
}

static bool client_stopped(const Client *c)
{
        return c->signal != 0 || c->output_gone;
}

static void client_signals(Client *c)
{
        struct signalfd_siginfo si;
        while (read(c->signal_fd, &si, sizeof(si)) == (ssize_t) sizeof(si)) {
                if (si.ssi_signo == SIGWINCH)
                        render_width(c->render, client_mode(fileno(c->io->out), false, false).width);
                else
                        c->signal = (int) si.ssi_signo;
        }
}

/*
 * One turn: take in what the bus has; when there was nothing, draw, and sleep until something happens, at
 * most until @until. Return: false when the bus is gone.
 */
static bool client_turn(Client *c, Usec until)
{
        if (c->bus) {
                bool any = false;
                int r;
                while ((r = sd_bus_process(c->bus, NULL)) > 0)
                        any = true;
                if (r < 0 || sd_bus_is_open(c->bus) <= 0)
                        return false;
                if (any)
                        return true;
        }

        Usec now = time_now();
        if (c->io->mode.live) {
                _cleanup_(freep) char *out = NULL;
                if (render_tick(c->render, now, &out) == 0 && *out)
                        client_write(c, c->io->out, out);
                until = MIN(until, time_add(now, TICK_USEC));
        }
        struct pollfd fds[] = {
                { .fd = c->signal_fd, .events = POLLIN },
                { .fd = -1 },
        };
        if (c->bus) {
                uint64_t bus_until;
                fds[1].fd = sd_bus_get_fd(c->bus);
                fds[1].events = (short) sd_bus_get_events(c->bus);
                if (sd_bus_get_timeout(c->bus, &bus_until) >= 0)
                        until = MIN(until, bus_until);
        }
        Usec left = MIN(time_left(until, now), 3600 * USEC_PER_SEC);
        struct timespec ts = {
                .tv_sec = (time_t) (left / USEC_PER_SEC),
                .tv_nsec = (long) (left % USEC_PER_SEC * 1000),
        };
        if (ppoll(fds, ELEMENTS(fds), &ts, NULL) > 0 && fds[0].revents)
                client_signals(c);
        return true;
}

/* Calls. */

static int on_look(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        UnitLook *look = userdata;
        const char *text;
        char type;

        (void) error;
        size_t which = 0;
        while (which < ELEMENTS(look->slots) &&
               look->slots[which] != sd_bus_get_current_slot(sd_bus_message_get_bus(m)))
                which++;
        if (which < ELEMENTS(look->slots))
                look->slots[which] = sd_bus_slot_unref(look->slots[which]);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_enter_container(m, 'v', NULL) < 0 ||
            sd_bus_message_peek_type(m, &type, NULL) <= 0)
                return 0;
        if (type == 'u') {
                if (sd_bus_message_read(m, "u", &look->restarts) >= 0) {
                        if (!look->has_restarts || look->restarts < look->restarts_first)
                                look->restarts_first = look->restarts;
                        look->has_restarts = true;
                }
        } else if (type == 's' && which < ELEMENTS(look->state) && sd_bus_message_read(m, "s", &text) >= 0)
                (void) snprintf(look->state[which], sizeof(look->state[which]), "%s", text);
        return 0;
}

static void look_ask(Client *c)
{
        static const char *const what[][2] = {
                { SYSTEMD_UNIT, "ActiveState" },
                { SYSTEMD_UNIT, "LoadState" },
                { SYSTEMD_SERVICE, "Result" },
                { SYSTEMD_SERVICE, "NRestarts" },
        };
        _Static_assert(ELEMENTS(what) == ELEMENTS(((UnitLook *) NULL)->slots), "a slot for each question");
        _cleanup_(freep) char *path = NULL;
        if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", AGENT_UNIT, &path) < 0)
                return;
        for (size_t i = 0; i < ELEMENTS(what); i++)
                if (!c->look.slots[i])
                        (void) sd_bus_call_method_async(c->bus, &c->look.slots[i], SYSTEMD_NAME, path,
                                                        "org.freedesktop.DBus.Properties", "Get", on_look,
                                                        &c->look, "ss", what[i][0], what[i][1]);
}

/* An agent that cannot start would cost every caller the 25 s of the bus; its unit knows within one. */
static bool look_failed(const UnitLook *look)
{
        /* All answers of one look, so that the reason is known with the state. */
        for (size_t i = 0; i < ELEMENTS(look->slots); i++)
                if (look->slots[i])
                        return false;
        return strcmp(look->state[0], "failed") == 0 || strcmp(look->state[1], "not-found") == 0 ||
               strcmp(look->state[1], "masked") == 0 ||
               (look->has_restarts && look->restarts - look->restarts_first >= FAILED_STARTS);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) error;
        *(sd_bus_message **) userdata = sd_bus_message_ref(m);
        return 0;
}

static CallEnd call_error(Answer *a)
{
        static const char *const unanswered[] = {
                BUS_ERROR "NoReply",
                BUS_ERROR "Timeout",
                BUS_ERROR "TimedOut",
                BUS_ERROR "Disconnected",
        };
        const sd_bus_error *e = sd_bus_message_get_error(a->message);
        (void) snprintf(a->error, sizeof(a->error), "%s", e && e->name ? e->name : "");
        (void) snprintf(a->text, sizeof(a->text), "%s",
                        e && e->message && *e->message ? e->message : a->error);
        answer_done(a);
        for (size_t i = 0; i < ELEMENTS(unanswered); i++)
                if (strcmp(a->error, unanswered[i]) == 0)
                        return CALL_NO_ANSWER;
        return CALL_ERROR;
}

/* @m: consumed. @r: of its construction; a failure ends the call. */
static CallEnd client_call(Client *c, sd_bus_message *m, int r, Answer *ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = m;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        Usec now = time_now();
        Usec until = time_add(now, c->times.answer_usec);

        *ret = (Answer){ 0 };
        /* Who has been interrupted by now does not want it any more. */
        client_signals(c);
        if (client_stopped(c))
                return CALL_STOP;
        c->asked = true;
        if (r >= 0)
                r = sd_bus_call_async(c->bus, &slot, call, on_reply, &ret->message, c->times.answer_usec);
        if (r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ESHUTDOWN)
                return CALL_NO_BUS;
        if (r < 0) {
                (void) snprintf(ret->text, sizeof(ret->text), "cannot ask the agent: %s", strerror(-r));
                return CALL_BROKEN;
        }
        look_reset(&c->look, time_add(now, c->times.look_usec));
        while (!ret->message) {
                if (!client_turn(c, MIN(until, c->look.next))) {
                        answer_done(ret);
                        return CALL_NO_BUS;
                }
                if (ret->message)
                        break;
                if (client_stopped(c))
                        return CALL_STOP;
                now = time_now();
                if (look_failed(&c->look)) {
                        const UnitLook *l = &c->look;
                        bool loaded =
                                strcmp(l->state[1], "not-found") != 0 && strcmp(l->state[1], "masked") != 0;
                        (void) snprintf(ret->text, sizeof(ret->text), AGENT_UNIT " cannot run (%s)",
                                        loaded ? l->state[2] : l->state[1]);
                        return CALL_NO_AGENT;
                }
                if (now >= until) {
                        (void) snprintf(ret->text, sizeof(ret->text), "no answer from the agent");
                        return CALL_NO_ANSWER;
                }
                if (now >= c->look.next) {
                        look_ask(c);
                        c->look.next = time_add(now, c->times.look_usec);
                }
        }
        look_reset(&c->look, USEC_INFINITY);
        if (sd_bus_message_is_method_error(ret->message, NULL))
                return call_error(ret);
        const char *sender = sd_bus_message_get_sender(ret->message);
        (void) snprintf(c->agent, sizeof(c->agent), "%s", sender ? sender : "");
        c->owner_lost = false;
        return CALL_ANSWER;
}

static CallEnd call_agent(Client *c, const char *member, const char *argument, const char *second,
                          Answer *ret)
{
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, member);
        if (r >= 0 && argument)
                r = sd_bus_message_append(m, "s", argument);
        if (r >= 0 && second)
                r = sd_bus_message_append(m, "s", second);
        if (r >= 0 && strcmp(member, "Needed") == 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        /* When nobody waits for the answer any more, it is not done any more. */
        if (r >= 0 && strcmp(member, "CancelJob") == 0)
                r = sd_bus_message_append(m, "a{sv}", 2, "job", "t", c->job_number, "expires", "t",
                                          time_add(time_boot(), c->times.answer_usec));
        return client_call(c, m, r, ret);
}

static CallEnd call_events(Client *c, uint64_t from, Answer *ret)
{
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, c->job_path, JOB_INTERFACE, "Events");
        if (r >= 0)
                r = sd_bus_message_append(m, "t", from);
        return client_call(c, m, r, ret);
}

/* The process behind c->agent; 0 when the bus does not say. */
static uint32_t call_pid(Client *c)
{
        Answer a;
        char agent[sizeof(c->agent)];
        uint32_t pid = 0;
        sd_bus_message *m = NULL;

        (void) snprintf(agent, sizeof(agent), "%s", c->agent);
        int r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, "/org/freedesktop/DBus", BUS_NAME,
                                               "GetConnectionUnixProcessID");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", agent);
        if (client_call(c, m, r, &a) == CALL_ANSWER && sd_bus_message_read(a.message, "u", &pid) < 0)
                pid = 0;
        answer_done(&a);
        /* That was the bus answering. */
        (void) snprintf(c->agent, sizeof(c->agent), "%s", agent);
        return pid;
}

static int option_text(sd_bus_message *m, const char *key, const char *value)
{
        return value ? sd_bus_message_append(m, "{sv}", key, "s", value) : 0;
}

static int option_flag(sd_bus_message *m, const char *key, bool value)
{
        return value ? sd_bus_message_append(m, "{sv}", key, "b", 1) : 0;
}

static CallEnd call_start(Client *c, Answer *ret)
{
        static const char *const members[VERB_COUNT] = {
                [VERB_RESTART] = "Restart",
                [VERB_DOCTOR] = "Doctor",
                [VERB_DRAIN] = "Drain",
                [VERB_UNDRAIN] = "Undrain",
        };
        const CliRequest *rq = c->rq;
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE,
                                               members[rq->verb]);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", c->component);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = option_text(m, "reason", rq->reason);
        if (r >= 0)
                r = option_flag(m, "start", rq->start);
        if (r >= 0)
                r = option_flag(m, "if-needed", rq->if_needed);
        if (r >= 0)
                r = option_text(m, "unprotected", rq->unprotected);
        if (r >= 0)
                r = option_text(m, "persistent",
                                rq->persistent >= 0 ? persistent_name(rq->persistent) : NULL);
        if (r >= 0)
                r = option_text(m, "at-cap", rq->at_cap >= 0 ? at_cap_name(rq->at_cap) : NULL);
        if (r >= 0)
                r = option_flag(m, "now", rq->now);
        if (r >= 0)
                r = option_text(m, "mp-leave", rq->mp_leave >= 0 ? mp_leave_name(rq->mp_leave) : NULL);
        if (r >= 0)
                r = option_text(m, "router-retry", rq->router_retry);
        if (r >= 0)
                r = option_flag(m, "dry-run", rq->dry_run);
        if (r >= 0 && rq->wait_usec)
                r = sd_bus_message_append(m, "{sv}", "wait", "t", rq->wait_usec);
        if (r >= 0 && rq->for_usec)
                r = sd_bus_message_append(m, "{sv}", "for", "t", rq->for_usec);
        /* An agent that was frozen begins nothing, when it thaws, of which somebody has been told that it was
         * not answered. */
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "expires", "t",
                                          time_add(time_boot(), c->times.answer_usec));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return client_call(c, m, r, ret);
}

/* Ends of calls that are ends of the command. */

static int end_unreachable(Client *c, const char *why)
{
        return client_end(
                c, RESULT_AGENT_UNREACHABLE, why,
                "systemctl status edge-roll-agent and journalctl -u edge-roll-agent say why; a node "
                "that is held stays held: systemctl stop edge-roll-hold opens it without the agent");
}

static int end_stopped(Client *c)
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
                return end_unreachable(c, text);
        return client_end(c, RESULT_FAILED, text, "");
}

static bool is_error(const Answer *a, const char *name)
{
        return strcmp(a->error, name) == 0;
}

/* Sleeps @usec, taking in what comes; false when it is time to go. */
static bool client_pause(Client *c, Usec usec)
{
        Usec until = time_add(time_now(), usec);
        while (time_now() < until && !client_stopped(c))
                if (!client_turn(c, until))
                        client_disconnect(c);
        return !client_stopped(c);
}

/* Opens the bus again until @until. Return: true with a bus. */
static bool client_reconnect(Client *c, Usec until)
{
        client_disconnect(c);
        client_say(c, "The connection to the bus is lost; connecting again.");
        while (client_connect(c) < 0)
                if (time_now() >= until || !client_pause(c, 2 * RETRY_USEC))
                        return false;
        client_say(c, "Connected to the bus again.");
        return true;
}

/*
 * Calls that may be repeated: asks until there is an answer or an error that is one.
 * Return: CALL_ANSWER, CALL_ERROR, CALL_NO_AGENT, CALL_STOP, CALL_BROKEN; CALL_NO_ANSWER when the patience
 * is over.
 */
static CallEnd call_repeat(Client *c, const char *member, const char *argument, const char *second,
                           Answer *ret)
{
        Usec until = time_add(time_now(), c->times.lost_usec);
        for (;;) {
                /* Calls to the agent end with their answer; only Events() goes to the job. */
                CallEnd end =
                        member ? call_agent(c, member, argument, second, ret) : call_events(c, c->next, ret);
                /* The agent of a job that is followed was there: a bus that does not know it is starting up.
                 */
                bool again = end == CALL_NO_ANSWER || end == CALL_NO_BUS ||
                             (end == CALL_ERROR && is_error(ret, EDGE_ERROR "Leaving")) ||
                             (end == CALL_ERROR && c->job_path && is_error(ret, BUS_ERROR "ServiceUnknown"));
                if (!again)
                        return end;
                if (time_now() >= until)
                        return end == CALL_ERROR && !c->job_path ? CALL_ERROR : CALL_NO_ANSWER;
                if (end == CALL_NO_BUS && !client_reconnect(c, until))
                        return client_stopped(c) ? CALL_STOP : CALL_NO_ANSWER;
                if (!client_pause(c, RETRY_USEC))
                        return CALL_STOP;
                if (!c->bus && !client_reconnect(c, until))
                        return client_stopped(c) ? CALL_STOP : CALL_NO_ANSWER;
        }
}

/* Any end of a call but its answer, as the end of the command. */
static int end_call(Client *c, CallEnd end, const Answer *a)
{
        switch (end) {
        case CALL_STOP:
                return end_stopped(c);
        case CALL_ERROR:
                return end_error(c, a);
        case CALL_BROKEN:
                return client_end(c, RESULT_FAILED, a->text, "");
        case CALL_NO_ANSWER:
        case CALL_NO_BUS:
                return end_unreachable(c, *a->text ? a->text : "the system bus is gone");
        case CALL_NO_AGENT:
        case CALL_ANSWER:
                break;
        }
        return end_unreachable(c, a->text);
}

/* Jobs. */

static void waiting_drop(Client *c)
{
        for (size_t i = 0; i < c->n_waiting; i++)
                free(c->waiting[i].json);
        free(c->waiting);
        c->waiting = NULL;
        c->n_waiting = 0;
        c->overflow = false;
}

static int job_set(Client *c, const char *path)
{
        char *copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        free(c->job_path);
        c->job_path = copy;
        return 0;
}

/* The end of the followed job from the agent's memory. Return: exit status, -1 when it knows none. */
static int job_last(Client *c, Usec since_wall_usec)
{
        Answer a;
        const char *json;
        _cleanup_(freep) char *event = NULL;
        Err err = { 0 };
        CallEnd end = call_repeat(c, "Status", NULL, NULL, &a);
        /* The next agent is not there yet. */
        if (end == CALL_ERROR && is_error(&a, BUS_ERROR "ServiceUnknown"))
                return -1;
        if (end != CALL_ANSWER)
                return end_call(c, end, &a);
        const char *component = *render_component(c->render) ? render_component(c->render) : c->component;
        int r = sd_bus_message_read(a.message, "s", &json);
        if (r >= 0)
                r = render_last(json, component, since_wall_usec, &event, &err);
        answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED,
                                  *err.text ? err.text : "the agent's answer is not understood", "");
        if (!event)
                return -1;
        client_event(c, event);
        return render_exit(c->render);
}

/*
 * Fetches the events from number c->next on and shows them. After the agent or the bus was away the job may
 * have another path.
 * Return: -1 to go on; else the exit status of the command.
 */
static int job_replay(Client *c, Usec begun_wall_usec)
{
        for (bool looked = false;;) {
                Answer a;
                const char *json;
                uint64_t next;
                CallEnd end = call_repeat(c, NULL, NULL, NULL, &a);
                if (end == CALL_ERROR && !looked &&
                    (is_error(&a, BUS_ERROR "UnknownObject") || is_error(&a, BUS_ERROR "UnknownMethod") ||
                     is_error(&a, EDGE_ERROR "NoJob"))) {
                        /* An agent that was started anew publishes what goes on under a path of its own. */
                        const char *component =
                                *render_component(c->render) ? render_component(c->render) : c->component;
                        const char *path;
                        looked = true;
                        end = call_repeat(c, "CurrentJob", component ? component : "", NULL, &a);
                        if (end == CALL_ERROR && is_error(&a, EDGE_ERROR "NoJob")) {
                                int status = job_last(c, begun_wall_usec);
                                if (status >= 0)
                                        return status;
                                return client_end(c, RESULT_AGENT_UNREACHABLE,
                                                  "the agent was away and no longer knows the job",
                                                  "edge-roll status says in which state the node is");
                        }
                        if (end != CALL_ANSWER)
                                return end_call(c, end, &a);
                        int r = sd_bus_message_read(a.message, "o", &path);
                        if (r >= 0)
                                r = job_set(c, path);
                        answer_done(&a);
                        if (r < 0)
                                return client_end(c, RESULT_FAILED, "the agent's answer is not understood",
                                                  "");
                        continue;
                }
                if (end != CALL_ANSWER)
                        return end_call(c, end, &a);

                /* A process counts the events of a job from 0; the same one under another name (the bus was
                 * away) counts on. */
                int r = sd_bus_message_read(a.message, "t", &next);
                bool anew = r >= 0 && next < c->next;
                if (strcmp(c->agent, c->shown_by) != 0) {
                        (void) snprintf(c->shown_by, sizeof(c->shown_by), "%s", c->agent);
                        uint32_t pid = call_pid(c);
                        anew = anew || (c->next > 0 && pid != c->shown_pid);
                        c->shown_pid = pid;
                }
                if (anew) {
                        client_say(c, "A new agent process goes on with the job.");
                        answer_done(&a);
                        waiting_drop(c);
                        c->next = 0;
                        continue;
                }
                if (r >= 0)
                        r = sd_bus_message_enter_container(a.message, 'a', "s");
                while (r >= 0 && (r = sd_bus_message_read(a.message, "s", &json)) > 0)
                        client_event(c, json);
                answer_done(&a);
                if (r < 0)
                        return client_end(c, RESULT_FAILED, "the agent's answer is not understood", "");
                c->next = next;
                return -1;
        }
}

/* Shows what came by signal. Return: false when something is missing and has to be fetched. */
static bool job_show(Client *c)
{
        bool whole = !c->overflow;
        for (size_t i = 0; i < c->n_waiting && whole; i++) {
                const Waiting *w = &c->waiting[i];
                if (w->seq > c->next)
                        whole = false;
                else if (w->seq == c->next) {
                        client_event(c, w->json);
                        c->next++;
                }
        }
        waiting_drop(c);
        return whole;
}

/* Follows c->job_path to its end. Return: exit status. */
static int job_follow(Client *c, Usec begun_wall_usec)
{
        c->next = 0;
        bool fetch = true, away = false;
        for (;;) {
                if (fetch) {
                        int status = job_replay(c, begun_wall_usec);
                        if (status >= 0)
                                return status;
                        if (away)
                                client_say(c, "The agent is back; the job goes on.");
                        away = false;
                }
                fetch = !job_show(c);
                if (render_exit(c->render) >= 0)
                        return render_exit(c->render);
                if (client_stopped(c))
                        return end_stopped(c);
                if (fetch)
                        continue;
                if (c->owner_lost) {
                        client_say(c, "The agent is gone; waiting for it to come back.");
                        c->owner_lost = false;
                        fetch = away = true;
                        continue;
                }
                if (c->n_waiting == 0 && !client_turn(c, USEC_INFINITY)) {
                        if (!client_reconnect(c, time_add(time_now(), c->times.lost_usec)))
                                return client_stopped(c)
                                               ? end_stopped(c)
                                               : end_unreachable(c, "the system bus did not come back");
                        fetch = true;
                }
        }
}

/* --no-wait: what would be the first event, made from what is known. */
static int job_leave(Client *c, const char *path, bool joined)
{
        _cleanup_(freep) char *json = NULL;
        const char *id = strrchr(path, '/');
        if (asprintf(&json,
                     "{\"event\":\"job\",\"job\":%" PRIu64
                     ",\"component\":\"%s\",\"kind\":\"%s\",\"joined\":%s}",
                     (uint64_t) strtoull(id ? id + 1 : "0", NULL, 10), c->component, verb_name(c->rq->verb),
                     joined ? "true" : "false") < 0)
                return client_end(c, RESULT_FAILED, "out of memory", "");
        client_event(c, json);
        return result_exit_code(RESULT_DONE);
}

/*
 * restart, drain, undrain. When the agent or the bus goes away before it answers, nobody knows whether the
 * job was begun: one that has ended since is its own end; one that runs is joined by asking again.
 */
static int job_once(Client *c, bool *ret_joined)
{
        Usec until = time_add(time_now(), c->times.lost_usec);
        Usec begun = time_wall();
        const char *path;
        bool gone = false;
        int joined;
        for (;;) {
                Answer a;
                CallEnd end = call_start(c, &a);
                if (end == CALL_ANSWER) {
                        int r = sd_bus_message_read(a.message, "ob", &path, &joined);
                        if (r >= 0 && c->rq->no_wait) {
                                int status = job_leave(c, path, joined);
                                answer_done(&a);
                                return status;
                        }
                        if (r >= 0)
                                r = job_set(c, path);
                        answer_done(&a);
                        if (r < 0)
                                return client_end(c, RESULT_FAILED, "the agent's answer is not understood",
                                                  "");
                        *ret_joined = joined;
                        if (joined)
                                client_say(c, "Such a job is running already: joined it.");
                        return job_follow(c, begun);
                }
                bool unsure = end == CALL_NO_ANSWER || end == CALL_NO_BUS;
                bool leaving = end == CALL_ERROR && is_error(&a, EDGE_ERROR "Leaving");
                gone = gone || unsure;
                /* It was there: a bus that does not know it any more is starting up, or the next one is. */
                bool nobody = gone && end == CALL_ERROR && is_error(&a, BUS_ERROR "ServiceUnknown");
                if ((!unsure && !leaving && !nobody) || time_now() >= until)
                        return end_call(c, end, &a);
                if (!client_pause(c, RETRY_USEC))
                        return end_stopped(c);
                if ((end == CALL_NO_BUS || !c->bus) && !client_reconnect(c, until))
                        return client_stopped(c) ? end_stopped(c)
                                                 : end_unreachable(c, "the system bus did not come back");
                if (!unsure)
                        continue;
                client_say(c, "The agent went away before it answered; asking again.");
                int status = job_last(c, begun);
                if (status >= 0)
                        return status;
        }
}

/* The agent's answer to Needed(). @ret_status: the exit status, when there is none. */
static bool needed_ask(Client *c, char **ret_event, int *ret_exit, int *ret_status)
{
        Answer a;
        const char *json;
        Err err = { 0 };
        CallEnd end = call_repeat(c, "Needed", c->component, NULL, &a);
        if (end != CALL_ANSWER) {
                *ret_status = end_call(c, end, &a);
                return false;
        }
        int r = sd_bus_message_read(a.message, "s", &json);
        if (r >= 0)
                r = render_needed(json, ret_event, ret_exit, &err);
        answer_done(&a);
        if (r < 0)
                *ret_status = client_end(c, RESULT_FAILED,
                                         *err.text ? err.text : "the agent's answer is not understood", "");
        return r >= 0;
}

/* restart --if-needed --dry-run: needed (also: not known) 0, not needed 10. */
static int verb_needed(Client *c)
{
        _cleanup_(freep) char *event = NULL;
        int exit_code, status;
        if (!needed_ask(c, &event, &exit_code, &status))
                return status;
        client_event(c, event);
        return exit_code;
}

static int verb_job(Client *c)
{
        bool joined = false;
        int status = job_once(c, &joined);
        if (!c->rq->if_needed || !joined || status != result_exit_code(RESULT_DONE))
                return status;
        /* The job that was joined may have started the component before that was changed for which this call
         * was made. One that begins now has not. */
        _cleanup_(freep) char *event = NULL;
        int exit_code, failed;
        if (!needed_ask(c, &event, &exit_code, &failed))
                return failed;
        if (exit_code == result_exit_code(RESULT_NOT_NEEDED))
                return status;
        client_say(c, "The restart that was joined does not cover every change: once more.");
        render_again(c->render);
        return job_once(c, &joined);
}

/* Names of the components that run here, from the agent. @ret: at least CONFIG_COMPONENTS. Return: how many;
 * -1: the exit status is in @ret_status. */
static int running_components(Client *c, char (*ret)[64], int *ret_status)
{
        char names[CONFIG_COMPONENTS][64];
        int n = 0, running = 0;
        const char *json;
        Answer a;
        CallEnd end = call_repeat(c, "Status", NULL, NULL, &a);
        if (end != CALL_ANSWER) {
                *ret_status = end_call(c, end, &a);
                return -1;
        }
        if (sd_bus_message_read(a.message, "s", &json) >= 0)
                n = render_components(json, names, CONFIG_COMPONENTS);
        answer_done(&a);
        /* Status only knows the port that it has seen before; Discover asks the component. */
        for (int i = 0; i < n; i++) {
                end = call_repeat(c, "Discover", names[i], NULL, &a);
                if (end != CALL_ANSWER) {
                        *ret_status = end_call(c, end, &a);
                        return -1;
                }
                if (sd_bus_message_read(a.message, "s", &json) >= 0 && render_running(json))
                        (void) snprintf(ret[running++], 64, "%.63s", names[i]);
                answer_done(&a);
        }
        return running;
}

/* One component, or each that runs here, one after the other. Return: the first bad exit status. */
static int verb_doctor(Client *c)
{
        char names[CONFIG_COMPONENTS][64];
        int status = 0;
        if (c->component)
                return verb_job(c);
        int n = running_components(c, names, &status);
        if (n < 0)
                return status;
        if (n == 0)
                return client_end(
                        c, RESULT_PROBLEMS, "no component of Edge runs on this node",
                        "edge-roll config lists the components; edge-roll discover NAME says what was looked for");
        for (int i = 0; i < n; i++) {
                c->component = names[i];
                render_again(c->render);
                int one = verb_job(c);
                if (client_stopped(c))
                        return one;
                status = status ? status : one;
        }
        return status;
}

static int verb_watch(Client *c)
{
        Answer a;
        const char *path;
        Usec begun = time_wall();
        CallEnd end = call_repeat(c, "CurrentJob", c->component ? c->component : "", NULL, &a);
        if (end == CALL_ERROR && is_error(&a, EDGE_ERROR "NoJob")) {
                int status = job_last(c, 0);
                if (status >= 0)
                        return status;
                return client_end(c, RESULT_NOT_NEEDED, "no job is running, and none is remembered", "");
        }
        if (end != CALL_ANSWER)
                return end_call(c, end, &a);
        int r = sd_bus_message_read(a.message, "o", &path);
        if (r >= 0)
                r = job_set(c, path);
        answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED, "the agent's answer is not understood", "");
        return job_follow(c, begun);
}

/* The job that runs now, and no other one that may run when the call comes. */
static CallEnd cancel_call(Client *c, Answer *ret)
{
        const char *component = c->component ? c->component : "",
                   *reason = c->rq->reason ? c->rq->reason : "";
        const char *path;
        CallEnd end = call_repeat(c, "CurrentJob", component, NULL, ret);
        if (end != CALL_ANSWER)
                return end;
        int r = sd_bus_message_read(ret->message, "o", &path);
        const char *number = r >= 0 ? strrchr(path, '/') : NULL;
        c->job_number = number ? strtoull(number + 1, NULL, 10) : 0;
        answer_done(ret);
        end = call_repeat(c, "CancelJob", component, reason, ret);
        /* An agent of the release before that still runs. */
        return end == CALL_ERROR && is_error(ret, BUS_ERROR "UnknownMethod")
                       ? call_repeat(c, "Cancel", component, reason, ret)
                       : end;
}

static int verb_cancel(Client *c)
{
        Answer a;
        CallEnd end = cancel_call(c, &a);
        if (end != CALL_ANSWER)
                return end_call(c, end, &a);
        answer_done(&a);
        if (c->io->mode.json)
                return client_end(c, RESULT_DONE, "the job is being undone", "edge-roll watch follows it");
        client_say(c, "The job is being undone; edge-roll watch follows it.");
        return result_exit_code(RESULT_DONE);
}

/* status and discover: one answer, shown. */
static int verb_answer(Client *c)
{
        bool status = c->rq->verb == VERB_STATUS, held = false;
        _cleanup_(freep) char *out = NULL;
        const char *json;
        Answer a;
        Err err = { 0 };
        CallEnd end = status ? call_repeat(c, "Status", NULL, NULL, &a)
                             : call_repeat(c, "Discover", c->component, NULL, &a);
        if (end != CALL_ANSWER)
                return end_call(c, end, &a);
        int r = sd_bus_message_read(a.message, "s", &json);
        if (r >= 0)
                r = status ? render_status(json, c->component, &out, &held, &err)
                           : render_facts(json, &out, &err);
        if (r >= 0) {
                client_write(c, c->io->out, c->io->mode.json ? json : out);
                if (c->io->mode.json)
                        client_write(c, c->io->out, "\n");
        }
        answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED,
                                  *err.text ? err.text : "the agent's answer is not understood", "");
        return result_exit_code(held ? RESULT_HELD : RESULT_DONE);
}

/* ---- the lock of the pool, and tickets ---- */

static CallEnd call_lock(Client *c, const char *component, Answer *ret)
{
        const CliRequest *rq = c->rq;
        bool request = rq->verb == VERB_REQUEST, steal = !request && strcmp(rq->lock, "steal") == 0;
        bool size = !request && strcmp(rq->lock, "size") == 0;
        const char *reason = rq->reason ? rq->reason : "";
        sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE,
                                               request ? "Request"
                                               : steal ? "LockSteal"
                                               : size  ? "LockSize"
                                                       : "Lock");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", component);
        if (r >= 0 && request)
                r = sd_bus_message_append(m, "a{sv}", 1, "reason", "s", reason);
        if (r >= 0 && steal)
                r = sd_bus_message_append(m, "ss", rq->lock_value, reason);
        if (r >= 0 && size)
                r = sd_bus_message_append(m, "us", (uint32_t) strtoul(rq->lock_value, NULL, 10), reason);
        return client_call(c, m, r, ret);
}

/* Until an agent that is just leaving, or a ticket that makes room, is out of the way. All of these may be
 * asked twice. */
static CallEnd lock_repeat(Client *c, const char *component, Answer *ret)
{
        Usec until = time_add(time_now(), c->times.answer_usec);
        for (;;) {
                CallEnd end = call_lock(c, component, ret);
                if (end != CALL_ERROR || !is_error(ret, EDGE_ERROR "Leaving") || time_now() >= until ||
                    !client_pause(c, RETRY_USEC))
                        return end;
        }
}

static int lock_once(Client *c, const char *component)
{
        _cleanup_(freep) char *out = NULL;
        const char *json = NULL;
        Err err = { 0 };
        Answer a;
        CallEnd end = lock_repeat(c, component, &a);
        if (end != CALL_ANSWER)
                return end_call(c, end, &a);
        bool request = c->rq->verb == VERB_REQUEST;
        bool acts = !request && strcmp(c->rq->lock, "show") != 0;
        int r = acts ? 0 : sd_bus_message_read(a.message, "s", &json);
        if (r >= 0 && !acts)
                r = request ? render_request(json, &out, &err) : render_lock(json, &out, &err);
        if (r >= 0 && !acts) {
                client_write(c, c->io->out, c->io->mode.json ? json : out);
                if (c->io->mode.json)
                        client_write(c, c->io->out, "\n");
        }
        answer_done(&a);
        if (r < 0)
                return client_end(c, RESULT_FAILED,
                                  *err.text ? err.text : "the agent's answer is not understood", "");
        return acts ? client_end(c, RESULT_DONE, "", "") : result_exit_code(RESULT_DONE);
}

static int verb_lock(Client *c)
{
        char names[CONFIG_COMPONENTS][64];
        int status = 0;
        if (c->component)
                return lock_once(c, c->component);
        int n = running_components(c, names, &status);
        if (n < 0)
                return status;
        for (int i = 0; i < n && status == 0; i++)
                status = lock_once(c, names[i]);
        return status;
}

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
                        return verb_needed(c);
                return verb_job(c);
        case VERB_DRAIN:
        case VERB_UNDRAIN:
                return verb_job(c);
        case VERB_REQUEST:
        case VERB_LOCK:
                return verb_lock(c);
        case VERB_DOCTOR:
                return verb_doctor(c);
        case VERB_WATCH:
                return verb_watch(c);
        case VERB_CANCEL:
                return verb_cancel(c);
        case VERB_STATUS:
        case VERB_DISCOVER:
                return verb_answer(c);
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
        waiting_drop(&c);
        free(c.job_path);
        c.render = render_free(c.render);
        closep(&c.signal_fd);
        (void) sigaction(SIGPIPE, &pipe_before, NULL);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return status;
}
