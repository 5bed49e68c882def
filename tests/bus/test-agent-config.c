/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Which configuration an agent works with while its files change: the agent itself in a process of its own, a
 * real bus, and components that are sockets which take a question and do not answer it. Everything is in
 * namespaces of the test's own, so that the files can be where users have them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/hold.h"
#include "agent/kept.h"
#include "agent/tickets.h"
#include "tests/lib/bus.h"
#include "tests/lib/ns.h"

#define LIMIT_USEC (20 * USEC_PER_SEC)

/* A component of a configuration: what it listens on, and the ports of other purposes that tell it. */
typedef struct Listener {
        int fd;
        uint16_t port;
        unsigned mark;
} Listener;

static TestBus bus;
static Listener before, after;
static pid_t agent;
static sd_bus *client;

static void listener_open(Listener *l, unsigned mark)
{
        struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(sin);
        l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(l->fd, (struct sockaddr *) &sin, len), 0);
        assert_int_equal(listen(l->fd, 16), 0);
        assert_int_equal(getsockname(l->fd, (struct sockaddr *) &sin, &len), 0);
        l->port = ntohs(sin.sin_port);
        l->mark = mark;
}

/* Somebody asks it who it is. Return: the connection, which is not answered; -1 when nobody does. */
static int listener_asked(const Listener *l, Usec limit)
{
        struct pollfd p = { .fd = l->fd, .events = POLLIN };
        return poll(&p, 1, (int) (limit / USEC_PER_MSEC)) == 1 ? accept4(l->fd, NULL, NULL, SOCK_CLOEXEC)
                                                               : -1;
}

/* As an administrator's editor does it. */
static void config_is(const Listener *l)
{
        FILE *f = fopen(CONFIG_FILE ".new", "we");
        assert_non_null(f);
        (void) fprintf(f,
                       "[component router]\nself_url = http://127.0.0.1:%u/v1/servers/self\n"
                       "up_url = http://127.0.0.1:1/v1/servers/self/up\nhealth_port = %u\nother_ports = %u\n",
                       l->port, l->port, l->mark);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(rename(CONFIG_FILE ".new", CONFIG_FILE), 0);
}

static bool has_name(void)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int there = 0;
        return sd_bus_call_method(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                                  AGENT_BUS_NAME) >= 0 &&
               sd_bus_message_read(reply, "b", &there) > 0 && there;
}

static void agent_start(void)
{
        agent = fork();
        assert_true(agent >= 0);
        if (agent == 0) {
                Config *config = NULL;
                char trouble[512];
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout) ||
                    kept_load(&config, trouble, sizeof(trouble)) < 0)
                        _exit(99);
                int status = agent_main(config, trouble);
                config_free(config);
                exit(status); /* a leak is looked for */
        }
        const Usec end = time_now() + LIMIT_USEC;
        while (!has_name() && time_now() < end)
                (void) poll(NULL, 0, 5);
}

static int begin(void **state)
{
        (void) state;
        listener_open(&before, 4001);
        listener_open(&after, 4002);
        assert_int_equal(mount("none", "/etc", "tmpfs", 0, NULL), 0);
        assert_int_equal(mount("none", "/var/lib", "tmpfs", 0, NULL), 0);
        assert_int_equal(mkdir("/etc/edge-roll", 0755), 0);
        assert_int_equal(mkdir(KEPT_STATE_DIR, 0755), 0);
        config_is(&before);
        assert_true(sd_bus_open_system(&client) >= 0);
        assert_true(sd_bus_set_method_call_timeout(client, LIMIT_USEC) >= 0);
        return 0;
}

static int end(void **state)
{
        int status = -1;
        (void) state;
        client = sd_bus_flush_close_unref(client);
        (void) kill(agent, SIGTERM);
        assert_int_equal(waitpid(agent, &status, 0), agent);
        (void) close(before.fd);
        (void) close(after.fd);
        assert_int_equal(umount2("/etc", MNT_DETACH), 0);
        assert_int_equal(umount2("/var/lib", MNT_DETACH), 0);
        /* In the middle of a job it is told to begin again. */
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != AGENT_EXIT_RESTART))
                fail_msg("the agent has ended with the wait status %#x", (unsigned) status);
        return 0;
}

/* ---- who only looks ---- */

typedef struct Looking {
        bool answered;
        char text[4096];
} Looking;

static int on_looked(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Looking *l = userdata;
        const char *text = "";
        (void) error;
        l->answered = true;
        const sd_bus_error *e = sd_bus_message_get_error(m);
        if (e)
                text = e->message;
        else if (sd_bus_message_read(m, "s", &text) < 0)
                text = "no text";
        (void) snprintf(l->text, sizeof(l->text), "%s", text);
        return 0;
}

/* Return: the connection over which the agent waits for an answer. */
static int look_begins(Looking *l, const Listener *of)
{
        *l = (Looking){ 0 };
        assert_true(sd_bus_call_method_async(client, NULL, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE,
                                             "Discover", on_looked, l, "s", "router") >= 0);
        assert_true(sd_bus_flush(client) >= 0);
        int question = listener_asked(of, LIMIT_USEC);
        assert_true(question >= 0);
        return question;
}

