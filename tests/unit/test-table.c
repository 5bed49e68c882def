/* SPDX-License-Identifier: GPL-3.0-or-later */

/* agent/cluster/table.c: what is on the screen, through a terminal of our own that does what terminals do
 * with the sequences which are used, and refuses all others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "agent/cluster/table.h"
#include "agent/put.h"
#include "probes/json.h"

#define SEC USEC_PER_SEC
#define T0  (1000 * SEC)

/* ---- a terminal ---- */

#define MOST_COLUMNS 220
#define MOST_ROWS    60

typedef struct Screen {
        unsigned columns, rows, x, y;
        char cells[MOST_ROWS][MOST_COLUMNS + 1];
        unsigned scrolled; /* lines that have left at the top */
        unsigned wrapped;  /* lines that were too long */
        char text[MOST_ROWS * (MOST_COLUMNS + 2)];
} Screen;

static void screen_init(Screen *s, unsigned columns, unsigned rows)
{
        memset(s, 0, sizeof(*s));
        s->columns = columns;
        s->rows = rows;
        for (unsigned y = 0; y < MOST_ROWS; y++)
                memset(s->cells[y], ' ', MOST_COLUMNS);
}

static void screen_down(Screen *s)
{
        if (++s->y < s->rows)
                return;
        memmove(s->cells[0], s->cells[1], sizeof(s->cells[0]) * (s->rows - 1));
        memset(s->cells[s->rows - 1], ' ', MOST_COLUMNS);
        s->y = s->rows - 1;
        s->scrolled++;
}

static const char *screen_sequence(Screen *s, const char *p)
{
        unsigned n = 0;
        assert_int_equal(*p, '[');
        for (p++; (*p >= '0' && *p <= '9') || *p == ';'; p++)
                n = *p == ';' ? 0 : n * 10 + (unsigned) (*p - '0');
        if (*p == 'A')
                s->y -= MIN(s->y, n ? n : 1);
        else if (*p == 'K' || *p == 'J') {
                memset(s->cells[s->y] + s->x, ' ', MOST_COLUMNS - s->x);
                for (unsigned y = s->y + 1; *p == 'J' && y < s->rows; y++)
                        memset(s->cells[y], ' ', MOST_COLUMNS);
        } else
                assert_int_equal(*p, 'm');
        return p + 1;
}

/* ASCII only: one byte is one column. */
static void screen_write(Screen *s, const char *p)
{
        while (*p) {
                if (*p == '\x1b') {
                        p = screen_sequence(s, p + 1);
                        continue;
                }
                if (*p == '\r')
                        s->x = 0;
                else if (*p == '\n') {
                        s->x = 0;
                        screen_down(s);
                } else {
                        assert_true(*p >= 0x20 && *p < 0x7f);
                        if (s->x == s->columns) {
                                s->x = 0;
                                s->wrapped++;
                                screen_down(s);
                        }
                        s->cells[s->y][s->x++] = *p;
                }
                p++;
        }
}

/* Another width: lines that do not fit any more are wrapped, as terminals that remember lines do. */
static void screen_narrow(Screen *s, unsigned columns)
{
        static Screen old;
        old = *s;
        unsigned cursor = old.y;
        screen_init(s, columns, old.rows);
        for (unsigned y = 0; y <= cursor; y++) {
                unsigned len = old.columns;
                while (len > 0 && old.cells[y][len - 1] == ' ')
                        len--;
                for (unsigned x = 0; x < len; x++) {
                        char one[2] = { old.cells[y][x], '\0' };
                        screen_write(s, one);
                }
                if (y < cursor)
                        screen_write(s, "\n");
        }
}

/* All lines to the last that has something, without blanks at their ends. */
static const char *screen_text(Screen *s)
{
        size_t n = 0, last = 0;
        for (unsigned y = 0; y < s->rows; y++) {
                unsigned len = s->columns;
                while (len > 0 && s->cells[y][len - 1] == ' ')
                        len--;
                memcpy(s->text + n, s->cells[y], len);
                n += len;
                s->text[n++] = '\n';
                if (len > 0)
                        last = n;
        }
        s->text[last] = '\0';
        return s->text;
}

/* ---- a roll ---- */

static ViewNode nodes[300];
static char names[300][32];

