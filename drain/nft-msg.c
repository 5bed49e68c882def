/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/nft-msg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/*
 * libnftnl's builders do not know where the buffer ends, so before each message this much is free: the
 * largest rule has about 600 bytes, the largest element message below 12 KiB.
 */
#define MSG_ROOM_BYTES (16u * 1024)
#define MSG_LABELS     512u
#define MSG_ELEMENTS   256u /* ports in one message */

struct NftMsg {
        uint8_t *bytes;
        size_t n_bytes, allocated;
        uint32_t first, count, acks;
        const char *labels[MSG_LABELS];
        uint32_t owner_index; /* the message that asks for table flags; 0: none, as the first one begins a
                                 batch */
        uint32_t part_begin, part_end; /* indices of the part that can be done without, and behind it */
        int error;                     /* the first failure while building */
        uint32_t set_id;
};

int nft_msg_new(NftMsg **ret, uint32_t seq, Err *err)
{
        NftMsg *m = calloc(1, sizeof(*m));
        uint8_t *bytes = calloc(2, MSG_ROOM_BYTES); /* zeroed: the builders leave padding as it is */

        if (!m || !bytes) {
                free(m);
                free(bytes);
                return err_errno(err, -ENOMEM, "cannot build a firewall message");
        }
        *m = (NftMsg){ .bytes = bytes, .allocated = 2 * MSG_ROOM_BYTES, .first = seq };
        *ret = m;
        return 0;
}

NftMsg *nft_msg_free(NftMsg *m)
{
        if (m)
                free(m->bytes);
        free(m);
        return NULL;
}

const void *nft_msg_bytes(const NftMsg *m, size_t *ret_bytes)
{
        *ret_bytes = m->n_bytes;
        return m->bytes;
}

uint32_t nft_msg_first(const NftMsg *m)
{
        return m->first;
}

uint32_t nft_msg_count(const NftMsg *m)
{
        return m->count;
}

uint32_t nft_msg_acks(const NftMsg *m)
{
        return m->acks;
}

const char *nft_msg_label(const NftMsg *m, uint32_t index)
{
        return index < m->count ? m->labels[index] : "?";
}

bool nft_msg_asks_owner(const NftMsg *m, uint32_t index)
{
        return m->owner_index > 0 && m->owner_index == index;
}

void nft_msg_part_begin(NftMsg *m)
{
        m->part_begin = m->count;
}

void nft_msg_part_end(NftMsg *m)
{
        m->part_end = m->count;
}

bool nft_msg_in_part(const NftMsg *m, uint32_t index)
{
        return index >= m->part_begin && index < m->part_end;
}

/*
 * After a failure building goes on from the start of the buffer, over what will not be sent: so no caller
 * needs a second way out.
 */
void nft_msg_fail(NftMsg *m, int error)
{
        if (m->error == 0)
                m->error = error;
        m->n_bytes = 0;
        m->count = 0;
}

/* Start a message; it ends with nft_msg_end(). */
static struct nlmsghdr *msg_begin(NftMsg *m, uint16_t type, uint16_t flags, const char *label)
{
        if (m->allocated - m->n_bytes < MSG_ROOM_BYTES) {
                uint8_t *bytes = realloc(m->bytes, 2 * m->allocated);
                if (bytes) {
                        memset(bytes + m->allocated, 0, m->allocated);
                        m->bytes = bytes;
                        m->allocated *= 2;
                } else
                        nft_msg_fail(m, -ENOMEM);
        }
        if (m->count >= MSG_LABELS)
                nft_msg_fail(m, -E2BIG);

        struct nlmsghdr *nlh = mnl_nlmsg_put_header(m->bytes + m->n_bytes);
        nlh->nlmsg_type = type;
        nlh->nlmsg_flags = NLM_F_REQUEST | flags;
        nlh->nlmsg_seq = m->first + m->count;
        struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
        nfg->version = NFNETLINK_V0;
        nfg->nfgen_family = NFPROTO_INET;

        m->labels[m->count++] = label;
        if (flags & NLM_F_ACK)
                m->acks++;
        return nlh;
}

void nft_msg_end(NftMsg *m, const struct nlmsghdr *nlh)
{
        m->n_bytes += MNL_ALIGN(nlh->nlmsg_len);
}

static struct nlmsghdr *nft_begin(NftMsg *m, uint16_t type, uint16_t flags, const char *label)
{
        return msg_begin(m, (uint16_t) (NFNL_SUBSYS_NFTABLES << 8 | type), flags, label);
}

