/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "agent/bridge-check.h"
#include "agent/journal.h"
#include "agent/relay.h"
#include "agent/version.h"
#include "base/result.h"

#define AGENT_NAME       "org.edgeroll.Agent1"
#define AGENT_PATH       "/org/edgeroll/Agent1"
#define AGENT_INTERFACE  "org.edgeroll.Agent1"
#define JOB_PATH         "/org/edgeroll/Agent1/job/"
#define JOB_INTERFACE    "org.edgeroll.Job1"
#define BRIDGE_PATH      "/org/edgeroll/Bridge1"
#define BRIDGE_INTERFACE "org.edgeroll.Bridge1"
#define EDGE_ERROR       "org.edgeroll.Error."
#define BUS_NAME         "org.freedesktop.DBus"
#define PROPERTIES       "org.freedesktop.DBus.Properties"
#define LOCAL            "org.freedesktop.DBus.Local"

#define MESSAGE_MAX  (1U * 1024 * 1024) /* of a request */
#define CALLS_MAX    100  /* not yet answered; the bus itself has a limit of 128 for a connection */
#define SIGNALS_MAX  512  /* that wait for the far end; then signals are left out (Events() has them) */
#define QUEUE_MAX    2048 /* of anything; then the far end is given up */
#define FORWARD_USEC (3600 * USEC_PER_SEC) /* the far end has limits of its own */

typedef struct Bridge Bridge;

/* One call that is passed on. */
typedef struct Forward {
        Bridge *bridge;
        struct Forward *next; /* which came later */
        sd_bus_message *call; /* the far end's */
        sd_bus_slot *slot;    /* the agent has it; NULL: it waits until the agent knows who calls */
} Forward;

struct Bridge {
        sd_event *event;
        BridgeTimes times;
        Relay *relay;
        sd_bus *far, *bus;
        sd_bus_slot *owner_slot, *ask_slot, *signal_slot, *local_slot, *introduce_slot;
        sd_event_source *silent, *bus_timer;
        bool bus_there;      /* has answered */
        char bus_text[200];  /* why not */
        char owner[64];      /* the agent on the bus; "" */
        char introduced[64]; /* the one that knows who calls */
        char user[64], from[64];
        bool root;                /* what the far end may do depends on who calls */
        sd_bus_message *greeting; /* Hello() that waits for the bus */
        Forward *forwards;
        unsigned n_forwards;
        SshYard *yard; /* of the process that checks target servers */
        BridgeCheck *check;
        sd_bus_message *check_call; /* ... for this call */
        bool check_denied;          /* is in the journal */
        int status;
};

/* An end of the loop would have each bus written out first, and wait for a far end that takes nothing. */
static void bridge_end(Bridge *b, int status)
{
        b->status = status;
        if (b->far)
                (void) sd_bus_detach_event(b->far);
        if (b->bus)
                (void) sd_bus_detach_event(b->bus);
        (void) sd_event_exit(b->event, status);
}

static void complain(const char *text)
{
        (void) fprintf(stderr, "edge-roll bridge: %s\n", text);
}

/* ---- to the far end ---- */

/* @m: sent when the far end takes it. */
static void far_send(Bridge *b, sd_bus_message *m)
{
        uint64_t queued = 0;
        if (sd_bus_get_n_queued_write(b->far, &queued) >= 0 && queued > QUEUE_MAX) {
                complain("the far end takes nothing any more");
                bridge_end(b, result_exit_code(RESULT_FAILED));
                return;
        }
        (void) sd_bus_send(b->far, m, NULL);
}

static void far_error(Bridge *b, sd_bus_message *call, const char *name, const char *text)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus_error e = { .name = name, .message = text };
        if (sd_bus_message_get_expect_reply(call) > 0 && sd_bus_message_new_method_error(call, &m, &e) >= 0)
                far_send(b, m);
}

static void far_owner(Bridge *b)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        if (sd_bus_message_new_signal(b->far, &m, BRIDGE_PATH, BRIDGE_INTERFACE, "Agent") >= 0 &&
            sd_bus_message_append(m, "s", b->owner) >= 0)
                far_send(b, m);
}

