/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#include <sys/socket.h>

#include "drain/block-msg.h"
#include "drain/block.h"
#include "drain/nft-parse.h"
#include "drain/nft.h"

/* The hold needs no living process, so each call has a socket of its own. */

static void nft_closep(Nft *n)
{
        nft_close(n);
}

/* @n 0: only remove. */
static int replace(const BlockPlan *plans, size_t n, Err *err)
{
        _cleanup_(nft_closep) Nft nft = { .fd = -1 };
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_open(&nft, -1, err);

        if (r < 0)
                return r;
        r = nft_prepare(&nft, &m, err);
        if (r < 0)
                return r;
        r = n > 0 ? block_msg_hold(m, plans, n, err) : block_msg_remove(m, BLOCK_HOLD_TABLE, err);
        if (r < 0)
                return r;
        return nft_batch(&nft, m, NULL, err);
}

int block_hold_put(const BlockPlan *plans, size_t n, Err *err)
{
        int r = replace(plans, n, err);

        return r < 0 ? err_prefix(err, r, "cannot hold") : 0;
}

int block_hold_remove(Err *err)
{
        int r = replace(NULL, 0, err);

        return r < 0 ? err_prefix(err, r, "cannot end the hold") : 0;
}

/*
 * Is each of @n ports refused? A port that another plan holds whole counts for one that is to be refused for
 * new connections only.
 */
static int ports_held(Nft *nft, const uint16_t *ports, size_t n, bool syn, bool *ret, Err *err)
{
        NftPorts whole = { .want = ports, .n_want = n }, attempts = { .want = ports, .n_want = n };
        int r = nft_read_ports(nft, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_WHOLE, &whole, err);

        if (r < 0)
                return r;
        if (syn) {
                r = nft_read_ports(nft, BLOCK_HOLD_TABLE, BLOCK_MSG_SET_SYN, &attempts, err);
                if (r < 0)
                        return r;
                whole.seen |= attempts.seen;
        }
        *ret = nft_ports_all(&whole);
        return 0;
}

static const struct {
        int family;
        const char *set;
} from_sets[] = { { AF_INET, BLOCK_MSG_SET_FROM4 }, { AF_INET6, BLOCK_MSG_SET_FROM6 } };

static int from_held(Nft *nft, const BlockPlan *plan, bool *ret, Err *err)
{
        *ret = true;
        for (size_t i = 0; i < ELEMENTS(from_sets); i++) {
                BlockFromKeys k;
                bool seen[BLOCK_MSG_FROM_KEYS];

                block_msg_from_keys(plan, from_sets[i].family, &k);
                NftKeys keys = { .want = k.keys, .key_bytes = k.key_bytes, .n_want = k.n, .seen = seen };
                int r = nft_read_keys(nft, BLOCK_HOLD_TABLE, from_sets[i].set, &keys, err);
                if (r < 0)
                        return r;
                *ret = *ret && keys.n_seen == keys.n_want;
        }
        return 0;
}

static int plan_held(Nft *nft, const BlockPlan *plan, bool *ret, Err *err)
{
        BlockPlan copy;
        bool whole, syn;
        int r = block_msg_check(plan, &copy, err);

        if (r < 0)
                return r;
        r = ports_held(nft, copy.whole_ports, copy.n_whole, false, &whole, err);
        if (r < 0)
                return r;
        r = ports_held(nft, copy.syn_ports, copy.n_syn, true, &syn, err);
        if (r < 0)
                return r;
        bool from;
        r = from_held(nft, &copy, &from, err);
        if (r < 0)
                return r;
        *ret = whole && syn && from && block_msg_refuses(&copy);
        return 0;
}

typedef struct Held {
        uint16_t port;
        Addr *ret;
        size_t n;
} Held;

static void held_element(const NftElement *element, void *userdata)
{
        Held *held = userdata;
        Addr addr;

        if (held->n == BLOCK_FROM_MAX ||
            !block_msg_from_source(element->key, element->key_bytes, held->port, &addr))
                return;
        for (size_t i = 0; i < held->n; i++)
                if (addr_equal(&held->ret[i], &addr))
                        return; /* a dump that was begun again */
        held->ret[held->n++] = addr;
}

static void held_reply(const struct nlmsghdr *nlh, void *userdata)
{
        (void) nft_parse_elements(nlh, held_element, userdata);
}

static void held_again(void *userdata)
{
        (void) userdata;
}

int block_refused_from(const char *table, uint16_t port, Addr *ret, size_t *ret_n, Err *err)
{
        _cleanup_(nft_closep) Nft nft = { .fd = -1 };
        Held held = { .port = port, .ret = ret };
        int r = nft_open(&nft, -1, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTS(from_sets); i++) {
                _cleanup_(nft_msg_freep) NftMsg *m = NULL;
                bool found;

                r = nft_prepare(&nft, &m, err);
                if (r < 0)
                        return r;
                r = nft_msg_get_elements(m, table, from_sets[i].set, err);
                if (r < 0)
                        return r;
                r = nft_dump(&nft, m, held_reply, held_again, &held, &found, err);
                if (r < 0)
                        return r;
        }
        *ret_n = held.n;
        return 0;
}

int block_hold_read(const BlockPlan *plan, bool *ret_holds, uint64_t *ret_refused, Err *err)
{
        _cleanup_(nft_closep) Nft nft = { .fd = -1 };
        NftTable table;
        bool holds = false;
        int r = nft_open(&nft, -1, err);

        if (r < 0)
                return r;
        r = nft_read_table(&nft, &block_msg_held, &table, err);
        if (r < 0)
                return r;
        if (table.intact && ret_holds) {
                r = plan_held(&nft, plan, &holds, err);
                if (r < 0)
                        return r;
        }
        if (ret_holds)
                *ret_holds = holds;
        if (ret_refused)
                *ret_refused = table.packets[0];
        return 0;
}
