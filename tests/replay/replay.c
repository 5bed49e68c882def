/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Drains of real servers over the real kernel, with the very loop of the agent (drain/look.h), whose ends are
 * known because the clients are here too.
 *   replay [--quiet SECONDS] [--drains N] [--jobs N] [--seed N] [--only TEXT]
 * TAP: a drain fails when it was declared over with a request in flight (unless its kind is known to be
 * undecidable: then it is counted), later than its kind allows, or never. Without arguments: a random sample
 * for `make check`.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "drain/look.h"
#include "tests/lib/ns.h"
#include "tests/replay/replay.h"

#define LIMIT_QUIETS    11.4                 /* the request limit: 57 s of 5 s */
#define GATE_USEC       (50 * USEC_PER_MSEC) /* frozen for so long before the last look */
#define GATE_LONG_USEC  (260 * USEC_PER_MSEC)
#define GATE_AGAIN_USEC (500 * USEC_PER_MSEC) /* doubled with each try, at most four times */
#define HEALTH_PORT     15999
#define SLACK_USEC      (5 * USEC_PER_SEC)    /* two looks, freezes, and a machine with other work */
#define READ_USEC       (100 * USEC_PER_MSEC) /* an answer may lie so long before its client notes it */

typedef struct Outcome {
        bool ran, over; /* the drain was declared over */
        unsigned early; /* requests in flight at that time */
        Usec early_by;  /* the longest of them went on for */
        Usec took;      /* from the true end; 0 when early */
        unsigned unknown, by_age, sockets, gates;
        char failure[256]; /* the test itself could not go on */
        char last[128];    /* of a drain that never ended: what was in the way */
} Outcome;

typedef struct Run {
        const Kind *kind;
        Usec quiet;
        uint32_t seed;
        Script *script;
        Look look;
        Outcome *o;
} Run;

static const char *const ways[WAY_COUNT] = { [WAY_OWN] = "own server",
                                             [WAY_NGINX] = "nginx",
                                             [WAY_HAPROXY] = "HAProxy router",
                                             [WAY_PROXY] = "nginx router" };

static void *shared(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED ? NULL : p;
}

static Usec limit_of(Usec quiet)
{
        return (Usec) (LIMIT_QUIETS * (double) quiet);
}

static _Noreturn void give_up(const Run *r, const char *what, const char *detail)
{
        (void) snprintf(r->o->failure, sizeof(r->o->failure), "%s: %s", what, detail);
        _exit(1);
}

static void look_or_give_up(Run *r, int ret, const Err *err)
{
        if (ret < 0)
                give_up(r, "look", err->text);
        if (r->script->failures > 0)
                give_up(r, "a client", r->script->failure);
}

/* As the agent does before the drain: a full look each second. */
static void look_for(Run *r, Usec until)
{
        Err err = { 0 };
        while (time_now() < until) {
                if (time_now() >= r->look.next_full)
                        look_or_give_up(r, look_full(&r->look, &err), &err);
                nap(LOOK_POLL_USEC);
        }
}

/* Freeze, wait, look. Return: may the stop be called? */
static bool gate(Run *r, Usec *ret_at)
{
        Err err = { 0 };
        const char *why;
        BlockState before, after;
        if (block_read(r->look.block, &before, &err) < 0 ||
            block_freeze(r->look.block, 2 * USEC_PER_SEC, &err) < 0)
                give_up(r, "freeze", err.text);
        nap(r->o->gates++ > 0 ? GATE_LONG_USEC : GATE_USEC);
        *ret_at = time_now();
        int pass = look_gate(&r->look, &why, &err);
        look_or_give_up(r, pass, &err);
        if (block_read(r->look.block, &after, &err) < 0 || block_thaw(r->look.block, &err) < 0)
                give_up(r, "thaw", err.text);
        return pass && before.total[BLOCK_NEWCONN] == after.total[BLOCK_NEWCONN];
}

/* Who was waiting for an answer at @at, and for how long did they go on to? */
static void judge(Run *r, Usec at)
{
        uint32_t turns[REPLAY_SLOTS];
        for (unsigned i = 0; i < REPLAY_SLOTS; i++) {
                const Slot *s = &r->script->slots[i];
                turns[i] = s->turn;
                if (!(turns[i] & 1) || s->since > at)
                        turns[i] = 0;
        }
        Usec deadline = at + limit_of(r->quiet);
        for (unsigned i = 0; i < REPLAY_SLOTS; i++) {
                const Slot *s = &r->script->slots[i];
                if (turns[i] == 0)
                        continue;
                while (s->turn == turns[i] && time_now() < deadline)
                        nap(10 * USEC_PER_MSEC);
                Usec ended = s->turn == turns[i] ? time_now() : s->ended;
                if (ended > at + READ_USEC) {
                        r->o->early++;
                        r->o->early_by = MAX(r->o->early_by, ended - at);
                }
        }
}

