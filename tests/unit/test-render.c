/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/render.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SEC USEC_PER_SEC
#define T0  (1000 * SEC)

#define JOB                                                                                            \
        "{\"event\":\"job\",\"time\":\"2026-11-22T19:00:00.123Z\",\"job\":3,\"component\":\"router\"," \
        "\"kind\":\"restart\",\"reason\":\"new keystore\",\"joined\":false}"
#define BEGIN "{\"event\":\"phase\",\"phase\":\"notice\",\"state\":\"begin\",\"limit\":120.0}"
#define PROGRESS                                                                        \
        "{\"event\":\"progress\",\"phase\":\"notice\",\"elapsed\":1.4,\"limit\":120.0," \
        "\"text\":\"refused 2/3 by 10.0.0.5, 0/3 by 10.0.0.6\",\"data\":{\"x\":1}}"
#define END                                                                                               \
        "{\"event\":\"phase\",\"phase\":\"notice\",\"state\":\"end\",\"outcome\":\"ok\",\"elapsed\":2.9," \
        "\"evidence\":\"10.0.0.5 refused 3/3 over 2.0 s\"}"
#define RESULT                                                                                                \
        "{\"event\":\"result\",\"component\":\"router\",\"kind\":\"restart\",\"result\":\"done\",\"exit\":0," \
        "\"reason\":\"restarted\",\"hint\":\"\",\"elapsed\":14.2,\"phases\":[{\"phase\":\"preflight\","       \
        "\"elapsed\":0.02,\"evidence\":\"running\"},{\"phase\":\"notice\",\"elapsed\":2.9,"                   \
        "\"evidence\":\"refused\"}],\"protection\":\"unprotected\"}"

static Render *new_render(bool json, bool live, bool verbose, unsigned width)
{
        Render *r = NULL;
        RenderMode mode = { .json = json, .live = live, .verbose = verbose, .width = width };
        assert_int_equal(render_new(&r, &mode), 0);
        return r;
}

static void expect(Render *r, Usec now, const char *event, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        Err err = { 0 };
        assert_int_equal(render_event(r, event, now, &out, &err), 0);
        assert_string_equal(out, text);
}

static void expect_tick(Render *r, Usec now, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(render_tick(r, now, &out), 0);
        assert_string_equal(out, text);
}

static void plain_lines(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        assert_string_equal(render_component(r), "");
        expect(r, T0, JOB, "router: restart, job 3 (new keystore)\n");
        assert_string_equal(render_component(r), "router");
        assert_int_equal(render_job(r), 3);
        expect(r, T0, BEGIN, "notice      begins, limit 120 s\n");
        expect_tick(r, T0 + SEC, "");
        expect(r, T0 + SEC, PROGRESS, "");
        expect(r, T0 + 9 * SEC, PROGRESS, "");
        expect(r, T0 + 10 * SEC, PROGRESS,
               "notice         1.4 s of 120 s  refused 2/3 by 10.0.0.5, 0/3 by 10.0.0.6\n");
        expect(r, T0 + 19 * SEC, PROGRESS, "");
        expect(r, T0 + 20 * SEC, END, "notice         2.9 s  10.0.0.5 refused 3/3 over 2.0 s\n");
        assert_int_equal(render_exit(r), -1);
        expect(r, T0 + 21 * SEC, RESULT,
               "router: restart done, 14.2 s\n  restarted\n"
               "  unprotected: no lock kept another node of the pool from going out meanwhile\n"
               "  time: preflight 0.02 s, notice 2.9 s\n");
        assert_int_equal(render_exit(r), 0);
}

static void verbose_result_has_the_evidence(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, true, 0);
        expect(r, T0, RESULT,
               "router: restart done, 14.2 s\n  restarted\n"
               "  unprotected: no lock kept another node of the pool from going out meanwhile\n"
               "  preflight     0.02 s  running\n  notice         2.9 s  refused\n");
}

#define DOCTOR "{\"event\":\"job\",\"job\":4,\"component\":\"router\",\"kind\":\"doctor\",\"reason\":\"\"}"
#define FINDING                                                                                              \
        "{\"event\":\"finding\",\"state\":\"warning\",\"about\":\"lock\",\"text\":\"unprotected: this node " \
        "knows no other of its pool, and nothing keeps one from going out\",\"hint\":\"never restart two "   \
        "nodes of a pool at the same\\ntime\"}"

