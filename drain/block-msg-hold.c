/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The hold table. */

#include "drain/block-msg-impl.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <sys/socket.h>

static const NftChainShape hold_chains[] = { { BLOCK_MSG_CHAIN_INPUT, 6 }, { BLOCK_MSG_CHAIN_REFUSE, 6 } };
static const char *const hold_counters[] = { "refused" };

const NftTableShape block_msg_held = {
        .name = BLOCK_HOLD_TABLE,
        .chains = hold_chains,
        .n_chains = ELEMENTS(hold_chains),
        .counters = hold_counters,
        .n_counters = ELEMENTS(hold_counters),
};

/* All ports of one kind in all plans, each once. */
typedef struct PortUnion {
        uint16_t *ports;
        size_t n;
} PortUnion;

static void union_add(PortUnion *u, const uint16_t *ports, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (!block_msg_ports_have(u->ports, u->n, ports[i]))
                        u->ports[u->n++] = ports[i];
}

/* Without NLM_F_EXCL an element that is there already, from another plan, is no failure. */
static void put_from_hold(NftMsg *m, const BlockPlan *plan, int family)
{
        BlockFromKeys k;

        block_msg_from_keys(plan, family, &k);
        nft_msg_elements(m, NFT_MSG_NEWSETELEM, BLOCK_HOLD_TABLE,
                         family == AF_INET6 ? BLOCK_MSG_SET_FROM6 : BLOCK_MSG_SET_FROM4, k.keys, k.key_bytes,
                         k.n, 0, "a held source");
}

int block_msg_hold(NftMsg *m, const BlockPlan *plans, size_t n, Err *err)
{
        const NftHook input = { .number = NF_INET_LOCAL_IN, .priority = BLOCK_MSG_HOLD_PRIORITY };
        _cleanup_(freep) uint16_t *whole_ports = calloc(n + 1, sizeof(uint16_t[BLOCK_PORTS_MAX]));
        _cleanup_(freep) uint16_t *syn_ports = calloc(n + 1, sizeof(uint16_t[BLOCK_PORTS_MAX]));
        PortUnion whole = { .ports = whole_ports }, syn = { .ports = syn_ports };
        size_t n_from = 0;

        if (!whole_ports || !syn_ports)
                return err_errno(err, -ENOMEM, "cannot build a firewall message");
        for (size_t i = 0; i < n; i++) {
                BlockPlan plan = { .n_whole = 0 };
                int r = block_msg_check(&plans[i], &plan, err);

                if (r < 0)
                        return r;
                if (!block_msg_refuses(&plan))
                        return err_set(err, -EINVAL,
                                       plan.n_from_ports ? "it is not known from whom to hold"
                                                         : "there is no health port to hold");
                union_add(&whole, plan.whole_ports, plan.n_whole);
                union_add(&syn, plan.syn_ports, plan.n_syn);
                n_from += plan.n_from_ports * plan.n_from;
        }

        nft_msg_batch_begin(m);
        block_msg_put_clear(m, BLOCK_HOLD_TABLE);
        nft_msg_table(m, NFT_MSG_NEWTABLE, BLOCK_HOLD_TABLE, 0, "the table");
        block_msg_put_port_set(m, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_WHOLE, false, whole.n);
        block_msg_put_port_set(m, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_SYN, false, syn.n);
        block_msg_put_from_set(m, BLOCK_HOLD_TABLE, AF_INET, false, n_from);
        block_msg_put_from_set(m, BLOCK_HOLD_TABLE, AF_INET6, false, n_from);
        nft_msg_counter(m, BLOCK_HOLD_TABLE, hold_counters[0]);
        nft_msg_chain(m, BLOCK_HOLD_TABLE, BLOCK_MSG_CHAIN_INPUT, &input);
        nft_msg_chain(m, BLOCK_HOLD_TABLE, BLOCK_MSG_CHAIN_REFUSE, NULL);

        block_msg_put_loopback(m, BLOCK_HOLD_TABLE, BLOCK_MSG_CHAIN_INPUT, NFT_END_SOURCE);
        block_msg_put_jump(m, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_WHOLE, BLOCK_MSG_CHAIN_REFUSE);
        block_msg_put_from(m, BLOCK_HOLD_TABLE);

        NftRule attempt = nft_rule_new(m, BLOCK_HOLD_TABLE, BLOCK_MSG_CHAIN_INPUT);
        nft_rule_tcp(&attempt);
        nft_rule_syn(&attempt, NFT_CMP_EQ);
        nft_rule_port_in(&attempt, NFT_RULE_TCP_DPORT, BLOCK_MSG_SET_SYN);
        nft_rule_verdict(&attempt, NFT_JUMP, BLOCK_MSG_CHAIN_REFUSE);
        nft_rule_put(&attempt);

        NftRule total = nft_rule_new(m, BLOCK_HOLD_TABLE, BLOCK_MSG_CHAIN_REFUSE);
        nft_rule_tcp(&total);
        nft_rule_syn(&total, NFT_CMP_EQ);
        nft_rule_count(&total, hold_counters[0]);
        nft_rule_put(&total);
        block_msg_put_reject(m, BLOCK_HOLD_TABLE);

        nft_msg_ports(m, NFT_MSG_NEWSETELEM, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_WHOLE, whole.ports, whole.n, 0,
                      "a held port");
        nft_msg_ports(m, NFT_MSG_NEWSETELEM, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_SYN, syn.ports, syn.n, 0,
                      "a held port");
        for (size_t i = 0; i < n; i++) {
                BlockPlan plan;
                int r = block_msg_check(&plans[i], &plan, err);

                if (r < 0)
                        return r;
                put_from_hold(m, &plan, AF_INET);
                put_from_hold(m, &plan, AF_INET6);
        }
        return nft_msg_batch_end(m, err);
}
