/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Attributes of what nf_tables answers, checked for kind and size. Own functions and not libnftnl's parsers,
 * because those end the process when a message is not as they think it should be.
 * Source: linux/netfilter/nf_tables.h, linux/netlink.h.
 */

#include <stdbool.h>
#include <stdint.h>

struct nlattr;
struct nlmsghdr;

#define NFT_ATTRS 16 /* above every attribute that is read */

/* nft_attrs_of_msg() - the attributes of a message of @type (NFT_MSG_*). @ret: NFT_ATTRS entries, NULL where
 * absent. Return: false for another type, or a broken one. */
bool nft_attrs_of_msg(const struct nlmsghdr *nlh, uint16_t type, const struct nlattr **ret);

/* nft_attrs_of_nest() - the same of the attribute @nest; NULL allowed (false). */
bool nft_attrs_of_nest(const struct nlattr *nest, const struct nlattr **ret);

/* nft_attr_text() - the string; NULL for none, and for one without end. @a: NULL allowed, also below. */
const char *nft_attr_text(const struct nlattr *a);

/* nft_attr_u32(), nft_attr_u64() - in host byte order. Return: false, and nothing written, without one. */
bool nft_attr_u32(const struct nlattr *a, uint32_t *ret);
bool nft_attr_u64(const struct nlattr *a, uint64_t *ret);

/* nft_attr_bytes() - what it holds; NULL without one. */
const void *nft_attr_bytes(const struct nlattr *a, uint32_t *ret_bytes);
