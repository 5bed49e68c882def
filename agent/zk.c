/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/zk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "agent/resolve.h"
#include "agent/zk-dl.h"
#include "base/secret.h"

int zk_auth_read(const char *path, char *ret, size_t size, Err *err)
{
        ret[0] = '\0';
        if (!*path)
                return 0;
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        struct stat st;
        if (!f || fstat(fileno(f), &st) < 0)
                return err_errno(err, -errno, "%s", path);
        if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
                return err_set(
                        err, -EACCES,
                        "%s can be read or written by others (mode %03o), so what is in it is no secret: "
                        "chmod 600 or 640",
                        path, st.st_mode & 0777);
        secret_held();
        /* Nothing of it stays in a buffer. */
        (void) setvbuf(f, NULL, _IONBF, 0);
        if (!fgets(ret, (int) MIN(size, (size_t) ZK_AUTH_SIZE), f))
                return err_set(err, -EINVAL, "%s is empty: one line user:password is meant", path);
        ret[strcspn(ret, "\r\n")] = '\0';
        const char *colon = strchr(ret, ':');
        if (!colon || colon == ret || !colon[1]) {
                ret[0] = '\0';
                return err_set(err, -EINVAL, "the first line of %s is not user:password", path);
        }
        return 0;
}

#ifdef ZK_DL_BUILT

/* The client's own numbers (zookeeper.h); its names for them are variables of a library that may be absent.
 */
#define STATE_EXPIRED_SESSION (-112)
#define STATE_AUTH_FAILED     (-113)
#define STATE_CONNECTED       3
#define EVENT_SESSION         (-1)
#define INTEREST_WRITE        1
#define INTEREST_READ         2
#define PERM_READ             1
#define PERM_DELETE           8
#define PERM_ALL              31

#define RETRY_MIN_USEC (20 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (500 * USEC_PER_MSEC)
#define RENEW_USEC     (1 * USEC_PER_SEC) /* between attempts to find the servers */

typedef struct ZkCall {
        Zk *zk;
        ZkFn fn;
        uint64_t tag;
        struct ZkCall *next; /* of those that are under way */
        struct ZkCall **link;
        size_t n_results;
        zoo_op_result_t results[ZK_OPS_MAX];
        char created[ZK_OPS_MAX][8]; /* the client wants a place for them; the paths are known */
} ZkCall;

struct Zk {
        const ZkDl *dl;
        sd_event *event;
        ZkOptions options;
        ZkHandlers handlers;
        void *userdata;
        zhandle_t *handle; /* NULL while names are looked up, or after it was given up */
        Resolve *resolve;
        sd_event_source *io, *timer, *kick, *beat;
        int io_fd;  /* our own copy: the client closes its descriptor whenever it likes */
        int lib_fd; /* what it was copied from */
        unsigned depth;
        bool dead;      /* zk_free() was called: goes when the stack is unwound */
        bool in_client; /* the client is on the stack */
        ZkState state, told;
        Usec retry_usec;
        Usec session_usec; /* agreed */
        Usec sure_from;    /* CLOCK_BOOTTIME; 0: never yet */
        Usec beat_sent;    /* 0: none is under way */
        char trouble[512];
        ZkCall *calls;
};

bool zk_built(void)
{
        return true;
}

static void zk_update(Zk *z);
static void zk_begin(Zk *z);

/* ---- life of the object ---- */

static void zk_drop_io(Zk *z)
{
        z->io = sd_event_source_unref(z->io);
        closep(&z->io_fd);
        z->io_fd = z->lib_fd = -1;
}

static void zk_close(Zk *z)
{
        zk_drop_io(z);
        z->timer = sd_event_source_unref(z->timer);
        z->kick = sd_event_source_unref(z->kick);
        z->beat = sd_event_source_unref(z->beat);
        z->resolve = resolve_cancel(z->resolve);
        z->beat_sent = z->sure_from = 0;
        if (z->handle) {
                /* Calls what is still under way back as "closing". */
                z->in_client = true;
                (void) z->dl->zookeeper_close(TAKE_PTR(z->handle));
                z->in_client = false;
        }
}

