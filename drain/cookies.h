/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is remembered of each socket between two looks: 16 bytes by cookie, in one open addressing table that
 * grows by doubling in place (mremap(2) moves pages, not bytes, so there is never an old and a new one).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

typedef struct Cookie {
        uint64_t cookie; /* 0: free */
        union {
                struct {
                        uint16_t rx, tx; /* fingerprints of the totals, while there is no record */
                };
                uint32_t record; /* index of the full record */
        };
        unsigned seen : 15;     /* the number of the last full look it was in */
        unsigned paused : 1;    /* idle, and nothing had moved for a while */
        unsigned verdict : 2;   /* of its own fields; InflightVerdict */
        unsigned class : 2;     /* how it is counted */
        unsigned streaming : 2; /* looks in which the server spoke unasked, at most 2 */
        unsigned spoken : 2;    /* looks in which the server had spoken again, at most 2 */
        unsigned requests : 2;  /* looks after the mark with a new exchange, at most 2 */
        unsigned grew_rx : 1, grew_tx : 1;
        unsigned continued : 1; /* the server has said "100 Continue" and nothing since */
        unsigned has_record : 1;
        unsigned unheard : 1;  /* nothing has moved since nobody knew who spoke last */
        unsigned unplaced : 1; /* only while the table is rearranged */
} Cookie;

_Static_assert(sizeof(Cookie) == 16, "the memory bound of the drain rests on it");

typedef struct Cookies {
        Cookie *slots;   /* mmap(2)ed; NULL while empty */
        size_t capacity; /* power of two, or 0 */
        size_t used;
        size_t max; /* never more than this many */
} Cookies;

/* cookies_done() - give the memory back; the table is empty and usable then. */
void cookies_done(Cookies *t);

/* cookies_find() - Return: the entry, or NULL. Valid until the next cookies_add() or cookies_sweep(). */
Cookie *cookies_find(const Cookies *t, uint64_t cookie);

/* cookies_prefetch() - have the memory ready that cookies_find() of this cookie will need; a hint. */
void cookies_prefetch(const Cookies *t, uint64_t cookie);

/*
 * cookies_add() - an entry for a cookie that has none, all fields 0.
 * Return: the entry; NULL when the table has its maximum, memory is short, or @cookie is 0. Pointers from
 * before are void.
 */
Cookie *cookies_add(Cookies *t, uint64_t cookie);

/* cookies_sweep() - drop the entries that were neither seen in full look @seen nor have a record. */
void cookies_sweep(Cookies *t, uint16_t seen);
