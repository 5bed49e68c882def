/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/names.c with files of its own, and a user database that says this, that or nothing at all. */

#include "agent/names.h"
#include "tests/lib/wrapped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture */
#endif

#define LOCAL_UID  1000
#define REMOTE_UID 4242
#define GROUP_ID   900

static char dir[64], passwd[96], groups[96], counter[96];

static void put(const char *path, const char *text)
{
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        (void) fputs(text, f);
        assert_int_equal(fclose(f), 0);
}

static int begin(void **state)
{
        (void) state;
        (void) snprintf(dir, sizeof(dir), "/tmp/edge-roll-names-XXXXXX");
        assert_non_null(mkdtemp(dir));
        (void) snprintf(passwd, sizeof(passwd), "%s/passwd", dir);
        (void) snprintf(groups, sizeof(groups), "%s/group", dir);
        (void) snprintf(counter, sizeof(counter), "%s/asked", dir);
        put(passwd, "root:x:0:0::/root:/bin/sh\n+remote::::::\nalice:x:1000:1000::/home/alice:/bin/sh\n");
        put(groups, "root:x:0:\nedge-roll:x:900:alice\n");
        put(counter, "");
        return 0;
}

static int end(void **state)
{
        (void) state;
        (void) unlink(passwd);
        (void) unlink(groups);
        (void) unlink(counter);
        assert_int_equal(rmdir(dir), 0);
        return 0;
}

/* In the child: one more line, so that the parent can count. */
static void count(void)
{
        FILE *f = fopen(counter, "ae");
        if (f) {
                (void) fputs("x", f);
                (void) fclose(f);
        }
}

static size_t counted(void)
{
        char text[64];
        FILE *f = fopen(counter, "re");
        assert_non_null(f);
        size_t n = fread(text, 1, sizeof(text), f);
        (void) fclose(f);
        return n;
}

static void says(uid_t uid, const char *group, NamesAnswer *ret)
{
        count();
        assert_string_equal(group, "edge-roll");
        *ret = (NamesAnswer){ .has_group = true, .group = GROUP_ID, .member = uid == REMOTE_UID };
        if (uid == REMOTE_UID)
                (void) snprintf(ret->user, sizeof(ret->user), "rita");
}

static void hangs(uid_t uid, const char *group, NamesAnswer *ret)
{
        (void) uid;
        (void) group;
        (void) ret;
        count();
        for (;;)
                (void) pause();
}

static void dies(uid_t uid, const char *group, NamesAnswer *ret)
{
        (void) uid;
        (void) group;
        (void) ret;
        _exit(1);
}

static Names *names_of(NamesAskFn ask)
{
        Names *n;
        assert_int_equal(names_new(&n, "edge-roll", passwd, groups, ask), 0);
        return n;
}

static void who_is_in_the_files_is_not_asked_for(void **state)
{
        _cleanup_(names_freep) Names *n = names_of(says);
        (void) state;
        assert_string_equal(names_user(n, LOCAL_UID), "alice");
        assert_string_equal(names_user(n, 0), "root");
        assert_int_equal(counted(), 0);
        assert_string_equal(names_user(n, REMOTE_UID), "rita");
        assert_string_equal(names_user(n, REMOTE_UID), "rita");
        assert_int_equal(counted(), 1);
        assert_string_equal(names_user(n, 77), "?");
        assert_string_equal(names_user(n, 77), "?");
        assert_int_equal(counted(), 2);
}

static void the_groups_of_a_connection_decide(void **state)
{
        _cleanup_(names_freep) Names *n = names_of(says);
        const gid_t in[] = { 7, GROUP_ID }, out[] = { 7, 8 };
        (void) state;
        assert_true(names_member(n, LOCAL_UID, in, ELEMENTS(in)));
        /* Although the files and the database call them members. */
        assert_false(names_member(n, LOCAL_UID, out, ELEMENTS(out)));
        assert_false(names_member(n, REMOTE_UID, in, 0));
        assert_int_equal(counted(), 0);
}

