/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A virtual host as Edge's management API tells it, from JSON to facts. Pure. Names that matter are kept
 * whole or refused; unknown keys are skipped, null is absent.
 *
 * Source: GET /v1/o/ORG/e/ENV/virtualhosts/NAME: `port` may be a string, `enabled` and its like are the words
 * "true" and "false" in most versions; keyStore and trustStore are names, or ref://NAME of a reference.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define VHOST_JSON_MAX    (256 * 1024) /* bytes of the JSON */
#define VHOST_NAME_SIZE   256
#define VHOST_ALIASES_MAX 256
#define VHOST_HOST_MAX    253
#define VHOST_HOST_SIZE   (VHOST_HOST_MAX + 1)
#define VHOST_ANY_LABEL   "edge-roll" /* for "*" */

/* What TLS is done with: of a virtual host, and of a target server's connection. */
typedef struct TlsUse {
        bool enabled, client_auth;
        char key_store[VHOST_NAME_SIZE]; /* as written: NAME, ref://NAME, {variable}; "": none */
        char key_alias[VHOST_NAME_SIZE];
        char trust_store[VHOST_NAME_SIZE];
} TlsUse;

typedef struct Vhost {
        char name[VHOST_NAME_SIZE];
        uint16_t port; /* 0: not said */
        TlsUse tls;
        char **aliases; /* hostAliases, without a port behind; NULL-terminated, never NULL */
        size_t n_aliases;
} Vhost;

/*
 * vhost_parse() - @ret: to be freed with vhost_free(); written only on success.
 * Return: 0; -EBADMSG (not JSON, no object, no name, a key of the wrong type: which); -E2BIG; -ENOMEM.
 */
int vhost_parse(const char *json, size_t len, Vhost **ret, Err *err) _must_check_;
Vhost *vhost_free(Vhost *v);
DEFINE_CLEANUP(Vhost, vhost_free);

/*
 * vhost_server_name() - what to ask for by SNI to be answered by this virtual host: a host alias, or where
 * there are only wildcards a name under one of them. Return: is there one (else @ret is "")? Without it the
 * default of the port answers, which may be another one's. Source: RFC 6066 section 3 (no address), RFC 1035
 * section 2.3.4 (length).
 */
bool vhost_server_name(const Vhost *v, char ret[VHOST_HOST_SIZE]);

struct cJSON;

/* vhost_tls_parse() - the member "sSLInfo" of @object, if it is there. Return: 0; -EBADMSG. */
int vhost_tls_parse(const struct cJSON *object, TlsUse *ret, Err *err) _must_check_;
