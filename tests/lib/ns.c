/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* unshare, setns */
#endif
#include "tests/lib/ns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool write_file(const char *path, const char *text)
{
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

        return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text);
}

static bool link_up(const char *name)
{
        _cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq req = { .ifr_flags = 0 };

        if (fd < 0)
                return false;
        (void) snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
        if (ioctl(fd, SIOCGIFFLAGS, &req) < 0)
                return false;
        req.ifr_flags |= IFF_UP;
        return ioctl(fd, SIOCSIFFLAGS, &req) == 0;
}

const char *ns_enter(void)
{
        static char why[128];
        char map[64];
        const unsigned uid = geteuid(), gid = getegid();

        if (unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0) {
                (void) snprintf(why, sizeof(why), "no new network namespace: %s", strerror(errno));
                return why;
        }
        if (uid != 0) {
                (void) snprintf(map, sizeof(map), "0 %u 1", uid);
                if (!write_file("/proc/self/uid_map", map))
                        return "the user namespace cannot be mapped";
                (void) snprintf(map, sizeof(map), "0 %u 1", gid);
                if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/gid_map", map))
                        return "the user namespace cannot be mapped";
        }
        return link_up("lo") ? NULL : "lo does not come up";
}

int ns_here(void)
{
        return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

bool ns_go(int ns)
{
        return setns(ns, CLONE_NEWNET) == 0;
}

int ns_new(void)
{
        _cleanup_(closep) int here = ns_here();
        _cleanup_(closep) int made = -1;

        if (here < 0 || unshare(CLONE_NEWNET) < 0)
                return -1;
        if (link_up("lo"))
                made = ns_here();
        return ns_go(here) ? TAKE_FD(made) : -1;
}

/* Send one rtnetlink request in the present namespace and read its acknowledgement. */
static bool rtnl(struct nlmsghdr *nlh)
{
        struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
        char buf[8192];
        bool ok = false;

        if (!nl)
                return false;
        nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
        nlh->nlmsg_seq = 1;
        if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
            mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) > 0) {
                ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
                ok = n > 0 && mnl_cb_run(buf, (size_t) n, 1, mnl_socket_get_portid(nl), NULL, NULL) >= 0;
        }
        (void) mnl_socket_close(nl);
        return ok;
}

static bool veth(const char *name_a, int ns_b, const char *name_b)
{
        char buf[1024] = ""; /* with what is between attributes */
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

        nlh->nlmsg_type = RTM_NEWLINK;
        nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
        (void) mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(nlh, IFLA_IFNAME, name_a);
        struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
        mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
        struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
        struct nlattr *peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
        (void) mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(nlh, IFLA_IFNAME, name_b);
        mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t) ns_b);
        mnl_attr_nest_end(nlh, peer);
        mnl_attr_nest_end(nlh, data);
        mnl_attr_nest_end(nlh, info);
        return rtnl(nlh);
}

bool ns_link(int ns_a, const char *name_a, int ns_b, const char *name_b)
{
        _cleanup_(closep) int here = ns_here();
        bool ok;

        if (here < 0 || !ns_go(ns_a))
                return false;
        ok = veth(name_a, ns_b, name_b) && link_up(name_a);
        ok = ok && ns_go(ns_b) && link_up(name_b);
        return ns_go(here) && ok;
}

static bool addr_add(const char *ifname, const char *addr, int prefix)
{
        char buf[256];
        uint8_t bytes[16];
        const int family = strchr(addr, ':') ? AF_INET6 : AF_INET;
        const size_t size = family == AF_INET6 ? 16 : 4;
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

        if (inet_pton(family, addr, bytes) != 1)
                return false;
        nlh->nlmsg_type = RTM_NEWADDR;
        nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
        struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
        ifa->ifa_family = (uint8_t) family;
        ifa->ifa_prefixlen = (uint8_t) prefix;
        ifa->ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0; /* or it may not be used for a second or two */
        ifa->ifa_index = if_nametoindex(ifname);
        mnl_attr_put(nlh, IFA_LOCAL, size, bytes);
        mnl_attr_put(nlh, IFA_ADDRESS, size, bytes);
        return ifa->ifa_index != 0 && rtnl(nlh);
}

bool ns_addr(int ns, const char *ifname, const char *addr, int prefix)
{
        _cleanup_(closep) int here = ns_here();

        if (here < 0 || !ns_go(ns))
                return false;
        bool ok = addr_add(ifname, addr, prefix);
        return ns_go(here) && ok;
}