static void a_bus_that_tells_no_groups_has_the_database_decide(void **state)
{
        _cleanup_(names_freep) Names *n = names_of(says);
        (void) state;
        assert_string_equal(names_user(n, LOCAL_UID), "alice");
        assert_true(names_member(n, REMOTE_UID, NULL, 0));
        assert_false(names_member(n, LOCAL_UID, NULL, 0));
}

static void a_group_that_only_the_database_knows(void **state)
{
        _cleanup_(names_freep) Names *n = names_of(says);
        const gid_t in[] = { GROUP_ID };
        (void) state;
        put(groups, "root:x:0:\n");
        assert_true(names_member(n, LOCAL_UID, in, 1));
        _cleanup_(names_freep) Names *silent = names_of(dies);
        assert_false(names_member(silent, LOCAL_UID, in, 1));
}

/* A hundred calls of users that nobody knows cost one wait, and no process is left behind. */
static void a_database_that_hangs_costs_one_short_wait(void **state)
{
        Names *n = names_of(hangs);
        Usec began = time_now();
        (void) state;
        assert_string_equal(names_user(n, REMOTE_UID), "?");
        Usec one = time_now() - began;
        assert_true(one >= NAMES_USEC && one < NAMES_USEC + USEC_PER_SEC);
        began = time_now();
        for (uid_t uid = 5000; uid < 5100; uid++) {
                assert_string_equal(names_user(n, uid), "?");
                assert_false(names_member(n, uid, NULL, 0));
        }
        assert_true(time_now() - began < NAMES_USEC);
        assert_string_equal(names_user(n, LOCAL_UID), "alice");
        assert_int_equal(counted(), 1);
        (void) names_free(n);
        /* Killed; it may take the kernel a moment to bury it. */
        pid_t left;
        while ((left = waitpid(-1, NULL, 0)) > 0)
                ;
        assert_int_equal(left, -1);
}

/* How many it has open beyond the standard three. */
static void counts_what_is_open(uid_t uid, const char *group, NamesAnswer *ret)
{
        unsigned n = 0;
        DIR *fds = opendir("/proc/self/fd");
        (void) uid;
        (void) group;
        for (struct dirent *e; fds && (e = readdir(fds));)
                n += *e->d_name != '.' && atoi(e->d_name) > STDERR_FILENO && atoi(e->d_name) != dirfd(fds);
        (void) snprintf(ret->user, sizeof(ret->user), "%u", n);
}

/* With one file below the pipe, and one far above it. */
static bool child_has_its_pipe_only(void)
{
        _cleanup_(closep) int below = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), above = dup2(below, 700);
        _cleanup_(names_freep) Names *n = names_of(counts_what_is_open);
        return above == 700 && strcmp(names_user(n, REMOTE_UID), "1") == 0;
}

/* One that cannot be killed, and has the lock of the state directory or the socket of the table, would keep
 * them from the next agent. */
static void the_child_has_nothing_of_its_parent(void **state)
{
        (void) state;
        SKIP_IF_WRAPPED();
        assert_true(child_has_its_pipe_only());
}

static void nor_where_the_kernel_cannot_close_many_at_once(void **state)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog filter = { .len = ELEMENTS(code), .filter = code };
        int status = 0;
        (void) state;
        SKIP_IF_WRAPPED();
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
                        _exit(77);
                _exit(child_has_its_pipe_only() ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(status, 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(who_is_in_the_files_is_not_asked_for, begin, end),
                cmocka_unit_test_setup_teardown(the_groups_of_a_connection_decide, begin, end),
                cmocka_unit_test_setup_teardown(a_bus_that_tells_no_groups_has_the_database_decide, begin,
                                                end),
                cmocka_unit_test_setup_teardown(a_group_that_only_the_database_knows, begin, end),
                cmocka_unit_test_setup_teardown(a_database_that_hangs_costs_one_short_wait, begin, end),
                cmocka_unit_test_setup_teardown(the_child_has_nothing_of_its_parent, begin, end),
                cmocka_unit_test_setup_teardown(nor_where_the_kernel_cannot_close_many_at_once, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
