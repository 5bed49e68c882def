/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The coordinator dies by SIGKILL before and behind each call that changes something outside of it: each line
 * of its journal (before it, in the middle of it, written, on the disk), each order and each wish that it
 * sends, each link that it makes. It is a process of its own, stopped at these points; the agents are
 * simulated, in this process. Then `resume` must bring the roll to its end: never two out, no node restarted
 * twice, no lease left, and the journal tells it. The same with `resume` itself, and with a coordinator that
 * stands still at such a point while another one does all the work.
 *
 * A point is PROFILE/WHAT/WHEN, "usual/call Go n2/before". Without an argument a sample of each profile is
 * tried, another one each day; KILL_POINTS=all: all of them, a number: so many. An argument: those whose name
 * it is, or matches (fnmatch(3)); --list: the names.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/cluster/roll-record.h"
#include "tests/lib/points.h"
#include "tests/lib/rolls.h"
#include "tests/lib/trace.h"
#include "tests/lib/wire.h"
#include "tests/lib/world.h"

#define ROLL_TWO "edge-roll restart router --nodes n[1:5] --yes --max-unavailable 2"
#define SAMPLE   10 /* of each profile, where nothing else is said */
#define FDS      256

/* A coordinator that is looked at, call by call. */
typedef struct Led {
        World *w;
        Trace *trace;
        char node[FDS][16]; /* where its sockets lead */
        char what[160];     /* the present call; "": it changes nothing */
        uint64_t nr, fd;    /* ... its number and first argument */
        bool kept;          /* ... is a line of the journal */
        char line[160];     /* what was last written into it */
        const Point *at;    /* where it dies or stands still; NULL: it lists */
        bool hold;          /* it stands still */
        bool hit;
        Points *seen; /* what it lists */
} Led;

/* ---- what a call is ---- */

/* The member of the D-Bus message at @b; NULL: no call, or none that changes anything. @ret_size: of it. */
static const char *message_member(const uint8_t *b, size_t n, size_t *ret_size)
{
        static const char *const members[] = { "LeaseTake", "LeaseRenew", "LeaseGive", "Restart",
                                               "Go",        "CancelJob",  "Cancel" };
        WireHead h;
        bool whole = wire_head(b, n, &h);
        *ret_size = h.size;
        for (size_t i = 0; whole && h.type == 1 && i < ELEMENTS(members); i++)
                if (strcmp(h.member, members[i]) == 0)
                        return members[i];
        return NULL;
}

static void name_sent(Led *l, const TraceCall *call)
{
        static uint8_t bytes[65536];
        size_t n = trace_peek(l->trace, call->args[1], bytes, MIN(call->args[2], sizeof(bytes))), size;
        const char *node = call->args[0] < FDS ? l->node[call->args[0]] : "";
        for (size_t at = 0; at < n && *node; at += size) {
                const char *member = message_member(bytes + at, n - at, &size);
                size_t len = strlen(l->what);
                if (member)
                        (void) snprintf(l->what + len, sizeof(l->what) - len, "%s%s", len ? "+" : "call ",
                                        member);
        }
        size_t len = strlen(l->what);
        if (len)
                (void) snprintf(l->what + len, sizeof(l->what) - len, " %s", node);
}

static const char *text_of(const cJSON *o, const char *key)
{
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
        return text ? text : "";
}

static void name_line(Led *l, const TraceCall *call)
{
        static const char *const keys[] = { "event", "action", "node", "state", "phase", "cause" };
        static char text[65536];
        size_t n = trace_peek(l->trace, call->args[1], text, MIN(call->args[2], sizeof(text) - 1));
        text[n] = '\0';
        cJSON *o = cJSON_Parse(text);
        (void) snprintf(l->what, sizeof(l->what), "journal");
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                size_t len = strlen(l->what);
                const char *value = text_of(o, keys[i]);
                if (*value && strcmp(value, "phase") != 0)
                        (void) snprintf(l->what + len, sizeof(l->what) - len, " %s", value);
        }
        cJSON_Delete(o);
        l->kept = true;
        (void) snprintf(l->line, sizeof(l->line), "%s", l->what);
}

