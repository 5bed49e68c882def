/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Nodes with simulated agents (tests/lib/fake-agent.h) for a coordinator, in this process over socket pairs
 * or in another one. At every call that reaches an agent, and in between, it is looked how many are out. With
 * cmocka: what does not hold ends the test.
 */

#include <sys/resource.h>

#include "agent/cli.h"
#include "agent/cluster/coordinator.h"
#include "base/result.h"
#include "tests/lib/fake-agent.h"

#define WORLD_NODES 40

typedef struct World World;

typedef struct World {
        sd_event *event;
        char dir[64]; /* journals, configuration, output */
        FakeAgent *agent[WORLD_NODES];
        char name[WORLD_NODES][16], uuid[WORLD_NODES][64];
        size_t n;
        unsigned out_most;      /* how many were out at once, at the worst moment, in one pool */
        char order[1024];       /* who was restarted, in their order */
        char lines[256 * 1024]; /* what the last call wrote */
        int status;
        void (*on_call)(World *w, size_t node, const char *member); /* NULL */
        sd_bus_message *call;
        bool swallow;            /* set by on_call: this call never arrives */
        const char *refuse;      /* ... or is refused with this error */
        const char *refuse_text; /* NULL: some text */
        bool done_once;
        bool over_ssh;         /* coordinators of rolls.h use what the configuration calls ssh */
        unsigned looks;        /* for on_call */
        const char *lock_says; /* the answer of Lock */
        sd_event_source *timer, *glance;
        struct rlimit files;
} World;

/* world_new() - @pools: a letter for each node, which is the region it is in; a capital: of a message
 * processor. Their names are n1, n2, ... */
void world_new(World *w, const char *pools);
void world_done(World *w);

/* world_listen() - the nodes can be reached from other processes, as DIRECTORY/NAME: world_connect(), a
 * CoordIo.connect whose userdata is the directory. */
void world_listen(World *w);
int world_connect(const Node *node, void *dir);

/* world_conf() - the configuration of a coordinator whose directory is @dir. Return: @buf. */
const char *world_conf(const char *dir, char *buf, size_t size);

/* world_file() - a file of that name in its directory. */
void world_file(const World *w, const char *name, const char *text);

/* world_again() - before another call. world_pump() - the agents go on alone for a while. */
void world_again(World *w);
void world_pump(World *w, Usec usec);

/* world_command() - the coordinator of a command line as it is typed, of `restart` or `resume`, with the
 * configuration in @dir. Return: its exit status. */
int world_command(const char *line, const char *dir, const CoordIo *io);

/* world_roll() - the same in this process; what it wrote is in w->lines. world_ends() - it ends like that.
 * world_says() - and has written @part. */
int world_roll(World *w, const char *line);
void world_ends(World *w, const char *line, Result result);
void world_says(const World *w, const char *part);

unsigned world_restarts(const World *w); /* of all nodes together */
void world_has_no_lease(const World *w);
