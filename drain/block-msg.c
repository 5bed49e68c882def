/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The transit table, and what both tables are made of. */

#include "drain/block-msg-impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>

#define SET_HEALTH  "health"
#define SET_TRAFFIC "traffic"

#define CHAIN_FROZEN "frozen"

/* Of the speaker sets. */
#define SET_SPEAKERS4   "speakers4"
#define SET_SPEAKERS6   "speakers6"
#define SET_UPSTREAM    "upstream"
#define CHAIN_OUTPUT    "output"
#define CHAIN_FROM_PEER "from_peer"
#define CHAIN_FROM_SELF "from_self"
#define CHAIN_DATA      "data"

/* Key types as `nft list` knows them (nftables include/datatype.h); the kernel only hands them back. */
#define KEY_IPV4             7u
#define KEY_IPV6             8u
#define KEY_PORT             13u
#define KEY_SPEAKER(address) (((address) << 6 | KEY_PORT) << 6 | KEY_PORT)
#define KEY_FROM(address)    (KEY_PORT << 6 | (address))

/*
 * Header lengths TCP can have, in 32-bit words (RFC 9293 3.1). Those with timestamps and without options
 * first, as nearly all segments that carry data have one of them.
 */
static const uint8_t tcp_words[] = { 8, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15 };

typedef struct Counter {
        const char *name;  /* of the counter object */
        const char *chain; /* that counts */
        const char *set4, *set6;
} Counter;

static const Counter counters[BLOCK_COUNTER_COUNT] = {
        [BLOCK_CHECKS] = { "checks", "count_checks", "checks4", "checks6" },
        [BLOCK_REFUSED] = { "refused", "count_refused", "refused4", "refused6" },
        [BLOCK_NEWCONN] = { "newconn", "count_newconn", "newconn4", "newconn6" },
};

/* The unit test counts the rules and jumps of the batches and compares. */
static const NftChainShape transit_chains[] = {
        { BLOCK_MSG_CHAIN_INPUT, 10 }, { CHAIN_FROZEN, ELEMENTS(tcp_words) + 1 },
        { BLOCK_MSG_CHAIN_REFUSE, 6 }, { "count_checks", 4 },
        { "count_refused", 4 },        { "count_newconn", 4 },
};
static const NftChainShape transit_speakers_chains[] = {
        { BLOCK_MSG_CHAIN_INPUT, 11 }, { CHAIN_FROZEN, ELEMENTS(tcp_words) + 1 },
        { BLOCK_MSG_CHAIN_REFUSE, 6 }, { "count_checks", 4 },
        { "count_refused", 4 },        { "count_newconn", 4 },
        { CHAIN_OUTPUT, 1 },           { CHAIN_FROM_PEER, 4 },
        { CHAIN_FROM_SELF, 6 },        { CHAIN_DATA, ELEMENTS(tcp_words) + 1 + 2 },
};
static const NftChainShape transit_upstream_chains[] = {
        { BLOCK_MSG_CHAIN_INPUT, 12 }, { CHAIN_FROZEN, ELEMENTS(tcp_words) + 1 },
        { BLOCK_MSG_CHAIN_REFUSE, 6 }, { "count_checks", 4 },
        { "count_refused", 4 },        { "count_newconn", 4 },
        { CHAIN_OUTPUT, 2 },           { CHAIN_FROM_PEER, 5 },
        { CHAIN_FROM_SELF, 7 },        { CHAIN_DATA, ELEMENTS(tcp_words) + 1 + 2 },
};
static const char *const transit_counters[] = { "checks", "refused", "newconn" };

const NftTableShape block_msg_transit = {
        .name = BLOCK_TABLE,
        .chains = transit_chains,
        .n_chains = ELEMENTS(transit_chains),
        .counters = transit_counters,
        .n_counters = ELEMENTS(transit_counters),
};

const NftTableShape block_msg_transit_speakers = {
        .name = BLOCK_TABLE,
        .chains = transit_speakers_chains,
        .n_chains = ELEMENTS(transit_speakers_chains),
        .counters = transit_counters,
        .n_counters = ELEMENTS(transit_counters),
};

