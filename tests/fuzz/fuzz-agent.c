/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The arguments of every method of the agent: a real agent in a thread of its own, on a bus that is played
 * here, asked by root and by nobody. It is in namespaces of its own (network and mounts), where no component
 * runs. What was asked before is part of its state, so an input that fails alone may need those before it.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include "agent/agent.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/ns.h"

#define SENDER_ROOT   ":1.7"
#define SENDER_NOBODY ":1.8"
#define ANSWER_USEC   (20 * USEC_PER_SEC)

static struct {
        sd_event *event;
        sd_bus *bus; /* to the agent; NULL: it has gone */
        int listener;
        pthread_t thread;
        _Atomic bool running;
        bool named; /* it has asked for its name */
        bool answered;
} world;

static void *agent_thread(void *userdata)
{
        _cleanup_(config_freep) Config *config = NULL;

        (void) userdata;
        if (config_load(&config, NULL, NULL, NULL) == 0)
                (void) agent_main(config, "");
        world.running = false;
        return NULL;
}

/* ---- the bus ---- */

static int reply_creds(sd_bus_message *m, uint32_t uid)
{
        return sd_bus_reply_method_return(m, "a{sv}", 2, "UnixUserID", "u", uid, "ProcessID", "u",
                                          (uint32_t) 1);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *member = sd_bus_message_get_member(m), *whose = "";
        uint8_t type;

        (void) userdata;
        (void) error;
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL || !member)
                return 0;
        const char *interface = sd_bus_message_get_interface(m);
        if (!interface || strcmp(interface, "org.freedesktop.DBus") != 0)
                (void) sd_bus_reply_method_errorf(m, SD_BUS_ERROR_SERVICE_UNKNOWN, "no such service");
        else if (strcmp(member, "Hello") == 0)
                (void) sd_bus_reply_method_return(m, "s", ":1.1");
        else if (strcmp(member, "RequestName") == 0) {
                world.named = true;
                (void) sd_bus_reply_method_return(m, "u", (uint32_t) 1);
        } else if (strcmp(member, "ReleaseName") == 0)
                (void) sd_bus_reply_method_return(m, "u", (uint32_t) 1);
        else if (strcmp(member, "AddMatch") == 0 || strcmp(member, "RemoveMatch") == 0)
                (void) sd_bus_reply_method_return(m, "");
        else if (strcmp(member, "GetConnectionCredentials") == 0 && sd_bus_message_read(m, "s", &whose) > 0)
                (void) reply_creds(m, strcmp(whose, SENDER_NOBODY) == 0 ? 65534 : 0);
        else if (strcmp(member, "GetConnectionUnixUser") == 0 && sd_bus_message_read(m, "s", &whose) > 0)
                (void) sd_bus_reply_method_return(m, "u",
                                                  (uint32_t) (strcmp(whose, SENDER_NOBODY) == 0 ? 65534 : 0));
        else
                (void) sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "nobody has it");
        return 1;
}

