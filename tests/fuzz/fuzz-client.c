/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An agent that lies to the client of its node: any answers, of any type, to what each verb asks, signals of
 * jobs and of the bus, and what systemd says of the agent's unit; on a bus that is played here, in a thread
 * of its own. When the input is over, so is the bus. Whatever is told goes to a terminal.
 */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "agent/client-impl.h"
#include "tests/fuzz/fuzz-bus.h"
#include "tests/fuzz/fuzz.h"

#define BUS_PLAYED "edge-roll-fuzz-client"
#define AGENT_NOW  ":1.2"
#define JOB_PATH   AGENT_PATH "/job/3"
#define CALLS_MAX  64
#define FIRST_USEC (5 * USEC_PER_SEC)
#define IDLE_USEC  (80 * USEC_PER_MSEC) /* longer than the client's pauses */

typedef struct World {
        Fuzz script;
        sd_event *event;
        sd_event_source *idle;
        sd_bus *bus;
        int listener;
        int stop; /* the client has ended */
        unsigned calls;
} World;

/* ---- the bus, and everybody on it ---- */

static void over(World *w)
{
        closep(&w->listener);
        (void) sd_event_exit(w->event, 0);
}

/* It waits for what this agent will never say. */
static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source;
        (void) usec;
        over(userdata);
        return 0;
}

static int answer_fill(World *w, sd_bus_message *m, unsigned kind)
{
        _cleanup_(freep) char *text = NULL;
        int r;

        switch (kind) {
        case 0:
                text = fuzz_text(&w->script, NULL);
                return sd_bus_message_append(m, "s", text);
        case 1:
                return sd_bus_message_append(m, "ob", JOB_PATH, fuzz_byte(&w->script) & 1);
        case 2:
                r = sd_bus_message_append(m, "t", (uint64_t) fuzz_byte(&w->script));
                return r < 0 ? r : fuzz_append_texts(&w->script, m);
        case 3:
                return sd_bus_message_append(m, "o", JOB_PATH);
        case 4:
                text = fuzz_text(&w->script, NULL);
                return sd_bus_message_append(m, "v", "s", text);
        case 5:
                return sd_bus_message_append(m, "v", "u", fuzz_u32(&w->script));
        case 6:
                return sd_bus_message_append(m, "t", fuzz_u64(&w->script));
        default:
                return 0;
        }
}

static void send_as(World *w, sd_bus_message *m, const char *sender)
{
        if (sd_bus_message_set_sender(m, sender) >= 0)
                (void) sd_bus_send(w->bus, m, NULL);
}

static void signal_send(World *w)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint8_t kind = fuzz_byte(&w->script);
        int r;

        if (kind & 1) {
                _cleanup_(freep) char *text = fuzz_text(&w->script, NULL);
                r = sd_bus_message_new_signal(w->bus, &m, JOB_PATH, JOB_INTERFACE, "Event");
                if (r >= 0)
                        r = sd_bus_message_append(m, "ts", (uint64_t) (kind >> 2), text);
        } else {
                r = sd_bus_message_new_signal(w->bus, &m, "/org/freedesktop/DBus", BUS_NAME,
                                              "NameOwnerChanged");
                if (r >= 0)
                        r = sd_bus_message_append(m, "sss", AGENT_NAME, AGENT_NOW, kind & 4 ? ":1.3" : "");
        }
        if (r >= 0)
                send_as(w, m, !(kind & 1) ? BUS_NAME : kind & 2 ? ":1.9" : AGENT_NOW);
}

static void answer_send(World *w, sd_bus_message *call, const char *sender)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        unsigned kind = fuzz_byte(&w->script);

        if (kind >= 0xe0) {
                static const char *const errors[] = { EDGE_ERROR "NoJob",        EDGE_ERROR "Leaving",
                                                      EDGE_ERROR "Busy",         EDGE_ERROR "Expired",
                                                      BUS_ERROR "UnknownObject", BUS_ERROR "NoReply",
                                                      EDGE_ERROR "Refused",      BUS_ERROR "ServiceUnknown" };
                _cleanup_(freep) char *text = fuzz_text(&w->script, NULL);
                if (sd_bus_message_new_method_errorf(call, &m, errors[kind % ELEMENTS(errors)], "%s", text) >=
                    0)
                        send_as(w, m, sender);
        } else if (sd_bus_message_new_method_return(call, &m) >= 0 && answer_fill(w, m, kind % 8) >= 0)
                send_as(w, m, sender);
}

static void bus_answer(World *w, sd_bus_message *m, const char *member)
{
        if (strcmp(member, "Hello") == 0)
                (void) sd_bus_reply_method_return(m, "s", ":1.1");
        else if (strcmp(member, "GetConnectionUnixProcessID") == 0)
                (void) sd_bus_reply_method_return(m, "u", (uint32_t) fuzz_byte(&w->script));
        else
                (void) sd_bus_reply_method_return(m, "");
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *member = sd_bus_message_get_member(m), *interface = sd_bus_message_get_interface(m);
        World *w = userdata;
        uint8_t type;

        (void) error;
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL || !member ||
            !interface)
                return 0;
        (void) sd_event_source_set_time_relative(w->idle, IDLE_USEC);
        if (strcmp(interface, BUS_NAME) == 0) {
                bus_answer(w, m, member);
                return 1;
        }
        if (w->script.left == 0 || w->calls++ == CALLS_MAX) {
                over(w);
                return 1;
        }
        /* Signals before it, and behind it. */
        while (w->script.left > 0 && *w->script.at < 0x20) {
                (void) fuzz_byte(&w->script);
                signal_send(w);
        }
        const char *to = sd_bus_message_get_destination(m);
        answer_send(w, m, to && strcmp(to, SYSTEMD_NAME) == 0 ? ":1.4" : AGENT_NOW);
        while (w->script.left > 0 && *w->script.at < 0x40) {
                (void) fuzz_byte(&w->script);
                signal_send(w);
        }
        if (w->script.left == 0)
                over(w);
        return 1;
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *userdata)
{
        const sd_id128_t id = { .qwords = { 1, 2 } };
        World *w = userdata;

        (void) source;
        (void) revents;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return 0;
        /* It comes again when it believes that it was cut off. */
        w->bus = sd_bus_close_unref(w->bus);
        if (sd_bus_new(&w->bus) < 0 || sd_bus_set_fd(w->bus, fd, fd) < 0) {
                (void) close(fd);
                over(w);
        } else if (sd_bus_set_server(w->bus, true, id) < 0 || sd_bus_set_anonymous(w->bus, true) < 0 ||
                   sd_bus_add_filter(w->bus, NULL, on_message, w) < 0 || sd_bus_start(w->bus) < 0 ||
                   sd_bus_attach_event(w->bus, w->event, 0) < 0)
                over(w);
        return 0;
}

