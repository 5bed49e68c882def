/* SPDX-License-Identifier: GPL-3.0-or-later */

/* block, drain, stop-monit, gate: out of traffic, with proof. */

#include "agent/job-impl.h"

#include <string.h>

#define GATE_BACKOFF_MIN_USEC (500 * USEC_PER_MSEC)
#define GATE_BACKOFF_MAX_USEC (2 * USEC_PER_SEC)

/* ---- the table ---- */

const char *job_table_name(const Job *job)
{
        return job_place_table(job->env.place);
}

int job_block_new(Job *job, int fd, Err *err)
{
        int r = block_new(&job->block, fd, (BlockOwner) job->env.config->nft_owner, err);
        if (r == 0)
                block_set_table(job->block, job_table_name(job));
        return r;
}

int job_table(Job *job, Err *err)
{
        if (job->changes.table) {
                int r = block_adopt(job->block, &job->plan, err);
                BlockState state;
                /* What still refuses has never lapsed, and its expiry tells when it was last renewed. */
                if (r == 0 && job->closed_at == 0 && block_read(job->block, &state, NULL) == 0 &&
                    state.refusing)
                        job->closed_at = time_now() - (JOB_BLOCK_TIMEOUT_USEC -
                                                       MIN(state.expires_usec, JOB_BLOCK_TIMEOUT_USEC));
                if (r != -ENOENT)
                        return r;
        }
        int r;
        if (!job->changes.table) {
                job->changes.table = true;
                r = job_write(job, err);
                if (r < 0 && !job->acted) {
                        job->changes.table = false;
                        return err_prefix(err, r, "the record of this job cannot be written");
                }
                if (r < 0)
                        job_warn(job, "the record of this job cannot be written (%s); going on without it",
                                 err->text);
                if (job->counting && memcmp(&job->plan_early, &job->plan, sizeof(job->plan)) == 0)
                        return 0; /* made before this job began, and its socket is kept */
        }
        r = block_install(job->block, &job->plan, err);
        if (r < 0)
                return r;
        job->env.keep_fd(job->env.place, block_fd(job->block), job->env.userdata);
        return 0;
}

static bool block_close_read(Job *job, Err *err)
{
        BlockState state;
        if (block_close(job->block, JOB_BLOCK_TIMEOUT_USEC, err) < 0 ||
            block_read(job->block, &state, err) < 0)
                return false;
        job->closed_at = time_now();
        if (!state.table || !state.refusing || state.expires_usec < JOB_BLOCK_TIMEOUT_USEC / 2) {
                (void) err_set(err, -EIO, "the rule was put in, but the kernel does not show it");
                return false;
        }
        return true;
}

/* Is it there and refusing, with an element that cannot have expired since we last put it in? */
static bool block_refuses(const Job *job, const BlockState *state)
{
        return state->table && state->refusing && state->expires_usec > 0 &&
               time_now() - job->closed_at < JOB_BLOCK_TIMEOUT_USEC;
}

static bool block_intact(Job *job, BlockState *ret, Err *err)
{
        return block_read(job->block, ret, err) == 0 && block_refuses(job, ret);
}

/* Put back what is gone. It is told, whoever did it. */
static void block_put_back(Job *job, const BlockState *state, const BlockTouch *touch)
{
        Err err = { 0 };
        char by[64] = "by somebody";

        if (touch && touch->pid > 0)
                (void) snprintf(by, sizeof(by), "by %.15s, process %d", touch->name, (int) touch->pid);
        const bool expired =
                state->table && state->intact && time_now() - job->closed_at >= JOB_BLOCK_TIMEOUT_USEC;
        job_warn(job, "the block was gone (%s%s); put back",
                 !state->table    ? "the table was deleted "
                 : !state->intact ? "the table was changed "
                 : expired        ? "it had not been renewed in time"
                                  : "its ports were taken out ",
                 expired ? "" : by);
        if ((!state->table || !state->intact) && block_install(job->block, &job->plan, &err) < 0)
                job_warn(job, "the table cannot be put back: %s", err.text);
}

static void block_renew(Job *job)
{
        Err err = { 0 };
        if (!block_close_read(job, &err))
                job_warn(job, "the block cannot be renewed: %s", err.text);
}

