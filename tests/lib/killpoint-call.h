/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A system call of another process, in words: whether it changes something outside of that process, and a
 * name that is the same in each run ("bus-StopUnit", "rename-job.json", "nft-newtable+newset").
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum CallKind {
        CALL_OTHER,  /* nothing outside is another thing afterwards, or it comes by the clock */
        CALL_ASK,    /* only asks; asked again and again, as often as it takes */
        CALL_EFFECT, /* changes something outside, tells somebody, or opens the way to him */
} CallKind;

/* Who makes the call. @pidfd: of the process, for a look at its descriptors. */
typedef struct Caller {
        pid_t pid;
        int pidfd;
} Caller;

typedef struct Call {
        CallKind kind;
        char name[160];   /* no blanks, no slashes */
        char detail[512]; /* more about it, on one line; "" */
        char phase[32];   /* the phase that a job of the caller is in from this call on; "": as before */
} Call;

/*
 * call_describe() - the call @nr with @args, as its caller stands before it. What cannot be read is described
 * by the call's own name.
 */
void call_describe(const Caller *caller, uint64_t nr, const uint64_t args[6], Call *ret);
