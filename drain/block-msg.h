/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What we put into nf_tables: the transit table and the hold table as batches. Pure: no socket, no clock.
 * Source: block.h for what they do; nft-msg.h for how they are built.
 */

#include "base/err.h"
#include "base/time.h"
#include "drain/block.h"
#include "drain/nft-msg.h"

/*
 * Before the usual filter chains (priority 0). The hold comes after the transit table, so that a restart of a
 * held node still sees and counts its checkers.
 */
#define BLOCK_MSG_PRIORITY      (-10)
#define BLOCK_MSG_HOLD_PRIORITY (-9)

#define BLOCK_MSG_SET_WHOLE  "whole"
#define BLOCK_MSG_SET_SYN    "syn"
#define BLOCK_MSG_SET_FROZEN "frozen"
#define BLOCK_MSG_SET_FROM4  "from4"
#define BLOCK_MSG_SET_FROM6  "from6"

/* How long a source is remembered after its last packet. */
#define BLOCK_MSG_SOURCE_TIMEOUT (USEC_PER_SEC * 3600)

/* What a speaker's element is given: how much is left of it tells who it was. */
#define BLOCK_MSG_SELF_TIMEOUT BLOCK_SPEAKER_LIMIT
#define BLOCK_MSG_PEER_TIMEOUT (2 * BLOCK_SPEAKER_LIMIT)

#define BLOCK_MSG_SPEAKER_KEY_MAX 24u /* bytes */

/* What must be found in them; the transit table's counters are in the order of BlockCounter. */
extern const NftTableShape block_msg_transit;          /* without the speaker sets */
extern const NftTableShape block_msg_transit_speakers; /* with them */
extern const NftTableShape block_msg_transit_upstream; /* with them, for a plan with upstream ports */
extern const NftTableShape block_msg_held;

/*
 * block_msg_check() - is this a plan that can be carried out? @ret: a copy with duplicates folded and
 * loopback sources left out. Return: 0; -EINVAL (port 0, a port refused in two ways, a source that is no
 * address); -E2BIG (more than BLOCK_PORTS_MAX, BLOCK_FROM_PORTS, BLOCK_FROM_MAX).
 */
int block_msg_check(const BlockPlan *plan, BlockPlan *ret, Err *err) _must_check_;

/* block_msg_sources() - sources as block_msg_check() would have them. @ret: BLOCK_FROM_MAX. Return: as there.
 */
int block_msg_sources(const Addr *from, size_t n, Addr *ret, size_t *ret_n, Err *err) _must_check_;

/* block_msg_refuses() - does the plan refuse anything: a port, and where sources belong to it, a source? */
bool block_msg_refuses(const BlockPlan *plan);

/* The keys of a plan's from_ports in BLOCK_MSG_SET_FROM4 or FROM6: each port with each source of the family.
 */
#define BLOCK_MSG_FROM_KEYS      (BLOCK_FROM_PORTS * BLOCK_FROM_MAX)
#define BLOCK_MSG_FROM_KEY_BYTES 20u
typedef struct BlockFromKeys {
        size_t key_bytes, n;
        uint8_t keys[BLOCK_MSG_FROM_KEYS * BLOCK_MSG_FROM_KEY_BYTES];
} BlockFromKeys;

/* block_msg_from_keys() - @plan: checked before. block_msg_from_source() - the way back: false for another
 * @port or a key of another size. */
void block_msg_from_keys(const BlockPlan *plan, int family, BlockFromKeys *ret);
bool block_msg_from_source(const uint8_t *key, size_t key_bytes, uint16_t port, Addr *ret);

/*
 * Builders: each fills an empty @m with one complete batch about @table (BLOCK_TABLE or
 * BLOCK_PARTNER_TABLE; with the same rules, so the shapes above are for both but for their name).
 * Return: 0; -ENOMEM; -E2BIG (more than fits); -EINVAL (as said).
 */

/*
 * block_msg_install() - replace or make the transit table, refusing nothing. @plan: checked before.
 * @sources: size of each source set, at least 1. @speakers: of each speaker set; 0: none of what belongs to
 * them, which otherwise is the part of the batch that can be done without (nft_msg_in_part()).
 */
int block_msg_install(NftMsg *m, const char *table, const BlockPlan *plan, BlockOwner owner, uint32_t sources,
                      uint32_t speakers, Err *err) _must_check_;

/* block_msg_adopt() - become the owner of a table that persisted without one. */
int block_msg_adopt(NftMsg *m, const char *table, Err *err) _must_check_;

/*
 * block_msg_close() - refuse, or renew: add, delete, add of each health port. @timeout_usec: rounded up to
 * whole milliseconds; -EINVAL for 0, infinity, or a plan without health ports.
 */
int block_msg_close(NftMsg *m, const char *table, const BlockPlan *plan, Usec timeout_usec,
                    Err *err) _must_check_;

/* block_msg_open() - empty the refusing sets. */
int block_msg_open(NftMsg *m, const char *table, Err *err) _must_check_;

/* block_msg_freeze() - freeze the traffic ports; as block_msg_close(). */
int block_msg_freeze(NftMsg *m, const char *table, const BlockPlan *plan, Usec timeout_usec,
                     Err *err) _must_check_;

/* block_msg_thaw() - empty the frozen set. */
int block_msg_thaw(NftMsg *m, const char *table, Err *err) _must_check_;

/* block_msg_remove() - delete @table; the batch succeeds when there is none too. */
int block_msg_remove(NftMsg *m, const char *table, Err *err) _must_check_;

/* block_msg_hold() - replace or make the hold table for all @plans. -EINVAL: a plan without health ports. */
int block_msg_hold(NftMsg *m, const BlockPlan *plans, size_t n, Err *err) _must_check_;

/* block_msg_source_set() - the name of the set that counts @counter for AF_INET or AF_INET6. */
const char *block_msg_source_set(BlockCounter counter, int family);

/* block_msg_speaker_set() - the name of the set that remembers speakers of AF_INET or AF_INET6. */
const char *block_msg_speaker_set(int family);

/* block_msg_speaker_key() - @ret: BLOCK_MSG_SPEAKER_KEY_MAX bytes. Return: how many of them are the key. */
size_t block_msg_speaker_key(const BlockPeer *peer, uint8_t *ret);

/* block_msg_speaker() - who spoke, by what is left of the element. @expires_usec: as in NftElement. */
BlockSpeaker block_msg_speaker(Usec expires_usec);