static RollView view(size_t n)
{
        for (size_t i = 0; i < n; i++) {
                (void) snprintf(names[i], sizeof(names[i]), "r%zu.east", i + 1);
                nodes[i] = (ViewNode){ .name = names[i],
                                       .pool = "router/dc-1/gateway",
                                       .dest = "",
                                       .component = "",
                                       .phase = "",
                                       .awaiting = "",
                                       .result = "",
                                       .text = "",
                                       .hint = "" };
        }
        return (RollView){ .id = "20261128T184512-router-3f2a",
                           .what = "restart router",
                           .component = "router",
                           .source = "",
                           .ssh = "ssh",
                           .headline = "",
                           .nodes = nodes,
                           .n_nodes = n,
                           .began = T0,
                           .result = "",
                           .text = "",
                           .hint = "" };
}

static void runs(size_t i, const char *phase, const char *awaiting, Usec since, Usec limit)
{
        nodes[i].state = VIEW_RUNNING;
        nodes[i].phase = phase;
        nodes[i].awaiting = awaiting;
        nodes[i].since = nodes[i].phase_since = since;
        nodes[i].limit = limit;
}

static void ends(size_t i, ViewState state, const char *result, const char *text, Usec since, Usec ended)
{
        nodes[i].state = state;
        nodes[i].result = result;
        nodes[i].text = text;
        nodes[i].since = since;
        nodes[i].ended = ended;
}

/* The middle of a small roll, 200 s after its begin. */
static RollView middle(void)
{
        RollView v = view(6);
        ends(0, VIEW_DONE, "done", "restarted", T0 + 1 * SEC, T0 + 59 * SEC + 500 * USEC_PER_MSEC);
        ends(1, VIEW_SKIPPED, "not-needed", "nothing has changed", T0 + 60 * SEC, T0 + 61 * SEC);
        ends(2, VIEW_FAILED, "gave-back", "somebody still sends", T0 + 61 * SEC, T0 + 141 * SEC);
        runs(3, "drain", "2 requests in flight: 10.0.0.5, 10.0.0.6", T0 + 188 * SEC, 67 * SEC);
        v.expected_end = T0 + 560 * SEC;
        return v;
}

static Table *new_table(bool live, bool colour, unsigned width, unsigned rows)
{
        Table *t = NULL;
        TableMode mode = { .live = live, .colour = colour, .width = width, .rows = rows };
        assert_int_equal(table_new(&t, &mode), 0);
        return t;
}

static void update(Table *t, Screen *s, const RollView *v, Usec now)
{
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(table_update(t, v, now, &out), 0);
        screen_write(s, out);
}

static void expect_update(Table *t, const RollView *v, Usec now, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(table_update(t, v, now, &out), 0);
        assert_string_equal(out, text);
}

static void expect_summary(Table *t, const RollView *v, Usec now, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(table_summary(t, v, now, &out), 0);
        assert_string_equal(out, text);
}

static void expect_screen(unsigned width, unsigned rows, const RollView *v, Usec now, const char *text)
{
        static Screen s;
        _cleanup_(table_freep) Table *t = new_table(true, true, width, rows);
        screen_init(&s, width, rows);
        update(t, &s, v, now);
        assert_string_equal(screen_text(&s), text);
        assert_int_equal(s.wrapped, 0);
        assert_int_equal(s.scrolled, 0);
        /* Drawn again it is the same. */
        update(t, &s, v, now + SEC / 10);
        assert_string_equal(screen_text(&s), text);
}

/* ---- live ---- */

