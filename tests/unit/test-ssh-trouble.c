/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What ssh says (texts of OpenSSH 9.2 and sudo 1.9, as they came) against what is made of it. */

#include "agent/cluster/ssh-trouble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cluster/ssh.h"
#include "base/cleanup.h"

#define CODE(n) ((n) << 8)

static const SshTried r1 = { .command = "ssh -p 2222 -l edge r1",
                             .host = "r1",
                             .port = 2222,
                             .user = "edge",
                             .bridge = "sudo -n edge-roll bridge" };

static const struct {
        int status;
        const char *complaint;
        RemoteTrouble kind;
        bool retry;
        const char *text, *hint; /* parts */
} table[] = {
        { CODE(255), "ssh: connect to host 127.0.0.1 port 1: Connection refused\n", REMOTE_REACH, true,
          "connect to host 127.0.0.1 port 1: Connection refused", "ssh -p 2222 -l edge r1 true" },
        { CODE(255), "ssh: connect to host 10.9.9.9 port 22: Network is unreachable\n", REMOTE_REACH, true,
          "Network is unreachable", "is the node up" },
        { CODE(255), "ssh: connect to host 10.9.9.9 port 22: No route to host\n", REMOTE_REACH, true,
          "No route to host", "is the node up" },
        { CODE(255), "ssh: connect to host r1 port 22: Connection timed out\n", REMOTE_REACH, true,
          "timed out", "is the node up" },
        { CODE(255), "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\n",
          REMOTE_REACH, false, "Could not resolve hostname nowhere.invalid", "/etc/hosts" },
        { CODE(255), "ssh: Could not resolve hostname r1: Temporary failure in name resolution\n",
          REMOTE_REACH, true, "Temporary failure", "/etc/hosts" },
        { CODE(255), "Host key verification failed.\n", REMOTE_HOST_KEY, false, "is not known here",
          "ssh-keygen -lf" },
        { CODE(255),
          "No ED25519 host key is known for r1 and you have requested strict checking.\nHost key verification failed.\n",
          REMOTE_HOST_KEY, false, "is not known here", "ssh -p 2222 -l edge r1 true" },
        { CODE(255),
          "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
          "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
          "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n"
          "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n"
          "Offending ED25519 key in kh2:1\n  remove with:\n  ssh-keygen -f \"kh2\" -R \"node\"\n"
          "Host key for node has changed and you have requested strict checking.\nHost key verification failed.\n",
          REMOTE_HOST_KEY, false, "has changed", "ssh-keygen -R '[r1]:2222'" },
        { CODE(255),
          "@       WARNING: REVOKED HOST KEY DETECTED!               @\n"
          "The ED25519 host key for node is marked as revoked.\nHost key verification failed.\n",
          REMOTE_HOST_KEY, false, "revoked", "ask who" },
        { CODE(255),
          "Authorized use only.\nroot@127.0.0.1: Permission denied (publickey,password,keyboard-interactive).\n",
          REMOTE_AUTH, false, "Permission denied (publickey", "authorized_keys" },
        { CODE(255),
          "Authorized use only.\n@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n"
          "Permissions 0644 for 'key' are too open.\nLoad key \"key\": bad permissions\n"
          "root@127.0.0.1: Permission denied (publickey).\n",
          REMOTE_AUTH, false, "can be read by others", "correct the key file" },
        { CODE(255),
          "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n"
          "Disconnected from 10.0.0.1 port 22\n",
          REMOTE_AUTH, false, "too many keys", "IdentitiesOnly" },
        { CODE(255),
          "kex_exchange_identification: Connection closed by remote host\nConnection closed by 127.0.0.1 port 22991\n",
          REMOTE_REACH, true, "Connection closed by remote host", "MaxStartups" },
        { CODE(255),
          "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 127.0.0.1 port 22992\n",
          REMOTE_REACH, true, "Connection reset by peer", "MaxStartups" },
        { CODE(255), "Connection reset by 10.0.0.1 port 22\n", REMOTE_REACH, true, "Connection reset",
          "MaxStartups" },
        { CODE(255), "Not allowed at this time\n", REMOTE_REACH, true, "Not allowed at this time",
          "at_once" },
        { CODE(255),
          "Unable to negotiate with 127.0.0.1 port 22991: no matching cipher found. Their offer: aes128-ctr,aes192-ctr\n",
          REMOTE_REACH, false, "no matching cipher", "algorithm" },
        { CODE(255),
          "Authorized use only.\nchannel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\n"
          "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n",
          REMOTE_REACH, true, "channel 0: open failed: connect failed: Connection refused",
          "is the node up" },
        { CODE(255),
          "channel 0: open failed: administratively prohibited: open failed\nstdio forwarding failed\n"
          "Connection closed by UNKNOWN port 65535\n",
          REMOTE_REACH, false, "administratively prohibited", "AllowTcpForwarding" },
        { CODE(255),
          "jump@bastion: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535\n",
          REMOTE_AUTH, false, "jump@bastion: Permission denied", "authorized_keys" },
        { CODE(255), "/root/.ssh/config: line 3: Bad configuration option: hostnme\n", REMOTE_REACH, false,
          "line 3: Bad configuration option", "correct the ssh configuration" },
        { CODE(255), "", REMOTE_REACH, true, "without a word", "-v true" },
        { CODE(255), "something that nobody has seen before\n", REMOTE_REACH, true, "nobody has seen before",
          "-v true" },
        { CODE(SSH_NOT_RUN), "No such file or directory", REMOTE_REACH, false, "cannot run ssh",
          "is it installed" },
        { CODE(127), "Authorized use only.\nbash: edge-roll: command not found\n", REMOTE_NO_PROGRAM, false,
          "is not there", "command -v edge-roll" },
        { CODE(127), "bash: line 1: sudo: command not found\n", REMOTE_PERMISSION, false, "no sudo",
          "bridge = edge-roll bridge" },
        { CODE(126), "bash: /usr/bin/edge-roll: Permission denied\n", REMOTE_NO_PROGRAM, false,
          "cannot be executed", "ls -l" },
        { CODE(1), "sudo: a password is required\n", REMOTE_PERMISSION, false, "wants a password",
          "edge ALL=(root) NOPASSWD: /usr/bin/edge-roll bridge" },
        { CODE(1), "sudo: edge-roll: command not found\n", REMOTE_NO_PROGRAM, false, "sudo does not find",
          "install" },
        { CODE(1), "Sorry, user edge is not allowed to execute '/usr/bin/edge-roll bridge' as root on r1.\n",
          REMOTE_PERMISSION, false, "is not allowed to execute", "visudo" },
        { CODE(1), "edge is not in the sudoers file.\n", REMOTE_PERMISSION, false, "not in the sudoers file",
          "visudo" },
        { CODE(1), "sudo: sorry, you must have a tty to run sudo\n", REMOTE_PERMISSION, false, "requiretty",
          "Defaults:edge !requiretty" },
        { CODE(1), "WARNING: Your password has expired.\nPassword change required but no TTY available.\n",
          REMOTE_AUTH, false, "expired", "by hand" },
        { CODE(2), "edge-roll: there is no verb \"bridge\"; edge-roll help lists them\n",
          REMOTE_OTHER_VERSION, false, "too old", "edge-roll --version" },
        { CODE(18), "edge-roll bridge: not for you\n", REMOTE_PERMISSION, false, "not for you", "" },
        { CODE(3), "", REMOTE_FOREIGN, false, "exit code 3 and without a word", "" },
        { CODE(0), "", REMOTE_FOREIGN, false, "exit code 0 and without a word", "sudo -n edge-roll bridge" },
        { 15, "", REMOTE_REACH, true, "signal 15", "" },
};

