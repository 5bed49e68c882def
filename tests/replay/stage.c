/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/lib/ns.h"
#include "tests/replay/replay.h"

#define PATIENCE_USEC (20 * USEC_PER_SEC)
#define ECHO_MODULE   "/usr/lib/nginx/modules/ngx_http_echo_module.so"

bool stage_certificate(const char *path)
{
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();
        FILE *f = fopen(path, "we");
        bool ok = key && x && f && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
                  X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
                  X509_gmtime_adj(X509_getm_notAfter(x), 86400) && X509_set_pubkey(x, key) &&
                  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                             (const unsigned char *) "node", -1, -1, 0) &&
                  X509_set_issuer_name(x, X509_get_subject_name(x)) && X509_sign(x, key, EVP_sha256()) &&
                  PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) && PEM_write_X509(f, x);
        if (f && fclose(f) != 0)
                ok = false;
        X509_free(x);
        EVP_PKEY_free(key);
        return ok;
}

/* What nginx can do by itself is told by its configuration: the paths of serve() that the kinds use. */
static void nginx_paths(FILE *f, const char *dir, Usec quiet)
{
        static const char *const sleeps[] = { "0", "0.1", "0.3", "0.4", "1.2", "1.6", "2" };
        static const char *const pauses[] = { "0.5", "1.6" };
        double q = time_sec(quiet);

        for (size_t i = 0; i < ELEMENTS(sleeps); i++) {
                double a, b;
                char path[32];
                (void) snprintf(path, sizeof(path), "/s/%s", sleeps[i]);
                (void) serve_path(path, &a, &b);
                if (a > 0)
                        fprintf(f, "location = %s { echo_sleep %.3f; echo ok; }\n", path, a * q);
                else
                        fprintf(f, "location = %s { return 200 \"ok\\n\"; }\n", path);
        }
        for (size_t i = 0; i < ELEMENTS(pauses); i++) {
                double a = i == 0 ? 0.5 : 1.6;
                fprintf(f, "location = /c/%s/4 { echo chunk; echo_flush;\n", pauses[i]);
                for (int k = 0; k < 3; k++)
                        fprintf(f, " echo_sleep %.3f; echo chunk; echo_flush;\n", a * q);
                fprintf(f, "}\n");
        }
        fprintf(f, "location /b/ { alias %s/; }\n", dir);
}

static bool nginx_config(const Kind *kind, const char *dir, const char *path, Usec quiet)
{
        FILE *f = fopen(path, "we");
        if (!f)
                return false;
        fprintf(f,
                "load_module " ECHO_MODULE ";\nuser root; daemon off; worker_processes 2; pid %s/pid;\n"
                "error_log %s/log; worker_rlimit_nofile 10000;\n"
                "events { worker_connections 4000; }\n"
                "http { access_log off; keepalive_timeout 900; keepalive_requests 1000000;\n"
                " client_body_timeout 900; send_timeout 900; proxy_read_timeout 900;\n"
                " client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s;\n"
                " scgi_temp_path %s;\n"
                " map $http_upgrade $up { default upgrade; '' ''; }\n"
                " upstream mp { server " REPLAY_NET ":%d; keepalive 50; }\n",
                dir, dir, dir, dir, dir, dir, dir, REPLAY_UPSTREAM);
        fprintf(f, " server { listen " REPLAY_NODE ":%d backlog=1024%s%s reuseport;\n", REPLAY_PORT,
                kind->skin != SKIN_PLAIN ? " ssl" : "", kind->skin == SKIN_H2 ? " http2" : "");
        if (kind->skin != SKIN_PLAIN)
                fprintf(f,
                        " ssl_certificate %s/pem; ssl_certificate_key %s/pem; ssl_protocols TLSv1.2 TLSv1.3;\n"
                        " ssl_session_cache shared:s:1m;\n",
                        dir, dir);
        if (kind->way == WAY_NGINX)
                nginx_paths(f, dir, quiet);
        else
                fprintf(f, " location / { proxy_pass http://mp; proxy_http_version 1.1;\n"
                           "  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $up; }\n");
        fprintf(f, " } }\n");
        return fclose(f) == 0;
}

static bool haproxy_config(const Kind *kind, const char *dir, const char *path)
{
        FILE *f = fopen(path, "we");
        if (!f)
                return false;
        fprintf(f,
                "global\n nbthread 2\n maxconn 4000\n"
                "defaults\n mode http\n timeout connect 5s\n timeout client 900s\n timeout server 900s\n"
                " timeout http-keep-alive 900s\n timeout http-request 900s\n timeout tunnel 900s\n"
                "frontend f\n bind " REPLAY_NODE ":%d",
                REPLAY_PORT);
        if (kind->skin != SKIN_PLAIN)
                fprintf(f, " ssl crt %s/pem ssl-min-ver TLSv1.2%s", dir,
                        kind->skin == SKIN_H2 ? " alpn h2" : "");
        fprintf(f, "\n default_backend b\nbackend b\n http-reuse safe\n server mp " REPLAY_NET ":%d\n",
                REPLAY_UPSTREAM);
        return fclose(f) == 0;
}

/* A child that ends with its parent. Return: true in the child. */
static bool child(void)
{
        pid_t parent = getpid();
        if (fork() != 0)
                return false;
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(1);
        return true;
}

static bool listens(const char *address, uint16_t port)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
        struct linger now = { .l_onoff = 1 };
        (void) inet_pton(AF_INET, address, &a.sin_addr);
        for (Usec deadline = time_now() + PATIENCE_USEC; time_now() < deadline; nap(20 * USEC_PER_MSEC)) {
                _cleanup_(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
                if (connect(fd, (struct sockaddr *) &a, sizeof(a)) == 0)
                        return true;
        }
        return false;
}

const char *stage_start(const Kind *kind, const char *dir, int net, Usec quiet)
{
        char path[256], pem[256], file[256];
        (void) snprintf(path, sizeof(path), "%s/conf", dir);
        (void) snprintf(pem, sizeof(pem), "%s/pem", dir);
        (void) snprintf(file, sizeof(file), "%s/4000000", dir);

        if (kind->skin != SKIN_PLAIN && !stage_certificate(pem))
                return "no certificate can be made";
        if (kind->way == WAY_HAPROXY || kind->way == WAY_PROXY) {
                if (child()) {
                        if (ns_go(net))
                                serve(REPLAY_NET, REPLAY_UPSTREAM, quiet);
                        _exit(1);
                }
                if (!listens(REPLAY_NET, REPLAY_UPSTREAM))
                        return "the next tier does not listen";
        }
        switch (kind->way) {
        case WAY_OWN:
                if (child())
                        serve(REPLAY_NODE, REPLAY_PORT, quiet);
                break;
        case WAY_NGINX:
        case WAY_PROXY: {
                _cleanup_(closep) int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                if (fd < 0 || ftruncate(fd, 4000000) < 0 || !nginx_config(kind, dir, path, quiet))
                        return "nginx's files cannot be written";
                if (child()) {
                        (void) execl("/usr/sbin/nginx", "nginx", "-p", dir, "-c", path, (char *) NULL);
                        _exit(127);
                }
                break;
        }
        case WAY_HAPROXY:
                if (!haproxy_config(kind, dir, path))
                        return "HAProxy's file cannot be written";
                if (child()) {
                        (void) execl("/usr/sbin/haproxy", "haproxy", "-db", "-q", "-f", path, (char *) NULL);
                        _exit(127);
                }
                break;
        case WAY_COUNT:
                break;
        }
        return listens(REPLAY_NODE, REPLAY_PORT) ? NULL : "the component does not listen";
}