static void name_path(Led *l, const char *verb, uint64_t at)
{
        char path[256] = "", *end;
        (void) trace_peek(l->trace, at, path, sizeof(path) - 1);
        if (strncmp(path, l->w->dir, strlen(l->w->dir)) != 0 || !strstr(path, "/rolls"))
                return;
        /* The id of a roll is another one each time. */
        if ((end = strrchr(path, '/')) && strstr(end, ".jsonl"))
                (void) snprintf(end, 10, "/ID.jsonl");
        (void) snprintf(l->what, sizeof(l->what), "%s %.100s", verb, path + strlen(l->w->dir) + 1);
}

static void name_call(Led *l, const TraceCall *call)
{
        char path[256];
        struct sockaddr_un un;
        l->what[0] = '\0';
        l->kept = false;
        l->nr = call->nr;
        l->fd = call->args[0];
        if (call->nr == SYS_sendto)
                name_sent(l, call);
        else if (call->nr == SYS_pwrite64) {
                trace_fd(l->trace, call->args[0], path, sizeof(path));
                if (strstr(path, ".jsonl"))
                        name_line(l, call);
        } else if (call->nr == SYS_fsync) {
                trace_fd(l->trace, call->args[0], path, sizeof(path));
                bool file = strstr(path, ".jsonl");
                (void) snprintf(l->what, sizeof(l->what), "%s", file ? l->line : "sync directory");
                l->kept = file;
        } else if (call->nr == SYS_ftruncate)
                (void) snprintf(l->what, sizeof(l->what), "cut the journal");
        else if (call->nr == SYS_connect) {
                size_t n = trace_peek(l->trace, call->args[1], &un, MIN(call->args[2], sizeof(un)));
                const char *name = n > sizeof(sa_family_t) && un.sun_family == AF_UNIX
                                           ? strrchr(un.sun_path, '/')
                                           : NULL;
                if (!name || strncmp(un.sun_path, l->w->dir, strlen(l->w->dir)) != 0 || call->args[0] >= FDS)
                        return;
                (void) snprintf(l->node[call->args[0]], sizeof(l->node[0]), "%.15s", name + 1);
                (void) snprintf(l->what, sizeof(l->what), "link %.100s", name + 1);
        } else if (call->nr == SYS_openat && call->args[2] & O_CREAT)
                name_path(l, "create", call->args[1]);
        else if (call->nr == SYS_mkdirat)
                name_path(l, "mkdir", call->args[1]);
#ifdef SYS_mkdir
        else if (call->nr == SYS_mkdir)
                name_path(l, "mkdir", call->args[0]);
#endif
}

static const char *when_of(const Led *l, const TraceCall *call)
{
        bool line = l->kept && l->nr == SYS_pwrite64, sync = l->kept && l->nr == SYS_fsync;
        if (!call->after)
                return sync ? NULL : "before";
        return line ? "written" : sync ? "synced" : "after";
}

/* What is known by then: the half of a line that the disk has when power or process go in the middle of it.
 */
static void tear(const Led *l, uint64_t length)
{
        char path[64];
        struct stat st;
        (void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int) trace_pid(l->trace), (int) l->fd);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size - (off_t) (length / 2)), 0);
}

static TraceDo on_led(Trace *t, const TraceCall *call, void *userdata)
{
        Led *l = userdata;
        l->trace = t;
        if (!call->after)
                name_call(l, call);
        const char *when = *l->what ? when_of(l, call) : NULL;
        if (!when)
                return TRACE_GO;
        if (!l->at) {
                points_add(l->seen, l->what, when);
                if (strcmp(when, "written") == 0)
                        points_add(l->seen, l->what, "torn");
                return TRACE_GO;
        }
        bool torn = strcmp(l->at->when, "torn") == 0 && strcmp(when, "written") == 0;
        if (l->hit || strcmp(l->at->what, l->what) != 0 || (!torn && strcmp(l->at->when, when) != 0))
                return TRACE_GO;
        l->hit = true;
        if (torn)
                tear(l, (uint64_t) call->result);
        return l->hold ? TRACE_HOLD : TRACE_KILL;
}