/* Findings are the output of doctor: no phases, and lines that fit the terminal. */
static void findings_for_people(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        expect(r, T0, DOCTOR, "router: doctor, job 4\n");
        expect(r, T0, BEGIN, "");
        expect(r, T0, FINDING,
               "warning  lock        unprotected: this node knows no other of its pool, and nothing keeps one from "
               "going out\n"
               "                     what to do: never restart two nodes of a pool at the same?time\n");
        expect(r, T0, END, "");
        expect(r, T0,
               "{\"event\":\"result\",\"component\":\"router\",\"kind\":\"doctor\",\"result\":\"problems\",\"exit\":20,"
               "\"reason\":\"1 problem, 0 warnings\",\"elapsed\":3,\"phases\":[{\"phase\":\"watch\",\"elapsed\":3}]}",
               "router: doctor problems, 3.0 s (exit 20)\n  1 problem, 0 warnings\n");
        assert_int_equal(render_exit(r), 20);

        /* Another component follows. */
        render_again(r);
        assert_int_equal(render_exit(r), -1);
        assert_string_equal(render_component(r), "");

        _cleanup_(render_freep) Render *narrow = new_render(false, false, false, 60);
        expect(narrow, T0, DOCTOR, "router: doctor, job 4\n");
        expect(narrow, T0, FINDING,
               "warning  lock        unprotected: this node knows no other\n"
               "                     of its pool, and nothing keeps one\n"
               "                     from going out\n"
               "                     what to do: never restart two nodes of\n"
               "                       a pool at the same?time\n");
}

static void hooks_for_people(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        expect(r, T0,
               "{\"event\":\"hook\",\"point\":\"verify\",\"hook\":\"/etc/edge-roll/hooks.d/verify/10-x\",\"exit\":1,"
               "\"elapsed\":0.25,\"text\":\"ended with 1\",\"output\":\"one\\n\\u001b[2Jtwo\"}",
               "hook verify/10-x: exit status 1, 0.25 s\n  one\n  ?[2Jtwo\n");
}

static void targets_for_people(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        expect(r, T0,
               "{\"event\":\"targets\",\"point\":\"before\",\"checked\":3,\"answered\":2,\"silent\":[{"
               "\"target\":\"acme/prod/a\",\"text\":\"connect: \\u001b[2Jrefused\"}],\"unknown\":\"\"}",
               "targets before: 2 of 3 answer\n  acme/prod/a: connect: ?[2Jrefused\n");
}

static void what_runs_is_read_from_the_agent(void **state)
{
        char names[2][64];
        (void) state;
        assert_int_equal(
                render_components(
                        "{\"components\":[{\"name\":\"a\"},{\"x\":1},{\"name\":\"b\"},{\"name\":\"c\"}]}",
                        names, 2),
                2);
        assert_string_equal(names[1], "b");
        assert_int_equal(render_components("nonsense", names, 2), 0);
        assert_true(render_running("{\"running\":true}"));
        assert_false(render_running("{\"running\":\"yes\"}"));
        assert_false(render_running(""));
}

static void live_line_is_redrawn(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, true, false, 80);
        _cleanup_(freep) char *out = NULL;
        expect_tick(r, T0, "");
        expect(r, T0, JOB, "router: restart, job 3 (new keystore)\n");
        expect(r, T0, BEGIN, "\x1b[1mnotice\x1b[0m        0.00 s of 120 s  ");
        expect(r, T0 + SEC, PROGRESS,
               "\r\x1b[K\x1b[1mnotice\x1b[0m         1.4 s of 120 s  refused 2/3 by 10.0.0.5, 0/3 by 10.0.0.6");
        expect_tick(
                r, T0 + 2 * SEC,
                "\r\x1b[K\x1b[1mnotice\x1b[0m         2.4 s of 120 s  refused 2/3 by 10.0.0.5, 0/3 by 10.0.0.6");
        expect(r, T0 + 3 * SEC, "{\"event\":\"warning\",\"phase\":\"notice\",\"text\":\"look\"}",
               "\r\x1b[K\x1b[33mwarning\x1b[0m: look\n"
               "\x1b[1mnotice\x1b[0m         3.4 s of 120 s  refused 2/3 by 10.0.0.5, 0/3 by 10.0.0.6");
        expect(r, T0 + 3 * SEC, END,
               "\r\x1b[K\x1b[32mnotice         2.9 s\x1b[0m  10.0.0.5 refused 3/3 over 2.0 s\n");
        expect_tick(r, T0 + 4 * SEC, "");
        assert_int_equal(render_clear(r, &out), 0);
        assert_string_equal(out, "");
}

