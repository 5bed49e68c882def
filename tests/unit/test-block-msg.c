/* SPDX-License-Identifier: GPL-3.0-or-later */

/* drain/block-msg*.c, what they are made of (nft-msg.c, nft-rule.c), and drain/nft-parse.c: no kernel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "drain/block-msg.h"
#include "drain/nft-parse.h"

#define SEQ 0xfffffff0u /* so that the numbers wrap */

static const BlockPlan plan = {
        .whole_ports = { 15999 },
        .n_whole = 1,
        .syn_ports = { 8998, 8082 },
        .n_syn = 2,
        .traffic_ports = { 8998 },
        .n_traffic = 1,
};

static NftMsg *empty(void)
{
        NftMsg *m = NULL;

        assert_int_equal(nft_msg_new(&m, SEQ, NULL), 0);
        return m;
}

/* The messages one after another. */
typedef struct Walk {
        const struct nlmsghdr *nlh;
        int left;
} Walk;

static Walk walk(const NftMsg *m)
{
        size_t bytes;
        const void *p = nft_msg_bytes(m, &bytes);

        return (Walk){ .nlh = p, .left = (int) bytes };
}

static const struct nlmsghdr *next(Walk *w)
{
        const struct nlmsghdr *nlh = w->nlh;

        if (!mnl_nlmsg_ok(nlh, w->left))
                return NULL;
        w->nlh = mnl_nlmsg_next(nlh, &w->left);
        return nlh;
}

static bool is(const struct nlmsghdr *nlh, uint16_t type)
{
        return nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

static uint32_t count(const NftMsg *m, uint16_t type)
{
        Walk w = walk(m);
        const struct nlmsghdr *nlh;
        uint32_t n = 0;

        while ((nlh = next(&w)))
                n += is(nlh, type);
        return n;
}

/* A batch as the kernel wants it: begin, end, numbers in a row, every change to be acknowledged. */
static void is_batch(const NftMsg *m)
{
        Walk w = walk(m);
        const struct nlmsghdr *nlh;
        uint32_t i = 0, acks = 0;

        for (; (nlh = next(&w)); i++) {
                const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
                const bool first = i == 0, last = i + 1 == nft_msg_count(m);

                assert_int_equal(nlh->nlmsg_seq, (uint32_t) (SEQ + i));
                assert_int_equal(nlh->nlmsg_len % NLMSG_ALIGNTO, 0);
                assert_string_not_equal(nft_msg_label(m, i), "?");
                if (first || last) {
                        assert_int_equal(nlh->nlmsg_type, first ? NFNL_MSG_BATCH_BEGIN : NFNL_MSG_BATCH_END);
                        assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST);
                        assert_int_equal(ntohs(nfg->res_id), NFNL_SUBSYS_NFTABLES);
                } else {
                        assert_int_equal(nlh->nlmsg_type >> 8, NFNL_SUBSYS_NFTABLES);
                        assert_true(nlh->nlmsg_flags & NLM_F_ACK);
                        assert_int_equal(nfg->nfgen_family, NFPROTO_INET);
                        acks++;
                }
        }
        assert_int_equal(w.left, 0);
        assert_int_equal(i, nft_msg_count(m));
        assert_int_equal(acks, nft_msg_acks(m));
        assert_int_equal(nft_msg_first(m), SEQ);
        assert_string_equal(nft_msg_label(m, i), "?");
}

/* The plan. */

static void a_plan_is_checked_and_folded(void **state)
{
        BlockPlan in = plan, out;
        Err err = { 0 };

        (void) state;
        in.syn_ports[in.n_syn++] = 8998;
        assert_int_equal(block_msg_check(&in, &out, &err), 0);
        assert_int_equal(out.n_syn, 2);
        assert_int_equal(out.syn_ports[0], 8998);
        assert_int_equal(out.syn_ports[1], 8082);
        assert_int_equal(out.n_whole, 1);
        assert_int_equal(out.n_traffic, 1); /* a health port may carry traffic */

        memset(&out, 0x5a, sizeof(out));
        const BlockPlan untouched = out;
        in = plan;
        in.traffic_ports[0] = 0;
        assert_int_equal(block_msg_check(&in, &out, &err), -EINVAL);
        in = plan;
        in.whole_ports[0] = 8082;
        assert_int_equal(block_msg_check(&in, &out, &err), -EINVAL);
        assert_non_null(strstr(err.text, "8082"));
        in = plan;
        in.n_whole = BLOCK_PORTS_MAX + 1;
        assert_int_equal(block_msg_check(&in, &out, &err), -E2BIG);
        assert_memory_equal(&out, &untouched, sizeof(out));
}

/* The rules. */

static uint32_t u32(const struct nftnl_expr *e, uint16_t attr)
{
        return nftnl_expr_get_u32(e, attr);
}

static void describe_load(const struct nftnl_expr *e, char *text, size_t size)
{
        const uint32_t base = u32(e, NFTNL_EXPR_PAYLOAD_BASE);

        const uint32_t reg = u32(e, NFTNL_EXPR_PAYLOAD_DREG);

        int k = snprintf(text, size, "%s+%u:%u", base == NFT_PAYLOAD_TRANSPORT_HEADER ? "th" : "nh",
                         u32(e, NFTNL_EXPR_PAYLOAD_OFFSET), u32(e, NFTNL_EXPR_PAYLOAD_LEN));
        if (reg != NFT_REG_1)
                (void) snprintf(text + k, size - (size_t) k, ">%u", reg);
}

