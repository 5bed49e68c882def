/* SPDX-License-Identifier: GPL-3.0-or-later */

/* drain/conns-msg.c: what is asked, and that no answer, however damaged, is read wrong or outside its bounds.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "drain/conns-msg.h"

#define CGROUP_ID 21

static uint32_t seed = 1;
static uint32_t rnd(uint32_t below)
{
        seed = seed * 1664525u + 1013904223u;
        return (uint32_t) ((uint64_t) (seed >> 1) * below >> 31);
}

/* net/ipv4/inet_diag.c: inet_diag_bc_run(), for the four operations used. Also checks what its audit does. */
static bool run_bytecode(const struct inet_diag_bc_op *op, int len, uint16_t sport, uint16_t dport)
{
        while (len > 0) {
                bool yes = true;
                switch (op->code) {
                case INET_DIAG_BC_JMP:
                        yes = false;
                        break;
                case INET_DIAG_BC_S_GE:
                        yes = sport >= op[1].no;
                        break;
                case INET_DIAG_BC_S_LE:
                        yes = sport <= op[1].no;
                        break;
                case INET_DIAG_BC_D_GE:
                        yes = dport >= op[1].no;
                        break;
                case INET_DIAG_BC_D_LE:
                        yes = dport <= op[1].no;
                        break;
                default:
                        fail_msg("operation %u", op->code);
                }
                int step = yes ? op->yes : op->no;
                assert_true(step >= 4 && step % 4 == 0 && step <= len + 4);
                len -= step;
                op += step / 4;
        }
        return len == 0;
}

static bool matches(const ConnsFilter *f, uint16_t sport, uint16_t dport)
{
        _Alignas(8) uint8_t buf[CONNS_MSG_REQUEST_MAX];
        size_t len = conns_msg_dump(f, 77, buf, sizeof(buf));
        const struct nlmsghdr *h = (const void *) buf;
        assert_int_equal(len, h->nlmsg_len);
        assert_int_equal(h->nlmsg_type, TCPDIAG_GETSOCK);
        assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
        assert_int_equal(h->nlmsg_seq, 77);
        const struct inet_diag_req *req = (const void *) (buf + NLMSG_HDRLEN);
        assert_int_equal(req->idiag_states, f->states);
        assert_int_equal(req->idiag_ext, 1 << (INET_DIAG_INFO - 1));
        if (req->id.idiag_sport) {
                assert_int_equal(len, NLMSG_LENGTH(sizeof(*req)));
                return ntohs(req->id.idiag_sport) == sport;
        }
        const struct nlattr *a = (const void *) (buf + NLMSG_LENGTH(sizeof(*req)));
        assert_int_equal(a->nla_type, INET_DIAG_REQ_BYTECODE);
        assert_int_equal(NLMSG_LENGTH(sizeof(*req)) + a->nla_len, len);
        return run_bytecode((const void *) (a + 1), a->nla_len - NLA_HDRLEN, sport, dport);
}

