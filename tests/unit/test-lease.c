/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The lease: what each call answers, and every order of events up to a length, with two rolls and a clock. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/bus.h"
#include "agent/lease.h"
#include "agent/leases.h"
#include "agent/pool.h"

#define SEC USEC_PER_SEC
#define TTL (30 * SEC)
#define T0  (1000 * SEC)

static LeaseAnswer take(Lease *l, const char *holder, const LeaseNode *node, bool accept_out, Usec now)
{
        LeaseAsk ask = { .holder = holder,
                         .by = "uid 0 (root)",
                         .ttl_usec = TTL,
                         .accept_out = accept_out,
                         .now_wall_usec = now };
        return lease_take(l, &ask, node, now);
}

static const LeaseNode idle = { 0 };

/* Asked for over a link that was cut, or of a node that was frozen: whoever asked has gone since. */
static void a_lease_that_is_asked_for_too_late_is_not_taken(void **state)
{
        Lease l = { 0 };
        LeaseAsk ask = { .holder = "roll-a", .by = "uid 0 (root)", .ttl_usec = TTL, .expires_usec = T0 };
        (void) state;
        assert_int_equal(lease_take(&l, &ask, &idle, T0 + 1), LEASE_EXPIRED);
        assert_false(lease_current(&l, T0 + 1));
        assert_int_equal(l.epoch, 0);
        assert_int_equal(lease_take(&l, &ask, &idle, T0), LEASE_OK);
        /* Not even one's own again: that would void the orders of a later call. */
        assert_int_equal(lease_take(&l, &ask, &idle, T0 + 1), LEASE_EXPIRED);
        assert_int_equal(l.epoch, 1);
}

static void a_lease_is_taken_renewed_and_given(void **state)
{
        Lease l = { 0 };
        char text[400];
        (void) state;
        assert_false(lease_current(&l, T0));
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        assert_int_equal(l.epoch, 1);
        assert_true(lease_current(&l, T0 + TTL - 1));
        assert_false(lease_current(&l, T0 + TTL));
        assert_int_equal(lease_left(&l, T0 + 10 * SEC), 20 * SEC);
        assert_int_equal(lease_renew(&l, 1, T0 + 10 * SEC), LEASE_OK);
        assert_true(lease_current(&l, T0 + 39 * SEC));
        assert_non_null(strstr(lease_text(&l, T0 + 11 * SEC, text, sizeof(text)), "roll-a, by uid 0 (root)"));
        assert_non_null(strstr(text, "for 29 s more"));
        assert_int_equal(lease_renew(&l, 2, T0 + 11 * SEC), LEASE_LOST);
        assert_int_equal(lease_give(&l, 0, T0 + 11 * SEC), LEASE_LOST);
        assert_true(lease_current(&l, T0 + 11 * SEC));
        assert_int_equal(lease_give(&l, 1, T0 + 11 * SEC), LEASE_OK);
        assert_false(lease_current(&l, T0 + 11 * SEC));
        /* Given back is given back: a late renewal does not make it come back. */
        assert_int_equal(lease_renew(&l, 1, T0 + 12 * SEC), LEASE_LOST);
        assert_int_equal(take(&l, "roll-b", &idle, false, T0 + 12 * SEC), LEASE_OK);
        assert_int_equal(l.epoch, 2);
}

static void nobody_else_gets_it_before_its_time(void **state)
{
        Lease l = { 0 };
        (void) state;
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        assert_int_equal(take(&l, "roll-b", &idle, true, T0 + TTL - 1), LEASE_TAKEN);
        assert_string_equal(l.holder, "roll-a");
        assert_int_equal(l.epoch, 1);
        assert_int_equal(take(&l, "roll-b", &idle, false, T0 + TTL), LEASE_OK);
        assert_string_equal(l.holder, "roll-b");
        /* The first one finds out, and cannot do anything any more. */
        assert_int_equal(lease_renew(&l, 1, T0 + TTL), LEASE_LOST);
        assert_int_equal(lease_give(&l, 1, T0 + TTL), LEASE_LOST);
        assert_int_equal(lease_order(&l, 1, "roll-a", 9, USEC_INFINITY, T0 + TTL), LEASE_LOST);
        assert_true(lease_current(&l, T0 + TTL));
}