/* ---- profiles ---- */

typedef struct Profile {
        const char *name;
        void (*set)(World *w);
        const char *line;         /* what the coordinator that dies does */
        const char *only;         /* points whose name has this; NULL: all */
        void (*before)(World *w); /* what has been already; NULL */
        bool hold;                /* it stands still instead */
        bool cut; /* it lives, and its link is lost instead, with the call or with its answer */
        const char *pools, *roll; /* the nodes, and how the roll was begun; NULL: three of them */
        unsigned most;            /* so many may be out at once; 0: one */
} Profile;

static void usual(World *w)
{
        (void) w;
}

/* Leases of 6 s are renewed every 2 s, and n1 takes longer. */
static void slow(World *w)
{
        for (size_t i = 0; i < w->n; i++)
                fake_agent_script(w->agent[i])->ttl_usec = 6 * USEC_PER_SEC;
        fake_agent_script(w->agent[0])->phase_usec[PHASE_NOTICE] = 2500 * USEC_PER_MSEC;
}

static void fall_over(World *w, size_t node, const char *member)
{
        if (w->done_once || strcmp(member, "Go") != 0)
                return;
        w->done_once = true;
        fake_agent_script(w->agent[(node + 2) % w->n])->parts[0].not_up = true;
        fake_agent_pulse(w->agent[(node + 2) % w->n]);
}

/* n1 is being blocked when n3 falls over: it is told to go back. */
static void missing(World *w)
{
        fake_agent_script(w->agent[0])->phase_usec[PHASE_BLOCK] = 500 * USEC_PER_MSEC;
        w->on_call = fall_over;
}

static const Point in_the_middle = { "journal node n2 drain", "synced" };

