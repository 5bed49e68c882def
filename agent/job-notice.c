/* SPDX-License-Identifier: GPL-3.0-or-later */

/* notice: have the checkers seen that the node is refused, and has whoever sends stopped? And what did they
 * do to the connections that were there? */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/known.h"

/* ---- who cuts connections at the mark-down ---- */

#define SPARED_USEC (USEC_PER_SEC / 2) /* after the mark-down they would be gone */
#define SPARED_MIN  2 /* requests in flight behind the mark-down that say that nobody cuts them */

static int cuts_on_death(const Sock *s, void *userdata)
{
        Job *job = userdata;
        cuts_died(job->cuts, time_now(), s);
        return 0;
}

/* The dead first: what they were among is what the look before has shown. */
void job_cuts_look(Job *job)
{
        const Sock *socks;

        if (job->look.looks == job->cuts_looks)
                return;
        job->cuts_looks = job->look.looks;
        /* Deaths that were lost are no evidence; those that were not are. */
        if (job->deaths)
                (void) deaths_read(job->deaths, cuts_on_death, job);
        size_t n = inflight_pending(job->inflight, &socks);
        cuts_look(job->cuts, time_now(), socks, n);
}

/* Relative to what it was told by our refusals. */
static const char *cut_when(const Job *job, const CutsInfo *cut, char *buf, size_t size)
{
        CheckerInfo info;

        for (size_t i = 0; checkers_get(job->checkers, i, &info); i++)
                if (addr_equal(&info.addr, &cut->addr) && info.count > 0) {
                        (void) snprintf(buf, size,
                                        "%.1f s after a check of its own was refused (%" PRIu64 " by now)",
                                        cut->at > info.last_usec ? time_sec(cut->at - info.last_usec) : 0,
                                        info.count);
                        return buf;
                }
        (void) snprintf(buf, size, "%.1f s after the port was first refused",
                        time_sec(cut->at > job->blocked_at ? cut->at - job->blocked_at : 0));
        return buf;
}

void job_cuts_tell(Job *job)
{
        CutsInfo cut;
        char addr[ADDR_TEXT_SIZE], when[128];
        Err err = { 0 };

        if (job->told_cut || !cuts_get(job->cuts, &cut))
                return;
        job->told_cut = true;
        addr_format(&cut.addr, addr, sizeof(addr));
        job_warn(
                job,
                "%s cut %u of %u connections that had a request in flight, %s: a load balancer that resets live connections at the mark-down loses requests in every restart; let it keep them",
                addr, cut.cut, cut.in_flight, cut_when(job, &cut, when, sizeof(when)));
        KnownCut known = {
                .addr = cut.addr,
                .cut = cut.cut,
                .in_flight = cut.in_flight,
                .wall_usec = time_wall(),
        };
        if (known_cut_write(job->env.config, job->component, &known, &err) < 0)
                job_warn(job, "that cannot be kept for the next job: %s", err.text);
}

/* Whoever was known to cut and has left requests in flight alone this time has been taught. */
static void cuts_spared(Job *job)
{
        KnownCut known;
        CutsInfo cut;
        const Sock *socks;
        unsigned spared = 0;
        Err err = { 0 };

        if (!known_cut(job->env.config, job->component, &known) || cuts_get(job->cuts, &cut))
                return;
        size_t n = inflight_pending(job->inflight, &socks);
        for (size_t i = 0; i < n; i++)
                /* A tie of the clocks is a request right behind an answer: no proof, but nobody cut it. */
                spared += addr_equal(&socks[i].peer, &known.addr) &&
                          socks[i].last_data_recv_ms <= socks[i].last_data_sent_ms;
        if (spared >= SPARED_MIN && known_cut_write(job->env.config, job->component, NULL, &err) < 0)
                job_warn(job, "what was known of cut connections cannot be forgotten: %s", err.text);
}

/* ---- notice ---- */

