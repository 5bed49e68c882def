/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A rule is built by one call for each expression, between nft_rule_new() and nft_rule_put(). What an
 * expression loads, the next one compares, looks up or remembers: there is one register, except inside
 * nft_rule_remember_peer(). Failures are remembered by the NftMsg.
 * Source: nft --debug=netlink; net/netfilter/nft_*.c.
 */

#include "drain/nft-msg.h"

struct nftnl_rule;

/* Offsets in the TCP header. */
#define NFT_RULE_TCP_SPORT 0u
#define NFT_RULE_TCP_DPORT 2u
#define NFT_RULE_TCP_WORDS 12u /* header length in 32-bit words, in the upper half of the byte */
#define NFT_RULE_TCP_FLAGS 13u

typedef struct NftRule {
        NftMsg *m;
        const char *table, *chain;
        struct nftnl_rule *rule; /* NULL after a failed allocation, which @m remembers */
} NftRule;

NftRule nft_rule_new(NftMsg *m, const char *table, const char *chain);

/* nft_rule_put() - make the message: the rule goes behind those of its chain. @r is used up. */
void nft_rule_put(NftRule *r);

/* @op: enum nft_cmp_ops. */
void nft_rule_compare(NftRule *r, uint32_t op, const void *data, uint32_t bytes);

/* @key: enum nft_meta_keys, of one byte. */
void nft_rule_meta_is(NftRule *r, uint32_t key, uint8_t value);

/* @base: enum nft_payload_bases. A packet that has no such bytes does not match the rule. */
void nft_rule_load(NftRule *r, uint32_t base, uint32_t offset, uint32_t bytes);

/* & @mask, of one byte. */
void nft_rule_mask(NftRule *r, uint8_t mask);

/* meta l4proto tcp: nothing behind it is read from anything else, as the TCP reset demands. */
void nft_rule_tcp(NftRule *r);

/* tcp dport @set, or sport. @offset: NFT_RULE_TCP_DPORT, NFT_RULE_TCP_SPORT. */
void nft_rule_port_in(NftRule *r, uint32_t offset, const char *set);

/* meta nfproto ipv4 meta l4proto tcp tcp dport . ip saddr @set, or of ip6: NFT_RULE_SOURCE_KEY() bytes. */
void nft_rule_source_in(NftRule *r, int family, const char *set);
#define NFT_RULE_SOURCE_KEY(address_bytes) (4u + (address_bytes))

/*
 * tcp flags & (fin|syn|rst|ack) == syn, or !=: a connection attempt, known without conntrack.
 * @op: NFT_CMP_EQ, NFT_CMP_NEQ.
 */
void nft_rule_syn(NftRule *r, uint32_t op);

/* Which end of a packet. */
typedef enum NftEnd {
        NFT_END_SOURCE,
        NFT_END_DESTINATION,
        NFT_END_COUNT,
} NftEnd;

/* meta nfproto ipv4 ip saddr, or daddr, or of ip6: load it. @bytes: how many of its leading ones. */
void nft_rule_address(NftRule *r, int family, NftEnd end, uint32_t bytes);

/* update @set { ADDRESS counter } */
void nft_rule_remember(NftRule *r, const char *set);

/*
 * meta nfproto ipv4 meta l4proto tcp update @set { ip saddr . tcp sport . tcp dport timeout T }, or of ip6.
 * @peer: which end is the peer; the other one's port comes last. @timeout_usec: not 0.
 */
void nft_rule_remember_peer(NftRule *r, const char *set, int family, NftEnd peer, Usec timeout_usec);

/* counter name NAME */
void nft_rule_count(NftRule *r, const char *counter);

/* @verdict: NF_ACCEPT, NF_DROP, NFT_RETURN, or NFT_JUMP to @chain (else NULL). */
void nft_rule_verdict(NftRule *r, int verdict, const char *chain);

/* reject with tcp reset */
void nft_rule_reset(NftRule *r);
