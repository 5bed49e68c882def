/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/nft-rule.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#define TCP_FLAG_SYN    0x02u
#define TCP_FLAGS_STATE 0x17u /* FIN, SYN, RST, ACK */

NftRule nft_rule_new(NftMsg *m, const char *table, const char *chain)
{
        NftRule r = { .m = m, .table = table, .chain = chain, .rule = nftnl_rule_alloc() };

        if (!r.rule)
                nft_msg_fail(m, -ENOMEM);
        return r;
}

void nft_rule_put(NftRule *r)
{
        struct nlmsghdr *nlh = nft_msg_change(r->m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "a rule");

        if (r->rule) {
                nft_msg_check(r->m, nftnl_rule_set_str(r->rule, NFTNL_RULE_TABLE, r->table));
                nft_msg_check(r->m, nftnl_rule_set_str(r->rule, NFTNL_RULE_CHAIN, r->chain));
                nftnl_rule_nlmsg_build_payload(nlh, r->rule);
                nftnl_rule_free(r->rule);
                r->rule = NULL;
        }
        nft_msg_end(r->m, nlh);
}

/* The new expression, owned by the rule; NULL when there is no memory. */
static struct nftnl_expr *expr_add(NftRule *r, const char *name)
{
        struct nftnl_expr *e = r->rule ? nftnl_expr_alloc(name) : NULL;

        if (e)
                nftnl_rule_add_expr(r->rule, e);
        else
                nft_msg_fail(r->m, -ENOMEM);
        return e;
}

void nft_rule_compare(NftRule *r, uint32_t op, const void *data, uint32_t bytes)
{
        struct nftnl_expr *e = expr_add(r, "cmp");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
        nft_msg_check(r->m, nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, bytes));
}

void nft_rule_meta_is(NftRule *r, uint32_t key, uint8_t value)
{
        struct nftnl_expr *e = expr_add(r, "meta");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
        nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
        nft_rule_compare(r, NFT_CMP_EQ, &value, sizeof(value));
}

static void load_to(NftRule *r, uint32_t base, uint32_t offset, uint32_t bytes, uint32_t reg)
{
        struct nftnl_expr *e = expr_add(r, "payload");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, bytes);
        nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

void nft_rule_load(NftRule *r, uint32_t base, uint32_t offset, uint32_t bytes)
{
        load_to(r, base, offset, bytes, NFT_REG_1);
}

void nft_rule_mask(NftRule *r, uint8_t mask)
{
        struct nftnl_expr *e = expr_add(r, "bitwise");
        const uint8_t zero = 0;

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
        nft_msg_check(r->m, nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask)));
        nft_msg_check(r->m, nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero)));
}

void nft_rule_tcp(NftRule *r)
{
        nft_rule_meta_is(r, NFT_META_L4PROTO, IPPROTO_TCP);
}

/* Is what begins in the first register in @set? */
static void look_up(NftRule *r, const char *set)
{
        struct nftnl_expr *e = expr_add(r, "lookup");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
        nft_msg_check(r->m, nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set));
}

void nft_rule_port_in(NftRule *r, uint32_t offset, const char *set)
{
        nft_rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(uint16_t));
        look_up(r, set);
}

void nft_rule_syn(NftRule *r, uint32_t op)
{
        const uint8_t syn = TCP_FLAG_SYN;

        nft_rule_load(r, NFT_PAYLOAD_TRANSPORT_HEADER, NFT_RULE_TCP_FLAGS, 1);
        nft_rule_mask(r, TCP_FLAGS_STATE);
        nft_rule_compare(r, op, &syn, sizeof(syn));
}

static void family_is(NftRule *r, int family)
{
        nft_rule_meta_is(r, NFT_META_NFPROTO, family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

/* Offset in the IP header. */
static uint32_t address_at(int family, NftEnd end)
{
        if (family == AF_INET6)
                return end == NFT_END_SOURCE ? 8 : 24;
        return end == NFT_END_SOURCE ? 12 : 16;
}

void nft_rule_address(NftRule *r, int family, NftEnd end, uint32_t bytes)
{
        family_is(r, family);
        nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, address_at(family, end), bytes);
}

void nft_rule_source_in(NftRule *r, int family, const char *set)
{
        family_is(r, family);
        nft_rule_tcp(r);
        /* NFT_REG_1 is NFT_REG32_00 and more; a register that is not filled is zero behind what was loaded.
         */
        load_to(r, NFT_PAYLOAD_TRANSPORT_HEADER, NFT_RULE_TCP_DPORT, sizeof(uint16_t), NFT_REG_1);
        load_to(r, NFT_PAYLOAD_NETWORK_HEADER, address_at(family, NFT_END_SOURCE),
                family == AF_INET6 ? 16 : 4, NFT_REG32_01);
        look_up(r, set);
}

/* Update an element of @set whose key begins in the first register. NULL when there is no memory. */
static struct nftnl_expr *update(NftRule *r, const char *set)
{
        struct nftnl_expr *e = expr_add(r, "dynset");

        if (!e)
                return NULL;
        nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
        nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        nft_msg_check(r->m, nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set));
        return e;
}

void nft_rule_remember_peer(NftRule *r, const char *set, int family, NftEnd peer, Usec timeout_usec)
{
        const bool six = family == AF_INET6;
        const uint32_t peer_port = peer == NFT_END_SOURCE ? NFT_RULE_TCP_SPORT : NFT_RULE_TCP_DPORT;
        const uint32_t own_port = peer == NFT_END_SOURCE ? NFT_RULE_TCP_DPORT : NFT_RULE_TCP_SPORT;
        /* Four bytes each, behind an address that begins in NFT_REG_1, which is NFT_REG32_00. */
        const uint32_t after = six ? NFT_REG32_04 : NFT_REG32_01;

        family_is(r, family);
        nft_rule_tcp(r);
        nft_rule_load(r, NFT_PAYLOAD_NETWORK_HEADER, address_at(family, peer), six ? 16 : 4);
        load_to(r, NFT_PAYLOAD_TRANSPORT_HEADER, peer_port, sizeof(uint16_t), after);
        load_to(r, NFT_PAYLOAD_TRANSPORT_HEADER, own_port, sizeof(uint16_t), after + 1);
        struct nftnl_expr *e = update(r, set);
        if (e)
                nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_usec / USEC_PER_MSEC);
}

void nft_rule_remember(NftRule *r, const char *set)
{
        struct nftnl_expr *e = update(r, set);
        if (!e)
                return;

        struct nftnl_expr *counter = nftnl_expr_alloc("counter");
        if (!counter) {
                nft_msg_fail(r->m, -ENOMEM);
                return;
        }
        /* The one expression, not the list of them: that is what kernels before 5.11 know. */
        nft_msg_check(r->m, nftnl_expr_set(e, NFTNL_EXPR_DYNSET_EXPR, counter, 0));
}

void nft_rule_count(NftRule *r, const char *counter)
{
        struct nftnl_expr *e = expr_add(r, "objref");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
        nft_msg_check(r->m, nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, counter));
}

void nft_rule_verdict(NftRule *r, int verdict, const char *chain)
{
        struct nftnl_expr *e = expr_add(r, "immediate");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t) verdict);
        if (chain)
                nft_msg_check(r->m, nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain));
}

void nft_rule_reset(NftRule *r)
{
        struct nftnl_expr *e = expr_add(r, "reject");

        if (!e)
                return;
        nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
        nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
}