bool job_block_look(Job *job, const BlockTouch *touch)
{
        Err err = { 0 };
        BlockState state = { 0 };
        int r = block_read(job->block, &state, &err);
        /* Where somebody changes the firewall all the time it cannot be read; it can be renewed if it is
         * there. */
        if (r < 0 && r != -ENOENT && block_close(job->block, JOB_BLOCK_TIMEOUT_USEC, &err) == 0) {
                bool in_time = time_now() - job->closed_at < JOB_BLOCK_TIMEOUT_USEC;
                job->closed_at = time_now();
                return in_time;
        }
        if (r == 0 && block_refuses(job, &state))
                return true;
        block_put_back(job, &state, touch);
        block_renew(job);
        /* Between the last look and the end of the listeners nothing may begin, either. */
        Usec frozen = time_now() - job->frozen_at;
        if (job->frozen && frozen < JOB_FREEZE_MAX_USEC &&
            block_freeze(job->block, JOB_FREEZE_MAX_USEC - frozen, &err) < 0)
                job_warn(job, "the freeze cannot be put back: %s", err.text);
        return false;
}

bool job_block_check(Job *job)
{
        bool intact = job_block_look(job, NULL);
        if (intact)
                block_renew(job);
        return intact;
}

bool job_counters_back(Job *job, int r, const BlockState *state)
{
        Err err = { 0 };

        if (r != -ENOENT && (r < 0 || state->intact))
                return false;
        job_warn(job, "the table inet %s was %s by somebody; counting begins anew", job_table_name(job),
                 r < 0 || !state->table ? "deleted" : "changed");
        if (block_install(job->block, &job->plan, &err) < 0)
                job_warn(job, "the table cannot be put back: %s", err.text);
        return true;
}

/* ---- block ---- */

static void block_put(Job *job)
{
        Err err = { 0 };
        /* Somebody has started it in the meantime: refused now, what routers send it would be lost. It is
         * proven as it is, and held if that fails. */
        uint16_t ports[CONNS_PORTS_MAX];
        size_t n_ports = job_ports(job, ports);
        if (roll_kind(job->roll) == ROLL_RESTART_GRACEFUL && !job->stop_failed &&
            facts_listening(job->env.conns, ports, n_ports, NULL, &err) > 0) {
                job_warn(job, "somebody else has started it after the stop; it serves and is not refused");
                job_ok(job, "not refused: it serves again");
                return;
        }
        if (job_routers_unknown(job))
                job_warn(job,
                         "the routers are not known: port %u is refused from everywhere until it is ready",
                         job->facts.health_port);
        int r = job_table(job, &err);
        if (r < 0) {
                job_fail(job, RESULT_REFUSED, NULL, "%s", err.text);
                return;
        }
        if (!job->changes.blocked && !job->changes.stopped && job_place_lost(job))
                return;
        if (!job_intend(job, &job->changes.blocked))
                return;
        job->acted = true;
        if (job->blocked_at == 0)
                job->blocked_at = time_now();
        /* First, so that nothing happens between the block and the listening. */
        job_renewing(job, true);
        if (!block_close_read(job, &err)) {
                job_fail(job, RESULT_INVALID, NULL, "%s", err.text);
                return;
        }
        if (!job_hold_stands(job)) {
                job_fail(job, RESULT_GAVE_BACK, JOB_HOLD_HINT, JOB_HOLD_ENDED);
                return;
        }
        char routers[256];
        bool from = job->plan.n_from_ports > 0;
        job_ok(job, "port %u refused%s%s, table inet %s (owner: %s), read back", job->facts.health_port,
               from ? " from " : "", from ? job_routers_text(job, routers, sizeof(routers)) : "",
               job_table_name(job), block_owner_name(block_owner(job->block)));
}

static void block_on_hooks(Job *job, const char *failed)
{
        if (failed)
                job_fail(job, RESULT_REFUSED, "mend the hook or what it found, then run again", "%s", failed);
        else
                block_put(job);
}

static void block_enter(Job *job)
{
        /* A block that was there is put back at once, behind a reboot the node is open already, and a
         * graceful stop has had its hooks before it. */
        if (job->changes.blocked || roll_kind(job->roll) == ROLL_RECOVER ||
            roll_kind(job->roll) == ROLL_RESTART_GRACEFUL) {
                block_put(job);
                return;
        }
        if (job_intend(job, &job->changes.hooks))
                job_hooks(job, HOOK_BEFORE_BLOCK, "", block_on_hooks);
}

/* Behind a graceful stop there is no way back: what cannot be blocked is held before it is started. */
static void block_leave(Job *job, RollEvent event)
{
        Err err = { 0 };
        if (roll_kind(job->roll) != ROLL_RESTART_GRACEFUL || event == ROLL_EV_OK)
                return;
        job->held = job_hold_put(job, false, "it could not be blocked; it is being proven", &err);
        if (!job->held)
                job_warn(job, "it starts without a block: %s", err.text);
}

