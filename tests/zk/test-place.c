/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The places of a pool in a real ensemble of three servers, in a network namespace of their own. Callers are
 * Places of this process, on one loop; those that are to be killed or frozen are processes of their own.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs those before it */
#include <cmocka.h>

#include "agent/place-ask.h"
#include "agent/place.h"
#include "tests/lib/ensemble.h"
#include "tests/lib/ns.h"
#include "tests/lib/until.h"

#define CALLERS 12
#define SESSION (2 * USEC_PER_SEC)

static sd_event *loop;

/* ---- callers ---- */

typedef struct Caller {
        Place *place;
        unsigned n;
        unsigned turns;  /* times it was out */
        unsigned wanted; /* times it wants to be */
        bool stolen, failed;
        bool holds; /* goes out and stays */
        char last[PLACE_TEXT_SIZE];
} Caller;

static Usec given_at;    /* the last place_give() of all of them */
static Usec handed_usec; /* from there to the next PLACE_OUT, all together */
static unsigned handed;
static unsigned now_out, most_out; /* as the callers see it: between PLACE_OUT and place_give() */

static PlaceOptions options_of(unsigned n, const char *pool)
{
        PlaceOptions o = { .zk = { .session_usec = SESSION } };
        Err err = { 0 };
        assert_int_equal(lock_spec_parse("zookeeper://" ENSEMBLE_BIG, &o.zk.spec, &err), 0);
        (void) snprintf(o.pool, sizeof(o.pool), "%s", pool);
        (void) snprintf(o.uuid, sizeof(o.uuid), "00000000-0000-0000-0000-%012u", n);
        (void) snprintf(o.name, sizeof(o.name), "r%u", n);
        (void) snprintf(o.address, sizeof(o.address), "10.0.0.%u:15999", n);
        (void) snprintf(o.by, sizeof(o.by), "test");
        (void) snprintf(o.reason, sizeof(o.reason), "proof %u", n);
        place_id(o.id);
        return o;
}

static void caller_changed(Place *p, void *userdata);

static void caller_stolen(Place *p, void *userdata)
{
        Caller *c = userdata;
        (void) p;
        c->stolen = true;
}

static const PlaceHandlers caller_handlers = { .changed = caller_changed, .stolen = caller_stolen };

static void caller_begin(Caller *c, const PlaceOptions *o, PlaceBegin begin)
{
        Err err = { 0 };
        assert_int_equal(place_new(&c->place, loop, o, begin, &caller_handlers, c, &err), 0);
}

static void caller_changed(Place *p, void *userdata)
{
        Caller *c = userdata;
        (void) snprintf(c->last, sizeof(c->last), "%s", place_text(p));
        switch (place_state(p)) {
        case PLACE_TURN:
                (void) place_go_out(p);
                return;
        case PLACE_OUT:
                c->turns++;
                now_out++;
                most_out = MAX(most_out, now_out);
                if (given_at) {
                        handed_usec += time_now() - given_at;
                        handed++;
                }
                if (!c->holds) {
                        now_out--;
                        given_at = time_now();
                        place_give(p);
                }
                return;
        case PLACE_GIVEN:
                if (c->turns < c->wanted) {
                        PlaceOptions o = *place_options(p);
                        place_id(o.id);
                        c->place = place_free(p);
                        caller_begin(c, &o, PLACE_TAKE);
                }
                return;
        case PLACE_FAILED:
                c->failed = true;
                return;
        default:
                return;
        }
}

static bool never(void *userdata)
{
        (void) userdata;
        return false;
}

static void run_for(Usec usec)
{
        (void) until_so(loop, never, NULL, usec);
}

static bool is_out(void *c)
{
        return place_state(((Caller *) c)->place) == PLACE_OUT;
}

static bool is_waiting(void *c)
{
        return place_state(((Caller *) c)->place) == PLACE_WAITING;
}

/* Waiting, and who it waits for has been read. */
static bool is_told(void *c)
{
        return is_waiting(c) && strchr(((Caller *) c)->last, '(');
}

static bool is_given(void *c)
{
        return place_state(((Caller *) c)->place) == PLACE_GIVEN;
}

static bool is_failed(void *c)
{
        return ((Caller *) c)->failed;
}

static bool is_stolen(void *c)
{
        return ((Caller *) c)->stolen;
}

static bool is_connecting(void *c)
{
        return place_state(((Caller *) c)->place) == PLACE_CONNECTING;
}

/* A caller that goes out and stays. */
static void hold(Caller *c, unsigned n, const char *pool)
{
        PlaceOptions o = options_of(n, pool);
        *c = (Caller){ .n = n, .holds = true };
        caller_begin(c, &o, PLACE_TAKE);
}

