/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * `edge-roll targets check --from`, from its command line to the targets: the Management Server's stand-in,
 * ssh, sshd, the bridge of this build on a real bus, the process that checks, and origins that answer or do
 * not. A node of its own network is one whose bridge runs in a network namespace without anything in it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cli.h"
#include "agent/edge/targets.h"
#include "tests/lib/bus.h"
#include "tests/lib/sshd.h"
#include "tests/lib/standin.h"
#include "tests/lib/tls-origin.h"

#define WORDS_MAX 24
#define ON        "check --org acme --env prod --from "

static TestBus bus;
static TestSshd sshd;
static Standin *standin;
static TlsOrigin origin;
static Config *config;
static char program[4096];
static char *out, *err; /* of the last call */
static bool may_unshare;

static int call(const char *line)
{
        char text[512], name[] = "edge-roll", verb[] = "targets";
        char *argv[WORDS_MAX + 1] = { name, verb };
        int argc = 2;
        size_t out_size, err_size;
        CliRequest rq;
        Err why = { 0 };

        (void) snprintf(text, sizeof(text), "%s", line);
        for (char *word = strtok(text, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
                argv[argc++] = word;
        free(out);
        free(err);
        SessionIo io = { .out = open_memstream(&out, &out_size),
                         .err = open_memstream(&err, &err_size),
                         .in = -1 };
        int status = 2;
        if (cli_parse(argc, argv, &rq, &why) < 0)
                (void) fprintf(io.err, "%s\n", why.text);
        else
                status = targets_main(&rq, config, &io);
        assert_int_equal(fclose(io.out), 0);
        assert_int_equal(fclose(io.err), 0);
        return status;
}

static void says(const char *part)
{
        if (!strstr(out, part) && !strstr(err, part))
                fail_msg("nowhere \"%s\"\n%s%s", part, out, err);
}

static void expect(const char *line, int status, const char *said)
{
        int got = call(line);
        if (got != status)
                fail_msg("%s: exit %d, expected %d\n%s%s", line, got, status, out, err);
        says(said);
}

static const char *bridge_words(void)
{
        static char text[4500];
        (void) snprintf(text, sizeof(text), "env DBUS_SYSTEM_BUS_ADDRESS=%s %s bridge", bus.address, program);
        return text;
}

/* An ordinary one, one behind TLS that any certificate is good for, one whose certificate has expired, one
 * that is shut, one that is shut and switched off; @more. */
static void servers_are(const char *more)
{
        char edge[4000];
        unsigned port = 0;
        assert_int_equal(sscanf(standin_url(standin), "http://127.0.0.1:%u", &port), 1);
        (void) snprintf(
                edge, sizeof(edge),
                "{\"acme\":{\"prod\":{\"targetservers\":{"
                "\"plain\":{\"name\":\"plain\",\"host\":\"127.0.0.1\",\"port\":%u,\"isEnabled\":true},"
                "\"tls\":{\"name\":\"tls\",\"host\":\"127.0.0.1\",\"port\":%u,\"isEnabled\":true,"
                "\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"keyStore\":\"ref://ks\","
                "\"trustStore\":\"ref://ts\"}},"
                "\"off\":{\"name\":\"off\",\"host\":\"127.0.0.1\",\"port\":1,\"isEnabled\":false}%s}}}}",
                port, origin.ports[TLS_ONE_WAY], more);
        standin_write(standin, "edge.json", edge);
}

/* ---- what works ---- */

static void a_key_that_may_only_run_the_bridge_is_enough(void **state _unused_)
{
        char options[4700];
        (void) snprintf(options, sizeof(options), "restrict,command=\"%s\"", bridge_words());
        sshd_keys(&sshd, options);
        servers_are("");
        expect(ON "m1", 0, "all enabled target servers of acme/prod answer from m1");
        says("plain  ok");
        says("(disabled)");
        /* The same as from here, to the letter of what was not checked. */
        says("its key store is not here as a file, so no client certificate was shown");
        says("its trust store is not here as a file, so the certificate was not verified");
        sshd_keys(&sshd, "");
}

static void each_end_is_told_with_the_place_it_was_seen_from(void **state _unused_)
{
        servers_are(
                ",\"shut\":{\"name\":\"shut\",\"host\":\"127.0.0.1\",\"port\":1,\"isEnabled\":true}"
                ",\"nohost\":{\"name\":\"nohost\",\"port\":80,\"isEnabled\":true}"
                ",\"odd\":{\"name\":\"odd\",\"host\":\"127.0.0.1\",\"port\":\"many\",\"isEnabled\":true}");
        expect(ON "m1 --json", 20, "3 of 6 target servers of acme/prod do not answer from m1");
        says("\"name\":\"plain\",\"enabled\":true,\"layer\":\"ok\"");
        says("\"name\":\"shut\",\"enabled\":true,\"layer\":\"connect\"");
        says("\"name\":\"nohost\",\"enabled\":true,\"layer\":\"here\"");
        says("\"from\":\"m1\"");
        assert_null(strstr(out, "\"from\":\"here\""));
}

/* What a whole environment has. */
static void five_hundred_go(void **state _unused_)
{
        _cleanup_(freep) char *edge = calloc(1, 100000);
        char last[64];
        unsigned port = 0;
        size_t n = 0;
        assert_non_null(edge);
        assert_int_equal(sscanf(standin_url(standin), "http://127.0.0.1:%u", &port), 1);
        n += (size_t) sprintf(edge, "{\"acme\":{\"prod\":{\"targetservers\":{");
        for (int i = 0; i < 500; i++)
                n += (size_t) sprintf(edge + n,
                                      "%s\"t%03d\":{\"name\":\"t%03d\",\"host\":\"127.0.0.1\",\"port\":%u}",
                                      i ? "," : "", i, i, i % 100 == 7 ? 1 : port);
        (void) sprintf(edge + n, "}}}}");
        standin_write(standin, "edge.json", edge);
        expect(ON "m1", 20, "5 of 500 target servers of acme/prod do not answer from m1");
        for (int i = 0; i < 500; i++) {
                (void) snprintf(last, sizeof(last), "t%03d  %s  ", i,
                                i % 100 == 7 ? "connect   " : "ok        ");
                says(last);
        }
}

static void what_one_place_reaches_and_another_does_not_is_shown(void **state _unused_)
{
        if (!may_unshare) {
                (void) printf("# no network namespaces\n");
                skip();
        }
        servers_are("");
        expect(ON "m1,cut,here", 20,
               "2 of 3 target servers of acme/prod do not answer from m1, cut, here; "
               "one place has an answer and another has none: plain, tls");
        says("plain  ok          from m1, here: ");
        says("plain  connect     from cut: ");
        expect(ON "m1,cut --json", 20,
               "\"event\":\"differs\",\"org\":\"acme\",\"env\":\"prod\",\"name\":\"plain\","
               "\"answers_from\":[\"m1\"],\"silent_from\":[\"cut\"]");
        /* A group of the inventory. */
        expect(ON "mps", 20, "do not answer from m1, cut");
}

static void here_is_a_place_too(void **state _unused_)
{
        servers_are("");
        expect(ON "here", 0, "answer from here");
        assert_null(strstr(out, "from here:"));
}

/* Whose is the socket on loopback that has @port? As the kernel says. */
static long owner_of(unsigned port)
{
        char line[300];
        unsigned local;
        long uid = -1, found = -1;
        FILE *f = fopen("/proc/net/tcp", "re");
        while (f && found < 0 && fgets(line, sizeof(line), f))
                if (sscanf(line, " %*d: %*x:%x %*x:%*x %*x %*s %*s %*s %ld", &local, &uid) == 2 &&
                    local == port)
                        found = uid;
        if (f)
                (void) fclose(f);
        return found;
}

/* Takes one connection, says whose it is, and lets it go. */
static long owner_of_next(int listener)
{
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);
        int fd = accept(listener, (struct sockaddr *) &peer, &len);
        long uid = fd < 0 ? -1 : owner_of(ntohs(peer.sin_port));
        (void) close(fd);
        return uid;
}

/* Behind a bridge that is root's: what is asked there is anybody's. */
static void root_checks_as_nobody(void **state _unused_)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status;
        char more[300];
        if (geteuid() != 0) {
                (void) printf("# not root\n");
                skip();
        }
        assert_int_equal(bind(listener, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(listener, 8), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *) &a, &len), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) alarm(20);
                _exit(owner_of_next(listener) == 65534 ? 0 : 1);
        }
        (void) snprintf(more, sizeof(more),
                        ",\"who\":{\"name\":\"who\",\"host\":\"127.0.0.1\",\"port\":%u,"
                        "\"sSLInfo\":{\"enabled\":\"true\"}}",
                        ntohs(a.sin_port));
        servers_are(more);
        expect(ON "m1", 20, "who    tls  ");
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        (void) close(listener);
}

