/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "drain/block-watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "drain/nft-parse.h"

#define READ_BYTES 32768
#define READ_AT_ONCE \
        64 /* messages from the kernel in one go; a large change of somebody else has thousands */

struct BlockWatch {
        int fd;
        const char *table;
        uint32_t port;
        bool pending; /* our table was touched in a change whose end has not been read yet */
        _Alignas(struct nlmsghdr) uint8_t buf[READ_BYTES];
};

int block_watch_new(BlockWatch **ret, const char *table, uint32_t port, Err *err)
{
        struct sockaddr_nl self = { .nl_family = AF_NETLINK };
        const int group = NFNLGRP_NFTABLES;
        _cleanup_(block_watch_freep) BlockWatch *w = calloc(1, sizeof(*w));

        if (!w)
                return err_errno(err, -ENOMEM, "cannot listen to changes of the firewall");
        w->table = table;
        w->port = port;
        w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
        if (w->fd < 0 || bind(w->fd, (const struct sockaddr *) &self, sizeof(self)) < 0 ||
            setsockopt(w->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
                return err_errno(err, -errno, "cannot listen to changes of the firewall");
        *ret = TAKE_PTR(w);
        return 0;
}

BlockWatch *block_watch_free(BlockWatch *w)
{
        if (w)
                closep(&w->fd);
        free(w);
        return NULL;
}

int block_watch_fd(const BlockWatch *w)
{
        return w->fd;
}

static void take(BlockWatch *w, const struct nlmsghdr *nlh, BlockTouch *ret)
{
        NftGeneration generation;

        if (nft_parse_generation(nlh, &generation)) {
                if (w->pending) {
                        ret->pid = (pid_t) generation.pid;
                        (void) snprintf(ret->name, sizeof(ret->name), "%.15s", generation.name);
                }
                w->pending = false;
                return;
        }
        if (nlh->nlmsg_pid == w->port || !nft_parse_is_of_table(nlh, w->table))
                return;
        w->pending = true;
        ret->touched = true;
}

void block_watch_read(BlockWatch *w, BlockTouch *ret)
{
        *ret = (BlockTouch){ .touched = false };
        for (int i = 0; i < READ_AT_ONCE; i++) {
                struct sockaddr_nl from = { .nl_family = AF_NETLINK };
                struct iovec iov = { .iov_base = w->buf, .iov_len = sizeof(w->buf) };
                struct msghdr msg = {
                        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
                };
                ssize_t k = recvmsg(w->fd, &msg, MSG_DONTWAIT);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0) {
                        /* After ENOBUFS the socket goes on; whatever else there is, not to look is no answer.
                         */
                        ret->lost = ret->lost || errno != EAGAIN;
                        if (errno == ENOBUFS)
                                continue;
                        return;
                }
                if (from.nl_pid != 0)
                        continue;
                ret->lost = ret->lost || (msg.msg_flags & MSG_TRUNC);
                const void *pos = w->buf;
                size_t left = (size_t) k;
                for (const struct nlmsghdr *nlh; (nlh = nft_parse_next(&pos, &left));)
                        take(w, nlh, ret);
        }
}
