/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Proof that routers serve the certificates that they should: what is expected of each virtual host, and what
 * each router served before, known when a roll begins and compared with what is served behind it. It can be
 * written down, so that another process proves the same.
 */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"

typedef struct ProofRouter {
        char name[256];                /* for people */
        char address[64];              /* where it is asked */
        char before[SHA256_TEXT_SIZE]; /* "": it was not known */
} ProofRouter;

typedef struct ProofVhost {
        char name[256];
        char server_name[256]; /* asked for by SNI; "": none */
        uint16_t port;
        char expected[SHA256_TEXT_SIZE]; /* "": not known */
        ProofRouter *routers;
        size_t n;
} ProofVhost;

typedef struct Proof {
        ProofVhost *vhosts;
        size_t n;
        size_t missing; /* virtual hosts of which nothing is known any more */
} Proof;

void proof_done(Proof *p);

/* proof_add() - one more, empty. Return: NULL without memory. proof_router() - the same of its routers. */
ProofVhost *proof_add(Proof *p) _must_check_;
ProofRouter *proof_router(ProofVhost *v) _must_check_;

/* proof_vhost_json() - adds to @object: "virtual_host", "port", "server_name", "expected" and "routers"
 * ("name", "address", "before" of each). */
void proof_vhost_json(const ProofVhost *v, cJSON *object);

/* proof_read() - one more, from such an object. Return: 0; -EBADMSG (says what is wrong); -ENOMEM. */
int proof_read(Proof *p, const cJSON *object, Err *err) _must_check_;

typedef void (*ProofSayFn)(void *userdata, bool warning, const char *text);

/*
 * proof_check() - shakes hands with all routers, on a loop of its own, each for 5 s at the most, and says of
 * each that serves another certificate than before, or than it should. What it serves now is what it has
 * served "before" of another check. @ret_bad: how often one serves another than it should, or is not known
 * to. Return: 0; -ENOMEM; errors of handshake_all().
 */
int proof_check(Proof *p, ProofSayFn say, void *userdata, size_t *ret_bad, Err *err) _must_check_;