const PhaseOps job_block = { .enter = block_enter, .leave = block_leave };

/* ---- looking at the sockets ---- */

Look *job_eyes(Job *job)
{
        job->look.conns = job->env.conns;
        job->look.block = job->block;
        job->look.inflight = job->inflight;
        return &job->look;
}

/* What a look says. Return: false when it could not be made, and the phase is over. */
static bool looked(Job *job, int r, const Err *err)
{
        if (r < 0) {
                job_fail(job, RESULT_INVALID, NULL, "the sockets cannot be looked at: %s", err->text);
                return false;
        }
        job_cuts_look(job);
        return true;
}

bool job_look(Job *job)
{
        Err err = { 0 };
        const Usec now = time_now();
        int r = now >= job->look.next_full      ? look_full(job_eyes(job), &err)
                : now >= job->look.next_partial ? look_partial(job_eyes(job), &err)
                                                : 0;
        return looked(job, r, &err);
}

void job_look_on(Job *job)
{
        Err err = { 0 };
        if (time_now() >= job->look.next_full && look_full(job_eyes(job), &err) < 0)
                job->look.next_full = time_now() + USEC_PER_SEC;
}

static const char *stragglers_text(const InflightSummary *s, size_t max, char *buf, size_t size)
{
        char addr[ADDR_TEXT_SIZE];
        size_t len = 0;
        buf[0] = '\0';
        for (size_t i = 0; i < s->n_stragglers && i < max && len < size; i++) {
                const InflightStraggler *t = &s->stragglers[i];
                len += (size_t) snprintf(buf + len, size - len,
                                         "%s%s %s:%u for %.1f s, %" PRIu64 " bytes in, %" PRIu64 " out (%s)",
                                         i ? "; " : "", t->upstream ? "to" : "from",
                                         addr_format(&t->peer, addr, sizeof(addr)), t->peer_port,
                                         time_sec(t->busy_usec), t->bytes_received, t->bytes_sent, t->why);
        }
        return buf;
}

/* One that had not been seen as a router before: refused from now on, and told. */
bool job_routers_more(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = 0;
        char who[ADDR_TEXT_SIZE];

        if (job->facts.block != BLOCK_ROUTERS || job_checks(job, &sources, &n, NULL) < 0 ||
            !job_routers_look(job, sources, n, who))
                return false;
        job_warn(job, "%s is a router, too: it asks port %u and connects to port %u; refused as well", who,
                 job->facts.health_port, job->facts.traffic_ports[0]);
        block_renew(job);
        return true;
}

/* ---- drain ---- */

/* Who goes on sending, by address: what moves after the mark has a record, in the way or not at this moment.
 */
static const char *persistent_text(const Job *job, char *buf, size_t size)
{
        const Sock *socks;
        Addr addrs[5];
        unsigned count[ELEMENTS(addrs)] = { 0 }, others = 0;
        size_t n = inflight_pending(job->inflight, &socks), found = 0, len = 0;
        char addr[ADDR_TEXT_SIZE];

        buf[0] = '\0';
        for (size_t i = 0; i < n; i++) {
                size_t k = 0;
                bool ours = false;
                for (size_t p = 0; p < job->plan.n_traffic; p++)
                        ours = ours || job->plan.traffic_ports[p] == socks[i].local_port;
                if (!ours)
                        continue;
                while (k < found && !addr_equal(&addrs[k], &socks[i].peer))
                        k++;
                if (k == ELEMENTS(addrs)) {
                        others++;
                        continue;
                }
                if (k == found)
                        addrs[found++] = socks[i].peer;
                count[k]++;
        }
        for (size_t k = 0; k < found && len < size; k++)
                len += (size_t) snprintf(buf + len, size - len, "%s%s (%u)", k ? ", " : "",
                                         addr_format(&addrs[k], addr, sizeof(addr)), count[k]);
        if (others && len < size)
                (void) snprintf(buf + len, size - len, " and %u of others", others);
        return buf;
}

