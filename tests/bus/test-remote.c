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

/* What a test wants to be otherwise. Words are separated by spaces. */
typedef struct Way {
        const char *ssh;    /* behind "ssh -F config" */
        const char *bridge; /* NULL: this build's */
        const char *host;   /* NULL: "r1" */
        unsigned port;
        RemoteOptions o;
} Way;

static Words words(const char *text)
{
        Words w;
        assert_int_equal(words_split(text, &w), 0);
        return w;
}

static char *usual_bridge(void)
{
        static char text[4500];
        (void) snprintf(text, sizeof(text), "env DBUS_SYSTEM_BUS_ADDRESS=%s %s bridge", bus.address, program);
        return text;
}

static void seen_make(Seen *s, const Way *way)
{
        char ssh[600];
        Err err = { 0 };
        *s = (Seen){ 0 };
        assert_true(sd_event_new(&s->event) >= 0);
        if (way->ssh && *way->ssh == '/')
                (void) snprintf(ssh, sizeof(ssh), "%s", way->ssh);
        else
                (void) snprintf(ssh, sizeof(ssh), "ssh -F %s %s", sshd.config, way->ssh ? way->ssh : "");
        Words w = words(ssh), b = words(way->bridge ? way->bridge : usual_bridge());
        RemoteOptions o = way->o;
        o.ssh = (const char *const *) w;
        o.bridge = (const char *const *) b;
        o.retry_usec = o.retry_usec ? o.retry_usec : 20 * USEC_PER_MSEC;
        assert_int_equal(remote_pool_new(&s->pool, s->event, &o, &err), 0);
        (void) words_free(w);
        (void) words_free(b);
        const RemoteDest dest = { .host = way->host ? way->host : "r1", .port = way->port };
        assert_int_equal(remote_new(&s->remote, s->pool, "r1", &dest, &handlers, s, &err), 0);
}

static void seen_done(Seen *s)
{
        s->remote = remote_free(s->remote);
        s->pool = remote_pool_free(s->pool);
        s->event = sd_event_unref(s->event);
}

static void ask(Seen *s, const char *method)
{
        Err err = { 0 };
        s->answered = false;
        assert_int_equal(remote_call(s->remote, NULL, NULL, NULL, method, 0, on_answer, s, &err, ""), 0);
}