static void the_same_roll_takes_it_anew_and_fences_its_former_self(void **state)
{
        LeaseNode own = { .job_holder = "roll-a", .job_placed = true, .out = true };
        Lease l = { 0 };
        (void) state;
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        lease_obey(&l, 5);
        assert_int_equal(take(&l, "roll-a", &own, false, T0 + SEC), LEASE_OK);
        assert_int_equal(l.epoch, 2);
        assert_int_equal(l.since_wall_usec, T0);
        assert_int_equal(lease_order(&l, 1, NULL, 6, USEC_INFINITY, T0 + SEC), LEASE_LOST);
        /* Its steps begin anew. */
        assert_int_equal(lease_order(&l, 2, NULL, 1, USEC_INFINITY, T0 + SEC), LEASE_OK);
        /* Its job runs still, though its time was over. */
        assert_int_equal(take(&l, "roll-a", &own, false, T0 + 10 * TTL), LEASE_OK);
        assert_int_equal(l.epoch, 3);
}

/* The name of a roll is told to everybody: it is no proof of being that roll. */
static void only_the_same_person_is_the_same_roll(void **state)
{
        LeaseAsk alice = { .holder = "roll-a", .by = "uid 1000 (alice)", .who = "1000", .ttl_usec = TTL },
                 bob = { .holder = "roll-a", .by = "uid 1001 (bob)", .who = "1001", .ttl_usec = TTL },
                 root = {
                         .holder = "roll-a", .by = "uid 0 (root)", .who = "0", .root = true, .ttl_usec = TTL
                 };
        LeaseNode working = { .job_holder = "roll-a", .job_placed = true };
        Lease l = { 0 }, read;
        bool anew;
        (void) state;
        assert_int_equal(lease_take(&l, &alice, &idle, T0), LEASE_OK);
        assert_true(lease_is_of(&l, "1000"));
        assert_false(lease_is_of(&l, "1001"));
        assert_false(lease_is_of(&l, "0 alice"));
        assert_int_equal(lease_take(&l, &bob, &idle, T0 + SEC), LEASE_TAKEN);
        assert_int_equal(lease_take(&l, &bob, &working, T0 + SEC), LEASE_TAKEN);
        assert_int_equal(l.epoch, 1);
        /* Its time is over, but not its job. */
        assert_int_equal(lease_take(&l, &bob, &working, T0 + TTL), LEASE_BUSY);
        assert_int_equal(lease_take(&l, &alice, &working, T0 + TTL), LEASE_OK);
        assert_int_equal(lease_take(&l, &root, &working, T0 + TTL + SEC), LEASE_OK);
        assert_int_equal(l.epoch, 3);
        assert_true(lease_is_of(&l, "0"));
        assert_int_equal(lease_take(&l, &bob, &idle, T0 + 3 * TTL), LEASE_OK);
        /* It is kept; a record of the release before says nothing, and then it is anybody's of its name. */
        cJSON *o = lease_to_json(&l);
        assert_int_equal(lease_from_json(&read, o, true, T0 + 3 * TTL, &anew, NULL), 0);
        assert_string_equal(read.who, "1001");
        cJSON_DeleteItemFromObject(o, "who");
        assert_int_equal(lease_from_json(&read, o, true, T0 + 3 * TTL, &anew, NULL), 0);
        assert_true(lease_is_of(&read, "1000"));
        cJSON_Delete(o);
}

static void a_job_keeps_others_away_whatever_the_clock_says(void **state)
{
        LeaseNode a_job = { .job_holder = "roll-a", .job_placed = true, .out = true };
        LeaseNode local = { .job_holder = "" };
        Lease l = { 0 };
        (void) state;
        assert_int_equal(take(&l, "roll-a", &local, true, T0), LEASE_BUSY);
        assert_int_equal(l.epoch, 0);
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        assert_int_equal(take(&l, "roll-b", &a_job, true, T0 + 10 * TTL), LEASE_BUSY);
        assert_int_equal(lease_steal(&l, &a_job, T0 + SEC), LEASE_BUSY);
        assert_int_equal(lease_steal(&l, &a_job, T0 + 10 * TTL), LEASE_BUSY);
        a_job.job_placed = false;
        assert_int_equal(lease_steal(&l, &a_job, T0 + SEC), LEASE_OK);
        assert_int_equal(lease_steal(&l, &idle, T0 + SEC), LEASE_LOST);
        assert_int_equal(lease_renew(&l, 1, T0 + SEC), LEASE_LOST);
}