static void give(Caller *c)
{
        place_give(c->place);
        assert_true(until_so(loop, is_given, c, 10 * USEC_PER_SEC));
        c->place = place_free(c->place);
}

/* ---- a look by somebody else ---- */

typedef struct Seen {
        bool done;
        int r;
        char text[PLACE_TEXT_SIZE];
        cJSON *show;
} Seen;

static void on_seen(int r, const char *text, cJSON *show, void *userdata)
{
        Seen *s = userdata;
        s->done = true;
        s->r = r;
        (void) snprintf(s->text, sizeof(s->text), "%s", text);
        s->show = show ? cJSON_Duplicate(show, true) : NULL;
}

static bool seen_done(void *s)
{
        return ((Seen *) s)->done;
}

static Seen ask(PlaceQuestion q)
{
        Seen s = { .done = false };
        PlaceAsk *a;
        Err err = { 0 };
        if (q.zk.spec.n == 0)
                q.zk = options_of(0, "x").zk;
        if (!q.limit_usec)
                q.limit_usec = 5 * USEC_PER_SEC;
        assert_int_equal(place_ask(&a, loop, &q, on_seen, &s, &err), 0);
        assert_true(until_so(loop, seen_done, &s, 20 * USEC_PER_SEC));
        return s;
}

static int count(const cJSON *show, const char *list)
{
        return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(show, list));
}

static int out_in(const char *pool)
{
        PlaceQuestion q = { .kind = PLACE_SHOW };
        (void) snprintf(q.pool, sizeof(q.pool), "%s", pool);
        Seen s = ask(q);
        assert_int_equal(s.r, 0);
        int n = count(s.show, "out");
        cJSON_Delete(s.show);
        return n;
}

/* ---- processes ---- */

static int speech[2]; /* a child's one-byte words */

/* A process of its own that does what @hold would; says 'o' when it is out, 'w' when it waits, 's' when
 * stolen. */
static void child_says(char c)
{
        if (write(speech[1], &c, 1) != 1)
                _exit(3);
}

static void child_changed(Place *p, void *userdata)
{
        bool stay = *(bool *) userdata;
        if (place_state(p) == PLACE_TURN) {
                if (stay)
                        child_says('t');
                else
                        (void) place_go_out(p);
        } else if (place_state(p) == PLACE_OUT)
                child_says('o');
        else if (place_state(p) == PLACE_WAITING)
                child_says('w');
}

static void child_stolen(Place *p, void *userdata)
{
        (void) p;
        (void) userdata;
        child_says('s');
}

/* @stay: it never goes out, though it is its turn. */
static pid_t child(unsigned n, const char *pool, bool stay)
{
        PlaceOptions o = options_of(n, pool);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        static const PlaceHandlers handlers = { .changed = child_changed, .stolen = child_stolen };
        sd_event *e;
        Place *p;
        if (sd_event_new(&e) < 0 || place_new(&p, e, &o, PLACE_TAKE, &handlers, &stay, NULL) < 0)
                _exit(2);
        _exit(sd_event_loop(e) < 0);
}

static bool heard;

static int on_speech(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        char c;
        (void) s;
        (void) revents;
        if (read(fd, &c, 1) == 1 && c == *(char *) userdata)
                heard = true;
        return 0;
}

static bool is_heard(void *userdata)
{
        (void) userdata;
        return heard;
}

static void hear(char word)
{
        sd_event_source *s;
        heard = false;
        assert_true(sd_event_add_io(loop, &s, speech[0], 1 /* EPOLLIN */, on_speech, &word) >= 0);
        assert_true(until_so(loop, is_heard, NULL, 15 * USEC_PER_SEC));
        sd_event_source_unref(s);
}

static void bury(pid_t pid)
{
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
}

/* ---- the tests ---- */

static bool all_done(void *userdata)
{
        Caller *c = userdata;
        for (unsigned i = 0; i < CALLERS; i++)
                if (c[i].turns < c[i].wanted || place_state(c[i].place) != PLACE_GIVEN)
                        return false;
        return true;
}

static void twelve(const char *pool, unsigned turns)
{
        Caller c[CALLERS];
        now_out = most_out = handed = 0;
        handed_usec = given_at = 0;
        Usec began = time_now();
        for (unsigned i = 0; i < CALLERS; i++) {
                PlaceOptions o = options_of(i + 1, pool);
                c[i] = (Caller){ .n = i + 1, .wanted = turns };
                caller_begin(&c[i], &o, PLACE_TAKE);
        }
        assert_true(until_so(loop, all_done, c, 60 * USEC_PER_SEC));
        Usec took = time_now() - began;
        print_message("# %u callers, %u turns, a session each: %.2f s; from given back to the next one out: "
                      "%.1f ms\n",
                      CALLERS, CALLERS * turns, time_sec(took),
                      time_sec(handed_usec) * 1000 / MAX(handed, 1U));
        assert_int_equal(most_out, 1);
        for (unsigned i = 0; i < CALLERS; i++)
                c[i].place = place_free(c[i].place);
        assert_int_equal(out_in(pool), 0);
}