static void greeting_answer(Bridge *b)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = TAKE_PTR(b->greeting), *m = NULL;
        if (call && sd_bus_message_new_method_return(call, &m) >= 0 &&
            sd_bus_message_append(m, "sus", EDGE_ROLL_VERSION, BRIDGE_PROTOCOL,
                                  b->bus_there ? "" : b->bus_text) >= 0)
                far_send(b, m);
}

/* A copy of @from into @to, which is new and has no content; who says it comes along. */
static int copy_content(sd_bus_message *to, sd_bus_message *from)
{
        const char *sender = sd_bus_message_get_sender(from);
        int r = sd_bus_message_rewind(from, true);
        if (r >= 0)
                r = sd_bus_message_copy(to, from, true);
        if (r >= 0 && sender)
                r = sd_bus_message_set_sender(to, sender);
        return r;
}

/* ---- calls ---- */

static void forward_free(Forward *f)
{
        for (Forward **p = &f->bridge->forwards; *p; p = &(*p)->next)
                if (*p == f) {
                        *p = f->next;
                        break;
                }
        f->bridge->n_forwards--;
        f->slot = sd_bus_slot_unref(f->slot);
        f->call = sd_bus_message_unref(f->call);
        free(f);
}

static bool from_bus(sd_bus_message *m)
{
        const char *sender = sd_bus_message_get_sender(m);
        return sender && strcmp(sender, BUS_NAME) == 0;
}

static void forwards_go(Bridge *b);

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Forward *f = userdata;
        Bridge *b = f->bridge;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        (void) error;
        /* That agent has left before the call came to it: it is the next one's. */
        if (b->root && from_bus(m) && sd_bus_message_is_method_error(m, SD_BUS_ERROR_SERVICE_UNKNOWN)) {
                f->slot = sd_bus_slot_unref(f->slot);
                b->introduced[0] = '\0';
                forwards_go(b);
                return 0;
        }
        if (sd_bus_message_get_expect_reply(f->call) <= 0) {
                forward_free(f);
                return 0;
        }
        int r = e ? sd_bus_message_new_method_error(f->call, &answer, e)
                  : sd_bus_message_new_method_return(f->call, &answer);
        if (r >= 0 && !e)
                r = copy_content(answer, m);
        if (r >= 0)
                far_send(b, answer);
        else
                far_error(b, f->call, EDGE_ERROR "Failed", "the agent's answer cannot be passed on");
        forward_free(f);
        return 0;
}

static void forward_refuse(Forward *f, const char *name, const char *text)
{
        far_error(f->bridge, f->call, name, text);
        forward_free(f);
}

static void forward_failed(Forward *f, int r)
{
        /* Of a connection that has just gone, which is seen here first. */
        bool gone = r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE || r == -ESHUTDOWN;
        char text[300];
        (void) snprintf(text, sizeof(text), "nothing was done: the call cannot be passed on: %s",
                        strerror(-r));
        forward_refuse(f, gone ? EDGE_ERROR "NoBus" : EDGE_ERROR "Failed", text);
}

/*
 * Root's go to the very agent that knows who calls: to the next one they would be root's own. An answer is
 * asked for also where the far end wants none: so many are under way, whatever the far end says of them.
 */
static void forward_send(Forward *f)
{
        Bridge *b = f->bridge;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(b->bus, &m, b->root ? b->introduced : AGENT_NAME,
                                               sd_bus_message_get_path(f->call),
                                               sd_bus_message_get_interface(f->call),
                                               sd_bus_message_get_member(f->call));
        if (r >= 0)
                r = sd_bus_message_rewind(f->call, true);
        if (r >= 0)
                r = sd_bus_message_copy(m, f->call, true);
        if (r >= 0)
                r = sd_bus_call_async(b->bus, &f->slot, m, on_answer, f, FORWARD_USEC);
        if (r < 0)
                forward_failed(f, r);
}

/* The agent could not be told who calls, so it gets nothing of it. */
static void forwards_refuse(Bridge *b, const sd_bus_error *e, int r)
{
        for (Forward *f = b->forwards, *next; f; f = next) {
                next = f->next;
                if (f->slot)
                        continue;
                if (e)
                        forward_refuse(f, e->name, e->message ? e->message : "");
                else
                        forward_failed(f, r);
        }
}