/* Whoever connects since it was noticed and checks too is a balancer that has only just begun. */
static void notice_latecomers(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        Usec since = time_now() - job->noticed_at;

        if (job_sources(job, BLOCK_NEWCONN, &sources, &n, NULL) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (sources[i].age_usec < since)
                        checkers_connecting(job->checkers, &sources[i].addr);
}

static void notice_tick(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        BlockState state;
        Err err = { 0 };
        size_t n;
        char text[400];
        Usec now = time_now();

        int r = job_sources(job, BLOCK_REFUSED, &sources, &n, &err);
        if (r == 0)
                r = block_read(job->block, &state, &err);
        if (r < 0 && r != -ENOENT) {
                job_progress(job, "the counters cannot be read: %s", err.text);
                job_tick(job, JOB_POLL_USEC);
                return;
        }
        if (r < 0 || !state.table) {
                (void) job_block_check(job);
                job_feed(job, ROLL_EV_LAPSED, "the table was deleted by somebody; put back");
                return;
        }
        if (!job_look(job))
                return;
        (void) job_routers_more(job);
        if (job->notice_again)
                notice_latecomers(job);
        checkers_feed(job->checkers, now, sources, n);
        checkers_new_connections(job->checkers, now, state.total[BLOCK_NEWCONN]);
        checkers_text(job->checkers, now, text, sizeof(text));
        if (checkers_noticed(job->checkers, now)) {
                job->notice_again = false;
                job->noticed_at = now;
                job->newconn_noticed = state.total[BLOCK_NEWCONN];
                inflight_mark(job->inflight, now);
                job_ok(job, "%s", text);
                return;
        }
        job_progress(job, "%s", text);
        job_tick(job, JOB_POLL_USEC);
}

static void notice_enter(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        job->look.next_full = job->look.next_partial = 0;
        /* Where the kernel does not tell, cuts show only if the component keeps the connection. */
        if (!job->deaths && deaths_new(&job->deaths, NULL) < 0)
                job->deaths = NULL;
        if (job->notice_again) {
                checkers_block_again(job->checkers, time_now());
                job_tick(job, 0);
                return;
        }
        /* Counts of before belong to a block that lapsed; without them (no table) everything counts from
         * zero. */
        if (job_sources(job, BLOCK_REFUSED, &sources, &n, NULL) < 0)
                n = 0;
        checkers_block_begin(job->checkers, job->closed_at, sources, n);
        job_tick(job, JOB_POLL_USEC);
}

/* The ones who came last, of those who came since @since_usec ago. */
static const char *connecting_text(Job *job, Usec since_usec, char *buf, size_t size)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0, len = 0, shown = 0;
        char addr[ADDR_TEXT_SIZE];

        buf[0] = '\0';
        if (job_sources(job, BLOCK_NEWCONN, &sources, &n, NULL) < 0)
                return buf;
        for (size_t i = 0; i < n && len < size; i++) {
                if (sources[i].age_usec >= since_usec)
                        continue;
                if (++shown > 5)
                        continue;
                int k = snprintf(buf + len, size - len, "%s%s (%.1f s ago)", shown > 1 ? ", " : "",
                                 addr_format(&sources[i].addr, addr, sizeof(addr)),
                                 time_sec(sources[i].age_usec));
                len += k > 0 ? (size_t) k : 0;
        }
        if (shown > 5 && len < size)
                (void) snprintf(buf + len, size - len, " and %zu more", shown - 5);
        return buf;
}

const char *job_connected_text(Job *job, char *buf, size_t size)
{
        if (!*connecting_text(job, time_now() - job->noticed_at, buf, size))
                (void) snprintf(buf, size, "sources not followed");
        return buf;
}

bool job_connected(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        BlockState state;
        size_t n = 0;

        if (!job->block || roll_kind(job->roll) == ROLL_RESTART_HELD)
                return false;
        /* A table that is gone is seen when it is renewed. */
        if (job_sources(job, BLOCK_REFUSED, &sources, &n, NULL) < 0 ||
            block_read(job->block, &state, NULL) < 0 || !state.table)
                return false;
        if (job->noticed_at > 0)
                checkers_feed(job->checkers, time_now(), sources, n);
        return state.total[BLOCK_NEWCONN] > job->newconn_noticed;
}

/* Somebody sends again: another balancer has taken over, or one has changed its mind. */
bool job_connected_again(Job *job)
{
        char who[256];

        if (!job_connected(job)) {
                if (!job->asked_spared && time_now() - job->noticed_at > SPARED_USEC) {
                        job->asked_spared = true;
                        cuts_spared(job);
                }
                return false;
        }
        /* What an earlier agent has seen proves nothing to this one's checkers. */
        job->notice_again = job->noticed_at > 0;
        job_feed(job, ROLL_EV_BACK, "new connections came again, from %s",
                 job_connected_text(job, who, sizeof(who)));
        return true;
}

static void notice_timeout(Job *job)
{
        char who[256], text[400];

        connecting_text(job, 2 * checkers_window(job->checkers), who, sizeof(who));
        (void) snprintf(
                job->hint, sizeof(job->hint),
                "does the load balancer check this port, and does it stop sending when the check fails?");
        job_feed(job, ROLL_EV_TIMEOUT, "not noticed: %s%s%s",
                 checkers_text(job->checkers, time_now(), text, sizeof(text)),
                 *who ? "; still connecting: " : "", who);
}

static void notice_leave(Job *job, RollEvent event)
{
        /* Behind a block that was open for a moment nothing counts any more. */
        if (event == ROLL_EV_LAPSED)
                job->notice_again = false;
        job_cuts_tell(job);
}

const PhaseOps job_notice = {
        .enter = notice_enter,
        .tick = notice_tick,
        .leave = notice_leave,
        .timeout = notice_timeout,
};
