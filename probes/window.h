/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* K good results in a row. Pure. */

#include <stdbool.h>

typedef struct Window {
        unsigned need;  /* how many in a row */
        unsigned have;  /* good ones since the last bad one */
        unsigned total; /* results so far */
} Window;

/* window_feed() - one result. Return: true when `need` good ones in a row have been seen. */
static inline bool window_feed(Window *w, bool good)
{
        w->total++;
        w->have = good ? w->have + 1 : 0;
        return w->have >= w->need;
}