static void a_node_that_is_out_is_only_taken_by_who_knows(void **state)
{
        LeaseNode held = { .out = true };
        Lease l = { 0 };
        (void) state;
        assert_int_equal(take(&l, "roll-a", &held, false, T0), LEASE_OUT);
        assert_int_equal(l.epoch, 0);
        assert_int_equal(take(&l, "roll-a", &held, true, T0), LEASE_OK);
        /* As long as it is its own it knows; afterwards somebody else may have taken it out. */
        assert_int_equal(take(&l, "roll-a", &held, false, T0 + SEC), LEASE_OK);
        assert_int_equal(take(&l, "roll-a", &held, false, T0 + SEC + TTL), LEASE_OUT);
}

static void an_order_is_obeyed_once_in_time_and_in_turn(void **state)
{
        Lease l = { 0 };
        Usec now = T0 + SEC;
        (void) state;
        assert_int_equal(lease_order(&l, 0, NULL, 1, USEC_INFINITY, now), LEASE_LOST);
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        assert_int_equal(lease_order(&l, 1, "roll-a", 0, now, now), LEASE_OK);
        assert_int_equal(lease_order(&l, 1, "roll-a", 0, now - 1, now), LEASE_EXPIRED);
        assert_int_equal(lease_order(&l, 1, "roll-b", 0, now, now), LEASE_LOST);
        assert_int_equal(lease_order(&l, 1, "", 0, now, now), LEASE_OK);
        assert_int_equal(lease_order(&l, 2, NULL, 0, now, now), LEASE_LOST);
        lease_obey(&l, 3);
        assert_int_equal(lease_order(&l, 1, NULL, 2, now, now), LEASE_STALE);
        assert_int_equal(lease_order(&l, 1, NULL, 3, now, now), LEASE_SAME);
        assert_int_equal(lease_order(&l, 1, NULL, 4, now, now), LEASE_OK);
        assert_int_equal(lease_order(&l, 1, NULL, 4, USEC_INFINITY, T0 + TTL), LEASE_LOST);
}

/* A step that cannot be kept exactly would make the record one that nobody reads. */
static void a_step_that_cannot_be_kept_is_not_obeyed(void **state)
{
        Lease l = { 0 }, read;
        bool anew;
        (void) state;
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        assert_int_equal(lease_order(&l, 1, NULL, UINT64_MAX, USEC_INFINITY, T0), LEASE_ABSURD);
        assert_int_equal(lease_order(&l, 1, NULL, LEASE_STEP_MAX + 1, USEC_INFINITY, T0), LEASE_ABSURD);
        assert_int_equal(lease_order(&l, 1, NULL, LEASE_STEP_MAX, USEC_INFINITY, T0), LEASE_OK);
        lease_obey(&l, LEASE_STEP_MAX);
        cJSON *o = lease_to_json(&l);
        assert_int_equal(lease_from_json(&read, o, true, T0, &anew, NULL), 0);
        assert_true(read.step == LEASE_STEP_MAX);
        cJSON_Delete(o);
        /* It is over with the epoch. */
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        assert_int_equal(lease_order(&l, 2, NULL, 1, USEC_INFINITY, T0), LEASE_OK);
}

/* ---- every order of events ---- */

#define DEPTH 6

typedef enum Event {
        EV_TAKE_A,
        EV_TAKE_B,
        EV_TAKE_B_KNOWING, /* accept-out */
        EV_RENEW_A,
        EV_RENEW_B,
        EV_GIVE_A,
        EV_ORDER_A, /* begins a job, which is placed at once when the lease holds */
        EV_ORDER_A_LATE,
        EV_JOB_ENDS, /* good */
        EV_JOB_HELD,
        EV_STEAL,
        EV_TIME, /* more than half of a life */
        EV_AGENT_DIES,
        EV_REBOOT,
        EVENT_COUNT,
} Event;

typedef struct World {
        Lease lease;
        Usec now;
        uint64_t epoch_a, epoch_b, highest; /* as each was told */
        Usec until_a, until_b;              /* ... how long it believes that it has it, on this clock */
        bool job, held;
        unsigned jobs;
        uint64_t step;
        uint64_t job_epoch;
} World;