/* Is a process gone for good? A zombie of somebody else's counts. */
static bool gone(pid_t pid)
{
        char path[64], stat[512], state = 'Z';
        (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
        FILE *f = fopen(path, "re");
        if (!f)
                return true;
        size_t n = fread(stat, 1, sizeof(stat) - 1, f);
        stat[n] = '\0';
        (void) fclose(f);
        const char *end = strrchr(stat, ')');
        if (end)
                (void) sscanf(end + 1, " %c", &state);
        return state == 'Z';
}

/* Its bridge writes its pid into this file first. */
static char *telling_bridge(void)
{
        static char text[4600];
        (void) snprintf(text, sizeof(text), "echo $$ >%s/pid; exec %s", sshd.root, usual_bridge());
        return text;
}

static pid_t bridge_pid(void)
{
        char path[96];
        int pid = 0;
        (void) snprintf(path, sizeof(path), "%s/pid", sshd.root);
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%d", &pid), 1);
        (void) fclose(f);
        (void) unlink(path);
        return pid;
}

/* ---- what works ---- */

static void it_calls_over_ssh(void **state)
{
        Seen s;
        (void) state;
        seen_make(&s, &(Way){ 0 });
        until(&s, s.ups || s.downs);
        assert_string_equal(s.text, "");
        assert_int_equal(s.ups, 1);
        assert_true(*remote_version(s.remote) != '\0');
        ask(&s, "Status");
        until(&s, s.answered);
        assert_int_equal(s.result, -EREMOTE);
        assert_string_equal(s.error, SD_BUS_ERROR_SERVICE_UNKNOWN);
        /* No call goes to one that is not there. */
        remote_drop(s.remote, REMOTE_CUT, "by the test");
        Err err = { 0 };
        assert_int_equal(remote_call(s.remote, NULL, NULL, NULL, "Status", 0, on_answer, &s, &err, ""),
                         -ENOTCONN);
        seen_done(&s);
}

static void a_key_that_may_do_nothing_else_is_enough(void **state)
{
        char options[4700];
        Seen s;
        (void) state;
        (void) snprintf(options, sizeof(options), "restrict,command=\"%s\"", usual_bridge());
        sshd_keys(&sshd, options);
        seen_make(&s, &(Way){ .bridge = "rm -rf /nonexistent" });
        until(&s, s.ups || s.downs);
        assert_string_equal(s.text, "");
        ask(&s, "Status");
        until(&s, s.answered);
        assert_int_equal(s.result, -EREMOTE);
        seen_done(&s);
        sshd_keys(&sshd, "");
}

static void sudo_passes_on_who_called(void **state)
{
        char bridge[4700];
        Seen s;
        (void) state;
        if (geteuid() != 0 || access("/usr/bin/sudo", X_OK) != 0) {
                (void) printf("# no sudo\n");
                skip();
        }
        (void) snprintf(bridge, sizeof(bridge), "sudo -n %s", usual_bridge());
        seen_make(&s, &(Way){ .bridge = bridge });
        until(&s, s.ups || s.downs);
        assert_string_equal(s.text, "");
        seen_done(&s);
}

static void a_jump_host_is_as_good(void **state)
{
        char config[1200];
        Seen s;
        (void) state;
        (void) snprintf(config, sizeof(config),
                        "Host far\nProxyJump jump\n"
                        "Host *\nUserKnownHostsFile %s/known_hosts\nGlobalKnownHostsFile /dev/null\n"
                        "IdentityFile %s/key\nIdentitiesOnly yes\nIdentityAgent none\nHostKeyAlias node\n"
                        "Hostname 127.0.0.1\nPort %u\n",
                        sshd.root, sshd.root, sshd.port);
        sshd_write(&sshd, "config", config);
        seen_make(&s, &(Way){ .host = "far" });
        until(&s, s.ups || s.downs);
        assert_string_equal(s.text, "");
        seen_done(&s);
        /* What is behind it does not listen: said by the jump host. */
        seen_make(&s, &(Way){ .host = "far", .port = 1 });
        until(&s, s.ups || s.downs);
        assert_int_equal(s.trouble, REMOTE_REACH);
        assert_non_null(strstr(s.text, "Connection refused"));
        seen_done(&s);
        sshd_config(&sshd);
}

/* ---- what does not ---- */

static void expect(const char *name, const Way *way, RemoteTrouble trouble, bool retry, const char *text,
                   const char *hint)
{
        Seen s;
        seen_make(&s, way);
        until(&s, s.ups || s.downs);
        if (s.ups || s.trouble != trouble || !strstr(s.text, text) || !strstr(s.hint, hint) ||
            s.will_retry != retry)
                fail_msg("%s: %s, %s: \"%s\" (%s), %s", name, s.ups ? "up" : "down",
                         remote_trouble_name(s.trouble), s.text, s.hint,
                         s.will_retry ? "again" : "not again");
        if (!retry)
                assert_int_equal(remote_state(s.remote), REMOTE_DOWN);
        seen_done(&s);
}

static void every_trouble_has_its_own_words(void **state)
{
        char text[5000], other[512], known[700], path[160];
        (void) state;
        expect("unknown name",
               &(Way){ .host = "nowhere.invalid", .ssh = "-o Hostname=nowhere.invalid", .o.tries = 1 },
               REMOTE_REACH, false, "Could not resolve hostname", "ssh_config");
        expect("refused", &(Way){ .port = 1 }, REMOTE_REACH, true, "Connection refused", "-p 1 r1 true");
        expect("no ssh", &(Way){ .ssh = "/nonexistent/ssh" }, REMOTE_REACH, false,
               "cannot run /nonexistent/ssh", "[cluster]");
        expect("bad option", &(Way){ .ssh = "-o NoSuchOption=1" }, REMOTE_REACH, false,
               "Bad configuration option", "correct");
        expect("unknown host key", &(Way){ .ssh = "-o UserKnownHostsFile=/dev/null" }, REMOTE_HOST_KEY, false,
               "host key is not known", "ssh-keygen -lf");

        (void) snprintf(path, sizeof(path), "%s/other.pub", sshd.root);
        FILE *f = fopen(path, "re");
        assert_non_null(fgets(other, sizeof(other), f));
        (void) fclose(f);
        (void) snprintf(known, sizeof(known), "node %s", other);
        sshd_write(&sshd, "script", known);
        (void) snprintf(text, sizeof(text), "-o UserKnownHostsFile=%s/script", sshd.root);
        expect("changed host key", &(Way){ .ssh = text }, REMOTE_HOST_KEY, false, "host key has changed",
               "ssh-keygen -R");
        (void) snprintf(text, sizeof(text), "-o PubkeyAuthentication=no -o UserKnownHostsFile=%s/known_hosts",
                        sshd.root);
        expect("no key", &(Way){ .ssh = text }, REMOTE_AUTH, false, "Permission denied (", "-v true");
        (void) snprintf(path, sizeof(path), "%s/key", sshd.root);
        assert_int_equal(chmod(path, 0644), 0);
        expect("open key", &(Way){ 0 }, REMOTE_AUTH, false, "can be read by others", "correct the key file");
        assert_int_equal(chmod(path, 0600), 0);

        expect("no program", &(Way){ .bridge = "/nonexistent/edge-roll bridge" }, REMOTE_NO_PROGRAM, false,
               "edge-roll is not there", "command -v edge-roll");
        expect("no program in PATH", &(Way){ .bridge = "edge-roll-that-is-not-there bridge" },
               REMOTE_NO_PROGRAM, false, "edge-roll is not there", "install edge-roll");
        expect("no executable", &(Way){ .bridge = "/etc/passwd bridge" }, REMOTE_NO_PROGRAM, false,
               "cannot be executed", "ls -l");
        /* Word for word what a release without the verb says. */
        expect("too old",
               &(Way){ .bridge =
                               "echo 'edge-roll: there is no verb \"bridge\"; edge-roll help lists them' >&2; exit 2" },
               REMOTE_OTHER_VERSION, false, "too old", "same release");
        expect("no such verb", &(Way){ .bridge = "nothing" }, REMOTE_NO_PROGRAM, false, "not there", "");
        (void) snprintf(text, sizeof(text), "env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent %s bridge",
                        program);
        expect("no bus", &(Way){ .bridge = text }, REMOTE_NO_BUS, true, "system bus",
               "systemctl status dbus");
        (void) snprintf(text, sizeof(text), "echo Welcome to r1; exec %s", usual_bridge());
        expect("banner", &(Way){ .bridge = text }, REMOTE_FOREIGN, false, "\"Welcome to r1\"", ".bashrc");
        expect("web server",
               &(Way){ .bridge = "printf 'HTTP/1.1 400 Bad Request\\r\\n\\r\\n<html>'; cat >/dev/null" },
               REMOTE_FOREIGN, false, "\"HTTP/1.1 400 Bad Request\"", "");
        expect("half a line", &(Way){ .bridge = "printf 'login: '; cat >/dev/null" }, REMOTE_FOREIGN, false,
               "\"login: \"", "");
        expect("an escape", &(Way){ .bridge = "printf '\\033[2J\\n'; cat >/dev/null" }, REMOTE_FOREIGN, false,
               "\"?[2J\"", "");
        expect("nothing at all", &(Way){ .bridge = "true" }, REMOTE_FOREIGN, false, "without a word", "");
        expect("its own end", &(Way){ .bridge = "echo no luck today >&2; exit 3" }, REMOTE_FOREIGN, false,
               "exit code 3: no luck today", "");
        expect("hangs", &(Way){ .bridge = "cat >/dev/null", .o.connect_usec = 1500 * USEC_PER_MSEC },
               REMOTE_REACH, true, "no connection within 1.5", "true");
        if (geteuid() == 0 && access("/usr/bin/sudo", X_OK) == 0) {
                (void) snprintf(text, sizeof(text), "setpriv --reuid 65534 --clear-groups sudo -n %s bridge",
                                program);
                expect("sudo", &(Way){ .bridge = text }, REMOTE_PERMISSION, false, "sudo wants a password",
                       "NOPASSWD: /usr/bin/edge-roll bridge");
                expect("no program for sudo",
                       &(Way){ .bridge = "sudo -n edge-roll-that-is-not-there bridge" }, REMOTE_NO_PROGRAM,
                       false, "sudo does not find edge-roll", "");
        }
        /* A host that would be an option. */
        Seen s = { 0 };
        Err err = { 0 };
        assert_true(sd_event_new(&s.event) >= 0);
        assert_int_equal(remote_pool_new(&s.pool, s.event, NULL, &err), 0);
        assert_int_equal(remote_new(&s.remote, s.pool, "x", &(RemoteDest){ .host = "-oProxyCommand=id" },
                                    NULL, NULL, &err),
                         -EINVAL);
        assert_int_equal(remote_new(&s.remote, s.pool, "x", &(RemoteDest){ .host = "r1", .user = "-oX" },
                                    NULL, NULL, &err),
                         -EINVAL);
        /* Or a command of its own, in the shell that a ProxyCommand with %h or %r is run by. */
        static const char *const evil[] = { "$(id)", "`id`", "r1;id",   "r1&&id", "r1|id", "r1>x",
                                            "r1<x",  "'r1'", "\"r1",    "r1\nid", "r1 id", "{r1,id}",
                                            "r1*",   "r1\\", "\x1b[2J", "\x7f" };
        for (size_t i = 0; i < ELEMENTS(evil); i++) {
                const RemoteDest host = { .host = evil[i] }, user = { .host = "r1", .user = evil[i] };
                assert_int_equal(remote_new(&s.remote, s.pool, "x", &host, NULL, NULL, &err), -EINVAL);
                assert_null(strpbrk(err.text, "\n\x1b\x7f"));
                assert_int_equal(remote_new(&s.remote, s.pool, "x", &user, NULL, NULL, &err), -EINVAL);
                assert_int_equal(remote_new(&s.remote, s.pool, evil[i], &(RemoteDest){ 0 }, NULL, NULL, &err),
                                 -EINVAL);
        }
        assert_int_equal(remote_new(&s.remote, s.pool, "x",
                                    &(RemoteDest){ .host = "r1", .user = "DOM\\alice" }, NULL, NULL, &err),
                         0);
        (void) remote_free(s.remote);
        s.remote = NULL;
        seen_done(&s);
}

/* ---- what goes wrong later ---- */

static void a_cut_in_the_middle_of_a_call_is_told_and_mended(void **state)
{
        Seen s;
        (void) state;
        seen_make(&s, &(Way){ .bridge = telling_bridge() });
        for (unsigned i = 1; i <= 2; i++) {
                until(&s, s.ups == i);
                pid_t ssh = remote_pid(s.remote), bridge = bridge_pid();
                assert_true(ssh > 0);
                assert_false(gone(bridge));
                /* Stopped, so that the answer cannot be faster. */
                assert_int_equal(kill(bridge, SIGSTOP), 0);
                ask(&s, "Status");
                assert_int_equal(kill(ssh, i == 1 ? SIGKILL : SIGTERM), 0);
                until(&s, s.downs == i);
                assert_true(s.answered);
                assert_int_equal(s.result, -ENOTCONN);
                assert_int_equal(s.trouble, REMOTE_CUT);
                assert_true(s.will_retry);
                assert_int_equal(kill(bridge, SIGCONT), 0);
                /* No bridge is left behind. */
                until(&s, gone(bridge));
        }
        until(&s, s.ups == 3);
        ask(&s, "Status");
        until(&s, s.answered);
        assert_int_equal(s.result, -EREMOTE);
        pid_t bridge = bridge_pid();
        sd_event *event = sd_event_ref(s.event);
        seen_done(&s);
        s.event = event;
        until(&s, gone(bridge));
        (void) sd_event_unref(event);
}

static void a_far_end_that_falls_silent_is_given_up(void **state)
{
        Seen s;
        (void) state;
        seen_make(&s, &(Way){ .bridge = telling_bridge(),
                              .o.beat_usec = 200 * USEC_PER_MSEC,
                              .o.silent_usec = 1000 * USEC_PER_MSEC });
        until(&s, s.ups == 1);
        pid_t bridge = bridge_pid();
        /* Idle, and alive: no reason. */
        Usec end = time_add(time_now(), 1500 * USEC_PER_MSEC);
        until(&s, time_now() > end);
        assert_int_equal(s.downs, 0);
        assert_int_equal(kill(bridge, SIGSTOP), 0);
        ask(&s, "Status");
        Usec begun = time_now();
        until(&s, s.downs == 1);
        assert_true(time_now() - begun < 5 * USEC_PER_SEC);
        assert_int_equal(s.trouble, REMOTE_SILENT);
        assert_int_equal(s.result, -ENOTCONN);
        assert_int_equal(kill(bridge, SIGCONT), 0);
        until(&s, s.ups == 2);
        until(&s, gone(bridge));
        (void) bridge_pid();
        seen_done(&s);
}

static void a_call_has_its_own_limit(void **state)
{
        Seen s;
        Err err = { 0 };
        (void) state;
        seen_make(&s, &(Way){ .bridge = telling_bridge() });
        until(&s, s.ups == 1);
        pid_t bridge = bridge_pid();
        assert_int_equal(kill(bridge, SIGSTOP), 0);
        Usec begun = time_now();
        assert_int_equal(remote_call(s.remote, NULL, NULL, NULL, "Status", 300 * USEC_PER_MSEC, on_answer, &s,
                                     &err, ""),
                         0);
        until(&s, s.answered);
        assert_int_equal(s.result, -ETIMEDOUT);
        assert_true(time_now() - begun >= 300 * USEC_PER_MSEC);
        assert_int_equal(s.downs, 0);
        assert_int_equal(kill(bridge, SIGCONT), 0);
        ask(&s, "Status");
        until(&s, s.answered);
        assert_int_equal(s.result, -EREMOTE);
        seen_done(&s);
}

/* Whoever dies without a farewell leaves no ssh and no bridge either. */
static void a_coordinator_that_is_killed_leaves_nothing_behind(void **state)
{
        Seen s;
        int told[2];
        pid_t ssh = 0;
        (void) state;
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                seen_make(&s, &(Way){ .bridge = telling_bridge() });
                until(&s, s.ups == 1);
                ssh = remote_pid(s.remote);
                (void) !write(told[1], &ssh, sizeof(ssh));
                (void) sd_event_loop(s.event);
                _exit(0);
        }
        assert_int_equal(read(told[0], &ssh, sizeof(ssh)), sizeof(ssh));
        pid_t bridge = bridge_pid();
        assert_false(gone(ssh));
        assert_false(gone(bridge));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        s = (Seen){ 0 };
        assert_true(sd_event_new(&s.event) >= 0);
        until(&s, gone(ssh) && gone(bridge));
        (void) sd_event_unref(s.event);
        (void) close(told[0]);
        (void) close(told[1]);
}