static void one_after_another(void **state)
{
        (void) state;
        twelve("router/dc-1/twelve", 20);
}

static void who_waits_is_told_behind_whom(void **state)
{
        Caller a, b, c;
        (void) state;
        hold(&a, 1, "told");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        hold(&b, 2, "told");
        assert_true(until_so(loop, is_told, &b, 5 * USEC_PER_SEC));
        hold(&c, 3, "told");
        assert_true(until_so(loop, is_told, &c, 5 * USEC_PER_SEC));
        print_message("# %s\n# %s\n", b.last, c.last);
        assert_non_null(strstr(b.last, "1st of"));
        assert_non_null(strstr(b.last, "r1 (out, at work) since "));
        assert_non_null(strstr(b.last, ": proof 1"));
        assert_non_null(strstr(c.last, "2nd of 2"));
        give(&a);
        assert_true(until_so(loop, is_out, &b, 5 * USEC_PER_SEC));
        assert_true(is_waiting(&c));
        give(&b);
        assert_true(until_so(loop, is_out, &c, 5 * USEC_PER_SEC));
        give(&c);
}

static void one_that_goes_before_its_turn_is_over_lets_the_next_in(void **state)
{
        Caller a, b, c;
        (void) state;
        hold(&a, 1, "leaves");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        hold(&b, 2, "leaves");
        assert_true(until_so(loop, is_waiting, &b, 5 * USEC_PER_SEC));
        hold(&c, 3, "leaves");
        assert_true(until_so(loop, is_waiting, &c, 5 * USEC_PER_SEC));
        b.place = place_free(b.place);
        give(&a);
        assert_true(until_so(loop, is_out, &c, 5 * USEC_PER_SEC));
        give(&c);
}

static void who_is_killed_while_out_stays_out(void **state)
{
        Caller b;
        (void) state;
        pid_t pid = child(1, "killed-out", false);
        hear('o');
        hold(&b, 2, "killed-out");
        assert_true(until_so(loop, is_told, &b, 5 * USEC_PER_SEC));
        bury(pid);
        /* Its session ends; its place does not. */
        run_for(SESSION + 2 * USEC_PER_SEC);
        assert_true(is_waiting(&b));
        assert_int_equal(out_in("killed-out"), 1);
        /* The agent that comes next gives it back. */
        Caller again = { .n = 1 };
        PlaceOptions o = options_of(1, "killed-out");
        caller_begin(&again, &o, PLACE_GIVE);
        assert_true(until_so(loop, is_given, &again, 5 * USEC_PER_SEC));
        assert_true(until_so(loop, is_out, &b, 5 * USEC_PER_SEC));
        again.place = place_free(again.place);
        give(&b);
}

/* Somebody has stood in line meanwhile, and waits for just that one to come back. */
static void who_is_killed_while_out_goes_out_again_at_once(void **state)
{
        Caller b, again;
        (void) state;
        pid_t pid = child(1, "killed-anew", false);
        hear('o');
        hold(&b, 2, "killed-anew");
        assert_true(until_so(loop, is_told, &b, 5 * USEC_PER_SEC));
        bury(pid);
        hold(&again, 1, "killed-anew");
        assert_true(until_so(loop, is_out, &again, 5 * USEC_PER_SEC));
        assert_true(is_waiting(&b));
        give(&again);
        assert_true(until_so(loop, is_out, &b, 5 * USEC_PER_SEC));
        give(&b);
}

/* ---- one who looks on ---- */

typedef struct Onlooker {
        Zk *zk;
        char run[PLACE_PATH_SIZE], out[PLACE_PATH_SIZE];
        unsigned watching;
        char gone[8]; /* 'r' and 'o', as they went */
} Onlooker;

static void onlooker_watch(const char *path, void *userdata)
{
        Onlooker *o = userdata;
        size_t n = strlen(o->gone);
        if (n + 1 < sizeof(o->gone))
                o->gone[n] = strcmp(path, o->run) == 0 ? 'r' : 'o';
}

static void onlooker_watches(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        (void) reply;
        (void) tag;
        ((Onlooker *) userdata)->watching += answer == ZK_OK;
}

static void onlooker_runs(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        Onlooker *o = userdata;
        char below[TURN_NODE_SIZE + 8];
        (void) tag;
        assert_int_equal(answer, ZK_OK);
        assert_int_equal(reply->n_children, 1);
        (void) snprintf(below, sizeof(below), "run/%s", reply->children[0]);
        (void) place_path("give-order", below, o->run, sizeof(o->run));
        assert_int_equal(zk_exists(o->zk, o->run, true, onlooker_watches, 0), 0);
        assert_int_equal(zk_exists(o->zk, o->out, true, onlooker_watches, 0), 0);
}

