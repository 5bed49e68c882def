/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What doctor finds: a job that goes as far as the watch, with everything that would stop a restart told as a
 * finding instead of ending it where it can go on. Each finding is ok, a warning or a problem, with what was
 * seen and what to do.
 */

#include "agent/job-impl.h"

#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>
#include <syslog.h>

#include "agent/bound.h"
#include "agent/journal.h"
#include "agent/pool.h"
#include "agent/properties.h"
#include "probes/json.h"

#define STATE_ROOM_MIN (1024 * 1024) /* bytes: records are some KB, each written as a second file first */

static const char *const finding_names[] = {
        [FINDING_OK] = "ok",
        [FINDING_WARNING] = "warning",
        [FINDING_PROBLEM] = "problem",
};
_Static_assert(ELEMENTS(finding_names) == FINDING_COUNT, "every state of a finding has a name");

void job_find(Job *job, Finding state, const char *about, const char *hint, const char *fmt, ...)
{
        char text[512];
        va_list ap;
        va_start(ap, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);

        job->found[state]++;
        if (state != FINDING_OK) {
                JournalContext c = job_context(job);
                journal_log(state == FINDING_PROBLEM ? LOG_WARNING : LOG_NOTICE, JOURNAL_FINDING, &c,
                            "%s: doctor: %s: %s: %s", job->component->name, finding_names[state], about,
                            text);
        }
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "event", "finding");
        cJSON_AddStringToObject(o, "state", finding_names[state]);
        cJSON_AddStringToObject(o, "about", about);
        cJSON_AddStringToObject(o, "text", text);
        cJSON_AddStringToObject(o, "hint", hint ? hint : "");
        json_append(job->findings, cJSON_Duplicate(o, true));
        job_tell(job, o, false);
}

/* ---- what is known when the watch is over, or ended early ---- */

/* Source: proc(5), CapEff; capability numbers in linux/capability.h. */
static bool has_capability(unsigned number)
{
        _cleanup_(fclosep) FILE *f = fopen("/proc/self/status", "re");
        char line[256];
        unsigned long long set = 0;
        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "CapEff: %llx", &set) == 1)
                        break;
        return set >> number & 1;
}

static void find_permissions(Job *job)
{
        if (!has_capability(12))
                job_find(job, FINDING_PROBLEM, "permissions",
                         "run it from its unit: systemctl cat edge-roll-agent shows CapabilityBoundingSet",
                         "the agent has no CAP_NET_ADMIN: it can neither count nor refuse");
        if (!has_capability(2))
                job_find(
                        job, FINDING_WARNING, "permissions",
                        "give its unit CAP_DAC_READ_SEARCH, as the one that is installed has",
                        "the agent has no CAP_DAC_READ_SEARCH: properties that only apigee can read are not seen");
}

static void find_firewall(Job *job)
{
        if (!job->block || !job->changes.table)
                return;
        if (block_owner(job->block) == BLOCK_OWNER_NONE)
                job_find(
                        job, FINDING_WARNING, "firewall",
                        "avoid `nft flush ruleset` and firewall reloads while a job runs",
                        "nf_tables works; this kernel has no table owners, so a flush by others opens the block "
                        "(it is put back, and noticed anew)");
        else
                job_find(job, FINDING_OK, "firewall", NULL,
                         "nf_tables works; a table that belongs to the agent alone (%s)",
                         block_owner_name(block_owner(job->block)));
}

static void find_cgroup(Job *job)
{
        const Facts *f = &job->facts;
        if (!f->running)
                return;
        if (!f->cgroup_id)
                job_find(
                        job, FINDING_WARNING, "unit",
                        "set traffic_ports, and units if they are not the usual ones",
                        "this kernel does not tell whose a socket is, so unit and traffic ports cannot be found "
                        "from the port");
        else if (*job->unit.unit)
                job_find(job, FINDING_OK, "unit", NULL, "port %u is served from %s, the cgroup of %s",
                         f->health_port, f->cgroup, job->unit.unit);
}

