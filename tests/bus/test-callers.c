/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Who calls the agent, and how much of it: a real agent on a real dbus-daemon, in namespaces of their own
 * (network and mounts), where no component runs.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/hold.h"
#include "tests/lib/bus.h"
#include "tests/lib/ns.h"

#define TO_AGENT      AGENT_BUS_NAME, AGENT_PATH, AGENT_INTERFACE
#define NO_PERMISSION "org.edgeroll.Error.NoPermission"
#define STATE         "/var/lib/edge-roll"
#define BUSY          "org.edgeroll.Error.Busy"
#define WAIT_USEC     (20 * USEC_PER_SEC)

#define CONFIG "/var/lib/edge-roll.conf"

static TestBus bus;
static pid_t agent = -1;

/* ---- the agent ---- */

static bool state_anew(void)
{
        return mount("none", "/var/lib", "tmpfs", 0, "mode=755") == 0 && mkdir(STATE, 0711) == 0;
}

static bool agent_there(void)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *b = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int there = 0;
        assert_true(sd_bus_open_system(&b) >= 0);
        return sd_bus_call_method(b, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "NameHasOwner", NULL, &reply, "s", AGENT_BUS_NAME) >= 0 &&
               sd_bus_message_read(reply, "b", &there) > 0 && there;
}

static void agent_run_on(const char *limits)
{
        bus_make_with(&bus, limits);
        agent = fork();
        assert_true(agent >= 0);
        if (agent == 0) {
                Config *config = NULL;
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
                (void) dup2(null, STDOUT_FILENO);
                (void) dup2(null, STDERR_FILENO);
                _exit(config_load(&config, CONFIG, "/nonexistent", NULL) < 0 ? 99 : agent_main(config, ""));
        }
        const Usec end = time_add(time_now(), WAIT_USEC);
        while (!agent_there()) {
                assert_true(time_now() < end);
                (void) poll(NULL, 0, 5);
        }
}

static int agent_kill(void **state)
{
        (void) state;
        if (agent > 0) {
                (void) kill(agent, SIGKILL);
                (void) waitpid(agent, NULL, 0);
        }
        agent = -1;
        if (*bus.root)
                bus_remove(&bus);
        bus = (TestBus){ .pid = -1 };
        return 0;
}

/* ---- callers ---- */

static sd_bus *caller_new(void)
{
        sd_bus *b = NULL;
        assert_true(sd_bus_open_system(&b) >= 0);
        return b;
}

/* Says that it speaks for @user. Return: the error's name, "" when there was none; overwritten by the next.
 */
static const char *introduce(sd_bus *b, const char *user)
{
        static char name[128];
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(b, TO_AGENT, "Introduce", &e, NULL, "a{sv}", 1, "user", "s", user);
        (void) snprintf(name, sizeof(name), "%s", r < 0 ? e.name : "");
        return name;
}

/* Uses the lease of the router, which is somebody's. Return: as introduce(). */
static const char *renew(sd_bus *b, uint64_t epoch)
{
        static char name[128];
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(b, TO_AGENT, "LeaseRenew", &e, NULL, "st", "router", epoch);
        (void) snprintf(name, sizeof(name), "%s", r < 0 ? e.name : "");
        return name;
}

static uint64_t lease(sd_bus *b)
{
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint64_t epoch = 0;
        int r = sd_bus_call_method(b, TO_AGENT, "LeaseTake", &e, &reply, "ssa(sss)a{sv}", "router", "roll-1",
                                   1, "u1", "n1", "10.0.0.1", 3, "ttl", "t", 300 * USEC_PER_SEC,
                                   "members-force", "b", 1, "accept-out", "b", 1);
        if (r < 0)
                fail_msg("LeaseTake: %s", e.message);
        assert_true(sd_bus_message_read(reply, "t", &epoch) > 0);
        return epoch;
}

/* ---- for whom root speaks ---- */

