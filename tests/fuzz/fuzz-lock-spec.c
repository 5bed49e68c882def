/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What names the servers of ZooKeeper; what getent says of their names; the file with the password. */

#include "agent/lock-spec.h"
#include "agent/zk.h"
#include "probes/lookup.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len;
        _cleanup_(freep) char *text = fuzz_text(&f, NULL), *output = fuzz_text(&f, NULL),
                              *auth = fuzz_text(&f, &len);
        LockSpec spec, again;
        char buf[16384], secret[ZK_AUTH_SIZE];
        Addr addrs[4];
        Err err = { 0 };

        if (lock_spec_parse(text, &spec, &err) == 0 && spec.kind == LOCK_ZOOKEEPER) {
                fuzz_check(spec.n > 0 && spec.n <= LOCK_SERVERS_MAX);
                (void) snprintf(buf, sizeof(buf), LOCK_SCHEME);
                (void) lock_spec_text(&spec, buf + strlen(buf), sizeof(buf) - strlen(buf));
                fuzz_check(lock_spec_parse(buf, &again, &err) == 0 && again.n == spec.n);
        } else if (err.code < 0)
                fuzz_check(*err.text && fuzz_is_ascii(err.text));
        fuzz_any(lock_spec_hosts(text, &spec, &err));
        fuzz_check(lookup_parse(output, addrs, ELEMENTS(addrs)) <= ELEMENTS(addrs));
        if (zk_auth_read(fuzz_file("auth", auth, len), secret, sizeof(secret), &err) < 0)
                fuzz_check(strlen(auth) < 16 || !strstr(err.text, auth));
}
