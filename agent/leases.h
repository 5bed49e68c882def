/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The leases of this node, one a component, in memory and on disk, with what is known of its pool. The record
 * is written before anybody is told; a change that cannot be written has not happened.
 */

#include "agent/lease.h"
#include "agent/pool.h"

typedef struct LeaseSlot {
        char component[64];
        Lease lease;
        char unreadable[512]; /* why its record is not understood: then nobody knows who has it; "" */
        Pool pool;
        bool pool_changed;    /* since it was written */
        uint16_t health_port; /* as it was last seen; 0: not yet */
} LeaseSlot;

typedef struct Leases Leases;

/* leases_new() - with what the records in @state_dir say. Return: 0; -ENOMEM. */
int leases_new(Leases **ret, const char *state_dir) _must_check_;
Leases *leases_free(Leases *l);
DEFINE_CLEANUP(Leases, leases_free);

/* leases_slot() - of @component, made at the first call. Owned by @l. Return: NULL: there are too many. */
LeaseSlot *leases_slot(Leases *l, const char *component);

/* leases_get() - the i-th; NULL behind the last. */
LeaseSlot *leases_get(Leases *l, size_t i);

/* leases_write() - @lease becomes that of @slot, on disk and then here. Return: 0; errors of state_write(),
 * and nothing has changed. */
int leases_write(Leases *l, LeaseSlot *slot, const Lease *lease, Err *err) _must_check_;

/* leases_keep() - the same, and it is here also where it cannot be written: for what only takes rights away,
 * and must not wait for a disk. The journal tells. */
void leases_keep(Leases *l, LeaseSlot *slot, const Lease *lease);

/* leases_seen() - what the component said of itself (NULL: nothing), and the health port it has (0: unknown).
 */
void leases_seen(LeaseSlot *slot, const EdgeSelf *self, uint16_t health_port);

/* leases_roll_has() - has @roll the lease of @component? @text: which one, or why not. */
bool leases_roll_has(Leases *l, const char *component, const char *roll, Usec now, char *text, size_t size);

/* leases_any() - does anybody have one at @now? @ret_next: when the first of them ends; USEC_INFINITY. */
bool leases_any(Leases *l, Usec now, Usec *ret_next);