#define OTHERS 600

/* More connections of root speak for somebody than the agent keeps. */
static void who_speaks_for_another_is_never_forgotten(const char *limits)
{
        sd_bus *others[OTHERS], *alice, *mallory;
        size_t n = 0;
        agent_run_on(limits);
        alice = caller_new();
        mallory = caller_new();
        assert_string_equal(introduce(mallory, "mallory"), "");
        uint64_t epoch = lease(mallory);
        assert_string_equal(renew(mallory, epoch), "");
        assert_string_equal(introduce(alice, "alice"), "");
        assert_string_equal(renew(alice, epoch), NO_PERMISSION);

        const char *error = "";
        while (n < OTHERS && !*error) {
                others[n] = caller_new();
                error = introduce(others[n++], "bob");
        }
        assert_string_equal(renew(alice, epoch), NO_PERMISSION);
        assert_string_equal(error, BUSY);
        assert_string_equal(renew(mallory, epoch), "");
        /* Who was there keeps his place and may be told anew; who has left makes room. */
        assert_string_equal(introduce(alice, "alice"), "");
        others[0] = sd_bus_flush_close_unref(others[0]);
        const Usec end = time_add(time_now(), WAIT_USEC);
        while (*introduce(others[n - 1], "bob")) {
                assert_true(time_now() < end);
                (void) poll(NULL, 0, 5);
        }
        assert_string_equal(renew(others[n - 1], epoch), NO_PERMISSION);
        assert_int_equal(waitpid(agent, NULL, WNOHANG), 0);
        assert_true(sd_bus_call_method(mallory, TO_AGENT, "LeaseGive", NULL, NULL, "st", "router", epoch) >=
                    0);
        for (size_t i = 0; i < n; i++)
                (void) sd_bus_flush_close_unref(others[i]);
        (void) sd_bus_flush_close_unref(alice);
        (void) sd_bus_flush_close_unref(mallory);
}

static void none_who_speaks_for_another_is_forgotten(void **state)
{
        (void) state;
        who_speaks_for_another_is_never_forgotten(
                "<limit name=\"max_connections_per_user\">2000</limit>"
                "<limit name=\"max_match_rules_per_connection\">5000</limit>");
}

/* 512 matches of one connection, as by default. */
static void those_who_speak_for_others_do_not_cost_the_agent_its_bus(void **state)
{
        (void) state;
        who_speaks_for_another_is_never_forgotten(
                "<limit name=\"max_connections_per_user\">2000</limit>"
                "<limit name=\"max_match_rules_per_connection\">512</limit>");
}

/* It is called itself, and not by its name: what came behind its end would be lost. */
static void the_agent_stays_while_root_speaks_for_somebody(void **state)
{
        sd_bus *quiet;
        (void) state;
        FILE *f = fopen(CONFIG, "we");
        assert_non_null(f);
        (void) fprintf(f, "[agent]\nidle_exit = 1s\n");
        assert_int_equal(fclose(f), 0);
        agent_run_on("");
        quiet = caller_new();
        assert_string_equal(introduce(quiet, "alice"), "");
        /* More than twice as long as it would stay. */
        Usec end = time_add(time_now(), 2500 * USEC_PER_MSEC);
        while (time_now() < end) {
                assert_int_equal(waitpid(agent, NULL, WNOHANG), 0);
                (void) poll(NULL, 0, 50);
        }
        assert_true(agent_there());
        (void) sd_bus_flush_close_unref(quiet);
        end = time_add(time_now(), WAIT_USEC);
        int status, r;
        while ((r = waitpid(agent, &status, WNOHANG)) == 0) {
                assert_true(time_now() < end);
                (void) poll(NULL, 0, 5);
        }
        assert_int_equal(r, agent);
        agent = -1;
        assert_int_equal(status, 0);
        (void) unlink(CONFIG);
}

/* ---- who begins one thing after the other ---- */