static void zk_destroy(Zk *z)
{
        zk_close(z);
        while (z->calls) {
                ZkCall *c = z->calls;
                z->calls = c->next;
                free(c);
        }
        explicit_bzero(&z->options, sizeof(z->options));
        sd_event_unref(z->event);
        free(z);
}

Zk *zk_free(Zk *z)
{
        if (!z || z->dead)
                return NULL;
        z->dead = true;
        if (z->depth == 0)
                zk_destroy(z);
        return NULL;
}

static void zk_enter(Zk *z)
{
        z->depth++;
}

/* Return: false: it is gone. */
static bool zk_leave(Zk *z)
{
        if (--z->depth > 0 || !z->dead)
                return !z->dead;
        zk_destroy(z);
        return false;
}

/* ---- what the client calls ---- */

static ZkAnswer answer_of(int rc)
{
        switch (rc) {
        case ZOK:
                return ZK_OK;
        case ZNONODE:
                return ZK_NO_NODE;
        case ZNODEEXISTS:
                return ZK_EXISTS;
        case ZBADVERSION:
                return ZK_BAD_VERSION;
        case ZNOTEMPTY:
                return ZK_NOT_EMPTY;
        case ZNOAUTH:
        case ZINVALIDACL:
                return ZK_NO_PERMISSION;
        case ZCONNECTIONLOSS:
        case ZOPERATIONTIMEOUT:
        case ZSESSIONEXPIRED:
        case ZCLOSING:
        case ZSESSIONMOVED:
        case ZINVALIDSTATE:
        case ZRUNTIMEINCONSISTENCY:
                return ZK_AWAY;
        default:
                return ZK_ERROR;
        }
}

static void call_end(ZkCall *c, int rc, ZkReply *reply)
{
        Zk *z = c->zk;
        ZkFn fn = c->fn;
        uint64_t tag = c->tag;

        *c->link = c->next;
        if (c->next)
                c->next->link = c->link;
        free(c);
        reply->text = rc == ZOK ? "ok" : z->dl->zerror(rc);
        if (!reply->value)
                reply->value = "";
        if (!z->dead && fn)
                fn(answer_of(rc), reply, tag, z->userdata);
}

static void on_void(int rc, const void *data)
{
        ZkReply reply = { .version = -1 };
        call_end((ZkCall *) (uintptr_t) data, rc, &reply);
}

static void on_string(int rc, const char *value, const void *data)
{
        ZkReply reply = { .path = rc == ZOK ? value : NULL, .version = -1 };
        call_end((ZkCall *) (uintptr_t) data, rc, &reply);
}

static void on_stat(int rc, const struct Stat *stat, const void *data)
{
        ZkReply reply = { .version = rc == ZOK && stat ? stat->version : -1 };
        call_end((ZkCall *) (uintptr_t) data, rc, &reply);
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *data)
{
        _cleanup_(freep) char *copy = NULL;
        ZkReply reply = { .version = rc == ZOK && stat ? stat->version : -1 };
        if (rc == ZOK && value && len > 0 && (copy = strndup(value, (size_t) len))) {
                reply.value = copy;
                reply.len = strlen(copy);
        }
        call_end((ZkCall *) (uintptr_t) data, rc, &reply);
}

static void on_strings(int rc, const struct String_vector *strings, const void *data)
{
        ZkReply reply = { .version = -1 };
        if (rc == ZOK && strings) {
                reply.children = (const char *const *) strings->data;
                reply.n_children = (size_t) MAX(strings->count, 0);
        }
        call_end((ZkCall *) (uintptr_t) data, rc, &reply);
}

static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
        ZkReply reply = { .version = -1 };
        (void) stat;
        for (int i = 0; rc == ZOK && acl && i < acl->count; i++)
                if (strcmp(acl->data[i].id.scheme, "world") == 0 && (acl->data[i].perms & PERM_DELETE))
                        reply.open = true;
        call_end((ZkCall *) (uintptr_t) data, rc, &reply);
}

static void on_log(const char *message)
{
        (void) message;
}

