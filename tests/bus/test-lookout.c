/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Nodes that check target servers, played: what they answer is what a test wants it to be. Real D-Bus over
 * socket pairs, everything else of a bridge is the fake's. */

#include "agent/cluster/lookout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/cluster/remote.h"
#include "agent/edge/check-wire.h"
#include "tests/lib/fake-agent.h"

#define SERVERS 3
#define NODES   3

/* How a node behaves. */
typedef enum Manner {
        MANNER_GOOD,
        MANNER_BACKWARDS,   /* the last one first */
        MANNER_HALF,        /* not all of them, and then done */
        MANNER_TWICE,       /* one of them again */
        MANNER_FOREIGN_ID,  /* one that was not asked about */
        MANNER_NONSENSE,    /* no JSON */
        MANNER_ESCAPES,     /* for the terminal */
        MANNER_FLOOD,       /* without an end */
        MANNER_UNASKED,     /* good, but for a word before it was asked */
        MANNER_LATE,        /* an answer behind the end */
        MANNER_OLD,         /* a bridge that does not know the call */
        MANNER_REFUSES,     /* no permission */
        MANNER_FAILS,       /* the process there was ended */
        MANNER_DIES,        /* the link goes in the middle, each time */
        MANNER_DIES_ONCE,   /* ... once */
        MANNER_NEVER_THERE, /* no connection */
        MANNER_NUMBER,      /* a signal of another type */
} Manner;

typedef struct Seen {
        Checked checked[SERVERS];
        unsigned times[SERVERS];
        bool fresh; /* one has just come */
        unsigned ended;
        bool good;
        Result result;
        char text[512], hint[400];
} Seen;

typedef struct Player {
        Manner manner;
        FakeAgent *agent;
        unsigned asked; /* questions */
        size_t lines;   /* of the last one */
        bool cut;       /* the link is to go as soon as its answer has come */
} Player;

typedef struct World {
        sd_event *event;
        Config *config;
        Nodes *nodes;
        const Node *list[NODES];
        size_t n;
        Player player[NODES];
        Target *targets[SERVERS];
        const EdgeTargetServer *servers[SERVERS];
        Lookouts *lookouts;
        Seen seen[NODES];
        unsigned ended;
} World;

static void tell(sd_bus_message *m, const char *line)
{
        assert_true(sd_bus_emit_signal(sd_bus_message_get_bus(m), REMOTE_BRIDGE_PATH, REMOTE_BRIDGE_INTERFACE,
                                       "TargetChecked", "s", line) >= 0);
}

static void tell_good(sd_bus_message *m, size_t id)
{
        _cleanup_(freep) char *line = NULL;
        Checked checked = { .layer = id == 1 ? PROBE_CONNECT : PROBE_OK, .elapsed_usec = 5 };
        (void) snprintf(checked.text, sizeof(checked.text), "number %zu", id);
        assert_int_equal(check_line(id, &checked, &line), 0);
        line[strcspn(line, "\n")] = '\0';
        tell(m, line);
}

static void done(sd_bus_message *m)
{
        assert_true(sd_bus_reply_method_return(m, NULL) >= 0);
}

static void error(sd_bus_message *m, const char *name, const char *text)
{
        assert_true(sd_bus_reply_method_errorf(m, name, "%s", text) >= 0);
}

static void play(Player *p, sd_bus_message *m)
{
        const char *question;
        assert_true(sd_bus_message_read(m, "s", &question) > 0);
        p->asked++;
        p->lines = 0;
        for (const char *c = question; *c; c++)
                p->lines += *c == '\n';
        switch (p->manner) {
        case MANNER_GOOD:
        case MANNER_UNASKED:
                for (size_t i = 0; i < p->lines; i++)
                        tell_good(m, i);
                done(m);
                return;
        case MANNER_BACKWARDS:
                for (size_t i = p->lines; i-- > 0;)
                        tell_good(m, i);
                done(m);
                return;
        case MANNER_HALF:
                tell_good(m, 0);
                done(m);
                return;
        case MANNER_TWICE:
                tell_good(m, 0);
                tell_good(m, 0);
                return;
        case MANNER_FOREIGN_ID:
                tell_good(m, p->lines);
                return;
        case MANNER_NONSENSE:
                tell(m, "Killed\033[31m");
                return;
        case MANNER_ESCAPES:
                for (size_t i = 0; i < p->lines; i++) {
                        char line[200];
                        (void) snprintf(
                                line, sizeof(line),
                                "{\"id\":%zu,\"layer\":\"ok\",\"usec\":1,\"notes\":0,\"text\":\"\\u001b[2J\\n\"}",
                                i);
                        tell(m, line);
                }
                done(m);
                return;
        case MANNER_FLOOD:
                for (size_t i = 0; i < 5000; i++)
                        tell_good(m, i % p->lines);
                return;
        case MANNER_LATE:
                for (size_t i = 0; i < p->lines; i++)
                        tell_good(m, i);
                done(m);
                tell_good(m, 0);
                return;
        case MANNER_OLD:
                error(m, REMOTE_ERROR "NotForwarded",
                      "the bridge does not pass on org.edgeroll.Bridge1.CheckTargets of /org/edgeroll/Bridge1");
                return;
        case MANNER_REFUSES:
                error(m, REMOTE_ERROR "NoPermission", "guest may not check target servers from here");
                return;
        case MANNER_FAILS:
                tell_good(m, 0);
                error(m, REMOTE_ERROR "Failed", "the process that checks was ended by signal 9\033[0m");
                return;
        case MANNER_DIES:
        case MANNER_DIES_ONCE:
                if (p->manner == MANNER_DIES_ONCE && p->asked > 1) {
                        for (size_t i = 0; i < p->lines; i++)
                                tell_good(m, i);
                        done(m);
                        return;
                }
                tell_good(m, 0);
                p->cut = true;
                return;
        case MANNER_NUMBER:
                assert_true(sd_bus_emit_signal(sd_bus_message_get_bus(m), REMOTE_BRIDGE_PATH,
                                               REMOTE_BRIDGE_INTERFACE, "TargetChecked", "u", 7U) >= 0);
                return;
        case MANNER_NEVER_THERE:
                break;
        }
        fail();
}

