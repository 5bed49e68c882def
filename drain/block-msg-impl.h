/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by the files of the batches (block-msg*.c) and nobody else. */

#include "drain/block-msg.h"
#include "drain/nft-rule.h"

/* Chains that both tables have. */
#define BLOCK_MSG_CHAIN_INPUT  "input"
#define BLOCK_MSG_CHAIN_REFUSE "refuse"

/* --- block-msg-plan.c --- */

/* block_msg_ports_have() - is @port one of the @n @ports? */
bool block_msg_ports_have(const uint16_t *ports, size_t n, uint16_t port);

/* --- block-msg.c --- */

/*
 * Parts of a batch about @table; failures are remembered by @m.
 * block_msg_put_clear() - there is no table @name then. block_msg_put_port_set() - a set of ports;
 * block_msg_put_from_set() - of ports with sources of @family. @timeouts: its elements have them; then it has
 * no size, otherwise there is room for @n.
 */
void block_msg_put_clear(NftMsg *m, const char *name);
void block_msg_put_port_set(NftMsg *m, const char *table, const char *name, bool timeouts, size_t n);
void block_msg_put_from_set(NftMsg *m, const char *table, int family, bool timeouts, size_t n);

/* Rules, each behind those of its chain. block_msg_put_from() - who is in the sets of sources is refused.
 * block_msg_put_jump() - ports in @set: to @chain. block_msg_put_loopback() - loopback addresses at @end of
 * the packet are let pass. block_msg_put_reject() - what is in the refusing chain is reset. */
void block_msg_put_from(NftMsg *m, const char *table);
void block_msg_put_jump(NftMsg *m, const char *table, const char *set, const char *chain);
void block_msg_put_loopback(NftMsg *m, const char *table, const char *chain, NftEnd end);
void block_msg_put_reject(NftMsg *m, const char *table);
