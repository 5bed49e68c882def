/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A session with ZooKeeper on an sd-event loop. Asynchronous throughout; servers are reached by number, names
 * are looked up beside the loop (agent/resolve.h). A lost connection is made again by itself, to the next
 * server, in the same session; an expired session is followed by a new one.
 *
 * The client learns that its session is over only when it reaches a server again, perhaps much later than
 * those who have been let in since. So whoever relies on the session asks zk_sure(), which believes our own
 * clock, not the last news.
 *
 * Source: zookeeper.h; ZooKeeper Programmer's Guide, "ZooKeeper Sessions", "ZooKeeper access control".
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/lock-spec.h"
#include "base/err.h"
#include "base/time.h"

typedef struct Zk Zk;

typedef enum ZkState {
        ZK_CONNECTING, /* no connection; perhaps there is still a session */
        ZK_CONNECTED,
        ZK_EXPIRED, /* the session is over, and with it its ephemeral nodes; a new one is being made */
        ZK_REFUSED, /* the server does not take our authentication: nothing more comes */
        ZK_STATE_COUNT,
        ZK_STATE_INVALID = -EINVAL,
} ZkState;

typedef enum ZkAnswer {
        ZK_OK,
        ZK_NO_NODE,
        ZK_EXISTS,
        ZK_BAD_VERSION,
        ZK_NOT_EMPTY,
        ZK_NO_PERMISSION,
        ZK_AWAY, /* connection or session lost meanwhile: it may or may not have been done */
        ZK_ERROR,
        ZK_ANSWER_COUNT,
        ZK_ANSWER_INVALID = -EINVAL,
} ZkAnswer;

/* What came with the answer; valid during the call. */
typedef struct ZkReply {
        const char *path;  /* of what was created; else NULL */
        const char *value; /* get: NUL-terminated; else "" */
        size_t len;
        int32_t version; /* get, set, exists */
        const char *const *children;
        size_t n_children;
        bool open;        /* acl: everybody may delete below it */
        const char *text; /* ZooKeeper's word for what went wrong; "ok" */
} ZkReply;

/* @tag: the caller's, as given. Never called from within the function that asked. */
typedef void (*ZkFn)(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata);

typedef struct ZkHandlers {
        /* @text: for people, "" where there is nothing to say. May free the Zk. */
        void (*state)(ZkState state, const char *text, void *userdata);
        /* A watch on @path has fired; it is gone with that. */
        void (*watch)(const char *path, void *userdata);
} ZkHandlers;

#define ZK_AUTH_SIZE 512

typedef struct ZkOptions {
        LockSpec spec;
        char auth[ZK_AUTH_SIZE]; /* "user:password" of scheme digest; "": none */
        Usec session_usec;       /* as asked for; the servers may make it longer or shorter */
} ZkOptions;

/* zk_built() - was the program built with ZooKeeper's header? */
bool zk_built(void);

/*
 * zk_auth_read() - "user:password" from the first line of a file. Return: 0; -EACCES, -ENOENT, ...; -EINVAL
 * (not of that form; the text is never shown). "" for @path: no authentication.
 */
int zk_auth_read(const char *path, char *ret, size_t size, Err *err) _must_check_;

/*
 * zk_new() - the session is made in the background. @handlers: copied. @userdata is also that of every ZkFn.
 * Return: 0; -ELIBACC (the client library is not there); -EOPNOTSUPP (built without); -ENOMEM.
 */
int zk_new(Zk **ret, sd_event *event, const ZkOptions *options, const ZkHandlers *handlers, void *userdata,
           Err *err) _must_check_;

/* zk_free() - ends the session in good order where it can, without waiting; nothing is called back any more.
 * Allowed from within any callback. NULL allowed. Return: NULL. */
Zk *zk_free(Zk *z);
DEFINE_CLEANUP(Zk, zk_free);

ZkState zk_state(const Zk *z);

/* zk_trouble() - the last thing that went wrong on the way to a connection; "". */
const char *zk_trouble(const Zk *z);

/* zk_session() - the session's time to live as agreed with the server; as asked for before that. */
Usec zk_session(const Zk *z);

/*
 * zk_sure() - connected, and by our own clock the session cannot have ended yet: the leader answered a
 * request that was sent less than two thirds of its life ago.
 */
bool zk_sure(const Zk *z);

/* zk_confirmed() - when the last request was sent that the leader has answered in this session,
 * CLOCK_BOOTTIME; 0: none yet. */
Usec zk_confirmed(const Zk *z);

/* Requests. Each @fn is called once, in the order of the requests. Return: 0; negative errno: not sent, @fn
 * is not called. A mode of 0 is persistent. */
#define ZK_EPHEMERAL 1
#define ZK_SEQUENCE  2
int zk_create(Zk *z, const char *path, const char *value, int mode, ZkFn fn, uint64_t tag) _must_check_;
int zk_delete(Zk *z, const char *path, ZkFn fn, uint64_t tag) _must_check_;
int zk_set(Zk *z, const char *path, const char *value, int32_t version, ZkFn fn, uint64_t tag) _must_check_;
int zk_get(Zk *z, const char *path, bool watch, ZkFn fn, uint64_t tag) _must_check_;
int zk_exists(Zk *z, const char *path, bool watch, ZkFn fn, uint64_t tag) _must_check_;
int zk_children(Zk *z, const char *path, bool watch, ZkFn fn, uint64_t tag) _must_check_;
int zk_acl(Zk *z, const char *path, ZkFn fn, uint64_t tag) _must_check_;
/* zk_sync() - what is read behind it is as new as this moment. */
int zk_sync(Zk *z, const char *path, ZkFn fn, uint64_t tag) _must_check_;

typedef enum ZkOpKind { ZK_OP_CHECK, ZK_OP_SET, ZK_OP_CREATE, ZK_OP_DELETE } ZkOpKind;

typedef struct ZkOp {
        ZkOpKind kind;
        const char *path;
        const char *value; /* set, create */
        int32_t version;   /* check, set, delete: -1: any */
} ZkOp;

#define ZK_OPS_MAX 8

/* zk_multi() - all of it or nothing. */
int zk_multi(Zk *z, const ZkOp *ops, size_t n, ZkFn fn, uint64_t tag) _must_check_;
