/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * nginx on loopback, speaking TLS in several ways, with certificates made by openssl(1) for the occasion.
 * Aborts on failure, as everything here: it is a test's tool.
 */

#include <stdbool.h>
#include <stdint.h>

typedef enum TlsDoor {
        TLS_ONE_WAY,    /* for localhost and 127.0.0.1, signed by the authority */
        TLS_TWO_WAY,    /* the same, and asks for a client certificate of that authority */
        TLS_SELF,       /* signed by itself */
        TLS_EXPIRED,    /* its time is over */
        TLS_OTHER_NAME, /* for other.example.com */
        TLS_1_2_ONLY,   /* TLS 1.2, ECDHE-RSA-AES128-GCM-SHA256 */
        TLS_1_3_ONLY,
        TLS_DOOR_COUNT,
} TlsDoor;

typedef struct TlsOrigin {
        char folder[64]; /* also a folder of stores: authority.pem, self.pem, keys/client.pem */
        uint16_t ports[TLS_DOOR_COUNT];
        int pid;
        int front_pid, front_in, front_out; /* tls-front.py; 0: not running */
} TlsOrigin;

/* tls_origin_start() - every path answers 200 and says in X-Client who came, in X-Cipher
 * by which cipher. Listens when it returns. */
void tls_origin_start(TlsOrigin *t);
void tls_origin_stop(TlsOrigin *t);

/* tls_origin_front() - TLS (the certificate of TLS_ONE_WAY) in front of @port of 127.0.0.1: what comes and
 * goes, and how it ends, is passed on. Return: where. */
uint16_t tls_origin_front(TlsOrigin *t, uint16_t port);

/* tls_origin_missing() - NULL, or which program is not installed. */
const char *tls_origin_missing(void);