static void live_line_never_wraps(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, true, false, 20);
        _cleanup_(freep) char *clear = NULL;
        expect(r, T0, BEGIN, "\x1b[1mnotice\x1b[0m        0.00 ");
        render_width(r, 40);
        /* Counted in characters: the two bytes of an umlaut are one column and stay together. */
        expect(r, T0,
               "{\"event\":\"progress\",\"phase\":\"notice\",\"elapsed\":0,\"text\":\"ab\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\"}",
               "\r\x1b[K\x1b[1mnotice\x1b[0m        0.00 s of 120 s  ab\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc");
        render_width(r, 33);
        expect_tick(r, T0, "\r\x1b[K\x1b[1mnotice\x1b[0m        0.00 s of 120 s  a");
        render_width(r, 35);
        expect_tick(r, T0, "\r\x1b[K\x1b[1mnotice\x1b[0m        0.00 s of 120 s  ab\xc3\xbc");
        render_width(r, 1);
        expect_tick(r, T0, "\r\x1b[K\x1b[1mn\x1b[0m");
        assert_int_equal(render_clear(r, &clear), 0);
        assert_string_equal(clear, "\r\x1b[K");
}

static void outcomes_are_told_apart(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        static const char *const outcomes[][2] = {
                { "failed", "drain         61.0 s  failed: 1 request\n" },
                { "timeout", "drain         61.0 s  its time is over: 1 request\n" },
                { "cancelled", "drain         61.0 s  cancelled: 1 request\n" },
                { "back", "drain         61.0 s  back to an earlier phase: 1 request\n" },
                { "new-word", "drain         61.0 s  1 request\n" },
        };
        for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
                char event[256];
                (void) snprintf(
                        event, sizeof(event),
                        "{\"event\":\"phase\",\"phase\":\"drain\",\"state\":\"end\",\"outcome\":\"%s\","
                        "\"elapsed\":61,\"evidence\":\"1 request\"}",
                        outcomes[i][0]);
                expect(r, T0, event, outcomes[i][1]);
        }
}

/* What the job within a job does carries its component's name. */
static void a_job_within_a_job_is_named(void **state)
{
        (void) state;
        static const char begin[] =
                "{\"event\":\"phase\",\"phase\":\"stop-monit\",\"state\":\"begin\",\"limit\":60,"
                "\"component\":\"message-processor\"}";
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        _cleanup_(render_freep) Render *live = new_render(false, true, false, 80);
        expect(r, T0, begin, "message-processor stop-monit begins, limit 60 s\n");
        expect(r, T0 + 11 * SEC,
               "{\"event\":\"progress\",\"phase\":\"drain\",\"elapsed\":11,\"text\":\"in flight 1\","
               "\"component\":\"message-processor\"}",
               "message-processor drain   11.0 s of 60 s  in flight 1\n");
        expect(r, T0 + 12 * SEC,
               "{\"event\":\"warning\",\"phase\":\"drain\",\"text\":\"look\",\"component\":\"message-processor\"}",
               "warning: message-processor: look\n");
        expect(r, T0 + 12 * SEC,
               "{\"event\":\"phase\",\"phase\":\"drain\",\"state\":\"end\",\"outcome\":\"ok\",\"elapsed\":12,"
               "\"evidence\":\"nothing\",\"component\":\"message-processor\"}",
               "message-processor drain   12.0 s  nothing\n");
        expect(r, T0 + 20 * SEC,
               "{\"event\":\"result\",\"component\":\"router\",\"kind\":\"restart-rmp\",\"result\":\"held\","
               "\"reason\":\"message-processor: held: why\",\"elapsed\":20,\"partner\":{\"component\":"
               "\"message-processor\",\"result\":\"held\",\"phases\":[{\"phase\":\"start\",\"elapsed\":1}]}}",
               "router: restart-rmp held, 20.0 s (exit 16)\n  message-processor: held: why\n"
               "  message-processor held\n  time: start 1.0 s\n");
        assert_int_equal(render_exit(r), 16);
        expect(live, T0, begin, "\x1b[1mmessage-processor stop-monit\x1b[0m   0.00 s of 60 s  ");
}