const NftTableShape block_msg_transit_upstream = {
        .name = BLOCK_TABLE,
        .chains = transit_upstream_chains,
        .n_chains = ELEMENTS(transit_upstream_chains),
        .counters = transit_counters,
        .n_counters = ELEMENTS(transit_counters),
};

/* Objects. */

/*
 * add table; delete table: there is none afterwards, whatever there was. The first message carries no flags:
 * a table that exists keeps its own, and one of another owner answers EPERM.
 */
void block_msg_put_clear(NftMsg *m, const char *name)
{
        nft_msg_table(m, NFT_MSG_NEWTABLE, name, 0, "the table");
        nft_msg_table(m, NFT_MSG_DELTABLE, name, 0, "the table's removal");
}

/*
 * Ports. A set with timeouts gets no size: during a renewal, and until the kernel collects what has expired,
 * it counts several elements for one port, and at its size it would refuse the renewal.
 */
void block_msg_put_port_set(NftMsg *m, const char *table, const char *name, bool timeouts, size_t n)
{
        NftSetShape shape = {
                .table = table,
                .name = name,
                .key_type = KEY_PORT,
                .key_bytes = sizeof(uint16_t),
                .flags = timeouts ? NFT_SET_TIMEOUT : 0,
                .size = timeouts ? 0 : (uint32_t) MAX(n, (size_t) 1),
        };
        nft_msg_set(m, &shape);
}

/* set from4 { type inet_service . ipv4_addr; flags timeout; } */
void block_msg_put_from_set(NftMsg *m, const char *table, int family, bool timeouts, size_t n)
{
        const bool six = family == AF_INET6;
        NftSetShape shape = {
                .table = table,
                .name = six ? BLOCK_MSG_SET_FROM6 : BLOCK_MSG_SET_FROM4,
                .key_type = KEY_FROM(six ? KEY_IPV6 : KEY_IPV4),
                .key_bytes = NFT_RULE_SOURCE_KEY(six ? 16u : 4u),
                .flags = timeouts ? NFT_SET_TIMEOUT : 0,
                .size = timeouts ? 0 : (uint32_t) MAX(n, (size_t) 1),
        };
        nft_msg_set(m, &shape);
}

/* set checks4 { type ipv4_addr; flags dynamic,timeout; size 1024; timeout 1h; } */
static void put_source_set(NftMsg *m, const char *table, const char *name, int family, uint32_t size)
{
        NftSetShape shape = {
                .table = table,
                .name = name,
                .key_type = family == AF_INET6 ? KEY_IPV6 : KEY_IPV4,
                .key_bytes = family == AF_INET6 ? 16 : 4,
                .flags = NFT_SET_EVAL | NFT_SET_TIMEOUT, /* without EVAL the rule that updates it is EINVAL */
                .size = size,
                .timeout_usec = BLOCK_MSG_SOURCE_TIMEOUT,
        };
        nft_msg_set(m, &shape);
}

/*
 * set speakers4 { type ipv4_addr . inet_service . inet_service; flags dynamic,timeout; }
 *
 * A size is also what the kernel allocates at once (nft_rhash_init()): 65535 cost 2 ms and 1 MiB for each
 * set. Without one the set grows with its elements, and the rule that updates it bounds it all the same, at
 * 65535 (nft_dynset_init()).
 */
static void put_speaker_set(NftMsg *m, const char *table, int family, uint32_t size)
{
        const bool six = family == AF_INET6;
        NftSetShape shape = {
                .table = table,
                .name = block_msg_speaker_set(family),
                .key_type = KEY_SPEAKER(six ? KEY_IPV6 : KEY_IPV4),
                .key_bytes = (six ? 16 : 4) + 4 + 4, /* each in whole registers */
                .flags = NFT_SET_EVAL | NFT_SET_TIMEOUT,
                .size = size < BLOCK_SPEAKERS ? size : 0,
        };
        nft_msg_set(m, &shape);
}

/*
 * Add, delete, add. Adding alone does not renew an element that is there; deleting first fails, with the
 * whole batch, when it has expired; after the first add there is always one to delete.
 */
