/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The firewall side of a restart: one table of our own, `inet edge_roll`, in which a component's health port
 * is refused, and in which connection attempts are counted by source.
 *
 * The table exists from `watch` to the end of `return`; whether something is refused depends only on the
 * elements of its port sets, which carry a timeout, so that a dead or frozen agent opens the node again.
 * Where the kernel has table owners the table belongs to our netlink socket (which can be kept in systemd's
 * fd store); a hold (`inet edge_roll_hold`) has neither timeout nor owner and needs no living process. The
 * hold's chain comes after the transit table's: while both are there, what this table counts as let in may
 * still be refused by the hold, so a held node's checkers are seen, and `return` is judged with the hold
 * gone.
 *
 * Rules, in the order of the chain (input hook, before priority filter):
 *   1. source 127.0.0.0/8 and ::1: accept (our own probes and the node's own tools; never by interface: a
 *      client on this node that uses the node's own address is counted, refused and frozen like any other).
 *   2. frozen ports: TCP segments that carry data: drop (retransmission heals it). Whether a segment carries
 *      data is read from the segment itself, not from PSH and not from conntrack.
 *   3. ports refused whole: count the SYN by source, then (a rule of its own) reject with tcp reset. The same
 *      for ports that are refused from certain sources only: who else comes is let in.
 *   4. traffic ports, segments that carry data and are no SYN: note in the speaker set that the peer spoke.
 *      The same for what comes from the next tier's ports (only where the plan has any).
 *   5. what is no SYN: accept.
 *   6. ports whose SYN are refused: as 3.
 *   7. health ports, SYN let in: count by source ("checks"). Traffic ports, SYN let in: count by source
 *      ("new connections").
 * Each counting rule also has a total, because a full source set breaks its own rule.
 * In the output hook, same priority: segments from the traffic ports, or to the next tier's, that carry data,
 * not to 127.0.0.0/8 or ::1: note in the speaker set that this node spoke. Nothing is ever refused there. The
 * next tier costs all other segments one look into a set of a few ports in each hook, nothing where the plan
 * has none, and its own ones what those of the traffic ports cost.
 *
 * The speaker set tells requests under way from answered ones where the clocks of tcp_info cannot (a request
 * and an answer within one tick), on connections that we opened to the next tier, too. An element is a peer's
 * address and port and our port; both sides set its timeout, to different times, so what is left of it tells
 * who was last. It is filled by packets, in the order in which they pass the hooks.
 *
 * What this needs of the kernel, which is 4.18 at least, and what there is where it has less:
 *
 *   inet family, reject with tcp reset                   3.14
 *   sets with timeouts, updated by rules; their keys     4.1
 *     of several registers; a counter in an element
 *   named counters; emptying a set at once               4.10
 *   reading one element (who spoke last)                 4.15
 *   who changed the firewall (block-watch.h)             4.15
 *   table owner                                          5.12  else a plain table, watched
 *   owner that persists                                  6.9   else the fd store keeps the socket
 *   (the cgroup of a socket, conns.h                     5.8   else `traffic_ports` and the unit's state)
 *
 * Never used, so that no second way is needed: lists of expressions in updating rules (5.11; one counter is
 * enough), concatenated ranges (5.6), resetting the timeout of an element that is there (6.12; renewing is
 * add, delete, add), "destroy" messages (6.3; to clear is to add, then to delete), user data. The speaker
 * sets are a part that a kernel may refuse, whatever the reason. RHEL 8's 4.18 has most of the later ones,
 * too; nothing here asks for the version, the kernel's refusal is the probe.
 *
 * All calls are synchronous netlink transactions (0.1 to 10 ms). None of them logs.
 * Source: nft(8); linux/netfilter/nf_tables.h; libnftnl.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/time.h"

#define BLOCK_TABLE         "edge_roll"
#define BLOCK_PARTNER_TABLE "edge_roll_partner" /* of a second component, while the first one is blocked */
#define BLOCK_HOLD_TABLE    "edge_roll_hold"
#define BLOCK_PORTS_MAX     64    /* ports in one plan, each kind */
#define BLOCK_FROM_PORTS    4     /* of the kind that is refused from some sources only */
#define BLOCK_FROM_MAX      256   /* these sources */
#define BLOCK_SOURCES       1024  /* sources remembered, each counter and family */
#define BLOCK_SPEAKERS      65535 /* speakers remembered, each family; the kernel has no more either */

/* How long it is known for certain who spoke last: see block_speakers(). */
#define BLOCK_SPEAKER_LIMIT (500 * USEC_PER_SEC)

typedef struct Block Block;

/* Who may change or survive what. Asked for as a ceiling, found by probing the kernel. */
typedef enum BlockOwner {
        BLOCK_OWNER_NONE,    /* plain table: anybody may flush it (kernels before 5.12, or forced) */
        BLOCK_OWNER_SOCKET,  /* belongs to our socket, goes with its last descriptor */
        BLOCK_OWNER_PERSIST, /* belongs to our socket, survives it, can be adopted (6.9 and later) */
        BLOCK_OWNER_COUNT,
        BLOCK_OWNER_INVALID = -EINVAL,
} BlockOwner;

/* block_owner_name() - "none", "owner", "owner+persist". */
const char *block_owner_name(BlockOwner owner);

/* What a block is about. All ports in host byte order. */
typedef struct BlockPlan {
        uint16_t whole_ports[BLOCK_PORTS_MAX]; /* health ports without API traffic: everything is reset */
        size_t n_whole;
        uint16_t syn_ports[BLOCK_PORTS_MAX]; /* health ports that carry traffic: only SYN is refused */
        size_t n_syn;
        /* Health ports without API traffic that others than the checkers need, too: everything is reset that
         * comes from these sources, and what comes from elsewhere is let in. Loopback is never refused. */
        uint16_t from_ports[BLOCK_FROM_PORTS];
        size_t n_from_ports;
        Addr from[BLOCK_FROM_MAX];
        size_t n_from;
        uint16_t traffic_ports[BLOCK_PORTS_MAX]; /* counted, and frozen at the gate */
        size_t n_traffic;
        uint16_t upstream_ports[BLOCK_PORTS_MAX]; /* of the next tier, which we connect to: only listened to,
                                                     for the speaker set */
        size_t n_upstream;
} BlockPlan;

typedef enum BlockCounter {
        BLOCK_CHECKS,  /* SYN to a health port that was let in */
        BLOCK_REFUSED, /* SYN to a health port that was refused */
        BLOCK_NEWCONN, /* SYN to a traffic port that was let in */
        BLOCK_COUNTER_COUNT,
} BlockCounter;

typedef struct BlockSource {
        Addr addr;
        uint64_t packets;
        Usec age_usec; /* since the last of them, to the kernel's tick (1 to 10 ms) */
} BlockSource;

/* A connection to one of our ports, or from here to the next tier, by what the speaker set knows of it. Ports
 * in host byte order. */
typedef struct BlockPeer {
        Addr addr; /* as in Addr: v4-mapped ones are IPv4 */
        uint16_t port;
        uint16_t local_port;
} BlockPeer;

/* Whose data came last. */
typedef enum BlockSpeaker {
        BLOCK_SPEAKER_UNKNOWN,
        BLOCK_SPEAKER_PEER,
        BLOCK_SPEAKER_SELF,
        BLOCK_SPEAKER_COUNT,
} BlockSpeaker;

/* What the kernel says, read back. */
typedef struct BlockState {
        bool table;        /* our table exists */
        bool intact;       /* it has all its rules and is not dormant: ports in sets alone refuse nothing */
        BlockOwner owner;  /* its flags; NONE also for one that persisted and has not been adopted */
        bool refusing;     /* intact, and every health port of the plan is in its refusing set (those refused
                              from some sources: from each of these) */
        Usec expires_usec; /* the soonest expiry among them; USEC_INFINITY without timeout; 0 if !refusing */
        bool frozen;       /* intact, and at least one traffic port is frozen */
        uint64_t total[BLOCK_COUNTER_COUNT]; /* packets counted by the rules themselves, all sources */
} BlockState;

/*
 * block_new() - a handle on the (transit) table; touches nothing in the kernel but the socket.
 * @fd: a NETLINK_NETFILTER socket from the fd store to go on with (owned by the Block from the call on, also
 *      on failure), or -1 to open one. @ceiling: the most that may be used; less where the kernel has less.
 * Return: 0; -EPERM/-EACCES (no CAP_NET_ADMIN); -EPROTONOSUPPORT (nf_tables missing); other negative errno.
 */
int block_new(Block **ret, int fd, BlockOwner ceiling, Err *err) _must_check_;

/* block_free() - closes the socket (with SOCKET ownership the kernel then drops the table). NULL allowed. */
Block *block_free(Block *b);
DEFINE_CLEANUP(Block, block_free);

/* block_fd() - the netlink socket, still owned by @b: for the fd store. */
int block_fd(const Block *b);

/* block_port() - the netlink port that our changes come from: for block_watch_new(). */
uint32_t block_port(const Block *b);

/* block_owner() - what block_install() used; before it, the ceiling. */
BlockOwner block_owner(const Block *b);

/*
 * block_set_table() - another name for the table than BLOCK_TABLE: two components are two tables, each with
 * an owner and counters of its own, and neither knows of the other. @table: static. To be called before
 * anything else. block_table() - what it is called.
 */
void block_set_table(Block *b, const char *table);
const char *block_table(const Block *b);

/*
 * block_set_sources() - remember fewer sources than BLOCK_SOURCES in each counter and family (at least 1).
 * To be called before block_install(), and before block_adopt() with the same number.
 */
void block_set_sources(Block *b, uint32_t sources);

/*
 * block_set_speakers() - remember the speakers of fewer connections than BLOCK_SPEAKERS in each family; 0
 * (false): install without all that, so that block_speakers() knows nobody. To be called before
 * block_install(); an adopted table has what it was installed with.
 */
void block_set_speakers(Block *b, uint32_t speakers);

/*
 * block_has_speakers() - does the table remember speakers? Before block_install() or block_adopt(): false.
 * False after it also where the kernel refused that part.
 */
bool block_has_speakers(const Block *b);

/*
 * block_install() - make the table with its sets, chain and rules, refusing nothing yet: counting starts.
 * A table of that name that is ours or unowned is replaced in the same batch; one that belongs to another
 * living process is an error. One batch; it is all there or nothing is. Where the kernel does not know the
 * ownership asked for, the next lesser one is tried: the kernel's refusal is the probe. Where it refuses what
 * belongs to the speaker sets, the table is made without them.
 * @plan: copied, duplicates folded, loopback sources left out. Return: 0; -EBUSY (owned by another process);
 * -EINVAL (port 0, or a port refused in two ways); -E2BIG; -EAFNOSUPPORT (no inet family); other negative
 * errno.
 */
int block_install(Block *b, const BlockPlan *plan, Err *err) _must_check_;

/*
 * block_adopt() - go on with a table that an earlier process installed through this socket (fd store) or that
 * persisted. What it holds is not judged here: block_read() tells. @plan: as installed. Return: 0; -ENOENT
 * (no such table: install again, and the block had lapsed); -EBUSY; other negative errno.
 */
int block_adopt(Block *b, const BlockPlan *plan, Err *err) _must_check_;

/*
 * block_set_from() - from which sources the plan's from_ports are refused from the next block_close() on; who
 * is no longer among them is let in again when his element times out. @from: copied, duplicates folded,
 * loopback left out. Return: 0; -E2BIG (more than BLOCK_FROM_MAX); -EINVAL (no address).
 */
int block_set_from(Block *b, const Addr *from, size_t n, Err *err) _must_check_;

/*
 * block_close() - refuse: the plan's health ports go into their sets with @timeout_usec; the same call
 * renews (add, delete, add of each element in one batch: adding alone does not renew, and deleting alone
 * fails when it had expired). Read back with block_read().
 * Return: 0; -ENOENT (no table: the block has lapsed); -EINVAL (timeout 0 or infinite, no health port in the
 * plan, or one that is refused from some sources and no source); -EBUSY; other negative errno.
 */
int block_close(Block *b, Usec timeout_usec, Err *err) _must_check_;

/*
 * block_open() - refuse nothing; the table stays and goes on counting. Opening what is open succeeds, also
 * where the table is gone.
 */
int block_open(Block *b, Err *err) _must_check_;

/*
 * block_freeze() - drop data segments to the traffic ports, for @timeout_usec at the most; again: renewed.
 * Connections can be opened meanwhile, and lost segments come again after the sender's timeout (200 ms or
 * more), so what is sent is late, not lost. Return: as block_close().
 */
int block_freeze(Block *b, Usec timeout_usec, Err *err) _must_check_;

/* block_thaw() - end the freeze. Thawing what is not frozen succeeds, also where the table is gone. */
int block_thaw(Block *b, Err *err) _must_check_;

/* block_remove() - delete the table. A table that is gone already is success. */
int block_remove(Block *b, Err *err) _must_check_;

/* block_read() - what the kernel has now. A missing table is an answer (ret->table false), not an error. */
int block_read(Block *b, BlockState *ret, Err *err) _must_check_;

/*
 * block_sources() - the counters by source, both families in one array (to be freed).
 * A source is forgotten an hour after its last packet. Sorted by address, each once. A set that grows while
 * it is read may hide a source from this reading; the next one has it.
 * @ret: NULL when there are none. @ret_full: a set has reached its size, so sources may be missing (the
 * totals do not lie). Return: 0; -ENOENT (no table); other negative errno.
 */
int block_sources(Block *b, BlockCounter counter, BlockSource **ret, size_t *ret_n, bool *ret_full,
                  Err *err) _must_check_;

/*
 * block_speakers() - whose data passed last on each of some connections to the traffic ports, or from here to
 * the next tier's?
 *
 * To be believed only for a connection on which data moved less than BLOCK_SPEAKER_LIMIT ago (the ages of
 * tcp_info tell): longer ago, a peer looks like this node.
 * Retransmissions count like the first time, a TLS record that is no request counts, and one that was dropped
 * behind our hook counts as well. The node's address is not part of an element, so two live connections that
 * differ in nothing else have one answer between them, which is to be believed for neither. Pure
 * acknowledgements, FIN, SYN with data and keepalives do not count, except those keepalives that carry a byte
 * (not Linux's). Connections from 127.0.0.0/8 and ::1 are UNKNOWN.
 *
 * UNKNOWN: nobody has spoken since the table was installed (or for longer than two BLOCK_SPEAKER_LIMIT), a
 * speaker set was full, there is none (block_has_speakers()), or somebody has touched the table's rules.
 * @peers: any number of them. @ret: @n answers; after a failure all UNKNOWN.
 * Return: 0; -ENOENT (no table); other negative errno.
 * Source: nft_dynset_eval() and nf_tables_getsetelem() in net/netfilter.
 */
int block_speakers(Block *b, const BlockPeer *peers, size_t n, BlockSpeaker *ret, Err *err) _must_check_;

/*
 * block_hold_put() - the hold table for all held plans at once, replacing what was there, in one batch: no
 * owner, no timeout; refusals are counted (from 0 again). @n 0: as block_hold_remove().
 * Return: 0; -EINVAL, -E2BIG (a plan: as block_install(), or one without health ports); other negative errno.
 */
int block_hold_put(const BlockPlan *plans, size_t n, Err *err) _must_check_;

/* block_hold_remove() - delete the hold table; success when there is none. */
int block_hold_remove(Err *err) _must_check_;

/*
 * block_refused_from() - from which sources does the table inet @table refuse @port (one of from_ports)?
 * @ret: BLOCK_FROM_MAX; @ret_n 0 without table. Return: 0; negative errno.
 */
int block_refused_from(const char *table, uint16_t port, Addr *ret, size_t *ret_n, Err *err) _must_check_;

/*
 * block_hold_read() - is every health port of @plan refused by the hold table? @ret_refused: SYN refused so
 * far by the table (all components), 0 without table. Either may be NULL; @plan may be NULL without
 * @ret_holds.
 */
int block_hold_read(const BlockPlan *plan, bool *ret_holds, uint64_t *ret_refused, Err *err) _must_check_;