static void on_event(zhandle_t *handle, int type, int state, const char *path, void *context)
{
        Zk *z = context;
        (void) handle;
        if (z->dead)
                return;
        if (type != EVENT_SESSION) {
                z->handlers.watch(path ? path : "", z->userdata);
                return;
        }
        z->state = state == STATE_CONNECTED         ? ZK_CONNECTED
                   : state == STATE_EXPIRED_SESSION ? ZK_EXPIRED
                   : state == STATE_AUTH_FAILED     ? ZK_REFUSED
                                                    : ZK_CONNECTING;
        if (z->state == ZK_CONNECTED) {
                z->retry_usec = RETRY_MIN_USEC;
                z->trouble[0] = '\0';
        }
}

static void on_auth(int rc, const void *data)
{
        Zk *z = (Zk *) (uintptr_t) data;
        if (rc == ZAUTHFAILED)
                z->state = ZK_REFUSED;
}

/* ---- the session's own clock ---- */

static void on_beat(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata);

static int zk_on_beat_timer(sd_event_source *s, uint64_t usec, void *userdata);

static void zk_beat_in(Zk *z, Usec usec)
{
        z->beat = sd_event_source_unref(z->beat);
        (void) sd_event_add_time(z->event, &z->beat, CLOCK_MONOTONIC, time_now() + usec, 0, zk_on_beat_timer,
                                 z);
}

static int zk_call(Zk *z, ZkFn fn, uint64_t tag, ZkCall **ret)
{
        if (!z->handle || z->dead)
                return -ENOTCONN;
        ZkCall *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->zk = z;
        c->fn = fn;
        c->tag = tag;
        c->next = z->calls;
        c->link = &z->calls;
        if (c->next)
                c->next->link = &c->next;
        z->calls = c;
        *ret = c;
        return 0;
}

static int zk_on_kick(sd_event_source *s, void *userdata)
{
        (void) s;
        zk_update(userdata);
        return 0;
}

/* A request was handed to the client: it wants to write now. Return: 0; -ENOTCONN: it did not take it. */
static int zk_sent(Zk *z, ZkCall *c, int rc)
{
        if (rc != ZOK) {
                *c->link = c->next;
                if (c->next)
                        c->next->link = c->link;
                free(c);
                return -ENOTCONN;
        }
        if (z->in_client) /* it is asked again anyway before the loop waits */
                return 0;
        if (!z->kick)
                (void) sd_event_add_defer(z->event, &z->kick, zk_on_kick, z);
        else
                (void) sd_event_source_set_enabled(z->kick, SD_EVENT_ONESHOT);
        return 0;
}

/* To the leader and back: a follower that is cut off from the others would still answer reads. */
static void beat_done(int rc, const char *value, const void *data)
{
        Zk *z = ((ZkCall *) (uintptr_t) data)->zk;
        if (rc == ZOK && z->beat_sent)
                z->sure_from = MAX(z->sure_from, z->beat_sent);
        z->beat_sent = 0;
        on_string(rc, value, data);
}

static void on_beat(ZkAnswer answer, const ZkReply *reply, uint64_t tag, void *userdata)
{
        (void) answer;
        (void) reply;
        (void) tag;
        (void) userdata;
}

static void zk_beat(Zk *z)
{
        ZkCall *c;
        if (z->beat_sent == 0 && z->state == ZK_CONNECTED && zk_call(z, on_beat, 0, &c) == 0) {
                z->beat_sent = time_boot();
                if (zk_sent(z, c, z->dl->zoo_async(z->handle, "/", beat_done, c)) < 0)
                        z->beat_sent = 0;
        }
        zk_beat_in(z, z->session_usec / 6);
}

static int zk_on_beat_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        (void) s;
        (void) usec;
        zk_beat(userdata);
        return 0;
}

bool zk_sure(const Zk *z)
{
        return z->state == ZK_CONNECTED && z->sure_from &&
               time_boot() < z->sure_from + z->session_usec / 3 * 2;
}

Usec zk_confirmed(const Zk *z)
{
        return z->sure_from;
}

/* ---- driving the client ---- */