static void filters_match_their_ports_and_no_others(void **state)
{
        (void) state;
        for (unsigned run = 0; run < 300; run++) {
                ConnsFilter f = { .states = CONNS_LIVE, .n_local = rnd(5), .n_peer = rnd(5) };
                if (run == 0)
                        f.n_local = f.n_peer = CONNS_PORTS_MAX;
                if (run == 1)
                        f.n_local = 1, f.n_peer = 0;
                if (f.n_local + f.n_peer == 0)
                        continue;
                for (size_t i = 0; i < f.n_local; i++)
                        f.local_ports[i] = (uint16_t) (1 + rnd(65535));
                for (size_t i = 0; i < f.n_peer; i++)
                        f.peer_ports[i] = (uint16_t) (1 + rnd(65535));
                for (unsigned k = 0; k < 200; k++) {
                        uint16_t s = (uint16_t) (1 + rnd(65535)), d = (uint16_t) (1 + rnd(65535));
                        bool want = false;
                        if (rnd(3) == 0 && f.n_local)
                                s = (uint16_t) (f.local_ports[rnd((uint32_t) f.n_local)] + rnd(3) - 1);
                        if (rnd(3) == 0 && f.n_peer)
                                d = (uint16_t) (f.peer_ports[rnd((uint32_t) f.n_peer)] + rnd(3) - 1);
                        for (size_t i = 0; i < f.n_local; i++)
                                want = want || s == f.local_ports[i];
                        for (size_t i = 0; i < f.n_peer; i++)
                                want = want || d == f.peer_ports[i];
                        assert_int_equal(matches(&f, s, d), want);
                }
        }
        _Alignas(8) uint8_t buf[CONNS_MSG_REQUEST_MAX];
        ConnsFilter none = { .states = CONNS_LIVE }, many = { .n_local = CONNS_PORTS_MAX + 1 };
        ConnsFilter one = { .local_ports = { 80 }, .n_local = 1 };
        assert_int_equal(conns_msg_dump(&none, 1, buf, sizeof(buf)), 0);
        assert_int_equal(conns_msg_dump(&many, 1, buf, sizeof(buf)), 0);
        assert_int_equal(conns_msg_dump(&one, 1, buf, sizeof(buf) - 1), 0);
}

static Addr address(const char *text)
{
        Addr a;
        assert_true(addr_parse(text, &a));
        return a;
}

static void a_get_names_its_socket(void **state)
{
        (void) state;
        static const struct {
                uint8_t family;
                const char *addr;
                uint32_t words[4];
        } cases[] = {
                { AF_INET, "10.1.2.3", { 0x0a010203, 0, 0, 0 } },
                { AF_INET6, "10.1.2.3", { 0, 0, 0xffff, 0x0a010203 } },
                { AF_INET6, "fe80::5", { 0xfe800000, 0, 0, 5 } },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _Alignas(8) uint8_t buf[CONNS_MSG_GET_SIZE];
                Sock s = { .local = address(cases[i].addr),
                           .peer = address(cases[i].addr),
                           .local_port = 80,
                           .peer_port = 4000,
                           .kernel_family = cases[i].family,
                           .ifindex = 3,
                           .cookie = UINT64_C(0x1122334455667788) };
                assert_int_equal(conns_msg_get(&s, 9, buf, sizeof(buf)), sizeof(buf));
                const struct nlmsghdr *h = (const void *) buf;
                const struct inet_diag_req_v2 *req = (const void *) (buf + NLMSG_HDRLEN);
                assert_int_equal(h->nlmsg_len, sizeof(buf));
                assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST);
                assert_int_equal(req->sdiag_family, cases[i].family);
                assert_int_equal(req->sdiag_protocol, IPPROTO_TCP);
                for (size_t k = 0; k < 4; k++) {
                        assert_int_equal(ntohl(req->id.idiag_src[k]), cases[i].words[k]);
                        assert_int_equal(ntohl(req->id.idiag_dst[k]), cases[i].words[k]);
                }
                assert_int_equal(ntohs(req->id.idiag_sport), 80);
                assert_int_equal(ntohs(req->id.idiag_dport), 4000);
                assert_int_equal(req->id.idiag_if, 3);
                assert_int_equal(req->id.idiag_cookie[0], 0x55667788);
                assert_int_equal(req->id.idiag_cookie[1], 0x11223344);
                assert_int_equal(conns_msg_get(&s, 9, buf, sizeof(buf) - 1), 0);
        }
}

typedef struct Bytes {
        _Alignas(8) uint8_t b[8192];
        size_t n;
} Bytes;

static void put_header(Bytes *out, uint16_t type, uint16_t flags, uint32_t seq, size_t len)
{
        struct nlmsghdr h = { .nlmsg_len = (uint32_t) (NLMSG_HDRLEN + len),
                              .nlmsg_type = type,
                              .nlmsg_flags = flags,
                              .nlmsg_seq = seq };
        memcpy(out->b + out->n, &h, sizeof(h));
        out->n += NLMSG_HDRLEN;
}