/* One that changes something: always acknowledged, for without the flag success is silence. */
struct nlmsghdr *nft_msg_change(NftMsg *m, uint16_t type, uint16_t flags, const char *label)
{
        return nft_begin(m, type, NLM_F_ACK | flags, label);
}

static void batch_edge(NftMsg *m, uint16_t type, const char *label)
{
        struct nlmsghdr *nlh = msg_begin(m, type, 0, label);
        struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

        nfg->nfgen_family = AF_UNSPEC;
        nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
        nft_msg_end(m, nlh);
}

void nft_msg_batch_begin(NftMsg *m)
{
        batch_edge(m, NFNL_MSG_BATCH_BEGIN, "the batch");
}

static int finish(const NftMsg *m, Err *err)
{
        return m->error < 0 ? err_errno(err, m->error, "cannot build a firewall message") : 0;
}

int nft_msg_batch_end(NftMsg *m, Err *err)
{
        batch_edge(m, NFNL_MSG_BATCH_END, "the end of the batch");
        return finish(m, err);
}

/* For libnftnl calls that allocate. */
void nft_msg_check(NftMsg *m, int r)
{
        if (r < 0)
                nft_msg_fail(m, -ENOMEM);
}

void nft_msg_table(NftMsg *m, uint16_t type, const char *name, uint32_t flags, const char *label)
{
        struct nftnl_table *t = nftnl_table_alloc();
        struct nlmsghdr *nlh = nft_msg_change(m, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, label);

        if (t) {
                nft_msg_check(m, nftnl_table_set_str(t, NFTNL_TABLE_NAME, name));
                if (flags != 0) {
                        nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, flags);
                        m->owner_index = nlh->nlmsg_seq - m->first;
                }
                nftnl_table_nlmsg_build_payload(nlh, t);
                nftnl_table_free(t);
        } else
                nft_msg_fail(m, -ENOMEM);
        nft_msg_end(m, nlh);
}

void nft_msg_set(NftMsg *m, const NftSetShape *shape)
{
        struct nftnl_set *s = nftnl_set_alloc();
        struct nlmsghdr *nlh = nft_msg_change(m, NFT_MSG_NEWSET, NLM_F_CREATE, "a set");

        if (s) {
                nft_msg_check(m, nftnl_set_set_str(s, NFTNL_SET_TABLE, shape->table));
                nft_msg_check(m, nftnl_set_set_str(s, NFTNL_SET_NAME, shape->name));
                nftnl_set_set_u32(s, NFTNL_SET_ID, ++m->set_id);
                nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, shape->key_type);
                nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, shape->key_bytes);
                nftnl_set_set_u32(s, NFTNL_SET_FLAGS, shape->flags);
                if (shape->size > 0)
                        nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, shape->size);
                if (shape->timeout_usec > 0)
                        nftnl_set_set_u64(s, NFTNL_SET_TIMEOUT, shape->timeout_usec / USEC_PER_MSEC);
                nftnl_set_nlmsg_build_payload(nlh, s);
                nftnl_set_free(s);
        } else
                nft_msg_fail(m, -ENOMEM);
        nft_msg_end(m, nlh);
}

void nft_msg_counter(NftMsg *m, const char *table, const char *name)
{
        struct nftnl_obj *o = nftnl_obj_alloc();
        struct nlmsghdr *nlh = nft_msg_change(m, NFT_MSG_NEWOBJ, NLM_F_CREATE, "a counter");

        if (o) {
                nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, table);
                nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
                nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
                nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, 0);
        }
        /* The setters of names do not say when they had no memory, and the builder does not look. */
        if (o && nftnl_obj_get_str(o, NFTNL_OBJ_TABLE) && nftnl_obj_get_str(o, NFTNL_OBJ_NAME))
                nftnl_obj_nlmsg_build_payload(nlh, o);
        else
                nft_msg_fail(m, -ENOMEM);
        if (o)
                nftnl_obj_free(o);
        nft_msg_end(m, nlh);
}

void nft_msg_chain(NftMsg *m, const char *table, const char *name, const NftHook *hook)
{
        struct nftnl_chain *c = nftnl_chain_alloc();
        struct nlmsghdr *nlh = nft_msg_change(m, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "a chain");

        if (c) {
                nft_msg_check(m, nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, table));
                nft_msg_check(m, nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name));
                if (hook) {
                        nft_msg_check(m, nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter"));
                        nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook->number);
                        nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, hook->priority);
                        nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
                }
                nftnl_chain_nlmsg_build_payload(nlh, c);
                nftnl_chain_free(c);
        } else
                nft_msg_fail(m, -ENOMEM);
        nft_msg_end(m, nlh);
}

