/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/deaths.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "drain/conns-msg.h"

#define RECV_BYTES   8192
#define BUFFER_BYTES (1 << 20) /* each death takes about 1 KB of it */

struct Deaths {
        int fd;
        _Alignas(8) uint8_t buf[RECV_BYTES];
};

int deaths_new(Deaths **ret, Err *err)
{
        const struct sockaddr_nl groups = {
                .nl_family = AF_NETLINK,
                .nl_groups = 1u << (SKNLGRP_INET_TCP_DESTROY - 1) | 1u << (SKNLGRP_INET6_TCP_DESTROY - 1),
        };
        const int bytes = BUFFER_BYTES;
        _cleanup_(deaths_freep) Deaths *d = malloc(sizeof(*d));

        if (!d)
                return err_errno(err, -ENOMEM, "sock_diag");
        d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        if (d->fd < 0)
                return err_errno(err, -errno, "cannot be told of sockets that die (sock_diag)");
        /* With less more are lost under load, which is told. */
        (void) setsockopt(d->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
        if (bind(d->fd, (const struct sockaddr *) &groups, sizeof(groups)) < 0)
                return err_errno(err, -errno, "cannot be told of sockets that die (sock_diag)");
        *ret = TAKE_PTR(d);
        return 0;
}

Deaths *deaths_free(Deaths *d)
{
        if (d) {
                closep(&d->fd);
                free(d);
        }
        return NULL;
}

int deaths_read(Deaths *d, ConnsFn fn, void *userdata)
{
        int r = 0;

        for (;;) {
                ssize_t n = recv(d->fd, d->buf, sizeof(d->buf), 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == ENOBUFS) {
                        r = -ENOBUFS; /* what did arrive is still there */
                        continue;
                }
                if (n < 0)
                        return errno == EAGAIN ? r : -errno;
                const uint8_t *pos = d->buf;
                size_t left = (size_t) n;
                ConnsMsg m;
                for (;;) {
                        ConnsMsgKind kind = conns_msg_next(&pos, &left, &m);
                        if (kind == CONNS_MSG_END || kind == CONNS_MSG_BAD)
                                break;
                        int k = kind == CONNS_MSG_SOCK ? fn(&m.sock, userdata) : 0;
                        if (k < 0)
                                return k;
                }
        }
}
