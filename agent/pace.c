/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/pace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN_MIN       3  /* arrivals that make a train: two equal steps */
#define STEADY_PERCENT  70 /* of one checker's steps are like the middle one; the rest is a busy machine */
#define SAME_LANES_MAX  4  /* of one period; more are taken out one by one */
#define STRUCTURE_TIMES 3  /* standard errors that are no chance */

void pace_clear(Pace *p)
{
        p->n = 0;
}

void pace_add(Pace *p, Usec at, size_t n)
{
        n = MIN(n, (size_t) PACE_TIMES);
        if (p->n > 0)
                at = MAX(at, p->times[p->n - 1]);
        if (p->n + n > PACE_TIMES) {
                size_t drop = p->n + n - PACE_TIMES;
                memmove(p->times, p->times + drop, (p->n - drop) * sizeof(*p->times));
                p->n -= drop;
        }
        for (size_t i = 0; i < n; i++)
                p->times[p->n++] = at;
}

static int compare_usec(const void *a, const void *b)
{
        const Usec x = *(const Usec *) a, y = *(const Usec *) b;
        return (x > y) - (x < y);
}

static Usec distance(Usec a, Usec b)
{
        return a > b ? a - b : b - a;
}

/* By how much a step of @interval may be off: a checker's own lateness, and what the clock of the reader
 * adds. */
static Usec tolerance(Usec interval, Usec resolution)
{
        return resolution + MAX(interval / 64, 20 * USEC_PER_MSEC);
}

/* Are the steps over @lanes arrivals all about the same? @ret: their mean. */
static bool steady(const Pace *p, size_t lanes, Usec resolution, Usec *ret)
{
        Usec steps[PACE_TIMES] = { 0 }, sum = 0;
        size_t n = p->n - lanes, near = 0;

        for (size_t i = 0; i < n; i++) {
                steps[i] = p->times[i + lanes] - p->times[i];
                sum += steps[i];
        }
        *ret = sum / n;
        qsort(steps, n, sizeof(*steps), compare_usec);
        const Usec middle = steps[n / 2];
        /* A step that another checker has cut in two leaves one of at most half its length. */
        if (middle == 0 || steps[0] * 20 < middle * 11 || steps[n - 1] * 10 > middle * 16)
                return false;
        const Usec loose = tolerance(middle, resolution) + middle / 16;
        for (size_t i = 0; i < n; i++)
                near += distance(steps[i], middle) <= (lanes == 1 ? loose : tolerance(middle, resolution));
        /* The more are supposed, the more must fit. */
        return near * 100 >= n * (lanes == 1 ? STEADY_PERCENT : 100);
}

/*
 * Do the steps differ by their place in turns of @turn? Then more are behind it than @lanes: a single one is
 * late by chance, not at every second time.
 */
static bool structured(const Pace *p, size_t lanes, size_t turn, Usec resolution)
{
        double mean[SAME_LANES_MAX * 3] = { 0 }, square = 0, low = INFINITY, high = 0;
        size_t n = p->n - lanes, each = n / turn;

        if (each < 2)
                return false;
        for (size_t g = 0; g < turn; g++) {
                for (size_t k = 0; k < each; k++)
                        mean[g] += (double) (p->times[g + k * turn + lanes] - p->times[g + k * turn]);
                mean[g] /= (double) each;
                low = fmin(low, mean[g]);
                high = fmax(high, mean[g]);
                for (size_t k = 0; k < each; k++) {
                        double off =
                                (double) (p->times[g + k * turn + lanes] - p->times[g + k * turn]) - mean[g];
                        square += off * off;
                }
        }
        const double variance = square / (double) (turn * (each - 1));
        return high - low > (double) resolution + STRUCTURE_TIMES * sqrt(2 * variance / (double) each);
}

/* The train that begins with the arrivals @a and @b. @ret: its members. Return: false when it is none. */
static bool train(const Pace *p, const bool *taken, size_t a, size_t b, Usec begin, Usec end, Usec resolution,
                  bool *ret)
{
        const Usec step = p->times[b] - p->times[a], slack = tolerance(step, resolution);
        size_t last = a, n = 1;

        memset(ret, 0, sizeof(bool[PACE_TIMES]));
        ret[a] = true;
        if (step <= 2 * slack || p->times[a] > begin + step + slack)
                return false;
        for (;;) {
                size_t best = p->n;
                const Usec due = p->times[last] + step;
                for (size_t i = last + 1; i < p->n; i++)
                        if (!taken[i] && distance(p->times[i], due) <= slack &&
                            (best == p->n || distance(p->times[i], due) < distance(p->times[best], due)))
                                best = i;
                if (best == p->n)
                        return n >= TRAIN_MIN && due + slack >= end;
                ret[best] = true;
                last = best;
                n++;
        }
}

/* Checkers of different periods. */
static PaceVerdict trains(const Pace *p, Usec begin, Usec end, Usec resolution)
{
        PaceVerdict v = { .regular = true };
        bool taken[PACE_TIMES] = { false }, members[PACE_TIMES];

        for (;;) {
                size_t a = 0, left = 0, b;
                for (size_t i = p->n; i-- > 0;)
                        if (!taken[i]) {
                                a = i;
                                left++;
                        }
                /* A single one that is left over is a visitor. */
                if (left <= 1 && v.lanes > 0)
                        return v;
                for (b = a + 1; b < p->n; b++)
                        if (!taken[b] && train(p, taken, a, b, begin, end, resolution, members))
                                break;
                if (b >= p->n || v.lanes == PACE_LANES_MAX)
                        break;
                v.interval_usec = MAX(v.interval_usec, p->times[b] - p->times[a]);
                v.lanes++;
                for (size_t i = 0; i < p->n; i++)
                        taken[i] = taken[i] || members[i];
        }
        /* Whoever came at least twice has a period of no more than half the time. */
        v.regular = false;
        v.lanes = MAX(v.lanes, 1u);
        v.interval_usec = MAX(v.interval_usec, (end - begin) / 2);
        if (p->n <= 4)
                v.interval_usec = MAX(v.interval_usec, p->times[p->n - 1] - p->times[0]);
        return v;
}

PaceVerdict pace_judge(const Pace *p, Usec begin, Usec end, Usec resolution)
{
        Usec interval;

        if (p->n < 2)
                return (PaceVerdict){ .lanes = 1 };
        if (p->n == PACE_TIMES)
                begin = MAX(begin, p->times[0]);
        for (size_t lanes = 1; lanes <= SAME_LANES_MAX && p->n >= 2 * lanes; lanes++)
                if (steady(p, lanes, resolution, &interval) && !structured(p, lanes, 2 * lanes, resolution) &&
                    !structured(p, lanes, 3 * lanes, resolution))
                        return (PaceVerdict){
                                .interval_usec = interval,
                                .lanes = (unsigned) lanes,
                                .regular = true,
                        };
        return trains(p, begin, end, resolution);
}

Usec pace_longest(const Pace *p)
{
        Usec longest = 0;

        for (size_t i = 1; i < p->n; i++)
                longest = MAX(longest, p->times[i] - p->times[i - 1]);
        return longest;
}

bool pace_repeats(const Pace *p, Usec now, Usec interval, Usec resolution)
{
        bool any = false;

        for (size_t i = p->n; i-- > 0 && p->times[i] + interval > now;) {
                bool twin = false;
                for (size_t k = 0; k < i && !twin; k++)
                        twin = distance(p->times[k] + interval, p->times[i]) <=
                               tolerance(interval, resolution);
                if (!twin)
                        return false;
                any = true;
        }
        return any;
}
