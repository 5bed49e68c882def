/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * halt.so, by LD_PRELOAD: a process that stops itself (SIGSTOP) as soon as it has sent a message with a
 * certain text in it, to the journal or anywhere: a point between two phases that no signal from outside
 * would hit. HALT_FILE names a file with the text; it stops once for each, and goes on with SIGCONT. Source:
 * sendmsg(2), sd_journal_send(3).
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool holds(const struct msghdr *m, const char *text, size_t n)
{
        for (size_t i = 0; i < m->msg_iovlen; i++)
                if (memmem(m->msg_iov[i].iov_base, m->msg_iov[i].iov_len, text, n))
                        return true;
        return false;
}

static void halt_if(const struct msghdr *m)
{
        char text[128];
        const char *name = getenv("HALT_FILE");
        int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
                return;
        ssize_t n = read(fd, text, sizeof(text));
        (void) close(fd);
        if (n <= 1 || !holds(m, text, (size_t) n - 1)) /* without the line's end */
                return;
        /* The file cannot be changed from in here; it stops once, because whoever waits empties it. */
        (void) raise(SIGSTOP);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
        ssize_t n = syscall(SYS_sendmsg, fd, m, flags);
        if (n >= 0)
                halt_if(m);
        return n;
}