static LeaseNode world_node(const World *w)
{
        return (LeaseNode){ .job_holder = w->job ? "a" : NULL,
                            .job_placed = w->job,
                            .out = w->job || w->held };
}

static void world_take(World *w, const char *who, bool knowing)
{
        LeaseNode node = world_node(w);
        Lease before = w->lease;
        bool a = *who == 'a';
        if (take(&w->lease, who, &node, knowing, w->now) != LEASE_OK) {
                assert_memory_equal(&before, &w->lease, sizeof(before));
                return;
        }
        /* Never two: who else was told that it is its own has been told until when. */
        assert_true(w->now >= (a ? w->until_b : w->until_a));
        /* From `place` on nobody else, and never into an outage unknowingly. */
        assert_true(a || !w->job);
        bool had = lease_current(&before, w->now);
        assert_true(a || !w->held || knowing || had);
        assert_true(w->lease.epoch > w->highest);
        w->highest = w->lease.epoch;
        *(a ? &w->epoch_a : &w->epoch_b) = w->lease.epoch;
        *(a ? &w->until_a : &w->until_b) = w->now + TTL;
        if (a)
                w->step = 0;
}

static void world_renew(World *w, bool a)
{
        uint64_t epoch = a ? w->epoch_a : w->epoch_b;
        if (lease_renew(&w->lease, epoch, w->now) != LEASE_OK)
                return;
        assert_int_equal(epoch, w->highest);
        assert_true(w->now >= (a ? w->until_b : w->until_a));
        *(a ? &w->until_a : &w->until_b) = w->now + TTL;
}

static void world_order(World *w, Usec expires)
{
        uint64_t step = w->step + 1;
        LeaseAnswer answer = lease_order(&w->lease, w->epoch_a, "a", step, expires, w->now);
        if (answer != LEASE_OK)
                return;
        assert_true(expires >= w->now);
        assert_int_equal(w->epoch_a, w->highest);
        assert_true(w->now >= w->until_b);
        if (w->job)
                return; /* busy: the step is not counted */
        lease_obey(&w->lease, step);
        w->step = step;
        assert_int_equal(lease_order(&w->lease, w->epoch_a, "a", step, expires, w->now), LEASE_SAME);
        w->job = true;
        w->jobs++;
}

/* What is on the disk is what the next agent knows. */
static void world_again(World *w, bool same_boot)
{
        cJSON *o = lease_to_json(&w->lease);
        Lease read;
        bool anew = false;
        if (!same_boot) {
                /* The clock begins anew; what people believe is on clocks of their own. */
                Usec left_a = time_left(w->until_a, w->now), left_b = time_left(w->until_b, w->now);
                w->now = SEC;
                w->until_a = left_a ? w->now + left_a : 0;
                w->until_b = left_b ? w->now + left_b : 0;
                w->job = false;
        }
        assert_int_equal(lease_from_json(&read, o, same_boot, w->now, &anew, NULL), 0);
        cJSON_Delete(o);
        assert_int_equal(anew, w->lease.held && !same_boot);
        assert_int_equal(read.epoch, w->lease.epoch);
        assert_int_equal(read.has_step, w->lease.has_step);
        assert_int_equal(read.step, w->lease.step);
        if (same_boot)
                assert_int_equal(lease_left(&read, w->now), lease_left(&w->lease, w->now));
        else if (w->lease.held)
                assert_int_equal(lease_left(&read, w->now), TTL);
        w->lease = read;
}