static int on_stop(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        (void) source;
        (void) fd;
        (void) revents;
        over(userdata);
        return 0;
}

static void *bus_thread(void *userdata)
{
        World *w = userdata;

        (void) sd_event_loop(w->event);
        /* What was answered last is still to be read. */
        w->bus = sd_bus_flush_close_unref(w->bus);
        return NULL;
}

static void world_begin(World *w)
{
        struct sockaddr_un sun = { .sun_family = AF_UNIX };
        char address[160];

        /* Several of us may run. */
        int n = snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, BUS_PLAYED "-%d", (int) getpid());
        (void) snprintf(address, sizeof(address), "unix:abstract=%s", sun.sun_path + 1);
        const socklen_t len = (socklen_t) offsetof(struct sockaddr_un, sun_path) + 1 + (socklen_t) n;

        w->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        fuzz_check(w->listener >= 0 && bind(w->listener, (struct sockaddr *) &sun, len) == 0 &&
                   listen(w->listener, 4) == 0);
        fuzz_check(sd_event_new(&w->event) >= 0);
        fuzz_check(sd_event_add_io(w->event, NULL, w->listener, EPOLLIN, on_connection, w) >= 0);
        fuzz_check(sd_event_add_time_relative(w->event, &w->idle, CLOCK_MONOTONIC, FIRST_USEC, 1000, on_idle,
                                              w) >= 0);
        w->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        fuzz_check(w->stop >= 0 && sd_event_add_io(w->event, NULL, w->stop, EPOLLIN, on_stop, w) >= 0);
        fuzz_check(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1) == 0);
}

static void world_end(World *w)
{
        closep(&w->listener);
        w->idle = sd_event_source_unref(w->idle);
        w->event = sd_event_unref(w->event);
        closep(&w->stop);
}

/* ---- the client ---- */

static void run(Fuzz *f, const CliRequest *rq, const char *component, const RenderMode *mode)
{
        static const ClientTimes times = { .answer_usec = 30 * USEC_PER_MSEC,
                                           .lost_usec = 0, /* it tries once */
                                           .look_usec = 5 * USEC_PER_MSEC };
        _cleanup_(freep) char *out = NULL, *err = NULL;
        World w = { .script = *f, .listener = -1, .stop = -1 };
        size_t n_out, n_err;
        pthread_t thread;

        FILE *o = open_memstream(&out, &n_out), *e = open_memstream(&err, &n_err);
        fuzz_check(o && e);
        world_begin(&w);
        fuzz_check(pthread_create(&thread, NULL, bus_thread, &w) == 0);
        const ClientIo io = { .out = o, .err = e, .mode = *mode, .times = &times };
        int status = client_run(rq, component, &io);
        fuzz_check(status >= 0 && status < 128);
        fuzz_check(eventfd_write(w.stop, 1) == 0);
        fuzz_check(pthread_join(thread, NULL) == 0);
        world_end(&w);
        fuzz_check(fclose(o) == 0 && fclose(e) == 0);
        fuzz_check(fuzz_is_clean(err, "\n"));
        fuzz_check(mode->json || fuzz_is_clean(out, "\n"));
}

void fuzz_one(const uint8_t *data, size_t size)
{
        static const Verb verbs[] = { VERB_RESTART, VERB_DRAIN,  VERB_UNDRAIN,  VERB_DOCTOR, VERB_WATCH,
                                      VERB_CANCEL,  VERB_STATUS, VERB_DISCOVER, VERB_LOCK,   VERB_REQUEST };
        static const char *const locks[] = { "show", "steal", "size" };
        Fuzz f = { data, size };
        uint8_t which = fuzz_byte(&f), how = fuzz_byte(&f);
        const char *lock = locks[(how >> 6) % ELEMENTS(locks)];
        const CliRequest rq = { .verb = verbs[which % ELEMENTS(verbs)],
                                .reason = "a reason",
                                .persistent = PERSISTENT_INVALID,
                                .at_cap = AT_CAP_INVALID,
                                .mp_leave = MP_LEAVE_INVALID,
                                .lock = lock,
                                .lock_value = "3",
                                .if_needed = how & 1,
                                .dry_run = how & 2,
                                .no_wait = how & 4 };
        const RenderMode mode = { .json = how & 8, .verbose = how & 16, .width = 80 };
        const bool any = rq.verb == VERB_WATCH || rq.verb == VERB_CANCEL || rq.verb == VERB_STATUS ||
                         (rq.verb == VERB_LOCK && lock == locks[0]);

        run(&f, &rq, any && how & 32 ? NULL : "router", &mode);
}
