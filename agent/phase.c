/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/phase.h"

#include <string.h>

#include "base/cleanup.h"

#define S(n) ((n) *USEC_PER_SEC)

static const PhaseInfo phase_table[] = {
        [PHASE_NONE] = { "none", 0, "" },
        [PHASE_PREFLIGHT] = { "preflight", S(30),
                              "the node's own state: component, unit, monit, what it has loaded" },
        [PHASE_DISCOVER] = { "discover", S(10), "the health port, the traffic ports and who checks them" },
        [PHASE_WATCH] = { "watch", 0, "each checker seen twice, so that its interval is known" },
        [PHASE_PLACE] = { "place", S(15), "the right to go out: its roll's lease, or the pool's place" },
        [PHASE_BLOCK] = { "block", S(5), "the rule in the kernel, read back" },
        [PHASE_NOTICE] = { "notice", S(120),
                           "each checker refused often enough; no new connection any more" },
        [PHASE_STOP_MONIT] = { "stop-monit", S(60), "monit off for this component, read back" },
        [PHASE_DRAIN] = { "drain", 0, "no request in flight, queues empty, nothing moving" },
        [PHASE_PARTNER] = { "partner", S(1800), "restart rmp: the message processor restarted" },
        [PHASE_GATE] = { "gate", S(30), "everything proven once more, with traffic frozen for 50 ms" },
        [PHASE_STOP] = { "stop", S(180), "unit inactive, ports closed, processes gone" },
        [PHASE_START] = { "start", S(300), "a new process, its ports open" },
        [PHASE_READY] = { "ready", S(300),
                          "probes good several times in a row, loaded at least what it was before" },
        [PHASE_VERIFY] = { "verify", S(60), "target servers that answered before; users' checks" },
        [PHASE_START_MONIT] = { "start-monit", S(60), "monit as it was" },
        [PHASE_UNBLOCK] = { "unblock", S(15), "the rule gone, read back" },
        [PHASE_RETURN] = { "return", S(90), "each checker let in again often enough" },
        [PHASE_UNDO] = { "undo", S(60), "everything that was changed put back" },
        [PHASE_HOLD] = { "hold", S(60), "the block made to last until somebody ends it" },
        [PHASE_END] = { "end", 0, "" },
};
_Static_assert(ELEMENTS(phase_table) == PHASE_COUNT, "every phase has a row");

const PhaseInfo *phase_info(Phase phase)
{
        return &phase_table[phase >= 0 && phase < PHASE_COUNT ? phase : PHASE_NONE];
}

const char *phase_name(Phase phase)
{
        return phase_info(phase)->name;
}

Phase phase_from_name(const char *name)
{
        for (int i = 0; i < PHASE_COUNT; i++)
                if (strcmp(phase_table[i].name, name) == 0)
                        return (Phase) i;
        return PHASE_INVALID;
}