static void begin(void)
{
        const sd_id128_t id = { .qwords = { 1, 2 } };
        int fd;

        world.running = true;
        world.named = false;
        fuzz_check(pthread_create(&world.thread, NULL, agent_thread, NULL) == 0);
        fd = accept4(world.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        fuzz_check(fd >= 0);
        fuzz_check(sd_bus_new(&world.bus) >= 0 && sd_bus_set_fd(world.bus, fd, fd) >= 0 &&
                   sd_bus_set_server(world.bus, true, id) >= 0 &&
                   sd_bus_set_anonymous(world.bus, true) >= 0 &&
                   sd_bus_add_filter(world.bus, NULL, on_message, NULL) >= 0 &&
                   sd_bus_start(world.bus) >= 0 && sd_bus_attach_event(world.bus, world.event, 0) >= 0);
        while (!world.named && sd_event_run(world.event, ANSWER_USEC) > 0)
                ;
        fuzz_check(world.named);
}

/* It leaves when nobody has asked for a while. */
static void end(void)
{
        if (world.bus)
                world.bus = sd_bus_close_unref(world.bus);
        (void) pthread_join(world.thread, NULL);
}

static void world_begin(void)
{
        struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0edge-roll-fuzz" };
        const char *why = ns_enter();

        if (why) {
                (void) fprintf(stderr, "no namespaces here: %s\n", why);
                exit(0);
        }
        /* Its state is nobody's else. */
        fuzz_check(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("none", "/var/lib", "tmpfs", 0, NULL) == 0 &&
                   mkdir("/var/lib/edge-roll", 0700) == 0);
        world.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        fuzz_check(world.listener >= 0 &&
                   bind(world.listener, (struct sockaddr *) &sun,
                        (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 +
                                     strlen("edge-roll-fuzz"))) == 0 &&
                   listen(world.listener, 4) == 0);
        fuzz_check(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=edge-roll-fuzz", 1) == 0);
        fuzz_check(sd_event_new(&world.event) >= 0);
}

/* ---- calls ---- */

static const struct {
        const char *member, *types;
} methods[] = {
        { "Restart", "sV" },    { "Drain", "sV" },     { "Undrain", "sV" },     { "Doctor", "sV" },
        { "Cancel", "ss" },     { "Discover", "s" },   { "Needed", "sV" },      { "Status", "" },
        { "Look", "s" },        { "Introduce", "V" },  { "LeaseTake", "ssMV" }, { "LeaseRenew", "st" },
        { "LeaseGive", "st" },  { "Go", "sV" },        { "LeaseSteal", "ss" },  { "Lock", "s" },
        { "LockSteal", "sss" }, { "LockSize", "sus" }, { "Request", "sV" },     { "CurrentJob", "s" },
};

static const char *const components[] = { "router", "message-processor", "rmp", "mp" };
static const char *const keys[] = { "reason",       "unprotected", "persistent", "at-cap",   "mp-leave",
                                    "router-retry", "roll",        "start",      "await-go", "if-needed",
                                    "dry-run",      "now",         "for",        "wait",     "probers",
                                    "epoch",        "step",        "expires",    "lease",    "ttl",
                                    "accept-out",   "user",        "from",       "force",    "partner-epoch",
                                    "job" };

static int append_word(Fuzz *f, sd_bus_message *m)
{
        uint8_t which = fuzz_byte(f);

        if (which < ELEMENTS(components))
                return sd_bus_message_append(m, "s", components[which]);
        _cleanup_(freep) char *text = fuzz_text(f, NULL);
        return sd_bus_message_append(m, "s", text);
}

static int append_option(Fuzz *f, sd_bus_message *m)
{
        uint8_t key = fuzz_byte(f), kind = fuzz_byte(f);
        _cleanup_(freep) char *text = NULL,
                              *name = key < ELEMENTS(keys) ? strdup(keys[key]) : fuzz_text(f, NULL);

        switch (kind % 5) {
        case 0:
                text = fuzz_text(f, NULL);
                return sd_bus_message_append(m, "{sv}", name, "s", text);
        case 1:
                return sd_bus_message_append(m, "{sv}", name, "b", kind & 8);
        case 2:
                return sd_bus_message_append(m, "{sv}", name, "t", fuzz_u64(f));
        case 3:
                text = fuzz_text(f, NULL);
                return sd_bus_message_append(m, "{sv}", name, "as", 2, "10.0.0.1", text);
        default:
                return sd_bus_message_append(m, "{sv}", name, "a(uv)", 1, 7, "i", -1);
        }
}

static int append_options(Fuzz *f, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (unsigned n = fuzz_byte(f) % 6; n > 0 && r >= 0; n--)
                r = append_option(f, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_members(Fuzz *f, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "(sss)");

        for (unsigned n = fuzz_byte(f) % 6; n > 0 && r >= 0; n--) {
                _cleanup_(freep) char *uuid = fuzz_text(f, NULL), *name = fuzz_text(f, NULL);
                r = sd_bus_message_append(m, "(sss)", uuid, name, "10.0.0.1");
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_all(Fuzz *f, sd_bus_message *m, const char *types)
{
        int r = 0;

        for (const char *t = types; *t && r >= 0; t++)
                r = *t == 's'   ? append_word(f, m)
                    : *t == 't' ? sd_bus_message_append(m, "t", fuzz_u64(f))
                    : *t == 'u' ? sd_bus_message_append(m, "u", fuzz_u32(f))
                    : *t == 'V' ? append_options(f, m)
                                : append_members(f, m);
        return r;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        (void) m;
        (void) userdata;
        (void) error;
        world.answered = true;
        return 0;
}

static void ask(Fuzz *f, const char *member, const char *types)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        bool root = !(fuzz_byte(f) & 0x80);

        if (sd_bus_message_new_method_call(world.bus, &m, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE,
                                           member) < 0 ||
            sd_bus_message_set_sender(m, root ? SENDER_ROOT : SENDER_NOBODY) < 0 ||
            append_all(f, m, types) < 0)
                return;
        world.answered = false;
        if (sd_bus_call_async(world.bus, NULL, m, on_answer, NULL, ANSWER_USEC) < 0)
                return;
        Usec end = time_add(time_now(), ANSWER_USEC);
        while (!world.answered && world.running && time_now() < end)
                (void) sd_event_run(world.event, 100 * USEC_PER_MSEC);
        fuzz_check(world.answered || !world.running);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };

        if (!world.event)
                world_begin();
        if (!world.running) {
                if (world.bus)
                        end();
                begin();
        }
        for (unsigned n = 0; n < 8 && f.left > 0 && world.running; n++) {
                size_t which = fuzz_byte(&f) % ELEMENTS(methods);
                ask(&f, methods[which].member, methods[which].types);
        }
}
