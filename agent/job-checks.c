/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who has checked the health port: by the counters of the table, and on connections that are kept open. */

#include "agent/job-impl.h"

#include <netinet/tcp.h>

#define KEPT_COST_FACTOR 16 /* the health port's connections: at most 6 % of a core */

/* Who looks after the roll from outside is no checker: he decides nothing about the node's traffic. */
static size_t without_probers(const Job *job, BlockSource *sources, size_t n)
{
        size_t kept = 0;
        for (size_t i = 0; i < n; i++) {
                bool prober = false;
                for (size_t k = 0; k < job->options.n_probers && !prober; k++)
                        prober = addr_equal(&sources[i].addr, &job->options.probers[k]);
                if (!prober)
                        sources[kept++] = sources[i];
        }
        return kept;
}

int job_sources(Job *job, BlockCounter counter, BlockSource **ret, size_t *ret_n, Err *err)
{
        bool full = false;
        int r = block_sources(job->block, counter, ret, ret_n, &full, err);

        if (r == 0 && full && !job->told_full) {
                job->told_full = true;
                job_warn(
                        job,
                        "more than %d addresses have connected: who is not among them is refused, but neither counted nor awaited",
                        BLOCK_SOURCES);
        }
        if (r == 0 && counter != BLOCK_NEWCONN)
                *ret_n = without_probers(job, *ret, *ret_n);
        return r;
}

int job_checks(Job *job, BlockSource **ret, size_t *ret_n, Err *err)
{
        _cleanup_(freep) BlockSource *counted = NULL;
        ConnsFilter filter = {
                .local_ports = { job->facts.health_port },
                .n_local = 1,
                .states = CONNS_STATE(TCP_ESTABLISHED),
        };
        size_t n = 0;
        Usec now = time_now();

        int r = job_sources(job, BLOCK_CHECKS, &counted, &n, err);
        if (r < 0)
                return r;
        if (!job->kept) {
                *ret = TAKE_PTR(counted);
                *ret_n = n;
                return 0;
        }
        if (now >= job->next_kept) {
                kept_conns_begin(job->kept, now);
                r = conns_dump(job->env.conns, &filter, kept_conns_feed, job->kept, err);
                if (r < 0)
                        return r;
                kept_conns_end(job->kept);
                job->next_kept = now + (time_now() - now) * KEPT_COST_FACTOR;
        }
        r = kept_conns_sources(job->kept, now, counted, n, ret, ret_n);
        if (r < 0)
                return err_set(err, r, "out of memory");
        *ret_n = without_probers(job, *ret, *ret_n);
        return 0;
}
