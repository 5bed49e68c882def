/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/tls-origin.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MUST(ok)                                    \
        do {                                        \
                if (!(ok)) {                        \
                        perror("tls-origin: " #ok); \
                        abort();                    \
                }                                   \
        } while (0)

const char *tls_origin_missing(void)
{
        if (access("/usr/sbin/nginx", X_OK) < 0)
                return "nginx";
        return access("/usr/bin/openssl", X_OK) < 0 ? "openssl" : NULL;
}

/* A line of sh in the folder. */
static void sh(const TlsOrigin *t, const char *fmt, ...) _printf_(2, 3);

static void sh(const TlsOrigin *t, const char *fmt, ...)
{
        char command[1024], all[1200];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(command, sizeof(command), fmt, ap);
        va_end(ap);
        (void) snprintf(all, sizeof(all), "cd %s && { %s; } >>log 2>&1", t->folder, command);
        int r = system(all); /* NOLINT(cert-env33-c): a test's tool, nothing of it comes from outside */
        if (r != 0) {
                (void) fprintf(stderr, "tls-origin: %s: %d\n", command, r);
                abort();
        }
}

/* A key and a certificate of the authority, both in NAME.pem. */
static void issue(const TlsOrigin *t, const char *name, const char *subject, const char *names, int days)
{
        sh(t,
           "openssl req -newkey rsa:2048 -nodes -keyout %s.key -out %s.csr -subj '/CN=%s' &&"
           "printf '%s' >%s.ext && openssl x509 -req -in %s.csr -CA authority.pem -CAkey authority.key "
           "-CAcreateserial -days %d -extfile %s.ext -out %s.crt && cat %s.crt %s.key >%s.pem",
           name, name, subject, names, name, name, days, name, name, name, name, name);
}

static void make_certificates(const TlsOrigin *t)
{
        sh(t, "openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -days 2 "
              "-subj '/CN=edge-roll test authority'");
        issue(t, "good", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1", 2);
        issue(t, "other", "other.example.com", "subjectAltName=DNS:other.example.com", 2);
        issue(t, "client", "message-processor", "extendedKeyUsage=clientAuth", 2);
        /* openssl(1) of RHEL 8 has no other way to a certificate whose time is over: days below 0. */
        issue(t, "expired", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1", -1);
        sh(t, "openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.crt -days 2 "
              "-subj '/CN=localhost' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' &&"
              "cat self.crt >self.pem && cat self.crt self.key >self-key.pem");
        sh(t, "mkdir keys && cp client.pem keys/client.pem && cp client.pem keys/.hidden.pem && "
              "cp authority.pem .hidden.pem");
}

/* nginx takes sockets that listen already: nobody has to wait for it. (Not with master_process off: seen to
 * crash in 1.22.) */
static int listen_somewhere(uint16_t *port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        MUST(fd >= 0 && bind(fd, (struct sockaddr *) &a, len) == 0 && listen(fd, 64) == 0 &&
             getsockname(fd, (struct sockaddr *) &a, &len) == 0);
        *port = ntohs(a.sin_port);
        return fd;
}

static void write_config(const TlsOrigin *t)
{
        static const struct {
                const char *file, *more;
        } doors[] = {
                [TLS_ONE_WAY] = { "good.pem", "" },
                [TLS_TWO_WAY] = { "good.pem", "ssl_verify_client on; ssl_client_certificate authority.pem;" },
                [TLS_SELF] = { "self-key.pem", "" },
                [TLS_EXPIRED] = { "expired.pem", "" },
                [TLS_OTHER_NAME] = { "other.pem", "" },
                [TLS_1_2_ONLY] = { "good.pem",
                                   "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;" },
                [TLS_1_3_ONLY] = { "good.pem", "ssl_protocols TLSv1.3;" },
        };
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/nginx.conf", t->folder);
        _cleanup_(fclosep) FILE *f = fopen(path, "we");
        MUST(f);
        (void) fprintf(f,
                       "daemon off; worker_processes 1; pid %s/pid; error_log %s/log; events { }\n"
                       "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p;\n"
                       "fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n",
                       t->folder, t->folder, t->folder, t->folder, t->folder, t->folder, t->folder);
        for (size_t i = 0; i < ELEMENTS(doors); i++)
                (void) fprintf(
                        f,
                        "server { listen 127.0.0.1:%u ssl; ssl_certificate %s; ssl_certificate_key %s; %s\n"
                        "add_header X-Client \"$ssl_client_s_dn\" always; add_header X-Cipher $ssl_cipher always;\nlocation / { return 200 ok; } }\n",
                        t->ports[i], doors[i].file, doors[i].file, doors[i].more);
        (void) fprintf(f, "}\n");
}

void tls_origin_start(TlsOrigin *t)
{
        char inherited[TLS_DOOR_COUNT * 12] = "";
        int fds[TLS_DOOR_COUNT];

        *t = (TlsOrigin){ .folder = "/tmp/edge-roll-tls.XXXXXX" };
        MUST(mkdtemp(t->folder));
        make_certificates(t);
        for (size_t i = 0; i < TLS_DOOR_COUNT; i++) {
                fds[i] = listen_somewhere(&t->ports[i]);
                (void) snprintf(inherited + strlen(inherited), sizeof(inherited) - strlen(inherited), "%d;",
                                fds[i]);
        }
        write_config(t);
        t->pid = fork();
        MUST(t->pid >= 0);
        if (t->pid == 0) {
                char config[128], log[128];
                (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
                (void) snprintf(config, sizeof(config), "%s/nginx.conf", t->folder);
                (void) snprintf(log, sizeof(log), "%s/log", t->folder);
                int fd = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
                (void) dup2(fd, STDERR_FILENO);
                (void) setenv("NGINX", inherited, 1);
                (void) execl("/usr/sbin/nginx", "nginx", "-p", t->folder, "-c", config, "-e", log,
                             (char *) NULL);
                _exit(127);
        }
        for (size_t i = 0; i < TLS_DOOR_COUNT; i++)
                (void) close(fds[i]);
}

static void front_start(TlsOrigin *t)
{
        const char *source = getenv("EDGE_ROLL_SOURCE");
        int in[2], out[2];

        MUST(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
        t->front_pid = fork();
        MUST(t->front_pid >= 0);
        if (t->front_pid == 0) {
                char script[4096], pem[128];
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) snprintf(script, sizeof(script), "%s/tests/lib/tls-front.py", source ? source : ".");
                (void) snprintf(pem, sizeof(pem), "%s/good.pem", t->folder);
                (void) dup2(in[0], STDIN_FILENO);
                (void) dup2(out[1], STDOUT_FILENO);
                (void) execlp("python3", "python3", script, pem, (char *) NULL);
                _exit(127);
        }
        (void) close(in[0]);
        (void) close(out[1]);
        t->front_in = in[1];
        t->front_out = out[0];
}

uint16_t tls_origin_front(TlsOrigin *t, uint16_t port)
{
        char line[16];
        size_t n = 0;

        if (t->front_pid == 0)
                front_start(t);
        MUST(dprintf(t->front_in, "%u\n", port) > 0);
        do
                MUST(n < sizeof(line) - 1 && read(t->front_out, line + n, 1) == 1);
        while (line[n++] != '\n');
        line[n] = '\0';
        return (uint16_t) strtoul(line, NULL, 10);
}

void tls_origin_stop(TlsOrigin *t)
{
        if (t->pid > 0) {
                (void) kill(t->pid, SIGTERM); /* it takes its worker with it */
                (void) waitpid(t->pid, NULL, 0);
        }
        t->pid = 0;
        if (t->front_pid > 0) {
                (void) close(t->front_in);
                (void) close(t->front_out);
                (void) kill(t->front_pid, SIGKILL);
                (void) waitpid(t->front_pid, NULL, 0);
        }
        t->front_pid = 0;
        char command[128];
        (void) snprintf(command, sizeof(command), "rm -rf %s", t->folder);
        MUST(system(command) == 0); /* NOLINT(cert-env33-c): as above */
}