/* ---- what does not ---- */

static void trouble_with_ssh_has_its_own_words(void **state _unused_)
{
        servers_are("");
        /* Nobody listens there. */
        expect(ON "m1:1", 19, "m1 could not check: ");
        says("Connection refused");
        says("is sshd running there");
        sshd_write(&sshd, "authorized_keys", "");
        expect(ON "m1", 19, "Permission denied (");
        sshd_keys(&sshd, "");
        /* The others are checked all the same. */
        expect(ON "m1,m9:1", 19, "m9 could not check: ");
        says("plain  ok          from m1: ");
        says("plain  unknown     from m9: not told");
        sshd_keys(&sshd, "restrict,command=\"echo hello\"");
        expect(ON "m1", 19, "something else than edge-roll answers: \"hello\"");
        sshd_keys(&sshd, "restrict,command=\"/nonexistent/edge-roll bridge\"");
        expect(ON "m1", 19, "edge-roll is not there");
        sshd_keys(&sshd, "");
}

static void a_process_that_dies_in_the_middle_is_told(void **state _unused_)
{
        char options[4900];
        servers_are("");
        /* Its checks need more files than it may have. */
        (void) snprintf(options, sizeof(options), "restrict,command=\"ulimit -v 1000; %s\"", bridge_words());
        sshd_keys(&sshd, options);
        expect(ON "m1", 19, "m1 could not check: ");
        sshd_keys(&sshd, "");
}

