/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * TCP sockets of this network namespace, through NETLINK_SOCK_DIAG: dumps, exact gets, listeners.
 *
 * A dump is not a snapshot: under churn live sockets are missed, others are told twice, and no flag says so.
 * Whoever concludes something from an absence must look twice and look for a socket that must be there (a
 * listener). The namespace is the one the caller is in when conns_new() runs.
 * Source: sock_diag(7); linux/inet_diag.h, linux/sock_diag.h; struct tcp_info in linux/tcp.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define CONNS_PORTS_MAX 64

/* linux/tcp.h states as bits for ConnsFilter.states. */
#define CONNS_STATE(s) (1u << (s))
#define CONNS_LISTEN   CONNS_STATE(10)
#define CONNS_LIVE     (0xfffu & ~(CONNS_STATE(0) | CONNS_STATE(6) | CONNS_STATE(7))) /* not TIME_WAIT, CLOSE */

typedef struct Conns Conns;

/* One socket. Addresses: v4-mapped ones are IPv4. Ports in host byte order. Ages in milliseconds. */
typedef struct Sock {
        Addr local, peer;
        uint16_t local_port, peer_port;
        uint8_t kernel_family; /* family of the socket itself (a :: socket has IPv4 peers): for exact gets */
        uint8_t state;         /* TCP_ESTABLISHED = 1, ... TCP_LISTEN = 10, TCP_NEW_SYN_RECV is shown as 3 */
        uint32_t ifindex;   /* the device it is bound to (link-local peers, VRF), 0: none: for exact gets */
        bool has_info;      /* tcp_info was in the message; without it all ages and counts are 0 */
        uint64_t cookie;    /* identity for the socket's whole life */
        uint64_t soon;      /* a guess at the cookie that is told a few sockets later: for prefetching */
        uint64_t cgroup_id; /* 0: this kernel does not tell */
        uint32_t inode;     /* 0: no process has it yet (accept queue) or any more */
        uint32_t uid;
        uint32_t rqueue; /* unread bytes; on a listener: accept queue */
        uint32_t wqueue; /* written - acknowledged bytes; on a listener: backlog */
        uint32_t last_data_sent_ms, last_data_recv_ms, last_ack_recv_ms;
        uint32_t unacked; /* segments */
        uint32_t notsent_bytes;
        uint32_t rtt_usec;
        uint32_t data_segs_in, data_segs_out;
        uint64_t bytes_received; /* a FIN counts as one byte, here and (until it is read) in rqueue */
        uint64_t bytes_acked;    /* on the side that connected its SYN counts as one byte */
} Sock;

/* Sockets whose local port is in local_ports, or whose peer port is in peer_ports (0 entries: no such). */
typedef struct ConnsFilter {
        uint16_t local_ports[CONNS_PORTS_MAX];
        size_t n_local;
        uint16_t peer_ports[CONNS_PORTS_MAX];
        size_t n_peer;
        bool every_port; /* whatever the ports: the lists above are not used */
        uint32_t states; /* bits of CONNS_STATE() */
} ConnsFilter;

/* Called for each socket; @s is only valid during the call. Return: 0 to go on, negative errno to stop. */
typedef int (*ConnsFn)(const Sock *s, void *userdata);

/*
 * conns_new() - open the socket. Return: 0; -EPROTONOSUPPORT (no sock_diag in this kernel); negative errno.
 */
int conns_new(Conns **ret, Err *err) _must_check_;
Conns *conns_free(Conns *c);
DEFINE_CLEANUP(Conns, conns_free);

/*
 * conns_dump() - all sockets that match, both families in one walk of the kernel's table (IPv4 clients of a
 * :: listener appear once), filtered in the kernel. A dump that the kernel flags as interrupted is discarded
 * and asked again (a few times), so @fn may be given a socket twice; it never gets half a dump that reads as
 * success.
 * @filter: no local and no peer port matches nothing and asks nobody.
 * Return: 0; -EAGAIN (interrupted each time); -ETIMEDOUT (the kernel went silent); -EBADMSG (an answer that
 * is no netlink message); what @fn returned (no @err then); other negative errno.
 */
int conns_dump(Conns *c, const ConnsFilter *filter, ConnsFn fn, void *userdata, Err *err) _must_check_;

/*
 * conns_get() - these very sockets again, by address pair and cookie, batched. For each that is still there
 * @fn gets its present state (TIME_WAIT possible); for each that is gone (ENOENT), @gone gets its cookie.
 * @socks: addresses, ports, kernel_family, ifindex and cookie are used. @fn and @gone may not call into @c,
 * but may change what @socks was taken from only after the call.
 * Return: as conns_dump().
 */
int conns_get(Conns *c, const Sock *socks, size_t n, ConnsFn fn,
              void (*gone)(uint64_t cookie, void *userdata), void *userdata, Err *err) _must_check_;