static void describe_update(const struct nftnl_expr *e, char *text, size_t size)
{
        int k = snprintf(text, size, "%s %s",
                         u32(e, NFTNL_EXPR_DYNSET_OP) == NFT_DYNSET_OP_UPDATE ? "update" : "add",
                         nftnl_expr_get_str(e, NFTNL_EXPR_DYNSET_SET_NAME));

        assert_int_equal(u32(e, NFTNL_EXPR_DYNSET_SREG_KEY), NFT_REG_1);
        if (nftnl_expr_is_set(e, NFTNL_EXPR_DYNSET_TIMEOUT))
                (void) snprintf(text + k, size - (size_t) k, " %llu ms",
                                (unsigned long long) nftnl_expr_get_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT));
}

static void describe_compare(const struct nftnl_expr *e, char *text, size_t size)
{
        static const char *const ops[] = { [NFT_CMP_EQ] = "==", [NFT_CMP_NEQ] = "!=", [NFT_CMP_GTE] = ">=" };
        uint32_t bytes;
        const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &bytes);
        int k = snprintf(text, size, "%s ", ops[u32(e, NFTNL_EXPR_CMP_OP)]);

        for (uint32_t i = 0; i < bytes; i++)
                k += snprintf(text + k, size - (size_t) k, "%02x", data[i]);
}

static void describe_verdict(const struct nftnl_expr *e, char *text, size_t size)
{
        switch ((int) u32(e, NFTNL_EXPR_IMM_VERDICT)) {
        case NF_ACCEPT:
                (void) snprintf(text, size, "accept");
                break;
        case NF_DROP:
                (void) snprintf(text, size, "drop");
                break;
        case NFT_RETURN:
                (void) snprintf(text, size, "return");
                break;
        case NFT_JUMP:
                (void) snprintf(text, size, "jump %s", nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN));
                break;
        }
}

static void describe_expr(const struct nftnl_expr *e, char *text, size_t size)
{
        const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

        if (strcmp(name, "meta") == 0)
                (void) snprintf(text, size, "%s",
                                u32(e, NFTNL_EXPR_META_KEY) == NFT_META_L4PROTO ? "l4proto" : "nfproto");
        else if (strcmp(name, "payload") == 0)
                describe_load(e, text, size);
        else if (strcmp(name, "cmp") == 0)
                describe_compare(e, text, size);
        else if (strcmp(name, "bitwise") == 0) {
                uint32_t bytes;
                const uint8_t *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &bytes);
                (void) snprintf(text, size, "& %02x", mask[0]);
        } else if (strcmp(name, "lookup") == 0)
                (void) snprintf(text, size, "in %s", nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET));
        else if (strcmp(name, "dynset") == 0)
                describe_update(e, text, size);
        else if (strcmp(name, "objref") == 0)
                (void) snprintf(text, size, "counter %s", nftnl_expr_get_str(e, NFTNL_EXPR_OBJREF_IMM_NAME));
        else if (strcmp(name, "reject") == 0)
                (void) snprintf(text, size, "reject %u", u32(e, NFTNL_EXPR_REJECT_TYPE));
        else if (strcmp(name, "immediate") == 0)
                describe_verdict(e, text, size);
        else
                fail_msg("unexpected expression %s", name);
}

/* "chain: expression, expression, ..." */
static void describe_rule(const struct nftnl_rule *r, char *text, size_t size)
{
        struct nftnl_expr_iter *i = nftnl_expr_iter_create(r);
        const struct nftnl_expr *e;
        size_t used = (size_t) snprintf(text, size, "%s:", nftnl_rule_get_str(r, NFTNL_RULE_CHAIN));

        while ((e = nftnl_expr_iter_next(i))) {
                char one[96] = "";
                describe_expr(e, one, sizeof(one));
                used += (size_t) snprintf(text + used, size - used, " %s;", one);
                assert_true(used < size);
        }
        nftnl_expr_iter_destroy(i);
}

#define TCP     " l4proto; == 06;"
#define SYN(op) TCP " th+13:1; & 17; " op " 02;"

/* Segments that carry data, by their header's length. */
#define DATA(chain, verdict)                                                         \
        chain ":" TCP " th+12:1; & f0; == 80; th+32:1; >= 00; " verdict ";",         \
                chain ":" TCP " th+12:1; & f0; == 50; th+20:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == 60; th+24:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == 70; th+28:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == 90; th+36:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == a0; th+40:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == b0; th+44:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == c0; th+48:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == d0; th+52:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == e0; th+56:1; >= 00; " verdict ";", \
                chain ":" TCP " th+12:1; & f0; == f0; th+60:1; >= 00; " verdict ";"

#define FROM_RULES                                                                 \
        "input: nfproto; == 02;" TCP " th+2:2; nh+12:4>9; in from4; jump refuse;", \
                "input: nfproto; == 0a;" TCP " th+2:2; nh+8:16>9; in from6; jump refuse;"

#define TRANSIT_FIRST                                                                           \
        "input: nfproto; == 02; nh+12:1; == 7f; accept;",                                       \
                "input: nfproto; == 0a; nh+8:16; == 00000000000000000000000000000001; accept;", \
                "input:" TCP " th+2:2; in frozen; jump frozen;",                                \
                "input:" TCP " th+2:2; in whole; jump refuse;", FROM_RULES

/* @heard, @said: the rules that begin it in each hook.
 * Between the freeze, so that what is dropped was not said, and the rule that accepts all but SYN. */
