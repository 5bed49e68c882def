/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/block.h"

#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "drain/block-msg.h"
#include "drain/nft-parse.h"
#include "drain/nft.h"

/* More than a set can hold, for what a dump of a growing set may name twice. */
#define SOURCES_READ_MAX (4u * BLOCK_SOURCES)

/*
 * Connections asked about at a time: their answers must lie in the socket together, each counts for about
 * 1 KiB there, and the usual receive buffer has 208 KiB.
 */
#define SPEAKERS_ASKED 64u

struct Block {
        Nft nft;
        const char *table;
        BlockOwner owner; /* the ceiling until the table is installed or adopted, then what it has */
        uint32_t sources;
        uint32_t speakers; /* to be installed; 0: without */
        bool has_speakers; /* the table has them */
        bool has_upstream; /* those of the next tier, too */
        BlockPlan plan;
};

static const char *const owner_names[BLOCK_OWNER_COUNT] = {
        [BLOCK_OWNER_NONE] = "none",
        [BLOCK_OWNER_SOCKET] = "owner",
        [BLOCK_OWNER_PERSIST] = "owner+persist",
};

const char *block_owner_name(BlockOwner owner)
{
        return owner >= 0 && owner < BLOCK_OWNER_COUNT ? owner_names[owner] : "?";
}

static BlockOwner owner_from_flags(uint32_t flags)
{
        if (!(flags & NFT_MSG_TABLE_OWNER))
                return BLOCK_OWNER_NONE;
        return flags & NFT_MSG_TABLE_PERSIST ? BLOCK_OWNER_PERSIST : BLOCK_OWNER_SOCKET;
}

