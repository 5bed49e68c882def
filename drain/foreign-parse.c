/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/foreign.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "drain/nft-attr.h"
#include "drain/nft-rule.h"

#define REGISTERS 32u /* above NFT_REG32_15 */

/* What a register holds. */
typedef enum Held {
        HELD_OTHER,
        HELD_DPORT,
        HELD_INTERFACE,
        HELD_L4PROTO,
        HELD_FAMILY,
} Held;

/* One rule, expression by expression. */
typedef struct Reading {
        ForeignRule rule;
        uint16_t port;
        Held held[REGISTERS];
        bool named;   /* the port was asked for */
        bool matches; /* as far as was read, a packet to the port passes */
        bool more;    /* something else was asked for, too */
        bool refuses;
        bool odd; /* rejects in another way than the usual */
} Reading;

static Held *held(Reading *r, uint32_t reg)
{
        static Held nowhere;

        return reg < REGISTERS ? &r->held[reg] : &nowhere;
}

static void name_port(Reading *r, bool yes, bool alone)
{
        r->matches = r->matches && yes;
        r->rule.alone = alone && (!r->named || r->rule.alone);
        r->named = true;
}

static uint16_t port_of(const void *data, uint32_t bytes)
{
        uint16_t port_be = 0;

        if (data && bytes >= sizeof(port_be))
                memcpy(&port_be, data, sizeof(port_be));
        return ntohs(port_be);
}

static uint32_t number(const struct nlattr *a)
{
        uint32_t n = 0;

        (void) nft_attr_u32(a, &n);
        return n;
}

/* What is compared with. */
static const void *value(const struct nlattr *nest, uint32_t *ret_bytes)
{
        const struct nlattr *a[NFT_ATTRS];

        (void) nft_attrs_of_nest(nest, a);
        return nft_attr_bytes(a[NFTA_DATA_VALUE], ret_bytes);
}

static void on_compare(Reading *r, const struct nlattr **a)
{
        const Held what = *held(r, number(a[NFTA_CMP_SREG]));
        const uint32_t op = number(a[NFTA_CMP_OP]);
        uint32_t bytes;
        const uint8_t *data = value(a[NFTA_CMP_DATA], &bytes);
        const uint16_t port = port_of(data, bytes);

        switch (what) {
        case HELD_DPORT:
                name_port(r,
                          op == NFT_CMP_EQ    ? r->port == port
                          : op == NFT_CMP_NEQ ? r->port != port
                          : op == NFT_CMP_LT  ? r->port < port
                          : op == NFT_CMP_LTE ? r->port <= port
                          : op == NFT_CMP_GT  ? r->port > port
                                              : r->port >= port,
                          op == NFT_CMP_EQ);
                return;
        case HELD_L4PROTO:
                if (bytes >= 1 && (op == NFT_CMP_EQ) != (data[0] == IPPROTO_TCP))
                        r->matches = false;
                return;
        case HELD_FAMILY:
                return;
        case HELD_INTERFACE:
                /* A name that is compared with its end is one interface; without, it is the start of many. */
                if (op == NFT_CMP_EQ && data && memchr(data, '\0', bytes) && !*r->rule.iif) {
                        (void) snprintf(r->rule.iif, sizeof(r->rule.iif), "%.15s", (const char *) data);
                        return;
                }
                break;
        case HELD_OTHER:
                break;
        }
        r->more = true;
}

static void on_range(Reading *r, const struct nlattr **a)
{
        const bool equal = number(a[NFTA_RANGE_OP]) == NFT_RANGE_EQ;
        uint32_t n_from, n_to;
        const void *from = value(a[NFTA_RANGE_FROM_DATA], &n_from), *to = value(a[NFTA_RANGE_TO_DATA], &n_to);

        if (*held(r, number(a[NFTA_RANGE_SREG])) != HELD_DPORT) {
                r->more = true;
                return;
        }
        name_port(r, equal == (r->port >= port_of(from, n_from) && r->port <= port_of(to, n_to)), false);
}

