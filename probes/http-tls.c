/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "probes/http-tls.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

unsigned http_tls_version(const char *protocol)
{
        static const struct {
                const char *name;
                unsigned version;
        } known[] = {
                { "TLSv1", 10 }, { "TLSv1.0", 10 }, { "TLSv1.1", 11 }, { "TLSv1.2", 12 }, { "TLSv1.3", 13 }
        };

        for (size_t i = 0; i < ELEMENTS(known); i++)
                if (strcasecmp(protocol, known[i].name) == 0)
                        return known[i].version;
        return 0;
}

static bool is_name(const char *name)
{
        size_t len = strlen(name);
        for (const char *p = name; *p; p++)
                if (!isalnum((unsigned char) *p) && *p != '_' && *p != '-')
                        return false;
        return len > 0 && len < HTTP_TLS_CIPHER_SIZE;
}

/* Java's words that OpenSSL writes in another way, or not at all. */
static const char *const words[][2] = {
        { "3DES_EDE_CBC", "DES-CBC3" }, { "AES_128_CBC", "AES128" },
        { "AES_256_CBC", "AES256" },    { "AES_128_", "AES128-" },
        { "AES_256_", "AES256-" },      { "CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305" },
};

/* "AES_128_GCM_SHA256" -> "AES128-GCM-SHA256" behind what is in @buf. */
static void put_cipher(const char *cipher, char *buf, size_t size)
{
        size_t at = strlen(buf);
        for (size_t i = 0; i < ELEMENTS(words); i++) {
                size_t len = strlen(words[i][0]);
                if (strncmp(cipher, words[i][0], len) == 0) {
                        at += (size_t) snprintf(buf + at, size - at, "%s", words[i][1]);
                        cipher += len;
                        break;
                }
        }
        for (; *cipher && at + 1 < size; cipher++)
                buf[at++] = *cipher == '_' ? '-' : *cipher;
        buf[at] = '\0';
}

bool http_tls_cipher(const char *java, char *buf, size_t size, bool *is_13)
{
        const char *with = strstr(java, "_WITH_");

        *is_13 = false;
        if (!is_name(java) || size < HTTP_TLS_CIPHER_SIZE)
                return false;
        if (strncmp(java, "TLS_", 4) == 0 || strncmp(java, "SSL_", 4) == 0) {
                *is_13 = !with;
                java += with ? 4 : 0;
        }
        if (!with) {
                (void) snprintf(buf, size, "%s", java);
                return true;
        }
        /* The exchange of keys stands in front; plain RSA is not written. */
        size_t n = (size_t) (with - java);
        buf[0] = '\0';
        if (n != 3 || strncmp(java, "RSA", 3) != 0) {
                (void) snprintf(buf, size, "%.*s-", (int) n, java);
                for (char *p = buf; *p; p++)
                        if (*p == '_')
                                *p = '-';
        }
        put_cipher(with + 6, buf, size);
        return true;
}

static long libcurl_version(unsigned version)
{
        switch (version) {
        case 10:
                return CURL_SSLVERSION_TLSv1_0;
        case 11:
                return CURL_SSLVERSION_TLSv1_1;
        case 12:
                return CURL_SSLVERSION_TLSv1_2;
        case 13:
                return CURL_SSLVERSION_TLSv1_3;
        default:
                return CURL_SSLVERSION_DEFAULT;
        }
}

unsigned http_tls_apply(const CurlDl *curl, CURL *easy, const HttpTls *tls)
{
        unsigned bad = 0;
        long version = libcurl_version(tls->version_min);

        if (tls->version_max > 0)
                version |= libcurl_version(tls->version_max)
                           << 16; /* CURL_SSLVERSION_MAX_TLSv1_2 and the like */
        bad |= (unsigned) curl->easy_setopt(easy, CURLOPT_SSLVERSION, version);
        bad |= (unsigned) curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->any_certificate ? 0L : 1L);
        bad |= (unsigned) curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST,
                                            tls->any_certificate || tls->any_name ? 0L : 2L);
        if (tls->client_certificate)
                bad |= (unsigned) curl->easy_setopt(easy, CURLOPT_SSLCERT, tls->client_certificate);
        if (tls->client_key)
                bad |= (unsigned) curl->easy_setopt(easy, CURLOPT_SSLKEY, tls->client_key);
        /* Not every TLS library takes lists; the handshake then offers what it always does. */
        if (tls->ciphers)
                (void) curl->easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, tls->ciphers);
        if (tls->ciphers_13)
                (void) curl->easy_setopt(easy, CURLOPT_TLS13_CIPHERS, tls->ciphers_13);
        return bad;
}