static void find_unit_limits(Job *job)
{
        const UnitState *u = &job->unit;
        Usec stop = component_limit(job->component, PHASE_STOP);
        char text[32], limit[32];
        if (!*u->unit)
                return;
        if (u->timeout_stop_usec < 30 * USEC_PER_SEC)
                job_find(
                        job, FINDING_WARNING, "unit", "raise TimeoutStopSec= of the unit",
                        "systemd kills %s %s after the stop began (TimeoutStopUSec); it may need longer to end",
                        u->unit, time_format(u->timeout_stop_usec, text, sizeof(text)));
        else if (u->timeout_stop_usec != USEC_INFINITY && u->timeout_stop_usec > stop)
                job_find(job, FINDING_WARNING, "unit",
                         "set limit_stop to more than TimeoutStopSec= of the unit",
                         "systemd waits %s for the stop of %s, longer than limit_stop (%s)",
                         time_format(u->timeout_stop_usec, text, sizeof(text)), u->unit,
                         time_format(stop, limit, sizeof(limit)));
        if (u->start_limit_burst == 1 && u->start_limit_interval_usec > 0)
                job_find(
                        job, FINDING_PROBLEM, "unit", "raise StartLimitBurst= of the unit, or set it to 0",
                        "systemd lets %s start only once in %s (StartLimitBurst): a second try would be refused",
                        u->unit, time_format(u->start_limit_interval_usec, text, sizeof(text)));
        else if (u->start_limit_burst > 0 && u->start_limit_interval_usec > 0 &&
                 u->start_limit_interval_usec != USEC_INFINITY)
                job_find(job, FINDING_OK, "unit", NULL, "%s may be started %u times in %s", u->unit,
                         u->start_limit_burst, time_format(u->start_limit_interval_usec, text, sizeof(text)));
}

static void find_loaded(Job *job)
{
        char text[256];
        if (!*job->component->runtime_url || !job->facts.running)
                return;
        (void) snprintf(text, sizeof(text), "unknown");
        if (job->before)
                (void) snapshot_summary(job->before, text, sizeof(text));
        if (strstr(text, "unknown"))
                job_find(job, FINDING_WARNING, "loaded", "see what runtime_url answers, with curl",
                         "a restart cannot prove that what is unknown now is loaded again: %s", text);
        else
                job_find(job, FINDING_OK, "loaded", NULL, "%s", text);
}

/* Who checks, and what a restart would wait for. */
static void find_checkers(Job *job)
{
        const Component *c = job->component;
        char addr[ADDR_TEXT_SIZE];
        CheckerInfo info;
        size_t awaited = job->checkers ? checkers_count(job->checkers) : 0, shown = 0;

        for (size_t i = 0; job->checkers && checkers_get(job->checkers, i, &info) && shown < 8; i++) {
                addr_format(&info.addr, addr, sizeof(addr));
                if (!info.awaited && info.count == 0)
                        continue;
                shown++;
                if (!info.awaited)
                        job_find(job, FINDING_OK, "checkers", NULL,
                                 "%s was seen once only: a visitor, nobody waits for it", addr);
                else
                        job_find(job, FINDING_OK, "checkers", NULL,
                                 "%s asks port %u every %.1f s; seen %" PRIu64 " times", addr,
                                 job->facts.health_port, time_sec(info.interval_usec), info.count);
        }
        if (awaited > 0)
                job_find(
                        job, FINDING_OK, "proof", NULL,
                        "each of them refused %u times, then no new connection for %.1f s; then no request in "
                        "flight, and nothing moving for %.1f s",
                        c->check_fall, time_sec(checkers_window(job->checkers)), time_sec(c->quiet_usec));
}

static void find_limits(Job *job)
{
        const Component *c = job->component;
        const Facts *f = &job->facts;
        char limit[32], bound[32];
        if (*f->properties_odd)
                job_find(job, FINDING_WARNING, "limits", "mend the file, or set request_limit",
                         "what Edge's files say is not all known: %s", f->properties_odd);
        job_find(job, FINDING_OK, "limits", NULL,
                 "a request may last %s (%s); a restart ends within %s, in a good or a bad end",
                 time_format(f->request_limit_usec, limit, sizeof(limit)), f->request_limit_from,
                 time_format(bound_usec(c, ROLL_RESTART), bound, sizeof(bound)));
}

