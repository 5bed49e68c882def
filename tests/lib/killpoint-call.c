/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/killpoint-call.h"

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define DATA_MAX    16384 /* of a message, to tell what it is */
#define PARTS_MAX   64

/* ---- the memory and the files of the caller ---- */

/* Return: bytes that could be read. */
static size_t peek(const Caller *c, uint64_t at, void *buf, size_t size)
{
        struct iovec local = { buf, size }, remote = { (void *) (uintptr_t) at, size };
        ssize_t n = process_vm_readv(c->pid, &local, 1, &remote, 1, 0);
        return n < 0 ? 0 : (size_t) n;
}

static void peek_text(const Caller *c, uint64_t at, char *buf, size_t size)
{
        /* In small steps: what lies behind the end of the text may not be readable. */
        size_t n = 0;
        while (n + 1 < size && peek(c, at + n, buf + n, 1) == 1 && buf[n])
                n++;
        buf[n] = '\0';
}

/* The caller's descriptor as one of ours. */
static int borrow(const Caller *c, uint64_t fd)
{
        return (int) syscall(SYS_pidfd_getfd, c->pidfd, (int) fd, 0);
}

static void fd_path(const Caller *c, uint64_t fd, char *buf, size_t size)
{
        char link[64];
        (void) snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int) c->pid, (int) fd);
        ssize_t n = readlink(link, buf, size - 1);
        buf[n < 0 ? 0 : n] = '\0';
}

/* "job.json" of "/var/lib/edge-roll/job.json", "job.json.tmp" of its temporary file, "edge-roll_dir" of the
 * directory. */
static void file_name(const char *path, bool directory, char *buf, size_t size)
{
        const char *slash = strrchr(path, '/');
        const char *base = slash ? slash + 1 : path;
        (void) snprintf(buf, size, "%.48s%s", *base == '.' ? base + 1 : base, directory ? "_dir" : "");
}

static void call_set(Call *ret, CallKind kind, const char *what, const char *object)
{
        ret->kind = kind;
        (void) snprintf(ret->name, sizeof(ret->name), "%s%s%.120s", what, *object ? "-" : "", object);
        for (char *p = ret->name; *p; p++)
                if (*p <= ' ' || *p == '/' || *p == '#' || *p >= 0x7f)
                        *p = '_';
}

/* ---- netlink ---- */

static const char *nft_name(unsigned type)
{
        static const char *const names[] = {
                [NFT_MSG_NEWTABLE] = "newtable",     [NFT_MSG_GETTABLE] = "gettable",
                [NFT_MSG_DELTABLE] = "deltable",     [NFT_MSG_NEWCHAIN] = "newchain",
                [NFT_MSG_GETCHAIN] = "getchain",     [NFT_MSG_DELCHAIN] = "delchain",
                [NFT_MSG_NEWRULE] = "newrule",       [NFT_MSG_GETRULE] = "getrule",
                [NFT_MSG_DELRULE] = "delrule",       [NFT_MSG_NEWSET] = "newset",
                [NFT_MSG_GETSET] = "getset",         [NFT_MSG_DELSET] = "delset",
                [NFT_MSG_NEWSETELEM] = "newsetelem", [NFT_MSG_GETSETELEM] = "getsetelem",
                [NFT_MSG_DELSETELEM] = "delsetelem", [NFT_MSG_GETGEN] = "getgen",
                [NFT_MSG_NEWOBJ] = "newobj",         [NFT_MSG_GETOBJ] = "getobj",
                [NFT_MSG_DELOBJ] = "delobj",
        };
        return type < ELEMENTS(names) && names[type] ? names[type] : "message";
}

/* Each kind of message in it once, in order. */
static void describe_netlink(int protocol, const uint8_t *data, size_t n, Call *ret)
{
        char words[140] = "";
        bool changes = false;
        for (size_t at = 0; at + sizeof(struct nlmsghdr) <= n;) {
                struct nlmsghdr h;
                memcpy(&h, data + at, sizeof(h));
                const char *word = "";
                if (h.nlmsg_len < sizeof(h))
                        break;
                if (protocol == NETLINK_SOCK_DIAG) {
                        changes = changes || h.nlmsg_type == SOCK_DESTROY;
                        word = h.nlmsg_type == SOCK_DESTROY ? "destroy"
                               : h.nlmsg_flags & NLM_F_DUMP ? "dump"
                                                            : "get";
                } else if (protocol == NETLINK_NETFILTER && h.nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES) {
                        word = nft_name(h.nlmsg_type & 0xff);
                        changes = changes || strncmp(word, "get", 3) != 0;
                }
                if (*word && !strstr(words, word) && strlen(words) + strlen(word) + 2 < sizeof(words)) {
                        (void) strcat(words, *words ? "+" : "");
                        (void) strcat(words, word);
                }
                at += NLMSG_ALIGN(h.nlmsg_len);
        }
        call_set(ret, changes ? CALL_EFFECT : CALL_ASK,
                 protocol == NETLINK_NETFILTER   ? "nft"
                 : protocol == NETLINK_SOCK_DIAG ? "diag"
                                                 : "netlink",
                 words);
}

