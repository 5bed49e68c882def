/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * without-netfilter COMMAND ARGUMENT...: runs it as on a kernel that has no netfilter netlink, and so no
 * nf_tables: opening such a socket fails with EPROTONOSUPPORT, everything else is as it is. The kernel itself
 * answers so, by a seccomp filter that the command and its children keep.
 * Source: seccomp(2); __netlink_create() and netlink_create() in net/netlink/af_netlink.c for the errno.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The lower half of an argument, which is all there is of an int. */
#define ARGUMENT(n) \
        (offsetof(struct seccomp_data, args[(n)]) + (__BYTE_ORDER == __LITTLE_ENDIAN ? 0 : sizeof(uint32_t)))

int main(int argc, char **argv)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(0)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        if (argc < 2) {
                (void) fprintf(stderr, "without-netfilter COMMAND ARGUMENT...\n");
                return 2;
        }
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
                perror("seccomp");
                return 1;
        }
        (void) execvp(argv[1], argv + 1);
        perror(argv[1]);
        return 1;
}