#define TRANSIT_HEARD "input:" SYN("!=") " th+2:2; in traffic; jump from_peer;"
#define TRANSIT_SAID  "output:" TCP " th+0:2; in traffic; jump from_self;"
#define TRANSIT_SPEAKERS(heard, said)                                                                \
        heard, "from_peer: jump data;",                                                              \
                "from_peer: nfproto; == 02;" TCP                                                     \
                " nh+12:4; th+0:2>9; th+2:2>10; update speakers4 1000000 ms;",                       \
                "from_peer: nfproto; == 0a;" TCP                                                     \
                " nh+8:16; th+0:2>12; th+2:2>13; update speakers6 1000000 ms;",                      \
                said, "from_self: nfproto; == 02; nh+16:1; == 7f; accept;",                          \
                "from_self: nfproto; == 0a; nh+24:16; == 00000000000000000000000000000001; accept;", \
                "from_self: jump data;",                                                             \
                "from_self: nfproto; == 02;" TCP                                                     \
                " nh+16:4; th+2:2>9; th+0:2>10; update speakers4 500000 ms;",                        \
                "from_self: nfproto; == 0a;" TCP                                                     \
                " nh+24:16; th+2:2>12; th+0:2>13; update speakers6 500000 ms;",                      \
                DATA("data", "return"), "data: accept;"

#define TRANSIT_REST                                                                                         \
        "input:" SYN("!=") " accept;", "input:" TCP " th+2:2; in syn; jump refuse;",                         \
                "input:" TCP " th+2:2; in health; jump count_checks;",                                       \
                "input:" TCP " th+2:2; in traffic; jump count_newconn;", DATA("frozen", "drop"),             \
                "refuse:" SYN("==") " jump count_refused;", "refuse:" TCP " reject 1;",                      \
                "count_checks: counter checks;", "count_checks: nfproto; == 02; nh+12:4; update checks4;",   \
                "count_checks: nfproto; == 0a; nh+8:16; update checks6;", "count_refused: counter refused;", \
                "count_refused: nfproto; == 02; nh+12:4; update refused4;",                                  \
                "count_refused: nfproto; == 0a; nh+8:16; update refused6;",                                  \
                "count_newconn: counter newconn;",                                                           \
                "count_newconn: nfproto; == 02; nh+12:4; update newconn4;",                                  \
                "count_newconn: nfproto; == 0a; nh+8:16; update newconn6;"

static const char *const transit_rules[] = { TRANSIT_FIRST, TRANSIT_REST };
static const char *const transit_speakers_rules[] = { TRANSIT_FIRST,
                                                      TRANSIT_SPEAKERS(TRANSIT_HEARD, TRANSIT_SAID),
                                                      TRANSIT_REST };
#define WITH(a, b) a, b
static const char *const transit_upstream_rules[] = {
        TRANSIT_FIRST,
        TRANSIT_SPEAKERS(WITH(TRANSIT_HEARD, "input:" SYN("!=") " th+0:2; in upstream; jump from_peer;"),
                         WITH(TRANSIT_SAID, "output:" TCP " th+2:2; in upstream; jump from_self;")),
        TRANSIT_REST
};

static const char *const hold_rules[] = {
        "input: nfproto; == 02; nh+12:1; == 7f; accept;",
        "input: nfproto; == 0a; nh+8:16; == 00000000000000000000000000000001; accept;",
        "input:" TCP " th+2:2; in whole; jump refuse;",
        FROM_RULES,
        "input:" SYN("==") " th+2:2; in syn; jump refuse;",
        "refuse:" SYN("==") " counter refused;",
        "refuse:" TCP " reject 1;",
};

/* The rules of @m are those; and what block_read() will expect of each chain is what they come to. */
static void has_rules(const NftMsg *m, const NftTableShape *table, const char *const *rules, size_t n)
{
        uint32_t use[16] = { 0 };
        Walk w = walk(m);
        const struct nlmsghdr *nlh;
        size_t i = 0;

        while ((nlh = next(&w))) {
                char text[256];
                struct nftnl_rule *r;

                if (!is(nlh, NFT_MSG_NEWRULE))
                        continue;
                assert_true(nlh->nlmsg_flags & NLM_F_APPEND);
                r = nftnl_rule_alloc();
                assert_non_null(r);
                assert_int_equal(nftnl_rule_nlmsg_parse(nlh, r), 0);
                assert_string_equal(nftnl_rule_get_str(r, NFTNL_RULE_TABLE), table->name);
                describe_rule(r, text, sizeof(text));
                nftnl_rule_free(r);
                assert_true(i < n);
                assert_string_equal(text, rules[i++]);

                for (size_t c = 0; c < table->n_chains; c++) {
                        const char *name = table->chains[c].name, *jump = strstr(text, "jump ");
                        use[c] += strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == ':';
                        use[c] += jump && strncmp(jump + 5, name, strlen(name)) == 0 &&
                                  jump[5 + strlen(name)] == ';';
                }
        }
        assert_int_equal(i, n);
        for (size_t c = 0; c < table->n_chains; c++)
                assert_int_equal(use[c], table->chains[c].use);
        assert_int_equal(count(m, NFT_MSG_NEWCHAIN), table->n_chains);
        assert_int_equal(count(m, NFT_MSG_NEWOBJ), table->n_counters);
}

static void the_rules_are_these(void **state)
{
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        _cleanup_(nft_msg_freep) NftMsg *without = empty();
        _cleanup_(nft_msg_freep) NftMsg *upstream = empty();
        _cleanup_(nft_msg_freep) NftMsg *hold = empty();
        BlockPlan router = plan;

        (void) state;
        router.upstream_ports[router.n_upstream++] = 8998;
        assert_int_equal(block_msg_install(upstream, BLOCK_TABLE, &router, BLOCK_OWNER_PERSIST, 1024,
                                           BLOCK_SPEAKERS, NULL),
                         0);
        is_batch(upstream);
        has_rules(upstream, &block_msg_transit_upstream, transit_upstream_rules,
                  ELEMENTS(transit_upstream_rules));
        assert_int_equal(block_msg_install(m, BLOCK_TABLE, &plan, BLOCK_OWNER_PERSIST, 1024, BLOCK_SPEAKERS,
                                           NULL),
                         0);
        is_batch(m);
        has_rules(m, &block_msg_transit_speakers, transit_speakers_rules, ELEMENTS(transit_speakers_rules));
        assert_int_equal(block_msg_install(without, BLOCK_TABLE, &plan, BLOCK_OWNER_PERSIST, 1024, 0, NULL),
                         0);
        is_batch(without);
        has_rules(without, &block_msg_transit, transit_rules, ELEMENTS(transit_rules));
        assert_int_equal(block_msg_hold(hold, &plan, 1, NULL), 0);
        is_batch(hold);
        has_rules(hold, &block_msg_held, hold_rules, ELEMENTS(hold_rules));
}