static void world_event(World *w, Event e)
{
        LeaseNode node = world_node(w);
        switch (e) {
        case EV_TAKE_A:
                world_take(w, "a", w->held);
                break;
        case EV_TAKE_B:
        case EV_TAKE_B_KNOWING:
                world_take(w, "b", e == EV_TAKE_B_KNOWING);
                break;
        case EV_RENEW_A:
        case EV_RENEW_B:
                world_renew(w, e == EV_RENEW_A);
                break;
        case EV_GIVE_A:
                if (lease_give(&w->lease, w->epoch_a, w->now) == LEASE_OK)
                        w->until_a = 0;
                break;
        case EV_ORDER_A:
        case EV_ORDER_A_LATE:
                world_order(w, e == EV_ORDER_A ? w->now + SEC : w->now - 1);
                break;
        case EV_JOB_ENDS:
        case EV_JOB_HELD:
                w->held = w->job ? e == EV_JOB_HELD : w->held;
                w->job = false;
                break;
        case EV_STEAL:
                if (lease_steal(&w->lease, &node, w->now) == LEASE_OK) {
                        assert_false(w->job);
                        w->until_a = w->until_b = 0; /* a person has said so */
                }
                break;
        case EV_TIME:
                w->now += 20 * SEC;
                break;
        case EV_AGENT_DIES:
        case EV_REBOOT:
                world_again(w, e == EV_AGENT_DIES);
                break;
        default:
                fail();
        }
        assert_true(w->lease.epoch >= w->highest);
        if (w->jobs > 0)
                assert_true(w->lease.epoch > 0);
}

static unsigned long sequences, with_jobs, given_to_b;

static void try_sequences(const World *before, int left)
{
        for (Event e = 0; e < EVENT_COUNT; e++) {
                World w = *before;
                world_event(&w, e);
                if (left > 1) {
                        try_sequences(&w, left - 1);
                        continue;
                }
                sequences++;
                with_jobs += w.jobs > 0;
                given_to_b += w.epoch_b > 0 && w.jobs > 0;
        }
}

static void every_order_of_events_has_one_holder(void **state)
{
        World w = { .now = T0 };
        (void) state;
        try_sequences(&w, DEPTH);
        print_message("%lu orders of events, %lu with a job, %lu with both rolls\n", sequences, with_jobs,
                      given_to_b);
        assert_true(with_jobs > 1000 && given_to_b > 1000);
}

/* ---- the record ---- */

static void a_record_that_makes_no_sense_is_told(void **state)
{
        static const struct {
                const char *text, *key;
        } bad[] = {
                { "{}", "epoch" },
                { "{\"epoch\":-1}", "epoch" },
                { "{\"epoch\":\"1\"}", "epoch" },
                { "{\"epoch\":1}", "held" },
                { "{\"epoch\":1,\"held\":1}", "held" },
                { "{\"epoch\":1,\"held\":true}", "holder" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\"}", "by" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\"}", "ttl" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"-1\"}", "ttl" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"1x\"}", "ttl" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"1\"}", "until" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"1\",\"until\":\"5\"}",
                  "since" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"1\",\"until\":\"5\","
                  "\"since\":\"5\",\"step\":\"x\"}",
                  "step" },
                { "{\"epoch\":1,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"99999999999999\",\"until\":\"5\","
                  "\"since\":\"5\"}",
                  "ttl" },
                { "{\"epoch\":0,\"held\":true,\"holder\":\"a\",\"by\":\"\",\"ttl\":\"1\",\"until\":\"5\","
                  "\"since\":\"5\"}",
                  "epoch" },
        };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                Lease l = { .epoch = 77 };
                bool anew;
                Err err = { 0 };
                char key[32];
                cJSON *o = cJSON_Parse(bad[i].text);
                assert_non_null(o);
                assert_int_equal(lease_from_json(&l, o, true, T0, &anew, &err), -EBADMSG);
                (void) snprintf(key, sizeof(key), "\"%s\"", bad[i].key);
                assert_non_null(strstr(err.text, key));
                assert_int_equal(l.epoch, 77);
                cJSON_Delete(o);
        }
}

/* A clock that went back (it cannot, but a record may have been copied) does not make it last for ever. */
static void nobody_has_it_longer_than_he_was_told(void **state)
{
        Lease l = { 0 }, read;
        bool anew;
        (void) state;
        assert_int_equal(take(&l, "roll-a", &idle, false, T0), LEASE_OK);
        cJSON *o = lease_to_json(&l);
        assert_int_equal(lease_from_json(&read, o, true, SEC, &anew, NULL), 0);
        assert_false(anew);
        assert_int_equal(lease_left(&read, SEC), TTL);
        cJSON_Delete(o);
}

/* ---- the pool ---- */

static Config *config_of(const char *text)
{
        char path[] = "/tmp/edge-roll-lease-XXXXXX";
        int fd = mkstemp(path);
        Config *c = NULL;
        Err err = { 0 };
        assert_true(fd >= 0);
        FILE *f = fdopen(fd, "w");
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        int r = config_load(&c, path, "/nonexistent", &err);
        (void) unlink(path);
        if (r < 0)
                fail_msg("%s", err.text);
        return c;
}

