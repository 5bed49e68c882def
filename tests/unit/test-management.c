/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The Management Server as a source of nodes: against an origin that behaves, and one that misbehaves. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cluster/management.h"
#include "agent/edge/api.h"
#include "agent/edge/password.h"
#include "tests/lib/origin.h"

#define ROW(uuid, type, region)                                               \
        "{\"uUID\":\"" uuid "\",\"type\":[\"" type "\"],\"region\":\"" region \
        "\",\"internalIP\":\"10.0.0.1\"}"

typedef struct Fixture {
        sd_event *event;
        Origin *origin;
        char url[64], hint[300], dir[64], file[96];
        ManagementOptions options;
        Servers *servers;
        Err err;
} Fixture;

static void open_door(Fixture *f, OriginDoor door)
{
        memset(f, 0, sizeof(*f));
        assert_true(sd_event_new(&f->event) >= 0);
        f->origin = origin_new(f->event, door);
        (void) snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", origin_port(f->origin));
        f->options = (ManagementOptions){
                .url = f->url,
                .event = f->event,
                .total_usec = 3 * USEC_PER_SEC,
        };
        (void) snprintf(f->dir, sizeof(f->dir), "/tmp/edge-roll-management-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        (void) snprintf(f->file, sizeof(f->file), "%s/password", f->dir);
        (void) unsetenv(PASSWORD_ENV);
        (void) unsetenv("CREDENTIALS_DIRECTORY");
}

static void close_door(Fixture *f)
{
        (void) unlink(f->file);
        assert_int_equal(rmdir(f->dir), 0);
        (void) servers_free(f->servers);
        (void) origin_free(f->origin);
        (void) sd_event_unref(f->event);
        (void) unsetenv(PASSWORD_ENV);
        (void) unsetenv("CREDENTIALS_DIRECTORY");
}

static void write_password(const Fixture *f, const char *text, size_t len, mode_t mode)
{
        int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, len), len);
        assert_int_equal(fchmod(fd, mode), 0);
        (void) close(fd);
}

static int fetch(Fixture *f)
{
        f->servers = servers_free(f->servers);
        f->err = (Err){ 0 };
        return management_fetch(&f->servers, &f->options, f->hint, sizeof(f->hint), &f->err);
}

static void fetch_well(Fixture *f)
{
        if (fetch(f) != 0)
                fail_msg("%s", f->err.text);
}

/* It fails with @code, the sentence says @text, and the hint what to do. */
static void fetch_badly(Fixture *f, int code, const char *text, const char *hint)
{
        int r = fetch(f);
        if (r != code)
                fail_msg("%d (%s), expected %d", r, r < 0 ? f->err.text : "", code);
        if (!strstr(f->err.text, text))
                fail_msg("\"%s\" does not say \"%s\"", f->err.text, text);
        if (!strstr(f->hint, hint))
                fail_msg("the hint \"%s\" does not say \"%s\"", f->hint, hint);
        assert_null(f->servers);
}

/* A version that knows nothing of regions, and needs no password. */
static void test_one_list(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "*", 404, "no");
        origin_serve(f.origin, "/v1/servers?pod=gateway", 200, "[" ROW("a", "router", "dc-1") "]");
        fetch_well(&f);
        assert_int_equal(f.servers->n, 1);
        assert_null(strcasestr(origin_last_request(f.origin), "authorization"));
        close_door(&f);
}

static void test_every_region(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/v1/servers?pod=gateway", 200,
                     "[" ROW("a", "router", "dc-1") "," ROW("b", "kms-datastore", "dc-1") "]");
        origin_serve(f.origin, "/v1/regions", 200, "[\"dc-1\",\"dc 2\"]");
        origin_serve(f.origin, "/v1/servers?region=dc-1", 200, "[" ROW("a", "router", "dc-1") "]");
        origin_serve(f.origin, "/v1/servers?region=dc%202", 200, "[" ROW("c", "router", "dc 2") "]");
        fetch_well(&f);
        assert_int_equal(f.servers->n, 3); /* each once */
        assert_int_equal(origin_requests(f.origin), 4);

        f.options.region = "dc 2";
        fetch_well(&f);
        assert_int_equal(f.servers->n, 3);
        assert_int_equal(origin_requests(f.origin), 7);
        close_door(&f);
}

