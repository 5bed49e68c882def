/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What `lock =` says: the word, and for ZooKeeper its servers and the path below which everything is. Pure.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LOCK_SERVERS_MAX 16
#define LOCK_HOST_SIZE   256
#define LOCK_PATH_SIZE   256
#define LOCK_PORT        2181 /* where none is said: ZooKeeper's own */
#define LOCK_SCHEME      "zookeeper://"

typedef enum LockKind {
        LOCK_AUTO,
        LOCK_NONE,
        LOCK_LEASE,
        LOCK_ZOOKEEPER,
        LOCK_COUNT,
        LOCK_INVALID = -EINVAL,
} LockKind;

typedef struct LockServer {
        char host[LOCK_HOST_SIZE]; /* a name or a number; no brackets */
        uint16_t port;
        bool number;
} LockServer;

typedef struct LockSpec {
        LockKind kind;
        LockServer servers[LOCK_SERVERS_MAX]; /* LOCK_ZOOKEEPER: at least one */
        size_t n;
        char path[LOCK_PATH_SIZE]; /* "" or "/a/b": must exist there */
} LockSpec;

/*
 * lock_spec_parse() - "auto", "none", "lease" or "zookeeper://h1:2181,h2,[fd77::1]:2181/path".
 * @ret: written only on success. Return: 0; -EINVAL (what is wrong with which part).
 */
int lock_spec_parse(const char *text, LockSpec *ret, Err *err) _must_check_;

/* lock_spec_hosts() - the same of a list without the scheme, as property files have it; separators are commas
 * or blanks. */
int lock_spec_hosts(const char *text, LockSpec *ret, Err *err) _must_check_;

/* lock_spec_text() - "h1:2181,h2:2181/path" (ZooKeeper), else the word. Return: @buf. */
const char *lock_spec_text(const LockSpec *spec, char *buf, size_t size);
