/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What must be restarted when a store of keys or certificates has changed. Pure: the table of Apigee's
 * "Update a TLS certificate for the Private Cloud", as data in one place, with the cases it does not speak of
 * marked as such: for those what is safe is said, because a restart too many costs no request.
 *
 * Sources: that page; "Only the first time, when the virtual host is updated to use references, a Router
 * restart is required" (Apigee support, requests about virtual hosts).
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "probes/store-json.h"

/* How the store was changed. */
typedef enum WhyChange {
        WHY_NEW_STORE,    /* another one, and what names it was changed: the reference, the virtual host, the
                             variable */
        WHY_RECREATED,    /* deleted and created again under its name */
        WHY_UPLOADED,     /* a certificate was put into it */
        WHY_TO_REFERENCE, /* what named it directly names a reference now */
        WHY_CHANGE_COUNT,
        WHY_CHANGE_INVALID = -EINVAL, /* not said */
} WhyChange;

/* why_change_name() - "new", "recreated", "uploaded", "to-reference"; never NULL. */
const char *why_change_name(WhyChange change);
WhyChange why_change_from_name(const char *name);

/* What uses the store: a target is a target server, or what a TargetEndpoint or ServiceCallout calls itself.
 */
typedef enum WhyUse {
        WHY_VHOST_KEYS, /* the certificate that routers serve */
        WHY_VHOST_TRUST,
        WHY_TARGET_KEYS, /* two-way TLS towards a target */
        WHY_TARGET_TRUST,
        WHY_USE_COUNT,
        WHY_USE_INVALID = -EINVAL,
} WhyUse;

/* why_use_name() - "the keystore", "the truststore". */
const char *why_use_name(WhyUse use);

/* In the order of how much is done. */
typedef enum WhyAction {
        WHY_NOTHING,
        WHY_REDEPLOY, /* of the proxies that use it */
        WHY_MPS,
        WHY_ROUTERS,
        WHY_ACTION_COUNT,
        WHY_ACTION_INVALID = -EINVAL,
} WhyAction;

/* why_action_name() - "nothing", "redeploy", "message-processors", "routers". */
const char *why_action_name(WhyAction action);

typedef struct WhyRow {
        StoreNaming naming; /* STORE_DIRECT, STORE_BY_REFERENCE or STORE_BY_VARIABLE */
        WhyChange change;
        unsigned uses; /* bits of WhyUse */
        WhyAction action;
        bool documented;
        const char *reason; /* one sentence */
} WhyRow;

extern const WhyRow why_table[];
extern const size_t why_table_rows;

/*
 * why_look_up() - the row for a store that is named in this way, was changed so, and is used so.
 * @change: WHY_CHANGE_INVALID: how is not said: the strongest of all rows but for the switch to a
 * reference, a documented one if there are two. Return: never NULL but
 * for STORE_NONE.
 */
const WhyRow *why_look_up(StoreNaming naming, WhyChange change, WhyUse use);