/* Table, chains, sets. */

static void a_table_is_replaced_and_the_flags_are_asked_for_once(void **state)
{
        static const uint32_t flags[BLOCK_OWNER_COUNT] = {
                [BLOCK_OWNER_NONE] = 0, [BLOCK_OWNER_SOCKET] = 0x2, [BLOCK_OWNER_PERSIST] = 0x6
        };

        (void) state;
        for (BlockOwner owner = BLOCK_OWNER_NONE; owner < BLOCK_OWNER_COUNT; owner++) {
                static const uint16_t types[] = { NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE };
                _cleanup_(nft_msg_freep) NftMsg *m = empty();
                Walk w;

                assert_int_equal(block_msg_install(m, BLOCK_TABLE, &plan, owner, 1, 1, NULL), 0);
                w = walk(m);
                (void) next(&w);
                for (size_t i = 0; i < ELEMENTS(types); i++) {
                        const struct nlmsghdr *nlh = next(&w);
                        struct nftnl_table *t = nftnl_table_alloc();

                        assert_true(is(nlh, types[i]));
                        assert_int_equal(nftnl_table_nlmsg_parse(nlh, t), 0);
                        assert_string_equal(nftnl_table_get_str(t, NFTNL_TABLE_NAME), BLOCK_TABLE);
                        /* Without the attribute an existing table keeps its flags; with it that is an error.
                         */
                        assert_int_equal(nftnl_table_is_set(t, NFTNL_TABLE_FLAGS),
                                         i == 2 && flags[owner] != 0);
                        assert_int_equal(nft_msg_asks_owner(m, nlh->nlmsg_seq - SEQ),
                                         i == 2 && flags[owner] != 0);
                        if (i == 2 && flags[owner] != 0)
                                assert_int_equal(nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS), flags[owner]);
                        nftnl_table_free(t);
                }
                assert_int_equal(count(m, NFT_MSG_NEWTABLE), 2);
        }
}

/* What can be done without is all that the batch has more than the one without it. */
static void the_speakers_are_a_part_of_the_batch(void **state)
{
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        _cleanup_(nft_msg_freep) NftMsg *without = empty();
        Walk with, rest;
        const struct nlmsghdr *nlh, *other;
        uint32_t part = 0;
        BlockPlan router = plan;

        (void) state;
        router.upstream_ports[router.n_upstream++] = 8998;
        assert_int_equal(block_msg_install(m, BLOCK_TABLE, &router, BLOCK_OWNER_PERSIST, 1024, 5, NULL), 0);
        assert_int_equal(block_msg_install(without, BLOCK_TABLE, &router, BLOCK_OWNER_PERSIST, 1024, 0, NULL),
                         0);
        with = walk(m);
        rest = walk(without);
        while ((nlh = next(&with))) {
                if (nft_msg_in_part(m, nlh->nlmsg_seq - SEQ)) {
                        part++;
                        continue;
                }
                other = next(&rest);
                assert_non_null(other);
                assert_int_equal(nlh->nlmsg_type, other->nlmsg_type);
        }
        assert_null(next(&rest));
        assert_int_equal(part, nft_msg_count(m) - nft_msg_count(without));
        for (uint32_t i = 0; i < nft_msg_count(without); i++)
                assert_false(nft_msg_in_part(without, i));
}

/* @ret_output: is there a base chain on the output hook too? */
static int base_priority(const NftMsg *m, bool *ret_output)
{
        Walk w = walk(m);
        const struct nlmsghdr *nlh;
        int priority = 0, inputs = 0, outputs = 0;

        while ((nlh = next(&w))) {
                struct nftnl_chain *c;

                if (!is(nlh, NFT_MSG_NEWCHAIN))
                        continue;
                c = nftnl_chain_alloc();
                assert_int_equal(nftnl_chain_nlmsg_parse(nlh, c), 0);
                if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM)) {
                        const uint32_t hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
                        assert_true(hook == NF_INET_LOCAL_IN || hook == NF_INET_LOCAL_OUT);
                        assert_int_equal(nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY), NF_ACCEPT);
                        priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO);
                        inputs += hook == NF_INET_LOCAL_IN;
                        outputs += hook == NF_INET_LOCAL_OUT;
                }
                nftnl_chain_free(c);
        }
        assert_int_equal(inputs, 1);
        assert_in_range(outputs, 0, 1);
        *ret_output = outputs == 1;
        return priority;
}

static void the_hold_comes_after_the_transit_table(void **state)
{
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        _cleanup_(nft_msg_freep) NftMsg *without = empty();
        _cleanup_(nft_msg_freep) NftMsg *hold = empty();
        bool output;

        (void) state;
        assert_int_equal(block_msg_install(m, BLOCK_TABLE, &plan, BLOCK_OWNER_NONE, 1024, 1, NULL), 0);
        assert_int_equal(block_msg_install(without, BLOCK_TABLE, &plan, BLOCK_OWNER_NONE, 1024, 0, NULL), 0);
        assert_int_equal(block_msg_hold(hold, &plan, 1, NULL), 0);
        assert_int_equal(base_priority(m, &output), -10);
        assert_true(output);
        assert_int_equal(base_priority(without, &output), -10);
        assert_false(output);
        assert_int_equal(base_priority(hold, &output), -9);
        assert_false(output);
}

