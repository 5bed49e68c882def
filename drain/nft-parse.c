/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/nft-parse.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define ATTRS 16 /* above every attribute that is read here */

static int attrs_take(const struct nlattr *a, void *userdata)
{
        const struct nlattr **ret = userdata;

        if (mnl_attr_get_type(a) < ATTRS)
                ret[mnl_attr_get_type(a)] = a;
        return MNL_CB_OK;
}

/* The attributes of a message of @type. @ret: ATTRS entries, NULL where absent. */
static bool attrs_of_msg(const struct nlmsghdr *nlh, uint16_t type, const struct nlattr **ret)
{
        memset(ret, 0, ATTRS * sizeof(*ret));
        if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type) ||
            mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
                return false;
        return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), attrs_take, ret) >= MNL_CB_STOP;
}

static bool attrs_of_nest(const struct nlattr *nest, const struct nlattr **ret)
{
        memset(ret, 0, ATTRS * sizeof(*ret));
        return nest && mnl_attr_parse_nested(nest, attrs_take, ret) >= MNL_CB_STOP;
}

static const char *attr_text(const struct nlattr *a)
{
        return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(a) : NULL;
}

static bool attr_u32(const struct nlattr *a, uint32_t *ret)
{
        if (!a || mnl_attr_get_payload_len(a) < sizeof(uint32_t))
                return false;
        *ret = ntohl(mnl_attr_get_u32(a));
        return true;
}

static bool attr_u64(const struct nlattr *a, uint64_t *ret)
{
        if (!a || mnl_attr_get_payload_len(a) < sizeof(uint64_t))
                return false;
        *ret = be64toh(mnl_attr_get_u64(a));
        return true;
}

bool nft_parse_table(const struct nlmsghdr *nlh, uint32_t *ret_flags, uint32_t *ret_owner)
{
        enum { ATTR_OWNER = 7 }; /* NFTA_TABLE_OWNER: RHEL 8's headers lack it (see nft-msg.h) */
        const struct nlattr *a[ATTRS];
        uint32_t flags, owner = 0;

        if (!attrs_of_msg(nlh, NFT_MSG_NEWTABLE, a) || !attr_u32(a[NFTA_TABLE_FLAGS], &flags))
                return false;
        (void) attr_u32(a[ATTR_OWNER], &owner);
        *ret_flags = flags;
        *ret_owner = owner;
        return true;
}

bool nft_parse_chain(const struct nlmsghdr *nlh, const char **ret_name, uint32_t *ret_use)
{
        const struct nlattr *a[ATTRS];
        const char *name;

        if (!attrs_of_msg(nlh, NFT_MSG_NEWCHAIN, a))
                return false;
        name = attr_text(a[NFTA_CHAIN_NAME]);
        if (!name || !attr_u32(a[NFTA_CHAIN_USE], ret_use))
                return false;
        *ret_name = name;
        return true;
}

bool nft_parse_counter(const struct nlmsghdr *nlh, const char **ret_name, uint64_t *ret_packets)
{
        const struct nlattr *a[ATTRS], *data[ATTRS];
        const char *name;

        if (!attrs_of_msg(nlh, NFT_MSG_NEWOBJ, a))
                return false;
        name = attr_text(a[NFTA_OBJ_NAME]);
        if (!name || !attrs_of_nest(a[NFTA_OBJ_DATA], data) ||
            !attr_u64(data[NFTA_COUNTER_PACKETS], ret_packets))
                return false;
        *ret_name = name;
        return true;
}

bool nft_parse_generation(const struct nlmsghdr *nlh, NftGeneration *ret)
{
        const struct nlattr *a[ATTRS];
        const char *name;

        if (!attrs_of_msg(nlh, NFT_MSG_NEWGEN, a))
                return false;
        *ret = (NftGeneration){ .name = "" };
        (void) attr_u32(a[NFTA_GEN_PROC_PID], &ret->pid);
        name = attr_text(a[NFTA_GEN_PROC_NAME]);
        if (name)
                ret->name = name;
        return true;
}

bool nft_parse_is_of_table(const struct nlmsghdr *nlh, const char *name)
{
        const struct nlattr *a[ATTRS];
        const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);
        const char *table;

        /* Tables, chains, rules, sets, elements and objects: each has the name of its table as attribute 1.
         */
        _Static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 &&
                               NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1,
                       "the table's name is the first attribute");
        if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || !attrs_of_msg(nlh, nlh->nlmsg_type & 0xff, a) ||
            head->nfgen_family != NFPROTO_INET)
                return false;
        table = attr_text(a[NFTA_TABLE_NAME]);
        return table && strcmp(table, name) == 0;
}

static uint64_t element_packets(const struct nlattr *expr)
{
        const struct nlattr *a[ATTRS], *data[ATTRS];
        uint64_t packets = 0;

        if (!attrs_of_nest(expr, a))
                return 0;
        const char *name = attr_text(a[NFTA_EXPR_NAME]);
        if (name && strcmp(name, "counter") == 0 && attrs_of_nest(a[NFTA_EXPR_DATA], data))
                (void) attr_u64(data[NFTA_COUNTER_PACKETS], &packets);
        return packets;
}

/* Return: false for an element without key, which is not one of ours. */
static bool element_parse(const struct nlattr *nest, NftElement *ret)
{
        const struct nlattr *a[ATTRS], *key[ATTRS];
        uint64_t msec;

        if (!attrs_of_nest(nest, a) || !attrs_of_nest(a[NFTA_SET_ELEM_KEY], key) || !key[NFTA_DATA_VALUE])
                return false;
        *ret = (NftElement){
                .key = mnl_attr_get_payload(key[NFTA_DATA_VALUE]),
                .key_bytes = mnl_attr_get_payload_len(key[NFTA_DATA_VALUE]),
                .expires_usec = USEC_INFINITY,
                .packets = element_packets(a[NFTA_SET_ELEM_EXPR]),
        };
        if (attr_u64(a[NFTA_SET_ELEM_EXPIRATION], &msec))
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
        const struct nlattr *a[ATTRS];

        if (!attrs_of_msg(nlh, NFT_MSG_NEWSETELEM, a))
                return false;
        /* A set without elements answers without a list. */
        if (a[NFTA_SET_ELEM_LIST_ELEMENTS])
                (void) mnl_attr_parse_nested(a[NFTA_SET_ELEM_LIST_ELEMENTS], elements_take, &call);
        return true;
}