/* A region that cannot be asked has nodes all the same: no list is better than a short one. */
static void test_one_region_fails(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "/v1/servers?pod=gateway", 200, "[" ROW("a", "router", "dc-1") "]");
        origin_serve(f.origin, "/v1/regions", 200, "[\"dc-1\",\"dc-2\"]");
        origin_serve(f.origin, "/v1/servers?region=dc-1", 200, "[]");
        origin_serve(f.origin, "/v1/servers?region=dc-2", 502, "bad gateway");
        fetch_badly(&f, -EPROTO, "Region dc-2", "system.log");
        close_door(&f);
}

static void test_paths_of_the_base(void **state _unused_)
{
        static const char *const ends[] = { "", "/", "/v1", "/v1/", "//" };
        for (size_t i = 0; i < ELEMENTS(ends); i++) {
                Fixture f;
                char url[100];
                open_door(&f, ORIGIN_OPEN);
                origin_serve(f.origin, "*", 404, "no");
                origin_serve(f.origin, "/v1/servers?pod=gateway", 200, "[]");
                (void) snprintf(url, sizeof(url), "%s%s", f.url, ends[i]);
                f.options.url = url;
                fetch_well(&f);
                close_door(&f);
        }
}

static void test_bad_urls(void **state _unused_)
{
        static const char *const urls[] = {
                "",           "10.0.0.9:8080", "ftp://x",    "http://",    "http:///v1",
                "http://x?y", "http://x#y",    "http://a b", "http://x\n", "http://:8080",
        };
        Err err;
        for (size_t i = 0; i < ELEMENTS(urls); i++)
                assert_int_equal(api_url_ok(urls[i], &err), -EINVAL);
        /* A secret in it is not repeated. */
        assert_int_equal(api_url_ok("http://admin:s3cret@x:8080", &err), -EINVAL);
        assert_null(strstr(err.text, "s3cret"));
        assert_non_null(strstr(err.text, "management_password_file"));
        assert_int_equal(api_url_ok("https://ms.example.com:8443/a@b", &err), 0);
}

/* Each with its own sentence, and what to do. */
static void test_statuses(void **state _unused_)
{
        static const struct {
                int status, code;
                const char *text, *hint;
        } rows[] = {
                { 401, -EACCES, "does not take user admin with the password from $EDGE_ROLL", "curl -u" },
                { 403, -EACCES, "may not do that", "system administrator" },
                { 404, -ENOENT, "there is no such API", "without /v1" },
                { 301, -EPROTO, "answered 301", "sends to another place" },
                { 302, -EPROTO, "answered 302", "sends to another place" },
                { 500, -EPROTO, "answered 500", "system.log" },
                { 503, -EPROTO, "answered 503", "system.log" },
                { 418, -EPROTO, "answered 418", "the URL" },
                { 204, -EPROTO, "answered 204", "the URL" },
        };
        /* Without a word, and with the status once more in the shape of Edge's words. */
        for (size_t i = 0; i < 2 * ELEMENTS(rows); i++) {
                Fixture f;
                char again[40];
                bool twice = i >= ELEMENTS(rows);
                open_door(&f, ORIGIN_OPEN);
                assert_int_equal(setenv(PASSWORD_ENV, "s3cret", 1), 0);
                f.options.user = "admin";
                (void) snprintf(again, sizeof(again), "{\"code\": \"%d\"}", rows[i % ELEMENTS(rows)].status);
                origin_serve(f.origin, "*", rows[i % ELEMENTS(rows)].status, twice ? again : "");
                int r = fetch(&f);
                if (r != rows[i % ELEMENTS(rows)].code || !strstr(f.err.text, rows[i % ELEMENTS(rows)].text))
                        fail_msg("%d: %d %s", rows[i % ELEMENTS(rows)].status, r, f.err.text);
                if (!strstr(f.hint, rows[i % ELEMENTS(rows)].hint))
                        fail_msg("%d: %s", rows[i % ELEMENTS(rows)].status, f.hint);
                assert_null(strstr(f.err.text, "s3cret"));
                assert_null(strstr(f.hint, "s3cret"));
                assert_int_equal(origin_requests(f.origin), 1); /* not tried again, not followed */
                close_door(&f);
        }
}

