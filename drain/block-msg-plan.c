/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Plans: can they be carried out, and the keys of what they refuse. */

#include "drain/block-msg-impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

bool block_msg_ports_have(const uint16_t *ports, size_t n, uint16_t port)
{
        for (size_t i = 0; i < n; i++)
                if (ports[i] == port)
                        return true;
        return false;
}

static int ports_fold(const uint16_t *ports, size_t n, const char *what, uint16_t *ret, size_t *ret_n,
                      Err *err)
{
        size_t kept = 0;

        if (n > BLOCK_PORTS_MAX)
                return err_set(err, -E2BIG, "%zu %s ports are too many to block; at most %d are possible", n,
                               what, BLOCK_PORTS_MAX);
        for (size_t i = 0; i < n; i++) {
                if (ports[i] == 0)
                        return err_set(err, -EINVAL, "0 is not a port; the list of %s ports is wrong", what);
                if (!block_msg_ports_have(ret, kept, ports[i]))
                        ret[kept++] = ports[i];
        }
        *ret_n = kept;
        return 0;
}

int block_msg_sources(const Addr *from, size_t n, Addr *ret, size_t *ret_n, Err *err)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++) {
                bool twice = false;

                if (from[i].family != AF_INET && from[i].family != AF_INET6)
                        return err_set(err, -EINVAL, "a source to refuse is no address");
                for (size_t k = 0; k < kept; k++)
                        twice = twice || addr_equal(&ret[k], &from[i]);
                if (twice || addr_is_loopback(&from[i]))
                        continue;
                if (kept == BLOCK_FROM_MAX)
                        return err_set(err, -E2BIG, "more than %d sources to refuse", BLOCK_FROM_MAX);
                ret[kept++] = from[i];
        }
        *ret_n = kept;
        return 0;
}

bool block_msg_refuses(const BlockPlan *plan)
{
        if (plan->n_from_ports > 0 && plan->n_from == 0)
                return false;
        return plan->n_whole + plan->n_syn + plan->n_from_ports > 0;
}

/* One behind the other, each in whole registers: port, address. */
void block_msg_from_keys(const BlockPlan *plan, int family, BlockFromKeys *ret)
{
        const size_t address = family == AF_INET6 ? 16 : 4;

        ret->key_bytes = NFT_RULE_SOURCE_KEY(address);
        ret->n = 0;
        for (size_t p = 0; p < plan->n_from_ports; p++)
                for (size_t i = 0; i < plan->n_from; i++) {
                        const uint16_t port_be = htons(plan->from_ports[p]);

                        if (plan->from[i].family != family)
                                continue;
                        uint8_t *key = ret->keys + ret->n++ * ret->key_bytes;
                        memset(key, 0, 4);
                        memcpy(key, &port_be, sizeof(port_be));
                        memcpy(key + 4, plan->from[i].b, address);
                }
}

bool block_msg_from_source(const uint8_t *key, size_t key_bytes, uint16_t port, Addr *ret)
{
        uint16_t port_be;

        if (key_bytes != NFT_RULE_SOURCE_KEY(4) && key_bytes != NFT_RULE_SOURCE_KEY(16))
                return false;
        memcpy(&port_be, key, sizeof(port_be));
        if (ntohs(port_be) != port)
                return false;
        *ret = addr_from(key_bytes == NFT_RULE_SOURCE_KEY(16) ? AF_INET6 : AF_INET, key + 4);
        return true;
}

int block_msg_check(const BlockPlan *plan, BlockPlan *ret, Err *err)
{
        BlockPlan copy = { .n_whole = 0 };
        int r;

        r = ports_fold(plan->whole_ports, plan->n_whole, "health", copy.whole_ports, &copy.n_whole, err);
        if (r < 0)
                return r;
        r = ports_fold(plan->syn_ports, plan->n_syn, "health", copy.syn_ports, &copy.n_syn, err);
        if (r < 0)
                return r;
        r = ports_fold(plan->traffic_ports, plan->n_traffic, "traffic", copy.traffic_ports, &copy.n_traffic,
                       err);
        if (r < 0)
                return r;
        r = ports_fold(plan->upstream_ports, plan->n_upstream, "next tier's", copy.upstream_ports,
                       &copy.n_upstream, err);
        if (r < 0)
                return r;
        if (plan->n_from_ports > BLOCK_FROM_PORTS)
                return err_set(err, -E2BIG,
                               "%zu ports refused from some sources are too many; at most %d are "
                               "possible",
                               plan->n_from_ports, BLOCK_FROM_PORTS);
        r = ports_fold(plan->from_ports, plan->n_from_ports, "health", copy.from_ports, &copy.n_from_ports,
                       err);
        if (r < 0)
                return r;
        r = block_msg_sources(plan->from, plan->n_from, copy.from, &copy.n_from, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < copy.n_from_ports; i++)
                if (block_msg_ports_have(copy.whole_ports, copy.n_whole, copy.from_ports[i]) ||
                    block_msg_ports_have(copy.syn_ports, copy.n_syn, copy.from_ports[i]) ||
                    block_msg_ports_have(copy.traffic_ports, copy.n_traffic, copy.from_ports[i]))
                        return err_set(
                                err, -EINVAL,
                                "port %u cannot be refused from some sources: it is refused in another "
                                "way, or carries traffic",
                                copy.from_ports[i]);
        for (size_t i = 0; i < copy.n_syn; i++)
                if (block_msg_ports_have(copy.whole_ports, copy.n_whole, copy.syn_ports[i]))
                        return err_set(err, -EINVAL,
                                       "port %u cannot be refused both whole and for new connections only",
                                       copy.syn_ports[i]);
        *ret = copy;
        return 0;
}
