/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What one person may have: so much at once, then one in so long. By person, of as many people as are
 * counted: the one whose budget is the fullest makes room for another. Pure: no clock.
 */

#include <stddef.h>

#include "base/time.h"

#define BUDGET_PEOPLE 32

/* A static one with its first two members is one of which nobody has had anything. */
typedef struct Budget {
        unsigned at_once; /* at least 1 */
        Usec each_usec;   /* behind that, one in so long */
        struct BudgetOf {
                Usec full; /* when all that he had is forgotten again */
                char who[96];
                unsigned left_out;
        } of[BUDGET_PEOPLE];
} Budget;

/*
 * budget_take() - one more for @who (cut to 95 bytes) at @now, which never goes back. @ret_left_out: how many
 * he did not get since the last one that he had; not written when he does not get this one. Return: 0: he has
 * it; else after how long (microseconds) there is one again.
 */
Usec budget_take(Budget *b, const char *who, Usec now, unsigned *ret_left_out) _must_check_;
