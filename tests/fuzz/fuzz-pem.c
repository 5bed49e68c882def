/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Certificates: from files that an administrator names, and from TLS handshakes with whoever listens. */

#include "agent/served.h"
#include "probes/pem.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len;
        _cleanup_(freep) uint8_t *pem = fuzz_part(&f, &len);
        _cleanup_(freep) char *word = fuzz_text(&f, NULL);
        char print[SHA256_TEXT_SIZE] = "";
        ServedWanted wanted;
        Err err = { 0 };

        if (pem_fingerprint((const char *) pem, len, print, &err) == 0)
                fuzz_check(strlen(print) == SHA256_TEXT_SIZE - 1);
        else
                fuzz_check(!*print && *err.text && fuzz_is_ascii(err.text));
        if (served_wanted(word, &wanted))
                fuzz_check(wanted.file >= word && wanted.file <= word + strlen(word));
}