static void test_bodies(void **state _unused_)
{
        static const struct {
                const char *body, *text;
        } rows[] = {
                { "<html>Sign in</html>", "an HTML or XML page" },
                { "[{\"uUID\":\"a\"", "Not JSON" },
                { "", "an empty answer" },
                { "{\"message\":\"x\"}", "no list of servers but" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                Fixture f;
                open_door(&f, ORIGIN_OPEN);
                origin_serve(f.origin, "*", 200, rows[i].body);
                fetch_badly(&f, -EBADMSG, rows[i].text, "a proxy or the UI");
                close_door(&f);
        }
}

static void expect_reply(OriginReply reply, int code, const char *text, const char *hint)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        f.options.total_usec = 500 * USEC_PER_MSEC;
        origin_on(f.origin, "*", reply);
        fetch_badly(&f, code, text, hint);
        close_door(&f);
}

static void test_slow_cut_and_endless(void **state _unused_)
{
        expect_reply((OriginReply){ .text = "", .end = ORIGIN_HANG }, -ETIMEDOUT, "no answer", "overloaded");
        expect_reply((OriginReply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
                                    .end = ORIGIN_CLOSE },
                     -EIO, "stopped before its end", "half an answer");
        expect_reply((OriginReply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
                                    .filler = "x",
                                    .filler_bytes = 100,
                                    .drip_usec = 100 * USEC_PER_MSEC },
                     -EIO, "stopped before its end", "half an answer");
        expect_reply((OriginReply){ .text = "SSH-2.0-OpenSSH\r\n", .end = ORIGIN_CLOSE }, -EBADMSG,
                     "not HTTP", "another service");

        /* 20 MB: given up long before the end. */
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        f.options.total_usec = 20 * USEC_PER_SEC;
        origin_on(f.origin, "*",
                  (OriginReply){ .text = "HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n",
                                 .filler = "[{\"uUID\":\"0\"},",
                                 .filler_bytes = 20971520 });
        fetch_badly(&f, -E2BIG, "8 MiB at most", "no answer of the management API");
        assert_true(origin_bytes_sent(f.origin) < 20971520);
        close_door(&f);
}

static void test_nobody_there(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        f.origin = origin_free(f.origin);
        fetch_badly(&f, -ECONNREFUSED, "refused", "8080");
        f.options.url = "https://127.0.0.1:1";
        fetch_badly(&f, -ECONNREFUSED, "refused", "8080");
        close_door(&f);

        open_door(&f, ORIGIN_FULL);
        f.options.connect_usec = 200 * USEC_PER_MSEC;
        fetch_badly(&f, -ETIMEDOUT, "no connection", "firewall");
        close_door(&f);

        open_door(&f, ORIGIN_OPEN);
        origin_on(f.origin, "*", (OriginReply){ .text = "x", .end = ORIGIN_CLOSE });
        char url[64];
        (void) snprintf(url, sizeof(url), "https://127.0.0.1:%u", origin_port(f.origin));
        f.options.url = url;
        fetch_badly(&f, -EIO, "TLS", "management_ca");
        close_door(&f);
}

/* ---- the password ---- */

