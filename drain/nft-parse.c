/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/nft-parse.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "drain/nft-attr.h"

const struct nlmsghdr *nft_parse_next(const void **pos, size_t *left)
{
        const struct nlmsghdr *nlh = *pos;

        if (*left < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > *left)
                return NULL;
        size_t whole = MNL_ALIGN((size_t) nlh->nlmsg_len), step = whole < *left ? whole : *left;
        *pos = (const uint8_t *) *pos + step;
        *left -= step;
        return nlh;
}

bool nft_parse_table(const struct nlmsghdr *nlh, uint32_t *ret_flags, uint32_t *ret_owner)
{
        enum { ATTR_OWNER = 7 }; /* NFTA_TABLE_OWNER: RHEL 8's headers lack it (see nft-msg.h) */
        const struct nlattr *a[NFT_ATTRS];
        uint32_t flags, owner = 0;

        if (!nft_attrs_of_msg(nlh, NFT_MSG_NEWTABLE, a) || !nft_attr_u32(a[NFTA_TABLE_FLAGS], &flags))
                return false;
        (void) nft_attr_u32(a[ATTR_OWNER], &owner);
        *ret_flags = flags;
        *ret_owner = owner;
        return true;
}

bool nft_parse_chain(const struct nlmsghdr *nlh, const char **ret_name, uint32_t *ret_use)
{
        const struct nlattr *a[NFT_ATTRS];
        const char *name;

        if (!nft_attrs_of_msg(nlh, NFT_MSG_NEWCHAIN, a))
                return false;
        name = nft_attr_text(a[NFTA_CHAIN_NAME]);
        if (!name || !nft_attr_u32(a[NFTA_CHAIN_USE], ret_use))
                return false;
        *ret_name = name;
        return true;
}

bool nft_parse_counter(const struct nlmsghdr *nlh, const char **ret_name, uint64_t *ret_packets)
{
        const struct nlattr *a[NFT_ATTRS], *data[NFT_ATTRS];
        const char *name;

        if (!nft_attrs_of_msg(nlh, NFT_MSG_NEWOBJ, a))
                return false;
        name = nft_attr_text(a[NFTA_OBJ_NAME]);
        if (!name || !nft_attrs_of_nest(a[NFTA_OBJ_DATA], data) ||
            !nft_attr_u64(data[NFTA_COUNTER_PACKETS], ret_packets))
                return false;
        *ret_name = name;
        return true;
}

bool nft_parse_generation(const struct nlmsghdr *nlh, NftGeneration *ret)
{
        const struct nlattr *a[NFT_ATTRS];
        const char *name;

        if (!nft_attrs_of_msg(nlh, NFT_MSG_NEWGEN, a))
                return false;
        *ret = (NftGeneration){ .name = "" };
        (void) nft_attr_u32(a[NFTA_GEN_PROC_PID], &ret->pid);
        name = nft_attr_text(a[NFTA_GEN_PROC_NAME]);
        if (name)
                ret->name = name;
        return true;
}

bool nft_parse_is_of_table(const struct nlmsghdr *nlh, const char *name)
{
        const struct nlattr *a[NFT_ATTRS];
        const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);
        const char *table;

        /* Tables, chains, rules, sets, elements and objects: each has the name of its table as attribute 1.
         */
        _Static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
                               NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1,
                       "the table's name is the first attribute");
        if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
            !nft_attrs_of_msg(nlh, nlh->nlmsg_type & 0xff, a) || head->nfgen_family != NFPROTO_INET)
                return false;
        table = nft_attr_text(a[NFTA_TABLE_NAME]);
        return table && strcmp(table, name) == 0;
}

static uint64_t element_packets(const struct nlattr *expr)
{
        const struct nlattr *a[NFT_ATTRS], *data[NFT_ATTRS];
        uint64_t packets = 0;

        if (!nft_attrs_of_nest(expr, a))
                return 0;
        const char *name = nft_attr_text(a[NFTA_EXPR_NAME]);
        if (name && strcmp(name, "counter") == 0 && nft_attrs_of_nest(a[NFTA_EXPR_DATA], data))
                (void) nft_attr_u64(data[NFTA_COUNTER_PACKETS], &packets);
        return packets;
}

/* Return: false for an element without key, which is not one of ours. */
static bool element_parse(const struct nlattr *nest, NftElement *ret)
{
        const struct nlattr *a[NFT_ATTRS], *key[NFT_ATTRS];
        uint64_t msec;
        uint32_t flags = 0;

        if (!nft_attrs_of_nest(nest, a) || !nft_attrs_of_nest(a[NFTA_SET_ELEM_KEY], key) ||
            !key[NFTA_DATA_VALUE])
                return false;
        *ret = (NftElement){
                .key = mnl_attr_get_payload(key[NFTA_DATA_VALUE]),
                .key_bytes = mnl_attr_get_payload_len(key[NFTA_DATA_VALUE]),
                .expires_usec = USEC_INFINITY,
                .packets = element_packets(a[NFTA_SET_ELEM_EXPR]),
        };
        if (nft_attr_u32(a[NFTA_SET_ELEM_FLAGS], &flags))
                ret->interval_end = flags & NFT_SET_ELEM_INTERVAL_END;
        if (nft_attr_u64(a[NFTA_SET_ELEM_EXPIRATION], &msec))
                ret->expires_usec =
                        msec > USEC_INFINITY / USEC_PER_MSEC ? USEC_INFINITY : msec * USEC_PER_MSEC;
        return true;
}

typedef struct ElementsCall {
        NftOnElement on_element;
        void *userdata;
} ElementsCall;

static int elements_take(const struct nlattr *nest, void *userdata)
{
        const ElementsCall *call = userdata;
        NftElement element;

        if (element_parse(nest, &element))
                call->on_element(&element, call->userdata);
        return MNL_CB_OK;
}

bool nft_parse_elements(const struct nlmsghdr *nlh, NftOnElement on_element, void *userdata)
{
        ElementsCall call = { .on_element = on_element, .userdata = userdata };
        const struct nlattr *a[NFT_ATTRS];

        if (!nft_attrs_of_msg(nlh, NFT_MSG_NEWSETELEM, a))
                return false;
        /* A set without elements answers without a list. */
        if (a[NFTA_SET_ELEM_LIST_ELEMENTS])
                (void) mnl_attr_parse_nested(a[NFTA_SET_ELEM_LIST_ELEMENTS], elements_take, &call);
        return true;
}
