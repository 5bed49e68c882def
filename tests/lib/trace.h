/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A child process that stops before and behind each of its system calls, for as long as its parent likes; all
 * on the parent's event loop, so that what it talks to in this process goes on meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

typedef struct Trace Trace;

typedef struct TraceCall {
        uint64_t nr, args[6];
        bool after; /* it has returned; the arguments are still those it was made with: */
        int64_t result;
} TraceCall;

typedef enum TraceDo {
        TRACE_GO,
        TRACE_HOLD, /* it stays there until trace_go() */
        TRACE_KILL, /* SIGKILL: a call that has not been made is not made any more */
} TraceDo;

typedef TraceDo (*TraceFn)(Trace *t, const TraceCall *call, void *userdata);

/* trace_new() - runs @argv. @fn: NULL: it is not traced. Return: 0; a negative errno. */
int trace_new(Trace **ret, sd_event *event, char *const *argv, TraceFn fn, void *userdata);

/* trace_free() - it is killed, and gone when this returns. trace_free_all() - all of them. */
Trace *trace_free(Trace *t);
void trace_free_all(void);

void trace_go(Trace *t);
bool trace_held(const Trace *t);

/* trace_over() - has it ended? @ret_status: as of waitpid(2). */
bool trace_over(const Trace *t, int *ret_status);

/* trace_pid() - its number. trace_peek() - of its memory. Return: how many bytes could be read. trace_fd() -
 * what a descriptor of it leads to, as /proc says. */
pid_t trace_pid(const Trace *t);
size_t trace_peek(const Trace *t, uint64_t at, void *buf, size_t size);
void trace_fd(const Trace *t, uint64_t fd, char *buf, size_t size);

/* trace_bytes() - at a call of the kind of write(2) or sendmsg(2): what is written; behind one of the kind of
 * read(2) or recvmsg(2): what was read. Return: how many; 0: other calls. trace_take_fd() - a descriptor of
 * it for us, too. Return: it; a negative errno. */
size_t trace_bytes(const Trace *t, void *buf, size_t size);
int trace_take_fd(const Trace *t, uint64_t fd);
