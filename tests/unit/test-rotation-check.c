/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll targets rotation` asks the servers: from its command line over the Management Server's stand-in
 * to origins that answer, fail at each layer, and speak TLS (nginx). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/edge/rotation-check.h"
#include "probes/json.h"
#include "tests/lib/origin.h"
#include "tests/lib/standin.h"
#include "tests/lib/tls-origin.h"

#define ON         " --org acme --env prod"
#define OUT_SIZE   (64 * 1024)
#define WORDS_MAX  24
#define LIMIT_USEC (30 * USEC_PER_SEC)

typedef struct Fixture {
        sd_event *event;
        Origin *origin, *full; /* full: connection attempts get no answer */
        Standin *standin;
        Config *config;
        char folder[64], file[100];
        char out[OUT_SIZE], err[OUT_SIZE]; /* of the last call */
        /* Called while it goes on, with what it has said so far in `out`; may end it. */
        void (*look)(struct Fixture *f, pid_t pid);
        unsigned step; /* of `look` */
} Fixture;

static TlsOrigin tls_origin;

static void file_write(const char *path, const char *text)
{
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

#define DEPLOYED                                                                                                 \
        "{\"proxy\":\"billing\",\"revision\":\"3\",\"state\":\"deployed\",\"server\":[],\"files\":{"             \
        "\"apiproxy/targets/default.xml\":\"<TargetEndpoint name='default'><HTTPTargetConnection><LoadBalancer>" \
        "<Server name='good'/><Server name='shut'/><MaxFailures>3</MaxFailures></LoadBalancer>"                  \
        "</HTTPTargetConnection></TargetEndpoint>\"}}"

/* The target servers of acme/prod, and what is deployed there. */
static void servers_are(const Fixture *f)
{
        static const char row[] =
                "\"%s\":{\"name\":\"%s\",\"host\":\"127.0.0.1\",\"port\":%u,\"isEnabled\":%s%s}%s";
        const struct {
                const char *name;
                unsigned port;
                const char *enabled, *more;
        } rows[] = {
                { "good", origin_port(f->origin), "true", "" },
                { "also", origin_port(f->origin), "true", "" },
                { "shut", 1, "true", "" },
                { "full", origin_port(f->full), "true", "" },
                { "off", 1, "false", "" },
                { "tls", tls_origin.ports[TLS_ONE_WAY], "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"ignoreValidationErrors\":true}" },
                { "strict", tls_origin.ports[TLS_ONE_WAY], "true", ",\"sSLInfo\":{\"enabled\":\"true\"}" },
                { "plaintls", origin_port(f->origin), "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"ignoreValidationErrors\":true}" },
                { "twoway", tls_origin.ports[TLS_ONE_WAY], "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"keyStore\":\"k\",\"keyAlias\":\"a\","
                  "\"ignoreValidationErrors\":true}" },
                { "trusting", tls_origin.ports[TLS_ONE_WAY], "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"trustStore\":\"ref://authority\"}" },
                { "mutual", tls_origin.ports[TLS_TWO_WAY], "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"clientAuthEnabled\":\"true\",\"keyStore\":\"keys\","
                  "\"keyAlias\":\"client\",\"trustStore\":\"authority\"}" },
                { "distrusting", tls_origin.ports[TLS_ONE_WAY], "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"trustStore\":\"self\"}" },
                { "selfsigned", tls_origin.ports[TLS_SELF], "true",
                  ",\"sSLInfo\":{\"enabled\":\"true\",\"trustStore\":\"t\"}" },
        };
        char json[4096];
        int n = snprintf(json, sizeof(json), "{\"acme\":{\"prod\":{\"targetservers\":{");
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                n += snprintf(json + n, sizeof(json) - (size_t) n, row, rows[i].name, rows[i].name,
                              rows[i].port, rows[i].enabled, rows[i].more, ",");
        (void) snprintf(
                json + n, sizeof(json) - (size_t) n,
                "\"odd\":{\"name\":\"odd\",\"host\":\"127.0.0.1\",\"port\":\"many\",\"isEnabled\":true}},\"deployments\":[" DEPLOYED
                "]}}}");
        standin_write(f->standin, "edge.json", json);
}

static void open_door(Fixture *f)
{
        char conf[100], text[200];
        Err err = { 0 };
        *f = (Fixture){ .folder = "/tmp/edge-roll-rotation.XXXXXX" };
        assert_true(sd_event_new(&f->event) >= 0);
        f->origin = origin_new(f->event, ORIGIN_OPEN);
        f->full = origin_new(f->event, ORIGIN_FULL);
        f->standin = standin_new("{\"acme\":{\"prod\":{}}}", "[]");
        assert_non_null(mkdtemp(f->folder));
        (void) snprintf(conf, sizeof(conf), "%s/edge-roll.conf", f->folder);
        (void) snprintf(text, sizeof(text), "[cluster]\nmanagement_url = %s\n", standin_url(f->standin));
        file_write(conf, text);
        if (config_load(&f->config, conf, "/nonexistent", &err) < 0)
                fail_msg("%s", err.text);
        (void) unlink(conf);
        (void) snprintf(f->file, sizeof(f->file), "%s/default.xml", f->folder);
        servers_are(f);
}

static void close_door(Fixture *f)
{
        (void) unlink(f->file);
        assert_int_equal(rmdir(f->folder), 0);
        (void) config_free(f->config);
        (void) standin_free(f->standin);
        (void) origin_free(f->full);
        (void) origin_free(f->origin);
        (void) sd_event_unref(f->event);
}

/* In a process of its own, so that the origins of this one go on. Ends with the exit status of the verb. */
static void child(const Fixture *f, const char *line, const char *path, int out, int err)
{
        char text[512], program[] = "edge-roll", *argv[WORDS_MAX + 1] = { program };
        _cleanup_(freep) char *own = path ? strdup(path) : NULL;
        int argc = 1, status = 2;
        CliRequest rq;
        Err why = { 0 };

        (void) snprintf(text, sizeof(text), "targets rotation %s", line);
        for (char *word = strtok(text, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
                argv[argc++] = word;
        if (own)
                argv[argc++] = own;
        SessionIo io = { .out = fdopen(out, "w"), .err = fdopen(err, "w"), .in = -1 };
        if (!io.out || !io.err)
                _exit(99);
        if (cli_parse(argc, argv, &rq, &why) < 0)
                (void) fprintf(io.err, "%s\n", why.text);
        else
                status = rotation_main(&rq, f->config, &io);
        (void) fflush(io.out);
        (void) fflush(io.err);
        _exit(status);
}

static int on_child(sd_event_source *s _unused_, const siginfo_t *si, void *userdata)
{
        *(int *) userdata = si->si_code == CLD_EXITED ? si->si_status : 256 + si->si_status;
        return 0;
}

static void read_said(int fd, char *buf)
{
        ssize_t n = pread(fd, buf, OUT_SIZE - 1, 0);
        assert_true(n >= 0);
        buf[n] = '\0';
}

static void said(int fd, char *buf)
{
        read_said(fd, buf);
        (void) close(fd);
}

/* @path: NULL: none. Return: its exit status. */
static int call(Fixture *f, const char *line, const char *path)
{
        int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), status = -1;
        sd_event_source *source = NULL;
        sigset_t mask;
        Usec deadline = time_now() + LIMIT_USEC;

        assert_true(out >= 0 && err >= 0);
        assert_int_equal(sigemptyset(&mask), 0);
        assert_int_equal(sigaddset(&mask, SIGCHLD), 0);
        assert_int_equal(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                child(f, line, path, out, err);
        assert_true(sd_event_add_child(f->event, &source, pid, WEXITED, on_child, &status) >= 0);
        while (status < 0) {
                Usec now = time_now();
                if (now > deadline)
                        fail_msg("%s: does not end", line);
                /* What it says wakes nobody. */
                Usec wait = f->look ? MIN(deadline - now, 20 * USEC_PER_MSEC) : deadline - now;
                assert_true(sd_event_run(f->event, wait) >= 0);
                if (f->look && status < 0) {
                        read_said(out, f->out);
                        f->look(f, pid);
                }
        }
        (void) sd_event_source_unref(source);
        assert_int_equal(sigprocmask(SIG_UNBLOCK, &mask, NULL), 0);
        said(out, f->out);
        said(err, f->err);
        return status;
}

#define DOCUMENT(balancer, monitor)                                                                        \
        "<TargetEndpoint name='t'><HTTPTargetConnection><LoadBalancer>" balancer "</LoadBalancer>" monitor \
        "</HTTPTargetConnection></TargetEndpoint>"
#define SERVER(name)   "<Server name='" name "'/>"
#define FALLBACK(name) "<Server name='" name "'><IsFallback>true</IsFallback></Server>"
#define MOST(n)        "<MaxFailures>" n "</MaxFailures>"
#define MONITOR(on, interval, what)                                                                    \
        "<HealthMonitor><IsEnabled>" on "</IsEnabled><IntervalInSec>" interval "</IntervalInSec>" what \
        "</HealthMonitor>"
#define HTTP(path, more)                                                                               \
        "<HTTPMonitor><Request><ConnectTimeoutInSec>1</ConnectTimeoutInSec>"                           \
        "<SocketReadTimeoutInSec>1</SocketReadTimeoutInSec><Verb>GET</Verb><Path>" path "</Path>" more \
        "</Request><SuccessResponse><ResponseCode>200</ResponseCode></SuccessResponse></HTTPMonitor>"
#define TCP "<TCPMonitor><ConnectTimeoutInSec>1</ConnectTimeoutInSec></TCPMonitor>"

typedef struct Case {
        const char *what, *xml;
        int status;
        const char *servers;                 /* "NAME STAND SHARE LAYER" each; LAYER "-": not asked */
        const char *text[3];                 /* parts of what people are told */
        const char *next;                    /* a part of next_failure */
        bool fallback, nobody, asks_nothing; /* asks_nothing: no request was sent */
} Case;

static const Case cases[] = {
        { .what = "all answer: as without a check",
          .xml = DOCUMENT(SERVER("good") SERVER("also") MOST("3"), ""),
          .servers = "good in 50 ok, also in 50 ok",
          .next = "the request is tried on another server; after 3 in a row",
          .asks_nothing = true },
        { .what = "one that refuses is out, and the other takes its share",
          .xml = DOCUMENT(SERVER("good") SERVER("shut") MOST("3"), ""),
          .servers = "good in 100 ok, shut out 0 connect",
          .text = { "  shut        -  does not answer: out of rotation  127.0.0.1:1\n",
                    "                 connect: http://127.0.0.1:1/: connection refused" },
          .next = "has no other server to be tried on; after 3 in a row the server is out until the proxy is deployed "
                  "again, and then every request fails" },
        { .what = "with MaxFailures 0 it stays in and fails",
          .xml = DOCUMENT(SERVER("good") SERVER("shut"), ""),
          .servers = "good in 50 ok, shut failing 50 connect",
          .next = "is tried on another server, and 1 of the 2 do not answer" },
        { .what = "weights: the rest is shared by what is left",
          .xml = DOCUMENT("<Algorithm>Weighted</Algorithm><Server name='good'><Weight>1</Weight></Server>"
                          "<Server name='also'><Weight>3</Weight></Server>"
                          "<Server name='shut'><Weight>6</Weight></Server>" MOST("1"),
                          ""),
          .servers = "good in 25 ok, also in 75 ok, shut out 0 connect" },
        { .what = "the fallback is engaged",
          .xml = DOCUMENT(SERVER("shut") FALLBACK("good") MOST("1"), ""),
          .servers = "shut out 0 connect, good fallback 100 ok",
          .fallback = true },
        { .what = "a fallback that fails, too: nobody is left",
          .xml = DOCUMENT(SERVER("shut") FALLBACK("shut") MOST("1"), ""),
          .status = 20,
          .servers = "shut out 0 connect, shut out 0 connect",
          .next = "every request fails",
          .nobody = true },
        { .what = "those that are disabled or unknown are not asked",
          .xml = DOCUMENT(SERVER("off") SERVER("missing") SERVER("good") MOST("1"), ""),
          .servers = "off disabled 0 -, missing unknown 0 -, good in 100 ok" },
        { .what = "one that the API told in no usable way",
          .xml = DOCUMENT(SERVER("odd") SERVER("good") MOST("1"), ""),
          .status = 20,
          .servers = "odd unread ? here, good in ? ok",
          .text = { "it could not be asked: ", "port" } },
        { .what = "a TCPMonitor with its own limit",
          .xml = DOCUMENT(SERVER("full") SERVER("good") MOST("2"), MONITOR("true", "5", TCP)),
          .servers = "full out 0 connect, good in 100 ok",
          .text = { "TCPMonitor every 5 s", "nothing for 1 s" },
          .asks_nothing = true },
        { .what = "an HTTPMonitor: the code",
          .xml = DOCUMENT(SERVER("good") SERVER("also") MOST("2"), MONITOR("true", "5", HTTP("/sick", ""))),
          .status = 20,
          .servers = "good out 0 status, also out 0 status",
          .text = { "status: ", "this code is not expected" },
          .nobody = true },
        { .what = "an HTTPMonitor: no answer",
          .xml = DOCUMENT(SERVER("good") MOST("2"), MONITOR("true", "5", HTTP("/silent", ""))),
          .status = 20,
          .servers = "good out 0 first-byte",
          .nobody = true },
        { .what = "an HTTPMonitor that is answered",
          .xml = DOCUMENT(SERVER("good") MOST("2"), MONITOR("true", "5", HTTP("/well", ""))),
          .servers = "good in 100 ok" },
        { .what = "switched off, Edge does not ask, and nobody here",
          .xml = DOCUMENT(SERVER("good") MOST("2"), MONITOR("false", "5", HTTP("/sick", ""))),
          .servers = "good in 100 ok",
          .text = { "HealthMonitor disabled" },
          .asks_nothing = true },
        { .what = "an interval of 0 means that it never asks",
          .xml = DOCUMENT(SERVER("good") MOST("2"), MONITOR("true", "0", HTTP("/sick", ""))),
          .servers = "good in 100 ok",
          .text = { "a HealthMonitor that never checks" },
          .next = "until the proxy is deployed again",
          .asks_nothing = true },
        { .what = "TLS without a monitor: a handshake, and the certificate",
          .xml = DOCUMENT(SERVER("tls") SERVER("strict") SERVER("plaintls") MOST("1"), ""),
          .servers = "tls in 100 ok, strict out 0 tls, plaintls out 0 tls" },
        { .what = "an HTTPMonitor over TLS",
          .xml = DOCUMENT(SERVER("tls") MOST("1"), MONITOR("true", "5", HTTP("/", ""))),
          .servers = "tls in 100 ok" },
        { .what = "two-way TLS, which Edge's HTTPMonitor cannot do",
          .xml = DOCUMENT(SERVER("twoway") MOST("1"), MONITOR("true", "5", HTTP("/", ""))),
          .status = 20,
          .servers = "twoway out 0 ok",
          .text = { "Edge's HTTPMonitor does not support two-way TLS", "no client certificate was shown" },
          .nobody = true },
        { .what = "a self-signed certificate, which it cannot do either",
          .xml = DOCUMENT(SERVER("selfsigned") MOST("1"), MONITOR("true", "5", HTTP("/", ""))),
          .status = 20,
          .servers = "selfsigned out 0 ok",
          .text = { "the certificate is self-signed", "the certificate was not verified" },
          .nobody = true },
        { .what = "and can when all are trusted",
          .xml = DOCUMENT(SERVER("selfsigned") MOST("1"),
                          MONITOR("true", "5", HTTP("/", "<TrustAllSSL>true</TrustAllSSL>"))),
          .servers = "selfsigned in 100 ok",
          .text = { "the certificate is self-signed" } },
        { .what = "which a TCPMonitor does not see",
          .xml = DOCUMENT(SERVER("selfsigned") SERVER("twoway") MOST("1"), MONITOR("true", "5", TCP)),
          .servers = "selfsigned in 50 ok, twoway in 50 ok" },
};

/* The servers of a "rotation" as a case has them. */
static void servers_text(const cJSON *rotation, char *buf, size_t size)
{
        const cJSON *server;
        size_t n = 0;
        buf[0] = '\0';
        cJSON_ArrayForEach(server, cJSON_GetObjectItemCaseSensitive(rotation, "servers"))
        {
                const cJSON *check = cJSON_GetObjectItemCaseSensitive(server, "check"),
                            *share = cJSON_GetObjectItemCaseSensitive(server, "share");
                char percent[16] = "?";
                if (!cJSON_IsNull(share))
                        (void) snprintf(percent, sizeof(percent), "%.0f", share->valuedouble * 100);
                n += (size_t) snprintf(buf + n, size - n, "%s%s %s %s %s", n ? ", " : "",
                                       json_text(server, "name"), json_text(server, "stand"), percent,
                                       cJSON_IsNull(check) ? "-" : json_text(check, "layer"));
        }
}

static void case_json(Fixture *f, const Case *c)
{
        char servers[400];
        unsigned requests = origin_requests(f->origin);

        int status = call(f, "--json" ON, f->file);
        if (status != c->status)
                fail_msg("%s: exit %d\n%s%s", c->what, status, f->out, f->err);
        _cleanup_(json_closep) cJSON *o = cJSON_ParseWithOpts(f->out, NULL, false);
        assert_non_null(o);
        assert_string_equal(json_text(o, "event"), "rotation");
        assert_true(json_true(o, "checked"));
        servers_text(o, servers, sizeof(servers));
        if (strcmp(servers, c->servers) != 0)
                fail_msg("%s: %s, expected %s", c->what, servers, c->servers);
        if (json_true(o, "fallback") != c->fallback || json_true(o, "nobody") != c->nobody)
                fail_msg("%s: %s", c->what, f->out);
        if (c->next && !strstr(json_text(o, "next_failure"), c->next))
                fail_msg("%s: %s", c->what, json_text(o, "next_failure"));
        if (c->asks_nothing)
                assert_int_equal(origin_requests(f->origin), requests);
}

static void origin_answers(const Fixture *f)
{
        origin_serve(f->origin, "/well", 200, "well");
        origin_serve(f->origin, "/sick", 500, "sick");
        origin_on(f->origin, "/silent", (OriginReply){ .text = "", .end = ORIGIN_HANG });
}

static void test_cases(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        origin_answers(&f);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const Case *c = &cases[i];
                file_write(f.file, c->xml);
                case_json(&f, c);
                if (!c->text[0])
                        continue;
                int status = call(&f, ON, f.file);
                if (status != c->status)
                        fail_msg("%s: exit %d\n%s%s", c->what, status, f.out, f.err);
                for (size_t k = 0; k < ELEMENTS(c->text) && c->text[k]; k++)
                        if (!strstr(f.out, c->text[k]))
                                fail_msg("%s: no \"%s\" in\n%s", c->what, c->text[k], f.out);
        }
        close_door(&f);
}

/* The monitor of the document, not a request of our own making. */
static void test_as_the_monitor_asks(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        origin_answers(&f);
        file_write(
                f.file,
                DOCUMENT(SERVER("good") MOST("1"),
                         MONITOR("true", "5",
                                 "<HTTPMonitor><Request><ConnectTimeoutInSec>1</ConnectTimeoutInSec>"
                                 "<SocketReadTimeoutInSec>1</SocketReadTimeoutInSec><Verb>POST</Verb>"
                                 "<Path>/well</Path><Header name='X-Own'>yes</Header><Payload>ping</Payload>"
                                 "<IncludeHealthCheckIdHeader>true</IncludeHealthCheckIdHeader></Request>"
                                 "</HTTPMonitor>")));
        assert_int_equal(call(&f, ON, f.file), 0);
        assert_int_equal(origin_requests(f.origin), 1);
        const char *request = origin_last_request(f.origin);
        assert_ptr_equal(strstr(request, "POST /well HTTP/1.1\r\n"), request);
        assert_non_null(strstr(request, "\r\nX-Own: yes\r\n"));
        assert_non_null(
                strstr(request,
                       "\r\nX-Apigee-Healthcheck-Id: acme/prod/00000000-0000-0000-0000-000000000000/"));
        assert_non_null(strstr(request, "\r\n\r\nping"));
        close_door(&f);
}

static void test_no_check(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        origin_answers(&f);
        file_write(f.file, DOCUMENT(SERVER("shut") SERVER("good") MOST("1"),
                                    MONITOR("true", "5", HTTP("/sick", ""))));
        assert_int_equal(call(&f, "--no-check --json" ON, f.file), 0);
        assert_non_null(strstr(f.out, "\"checked\":false"));
        assert_non_null(strstr(f.out, "\"check\":null"));
        assert_int_equal(origin_requests(f.origin), 0);
        /* Without an environment there is nobody who could be asked. */
        assert_int_equal(call(&f, "--json", f.file), 0);
        assert_non_null(strstr(f.out, "\"checked\":false"));
        assert_int_equal(origin_requests(f.origin), 0);
        close_door(&f);
}

static void test_what_is_deployed(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        int status = call(&f, ON, NULL);
        if (status != 0)
                fail_msg("exit %d\n%s%s", status, f.out, f.err);
        assert_non_null(strstr(f.out, "TargetEndpoint default  billing:3/apiproxy/targets/default.xml:1\n"));
        assert_non_null(strstr(f.out, "  good    100 %  in rotation  127.0.0.1:"));
        assert_non_null(strstr(f.out, "  shut        -  does not answer: out of rotation  127.0.0.1:1\n"));
        close_door(&f);
}

/* Documents wait for their checks in memory: not without end. Each of them at the limit of one document. */
static void test_kept_documents_are_bounded(void **state _unused_)
{
        enum { SIZE = 1024 * 1024, N = 9 };
        static const char xml[] = DOCUMENT(SERVER("good"), "");
        _cleanup_(freep) char *text = malloc(SIZE + 1);
        char path[200];
        Fixture f;

        open_door(&f);
        assert_non_null(text);
        (void) memset(text, ' ', SIZE);
        (void) memcpy(text, xml, sizeof(xml) - 1);
        text[SIZE] = '\0';
        (void) snprintf(path, sizeof(path), "%s/targets", f.folder);
        assert_int_equal(mkdir(path, 0700), 0);
        for (int i = 0; i < N; i++) {
                (void) snprintf(path, sizeof(path), "%s/targets/%d.xml", f.folder, i);
                file_write(path, text);
                if (i < N - 2)
                        continue;
                int status = call(&f, "--json" ON, f.folder);
                if (status != (i < N - 1 ? 0 : 2))
                        fail_msg("%d documents: exit %d\n%s%s", i + 1, status, f.out, f.err);
        }
        assert_non_null(strstr(f.out, "more than 8 MiB"));
        assert_non_null(strstr(f.out, "--no-check"));
        assert_int_equal(call(&f, "--no-check" ON, f.folder), 0);
        for (int i = 0; i < N; i++) {
                (void) snprintf(path, sizeof(path), "%s/targets/%d.xml", f.folder, i);
                (void) unlink(path);
        }
        (void) snprintf(path, sizeof(path), "%s/targets", f.folder);
        assert_int_equal(rmdir(path), 0);
        close_door(&f);
}

/* What is asked alike is asked once; a request of a monitor is each document's own. */
static void test_asked_once(void **state _unused_)
{
        static const struct {
                const char *a, *b;
                bool same;
        } pairs[] = {
                { "", "", true },
                { "", MONITOR("true", "5", TCP), false }, /* 1 s, not 5 s */
                { MONITOR("true", "5", TCP), MONITOR("true", "9", TCP), true },
                { MONITOR("true", "5", TCP),
                  MONITOR("true", "5",
                          "<TCPMonitor><ConnectTimeoutInSec>1</ConnectTimeoutInSec><Port>9</Port></TCPMonitor>"),
                  false },
                { MONITOR("true", "5", HTTP("/a", "")), MONITOR("true", "5", HTTP("/a", "")), false },
        };
        EdgeTargetServer server = { .name.value = "good",
                                    .host.value = "127.0.0.1",
                                    .port = { .set = true, .value = 1 } };
        TargetRow row = { .name = "good" };
        TargetRows rows = { .rows = &row, .n = 1 };
        DeployedEnv env = { .rows = &rows, .servers = { .items = &server, .n = 1 } };
        CliRequest rq = { .org = "acme", .env = "prod" };
        Session s = { .rq = &rq };

        assert_true(sd_event_new(&s.event) >= 0);
        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                const char *monitors[2] = { pairs[i].a, pairs[i].b };
                _cleanup_(rotation_checks_freep) RotationChecks *checks = NULL;
                EdgeXml *x[2];
                const RotationCheck **of[2];
                char xml[2000];
                Err err = { 0 };
                assert_int_equal(rotation_checks_new(&checks, &s, &env, &err), 0);
                for (size_t k = 0; k < 2; k++) {
                        (void) snprintf(
                                xml, sizeof(xml),
                                "<TargetEndpoint name='t'><HTTPTargetConnection><LoadBalancer>" SERVER(
                                        "good") "</LoadBalancer>%s</HTTPTargetConnection></TargetEndpoint>",
                                monitors[k]);
                        assert_int_equal(edge_xml_read(xml, strlen(xml), &x[k], &err), 0);
                        assert_int_equal(rotation_checks_add(checks, &x[k]->connection, &of[k], &err), 0);
                }
                if ((of[0][0] == of[1][0]) != pairs[i].same)
                        fail_msg("pair %zu", i);
                for (size_t k = 0; k < 2; k++) {
                        free(of[k]);
                        (void) edge_xml_free(x[k]);
                }
        }
        (void) sd_event_unref(s.event);
}

static int set_up(void **state _unused_)
{
        tls_origin_start(&tls_origin);
        return 0;
}

static int tear_down(void **state _unused_)
{
        tls_origin_stop(&tls_origin);
        return 0;
}

/* Files in place of the stores. */
static void test_stores(void **state _unused_)
{
        char line[200];
        Fixture f;
        open_door(&f);
        file_write(f.file, DOCUMENT(SERVER("trusting") SERVER("mutual") SERVER("distrusting") MOST("1"), ""));
        assert_int_equal(call(&f, "--json" ON, f.file), 0);
        assert_non_null(strstr(f.out, "\"name\":\"distrusting\",\"stand\":\"in\""));
        assert_non_null(strstr(f.out, "the certificate was not verified"));
        assert_non_null(strstr(f.out, "no client certificate was shown"));
        (void) snprintf(line, sizeof(line), "--json --stores %s" ON, tls_origin.folder);
        assert_int_equal(call(&f, line, f.file), 0);
        assert_non_null(strstr(f.out, "\"name\":\"trusting\",\"stand\":\"in\""));
        assert_non_null(strstr(f.out, "\"name\":\"mutual\",\"stand\":\"in\""));
        assert_non_null(strstr(f.out, "\"name\":\"distrusting\",\"stand\":\"out\""));
        assert_null(strstr(f.out, "not here as a file"));
        assert_int_equal(call(&f, "--stores /nowhere/at/all" ON, f.file), 2);
        assert_non_null(strstr(f.err, "--stores /nowhere/at/all"));
        close_door(&f);
}

/* ---- the monitors, run from here ---- */

#define WELL "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define SICK "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"

static void turn(const Fixture *f, const char *answer)
{
        origin_on(f->origin, "/turn", (OriginReply){ .text = answer });
}

/* The @n-th "rotation-change", as "SERVER CHANGE FAILURES LAYER FALLBACK NOBODY". */
static bool change(const char *out, unsigned n, const char *expected)
{
        const char *line = strstr(out, "{\"event\":\"rotation-change\"");
        while (line && n-- > 0)
                line = strstr(line + 1, "{\"event\":\"rotation-change\"");
        if (!line || !strchr(line, '\n'))
                return false;
        _cleanup_(json_closep) cJSON *o = cJSON_ParseWithOpts(line, NULL, false);
        char text[200];
        assert_non_null(o);
        (void) snprintf(text, sizeof(text), "%s %s %d %s%s%s", cJSON_GetObjectItem(o, "server")->valuestring,
                        cJSON_GetObjectItem(o, "change")->valuestring,
                        cJSON_GetObjectItem(o, "failures")->valueint,
                        cJSON_GetObjectItem(o, "layer")->valuestring,
                        cJSON_IsTrue(cJSON_GetObjectItem(o, "fallback")) ? " fallback" : "",
                        cJSON_IsTrue(cJSON_GetObjectItem(o, "nobody")) ? " nobody" : "");
        assert_string_equal(text, expected);
        return true;
}

/* Out one after the other, and the one that is well again comes back. */
static void look_leave_and_return(Fixture *f, pid_t pid)
{
        if (f->step == 0 && change(f->out, 0, "shut out 2 connect")) {
                turn(f, SICK);
                f->step = 1;
        } else if (f->step == 1 && change(f->out, 1, "good out 2 status nobody")) {
                turn(f, WELL);
                f->step = 2;
        } else if (f->step == 2 && change(f->out, 2, "good in 0 ok")) {
                assert_int_equal(kill(pid, SIGINT), 0);
                f->step = 3;
        }
}

static void test_watch_leave_and_return(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        turn(&f, WELL);
        file_write(f.file, DOCUMENT(SERVER("good") SERVER("shut") MOST("2"),
                                    MONITOR("true", "1", HTTP("/turn", ""))));
        f.look = look_leave_and_return;
        assert_int_equal(call(&f, "--watch --json" ON, f.file), 0);
        assert_int_equal(f.step, 3);
        /* Then how it stands, and no change but those three. */
        const char *table = strstr(f.out, "{\"event\":\"rotation\",");
        assert_non_null(table);
        assert_non_null(strstr(table, "\"name\":\"good\",\"stand\":\"in\""));
        assert_non_null(strstr(table, "\"name\":\"shut\",\"stand\":\"out\""));
        assert_null(strstr(table, "rotation-change"));
        assert_non_null(strstr(f.out, "3 changes of the rotation"));
        close_door(&f);
}

/* One failure, one success, and so on: never two in a row. */
static void look_alternating(Fixture *f, pid_t pid)
{
        unsigned asked = origin_requests(f->origin);
        if (asked == f->step)
                return;
        f->step = asked;
        turn(f, asked % 2 ? WELL : SICK);
        if (asked == 5)
                assert_int_equal(kill(pid, SIGTERM), 0);
}

static void test_watch_success_resets(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        turn(&f, SICK);
        file_write(f.file, DOCUMENT(SERVER("good") MOST("2"), MONITOR("true", "1", HTTP("/turn", ""))));
        f.look = look_alternating;
        assert_int_equal(call(&f, "--watch" ON, f.file), 0);
        assert_int_equal(f.step, 5);
        assert_non_null(strstr(f.out, " checks, 0 changes of the rotation"));
        assert_null(strstr(f.out, "leaves"));
        close_door(&f);
}

static void test_watch_for_a_time(void **state _unused_)
{
        Fixture f;
        open_door(&f);
        /* The fallback, for people. */
        file_write(f.file, DOCUMENT(SERVER("shut") FALLBACK("good") MOST("1"), MONITOR("true", "1", TCP)));
        assert_int_equal(call(&f, "--watch --for 1s" ON, f.file), 0);
        assert_non_null(strstr(f.out, "shut leaves the rotation after 1 failure in a row: connect: "));
        assert_non_null(strstr(f.out, "  now good 100 %: the fallback is engaged\n"));
        assert_non_null(strstr(f.out, "1 changes of the rotation"));
        assert_non_null(strstr(f.out, "fallback, engaged: all others are out"));

        /* With MaxFailures 0 nobody ever leaves. */
        file_write(f.file, DOCUMENT(SERVER("shut") SERVER("good"), MONITOR("true", "1", TCP)));
        assert_int_equal(call(&f, "--watch --for 2s" ON, f.file), 0);
        assert_non_null(strstr(f.out, " 0 changes of the rotation"));
        assert_non_null(strstr(f.err, "MaxFailures is 0: no server ever leaves"));
        assert_non_null(strstr(f.out, "does not answer, and stays in rotation"));

        /* Nothing asks. */
        file_write(f.file, DOCUMENT(SERVER("shut") MOST("1"), MONITOR("true", "0", TCP)));
        assert_int_equal(call(&f, "--watch --for 60s" ON, f.file), 2);
        assert_non_null(strstr(f.err, "nothing to watch"));
        close_door(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_as_the_monitor_asks),
                cmocka_unit_test(test_no_check),
                cmocka_unit_test(test_what_is_deployed),
                cmocka_unit_test(test_kept_documents_are_bounded),
                cmocka_unit_test(test_asked_once),
                cmocka_unit_test(test_stores),
                cmocka_unit_test(test_watch_leave_and_return),
                cmocka_unit_test(test_watch_success_resets),
                cmocka_unit_test(test_watch_for_a_time),
        };
        if (!standin_have() || tls_origin_missing()) {
                (void) printf("%s is not installed\n", standin_have() ? tls_origin_missing() : "python3");
                return 77;
        }
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