static int on_introduced(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bridge *b = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        const char *sender = sd_bus_message_get_sender(m);
        (void) error;
        b->introduce_slot = sd_bus_slot_unref(b->introduce_slot);
        if (!e)
                (void) snprintf(b->introduced, sizeof(b->introduced), "%s", sender ? sender : "");
        if (e)
                forwards_refuse(b, e, 0);
        else
                forwards_go(b);
        return 0;
}

/* Who calls, to whoever has the agent's name, or gets it now. */
static void introduce(Bridge *b)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(b->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE,
                                               "Introduce");
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 2, "user", "s", b->user, "from", "s", b->from);
        if (r >= 0)
                r = sd_bus_call_async(b->bus, &b->introduce_slot, m, on_introduced, b, FORWARD_USEC);
        if (r < 0)
                forwards_refuse(b, NULL, r);
}

/* What waits goes, in its order, as soon as the agent knows who calls. */
static void forwards_go(Bridge *b)
{
        bool known = *b->owner && strcmp(b->owner, b->introduced) == 0;
        if (!known && !b->introduce_slot)
                introduce(b);
        for (Forward *f = b->forwards, *next; known && f; f = next) {
                next = f->next;
                if (!f->slot)
                        forward_send(f);
        }
}

static void forward(Bridge *b, sd_bus_message *call)
{
        char text[300];
        Forward **last = &b->forwards;

        if (!b->bus_there) {
                (void) snprintf(text, sizeof(text), "nothing was done: %s", b->bus_text);
                far_error(b, call, EDGE_ERROR "NoBus", text);
                return;
        }
        if (b->n_forwards >= CALLS_MAX) {
                far_error(b, call, EDGE_ERROR "TooMany",
                          "too many calls wait for an answer: nothing was done");
                return;
        }
        Forward *f = calloc(1, sizeof(*f));
        if (!f) {
                far_error(b, call, EDGE_ERROR "Failed", "nothing was done: out of memory");
                return;
        }
        *f = (Forward){ .bridge = b, .call = sd_bus_message_ref(call) };
        while (*last)
                last = &(*last)->next;
        *last = f;
        b->n_forwards++;
        forwards_go(b);
}

/* ---- target servers, checked from here ---- */

static void on_check_line(const char *line, void *userdata)
{
        Bridge *b = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        if (sd_bus_message_new_signal(b->far, &m, BRIDGE_PATH, BRIDGE_INTERFACE, "TargetChecked") >= 0 &&
            sd_bus_message_append(m, "s", line) >= 0)
                far_send(b, m);
}

static void on_check_end(const char *trouble, void *userdata)
{
        Bridge *b = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = TAKE_PTR(b->check_call), *m = NULL;
        b->check = NULL;
        if (trouble)
                far_error(b, call, EDGE_ERROR "Failed", trouble);
        else if (sd_bus_message_new_method_return(call, &m) >= 0)
                far_send(b, m);
}

/* Without a word who has only a key for the bridge could find out which ports are open behind this node. */
static void check_note(const Bridge *b, const char *question, bool allowed)
{
        const JournalField fields[] = {
                { "EDGE_ROLL_METHOD", "CheckTargets" },
                { "EDGE_ROLL_ANSWER", allowed ? "obeyed" : EDGE_ERROR "NoPermission" },
                { "EDGE_ROLL_USER", b->user },
                { "EDGE_ROLL_FROM", b->from },
                { "EDGE_ROLL_FROM_SAYS", *b->from ? "caller" : "" },
        };
        const JournalContext c = { .fields = fields, .n_fields = ELEMENTS(fields) };
        size_t n = 0;
        for (const char *p = question; (p = strchr(p, '\n')); p++)
                n++;
        if (allowed)
                journal_log(LOG_INFO, JOURNAL_ASKED, &c, "%s%s%s has %zu target servers checked from here",
                            b->user, *b->from ? " from " : "", b->from, n);
        else
                journal_log(LOG_WARNING, JOURNAL_DENIED, &c,
                            "%s%s%s may not have target servers checked from here", b->user,
                            *b->from ? " from " : "", b->from);
}

