/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a roll costs the coordinator: simulated agents in a process of their own, real D-Bus over sockets, a
 * real journal. CPU and memory for each node, for 30 and for 300 nodes; and how long the plan of 300 nodes
 * takes whose agents need 50 ms for each answer.
 */

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cluster/coordinator.h"
#include "base/result.h"
#include "tests/lib/fake-agent.h"

#define MOST 300

static char dir[64];

static void die(const char *what)
{
        perror(what);
        exit(1);
}

static void agent_path(size_t i, char *buf, size_t size)
{
        (void) snprintf(buf, size, "%s/a%zu", dir, i);
}

/* The other side, until it is killed. */
static void agents_run(size_t n, Usec answer_usec, int ready)
{
        static char name[MOST][24], uuid[MOST][48];
        static FakeMember members[MOST];
        sd_event *event = NULL;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_event_new(&event) < 0)
                die("sd_event_new");
        /* As after a roll before: each knows all others of its pool. */
        for (size_t i = 0; i < n; i++) {
                (void) snprintf(name[i], sizeof(name[i]), "n%03zu", i + 1);
                (void) snprintf(uuid[i], sizeof(uuid[i]), "00000000-0000-0000-0000-%012zu", i + 1);
                members[i] = (FakeMember){ .uuid = uuid[i], .name = name[i] };
        }
        for (size_t i = 0; i < n; i++) {
                char path[96];
                FakeAgent *a;
                FakeScript script = {
                        .name = name[i],
                        .parts = { { .component = "router",
                                     .uuid = uuid[i],
                                     .region = "dc-1",
                                     .pod = "gateway",
                                     .pool = "router/dc-1/gateway",
                                     .health_port = 15999,
                                     .members = members,
                                     .n_members = n } },
                        .n_parts = 1,
                        .answer_usec = answer_usec,
                        .progress = 3,
                };
                agent_path(i, path, sizeof(path));
                (void) unlink(path); /* of the run before */
                if (fake_agent_new(&a, event, &script) < 0 || fake_agent_listen(a, path) < 0)
                        die(path);
        }
        if (write(ready, "r", 1) != 1)
                die("write");
        (void) sd_event_loop(event);
        _exit(1);
}

static pid_t agents_start(size_t n, Usec answer_usec)
{
        int p[2];
        char c;
        if (pipe2(p, O_CLOEXEC) < 0)
                die("pipe");
        pid_t pid = fork();
        if (pid == 0)
                agents_run(n, answer_usec, p[1]);
        (void) close(p[1]);
        if (pid < 0 || read(p[0], &c, 1) != 1)
                die("agents");
        (void) close(p[0]);
        return pid;
}

static int connect_to(const Node *node, void *userdata)
{
        char path[96];
        (void) userdata;
        agent_path(strtoul(node->name + 1, NULL, 10) - 1, path, sizeof(path));
        return fake_agent_connect(path);
}

typedef struct Cost {
        double cpu_ms, wall_ms;
        long grown_kib;
        int status;
} Cost;