static void onlooker_state(ZkState state, const char *text, void *userdata)
{
        Onlooker *o = userdata;
        char path[PLACE_PATH_SIZE];
        (void) text;
        if (state == ZK_CONNECTED)
                assert_int_equal(zk_children(o->zk, place_path("give-order", "run", path, sizeof(path)),
                                             false, onlooker_runs, 0),
                                 0);
}

static bool is_watching(void *o)
{
        return ((Onlooker *) o)->watching == 2;
}

static bool all_gone(void *o)
{
        return strlen(((Onlooker *) o)->gone) == 2;
}

/* A multi of a dead agent that is still on its way is refused when its node in run/ is gone. Were out/UUID
 * deleted before that node, such a multi could come between, and nobody would ever give that one back. */
static void what_goes_out_goes_before_what_is_out(void **state)
{
        static const ZkHandlers handlers = { .state = onlooker_state, .watch = onlooker_watch };
        Caller again = { .n = 1 };
        PlaceOptions options = options_of(1, "give-order");
        Onlooker o = { 0 };
        Err err = { 0 };
        (void) state;
        pid_t pid = child(1, "give-order", false);
        hear('o');
        (void) kill(pid, SIGSTOP);
        (void) snprintf(options.uuid, sizeof(options.uuid), "00000000-0000-0000-0000-%012u", 1);
        char out[TURN_UUID_SIZE + 8];
        (void) snprintf(out, sizeof(out), "out/%s", options.uuid);
        (void) place_path("give-order", out, o.out, sizeof(o.out));
        assert_int_equal(zk_new(&o.zk, loop, &options.zk, &handlers, &o, &err), 0);
        assert_true(until_so(loop, is_watching, &o, 2 * USEC_PER_SEC));
        caller_begin(&again, &options, PLACE_GIVE);
        assert_true(until_so(loop, is_given, &again, 5 * USEC_PER_SEC));
        assert_true(until_so(loop, all_gone, &o, 5 * USEC_PER_SEC));
        assert_string_equal(o.gone, "ro");
        o.zk = zk_free(o.zk);
        again.place = place_free(again.place);
        bury(pid);
}

static void who_is_killed_before_going_out_loses_its_turn(void **state)
{
        Caller b;
        (void) state;
        pid_t pid = child(1, "killed-turn", true);
        hear('t');
        hold(&b, 2, "killed-turn");
        assert_true(until_so(loop, is_waiting, &b, 5 * USEC_PER_SEC));
        Usec began = time_now();
        bury(pid);
        assert_true(until_so(loop, is_out, &b, 10 * USEC_PER_SEC));
        print_message("# killed in its turn: the next is out after %.1f s (session %.0f s)\n",
                      time_sec(time_now() - began), time_sec(SESSION));
        give(&b);
}

static void its_own_next_agent_does_not_wait_for_the_old_session(void **state)
{
        Caller again;
        (void) state;
        pid_t pid = child(1, "killed-again", true);
        hear('t');
        bury(pid);
        hold(&again, 1, "killed-again");
        Usec began = time_now();
        assert_true(until_so(loop, is_out, &again, 10 * USEC_PER_SEC));
        assert_true(time_now() - began < USEC_PER_SEC);
        give(&again);
}

static void who_is_frozen_in_its_turn_comes_back_without_it(void **state)
{
        Caller b;
        (void) state;
        pid_t pid = child(1, "frozen-turn", true);
        hear('t');
        hold(&b, 2, "frozen-turn");
        assert_true(until_so(loop, is_waiting, &b, 5 * USEC_PER_SEC));
        (void) kill(pid, SIGSTOP);
        assert_true(until_so(loop, is_out, &b, 10 * USEC_PER_SEC));
        (void) kill(pid, SIGCONT);
        hear('w');
        assert_true(is_out(&b));
        give(&b);
        hear('t');
        bury(pid);
}

static void a_waiter_whose_session_ends_stands_in_line_again(void **state)
{
        Caller a, c;
        (void) state;
        hold(&a, 1, "frozen-wait");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        pid_t pid = child(2, "frozen-wait", false);
        hear('w');
        (void) kill(pid, SIGSTOP);
        run_for(SESSION + 2 * USEC_PER_SEC);
        hold(&c, 3, "frozen-wait");
        assert_true(until_so(loop, is_told, &c, 5 * USEC_PER_SEC));
        assert_non_null(strstr(c.last, "1st of 1"));
        (void) kill(pid, SIGCONT);
        give(&a);
        assert_true(until_so(loop, is_out, &c, 5 * USEC_PER_SEC));
        give(&c);
        hear('o');
        bury(pid);
        PlaceQuestion q = { .kind = PLACE_STEAL, .pool = "frozen-wait", .name = "r2" };
        Seen s = ask(q);
        assert_int_equal(s.r, 0);
        cJSON_Delete(s.show);
}

