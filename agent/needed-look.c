/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/needed-look.h"

#include <inttypes.h>
#include <string.h>

#include "agent/cgroup.h"
#include "agent/facts.h"
#include "agent/hold.h"
#include "agent/known.h"
#include "agent/mapped.h"
#include "agent/needed-files.h"
#include "agent/procs.h"
#include "agent/served.h"

#define MAPPED_USEC (5 * USEC_PER_SEC) /* it takes some 20 ms; preflight has 30 s for all of this */
#define PIDS_MAX    4096
#define CLOCK_UNIT  "basic.target" /* every system reaches it at boot; the clock of then */

_Static_assert(MAPPED_OUTPUT_MAX <= SYSTEMD_OUTPUT_MAX, "the whole answer of the command is kept");

struct NeededLook {
        NeededEnv env;
        const Component *component;
        NeededFn fn;
        void *userdata;
        Needed *needed;
        FactsCall *facts_call;
        Facts facts;
        SystemdCall *call;
        ServedCall *served_call;
        size_t unit_index;
        bool clock_asked; /* CLOCK_UNIT is being asked, or was */
        bool clock_stands;
        char cgroup[256], unit[256];
        Proc procs[PROCS_MAX];
        size_t n_procs;
        Usec started; /* of the oldest, wall clock */
};

NeededLook *needed_look_cancel(NeededLook *look)
{
        if (!look)
                return NULL;
        facts_cancel(look->facts_call);
        systemd_call_cancel(look->call);
        served_cancel(look->served_call);
        needed_free(look->needed);
        free(look);
        return NULL;
}

static void look_end(NeededLook *look)
{
        NeededFn fn = look->fn;
        void *userdata = look->userdata;
        _cleanup_(needed_freep) Needed *needed = TAKE_PTR(look->needed);
        needed_look_cancel(look);
        fn(needed, userdata);
}

/* ---- certificates ---- */

/* Nothing is configured to compare with: what it serves is told beside what it served behind its last start
 * by us, and decides nothing, because references may be pointed at another keystore without a restart. */
static void look_served_then(NeededLook *look, const ServedList *now)
{
        ServedList then;
        Usec when = 0;
        char where[160], stamp[32];

        if (served_read(look->env.config, look->component, &then, &when) == 0)
                return;
        for (size_t i = 0; i < now->n; i++)
                for (size_t k = 0; k < then.n; k++) {
                        const Served *s = &now->items[i], *t = &then.items[k];
                        if (s->state != SERVED_KNOWN || s->port != t->port || strcmp(s->name, t->name) != 0)
                                continue;
                        bool same = strcmp(s->fingerprint, t->fingerprint) == 0;
                        needed_add(look->needed, NEEDED_CERTIFICATE, NEEDED_SAYS_NO,
                                   "%s serves the certificate %.23s..., %s at the last restart (%s)",
                                   served_text(s, where, sizeof(where)), s->fingerprint,
                                   same ? "as" : "another than", time_stamp(when, stamp, sizeof(stamp)));
                }
}

static void look_on_served(const ServedList *list, void *userdata)
{
        NeededLook *look = userdata;
        look->served_call = NULL;
        served_compare(look->needed, look->component->certificate, list);
        look_served_then(look, list);
        look_end(look);
}

static void look_certificates(NeededLook *look)
{
        const Component *c = look->component;
        const Facts *f = &look->facts;
        ServedList then;
        Usec when;
        Err err = { 0 };
        uint16_t ports[CONNS_PORTS_MAX];
        size_t n = 0;

        if (*c->certificate) {
                memcpy(ports, f->traffic_ports, f->n_traffic * sizeof(*ports));
                n = f->n_traffic;
        } else if (served_read(look->env.config, c, &then, &when) > 0)
                for (size_t i = 0; i < then.n && n < ELEMENTS(ports); i++)
                        ports[n++] = then.items[i].port;
        else {
                look_end(look);
                return;
        }
        if (served_look(look->env.http, look->env.conns, look->env.event, ports, n, c->certificate,
                        look_on_served, look, &look->served_call, &err) < 0) {
                if (*c->certificate)
                        needed_add(look->needed, NEEDED_CERTIFICATE, NEEDED_UNSEEN,
                                   "the certificates that are served are not known: %s", err.text);
                look_end(look);
        }
}

/* ---- code ---- */

static void look_on_code(const char *what, const char *path, void *userdata)
{
        NeededLook *look = userdata;
        if (strcmp(what, "deleted") == 0)
                needed_add(look->needed, NEEDED_CODE, NEEDED_SAYS_YES,
                           "it runs with %s, which was deleted or replaced since it was started", path);
        else if (strcmp(what, "changed") == 0)
                needed_add(look->needed, NEEDED_CODE, NEEDED_SAYS_YES,
                           "it runs with %s, which was changed since it was started", path);
        else
                needed_add(look->needed, NEEDED_CODE, NEEDED_SAYS_YES, "and %s files more", path);
}