static void widths(void **state)
{
        (void) state;
        RollView v = middle();
        expect_screen(40, 24, &v, T0 + 200 * SEC,
                      "2 of 6 done, 1 under way, 1 failed\n"
                      "3 m 20 s, about 6 m left\n"
                      "NODE     STATE      TIME      AWAITED,\n"
                      "r1.east  done       58 s      restarted\n"
                      "r2.east  skipped    1.0 s     nothing h\n"
                      "r3.east  gave-back  1 m 20 s  somebody\n"
                      "r4.east  drain      12 s      2 request\n"
                      "r5.east  waiting\n"
                      "r6.east  waiting\n");
        expect_screen(80, 24, &v, T0 + 200 * SEC,
                      "restart router: 2 of 6 done, 1 under way, 1 failed, 3 m 20 s, about 6 m left\n"
                      "NODE     STATE      PHASE      TIME             AWAITED, OR RESULT\n"
                      "r1.east  done                  58 s             restarted\n"
                      "r2.east  skipped               1.0 s            nothing has changed\n"
                      "r3.east  gave-back             1 m 20 s         somebody still sends\n"
                      "r4.east  running    drain      12 s of 1 m 7 s  2 requests in flight: 10.0.0.5,\n"
                      "r5.east  waiting\n"
                      "r6.east  waiting\n");
        nodes[5].pool = "router/dc-2/gateway";
        v.headline = "soaking r3.east: 12 s of 2 m, 4 good checks of 6";
        expect_screen(
                200, 24, &v, T0 + 200 * SEC,
                "[######--------------] restart router: 2 of 6 done, 1 under way, 1 failed, 3 m 20 s, about 6 m "
                "left\n"
                "soaking r3.east: 12 s of 2 m, 4 good checks of 6\n"
                "NODE     POOL                 STATE      PHASE      TIME             AWAITED, OR RESULT\n"
                "r1.east  router/dc-1/gateway  done                  58 s             restarted\n"
                "r2.east  router/dc-1/gateway  skipped               1.0 s            nothing has changed\n"
                "r3.east  router/dc-1/gateway  gave-back             1 m 20 s         somebody still sends\n"
                "r4.east  router/dc-1/gateway  running    drain      12 s of 1 m 7 s  2 requests in flight: "
                "10.0.0.5, 10.0.0.6\n"
                "r5.east  router/dc-1/gateway  waiting\n"
                "r6.east  router/dc-2/gateway  waiting\n");

        /* Later than thought, and nothing known of it. */
        v.headline = "";
        expect_screen(80, 3, &v, T0 + 600 * SEC,
                      "restart router: 2 of 6 done, 1 under way, 1 failed, 10 m, longer than expected\n"
                      "... 6 more: 2 waiting, 1 running, 1 done, 1 skipped, 1 failed\n");
        v.expected_end = 0;
        expect_screen(80, 2, &v, T0 + 20 * SEC,
                      "[######--------------] restart router: 2 of 6 done, 1 under way, 1 failed, 20 s\n");
}

static RollView many(void)
{
        RollView v = view(300);
        for (size_t i = 0; i < 130; i++)
                ends(i, VIEW_DONE, "done", "restarted", T0 + i * SEC, T0 + i * SEC + 50 * SEC);
        ends(3, VIEW_FAILED, "held", "environment prod is gone", T0, T0 + 9 * SEC);
        runs(130, "start", "job of systemd", T0 + 180 * SEC, 300 * SEC);
        runs(299, "ready", "server id", T0 + 180 * SEC, 0);
        nodes[298].state = VIEW_SOAKING;
        return v;
}

/* What goes on and what has failed is always there, wherever it is among the many. */
static void more_nodes_than_lines(void **state)
{
        (void) state;
        RollView v = many();
        expect_screen(80, 24, &v, T0 + 200 * SEC,
                      "restart router: 129 of 300 done, 3 under way, 1 failed, 3 m 20 s\n"
                      "NODE       STATE    PHASE      TIME         AWAITED, OR RESULT\n"
                      "r4.east    held                9.0 s        environment prod is gone\n"
                      "r123.east  done                50 s         restarted\n"
                      "r124.east  done                50 s         restarted\n"
                      "r125.east  done                50 s         restarted\n"
                      "r126.east  done                50 s         restarted\n"
                      "r127.east  done                50 s         restarted\n"
                      "r128.east  done                50 s         restarted\n"
                      "r129.east  done                50 s         restarted\n"
                      "r130.east  done                50 s         restarted\n"
                      "r131.east  running  start      20 s of 5 m  job of systemd\n"
                      "r132.east  waiting\n"
                      "r133.east  waiting\n"
                      "r134.east  waiting\n"
                      "r135.east  waiting\n"
                      "r136.east  waiting\n"
                      "r137.east  waiting\n"
                      "r138.east  waiting\n"
                      "r139.east  waiting\n"
                      "r299.east  soaking\n"
                      "r300.east  running  ready      20 s         server id\n"
                      "... 280 more: 159 waiting, 121 done\n");
}