#define BEGUN 300 /* more than anybody may begin at once */

/* Takes the lease of the router and gives it back. Return: "", or the error's name. */
static const char *take_and_give(sd_bus *b)
{
        static char name[128];
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint64_t epoch = 0;
        int r = sd_bus_call_method(b, TO_AGENT, "LeaseTake", &e, &reply, "ssa(sss)a{sv}", "router", "roll-1",
                                   1, "u1", "n1", "10.0.0.1", 2, "members-force", "b", 1, "accept-out", "b",
                                   1);
        if (r >= 0 && sd_bus_message_read(reply, "t", &epoch) > 0)
                r = sd_bus_call_method(b, TO_AGENT, "LeaseGive", &e, NULL, "st", "router", epoch);
        (void) snprintf(name, sizeof(name), "%s", r < 0 ? e.name : "");
        return name;
}

static void who_begins_without_end_is_told_to_wait_and_nobody_else(void **state)
{
        sd_bus *alice, *mallory, *root;
        unsigned n = 0;
        (void) state;
        agent_run_on("");
        root = caller_new();
        alice = caller_new();
        mallory = caller_new();
        assert_string_equal(introduce(alice, "alice"), "");
        assert_string_equal(introduce(mallory, "mallory"), "");
        const char *answer = "";
        while (n < BEGUN && !*(answer = take_and_give(mallory)))
                n++;
        assert_string_equal(answer, BUSY);
        assert_true(n > 50);
        assert_string_equal(take_and_give(alice), "");
        for (unsigned i = 0; i < BEGUN; i++)
                assert_string_equal(take_and_give(root), "");
        /* And not for ever. */
        const Usec end = time_add(time_now(), WAIT_USEC);
        while (*take_and_give(mallory)) {
                assert_true(time_now() < end);
                (void) poll(NULL, 0, 50);
        }
        (void) sd_bus_flush_close_unref(root);
        (void) sd_bus_flush_close_unref(alice);
        (void) sd_bus_flush_close_unref(mallory);
}

/* ---- what somebody else has asked for ---- */

static const char *undrain(sd_bus *b, const char *reason)
{
        static char name[128];
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(b, TO_AGENT, "Undrain", &e, NULL, "sa{sv}", "router", 1, "reason", "s",
                                   reason);
        (void) snprintf(name, sizeof(name), "%s", r < 0 ? e.name : "");
        return name;
}

static void hold_is_of(const char *who)
{
        Hold hold = { .component = "router", .by = "somebody", .reason = "a new disk", .by_hand = true };
        (void) snprintf(hold.who, sizeof(hold.who), "%s", who);
        hold.plan.whole_ports[hold.plan.n_whole++] = 15999;
        assert_int_equal(hold_write(STATE, &hold, NULL), 0);
}

static int agent_kill_in_mid_job(void **state)
{
        (void) agent_kill(state);
        return umount2("/var/lib", MNT_DETACH) == 0 && state_anew() ? 0 : -1;
}

static void who_ends_the_hold_of_another_says_why(void **state)
{
        sd_bus *alice, *mallory;
        (void) state;
        agent_run_on("");
        alice = caller_new();
        mallory = caller_new();
        assert_string_equal(introduce(alice, "alice"), "");
        assert_string_equal(introduce(mallory, "mallory"), "");

        hold_is_of("0 alice");
        assert_string_equal(undrain(mallory, ""), NO_PERMISSION);
        hold_is_of("0");
        assert_string_equal(undrain(mallory, ""), NO_PERMISSION);
        hold_is_of(""); /* nobody's, or of a release that did not say whose */
        assert_string_equal(undrain(mallory, ""), NO_PERMISSION);
        FILE *f = fopen(STATE "/hold-router.json", "we");
        assert_non_null(f);
        (void) fprintf(f, "{\"who\":\"0 mallory\"}");
        assert_int_equal(fclose(f), 0);
        assert_string_equal(undrain(mallory, ""), NO_PERMISSION);

        /* From here on one job at a time, and each joins the one before. */
        hold_is_of("0 alice");
        assert_string_equal(undrain(alice, ""), "");
        assert_string_equal(undrain(mallory, "the disk is in"), "");
        (void) sd_bus_flush_close_unref(alice);
        (void) sd_bus_flush_close_unref(mallory);
}