static void look_on_mapped(int status, const char *output, const char *text, void *userdata)
{
        NeededLook *look = userdata;
        look->call = NULL;

        _cleanup_(freep) char *copy = strdup(output);
        MappedAnswer a = { 0 };
        if (copy)
                a = mapped_read(copy, look_on_code, look);
        size_t alive = procs_alive(NULL, look->procs, look->n_procs);
        if (status != 0 || !a.whole)
                needed_add(look->needed, NEEDED_CODE, NEEDED_UNSEEN,
                           "which files its processes use is not known: %.200s%s", text,
                           status == 0 ? ", but its answer is not whole" : "");
        else if (a.processes < alive)
                needed_add(look->needed, NEEDED_CODE, NEEDED_UNSEEN,
                           "which files %zu of its %zu processes use is not known", alive - a.processes,
                           alive);
        else if (!needed_says(look->needed, NEEDED_CODE, NEEDED_SAYS_YES))
                needed_add(look->needed, NEEDED_CODE, NEEDED_SAYS_NO,
                           "%u files of code that %u processes use are those on disk", a.files, a.processes);
        look_certificates(look);
}

/* The program of this process, or what an upgrade has put in its place. */
static bool own_program(char *ret, size_t size)
{
        static const char deleted[] = " (deleted)";
        ssize_t n = readlink("/proc/self/exe", ret, size - 1);
        if (n <= 0)
                return false;
        ret[n] = '\0';
        size_t end = sizeof(deleted) - 1;
        if ((size_t) n > end && strcmp(ret + n - end, deleted) == 0)
                ret[(size_t) n - end] = '\0';
        return true;
}

static void look_code(NeededLook *look)
{
        static unsigned number; /* two looks at once are two units */
        char program[4096], unit[160], args[PROCS_MAX][48];
        char verb[] = MAPPED_VERB, *argv[PROCS_MAX + 3] = { program, verb };
        Usec boot = time_boot(), wall = time_wall();
        Err err = { 0 };

        for (size_t i = 0; i < look->n_procs; i++) {
                Usec since = USEC_INFINITY;
                if (look->clock_stands)
                        since = wall - (boot - procs_started(&look->procs[i])) - NEEDED_SLACK_USEC;
                (void) snprintf(args[i], sizeof(args[i]), "%d:%" PRIu64, look->procs[i].pid, since);
                argv[2 + i] = args[i];
        }
        (void) snprintf(unit, sizeof(unit), "edge-roll-run-mapped-%d-%u.service", (int) getpid(), number++);
        if (!own_program(program, sizeof(program)))
                (void) err_set(&err, -ENOENT, "the path of this program is not known");
        else if (systemd_run(look->env.systemd, unit, argv, NULL, MAPPED_USEC, look_on_mapped, look,
                             &look->call, &err) >= 0)
                return;
        needed_add(look->needed, NEEDED_CODE, NEEDED_UNSEEN, "which files its processes use is not known: %s",
                   err.text);
        look_certificates(look);
}

/* ---- processes and files ---- */

static void look_compare(NeededLook *look)
{
        const Words lists[] = { look->component->properties, look->component->restart_on };
        char stamp[32];

        if (look->clock_stands) {
                needed_add(look->needed, NEEDED_PROCESSES, NEEDED_SAYS_NO,
                           "%zu processes in %s, the oldest of %s", look->n_procs, look->cgroup,
                           time_stamp(look->started, stamp, sizeof(stamp)));
                needed_files(look->needed, lists, ELEMENTS(lists), look->started, time_wall());
        } else
                needed_add(
                        look->needed, NEEDED_PROCESSES, NEEDED_UNSEEN,
                        "the clock was set since %s was started, so which files were changed since cannot be told",
                        look->component->name);
        look_code(look);
}

/* A unit of its own holds nothing else; in anybody else's cgroup only what bears its name is the component.
 */
static bool look_own_unit(const NeededLook *look)
{
        for (char **unit = look->component->units; unit && *unit; unit++)
                if (strcmp(*unit, look->unit) == 0)
                        return true;
        return false;
}

static void look_processes(NeededLook *look)
{
        static int pids[PIDS_MAX];
        Err err = { 0 };
        int n = *look->cgroup ? cgroup_pids(NULL, look->cgroup, pids, PIDS_MAX, &err) : 0;
        size_t have = (size_t) MIN(MAX(n, 0), PIDS_MAX);
        const char *edge = look->component->kind == KIND_MP ? "edge-message-processor" : "edge-router";

        if (look_own_unit(look))
                for (size_t i = 0; i < have && look->n_procs < PROCS_MAX; i++)
                        look->n_procs += procs_get(NULL, pids[i], &look->procs[look->n_procs]);
        else
                look->n_procs = procs_find(NULL, pids, have, edge, look->procs, PROCS_MAX);
        if (look->n_procs == 0) {
                needed_add(look->needed, NEEDED_PROCESSES, NEEDED_UNSEEN,
                           "its processes are not known%s%s%s%s",
                           *look->cgroup ? ": none found in "
                                         : ": the kernel does not tell whose its port is, and no "
                                           "unit of it is active",
                           look->cgroup, *err.text ? ": " : "", err.text);
                look_certificates(look);
                return;
        }
        if (n > PIDS_MAX || look->n_procs == PROCS_MAX)
                needed_add(look->needed, NEEDED_PROCESSES, NEEDED_UNSEEN, "it has more than %d processes",
                           PROCS_MAX);
        Usec oldest = USEC_INFINITY;
        for (size_t i = 0; i < look->n_procs; i++)
                oldest = MIN(oldest, procs_started(&look->procs[i]));
        Usec boot = time_boot(), wall = time_wall();
        look->started = wall - (boot - MIN(oldest, boot));
        look_compare(look);
}