/* ---- D-Bus ---- */

static uint32_t bus_u32(const uint8_t *p, bool big)
{
        uint32_t v;
        memcpy(&v, p, sizeof(v));
        return big ? be32toh(v) : le32toh(v);
}

static size_t aligned(size_t at, size_t to)
{
        return (at + to - 1) / to * to;
}

/* The member of the header's fields; "" without. Source: the D-Bus specification, Message Format. */
static void bus_member(const uint8_t *data, size_t n, bool big, char *buf, size_t size)
{
        size_t end = 16 + bus_u32(data + 12, big);
        *buf = '\0';
        for (size_t at = 16; at + 4 <= end && end <= n;) {
                at = aligned(at, 8);
                if (at + 4 > end)
                        return;
                uint8_t code = data[at], signature = data[at + 2];
                at += 4;
                if (signature == 'u') {
                        at = aligned(at, 4) + 4;
                        continue;
                }
                if (signature == 'g') {
                        at += (size_t) data[at] + 2;
                        continue;
                }
                at = aligned(at, 4);
                if (at + 4 > end)
                        return;
                uint32_t len = bus_u32(data + at, big);
                at += 4;
                if (len >= size || at + len > end)
                        return;
                if (code == 3) {
                        memcpy(buf, data + at, len);
                        buf[len] = '\0';
                        return;
                }
                at += len + 1;
        }
}

/* The value of @key in a JSON text that was printed without blanks, or with one behind the colon. */
static bool json_word(const char *text, const char *key, char *buf, size_t size)
{
        char quoted[64];
        (void) snprintf(quoted, sizeof(quoted), "\"%s\":", key);
        const char *at = strstr(text, quoted);
        if (!at)
                return false;
        at += strlen(quoted);
        at += strspn(at, " \t\"");
        (void) snprintf(buf, size, "%.*s", (int) strcspn(at, "\",}\n"), at);
        return true;
}

/* An event of a job, as it is told to who follows it. */
static void describe_event(const char *json, Call *ret)
{
        char event[32] = "", state[16] = "", phase[32] = "", object[64];
        (void) json_word(json, "event", event, sizeof(event));
        (void) snprintf(object, sizeof(object), "%s", event);
        if (strcmp(event, "phase") == 0 && json_word(json, "state", state, sizeof(state))) {
                (void) snprintf(object, sizeof(object), "phase-%s", state);
                if (strcmp(state, "begin") == 0 && json_word(json, "phase", phase, sizeof(phase)))
                        (void) snprintf(ret->phase, sizeof(ret->phase), "%s", phase);
        }
        /* Told as often as there is time for. */
        call_set(ret, strcmp(event, "progress") == 0 ? CALL_ASK : CALL_EFFECT, "told", object);
}

static bool bus_only_asks(const char *member)
{
        static const char *const asking[] = { "Get", "List", "Load", "Hello", "NameHasOwner", "Ping" };
        for (size_t i = 0; i < ELEMENTS(asking); i++)
                if (strncmp(member, asking[i], strlen(asking[i])) == 0)
                        return true;
        return false;
}

static void describe_bus(const char *data, size_t n, Call *ret)
{
        const uint8_t *bytes = (const uint8_t *) data;
        char member[128], *text = NULL;
        bool big = data[0] == 'B';

        if (n < 16 || (data[0] != 'l' && !big)) {
                call_set(ret, CALL_EFFECT, "bus", "auth");
                return;
        }
        bus_member(bytes, n, big, member, sizeof(member));
        switch (data[1]) {
        case 1:
                call_set(ret, bus_only_asks(member) ? CALL_ASK : CALL_EFFECT, "bus", member);
                return;
        case 2:
                call_set(ret, CALL_EFFECT, "bus", "reply");
                return;
        case 3:
                call_set(ret, CALL_EFFECT, "bus", "error");
                return;
        default:
                break;
        }
        if (strcmp(member, "Event") == 0 && (text = memmem(data, n, "{\"event\"", strlen("{\"event\""))))
                describe_event(text, ret);
        else
                call_set(ret, CALL_EFFECT, "bus-signal", member);
}