/* ---- many ---- */

enum { MANY = 50 };

static unsigned many(unsigned at_once)
{
        static Seen seen[MANY];
        sd_event *event = NULL;
        RemotePool *pool = NULL;
        Err err = { 0 };
        char ssh[200];
        unsigned downs = 0;
        (void) snprintf(ssh, sizeof(ssh), "ssh -F %s", sshd.config);
        Words w = words(ssh), b = words(usual_bridge());
        RemoteOptions o = { .ssh = (const char *const *) w,
                            .bridge = (const char *const *) b,
                            .at_once = at_once,
                            .connect_usec = 60 * USEC_PER_SEC,
                            .retry_usec = 300 * USEC_PER_MSEC,
                            .retry_max_usec = 2 * USEC_PER_SEC };
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(remote_pool_new(&pool, event, &o, &err), 0);
        for (int i = 0; i < MANY; i++) {
                seen[i] = (Seen){ .event = event };
                assert_int_equal(remote_new(&seen[i].remote, pool, "r", &(RemoteDest){ .host = "r1" },
                                            &handlers, &seen[i], &err),
                                 0);
        }
        Usec end = time_add(time_now(), 120 * USEC_PER_SEC);
        for (int i = 0; i < MANY; i++)
                while (!seen[i].ups) {
                        if (time_now() > end)
                                fail_msg("not all came up: %s", seen[i].text);
                        assert_true(sd_event_run(event, 100 * USEC_PER_MSEC) >= 0);
                }
        for (int i = 0; i < MANY; i++) {
                downs += seen[i].downs;
                /* Each as what it is, and worth another try. */
                if (seen[i].downs) {
                        assert_int_equal(seen[i].trouble, REMOTE_REACH);
                        assert_true(seen[i].will_retry);
                        assert_non_null(strstr(seen[i].hint, "MaxStartups"));
                }
                (void) remote_free(seen[i].remote);
        }
        (void) remote_pool_free(pool);
        (void) sd_event_unref(event);
        (void) words_free(w);
        (void) words_free(b);
        return downs;
}