/* Whatever the terminal is: nothing wraps, nothing scrolls, what matters stays. */
static void every_size(void **state)
{
        (void) state;
        static Screen s;
        RollView v = many();
        v.headline = "waiting for the lease of router/dc-1/gateway: alice on bastion has it since 19:00";
        nodes[130].awaiting =
                "a text that is far longer than any terminal is wide, with numbers: 1 2 3 4 5 6 7 8 "
                "9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35";
        for (unsigned width = 1; width <= 200; width += width < 20 ? 1 : width < 90 ? 3 : 22)
                for (unsigned rows = 2; rows <= 50; rows += rows < 14 ? 1 : 6) {
                        _cleanup_(table_freep) Table *t = new_table(true, true, width, rows);
                        screen_init(&s, width, rows);
                        screen_write(&s, "$\n");
                        for (unsigned i = 0; i < 3; i++)
                                update(t, &s, &v, T0 + (200 + i) * SEC);
                        assert_int_equal(s.wrapped, 0);
                        assert_true(s.scrolled <= 1); /* the line of the shell */
                        const char *text = screen_text(&s);
                        if (width >= 40 && rows >= 12) {
                                assert_non_null(strstr(text, "r131.east"));
                                assert_non_null(strstr(text, "r300.east"));
                                assert_non_null(strstr(text, "r4.east"));
                        }
                        _cleanup_(freep) char *out = NULL;
                        assert_int_equal(table_clear(t, &out), 0);
                        screen_write(&s, out);
                        assert_true(strlen(screen_text(&s)) <= 2);
                }
}

/* A remark stands above the table, and stays. */
static void remarks_above_the_table(void **state)
{
        (void) state;
        static Screen s;
        RollView v = middle();
        _cleanup_(table_freep) Table *t = new_table(true, true, 80, 24);
        _cleanup_(freep) char *one = NULL, *two = NULL, *clear = NULL, *again = NULL;
        screen_init(&s, 80, 24);
        v.n_nodes = 1;
        assert_int_equal(table_say(t, "", "the plan is as shown", false, &one), 0);
        screen_write(&s, one);
        update(t, &s, &v, T0 + 60 * SEC);
        assert_int_equal(table_say(t, "r1.east", "its routers\nsend on\x1b[2J", true, &two), 0);
        screen_write(&s, two);
        update(t, &s, &v, T0 + 60 * SEC);
        assert_string_equal(screen_text(&s), "the plan is as shown\n"
                                             "warning: r1.east: its routers?send on?[2J\n"
                                             "[####################] restart router: 1 of 1 done, 1 m, about "
                                             "8 m 20 s left\n"
                                             "NODE     STATE    PHASE      TIME  AWAITED, OR RESULT\n"
                                             "r1.east  done                58 s  restarted\n");
        assert_int_equal(table_clear(t, &clear), 0);
        screen_write(&s, clear);
        assert_string_equal(screen_text(&s),
                            "the plan is as shown\nwarning: r1.east: its routers?send on?[2J\n");
        assert_int_equal(table_clear(t, &again), 0);
        assert_string_equal(again, "");
}

/* Nobody sees more than ten pictures a second, and a busy roll of 300 must not pay for them. */
static void not_drawn_too_often(void **state)
{
        (void) state;
        RollView v = middle();
        static Screen s;
        _cleanup_(table_freep) Table *t = new_table(true, true, 80, 24);
        screen_init(&s, 80, 24);
        update(t, &s, &v, T0 + 60 * SEC);
        expect_update(t, &v, T0 + 60 * SEC + 99 * USEC_PER_MSEC, "");
        _cleanup_(freep) char *out = NULL;
        table_size(t, 70, 24);
        assert_int_equal(table_update(t, &v, T0 + 60 * SEC + 99 * USEC_PER_MSEC, &out), 0);
        assert_true(strlen(out) > 100);
}

static void a_terminal_that_becomes_narrower(void **state)
{
        (void) state;
        static Screen s;
        RollView v = middle();
        _cleanup_(table_freep) Table *t = new_table(true, true, 120, 40);
        screen_init(&s, 120, 40);
        screen_write(&s, "before\n");
        update(t, &s, &v, T0 + 200 * SEC);
        screen_narrow(&s, 50);
        table_size(t, 50, 40);
        update(t, &s, &v, T0 + 201 * SEC);
        const char *text = screen_text(&s);
        assert_memory_equal(text, "before\n2 of 6 done,", strlen("before\n2 of 6 done,"));
        unsigned lines = 0;
        for (const char *p = text; (p = strchr(p, '\n')); p++)
                lines++;
        assert_int_equal(lines, 1 + 2 + 1 + 6);
}