static size_t put_attr(uint8_t *to, uint16_t type, const void *value, size_t len)
{
        struct nlattr a = { .nla_type = type, .nla_len = (uint16_t) (NLA_HDRLEN + len) };
        memcpy(to, &a, sizeof(a));
        memcpy(to + NLA_HDRLEN, value, len);
        return NLA_ALIGN(NLA_HDRLEN + len);
}

static struct tcp_info full_info(void)
{
        struct tcp_info i;
        memset(&i, 0xa5, sizeof(i));
        i.tcpi_last_data_sent = 11;
        i.tcpi_last_data_recv = 12;
        i.tcpi_last_ack_recv = 13;
        i.tcpi_unacked = 14;
        i.tcpi_rtt = 15;
        i.tcpi_bytes_acked = UINT64_C(1) << 40;
        i.tcpi_bytes_received = UINT64_C(1) << 41;
        i.tcpi_notsent_bytes = 16;
        i.tcpi_data_segs_in = 17;
        i.tcpi_data_segs_out = 18;
        return i;
}

/* One socket: tcp_info of @info_len bytes (-1: none), the cgroup id before or behind it, or none (0). */
static void put_sock(Bytes *out, uint8_t family, int info_len, int cgroup_at)
{
        uint8_t attrs[1024] = { 0 };
        size_t n = 0;
        uint64_t cgroup = 4711;
        struct tcp_info info = full_info();
        uint8_t padded[400];
        memset(padded, 0xff, sizeof(padded));
        memcpy(padded, &info, sizeof(info));
        uint8_t shutdown = 3;

        n += put_attr(attrs + n, INET_DIAG_SHUTDOWN, &shutdown, 1);
        if (cgroup_at < 0)
                n += put_attr(attrs + n, CGROUP_ID, &cgroup, sizeof(cgroup));
        n += put_attr(attrs + n, 999, padded, 7);
        if (info_len >= 0)
                n += put_attr(attrs + n, INET_DIAG_INFO, padded, (size_t) info_len);
        if (cgroup_at > 0)
                n += put_attr(attrs + n, CGROUP_ID | 1 << 15, &cgroup, sizeof(cgroup));

        struct inet_diag_msg m = {
                .idiag_family = family,
                .idiag_state = 1,
                .id = { .idiag_sport = htons(9001),
                        .idiag_dport = htons(40000),
                        .idiag_if = 2,
                        .idiag_cookie = { 7, 1 } },
                .idiag_rqueue = 21,
                .idiag_wqueue = 22,
                .idiag_uid = 23,
                .idiag_inode = 24,
        };
        if (family == AF_INET6) {
                m.id.idiag_src[2] = m.id.idiag_dst[2] = htonl(0xffff);
                m.id.idiag_src[3] = htonl(0x0a000001);
                m.id.idiag_dst[3] = htonl(0x0a000002);
        } else {
                m.id.idiag_src[0] = htonl(0x0a000001);
                m.id.idiag_dst[0] = htonl(0x0a000002);
        }
        put_header(out, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, 5, sizeof(m) + n);
        memcpy(out->b + out->n, &m, sizeof(m));
        memcpy(out->b + out->n + sizeof(m), attrs, n);
        out->n += sizeof(m) + n;
}