static void put_renewal(NftMsg *m, const char *table, const char *set, const uint16_t *ports, size_t n,
                        uint64_t timeout_msec)
{
        nft_msg_ports(m, NFT_MSG_NEWSETELEM, table, set, ports, n, timeout_msec, "a port");
        nft_msg_ports(m, NFT_MSG_DELSETELEM, table, set, ports, n, 0, "a port's renewal");
        nft_msg_ports(m, NFT_MSG_NEWSETELEM, table, set, ports, n, timeout_msec, "a port's renewal");
}

static void put_from_renewal(NftMsg *m, const char *table, const BlockPlan *plan, int family,
                             uint64_t timeout_msec)
{
        const char *set = family == AF_INET6 ? BLOCK_MSG_SET_FROM6 : BLOCK_MSG_SET_FROM4;
        BlockFromKeys k;

        block_msg_from_keys(plan, family, &k);
        for (size_t i = 0; i < 3; i++)
                nft_msg_elements(m, i == 1 ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM, table, set, k.keys,
                                 k.key_bytes, k.n, i == 1 ? 0 : timeout_msec, "a source's renewal");
}

/* Rules. */

/* meta l4proto tcp tcp dport . ip saddr @from4 jump refuse; the same of ip6 */
void block_msg_put_from(NftMsg *m, const char *table)
{
        NftRule four = nft_rule_new(m, table, BLOCK_MSG_CHAIN_INPUT);
        nft_rule_source_in(&four, AF_INET, BLOCK_MSG_SET_FROM4);
        nft_rule_verdict(&four, NFT_JUMP, BLOCK_MSG_CHAIN_REFUSE);
        nft_rule_put(&four);

        NftRule six = nft_rule_new(m, table, BLOCK_MSG_CHAIN_INPUT);
        nft_rule_source_in(&six, AF_INET6, BLOCK_MSG_SET_FROM6);
        nft_rule_verdict(&six, NFT_JUMP, BLOCK_MSG_CHAIN_REFUSE);
        nft_rule_put(&six);
}

/* meta l4proto tcp tcp dport @set jump chain */
void block_msg_put_jump(NftMsg *m, const char *table, const char *set, const char *chain)
{
        NftRule r = nft_rule_new(m, table, BLOCK_MSG_CHAIN_INPUT);

        nft_rule_tcp(&r);
        nft_rule_port_in(&r, NFT_RULE_TCP_DPORT, set);
        nft_rule_verdict(&r, NFT_JUMP, chain);
        nft_rule_put(&r);
}

/*
 * ip saddr 127.0.0.0/8 accept; ip6 saddr ::1 accept; or daddr. By address: `lo` also carries the node's own
 * address.
 */
void block_msg_put_loopback(NftMsg *m, const char *table, const char *chain, NftEnd end)
{
        const uint8_t net = 127;
        const uint8_t one[16] = { [15] = 1 };

        NftRule four = nft_rule_new(m, table, chain);
        nft_rule_address(&four, AF_INET, end, sizeof(net));
        nft_rule_compare(&four, NFT_CMP_EQ, &net, sizeof(net));
        nft_rule_verdict(&four, NF_ACCEPT, NULL);
        nft_rule_put(&four);

        NftRule six = nft_rule_new(m, table, chain);
        nft_rule_address(&six, AF_INET6, end, sizeof(one));
        nft_rule_compare(&six, NFT_CMP_EQ, one, sizeof(one));
        nft_rule_verdict(&six, NF_ACCEPT, NULL);
        nft_rule_put(&six);
}

/* meta l4proto tcp reject with tcp reset */
void block_msg_put_reject(NftMsg *m, const char *table)
{
        NftRule r = nft_rule_new(m, table, BLOCK_MSG_CHAIN_REFUSE);

        nft_rule_tcp(&r);
        nft_rule_reset(&r);
        nft_rule_put(&r);
}

/*
 * tcp doff N @th,32*N,8 >= 0 VERDICT, for each length a TCP header can have.
 *
 * "Carries data" without conntrack and without arithmetic on lengths, which rules cannot do: reading the byte
 * behind the header ends the rule when the packet ends there. The PSH flag alone would not do: the first
 * segments of a large request come without it.
 */