static void what_ssh_says_is_understood(void **state)
{
        (void) state;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                SshTrouble t;
                ssh_trouble(table[i].status, table[i].complaint, "15 s", &r1, &t);
                if (t.kind != table[i].kind || t.retry != table[i].retry || !strstr(t.text, table[i].text) ||
                    !strstr(t.hint, table[i].hint))
                        fail_msg("row %zu (%s): %s, \"%s\" (%s), %s", i, table[i].complaint,
                                 remote_trouble_name(t.kind), t.text, t.hint,
                                 t.retry ? "again" : "not again");
                size_t n = strlen(t.text);
                assert_true(n > 0 && t.text[n - 1] != '.' && !strchr(t.text, '\n'));
        }
}

static void a_limit_that_passed_says_what_ssh_said_last(void **state)
{
        SshTrouble t;
        (void) state;
        ssh_trouble(-1, "", "15 s", &r1, &t);
        assert_int_equal(t.kind, REMOTE_REACH);
        assert_string_equal(t.text, "no connection within 15 s");
        assert_true(t.retry);
        ssh_trouble(-1, "first\nlast\n", "15 s", &r1, &t);
        assert_string_equal(t.text, "no connection within 15 s: last");
}

static void the_end_of_a_link_is_a_cut_whatever_ssh_says(void **state)
{
        SshTried up = r1;
        SshTrouble t;
        (void) state;
        up.was_up = true;
        ssh_trouble(CODE(255), "client_loop: send disconnect: Broken pipe\n", "15 s", &up, &t);
        assert_int_equal(t.kind, REMOTE_CUT);
        assert_true(t.retry);
        assert_non_null(strstr(t.text, "Broken pipe"));
        ssh_trouble(CODE(0), "", "15 s", &up, &t);
        assert_int_equal(t.kind, REMOTE_CUT);
        ssh_trouble(9, "", "15 s", &up, &t);
        assert_int_equal(t.kind, REMOTE_CUT);
        ssh_trouble(CODE(255), "Timeout, server 10.0.0.1 not responding.\n", "15 s", &up, &t);
        assert_int_equal(t.kind, REMOTE_SILENT);
}