static bool on_call(FakeAgent *a, sd_bus_message *m, const char *member, void *userdata)
{
        Player *p = userdata;
        (void) a;
        if (strcmp(member, "Hello") == 0 && p->manner == MANNER_UNASKED)
                tell_good(m, 0);
        if (strcmp(member, "CheckTargets") != 0)
                return false;
        play(p, m);
        return true;
}

static void on_checked(size_t node, size_t index, const Checked *checked, void *userdata)
{
        Seen *s = &((World *) userdata)->seen[node];
        assert_true(index < SERVERS);
        assert_int_equal(s->ended, 0);
        s->checked[index] = *checked;
        s->times[index]++;
        s->fresh = true;
}

static void on_ended(size_t node, Result result, const char *trouble, const char *hint, void *userdata)
{
        World *w = userdata;
        Seen *s = &w->seen[node];
        assert_int_equal(s->ended, 0);
        s->ended++;
        s->good = result == RESULT_DONE;
        assert_int_equal(s->good, !*trouble);
        s->result = result;
        (void) snprintf(s->text, sizeof(s->text), "%s", trouble);
        (void) snprintf(s->hint, sizeof(s->hint), "%s", hint);
        for (const char *c = s->text; *c; c++)
                assert_true(*c >= ' ' && (unsigned char) *c < 0x7f);
        w->ended++;
}

static int on_connect(const Node *node, void *userdata)
{
        World *w = userdata;
        for (size_t i = 0; i < w->n; i++)
                if (w->list[i] == node)
                        return w->player[i].manner == MANNER_NEVER_THERE
                                       ? -EHOSTUNREACH
                                       : fake_agent_open(w->player[i].agent);
        return -ENOENT;
}

static void world_make(World *w, const Manner *manners, size_t n)
{
        static const char *const names[NODES] = { "m1", "m2", "m3" };
        static const char *const servers[SERVERS] = { "{\"name\":\"a\",\"host\":\"10.0.0.1\",\"port\":80}",
                                                      "{\"name\":\"b\",\"host\":\"10.0.0.2\",\"port\":80}",
                                                      "{\"name\":\"c\",\"host\":\"10.0.0.3\",\"port\":80}" };
        static const LookoutHandlers handlers = { .checked = on_checked,
                                                  .ended = on_ended,
                                                  .connect = on_connect };
        Err err = { 0 };
        *w = (World){ .n = n };
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(config_load(&w->config, "/nonexistent", "/nonexistent", &err), 0);
        assert_int_equal(nodes_new(&w->nodes, "a test", &err), 0);
        assert_int_equal(nodes_add_words(w->nodes, "m1,m2,m3", &err), 0);
        for (size_t i = 0; i < n; i++) {
                Player *p = &w->player[i];
                p->manner = manners[i];
                FakeScript s = { .name = names[i], .hook = on_call, .userdata = p };
                assert_int_equal(fake_agent_new(&p->agent, w->event, &s), 0);
                w->list[i] = &w->nodes->nodes[i];
        }
        for (size_t i = 0; i < SERVERS; i++) {
                assert_int_equal(target_read(servers[i], strlen(servers[i]), &w->targets[i], &err), 0);
                w->servers[i] = &w->targets[i]->server;
        }
        assert_int_equal(lookouts_start(&w->lookouts, w->event, w->config, w->list, n, w->servers, SERVERS,
                                        &handlers, w, &err),
                         0);
}

static void world_run(World *w)
{
        Usec end = time_add(time_now(), 30 * USEC_PER_SEC);
        while (w->ended < w->n) {
                if (time_now() > end)
                        fail_msg("%u of %zu nodes have ended", w->ended, w->n);
                assert_true(sd_event_run(w->event, 100 * USEC_PER_MSEC) >= 0);
                for (size_t i = 0; i < w->n; i++) {
                        if (w->player[i].cut && w->seen[i].fresh) {
                                w->player[i].cut = false;
                                fake_agent_cut(w->player[i].agent);
                        }
                        w->seen[i].fresh = false;
                }
        }
        /* Nothing comes behind the end. */
        for (int i = 0; i < 50; i++)
                assert_true(sd_event_run(w->event, 1) >= 0);
        assert_int_equal(w->ended, w->n);
}

