/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What Edge's components say of themselves, from JSON to facts. Pure. Nothing is believed unchecked: sizes,
 * types, depth and ranges are limited, and every error names the key and what was found.
 * Source: Apigee "Viewing pod details" (server object); the shapes found in the field differ: `type` array
 * or string, `tags.property` possibly empty or absent, port values as strings or numbers. null is taken for
 * absent everywhere, unknown keys are skipped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EDGE_JSON_MAX (1024 * 1024) /* bytes of a JSON text */
#define EDGE_LIST_MAX 10000         /* names in a list */
#define EDGE_NAME_MAX 255           /* bytes of a name */

typedef struct EdgeSelf {
        char uuid[64];   /* uUID, letters, digits, '-', '_', '.'; "" when absent */
        char region[64]; /* printable ASCII; "" when absent */
        char pod[64];    /* the same */
        bool is_up, has_is_up;
        bool reachable, has_reachable;
        bool is_router, is_mp; /* from type */
        uint16_t http_port;    /* tag http.port, host byte order; 0: the tag is absent */
} EdgeSelf;

/*
 * edge_self_parse() - /v1/servers/self. @ret: written only on success.
 * A port is a whole number from 1 to 65535, as a JSON number (8998.0 is one) or as a string of nothing but
 * its digits. The tag may be repeated with the same port. Return: 0; -EBADMSG (not JSON, not an object, a key
 * of the wrong type or twice, a port that is no port, two different ports: the sentence says which and shows
 * the value); -E2BIG (more than EDGE_JSON_MAX, nested too deep, too many values); -ENOMEM.
 */
int edge_self_parse(const char *json, size_t len, EdgeSelf *ret, Err *err) _must_check_;

/*
 * edge_name_ok() - can this be the name of an organisation, environment, proxy or revision? 1 to
 * EDGE_NAME_MAX printable ASCII characters (names of proxies may hold spaces, '%' and '$'), and neither "."
 * nor "..", which would mean another place in a URL even when escaped.
 */
bool edge_name_ok(const char *name);

/*
 * edge_list_parse() - an array of names: ["test","prod"]. Also accepted: numbers (revisions), objects with
 * "name". @ret: NULL-terminated array of strings, sorted (strcmp), without duplicates; free with
 * edge_list_free(); written only on success.
 * Return: 0; -EBADMSG (also: a name that edge_name_ok() refuses); -E2BIG (more than EDGE_JSON_MAX or
 * EDGE_LIST_MAX, or a name longer than EDGE_NAME_MAX); -ENOMEM.
 */
int edge_list_parse(const char *json, size_t len, char ***ret, Err *err) _must_check_;

/*
 * edge_list_from_words() - the same of names with white space between, as configuration has them. @ret: as
 * above; empty for "". Return: 0; -EINVAL (a word that edge_name_ok() refuses); -E2BIG; -ENOMEM.
 */
int edge_list_from_words(const char *words, char ***ret, Err *err) _must_check_;

/* edge_list_free() - NULL allowed. Return: NULL. */
char **edge_list_free(char **list);
DEFINE_CLEANUP(char *, edge_list_free);

/* edge_up_is_true() - a body of /v1/servers/self/up: "true" with white space around it, nothing else. */
bool edge_up_is_true(const char *body, size_t len);