static void die_at(World *w, const Point *p, const char *line)
{
        Led led = { .w = w, .at = p };
        Trace *t = rolls_start(w, line, w->dir, on_led, &led);
        int status = rolls_finish(w, t);
        (void) trace_free(t);
        if (!led.hit || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("it did not come to \"%s\", %s: status %x", p->what, p->when, status);
}

static void killed_before(World *w)
{
        die_at(w, &in_the_middle, ROLLS_ROLL);
}

static const Profile profiles[] = {
        { .name = "usual", .set = usual, .line = ROLLS_ROLL },
        { .name = "renewing", .set = slow, .line = ROLLS_ROLL, .only = "LeaseRenew" },
        { .name = "going-back", .set = missing, .line = ROLLS_ROLL, .only = "n1" },
        { .name = "two-at-once",
          .set = usual,
          .line = ROLL_TWO,
          .only = "call",
          .pools = "aaaaa",
          .roll = ROLL_TWO,
          .most = 2 },
        { .name = "resume", .set = usual, .line = ROLLS_RESUME, .before = killed_before },
        { .name = "frozen", .set = usual, .line = ROLLS_ROLL, .only = "call", .hold = true },
        { .name = "cut", .set = usual, .line = ROLLS_ROLL, .only = "call", .cut = true },
};

/* ---- what must be so behind it ---- */

static void way_on(World *w, const Profile *p, bool early)
{
        rolls_way_on(w, p->roll ? p->roll : ROLLS_ROLL, MAX(p->most, 1), early);
}

/* The one that stands still at @p wakes when another one, of another machine, has done all of it. */
static void stand_still(World *w, const Point *p)
{
        char dir[96], conf[512];
        Led led = { .w = w, .at = p, .hold = true };
        (void) snprintf(dir, sizeof(dir), "%s/other", w->dir);
        assert_int_equal(mkdir(dir, 0700), 0);
        world_file(w, "other/conf", world_conf(dir, conf, sizeof(conf)));

        Trace *t = rolls_start(w, ROLLS_ROLL, w->dir, on_led, &led);
        (void) rolls_finish(w, t);
        if (!led.hit)
                fail_msg("it did not come to \"%s\", %s", p->what, p->when);
        rolls_leases_lapse(w);
        rolls_jobs_end(w);
        unsigned before = world_restarts(w);
        int status = rolls_run(w, ROLLS_ROLL, dir);
        if (status != result_exit_code(RESULT_DONE))
                fail_msg("the other one: exit %d:\n%s", status, w->lines);
        assert_int_equal(world_restarts(w), before + w->n);
        world_has_no_lease(w);
        trace_go(t);
        status = rolls_finish(w, t);
        (void) trace_free(t);
        rolls_jobs_end(w);
        /* What it had in mind was refused; it may have asked for new leases, in order, and gone on. */
        assert_true(WIFEXITED(status));
        for (size_t i = 0; i < w->n; i++)
                if (fake_agent_restarts(w->agent[i]) > 2)
                        fail_msg("%s was restarted %u times", w->name[i], fake_agent_restarts(w->agent[i]));
        assert_true(w->out_most <= 1);
        world_has_no_lease(w);
        rolls_journal_tells(w, dir);
}

/* ---- links ---- */

static const Point *cut_at;

/* Lost before it arrives, or it is obeyed and the answer is lost: the end of an ssh, a sshd or a bridge looks
 * like this, and so does that of a network. */
static void cut_there(World *w, size_t node, const char *member)
{
        char what[160];
        (void) snprintf(what, sizeof(what), "call %s %s", member, w->name[node]);
        if (w->done_once || strcmp(what, cut_at->what) != 0)
                return;
        w->done_once = true;
        w->swallow = strcmp(cut_at->when, "before") == 0;
        fake_agent_cut(w->agent[node]);
}

static void lose_link(World *w, const Profile *p, const Point *point)
{
        cut_at = point;
        w->on_call = cut_there;
        int status = rolls_run(w, p->line, w->dir);
        if (!w->done_once)
                fail_msg("it did not come to \"%s\"", point->what);
        bool begins = strstr(point->what, "Look ") || strstr(point->what, "LeaseTake ");
        if (status != 0 && !begins)
                fail_msg("exit %d:\n%s", status, w->lines);
        /* Before anything is begun it is refused, and done when it is asked for again. */
        if (status != 0) {
                way_on(w, p, false);
                return;
        }
        for (size_t i = 0; i < w->n; i++)
                assert_int_equal(fake_agent_restarts(w->agent[i]), 1);
        assert_int_equal(w->out_most, 1);
        /* What could not be given back lapses. */
        if (!strstr(point->what, "LeaseGive "))
                world_has_no_lease(w);
        rolls_journal_tells(w, w->dir);
}

/* ---- the same call twice ---- */

static Trace *start_beside(World *w, const char *line, char *dir, size_t size)
{
        char conf[512];
        (void) snprintf(dir, size, "%s/other", w->dir);
        assert_int_equal(mkdir(dir, 0700), 0);
        /* The same journals. */
        world_file(w, "other/conf", world_conf(w->dir, conf, sizeof(conf)));
        return rolls_start(w, line, dir, NULL, NULL);
}

/* The event of the last roll's journal that has this in it; the record is to be freed. */
static const cJSON *journal_event(World *w, const char *name, RollRecord **ret)
{
        char rolls[256], id[ROLL_ID_SIZE];
        const cJSON *e;
        Err err = { 0 };
        (void) snprintf(rolls, sizeof(rolls), "%s/rolls", w->dir);
        assert_int_equal(roll_log_find(rolls, NULL, false, id, &err), 0);
        assert_int_equal(roll_log_read(rolls, id, ret, &err), 0);
        cJSON_ArrayForEach(e, (*ret)->events)
        {
                if (strcmp(text_of(e, "event"), name) == 0)
                        return e;
        }
        fail_msg("no event \"%s\"", name);
        return NULL;
}

static void until_phase(World *w, size_t node, const char *phase)
{
        Usec until = time_now() + ROLLS_USEC;
        while (strcmp(fake_agent_phase(w->agent[node]), phase) != 0) {
                assert_true(time_now() < until);
                world_pump(w, 5 * USEC_PER_MSEC);
        }
}

/* The same servers, told in another way and for another reason. */
static void the_same_call_again_joins_the_roll_that_runs(void **state)
{
        static World w;
        char dir[96], pid[16];
        RollRecord *r = NULL;
        (void) state;
        trace_free_all();
        world_new(&w, "aaa");
        world_listen(&w);
        fake_agent_script(w.agent[1])->phase_usec[PHASE_NOTICE] = 2 * USEC_PER_SEC;
        Trace *first = rolls_start(&w, ROLLS_ROLL, w.dir, NULL, NULL);
        until_phase(&w, 1, "notice");
        Trace *second = start_beside(&w, "edge-roll restart router --nodes n[1:3] --yes --reason=keystore",
                                     dir, sizeof(dir));
        (void) snprintf(pid, sizeof(pid), "%d", (int) trace_pid(second));
        assert_int_equal(rolls_finish(&w, second), 0);
        assert_int_equal(rolls_finish(&w, first), 0);
        rolls_output(&w, dir);
        world_says(&w, "joining roll 2");
        world_says(&w, "n3: done");
        world_says(&w, "has ended: 3 of 3 restarted");
        rolls_output(&w, w.dir);
        world_says(&w, "joined by uid ");
        world_says(&w, ": keystore");
        assert_int_equal(world_restarts(&w), 3);
        world_has_no_lease(&w);
        const cJSON *e = journal_event(&w, "join", &r);
        assert_string_equal(text_of(e, "reason"), "keystore");
        assert_ptr_equal(strstr(text_of(e, "by"), "uid "), text_of(e, "by"));
        assert_ptr_equal(strstr(text_of(e, "call"), pid), text_of(e, "call"));
        (void) roll_record_free(r);
        (void) trace_free(second);
        (void) trace_free(first);
        world_done(&w);
}

/* What has changed on n1 when that was restarted already gets a restart: n1 is asked again. */
static void a_change_too_late_for_a_roll_gets_one_of_its_own(void **state)
{
        static World w;
        char dir[96];
        (void) state;
        trace_free_all();
        world_new(&w, "aaa");
        world_listen(&w);
        fake_agent_script(w.agent[1])->phase_usec[PHASE_NOTICE] = 2 * USEC_PER_SEC;
        Trace *first = rolls_start(&w, ROLLS_ROLL " --if-needed", w.dir, NULL, NULL);
        until_phase(&w, 1, "notice");
        assert_int_equal(fake_agent_restarts(w.agent[0]), 1);
        Trace *second = start_beside(&w, ROLLS_ROLL " --if-needed", dir, sizeof(dir));
        assert_int_equal(rolls_finish(&w, second), 0);
        assert_int_equal(rolls_finish(&w, first), 0);
        rolls_output(&w, dir);
        world_says(&w, "looking at what needs a restart still");
        assert_string_equal(w.order, "n1 n2 n3 n1 n2 n3");
        assert_int_equal(w.out_most, 1);
        world_has_no_lease(&w);
        (void) trace_free(second);
        (void) trace_free(first);
        world_done(&w);
}

/* The same file with other servers in it is not the same roll. */
static void an_inventory_that_was_changed_is_not_joined(void **state)
{
        static World w;
        char dir[96], line[256];
        (void) state;
        trace_free_all();
        world_new(&w, "aaabb");
        world_listen(&w);
        world_file(&w, "hosts", "n1\nn2\nn3\n");
        (void) snprintf(line, sizeof(line), "edge-roll restart router --inventory %s/hosts --yes", w.dir);
        fake_agent_script(w.agent[1])->phase_usec[PHASE_NOTICE] = 2 * USEC_PER_SEC;
        Trace *first = rolls_start(&w, line, w.dir, NULL, NULL);
        until_phase(&w, 1, "notice");
        world_file(&w, "hosts", "n1\nn2\nn3\nn4\nn5\n");
        Trace *second = start_beside(&w, line, dir, sizeof(dir));
        int status = rolls_finish(&w, second);
        assert_true(WIFEXITED(status));
        rolls_output(&w, dir);
        if (strstr(w.lines, "joining roll"))
                fail_msg("n4 and n5 were asked for, and a roll without them was joined: exit %d",
                         WEXITSTATUS(status));
        assert_true(WEXITSTATUS(status) != 0);
        assert_int_equal(rolls_finish(&w, first), 0);
        assert_int_equal(world_restarts(&w), 3);
        (void) trace_free(second);
        (void) trace_free(first);
        world_done(&w);
}

/* Its process has the lock and stands still: nobody waits for it for ever. */
static void one_that_has_joined_a_roll_that_stands_still_says_so(void **state)
{
        static World w;
        char dir[96];
        (void) state;
        trace_free_all();
        world_new(&w, "aaa");
        world_listen(&w);
        Led led = { .w = &w, .at = &in_the_middle, .hold = true };
        Trace *first = rolls_start(&w, ROLLS_ROLL, w.dir, on_led, &led);
        (void) rolls_finish(&w, first);
        assert_true(led.hit);
        Trace *second = start_beside(&w, ROLLS_ROLL, dir, sizeof(dir));
        int status = rolls_finish(&w, second);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), result_exit_code(RESULT_BUSY));
        rolls_output(&w, dir);
        world_says(&w, "stands still: process ");
        world_says(&w, "has written nothing for 5");
        world_says(&w, "kill -CONT");
        trace_go(first);
        assert_int_equal(rolls_finish(&w, first), 0);
        rolls_jobs_end(&w);
        assert_int_equal(world_restarts(&w), 3);
        (void) trace_free(second);
        (void) trace_free(first);
        world_done(&w);
}