static void who_is_out_stays_out_when_its_session_ends(void **state)
{
        Caller b;
        (void) state;
        pid_t pid = child(1, "frozen-out", false);
        hear('o');
        hold(&b, 2, "frozen-out");
        (void) kill(pid, SIGSTOP);
        run_for(SESSION + 2 * USEC_PER_SEC);
        assert_true(is_waiting(&b));
        (void) kill(pid, SIGCONT);
        run_for(USEC_PER_SEC);
        assert_true(is_waiting(&b));
        bury(pid);
        PlaceQuestion q = { .kind = PLACE_STEAL, .pool = "frozen-out", .name = "r1" };
        Seen s = ask(q);
        assert_int_equal(s.r, 0);
        assert_true(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(s.show, "stolen")));
        cJSON_Delete(s.show);
        assert_true(until_so(loop, is_out, &b, 5 * USEC_PER_SEC));
        give(&b);
}

static void a_leader_that_dies_costs_nobody_the_place(void **state)
{
        Caller a, b, c;
        (void) state;
        hold(&a, 1, "leader");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        hold(&b, 2, "leader");
        assert_true(until_so(loop, is_waiting, &b, 5 * USEC_PER_SEC));
        int leader = ensemble_leader();
        assert_true(leader >= 0);
        ensemble_kill(leader);
        hold(&c, 3, "leader");
        assert_true(until_so(loop, is_waiting, &c, 10 * USEC_PER_SEC));
        assert_false(a.stolen);
        give(&a);
        assert_true(until_so(loop, is_out, &b, 10 * USEC_PER_SEC));
        assert_true(is_waiting(&c));
        give(&b);
        assert_true(until_so(loop, is_out, &c, 10 * USEC_PER_SEC));
        give(&c);
        assert_true(ensemble_restart(leader));
}

static bool is_fresh(void *c)
{
        return place_fresh(((Caller *) c)->place);
}

static bool is_no_more_fresh(void *c)
{
        return !is_fresh(c);
}

/* Whoever was cut off for as long as a session lasts may have been given up by a person. */
static void what_is_out_is_certain_only_as_long_as_zookeeper_answers(void **state)
{
        Caller a;
        (void) state;
        hold(&a, 1, "fresh");
        assert_false(is_fresh(&a));
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        assert_true(is_fresh(&a));
        /* It is asked again and again. */
        Usec end = time_now() + SESSION + USEC_PER_SEC;
        while (time_now() < end) {
                run_for(50 * USEC_PER_MSEC);
                assert_true(is_fresh(&a));
        }
        for (int n = 0; n < 3; n++)
                ensemble_freeze(n);
        Usec frozen = time_now();
        assert_true(until_so(loop, is_no_more_fresh, &a, 2 * SESSION));
        assert_true(time_now() - frozen < SESSION + USEC_PER_SEC);
        assert_true(is_out(&a));
        for (int n = 0; n < 3; n++)
                ensemble_thaw(n);
        assert_true(until_so(loop, is_fresh, &a, 20 * USEC_PER_SEC));
        assert_false(a.stolen);
        give(&a);
}

static void an_ensemble_that_is_away_is_waited_for(void **state)
{
        Caller a, b, c;
        (void) state;
        hold(&a, 1, "away");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        hold(&b, 2, "away");
        assert_true(until_so(loop, is_waiting, &b, 5 * USEC_PER_SEC));
        for (int n = 0; n < ENSEMBLE_SERVERS; n++)
                ensemble_kill(n);
        assert_true(until_so(loop, is_connecting, &b, 10 * USEC_PER_SEC));
        hold(&c, 3, "away");
        run_for(SESSION * 2);
        assert_true(is_out(&a));
        assert_true(is_connecting(&b));
        assert_true(is_connecting(&c));
        assert_true(*place_trouble(c.place));
        place_give(a.place);
        for (int n = 0; n < ENSEMBLE_SERVERS; n++)
                (void) ensemble_restart(n);
        for (int n = 0; n < ENSEMBLE_SERVERS; n++)
                assert_true(ensemble_wait(n));
        assert_true(until_so(loop, is_given, &a, 15 * USEC_PER_SEC));
        a.place = place_free(a.place);
        for (int i = 0; i < 2; i++) {
                Caller *next;
                Usec end = time_now() + 20 * USEC_PER_SEC;
                while (!((b.place && is_out(&b)) || (c.place && is_out(&c))) && time_now() < end)
                        run_for(20 * USEC_PER_MSEC);
                next = b.place && is_out(&b) ? &b : &c;
                assert_true(is_out(next));
                give(next);
        }
}