/* @speakers: to install with. @size: what the speaker sets are to say; 0: nothing. */
static void sets_are(uint32_t speakers, uint32_t size)
{
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        size_t sources = 0, timed = 0, peers = 0;
        Walk w;
        const struct nlmsghdr *nlh;

        assert_int_equal(block_msg_install(m, BLOCK_TABLE, &plan, BLOCK_OWNER_NONE, 77, speakers, NULL), 0);
        w = walk(m);
        while ((nlh = next(&w))) {
                struct nftnl_set *s;
                uint32_t flags;

                if (!is(nlh, NFT_MSG_NEWSET))
                        continue;
                s = nftnl_set_alloc();
                assert_int_equal(nftnl_set_nlmsg_parse(nlh, s), 0);
                flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS);
                assert_true(nftnl_set_is_set(s, NFTNL_SET_ID)); /* EINVAL without it before 5.x */
                if (strncmp(nftnl_set_get_str(s, NFTNL_SET_NAME), "speakers", 8) == 0) {
                        assert_int_equal(flags, NFT_SET_EVAL | NFT_SET_TIMEOUT);
                        assert_int_equal(nftnl_set_is_set(s, NFTNL_SET_DESC_SIZE), size > 0);
                        if (size > 0)
                                assert_int_equal(nftnl_set_get_u32(s, NFTNL_SET_DESC_SIZE), size);
                        peers++;
                } else if (flags & NFT_SET_EVAL) {
                        assert_true(flags & NFT_SET_TIMEOUT);
                        assert_int_equal(nftnl_set_get_u32(s, NFTNL_SET_DESC_SIZE), 77);
                        assert_int_equal(nftnl_set_get_u64(s, NFTNL_SET_TIMEOUT), 3600 * 1000);
                        sources++;
                } else if (flags & NFT_SET_TIMEOUT) {
                        /* A size would count a renewed port twice. */
                        assert_false(nftnl_set_is_set(s, NFTNL_SET_DESC_SIZE));
                        timed++;
                }
                nftnl_set_free(s);
        }
        assert_int_equal(sources, 2 * BLOCK_COUNTER_COUNT);
        assert_int_equal(timed, 5);
        assert_int_equal(peers, speakers > 0 ? 2 : 0);
}

static void sets_are_bounded_in_size_and_time(void **state)
{
        (void) state;
        sets_are(0, 0);
        sets_are(5, 5);
        sets_are(BLOCK_SPEAKERS, 0); /* what the kernel allows: asked for, it would be allocated at once */
}

/* Elements. */

typedef struct Elements {
        const char *set;
        uint16_t type;
        uint64_t timeout_msec;
        size_t n;
} Elements;

static Elements elements(const struct nlmsghdr *nlh, struct nftnl_set *s)
{
        struct nftnl_set_elems_iter *i;
        struct nftnl_set_elem *e;
        Elements got = { .type = nlh->nlmsg_type & 0xff };

        assert_int_equal(nftnl_set_elems_nlmsg_parse(nlh, s), 0);
        got.set = nftnl_set_get_str(s, NFTNL_SET_NAME);
        i = nftnl_set_elems_iter_create(s);
        while ((e = nftnl_set_elems_iter_next(i))) {
                uint32_t size;
                assert_non_null(nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &size));
                assert_int_equal(size, sizeof(uint16_t));
                if (nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_TIMEOUT))
                        got.timeout_msec = nftnl_set_elem_get_u64(e, NFTNL_SET_ELEM_TIMEOUT);
                got.n++;
        }
        nftnl_set_elems_iter_destroy(i);
        return got;
}

/* The element messages of @m are those and no others. */
static void has_elements(const NftMsg *m, const Elements *wanted, size_t n)
{
        Walk w = walk(m);
        const struct nlmsghdr *nlh;
        size_t i = 0;

        while ((nlh = next(&w))) {
                if (!is(nlh, NFT_MSG_NEWSETELEM) && !is(nlh, NFT_MSG_DELSETELEM))
                        continue;
                struct nftnl_set *s = nftnl_set_alloc();
                Elements got = elements(nlh, s);
                assert_true(i < n);
                assert_string_equal(got.set, wanted[i].set);
                assert_int_equal(got.type, wanted[i].type);
                assert_int_equal(got.timeout_msec, wanted[i].timeout_msec);
                assert_int_equal(got.n, wanted[i].n);
                nftnl_set_free(s);
                i++;
        }
        assert_int_equal(i, n);
}