/* Who has joined a roll that dies says how it can be gone on with. */
static void one_that_has_joined_a_roll_that_dies_says_so(void **state)
{
        static World w;
        char dir[96];
        (void) state;
        trace_free_all();
        world_new(&w, "aaa");
        world_listen(&w);
        fake_agent_script(w.agent[1])->phase_usec[PHASE_NOTICE] = 4 * USEC_PER_SEC;
        Trace *first = rolls_start(&w, ROLLS_ROLL, w.dir, NULL, NULL);
        until_phase(&w, 1, "notice");
        Trace *second = start_beside(&w, ROLLS_ROLL, dir, sizeof(dir));
        for (Usec until = time_now() + ROLLS_USEC; !strstr(w.lines, "joining roll"); rolls_output(&w, dir)) {
                assert_true(time_now() < until);
                world_pump(&w, 20 * USEC_PER_MSEC);
        }
        (void) trace_free(first);
        int status = rolls_finish(&w, second);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), result_exit_code(RESULT_REFUSED));
        rolls_output(&w, dir);
        world_says(&w, "is not run any more and has not ended");
        world_says(&w, "edge-roll resume 2");
        (void) trace_free(second);
        way_on(&w, &profiles[0], false);
        world_done(&w);
}

static const struct CMUnitTest others[] = {
        cmocka_unit_test(the_same_call_again_joins_the_roll_that_runs),
        cmocka_unit_test(a_change_too_late_for_a_roll_gets_one_of_its_own),
        cmocka_unit_test(an_inventory_that_was_changed_is_not_joined),
        cmocka_unit_test(one_that_has_joined_a_roll_that_dies_says_so),
        cmocka_unit_test(one_that_has_joined_a_roll_that_stands_still_says_so),
};