static void a_pool_has_a_name(void **state)
{
        _cleanup_(config_freep) Config *c = config_of("");
        _cleanup_(config_freep) Config *named = config_of("[pool]\nname = gw-1\n");
        Pool p = { 0 };
        char name[POOL_NAME_SIZE];
        EdgeSelf self = { .uuid = "u1", .region = "dc-1", .pod = "gateway" };
        (void) state;
        const Component *router = config_component(c, "router"), *other = config_component(named, "router");
        assert_string_equal(pool_name(c, router, &p, name, sizeof(name)), "");
        assert_string_equal(pool_name(named, other, &p, name, sizeof(name)), "router/gw-1");
        assert_true(pool_self(&p, &self));
        assert_false(pool_self(&p, &self));
        assert_string_equal(pool_name(c, router, &p, name, sizeof(name)), "router/dc-1/gateway");
        assert_string_equal(pool_name(named, other, &p, name, sizeof(name)), "router/gw-1");
        /* What a sick component does not say stays known. */
        EdgeSelf nothing = { 0 };
        assert_false(pool_self(&p, &nothing));
        assert_string_equal(p.uuid, "u1");
}

static const PoolMember three[] = {
        { "u1", "r1.example.org", "10.0.0.1" },
        { "u2", "r2.example.org", "10.0.0.2" },
        { "u3", "r3.example.org", "10.0.0.3" },
        { "u4", "r4.example.org", "10.0.0.4" },
};

static void whom_a_list_leaves_out(void **state)
{
        _cleanup_(config_freep) Config *c = config_of("");
        _cleanup_(config_freep) Config *configured = config_of("[pool]\nmembers = r2 10.0.0.3 U4\n");
        Pool p = { .uuid = "u1" };
        char text[400];
        (void) state;

        assert_false(pool_differs(c, &p, three, 3, text, sizeof(text)));
        assert_true(pool_differs(c, &p, three + 1, 2, text, sizeof(text)));
        assert_string_equal(text, "this node itself (u1)");
        assert_false(pool_differs(configured, &p, three, 4, text, sizeof(text)));
        assert_true(pool_differs(configured, &p, three, 2, text, sizeof(text)));
        assert_string_equal(text, "10.0.0.3, U4");
        assert_int_equal(pool_mates(c, &p, text, sizeof(text)), 0);
        assert_string_equal(text, "");
        assert_int_equal(pool_mates(configured, &p, text, sizeof(text)), 3);
        assert_string_equal(text, "r2, 10.0.0.3, U4");
        assert_string_equal(pool_from(configured, &p, text, sizeof(text)), "configuration");

        assert_false(pool_same(&p, three, 0));
        /* Whom ZooKeeper has told of counts where nobody else does. */
        (void) snprintf(p.registered, sizeof(p.registered), "r2, r3");
        assert_int_equal(pool_mates(c, &p, text, sizeof(text)), 1);
        assert_string_equal(text, "r2, r3");
        assert_int_equal(pool_mates(configured, &p, text, sizeof(text)), 3);

        assert_int_equal(pool_learn(&p, three, 3, "uid 0 (root)", 0), 0);
        assert_true(pool_same(&p, three, 3));
        assert_false(pool_same(&p, three, 2));
        assert_false(pool_same(&p, three + 1, 3));
        assert_int_equal(pool_mates(c, &p, text, sizeof(text)), 2);
        assert_string_equal(text, "r2.example.org, r3.example.org");
        assert_int_equal(pool_mates(configured, &p, text, sizeof(text)), 3);
        assert_string_equal(text, "r2.example.org, r3.example.org, U4");
        assert_true(pool_differs(c, &p, three, 2, text, sizeof(text)));
        assert_string_equal(text, "r3.example.org");
        /* A pool that has grown is no pool that is left out. */
        assert_false(pool_differs(c, &p, three, 4, text, sizeof(text)));
        assert_string_equal(pool_from(c, &p, text, sizeof(text)),
                            "a roll by uid 0 (root) at 1970-01-01T00:00:00.000Z");
        char small[40];
        assert_int_equal(pool_mates(configured, &p, small, sizeof(small)), 3);
        assert_string_equal(small, "r2.example.org and 2 more");

        cJSON *o = pool_members(configured, &p);
        assert_int_equal(cJSON_GetArraySize(o), 4);
        cJSON_Delete(o);
        pool_done(&p);
}

