/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap */
#endif
#include "drain/cookies.h"

#include <string.h>
#include <sys/mman.h>

#define CAPACITY_MIN 256
#define LINE         ((size_t) 4) /* slots in a cache line */

/* 7/8 full: about five slots to find an entry, and 100,000 sockets still fit into 2 MiB. */
#define FULL(capacity) ((capacity) - (capacity) / 8)

void cookies_done(Cookies *t)
{
        if (t->slots)
                (void) munmap(t->slots, t->capacity * sizeof(*t->slots));
        t->slots = NULL;
        t->capacity = t->used = 0;
}

/*
 * The kernel counts cookies up, so they need mixing; the high bits of the product are the mixed ones. A
 * search starts at the first slot of a cache line and takes line by line, so that one line nearly always has
 * the answer: memory that is not in the cache is what a look costs here.
 */
static size_t home(const Cookies *t, uint64_t cookie)
{
        return (size_t) ((cookie * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (t->capacity - 1) & ~(LINE - 1);
}

Cookie *cookies_find(const Cookies *t, uint64_t cookie)
{
        if (t->capacity == 0 || cookie == 0)
                return NULL;
        for (size_t i = home(t, cookie);; i = (i + LINE) & (t->capacity - 1)) {
                unsigned hit = 0, empty = 0;
                for (size_t k = 0; k < LINE; k++) {
                        hit |= (unsigned) (t->slots[i + k].cookie == cookie) << k;
                        empty |= t->slots[i + k].cookie == 0;
                }
                if (hit)
                        return &t->slots[i + (size_t) __builtin_ctz(hit)];
                if (empty)
                        return NULL;
        }
}

void cookies_prefetch(const Cookies *t, uint64_t cookie)
{
        if (t->capacity > 0)
                __builtin_prefetch(&t->slots[home(t, cookie)]);
}

/*
 * Put every entry where a search for it ends, without a second table. An entry that is not placed yet gives
 * way to one that is put on its slot, and is put next; placed ones never move again.
 */
static void rearrange(Cookies *t)
{
        /* Free slots are only read: a page that was never written takes no memory. */
        for (size_t i = 0; i < t->capacity; i++)
                if (t->slots[i].cookie != 0)
                        t->slots[i].unplaced = 1;

        for (size_t i = 0; i < t->capacity; i++)
                while (t->slots[i].unplaced) {
                        Cookie e = t->slots[i];
                        size_t to = home(t, e.cookie);
                        while (t->slots[to].cookie != 0 && !t->slots[to].unplaced)
                                to = (to + 1) & (t->capacity - 1);
                        e.unplaced = 0;
                        t->slots[i] = t->slots[to];
                        t->slots[to] = e;
                }
}

static bool grow(Cookies *t)
{
        size_t capacity = t->capacity ? 2 * t->capacity : CAPACITY_MIN;
        if (t->capacity && FULL(t->capacity) >= t->max)
                return false;

        void *p = t->slots ? mremap(t->slots, t->capacity * sizeof(*t->slots), capacity * sizeof(*t->slots),
                                    MREMAP_MAYMOVE)
                           : mmap(NULL, capacity * sizeof(*t->slots), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return false;
        t->slots = p;
        t->capacity = capacity;
        rearrange(t);
        return true;
}

Cookie *cookies_add(Cookies *t, uint64_t cookie)
{
        if (cookie == 0 || t->used >= t->max)
                return NULL;
        if (t->used >= FULL(t->capacity) && !grow(t))
                return NULL;

        size_t i = home(t, cookie);
        while (t->slots[i].cookie != 0)
                i = (i + 1) & (t->capacity - 1);
        t->slots[i] = (Cookie){ .cookie = cookie };
        t->used++;
        return &t->slots[i];
}

void cookies_sweep(Cookies *t, uint16_t seen)
{
        for (size_t i = 0; i < t->capacity; i++) {
                Cookie *e = &t->slots[i];
                if (e->cookie != 0 && e->seen != seen && !e->has_record) {
                        memset(e, 0, sizeof(*e));
                        t->used--;
                }
        }
        rearrange(t);
}