static void renewal_is_add_delete_add(void **state)
{
        static const Elements both[] = {
                { "whole", NFT_MSG_NEWSETELEM, 1235, 1 }, { "whole", NFT_MSG_DELSETELEM, 0, 1 },
                { "whole", NFT_MSG_NEWSETELEM, 1235, 1 }, { "syn", NFT_MSG_NEWSETELEM, 1235, 2 },
                { "syn", NFT_MSG_DELSETELEM, 0, 2 },      { "syn", NFT_MSG_NEWSETELEM, 1235, 2 },
        };
        static const Elements frozen[] = {
                { "frozen", NFT_MSG_NEWSETELEM, 1, 1 },
                { "frozen", NFT_MSG_DELSETELEM, 0, 1 },
                { "frozen", NFT_MSG_NEWSETELEM, 1, 1 },
        };
        static const Elements opened[] = { { "whole", NFT_MSG_DELSETELEM, 0, 0 },
                                           { "syn", NFT_MSG_DELSETELEM, 0, 0 },
                                           { "from4", NFT_MSG_DELSETELEM, 0, 0 },
                                           { "from6", NFT_MSG_DELSETELEM, 0, 0 } };
        static const Elements thawed[] = { { "frozen", NFT_MSG_DELSETELEM, 0, 0 } };
        _cleanup_(nft_msg_freep) NftMsg *shut = empty();
        _cleanup_(nft_msg_freep) NftMsg *part = empty();
        _cleanup_(nft_msg_freep) NftMsg *freeze = empty();
        _cleanup_(nft_msg_freep) NftMsg *open = empty();
        _cleanup_(nft_msg_freep) NftMsg *thaw = empty();
        BlockPlan syn_only = plan;

        (void) state;
        assert_int_equal(block_msg_close(shut, BLOCK_TABLE, &plan, 1234001, NULL), 0); /* rounded up */
        is_batch(shut);
        has_elements(shut, both, ELEMENTS(both));
        syn_only.n_whole = 0;
        assert_int_equal(block_msg_close(part, BLOCK_TABLE, &syn_only, 1234001, NULL), 0);
        has_elements(part, both + 3, 3);
        assert_int_equal(block_msg_freeze(freeze, BLOCK_TABLE, &plan, 1, NULL), 0);
        is_batch(freeze);
        has_elements(freeze, frozen, ELEMENTS(frozen));
        assert_int_equal(block_msg_open(open, BLOCK_TABLE, NULL), 0);
        is_batch(open);
        has_elements(open, opened, ELEMENTS(opened));
        assert_int_equal(block_msg_thaw(thaw, BLOCK_TABLE, NULL), 0);
        is_batch(thaw);
        has_elements(thaw, thawed, ELEMENTS(thawed));
}

static void a_block_without_end_or_ports_is_refused(void **state)
{
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        const BlockPlan nothing = { .n_whole = 0 };
        Err err = { 0 };

        (void) state;
        assert_int_equal(block_msg_close(m, BLOCK_TABLE, &plan, 0, &err), -EINVAL);
        assert_int_equal(block_msg_close(m, BLOCK_TABLE, &plan, USEC_INFINITY, &err), -EINVAL);
        assert_int_equal(block_msg_close(m, BLOCK_TABLE, &nothing, 1, &err), -EINVAL);
        assert_int_equal(block_msg_freeze(m, BLOCK_TABLE, &plan, USEC_INFINITY, &err), -EINVAL);
        assert_int_equal(block_msg_freeze(m, BLOCK_TABLE, &nothing, 1, &err), -EINVAL);
        assert_int_equal(block_msg_hold(m, &nothing, 1, &err), -EINVAL);
        assert_int_equal(nft_msg_count(m), 0);
}

static void a_plan_from_sources_is_checked(void **state)
{
        const Addr router = { .family = AF_INET, .b = { 10, 0, 0, 1 } },
                   loopback = { AF_INET, { 127, 0, 0, 1 } };
        BlockPlan p = { .from_ports = { 8082, 8082 },
                        .n_from_ports = 2,
                        .from = { router, loopback, router },
                        .n_from = 3 },
                  ret;
        static BlockFromKeys keys;
        Addr back;
        Err err = { 0 };

        (void) state;
        assert_int_equal(block_msg_check(&p, &ret, &err), 0);
        assert_int_equal(ret.n_from_ports, 1);
        assert_int_equal(ret.n_from, 1);
        assert_true(block_msg_refuses(&ret));
        block_msg_from_keys(&ret, AF_INET6, &keys);
        assert_int_equal(keys.n, 0);
        block_msg_from_keys(&ret, AF_INET, &keys);
        assert_int_equal(keys.n, 1);
        assert_int_equal(keys.key_bytes, 8);
        assert_memory_equal(keys.keys, "\x1f\x92\0\0\x0a\0\0\x01", 8);
        assert_true(block_msg_from_source(keys.keys, 8, 8082, &back));
        assert_true(addr_equal(&back, &router));
        assert_false(block_msg_from_source(keys.keys, 8, 8083, &back));
        assert_false(block_msg_from_source(keys.keys, 7, 8082, &back));

        p.whole_ports[p.n_whole++] = 8082;
        assert_int_equal(block_msg_check(&p, &ret, &err), -EINVAL);
        p.n_whole = 0;
        p.traffic_ports[p.n_traffic++] = 8082;
        assert_int_equal(block_msg_check(&p, &ret, &err), -EINVAL);
        p.n_traffic = 0;
        p.from[1].family = 0;
        assert_int_equal(block_msg_check(&p, &ret, &err), -EINVAL);
        p.from[1] = loopback;
        p.n_from_ports = BLOCK_FROM_PORTS + 1;
        assert_int_equal(block_msg_check(&p, &ret, &err), -E2BIG);
        p.n_from_ports = 1;
        p.n_from = 2, p.from[0] = loopback;
        assert_int_equal(block_msg_check(&p, &ret, &err), 0);
        assert_false(block_msg_refuses(&ret)); /* nobody is left */
}

static void a_hold_is_the_union_of_its_plans(void **state)
{
        enum { PLANS = 10 };
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        BlockPlan plans[PLANS] = { { .n_whole = 0 } };
        static const Elements wanted[] = {
                { "whole", NFT_MSG_NEWSETELEM, 0, 1 },
                { "syn", NFT_MSG_NEWSETELEM, 0, 256 },
                { "syn", NFT_MSG_NEWSETELEM, 0, 256 },
                { "syn", NFT_MSG_NEWSETELEM, 0, 128 },
        };

        (void) state;
        for (size_t i = 0; i < PLANS; i++) {
                plans[i].whole_ports[plans[i].n_whole++] = 15999; /* in each of them */
                while (plans[i].n_syn < BLOCK_PORTS_MAX) {
                        plans[i].syn_ports[plans[i].n_syn] = (uint16_t) (1000 + i * 100 + plans[i].n_syn);
                        plans[i].n_syn++;
                }
        }
        assert_int_equal(block_msg_hold(m, plans, PLANS, NULL), 0);
        is_batch(m);
        has_elements(m, wanted, ELEMENTS(wanted));
}