static void drain(Run *r)
{
        Err err = { 0 };
        Usec wait, not_before = 0, at, begun = time_now();
        Usec deadline = begun + limit_of(r->quiet) + 9 * r->quiet + 2 * SLACK_USEC;
        InflightDrained drained;

        r->look.next_full = r->look.next_partial = 0;
        for (;; nap(LOOK_POLL_USEC)) {
                look_or_give_up(r, look_step(&r->look, !r->kind->wait, &drained, &wait, &err), &err);
                const InflightSummary *s = &r->look.summary;
                r->o->unknown = MAX(r->o->unknown, s->unknown);
                if (time_now() > deadline) {
                        (void) snprintf(r->o->last, sizeof(r->o->last), "%u busy, %u unknown: %s", s->busy,
                                        s->unknown, s->n_stragglers > 0 ? s->stragglers[0].why : "");
                        return;
                }
                if (drained != INFLIGHT_DRAINED || time_now() < not_before)
                        continue;
                if (gate(r, &at))
                        break;
                not_before = time_now() + (GATE_AGAIN_USEC << MIN(r->o->gates, 2u));
        }
        r->o->over = true;
        r->o->by_age = r->look.summary.idle_by_age;
        r->o->sockets = r->look.summary.sockets;
        judge(r, at);
        if (r->o->early > 0)
                return;
        Usec end = begun;
        for (unsigned i = 0; i < REPLAY_SLOTS; i++)
                if (r->script->slots[i].ended <= at)
                        end = MAX(end, (Usec) r->script->slots[i].ended);
        r->o->took = at - MIN(at, end);
}

static void clean_up(const char *command)
{
        if (system(command) != 0)
                printf("# could not: %s\n", command);
}

/* Process 1 of a namespace of its own: when it ends, so does all that it started. */
static void run_here(Run *r)
{
        const Kind *k = r->kind;
        Err err = { 0 };
        char dir[] = "/tmp/edge-roll-replay-XXXXXX", command[128];
        const char *why;
        int node = ns_here(), net = ns_new();
        InflightConfig config = {
                .traffic_ports = { REPLAY_PORT },
                .n_traffic = 1,
                .upstream_ports = { REPLAY_UPSTREAM },
                .n_upstream = k->way == WAY_HAPROXY || k->way == WAY_PROXY,
                .tls = k->skin != SKIN_PLAIN,
                .quiet_usec = r->quiet,
                .request_limit_usec = limit_of(r->quiet),
        };
        BlockPlan plan = {
                .whole_ports = { HEALTH_PORT }, .n_whole = 1, .traffic_ports = { REPLAY_PORT }, .n_traffic = 1
        };

        r->script = shared(sizeof(*r->script));
        if (!r->script || node < 0 || net < 0 || !ns_link(node, "to-net", net, "to-node") ||
            !ns_addr(node, "to-net", REPLAY_NODE, 24) || !ns_addr(net, "to-node", REPLAY_NET, 24))
                give_up(r, "network", strerror(errno));
        if (conns_new(&r->look.conns, &err) < 0 ||
            block_new(&r->look.block, -1, BLOCK_OWNER_SOCKET, &err) < 0 ||
            block_install(r->look.block, &plan, &err) < 0 ||
            inflight_new(&r->look.inflight, &config, &err) < 0)
                give_up(r, "engine", err.text);
        if (!mkdtemp(dir))
                give_up(r, dir, strerror(errno));
        (void) snprintf(command, sizeof(command), "rm -rf %s", dir);
        why = stage_start(k, dir, net, r->quiet);
        if (why) {
                clean_up(command);
                give_up(r, ways[k->way], why);
        }
        pid_t clients = fork();
        if (clients == 0) {
                if (ns_go(net))
                        client_run(r->script, k, r->quiet, r->seed);
                _exit(1);
        }

        /* Half of the drains have seen the last requests begin before the checkers noticed. */
        double head = k->head_start > 0 ? k->head_start : 1 + (double) (r->seed % 1000) / 1000;
        look_for(r, time_now() + (Usec) (head * (double) r->quiet));
        if (r->seed & 1)
                inflight_mark(r->look.inflight, time_now());
        r->script->last = true;
        Usec deadline = time_now() + 10 * r->quiet + 2 * SLACK_USEC;
        while (r->script->lasting < k->clients) {
                look_for(r, time_now() + LOOK_POLL_USEC);
                if (time_now() > deadline)
                        give_up(r, "clients", "they do not begin their last requests");
        }
        inflight_mark(r->look.inflight, time_now());
        drain(r);
        if (r->script->failures > 0)
                (void) snprintf(r->o->failure, sizeof(r->o->failure), "a client: %s", r->script->failure);
        r->script->over = true;
        r->o->ran = true;
        clean_up(command);
        _exit(0);
}

