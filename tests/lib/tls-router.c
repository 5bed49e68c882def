/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/tls-router.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probes/pem.h"

#define NGINX      "/usr/sbin/nginx"
#define START_MSEC 20000

static void router_fail(const char *what)
{
        (void) fprintf(stderr, "router with TLS: %s: %s\n", what, strerror(errno));
        abort();
}

bool tls_router_have(void)
{
        return access(NGINX, X_OK) == 0;
}

void tls_router_certificate(const char *dir, const char *name, char *ret)
{
        char command[600], path[128];
        (void) snprintf(
                command, sizeof(command),
                "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=%s "
                "-days 30 -keyout %s.key -out %s.pem >/dev/null 2>&1",
                dir, name, name, name);
        (void) snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
        if (system(command) != 0 || pem_fingerprint_file(path, ret, NULL) < 0)
                router_fail("openssl");
}

/* nginx writes its pid when its sockets listen. */
static void router_wait(int watch, const char *pid_file)
{
        char events[4096];
        struct pollfd fd = { .fd = watch, .events = POLLIN };
        while (access(pid_file, F_OK) != 0)
                if (poll(&fd, 1, START_MSEC) <= 0 || read(watch, events, sizeof(events)) <= 0)
                        router_fail("nginx does not begin to listen");
        (void) close(watch);
}

static void router_server(FILE *f, const char *dir, const char *address, const char *cert, const char *name)
{
        (void) fprintf(f,
                       "server { listen %s:%d ssl; server_name %s; ssl_certificate %s/%s.pem; "
                       "ssl_certificate_key %s/%s.key; return 200 ok; } ",
                       address, TLS_ROUTER_PORT, name, dir, cert, dir, cert);
}

static void router_conf(const char *path, const char *dir, const char *address, const char *name,
                        const char *wild)
{
        FILE *f = fopen(path, "we");
        if (!f)
                router_fail(path);
        (void) fprintf(
                f,
                "daemon off; master_process off; pid %s.pid; error_log %s.log; events { } http { access_log off; "
                "client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s; "
                "scgi_temp_path %s; ",
                path, path, dir, dir, dir, dir, dir);
        router_server(f, dir, address, name, "_");
        if (wild)
                router_server(f, dir, address, wild, "*.example.com");
        (void) fputs("}", f);
        if (fclose(f) != 0)
                router_fail(path);
}

TlsRouter tls_router_start(const char *dir, const char *address, const char *name)
{
        return tls_router_start_wild(dir, address, name, NULL);
}

TlsRouter tls_router_start_wild(const char *dir, const char *address, const char *name, const char *wild)
{
        char conf[128], pid_file[140];
        int watch = inotify_init1(IN_CLOEXEC);
        TlsRouter r;
        if (watch < 0 || inotify_add_watch(watch, dir, IN_CREATE) < 0)
                router_fail("inotify");
        (void) snprintf(conf, sizeof(conf), "%s/%s.conf", dir, address);
        (void) snprintf(pid_file, sizeof(pid_file), "%s.pid", conf);
        (void) unlink(pid_file);
        router_conf(conf, dir, address, name, wild);
        r.pid = fork();
        if (r.pid < 0)
                router_fail("fork");
        if (r.pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) execl(NGINX, NGINX, "-c", conf, (char *) NULL);
                _exit(127);
        }
        router_wait(watch, pid_file);
        return r;
}

void tls_router_stop(TlsRouter *r)
{
        (void) kill(r->pid, SIGKILL);
        (void) waitpid(r->pid, NULL, 0);
}
