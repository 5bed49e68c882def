/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/conns-msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* In linux/inet_diag.h since 5.7: the headers of older build machines do not have it. */
#define ATTR_CGROUP_ID 21

/* Far enough ahead for memory to answer, near enough to be in the same receive mostly. */
#define SOON_MESSAGES 6

#define EXT_INFO (1u << (INET_DIAG_INFO - 1))

/* One port in the filter: GE, its operand, LE, its operand, JMP. */
#define PORT_OPS 5

_Static_assert(CONNS_MSG_GET_SIZE == NLMSG_LENGTH(sizeof(struct inet_diag_req_v2)), "size of a get");
_Static_assert(CONNS_MSG_REQUEST_MAX >=
                       NLMSG_LENGTH(sizeof(struct inet_diag_req)) + NLA_HDRLEN +
                               (size_t) 2 * CONNS_PORTS_MAX * PORT_OPS * sizeof(struct inet_diag_bc_op),
               "size of a dump request");

/*
 * Each port is "GE port, else next; LE port, else next; jump to the end". The end is acceptance, four bytes
 * behind it is rejection, which the last port's "next" points at because it has no jump of its own.
 */
static size_t bytecode(const ConnsFilter *filter, struct inet_diag_bc_op *op)
{
        size_t n = filter->n_local + filter->n_peer;
        size_t total = n * PORT_OPS - 1;

        for (size_t i = 0; i < n; i++) {
                bool peer = i >= filter->n_local;
                uint16_t port = peer ? filter->peer_ports[i - filter->n_local] : filter->local_ports[i];
                struct inet_diag_bc_op *o = op + i * PORT_OPS;

                o[0] = (struct inet_diag_bc_op){
                        .code = peer ? INET_DIAG_BC_D_GE : INET_DIAG_BC_S_GE,
                        .yes = 2 * sizeof(*o),
                        .no = PORT_OPS * sizeof(*o),
                };
                o[1] = (struct inet_diag_bc_op){ .no = port };
                o[2] = (struct inet_diag_bc_op){
                        .code = peer ? INET_DIAG_BC_D_LE : INET_DIAG_BC_S_LE,
                        .yes = 2 * sizeof(*o),
                        .no = (PORT_OPS - 2) * sizeof(*o),
                };
                o[3] = (struct inet_diag_bc_op){ .no = port };
                if (i + 1 < n)
                        o[4] = (struct inet_diag_bc_op){
                                .code = INET_DIAG_BC_JMP,
                                .yes = sizeof(*o),
                                .no = (uint16_t) ((total - i * PORT_OPS - 4) * sizeof(*o)),
                        };
        }
        return total * sizeof(*op);
}

size_t conns_msg_dump(const ConnsFilter *filter, uint32_t seq, void *buf, size_t size)
{
        if (filter->n_local > CONNS_PORTS_MAX || filter->n_peer > CONNS_PORTS_MAX ||
            (!filter->every_port && filter->n_local + filter->n_peer == 0) || size < CONNS_MSG_REQUEST_MAX)
                return 0;

        struct nlmsghdr *h = buf;
        struct inet_diag_req *req = NLMSG_DATA(h);
        memset(buf, 0, NLMSG_LENGTH(sizeof(*req)));
        *h = (struct nlmsghdr){
                .nlmsg_len = NLMSG_LENGTH(sizeof(*req)),
                .nlmsg_type = TCPDIAG_GETSOCK,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                .nlmsg_seq = seq,
        };
        req->idiag_ext = EXT_INFO;
        req->idiag_states = filter->states;

        if (filter->every_port)
                return h->nlmsg_len;
        if (filter->n_local == 1 && filter->n_peer == 0) {
                req->id.idiag_sport = htons(filter->local_ports[0]);
                return h->nlmsg_len;
        }

        struct nlattr *a = (struct nlattr *) (void *) ((uint8_t *) buf + h->nlmsg_len);
        size_t len = bytecode(filter, (struct inet_diag_bc_op *) (void *) ((uint8_t *) a + NLA_HDRLEN));
        a->nla_type = INET_DIAG_REQ_BYTECODE;
        a->nla_len = (uint16_t) (NLA_HDRLEN + len);
        h->nlmsg_len += NLA_ALIGN(a->nla_len);
        return h->nlmsg_len;
}

