/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The bridge as a process of its own, on a real dbus-daemon, with a remote on the other end of its standard
 * input and output. The agent is a fake one in a third process.
 */

#include "agent/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/cluster/remote.h"
#include "base/result.h"
#include "tests/lib/bus.h"
#include "tests/lib/fake-agent.h"

static TestBus bus;
static BridgeTimes times;
static pid_t bridge = -1;
static int bridge_stderr = -1; /* what it says there */
static int bridge_link = -1;   /* our end of its standard input and output; not ours to close */

/* ---- the bridge ---- */

static void child_begin(void)
{
        sigset_t none;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static int bridge_open(void *userdata)
{
        int pair[2], err[2];
        (void) userdata;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(pipe2(err, O_CLOEXEC), 0);
        bridge = fork();
        assert_true(bridge >= 0);
        if (bridge == 0) {
                child_begin();
                (void) dup2(pair[1], STDIN_FILENO);
                (void) dup2(pair[1], STDOUT_FILENO);
                (void) dup2(err[1], STDERR_FILENO);
                /* As after an exec: nobody else's end stays open in it. */
                for (int fd = 3; fd < 256; fd++)
                        (void) close(fd);
                _exit(bridge_run(&times));
        }
        (void) close(pair[1]);
        (void) close(err[1]);
        closep(&bridge_stderr);
        bridge_stderr = err[0];
        bridge_link = pair[0];
        return pair[0];
}

/* What was sent to it and not read by it yet. */
static int bridge_unread(void)
{
        int n = 0;
        assert_int_equal(ioctl(bridge_link, SIOCOUTQ, &n), 0);
        return n;
}

/* Waits for its end. Return: its exit status. */
static int bridge_status(void)
{
        int status;
        Usec end = time_add(time_now(), 20 * USEC_PER_SEC);
        while (waitpid(bridge, &status, WNOHANG) == 0) {
                if (time_now() > end) {
                        (void) kill(bridge, SIGKILL);
                        fail_msg("the bridge has not ended");
                }
                (void) poll(NULL, 0, 5);
        }
        bridge = -1;
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void bridge_says(const char *part)
{
        char text[1024];
        ssize_t n = read(bridge_stderr, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        if (!strstr(text, part))
                fail_msg("\"%s\" is not in: %s", part, text);
}

/* ---- the agent ---- */

static pid_t agent_pid = -1;
static char introduced[128];
static unsigned slow, refusals; /* so many Introduce() are refused first */

/* Discover() tells what Introduce() said; Slow is never answered, and the hundredth is told of; Die ends the
 * process. */
static bool agent_hook(FakeAgent *a, sd_bus_message *m, const char *member, void *userdata)
{
        const char *k1, *v1, *k2, *v2;
        (void) a;
        (void) userdata;
        if (strcmp(member, "Introduce") == 0 && refusals > 0) {
                refusals--;
                (void) sd_bus_reply_method_errorf(m, "org.edgeroll.Error.Busy",
                                                  "too many of root's are here");
                return true;
        }
        if (strcmp(member, "Introduce") == 0) {
                if (sd_bus_message_read(m, "a{sv}", 2, &k1, "s", &v1, &k2, "s", &v2) >= 0)
                        (void) snprintf(introduced, sizeof(introduced), "%s=%s %s=%s", k1, v1, k2, v2);
                (void) sd_bus_reply_method_return(m, NULL);
                return true;
        }
        if (strcmp(member, "Discover") == 0) {
                (void) sd_bus_reply_method_return(m, "s", introduced);
                return true;
        }
        if (strcmp(member, "Die") == 0)
                _exit(0);
        if (strcmp(member, "Slow") != 0)
                return false;
        if (++slow == 100)
                (void) sd_bus_emit_signal(sd_bus_message_get_bus(m), "/org/edgeroll/Agent1",
                                          "org.edgeroll.Agent1", "Slow100", "");
        return true;
}

static void agent_start(void)
{
        int ready[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        agent_pid = fork();
        assert_true(agent_pid >= 0);
        if (agent_pid == 0) {
                FakeScript s = { .name = "r1", .n_parts = 1, .hook = agent_hook };
                sd_event *event = NULL;
                FakeAgent *a = NULL;
                s.parts[0] = (FakePart){ .component = "router", .uuid = "u1", .health_port = 15999 };
                child_begin();
                for (int fd = 3; fd < 256; fd++)
                        if (fd != ready[1])
                                (void) close(fd);
                if (sd_event_new(&event) < 0 || fake_agent_new(&a, event, &s) < 0 || fake_agent_on_bus(a) < 0)
                        _exit(1);
                (void) !write(ready[1], "x", 1);
                (void) sd_event_loop(event);
                _exit(0);
        }
        (void) close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        (void) close(ready[0]);
}

static void agent_stop(void)
{
        if (agent_pid > 0) {
                (void) kill(agent_pid, SIGKILL);
                (void) waitpid(agent_pid, NULL, 0);
        }
        agent_pid = -1;
}

/* ---- the other end ---- */

typedef struct World {
        sd_event *event;
        RemotePool *pool;
        Remote *remote;
        unsigned ups, downs, owners, signals;
        RemoteTrouble trouble;
        char owner[64], text[512], error[128], answer[512];
        unsigned answers, limited;
        int result;
        unsigned events;
} World;

static void on_up(Remote *r, void *userdata)
{
        (void) r;
        ((World *) userdata)->ups++;
}

static void on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool again,
                    void *userdata)
{
        World *w = userdata;
        (void) r;
        (void) hint;
        (void) again;
        w->downs++;
        w->trouble = trouble;
        (void) snprintf(w->text, sizeof(w->text), "%s", text);
}

static void on_signal(Remote *r, sd_bus_message *m, void *userdata)
{
        World *w = userdata;
        const char *owner;
        (void) r;
        w->signals++;
        if (sd_bus_message_is_signal(m, REMOTE_BRIDGE_INTERFACE, "Agent") &&
            sd_bus_message_read(m, "s", &owner) > 0) {
                w->owners++;
                (void) snprintf(w->owner, sizeof(w->owner), "%s", owner);
        } else if (sd_bus_message_is_signal(m, REMOTE_JOB_INTERFACE, "Event"))
                w->events++;
}

static void on_answer(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        World *w = userdata;
        const char *json = "";
        w->answers++;
        w->limited += strcmp(name, SD_BUS_ERROR_LIMITS_EXCEEDED) == 0;
        w->result = r;
        (void) snprintf(w->error, sizeof(w->error), "%s", name);
        (void) snprintf(w->text, sizeof(w->text), "%s", text);
        if (r == 0 && strcmp(sd_bus_message_get_signature(m, true), "s") == 0)
                assert_true(sd_bus_message_read(m, "s", &json) > 0);
        (void) snprintf(w->answer, sizeof(w->answer), "%s", json);
}

#define until(w, condition)                                                                            \
        do {                                                                                           \
                Usec _end = time_add(time_now(), 20 * USEC_PER_SEC);                                   \
                while (!(condition)) {                                                                 \
                        if (time_now() > _end)                                                         \
                                fail_msg("%s did not come: %s %s", #condition, (w)->error, (w)->text); \
                        assert_true(sd_event_run((w)->event, 50 * USEC_PER_MSEC) >= 0);                \
                }                                                                                      \
        } while (0)

static void world_make(World *w)
{
        static const RemoteHandlers handlers = { .up = on_up, .down = on_down, .signal = on_signal };
        RemoteOptions o = { .tries = 1, .beat_usec = 200 * USEC_PER_MSEC };
        RemoteDest dest = { .open = bridge_open };
        Err err = { 0 };
        *w = (World){ 0 };
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(remote_pool_new(&w->pool, w->event, &o, &err), 0);
        assert_int_equal(remote_new(&w->remote, w->pool, "n", &dest, &handlers, w, &err), 0);
        until(w, w->ups == 1 || w->downs);
}

static void world_done(World *w)
{
        w->remote = remote_free(w->remote);
        (void) remote_pool_free(w->pool);
        (void) sd_event_unref(w->event);
        if (bridge > 0)
                assert_int_equal(bridge_status(), 0);
}

static void call_within(World *w, Usec limit, const char *method)
{
        Err err = { 0 };
        assert_int_equal(remote_call(w->remote, NULL, NULL, NULL, method, limit, on_answer, w, &err, ""), 0);
}

static void call(World *w, const char *path, const char *interface, const char *method)
{
        Err err = { 0 };
        assert_int_equal(remote_call(w->remote, NULL, path, interface, method, 10 * USEC_PER_SEC, on_answer,
                                     w, &err, ""),
                         0);
}

static void ask(World *w, const char *path, const char *interface, const char *method)
{
        unsigned before = w->answers;
        call(w, path, interface, method);
        until(w, w->answers > before);
}

/* ---- tests ---- */

static void calls_and_answers_pass_as_they_are(void **state)
{
        World w;
        (void) state;
        agent_start();
        world_make(&w);
        assert_int_equal(w.ups, 1);
        assert_true(*remote_version(w.remote) != '\0');
        ask(&w, NULL, NULL, "Status");
        assert_int_equal(w.result, 0);
        assert_non_null(strstr(w.answer, "\"router\""));
        /* An error of the agent, with its name and text. */
        Err err = { 0 };
        assert_int_equal(remote_call(w.remote, NULL, NULL, NULL, "CurrentJob", 0, on_answer, &w, &err, "s",
                                     "router"),
                         0);
        until(&w, w.answers == 2);
        assert_int_equal(w.result, -EREMOTE);
        assert_string_equal(w.error, "org.edgeroll.Error.NoJob");
        assert_string_equal(w.text, "no job runs");
        /* What an agent of another release does not know. */
        ask(&w, NULL, NULL, "OfTomorrow");
        assert_string_equal(w.error, SD_BUS_ERROR_UNKNOWN_METHOD);
        SshTrouble t;
        assert_true(remote_error(w.remote, w.error, w.text, &t));
        assert_int_equal(t.kind, REMOTE_OTHER_VERSION);
        world_done(&w);
        agent_stop();
}

static void nothing_else_passes(void **state)
{
        static const struct {
                const char *path, *interface, *method;
        } calls[] = {
                { "/org/freedesktop/DBus", "org.freedesktop.DBus", "ListNames" },
                { "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "PowerOff" },
                { "/org/edgeroll/Agent1", "org.freedesktop.systemd1.Manager", "PowerOff" },
                { "/org/edgeroll/Agent1", "org.freedesktop.DBus.Introspectable", "Introspect" },
                { "/org/edgeroll/Agent1", "org.freedesktop.DBus.Properties", "Set" },
                { "/", "org.edgeroll.Agent1", "Status" },
                { "/org/edgeroll/Agent1/job/1", "org.edgeroll.Agent1", "Status" },
                { "/org/edgeroll/Agent1", "org.edgeroll.Job1", "Events" },
                { "/org/edgeroll/Agent10", "org.freedesktop.DBus.Properties", "GetAll" },
                /* Who calls is the bridge's to say. */
                { "/org/edgeroll/Agent1", "org.edgeroll.Agent1", "Introduce" },
        };
        World w;
        (void) state;
        agent_start();
        world_make(&w);
        for (size_t i = 0; i < ELEMENTS(calls); i++) {
                ask(&w, calls[i].path, calls[i].interface, calls[i].method);
                assert_int_equal(w.result, -EREMOTE);
                assert_string_equal(w.error, "org.edgeroll.Error.NotForwarded");
                assert_non_null(strstr(w.text, calls[i].method));
        }
        /* To another name of the bus. */
        sd_bus_message *m = NULL;
        Err err = { 0 };
        unsigned before = w.answers;
        assert_int_equal(remote_message_new(w.remote, &m, NULL, NULL, "Status", &err), 0);
        assert_true(sd_bus_message_set_destination(m, "org.freedesktop.systemd1") >= 0);
        assert_int_equal(remote_call_message(w.remote, NULL, m, 0, on_answer, &w, &err), 0);
        (void) sd_bus_message_unref(m);
        until(&w, w.answers > before);
        assert_string_equal(w.error, "org.edgeroll.Error.NotForwarded");
        world_done(&w);
        agent_stop();
}

static void the_agent_is_told_who_calls(void **state)
{
        World w;
        (void) state;
        agent_start();
        assert_int_equal(setenv("SSH_CONNECTION", "10.0.0.9 50000 10.0.0.1 22", 1), 0);
        if (getuid() == 0)
                assert_int_equal(setenv("SUDO_USER", "alice", 1), 0);
        world_make(&w);
        ask(&w, NULL, NULL, "Discover");
        assert_non_null(strstr(w.answer, "from=10.0.0.9"));
        if (getuid() == 0)
                assert_non_null(strstr(w.answer, "user=alice"));
        /* The next agent, too, and before anything else. */
        agent_stop();
        until(&w, w.owners && !*w.owner);
        agent_start();
        until(&w, *w.owner);
        ask(&w, NULL, NULL, "Discover");
        assert_non_null(strstr(w.answer, "from=10.0.0.9"));
        assert_int_equal(unsetenv("SSH_CONNECTION"), 0);
        assert_int_equal(unsetenv("SUDO_USER"), 0);
        world_done(&w);
        agent_stop();
}

/* What an agent did that took them for root's own. */
static void nothing_passes_before_the_agent_knows_who_calls(void **state)
{
        World w;
        (void) state;
        refusals = 2;
        agent_start();
        refusals = 0;
        world_make(&w);
        for (int i = 0; i < 2; i++) {
                ask(&w, NULL, NULL, "Discover");
                assert_int_equal(w.result, -EREMOTE);
                assert_string_equal(w.error, "org.edgeroll.Error.Busy");
                assert_string_equal(w.text, "too many of root's are here");
        }
        ask(&w, NULL, NULL, "Discover");
        assert_int_equal(w.result, 0);
        assert_non_null(strstr(w.answer, "user="));
        world_done(&w);
        agent_stop();
}

/* The bridge finds the call and the news of the next agent at the same time. */
static void the_next_agent_knows_who_calls_before_anything_else(void **state)
{
        World w;
        (void) state;
        agent_start();
        world_make(&w);
        for (int i = 0; i < 10; i++) {
                ask(&w, NULL, NULL, "Discover");
                assert_non_null(strstr(w.answer, "user="));
                unsigned before = w.answers;
                assert_int_equal(kill(bridge, SIGSTOP), 0);
                agent_stop();
                agent_start();
                call(&w, NULL, NULL, "Discover");
                until(&w, bridge_unread() > 0);
                assert_int_equal(kill(bridge, SIGCONT), 0);
                until(&w, w.answers > before);
                assert_int_equal(w.result, 0);
                assert_non_null(strstr(w.answer, "user="));
        }
        world_done(&w);
        agent_stop();
}

static void signals_of_the_agent_pass_and_of_nobody_else(void **state)
{
        World w;
        (void) state;
        agent_start();
        world_make(&w);
        ask(&w, NULL, NULL, "Status");

        /* A stranger calls every connection of the bus. */
        sd_bus *stranger = NULL;
        sd_bus_message *names = NULL;
        const char *name;
        unsigned sent = 0;
        assert_true(sd_bus_open_system(&stranger) >= 0);
        assert_true(sd_bus_call_method(stranger, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "ListNames", NULL, &names, NULL) >= 0);
        assert_true(sd_bus_message_enter_container(names, 'a', "s") > 0);
        while (sd_bus_message_read(names, "s", &name) > 0) {
                sd_bus_message *m = NULL;
                assert_true(sd_bus_message_new_signal(stranger, &m, "/org/edgeroll/Agent1/job/1",
                                                      "org.edgeroll.Job1", "Event") >= 0);
                assert_true(sd_bus_message_append(m, "ts", (uint64_t) 0, "{\"event\":\"result\"}") >= 0);
                assert_true(sd_bus_message_set_destination(m, name) >= 0);
                assert_true(sd_bus_send(stranger, m, NULL) >= 0);
                (void) sd_bus_message_unref(m);
                sent++;
        }
        assert_true(sent >= 4);
        (void) sd_bus_message_unref(names);
        (void) sd_bus_flush_close_unref(stranger);

        Err err = { 0 };
        unsigned before = w.answers;
        assert_int_equal(remote_call(w.remote, NULL, NULL, NULL, "Restart", 0, on_answer, &w, &err, "sa{sv}",
                                     "router", 0),
                         0);
        until(&w, w.answers > before);
        assert_int_equal(w.result, 0);
        /* job, 14 phases with begin and end, result */
        until(&w, w.events >= 30);
        assert_int_equal(w.events, 30);
        world_done(&w);
        agent_stop();
}

static void an_agent_that_dies_or_is_not_there_is_an_error_of_the_call(void **state)
{
        World w;
        (void) state;
        world_make(&w);
        ask(&w, NULL, NULL, "Status");
        assert_int_equal(w.result, -EREMOTE);
        assert_string_equal(w.error, SD_BUS_ERROR_SERVICE_UNKNOWN);
        agent_start();
        until(&w, *w.owner == ':');
        ask(&w, NULL, NULL, "Die");
        assert_int_equal(w.result, -ETIMEDOUT);
        assert_string_equal(w.error, SD_BUS_ERROR_NO_REPLY);
        (void) waitpid(agent_pid, NULL, 0);
        agent_start();
        until(&w, *w.owner == ':');
        ask(&w, NULL, NULL, "Status");
        assert_int_equal(w.result, 0);
        assert_int_equal(w.downs, 0);
        world_done(&w);
        agent_stop();
}

static void a_bus_that_goes_away_leaves_the_link(void **state)
{
        World w;
        (void) state;
        times = (BridgeTimes){ .retry_usec = 20 * USEC_PER_MSEC };
        agent_start();
        world_make(&w);
        ask(&w, NULL, NULL, "Status");
        /* Under way when it goes: nobody knows. */
        call(&w, NULL, NULL, "Slow");
        ask(&w, NULL, NULL, "Status");
        unsigned before = w.answers;
        bus_kill(&bus);
        until(&w, w.answers > before);
        assert_int_equal(w.result, -ETIMEDOUT);
        /* Asked when it is away: nothing was done, unless it comes back in time. */
        before = w.answers;
        call_within(&w, 300 * USEC_PER_MSEC, "Status");
        until(&w, w.answers > before);
        assert_int_equal(w.result, -EREMOTE);
        assert_string_equal(w.error, "org.edgeroll.Error.NoBus");
        SshTrouble t;
        assert_true(remote_error(w.remote, w.error, w.text, &t));
        assert_int_equal(t.kind, REMOTE_NO_BUS);
        assert_non_null(strstr(w.text, "nothing was done"));
        agent_stop();
        before = w.answers;
        call_within(&w, 20 * USEC_PER_SEC, "Status");
        bus_start(&bus);
        agent_start();
        until(&w, *w.owner == ':' && w.answers > before);
        /* Of the bus, where it was there before the agent. */
        if (w.result != 0)
                assert_string_equal(w.error, SD_BUS_ERROR_SERVICE_UNKNOWN);
        ask(&w, NULL, NULL, "Status");
        assert_int_equal(w.result, 0);
        assert_int_equal(w.downs, 0);
        world_done(&w);
        agent_stop();
        times = (BridgeTimes){ 0 };
}

static void a_node_without_a_bus_says_so_before_anything_starts(void **state)
{
        World w;
        (void) state;
        bus_kill(&bus);
        world_make(&w);
        assert_int_equal(w.ups, 0);
        assert_int_equal(w.trouble, REMOTE_NO_BUS);
        assert_non_null(strstr(w.text, "system bus"));
        world_done(&w);
        bus_start(&bus);

        /* One that takes the connection and says nothing. */
        times = (BridgeTimes){ .bus_usec = 300 * USEC_PER_MSEC };
        assert_int_equal(kill(bus.pid, SIGSTOP), 0);
        world_make(&w);
        assert_int_equal(w.trouble, REMOTE_NO_BUS);
        assert_non_null(strstr(w.text, "does not answer"));
        world_done(&w);
        assert_int_equal(kill(bus.pid, SIGCONT), 0);
        times = (BridgeTimes){ 0 };
}

static void it_ends_with_its_far_end_and_when_told(void **state)
{
        World w;
        (void) state;
        /* The other end closes. */
        world_make(&w);
        pid_t before = bridge;
        assert_true(before > 0);
        world_done(&w);
        assert_int_equal(bridge, -1);

        static const int signals[] = { SIGTERM, SIGHUP, SIGINT };
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                world_make(&w);
                assert_int_equal(kill(bridge, signals[i]), 0);
                until(&w, w.downs);
                assert_int_equal(w.trouble, REMOTE_CUT);
                assert_int_equal(bridge_status(), 0);
                world_done(&w);
        }
}

static void it_ends_when_nothing_is_heard(void **state)
{
        World w;
        (void) state;
        times = (BridgeTimes){ .silent_usec = 700 * USEC_PER_MSEC };
        world_make(&w);
        /* As long as the other end asks for signs of life it stays. */
        Usec end = time_add(time_now(), 1500 * USEC_PER_MSEC);
        until(&w, time_now() > end);
        assert_int_equal(w.downs, 0);
        assert_int_equal(waitpid(bridge, NULL, WNOHANG), 0);
        /* Nobody turns our loop: the connection is there, and nothing comes over it. */
        assert_int_equal(bridge_status(), 1);
        bridge_says("nothing was heard for");
        world_done(&w);
        times = (BridgeTimes){ 0 };
}

/* Writes @bytes to a new bridge. Return: its exit status. */
static int raw(const void *bytes, size_t n)
{
        int fd = bridge_open(NULL);
        assert_int_equal(write(fd, bytes, n), (ssize_t) n);
        int status = bridge_status();
        (void) close(fd);
        return status;
}

static void what_is_no_dbus_ends_it(void **state)
{
        (void) state;
        static const char http[] = "GET / HTTP/1.1\r\nHost: r1\r\n\r\n";
        assert_int_equal(raw(http, sizeof(http) - 1), 2);
        bridge_says("\"GET / HTTP/1.1\"");

        static const char auth[] = "\0AUTH ANONYMOUS 616e6f6e796d6f7573\r\nBEGIN\r\n";
        char big[sizeof(auth) + 16];
        /* A call that announces 100 MB. */
        static const unsigned char head[16] = { 'l', 1, 0, 1, 0, 0, 0, 6, 1, 0, 0, 0, 16, 0, 0, 0 };
        (void) memcpy(big, auth, sizeof(auth) - 1);
        (void) memcpy(big + sizeof(auth) - 1, head, sizeof(head));
        assert_int_equal(raw(big, sizeof(auth) - 1 + sizeof(head)), 1);
        bridge_says("too big");
        /* Not even a head. */
        (void) memset(big + sizeof(auth) - 1, 'x', sizeof(head));
        assert_int_equal(raw(big, sizeof(auth) - 1 + sizeof(head)), 1);
        bridge_says("no D-Bus any more");
}

/* The bus itself refuses more than 128 that wait: also those of an agent that does not come to answering yet.
 */
static void on_answer_free(int r, sd_bus_message *m, const char *error, const char *text, void *userdata)
{
        World *w = userdata;
        on_answer(r, m, error, text, w);
        w->remote = remote_free(w->remote);
}

static void who_hears_that_no_answer_comes_may_end_the_link(void **state)
{
        World w;
        Err err = { 0 };
        (void) state;
        agent_start();
        world_make(&w);
        assert_int_equal(remote_call(w.remote, NULL, NULL, NULL, "Slow", 200 * USEC_PER_MSEC, on_answer_free,
                                     &w, &err, ""),
                         0);
        until(&w, w.answers == 1);
        assert_int_equal(w.result, -ETIMEDOUT);
        world_done(&w);
        agent_stop();
}

static void too_many_calls_at_once_are_refused(void **state)
{
        World w;
        (void) state;
        agent_start();
        world_make(&w);
        assert_int_equal(kill(agent_pid, SIGSTOP), 0);
        for (int i = 0; i < 100; i++)
                call(&w, NULL, NULL, "Slow");
        ask(&w, NULL, NULL, "Status");
        assert_int_equal(w.result, -EREMOTE);
        assert_string_equal(w.error, "org.edgeroll.Error.TooMany");
        unsigned before = w.signals;
        assert_int_equal(kill(agent_pid, SIGCONT), 0);
        until(&w, w.signals > before || w.limited > 0);
        assert_int_equal(w.limited, 0);
        world_done(&w);
        agent_stop();
}

static void calls_that_want_no_answer_are_counted_too(void **state)
{
        World w;
        sd_bus_message *m = NULL;
        Err err = { 0 };
        (void) state;
        agent_start();
        world_make(&w);
        for (int i = 0; i < 100; i++) {
                assert_int_equal(remote_message_new(w.remote, &m, NULL, NULL, "Slow", &err), 0);
                assert_true(sd_bus_message_set_expect_reply(m, false) >= 0);
                assert_true(sd_bus_send(NULL, m, NULL) >= 0);
                m = sd_bus_message_unref(m);
        }
        ask(&w, NULL, NULL, "Status");
        assert_int_equal(w.result, -EREMOTE);
        assert_string_equal(w.error, "org.edgeroll.Error.TooMany");
        world_done(&w);
        agent_stop();
}

static int group_setup(void **state)
{
        (void) state;
        bus_make(&bus);
        return 0;
}

static int group_teardown(void **state)
{
        (void) state;
        agent_stop();
        if (bridge > 0)
                (void) kill(bridge, SIGKILL);
        bus_remove(&bus);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(calls_and_answers_pass_as_they_are),
                cmocka_unit_test(nothing_else_passes),
                cmocka_unit_test(the_agent_is_told_who_calls),
                cmocka_unit_test(nothing_passes_before_the_agent_knows_who_calls),
                cmocka_unit_test(the_next_agent_knows_who_calls_before_anything_else),
                cmocka_unit_test(signals_of_the_agent_pass_and_of_nobody_else),
                cmocka_unit_test(an_agent_that_dies_or_is_not_there_is_an_error_of_the_call),
                cmocka_unit_test(a_bus_that_goes_away_leaves_the_link),
                cmocka_unit_test(a_node_without_a_bus_says_so_before_anything_starts),
                cmocka_unit_test(it_ends_with_its_far_end_and_when_told),
                cmocka_unit_test(it_ends_when_nothing_is_heard),
                cmocka_unit_test(what_is_no_dbus_ends_it),
                cmocka_unit_test(who_hears_that_no_answer_comes_may_end_the_link),
                cmocka_unit_test(too_many_calls_at_once_are_refused),
                cmocka_unit_test(calls_that_want_no_answer_are_counted_too),
        };
        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