static void json_passes_unchanged(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(true, true, true, 20);
        _cleanup_(freep) char *out = NULL;
        expect(r, T0, JOB, JOB "\n");
        expect(r, T0, "{\"event\":\"tomorrow\",\"x\":[1, 2]}", "{\"event\":\"tomorrow\",\"x\":[1, 2]}\n");
        expect(r, T0, "{\"event\":\n\"x\"\r}", "{\"event\": \"x\" }\n");
        expect(r, T0, RESULT, RESULT "\n");
        assert_int_equal(render_exit(r), 0);
        assert_int_equal(render_say(r, "the \"agent\"\nis back", &out), 0);
        assert_string_equal(out, "{\"event\":\"client\",\"text\":\"the \\\"agent\\\"\\nis back\"}\n");
}

static void unknown_and_odd_events_are_ignored(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        char *out = NULL;
        Err err = { 0 };
        expect(r, T0, "{\"event\":\"tomorrow\"}", "");
        expect(r, T0, "{\"event\":\"job\",\"job\":-5,\"component\":7}", ": , job 0\n");
        expect(r, T0, "{\"event\":\"phase\",\"state\":\"begin\",\"limit\":\"x\"}", "            begins\n");
        assert_int_equal(render_event(r, "", T0, &out, &err), -EBADMSG);
        assert_int_equal(render_event(r, "[1]", T0, &out, &err), -EBADMSG);
        assert_int_equal(render_event(r, "{\"event\":1}", T0, &out, &err), -EBADMSG);
        assert_null(out);
}

static void control_characters_never_reach_the_terminal(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        expect(r, T0, "{\"event\":\"warning\",\"text\":\"a\\u001b[2Jb\\nc\\u007f\\u009bx\\u00e4\"}",
               "warning: a?[2Jb?c??x\xc3\xa4\n");
        /* Names, too. */
        static const char *const events[] = {
                "{\"event\":\"phase\",\"phase\":\"a\\u001b[2J\",\"component\":\"\\u0007b\",\"state\":\"begin\"}",
                "{\"event\":\"progress\",\"phase\":\"a\\u001b[2J\",\"elapsed\":1,\"text\":\"\\u007f\"}",
                "{\"event\":\"phase\",\"phase\":\"a\\u001b[2J\",\"state\":\"end\",\"outcome\":\"\\u001b\"}",
        };
        for (size_t i = 0; i < ELEMENTS(events); i++) {
                _cleanup_(freep) char *out = NULL;
                Err err = { 0 };
                assert_int_equal(render_event(r, events[i], T0, &out, &err), 0);
                assert_null(strpbrk(out, "\x1b\x07\x7f"));
        }
        _cleanup_(freep) char *facts = NULL, *request = NULL;
        Err err = { 0 };
        assert_int_equal(render_facts("{\"a\\u001b_\\u007f\":1}", &facts, &err), 0);
        assert_string_equal(facts, "a? ?  1\n");
        assert_int_equal(render_request("{\"component\":\"a\\u001b[2J\",\"by\":\"b\"}", &request, &err), 0);
        assert_null(strchr(request, 0x1b));
}

static void results_have_their_exit_code(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        expect(r, T0, "{\"event\":\"result\",\"result\":\"held\",\"exit\":0,\"hint\":\"look\"}",
               "edge-roll: held (exit 16)\n  what to do: look\n");
        assert_int_equal(render_exit(r), 16);
        expect(r, T0, "{\"event\":\"result\",\"result\":\"later\",\"exit\":23}",
               "edge-roll: later (exit 23)\n");
        assert_int_equal(render_exit(r), 23);
        /* An unknown end is never a success. */
        expect(r, T0, "{\"event\":\"result\",\"result\":\"later\",\"exit\":0}",
               "edge-roll: later (exit 1)\n");
        expect(r, T0, "{\"event\":\"result\",\"result\":\"later\",\"exit\":4000}",
               "edge-roll: later (exit 1)\n");
        assert_int_equal(render_exit(r), 1);
}