static void drain_text(const Job *job, InflightDrained drained, Usec wait, char *buf, size_t size)
{
        const InflightSummary *s = &job->look.summary;
        char who[200];

        switch (drained) {
        case INFLIGHT_IN_FLIGHT:
                (void) snprintf(buf, size, "in flight %u%s%s",
                                s->busy + s->unknown + s->persistent_busy + s->accept_queue + s->syn_queue,
                                s->n_stragglers ? ": " : "", stragglers_text(s, 1, who, sizeof(who)));
                if (s->unknown) {
                        size_t len = strlen(buf);
                        (void) snprintf(buf + len, size - len, "; %u of them undecided", s->unknown);
                }
                return;
        case INFLIGHT_NOT_QUIET:
                (void) snprintf(buf, size, "nothing in flight on %u connections; quiet for %.1f s of %.1f s",
                                s->sockets, time_sec(s->quiet_usec == USEC_INFINITY ? 0 : s->quiet_usec),
                                time_sec(job->component->quiet_usec));
                return;
        case INFLIGHT_UNCONFIRMED:
                (void) snprintf(buf, size, "nothing in flight on %u connections; a second look must agree",
                                s->sockets);
                return;
        case INFLIGHT_PERSISTENT:
                (void) snprintf(buf, size, "%u connections go on sending requests, from %s", s->persistent,
                                persistent_text(job, who, sizeof(who)));
                return;
        case INFLIGHT_NOT_LOOKED:
                (void) snprintf(buf, size,
                                "no listener of the traffic ports is seen: the look cannot be believed");
                return;
        case INFLIGHT_DRAINED:
        case INFLIGHT_DRAINED_COUNT:
                break;
        }
        (void) snprintf(buf, size, "drained (%.1f s)", time_sec(wait));
}

static void drain_done(Job *job)
{
        const InflightSummary *s = &job->look.summary;
        char text[160] = "";
        if (s->persistent > 0)
                (void) snprintf(text, sizeof(text), "; %u connections go on sending, %s", s->persistent,
                                roll_kind(job->roll) == ROLL_DRAIN ? "and are served"
                                                                   : "the stop closes them");
        job_ok(job, "no request in flight on %u connections, queues empty, nothing moved for %.1f s%s%s",
               s->sockets,
               s->quiet_usec == USEC_INFINITY ? time_sec(job->component->quiet_usec)
                                              : time_sec(s->quiet_usec),
               text, s->idle_by_age ? "; some of them idle by age only" : "");
}

static void drain_tick(Job *job)
{
        Err err = { 0 };
        InflightDrained drained;
        Usec wait = 0;
        char text[400];

        if (!job->forced && job_connected_again(job))
                return;
        bool close = job->options.persistent == PERSISTENT_CLOSE;
        bool full = time_now() >= job->look.next_full;
        if (!looked(job, look_step(job_eyes(job), close, &drained, &wait, &err), &err))
                return;
        if (full && job_routers_more(job) && roll_leads_past(roll_kind(job->roll), PHASE_NOTICE)) {
                job_feed(job, ROLL_EV_LAPSED, "a router that was not refused before");
                return;
        }
        if (drained == INFLIGHT_DRAINED && time_now() >= job->gate_not_before) {
                drain_done(job);
                return;
        }
        drain_text(job, drained, wait, text, sizeof(text));
        job_progress(job, "%s", text);
        if (drained == INFLIGHT_PERSISTENT && job->options.persistent == PERSISTENT_GIVE_BACK) {
                char who[400];
                job_fail(job, RESULT_INVALID,
                         "say --persistent=close or wait, or let the load balancer end them",
                         "%u connections outlive the mark-down and go on sending: from %s",
                         job->look.summary.persistent, persistent_text(job, who, sizeof(who)));
                return;
        }
        job_tick(job, JOB_POLL_USEC);
}

static void drain_enter(Job *job)
{
        /* Held: the checkers noticed long ago. */
        if (roll_kind(job->roll) == ROLL_RESTART_HELD && job->gates == 0)
                inflight_mark(job->inflight, time_now());
        job->look.next_full = job->look.next_partial = 0;
        job_tick(job, 0);
}

static void drain_timeout(Job *job)
{
        char who[400];
        const InflightSummary *s = &job->look.summary;
        stragglers_text(s, 3, who, sizeof(who));

        if (job->options.at_cap == AT_CAP_GO_ON) {
                job->forced = true;
                job_warn(job, "the cap is reached with %u requests in flight, which may be lost: %s",
                         s->busy + s->unknown + s->persistent_busy, who);
                job_ok(job, "cap reached, told to go on; still in flight: %s", who);
                return;
        }
        (void) snprintf(job->hint, sizeof(job->hint),
                        "wait until these are over and run again, or say --at-cap=go-on to lose them");
        job_feed(job, ROLL_EV_TIMEOUT, "%u still in flight at the cap: %s",
                 s->busy + s->unknown + s->persistent_busy, who);
}

