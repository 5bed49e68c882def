/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Fingerprints: SHA-256 against the examples of its standard, PEM against what openssl says of a certificate.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probes/pem.h"

static void test_sha256(void **state _unused_)
{
        static const struct {
                const char *text;
                const char *digest;
        } examples[] = {
                { "",
                  "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55" },
                { "abc",
                  "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD" },
                { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "24:8D:6A:61:D2:06:38:B8:E5:C0:26:93:0C:3E:60:39:A3:3C:E4:59:64:FF:21:67:F6:EC:ED:D4:19:DB:06:C1" },
                { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrs"
                  "tnopqrstu",
                  "CF:5B:16:A7:78:AF:83:80:03:6C:E5:9E:7B:04:92:37:0B:24:9B:11:E8:F0:7A:51:AF:AC:45:03:7A:FE:E9:D1" },
        };
        for (size_t i = 0; i < ELEMENTS(examples); i++) {
                uint8_t digest[SHA256_BYTES];
                char text[SHA256_TEXT_SIZE];
                sha256(examples[i].text, strlen(examples[i].text), digest);
                assert_string_equal(sha256_text(digest, text), examples[i].digest);
        }
}

/* Every length around the borders of a block against one of a million, whose digest the standard gives. */
static void test_sha256_long(void **state _unused_)
{
        char *a = malloc(1000000);
        uint8_t digest[SHA256_BYTES];
        char text[SHA256_TEXT_SIZE];
        assert_non_null(a);
        memset(a, 'a', 1000000);
        sha256(a, 1000000, digest);
        assert_string_equal(
                sha256_text(digest, text),
                "CD:C7:6E:5C:99:14:FB:92:81:A1:C7:E2:84:D7:3E:67:F1:80:9A:48:A4:97:20:0E:04:6D:39:CC:C7:11:2C:D0");
        free(a);
}

#define CERTIFICATE                                                          \
        "-----BEGIN CERTIFICATE-----\n"                                      \
        "MIIBijCCAS+gAwIBAgIUP1oqHdTRAidvwue/YStpJuBsQkswCgYIKoZIzj0EAwIw\n" \
        "GjEYMBYGA1UEAwwPYXBpLmV4YW1wbGUuY29tMB4XDTI2MTEyODE5MDc1N1oXDTM2\n" \
        "MTEyNTE5MDc1N1owGjEYMBYGA1UEAwwPYXBpLmV4YW1wbGUuY29tMFkwEwYHKoZI\n" \
        "zj0CAQYIKoZIzj0DAQcDQgAEbIm+qfEgwKH6jHGuc+3lJW3uXeIdpSEY1GthR/NK\n" \
        "AgFCmTadSxnYPelDX1/8u5lDPOA27YKhKD7IeAK+hu/DwqNTMFEwHQYDVR0OBBYE\n" \
        "FNW7JhtXqB5kv9MEi+c8r/K10AgpMB8GA1UdIwQYMBaAFNW7JhtXqB5kv9MEi+c8\n" \
        "r/K10AgpMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAJGRL+oA\n" \
        "TpVawY+itDa9SBNW2mJq+/7GLomo9+1Ipsn2AiEA0vgSfAzQN/04yspYTEc0KEtF\n" \
        "yQoNWiBXz5D3c3y65rQ=\n"                                             \
        "-----END CERTIFICATE-----\n"

static void test_pem(void **state _unused_)
{
        static const char wanted[] =
                "49:8D:7F:60:8A:57:82:D9:90:E8:CC:BD:10:50:11:9C:E7:A0:9C:7D:57:F0:E0:5B:C1:EE:7B:50:F3:D4:B0:33";
        char text[SHA256_TEXT_SIZE];
        Err err = { 0 };

        assert_int_equal(pem_fingerprint(CERTIFICATE, strlen(CERTIFICATE), text, &err), 0);
        assert_string_equal(text, wanted);

        /* Words before it, other line ends, a key or a second certificate behind it change nothing. */
        char other[8192];
        size_t n = (size_t) snprintf(other, sizeof(other), "subject=CN\r\n");
        for (const char *p = CERTIFICATE; *p; p++)
                n += (size_t) snprintf(other + n, sizeof(other) - n, *p == '\n' ? "\r\n" : "%c", *p);
        (void) snprintf(other + n, sizeof(other) - n,
                        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_int_equal(pem_fingerprint(other, strlen(other), text, &err), 0);
        assert_string_equal(text, wanted);
}

static void test_pem_bad(void **state _unused_)
{
        static const struct {
                const char *text;
                int r;
        } bad[] = {
                { "", -ENOENT },
                { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", -ENOENT },
                { "-----BEGIN CERTIFICATE-----\nAAAA\n", -EBADMSG },
                { "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", -EBADMSG },
                { "-----BEGIN CERTIFICATE-----\nAA!A\n-----END CERTIFICATE-----\n", -EBADMSG },
                { "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n", -EBADMSG },
                { "-----BEGIN CERTIFICATE-----\nA=AA\n-----END CERTIFICATE-----\n", -EBADMSG },
                { "-----BEGIN CERTIFICATE-----\nA===\n-----END CERTIFICATE-----\n", -EBADMSG },
        };
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                char text[SHA256_TEXT_SIZE] = "untouched";
                Err err = { 0 };
                assert_int_equal(pem_fingerprint(bad[i].text, strlen(bad[i].text), text, &err), bad[i].r);
                assert_string_equal(text, "untouched");
                assert_true(*err.text);
        }
        char text[SHA256_TEXT_SIZE];
        Err err = { 0 };
        assert_int_equal(pem_fingerprint_file("/nonexistent/file.pem", text, &err), -ENOENT);
        assert_non_null(strstr(err.text, "/nonexistent/file.pem"));
        assert_int_equal(pem_fingerprint_file("/dev/null", text, &err), -EINVAL);
        assert_int_equal(pem_fingerprint_file("/etc", text, &err), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sha256),
                cmocka_unit_test(test_sha256_long),
                cmocka_unit_test(test_pem),
                cmocka_unit_test(test_pem_bad),
        };
        return cmocka_run_group_tests_name("pem", tests, NULL, NULL);
}
