/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * TLS as Edge's SSLInfo names it, for libcurl: Java's names of protocols and cipher suites become OpenSSL's.
 * Pure but for http_tls_apply().
 *
 * Source: IANA's registry of cipher suites (Java's names are those); openssl-ciphers(1).
 */

#include <stdbool.h>
#include <stddef.h>

#include "probes/curl-dl.h"
#include "probes/http.h"

#define HTTP_TLS_CIPHER_SIZE 64

/* http_tls_version() - "TLSv1.2" is 12, ...; 0 for what is none that is spoken here (SSLv3, SSLv2Hello). */
unsigned http_tls_version(const char *protocol);

/*
 * http_tls_cipher() - "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" is "ECDHE-RSA-AES128-GCM-SHA256". @is_13: one
 * of TLS 1.3, whose names are the same. OpenSSL's own names stay as they are. @buf: HTTP_TLS_CIPHER_SIZE
 * bytes. Return: false for what is not the name of a cipher suite.
 */
bool http_tls_cipher(const char *java, char *buf, size_t size, bool *is_13);

/* http_tls_apply() - Return: 0, or the sum of libcurl's refusals. Only http-setup.c calls it. */
unsigned http_tls_apply(const CurlDl *curl, CURL *easy, const HttpTls *tls);
