/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is true of a component on this node right now: what it says over HTTP, which sockets it listens on,
 * whose cgroup they are in, which unit that is, how long its requests may last. Nothing is changed.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/config.h"
#include "drain/block.h"
#include "drain/conns.h"
#include "probes/edge-json.h"
#include "probes/http.h"

typedef struct Facts {
        /* /v1/servers/self and /up */
        bool self_known;
        EdgeSelf self;
        char self_text[320]; /* why not known, or what was odd */
        bool up_known, up;
        char up_text[320];

        /* sockets */
        bool tls;                   /* between the routers and a message processor; a router: as configured */
        bool tls_unknown;           /* tls_from says why; then nothing may be refused */
        char tls_from[200];         /* where that comes from */
        BlockKind block;            /* what is refused on the health port; never auto */
        uint16_t http_port;         /* a message processor's: carries its traffic; 0: not known */
        uint16_t health_port;       /* 0: not known, see health_port_from */
        char health_port_from[320]; /* where the number comes from, or why there is none */
        uint16_t next_health_port;  /* what the properties have, where that is another; 0 */
        bool running;               /* somebody listens on it */
        bool sockets_failed;        /* the kernel does not tell; traffic_from says why */
        bool loopback_only;         /* ... but only on loopback: no checker can reach it */
        uint32_t health_inode;
        uint64_t cgroup_id; /* of that listener; 0: this kernel does not tell */
        char cgroup[256];
        char unit[256];       /* the unit of that cgroup; "" when not known */
        char shared_with[64]; /* another component that listens in the same cgroup; "" */
        uint16_t traffic_ports[CONNS_PORTS_MAX];
        size_t n_traffic;
        char traffic_from[160];

        /* limits */
        Usec request_limit_usec;
        char request_limit_from[256];
        char properties_odd[160]; /* what of Edge's files could not be read or understood; "": nothing */
} Facts;

typedef struct FactsCall FactsCall;
typedef void (*FactsFn)(const Facts *facts, void *userdata); /* valid during the callback */

/*
 * facts_gather() - ask everything, once. @known_port: the health port of the last good job, 0 when there is
 * none. An answer that is wrong (not JSON, a port that is no port) leaves health_port 0 with the reason; no
 * answer at all falls back to the properties and to @known_port.
 * @fn: called once from the loop.
 */
int facts_gather(Http *http, Conns *conns, const Config *config, const Component *component,
                 uint16_t known_port, FactsFn fn, void *userdata, FactsCall **ret, Err *err) _must_check_;
FactsCall *facts_cancel(FactsCall *c);
DEFINE_CLEANUP(FactsCall, facts_cancel);

/* facts_block() - pure: what is refused, by what is configured and known of TLS. */
BlockKind facts_block(const Component *component, bool tls);

/*
 * facts_refused_from() - does the table inet @table refuse the component's management port (or the configured
 * health port) from some sources? @ret_plan: the plan that this is. A table that cannot be read reads as
 * false.
 */
bool facts_refused_from(const Component *component, const char *table, BlockPlan *ret_plan);

/*
 * facts_held() - does the table of holds refuse @port, or the component's management port from routers,
 * whatever the records say? @ret_plan: the plan that this is. A table that cannot be read reads as false.
 */
bool facts_held(const Component *component, uint16_t port, BlockPlan *ret_plan);

/*
 * facts_runs_in() - the cgroup of whoever listens on @port, not on loopback if there is a choice. Return:
 * false when nobody does, or this kernel does not tell; @ret: @size bytes, "" then.
 */
bool facts_runs_in(const Config *config, Conns *conns, uint16_t port, char *ret, size_t size);

/*
 * facts_left_over() - does a table of jobs refuse @port? To be asked while no job runs: then an agent that is
 * gone has left it. A table that cannot be read, or is another process's, reads as false.
 */
bool facts_left_over(const Component *component, uint16_t port);

/*
 * facts_listening() - how many of @ports are being listened on; @ret_inode_sum: changes when a listener was
 * replaced (the sum of the listeners' inodes). Return: number, or negative errno.
 */
int facts_listening(Conns *conns, const uint16_t *ports, size_t n, uint64_t *ret_inode_sum,
                    Err *err) _must_check_;
