/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/own-address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"

typedef struct OwnAddress {
        uint16_t port;
        Addr listener, used; /* bound to; of a connection that somebody has made */
        bool has_listener, has_used;
} OwnAddress;

static bool addr_is_any(const Addr *a)
{
        char text[ADDR_TEXT_SIZE];
        addr_format(a, text, sizeof(text));
        return strcmp(text, "0.0.0.0") == 0 || strcmp(text, "::") == 0;
}

static int own_address_socket(const Sock *s, void *userdata)
{
        OwnAddress *o = userdata;
        if (s->local_port != o->port || addr_is_loopback(&s->local) || addr_is_any(&s->local))
                return 0;
        if (s->state == 10) {
                o->listener = s->local;
                o->has_listener = true;
        } else if (!addr_equal(&s->local, &s->peer)) {
                o->used = s->local;
                o->has_used = true;
        }
        return 0;
}

/* The first that is neither loopback nor link-local; IPv4 before IPv6. */
static bool interface_address(Addr *ret)
{
        struct ifaddrs *list = NULL;
        int best = 0;
        if (getifaddrs(&list) < 0)
                return false;
        for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
                int rank = 0;
                Addr addr = { 0 };
                if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
                        continue;
                if (i->ifa_addr->sa_family == AF_INET) {
                        struct sockaddr_in in;
                        memcpy(&in, i->ifa_addr, sizeof(in));
                        addr = addr_from(AF_INET, &in.sin_addr);
                        rank = 2;
                } else if (i->ifa_addr->sa_family == AF_INET6) {
                        struct sockaddr_in6 in6;
                        memcpy(&in6, i->ifa_addr, sizeof(in6));
                        addr = addr_from(AF_INET6, &in6.sin6_addr);
                        rank = IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr) ? 0 : 1;
                }
                if (rank > best) {
                        best = rank;
                        *ret = addr;
                }
        }
        freeifaddrs(list);
        return best > 0;
}

const char *own_address(Conns *conns, uint16_t port, char *buf, size_t size)
{
        ConnsFilter filter = { .local_ports = { port },
                               .n_local = 1,
                               .states = CONNS_LISTEN | CONNS_LIVE | CONNS_STATE(6) };
        OwnAddress own = { .port = port };
        Addr addr;
        buf[0] = '\0';
        if (port && conns_dump(conns, &filter, own_address_socket, &own, NULL) < 0)
                own.has_listener = own.has_used = false;
        if (own.has_listener)
                return addr_format(&own.listener, buf, size);
        if (own.has_used)
                return addr_format(&own.used, buf, size);
        return interface_address(&addr) ? addr_format(&addr, buf, size) : buf;
}
