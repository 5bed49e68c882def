/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What nf_tables answers. Pure. Attributes are checked for kind and size; strings and keys point into the
 * message. Each parser returns false when the message is not of its kind or lacks what is asked, and has then
 * written nothing.
 * Source: linux/netfilter/nf_tables.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

struct nlmsghdr;

/*
 * nft_parse_next() - take the next whole message from a receive buffer. Own code and not mnl_nlmsg_ok(),
 * which takes a length of 2^31 and more for a negative number that fits. @pos, @left: the unread part, moved
 * forward. Return: within the buffer; NULL: nothing (more), or no message.
 */
const struct nlmsghdr *nft_parse_next(const void **pos, size_t *left);

/* @ret_flags: NFT_MSG_TABLE_*. @ret_owner: netlink port of the owner, 0 for none. */
bool nft_parse_table(const struct nlmsghdr *nlh, uint32_t *ret_flags, uint32_t *ret_owner);

/* @ret_use: its rules and the jumps to it. */
bool nft_parse_chain(const struct nlmsghdr *nlh, const char **ret_name, uint32_t *ret_use);

bool nft_parse_counter(const struct nlmsghdr *nlh, const char **ret_name, uint64_t *ret_packets);

/* What ends a change: its number and who made it (0 and "" on kernels before 4.15). */
typedef struct NftGeneration {
        uint32_t pid;
        const char *name; /* of the process, as the kernel has it: at most 15 characters */
} NftGeneration;

bool nft_parse_generation(const struct nlmsghdr *nlh, NftGeneration *ret);

/* nft_parse_is_of_table() - is it about the table @name of the inet family, or something in it? */
bool nft_parse_is_of_table(const struct nlmsghdr *nlh, const char *name);

/* One element of a set. */
typedef struct NftElement {
        const uint8_t *key; /* network byte order */
        size_t key_bytes;
        Usec expires_usec; /* from now; USEC_INFINITY without timeout, 0 when it has expired */
        uint64_t packets;  /* its counter, 0 without one */
        bool interval_end; /* in a set of intervals: the first that is in one no more */
} NftElement;

typedef void (*NftOnElement)(const NftElement *element, void *userdata);

/* @on_element: called for each element in the message; those without key are passed over. */
bool nft_parse_elements(const struct nlmsghdr *nlh, NftOnElement on_element, void *userdata);