/* ---- all of them ---- */

typedef struct Try {
        const Profile *profile;
        Point point;
        bool early;
        char name[256];
} Try;

static void one_point(void **state)
{
        static World w;
        const Try *t = *state;
        const Profile *p = t->profile;
        trace_free_all(); /* of a point that has failed */
        world_new(&w, p->pools ? p->pools : "aaa");
        world_listen(&w);
        p->set(&w);
        if (p->before)
                p->before(&w);
        if (p->cut)
                lose_link(&w, p, &t->point);
        else if (p->hold)
                stand_still(&w, &t->point);
        else {
                die_at(&w, &t->point, p->line);
                way_on(&w, p, t->early);
        }
        world_done(&w);
}

/* The same each time, so one run shows all of them. */
static void points_find(const Profile *p, Points *seen)
{
        static World w;
        Points all = { 0 };
        Led led = { .w = &w, .seen = &all };
        world_new(&w, p->pools ? p->pools : "aaa");
        world_listen(&w);
        p->set(&w);
        if (p->before)
                p->before(&w);
        Trace *t = rolls_start(&w, p->line, w.dir, on_led, &led);
        (void) rolls_finish(&w, t);
        (void) trace_free(t);
        rolls_heal(&w);
        rolls_jobs_end(&w);
        world_done(&w);
        seen->n = 0;
        /* Also what only asks can be lost. */
        static const char *const asks[] = { "Look", "CurrentJob", "Events" };
        for (size_t i = 0; i < ELEMENTS(asks) * w.n * 2 && p->cut; i++) {
                Point *point = &seen->points[seen->n++];
                (void) snprintf(point->what, sizeof(point->what), "call %s %s", asks[i / (2 * w.n)],
                                w.name[i / 2 % w.n]);
                point->when = i % 2 ? "after" : "before";
        }
        for (size_t i = 0; i < all.n; i++)
                if (!p->only || strstr(all.points[i].what, p->only))
                        seen->points[seen->n++] = all.points[i];
}

