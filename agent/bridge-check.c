/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bridge-check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/bus.h"
#include "agent/edge/check-child.h"
#include "agent/edge/check-wire.h"
#include "agent/names.h"

#define GROUPS_MAX 1025 /* as many as the agent looks at, and the own one */

struct BridgeCheck {
        BridgeCheckHandlers h;
        void *userdata;
        Ssh *child;
        int fd;
        sd_event_source *io;
        char *question;
        size_t len, sent;
        char line[CHECK_LINE_MAX + 1];
        size_t n_line;
        bool too_long;
};

bool bridge_check_allowed(void)
{
        _cleanup_(names_freep) Names *names = NULL;
        gid_t gids[GROUPS_MAX];
        if (getuid() == 0)
                return true;
        int n = getgroups(GROUPS_MAX - 1, gids);
        if (n < 0 || names_new(&names, BUS_GROUP, NULL, NULL, NULL) < 0)
                return false;
        gids[n] = getgid();
        return names_member(names, getuid(), gids, (size_t) n + 1);
}

BridgeCheck *bridge_check_free(BridgeCheck *c)
{
        if (!c)
                return NULL;
        c->io = sd_event_source_unref(c->io);
        c->child = ssh_end(c->child);
        closep(&c->fd);
        free(c->question);
        free(c);
        return NULL;
}

/* Whole lines go on; the rest is kept for what comes behind it. */
static void take(BridgeCheck *c, const char *bytes, size_t n)
{
        for (size_t i = 0; i < n && !c->too_long; i++) {
                if (bytes[i] == '\n') {
                        c->line[c->n_line] = '\0';
                        c->n_line = 0;
                        c->h.line(c->line, c->userdata);
                } else if (c->n_line < CHECK_LINE_MAX)
                        c->line[c->n_line++] = bytes[i];
                else
                        c->too_long = true;
        }
}

/* Some of what has come. Return: as of read(2). */
static ssize_t answers_read(BridgeCheck *c)
{
        char bytes[4096];
        ssize_t n;
        do
                n = read(c->fd, bytes, sizeof(bytes));
        while (n < 0 && errno == EINTR);
        if (n > 0)
                take(c, bytes, (size_t) n);
        return n;
}

/* Return: false: it takes nothing more. */
static bool question_write(BridgeCheck *c)
{
        while (c->sent < c->len) {
                ssize_t n = send(c->fd, c->question + c->sent, c->len - c->sent, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                c->sent += (size_t) n;
        }
        (void) shutdown(c->fd, SHUT_WR);
        return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        BridgeCheck *c = userdata;
        (void) fd;
        if ((revents & EPOLLOUT) && c->sent < c->len && !question_write(c))
                c->sent = c->len;
        ssize_t n = answers_read(c);
        if (n == 0 || (n < 0 && errno != EAGAIN))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return sd_event_source_set_io_events(source, EPOLLIN | (c->sent < c->len ? EPOLLOUT : 0U));
}

static void on_exit_of_child(Ssh *child, int status, void *userdata)
{
        BridgeCheck *c = userdata;
        char text[400];
        const char *trouble = text;

        while (answers_read(c) > 0)
                ; /* no more comes: it has ended, and has no children */
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
                (void) snprintf(text, sizeof(text), "the checks were not done within %u s", CHECK_CHILD_SEC);
        else if (WIFSIGNALED(status))
                (void) snprintf(text, sizeof(text), "the process that checks was ended by signal %d",
                                WTERMSIG(status));
        else if (status != 0)
                (void) snprintf(text, sizeof(text), "the checks could not be made: %.*s",
                                (int) MIN(strcspn(ssh_stderr(child), "\n"), 300), ssh_stderr(child));
        else if (c->too_long || c->n_line > 0)
                (void) snprintf(text, sizeof(text), "the process that checks said what makes no sense");
        else
                trouble = NULL;
        c->h.end(trouble, c->userdata);
        (void) bridge_check_free(c);
}

int bridge_check_start(BridgeCheck **ret, sd_event *event, SshYard *yard, const char *question,
                       const BridgeCheckHandlers *h, void *userdata, Err *err)
{
        static char program[] = "/proc/self/exe", verb[] = CHECK_CHILD_VERB;
        char *argv[] = { program, verb, NULL };
        _cleanup_(bridge_check_freep) BridgeCheck *c = calloc(1, sizeof(*c));
        if (!c)
                return err_errno(err, -ENOMEM, "a check");
        *c = (BridgeCheck){ .h = *h, .userdata = userdata, .fd = -1, .len = strlen(question) };
        c->question = strdup(question);
        if (!c->question)
                return err_errno(err, -ENOMEM, "a check");
        int r = ssh_start(&c->child, yard, argv, &c->fd, on_exit_of_child, c, err);
        if (r < 0)
                return r;
        (void) fcntl(c->fd, F_SETFL, O_NONBLOCK);
        r = sd_event_add_io(event, &c->io, c->fd, EPOLLIN | EPOLLOUT, on_io, c);
        if (r < 0)
                return err_errno(err, r, "a check");
        *ret = TAKE_PTR(c);
        return 0;
}
