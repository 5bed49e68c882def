/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a child that stands for ssh says on its standard error: all of it is read, and nothing waits for it.
 */

#include "agent/cluster/ssh.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define SAID  60000 /* less than a pipe holds */
#define TURNS 1000

typedef struct World {
        sd_event *event;
        SshYard *yard;
        Ssh *ssh;
        int fd;   /* its standard input and output */
        int said; /* its standard error, as it has it */
        int status;
} World;

static void on_exit_of(Ssh *ssh, int status, void *userdata)
{
        World *w = userdata;
        (void) ssh;
        w->status = status;
}

/* One that says SAID bytes, and "the last" on a line of its own; then a line on its standard output, and
 * @end.
 */
static void world_make(World *w, const char *end)
{
        char script[256], path[64];
        char sh[] = "sh", c[] = "-c";
        char *argv[] = { sh, c, script, NULL };

        *w = (World){ .fd = -1, .said = -1, .status = -1 };
        (void) snprintf(script, sizeof(script),
                        "head -c %d /dev/zero >&2; printf '\\nthe last\\n' >&2; echo; %s", SAID, end);
        assert_true(sd_event_new(&w->event) >= 0);
        assert_int_equal(ssh_yard_new(&w->yard, w->event, NULL), 0);
        assert_int_equal(ssh_start(&w->ssh, w->yard, argv, &w->fd, on_exit_of, w, NULL), 0);
        (void) snprintf(path, sizeof(path), "/proc/%d/fd/2", (int) ssh_pid(w->ssh));
        struct pollfd p = { .fd = w->fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, 20000), 1);
        w->said = open(path, O_WRONLY | O_CLOEXEC);
}

static void world_done(World *w)
{
        w->ssh = ssh_end(w->ssh);
        closep(&w->fd);
        closep(&w->said);
        w->yard = ssh_yard_free(w->yard);
        w->event = sd_event_unref(w->event);
}

static int unread(const World *w)
{
        int n = 0;
        assert_int_equal(ioctl(w->said, FIONREAD, &n), 0);
        return n;
}

static bool ends_with_the_last(const char *text)
{
        static const char last[] = "\nthe last\n";
        size_t n = strlen(text);
        return n >= strlen(last) && strcmp(text + n - strlen(last), last) == 0;
}

/* Whoever writes as fast as it is read would be read for ever: no limit in time would come to its turn. */
static void a_turn_reads_a_little(void **state)
{
        World w;
        (void) state;
        world_make(&w, "exec cat");
        assert_true(w.said >= 0);
        int before = unread(&w);
        assert_true(before > SAID);
        assert_true(sd_event_run(w.event, 20 * USEC_PER_SEC) > 0);
        assert_true(unread(&w) < before);
        assert_true(unread(&w) >= before - SSH_STDERR_BYTES);
        for (unsigned i = 0; i < TURNS && unread(&w) > 0; i++)
                assert_true(sd_event_run(w.event, 0) >= 0);
        assert_int_equal(unread(&w), 0);
        world_done(&w);
}

static void whoever_asks_hears_all_of_it(void **state)
{
        World w;
        (void) state;
        world_make(&w, "exec cat");
        assert_true(ends_with_the_last(ssh_stderr(w.ssh)));
        assert_int_equal(unread(&w), 0);
        assert_int_equal(strlen(ssh_stderr(w.ssh)), SSH_STDERR_BYTES - 1);
        ssh_stderr_forget(w.ssh);
        assert_string_equal(ssh_stderr(w.ssh), "");
        world_done(&w);
}

static void what_was_said_last_is_there_at_the_end(void **state)
{
        World w;
        (void) state;
        world_make(&w, "exit 7");
        for (unsigned i = 0; i < TURNS && w.status < 0; i++)
                assert_true(sd_event_run(w.event, 20 * USEC_PER_SEC) >= 0);
        assert_true(WIFEXITED(w.status));
        assert_int_equal(WEXITSTATUS(w.status), 7);
        assert_true(ends_with_the_last(ssh_stderr(w.ssh)));
        world_done(&w);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_turn_reads_a_little),
                cmocka_unit_test(whoever_asks_hears_all_of_it),
                cmocka_unit_test(what_was_said_last_is_there_at_the_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
