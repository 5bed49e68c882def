/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * CPU of the block against that of one `nft -f` plus `nft delete table`, which load the same table; both in
 * this process's own network namespace, in turns, user and system time of everything started. And what it
 * costs to ask who spoke last.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drain/block.h"
#include "tests/lib/ns.h"

#define ROUNDS 100
#define PEERS  100
#define OWN    "10.77.0.1"
#define NFT    "/usr/sbin/nft"

/* On both hooks, as firewalld and the tables of iptables-nft are. */
#define OTHER_TABLE                                                          \
        "table inet other { chain i { type filter hook input priority 0; };" \
        " chain o { type filter hook output priority 0; }; }"

extern char **environ;

static const BlockPlan plan = {
        .whole_ports = { 15999 },
        .n_whole = 1,
        .syn_ports = { 8998 },
        .n_syn = 1,
        .traffic_ports = { 8998, 9001 },
        .n_traffic = 2,
};

/* CPU time of this process and of its ended children. */
static Usec cpu_now(void)
{
        struct timespec own = { .tv_sec = 0 };
        struct rusage children = { .ru_maxrss = 0 };

        (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
        (void) getrusage(RUSAGE_CHILDREN, &children);
        return (Usec) (own.tv_sec + children.ru_utime.tv_sec + children.ru_stime.tv_sec) * USEC_PER_SEC +
               (Usec) own.tv_nsec / 1000 + (Usec) (children.ru_utime.tv_usec + children.ru_stime.tv_usec);
}

static bool run(char *const argv[])
{
        pid_t pid;
        int status;

        return posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0 &&
               waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int fail(const char *what, const Err *err)
{
        (void) fprintf(stderr, "bench-block: %s: %s\n", what, err->text);
        return 1;
}

/*
 * Our own table as `nft` would be given it. The size that a speaker set shows is the kernel's limit, not what
 * it was made with, and would make nft allocate all of it.
 */
static int save_table(const char *path, Err *err)
{
        _cleanup_(block_freep) Block *b = NULL;
        char command[256];
        char *const argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, command, NULL };
        int r = block_new(&b, -1, BLOCK_OWNER_NONE, err);

        (void) snprintf(command, sizeof(command), NFT " list table inet %s | sed '/size %d$/d' >'%s'",
                        BLOCK_TABLE, BLOCK_SPEAKERS, path);
        if (r == 0)
                r = block_install(b, &plan, err);
        if (r == 0)
                r = block_close(b, 3600 * USEC_PER_SEC, err);
        if (r == 0 && !run(argv))
                r = err_set(err, -EIO, "nft failed");
        return r < 0 ? r : block_remove(b, err);
}

static int whole_life(Block *b, Err *err)
{
        BlockState s;
        int r = block_install(b, &plan, err);

        if (r == 0)
                r = block_close(b, 30 * USEC_PER_SEC, err);
        if (r == 0)
                r = block_read(b, &s, err);
        if (r == 0 && !s.refusing)
                r = err_set(err, -EIO, "not refusing");
        if (r == 0)
                r = block_open(b, err);
        return r < 0 ? r : block_remove(b, err);
}

static int cycle(Block *b, Err *err)
{
        BlockState s;
        int r = block_close(b, 30 * USEC_PER_SEC, err);

        if (r == 0)
                r = block_read(b, &s, err);
        return r < 0 ? r : block_open(b, err);
}

/* @speakers: as in block_set_speakers(). */
static int one_life(uint32_t speakers, Err *err)
{
        _cleanup_(block_freep) Block *b = NULL;
        int r = block_new(&b, -1, BLOCK_OWNER_PERSIST, err);

        if (r < 0)
                return r;
        block_set_speakers(b, speakers);
        return whole_life(b, err);
}

typedef struct Totals {
        Usec life, deaf, cycle, read, nft;
} Totals;

/* @load, @drop: what nft is to be called with. */
static int measure(char *const load[], char *const drop[], Totals *ret, Err *err)
{
        _cleanup_(block_freep) Block *b = NULL;
        Totals t = { .life = 0 };
        BlockState s;
        int r = block_new(&b, -1, BLOCK_OWNER_PERSIST, err);

        for (int i = 0; r == 0 && i < ROUNDS; i++) {
                Usec start = cpu_now();
                r = one_life(BLOCK_SPEAKERS, err);
                t.life += cpu_now() - start;

                start = cpu_now();
                if (r == 0)
                        r = one_life(0, err);
                t.deaf += cpu_now() - start;

                start = cpu_now();
                if (r == 0 && (!run(load) || !run(drop)))
                        r = err_set(err, -EIO, "nft failed");
                t.nft += cpu_now() - start;

                if (r == 0)
                        r = block_install(b, &plan, err);
                start = cpu_now();
                if (r == 0)
                        r = cycle(b, err);
                t.cycle += cpu_now() - start;
                start = cpu_now();
                if (r == 0)
                        r = block_read(b, &s, err);
                t.read += cpu_now() - start;
                if (r == 0)
                        r = block_remove(b, err);
        }
        *ret = t;
        return r;
}

static void print(const char *what, Usec cpu, Usec nft)
{
        printf("  %-42s %8.3f ms   1/%.0f\n", what, (double) cpu / ROUNDS / 1000,
               (double) nft / (double) MAX(cpu, 1u));
}

static void report(const char *where, const Totals *t)
{
        const bool met = t->life * 10 <= t->nft;

        printf("%s\n", where);
        print("nft -f and nft delete table", t->nft, t->nft);
        print("install, close, read back, open, remove", t->life, t->nft);
        print("the same without the speaker sets", t->deaf, t->nft);
        print("close, read back, open", t->cycle, t->nft);
        print("read back", t->read, t->nft);
        printf("  goal, at most 1/10 of nft: %s\n", met ? "met" : "missed");
}

/* Connections over the node's own address, on which the client spoke last. */
static bool talk(BlockPeer *peers, int *fds)
{
        struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(plan.traffic_ports[0]) };
        _cleanup_(closep) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (inet_pton(AF_INET, OWN, &own.sin_addr) != 1 ||
            bind(listener, (struct sockaddr *) &own, sizeof(own)) < 0 || listen(listener, PEERS) < 0)
                return false;
        for (size_t i = 0; i < PEERS; i++) {
                struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr = own.sin_addr };
                socklen_t n = sizeof(self);
                int fd = fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

                if (bind(fd, (struct sockaddr *) &self, n) < 0 ||
                    connect(fd, (struct sockaddr *) &own, sizeof(own)) < 0 || send(fd, "x", 1, 0) != 1 ||
                    getsockname(fd, (struct sockaddr *) &self, &n) < 0)
                        return false;
                peers[i] = (BlockPeer){ .addr = addr_from(AF_INET, &self.sin_addr),
                                        .port = ntohs(self.sin_port),
                                        .local_port = plan.traffic_ports[0] };
        }
        return true;
}