static void drain_leave(Job *job, RollEvent event)
{
        (void) event;
        job_cuts_tell(job);
        job->deaths = deaths_free(job->deaths);
}

const PhaseOps job_drain = {
        .enter = drain_enter,
        .tick = drain_tick,
        .leave = drain_leave,
        .timeout = drain_timeout,
};

/* ---- stop monit ---- */

static void stop_monit_on(int r, const char *text, const Err *err, void *userdata)
{
        Job *job = userdata;
        job->monit_running = false;
        if (r < 0)
                job_fail(job, RESULT_INVALID, "see `monit summary`",
                         "monit does not leave the component alone: %s", err->text);
        else
                job_ok(job, "%s", text);
}

static void stop_monit_tick(Job *job)
{
        char text[256];
        job_progress(job, "%s", monit_waits_for(job->env.monit, text, sizeof(text)));
        job_tick(job, 4 * JOB_POLL_USEC);
}

static void stop_monit_begin(Job *job)
{
        Err err = { 0 };
        if (!job_intend(job, &job->changes.monit))
                return;
        job->acted = true;
        job_progress(job, "monit off for %s", job->component->monit_check);
        job->monit_running = true;
        if (monit_off(job->env.monit, job->component, &job->monit, stop_monit_on, job, &err) < 0) {
                job->monit_running = false;
                job_fail(job, RESULT_INVALID, NULL, "%s", err.text);
                return;
        }
        job_tick(job, 4 * JOB_POLL_USEC);
}

static void stop_monit_on_hooks(Job *job, const char *failed)
{
        if (failed)
                job_fail(job, RESULT_REFUSED, "mend the hook or what it found, then run again", "%s", failed);
        else
                stop_monit_begin(job);
}

/* By a graceful stop the block comes when there is no way back: who is to agree to it is asked before. */
static void stop_monit_enter(Job *job)
{
        if (roll_kind(job->roll) != ROLL_RESTART_GRACEFUL || job->changes.monit) {
                stop_monit_begin(job);
                return;
        }
        if (job_intend(job, &job->changes.hooks))
                job_hooks(job, HOOK_BEFORE_BLOCK, "", stop_monit_on_hooks);
}

const PhaseOps job_stop_monit = { .enter = stop_monit_enter, .tick = stop_monit_tick };

/* ---- gate ---- */

static void gate_back(Job *job, const char *why)
{
        if (roll_kind(job->roll) == ROLL_RESTART_NOW) {
                job_fail(job, RESULT_INVALID, "restart it without --now, which waits for them", "%s", why);
                return;
        }
        Usec backoff = GATE_BACKOFF_MIN_USEC << MIN(job->gates, 5u);
        job->gate_not_before = time_now() + MIN(backoff, GATE_BACKOFF_MAX_USEC);
        job_feed(job, ROLL_EV_BACK, "%s", why);
}

/*
 * The freeze drops data together with the acknowledgements on it, so with clients that send all the time an
 * answer stays unacknowledged until the server's retransmission, 200 ms later: a second try waits for that.
 */
static Usec gate_freeze_usec(const Job *job)
{
        return job->gates > 1 ? JOB_FREEZE_LONG_USEC : JOB_FREEZE_USEC;
}

void job_thaw(Job *job)
{
        Err err = { 0 };
        if (!job->frozen)
                return;
        job->frozen = false;
        if (block_thaw(job->block, &err) < 0)
                job_warn(job, "cannot thaw (the kernel does in %.0f s): %s", time_sec(JOB_FREEZE_MAX_USEC),
                         err.text);
}

/* What was held when the job began has no notice on its way: its hold is put back, and it drains again. */
static void gate_lapsed(Job *job, const char *why)
{
        if (roll_leads_past(roll_kind(job->roll), PHASE_NOTICE)) {
                job_feed(job, ROLL_EV_LAPSED, "%s", why);
                return;
        }
        job_thaw(job); /* putting it back may have to wait for who is at it */
        if (job_hold_back(job))
                gate_back(job, why);
        else
                job_fail(job, RESULT_GAVE_BACK, JOB_HOLD_HINT, JOB_HOLD_ENDED);
}

/* The last look, 50 ms into the freeze; everything in it is younger than 200 ms when `stop` is called.
 * model: JOB-GATE */
