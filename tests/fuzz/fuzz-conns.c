/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Answers of NETLINK_SOCK_DIAG, as a receive buffer; and what is made of the sockets in them. */

#include "agent/kept-conns.h"
#include "drain/conns-msg.h"
#include "drain/fate.h"
#include "drain/inflight.h"
#include "tests/fuzz/fuzz.h"

static const InflightConfig config = {
        .traffic_ports = { 443 },
        .n_traffic = 1,
        .upstream_ports = { 8998 },
        .n_upstream = 1,
        .quiet_usec = USEC_PER_SEC,
        .request_limit_usec = 57 * USEC_PER_SEC,
};

static void look(Inflight *inflight, Usec now, bool full, const uint8_t *bytes, size_t n)
{
        const uint8_t *pos = bytes;
        InflightSummary summary;
        ConnsMsgKind kind;
        ConnsMsg m;
        Usec wait;
        const char *why;

        inflight_begin(inflight, now, full, 1);
        while ((kind = conns_msg_next(&pos, &n, &m)) != CONNS_MSG_END && kind != CONNS_MSG_BAD)
                if (kind == CONNS_MSG_SOCK) {
                        _Alignas(8) uint8_t request[CONNS_MSG_GET_SIZE];
                        fuzz_check(conns_msg_get(&m.sock, 1, request, sizeof(request)) == sizeof(request));
                        (void) inflight_feed(&m.sock, inflight);
                }
        inflight_end(inflight, &summary);
        fuzz_check(summary.n_stragglers <= INFLIGHT_STRAGGLERS);
        (void) inflight_drained(inflight, now, false, &wait);
        (void) inflight_gate(inflight, &why);
}

void fuzz_one(const uint8_t *data, size_t size)
{
        _cleanup_(inflight_freep) Inflight *inflight = NULL;
        _cleanup_(kept_conns_freep) KeptConns *kept = NULL;
        /* As recv() delivers it: aligned, and exactly so long. */
        _cleanup_(freep) uint8_t *bytes = malloc(size > 0 ? size : 1);
        const uint8_t *pos = bytes;
        size_t left = size;
        ConnsMsgKind kind;
        ConnsMsg m;

        if (!bytes)
                return;
        memcpy(bytes, data, size);
        pos = bytes;
        if (inflight_new(&inflight, &config, NULL) < 0 || kept_conns_new(&kept) < 0)
                return;
        look(inflight, USEC_PER_SEC, true, bytes, size);
        inflight_mark(inflight, 2 * USEC_PER_SEC);
        look(inflight, 3 * USEC_PER_SEC, true, bytes, size / 2);
        look(inflight, 4 * USEC_PER_SEC, false, bytes, size);
        kept_conns_begin(kept, USEC_PER_SEC);
        while ((kind = conns_msg_next(&pos, &left, &m)) != CONNS_MSG_END && kind != CONNS_MSG_BAD)
                if (kind == CONNS_MSG_SOCK)
                        (void) kept_conns_feed(&m.sock, kept);
        kept_conns_end(kept);
}
