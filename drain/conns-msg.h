/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The bytes of NETLINK_SOCK_DIAG: requests out, answers in. Pure: no socket, no allocation.
 *
 * Dumps use the older request (TCPDIAG_GETSOCK, struct inet_diag_req): the kernel takes it as "any family",
 * so one walk of its table tells IPv4 and IPv6; struct inet_diag_req_v2 needs one walk for each. Source:
 * sock_diag(7); linux/inet_diag.h; inet_diag_dump_compat() and inet_diag_bc_run() in net/ipv4/inet_diag.c.
 */

#include <stddef.h>
#include <stdint.h>

#include "drain/conns.h"

/* The longest request: headers and 20 bytes of filter for each port. */
#define CONNS_MSG_REQUEST_MAX 4096

/* The length of a conns_msg_get() request. */
#define CONNS_MSG_GET_SIZE 72

/*
 * conns_msg_dump() - the request for a dump.
 * One local port and no peer port go into the request's id (measured: the cheapest filter); everything else
 * becomes bytecode. @buf: 4-byte aligned. @filter: at least one port.
 * Return: bytes written; 0 when @size is too small or @filter names no port.
 */
size_t conns_msg_dump(const ConnsFilter *filter, uint32_t seq, void *buf, size_t size);

/* conns_msg_get() - the request for one socket. @buf: 4-byte aligned. Return: bytes written; 0: too small. */
size_t conns_msg_get(const Sock *s, uint32_t seq, void *buf, size_t size);

typedef enum ConnsMsgKind {
        CONNS_MSG_END,   /* nothing left in the buffer */
        CONNS_MSG_SOCK,  /* a socket */
        CONNS_MSG_DONE,  /* the dump is over; error: 0 or what made it fail */
        CONNS_MSG_ERROR, /* a request was refused (error < 0) or acknowledged (0) */
        CONNS_MSG_OTHER, /* well formed, of no interest */
        CONNS_MSG_BAD,   /* not a message: the rest of the buffer cannot be read */
        CONNS_MSG_KIND_COUNT,
} ConnsMsgKind;

typedef struct ConnsMsg {
        uint32_t seq;     /* of the request it answers */
        bool interrupted; /* NLM_F_DUMP_INTR: the dump may have missed sockets */
        int error;        /* DONE and ERROR: 0 or negative errno */
        Sock sock;        /* SOCK only */
} ConnsMsg;

/*
 * conns_msg_next() - take the next message from a receive buffer.
 * Attributes may come in any order and size; unknown ones are skipped, a shorter tcp_info (older kernel)
 * leaves the missing fields 0, a malformed attribute ends the list. Never reads outside of the buffer.
 * @pos, @left: the unread part, moved forward. @ret: written with every kind but END and BAD; ret->error is
 * set with DONE and ERROR and 0 otherwise.
 */
ConnsMsgKind conns_msg_next(const uint8_t **pos, size_t *left, ConnsMsg *ret);