static void check_targets(Bridge *b, sd_bus_message *call)
{
        static const BridgeCheckHandlers handlers = { .line = on_check_line, .end = on_check_end };
        const char *question;
        char text[300];
        Err err = { 0 };

        if (sd_bus_message_read(call, "s", &question) < 0) {
                far_error(b, call, SD_BUS_ERROR_INVALID_ARGS, "CheckTargets takes one text");
                return;
        }
        if (!bridge_check_allowed()) {
                (void) snprintf(text, sizeof(text),
                                "%.60s may not check target servers from here: root and members of the group "
                                "edge-roll may",
                                b->user);
                far_error(b, call, EDGE_ERROR "NoPermission", text);
                if (!b->check_denied)
                        check_note(b, question, false);
                b->check_denied = true;
                return;
        }
        if (b->check) {
                far_error(b, call, EDGE_ERROR "TooMany",
                          "target servers are being checked already: nothing was done");
                return;
        }
        int r = b->yard ? 0 : ssh_yard_new(&b->yard, b->event, &err);
        if (r >= 0)
                r = bridge_check_start(&b->check, b->event, b->yard, question, &handlers, b, &err);
        if (r < 0) {
                far_error(b, call, EDGE_ERROR "Failed", err.text);
                return;
        }
        b->check_call = sd_bus_message_ref(call);
        check_note(b, question, true);
}

static bool may_pass(sd_bus_message *m)
{
        const char *path = sd_bus_message_get_path(m), *interface = sd_bus_message_get_interface(m),
                   *member = sd_bus_message_get_member(m), *to = sd_bus_message_get_destination(m);
        if (!path || !interface || !member || (to && strcmp(to, AGENT_NAME) != 0))
                return false;
        bool agent = strcmp(path, AGENT_PATH) == 0, job = strncmp(path, JOB_PATH, strlen(JOB_PATH)) == 0;
        if (strcmp(interface, AGENT_INTERFACE) == 0)
                return agent && strcmp(member, "Introduce") != 0;
        if (strcmp(interface, JOB_INTERFACE) == 0)
                return job;
        return strcmp(interface, PROPERTIES) == 0 && (agent || job) &&
               (strcmp(member, "Get") == 0 || strcmp(member, "GetAll") == 0);
}

static int on_far_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bridge *b = userdata;
        char text[300];
        uint8_t type;
        (void) error;
        /* What is left to the library: its own end of the connection, which must never be eaten, and pings.
         */
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        const char *path = sd_bus_message_get_path(m), *interface = sd_bus_message_get_interface(m),
                   *member = sd_bus_message_get_member(m);
        if (interface && strcmp(interface, "org.freedesktop.DBus.Peer") == 0)
                return 0;
        if (sd_bus_message_is_method_call(m, BRIDGE_INTERFACE, "Hello")) {
                b->greeting = sd_bus_message_unref(b->greeting);
                b->greeting = sd_bus_message_ref(m);
                if (b->bus_there || *b->bus_text)
                        greeting_answer(b);
                return 1;
        }
        if (sd_bus_message_is_method_call(m, BRIDGE_INTERFACE, "CheckTargets")) {
                check_targets(b, m);
                return 1;
        }
        if (may_pass(m)) {
                forward(b, m);
                return 1;
        }
        (void) snprintf(text, sizeof(text), "the bridge does not pass on %.80s.%.60s of %.80s",
                        interface ? interface : "", member ? member : "", path ? path : "");
        far_error(b, m, EDGE_ERROR "NotForwarded", text);
        return 1;
}

/* ---- the system bus ---- */

static void bus_open(Bridge *b);

static int on_bus_time(sd_event_source *s, uint64_t usec, void *userdata);

static void bus_timer_set(Bridge *b, Usec usec)
{
        Usec at = time_add(time_now(), usec);
        int r = b->bus_timer ? sd_event_source_set_time(b->bus_timer, at)
                             : sd_event_add_time(b->event, &b->bus_timer, CLOCK_MONOTONIC, at, USEC_PER_MSEC,
                                                 on_bus_time, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->bus_timer, SD_EVENT_ONESHOT);
        if (r < 0)
                bridge_end(b, result_exit_code(RESULT_FAILED));
}