static void world_done(World *w)
{
        w->lookouts = lookouts_free(w->lookouts);
        for (size_t i = 0; i < w->n; i++)
                (void) fake_agent_free(w->player[i].agent);
        for (size_t i = 0; i < SERVERS; i++)
                (void) target_free(w->targets[i]);
        w->nodes = nodes_free(w->nodes);
        (void) config_free(w->config);
        w->event = sd_event_unref(w->event);
}

static void is_good(const Seen *s)
{
        if (!s->good)
                fail_msg("%s", s->text);
        for (size_t i = 0; i < SERVERS; i++)
                assert_int_equal(s->times[i], 1);
}

static void good_nodes(void **state _unused_)
{
        static const Manner manners[] = { MANNER_UNASKED, MANNER_BACKWARDS, MANNER_ESCAPES };
        World w;
        world_make(&w, manners, ELEMENTS(manners));
        world_run(&w);
        for (size_t i = 0; i < w.n; i++) {
                is_good(&w.seen[i]);
                assert_int_equal(w.player[i].asked, 1);
                assert_int_equal(w.player[i].lines, SERVERS);
        }
        assert_int_equal(w.seen[0].checked[1].layer, PROBE_CONNECT);
        assert_string_equal(w.seen[1].checked[2].text, "number 2");
        assert_string_equal(w.seen[2].checked[0].text, "?[2J?");
        world_done(&w);
}

static const struct {
        Manner manner;
        const char *text, *hint;
        size_t told;
} liars[] = {
        { MANNER_HALF, "its answers cannot be believed: 2 of 3 checks have no answer", "same release", 1 },
        { MANNER_TWICE, "a second answer about number 0", "same release", 1 },
        { MANNER_FOREIGN_ID, "an answer about number 3 of 3", "same release", 0 },
        { MANNER_NONSENSE, "its answers cannot be believed: ", "same release", 0 },
        { MANNER_FLOOD, "a second answer about number 0", "same release", SERVERS },
        { MANNER_NUMBER, "an answer that nobody asked for", "same release", 0 },
        { MANNER_OLD, "there is too old: it cannot check target servers", "install the same release", 0 },
        { MANNER_REFUSES, "guest may not check target servers from here", "group edge-roll", 0 },
        { MANNER_FAILS, "the process that checks was ended by signal 9", "", 1 },
        { MANNER_DIES, "the connection was lost 3 times while it checked", "journal", SERVERS },
        { MANNER_NEVER_THERE, "No route to host", "", 0 },
};

/* Each beside one that is good, which is none the worse for it. */
static void liars_are_given_up(void **state _unused_)
{
        for (size_t i = 0; i < ELEMENTS(liars); i++) {
                const Manner manners[] = { liars[i].manner, MANNER_GOOD };
                World w;
                size_t told = 0;
                world_make(&w, manners, ELEMENTS(manners));
                world_run(&w);
                const Seen *s = &w.seen[0];
                assert_int_equal(s->result, liars[i].manner == MANNER_REFUSES ? RESULT_NO_PERMISSION
                                                                              : RESULT_AGENT_UNREACHABLE);
                if (s->good || !strstr(s->text, liars[i].text) || !strstr(s->hint, liars[i].hint))
                        fail_msg("%zu: %s (%s)", i, s->text, s->hint);
                for (size_t k = 0; k < SERVERS; k++) {
                        assert_true(s->times[k] <= 1);
                        told += s->times[k];
                }
                if (told != liars[i].told)
                        fail_msg("%zu: %zu were told: %s", i, told, s->text);
                is_good(&w.seen[1]);
                world_done(&w);
        }
}

/* What was told before the link went is not asked again. */
static void a_link_that_goes_is_made_again(void **state _unused_)
{
        static const Manner manners[] = { MANNER_DIES_ONCE };
        World w;
        world_make(&w, manners, 1);
        world_run(&w);
        is_good(&w.seen[0]);
        assert_int_equal(w.player[0].asked, 2);
        assert_int_equal(w.player[0].lines, SERVERS - 1);
        world_done(&w);
}

static void what_comes_behind_the_end_is_nobodys(void **state _unused_)
{
        static const Manner manners[] = { MANNER_LATE };
        World w;
        world_make(&w, manners, 1);
        world_run(&w);
        is_good(&w.seen[0]);
        world_done(&w);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_nodes),
                cmocka_unit_test(liars_are_given_up),
                cmocka_unit_test(a_link_that_goes_is_made_again),
                cmocka_unit_test(what_comes_behind_the_end_is_nobodys),
        };
        return cmocka_run_group_tests_name("lookout", tests, NULL, NULL);
}
