/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/budget.h"

#include <stdio.h>
#include <string.h>

static struct BudgetOf *budget_of(Budget *b, const char *who)
{
        struct BudgetOf *oldest = &b->of[0];
        for (size_t i = 0; i < BUDGET_PEOPLE; i++) {
                if (b->of[i].full && strncmp(b->of[i].who, who, sizeof(b->of[i].who) - 1) == 0)
                        return &b->of[i];
                if (b->of[i].full < oldest->full)
                        oldest = &b->of[i];
        }
        *oldest = (struct BudgetOf){ 0 };
        (void) snprintf(oldest->who, sizeof(oldest->who), "%s", who);
        return oldest;
}

Usec budget_take(Budget *b, const char *who, Usec now, unsigned *ret_left_out)
{
        struct BudgetOf *of = budget_of(b, who);
        const Usec most = now + (b->at_once - 1) * b->each_usec;
        of->full = MAX(of->full, now);
        if (of->full > most) {
                of->left_out++;
                return of->full - most;
        }
        of->full += b->each_usec;
        *ret_left_out = of->left_out;
        of->left_out = 0;
        return 0;
}