static void put_data(NftMsg *m, const char *table, const char *chain, int verdict)
{
        for (size_t i = 0; i < ELEMENTS(tcp_words); i++) {
                const uint8_t high = (uint8_t) (tcp_words[i] << 4), any = 0;
                NftRule r = nft_rule_new(m, table, chain);

                nft_rule_tcp(&r);
                nft_rule_load(&r, NFT_PAYLOAD_TRANSPORT_HEADER, NFT_RULE_TCP_WORDS, 1);
                nft_rule_mask(&r, 0xf0);
                nft_rule_compare(&r, NFT_CMP_EQ, &high, sizeof(high));
                nft_rule_load(&r, NFT_PAYLOAD_TRANSPORT_HEADER, tcp_words[i] * 4u, 1);
                /* Always true; makes `nft list` show that something was read. */
                nft_rule_compare(&r, NFT_CMP_GTE, &any, sizeof(any));
                nft_rule_verdict(&r, verdict, NULL);
                nft_rule_put(&r);
        }
}

/* From either side: what carries data is to be noted, and with that each family is in a rule of its own. */
static void put_spoke(NftMsg *m, const char *table, const char *chain, NftEnd peer, Usec timeout_usec)
{
        NftRule data = nft_rule_new(m, table, chain);
        nft_rule_verdict(&data, NFT_JUMP, CHAIN_DATA);
        nft_rule_put(&data);

        NftRule four = nft_rule_new(m, table, chain);
        nft_rule_remember_peer(&four, SET_SPEAKERS4, AF_INET, peer, timeout_usec);
        nft_rule_put(&four);

        NftRule six = nft_rule_new(m, table, chain);
        nft_rule_remember_peer(&six, SET_SPEAKERS6, AF_INET6, peer, timeout_usec);
        nft_rule_put(&six);
}

/*
 * tcp flags & (fin|syn|rst|ack) != syn tcp dport @set jump from_peer; or sport. No SYN, whoever it is from:
 * the chain lets pass what carries no data, and a SYN has yet to come by the rules that refuse.
 */
static void put_heard(NftMsg *m, const char *table, uint32_t offset, const char *set)
{
        NftRule r = nft_rule_new(m, table, BLOCK_MSG_CHAIN_INPUT);

        nft_rule_tcp(&r);
        nft_rule_syn(&r, NFT_CMP_NEQ);
        nft_rule_port_in(&r, offset, set);
        nft_rule_verdict(&r, NFT_JUMP, CHAIN_FROM_PEER);
        nft_rule_put(&r);
}

/* tcp sport @set jump from_self; or dport */
static void put_said(NftMsg *m, const char *table, uint32_t offset, const char *set)
{
        NftRule r = nft_rule_new(m, table, CHAIN_OUTPUT);

        nft_rule_tcp(&r);
        nft_rule_port_in(&r, offset, set);
        nft_rule_verdict(&r, NFT_JUMP, CHAIN_FROM_SELF);
        nft_rule_put(&r);
}

/*
 * All that belongs to the speaker sets, in one piece so that the batch can be built without it; the place of
 * its rule in the input chain is that of this call, before the one that accepts all but SYN. An element is
 * updated in place, by either side: deleting and adding would pile up dead ones until the kernel collects
 * them.
 */