static void show(Table *t, Screen *s, const char *text)
{
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(table_show(t, text, &out), 0);
        screen_write(s, out);
}

/* Other things are looked at in the same way. */
static void lines_in_place(void **state)
{
        (void) state;
        static Screen s;
        _cleanup_(table_freep) Table *t = new_table(true, true, 20, 5);
        screen_init(&s, 20, 5);
        show(t, &s, "one\ntwo\nthree\nfour\n");
        assert_string_equal(screen_text(&s), "one\ntwo\nthree\nfour\n");
        show(t, &s, "a line that is far too long\n");
        assert_string_equal(screen_text(&s), "a line that is far\n");
        show(t, &s, "one\n\x1b[31mtwo\x1b[0m\nthree\nfour\nfive\nsix");
        assert_string_equal(screen_text(&s), "one\ntwo\nthree\n... 3 more lines\n");
        show(t, &s, "\x1b[31ma line\x1b[0m that is far too long\n\x1b[1m19 columns wide here\x1b[0m\n");
        assert_string_equal(screen_text(&s), "a line that is far\n19 columns wide her\n");
        show(t, &s, "");
        assert_string_equal(screen_text(&s), "");
        assert_int_equal(s.scrolled + s.wrapped, 0);
        _cleanup_(table_freep) Table *plain = new_table(false, false, 20, 5);
        _cleanup_(freep) char *out = NULL;
        assert_int_equal(table_show(plain, "a line that is far too long\n", &out), 0);
        assert_string_equal(out, "a line that is far too long\n");
}

/* A column does not become narrower again. */
static void columns_do_not_jump(void **state)
{
        (void) state;
        static Screen s;
        RollView v = view(1);
        _cleanup_(table_freep) Table *t = new_table(true, false, 80, 24);
        screen_init(&s, 80, 24);
        runs(0, "start monit", "x", T0, 300 * SEC);
        update(t, &s, &v, T0 + 100 * SEC);
        runs(0, "stop", "y", T0 + 100 * SEC, 0);
        update(t, &s, &v, T0 + 101 * SEC);
        assert_string_equal(screen_text(&s),
                            "[--------------------] restart router: 0 of 1 done, 1 under way, 1 m 41 s\n"
                            "NODE     STATE    PHASE        TIME             AWAITED, OR RESULT\n"
                            "r1.east  running  stop         1.0 s            y\n");
}

/* Colours say nothing that words do not, and go away with NO_COLOR. */
static void without_colours(void **state)
{
        (void) state;
        RollView v = middle();
        _cleanup_(table_freep) Table *with = new_table(true, true, 80, 24);
        _cleanup_(table_freep) Table *without = new_table(true, false, 80, 24);
        _cleanup_(freep) char *a = NULL, *b = NULL;
        static Screen s, s2;
        assert_int_equal(table_update(with, &v, T0 + 60 * SEC, &a), 0);
        assert_int_equal(table_update(without, &v, T0 + 60 * SEC, &b), 0);
        assert_non_null(strstr(a, "\x1b[32mdone"));
        assert_null(strstr(b, "\x1b[3"));
        assert_null(strstr(b, "\x1b[1"));
        assert_null(strstr(b, "\x1b[0m"));
        screen_init(&s, 80, 24);
        screen_init(&s2, 80, 24);
        screen_write(&s, a);
        screen_write(&s2, b);
        assert_string_equal(screen_text(&s), screen_text(&s2));
}

static void texts_of_nodes_are_cleaned(void **state)
{
        (void) state;
        static Screen s;
        RollView v = middle();
        nodes[0].name = "r1\x1b[2J";
        nodes[0].text = "a\r\n\tb\x1b]0;title\x07\x7f";
        nodes[3].phase = "dr\x1b[31main";
        nodes[2].result = "he\nld";
        v.headline = "\x1b[1;1H";
        v.what = "restart\nrouter";
        _cleanup_(table_freep) Table *t = new_table(true, false, 80, 24);
        screen_init(&s, 80, 24);
        update(t, &s, &v, T0 + 200 * SEC); /* the screen refuses what is not ours */
        _cleanup_(table_freep) Table *p = new_table(false, false, 80, 24);
        _cleanup_(freep) char *plain = NULL, *summary = NULL;
        assert_int_equal(table_update(p, &v, T0 + 200 * SEC, &plain), 0);
        assert_int_equal(table_summary(p, &v, T0 + 200 * SEC, &summary), 0);
        assert_null(strchr(plain, '\x1b'));
        assert_null(strchr(summary, '\x1b'));
        assert_null(strchr(plain, '\r'));
        assert_non_null(strstr(plain, "r1?[2J: done, 58 s: a???b?]0;title??\n"));
}

