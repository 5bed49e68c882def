/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/cluster/history.c: journals of rolls as people and programs see them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/cluster/history.h"
#include "probes/json.h"

static char dir[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static int setup(void **state)
{
        (void) state;
        strcpy(dir, "/tmp/edge-roll-history-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        (void) state;
        return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *id, const char *text)
{
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/%s.jsonl", dir, id);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

#define ID "20261128T184512-router-3f2a"
#define ROLL                                                                                                \
        "{\"event\":\"roll\",\"time\":\"2026-11-28T18:45:12.123Z\",\"format\":1,\"id\":\"" ID "\","         \
        "\"what\":\"restart\",\"component\":\"router\",\"by\":\"alice\",\"host\":\"bastion\",\"pid\":7,"    \
        "\"version\":\"1.0\",\"reason\":\"new keystore\",\"options\":{\"inventory\":\"hosts.ini\","         \
        "\"soak\":10,\"yes\":true},\"pools\":[{\"name\":\"router/dc-1\"}],"                                 \
        "\"nodes\":[{\"name\":\"r1\",\"pool\":\"router/dc-1\"},{\"name\":\"r2\",\"pool\":\"router/dc-1\"}," \
        "{\"name\":\"r3\",\"pool\":\"router/dc-1\"},{\"name\":\"r9\",\"pool\":\"router/dc-1\",\"selected\":false}]}\n"
#define FIRST                                                                                                                                    \
        "{\"event\":\"override\",\"time\":\"2026-11-28T18:45:12.200Z\",\"name\":\"degraded\",\"reason\":\"r9 is "                                \
        "being repaired\",\"text\":\"r9 does not answer\"}\n"                                                                                    \
        "{\"event\":\"lease\",\"time\":\"2026-11-28T18:45:12.300Z\",\"action\":\"take\",\"node\":\"r1\","                                        \
        "\"pool\":\"router/dc-1\",\"epoch\":7}\n"                                                                                                \
        "{\"event\":\"lease\",\"time\":\"2026-11-28T18:45:12.301Z\",\"action\":\"take\",\"node\":\"r2\",\"pool\":\"router/dc-1\",\"epoch\":7}\n" \
        "{\"event\":\"node\",\"time\":\"2026-11-28T18:45:13.000Z\",\"node\":\"r1\",\"step\":1,\"state\":\"begin\"}\n"                            \
        "{\"event\":\"node\",\"time\":\"2026-11-28T18:45:14.000Z\",\"node\":\"r1\",\"state\":\"phase\",\"phase\":"                               \
        "\"drain\"}\n"                                                                                                                           \
        "{\"event\":\"node\",\"time\":\"2026-11-28T18:45:14.900Z\",\"node\":\"r1\",\"state\":\"phase\",\"phase\":\"gate\"}\n"                    \
        "{\"event\":\"node\",\"time\":\"2026-11-28T18:45:15.000Z\",\"node\":\"r1\",\"state\":\"phase\",\"phase\":\"stop\"}\n"                    \
        "{\"event\":\"node\",\"time\":\"2026-11-28T18:46:11.000Z\",\"node\":\"r1\",\"step\":1,\"state\":\"end\","                                \
        "\"result\":{\"result\":\"done\",\"reason\":\"restarted\",\"elapsed\":58.2}}\n"                                                          \
        "{\"event\":\"warning\",\"time\":\"2026-11-28T23:59:59.000Z\",\"node\":\"r1\",\"text\":\"slow\\u001b[2J\"}\n"                            \
        "{\"event\":\"node\",\"time\":\"2026-11-29T00:00:01.000Z\",\"node\":\"r2\",\"step\":2,\"state\":\"begin\"}\n"
#define SECOND                                                                                                        \
        "{\"event\":\"node\",\"time\":\"2026-11-29T00:01:00.000Z\",\"node\":\"r2\",\"step\":2,\"state\":\"end\","     \
        "\"result\":{\"result\":\"held\",\"reason\":\"environment prod is gone\",\"hint\":\"look at r2\","            \
        "\"elapsed\":12}}\n"                                                                                          \
        "{\"event\":\"stop\",\"time\":\"2026-11-29T00:01:00.000Z\",\"text\":\"r2 was held\",\"cause\":\"failure\"}\n" \
        "{\"event\":\"of a later version\",\"time\":\"2026-11-29T00:01:00.000Z\",\"x\":1}\n"                          \
        "{\"event\":\"end\",\"time\":\"2026-11-29T00:01:00.500Z\",\"result\":\"held\",\"exit\":16,\"text\":\"r2 is "  \
        "held: environment prod is gone\",\"elapsed\":18948.4,\"resumable\":true,\"counts\":{\"total\":3,"            \
        "\"done\":1,\"skipped\":0,\"failed\":1,\"open\":0,\"left\":1}}\n"

static int run(CliRequest *rq, char **ret_out, char **ret_err)
{
        size_t n, m;
        FILE *out = open_memstream(ret_out, &n), *err = open_memstream(ret_err, &m);
        TableMode mode = { .json = rq->json, .width = 100 };
        int code = history_run(rq, NULL, dir, &mode, out, err);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(fclose(err), 0);
        return code;
}

static void expect(CliRequest *rq, int code, const char *out, const char *err)
{
        _cleanup_(freep) char *o = NULL, *e = NULL;
        assert_int_equal(run(rq, &o, &e), code);
        assert_string_equal(e, err);
        assert_string_equal(o, out);
}

static void nothing_yet(void **state)
{
        (void) state;
        CliRequest history = { .verb = VERB_HISTORY };
        CliRequest show = { .verb = VERB_SHOW, .roll = "3f2a" };
        _cleanup_(freep) char *none = NULL, *o = NULL, *e = NULL;
        assert_true(asprintf(&none, "no roll was begun here (%s)\n", dir) > 0);
        expect(&history, 0, none, "");
        history.json = true;
        expect(&history, 0, "", "");
        assert_int_equal(run(&show, &o, &e), 2);
        assert_non_null(strstr(e, "there is no roll \"3f2a\" in /tmp/"));
        assert_string_equal(o, "");
}

static void the_list(void **state)
{
        (void) state;
        CliRequest rq = { .verb = VERB_HISTORY };
        put(ID, ROLL FIRST SECOND);
        put("20261201T100000-router-0001", ROLL FIRST);
        put("20261202T100000-router-0002", "broken\n" FIRST);
        put("20261203T100000-router-0003", "");
        _cleanup_(freep) char *list = NULL, *json = NULL, *mp = NULL, *e2 = NULL;
        assert_true(
                asprintf(
                        &list,
                        "ROLL                         BEGUN (UTC)       WHAT            BY     RESULT       NODES\n"
                        "20261203T100000-router-0003                                           never begun\n"
                        "20261202T100000-router-0002                                           unfinished\n"
                        "20261201T100000-router-0001  2026-11-28 18:45  restart router  alice  unfinished   3 nodes\n" ID
                        "  2026-11-28 18:45  restart router  alice  held         1 of 3 done, 1 failed, 1 not touched\n"
                        "\n"
                        "20261202T100000-router-0002: %s/20261202T100000-router-0002.jsonl:1: damaged: Not JSON: byte 0 of 6, at \"broken\"\n"
                        "20261202T100000-router-0002 has not ended:\n"
                        "  edge-roll resume 20261202T100000-router-0002 goes on with it\n"
                        "  edge-roll resume 20261202T100000-router-0002 --give-up ends it\n"
                        "20261201T100000-router-0001 has not ended:\n"
                        "  edge-roll resume 20261201T100000-router-0001 goes on with it\n"
                        "  edge-roll resume 20261201T100000-router-0001 --give-up ends it\n",
                        dir) > 0);
        expect(&rq, 0, list, "");
        rq.component = "mp";
        assert_int_equal(run(&rq, &mp, &e2), 0);
        assert_non_null(strstr(mp, "no roll of mp was begun here"));
        rq.component = NULL;
        rq.json = true;
        assert_true(
                asprintf(
                        &json,
                        "{\"roll\":\"20261203T100000-router-0003\",\"begun\":false,\"running\":false,\"ended\":false}\n"
                        "{\"roll\":\"20261202T100000-router-0002\",\"begun\":true,\"running\":false,\"ended\":false,\"trouble\":\"%s/20261202T100000-router-0002.jsonl:1: damaged: Not JSON: byte 0 of 6, at \\\"broken\\\"\"}\n"
                        "{\"roll\":\"20261201T100000-router-0001\",\"time\":\"2026-11-28T18:45:12.123Z\",\"what\":\"restart\",\"component\":\"router\",\"by\":\"alice\",\"host\":\"bastion\",\"reason\":\"new keystore\",\"begun\":true,\"running\":false,\"ended\":false}\n"
                        "{\"roll\":\"" ID
                        "\",\"time\":\"2026-11-28T18:45:12.123Z\",\"what\":\"restart\",\"component\":\"router\",\"by\":\"alice\",\"host\":\"bastion\",\"reason\":\"new keystore\",\"begun\":true,\"running\":false,\"ended\":true,\"result\":\"held\",\"ended_time\":\"2026-11-29T00:01:00.500Z\",\"exit\":16,\"text\":\"r2 is held: environment prod is gone\",\"elapsed\":18948.4,\"counts\":{\"total\":3,\"done\":1,\"skipped\":0,\"failed\":1,\"open\":0,\"left\":1}}\n",
                        dir) > 0);
        expect(&rq, 0, json, "");
}

static void the_story(void **state)
{
        (void) state;
        CliRequest rq = { .verb = VERB_SHOW, .roll = "3f2a" };
        put(ID, ROLL FIRST SECOND);
        expect(&rq, 0,
               "2026-11-28 (UTC)\n"
               "18:45:12  begun by alice on bastion, process 7, version 1.0: new keystore\n"
               "          3 nodes of 4 in router/dc-1; options: inventory = hosts.ini, soak = 10, yes = true\n"
               "18:45:12  overridden: degraded: r9 is being repaired\n"
               "          seen: r9 does not answer\n"
               "18:45:12  lease take in router/dc-1, epoch 7: r1, r2\n"
               "18:45:13  r1: begins, step 1\n"
               "18:45:14  r1: drain, gate\n"
               "18:45:15  r1: stop\n"
               "18:46:11  r1: done, 58 s: restarted\n"
               "23:59:59  warning: r1: slow?[2J\n"
               "2026-11-29 (UTC)\n"
               "00:00:01  r2: begins, step 2\n"
               "00:01:00  r2: held, 12 s: environment prod is gone\n"
               "          what to do: look at r2\n"
               "00:01:00  no further node: r2 was held\n"
               "00:01:00  {\"event\":\"of a later version\",\"time\":\"2026-11-29T00:01:00.000Z\",\"x\":1}\n"
               "00:01:00  end: held: r2 is held: environment prod is gone\n"
               "\n"
               "restart router: held, 1 of 3 nodes done, 5 h 15 m (exit 16)\n"
               "  r2 is held: environment prod is gone\n"
               "  done         1: r1\n"
               "  held         r2, 12 s: environment prod is gone\n"
               "    what to do look at r2\n"
               "    look       edge-roll status router --inventory hosts.ini --limit r2\n"
               "    give back  ssh r2 edge-roll undrain router\n"
               "    retry      edge-roll restart router --inventory hosts.ini --limit r2\n"
               "  not touched  1: r3\n"
               "  go on:       edge-roll resume " ID "\n",
               "");
        rq.json = true;
        expect(&rq, 0, ROLL FIRST SECOND, "");
}

static void a_roll_that_was_cut_off(void **state)
{
        (void) state;
        CliRequest rq = { .verb = VERB_SHOW, .roll = ID };
        put(ID, ROLL FIRST "{\"event\":\"no");
        expect(&rq, 0,
               "2026-11-28 (UTC)\n"
               "18:45:12  begun by alice on bastion, process 7, version 1.0: new keystore\n"
               "          3 nodes of 4 in router/dc-1; options: inventory = hosts.ini, soak = 10, yes = true\n"
               "18:45:12  overridden: degraded: r9 is being repaired\n"
               "          seen: r9 does not answer\n"
               "18:45:12  lease take in router/dc-1, epoch 7: r1, r2\n"
               "18:45:13  r1: begins, step 1\n"
               "18:45:14  r1: drain, gate\n"
               "18:45:15  r1: stop\n"
               "18:46:11  r1: done, 58 s: restarted\n"
               "23:59:59  warning: r1: slow?[2J\n"
               "2026-11-29 (UTC)\n"
               "00:00:01  r2: begins, step 2\n"
               "The last line was cut off by a crash.\n"
               "\n"
               "restart router: unfinished, 1 of 3 nodes done\n"
               "  done         1: r1\n"
               "  cut off      r2: how it ended is not in this journal; its agent knows\n"
               "    look       edge-roll status router --inventory hosts.ini --limit r2\n"
               "    follow     ssh r2 edge-roll watch router\n"
               "  not touched  1: r3\n"
               "  go on:       edge-roll resume " ID "\n"
               "  or end it:   edge-roll resume " ID " --give-up\n",
               "");
}

/* The rest is shown all the same, and it is said. */
static void a_damaged_roll(void **state)
{
        (void) state;
        CliRequest rq = { .verb = VERB_SHOW, .roll = ID };
        _cleanup_(freep) char *o = NULL, *e = NULL, *o2 = NULL, *e2 = NULL;
        put(ID, ROLL "{\"event\":\"no\n" FIRST);
        assert_int_equal(run(&rq, &o, &e), 1);
        assert_non_null(strstr(o, "18:46:11  r1: done, 58 s: restarted\n"));
        assert_non_null(strstr(e, ID ".jsonl:2: damaged: "));
        assert_non_null(strstr(e, "; 1 damaged line is left out\n"));
        rq.json = true;
        assert_int_equal(run(&rq, &o2, &e2), 1);
        assert_string_equal(o2, ROLL FIRST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(nothing_yet),    TEST(the_list), TEST(the_story), TEST(a_roll_that_was_cut_off),
                TEST(a_damaged_roll),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