/* Return: the process of the drain. */
static pid_t run_start(const Kind *kind, Usec quiet, uint32_t seed, Outcome *o)
{
        Run r = { .kind = kind, .quiet = quiet, .seed = seed, .o = o };
        pid_t outer = fork();
        if (outer != 0)
                return outer;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        const char *why = ns_enter();
        if (why || unshare(CLONE_NEWPID) < 0)
                give_up(&r, "namespaces", why ? why : strerror(errno));
        pid_t inner = fork();
        if (inner == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                run_here(&r);
        }
        (void) waitpid(inner, NULL, 0);
        _exit(0);
}

typedef struct Options {
        Usec quiet;
        unsigned drains, jobs;
        uint32_t seed;
        const char *only;
        bool sample;
} Options;

static bool options_parse(Options *o, int argc, char **argv)
{
        *o = (Options){ .quiet = USEC_PER_SEC,
                        .drains = 36,
                        .jobs = 12,
                        .seed = (uint32_t) time_now(),
                        .sample = argc == 1 };
        for (int i = 1; i + 1 < argc; i += 2) {
                if (strcmp(argv[i], "--quiet") == 0)
                        o->quiet = (Usec) (atof(argv[i + 1]) * USEC_PER_SEC);
                else if (strcmp(argv[i], "--drains") == 0)
                        o->drains = (unsigned) atoi(argv[i + 1]);
                else if (strcmp(argv[i], "--jobs") == 0)
                        o->jobs = (unsigned) atoi(argv[i + 1]);
                else if (strcmp(argv[i], "--seed") == 0)
                        o->seed = (uint32_t) strtoul(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--only") == 0)
                        o->only = argv[i + 1];
                else
                        return false;
        }
        return argc % 2 == 1 && o->quiet > 0 && o->drains > 0 && o->jobs > 0;
}

/* Each kind once, in random order, then again; the long ones first, so that none is left alone at the end. */
static const Kind **choose(const Options *opt)
{
        const Kind **ret = calloc(opt->drains + replay_n_kinds, sizeof(*ret));
        uint32_t seed = opt->seed;
        unsigned n = 0;
        if (!ret)
                return NULL;
        while (n < opt->drains) {
                unsigned round = n;
                for (size_t i = 0; i < replay_n_kinds; i++) {
                        const Kind *k = &replay_kinds[i];
                        if ((!opt->only || strstr(k->name, opt->only)) && !(opt->sample && k->slow))
                                ret[n++] = k;
                }
                if (n == round)
                        break;
                for (unsigned i = n - 1; i > round; i--) {
                        seed = seed * 1664525u + 1013904223u;
                        unsigned j = round + (unsigned) ((uint64_t) seed * (i - round + 1) >> 32);
                        const Kind *k = ret[i];
                        ret[i] = ret[j];
                        ret[j] = k;
                }
        }
        unsigned front = 0;
        for (unsigned i = 0; i < MIN(n, opt->drains); i++)
                if (ret[i]->limit || ret[i]->slow) {
                        const Kind *k = ret[front];
                        ret[front++] = ret[i];
                        ret[i] = k;
                }
        for (unsigned i = opt->drains; i < n; i++)
                ret[i] = NULL;
        return ret;
}

static bool late(const Kind *k, const Outcome *o, Usec quiet)
{
        return o->took > (k->limit ? limit_of(quiet) + USEC_PER_SEC : quiet) + SLACK_USEC;
}

static bool tell(unsigned number, const Kind *k, const Outcome *o, Usec quiet)
{
        bool early = o->early > 0 && !k->undecidable;
        bool ok = o->ran && !o->failure[0] && o->over && !early && !late(k, o, quiet);
        printf("%sok %u - %s, %s", ok ? "" : "not ", number, k->name, ways[k->way]);
        if (o->failure[0] || !o->ran)
                printf(" # %s", o->failure[0] ? o->failure : "the test died");
        else if (!o->over)
                printf(" # never: %s", o->last);
        else if (o->early > 0)
                printf(" # early by %.1f s with %u requests in flight%s", time_sec(o->early_by), o->early,
                       k->undecidable ? " (undecidable)" : "");
        else
                printf(" # %.1f s after the last answer", time_sec(o->took));
        printf("\n");
        (void) fflush(stdout);
        return ok;
}

static void table(const Kind **kinds, const Outcome *o, unsigned n, Usec quiet)
{
        unsigned early = 0, drains = 0, undecidable = 0, not_in_time = 0;
        printf("# %-34s %-15s %6s %6s %5s %13s %8s %7s\n", "kind", "server", "drains", "early", "late",
               "s after end", "unknown", "by age");
        for (size_t i = 0; i < replay_n_kinds; i++) {
                const Kind *k = &replay_kinds[i];
                unsigned count = 0, k_early = 0, k_late = 0, unknown = 0, by_age = 0;
                Usec least = USEC_INFINITY, most = 0;
                for (unsigned d = 0; d < n; d++) {
                        if (kinds[d] != k || !o[d].ran)
                                continue;
                        count++;
                        k_early += o[d].early > 0;
                        k_late += !o[d].over || late(k, &o[d], quiet);
                        unknown = MAX(unknown, o[d].unknown);
                        by_age = MAX(by_age, o[d].by_age);
                        if (o[d].over && o[d].early == 0) {
                                least = MIN(least, o[d].took);
                                most = MAX(most, o[d].took);
                        }
                }
                if (count == 0)
                        continue;
                char took[32] = "-", early_text[32];
                if (least != USEC_INFINITY)
                        (void) snprintf(took, sizeof(took), "%.1f to %.1f", time_sec(least), time_sec(most));
                (void) snprintf(early_text, sizeof(early_text), "%u%s", k_early, k->undecidable ? "*" : "");
                printf("# %-34s %-15s %6u %6s %5u %13s %8u %7u\n", k->name, ways[k->way], count, early_text,
                       k_late, took, unknown, by_age);
                drains += count;
                not_in_time += k_late;
                if (k->undecidable)
                        undecidable += k_early;
                else
                        early += k_early;
        }
        printf("# %u drains: %u early, %u of undecidable (*) kinds, %u late or never\n", drains, early,
               undecidable, not_in_time);
}

int main(int argc, char **argv)
{
        Options opt;
        if (!options_parse(&opt, argc, argv)) {
                fprintf(stderr,
                        "usage: replay [--quiet SECONDS] [--drains N] [--jobs N] [--seed N] [--only TEXT]\n");
                return 2;
        }
        if (geteuid() != 0 || access("/usr/sbin/nginx", X_OK) < 0 || access("/usr/sbin/haproxy", X_OK) < 0) {
                printf("skipped: needs root, nginx and HAProxy\n");
                return 77;
        }
        _cleanup_(freep) const Kind **kinds = choose(&opt);
        Outcome *o = shared(opt.drains * sizeof(*o));
        _cleanup_(freep) pid_t *pids = calloc(opt.drains, sizeof(*pids));
        if (!kinds || !o || !pids)
                return 1;
        unsigned n = 0, begun = 0, running = 0, failed = 0;
        while (n < opt.drains && kinds[n])
                n++;
        printf("# %u drains, quiet time %.1f s, request limit %.1f s, --seed %u\n1..%u\n", n,
               time_sec(opt.quiet), time_sec(limit_of(opt.quiet)), opt.seed, n);
        (void) fflush(stdout);
        while (begun < n || running > 0) {
                if (begun < n && running < opt.jobs) {
                        pids[begun] =
                                run_start(kinds[begun], opt.quiet, opt.seed + begun * 2654435761u, &o[begun]);
                        running += pids[begun] > 0;
                        begun++;
                        continue;
                }
                pid_t pid = waitpid(-1, NULL, 0);
                for (unsigned i = 0; i < begun; i++)
                        if (pid > 0 && pids[i] == pid) {
                                running--;
                                failed += !tell(i + 1, kinds[i], &o[i], opt.quiet);
                        }
        }
        table(kinds, o, n, opt.quiet);
        return failed > 0;
}