static void a_silent_server_is_left_for_another(void **state)
{
        Caller c[ENSEMBLE_SERVERS];
        (void) state;
        for (unsigned i = 0; i < ENSEMBLE_SERVERS; i++) {
                char pool[32];
                (void) snprintf(pool, sizeof(pool), "silent-%u", i);
                hold(&c[i], i + 1, pool);
                assert_true(until_so(loop, is_out, &c[i], 5 * USEC_PER_SEC));
        }
        int leader = ensemble_leader(), frozen = (leader + 1) % ENSEMBLE_SERVERS;
        ensemble_freeze(frozen);
        Usec began = time_now();
        for (unsigned i = 0; i < ENSEMBLE_SERVERS; i++)
                place_give(c[i].place);
        for (unsigned i = 0; i < ENSEMBLE_SERVERS; i++)
                assert_true(until_so(loop, is_given, &c[i], 3 * SESSION));
        print_message("# a server fell silent: all given back after %.1f s\n", time_sec(time_now() - began));
        for (unsigned i = 0; i < ENSEMBLE_SERVERS; i++)
                c[i].place = place_free(c[i].place);
        ensemble_thaw(frozen);
        assert_true(ensemble_wait(frozen));
}

static void set_size(const char *pool, unsigned size)
{
        PlaceQuestion q = { .kind = PLACE_SIZE, .size = size };
        (void) snprintf(q.pool, sizeof(q.pool), "%s", pool);
        Seen s = ask(q);
        assert_int_equal(s.r, 0);
        cJSON_Delete(s.show);
}

static void as_many_are_out_as_the_pool_says(void **state)
{
        Caller a, b, c, d;
        (void) state;
        hold(&a, 1, "two");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        hold(&b, 2, "two");
        assert_true(until_so(loop, is_waiting, &b, 5 * USEC_PER_SEC));
        set_size("two", 2);
        assert_true(until_so(loop, is_out, &b, 10 * USEC_PER_SEC));
        hold(&c, 3, "two");
        assert_true(until_so(loop, is_waiting, &c, 5 * USEC_PER_SEC));
        /* A caller may ask for less, never for more. */
        PlaceOptions o = options_of(4, "two");
        o.size = 1;
        d = (Caller){ .n = 4, .holds = true };
        caller_begin(&d, &o, PLACE_TAKE);
        assert_true(until_so(loop, is_waiting, &d, 5 * USEC_PER_SEC));
        /* Not the one right before it, but the first goes. */
        give(&a);
        assert_true(until_so(loop, is_out, &c, 5 * USEC_PER_SEC));
        assert_true(is_waiting(&d));
        give(&c);
        run_for(200 * USEC_PER_MSEC);
        assert_true(is_waiting(&d));
        give(&b);
        assert_true(until_so(loop, is_out, &d, 5 * USEC_PER_SEC));
        give(&d);
}

static void a_place_that_is_taken_away_is_noticed(void **state)
{
        Caller a;
        (void) state;
        hold(&a, 1, "stolen");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        PlaceQuestion q = { .kind = PLACE_STEAL, .pool = "stolen", .name = "nobody" };
        Seen s = ask(q);
        assert_int_equal(s.r, -ENOENT);
        (void) snprintf(q.name, sizeof(q.name), "r1");
        s = ask(q);
        assert_int_equal(s.r, 0);
        cJSON_Delete(s.show);
        assert_true(until_so(loop, is_stolen, &a, 5 * USEC_PER_SEC));
        a.place = place_free(a.place);
}

static bool is_sure(void *c)
{
        return place_sure(((Caller *) c)->place);
}

/* Also by an agent that has found it in a record, and behind a connection that was lost. */
static void a_place_that_was_kept_and_is_taken_away_is_noticed(void **state)
{
        Caller a, b = { .n = 1, .holds = true };
        (void) state;
        hold(&a, 1, "kept");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        PlaceOptions o = *place_options(a.place);
        a.place = place_free(a.place);
        caller_begin(&b, &o, PLACE_KEEP);
        assert_true(until_so(loop, is_sure, &b, 5 * USEC_PER_SEC));
        run_for(200 * USEC_PER_MSEC);
        assert_false(b.stolen);
        PlaceQuestion q = { .kind = PLACE_STEAL, .pool = "kept", .name = "r1" };
        Seen s = ask(q);
        assert_int_equal(s.r, 0);
        cJSON_Delete(s.show);
        assert_true(until_so(loop, is_stolen, &b, 5 * USEC_PER_SEC));
        b.place = place_free(b.place);
}