static void a_result_of_our_own(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        _cleanup_(freep) char *json = NULL;
        assert_int_equal(render_result_json(NULL, "status", "busy", 14, "why \"x\"", "", &json), 0);
        expect(r, T0, json, "edge-roll: status busy (exit 14)\n  why \"x\"\n");
}

#define STATUS                                                                                                   \
        "{\"agent\":{\"version\":\"0.1.0\",\"pid\":7},\"job\":%s,\"last\":[{\"component\":\"router\","           \
        "\"result\":\"done\",\"reason\":\"ok\",\"hint\":\"\",\"time\":\"2026-11-22T19:00:00.000Z\","             \
        "\"elapsed\":14.2},{\"component\":\"mp\",\"result\":\"held\",\"reason\":\"lost acme/prod\","             \
        "\"hint\":\"deploy it\",\"time\":\"2026-11-22T20:00:00.000Z\",\"elapsed\":3}],\"components\":["          \
        "{\"name\":\"router\",\"running\":true,\"unit\":\"edge-router.service\",\"health_port\":15999,"          \
        "\"blocked\":\"%s\",\"hold\":%s,\"monit\":\"monitored\"},"                                               \
        "{\"name\":\"mp\",\"running\":false,\"unit\":\"\",\"health_port\":0,\"blocked\":\"no\",\"hold\":null}]," \
        "\"table\":{\"transit\":false,\"hold\":%s}}"

static char *status(const char *job, const char *blocked, const char *hold, const char *table)
{
        char *text = NULL;
        assert_true(asprintf(&text, STATUS, job, blocked, hold, table) > 0);
        return text;
}

static void status_for_people(void **state)
{
        (void) state;
        _cleanup_(freep) char *json = status("null", "no", "null", "false"), *out = NULL, *one = NULL;
        bool held = true;
        assert_int_equal(render_status(json, NULL, &out, &held, NULL), 0);
        assert_false(held);
        assert_string_equal(
                out, "router: running in edge-router.service, health port 15999 open, monit: monitored\n"
                     "mp: not running, open\n"
                     "no job is running\n"
                     "last: router done, 14.2 s, 2026-11-22T19:00:00.000Z: ok\n"
                     "last: mp held, 3.0 s, 2026-11-22T20:00:00.000Z: lost acme/prod\n"
                     "  what to do: deploy it\n"
                     "agent: version 0.1.0, process 7\n");
        assert_int_equal(render_status(json, "mp", &one, &held, NULL), 0);
        assert_null(strstr(one, "router"));
}

static void status_shows_holds(void **state)
{
        (void) state;
        _cleanup_(freep) char *json =
                status("null", "hold",
                       "{\"by\":\"root\",\"reason\":\"kernel\",\"since\":1795374000000000,"
                       "\"until\":\"2026-11-23T00:00:00Z\"}",
                       "true");
        _cleanup_(freep) char *out = NULL, *other = NULL, *lone = NULL,
                              *json2 = status("null", "no", "null", "true");
        bool held = false;
        assert_int_equal(render_status(json, NULL, &out, &held, NULL), 0);
        assert_true(held);
        assert_non_null(
                strstr(out, "router: HELD, running in edge-router.service, health port 15999 blocked by the "
                            "hold"));
        assert_non_null(
                strstr(out,
                       "  held since 2026-11-22T19:00:00.000Z until 2026-11-23T00:00:00Z by root: kernel\n"
                       "  edge-roll undrain router lets traffic in again\n"));
        assert_int_equal(render_status(json, "mp", &other, &held, NULL), 0);
        assert_false(held);
        assert_int_equal(render_status(json2, NULL, &lone, &held, NULL), 0);
        assert_true(held);
        assert_non_null(strstr(lone, "systemctl stop edge-roll-hold"));
}

static void status_shows_who_has_the_lease(void **state)
{
        static const char json[] =
                "{\"agent\":{\"version\":\"0.1.0\",\"pid\":7},\"components\":[{\"name\":\"router\",\"running\":true,"
                "\"health_port\":15999,\"blocked\":\"no\",\"lease\":{\"epoch\":7,\"holder\":\"roll-1\","
                "\"by\":\"uid 0 (root) for alice\",\"since\":\"2026-11-22T19:00:00.000Z\",\"left\":12.3}},"
                "{\"name\":\"mp\",\"running\":true,\"health_port\":8998,\"blocked\":\"no\",\"lease\":null}]}";
        _cleanup_(freep) char *out = NULL;
        bool held = true;
        (void) state;
        assert_int_equal(render_status(json, NULL, &out, &held, NULL), 0);
        assert_false(held);
        assert_string_equal(out, "router: running, health port 15999 open\n"
                                 "  leased by the roll roll-1, by uid 0 (root) for alice, since "
                                 "2026-11-22T19:00:00.000Z, for 12 s more unless it is renewed\n"
                                 "mp: running, health port 8998 open\n"
                                 "no job is running\n"
                                 "agent: version 0.1.0, process 7\n");
}