/* ---- other sockets ---- */

static void describe_notify(const char *data, Call *ret)
{
        char word[64];
        (void) snprintf(word, sizeof(word), "%.*s", (int) strcspn(data, "=\n"), data);
        /* By the clock. */
        call_set(ret, strcmp(word, "WATCHDOG") == 0 ? CALL_OTHER : CALL_EFFECT, "notify", word);
}

static void describe_http(const char *data, Call *ret)
{
        char line[100];
        (void) snprintf(line, sizeof(line), "%.*s", (int) strcspn(data, "\r\n"), data);
        char *end = strstr(line, " HTTP/");
        if (end)
                *end = '\0';
        call_set(ret, strncmp(line, "GET ", 4) == 0 ? CALL_ASK : CALL_EFFECT, "http", line);
}

static void describe_unix(const char *path, char *data, size_t n, Call *ret)
{
        char object[100];
        file_name(path, false, object, sizeof(object));
        data[n] = '\0';
        if (strstr(path, "/notify"))
                describe_notify(data, ret);
        else if (strstr(path, "journal/socket")) {
                const char *message = strstr(data, "MESSAGE=");
                call_set(ret, CALL_EFFECT, "journal", "");
                if (message)
                        (void) snprintf(ret->detail, sizeof(ret->detail), "%.*s",
                                        (int) strcspn(message + 8, "\n"), message + 8);
        } else if (strstr(path, "journal/stdout"))
                call_set(ret, CALL_EFFECT, "stderr", "");
        else if (strstr(path, "bus_socket") || strstr(path, "systemd/private"))
                describe_bus(data, n, ret);
        else
                call_set(ret, CALL_EFFECT, "send", object);
}

static void unix_path(const struct sockaddr_storage *addr, socklen_t len, char *buf, size_t size)
{
        const struct sockaddr_un *un = (const struct sockaddr_un *) addr;
        size_t n = len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path)
                                                                : 0;
        (void) snprintf(buf, size, "%.*s", (int) (n < sizeof(un->sun_path) ? n : sizeof(un->sun_path)),
                        un->sun_path[0] ? un->sun_path : "@");
}

/* @to: where one message goes on a socket without a peer; NULL. */
static void describe_socket(int fd, const struct sockaddr_storage *to, socklen_t to_len, char *data, size_t n,
                            Call *ret)
{
        struct sockaddr_storage peer = { 0 };
        int domain = 0, protocol = 0;
        socklen_t size = sizeof(domain), peer_len = sizeof(peer);
        char path[120];

        (void) getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        size = sizeof(protocol);
        (void) getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
        if (domain == AF_NETLINK) {
                describe_netlink(protocol, (const uint8_t *) data, n, ret);
                return;
        }
        if (domain == AF_INET || domain == AF_INET6) {
                data[n] = '\0';
                describe_http(data, ret);
                return;
        }
        if (!to || to_len == 0) {
                if (getpeername(fd, (struct sockaddr *) &peer, &peer_len) < 0)
                        return;
                to = &peer;
                to_len = peer_len;
        }
        if (domain == AF_UNIX) {
                unix_path(to, to_len, path, sizeof(path));
                describe_unix(path, data, n, ret);
        }
}

/* ---- files ---- */

/* What a record of a job says when it is written. */
static void describe_record(const char *text, Call *ret)
{
        static const char *const keys[] = { "table", "blocked", "monit", "stopped", "hooks" };
        char value[32];
        if (!strstr(text, "\"changes\":") || !json_word(text, "phase", value, sizeof(value)))
                return;
        (void) snprintf(ret->phase, sizeof(ret->phase), "%s", value);
        (void) snprintf(ret->detail, sizeof(ret->detail), "changes");
        const char *changes = strstr(text, "\"changes\":");
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (json_word(changes, keys[i], value, sizeof(value)) && strcmp(value, "true") == 0) {
                        (void) strcat(ret->detail, " ");
                        (void) strcat(ret->detail, keys[i]);
                }
}