static void on_lookup(Reading *r, const struct nlattr **a)
{
        const char *set = nft_attr_text(a[NFTA_LOOKUP_SET]);

        /* With a destination it is a map, whose verdicts are not followed. */
        if (a[NFTA_LOOKUP_DREG] || *r->rule.set || !set ||
            *held(r, number(a[NFTA_LOOKUP_SREG])) != HELD_DPORT) {
                r->more = true;
                return;
        }
        (void) snprintf(r->rule.set, sizeof(r->rule.set), "%.63s", set);
        r->rule.not_in_set = number(a[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV;
        name_port(r, true, false);
}

/* -p tcp --dport, as iptables-nft wrote it up to 1.8.7. */
static void on_match_tcp(Reading *r, const void *info, size_t bytes)
{
        struct xt_tcp t;

        if (bytes < sizeof(t)) {
                r->more = true;
                return;
        }
        memcpy(&t, info, sizeof(t));
        const bool all = t.dpts[0] == 0 && t.dpts[1] == UINT16_MAX, inverted = t.invflags & XT_TCP_INV_DSTPT;
        if (!all)
                name_port(r, (r->port >= t.dpts[0] && r->port <= t.dpts[1]) != inverted,
                          t.dpts[0] == t.dpts[1] && !inverted);
        if (t.spts[0] != 0 || t.spts[1] != UINT16_MAX || t.option || t.flg_mask ||
            (t.invflags & ~XT_TCP_INV_DSTPT))
                r->more = true;
}

static void on_match_multiport(Reading *r, const void *info, size_t bytes)
{
        struct xt_multiport_v1 m;
        bool in = false;

        /* Written otherwise by iptables, so the plain command does not find it. */
        r->more = true;
        if (bytes < sizeof(m))
                return;
        memcpy(&m, info, sizeof(m));
        if (m.flags == XT_MULTIPORT_SOURCE)
                return;
        for (size_t i = 0; i < m.count && i < XT_MULTI_PORTS; i++) {
                const uint16_t from = m.ports[i];
                uint16_t to = from;

                if (m.pflags[i] && i + 1 < XT_MULTI_PORTS)
                        to = m.ports[++i];
                in = in || (r->port >= from && r->port <= to);
        }
        name_port(r, in != (bool) m.invert, m.count == 1 && !m.invert);
}

static void on_match(Reading *r, const struct nlattr **a)
{
        const char *name = nft_attr_text(a[NFTA_MATCH_NAME]);
        uint32_t bytes;
        const void *info = nft_attr_bytes(a[NFTA_MATCH_INFO], &bytes);

        if (name && strcmp(name, "tcp") == 0)
                on_match_tcp(r, info, bytes);
        else if (name && strcmp(name, "multiport") == 0 && number(a[NFTA_MATCH_REV]) == 1)
                on_match_multiport(r, info, bytes);
        else
                r->more = true;
}

/* -j REJECT. Source: linux/netfilter_ipv4/ipt_REJECT.h, linux/netfilter_ipv6/ip6t_REJECT.h. */
static void on_target(Reading *r, const struct nlattr **a)
{
        const char *name = nft_attr_text(a[NFTA_TARGET_NAME]);
        const bool six = r->rule.family == NFPROTO_IPV6;
        const uint32_t usual = six ? 4 : 3, reset = six ? 6 : 7; /* port unreachable, tcp reset */
        uint32_t bytes, with = usual;
        const void *info = nft_attr_bytes(a[NFTA_TARGET_INFO], &bytes);

        if (!name || strcmp(name, "REJECT") != 0)
                return;
        if (bytes >= sizeof(with))
                memcpy(&with, info, sizeof(with));
        r->refuses = true;
        r->rule.iptables = true;
        r->rule.reset = with == reset;
        r->odd = with != usual && with != reset;
}

static void on_verdict(Reading *r, const struct nlattr **a)
{
        const struct nlattr *data[NFT_ATTRS], *verdict[NFT_ATTRS];
        uint32_t code;

        *held(r, number(a[NFTA_IMMEDIATE_DREG])) = HELD_OTHER;
        if (number(a[NFTA_IMMEDIATE_DREG]) != NFT_REG_VERDICT ||
            !nft_attrs_of_nest(a[NFTA_IMMEDIATE_DATA], data) ||
            !nft_attrs_of_nest(data[NFTA_DATA_VERDICT], verdict) ||
            !nft_attr_u32(verdict[NFTA_VERDICT_CODE], &code))
                return;
        r->rule.drop = r->refuses = code == NF_DROP;
}

static void on_load(Reading *r, const struct nlattr **a)
{
        const bool port = number(a[NFTA_PAYLOAD_BASE]) == NFT_PAYLOAD_TRANSPORT_HEADER &&
                          number(a[NFTA_PAYLOAD_OFFSET]) == NFT_RULE_TCP_DPORT &&
                          number(a[NFTA_PAYLOAD_LEN]) == sizeof(uint16_t);

        *held(r, number(a[NFTA_PAYLOAD_DREG])) = port ? HELD_DPORT : HELD_OTHER;
}

static void on_meta(Reading *r, const struct nlattr **a)
{
        Held what = HELD_OTHER;

        if (!a[NFTA_META_DREG])
                return;
        switch (number(a[NFTA_META_KEY])) {
        case NFT_META_IIFNAME:
                what = HELD_INTERFACE;
                break;
        case NFT_META_L4PROTO:
                what = HELD_L4PROTO;
                break;
        case NFT_META_NFPROTO:
                what = HELD_FAMILY;
                break;
        default:
                break;
        }
        *held(r, number(a[NFTA_META_DREG])) = what;
}

static void on_reject(Reading *r, const struct nlattr **a)
{
        r->refuses = true;
        r->rule.reset = number(a[NFTA_REJECT_TYPE]) == NFT_REJECT_TCP_RST;
}

static void on_counter(Reading *r, const struct nlattr **a)
{
        r->rule.has_packets = nft_attr_u64(a[NFTA_COUNTER_PACKETS], &r->rule.packets);
}

static void on_log(Reading *r, const struct nlattr **a)
{
        (void) r;
        (void) a;
}

static const struct {
        const char *name;
        void (*on)(Reading *r, const struct nlattr **a);
} expressions[] = {
        { "payload", on_load },    { "meta", on_meta },         { "cmp", on_compare },
        { "range", on_range },     { "lookup", on_lookup },     { "match", on_match },
        { "target", on_target },   { "immediate", on_verdict }, { "reject", on_reject },
        { "counter", on_counter }, { "log", on_log },
};

static int on_expression(const struct nlattr *nest, void *userdata)
{
        Reading *r = userdata;
        const struct nlattr *e[NFT_ATTRS], *a[NFT_ATTRS];
        const char *name = nft_attrs_of_nest(nest, e) ? nft_attr_text(e[NFTA_EXPR_NAME]) : NULL;

        (void) nft_attrs_of_nest(e[NFTA_EXPR_DATA], a);
        for (size_t i = 0; name && i < ELEMENTS(expressions); i++)
                if (strcmp(name, expressions[i].name) == 0) {
                        expressions[i].on(r, a);
                        return MNL_CB_OK;
                }
        /* A condition, or something that changes what a register holds. */
        r->more = true;
        memset(r->held, 0, sizeof(r->held));
        return MNL_CB_OK;
}

bool foreign_parse(const struct nlmsghdr *nlh, uint16_t port, ForeignRule *ret)
{
        const struct nlattr *a[NFT_ATTRS];
        const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);
        Reading r = { .port = port, .matches = true };
        const char *table, *chain;

        if (!nft_attrs_of_msg(nlh, NFT_MSG_NEWRULE, a) || !a[NFTA_RULE_EXPRESSIONS])
                return false;
        table = nft_attr_text(a[NFTA_RULE_TABLE]);
        chain = nft_attr_text(a[NFTA_RULE_CHAIN]);
        r.rule.family = head->nfgen_family;
        if (!table || !chain || !nft_attr_u64(a[NFTA_RULE_HANDLE], &r.rule.handle) ||
            (r.rule.family != NFPROTO_IPV4 && r.rule.family != NFPROTO_IPV6 && r.rule.family != NFPROTO_INET))
                return false;
        (void) snprintf(r.rule.table, sizeof(r.rule.table), "%.63s", table);
        (void) snprintf(r.rule.chain, sizeof(r.rule.chain), "%.63s", chain);
        (void) mnl_attr_parse_nested(a[NFTA_RULE_EXPRESSIONS], on_expression, &r);
        if (!r.refuses || !r.named || !r.matches)
                return false;
        r.rule.conditions = r.more;
        r.rule.plain = r.rule.alone && !r.more && !r.odd;
        /* What it drops it writes plainly, but always with a counter. */
        r.rule.iptables = r.rule.iptables || (r.rule.drop && r.rule.has_packets);
        *ret = r.rule;
        return true;
}