static void each_field_is_found(void **state)
{
        (void) state;
        for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0)
                for (int cgroup_at = -1; cgroup_at <= 1; cgroup_at++) {
                        Bytes in = { .n = 0 };
                        ConnsMsg m;
                        put_sock(&in, (uint8_t) family, sizeof(struct tcp_info), cgroup_at);
                        put_sock(&in, (uint8_t) family, 400, cgroup_at); /* a newer kernel */
                        for (int i = 0; i < 2; i++) {
                                const uint8_t *pos = in.b;
                                size_t left = in.n;
                                for (int k = 0; k <= i; k++)
                                        assert_int_equal(conns_msg_next(&pos, &left, &m), CONNS_MSG_SOCK);
                                const Sock *s = &m.sock;
                                Addr a = address("10.0.0.1"), b = address("10.0.0.2");
                                assert_true(addr_equal(&s->local, &a));
                                assert_true(addr_equal(&s->peer, &b));
                                assert_int_equal(s->kernel_family, family);
                                assert_int_equal(s->local_port, 9001);
                                assert_int_equal(s->peer_port, 40000);
                                assert_int_equal(s->state, 1);
                                assert_int_equal(s->ifindex, 2);
                                assert_int_equal(s->cookie, UINT64_C(1) << 32 | 7);
                                assert_int_equal(s->cgroup_id, cgroup_at ? 4711 : 0);
                                assert_int_equal(s->inode, 24);
                                assert_int_equal(s->uid, 23);
                                assert_int_equal(s->rqueue, 21);
                                assert_int_equal(s->wqueue, 22);
                                assert_true(s->has_info);
                                assert_int_equal(s->last_data_sent_ms, 11);
                                assert_int_equal(s->last_data_recv_ms, 12);
                                assert_int_equal(s->last_ack_recv_ms, 13);
                                assert_int_equal(s->unacked, 14);
                                assert_int_equal(s->rtt_usec, 15);
                                assert_int_equal(s->notsent_bytes, 16);
                                assert_int_equal(s->data_segs_in, 17);
                                assert_int_equal(s->data_segs_out, 18);
                                assert_int_equal(s->bytes_acked, UINT64_C(1) << 40);
                                assert_int_equal(s->bytes_received, UINT64_C(1) << 41);
                                assert_int_equal(m.seq, 5);
                        }
                }
}

/* Every length of tcp_info: a field is either right or 0. */
static void older_kernels_tell_less(void **state)
{
        (void) state;
        for (int len = -1; len <= (int) sizeof(struct tcp_info); len++) {
                Bytes in = { .n = 0 };
                ConnsMsg m;
                put_sock(&in, AF_INET, len, 1);
                const uint8_t *pos = in.b;
                size_t left = in.n;
                assert_int_equal(conns_msg_next(&pos, &left, &m), CONNS_MSG_SOCK);
                assert_int_equal(m.sock.cgroup_id, 4711);
                assert_int_equal(m.sock.has_info, len >= (int) offsetof(struct tcp_info, tcpi_pmtu));
                assert_int_equal(m.sock.last_data_recv_ms, m.sock.has_info ? 12 : 0);
                assert_true(m.sock.bytes_received == 0 || m.sock.bytes_received == UINT64_C(1) << 41);
                assert_int_equal(m.sock.data_segs_out != 0,
                                 len >= (int) (offsetof(struct tcp_info, tcpi_data_segs_out) + 4));
        }
}

