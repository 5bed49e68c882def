/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/ensemble.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"

#define JAR      "/usr/share/java/zookeeper.jar"
#define WAIT_MAX (20 * USEC_PER_SEC)

static char dir[64];
static pid_t pids[ENSEMBLE_SERVERS];

const char *ensemble_missing(void)
{
        if (access(JAR, R_OK) != 0)
                return "no " JAR ": the package libzookeeper-java is not installed";
        if (system("command -v java >/dev/null 2>&1") != 0)
                return "no java: the package default-jre-headless is not installed";
        return NULL;
}

static bool put(const char *path, const char *text)
{
        _cleanup_(fclosep) FILE *f = fopen(path, "we");
        return f && fputs(text, f) >= 0;
}

static bool make(int n)
{
        char path[128], text[1024];
        (void) snprintf(path, sizeof(path), "%s/%d", dir, n);
        if (mkdir(path, 0700) < 0)
                return false;
        (void) snprintf(path, sizeof(path), "%s/%d/myid", dir, n);
        (void) snprintf(text, sizeof(text), "%d\n", n + 1);
        if (!put(path, text))
                return false;
        (void) snprintf(
                text, sizeof(text),
                "tickTime=%d\ninitLimit=20\nsyncLimit=10\ndataDir=%s/%d\nclientPort=%d\n"
                "clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
                "4lw.commands.whitelist=*\nserver.1=127.0.0.1:2881:3881\nserver.2=127.0.0.1:2882:3882\n"
                "server.3=127.0.0.1:2883:3883\n",
                ENSEMBLE_TICK_MSEC, dir, n, 2181 + n);
        (void) snprintf(path, sizeof(path), "%s/%d/zoo.cfg", dir, n);
        return put(path, text);
}

static void spawn(int n)
{
        char cfg[128], log[128];
        (void) snprintf(cfg, sizeof(cfg), "%s/%d/zoo.cfg", dir, n);
        (void) snprintf(log, sizeof(log), "%s/%d/log", dir, n);
        pids[n] = fork();
        if (pids[n] != 0)
                return;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void) dup2(fd, 1);
        (void) dup2(fd, 2);
        sigset_t none;
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) execlp("java", "java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                      "-Dzookeeper.jmx.log4j.disable=true", "-Djava.net.preferIPv4Stack=true",
                      "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                      JAR ":/usr/share/java/slf4j-simple.jar",
                      "org.apache.zookeeper.server.quorum.QuorumPeerMain", cfg, NULL);
        _exit(127);
}

void ensemble_word(int n, const char *word, char *buf, int size)
{
        _cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) (2181 + n)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int len = 0;
        buf[0] = '\0';
        if (connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0 ||
            write(fd, word, strlen(word)) != (ssize_t) strlen(word))
                return;
        while (len < size - 1) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                ssize_t k = poll(&p, 1, 1000) == 1 ? read(fd, buf + len, (size_t) (size - 1 - len)) : 0;
                if (k <= 0)
                        break;
                len += (int) k;
        }
        buf[len] = '\0';
}

bool ensemble_serves(int n)
{
        char text[2048];
        ensemble_word(n, "srvr", text, sizeof(text));
        return strstr(text, "Mode: ");
}

bool ensemble_wait(int n)
{
        for (Usec end = time_now() + WAIT_MAX; time_now() < end; (void) poll(NULL, 0, 20))
                if (ensemble_serves(n))
                        return true;
        return false;
}

int ensemble_leader(void)
{
        char text[2048];
        for (int n = 0; n < ENSEMBLE_SERVERS; n++) {
                ensemble_word(n, "srvr", text, sizeof(text));
                if (strstr(text, "Mode: leader"))
                        return n;
        }
        return -1;
}

void ensemble_kill(int n)
{
        if (pids[n] <= 0)
                return;
        (void) kill(pids[n], SIGKILL);
        (void) waitpid(pids[n], NULL, 0);
        pids[n] = 0;
}

void ensemble_freeze(int n)
{
        (void) kill(pids[n], SIGSTOP);
}

void ensemble_thaw(int n)
{
        (void) kill(pids[n], SIGCONT);
}

bool ensemble_restart(int n)
{
        ensemble_kill(n);
        spawn(n);
        return ensemble_wait(n);
}

bool ensemble_start(void)
{
        (void) snprintf(dir, sizeof(dir), "/tmp/edge-roll-zk.XXXXXX");
        if (!mkdtemp(dir))
                return false;
        for (int n = 0; n < ENSEMBLE_SERVERS; n++) {
                if (!make(n))
                        return false;
                spawn(n);
        }
        for (int n = 0; n < ENSEMBLE_SERVERS; n++)
                if (!ensemble_wait(n))
                        return false;
        return true;
}

void ensemble_end(void)
{
        char command[128];
        for (int n = 0; n < ENSEMBLE_SERVERS; n++)
                ensemble_kill(n);
        (void) snprintf(command, sizeof(command), "rm -rf %s", dir);
        if (*dir && system(command) != 0)
                (void) fprintf(stderr, "%s is left over\n", dir);
        dir[0] = '\0';
}