/* An address as the socket's own family writes it: IPv4 on an IPv6 socket is mapped. */
static void put_addr(const Addr *a, uint8_t kernel_family, __be32 out[4])
{
        if (a->family == AF_INET && kernel_family == AF_INET6) {
                out[2] = htonl(0xffff);
                memcpy(&out[3], a->b, 4);
        } else
                memcpy(out, a->b, a->family == AF_INET6 ? 16 : 4);
}

size_t conns_msg_get(const Sock *s, uint32_t seq, void *buf, size_t size)
{
        if (size < CONNS_MSG_GET_SIZE)
                return 0;

        struct nlmsghdr *h = buf;
        struct inet_diag_req_v2 *req = NLMSG_DATA(h);
        memset(buf, 0, CONNS_MSG_GET_SIZE);
        *h = (struct nlmsghdr){
                .nlmsg_len = CONNS_MSG_GET_SIZE,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST,
                .nlmsg_seq = seq,
        };
        req->sdiag_family = s->kernel_family;
        req->sdiag_protocol = IPPROTO_TCP;
        req->idiag_ext = EXT_INFO;
        req->idiag_states = ~0u;
        req->id.idiag_sport = htons(s->local_port);
        req->id.idiag_dport = htons(s->peer_port);
        put_addr(&s->local, s->kernel_family, req->id.idiag_src);
        put_addr(&s->peer, s->kernel_family, req->id.idiag_dst);
        req->id.idiag_if = s->ifindex;
        req->id.idiag_cookie[0] = (uint32_t) s->cookie;
        req->id.idiag_cookie[1] = (uint32_t) (s->cookie >> 32);
        return CONNS_MSG_GET_SIZE;
}

/* A field of tcp_info, if the kernel's is long enough to have it. Attributes are only 4-byte aligned. */
#define INFO(dst, field)                                                                   \
        do {                                                                               \
                if (len >= offsetof(struct tcp_info, field) + sizeof(dst))                 \
                        memcpy(&(dst), p + offsetof(struct tcp_info, field), sizeof(dst)); \
        } while (0)

static void take_info(Sock *s, const uint8_t *p, size_t len)
{
        s->has_info = len >= offsetof(struct tcp_info, tcpi_pmtu);
        if (!s->has_info)
                return;
        INFO(s->last_data_sent_ms, tcpi_last_data_sent);
        INFO(s->last_data_recv_ms, tcpi_last_data_recv);
        INFO(s->last_ack_recv_ms, tcpi_last_ack_recv);
        INFO(s->unacked, tcpi_unacked);
        INFO(s->rtt_usec, tcpi_rtt);
        INFO(s->bytes_acked, tcpi_bytes_acked);
        INFO(s->bytes_received, tcpi_bytes_received);
        INFO(s->notsent_bytes, tcpi_notsent_bytes);
        INFO(s->data_segs_in, tcpi_data_segs_in);
        INFO(s->data_segs_out, tcpi_data_segs_out);
}

/* The same as addr_from(), in place: this runs for each of 100,000 sockets. */
static void take_addr(Addr *a, uint8_t family, const __be32 be[4])
{
        if (family == AF_INET) {
                a->family = AF_INET;
                memcpy(a->b, be, 4);
        } else
                *a = addr_from(AF_INET6, be);
}

