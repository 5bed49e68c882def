/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Edge's properties files, and nginx's. */

#include <sys/stat.h>

#include "agent/leave.h"
#include "agent/lock-spec.h"
#include "agent/properties.h"
#include "tests/fuzz/fuzz.h"

void fuzz_one(const uint8_t *data, size_t size)
{
        Fuzz f = { data, size };
        size_t len, more_len, nginx_len;
        _cleanup_(freep) uint8_t *text = fuzz_part(&f, &len), *more = fuzz_part(&f, &more_len),
                                 *nginx = fuzz_part(&f, &nginx_len);
        _cleanup_(properties_freep) Properties *p = NULL;
        Usec usec;
        bool tls;
        LockSpec spec;
        RetrySet retry;
        Err err = { 0 };

        if (properties_new(&p, &err) < 0)
                return;
        if (properties_parse(p, (const char *) text, len, "a.properties", &err) == 0 &&
            properties_parse(p, (const char *) more, more_len, "b.properties", &err) == 0) {
                const char *value =
                        properties_get(p, "load_balancing", "load.balancing.driver.nginx.server.retry");
                if (properties_router_timeout(p, &usec, &err) < 0 ||
                    properties_mp_timeout(p, &usec, &err) < 0 || properties_mp_tls(p, &tls, &err) < 0)
                        fuzz_check(*err.text && fuzz_is_ascii(err.text));
                leave_retry_parse(value, "a fuzzer", &retry);
                value = properties_get(p, "zookeeper", "zk.hosts");
                if (value && lock_spec_hosts(value, &spec, &err) == 0)
                        fuzz_check(spec.n > 0 && spec.n <= LOCK_SERVERS_MAX);
        }
        (void) fuzz_file("nginx.conf", nginx, nginx_len);
        fuzz_any(properties_nginx_timeout(fuzz_dir(), &usec, &err));
}