static void look_says(Looking *l, const Listener *of)
{
        char ports[64];
        const Usec limit = time_now() + LIMIT_USEC;
        while (!l->answered && time_now() < limit)
                if (sd_bus_process(client, NULL) == 0)
                        (void) sd_bus_wait(client, USEC_PER_SEC);
        assert_true(l->answered);
        (void) snprintf(ports, sizeof(ports), "\"other_ports\":[%u]", of->mark);
        if (!strstr(l->text, ports))
                fail_msg("not %s: %s", ports, l->text);
}

/* ---- who changes something ---- */

static void job_begins(const char *method)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(client, AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE, method, &error,
                                   &reply, "sa{sv}", "router", 1, "unprotected", "s", "a test");
        if (r < 0)
                fail_msg("%s: %s", method, error.message);
}

/* The job asks the component of which configuration? */
static void job_is_about(const Listener *l, const char *what)
{
        int question = listener_asked(l, LIMIT_USEC);
        if (question < 0)
                fail_msg("%s does not go by the configuration of now", what);
        (void) close(question);
}

static void begins_with_the_newest(const char *method)
{
        Looking look;
        agent_start();
        int open_question = look_begins(&look, &before);
        config_is(&after);
        job_begins(method);
        job_is_about(&after, method);
        (void) close(open_question);
        look_says(&look, &before);
}

static void a_drain_goes_by_the_files_of_now_though_somebody_looks(void **state)
{
        (void) state;
        begins_with_the_newest("Drain");
}

static void a_restart_goes_by_the_files_of_now_though_somebody_looks(void **state)
{
        (void) state;
        begins_with_the_newest("Restart");
}

static void who_looks_later_sees_the_files_of_now_too(void **state)
{
        Looking first, second;
        (void) state;
        agent_start();
        int one = look_begins(&first, &before);
        config_is(&after);
        int two = look_begins(&second, &after);
        (void) close(one);
        look_says(&first, &before);
        (void) close(two);
        look_says(&second, &after);
}

/* ---- what begins by itself ---- */

static void ticket_waits(void)
{
        const Ticket ticket = { .component = "router", .by = "root", .reason = "a reason" };
        Ticket now;
        bool fresh;
        assert_int_equal(tickets_put(KEPT_STATE_DIR, &ticket, &now, &fresh, NULL), 0);
}

static void hold_lasts(Usec usec)
{
        Hold hold = { .component = "router", .by = "root", .reason = "drain by hand", .by_hand = true };
        hold.plan.whole_ports[hold.plan.n_whole++] = 15999;
        hold.until_boot_usec = time_add(time_boot(), usec);
        hold.until_wall_usec = time_add(time_wall(), usec);
        assert_int_equal(hold_write(KEPT_STATE_DIR, &hold, NULL), 0);
}

static void a_hold_that_ends_by_itself_ends_by_the_files_of_now(void **state)
{
        (void) state;
        hold_lasts(3600 * USEC_PER_SEC);
        agent_start();
        config_is(&after);
        hold_lasts(0); /* which is seen when holds are looked at again */
        job_is_about(&after, "the end of a hold");
}

/* It is looked at again and again; what kept it from beginning goes. */
static void a_ticket_begins_by_the_files_of_now(void **state)
{
        (void) state;
        hold_lasts(3600 * USEC_PER_SEC);
        ticket_waits();
        agent_start();
        config_is(&after);
        assert_int_equal(hold_remove(KEPT_STATE_DIR, "router", NULL), 0);
        job_is_about(&after, "a ticket");
}

static void what_a_ticket_makes_room_for_goes_by_the_files_of_now(void **state)
{
        (void) state;
        ticket_waits();
        agent_start();
        int question = listener_asked(&before, LIMIT_USEC);
        assert_true(question >= 0);
        config_is(&after);
        job_begins("Drain");
        job_is_about(&after, "a drain");
        (void) close(question);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_drain_goes_by_the_files_of_now_though_somebody_looks, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_restart_goes_by_the_files_of_now_though_somebody_looks,
                                                begin, end),
                cmocka_unit_test_setup_teardown(who_looks_later_sees_the_files_of_now_too, begin, end),
                cmocka_unit_test_setup_teardown(a_hold_that_ends_by_itself_ends_by_the_files_of_now, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_ticket_begins_by_the_files_of_now, begin, end),
                cmocka_unit_test_setup_teardown(what_a_ticket_makes_room_for_goes_by_the_files_of_now, begin,
                                                end),
        };
        const char *why = ns_enter();
        if (why) {
                (void) printf("%s\n", why);
                return 77;
        }
        bus_make(&bus);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                (void) printf("no mounts of its own: %s\n", strerror(errno));
                bus_remove(&bus);
                return 77;
        }
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        bus_remove(&bus);
        return failed;
}