/* What protects a job is said as it is; one that takes nothing out needs nothing. */
static void a_result_tells_what_protected_it(void **state)
{
        static const struct {
                const char *keys, *line;
        } shown[] = {
                { "\"protection\":\"lease\",\"lock_text\":\"lease 7 of roll-1 on 6 members\"",
                  "  protected by lease 7 of roll-1 on 6 members\n" },
                { "\"protection\":\"unprotected\",\"lock_text\":\"no other node of its pool is known: unprotected\"",
                  "  unprotected: no lock kept another node of the pool from going out meanwhile\n" },
                { "\"protection\":\"unprotected\",\"lock_text\":\"\"", "" },
        };
        (void) state;
        for (size_t i = 0; i < ELEMENTS(shown); i++) {
                _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
                char event[512], text[256];
                (void) snprintf(
                        event, sizeof(event),
                        "{\"event\":\"result\",\"component\":\"router\",\"kind\":\"restart\",\"result\":\"done\","
                        "\"exit\":0,\"elapsed\":14.2,%s}",
                        shown[i].keys);
                (void) snprintf(text, sizeof(text), "router: restart done, 14.2 s\n%s", shown[i].line);
                expect(r, T0, event, text);
        }
}

static void status_shows_the_job(void **state)
{
        (void) state;
        _cleanup_(freep) char *json =
                status("{\"id\":3,\"component\":\"router\",\"kind\":\"restart\",\"phase\":\"drain\","
                       "\"awaiting\":\"in flight 14\",\"elapsed\":4.5,\"by\":\"root\","
                       "\"reason\":\"new\"}",
                       "job", "null", "false");
        _cleanup_(freep) char *out = NULL;
        bool held = true;
        assert_int_equal(render_status(json, "router", &out, &held, NULL), 0);
        assert_false(held);
        assert_non_null(strstr(out, "job 3: restart of router, asked for by root (new)\n"
                                    "  in phase drain, 4.5 s since it began; awaiting: in flight 14\n"));
        assert_non_null(strstr(out, "in the hands of the job"));
}

static void status_shows_a_hold_without_its_table(void **state)
{
        (void) state;
        _cleanup_(freep) char *json =
                status("null", "hold-missing", "{\"by\":\"root\",\"reason\":\"x\"}", "false");
        _cleanup_(freep) char *out = NULL, *odd = NULL;
        bool held = false;
        assert_int_equal(render_status(json, NULL, &out, &held, NULL), 0);
        assert_true(held);
        assert_non_null(strstr(out, "health port 15999 open ALTHOUGH it is held"));
        assert_non_null(strstr(out, "systemctl reload-or-restart edge-roll-hold"));
        assert_int_equal(
                render_status("{\"components\":[{\"name\":\"r\",\"blocked\":\"unknown\",\"error\":\"bad "
                              "record\",\"refused\":3}]}",
                              NULL, &odd, &held, NULL),
                0);
        assert_non_null(strstr(
                odd,
                "r: not known whether it runs, not known whether it is blocked, 3 refused\n  bad record\n"));
}

static void status_names_what_else_refuses(void **state)
{
        (void) state;
        _cleanup_(freep) char *out = NULL;
        bool held = true;
        assert_int_equal(
                render_status("{\"components\":[{\"name\":\"r\",\"blocked\":\"leftover\",\"health_port\":"
                              "15999,\"foreign_rules\":[{\"rule\":\"ip filter INPUT handle 4 (drop)\","
                              "\"delete\":\"nft delete rule x\"}]}]}",
                              NULL, &out, &held, NULL),
                0);
        assert_false(held);
        assert_non_null(
                strstr(out, "health port 15999 REFUSED by the table inet edge_roll, which no job uses\n"));
        assert_non_null(strstr(out,
                               "a rule of somebody else refuses that port: ip filter INPUT handle 4 (drop)\n"
                               "  nft delete rule x deletes it\n"));
}

