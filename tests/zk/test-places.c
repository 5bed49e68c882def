/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What becomes of the places of a node beyond the job that took them, in a real ensemble: given back when the
 * component is no longer out, and only then; never that of the job that comes next.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/place-ask.h"
#include "agent/places.h"
#include "base/cleanup.h"
#include "tests/lib/ensemble.h"
#include "tests/lib/ns.h"
#include "tests/lib/until.h"

#define POOL    "router/dc-1/gateway"
#define PORT    15999
#define SESSION (2 * USEC_PER_SEC)

static sd_event *loop;
static char dir[64];
static Config *config;
static Conns *conns;

static PlaceOptions options(void)
{
        PlaceOptions o = { .pool = POOL,
                           .uuid = "00000000-0000-0000-0000-000000000001",
                           .name = "r1",
                           .by = "test",
                           .reason = "proof" };
        Err err = { 0 };
        o.zk.session_usec = SESSION;
        assert_int_equal(lock_spec_parse("zookeeper://" ENSEMBLE_BIG, &o.zk.spec, &err), 0);
        place_id(o.id);
        return o;
}

/* ---- a job: goes out and stays ---- */

static bool was_stolen;

static void on_changed(Place *p, void *userdata)
{
        (void) userdata;
        if (place_state(p) == PLACE_TURN)
                (void) place_go_out(p);
}

static void on_stolen(Place *p, void *userdata)
{
        (void) p;
        (void) userdata;
        was_stolen = true;
}

static const PlaceHandlers handlers = { .changed = on_changed, .stolen = on_stolen };

static bool is_out(void *p)
{
        return place_state(p) == PLACE_OUT;
}

static bool is_stolen(void *unused)
{
        (void) unused;
        return was_stolen;
}

static Place *go_out(void)
{
        PlaceOptions o = options();
        Place *p;
        Err err = { 0 };
        was_stolen = false;
        assert_int_equal(places_write(dir, "router", &o, "", &err), 0);
        assert_int_equal(place_new(&p, loop, &o, PLACE_TAKE, &handlers, NULL, &err), 0);
        assert_true(until_so(loop, is_out, p, 20 * USEC_PER_SEC));
        return p;
}

/* ---- what is there ---- */

static bool has_record(void)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/place-router.json", dir);
        return access(path, F_OK) == 0;
}

static int seen_out = -1;

static void on_seen(int r, const char *text, cJSON *show, void *userdata)
{
        (void) text;
        (void) userdata;
        assert_int_equal(r, 0);
        seen_out = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(show, "out"));
}

static bool is_seen(void *unused)
{
        (void) unused;
        return seen_out >= 0;
}

static int out_there(void)
{
        PlaceQuestion q = { .kind = PLACE_SHOW, .pool = POOL, .limit_usec = 5 * USEC_PER_SEC };
        PlaceAsk *a;
        Err err = { 0 };
        q.zk = options().zk;
        seen_out = -1;
        assert_int_equal(place_ask(&a, loop, &q, on_seen, NULL, &err), 0);
        assert_true(until_so(loop, is_seen, NULL, 20 * USEC_PER_SEC));
        return seen_out;
}

static bool is_settled(void *p)
{
        return !places_pending(p, NULL, 0) && !has_record();
}

static int component_starts(void)
{
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons(PORT),
                                 .sin_addr.s_addr = htonl(INADDR_ANY) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 8), 0);
        return fd;
}

/* ---- the tests ---- */

/* One that does not run is out, whoever has ended its job: behind a boot it comes up by itself, and nobody
 * calls. */
static void one_that_is_not_up_yet_keeps_its_place_and_is_looked_at_again(void **state)
{
        Places *p;
        (void) state;
        assert_null(place_free(go_out()));
        assert_int_equal(places_new(&p, loop), 0);
        assert_true(places_settle(p, config, conns, NULL));
        assert_false(places_pending(p, NULL, 0));
        assert_int_equal(out_there(), 1);
        assert_true(has_record());

        int fd = component_starts();
        assert_false(places_settle(p, config, conns, NULL));
        assert_true(places_pending(p, NULL, 0));
        assert_true(until_so(loop, is_settled, p, 20 * USEC_PER_SEC));
        assert_int_equal(out_there(), 0);
        assert_false(places_settle(p, config, conns, NULL));
        assert_null(places_free(p));
        assert_int_equal(close(fd), 0);
}

/* The ensemble is away while the place of a job is given back, and its node goes out again meanwhile. */
static void the_next_job_keeps_what_the_one_before_gives_back(void **state)
{
        Places *p;
        Place *next;
        int fd = component_starts();
        (void) state;
        assert_null(place_free(go_out()));
        assert_int_equal(places_new(&p, loop), 0);
        assert_false(places_settle(p, config, conns, NULL));
        assert_true(places_pending(p, NULL, 0));
        /* Before anything of it was sent. */
        places_drop(p, "router");
        assert_false(places_pending(p, NULL, 0));
        next = go_out();
        assert_false(until_so(loop, is_stolen, NULL, 2 * USEC_PER_SEC));
        assert_true(has_record());
        assert_int_equal(out_there(), 1);

        places_adopt(p, "router", next);
        assert_false(places_settle(p, config, conns, NULL));
        assert_true(until_so(loop, is_settled, p, 20 * USEC_PER_SEC));
        assert_int_equal(out_there(), 0);
        assert_null(places_free(p));
        assert_int_equal(close(fd), 0);
}

static void a_record_that_cannot_be_read_is_told_and_tried_again(void **state)
{
        Places *p;
        PlaceOptions o = options();
        char text[512];
        int fd = component_starts();
        Err err = { 0 };
        (void) state;
        assert_int_equal(places_write(dir, "router", &o, "/nonexistent/password", &err), 0);
        assert_int_equal(places_new(&p, loop), 0);
        assert_true(places_settle(p, config, conns, NULL));
        assert_true(places_pending(p, text, sizeof(text)));
        assert_non_null(strstr(text, "/nonexistent/password"));
        assert_int_equal(places_write(dir, "router", &o, "", &err), 0);
        assert_false(places_settle(p, config, conns, NULL));
        assert_true(until_so(loop, is_settled, p, 20 * USEC_PER_SEC));
        assert_null(places_free(p));
        assert_int_equal(close(fd), 0);
}

static int setup(void **state)
{
        char path[] = "/tmp/test-places-conf-XXXXXX", text[128];
        int fd = mkstemp(path);
        Err err = { 0 };
        (void) state;
        (void) snprintf(dir, sizeof(dir), "/tmp/test-places-XXXXXX");
        if (fd < 0 || !mkdtemp(dir))
                return -1;
        (void) snprintf(text, sizeof(text), "[agent]\nstate_dir = %s\n", dir);
        bool good = write(fd, text, strlen(text)) == (ssize_t) strlen(text) &&
                    config_load(&config, path, "/nonexistent", &err) == 0;
        (void) close(fd);
        (void) unlink(path);
        if (!good)
                (void) fprintf(stderr, "%s\n", err.text);
        return good && conns_new(&conns, &err) == 0 && sd_event_new(&loop) >= 0 && ensemble_start() ? 0 : -1;
}

static int teardown(void **state)
{
        (void) state;
        ensemble_end();
        loop = sd_event_unref(loop);
        conns_free(conns);
        config_free(config);
        return rmdir(dir);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_that_is_not_up_yet_keeps_its_place_and_is_looked_at_again),
                cmocka_unit_test(the_next_job_keeps_what_the_one_before_gives_back),
                cmocka_unit_test(a_record_that_cannot_be_read_is_told_and_tried_again),
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
