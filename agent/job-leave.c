/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A message processor that leaves by its own graceful stop: which way is taken, and what is looked at while
 * it stops.
 *
 * When the block goes in: behind the stop, before the start. As long as the stopping process listens, it
 * answers 599, which the routers try elsewhere, so nothing may be refused yet: a refused connection is lost
 * with routers that do not retry those. When its listener is closed the kernel refuses by itself and the
 * block changes nothing for the routers; it has to be there before a new process listens, so that this one
 * gets no traffic before it is proven. How long the old one answers 599 is not ours: if it closes its ports
 * before the routers have noticed, that is measured and told.
 */

#include "agent/job-impl.h"

#include <string.h>

#include "agent/leave.h"
#include "agent/properties.h"

/* ---- which way ---- */

/* A router on this node tells by its properties what it retries; whether there is one, by its port. */
static void leave_own_router(const Job *job, RetrySet *ret)
{
        const Config *config = job->env.config;

        *ret = (RetrySet){ .from = "no router on this node, and the caller did not say" };
        for (size_t i = 0; i < config->n_components; i++) {
                const Component *c = &config->components[i];
                _cleanup_(properties_freep) Properties *p = NULL;
                Err err = { 0 };

                if (c->kind != KIND_ROUTER || c->health_port.n == 0 ||
                    facts_listening(job->env.conns, c->health_port.ports, 1, NULL, &err) <= 0)
                        continue;
                if (properties_new(&p, &err) < 0)
                        return;
                for (char **file = c->properties; file && *file; file++)
                        if (properties_read(p, *file, &err) == PROPERTIES_UNREADABLE) {
                                (void) snprintf(ret->from, sizeof(ret->from), "%.95s", err.text);
                                return;
                        }
                leave_retry_parse(properties_get(p, "load_balancing",
                                                 "load.balancing.driver.nginx.server.retry"),
                                  "the properties of this node's router", ret);
                return;
        }
}

Usec job_drain_cap(const Job *job)
{
        const Component *c = job->component;
        if (c->limit_usec[PHASE_DRAIN])
                return c->limit_usec[PHASE_DRAIN];
        return MIN(time_add(job->facts.request_limit_usec, JOB_DRAIN_MARGIN_USEC), c->drain_max_usec);
}

bool job_leave_choose(Job *job, char *text, size_t size)
{
        RollKind kind = roll_kind(job->roll);
        RetrySet routers;
        char why[200], loss[256], stop[32], cap[32];

        text[0] = '\0';
        if (job->component->kind != KIND_MP || (kind != ROLL_RESTART && kind != ROLL_DRY_RUN))
                return true;
        if (*job->options.router_retry)
                leave_retry_parse(job->options.router_retry, "the caller", &routers);
        else
                leave_own_router(job, &routers);
        MpLeave way = leave_choose(job->options.mp_leave, job->facts.block == BLOCK_ROUTERS, &routers, why,
                                   sizeof(why), loss, sizeof(loss));
        (void) snprintf(text, size, "; leaves by %s: %s",
                        way == MP_LEAVE_GRACEFUL ? "its own graceful stop" : "block", why);
        if (*loss)
                job_warn(job, "%s", loss);
        if (way == MP_LEAVE_GRACEFUL && job->by_command) {
                (void) snprintf(text, size,
                                "; leaves by block: its own command stops it, which may not wait");
                return true;
        }
        if (way == MP_LEAVE_BLOCK)
                return true;

        /* systemd kills what has not stopped by then, with the requests that are still in flight. */
        Usec needed = job_drain_cap(job);
        if (job->unit.timeout_stop_usec && job->unit.timeout_stop_usec < needed) {
                char hint[256];
                (void) snprintf(hint, sizeof(hint),
                                "set TimeoutStopSec=%" PRIu64 " or more for it, or say --mp-leave=block",
                                (needed + USEC_PER_SEC - 1) / USEC_PER_SEC);
                job_fail(job, RESULT_REFUSED, hint,
                         "its own stop may take %s (requests in flight), but systemd kills %s after %s",
                         time_format(needed, cap, sizeof(cap)), job->unit.unit,
                         time_format(job->unit.timeout_stop_usec, stop, sizeof(stop)));
                return false;
        }
        if (kind == ROLL_RESTART)
                roll_set_kind(job->roll, ROLL_RESTART_GRACEFUL);
        return true;
}

/* ---- while it stops ---- */

static size_t leave_checks(Job *job, BlockSource **ret)
{
        size_t n = 0;
        if (job_checks(job, ret, &n, NULL) < 0)
                n = 0;
        return n;
}

/* What the routers' checks get from now on is no good answer any more: that they notice is counted like
 * refusals are. */
void job_leave_begin(Job *job)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        size_t n = leave_checks(job, &sources);
        job->leave_began = time_now();
        job->leave_closed = 0;
        job->look.next_full = 0;
        checkers_block_begin(job->checkers, job->leave_began, sources, n);
}

void job_leave_look(Job *job, bool listening, char *text, size_t size)
{
        _cleanup_(freep) BlockSource *sources = NULL;
        Err err = { 0 };
        Usec now = time_now();
        size_t n = leave_checks(job, &sources);

        /* Not the new connections: they are let in, and those that do not get lost are the checks. */
        checkers_feed(job->checkers, now, sources, n);
        if (!listening && !job->leave_closed) {
                job->leave_closed = now;
                job->leave_noticed = checkers_noticed(job->checkers, now);
        }
        if (now >= job->look.next_full && look_full(job_eyes(job), &err) < 0)
                job_progress(job, "what is in flight cannot be seen: %s", err.text);
        const InflightSummary *s = &job->look.summary;
        (void) snprintf(text, size, "; in flight %u%s", s->busy + s->unknown + s->persistent_busy,
                        listening ? ", 599 to new requests" : "");
}

void job_leave_end(Job *job)
{
        if (!job->leave_closed)
                job->leave_closed = time_now();
        if (!job->leave_noticed)
                job_warn(
                        job,
                        "it closed its ports %.1f s after the stop, before its routers can have noticed: a router "
                        "that does not retry refused connections lost what it sent until then",
                        time_sec(job->leave_closed - job->leave_began));
}
