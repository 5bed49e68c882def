/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* SHA-256 of a few kilobytes: the fingerprint by which people know a certificate. Nothing here is secret.
 * Source: FIPS 180-4, sections 5 and 6.2. */

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES     32
#define SHA256_TEXT_SIZE (3 * SHA256_BYTES) /* "AB:CD:...", NUL included */

/* sha256() - of @len bytes at @data (NULL only with 0). */
void sha256(const void *data, size_t len, uint8_t ret[SHA256_BYTES]);

/* sha256_text() - as certificates are compared by people: "0A:1B:...". @buf: SHA256_TEXT_SIZE. Return: @buf.
 */
const char *sha256_text(const uint8_t digest[SHA256_BYTES], char *buf);
