/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules of others that refuse the health port: named before anything is touched, and a refusal when they do.
 */

#include "agent/job-impl.h"

#include "drain/foreign.h"

void job_foreign_look(Job *job)
{
        Err err = { 0 };
        char rule[256], command[256];

        freep(&job->foreign);
        job->foreign = NULL;
        job->n_foreign = 0;
        /* Without them a job can do its work all the same; what is missing in nf_tables is told by others. */
        if (foreign_find(job->facts.health_port, &job->foreign, &job->n_foreign, &err) < 0)
                return;
        for (size_t i = 0; i < job->n_foreign; i++)
                job_warn(job, "a firewall rule of somebody else refuses port %u: %s; `%s` deletes it",
                         job->facts.health_port, foreign_text(&job->foreign[i], rule, sizeof(rule)),
                         foreign_command(&job->foreign[i], job->facts.health_port, command, sizeof(command)));
}

void job_foreign_begin(Job *job)
{
        _cleanup_(freep) ForeignRule *rules = NULL;
        BlockState state = { 0 };
        size_t n = 0;

        if (job->n_foreign == 0 || block_read(job->block, &state, NULL) < 0 ||
            foreign_find(job->facts.health_port, &rules, &n, NULL) < 0)
                return;
        job->foreign_checks = state.total[BLOCK_CHECKS];
        free(job->foreign);
        job->foreign = TAKE_PTR(rules);
        job->n_foreign = n;
}

bool job_foreign_refuses(Job *job)
{
        _cleanup_(freep) ForeignRule *rules = NULL;
        BlockState state;
        char text[256], command[256];
        size_t n = 0;

        /* The rules first: what comes between the two readings must not count against them. */
        if (job->n_foreign == 0 || foreign_find(job->facts.health_port, &rules, &n, NULL) < 0 ||
            block_read(job->block, &state, NULL) < 0 || state.total[BLOCK_CHECKS] <= job->foreign_checks)
                return false;
        uint64_t came = state.total[BLOCK_CHECKS] - job->foreign_checks;
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < job->n_foreign; k++) {
                        const ForeignRule *now = &rules[i], *then = &job->foreign[k];
                        if (!foreign_same(now, then) || !now->alone || !now->has_packets ||
                            now->packets < then->packets || now->packets - then->packets < came)
                                continue;
                        (void) foreign_command(now, job->facts.health_port, command, sizeof(command));
                        char hint[400];
                        (void) snprintf(hint, sizeof(hint), "delete that rule: %s", command);
                        job_fail(
                                job, RESULT_REFUSED, hint,
                                "a firewall rule of somebody else refuses all checks of port %u: %s, %" PRIu64
                                " refused while %" PRIu64 " came; no load balancer would let this node in",
                                job->facts.health_port, foreign_text(now, text, sizeof(text)),
                                now->packets - then->packets, came);
                        return true;
                }
        return false;
}

const char *job_foreign_legacy(void)
{
        return foreign_legacy() ? "; rules of the legacy iptables are loaded, see `iptables-legacy -S INPUT`"
                                : "";
}