static void gate_tick(Job *job)
{
        BlockState before, after;
        Err err = { 0 };
        const char *why = NULL;

        if (!block_intact(job, &before, &err)) {
                (void) job_block_check(job);
                gate_lapsed(job, "the block was not what it should be");
                return;
        }
        int pass = look_gate(job_eyes(job), &why, &err);
        if (!looked(job, pass, &err))
                return;
        if (block_read(job->block, &after, &err) < 0 || !after.table || !after.refusing) {
                (void) job_block_check(job);
                gate_lapsed(job, "the block went away during the last look");
                return;
        }
        if (!job->forced && before.total[BLOCK_NEWCONN] != after.total[BLOCK_NEWCONN]) {
                gate_back(job, "a new connection came during the last look");
                return;
        }
        if (roll_kind(job->roll) == ROLL_RESTART_NOW && after.total[BLOCK_REFUSED] > 0) {
                gate_back(job, "somebody checks it, so a load balancer may be sending to it");
                return;
        }
        if (!job->forced && !pass) {
                gate_back(job, why);
                return;
        }
        const Sock *doubtful;
        size_t n_doubtful = inflight_doubtful(job->inflight, &doubtful);
        fate_begin(&job->fate, doubtful, n_doubtful);
        if (job->forced) {
                job_ok(job, "told to go on with what is still in flight; block and monit as they should be");
                return;
        }
        job_ok(job,
               "traffic frozen for %" PRIu64
               " ms: nothing in flight on %u connections, block and monit as they should be",
               gate_freeze_usec(job) / USEC_PER_MSEC, job->look.summary.sockets);
}

static void gate_on_unit(int r, const UnitState *state, const Err *err, void *userdata);

static void gate_on_monit(int r, const char *text, const Err *err, void *userdata)
{
        Job *job = userdata;
        Err e = { 0 };
        (void) text;
        job->monit_running = false;
        if (r < 0) {
                /* Through notice, because the way from there leads past stop-monit. */
                job_feed(job, ROLL_EV_LAPSED, "%s", err->text);
                return;
        }
        if (systemd_unit(job->env.systemd, job->unit.unit, gate_on_unit, job, &job->call, &e) < 0)
                gate_back(job, e.text);
}

/* systemd answers now, so it will take the stop now; and the unit is the one that was drained. */
static void gate_on_unit(int r, const UnitState *state, const Err *err, void *userdata)
{
        Job *job = userdata;
        Err e = { 0 };
        job->call = NULL;
        if (r < 0) {
                gate_back(job, err->text);
                return;
        }
        /* Of one that runs elsewhere the unit tells nothing, its sockets do. */
        uint16_t ports[CONNS_PORTS_MAX];
        uint64_t inode_sum = 0;
        size_t n = job_ports(job, ports);
        if (job->by_command && facts_listening(job->env.conns, ports, n, &inode_sum, &e) < 0) {
                gate_back(job, e.text);
                return;
        }
        if (job->by_command ? inode_sum != job->inode_sum
                            : strcmp(state->invocation_id, job->unit.invocation_id) != 0) {
                job_fail(job, RESULT_INVALID, "somebody else has restarted it; look at it, then run again",
                         "%s is not the process any more that was drained",
                         job->by_command ? job->component->name : state->unit);
                return;
        }
        job->frozen = true;
        job->frozen_at = time_now();
        job->gates++;
        if (job->plan.n_traffic > 0 && block_freeze(job->block, JOB_FREEZE_MAX_USEC, &e) < 0) {
                gate_back(job, e.text);
                return;
        }
        job_tick(job, gate_freeze_usec(job));
}

static void gate_enter(Job *job)
{
        Err err = { 0 };
        /* The intent is on disk before the freeze: nothing may take its time between the last look and the
         * stop. */
        job->changes.stopped = true;
        if (job->by_command)
                job_procs_look(job);
        (void) job_save(job);
        job_progress(job, "the last look");
        job->monit_running = true;
        if (monit_check_off(job->env.monit, job->component, &job->monit, gate_on_monit, job, &err) < 0) {
                job->monit_running = false;
                gate_back(job, err.text);
        }
}

static void gate_leave(Job *job, RollEvent event)
{
        /* On the way to `stop` the freeze lasts until the listeners are closed; any other way thaws. */
        if (event == ROLL_EV_OK)
                return;
        job_thaw(job);
        job->changes.stopped = false;
        (void) job_save(job);
}

const PhaseOps job_gate = { .enter = gate_enter, .tick = gate_tick, .leave = gate_leave };
