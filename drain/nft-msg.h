/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Messages to nf_tables, as bytes: tables, sets, counters, chains, elements, and requests. All in the inet
 * family. Pure: no socket, no clock. Rules are nft-rule.h, answers nft-parse.h, sending is nft.h.
 *
 * A NftMsg collects messages one after another, each with its own sequence number and a label for people. A
 * failure while building (memory, size) is remembered and comes out at the end, so what is half built is
 * never handed out, and the calls between need no check. Source: linux/netfilter/nf_tables.h,
 * linux/netfilter/nfnetlink.h, libnftnl.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct nlmsghdr;

/*
 * Table flags by number: RHEL 8's headers lack the later two, and an enum cannot be asked for by the
 * preprocessor. Source: linux/netfilter/nf_tables.h of Linux 6.9 (enum nft_table_flags); OWNER since 5.12,
 * PERSIST since 6.9.
 */
#define NFT_MSG_TABLE_DORMANT 0x1u
#define NFT_MSG_TABLE_OWNER   0x2u
#define NFT_MSG_TABLE_PERSIST 0x4u

typedef struct NftMsg NftMsg;

/* nft_msg_new() - an empty collection. @seq: sequence number of the first message. Return: 0; -ENOMEM. */
int nft_msg_new(NftMsg **ret, uint32_t seq, Err *err) _must_check_;

/* nft_msg_free() - NULL allowed. Return: NULL. */
NftMsg *nft_msg_free(NftMsg *m);
DEFINE_CLEANUP(NftMsg, nft_msg_free);

/* nft_msg_bytes() - the messages, aligned, ready to be sent; they stay owned by @m. */
const void *nft_msg_bytes(const NftMsg *m, size_t *ret_bytes);

/* nft_msg_first(), nft_msg_count() - the sequence numbers used: first ... first + count - 1. */
uint32_t nft_msg_first(const NftMsg *m);
uint32_t nft_msg_count(const NftMsg *m);

/* nft_msg_acks() - how many messages ask for an acknowledgement (in a batch: all but begin and end). */
uint32_t nft_msg_acks(const NftMsg *m);

/* nft_msg_label() - what message @index (from 0) is about ("a set"); "?" for one there is not. */
const char *nft_msg_label(const NftMsg *m, uint32_t index);

/* nft_msg_asks_owner() - is it message @index that asks for table flags (and fails where they are unknown)?
 */
bool nft_msg_asks_owner(const NftMsg *m, uint32_t index);

/*
 * nft_msg_part_begin(), nft_msg_part_end() - what is built between them is the one part of the batch that can
 * be done without. nft_msg_in_part() - does message @index belong to it?
 */
void nft_msg_part_begin(NftMsg *m);
void nft_msg_part_end(NftMsg *m);
bool nft_msg_in_part(const NftMsg *m, uint32_t index);

/* A batch: begin, changes, end. nft_msg_batch_end() - Return: 0; -ENOMEM; -E2BIG (more than fits). */
void nft_msg_batch_begin(NftMsg *m);
int nft_msg_batch_end(NftMsg *m, Err *err) _must_check_;

/*
 * nft_msg_table() - @type: NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE. @flags: 0 for a message without flags, which
 * leaves those of a table that exists alone. @label: a constant.
 */
void nft_msg_table(NftMsg *m, uint16_t type, const char *name, uint32_t flags, const char *label);

typedef struct NftSetShape {
        const char *table, *name;
        uint32_t key_type, key_bytes;
        uint32_t flags;    /* enum nft_set_flags */
        uint32_t size;     /* 0: as many as are added */
        Usec timeout_usec; /* 0: none of the set's own */
} NftSetShape;

void nft_msg_set(NftMsg *m, const NftSetShape *shape);

/* nft_msg_counter() - a named counter object, from 0. */
void nft_msg_counter(NftMsg *m, const char *table, const char *name);

/* Where a base chain (policy accept) sees packets. */
typedef struct NftHook {
        uint32_t number; /* enum nf_inet_hooks */
        int priority;
} NftHook;

/* @hook: NULL for a chain that is only jumped to. */
void nft_msg_chain(NftMsg *m, const char *table, const char *name, const NftHook *hook);

/*
 * nft_msg_ports() - @type: NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM. @ports: host byte order, any number of
 * them. @timeout_msec: 0 for none (always so for a deletion).
 */
void nft_msg_ports(NftMsg *m, uint16_t type, const char *table, const char *set, const uint16_t *ports,
                   size_t n, uint64_t timeout_msec, const char *label);

/*
 * nft_msg_elements() - the same of a set with any kind of key. @keys: @n of @key_bytes each, one behind the
 * other, as the kernel has them.
 */
void nft_msg_elements(NftMsg *m, uint16_t type, const char *table, const char *set, const uint8_t *keys,
                      size_t key_bytes, size_t n, uint64_t timeout_msec, const char *label);

/*
 * nft_msg_flush() - empty a set; one that is empty may be emptied too. A deletion that names no elements does
 * it. Source: nf_tables_delsetelem(), since Linux 4.10.
 */
void nft_msg_flush(NftMsg *m, const char *table, const char *set);

/* What is to be found in a table of ours. */
typedef struct NftChainShape {
        const char *name;
        uint32_t use; /* its rules plus the jumps to it, as in NFTA_CHAIN_USE */
} NftChainShape;

typedef struct NftTableShape {
        const char *name;
        const NftChainShape *chains;
        size_t n_chains;
        const char *const *counters; /* names of counter objects */
        size_t n_counters;
} NftTableShape;

/* Requests; each fills an empty @m. Return: 0; -ENOMEM. */

/* nft_msg_get_generation() - the smallest question: are we allowed, is there an nf_tables? */
int nft_msg_get_generation(NftMsg *m, Err *err) _must_check_;

/* nft_msg_get_table() - the table, its chains and counters: one request each, in one send. */
int nft_msg_get_table(NftMsg *m, const NftTableShape *table, Err *err) _must_check_;

/* nft_msg_get_elements() - dump the elements of one set. */
int nft_msg_get_elements(NftMsg *m, const char *table, const char *set, Err *err) _must_check_;

/* nft_msg_get_elements_of() - the same in another family. @family: NFPROTO_*. */
int nft_msg_get_elements_of(NftMsg *m, uint8_t family, const char *table, const char *set,
                            Err *err) _must_check_;

/* nft_msg_get_all() - dump all of a kind, whosever they are, in all families. @type: NFT_MSG_GETCHAIN,
 * NFT_MSG_GETRULE. */
int nft_msg_get_all(NftMsg *m, uint16_t type, Err *err) _must_check_;

/*
 * nft_msg_get_element() - ask for the one element of @key (network byte order); may be called again for more
 * of them. One key a message: the kernel answers several in one message only up to the first it has not.
 * Return: 0; -ENOMEM; -E2BIG (more than fits). Source: nf_tables_getsetelem(), since Linux 4.15.
 */
int nft_msg_get_element(NftMsg *m, const char *table, const char *set, const void *key, size_t key_bytes,
                        Err *err) _must_check_;

/* For nft-rule.c: a message that is acknowledged, from nft_msg_change() to nft_msg_end(). @type: NFT_MSG_*.
 */
struct nlmsghdr *nft_msg_change(NftMsg *m, uint16_t type, uint16_t flags, const char *label);
void nft_msg_end(NftMsg *m, const struct nlmsghdr *nlh);

/* nft_msg_fail() - remember a failure. nft_msg_check() - the same for @r of a libnftnl call that allocates.
 */
void nft_msg_fail(NftMsg *m, int error);
void nft_msg_check(NftMsg *m, int r);
