/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Answers of nf_tables, and rules of others in them. */

#include <libmnl/libmnl.h>

#include "drain/block-msg.h"
#include "drain/foreign.h"
#include "drain/nft-parse.h"
#include "tests/fuzz/fuzz.h"

static void on_element(const NftElement *e, void *userdata)
{
        uint64_t *sum = userdata;
        Addr source;

        for (size_t i = 0; i < e->key_bytes; i++)
                *sum += e->key[i];
        (void) block_msg_from_source(e->key, e->key_bytes, 8082, &source);
        (void) block_msg_speaker(e->expires_usec);
}

static void rule(const struct nlmsghdr *nlh, uint16_t port)
{
        ForeignRule r;
        char text[512];

        if (!foreign_parse(nlh, port, &r))
                return;
        /* Both are shown to a person, and one of them is meant for a shell. */
        fuzz_check(fuzz_is_ascii(foreign_text(&r, text, sizeof(text))));
        fuzz_check(fuzz_is_ascii(foreign_command(&r, port, text, sizeof(text))));
        fuzz_check(!strpbrk(text, ";&|<>$`\\\"'*?(){}!#~"));
}

static void message(const struct nlmsghdr *nlh)
{
        const char *name = NULL;
        uint32_t a, b;
        uint64_t packets, sum = 0;
        NftGeneration generation;

        (void) nft_parse_table(nlh, &a, &b);
        if (nft_parse_chain(nlh, &name, &a))
                sum += strlen(name);
        if (nft_parse_counter(nlh, &name, &packets))
                sum += strlen(name);
        if (nft_parse_generation(nlh, &generation))
                sum += strlen(generation.name);
        (void) nft_parse_is_of_table(nlh, "edge_roll");
        (void) nft_parse_elements(nlh, on_element, &sum);
        rule(nlh, 15999);
        rule(nlh, 8998);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        _cleanup_(freep) uint8_t *bytes = malloc(size > 0 ? size : 1);
        const void *pos = bytes;
        size_t left = size;

        if (!bytes)
                return;
        memcpy(bytes, data, size);
        for (const struct nlmsghdr *nlh; (nlh = nft_parse_next(&pos, &left));)
                message(nlh);
}
