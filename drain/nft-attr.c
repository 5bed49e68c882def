/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/nft-attr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static int attrs_take(const struct nlattr *a, void *userdata)
{
        const struct nlattr **ret = userdata;

        if (mnl_attr_get_type(a) < NFT_ATTRS)
                ret[mnl_attr_get_type(a)] = a;
        return MNL_CB_OK;
}

bool nft_attrs_of_msg(const struct nlmsghdr *nlh, uint16_t type, const struct nlattr **ret)
{
        memset(ret, 0, NFT_ATTRS * sizeof(*ret));
        if (nlh->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type) ||
            mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
                return false;
        return mnl_attr_parse(nlh, sizeof(struct nfgenmsg), attrs_take, ret) >= MNL_CB_STOP;
}

bool nft_attrs_of_nest(const struct nlattr *nest, const struct nlattr **ret)
{
        memset(ret, 0, NFT_ATTRS * sizeof(*ret));
        return nest && mnl_attr_parse_nested(nest, attrs_take, ret) >= MNL_CB_STOP;
}

const char *nft_attr_text(const struct nlattr *a)
{
        return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(a) : NULL;
}

bool nft_attr_u32(const struct nlattr *a, uint32_t *ret)
{
        if (!a || mnl_attr_get_payload_len(a) < sizeof(uint32_t))
                return false;
        *ret = ntohl(mnl_attr_get_u32(a));
        return true;
}

bool nft_attr_u64(const struct nlattr *a, uint64_t *ret)
{
        if (!a || mnl_attr_get_payload_len(a) < sizeof(uint64_t))
                return false;
        *ret = be64toh(mnl_attr_get_u64(a));
        return true;
}

const void *nft_attr_bytes(const struct nlattr *a, uint32_t *ret_bytes)
{
        *ret_bytes = a ? mnl_attr_get_payload_len(a) : 0;
        return a ? mnl_attr_get_payload(a) : NULL;
}
