/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The few functions of ZooKeeper's C client that are used (its single-threaded flavour), loaded when first
 * needed: most nodes never need it. Without its header at build time there is nothing to load. Only zk.c
 * includes this.
 */

#include "base/err.h"

#if defined(__has_include) && !defined(EDGE_ROLL_WITHOUT_ZOOKEEPER)
#if __has_include(<zookeeper/zookeeper.h>)
#define ZK_DL_BUILT 1
#endif
#endif

#ifdef ZK_DL_BUILT

#include <zookeeper/zookeeper.h>

#define ZK_DL_FUNCTIONS(X)              \
        X(zookeeper_init2)              \
        X(zookeeper_close)              \
        X(zookeeper_interest)           \
        X(zookeeper_process)            \
        X(zoo_add_auth)                 \
        X(zoo_recv_timeout)             \
        X(zoo_get_context)              \
        X(zoo_set_debug_level)          \
        X(zoo_deterministic_conn_order) \
        X(zoo_acreate)                  \
        X(zoo_adelete)                  \
        X(zoo_aexists)                  \
        X(zoo_aget)                     \
        X(zoo_aset)                     \
        X(zoo_aget_children)            \
        X(zoo_aget_acl)                 \
        X(zoo_async)                    \
        X(zoo_amulti)                   \
        X(zoo_create_op_init)           \
        X(zoo_delete_op_init)           \
        X(zoo_set_op_init)              \
        X(zoo_check_op_init)            \
        X(zerror)

typedef struct ZkDl {
#define ZK_DL_MEMBER(name) __typeof__(name) *name;
        ZK_DL_FUNCTIONS(ZK_DL_MEMBER)
#undef ZK_DL_MEMBER
} ZkDl;

/*
 * zk_dl_load() - load the client at the first call; later calls cost nothing. Never unloaded.
 * @ret: owned by this file, valid to the end of the process. Return: 0; -ELIBACC (not installed, a function
 * is missing: says which package).
 */
int zk_dl_load(const ZkDl **ret, Err *err) _must_check_;

#endif
