/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Ports that are others after the restart than before: a changed http.port, another virtual host. Found out
 * while the new process starts, from itself and from its listening sockets. A new health port is refused like
 * the old one until it is proven.
 */

#include "agent/job-impl.h"

#include <string.h>

static bool has_port(const uint16_t *ports, size_t n, uint16_t port)
{
        for (size_t i = 0; i < n; i++)
                if (ports[i] == port)
                        return true;
        return false;
}

bool job_ports_refuse(BlockPlan *plan, uint16_t port)
{
        if (has_port(plan->syn_ports, plan->n_syn, port) || plan->n_syn >= BLOCK_PORTS_MAX ||
            plan->n_traffic >= BLOCK_PORTS_MAX)
                return false;
        plan->syn_ports[plan->n_syn++] = port;
        if (!has_port(plan->traffic_ports, plan->n_traffic, port))
                plan->traffic_ports[plan->n_traffic++] = port;
        return true;
}

/* The table anew, with one port more in its sets: at once, so that what was open unproven is so no longer. */
static void moved_refuse(Job *job, uint16_t port)
{
        Err err = { 0 };
        if (!job_ports_refuse(&job->plan, port))
                return;
        job->next_health_port = port;
        (void) job_save(job);
        if (job->block && (block_install(job->block, &job->plan, &err) < 0 ||
                           block_close(job->block, JOB_BLOCK_TIMEOUT_USEC, &err) < 0)) {
                job_fail(job, RESULT_HELD, NULL, "the new health port %u is open and cannot be refused: %s",
                         port, err.text);
                return;
        }
        job->closed_at = time_now();
        job_warn(
                job,
                "the properties did not tell that http.port would become %u: it was open, unproven, for up to "
                "%.1f s of its start, and is refused now",
                port, time_sec(roll_elapsed(job->roll, PHASE_START, time_now())));
}

static void moved_health(Job *job, const Facts *now)
{
        Facts *f = &job->facts;
        uint16_t port = now->self.http_port;

        moved_refuse(job, port);
        if (roll_phase(job->roll) != PHASE_START)
                return;
        if (!job->component->health_port.automatic) {
                job_fail(
                        job, RESULT_HELD,
                        "set health_port (or `auto`) in the configuration, then `edge-roll restart` again",
                        "it has come up with http.port %u, but health_port is configured as %u; both are refused",
                        port, f->health_port);
                return;
        }
        job_warn(job, "the health port is another one since this restart: %u, it was %u", port,
                 f->health_port);
        f->health_port = port;
        f->traffic_ports[0] = port;
        f->n_traffic = 1;
        (void) job_save(job);
}

static const char *ports_without(const uint16_t *ports, size_t n, const uint16_t *others, size_t n_others,
                                 char *buf, size_t size)
{
        size_t len = 0;
        buf[0] = '\0';
        for (size_t i = 0; i < n && len + 8 < size; i++)
                if (!has_port(others, n_others, ports[i]))
                        len += (size_t) snprintf(buf + len, size - len, "%s%u", len ? ", " : "", ports[i]);
        return buf;
}

static void moved_traffic(Job *job, const Facts *now)
{
        Facts *f = &job->facts;
        char lost[256], gained[256];
        Usec since = time_now();

        if (!now->running)
                return;
        if (job->ports_missing_since == 0)
                job->ports_missing_since = since;
        ports_without(f->traffic_ports, f->n_traffic, now->traffic_ports, now->n_traffic, lost, sizeof(lost));
        ports_without(now->traffic_ports, now->n_traffic, f->traffic_ports, f->n_traffic, gained,
                      sizeof(gained));
        if (!*lost || since - job->ports_missing_since < job->component->loaded_wait_usec)
                return;
        if (!*gained) {
                job_fail(
                        job, RESULT_HELD,
                        "if that is meant: `edge-roll undrain` gives it back without them; a router whose nginx "
                        "does not start wants the files in /opt/nginx/conf.d deleted and a restart (APIRT-2978)",
                        "%s is up, but nobody listens any more on port %s, which carried traffic before",
                        job->component->name, lost);
                return;
        }
        job_warn(job, "the traffic ports are others since this restart: %s gone, %s new", lost, gained);
        memcpy(f->traffic_ports, now->traffic_ports, sizeof(f->traffic_ports));
        f->n_traffic = now->n_traffic;
        (void) job_save(job);
}

static void moved_on_facts(const Facts *now, void *userdata)
{
        Job *job = userdata;
        job->facts_call = NULL;

        if (job->facts.block != BLOCK_SYN) {
                if (job->component->traffic_ports.automatic || now->running)
                        moved_traffic(job, now);
        } else if (now->self_known && now->self.http_port != 0 &&
                   now->self.http_port != job->facts.health_port)
                moved_health(job, now);
}

void job_ports_look(Job *job)
{
        Err err = { 0 };
        if (job->facts_call)
                return; /* one at a time */
        /* The port of the last good job is no help here: it is the old one. */
        if (facts_gather(job->env.http, job->env.conns, job->env.config, job->component, 0, moved_on_facts,
                         job, &job->facts_call, &err) < 0)
                job_progress(job, "its ports cannot be looked at: %s", err.text);
}