/* Source: Apigee "Configuring the Router to retry connections to the Message Processor". */
static void find_retry(Job *job)
{
        _cleanup_(properties_freep) Properties *p = NULL;
        const Component *router = NULL;
        const Config *config = job->env.config;
        for (size_t i = 0; i < config->n_components && !router; i++)
                if (config->components[i].kind == KIND_ROUTER)
                        router = &config->components[i];
        if (!router || properties_new(&p, NULL) < 0)
                return;
        bool any = false, unreadable = false;
        Err why = { 0 };
        for (char **file = router->properties; file && *file; file++) {
                PropertiesAnswer a = properties_read(p, *file, &why);
                any = any || a == PROPERTIES_FOUND;
                unreadable = unreadable || a == PROPERTIES_UNREADABLE;
        }
        const char *set = properties_get(p, "load_balancing", "load.balancing.driver.nginx.server.retry");
        const char *about = "retry";
        if (unreadable)
                job_find(job, FINDING_WARNING, about, "give edge-roll read access to it", "%s", why.text);
        if (job->component->kind == KIND_ROUTER && !set)
                job_find(
                        job, FINDING_OK, about, NULL,
                        "the router's retry set is Edge's default (http_599): it does not try again where a message "
                        "processor refuses a connection");
        else if (!set && any)
                job_find(job, FINDING_OK, about, NULL,
                         "the router on this node has Edge's default retry set (http_599)");
        else if (set)
                job_find(job, FINDING_OK, about, NULL, "the router's retry set is: %s", set);
        else
                job_find(
                        job, FINDING_WARNING, about,
                        "on the routers, look for load.balancing.driver.nginx.server.retry; with `error` in it none of "
                        "what they try during notice is lost",
                        "no router on this node, so the retry set of the routers is not known: one without `error` "
                        "may answer 502 to what it sends here between two of its checks");
}

/* Which pool it is of, who else is, and what keeps two of them from going out at once. */
static void find_lock(Job *job)
{
        const Config *config = job->env.config;
        char name[POOL_NAME_SIZE], mates[300], from[300], open[300];
        Pool pool = { 0 };
        Err err = { 0 };

        if (pool_read(config->state_dir, job->component->name, &pool, &err) < 0)
                job_find(job, FINDING_WARNING, "pool", "delete that file: it is learned again", "%s",
                         err.text);
        if (job->facts.self_known)
                (void) pool_self(&pool, &job->facts.self);
        size_t n = pool_mates(config, &pool, mates, sizeof(mates));
        pool_name(config, job->component, &pool, name, sizeof(name));
        if (!*name)
                job_find(job, FINDING_WARNING, "pool", "set [pool] name",
                         "which pool it is of is not known: it tells neither its region nor its pod");
        else if (n > 0)
                job_find(job, FINDING_OK, "pool", NULL, "%s, with %s (known from: %s)", name, mates,
                         pool_from(config, &pool, from, sizeof(from)));
        else
                job_find(job, FINDING_OK, "pool", NULL, "%s", name);
        pool_done(&pool);
        /* With members the restart would be refused: preflight has told. */
        if (!job_place_open(job, open, sizeof(open)) && n == 0)
                job_find(
                        job, FINDING_WARNING, "lock",
                        "never restart two nodes of a pool at the same time; --cluster takes a lease on each of them",
                        "unprotected: this node knows no other of its pool, and nothing keeps one from going out at the "
                        "same time");
}

static void find_state(Job *job)
{
        const char *dir = job->env.config->state_dir;
        struct statvfs fs;
        if (statvfs(dir, &fs) == 0 && fs.f_bavail * fs.f_frsize < STATE_ROOM_MIN)
                job_find(job, FINDING_PROBLEM, "state", "make room there", "%s has only %" PRIu64 " KB left",
                         dir, (uint64_t) (fs.f_bavail * fs.f_frsize / 1024));
        else
                job_find(job, FINDING_OK, "state", NULL, "%s can be written", dir);
}

static void doctor_examine(Job *job)
{
        find_cgroup(job);
        find_unit_limits(job);
        find_loaded(job);
        find_checkers(job);
        if (job->facts.request_limit_usec > 0)
                find_limits(job);
        find_retry(job);
        find_lock(job);
        find_firewall(job);
        find_state(job);
        find_permissions(job);
}

void job_examined(Job *job)
{
        doctor_examine(job);
        unsigned problems = job->found[FINDING_PROBLEM], warnings = job->found[FINDING_WARNING];
        (void) snprintf(job->failure, sizeof(job->failure), "%u problem%s, %u warning%s", problems,
                        problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
        (void) snprintf(job->evidence[roll_phase(job->roll)], sizeof(job->evidence[0]), "%s", job->failure);
        (void) roll_feed(job->roll, problems > 0 ? ROLL_EV_FAIL : ROLL_EV_OK, RESULT_PROBLEMS, time_now());
}