/* ---- plain ---- */

static void plain_lines(void **state)
{
        (void) state;
        RollView v = view(3);
        _cleanup_(table_freep) Table *t = new_table(false, false, 0, 0);
        expect_update(t, &v, T0, "roll 20261128T184512-router-3f2a: restart router, 3 nodes\n");
        nodes[0].state = VIEW_ASKING;
        expect_update(t, &v, T0 + SEC, "r1.east: asking\n");
        runs(0, "drain", "2 requests in flight", T0 + SEC, 67 * SEC);
        expect_update(t, &v, T0 + 2 * SEC, "r1.east: drain begins, limit 1 m 7 s: 2 requests in flight\n");
        nodes[0].awaiting = "1 request in flight";
        expect_update(t, &v, T0 + 3 * SEC, "");
        expect_update(t, &v, T0 + 9 * SEC, "");
        /* No infinite silence, and not one line a second either. */
        expect_update(
                t, &v, T0 + 10 * SEC,
                "0 of 3 done, 1 under way, 10 s; r1.east drain 9.0 s of 1 m 7 s: 1 request in flight\n");
        expect_update(t, &v, T0 + 19 * SEC, "");
        v.headline = "Ctrl-C: stops after this node";
        v.expected_end = T0 + 100 * SEC;
        expect_update(
                t, &v, T0 + 20 * SEC,
                "0 of 3 done, 1 under way, 20 s, about 1 m 20 s left; Ctrl-C: stops after this node; r1.east "
                "drain 19 s of 1 m 7 s: 1 request in flight\n");
        nodes[0].state = VIEW_CUT;
        nodes[0].awaiting = "ssh ended with status 255";
        expect_update(t, &v, T0 + 21 * SEC, "r1.east: the link is cut in drain: ssh ended with status 255\n");
        runs(0, "ready", "", T0 + 25 * SEC, 0);
        expect_update(t, &v, T0 + 25 * SEC, "r1.east: ready begins\n");
        nodes[0].state = VIEW_SOAKING;
        nodes[0].phase = "soak";
        expect_update(t, &v, T0 + 26 * SEC, "r1.east: soak begins\n");
        ends(0, VIEW_DONE, "done", "restarted", T0 + 1 * SEC, T0 + 28 * SEC);
        ends(1, VIEW_FAILED, "held", "environment prod is gone", T0 + 28 * SEC, T0 + 29 * SEC);
        nodes[1].hint = "edge-roll undrain router";
        nodes[2].state = VIEW_LEFT;
        v.ended = T0 + 29 * SEC;
        expect_update(t, &v, T0 + 40 * SEC,
                      "r1.east: done, 27 s: restarted\n"
                      "r2.east: held, 1.0 s: environment prod is gone\n"
                      "  what to do: edge-roll undrain router\n");
        expect_update(t, &v, T0 + 60 * SEC, "");
        _cleanup_(freep) char *said = NULL;
        assert_int_equal(table_say(t, "", "the agent is gone", false, &said), 0);
        assert_string_equal(said, "the agent is gone\n");
}

/* ---- summary ---- */

static void all_is_well(void **state)
{
        (void) state;
        RollView v = view(2);
        _cleanup_(table_freep) Table *t = new_table(false, false, 0, 0);
        for (size_t i = 0; i < 2; i++)
                ends(i, VIEW_DONE, "done", "restarted", T0, T0 + 50 * SEC);
        v.ended = T0 + 100 * SEC;
        v.result = "done";
        expect_summary(t, &v, T0 + 100 * SEC,
                       "restart router: done, 2 of 2 nodes done, 1 m 40 s\n"
                       "  done         2: r1.east r2.east\n"
                       "  all of it:   edge-roll show 20261128T184512-router-3f2a\n");
}