static bool take_sock(const uint8_t *p, size_t len, Sock *s)
{
        struct inet_diag_msg m;
        if (len < sizeof(m))
                return false;
        memcpy(&m, p, sizeof(m));
        if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
                return false;

        *s = (Sock){
                .local_port = ntohs(m.id.idiag_sport),
                .peer_port = ntohs(m.id.idiag_dport),
                .kernel_family = m.idiag_family,
                .state = m.idiag_state,
                .ifindex = m.id.idiag_if,
                .cookie = m.id.idiag_cookie[0] | (uint64_t) m.id.idiag_cookie[1] << 32,
                .inode = m.idiag_inode,
                .uid = m.idiag_uid,
                .rqueue = m.idiag_rqueue,
                .wqueue = m.idiag_wqueue,
        };
        take_addr(&s->local, m.idiag_family, m.id.idiag_src);
        take_addr(&s->peer, m.idiag_family, m.id.idiag_dst);

        p += sizeof(m);
        len -= sizeof(m);
        while (len >= NLA_HDRLEN) {
                struct nlattr a;
                memcpy(&a, p, sizeof(a));
                if (a.nla_len < NLA_HDRLEN || a.nla_len > len)
                        break;

                const uint8_t *value = p + NLA_HDRLEN;
                size_t value_len = (size_t) a.nla_len - NLA_HDRLEN;
                int type = a.nla_type & NLA_TYPE_MASK;
                if (type == INET_DIAG_INFO)
                        take_info(s, value, value_len);
                else if (type == ATTR_CGROUP_ID && value_len >= sizeof(s->cgroup_id))
                        memcpy(&s->cgroup_id, value, sizeof(s->cgroup_id));

                size_t step = NLA_ALIGN(a.nla_len);
                if (step >= len)
                        break;
                p += step;
                len -= step;
        }
        return true;
}

/*
 * The messages of a dump are mostly of one length, so the cookie a few messages on is where it would be if
 * all were. When they are not, it is some other number, and its reader has prefetched in vain.
 */
static uint64_t guess_soon(const uint8_t *msg, size_t len, size_t left)
{
        size_t at = SOON_MESSAGES * len + NLMSG_HDRLEN + offsetof(struct inet_diag_msg, id.idiag_cookie);
        uint64_t cookie = 0;
        if (at + sizeof(cookie) <= left)
                memcpy(&cookie, msg + at, sizeof(cookie));
        return cookie;
}

ConnsMsgKind conns_msg_next(const uint8_t **pos, size_t *left, ConnsMsg *ret)
{
        struct nlmsghdr h;
        if (*left == 0)
                return CONNS_MSG_END;
        if (*left < sizeof(h))
                return CONNS_MSG_BAD;
        memcpy(&h, *pos, sizeof(h));
        if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > *left)
                return CONNS_MSG_BAD;

        const uint8_t *p = *pos + NLMSG_HDRLEN;
        size_t len = h.nlmsg_len - NLMSG_HDRLEN;
        size_t step = NLMSG_ALIGN((size_t) h.nlmsg_len);
        step = MIN(step, *left);
        uint64_t soon = guess_soon(*pos, step, *left);
        *pos += step;
        *left -= step;

        ret->seq = h.nlmsg_seq;
        ret->interrupted = h.nlmsg_flags & NLM_F_DUMP_INTR;
        ret->error = 0;

        switch (h.nlmsg_type) {
        case NLMSG_DONE:
        case NLMSG_ERROR:
                /* Old kernels end a dump without a number. An error message has always had one. */
                if (len >= sizeof(int)) {
                        memcpy(&ret->error, p, sizeof(int));
                        if (ret->error > 0)
                                ret->error = -ret->error;
                } else if (h.nlmsg_type == NLMSG_ERROR)
                        return CONNS_MSG_BAD;
                return h.nlmsg_type == NLMSG_DONE ? CONNS_MSG_DONE : CONNS_MSG_ERROR;
        case NLMSG_OVERRUN:
                ret->error = -ENOBUFS;
                return CONNS_MSG_ERROR;
        case TCPDIAG_GETSOCK:
        case SOCK_DIAG_BY_FAMILY:
                if (!take_sock(p, len, &ret->sock))
                        return CONNS_MSG_OTHER;
                ret->sock.soon = soon;
                return CONNS_MSG_SOCK;
        default:
                return CONNS_MSG_OTHER;
        }
}