static void what_is_not_held_is_nobody_elses(void **state)
{
        sd_bus *alice;
        (void) state;
        agent_run_on("");
        alice = caller_new();
        assert_string_equal(introduce(alice, "alice"), "");
        assert_int_equal(hold_remove(STATE, "router", NULL), 0);
        assert_string_equal(undrain(alice, ""), "");
        (void) sd_bus_flush_close_unref(alice);
}

/* ---- who asks for much at once ---- */

#define ASKED      40
#define ONE_PERSON 16 /* questions of one at once */

typedef struct Asked {
        unsigned answers, busy;
} Asked;

static int on_asked(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Asked *asked = userdata;
        (void) error;
        asked->answers++;
        asked->busy += sd_bus_message_is_method_error(m, BUSY);
        return 0;
}

static void ask_for(sd_bus *b, const char *method, Asked *asked)
{
        int r = strcmp(method, "Needed") == 0
                        ? sd_bus_call_method_async(b, NULL, TO_AGENT, method, on_asked, asked, "sa{sv}",
                                                   "router", 0)
                        : sd_bus_call_method_async(b, NULL, TO_AGENT, method, on_asked, asked,
                                                   "ssa(sss)a{sv}", "router", "roll-1", 1, "u1", "n1",
                                                   "10.0.0.1", 2, "members-force", "b", 1, "accept-out", "b",
                                                   1);
        assert_true(r >= 0);
}

static void answers_come(sd_bus *b, const Asked *asked, unsigned n)
{
        const Usec end = time_add(time_now(), WAIT_USEC);
        while (asked->answers < n) {
                if (time_now() > end)
                        fail_msg("only %u of %u answers, %u of them busy", asked->answers, n, asked->busy);
                int r = sd_bus_process(b, NULL);
                assert_true(r >= 0);
                if (r == 0)
                        assert_true(sd_bus_wait(b, 100 * USEC_PER_MSEC) >= 0);
        }
}

/* What the component is asked for it takes, and does not answer. */
static int component_silent(void)
{
        const struct sockaddr_in at = { .sin_family = AF_INET,
                                        .sin_port = htons(15999),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (const struct sockaddr *) &at, sizeof(at)), 0);
        assert_int_equal(listen(fd, 2 * ASKED), 0);
        return fd;
}

static void one_person_asks_so_much_at_once_what_needs_a_restart(void **state)
{
        Asked mallorys = { 0 }, alices = { 0 };
        (void) state;
        int fd = component_silent();
        agent_run_on("");
        sd_bus *alice = caller_new(), *mallory = caller_new();
        assert_string_equal(introduce(alice, "alice"), "");
        assert_string_equal(introduce(mallory, "mallory"), "");
        for (int i = 0; i < ASKED; i++)
                ask_for(mallory, "Needed", &mallorys);
        answers_come(mallory, &mallorys, ASKED - ONE_PERSON);
        assert_int_equal(mallorys.busy, ASKED - ONE_PERSON);
        /* He keeps nobody else from it: what comes behind is answered, and that was not refused. */
        ask_for(alice, "Needed", &alices);
        assert_string_equal(introduce(alice, "alice"), "");
        (void) sd_bus_process(alice, NULL);
        assert_int_equal(alices.busy, 0);
        (void) close(fd);
        (void) sd_bus_flush_close_unref(alice);
        (void) sd_bus_flush_close_unref(mallory);
}