static void how_each_node_stands(void **state)
{
        (void) state;
        RollView v = middle();
        _cleanup_(table_freep) Table *t = new_table(false, false, 0, 0);
        nodes[2].hint = "persistent = close";
        ends(3, VIEW_FAILED, "held", "environment prod is gone", T0 + 188 * SEC, T0 + 219 * SEC);
        nodes[3].component = "message-processor";
        nodes[3].dest = "10.0.0.4";
        nodes[3].user = "edge";
        nodes[3].port = 2222;
        nodes[4].state = nodes[5].state = VIEW_LEFT;
        v.what = "restart all";
        v.component = "all";
        nodes[2].component = "router";
        v.ended = T0 + 220 * SEC;
        v.result = "held";
        v.exit = 16;
        v.text = "r4.east is held: environment prod is gone";
        v.hint = "look at r4.east first";
        v.resumable = true;
        expect_summary(t, &v, T0 + 220 * SEC,
                       "restart all: held, 2 of 6 nodes done, 3 m 40 s (exit 16)\n"
                       "  r4.east is held: environment prod is gone\n"
                       "  what to do: look at r4.east first\n"
                       "  done         1: r1.east\n"
                       "  skipped      1: r2.east\n"
                       "  gave-back    r3.east, 1 m 20 s: somebody still sends\n"
                       "    what to do persistent = close\n"
                       "    look       edge-roll status router --nodes r3.east\n"
                       "    retry      edge-roll restart router --nodes r3.east\n"
                       "  held         r4.east, 31 s: environment prod is gone\n"
                       "    look       edge-roll status message-processor --nodes edge@10.0.0.4:2222\n"
                       "    give back  ssh ssh://edge@10.0.0.4:2222 edge-roll undrain message-processor\n"
                       "    retry      edge-roll restart message-processor --nodes edge@10.0.0.4:2222\n"
                       "  not touched  2: r5.east r6.east\n"
                       "  go on:       edge-roll resume 20261128T184512-router-3f2a\n"
                       "  all of it:   edge-roll show 20261128T184512-router-3f2a\n");
}

/* Left while a node is under way; names that a shell would take apart; a source of its own. */
static void left_and_quoted(void **state)
{
        (void) state;
        RollView v = view(2);
        _cleanup_(table_freep) Table *t = new_table(false, false, 0, 0);
        runs(0, "start", "job of systemd", T0 + 10 * SEC, 300 * SEC);
        ends(1, VIEW_FAILED, "agent-unreachable", "no route to host", T0, T0 + SEC);
        nodes[1].name = "it's; rm";
        v.source = "--inventory hosts.ini";
        v.ssh = "ssh -F conf";
        v.result = "interrupted";
        v.exit = 21;
        v.id = "";
        expect_summary(
                t, &v, T0 + 20 * SEC,
                "restart router: interrupted, 0 of 2 nodes done, 20 s (exit 21)\n"
                "  under way    r1.east, in start, 10 s: job of systemd\n"
                "    look       edge-roll status router --inventory hosts.ini --limit r1.east\n"
                "    follow     ssh -F conf r1.east edge-roll watch router\n"
                "  agent-unreachable it's; rm, 1.0 s: no route to host\n"
                "    look       edge-roll status router --inventory hosts.ini --limit 'it'\\''s; rm'\n"
                "    retry      edge-roll restart router --inventory hosts.ini --limit 'it'\\''s; rm'\n");
}

static void lists_that_are_long(void **state)
{
        (void) state;
        RollView v = view(300);
        _cleanup_(table_freep) Table *t = new_table(false, false, 60, 0);
        _cleanup_(freep) char *out = NULL;
        for (size_t i = 0; i < 100; i++)
                ends(i, VIEW_DONE, "done", "restarted", T0, T0 + SEC);
        for (size_t i = 100; i < 115; i++)
                ends(i, VIEW_FAILED, "held", "environment prod is gone", T0, T0 + SEC);
        for (size_t i = 115; i < 300; i++)
                nodes[i].state = VIEW_LEFT;
        assert_int_equal(table_summary(t, &v, T0 + SEC, &out), 0);
        assert_non_null(strstr(out, "  done         100: r1.east r2.east r3.east r4.east r5.east\n"
                                    "               r6.east"));
        assert_non_null(strstr(out, "80 more\n"));
        assert_non_null(strstr(out, "165 more\n"));
        assert_non_null(strstr(out, "undrain router\n"));
        assert_non_null(strstr(out, "ssh r110.east"));
        assert_null(strstr(out, "ssh r111.east"));
        assert_non_null(strstr(out, "held         r115.east"));
        assert_non_null(strstr(out, "the other 5\n"));
        for (const char *p = out; *p; p += strcspn(p, "\n") + 1)
                if (strncmp(p, "               r", 16) == 0)
                        assert_true(strcspn(p, "\n") <= 60);
}

