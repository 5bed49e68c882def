/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * skew.so, by LD_PRELOAD: one process whose clocks jump, and nobody else's. SKEW_FILE names a file of two
 * numbers, microseconds: what is added to the wall clock (CLOCK_REALTIME, gettimeofday(), time()), and to
 * CLOCK_BOOTTIME, which runs on while a machine sleeps and CLOCK_MONOTONIC does not. Read at each call, so
 * that it may change at any moment; none, or one that cannot be read: no jump.
 *
 * Timers on CLOCK_BOOTTIME jump with their clock, as after a suspend: those that are set are set anew as soon
 * as the process asks for any clock behind the jump. Source: timerfd_create(2), clock_gettime(2).
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000LL
#define USEC_PER_SEC 1000000LL
#define TIMERS       256 /* descriptors below this are remembered */

typedef struct Timer {
        bool boot;              /* on CLOCK_BOOTTIME */
        bool set;               /* to a point in time: */
        struct itimerspec when; /* on the clock that the process sees */
} Timer;

static Timer timers[TIMERS];
static int64_t boot_seen; /* the jump that the timers know of */

static int clock_real(clockid_t id, struct timespec *ts)
{
        return (int) syscall(SYS_clock_gettime, id, ts);
}

/* Neither buffered nor allocated: this is called from everywhere. */
static void skew_read(int64_t *ret_wall, int64_t *ret_boot)
{
        char text[64], *end;
        const char *name = getenv("SKEW_FILE");
        *ret_wall = *ret_boot = 0;
        int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
                return;
        ssize_t n = read(fd, text, sizeof(text) - 1);
        (void) close(fd);
        if (n <= 0)
                return;
        text[n] = '\0';
        *ret_wall = strtoll(text, &end, 10);
        *ret_boot = strtoll(end, NULL, 10);
}

static void shift(struct timespec *ts, int64_t usec)
{
        int64_t nsec = ts->tv_nsec + usec % USEC_PER_SEC * 1000;
        ts->tv_sec += (time_t) (usec / USEC_PER_SEC);
        if (nsec >= NSEC_PER_SEC || nsec < 0) {
                ts->tv_sec += nsec < 0 ? -1 : 1;
                nsec += nsec < 0 ? NSEC_PER_SEC : -NSEC_PER_SEC;
        }
        ts->tv_nsec = (long) nsec;
}

static int timer_set(int fd, int flags, const struct itimerspec *when, struct itimerspec *old, int64_t boot)
{
        struct itimerspec moved = *when;
        /* What is over by the clock of the process is over, and nothing is before the start of a clock. */
        if (moved.it_value.tv_sec || moved.it_value.tv_nsec) {
                shift(&moved.it_value, -boot);
                if (moved.it_value.tv_sec < 0)
                        moved.it_value = (struct timespec){ .tv_nsec = 1 };
        }
        return (int) syscall(SYS_timerfd_settime, fd, flags, &moved, old);
}

static void timers_jump(int64_t boot)
{
        if (boot == boot_seen)
                return;
        boot_seen = boot;
        for (int fd = 0; fd < TIMERS; fd++)
                if (timers[fd].boot && timers[fd].set)
                        (void) timer_set(fd, TFD_TIMER_ABSTIME, &timers[fd].when, NULL, boot);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
        int64_t wall, boot;
        int r = clock_real(id, ts);
        if (r < 0)
                return r;
        skew_read(&wall, &boot);
        timers_jump(boot);
        if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
                shift(ts, wall);
        else if (id == CLOCK_BOOTTIME || id == CLOCK_BOOTTIME_ALARM)
                shift(ts, boot);
        return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
        struct timespec ts;
        (void) zone;
        (void) clock_gettime(CLOCK_REALTIME, &ts);
        *tv = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
        return 0;
}

time_t time(time_t *ret)
{
        struct timespec ts;
        (void) clock_gettime(CLOCK_REALTIME, &ts);
        if (ret)
                *ret = ts.tv_sec;
        return ts.tv_sec;
}

int timerfd_create(int id, int flags)
{
        int fd = (int) syscall(SYS_timerfd_create, id, flags);
        if (fd >= 0 && fd < TIMERS)
                timers[fd] = (Timer){ .boot = id == CLOCK_BOOTTIME || id == CLOCK_BOOTTIME_ALARM };
        return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
        if (fd < 0 || fd >= TIMERS || !timers[fd].boot || !(flags & TFD_TIMER_ABSTIME))
                return (int) syscall(SYS_timerfd_settime, fd, flags, when, old);
        timers[fd].set = true;
        timers[fd].when = *when;
        return timer_set(fd, flags, when, old, boot_seen);
}
