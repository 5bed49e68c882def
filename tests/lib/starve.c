/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * starve.so, by LD_PRELOAD: a process that runs out of memory when it is told to, and has some again later.
 * SIGRTMIN with a value (kill --queue VALUE --signal RTMIN PID): after VALUE / 1000 more allocations the next
 * VALUE % 1000 fail with ENOMEM. The line on standard error says so, so that a test knows that it happened.
 * Source: malloc(3), sigqueue(3).
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* The C library's own, by the names that it keeps for this purpose. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static atomic_int until, left;

static void on_order(int sig, siginfo_t *info, void *context)
{
        (void) sig;
        (void) context;
        atomic_store(&left, info->si_value.sival_int % 1000);
        atomic_store(&until, info->si_value.sival_int / 1000);
}

static __attribute__((constructor)) void starve_begin(void)
{
        struct sigaction action = { .sa_sigaction = on_order, .sa_flags = SA_SIGINFO | SA_RESTART };
        (void) sigaction(SIGRTMIN, &action, NULL);
}

static bool refused(void)
{
        static const char line[] = "starve: allocations fail\n";
        if (atomic_load(&left) <= 0)
                return false;
        if (atomic_load(&until) > 0) {
                (void) atomic_fetch_sub(&until, 1);
                return false;
        }
        if (atomic_fetch_sub(&left, 1) == 1)
                (void) !write(STDERR_FILENO, line, strlen(line));
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size)
{
        return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
        return refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
        return refused() ? NULL : __libc_realloc(p, size);
}