static void owner_set(Bridge *b, const char *owner)
{
        if (strcmp(b->owner, owner) == 0)
                return;
        (void) snprintf(b->owner, sizeof(b->owner), "%s", owner);
        far_owner(b);
}

/* What was passed on and not answered has been answered by the library: nobody knows what became of it. */
static void bus_lost(Bridge *b, const char *why)
{
        b->bus_there = false;
        (void) snprintf(b->bus_text, sizeof(b->bus_text), "the system bus of this node is not there: %s",
                        why);
        b->owner_slot = sd_bus_slot_unref(b->owner_slot);
        b->ask_slot = sd_bus_slot_unref(b->ask_slot);
        b->signal_slot = sd_bus_slot_unref(b->signal_slot);
        b->local_slot = sd_bus_slot_unref(b->local_slot);
        b->introduce_slot = sd_bus_slot_unref(b->introduce_slot);
        while (b->forwards)
                forward_refuse(b->forwards, b->forwards->slot ? SD_BUS_ERROR_NO_REPLY : EDGE_ERROR "NoBus",
                               b->forwards->slot
                                       ? "the system bus of the node went away before the agent answered"
                                       : "nothing was done: the system bus of the node went away");
        if (b->bus) {
                sd_bus_close(b->bus);
                b->bus = sd_bus_unref(b->bus);
        }
        b->introduced[0] = '\0';
        owner_set(b, "");
        greeting_answer(b);
        bus_timer_set(b, b->times.retry_usec);
}

static int on_bus_time(sd_event_source *s, uint64_t usec, void *userdata)
{
        Bridge *b = userdata;
        (void) s;
        (void) usec;
        if (b->bus)
                bus_lost(b, "it does not answer");
        else
                bus_open(b);
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) m;
        (void) error;
        bus_lost(userdata, "it has closed the connection");
        return 0;
}

/* The first answer of the bus: it is there, and this is the agent. */
static int on_ask(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bridge *b = userdata;
        const char *owner = "";
        (void) error;
        b->ask_slot = sd_bus_slot_unref(b->ask_slot);
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY)) {
                bus_lost(b, "it does not answer");
                return 1; /* the library must not go on with what is closed */
        }
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "s", &owner) < 0)
                owner = "";
        b->bus_there = true;
        b->bus_text[0] = '\0';
        (void) sd_event_source_set_enabled(b->bus_timer, SD_EVENT_OFF);
        owner_set(b, owner);
        greeting_answer(b);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bridge *b = userdata;
        const char *name, *before, *after;
        (void) error;
        if (from_bus(m) && sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 &&
            strcmp(name, AGENT_NAME) == 0)
                owner_set(b, after);
        return 0;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Bridge *b = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *copy = NULL;
        const char *sender = sd_bus_message_get_sender(m), *path = sd_bus_message_get_path(m),
                   *interface = sd_bus_message_get_interface(m);
        uint64_t queued = 0;
        (void) error;
        /* Anybody may send a signal to one connection; only the agent's count. */
        if (!sender || strcmp(sender, b->owner) != 0 || !path || !interface)
                return 0;
        bool agent = strcmp(interface, AGENT_INTERFACE) == 0 && strcmp(path, AGENT_PATH) == 0;
        bool job = strcmp(interface, JOB_INTERFACE) == 0 && strncmp(path, JOB_PATH, strlen(JOB_PATH)) == 0;
        if (!agent && !job)
                return 0;
        if (sd_bus_get_n_queued_write(b->far, &queued) >= 0 && queued > SIGNALS_MAX)
                return 0;
        if (sd_bus_message_new_signal(b->far, &copy, path, interface, sd_bus_message_get_member(m)) >= 0 &&
            copy_content(copy, m) >= 0)
                far_send(b, copy);
        return 0;
}

