/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The arguments of every method of the agent, as it lists them itself: a real agent in a thread of its own,
 * on a bus that is played here, asked by root, by root for another one, by a member and by nobody. It is in
 * namespaces of its own (network and mounts), where no component runs and the group has one member. What was
 * asked before is part of its state, so an input that fails alone may need those before it.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#include "agent/agent.h"
#include "agent/bus.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/ns.h"

#define ANSWER_USEC (20 * USEC_PER_SEC)
#define LINKS_MAX   8
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define MEMBERS_GID 4242
#define GROUPS_FILE "root:x:0:\n" BUS_GROUP ":x:4242:\n"
#define SIGNATURE   32

/* Who calls. Root stays root on the one connection, and speaks for others on the next. */
static const struct {
        const char *sender;
        uint32_t uid, gid;
} callers[] = {
        { ":1.7", 0, 0 }, { ":1.8", 0, 0 }, { ":1.9", 65534, 65534 }, { ":1.10", 1000, MEMBERS_GID }
};
enum { CALLER_ROOT, CALLER_FOR_ANOTHER, CALLER_NOBODY };

static struct {
        sd_event *event;
        sd_event_source *accept;
        sd_bus *links[LINKS_MAX]; /* the agent's connections */
        size_t n_links;
        sd_bus *bus; /* the one with its name; NULL: it has gone */
        int listener;
        pthread_t thread;
        _Atomic bool running;
        bool answered, forbidden; /* the present call */
        /* What it has told, so that it can be asked about. */
        char job[128];
        uint64_t epoch, pages; /* of a lease; how often its methods were listed */
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

static int reply_creds(sd_bus_message *m, const char *whose)
{
        for (size_t i = 0; i < ELEMENTS(callers); i++)
                if (strcmp(callers[i].sender, whose) == 0)
                        return sd_bus_reply_method_return(m, "a{sv}", 3, "UnixUserID", "u", callers[i].uid,
                                                          "ProcessID", "u", (uint32_t) 1, "UnixGroupIDs",
                                                          "au", 1, callers[i].gid);
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "nobody has it");
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
                world.bus = sd_bus_message_get_bus(m);
                (void) sd_bus_reply_method_return(m, "u", (uint32_t) 1);
        } else if (strcmp(member, "ReleaseName") == 0)
                (void) sd_bus_reply_method_return(m, "u", (uint32_t) 1);
        else if (strcmp(member, "AddMatch") == 0 || strcmp(member, "RemoveMatch") == 0)
                (void) sd_bus_reply_method_return(m, "");
        else if (strcmp(member, "GetConnectionCredentials") == 0 && sd_bus_message_read(m, "s", &whose) > 0)
                (void) reply_creds(m, whose);
        else
                (void) sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "nobody has it");
        return 1;
}

/* It may have several connections. */
static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *userdata)
{
        const sd_id128_t id = { .qwords = { 1, 2 } };
        sd_bus *bus = NULL;

        (void) source;
        (void) revents;
        (void) userdata;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return 0;
        fuzz_check(world.n_links < LINKS_MAX);
        fuzz_check(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fd, fd) >= 0 &&
                   sd_bus_set_server(bus, true, id) >= 0 && sd_bus_set_anonymous(bus, true) >= 0 &&
                   sd_bus_add_filter(bus, NULL, on_message, NULL) >= 0 && sd_bus_start(bus) >= 0 &&
                   sd_bus_attach_event(bus, world.event, 0) >= 0);
        world.links[world.n_links++] = bus;
        return 0;
}

static void begin(void)
{
        world.running = true;
        fuzz_check(pthread_create(&world.thread, NULL, agent_thread, NULL) == 0);
        while (!world.bus && sd_event_run(world.event, ANSWER_USEC) > 0)
                ;
        fuzz_check(world.bus);
}