static int ask(Err *err)
{
        _cleanup_(block_freep) Block *b = NULL;
        _cleanup_(closep) int here = ns_here();
        BlockPeer peers[PEERS];
        BlockSpeaker said[PEERS];
        int fds[PEERS], r = block_new(&b, -1, BLOCK_OWNER_PERSIST, err);
        size_t known = 0;
        Usec start = 0;

        if (r == 0)
                r = block_install(b, &plan, err);
        if (r == 0 && (!ns_addr(here, "lo", OWN, 32) || !talk(peers, fds)))
                r = err_errno(err, -errno, "no connections");
        start = cpu_now();
        for (int i = 0; r == 0 && i < ROUNDS; i++)
                r = block_speakers(b, peers, PEERS, said, err);
        start = cpu_now() - start;
        for (size_t i = 0; r == 0 && i < PEERS; i++)
                known += said[i] == BLOCK_SPEAKER_PEER;
        if (r == 0 && known != PEERS)
                r = err_set(err, -EIO, "only %zu of %d speakers are known", known, PEERS);
        if (r == 0)
                printf("who spoke last on %d connections: %.3f ms, %.2f us each\n", PEERS,
                       (double) start / ROUNDS / 1000, (double) start / ROUNDS / PEERS);
        return r < 0 ? r : block_remove(b, err);
}

int main(void)
{
        const char *why = ns_enter();
        char path[] = "/tmp/bench-block-XXXXXX";
        Totals bare, beside;
        Err err = { 0 };

        if (!why && access(NFT, X_OK) < 0)
                why = "nft is not installed";
        if (why) {
                printf("skipped: %s\n", why);
                return 77;
        }
        _cleanup_(closep) int fd = mkstemp(path);
        if (fd < 0)
                return 1;
        char *const load[] = { (char[]){ NFT }, (char[]){ "-f" }, path, NULL };
        char *const drop[] = { (char[]){ NFT },    (char[]){ "delete" },    (char[]){ "table" },
                               (char[]){ "inet" }, (char[]){ BLOCK_TABLE }, NULL };
        char *const other[] = { (char[]){ NFT }, (char[]){ OTHER_TABLE }, NULL };

        if (save_table(path, &err) < 0)
                return fail("the table as text", &err);
        if (measure(load, drop, &bare, &err) < 0)
                return fail("alone", &err);
        if (!run(other))
                return fail("another table", &err);
        if (measure(load, drop, &beside, &err) < 0)
                return fail("beside another table", &err);
        (void) unlink(path);

        printf("CPU of the block, mean of %d\n", ROUNDS);
        report("no other firewall, so that each time the kernel has to patch its hooks in:", &bare);
        report("beside another table on both hooks:", &beside);
        return ask(&err) < 0 ? fail("asking who spoke", &err) : 0;
}