static void an_sshd_that_drops_is_asked_again_and_spared(void **state)
{
        (void) state;
        sshd_kill(&sshd);
        sshd_start(&sshd, "MaxStartups 10:30:100");
        unsigned dropped = many(MANY), spared = many(8);
        (void) printf("# %d at once: %u dropped; 8 at once: %u\n", MANY, dropped, spared);
        assert_true(dropped > 0);
        assert_int_equal(spared, 0);
        sshd_kill(&sshd);
        sshd_start(&sshd, "");
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
                cmocka_unit_test(a_key_that_may_do_nothing_else_is_enough),
                cmocka_unit_test(sudo_passes_on_who_called),
                cmocka_unit_test(a_jump_host_is_as_good),
                cmocka_unit_test(every_trouble_has_its_own_words),
                cmocka_unit_test(a_cut_in_the_middle_of_a_call_is_told_and_mended),
                cmocka_unit_test(a_far_end_that_falls_silent_is_given_up),
                cmocka_unit_test(a_call_has_its_own_limit),
                cmocka_unit_test(a_coordinator_that_is_killed_leaves_nothing_behind),
                cmocka_unit_test(an_sshd_that_drops_is_asked_again_and_spared),
        };
        const char *skip = sshd_make(&sshd, "");
        if (skip) {
                (void) printf("1..0 # SKIP %s\n", skip);
                return 77;
        }
        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