static void bad_calls(void **state _unused_)
{
        servers_are("");
        expect("list --org acme --env prod --from m1", 2,
               "--from is for targets check, not for targets list");
        expect("check --org acme --env prod --inventory /x", 2, "--from names");
        expect("check --org acme --env prod --from=", 2, "accepted: NODE");
        expect(ON ",", 2, "--from names no node");
        expect(ON "-oProxyCommand=x", 2, "needs a value");
        expect("check --org acme --env prod --from=-oProxyCommand=x", 2, "cannot be the name of a host");
        expect(ON "m1 --inventory /nonexistent", 2, "/nonexistent");
        expect(ON "m*q", 2, "--from: \"m*q\" cannot be the name of a host");
}

/* ---- the world ---- */

static void config_make(void)
{
        char path[128], inventory[160], text[5200];
        Err why = { 0 };
        (void) snprintf(inventory, sizeof(inventory), "%s/script", sshd.root);
        (void) snprintf(path, sizeof(path), "%s/other", sshd.root);
        (void) snprintf(text, sizeof(text),
                        "[cluster]\nmanagement_url = %s\ninventory = %s\nssh = ssh -F %s\nbridge = %s\n",
                        standin_url(standin), inventory, sshd.config, bridge_words());
        sshd_write(&sshd, "other", text);
        (void) snprintf(text, sizeof(text),
                        "[mps]\nm1\ncut edge_roll_bridge=\"unshare -n -- %s\"\n[others]\nr1\n",
                        bridge_words());
        sshd_write(&sshd, "script", text);
        if (config_load(&config, path, "/nonexistent", &why) < 0)
                fail_msg("%s", why.text);
}

static bool can_unshare(void)
{
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(unshare(CLONE_NEWNET) < 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status == 0;
}

static int group_setup(void **state _unused_)
{
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        assert_true(n > 0);
        path[n] = '\0';
        for (int i = 0; i < 3; i++)
                *strrchr(path, '/') = '\0';
        (void) snprintf(program, sizeof(program), "%.4000s/edge-roll", path);
        bus_make(&bus);
        sshd_start(&sshd, "");
        standin = standin_new("{}", "[]");
        tls_origin_start(&origin);
        config_make();
        may_unshare = can_unshare();
        return 0;
}

static int group_teardown(void **state _unused_)
{
        free(out);
        free(err);
        (void) config_free(config);
        tls_origin_stop(&origin);
        (void) standin_free(standin);
        sshd_remove(&sshd);
        bus_remove(&bus);
        return 0;
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_that_may_only_run_the_bridge_is_enough),
                cmocka_unit_test(each_end_is_told_with_the_place_it_was_seen_from),
                cmocka_unit_test(five_hundred_go),
                cmocka_unit_test(what_one_place_reaches_and_another_does_not_is_shown),
                cmocka_unit_test(here_is_a_place_too),
                cmocka_unit_test(root_checks_as_nobody),
                cmocka_unit_test(trouble_with_ssh_has_its_own_words),
                cmocka_unit_test(a_process_that_dies_in_the_middle_is_told),
                cmocka_unit_test(bad_calls),
        };
        const char *skip =
                !standin_have() ? "python3 is not installed: the stand-in cannot run" : tls_origin_missing();
        if (!skip)
                skip = sshd_make(&sshd, "");
        if (skip) {
                (void) printf("1..0 # SKIP %s\n", skip);
                return 77;
        }
        return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