/* The agent finds all of them at once; the first has to look at the component, and then it is known. */
static void one_person_asks_for_so_many_leases_at_once(void **state)
{
        Asked mallorys = { 0 };
        (void) state;
        agent_run_on("");
        sd_bus *mallory = caller_new();
        assert_string_equal(introduce(mallory, "mallory"), "");
        assert_int_equal(kill(agent, SIGSTOP), 0);
        for (int i = 0; i < ASKED; i++)
                ask_for(mallory, "LeaseTake", &mallorys);
        assert_true(sd_bus_flush(mallory) >= 0);
        assert_int_equal(kill(agent, SIGCONT), 0);
        answers_come(mallory, &mallorys, ASKED);
        assert_in_range(mallorys.busy, 1, ASKED - ONE_PERSON);
        /* All were answered, so he may ask again. */
        ask_for(mallory, "LeaseTake", &mallorys);
        const unsigned busy = mallorys.busy;
        answers_come(mallory, &mallorys, ASKED + 1);
        assert_int_equal(mallorys.busy, busy);
        (void) sd_bus_flush_close_unref(mallory);
}

/* ---- who may change nothing, and calls all the time ---- */

#define NOBODY  65534
#define ANOTHER 1 /* dbus-daemon takes only those of whom the machine knows */

/* In a user namespace there may be one user only. */
static bool nobody_is_there(void)
{
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(setresuid(NOBODY, NOBODY, NOBODY) < 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status == 0;
}

/* @count calls of @method that want no answer, with @size bytes each, from somebody without rights. */
static pid_t flood(const char *method, unsigned count, size_t size)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        char *text = calloc(1, size + 1);
        sd_bus *b = NULL;
        if (!text || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
            sd_bus_open_system(&b) < 0)
                _exit(1);
        memset(text, 'x', size);
        for (unsigned i = 0; i < count; i++) {
                sd_bus_message *m = NULL;
                if (sd_bus_message_new_method_call(b, &m, TO_AGENT, method) < 0 ||
                    (strcmp(method, "Drain") == 0 && sd_bus_message_append(m, "s", "router") < 0) ||
                    sd_bus_message_append(m, "a{sv}", 1, "user", "s", text) < 0 ||
                    sd_bus_message_set_expect_reply(m, false) < 0 || sd_bus_send(b, m, NULL) < 0 ||
                    sd_bus_flush(b) < 0)
                        _exit(2);
                (void) sd_bus_message_unref(m);
        }
        _exit(0);
}