static void ends_and_errors(void **state)
{
        (void) state;
        static const struct {
                uint16_t type, flags;
                int value;
                size_t len;
                ConnsMsgKind kind;
                int error;
                bool interrupted;
        } cases[] = {
                { NLMSG_DONE, 0, 0, 4, CONNS_MSG_DONE, 0, false },
                { NLMSG_DONE, NLM_F_DUMP_INTR, 0, 4, CONNS_MSG_DONE, 0, true },
                { NLMSG_DONE, 0, -EINVAL, 4, CONNS_MSG_DONE, -EINVAL, false },
                { NLMSG_DONE, 0, 0, 0, CONNS_MSG_DONE, 0, false },
                { NLMSG_ERROR, 0, -ENOENT, 4, CONNS_MSG_ERROR, -ENOENT, false },
                { NLMSG_ERROR, 0, 0, 4, CONNS_MSG_ERROR, 0, false },
                { NLMSG_ERROR, 0, 5, 4, CONNS_MSG_ERROR, -5, false },
                { NLMSG_ERROR, 0, 0, 3, CONNS_MSG_BAD, 0, false },
                { NLMSG_OVERRUN, 0, 0, 0, CONNS_MSG_ERROR, -ENOBUFS, false },
                { NLMSG_NOOP, 0, 0, 0, CONNS_MSG_OTHER, 0, false },
                { 1234, 0, 0, 4, CONNS_MSG_OTHER, 0, false },
                { SOCK_DIAG_BY_FAMILY, 0, 0, 4, CONNS_MSG_OTHER, 0, false },
        };
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Bytes in = { .n = 0 };
                ConnsMsg m = { .error = 99 };
                put_header(&in, cases[i].type, cases[i].flags, 3, cases[i].len);
                memcpy(in.b + in.n, &cases[i].value, 4);
                in.n += cases[i].len;
                const uint8_t *pos = in.b;
                size_t left = in.n;
                assert_int_equal(conns_msg_next(&pos, &left, &m), cases[i].kind);
                if (cases[i].kind == CONNS_MSG_BAD)
                        continue;
                assert_int_equal(m.error, cases[i].error);
                assert_int_equal(m.interrupted, cases[i].interrupted);
                assert_int_equal(conns_msg_next(&pos, &left, &m), CONNS_MSG_END);
        }
}

/* Read all of it, from memory of exactly that size (ASan watches). Return: sockets. */
static unsigned read_all(const uint8_t *bytes, size_t n)
{
        uint8_t *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, n);
        const uint8_t *pos = copy;
        size_t left = n;
        unsigned socks = 0;
        ConnsMsg m;
        for (;;) {
                size_t before = left;
                ConnsMsgKind kind = conns_msg_next(&pos, &left, &m);
                if (kind == CONNS_MSG_END || kind == CONNS_MSG_BAD)
                        break;
                assert_true(left < before);
                assert_true(pos == copy + (n - left));
                if (kind == CONNS_MSG_SOCK) {
                        socks++;
                        assert_true(m.sock.local.family == AF_INET || m.sock.local.family == AF_INET6);
                }
        }
        free(copy);
        return socks;
}

static void damage_is_survived(void **state)
{
        (void) state;
        Bytes good = { .n = 0 };
        for (int i = 0; i < 8; i++)
                put_sock(&good, i % 2 ? AF_INET : AF_INET6, 232, i % 3 - 1);
        put_header(&good, NLMSG_DONE, 0, 5, 4);
        memset(good.b + good.n, 0, 4);
        good.n += 4;
        assert_int_equal(read_all(good.b, good.n), 8);

        for (size_t n = 0; n < good.n; n++)
                assert_true(read_all(good.b, n) <= 8);

        seed = 7;
        for (unsigned run = 0; run < 30000; run++) {
                Bytes bad = good;
                for (unsigned k = rnd(6); k-- > 0;)
                        bad.b[rnd((uint32_t) bad.n)] = (uint8_t) (rnd(3) ? rnd(256) : rnd(2) * 255);
                if (rnd(3) == 0) { /* where it hurts: lengths */
                        uint16_t len = (uint16_t) (rnd(2) ? rnd(20) : rnd(65536));
                        memcpy(bad.b + rnd((uint32_t) bad.n / 4) * 4, &len, 2);
                }
                (void) read_all(bad.b, rnd(4) ? bad.n : rnd((uint32_t) bad.n));
        }
        for (unsigned run = 0; run < 2000; run++) {
                Bytes noise;
                noise.n = rnd(600);
                for (size_t i = 0; i < noise.n; i++)
                        noise.b[i] = (uint8_t) rnd(256);
                (void) read_all(noise.b, noise.n);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(filters_match_their_ports_and_no_others),
                cmocka_unit_test(a_get_names_its_socket),
                cmocka_unit_test(each_field_is_found),
                cmocka_unit_test(older_kernels_tell_less),
                cmocka_unit_test(ends_and_errors),
                cmocka_unit_test(damage_is_survived),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