/* ---- units: whose cgroup, and by which clock they were started ---- */

static void look_unit(NeededLook *look);

/* Wall and monotonic clock of one instant that systemd kept, against those of now. One that was set to and
 * fro in between is not seen. */
static bool unit_clock_stands(const UnitState *s)
{
        int64_t then = (int64_t) s->active_wall_usec - (int64_t) s->active_usec;
        int64_t now = (int64_t) time_wall() - (int64_t) time_now();
        return s->active_wall_usec > 0 && s->active_usec > 0 && needed_clock_stands(then, now);
}

static void look_on_unit(int r, const UnitState *state, const Err *err, void *userdata)
{
        NeededLook *look = userdata;
        look->call = NULL;

        if (look->clock_asked) {
                look->clock_stands = r >= 0 && unit_clock_stands(state);
                look_processes(look);
                return;
        }
        (void) err;
        bool active = r >= 0 && strcmp(state->active, "active") == 0;
        if (active && !*look->cgroup && *state->control_group) {
                (void) snprintf(look->cgroup, sizeof(look->cgroup), "%s", state->control_group);
                (void) snprintf(look->unit, sizeof(look->unit), "%s", state->unit);
        }
        /* Of any unit that has been active since before the component's processes it would do as well. */
        if (active && strcmp(state->unit, look->unit) == 0)
                look->clock_stands = unit_clock_stands(state);
        look->unit_index++;
        look_unit(look);
}

static void look_unit(NeededLook *look)
{
        const Component *c = look->component;
        const char *name = *look->facts.unit && look->unit_index == 0 ? look->facts.unit : NULL;
        Err err = { 0 };

        if (!name && !*look->cgroup && c->units[look->unit_index])
                name = c->units[look->unit_index];
        if (!name && !look->clock_stands) {
                name = CLOCK_UNIT;
                look->clock_asked = true;
        }
        if (name && systemd_unit(look->env.systemd, name, look_on_unit, look, &look->call, &err) >= 0)
                return;
        look_processes(look);
}

static void look_on_facts(const Facts *facts, void *userdata)
{
        NeededLook *look = userdata;
        look->facts_call = NULL;
        look->facts = *facts;
        if (!facts->running) {
                needed_add(look->needed, NEEDED_PROCESSES, NEEDED_UNSEEN, "%s is not running: %s",
                           look->component->name,
                           facts->health_port         ? "nobody listens on its health port"
                           : *facts->health_port_from ? facts->health_port_from
                                                      : facts->self_text);
                look_end(look);
                return;
        }
        (void) snprintf(look->cgroup, sizeof(look->cgroup), "%s", facts->cgroup);
        (void) snprintf(look->unit, sizeof(look->unit), "%s", facts->unit);
        look_unit(look);
}

/* One that a failed restart has left held has not been proven since: it is tried again. */
static void look_state(NeededLook *look)
{
        Hold hold;
        bool held = false;
        Err err = { 0 };
        int r = hold_read(look->env.config->state_dir, look->component->name, &hold, &held, &err);
        if (r < 0)
                needed_add(look->needed, NEEDED_STATE, NEEDED_UNSEEN, "whether it is held is not known: %s",
                           err.text);
        else if (held && !hold.by_hand)
                needed_add(look->needed, NEEDED_STATE, NEEDED_SAYS_YES,
                           "it is held since a restart that was not proven good: %s", hold.reason);
        if (look->env.busy && *look->env.busy)
                needed_add(look->needed, NEEDED_STATE, NEEDED_UNSEEN, "%s", look->env.busy);
}

int needed_look(const NeededEnv *env, const Component *component, NeededFn fn, void *userdata,
                NeededLook **ret, Err *err)
{
        _cleanup_(needed_look_cancelp) NeededLook *look = calloc(1, sizeof(*look));
        if (!look || needed_new(&look->needed) < 0)
                return err_set(err, -ENOMEM, "out of memory");
        look->env = *env;
        look->component = component;
        look->fn = fn;
        look->userdata = userdata;
        look_state(look);
        int r = facts_gather(env->http, env->conns, env->config, component,
                             known_port(env->config, component), look_on_facts, look, &look->facts_call, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(look);
        return 0;
}
