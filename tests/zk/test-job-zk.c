/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A job that stands in line in a real ensemble: whom it asks whether he serves, and when. Another node of the
 * pool is an HTTP server of this test.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/job-impl.h"
#include "agent/place-ask.h"
#include "base/cleanup.h"
#include "tests/lib/ensemble.h"
#include "tests/lib/ns.h"
#include "tests/lib/until.h"

#define POOL      "router/gateway"
#define MATE_PORT 18999
#define OWN_UUID  "00000000-0000-0000-0000-000000000001"
#define MATE_UUID "00000000-0000-0000-0000-000000000002"

static sd_event *loop;
static char dir[64];
static Config *config;
static Conns *conns;
static Http *http;
static Unwritten unwritten;

static ZkOptions zk_options(void)
{
        ZkOptions o = { .session_usec = config->lock_session_usec };
        Err err = { 0 };
        assert_int_equal(lock_spec_parse("zookeeper://" ENSEMBLE_BIG, &o.spec, &err), 0);
        return o;
}

/* ---- what is asked of ZooKeeper beside the job ---- */

typedef struct Seen {
        bool done;
        int out;
} Seen;

static void on_seen(int r, const char *text, cJSON *show, void *userdata)
{
        Seen *s = userdata;
        (void) text;
        assert_int_equal(r, 0);
        s->done = true;
        s->out = show ? cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(show, "out")) : -1;
}

static bool is_seen(void *s)
{
        return ((Seen *) s)->done;
}

static int out_there(void)
{
        PlaceQuestion q = { .kind = PLACE_SHOW, .pool = POOL, .limit_usec = 5 * USEC_PER_SEC };
        PlaceAsk *a;
        Seen s = { 0 };
        Err err = { 0 };
        q.zk = zk_options();
        assert_int_equal(place_ask(&a, loop, &q, on_seen, &s, &err), 0);
        assert_true(until_so(loop, is_seen, &s, 20 * USEC_PER_SEC));
        return s.out;
}

/* ---- the mate ---- */

typedef struct Mate {
        int listener, client;
        Seen changed; /* the pool, while it was being asked */
} Mate;

static unsigned mate_asked;