/* The summary takes the table's place. */
static void a_summary_behind_a_table(void **state)
{
        (void) state;
        static Screen s;
        RollView v = view(1);
        _cleanup_(table_freep) Table *t = new_table(true, true, 80, 24);
        _cleanup_(freep) char *out = NULL;
        screen_init(&s, 80, 24);
        update(t, &s, &v, T0 + SEC);
        ends(0, VIEW_DONE, "done", "restarted", T0, T0 + SEC);
        v.result = "done";
        assert_int_equal(table_summary(t, &v, T0 + SEC, &out), 0);
        screen_write(&s, out);
        assert_string_equal(screen_text(&s), "restart router: done, 1 of 1 node done, 1.0 s\n"
                                             "  done         1: r1.east\n"
                                             "  all of it:   edge-roll show 20261128T184512-router-3f2a\n");
}

static void json(void **state)
{
        (void) state;
        RollView v = middle();
        Table *t = NULL;
        TableMode mode = { .json = true, .live = true };
        _cleanup_(freep) char *said = NULL, *warned = NULL;
        assert_int_equal(table_new(&t, &mode), 0);
        expect_update(t, &v, T0, "");
        assert_int_equal(table_say(t, "", "a \"remark\"\n", false, &said), 0);
        assert_string_equal(said, "{\"event\":\"client\",\"text\":\"a \\\"remark\\\"\\n\"}\n");
        assert_int_equal(table_say(t, "r1", "slow", true, &warned), 0);
        assert_string_equal(warned, "{\"event\":\"warning\",\"node\":\"r1\",\"text\":\"slow\"}\n");
        v.n_nodes = 4;
        v.result = "gave-back";
        v.exit = 15;
        v.ended = T0 + 220 * SEC;
        expect_summary(
                t, &v, T0 + 220 * SEC,
                "{\"event\":\"result\",\"roll\":\"20261128T184512-router-3f2a\",\"what\":\"restart router\","
                "\"component\":\"router\",\"result\":\"gave-back\",\"exit\":15,\"reason\":\"\",\"hint\":\"\","
                "\"elapsed\":220,\"resumable\":false,\"counts\":{\"total\":4,\"done\":1,\"skipped\":1,"
                "\"failed\":1,\"open\":1,\"left\":0},\"nodes\":[{\"node\":\"r1.east\",\"pool\":"
                "\"router/dc-1/gateway\",\"state\":\"done\",\"result\":\"done\",\"reason\":\"restarted\","
                "\"elapsed\":58.5},{\"node\":\"r2.east\",\"pool\":\"router/dc-1/gateway\",\"state\":"
                "\"skipped\",\"result\":\"not-needed\",\"reason\":\"nothing has changed\",\"elapsed\":1},"
                "{\"node\":\"r3.east\",\"pool\":\"router/dc-1/gateway\",\"state\":\"failed\",\"result\":"
                "\"gave-back\",\"reason\":\"somebody still sends\",\"elapsed\":80},{\"node\":\"r4.east\","
                "\"pool\":\"router/dc-1/gateway\",\"state\":\"running\",\"phase\":\"drain\",\"elapsed\":32}]}"
                "\n");
        (void) table_free(t);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(widths),
                cmocka_unit_test(more_nodes_than_lines),
                cmocka_unit_test(every_size),
                cmocka_unit_test(remarks_above_the_table),
                cmocka_unit_test(not_drawn_too_often),
                cmocka_unit_test(a_terminal_that_becomes_narrower),
                cmocka_unit_test(lines_in_place),
                cmocka_unit_test(columns_do_not_jump),
                cmocka_unit_test(without_colours),
                cmocka_unit_test(texts_of_nodes_are_cleaned),
                cmocka_unit_test(plain_lines),
                cmocka_unit_test(all_is_well),
                cmocka_unit_test(how_each_node_stands),
                cmocka_unit_test(left_and_quoted),
                cmocka_unit_test(lists_that_are_long),
                cmocka_unit_test(a_summary_behind_a_table),
                cmocka_unit_test(json),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
