/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
/* cmocka.h needs those before it */
#include <cmocka.h>

#include "agent/lock-spec.h"
#include "agent/resolve.h"
#include "agent/zk.h"

static void words(void **state)
{
        LockSpec s;
        (void) state;
        assert_int_equal(lock_spec_parse("auto", &s, NULL), 0);
        assert_int_equal(s.kind, LOCK_AUTO);
        assert_int_equal(lock_spec_parse("none", &s, NULL), 0);
        assert_int_equal(s.kind, LOCK_NONE);
        assert_int_equal(lock_spec_parse("lease", &s, NULL), 0);
        assert_int_equal(s.kind, LOCK_LEASE);
}

static void servers_and_path(void **state)
{
        LockSpec s;
        char buf[256];
        (void) state;
        assert_int_equal(lock_spec_parse("zookeeper://zk1:2182,10.0.0.2,[fd77::1]:2183/a/b", &s, NULL), 0);
        assert_int_equal(s.kind, LOCK_ZOOKEEPER);
        assert_int_equal(s.n, 3);
        assert_string_equal(s.servers[0].host, "zk1");
        assert_int_equal(s.servers[0].port, 2182);
        assert_false(s.servers[0].number);
        assert_int_equal(s.servers[1].port, LOCK_PORT);
        assert_true(s.servers[1].number);
        assert_string_equal(s.servers[2].host, "fd77::1");
        assert_true(s.servers[2].number);
        assert_string_equal(s.path, "/a/b");
        assert_string_equal(lock_spec_text(&s, buf, sizeof(buf)),
                            "zk1:2182,10.0.0.2:2181,[fd77::1]:2183/a/b");
        assert_int_equal(lock_spec_hosts("zk1/", &s, NULL), 0);
        assert_string_equal(s.path, "");
        /* As property files have it. */
        assert_int_equal(lock_spec_hosts("zk1:2181, zk2:2181  zk3", &s, NULL), 0);
        assert_int_equal(s.n, 3);
}

static void what_is_wrong_is_named(void **state)
{
        static const char *const bad[][2] = {
                { "zk1:2181", "auto, none, lease or zookeeper://" },
                { "Auto", "auto, none" },
                { "zookeeper://", "no server" },
                { "zookeeper:///path", "no server" },
                { "zookeeper://h:0", "\"0\" is no port" },
                { "zookeeper://h:65536", "\"65536\" is no port" },
                { "zookeeper://h:21x", "\"21x\" is no port" },
                { "zookeeper://h:", "is no port" },
                { "zookeeper://-h", "\"-h\" is no name" },
                { "zookeeper://a;b", "\"a;b\" is no name" },
                { "zookeeper://[fd77::1", "[ADDRESS]:PORT" },
                { "zookeeper://a:b:c", "is no name" },
                { "zookeeper://h/a//b", "is no path" },
                { "zookeeper://h/a/../b", "is no path" },
                { "zookeeper://h/a b", "is no path" },
                { "zookeeper://a,,b", "a comma" },
                { "zookeeper://a,b,", "a comma" },
                { "zookeeper://a/", "ends with a slash" },
                { "zookeeper://::1", "is no name" },
                { "zookeeper://a b", "is no name" },
                { "zookeeper://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16" },
        };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                LockSpec s;
                Err err = { 0 };
                assert_int_equal(lock_spec_parse(bad[i][0], &s, &err), -EINVAL);
                if (!strstr(err.text, bad[i][1]))
                        fail_msg("%s: \"%s\" does not say \"%s\"", bad[i][0], err.text, bad[i][1]);
        }
}

static void a_password_comes_from_a_file(void **state)
{
        char auth[ZK_AUTH_SIZE], path[] = "/tmp/edge-roll-auth.XXXXXX";
        Err err = { 0 };
        (void) state;
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(zk_auth_read(path, auth, sizeof(auth), &err), -EINVAL);
        assert_true(write(fd, "edge:se:cret\nmore\n", 18) == 18);
        assert_int_equal(zk_auth_read(path, auth, sizeof(auth), &err), 0);
        assert_string_equal(auth, "edge:se:cret");
        /* Who holds one leaves no core dump. */
        assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
        assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
        static const mode_t open_to_others[] = { 0644, 0602, 0620, 0666 };
        for (size_t i = 0; i < ELEMENTS(open_to_others); i++) {
                assert_int_equal(fchmod(fd, open_to_others[i]), 0);
                assert_int_equal(zk_auth_read(path, auth, sizeof(auth), &err), -EACCES);
                assert_non_null(strstr(err.text, "chmod 600 or 640"));
                assert_string_equal(auth, "");
        }
        assert_int_equal(fchmod(fd, 0640), 0);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_true(pwrite(fd, "secret\n", 7, 0) == 7);
        assert_int_equal(zk_auth_read(path, auth, sizeof(auth), &err), -EINVAL);
        assert_null(strstr(err.text, "secret"));
        assert_string_equal(auth, "");
        (void) close(fd);
        (void) unlink(path);
        assert_int_equal(zk_auth_read(path, auth, sizeof(auth), &err), -ENOENT);
        assert_int_equal(zk_auth_read("", auth, sizeof(auth), &err), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),
                cmocka_unit_test(servers_and_path),
                cmocka_unit_test(what_is_wrong_is_named),
                cmocka_unit_test(a_password_comes_from_a_file),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