/* Return: false: the object is gone. */
static bool zk_tell(Zk *z)
{
        static const char *const texts[] = {
                [ZK_CONNECTING] = "the connection to ZooKeeper is lost",
                [ZK_CONNECTED] = "",
                [ZK_EXPIRED] = "the session with ZooKeeper has expired",
                [ZK_REFUSED] = "ZooKeeper refuses the authentication",
        };
        ZkState state = z->state;

        if (state == z->told)
                return true;
        z->told = state;
        if (state == ZK_CONNECTED) {
                int ms = z->dl->zoo_recv_timeout(z->handle);
                if (ms > 0)
                        z->session_usec = (Usec) ms * USEC_PER_MSEC;
                zk_beat(z);
        }
        zk_enter(z);
        if (state == ZK_EXPIRED || state == ZK_REFUSED)
                zk_close(z);
        if (!z->dead)
                z->handlers.state(state, texts[state], z->userdata);
        if (!zk_leave(z))
                return false;
        if (state == ZK_EXPIRED && !z->handle && !z->resolve) {
                z->state = ZK_CONNECTING;
                zk_begin(z);
        }
        return true;
}

static void zk_note_trouble(Zk *z, int rc)
{
        const char *what = rc == ZOPERATIONTIMEOUT ? "a server does not answer"
                           : rc == ZCONNECTIONLOSS ? "no server takes the connection"
                                                   : z->dl->zerror(rc);
        (void) snprintf(z->trouble, sizeof(z->trouble), "%s", what);
}

/*
 * The event that tells of the end of a session may stay in the client's queue for ever: it is not asked again
 * when it has failed. What it returned says the same.
 */
static void zk_failed(Zk *z, int rc)
{
        if (rc == ZOK || rc == ZNOTHING)
                return;
        zk_drop_io(z);
        zk_note_trouble(z, rc);
        if (rc == ZAUTHFAILED)
                z->state = ZK_REFUSED;
        else if (rc == ZSESSIONEXPIRED || (rc == ZINVALIDSTATE && z->state != ZK_REFUSED))
                z->state = ZK_EXPIRED;
        else if (z->state == ZK_CONNECTED)
                z->state = ZK_CONNECTING;
}

static int zk_on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Zk *z = userdata;
        int events = 0;
        (void) s;
        (void) fd;
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                events |= INTEREST_READ;
        if (revents & (EPOLLOUT | EPOLLHUP | EPOLLERR))
                events |= INTEREST_WRITE;
        zk_enter(z);
        z->in_client = true;
        int rc = z->dl->zookeeper_process(z->handle, events);
        z->in_client = false;
        zk_failed(z, rc);
        if (zk_leave(z))
                zk_update(z);
        return 0;
}

static int zk_on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Zk *z = userdata;
        (void) s;
        (void) usec;
        if (!z->handle) {
                zk_begin(z);
                return 0;
        }
        zk_update(z);
        return 0;
}

static void zk_timer_in(Zk *z, Usec usec)
{
        z->timer = sd_event_source_unref(z->timer);
        (void) sd_event_add_time(z->event, &z->timer, CLOCK_MONOTONIC, time_now() + usec, 1, zk_on_timer, z);
}

/*
 * The copy is what the loop waits on. The client closes its own descriptor whenever it likes, and the next
 * one it opens (or anybody else does) has the same number: taking that out of the loop would take out a
 * stranger.
 */
static void zk_io_set(Zk *z, int fd, int interest)
{
        uint32_t events =
                ((interest & INTEREST_READ) ? EPOLLIN : 0U) | ((interest & INTEREST_WRITE) ? EPOLLOUT : 0U);
        if (z->io && fd == z->lib_fd) {
                (void) sd_event_source_set_io_events(z->io, events);
                return;
        }
        zk_drop_io(z);
        if (fd < 0)
                return;
        z->io_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        z->lib_fd = fd;
        if (z->io_fd < 0 || sd_event_add_io(z->event, &z->io, z->io_fd, events, zk_on_io, z) < 0)
                zk_drop_io(z);
}

