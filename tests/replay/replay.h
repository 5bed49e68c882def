/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A replay of drains whose ends are known: the clients are here too. Each drain has two network namespaces
 * of its own, joined by a veth pair: `node` with the component that is drained, `net` with its clients and,
 * behind a router, the next tier.
 *
 * All times of a drain are multiples of the quiet time, so that the same kinds run with that of production
 * (5 s) and with a shorter one. The request limit is 11.4 times as much (57 s).
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define REPLAY_NODE     "10.9.0.1"
#define REPLAY_NET      "10.9.0.2"
#define REPLAY_PORT     9001 /* of the component, on the node */
#define REPLAY_UPSTREAM 8998 /* of the next tier, in `net` */
#define REPLAY_SLOTS    1024

typedef enum Way {
        WAY_OWN,     /* the test's own server takes the clients: a message processor */
        WAY_NGINX,   /* so does nginx */
        WAY_HAPROXY, /* a router; behind it the test's own server */
        WAY_PROXY,   /* the same, nginx */
        WAY_COUNT,
} Way;

typedef enum Skin {
        SKIN_PLAIN,
        SKIN_TLS12,
        SKIN_TLS13,
        SKIN_TLS12_RESUMED,
        SKIN_TLS13_RESUMED,
        SKIN_H2, /* over TLS 1.3 */
        SKIN_COUNT,
} Skin;

/* One connection's request, as its client sees it. Written by one thread. */
typedef struct Slot {
        _Atomic uint32_t turn; /* odd: one is out */
        _Atomic uint64_t since, ended;
} Slot;

/* Shared by the processes of one drain. */
typedef struct Script {
        _Atomic bool last;         /* begin your last requests */
        _Atomic bool over;         /* leave */
        _Atomic unsigned lasting;  /* clients that have */
        _Atomic unsigned failures; /* answers that were wrong or did not come, before `over` */
        char failure[160];         /* the first of them */
        Slot slots[REPLAY_SLOTS];
} Script;

typedef struct Kind Kind;

typedef struct Client {
        Script *script;
        const Kind *kind;
        Skin skin;
        Usec quiet;
        unsigned index; /* its first slot */
        uint32_t seed;
} Client;

struct Kind {
        const char *name;
        Way way;
        Skin skin;
        unsigned clients; /* threads */
        void (*act)(Client *c);
        double a, b;       /* what the act makes of them */
        bool undecidable;  /* from outside: early verdicts are counted, not failed */
        bool limit;        /* ends with the request limit, not with the quiet time */
        bool wait;         /* persistent = wait */
        bool slow;         /* not in the short form */
        double head_start; /* the looks begin so many quiet times before the mark; 0: 1 to 2 */
};

extern const Kind replay_kinds[];
extern const size_t replay_n_kinds;

/* client_run() - in `net`: all clients of @kind, until script->over. Does not return. */
void client_run(Script *script, const Kind *kind, Usec quiet, uint32_t seed);

/*
 * serve() - the test's own server, one thread a connection. Does not return.
 *   GET  /s/F      an answer after F quiet times
 *   GET  /c/F/N    N chunks, F quiet times apart
 *   GET  /b/N      N bytes
 *   GET  /w/F      101, then lines: "e" is echoed, "s G" is answered after G quiet times; F > 0: says
 *                  something unasked after F quiet times
 *   POST anything  reads the body (and says 100 Continue first, if told to expect that)
 */
void serve(const char *address, uint16_t port, Usec quiet);

/* serve_path() - the two numbers in a path. Return: its letter. */
char serve_path(const char *path, double *ret_a, double *ret_b);

/* stage_start() - the servers of a kind, from the namespace of the node. @dir: for their files. Returns when
 * they listen. Return: NULL; else what went wrong. */
const char *stage_start(const Kind *kind, const char *dir, int net, Usec quiet);

/* stage_certificate() - into @path, key and certificate. */
bool stage_certificate(const char *path);

/* nap() - wait for so long. */
void nap(Usec usec);