static void a_pool_is_what_was_written(void **state)
{
        Pool p = { .uuid = "u1", .region = "dc-1", .pod = "gateway", .registered = "r2" }, read;
        Err err = { 0 };
        (void) state;
        assert_int_equal(pool_learn(&p, three, 3, "alice", 5 * SEC), 0);
        cJSON *o = pool_to_json(&p);
        assert_int_equal(pool_from_json(&read, o, &err), 0);
        assert_int_equal(read.n_members, 3);
        assert_memory_equal(read.members, p.members, 3 * sizeof(*p.members));
        assert_string_equal(read.pod, "gateway");
        assert_string_equal(read.by, "alice");
        assert_string_equal(read.registered, "r2");
        assert_int_equal(read.wall_usec, 5 * SEC);
        pool_done(&read);
        cJSON_DeleteItemFromObject(o, "members");
        assert_int_equal(pool_from_json(&read, o, &err), -EBADMSG);
        cJSON *list = cJSON_AddArrayToObject(o, "members");
        cJSON_AddItemToArray(list, cJSON_CreateObject());
        assert_int_equal(pool_from_json(&read, o, &err), -EBADMSG);
        cJSON_Delete(o);
        pool_done(&p);
        pool_done(&p);
}

static void put_file(const char *dir, const char *name, const char *text)
{
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void a_record_that_was_mended_is_read_again(void **state)
{
        char dir[] = "/tmp/test-lease-XXXXXX", path[128];
        Leases *l;
        (void) state;
        assert_non_null(mkdtemp(dir));
        (void) snprintf(path, sizeof(path), "%s/lease-router.json", dir);
        put_file(dir, "lease-router.json", "{\"epoch\":");
        assert_int_equal(leases_new(&l, dir), 0);
        assert_non_null(strstr(leases_slot(l, "router")->unreadable, "is not known"));
        assert_non_null(strstr(leases_slot(l, "router")->unreadable, "delete that file"));
        assert_int_equal(unlink(path), 0);
        assert_string_equal(leases_slot(l, "router")->unreadable, "");
        assert_false(lease_current(&leases_slot(l, "router")->lease, time_boot()));
        l = leases_free(l);
        assert_int_equal(rmdir(dir), 0);
}

/* Whatever a caller says is cut where there is no room, and D-Bus takes no half characters. */
static void what_callers_say_can_be_told_again(void **state)
{
        char text[8];
        (void) state;
        bus_text(text, sizeof(text), "sp\xc3\xa4t, zu sp\xc3\xa4t");
        assert_string_equal(text, "sp??t, ");
        bus_text(text, sizeof(text), "a\nb\x7f\x1b");
        assert_string_equal(text, "a?b??");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_lease_is_taken_renewed_and_given),
                cmocka_unit_test(a_lease_that_is_asked_for_too_late_is_not_taken),
                cmocka_unit_test(nobody_else_gets_it_before_its_time),
                cmocka_unit_test(the_same_roll_takes_it_anew_and_fences_its_former_self),
                cmocka_unit_test(only_the_same_person_is_the_same_roll),
                cmocka_unit_test(a_job_keeps_others_away_whatever_the_clock_says),
                cmocka_unit_test(a_node_that_is_out_is_only_taken_by_who_knows),
                cmocka_unit_test(an_order_is_obeyed_once_in_time_and_in_turn),
                cmocka_unit_test(a_step_that_cannot_be_kept_is_not_obeyed),
                cmocka_unit_test(every_order_of_events_has_one_holder),
                cmocka_unit_test(a_record_that_makes_no_sense_is_told),
                cmocka_unit_test(nobody_has_it_longer_than_he_was_told),
                cmocka_unit_test(a_pool_has_a_name),
                cmocka_unit_test(whom_a_list_leaves_out),
                cmocka_unit_test(a_pool_is_what_was_written),
                cmocka_unit_test(a_record_that_was_mended_is_read_again),
                cmocka_unit_test(what_callers_say_can_be_told_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
