/* SPDX-License-Identifier: GPL-3.0-or-later */

/* `edge-roll hold` against the real kernel: what is refused is what the records say, and nothing opens by
 * accident. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <systemd/sd-journal.h>

#include "agent/job-impl.h"
#include "agent/journal.h"
#include "base/cleanup.h"
#include "tests/lib/ns.h"
#include "tests/lib/trace.h"
#include "tests/lib/wrapped.h"

static char dir[64];
static Config config;
static char journal[8192]; /* what was logged, a field a line */

/* Takes the place of the library's. */
int sd_journal_sendv_with_location(const char *file, const char *line, const char *func,
                                   const struct iovec *iov, int n)
{
        (void) file;
        (void) line;
        (void) func;
        for (int i = 0; i < n; i++) {
                size_t len = strlen(journal);
                (void) snprintf(journal + len, sizeof(journal) - len, "%.*s\n", (int) iov[i].iov_len,
                                (const char *) iov[i].iov_base);
        }
        return 0;
}

static void logged(const char *part)
{
        if (!strstr(journal, part))
                fail_msg("not in the journal: %s\n%s", part, journal);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static void configured(void)
{
        static char *none[] = { NULL }, router[] = "router", mp[] = "mp",
                    self_url[] = "http://127.0.0.1:8082/";

        config = (Config){ .state_dir = dir,
                           .n_components = 2,
                           .components = { { .name = router,
                                             .aliases = none,
                                             .block = BLOCK_WHOLE,
                                             .health_port = { .ports = { 15999 }, .n = 1 } },
                                           { .name = mp,
                                             .aliases = none,
                                             .kind = KIND_MP,
                                             .block = BLOCK_SYN,
                                             .self_url = self_url,
                                             .health_port = { .automatic = true } } } };
}

static int setup(void **state)
{
        Err err;

        (void) state;
        *journal = '\0';
        strcpy(dir, "/tmp/edge-roll-hold-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        configured();
        return block_hold_remove(&err);
}

static int teardown(void **state)
{
        (void) state;
        return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static BlockPlan plan(uint16_t whole, uint16_t syn)
{
        BlockPlan p = {};
        if (whole)
                p.whole_ports[p.n_whole++] = whole;
        if (syn)
                p.syn_ports[p.n_syn++] = syn;
        return p;
}

static bool holds(uint16_t whole, uint16_t syn)
{
        BlockPlan p = plan(whole, syn);
        bool yes = false;
        Err err = {};
        assert_int_equal(block_hold_read(&p, &yes, NULL, &err), 0);
        return yes;
}

static void record(const char *component, uint16_t whole, uint16_t syn, Usec until)
{
        Hold hold = { .by = "root",
                      .reason = "test",
                      .since_wall_usec = 1,
                      .until_wall_usec = until,
                      .plan = plan(whole, syn) };
        Err err = {};
        (void) snprintf(hold.component, sizeof(hold.component), "%s", component);
        assert_int_equal(hold_write(dir, &hold, &err), 0);
}

static void put(const char *name, const char *text)
{
        char path[128];
        (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        (void) fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

static bool recorded(const char *component)
{
        Hold hold;
        bool found = false;
        Err err = {};
        assert_int_equal(hold_read(dir, component, &hold, &found, &err), 0);
        return found;
}

static void test_apply_and_remove(void **state)
{
        (void) state;
        assert_int_equal(hold_main(&config, "apply"), 0);
        record("router", 15999, 0, 0);
        assert_int_equal(hold_main(&config, "apply"), 0);
        assert_true(holds(15999, 0));
        record("mp", 0, 8998, 0);
        assert_int_equal(hold_main(&config, "apply"), 0);
        assert_true(holds(15999, 0) && holds(0, 8998));
        assert_int_equal(hold_main(&config, "remove"), 0);
        assert_false(holds(15999, 0) || holds(0, 8998));
        assert_false(recorded("router") || recorded("mp"));
        assert_int_equal(hold_main(&config, "remove"), 0);
        assert_int_equal(hold_main(&config, "nonsense"), 2);
}

static void test_what_is_over_goes(void **state)
{
        (void) state;
        record("router", 15999, 0, 0);
        record("mp", 0, 8998, time_wall() + 3600 * USEC_PER_SEC);
        assert_int_equal(hold_main(&config, "apply"), 0);
        assert_true(holds(0, 8998));
        record("mp", 0, 8998, time_wall() - 1);
        assert_int_equal(hold_main(&config, "apply"), 0);
        assert_true(holds(15999, 0));
        assert_false(holds(0, 8998));
        assert_false(recorded("mp"));
}

/* Who has blocked it, and why, goes with the record; what ended it is not the agent's to tell. */
static void test_the_end_of_each_hold_is_in_the_journal(void **state)
{
        (void) state;
        record("router", 15999, 0, 0);
        record("mp", 0, 8998, time_wall() - 1);
        assert_int_equal(hold_main(&config, "apply"), 0);
        logged("MESSAGE_ID=" JOURNAL_UNHELD "\n");
        logged("EDGE_ROLL_COMPONENT=mp\n");
        logged("MESSAGE=the hold of mp (by root: test; since 19");
        logged(") has ended: its time is over\n");
        assert_null(strstr(journal, "router"));
        *journal = '\0';

        put("hold-mp.json", "{\"component\":");
        assert_int_equal(hold_main(&config, "remove"), 0);
        logged("EDGE_ROLL_COMPONENT=router\n");
        logged("MESSAGE=the hold of router (by root: test; since 19");
        logged(") has ended: `edge-roll hold remove` was run by hand\n");
        logged("EDGE_ROLL_COMPONENT=mp\n");
        logged("MESSAGE=the hold of mp (its record cannot be read) has ended: ");
}

static void test_a_damaged_record_opens_nothing(void **state)
{
        (void) state;
        record("router", 15999, 0, 0);
        record("mp", 0, 8998, 0);
        assert_int_equal(hold_main(&config, "apply"), 0);

        /* The configuration knows this port. */
        put("hold-router.json", "{");
        assert_int_equal(hold_main(&config, "apply"), 1);
        assert_true(holds(15999, 0) && holds(0, 8998));

        /* And not this one: the table stays, whatever else is new. */
        put("hold-mp.json", "{\"format\":99}");
        record("router", 16000, 0, 0);
        assert_int_equal(hold_main(&config, "apply"), 1);
        assert_true(holds(15999, 0) && holds(0, 8998));
        assert_false(holds(16000, 0));

        assert_int_equal(hold_main(&config, "remove"), 0);
        assert_false(holds(15999, 0) || holds(0, 8998));
        assert_false(recorded("mp"));
}

static void test_after_a_boot_what_can_be_read_is_held(void **state)
{
        (void) state;
        put("hold-mp.json", "");
        put("hold-router.json",
            "{\"format\":1,\"boot_id\":\"00000000000000000000000000000001\",\"component\":\"router\","
            "\"by\":\"\",\"reason\":\"\",\"since\":1,\"until\":0,\"by_hand\":true,"
            "\"whole_ports\":[15999],\"syn_ports\":[]}");
        assert_int_equal(hold_main(&config, "apply"), 1);
        assert_true(holds(15999, 0));
}

static Hold unrecorded(char *component, uint16_t whole, uint16_t syn)
{
        Hold hold = { .by = "root", .reason = "test", .plan = plan(whole, syn) };
        (void) snprintf(hold.component, sizeof(hold.component), "%s", component);
        return hold;
}

static void test_two_without_a_record_refuse_both(void **state)
{
        Unwritten u = {};
        Hold router = unrecorded("router", 15999, 0), mp = unrecorded("mp", 0, 8998);
        (void) state;

        unwritten_add(&u, &router);
        assert_true(hold_unrecorded(&config, &u));
        unwritten_add(&u, &mp);
        assert_true(hold_unrecorded(&config, &u));
        assert_true(holds(15999, 0) && holds(0, 8998));

        /* Once a directory can be written both get their record, and the table stays. */
        config.state_dir = (char[]){ "/proc/none" };
        unwritten_write(&u, &config, NULL);
        assert_int_equal(u.n, 2);
        assert_false(u.unit_due);
        config.state_dir = dir;
        unwritten_write(&u, &config, "mp");
        assert_true(u.unit_due && recorded("router") && !recorded("mp"));
        unwritten_write(&u, &config, NULL);
        assert_true(u.n == 0 && recorded("mp"));
        assert_int_equal(hold_main(&config, "apply"), 0);
        assert_true(holds(15999, 0) && holds(0, 8998));
        unwritten_done(&u);
}

static void test_what_refuses_without_a_record_is_found(void **state)
{
        Unwritten u = {};
        Hold mp = unrecorded("mp", 0, 8998);
        BlockPlan router = plan(15999, 0);
        (void) state;

        assert_int_equal(block_hold_put(&router, 1, NULL), 0);
        unwritten_find(&u, &config, "router");
        assert_int_equal(u.n, 0);
        unwritten_find(&u, &config, "mp");
        unwritten_add(&u, &mp);
        assert_true(unwritten_has(&u, "router") && unwritten_has(&u, "mp"));
        assert_true(hold_unrecorded(&config, &u));
        assert_true(holds(15999, 0) && holds(0, 8998));

        /* Ended by somebody, who takes the table away first. */
        assert_int_equal(block_hold_remove(NULL), 0);
        unwritten_write(&u, &config, NULL);
        assert_int_equal(u.n, 0);
        assert_false(u.unit_due || recorded("router") || recorded("mp"));
        unwritten_done(&u);
}

/* ---- a job that puts its hold up, and a unit that is stopped by hand ---- */

static void put_told(Job *job, uint64_t seq, const char *json, void *userdata)
{
        (void) job;
        (void) seq;
        (void) json;
        (void) userdata;
}

static void put_ended(Job *job, Result result, void *userdata)
{
        (void) job;
        (void) result;
        (void) userdata;
}

/* This program, with arguments: WHAT DIR. */
static int act(const char *what, const char *in)
{
        JobOptions options = { .by = "test", .who = "1000" };
        Unwritten unwritten = {};
        JobEnv env = { .config = &config, .unwritten = &unwritten, .told = put_told, .ended = put_ended };
        Job *job;
        Err err = {};

        (void) snprintf(dir, sizeof(dir), "%.60s", in);
        configured();
        if (strcmp(what, "remove") == 0)
                return hold_main(&config, "remove");
        if (job_new(&job, &env, 1, &config.components[0], ROLL_RESTART, &options, &err) < 0)
                return 2;
        job->plan = plan(15999, 0);
        return job_hold_put(job, false, "test", &err) ? 0 : 1;
}

typedef struct Both {
        Trace *job, *unit;
        bool waits; /* the unit, for the job */
} Both;

/* Stands still when its record is written, and dies when its table refuses. */
static TraceDo on_job(Trace *t, const TraceCall *call, void *userdata)
{
        (void) t;
        (void) userdata;
        if (!call->after)
                return TRACE_GO;
        if (call->nr == SYS_renameat || call->nr == SYS_renameat2 || call->nr == SYS_rename)
                return TRACE_HOLD;
        return (call->nr == SYS_sendto || call->nr == SYS_sendmsg) && holds(15999, 0) ? TRACE_KILL : TRACE_GO;
}

static TraceDo on_unit(Trace *t, const TraceCall *call, void *userdata)
{
        Both *b = userdata;
        (void) t;
        b->waits = b->waits || (call->nr == SYS_flock && call->after && call->result < 0);
        return TRACE_GO;
}

static Trace *begin(sd_event *event, const char *what, TraceFn fn, Both *b)
{
        char self[] = "/proc/self/exe", word[16];
        char *argv[] = { self, word, dir, NULL };
        Trace *t;
        (void) snprintf(word, sizeof(word), "%s", what);
        assert_int_equal(trace_new(&t, event, argv, fn, b), 0);
        return t;
}

static bool over(const Trace *t)
{
        int status;
        return trace_over(t, &status);
}

static void test_a_hold_that_is_put_up_while_its_unit_is_stopped_is_whole_or_gone(void **state)
{
        sd_event *event;
        Both b = {};
        Usec until = time_now() + 30 * USEC_PER_SEC;
        (void) state;
        SKIP_IF_WRAPPED();

        assert_true(sd_event_new(&event) >= 0);
        b.job = begin(event, "put", on_job, &b);
        while (!trace_held(b.job) && time_now() < until)
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        assert_true(recorded("router") && !holds(15999, 0));
        /* Whose it is, for whoever wants to end it. */
        Hold hold;
        bool found;
        assert_int_equal(hold_read(dir, "router", &hold, &found, NULL), 0);
        assert_string_equal(hold.who, "1000");
        b.unit = begin(event, "remove", on_unit, &b);
        while (!b.waits && !over(b.unit) && time_now() < until)
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        trace_go(b.job);
        while ((!over(b.job) || !over(b.unit)) && time_now() < until)
                assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
        assert_true(over(b.job) && over(b.unit));
        assert_int_equal(holds(15999, 0), recorded("router"));
        trace_free_all();
        sd_event_unref(event);
}

int main(int argc, char **argv)
{
        if (argc == 3)
                return act(argv[1], argv[2]);

        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_apply_and_remove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_is_over_goes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_the_end_of_each_hold_is_in_the_journal, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_damaged_record_opens_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_after_a_boot_what_can_be_read_is_held, setup, teardown),
                cmocka_unit_test_setup_teardown(test_two_without_a_record_refuse_both, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_refuses_without_a_record_is_found, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_hold_that_is_put_up_while_its_unit_is_stopped_is_whole_or_gone, setup,
                        teardown),
        };
        const char *why = ns_enter();

        if (why) {
                (void) printf("skipped: %s\n", why);
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
