/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/rolls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/cluster/roll-record.h"

#define SILENT_USEC (5 * USEC_PER_SEC) /* so long may a roll that was joined write nothing */

Trace *rolls_start(World *w, const char *line, const char *dir, TraceFn fn, void *userdata)
{
        char *argv[] = { (char *) (uintptr_t) "/proc/self/exe",
                         (char *) (uintptr_t) "--coordinator",
                         (char *) (uintptr_t) dir,
                         w->over_ssh ? (char *) (uintptr_t) "" : w->dir,
                         (char *) (uintptr_t) line,
                         NULL };
        Trace *t = NULL;
        assert_true(trace_new(&t, w->event, argv, fn, userdata) >= 0);
        return t;
}

int rolls_finish(World *w, Trace *t)
{
        int status = 0;
        for (Usec until = time_now() + ROLLS_USEC; !trace_over(t, &status) && !trace_held(t);) {
                if (time_now() >= until)
                        fail_msg("a coordinator has not ended");
                assert_true(sd_event_run(w->event, 100 * USEC_PER_MSEC) >= 0);
        }
        return status;
}

void rolls_output(World *w, const char *dir)
{
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/out", dir);
        FILE *f = fopen(path, "re");
        size_t n = f ? fread(w->lines, 1, sizeof(w->lines) - 1, f) : 0;
        w->lines[n] = '\0';
        if (f)
                (void) fclose(f);
}

int rolls_run(World *w, const char *line, const char *dir)
{
        Trace *t = rolls_start(w, line, dir, NULL, NULL);
        int status = rolls_finish(w, t);
        (void) trace_free(t);
        rolls_output(w, dir);
        if (getenv("SHOW"))
                print_message("$ %s\n%s= %d\n", line, w->lines, WEXITSTATUS(status));
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

int rolls_coordinator(char **argv)
{
        char path[256];
        (void) snprintf(path, sizeof(path), "%s/out", argv[0]);
        FILE *out = fopen(path, "we");
        if (!out)
                return 99;
        CoordIo io = { .out = out,
                       .err = out,
                       .in = -1,
                       .connect = *argv[1] ? world_connect : NULL,
                       .userdata = argv[1],
                       .silent_usec = SILENT_USEC };
        return world_command(argv[2], argv[0], &io);
}

/* Their time is over: nobody has renewed them. What was sent has come before. */
void rolls_leases_lapse(World *w)
{
        world_pump(w, 20 * USEC_PER_MSEC);
        for (size_t i = 0; i < w->n; i++) {
                Lease *l = (Lease *) (uintptr_t) fake_agent_lease(w->agent[i], "router");
                l->until_usec = MIN(l->until_usec, time_boot());
        }
}

void rolls_jobs_end(World *w)
{
        Usec until = time_now() + 10 * USEC_PER_SEC;
        for (size_t i = 0; i < w->n; i++)
                while (*fake_agent_phase(w->agent[i])) {
                        if (time_now() >= until)
                                fail_msg("%s stands in %s", w->name[i], fake_agent_phase(w->agent[i]));
                        world_pump(w, 10 * USEC_PER_MSEC);
                }
}

void rolls_heal(World *w)
{
        w->on_call = NULL;
        for (size_t i = 0; i < w->n; i++)
                fake_agent_script(w->agent[i])->parts[0].not_up = false;
}

void rolls_journal_tells(World *w, const char *dir)
{
        char rolls[256], id[ROLL_ID_SIZE];
        RollRecord *r = NULL;
        Err err = { 0 };
        (void) snprintf(rolls, sizeof(rolls), "%s/rolls", dir);
        assert_int_equal(roll_log_find(rolls, NULL, false, id, &err), 0);
        assert_int_equal(roll_log_read(rolls, id, &r, &err), 0);
        assert_true(r->ended);
        assert_true(roll_result_good(r->result) || strcmp(r->result, "not-needed") == 0);
        assert_int_equal(r->damaged, 0);
        assert_int_equal(r->counts.total, w->n);
        for (size_t i = 0; i < w->n; i++) {
                const RollNode *n = roll_record_node(r, w->name[i], "router");
                assert_non_null(n);
                if (!roll_result_good(n->result))
                        fail_msg("the journal calls %s \"%s\"", w->name[i], n->result);
        }
        (void) roll_record_free(r);
}

void rolls_once(const World *w, unsigned most)
{
        for (size_t i = 0; i < w->n; i++)
                if (fake_agent_restarts(w->agent[i]) != 1)
                        fail_msg("%s was restarted %u times", w->name[i], fake_agent_restarts(w->agent[i]));
        assert_true(w->out_most <= most);
}

void rolls_way_on(World *w, const char *roll, unsigned most, bool early)
{
        int done = result_exit_code(RESULT_DONE), nothing = result_exit_code(RESULT_NOT_NEEDED);
        if (!early) {
                rolls_leases_lapse(w);
                rolls_jobs_end(w);
        }
        rolls_heal(w);
        int status = rolls_run(w, ROLLS_RESUME, w->dir);
        if (status != done && status != nothing)
                fail_msg("resume: exit %d:\n%s", status, w->lines);
        /* It died before its journal was begun: then nothing was. */
        if (status == nothing && world_restarts(w) == 0 && (status = rolls_run(w, roll, w->dir)) != done)
                fail_msg("again from the begin: exit %d:\n%s", status, w->lines);
        rolls_jobs_end(w);
        rolls_once(w, most);
        world_has_no_lease(w);
        rolls_journal_tells(w, w->dir);
}