static int bus_subscribe(Bridge *b)
{
        int r = sd_bus_match_signal(b->bus, &b->local_slot, LOCAL, NULL, LOCAL, "Disconnected",
                                    on_disconnected, b);
        if (r >= 0)
                r = sd_bus_add_match_async(b->bus, &b->owner_slot,
                                           "type='signal',sender='" BUS_NAME "',interface='" BUS_NAME
                                           "',member='NameOwnerChanged',arg0='" AGENT_NAME "'",
                                           on_owner, NULL, b);
        if (r >= 0)
                r = sd_bus_add_match_async(b->bus, &b->signal_slot, "type='signal',sender='" AGENT_NAME "'",
                                           on_signal, NULL, b);
        if (r >= 0)
                r = sd_bus_call_method_async(b->bus, &b->ask_slot, BUS_NAME, "/org/freedesktop/DBus",
                                             BUS_NAME, "GetNameOwner", on_ask, b, "s", AGENT_NAME);
        return r;
}

static void bus_open(Bridge *b)
{
        int r = sd_bus_open_system(&b->bus);
        if (r >= 0)
                r = sd_bus_attach_event(b->bus, b->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = bus_subscribe(b);
        if (r < 0)
                bus_lost(b, strerror(-r));
        else
                bus_timer_set(b, b->times.bus_usec);
}

/* ---- the end ---- */

static void on_relay_end(Relay *relay, RelayEnd end, const char *text, void *userdata)
{
        Bridge *b = userdata;
        char line[300];
        int status = 0;
        (void) relay;
        switch (end) {
        case RELAY_FOREIGN:
                (void) snprintf(
                        line, sizeof(line),
                        "standard input is not D-Bus (\"%.160s\"): it is run through ssh by edge-roll "
                        "on another machine, not by hand",
                        text);
                complain(line);
                status = result_exit_code(RESULT_USAGE);
                break;
        case RELAY_BROKEN:
        case RELAY_TOO_BIG:
                complain(end == RELAY_BROKEN ? "what comes is no D-Bus any more" : "a request is too big");
                status = result_exit_code(RESULT_FAILED);
                break;
        case RELAY_EOF:
        case RELAY_NEAR:
        case RELAY_END_COUNT:
        case RELAY_END_INVALID:
                break;
        }
        bridge_end(b, status);
}

static int on_silent(sd_event_source *s, uint64_t usec, void *userdata)
{
        Bridge *b = userdata;
        Usec until = time_add(relay_heard(b->relay), b->times.silent_usec);
        char text[100], since[32];
        (void) usec;
        if (time_now() < until) {
                (void) sd_event_source_set_time(s, until);
                (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
                return 0;
        }
        (void) snprintf(text, sizeof(text), "nothing was heard for %s",
                        time_format(b->times.silent_usec, since, sizeof(since)));
        complain(text);
        bridge_end(b, result_exit_code(RESULT_FAILED));
        return 0;
}

static int on_stop(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        (void) s;
        (void) si;
        bridge_end(userdata, 0);
        return 0;
}

/* ---- the begin ---- */

/*
 * Who is at the other end. sudo says who called it, and is believed where this process has its rights; what
 * the environment says otherwise is not better than the uid, so that is taken. Whether any of it is believed
 * is the agent's decision, by the uid on the bus.
 */
static void who_calls(Bridge *b)
{
        const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL, *from = getenv("SSH_CONNECTION");
        _cleanup_(freep) char *session = NULL, *host = NULL;
        struct passwd *pw = sudo && *sudo ? NULL : getpwuid(getuid());
        b->root = getuid() == 0;
        (void) snprintf(b->user, sizeof(b->user), "%.60s", sudo && *sudo ? sudo : pw ? pw->pw_name : "");
        if (from && *from)
                (void) snprintf(b->from, sizeof(b->from), "%.*s", (int) MIN(strcspn(from, " "), 60), from);
        else if (sd_pid_get_session(0, &session) >= 0 && sd_session_get_remote_host(session, &host) >= 0 &&
                 host)
                (void) snprintf(b->from, sizeof(b->from), "%.60s", host);
        for (char *p = b->user; *p; p++)
                *p = (unsigned char) *p <= 0x20 || (unsigned char) *p > 0x7e ? '?' : *p;
        for (char *p = b->from; *p; p++)
                *p = (unsigned char) *p <= 0x20 || (unsigned char) *p > 0x7e ? '?' : *p;
}

static int far_open(Bridge *b, Err *err)
{
        _cleanup_(closep) int near = -1;
        sd_id128_t id;
        int r = relay_new(&b->relay, b->event, STDIN_FILENO, STDOUT_FILENO, true, MESSAGE_MAX, on_relay_end,
                          b, &near, err);
        if (r < 0)
                return r;
        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_new(&b->far);
        if (r >= 0)
                r = sd_bus_set_fd(b->far, near, near);
        if (r >= 0) {
                (void) TAKE_FD(near);
                r = sd_bus_set_server(b->far, true, id);
        }
        if (r >= 0)
                r = sd_bus_set_anonymous(b->far, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(b->far, false);
        if (r >= 0)
                r = sd_bus_start(b->far);
        if (r >= 0)
                r = sd_bus_attach_event(b->far, b->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_add_filter(b->far, NULL, on_far_message, b);
        return r < 0 ? err_errno(err, r, "cannot speak D-Bus") : 0;
}

static int bridge_open(Bridge *b, Err *err)
{
        sigset_t set;
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigaddset(&set, SIGHUP);
        (void) sigaddset(&set, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        who_calls(b);
        int r = sd_event_new(&b->event);
        if (r >= 0)
                r = sd_event_add_signal(b->event, NULL, SIGTERM, on_stop, b);
        if (r >= 0)
                r = sd_event_add_signal(b->event, NULL, SIGHUP, on_stop, b);
        if (r >= 0)
                r = sd_event_add_signal(b->event, NULL, SIGINT, on_stop, b);
        if (r >= 0)
                r = sd_event_add_time(b->event, &b->silent, CLOCK_MONOTONIC,
                                      time_add(time_now(), b->times.silent_usec), 0, on_silent, b);
        if (r < 0)
                return err_errno(err, r, "cannot start");
        if ((r = far_open(b, err)) < 0)
                return r;
        bus_open(b);
        return 0;
}

static void bridge_done(Bridge *b)
{
        b->check = bridge_check_free(b->check);
        b->check_call = sd_bus_message_unref(b->check_call);
        b->yard = ssh_yard_free(b->yard);
        while (b->forwards)
                forward_free(b->forwards);
        b->greeting = sd_bus_message_unref(b->greeting);
        b->owner_slot = sd_bus_slot_unref(b->owner_slot);
        b->ask_slot = sd_bus_slot_unref(b->ask_slot);
        b->signal_slot = sd_bus_slot_unref(b->signal_slot);
        b->local_slot = sd_bus_slot_unref(b->local_slot);
        b->introduce_slot = sd_bus_slot_unref(b->introduce_slot);
        b->silent = sd_event_source_unref(b->silent);
        b->bus_timer = sd_event_source_unref(b->bus_timer);
        if (b->bus)
                b->bus = sd_bus_close_unref(b->bus);
        if (b->far)
                b->far = sd_bus_close_unref(b->far);
        b->relay = relay_free(b->relay);
        b->event = sd_event_unref(b->event);
}

int bridge_run(const BridgeTimes *times)
{
        Bridge b = { .times = times ? *times : (BridgeTimes){ 0 } };
        Err err = { 0 };
        b.times.silent_usec = b.times.silent_usec ? b.times.silent_usec : 60 * USEC_PER_SEC;
        b.times.bus_usec = b.times.bus_usec ? b.times.bus_usec : 5 * USEC_PER_SEC;
        b.times.retry_usec = b.times.retry_usec ? b.times.retry_usec : 200 * USEC_PER_MSEC;

        if (isatty(STDIN_FILENO)) {
                complain(
                        "it is run through ssh by edge-roll on another machine; by hand there is nothing to see");
                return result_exit_code(RESULT_USAGE);
        }
        int r = bridge_open(&b, &err);
        if (r >= 0)
                r = sd_event_loop(b.event);
        if (r < 0)
                complain(*err.text ? err.text : strerror(-r));
        bridge_done(&b);
        return r < 0 ? result_exit_code(RESULT_FAILED) : b.status;
}