static void describe_file(const Caller *c, uint64_t fd, const char *what, char *data, size_t n, Call *ret)
{
        char path[512], object[128];
        struct stat st;
        int own = borrow(c, fd);
        bool directory = own >= 0 && fstat(own, &st) == 0 && S_ISDIR(st.st_mode);
        if (own >= 0)
                (void) close(own);
        fd_path(c, fd, path, sizeof(path));
        if (*path != '/') {
                /* eventfd, timerfd, pipe: its own. */
                ret->kind = CALL_OTHER;
                return;
        }
        file_name(path, directory, object, sizeof(object));
        call_set(ret, CALL_EFFECT, what, object);
        data[n] = '\0';
        if (strcmp(what, "write") == 0)
                describe_record(data, ret);
}

/* ---- data ---- */

static size_t gather(const Caller *c, uint64_t iov_at, uint64_t count, char *data, size_t size)
{
        struct iovec iov[PARTS_MAX];
        size_t n = 0;
        if (count > PARTS_MAX)
                count = PARTS_MAX;
        count = peek(c, iov_at, iov, count * sizeof(iov[0])) / sizeof(iov[0]);
        for (size_t i = 0; i < count && n < size; i++)
                n += peek(c, (uintptr_t) iov[i].iov_base, data + n,
                          iov[i].iov_len < size - n ? iov[i].iov_len : size - n);
        return n;
}

static void describe_send(const Caller *c, uint64_t nr, const uint64_t *a, Call *ret)
{
        char data[DATA_MAX + 1];
        struct sockaddr_storage to = { 0 };
        socklen_t to_len = 0;
        struct msghdr msg = { 0 };
        struct stat st;
        size_t n;

        if (nr == SYS_write || nr == SYS_sendto)
                n = peek(c, a[1], data, a[2] < DATA_MAX ? a[2] : DATA_MAX);
        else if (nr == SYS_writev)
                n = gather(c, a[1], a[2], data, DATA_MAX);
        else {
                /* Of sendmmsg() the first one. */
                (void) peek(c, a[1], &msg, sizeof(msg));
                n = gather(c, (uintptr_t) msg.msg_iov, msg.msg_iovlen, data, DATA_MAX);
                to_len = msg.msg_namelen;
        }
        if (nr == SYS_sendto)
                to_len = (socklen_t) a[5];
        if (to_len > sizeof(to))
                to_len = sizeof(to);
        if (to_len)
                (void) peek(c, nr == SYS_sendto ? a[4] : (uintptr_t) msg.msg_name, &to, to_len);

        int fd = borrow(c, a[0]);
        if (fd < 0)
                return;
        if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
                describe_socket(fd, to_len ? &to : NULL, to_len, data, n, ret);
        else
                describe_file(c, a[0], "write", data, n, ret);
        (void) close(fd);
}

static void describe_connect(const Caller *c, const uint64_t *a, Call *ret)
{
        struct sockaddr_storage to = { 0 };
        socklen_t len = a[2] < sizeof(to) ? (socklen_t) a[2] : sizeof(to);
        char text[INET6_ADDRSTRLEN + 8], path[120];

        (void) peek(c, a[1], &to, len);
        if (to.ss_family == AF_UNIX) {
                unix_path(&to, len, path, sizeof(path));
                file_name(path, false, text, sizeof(text));
                call_set(ret, CALL_EFFECT, "connect", text);
        } else if (to.ss_family == AF_INET || to.ss_family == AF_INET6) {
                const struct sockaddr_in *in = (const struct sockaddr_in *) &to;
                const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &to;
                bool four = to.ss_family == AF_INET;
                (void) inet_ntop(to.ss_family, four ? (const void *) &in->sin_addr : &in6->sin6_addr, text,
                                 INET6_ADDRSTRLEN);
                (void) snprintf(text + strlen(text), 8, ":%u", ntohs(four ? in->sin_port : in6->sin6_port));
                call_set(ret, CALL_ASK, "connect", text);
        } else
                call_set(ret, CALL_ASK, "connect", "netlink");
}