/* Asks the client what it waits for; tells what has changed. May be the end of the object. */
static void zk_update(Zk *z)
{
        struct timeval tv = { 0 };
        int fd = -1, interest = 0;

        if (z->handle && z->state != ZK_EXPIRED && z->state != ZK_REFUSED) {
                zk_enter(z);
                z->in_client = true;
                int rc = z->dl->zookeeper_interest(z->handle, &fd, &interest, &tv);
                z->in_client = false;
                if (!zk_leave(z))
                        return;
                if (rc != ZOK) {
                        zk_failed(z, rc);
                        zk_timer_in(z, z->retry_usec);
                        z->retry_usec = MIN(z->retry_usec * 2, RETRY_MAX_USEC);
                } else {
                        zk_io_set(z, fd, interest);
                        zk_timer_in(z, (Usec) tv.tv_sec * USEC_PER_SEC + (Usec) tv.tv_usec);
                }
        }
        (void) zk_tell(z);
}

static void zk_on_resolved(const char *servers, const char *missing, void *userdata)
{
        Zk *z = userdata;
        char hosts[RESOLVE_SIZE + LOCK_PATH_SIZE];

        z->resolve = NULL;
        if (*missing)
                (void) snprintf(z->trouble, sizeof(z->trouble), "no address for %.400s", missing);
        if (!*servers) {
                zk_timer_in(z, RENEW_USEC);
                return;
        }
        (void) snprintf(hosts, sizeof(hosts), "%s%s", servers, z->options.spec.path);
        z->handle = z->dl->zookeeper_init2(hosts, on_event, (int) (z->options.session_usec / USEC_PER_MSEC),
                                           NULL, z, ZOO_NO_LOG_CLIENTENV, on_log);
        if (!z->handle) {
                (void) snprintf(z->trouble, sizeof(z->trouble), "the client cannot begin: %s",
                                strerror(errno));
                zk_timer_in(z, RENEW_USEC);
                return;
        }
        if (*z->options.auth)
                (void) z->dl->zoo_add_auth(z->handle, "digest", z->options.auth,
                                           (int) strlen(z->options.auth), on_auth, z);
        zk_update(z);
}

static void zk_begin(Zk *z)
{
        Err err = { 0 };
        if (resolve_start(&z->resolve, z->event, &z->options.spec, zk_on_resolved, z, &err) < 0) {
                (void) snprintf(z->trouble, sizeof(z->trouble), "%s", err.text);
                zk_timer_in(z, RENEW_USEC);
        }
}

int zk_new(Zk **ret, sd_event *event, const ZkOptions *options, const ZkHandlers *handlers, void *userdata,
           Err *err)
{
        const ZkDl *dl;
        int r = zk_dl_load(&dl, err);
        if (r < 0)
                return r;
        Zk *z = calloc(1, sizeof(*z));
        if (!z)
                return err_set(err, -ENOMEM, "out of memory");
        z->dl = dl;
        z->event = sd_event_ref(event);
        z->options = *options;
        z->handlers = *handlers;
        z->userdata = userdata;
        z->io_fd = z->lib_fd = -1;
        z->session_usec = options->session_usec;
        z->retry_usec = RETRY_MIN_USEC;
        zk_begin(z);
        *ret = z;
        return 0;
}

ZkState zk_state(const Zk *z)
{
        return z->told;
}

const char *zk_trouble(const Zk *z)
{
        return z->trouble;
}

Usec zk_session(const Zk *z)
{
        return z->session_usec;
}

/* ---- requests ---- */

/* With a digest only who knows it may change or delete; everybody may read who is out. */
static const struct ACL_vector *zk_acl_of(const Zk *z)
{
        static char auth[] = "auth", world[] = "world", anyone[] = "anyone", none[] = "";
        static struct ACL closed_acl[] = { { PERM_ALL, { auth, none } }, { PERM_READ, { world, anyone } } };
        static struct ACL open_acl[] = { { PERM_ALL, { world, anyone } } };
        static const struct ACL_vector closed = { 2, closed_acl }, open = { 1, open_acl };
        return *z->options.auth ? &closed : &open;
}

int zk_create(Zk *z, const char *path, const char *value, int mode, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r
                     : zk_sent(z, c,
                               z->dl->zoo_acreate(z->handle, path, value, (int) strlen(value), zk_acl_of(z),
                                                  mode, on_string, c));
}

int zk_delete(Zk *z, const char *path, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r : zk_sent(z, c, z->dl->zoo_adelete(z->handle, path, -1, on_void, c));
}

