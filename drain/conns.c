/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/conns.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "drain/conns-msg.h"

/* The kernel fills at most 32 KiB in one receive of a dump, whatever is offered. */
#define RECV_BYTES (32u << 10)

/* Answers to one batch wait in the socket's receive buffer (212,992 bytes by default, each taking 1.3 KB). */
#define GET_BATCH 64

/* A dump is discarded and asked again this often before it counts as failed. */
#define DUMP_TRIES 5

/* Answers are made while we ask for them, so silence means that one was dropped. */
#define SILENCE_SEC 5

struct Conns {
        int fd;
        uint32_t seq;
        _Alignas(8) uint8_t buf[RECV_BYTES];
};

static int conns_open(Conns *c, Err *err)
{
        _cleanup_(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
                return err_errno(err, -errno, "cannot ask the kernel for its sockets (sock_diag)");

        /* Without it each "no such socket" repeats the request. Only saves bytes: it may be refused. */
        int one = 1;
        (void) setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
        struct timeval tv = { .tv_sec = SILENCE_SEC };
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
                return err_errno(err, -errno, "sock_diag: SO_RCVTIMEO");
        c->fd = TAKE_FD(fd);
        return 0;
}

int conns_new(Conns **ret, Err *err)
{
        _cleanup_(conns_freep) Conns *c = malloc(sizeof(*c));
        if (!c)
                return err_errno(err, -ENOMEM, "sock_diag");
        c->fd = -1;
        c->seq = 0;
        int r = conns_open(c, err);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

Conns *conns_free(Conns *c)
{
        if (c) {
                closep(&c->fd);
                free(c);
        }
        return NULL;
}

/*
 * After a failure answers may still be on their way, or a dump may still run (the kernel then refuses the
 * next one with EBUSY). A new socket has neither.
 */
static int conns_broken(Conns *c, int r)
{
        closep(&c->fd);
        c->fd = -1;
        return r;
}

static int conns_send(Conns *c, const void *buf, size_t len, Err *err)
{
        if (c->fd < 0) {
                int r = conns_open(c, err);
                if (r < 0)
                        return r;
        }

        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        ssize_t n;
        do
                n = sendto(c->fd, buf, len, 0, (const struct sockaddr *) &kernel, sizeof(kernel));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_errno(err, -errno, "sock_diag: send");
        return 0;
}

/* The next datagram. Others than the kernel may send to a netlink socket: theirs are dropped. */
static int conns_receive(Conns *c, size_t *ret_len, Err *err)
{
        for (;;) {
                struct sockaddr_nl from = { 0 };
                struct iovec iov = { .iov_base = c->buf, .iov_len = sizeof(c->buf) };
                struct msghdr m = {
                        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
                };
                ssize_t n = recvmsg(c->fd, &m, 0);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        if (errno == EAGAIN)
                                return err_set(err, -ETIMEDOUT, "sock_diag: no answer within %d s",
                                               SILENCE_SEC);
                        return err_errno(err, -errno, "sock_diag: receive");
                }
                if (from.nl_pid != 0)
                        continue;
                if (m.msg_flags & MSG_TRUNC)
                        return err_set(err, -EBADMSG, "sock_diag: an answer longer than %u bytes",
                                       RECV_BYTES);
                *ret_len = (size_t) n;
                return 0;
        }
}

/*
 * One attempt. Reads to the end even when @fn has said stop: as long as a dump runs, the kernel takes no
 * other request on the socket. @ret_again: interrupted, so what @fn was given may lack sockets.
 */
static int dump_once(Conns *c, const ConnsFilter *filter, ConnsFn fn, void *userdata, bool *ret_again,
                     Err *err)
{
        _Alignas(8) uint8_t request[CONNS_MSG_REQUEST_MAX];
        size_t len = conns_msg_dump(filter, ++c->seq, request, sizeof(request));
        if (len == 0)
                return err_set(err, -EINVAL, "sock_diag: no ports to look for, or too many");
        int r = conns_send(c, request, len, err);
        if (r < 0)
                return r;

        bool again = false;
        int stop = 0;
        for (;;) {
                r = conns_receive(c, &len, err);
                if (r < 0)
                        return conns_broken(c, r);

                const uint8_t *pos = c->buf;
                ConnsMsg m;
                ConnsMsgKind kind;
                while ((kind = conns_msg_next(&pos, &len, &m)) != CONNS_MSG_END) {
                        if (kind == CONNS_MSG_BAD)
                                return conns_broken(c, err_set(err, -EBADMSG,
                                                               "sock_diag: the answer to a dump is damaged"));
                        if (m.seq != c->seq)
                                continue;
                        again = again || m.interrupted;
                        if (kind == CONNS_MSG_SOCK && stop == 0)
                                stop = fn(&m.sock, userdata);
                        else if (m.error < 0)
                                return conns_broken(c, err_errno(err, m.error, "sock_diag: dump"));
                        else if (kind == CONNS_MSG_DONE) {
                                *ret_again = again;
                                return stop;
                        }
                }
        }
}

int conns_dump(Conns *c, const ConnsFilter *filter, ConnsFn fn, void *userdata, Err *err)
{
        if (!filter->every_port && filter->n_local + filter->n_peer == 0)
                return 0;

        for (int i = 0; i < DUMP_TRIES; i++) {
                bool again = false;
                int r = dump_once(c, filter, fn, userdata, &again, err);
                if (r < 0 || !again)
                        return r;
        }
        return err_set(err, -EAGAIN, "sock_diag: the kernel's socket table changed during each of %d dumps",
                       DUMP_TRIES);
}

/* @n <= GET_BATCH sockets. The sequence number of each request says which socket an answer is about. */
static int get_batch(Conns *c, const Sock *socks, size_t n, ConnsFn fn,
                     void (*gone)(uint64_t cookie, void *userdata), void *userdata, Err *err)
{
        _Alignas(8) uint8_t request[GET_BATCH * CONNS_MSG_GET_SIZE];
        bool answered[GET_BATCH] = { false };
        uint32_t first = c->seq + 1;

        for (size_t i = 0; i < n; i++)
                (void) conns_msg_get(&socks[i], ++c->seq, request + i * CONNS_MSG_GET_SIZE,
                                     CONNS_MSG_GET_SIZE);
        int r = conns_send(c, request, n * CONNS_MSG_GET_SIZE, err);
        if (r < 0)
                return r;

        int stop = 0;
        for (size_t left = n; left > 0;) {
                size_t len;
                r = conns_receive(c, &len, err);
                if (r < 0)
                        return conns_broken(c, r);

                const uint8_t *pos = c->buf;
                ConnsMsg m;
                ConnsMsgKind kind;
                while ((kind = conns_msg_next(&pos, &len, &m)) != CONNS_MSG_END) {
                        if (kind == CONNS_MSG_BAD)
                                return conns_broken(
                                        c, err_set(err, -EBADMSG,
                                                   "sock_diag: the answer about a socket is damaged"));
                        uint32_t i = m.seq - first;
                        if (i >= n || answered[i])
                                continue;
                        answered[i] = true;
                        left--;
                        if (stop < 0)
                                continue;
                        if (kind == CONNS_MSG_SOCK)
                                stop = fn(&m.sock, userdata);
                        else if (m.error == -ENOENT)
                                gone(socks[i].cookie, userdata);
                        else if (m.error < 0)
                                stop = err_errno(err, m.error, "sock_diag: one socket");
                }
        }
        return stop;
}

int conns_get(Conns *c, const Sock *socks, size_t n, ConnsFn fn,
              void (*gone)(uint64_t cookie, void *userdata), void *userdata, Err *err)
{
        for (size_t i = 0; i < n; i += GET_BATCH) {
                int r = get_batch(c, socks + i, MIN(n - i, (size_t) GET_BATCH), fn, gone, userdata, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
