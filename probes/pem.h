/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The first certificate of a PEM text, and its fingerprint. Pure. Nothing in the certificate is understood or
 * verified: two are the same when all their bytes are. Source: RFC 7468, sections 2 and 5.1. */

#include <stddef.h>

#include "base/err.h"
#include "base/sha256.h"

#define PEM_MAX (1024 * 1024) /* bytes of a text */

/*
 * pem_fingerprint() - SHA-256 of the first CERTIFICATE of @pem: the server's own in a file or chain.
 * @ret: SHA256_TEXT_SIZE bytes, written only on success.
 * Return: 0; -ENOENT (there is none); -EBADMSG (not base64, no end line); -E2BIG; -ENOMEM.
 */
int pem_fingerprint(const char *pem, size_t len, char *ret, Err *err) _must_check_;

/* pem_fingerprint_file() - the same of a file. Return: also what open(2) and read(2) return. */
int pem_fingerprint_file(const char *path, char *ret, Err *err) _must_check_;