static void put_speakers(NftMsg *m, const char *table, const BlockPlan *plan, uint32_t size)
{
        const NftHook output = { .number = NF_INET_LOCAL_OUT, .priority = BLOCK_MSG_PRIORITY };

        nft_msg_part_begin(m);
        put_speaker_set(m, table, AF_INET, size);
        put_speaker_set(m, table, AF_INET6, size);
        if (plan->n_upstream > 0)
                block_msg_put_port_set(m, table, SET_UPSTREAM, false, plan->n_upstream);
        nft_msg_chain(m, table, CHAIN_OUTPUT, &output);
        nft_msg_chain(m, table, CHAIN_FROM_PEER, NULL);
        nft_msg_chain(m, table, CHAIN_FROM_SELF, NULL);
        nft_msg_chain(m, table, CHAIN_DATA, NULL);

        put_heard(m, table, NFT_RULE_TCP_DPORT, SET_TRAFFIC);
        if (plan->n_upstream > 0)
                put_heard(m, table, NFT_RULE_TCP_SPORT, SET_UPSTREAM);
        put_spoke(m, table, CHAIN_FROM_PEER, NFT_END_SOURCE, BLOCK_MSG_PEER_TIMEOUT);

        /* All that the node sends comes by here, so what is not ours leaves after one rule, or two. */
        put_said(m, table, NFT_RULE_TCP_SPORT, SET_TRAFFIC);
        if (plan->n_upstream > 0)
                put_said(m, table, NFT_RULE_TCP_DPORT, SET_UPSTREAM);
        /* Whose words are not heard (the input chain lets them pass first), to those no answer is noted. */
        block_msg_put_loopback(m, table, CHAIN_FROM_SELF, NFT_END_DESTINATION);
        put_spoke(m, table, CHAIN_FROM_SELF, NFT_END_DESTINATION, BLOCK_MSG_SELF_TIMEOUT);

        /* Only data comes back from here. The rest is neither a SYN, which came another way, nor refused. */
        put_data(m, table, CHAIN_DATA, NFT_RETURN);
        NftRule empty = nft_rule_new(m, table, CHAIN_DATA);
        nft_rule_verdict(&empty, NF_ACCEPT, NULL);
        nft_rule_put(&empty);
        nft_msg_ports(m, NFT_MSG_NEWSETELEM, table, SET_UPSTREAM, plan->upstream_ports, plan->n_upstream, 0,
                      "a next tier's port");
        nft_msg_part_end(m);
}

/* counter name NAME; update @NAME4 { ip saddr counter }; update @NAME6 { ip6 saddr counter } */
static void put_counting(NftMsg *m, const char *table, const Counter *counter)
{
        /* A full set breaks its own rule, so the total must not share one with it. */
        NftRule total = nft_rule_new(m, table, counter->chain);
        nft_rule_count(&total, counter->name);
        nft_rule_put(&total);

        NftRule four = nft_rule_new(m, table, counter->chain);
        nft_rule_address(&four, AF_INET, NFT_END_SOURCE, 4);
        nft_rule_remember(&four, counter->set4);
        nft_rule_put(&four);

        NftRule six = nft_rule_new(m, table, counter->chain);
        nft_rule_address(&six, AF_INET6, NFT_END_SOURCE, 16);
        nft_rule_remember(&six, counter->set6);
        nft_rule_put(&six);
}

/* Batches. */

static uint32_t owner_flags(BlockOwner owner)
{
        switch (owner) {
        case BLOCK_OWNER_PERSIST:
                return NFT_MSG_TABLE_OWNER | NFT_MSG_TABLE_PERSIST;
        case BLOCK_OWNER_SOCKET:
                return NFT_MSG_TABLE_OWNER;
        case BLOCK_OWNER_NONE:
        case BLOCK_OWNER_COUNT:
        case BLOCK_OWNER_INVALID:
                break;
        }
        return 0;
}

#define HEALTH_PORTS_MAX (2 * BLOCK_PORTS_MAX + BLOCK_FROM_PORTS)

/* The health ports of a plan, those refused whole first. @ret: HEALTH_PORTS_MAX. */
static size_t health_ports(const BlockPlan *plan, uint16_t *ret)
{
        memcpy(ret, plan->whole_ports, plan->n_whole * sizeof(*ret));
        memcpy(ret + plan->n_whole, plan->syn_ports, plan->n_syn * sizeof(*ret));
        memcpy(ret + plan->n_whole + plan->n_syn, plan->from_ports, plan->n_from_ports * sizeof(*ret));
        return plan->n_whole + plan->n_syn + plan->n_from_ports;
}