static double cpu_ms(void)
{
        struct rusage u;
        (void) getrusage(RUSAGE_SELF, &u);
        return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
               (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static long rss_kib(void)
{
        long pages = 0, rss = 0;
        FILE *f = fopen("/proc/self/statm", "re");
        if (!f || fscanf(f, "%ld %ld", &pages, &rss) != 2)
                die("statm");
        (void) fclose(f);
        return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

/* In a process of its own, so that its memory is its own. */
static Cost measure(size_t n, const char *verb, Usec answer_usec)
{
        Cost cost = { 0 };
        int p[2];
        pid_t agents = agents_start(n, answer_usec);
        if (pipe2(p, O_CLOEXEC) < 0)
                die("pipe");
        pid_t pid = fork();
        if (pid == 0) {
                char conf[96], nodes_text[32], component[] = "router", yes[] = "--yes";
                char *argv[] = { (char[]){ "edge-roll" },
                                 (char *) (uintptr_t) verb,
                                 component,
                                 (char[]){ "--nodes" },
                                 nodes_text,
                                 yes,
                                 NULL };
                char *plan[] = { (char[]){ "edge-roll" },
                                 (char[]){ "plan" },
                                 (char[]){ "restart" },
                                 component,
                                 (char[]){ "--nodes" },
                                 nodes_text,
                                 NULL };
                Config *config;
                CliRequest rq;
                Nodes *nodes;
                Err err = { 0 };
                struct rusage u;
                bool planning = strcmp(verb, "plan") == 0;
                (void) snprintf(conf, sizeof(conf), "%s/conf", dir);
                (void) snprintf(nodes_text, sizeof(nodes_text), "n[001:%03zu]", n);
                FILE *out = fopen("/dev/null", "we");
                CoordIo io = { .out = out, .err = stderr, .in = -1, .connect = connect_to };
                if (!out || config_load(&config, conf, "/nonexistent", &err) < 0 ||
                    cli_parse(6, planning ? plan : argv, &rq, &err) < 0 ||
                    nodes_new(&nodes, "bench", &err) < 0 || nodes_add_words(nodes, nodes_text, &err) < 0) {
                        (void) fprintf(stderr, "%s\n", err.text);
                        _exit(1);
                }
                long before = rss_kib();
                double cpu = cpu_ms();
                Usec began = time_now();
                cost.status = coord_restart(&rq, config, nodes, &io);
                cost.cpu_ms = cpu_ms() - cpu;
                cost.wall_ms = time_sec(time_now() - began) * 1e3;
                (void) getrusage(RUSAGE_SELF, &u);
                cost.grown_kib = u.ru_maxrss - before;
                _exit(write(p[1], &cost, sizeof(cost)) != sizeof(cost));
        }
        (void) close(p[1]);
        if (pid < 0 || read(p[0], &cost, sizeof(cost)) != sizeof(cost))
                die("coordinator");
        (void) close(p[0]);
        (void) waitpid(pid, NULL, 0);
        (void) kill(agents, SIGKILL);
        (void) waitpid(agents, NULL, 0);
        return cost;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void) st;
        (void) type;
        (void) ftw;
        return remove(path);
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *) a, y = *(const double *) b;
        return (x > y) - (x < y);
}

int main(void)
{
        static const size_t sizes[] = { 30, MOST };
        double cpu[ELEMENTS(sizes)], memory[ELEMENTS(sizes)], plan[3];
        int bad = 0;

        (void) snprintf(dir, sizeof(dir), "/tmp/edge-roll-bench-XXXXXX");
        if (!mkdtemp(dir))
                die("mkdtemp");
        char path[96];
        (void) snprintf(path, sizeof(path), "%s/conf", dir);
        FILE *f = fopen(path, "we");
        if (!f)
                die(path);
        (void) fprintf(f, "[cluster]\njournal_dir = %s/rolls\nsoak_low = 0s\nsoak_high = 5s\nat_once = 32\n",
                       dir);
        (void) fclose(f);

        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                double c[3], m[3];
                for (size_t k = 0; k < 3; k++) {
                        Cost cost = measure(sizes[i], "restart", 0);
                        bad += cost.status != 0;
                        c[k] = cost.cpu_ms / (double) sizes[i];
                        m[k] = (double) cost.grown_kib / (double) sizes[i];
                }
                qsort(c, 3, sizeof(*c), by_value);
                qsort(m, 3, sizeof(*m), by_value);
                cpu[i] = c[1];
                memory[i] = m[1];
                printf("roll of %3zu simulated agents: %.2f ms CPU a node (goal 20), %.0f KiB a node (goal 128)\n",
                       sizes[i], cpu[i], memory[i]);
        }
        printf("a node among %d costs %.2f times the CPU and %.2f times the memory of one among 30 (goal: not more)\n",
               MOST, cpu[1] / cpu[0], memory[1] / memory[0]);
        for (size_t k = 0; k < 3; k++) {
                Cost cost = measure(MOST, "plan", 50 * USEC_PER_MSEC);
                bad += cost.status != 0;
                plan[k] = cost.wall_ms;
        }
        qsort(plan, 3, sizeof(*plan), by_value);
        printf("plan of %d nodes that take 50 ms for each answer, 32 connected at once: %.2f s (goal 1.5), one after "
               "another %.1f s\n",
               MOST, plan[1] / 1e3, MOST * 0.05);
        (void) nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        if (bad > 0)
                printf("%d of 9 runs did not end well\n", bad);
        return bad > 0;
}