/* It leaves when nobody has asked for a while. */
static void end(void)
{
        world.bus = NULL;
        while (world.n_links > 0)
                (void) sd_bus_close_unref(world.links[--world.n_links]);
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
        FILE *groups = fopen("/var/lib/group", "we");
        fuzz_check(groups && fputs(GROUPS_FILE, groups) >= 0 && fclose(groups) == 0 &&
                   mount("/var/lib/group", "/etc/group", NULL, MS_BIND, NULL) == 0);
        world.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        fuzz_check(world.listener >= 0 &&
                   bind(world.listener, (struct sockaddr *) &sun,
                        (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 +
                                     strlen("edge-roll-fuzz"))) == 0 &&
                   listen(world.listener, 4) == 0);
        fuzz_check(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=edge-roll-fuzz", 1) == 0);
        fuzz_check(sd_event_new(&world.event) >= 0 &&
                   sd_event_add_io(world.event, &world.accept, world.listener, EPOLLIN, on_connection,
                                   NULL) >= 0);
}

/* ---- calls ---- */

/* V: options; M: members. */
static const struct {
        const char *interface, *member, *types;
        bool anybody; /* who may do nothing else may do that */
} methods[] = {
        { AGENT_INTERFACE, "Restart", "sV" },     { AGENT_INTERFACE, "Drain", "sV" },
        { AGENT_INTERFACE, "Undrain", "sV" },     { AGENT_INTERFACE, "Doctor", "sV" },
        { AGENT_INTERFACE, "Cancel", "ss" },      { AGENT_INTERFACE, "Discover", "s", true },
        { AGENT_INTERFACE, "Needed", "sV" },      { AGENT_INTERFACE, "Status", "", true },
        { AGENT_INTERFACE, "Look", "s", true },   { AGENT_INTERFACE, "Introduce", "V", true },
        { AGENT_INTERFACE, "LeaseTake", "ssMV" }, { AGENT_INTERFACE, "LeaseRenew", "st" },
        { AGENT_INTERFACE, "LeaseGive", "st" },   { AGENT_INTERFACE, "Go", "sV" },
        { AGENT_INTERFACE, "LeaseSteal", "ss" },  { AGENT_INTERFACE, "Lock", "s", true },
        { AGENT_INTERFACE, "LockSteal", "sss" },  { AGENT_INTERFACE, "LockSize", "sus" },
        { AGENT_INTERFACE, "Request", "sV" },     { AGENT_INTERFACE, "CurrentJob", "s", true },
        { AGENT_INTERFACE, "CancelJob", "ssV" },  { AGENT_JOB_INTERFACE, "Events", "t", true },
        { PROPERTIES, "GetAll", "s", true },      { PROPERTIES, "Get", "ss", true },
};

static const char *const components[] = { "router", "message-processor", "rmp", "mp" };

/* Every option of a method; unit/test-docs looks that none is missing. */
static const char *const keys[] = { "reason",       "unprotected", "persistent", "at-cap",        "mp-leave",
                                    "router-retry", "roll",        "start",      "await-go",      "if-needed",
                                    "dry-run",      "now",         "for",        "wait",          "probers",
                                    "lease",        "step",        "expires",    "lease-partner", "ttl",
                                    "accept-out",   "user",        "from",       "members-force", "pool",
                                    "job" };

static int append_word(Fuzz *f, sd_bus_message *m)
{
        uint8_t which = fuzz_byte(f);

        if (which < ELEMENTS(components))
                return sd_bus_message_append(m, "s", components[which]);
        _cleanup_(freep) char *text = fuzz_text(f, NULL);
        return sd_bus_message_append(m, "s", text);
}

static uint64_t job_number(void)
{
        const char *slash = strrchr(world.job, '/');
        return slash ? strtoull(slash + 1, NULL, 10) : 0;
}

static int append_option(Fuzz *f, sd_bus_message *m)
{
        uint8_t key = fuzz_byte(f), kind = fuzz_byte(f);
        _cleanup_(freep) char *text = NULL,
                              *name = key < ELEMENTS(keys) ? strdup(keys[key]) : fuzz_text(f, NULL);

        switch (kind % 8) {
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
        /* What is obeyed: a time that is not over, the lease in force, the last job. */
        case 4:
                return sd_bus_message_append(m, "{sv}", name, "t", time_add(time_boot(), 10 * USEC_PER_SEC));
        case 5:
                return sd_bus_message_append(m, "{sv}", name, "t", world.epoch);
        case 6:
                return sd_bus_message_append(m, "{sv}", name, "t", job_number());
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

/* An epoch or the number of an event. */
static int append_number(Fuzz *f, sd_bus_message *m)
{
        uint64_t number = fuzz_u64(f);
        return sd_bus_message_append(m, "t", number == 1 ? world.epoch : number);
}

static int append_all(Fuzz *f, sd_bus_message *m, const char *types)
{
        int r = 0;

        for (const char *t = types; *t && r >= 0; t++)
                r = *t == 's'   ? append_word(f, m)
                    : *t == 't' ? append_number(f, m)
                    : *t == 'u' ? sd_bus_message_append(m, "u", fuzz_u32(f))
                    : *t == 'V' ? append_options(f, m)
                                : append_members(f, m);
        return r;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *path;

        (void) userdata;
        (void) error;
        world.answered = true;
        fuzz_check(!world.running || !sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY));
        fuzz_check(!world.running || !world.forbidden ||
                   sd_bus_message_is_method_error(m, BUS_ERROR_PREFIX "NoPermission"));
        if (sd_bus_message_is_method_error(m, NULL))
                return 0;
        if (sd_bus_message_has_signature(m, "ob") || sd_bus_message_has_signature(m, "o")) {
                fuzz_check(sd_bus_message_read(m, "o", &path) > 0);
                (void) snprintf(world.job, sizeof(world.job), "%s", path);
        } else if (sd_bus_message_has_signature(m, "ttt"))
                fuzz_check(sd_bus_message_read(m, "t", &world.epoch) > 0);
        return 0;
}

static void call(sd_bus_message *m, sd_bus_message_handler_t fn)
{
        world.answered = false;
        if (sd_bus_call_async(world.bus, NULL, m, fn, NULL, ANSWER_USEC) < 0)
                return;
        Usec end = time_add(time_now(), ANSWER_USEC);
        while (!world.answered && world.running && time_now() < end)
                (void) sd_event_run(world.event, 100 * USEC_PER_MSEC);
        fuzz_check(world.answered || !world.running);
}

static void ask(Fuzz *f)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        size_t which = fuzz_byte(f) % ELEMENTS(methods), caller = fuzz_byte(f) >> 6;
        const char *interface = methods[which].interface;
        bool ours = strcmp(interface, AGENT_INTERFACE) == 0;

        if (caller == CALLER_ROOT && strcmp(methods[which].member, "Introduce") == 0)
                caller = CALLER_FOR_ANOTHER;
        if (!ours && !*world.job)
                return;
        if (sd_bus_message_new_method_call(world.bus, &m, AGENT_BUS_NAME, ours ? AGENT_PATH : world.job,
                                           interface, methods[which].member) < 0 ||
            sd_bus_message_set_sender(m, callers[caller].sender) < 0 ||
            append_all(f, m, methods[which].types) < 0)
                return;
        world.forbidden = caller == CALLER_NOBODY && !methods[which].anybody;
        call(m, on_answer);
}

/* ---- is the list whole? ---- */

static bool is_tried(const char *interface, const char *member, const char *signature)
{
        for (size_t i = 0; i < ELEMENTS(methods); i++) {
                char types[SIGNATURE] = "";
                if (strcmp(methods[i].interface, interface) != 0 || strcmp(methods[i].member, member) != 0)
                        continue;
                for (const char *t = methods[i].types; *t; t++) {
                        const char one[] = { *t, '\0' };
                        (void) strcat(types, *t == 'V' ? "a{sv}" : *t == 'M' ? "a(sss)" : one);
                }
                return strcmp(types, signature) == 0;
        }
        return false;
}

/* @page: as Introspect tells it. */
static void page_check(const char *page, const char *interface)
{
        char head[96];
        (void) snprintf(head, sizeof(head), "<interface name=\"%s\">", interface);
        const char *p = strstr(page, head), *end = p ? strstr(p, "</interface>") : NULL;
        size_t n = 0, listed = 0;

        fuzz_check(end);
        while ((p = strstr(p, "<method name=\"")) && p < end) {
                char member[48], type[SIGNATURE], way[4], signature[SIGNATURE] = "";
                fuzz_check(sscanf(p, "<method name=\"%47[^\"]", member) == 1);
                const char *close = strchr(p, '>');
                if (close[-1] != '/')
                        close = strstr(p, "</method>");
                for (const char *arg = p; (arg = strstr(arg, "<arg type=\"")) && arg < close; arg++)
                        if (sscanf(arg, "<arg type=\"%31[^\"]\" direction=\"%3[^\"]", type, way) == 2 &&
                            strcmp(way, "in") == 0) {
                                fuzz_check(strlen(signature) + strlen(type) < sizeof(signature));
                                (void) strcat(signature, type);
                        }
                if (!is_tried(interface, member, signature)) {
                        (void) fprintf(stderr, "no method of this target: %s.%s(%s)\n", interface, member,
                                       signature);
                        abort();
                }
                listed++;
                p = close;
        }
        for (size_t i = 0; i < ELEMENTS(methods); i++)
                n += strcmp(methods[i].interface, interface) == 0;
        fuzz_check(n == listed);
        world.pages++;
}

static int on_page(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *page;

        (void) userdata;
        (void) error;
        world.answered = true;
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "s", &page) > 0)
                page_check(page, world.pages == 0 ? AGENT_INTERFACE : AGENT_JOB_INTERFACE);
        return 0;
}

/* Once the agent's own; and a job's, when there is one. */
static void methods_check(void)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (world.pages > 1 || (world.pages == 1 && !*world.job))
                return;
        if (sd_bus_message_new_method_call(world.bus, &m, AGENT_BUS_NAME,
                                           world.pages == 0 ? AGENT_PATH : world.job,
                                           "org.freedesktop.DBus.Introspectable", "Introspect") >= 0 &&
            sd_bus_message_set_sender(m, callers[CALLER_ROOT].sender) >= 0)
                call(m, on_page);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };

        if (!world.event)
                world_begin();
        if (!world.running) {
                if (world.bus)
                        end();
                world.job[0] = '\0';
                begin();
        }
        methods_check();
        for (unsigned n = 0; n < 8 && f.left > 0 && world.running; n++)
                ask(&f);
}
