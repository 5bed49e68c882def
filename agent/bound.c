/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/bound.h"

Usec bound_usec(const Component *c, RollKind kind)
{
        Usec sum = MAX(component_limit(c, PHASE_UNDO), component_limit(c, PHASE_HOLD));
        for (Phase p = roll_next(kind, PHASE_NONE); p != PHASE_END; p = roll_next(kind, p))
                if (p != PHASE_UNDO && p != PHASE_HOLD)
                        sum += component_limit(c, p);
        return sum;
}