/* With @auth for its digest. */
static void hold_with(Caller *c, unsigned n, const char *pool, const char *auth)
{
        PlaceOptions o = options_of(n, pool);
        (void) snprintf(o.zk.auth, sizeof(o.zk.auth), "%s", auth);
        *c = (Caller){ .n = n, .holds = true };
        caller_begin(c, &o, PLACE_TAKE);
}

static void a_wrong_password_is_refused(void **state)
{
        Caller a, b, c;
        (void) state;
        hold_with(&a, 1, "closed", "edge:right");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        assert_false(place_open(a.place));
        hold_with(&b, 2, "closed", "edge:wrong");
        assert_true(until_so(loop, is_failed, &b, 5 * USEC_PER_SEC));
        print_message("# %s\n", b.last);
        hold_with(&c, 2, "closed", "edge:right");
        assert_true(until_so(loop, is_waiting, &c, 5 * USEC_PER_SEC));
        PlaceQuestion q = { .kind = PLACE_STEAL, .pool = "closed", .name = "r1" };
        Seen s = ask(q);
        assert_int_equal(s.r, -EACCES);
        (void) snprintf(q.name, sizeof(q.name), "%s", "r1");
        q.zk = options_of(0, "x").zk;
        (void) snprintf(q.zk.auth, sizeof(q.zk.auth), "edge:right");
        s = ask(q);
        assert_int_equal(s.r, 0);
        cJSON_Delete(s.show);
        assert_true(until_so(loop, is_out, &c, 5 * USEC_PER_SEC));
        a.place = place_free(a.place);
        b.place = place_free(b.place);
        give(&c);
}

static void without_a_password_the_pool_is_open_and_that_is_known(void **state)
{
        Caller a;
        (void) state;
        hold(&a, 1, "open");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        assert_true(place_open(a.place));
        give(&a);
}

static void a_path_that_is_not_there_is_told(void **state)
{
        Caller a = { .holds = true };
        Err err = { 0 };
        (void) state;
        PlaceOptions o = options_of(1, "path");
        assert_int_equal(lock_spec_parse("zookeeper://" ENSEMBLE_BIG "/nowhere", &o.zk.spec, &err), 0);
        caller_begin(&a, &o, PLACE_TAKE);
        assert_true(until_so(loop, is_failed, &a, 5 * USEC_PER_SEC));
        print_message("# %s\n", a.last);
        assert_non_null(strstr(a.last, "/nowhere does not exist"));
        a.place = place_free(a.place);
        /* The nodes of any pool will do as a path that exists. */
        assert_int_equal(lock_spec_parse("zookeeper://" ENSEMBLE_BIG "/edge-roll", &o.zk.spec, &err), 0);
        a = (Caller){ .holds = true };
        caller_begin(&a, &o, PLACE_TAKE);
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        give(&a);
}

static void names_are_looked_up(void **state)
{
        Caller a = { .holds = true };
        Err err = { 0 };
        (void) state;
        PlaceOptions o = options_of(1, "names");
        assert_int_equal(lock_spec_parse("zookeeper://no-such-name.invalid:2181,localhost:2182", &o.zk.spec,
                                         &err),
                         0);
        caller_begin(&a, &o, PLACE_TAKE);
        assert_true(until_so(loop, is_out, &a, 10 * USEC_PER_SEC));
        give(&a);
}

static void nobody_there_is_told_in_time(void **state)
{
        PlaceQuestion q = { .kind = PLACE_SHOW, .pool = "x", .limit_usec = USEC_PER_SEC };
        Err err = { 0 };
        (void) state;
        q.zk.session_usec = SESSION;
        assert_int_equal(lock_spec_parse("zookeeper://127.0.0.1:1", &q.zk.spec, &err), 0);
        Usec began = time_now();
        Seen s = ask(q);
        assert_int_equal(s.r, -ETIMEDOUT);
        assert_true(time_now() - began < 3 * USEC_PER_SEC);
        print_message("# %s\n", s.text);
}

static void what_is_shown_is_complete(void **state)
{
        Caller a, b;
        (void) state;
        hold(&a, 1, "router/dc-1/show");
        assert_true(until_so(loop, is_out, &a, 5 * USEC_PER_SEC));
        hold(&b, 2, "router/dc-1/show");
        assert_true(until_so(loop, is_told, &b, 5 * USEC_PER_SEC));
        PlaceQuestion q = { .kind = PLACE_SHOW, .pool = "router/dc-1/show" };
        Seen s = ask(q);
        assert_int_equal(s.r, 0);
        _cleanup_(freep) char *text = cJSON_PrintUnformatted(s.show);
        print_message("# %s\n", text);
        assert_int_equal(count(s.show, "out"), 1);
        assert_int_equal(count(s.show, "waiting"), 1);
        assert_int_equal(count(s.show, "members"), 2);
        assert_null(cJSON_GetObjectItemCaseSensitive(s.show, "outs"));
        assert_non_null(strstr(text, "\"address\":\"10.0.0.2:15999\""));
        assert_non_null(strstr(text, "\"working\":true"));
        cJSON_Delete(s.show);
        give(&a);
        give(&b);
}

