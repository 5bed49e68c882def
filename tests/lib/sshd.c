/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/sshd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SSHD "/usr/sbin/sshd"

static void path_of(const TestSshd *s, const char *name, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s/%s", s->root, name);
}

void sshd_write(const TestSshd *s, const char *name, const char *text)
{
        char path[160];
        path_of(s, name, path, sizeof(path));
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        (void) fputs(text, f);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(chmod(path, 0600), 0);
}

static void read_text(const TestSshd *s, const char *name, char *buf, size_t size)
{
        char path[160];
        path_of(s, name, path, sizeof(path));
        FILE *f = fopen(path, "re");
        assert_non_null(f);
        size_t n = fread(buf, 1, size - 1, f);
        buf[n] = '\0';
        (void) fclose(f);
}

static void keygen(const TestSshd *s, const char *name)
{
        char path[160];
        int status;
        path_of(s, name, path, sizeof(path));
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void) execlp("ssh-keygen", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f",
                              path, NULL);
                _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

void sshd_keys(const TestSshd *s, const char *options)
{
        char key[512], text[2048];
        read_text(s, "key.pub", key, sizeof(key));
        (void) snprintf(text, sizeof(text), "%s%s%s", options, *options ? " " : "", key);
        sshd_write(s, "authorized_keys", text);
}

static unsigned free_port(void)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &len), 0);
        (void) close(fd);
        return ntohs(a.sin_port);
}

void sshd_config(const TestSshd *s)
{
        char config[900];
        (void) snprintf(config, sizeof(config),
                        "Host *\nUserKnownHostsFile %s/known_hosts\nGlobalKnownHostsFile /dev/null\n"
                        "IdentityFile %s/key\nIdentitiesOnly yes\nIdentityAgent none\nHostKeyAlias node\n"
                        "Hostname 127.0.0.1\nPort %u\n",
                        s->root, s->root, s->port);
        sshd_write(s, "config", config);
}

const char *sshd_make(TestSshd *s, const char *key_options)
{
        char host[512], known[700];
        *s = (TestSshd){ .pid = -1 };
        if (access(SSHD, X_OK) != 0)
                return "there is no sshd";
        (void) snprintf(s->root, sizeof(s->root), "/tmp/edge-roll-sshd-XXXXXX");
        assert_non_null(mkdtemp(s->root));
        /* Its privilege separation directory; a package makes it, a container may not have it. */
        if (geteuid() == 0)
                (void) mkdir("/run/sshd", 0755);
        s->port = free_port();
        keygen(s, "host");
        keygen(s, "key");
        keygen(s, "other");
        sshd_keys(s, key_options);
        read_text(s, "host.pub", host, sizeof(host));
        (void) snprintf(known, sizeof(known), "node %s", host);
        sshd_write(s, "known_hosts", known);
        sshd_config(s);
        path_of(s, "config", s->config, sizeof(s->config));
        return NULL;
}

static bool listens(unsigned port)
{
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t) port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool up = connect(fd, (struct sockaddr *) &a, sizeof(a)) == 0;
        (void) close(fd);
        return up;
}

void sshd_start(TestSshd *s, const char *options)
{
        char config[1500], path[160], log[160];
        (void) snprintf(
                config, sizeof(config),
                "ListenAddress 127.0.0.1\nPort %u\nHostKey %s/host\nAuthorizedKeysFile %s/authorized_keys\n"
                "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPrintMotd no\n"
                "MaxStartups 200\n%s\n",
                s->port, s->root, s->root, options);
        /* The first mention of a keyword wins. */
        if (strstr(options, "MaxStartups"))
                (void) memcpy(strstr(config, "MaxStartups 200"), "#axStartups 200", 15);
        sshd_write(s, "sshd_config", config);
        path_of(s, "sshd_config", path, sizeof(path));
        path_of(s, "log", log, sizeof(log));
        s->pid = fork();
        assert_true(s->pid >= 0);
        if (s->pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) execl(SSHD, SSHD, "-D", "-f", path, "-E", log, NULL);
                _exit(127);
        }
        for (int i = 0; !listens(s->port); i++) {
                assert_true(i < 1000);
                assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
                (void) poll(NULL, 0, 10);
        }
}

void sshd_kill(TestSshd *s)
{
        if (s->pid > 0) {
                (void) kill(s->pid, SIGKILL);
                (void) waitpid(s->pid, NULL, 0);
        }
        s->pid = -1;
}

void sshd_remove(TestSshd *s)
{
        static const char *const files[] = { "host",
                                             "host.pub",
                                             "key",
                                             "key.pub",
                                             "other",
                                             "other.pub",
                                             "authorized_keys",
                                             "known_hosts",
                                             "known_hosts.old",
                                             "config",
                                             "sshd_config",
                                             "log",
                                             "script",
                                             "pid" };
        char path[160];
        sshd_kill(s);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                path_of(s, files[i], path, sizeof(path));
                (void) unlink(path);
        }
        (void) rmdir(s->root);
}