static void a_job_that_goes_on(void **state)
{
        (void) state;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        expect(r, T0,
               "{\"event\":\"job\",\"job\":3,\"component\":\"router\",\"kind\":\"restart\",\"resumed\":true}",
               "router: restart, job 3 goes on\n");
        expect(r, T0, "{\"event\":\"result\",\"result\":\"done\",\"drained\":{\"idle_by_age_only\":4}}",
               "edge-roll: done\n  4 connections counted as idle by their age alone\n");
}

static void the_last_result(void **state)
{
        (void) state;
        _cleanup_(freep) char *json = status("null", "no", "null", "false");
        _cleanup_(freep) char *any = NULL, *router = NULL, *late = NULL, *none = NULL;
        _cleanup_(render_freep) Render *r = new_render(false, false, false, 0);
        assert_int_equal(render_last(json, NULL, 0, &any, NULL), 0);
        assert_non_null(any);
        expect(r, T0, any, "mp: held, 3.0 s (exit 16)\n  lost acme/prod\n  what to do: deploy it\n");
        assert_int_equal(render_last(json, "router", 0, &router, NULL), 0);
        assert_non_null(strstr(router, "\"exit\":0"));
        /* 2026-11-22T19:30:00Z: the router's end was before, the other's behind. */
        assert_int_equal(render_last(json, "router", 1795375800 * SEC, &none, NULL), 0);
        assert_null(none);
        assert_int_equal(render_last(json, NULL, 1795375800 * SEC, &late, NULL), 0);
        assert_non_null(late);
}

static void facts_as_lines(void **state)
{
        (void) state;
        _cleanup_(freep) char *out = NULL;
        bool held;
        Err err = { 0 };
        assert_int_equal(
                render_facts(
                        "{\"component\":\"router\",\"health_port\":15999,\"health_port_from\":\"config\","
                        "\"traffic_ports\":[9001,443],\"other_ports\":[],\"up\":true,\"uuid\":null,"
                        "\"region\":\"\",\"x\":{\"a\":1,\"b\":\"c\"},\"lone_from\":\"y\"}",
                        &out, &err),
                0);
        assert_string_equal(out, "component      router\n"
                                 "health port    15999  (from config)\n"
                                 "traffic ports  9001 443\n"
                                 "other ports    none\n"
                                 "up             yes\n"
                                 "uuid           not known\n"
                                 "region         -\n"
                                 "x              a=1, b=c\n"
                                 "lone from      y\n");
        char *nothing = NULL;
        assert_int_equal(render_facts("[]", &nothing, &err), -EBADMSG);
        assert_int_equal(render_status("x", NULL, &nothing, &held, &err), -EBADMSG);
        assert_int_equal(render_last("", NULL, 0, &nothing, &err), -EBADMSG);
        assert_null(nothing);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_lines),
                cmocka_unit_test(verbose_result_has_the_evidence),
                cmocka_unit_test(findings_for_people),
                cmocka_unit_test(hooks_for_people),
                cmocka_unit_test(targets_for_people),
                cmocka_unit_test(what_runs_is_read_from_the_agent),
                cmocka_unit_test(live_line_is_redrawn),
                cmocka_unit_test(live_line_never_wraps),
                cmocka_unit_test(outcomes_are_told_apart),
                cmocka_unit_test(a_job_within_a_job_is_named),
                cmocka_unit_test(json_passes_unchanged),
                cmocka_unit_test(unknown_and_odd_events_are_ignored),
                cmocka_unit_test(control_characters_never_reach_the_terminal),
                cmocka_unit_test(results_have_their_exit_code),
                cmocka_unit_test(a_result_of_our_own),
                cmocka_unit_test(status_for_people),
                cmocka_unit_test(status_shows_holds),
                cmocka_unit_test(status_shows_who_has_the_lease),
                cmocka_unit_test(a_result_tells_what_protected_it),
                cmocka_unit_test(status_shows_the_job),
                cmocka_unit_test(status_shows_a_hold_without_its_table),
                cmocka_unit_test(status_names_what_else_refuses),
                cmocka_unit_test(a_job_that_goes_on),
                cmocka_unit_test(the_last_result),
                cmocka_unit_test(facts_as_lines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
