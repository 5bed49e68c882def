/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The list of servers that the Management Server gives (/v1/servers), from JSON to rows. Pure. It is written
 * by many versions and kept by hand in places: names that are "localhost", keys that are missing, `type` as
 * array or string, tags that are empty, rows of databases and of machines long gone. A row that cannot be
 * understood is left out and told; only what is no list at all is an error.
 *
 * Source: Apigee "Viewing pod details" (/v1/servers?pod=gateway).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SERVERS_JSON_MAX  (8 * 1024 * 1024) /* bytes; a server has about 1,000 */
#define SERVERS_MAX       5000
#define SERVERS_NOTES_MAX 32

typedef struct Server {
        char uuid[64];   /* uUID; "" when absent */
        char region[64]; /* "" when absent */
        char pod[64];
        char address[64];   /* internalIP, else externalIP, never loopback; "" when there is none */
        char hostname[256]; /* internalHostName, else externalHostName, never localhost; "" */
        char types[160];    /* as listed, separated by blanks */
        bool is_router, is_mp;
        bool is_datastore; /* one of its types ends with -datastore */
        bool up, has_up;   /* isUp */
        bool reachable, has_reachable;
} Server;

typedef struct Servers {
        Server *rows;
        size_t n;
        char **notes; /* what was left out, and why: one sentence each; NULL-terminated */
        size_t n_notes;
        size_t skipped; /* rows left out */
} Servers;

/*
 * servers_parse() - an array of server objects, or one such object. @ret: written only on success.
 * Return: 0 (no row is an answer, too); -EBADMSG (not JSON, or neither array nor object: says what it looks
 * like, as "an HTML page"); -E2BIG (more than SERVERS_JSON_MAX or SERVERS_MAX, nested too deep); -ENOMEM.
 */
int servers_parse(const char *json, size_t len, Servers **ret, Err *err) _must_check_;
Servers *servers_free(Servers *s);
DEFINE_CLEANUP(Servers, servers_free);

/* servers_append() - move the rows and notes of @more behind those of @s; rows that are there already (by
 * uuid; alike in everything where there is none) are dropped. @more: empty afterwards. Return: 0; -E2BIG;
 * -ENOMEM. */
int servers_append(Servers *s, Servers *more, Err *err) _must_check_;
