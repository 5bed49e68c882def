/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The target servers of a message processor's environments, as far as this node can know them: from files
 * that configuration management keeps, or from the Management Server, where this node may ask it.
 *
 * Files: FOLDER/ORG/ENV/NAME.xml or .json, each a TargetServer as it is sent to Edge's API. A target server
 * that is switched off is left out. Source: probes/target.h.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/config.h"
#include "base/err.h"
#include "base/time.h"

typedef struct TargetEntry {
        char *name; /* "ORG/ENV/NAME" */
        char *host;
        uint16_t port; /* host byte order */
        bool tls;
        bool answered;
        char *why; /* when it did not: where its check ended; NULL */
} TargetEntry;

typedef struct TargetList {
        TargetEntry *items;
        size_t n;
        size_t n_more;  /* beyond targets.max: not in the list */
        size_t n_other; /* that none of the patterns of targets.names matches: not in the list */
} TargetList;

void target_list_done(TargetList *list);

/* target_list_add() - @host: copied, as @name. Return: 0 or -ENOMEM. */
int target_list_add(TargetList *list, const char *name, const char *host, uint16_t port,
                    bool tls) _must_check_;

/*
 * target_list_to_json() - those that answered, to be kept in a record:
 * [["acme/prod/a","10.0.0.1",80,false],...]. Return: NULL without memory.
 */
cJSON *target_list_to_json(const TargetList *list);

/* target_list_from_json() - back again; what makes no sense is left out. Return: 0 or -ENOMEM. */
int target_list_from_json(const cJSON *json, TargetList *ret) _must_check_;

/* target_name_wanted() - pure: does one of the shell patterns of `names` match "ORG/ENV/NAME"? */
bool target_name_wanted(Words patterns, const char *name);

typedef struct TargetFetch TargetFetch;

/* @list: the callee's now, to be released with target_list_done(). @trouble: what of it is not known and why,
 * one sentence; "" when it is whole. The TargetFetch is gone after the call. */
typedef void (*TargetFetchFn)(TargetList *list, const char *trouble, void *userdata);

typedef struct TargetRequest {
        sd_event *event;
        const Config *config;     /* sections [targets] and [cluster] */
        const char *environments; /* what is loaded, as snapshot_to_json() writes it; NULL: not known */
        Usec limit_usec;
} TargetRequest;

/* target_fetch_wanted() - is there anything to ask, by configuration? */
bool target_fetch_wanted(const Config *config);

/* target_fetch() - @fn is called once, from the loop, never from within this call. Return: 0; -ENOMEM; what
 * sd-event says. */
int target_fetch(TargetFetch **ret, const TargetRequest *request, TargetFetchFn fn, void *userdata,
                 Err *err) _must_check_;
TargetFetch *target_fetch_cancel(TargetFetch *f); /* NULL allowed. Return: NULL. */
DEFINE_CLEANUP(TargetFetch, target_fetch_cancel);