static void mate_says(const Mate *m, const char *status)
{
        char answer[128];
        int n = snprintf(answer, sizeof(answer),
                         "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
        assert_int_equal(write(m->client, answer, (size_t) n), n);
        (void) close(m->client);
}

static void on_resized(int r, const char *text, cJSON *show, void *userdata)
{
        Mate *m = userdata;
        on_seen(r, text, show, &m->changed);
        mate_says(m, "200 OK");
}

/* It serves when it is asked first; before it says so the size of the pool is written anew, which makes what
 * the job has read of it old. Then it serves no more. */
static int on_request(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Mate *m = userdata;
        char request[2048];
        (void) revents;
        assert_true(read(fd, request, sizeof(request)) > 0);
        sd_event_source_unref(s);
        if (mate_asked++ > 0) {
                mate_says(m, "503 Service Unavailable");
                return 0;
        }
        PlaceQuestion q = { .kind = PLACE_SIZE,
                            .pool = POOL,
                            .size = 1,
                            .limit_usec = 5 * USEC_PER_SEC,
                            .zk = zk_options() };
        PlaceAsk *a;
        Err err = { 0 };
        assert_int_equal(place_ask(&a, loop, &q, on_resized, m, &err), 0);
        return 0;
}

static int on_connection(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Mate *m = userdata;
        sd_event_source *client;
        (void) s;
        (void) revents;
        m->client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        assert_true(m->client >= 0);
        assert_true(sd_event_add_io(loop, &client, m->client, EPOLLIN, on_request, m) >= 0);
        return 0;
}

static bool is_registered(void *p)
{
        return place_state(p) == PLACE_TURN;
}

/* Members are those that have stood in line before. */
static void mate_registers(void)
{
        static const PlaceHandlers none = { 0 };
        PlaceOptions o = { .pool = POOL, .uuid = MATE_UUID, .name = "r2", .by = "test", .zk = zk_options() };
        Place *p;
        Err err = { 0 };
        place_id(o.id);
        (void) snprintf(o.address, sizeof(o.address), "127.0.0.1:%d", MATE_PORT);
        assert_int_equal(place_new(&p, loop, &o, PLACE_TAKE, &none, NULL, &err), 0);
        assert_true(until_so(loop, is_registered, p, 20 * USEC_PER_SEC));
        assert_null(place_free(p));
}

static void mate_listens(Mate *m, sd_event_source **ret)
{
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons(MATE_PORT),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        *m = (Mate){ .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        assert_true(m->listener >= 0);
        assert_int_equal(bind(m->listener, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(m->listener, 8), 0);
        assert_true(sd_event_add_io(loop, ret, m->listener, EPOLLIN, on_connection, m) >= 0);
}

/* ---- the job ---- */

static Result ended;

static void on_told(Job *job, uint64_t seq, const char *json, void *userdata)
{
        (void) seq;
        (void) json;
        (void) userdata;
        /* What comes behind `place` refuses. */
        if (job->placed)
                fail_msg("it goes out, and has asked %u times", mate_asked);
}

static void on_ended(Job *job, Result result, void *userdata)
{
        (void) job;
        (void) userdata;
        ended = result;
}

static void no_fd(JobPlace place, int fd, void *userdata)
{
        (void) place;
        (void) fd;
        (void) userdata;
}

static bool is_over(void *job)
{
        return ((Job *) job)->over;
}

static Job *job_in_line(void)
{
        static const JobEnv env = { .keep_fd = no_fd, .told = on_told, .ended = on_ended };
        JobEnv e = env;
        JobOptions options = { .by = "test",
                               .persistent = PERSISTENT_INVALID,
                               .at_cap = AT_CAP_INVALID,
                               .mp_leave = MP_LEAVE_INVALID };
        Job *job;
        Err err = { 0 };
        e.event = loop;
        e.config = config;
        e.conns = conns;
        e.http = http;
        e.unwritten = &unwritten;
        ended = RESULT_INVALID;
        assert_int_equal(job_new(&job, &e, 1, config_component(config, "router"), ROLL_RESTART, &options,
                                 &err),
                         0);
        job->facts.self_known = true;
        (void) snprintf(job->facts.self.uuid, sizeof(job->facts.self.uuid), OWN_UUID);
        roll_start(job->roll, PHASE_PLACE, time_now());
        return job;
}

/* ---- the tests ---- */

/* Whoever had served when it was our turn may do so no more when it is our turn again. */
static void who_could_not_go_out_asks_the_others_once_more(void **state)
{
        Mate m;
        sd_event_source *s;
        (void) state;
        mate_registers();
        mate_listens(&m, &s);
        Job *job = job_in_line();
        assert_true(until_so(loop, is_over, job, 30 * USEC_PER_SEC));
        assert_true(m.changed.done);
        assert_int_equal(mate_asked, 2);
        assert_int_equal(ended, RESULT_REFUSED);
        assert_non_null(strstr(job->failure, "nobody else of the pool serves: r2: not up"));
        assert_int_equal(out_there(), 0);
        job_zk_drop(job);
        assert_null(job_free(job));
        sd_event_source_unref(s);
        assert_int_equal(close(m.listener), 0);
}

static int setup(void **state)
{
        char path[] = "/tmp/test-job-zk-conf-XXXXXX", text[256];
        int fd = mkstemp(path);
        Err err = { 0 };
        (void) state;
        (void) snprintf(dir, sizeof(dir), "/tmp/test-job-zk-XXXXXX");
        if (fd < 0 || !mkdtemp(dir))
                return -1;
        (void) snprintf(text, sizeof(text),
                        "[agent]\nstate_dir = %s\n[pool]\nname = gateway\nlock = zookeeper://" ENSEMBLE_BIG
                        "\n",
                        dir);
        bool good = write(fd, text, strlen(text)) == (ssize_t) strlen(text) &&
                    config_load(&config, path, "/nonexistent", &err) == 0;
        (void) close(fd);
        (void) unlink(path);
        if (!good)
                (void) fprintf(stderr, "%s\n", err.text);
        return good && conns_new(&conns, &err) == 0 && sd_event_new(&loop) >= 0 &&
                               http_new(&http, loop, &err) == 0 && ensemble_start()
                       ? 0
                       : -1;
}

static int teardown(void **state)
{
        static const char *const left[] = { "place-router.json", "pool-router.json", "last-router.json" };
        char path[128];
        (void) state;
        ensemble_end();
        http = http_free(http);
        loop = sd_event_unref(loop);
        conns_free(conns);
        config_free(config);
        unwritten_done(&unwritten);
        for (size_t i = 0; i < ELEMENTS(left); i++) {
                (void) snprintf(path, sizeof(path), "%s/%s", dir, left[i]);
                (void) unlink(path);
        }
        return rmdir(dir);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_could_not_go_out_asks_the_others_once_more),
        };
        const char *why = ensemble_missing();
        if (!why)
                why = ns_enter();
        if (why) {
                (void) printf("%s\n", why);
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