/* Speakers. */

static BlockPeer peer(const char *addr, uint16_t port, uint16_t local_port)
{
        BlockPeer p = { .port = port, .local_port = local_port };

        assert_true(addr_parse(addr, &p.addr));
        return p;
}

static void a_speaker_is_asked_for_as_the_rules_remember_it(void **state)
{
        static const uint8_t four[] = { 10, 0, 0, 7, 0x12, 0x34, 0, 0, 0x23, 0x26, 0, 0 };
        static const uint8_t six[] = { 0xfd, 0x77, 0, 0, 0,    0,    0, 0, 0,    0,    0, 0,
                                       0,    0,    0, 2, 0x12, 0x34, 0, 0, 0x23, 0x26, 0, 0 };
        const BlockPeer peers[] = { peer("10.0.0.7", 0x1234, 8998), peer("fd77::2", 0x1234, 8998),
                                    peer("::ffff:10.0.0.7", 0x1234, 8998) };
        const struct {
                const char *set;
                const uint8_t *key;
                size_t bytes;
        } wanted[] = { { "speakers4", four, sizeof(four) },
                       { "speakers6", six, sizeof(six) },
                       { "speakers4", four, sizeof(four) } };
        _cleanup_(nft_msg_freep) NftMsg *m = empty();
        const struct nlmsghdr *nlh;
        size_t n = 0;

        (void) state;
        for (size_t i = 0; i < ELEMENTS(peers); i++) {
                uint8_t key[BLOCK_MSG_SPEAKER_KEY_MAX];
                const size_t bytes = block_msg_speaker_key(&peers[i], key);
                assert_int_equal(nft_msg_get_element(m, BLOCK_TABLE,
                                                     block_msg_speaker_set(peers[i].addr.family), key, bytes,
                                                     NULL),
                                 0);
        }
        for (Walk w = walk(m); (nlh = next(&w)); n++) {
                struct nftnl_set *s = nftnl_set_alloc();
                struct nftnl_set_elems_iter *i;
                struct nftnl_set_elem *e;
                uint32_t bytes;

                assert_true(is(nlh, NFT_MSG_GETSETELEM));
                assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST);
                assert_int_equal(nlh->nlmsg_seq, (uint32_t) (SEQ + n));
                assert_int_equal(nftnl_set_elems_nlmsg_parse(nlh, s), 0);
                assert_string_equal(nftnl_set_get_str(s, NFTNL_SET_TABLE), BLOCK_TABLE);
                assert_string_equal(nftnl_set_get_str(s, NFTNL_SET_NAME), wanted[n].set);
                i = nftnl_set_elems_iter_create(s);
                e = nftnl_set_elems_iter_next(i);
                assert_non_null(e);
                const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &bytes);
                assert_int_equal(bytes, wanted[n].bytes);
                assert_memory_equal(key, wanted[n].key, bytes);
                assert_null(nftnl_set_elems_iter_next(i));
                nftnl_set_elems_iter_destroy(i);
                nftnl_set_free(s);
        }
        assert_int_equal(n, ELEMENTS(peers));
}

static void what_is_left_of_an_element_tells_who_spoke(void **state)
{
        (void) state;
        assert_int_equal(block_msg_speaker(1000 * USEC_PER_SEC), BLOCK_SPEAKER_PEER);
        assert_int_equal(block_msg_speaker(500 * USEC_PER_SEC + USEC_PER_MSEC), BLOCK_SPEAKER_PEER);
        assert_int_equal(block_msg_speaker(500 * USEC_PER_SEC), BLOCK_SPEAKER_SELF);
        assert_int_equal(block_msg_speaker(1), BLOCK_SPEAKER_SELF);
        assert_int_equal(block_msg_speaker(0), BLOCK_SPEAKER_UNKNOWN); /* expired, not collected */
        assert_int_equal(block_msg_speaker(USEC_INFINITY), BLOCK_SPEAKER_UNKNOWN);
}

/* Answers. */

static struct nlmsghdr *answer_begin(void *buf, uint16_t type)
{
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

        nlh->nlmsg_type = (uint16_t) (NFNL_SUBSYS_NFTABLES << 8 | type);
        (void) mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
        return nlh;
}

static void put_counter(struct nlmsghdr *nlh, uint16_t nest_type, uint64_t packets)
{
        struct nlattr *nest = mnl_attr_nest_start(nlh, nest_type);

        mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(1));
        mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(packets));
        mnl_attr_nest_end(nlh, nest);
}

/* Two elements: one with a counter and an expiry, one bare. */
static struct nlmsghdr *elements_answer(void *buf)
{
        struct nlmsghdr *nlh = answer_begin(buf, NFT_MSG_NEWSETELEM);

        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, BLOCK_TABLE);
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, "refused4");
        struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
        for (uint32_t i = 0; i < 2; i++) {
                struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
                struct nlattr *key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
                mnl_attr_put_u32(nlh, NFTA_DATA_VALUE, htonl(0x0a000001 + i));
                mnl_attr_nest_end(nlh, key);
                if (i == 0) {
                        mnl_attr_put_u64(nlh, NFTA_SET_ELEM_EXPIRATION, htobe64(1500));
                        struct nlattr *expr = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_EXPR);
                        mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
                        put_counter(nlh, NFTA_EXPR_DATA, 42);
                        mnl_attr_nest_end(nlh, expr);
                }
                mnl_attr_nest_end(nlh, element);
        }
        mnl_attr_nest_end(nlh, list);
        return nlh;
}