/* Return: how many of @seen are tried; they are put behind @tries. */
static size_t choose(const Profile *p, const Points *seen, const char *wanted, Try *tries)
{
        static bool tried[POINTS_MAX];
        size_t n = 0;
        points_sample(seen->n, SAMPLE, wanted, tried);
        for (size_t i = 0; i < seen->n; i++) {
                Try *t = &tries[n];
                *t = (Try){ .profile = p, .point = seen->points[i], .early = i % 2 };
                (void) snprintf(t->name, sizeof(t->name), "%s/%s/%s", p->name, t->point.what, t->point.when);
                n += tried[i] && points_wanted(wanted, t->name);
        }
        return n;
}

int main(int argc, char **argv)
{
        static Try tries[ELEMENTS(profiles) * POINTS_MAX];
        static struct CMUnitTest tests[ELEMENTS(profiles) * POINTS_MAX + ELEMENTS(others)];
        static Points seen;
        size_t n = 0, known = 0;
        if (argc == 5 && strcmp(argv[1], "--coordinator") == 0)
                return rolls_coordinator(argv + 2);
        bool list_only = argc > 1 && strcmp(argv[1], "--list") == 0;
        const char *wanted = list_only ? "*" : argc > 1 ? argv[1] : NULL;
        for (size_t i = 0; i < ELEMENTS(profiles); i++) {
                const Profile *p = &profiles[i];
                if (!points_profile_wanted(wanted, p->name))
                        continue;
                points_find(p, &seen);
                points_tell(&seen, p->name);
                known += seen.n;
                n += choose(p, &seen, wanted, tries + n);
        }
        for (size_t i = 0; i < n; i++) {
                tests[i] = (struct CMUnitTest){ .name = tries[i].name,
                                                .test_func = one_point,
                                                .initial_state = &tries[i] };
                if (list_only)
                        print_message("%s\n", tries[i].name);
        }
        if (list_only)
                return 0;
        print_message("# %zu of %zu points\n", n, known);
        for (size_t i = 0; i < ELEMENTS(others); i++)
                if (points_wanted(wanted, others[i].name))
                        tests[n++] = others[i];
        return _cmocka_run_group_tests("coordinator-kill", tests, n, NULL, NULL);
}
