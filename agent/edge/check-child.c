/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/edge/check-child.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/edge/check-wire.h"
#include "base/result.h"

#define NOBODY 65534

typedef struct Child {
        CheckAsked asked;
        const EdgeTargetServer **servers; /* those that could be read */
        size_t *id_of;
        size_t n;
        bool over;
        int r;
} Child;

static void child_done(Child *c)
{
        check_asked_done(&c->asked);
        free(c->servers);
        free(c->id_of);
}

static int become_nobody(Err *err)
{
        (void) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (geteuid() != 0 && getuid() != 0)
                return 0;
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0)
                return err_errno(err, -errno, "cannot give up the rights of root");
        /* The kernel forgets what the bridge has set when rights change. */
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        return 0;
}

/* Up to the end of standard input. @ret: to be freed, CHECK_ASK_MAX bytes and one more at the most. */
static int slurp(char **ret, size_t *ret_len, Err *err)
{
        _cleanup_(freep) char *text = malloc(CHECK_ASK_MAX + 2);
        size_t len = 0;
        if (!text)
                return err_set(err, -ENOMEM, "out of memory for a question");
        for (ssize_t n = 1; n != 0 && len <= CHECK_ASK_MAX;) {
                n = read(STDIN_FILENO, text + len, CHECK_ASK_MAX + 1 - len);
                if (n < 0 && errno != EINTR)
                        return err_errno(err, -errno, "cannot read the question");
                len += n > 0 ? (size_t) n : 0;
        }
        text[len] = '\0';
        *ret = TAKE_PTR(text);
        *ret_len = len;
        return 0;
}

static void child_answer(Child *c, size_t id, const Checked *checked)
{
        _cleanup_(freep) char *line = NULL;
        if (c->r < 0)
                return;
        c->r = check_line(id, checked, &line);
        if (c->r >= 0 && (fputs(line, stdout) < 0 || fflush(stdout) != 0))
                c->r = -EIO;
}

static void child_on_checked(size_t index, const Checked *checked, void *userdata)
{
        Child *c = userdata;
        child_answer(c, c->id_of[index], checked);
}

static void child_on_done(void *userdata)
{
        Child *c = userdata;
        c->over = true;
}

static int child_prepare(Child *c, Err *err)
{
        c->servers = calloc(c->asked.n, sizeof(EdgeTargetServer *));
        c->id_of = calloc(c->asked.n, sizeof(*c->id_of));
        if (!c->servers || !c->id_of)
                return err_set(err, -ENOMEM, "out of memory for %zu target servers", c->asked.n);
        for (size_t i = 0; i < c->asked.n; i++) {
                Checked bad = { .layer = PROBE_HERE };
                if (c->asked.targets[i]) {
                        c->servers[c->n] = &c->asked.targets[i]->server;
                        c->id_of[c->n++] = i;
                        continue;
                }
                (void) snprintf(bad.text, sizeof(bad.text), "%s", c->asked.trouble[i]);
                child_answer(c, i, &bad);
        }
        return 0;
}

static int child_check(Child *c, sd_event *event, Err *err)
{
        _cleanup_(checking_freep) Checking *checking = NULL;
        int r = checking_start(&checking, event, c->servers, c->n, "", "", NULL, child_on_checked,
                               child_on_done, c, err);
        while (r >= 0 && c->r >= 0 && !c->over) {
                r = sd_event_run(event, UINT64_MAX);
                if (r < 0)
                        return err_errno(err, r, "cannot wait for the target servers");
        }
        if (r < 0)
                return r;
        return c->r < 0 ? err_errno(err, c->r, "cannot answer") : 0;
}

static int child_run(Err *err)
{
        _cleanup_(child_done) Child c = { 0 };
        _cleanup_(freep) char *text = NULL;
        sd_event *event = NULL;
        size_t len = 0;

        int r = slurp(&text, &len, err);
        if (r >= 0)
                r = check_asked_read(text, len, &c.asked, err);
        if (r >= 0)
                r = child_prepare(&c, err);
        if (r < 0)
                return r;
        r = sd_event_new(&event);
        if (r < 0)
                return err_errno(err, r, "no event loop");
        r = child_check(&c, event, err);
        (void) sd_event_unref(event);
        return r;
}

int check_child_main(void)
{
        Err err = { 0 };
        (void) alarm(CHECK_CHILD_SEC);
        (void) signal(SIGPIPE, SIG_IGN); /* a target may reset while it is written to */
        if (become_nobody(&err) < 0 || child_run(&err) < 0) {
                (void) fprintf(stderr, "%s\n", err.text);
                return result_exit_code(RESULT_FAILED);
        }
        return 0;
}