/* All connections to the servers, at this moment: what was sent may or may not have been done. */
static unsigned cut(void)
{
        unsigned n = 0;
        char line[256];
        FILE *ss =
                popen("ss -H -K -t state established '( dport = :2181 or dport = :2182 or dport = :2183 )'",
                      "re");
        assert_non_null(ss);
        while (fgets(line, sizeof(line), ss))
                n++;
        assert_int_equal(pclose(ss), 0);
        return n;
}

static void what_is_cut_off_at_any_moment_is_found_again(void **state)
{
        char pool[32];
        (void) state;
        unsigned cuts = 0;
        for (unsigned round = 0; round < 60; round++) {
                Caller c[2], *first = NULL;
                (void) snprintf(pool, sizeof(pool), "cut-%u", round);
                hold(&c[0], 1, pool);
                hold(&c[1], 2, pool);
                run_for(round / 2 * USEC_PER_MSEC);
                cuts += cut();
                if (round % 3 == 0) {
                        run_for(25 * USEC_PER_MSEC + round * USEC_PER_MSEC / 2);
                        cuts += cut();
                }
                for (Usec end = time_now() + 10 * USEC_PER_SEC; !first && time_now() < end; run_for(5000))
                        first = is_out(&c[0]) ? &c[0] : is_out(&c[1]) ? &c[1] : NULL;
                assert_non_null(first);
                Caller *second = first == &c[0] ? &c[1] : &c[0];
                assert_true(until_so(loop, is_waiting, second, 10 * USEC_PER_SEC));
                assert_int_equal(out_in(pool), 1);
                place_give(first->place);
                if (round % 2)
                        cuts += cut();
                assert_true(until_so(loop, is_given, first, 10 * USEC_PER_SEC));
                assert_true(until_so(loop, is_out, second, 10 * USEC_PER_SEC));
                first->place = place_free(first->place);
                give(second);
                assert_int_equal(out_in(pool), 0);
        }
        print_message("# %u connections cut in 60 rounds\n", cuts);
        assert_true(cuts > 60);
}

static int setup(void **state)
{
        (void) state;
        (void) signal(SIGPIPE, SIG_IGN);
        return ensemble_start() && sd_event_new(&loop) >= 0 && pipe(speech) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
        (void) state;
        sd_event_unref(loop);
        ensemble_end();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_after_another),
                cmocka_unit_test(who_waits_is_told_behind_whom),
                cmocka_unit_test(one_that_goes_before_its_turn_is_over_lets_the_next_in),
                cmocka_unit_test(who_is_killed_while_out_stays_out),
                cmocka_unit_test(who_is_killed_while_out_goes_out_again_at_once),
                cmocka_unit_test(what_goes_out_goes_before_what_is_out),
                cmocka_unit_test(who_is_killed_before_going_out_loses_its_turn),
                cmocka_unit_test(its_own_next_agent_does_not_wait_for_the_old_session),
                cmocka_unit_test(who_is_frozen_in_its_turn_comes_back_without_it),
                cmocka_unit_test(a_waiter_whose_session_ends_stands_in_line_again),
                cmocka_unit_test(who_is_out_stays_out_when_its_session_ends),
                cmocka_unit_test(a_leader_that_dies_costs_nobody_the_place),
                cmocka_unit_test(what_is_out_is_certain_only_as_long_as_zookeeper_answers),
                cmocka_unit_test(an_ensemble_that_is_away_is_waited_for),
                cmocka_unit_test(a_silent_server_is_left_for_another),
                cmocka_unit_test(as_many_are_out_as_the_pool_says),
                cmocka_unit_test(a_place_that_is_taken_away_is_noticed),
                cmocka_unit_test(a_place_that_was_kept_and_is_taken_away_is_noticed),
                cmocka_unit_test(without_a_password_the_pool_is_open_and_that_is_known),
                cmocka_unit_test(a_path_that_is_not_there_is_told),
                cmocka_unit_test(names_are_looked_up),
                cmocka_unit_test(nobody_there_is_told_in_time),
                cmocka_unit_test(what_is_shown_is_complete),
                cmocka_unit_test(what_is_cut_off_at_any_moment_is_found_again),
                cmocka_unit_test(a_wrong_password_is_refused),
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