static struct nlmsghdr *counter_answer(void *buf)
{
        struct nlmsghdr *nlh = answer_begin(buf, NFT_MSG_NEWOBJ);

        mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, "checks");
        put_counter(nlh, NFTA_OBJ_DATA, 7);
        return nlh;
}

static struct nlmsghdr *chain_answer(void *buf)
{
        struct nlmsghdr *nlh = answer_begin(buf, NFT_MSG_NEWCHAIN);

        mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, "input");
        mnl_attr_put_u32(nlh, NFTA_CHAIN_USE, htonl(8));
        return nlh;
}

static struct nlmsghdr *table_answer(void *buf)
{
        struct nlmsghdr *nlh = answer_begin(buf, NFT_MSG_NEWTABLE);

        mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(6));
        mnl_attr_put_u32(nlh, 7, htonl(4711)); /* NFTA_TABLE_OWNER */
        return nlh;
}

typedef struct Seen {
        NftElement elements[4];
        size_t n;
        uint32_t sum; /* of all bytes: reads them */
} Seen;

static void on_element(const NftElement *element, void *userdata)
{
        Seen *seen = userdata;

        for (size_t i = 0; i < element->key_bytes; i++)
                seen->sum += element->key[i];
        if (seen->n < ELEMENTS(seen->elements))
                seen->elements[seen->n++] = *element;
}

static void answers_are_understood(void **state)
{
        uint8_t buf[1024] __attribute__((aligned(8)));
        Seen seen = { .n = 0 };
        const char *name = NULL;
        uint32_t a = 0, b = 0;
        uint64_t packets = 0;

        (void) state;
        assert_true(nft_parse_table(table_answer(buf), &a, &b));
        assert_int_equal(a, NFT_MSG_TABLE_OWNER | NFT_MSG_TABLE_PERSIST);
        assert_int_equal(b, 4711);
        assert_false(nft_parse_chain(table_answer(buf), &name, &a));
        assert_true(nft_parse_chain(chain_answer(buf), &name, &a));
        assert_string_equal(name, "input");
        assert_int_equal(a, 8);
        assert_true(nft_parse_counter(counter_answer(buf), &name, &packets));
        assert_string_equal(name, "checks");
        assert_int_equal(packets, 7);
        assert_true(nft_parse_elements(elements_answer(buf), on_element, &seen));
        assert_int_equal(seen.n, 2);
        assert_int_equal(seen.elements[0].key_bytes, 4);
        assert_int_equal(seen.elements[0].expires_usec, 1500 * USEC_PER_MSEC);
        assert_int_equal(seen.elements[0].packets, 42);
        assert_int_equal(seen.elements[1].expires_usec, USEC_INFINITY);
        assert_int_equal(seen.elements[1].packets, 0);
}

static void parse_all(const struct nlmsghdr *nlh)
{
        Seen seen = { .n = 0 };
        const char *name = "";
        uint32_t a, b;
        uint64_t packets;

        if (nft_parse_chain(nlh, &name, &a) || nft_parse_counter(nlh, &name, &packets))
                seen.sum += (uint32_t) strlen(name);
        (void) nft_parse_table(nlh, &a, &b);
        (void) nft_parse_elements(nlh, on_element, &seen);
}

/* Every length and every broken byte: nothing is read outside the message (with ASan: seen). */
static void broken_answers_do_no_harm(void **state)
{
        struct nlmsghdr *(*const makers[])(void *) = { table_answer, chain_answer, counter_answer,
                                                       elements_answer };
        static const uint8_t values[] = { 0, 1, 3, 0x7f, 0x80, 0xff };
        uint8_t buf[1024] __attribute__((aligned(8)));

        (void) state;
        for (size_t k = 0; k < ELEMENTS(makers); k++) {
                const size_t full = makers[k](buf)->nlmsg_len;

                for (size_t size = sizeof(struct nlmsghdr); size <= full; size++) {
                        /* Messages are aligned in a buffer, and libmnl reads up to that. */
                        uint8_t *copy = calloc(1, NLMSG_ALIGN(size));
                        assert_non_null(copy);
                        memcpy(copy, buf, size);
                        ((struct nlmsghdr *) copy)->nlmsg_len = (uint32_t) size;
                        parse_all((struct nlmsghdr *) copy);
                        free(copy);
                }
                for (size_t at = sizeof(struct nlmsghdr); at < full; at++)
                        for (size_t v = 0; v < ELEMENTS(values); v++) {
                                uint8_t *copy = malloc(full);
                                assert_non_null(copy);
                                memcpy(copy, buf, full);
                                copy[at] = values[v];
                                parse_all((struct nlmsghdr *) copy);
                                free(copy);
                        }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plan_is_checked_and_folded),
                cmocka_unit_test(the_rules_are_these),
                cmocka_unit_test(the_speakers_are_a_part_of_the_batch),
                cmocka_unit_test(a_table_is_replaced_and_the_flags_are_asked_for_once),
                cmocka_unit_test(the_hold_comes_after_the_transit_table),
                cmocka_unit_test(sets_are_bounded_in_size_and_time),
                cmocka_unit_test(renewal_is_add_delete_add),
                cmocka_unit_test(a_block_without_end_or_ports_is_refused),
                cmocka_unit_test(a_plan_from_sources_is_checked),
                cmocka_unit_test(a_hold_is_the_union_of_its_plans),
                cmocka_unit_test(a_speaker_is_asked_for_as_the_rules_remember_it),
                cmocka_unit_test(what_is_left_of_an_element_tells_who_spoke),
                cmocka_unit_test(answers_are_understood),
                cmocka_unit_test(broken_answers_do_no_harm),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
