/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * References, and keystores and truststores (which are of one kind), as Edge's management API tells them.
 * Pure.
 *
 * Source: GET /v1/o/ORG/e/ENV/references/NAME: {"name","refers","resourceType"}; .../keystores/NAME:
 * {"name","certs":[...],"keys":[...]}.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define STORE_JSON_MAX  (1024 * 1024) /* bytes of the JSON */
#define STORE_NAME_SIZE 256
#define STORE_REF       "ref://"

typedef struct StoreReference {
        char name[STORE_NAME_SIZE];
        char refers[STORE_NAME_SIZE]; /* the store */
        char type[64];                /* "KeyStore", "TrustStore"; "": not said */
} StoreReference;

typedef struct Store {
        char name[STORE_NAME_SIZE];
        char **certs, **keys; /* sorted, NULL-terminated; never NULL */
} Store;

/* store_reference_parse() - Return: 0; -EBADMSG (not JSON, name or refers missing: which); -E2BIG; -ENOMEM.
 */
int store_reference_parse(const char *json, size_t len, StoreReference *ret, Err *err) _must_check_;

/* store_parse() - @ret: to be freed with store_free(). Return: 0; -EBADMSG; -E2BIG; -ENOMEM. */
int store_parse(const char *json, size_t len, Store **ret, Err *err) _must_check_;
Store *store_free(Store *s);
DEFINE_CLEANUP(Store, store_free);

/* How a configuration names a store. */
typedef enum StoreNaming {
        STORE_NONE,
        STORE_DIRECT,
        STORE_BY_REFERENCE, /* ref://NAME */
        STORE_BY_VARIABLE,  /* {flow.variable}: which one only a request knows */
} StoreNaming;

/* store_naming() - of @text as it is written; @ret_name: within @text, the store's or the reference's name.
 */
StoreNaming store_naming(const char *text, const char **ret_name);
