/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a router is for a client: nginx that serves a certificate at an address, port 9443; a new one serves
 * another. Certificates are made by openssl(1). Aborts on failure.
 */

#include <stdbool.h>
#include <sys/types.h>

#define TLS_ROUTER_PORT 9443

typedef struct TlsRouter {
        pid_t pid;
} TlsRouter;

/* tls_router_have() - is there an nginx? */
bool tls_router_have(void);

/* tls_router_certificate() - NAME.pem and NAME.key in the folder @dir. @ret: its fingerprint,
 * SHA256_TEXT_SIZE bytes. */
void tls_router_certificate(const char *dir, const char *name, char *ret);

/* tls_router_start() - serves the certificate @name of @dir; listens when it returns, and ends with the test.
 */
TlsRouter tls_router_start(const char *dir, const char *address, const char *name);

/* tls_router_start_wild() - the same, and serves @wild (NULL: no other) to who asks for a name under
 * example.com. */
TlsRouter tls_router_start_wild(const char *dir, const char *address, const char *name, const char *wild);
void tls_router_stop(TlsRouter *r);