int block_msg_install(NftMsg *m, const char *table, const BlockPlan *plan, BlockOwner owner, uint32_t sources,
                      uint32_t speakers, Err *err)
{
        const NftHook input = { .number = NF_INET_LOCAL_IN, .priority = BLOCK_MSG_PRIORITY };
        uint16_t health[HEALTH_PORTS_MAX];
        size_t n_health = health_ports(plan, health);

        nft_msg_batch_begin(m);
        block_msg_put_clear(m, table);
        nft_msg_table(m, NFT_MSG_NEWTABLE, table, owner_flags(owner), "the table and its owner");

        block_msg_put_port_set(m, table, BLOCK_MSG_SET_WHOLE, true, 0);
        block_msg_put_port_set(m, table, BLOCK_MSG_SET_SYN, true, 0);
        block_msg_put_from_set(m, table, AF_INET, true, 0);
        block_msg_put_from_set(m, table, AF_INET6, true, 0);
        block_msg_put_port_set(m, table, BLOCK_MSG_SET_FROZEN, true, 0);
        block_msg_put_port_set(m, table, SET_HEALTH, false, n_health);
        block_msg_put_port_set(m, table, SET_TRAFFIC, false, plan->n_traffic);
        for (size_t i = 0; i < ELEMENTS(counters); i++) {
                nft_msg_counter(m, table, counters[i].name);
                put_source_set(m, table, counters[i].set4, AF_INET, sources);
                put_source_set(m, table, counters[i].set6, AF_INET6, sources);
        }

        nft_msg_chain(m, table, BLOCK_MSG_CHAIN_INPUT, &input);
        nft_msg_chain(m, table, CHAIN_FROZEN, NULL);
        nft_msg_chain(m, table, BLOCK_MSG_CHAIN_REFUSE, NULL);
        for (size_t i = 0; i < ELEMENTS(counters); i++)
                nft_msg_chain(m, table, counters[i].chain, NULL);

        block_msg_put_loopback(m, table, BLOCK_MSG_CHAIN_INPUT, NFT_END_SOURCE);
        block_msg_put_jump(m, table, BLOCK_MSG_SET_FROZEN, CHAIN_FROZEN);
        block_msg_put_jump(m, table, BLOCK_MSG_SET_WHOLE, BLOCK_MSG_CHAIN_REFUSE);
        block_msg_put_from(m, table);
        /* Behind the freeze: what is dropped was not said. */
        if (speakers > 0)
                put_speakers(m, table, plan, speakers);

        /* From here on only connection attempts are of interest. */
        NftRule rest = nft_rule_new(m, table, BLOCK_MSG_CHAIN_INPUT);
        nft_rule_tcp(&rest);
        nft_rule_syn(&rest, NFT_CMP_NEQ);
        nft_rule_verdict(&rest, NF_ACCEPT, NULL);
        nft_rule_put(&rest);

        block_msg_put_jump(m, table, BLOCK_MSG_SET_SYN, BLOCK_MSG_CHAIN_REFUSE);
        block_msg_put_jump(m, table, SET_HEALTH, counters[BLOCK_CHECKS].chain);
        block_msg_put_jump(m, table, SET_TRAFFIC, counters[BLOCK_NEWCONN].chain);

        put_data(m, table, CHAIN_FROZEN, NF_DROP);

        /* One attempt is one count, so what else a whole port is sent is refused uncounted. */
        NftRule attempt = nft_rule_new(m, table, BLOCK_MSG_CHAIN_REFUSE);
        nft_rule_tcp(&attempt);
        nft_rule_syn(&attempt, NFT_CMP_EQ);
        nft_rule_verdict(&attempt, NFT_JUMP, counters[BLOCK_REFUSED].chain);
        nft_rule_put(&attempt);
        block_msg_put_reject(m, table);

        for (size_t i = 0; i < ELEMENTS(counters); i++)
                put_counting(m, table, &counters[i]);

        nft_msg_ports(m, NFT_MSG_NEWSETELEM, table, SET_HEALTH, health, n_health, 0, "a health port");
        nft_msg_ports(m, NFT_MSG_NEWSETELEM, table, SET_TRAFFIC, plan->traffic_ports, plan->n_traffic, 0,
                      "a traffic port");
        return nft_msg_batch_end(m, err);
}

int block_msg_adopt(NftMsg *m, const char *table, Err *err)
{
        nft_msg_batch_begin(m);
        nft_msg_table(m, NFT_MSG_NEWTABLE, table, owner_flags(BLOCK_OWNER_PERSIST),
                      "the table and its owner");
        return nft_msg_batch_end(m, err);
}

static int timeout_check(Usec timeout_usec, Err *err)
{
        if (timeout_usec == 0 || timeout_usec == USEC_INFINITY)
                return err_set(err, -EINVAL, "a block must have a timeout, so that it ends by itself");
        return 0;
}

