/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a message processor has loaded: organisations, environments, proxies, revisions; fetched over its own
 * management port, and compared before and after a restart. A list that does not answer (no answer, a status
 * other than 200, not a list) is unknown, not empty: a sick component must be restartable.
 * Source: Apigee playbook "Unable to create trace session" (/v1/runtime/organizations/ORG/environments,
 * .../environments/ENV/apis/API/revisions). The lists of organisations and of proxies are not documented and
 * therefore optional.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "base/err.h"
#include "base/time.h"
#include "probes/http.h"

#define SNAPSHOT_NAMES_MAX 20000             /* names in one snapshot; what comes after that is unknown */
#define SNAPSHOT_JSON_MAX  (8 * 1024 * 1024) /* bytes */

typedef struct Snapshot Snapshot;
typedef struct SnapshotFetch SnapshotFetch;

/* snapshot_free() - NULL allowed. Return: NULL. */
Snapshot *snapshot_free(Snapshot *s);
DEFINE_CLEANUP(Snapshot, snapshot_free);

/*
 * snapshot_to_json() - to keep it in a record:
 * {"organizations":{"acme":{"prod":{"orders":["12"]}}},"why":""}, null for what is unknown. ASCII, one line.
 * @ret: to be freed. Return: 0 or -ENOMEM.
 */
int snapshot_to_json(const Snapshot *s, char **ret) _must_check_;

/*
 * snapshot_from_json() - back again. Return: 0; -EBADMSG (not JSON of a snapshot); -E2BIG (more than
 * SNAPSHOT_JSON_MAX or SNAPSHOT_NAMES_MAX); -ENOMEM.
 */
int snapshot_from_json(const char *json, Snapshot **ret, Err *err) _must_check_;

/*
 * snapshot_summary() - for people: "2 environments, 4 proxies", "2 environments, proxies unknown (WHY)",
 * "environments unknown (WHY)", where WHY is the first failure in the words of http.h. Return: @buf.
 */
const char *snapshot_summary(const Snapshot *s, char *buf, size_t size);

typedef void (*SnapshotFn)(Snapshot *s, void *userdata); /* @s belongs to the callee */

typedef struct SnapshotRequest {
        const char *runtime_url;   /* e.g. http://127.0.0.1:8082/v1/runtime */
        const char *organizations; /* names, white space between; "" or NULL: ask the component */
        Usec limit_usec;           /* for everything; what has not answered then is unknown */
        unsigned max_requests;     /* 0: 5000 in all; beyond that the rest is unknown */
} SnapshotRequest;

/*
 * snapshot_fetch() - at most 8 requests at once, level by level in the order of names (so that two fetches
 * cut short by max_requests know the same); each request may take 5 s.
 * @fn is called once, from the loop, at the latest at the limit, unless the fetch is cancelled first; the
 * SnapshotFetch is gone after @fn returns. @fn may free @http. Otherwise @http must outlive the fetch.
 * Return: 0; -EINVAL (the organisations are no names, the URL is longer than 1 KiB); -ENOMEM; negative errno
 * from http_start() or sd_event_add_time(3).
 */
int snapshot_fetch(Http *http, sd_event *e, const SnapshotRequest *request, SnapshotFn fn, void *userdata,
                   SnapshotFetch **ret, Err *err) _must_check_;

/* snapshot_fetch_cancel() - without calling back. NULL allowed; within its own @fn it does nothing. Return:
 * NULL. */
SnapshotFetch *snapshot_fetch_cancel(SnapshotFetch *f);
DEFINE_CLEANUP(SnapshotFetch, snapshot_fetch_cancel);

typedef struct SnapshotDiff {
        unsigned lost; /* organisations, environments, proxies; what was in a lost one is not counted again */
        unsigned gained;  /* the same */
        unsigned changed; /* proxies with other revisions */
        bool unknown;     /* something known before is unknown now: not proven as before */
        char text[512]; /* "lost: environment acme/prod, proxy acme/test/orders; gained: ..."; "as before" */
} SnapshotDiff;

/*
 * snapshot_compare() - pure. What was unknown before can neither be lost nor gained. What was known before
 * and is unknown now sets ret->unknown.
 */
void snapshot_compare(const Snapshot *before, const Snapshot *after, SnapshotDiff *ret);