int zk_set(Zk *z, const char *path, const char *value, int32_t version, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r
                     : zk_sent(z, c,
                               z->dl->zoo_aset(z->handle, path, value, (int) strlen(value), version, on_stat,
                                               c));
}

int zk_get(Zk *z, const char *path, bool watch, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r : zk_sent(z, c, z->dl->zoo_aget(z->handle, path, watch, on_data, c));
}

int zk_exists(Zk *z, const char *path, bool watch, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r : zk_sent(z, c, z->dl->zoo_aexists(z->handle, path, watch, on_stat, c));
}

int zk_children(Zk *z, const char *path, bool watch, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r : zk_sent(z, c, z->dl->zoo_aget_children(z->handle, path, watch, on_strings, c));
}

int zk_acl(Zk *z, const char *path, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r : zk_sent(z, c, z->dl->zoo_aget_acl(z->handle, path, on_acl, c));
}

int zk_sync(Zk *z, const char *path, ZkFn fn, uint64_t tag)
{
        ZkCall *c;
        int r = zk_call(z, fn, tag, &c);
        return r < 0 ? r : zk_sent(z, c, z->dl->zoo_async(z->handle, path, on_string, c));
}

int zk_multi(Zk *z, const ZkOp *ops, size_t n, ZkFn fn, uint64_t tag)
{
        zoo_op_t list[ZK_OPS_MAX];
        ZkCall *c;
        if (n > ZK_OPS_MAX)
                return -E2BIG;
        int r = zk_call(z, fn, tag, &c);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                const ZkOp *op = &ops[i];
                int len = op->value ? (int) strlen(op->value) : 0;
                switch (op->kind) {
                case ZK_OP_CHECK:
                        z->dl->zoo_check_op_init(&list[i], op->path, op->version);
                        break;
                case ZK_OP_SET:
                        z->dl->zoo_set_op_init(&list[i], op->path, op->value, len, op->version, NULL);
                        break;
                case ZK_OP_CREATE:
                        z->dl->zoo_create_op_init(&list[i], op->path, op->value, len, zk_acl_of(z), 0,
                                                  c->created[i], sizeof(c->created[i]));
                        break;
                case ZK_OP_DELETE:
                        z->dl->zoo_delete_op_init(&list[i], op->path, op->version);
                        break;
                }
        }
        return zk_sent(z, c, z->dl->zoo_amulti(z->handle, (int) n, list, c->results, on_void, c));
}

#else /* no header: the same functions, and the one that begins says why not */

bool zk_built(void)
{
        return false;
}

int zk_new(Zk **ret, sd_event *event, const ZkOptions *options, const ZkHandlers *handlers, void *userdata,
           Err *err)
{
        (void) ret;
        (void) event;
        (void) options;
        (void) handlers;
        (void) userdata;
        return err_set(err, -EOPNOTSUPP, "this edge-roll was built without ZooKeeper");
}

Zk *zk_free(Zk *z)
{
        (void) z;
        return NULL;
}

ZkState zk_state(const Zk *z)
{
        (void) z;
        return ZK_REFUSED;
}

const char *zk_trouble(const Zk *z)
{
        (void) z;
        return "built without ZooKeeper";
}

Usec zk_session(const Zk *z)
{
        (void) z;
        return 0;
}

bool zk_sure(const Zk *z)
{
        (void) z;
        return false;
}

Usec zk_confirmed(const Zk *z)
{
        (void) z;
        return 0;
}

#define ZK_ABSENT(name, ...)         \
        int name(Zk *z, __VA_ARGS__) \
        {                            \
                (void) z;            \
                return -EOPNOTSUPP;  \
        }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
ZK_ABSENT(zk_create, const char *path, const char *value, int mode, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_delete, const char *path, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_set, const char *path, const char *value, int32_t version, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_get, const char *path, bool watch, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_exists, const char *path, bool watch, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_children, const char *path, bool watch, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_acl, const char *path, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_sync, const char *path, ZkFn fn, uint64_t tag)
ZK_ABSENT(zk_multi, const ZkOp *ops, size_t n, ZkFn fn, uint64_t tag)
#pragma GCC diagnostic pop

#endif
