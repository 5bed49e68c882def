/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Remotes against real ones: ssh, sshd, the bridge of this build, dbus-daemon. Only the agent is a stand-in.
 */

#include "agent/cluster/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/lib/bus.h"
#include "tests/lib/sshd.h"

static TestBus bus;
static TestSshd sshd;
static char program[4096]; /* edge-roll of this build */

typedef struct Seen {
        sd_event *event;
        RemotePool *pool;
        Remote *remote;
        unsigned ups, downs, signals;
        RemoteTrouble trouble;
        char text[400], hint[400];
        bool will_retry;
        int result;
        bool answered;
        char error[128];
} Seen;

static void on_up(Remote *r, void *userdata)
{
        Seen *s = userdata;
        (void) r;
        s->ups++;
}

static void on_down(Remote *r, RemoteTrouble trouble, const char *text, const char *hint, bool will_retry,
                    void *userdata)
{
        Seen *s = userdata;
        (void) r;
        s->downs++;
        s->trouble = trouble;
        s->will_retry = will_retry;
        (void) snprintf(s->text, sizeof(s->text), "%s", text);
        (void) snprintf(s->hint, sizeof(s->hint), "%s", hint);
}

static const RemoteHandlers handlers = { .up = on_up, .down = on_down };

static void on_answer(int r, sd_bus_message *m, const char *name, const char *text, void *userdata)
{
        Seen *s = userdata;
        (void) m;
        s->result = r;
        s->answered = true;
        (void) snprintf(s->error, sizeof(s->error), "%s", name);
        (void) snprintf(s->text, sizeof(s->text), "%s", text);
}

#define until(s, condition)                                                                             \
        do {                                                                                            \
                Usec _end = time_add(time_now(), 20 * USEC_PER_SEC);                                    \
                while (!(condition)) {                                                                  \
                        if (time_now() > _end)                                                          \
                                fail_msg("%s did not come: %s (%s)", #condition, (s)->text, (s)->hint); \
                        assert_true(sd_event_run((s)->event, 100 * USEC_PER_MSEC) >= 0);                \
                }                                                                                       \
        } while (0)

static void it_calls_over_ssh(void **state)
{
        Seen s = { 0 };
        Err err = { 0 };
        char address[128];
        (void) state;
        (void) snprintf(address, sizeof(address), "DBUS_SYSTEM_BUS_ADDRESS=%s", bus.address);
        const char *ssh[] = { "ssh", "-F", sshd.config, NULL },
                   *bridge[] = { "env", address, program, "bridge", NULL };
        RemoteOptions o = { .ssh = ssh, .bridge = bridge };
        assert_true(sd_event_new(&s.event) >= 0);
        assert_int_equal(remote_pool_new(&s.pool, s.event, &o, &err), 0);
        assert_int_equal(remote_new(&s.remote, s.pool, "r1", &(RemoteDest){ .host = "r1" }, &handlers, &s,
                                    &err),
                         0);
        until(&s, s.ups || s.downs);
        assert_string_equal(s.text, "");
        assert_int_equal(s.ups, 1);
        assert_int_equal(remote_call(s.remote, NULL, NULL, NULL, "Status", 0, on_answer, &s, &err, ""), 0);
        until(&s, s.answered);
        assert_int_equal(s.result, -EREMOTE);
        assert_string_equal(s.error, SD_BUS_ERROR_SERVICE_UNKNOWN);
        (void) remote_free(s.remote);
        (void) remote_pool_free(s.pool);
        (void) sd_event_unref(s.event);
}

static int group_setup(void **state)
{
        char path[4096];
        (void) state;
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        assert_true(n > 0);
        path[n] = '\0';
        for (int i = 0; i < 3; i++)
                *strrchr(path, '/') = '\0';
        (void) snprintf(program, sizeof(program), "%.4000s/edge-roll", path);
        bus_make(&bus);
        sshd_start(&sshd, "");
        return 0;
}

static int group_teardown(void **state)
{
        (void) state;
        sshd_remove(&sshd);
        bus_remove(&bus);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_calls_over_ssh),
        };
        const char *skip = sshd_make(&sshd, "");
        if (skip) {
                (void) printf("1..0 # SKIP %s\n", skip);
                return 77;
        }
        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