static uint64_t timeout_msec(Usec timeout_usec)
{
        return timeout_usec / USEC_PER_MSEC + (timeout_usec % USEC_PER_MSEC != 0);
}

int block_msg_close(NftMsg *m, const char *table, const BlockPlan *plan, Usec timeout_usec, Err *err)
{
        const uint64_t msec = timeout_msec(timeout_usec);
        int r = timeout_check(timeout_usec, err);

        if (r < 0)
                return r;
        if (!block_msg_refuses(plan))
                return err_set(err, -EINVAL,
                               plan->n_from_ports ? "it is not known from whom to refuse"
                                                  : "there is no health port to refuse");
        nft_msg_batch_begin(m);
        put_renewal(m, table, BLOCK_MSG_SET_WHOLE, plan->whole_ports, plan->n_whole, msec);
        put_renewal(m, table, BLOCK_MSG_SET_SYN, plan->syn_ports, plan->n_syn, msec);
        put_from_renewal(m, table, plan, AF_INET, msec);
        put_from_renewal(m, table, plan, AF_INET6, msec);
        return nft_msg_batch_end(m, err);
}

int block_msg_open(NftMsg *m, const char *table, Err *err)
{
        nft_msg_batch_begin(m);
        nft_msg_flush(m, table, BLOCK_MSG_SET_WHOLE);
        nft_msg_flush(m, table, BLOCK_MSG_SET_SYN);
        nft_msg_flush(m, table, BLOCK_MSG_SET_FROM4);
        nft_msg_flush(m, table, BLOCK_MSG_SET_FROM6);
        return nft_msg_batch_end(m, err);
}

int block_msg_freeze(NftMsg *m, const char *table, const BlockPlan *plan, Usec timeout_usec, Err *err)
{
        const uint64_t msec = timeout_msec(timeout_usec);
        int r = timeout_check(timeout_usec, err);

        if (r < 0)
                return r;
        if (plan->n_traffic == 0)
                return err_set(err, -EINVAL, "there is no traffic port to freeze");
        nft_msg_batch_begin(m);
        put_renewal(m, table, BLOCK_MSG_SET_FROZEN, plan->traffic_ports, plan->n_traffic, msec);
        return nft_msg_batch_end(m, err);
}

int block_msg_thaw(NftMsg *m, const char *table, Err *err)
{
        nft_msg_batch_begin(m);
        nft_msg_flush(m, table, BLOCK_MSG_SET_FROZEN);
        return nft_msg_batch_end(m, err);
}

int block_msg_remove(NftMsg *m, const char *table, Err *err)
{
        nft_msg_batch_begin(m);
        block_msg_put_clear(m, table);
        return nft_msg_batch_end(m, err);
}

const char *block_msg_source_set(BlockCounter counter, int family)
{
        return family == AF_INET6 ? counters[counter].set6 : counters[counter].set4;
}

const char *block_msg_speaker_set(int family)
{
        return family == AF_INET6 ? SET_SPEAKERS6 : SET_SPEAKERS4;
}

size_t block_msg_speaker_key(const BlockPeer *peer, uint8_t *ret)
{
        const size_t address = peer->addr.family == AF_INET6 ? 16 : 4;
        const uint16_t port_be = htons(peer->port), local_port_be = htons(peer->local_port);

        /* A register has four bytes; what is loaded is at its beginning and the rest is zero. */
        memset(ret, 0, BLOCK_MSG_SPEAKER_KEY_MAX);
        memcpy(ret, peer->addr.b, address);
        memcpy(ret + address, &port_be, sizeof(port_be));
        memcpy(ret + address + 4, &local_port_be, sizeof(local_port_be));
        return address + 8;
}

BlockSpeaker block_msg_speaker(Usec expires_usec)
{
        if (expires_usec == 0 || expires_usec == USEC_INFINITY)
                return BLOCK_SPEAKER_UNKNOWN;
        return expires_usec > BLOCK_MSG_SELF_TIMEOUT ? BLOCK_SPEAKER_PEER : BLOCK_SPEAKER_SELF;
}