int block_new(Block **ret, int fd, BlockOwner ceiling, Err *err)
{
        _cleanup_(closep) int own = fd;
        _cleanup_(block_freep) Block *b = NULL;
        int r;

        if (ceiling < 0 || ceiling >= BLOCK_OWNER_COUNT)
                return err_set(err, -EINVAL, "%d is not a kind of table ownership", (int) ceiling);
        b = calloc(1, sizeof(*b));
        if (!b)
                return err_errno(err, -ENOMEM, "cannot use the firewall");
        *b = (Block){ .nft = { .fd = -1 },
                      .table = BLOCK_TABLE,
                      .owner = ceiling,
                      .sources = BLOCK_SOURCES,
                      .speakers = BLOCK_SPEAKERS };
        r = nft_open(&b->nft, TAKE_FD(own), err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

Block *block_free(Block *b)
{
        if (b)
                nft_close(&b->nft);
        free(b);
        return NULL;
}

int block_fd(const Block *b)
{
        return b->nft.fd;
}

uint32_t block_port(const Block *b)
{
        return b->nft.port_id;
}

BlockOwner block_owner(const Block *b)
{
        return b->owner;
}

void block_set_table(Block *b, const char *table)
{
        b->table = table;
}

const char *block_table(const Block *b)
{
        return b->table;
}

void block_set_sources(Block *b, uint32_t sources)
{
        b->sources = MAX(1u, MIN(sources, (uint32_t) BLOCK_SOURCES));
}

void block_set_speakers(Block *b, uint32_t speakers)
{
        b->speakers = MIN(speakers, (uint32_t) BLOCK_SPEAKERS);
}

bool block_has_speakers(const Block *b)
{
        return b->has_speakers;
}

static NftTableShape shape_with(const Block *b, bool speakers)
{
        NftTableShape s = !speakers         ? block_msg_transit
                          : b->has_upstream ? block_msg_transit_upstream
                                            : block_msg_transit_speakers;
        s.name = b->table;
        return s;
}

static int read_table(Block *b, bool speakers, NftTable *ret, Err *err)
{
        const NftTableShape shape = shape_with(b, speakers);
        return nft_read_table(&b->nft, &shape, ret, err);
}

static int busy(const Block *b, uint32_t owner, Err *err)
{
        return err_set(
                err, -EBUSY,
                "the firewall table inet %s belongs to another running process (netlink port %u, which is "
                "usually its process id); end that process first",
                b->table, owner);
}

/*
 * The kernel said "not permitted" to a message inside a batch. Without the capability it would have said so
 * to the batch itself, so the table has another owner.
 */
static int not_permitted(Block *b, Err *err)
{
        NftTable table;
        int r = read_table(b, false, &table, err);

        return r < 0 ? r : busy(b, table.owner, err);
}

/* Send @m, which the builder left with @built. */
static int carry_out(Block *b, NftMsg *m, int built, const char *what, Err *err)
{
        NftFailure failure = { .index = 0 };
        int r = built;

        if (r == 0)
                r = nft_batch(&b->nft, m, &failure, err);
        if (r == -EPERM && failure.index > 0)
                r = not_permitted(b, err);
        else if (r == -ENOENT)
                r = err_set(err, r, "there is no firewall table inet %s (any more)", b->table);
        return r < 0 ? err_prefix(err, r, "cannot %s", what) : 0;
}

/* What a table can be installed without. */
typedef enum Refused {
        REFUSED_OTHER, /* not without that */
        REFUSED_OWNER, /* the kernel does not know this kind (EOPNOTSUPP; EINVAL before 5.12) */
        REFUSED_SPEAKERS,
} Refused;

/* Try once. @ret_refused: what a failure was about. */
static int install_with(Block *b, const BlockPlan *plan, BlockOwner owner, uint32_t speakers,
                        Refused *ret_refused, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        NftFailure failure = { .index = 0 };
        int r = nft_prepare(&b->nft, &m, err);

        *ret_refused = REFUSED_OTHER;
        if (r < 0)
                return r;
        r = block_msg_install(m, b->table, plan, owner, b->sources, speakers, err);
        if (r < 0)
                return r;
        r = nft_batch(&b->nft, m, &failure, err);
        if (r == -EPERM && failure.index > 0)
                return not_permitted(b, err);
        if ((r == -EOPNOTSUPP || r == -EINVAL) && nft_msg_asks_owner(m, failure.index))
                *ret_refused = REFUSED_OWNER;
        else if (nft_msg_in_part(m, failure.index))
                *ret_refused = REFUSED_SPEAKERS;
        return r;
}

int block_install(Block *b, const BlockPlan *plan, Err *err)
{
        BlockPlan copy;
        int r = block_msg_check(plan, &copy, err);

        if (r < 0)
                return r;
        BlockOwner owner = b->owner;
        uint32_t speakers = b->speakers;
        for (;;) {
                Refused refused;

                r = install_with(b, &copy, owner, speakers, &refused, err);
                if (r == 0)
                        break;
                if (refused == REFUSED_OWNER && owner > BLOCK_OWNER_NONE)
                        owner--;
                else if (refused == REFUSED_SPEAKERS)
                        speakers = 0;
                else
                        return err_prefix(err, r, "cannot make the firewall table");
        }
        b->owner = owner;
        b->has_speakers = speakers > 0;
        b->has_upstream = copy.n_upstream > 0;
        b->plan = copy;
        return 0;
}

int block_adopt(Block *b, const BlockPlan *plan, Err *err)
{
        BlockPlan copy;
        NftTable table;
        int r = block_msg_check(plan, &copy, err);

        if (r < 0)
                return r;
        /* Who adopts need not know whether the table was installed with a next tier. */
        b->has_upstream = true;
        r = read_table(b, true, &table, err);
        if (r == 0 && table.exists && !table.intact) {
                b->has_upstream = false;
                r = read_table(b, true, &table, err);
        }
        if (r < 0)
                return r;
        if (!table.exists)
                return err_set(err, -ENOENT, "there is no firewall table inet %s to go on with", b->table);
        /* A damaged one counts as one without, which it is not: block_read() will not find it intact. */
        const bool has_speakers = table.intact;
        if ((table.flags & NFT_MSG_TABLE_OWNER) && table.owner != b->nft.port_id)
                return busy(b, table.owner, err);

        BlockOwner owner = owner_from_flags(table.flags);
        /* One that persisted without its owner: become the new one, or live with a table without. */
        if (owner == BLOCK_OWNER_NONE && (table.flags & NFT_MSG_TABLE_PERSIST) &&
            b->owner > BLOCK_OWNER_NONE) {
                _cleanup_(nft_msg_freep) NftMsg *m = NULL;

                r = nft_prepare(&b->nft, &m, err);
                if (r < 0)
                        return r;
                r = carry_out(b, m, block_msg_adopt(m, b->table, err), "take over the firewall table", err);
                if (r < 0)
                        return r;
                owner = BLOCK_OWNER_PERSIST;
        }
        b->owner = owner;
        b->has_speakers = has_speakers;
        b->plan = copy;
        return 0;
}

int block_set_from(Block *b, const Addr *from, size_t n, Err *err)
{
        BlockPlan copy = b->plan;
        int r = block_msg_sources(from, n, copy.from, &copy.n_from, err);

        if (r < 0)
                return r;
        b->plan = copy;
        return 0;
}

int block_close(Block *b, Usec timeout_usec, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        return carry_out(b, m, block_msg_close(m, b->table, &b->plan, timeout_usec, err),
                         "refuse the health ports", err);
}

int block_open(Block *b, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        r = carry_out(b, m, block_msg_open(m, b->table, err), "let the health ports open", err);
        return r == -ENOENT ? 0 : r;
}

int block_freeze(Block *b, Usec timeout_usec, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        return carry_out(b, m, block_msg_freeze(m, b->table, &b->plan, timeout_usec, err),
                         "freeze the traffic ports", err);
}

int block_thaw(Block *b, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        r = carry_out(b, m, block_msg_thaw(m, b->table, err), "thaw the traffic ports", err);
        return r == -ENOENT ? 0 : r;
}

int block_remove(Block *b, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        return carry_out(b, m, block_msg_remove(m, b->table, err), "remove the firewall table", err);
}

/* Are the plan's from_ports refused from each of its sources? @expires_usec: lowered to the soonest end. */
static int read_from(Block *b, bool *ret, Usec *expires_usec, Err *err)
{
        static const struct {
                int family;
                const char *set;
        } sets[] = { { AF_INET, BLOCK_MSG_SET_FROM4 }, { AF_INET6, BLOCK_MSG_SET_FROM6 } };

        *ret = true;
        for (size_t i = 0; i < ELEMENTS(sets); i++) {
                BlockFromKeys k;
                bool seen[BLOCK_MSG_FROM_KEYS];

                block_msg_from_keys(&b->plan, sets[i].family, &k);
                NftKeys keys = { .want = k.keys, .key_bytes = k.key_bytes, .n_want = k.n, .seen = seen };
                int r = nft_read_keys(&b->nft, b->table, sets[i].set, &keys, err);
                if (r < 0)
                        return r;
                *ret = *ret && keys.n_seen == keys.n_want;
                *expires_usec = MIN(*expires_usec, keys.expires_usec);
        }
        return 0;
}

int block_read(Block *b, BlockState *ret, Err *err)
{
        BlockState state = { .owner = BLOCK_OWNER_NONE };
        NftPorts whole = { .want = b->plan.whole_ports, .n_want = b->plan.n_whole };
        NftPorts syn = { .want = b->plan.syn_ports, .n_want = b->plan.n_syn };
        NftPorts frozen = { .want = b->plan.traffic_ports, .n_want = b->plan.n_traffic };
        NftTable table;
        int r = read_table(b, b->has_speakers, &table, err);

        if (r < 0)
                return r;
        if (!table.exists) {
                *ret = state;
                return 0;
        }
        r = nft_read_ports(&b->nft, b->table, BLOCK_MSG_SET_WHOLE, &whole, err);
        if (r < 0)
                return r;
        r = nft_read_ports(&b->nft, b->table, BLOCK_MSG_SET_SYN, &syn, err);
        if (r < 0)
                return r;
        r = nft_read_ports(&b->nft, b->table, BLOCK_MSG_SET_FROZEN, &frozen, err);
        if (r < 0)
                return r;
        bool from = true;
        Usec from_expires = USEC_INFINITY;
        r = read_from(b, &from, &from_expires, err);
        if (r < 0)
                return r;

        state.table = true;
        state.owner = owner_from_flags(table.flags);
        state.intact = table.intact;
        state.refusing = table.intact && block_msg_refuses(&b->plan) && nft_ports_all(&whole) &&
                         nft_ports_all(&syn) && from;
        if (state.refusing)
                state.expires_usec = MIN(MIN(whole.expires_usec, syn.expires_usec), from_expires);
        state.frozen = table.intact && nft_ports_any(&frozen);
        memcpy(state.total, table.packets, sizeof(state.total));
        *ret = state;
        return 0;
}

/* Sources. */

typedef struct Sources {
        int family;
        uint32_t limit;     /* the size of the set */
        BlockSource *all;   /* of both families */
        size_t n, n_before; /* n_before: of families read before this one */
        size_t allocated;
        bool full, no_memory;
} Sources;

static void sources_again(void *userdata)
{
        Sources *s = userdata;

        s->n = s->n_before;
}

static void sources_element(const NftElement *element, void *userdata)
{
        Sources *s = userdata;

        if (element->key_bytes != (s->family == AF_INET6 ? 16u : 4u))
                return;
        if (s->n - s->n_before >= SOURCES_READ_MAX) {
                s->full = true;
                return;
        }
        if (s->n == s->allocated) {
                size_t wanted = MAX((size_t) 64, 2 * s->allocated);
                BlockSource *all = realloc(s->all, wanted * sizeof(*all));
                if (!all) {
                        s->no_memory = true;
                        return;
                }
                s->all = all;
                s->allocated = wanted;
        }
        /* Each packet starts the timeout anew. */
        s->all[s->n++] = (BlockSource){
                .addr = addr_from(s->family, element->key),
                .packets = element->packets,
                .age_usec = BLOCK_MSG_SOURCE_TIMEOUT - MIN(element->expires_usec, BLOCK_MSG_SOURCE_TIMEOUT),
        };
}

static void sources_reply(const struct nlmsghdr *nlh, void *userdata)
{
        (void) nft_parse_elements(nlh, sources_element, userdata);
}

/* By family and address; of one address the largest count first. */
static int source_compare(const void *a, const void *b)
{
        const BlockSource *x = a, *y = b;
        int r = memcmp(&x->addr, &y->addr, sizeof(x->addr));

        return r != 0 ? r : (x->packets < y->packets) - (x->packets > y->packets);
}

/* A dump of a set that grows may name an element twice: keep the larger count. */
static size_t sources_fold(BlockSource *all, size_t n)
{
        size_t kept = 0;

        if (n == 0)
                return 0;
        qsort(all, n, sizeof(*all), source_compare);
        for (size_t i = 1; i < n; i++)
                if (!addr_equal(&all[kept].addr, &all[i].addr))
                        all[++kept] = all[i];
        return kept + 1;
}

static int sources_read(Block *b, const char *set, Sources *s, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        bool found;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        r = nft_msg_get_elements(m, b->table, set, err);
        if (r < 0)
                return r;
        s->n_before = s->n;
        r = nft_dump(&b->nft, m, sources_reply, sources_again, s, &found, err);
        if (r < 0)
                return r;
        if (!found)
                return err_set(err, -ENOENT, "there is no firewall table inet %s (any more)", b->table);
        if (s->no_memory)
                return err_errno(err, -ENOMEM, "cannot read who connects");
        if (s->n - s->n_before >= s->limit)
                s->full = true;
        return 0;
}

int block_sources(Block *b, BlockCounter counter, BlockSource **ret, size_t *ret_n, bool *ret_full, Err *err)
{
        static const int families[] = { AF_INET, AF_INET6 };
        Sources s = { .limit = b->sources };

        if (counter < 0 || counter >= BLOCK_COUNTER_COUNT)
                return err_set(err, -EINVAL, "%d is not a counter", (int) counter);
        for (size_t i = 0; i < ELEMENTS(families); i++) {
                s.family = families[i];
                int r = sources_read(b, block_msg_source_set(counter, s.family), &s, err);
                if (r < 0) {
                        free(s.all);
                        return r;
                }
        }
        *ret = s.all;
        *ret_n = sources_fold(s.all, s.n);
        *ret_full = s.full;
        return 0;
}

/* Speakers. */

typedef struct Asked {
        uint32_t first; /* sequence number of the first question */
        size_t n;
        BlockSpeaker *ret;
} Asked;

static void speakers_forget(BlockSpeaker *ret, size_t n)
{
        for (size_t i = 0; i < n; i++)
                ret[i] = BLOCK_SPEAKER_UNKNOWN;
}

static void asked_again(void *userdata)
{
        Asked *asked = userdata;

        speakers_forget(asked->ret, asked->n);
}

static void asked_element(const NftElement *element, void *userdata)
{
        *(BlockSpeaker *) userdata = block_msg_speaker(element->expires_usec);
}

static void asked_reply(const struct nlmsghdr *nlh, void *userdata)
{
        Asked *asked = userdata;
        const uint32_t i = nlh->nlmsg_seq - asked->first;

        if (i < asked->n)
                (void) nft_parse_elements(nlh, asked_element, &asked->ret[i]);
}

/* @n: at most SPEAKERS_ASKED. */
static int speakers_ask(Block *b, const BlockPeer *peers, size_t n, BlockSpeaker *ret, Err *err)
{
        _cleanup_(nft_msg_freep) NftMsg *m = NULL;
        int r = nft_prepare(&b->nft, &m, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                uint8_t key[BLOCK_MSG_SPEAKER_KEY_MAX];
                const size_t bytes = block_msg_speaker_key(&peers[i], key);

                r = nft_msg_get_element(m, b->table, block_msg_speaker_set(peers[i].addr.family), key, bytes,
                                        err);
                if (r < 0)
                        return r;
        }
        Asked asked = { .first = nft_msg_first(m), .n = n, .ret = ret };
        return nft_get(&b->nft, m, asked_reply, asked_again, &asked, err);
}

static int speakers_read(Block *b, const BlockPeer *peers, size_t n, BlockSpeaker *ret, Err *err)
{
        NftTable table;
        int r;

        for (size_t done = 0; b->has_speakers && done < n; done += SPEAKERS_ASKED) {
                r = speakers_ask(b, peers + done, MIN(n - done, (size_t) SPEAKERS_ASKED), ret + done, err);
                if (r < 0)
                        return r;
        }
        /*
         * Afterwards: with half of its rules gone a table would take every request for answered, and a table
         * that was made anew in between has forgotten all.
         */
        r = read_table(b, b->has_speakers, &table, err);
        if (r < 0)
                return r;
        if (!table.exists)
                return err_set(err, -ENOENT, "there is no firewall table inet %s (any more)", b->table);
        if (!table.intact)
                speakers_forget(ret, n);
        return 0;
}

int block_speakers(Block *b, const BlockPeer *peers, size_t n, BlockSpeaker *ret, Err *err)
{
        speakers_forget(ret, n);
        int r = speakers_read(b, peers, n, ret, err);
        if (r < 0)
                speakers_forget(ret, n);
        return r;
}
