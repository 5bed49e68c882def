/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A netlink socket to nf_tables, and the three kinds of conversation over it. Used by block.c and
 * block-hold.c only.
 *
 * The kernel works on a message inside send(2) and has queued its answers when that returns; a missing answer
 * is therefore a lost one, and nothing here waits for long. Answers count only if they come from the kernel,
 * to our port, with a sequence number of this conversation: a socket from the fd store may still hold what
 * its former user did not read.
 * Source: netlink(7); net/netfilter/nfnetlink.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "drain/block.h"
#include "drain/nft-msg.h"

typedef struct Nft {
        int fd;           /* -1: closed */
        uint32_t port_id; /* our address; the kernel knows the owner of a table by it */
        uint32_t seq;     /* of the next message */
} Nft;

/*
 * nft_open() - open a socket and ask the kernel one harmless question through it.
 * @fd: a NETLINK_NETFILTER socket to use (taken over, also on failure), or -1.
 * Return: 0; -EPERM (no CAP_NET_ADMIN); -EPROTONOSUPPORT (no nf_tables); -ENOTSOCK/-EINVAL (@fd is something
 * else); other negative errno.
 */
int nft_open(Nft *ret, int fd, Err *err) _must_check_;

/* nft_close() - closed allowed. */
void nft_close(Nft *n);

/* nft_prepare() - an empty message collection with this socket's next sequence number. */
int nft_prepare(Nft *n, NftMsg **ret, Err *err) _must_check_;

/* What a batch failed on. */
typedef struct NftFailure {
        uint32_t index; /* of the message in the batch; 0 is the batch as a whole */
        int error;      /* negative errno of the kernel */
} NftFailure;

/*
 * nft_batch() - send a batch. It counts as done only when each of its messages has been acknowledged and none
 * has failed: a failed batch acknowledges its good messages as if nothing were.
 * A batch whose acknowledgements were lost is sent again; all of ours may be.
 * @ret_failure: written only when the kernel refused a message; may be NULL.
 * Return: 0; negative errno, with the kernel's extended acknowledgement in @err where it gave one.
 */
int nft_batch(Nft *n, NftMsg *m, NftFailure *ret_failure, Err *err) _must_check_;

/* Called with each answer; and before all of them are delivered once more: forget what came so far. */
typedef void (*NftOnReply)(const struct nlmsghdr *nlh, void *userdata);
typedef void (*NftOnAgain)(void *userdata);

/*
 * nft_get() - send requests that have one answer each. "No such thing" (ENOENT) is an answer without a call
 * of @on_reply.
 * Return: 0 (each was answered); negative errno.
 */
int nft_get(Nft *n, NftMsg *m, NftOnReply on_reply, NftOnAgain on_again, void *userdata,
            Err *err) _must_check_;

/*
 * nft_dump() - send one dump request. A dump that the kernel marks as interrupted, or whose answers were
 * lost, is asked for again, at most a few times. @ret_found: false when there is no such thing. Return: 0;
 * -EAGAIN (interrupted each time); other negative errno.
 */
int nft_dump(Nft *n, NftMsg *m, NftOnReply on_reply, NftOnAgain on_again, void *userdata, bool *ret_found,
             Err *err) _must_check_;

/* What there is of one of our tables. */
typedef struct NftTable {
        bool exists;
        bool intact; /* not dormant, and each chain has the rules we gave it */
        uint32_t flags, owner;
        uint64_t packets[BLOCK_COUNTER_COUNT]; /* in the order of NftTableShape.counters */
} NftTable;

/* nft_read_table() - a missing table is an answer. Return: 0; negative errno. */
int nft_read_table(Nft *n, const NftTableShape *table, NftTable *ret, Err *err) _must_check_;

/* Which of some ports are in a set. */
typedef struct NftPorts {
        const uint16_t *want; /* host byte order; at most BLOCK_PORTS_MAX, each once */
        size_t n_want;
        uint64_t seen;     /* bit i: want[i] is there and has not expired */
        Usec expires_usec; /* the soonest among those seen; USEC_INFINITY */
} NftPorts;

/* nft_read_ports() - @ports: the first two fields are given, the others are written. */
int nft_read_ports(Nft *n, const char *table, const char *set, NftPorts *ports, Err *err) _must_check_;

/* Which of some keys are in a set. */
typedef struct NftKeys {
        const uint8_t *want; /* as nft_msg_elements() has them, each once */
        size_t key_bytes, n_want;
        bool *seen;        /* n_want of them, written */
        size_t n_seen;     /* written */
        Usec expires_usec; /* the soonest among those seen; USEC_INFINITY */
} NftKeys;

/* nft_read_keys() - @keys: the first four fields are given, the others are written. */
int nft_read_keys(Nft *n, const char *table, const char *set, NftKeys *keys, Err *err) _must_check_;

/* nft_ports_all(), nft_ports_any() - are all (none of none counts as all), is any of them there? */
bool nft_ports_all(const NftPorts *ports);
bool nft_ports_any(const NftPorts *ports);