static void test_where_the_password_comes_from(void **state _unused_)
{
        static const char by_env[] = "Basic YWRtaW46ZW52",
                          by_cred[] = "Basic YWRtaW46Y3JlZA==", by_file[] = "Basic YWRtaW46ZmlsZQ==";
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        origin_serve(f.origin, "*", 404, "no");
        origin_serve(f.origin, "/v1/servers?pod=gateway", 200, "[]");
        f.options.user = "admin";
        fetch_badly(&f, -EACCES, "no password for user admin", "management_password_file");
        assert_int_equal(origin_requests(f.origin), 0);

        write_password(&f, "file\n", 5, 0640);
        f.options.password_file = f.file;
        fetch_well(&f);
        assert_non_null(strstr(origin_last_request(f.origin), by_file));

        char path[200];
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", f.dir, 1), 0);
        fetch_well(&f); /* that credential is not there */
        assert_non_null(strstr(origin_last_request(f.origin), by_file));
        (void) snprintf(path, sizeof(path), "%s/" PASSWORD_CREDENTIAL, f.dir);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
        assert_int_equal(write(fd, "cred", 4), 4);
        (void) close(fd);
        fetch_well(&f);
        assert_non_null(strstr(origin_last_request(f.origin), by_cred));

        assert_int_equal(setenv(PASSWORD_ENV, "env", 1), 0);
        fetch_well(&f);
        assert_non_null(strstr(origin_last_request(f.origin), by_env));
        assert_int_equal(unlink(path), 0);
        close_door(&f);
}

/* Children inherit the environment, and /proc shows it. */
static void test_hidden(void **state _unused_)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                char from[600], *env, *password = NULL, given[] = PASSWORD_ENV "=s3cret";
                (void) putenv(given);
                env = getenv(PASSWORD_ENV);
                password_hide();
                bool good = !getenv(PASSWORD_ENV) && !*env && prctl(PR_GET_DUMPABLE) == 0;
                for (int i = 0; i < 2; i++) {
                        good = good && password_find(NULL, &password, from, sizeof(from), NULL) == 0 &&
                               password && strcmp(password, "s3cret") == 0 &&
                               strcmp(from, "$" PASSWORD_ENV) == 0;
                        password = password_free(password);
                }
                _exit(good ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_bad_passwords(void **state _unused_)
{
        char longer[PASSWORD_MAX + 2];
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        f.options.user = "admin";
        f.options.password_file = f.file;

        fetch_badly(&f, -ENOENT, f.file, "");
        write_password(&f, "s3cret", 6, 0644);
        fetch_badly(&f, -EACCES, "mode 644", "");
        write_password(&f, "", 0, 0600);
        fetch_badly(&f, -EINVAL, "is empty", "");
        write_password(&f, "a\nb\n", 4, 0600);
        fetch_badly(&f, -EINVAL, "one line", "");
        write_password(&f, "a\0b", 3, 0600);
        fetch_badly(&f, -EINVAL, "one line", "");
        memset(longer, 's', sizeof(longer));
        write_password(&f, longer, sizeof(longer), 0600);
        fetch_badly(&f, -EINVAL, "one line", "");
        assert_null(strstr(f.err.text, "sss"));
        f.options.password_file = f.dir;
        fetch_badly(&f, -EINVAL, "no ordinary file", "");
        assert_int_equal(setenv(PASSWORD_ENV, "", 1), 0);
        fetch_badly(&f, -EINVAL, "is empty in $EDGE_ROLL_MANAGEMENT_PASSWORD", "");
        assert_int_equal(origin_requests(f.origin), 0);
        close_door(&f);
}

/* Without a user nothing is sent, whatever password there is. */
static void test_no_user(void **state _unused_)
{
        Fixture f;
        open_door(&f, ORIGIN_OPEN);
        assert_int_equal(setenv(PASSWORD_ENV, "s3cret", 1), 0);
        origin_serve(f.origin, "*", 401, "");
        fetch_badly(&f, -EACCES, "wants a user and a password", "management_user");
        assert_null(strcasestr(origin_last_request(f.origin), "authorization"));
        close_door(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_list),         cmocka_unit_test(test_every_region),
                cmocka_unit_test(test_one_region_fails), cmocka_unit_test(test_paths_of_the_base),
                cmocka_unit_test(test_bad_urls),         cmocka_unit_test(test_statuses),
                cmocka_unit_test(test_bodies),           cmocka_unit_test(test_slow_cut_and_endless),
                cmocka_unit_test(test_nobody_there),     cmocka_unit_test(test_where_the_password_comes_from),
                cmocka_unit_test(test_hidden),           cmocka_unit_test(test_bad_passwords),
                cmocka_unit_test(test_no_user),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
