/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/oom.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* glibc's own, by the names that it keeps for those who replace them. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Atomic uint64_t count, fail_at;
static _Atomic bool armed, fail_from, failed, spared;
static _Atomic int64_t live;
static const void *asked; /* where the one that failed was called from */
static char told[256];

void oom_arm(uint64_t nth, bool from)
{
        count = 0;
        failed = false;
        fail_at = nth;
        fail_from = from;
        armed = true;
}

uint64_t oom_disarm(void)
{
        armed = false;
        return count;
}

bool oom_failed(void)
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

static bool fails(const void *who)
{
        if (!armed || spared)
                return false;
        uint64_t n = ++count;
        if (fail_at == 0 || (n != fail_at && !(fail_from && n > fail_at)))
                return false;
        failed = true;
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