/* Closing the last descriptor of the socket that owns a table takes that table away. */
static void describe_close(const Caller *c, uint64_t fd, Call *ret)
{
        int domain = 0, protocol = 0, own = borrow(c, fd);
        socklen_t size = sizeof(domain);
        if (own < 0)
                return;
        if (getsockopt(own, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK &&
            getsockopt(own, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_NETFILTER)
                call_set(ret, CALL_EFFECT, "close", "nft");
        (void) close(own);
}

static void describe_path(const Caller *c, uint64_t at, const char *what, Call *ret)
{
        char path[512], object[128];
        peek_text(c, at, path, sizeof(path));
        file_name(path, false, object, sizeof(object));
        call_set(ret, CALL_EFFECT, what, object);
}

/* ---- all of them ---- */

static const struct {
        uint64_t nr;
        const char *name;
} names[] = {
#define N(x)                \
        {                   \
                SYS_##x, #x \
        }
        N(read),
        N(write),
        N(openat),
        N(close),
        N(fstat),
        N(lseek),
        N(mmap),
        N(munmap),
        N(brk),
        N(ioctl),
        N(pread64),
        N(readv),
        N(writev),
        N(dup),
        N(socket),
        N(connect),
        N(sendto),
        N(recvfrom),
        N(sendmsg),
        N(recvmsg),
        N(bind),
        N(getsockname),
        N(getpeername),
        N(setsockopt),
        N(getsockopt),
        N(fcntl),
        N(flock),
        N(fsync),
        N(ftruncate),
        N(getdents64),
        N(mkdirat),
        N(unlinkat),
        N(renameat),
        N(faccessat),
        N(readlinkat),
        N(newfstatat),
        N(statx),
        N(epoll_ctl),
        N(epoll_pwait),
        N(epoll_create1),
        N(timerfd_create),
        N(timerfd_settime),
        N(signalfd4),
        N(eventfd2),
        N(rt_sigaction),
        N(rt_sigprocmask),
        N(getpid),
        N(gettid),
        N(getuid),
        N(geteuid),
        N(getrandom),
        N(clock_gettime),
        N(ppoll),
        N(prctl),
        N(exit_group),
        N(execve),
        N(clone),
        N(kill),
        N(getsid),
        N(prlimit64),
        N(shutdown),
        N(futex),
        N(mprotect),
        N(sendmmsg),
        N(recvmmsg),
        N(accept4),
        N(pipe2),
        N(memfd_create),
        N(name_to_handle_at),
        N(fadvise64),
        N(fdatasync),
        N(fchmod),
#ifdef SYS_open
        N(open),
        N(stat),
        N(lstat),
        N(poll),
        N(access),
        N(readlink),
        N(epoll_wait),
        N(unlink),
        N(rename),
        N(getdents),
        N(select),
        N(fork),
        N(vfork),
        N(mkdir),
        N(pipe),
        N(arch_prctl),
#endif
#undef N
};

static void name_by_number(uint64_t nr, char *buf, size_t size)
{
        (void) snprintf(buf, size, "call%llu", (unsigned long long) nr);
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (names[i].nr == nr)
                        (void) snprintf(buf, size, "%s", names[i].name);
}

void call_describe(const Caller *caller, uint64_t nr, const uint64_t args[6], Call *ret)
{
        char nothing[1];

        *ret = (Call){ .kind = CALL_OTHER };
        name_by_number(nr, ret->name, sizeof(ret->name));
        switch (nr) {
        case SYS_write:
        case SYS_writev:
        case SYS_sendto:
        case SYS_sendmsg:
        case SYS_sendmmsg:
                describe_send(caller, nr, args, ret);
                break;
        case SYS_connect:
                describe_connect(caller, args, ret);
                break;
        case SYS_close:
                describe_close(caller, args[0], ret);
                break;
        case SYS_fsync:
        case SYS_fdatasync:
                describe_file(caller, args[0], "fsync", nothing, 0, ret);
                break;
        case SYS_ftruncate:
                describe_file(caller, args[0], "truncate", nothing, 0, ret);
                break;
        case SYS_flock:
                describe_file(caller, args[0], "lock", nothing, 0, ret);
                break;
        case SYS_openat:
                if (args[2] & O_CREAT)
                        describe_path(caller, args[1], "create", ret);
                break;
        case SYS_mkdirat:
                describe_path(caller, args[1], "mkdir", ret);
                break;
        case SYS_unlinkat:
                describe_path(caller, args[1], "unlink", ret);
                break;
        case SYS_renameat:
        case SYS_renameat2:
                describe_path(caller, args[3], "rename", ret);
                break;
#ifdef SYS_open
        case SYS_open:
                if (args[1] & O_CREAT)
                        describe_path(caller, args[0], "create", ret);
                break;
        case SYS_mkdir:
                describe_path(caller, args[0], "mkdir", ret);
                break;
        case SYS_unlink:
                describe_path(caller, args[0], "unlink", ret);
                break;
        case SYS_rename:
                describe_path(caller, args[1], "rename", ret);
                break;
        case SYS_fork:
        case SYS_vfork:
#endif
        case SYS_clone:
        case SYS_clone3:
        case SYS_execve:
        case SYS_kill:
        case SYS_pidfd_send_signal:
                ret->kind = CALL_EFFECT;
                break;
        default:
                break;
        }
}
