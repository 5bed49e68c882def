/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/oom.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 128

/* glibc's own, by the names that it keeps for those who replace them. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Atomic uint64_t count, fail_at, failed; /* failed: the number of the first one; 0: none */
static _Atomic bool armed, fail_from, spared;
static _Atomic int64_t live;
static const void *asked; /* where the one that failed was called from */
static char told[256];

/* In the order in which they came; in a table that is open at the hash. */
static uint64_t places[OOM_PLACES];
static uint32_t place_slots[2 * OOM_PLACES]; /* 1 + the index in `places`; 0: nobody's */
static size_t n_places;
static uint64_t fail_place;
static bool by_place;
static int n_outer; /* frames around who has armed */

static void arm(uint64_t nth, uint64_t place, bool placed, bool from)
{
        armed = false;
        count = 0;
        failed = 0;
        fail_at = nth;
        fail_place = place;
        by_place = placed;
        fail_from = from;
        armed = true;
}

void oom_arm(uint64_t nth, bool from)
{
        arm(nth, 0, false, from);
}

void oom_arm_place(uint64_t place, bool from)
{
        void *frames[FRAMES];
        /* This loads what it needs, too, while there is memory. */
        n_outer = backtrace(frames, FRAMES) - 1;
        arm(0, place, true, from);
}

size_t oom_places(const uint64_t **ret_places)
{
        *ret_places = places;
        return n_places;
}

uint64_t oom_disarm(void)
{
        armed = false;
        return count;
}

uint64_t oom_failed(void)
{
        return failed;
}

const char *oom_failed_in(void)
{
        Dl_info info;
        return failed && dladdr(asked, &info) && info.dli_fname ? info.dli_fname : "";
}

int64_t oom_live(void)
{
        return live;
}

void oom_spare(bool on)
{
        spared = on;
}

#define ASKER UINT64_C(0xffffffff)

/* Of who asks alone, without those who have called it: the low half of the number of its place. Never 0. */
static uint64_t asker(const void *who)
{
        return ((uintptr_t) who * 2654435761u >> 8 & ASKER) | 1;
}

/* Who asks, and who has called it, up to who has armed; where that one was called from is no matter. */
static uint64_t place_here(const void *who)
{
        void *frames[FRAMES];
        const int n = backtrace(frames, FRAMES);
        uint64_t hash = 14695981039346656037u; /* FNV-1a */
        for (int i = 0; i < n - n_outer; i++)
                hash = (hash ^ (uintptr_t) frames[i]) * 1099511628211u;
        return (hash & ~ASKER) | asker(who);
}

static void place_add(uint64_t place)
{
        const size_t n_slots = 2 * OOM_PLACES;
        size_t i = (place >> 32) % n_slots;
        for (; place_slots[i] > 0; i = (i + 1) % n_slots)
                if (places[place_slots[i] - 1] == place)
                        return;
        if (n_places == OOM_PLACES)
                abort(); /* more of them than anybody has thought of: a larger number is wanted */
        places[n_places++] = place;
        place_slots[i] = (uint32_t) n_places;
}

/* Frames are found slowly, so only where they can matter. */
static bool is_place_due(const void *who)
{
        if (failed)
                return fail_from;
        if (fail_place && (fail_place & ASKER) != asker(who))
                return false;
        const uint64_t place = place_here(who);
        if (!fail_place)
                place_add(place);
        return place == fail_place;
}

static bool fails(const void *who)
{
        if (!armed || spared)
                return false;
        uint64_t n = ++count;
        if (by_place ? !is_place_due(who) : fail_at == 0 || (n != fail_at && !(fail_from && n > fail_at)))
                return false;
        if (!failed)
                failed = n;
        asked = who;
        errno = ENOMEM;
        return true;
}

static void *born(void *p)
{
        if (p)
                live++;
        return p;
}

void *malloc(size_t size)
{
        return fails(__builtin_return_address(0)) ? NULL : born(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
        return fails(__builtin_return_address(0)) ? NULL : born(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
        if (!p)
                return malloc(size);
        if (size == 0) {
                free(p);
                return NULL;
        }
        return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size)
{
        return fails(__builtin_return_address(0)) ? NULL : born(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
        return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
        void *p = memalign(alignment, size);
        if (!p)
                return ENOMEM;
        *ret = p;
        return 0;
}

void free(void *p)
{
        if (p)
                live--;
        __libc_free(p);
}

static void tell(void)
{
        char text[32];
        int fd = open(told, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
            n = snprintf(text, sizeof(text), "%llu %d\n", (unsigned long long) count, (int) failed);
        if (fd >= 0) {
                if (write(fd, text, (size_t) n) != n)
                        _exit(125);
                (void) close(fd);
        }
}

__attribute__((constructor)) static void begin(void)
{
        const char *nth = getenv("OOM_NTH"), *path = getenv("OOM_TOLD");
        bool from = getenv("OOM_FROM") != NULL;

        if (!nth)
                return;
        if (path && strlen(path) < sizeof(told)) {
                strcpy(told, path);
                (void) atexit(tell);
        }
        uint64_t n = strtoull(nth, NULL, 10);
        (void) unsetenv("OOM_NTH");
        (void) unsetenv("OOM_FROM");
        (void) unsetenv("OOM_TOLD");
        (void) unsetenv("LD_PRELOAD");
        oom_arm(n, from);
}
