/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Scope-bound ownership: a variable marked _cleanup_(f) is released by f when its scope ends, and
 * TAKE_PTR/TAKE_FD hand it to somebody else first. Used instead of goto chains.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)       __attribute__((cleanup(f)))
#define _must_check_       __attribute__((warn_unused_result))
#define _printf_(fmt, arg) __attribute__((format(printf, fmt, arg)))
#define _unused_           __attribute__((unused))

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define MAX(a, b)   ((a) > (b) ? (a) : (b))
#define MIN(a, b)   ((a) < (b) ? (a) : (b))

/* TAKE_PTR() - the pointer's value; the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE_PTR(ptr)                           \
        ({                                      \
                __typeof__(ptr) _taken = (ptr); \
                (ptr) = NULL;                   \
                _taken;                         \
        })

/* TAKE_FD() - the descriptor; the variable is -1 afterwards. */
#define TAKE_FD(fd)                \
        ({                         \
                int _taken = (fd); \
                (fd) = -1;         \
                _taken;            \
        })

/* DEFINE_CLEANUP() - a cleanup function NAMEp for `_cleanup_(NAMEp) Type *x`, calling NAME(x). */
#define DEFINE_CLEANUP(type, name)           \
        static inline void name##p(type **p) \
        {                                    \
                (void) name(*p);             \
        }                                    \
        _Static_assert(1, "")

static inline void freep(void *p)
{
        free(*(void **) p);
}

static inline void closep(int *fd)
{
        if (*fd >= 0)
                (void) close(*fd);
}

static inline void fclosep(FILE **f)
{
        if (*f)
                (void) fclose(*f);
}
