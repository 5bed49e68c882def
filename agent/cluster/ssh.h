/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One ssh as a child: its standard input and output on a socket, what it complains of collected, its end
 * seen. It is in a session of its own (a Ctrl-C on the terminal must not cut the links) and ends with us.
 */

#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"

#define SSH_STDERR_BYTES 4096 /* the last of it is kept */

typedef struct Ssh Ssh;
typedef struct SshYard SshYard;

/* Called once, from the event loop. @status: as of waitpid(2). The child is reaped; ssh_end() it. */
typedef void (*SshExitFn)(Ssh *ssh, int status, void *userdata);

/*
 * ssh_yard_new() - those who were told to end are kept here until they have. SIGCHLD must be blocked in this
 * process (and is, after this). ssh_yard_free() kills what has not ended by then.
 */
int ssh_yard_new(SshYard **ret, sd_event *event, Err *err) _must_check_;
SshYard *ssh_yard_free(SshYard *yard);
DEFINE_CLEANUP(SshYard, ssh_yard_free);

/*
 * ssh_start() - run @argv (argv[0] is looked up in PATH). @ret_fd: the socket, owned by the caller.
 * Return: 0; negative errno: no child could be made. A command that cannot be run ends with SSH_NOT_RUN.
 */
#define SSH_NOT_RUN 254
int ssh_start(Ssh **ret, SshYard *yard, char *const *argv, int *ret_fd, SshExitFn fn, void *userdata,
              Err *err) _must_check_;

/* ssh_stderr() - what it has said there up to now: its end, in lines, printable ASCII. Owned by @ssh. */
const char *ssh_stderr(Ssh *ssh);

/* ssh_stderr_forget() - what has come up to now was of no importance (a banner). */
void ssh_stderr_forget(Ssh *ssh);

/* ssh_pid() - 0 when it has ended. */
pid_t ssh_pid(const Ssh *ssh);

/* ssh_end() - SIGTERM, later SIGKILL, to it and its children; nothing is called any more. Return: NULL. */
Ssh *ssh_end(Ssh *ssh);
