/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rules of others that refuse a port: the firewall rule of the written procedure that somebody forgot to take
 * away, for one (`iptables -A INPUT -i eth0 -p tcp --dport 15999 -j REJECT`). They are read and named, never
 * touched.
 *
 * A rule counts when it drops or rejects and names the port: compared, in a range, in a set (anonymous or
 * named), or in the matches `tcp` and `multiport` of iptables-nft (what iptables writes up to 1.8.7; later
 * ones write plain expressions). Rules in input and prerouting chains of the families ip, ip6 and inet, and
 * in the chains of such tables that are only jumped to. Not seen: what refuses everything, whatever the port
 * (a final drop, a policy), verdict maps, and rules of the legacy iptables, which are not nf_tables' at all.
 *
 * Whether such a rule does harm cannot be told from it: an earlier one may let in whom it concerns. Its
 * counter can tell.
 * Source: linux/netfilter/nf_tables.h, linux/netfilter/xt_tcpudp.h, linux/netfilter/xt_multiport.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct nlmsghdr;

#define FOREIGN_NAME_SIZE 64

typedef struct ForeignRule {
        int family; /* NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET */
        char table[FOREIGN_NAME_SIZE], chain[FOREIGN_NAME_SIZE];
        uint64_t handle;
        char iif[16]; /* the one interface it is about; "" for all, or where it is not that simple */
        char set[FOREIGN_NAME_SIZE]; /* the set that must hold the port; "" without one */
        bool not_in_set;             /* ... must not */
        bool drop;                   /* else: reject */
        bool reset;                  /* rejects with tcp reset */
        bool alone;                  /* it names this one port and no other */
        bool conditions;             /* it asks for something else, too, besides the interface */
        bool plain;                  /* alone, without conditions, with one of the two usual answers */
        bool iptables;               /* it looks as iptables-nft writes it */
        bool has_packets;            /* it counts */
        uint64_t packets;
} ForeignRule;

/*
 * foreign_parse() - pure: does this NFT_MSG_NEWRULE refuse TCP to @port? A rule with a set says yes and names
 * it: what is in it has to be asked. Chains and hooks are not looked at. Return: yes, and @ret is written.
 */
bool foreign_parse(const struct nlmsghdr *nlh, uint16_t port, ForeignRule *ret);

/*
 * foreign_find() - all rules in this network namespace that refuse TCP to @port; those of edge-roll's own
 * tables are passed over. @ret: to be freed; NULL when there are none.
 * Return: 0; -EPERM; -EPROTONOSUPPORT (no nf_tables); -EAGAIN (the rules change all the time); other negative
 * errno.
 */
int foreign_find(uint16_t port, ForeignRule **ret, size_t *ret_n, Err *err) _must_check_;

/* foreign_same() - is it the same rule at another time? */
bool foreign_same(const ForeignRule *a, const ForeignRule *b);

/* foreign_text() - "ip filter INPUT handle 4 (reject, on eth0; 12 packets)", in ASCII. Return: @buf. */
const char *foreign_text(const ForeignRule *rule, char *buf, size_t size);

/*
 * foreign_command() - what deletes it: `iptables -D ...` where iptables made it and it is as plain as that,
 * else `nft delete rule ...`. Names that a shell would read as something else give `nft -a list ruleset`.
 * Return: @buf.
 */
const char *foreign_command(const ForeignRule *rule, uint16_t port, char *buf, size_t size);

/* foreign_legacy() - are rules of the legacy iptables loaded, which cannot be read here? */
bool foreign_legacy(void);