/* In MB. */
static unsigned long agent_memory(void)
{
        char path[64];
        unsigned long all, here = 0;
        (void) snprintf(path, sizeof(path), "/proc/%d/statm", (int) agent);
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%lu %lu", &all, &here), 2);
        (void) fclose(f);
        return here * (unsigned long) sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

/* @n of them at once. What the agent has at most, and how long root waits at most. */
static void flood_of(size_t n, const char *method, unsigned count, size_t size, unsigned long *ret_mb,
                     Usec *ret_longest)
{
        pid_t pids[8];
        size_t over = 0;
        int status;
        sd_bus *root = caller_new();
        *ret_mb = 0;
        *ret_longest = 0;
        for (size_t i = 0; i < n; i++)
                pids[i] = flood(method, count, size);
        while (over < n) {
                _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
                const Usec begin = time_now();
                (void) sd_bus_call_method(root, TO_AGENT, "CurrentJob", &e, NULL, "s", "router");
                *ret_longest = MAX(*ret_longest, time_now() - begin);
                *ret_mb = MAX(*ret_mb, agent_memory());
                if (waitpid(pids[over], &status, WNOHANG) == pids[over]) {
                        assert_int_equal(status, 0);
                        over++;
                }
        }
        (void) sd_bus_flush_close_unref(root);
}

#ifdef __SANITIZE_ADDRESS__
#define MORE_MB 4096 /* it keeps what was freed */
#define LATE    (15 * USEC_PER_SEC)
#else
#define MORE_MB 48
#define LATE    (5 * USEC_PER_SEC)
#endif

static void who_may_change_nothing_cannot_swamp_the_agent(void **state)
{
        static const struct {
                const char *method;
                unsigned count;
                size_t size;
        } floods[] = { { "Introduce", 2000, 100000 }, { "Introduce", 20000, 10 }, { "Drain", 10000, 10 } };
        (void) state;
        if (!nobody_is_there())
                skip();
        agent_run_on("");
        const unsigned long before = agent_memory();
        for (size_t i = 0; i < ELEMENTS(floods); i++) {
                unsigned long mb;
                Usec longest;
                flood_of(3, floods[i].method, floods[i].count, floods[i].size, &mb, &longest);
                print_message("3 times %u %s of %zu bytes: %lu MB more, root waits %.0f ms\n",
                              floods[i].count, floods[i].method, floods[i].size, mb - MIN(mb, before),
                              time_sec(longest) * 1000);
                assert_true(mb < before + MORE_MB);
                assert_true(longest < LATE);
        }
}

#define AT_ONCE 120 /* fewer than the bus lets wait of one connection */

/* Return: how many of AT_ONCE questions at once, of @uid, were refused; 255: something went wrong. */
static unsigned refused_of(uid_t uid)
{
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                sd_bus *b = NULL;
                Asked q = { 0 };
                if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
                    sd_bus_open_system(&b) < 0)
                        _exit(255);
                for (int i = 0; i < AT_ONCE; i++)
                        if (sd_bus_call_method_async(b, NULL, TO_AGENT, "Status", on_asked, &q, "") < 0)
                                _exit(255);
                while (q.answers < AT_ONCE)
                        if (sd_bus_process(b, NULL) == 0 && sd_bus_wait(b, WAIT_USEC) <= 0)
                                _exit(255);
                _exit((int) q.busy);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return (unsigned) WEXITSTATUS(status);
}

static void who_may_change_nothing_is_answered_so_often(void **state)
{
        (void) state;
        if (!nobody_is_there())
                skip();
        agent_run_on("");
        const unsigned busy = refused_of(NOBODY);
        if (busy == 0 || busy >= AT_ONCE)
                fail_msg("%u of %d were refused", busy, AT_ONCE);
        /* Others are not refused over him, and root never is. */
        const unsigned other = refused_of(ANOTHER);
        if (other == 0 || other >= AT_ONCE)
                fail_msg("%u of %d of another one were refused", other, AT_ONCE);
        assert_int_equal(refused_of(0), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(one_person_asks_so_much_at_once_what_needs_a_restart, agent_kill),
                cmocka_unit_test_teardown(one_person_asks_for_so_many_leases_at_once, agent_kill_in_mid_job),
                cmocka_unit_test_teardown(who_begins_without_end_is_told_to_wait_and_nobody_else, agent_kill),
                cmocka_unit_test_teardown(none_who_speaks_for_another_is_forgotten, agent_kill),
                cmocka_unit_test_teardown(those_who_speak_for_others_do_not_cost_the_agent_its_bus,
                                          agent_kill),
                cmocka_unit_test_teardown(who_may_change_nothing_cannot_swamp_the_agent, agent_kill),
                cmocka_unit_test_teardown(who_may_change_nothing_is_answered_so_often, agent_kill),
                cmocka_unit_test_teardown(the_agent_stays_while_root_speaks_for_somebody, agent_kill),
                cmocka_unit_test_teardown(who_ends_the_hold_of_another_says_why, agent_kill_in_mid_job),
                cmocka_unit_test_teardown(what_is_not_held_is_nobody_elses, agent_kill_in_mid_job),
        };
        const char *why = ns_enter();
        if (why) {
                (void) printf("%s\n", why);
                return 77;
        }
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            !state_anew()) {
                perror("a folder of its own for the agent's state");
                return 1;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
