/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/shares.h"

#include <string.h>

SharesAnswer shares_take(Shares *s, const char *who, bool root, bool stranger, size_t *ret_share)
{
        size_t free_one = SHARES_MAX;
        unsigned all = 0, strangers = 0, own = 0;
        for (size_t i = 0; i < SHARES_MAX; i++) {
                if (!s->one[i].taken) {
                        free_one = i;
                        continue;
                }
                all++;
                strangers += s->one[i].stranger;
                own += strcmp(s->one[i].who, who) == 0;
        }
        /* His own first: that is what he can do something about. */
        if (!root && own >= s->limits.person)
                return SHARES_PERSON;
        if (stranger && strangers >= s->limits.strangers)
                return SHARES_STRANGERS;
        if (all >= s->limits.all || free_one == SHARES_MAX)
                return SHARES_ALL;
        s->one[free_one].taken = true;
        s->one[free_one].stranger = stranger;
        (void) snprintf(s->one[free_one].who, sizeof(s->one[free_one].who), "%s", who);
        *ret_share = free_one + 1;
        return SHARES_OK;
}

void shares_give(Shares *s, size_t share)
{
        if (share > 0)
                s->one[share - 1].taken = false;
}
