/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The program itself, with a password in its environment: what others see of it while it waits for a
 * Management Server that says nothing, what an ssh that it starts inherits, what is left when it crashes.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/edge/password.h"
#include "base/cleanup.h"

#define MARK "MARKED-s3cret"

static char program[PATH_MAX], dir[64];

/* build/VARIANT/edge-roll, beside this test. */
static int begin(void **state)
{
        char self[PATH_MAX];
        (void) state;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        assert_true(n > 0);
        self[n] = '\0';
        (void) snprintf(program, sizeof(program), "%.4000s/../../edge-roll", dirname(self));
        (void) snprintf(dir, sizeof(dir), "/tmp/edge-roll-secrets-XXXXXX");
        assert_non_null(mkdtemp(dir));
        return 0;
}

static int end(void **state)
{
        static const char *const files[] = { "ssh", "seen", "out", "core" };
        char path[96];
        (void) state;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
                (void) unlink(path);
        }
        /* Nothing else is there: no core. */
        assert_int_equal(rmdir(dir), 0);
        return 0;
}

static pid_t start(const char *const *argv)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
                char path[96], search[160];
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) setrlimit(RLIMIT_CORE, &all);
                (void) snprintf(path, sizeof(path), "%s/out", dir);
                int fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
                (void) dup2(fd, STDOUT_FILENO);
                (void) dup2(fd, STDERR_FILENO);
                (void) snprintf(search, sizeof(search), "%s:/usr/bin:/bin", dir);
                (void) setenv("PATH", search, 1);
                (void) setenv(PASSWORD_ENV, MARK, 1);
                if (chdir(dir) == 0)
                        (void) execv(program, (char **) (uintptr_t) argv);
                _exit(127);
        }
        return pid;
}

/* Return: does the file hold the password? */
static bool marked(const char *path)
{
        static char bytes[65536];
        FILE *f = fopen(path, "re");
        if (!f)
                fail_msg("%s cannot be read", path);
        size_t n = fread(bytes, 1, sizeof(bytes), f);
        (void) fclose(f);
        return memmem(bytes, n, MARK, strlen(MARK));
}

static void neither_proc_nor_a_core_dump_shows_it(void **state)
{
        struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(sin);
        char url[64], path[96];
        int status;
        (void) state;
        _cleanup_(closep) int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server, (struct sockaddr *) &sin, len), 0);
        assert_int_equal(listen(server, 4), 0);
        assert_int_equal(getsockname(server, (struct sockaddr *) &sin, &len), 0);
        (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(sin.sin_port));
        const char *const argv[] = { "edge-roll", "nodes", "--management", url, NULL };
        pid_t pid = start(argv);
        struct pollfd p = { .fd = server, .events = POLLIN };
        assert_int_equal(poll(&p, 1, 20000), 1);
        (void) snprintf(path, sizeof(path), "/proc/%d/environ", (int) pid);
        assert_false(marked(path));
        (void) snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
        assert_false(marked(path));
        assert_int_equal(kill(pid, SIGABRT), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_false(WCOREDUMP(status));
        (void) snprintf(path, sizeof(path), "%s/out", dir);
        assert_false(marked(path));
}

static void no_ssh_inherits_it(void **state)
{
        static const char *const argv[] = { "edge-roll", "status", "--nodes", "n1", NULL };
        char path[96];
        int status;
        (void) state;
        (void) snprintf(path, sizeof(path), "%s/ssh", dir);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        (void) fprintf(f, "#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline >%s/seen\nexit 255\n", dir);
        (void) fclose(f);
        assert_int_equal(chmod(path, 0700), 0);
        pid_t pid = start(argv);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void) snprintf(path, sizeof(path), "%s/seen", dir);
        assert_false(marked(path));
        (void) snprintf(path, sizeof(path), "%s/out", dir);
        assert_false(marked(path));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(neither_proc_nor_a_core_dump_shows_it, begin, end),
                cmocka_unit_test_setup_teardown(no_ssh_inherits_it, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
