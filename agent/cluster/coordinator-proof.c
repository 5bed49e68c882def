/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Behind a roll: do the routers serve the certificates that they should? */

#include "agent/cluster/coordinator-impl.h"

#include <string.h>

#include "probes/json.h"

bool coord_proof_log(Coord *c)
{
        for (size_t i = 0; c->proof && i < c->proof->n; i++) {
                cJSON *o = roll_log_event("proof");
                proof_vhost_json(&c->proof->vhosts[i], o);
                if (!coord_log(c, o))
                        return false;
        }
        return true;
}

int coord_proof_from_record(Coord *c, const RollRecord *record, Err *err)
{
        const cJSON *first = cJSON_GetArrayItem(record->events, 0), *e;
        double proofs = json_number(first, "proofs", -1);
        if (proofs < 0)
                return 0;
        c->proof = &c->kept;
        cJSON_ArrayForEach(e, record->events)
        {
                int r = strcmp(json_text(e, "event"), "proof") == 0 ? proof_read(&c->kept, e, err) : 0;
                if (r < 0)
                        return err_prefix(err, r,
                                          "the journal of roll %.100s has a proof that cannot be read",
                                          record->id);
        }
        /* Its process died while it was writing them. */
        if (proofs > (double) c->kept.n)
                c->kept.missing = (size_t) (MIN(proofs, (double) INT32_MAX) - (double) c->kept.n);
        return 0;
}

static void prove_on_said(void *userdata, bool warning, const char *text)
{
        coord_say(userdata, "", warning, "%s", text);
}

void coord_prove(Coord *c)
{
        size_t bad = 0;
        Err err = { 0 };
        if (c->proof->n == 0 && c->proof->missing == 0)
                return;
        if (proof_check(c->proof, prove_on_said, c, &bad, &err) < 0)
                (void) snprintf(c->text, sizeof(c->text),
                                "rolled, but what routers serve now is not known: %.300s", err.text);
        else if (bad > 0)
                (void) snprintf(
                        c->text, sizeof(c->text),
                        "rolled, but the certificate is not proven: %zu times a router serves another "
                        "than it should, or could not be asked",
                        bad);
        else {
                c->result = RESULT_DONE;
                return;
        }
        c->result = RESULT_PROBLEMS;
        (void) snprintf(
                c->hint, sizeof(c->hint),
                "edge-roll why tells which; is the right certificate in the keystore? edge-roll resume %s "
                "looks again",
                c->id);
}
