/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Which lock is in force on this node: as configured, or, with auto, what Edge's own properties name. */

#include "agent/config.h"
#include "agent/lock-spec.h"
#include "agent/place.h"

typedef struct LockFound {
        LockSpec spec;  /* kind: LOCK_NONE, LOCK_LEASE (no ZooKeeper is named) or LOCK_ZOOKEEPER */
        bool automatic; /* of lock = auto: where ZooKeeper does not answer, leases have to do */
        char from[320]; /* "lock in the configuration", "zookeeper.servers in /opt/..." */
} LockFound;

/* lock_find() - @ret: always written. Files that cannot be read name nothing. */
void lock_find(const Config *config, LockFound *ret);

/* lock_found_text() - for people: "zookeeper at h1:2181,h2:2181 (lock in the configuration)". Return: @buf.
 */
const char *lock_found_text(const LockFound *f, char *buf, size_t size);

/* lock_zk() - how to reach it, with what lock_auth_file says. Return: 0; errors of zk_auth_read(). */
int lock_zk(const Config *config, const LockSpec *spec, ZkOptions *ret, Err *err) _must_check_;