static void a_foreign_end_is_quoted(void **state)
{
        SshTrouble t;
        (void) state;
        ssh_foreign("Welcome to r1", &r1, &t);
        assert_int_equal(t.kind, REMOTE_FOREIGN);
        assert_false(t.retry);
        assert_non_null(strstr(t.text, "\"Welcome to r1\""));
        assert_non_null(strstr(t.hint, "ssh -p 2222 -l edge r1 sudo -n edge-roll bridge"));
        ssh_foreign("This account is currently not available.", &r1, &t);
        assert_int_equal(t.kind, REMOTE_AUTH);
}

static void texts_of_any_length_are_cut(void **state)
{
        static char complaint[20000];
        SshTrouble t;
        SshTried tried = r1;
        (void) state;
        (void) memset(complaint, 'x', sizeof(complaint) - 1);
        ssh_trouble(CODE(255), complaint, "15 s", &r1, &t);
        assert_true(strlen(t.text) < sizeof(t.text));
        ssh_foreign(complaint, &r1, &t);
        assert_true(strlen(t.text) < sizeof(t.text));
        tried.command = complaint;
        tried.host = complaint;
        for (size_t i = 0; i < ELEMENTS(table); i++) {
                ssh_trouble(table[i].status, table[i].complaint, complaint, &tried, &t);
                assert_true(strlen(t.hint) < sizeof(t.hint) && strlen(t.text) < sizeof(t.text));
        }
        /* Nothing but line ends. */
        ssh_trouble(CODE(255), "\n\n \n", "15 s", &r1, &t);
        assert_int_equal(t.kind, REMOTE_REACH);
}

static void errors_about_the_way_to_the_agent_are_told_from_answers(void **state)
{
        static const struct {
                const char *name;
                RemoteTrouble kind;
        } errors[] = {
                { "org.edgeroll.Error.NoBus", REMOTE_NO_BUS },
                { "org.edgeroll.Error.NoPermission", REMOTE_PERMISSION },
                { "org.edgeroll.Error.NotForwarded", REMOTE_OTHER_VERSION },
                { "org.freedesktop.DBus.Error.UnknownMethod", REMOTE_OTHER_VERSION },
                { "org.freedesktop.DBus.Error.ServiceUnknown", REMOTE_NO_PROGRAM },
                { "org.freedesktop.DBus.Error.Spawn.ChildExited", REMOTE_NO_PROGRAM },
                { "org.freedesktop.systemd1.NoSuchUnit", REMOTE_NO_PROGRAM },
                { "org.freedesktop.DBus.Error.AccessDenied", REMOTE_PERMISSION },
        };
        SshTrouble t;
        (void) state;
        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                assert_true(remote_error_trouble(errors[i].name, "a sentence", &r1, &t));
                assert_int_equal(t.kind, errors[i].kind);
                assert_string_equal(t.text, "a sentence");
                assert_true(*t.hint != '\0');
        }
        assert_false(remote_error_trouble("org.edgeroll.Error.Busy", "", &r1, &t));
        assert_false(remote_error_trouble("org.edgeroll.Error.Leased", "", &r1, &t));
        assert_false(remote_error_trouble("", "", &r1, &t));
        for (int i = 0; i < REMOTE_TROUBLE_COUNT; i++)
                assert_string_not_equal(remote_trouble_name((RemoteTrouble) i), "invalid");
        assert_string_equal(remote_trouble_name(REMOTE_TROUBLE_COUNT), "invalid");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_ssh_says_is_understood),
                cmocka_unit_test(a_limit_that_passed_says_what_ssh_said_last),
                cmocka_unit_test(the_end_of_a_link_is_a_cut_whatever_ssh_says),
                cmocka_unit_test(a_foreign_end_is_quoted),
                cmocka_unit_test(texts_of_any_length_are_cut),
                cmocka_unit_test(errors_about_the_way_to_the_agent_are_told_from_answers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
