/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bound.h"

Usec bound_usec(const Component *c, RollKind kind)
{
        /* Undone, it waits for its checkers as a restart does at its end. */
        Usec undo = component_limit(c, PHASE_UNDO) +
                    (roll_leads_past(kind, PHASE_BLOCK) && !roll_leads_past(kind, PHASE_RETURN)
                             ? component_limit(c, PHASE_RETURN)
                             : 0);
        Usec sum = MAX(undo, component_limit(c, PHASE_HOLD));
        for (Phase p = roll_next(kind, PHASE_NONE); p != PHASE_END; p = roll_next(kind, p))
                if (p != PHASE_UNDO && p != PHASE_HOLD)
                        sum += component_limit(c, p);
        return sum;
}