/*
 * Elements by hand: no allocation per element.
 * @timeout_msec: 0 for none (always so for a deletion).
 */
void nft_msg_elements(NftMsg *m, uint16_t type, const char *table, const char *set, const uint8_t *keys,
                      size_t key_bytes, size_t n, uint64_t timeout_msec, const char *label)
{
        for (size_t done = 0; done < n;) {
                struct nlmsghdr *nlh =
                        nft_msg_change(m, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, label);
                size_t until = MIN(n, done + MSG_ELEMENTS);

                mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
                mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
                struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
                for (; done < until; done++) {
                        struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
                        struct nlattr *key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
                        mnl_attr_put(nlh, NFTA_DATA_VALUE, key_bytes, keys + done * key_bytes);
                        mnl_attr_nest_end(nlh, key);
                        if (timeout_msec > 0)
                                mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_msec));
                        mnl_attr_nest_end(nlh, element);
                }
                mnl_attr_nest_end(nlh, list);
                nft_msg_end(m, nlh);
        }
}

void nft_msg_ports(NftMsg *m, uint16_t type, const char *table, const char *set, const uint16_t *ports,
                   size_t n, uint64_t timeout_msec, const char *label)
{
        for (size_t done = 0; done < n;) {
                uint16_t ports_be[MSG_ELEMENTS];
                size_t some = MIN(n - done, (size_t) MSG_ELEMENTS);

                for (size_t i = 0; i < some; i++)
                        ports_be[i] = htons(ports[done + i]);
                nft_msg_elements(m, type, table, set, (const uint8_t *) ports_be, sizeof(*ports_be), some,
                                 timeout_msec, label);
                done += some;
        }
}

void nft_msg_flush(NftMsg *m, const char *table, const char *set)
{
        struct nlmsghdr *nlh = nft_msg_change(m, NFT_MSG_DELSETELEM, 0, "emptying a set");

        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
        nft_msg_end(m, nlh);
}

int nft_msg_get_generation(NftMsg *m, Err *err)
{
        struct nlmsghdr *nlh = nft_begin(m, NFT_MSG_GETGEN, 0, "the ruleset's generation");

        nft_msg_end(m, nlh);
        return finish(m, err);
}

int nft_msg_get_table(NftMsg *m, const NftTableShape *table, Err *err)
{
        struct nlmsghdr *nlh = nft_begin(m, NFT_MSG_GETTABLE, 0, "the table");

        mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table->name);
        nft_msg_end(m, nlh);
        for (size_t i = 0; i < table->n_chains; i++) {
                nlh = nft_begin(m, NFT_MSG_GETCHAIN, 0, "a chain");
                mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, table->name);
                mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, table->chains[i].name);
                nft_msg_end(m, nlh);
        }
        for (size_t i = 0; i < table->n_counters; i++) {
                nlh = nft_begin(m, NFT_MSG_GETOBJ, 0, "a counter");
                mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, table->name);
                mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, table->counters[i]);
                mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
                nft_msg_end(m, nlh);
        }
        return finish(m, err);
}

static void set_family(struct nlmsghdr *nlh, uint8_t family)
{
        struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

        nfg->nfgen_family = family;
}

int nft_msg_get_all(NftMsg *m, uint16_t type, Err *err)
{
        struct nlmsghdr *nlh = nft_begin(m, type, NLM_F_DUMP, "what there is");

        set_family(nlh, AF_UNSPEC);
        nft_msg_end(m, nlh);
        return finish(m, err);
}

int nft_msg_get_elements(NftMsg *m, const char *table, const char *set, Err *err)
{
        return nft_msg_get_elements_of(m, NFPROTO_INET, table, set, err);
}

int nft_msg_get_elements_of(NftMsg *m, uint8_t family, const char *table, const char *set, Err *err)
{
        struct nlmsghdr *nlh = nft_begin(m, NFT_MSG_GETSETELEM, NLM_F_DUMP, "the elements of a set");

        set_family(nlh, family);
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
        nft_msg_end(m, nlh);
        return finish(m, err);
}

int nft_msg_get_element(NftMsg *m, const char *table, const char *set, const void *key, size_t key_bytes,
                        Err *err)
{
        struct nlmsghdr *nlh = nft_begin(m, NFT_MSG_GETSETELEM, 0, "an element of a set");

        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
        struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
        struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
        struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
        mnl_attr_put(nlh, NFTA_DATA_VALUE, key_bytes, key);
        mnl_attr_nest_end(nlh, nest);
        mnl_attr_nest_end(nlh, element);
        mnl_attr_nest_end(nlh, list);
        nft_msg_end(m, nlh);
        return finish(m, err);
}
