/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The leases of a roll: one from each member of its pools that answers, taken in ascending order of server
 * ids, all given back at the first refusal, renewed at a third of their life. What an order to a node must
 * carry comes from here: the epoch, and until when it is good on that node's own clock. Times here are of the
 * clock that runs on in a suspend (time_boot()), as on the nodes.
 *
 * The lowest id of a pool is asked alone and first: two rolls of one pool meet there, and only the winner
 * asks the others.
 */

#include <systemd/sd-event.h>

#include "agent/cluster/fleet.h"
#include "base/result.h"

#define TENURE_TTL_USEC   (30 * USEC_PER_SEC)
#define TENURE_ORDER_USEC (10 * USEC_PER_SEC) /* an order that arrives later than this is not obeyed */

typedef struct Tenures Tenures;

typedef struct TenureMember {
        const char *uuid, *name, *address;
} TenureMember;

typedef struct TenuresHandlers {
        /* All are held (@result RESULT_DONE), or none: busy, refused, no-permission, failed; with a sentence.
         */
        void (*taken)(Result result, const char *text, const char *hint, void *userdata);
        void (*told)(size_t node, const char *pool, uint64_t epoch, const char *action,
                     void *userdata);                                /* for the journal */
        void (*lost)(size_t node, const char *text, void *userdata); /* somebody else has it now */
        void (*given)(void *userdata);                               /* tenures_give() is through */
} TenuresHandlers;

/* tenures_new() - @holder: what the agents know the roll by. All borrowed and outlive it. */
int tenures_new(Tenures **ret, sd_event *event, Fleet *fleet, const char *holder,
                const TenuresHandlers *handlers, void *userdata) _must_check_;
Tenures *tenures_free(Tenures *t);
DEFINE_CLEANUP(Tenures, tenures_free);

/*
 * tenures_pool() - the pool whose leases are to be taken: @members is copied. @force: the list replaces what
 * the agents know. Return: its number; -ENOMEM.
 */
int tenures_pool(Tenures *t, const char *component, const char *name, const TenureMember *members, size_t n,
                 bool force) _must_check_;

/* tenures_add() - the lease of @component on @node. @out: that node counts as out. @clock: its boot clock (0:
 * not known), of which was heard at @clock_at. Return: 0; -ENOMEM. */
int tenures_add(Tenures *t, int pool, size_t node, const char *uuid, bool out, Usec clock,
                Usec clock_at) _must_check_;

/* tenures_take() - all that were added; handlers.taken tells. tenures_give() - all that are held. */
void tenures_take(Tenures *t);
void tenures_give(Tenures *t);

/* tenures_held() - is that of @component on @node held, and renewed within half its life? */
bool tenures_held(const Tenures *t, size_t node, const char *component);

/* tenures_covers() - as tenures_held(); also true where no lease is wanted of it. What such a node says can
 * be believed for a while: so long nobody else has its lease. */
bool tenures_covers(const Tenures *t, size_t node, const char *component);

/* tenures_fresh() - were all that are held, and whose link is there, renewed within half their life? */
bool tenures_fresh(const Tenures *t);

typedef struct TenureOrder {
        uint64_t epoch, expires; /* on the node's clock */
} TenureOrder;

/* tenures_order() - what an order to @node must carry now. Return: false when the lease is not held and
 * fresh. tenures_order_back() - an order to go back: fresh or not, its agent knows whether the lease is in
 * force. */
bool tenures_order(const Tenures *t, size_t node, const char *component, TenureOrder *ret);
bool tenures_order_back(const Tenures *t, size_t node, const char *component, TenureOrder *ret);
